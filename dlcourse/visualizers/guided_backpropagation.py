"""Guided back-propagation: the gradient, but only what is positive passes each ReLU."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import taps
from dlcourse.visualizers.questions import ClassIndices, Images, ask
from dlcourse.visualizers.saliency import gradients, largest_channel


def guided_backpropagation(
    model: Any, images: Images, class_indices: ClassIndices = None, *, output: int | str = 0
) -> np.ndarray | list[np.ndarray]:
    """Return the largest channel's positive guided gradient.

    Warning: these sharp pictures say little about the class. They hardly change when the layers
    near the output are given random weights (Adebayo et al., "Sanity Checks for Saliency Maps",
    2018, arXiv:1810.03292): the method restores edges of the image rather than the network's
    reasons. Look at `saliency` or `grad_cam` beside it.

    Args and raises as for `saliency`; the model needs a ReLU.

    References:
        Springenberg et al., "Striving for Simplicity", 2015, arXiv:1412.6806.
    """
    question = ask(model, images, class_indices, output=output)
    if not guided(model):
        raise UserError("guided_backpropagation: the model has no ReLU layer (use saliency)")
    found = gradients(question, "guided", guided)
    return question.give([largest_channel(np.maximum(g, 0)) for g in found])


def guided(model: Any) -> list[tuple[int, taps.Edit]]:
    """Return edits that give every ReLU of the model the guided gradient."""
    import keras

    edits = []
    for position, layer in enumerate(taps.all_layers(model)):
        if getattr(layer, "activation", None) is keras.activations.relu:
            edits.append((position, taps.with_activation(layer, _guided_relu())))
        elif isinstance(layer, keras.layers.ReLU):
            edits.append((position, _through(_guided_relu())))
    return edits


def _through(activation: Any) -> taps.Edit:
    def edit(call: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        result = call(inputs, *args, **kwargs)
        return activation(inputs, result)

    return edit


def _guided_relu() -> Any:
    """ReLU whose gradient passes where the input and the gradient coming back are positive."""
    from keras import ops

    @ops.custom_gradient
    def relu(x: Any) -> Any:
        result = ops.relu(x)

        def gradient(*upstream: Any) -> Any:
            back = upstream[0] if upstream else None
            keep = ops.logical_and(ops.greater(x, 0), ops.greater(back, 0))
            return ops.where(keep, back, ops.zeros_like(back))

        return result, gradient

    return lambda x, *_: relu(x)
