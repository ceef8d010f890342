"""What the layers answer: feature maps, the filters themselves, and each neuron's activity."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import taps
from dlcourse.visualizers.questions import Images, Question, Reader, ask
from dlcourse.visualizers.taps import LayerCall, nth


def feature_maps(
    model: Any, images: Images, layers: Sequence[Any] | Any = None
) -> dict[str, np.ndarray]:
    """Return the output of layers for each image, by the layer's name.

    Args:
        model: Any Keras 3 model.
        images: `(n, height, width, channels)` in the model's own value range, or what it takes.
        layers: One or several: names, positions or layers. None: every layer whose output has
            places and channels, `(n, height, width, channels)`, from the first convolution on.

    Returns:
        `{name: (n, height, width, channels)}` in the order of the layers, float32; of a layer that
        is called more than once, its last output.

    Raises:
        UserError: There is no such layer, or the images do not fit the model.
    """
    question = ask(model, images, 0)
    return outputs(question, chosen_layers(question, layers))


def neuron_activity(model: Any, images: Images) -> dict[str, np.ndarray]:
    """Return how active each neuron is: a dense layer's outputs, a feature map's mean.

    Returns:
        `{name: (n, neurons)}` for every layer with weights and for the output, in order.

    Raises:
        UserError: The images do not fit the model.
    """
    question = ask(model, images, 0)
    layers = taps.all_layers(model)
    chosen = [
        one for one in question.calls if one.shape and (_learns(layers[one.position]) or one.gives)
    ]
    found = outputs(question, chosen)
    return {
        name: values.mean(axis=tuple(range(1, values.ndim - 1))) for name, values in found.items()
    }


def filters(model: Any, layer: Any = None) -> np.ndarray:
    """Return a layer's kernel: `(height, width, channels in, filters)` of a convolution.

    Args:
        model: A Keras 3 model whose weights are there.
        layer: A name, a position among `model.layers`, or the layer; None: the first convolution.

    Raises:
        UserError: There is no such layer, or it has no kernel.
    """
    taps.check_model(model)
    layers = taps.all_layers(model)
    if layer is None:
        found = [one for one in layers if taps.is_convolution(one)]
        if not found:
            raise UserError("filters: the model has no convolutional layer")
        layer = found[0]
    elif taps.is_name(layer):
        layer = taps.named_layer(model, layer)
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        raise UserError(f"filters: layer {getattr(layer, 'name', layer)} has no kernel")
    return np.asarray(kernel, "float32").copy()


def chosen_layers(question: Question, layers: Any) -> list[LayerCall]:
    """Return the calls of the asked layers; by default those with places, without the input's own.

    Raises:
        UserError: There is no such layer, or none with places.
    """
    if layers is None:
        found = taps.all_layers(question.model)
        slides = [taps.is_convolution(found[one.position]) for one in question.calls]
        if not any(slides):
            raise UserError("feature_maps: the model has no convolutional layer: name the layers")
        behind = question.calls[slides.index(True) :]
        return [one for one in behind if one.shape and len(one.shape) >= 2]
    several = layers if isinstance(layers, list | tuple) else [layers]
    return [question.layer(one, "feature_maps") for one in several]


def _learns(layer: Any) -> bool:
    return getattr(layer, "kernel", None) is not None or hasattr(layer, "cell")


def layer_output(question: Question, place: LayerCall) -> np.ndarray:
    """Return one layer's output for the question's inputs, float32."""
    return outputs(question, [place])[place.name]


def outputs(
    question: Question, places: Sequence[LayerCall], *, entering: bool = False
) -> dict[str, np.ndarray]:
    """Return the output of each layer call by its name, float32, from one pass.

    `entering`: what goes into the layer, instead.
    """
    reader = question.reader

    def read(model: Any, inputs: list) -> Any:
        return observed(reader, model, inputs, places, entering=entering)

    marks = tuple((one.position, one.number) for one in places)
    found = question.run(("outputs", marks, entering), read, question.inputs)
    return {one.name: np.array(value) for one, value in zip(places, found, strict=True)}


def observed(
    reader: Reader,
    model: Any,
    inputs: list,
    places: Sequence[LayerCall],
    *,
    linear: bool = False,
    entering: bool = False,
) -> list:
    """Return the outputs of layer calls as float32 tensors, within a compiled function too.

    With `linear`, they are read before their ReLU; `entering`: what goes into the layers, instead.
    """
    import keras

    seen: dict[LayerCall, Any] = {}
    layers = taps.all_layers(model)
    relu = keras.activations.relu

    def keep(place: LayerCall) -> taps.Edit:
        def edit(call: Any, *args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            seen[place] = (args or (*kwargs.values(),))[0] if entering else result
            return result

        return nth(place.number, edit)

    edits = [(one.position, keep(one)) for one in places]
    if linear:
        hidden = [k for k, _ in edits if getattr(layers[k], "activation", None) is relu]
        edits += [(k, taps.with_activation(layers[k], keras.activations.linear)) for k in hidden]
    reader.logits(model, inputs, edits, logits=False)
    return [keras.ops.cast(seen[one], "float32") for one in places]
