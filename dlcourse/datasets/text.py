"""Texts as numbers of their tokens: a folder of files per class, film sentences, lists of names.

Keras' `TextVectorization` needs TensorFlow, and inside a saved model works on TensorFlow alone; so
the vocabulary is a part of the data's facts.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets.dataset import Dataset, dataset_of, task_of
from dlcourse.datasets.image_folder import classes_of, folders_of_parts, listed
from dlcourse.datasets.paths import existing_file, existing_folder, shipped_file
from dlcourse.errors import DatasetError, one_line
from dlcourse.heavy import pd
from dlcourse.schema import Fraction, Positive

Tokens = Literal["words", "characters"]
Texts = Sequence[str] | np.ndarray
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
PAD, UNKNOWN = "", "\N{REPLACEMENT CHARACTER}"  # the first two tokens of every vocabulary
COVERED = 95  # per cent of the training texts that are read whole, without a given length
LONGEST = 500  # tokens, without a given length
MOST_CHARACTERS = 1_000_000  # of a text
BYTE_ORDERS = (b"\xff\xfe", b"\xfe\xff")  # marks at the start of a UTF-16 file


def tokens_of(text: str, tokens: str) -> list[str]:
    """Return the tokens of a text, in lower case: words and punctuation marks, or characters."""
    text = text.lower()
    return list(text) if tokens == "characters" else WORD.findall(text)


def text_encoding(
    name: str, texts: Texts, tokens: Tokens, vocabulary: int, length: int | None
) -> dict[str, Any]:
    """Return how texts are encoded, as values that JSON can hold.

    Args:
        name: Name of the column of a table, or `text`.
        texts: Texts of the training split.
        tokens: Kind of tokens.
        vocabulary: Largest number of different tokens, the most frequent ones.
        length: Number of tokens that are read of each text; None for one that holds most texts.
    """
    split = [tokens_of(text, tokens) for text in texts]
    if length is None:
        longest = np.percentile([len(each) for each in split], COVERED)
        length = min(LONGEST, max(1, round(longest)))
    counts = sorted(Counter(chain(*split)).items(), key=lambda pair: (-pair[1], pair[0]))
    known = [PAD, UNKNOWN, *(token for token, _ in counts[:vocabulary])]
    return {"name": name, "kind": "text", "tokens": tokens, "length": length, "vocabulary": known}


def encode_texts(texts: Texts, known: Mapping[str, Any]) -> np.ndarray:
    """Return the numbers of the tokens, int32 `(n, length)`: 0 after the end, 1 for unknown ones.

    Args:
        texts: Texts; what is longer is cut off.
        known: Encoding as from `text_encoding`.
    """
    number = {token: index for index, token in enumerate(known["vocabulary"])}
    x = np.zeros((len(texts), known["length"]), "int32")
    for row, text in zip(x, texts, strict=True):
        tokens = tokens_of(text, known["tokens"])[: known["length"]]
        row[: len(tokens)] = [number.get(token, 1) for token in tokens]
    return x


def decode_text(numbers: np.ndarray, known: Mapping[str, Any]) -> list[str]:
    """Return the tokens `(steps,)` of a text before its end; � for an unknown one."""
    return [known["vocabulary"][number] for number in numbers if number]


def fault_of(text: str) -> str:
    """Return why a text cannot be read; an empty text if it can."""
    if not text.strip():
        return "is empty"
    if len(text) > MOST_CHARACTERS:
        return f"has {len(text):,} characters: {MOST_CHARACTERS:,} at most are read as one text"
    return ""


def text_folder(
    seed: int = 0,
    *,
    path: str,
    tokens: Tokens = "words",
    vocabulary: Positive = 5000,
    length: Positive | None = None,
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
) -> Dataset:
    """Return the texts in a folder with a folder of `.txt` files per class.

    `train`, `test` and `val` folders are kept, as for `image_folder`. Where no file ends in `.txt`,
    all files that are not hidden are read.

    Args:
        seed: Seed of the validation split.
        path: Path of the folder, relative to the current folder; `~` expands.
        tokens: Units of a text: `words` (and punctuation marks), or `characters`, both in lower
            case.
        vocabulary: Largest number of different tokens: the most frequent ones of the training
            texts. All others are one token, �.
        length: Number of tokens that are read of each text. Null takes the number that holds 95 %
            of the training texts whole, at most 500.
        validation_fraction: Share of the training texts set aside for validation, where there is no
            `val` folder.
        test_fraction: Share of the training texts set aside for the test, where there is no `test`
            folder.

    Raises:
        DatasetError: The folder is missing or not as for `image_folder`, or a file is empty or not
            text.
    """
    how = (tokens, vocabulary, length)
    return folder_dataset(path, how, (validation_fraction, test_fraction), seed)


def folder_dataset(
    path: str, how: Any, fractions: tuple[float, float], seed: int | None = None
) -> Dataset:
    """Return the texts of a folder; for the arguments, see `text_folder` and `texts_dataset`."""
    root = existing_folder(path)
    folders = folders_of_parts(root)
    classes = classes_of(folders["train"])
    texts = {}
    for part, folder in folders.items():
        every = listed(folder, classes, folders)
        labels = {k: v for k, v in every.items() if k.suffix.lower() == ".txt"} or every
        texts[part] = [read_text(file) for file in labels], [*labels.values()]
    return texts_dataset(root.resolve().name, texts, classes, how, fractions, seed)


def movie_reviews(
    seed: int = 0,
    *,
    tokens: Tokens = "words",
    vocabulary: Positive = 5000,
    length: Positive | None = None,
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
) -> Dataset:
    """Return 8,530 sentences of film reviews, negative or positive (Pang and Lee 2005).

    They are the training part of the sentence polarity data set, from the package `movie-reviews`.

    Args:
        seed: Seed of the validation split.
        tokens, vocabulary, length: As for `text_folder`.
        validation_fraction: Share of the training sentences set aside for validation.
        test_fraction: Share of all sentences set aside for the test, the same for every seed.

    Raises:
        DatasetError: The package is not installed.

    References:
        Pang and Lee, "Seeing stars", ACL 2005, arXiv:cs/0506075.
    """
    file = shipped_file("movie-reviews", "data/combined_movie_reviews.csv", "text")
    table: Any = pd.read_csv(file, dtype=str, keep_default_na=False)
    table = table[table["source"] == "rotten_tomatoes"]
    texts = {"train": (table["text"].to_list(), table["label"].astype(int).to_list())}
    how, fractions = (tokens, vocabulary, length), (validation_fraction, test_fraction)
    return texts_dataset("movie_reviews", texts, ("negative", "positive"), how, fractions, seed)


def names(
    seed: int = 0, *, validation_fraction: Fraction = 0.1, test_fraction: Fraction = 0.1
) -> Dataset:
    """Return the 5,163 first names of the US census of 1990, to predict the next character.

    They are in the public domain, and come with the package `names`.

    Args:
        seed: Seed of the validation split.
        validation_fraction: Share of the training names set aside for validation.
        test_fraction: Share of all names set aside for the test, the same for every seed.

    Raises:
        DatasetError: The package is not installed.
    """
    files = [shipped_file("names", f"dist.{kind}.first", "text") for kind in ("female", "male")]
    found = [line.partition(" ")[0] for file in files for line in read_text(file).splitlines()]
    return lines_dataset("names", found, None, (validation_fraction, test_fraction), seed)


def lines(
    seed: int = 0, *, path: str, validation_fraction: Fraction = 0.1, test_fraction: Fraction = 0.1
) -> Dataset:
    """Return the lines of a text file, such as names, to predict the next character.

    The target of each step is the character of this step, from those before it, or the end of the
    line. The lines are in lower case, without repetitions.

    Args:
        seed: Seed of the validation split.
        path: Path of the file, relative to the current folder; `~` expands.
        validation_fraction: Share of the training lines set aside for validation.
        test_fraction: Share of all lines set aside for the test, the same for every seed.

    Raises:
        DatasetError: The file is missing or not text, or a line is too long.
    """
    return file_dataset(path, None, (validation_fraction, test_fraction), seed)


def file_dataset(
    path: str, how: Any, fractions: tuple[float, float], seed: int | None = None
) -> Dataset:
    """Return the lines of a file; for the arguments, see `lines` and `texts_dataset`."""
    file = existing_file(path)
    found = read_text(file).splitlines()
    for number, line in enumerate(found, 1):
        if len(line) > LONGEST:
            expected = f"{LONGEST} at most are expected in a line"
            raise DatasetError(f"{file}:{number}: has {len(line):,} characters: {expected}")
    return lines_dataset(file.stem, found, how, fractions, seed)


def lines_dataset(
    name: str, lines: Sequence[str], how: Any, fractions: tuple[float, float], seed: int | None
) -> Dataset:
    """Return the data set of the next characters of lines; see `texts_dataset`."""
    known = sorted({line.strip().lower() for line in lines} - {""})
    how = how or ("characters", LONGEST, max(map(len, known), default=1))
    dataset = texts_dataset(name, {"train": (known, [0] * len(known))}, (), how, fractions, seed)
    y = {f"y_{part}": x.astype("int64") for part, (x, _) in dataset.splits.items()}
    tokens = ("end", *dataset.encoding["columns"][0]["vocabulary"][1:])
    return replace(dataset, class_names=tokens, target_name="character", **y)


def texts_dataset(
    name: str,
    texts: Mapping[str, tuple[list[str], list[int]]],
    classes: tuple[str, ...],
    how: Any,
    fractions: tuple[float, float],
    seed: int | None,
) -> Dataset:
    """Return the data set of texts and labels by split; a missing split is taken from `train`.

    Args:
        name: Name of the data set.
        texts: Texts and labels of `train` and, if the data has them, of `val` and `test`.
        classes: Names of the classes; none for the next token as the target.
        how: Kind of tokens, size of the vocabulary and length, as for `text_encoding`; or an
            encoding.
        fractions: Shares to set aside for validation and test.
        seed: Seed of the validation split; None leaves a missing split empty.
    """
    arrays = {
        part: (np.array([*own, None], object)[:-1], np.array(labels, "int64"))
        for part, (own, labels) in texts.items()
    }
    task = task_of(classes) if classes else "next_token"
    facts = {"value_range": (0.0, 0.0), "class_names": classes}
    dataset = dataset_of(name, arrays, seed, fractions, task=task, **facts)
    known = how if isinstance(how, Mapping) else text_encoding("text", dataset.x_train, *how)
    x = {f"x_{part}": encode_texts(own, known) for part, (own, _) in dataset.splits.items()}
    most = float(len(known["vocabulary"]) - 1)
    return replace(dataset, value_range=(0.0, most), encoding={"columns": [known]}, **x)


def read_text(file: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 with its mark, or else cp1252.

    Raises:
        DatasetError: The file cannot be read, is not text, is empty or too long.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-16" if data[:2] in BYTE_ORDERS else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0" if data[:2] in BYTE_ORDERS else data.decode("cp1252", "replace")
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({one_line(error)})") from None
    if "\0" in text:
        raise DatasetError(f"{file}: is not text in UTF-8, UTF-16 or cp1252")
    if fault := fault_of(text):
        raise DatasetError(f"{file}: {fault}")
    return text
