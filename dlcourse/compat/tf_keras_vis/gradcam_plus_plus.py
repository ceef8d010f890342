"""Grad-CAM++ under tf-keras-vis' names."""

from typing import Any

import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis.gradcam import Gradcam

LARGEST_EXPONENT = 80.0
"""exp(88) overflows float32. A factor common to a whole map, it goes when maps are normalized."""


class GradcamPlusPlus(Gradcam):
    """Grad-CAM with each place weighted, so that all of a class's objects count.

    References:
        Chattopadhay et al., 2018, arXiv:1710.11063.
    """

    def _calculate_cam(
        self, grads: Any, penultimate_output: Any, gradient_modifier: Any, activation_modifier: Any
    ) -> Any:
        grads = grads if gradient_modifier is None else gradient_modifier(grads)
        maps, gradient = np.asarray(penultimate_output), np.asarray(grads)
        axes = tuple(range(1, maps.ndim - 1))
        exponents = [np.minimum(tf.cast(one, "float32"), LARGEST_EXPONENT) for one in self._scores]
        factor = sum(np.exp(one) for one in exponents)
        first = np.reshape(factor, (-1,) + (1,) * (maps.ndim - 1)) * gradient
        second = first * gradient
        below = 2.0 * second + second * gradient * maps.sum(axis=axes, keepdims=True)
        alphas = second / (below + (second == 0.0))
        total = alphas.sum(axis=axes, keepdims=True)
        alphas = alphas / (total + (total == 0.0))
        weights = first if activation_modifier is None else np.asarray(activation_modifier(first))
        cam = np.einsum("n...c,nc->n...", maps, (weights * alphas).sum(axis=axes))
        return cam if activation_modifier is None else activation_modifier(cam)
