"""tf-keras-vis' input modifiers."""

from tf_keras_vis.activation_maximization.input_modifiers import (
    InputModifier,
    Jitter,
    Rotate,
    Rotate2D,
    Scale,
)

__all__ = [
    "InputModifier",
    "Jitter",
    "Rotate",
    "Rotate2D",
    "Scale",
]
