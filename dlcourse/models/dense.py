"""The deep neural network: dense hidden layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.models.layers import (
    Activation,
    Initializer,
    Regression,
    flatten,
    head,
    hidden_layers,
    noise_layer,
    weights,
)
from dlcourse.schema import NonNegative, Positive, Rate

if TYPE_CHECKING:
    import keras


def dnn(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    hidden: tuple[Positive, ...] = (64, 64),
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
    batch_norm: bool = False,
    noise: NonNegative = 0.0,
) -> "keras.Model":
    """Return a network of dense layers (slides S0: 784-16-16-10 has 13,002 parameters).

    Args:
        input_shape: `(features,)`, or an image's `(height, width, channels)`, which is flattened.
        num_outputs: classes, or 1 for a sigmoid output or a regression.
        regression: end in `prediction` instead of probabilities; see `layers.head`.
        preprocessing: layers in front of the first.
        hidden: units of each hidden layer; none makes it logistic or softmax regression.
        activation: of every hidden layer; `linear` shows that depth alone adds nothing.
        dropout: fraction of a hidden layer's outputs dropped in training.
        l2: weight decay, l2·Σw² over every kernel.
        initializer: of every kernel; `zeros` and `constant` (0.1) show why it must be random.
        batch_norm: normalise before each activation (Ioffe and Szegedy 2015).
        noise: standard deviation of Gaussian noise added to the scaled inputs in training.
    """
    import keras

    kernel = weights(initializer, l2)
    front = [*preprocessing, *noise_layer(noise), *flatten(input_shape)]
    dense = hidden_layers(
        hidden, activation=activation, dropout=dropout, batch_norm=batch_norm, weights=kernel
    )
    end = head(num_outputs, regression, kernel)
    return keras.Sequential([keras.Input(input_shape), *front, *dense, *end])
