"""One image, drawn in its own or a given range of values."""

import numpy as np
from matplotlib.axes import Axes

LONGEST_NAME = 14


def show_image(ax: Axes, image: np.ndarray, value_range: tuple[float, float] | None = None) -> None:
    """Draw one image `(height, width, 1 or 3)`, without axes.

    Args:
        ax: Where to draw.
        image: In any range.
        value_range: (black, white); None: the image's own least and largest value.
    """
    values = in_range(np.asarray(image), value_range)
    values = values.squeeze(-1) if values.shape[-1] == 1 else values
    ax.imshow(values, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()


def in_range(image: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """Return the image brought to [0, 1] from its value range, or from its own."""
    low, high = value_range or (float(image.min()), float(image.max()))
    return np.clip((image.astype("float32") - low) / ((high - low) or 1.0), 0, 1)


def short_name(name: str) -> str:
    """Return a class's name, its middle left out where it is long."""
    return name if len(name) <= LONGEST_NAME else f"{name[:7]}…{name[-6:]}"
