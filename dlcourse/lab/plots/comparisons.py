"""Plots of a comparison: scores and costs of models, and scores by training-set size."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from dlcourse.plots.axes import BLUE, COLOURS, GREY, ORANGE, new_axes, shown_figure

MARKERS = "osD^vPX"
NETWORKS = (COLOURS[1], COLOURS[4])
CLASSICS = (COLOURS[0], COLOURS[2], COLOURS[3], COLOURS[5], COLOURS[6])


def score_and_cost(
    scores: Mapping[str, Sequence[float]],
    cpu_seconds: Mapping[str, float],
    score: str,
    *,
    highlighted: Sequence[str] = (),
    baseline: str | None = None,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of each model's score by round and of the CPU seconds that fitting it took.

    Args:
        scores: One value per round, by model; drawn from top to bottom in this order.
        cpu_seconds: CPU seconds, by model.
        score: Name of the score.
        highlighted: Models in another colour: the networks.
        baseline: Model, such as a constant baseline, that may be outside the axes of the score.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    figure = shown_figure(figure, 8.4, 1.3 + 0.42 * len(scores))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    names = list(scores)
    for place, name in enumerate(names):
        colour = ORANGE if name in highlighted else BLUE
        values = np.asarray(scores[name])
        left.plot(values, np.full(len(values), place), "|", color=colour, ms=11, alpha=0.55)
        left.plot(values.mean(), place, "o", color=colour)
        right.barh(place, cpu_seconds[name], color=colour, height=0.6)
        text = f" {cpu_seconds[name]:.2g}"
        right.text(cpu_seconds[name], place, text, va="center", fontsize=9)
    shown = [np.asarray(scores[name]) for name in names if name != baseline] or [np.zeros(1)]
    low, high = min(map(np.min, shown)), max(map(np.max, shown))
    margin = 0.06 * (high - low) or 0.05
    left.set_xlim(low - margin, high + margin)
    if baseline in names and np.mean(scores[baseline]) < low - margin:
        text = f" ◂ {np.mean(scores[baseline]):.3f}"
        left.text(low - margin, names.index(baseline), text, va="center", color=BLUE)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.set_xlabel(f"test {score}: dot for the mean, | per round")
    right.set(xscale="log", xlabel="CPU seconds to fit (median)")
    spare = 6 * max(cpu_seconds.values())  # for the number beside the longest bar
    right.set_xlim(0.5 * max(min(cpu_seconds.values()), 1e-5), spare)
    for ax in (left, right):
        ax.grid(alpha=0.3, axis="x")
        ax.set_axisbelow(True)
    return [left, right]


def score_by_size(
    sizes: Sequence[int],
    scores: Mapping[str, Sequence[float]],
    spreads: Mapping[str, Sequence[float]],
    score: str,
    *,
    highlighted: Sequence[str] = (),
    baseline: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with each model's score over the number of training examples.

    Args:
        sizes: Training-set sizes, increasing.
        scores: Mean over the rounds at each size, by model.
        spreads: Standard deviation over the rounds at each size, by model.
        score: Name of the score.
        highlighted: Models with a solid line: the networks; other lines are dashed.
        baseline: Model, such as a constant baseline, that may be below the axes.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    lowest = min(min(values) for name, values in scores.items() if name != baseline)
    solids, dashes = cycle(NETWORKS), cycle(CLASSICS)
    for number, (name, values) in enumerate(scores.items()):
        solid = name in highlighted
        colour, style = (next(solids), "-") if solid else (GREY, ":")
        if not solid and name != baseline:
            colour, style = next(dashes), "--"
        marker = MARKERS[number % len(MARKERS)]
        label = f"{name}: {values[-1]:.3f}" if values[-1] < lowest else name
        lines = {"color": colour, "ls": style, "marker": marker, "lw": 2.2 if solid else 1.3}
        ax.errorbar(sizes, values, yerr=spreads[name], capsize=2, ms=5, label=label, **lines)
    ax.set(xscale="log", xlabel="training examples", ylabel=f"test {score}: mean ± spread")
    ax.set_xticks(sizes)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    best = max(max(values) for values in scores.values())
    ax.set_ylim(lowest - 0.08 * (best - lowest), best + 0.08 * (best - lowest))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax
