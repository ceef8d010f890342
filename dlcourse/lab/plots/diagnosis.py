"""Plots of a diagnosis: the curves with the findings, and the X-ray of each layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.lab.plots.comparisons import MARKERS
from dlcourse.plots.axes import BLUE, COLOURS, ORANGE, PINK, shown_figure
from dlcourse.plots.training import learning_curves

MOST_LAYERS = 12


def diagnosed_curves(
    history: dict[str, list[float]],
    findings: Sequence[tuple[str, int | None]],
    *,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of the learning curves, each finding marked at its epoch and listed below.

    Args:
        history: One list per metric, with one value per epoch.
        findings: Pairs (title, epoch); an epoch of 0 or None has no mark.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    figure = shown_figure(figure, 6.4, 3.4)
    panels = learning_curves(history, figure=figure)
    epochs = len(history["loss"])
    marks: dict[int, list[int]] = {}
    for number, (_, epoch) in enumerate(findings, 1):
        if epoch is not None and 1 <= epoch <= epochs:
            marks.setdefault(epoch, []).append(number)
    for ax in panels:
        for epoch, numbers in marks.items():
            ax.axvline(epoch, color=PINK, lw=1.2)
            style: Any = {"ha": "center", "color": "#8A3F6E", "fontweight": "bold"}
            text = ", ".join(map(str, numbers))
            ax.text(epoch, 1.01, text, transform=ax.get_xaxis_transform(), **style)
        ax.margins(x=0.04)
    lines = [_line(number, title, epoch) for number, (title, epoch) in enumerate(findings, 1)]
    width, height = figure.get_size_inches()
    figure.set_size_inches(max(width, 6.4), height + 0.2 * (len(lines) + 1))
    figure.supxlabel("\n".join(lines or ["no finding"]), x=0.02, ha="left", fontsize=10)
    return panels


def _line(number: int, title: str, epoch: int | None) -> str:
    when = {None: "", 0: ": before the training"}.get(epoch, f": epoch {epoch}")
    return f"{number}  {title}{when}"


def layer_histograms(readings: Sequence[Any], *, figure: Figure | None = None) -> list[Axes]:
    """Return the axes of each layer's activations (left) and gradients of its weights (right).

    Args:
        readings: Records of each layer, as `xray.read_layers` returns them: `name`, `activation`,
            `activations` `(n, …, units)` and `gradients` (arrays). Of more than 12 layers, the
            first, the last and some in between are shown.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    count = min(len(readings), MOST_LAYERS)
    chosen = np.unique(np.linspace(0, len(readings) - 1, count).astype(int))
    figure = shown_figure(figure, 8.4, 0.9 + 0.95 * len(chosen))
    panels = figure.subplots(len(chosen), 2, squeeze=False)
    shown = [readings[index] for index in chosen]
    gradients = [_exponents(reading.gradients) for reading in shown]
    ends = [values for values in gradients if len(values)]
    low = min((values.min() for values in ends), default=-1) - 0.5
    high = max((values.max() for values in ends), default=0) + 0.5
    for (left, right), reading, exponents in zip(panels, shown, gradients, strict=True):
        values = np.ravel(reading.activations).astype("float64")
        left.hist(values, bins=60, color=BLUE, weights=np.full(len(values), 100 / len(values)))
        left.set_title(f"{reading.name} ({reading.activation})", loc="left", fontsize=9)
        _gradients(right, exponents, sum(part.size for part in reading.gradients), low, high)
        for ax in (left, right):
            ax.tick_params(labelsize=8)
            ax.set_ylabel("%", fontsize=8)
    panels[-1, 0].set_xlabel("activation")
    panels[-1, 1].set_xlabel("|gradient| of a weight, powers of ten")
    return list(panels.ravel())


def _exponents(gradients: Sequence[np.ndarray]) -> np.ndarray:
    flat = np.abs(np.concatenate([np.ravel(part) for part in gradients]).astype("float64"))
    return np.log10(flat[(flat > 0) & np.isfinite(flat)])


def _gradients(ax: Axes, exponents: np.ndarray, size: int, low: float, high: float) -> None:
    shares = np.full(len(exponents), 100 / size)
    ax.hist(exponents, bins=60, range=(low, high), color=ORANGE, weights=shares)
    ax.set_xlim(low, high)
    zero = 1 - len(exponents) / size
    ax.set_title(f"{zero:.0%} are exactly 0" if zero else " ", loc="right", fontsize=9)


def depth_scan(
    scan: Mapping[tuple[str, str], Sequence[Any]], *, figure: Figure | None = None
) -> list[Axes]:
    """Return the axes of a depth scan: spread of activations above, gradient norm below.

    Args:
        scan: Mapping (activation, initializer) → hidden layer statistics, from `xray.depth_scan`.
        figure: Figure to draw on. None for a new pyplot figure.

    References:
        Glorot and Bengio 2010, figures 6 and 7; He et al. 2015, arXiv:1502.01852, figure 3.
    """
    activations = list(dict.fromkeys(activation for activation, _ in scan))
    initializers = list(dict.fromkeys(initializer for _, initializer in scan))
    figure = shown_figure(figure, 3.1 * len(activations) + 1.8, 5.6)
    panels = figure.subplots(2, len(activations), squeeze=False, sharex=True, sharey="row")
    for (activation, initializer), layers in scan.items():
        column, number = activations.index(activation), initializers.index(initializer)
        depth = np.arange(1, len(layers) + 1)
        style = f"{MARKERS[number % len(MARKERS)]}-"
        colour = COLOURS[number % len(COLOURS)]
        for row, name in enumerate(("spread", "gradient_norm")):
            values = np.array([getattr(layer, name) for layer in layers])
            shown = np.where(values > 0, values, np.nan)
            panels[row, column].plot(depth, shown, style, color=colour, ms=3.5, label=initializer)
    for ax, activation in zip(panels[0], activations, strict=True):
        ax.set_title(activation)
    for ax in panels.ravel():
        ax.set_yscale("log")
        ax.grid(alpha=0.3)
    for ax in panels[1]:
        ax.set_xlabel("hidden layer, from the input")
    panels[0, 0].set_ylabel("spread of the activations")
    panels[1, 0].set_ylabel("norm of the gradient")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, title="initializer")
    return list(panels.ravel())
