"""Saliency and SmoothGrad under tf-keras-vis' names."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis import ModelVisualization
from dlcourse.compat.tf_keras_vis.reading import differentiated
from dlcourse.compat.tf_keras_vis.utils import get_num_of_steps_allowed, normalize
from dlcourse.errors import UserError


class Saliency(ModelVisualization):
    """The change of the score with each input value; SmoothGrad with `smooth_samples`.

    References:
        Simonyan et al., 2013, arXiv:1312.6034; Smilkov et al., 2017, arXiv:1706.03825.
    """

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - upstream's takes nothing
        self,
        score: Any,
        seed_input: Any,
        smooth_samples: int = 0,
        smooth_noise: float = 0.20,
        keepdims: bool = False,
        gradient_modifier: Callable[..., Any] | None = keras.ops.abs,
        training: bool = False,
        normalize_map: bool = True,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
    ) -> Any:
        """Return a map of each input, `(n, places…)`; with `keepdims` including its channels.

        Args:
            score: Score function, or a list of them, one per model output.
            seed_input: Array `(n, …)` or `(…)`, or a list of them, one per model input.
            smooth_samples: Number of noisy copies to average over; 0 for no noise.
            smooth_noise: Standard deviation of the noise, as a fraction of each example's range.
            keepdims: Whether to keep the channels instead of taking their largest value.
            gradient_modifier: Function that changes the gradients first.
            training: Whether to run the model in training mode.
            normalize_map: Whether to scale each map to [0, 1].
            unconnected_gradients: Result for an input that the score does not depend on.

        Raises:
            UserError: The arguments do not fit together. It is a ValueError.
        """
        targets = self._targets(score)
        inputs = self._get_seed_inputs_for_multiple_inputs(seed_input)
        if normalize_map and not keepdims and min(len(x.shape) for x in inputs) < 3:
            raise UserError("saliency: rows have no channels to reduce: pass keepdims=True")
        samples = get_num_of_steps_allowed(smooth_samples) if smooth_samples > 0 else 0

        def gradients(inputs: list) -> list:
            values, _, _ = differentiated(
                self.reading, inputs, targets, training=training, unconnected=unconnected_gradients
            )
            return [g if gradient_modifier is None else gradient_modifier(g) for g in values]

        noise = (samples, smooth_noise)
        maps = _smoothed(gradients, inputs, *noise) if samples else gradients(inputs)
        maps = [np.asarray(values) if keepdims else np.max(values, axis=-1) for values in maps]
        maps = [normalize(values) if normalize_map else values for values in maps]
        return self._given_back(maps, seed_input)


def _smoothed(gradients: Callable[[list], list], inputs: list, samples: int, noise: float) -> list:
    """Return the mean of the gradients at noisy inputs."""
    arrays = [np.asarray(x) for x in inputs]
    spreads = [noise * np.ptp(x, axis=tuple(range(1, x.ndim)), keepdims=True) for x in arrays]
    totals: list = [0.0] * len(arrays)
    for _ in range(samples):
        noisy = [
            tf.constant(x + np.random.normal(0.0, spread, x.shape), x.dtype)
            for x, spread in zip(arrays, spreads, strict=True)
        ]
        totals = [total + np.asarray(g) for total, g in zip(totals, gradients(noisy), strict=True)]
    return [total / samples for total in totals]
