"""Gradient descent on an input."""

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.compat.keras_vis import grad_modifiers
from dlcourse.compat.keras_vis.callbacks import Print
from dlcourse.compat.keras_vis.utils.utils import deprocess_input, random_array
from dlcourse.compat.tf_keras_vis.reading import Reading
from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.targets import fits, model_shapes


class Optimizer:
    """Minimizes weighted losses of an input, by RMSprop with learning rate 1 and decay 0.95.

    Args:
        input_tensor: Symbolic input of the model, or the model itself, of any kind.
        losses: Pairs `(loss, weight)`; pairs with weight 0 are ignored.
        input_range: Range of the returned values.
        wrt_tensor: Layer, or output of a layer, by which to differentiate; None for the input.
        norm_grads: Whether to divide the gradient by its L2 norm.
    """

    def __init__(
        self,
        input_tensor: Any,
        losses: list[tuple[Any, float]],
        input_range: tuple[Any, Any] = (0, 255),
        wrt_tensor: Any = None,
        norm_grads: bool = True,
    ):
        self.losses = [(loss, weight) for loss, weight in losses if weight != 0]
        self.input_range, self.norm_grads = input_range, norm_grads
        history = getattr(wrt_tensor, "_keras_history", None)
        self.wrt = None if wrt_tensor is input_tensor else getattr(history, "operation", wrt_tensor)
        self.model = input_tensor
        if not isinstance(input_tensor, keras.Model):
            layers = [loss.layer for loss, _ in self.losses] + [self.wrt]
            ends = [layer.output for layer in layers if layer is not None]
            self.model = keras.Model(input_tensor, ends or input_tensor)
            for loss, _ in self.losses:
                loss.bind(input_tensor)

    def minimize(
        self,
        seed_input: Any = None,
        max_iter: int = 200,
        input_modifiers: Any = None,
        grad_modifier: Any = None,
        callbacks: Any = None,
        verbose: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (the best input in the input range, the last gradient, the last value).

        Args:
            seed_input: First input, `(…)` or `(1, …)`; None for a random one.
            max_iter: Number of steps.
            input_modifiers: List of `InputModifier`.
            grad_modifier: Function, or the name of a function of `grad_modifiers`.
            callbacks: List of `OptimizerCallback`.
            verbose: Whether to print each step.
        """
        x = self._seed(seed_input)
        reading = Reading(self.model)
        reading.prepare([x])
        modify = (lambda g: g) if grad_modifier is None else grad_modifiers.get(grad_modifier)
        modifiers = input_modifiers or []
        callbacks = [*(callbacks or []), *([Print()] if verbose else [])]
        step = self._step(reading, x, max_iter)
        best, lowest, cache = x, np.inf, np.zeros_like(x)
        gradient = value = x
        names = [loss.name for loss, _ in self.losses]
        for i in range(max_iter):
            for modifier in modifiers:
                x = modifier.pre(x)
            parts, *others = step(x)
            overall, gradient, value = map(np.asarray, others)
            gradient = modify(gradient)
            named = list(zip(names, map(np.asarray, parts), strict=True))
            for each in callbacks:
                each.callback(i, named, overall, gradient, value)
            if self.wrt is None:
                cache = 0.95 * cache + 0.05 * gradient**2
                x = x - gradient / np.sqrt(cache + keras.config.epsilon())
            for modifier in reversed(modifiers):
                x = modifier.post(x)
            if overall < lowest:
                lowest, best = overall, x.copy()
        for each in callbacks:
            each.on_end()
        return deprocess_input(best[0], self.input_range), gradient, value

    def _seed(self, seed: Any) -> np.ndarray:
        shape: Any = (model_shapes(self.model) or [None])[0]
        if seed is None:
            if shape is None or None in shape:
                raise UserError(f"seed_input: the model takes {shape}; pass a seed_input")
            low, high = self.input_range
            return random_array((1, *shape), (low + high) / 2, 0.05 * (high - low))
        x = np.array(seed, "float32")
        if shape is not None and x.ndim == len(shape):
            x = x[None]
        if x.shape[:1] != (1,) or not (shape is None or fits(x.shape, shape)):
            known = "(1, …)" if shape is None else shape
            raise UserError(f"seed_input: expected one input of shape {known}, got {x.shape}")
        return x

    def _step(self, reading: Reading, x: np.ndarray, times: int) -> Any:
        """Return `f(x) → (weighted losses, their sum, gradient, value)`."""
        layers = list(dict.fromkeys([loss.layer for loss, _ in self.losses] + [self.wrt]))
        places = {layer: reading.place(layer, [x]) for layer in layers if layer is not None}
        step = partial(
            _losses_and_gradient,
            self.model,
            losses=[(loss.value, weight, places.get(loss.layer)) for loss, weight in self.losses],
            wrt=places.get(self.wrt),
            norm=self.norm_grads,
            places=list(places.values()),
        )
        return step if times < 3 else tf.function(step, autograph=False)


def _losses_and_gradient(
    model: Any, x: Any, *, losses: list, wrt: Any, norm: bool, places: list
) -> tuple:
    x = tf.cast(x, "float32")
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        seen = dict(zip(places, hooks.record(model, [x], places)[1], strict=True))
        parts = [
            weight * tf.cast(value(x, seen.get(place)), "float32")
            for value, weight, place in losses
        ]
        overall = tf.add_n(parts)
    target = x if wrt is None else seen[wrt]
    zero = tf.UnconnectedGradients.ZERO
    gradient = tf.cast(tape.gradient(overall, target, unconnected_gradients=zero), "float32")
    if norm:
        gradient = tf.math.l2_normalize(gradient)
    return parts, overall, gradient, tf.cast(target, "float32")
