"""The target of an explanation: the inputs, and the class score, read before the softmax."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import shown
from dlcourse.visualizers import hooks
from dlcourse.visualizers.backend import compiled
from dlcourse.visualizers.hooks import Hook, LayerCall

ClassIndices = int | np.integer | list[int] | tuple[int, ...] | np.ndarray | None
Images = Any
"""An array `(n, …)`, or a list of arrays for a model with several inputs."""
HALF_SCALE = 1024.0  # float16 gradients below 6e-8 underflow: the score is scaled up


@dataclass(frozen=True)
class Target:
    """A model, its inputs as float32, and the class whose score is explained for each example.

    Attributes:
        model: The Keras model; it is never changed.
        inputs: One float32 array `(n, …)` per input.
        was_list: Whether the caller gave a list of inputs; the result is then a list, too.
        indices: The class of each example, `(n,)` int32.
        output: Index of the model's output that is read.
        calls: The model's layer calls.
        output_activation: Activation between logits and output, `softmax` or `sigmoid`, or None.
    """

    model: Any
    inputs: list[np.ndarray]
    was_list: bool
    indices: np.ndarray
    output: int
    calls: tuple[LayerCall, ...]
    output_activation: str | None

    @property
    def reader(self) -> "Reader":
        """The reader of the score; it holds no reference to the model."""
        last = _output_call(self.calls, self.output)
        types = [getattr(x, "compute_dtype", "") for x in hooks.all_layers(self.model)]
        last = last if self.output_activation else None
        return Reader(self.output, last, self.output_activation, "float16" in types)

    def layer(self, layer: Any, method: str) -> LayerCall:
        """Return the last call of a layer; by default of the last convolution with one output.

        Raises:
            UserError: There is no such layer; `method` is named in the message.
        """
        if layer is not None:
            return hooks.find_layer(self.calls, layer, self.model)
        layers = hooks.all_layers(self.model)
        for call in reversed(self.calls):
            if hooks.is_convolution(layers[call.position]) and call.shape:
                return call
        raise UserError(
            f"{method}: the model has no convolutional layer (name another with layer=…, or use a "
            "gradient method such as saliency)"
        )

    def run(
        self, key: tuple, function: Callable[..., Any], *arguments: Any, plain_first: bool = False
    ) -> Any:
        """Return `function(model, *arguments)`, compiled for their shapes, cached under `key`."""
        import keras

        shapes = tuple(np.shape(x) for x in keras.tree.flatten(arguments))
        whole = (*key, shapes, self.output, hooks.structure(self.model))
        return compiled(self.model, whole, function, plain_first=plain_first)(*arguments)

    def repeated(self, times: int, inputs: list[np.ndarray]) -> "Target":
        """Return the target for `times` · n inputs: all examples, `times` over."""
        return replace(self, inputs=inputs, indices=np.tile(self.indices, times))

    def as_given(self, maps: list) -> Any:
        """Return one array, or a list if the caller gave a list."""
        arrays = [np.asarray(heatmap, "float32") for heatmap in maps]
        return arrays if self.was_list else arrays[0]


@dataclass(frozen=True)
class Reader:
    """Reads the class score from a model's output, and layers on the way."""

    output: int
    last: LayerCall | None
    output_activation: str | None
    half: bool

    @property
    def scale(self) -> float:
        """Factor of the score, and divisor of its gradient: half precision would underflow."""
        return HALF_SCALE if self.half else 1.0

    def read(
        self,
        model: Any,
        inputs: list,
        places: Sequence[LayerCall] = (),
        changes: Iterable[tuple[int, Hook]] = (),
        *,
        logits: bool = True,
    ) -> tuple[Any, list]:
        """Return the output `(n, …, classes)` and those of the layer calls, float32, from one call.

        Args:
            model, inputs, places, changes: As for `hooks.record`.
            logits: Whether to read the output without its softmax or sigmoid.
        """
        from keras import ops

        changes = list(changes)
        if self.last is not None and logits:
            hook = hooks.without_activation(hooks.all_layers(model)[self.last.position])
            changes.insert(0, (self.last.position, hooks.nth(self.last.number, hook)))
        outputs, seen = hooks.record(model, inputs, places, changes)
        values = ops.cast(outputs[self.output], "float32")
        values = values if len(values.shape) > 1 else ops.expand_dims(values, -1)
        return values, [ops.cast(tensor, "float32") for tensor in seen]

    def scores(self, output: Any, indices: Any) -> Any:
        """Return the score `(n,)` of each example's class, averaged over the positions of a map.

        One sigmoid unit represents two classes: the score of class 1 is its logit, and the score of
        class 0 is minus its logit.
        """
        from keras import ops

        if self.output_activation == "sigmoid" and output.shape[-1] == 1:
            sign = 2.0 * ops.cast(indices, "float32") - 1.0
            values = output[..., 0] * ops.reshape(sign, (-1,) + (1,) * (len(output.shape) - 2))
        else:
            chosen = ops.one_hot(indices, output.shape[-1], dtype="float32")
            places = (1,) * (len(output.shape) - 2)
            values = ops.sum(output * ops.reshape(chosen, (-1, *places, output.shape[-1])), axis=-1)
        return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def target_of(
    model: Any, images: Images, class_indices: ClassIndices = None, *, output: int | str = 0
) -> Target:
    """Return the checked target of an explanation.

    Args:
        model: Any Keras 3 model: Sequential, Functional, nested or subclassed.
        images: Array `(n, …)` in the model's own value range; a list of arrays for several inputs,
            or a dict for a model that takes one (maps are then a list in the order of
            `model.inputs`).
        class_indices: One class for all examples, or one class per example. None for the predicted
            class.
        output: Position of the output to read, or the name of its layer.

    Raises:
        UserError: An argument does not fit the model, or images and classes do not fit together.
    """
    inputs, was_list = checked_inputs(model, images)
    if any(getattr(x, "data_format", "") == "channels_first" for x in hooks.all_layers(model)):
        raise UserError("model: its layers are channels_first; visualizers need channels_last")
    calls = hooks.layer_calls(model, inputs)
    number = _output_number(calls, len(hooks.output_shapes(model, inputs)), output)
    layers, last = hooks.all_layers(model), _output_call(calls, number)
    activation = hooks.output_activation(layers[last.position]) if last else None
    target = Target(model, inputs, was_list, np.zeros(0, "int32"), number, calls, activation)
    return replace(target, indices=_class_indices(target, class_indices))


def _output_call(calls: tuple[LayerCall, ...], output: int) -> LayerCall | None:
    """Return the layer call that produces the output, or None."""
    return next((call for call in calls if output in call.output_indices), None)


def class_scores(
    target: Target, inputs: list[np.ndarray] | None = None, *, probabilities: bool = False
) -> np.ndarray:
    """Return the score `(n,)` of each example's class: its logit, or its probability.

    Args:
        target: The model and the classes.
        inputs: Inputs in place of the target's own, with the same number of examples.
        probabilities: Whether to read the model's output after its softmax or sigmoid.
    """
    score = scorer(target.reader, probabilities)
    key = ("scores", probabilities)
    return np.asarray(target.run(key, score, inputs or target.inputs, target.indices))


def scorer(reader: Reader, probabilities: bool) -> Callable[..., Any]:
    """Return `score(model, inputs, indices)`: each class's logit or probability, `(n,)`."""
    from keras import ops

    def score(model: Any, inputs: list, indices: Any) -> Any:
        values, _ = reader.read(model, inputs, logits=not probabilities)
        if not probabilities:
            return reader.scores(values, indices)
        if reader.output_activation == "sigmoid" and values.shape[-1] == 1:
            values = ops.concatenate([1 - values, values], axis=-1)
        elif reader.output_activation is None:
            values = ops.softmax(values)
        return replace(reader, output_activation="softmax").scores(values, indices)

    return score


def checked_inputs(model: Any, images: Images) -> tuple[list[np.ndarray], bool]:
    """Return the inputs as float32 arrays, and whether a list was given.

    Raises:
        UserError: The number of inputs or a shape is wrong, or values are not finite numbers.
    """
    hooks.check_model(model)
    form = getattr(model, "_inputs_struct", None)
    if isinstance(images, dict) and isinstance(form, dict):
        images = _in_order(images, form)
    was_list = isinstance(images, list | tuple)
    values = list(images) if was_list else [images]
    expected = model_shapes(model) or [None] * len(values)
    if len(values) != len(expected):
        raise UserError(f"images: the model has {len(expected)} inputs, got {len(values)}")
    arrays = [_array(x, f"images[{k}]" if was_list else "images") for k, x in enumerate(values)]
    for array, shape in zip(arrays, expected, strict=True):
        _check_shape(array, shape)
    if len({len(array) for array in arrays}) > 1:
        sizes = ", ".join(str(len(array)) for array in arrays)
        raise UserError(f"images: every input needs the same number of examples, got {sizes}")
    return arrays, was_list


def model_shapes(model: Any) -> list[tuple[int | None, ...]]:
    """Return the shape of each input without the batch; empty if the model's inputs are unknown."""
    return [tuple(x.shape[1:]) for x in hooks.symbolic_inputs(model)]


def takes_whole_numbers(target: Target) -> bool:
    """Whether an input of the model, or an embedding, rounds its values."""
    embeds = any(call.kind == "Embedding" for call in target.calls)
    return embeds or any("int" in str(x.dtype) for x in hooks.symbolic_inputs(target.model))


def _in_order(images: dict, form: dict) -> list:
    """Return a dict of inputs as a list, in the order of the model's inputs."""
    import keras

    if images.keys() != form.keys():
        raise UserError(
            f"images: the model takes {', '.join(form)}; got {', '.join(map(str, images))}"
        )
    return keras.tree.flatten({key: np.asarray(x) for key, x in images.items()})


def numbers(values: Any, where: str) -> np.ndarray:
    """Return the values as a float32 array; numbers too large for float32 become infinite.

    Raises:
        UserError: They are not numbers; `where` names the argument.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind in "OUScMm":
            raise TypeError
        with np.errstate(over="ignore"):
            return array.astype("float32")
    except (ValueError, TypeError):
        raise UserError(f"{where}: expected an array of numbers, got {shown(values)}") from None


def _array(images: Any, where: str) -> np.ndarray:
    array = numbers(images, where)
    if array.ndim < 2 or not array.size:
        raise UserError(
            f"{where}: expected (n, …) with one example or more, got the shape {array.shape} "
            "(one example: images[None])"
        )
    if not np.isfinite(array).all():
        raise UserError(f"{where}: holds values that are NaN or infinite")
    return array


def _check_shape(array: np.ndarray, shape: tuple[int | None, ...] | None) -> None:
    if shape is None:
        return
    fits = len(shape) == array.ndim - 1 and all(
        want in (None, have) for want, have in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        cure = " (one example: images[None])" if array.ndim == len(shape) else ""
        want = ", ".join("any" if size is None else str(size) for size in shape)
        raise UserError(f"images: the model takes (n, {want}), got {array.shape}{cure}")


def _output_number(calls: tuple[LayerCall, ...], count: int, output: int | str) -> int:
    names = {k: call.name for call in reversed(calls) for k in call.output_indices}
    if isinstance(output, str):
        matches = [
            k for c in calls for k in c.output_indices if f"/{c.name}".endswith(f"/{output}")
        ]
        if not matches:
            known = ", ".join(names[k] for k in sorted(names))
            raise UserError(f"output: no output {output!r} (known: {known})")
        return matches[0]
    if isinstance(output, bool) or not isinstance(output, Integral):
        raise UserError(f"output: expected a number or a name, got {shown(output)}")
    if not 0 <= output < count:
        raise UserError(f"output: no output {output}: the model has {count}")
    return int(output)


def _class_indices(target: Target, given: ClassIndices) -> np.ndarray:
    """Return one class per example; the predicted classes if none are given."""
    n = len(target.inputs[0])
    reader = target.reader

    def predict(model: Any, inputs: list) -> Any:
        return reader.read(model, inputs)[0]

    if given is None:
        output = np.asarray(target.run(("predict",), predict, target.inputs))
        values = output.reshape(n, -1, output.shape[-1]).mean(axis=1)
        single = target.output_activation == "sigmoid" and values.shape[1] == 1
        return (values[:, 0] > 0 if single else values.argmax(axis=1)).astype("int32")
    try:
        indices = np.asarray(given)
    except ValueError:  # a ragged list
        indices = np.asarray(None)
    if indices.dtype.kind not in "iu":
        raise UserError(f"class_indices: expected whole numbers, got {shown(given)}")
    if indices.ndim > 1 or (indices.ndim and len(indices) != n):
        raise UserError(f"class_indices: expected one class or shape ({n},), got {indices.shape}")
    shape = hooks.output_shapes(target.model, target.inputs)[target.output]
    units = shape[-1] if shape else 1  # a single number per example
    classes = 2 if units == 1 and target.output_activation == "sigmoid" else units
    for wrong in (indices.min(), indices.max()):
        if not 0 <= wrong < classes:
            raise UserError(f"class_indices: expected classes 0 to {classes - 1}, got {wrong}")
    return np.broadcast_to(indices, (n,)).astype("int32")
