"""Modified gradients of ReLU: functions that return a modified copy of a model, or their names."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from dlcourse.compat.keras_vis.utils.utils import get_identifier
from dlcourse.visualizers import hooks
from dlcourse.visualizers.clones import clone


def guided(model: Any) -> Any:
    """Return a copy that backpropagates only positive gradients, of positive activations."""
    return _modified(model, lambda dy, y: tf.where((dy > 0) & (y > 0), dy, tf.zeros_like(dy)))


def rectified(model: Any) -> Any:
    """Return a copy that backpropagates only positive gradients, whatever the activation."""
    return _modified(model, lambda dy, _: tf.nn.relu(dy))


deconv = relu = rectified


def get(identifier: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with this name, or the function itself."""
    return get_identifier(identifier, globals(), __name__)


def change(model: Any, gradient: Callable[[Any, Any], Any]) -> None:
    """Give every ReLU of the model, at any depth, another gradient: f(gradient, output)."""

    @tf.custom_gradient
    def activation(x: Any) -> Any:
        y = tf.nn.relu(x)
        return y, lambda dy: gradient(dy, y)

    for layer in hooks.all_layers(model):
        if getattr(layer, "activation", None) is keras.activations.relu:
            layer.activation = activation
        elif isinstance(layer, keras.layers.ReLU):
            layer.__dict__["call"] = activation


def _modified(model: Any, gradient: Callable[[Any, Any], Any]) -> Any:
    copy = clone(model)
    change(copy, gradient)
    return copy
