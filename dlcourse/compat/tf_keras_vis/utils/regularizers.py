"""tf-keras-vis' older regularizers, of all inputs at once."""

from tf_keras_vis.utils.regularizers import (
    L2Norm,
    LegacyRegularizer,
    Norm,
    Regularizer,
    TotalVariation,
    TotalVariation2D,
)

__all__ = [
    "L2Norm",
    "LegacyRegularizer",
    "Norm",
    "Regularizer",
    "TotalVariation",
    "TotalVariation2D",
]
