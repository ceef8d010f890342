"""LayerCAM under tf-keras-vis' names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis.gradcam import Gradcam, relu


class Layercam(Gradcam):
    """ReLU(Σ ReLU(gradient) · feature map), which is sharp in early layers too.

    References:
        Jiang et al., 2021, doi:10.1109/TIP.2021.3089943.
    """

    def __call__(
        self,
        score: Any,
        seed_input: Any,
        penultimate_layer: Any = None,
        seek_penultimate_conv_layer: bool = True,
        gradient_modifier: Callable[..., Any] | None = relu,
        activation_modifier: Callable[..., Any] | None = relu,
        training: bool = False,
        expand_cam: bool = True,
        normalize_cam: bool = True,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
    ) -> Any:
        """Return the maps as `Gradcam` does, from the positive gradients."""
        return super().__call__(
            score,
            seed_input,
            penultimate_layer,
            seek_penultimate_conv_layer,
            gradient_modifier,
            activation_modifier,
            training,
            expand_cam,
            normalize_cam,
            unconnected_gradients,
        )

    def _calculate_cam(
        self, grads: Any, penultimate_output: Any, gradient_modifier: Any, activation_modifier: Any
    ) -> Any:
        grads = np.asarray(grads if gradient_modifier is None else gradient_modifier(grads))
        cam = (np.asarray(penultimate_output) * grads).sum(axis=-1)
        return cam if activation_modifier is None else activation_modifier(cam)
