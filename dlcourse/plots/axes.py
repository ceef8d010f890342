"""The axes that a picture is drawn on, and the colours that all eyes can tell apart."""

from typing import Any

from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, for lines and classes."""


def new_axes(ax: Axes | None = None, **settings: Any) -> Axes:
    """Return `ax`, or the axes of a new pyplot figure (`settings`: `figsize`) where it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **settings)[1]


def new_grid(rows: int, columns: int, *, figsize: tuple[float, float]) -> list[Axes]:
    """Return the axes of a new pyplot figure of `rows` × `columns`, row by row."""
    import matplotlib.pyplot as plt

    axes = plt.subplots(rows, columns, figsize=figsize, squeeze=False, layout="constrained")[1]
    return list(axes.flat)
