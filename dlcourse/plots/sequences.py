"""Plots of what a score depends on in a sequence or a text."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.errors import UserError
from dlcourse.plots.axes import COLOURS, new_axes, shown_figure
from dlcourse.plots.images import finite, numeric

MOST_TOKENS = 30  # named at the axes of an attention


def over_time(
    values: np.ndarray,
    maps: Mapping[str, np.ndarray],
    names: Sequence[str] = (),
    figure: Figure | None = None,
    *,
    title: str = "",
) -> list[Axes]:
    """Return axes with a sequence's numbers as lines and, below, one strip per map.

    Args:
        values: Numbers `(steps, features)`.
        maps: Values `(steps,)` by name; a strip is dark where they are large in amount.
        names: One name per feature.
        figure: Figure to draw on. None for a new pyplot figure.
        title: Title above the lines.
    """
    values = numeric(values, "over_time: expected (steps, features)", 2)
    if any(np.shape(strip) != values.shape[:1] for strip in maps.values()):
        raise UserError(f"over_time: expected maps of {len(values)} steps")
    figure = shown_figure(figure, 6.4, 2.4 + 0.35 * len(maps))
    ratios = {"height_ratios": [6, *[1] * len(maps)]}
    rows = figure.subplots(1 + len(maps), sharex=True, squeeze=False, gridspec_kw=ratios)[:, 0]
    named = [*names, *(f"feature {k + 1}" for k in range(len(names), values.shape[1]))]
    for line, color, name in zip(values.T, COLOURS, named, strict=False):
        rows[0].plot(line, color=color, lw=1.5, label=name)
    if values.shape[1] > 1:
        rows[0].legend(fontsize=8)
    rows[0].set_ylabel(names[0] if len(names) == 1 else "value", fontsize=9)
    rows[0].set_title(title, fontsize=10)
    for ax, (name, strip) in zip(rows[1:], maps.items(), strict=True):
        ends = (-0.5, len(values) - 0.5, 0, 1)
        ax.imshow(np.abs(finite(ax, strip))[None], aspect="auto", cmap="Greys", extent=ends)
        ax.set_yticks([])
        label = name.replace("_", " ")
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    rows[-1].set_xlabel("step", fontsize=9)
    for ax in rows:
        ax.tick_params(labelsize=8)
    return list(rows)


def token_attributions(
    tokens: Sequence[str],
    values: np.ndarray,
    ax: Axes | None = None,
    *,
    title: str = "",
    between: str = " ",
) -> Axes:
    """Return axes with a text: orange where a token raises the score, blue where it lowers it.

    Args:
        tokens: Tokens in order.
        values: Signed values `(tokens,)`.
        ax: Axes to draw on. None for a new pyplot figure.
        title: Title above the text.
        between: Text between two tokens: a space between words, nothing between characters.
    """
    values = numeric(values, "token_attributions: expected (tokens,)", 1)
    if len(values) != len(tokens):
        raise UserError(f"token_attributions: got {len(values)} values for {len(tokens)} tokens")
    width, wide = 62, [max(1, len(token)) + len(between) for token in tokens]
    ends, rows = 0, []
    for size in wide:
        fits = ends % width + size <= width
        start = ends if fits else (ends // width + 1) * width
        rows.append(divmod(start, width))
        ends = start + size
    ax = new_axes(ax, figsize=(6.8, 0.32 * (rows[-1][0] + 1 if rows else 1) + 0.7))
    values = finite(ax, values)
    top = np.abs(values).max(initial=0) or 1.0
    for token, value, (row, column), size in zip(tokens, values, rows, wide, strict=True):
        red, green, blue, _ = colormaps["PuOr"](0.5 - 0.4 * value / top)
        box = {"facecolor": (red, green, blue), "edgecolor": "none", "pad": 1.5}
        middle = column + (size - len(between)) / 2
        how = {"ha": "center", "va": "center", "fontsize": 9, "family": "monospace"}
        ax.text(middle, -row, token, bbox=box, **how)
    ax.set(xlim=(-0.5, width), ylim=(-(rows[-1][0] if rows else 0) - 0.7, 0.7))
    ax.set_axis_off()
    said = f"orange raises the score, blue lowers it; strongest {top:.2g}"
    ax.set_title(f"{title}\n{said}".strip(), fontsize=9)
    return ax


def attention(
    weights: np.ndarray, tokens: Sequence[str], figure: Figure | None = None, *, title: str = ""
) -> list[Axes]:
    """Return axes, one per head: a row for each token that looks, a column for each one looked at.

    Args:
        weights: Weights `(heads, queries, keys)`; each row adds up to 1.
        tokens: One name per query and key: tokens, or the numbers of steps.
        figure: Figure to draw on. None for a new pyplot figure.
        title: Title above the heads.
    """
    weights = numeric(weights, "attention: expected (heads, queries, keys)", 3)
    side = 2.6 + 0.06 * min(len(tokens), MOST_TOKENS)
    figure = shown_figure(figure, side * len(weights) + 0.6, side + 0.5)
    row = figure.subplots(1, len(weights), squeeze=False)[0]
    for k, (ax, head) in enumerate(zip(row, weights, strict=True), 1):
        image = ax.imshow(finite(ax, head), cmap="viridis", vmin=0, vmax=max(1e-9, weights.max()))
        ax.set_title(f"head {k}", fontsize=9)
        if len(tokens) <= MOST_TOKENS:
            ax.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
            ax.set_yticks(range(len(tokens)), tokens if k == 1 else [], fontsize=7)
        ax.set_xlabel("looked at", fontsize=8)
    row[0].set_ylabel("looks", fontsize=8)
    figure.colorbar(image, ax=row, shrink=0.8).set_label("weight", fontsize=8)
    figure.suptitle(title, fontsize=10)
    return list(row)
