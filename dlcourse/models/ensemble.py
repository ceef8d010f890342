"""Several networks, or views of an image, as one model of their mean probabilities."""

from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def ensemble(members: Sequence["keras.Model"], shifts: int = 0) -> "keras.Model":
    """Return one model of the members' mean probabilities, or mean predictions.

    It holds the members whole (`member_1`, …) and ends as they do: `logits` is the logarithm of the
    mean probability, so that its softmax is that mean (of one output: the log odds, under the
    sigmoid).

    Args:
        members: trained models of one data set, each ending as the builders' do.
        shifts: each member also answers for the images moved by up to so many pixels down and
            across, (2·shifts + 1)² views that count alike; the outermost pixels fill what opens.

    References:
        Hansen and Salamon, "Neural network ensembles", IEEE PAMI 1990; views: Krizhevsky et al.,
        "ImageNet classification with deep convolutional neural networks", NeurIPS 2012, 4.1.
    """
    import keras
    from keras import layers

    first = members[0]
    inputs = keras.Input(first.inputs[0].shape[1:], dtype=first.inputs[0].dtype)
    regression = first.layers[-1].name == "prediction"
    end = "prediction" if regression else "logits"
    networks = [
        keras.Model(member.inputs, member.get_layer(end).output, name=f"member_{number}")
        for number, member in enumerate(members, 1)
    ]
    answers = [network(view) for view in _views(inputs, shifts) for network in networks]
    if regression:
        outputs = layers.Average(dtype="float32", name="prediction")(answers)
        return keras.Model(inputs, outputs, name="ensemble")
    single = first.output_shape[-1] == 1
    logits = _log_mean(answers, "log_sigmoid" if single else "log_softmax")
    if single:
        logits -= _log_mean([-answer for answer in answers], "log_sigmoid")
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
    squash = "sigmoid" if single else "softmax"
    outputs = layers.Activation(squash, dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="ensemble")


def _views(images: Any, shifts: int) -> list[Any]:
    """Return the images `(n, height, width, channels)`, first as they are and then shifted.

    A layer's pictures are of its last call, and Keras runs calls like these from the last to the
    first.
    """
    from keras import ops

    if not shifts:
        return [images]
    wider: Any = images
    height, width = images.shape[1:3]
    for axis, size in ((1, height), (2, width)):  # no mode of `ops.pad` does it on PyTorch
        nearest = np.clip(np.arange(-shifts, size + shifts), 0, size - 1)
        wider = ops.take(wider, nearest.tolist(), axis=axis)
    steps = sorted(range(2 * shifts + 1), key=lambda step: abs(step - shifts))
    return [wider[:, y : y + height, x : x + width] for y in steps for x in steps]


def _log_mean(logits: Sequence[Any], activation: str) -> Any:
    """Return the logarithm of the mean of the probabilities, also where they underflow."""
    from keras import layers, ops

    logs = [layers.Activation(activation, dtype="float32")(values) for values in logits]
    return ops.logsumexp(ops.stack(logs, axis=-1), axis=-1) - log(len(logits))
