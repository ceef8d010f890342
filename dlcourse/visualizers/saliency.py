"""Saliency: the sensitivity of the class score to each input value."""

from dataclasses import replace
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.feature_maps import tensors_of
from dlcourse.visualizers.operations import Operation
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


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
            features)`, or a list of inputs. For tokens `(n, steps)`, the gradient is that of their
            embedding.
        class_indices: One class for all images, or one class per image. None for the predicted
            class.
        output: Position or name of the output to read, where the model has several.
        where: Place or region of an output `(n, places…, classes)` that the score is the mean of:
            an index such as `(3, 5)` or `np.s_[2:4, :]`, or a boolean array. None for all places.

    Returns:
        `(n, height, width)`; `(n, steps)` for tokens; sequences and rows keep their shape. A list
        of inputs gives a list.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Simonyan et al., "Deep Inside Convolutional Networks", 2013, arXiv:1312.6034.
    """
    target = with_embeddings(model, images, class_indices, output=output, where=where)
    return target.maps(map(np.abs, gradients(target)), np.max)


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
    target = with_embeddings(model, images, class_indices, output=output, where=where)
    products = [g * x for g, x in zip(gradients(target), target.inputs, strict=True)]
    return target.maps(products, np.sum)


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
            logits, _ = reader.read(model, inputs, operation=operation, tokens=asked[2:])
            return reader.scores(logits, asked), None

        return value_and_gradient(score)(inputs)[1]

    tensors = target.run((name,), gradient, target.inputs, target.asked)
    arrays = [np.asarray(tensor) for tensor in tensors]
    known = hooks.symbolic_inputs(target.model) or [None] * len(arrays)
    embeds = any(call.kind == "Embedding" for call in target.calls)
    for k, (array, tensor) in enumerate(zip(arrays, known, strict=True)):
        whole = embeds if tensor is None else "int" in str(tensor.dtype)
        if whole and not array.any() and k not in dict(target.embedded):
            name = f"images[{k}]" if target.was_list else "images"
            reason = f"{name}: the model takes whole numbers, which have no gradient"
            raise UserError(f"{reason}: {MASKS if array.ndim > 2 else PART}")
    return arrays


MASKS = "use a method that covers parts of the image, such as occlusion"
PART = "explain the part of the model that takes their encoding, keras.Model(…)"


def with_embeddings(*arguments: Any, **settings: Any) -> Target:
    """Return `target_of(…)`, whose inputs of tokens are replaced by their embedding's output."""
    target = target_of(*arguments, **settings)
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
