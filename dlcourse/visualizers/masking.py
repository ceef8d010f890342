"""Scores of masked images, a bounded number at a time."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import keras, ops
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.targets import Target, scorer


def places_of(target: Target, method: str, source: int = 0) -> tuple[int, ...]:
    """Return the spatial size of an input: `(height, width)` for images.

    Raises:
        UserError: It has no positions.
    """
    size = target.inputs[source].shape[1:-1]
    if not size:
        reason = "rows and tokens have no positions to cover"
        raise UserError(f"{method}: {reason} (use integrated_gradients)")
    if target.ended(source).any():
        reason = "steps after the end of a sequence (Masking) would come alive"
        raise UserError(f"{method}: {reason} (use integrated_gradients)")
    return size


def masked_scores(
    target: Target,
    masks: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    source: int = 0,
    grid: Any = None,
    value: float = 0.0,
    probabilities: bool = False,
    batch_size: int | None = None,
) -> np.ndarray:
    """Return the class score of each pair of image and mask, `(pairs,)`.

    Args:
        target: Images `(n, places…, channels)` and their classes.
        masks: Masks `(masks, places…)` in [0, 1], of any size: they are resized.
        pairs: Two arrays of indices, of images and of masks. None for every image with every mask.
        source: Index of the input that is masked; the others are held.
        grid: Where the masks' values lie in the image, as for `resize`.
        value: Value of the image where a mask is 0.
        probabilities: Whether to return probabilities instead of logits.
        batch_size: Number of masked images in a pass. None for the target's.
    """
    n = len(target.indices)
    every = np.repeat(np.arange(n), len(masks)), np.tile(np.arange(len(masks)), n)
    image, mask = (indices.astype("int32") for indices in pairs or every)
    # The same size for every call with these masks, however many pairs: one trace.
    size = min(batch_size or target.batch_size, max(len(masks), len(image)))
    run = _masked(target, masks.shape[1:], source, tuple(grid or ()), probabilities)
    arrays = (target.inputs, masks, target.asked, np.float32(value))
    tensors: Any = keras.tree.map_structure(ops.convert_to_tensor, arrays)
    scores = [np.empty(0, "float32")]
    for start in range(0, len(image), size):
        rows = np.minimum(np.arange(start, start + size), len(image) - 1)  # pads the last
        scores.append(np.asarray(run(*tensors, image[rows], mask[rows])))
    return np.concatenate(scores)[: len(image)]


def _masked(
    target: Target, coarse: tuple[int, ...], source: int, grid: tuple, probabilities: bool
) -> Any:
    """Return the compiled score of chosen images under chosen masks of the size `coarse`."""
    score = scorer(target.reader, probabilities)
    size = target.inputs[source].shape[1:-1]

    def masked(
        model: Any, inputs: Any, masks: Any, asked: Any, value: Any, image: Any, mask: Any
    ) -> Any:
        masks = ops.take(masks, mask, axis=0)
        if coarse != size or grid:
            masks = resize(masks, size, grid, library=ops)
        light = ops.expand_dims(masks, -1)
        seen = [ops.take(x, image, axis=0) for x in inputs]
        seen[source] = seen[source] * light + value * (1 - light)
        return score(model, seen, tuple(ops.take(x, image, axis=0) for x in asked))

    key = ("masked", coarse, source, grid, probabilities)
    return lambda *arguments: target.run(key, masked, *arguments, any_batch=True)
