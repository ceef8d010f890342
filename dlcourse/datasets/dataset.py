"""The record that every loader returns, its validation split and its checks. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

Task = Literal["regression", "binary", "multiclass"]


class DatasetError(ValueError):
    """Data that cannot be loaded or trained on; the text names the data set and the cure."""


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test examples with what is needed to read them.

    Attributes:
        name: The data set's name, used in titles and errors.
        task: `regression`, `binary` (labels 0 and 1) or `multiclass` (labels 0 … k-1).
        x_train, x_val, x_test: images `(n, height, width, channels)`, uint8 or as given, or rows
            `(n, features)`, float32.
        y_train, y_val, y_test: labels `(n,)` int64, or float32 targets `(n,)` for regression.
        value_range: (low, high) of an image's values; of the training rows for a table.
        class_names: one name a class; empty for regression.
        feature_names: one name a column of a table; empty for images.
        target_name: what is predicted, with its unit where there is one.
        encoding: how a table's columns were made from a file's (see `csv`); empty otherwise.
    """

    name: str
    task: Task
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    value_range: tuple[float, float]
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    target_name: str = "class"
    encoding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: `(height, width, channels)` or `(features,)`."""
        return self.x_train.shape[1:]

    @property
    def splits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """`{"train": (x, y), "val": (x, y), "test": (x, y)}`."""
        return {part: (getattr(self, f"x_{part}"), getattr(self, f"y_{part}")) for part in PARTS}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(x):,} {part}" for part, (x, _) in self.splits.items())
        return f"<Dataset {self.name}: {self.task}, inputs {self.input_shape}, {sizes}>"


PARTS = ("train", "val", "test")


def split(
    x: np.ndarray, y: np.ndarray, fraction: float, *, seed: int, stratify: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return `(x_rest, y_rest, x_part, y_part)`, the part holding `fraction` of the examples.

    The choice depends on `seed` and the labels alone. With `stratify`, every class keeps its share.

    Raises:
        DatasetError: the part, or a class in it, would be empty.
    """
    from sklearn.model_selection import train_test_split

    try:
        rest, part = train_test_split(
            np.arange(len(y)),
            test_size=fraction,
            random_state=seed,
            stratify=y if stratify else None,
        )
    except ValueError as error:
        raise DatasetError(
            f"cannot set {fraction:g} of {len(y)} examples aside: {error}"
        ) from None
    rest, part = np.sort(rest), np.sort(part)
    return x[rest], y[rest], x[part], y[part]


def check(dataset: Dataset) -> Dataset:
    """Return `dataset` if it can be trained on.

    Raises:
        DatasetError: an empty split, unequal lengths, shapes that differ between splits, NaN or
            infinite values, labels out of range, a class that is missing from a split.
    """
    for part, (x, y) in dataset.splits.items():
        _check_split(dataset, part, x, y)
    if dataset.task != "regression" and len(dataset.class_names) < 2:
        raise DatasetError(
            f"{dataset.name}: {len(dataset.class_names)} class: a classifier needs two or more"
        )
    return dataset


def _check_split(dataset: Dataset, part: str, x: np.ndarray, y: np.ndarray) -> None:
    where = f"{dataset.name}: the {part} split"
    if len(x) != len(y):
        raise DatasetError(f"{where} has {len(x)} inputs but {len(y)} labels")
    if not len(x):
        raise DatasetError(f"{where} is empty: give more examples or another fraction")
    if x.shape[1:] != dataset.input_shape:
        raise DatasetError(
            f"{where} has inputs of shape {x.shape[1:]}, the train split {dataset.input_shape}"
        )
    if not np.issubdtype(x.dtype, np.number):
        raise DatasetError(f"{where} has inputs of type {x.dtype}: numbers are expected")
    for what, values in (("inputs", x), ("labels", y)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            first = int(np.argmin(np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
            raise DatasetError(
                f"{where} has NaN or infinite {what} (first at example {first}): "
                "remove or fill them before training"
            )
    if dataset.task != "regression":
        _check_labels(where, y, dataset.class_names)


def _check_labels(where: str, y: np.ndarray, class_names: tuple[str, ...]) -> None:
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise DatasetError(
            f"{where} has labels of type {y.dtype} and shape {y.shape}: "
            "integers of shape (n,) are expected"
        )
    if y.min() < 0 or y.max() >= len(class_names):
        raise DatasetError(
            f"{where} has labels from {y.min()} to {y.max()}: "
            f"0 to {len(class_names) - 1} are expected for {len(class_names)} classes"
        )
    missing = np.setdiff1d(np.arange(len(class_names)), y)
    if len(missing):
        names = ", ".join(class_names[label] for label in missing[:5])
        raise DatasetError(f"{where} has no example of class {names}: give more examples of it")


def with_validation(dataset: Dataset, fraction: float, *, seed: int) -> Dataset:
    """Return `dataset` with its validation split taken from the training split, keyed by `seed`."""
    try:
        x, y, x_val, y_val = split(
            dataset.x_train,
            dataset.y_train,
            fraction,
            seed=seed,
            stratify=dataset.task != "regression",
        )
    except DatasetError as error:
        raise DatasetError(f"{dataset.name}: validation_fraction: {error}") from None
    return replace(dataset, x_train=x, y_train=y, x_val=x_val, y_val=y_val)
