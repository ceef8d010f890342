"""Integrated gradients: attributions that add up to the change of the score from a baseline."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.saliency import gradients, with_embeddings
from dlcourse.visualizers.targets import ClassIndices, Images, Target, class_scores, target_of

FIRST_STEPS, MOST_STEPS = 32, 1024
TOLERANCE = 1e-4


@checked
def integrated_gradients(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    baseline: Any = 0.0,
    steps: Positive | None = None,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
    return_gap: bool = False,
) -> Any:
    """Return (input − baseline) times the mean gradient along the straight path between them.

    The sum of a map is the score of the image minus that of the baseline (completeness); the
    deviation from it is the gap. Without `steps`, the path is refined where the score bends (up to
    1,344 points) until the gap is below 1e-4 · max(1, |change of the score|).

    Args:
        model, images, class_indices, output, where: As for `saliency`.
        baseline: Number for every value, or array of the shape of one image (a list of these for a
            list of inputs). For tokens, of their embedding.
        steps: Number of points on the path (midpoints). None for as many as completeness needs.
        batch_size: Number of points in a pass, as for `saliency`.
        return_gap: Whether to return the gap of each example, `(n,)`, as well.

    Returns:
        `(n, height, width)`, summed over the channels; sequences and rows keep their shape.
        With `return_gap`, `(maps, gap)`.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017, arXiv:1703.01365.
    """

    def maps(part: Target) -> Any:
        part = with_embeddings(part)
        baselines = baselines_of(part, baseline)
        change = class_scores(part) - class_scores(part, baselines)
        edges = np.linspace(0, 1, (steps or FIRST_STEPS) + 1) * np.ones((len(change), 1))
        while True:
            parts, rises = _integral(part, baselines, edges)
            gap = rises.sum(axis=1) - change
            tolerated = TOLERANCE * np.maximum(1, np.abs(change))
            if (np.abs(gap) <= tolerated).all() or steps or edges.shape[1] > MOST_STEPS:
                over = np.where(np.abs(gap) <= tolerated, 0, np.abs(gap))
                return part.maps(parts, np.sum), gap, over, np.full(len(gap), rises.shape[1])
            edges = _divided(part, baselines, edges, rises)

    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    found, gap, over, taken = target.in_batches(maps)
    if over.any() and steps is None:
        reason = f"the sum misses the score's change by {over.max():.2g} with {taken.max()} steps"
        warnings.warn(f"integrated_gradients: {reason}", stacklevel=2)
    return (found, gap) if return_gap else found


def baselines_of(target: Target, baseline: Any) -> list[np.ndarray]:
    """Return the baseline of each input, `(n, …)`, from a number, an array or a list of these.

    Raises:
        UserError: It does not fit the inputs.
    """
    values = baseline if isinstance(baseline, list | tuple) else [baseline] * len(target.inputs)
    if len(values) != len(target.inputs):
        raise UserError(f"baseline: got {len(values)}, expected one per input")
    arrays = []
    with suppress(ValueError, TypeError):
        arrays = [
            np.broadcast_to(np.broadcast_to(np.asarray(value, "float32"), x[:1].shape), x.shape)
            for value, x in zip(values, target.inputs, strict=True)
        ]
    if not arrays or not all(np.isfinite(array).all() for array in arrays):
        shapes = " and ".join(str(x.shape[1:]) for x in target.inputs)
        raise UserError(f"baseline: expected a number or an array of {shapes}")
    # what is masked stays so on the whole path
    rows = zip(map(target.ended, range(len(arrays))), target.inputs, arrays, strict=True)
    return [np.where(ended, x, b) if ended.any() else b for ended, x, b in rows]


def _integral(
    target: Target, baselines: list[np.ndarray], edges: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return difference · gradient over the path, and the part of each interval, `(n, steps)`.

    Args:
        target, baselines: End and start of the path.
        edges: Edges `(n, steps + 1)` of the intervals, from 0 to 1; the gradient is taken in the
            middle of each interval.
    """
    sums = [np.zeros(x.shape) for x in target.inputs]
    rises = np.zeros((len(edges), edges.shape[1] - 1))
    widths = np.diff(edges, axis=1)
    for columns, points in _path(target, baselines, edges[:, :-1] + widths / 2):
        slopes = gradients(points)
        for total, x, b, g in zip(sums, target.inputs, baselines, slopes, strict=True):
            width = widths[:, columns].T.reshape(-1, len(x), *(1,) * (x.ndim - 1))
            added = width * (x - b) * g.reshape(-1, *x.shape)
            total += added.sum(axis=0)
            rises[:, columns] += added.reshape(*added.shape[:2], -1).sum(axis=2).T
    return sums, rises


def _divided(
    target: Target, baselines: list[np.ndarray], edges: np.ndarray, rises: np.ndarray
) -> np.ndarray:
    """Return the edges with a new edge in the intervals whose sum misses the score the most.

    Between the kinks of ReLUs the gradient hardly changes: only the intervals with a kink need to
    be small.
    """
    scores = [class_scores(points) for _, points in _path(target, baselines, edges[:, :-1])]
    before = np.concatenate([part.reshape(-1, len(edges)) for part in scores]).T
    changes = np.diff(np.column_stack([before, class_scores(target)]), axis=1)
    number = max(FIRST_STEPS, rises.shape[1] // 2 // FIRST_STEPS * FIRST_STEPS)
    worst = np.argsort(-np.abs(rises - changes), axis=1)[:, :number]
    middles = edges[:, :-1] + np.diff(edges, axis=1) / 2
    return np.sort(np.hstack([edges, np.take_along_axis(middles, worst, axis=1)]), axis=1)


def _path(
    target: Target, baselines: list[np.ndarray], places: np.ndarray
) -> Iterator[tuple[slice, Target]]:
    """Yield the target at `places` `(n, steps)` of the path, a few columns at a time."""
    at_once = max(1, min(FIRST_STEPS, target.batch_size // len(places)))
    for start in range(0, places.shape[1], at_once):
        columns = slice(start, min(start + at_once, places.shape[1]))
        share = places[:, columns].T.astype("float32")
        points = [
            (b + share.reshape(-1, len(x), *(1,) * (x.ndim - 1)) * (x - b)).reshape(
                -1, *x.shape[1:]
            )
            for x, b in zip(target.inputs, baselines, strict=True)
        ]
        yield columns, target.repeated(len(share), points)
