"""Tests of maps: deletion and insertion curves, and boxes of the evidence."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Natural, Number, Positive, checked
from dlcourse.visualizers.masking import masked_scores, places_of
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of

BATCH = 256  # masked images in one pass


@checked
def deletion_curve(
    model: Any,
    images: Images,
    maps: Any,
    class_indices: ClassIndices = None,
    *,
    steps: Positive = 24,
    value: Number = 0.0,
    seed: Natural = 0,
    batch_size: Positive = BATCH,
) -> np.ndarray:
    """Return the class probability while pixels are removed, those of the largest values first.

    It falls early if the map finds what the network needs.

    Args:
        model, images, class_indices: As for `saliency`; one input of images, volumes or sequences.
        maps: Maps `(n, height, width)`, as the methods return them.
        steps: Number of equal parts in which the pixels are removed.
        value: Value of a removed pixel, in the image's own units.
        seed: Seed of the random order of pixels with equal values: a fixed order of, say, the
            zeros of a ReLU would favour a corner.
        batch_size: Number of masked images per pass; it bounds the memory.

    Returns:
        `(n, steps + 1)`: column k is the probability with the share `k / steps` removed.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Petsiuk et al., "RISE", 2018, arXiv:1806.07421, section 4.
    """
    target = target_of(model, images, class_indices, batch_size=max(1, batch_size // (steps + 1)))
    return _curve(np.greater_equal, target, maps, steps, value, seed, batch_size)


@checked
def insertion_curve(
    model: Any,
    images: Images,
    maps: Any,
    class_indices: ClassIndices = None,
    *,
    steps: Positive = 24,
    value: Number = 0.0,
    seed: Natural = 0,
    batch_size: Positive = BATCH,
) -> np.ndarray:
    """Return the class probability while pixels are inserted, those of the largest values first.

    It rises early if the map finds what suffices. The canvas starts filled with `value` (the paper
    starts from the blurred image).

    Args, returns, raises and references as for `deletion_curve`, column k with `k / steps` shown.
    """
    target = target_of(model, images, class_indices, batch_size=max(1, batch_size // (steps + 1)))
    return _curve(np.less, target, maps, steps, value, seed, batch_size)


def _curve(
    kept: Any, target: Target, maps: Any, steps: int, value: float, seed: int, batch_size: int
) -> np.ndarray:
    """Return the curve with the pixels shown whose rank is `kept` (a comparison) to the count."""
    size = places_of(target, "deletion and insertion")
    (x,) = target.inputs
    maps = np.asarray(maps)
    if maps.ndim == x.ndim:  # map of a sequence: its features are shown and hidden together
        maps = maps.sum(axis=-1)
    maps = checked_maps(maps, (len(x), *size))
    pixels = int(np.prod(size))
    if steps > pixels:
        raise UserError(f"steps: expected 1 to the image's {pixels} pixels, got {steps}")
    ranks = _ranks(maps, seed).reshape(maps.shape)
    counts = np.rint(np.linspace(0, pixels, steps + 1)).astype(int)
    counts = counts.reshape(-1, *(1 for _ in size))

    def curve(part: Target) -> np.ndarray:
        masks = kept(ranks[part.rows, None], counts).astype("float32").reshape(-1, *size)
        pairs = (np.repeat(np.arange(len(part.rows)), steps + 1), np.arange(len(masks)))
        settings = {"value": value, "probabilities": True, "batch_size": batch_size}
        return masked_scores(part, masks, pairs, **settings).reshape(len(part.rows), -1)

    return target.in_batches(curve)


def _ranks(maps: np.ndarray, seed: int) -> np.ndarray:
    """Return each pixel's rank `(n, pixels)`, 0 for the largest value, ties in random order."""
    flat = maps.reshape(len(maps), -1)
    draws = np.random.default_rng(seed).random(flat.shape[1])
    return np.stack([np.argsort(np.lexsort((draws, -row))) for row in flat])


def area(curve: Any) -> np.ndarray:
    """Return the area under each curve `(…, steps + 1)` over shares from 0 to 1 (trapezoids).

    It is the mean of the curve: small is good for deletion, large for insertion.
    """
    curve = np.asarray(curve)
    if curve.ndim < 1 or curve.shape[-1] < 2:
        raise UserError(f"area: expected a curve of two points or more, got {curve.shape}")
    return ((curve[..., 1:] + curve[..., :-1]) / 2).mean(axis=-1)


def pointing_hits(maps: Any, boxes: Any) -> np.ndarray:
    """Return 1 for each map whose largest value lies within its box, else 0, `(n,)`.

    A maximum at several pixels counts by the share of them inside: a constant map gets the chance
    level, `chance_inside`.

    Args:
        maps: Maps `(n, height, width)`.
        boxes: Boxes `(n, 4)` of integers (top, left, bottom, right), the last two excluded, as the
            regions of a `Dataset`; or one box for all maps.

    Raises:
        UserError: Maps and boxes do not fit together.

    References:
        Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016, arXiv:1608.00507.
    """
    maps = checked_maps(maps)
    inside = _inside(boxes, maps.shape)
    largest = maps == maps.max(axis=(1, 2), keepdims=True)
    return (largest & inside).sum(axis=(1, 2)) / largest.sum(axis=(1, 2))


def share_inside(maps: Any, boxes: Any) -> np.ndarray:
    """Return the share of each map's positive values that lies within its box, `(n,)`.

    A map without any positive value gets the chance level, `chance_inside`.

    Args and raises as for `pointing_hits`.
    """
    maps = checked_maps(maps)
    positive = np.maximum(maps, 0)
    positive[positive.max(axis=(1, 2)) == 0] = 1
    return (positive * _inside(boxes, maps.shape)).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))


def chance_inside(boxes: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the box's share of the area, `(n,)`: the expectation of both measures by chance.

    Args:
        boxes: As for `pointing_hits`.
        size: Height and width of the maps.
    """
    return _inside(boxes, (len(np.atleast_2d(boxes)), *size)).mean(axis=(1, 2))


def _inside(boxes: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return `(n, height, width)`, True within each map's box.

    Raises:
        UserError: These are not boxes in maps of this shape.
    """
    boxes = np.atleast_2d(np.asarray(boxes))
    if boxes.dtype.kind not in "iu" or boxes.shape not in ((shape[0], 4), (1, 4)):
        reason = f"boxes: expected integers (top, left, bottom, right) for each of {shape[0]} "
        reason += f"maps, got {boxes.dtype} of the shape {boxes.shape}"
        raise UserError(reason)
    first, last = boxes[:, :2], boxes[:, 2:]
    if not ((first >= 0) & (first < last) & (last <= shape[1:])).all():
        raise UserError(f"boxes: one is empty or extends beyond the map of {shape[1]} × {shape[2]}")
    rows, columns = np.ogrid[: shape[1], : shape[2]]
    top, left, bottom, right = (side[:, None, None] for side in boxes.T)
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return np.broadcast_to(inside, shape)


def checked_maps(maps: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return the maps as an array of finite numbers.

    Raises:
        UserError: They are not, or their shape differs from that of the images.
    """
    maps = np.asarray(maps)
    if shape is None and (maps.ndim != 3 or not maps.size):
        raise UserError(f"maps: expected (n, height, width), got {maps.shape}")
    if shape is not None and maps.shape != shape:
        raise UserError(f"maps: expected {shape} for these images, got {maps.shape}")
    if maps.dtype.kind not in "iufb" or not np.isfinite(maps).all():
        raise UserError("maps: hold values that are NaN, infinite or not numbers")
    return maps.astype(float)
