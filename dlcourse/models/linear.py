"""Linear, logistic and softmax regression: networks without a hidden layer."""

from dlcourse.heavy import keras
from dlcourse.models.dense import dnn
from dlcourse.models.layers import Initializer, Regression, Rescale
from dlcourse.schema import NonNegative, checked


@checked
def linear_regression(
    input_shape: tuple[int, ...],
    num_outputs: int = 1,
    regression: Regression = True,
    rescale: Rescale = None,
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return linear regression, ŷ = w·x + b, trained on the mean squared error (slides S4).

    Args:
        input_shape: Shape of one example: `(features,)`, or an image's `(height, width)` or
            `(height, width, channels)`, which is flattened.
        num_outputs: Number of targets.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`. None expects inputs from about 0 to 1, or standardised inputs.
        l2: Factor of the penalty l2·Σw² over all kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel. `zeros` and `constant` (0.1) show why weights must
            start random, `large_normal` (standard deviation 1) why they must start small.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    weights = {"l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, rescale, hidden=(), **weights)


@checked
def logistic_regression(
    input_shape: tuple[int, ...],
    num_outputs: int = 1,
    regression: Regression = False,
    rescale: Rescale = None,
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return logistic regression, σ(w·x + b), the probability of the second class (slides S4).

    Args:
        input_shape: Shape of one example: `(features,)`, or an image's `(height, width)` or
            `(height, width, channels)`, which is flattened.
        num_outputs: Number of outputs, 1.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`. None expects inputs from about 0 to 1, or standardised inputs.
        l2: Factor of the penalty l2·Σw² over all kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel. `zeros` and `constant` (0.1) show why weights must
            start random, `large_normal` (standard deviation 1) why they must start small.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    weights = {"l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, rescale, hidden=(), **weights)


@checked
def softmax_regression(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    rescale: Rescale = None,
    *,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return softmax regression, softmax(Wx + b), one probability per class (slides S4).

    Args:
        input_shape: Shape of one example: `(features,)`, or an image's `(height, width)` or
            `(height, width, channels)`, which is flattened.
        num_outputs: Number of classes.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`. None expects inputs from about 0 to 1, or standardised inputs.
        l2: Factor of the penalty l2·Σw² over all kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel. `zeros` and `constant` (0.1) show why weights must
            start random, `large_normal` (standard deviation 1) why they must start small.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    weights = {"l2": l2, "initializer": initializer}
    return dnn(input_shape, num_outputs, regression, rescale, hidden=(), **weights)
