"""Exercises of notebook 02: two steps by hand, the loop, a learning rate judged by its steps."""

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
from dlcourse.lessons.maths.calculus import gradient_descent

_TWO_STEPS = (
    Wrong(3, "This is after one step; the slope is another one now."),
    Wrong(0.75, "This is after three steps."),
    Wrong(5.5, "Two steps of 0.25: but a step is the learning rate times the slope."),
    Wrong(13.5, "The step went uphill: the slope is subtracted."),
    Wrong(2.25, "This is the height y; where is x?"),
    Wrong(3.375, "The slope of x² is 2x, not x."),
)

Gradient = Callable[[Any], Any]


def descend(gradient, x, learning_rate, steps):
    for _ in range(steps):
        x = x - learning_rate * gradient(x)
    return x


def _recursive(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    if steps == 0:
        return x
    return _recursive(gradient, x - learning_rate * gradient(x), learning_rate, steps - 1)


def _uphill(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, -learning_rate, steps)


def _one_step(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    del steps
    return descend(gradient, x, learning_rate, 1)


def _full_steps(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    del learning_rate
    return descend(gradient, x, 1.0, steps)


def _old_slope(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return x - steps * learning_rate * gradient(x)


_TYPICAL = (
    (_uphill, "This went uphill: subtract the gradient."),
    (_one_step, "This is after one step: repeat it."),
    (_full_steps, "The gradient is multiplied by the learning rate."),
    (_old_slope, "The gradient changes with x: compute it anew in each step."),
)

# Gradient, start, learning rate and number of steps; the last start is a point of two numbers.
_DESCENTS: tuple[tuple[str, Gradient, Any, float, int], ...] = (
    ("2x from 6", lambda x: 2 * x, 6.0, 0.1, 3),
    ("(2x₁, 8x₂) from (1, 2)", lambda x: np.array([2.0, 8.0]) * x, np.array([1.0, 2.0]), 0.05, 4),
)


def _check_descent(answer: Any) -> str | None:
    for name, gradient, start, rate, steps in _DESCENTS:
        got = numbers(tried(answer, gradient, start, rate, steps))
        if np.ndim(start) == 0 and got.size == 1:
            got = got.reshape(())
        if close(got, descend(gradient, start, rate, steps), rtol=COMPUTED):
            continue
        if got.shape == (steps + 1, *np.shape(start)):
            return "These are all the points; only the last is asked for."
        for function, message in _TYPICAL:
            if close(got, function(gradient, start, rate, steps), rtol=COMPUTED):
                return f"{message} {_told(name, rate, steps, got)}"
        return f"Not yet where descent is. {_told(name, rate, steps, got)}"
    return None


def _told(name: str, rate: float, steps: int, got: np.ndarray) -> str:
    return f"For gradient {name}, learning rate {rate:g}, {steps} steps yours gives {shown(got)}."


def _check_rate(answer: Any) -> str | None:
    rate = as_float(answer)
    if abs(rate) > 1e6:
        return "So large a learning rate throws x out of sight at the first step."
    trace = gradient_descent(lambda x: 10 * x, 1.0, abs(rate), 10)
    last, turns = float(trace[-1]), trace[1] < 0
    if rate <= 0:
        return "A learning rate is above 0: with 0 nothing moves, below 0 it climbs."
    if abs(last) <= 1e-3:
        return None
    text = f"after ten steps x = {last:.7g}."
    if abs(last) > 1.000001:
        return f"It diverges: {text}"
    if abs(last) > 0.999999:
        return f"It bounces from side to side for ever: {text}"
    return f"It jumps over the minimum and back: {text}" if turns else f"It is too slow: {text}"


EXERCISES = (
    Exercise(
        question=(
            "Descent on $y = x^2$ starts at $x = 6$ with learning rate 0.25. Where is $x$ after "
            "two steps?"
        ),
        check=number_check(1.5, _TWO_STEPS, "Compute the slope 2x, then x − 0.25 · slope; twice."),
        hint="The slope at 6 is 12. Where does the first step lead?",
        solution=1.5,
        explanation="6 − 0.25 · 12 = 3, then 3 − 0.25 · 6 = 1.5: each step halves x.",
        equivalents=("1.5", "3/2", [1.5], np.float32(1.5)),
        wrong=_TWO_STEPS,
    ),
    Exercise(
        question=(
            "Write a function `answer(gradient, x, learning_rate, steps)` that returns where "
            "gradient descent is after so many steps from `x`. `gradient` is a function of a point."
        ),
        check=_check_descent,
        hint="A loop over the steps, and in it the one line of the formula.",
        solution=descend,
        explanation="x ← x − learning_rate · gradient(x), with the gradient at the new x.",
        equivalents=(
            _recursive,
            lambda gradient, x, h, n: gradient_descent(gradient, x, h, n)[-1],
            lambda gradient, x, h, n: np.float32(descend(gradient, x, h, n)),
        ),
        wrong=(
            *(Wrong(function, message) for function, message in _TYPICAL),
            Wrong(lambda gradient, x, h, n: gradient_descent(gradient, x, h, n), "These are all"),
            Wrong(lambda gradient, x, h, n: gradient(x) * h * n, "Not yet where descent is."),
        ),
    ),
    Exercise(
        question=(
            "Choose a learning rate with which descent on $y = 5x^2$ comes from $x = 1$ to a "
            "distance of at most 0.001 from the minimum in ten steps."
        ),
        check=_check_rate,
        hint="The slope is 10x: each step multiplies x by 1 − 10h. How small must that factor be?",
        solution=0.1,
        explanation=(
            "|1 − 10h| ≤ 0.5 is enough, because 0.5¹⁰ is a little below 0.001: from 0.05 to 0.15. "
            "With h = 0.1 the first step ends at the minimum."
        ),
        equivalents=(0.05, 0.15, 0.07, "0.1", "1/10", [0.12], np.float32(0.1)),
        wrong=(
            Wrong(0.01, "It is too slow"),
            Wrong(0.19, "It jumps over the minimum and back"),
            Wrong(0.2, "It bounces from side to side for ever"),
            Wrong(0.5, "It diverges"),
            Wrong(-0.1, "A learning rate is above 0"),
            Wrong(1e300, "So large a learning rate"),
        ),
    ),
)
