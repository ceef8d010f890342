"""Exercises of notebook 05: two paths, the backward pass of a layer, the three avenues."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    choice_check,
    close,
    number_check,
    numbers,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong

_PATHS = (
    Wrong(3, "3 is what comes back through the product. Does x reach f on one path only?"),
    Wrong(1, "1 is what comes back through the sum. Does x reach f on one path only?"),
    Wrong(2, "2 is the derivative by y, which is x. Here x is the one that changes."),
    Wrong(8, "8 is f itself. How much does it grow when x grows by a little?"),
    Wrong(5, "5 = 3 + 2. The product hands y to x, not x to itself."),
)


def backward(dz, a, W):
    return dz @ a.T, dz.sum(axis=1, keepdims=True), W.T @ dz


def _loops(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> list[np.ndarray]:
    dW, db = np.zeros(W.shape), np.zeros((len(W), 1))
    for column, before in zip(dz.T, a.T, strict=True):
        dW += np.outer(column, before)
        db += column[:, None]
    return [dW, db, np.dot(W.T, dz)]


def _float32(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return tuple(part.astype("float32") for part in backward(dz, a, W))


def _lists(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return tuple(part.tolist() for part in backward(dz, a, W))


def _mean(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    m = dz.shape[1]
    return dz @ a.T / m, dz.sum(axis=1, keepdims=True) / m, W.T @ dz


def _mean_bias(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.mean(axis=1, keepdims=True), W.T @ dz


def _flat_bias(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.sum(axis=1), W.T @ dz


def _turned(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return a @ dz.T, dz.sum(axis=1, keepdims=True), W.T @ dz


def _no_transpose(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.sum(axis=1, keepdims=True), W @ dz


def _uphill(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return -dz @ a.T, -dz.sum(axis=1, keepdims=True), -W.T @ dz


def _check_backward(answer: Any) -> str | None:
    random = np.random.default_rng(5)
    for neurons, inputs, m in ((4, 3, 5), (1, 4, 2)):
        dz, a = random.normal(size=(neurons, m)), random.normal(size=(inputs, m))
        W = random.normal(size=(neurons, inputs))
        got, right = tried(answer, dz, a, W), backward(dz, a, W)
        if not isinstance(got, tuple | list) or len(got) != 3:
            raise Mistake(f"Three arrays are expected, (dW, db, da), not {shown(got)}.")
        for name, mine, theirs in zip(("dW", "db", "da"), got, right, strict=True):
            if fault := _fault(name, mine, theirs, m):
                return fault
    return None


def _fault(name: str, got: Any, right: np.ndarray, m: int) -> str | None:
    """Return what is wrong with one of the three arrays."""
    if np.shape(got) != right.shape:
        return (
            f"{name} must have the shape of what it belongs to, {right.shape} here; "
            f"yours has {np.shape(got)}."
        )
    value = numbers(got)
    if close(value, right, COMPUTED):
        return None
    if close(value * m, right, COMPUTED):
        return f"Your {name} is divided by m; dz holds the factor 1/m already."
    if close(-value, right, COMPUTED):
        return f"Your {name} has the wrong sign: the minus belongs to the step, w − α·dw."
    return f"{name} has the right shape but not the right numbers: compare it with the four lines."


_AVENUES = (
    Wrong("a", "a₁ = 0.9 makes w₁ the stronger of the two weights. Look at the other avenues too."),
    Wrong("b", "∂z/∂w₂ = a₂ = 0.1 is the weakest of all: that input is nearly dark."),
    Wrong("c", "∂z/∂b = 1 is strong, and there is one whose derivative is larger in size."),
    Wrong("d", "∂z/∂a₁ = w₁ = 0.5. Is there a stronger weight? A minus sign is not a weakness."),
)

EXERCISES = (
    Exercise(
        question=(
            r"Let $f = x \cdot y + x$ with $x = 2$ and $y = 3$. What is $\partial f/\partial x$?"
        ),
        check=number_check(
            4, _PATHS, "Multiply along each path from f back to x, then add.", rtol=COMPUTED
        ),
        hint="x goes into f twice: through the product, and directly into the sum.",
        solution=4,
        explanation="Through the product comes y = 3, through the sum 1; paths add up: y + 1 = 4.",
        equivalents=("4", 4.0, [4], np.float32(4)),
        wrong=_PATHS,
    ),
    Exercise(
        question=(
            "Write a function `answer(dz, a, W)` that returns `(dW, db, da)` of one layer, with "
            "examples in columns: `dz` is (neurons, m), `a`, the activations of the layer before, "
            "is (inputs, m), `W` is (neurons, inputs). `dz` already holds the factor $1/m$, so sum "
            "over the examples; `db` is (neurons, 1)."
        ),
        check=_check_backward,
        hint=(
            "The shapes decide: (neurons, inputs) can only come from (neurons, m)·(m, inputs). "
            "`dz.sum(axis=1, keepdims=True)` keeps a column."
        ),
        solution=backward,
        explanation=(
            "Each weight's gradient is what its neuron is asked for, times what came in, summed "
            "over the examples; each input is asked by every neuron through its weight."
        ),
        equivalents=(_loops, _float32, _lists),
        wrong=(
            Wrong(_mean, "Your dW is divided by m"),
            Wrong(_mean_bias, "Your db is divided by m"),
            Wrong(_flat_bias, "db must have the shape of what it belongs to, (4, 1)"),
            Wrong(_turned, "dW must have the shape of what it belongs to, (4, 3)"),
            Wrong(_no_transpose, "Your function raised ValueError for"),
            Wrong(_uphill, "Your dW has the wrong sign"),
            Wrong(lambda dz, a, W: dz @ a.T, "Three arrays are expected"),  # noqa: ARG005
        ),
    ),
    Exercise(
        question=(
            "A neuron $z = w_1 a_1 + w_2 a_2 + b$ has $w = (0.5, -2)$, $b = 1$ and gets "
            "$a = (0.9, 0.1)$. A small change of which one moves $z$ the most? "
            "(a) $w_1$ (b) $w_2$ (c) $b$ (d) $a_1$ (e) $a_2$"
        ),
        check=choice_check("e", _AVENUES),
        hint="Write down the five derivatives of z; only their size counts here.",
        solution="e",
        explanation=(
            "∂z/∂w = a = (0.9, 0.1), ∂z/∂b = 1, ∂z/∂a = w = (0.5, −2): a₂ moves z twice as far as "
            "it moves itself, the other way. So the layer before is told to make a₂ smaller."
        ),
        equivalents=("E", "(e)", " e."),
        wrong=_AVENUES,
    ),
)
