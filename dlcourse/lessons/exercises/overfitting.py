"""Exercises of notebook 07: early stopping by hand, a step with weight decay, four diagnoses."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import COMPUTED, close, numbers, shown, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong

_STOPS = (
    Wrong((7, 8), "Epoch 8 is never trained: the training has ended before."),
    Wrong((9, 8), "Three epochs without improvement end the training before epoch 9."),
    Wrong((6, 4), "After epoch 6 only two epochs have passed without improvement, 5 and 6."),
    Wrong((8, 4), "Stop at once when the third epoch without improvement is over."),
    Wrong((7, 7), "The weights of the best epoch are kept, not those of the last."),
    Wrong((6, 3), "Epochs count from 1 here."),
    Wrong((4, 7), "First the last epoch that is trained, then the epoch that is kept."),
    Wrong((5, 4), "One worse epoch is not a reason to stop: the patience is 3."),
    Wrong((7, 6), "Epoch 6 is better than 5; is it better than the best before?"),
)


def _check_stop(answer: Any) -> str | None:
    value = numbers(answer)
    if value.shape != (2,):
        raise Mistake(f"Two numbers are expected, not {value.size}.")
    if close(value, (7, 4), 1e-6):
        return None
    known = (case.message for case in _STOPS if close(value, case.answer, 1e-6))
    return next(known, "Count, from the best epoch so far, the epochs that are not better.")


def decayed_step(w, dw, learning_rate, l2):
    return w - learning_rate * (dw + 2 * l2 * w)


def _shrunk(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return (1 - 2 * learning_rate * l2) * w - learning_rate * dw


def _float32(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return decayed_step(w, dw, learning_rate, l2).astype("float32")


def _list(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> list[float]:
    return decayed_step(w, dw, learning_rate, l2).tolist()


def _half(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw + l2 * w)


def _none(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:  # noqa: ARG001
    return w - learning_rate * dw


def _without_rate(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * dw - 2 * l2 * w


def _grows(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw - 2 * l2 * w)


def _penalty(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw + l2 * np.sum(w**2))


def _uphill(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w + learning_rate * (dw + 2 * l2 * w)


_FAULTS = (
    (_half, "The derivative of l2·w² has a factor that is missing here"),
    (_none, "Nothing decays here: the penalty's gradient is missing"),
    (_without_rate, "The penalty is a part of the loss: its gradient too is scaled by the rate"),
    (_grows, "With this sign the weights grow: the penalty's gradient is added to dw"),
    (_penalty, "This adds the penalty itself; a step needs its derivative by each weight"),
    (_uphill, "This step goes uphill"),
)


def _check_step(answer: Any) -> str | None:
    random = np.random.default_rng(2)
    for size, rate, l2 in ((3, 0.1, 0.5), (5, 0.5, 0.02)):
        w, dw = random.normal(size=(2, size))
        value = numbers(tried(answer, w, dw, rate, l2))
        if value.shape != w.shape:
            raise Mistake(f"New weights of shape {w.shape} are expected, not of {value.shape}.")
        if not close(value, decayed_step(w, dw, rate, l2), COMPUTED):
            hits = [
                text for fault, text in _FAULTS if close(value, fault(w, dw, rate, l2), COMPUTED)
            ]
            text = hits[0] if hits else "These are not the weights after the step"
            return f"{text}. Tried with w = {shown(w)}, learning_rate = {rate}, l2 = {l2}."
    return None


_DIAGNOSES = {"A": "over-fitting", "B": "under-fitting", "C": "good fit", "D": "not learning"}
_REASONS = {
    "A": "A is nearly perfect on its training examples and far worse on new ones.",
    "B": "B does the same on both, better than a guess, and well on neither.",
    "C": "C does well on both, and the gap is small.",
    "D": "D does what the constant baseline does: 0.50 with two classes of equal size.",
}


def _check_diagnoses(answer: Any) -> str | None:
    if not isinstance(answer, dict) or {str(key).strip().upper() for key in answer} != set("ABCD"):
        raise Mistake('A dictionary with the keys "A", "B", "C" and "D" is expected.')
    words = {str(key).strip().upper(): _plain(value) for key, value in answer.items()}
    known = {_plain(name) for name in _DIAGNOSES.values()}
    if unknown := [key for key in sorted(words) if words[key] not in known]:
        listed = ", ".join(f'"{name}"' for name in sorted(_DIAGNOSES.values()))
        raise Mistake(f"{unknown[0]} needs one of {listed}.")
    wrong = [key for key, right in _DIAGNOSES.items() if words[key] != _plain(right)]
    return f"Look again at {wrong[0]}: {_REASONS[wrong[0]]}" if wrong else None


def _plain(words: Any) -> str:
    return "".join(letter for letter in str(words)[:40].lower() if letter.isalpha())


EXERCISES = (
    Exercise(
        question=(
            "The validation loss of epochs 1, 2, 3, … is 0.90, 0.70, 0.62, 0.55, 0.58, 0.56, 0.60, "
            "0.54, 0.61. Early stopping has a patience of 3 epochs and keeps the best weights. "
            "Answer with two numbers: the last epoch that is trained, and the epoch whose weights "
            "are kept."
        ),
        check=_check_stop,
        hint="Go epoch by epoch: is this the best so far? If not, how many in a row were not?",
        solution=(7, 4),
        explanation=(
            "Epoch 4 is the best; 5, 6 and 7 are not better, and the patience is used up. The "
            "better epoch 8 is never seen: that is the price of stopping early."
        ),
        equivalents=([7, 4], np.array([7, 4]), (7.0, 4.0)),
        wrong=_STOPS,
    ),
    Exercise(
        question=(
            "Write a function `answer(w, dw, learning_rate, l2)` that returns the weights after "
            "one step of gradient descent with weight decay, in Keras' convention: the loss is the "
            "data's loss plus `l2` times the sum of the squared weights, and `dw` is the gradient "
            "of the data's loss alone."
        ),
        check=_check_step,
        hint="What is the derivative of l2·w² by w? Add it to dw, then step as ever.",
        solution=decayed_step,
        explanation=(
            "The penalty's gradient is 2·l2·w, so that each step takes the share "
            "2·learning_rate·l2 away from every weight, whatever the data says."
        ),
        equivalents=(_shrunk, _float32, _list),
        wrong=tuple(Wrong(function, text) for function, text in _FAULTS),
    ),
    Exercise(
        question=(
            "Four trainings ended with these accuracies on training and validation: A 0.99 and "
            "0.78, B 0.71 and 0.70, C 0.95 and 0.94, D 0.50 and 0.50 with two classes of equal "
            'size. Answer with a dictionary from "A", "B", "C" and "D" to one each of "good fit", '
            '"not learning", "over-fitting" and "under-fitting".'
        ),
        check=_check_diagnoses,
        hint="First the gap between the two, then how good the first is, then what a guess gives.",
        solution=_DIAGNOSES,
        explanation=(
            "A gap means over-fitting. Without a gap it is good where both are high, under-fitting "
            "where both are low, and nothing is learned where the constant baseline does as well."
        ),
        equivalents=(
            {"d": "Not learning", "c": "good_fit", "b": "underfitting", "a": "overfitting"},
            {key: value.upper() for key, value in _DIAGNOSES.items()},
        ),
        wrong=(
            Wrong({**_DIAGNOSES, "A": "good fit", "C": "over-fitting"}, "Look again at A"),
            Wrong({**_DIAGNOSES, "B": "good fit", "C": "under-fitting"}, "Look again at B"),
            Wrong({**_DIAGNOSES, "C": "over-fitting"}, "Look again at C"),
            Wrong({**_DIAGNOSES, "D": "under-fitting"}, "Look again at D"),
            Wrong({**_DIAGNOSES, "D": "guessing"}, "D needs one of"),
            Wrong(["over-fitting"], "A dictionary with the keys"),
        ),
    ),
)
