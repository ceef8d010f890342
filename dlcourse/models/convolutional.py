"""The convolutional network: convolution and pooling blocks, then dense layers."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal

from dlcourse.errors import RecipeError
from dlcourse.heavy import keras
from dlcourse.models import layers as parts
from dlcourse.schema import Fraction, NonNegative, Positive, Positives, Rate, checked


@checked
def cnn(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    *,
    filters: tuple[Positive, ...] = (32, 64),
    convolutions: Positives = 1,
    kernel_size: Positives = 3,
    strides: Positives = 1,
    padding: Literal["same", "valid"] = "same",
    pool: Literal["max", "average", "none"] = "max",
    pool_size: Positives = 2,
    pooling: Literal["flatten", "average", "max"] = "flatten",
    hidden: tuple[Positive, ...] = (128,),
    activation: parts.Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
    batch_norm: bool = False,
    batch_norm_momentum: Fraction | None = None,
    noise: NonNegative = 0.0,
) -> "keras.Model":
    """Return a convolutional network (LeCun et al. 1998; slides S2).

    Args:
        input_shape: Shape of one image, `(height, width, channels)`; grey images have 1 channel.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the inputs, such as (0, 255) for pixels, which a layer in the
            model maps to 0…1; or a Keras layer that scales them, such as an adapted
            `Normalization`. None expects inputs from about 0 to 1, or standardised inputs.
        filters: Number of filters in the convolutions of each block; one block per number.
        convolutions: Number of convolutions in each block, before its pooling; one number for all
            blocks, or a list with one per block.
        kernel_size: Height and width of the filters; one number for all blocks, or a list with one
            per block.
        strides: Stride of the first convolution in each block, in pixels; one number for all
            blocks, or a list with one per block.
        padding: Padding of the convolutions: `same` keeps height and width, `valid` uses only
            whole windows.
        pool: Pooling at the end of each block.
        pool_size: Height, width and stride of the pooling window; one number for all blocks, or a
            list with one per block. A block with 1 has no pooling.
        pooling: Operation that turns the last block's maps into a vector: `flatten` after its own
            pooling, or global `average` or `max` pooling instead of it. With `average` and no
            hidden layer, the logits are sums over positions and the class activation map is exact
            (Zhou et al. 2016, https://arxiv.org/abs/1512.04150).
        hidden: Units of each dense layer after the blocks; an empty list for none.
        activation: Activation of every convolution and hidden layer.
        dropout: Fraction of the outputs dropped in training, after the blocks and after each hidden
            layer; 0 for none.
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
        RecipeError: An argument or a setting is not as described, a list does not have one number
            per block, or the blocks would shrink the image to nothing.
    """
    front = [*parts.input_layers(input_shape, rescale, axes=(3,)), *parts.noise_layer(noise)]
    each = {
        "convolutions": convolutions,
        "kernel_size": kernel_size,
        "strides": strides,
        "pool_size": pool_size if pool != "none" else 1,
    }
    columns: list[Any] = [_each(name, value, len(filters)) for name, value in each.items()]
    kernel = parts.weights(initializer, l2)
    momentum = (batch_norm_momentum or parts.MOMENTUM) if batch_norm else None
    how: Any = {"activation": activation, "momentum": momentum}
    rows = zip(filters, *columns, strict=True)
    blocks: list[list[keras.Layer]] = []
    for number, (size, count, side, stride, window) in enumerate(rows, 1):
        block: list[keras.Layer] = []
        for index in range(1, count + 1):
            arguments = {
                "filters": size,
                "kernel_size": side,
                "strides": stride if index == 1 else 1,
                "padding": padding,
                "name": f"conv_{number}_{index}" if count > 1 else f"conv_{number}",
                **kernel,
            }
            block += parts.activated(keras.layers.Conv2D, arguments, **how)
        if number < len(filters) or pooling == "flatten":
            block += _pooling(pool, window, number)
        blocks.append(block)
    _check_sizes(input_shape, blocks)
    flat = [parts.vector(pooling, 2)]
    if dropout:
        flat.append(keras.layers.Dropout(dropout, name=f"{flat[0].name}_dropout"))
    dense = parts.hidden_layers(hidden, **how, dropout=dropout, weights=kernel)
    end = parts.head(num_outputs, regression, kernel)
    return keras.Sequential([*front, *chain(*blocks), *flat, *dense, *end])


def _each(name: str, value: int | tuple[int, ...], blocks: int) -> tuple[int, ...]:
    """Return the value of a setting for each block."""
    values = value if isinstance(value, tuple) else (value,) * blocks
    if len(values) != blocks:
        raise RecipeError(
            f"has {len(values)} numbers for {blocks} blocks: give one number for all, or one per "
            "entry of filters",
            setting=name,
        )
    return values


def _pooling(pool: str, size: int, number: int) -> list["keras.Layer"]:
    if pool == "none" or size == 1:
        return []
    layer = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}[pool]
    return [layer(size, name=f"pool_{number}")]


def _check_sizes(input_shape: Sequence[int], blocks: list[list["keras.Layer"]]) -> None:
    shape: Any = (1, *input_shape)
    for number, block in enumerate(blocks, 1):
        side = min(shape[1:3])
        try:
            for layer in block:
                shape = layer.compute_output_shape(shape)
        except ValueError:  # Keras refuses maps without a pixel
            raise RecipeError(
                f"block {number} of {len(blocks)} shrinks a side of {side} to nothing (fewer "
                "blocks, a smaller kernel_size or pool_size, or padding: same)",
                setting="filters",
            ) from None
