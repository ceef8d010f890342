"""Grad-CAM, Grad-CAM++ and LayerCAM: a layer's feature maps, weighted by the score's gradient."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.questions import HALF_SCALE, ClassIndices, Images, Question, ask
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.taps import LayerCall, nth


def grad_cam(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    layer: Any = None,
    output: int | str = 0,
    enlarge: bool = True,
) -> np.ndarray:
    """Return ReLU(Σ w·A): feature maps A, each weighted by its mean gradient w.

    Args:
        model, images, class_indices, output: As for `saliency`; images, volumes or sequences.
        layer: Whose feature maps: a name (`base/conv` within a nested model), a position, or the
            layer; None: the last convolution.
        enlarge: Bring the maps to the image's size, bilinear with aligned corners.

    Returns:
        `(n, height, width)`, 0 or more, in units of the score; `(n, steps)` for sequences.

    Raises:
        UserError: What was given does not fit together, or the layer's output has no places.

    References:
        Selvaraju et al., "Grad-CAM", 2017, arXiv:1610.02391, equations 1 and 2.
    """
    question = ask(model, images, class_indices, output=output)
    place = spatial_layer(question, layer, "grad_cam")
    maps, gradient = maps_and_gradients(question, place)
    cam = np.maximum(np.einsum("n...c,nc->n...", maps, over_places(gradient.mean, gradient)), 0)
    return enlarged(question, cam, enlarge)


def grad_cam_plus_plus(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    layer: Any = None,
    output: int | str = 0,
    enlarge: bool = True,
) -> np.ndarray:
    """Return Grad-CAM++: positive gradients, each place weighted by α, so that all of a class's
    objects count.

    The paper's factor exp(score), the same for a whole map, is left out: it overflows.

    Args, returns and raises as for `grad_cam`.

    References:
        Chattopadhay et al., "Grad-CAM++", 2018, arXiv:1710.11063, equation 19.
    """
    question = ask(model, images, class_indices, output=output)
    place = spatial_layer(question, layer, "grad_cam_plus_plus")
    maps, gradient = maps_and_gradients(question, place)
    axes = tuple(range(1, maps.ndim - 1))
    total = maps.sum(axis=axes, keepdims=True)
    below = 2 * gradient**2 + total * gradient**3
    alpha = np.divide(gradient**2, below, out=np.zeros_like(below), where=below != 0)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=axes)
    cam = np.maximum(np.einsum("n...c,nc->n...", maps, weights), 0)
    return enlarged(question, cam, enlarge)


def layer_cam(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    layer: Any = None,
    output: int | str = 0,
    enlarge: bool = True,
) -> np.ndarray:
    """Return LayerCAM: ReLU(Σ ReLU(gradient)·A), each place with its own weight.

    It gives sharp maps in early layers too, where Grad-CAM's means blur.

    Args, returns and raises as for `grad_cam`.

    References:
        Jiang et al., "LayerCAM", 2021, doi:10.1109/TIP.2021.3089943.
    """
    question = ask(model, images, class_indices, output=output)
    place = spatial_layer(question, layer, "layer_cam")
    maps, gradient = maps_and_gradients(question, place)
    cam = np.maximum((np.maximum(gradient, 0) * maps).sum(axis=-1), 0)
    return enlarged(question, cam, enlarge)


def spatial_layer(question: Question, layer: Any, method: str) -> LayerCall:
    """Return the asked layer, whose output is `(places…, channels)`.

    Raises:
        UserError: Its output has no places.
    """
    place = question.layer(layer, method)
    if place.shape is None or len(place.shape) < 2:
        raise UserError(
            f"{method}: layer {place.name} gives {place.shape}, not places and channels: name a "
            "convolution, or a layer before the flattening"
        )
    return place


def maps_and_gradients(question: Question, place: LayerCall) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer's output and d score / d output, both `(n, places…, channels)`."""
    reader = question.reader
    scale = HALF_SCALE if reader.half else 1.0

    def both(model: Any, inputs: list, indices: Any, offset: Any) -> Any:
        from keras import ops

        def score(offset: Any) -> Any:
            seen = []

            def add(call: Any, *args: Any, **kwargs: Any) -> Any:
                result = call(*args, **kwargs)
                seen.append(ops.cast(result, "float32"))
                return result + ops.cast(offset, result.dtype)

            logits = reader.logits(model, inputs, [(place.position, nth(place.number, add))])
            return scale * reader.scores(logits, indices), seen[0]

        _, gradient, maps = value_and_gradient(score)(offset)
        return maps, gradient

    offset = np.zeros((len(question.indices), *(place.shape or ())), "float32")
    key = ("maps", place.position, place.number)
    maps, gradient = question.run(key, both, question.inputs, question.indices, offset)
    return np.asarray(maps), np.asarray(gradient) / scale


def over_places(reduce: Any, values: np.ndarray) -> np.ndarray:
    """Return `reduce` of `(n, places…, channels)` over the places: `(n, channels)`."""
    return reduce(axis=tuple(range(1, values.ndim - 1)))


def enlarged(question: Question, cam: np.ndarray, enlarge: bool = True) -> np.ndarray:
    """Return the map `(n, places…)` at the size of the first input that has as many axes."""
    if not enlarge:
        return cam
    sizes = [x.shape[1:-1] for x in question.inputs if x.ndim - 2 == cam.ndim - 1]
    return resize(cam, sizes[0]) if sizes else cam
