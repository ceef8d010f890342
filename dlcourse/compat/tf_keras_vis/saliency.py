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


def absolute(gradients: Any) -> Any:
    """Return |gradients|."""
    return keras.ops.abs(gradients)


class Saliency(ModelVisualization):
    """How much the score changes with each input value; SmoothGrad with `smooth_samples`.

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
        gradient_modifier: Callable[..., Any] | None = absolute,
        training: bool = False,
        normalize_map: bool = True,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
    ) -> Any:
        """Return a map of each input, `(n, places…)`; with `keepdims` its channels too.

        Args:
            score: A score function, or a list of them, one a model output.
            seed_input: An array `(n, …)` or `(…)`, or a list of them, one a model input.
            smooth_samples: Noisy copies to average over; 0: none.
            smooth_noise: Their noise, as a part of each example's range.
            keepdims: Keep the channels, instead of taking their largest value.
            gradient_modifier: Changes the gradients before anything else.
            training: Run the model in training mode.
            normalize_map: Bring each map to [0, 1].
            unconnected_gradients: What to give for an input that the score does not depend on.

        Raises:
            UserError: A ValueError; what was given does not fit together.
        """
        targets = self._targets(score)
        inputs = self._get_seed_inputs_for_multiple_inputs(seed_input)
        if normalize_map and not keepdims and min(len(x.shape) for x in inputs) < 3:
            raise UserError("saliency: rows have no channels to take the largest of: keepdims=True")
        samples = get_num_of_steps_allowed(smooth_samples) if smooth_samples > 0 else 0

        def gradients(inputs: list) -> list:
            found, _, _ = differentiated(
                self.reading,
                inputs,
                targets,
                training=training,
                unconnected=unconnected_gradients,
            )
            return [g if gradient_modifier is None else gradient_modifier(g) for g in found]

        noise = (samples, smooth_noise)
        found = _smoothed(gradients, inputs, *noise) if samples else gradients(inputs)
        maps = [np.asarray(one) if keepdims else np.max(one, axis=-1) for one in found]
        maps = [normalize(one) if normalize_map else one for one in maps]
        return self._given_back(maps, seed_input)


def _smoothed(gradients: Callable[[list], list], inputs: list, samples: int, noise: float) -> list:
    """Return the mean of the gradients at noisy inputs."""
    arrays = [np.asarray(x) for x in inputs]
    spreads = []
    for x in arrays:
        axes = tuple(range(1, x.ndim))
        spreads.append(noise * (x.max(axis=axes, keepdims=True) - x.min(axis=axes, keepdims=True)))
    total: Any = 0
    for _ in range(samples):
        noisy = [
            tf.constant(x + np.random.normal(0.0, spread, x.shape), x.dtype)
            for x, spread in zip(arrays, spreads, strict=True)
        ]
        found = [np.asarray(g) for g in gradients(noisy)]
        total = (
            found if isinstance(total, int) else [a + b for a, b in zip(total, found, strict=True)]
        )
    return [one / samples for one in total]
