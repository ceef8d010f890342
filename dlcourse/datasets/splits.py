"""The rows of each split of a table: drawn at random, by group, or by time."""

from collections.abc import Sequence

import numpy as np

from dlcourse.datasets.dataset import TEST_SEED, split
from dlcourse.errors import DatasetError

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
TRIES = 100


def random_rows(
    y: np.ndarray, fractions: tuple[float, float], seed: int, *, stratify: bool
) -> Rows:
    """Return the rows of train, val and test; the test rows are the same for every seed.

    With `stratify`, every class keeps its share, and has at least one row in each split if it has
    three in all.

    Args:
        y: Labels or targets, `(n,)`.
        fractions: Shares of all rows for the test, and of the others for the validation.
        seed: Seed of the validation split.
        stratify: Whether `y` are labels.
    """

    def aside(rows: np.ndarray, fraction: float, seed: int, setting: str, least: int) -> Rows:
        try:
            rest, _, part, _ = split(rows, y[rows], fraction, seed=seed, stratify=stratify)
        except DatasetError:
            try:  # fewer rows in the part than classes
                rest, _, part, _ = split(rows, y[rows], fraction, seed=seed, stratify=False)
            except DatasetError as error:
                raise DatasetError(str(error), setting=setting) from None
        return _one_of_each(y, rest, part, least) if stratify else (rest, part)

    rest, test = aside(np.arange(len(y)), fractions[1], TEST_SEED, "test_fraction", 2)
    return *aside(rest, fractions[0], seed, "validation_fraction", 1), test


def _one_of_each(
    y: np.ndarray, rest: np.ndarray, part: np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Move single rows so that the part has one of each class, and the rest `least` of them."""
    for label in np.unique(y):
        if not (y[part] == label).any():
            moved = rest[y[rest] == label][:1]
            rest, part = np.setdiff1d(rest, moved), np.union1d(part, moved)
        if lack := max(0, least - int((y[rest] == label).sum())):
            moved = part[y[part] == label][:lack]
            rest, part = np.union1d(rest, moved), np.setdiff1d(part, moved)
    return rest, part


def group_rows(
    y: np.ndarray,
    groups: Sequence[object],
    fractions: tuple[float, float],
    seed: int,
    *,
    classes: bool,
) -> Rows:
    """Return the rows of train, val and test so that no group is in two of them.

    Raises:
        DatasetError: There are too few groups for a split with every class.
    """
    from sklearn.model_selection import GroupShuffleSplit

    groups = np.asarray(groups)

    def aside(rows: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = GroupShuffleSplit(TRIES, test_size=fraction, random_state=seed)
        try:
            for rest, part in drawn.split(rows, groups=groups[rows]):
                kept, wanted = y[rows[rest]], set(y.tolist()) if classes else set()
                if wanted <= {*kept.tolist()} and wanted <= {*y[rows[part]].tolist()}:
                    return rows[rest], rows[part]
        except ValueError:
            pass
        reason = f"{len(set(groups.tolist()))} groups do not give three splits"
        raise DatasetError(f"{reason}{' with every class' if classes else ''}", setting="split")

    rest, test = aside(np.arange(len(y)), fractions[1], TEST_SEED)
    return *aside(rest, fractions[0], seed), test


def time_rows(times: np.ndarray, fractions: tuple[float, float]) -> Rows:
    """Return the rows of train, val and test in the order of time: the end is the test."""
    order = np.argsort(times, kind="stable")
    rest = round(len(order) * (1 - fractions[1]))
    train = round(rest * (1 - fractions[0]))
    return np.sort(order[:train]), np.sort(order[train:rest]), np.sort(order[rest:])
