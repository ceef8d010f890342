"""tf-keras-vis' older names of the scores."""

from tf_keras_vis.utils.losses import (
    BinaryLoss,
    CategoricalLoss,
    InactiveLoss,
    Loss,
)

__all__ = [
    "BinaryLoss",
    "CategoricalLoss",
    "InactiveLoss",
    "Loss",
]
