"""tf-keras-vis' older place of the input modifiers."""

from tf_keras_vis.utils.input_modifiers import (
    InputModifier,
    Jitter,
    Rotate,
    Rotate2D,
)

__all__ = [
    "InputModifier",
    "Jitter",
    "Rotate",
    "Rotate2D",
]
