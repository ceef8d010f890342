"""The rounds of a comparison: in each, all models have the same training and test examples.

A small data set is divided into folds, each the test split of one round; a large data set keeps its
own test split, and the rounds differ in their seed and validation split. No test split is used for
model selection: the classic models have scikit-learn's defaults, and a recipe selects on its
validation split.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.datasets.dataset import check, split
from dlcourse.errors import DatasetError, RecipeError

FEW = 5000  # total examples up to which folds are the default
FOLDS, SEEDS = 5, 3


def default_folds(dataset: Dataset) -> int:
    """Return the default number of folds: 0 to keep the data set's own test split.

    It is kept if there are many examples, and if it differs from the training examples on purpose
    (`regions`, as in `planted`), or follows them in time (`series`).
    """
    examples = sum(len(y) for _, y in dataset.splits.values())
    return FOLDS if examples <= FEW and not dataset.regions and not ordered(dataset) else 0


def ordered(dataset: Dataset) -> bool:
    """Return whether the splits are stretches of a series: windows of one stretch overlap."""
    return "series" in dataset.encoding


def rounds(dataset: Dataset, *, folds: int, seeds: int, seed: int) -> list[Dataset]:
    """Return one data set per round: `folds` of them, or `seeds` if there are no folds.

    Args:
        dataset: Data set to divide.
        folds: Number of folds; 0 keeps the test split.
        seeds: Number of different splits of the rest into training and validation.
        seed: Seed of the folds and of the first round's validation split.

    Raises:
        RecipeError: There is one fold, or neither folds nor seeds, or folds of a series.
        DatasetError: A class is too rare for this many folds.
    """
    if folds == 1 or (folds < 1 and seeds < 1):
        raise RecipeError(f"expected 2 folds or more, or 1 seed or more, got {folds or seeds}")
    if folds and ordered(dataset):
        reason = "the windows of a series overlap, so folds would share them: use --seeds"
        raise RecipeError(f"{dataset.name}: {reason}")
    kept = [dataset] * seeds if ordered(dataset) else _seeds(dataset, seeds, seed)
    parts = _folds(dataset, folds, seed) if folds else kept
    return [check(part) for part in parts]


def _folds(dataset: Dataset, folds: int, seed: int) -> Iterator[Dataset]:
    from sklearn.model_selection import KFold, StratifiedKFold

    x, y = (_joined([part[i] for part in dataset.splits.values()]) for i in (0, 1))
    classes = dataset.task != "regression"
    rarest = np.bincount(y).min() if classes else len(y)
    if rarest < max(folds, 3):
        what = f"its rarest class has {rarest}" if classes else f"it has {rarest}"
        reason = f"{dataset.name}: {folds} folds need {folds} examples or more (of each class); "
        reason += f"{what}: use fewer --folds, or --seeds to keep its test split"
        raise DatasetError(reason)
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
    """Return the concatenated arrays; streamed images are not read."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return reduce(lambda x, other: x.joined(other), parts)


def _with_validation(
    part: Dataset, x: np.ndarray, y: np.ndarray, whole: Dataset, seed: int
) -> Dataset:
    """Return the part with `x` and `y` split into training and validation, as in the whole."""
    fraction = len(whole.y_val) / (len(whole.y_train) + len(whole.y_val))
    x, y, x_val, y_val = split(x, y, fraction, seed=seed, stratify=whole.task != "regression")
    return replace(part, x_train=x, y_train=y, x_val=x_val, y_val=y_val)


def subset(dataset: Dataset, examples: int, seed: int) -> Dataset:
    """Return the data set with `examples` training examples, and validation reduced in proportion.

    Every class keeps its share, and at least one example per split. The test split is not reduced.

    Raises:
        DatasetError: The examples are too few: two per class and ten in total are needed.
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
    """Return the data set with its training examples repeated up to `examples`.

    So an epoch has as many steps as with the full training set, for which a recipe's epochs are
    chosen: 40 epochs of a sixteenth of the digits leave the CNN under-trained (test accuracy 0.85;
    0.95 with the full number of steps).
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
    """Return the indices of `count` examples: each class keeps its share, and one example."""
    order = np.random.default_rng(seed).permutation(len(y))
    rank = np.empty(len(y))
    for label in range(classes):  # the i-th of a class's n examples has rank (i + ½)/n
        own = order[y[order] == label]
        rank[own] = (np.arange(len(own)) + 0.5) / len(own)
        rank[own[0]] = -1  # its first example comes before all others
    return np.sort(order[np.argsort(rank[order], kind="stable")][:count])


def _least(dataset: Dataset) -> int:
    return max(2 * len(dataset.class_names), 10)


def curve_sizes(dataset: Dataset, points: int = 5) -> list[int]:
    """Return training-set sizes, each twice the previous size, up to all examples."""
    full = len(dataset.y_train)
    sizes = {full // 2**power for power in range(points)}
    return sorted({size for size in sizes if size >= _least(dataset)} | {full})
