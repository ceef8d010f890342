"""The class activation map of a network that ends in global average pooling and one layer."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import taps
from dlcourse.visualizers.feature_maps import outputs
from dlcourse.visualizers.grad_cam import enlarged
from dlcourse.visualizers.questions import ClassIndices, Images, Question, ask
from dlcourse.visualizers.taps import LayerCall


def class_activation_map(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: int | str = 0,
    enlarge: bool = True,
) -> np.ndarray:
    """Return Σ w·A: the pooled feature maps A with the class's own output weights w, with its sign.

    The mean of a map, before it is enlarged, plus the bias is the class's logit.

    Args:
        model, images, class_indices, output: As for `saliency`. The model must end in
            GlobalAveragePooling and one Dense layer (`pool`, `dropout` and such do not matter).
        enlarge: Bring the map to the image's size.

    Returns:
        `(n, height, width)` in units of the logit.

    Raises:
        UserError: The model does not end so (use `grad_cam`), or the inputs do not fit.

    References:
        Zhou et al., "Learning Deep Features for Discriminative Localization", 2016,
        arXiv:1512.04150.
    """
    question = ask(model, images, class_indices, output=output)
    before, kernel = _ending(question)
    maps = outputs(question, [before])[before.name]
    if kernel.shape[1] == 1:  # one sigmoid unit: class 0 has minus the weights of class 1
        weights = kernel[:, 0] * np.where(question.indices > 0, 1.0, -1.0)[:, None]
    else:
        weights = kernel.T[question.indices]
    return enlarged(question, np.einsum("n...c,nc->n...", maps, weights), enlarge)


def _ending(question: Question) -> tuple[LayerCall, np.ndarray]:
    """Return the call whose output is pooled, and the kernel `(channels, classes)` behind it.

    Raises:
        UserError: There is anything else that learns between the pooling and the output.
    """
    layers = taps.all_layers(question.model)
    pooled = [
        k for k, one in enumerate(question.calls) if one.kind.startswith("GlobalAveragePooling")
    ]
    behind = question.calls[pooled[-1] + 1 :] if pooled else ()
    learning = {one.position for one in behind if layers[one.position].weights}
    kernels = [getattr(layers[position], "kernel", None) for position in learning]
    shapes = [None if one is None else tuple(one.shape) for one in kernels]
    before = question.calls[pooled[-1] - 1] if pooled and pooled[-1] else None
    if before is None or len(shapes) != 1 or shapes[0] is None or len(shapes[0]) != 2:
        raise UserError(
            "class_activation_map: the model does not end in GlobalAveragePooling and one Dense "
            "layer (grad_cam works for every convolutional network)"
        )
    return before, np.asarray(kernels[0], "float32")
