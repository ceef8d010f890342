"""Reading a model with modifiers: on a clone, or with temporary changes.

A modifier may set attributes of layers or return another model. If possible, the model is cloned
first. Otherwise, and under `clone=False`, the modifiers change the model itself; their changes are
recorded and undone at once, and applied again only while the model is read.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis.targets import Targets, known_scores
from dlcourse.errors import UserError
from dlcourse.visualizers import clones, hooks
from dlcourse.visualizers.backend import compiled, crashes_eagerly
from dlcourse.visualizers.operations import attribute
from dlcourse.visualizers.probing import layer_calls

EAGER_CALLS = 3
_SEEN: WeakKeyDictionary[Any, dict] = WeakKeyDictionary()


@dataclass
class Reading:
    """A model, and how it is read.

    Attributes:
        model: Model of the caller, its clone, or the model that a modifier returned.
        changes: Temporary changes `(position among all layers, attribute, value)`.
        extracted: Layer call whose output is read instead of the model's.
        deferred: Modifiers that wait for the first inputs, because the model has no graph.
        twins: Layers of the clone by the caller's layers.
    """

    model: Any
    changes: list[tuple[int, str, Any]] = field(default_factory=list)
    extracted: hooks.LayerCall | None = None
    deferred: list = field(default_factory=list)
    twins: dict = field(default_factory=dict)

    @property
    def inputs(self) -> list | None:
        """The model's symbolic inputs; None if it has none (subclassed, or not yet built)."""
        return hooks.symbolic_inputs(self.model) or None

    @property
    def outputs(self) -> int | None:
        """The number of outputs; None if the model has no symbolic outputs."""
        tensors = getattr(self.model, "outputs", None)
        return 1 if self.extracted else len(tensors) if tensors else None

    def prepare(self, inputs: list) -> None:
        """Build an unbuilt model, and run the deferred modifiers."""
        hooks.build(self.model, inputs)
        for modifier in self.deferred:
            modifier.look(self, layer_calls(self.model, [np.asarray(x) for x in inputs]))
        self.deferred = []

    def lend(self, visualizer: Any) -> Callable[[], Any]:
        """Apply the changes to the model until the returned function is called, or the visualizer
        is deleted.
        """
        layers = hooks.all_layers(self.model)
        changes = [(layers[position], name, value) for position, name, value in self.changes]
        before = [(layer, name, getattr(layer, name, None)) for layer, name, _ in changes[::-1]]
        _set(changes)
        return weakref.finalize(visualizer, _set, before)

    def place(self, layer: Any, inputs: list) -> hooks.LayerCall:
        """Return the last call of a layer."""
        calls = layer_calls(self.model, [np.asarray(x) for x in inputs])
        return hooks.find_layer(calls, layer, self.model)

    def run(self, key: tuple, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(model, *arguments)`, run eagerly a few times and then compiled.

        Tracing costs as much as many calls, so it pays only for repeated calls.
        """
        laid = tuple((position, name, id(value)) for position, name, value in self.changes)
        shapes = tuple((x.shape, x.dtype) for x in tf.nest.flatten(arguments))
        full = (*key, laid, self.extracted, shapes, hooks.structure(self.model))
        seen = _SEEN.setdefault(self.model, {})
        seen[full] = seen.get(full, 0) + 1
        if seen[full] <= EAGER_CALLS and not crashes_eagerly(self.model):
            return function(self.model, *arguments)
        return compiled(self.model, full, function)(*arguments)

    def reader(self, training: bool, place: hooks.LayerCall | None = None) -> Callable[..., Any]:
        """Return `read(model, inputs) → (outputs, recorded)`; it holds no reference to a model."""
        extracted, changes = self.extracted, self.changes
        places = [each for each in (extracted, place) if each]

        def read(model: Any, inputs: list, tape: Any = None) -> tuple[list, Any]:
            over = _over(hooks.all_layers(model), changes)
            watch = tape.watch if tape else lambda _: None
            outputs, seen = hooks.record(
                model, inputs, places, over, training=training, watch=watch
            )
            return (seen[:1] if extracted else outputs), (seen[-1] if place else None)

        return read


def _set(changes: list) -> None:
    for layer, name, value in changes:
        setattr(layer, name, value)


def _over(layers: list, changes: list) -> list[tuple[int, hooks.Hook]]:
    """Return the hooks that apply the changes."""
    values: dict[int, dict] = {}
    for position, name, value in changes:
        values.setdefault(position, {})[name] = value
    for position, layer in enumerate(layers):
        if isinstance(layer, keras.layers.Softmax) and hasattr(layer, "activation"):
            values.setdefault(position, {}).setdefault("activation", layer.activation)
    return [
        (position, _with_attributes(layers[position], over)) for position, over in values.items()
    ]


def _with_attributes(layer: Any, values: dict) -> hooks.Hook:
    """Return the hook that sets attributes; a Softmax layer made linear passes its input on."""
    linear = values.get("activation") is keras.activations.linear
    if isinstance(layer, keras.layers.Softmax) and linear:
        return lambda _, inputs, **__: inputs

    def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            for name, value in values.items():
                stack.enter_context(attribute(layer, name, value))
            return call(*args, **kwargs)

    return hook


def read_through(model: Any, modifiers: list, clone: bool) -> Reading:
    """Return the reading of a model with modifiers; the model itself stays unchanged."""
    own = model
    with suppress(UserError):  # Keras cannot clone it
        own = clones.clone(model) if clone else model
    twins = dict(zip(hooks.all_layers(model), hooks.all_layers(own), strict=True))
    reading = Reading(own, twins=twins)
    with noted(model) as changed:
        for modifier in modifiers:
            looks = hasattr(modifier, "look")
            if looks and (reading.deferred or not modifier.sees(reading.model)):
                reading.deferred.append(modifier)
            else:
                returned = modifier(reading.model)
                reading.model = reading.model if returned is None else returned
    layers = hooks.all_layers(reading.model)
    where = {id(layer): position for position, layer in enumerate(layers)}
    reading.changes = [(where[id(x)], name, v) for x, name, v in changed if id(x) in where]
    return reading


@contextmanager
def noted(model: Any) -> Iterator[list]:
    """Allow changes of the layers within the block; then undo them, and list them as
    `(layer, attribute, value)`.
    """
    changed: list = []
    layers = hooks.all_layers(model)
    before = [dict(layer.__dict__) for layer in layers]
    try:
        yield changed
    finally:
        for layer, kept in zip(layers, before, strict=True):
            if layer.__dict__.get("built") != kept.get("built"):
                continue  # a modifier has called the model, which created the layer's weights
            changes = [(k, v) for k, v in layer.__dict__.items() if not k.startswith("_")]
            for name, value in changes:
                if name not in kept or value is not kept[name]:
                    changed.append((layer, name, value))
                    del layer.__dict__[name]
                    layer.__dict__.update({name: kept[name]} if name in kept else {})


@contextmanager
def statistics_kept(model: Any, training: bool) -> Iterator[None]:
    """Allow training mode within the block; then restore the model's moving statistics."""
    kept = [(v, v.numpy()) for v in model.non_trainable_variables if training]
    try:
        yield
    finally:
        for variable, value in kept:
            if variable.dtype.startswith("float"):
                variable.assign(value)


def output_layers(model: Any) -> list | None:
    """Return the layers with an activation that compute the outputs, at any depth.

    None if there is no graph, or if operations compute outputs.
    """
    layers = []
    for tensor in getattr(model, "outputs", None) or [None]:
        layer = None
        while tensor is not None:
            history = tensor._keras_history
            layer, inner = history.operation, getattr(history.operation, "outputs", None)
            tensor = inner[history.tensor_index] if inner else None
        if not isinstance(layer, keras.Layer):
            return None
        layers += [layer] if ends(layer) else []
    return layers


def ends(layer: Any) -> bool:
    """Whether a layer has an activation, which may be the model's last."""
    return hasattr(layer, "activation") or isinstance(layer, keras.layers.Softmax)


def differentiated(
    reading: Reading,
    inputs: list,
    targets: Targets,
    *,
    training: bool,
    unconnected: tf.UnconnectedGradients,
    place: hooks.LayerCall | None = None,
) -> tuple[Any, Any, list]:
    """Return (gradient of the scores, the layer's output, the scores).

    The gradient is with respect to the layer's output, or else a list, one per input.
    """
    read = reading.reader(training, place)

    def step(calculate: Callable[..., list], model: Any, inputs: list, tensors: list) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x for x in inputs if x.dtype.is_floating])
            outputs, recorded = read(model, inputs, tape=tape)
            values = calculate(outputs, tensors)
        sources = inputs if place is None else recorded
        gradient = tape.gradient(values, sources, unconnected_gradients=unconnected)
        return gradient, recorded, values, [tf.shape(output)[-1] for output in outputs]

    with statistics_kept(reading.model, training):
        key = ("gradient", training, unconnected.value, place)
        return tuple(scored(reading, targets, step, inputs, key))


def scored(
    reading: Reading, targets: Targets, step: Callable[..., Any], inputs: list, key: tuple | None
) -> list:
    """Return `step(calculate, model, inputs, tensors)` without its last part, the outputs' widths.

    The first part is the gradient.

    With the caller's own score functions, or no key, it runs eagerly, else compiled for all
    classes at once.
    """
    if targets.known is None or key is None:
        *parts, _ = step(targets.called, reading.model, inputs, [])
    else:
        count = len(inputs[0])
        targets.check(count)
        function = partial(step, partial(known_scores, targets.known))
        key = (*key, targets.known)
        *parts, widths = reading.run(key, function, inputs, targets.tensors(count))
        targets.check_range([int(width) for width in widths])
    if any(gradient is None for gradient in keras.tree.flatten([parts[0]])):
        raise UserError(
            "the scores do not depend on every input (or on the layer): pass "
            "unconnected_gradients=tf.UnconnectedGradients.ZERO, or another score"
        )
    return parts
