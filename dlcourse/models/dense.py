"""The deep neural network: dense hidden layers."""

from dlcourse.heavy import keras
from dlcourse.models import layers as parts
from dlcourse.schema import Fraction, NonNegative, Positive, Rate, checked


@checked
def dnn(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    *,
    hidden: tuple[Positive, ...] = (64, 64),
    activation: parts.Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
    batch_norm: bool = False,
    batch_norm_momentum: Fraction | None = None,
    noise: NonNegative = 0.0,
) -> "keras.Model":
    """Return a network of dense layers (slides S0: 784-16-16-10 has 13,002 parameters).

    Args:
        input_shape: Shape of one example: `(features,)`, or an image's `(height, width)` or
            `(height, width, channels)`, which is flattened.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`. None expects inputs from about 0 to 1, or standardised inputs.
        hidden: Units of each hidden layer; an empty list gives logistic or softmax regression.
        activation: Activation of every hidden layer; `linear` shows that depth alone adds nothing.
        dropout: Fraction of each hidden layer's outputs dropped in training; 0 for none.
        l2: Factor of the penalty l2·Σw² over all kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel. `zeros` and `constant` (0.1) show why weights must
            start random, `large_normal` (standard deviation 1) why they must start small.
        batch_norm: Batch normalization before each activation (Ioffe and Szegedy 2015).
        batch_norm_momentum: Momentum of batch normalization's running mean and variance: each step
            keeps this fraction of them. Null lets them arrive within an epoch or a few: 1 - 3/steps
            for the steps of an epoch, at least 0.8 and at most 0.99; 0.9 without data.
        noise: Standard deviation of Gaussian noise added to the scaled inputs in training; 0 for
            none.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    kernel = parts.weights(initializer, l2)
    momentum = (batch_norm_momentum or parts.MOMENTUM) if batch_norm else None
    front = [*parts.input_layers(input_shape, rescale), *parts.noise_layer(noise)]
    if len(input_shape) > 1:
        front.append(keras.layers.Flatten(name="flatten"))
    dense = parts.hidden_layers(
        hidden, activation=activation, dropout=dropout, momentum=momentum, weights=kernel
    )
    end = parts.head(num_outputs, regression, kernel)
    return keras.Sequential([*front, *dense, *end])
