"""Grad-CAM, Grad-CAM++ and LayerCAM: a layer's feature maps, weighted by the score's gradient."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.cam_layer import called, default_call, pixels_of, with_grid
from dlcourse.visualizers.hooks import LayerCall, nth
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.targets import ClassIndices, Images, Reader, Target, target_of

Heatmap = Callable[[LayerCall, int], Any]


def _of_formula(formula: Callable[..., Any]):
    """Return the visualizer ReLU(formula(A, d score / d A)) of a layer's maps A.

    Args:
        formula: Function of two tensors `(n, places…, channels)` that returns a map `(n, places…)`;
            its name and docstring are the visualizer's.
    """

    def visualizer(
        model: Any,
        images: Images,
        class_indices: ClassIndices = None,
        *,
        layer: Any = None,
        output: int | str = 0,
        where: Any = None,
        enlarge: bool = True,
        grid: Any = None,
    ) -> Any:
        target = target_of(model, images, class_indices, output=output, where=where)
        reader, method = target.reader, formula.__name__

        def heatmap(place: LayerCall, _: int) -> Any:
            def cam(model: Any, inputs: list, asked: Any) -> Any:
                from keras import ops

                maps, gradient = output_and_gradient(reader, model, inputs, asked, place)
                return ops.relu(formula(maps, gradient))

            return target.run((method, place), cam, target.inputs, target.asked, plain_first=True)

        return on_images(method, heatmap, target, layer, enlarge, grid)

    own = inspect.signature(visualizer)
    update_wrapper(visualizer, formula).__signature__ = own  # pyright: ignore
    return visualizer


@_of_formula
def grad_cam(maps: Any, gradient: Any) -> Any:
    """Return ReLU(Σ w·A): the sum of the feature maps A, each weighted by its mean gradient w.

    Args:
        model, images, class_indices, output, where: As for `saliency`; images, volumes or
            sequences.
        layer: Layer of the feature maps: a name (`base/conv` in a nested model), a position or the
            layer; `(layer, k)` for its call number k. None for the last maps before the network's
            last reduction of places, such as a pooling or flattening.
        enlarge: Whether to resize the maps to the image's size: bilinear, each place at the centre
            of the pixels that it sees.
        grid: Rows and columns of the image's patches, such as `(14, 14)`, for a layer of tokens; a
            class token before them is left out. None to find them in the model.

    Returns:
        `(n, height, width)`, 0 or more, in units of the score; `(n, steps)` for sequences. A list
        of these for several inputs of images.

    Raises:
        UserError: The arguments do not fit together, or the layer's output has no positions.

    References:
        Selvaraju et al., "Grad-CAM", 2017, arXiv:1610.02391, equations 1 and 2.
    """
    from keras import ops

    return ops.sum(maps * ops.mean(gradient, axis=places(maps), keepdims=True), axis=-1)


@_of_formula
def grad_cam_plus_plus(maps: Any, gradient: Any) -> Any:
    """Return Grad-CAM++: the weight of a map is the α-weighted sum of its positive gradients.

    With the weights α, each of several objects of a class counts. The paper's factor exp(score) is
    left out: it is the same for a whole map, and it overflows.

    Args, returns and raises as for `grad_cam`.

    References:
        Chattopadhay et al., "Grad-CAM++", 2018, arXiv:1710.11063, equation 19.
    """
    from keras import ops

    total = ops.sum(maps, axis=places(maps), keepdims=True)
    below = gradient**2 * (2 + total * gradient)
    alpha = ops.where(below == 0, 0.0, gradient**2 / ops.where(below == 0, 1.0, below))
    weights = ops.sum(alpha * ops.relu(gradient), axis=places(maps), keepdims=True)
    return ops.sum(maps * weights, axis=-1)


@_of_formula
def layer_cam(maps: Any, gradient: Any) -> Any:
    """Return LayerCAM: ReLU(Σ ReLU(gradient)·A), each position with its own weight.

    It gives sharp maps in early layers too, where the mean gradients of Grad-CAM blur.

    Args, returns and raises as for `grad_cam`.

    References:
        Jiang et al., "LayerCAM", 2021, doi:10.1109/TIP.2021.3089943.
    """
    from keras import ops

    return ops.sum(maps * ops.relu(gradient), axis=-1)


def on_images(method: str, heatmap: Heatmap, target: Target, *view: Any) -> Any:
    """Return the map of each input of images: one array, or a list for several inputs.

    Args:
        method: Name of the method, for errors.
        heatmap: Function of a layer call and the input's index that returns `(n, places…)`.
        target: The model, its inputs and the classes.
        view: The layer whose maps are read, or None for the default one; whether to resize each map
            to its input; the grid of the image's patches, or None.
    """
    (layer, enlarge, grid), maps = view, []
    for source in target.sources:
        place = spatial_layer(target, layer, method, source)
        place = with_grid(target.probe, place, source, grid)
        cam = np.asarray(heatmap(place, source), "float32")
        maps.append(enlarged(target, cam, place, source) if enlarge else cam)
    return maps if len(maps) > 1 else maps[0]


def spatial_layer(target: Target, layer: Any, method: str, source: int = 0) -> LayerCall:
    """Return the requested layer call, whose output is `(places…, channels)`.

    Raises:
        UserError: Its output has no positions, or the model's output does not depend on it.
    """
    where = (target.model, target.probe, target.output, source)
    place = default_call(*where) if layer is None else called(*where, layer)
    if place is None:
        raise UserError(
            f"{method}: the model has no convolutional layer (name another with layer=…, or use a "
            "gradient method such as saliency)"
        )
    if place.shape is None or len(place.shape) < 2:
        raise UserError(
            f"{method}: layer {place.name} gives {place.shape}, not positions and channels: name a "
            "convolution, or a layer before the flattening"
        )
    return place


def output_and_gradient(
    reader: Reader, model: Any, inputs: list, asked: Any, place: LayerCall
) -> tuple[Any, Any]:
    """Return a layer's output and d score / d output, tensors `(n, places…, channels)`.

    The gradient is that of an offset of zeros, added to the output: no second graph is needed.
    """
    from keras import ops

    def score(offset: Any) -> Any:
        def add(call: Any, *args: Any, **kwargs: Any) -> Any:
            if place.entering:
                return call(args[0] + ops.cast(offset, args[0].dtype), *args[1:], **kwargs)
            result = call(*args, **kwargs)
            return result + ops.cast(offset, result.dtype)

        changes = [(place.position, nth(place.number, add))]
        logits, (maps,) = reader.read(model, inputs, [place], changes)
        return reader.scores(logits, asked), maps

    offset = ops.zeros((inputs[0].shape[0], *(place.shape or ())), "float32")
    _, gradient, maps = value_and_gradient(score)(offset)
    return place.laid_out(maps), place.laid_out(gradient)


def places(maps: Any) -> tuple[int, ...]:
    """Return the axes of the positions in `(n, places…, channels)`."""
    return tuple(range(1, len(maps.shape) - 1))


def enlarged(target: Target, cam: np.ndarray, place: LayerCall, source: int = 0) -> np.ndarray:
    """Return the map `(n, places…)` at the size of an input, where the layer sees its places.

    A map with other axes is returned as it is.
    """
    shape = target.inputs[source].shape[1:]
    size = shape if len(shape) == 1 else shape[:-1]  # of tokens, or without the channels
    if len(size) != cam.ndim - 1:
        return cam
    grid = pixels_of(target.model, target.probe, place, source)
    return resize(cam, size, grid, fading=grid is not None)
