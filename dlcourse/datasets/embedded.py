"""The data sets inside scikit-learn: real, small and always available.

The test split is the same for every seed; the validation split depends on the seed.
"""

from typing import Any

from dlcourse.datasets.dataset import Dataset, Task, dataset_of, keep_classes, value_range
from dlcourse.schema import Fraction, Word

TEST_FRACTION = 0.2


def digits(
    seed: int = 0, *, classes: tuple[Word, ...] | None = None, validation_fraction: Fraction = 0.15
) -> Dataset:
    """Return 1,797 handwritten digits, 8×8×1, uint8 from 0 to 16 (Alpaydin and Kaynak 1998).

    Args:
        seed: Seed of the validation split.
        classes: Digits to keep, labelled in this order; null keeps all ten.
        validation_fraction: Share of the training examples set aside for validation.
    """
    from sklearn.datasets import load_digits

    source: Any = load_digits()
    parts = {"train": (source.images.astype("uint8")[..., None], source.target.astype("int64"))}
    names = tuple(map(str, range(10)))
    facts = {"value_range": (0.0, 16.0), "class_names": names, "target_name": "digit"}
    facts["drawn"] = "digits"
    fractions = (validation_fraction, TEST_FRACTION)
    whole = dataset_of("digits", parts, seed, fractions, task="multiclass", **facts)
    return keep_classes(whole, classes)


def breast_cancer(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 569 tumours with 30 measurements each, malignant or benign (Wolberg et al. 1995).

    Args:
        seed: Seed of the validation split.
        validation_fraction: Share of the training examples set aside for validation.
    """
    return _table("breast_cancer", "binary", "tumour", seed, validation_fraction)


def iris(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 150 iris flowers of three species, with 4 lengths in cm each (Fisher 1936).

    Args:
        seed: Seed of the validation split.
        validation_fraction: Share of the training examples set aside for validation.
    """
    return _table("iris", "multiclass", "species", seed, validation_fraction)


def wine(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 178 wines of three cultivars, with 13 chemical measurements each (Aeberhard 1992).

    Args:
        seed: Seed of the validation split.
        validation_fraction: Share of the training examples set aside for validation.
    """
    return _table("wine", "multiclass", "cultivar", seed, validation_fraction)


def diabetes(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 442 patients with 10 measurements each and a disease score of 25 to 346 (Efron 2004).

    Args:
        seed: Seed of the validation split.
        validation_fraction: Share of the training examples set aside for validation.
    """
    target = "disease progression after one year (score)"
    return _table("diabetes", "regression", target, seed, validation_fraction, scaled=False)


def _table(
    name: str, task: Task, target: str, seed: int, fraction: float, **options: Any
) -> Dataset:
    """Return the table of this name from scikit-learn."""
    from sklearn import datasets

    source = getattr(datasets, f"load_{name}")(**options)
    x = source.data.astype("float32")
    y = source.target.astype("float32" if task == "regression" else "int64")
    classes = tuple(map(str, source.target_names)) if task != "regression" else ()
    facts = {"task": task, "value_range": value_range(x), "class_names": classes}
    facts |= {"feature_names": tuple(map(str, source.feature_names)), "target_name": target}
    return dataset_of(name, {"train": (x, y)}, seed, (fraction, TEST_FRACTION), **facts)
