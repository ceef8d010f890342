"""Activation maximization: the image that most activates a class, a unit or a filter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import InstanceOf, SkipValidation

from dlcourse.errors import UserError
from dlcourse.heavy import keras, ops
from dlcourse.schema import Natural, NonNegative, Output, Positive, checked, shown
from dlcourse.visualizers import hooks
from dlcourse.visualizers import transformations as moved
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.operations import within
from dlcourse.visualizers.saliency import PART, WHOLE
from dlcourse.visualizers.targets import Reader, Target, model_shapes, numbers, target_of

Range = tuple[float, float]
Callback = Callable[[int, Any, np.ndarray], None]
"""`callback(step, images, scores)`, step from 1, after each step."""
SLOPE = 0.1
"""Negative slope of the leaky ReLU used in place of ReLU: an inactive unit still has a gradient."""
DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


@dataclass(frozen=True)
class Regularizers:
    """Penalties on an image, relative to its score; its values are scaled to [0, 1].

    Attributes:
        total_variation: Weight of the mean |difference| of neighbouring values: smooth images.
        norm: Weight of (mean |value − middle|^p)^(1/p): small deviations.
        p: Order of the norm.
    """

    total_variation: float = 0.5
    norm: float = 0.0
    p: float = 2.0


@checked
def activation_maximization(
    model: Any,
    targets: int | Sequence[int],
    *,
    layer: Any = None,
    output: Output = 0,
    value_range: SkipValidation[Range | Sequence[Range]] = (0.0, 255.0),
    start: Any = None,
    steps: Positive = 200,
    learning_rate: NonNegative = 0.05,
    regularizers: InstanceOf[Regularizers] | None = None,
    transformations: InstanceOf[moved.Transformations] | None = None,
    fourier: bool = False,
    seed: Natural = 0,
    callback: Callback | None = None,
    progress: bool = False,
) -> Any:
    """Return, for each target, an image that activates it strongly.

    Gradient ascent by Adam on the score minus the penalties. The score is a class's logit or a
    unit's output through a leaky ReLU (see `SLOPE`), for a filter the mean over the positions. At
    each step the network sees the image randomly shifted, rotated and scaled, so that the pattern
    survives rather than noise.

    Args:
        model: Any Keras 3 model.
        targets: Class indices or, with `layer`, units or filters of that layer. Each gives one
            image; all are optimised together.
        layer: Layer whose units are maximized: a name, a position or the layer. None for the
            model's output.
        output: Position or name of the output to read, where the model has several.
        value_range: Pair (least, largest) of the model's input values; a list of pairs for several
            inputs.
        start: Initial image `(height, width, channels)` in the value range, or one per target.
            None for grey with a little noise.
        steps: Number of ascent steps.
        learning_rate: Learning rate of Adam, in units of the value range.
        regularizers: Penalties; by default some total variation, for images.
        transformations: Random views; by default, for images, shifts by up to a twelfth of the
            side, rotations by up to 5 degrees and scaling by up to 5 %.
        fourier: Whether to ascend in the image's spectrum instead of its pixels, each frequency
            scaled as in natural images: smoother, with fewer fine ripples (images only).
        seed: Seed of the noise and the transformations.
        callback: Function called after each step (slower: without it the steps run as one
            compiled loop).
        progress: Whether to show Keras' progress bar, with the mean score.

    Returns:
        `(targets, height, width, channels)`, or a list of these for a model with several inputs.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Erhan et al., "Visualizing Higher-Layer Features of a Deep Network", 2009; Mahendran and
        Vedaldi, arXiv:1412.0035 (total variation); Olah et al., "Feature Visualization", 2017,
        doi:10.23915/distill.00007 (transformations, spectrum).
    """
    rng = np.random.default_rng(seed)
    ranges, begin = _beginning(model, targets, value_range, start, rng)
    indices = targets if np.ndim(targets) else [targets]
    target = target_of(model, begin, 0 if layer is not None else indices, output=output)
    whole = [k for k in range(len(begin)) if target.takes_whole_numbers(k)]
    if whole:
        raise UserError(f"activation_maximization: input {whole[0]}: {WHOLE}: {PART}")
    place = hooks.find_layer(target.calls, layer, model) if layer is not None else None
    chosen = _units(target, place, indices)
    images = all(x.ndim == 4 for x in begin)
    costs = regularizers or (Regularizers() if images else Regularizers(total_variation=0.0))
    views = transformations or (moved.default(begin[0].shape) if images else moved.NONE)
    if not images and (fourier or views != moved.NONE or costs.total_variation):
        reason = "activation_maximization: total_variation, transformations and fourier are for "
        reason += "images (n, height, width, channels)"
        raise UserError(reason)
    ascent = Ascent(target.reader, place, ranges, costs, views.blur, fourier)
    draws = views.draw(steps, len(chosen), begin[0].shape[1:3], rng) if images else None

    def advance(state: Any, first: int, last: int) -> tuple[Any, Any]:
        part = np.zeros((last - first, 1), "float32") if draws is None else draws[first:last]
        numbers = np.asarray([first, learning_rate], "float32")
        return target.run(("ascent", ascent), ascent.steps, state, chosen, part, numbers)

    return ascent.climb(advance, begin, steps, callback, progress)


@dataclass(frozen=True)
class Ascent:
    """The objective of an ascent, without the model; its state is (values, moments, squares)."""

    reader: Reader
    place: LayerCall | None
    ranges: tuple[Range, ...]
    costs: Regularizers
    blur: float
    fourier: bool

    def climb(
        self, advance: Callable[..., Any], begin: list, steps: int, callback: Any, progress: bool
    ) -> Any:
        """Return the images after all steps: one compiled loop, or blocks that report in between.

        Args:
            advance: Function of a state and two steps that returns the state after the second, and
                the last scores.
            begin, steps, callback, progress: As for `activation_maximization`.
        """
        state = self.state(begin)
        block = 1 if callback else max(1, steps // 20) if progress else steps
        bar = keras.utils.Progbar(steps, stateful_metrics=["score"], verbose=int(progress))
        for first in range(0, steps, block):
            last = min(first + block, steps)
            state, scores = advance(state, first, last)
            if progress:
                bar.update(last, [("score", float(np.mean(np.asarray(scores))))])
            if callback:
                callback(last, self.images(state), np.asarray(scores))
        return self.images(state)

    def state(self, images: list[np.ndarray]) -> tuple[list, list, list]:
        """Return the state that encodes the images, which are given in their value ranges."""
        pairs = zip(images, self.ranges, strict=True)
        units = [np.clip((x - low) / (high - low), 0, 1) for x, (low, high) in pairs]
        values = [moved.spectrum(x) for x in units] if self.fourier else units
        values = [np.asarray(x, "float32") for x in values]
        return values, list(map(np.zeros_like, values)), list(map(np.zeros_like, values))

    def images(self, state: Any) -> Any:
        """Return the images of a state in their value ranges; a list for several inputs."""
        images = [
            (low + (high - low) * np.clip(np.asarray(x), 0, 1)).astype("float32")
            for x, (low, high) in zip(self.shown(state[0]), self.ranges, strict=True)
        ]
        return images if len(images) > 1 else images[0]

    def shown(self, values: list) -> list:
        """Return the images in [0, 1] that the values encode: pixels or spectra."""
        return [moved.image_of_spectrum(x) for x in values] if self.fourier else values

    def steps(self, model: Any, state: Any, units: Any, draws: Any, numbers: Any) -> Any:
        """Return the state after one step per draw, and the last scores.

        Args:
            model, state, units: The model, the initial state, and each image's class or unit.
            draws: Views `(steps, targets, 8)`, or `(steps, 1)` for none.
            numbers: Index of the first step, and the learning rate.
        """

        def step(number: Any, carried: Any) -> Any:
            values, moments, squares, _ = carried
            view = ops.take(draws, number, axis=0) if len(draws.shape) == 3 else None
            _, gradient, scores = value_and_gradient(
                lambda values: self.score(model, values, units, view)
            )(values)
            time = numbers[0] + ops.cast(number, "float32") + 1
            updated = [
                _adam(*parts, time, numbers[1], clip=not self.fourier)
                for parts in zip(values, gradient, moments, squares, strict=True)
            ]
            return (*map(list, zip(*updated, strict=True)), scores)

        start = [[ops.convert_to_tensor(x) for x in part] for part in state]
        start = (*start, ops.zeros(ops.shape(units), "float32"))
        *end, scores = ops.fori_loop(0, draws.shape[0], step, start)
        return tuple(end), scores

    def score(self, model: Any, values: list, units: Any, view: Any) -> tuple[Any, Any]:
        """Return the score minus its penalties, and the score, both `(targets,)`."""
        shown = self.shown(values)
        pairs = zip(shown, self.ranges, strict=True)
        inputs = [low + (high - low) * moved.seen(x, view, self.blur) for x, (low, high) in pairs]
        if self.place is None:
            scores = self.reader.scores(self.reader.read(model, inputs)[0], (units, 1.0))
        else:
            activation = getattr(hooks.all_layers(model)[self.place.position], "activation", None)
            inside, own = [], activation is keras.activations.relu  # to be left out

            def linear(name: str, function: Any, /, x: Any, *args: Any, **kwargs: Any) -> Any:
                return x if own and inside and name == "relu" else function(x, *args, **kwargs)

            changes = [(self.place.position, within(inside))]
            _, (activations,) = hooks.record(model, inputs, [self.place], changes, linear)
            activations = ops.leaky_relu(ops.cast(activations, "float32"), SLOPE)
            scores = replace(self.reader, output_activation=None, unread=False).scores(
                activations, (units, 1.0)
            )
        cost = sum(_cost(x, self.costs) for x in shown)
        size = ops.stop_gradient(ops.maximum(ops.abs(scores), EPSILON))
        return scores / size - cost, scores


def _adam(
    value: Any, gradient: Any, moment: Any, square: Any, time: Any, rate: Any, *, clip: bool
) -> tuple[Any, Any, Any]:
    """Return value, moment and square after one ascending step of Adam (Kingma and Ba 2015)."""
    moment = DECAY_1 * moment + (1 - DECAY_1) * gradient
    square = DECAY_2 * square + (1 - DECAY_2) * gradient * gradient
    first = moment / (1 - ops.power(DECAY_1, time))
    second = square / (1 - ops.power(DECAY_2, time))
    value = value + rate * first / (ops.sqrt(second) + EPSILON)
    return (ops.clip(value, 0.0, 1.0) if clip else value), moment, square


def _cost(x: Any, costs: Regularizers) -> Any:
    """Return the penalty of each image `(n, …)` in [0, 1], `(n,)`."""
    axes = tuple(range(1, len(x.shape)))
    total = ops.zeros((x.shape[0],), "float32")
    if costs.total_variation:
        for axis in (1, 2):
            steps = ops.abs(ops.diff(x, axis=axis))
            total = total + costs.total_variation * ops.mean(steps, axis=axes)
    if costs.norm:
        away = ops.abs(x - 0.5) + (1e-6 if costs.p != 1 else 0.0)  # a root has no derivative at 0
        mean = ops.mean(ops.power(away, costs.p), axis=axes)
        total = total + costs.norm * ops.power(mean, 1 / costs.p)
    return total


def _units(target: Target, place: LayerCall | None, targets: Any) -> np.ndarray:
    """Return the requested units, checked against the layer's number of units."""
    if place is None:
        return target.indices
    units = np.asarray(targets)
    if place.shape is None:
        raise UserError(f"activation_maximization: layer {place.name} has no single output")
    if units.min() < 0 or units.max() >= place.shape[-1]:
        raise UserError(f"targets: expected units 0 to {place.shape[-1] - 1} of layer {place.name}")
    return units.astype("int32")


def _beginning(
    model: Any, targets: Any, value_range: Any, start: Any, rng: np.random.Generator
) -> tuple[tuple[Range, ...], list[np.ndarray]]:
    """Return the value ranges and the initial images, `(targets, …)` for each input."""
    indices = np.asarray(targets)
    if not indices.size or indices.ndim > 1 or indices.dtype.kind not in "iu":
        raise UserError(f"targets: expected whole numbers, one or more, got {shown(targets)}")
    count = indices.size
    starts = start if isinstance(start, list | tuple) else [start]
    shapes = model_shapes(model) or [np.shape(x)[-3:] for x in starts if x is not None]
    if not shapes:
        raise UserError("start: this model has no known input shape: give a start image")
    ranges = value_ranges(value_range, len(shapes))
    starts = starts if start is not None else [None] * len(shapes)
    if len(starts) != len(shapes):
        raise UserError(f"start: the model has {len(shapes)} inputs, got {len(starts)}")
    begin = []
    for x, shape, (low, high) in zip(starts, shapes, ranges, strict=True):
        if x is None:
            if None in shape:
                raise UserError(f"start: the model takes any size {shape}: give an image")
            x = low + (high - low) * (0.5 + 0.05 * rng.standard_normal((count, *shape)))
        x = numbers(x, "start")
        x = x[None] if x.ndim == len(shape) else x
        if x.ndim != len(shape) + 1 or len(x) not in (1, count):
            raise UserError(f"start: expected {shape} for {count} targets, got {x.shape}")
        begin.append(np.broadcast_to(x, (count, *x.shape[1:])).astype("float32"))
    return ranges, begin


def value_ranges(value_range: Any, inputs: int) -> tuple[Range, ...]:
    """Return (least, largest) of each input.

    Raises:
        UserError: It is neither one such pair nor one pair per input.
    """
    try:
        pairs = np.broadcast_to(np.asarray(value_range, float), (inputs, 2)).tolist()
    except (TypeError, ValueError):
        pairs = []
    if not pairs or not all(low < high < np.inf and low > -np.inf for low, high in pairs):
        raise UserError(
            f"value_range: expected (least, largest) for each of {inputs} inputs, got {value_range}"
        )
    return tuple((float(low), float(high)) for low, high in pairs)
