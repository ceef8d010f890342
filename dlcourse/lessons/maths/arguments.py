"""Checked arguments: each error names the argument, what was expected and what was received."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

Shape = tuple[int | str, ...]


def array(name: str, value: ArrayLike, *shapes: Shape) -> np.ndarray:
    """Return `value` as a float64 array of finite numbers with one of `shapes`, if any is given.

    Args:
        name: Name of the argument, for the error.
        value: Numbers of any real dtype.
        shapes: Allowed shapes. An integer is an exact size, a name (`"m"`) any size.

    Raises:
        ValueError: The value is not numeric, is empty, NaN or infinite, or has another shape.
    """
    try:
        values = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected rows of equal length, got {value!r}") from None
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got {value!r}")
    if values.size == 0:
        raise ValueError(f"{name}: expected at least one number, got shape {values.shape}")
    if shapes and not any(_fits(values.shape, shape) for shape in shapes):
        expected = " or ".join(_shape_text(shape) for shape in shapes)
        raise ValueError(f"{name}: expected shape {expected}, got {values.shape}")
    result = values.astype(np.float64, copy=False)
    finite = np.isfinite(result)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f" at position {place}" if place else ""
        raise ValueError(f"{name}: expected finite numbers, got {result[place]}{where}")
    return result


def probabilities(name: str, value: ArrayLike, *shapes: Shape) -> np.ndarray:
    """Return `value` as `array` does; raise if it is not between 0 and 1 everywhere."""
    result = array(name, value, *shapes)
    if result.min() < 0 or result.max() > 1:
        limits = f"{result.min():g} to {result.max():g}"
        raise ValueError(f"{name}: expected probabilities from 0 to 1, got {limits}")
    return result


def scalar(name: str, value: float, low: float = -np.inf, high: float = np.inf) -> float:
    """Return `value` as a float; raise if it is not between `low` and `high`, both included."""
    result = float(array(name, value, ()))
    if not low <= result <= high:
        bounds = f"from {low:g} to {high:g}" if high < np.inf else f"of at least {low:g}"
        raise ValueError(f"{name}: expected a number {bounds}, got {value!r}")
    return result


def integer(name: str, value: int, low: int) -> int:
    """Return `value` as an integer; raise if it is less than `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ValueError(f"{name}: expected an integer of at least {low}, got {value!r}")
    return int(value)


def choice(name: str, value: str, known: Iterable[str]) -> str:
    """Return `value`; raise if it is not one of `known`."""
    if value not in (words := list(known)):
        raise ValueError(f"{name}: expected one of {', '.join(words)}, got {value!r}")
    return value


def rows(values: np.ndarray) -> np.ndarray:
    """Return (…, n) as rows (m, n), for a sum over batch and time."""
    return values.reshape(-1, values.shape[-1])


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        isinstance(wanted, str) or size == wanted
        for size, wanted in zip(shape, expected, strict=True)
    )


def _shape_text(shape: Shape) -> str:
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
