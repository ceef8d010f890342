"""The bar of exercise 00.5 is reached by a small convolutional network and by nothing simpler."""

import inspect

import numpy as np
import pytest

from dlcourse.lessons.exercises import check, setup_and_tour
from dlcourse.lessons.exercises.networks import share_right
from dlcourse.lessons.exercises.setup_and_tour import BAR, _network, scattered_digits


class Classes:
    """A model with these answers."""

    def __init__(self, labels):
        self.labels = labels

    def predict(self, x):
        return np.eye(10)[np.resize(self.labels, len(x))]


def test_the_scattered_digits_are_whole_and_the_largest_class_is_far_below_the_bar():
    x_train, y_train, x_new, y_new = scattered_digits()
    assert x_train.shape == (1221, 12, 12, 1)
    assert x_new.shape == (864, 12, 12, 1)
    assert np.bincount(y_new).max() / len(y_new) < 0.12
    assert x_train.max() == 16
    assert len(y_train) == len(x_train)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0.1, "Guessing reaches 0.10"),
        (0.33, "That is what one layer of weights reaches"),
        (0.7, "Dense layers alone reach"),
    ],
)
def test_a_network_is_told_what_its_share_points_to(share, message):
    y_new = scattered_digits()[3]
    labels = np.where(np.arange(len(y_new)) < share * len(y_new), y_new, (y_new + 1) % 10)
    assert check("00.5", lambda *_: Classes(labels)).message.startswith(message)


@pytest.mark.seeds
def test_the_tours_network_passes_the_bar_and_dense_layers_do_not():
    x_train, y_train, x_new, y_new = scattered_digits()

    def share(answer):
        return share_right(answer(x_train, y_train), x_new, y_new, 10)

    code = inspect.getsource(setup_and_tour.tour_network)
    for seed in range(3):  # measured: 0.90 to 0.93
        cell = {}
        exec(code.replace("set_random_seed(0)", f"set_random_seed({seed})"), cell)
        measured = share(cell["tour_network"])
        assert measured >= BAR + 0.01, measured
    assert share(_network()) < 0.42
    assert share(_network("relu")) < BAR - 0.03
    assert share(_network("relu", "relu", epochs=20)) < BAR - 0.03  # measured: 0.73 to 0.76
