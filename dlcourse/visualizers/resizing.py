"""Bilinear resizing of the coarse maps of CAM methods and masks."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Grid = Sequence[tuple[float, float]] | None


@lru_cache(maxsize=256)
def interpolation_matrix(
    before: int, after: int, scale: float | None = None, offset: float = 0.0, fading: bool = False
) -> np.ndarray:
    """Return the matrix `(after, before)` of linear interpolation.

    Args:
        before, after: Numbers of values.
        scale, offset: Value i is put at scale · i + offset. With no scale, the first and the last
            value are put at the ends, as by `scipy.ndimage.zoom(order=1)`.
        fading: Whether the result falls to 0 beyond the first and last values, over a distance of
            `scale`, instead of keeping their values.
    """
    places = np.linspace(0, before - 1, after) if after > 1 else np.zeros(1)
    places = places if scale is None else (np.arange(after) - offset) / scale
    places = places if fading else np.clip(places, 0, before - 1)
    matrix = np.maximum(1 - np.abs(places[:, None] - np.arange(before)), 0).astype("float32")
    matrix.setflags(write=False)
    return matrix


def resize(
    maps: Any, size: Sequence[int], grid: Grid = None, *, fading: bool = False, library: Any = np
) -> Any:
    """Return `maps` `(n, …)` with all axes but the first resized to `size`.

    Args:
        maps, size: The maps and the new size.
        grid: Scale and offset of each axis; None to keep the corners.
        fading: As for `interpolation_matrix`.
        library: Module that computes: `numpy`, or `keras.ops` for tensors.
    """
    for axis, after in enumerate(size, 1):
        place = grid[axis - 1] if grid else ()
        matrix = interpolation_matrix(maps.shape[axis], after, *place, fading=fading)
        if library is np:  # small products: a single large one would wait for its threads
            maps = np.moveaxis(np.moveaxis(maps, axis, -1) @ matrix.T, -1, axis)
        else:
            product = library.tensordot(maps, matrix, axes=[[axis], [1]])
            maps = library.moveaxis(product, -1, axis)
    return maps
