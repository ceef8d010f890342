"""Scores of an image behind masks, a bounded number at a time."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers.questions import Question, scorer
from dlcourse.visualizers.resizing import interpolation_matrix


def places_of(question: Question, method: str) -> tuple[int, ...]:
    """Return the size of the one input's places: `(height, width)` of images.

    Raises:
        UserError: The model has several inputs, or its input has no places.
    """
    if len(question.inputs) > 1:
        raise UserError(f"{method}: masks one input, and the model has several (use saliency)")
    size = question.inputs[0].shape[1:-1]
    if not size:
        raise UserError(f"{method}: rows have no places to cover (use integrated_gradients)")
    return size


def masked_scores(
    question: Question,
    masks: np.ndarray,
    *,
    value: float = 0.0,
    probabilities: bool = False,
    batch_size: int = 256,
) -> np.ndarray:
    """Return the class's score of every image behind every mask, `(n, masks)`.

    Args:
        question: Images `(n, places…, channels)` and their classes.
        masks: In [0, 1], the same for all images `(masks, places…)`, or each image's own `(n,
            masks, places…)`; of any size: they are enlarged.
        value: What shows where a mask is 0.
        probabilities: Probabilities instead of logits.
        batch_size: Masked images in one pass.
    """
    (images,) = question.inputs
    n, own = len(images), masks.ndim == images.ndim
    m = masks.shape[1] if own else len(masks)
    size = min(batch_size, n * m)
    run = _masked(question, masks.shape[-(images.ndim - 2) :], probabilities)
    found = np.empty(n * m, "float32")
    for start in range(0, n * m, size):
        pairs = np.minimum(np.arange(start, start + size), n * m - 1)  # the last batch is filled up
        image, mask = np.divmod(pairs, m)
        rows = masks[image, mask] if own else masks[mask]
        scores = run(images[image], rows, question.indices[image], np.float32(value))
        found[start : start + size] = np.asarray(scores)[: n * m - start]
    return found.reshape(n, m)


def _masked(question: Question, coarse: tuple[int, ...], probabilities: bool) -> Any:
    """Return the compiled score of images behind masks of the size `coarse`."""
    score = scorer(question.reader, probabilities)
    size = question.inputs[0].shape[1:-1]

    def masked(model: Any, images: Any, masks: Any, indices: Any, value: Any) -> Any:
        from keras import ops

        if coarse != size:
            for axis, (before, after) in enumerate(zip(coarse, size, strict=True), 1):
                matrix = interpolation_matrix(before, after)
                masks = ops.moveaxis(ops.tensordot(masks, matrix, axes=[[axis], [1]]), -1, axis)
        light = ops.expand_dims(masks, -1)
        return score(model, [images * light + value * (1 - light)], indices)

    key = ("masked", coarse, probabilities)
    return lambda *arguments: question.run(key, masked, *arguments)
