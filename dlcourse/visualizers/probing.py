"""What one call of a model shows of it: its layers, its tensors, and where its logits are."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.operations import SQUASHING, is_relu, nth_squashed


@dataclass(frozen=True)
class Step:
    """A call of a layer or operation, with its tensors by their keys in `Probe.shapes`.

    A layer of Keras is a step as a whole; a model, or a layer of the user's, by its inner layers.

    Attributes:
        call: The call.
        begun: Number of the steps that had ended when it began.
        inputs, outputs: Its tensors.
        chooses: Whether its output is one of the places of its input, such as a class token.
    """

    call: LayerCall
    begun: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    chooses: bool


@dataclass(frozen=True)
class Probe:
    """What one call of a model shows of it.

    Attributes:
        calls: Calls of its layers, in the order in which they end.
        steps: Steps from the inputs to the outputs, in this order.
        shapes: Shape of each tensor by its key, without the batch.
        inputs, outputs: Keys of the model's inputs and outputs.
        names: Name of each output: its key in a dict, else its layer.
        squashed: For each output, name and number of the softmax or sigmoid that gives it, or None.
        sums_to_1: For each output, whether it is numbers of 0 or more that add up to 1.
        has_relu: Whether the model computes a ReLU.
    """

    calls: tuple[LayerCall, ...]
    steps: tuple[Step, ...]
    shapes: dict[int, tuple[int, ...]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: tuple[str, ...]
    squashed: tuple[tuple[str, int] | None, ...]
    sums_to_1: tuple[bool, ...]
    has_relu: bool


_PROBES: WeakKeyDictionary[Any, dict[Any, Probe]] = WeakKeyDictionary()


def layer_calls(model: Any, inputs: list) -> tuple[LayerCall, ...]:
    """Return the layer calls of one call of the model, in the order in which they end.

    Args:
        model: Any Keras 3 model; an unbuilt one is built.
        inputs: One array `(n, …)` per input; only the first example is used.

    Raises:
        UserError: The model cannot be called on the inputs.
    """
    return probed(model, inputs).calls


def probed(model: Any, inputs: list) -> Probe:
    """Return what one call of the model on such inputs shows of it; see `layer_calls`."""
    hooks.build(model, inputs)
    kept = _PROBES.setdefault(model, {})
    key = (hooks.structure(model), tuple(x.shape[1:] for x in inputs))
    probe = kept.get(key)
    if probe is None:
        for earlier in [k for k in kept if k[0] != key[0]]:  # calls of another structure
            kept.pop(earlier, None)
        fixed = any(x.shape[0] for x in hooks.symbolic_inputs(model))  # a fixed batch size
        kept[key] = probe = _probe(model, inputs if fixed else [x[:1] for x in inputs])
    return probe


def _probe(model: Any, inputs: list) -> Probe:
    import keras

    record = _Record(model)
    # Layers of a graph have their variables, which keep their values; others may still build.
    scope = keras.StatelessScope() if hooks.has_graph(model) else nullcontext()
    known = hooks.symbolic_inputs(model)
    types = known if len(known) == len(inputs) else inputs
    tensors = [
        keras.ops.convert_to_tensor(x, getattr(t, "dtype", None))
        for x, t in zip(inputs, types, strict=True)
    ]
    changes = [(k, record.hook(k)) for k in range(len(record.parts))]
    with hooks.hooked(model, changes, record.operation), scope:
        by_name = hooks.outputs_of(model, tensors)
    outputs = list(by_name.values())
    layers = len(hooks.all_layers(model))
    calls = [record.call(*item, outputs) for item in record.calls]
    steps = [
        Step(record.call(*item, outputs), begun, *_keys(entered, made), _chooses(entered, made))
        for item, begun, entered, made in record.steps
    ]
    of_layers = {k: c.name for c in reversed(calls) for k in c.output_indices}
    every = [*tensors, *outputs, *(x for _, _, a, b in record.steps for x in a + b)]
    return Probe(
        tuple(c for c in calls if c.position < layers),
        tuple(steps),
        {id(x): tuple(x.shape[1:]) for x in every},
        *_keys(tensors, outputs),
        tuple(n if n and not n.isdigit() else of_layers.get(k, n) for k, n in enumerate(by_name)),
        tuple(_squashed(model, tensors, record.squashed, k, x) for k, x in enumerate(outputs)),
        tuple(map(_sums_to_1, outputs)),
        record.has_relu,
    )


class _Record:
    """The calls during one call of a model: `(position, number, result)`, and more of the steps."""

    def __init__(self, model: Any) -> None:
        self.parts, self.names = hooks.parts(model), hooks.names_of(model)
        self.calls: list[tuple[int, int, Any]] = []
        self.steps: list[tuple[tuple[int, int, Any], int, list, list]] = []
        self.squashed: list[tuple[str, Any]] = []
        self.within: list[int] = []  # the steps that run
        self.has_relu = False

    def hook(self, position: int) -> hooks.Hook:
        import keras

        numbers, part = count(), self.parts[position]
        own = isinstance(part, keras.Model) or not type(part).__module__.startswith("keras.")
        opens = own and bool(hooks.all_layers(part))

        def record(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            begun, outer = len(self.steps), not self.within and not opens
            self.within += [position] if outer else []
            try:
                result = call(*args, **kwargs)
            finally:
                self.within = [] if outer else self.within
            item = (position, next(numbers), result)
            self.calls.append(item)
            if outer:
                self.steps.append((item, begun, _tensors((args, kwargs)), _tensors(result)))
            return result

        return record

    def operation(self, name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        self.squashed += [(name, result)] if name in SQUASHING else []
        self.has_relu |= is_relu(name, args)
        return result

    def call(self, position: int, number: int, result: Any, outputs: list) -> LayerCall:
        import keras

        single, part = keras.tree.flatten(result), self.parts[position]
        shape = tuple(single[0].shape[1:]) if len(single) == 1 and single[0] is not None else None
        indices = tuple(k for k, output in enumerate(outputs) if any(t is output for t in single))
        name = self.names.get(part, part.name)
        return LayerCall(position, number, name, type(part).__name__, shape, indices)


def _tensors(values: Any) -> list:
    """Return the tensors `(n, …)` among the values; masks are left out."""
    import keras

    found = [x for x in keras.tree.flatten(values) if keras.ops.is_tensor(x) and len(x.shape) > 1]
    return [x for x in found if "bool" not in str(x.dtype)]


def _keys(*several: list) -> list[tuple[int, ...]]:
    return [tuple(map(id, tensors)) for tensors in several]


def _chooses(entered: list, made: list) -> bool:
    """Whether a tensor `(n, channels)` is one of the places of `(n, …, channels)`."""
    if not entered or not made or len(made[0].shape) != 2 or len(entered[0].shape) < 3:
        return False
    chosen, places = np.asarray(made[0]), np.asarray(entered[0])
    places = places.reshape(len(places), -1, places.shape[-1])
    same = places.shape[-1] == chosen.shape[-1] and places.shape[1] > 1
    return same and bool((places == chosen[:, None]).all(axis=(0, 2)).any())


def _squashed(
    model: Any, inputs: list, squashed: list[tuple[str, Any]], output: int, values: Any
) -> tuple[str, int] | None:
    """Return name and number of the function whose result is the output, maybe reshaped or cast.

    Where only the values agree, the function is made to give others, which must arrive.
    """
    latest = list(reversed(list(enumerate(squashed))))
    for number, (name, result) in latest:
        if result is values:
            return name, number
    for number, (name, result) in latest:
        if _equal(result, values):
            mark = np.random.default_rng(0).random(result.shape, "float32")
            operation = nth_squashed(number, lambda x, mark=mark: _of_type(x, mark))
            with hooks.hooked(model, (), operation):
                after = list(hooks.outputs_of(model, inputs).values())[output]
            if _equal(mark, after):
                return name, number
    return None


def _of_type(x: Any, values: np.ndarray) -> Any:
    from keras import ops

    return ops.cast(values, x.dtype)


def _equal(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same numbers in the same order, up to a cast."""
    first, second = (np.ravel(np.asarray(x, "float32")) for x in (one, other))
    return first.size == second.size and np.allclose(first, second, rtol=1e-2, atol=1e-6)


def _sums_to_1(output: Any) -> bool:
    values = np.asarray(output, "float32")
    several = values.ndim > 1 and values.shape[-1] > 1
    return several and bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-3))
