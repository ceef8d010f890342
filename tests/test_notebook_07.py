"""The exercises of notebook 07: answers in odd forms, and the bar of the network to mend."""

import inspect

import numpy as np
import pytest

from dlcourse.lessons.exercises import check
from dlcourse.lessons.exercises.overfitting import (
    BAR,
    _points,
    cross_entropy,
    mended,
    moons,
)


@pytest.mark.parametrize("answer", ["7, 4", "7 and 4", "epoch 7, epoch 4", [[7], [4]], (7.0, 4)])
def test_two_epochs_may_be_written_in_many_ways(answer):
    assert check("07.1", answer)


@pytest.mark.parametrize(
    "words",
    [
        ("overfit", "underfit", "good", "not learning"),
        ("Over-fitting.", "under fitting", "Good fit", "NOT_LEARNING"),
        ("overfitting", "underfitting", "good_fit", "not-learning"),
    ],
)
def test_diagnoses_are_known_in_their_spellings(words):
    named = dict(zip("ABCD", words, strict=True))
    assert check("07.3", named)
    assert check("07.3", list(named.items()))
    assert check("07.3", {f"({key.lower()})": word for key, word in named.items()})


def test_dropout_in_other_words_is_right():
    def with_choice(a, rate, training, random):
        if not training:
            return a
        return a * random.choice([0, 1], a.shape, p=[rate, 1 - rate]) / (1 - rate)

    def own_generator(a, rate, training, _):
        if not training:
            return a
        return a * (np.random.default_rng().random(a.shape) >= rate) / (1 - rate)

    def as_list(a, rate, training, random):
        kept = random.random(a.shape) > rate if training else np.ones(a.shape, bool)
        return np.where(kept, a / (1 - rate * training), 0).tolist()

    for answer in (with_choice, own_generator, as_list):
        assert check("07.4", answer)


def test_an_open_dropout_and_an_open_network_are_not_attempted():
    import keras

    def open_dropout(*_):
        return ...

    def open_network(x_train, y_train, x_val, y_val):
        model = keras.Sequential([keras.Input((2,)), ..., keras.layers.Dense(1)])
        model.fit(x_train, y_train, validation_data=(x_val, y_val))
        return model

    assert check("07.4", open_dropout).status == "unattempted"
    assert check("07.5", open_network).status == "unattempted"


class Sure:
    """A model that is certain of the same class for every point."""

    def predict(self, x):
        return np.ones((len(x), 1))


def test_a_network_that_is_certain_and_wrong_has_a_finite_loss():
    assert 7 < cross_entropy(Sure(), np.zeros((2, 2)), np.array([1, 0])) < 9


@pytest.mark.seeds
def test_a_mended_network_passes_the_bar_of_the_moons_with_three_seeds():
    given, new = moons()
    for seed in range(3):
        cell = {"np": np}
        code = inspect.getsource(mended).replace("set_random_seed(0)", f"set_random_seed({seed})")
        exec(code, cell)
        assert cross_entropy(cell["mended"](*given), *new) <= BAR - 0.02


@pytest.mark.seeds
def test_the_untouched_network_and_a_straight_line_miss_the_bar_of_the_moons():
    given, new = moons()
    assert cross_entropy(_points(128, 128)(*given), *new) > BAR + 0.05
    assert cross_entropy(_points()(*given), *new) > BAR + 0.05
