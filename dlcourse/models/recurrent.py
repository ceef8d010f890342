"""The recurrent network: simple RNN, LSTM or GRU over a sequence."""

from math import prod
from typing import Literal

from dlcourse.heavy import keras
from dlcourse.models import layers as parts
from dlcourse.schema import NonNegative, Positive, Rate, checked


@checked
def rnn(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    vocabulary: int | None = None,
    *,
    cell: Literal["simple", "lstm", "gru"] = "lstm",
    units: Positive = 64,
    layers: Positive = 1,
    bidirectional: bool = False,
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return a recurrent network; an image is read row by row, from the top.

    Args:
        input_shape: Shape of one example: `(steps, features)`, `(steps,)` of a text, or an image's
            `(height, width, channels)`: height steps of width·channels features.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`, or several. After a `Masking` layer, the steps after a sequence's end
            change nothing. None expects inputs from about 0 to 1, or standardised inputs.
        vocabulary: Number of different tokens of a text, 0 for padding included; each becomes a
            vector of `units` numbers. None for other inputs.
        cell: Kind of recurrent layer: simple RNN (Elman 1990), LSTM (Hochreiter and Schmidhuber
            1997) or GRU (Cho 2014).
        units: Size of the state.
        layers: Number of recurrent layers; all but the last return their whole sequence.
        bidirectional: Reading in both directions; the two states are concatenated (Schuster and
            Paliwal 1997).
        dropout: Fraction of each recurrent layer's outputs dropped in training; 0 for none.
        l2: Factor of the penalty l2·Σw² over all input kernels, added to the loss; 0 for none.
        initializer: Initializer of every input kernel (recurrent kernels start orthogonal).

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    kernel = parts.weights(initializer, l2)
    kind = {"simple": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    recurrent: list[keras.Layer] = []
    for number in range(1, layers + 1):
        name = f"{cell}_{number}"
        layer = kind[cell](units, return_sequences=number < layers, name=name, **kernel)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{name}")
        recurrent.append(layer)
        if dropout:
            recurrent.append(keras.layers.Dropout(dropout, name=f"{name}_dropout"))
    front = parts.sequence_inputs(input_shape, rescale, vocabulary, units, axes=(2, 3))
    if len(input_shape) == 3:
        front.append(keras.layers.Reshape((input_shape[0], prod(input_shape[1:])), name="rows"))
    end = parts.head(num_outputs, regression, kernel)
    return keras.Sequential([*front, *recurrent, *end])
