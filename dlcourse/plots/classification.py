"""Calibration of a classifier, and its most confident errors."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plots.axes import BLUE, GREY, new_axes
from dlcourse.plots.images import image_grid, short_name

BINS = 10


def calibration_bins(y: np.ndarray, probabilities: np.ndarray) -> list[tuple[float, float, int]]:
    """Return (mean confidence, accuracy, examples) of each non-empty tenth of confidence.

    Args:
        y: True labels `(n,)`.
        probabilities: Probabilities `(n, classes)`; the largest is the confidence.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[place == k].mean()), float(right[place == k].mean()), int(n))
        for k in range(BINS)
        if (n := np.sum(place == k))
    ]


def calibration_error(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error: the mean |accuracy − confidence| over examples.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599, equation 3.
    """
    bins = calibration_bins(y, probabilities)
    return sum(n * abs(accuracy - confidence) for confidence, accuracy, n in bins) / len(y)


def calibration(y: np.ndarray, probabilities: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Return axes with the accuracy over the confidence: a reliability diagram.

    Args:
        y, probabilities: As for `calibration_bins`.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax, figsize=(4.6, 4.2))
    bins = calibration_bins(y, probabilities)
    ax.plot([0, 1], [0, 1], color=GREY, ls=":", label="as sure as right")
    confidence, accuracy, counts = (np.array(part) for part in zip(*bins, strict=True))
    ax.scatter(confidence, accuracy, s=20 + 180 * counts / counts.max(), color=BLUE, alpha=0.8)
    for x, height, n in bins:
        place = {"xytext": (0, -16 if height > 0.9 else 10), "textcoords": "offset points"}
        ax.annotate(f"{n:,}", (x, height), **place, ha="center", fontsize=8)
    error = calibration_error(y, probabilities)
    ax.set(xlabel="probability of the predicted class", ylabel="share that is right")
    ax.set(xlim=(0, 1.06), ylim=(-0.02, 1.08))
    ax.set_title(f"calibration error {error:.3f}; numbers: test examples", fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left", fontsize=9)
    return ax


def highest_loss(
    images: np.ndarray,
    y: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    count: int = 16,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of the images whose true class has the lowest probability.

    Args:
        images: Images `(n, height, width, channels)`.
        y: True labels `(n,)`.
        probabilities: Probabilities `(n, classes)`.
        class_names: One name per class.
        count: Number of images.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    chances = probabilities[np.arange(len(y)), y]
    worst = np.argsort(chances, kind="stable")[:count]
    names = [short_name(name) for name in class_names]
    titles = []
    for k in worst:
        true, predicted = int(y[k]), int(probabilities[k].argmax())
        text = names[true] if predicted == true else f"{names[true]}, said {names[predicted]}"
        titles.append(f"{text}\n{probabilities[k, predicted]:.2f}")
    return image_grid(images[worst], titles, figure=figure)
