"""Guided back-propagation: the gradient, of which only positive values pass each ReLU."""

from functools import partial
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.saliency import gradients, largest_channel
from dlcourse.visualizers.targets import ClassIndices, Images, target_of


def guided_backpropagation(
    model: Any, images: Images, class_indices: ClassIndices = None, *, output: int | str = 0
) -> np.ndarray | list[np.ndarray]:
    """Return the largest channel's positive guided gradient.

    Warning: these sharp pictures say little about the class. They hardly change when the layers
    near the output are given random weights (Adebayo et al., "Sanity Checks for Saliency Maps",
    2018, arXiv:1810.03292): the method recovers edges of the image rather than the network's
    reasons. Compare it with `saliency` or `grad_cam`.

    Args and raises as for `saliency`; the model needs a ReLU.

    References:
        Springenberg et al., "Striving for Simplicity", 2015, arXiv:1412.6806.
    """
    target = target_of(model, images, class_indices, output=output)
    if not guided(model):
        raise UserError("guided_backpropagation: the model has no ReLU layer (use saliency)")
    guided_gradients = gradients(target, "guided", guided)
    return target.as_given([largest_channel(np.maximum(g, 0)) for g in guided_gradients])


def guided(model: Any) -> list[tuple[int, hooks.Hook]]:
    """Return hooks that give every ReLU of the model the guided gradient."""
    import keras

    changes = []
    for position, layer in enumerate(hooks.all_layers(model)):
        activation = getattr(layer, "activation", None)
        if getattr(activation, "__name__", "") in ("relu", "relu6"):
            changes.append((position, hooks.with_activation(layer, partial(_guided, activation))))
        elif isinstance(layer, keras.layers.ReLU):
            changes.append((position, _guided))
    return changes


def _guided(function: Any, *inputs: Any, **settings: Any) -> Any:
    """Return `function(x)`, whose backward pass keeps only positive upstream gradients.

    The ReLU's own gradient then stops it where the input was not positive.
    """
    from keras import ops

    @ops.custom_gradient
    def pass_positive(result: Any) -> Any:
        def gradient(*upstream: Any) -> Any:
            return ops.maximum(upstream[0], 0)

        return ops.copy(result), gradient

    return pass_positive(function(*inputs, **settings))
