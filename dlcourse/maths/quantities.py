"""The records of a worked example: the call that computes it, its numbers, and the whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlcourse.maths.steps import Step


@dataclass(frozen=True)
class Call:
    """A function of `dlcourse.maths` with its arguments: `run()` calls it, `str()` shows it."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def run(self) -> Any:
        """Return the function's result."""
        return self.function(**self.arguments)

    def __str__(self) -> str:
        shown = (f"{name}={_word(value)}" for name, value in self.arguments.items())
        module = self.function.__module__.rpartition(".")[2]
        return f"{module}.{self.function.__name__}({', '.join(shown)})"


def call(function: Callable[..., Any], /, **arguments: Any) -> Call:
    """Return a `Call`."""
    return Call(function, arguments)


class Quantity(NamedTuple):
    """One number of an example: what the slide says (empty: nothing), what is right, and its call.

    `part` picks from the call's result: `new_w.0` is `result.new_w[0]`; empty, the whole.
    """

    call: Call | None
    name: str
    says: str
    right: Any
    part: str = ""
    slip: bool = False

    def computed(self) -> Any:
        """Return the call's result; `right` where it was measured and is not computed."""
        result = self.right if self.call is None else self.call.run()
        for part in self.part.split(".") if self.part else ():
            result = result[int(part)] if part.isdigit() else getattr(result, part)
        return result


def of(call: Call | None, *rows: tuple[Any, ...]) -> tuple[Quantity, ...]:
    """Return a `Quantity` for each row (name, says, right, part, slip) of one call."""
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
        """Whether a number of the slide is wrong."""
        return any(quantity.slip for quantity in self.quantities)

    def steps(self) -> list[Step]:
        """Return the calculation step by step; without a walkthrough, each call and its value."""
        if self.walkthrough:
            return self.walkthrough.run()
        return [Step(q.name, str(q.call or "measured"), "", q.computed()) for q in self.quantities]


def _word(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    return getattr(value, "__name__", None) or repr(value)
