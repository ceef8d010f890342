"""Grad-CAM under tf-keras-vis' names, and the base class of the other class activation maps."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis import ModelVisualization
from dlcourse.compat.tf_keras_vis.reading import differentiated
from dlcourse.compat.tf_keras_vis.utils import normalize
from dlcourse.compat.tf_keras_vis.utils.model_modifiers import penultimate
from dlcourse.errors import UserError
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.resizing import resize


class ClassActivationMap(ModelVisualization):
    """The common part of all class activation maps: the layer's choice, and the enlargement."""

    def _place(self, layer: Any, seek: bool, inputs: list) -> LayerCall:
        """Return the layer's last call.

        Raises:
            UserError: There is no such layer, or its output has no places and channels.
        """
        place = self.reading.place(penultimate(self.reading, layer, seek, inputs), inputs)
        if place.shape is None or len(place.shape) < 2:
            raise UserError(
                f"penultimate_layer: {place.name} has output {place.shape}; expected (…, channels)"
            )
        return place

    def _enlarged(self, cam: Any, inputs: list, expand: bool, norm: bool, seed_input: Any) -> Any:
        """Return the map, or with `expand` the map at the size of each input, corners aligned."""
        cam = np.asarray(cam)
        if not expand:
            return normalize(cam) if norm else cam
        for number, x in enumerate(inputs):
            if len(x.shape) < cam.ndim:
                raise UserError(
                    f"seed_input[{number}]: a map of {cam.shape[1:]} cannot be enlarged to "
                    f"{tuple(x.shape)}: pass expand_cam=False"
                )
        cams = [resize(cam, x.shape[1 : cam.ndim]) for x in inputs]
        return self._given_back([normalize(x) if norm else x for x in cams], seed_input)


class Gradcam(ClassActivationMap):
    """ReLU(Σ mean gradient · feature map).

    References:
        Selvaraju et al., 2017, arXiv:1610.02391.
    """

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - upstream's takes nothing
        self,
        score: Any,
        seed_input: Any,
        penultimate_layer: Any = None,
        seek_penultimate_conv_layer: bool = True,
        gradient_modifier: Callable[..., Any] | None = None,
        activation_modifier: Callable[..., Any] | None = keras.ops.relu,
        training: bool = False,
        expand_cam: bool = True,
        normalize_cam: bool = True,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
    ) -> Any:
        """Return the maps `(n, places…)`, a list for several inputs.

        Args:
            score: Score function, or a list of them, one per model output.
            seed_input: Array `(n, …)` or `(…)`, or a list of them, one per model input.
            penultimate_layer: Position, name or the layer itself; None for the last layer.
            seek_penultimate_conv_layer: Whether to go back from there to the nearest convolution.
            gradient_modifier: Function that changes the gradients.
            activation_modifier: Function that changes the map.
            training: Whether to run the model in training mode.
            expand_cam: Whether to resize the map to each input; else one map is returned.
            normalize_cam: Whether to scale each map to [0, 1].
            unconnected_gradients: Result if the score does not depend on the layer.

        Raises:
            UserError: The arguments do not fit together. It is a ValueError.
        """
        targets = self._targets(score)
        inputs = self._get_seed_inputs_for_multiple_inputs(seed_input)
        place = self._place(penultimate_layer, seek_penultimate_conv_layer, inputs)
        gradients, maps, self._scores = differentiated(
            self.reading,
            inputs,
            targets,
            training=training,
            unconnected=unconnected_gradients,
            place=place,
        )
        if maps.dtype != gradients.dtype:
            maps = tf.cast(maps, gradients.dtype)
        cam = self._calculate_cam(gradients, maps, gradient_modifier, activation_modifier)
        return self._enlarged(cam, inputs, expand_cam, normalize_cam, seed_input)

    def _calculate_cam(
        self, grads: Any, penultimate_output: Any, gradient_modifier: Any, activation_modifier: Any
    ) -> Any:
        grads = np.asarray(grads if gradient_modifier is None else gradient_modifier(grads))
        weights = grads.mean(axis=tuple(range(1, grads.ndim - 1)))
        cam = np.einsum("n...c,nc->n...", np.asarray(penultimate_output), weights)
        return cam if activation_modifier is None else activation_modifier(cam)


from dlcourse.compat.tf_keras_vis.gradcam_plus_plus import (  # noqa: E402 - as upstream has it
    GradcamPlusPlus,
)

__all__ = ["Gradcam", "GradcamPlusPlus"]
