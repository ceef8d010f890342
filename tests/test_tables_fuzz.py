"""Tables in random dialects: the numbers that were written come back, or one line says why not."""

import gzip
import warnings
from collections import Counter

import numpy as np
import pytest

from dlcourse.datasets import load_dataset
from dlcourse.datasets.csv import encode_rows
from dlcourse.errors import UserError

WORDS = ("", "NA", "?", "-", "nan", "None")


def written(number, decimals, dialect):
    """Return a number as the dialect writes it."""
    text = f"{number:,.{decimals}f}" if dialect["thousands"] else f"{number:.{decimals}f}"
    marks = str.maketrans({",": dialect["thousands"], ".": dialect["decimal"]})
    return dialect["before"] + text.translate(marks) + dialect["after"]


def random_dialect(rng):
    """Return how a table is written; a comma between values goes with a decimal point."""
    separator = str(rng.choice([",", ";", "\t", "|"]))
    decimal = "." if separator == "," else str(rng.choice([".", ","]))
    thousands = {".": ["", "", " ", "'", ","], ",": ["", "", " ", "."]}[decimal]
    return {
        "separator": separator,
        "decimal": decimal,
        "thousands": str(rng.choice(thousands)),
        "before": str(rng.choice(["", "", "", "$"])) if decimal == "." else "",
        "after": str(rng.choice(["", "", "", "%", " kg", " €"])),
        "encoding": str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "end": str(rng.choice(["\n", "\r\n"])),
        "gap": str(rng.choice(WORDS)),
        "extras": [str(extra) for extra in rng.permutation(EXTRAS)[: rng.integers(3)]],
        "quoted": bool(rng.integers(2)),
    }


EXTRAS = ["index", "trailing", "comment", "sep", "blank", "gzip", "total", "spaces"]


def random_table(rng):
    """Return known numbers `(n, k)`, NaN for a gap, and their decimals by column."""
    decimals = rng.integers(0, 4, rng.integers(1, 5))
    scale = 10.0 ** rng.integers(1, 7, len(decimals))
    numbers = rng.normal(size=(rng.integers(25, 60), len(decimals))) * scale
    numbers = np.array(
        [[round(x, int(d)) for x, d in zip(row, decimals, strict=True)] for row in numbers]
    )
    numbers[rng.random(numbers.shape) < rng.choice([0, 0.1])] = np.nan
    return numbers, decimals


def text_of(numbers, decimals, dialect):
    """Return the table as text: the numbers, a word, and two classes."""
    extras, separator = dialect["extras"], dialect["separator"]
    rows = [[*(f"größe {i}" for i in range(len(decimals))), "word", "class"]]
    for i, row in enumerate(numbers):
        cells = [
            dialect["gap"] if np.isnan(x) else written(x, d, dialect)
            for x, d in zip(row, decimals, strict=True)
        ]
        rows.append([*cells, ["red", "blue, or green", "b"][i % 3], "pq"[i % 2]])
    if "total" in extras:
        rows.append([*(["1"] * len(decimals)), "Total", "p"])
    if "index" in extras:
        rows = [["" if i == 0 else str(i), *row] for i, row in enumerate(rows)]
    if "trailing" in extras:
        rows = [[*row, ""] for row in rows]
    gap = " " if "spaces" in extras else ""
    lines = [
        (separator + gap).join(
            f'"{cell}"' if dialect["quoted"] or separator in cell else cell for cell in row
        )
        for row in rows
    ]
    if "blank" in extras:
        lines.insert(4, "")
    if "comment" in extras:
        lines[:0] = ["# by hand", "# twice"]
    if "sep" in extras:
        lines.insert(0, f"sep={separator}")
    return dialect["end"].join([*lines, ""])


def outcome(seed, folder):
    """Return `equal`, or why a table was refused; any other numbers fail."""
    rng = np.random.default_rng(seed)
    dialect, (numbers, decimals) = random_dialect(rng), random_table(rng)
    content = text_of(numbers, decimals, dialect).encode(dialect["encoding"])
    file = folder / "own.csv"
    file.write_bytes(gzip.compress(content) if "gzip" in dialect["extras"] else content)
    try:
        data = load_dataset("csv", file, "class")
    except UserError as error:
        return str(error).partition(" is ")[2] or str(error)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "rows without an answer: .*'Total'")
        _, x = encode_rows(file, data.encoding)
    x = x[: len(numbers)] if "total" in dialect["extras"] else x
    for i, known in enumerate(numbers.T):
        read = x[:, data.feature_names.index(f"größe {i}")]
        there = ~np.isnan(known)
        np.testing.assert_array_equal(read[there], known[there].astype("float32"), str(dialect))
    return "equal"


def check(seeds, folder):
    """Every table is equal or refused by one line, and few are refused."""
    outcomes = Counter(outcome(seed, folder) for seed in seeds)
    refused = [text for text in outcomes if text != "equal"]
    assert not [text for text in refused if "\n" in text]
    assert all(" or " in text for text in refused), refused  # a number with two readings
    assert outcomes["equal"] > 0.9 * len(seeds), outcomes


def test_numbers_in_200_random_dialects_come_back_equal_or_one_line_says_why_not(tmp_path):
    check(range(200), tmp_path)


@pytest.mark.slow
def test_numbers_in_400_random_dialects_come_back_equal_or_one_line_says_why_not(tmp_path):
    check(range(1000, 1400), tmp_path)
