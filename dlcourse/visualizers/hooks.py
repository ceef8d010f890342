"""Reading any Keras model from inside: every layer's output, the logits, other activations.

Sequential, Functional, nested and subclassed models are read in the same way: the model is called
as it is, while a hook replaces the `call` of chosen layers; it sees, and may change, what the layer
returns. The hook is in place during that call (or its tracing, where it is compiled) and is then
removed. No graph is rebuilt, no weight is copied, nothing is left behind.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from numbers import Integral
from threading import RLock, get_ident
from typing import Any
from weakref import WeakKeyDictionary, ref

from dlcourse.errors import UserError
from dlcourse.schema import did_you_mean, shown

Hook = Callable[..., Any]
"""`hook(call, *args, **kwargs)`: its result replaces that of `call(*args, **kwargs)`."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer during a call of the model.

    Attributes:
        position: Position of the layer in `all_layers(model)`.
        number: Number of the call: 0 for the layer's first, 1 for the second of a shared layer, …
        name: The layer's name, with those of the models around it: `base/block_2/conv`.
        kind: Class name of the layer.
        shape: Shape of its output, without the batch. None if it does not return a single tensor.
        output_indices: Indices of the model's outputs that are this same tensor.
    """

    position: int
    number: int
    name: str
    kind: str
    shape: tuple[int, ...] | None
    output_indices: tuple[int, ...]


def all_layers(model: Any) -> list:
    """Return every layer inside `model`, at any depth, except the cells of recurrent layers."""
    import keras

    closed = keras.layers.RNN | keras.layers.TimeDistributed
    layers: list = []
    for layer in model._flatten_layers(include_self=False, recursive=False):
        layers.append(layer)
        layers += [] if isinstance(layer, closed) else all_layers(layer)
    return list(dict.fromkeys(layers))


def has_graph(model: Any) -> bool:
    """Whether the model's layers are known without calling it: Sequential or Functional."""
    import keras

    return isinstance(model, keras.Sequential) or hasattr(model, "_inputs_struct")


_CALLS: WeakKeyDictionary[Any, dict[Any, tuple]] = WeakKeyDictionary()


def check_model(model: Any) -> None:
    """Check that `model` is a Keras model.

    Raises:
        UserError: It is not.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise UserError(f"model: expected a Keras model, got {type(model).__name__}")


def structure(model: Any) -> tuple:
    """Return what a trace of the model depends on besides its weights: layers and activations."""
    layers = all_layers(model)
    return tuple((ref(layer), _mark(getattr(layer, "activation", None))) for layer in layers)


def _mark(thing: Any) -> Any:
    """Return a weak reference: unlike an `id`, it never equals that of a later object."""
    try:
        mark = ref(thing)
        hash(mark)
    except TypeError:  # None, or a type without weak references
        return id(thing)
    return mark


def layer_calls(model: Any, inputs: list) -> tuple[LayerCall, ...]:
    """Return the layer calls of one call of the model, in the order in which they end.

    Args:
        model: Any Keras 3 model; an unbuilt one is built.
        inputs: One array `(n, …)` per input; only the first example is used.

    Raises:
        UserError: The model cannot be called on the inputs.
    """
    return _probed(model, inputs)[0]


def output_shapes(model: Any, inputs: list) -> list[tuple[int, ...]]:
    """Return the shape of each of the model's outputs, without the batch."""
    return _probed(model, inputs)[1]


def _probed(model: Any, inputs: list) -> tuple[tuple[LayerCall, ...], list[tuple[int, ...]]]:
    build(model, inputs)
    kept = _CALLS.setdefault(model, {})
    key = (structure(model), tuple(x.shape[1:] for x in inputs))
    probed = kept.get(key)
    if probed is None:
        for earlier in [k for k in kept if k[0] != key[0]]:  # calls of another structure
            kept.pop(earlier, None)
        fixed = any(x.shape[0] for x in symbolic_inputs(model))  # a fixed batch size
        kept[key] = probed = _probe(model, inputs if fixed else [x[:1] for x in inputs])
    return probed


def symbolic_inputs(model: Any) -> list:
    """Return the model's symbolic inputs; an empty list if it is subclassed or not built."""
    with suppress(AttributeError, ValueError):
        return list(model.inputs or ())
    return []


def build(model: Any, inputs: list) -> None:
    """Build the model if needed; a Sequential for any batch size, which a call would fix."""
    import keras

    if model.built:
        return
    if isinstance(model, keras.Sequential):
        model.build((None, *inputs[0].shape[1:]))
    else:
        _called(model, [x[:1] for x in inputs])


def _called(model: Any, inputs: list) -> list:
    """Return the model's outputs as a flat list.

    Raises:
        UserError: The call fails.
    """
    import keras

    try:
        return keras.tree.flatten(call(model, inputs))
    except Exception as error:
        shapes = " and ".join(f"(n, {', '.join(map(str, x.shape[1:]))})" for x in inputs)
        text = f"model: cannot be called on images {shapes}: {_reason(error)}"
        raise UserError(text) from error


def _probe(model: Any, inputs: list) -> tuple[tuple[LayerCall, ...], list[tuple[int, ...]]]:
    import keras

    seen: list[tuple[int, int, Any]] = []
    layers = all_layers(model)

    def recorder(position: int) -> Hook:
        count = iter(range(1 << 30))

        def record(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            seen.append((position, next(count), result))
            return result

        return record

    # Layers of a graph have their variables, which keep their values; others may still build.
    scope = keras.StatelessScope() if has_graph(model) else nullcontext()
    with hooked(layers, [(k, recorder(k)) for k in range(len(layers))]), scope:
        outputs = _called(model, inputs)
    names = _names(model)
    calls = []
    for position, number, result in seen:
        single = keras.tree.flatten(result)
        shape = tuple(single[0].shape[1:]) if len(single) == 1 and single[0] is not None else None
        output_indices = tuple(
            k for k, output in enumerate(outputs) if any(t is output for t in single)
        )
        layer = layers[position]
        kind = type(layer).__name__
        calls.append(LayerCall(position, number, names[layer], kind, shape, output_indices))
    return tuple(calls), [tuple(output.shape[1:]) for output in outputs]


def _reason(error: Exception) -> str:
    """Return the line of an error that gives the reason, without Keras' frame and colours."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered")] or lines
    return lines[0] if lines else type(error).__name__


def _names(model: Any, prefix: str = "") -> dict:
    names: dict = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        names.setdefault(layer, prefix + layer.name)
        for inner, name in _names(layer, f"{prefix}{layer.name}/").items():
            names.setdefault(inner, name)
    return names


def call(model: Any, inputs: list, *, training: bool = False) -> Any:
    """Return the model's outputs, given the list of its inputs."""
    import keras

    form = getattr(model, "_inputs_struct", None)  # of a Functional model: an array, list or dict
    packed = inputs if len(inputs) > 1 else inputs[0]
    if form is not None:
        packed = keras.tree.pack_sequence_as(form, inputs)
    return model(packed, training=training)


def record(
    model: Any,
    inputs: list,
    places: Sequence[LayerCall],
    changes: Iterable[tuple[int, Hook]] = (),
    *,
    entering: bool = False,
    training: bool = False,
    watch: Callable[[Any], Any] = lambda _: None,
) -> tuple[list, list]:
    """Return the model's outputs and the output of each given layer call, from one call.

    Args:
        model: Any Keras 3 model.
        inputs: One tensor or array per input.
        places: Layer calls to record; their tensors are returned unchanged, in this order.
        changes: Hooks on the layers during the call, as for `hooked`.
        entering: Whether to record the inputs of the layers instead of their outputs.
        training: Whether to call the model in training mode.
        watch: Function called at once with each recorded tensor, such as a gradient tape's `watch`.
    """
    import keras

    seen: dict[LayerCall, Any] = {}

    def keep(place: LayerCall) -> tuple[int, Hook]:
        def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            seen[place] = (args or (*kwargs.values(),))[0] if entering else result
            watch(seen[place])
            return result

        return place.position, nth(place.number, hook)

    with hooked(all_layers(model), [*changes, *map(keep, places)]):
        outputs = keras.tree.flatten(call(model, inputs, training=training))
    return outputs, [seen[place] for place in places]


_ONE_AT_A_TIME = RLock()


@contextmanager
def hooked(layers: list, changes: Iterable[tuple[int, Hook]]) -> Iterator[None]:
    """Within the block, each `(position, hook)` wraps the `call` of a layer.

    This holds only for this thread: others that call the model see the layers unchanged.
    """
    with _ONE_AT_A_TIME, ExitStack() as stack:
        for position, hook in changes:
            stack.enter_context(
                _instead(layers[position], "call", _hooked_call(layers[position], hook))
            )
        yield


def _hooked_call(layer: Any, hook: Hook) -> Callable[..., Any]:
    original, here = layer.call, get_ident()

    def hook_call(*args: Any, **kwargs: Any) -> Any:
        return hook(original, *args, **kwargs) if get_ident() == here else original(*args, **kwargs)

    return hook_call


@contextmanager
def _instead(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Within the block, `thing.name` is `value`; Keras' attribute tracking is bypassed."""
    missing = object()
    before = thing.__dict__.get(name, missing)
    thing.__dict__[name] = value
    try:
        yield
    finally:
        if before is missing:
            del thing.__dict__[name]
        else:
            thing.__dict__[name] = before


def with_activation(layer: Any, activation: Callable[..., Any]) -> Hook:
    """Return the hook with which a layer uses another activation for one call."""
    original, here = layer.activation, get_ident()

    def chosen(*args: Any, **kwargs: Any) -> Any:
        return (activation if get_ident() == here else original)(*args, **kwargs)

    def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with _instead(layer, "activation", chosen):
            return call(*args, **kwargs)

    return hook


def output_activation(layer: Any) -> str | None:
    """Return `softmax` or `sigmoid` if the layer ends with it, else None."""
    import keras

    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    # Keras, keras.ops, TensorFlow and JAX each have their own functions, under these names.
    names = {"softmax": "softmax", "softmax_v2": "softmax", "sigmoid": "sigmoid"}
    return names.get(getattr(getattr(layer, "activation", None), "__name__", ""))


def without_activation(layer: Any) -> Hook:
    """Return the hook that gives the input of the layer's softmax or sigmoid: the logits."""
    import keras

    if isinstance(layer, keras.layers.Softmax):
        return lambda _, inputs, **__: inputs
    return with_activation(layer, keras.activations.linear)


def nth(number: int, hook: Hook) -> Hook:
    """Return `hook` restricted to the layer's call of that number; other calls are unchanged."""
    count = iter(range(1 << 30))

    def chosen(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return (hook(call, *args, **kwargs)) if next(count) == number else call(*args, **kwargs)

    return chosen


def find_layer(calls: tuple[LayerCall, ...], layer: int | str | Any, model: Any) -> LayerCall:
    """Return the last call of a layer; see `named_layer`.

    Raises:
        UserError: There is no such layer, or the model does not call it.
    """
    wanted, layers = named_layer(model, layer), all_layers(model)
    matches = [call for call in calls if layers[call.position] is wanted]
    if not matches:
        called = ", ".join(dict.fromkeys(call.name for call in calls))
        reason = f"{wanted.name} is not called by the model, which calls {called}"
        raise UserError(reason, setting="layer")
    return matches[-1]


def named_layer(model: Any, layer: int | str | Any) -> Any:
    """Return a layer by its position among `model.layers`, its name, or its path `base/conv`.

    A layer object of the model is returned as it is.

    Raises:
        UserError: There is no such layer, or several have this name.
    """
    import keras

    names = _names(model)
    if isinstance(layer, str):
        exact = [item for item, name in names.items() if name == layer]
        matches = exact or [item for item, name in names.items() if name.endswith(f"/{layer}")]
        if len(matches) == 1:
            return matches[0]
        several = ", ".join(names[match] for match in matches)
        hint = did_you_mean(layer, list(names.values()))
        reason = f"{layer!r} fits several: {several}" if matches else f"no layer {layer!r}{hint}"
    elif isinstance(layer, Integral) and not isinstance(layer, bool):
        if -len(model.layers) <= layer < len(model.layers):
            return model.layers[layer]
        reason = f"no position {layer}: the model has {len(model.layers)} layers"
    elif isinstance(layer, keras.Layer):
        if layer in names:
            return layer
        reason = f"{layer.name!r} is another model's layer"
    else:
        reason = f"expected a position, name or layer, got {shown(layer)}"
    raise UserError(reason, setting="layer")


def tensor_of(model: Any, layer: int | str | Any) -> Any:
    """Return a layer's output in the model's own graph, or None if it has no single output there.

    Args:
        model: Any Keras 3 model.
        layer: As for `named_layer`; a model inside the model counts as a layer.
    """
    layer = named_layer(model, layer)
    graph = getattr(model, "_functional", model)
    by_depth = getattr(graph, "_nodes_by_depth", None) or {}
    nodes = [node for depth in sorted(by_depth) for node in by_depth[depth]]
    tensors = [node.output_tensors for node in nodes if node.operation is layer]
    return tensors[0][0] if tensors and len(tensors[0]) == 1 else None


def part(model: Any, layer: int | str | Any) -> Any:
    """Return the model up to a layer: it shares the layers and returns the output of this one.

    Raises:
        UserError: There is no such layer, or it has no single output in the model's own graph.
    """
    import keras

    if (tensor := tensor_of(model, layer)) is None:
        reason = f"{getattr(layer, 'name', layer)} has no single output in the model's own graph"
        raise UserError(f"{reason}: choose another layer", setting="layer")
    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], tensor)


def has_kernel(layer: Any) -> bool:
    """Whether the layer multiplies its input with weights: dense, convolutional or recurrent."""
    return getattr(layer, "kernel", None) is not None or hasattr(layer, "cell")


def is_convolution(layer: Any) -> bool:
    """Whether the layer slides a kernel over its input, whatever its class."""
    return hasattr(layer, "kernel_size")
