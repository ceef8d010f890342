"""Plots of the faithfulness of maps: deletion and insertion, random weights, pointing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dlcourse.plots.axes import COLOURS, GREY, TEXT, new_axes, shown_figure

DASHES = ("-", "--", "-.", ":")


def deletion_and_insertion(
    curves: Mapping[str, tuple[Any, Any]], *, figure: Figure | None = None
) -> list[Axes]:
    """Return the axes of the mean class probability over the share of pixels removed and shown.

    Args:
        curves: Method → deletion and insertion curve, `(steps + 1,)` or `(n, steps + 1)` each.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    figure = shown_figure(figure, 9.5, 3.8)
    panels = list(figure.subplots(1, 2, sharey=True))
    texts = (("removed", "lower is better"), ("shown", "higher is better"))
    for side, (ax, (what, better)) in enumerate(zip(panels, texts, strict=True)):
        for k, (name, pair) in enumerate(curves.items()):
            values = np.atleast_2d(pair[side]).mean(axis=0)
            style = DASHES[k // len(COLOURS) % len(DASHES)]
            shares = np.linspace(0, 1, len(values))
            ax.plot(shares, values, style, color=COLOURS[k % len(COLOURS)], label=name)
        ax.set(xlabel=f"share of the pixels {what}, largest values first", ylim=(0, 1.02))
        ax.set_title(better, fontsize=11)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.grid(alpha=0.3)
    panels[0].set_ylabel("mean probability of the class")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=9)
    return panels


def randomization_bars(
    correlations: Mapping[str, Sequence[float] | np.ndarray],
    layers: Sequence[str],
    threshold: float | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with one bar per method and stage: the similarity of the maps.

    Args:
        correlations: Method → rank correlation with the trained network's maps at each stage.
        layers: Layer randomised last at each stage, in shades from light to dark.
        threshold: Correlation from which a map counts as insensitive, drawn as a line.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax, figsize=(7.2, 1.0 + 0.42 * len(correlations)))
    thick = 0.8 / len(layers)
    shades = np.linspace(0.8, 0.0, len(layers))
    for k, (layer, shade) in enumerate(zip(layers, shades, strict=True)):
        colour = _lighter(COLOURS[0], shade)
        places = np.arange(len(correlations)) - 0.4 + thick * (k + 0.5)
        values = [stages[k] for stages in correlations.values()]
        ax.barh(places, values, thick, color=colour, label=layer)
    ax.set_yticks(range(len(correlations)), list(correlations))
    ax.invert_yaxis()
    ax.axvline(0, color=TEXT, linewidth=0.8)
    if threshold is not None:
        ax.axvline(threshold, color=COLOURS[1], linestyle="--", linewidth=1.2)
    ax.set_xlabel("rank correlation with the trained network's map")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(title="random back to", loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
    return ax


def pointing_table(
    hits: Mapping[str, Mapping[str, float]],
    names: Mapping[str, str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with the share of images whose map is largest in each region, by method.

    Args:
        hits: Method → region → share of the images, 0 … 1.
        names: Region → its name as text.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    regions = list(next(iter(hits.values())))
    values = np.array([[shares[region] for region in regions] for shares in hits.values()])
    ax = new_axes(ax, figsize=(2.8 + 1.1 * len(regions), 1.2 + 0.32 * len(hits)))
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.55 else TEXT
        ax.text(column, row, f"{value:.0%}", ha="center", va="center", color=colour, fontsize=10)
    texts = [(names or {}).get(region, region) for region in regions]
    ax.set_xticks(range(len(regions)), [f"on the {text}" for text in texts])
    ax.set_yticks(range(len(hits)), list(hits))
    ax.set_xticks(np.arange(len(regions) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(hits) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color=GREY, linewidth=0.5)
    ax.tick_params(which="both", length=0)
    ax.set_title("the map's largest value lies", fontsize=11)
    return ax


def _lighter(colour: str, share: float) -> tuple[float, ...]:
    """Return the colour mixed with a share of white."""
    from matplotlib.colors import to_rgb

    return tuple(part + (1 - part) * share for part in to_rgb(colour))
