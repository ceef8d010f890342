"""Activation maximization: the image that a class, a unit or a filter answers to most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import InstanceOf, SkipValidation

from dlcourse.errors import UserError
from dlcourse.schema import Natural, NonNegative, Output, Positive, checked, shown
from dlcourse.visualizers import hooks
from dlcourse.visualizers import transformations as moved
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import Reader, Target, model_shapes, numbers, target_of

Range = tuple[float, float]
Callback = Callable[[int, Any, np.ndarray], None]
"""`callback(step, images, scores)`, step from 1, after each step."""
SLOPE = 0.1
"""Of a unit where it does not answer: with ReLU's 0, most filters would see nowhere to climb."""
DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


@dataclass(frozen=True)
class Regularizers:
    """What an image pays for, in parts of its score, with values brought to [0, 1].

    Attributes:
        total_variation: Times the mean |difference| of neighbouring values: smooth images.
        norm: Times the mean |value − middle|^p, to the power 1/p: small deviations.
        p: The norm's order.
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
    """Return, for each target, an image that it answers to strongly.

    Ascent on the score minus what the regularizers cost, by Adam. The score is a class's logit, or
    a unit's output, for a filter its mean over the places, through a ReLU that leaks (see `SLOPE`).
    At each step the network sees the image randomly shifted, turned and scaled: what survives is
    the pattern rather than its noise.

    Args:
        model: Any Keras 3 model.
        targets: Class indices, or with `layer` units or filters of that layer: an image each, all
            optimised together.
        layer: A name, a position or a layer whose units are asked; None: the model's output.
        output: Which of several outputs, by position or name.
        value_range: (least, largest) value of the model's input; a list for several inputs.
        start: Where to begin: `(height, width, channels)` or one for each target, in the value
            range; None: grey with a little noise.
        steps: Of the ascent.
        learning_rate: Of Adam, in units of the value range.
        regularizers: The costs; by default some total variation, for images.
        transformations: The random views; by default, for images, shifts of a twelfth of the side
            and turns of some degrees.
        fourier: Ascend in the image's spectrum instead of its pixels, each frequency scaled as in
            natural images: smoother, with fewer fine ripples (images only).
        seed: Of the noise and the transformations.
        callback: Function called after each step (slower: without it the steps run as one
            compiled loop).
        progress: Show Keras' progress bar, with the mean score.

    Returns:
        `(targets, height, width, channels)`, or a list for a model of several inputs.

    Raises:
        UserError: What was given does not fit together.

    References:
        Erhan et al., "Visualizing Higher-Layer Features of a Deep Network", 2009; Mahendran and
        Vedaldi, arXiv:1412.0035 (total variation); Olah et al., "Feature Visualization", 2017,
        doi:10.23915/distill.00007 (transformations, spectrum).
    """
    rng = np.random.default_rng(seed)
    ranges, begin = _beginning(model, targets, value_range, start, rng)
    indices = targets if np.ndim(targets) else [targets]
    target = target_of(model, begin, 0 if layer is not None else indices, output=output)
    place = target.layer(layer, "activation_maximization") if layer is not None else None
    chosen = _units(target, place, indices)
    images = all(x.ndim == 4 for x in begin)
    costs = regularizers or (Regularizers() if images else Regularizers(total_variation=0.0))
    views = transformations or (moved.default(begin[0].shape) if images else moved.NONE)
    if not images and (fourier or views != moved.NONE or costs.total_variation):
        raise UserError(
            "activation_maximization: total_variation, transformations and fourier are for images "
            "(n, height, width, channels)"
        )
    ascent = Ascent(target.reader, place, ranges, costs, views.blur, fourier)
    draws = views.draw(steps, len(chosen), begin[0].shape[1:3], rng) if images else None

    def advance(state: Any, first: int, last: int) -> tuple[Any, Any]:
        part = np.zeros((last - first, 1), "float32") if draws is None else draws[first:last]
        numbers = np.asarray([first, learning_rate], "float32")
        return target.run(("ascent", ascent), ascent.steps, state, chosen, part, numbers)

    return ascent.images(_climb(ascent, advance, ascent.state(begin), steps, callback, progress))


def _climb(
    ascent: "Ascent",
    advance: Callable[[Any, int, int], tuple[Any, Any]],
    state: Any,
    steps: int,
    callback: Callback | None,
    progress: bool,
) -> Any:
    """Return the state after all steps: compiled in one loop, or in blocks to be told of."""
    import keras

    block = 1 if callback else max(1, steps // 20) if progress else steps
    bar = keras.utils.Progbar(steps, stateful_metrics=["score"], verbose=int(progress))
    for first in range(0, steps, block):
        last = min(first + block, steps)
        state, scores = advance(state, first, last)
        if progress:
            bar.update(last, [("score", float(np.mean(np.asarray(scores))))])
        if callback:
            callback(last, ascent.images(state), np.asarray(scores))
    return state


@dataclass(frozen=True)
class Ascent:
    """What an ascent follows, without the model; its state is (values, moments, squares)."""

    reader: Reader
    place: LayerCall | None
    ranges: tuple[Range, ...]
    costs: Regularizers
    blur: float
    fourier: bool

    def state(self, images: list[np.ndarray]) -> tuple[list, list, list]:
        """Return the state that shows the images, given in their value ranges."""
        pairs = zip(images, self.ranges, strict=True)
        units = [np.clip((x - low) / (high - low), 0, 1) for x, (low, high) in pairs]
        values = [moved.spectrum(x) for x in units] if self.fourier else units
        values = [np.asarray(x, "float32") for x in values]
        zeros = [np.zeros_like(x) for x in values]
        return values, zeros, [z.copy() for z in zeros]

    def images(self, state: Any) -> Any:
        """Return the images of a state in their value ranges, a list for several inputs."""
        found = [
            (low + (high - low) * np.clip(np.asarray(x), 0, 1)).astype("float32")
            for x, (low, high) in zip(self.shown(state[0]), self.ranges, strict=True)
        ]
        return found if len(found) > 1 else found[0]

    def shown(self, values: list) -> list:
        """Return the images in [0, 1] of the values: pixels, or spectra."""
        return [moved.image_of_spectrum(x) for x in values] if self.fourier else values

    def steps(self, model: Any, state: Any, units: Any, draws: Any, numbers: Any) -> Any:
        """Return the state after a step per draw, and the last scores.

        Args:
            model, state, units: The model, where to begin, and what is asked of each image.
            draws: Views `(steps, targets, 8)`, or `(steps, 1)` for none.
            numbers: The number of the first step, and the learning rate.
        """
        from keras import ops

        def step(number: Any, carried: Any) -> Any:
            values, moments, squares, _ = carried
            view = ops.take(draws, number, axis=0) if len(draws.shape) == 3 else None
            _, gradient, scores = value_and_gradient(
                lambda values: self.score(model, values, units, view)
            )(values)
            time = numbers[0] + ops.cast(number, "float32") + 1
            moved_on = [
                _adam(*one, time, numbers[1], clip=not self.fourier)
                for one in zip(values, gradient, moments, squares, strict=True)
            ]
            return (*map(list, zip(*moved_on, strict=True)), scores)

        start = [[ops.convert_to_tensor(x) for x in part] for part in state]
        start = (*start, ops.zeros(ops.shape(units), "float32"))
        *end, scores = ops.fori_loop(0, draws.shape[0], step, start)
        return tuple(end), scores

    def score(self, model: Any, values: list, units: Any, view: Any) -> tuple[Any, Any]:
        """Return the score less its costs, and the score, both `(targets,)`."""
        from keras import ops

        shown = self.shown(values)
        pairs = zip(shown, self.ranges, strict=True)
        inputs = [low + (high - low) * moved.seen(x, view, self.blur) for x, (low, high) in pairs]
        if self.place is None:
            scores = self.reader.scores(self.reader.read(model, inputs)[0], units)
        else:
            changes = _without_relu(model, self.place)
            _, (answers,) = hooks.record(model, inputs, [self.place], changes)
            answers = ops.leaky_relu(ops.cast(answers, "float32"), SLOPE)
            scores = replace(self.reader, output_activation=None).scores(answers, units)
        cost = sum(_cost(x, self.costs) for x in shown)
        size = ops.stop_gradient(ops.maximum(ops.abs(scores), EPSILON))
        return self.reader.scale * (scores / size - cost), scores


def _without_relu(model: Any, place: LayerCall) -> list[tuple[int, hooks.Hook]]:
    """Return the hook that lets a layer give what goes into its own ReLU; none without one."""
    from keras import activations

    layer = hooks.all_layers(model)[place.position]
    if getattr(layer, "activation", None) is not activations.relu:
        return []
    return [(place.position, hooks.with_activation(layer, activations.linear))]


def _adam(
    value: Any, gradient: Any, moment: Any, square: Any, time: Any, rate: Any, *, clip: bool
) -> tuple[Any, Any, Any]:
    """Return value, moment and square after one ascending step of Adam (Kingma and Ba 2015)."""
    from keras import ops

    moment = DECAY_1 * moment + (1 - DECAY_1) * gradient
    square = DECAY_2 * square + (1 - DECAY_2) * gradient * gradient
    first = moment / (1 - ops.power(DECAY_1, time))
    second = square / (1 - ops.power(DECAY_2, time))
    value = value + rate * first / (ops.sqrt(second) + EPSILON)
    return (ops.clip(value, 0.0, 1.0) if clip else value), moment, square


def _cost(x: Any, costs: Regularizers) -> Any:
    """Return what each image `(n, …)` in [0, 1] pays, `(n,)`."""
    from keras import ops

    axes = tuple(range(1, len(x.shape)))
    total = ops.zeros((x.shape[0],), "float32")
    if costs.total_variation:
        down = ops.mean(ops.abs(x[:, 1:] - x[:, :-1]), axis=axes)
        across = ops.mean(ops.abs(x[:, :, 1:] - x[:, :, :-1]), axis=axes)
        total = total + costs.total_variation * (down + across)
    if costs.norm:
        away = ops.abs(x - 0.5)
        if costs.p != 1:  # the root has no slope at 0
            mean = ops.mean(ops.power(away + 1e-6, costs.p), axis=axes)
            total = total + costs.norm * ops.power(mean, 1 / costs.p)
        else:
            total = total + costs.norm * ops.mean(away, axis=axes)
    return total


def _units(target: Target, place: LayerCall | None, targets: Any) -> np.ndarray:
    """Return the asked units, checked against the layer's number of them."""
    if place is None:
        return target.indices
    units = np.asarray(targets)
    if place.shape is None:
        raise UserError(f"activation_maximization: layer {place.name} gives no single array")
    if units.min() < 0 or units.max() >= place.shape[-1]:
        raise UserError(f"targets: layer {place.name} has units 0 to {place.shape[-1] - 1}")
    return units.astype("int32")


def _beginning(
    model: Any, targets: Any, value_range: Any, start: Any, rng: np.random.Generator
) -> tuple[tuple[Range, ...], list[np.ndarray]]:
    """Return the value ranges and the first images, `(targets, …)` for each input."""
    asked = np.asarray(targets)
    if not asked.size or asked.ndim > 1 or asked.dtype.kind not in "iu":
        raise UserError(f"targets: expected whole numbers, one or more, got {shown(targets)}")
    count = asked.size
    given = start if isinstance(start, list | tuple) else [start]
    shapes = model_shapes(model) or [np.shape(x)[-3:] for x in given if x is not None]
    if not shapes:
        raise UserError("start: this model names no input shape: give a start image")
    ranges = value_ranges(value_range, len(shapes))
    given = given if len(given) == len(shapes) else [None] * len(shapes)
    begin = []
    for x, shape, (low, high) in zip(given, shapes, ranges, strict=True):
        if x is None:
            if None in shape:
                raise UserError(f"start: the model takes images of any size {shape}: give one")
            x = low + (high - low) * (0.5 + 0.05 * rng.standard_normal((count, *shape)))
        x = numbers(x, "start")
        x = x[None] if x.ndim == len(shape) else x
        if x.ndim != len(shape) + 1 or len(x) not in (1, count):
            raise UserError(f"start: an array of {x.shape} for {count} targets of {shape}")
        begin.append(np.broadcast_to(x, (count, *x.shape[1:])).astype("float32"))
    return ranges, begin


def value_ranges(value_range: Any, inputs: int) -> tuple[Range, ...]:
    """Return (least, largest) of each input.

    Raises:
        UserError: It is no such pair, nor one for each input.
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
