"""The settings of the methods, checked: a number of the right kind, or one line that says so."""

import math
from numbers import Integral, Real
from typing import Any

from dlcourse.errors import UserError


def whole_number(method: str, name: str, value: Any, least: int = 1) -> int:
    """Return `value`, a whole number that is not below `least`.

    Raises:
        UserError: It is something else (`True` and 2.0 too).
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise UserError(f"{method}: {name} is a whole number, {least} or more; got {shown(value)}")
    return int(value)


def number(method: str, name: str, value: Any, least: float = -math.inf) -> float:
    """Return `value`, a finite number that is not below `least`.

    Raises:
        UserError: It is something else.
    """
    usable = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or value < least:
        bound = "" if least == -math.inf else f", {least:g} or more"
        raise UserError(f"{method}: {name} is a number{bound}; got {shown(value)}")
    return float(value)


def shown(value: Any) -> str:
    """Return the first line of how Python writes the value, shortened."""
    line = repr(value).split("\n")[0]
    return line if len(line) <= 60 else f"{line[:57]}..."
