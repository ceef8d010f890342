"""Grad-CAM++ under tf-keras-vis' names."""

from typing import Any

import tensorflow as tf

from dlcourse.compat.tf_keras_vis.gradcam import Gradcam

LARGEST_EXPONENT = 80.0
"""exp(89) overflows float32. The factor is common to a whole map, so normalization removes it."""


class GradcamPlusPlus(Gradcam):
    """Grad-CAM with a weight for each place, so that every object of the class counts.

    References:
        Chattopadhay et al., 2018, arXiv:1710.11063.
    """

    def _calculate_cam(
        self, grads: Any, penultimate_output: Any, gradient_modifier: Any, activation_modifier: Any
    ) -> Any:
        grads = grads if gradient_modifier is None else gradient_modifier(grads)
        # α divides by sums that nearly cancel: in float32 only upstream's own order of operations
        # gives upstream's values.
        maps, axes = penultimate_output, list(range(1, grads.shape.rank - 1))
        exponents = [tf.minimum(tf.cast(s, "float32"), LARGEST_EXPONENT) for s in self._scores]
        factor = sum(tf.exp(exponent) for exponent in exponents)
        first = tf.reshape(factor, (-1,) + (1,) * (grads.shape.rank - 1)) * grads
        second = first * grads
        third = second * grads
        total = tf.reduce_sum(maps, axis=axes, keepdims=True)
        alphas = second / _nonzero(second * 2.0 + third * total, second)
        sums = tf.reduce_sum(alphas, axis=axes, keepdims=True)
        alphas = alphas / _nonzero(sums, sums)
        weights = first if activation_modifier is None else activation_modifier(first)
        weights = tf.reduce_sum(weights * alphas, axis=axes, keepdims=True)
        cam = tf.reduce_sum(weights * maps, axis=-1)
        return cam if activation_modifier is None else activation_modifier(cam)


def _nonzero(values: Any, where: Any) -> Any:
    return values + tf.cast(where == 0.0, values.dtype)
