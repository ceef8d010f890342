"""tf-keras-vis' regularizers, of one input each."""

from tf_keras_vis.activation_maximization.regularizers import (
    Norm,
    Regularizer,
    TotalVariation2D,
)

__all__ = [
    "Norm",
    "Regularizer",
    "TotalVariation2D",
]
