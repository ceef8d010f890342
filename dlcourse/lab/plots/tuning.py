"""Plots of a search: its trials in order, the importance of each setting, and all settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from dlcourse.plots.axes import BLUE, GREY, ORANGE, new_axes

KINDS = {"complete": ("o", BLUE), "pruned": ("x", GREY)}


def search_history(
    values: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    best: Sequence[float],
    monitor: str,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with the value of each trial, and the best so far as a line.

    Args:
        values: Numbers and values of the trials, by state: `complete`, `pruned`.
        best: Best value of a complete trial up to each trial `(n,)`; NaN before the first.
        monitor: Name of the value.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    for state, (numbers, heights) in values.items():
        marker, colour = KINDS[state]
        ax.plot(numbers, heights, marker, color=colour, label=f"{state} ({len(numbers)})")
    ax.step(range(len(best)), best, where="post", color=ORANGE, label="best so far")
    heights = np.concatenate([values["complete"][1], best])
    low, high = np.nanmin(heights), np.nanmax(values["complete"][1])
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.05
    ax.set_ylim(low - margin, high + margin)  # a pruned trial may be far away
    ax.set(xlabel="trial", ylabel=f"{monitor} of the kept weights")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def importances(shares: Mapping[str, float], monitor: str, *, ax: Axes | None = None) -> Axes:
    """Return axes with the share of each setting in the differences between trials, as bars.

    Args:
        shares: Share by setting; they sum to 1.
        monitor: Name of the value that differs.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    names = sorted(shares, key=lambda name: shares[name])
    bars = ax.barh(names, [shares[name] for name in names], color=BLUE, height=0.6)
    ax.bar_label(bars, fmt=" %.2f", fontsize=9)
    ax.set(xlim=(0, 1.1 * max(shares.values())), xlabel=f"importance for {monitor} (PED-ANOVA)")
    ax.grid(alpha=0.3, axis="x")
    ax.set_axisbelow(True)
    return ax


def parallel_coordinates(
    columns: Mapping[str, Sequence[Any]],
    logarithmic: Sequence[str],
    values: Sequence[float],
    best: int,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with one line per trial through its settings; the last axis is the value.

    Args:
        columns: Numbers or words `(n,)` of each setting, by name; the last is the value.
        logarithmic: Names of the settings with a logarithmic axis.
        values: Value of each trial `(n,)`, which gives the colour: darker is better.
        best: Index of the best trial.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    heights, order = [], np.argsort(np.argsort(np.abs(np.subtract(values, values[best]))))
    for place, (name, column) in enumerate(columns.items()):
        words = any(isinstance(entry, str) for entry in column)
        kinds = sorted(set(column), key=str if words else float)
        numbers = np.array([kinds.index(v) for v in column] if words else column, float)
        numbers = np.log(numbers) if name in logarithmic else numbers
        low, span = numbers.min(), np.ptp(numbers) or 1.0
        heights.append((numbers - low) / span)
        ends = kinds if words else [kinds[0], kinds[-1]]
        marks = np.linspace(0, 1, len(ends)) if len(ends) > 1 and kinds[0] != kinds[-1] else [0]
        for mark, entry in zip(marks, ends, strict=False):
            text = entry if isinstance(entry, str) else f"{entry:.3g}"
            ax.text(place + 0.04, mark, text, fontsize=8, va="center", zorder=4)
        ax.axvline(place, color=GREY, lw=0.8)
    for trial in np.argsort(-order):
        shade = colormaps["viridis"](0.95 * order[trial] / max(1, len(values) - 1))
        colour, width = (ORANGE, 2.5) if trial == best else (shade, 1.0)
        ax.plot([column[trial] for column in heights], color=colour, lw=width)
    ax.set_xticks(range(len(columns)), list(columns), rotation=20, ha="right")
    ax.set(yticks=[], xlim=(-0.1, len(columns) - 0.5), ylim=(-0.06, 1.06))
    ax.set_title("orange: the best trial; the darker a line, the better its trial", fontsize=9)
    return ax
