"""The recurrent network: simple RNN, LSTM or GRU over a sequence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dlcourse.models.layers import Initializer, Regression, head, weights
from dlcourse.schema import NonNegative, Positive, Rate

if TYPE_CHECKING:
    import keras


def rnn(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    preprocessing: Sequence["keras.Layer"] = (),
    *,
    cell: Literal["simple", "lstm", "gru"] = "lstm",
    units: Positive = 64,
    layers: Positive = 1,
    bidirectional: bool = False,
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return a recurrent network; an image is read row by row, from the top.

    Args:
        input_shape: `(steps, features)`, or an image's `(height, width, channels)`: height steps
            of width·channels features.
        num_outputs: classes, or 1 for a sigmoid output or a regression.
        regression: end in `prediction` instead of probabilities; see `layers.head`.
        preprocessing: layers in front of the first.
        cell: simple RNN (Elman 1990), LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho 2014).
        units: size of the state.
        layers: recurrent layers; all but the last pass their whole sequence on.
        bidirectional: read from both ends and concatenate (Schuster and Paliwal 1997).
        dropout: fraction of each recurrent layer's outputs dropped in training.
        l2: weight decay, l2·Σw² over every input kernel.
        initializer: of every input kernel (recurrent kernels start orthogonal).
    """
    import keras

    kernel = weights(initializer, l2)
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
    front = [*preprocessing, *_rows(input_shape)]
    end = head(num_outputs, regression, kernel)
    return keras.Sequential([keras.Input(input_shape), *front, *recurrent, *end])


def _rows(input_shape: tuple[int, ...]) -> list["keras.Layer"]:
    import keras

    if len(input_shape) != 3:
        return []
    height, width, channels = input_shape
    return [keras.layers.Reshape((height, width * channels), name="rows")]
