"""tf-keras-vis' scores."""

from tf_keras_vis.utils.scores import (
    BinaryScore,
    CategoricalScore,
    InactiveScore,
    Score,
)

__all__ = [
    "BinaryScore",
    "CategoricalScore",
    "InactiveScore",
    "Score",
]
