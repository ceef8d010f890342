"""Plots of a search: its trials in order, the importance of each setting, and all settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from dlcourse.plots.axes import BLUE, GREY, ORANGE, new_axes


def search_history(
    complete: Sequence[Any], pruned: Sequence[Any], monitor: str, *, ax: Axes | None = None
) -> Axes:
    """Return axes with the value of each trial, and the best so far as a line.

    Args:
        complete, pruned: Number and value of each trial `(n, 2)`.
        monitor: Name of the value; of `val_accuracy` the highest is the best, else the lowest.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    for kind, marker, colour, trials in (
        ("complete", "o", BLUE, complete),
        ("pruned, last value", "x", GREY, pruned),
    ):
        label = f"{kind} ({len(trials)})"
        ax.plot(*np.reshape(trials, (-1, 2)).T, marker, color=colour, label=label)
    numbers, values = np.transpose(complete)
    best = (np.maximum if monitor == "val_accuracy" else np.minimum).accumulate(values)
    ax.step(numbers, best, where="post", color=ORANGE, label="best so far")
    margin = 0.08 * np.ptp(values) or 0.05
    ax.set_ylim(values.min() - margin, values.max() + margin)  # a pruned trial may be far away
    ax.set(xlabel="trial", ylabel=f"{monitor} of the kept weights")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def importances(shares: Mapping[str, float], monitor: str, *, ax: Axes | None = None) -> Axes:
    """Return axes with the share of each setting in the differences between trials, as bars.

    Args:
        shares: Share by setting, from high to low; they sum to 1.
        monitor: Name of the value that differs.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    bars = ax.barh(list(shares), list(shares.values()), color=BLUE, height=0.6)
    ax.bar_label(bars, fmt=" %.2f")
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.12 * max(shares.values())), xlabel=f"importance for {monitor} (PED-ANOVA)")
    return ax


def parallel_coordinates(
    columns: Mapping[str, Sequence[Any]], logarithmic: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Return axes with one line per trial through its settings and, last, its value.

    Args:
        columns: Numbers or words `(n,)` by setting, of the best trial first; the last is the value.
        logarithmic: Names of the settings with a logarithmic axis.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax, heights = new_axes(ax), []
    for place, (name, column) in enumerate(columns.items()):
        words = any(isinstance(entry, str) for entry in column)
        ends = sorted(set(column)) if words else sorted({min(column), max(column)})
        numbers = np.array([ends.index(entry) for entry in column] if words else column, float)
        numbers = np.log(numbers) if name in logarithmic else numbers
        heights.append((numbers - numbers.min()) / (np.ptp(numbers) or 1))
        for mark, entry in zip(np.linspace(0, 1, max(2, len(ends))), ends, strict=False):
            text = entry if words else f"{entry:.3g}"
            behind = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5}
            ax.text(place + 0.04, mark, text, va="center", zorder=4, bbox=behind)
        ax.axvline(place, color=GREY, lw=0.8)
    for trial in reversed(range(len(heights[0]))):
        shade = colormaps["viridis"](0.9 * trial / len(heights[0]))
        line = {"color": shade, "lw": 1} if trial else {"color": ORANGE, "lw": 2.5}
        ax.plot([column[trial] for column in heights], **line)
    names = [name + " (log)" * (name in logarithmic) for name in columns]
    ax.set_xticks(range(len(columns)), names, rotation=20, ha="right")
    ax.set(yticks=[], xlim=(-0.1, len(columns) - 0.5))
    ax.set_title("orange: the best trial; the darker a line, the better its trial", fontsize=9)
    return ax
