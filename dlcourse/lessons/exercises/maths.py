"""Exercises of notebook 01: a determinant, a slope from two values, an eigenvector."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Wrong

_AREAS = (
    Wrong(14, "This is a·d + b·c; the second product is subtracted."),
    Wrong(-10, "The order of the two products is turned round: a·d comes first."),
    Wrong(12, "This is a·d alone; what is still to be subtracted?"),
    Wrong(-2, "Multiply along the diagonals, 3 with 4 and 1 with 2, not along the columns."),
)

# Function, point and slope there; the last function is not in the notebook.
_SLOPES: tuple[tuple[str, Callable[[Any], Any], float, float], ...] = (
    ("x²", np.square, 3.0, 6.0),
    ("sin x", np.sin, 1.0, np.cos(1.0)),
    ("eˣ", np.exp, 2.0, np.exp(2.0)),
)


def slope(f, x):
    h = 1e-5
    return (f(x + h) - f(x - h)) / (2 * h)


def _forward(f: Callable[[Any], Any], x: float) -> float:
    return (f(x + 1e-6) - f(x)) / 1e-6


def _check_slope(answer: Any) -> str | None:
    for name, f, x, right in _SLOPES:
        got = as_float(tried(answer, f, x))
        text = f"For {name} at x = {x:g} yours gives {got:.6g}."
        if close(got, right, rtol=1e-3):  # three digits are asked for
            continue
        if close(got, 2 * right, rtol=1e-3):
            return f"Twice the slope: the two points lie 2h apart. {text}"
        if close(got, right / 2, rtol=1e-3):
            return f"Half the slope: these two points lie h apart, not 2h. {text}"
        if close(got, -right, rtol=1e-3):
            return f"The sign is turned: f(right) − f(left). {text}"
        if got == 0:
            return f"The two values are equal: the step is too small for the computer. {text}"
        if abs(got) < 0.1 * abs(right):
            return (
                "A change is not yet a slope: divide it by the distance of the points, in "
                f"brackets (`/2*h` divides by 2 and multiplies by h). {text}"
            )
        if abs(got) > 5 * abs(right):
            return f"Far off: subtract first, in brackets, then divide. {text}"
        return (
            "Not yet right to three digits: the step is too large, or too small for the computer. "
            f"Try 1e-5. {text}"
        )
    return None


def _check_eigenvector(answer: Any) -> str | None:
    v = numbers(answer, 2)
    image = np.array([[2.0, 1.0], [1.0, 2.0]]) @ v
    text = f"The matrix makes {shown(image)} of {shown(v)}"
    if not v.any():
        return "Every matrix keeps the zero vector: it has no direction and does not count."
    if close(image, 3 * v):
        return None
    if close(image, v):
        return f"{text}: it is stretched by 1, so it belongs to the other eigenvalue."
    return f"{text}, which points another way: it is turned."


EXERCISES = (
    Exercise(
        question=(
            "By which factor, with its sign, does the matrix [[3, 1], [2, 4]] change areas? "
            "Work it out by hand."
        ),
        check=number_check(
            10, _AREAS, "The determinant of [[a, b], [c, d]] is asked for.", rtol=COMPUTED
        ),
        hint="The determinant is a·d − b·c.",
        solution=10,
        explanation="3 · 4 − 1 · 2 = 10. It is above 0, so the square is not turned over.",
        equivalents=("10", 10.0, np.array([10.0]), np.float32(10)),
        wrong=_AREAS,
    ),
    Exercise(
        question=(
            "Write a function `answer(f, x)` that returns the slope of `f` at `x`, right to three "
            "digits, from two values of `f`."
        ),
        check=_check_slope,
        hint="Go a little to the right and a little to the left: how much does f change, and on "
        "which distance?",
        solution=slope,
        explanation="The central difference (f(x + h) − f(x − h)) / 2h. Its error shrinks with h².",
        equivalents=(_forward, lambda f, x: np.float64(slope(f, x)), lambda f, x: [slope(f, x)]),
        wrong=(
            Wrong(lambda f, x: (f(x + 1e-5) - f(x - 1e-5)) / 1e-5, "Twice the slope"),
            Wrong(lambda f, x: (f(x + 1e-6) - f(x)) / 2e-6, "Half the slope"),
            Wrong(lambda f, x: (f(x - 1e-5) - f(x + 1e-5)) / 2e-5, "The sign is turned"),
            Wrong(lambda f, x: (f(x + 1e-20) - f(x)) / 1e-20, "The two values are equal"),
            Wrong(lambda f, x: f(x + 1e-5) - f(x - 1e-5), "A change is not yet a slope"),
            Wrong(lambda f, x: f(x + 1e-5) - f(x - 1e-5) / 2e-5, "Far off"),
            Wrong(lambda f, x: f(x + 1) - f(x), "Not yet right to three digits"),
            Wrong(lambda: 6.0, "Your function raised TypeError"),
        ),
    ),
    Exercise(
        question=(
            "Which vector does the matrix [[2, 1], [1, 2]] make three times as long without "
            "turning it? Give any such vector, as a list of two numbers."
        ),
        check=_check_eigenvector,
        hint="Solve 2·x₁ + x₂ = 3·x₁. How do x₁ and x₂ compare?",
        solution=[1, 1],
        explanation=(
            "2·x₁ + x₂ = 3·x₁ gives x₂ = x₁: (1, 1) and every multiple of it. The other eigenvalue "
            "is 1, with (1, −1)."
        ),
        equivalents=(
            (1, 1),
            [-2.0, -2.0],
            np.array([3, 3]),
            np.array([0.7071068] * 2, dtype="float32"),
        ),
        wrong=(
            Wrong([1, -1], "The matrix makes [ 1., -1.] of [ 1., -1.]: it is stretched by 1"),
            Wrong([0, 0], "Every matrix keeps the zero vector"),
            Wrong([2, 1], "The matrix makes [5., 4.] of [2., 1.], which points another way"),
            Wrong(3, "The shape must be (2,)"),
        ),
    ),
)
