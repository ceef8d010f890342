"""Networks over the steps of a sequence or a text: convolutions, attention, the mean of tokens."""

from typing import Any, Literal

from dlcourse.datasets.dataset import PADDING
from dlcourse.errors import RecipeError
from dlcourse.heavy import keras, ops
from dlcourse.models import layers as parts
from dlcourse.schema import Fraction, NonNegative, Positive, Rate, checked

LOW = -3e4  # of a step that a maximum leaves out; float16 holds it


@checked
def cnn1d(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    vocabulary: int | None = None,
    *,
    filters: tuple[Positive, ...] = (32, 32, 32),
    kernel_size: Positive = 5,
    pool_size: Positive = 2,
    pooling: Literal["average", "max", "flatten"] = "average",
    hidden: tuple[Positive, ...] = (),
    activation: parts.Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
    batch_norm: bool = False,
    batch_norm_momentum: Fraction | None = None,
) -> "keras.Model":
    """Return a network of convolutions over time (Kim 2014, arXiv:1408.5882).

    Args:
        input_shape: Shape of one example: `(steps, features)`, or `(steps,)` of a text.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, which a layer in the model maps to 0…1; or a Keras
            layer that scales them, such as an adapted `Normalization`, or several. With a `Masking`
            layer, the steps after a sequence's end change nothing. None expects standardised
            inputs.
        vocabulary: Number of different tokens of a text, 0 for padding included; each becomes a
            vector of `filters[0]` numbers. None for sequences of numbers.
        filters: Number of filters in each convolution.
        kernel_size: Number of steps that a filter sees.
        pool_size: Steps, and stride, of the max-pooling window after each convolution but the last;
            1 for no pooling.
        pooling: Operation that turns the last convolution's maps into a vector: `average` or `max`
            over all steps, or `flatten`, which keeps the steps apart.
        hidden: Units of each dense layer after the convolutions; an empty list for none.
        activation: Activation of every convolution and hidden layer.
        dropout: Fraction of the outputs dropped in training, after the convolutions and after each
            hidden layer; 0 for none.
        l2: Factor of the penalty l2·Σw² over all kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel.
        batch_norm: Batch normalization before each activation (Ioffe and Szegedy 2015).
        batch_norm_momentum: Momentum of batch normalization's running mean and variance, as for
            `dnn`.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    if not filters:
        raise RecipeError("one number or more is expected, as in [32, 32]", setting="filters")
    kernel = parts.weights(initializer, l2)
    momentum = (batch_norm_momentum or parts.MOMENTUM) if batch_norm else None
    how: Any = {"activation": activation, "momentum": momentum}
    front = parts.sequence_inputs(input_shape, rescale, vocabulary, filters[0])
    middle: list[keras.Layer] = []
    for number, size in enumerate(filters, 1):
        arguments = {"filters": size, "kernel_size": kernel_size, "padding": "same", **kernel}
        arguments["name"] = f"conv_{number}"
        middle += parts.activated(keras.layers.Conv1D, arguments, **how)
        if number < len(filters) and pool_size > 1:
            pool = keras.layers.MaxPooling1D(pool_size, padding="same", name=f"pool_{number}")
            middle.append(pool)
    end: list[Any] = [keras.layers.Dropout(dropout, name=f"{pooling}_dropout")] if dropout else []
    end += parts.hidden_layers(hidden, **how, dropout=dropout, weights=kernel)
    end += parts.head(num_outputs, regression, kernel)
    if not parts.masks(front):
        return keras.Sequential([*front, *middle, parts.vector(pooling, 1), *end])
    if pooling == "flatten" or batch_norm:
        setting = "pooling" if pooling == "flatten" else "batch_norm"
        raise RecipeError("is for sequences of one length, and these differ", setting=setting)
    return _masked(front, middle, pooling, end)


def _masked(
    front: list[Any], middle: list["keras.Layer"], pooling: str, end: list["keras.Layer"]
) -> "keras.Model":
    """Return the network in which the steps after the end are 0 before each convolution."""
    x = parts.applied(front[1:], front[0])
    present: Any = ops.cast(_exist(front[0])[..., None], x.dtype)
    x = x * present
    for layer in middle:
        if isinstance(layer, keras.layers.MaxPooling1D):
            after = ((0, 0), (0, -x.shape[1] % layer.pool_size[0]), (0, 0))  # no window before 0
            x = layer(ops.pad(x + LOW * (1 - present), after, constant_values=LOW))
            present = layer(ops.pad(present, after))
        else:
            x = layer(x)
        x = x * present
    if pooling == "max":
        x = parts.vector(pooling, 1)(x + LOW * (1 - present))
    else:
        x = ops.divide(ops.sum(x, axis=1), ops.maximum(ops.sum(present, axis=1), 1))
    return keras.Model(front[0], parts.applied(end, x))


def _exist(inputs: Any) -> Any:
    """Return which steps of the inputs lie before the end, `(n, steps)`."""
    is_text = len(inputs.shape) == 2
    return ops.not_equal(inputs, 0) if is_text else ops.any(ops.not_equal(inputs, PADDING), axis=-1)


@checked
def attention(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    vocabulary: int | None = None,
    *,
    units: Positive = 32,
    heads: Positive = 2,
    blocks: Positive = 1,
    patch: Positive = 1,
    dropout: Rate = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return a small transformer encoder (Vaswani et al. 2017, arXiv:1706.03762).

    Each block is self-attention, then two dense layers per step; both take normalised inputs and
    add their outputs to them (Xiong et al. 2020, arXiv:2002.04745). The mean over the steps goes to
    the head.

    Args:
        input_shape, num_outputs, regression, rescale: As for `cnn1d`.
        vocabulary: Number of different tokens of a text, 0 for padding included; each becomes a
            vector of `units` numbers. None for sequences of numbers, whose steps are projected.
        units: Numbers per step inside the network; a multiple of `heads`.
        heads: Number of heads of each attention layer.
        blocks: Number of blocks.
        patch: Number of steps that are projected together, as one step of the attention.
        dropout: Fraction of attention weights and of each block's outputs dropped in training.
        initializer: Initializer of the kernels of the projection, the dense layers and the head.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.
    """
    kernel = parts.weights(initializer, 0.0)
    front = parts.sequence_inputs(input_shape, rescale, vocabulary, units)
    if patch > 1 and parts.masks(front):
        reason = "1 is expected for text, and for sequences of different lengths"
        raise RecipeError(reason, setting="patch")
    if vocabulary is None:
        how: Any = {"name": "projection", **kernel}
        dense, patches = keras.layers.Dense, keras.layers.Conv1D
        front.append(patches(units, patch, patch, **how) if patch > 1 else dense(units, **how))
    inputs, x = front[0], parts.applied(front[1:], front[0])
    x = _encoded(inputs[:, : x.shape[1]], x, (units, heads, blocks, dropout), kernel)
    end = [parts.vector("average", 1), *parts.head(num_outputs, regression, kernel)]
    return keras.Model(inputs, parts.applied(end, x))


def _encoded(
    inputs: Any, x: Any, sizes: Any, kernel: dict[str, Any], *, causal: bool = False
) -> Any:
    """Return the embedded steps `x` after the blocks, `(n, steps, units)`; masks pass through."""
    units, heads, blocks, dropout = sizes
    if units % heads:
        raise RecipeError(f"{units} cannot be divided by {heads} heads", setting="units")
    present: Any = ops.cast(_exist(inputs), "int32")
    number = ops.cumsum(present, axis=1) * present
    place = keras.layers.Embedding(x.shape[1] + 1, units, mask_zero=True, name="positions")(number)
    x = keras.layers.Add(name="with_positions")([x, place])
    norm, add = keras.layers.LayerNormalization, keras.layers.Add
    for k in range(1, blocks + 1):
        y = norm(name=f"norm_{k}_1")(x)
        how = {"dropout": dropout, "name": f"attention_{k}"}
        attend = keras.layers.MultiHeadAttention(heads, units // heads, **how)
        x = add(name=f"add_{k}_1")([x, attend(y, y, use_causal_mask=causal)])
        y = norm(name=f"norm_{k}_2")(x)
        y = keras.layers.Dense(4 * units, "gelu", name=f"dense_{k}_1", **kernel)(y)
        y = keras.layers.Dense(units, name=f"dense_{k}_2", **kernel)(y)
        y = keras.layers.Dropout(dropout, name=f"dropout_{k}")(y) if dropout else y
        x = add(name=f"add_{k}_2")([x, y])
    return norm(name="norm")(x)


@checked
def next_character(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    vocabulary: int | None = None,
    *,
    units: Positive = 48,
    heads: Positive = 4,
    blocks: Positive = 2,
    dropout: Rate = 0.1,
    initializer: parts.Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return a language model: causal attention that predicts each character from those before it.

    The text is moved one step to the right inside the model, so it takes and predicts the same
    text. 0, the padding, is predicted once, as the end of the text; the other steps after it are
    masked.

    Args:
        input_shape: Shape of one text, `(steps,)`.
        num_outputs: Number of different characters, 0 for the end included.
        regression, rescale: Not used.
        vocabulary: Number of different characters, the same as `num_outputs`.
        units, heads, blocks, dropout, initializer: As for `attention`.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.

    References:
        Radford et al., "Improving Language Understanding by Generative Pre-Training", 2018.
    """
    del regression, rescale
    kernel = parts.weights(initializer, 0.0)
    inputs, embedding = parts.sequence_inputs(input_shape, None, vocabulary or num_outputs, units)
    before = ops.pad(inputs[:, :-1], ((0, 0), (1, 0)), constant_values=1)
    sizes = (units, heads, blocks, dropout)
    x = _encoded(before, embedding(before), sizes, kernel, causal=True)
    return keras.Model(inputs, parts.applied(parts.head(num_outputs, False, kernel), x))


@checked
def mean_embedding(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    vocabulary: int | None = None,
    *,
    units: Positive = 32,
    hidden: tuple[Positive, ...] = (),
    activation: parts.Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
) -> "keras.Model":
    """Return a network of the mean of a text's token vectors (Joulin et al. 2016).

    Args:
        input_shape, num_outputs, regression, rescale: As for `cnn1d`.
        vocabulary: Number of different tokens, 0 for padding included. None averages the steps of
            sequences of numbers instead.
        units: Numbers per token.
        hidden: Units of each dense layer; an empty list for none.
        activation: Activation of every hidden layer.
        dropout: Fraction of the mean's numbers, and of each hidden layer's outputs, dropped in
            training; 0 for none.
        l2: Factor of the penalty l2·Σw² over the dense kernels, added to the loss; 0 for none.
        initializer: Initializer of every kernel.

    Raises:
        RecipeError: An argument or a setting is not as described; the text names it.

    References:
        Joulin et al., "Bag of Tricks for Efficient Text Classification", 2016, arXiv:1607.01759.
    """
    kernel = parts.weights(initializer, l2)
    front = parts.sequence_inputs(input_shape, rescale, vocabulary, units)
    mean = [parts.vector("average", 1)]
    mean += [keras.layers.Dropout(dropout, name="mean_dropout")] if dropout else []
    how: Any = {"activation": activation, "dropout": dropout, "momentum": None}
    dense = parts.hidden_layers(hidden, weights=kernel, **how)
    return keras.Sequential([*front, *mean, *dense, *parts.head(num_outputs, regression, kernel)])
