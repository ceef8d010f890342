"""Notebook 05's exercises: the bar of the network from scratch, and answers in many forms."""

# ruff: noqa: ARG001, ARG005, N803, N806 - answers have the lesson's symbols

import numpy as np
import pytest

from dlcourse.lessons.exercises import backpropagation as lesson
from dlcourse.lessons.exercises import check


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_neurons_reach_the_bar_from_any_start(monkeypatch, seed):
    data, held, real = lesson.quadrants(200, 1), lesson.quadrants(400, 2), np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda _: real(seed))
    assert lesson.share(lesson._scratch()(*data), *held) >= lesson.BAR


def test_a_line_and_the_majority_miss_the_bar():
    (X, Y), (X_held, Y_held) = lesson.quadrants(200, 1), lesson.quadrants(400, 2)
    line = np.linalg.lstsq(np.vstack([X, np.ones(200)]).T, 2 * Y[0] - 1)[0]
    of_line = np.mean((line @ np.vstack([X_held, np.ones(400)]) > 0) == Y_held)
    assert max(of_line, Y_held.mean(), 1 - Y_held.mean()) < 0.6 < lesson.BAR


def test_the_backward_pass_of_the_exercise_agrees_with_differences():
    X, y, a1, a2, W2 = lesson._network_case()
    _, _, dW2, db2 = lesson.backward_in_rows(X, y, a1, a2, W2)
    bias = np.log(a2 / (1 - a2)) - a1 @ W2

    def loss(W2, bias):
        a2 = 1 / (1 + np.exp(-(a1 @ W2 + bias)))
        return -np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2))

    h = 1e-6
    for k in range(4):
        turned = np.eye(4)[:, [k]] * h
        slope = (loss(W2 + turned, bias) - loss(W2 - turned, bias)) / (2 * h)
        assert slope == pytest.approx(dW2[k, 0], rel=1e-6)
    slope = (loss(W2, bias + h) - loss(W2, bias - h)) / (2 * h)
    assert slope == pytest.approx(db2[0], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("05.1", "4"),
        ("05.1", [[4]]),
        ("05.1", 4.0 + 0),
        ("05.3", "e"),
        ("05.3", "(E)"),
        ("05.3", "e) a2"),
        ("05.3", "a2"),
        ("05.3", "a₂"),
        ("05.3", "$a_2$"),
        ("05.3", ["e"]),
        ("05.2", lambda dz, a, W: (np.dot(dz, a.T), np.sum(dz, 1)[:, None], np.dot(W.T, dz))),
        ("05.4", lambda *case: [np.asarray(p).tolist() for p in lesson.backward_in_rows(*case)]),
        (
            "05.4",
            lambda X, y, a1, a2, W2: lesson._with(lambda a: (1 - a) * (1 + a))(X, y, a1, a2, W2),
        ),
    ],
)
def test_an_unusual_form_of_a_right_answer_is_read(name, answer):
    assert check(name, answer), check(name, answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda X, Y: lesson.from_scratch(X, 1 - Y), "Your network gives the opposite class"),
        (lambda X, Y: lesson._scratch(k=2)(X, Y), "Too few hidden neurons"),
        (lambda X, Y: (np.full((8, 2), np.nan), 0, 0, 0), "Finite numbers are expected"),
        (lambda X, Y: (np.ones((8, 2)), np.ones(3), np.ones(8), 0), "b1 must have the shape"),
        (lambda X, Y: (np.ones(8), np.ones(3), np.ones(8), 0), "W1 must have the shape"),
        (lambda X, Y: None, "Your function returned nothing"),
    ],
)
def test_a_network_from_scratch_is_told_its_fault(answer, message):
    assert check("05.5", answer).message.startswith(message), check("05.5", answer)


def test_skeletons_with_open_places_are_not_attempted():
    def backward_pass(X, y, a1, a2, W2):
        m = len(X)
        dz2 = (a2 - y) / ...
        return m, dz2

    def training(X, Y):
        parameters = ...
        return lesson.backward_in_rows(X, Y, *parameters)

    assert check("05.4", backward_pass).status == "unattempted"
    assert check("05.5", training).status == "unattempted"
