"""The notebooks' exercises: `check("03.2", answer)`, `hint("03.2")`, `solution("03.2")`.

There is one file per notebook, imported on demand. Nothing is recorded or leaves the machine.
"""

import inspect
import re
from importlib import import_module
from typing import Any

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


def check(name: str, answer: Any) -> Verdict:
    """Return the verdict on an answer to an exercise, such as `"03.2"`. No answer raises an error.

    Raises:
        UserError: There is no such exercise.
    """
    exercise = _find(name)
    try:
        if answer is UNATTEMPTED:
            raise NotAttempted
        message = exercise.check(answer)
    except NotAttempted:
        text = f'Put your answer in the place of `...`; `hint("{name}")` helps.'
        return Verdict(name, "unattempted", text)
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
        UserError: There is no such exercise.
    """
    return Text(_find(name).hint)


def solution(name: str) -> Text:
    """Return a correct answer, as Python code for the cell, and an explanation.

    Raises:
        UserError: There is no such exercise.
    """
    exercise = _find(name)
    return Text(f"```python\n{_source(exercise.solution)}\n```\n\n{exercise.explanation}")


def exercises(notebook: str) -> dict[str, Exercise]:
    """Return the exercises of a notebook, such as `"03"`, by name.

    Raises:
        UserError: There is no such notebook.
    """
    if notebook not in NOTEBOOKS:
        raise UserError(f"no notebook '{notebook}' (known: {', '.join(NOTEBOOKS)})")
    module = import_module(f"dlcourse.lessons.exercises.{NOTEBOOKS[notebook]}")
    return {f"{notebook}.{k}": exercise for k, exercise in enumerate(module.EXERCISES, 1)}


def _source(answer: Any) -> str:
    if not inspect.isfunction(answer):
        return f"answer = {answer!r}"
    return re.sub(r"\Adef \w+", "def answer", inspect.getsource(answer).rstrip())


def _find(name: str) -> Exercise:
    known = exercises(str(name).partition(".")[0])
    if name not in known:
        raise UserError(f"no exercise '{name}' (known: {', '.join(known)})")
    return known[name]
