"""The steps of a calculation, and their text."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np


class Step(NamedTuple):
    """`symbol = formula = numbers = value`, without empty parts; a remark has only a symbol."""

    symbol: str
    formula: str = ""
    numbers: str = ""
    value: Any = ""


def render(steps: Sequence[Step]) -> str:
    """Return the steps as text: the symbol once, then formula, numbers and value line by line."""
    blocks = []
    for step in steps:
        parts = [part for part in (step.formula, step.numbers, show(step.value)) if part]
        distinct = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
        indent = " " * len(step.symbol)
        lines = [f"{step.symbol if i == 0 else indent} = {p}" for i, p in enumerate(distinct)]
        for line in lines or [step.symbol]:
            blocks += wrap(line, 100, subsequent_indent=indent + "     ", break_on_hyphens=False)
    return "\n".join(blocks)


def show(value: Any, digits: int = 10) -> str:
    """Return a number or an array as text, with `digits` digits and a true minus sign."""
    if isinstance(value, str):
        return value
    values = np.asarray(value)
    if values.ndim:
        inner = ", ".join(show(part, digits) for part in values)
        return f"({inner})" if values.ndim == 1 else f"[{inner}]"
    if values.dtype.kind in "iu":
        return f"{int(values):,}".replace("-", "−")
    return f"{values[()] + 0.0:.{digits}g}".replace("-", "−")  # + 0.0 makes −0 a 0


def term(value: Any, digits: int = 10) -> str:
    """Return a number as text for a sum or product: (−2) in brackets."""
    text = show(value, digits)
    return f"({text})" if text.startswith("−") else text


def products(first: np.ndarray, second: np.ndarray, limit: int = 9, digits: int = 10) -> str:
    """Return `u1·v1 + u2·v2 + …` with the numbers, up to `limit` of them."""
    terms = [
        f"{term(u, digits)}·{term(v, digits)}"
        for u, v in zip(first[:limit], second[:limit], strict=True)
    ]
    return " + ".join(terms + ["…"] * (len(first) > limit))


def cross_entropy_text(a: str, y: str) -> str:
    """Return the binary cross-entropy of one example, with symbols or with numbers."""
    return f"−({y}·log {a} + (1 − {y})·log(1 − {a}))"
