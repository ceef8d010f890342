"""Outputs of the layers: feature maps and each neuron's activity; and the filters themselves."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import ops
from dlcourse.schema import Positive, checked
from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import Images, Target, target_of


@checked
def feature_maps(
    model: Any,
    images: Images,
    layers: Sequence[Any] | Any = None,
    *,
    batch_size: Positive | None = None,
) -> dict[str, np.ndarray]:
    """Return the outputs of layers for each image, by layer name.

    Args:
        model: Any Keras 3 model.
        images: Images `(n, height, width, channels)` in the model's own value range, or other
            inputs that it takes.
        layers: Names, positions or layers, one or several; `(layer, k)` for the call number k of a
            layer. None for every layer whose output has positions and channels, `(n, height, width,
            channels)`, from the first convolution on.
        batch_size: As for `saliency`.

    Returns:
        `{name: (n, height, width, channels)}` in the order of the layers, float32. Of a layer that
        is called more than once, the last output, or `name:k` for each call asked for.

    Raises:
        UserError: There is no such layer, or the images do not fit the model.
    """
    target = target_of(model, images, 0, batch_size=batch_size)
    if layers is not None:
        named = [hooks.find_layer(target.calls, layer, model) for layer in hooks.several(layers)]
        calls = Counter(call.name for call in named)
        names = [x.name if calls[x.name] == 1 else f"{x.name}:{x.number}" for x in named]
        return target.in_batches(lambda p: dict(zip(names, tensors_of(p, named), strict=True)))
    every = hooks.all_layers(model)
    slides = [hooks.is_convolution(every[call.position]) for call in target.calls]
    if not any(slides):
        raise UserError("feature_maps: the model has no convolutional layer: name the layers")
    behind = target.calls[slides.index(True) :]
    maps = [call for call in behind if call.shape and len(call.shape) >= 2]
    return target.in_batches(lambda part: outputs(part, maps))


@checked
def neuron_activity(
    model: Any, images: Images, *, batch_size: Positive | None = None
) -> dict[str, np.ndarray]:
    """Return how active each neuron is: a dense layer's outputs, a feature map's mean.

    Returns:
        `{name: (n, neurons)}` for every layer with weights and for the output, in order.

    Raises:
        UserError: The images do not fit the model.
    """
    target = target_of(model, images, 0, batch_size=batch_size)
    layers = hooks.all_layers(model)
    chosen = [
        call
        for call in target.calls
        if call.shape and (call.output_indices or hooks.has_kernel(layers[call.position]))
    ]

    def means(part: Target) -> dict[str, np.ndarray]:
        maps = outputs(part, chosen)
        return {name: x.mean(axis=tuple(range(1, x.ndim - 1))) for name, x in maps.items()}

    return target.in_batches(means)


def filters(model: Any, layer: Any = None) -> np.ndarray:
    """Return a layer's kernel: `(height, width, channels in, filters)` of a convolution.

    Args:
        model: A Keras 3 model that is built.
        layer: Name, position among `model.layers`, or the layer. None for the first convolution.

    Raises:
        UserError: There is no such layer, or it has no kernel.
    """
    hooks.check_model(model)
    if layer is None:
        layer = next(filter(hooks.is_convolution, hooks.all_layers(model)), None)
        if layer is None:
            raise UserError("filters: the model has no convolutional layer")
    layer = hooks.named_layer(model, layer)
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        raise UserError(f"filters: layer {layer.name} has no kernel")
    return np.asarray(kernel, "float32").copy()


def outputs(target: Target, places: Sequence[LayerCall]) -> dict[str, np.ndarray]:
    """Return the tensor of each layer call by its name, float32, from one forward pass."""
    return dict(zip([place.name for place in places], tensors_of(target, places), strict=True))


def tensors_of(target: Target, places: Sequence[LayerCall]) -> list[np.ndarray]:
    """Return the tensor of each layer call, float32, from one forward pass."""

    def read(model: Any, inputs: list) -> Any:
        tensors = hooks.record(model, inputs, places)[1]
        return [ops.cast(x, "float32") for x in map(LayerCall.laid_out, places, tensors)]

    key = ("outputs", tuple(places))
    return [np.array(x) for x in target.run(key, read, target.inputs, any_batch=True)]
