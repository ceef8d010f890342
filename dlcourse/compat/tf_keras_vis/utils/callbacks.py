"""tf-keras-vis' older names of the callbacks."""

from tf_keras_vis.utils.callbacks import (
    GifGenerator,
    GifGenerator2D,
    OptimizerCallback,
    Print,
)

__all__ = [
    "GifGenerator",
    "GifGenerator2D",
    "OptimizerCallback",
    "Print",
]
