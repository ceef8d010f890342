"""Points of the plane in two or more classes, with the crossed features of the course.

The plane is about [-6, 6] × [-6, 6], as in the TensorFlow Playground, so that sin(x) has a full
period.

References:
    Smilkov et al., "Direct-manipulation visualization of deep networks", 2017,
    https://playground.tensorflow.org
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from dlcourse.datasets.dataset import Dataset, dataset_of, task_of, value_range
from dlcourse.errors import RecipeError
from dlcourse.schema import Fraction, Integer, NonNegative, Positive

Shape = Literal["blobs", "xor", "circles", "moons", "spirals"]
Feature = Literal["x1", "x2", "x1*x2", "x1^2", "x2^2", "sin(x1)", "sin(x2)"]

RADIUS = 5.0
XOR_MARGIN = 0.3  # distance of points from the axes: without noise x1*x2 separates exactly
TEST_FRACTION = 0.2

FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x1, _: x1,
    "x2": lambda _, x2: x2,
    "x1*x2": np.multiply,
    "x1^2": lambda x1, _: x1**2,
    "x2^2": lambda _, x2: x2**2,
    "sin(x1)": lambda x1, _: np.sin(x1),
    "sin(x2)": lambda _, x2: np.sin(x2),
}


def points(
    seed: int = 0,
    *,
    shape: Shape = "xor",
    classes: Integer = 2,
    n: Positive = 1000,
    noise: NonNegative = 0.1,
    features: tuple[Feature, ...] = ("x1", "x2"),
    validation_fraction: Fraction = 0.15,
) -> Dataset:
    """Return points of the plane in two or more classes, as columns of the chosen features.

    Args:
        seed: Seed of the training and validation points; the test points are always the same.
        shape: Shape of the classes: `blobs` (round clouds), `xor` (opposite quadrants, 2 classes),
            `circles` (rings), `moons` (2 classes) or `spirals` (arms).
        classes: Number of classes, 2 or more, with equally many points.
        n: Number of points in all; a fifth of them is the test split.
        noise: Standard deviation of the noise added to both coordinates, in units of the plane.
        features: Columns of the table, in order.
        validation_fraction: Share of the remaining points set aside for validation.

    Raises:
        RecipeError: The shape cannot have this number of classes, or the features are empty or
            repeated.
        DatasetError: There are too few points for the classes.
    """
    _check_settings(shape, classes, features)
    test = max(1, round(n * TEST_FRACTION))
    # The keys differ in their first number, so no seed draws the test points for training.
    plane, y = _draw(shape, classes, n - test, noise, np.random.default_rng([1, seed]))
    plane_test, y_test = _draw(shape, classes, test, noise, np.random.default_rng([2]))
    x, x_test = plane_features(plane, features), plane_features(plane_test, features)
    names = tuple(str(label) for label in range(classes))
    parts = {"train": (x, y), "test": (x_test, y_test)}
    fractions = (validation_fraction, TEST_FRACTION)
    facts = {"value_range": value_range(x), "class_names": names, "feature_names": features}
    return dataset_of("points", parts, seed, fractions, task=task_of(names), **facts)


def plane_features(plane: np.ndarray, features: tuple[str, ...]) -> np.ndarray:
    """Return the feature columns of points of the plane.

    Args:
        plane: Coordinates x1 and x2, shape `(n, 2)`.
        features: Names in `FEATURES`, such as `Dataset.feature_names`.

    Returns:
        float32, shape `(n, len(features))`.
    """
    x1, x2 = np.asarray(plane, dtype="float64").T
    columns = [FEATURES[feature](x1, x2) for feature in features]
    return np.stack(columns, axis=1).astype("float32")


def _check_settings(shape: str, classes: int, features: tuple[str, ...]) -> None:
    if classes < 2 or (shape in ("xor", "moons") and classes != 2):
        expected = "exactly 2" if shape in ("xor", "moons") else "2 or more"
        reason = f"shape '{shape}' has {expected} classes, got {classes}"
        raise RecipeError(reason, setting="classes", of="points")
    if not features:
        reason = f"give one or more of {', '.join(FEATURES)}"
        raise RecipeError(reason, setting="features", of="points")
    twice = [feature for feature in FEATURES if features.count(feature) > 1]
    if twice:
        raise RecipeError(f"'{twice[0]}' is listed twice", setting="features", of="points")


def _draw(
    shape: str, classes: int, n: int, noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % classes
    plane = SHAPES[shape](y, classes, rng)
    return plane + noise * rng.standard_normal(plane.shape), y


def _polar(radius: np.ndarray | float, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _blobs(y: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    centres = _polar(0.6 * RADIUS, np.pi / 4 + 2 * np.pi * y / classes)
    # Standard deviation 1, or less where many classes share the circle.
    spread = min(1.0, 0.6 * RADIUS * np.pi / classes / 3)
    return centres + spread * rng.standard_normal(centres.shape)


def _xor(y: np.ndarray, _: int, rng: np.random.Generator) -> np.ndarray:
    size = rng.uniform(XOR_MARGIN, RADIUS, (len(y), 2))
    # Class 1 has equal signs; each quadrant of a class gets half of its points.
    sign1 = np.where(np.arange(len(y)) // 2 % 2, 1, -1)
    return size * np.stack([sign1, np.where(y == 1, sign1, -sign1)], axis=1)


def _circles(y: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    width = RADIUS / (classes - 0.3)  # each ring is 0.7 widths wide, followed by a gap of 0.3
    radius = width * (y + 0.7 * rng.uniform(size=len(y)))
    return _polar(radius, rng.uniform(0, 2 * np.pi, len(y)))


def _moons(y: np.ndarray, _: int, rng: np.random.Generator) -> np.ndarray:
    upper = _polar(1.0, rng.uniform(0, np.pi, len(y)))
    lower = np.array([1.0, 0.5]) - upper
    return 3.5 * (np.where(y[:, None] == 0, upper, lower) - np.array([0.5, 0.25]))


def _spirals(y: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    along = rng.uniform(0.1, 1, len(y))  # the arms meet at 0
    return _polar(RADIUS * along, 2 * np.pi * (1.25 * along + y / classes))


SHAPES: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "blobs": _blobs,
    "xor": _xor,
    "circles": _circles,
    "moons": _moons,
    "spirals": _spirals,
}
