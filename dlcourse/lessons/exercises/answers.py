"""Tools for all checkers: read an answer, compare it, run a student's function.

An answer that cannot be read raises `Mistake` with a sentence for the student, so a checker needs
no `try`.
"""

import copy
import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np

from dlcourse.errors import one_line
from dlcourse.lessons.exercises.exercise import UNATTEMPTED, Mistake, NotAttempted, Wrong

ROUNDED = 5e-3
"""Relative tolerance for a number computed by hand: the rounding error of three digits."""
COMPUTED = 1e-5
"""Relative tolerance for a number computed by code: float32 has about seven digits."""
NEAR = 3e-2  # tolerance of one or two correct digits
LARGEST = 1_000_000  # most entries of an answer; more can only be an accident
_NO_NUMBERS = {
    "b": "Numbers are expected, not True and False: multiply by 1.0.",
    "U": "There is a text among the numbers.",
}
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?%?")


def as_float(answer: Any) -> float:
    """Return the answer as a float: a real number, an array or list of one number, or text.

    Text may be `"3,072"`, `"1/3"`, `"−2"`, `"85 %"`.

    Raises:
        Mistake: The answer is not a single finite number.
    """
    value = _from_text(answer) if isinstance(answer, str) else answer
    if not isinstance(value, Real):
        array = numbers(value)
        if array.size != 1:
            comma = " In Python a comma parts two numbers." if isinstance(value, tuple) else ""
            raise Mistake(f"One number is expected, not {array.size} (shape {array.shape}).{comma}")
        value = array.item()
    if isinstance(value, bool | np.bool_):
        raise Mistake(f"A number is expected, not {value}.")
    try:
        value = float(value)
    except OverflowError:
        raise Mistake("This number is too large to be checked.") from None
    if not np.isfinite(value):
        raise Mistake(f"A finite number is expected, not {value}.")
    return value


def numbers(answer: Any, *shape: int) -> np.ndarray:
    """Return the answer as a new float64 array, of `shape` if it is given.

    Raises:
        Mistake: The answer is not numeric, not finite, empty or of another shape.
    """
    if hasattr(answer, "__len__") and not isinstance(answer, str | dict | set):
        if (size := _size(answer)) > LARGEST:
            raise Mistake(f"{size:,} entries are more than this exercise can need.")
        try:
            array = np.asarray(answer)
        except ValueError:
            raise Mistake("The rows of an array must have equal length.") from None
    elif isinstance(answer, str):
        raise Mistake(f"Numbers are expected, such as [1, 2], not {_kind(answer)}.")
    else:
        array = np.asarray(answer if isinstance(answer, Real) else None)
    if array.size and (message := _NO_NUMBERS.get(array.dtype.kind)):
        raise Mistake(message)
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise Mistake(f"{'Numbers are' if shape else 'A number is'} expected, not {_kind(answer)}.")
    if shape and array.shape != shape:
        raise Mistake(f"The shape must be {shape}, yours is {array.shape}.")
    if not np.isfinite(array).all():
        raise Mistake("Finite numbers are expected: there is a NaN or an infinity among yours.")
    return array.astype(np.float64)


def close(value: Any, right: Any, rtol: float = ROUNDED, atol: float = 1e-9) -> bool:
    """Return whether numbers or arrays have the same shape and agree within `rtol` of `right`.

    `atol` matters where `right` is 0: there a subtraction leaves a rounding error of about 1e-16.
    """
    same_shape = np.shape(value) == np.shape(right)
    return same_shape and bool(np.allclose(value, right, rtol=rtol, atol=atol))


def tried(function: Any, *arguments: Any) -> Any:
    """Return the result of the student's function for copies of the arguments.

    The function may change its arguments in place (`w -= …`) without affecting the checker.

    Raises:
        Mistake: The answer is not a function, or it raises or returns nothing.
        NotAttempted: The function returns `...`.
    """
    if not callable(function):
        raise Mistake(f"A function is expected, not {_kind(function)}.")
    called = ", ".join(shown(argument) for argument in arguments)
    try:
        result = function(*copy.deepcopy(arguments))
    except (Exception, SystemExit) as error:  # a student's code can raise anything
        if isinstance(error, NotAttempted):
            raise
        text = f"Your function raised {type(error).__name__} for ({called}): {one_line(error)}"
        raise Mistake(text) from None
    if result is UNATTEMPTED:
        raise NotAttempted
    if result is None:
        raise Mistake(f"Your function returned nothing for ({called}): is a `return` missing?")
    return result


def number_check(
    right: float, wrong: Sequence[Wrong], otherwise: str, *, rtol: float = ROUNDED
) -> Callable[[Any], str | None]:
    """Return a checker for one number, with a message for each typical wrong number.

    Args:
        right: Correct number. An answer with only one or two of its digits is asked for three.
        wrong: Typical wrong numbers; the nearest one within the tolerance gives the message.
        otherwise: Message for any other number.
        rtol: Relative tolerance, also of the wrong numbers.
    """

    def check(answer: Any) -> str | None:
        value = as_float(answer)
        if close(value, right, rtol):
            return None
        typical = [w for w in wrong if close(value, w.answer, rtol)]
        if typical:
            return min(typical, key=lambda w: abs(value - w.answer)).message
        return _written(answer, value, right, rtol) or otherwise

    return check


def choice_check(right: str, wrong: Sequence[Wrong]) -> Callable[[Any], str | None]:
    """Return a checker for a multiple choice: one correct letter, a message for each other."""
    messages = {right: None, **{w.answer: w.message for w in wrong}}

    def check(answer: Any) -> str | None:
        letter = answer.strip(" .)(").lower() if isinstance(answer, str) else ""
        if letter not in messages:
            letters = ", ".join(f'"{letter}"' for letter in sorted(messages))
            raise Mistake(f"Answer with one letter, {letters}.")
        return messages[letter]

    return check


def shown(value: Any) -> str:
    """Return a value as text for a message, in at most 80 characters."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, threshold=20, edgeitems=2, separator=", ")
    elif callable(value):
        return "a function"  # its repr contains an address, which differs from run to run
    else:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}…"


def _written(answer: Any, value: float, right: float, rtol: float) -> str | None:
    """Return a message if the answer is the correct number in another notation, else None."""
    if right >= 1000 and close(1000 * value, right, rtol):
        return "Write a thousand as 1,000 or 1000: a point starts the decimals."
    if "," in str(answer) and close(value, 1000 * right, rtol):
        return "Write a decimal point: 0.1, not 0,1."
    if rtol == ROUNDED and close(value, right, NEAR):
        return "Nearly: give three digits."
    return None


def _from_text(text: str) -> float | Any:
    plain = text.strip().replace("−", "-").replace("_", "").replace(" ", "")
    if re.fullmatch(r"[+-]?\d+,\d+%?", plain) and not _THOUSANDS.fullmatch(plain):
        raise Mistake("Write a decimal point: 0.1, not 0,1.")
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        if plain.endswith("%"):
            return float(plain[:-1]) / 100
        return float(Fraction(plain))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise Mistake(f"A number is expected, not the text {text[:40]!r}.") from None


def _size(answer: Any) -> int:
    return math.prod(answer.shape) if hasattr(answer, "shape") else len(answer)


def _kind(answer: Any) -> str:
    if isinstance(answer, str):
        return f"the text {answer[:40]!r}"
    if hasattr(answer, "__len__") and _size(answer) == 0:
        return "something empty"
    return "None" if answer is None else f"a value of type {type(answer).__name__}"
