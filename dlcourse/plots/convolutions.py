"""Convolution and pooling cell by cell: what lies under the kernel, and the number it makes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from dlcourse.maths.checks import array
from dlcourse.maths.convolution import convolve2d, pool2d
from dlcourse.plots.axes import COLOURS, new_axes, new_grid


def convolution_cell(
    image: ArrayLike,
    kernel: ArrayLike,
    place: tuple[int, int] = (0, 0),
    ax: Axes | None = None,
    *,
    stride: int = 1,
) -> Axes:
    """Return axes with image, kernel and feature map, and how one cell of the map comes about.

    Args:
        image, kernel, stride: As for `maths.convolution.convolve2d`, (height, width) and (rows,
            columns), without padding.
        place: Row and column of the cell in the feature map.
        ax: Where to draw; a new figure by default.
    """
    ax = new_axes(ax, figsize=(8, 3.6))
    result = convolve2d(image, kernel, stride=stride)
    image, kernel = array("image", image, ("h", "w")), array("kernel", kernel, ("r", "c"))
    top, left = place[0] * stride, place[1] * stride
    under = image[top : top + kernel.shape[0], left : left + kernel.shape[1]]
    total = f"{float((under * kernel).sum()):.4g}"
    text = " + ".join(
        f"{_word(a)}·{_word(k)}" for a, k in zip(under.flat, kernel.flat, strict=True)
    )
    parts = [
        (image, "image", (top, left, *kernel.shape)),
        (kernel, "kernel", (0, 0, *kernel.shape)),
        (result, "feature map", (*place, 1, 1)),
    ]
    return _row(
        ax, parts, ("∗", "="), f"{text} = {total}" if kernel.size <= 9 else f"sum = {total}"
    )


def convolution_gallery(image: ArrayLike, kernel: ArrayLike, *, stride: int = 1) -> list[Axes]:
    """Return a new figure's axes, one for each cell of the feature map, with what makes it."""
    result = convolve2d(image, kernel, stride=stride)
    image, kernel = array("image", image, ("h", "w")), array("kernel", kernel, ("r", "c"))
    axes = new_grid(*result.shape, figsize=(2.3 * result.shape[1], 2.5 * result.shape[0]))
    for (i, j), ax in zip(np.ndindex(*result.shape), axes, strict=True):
        window = (i * stride, j * stride, *kernel.shape)
        _matrix(ax, image, 0.0, window)
        _finish(ax, image.shape[1], image.shape[0])
        ax.set_title(f"[{i + 1}, {j + 1}] = {_word(float(result[i, j]))}", fontsize=11)
    return axes


def pooling_cell(
    image: ArrayLike,
    place: tuple[int, int] = (0, 0),
    ax: Axes | None = None,
    *,
    size: int = 2,
    kind: str = "max",
) -> Axes:
    """Return axes with image and pooled image, and how one cell of it comes about.

    Args:
        image, size, kind: As for `maths.convolution.pool2d`, (height, width).
        place: Row and column of the cell in the pooled image.
        ax: Where to draw; a new figure by default.
    """
    ax = new_axes(ax, figsize=(5.6, 3.4))
    result = pool2d(image, size, kind=kind)
    image = array("image", image, ("h", "w"))
    window = (place[0] * size, place[1] * size, size, size)
    region = image[window[0] : window[0] + size, window[1] : window[1] + size]
    numbers = ", ".join(_word(value) for value in region.flat)
    text = f"{kind}({numbers}) = {_word(float(result[place]))}"
    return _row(
        ax, [(image, "image", window), (result, f"{kind} pooled", (*place, 1, 1))], ("→",), text
    )


def _row(ax: Axes, parts: list, signs: tuple[str, ...], text: str) -> Axes:
    """Matrices side by side with signs between them, and a line of text underneath."""
    left, height = 0.0, max(values.shape[0] for values, _, _ in parts)
    for k, (values, title, window) in enumerate(parts):
        _matrix(ax, values, left, window)
        middle = left + values.shape[1] / 2
        ax.text(middle, -0.25, title, ha="center", va="bottom", fontsize=11)
        left += values.shape[1] + 1.2
        if k < len(signs):
            ax.text(left - 0.6, height / 2, signs[k], ha="center", va="center", fontsize=18)
    ax.text((left - 1.2) / 2, height + 0.35, text, ha="center", va="top", fontsize=10)
    _finish(ax, left - 1.2, height + 1.0, top=-1.0)
    return ax


def _matrix(ax: Axes, values: np.ndarray, left: float, window: tuple[int, ...]) -> None:
    """A matrix of numbered cells, its window marked."""
    rows, columns, height, width = window
    for i, j in np.ndindex(*values.shape):
        inside = rows <= i < rows + height and columns <= j < columns + width
        colour = "#FCE3B0" if inside else "white"
        ax.add_patch(Rectangle((left + j, i), 1, 1, facecolor=colour, edgecolor="0.6"))
        word = _word(float(values[i, j]))
        ax.text(left + j + 0.5, i + 0.5, word, ha="center", va="center", fontsize=10 + inside)
    frame = Rectangle((left + columns, rows), width, height, fill=False)
    frame.set(edgecolor=COLOURS[1], linewidth=2.5)
    ax.add_patch(frame)


def _finish(ax: Axes, width: float, height: float, top: float = 0.0) -> None:
    ax.set(xlim=(-0.15, width + 0.15), ylim=(height + 0.15, top - 0.15), aspect="equal")
    ax.set_axis_off()


def _word(value: float) -> str:
    return f"{value + 0.0:.3g}"
