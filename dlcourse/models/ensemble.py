"""Several networks as one model, whose probabilities are the mean of theirs."""

from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def ensemble(members: Sequence["keras.Model"]) -> "keras.Model":
    """Return one model of the members' mean probabilities, or mean predictions.

    It holds the members whole (`member_1`, …) and ends as they do: `logits` is the logarithm of the
    mean probability, so that its softmax is that mean (of one output: the log odds, under the
    sigmoid).

    Args:
        members: trained models of one data set, each ending as the builders' do.

    References:
        Hansen and Salamon, "Neural network ensembles", IEEE PAMI 1990.
    """
    import keras
    from keras import layers

    first = members[0]
    inputs = keras.Input(first.inputs[0].shape[1:], dtype=first.inputs[0].dtype)
    regression = first.layers[-1].name == "prediction"
    end = "prediction" if regression else "logits"
    answers = [
        keras.Model(member.inputs, member.get_layer(end).output, name=f"member_{number}")(inputs)
        for number, member in enumerate(members, 1)
    ]
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


def _log_mean(logits: Sequence[Any], activation: str) -> Any:
    """Return the logarithm of the mean of the probabilities, also where they underflow."""
    from keras import layers, ops

    logs = [layers.Activation(activation, dtype="float32")(values) for values in logits]
    return ops.logsumexp(ops.stack(logs, axis=-1), axis=-1) - log(len(logits))
