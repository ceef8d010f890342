"""Derivatives by difference quotients, and gradient descent with its full trace."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array, choice, integer, scalar

DESCENT_CASES: dict[str, float] = {
    "converges": 0.1,  # 6, 4.8, 3.84, 3.072, …: 6·0.8ᵏ
    "oscillates": 0.9,  # 6, −4.8, 3.84, …: alternates in sign and shrinks
    "bounces": 1.0,  # 6, −6, 6, …: alternates for ever
    "diverges": 1.1,  # 6, −7.2, 8.64, …: moves farther away at each step
}
"""Behaviours of gradient descent on y = x² from x = 6, by learning rate: x_k = 6·(1 − 2h)ᵏ."""


def numeric_derivative(
    f: Callable[[float], Any], x: float, *, step: float = 1e-5, method: str = "central"
) -> float:
    """Return a difference quotient of `f` at `x`, an approximation of f′(x).

    Args:
        f: Function of one number.
        x: Point at which to differentiate.
        step: Step h, above 0.
        method: `forward`, (f(x + h) − f(x))/h with an error proportional to h, or `central`,
            (f(x + h) − f(x − h))/2h with an error proportional to h².
    """
    x, step = scalar("x", x), _step(step)
    if choice("method", method, ("forward", "central")) == "forward":
        return (_value(f, x + step) - _value(f, x)) / step
    return (_value(f, x + step) - _value(f, x - step)) / (2 * step)


def gradient(f: Callable[[np.ndarray], Any], x: ArrayLike, *, step: float = 1e-5) -> np.ndarray:
    """Return the vector of partial derivatives of the scalar `f` at `x`, by central differences.

    Args:
        f: Function of an array that returns one number.
        x: Point of any shape; the result has the same shape.
        step: Step h, above 0.
    """
    x, step = array("x", x).copy(), _step(step)
    result = np.empty_like(x)
    for place in np.ndindex(x.shape):
        middle = x[place]
        x[place] = middle + step
        above = _value(f, x)
        x[place] = middle - step
        result[place] = (above - _value(f, x)) / (2 * step)
        x[place] = middle
    return result


def gradient_descent(
    gradient: Callable[[Any], ArrayLike],
    start: ArrayLike,
    learning_rate: float,
    steps: int,
    *,
    momentum: float = 0.0,
) -> np.ndarray:
    """Return every point of x ← x − learning_rate·gradient(x), the start included.

    Args:
        gradient: Function of a point that returns the gradient there, in the point's shape.
        start: Number, or point of any shape.
        learning_rate: Learning rate, at least 0.
        steps: Number of steps, at least 0.
        momentum: Fraction of the last step added to the next, from 0 to 1 (as in Keras' SGD).

    Returns:
        Array (steps + 1, *shape of start).

    Raises:
        ValueError: An argument is invalid, or the gradient has another shape or is not finite.
    """
    point = array("start", start).copy()
    learning_rate = scalar("learning_rate", learning_rate, 0)
    momentum = scalar("momentum", momentum, 0, 1)
    velocity = np.zeros_like(point)
    trace = [point]
    for k in range(integer("steps", steps, 0)):
        slope = array(f"gradient's result in step {k + 1}", gradient(point.copy()[()]), point.shape)
        velocity = momentum * velocity - learning_rate * slope
        point = point + velocity
        trace.append(point)
    return np.stack(trace)


def descent_case(trace: ArrayLike) -> str:
    """Return the behaviour of a 1-D descent towards 0: a key of `DESCENT_CASES`.

    Args:
        trace: Distances from the minimum, (steps + 1,), at least three.
    """
    trace = array("trace", trace, ("steps + 1",))
    if len(trace) < 3:
        raise ValueError(f"trace: expected at least 3 points, got {len(trace)}")
    before, last = np.abs(trace[-3]), np.abs(trace[-1])
    if np.isclose(before, last, rtol=1e-9, atol=0) and trace[-1] * trace[-2] < 0:
        return "bounces"
    if last > before:
        return "diverges"
    return "oscillates" if trace[-1] * trace[-2] < 0 else "converges"


def _value(f: Callable[[Any], Any], x: Any) -> float:
    return float(array("f's result", f(x), ()))


def _step(step: float) -> float:
    if scalar("step", step) <= 0:
        raise ValueError(f"step: expected a number above 0, got {step!r}")
    return float(step)
