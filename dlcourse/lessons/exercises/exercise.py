"""An exercise, its typical wrong answers, and the verdict on an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

UNATTEMPTED = ...
"""The answer in an untouched cell: `answer = ...`."""


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer, and the beginning of the checker's message for it."""

    answer: Any
    message: str


@dataclass(frozen=True)
class Exercise:
    """A question that checks its own answer.

    Attributes:
        question: Question in one or two sentences, as in the notebook.
        check: Function of an answer that returns None if it is correct, else a sentence that helps
            without giving the solution away. It may use `answers`, whose functions raise `Mistake`.
        hint: Next thought, shown on request.
        solution: Correct answer: a value, an array, a text or a function.
        explanation: Explanation, shown with the solution and after a correct answer.
        equivalents: Other correct forms of the answer.
        wrong: Typical wrong answers, three or more, each with its own message.
        level: "quick" for a check of what was read, "complete" for the middle of an algorithm,
            "build" for a network that must reach a measured bar; its answers train for seconds.
        variant: Function of a random generator that returns the exercise with other numbers.
    """

    question: str
    check: Callable[[Any], str | None]
    hint: str
    solution: Any
    explanation: str
    equivalents: tuple[Any, ...]
    wrong: tuple[Wrong, ...]
    level: Literal["quick", "complete", "build"] = "quick"
    variant: "Callable[[np.random.Generator], Exercise] | None" = None


class Mistake(Exception):  # noqa: N818 - a student's mistake; nothing has failed
    """A sentence that says what is wrong with an answer; `check` turns it into a verdict."""


class NotAttempted(Exception):  # noqa: N818 - nothing has failed
    """The answer still contains `...` in place of the student's part."""


MARKS = {"right": "✓ right", "wrong": "✗ not yet", "unattempted": "… not attempted"}


@dataclass(frozen=True)
class Verdict:
    """The verdict on an answer; true only if the answer is correct."""

    name: str
    status: Literal["right", "wrong", "unattempted"]
    message: str

    def __bool__(self) -> bool:
        return self.status == "right"

    def __repr__(self) -> str:
        return f"{self.name} {MARKS[self.status]}: {self.message}"

    def _repr_markdown_(self) -> str:
        return f"**{self.name} {MARKS[self.status]}.** {self.message}"


class Text(str):
    """A text that a notebook renders as Markdown and a terminal prints unchanged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)
