"""RISE: the mean of random masks, each weighted by the class probability of the masked image."""

from typing import Any

import numpy as np

from dlcourse.schema import Fraction, Natural, Output, Positive, checked
from dlcourse.visualizers.masking import masked_scores, places_of
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def rise(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    masks: Positive = 1000,
    cells: Positive = 7,
    keep: Fraction = 0.5,
    seed: Natural = 0,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> Any:
    """Return, for each pixel, the mean class probability over the masks that leave it visible.

    Each pixel is divided by how often it was visible, not by the expected number, so that the
    pattern of the masks does not show.

    Args:
        model, images, class_indices, output, where: As for `saliency`; images, volumes or
            sequences.
        masks: Number of masks; the noise of the map falls with its square root.
        cells: Cells per side of a mask: a random grid, smoothly enlarged and shifted.
        keep: Probability that a cell is visible.
        seed: Seed of the masks.
        batch_size: Number of masked images per pass; it bounds the memory.

    Returns:
        `(n, height, width)`, probabilities; a list of these for several inputs of images, of which
        the others are held.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Petsiuk et al., "RISE", 2018, arXiv:1806.07421, equations 6 and 7.
    """
    target = target_of(model, images, class_indices, output, where, batch_size)
    sizes = [places_of(target, "rise", source) for source in target.sources]
    random = [_random_masks(s, masks, cells, keep, np.random.default_rng(seed)) for s in sizes]

    def maps(part: Target) -> Any:
        each = []
        for source, size, drawn in zip(target.sources, sizes, random, strict=True):
            chances = masked_scores(part, drawn, source=source, probabilities=True)
            visible = drawn.reshape(masks, -1)
            seen = np.maximum(visible.sum(axis=0), np.finfo("float32").tiny)
            each.append((chances.reshape(-1, masks) @ visible / seen).reshape(-1, *size))
        return each if len(each) > 1 else each[0]

    return target.in_batches(maps)


def _random_masks(
    size: tuple[int, ...], masks: int, cells: int, keep: float, rng: np.random.Generator
) -> np.ndarray:
    """Return masks `(masks, places…)` in [0, 1]: coarse random grids, enlarged and shifted."""
    grids = (rng.random((masks, *(cells + 1 for _ in size))) < keep).astype("float32")
    cell = [-(-side // cells) for side in size]
    large = resize(grids, [(cells + 1) * side for side in cell])
    result = np.empty((masks, *size), "float32")
    for mask, grid in zip(result, large, strict=True):
        start = [rng.integers(side) for side in cell]
        window = tuple(slice(a, a + side) for a, side in zip(start, size, strict=True))
        mask[...] = grid[window]
    return result
