"""The rounds of a comparison: in each, every model has the same examples to learn and to be tested.

Few examples are cut into folds, each the test of one round; a data set of many examples keeps its
own test split, and the rounds differ in their seed and validation split. Nothing is chosen by a
test split: the classic learners have scikit-learn's defaults, and what a recipe chooses, it
chooses on the validation split.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.datasets.dataset import check, split
from dlcourse.errors import DatasetError, RecipeError

FEW = 5000  # examples in all, up to which folds are the default
FOLDS, SEEDS = 5, 3


def default_folds(dataset: Dataset) -> int:
    """Return how many folds suit the data: 0 where its own test split is to be kept.

    It is kept where there are many examples, and where it differs from the training examples on
    purpose (`regions`, as in `planted`).
    """
    examples = sum(len(y) for _, y in dataset.splits.values())
    return FOLDS if examples <= FEW and not dataset.regions else 0


def rounds(dataset: Dataset, *, folds: int, seeds: int, seed: int) -> list[Dataset]:
    """Return a data set a round: `folds` of them, or `seeds` where there are no folds.

    Args:
        dataset: what is cut up.
        folds: 0 keeps the test split.
        seeds: how often the rest is split into training and validation anew.
        seed: keys the folds and the first round's validation split.

    Raises:
        RecipeError: one fold, or neither folds nor seeds.
        DatasetError: a class is too rare for so many folds.
    """
    if folds == 1 or (folds < 1 and seeds < 1):
        raise RecipeError(f"2 folds or more, or 1 seed or more are expected, got {folds or seeds}")
    parts = _folds(dataset, folds, seed) if folds else _seeds(dataset, seeds, seed)
    return [check(part) for part in parts]


def _folds(dataset: Dataset, folds: int, seed: int) -> Iterator[Dataset]:
    from sklearn.model_selection import KFold, StratifiedKFold

    x, y = (_joined([part[i] for part in dataset.splits.values()]) for i in (0, 1))
    classes = dataset.task != "regression"
    rarest = np.bincount(y).min() if classes else len(y)
    if rarest < max(folds, 3):
        what = f"its rarest class has {rarest}" if classes else f"it has {rarest}"
        raise DatasetError(
            f"{dataset.name}: {folds} folds need {folds} examples or more (of each class); {what}: "
            "give fewer --folds, or --seeds to keep its test split"
        )
    cut = (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=seed)
    for number, (rest, test) in enumerate(cut.split(y, y)):
        part = replace(dataset, x_test=x.take(test, axis=0), y_test=y[test], regions={})
        yield _with_validation(part, x.take(rest, axis=0), y[rest], dataset, seed + number)


def _seeds(dataset: Dataset, seeds: int, seed: int) -> Iterator[Dataset]:
    x = _joined([dataset.x_train, dataset.x_val])
    y = np.concatenate([dataset.y_train, dataset.y_val])
    for number in range(seeds):
        yield _with_validation(dataset, x, y, dataset, seed + number)


def _joined(parts: list[Any]) -> Any:
    """Return the arrays one after the other; streamed images are not read."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return reduce(lambda one, other: one.joined(other), parts)


def _with_validation(
    part: Dataset, x: np.ndarray, y: np.ndarray, whole: Dataset, seed: int
) -> Dataset:
    """Return the part with `x` and `y` split as the whole is, for training and validation."""
    fraction = len(whole.y_val) / (len(whole.y_train) + len(whole.y_val))
    x, y, x_val, y_val = split(x, y, fraction, seed=seed, stratify=whole.task != "regression")
    return replace(part, x_train=x, y_train=y, x_val=x_val, y_val=y_val)


def subset(dataset: Dataset, examples: int, seed: int) -> Dataset:
    """Return the data set with so many training examples, and its validation split as much smaller.

    Every class keeps its share, and an example in each. The test split stays whole.

    Raises:
        DatasetError: too few: two of each class and ten in all are needed.
    """
    full = len(dataset.y_train)
    if examples >= full:
        return dataset
    classes, least = len(dataset.class_names), _least(dataset)
    if examples < least:
        raise DatasetError(
            f"{dataset.name}: {examples} training examples are too few: {least} or more are needed"
        )
    wanted = max(round(len(dataset.y_val) * examples / full), classes, 1)
    x, y = _some(dataset, "train", examples, seed)
    x_val, y_val = _some(dataset, "val", wanted, seed)
    return check(replace(dataset, x_train=x, y_train=y, x_val=x_val, y_val=y_val))


def repeated(dataset: Dataset, examples: int) -> Dataset:
    """Return the data set with its training examples repeated to so many.

    So an epoch has as many steps as with the full training set. A recipe's epochs are made for
    that: 40 epochs of a sixteenth of the digits leave the CNN untrained (0.85 of the test right,
    0.95 with as many steps as ever).
    """
    rows = np.resize(np.arange(len(dataset.y_train)), max(examples, len(dataset.y_train)))
    x = dataset.x_train.take(rows, axis=0)
    return replace(dataset, x_train=x, y_train=dataset.y_train[rows])


def _some(dataset: Dataset, part: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = dataset.splits[part]
    left = len(y) - count
    if left <= 0:
        return x, y
    if dataset.task == "regression":
        chosen = np.sort(np.random.default_rng(seed).permutation(len(y))[:count])
    else:
        chosen = _stratified(y, count, len(dataset.class_names), seed)
    return x.take(chosen, axis=0), y[chosen]


def _stratified(y: np.ndarray, count: int, classes: int, seed: int) -> np.ndarray:
    """Return the indices of `count` examples, each class in its share and at least once."""
    order = np.random.default_rng(seed).permutation(len(y))
    rank = np.empty(len(y))
    for label in range(classes):  # a class's i-th of n examples stands at (i + ½)/n
        own = order[y[order] == label]
        rank[own] = (np.arange(len(own)) + 0.5) / len(own)
        rank[own[0]] = -1  # its first goes in before all
    return np.sort(order[np.argsort(rank[order], kind="stable")][:count])


def _least(dataset: Dataset) -> int:
    return max(2 * len(dataset.class_names), 10)


def curve_sizes(dataset: Dataset, points: int = 5) -> list[int]:
    """Return training-set sizes, each twice the one before, up to all examples."""
    full = len(dataset.y_train)
    sizes = {full // 2**power for power in range(points)}
    return sorted({size for size in sizes if size >= _least(dataset)} | {full})
