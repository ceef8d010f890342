"""Exercises of notebook 01: determinant, slope, eigenvector, power iteration, a layer by hand."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong


def _areas(a: int = 3, b: int = 1, c: int = 2, d: int = 4) -> Exercise:
    """Return exercise 01.1 for the matrix [[a, b], [c, d]]."""
    area = a * d - b * c
    wrong = (
        Wrong(a * d + b * c, "This is a·d + b·c; the second product is subtracted."),
        Wrong(-area, "The order of the two products is turned round: a·d comes first."),
        Wrong(a * d, "This is a·d alone; what is still to be subtracted?"),
        Wrong(
            b * d - a * c,
            f"Multiply along the diagonals, {a} with {d} and {b} with {c}, not along the columns.",
        ),
    )
    return Exercise(
        question=(
            f"By which factor, with its sign, does the matrix [[{a}, {b}], [{c}, {d}]] change "
            "areas? Work it out by hand."
        ),
        check=number_check(
            area, wrong, "The determinant of [[a, b], [c, d]] is asked for.", rtol=COMPUTED
        ),
        hint="The determinant is a·d − b·c.",
        solution=area,
        explanation=(
            f"{a} · {d} − {b} · {c} = {area}. It is above 0, so the square is not turned over."
        ),
        equivalents=(str(area), float(area), np.array([float(area)]), np.float32(area)),
        wrong=wrong,
        variant=lambda random: _areas(
            *random.integers(3, 7, 1).tolist(),
            *random.integers(1, 3, 2).tolist(),
            *random.integers(3, 6, 1).tolist(),
        ),
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


# The rule for one function, used for every f: it is right for that one alone.
_FIXED: tuple[tuple[str, Callable[[float], float]], ...] = (
    ("2x, the slope of x²,", lambda x: 2 * x),
    ("cos x, the slope of sin x,", np.cos),
    ("eˣ, which is its own slope,", np.exp),
)


def _fixed_slope(got: list[float]) -> str | None:
    """Return a message if all slopes come from one rule that does not ask for f."""
    points = [x for _, _, x, _ in _SLOPES]
    for name, rule in _FIXED:
        if close(got, [rule(x) for x in points], rtol=1e-3):
            return f"Yours gives {name} for every f: compute the slope from two values of f."
    return None


def _check_slope(answer: Any) -> str | None:
    slopes = [as_float(tried(answer, f, x)) for _, f, x, _ in _SLOPES]
    if fixed := _fixed_slope(slopes):
        return fixed
    got = np.array(slopes)
    right = np.array([slope for *_, slope in _SLOPES])
    values = np.array([f(x) for _, f, x, _ in _SLOPES])
    if close(got, right, rtol=1e-3):  # three digits are asked for
        return None
    wrong = int(np.argmin(np.isclose(got, right, rtol=1e-3)))
    name, _, x, _ = _SLOPES[wrong]
    return (
        f"{_slope_fault(got, right, values)} For {name} at x = {x:g} yours gives {got[wrong]:.6g}."
    )


def _slope_fault(got: np.ndarray, right: np.ndarray, values: np.ndarray) -> str:
    """Return which mistake gives these slopes."""
    for typical, message in (
        (2 * right, "Twice the slope: the two points lie 2h apart."),
        (right / 2, "Half the slope: these two points lie h apart, not 2h."),
        (-right, "The sign is turned: f(right) − f(left)."),
        (1 / right, "This is the change of x over the change of f: turn it over."),
        (values, "This is the value of f at x, not its slope."),
    ):
        if close(got, typical, rtol=1e-3):
            return message
    if not got.any():
        return "The two values are equal: the step is too small for the computer."
    if np.ptp(got) == 0:
        return "The same number for every f and x: compute it from two values of f."
    ratios = got / right
    if np.abs(ratios).max() < 0.01:
        return (
            "A change is not yet a slope: divide it by the distance of the points, in brackets "
            "(`/2*h` divides by 2 and multiplies by h)."
        )
    if np.abs(ratios).max() > 1e3:
        return "Far off: subtract first, in brackets, then divide."
    if _large_step(got, right):
        return "Not yet right to three digits: the step is too large."
    if np.allclose(ratios, 1, rtol=0.2):
        return "Not yet right to three digits: is the step too small for the computer? Try 1e-5."
    return "This is not the slope: how much does f change, and on which distance?"


def _large_step(got: np.ndarray, right: np.ndarray) -> bool:
    """Return whether these are difference quotients over one step that is too large."""
    h = float(got[0] - right[0])  # that of a step to one side: (x + h)² − x² = 2xh + h²
    if abs(h) > 1e-6:
        sided = [(f(x + h) - f(x)) / h for _, f, x, _ in _SLOPES]
        return close(got, sided, rtol=1e-3)
    ratios = got / right  # to both sides, that of x² is right
    return bool(ratios[1] < 1 < ratios[2])


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


def power_iteration(M, v, steps=200):
    for _ in range(steps):
        v = M @ v
        v = v / np.linalg.norm(v)
    eigenvalue = v @ M @ v
    return eigenvalue, v


# Matrix, start and the eigenvalue of the largest size; only the last one is not symmetric.
_MATRICES: tuple[tuple[list[list[float]], list[float], float], ...] = (
    ([[2, 1], [1, 2]], [1.0, 0.0], 3.0),
    ([[-4, 1, 0], [1, -3, 1], [0, 1, 1]], [1.0, 1.0, 1.0], -4.7102),
    ([[1, 2], [3, 0]], [1.0, -0.4], 3.0),
)


def _check_powers(answer: Any) -> str | None:
    for matrix, start, _ in _MATRICES:
        M = np.array(matrix, dtype=float)
        result = tried(answer, M, np.array(start))
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise Mistake("Two results are expected: the eigenvalue and the vector.")
        told = f"For M = {shown(M)} and v = {start} yours gives"
        if np.size(result[0]) == len(M) == np.size(result[1]):
            ratios, v = numbers(result[0]).ravel(), numbers(result[1], len(M))
            if close(ratios, M @ v, rtol=1e-3):
                return (
                    f"M v is a vector; by which factor is it as long as v? {told} {shown(ratios)}."
                )
            if close(ratios, np.full(len(M), ratios[0]), rtol=1e-3):
                return (
                    f"This is the factor of each entry: return one of them. {told} {shown(ratios)}."
                )
        if np.size(result[0]) == len(M) and np.size(result[1]) == 1:
            return "The two results are exchanged: first the eigenvalue, then the vector."
        value, v = as_float(result[0]), numbers(result[1], len(M))
        right, direction = power_iteration(M, np.array(start))
        if close(np.abs(v), np.abs(start), rtol=1e-3):
            return "The vector is still the start: `v` must change in the loop."
        for size, name in ((np.sum, "sum of the sizes"), (np.max, "largest size")):
            if close(size(np.abs(v)), 1, rtol=1e-3) and not close(size(np.abs(direction)), 1):
                return (
                    f"In your vector the {name} is 1, but its *length* must be: {told} {shown(v)}."
                )
        if not close(np.linalg.norm(v), 1, rtol=1e-3):
            return f"The vector must have length 1, yours has {np.linalg.norm(v):.3g}."
        if min(np.abs(v - direction).max(), np.abs(v + direction).max()) > 1e-3:
            return f"The vector points another way than that of the largest |λ|: {told} {shown(v)}."
        if close(value, right, rtol=1e-3):
            continue
        if close(value, -right, rtol=1e-3):
            return f"The sign is missing: M turns v round where λ < 0. {told} {value:.4g}."
        if close(value, 1, rtol=1e-3):
            return (
                f"This is the length of v, which is always 1: how long is M v? {told} {value:.4g}."
            )
        if close(value, right**2, rtol=1e-3):
            return f"This is λ²: has M been applied once too often? {told} {value:.4g}."
        return f"Compare M v with v: what is the factor between them? {told} λ = {value:.4g}."
    return None


def _powers(scale: Callable[[Any], Any], factor: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return an answer with other steps in the two places of the skeleton."""

    def answer(M: np.ndarray, v: np.ndarray) -> Any:
        for _ in range(200):
            v = M @ v
            v = v / scale(v)
        return factor(M, v), v

    return answer


def _sum_of_sizes(v: np.ndarray) -> float:
    return np.abs(v).sum()


def _largest(v: np.ndarray) -> float:
    return np.abs(v).max()


def _squared_length(v: np.ndarray) -> float:
    return v @ v


def _quotient(M: np.ndarray, v: np.ndarray) -> float:
    return v @ M @ v / (v @ v)


def _size(M: np.ndarray, v: np.ndarray) -> float:
    return np.linalg.norm(M @ v)


def _by_numpy(M: np.ndarray, v: np.ndarray) -> Any:
    del v
    values, vectors = np.linalg.eig(M)
    best = np.abs(values).argmax()
    return values[best], vectors[:, best]


BAR = 0.87


def digit_layer(x_train, y_train):
    means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
    weights = (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    biases = np.zeros(10)
    return weights, biases


@cache
def digit_rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the training digits as rows with their labels, then the validation digits.

    They are dark on light paper, 16 for the paper, which makes the means alike.
    """
    digits = load_dataset("digits", seed=seed)
    rows = (16.0 - x.reshape(len(x), -1) for x in (digits.x_train, digits.x_val))
    x_train, x_val = rows
    return x_train, digits.y_train, x_val, digits.y_val


def _check_layer(answer: Any) -> str | None:
    x_train, y_train, x_val, y_val = digit_rows()
    result = tried(answer, x_train, y_train)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Two results are expected: the weights and the biases.")
    if np.shape(result[0]) == (10, 64):
        raise Mistake("The weights have one row per class; a layer keeps one *column* per class.")
    weights = numbers(result[0], 64, 10)
    biases = numbers(result[1])
    biases = np.full(10, biases.item()) if biases.size == 1 else numbers(result[1], 10)
    share = np.mean((x_val @ weights + biases).argmax(axis=1) == y_val)
    if share >= BAR:
        return None
    means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
    text = f"Yours reads {share:.2f} of the digits correctly; the bar is {BAR:.2f}."
    if share < 0.05:
        return f"Fewer than by a guess: is a sign turned? {text}"
    if close(weights / (np.abs(weights).max() or 1), means.T / means.max()):
        if biases.any():
            return f"The biases do not yet make up for the different lengths of the means. {text}"
        return f"A mean with much white wins too often: what must be divided out? {text}"
    if share < 0.2:
        return f"That is what a guess reaches. {text}"
    return f"Which class wins too often? Compare its column with the others. {text}"


def _with(weights: Callable[[Any], Any], biases: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return an answer that makes weights and biases of the ten means."""

    def answer(x_train: np.ndarray, y_train: np.ndarray) -> Any:
        means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
        return weights(means), biases(means)

    return answer


def _no_biases(means: np.ndarray) -> np.ndarray:
    return np.zeros(len(means))


def _half_squares(means: np.ndarray) -> np.ndarray:
    return -(means**2).sum(axis=1) / 2


def _columns(means: np.ndarray) -> np.ndarray:
    return means.T


def _least_squares(x_train: np.ndarray, y_train: np.ndarray) -> Any:
    rows = np.column_stack([x_train, np.ones(len(x_train))])
    solution = np.linalg.lstsq(rows, np.eye(10)[y_train], rcond=None)[0]
    return solution[:-1], solution[-1]


EXERCISES = (
    _areas(),
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
            Wrong(lambda _, x: 2 * x, "Yours gives 2x"),
            Wrong(lambda _, x: np.cos(x), "Yours gives cos x"),
            Wrong(lambda *_: 6.0, "The same number for every f"),
            Wrong(lambda f, x: f(x) / x, "This is not the slope"),
            Wrong(lambda f, x: 1e-5 / (f(x + 1e-5) - f(x)), "This is the change of x over"),
            Wrong(lambda f, x: f(x), "This is the value of f at x"),
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
    Exercise(
        question=(
            "*Power iteration* finds the eigenvalue of the largest size and its eigenvector: "
            "multiply by the matrix, bring the vector back to length 1, and repeat. Fill the two "
            "places of `...`. Return the eigenvalue, with its sign, and the vector of length 1."
        ),
        check=_check_powers,
        hint="`np.linalg.norm` gives a length. At the end M v = λ v: multiply both sides by v.",
        solution=power_iteration,
        explanation=(
            "v · M v = λ (v · v) = λ, since v has length 1. A length alone would lose the sign."
        ),
        equivalents=(
            _powers(np.linalg.norm, _quotient),
            lambda M, v: [power_iteration(M, v)[0], -power_iteration(M, v)[1][:, None]],
            _by_numpy,
        ),
        wrong=(
            Wrong(_powers(_sum_of_sizes, _quotient), "In your vector the sum of the sizes"),
            Wrong(_powers(_largest, _quotient), "In your vector the largest size"),
            Wrong(lambda M, v: (_quotient(M, v), 2 * power_iteration(M, v)[1]), "The vector must"),
            Wrong(lambda _, v: (3.0, v), "The vector is still the start"),
            Wrong(lambda M, v: (3.0, power_iteration(M, v, 1)[1]), "The vector points another way"),
            Wrong(_powers(np.linalg.norm, _size), "The sign is missing"),
            Wrong(_powers(np.linalg.norm, lambda _, v: np.linalg.norm(v)), "This is the length"),
            Wrong(_powers(np.linalg.norm, lambda M, v: v @ M @ M @ v), "This is λ²"),
            Wrong(_powers(np.linalg.norm, lambda M, v: M @ v), "M v is a vector"),
            Wrong(_powers(np.linalg.norm, lambda _, v: v.sum()), "Compare M v with v"),
            Wrong(lambda M, v: power_iteration(M, v)[::-1], "The two results are exchanged"),
            Wrong(
                _powers(np.linalg.norm, lambda M, v: M @ v / v), "This is the factor of each entry"
            ),
            Wrong(lambda M, v: power_iteration(M, v)[1], "Two results are expected"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Build a layer that reads digits, without any training: write "
            "`answer(x_train, y_train)` that returns its weights, of shape (64, 10), and its "
            "biases, of shape (10,). `x_train` holds 1,221 digits in dark ink on white paper, as "
            "rows of 64 numbers from 0, ink, to 16, paper. The class with the largest of the ten "
            "numbers `x @ weights + biases` is the answer. The bar: 87 % of the validation digits "
            "are read correctly."
        ),
        check=_check_layer,
        hint="Compare with the cell that sets a layer's weights by hand. Which length matters?",
        solution=digit_layer,
        explanation=(
            "Means of length 1 as columns read about 90 %. The means themselves with the biases "
            "−|mean|²/2 choose the nearest mean and read as much; without biases they read 84 %. "
            "Notebook 06 learns weights that read more."
        ),
        equivalents=(
            _with(_columns, _half_squares),
            _least_squares,
            lambda x, y: [digit_layer(x, y)[0].astype("float32"), np.zeros((10, 1))],
            lambda x, y: (digit_layer(x, y)[0], 0),
        ),
        wrong=(
            Wrong(_with(_columns, _no_biases), "A mean with much white wins too often"),
            Wrong(_with(_columns, lambda m: m.mean(axis=1)), "The biases do not yet make up"),
            Wrong(_with(lambda m: -m.T, _no_biases), "Fewer than by a guess"),
            Wrong(_with(lambda m: m, _no_biases), "The weights have one row per class"),
            Wrong(_with(lambda _: np.zeros((64, 10)), _no_biases), "That is what a guess reaches"),
            Wrong(_with(lambda m: (m / m.sum()).T ** 2, _no_biases), "Which class wins too often?"),
            Wrong(lambda x, y: digit_layer(x, y)[0], "Two results are expected"),
        ),
        level="build",
    ),
)
