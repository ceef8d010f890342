import numpy as np
import pytest

from dlcourse.lessons.maths.activations import sigmoid
from dlcourse.lessons.maths.calculus import gradient
from dlcourse.lessons.maths.recurrent import lstm, lstm_cell, simple_rnn, simple_rnn_backward

rng = np.random.default_rng(0)


def test_a_simple_rnn_by_hand():
    z, h = simple_rnn([[1.0], [2.0]], [[0.5]], [[2.0]], [0.1])
    first = np.tanh(0.5 + 0.1)
    assert h[:, 0] == pytest.approx([first, np.tanh(1.0 + 2 * first + 0.1)], rel=1e-12)
    assert z[:, 0] == pytest.approx([0.6, 1.1 + 2 * first], rel=1e-12)


def test_an_lstm_cell_by_hand():
    # gates in the order i, f, c, o; with zero weights they are the bias alone
    step = lstm_cell([1.0], [0.0], [2.0], np.zeros((1, 4)), np.zeros((1, 4)), [0, 1, 2, 3])
    assert step.input_gate[0] == 0.5
    assert step.forget_gate[0] == sigmoid(1)
    assert step.candidate[0] == np.tanh(2)
    assert step.output_gate[0] == sigmoid(3)
    assert step.c[0] == pytest.approx(sigmoid(1) * 2 + 0.5 * np.tanh(2), rel=1e-12)
    assert step.h[0] == pytest.approx(sigmoid(3) * np.tanh(step.c[0]), rel=1e-12)


def test_an_open_forget_gate_keeps_the_state_for_ever():
    bias = [-1000.0, 1000.0, 0.0, 0.0]  # nothing in, nothing forgotten
    h, c = np.zeros(1), np.array([0.7])
    for _ in range(50):
        step = lstm_cell([1.0], h, c, np.zeros((1, 4)), np.zeros((1, 4)), bias)
        h, c = step.h, step.c
    assert c[0] == 0.7


def test_a_batch_is_its_sequences_one_by_one():
    X, W, U = rng.normal(size=(3, 5, 2)), rng.normal(size=(2, 8)), rng.normal(size=(2, 8))
    b = rng.normal(size=8)
    for i in range(3):
        assert np.allclose(lstm(X, W, U, b)[-1].h[i], lstm(X[i], W, U, b)[-1].h, rtol=1e-12)
        whole, one = (simple_rnn(x, W[:, :2], U[:, :2], b[:2]).h for x in (X, X[i]))
        assert np.allclose(whole[i], one, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_back_propagation_through_time_is_that_of_differences(shape):
    X, W, U, b = (
        rng.normal(size=shape),
        rng.normal(size=(3, 2)),
        rng.normal(size=(2, 2)),
        np.ones(2),
    )
    dh = rng.normal(size=(*shape[:-1], 2))
    found = simple_rnn_backward(X, W, U, b, dh)

    def cost(X=X, W=W, U=U, b=b):
        return (simple_rnn(X, W, U, b).h * dh).sum()

    assert np.allclose(found.dX, gradient(lambda v: cost(X=v), X), rtol=1e-6, atol=1e-9)
    assert np.allclose(found.dW, gradient(lambda v: cost(W=v), W), rtol=1e-6, atol=1e-9)
    assert np.allclose(found.dU, gradient(lambda v: cost(U=v), U), rtol=1e-6, atol=1e-9)
    assert np.allclose(found.db, gradient(lambda v: cost(b=v), b), rtol=1e-6, atol=1e-9)


def test_errors_say_which_argument_and_what_came():
    W, U, b = np.ones((2, 3)), np.ones((3, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"^X: expected shape \(T, n\) or \(m, T, n\), got \(2,\)"):
        simple_rnn([1, 2], W, U, b)
    with pytest.raises(ValueError, match=r"^W: expected shape \(4, 3\), got \(2, 3\)"):
        simple_rnn(np.ones((5, 4)), W, U, b)
    with pytest.raises(ValueError, match=r"^U: expected shape \(3, 12\), got \(3, 3\)"):
        lstm(np.ones((5, 2)), W, U, b)
    with pytest.raises(ValueError, match=r"^b: expected shape \(3,\), got \(4,\)"):
        simple_rnn(np.ones((5, 2)), W, U, np.ones(4))
    with pytest.raises(ValueError, match=r"^dh: expected shape \(5, 3\), got \(5, 2\)"):
        simple_rnn_backward(np.ones((5, 2)), W, U, b, np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"^c: expected shape \(1,\), got \(2,\)"):
        lstm_cell([1.0], [0.0], [0, 0], np.ones((1, 4)), np.ones((1, 4)), np.ones(4))
    with pytest.raises(ValueError, match="X: expected finite numbers, got nan"):
        simple_rnn([[np.nan, 1]], W, U, b)
