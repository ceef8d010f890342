"""Occlusion: the fall of the class score when a patch of the image is covered."""

from itertools import product
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Number, Output, Positive, checked
from dlcourse.visualizers.masking import masked_scores, places_of
from dlcourse.visualizers.targets import ClassIndices, Images, Target, class_scores, target_of


@checked
def occlusion(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    patch: Positive | None = None,
    stride: Positive | None = None,
    value: Number = 0.0,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> Any:
    """Return the fall of the logit: for each pixel, the mean over the patches that cover it.

    Args:
        model, images, class_indices, output, where: As for `saliency`; images, volumes or
            sequences.
        patch: Side of the covered square. None for a sixth of the shortest side.
        stride: Step between patches. None for half the patch.
        value: Value of the covered pixels, in the image's own units.
        batch_size: Number of covered images per pass; it bounds the memory.

    Returns:
        `(n, height, width)`: positive where the pixel is evidence for the class; a list of these
        for several inputs of images, of which the others are held.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2013,
        arXiv:1311.2901, section 4.2.
    """
    target = target_of(model, images, class_indices, output, where, batch_size)
    sizes = [places_of(target, "occlusion", source) for source in target.sources]
    covers = [_covers(size, patch, stride) for size in sizes]

    def maps(part: Target) -> Any:
        whole, each = class_scores(part), []
        for source, size, masks in zip(target.sources, sizes, covers, strict=True):
            left = masked_scores(part, masks, source=source, value=value)
            falls = (whole[:, None] - left.reshape(len(whole), -1)).astype("float32")
            covered = 1 - masks.reshape(len(masks), -1)
            each.append((falls @ covered / covered.sum(axis=0)).reshape(-1, *size))
        return each if len(each) > 1 else each[0]

    return target.in_batches(maps)


def _covers(size: tuple[int, ...], patch: int | None, stride: int | None) -> np.ndarray:
    """Return masks `(patches, places…)`, 0 where covered; together they cover every pixel."""
    patch = patch or max(1, round(min(size) / 6))
    stride = stride or max(1, patch // 2)
    if not stride <= patch <= min(size):
        needs = f"1 <= stride <= patch <= {min(size)}"
        raise UserError(f"occlusion: needs {needs}, got patch={patch}, stride={stride}")
    starts = [sorted({*range(0, side - patch + 1, stride), side - patch}) for side in size]
    corners = list(product(*starts))
    masks = np.ones((len(corners), *size), "float32")
    for mask, corner in zip(masks, corners, strict=True):
        mask[tuple(slice(start, start + patch) for start in corner)] = 0
    return masks
