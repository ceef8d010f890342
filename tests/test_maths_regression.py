from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split

from dlcourse.lessons.maths import regression
from dlcourse.lessons.maths.calculus import gradient
from dlcourse.lessons.maths.losses import sigmoid_cross_entropy

rng = np.random.default_rng(0)


def test_one_logistic_step_of_the_slides():
    step = regression.logistic_step((5, 3), (0.5, 0.5), 1, 1, 0.01)
    digits: Any = {"abs": 5e-11}  # ten digits are given
    assert step.z == 5
    assert step.a == pytest.approx(0.9933071491, **digits)
    assert step.loss == pytest.approx(0.0067153485, **digits)
    assert step.da == pytest.approx(-1.0067379470, **digits)
    assert step.dz == pytest.approx(-0.0066928509, **digits)
    assert step.dw == pytest.approx([-0.0334642546, -0.0200785528], **digits)
    assert step.db == pytest.approx(-0.0066928509, **digits)
    assert step.new_w == pytest.approx([0.5003346425, 0.5002007855], **digits)
    assert step.new_b == pytest.approx(1.0000669285, **digits)


def test_da_times_a_times_one_minus_a_is_a_minus_y():
    step = regression.logistic_step((1, 2), (0.3, -0.4), 0.2, 0, 0.1)
    assert step.da * step.a * (1 - step.a) == pytest.approx(step.dz, rel=1e-12)


def test_a_saturated_step_stays_finite_where_it_is():
    step = regression.logistic_step((1000,), (1,), 0, 0, 1.0)
    assert (step.a, step.loss, step.dz) == (1, 1000, 1)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 5), (7, 40)])
def test_loop_and_vectorised_are_equal_to_1e_12(n, m):
    X, Y = rng.normal(size=(n, m)), rng.integers(0, 2, (1, m))
    w, b = rng.normal(size=(n, 1)), 0.3
    loop = regression.logistic_gradient_loop(X, Y, w, b)
    fast = regression.logistic_gradient_vectorised(X, Y, w, b)
    assert loop.J == pytest.approx(fast.J, abs=1e-12)
    assert np.allclose(loop.dw, fast.dw, rtol=0, atol=1e-12)
    assert loop.db == pytest.approx(fast.db, abs=1e-12)


def test_the_gradient_is_that_of_the_cost():
    X, Y, w = rng.normal(size=(3, 8)), rng.integers(0, 2, (1, 8)), rng.normal(size=(3, 1))
    found = regression.logistic_gradient_vectorised(X, Y, w, 0.5)
    dw = gradient(lambda v: sigmoid_cross_entropy(v.T @ X + 0.5, Y), w)
    assert np.allclose(found.dw, dw, rtol=1e-6, atol=1e-10)


def test_linear_regression_finds_the_line_and_agrees_with_scikit_learn():
    X = rng.normal(size=(30, 2))
    exact = regression.linear_regression(X, X @ [2, -1] + 3)
    assert exact.W == pytest.approx([2, -1])
    assert exact.b == pytest.approx(3)
    y = X @ [2, -1] + 3 + rng.normal(size=30)
    ours, oracle = regression.linear_regression(X, y), LinearRegression().fit(X, y)
    assert ours.predict(X) == pytest.approx(oracle.predict(X), rel=1e-9)


def test_descent_reaches_the_closed_form():
    X = rng.normal(size=(30, 2))
    y = X @ [2, -1] + 3 + rng.normal(size=30)
    closed = regression.linear_regression(X, y)
    descended = regression.linear_regression_descent(X, y, learning_rate=0.1, steps=500)
    assert descended.W == pytest.approx(closed.W, rel=1e-6)
    assert descended.b == pytest.approx(closed.b, rel=1e-6)
    assert (np.diff(descended.costs) <= 1e-15).all()  # a rounding step at the minimum


def test_logistic_regression_agrees_with_scikit_learn():
    X = rng.normal(size=(60, 2))
    y = (X @ [1, -1] + rng.normal(size=60) > 0).astype(int)
    ours = regression.logistic_regression(X, y, learning_rate=1.0, steps=2000)
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    # the oracle's own stopping rule leaves about 1e-4
    assert ours.predict(X) == pytest.approx(oracle.predict_proba(X)[:, 1], abs=1e-3)


def test_softmax_regression_reads_digits():
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    model = regression.softmax_regression(train, y_train, classes=10, learning_rate=1.0, steps=300)
    probabilities = model.predict(test)
    assert probabilities.shape == (450, 10)
    assert np.mean(probabilities.argmax(axis=1) == y_test) >= 0.94


def test_a_learning_rate_that_is_too_large_is_named():
    X = np.array([[1.0], [1000.0]])
    with pytest.raises(ValueError, match=r"learning_rate: expected less than 0\.1: the w"):
        regression.linear_regression_descent(X, [1, 2])


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match=r"^w: expected shape \(2,\), got \(3,\)"):
        regression.logistic_step((1, 2), (1, 2, 3), 0, 0, 0.1)
    with pytest.raises(ValueError, match="y: expected a number from 0 to 1, got 2"):
        regression.logistic_step((1,), (1,), 0, 2, 0.1)
    with pytest.raises(ValueError, match=r"z = w·x \+ b: expected finite numbers, got inf"):
        regression.logistic_step((1e308,), (1e308,), 0, 1, 0.1)
    with pytest.raises(ValueError, match="new w = w − α·x·dz: expected finite numbers, got -inf"):
        regression.logistic_step((1e200,), (1,), 0, 0, 1e200)
    with pytest.raises(ValueError, match="x: expected finite numbers, got nan"):
        regression.logistic_step((np.nan,), (1,), 0, 1, 0.1)
    with pytest.raises(ValueError, match=r"^Y: expected shape \(1, 4\), got \(4,\)"):
        regression.logistic_gradient_loop(np.ones((2, 4)), np.ones(4), np.ones((2, 1)), 0)
    for form in (regression.logistic_gradient_loop, regression.logistic_gradient_vectorised):
        with pytest.raises(ValueError, match="Y: expected probabilities from 0 to 1, got -1 to 1"):
            form(np.ones((1, 2)), [[-1, 1]], [[1]], 0)
    with pytest.raises(ValueError, match="y: expected labels 0 and 1, got"):
        regression.logistic_regression(np.ones((2, 1)), [1, 2])
    with pytest.raises(ValueError, match=r"^y: expected shape \(2,\), got \(1,\)"):
        regression.linear_regression(np.ones((2, 1)), [1])
    with pytest.raises(ValueError, match=r"^X: expected shape \(m, 1\), got \(2, 3\)"):
        regression.linear_regression(np.ones((2, 1)), [1, 1]).predict(np.ones((2, 3)))
