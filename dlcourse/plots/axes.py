"""The axes and figures of a plot: the caller's, or new ones."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

TEXT = "#222222"
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"
"""Okabe and Ito's colours, distinguishable with every kind of colour vision."""
COLOURS = (BLUE, ORANGE, GREEN, PINK, "#E69F00", "#56B4E9", "#000000")
"""The same colours, in this order for lines and classes."""


def new_axes(ax: Axes | None = None, *, figsize: tuple[float, float] = (6.4, 4.8)) -> Axes:
    """Return `ax` as it is, or the axes of a new pyplot figure (which a notebook shows by itself).

    Args:
        ax: The caller's axes, or None.
        figsize: Size of the new figure, in inches.
    """
    return shown_figure(None, *figsize).subplots() if ax is None else ax


def new_figure(width: float = 6.4, height: float = 4.0) -> Figure:
    """Return a figure outside pyplot, to be saved: no window, no global state; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def shown_figure(figure: Figure | None, width: float, height: float) -> Figure:
    """Return `figure`, or a new pyplot figure (which a notebook shows by itself)."""
    if figure is not None:
        figure.set_size_inches(width, height)
        return figure
    from matplotlib import pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained")
