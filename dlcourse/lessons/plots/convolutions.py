"""Convolution and pooling cell by cell: the pixels under the kernel, and the resulting number."""

from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array, integer
from dlcourse.lessons.maths.convolution import convolve2d, pool2d
from dlcourse.lessons.maths.steps import show, term
from dlcourse.plots.axes import COLOURS, new_axes

LARGEST = 12
"""Most rows or columns of a matrix that is shown as numbers; a larger one is shown as shades."""


def convolution_cell(
    image: ArrayLike,
    kernel: ArrayLike,
    place: tuple[int, int] = (0, 0),
    ax: Axes | None = None,
    *,
    stride: int = 1,
) -> Axes:
    """Return axes with image, kernel and feature map, and the calculation of one cell of the map.

    Args:
        image, kernel, stride: Arguments of `maths.convolution.convolve2d`, (height, width) and
            (rows, columns), without padding.
        place: Row and column of the cell in the feature map.
        ax: Axes to draw on; a new figure by default.
    """
    result = convolve2d(image, kernel, stride=stride)
    place = _inside(place, result)
    image, kernel = array("image", image, ("h", "w")), array("kernel", kernel, ("r", "c"))
    top, left = place[0] * stride, place[1] * stride
    under = image[top : top + kernel.shape[0], left : left + kernel.shape[1]]
    total = show((under * kernel).sum(), 4)
    text = " + ".join(
        f"{term(a, 3)}·{term(k, 3)}" for a, k in zip(under.flat, kernel.flat, strict=True)
    )
    parts = [
        (image, "image", (top, left, *kernel.shape)),
        (kernel, "kernel", (0, 0, *kernel.shape)),
        (result, "feature map", (*place, 1, 1)),
    ]
    return _row(
        ax, parts, ("∗", "="), f"{text} = {total}" if kernel.size <= 9 else f"sum = {total}"
    )


def pooling_cell(
    image: ArrayLike,
    place: tuple[int, int] = (0, 0),
    ax: Axes | None = None,
    *,
    size: int = 2,
    kind: str = "max",
) -> Axes:
    """Return axes with image and pooled image, and the calculation of one cell.

    Args:
        image, size, kind: Arguments of `maths.convolution.pool2d`; the image is (height, width).
        place: Row and column of the cell in the pooled image.
        ax: Axes to draw on; a new figure by default.
    """
    result = pool2d(image, size, kind=kind)
    place = _inside(place, result)
    image = array("image", image, ("h", "w"))
    window = (place[0] * size, place[1] * size, size, size)
    region = image[window[0] : window[0] + size, window[1] : window[1] + size]
    numbers = ", ".join(show(value, 3) for value in region.flat) if size <= 4 else "…"
    text = f"{kind}({numbers}) = {show(result[place], 3)}"
    return _row(
        ax, [(image, "image", window), (result, f"{kind} pooled", (*place, 1, 1))], ("→",), text
    )


def _inside(place: tuple[int, int], result: np.ndarray) -> tuple[int, int]:
    """Return the place as (row, column); raise if there is no such cell."""
    if np.shape(place) != (2,) or not all(
        integer("place", k, 0) < size for k, size in zip(place, result.shape, strict=True)
    ):
        raise ValueError(f"place: expected row and column within {result.shape}, got {place}")
    return place[0], place[1]


def _row(ax: Axes | None, parts: list, signs: tuple[str, ...], text: str) -> Axes:
    """Draw matrices side by side with signs between them, and a line of text below."""
    height = max(values.shape[0] for values, _, _ in parts)
    width = sum(values.shape[1] + 1.2 for values, _, _ in parts) - 1.2
    large = max(max(values.shape) for values, _, _ in parts) > LARGEST
    inch = 0.3 if large else 0.58  # per cell
    lines = wrap(text, int(10 * max(4.0, inch * width)))
    line = 0.26 / inch
    tall = height + 1.9 + line * len(lines)
    ax = new_axes(ax, figsize=(max(4.0, inch * width + 0.3), inch * tall))
    left = 0.0
    for k, (values, title, window) in enumerate(parts):
        top = (height - values.shape[0]) / 2
        _matrix(ax, values, left, top, window, large)
        middle = left + values.shape[1] / 2
        ax.text(middle, top - 0.25, title, ha="center", va="bottom", fontsize=11)
        left += values.shape[1] + 1.2
        if k < len(signs):
            ax.text(left - 0.6, height / 2, signs[k], ha="center", va="center", fontsize=18)
    ax.text(width / 2, height + 0.35, "\n".join(lines), ha="center", va="top", fontsize=10)
    _finish(ax, width, height + 0.6 + line * len(lines), top=-1.0)
    return ax


def _matrix(
    ax: Axes, values: np.ndarray, left: float, top: float, window: tuple, large: bool
) -> None:
    """Draw a matrix as numbers, or as shades if it is large, with its window marked."""
    rows, columns, height, width = window
    words = {place: _word(float(values[place])) for place in np.ndindex(*values.shape)}
    size = 9 if max(map(len, words.values())) > 3 else 10
    low, span = values.min(), np.ptp(values) or 1.0
    for (i, j), word in words.items():
        inside = rows <= i < rows + height and columns <= j < columns + width
        plain = str(0.15 + 0.85 * (values[i, j] - low) / span) if large else "white"
        colour = "#FCE3B0" if inside and not large else plain
        ax.add_patch(Rectangle((left + j, top + i), 1, 1, facecolor=colour, edgecolor="0.6"))
        if not large:
            ax.text(left + j + 0.5, top + i + 0.5, word, ha="center", va="center", fontsize=size)
    frame = Rectangle((left + columns, top + rows), width, height, fill=False)
    frame.set(edgecolor=COLOURS[1], linewidth=2.5)
    ax.add_patch(frame)


def _finish(ax: Axes, width: float, height: float, top: float = 0.0) -> None:
    ax.set(xlim=(-0.15, width + 0.15), ylim=(height + 0.15, top - 0.15), aspect="equal")
    ax.set_axis_off()


def _word(value: float) -> str:
    """Return the number in at most five characters if possible."""
    words = [show(value, digits) for digits in (3, 2, 1)]
    return next((word for word in words if len(word) <= 5), words[-1])
