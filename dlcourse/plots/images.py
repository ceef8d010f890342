"""Images, alone and side by side, in their own or a given range of values."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plots.axes import GREY, shown_figure

LONGEST_NAME = 14


def frame(ax: Axes) -> None:
    """Put a thin frame round a small picture, without ticks: a white one shows on a white page."""
    ax.set_axis_off()  # its axis would cost most of the drawing's time
    square = ([0, 1, 1, 0, 0], [0, 0, 1, 1, 0])
    ax.plot(*square, color=GREY, lw=0.8, transform=ax.transAxes, clip_on=False)


def label(ax: Axes, text: str) -> None:
    """Write beside a small picture, at its left."""
    ax.text(-0.12, 0.5, text, transform=ax.transAxes, ha="right", va="center", fontsize=9)


def show_image(ax: Axes, image: np.ndarray, value_range: tuple[float, float] | None = None) -> None:
    """Draw one image `(height, width, 1 or 3)` in a thin frame, without ticks.

    Args:
        ax: Where to draw.
        image: In any range.
        value_range: (black, white); None: the image's own least and largest value.
    """
    values = in_range(np.asarray(image), value_range)
    values = values.squeeze(-1) if values.shape[-1] == 1 else values
    ax.imshow(values, cmap="gray", vmin=0, vmax=1)
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
        images: `(n, height, width, 1 or 3)`; None leaves a place empty.
        titles: One an image, or none.
        columns: In a row.
        rows: A label before each row, or none.
        value_range: (black, white); None: each image its own.
        figure: Drawn into; None makes a pyplot figure.
    """
    if not len(images) or columns < 1 or (titles and len(titles) != len(images)):
        raise ValueError(
            "image_grid: needs images, columns of 1 or more and a title for each or none, got "
            f"{len(images)} images, {columns} columns and {len(titles)} titles"
        )
    number = -(-len(images) // columns)
    columns = min(columns, len(images))
    margin = 1.3 if rows else 0.0
    figure = shown_figure(figure, max(2.5, 1.15 * columns + margin), 1.35 * number + 0.1)
    panels = figure.subplots(number, columns, squeeze=False)
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
    """Return the image brought to [0, 1] from its value range, or from its own."""
    low, high = value_range or (float(image.min()), float(image.max()))
    return np.clip((image.astype("float32") - low) / ((high - low) or 1.0), 0, 1)


def short_name(name: str) -> str:
    """Return a class's name, its middle left out where it is long."""
    return name if len(name) <= LONGEST_NAME else f"{name[:7]}…{name[-6:]}"
