"""Linear, logistic and softmax regression: one layer of weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.models.layers import Initializer, Regression, flatten, head, weights
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
    return _one_layer(input_shape, num_outputs, regression, preprocessing, l2, initializer)


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
    return _one_layer(input_shape, num_outputs, regression, preprocessing, l2, initializer)


def softmax_regression(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return softmax(Wx + b), one probability a class (slides S4)."""
    return _one_layer(input_shape, num_outputs, regression, preprocessing, l2, initializer)


def _one_layer(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression,
    preprocessing: Sequence["keras.Layer"],
    l2: float,
    initializer: str,
) -> "keras.Model":
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            *preprocessing,
            *flatten(input_shape),
            *head(num_outputs, regression, weights(initializer, l2)),
        ]
    )
