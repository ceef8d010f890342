"""Guided back-propagation: the gradient, of which only positive values pass each ReLU."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import ops
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.operations import is_relu
from dlcourse.visualizers.saliency import gradients, with_embeddings
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def guided_backpropagation(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
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

    def maps(part: Target) -> Any:
        part = with_embeddings(part)
        slopes = gradients(part, "guided", guided)
        return part.maps([np.maximum(g, 0) for g in slopes], np.max)

    settings = {"output": output, "where": where, "batch_size": batch_size, "sizes": False}
    target = target_of(model, images, class_indices, **settings)
    if not target.probe.has_relu:
        raise UserError("guided_backpropagation: the model has no ReLU layer (use saliency)")
    return target.in_batches(maps)


def guided(name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Return `function(x)`; the backward pass of a ReLU keeps only positive upstream gradients.

    The ReLU's own gradient then stops it where the input was not positive.
    """

    @ops.custom_gradient
    def pass_positive(result: Any) -> Any:
        def gradient(*upstream: Any) -> Any:
            return ops.maximum(upstream[0], 0)

        return ops.copy(result), gradient

    result = function(*args, **kwargs)
    return pass_positive(result) if is_relu(name, args) else result
