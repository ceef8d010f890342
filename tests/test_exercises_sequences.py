"""Exercises 10.2 to 10.5: odd forms of right answers, and the bar of the network, measured."""

import inspect

import numpy as np
import pytest

from dlcourse.lessons.exercises import check, sequences
from dlcourse.lessons.exercises.sequences import BAR, DENSE, new_signals, trained


@pytest.mark.parametrize(
    "answer",
    [{"a", "d", "e"}, "a,d,e", "ADE", "d e a", "a; d; e", ["a", "d", "e"], "(a), (d), (e)",
     np.array(["a", "d", "e"]), {"a": True, "b": False, "c": False, "d": True, "e": True},
     frozenset("ade")],
)  # fmt: skip
def test_networks_without_order_are_named_in_any_form(answer):
    assert check("10.3", answer)


@pytest.mark.parametrize("answer", ["all", "a and a", 3, {"a", "f"}, "none", [], {1, 2}, "a-e"])
def test_what_names_no_networks_is_asked_for_letters(answer):
    assert check("10.3", answer).message.startswith("Answer with letters")


@pytest.mark.parametrize(
    "answer", [6272, "6,272", "6272 parameters", [6272], np.array([6272.0]), 4 * 1568]
)
def test_the_weights_of_an_lstm_are_counted(answer):
    assert check("10.2", answer)


def test_an_attention_that_is_half_written_is_not_attempted():
    def skeleton(*arguments):
        powers = np.where(arguments[3], np.exp(arguments[0] @ arguments[1].T), ...)
        return powers / ..., powers

    assert check("10.4", lambda q, k, v, mask: q @ k.T / ...).status == "unattempted"  # noqa: ARG005
    assert check("10.4", lambda *_: (..., np.ones((2, 3)))).status == "unattempted"
    assert check("10.4", skeleton).status == "unattempted"


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0.0, "Guessing reaches 0.10"),
        (0.3, "A single dense layer reaches 0.31"),
        (0.6, "Dense layers reach 0.60"),
        (0.89, "The bar is 0.90"),
        (0.91, "A convolution looks for a shape at every step"),
    ],
)
def test_a_network_is_told_what_its_share_of_right_signals_points_to(share, message):
    class Network:
        def predict(self, x, **_):
            _, labels = new_signals()
            wrong = np.arange(len(x)) >= share * len(x)
            return np.eye(10)[(labels + wrong) % 10]

    verdict = check("10.5", lambda *_: Network())
    assert verdict.message.startswith(message)
    if not verdict:
        assert f"Yours reads {share:.2f} of the new signals correctly." in verdict.message


def test_the_new_signals_are_not_those_of_the_data_set():
    from dlcourse.datasets import load_dataset

    data, (x, y) = load_dataset("mnist1d"), new_signals()
    known = {row.tobytes() for part, _ in data.splits.values() for row in part}
    assert len(x) == len(y) == 1000
    assert not known & {row.tobytes() for row in x}


@pytest.mark.seeds
def test_a_convolution_passes_the_bar_of_the_signals_and_simpler_models_do_not():
    from sklearn.ensemble import RandomForestClassifier

    from dlcourse.datasets import load_dataset

    data, (x, y) = load_dataset("mnist1d"), new_signals()

    def accuracy(answer):
        guesses = answer(data.x_train, data.y_train).predict(x, verbose=0)
        return np.mean(guesses.argmax(axis=1) == y)

    code = inspect.getsource(sequences.signal_network)
    for seed in range(3):
        cell = {}
        exec(code.replace("set_random_seed(0)", f"set_random_seed({seed})"), cell)
        assert accuracy(cell["signal_network"]) >= BAR + 0.005
    assert 0.5 < accuracy(trained(20, *DENSE)) < 0.66
    forest = RandomForestClassifier(200, random_state=0).fit(data.x_train[..., 0], data.y_train)
    assert forest.score(x[..., 0], y) < BAR - 0.1
