"""MNIST-1D: ten digits as signals of 40 steps, which a linear model hardly tells from each other.

A template of 12 points per digit is padded, stretched, scaled and shifted; noise fills the rest.

References:
    Greydanus and Kobak, "Scaling down deep learning with MNIST-1D", 2020,
    https://arxiv.org/abs/2011.14439
"""

import numpy as np

from dlcourse.datasets.dataset import Dataset, as_float32, dataset_of, value_range
from dlcourse.schema import Fraction, Positive

TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""The paper's signals of the digits 0 to 9."""
POINTS, PADDING, GRID, STEPS = 12, (36, 60), 72, 40  # GRID: points while the noise is added
SHIFTS, SCALE, SHEAR, NOISE, WHITE_NOISE, SMOOTHING = 48, 0.4, 0.75, 0.25, 0.02, 2
MEAN, DEVIATION = -0.0060, 0.1547  # of two million signals before they are standardised
TEST_FRACTION = 0.2


def mnist1d(seed: int = 0, *, n: Positive = 5000, validation_fraction: Fraction = 0.15) -> Dataset:
    """Return signals of 40 steps, one feature each, in ten classes of equal size.

    Args:
        seed: Seed of the training and validation signals; the test signals are always the same.
        n: Number of signals in all; a fifth of them is the test split.
        validation_fraction: Share of the remaining signals set aside for validation.

    Raises:
        DatasetError: There are too few signals for ten classes.
    """
    test = max(1, round(n * TEST_FRACTION))
    # The keys differ in their first number, so no seed draws the test signals for training.
    train, test = _draw(n - test, (1, seed)), _draw(test, (2,))
    facts = {"value_range": value_range(train[0]), "class_names": tuple("0123456789")}
    facts |= {"feature_names": ("signal",), "target_name": "digit", "task": "multiclass"}
    fractions = (validation_fraction, TEST_FRACTION)
    return dataset_of("mnist1d", {"train": train, "test": test}, seed, fractions, **facts)


def templates() -> np.ndarray:
    """Return the signals of the digits `(10, 12)`: each starts and ends at 0."""
    signals = np.array(TEMPLATES)
    signals = (signals - signals[:, :1]) / signals.std(axis=1, keepdims=True)
    return signals / 6


def _draw(n: int, key: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` signals `(n, 40, 1)` and their digits `(n,)`."""
    from scipy.ndimage import gaussian_filter1d

    rng, y = np.random.default_rng(key), np.arange(n) % len(TEMPLATES)
    padding = rng.integers(PADDING[0], PADDING[1], (n, 1), endpoint=True)
    shift, scale, shear = rng.integers(SHIFTS, size=(n, 1)), *rng.uniform(-0.5, 0.5, (2, n, 1))
    # Where in the padded template each point of the shifted grid lies.
    place = (np.arange(GRID) - shift) % GRID * (POINTS + padding - 1) / (GRID - 1)
    knots = np.add.outer(GRID * np.arange(len(TEMPLATES)), np.arange(POINTS))  # side by side
    digit = np.interp(place + GRID * y[:, None], knots.ravel(), templates().ravel())
    noise = gaussian_filter1d(NOISE * rng.standard_normal((n, GRID)), SMOOTHING)
    x = np.where(place < POINTS, (1 + SCALE * scale) * digit, noise)
    x += WHITE_NOISE * rng.standard_normal((n, GRID))
    x -= SHEAR * shear * np.linspace(-0.5, 0.5, GRID)
    at = np.linspace(0, GRID - 1, STEPS)
    left = np.minimum(at.astype(int), GRID - 2)
    x = x[:, left] + (at - left) * (x[:, left + 1] - x[:, left])
    return as_float32((x[..., None] - MEAN) / DEVIATION), y
