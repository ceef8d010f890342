"""Pictures of functions: activations, descent on curves and contours, losses, matrices as maps."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import ACTIVATIONS
from dlcourse.lessons.maths.arguments import array, choice, scalar
from dlcourse.lessons.maths.steps import show
from dlcourse.plots.axes import COLOURS, new_axes, shown_figure

ELEMENTWISE = [name for name in ACTIVATIONS if name not in ("softmax", "hardmax")]
GALLERY = (
    "unit_step", "sign", "linear", "piecewise_linear", "sigmoid", "tanh", "relu", "leaky_relu",
)  # fmt: skip


def new_grid(rows: int, columns: int, *, figsize: tuple[float, float]) -> list[Axes]:
    """Return the axes of a new pyplot figure of `rows` × `columns`, row by row."""
    return list(shown_figure(None, *figsize).subplots(rows, columns, squeeze=False).flat)


def activation(
    name: str, ax: Axes | None = None, *, reach: float = 4.0, legend: bool = True
) -> Axes:
    """Return axes with an activation function and, dashed, its derivative.

    Args:
        name: Key of `maths.activations.ACTIVATIONS`; not softmax or hardmax.
        ax: Axes to draw on; a new figure by default.
        reach: Half the width of the picture, which goes from −reach to reach.
        legend: Whether to draw a legend.
    """
    function, derivative = ACTIVATIONS[choice("name", name, ELEMENTWISE)]
    reach = scalar("reach", reach, 1e-3)
    ax = new_axes(ax, figsize=(4, 3))
    z = np.linspace(-reach, reach, 401)
    ax.axhline(0, color="0.8", linewidth=0.8)
    ax.axvline(0, color="0.8", linewidth=0.8)
    values, slopes = (_broken(f, z) for f in (function, derivative))
    ax.plot(z, values, color=COLOURS[0], linewidth=2, label="g(z)")
    ax.plot(z, slopes, color=COLOURS[1], linewidth=1.8, linestyle="--", label="g′(z)")
    title = "leaky relu (0.01)" if name == "leaky_relu" else name.replace("_", " ")
    ax.set(xlabel="z", title=title, xlim=(-reach, reach))
    if legend:
        ax.legend(loc="upper left", fontsize=9)
    return ax


def descent_on_curve(
    f: Callable[[np.ndarray], Any], trace: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Return axes with the curve of `f` and the points of a descent on it, step by step.

    Args:
        f: Function of an array of numbers, element by element.
        trace: Points of `calculus.gradient_descent`, (steps + 1,).
        ax: Axes to draw on; a new figure by default.
    """
    ax = new_axes(ax, figsize=(5.5, 4))
    points = array("trace", trace, ("steps + 1",))
    low, high = _around(points)
    x = np.linspace(low, high, 300)
    ax.plot(x, f(x), color="0.6", linewidth=2)
    ax.plot(points, f(points), "o-", color=COLOURS[1], markersize=5, linewidth=1.2, label="steps")
    ax.plot(points[:1], f(points[:1]), "s", color=COLOURS[0], markersize=9, label="start")
    title = f"{len(points) - 1} steps, from {show(points[0], 4)} to {show(points[-1], 4)}"
    ax.set(xlabel="x", ylabel="f(x)", title=title, xlim=(low, high))
    ax.legend(fontsize=9)
    return ax


def descent_on_contour(
    f: Callable[[np.ndarray], Any],
    trace: ArrayLike,
    ax: Axes | None = None,
    *,
    within: ArrayLike | None = None,
) -> Axes:
    """Return axes with the contour lines of `f` and the path of a descent over them.

    Both axes have the same scale, so that steps cross the lines at right angles.

    Args:
        f: Function of a point (2,) that returns one number.
        trace: Points of `calculus.gradient_descent`, (steps + 1, 2).
        ax: Axes to draw on; a new figure by default.
        within: Points that the picture must contain, (n, 2); the trace by default. The same
            points give several pictures the same axes and colours.
    """
    ax = new_axes(ax, figsize=(5.5, 4.2))
    points = array("trace", trace, ("steps + 1", 2))
    held = points if within is None else array("within", within, ("n", 2))
    ranges = np.array([_around(column) for column in held.T])
    half = np.ptp(ranges, axis=1).max() / 2
    x, y = (np.linspace(middle - half, middle + half, 80) for middle in ranges.mean(axis=1))
    heights = np.array([[float(f(np.array([u, v]))) for u in x] for v in y])
    _contours(ax, x, y, heights, "f(x₁, x₂)")
    _way(ax, points)
    ax.set(xlabel="x₁", ylabel="x₂", title=f"{len(points) - 1} steps")
    return ax


def _broken(f: Callable[[np.ndarray], Any], z: np.ndarray) -> np.ndarray:
    """Return f(z) with a gap at each jump, so that no line is drawn through it.

    Each interval is halved towards its larger change; the change remains only at a jump.
    """
    values, low, high = np.asarray(f(z)), z[:-1], z[1:]
    for _ in range(40):
        middle = (low + high) / 2
        left = np.abs(f(middle) - f(low)) >= np.abs(f(high) - f(middle))
        low, high = np.where(left, low, middle), np.where(left, middle, high)
    jumps = np.flatnonzero(np.abs(f(high) - f(low)) > 1e-6)
    return np.where(np.isin(np.arange(len(values)), jumps + 1), np.nan, values)


def _around(points: np.ndarray) -> tuple[float, float]:
    """Return a range that holds the points and, if all steps go one way, room ahead of them."""
    low, high = float(points.min()), float(points.max())
    span = (high - low) or max(0.1 * abs(low), 1e-3)
    steps = np.diff(points)
    ahead = 1.2 * span
    down, up = (bool(steps.any()) and bool((sign * steps >= 0).all()) for sign in (-1, 1))
    return low - (ahead if down else 0.15 * span), high + (ahead if up else 0.15 * span)


def _contours(ax: Axes, x: np.ndarray, y: np.ndarray, heights: np.ndarray, label: str) -> None:
    low, high = float(heights.min()), float(heights.max())
    span = (high - low) or 1.0  # for a flat function
    levels = low + span * np.linspace(0, 1, 20) ** 2  # close lines in the valley
    filled = ax.contourf(x, y, heights, levels=levels, cmap="cividis", norm=PowerNorm(0.5))
    if high > low:
        ax.contour(x, y, heights, levels=levels, colors="white", linewidths=0.3)
    ax.set_aspect("equal")
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(filled, ax=ax, label=label, format="%.3g")


def _way(ax: Axes, points: np.ndarray) -> None:
    ax.plot(*points.T, "o-", color="white", markersize=7, linewidth=2.6)
    ax.plot(*points.T, "o-", color=COLOURS[1], markersize=4.5, linewidth=1.2, label="steps")
    ax.plot(*points[0], "s", color="white", markeredgecolor="black", markersize=9, label="start")
    ax.legend(fontsize=9, loc="best")
