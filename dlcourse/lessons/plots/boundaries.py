"""Decision boundaries of any prediction function of two features."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array, integer
from dlcourse.plots.axes import COLOURS, new_axes

MARKERS = "o^sDvP"


def decision_boundary(
    predict: Callable[[np.ndarray], Any],
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    feature_names: Sequence[str] = ("x₁", "x₂"),
    class_names: Sequence[str] | None = None,
    resolution: int = 200,
    within: ArrayLike | None = None,
) -> Axes:
    """Return axes with the examples on the predictions for the plane around them.

    Args:
        predict: Function of rows (n, 2), such as a Keras `model.predict`. It returns probabilities
            of the second class, (n,) or (n, 1), or of all classes, (n, classes), or class numbers.
        X: Examples (m, 2).
        y: Class numbers 0, 1, 2 … of the examples, (m,).
        ax: Axes to draw on; a new figure by default.
        feature_names: Labels of the axes, with units.
        class_names: Names for the legend; numbers by default.
        resolution: Grid points per side.
        within: Points that the picture must contain, (n, 2); the examples by default. The same
            ones give several pictures the same axes.
    """
    points = array("X", X, ("m", 2))
    held = points if within is None else array("within", within, ("n", 2))
    labels = class_numbers("y", y, len(points))
    x1, x2, rows = grid(held, integer("resolution", resolution, 2))
    values = values_on(predict, rows)
    classes = count_classes(labels, values)
    if class_names and len(class_names) <= labels.max():
        raise ValueError(
            f"class_names: expected {labels.max() + 1} or more, got {len(class_names)}"
        )
    ax = new_axes(ax, figsize=(6.2, 4.4))
    draw_regions(ax, x1, x2, values, classes)
    draw_examples(ax, points, labels, class_names, classes)
    ax.set(xlabel=feature_names[0], ylabel=feature_names[1])
    return ax


def class_numbers(name: str, y: ArrayLike, m: int) -> np.ndarray:
    """Return `y` as integers (m,); raise if they are not class numbers 0, 1, 2 …"""
    values = array(name, y, (m,))
    wrong = values[(values < 0) | (values != np.round(values))]
    if wrong.size:
        raise ValueError(f"{name}: expected class numbers 0, 1, 2 …, got {wrong[0]:g}")
    return values.astype(int)


def count_classes(labels: np.ndarray, values: np.ndarray) -> int:
    """Return the number of classes in labels and predictions; above 2, they are class numbers."""
    if labels.max() <= 1 and (values.max() <= 1 or (values != np.round(values)).any()):
        return 2
    return int(max(labels.max(), class_numbers("predict's result", values, len(values)).max())) + 1


def colours_of(classes: int) -> list:
    """Return one colour per class: the ends of the shades, `COLOURS`, or a colour map's."""
    if classes <= 2:
        return ["#542788", "#B35806"]
    if classes <= len(COLOURS):
        return list(COLOURS[:classes])
    return list(colormaps["turbo"](np.linspace(0.03, 0.97, classes)))


def grid(points: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a grid around the points: x1 and x2, (resolution, resolution), and rows (n, 2)."""
    margin = 0.15 * np.ptp(points, axis=0) + 1e-6
    sides = zip(points.min(axis=0) - margin, points.max(axis=0) + margin, strict=True)
    x1, x2 = np.meshgrid(*(np.linspace(low, high, resolution) for low, high in sides))
    return x1, x2, np.column_stack([x1.ravel(), x2.ravel()])


def values_on(predict: Callable[[np.ndarray], Any], rows: np.ndarray) -> np.ndarray:
    """Return predictions (n,) for rows (n, 2): the second class's probabilities, or classes."""
    values = np.asarray(predict(rows))
    if values.ndim == 2 and values.shape[1] > 1:
        values = values[:, 1] if values.shape[1] == 2 else values.argmax(axis=1)
    if values.size != len(rows):
        raise ValueError(
            f"predict: expected a result of shape ({len(rows)},), ({len(rows)}, 1) or "
            f"({len(rows)}, classes), got {values.shape}"
        )
    return array("predict's result", values).reshape(-1)


def draw_regions(
    ax: Axes, x1: np.ndarray, x2: np.ndarray, values: np.ndarray, classes: int
) -> None:
    """Draw two classes' probabilities as shades, more classes as areas, and the boundary."""
    surface = values.reshape(x1.shape)
    if classes > 2:
        levels = np.arange(classes + 1) - 0.5
        colours = ListedColormap(colours_of(classes))
        ax.contourf(x1, x2, surface, levels=levels, cmap=colours, alpha=0.3)
    else:
        shades = np.linspace(0, 1, 11)
        ax.contourf(x1, x2, surface, levels=shades, cmap="PuOr_r", alpha=0.55, extend="both")
        levels = np.array([0.5])
    between = levels[(surface.min() < levels) & (levels < surface.max())]
    if between.size:
        ax.contour(x1, x2, surface, levels=between, colors="black", linewidths=1.5)


def draw_examples(
    ax: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str] | None,
    classes: int,
) -> None:
    """Draw the examples with one colour and one marker per class, and a legend."""
    colours = colours_of(classes)
    for k in np.unique(labels):
        name = class_names[k] if class_names else f"class {k}"
        ax.scatter(*points[labels == k].T, s=32, color=colours[k], marker=MARKERS[k % len(MARKERS)],
                   edgecolors="white", linewidths=0.7, label=name)  # fmt: skip
    ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.02, 1))  # outside the axes
