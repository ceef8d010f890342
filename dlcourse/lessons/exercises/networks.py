"""Tools for the exercises that build a network: train the student's answer and measure it."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import numbers, tried
from dlcourse.lessons.exercises.exercise import Mistake


def trained_model(answer: Any, *data: Any) -> Any:
    """Return the model that the answer, a function of `data`, returns; or the answer, if a model.

    Raises:
        Mistake: What comes back is not a model, or the function raises.
    """
    model = answer if _is_model(answer) else tried(answer, *data)
    if not _is_model(model):
        raise Mistake("The trained model is to be returned: it has a method `predict`.")
    return model


def probabilities(model: Any, x: np.ndarray, outputs: int) -> np.ndarray:
    """Return the model's outputs for `x`, of shape (examples, outputs).

    Raises:
        Mistake: The model cannot take `x`, or gives other shapes or values that are not finite.
    """
    quiet = {"verbose": 0} if hasattr(model, "count_params") else {}
    try:
        given = model.predict(x, **quiet)
    except Exception:  # noqa: BLE001 - a student's model may do anything
        raise Mistake(f"Your model does not take an array of shape {x.shape}.") from None
    given = numbers(given)
    if given.shape != (len(x), outputs) and not (outputs == 1 and given.shape == (len(x),)):
        shape = (len(x), outputs)
        raise Mistake(f"The model must give outputs of shape {shape}, yours are {given.shape}.")
    return given.reshape(len(x), outputs)


def share_right(model: Any, x: np.ndarray, y: np.ndarray, outputs: int) -> float:
    """Return the accuracy on labels `y`: the largest of `outputs`, or one output above ½."""
    given = probabilities(model, x, outputs)
    labels = given[:, 0] > 0.5 if outputs == 1 else given.argmax(axis=1)
    return float(np.mean(labels == y))


def parameters(model: Any) -> int:
    """Return the number of a Keras model's parameters, trainable or not.

    Raises:
        Mistake: It is not a built Keras model.
    """
    try:
        return int(model.count_params())
    except Exception:  # noqa: BLE001 - a student's object may do anything
        raise Mistake("A built Keras model is expected: it counts its parameters.") from None


def _is_model(answer: Any) -> bool:
    return hasattr(answer, "predict")
