"""tf-keras-vis' callbacks."""

from tf_keras_vis.activation_maximization.callbacks import (
    Callback,
    GifGenerator2D,
    PrintLogger,
    Progress,
    managed_callbacks,
)

__all__ = [
    "Callback",
    "GifGenerator2D",
    "PrintLogger",
    "Progress",
    "managed_callbacks",
]
