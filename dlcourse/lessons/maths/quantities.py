"""The records of a worked example: the call that computes it, its numbers, and the example."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dlcourse.lessons.maths.steps import Step, show

NUMBER = re.compile(r"−?\d*\.?\d+")


@dataclass(frozen=True)
class Call:
    """A function of `lessons.maths` with its arguments: `result` calls it, `str()` shows it."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    @cached_property
    def result(self) -> Any:
        """The function's result."""
        return self.function(**self.arguments)

    def __str__(self) -> str:
        shown = (f"{name}={_word(value)}" for name, value in self.arguments.items())
        module = self.function.__module__.rpartition(".")[2]
        return f"{module}.{self.function.__name__}({', '.join(shown)})"


def call(function: Callable[..., Any], /, **arguments: Any) -> Call:
    """Return a `Call`."""
    return Call(function, arguments)


class Measured(NamedTuple):
    """A number that was measured by a command instead of computed here, with its range."""

    result: float
    range: str
    command: str

    def __str__(self) -> str:
        return self.command


class Quantity(NamedTuple):
    """One number of an example: what the slide says, the correct value, and its call.

    `says` is empty if the slide says nothing. `part` selects from the call's result: `new_w.0` is
    `result.new_w[0]`, and an empty part the whole result. `slide` holds the slide's numbers if
    `says` contains words too. `misstated` marks wrong words.
    """

    call: Call | Measured
    name: str
    says: str
    right: Any
    part: str = ""
    slide: str = ""
    misstated: bool = False

    def computed(self) -> Any:
        """Return the call's result, or its part."""
        result: Any = self.call.result
        for part in self.part.split(".") if self.part else ():
            result = result[int(part)] if part.isdigit() else getattr(result, part)
        return result

    def shown(self) -> str:
        """Return the computed value as text; a measured value is marked as such."""
        if isinstance(self.call, Measured):
            return f"measured: {show(self.computed())} % ({self.call.range})"
        return show(self.computed())

    @property
    def numbers(self) -> list[str]:
        """The slide's numbers, as it writes them."""
        only_numbers = not re.sub(r"[−\d.,… ]", "", self.says)
        return NUMBER.findall(self.slide or self.says * only_numbers)

    @property
    def verdict(self) -> str:
        """`agrees` if the slide's numbers are the computed values rounded to its digits, `slip` if
        a number or its words are wrong, empty if the slide has no number."""
        if self.misstated or not all(self._agree()):
            return "slip"
        return "agrees" if self.numbers else ""

    def _agree(self) -> list[bool]:
        words = [word.replace("−", "-") for word in self.numbers]
        values = np.ravel(self.computed()) if words else []
        if "…" in self.says:  # the slide shows only the first values
            values = values[: len(words)]
        digits = [len(word.partition(".")[2]) for word in words]
        return [len(values) == len(words)] + [
            abs(float(value) - float(word)) <= (0.5 * 10.0**-k if k else 1e-6)
            for value, word, k in zip(values, words, digits, strict=False)
        ]


def of(call: Call | Measured, *rows: tuple[Any, ...]) -> tuple[Quantity, ...]:
    """Return a `Quantity` for each row (name, says, right, part, slide, misstated) of one call."""
    return tuple(Quantity(call, *row) for row in rows)


class Example(NamedTuple):
    """A worked example of the slides; `deck.name` is its id."""

    id: str
    title: str
    quantities: tuple[Quantity, ...]
    note: str = ""
    walkthrough: Call | None = None

    @property
    def deck(self) -> str:
        """The slide deck: S0 … S4."""
        return self.id.partition(".")[0]

    @property
    def slip(self) -> bool:
        """Whether a number of the slide, or what it says of one, is wrong."""
        return any(quantity.verdict == "slip" for quantity in self.quantities)

    def steps(self) -> list[Step]:
        """Return the calculation step by step; without a walkthrough, each call and its value."""
        if self.walkthrough:
            return self.walkthrough.result
        return [Step(q.name, str(q.call), "", q.shown()) for q in self.quantities]


def _word(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    return getattr(value, "__name__", None) or repr(value)
