"""An exercise, its typical wrong answers, and what a checked answer is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

UNATTEMPTED = ...
"""What a student's cell starts with: `answer = ...`."""


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer, and how the checker's message to it begins."""

    answer: Any
    message: str


@dataclass(frozen=True)
class Exercise:
    """A question that checks its own answer.

    Attributes:
        question: One or two sentences, as they stand in the notebook.
        check: Takes an answer; returns None where it is right, else a sentence that helps without
            giving it away. It may use the tools of `answers`, which raise `Mistake`.
        hint: The next thought, for who asks.
        solution: A right answer: a value, an array, a text or a function.
        explanation: Why; shown with the solution and to a right answer.
        equivalents: Other forms that are right as well.
        wrong: Three or more typical wrong answers, each with a message of its own.
    """

    question: str
    check: Callable[[Any], str | None]
    hint: str
    solution: Any
    explanation: str
    equivalents: tuple[Any, ...]
    wrong: tuple[Wrong, ...]


class Mistake(Exception):  # noqa: N818 - a student's, told as a sentence; nothing has failed
    """What is wrong with an answer; `check` turns it into a verdict."""


class NotAttempted(Exception):  # noqa: N818 - nothing has failed
    """The answer holds `...` where the student's part belongs."""


MARKS = {"right": "✓ right", "wrong": "✗ not yet", "unattempted": "… not attempted"}


@dataclass(frozen=True)
class Verdict:
    """What a checked answer is told; true only where it is right."""

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
    """A text that a notebook shows as Markdown and a terminal as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)
