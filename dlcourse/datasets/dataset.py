"""The record that every loader returns, its splits, its checks and its fingerprint."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from html import escape
from typing import Any

import numpy as np

from dlcourse.datasets.facts import CLASSIFICATION, SHARED, DataFacts, Facts, Task
from dlcourse.errors import DatasetError
from dlcourse.schema import did_you_mean
from dlcourse.text_table import Table

# Inputs `(n, …)`, an array or `Streamed`, and labels, targets or other numbers `(n,)`.
Examples = tuple[Any, np.ndarray]
Fractions = tuple[float, float]  # of the training examples, to set aside for validation and test


@dataclass(frozen=True)
class Dataset(Facts):
    """Training, validation and test examples, with the facts that explain them; see `Facts`.

    Attributes:
        x_train, x_val, x_test: Images `(n, height, width, channels)`, uint8 or as given, sequences
            `(n, steps, features)` or rows `(n, features)`, float32, or the numbers of a text's
            tokens `(n, steps)`, int32. Shorter sequences end in steps of `PADDING`, shorter texts
            in 0. Images too large for memory are `Streamed`: `x[rows]` reads
            them from the disk.
        y_train, y_val, y_test: Labels `(n,)` int64, or float32 targets `(n,)` for regression. For
            `next_token`, the texts themselves, `(n, steps)` int64.
        regions: Boxes of the evidence in the test images, known for `planted` alone and empty
            otherwise: name (`object`, `mark`) → integers `(n_test, 4)`: top, left, bottom and
            right, in pixels; bottom and right are exclusive.
        columns: Table of what each column of a file was taken as (see `csv`); empty otherwise.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    _: KW_ONLY
    regions: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Table = field(default_factory=lambda: Table([]), compare=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, without the axis n."""
        return self.x_train.shape[1:]

    @property
    def splits(self) -> dict[str, Examples]:
        """`{"train": (x, y), "val": (x, y), "test": (x, y)}`."""
        return {part: (getattr(self, f"x_{part}"), getattr(self, f"y_{part}")) for part in PARTS}

    @property
    def facts(self) -> DataFacts:
        """What is known of the data without its examples; the fingerprint is not computed."""
        shared = {key: getattr(self, key) for key in (*SHARED, "input_shape")}
        return DataFacts(**shared, examples={part: len(y) for part, (_, y) in self.splits.items()})

    @property
    def summary(self) -> str:
        """One line: the name, the task, the shape of an example and the size of each split."""
        return self.facts.summary

    def __repr__(self) -> str:
        return f"<Dataset {self.summary}>"

    def _repr_html_(self) -> str:
        table = self.columns._repr_html_() if self.columns else ""
        return f"<p>{escape(self.summary)}</p>{table}"


PARTS = ("train", "val", "test")
SETTINGS = {"val": "validation_fraction", "test": "test_fraction"}
TEST_SEED = 0  # of a test split taken from the training examples: the same in every run
PADDING = -1e9  # in every number of the steps after a sequence's end
WHITES = (1.0, 16.0, 255.0)  # of images: shares, the embedded digits, bytes
NEAR = 1e-3  # of a range, by which values may leave it: they were rounded
CHUNK_BYTES = 1 << 24  # read at a time when all examples are visited


def split(
    x: np.ndarray, y: np.ndarray, fraction: float, *, seed: int, stratify: bool, **place: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return `(x_rest, y_rest, x_part, y_part)`; the part holds `fraction` of the examples.

    The split depends only on `seed` and the labels. With `stratify`, every class keeps its share.
    `place` is where the fraction comes from: the arguments `setting` and `of` of the error.

    Raises:
        DatasetError: The part, or a class in it, would be empty.
    """
    from sklearn.model_selection import train_test_split

    try:
        how = {"test_size": fraction, "random_state": seed, "stratify": y if stratify else None}
        rest, part = train_test_split(np.arange(len(y)), **how)
    except ValueError as error:
        reason = str(error) if stratify else "give more or another fraction"
        if stratify and "number of classes" in reason:
            classes = len(np.unique(y))
            reason = f"each of the {classes} classes needs an example in both parts: try "
            reason += f"{min(0.5, (classes + 1) / len(y)):.2g} or give more examples"
        reason = f"cannot set {fraction:g} of {len(y)} examples aside: {reason}"
        raise DatasetError(reason, **place) from None
    rest, part = np.sort(rest), np.sort(part)
    return x.take(rest, axis=0), y[rest], x.take(part, axis=0), y[part]


def check(dataset: Dataset) -> Dataset:
    """Return `dataset` if it can be trained on.

    Raises:
        DatasetError: A split is empty, the lengths or the splits' shapes differ, a value is NaN or
            infinite, a label is out of range, or a class is missing from a split.
    """
    for part, (x, y) in dataset.splits.items():
        check_split(dataset, part, x, y)
        if dataset.task in CLASSIFICATION:
            _refuse_missing(f"{dataset.name}: the {part} split", y, dataset.class_names)
    if dataset.task in CLASSIFICATION and len(dataset.class_names) < 2:
        raise DatasetError(
            f"{dataset.name}: has {len(dataset.class_names)} class: a classifier needs two or more"
        )
    return dataset


def check_split(dataset: Dataset, part: str, x: np.ndarray, y: np.ndarray) -> None:
    """Raise a DatasetError for a split that cannot be learned from, or measured; see `check`."""
    where = f"{dataset.name}: the {part} split"
    if len(x) != len(y):
        raise DatasetError(f"{where} has {len(x)} inputs but {len(y)} labels")
    if not len(x):
        raise DatasetError(f"{where} is empty: give more examples or another fraction")
    if x.shape[1:] != dataset.input_shape:
        raise DatasetError(
            f"{where} has inputs of shape {x.shape[1:]}, the train split has {dataset.input_shape}"
        )
    if x.dtype != dataset.x_train.dtype:
        raise DatasetError(
            f"{where} has inputs of type {x.dtype}, the train split has {dataset.x_train.dtype}"
        )
    if not np.issubdtype(x.dtype, np.number):
        raise DatasetError(f"{where} has inputs of type {x.dtype}: numbers are expected")
    for what, values in (("inputs", x), ("labels", y)):
        if (first := _not_finite(values)) is not None:
            reason = f"{where} has NaN or infinite {what} (first at example {first}): remove or "
            reason += "fill them before training"
            raise DatasetError(reason)
    if dataset.task in CLASSIFICATION:
        _check_labels(where, y, dataset.class_names)


def _not_finite(values: np.ndarray) -> int | None:
    """Return the index of the first example with a NaN or infinite value, or None."""
    start = 0
    for chunk in chunks(values) if values.dtype.kind == "f" else ():
        finite = np.isfinite(chunk.reshape(len(chunk), -1)).all(axis=1)
        if not finite.all():
            return start + int(finite.argmin())
        start += len(chunk)
    return None


def _check_labels(where: str, y: np.ndarray, class_names: tuple[str, ...]) -> None:
    if y.dtype.kind not in "iu" or y.ndim != 1:
        reason = f"{where} has labels of type {y.dtype} and shape {y.shape}: integers of shape "
        reason += "(n,) are expected"
        raise DatasetError(reason)
    if y.min() < 0 or y.max() >= len(class_names):
        reason = f"{where} has labels from {y.min()} to {y.max()}: 0 to {len(class_names) - 1} are "
        reason += f"expected for {len(class_names)} classes"
        raise DatasetError(reason)


def _refuse_missing(where: str, y: np.ndarray, class_names: tuple[str, ...]) -> None:
    missing = np.setdiff1d(np.arange(len(class_names)), y)
    if len(missing):
        names = ", ".join(class_names[label] for label in missing[:5])
        hint = "number the classes from 0" if missing[0] == 0 and len(missing) == 1 else ""
        reason = f"{where} has no example of class {names}: {hint or 'give more examples of it'}"
        raise DatasetError(reason)


def dataset_of(
    name: str, parts: Mapping[str, Examples], seed: int | None, fractions: Fractions, **facts: Any
) -> Dataset:
    """Return the data set of the given splits; a missing split is taken from `train`.

    Args:
        name: The data set's name.
        parts: `(x, y)` of `train` and, if the data has them, of `val` and `test`.
        seed: Seed of the validation split; None leaves a missing split empty.
        fractions: Shares of the training examples to set aside for validation and test.
        **facts: The other fields of `Dataset`.
    """
    x, y = parts["train"]
    arrays: dict[str, Any] = {}
    for part in PARTS:
        arrays[f"x_{part}"], arrays[f"y_{part}"] = parts.get(part, (x[:0], y[:0]))
    dataset = Dataset(name, **facts, **arrays)
    if seed is None:
        return dataset
    if "test" not in parts:
        dataset = set_aside(dataset, "test", fractions[1], TEST_SEED)
    return dataset if "val" in parts else set_aside(dataset, "val", fractions[0], seed)


def keep_classes(dataset: Dataset, classes: tuple[str, ...] | None) -> Dataset:
    """Return the examples of the named classes, labelled 0, 1, … in that order; None keeps all.

    Raises:
        DatasetError: A name is unknown or repeated, or there are fewer than two.
    """
    if classes is None:
        return dataset
    names = dataset.class_names
    if unknown := [name for name in classes if name not in names]:
        hint = did_you_mean(unknown[0], list(names))
        raise DatasetError(f"no class '{unknown[0]}'{hint}", setting="classes", of=dataset.name)
    if len(set(classes)) < max(2, len(classes)):
        reason = "two or more different classes are expected"
        raise DatasetError(reason, setting="classes", of=dataset.name)
    labels = np.full(len(names), -1)
    labels[[names.index(name) for name in classes]] = np.arange(len(classes))
    parts: dict[str, Any] = {}
    for part, (x, y) in dataset.splits.items():
        rows = np.flatnonzero(labels[y] >= 0)
        parts |= {f"x_{part}": x.take(rows, axis=0), f"y_{part}": labels[y[rows]]}
    return replace(dataset, task=task_of(classes), class_names=classes, **parts)


def set_aside(dataset: Dataset, part: str, fraction: float, seed: int) -> Dataset:
    """Return `dataset` with its split `part` taken from the training split with `seed`.

    Raises:
        DatasetError: The training split is empty, or has too few examples of a class.
    """
    classification = dataset.task in CLASSIFICATION
    if not len(dataset.y_train):
        raise DatasetError(f"{dataset.name}: the train split is empty: give more examples")
    if classification:
        where, names = f"{dataset.name}: the train split", dataset.class_names
        _check_labels(where, dataset.y_train, names)
        _refuse_missing(where, dataset.y_train, names)
        counts = np.bincount(dataset.y_train, minlength=len(dataset.class_names))
        if counts.min() < 2:
            name = dataset.class_names[counts.argmin()]
            reason = f"{dataset.name}: class '{name}' has {counts.min()} example left to train on: "
            reason += "each class needs 3 or more, one per split"
            raise DatasetError(reason)
    how = {"seed": seed, "setting": SETTINGS[part], "of": dataset.name}
    whole = dataset.x_train, dataset.y_train
    x, y, x_part, y_part = split(*whole, fraction, stratify=classification, **how)
    return replace(dataset, x_train=x, y_train=y, **{f"x_{part}": x_part, f"y_{part}": y_part})


def task_of(class_names: tuple[str, ...]) -> Task:
    """Return `binary` for two classes, otherwise `multiclass`."""
    return "binary" if len(class_names) == 2 else "multiclass"


def before_end(x: np.ndarray) -> np.ndarray:
    """Return which steps of sequences, or tokens of texts, lie before the end, `(n, steps)`."""
    return x > 0 if x.ndim == 2 else x[..., 0] != PADDING


def as_float32(numbers: np.ndarray) -> np.ndarray:
    """Return numbers in single precision."""
    with np.errstate(over="ignore"):  # overflow gives inf, which `check` reports with its example
        return numbers.astype("float32", copy=False)


def image_range(parts: Mapping[str, Examples], wanted: Any, name: str) -> tuple[float, float]:
    """Return the values of images that are black and white: they are scaled to 0…1.

    For rows and sequences they are the lowest and the highest value in training.

    Args:
        parts: `(x, y)` of `train` and of other splits; one with values outside is warned of.
        wanted: Both values; or `auto`: 0 and the smallest of 1, 16 and 255 that holds the training
            images. If these have negative values, black is minus white.
        name: Name of the data in an error.

    Raises:
        DatasetError: The training images have values outside, or above 255 with `auto`.
    """
    x, auto = parts["train"][0], wanted == "auto"
    if x.ndim < 4:
        return value_range(x)
    if auto and x.dtype == "uint8" and x[:100].max(initial=0) > WHITES[-2]:
        return 0.0, WHITES[-1]  # without reading all images
    least, most = value_range(x)
    high = white(least, most)
    low, high = (-high if least < -NEAR * high else 0.0, high) if auto else wanted
    if not low < high < np.inf or outside(least, most, (low, high)):
        reason = f"the images have values from {least:g} to {most:g}"
        cure = ": give those of black and white, such as [0, 4095] for 12 bits"
        reason += cure if auto else f", expected {low:g} to {high:g}"
        raise DatasetError(reason, setting="value_range", of=name)
    for part, (others, _) in parts.items():
        ends = value_range(others)
        if outside(*ends, (low, high)) or (auto and white(*ends) != high):
            told = f"{part} has values from {ends[0]:g} to {ends[1]:g}, train {least:g} to {most:g}"
            warnings.warn(f"{name}: {told}: are they scaled alike?", stacklevel=3)
    return float(low), float(high)


def white(least: float, most: float) -> float:
    """Return the smallest of 1, 16 and 255 that holds values of both signs, or infinity."""
    size = max(-least, most)  # NaN gives 1: `check` names the example
    return next((end for end in WHITES if not size > end * (1 + NEAR)), np.inf)


def outside(least: float, most: float, value_range: tuple[float, float]) -> bool:
    """Return whether values leave a range by more than rounding."""
    low, high = value_range
    return min(least - low, high - most) < -NEAR * (high - low)


def value_range(x: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest value, `PADDING` apart; 0 and 0 for no examples."""
    held = (chunk[chunk != PADDING] if chunk.ndim == 3 else chunk for chunk in chunks(x))
    ends = [(float(chunk.min()), float(chunk.max())) for chunk in held if chunk.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def chunks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the examples in order as contiguous arrays of at most `CHUNK_BYTES`."""
    rows = max(1, CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), rows):
        yield np.ascontiguousarray(x[start : start + rows])


def fingerprint(dataset: Dataset) -> str:
    """Return the SHA-256, in hexadecimal, of all arrays, their types and shapes, and the classes.

    Two runs with the same fingerprint saw the same numbers in the same order.
    """
    digest = hashlib.sha256(repr(dataset.class_names).encode())
    regions = {f"region {name}": (boxes,) for name, boxes in sorted(dataset.regions.items())}
    for part, arrays in (dataset.splits | regions).items():
        for array in arrays:
            digest.update(f"{part} {array.dtype.str} {array.shape}".encode())
            for chunk in chunks(array):
                digest.update(chunk.data)
    return digest.hexdigest()


def digests(x: Any, y: np.ndarray) -> np.ndarray:
    """Return a number for each example, equal for equal inputs and labels only, `(n,)` uint64.

    It is the BLAKE2b hash, of 8 bytes, of the input in float32 and the label.
    """
    rows = (row for chunk in chunks(x) for row in as_float32(chunk))
    hashes = (
        hashlib.blake2b(row.tobytes() + label.tobytes(), digest_size=8).digest()
        for row, label in zip(rows, y, strict=True)
    )
    return np.frombuffer(b"".join(hashes), "<u8")
