"""Exercises of notebook 04: softmax backwards, ReLU's derivative, features judged by a line."""

from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.datasets.points import FEATURES
from dlcourse.lessons.exercises.answers import close, number_check, numbers, shown, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.maths.regression import logistic_regression

_DIFFERENCES = (
    Wrong(0.6, "This is the difference of the probabilities, not of the logits."),
    Wrong(4, "This is the ratio of the probabilities, e^(z₁ − z₀): undo the e."),
    Wrong(-np.log(4), "Turned round: the second is more probable, so z₁ is larger."),
    Wrong(np.log10(4), "The logarithm is the natural one, to the base e."),
    Wrong(np.log(0.8), "This takes one probability alone; both are needed."),
)


def relu_derivative(z):
    return (z > 0) * 1.0


def _leaky(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, 1.0, 0.01)


@np.errstate(invalid="ignore")
def _divided(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) / z


_RELU = (
    (lambda z: np.maximum(z, 0), "This is ReLU itself; its slope is asked for."),
    (lambda z: (z < 0) * 1.0, "This is turned round: the slope is 1 above 0."),
    (_leaky, "This is the slope of leaky ReLU: below 0 ReLU is flat."),
    (np.ones_like, "This is the slope of the identity: what of z below 0?"),
    (np.sign, "ReLU never falls, so its slope is never negative."),
)
_Z = (np.array([-2.0, -0.5, 0.5, 2.0, 7.0]), np.array([[3.0, -1.0], [-4.0, 0.25]]))


def _check_relu(answer: Any) -> str | None:
    for z in _Z:
        got = numbers(tried(answer, z), *z.shape)
        if close(got, relu_derivative(z)):
            continue
        for function, message in _RELU:
            if close(got, function(z)):
                return f"{message} For z = {shown(z)} yours gives {shown(got)}."
        text = f"For z = {shown(z)} yours gives {shown(got)}."
        return f"Not yet: what is the slope of the flat part, and of the rising one? {text}"
    corner = np.asarray(tried(answer, np.zeros(2)), dtype=float)
    if ((corner >= 0) & (corner <= 1)).all():
        return None
    return f"At z = 0 yours gives {shown(corner)}; any value from 0 to 1 will do."


def _accuracy(features: tuple[str, ...]) -> float:
    """Return the accuracy on the rings of a line in these features."""
    rings = load_dataset("points", shape="circles", features=features, n=400)
    rows = (rings.x_train - rings.x_train.mean(axis=0)) / rings.x_train.std(axis=0)
    model = logistic_regression(rows, rings.y_train, learning_rate=1.0, steps=200)
    return float(np.mean((model.predict(rows) > 0.5) == rings.y_train))


def _check_features(answer: Any) -> str | None:
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        raise Mistake("Give two names in a list.")
    names = tuple("".join(name.split()) if isinstance(name, str) else "" for name in answer)
    if not set(names) <= set(FEATURES):
        raise Mistake(f"Choose among {', '.join(FEATURES)}.")
    if names[0] == names[1]:
        raise Mistake("These are one feature, twice.")
    right = _accuracy(names)
    text = f"With {names[0]} and {names[1]} it gets {right:.0%} right"
    if right >= 0.95:
        return None
    if set(names) == {"x1", "x2"}:
        return f"{text}: these two alone are a straight line in the plane."
    if "x1*x2" in names:
        return f"{text}: the cross tells equal from unequal signs; a ring has both."
    if any(name.startswith("sin") for name in names):
        return f"{text}: a sine repeats itself; the distance from the middle does not."
    return f"{text}: better, but one direction is missing."


EXERCISES = (
    Exercise(
        question=(
            "Softmax makes the probabilities (0.2, 0.8) of two logits. How much larger is the "
            "second logit than the first (three digits)?"
        ),
        check=number_check(np.log(4), _DIFFERENCES, "Divide the two probabilities by each other."),
        hint="In a₁/a₀ the sum cancels: e^z₁ / e^z₀ = e^(z₁ − z₀).",
        solution=1.3863,
        explanation=(
            "a₁/a₀ = 4 = e^(z₁ − z₀), so z₁ − z₀ = log 4 = 1.386. Only this difference counts: "
            "softmax of two is the sigmoid of it."
        ),
        equivalents=("1.386", 1.39, np.log(4), np.log(0.8 / 0.2), np.float32(1.386294), [1.3863]),
        wrong=_DIFFERENCES,
    ),
    Exercise(
        question=(
            "Write a function `answer(z)` that returns the derivative of ReLU for each number of "
            "an array `z`, in an array of the same shape."
        ),
        check=_check_relu,
        hint="`z > 0` is an array of True and False. Which numbers do you need?",
        solution=relu_derivative,
        explanation="1 above 0 and 0 below. At 0 there is no derivative; libraries take 0.",
        equivalents=(
            lambda z: np.where(z > 0, 1, 0),
            lambda z: (z >= 0).astype("float32"),
            lambda z: np.heaviside(z, 0.5),
            lambda z: [[float(v > 0) for v in row] for row in z] if z.ndim > 1 else (z > 0) * 1,
        ),
        wrong=(
            *(Wrong(function, message) for function, message in _RELU),
            Wrong(lambda z: z, "Not yet: what is the slope"),
            Wrong(_divided, "At z = 0 yours gives [nan, nan]"),
            Wrong(lambda z: (z > 0) * 1.0 - (z == 0), "At z = 0 yours gives [-1., -1.]"),
            Wrong(lambda z: 1.0 if z > 0 else 0.0, "Your function raised ValueError"),
            Wrong(lambda _: 1.0, "The shape must be"),
        ),
    ),
    Exercise(
        question=(
            "One class lies in a disc, the other in a ring around it. Which two features let "
            "logistic regression without a hidden layer separate them? Choose two of `x1`, `x2`, "
            "`x1*x2`, `x1^2`, `x2^2`, `sin(x1)`, `sin(x2)`, as a list of two names."
        ),
        check=_check_features,
        hint="The distance from the middle tells the disc from the ring. How is it computed?",
        solution=["x1^2", "x2^2"],
        explanation=(
            "The squared distance is x1² + x2²: a weighted sum of these two, so a line in them is "
            "a circle in the plane."
        ),
        equivalents=(("x2^2", "x1^2"), [" x1^2", "x2^2 "]),
        wrong=(
            Wrong(["x1", "x2"], "With x1 and x2 it gets"),
            Wrong(["x1", "x1*x2"], "With x1 and x1*x2 it gets"),
            Wrong(["x1^2", "x2"], "With x1^2 and x2 it gets"),
            Wrong(["sin(x1)", "sin(x2)"], "With sin(x1) and sin(x2) it gets"),
            Wrong(["x1^2", "x1^2"], "These are one feature, twice."),
            Wrong(["x1^2", "x3"], "Choose among x1, x2"),
            Wrong("x1^2", "Give two names in a list."),
        ),
    ),
)
