"""Linear, logistic and softmax regression: one layer of weights, a network without hidden ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.models.dense import dnn
from dlcourse.models.layers import Initializer, Regression
from dlcourse.schema import NonNegative

if TYPE_CHECKING:
    import keras


def linear_regression(
    input_shape: tuple[int, ...],
    num_outputs: int = 1,
    regression: Regression = True,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return ŷ = w·x + b, trained on the mean squared error (slides S4)."""
    weights = {"hidden": (), "l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, preprocessing, **weights)


def logistic_regression(
    input_shape: tuple[int, ...],
    num_outputs: int = 1,
    regression: Regression = False,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return σ(w·x + b), the probability of the second of two classes (slides S4)."""
    weights = {"hidden": (), "l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, preprocessing, **weights)


def softmax_regression(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return softmax(Wx + b), one probability per class (slides S4)."""
    weights = {"hidden": (), "l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, preprocessing, **weights)
