"""Reading any Keras model from inside: every layer's output, the logits, other activations.

Sequential, Functional, nested and subclassed models are read in the same way: the model is called
as it is, while a hook replaces the `call` of chosen layers; it sees, and may change, what the layer
returns. The hook is in place during that call (or its tracing, where it is compiled) and is then
removed. No graph is rebuilt, no weight is copied, nothing is left behind.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from math import prod
from numbers import Integral
from threading import RLock, get_ident
from typing import Any
from weakref import WeakKeyDictionary, ref

from dlcourse.errors import UserError
from dlcourse.heavy import keras, ops
from dlcourse.schema import did_you_mean, shown
from dlcourse.visualizers.operations import Operation, attribute, replaced, within

Hook = Callable[..., Any]
"""`hook(call, *args, **kwargs)`: its result replaces that of `call(*args, **kwargs)`."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer during a call of the model.

    Attributes:
        position: Position of the layer in `all_layers(model)`, or of the operation in
            `parts(model)`.
        number: Number of the call: 0 for the layer's first, 1 for the second of a shared layer, …
        name: The layer's name, with those of the models around it: `base/block_2/conv`.
        kind: Class name of the layer.
        shape: Shape of its output, without the batch. None if it does not return a single tensor.
        output_indices: Indices of the model's outputs that are this same tensor.
        entering: Whether the layer's first input is meant instead of its output.
        grid: Rows and columns of the image's patches, if the places are these tokens, or None.
    """

    position: int
    number: int
    name: str
    kind: str
    shape: tuple[int, ...] | None
    output_indices: tuple[int, ...]
    entering: bool = False
    grid: tuple[int, ...] | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Position and number: equal for the same call, read in any way."""
        return self.position, self.number

    def laid_out(self, tensor: Any) -> Any:
        """Return the maps `(n, rows, columns, channels)` of tokens, without a class token."""
        if self.grid is None:
            return tensor
        patches = tensor[:, -prod(self.grid) :]
        return ops.reshape(patches, (-1, *self.grid, tensor.shape[-1]))


def all_layers(model: Any) -> list:
    """Return every layer inside `model`, at any depth, except the cells of recurrent layers."""
    return list(names_of(model, closed=(keras.layers.RNN, keras.layers.TimeDistributed)))


def parts(model: Any) -> list:
    """Return `all_layers(model)`, and then the operations in the graphs of the model's parts."""
    layers = all_layers(model)
    graphs = [getattr(part, "_functional", part) for part in (model, *layers)]
    operations = [op for graph in graphs for op in getattr(graph, "_operations", ())]
    return layers + [op for op in operations if not isinstance(op, keras.Layer)]


def has_graph(model: Any) -> bool:
    """Whether the model's layers are known without calling it: Sequential or Functional."""
    return isinstance(model, keras.Sequential) or hasattr(model, "_inputs_struct")


FORMS: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
"""The dict of inputs of each subclassed model that was given one."""


def check_model(model: Any) -> None:
    """Check that `model` is a Keras model.

    Raises:
        UserError: It is not.
    """
    if not isinstance(model, keras.Model):
        old = type(model).__module__.startswith(("tf_keras", "keras.engine"))
        cure = " of Keras 2: save it, and load the file with keras.models.load_model" if old else ""
        raise UserError(f"model: expected a Keras model, got {type(model).__name__}{cure}")


def structure(model: Any) -> tuple:
    """Return what a trace of the model depends on: layers, activations, the keys of its inputs."""
    layers = all_layers(model)
    marks = [(ref(layer), _mark(getattr(layer, "activation", None))) for layer in layers]
    return *marks, *FORMS.get(model, ())


def _mark(thing: Any) -> Any:
    """Return a weak reference: unlike an `id`, it never equals that of a later object."""
    try:
        mark = ref(thing)
        hash(mark)
    except TypeError:  # None, or a type without weak references
        return id(thing)
    return mark


def symbolic_inputs(model: Any) -> list:
    """Return the model's symbolic inputs; an empty list if it is subclassed or not built."""
    return list(getattr(model, "inputs", None) or ())


def fixed_batch(model: Any) -> int | None:
    """Return the only number of examples that the model takes at a time; None for any number."""
    return next((x.shape[0] for x in symbolic_inputs(model)), None)


def build(model: Any, inputs: list) -> None:
    """Build the model if needed; a Sequential for any batch size, which a call would fix."""
    if model.built:
        return
    if isinstance(model, keras.Sequential):
        model.build((None, *inputs[0].shape[1:]))
    else:
        outputs_of(model, [x[:1] for x in inputs])


def outputs_of(model: Any, inputs: list) -> dict[str, Any]:
    """Return the model's outputs by name.

    Raises:
        UserError: The call fails.
    """
    try:
        return named(call(model, inputs))
    except Exception as error:
        shapes = " and ".join(f"(n, {', '.join(map(str, x.shape[1:]))})" for x in inputs)
        text = f"model: cannot be called on images {shapes}: {_reason(error)}"
        raise UserError(text) from error


def named(outputs: Any, name: str = "") -> dict[str, Any]:
    """Return the tensors in lists and dicts by name, such as `a/0`, in the order given."""
    pairs = outputs.items() if isinstance(outputs, dict) else None
    pairs = enumerate(outputs) if isinstance(outputs, list | tuple) else pairs
    if pairs is None:
        return {name: outputs}
    inner = [named(value, f"{name}/{key}" if name else str(key)) for key, value in pairs]
    return {key: value for part in inner for key, value in part.items()}


def _reason(error: Exception) -> str:
    """Return the line of an error that gives the reason, without Keras' frame and colours."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered")] or lines
    return lines[0] if lines else type(error).__name__


def names_of(model: Any, prefix: str = "", closed: tuple = ()) -> dict:
    """Return the path of each layer, such as `base/conv`; not of layers inside `closed` classes."""
    names: dict = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        names.setdefault(layer, prefix + layer.name)
        if not isinstance(layer, closed):
            inside = names_of(layer, f"{prefix}{layer.name}/", closed)
            names |= {inner: name for inner, name in inside.items() if inner not in names}
    return names


def call(model: Any, inputs: list, *, training: bool = False) -> Any:
    """Return the model's outputs, given the list of its inputs."""
    # of a Functional model: an array, list or dict
    form = getattr(model, "_inputs_struct", FORMS.get(model))
    packed = inputs if len(inputs) > 1 else inputs[0]
    if form is not None:
        packed = keras.tree.pack_sequence_as(form, inputs)
    return model(packed, training=training)


def record(
    model: Any,
    inputs: list,
    places: Sequence[LayerCall],
    changes: Iterable[tuple[int, Hook]] = (),
    operation: Operation | None = None,
    *,
    training: bool = False,
    watch: Callable[[Any], Any] = lambda _: None,
) -> tuple[list, list]:
    """Return the model's outputs and the tensor of each given layer call, from one call.

    Layers of half precision compute in full precision: no gradient under- or overflows.

    Args:
        model: Any Keras 3 model.
        inputs: One tensor or array per input.
        places: Layer calls to record; their tensors are returned unchanged, in this order.
        changes: Hooks on the layers during the call, as for `hooked`.
        operation: Hook on softmax, sigmoid and ReLU, as for `hooked`.
        training: Whether to call the model in training mode.
        watch: Function called at once with each recorded tensor, such as a gradient tape's `watch`.
    """
    seen: dict[LayerCall, Any] = {}

    def keep(place: LayerCall) -> tuple[int, Hook]:
        def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            seen[place] = (*args, *kwargs.values())[0] if place.entering else result
            watch(seen[place])
            return result

        return place.position, nth(place.number, hook)

    with hooked(model, [*changes, *map(keep, places)], operation):
        outputs = list(named(call(model, inputs, training=training)).values())
    return outputs, [seen[place] for place in places]


_ONE_AT_A_TIME = RLock()
HALF = ("float16", "bfloat16")


@contextmanager
def hooked(
    model: Any, changes: Iterable[tuple[int, Hook]], operation: Operation | None = None
) -> Iterator[None]:
    """Within the block, each `(position, hook)` wraps the `call` of one of `parts(model)`.

    This holds only for this thread: others that call the model see the layers unchanged.

    Args:
        model: Any Keras 3 model.
        changes: Positions and hooks.
        operation: Function called in place of each softmax, sigmoid and ReLU.
    """
    everything, loops = parts(model), []
    marks = [
        (k, within(loops)) for k, x in enumerate(everything) if isinstance(x, keras.layers.RNN)
    ]
    owners = [model, *everything]
    methods = [x for owner in owners for part in (owner, type(owner)) for x in vars(part).values()]
    with _ONE_AT_A_TIME, ExitStack() as stack:
        if any(hasattr(method, "get_concrete_function") for method in methods):
            import tensorflow as tf  # a tf.function runs as written, where hooks reach it

            stack.callback(tf.config.run_functions_eagerly, tf.config.functions_run_eagerly())
            tf.config.run_functions_eagerly(True)
        for layer in model._flatten_layers():
            if layer.compute_dtype in HALF and not layer.quantization_mode:
                full = keras.DTypePolicy("float32")
                full._variable_dtype = layer.variable_dtype
                stack.enter_context(attribute(layer, "_dtype_policy", full))
        for position, hook in [*(marks if operation else ()), *changes]:
            layer = everything[position]
            stack.enter_context(attribute(layer, "call", _hooked_call(layer, hook)))
        if operation:
            stack.enter_context(replaced(operation, owners, loops))
        yield


def _hooked_call(layer: Any, hook: Hook) -> Callable[..., Any]:
    original, here = layer.call, get_ident()

    def hook_call(*args: Any, **kwargs: Any) -> Any:
        return hook(original, *args, **kwargs) if get_ident() == here else original(*args, **kwargs)

    return hook_call


def nth(number: int, hook: Hook) -> Hook:
    """Return `hook` restricted to the layer's call of that number; other calls are unchanged."""
    numbers = count()

    def chosen(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return (hook(call, *args, **kwargs)) if next(numbers) == number else call(*args, **kwargs)

    return chosen


def find_layer(calls: tuple[LayerCall, ...], layer: Any, model: Any) -> LayerCall:
    """Return the last call of a layer; see `find_calls`."""
    return find_calls(calls, layer, model)[-1]


def find_calls(calls: tuple[LayerCall, ...], layer: Any, model: Any) -> list[LayerCall]:
    """Return the calls of a layer, in order, or the one asked as (layer, number of the call).

    Raises:
        UserError: There is no such layer (see `named_layer`) or call.
    """
    if isinstance(layer, tuple) and len(layer) == 2:
        every = find_calls(calls, layer[0], model)
        if layer[1] in range(len(every)):
            return [every[layer[1]]]
        known = ", ".join(f"({call.name!r}, {call.number})" for call in every)
        raise UserError(f"no call {shown(layer[1])} (known: {known})", setting="layer")
    wanted, layers = named_layer(model, layer), all_layers(model)
    matches = [call for call in calls if layers[call.position] is wanted]
    if not matches:
        called = ", ".join(dict.fromkeys(call.name for call in calls))
        reason = f"{wanted.name} is not called by the model, which calls {called}"
        raise UserError(reason, setting="layer")
    return matches


def several(layers: Any) -> list:
    """Return the layers of an argument: one, `(layer, number of the call)`, or a list or tuple."""
    numbers = [isinstance(x, Integral) for x in layers] if isinstance(layers, tuple) else []
    is_list = isinstance(layers, list | tuple) and numbers != [False, True]
    return list(layers) if is_list else [layers]


def named_layer(model: Any, layer: int | str | Any) -> Any:
    """Return a layer by its position among `model.layers`, its name, or its path `base/conv`.

    A layer object of the model is returned as it is.

    Raises:
        UserError: There is no such layer, or several have this name.
    """
    names = names_of(model)
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
    if (tensor := tensor_of(model, layer)) is None:
        reason = f"{getattr(layer, 'name', layer)} has no single output in the model's own graph"
        raise UserError(f"{reason}: choose another layer", setting="layer")
    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], tensor)


def has_kernel(layer: Any) -> bool:
    """Whether the layer multiplies its input with weights: dense, convolutional or recurrent."""
    return getattr(layer, "kernel", None) is not None or hasattr(layer, "cell")


def learns(part: Any) -> bool:
    """Whether a layer or operation has weights, other than those of a normalisation."""
    return bool(getattr(part, "weights", ())) and "Normalization" not in type(part).__name__


def is_convolution(layer: Any) -> bool:
    """Whether the layer slides a kernel over its input, whatever its class."""
    return hasattr(layer, "kernel_size")
