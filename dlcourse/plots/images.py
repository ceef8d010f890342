"""Images, alone and in a grid, in their own or a given range of values."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.errors import UserError
from dlcourse.plots.axes import GREY, TEXT, shown_figure

LONGEST_NAME = 14


def frame(ax: Axes) -> None:
    """Draw a thin frame around a small picture, without ticks, visible on a white page."""
    ax.set_axis_off()  # the axes would take most of the drawing time
    square = ([0, 1, 1, 0, 0], [0, 0, 1, 1, 0])
    ax.plot(*square, color=GREY, lw=0.8, transform=ax.transAxes, clip_on=False)


def label(ax: Axes, text: str) -> None:
    """Write a label to the left of a small picture."""
    ax.text(-0.12, 0.5, text, transform=ax.transAxes, ha="right", va="center", fontsize=9)


def note(ax: Axes, text: str) -> None:
    """Write a remark on the lower edge of a picture."""
    box, size = {"color": "white", "pad": 1}, 7 if len(ax.figure.axes) > 4 else 10
    at = {"transform": ax.transAxes, "ha": "center", "bbox": box}
    ax.text(0.5, 0.05, text, fontsize=size, color=TEXT, **at)


def finite(ax: Axes, values: np.ndarray) -> np.ndarray:
    """Return the values with 0 for NaN and infinity; a remark tells how many there are."""
    kept = np.isfinite(values)
    if not kept.all():
        note(ax, f"{100 * np.mean(~kept):.3g}% NaN or infinite")
    return np.where(kept, values, 0)


def numeric(values: np.ndarray, want: str, *dimensions: int) -> np.ndarray:
    """Return numbers as float64.

    Raises:
        UserError: There are none, or they do not have one of these numbers of dimensions.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim not in dimensions or not array.size:
        raise UserError(f"{want} of numbers, got the shape {array.shape} of {array.dtype}")
    return array.astype("float64")


def pixels(image: np.ndarray) -> np.ndarray:
    """Return an image as `(height, width)`, or as `(height, width, 3)` if it has three channels.

    Of any other number of channels, the mean is returned.

    Raises:
        UserError: The array is not one image, or has its channels first.
    """
    shape, channels = np.shape(image), np.shape(image)[-1] if np.ndim(image) == 3 else 1
    several = channels not in (1, 3) and (shape[0] in (1, 3) or shape[1] == channels)
    want = "image: expected one image (height, width) or (height, width, channels)"
    values = numeric(image, want, *(() if several else (2, 3)))
    return values if len(shape) == 2 or channels == 3 else values.mean(axis=-1)


def show_image(ax: Axes, image: np.ndarray, value_range: tuple[float, float] | None = None) -> None:
    """Draw one image in a thin frame, without ticks.

    Args:
        ax: Axes to draw on.
        image: Image `(height, width)` or `(height, width, channels)` with values in any range; of
            other than 1 or 3 channels, the mean is drawn.
        value_range: Values (black, white). None for the image's own least and largest value.

    Raises:
        UserError: The array is not one image.
    """
    ax.imshow(in_range(finite(ax, pixels(image)), value_range), cmap="gray", vmin=0, vmax=1)
    frame(ax)


def image_grid(
    images: np.ndarray | Sequence[np.ndarray | None],
    titles: Sequence[str] = (),
    *,
    columns: int = 8,
    rows: Sequence[str] = (),
    value_range: tuple[float, float] | None = None,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of images side by side, in their order, row by row.

    Args:
        images: Images `(n, height, width, 1 or 3)`; None leaves a cell empty.
        titles: One title per image, or none.
        columns: Number of images per row.
        rows: One label per row, or none.
        value_range: Values (black, white). None for each image's own range.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    if not len(images) or columns < 1 or (titles and len(titles) != len(images)):
        reason = "image_grid: expected images, 1 column or more and a title for each or none, got "
        reason += f"{len(images)} images, {columns} columns and {len(titles)} titles"
        raise UserError(reason)
    height = -(-len(images) // columns)
    columns = min(columns, len(images))
    margin = 1.3 if rows else 0.0
    figure = shown_figure(figure, max(2.5, 1.15 * columns + margin), 1.35 * height + 0.1)
    panels = figure.subplots(height, columns, squeeze=False)
    for ax in panels.flat:
        ax.set_axis_off()
    for k, (ax, image) in enumerate(zip(panels.flat, images, strict=False)):
        if image is not None:
            show_image(ax, image, value_range)
        if titles:
            ax.set_title(titles[k], fontsize=9)
    for ax, name in zip(panels[:, 0], rows, strict=False):
        label(ax, name)
    return list(panels.flat)


def in_range(image: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """Return the image scaled to [0, 1] from `value_range`, or from its own range."""
    low, high = value_range or (float(image.min()), float(image.max()))
    return np.clip((image - low) / ((high - low) or 1.0), 0, 1)


def short_name(name: str) -> str:
    """Return a class name, shortened in the middle if it is long."""
    return name if len(name) <= LONGEST_NAME else f"{name[:7]}…{name[-6:]}"
