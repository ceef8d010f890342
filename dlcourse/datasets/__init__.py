"""The table of data sets, and `load_dataset`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from dlcourse.datasets.csv import csv
from dlcourse.datasets.dataset import Dataset, DatasetError, check, fingerprint
from dlcourse.datasets.embedded import breast_cancer, diabetes, digits, iris, wine
from dlcourse.datasets.image_folder import image_folder
from dlcourse.datasets.npz import npz
from dlcourse.datasets.points import points
from dlcourse.datasets.tfds import cifar10, fashion_mnist, kmnist, mnist, tfds
from dlcourse.schema import RecipeError, did_you_mean, settings_model

__all__ = ["DATASETS", "Dataset", "DatasetError", "Loader", "fingerprint", "load_dataset"]


class Loader(NamedTuple):
    """A data set's function and what is known of it before it is loaded.

    `inputs` is `images`, `rows` or None (the file decides); `task` a `Dataset.task`,
    `classification` (binary or multiclass, the data decides) or None (the settings decide).
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
    "points": Loader(points, "rows", "classification"),
    "mnist": Loader(mnist, "images", "multiclass"),
    "fashion_mnist": Loader(fashion_mnist, "images", "multiclass"),
    "kmnist": Loader(kmnist, "images", "multiclass"),
    "cifar10": Loader(cifar10, "images", "multiclass"),
    "tfds": Loader(tfds, "images", "classification"),
    "image_folder": Loader(image_folder, "images", "classification"),
    "npz": Loader(npz, None, None),
    "csv": Loader(csv, "rows", None),
}


def load_dataset(name: str, seed: int = 0, **settings: Any) -> Dataset:
    """Return a data set by name, checked.

    Args:
        name: a key of `DATASETS`.
        seed: chooses the validation split (and the points of `points`), never the test split.
        **settings: the keyword arguments of the data set's own function.

    Raises:
        RecipeError: an unknown name or setting, or a value out of its bounds.
        DatasetError: the data is missing, broken or cannot be trained on.
    """
    if name not in DATASETS:
        raise RecipeError(f"unknown data set '{name}'{did_you_mean(name, list(DATASETS))}")
    function = DATASETS[name].function
    model = settings_model(name, function)
    try:
        checked = model.model_validate({"name": name, **settings})
    except ValidationError as error:
        raise RecipeError(_faults(name, error, list(model.model_fields))) from None
    values = {key: getattr(checked, key) for key in model.model_fields if key != "name"}
    return check(function(seed, **values))


def _faults(name: str, error: ValidationError, known: list[str]) -> str:
    lines = []
    for fault in error.errors():
        setting = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            lines.append(f"{name}: unknown setting '{setting}'{did_you_mean(setting, known[1:])}")
        else:
            lines.append(f"{name}: {setting}: {fault['msg']}, got {fault['input']!r}")
    return "\n".join(lines)
