"""What one call of a model shows of it: its layers, its tensors, and where its logits are."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dlcourse.heavy import keras
from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.operations import ENDINGS, nth_ending, within

Ending = tuple[str, int, int]
"""A softmax or sigmoid: its name, the number of its first call, and of its calls, one per step."""


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Probe:
    """What one call of a model shows of it.

    Attributes:
        calls: Calls of its layers, in the order in which they end.
        steps: Steps from the inputs to the outputs, in this order.
        shapes: Shape of each tensor by its key, without the batch.
        inputs, outputs: Keys of the model's inputs and outputs.
        names: Name of each output: its key in a dict, else its layer.
        endings: For each output, the softmax or sigmoid that gives it, or None.
        sums_to_1: For each output, whether it is numbers of 0 or more that add up to 1.
    """

    calls: tuple[LayerCall, ...]
    steps: tuple[Step, ...]
    shapes: dict[int, tuple[int, ...]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: tuple[str, ...]
    endings: tuple[Ending | None, ...]
    sums_to_1: tuple[bool, ...]


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


def probed(model: Any, inputs: list, *, sizes: bool = True) -> Probe:
    """Return what one call of the model on such inputs shows of it; see `layer_calls`.

    Without `sizes`, that may be a call on inputs of another size, if the outputs have the same one.
    """
    rows = np.arange(hooks.fixed_batch(model) or 1)
    inputs = [np.asarray(x[np.minimum(rows, len(x) - 1)], "float32") for x in inputs]
    hooks.build(model, inputs)
    kept = _PROBES.setdefault(model, {})
    key = (hooks.structure(model), tuple(x.shape[1:] for x in inputs))
    probe = kept.get(key)
    known = [x.shape[1:] for x in model.outputs] if hooks.symbolic_inputs(model) else [(None,)]
    if probe is None and not sizes and not any(None in shape for shape in known):
        probe = next((kept[k] for k in kept if k[0] == key[0]), None)
    if probe is None:
        for earlier in [k for k in kept if k[0] != key[0]]:  # calls of another structure
            kept.pop(earlier, None)
        kept[key] = probe = _probe(model, inputs)
    return probe


def _probe(model: Any, inputs: list) -> Probe:
    everything, names = hooks.parts(model), hooks.names_of(model)
    seen, steps, endings, closed = [], [], [], []

    def recorder(position: int) -> hooks.Hook:
        numbers, part = count(), everything[position]
        own = isinstance(part, keras.Model) or not type(part).__module__.startswith("keras.")
        opens = own and bool(hooks.all_layers(part))

        def record(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            begun, is_step = len(steps), not closed and not opens
            result = (call if opens else partial(within(closed), call))(*args, **kwargs)
            seen.append((position, next(numbers), result))
            if is_step:
                steps.append((*seen[-1], begun, tensors_in((args, kwargs)), tensors_in(result)))
            return result

        return record

    def operation(name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        endings.extend([(name, result)] if name in ENDINGS else [])
        return result

    def called(position: int, number: int, result: Any) -> LayerCall:
        single, part = keras.tree.flatten(result), everything[position]
        shape = tuple(single[0].shape[1:]) if len(single) == 1 and single[0] is not None else None
        indices = tuple(k for k, output in enumerate(outputs) if any(t is output for t in single))
        name = names.get(part, part.name)
        return LayerCall(position, number, name, type(part).__name__, shape, indices)

    # Layers of a graph have their variables, which keep their values; others may still build.
    scope = keras.StatelessScope() if hooks.has_graph(model) else nullcontext()
    types = [x.dtype for x in hooks.symbolic_inputs(model)] or [None] * len(inputs)
    tensors = [keras.ops.convert_to_tensor(*pair) for pair in zip(inputs, types, strict=True)]
    changes = [(k, recorder(k)) for k in range(len(everything))]
    with hooks.hooked(model, changes, operation), scope:
        by_name = hooks.outputs_of(model, tensors)
    outputs, layers = list(by_name.values()), len(hooks.all_layers(model))
    calls = [called(*call) for call in seen if call[0] < layers]
    of_layers = {k: call.name for call in reversed(calls) for k in call.output_indices}
    every = [*tensors, *outputs, *(x for *_, entered, made in steps for x in [*entered, *made])]
    return Probe(
        tuple(calls),
        tuple(
            Step(called(*call), begun, _keys(entered), _keys(made), _chooses(entered, made))
            for *call, begun, entered, made in steps
        ),
        {id(x): tuple(x.shape[1:]) for x in every},
        _keys(tensors),
        _keys(outputs),
        tuple(of_layers.get(k, n) if n.isdigit() or not n else n for k, n in enumerate(by_name)),
        tuple(_ending(model, tensors, endings, k, x) for k, x in enumerate(outputs)),
        tuple(_sums_to_1(x) for x in outputs),
    )


def tensors_in(values: Any) -> list:
    """Return the tensors `(n, …)` among the values; masks are left out."""
    tensors = [x for x in keras.tree.flatten(values) if keras.ops.is_tensor(x)]
    return [x for x in tensors if len(x.shape) > 1 and "bool" not in str(x.dtype)]


def _keys(tensors: list) -> tuple[int, ...]:
    return tuple(map(id, tensors))


def _chooses(entered: list, made: list) -> bool:
    """Whether a tensor `(n, channels)` is one of the places of `(n, …, channels)`."""
    if not entered or not made or len(made[0].shape) != 2 or len(entered[0].shape) < 3:
        return False
    chosen, places = np.asarray(made[0]), np.asarray(entered[0])
    places = places.reshape(len(places), -1, places.shape[-1])
    same = places.shape[-1] == chosen.shape[-1] and places.shape[1] > 1
    return same and bool((places == chosen[:, None]).all(axis=(0, 2)).any())


def _ending(
    model: Any, inputs: list, endings: list[tuple[str, Any]], output: int, values: Any
) -> Ending | None:
    """Return the function whose result is the output, maybe reshaped or cast, or one per step.

    Where only the values agree, the function is made to give others, which must arrive.
    """
    for number, (name, result) in enumerate(endings):
        if result is values:
            return name, number, 1
    for last in range(len(endings), 0, -1):
        name, result = endings[last - 1]
        first = last - prod(values.shape) // max(prod(result.shape), 1)
        if not 0 <= first < last or not _equal([x for _, x in endings[first:last]], values):
            continue
        mark = np.random.default_rng(0).random(result.shape, "float32")
        marked = nth_ending(first, last - first, lambda x, mark=mark: keras.ops.cast(mark, x.dtype))
        with hooks.hooked(model, (), marked), keras.StatelessScope():
            after = list(hooks.outputs_of(model, inputs).values())[output]
        if _equal([mark] * (last - first), after):
            return name, first, last - first
    return None


def _equal(several: list, other: Any) -> bool:
    """Whether tensors, one per step, hold the numbers of another in its order, up to a cast."""
    try:
        first = np.stack([np.asarray(x, "float32") for x in several], axis=1).ravel()
        second = np.asarray(other, "float32").ravel()
    except (NotImplementedError, TypeError, ValueError):  # traced, or of several shapes
        return False
    return first.size == second.size and np.allclose(first, second, rtol=1e-2, atol=1e-6)


def _sums_to_1(output: Any) -> bool:
    values = np.asarray(output, "float32")
    several = values.ndim > 1 and values.shape[-1] > 1
    return several and bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-3))
