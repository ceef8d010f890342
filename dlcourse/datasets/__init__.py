"""The table of data sets by name, and `load_dataset`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets.csv import csv
from dlcourse.datasets.dataset import Dataset, check, check_split, fingerprint
from dlcourse.datasets.embedded import breast_cancer, diabetes, digits, iris, wine
from dlcourse.datasets.image_folder import image_folder
from dlcourse.datasets.mnist1d import mnist1d
from dlcourse.datasets.npz import npz
from dlcourse.datasets.planted import planted
from dlcourse.datasets.points import points
from dlcourse.datasets.series import series
from dlcourse.datasets.text import lines, movie_reviews, names, text_folder
from dlcourse.datasets.tfds import at_hand, cifar10, fashion_mnist, kmnist, mnist, tfds
from dlcourse.errors import RecipeError
from dlcourse.schema import checked_settings, did_you_mean, plain, shown

__all__ = ["DATASETS", "Dataset", "Loader", "at_hand", "fingerprint", "load_dataset"]


class Loader(NamedTuple):
    """The function that loads a data set, and what is known before it is loaded.

    `inputs` is that of `DataFacts` (rows or text for `csv`), or None (the file decides). `task` is
    a `Dataset.task`, `classification` (the data decides between binary and multiclass) or None (the
    settings decide).
    """

    function: Callable[..., Dataset]
    inputs: str | None
    task: str | None


DATASETS = {
    "digits": Loader(digits, "images", "multiclass"),
    "breast_cancer": Loader(breast_cancer, "rows", "binary"),
    "iris": Loader(iris, "rows", "multiclass"),
    "wine": Loader(wine, "rows", "multiclass"),
    "diabetes": Loader(diabetes, "rows", "regression"),
    "planted": Loader(planted, "images", "multiclass"),
    "points": Loader(points, "rows", "classification"),
    "mnist1d": Loader(mnist1d, "sequences", "multiclass"),
    "mnist": Loader(mnist, "images", "multiclass"),
    "fashion_mnist": Loader(fashion_mnist, "images", "multiclass"),
    "kmnist": Loader(kmnist, "images", "multiclass"),
    "cifar10": Loader(cifar10, "images", "multiclass"),
    "tfds": Loader(tfds, "images", "classification"),
    "image_folder": Loader(image_folder, "images", "classification"),
    "text_folder": Loader(text_folder, "text", "classification"),
    "movie_reviews": Loader(movie_reviews, "text", "binary"),
    "names": Loader(names, "text", "next_token"),
    "lines": Loader(lines, "text", "next_token"),
    "npz": Loader(npz, None, None),
    "csv": Loader(csv, "rows", None),
    "series": Loader(series, "sequences", "regression"),
}


def load_dataset(name: str, *place: str | Path, seed: int = 0, **settings: Any) -> Dataset:
    """Return the data set of a name, checked.

    Args:
        name: Name of the data set, a key of `DATASETS`.
        *place: Settings `path` and, for `csv`, `target`; they may be keyword arguments, too.
        seed: Seed of the validation split and of the examples that `points` and `planted` draw; it
            never changes the test split.
        **settings: Keyword arguments of the function that loads the data set.

    Raises:
        RecipeError: The name or a setting is unknown, or a value is out of bounds.
        DatasetError: The data is missing, broken or cannot be trained on.
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise RecipeError(f"unknown data set {shown(name)}{did_you_mean(name, list(DATASETS))}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise RecipeError(f"{name}: 'seed': expected a whole number ≥ 0, got {shown(seed)}")
    if len(place) > 2:
        raise RecipeError(f"{name}: {len(place)} values without a name: name the settings")
    settings |= dict(zip(("path", "target"), place, strict=False))
    given = checked_settings(name, DATASETS[name].function, plain(settings, name))
    return read_dataset(name, int(seed), given)


def read_dataset(name: str, seed: int, settings: dict[str, Any]) -> Dataset:
    """Return a data set; its settings are checked and complete, as in a recipe."""
    return check(DATASETS[name].function(seed, **settings))


def read_whole(name: str, seed: int, settings: dict[str, Any]) -> Dataset:
    """Return a data set to measure a model on: a file's examples stay together, in `train`.

    The other data sets are split with `seed` as usual.

    Raises:
        DatasetError: The data is missing or broken, or there is none.
    """
    if "path" not in settings:
        return read_dataset(name, seed, settings)
    dataset = DATASETS[name].function(None, **settings)
    for part, (x, y) in dataset.splits.items():
        if len(y) or not any(dataset.facts.examples.values()):
            check_split(dataset, part, x, y)
    return dataset
