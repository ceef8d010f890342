"""Tools for all checkers: read an answer, compare it, run a student's function.

An answer that cannot be read raises `Mistake` with a sentence for the student, so a checker needs
no `try`.
"""

import copy
import dis
import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
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
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?%?")
# A number and its unit: "7 s", "64 features", "0.5 m/s²"; a power of ten is not a unit.
_UNIT = re.compile(r"(?i)([+-]?[\d.,/]*\d[\d.,/]*)([a-zµ][a-zµ./²³*^-]*)")
_POWERS = re.compile(r"(?i)e|k|m|thousand|million|billion|hundred|dozen|half|thirds?|percent")
_OPTION = re.compile(r"\(([a-z])\) (.+?)(?=[.;,]?\s+(?:or )?\([a-z]\) |\Z)", re.DOTALL)


def as_float(answer: Any) -> float:
    """Return the answer as a float: a real number, an array or list of one number, or text.

    Text may be `"3,072"`, `"1/3"`, `"−2"`, `"85 %"`, `"7 s"`, `"x = 7"`.

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

    True and False count as 1 and 0. Axes of length 1 that `shape` has not are left out: a column
    is taken for (n,), and a map (2, 2, 1) for (2, 2).

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
    if array.size and array.dtype.kind == "U":
        raise Mistake("There is a text among the numbers.")
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise Mistake(f"{'Numbers are' if shape else 'A number is'} expected, not {_kind(answer)}.")
    if shape:
        array = shaped(array, shape)
        if array.shape != shape:
            raise Mistake(f"The shape must be {shape}, yours is {array.shape}.")
    if not np.isfinite(array).all():
        raise Mistake("Finite numbers are expected: there is a NaN or an infinity among yours.")
    return array.astype(np.float64)


def shaped(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array without the axes of length 1 that `shape` has not, else as it is."""
    extra = array.ndim > len(shape) and array.squeeze().shape == tuple(n for n in shape if n != 1)
    return array.reshape(shape) if extra else array


def unordered(answer: Any) -> list[float]:
    """Return several numbers in rising order, from a set, a list, an array or a text "3, -2".

    Raises:
        Mistake: The answer is not a collection of finite numbers.
    """
    if isinstance(answer, str):
        answer = [
            as_float(part) for part in re.split(r"\s*(?:;|,\s| and )\s*", answer.strip(" {}[]()"))
        ]
    if isinstance(answer, set | frozenset):
        answer = [as_float(part) for part in answer]
    return sorted(numbers(answer).ravel().tolist())


def as_truth(answer: Any) -> bool:
    """Return True or False from a bool, 1, 0 or a word such as "true", "no".

    Raises:
        Mistake: The answer is none of them.
    """
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    word = str(answer).strip(" .").lower() if isinstance(answer, str | Real | np.bool_) else ""
    word = word.removesuffix(".0")
    if word not in words:
        raise Mistake(f"True or False is expected, not {shown(answer)}.")
    return words[word]


def as_word(answer: Any, words: Sequence[str]) -> str:
    """Return the one of `words` that is meant: "overfit", "Over-fitting." for "over-fitting".

    Hyphens, blanks, capitals and endings do not matter.

    Raises:
        Mistake: The answer is none of the words, or could be several.
    """
    said = _plain(answer) if isinstance(answer, str) else ""
    meant = [w for w in words if said and _alike(said, _plain(w))]
    exact = [w for w in words if said == _plain(w)]
    if len(exact or meant) != 1:
        known = ", ".join(f'"{word}"' for word in words)
        raise Mistake(f"One of {known} is expected, not {shown(answer)}.")
    return (exact or meant)[0]


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _alike(said: str, word: str) -> bool:
    """Return whether one begins with the other, or both with the same six letters or more."""
    least = min(len(said), len(word))
    same = next((k for k in range(least) if said[k] != word[k]), least)
    return same >= 6 or (same == least >= 4)


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
    if is_empty(function):
        raise NotAttempted
    called = ", ".join(shown(argument) for argument in arguments)
    try:
        result = function(*copy.deepcopy(arguments))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a student's code can raise anything
        if isinstance(error, NotAttempted) or is_open(function):
            raise NotAttempted from None
        text = f"Your function raised {type(error).__name__} for ({called})"
        raise Mistake(f"{text}: {_in_words(error)}") from None
    parts = result if isinstance(result, tuple | list) else [result]
    if any(part is UNATTEMPTED for part in parts):
        raise NotAttempted
    if result is None:
        raise Mistake(f"Your function returned nothing for ({called}): is a `return` missing?")
    return result


def is_empty(function: Any) -> bool:
    """Return whether a function's body is nothing but `pass`, `...` or a docstring."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    skipped = {"RESUME", "NOP", "POP_TOP", "COPY_FREE_VARS", "MAKE_CELL"}
    steps = [step for step in dis.get_instructions(code) if step.opname not in skipped]
    returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    names = {"LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    # A lambda that returns None was written to do so.
    return (
        code.co_name != "<lambda>"
        and {step.opname for step in steps} <= names
        and returned == [None]
    )


def is_open(function: Any) -> bool:
    """Return whether a `...` of the skeleton is still in a function, other than in an index."""
    if not hasattr(function, "__code__"):
        return False
    steps = [step for step in dis.get_instructions(function) if step.opname != "NOP"]
    return any(
        step.opname == "LOAD_CONST" and step.argval is ... and "SUBSCR" not in after.opname
        for step, after in pairwise(steps)
    )


def _in_words(error: BaseException) -> str:
    """Return what a student's function raised, with NumPy's texts about shapes in plain words."""
    text = one_line(error)
    if sizes := re.search(r"broadcast together with .*?(\(.*?\)) (\(.*?\))", text):
        return f"arrays of shapes {sizes[1]} and {sizes[2]} do not fit number by number."
    if sizes := re.search(r"\(size (\d+) is different from (\d+)\)", text):
        return f"in a matrix product the inner sizes must be equal: here {sizes[2]} and {sizes[1]}."
    if sizes := re.search(r"shapes (\(.*?\)) and (\(.*?\)) not aligned", text):
        return f"a matrix product of shapes {sizes[1]} and {sizes[2]}: the inner sizes differ."
    if sizes := re.search(r"reshape array of size (\d+) into shape (\(.*?\))", text):
        return f"{sizes[1]} numbers do not fit into the shape {sizes[2]}."
    if kind := re.search(r"'(\w+)' object cannot be interpreted as an integer", text):
        tip = {"float": ": divide with `//`", "list": ": a tuple has round brackets"}
        return f"a whole number is needed where yours is a {kind[1]}{tip.get(kind[1], '')}."
    if "setting an array element with a sequence" in text:
        return "one place of an array takes one number, and yours gets several: add them up?"
    if "0-dimensional" in text or "size-1 arrays" in text or "__round__" in text:
        return "`float`, `round` and the functions of `math` take one number; NumPy's take arrays."
    if "only integer scalar arrays" in text:
        return "an array stands where NumPy takes one whole number, such as an axis."
    if "truth value of an array" in text:
        return "a condition with `if`, `and` or `or` takes one number: for an array use `np.where`."
    module = getattr(type(error), "__module__", "")
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    inside = where.tb_frame.f_globals.get("__name__", "") if where else ""
    if (module + inside).startswith(("numpy", "tensorflow", "keras")) or "ufunc" in text:
        return "run it on an example of your own and print the shapes, step by step."
    return text


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


def choice_check(
    right: str, wrong: Sequence[Wrong], question: str = ""
) -> Callable[[Any], str | None]:
    """Return a checker for a multiple choice: one correct letter, a message for each other.

    Args:
        right: Correct letter.
        wrong: Every other letter, with its message.
        question: Question with its options, "(a) … (b) …": their words count as well as the letter.
    """
    messages = {right: None, **{w.answer: w.message for w in wrong}}
    options = {letter: _plain(words) for letter, words in _OPTION.findall(question)}

    def check(answer: Any) -> str | None:
        if isinstance(answer, np.ndarray):
            answer = answer.tolist()
        if isinstance(answer, set | frozenset | list | tuple) and len(answer) == 1:
            (answer,) = answer
        if not isinstance(answer, str) or (letter := _letter(answer, options)) not in messages:
            letters = ", ".join(f'"{letter}"' for letter in sorted(messages))
            raise Mistake(f"Answer with one letter, {letters}.")
        return messages[letter]

    return check


def _letter(answer: str, options: Mapping[str, str]) -> str:
    """Return the letter that an answer names: "c", "(c)", "c: …", or the words of the option."""
    text = re.sub(r"\A(?:answer|option)\s+", "", answer.strip().lower())
    if found := re.match(r"\(?([a-z])(?:[).:]|\Z)", text):
        return found[1]
    said = _plain(text)
    meant = [letter for letter, words in options.items() if len(said) >= 3 and said in words]
    if not meant and re.match(r"[a-z] ", text):
        return text[0] if _plain(text[2:]) in options.get(text[0], "") else ""
    return meant[0] if len(meant) == 1 else ""


def shown(value: Any) -> str:
    """Return a value as text for a message, in at most 80 characters."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, threshold=20, edgeitems=2, separator=", ")
    elif callable(value):
        return "a function"  # its repr contains an address, which differs from run to run
    elif isinstance(value, np.random.Generator):
        return "a generator"  # so does this one
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
    plain = text.rpartition("=")[2]  # "x = 7"
    plain = plain.strip().replace("−", "-").replace("_", "").replace(" ", "")
    unit = _UNIT.fullmatch(plain)
    if unit and not _POWERS.fullmatch(unit[2]):
        plain = unit[1]
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
