"""How sure a classifier is, and where it is surest of the wrong class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plots.axes import BLUE, GREY, new_axes
from dlcourse.plots.images import image_grid, short_name

BINS = 10


def calibration_bins(y: np.ndarray, probabilities: np.ndarray) -> list[tuple[float, float, int]]:
    """Return (mean confidence, accuracy, examples) of each tenth of confidence that holds any.

    Args:
        y: true labels `(n,)`.
        probabilities: `(n, classes)`; the largest is the confidence.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[place == k].mean()), float(right[place == k].mean()), int(n))
        for k in range(BINS)
        if (n := np.sum(place == k))
    ]


def calibration_error(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error: the mean |accuracy − confidence|, by examples.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599, equation 3.
    """
    bins = calibration_bins(y, probabilities)
    return sum(n * abs(accuracy - confidence) for confidence, accuracy, n in bins) / len(y)


def calibration(y: np.ndarray, probabilities: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Return axes with how often the predicted class is right, over how sure the network was.

    Args:
        y, probabilities: as for `calibration_bins`.
        ax: drawn into; None makes a pyplot figure.
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
    """Return the axes of the images whose true class has the least probability.

    Args:
        images: `(n, height, width, channels)`.
        y: true labels `(n,)`.
        probabilities: `(n, classes)`.
        class_names: one a class.
        count: how many images.
        figure: drawn into; None makes a pyplot figure.
    """
    chances = probabilities[np.arange(len(y)), y]
    worst = np.argsort(chances, kind="stable")[:count]
    names = [short_name(name) for name in class_names]
    titles = []
    for k in worst:
        true, said = int(y[k]), int(probabilities[k].argmax())
        words = f"{names[true]}, said {names[said]}" if said != true else names[true]
        titles.append(f"{words}\n{probabilities[k, said]:.2f}")
    return image_grid(images[worst], titles, figure=figure)
