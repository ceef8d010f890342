"""The parts that the builders share: types of settings, hidden layers and the head."""

from collections.abc import Sequence
from functools import reduce
from math import inf, nan
from typing import Any, Literal, TypeAlias

import numpy as np

from dlcourse.errors import RecipeError
from dlcourse.heavy import keras
from dlcourse.schema import shown

Activation = Literal[
    "sigmoid", "tanh", "relu", "leaky_relu", "linear", "hard_sigmoid", "softplus", "softsign",
    "elu", "selu", "gelu", "silu",
]  # fmt: skip
Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "random_normal",
    "random_uniform", "large_normal", "orthogonal", "zeros", "ones", "constant",
]  # fmt: skip
CONSTANT = 0.1
MOMENTUM = 0.9  # of batch normalization without data; Keras' 0.99 needs about 300 steps to arrive
Regression = bool | tuple[float, float]
"""False, True, or the (mean, standard deviation) of the targets."""
# (low, high) of the inputs, layers that scale them, or None for inputs as they are
Rescale: TypeAlias = "tuple[float, float] | keras.Layer | list[keras.Layer] | None"
AXES = {0: "(steps,)", 1: "(features,)", 2: "(steps, features)", 3: "(height, width, channels)"}


def input_layers(input_shape: Any, rescale: Rescale, axes: Sequence[int] = (1, 2, 3)) -> list[Any]:
    """Return the `Input` of a model and, if there is one, the layer that scales it.

    Args:
        input_shape: Shape of one example.
        rescale: Range or layers, as for `rescaling`.
        axes: Numbers of axes that the shape may have; 0 for the one of a text.

    Raises:
        RecipeError: The shape has another number of axes, or a size is not a whole number ≥ 1.
    """
    sizes = input_shape if isinstance(input_shape, list | tuple) else ()
    if len(sizes) not in {max(1, number) for number in axes} or not all(map(_is_size, sizes)):
        mended = (*sizes, 1) if sizes else (input_shape,)
        cure = f": write {mended}" if len(mended) in axes and all(map(_is_size, mended)) else ""
        reason = f"{' or '.join(AXES[number] for number in axes)} is expected, of whole numbers ≥ 1"
        raise RecipeError(f"{reason}, got {shown(input_shape)}{cure}", setting="input_shape")
    return [keras.Input(input_shape), *rescaling(rescale)]


def sequence_inputs(
    input_shape: Any, rescale: Rescale, vocabulary: Any, units: int, axes: Sequence[int] = (2,)
) -> list[Any]:
    """Return `input_layers` of a sequence of numbers; of a text, with the `Embedding` of tokens.

    Args:
        input_shape, rescale: As for `input_layers`.
        vocabulary: Number of different tokens, 0 for padding included; None for numbers.
        units: Numbers per token.
        axes: Numbers of axes that a shape of numbers may have.

    Raises:
        RecipeError: See `input_layers`; or the vocabulary is not a whole number ≥ 2.
    """
    if vocabulary is None:
        return input_layers(input_shape, rescale, axes)
    if not _is_size(vocabulary) or vocabulary < 2:
        reason = f"a whole number ≥ 2 is expected, got {shown(vocabulary)}"
        raise RecipeError(reason, setting="vocabulary")
    start, *_ = input_layers(input_shape, None, axes=(0,))
    embedding = keras.layers.Embedding(int(vocabulary), units, mask_zero=True, name="embedding")
    return [keras.Input(start.shape[1:], dtype="int32"), embedding]


def masks(front: list[Any]) -> bool:
    """Return whether the layers in front of a model mask the steps after a sequence's end."""
    return any(isinstance(x, keras.layers.Masking | keras.layers.Embedding) for x in front)


def _is_size(value: Any) -> bool:
    return isinstance(value, int | np.integer) and type(value) is not bool and bool(value >= 1)


def rescaling(rescale: Rescale) -> list["keras.Layer"]:
    """Return the layer that maps low…high to 0…1, or the given layers, or no layer for None.

    It computes in float32, also under mixed precision.

    Raises:
        RecipeError: `rescale` is neither a range nor a layer nor None.
    """
    layers: Any = rescale if isinstance(rescale, list) else [rescale] * (rescale is not None)
    if all(isinstance(layer, keras.Layer) for layer in layers):
        return layers
    try:
        low, high = (float(end) for end in layers[0] if not isinstance(end, str))
    except (TypeError, ValueError, OverflowError):
        low = high = nan
    if not 0 < high - low < inf:
        reason = "(low, high) with low < high, a Keras layer or None is expected, got "
        raise RecipeError(reason + shown(rescale), setting="rescale")
    scale, offset = 1 / (high - low), -low / (high - low)
    return [keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="rescaling")]


def weights(initializer: str, l2: float) -> dict[str, Any]:
    """Return the `kernel_initializer` and `kernel_regularizer` of a layer.

    `constant` sets every weight to 0.1: neurons that start equal stay equal. `large_normal` has
    standard deviation 1, like NumPy's `randn`: activations and gradients explode. `l2` has Keras'
    meaning, l2·Σw² without ½; the slides' λ/2m corresponds to l2 = λ/2m.
    """
    own = {
        "constant": lambda: keras.initializers.Constant(CONSTANT),
        "large_normal": lambda: keras.initializers.RandomNormal(stddev=1.0),
    }
    return {
        "kernel_initializer": own[initializer]() if initializer in own else initializer,
        "kernel_regularizer": keras.regularizers.L2(l2) if l2 else None,
    }


def hidden_layers(
    units: Sequence[int],
    *,
    activation: str,
    dropout: float,
    momentum: float | None,
    weights: dict[str, Any],
    name: str = "hidden",
) -> list["keras.Layer"]:
    """Return Dense → activation → Dropout for each of `units`; for `momentum`, see `activated`."""
    result: list[keras.Layer] = []
    for number, size in enumerate(units, 1):
        dense = {"units": size, "name": f"{name}_{number}", **weights}
        result += activated(keras.layers.Dense, dense, activation=activation, momentum=momentum)
        if dropout:
            result.append(keras.layers.Dropout(dropout, name=f"{name}_{number}_dropout"))
    return result


def activated(
    layer: Any, arguments: dict[str, Any], *, activation: str, momentum: float | None
) -> list["keras.Layer"]:
    """Return the layer with its activation; with a momentum, layer → batch norm → activation."""
    if momentum is None:
        return [layer(activation=activation, **arguments)]
    name = arguments["name"]
    return [
        layer(use_bias=False, **arguments),  # batch norm's β is the bias
        keras.layers.BatchNormalization(momentum=momentum, name=f"{name}_norm"),
        keras.layers.Activation(activation, name=f"{name}_{activation}"),
    ]


def head(num_outputs: int, regression: Regression, weights: dict[str, Any]) -> list["keras.Layer"]:
    """Return the output layers, in float32 also under mixed precision.

    Classification: `logits`, then `probabilities` (softmax, or sigmoid for one output).
    Regression: `prediction`. With the targets' mean and standard deviation, the weights learn the
    standardised target and `prediction` converts it to the unit of the target.

    Raises:
        RecipeError: The number of outputs is not a whole number ≥ 1, or the scale of one target is
            given for several outputs.
    """
    if not _is_size(num_outputs):
        reason = f"a whole number ≥ 1 is expected, got {shown(num_outputs)}"
        raise RecipeError(reason, setting="num_outputs")
    num_outputs = int(num_outputs)  # Keras refuses NumPy's integers
    if not isinstance(regression, bool) and num_outputs > 1:
        reason = "True or the (mean, deviation) of one target is expected; for inputs: rescale="
        raise RecipeError(reason, setting="regression")
    if regression is True:
        return [keras.layers.Dense(num_outputs, dtype="float32", name="prediction", **weights)]
    if regression:
        mean, deviation = regression
        return [
            keras.layers.Dense(num_outputs, dtype="float32", name="standardised", **weights),
            keras.layers.Rescaling(deviation, offset=mean, dtype="float32", name="prediction"),
        ]
    output_activation = "softmax" if num_outputs > 1 else "sigmoid"
    return [
        keras.layers.Dense(num_outputs, name="logits", **weights),
        keras.layers.Activation(output_activation, dtype="float32", name="probabilities"),
    ]


def vector(pooling: str, axes: int) -> "keras.Layer":
    """Return the layer that turns maps with 1 or 2 axes into a vector: `flatten`, `max`, …"""
    if pooling == "flatten":
        return keras.layers.Flatten(name=pooling)
    layer = getattr(keras.layers, f"Global{pooling.title()}Pooling{axes}D")
    return layer(name=f"global_{pooling}")


def applied(layers: Sequence[Any], tensor: Any) -> Any:
    """Return the output of the layers, one after the other."""
    return reduce(lambda rows, layer: layer(rows), layers, tensor)


def noise_layer(standard_deviation: float) -> list["keras.Layer"]:
    """Return a GaussianNoise layer (active only in training), or no layer for 0."""
    noise = keras.layers.GaussianNoise
    return [noise(standard_deviation, name="noise")] if standard_deviation else []
