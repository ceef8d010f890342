"""Notebook 03's exercises: the bar of the network, and answers in many forms."""

# ruff: noqa: ARG005, N803 - answers have the lesson's symbols

import numpy as np
import pytest

from dlcourse.lessons.exercises import check
from dlcourse.lessons.exercises import regression as lesson


@pytest.fixture
def other_seed(monkeypatch):
    """Return a function that moves every seed that an answer sets."""
    import keras

    real = keras.utils.set_random_seed

    def move(by):
        monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: real(seed + by))

    return move


@pytest.mark.seeds
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_neuron_on_standardised_inputs_reaches_the_bar_from_any_start(other_seed, seed):
    other_seed(seed)
    assert check("03.5", lesson.tumour_network)


@pytest.mark.seeds
def test_unscaled_inputs_one_column_and_few_steps_miss_the_bar():
    for answer in (lesson.unscaled, lesson._one_column, lesson._scaled(epochs=3)):
        assert check("03.5", answer).status == "wrong"


def test_the_majority_misses_the_bar_of_the_network():
    _, y_train, _, y = lesson.tumours()
    assert lesson.cross_entropy(y, np.full(len(y), y_train.mean())) > 0.6 > lesson.BAR


def test_the_data_of_the_network_is_as_many_tumours_as_the_question_says():
    x_train, _, x, _ = lesson.tumours()
    assert (len(x_train), len(x)) == (318, 137)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("03.1", "0.223"),
        ("03.1", [[0.2231]]),
        ("03.1", np.log(1.25)),
        ("03.1", " 0.2231 "),
        ("03.3", "1/21"),
        ("03.3", "4.76 %"),
        ("03.3", np.array([0.0476])),
        ("03.3", 1 / (1 + 20)),
        ("03.2", lambda x, w, b, y, r: (*lesson.step(x, w, b, y, r),)),
        ("03.2", lambda *case: [lesson.step(*case)[0][:, None], [lesson.step(*case)[1]]]),
    ],
)
def test_an_unusual_form_of_a_right_answer_is_read(name, answer):
    assert check(name, answer), check(name, answer)


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("03.1", 1.609, "This is the loss for y = 0"),
        ("03.1", "0,2231", "Write a decimal point"),
        ("03.3", 4.76, "A probability lies from 0 to 1"),
        ("03.3", 0.05, "Close; but"),
        ("03.4", lambda X, y, rate, steps: (np.zeros(3), 0.0), "After one step w is still 0"),
        ("03.4", lambda X, y, rate, steps: lesson.descend(X, y, 1.0, steps), "The first step is"),
        ("03.4", lambda X, y, rate, steps: lesson.descend(X, y, -rate, steps), "After one step"),
        ("03.4", lambda X, y, rate, steps: lesson.descend(X, y, rate / 4, steps), "After one step"),
    ],
)
def test_a_mistake_is_named(name, answer, message):
    assert check(name, answer).message.startswith(message), check(name, answer)


def test_a_skeleton_with_open_places_is_not_attempted():
    def untouched(X, y, learning_rate, steps):
        w, b = np.zeros(X.shape[1]), 0.0
        for _ in range(steps):
            a = ...
            dz = a - y
            dw = ...
            db = ...
            w = w - learning_rate * dw
            b = b - learning_rate * (db + dz)
        return w, b

    assert check("03.4", untouched).status == "unattempted"
