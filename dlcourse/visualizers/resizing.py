"""Bilinear resizing with aligned corners, for the coarse maps of CAM methods."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=256)
def interpolation_matrix(before: int, after: int) -> np.ndarray:
    """Return the matrix `(after, before)` of linear interpolation; first and last values are kept.

    It equals `scipy.ndimage.zoom(order=1)` along one axis.
    """
    places = np.linspace(0, before - 1, after) if after > 1 else np.zeros(1)
    below = np.minimum(places.astype(int), max(before - 2, 0))
    part = places - below
    matrix = np.zeros((after, before), "float32")
    rows = np.arange(after)
    matrix[rows, below] = 1 - part
    matrix[rows, np.minimum(below + 1, before - 1)] += part
    matrix.setflags(write=False)
    return matrix


def resize(maps: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return `maps` `(n, …)` with all axes but the first resized to `size`."""
    for axis, after in enumerate(size, 1):
        matrix = interpolation_matrix(maps.shape[axis], after)
        maps = np.moveaxis(np.tensordot(maps, matrix, axes=(axis, 1)), -1, axis)
    return maps
