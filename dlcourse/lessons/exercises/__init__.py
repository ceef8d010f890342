"""The notebooks' exercises: `check("03.2", answer)`, `hint("03.2")`, `solution("03.2")`.

There is one file per notebook, imported on demand. Nothing is recorded or leaves the machine.

Where the environment variable DLCOURSE_CLASS is set, the exercises are a class's homework: `hint`
and `solution` decline. With a value such as "class:1a2b3c4d", the exercises that have a `variant`
are asked with numbers of their own.
"""

import inspect
import os
import re
from importlib import import_module
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.lessons.exercises.exercise import (
    UNATTEMPTED,
    Exercise,
    Mistake,
    NotAttempted,
    Text,
    Verdict,
)

__all__ = ["NOTEBOOKS", "Verdict", "check", "exercises", "hint", "solution"]

NOTEBOOKS = {
    "00": "setup_and_tour",
    "01": "maths",
    "02": "gradient_descent",
    "03": "regression",
    "04": "activations_and_softmax",
    "05": "backpropagation",
    "06": "first_deep_network",
    "07": "overfitting",
    "08": "when_training_goes_wrong",
    "09": "convolutional_networks",
    "10": "sequences",
    "11": "peering_inside",
    "12": "when_not_to_use_deep_learning",
    "13": "generation",
}

SLIPS = {
    "01": "S3.det S3.eig S3.derivative S4.derivative",
    "02": "S0.minima S2.gradient S3.gd",
    "03": "S1.neuron S4.variables S4.squaring S4.logistic S4.loop",
    "04": "S3.relu S3.range S4.tanh S4.differentiable S4.left",
    "06": "S0.accuracy",
    "07": "S1.weight_decay",
    "08": "S1.initialise",
    "10": "S3.sequence",
}
"""The slides' errors, by the notebook that treats their subject."""


def check(name: str, answer: Any) -> Verdict:
    """Return the verdict on an answer to an exercise, such as `"03.2"`. No answer raises an error.

    Raises:
        UserError: There is no such exercise.
    """
    return verdict(name, _find(name), answer)


def verdict(name: str, exercise: Exercise, answer: Any) -> Verdict:
    """Return the verdict on an answer to this exercise; `name` is what it is called in it."""
    try:
        if answer is UNATTEMPTED:
            raise NotAttempted
        message = exercise.check(answer)
    except NotAttempted:
        helps = "" if os.environ.get("DLCOURSE_CLASS") else f'; `hint("{name}")` helps'
        return Verdict(name, "unattempted", f"Put your answer in the place of `...`{helps}.")
    except Mistake as mistake:
        message = str(mistake)
    except Exception as error:  # noqa: BLE001 - a student's object may do anything
        message = f"This answer cannot be checked: it raised {type(error).__name__}."
    if message is None:
        return Verdict(name, "right", exercise.explanation)
    return Verdict(name, "wrong", message)


def hint(name: str) -> Text:
    """Return the hint of an exercise.

    Raises:
        UserError: There is no such exercise, or it is homework.
    """
    _decline("hint", name)
    return Text(_find(name).hint)


def solution(name: str) -> Text:
    """Return a correct answer, as Python code for the cell, and an explanation.

    Raises:
        UserError: There is no such exercise, or it is homework.
    """
    _decline("solution", name)
    exercise = _find(name)
    return Text(f"```python\n{source(exercise.solution)}\n```\n\n{exercise.explanation}")


def exercises(notebook: str) -> dict[str, Exercise]:
    """Return the exercises of a notebook, such as `"03"`, by name.

    Raises:
        UserError: There is no such notebook.
    """
    if notebook not in NOTEBOOKS:
        raise UserError(f"no notebook '{notebook}' (known: {', '.join(NOTEBOOKS)})")
    module = import_module(f"dlcourse.lessons.exercises.{NOTEBOOKS[notebook]}")
    return {f"{notebook}.{k}": exercise for k, exercise in enumerate(module.EXERCISES, 1)}


def numbered(name: str, exercise: Exercise, value: str) -> Exercise:
    """Return an exercise with the numbers of a value of DLCOURSE_CLASS, if it can have others."""
    seed = value.partition(":")[2]
    if not seed or exercise.variant is None:
        return exercise
    return exercise.variant(np.random.default_rng([*f"{seed} {name}".encode()]))


def source(answer: Any) -> str:
    """Return an answer as Python code for a cell."""
    if not inspect.isfunction(answer):
        return f"answer = {answer!r}"
    return re.sub(r"\Adef \w+", "def answer", inspect.getsource(answer).rstrip())


def _find(name: str) -> Exercise:
    known = exercises(str(name).partition(".")[0])
    if name not in known:
        raise UserError(f"no exercise '{name}' (known: {', '.join(known)})")
    return numbered(name, known[name], os.environ.get("DLCOURSE_CLASS", ""))


def _decline(tool: str, name: str) -> None:
    if os.environ.get("DLCOURSE_CLASS"):
        raise UserError(f'{tool}("{name}"): this exercise is homework; ask your teacher')
