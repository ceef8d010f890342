"""LayerCAM under tf-keras-vis' names."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis.gradcam import Gradcam


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
        gradient_modifier: Callable[..., Any] | None = keras.ops.relu,
        activation_modifier: Callable[..., Any] | None = keras.ops.relu,
        training: bool = False,
        expand_cam: bool = True,
        normalize_cam: bool = True,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
    ) -> Any:
        """Return the maps as `Gradcam` does, from the positive gradients."""
        arguments = {k: v for k, v in locals().items() if k != "self" and not k.startswith("_")}
        return super().__call__(**arguments)

    def _calculate_cam(
        self, grads: Any, penultimate_output: Any, gradient_modifier: Any, activation_modifier: Any
    ) -> Any:
        grads = np.asarray(grads if gradient_modifier is None else gradient_modifier(grads))
        cam = (np.asarray(penultimate_output) * grads).sum(axis=-1)
        return cam if activation_modifier is None else activation_modifier(cam)
