"""Saliency: the sensitivity of the class score to each input value."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.feature_maps import tensors_of
from dlcourse.visualizers.operations import Operation
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def saliency(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Return |d score / d input|; for images its maximum over the channels.

    Args:
        model: Any Keras 3 model. Its logits are read, even if it ends with softmax or sigmoid.
        images: Images `(n, height, width, channels)` in the model's own value range; also volumes
            `(n, depth, height, width, channels)`, sequences `(n, steps, features)`, rows `(n,
            features)`, or a list of inputs. For tokens `(n, steps)`, the gradient is that of their
            embedding.
        class_indices: One class for all images, or one class per image. None for the predicted
            class.
        output: Position or name of the output to read, where the model has several.
        where: Place or region of an output `(n, places…, classes)` that the score is the mean of:
            an index such as `(3, 5)` or `np.s_[2:4, :]`, or a boolean array. None for all places.
        batch_size: Number of images in a pass; it bounds the memory. None for as many as take about
            256 MB inside the model, 256 at most.

    Returns:
        `(n, height, width)`; `(n, steps)` for tokens; sequences and rows keep their shape. A list
        of inputs gives a list.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Simonyan et al., "Deep Inside Convolutional Networks", 2013, arXiv:1312.6034.
    """
    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    return maps_of(target, lambda part: map(np.abs, gradients(part)), np.max)


@checked
def gradient_times_input(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Return input · d score / d input, signed and summed over the channels of images.

    Args and raises as for `saliency`.

    References:
        Shrikumar et al., "Not Just a Black Box", 2016, arXiv:1605.01713.
    """
    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    return maps_of(target, lambda part: map(np.multiply, gradients(part), part.inputs), np.sum)


def maps_of(target: Target, values: Callable[..., Any], fold: Callable[..., Any]) -> Any:
    """Return the maps of `values(part)`, one array per input; tokens by their embedding.

    Args:
        target: The model, its inputs and the classes.
        values: Function of the target for the examples of a pass.
        fold: Function that reduces the channels, as for `Target.maps`.
    """

    def maps(part: Target) -> Any:
        part = with_embeddings(part)
        return part.maps(values(part), fold)

    return target.in_batches(maps)


def gradients(target: Target, operation: Operation | None = None) -> list[np.ndarray]:
    """Return d score / d input for each input, `(n, …)`.

    Args:
        target: The model, its inputs and the classes.
        operation: As for `hooks.record`.
    """
    reader = target.reader

    def gradient(model: Any, inputs: list, asked: Any) -> Any:
        def score(inputs: list) -> Any:
            logits, _ = reader.read(model, inputs, operation=operation, tokens=asked[2:])
            return reader.scores(logits, asked), None

        return value_and_gradient(score)(inputs)[1]

    tensors = target.run((operation,), gradient, target.inputs, target.asked, any_batch=True)
    arrays = [np.asarray(tensor) for tensor in tensors]
    for k, array in enumerate(arrays):
        if not array.any() and k not in dict(target.embedded) and target.takes_whole_numbers(k):
            name = f"images[{k}]" if target.was_list else "images"
            raise UserError(f"{name}: {WHOLE}: {MASKS if array.ndim > 2 else PART}")
    return arrays


WHOLE = "the model takes whole numbers, which have no gradient"
MASKS = "use a method that covers parts of the image, such as occlusion"
PART = "explain the part of the model that takes their encoding, keras.Model(…)"


def with_embeddings(target: Target) -> Target:
    """Return the target whose inputs of tokens are replaced by their embedding's output."""
    found = []
    for k, key in enumerate(target.probe.inputs):
        steps = [step for step in target.probe.steps if key in step.inputs]
        calls = [step.call for step in steps if step.call.kind == "Embedding"]
        found += [(k, calls[0])] if len(calls) == 1 else []
    if not found:
        return target
    inputs = list(target.inputs)
    for (k, _), values in zip(found, tensors_of(target, [call for _, call in found]), strict=True):
        inputs[k] = values
    tokens = tuple(target.inputs[k] for k, _ in found)
    return replace(target, inputs=inputs, embedded=tuple(found), tokens=tokens)
