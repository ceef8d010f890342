"""Exercises of notebook 00: features, accuracy, and what the test examples are for."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    choice_check,
    close,
    number_check,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Wrong

_FEATURES = (
    Wrong(8, "8 pixels are one row of the picture; it has eight rows."),
    Wrong(16, "16 = 8 + 8. Each of the 8 rows has 8 pixels: is that a sum?"),
    Wrong(10, "10 is the number of classes, which is the size of the output, not of the input."),
    Wrong(1797, "1,797 is the number of examples. How many numbers describe one of them?"),
)


def accuracy(labels, predicted):
    return (labels == predicted).mean()


def _error_rate(labels: np.ndarray, predicted: np.ndarray) -> float:
    return np.mean(labels != predicted)


def _count(labels: np.ndarray, predicted: np.ndarray) -> int:
    return np.sum(labels == predicted)


def _percent(labels: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * np.mean(labels == predicted)


def _of_all_right(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.array_equal(labels, predicted))


def _loop(labels: np.ndarray, predicted: np.ndarray) -> float:
    right = 0
    for label, guess in zip(labels, predicted, strict=True):
        right += int(label == guess)
    return right / len(labels)


def _early(labels: np.ndarray, predicted: np.ndarray) -> float | None:
    right = 0
    for label, guess in zip(labels, predicted, strict=True):
        right += int(label == guess)
        return right / len(labels)
    return None


def _float32(labels: np.ndarray, predicted: np.ndarray) -> np.float32:
    return np.float32((labels == predicted).mean())


# Labels, predictions and the number that agree; the second case is not in the notebook's text.
_CASES = (([3, 1, 4, 1, 5], [3, 1, 4, 7, 2], 3), ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0] * 10, 1))


def _check_accuracy(answer: Any) -> str | None:
    for labels, predicted, right in _CASES:
        got = as_float(tried(answer, np.array(labels), np.array(predicted)))
        m = len(labels)
        text = f"For labels {labels} and predictions {predicted} yours gives {got:g}."
        if close(got, right / m):
            continue
        if close(got, 1 - right / m):
            return f"This is the share that is wrong. {text}"
        if close(got, 1 / m):
            return f"This looks at one example alone: does the `return` stand in the loop? {text}"
        if close(got, right):
            return f"This counts the right ones; divide by how many there are. {text}"
        if close(got, 100 * right / m):
            return f"This is in percent; return a fraction from 0 to 1. {text}"
        return f"Compare example by example, then take the share that agrees. {text}"
    return None


_CHOSEN = (
    Wrong("a", "20 looks do not change the examples. What did they change about your choice?"),
    Wrong("b", "More would lessen the effect. What causes it?"),
    Wrong("d", "Training longer would not make this number honest: it was used to choose."),
)

EXERCISES = (
    Exercise(
        question=(
            "A digit of this data set is a grey picture of 8 × 8 pixels. How many features does "
            "one example have?"
        ),
        check=number_check(64, _FEATURES, "Count the pixels: each is one feature.", rtol=COMPUTED),
        hint="A feature is one number that describes the example; here it is one pixel.",
        solution=64,
        explanation="8 · 8 = 64 pixels, each one feature. In colour there would be 3 · 64.",
        equivalents=("64", 64.0, [64], np.int64(64), np.float32(64)),
        wrong=_FEATURES,
    ),
    Exercise(
        question=(
            "Write a function `answer(labels, predicted)` that takes two arrays of class numbers "
            "and returns the accuracy, as a fraction from 0 to 1."
        ),
        check=_check_accuracy,
        hint="`labels == predicted` is an array of True and False, and True counts as 1.",
        solution=accuracy,
        explanation="The mean of True (1) and False (0) is the share that is True.",
        equivalents=(
            _loop,
            lambda y, p: np.float32((y == p).mean()),
            lambda y, p: [(y == p).mean()],
        ),
        wrong=(
            Wrong(_error_rate, "This is the share that is wrong."),
            Wrong(_early, "This looks at one example alone"),
            Wrong(_count, "This counts the right ones"),
            Wrong(_percent, "This is in percent"),
            Wrong(_of_all_right, "Compare example by example"),
            Wrong(0.75, "A function is expected"),
        ),
    ),
    Exercise(
        question=(
            "You train with 20 learning rates, look at the test accuracy of each, keep the best, "
            "and report that test accuracy. It promises too much. Why? "
            "(a) The test examples changed. (b) There are too few test examples. "
            "(c) The test examples helped to choose. (d) The training was too short."
        ),
        check=choice_check("c", _CHOSEN),
        hint="Think of the best of 20 lottery tickets: is it better than the others, or luckier?",
        solution="c",
        explanation=(
            "The best of 20 is partly the luckiest on these very examples. Choose with the "
            "validation examples, and look at the test examples once, at the end."
        ),
        equivalents=("C", " c ", "(c)", "c."),
        wrong=_CHOSEN,
    ),
)
