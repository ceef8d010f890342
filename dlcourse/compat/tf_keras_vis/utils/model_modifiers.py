"""tf-keras-vis' model modifiers, for models of any kind.

Each works at once if the model has a graph (Functional, or a built Sequential, nested or not); for
any other model, its `look` reads the layer calls when the first inputs are available.
"""

from typing import Any

import keras
import numpy as np
from keras.src.layers.convolutional.base_conv import BaseConv
from tf_keras_vis.utils import model_modifiers as upstream
from tf_keras_vis.utils.model_modifiers import ModelModifier  # noqa: F401

from dlcourse.compat.tf_keras_vis.reading import Reading, ends, output_layers
from dlcourse.compat.tf_keras_vis.utils import find_layer
from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.probing import layer_calls


class ReplaceToLinear(upstream.ReplaceToLinear):
    """Give every output layer the linear activation, so that the model outputs logits.

    A direct call changes the model; as `model_modifier=` the modifier leaves it unchanged.
    """

    def sees(self, model: Any) -> bool:
        """Return whether the model has a graph that shows its output layers."""
        return output_layers(model) is not None

    def __call__(self, model: Any) -> None:
        """Set the activation of the output layers to linear."""
        layers = output_layers(model)
        if layers is None:
            raise UserError(
                "ReplaceToLinear: this model has no graph: pass the modifier to the visualizer, "
                "model_modifier=ReplaceToLinear()"
            )
        for layer in layers:
            layer.activation = keras.activations.linear

    def look(self, reading: Reading, calls: tuple[LayerCall, ...]) -> None:
        """Record for each output the layer whose activation computes it."""
        layers = hooks.all_layers(reading.model)
        outputs = {number for call in calls for number in call.output_indices}
        found: list = [reading.extracted] if reading.extracted else []
        for number in [] if found else sorted(outputs):
            found += [c for c in calls if number in c.output_indices and ends(layers[c.position])][
                :1
            ]
        if not (found or outputs):
            raise UserError(
                "ReplaceToLinear: an output does not come from a layer with an activation (is it a "
                "function in `call`?); leave the modifier out, or name a layer: "
                "ExtractIntermediateLayer"
            )
        linear = keras.activations.linear
        reading.changes += [(call.position, "activation", linear) for call in found]


class ExtractIntermediateLayer(upstream.ExtractIntermediateLayer):
    """Read a layer's output instead of the model's.

    Args:
        index_or_name: Position in the model's layers, name, or path such as `base/conv_1`.
    """

    def sees(self, model: Any) -> bool:
        """Return whether the layer is in the model's own graph."""
        return hooks.tensor_of(model, self.index_or_name) is not None

    def __call__(self, model: Any) -> Any:
        """Return the model that ends in the layer."""
        if not self.sees(model):
            raise UserError(
                f"ExtractIntermediateLayer: {self.index_or_name!r} is not in the model's graph: "
                "pass the modifier to the visualizer as model_modifier=…"
            )
        return hooks.part(model, self.index_or_name)

    def look(self, reading: Reading, calls: tuple[LayerCall, ...]) -> None:
        """Record the layer's call."""
        reading.extracted = hooks.find_layer(calls, self.index_or_name, reading.model)


class GuidedBackpropagation(upstream.GuidedBackpropagation):
    """Let only positive gradients back through each ReLU, at any depth.

    Warning: such maps hardly depend on the class (Adebayo et al., 2018, arXiv:1810.03292).
    """

    def __call__(self, model: Any) -> None:
        """Replace the target activations by guided ones."""
        for layer in hooks.all_layers(model):
            if getattr(layer, "activation", None) in self.target_activations:
                layer.activation = self._get_guided_activation(layer.activation)


class ExtractIntermediateLayerForGradcam(upstream.ExtractIntermediateLayerForGradcam):
    """Return the model with a convolution's output beside, or instead of, its own."""

    def __call__(self, model: Any) -> Any:
        """Return a model of the outputs and the layer's output; the layer is in its own graph."""
        layer = penultimate(Reading(model), self.penultimate_layer, self.seek_conv_layer, None)
        tensor = hooks.tensor_of(model, layer)
        if tensor is None or len(tensor.shape) < 3:
            raise UserError(
                f"penultimate_layer: {layer.name} has no output (n, …, channels) in the model's "
                "own graph"
            )
        own = list(model.outputs) if self.include_model_outputs else []
        return keras.Model(inputs=model.inputs, outputs=[*own, tensor])


def penultimate(reading: Reading, layer: Any, seek: bool, inputs: list | None) -> Any:
    """Return the layer that a class activation map looks at.

    Args:
        reading: Reading of the model.
        layer: Position, name, path or the layer itself; None for the last layer.
        seek: Whether to go back from there to the nearest convolution.
        inputs: Inputs for a model without a graph, whose layers are searched in the order of calls.

    Raises:
        UserError: There is no such layer.
    """
    model = reading.model
    own = reading.twins.get(layer, layer) if layer.__hash__ else layer
    start = hooks.named_layer(model, -1 if own is None else own)
    result = start if not seek else find_layer(model, _is_convolution, offset=start)
    if seek and inputs is not None and (result is None or reading.inputs is None):
        result = _sought(reading, None if layer in (None, -1) else start, inputs)
    if result is None:
        raise UserError(
            f"penultimate_layer: no convolution at or before {layer!r}; name a layer with "
            "seek_penultimate_conv_layer=False"
        )
    return result


def _is_convolution(layer: Any) -> bool:
    return isinstance(layer, BaseConv)


def _sought(reading: Reading, start: Any, inputs: list) -> Any:
    """Return the convolution that is called last, at or before the last call of `start`."""
    layers = hooks.all_layers(reading.model)
    calls = layer_calls(reading.model, [np.asarray(x) for x in inputs])
    if start is not None:
        ends = [k for k, call in enumerate(calls, 1) if layers[call.position] is start]
        calls = calls[: max(ends, default=0)]
    called = [layers[call.position] for call in calls]
    return next((layer for layer in reversed(called) if _is_convolution(layer)), None)
