"""Integrated gradients: attributions that add up to the score's change from a baseline."""

import warnings
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers.questions import ClassIndices, Images, Question, ask, class_scores
from dlcourse.visualizers.saliency import gradients, sum_channels

ROWS = 512  # points of the path in one pass
FIRST_STEPS, MOST_STEPS = 32, 1024
TOLERANCE = 1e-4


def integrated_gradients(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    baseline: Any = 0.0,
    steps: int | None = None,
    output: int | str = 0,
    return_gap: bool = False,
) -> Any:
    """Return (input − baseline) · the gradient's mean along the straight path between them.

    The sum of a map is the score of the image minus that of the baseline (completeness); how far
    it is from that is the gap. Without `steps`, the path is divided ever more finely (up to 1,024
    points) until the gap is below 1e-4 of the change or of 1, whichever is larger.

    Args:
        model, images, class_indices, output: As for `saliency`.
        baseline: A number for every value, or an array of an image's shape (a list of them for a
            list of inputs).
        steps: Points of the path (midpoints); None: as many as completeness needs.
        return_gap: Also return the gap of each example, `(n,)`.

    Returns:
        `(n, height, width)`, an image's channels summed; sequences and rows keep their shape.
        With `return_gap`, `(maps, gap)`.

    Raises:
        UserError: What was given does not fit together.

    References:
        Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017, arXiv:1703.01365.
    """
    if steps is not None and steps < 1:
        raise UserError(f"integrated_gradients: steps is 1 or more, got {steps}")
    question = ask(model, images, class_indices, output=output)
    baselines = baselines_of(question, baseline)
    change = class_scores(question) - class_scores(question, baselines)
    number = steps or FIRST_STEPS
    while True:
        parts = _integral(question, baselines, number)
        gap = sum(part.reshape(len(part), -1).sum(axis=1) for part in parts) - change
        complete = bool((np.abs(gap) <= TOLERANCE * np.maximum(1, np.abs(change))).all())
        if complete or steps is not None or number >= MOST_STEPS:
            break
        number *= 2
    if not complete and steps is None:
        warnings.warn(
            f"integrated_gradients: the sum misses the score's change by {np.abs(gap).max():.2g} "
            f"with {number} steps",
            stacklevel=2,
        )
    maps = question.give([sum_channels(part) for part in parts])
    return (maps, gap) if return_gap else maps


def baselines_of(question: Question, baseline: Any) -> list[np.ndarray]:
    """Return the baseline of each input, `(n, …)`, from a number, an array or a list of them.

    Raises:
        UserError: It does not fit the inputs.
    """
    given = baseline if isinstance(baseline, list | tuple) else [baseline] * len(question.inputs)
    if len(given) != len(question.inputs):
        raise UserError(f"baseline: {len(given)} for {len(question.inputs)} inputs")
    try:
        return [
            np.broadcast_to(np.asarray(one, "float32"), x.shape)
            for one, x in zip(given, question.inputs, strict=True)
        ]
    except ValueError:
        shapes = " and ".join(str(x.shape[1:]) for x in question.inputs)
        raise UserError(f"baseline: expected a number or an array of {shapes}") from None


def _integral(question: Question, baselines: list[np.ndarray], steps: int) -> list[np.ndarray]:
    """The product of the difference and the gradient's mean over the path's midpoints."""
    n = len(question.indices)
    at_once = min(steps, max(1, ROWS // n))
    places = ((np.arange(steps) + 0.5) / steps).astype("float32")
    sums = [np.zeros(x.shape) for x in question.inputs]
    for start in range(0, steps, at_once):
        alphas = places[start : start + at_once]
        points = [
            (b + np.multiply.outer(alphas, x - b)).reshape(-1, *x.shape[1:])
            for x, b in zip(question.inputs, baselines, strict=True)
        ]
        found = gradients(question.repeated(len(alphas), points))
        for total, g in zip(sums, found, strict=True):
            total += g.reshape(len(alphas), n, *g.shape[1:]).sum(axis=0)
    return [
        (x - b) * total / steps
        for x, b, total in zip(question.inputs, baselines, sums, strict=True)
    ]
