"""Reading any Keras model from inside: every layer's output, the logits, other activations.

Sequential, Functional, nested and subclassed models are read in one way: the model is called as it
is, while chosen layers' `call` is covered by a function of ours, which sees and may change what the
layer returns. The cover is on the layer for the length of that call (of its trace, where it is
compiled) and is then taken off; no graph is rebuilt, no weight is copied, nothing is left behind.
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
"""`hook(call, *args, **kwargs)` returns what the layer gives instead of `call(*args, **kwargs)`."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer within the model's.

    Attributes:
        position: Of the layer among `all_layers(model)`.
        number: 0 for the layer's first call, 1 for the second of a shared layer, …
        name: The layer's name, with those of the models around it: `base/block_2/conv`.
        kind: The layer's class name.
        shape: Of its output, without the batch; None where it gives no single tensor.
        output_indices: Indices of the model's outputs that are this very tensor.
    """

    position: int
    number: int
    name: str
    kind: str
    shape: tuple[int, ...] | None
    output_indices: tuple[int, ...]


def all_layers(model: Any) -> list:
    """Return every layer within `model`, at any depth, without the steps of a recurrent layer."""
    import keras

    closed = keras.layers.RNN | keras.layers.TimeDistributed
    found: list = []
    for layer in model._flatten_layers(include_self=False, recursive=False):
        found.append(layer)
        found += [] if isinstance(layer, closed) else all_layers(layer)
    return list(dict.fromkeys(found))


def has_graph(model: Any) -> bool:
    """Whether the model's layers are known without calling it: Sequential or Functional."""
    import keras

    return isinstance(model, keras.Sequential) or hasattr(model, "_inputs_struct")


_CALLS: WeakKeyDictionary[Any, dict[Any, tuple]] = WeakKeyDictionary()


def check_model(model: Any) -> None:
    """Refuse what is no Keras model.

    Raises:
        UserError: It is something else.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise UserError(f"model: expected a Keras model, got {type(model).__name__}")


def structure(model: Any) -> tuple:
    """Return what a trace of the model depends on besides its weights: layers and activations."""
    layers = all_layers(model)
    return tuple((ref(one), _mark(getattr(one, "activation", None))) for one in layers)


def _mark(thing: Any) -> Any:
    """Return what tells a thing from a later one at its address, and does not keep it alive."""
    try:
        mark = ref(thing)
        hash(mark)
    except TypeError:  # None, or a kind that has no weak references
        return id(thing)
    return mark


def layer_calls(model: Any, inputs: list) -> tuple[LayerCall, ...]:
    """Return the model's layer calls in the order in which they end, from one call on one example.

    Args:
        model: Any Keras 3 model; an unbuilt one is built.
        inputs: One array an input, `(n, …)`; the first example is used.

    Raises:
        UserError: The model cannot be called on them.
    """
    return _probed(model, inputs)[0]


def output_shapes(model: Any, inputs: list) -> list[tuple[int, ...]]:
    """Return the shape of each of the model's outputs, without the batch."""
    return _probed(model, inputs)[1]


def _probed(model: Any, inputs: list) -> tuple[tuple[LayerCall, ...], list[tuple[int, ...]]]:
    build(model, inputs)
    kept = _CALLS.setdefault(model, {})
    key = (structure(model), tuple(x.shape[1:] for x in inputs))
    found = kept.get(key)
    if found is None:
        for other in [one for one in kept if one[0] != key[0]]:  # of an earlier structure
            kept.pop(other, None)
        fixed = any(one.shape[0] for one in symbolic_inputs(model))  # one size of batch alone
        kept[key] = found = _probe(model, inputs if fixed else [x[:1] for x in inputs])
    return found


def symbolic_inputs(model: Any) -> list:
    """Return the model's symbolic inputs; none where it names none (subclassed, or not built)."""
    with suppress(AttributeError, ValueError):
        return list(model.inputs or ())
    return []


def build(model: Any, inputs: list) -> None:
    """Build a model that is not yet built; a Sequential for any batch size: a call would fix it."""
    import keras

    if model.built:
        return
    if isinstance(model, keras.Sequential):
        model.build((None, *inputs[0].shape[1:]))
    else:
        _called(model, [x[:1] for x in inputs])


def _called(model: Any, inputs: list) -> list:
    """Return the model's outputs.

    Raises:
        UserError: It fails.
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

    # A graph's layers have their variables, and keep their values; others may still build.
    scope = keras.StatelessScope() if has_graph(model) else nullcontext()
    with hooked(layers, [(k, recorder(k)) for k in range(len(layers))]), scope:
        outputs = _called(model, inputs)
    names = _names(model)
    found = []
    for position, number, result in seen:
        single = keras.tree.flatten(result)
        shape = tuple(single[0].shape[1:]) if len(single) == 1 and single[0] is not None else None
        output_indices = tuple(
            k for k, output in enumerate(outputs) if any(t is output for t in single)
        )
        layer = layers[position]
        kind = type(layer).__name__
        found.append(LayerCall(position, number, names[layer], kind, shape, output_indices))
    return tuple(found), [tuple(one.shape[1:]) for one in outputs]


def _reason(error: Exception) -> str:
    """The line of an error that says why, without Keras' frame around it and its colours."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")
    said = [one.strip() for one in lines if one.strip()]
    said = [one for one in said if not one.startswith("Exception encountered")] or said
    return said[0] if said else type(error).__name__


def _names(model: Any, prefix: str = "") -> dict:
    found: dict = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        found.setdefault(layer, prefix + layer.name)
        for inner, name in _names(layer, f"{prefix}{layer.name}/").items():
            found.setdefault(inner, name)
    return found


def call(model: Any, inputs: list, *, training: bool = False) -> Any:
    """Return the model's outputs, given the list of its inputs."""
    import keras

    form = getattr(model, "_inputs_struct", None)  # a Functional's own: an array, list or dict
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
    """Return the model's outputs, and what each of the layer calls gave, from one call.

    Args:
        model: Any Keras 3 model.
        inputs: One tensor or array per input.
        places: The layer calls to record; their tensors come back as they are, in this order.
        changes: What lies over the layers during the call, as for `covered`.
        entering: Record what goes into the layers, instead of what they give.
        training: Call the model in training mode.
        watch: Function that gets each recorded tensor at once, such as a gradient tape's `watch`.
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
    return outputs, [seen[one] for one in places]


_ONE_AT_A_TIME = RLock()


@contextmanager
def hooked(layers: list, changes: Iterable[tuple[int, Hook]]) -> Iterator[None]:
    """Within the block, let each `(position, hook)` stand between a layer and its `call`.

    Only in this thread: another that calls the model meets the layers as they are.
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
    """Within the block, let `thing.name` be `value`, past Keras' tracking of attributes."""
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
    """Return the hook that lets the layer use another activation for one call."""
    original, here = layer.activation, get_ident()

    def chosen(*args: Any, **kwargs: Any) -> Any:
        return (activation if get_ident() == here else original)(*args, **kwargs)

    def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with _instead(layer, "activation", chosen):
            return call(*args, **kwargs)

    return hook


def output_activation(layer: Any) -> str | None:
    """Return `softmax` or `sigmoid` where the layer ends in it, else None."""
    import keras

    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    # Keras, keras.ops, TensorFlow and JAX each have their own, under these names.
    names = {"softmax": "softmax", "softmax_v2": "softmax", "sigmoid": "sigmoid"}
    return names.get(getattr(getattr(layer, "activation", None), "__name__", ""))


def without_activation(layer: Any) -> Hook:
    """Return the hook that gives what goes into the layer's softmax or sigmoid: the logits."""
    import keras

    if isinstance(layer, keras.layers.Softmax):
        return lambda _, inputs, **__: inputs
    return with_activation(layer, keras.activations.linear)


def nth(number: int, hook: Hook) -> Hook:
    """Return `hook` for a layer's call of that number alone; the others stay as they are."""
    count = iter(range(1 << 30))

    def chosen(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return (hook(call, *args, **kwargs)) if next(count) == number else call(*args, **kwargs)

    return chosen


def find_layer(calls: tuple[LayerCall, ...], layer: int | str | Any, model: Any) -> LayerCall:
    """Return the last call of a layer; see `named_layer`.

    Raises:
        UserError: There is no such layer, or the model does not call it.
    """
    found, layers = named_layer(model, layer), all_layers(model)
    matches = [one for one in calls if layers[one.position] is found]
    if not matches:
        called = ", ".join(dict.fromkeys(one.name for one in calls))
        reason = f"{found.name} is not called by the model; called are {called}"
        raise UserError(reason, setting="layer")
    return matches[-1]


def named_layer(model: Any, layer: int | str | Any) -> Any:
    """Return a layer by its position among `model.layers`, its name, or its path `base/conv`.

    A layer of the model itself is given back.

    Raises:
        UserError: There is no such layer, or several of that name in different places.
    """
    import keras

    names = _names(model)
    if isinstance(layer, str):
        exact = [one for one, name in names.items() if name == layer]
        found = exact or [one for one, name in names.items() if name.endswith(f"/{layer}")]
        if len(found) == 1:
            return found[0]
        several = ", ".join(names[one] for one in found)
        hint = did_you_mean(layer, list(names.values()))
        reason = f"{layer!r} is one of {several}" if found else f"no layer {layer!r}{hint}"
    elif isinstance(layer, Integral) and not isinstance(layer, bool):
        if -len(model.layers) <= layer < len(model.layers):
            return model.layers[layer]
        reason = f"{layer} of {len(model.layers)} layers"
    elif isinstance(layer, keras.Layer):
        if layer in names:
            return layer
        reason = f"{layer.name!r} is another model's layer"
    else:
        reason = f"expected a position, name or layer, got {shown(layer)}"
    raise UserError(reason, setting="layer")


def tensor_of(model: Any, layer: int | str | Any) -> Any:
    """Return a layer's output in the model's own graph, or None where it has no single one there.

    Args:
        model: Any Keras 3 model.
        layer: As for `named_layer`; a model inside the model is one.
    """
    layer = named_layer(model, layer)
    graph = getattr(model, "_functional", model)
    by_depth = getattr(graph, "_nodes_by_depth", None) or {}
    nodes = [node for depth in sorted(by_depth) for node in by_depth[depth]]
    found = [node.output_tensors for node in nodes if node.operation is layer]
    return found[0][0] if found and len(found[0]) == 1 else None


def part(model: Any, layer: int | str | Any) -> Any:
    """Return the model up to a layer: it shares the layers, and gives this one's output.

    Raises:
        UserError: There is no such layer, or it has no single output in the model's own graph.
    """
    import keras

    if (tensor := tensor_of(model, layer)) is None:
        reason = f"{getattr(layer, 'name', layer)} gives no single tensor in the model's own graph"
        raise UserError(f"{reason}: choose another", setting="layer")
    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], tensor)


def has_kernel(layer: Any) -> bool:
    """Whether the layer multiplies what it gets with weights: dense, convolution or recurrent."""
    return getattr(layer, "kernel", None) is not None or hasattr(layer, "cell")


def is_convolution(layer: Any) -> bool:
    """Whether the layer slides a kernel over places, whatever its class."""
    return hasattr(layer, "kernel_size")
