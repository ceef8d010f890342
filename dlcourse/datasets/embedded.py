"""The data sets inside scikit-learn: real, small and always at hand.

The test split is the same for every seed; the validation split is keyed by the seed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import Dataset, Task, only, with_test, with_validation
from dlcourse.schema import Fraction, Word

TEST_FRACTION = 0.2


def digits(
    seed: int = 0,
    *,
    classes: tuple[Word, ...] | None = None,
    validation_fraction: Fraction = 0.15,
) -> Dataset:
    """Return 1,797 handwritten digits, 8×8×1, uint8 from 0 to 16 (Alpaydin and Kaynak 1998).

    Args:
        seed: chooses the validation split.
        classes: the digits to keep, labelled in this order; null keeps all ten.
        validation_fraction: share of the examples that are not set aside for the test.
    """
    from sklearn.datasets import load_digits

    source: Any = load_digits()
    images = source.images.astype("uint8")[..., None]
    whole = _dataset(
        "digits",
        "multiclass",
        images,
        source.target,
        seed,
        validation_fraction,
        value_range=(0.0, 16.0),
        class_names=tuple(str(digit) for digit in range(10)),
        target_name="digit",
    )
    return only(whole, classes)


def breast_cancer(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 569 tumours, 30 measurements each, malignant or benign (Wolberg et al. 1995)."""
    from sklearn.datasets import load_breast_cancer

    return _table(
        "breast_cancer", "binary", load_breast_cancer, "tumour", seed, validation_fraction
    )


def iris(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 150 iris flowers, 4 lengths in cm each, of three species (Fisher 1936)."""
    from sklearn.datasets import load_iris

    return _table("iris", "multiclass", load_iris, "species", seed, validation_fraction)


def wine(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 178 wines, 13 chemical measurements each, of three cultivars (Aeberhard 1992)."""
    from sklearn.datasets import load_wine

    return _table("wine", "multiclass", load_wine, "cultivar", seed, validation_fraction)


def diabetes(seed: int = 0, *, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return 442 patients, 10 measurements each, and a disease score 25 to 346 (Efron 2004)."""
    from functools import partial

    from sklearn.datasets import load_diabetes

    unscaled = partial(load_diabetes, scaled=False)
    target = "disease progression after one year (score)"
    return _table("diabetes", "regression", unscaled, target, seed, validation_fraction)


def _table(
    name: str, task: Task, load: Callable[[], Any], target: str, seed: int, fraction: float
) -> Dataset:
    source = load()
    x = source.data.astype("float32")
    return _dataset(
        name,
        task,
        x,
        source.target,
        seed,
        fraction,
        value_range=(float(x.min()), float(x.max())),
        class_names=tuple(map(str, source.target_names)) if task != "regression" else (),
        feature_names=tuple(map(str, source.feature_names)),
        target_name=target,
    )


def _dataset(
    name: str,
    task: Task,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
    validation_fraction: float,
    **facts: Any,
) -> Dataset:
    y = y.astype("float32" if task == "regression" else "int64")
    dataset = Dataset(name, task, x, y, x[:0], y[:0], x[:0], y[:0], **facts)
    return with_validation(with_test(dataset, TEST_FRACTION), validation_fraction, seed=seed)
