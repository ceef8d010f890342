import numpy as np
import pytest

from dlcourse.lessons.maths import losses
from dlcourse.lessons.maths.activations import sigmoid, softmax
from dlcourse.lessons.maths.calculus import gradient

rng = np.random.default_rng(0)
Z = rng.normal(size=(4, 3))
LABELS = np.eye(3)[[0, 2, 1, 1]]
BINARY = np.array([[1.0, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]])


def test_losses_by_hand():
    assert losses.mse([2.5, 0, 2, 8], [3, -0.5, 2, 7]) == 0.375
    assert losses.binary_cross_entropy([0.9, 0.2], [1, 0]) == pytest.approx(
        -(np.log(0.9) + np.log(0.8)) / 2
    )
    assert losses.categorical_cross_entropy([[0.7, 0.2, 0.1]], [[1, 0, 0]]) == pytest.approx(
        -np.log(0.7)
    )


def test_the_penalty_has_two_conventions():
    assert losses.l2_penalty([1, 2, 3, 4], 0.1) == pytest.approx(3.0)
    assert losses.l2_penalty([1, 2, 3, 4], 0.1, convention="lecture", examples=10) == pytest.approx(
        0.15
    )


@pytest.mark.parametrize(
    ("name", "first", "y"),
    [
        ("mse", Z, BINARY),
        ("binary_cross_entropy", sigmoid(Z), BINARY),
        ("categorical_cross_entropy", softmax(Z), LABELS),
        ("sigmoid_cross_entropy", Z, BINARY),
        ("softmax_cross_entropy", Z, LABELS),
    ],
)
def test_the_derivative_is_that_of_the_loss(name, first, y):
    loss, derivative = getattr(losses, name), getattr(losses, f"{name}_derivative")
    difference = gradient(lambda value: loss(value, y), first, step=1e-6)
    # central differences are exact to about 1e-9 here
    assert np.allclose(derivative(first, y), difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("convention", ["keras", "lecture"])
def test_the_penaltys_derivative_is_that_of_the_penalty(convention):
    settings = {"convention": convention, "examples": 7}
    difference = gradient(lambda W: losses.l2_penalty(W, 0.3, **settings), Z)
    assert np.allclose(losses.l2_penalty_derivative(Z, 0.3, **settings), difference, rtol=1e-6)


def test_of_logits_and_of_probabilities_agree():
    assert losses.sigmoid_cross_entropy(Z, BINARY) == pytest.approx(
        losses.binary_cross_entropy(sigmoid(Z), BINARY), rel=1e-12
    )
    assert losses.softmax_cross_entropy(Z, LABELS) == pytest.approx(
        losses.categorical_cross_entropy(softmax(Z), LABELS), rel=1e-12
    )


def test_certain_and_wrong_costs_the_logit_and_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert losses.sigmoid_cross_entropy(-1000.0, 1.0) == 1000
        assert losses.sigmoid_cross_entropy_derivative(-1000.0, 1.0) == -1
        assert losses.softmax_cross_entropy([[1000.0, -1000.0]], [[0, 1]]) == 2000
        derivative = losses.softmax_cross_entropy_derivative([[1000.0, -1000.0]], [[0, 1]])
        assert derivative.tolist() == [[1, -1]]


def test_certain_probabilities_give_zero_or_infinity_without_warnings():
    with np.errstate(all="raise"):
        assert losses.binary_cross_entropy([1.0, 0.0], [1, 0]) == 0
        assert losses.binary_cross_entropy([0.0], [1]) == np.inf
        assert losses.binary_cross_entropy_derivative([0.0], [1]).tolist() == [-np.inf]
        assert losses.categorical_cross_entropy_derivative([1e-310, 1.0], [1, 0])[0] == -np.inf
        assert losses.categorical_cross_entropy([0.0, 1.0], [0, 1]) == 0


def test_one_hot():
    assert losses.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match=r"^y: expected shape \(2,\), got \(3,\)"):
        losses.mse([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="y_hat: expected finite numbers, got nan"):
        losses.mse([np.nan], [1])
    with pytest.raises(ValueError, match="y_hat: expected probabilities from 0 to 1, got"):
        losses.binary_cross_entropy([1.5], [1])
    with pytest.raises(ValueError, match="convention: expected one of keras, lecture, got 'other'"):
        losses.l2_penalty([1], 0.1, convention="other")
    with pytest.raises(ValueError, match="strength: expected a number of at least 0, got -1"):
        losses.l2_penalty([1], -1)
    with pytest.raises(ValueError, match="labels: expected integers from 0 to 2, got"):
        losses.one_hot([3], 3)
    with pytest.raises(ValueError, match="classes: expected an integer of at least 1, got 'a'"):
        losses.one_hot([0], "a")
    with pytest.raises(ValueError, match="classes: expected an integer of at least 1, got 0"):
        losses.one_hot([0], 0)
    for name in ("sigmoid_cross_entropy", "softmax_cross_entropy"):
        for part in (name, f"{name}_derivative"):
            with pytest.raises(ValueError, match="y: expected probabilities from 0 to 1, got"):
                getattr(losses, part)([1.0, 2.0], [-1, 1])
