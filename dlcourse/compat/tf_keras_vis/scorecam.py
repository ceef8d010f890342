"""Score-CAM and Faster Score-CAM under tf-keras-vis' names."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.tf_keras_vis.gradcam import ClassActivationMap
from dlcourse.compat.tf_keras_vis.utils import get_num_of_steps_allowed
from dlcourse.errors import UserError
from dlcourse.visualizers.resizing import resize


class Scorecam(ClassActivationMap):
    """Sum of the feature maps, each weighted by the score of the inputs that it masks.

    References:
        Wang et al., 2020, arXiv:1910.01279; Faster Score-CAM: T. Tabayashi,
        github.com/tabayashi0117/Score-CAM.
    """

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - upstream's takes nothing
        self,
        score: Any,
        seed_input: Any,
        penultimate_layer: Any = None,
        seek_penultimate_conv_layer: bool = True,
        activation_modifier: Callable[..., Any] | None = keras.ops.relu,
        batch_size: int = 32,
        max_N: int | None = None,  # noqa: N803 - upstream's name
        training: bool = False,
        expand_cam: bool = True,
        normalize_cam: bool = True,
    ) -> Any:
        """Return the maps `(n, places…)`, a list for several inputs.

        Args:
            score, seed_input, penultimate_layer, seek_penultimate_conv_layer, activation_modifier,
                training, expand_cam, normalize_cam: Arguments of `Gradcam`. As upstream, the scores
                are computed from the softmax of the model's outputs.
            batch_size: Number of masked inputs per pass.
            max_N: Number of maps per example, those that vary most; None or below 1 for all.

        Raises:
            UserError: The arguments do not fit together. It is a ValueError.
        """
        targets = self._targets(score)
        inputs = self._get_seed_inputs_for_multiple_inputs(seed_input)
        targets.check(len(inputs[0]))
        place = self._place(penultimate_layer, seek_penultimate_conv_layer, inputs)
        _, maps = self.reading.reader(training, place)(self.reading.model, inputs)
        maps = _most_varied(np.asarray(maps, "float32"), max_N)
        masks = [_between_0_and_1(resize(maps, _places(x, maps))) for x in inputs]
        arrays = [np.asarray(x) for x in inputs]
        outputs = self._outputs(_masked(arrays, masks, batch_size))
        weights = sum(
            self._weights(function, output, maps)
            for function, output in zip(targets.functions, outputs, strict=True)
        )
        cam = np.einsum("n...c,nc->n...", maps, weights)
        cam = cam if activation_modifier is None else activation_modifier(cam)
        return self._enlarged(cam, inputs, expand_cam, normalize_cam, seed_input)

    def _outputs(self, batches: Iterator[list]) -> list[np.ndarray]:
        """Return the model's outputs for all batches, one array per output."""
        read = self.reading.reader(training=False)

        def outputs(model: Any, inputs: list) -> list:
            return read(model, inputs)[0]

        rows = [
            [np.asarray(output) for output in self.reading.run(("outputs",), outputs, batch)]
            for batch in batches
        ]
        return [np.concatenate(parts) for parts in zip(*rows, strict=True)]

    def _weights(self, function: Callable[..., Any], output: np.ndarray, maps: np.ndarray) -> Any:
        """Return the weight of each map for each example, `(n, maps)`."""
        count, channels = maps.shape[0], maps.shape[-1]
        if output.ndim != 2:
            raise UserError(f"scorecam: an output is {output.shape}, expected (n, classes)")
        chances = tf.nn.softmax(output.reshape(channels, count, -1))
        scores = [self._validate_weight(function(row), count) for row in tf.unstack(chances)]
        values = np.asarray([np.asarray(score, "float32") for score in scores])
        return values.reshape(channels, count, -1).mean(axis=2).T

    def _validate_weight(self, score: Any, nsamples: int) -> Any:
        if tf.is_tensor(score) or isinstance(score, np.ndarray):
            fits = score.ndim > 0 and score.shape[0] == nsamples
        else:
            fits = len(score) == nsamples if isinstance(score, list | tuple) else nsamples == 1
        if not fits:
            raise UserError(f"score: expected one score for each of the {nsamples} inputs")
        return score


def _places(x: Any, maps: np.ndarray) -> tuple[int, ...]:
    if len(x.shape) != maps.ndim:
        raise UserError(
            f"scorecam: an input of shape {tuple(x.shape)} cannot be masked by maps of shape "
            f"{maps.shape}"
        )
    return tuple(x.shape[1:-1])


def _most_varied(maps: np.ndarray, most: int | None) -> np.ndarray:
    """Return the maps that are among the `most` maps of largest deviation of some example."""
    channels = maps.shape[-1]
    if most is not None and most > channels:
        raise UserError(f"max_N must be 1 or more and {channels} or less. max_N: {most}")
    most = get_num_of_steps_allowed(channels if most is None or most <= 0 else most)
    if most >= channels:
        return maps
    deviations = maps.std(axis=tuple(range(1, maps.ndim - 1)))
    best = np.argsort(-deviations, axis=-1, kind="stable")[:, :most].ravel()
    return maps[..., list(dict.fromkeys(best.tolist()))]


def _between_0_and_1(maps: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, maps.ndim - 1))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    return (maps - low) / (high - low + keras.config.epsilon())


def _masked(arrays: list[np.ndarray], masks: list[np.ndarray], size: int) -> Iterator[list]:
    """Yield batches of masked inputs, ordered by mask and then by example."""
    count, channels = masks[0].shape[0], masks[0].shape[-1]
    pairs = np.arange(channels * count)
    for start in range(0, len(pairs), size):
        channel, example = np.divmod(pairs[start : start + size], count)
        picked = [np.moveaxis(mask, -1, 0)[channel, example, ..., None] for mask in masks]
        yield [
            tf.constant(x[example] * mask, x.dtype) for x, mask in zip(arrays, picked, strict=True)
        ]


ScoreCAM = Scorecam
