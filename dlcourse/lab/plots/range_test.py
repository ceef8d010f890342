"""The plot of a learning-rate range test."""

import numpy as np
from matplotlib.axes import Axes

from dlcourse.plots.axes import BLUE, GREY, ORANGE, new_axes


def range_test(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    suggestion: float,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with the loss over the growing learning rate, and the suggested rate.

    Args:
        rates: Learning rate of each step `(n,)`.
        losses: Loss of each step's batch `(n,)`.
        smoothed: Smoothed losses `(n,)`.
        suggestion: Learning rate to mark.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    ax.scatter(rates, losses, s=10, color=GREY, alpha=0.7, label="one batch")
    ax.plot(rates, smoothed, color=BLUE, label="smoothed")
    lowest = int(smoothed.argmin())
    ax.plot(rates[lowest], smoothed[lowest], "o", color=BLUE, label=f"lowest: {rates[lowest]:.2g}")
    ax.axvline(suggestion, color=ORANGE, ls="--", label=f"suggestion: {suggestion:g}")
    ax.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    height = smoothed[0] - smoothed[lowest]  # the part after the rise is not of interest
    bottom = min(smoothed[lowest], losses.min())
    ax.set_ylim(bottom - 0.1 * height, max(smoothed[0], losses[: lowest + 1].max()) + 0.3 * height)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax
