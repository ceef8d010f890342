"""Saliency: the sensitivity of the class score to each input value."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.operations import Operation
from dlcourse.visualizers.targets import (
    ClassIndices,
    Images,
    Target,
    takes_whole_numbers,
    target_of,
)


def saliency(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: int | str = 0,
    where: Any = None,
) -> np.ndarray | list[np.ndarray]:
    """Return |d score / d input|; for images its maximum over the channels.

    Args:
        model: Any Keras 3 model. Its logits are read, even if it ends with softmax or sigmoid.
        images: Images `(n, height, width, channels)` in the model's own value range; also volumes
            `(n, depth, height, width, channels)`, sequences `(n, steps, features)`, rows `(n,
            features)`, or a list of inputs.
        class_indices: One class for all images, or one class per image. None for the predicted
            class.
        output: Position or name of the output to read, where the model has several.
        where: Place or region of an output `(n, places…, classes)` that the score is the mean of:
            an index such as `(3, 5)` or `np.s_[2:4, :]`, or a boolean array. None for all places.

    Returns:
        `(n, height, width)`; sequences and rows keep their shape. A list of inputs gives a list.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Simonyan et al., "Deep Inside Convolutional Networks", 2013, arXiv:1312.6034.
    """
    target = target_of(model, images, class_indices, output=output, where=where)
    return target.as_given([largest_channel(np.abs(g)) for g in gradients(target)])


def gradient_times_input(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: int | str = 0,
    where: Any = None,
) -> np.ndarray | list[np.ndarray]:
    """Return input · d score / d input, signed and summed over the channels of images.

    Args and raises as for `saliency`.

    References:
        Shrikumar et al., "Not Just a Black Box", 2016, arXiv:1605.01713.
    """
    target = target_of(model, images, class_indices, output=output, where=where)
    products = [g * x for g, x in zip(gradients(target), target.inputs, strict=True)]
    return target.as_given([sum_channels(product) for product in products])


def gradients(
    target: Target, name: str = "gradient", operation: Operation | None = None
) -> list[np.ndarray]:
    """Return d score / d input for each input, `(n, …)`.

    Args:
        target: The model, its inputs and the classes.
        name: Name that distinguishes gradients through different operations.
        operation: As for `hooks.record`.
    """
    reader = target.reader

    def gradient(model: Any, inputs: list, asked: Any) -> Any:
        def score(inputs: list) -> Any:
            logits, _ = reader.read(model, inputs, operation=operation)
            return reader.scores(logits, asked), None

        return value_and_gradient(score)(inputs)[1]

    tensors = target.run((name,), gradient, target.inputs, target.asked)
    arrays = [np.asarray(tensor) for tensor in tensors]
    if not any(array.any() for array in arrays) and takes_whole_numbers(target):
        raise UserError(
            "model: takes whole numbers (uint8 pixels, an embedding's indices), which have no "
            "gradient: use the part of the model behind them, or a CAM or masking method"
        )
    return arrays


def largest_channel(values: np.ndarray) -> np.ndarray:
    """Return the maximum over the channels of images `(n, height, width, channels)`."""
    return values.max(axis=-1) if values.ndim >= 4 else values  # else the last axis holds features


def sum_channels(values: np.ndarray) -> np.ndarray:
    """Return the sum over the channels of images `(n, height, width, channels)`."""
    return values.sum(axis=-1) if values.ndim >= 4 else values
