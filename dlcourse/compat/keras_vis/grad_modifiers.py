"""Gradient modifiers, by function or by name."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from dlcourse.compat.keras_vis.utils.utils import get_identifier


def negate(grads: Any) -> Any:
    """Return the negative gradients: those of the score's decrease."""
    return -grads


def absolute(grads: Any) -> Any:
    """Return the gradients' absolute values."""
    return np.abs(grads)


def invert(grads: Any) -> Any:
    """Return 1 / gradient: small gradients become large."""
    return 1.0 / (grads + keras.config.epsilon())


def relu(grads: Any) -> Any:
    """Return the positive gradients, 0 elsewhere."""
    return np.maximum(0.0, grads)


def small_values(grads: Any) -> Any:
    """Return |1 / gradient|, which is large where the gradient is small."""
    return absolute(invert(grads))


def get(identifier: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with this name, or the function itself."""
    return get_identifier(identifier, globals(), __name__)
