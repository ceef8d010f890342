"""Grad-CAM, Grad-CAM++ and LayerCAM: a layer's feature maps, weighted by the score's gradient."""

from collections.abc import Callable
from functools import WRAPPER_ASSIGNMENTS
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import ops
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.cam_layer import called, default_call, pixels_of, with_grid
from dlcourse.visualizers.hooks import LayerCall, nth
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.targets import ClassIndices, Images, Reader, Target, target_of

Heatmap = Callable[[Target, LayerCall, int], Any]


def _of_formula(formula: Callable[..., Any]):
    """Return the visualizer ReLU(formula(A, d score / d A)) of a layer's maps A.

    Args:
        formula: Function of two arrays `(n, places…, channels)` that returns a map `(n, places…)`;
            its name and docstring are the visualizer's.
    """

    def visualizer(
        model: Any,
        images: Images,
        class_indices: ClassIndices = None,
        *,
        layer: Any = None,
        output: Output = 0,
        where: Any = None,
        enlarge: bool = True,
        grid: Any = None,
        batch_size: Positive | None = None,
    ) -> Any:
        target = target_of(model, images, class_indices, output, where, batch_size)

        def heatmap(part: Target, place: LayerCall, _: int) -> Any:
            def read(model: Any, inputs: list, asked: Any) -> Any:
                return output_and_gradient(part.reader, model, inputs, asked, place)

            key = ("maps and gradient", place)
            pair = part.run(key, read, part.inputs, part.asked, any_batch=True)
            return np.maximum(formula(*(np.asarray(x) for x in pair)), 0)

        return on_images(formula.__name__, heatmap, target, layer, enlarge, grid)

    for name in WRAPPER_ASSIGNMENTS[:4]:  # its name and docstring
        setattr(visualizer, name, getattr(formula, name))
    return checked(visualizer)


@_of_formula
def grad_cam(maps: Any, gradient: Any) -> Any:
    """Return ReLU(Σ w·A): the sum of the feature maps A, each weighted by its mean gradient w.

    Args:
        model, images, class_indices, output, where: As for `saliency`; images, volumes or
            sequences.
        layer: Layer of the feature maps: a name (`base/conv` in a nested model), a position or the
            layer; `(layer, k)` for its call number k, in the order in which Keras runs the model.
            None for the last maps before the network's last reduction of places, such as a pooling
            or flattening.
        enlarge: Whether to resize the maps to the image's size: bilinear, each place at the centre
            of the pixels that it sees.
        grid: Rows and columns of the image's patches, such as `(14, 14)`, for a layer of tokens; a
            class token before them is left out. None to find them in the model.
        batch_size: As for `saliency`.

    Returns:
        `(n, height, width)`, 0 or more, in units of the score; `(n, steps)` for sequences. A list
        of these for several inputs of images on which the layer depends.

    Raises:
        UserError: The arguments do not fit together, or the layer's output has no positions.

    References:
        Selvaraju et al., "Grad-CAM", 2017, arXiv:1610.02391, equations 1 and 2.
    """
    return np.einsum("n...c,nc->n...", maps, gradient.mean(axis=places(maps)))


@_of_formula
def grad_cam_plus_plus(maps: Any, gradient: Any) -> Any:
    """Return Grad-CAM++: the weight of a map is the α-weighted sum of its positive gradients.

    With the weights α, each of several objects of a class counts. The paper's factor exp(score) is
    left out: it is the same for a whole map, and it overflows.

    Args, returns and raises as for `grad_cam`.

    References:
        Chattopadhay et al., "Grad-CAM++", 2018, arXiv:1710.11063, equation 19.
    """
    total = maps.sum(axis=places(maps), keepdims=True)
    below = gradient**2 * (2 + total * gradient)
    alpha = np.where(below == 0, 0, gradient**2 / np.where(below == 0, 1, below))
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=places(maps))
    return np.einsum("n...c,nc->n...", maps, weights)


@_of_formula
def layer_cam(maps: Any, gradient: Any) -> Any:
    """Return LayerCAM: ReLU(Σ ReLU(gradient)·A), each position with its own weight.

    It gives sharp maps in early layers too, where the mean gradients of Grad-CAM blur.

    Args, returns and raises as for `grad_cam`.

    References:
        Jiang et al., "LayerCAM", 2021, doi:10.1109/TIP.2021.3089943.
    """
    return np.einsum("n...c,n...c->n...", maps, np.maximum(gradient, 0))


def on_images(method: str, heatmap: Heatmap, target: Target, *view: Any) -> Any:
    """Return the map of each input of images: one array, or a list for several inputs.

    Args:
        method: Name of the method, for errors.
        heatmap: Function of the target for some examples, a layer call and the input's index that
            returns `(n, places…)`.
        target: The model, its inputs and the classes.
        view: The layer whose maps are read, or None for the default one; whether to resize each map
            to its input; the grid of the image's patches, or None.
    """
    (layer, enlarge, grid), found, refusals = view, [], []
    for source in target.sources:
        try:
            place = spatial_layer(target, layer, method, source)
            found.append((with_grid(target.probe, place, source, grid), source))
        except UserError as error:  # a layer behind another image only
            refusals.append(error)
    if not found or (refusals and layer is None):
        raise refusals[0]

    def maps(part: Target) -> Any:
        each = []
        for place, source in found:
            cam = np.asarray(heatmap(part, place, source), "float32")
            each.append(enlarged(part, cam, place, source) if enlarge else cam)
        return each if len(each) > 1 else each[0]

    return target.in_batches(maps)


def spatial_layer(target: Target, layer: Any, method: str, source: int = 0) -> LayerCall:
    """Return the requested layer call, whose output is `(places…, channels)`.

    Raises:
        UserError: Its output has no positions, or the model's output does not depend on it.
    """
    where = (target.model, target.probe, target.output, source)
    place = default_call(*where) if layer is None else called(*where, layer)
    if place is None:
        cure = "name another with layer=…, or use a gradient method such as saliency"
        raise UserError(f"{method}: the model has no convolutional layer ({cure})")
    if place.shape is None or len(place.shape) < 2:
        cure = "name a convolution, or a layer before the flattening"
        reason = f"layer {place.name} gives {place.shape}, not positions and channels: {cure}"
        raise UserError(f"{method}: {reason}")
    return place


def output_and_gradient(
    reader: Reader, model: Any, inputs: list, asked: Any, place: LayerCall
) -> tuple[Any, Any]:
    """Return a layer's output and d score / d output, tensors `(n, places…, channels)`.

    The gradient is that of an offset of zeros, added to the output: no second graph is needed.
    """

    def score(offset: Any) -> Any:
        def add(call: Any, *args: Any, **kwargs: Any) -> Any:
            if place.entering:
                return call(args[0] + ops.cast(offset, args[0].dtype), *args[1:], **kwargs)
            result = call(*args, **kwargs)
            return result + ops.cast(offset, result.dtype)

        changes = [(place.position, nth(place.number, add))]
        logits, (maps,) = reader.read(model, inputs, [place], changes)
        return reader.scores(logits, asked), maps

    offset = ops.zeros((ops.shape(inputs[0])[0], *(place.shape or ())), "float32")
    _, gradient, maps = value_and_gradient(score)(offset)
    return place.laid_out(maps), place.laid_out(gradient)


def places(maps: Any) -> tuple[int, ...]:
    """Return the axes of the positions in `(n, places…, channels)`."""
    return tuple(range(1, len(maps.shape) - 1))


def enlarged(target: Target, cam: np.ndarray, place: LayerCall, source: int = 0) -> np.ndarray:
    """Return the map `(n, places…)` at the size of an input, where the layer sees its places.

    It is 0 after the end of a sequence. A map with other axes is returned as it is.
    """
    shape = target.inputs[source].shape[1:]
    size = shape if len(shape) == 1 else shape[:-1]  # of tokens, or without the channels
    if len(size) != cam.ndim - 1:
        return cam
    grid = pixels_of(target.model, target.probe, place, source)
    cam, ended = resize(cam, size, grid, fading=grid is not None), target.ended(source)
    return cam * ~ended[..., 0] if ended.any() else cam
