"""Exercises of notebook 11: a class activation map, a linear model's saliency, a hit."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import close, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong

_FIRST, _SECOND = np.array([[1, 0], [2, 0]]), np.array([[0, 3], [1, 0]])
_CAM = 2 * _FIRST - _SECOND
_CAM_MISTAKES = (
    (_FIRST + _SECOND, "Each map counts as much as its weight says, not once."),
    (2 * _FIRST + _SECOND, "The second weight is −1: where its map is bright, the class loses."),
    (2 * _FIRST, "The second map is missing: its weight is −1, not 0."),
    (_CAM / 2, "You have taken a mean: the maps are added up."),
    (np.maximum(_CAM, 0), "Negative values are evidence against the class: a CAM keeps them."),
    (_CAM.T, "Rows and columns are exchanged."),
)


def _check_cam(answer: Any) -> str | None:
    given = numbers(answer)
    if given.size == 1:
        return "A map is asked for, as large as the feature maps: do not sum over the places."
    if given.shape != (2, 2):
        return f"The map is as large as the feature maps, 2 × 2; yours has the shape {given.shape}."
    if close(given, _CAM):
        return None
    for mistake, message in _CAM_MISTAKES:
        if close(given, mistake):
            return message
    return "Some numbers are not right: at each place, 2 times the one map minus the other."


_WEIGHTS, _X = np.array([2, -3, 0.5]), np.array([1, 1, 4])
_SALIENCY = np.abs(_WEIGHTS)
_SALIENCY_MISTAKES = (
    (_WEIGHTS, "This is the gradient. A saliency map tells how much, not in which direction."),
    (
        _WEIGHTS * _X,
        "This is gradient times input: what an input brings, not how z reacts.",
    ),
    (np.abs(_WEIGHTS * _X), "The input is not a factor: how much does z change if x changes by 1?"),
    (_X, "These are the inputs: what does z do if one of them changes?"),
    (_SALIENCY / _SALIENCY.max(), "Do not scale it: the numbers have a unit, z per x."),
)


def _check_saliency(answer: Any) -> str | None:
    given = numbers(answer, 3)
    if close(given, _SALIENCY):
        return None
    for mistake, message in _SALIENCY_MISTAKES:
        if close(given, mistake):
            return message
    return "Differentiate z by x₁, by x₂ and by x₃, and take absolute values."


def hit(heat, box):
    top, left, bottom, right = box
    row, column = np.unravel_index(np.argmax(heat), heat.shape)
    return bool(top <= row < bottom and left <= column < right)


def _by_cut(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return heat[top:bottom, left:right].max() == heat.max()


def _inclusive(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return hit(heat, (top, left, bottom + 1, right + 1))


def _turned(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    return hit(heat.T, box)


def _mostly(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return bool(heat[top:bottom, left:right].sum() > heat.sum() / 2)


def _strongest(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    return hit(np.abs(heat), box)


def _always(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:  # noqa: ARG001
    return True


def _heat(**places: float) -> np.ndarray:
    """Return a 4 × 6 map of zeros, with values at places named r<row>c<column>."""
    heat = np.zeros((4, 6))
    for name, value in places.items():
        heat[int(name[1]), int(name[3])] = value
    return heat


# Map, box and message for an answer that is wrong for them; the simplest cases come first.
_HITS = (
    (_heat(r0c0=4), (2, 3, 4, 6), "The largest value lies outside the box: that is not a hit."),
    (_heat(r1c4=3, r1c1=1), (0, 3, 2, 6), "Rows go with top and bottom, columns with the others."),
    (_heat(r2c4=3, r1c4=1), (0, 3, 2, 6), "bottom and right are the first ones outside the box."),
    (_heat(r0c0=3, r2c3=2, r2c4=2), (2, 3, 4, 6), "The largest value counts, not most of the sum."),
    (_heat(r0c0=-5, r2c3=2), (2, 3, 4, 6), "The largest value counts, not the strongest negative."),
)


def _check_hit(answer: Any) -> str | None:
    for heat, box, message in _HITS:
        got = tried(answer, heat.copy(), box)
        if not isinstance(got, bool | np.bool_):
            raise Mistake("True or False is to be returned: is the largest value in the box?")
        if bool(got) != hit(heat, box):
            row, column = np.unravel_index(heat.argmax(), heat.shape)
            return f"{message} (largest value in row {row}, column {column}; box {box}.)"
    return None


EXERCISES = (
    Exercise(
        question=(
            "The last convolution gives two feature maps, [[1, 0], [2, 0]] and [[0, 3], [1, 0]]. "
            'Their means go to the logit of class "7" with the weights 2 and −1. What is the '
            'class activation map of "7"?'
        ),
        check=_check_cam,
        hint="The sum of the maps, each times its weight, place by place.",
        solution=_CAM.tolist(),
        explanation=(
            "2 · [[1, 0], [2, 0]] − [[0, 3], [1, 0]] = [[2, −3], [3, 0]]: the lower left speaks "
            "most for a 7, the upper right against it. Its mean, 0.5, is the logit without bias."
        ),
        equivalents=(_CAM, _CAM.astype("float32"), ((2, -3), (3, 0)), [[2.0, -3.0], [3.0, 0.0]]),
        wrong=(
            *(Wrong(mistake.tolist(), message) for mistake, message in _CAM_MISTAKES),
            Wrong(0.5, "A map is asked for"),
        ),
    ),
    Exercise(
        question=(
            "A network is as simple as z = 2·x₁ − 3·x₂ + 0.5·x₃. What is the saliency map, the "
            "absolute gradient of z, at x = (1, 1, 4)?"
        ),
        check=_check_saliency,
        hint="How much does z change when x₁ grows by 1 and the others stay? Does x matter?",
        solution=_SALIENCY.tolist(),
        explanation=(
            "The gradient of a linear model is its weights, wherever x is: (|2|, |−3|, |0.5|). So "
            "x₃ = 4 brings as much as x₁ = 1 does, and yet is the least salient."
        ),
        equivalents=(_SALIENCY, (2, 3, 0.5), np.array([2, 3, 0.5], "float32")),
        wrong=(
            *(Wrong(mistake.tolist(), message) for mistake, message in _SALIENCY_MISTAKES),
            Wrong([[2], [3], [0.5]], "The shape must be (3,)"),
        ),
    ),
    Exercise(
        question=(
            "Write a function `answer(heat, box)` that takes a map (height, width) and a box "
            "(top, left, bottom, right), whose last two are the first row and column outside it, "
            "and returns whether the map's largest value lies in the box."
        ),
        check=_check_hit,
        hint="`np.unravel_index(heat.argmax(), heat.shape)` is the largest value's row and column.",
        solution=hit,
        explanation=(
            "The mean of this over many images is the pointing game (Zhang et al., 2016); "
            "`dlcourse.visualizers.pointing_hits` computes it."
        ),
        equivalents=(_by_cut, lambda heat, box: np.bool_(hit(heat, box))),
        wrong=(
            Wrong(_inclusive, "bottom and right are the first ones outside"),
            Wrong(_turned, "Rows go with top and bottom"),
            Wrong(_mostly, "The largest value counts, not most of the sum"),
            Wrong(_strongest, "The largest value counts, not the strongest negative"),
            Wrong(_always, "The largest value lies outside the box"),
        ),
    ),
)
