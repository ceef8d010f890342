"""Checked arguments: each error says which argument, what was expected and what came."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

Shape = tuple[int | str, ...]


def array(name: str, value: ArrayLike, *shapes: Shape) -> np.ndarray:
    """Return `value` as a float64 array of finite numbers, of one of `shapes` where any is given.

    Args:
        name: The argument's name, for the error.
        value: Numbers, of any real dtype.
        shapes: The allowed shapes: an integer must be met, a name (`"m"`) stands for any size.

    Raises:
        ValueError: not numbers, empty, NaN or infinite, or of another shape.
    """
    try:
        given = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected rows of equal length, got {value!r}") from None
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got {value!r}")
    if given.size == 0:
        raise ValueError(f"{name}: expected at least one number, got shape {given.shape}")
    if shapes and not any(_fits(given.shape, shape) for shape in shapes):
        expected = " or ".join(_words(shape) for shape in shapes)
        raise ValueError(f"{name}: expected shape {expected}, got {given.shape}")
    result = given.astype(np.float64, copy=False)
    finite = np.isfinite(result)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f" at position {place}" if place else ""
        raise ValueError(f"{name}: expected finite numbers, got {result[place]}{where}")
    return result


def probabilities(name: str, value: ArrayLike, *shapes: Shape) -> np.ndarray:
    """Return `value` as `array` does where all of it lies from 0 to 1."""
    result = array(name, value, *shapes)
    if result.min() < 0 or result.max() > 1:
        came = f"{result.min():g} to {result.max():g}"
        raise ValueError(f"{name}: expected probabilities from 0 to 1, got {came}")
    return result


def scalar(name: str, value: float, low: float = -np.inf, high: float = np.inf) -> float:
    """Return `value` as a float between `low` and `high`, both included."""
    result = float(array(name, value, ()))
    if not low <= result <= high:
        bounds = f"from {low:g} to {high:g}" if high < np.inf else f"of at least {low:g}"
        raise ValueError(f"{name}: expected a number {bounds}, got {value!r}")
    return result


def integer(name: str, value: int, low: int) -> int:
    """Return `value` as an integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ValueError(f"{name}: expected an integer of at least {low}, got {value!r}")
    return int(value)


def choice(name: str, value: str, known: Iterable[str]) -> str:
    """Return `value` where it is one of `known`."""
    if value not in (words := list(known)):
        raise ValueError(f"{name}: expected one of {', '.join(words)}, got {value!r}")
    return value


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        isinstance(wanted, str) or size == wanted
        for size, wanted in zip(shape, expected, strict=True)
    )


def _words(shape: Shape) -> str:
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
