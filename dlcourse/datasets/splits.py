"""The rows of each split of a table: drawn at random, by group, or by time."""

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import TEST_SEED, split
from dlcourse.errors import DatasetError
from dlcourse.heavy import pd

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawn_rows(
    y: np.ndarray, fractions: tuple[float, float], seed: int, groups: np.ndarray | None = None
) -> Rows:
    """Return the rows of train, val and test; the test rows are the same for every seed.

    Every class keeps its share, and has a row in each split if it has three in all. With groups, no
    group is in two splits.

    Args:
        y: Integer labels or float targets, `(n,)`.
        fractions: Shares of the rows that are not for the test, for validation; and of all rows,
            for the test.
        seed: Seed of the validation split.
        groups: Group of each row, or None.

    Raises:
        DatasetError: There are too few rows or groups.
    """
    aside = partial(_at_random, y) if groups is None else partial(_by_group, y, groups)
    rest, test = aside(np.arange(len(y)), fractions[1], TEST_SEED, "test_fraction", 2)
    train, val = aside(rest, fractions[0], seed, "validation_fraction", 1)
    return train, val, test


def time_rows(times: np.ndarray, fractions: tuple[float, float]) -> Rows:
    """Return the rows of train, val and test in the order of time: the end is the test."""
    order = np.argsort(times, kind="stable")
    rest = round(len(order) * (1 - fractions[1]))
    train, val, test = np.split(order, [round(rest * (1 - fractions[0])), rest])
    return np.sort(train), np.sort(val), np.sort(test)


def content_rows(rows: "pd.DataFrame", fractions: tuple[float, float], seed: int) -> Rows:
    """Return the rows of train, val and test by their values: the same for a row in any file.

    Args:
        rows: Values of each row.
        fractions: See `drawn_rows`; they are met approximately.
        seed: Seed of the validation split.
    """
    util: Any = import_module("pandas.util")
    numbers = util.hash_pandas_object(rows, index=False).to_numpy()
    test, val = (
        util.hash_array(numbers + np.uint64(salt)) < share * 2.0**64
        for salt, share in ((0, fractions[1]), (1 + seed, fractions[0]))
    )
    return np.flatnonzero(~test & ~val), np.flatnonzero(~test & val), np.flatnonzero(test)


def _at_random(
    y: np.ndarray, rows: np.ndarray, fraction: float, seed: int, setting: str, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are left, with `least` of each class, and a share of all."""
    classes = np.unique(y) if y.dtype.kind == "i" else y[:0]
    fraction = max(fraction, len(classes) / max(1, len(rows)))
    how: Any = {"seed": seed, "setting": setting}
    rest, _, part, _ = split(rows, y[rows], fraction, stratify=classes.size > 0, **how)
    for label in classes:
        lacks = not (y[part] == label).any(), max(0, least - int((y[rest] == label).sum()))
        if not any(lacks):
            continue
        here, there = rest[y[rest] == label][: lacks[0]], part[y[part] == label][: lacks[1]]
        rest = np.union1d(np.setdiff1d(rest, here), there)
        part = np.union1d(np.setdiff1d(part, there), here)
    return rest, part


def _by_group(
    y: np.ndarray, groups: np.ndarray, rows: np.ndarray, fraction: float, seed: int, *_: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the groups that are left, and of a share of all groups."""
    from sklearn.model_selection import GroupShuffleSplit

    wanted = set(y.tolist()) if y.dtype.kind == "i" else set()
    drawn = GroupShuffleSplit(n_splits=100, test_size=fraction, random_state=seed)
    if len(set(groups[rows])) > 1:
        for rest, part in drawn.split(rows, groups=groups[rows]):
            if wanted <= {*y[rows[rest]]} and wanted <= {*y[rows[part]]}:
                return rows[rest], rows[part]
    many = f"{len(set(groups))} groups do not give three splits"
    raise DatasetError(f"{many}{' with every class' if wanted else ''}", setting="split")
