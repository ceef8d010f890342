"""Exercises of notebook 03: a loss by hand, one step of a neuron, a threshold that counts costs."""

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
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.maths.regression import logistic_step

_LOSSES = (
    Wrong(np.log(0.8), "A loss is not below 0: mind the minus sign in front."),
    Wrong(-np.log10(0.8), "The logarithm is the natural one, to the base e."),
    Wrong(-np.log(0.2), "This is the loss for y = 0; here y is 1."),
    Wrong(0.04, "This is the squared error (ŷ − y)²."),
    Wrong(0.2, "This is the distance y − ŷ; take the logarithm of ŷ."),
)


def step(x, w, b, y, learning_rate):
    a = 1 / (1 + np.exp(-(np.dot(w, x) + b)))
    dz = a - y
    return w - learning_rate * dz * x, b - learning_rate * dz


def _library(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    done = logistic_step(x, w, b, y, learning_rate)
    return [done.new_w.tolist(), done.new_b]


def _uphill(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    return step(x, w, b, y, -learning_rate)


def _full(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    del learning_rate
    return step(x, w, b, y, 1.0)


def _no_sigmoid(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    dz = np.dot(w, x) + b - y
    return w - learning_rate * dz * x, b - learning_rate * dz


def _without_x(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    change = step(x, w, b, y, learning_rate)[1] - b
    return w + change, b + change


def _same_bias(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    return step(x, w, b, y, learning_rate)[0], b


_TYPICAL = (
    (_uphill, "The step went uphill: subtract the gradient."),
    (_full, "The gradient is multiplied by the learning rate."),
    (_no_sigmoid, "The error is a − y, and a is the sigmoid of z."),
    (_without_x, "The gradient of w is the error times x: each weight its own input."),
    (_same_bias, "The weights are right; the bias learns as well."),
)

# x, w, b, y, learning rate: the slides' example, and another label.
_STEPS = (
    (np.array([5.0, 3.0]), np.array([0.5, 0.5]), 1.0, 1, 0.01),
    (np.array([1.0, -2.0]), np.array([0.3, 0.1]), -0.2, 0, 0.5),
)


def _pair(result: Any, case: tuple[Any, ...]) -> tuple[np.ndarray, float]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two things, the new w and the new b: `return w, b`.")
    return numbers(result[0], *case[1].shape), as_float(result[1])


def _equal(got: tuple[Any, Any], right: Any) -> bool:
    return all(close(g, r, rtol=COMPUTED) for g, r in zip(got, right, strict=True))


def _check_step(answer: Any) -> str | None:
    for case in _STEPS:
        got = _pair(tried(answer, *case), case)
        if _equal(got, step(*case)):
            continue
        x, w, b, y, rate = case
        text = f"For x = {shown(x)}, w = {shown(w)}, b = {b:g}, y = {y}, learning rate {rate:g} "
        text += f"yours gives w = {shown(got[0])}, b = {got[1]:.6g}."
        for function, message in _TYPICAL:
            if _equal(got, function(*case)):
                return f"{message} {text}"
        return f"Not yet: first z, then a, then the error a − y. {text}"
    return None


_THRESHOLDS = (
    Wrong(0.5, "With 0.5 both mistakes would count the same."),
    Wrong(1 / 20, "Close; but examining costs something only where the tumour is benign."),
    Wrong(20 / 21, "This is turned round: it would let nearly all tumours go home."),
    Wrong(20, "A probability lies from 0 to 1"),
)


def _check_threshold(answer: Any) -> str | None:
    if not 0 <= as_float(answer) <= 1:
        return 'A probability lies from 0 to 1; a percentage has its sign, "30 %".'
    return number_check(1 / 21, _THRESHOLDS, "Compare the expected costs of both decisions.")(
        answer
    )


EXERCISES = (
    Exercise(
        question=(
            "A tumour is malignant, y = 1, and the model says ŷ = 0.8. How large is the binary "
            "cross-entropy of this example (three digits)?"
        ),
        check=number_check(-np.log(0.8), _LOSSES, "Put y = 1 into the formula: one term is left."),
        hint="With y = 1 the second term is multiplied by 1 − y = 0.",
        solution=0.2231,
        explanation="−log 0.8 = 0.2231. Had the model said 0.2, it would have been 1.609.",
        equivalents=("0.2231", 0.223, 0.22314355, -np.log(0.8), np.float32(0.22314), [0.223]),
        wrong=_LOSSES,
    ),
    Exercise(
        question=(
            "Write a function `answer(x, w, b, y, learning_rate)` that takes one step of logistic "
            "regression on one example and returns the new `w` and the new `b`."
        ),
        check=_check_step,
        hint="Four lines: z, a, the error a − y, and both new values in the `return`.",
        solution=step,
        explanation="dw = (a − y)·x and db = a − y; both are multiplied by α and subtracted.",
        equivalents=(_library, lambda *case: list(step(*case))),
        wrong=(
            *(Wrong(function, message) for function, message in _TYPICAL),
            Wrong(lambda *case: step(*case)[0], "Return two things"),
            Wrong(lambda x, w, b, y, rate: (w + rate * x * y, b + rate), "Not yet: first z"),
        ),
    ),
    Exercise(
        question=(
            "To send a malignant tumour home costs 20, to examine a benign one for nothing costs "
            "1, and a right decision costs nothing. From which probability of malignancy on should "
            "a patient be examined (three digits)?"
        ),
        check=_check_threshold,
        hint="With probability p, sending home costs 20·p on average. What does examining cost?",
        solution=0.0476,
        explanation=(
            "Home costs 20·p on average, examining 1·(1 − p). They are equal at p = 1/21 = 0.0476: "
            "the threshold follows from the costs, not from the model."
        ),
        equivalents=("1/21", 1 / 21, 0.0476, "4.76 %", np.float32(1 / 21), [0.04762]),
        wrong=_THRESHOLDS,
    ),
)
