"""Recurrent networks: the simple RNN, forward and backward through time, and the LSTM's gates.

One sequence X is (T, n): T time steps of n features; batches are (m, T, n). The weights have Keras'
names and order: W `kernel` (n, units), U `recurrent_kernel` (units, units), b `bias` (units,). The
weights of an LSTM hold the four gates side by side in Keras' order i, f, c, o.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import sigmoid, tanh, tanh_derivative
from dlcourse.lessons.maths.arguments import array, rows


class RNN(NamedTuple):
    """A simple RNN's z and state h at every time step, (…, T, units)."""

    z: np.ndarray
    h: np.ndarray


class RNNGradient(NamedTuple):
    """The derivative of the cost by the inputs, and by the weights, summed over time."""

    dX: np.ndarray
    dW: np.ndarray
    dU: np.ndarray
    db: np.ndarray


class LSTMStep(NamedTuple):
    """The gates of one time step and the states after it, each (…, units)."""

    input_gate: np.ndarray
    forget_gate: np.ndarray
    candidate: np.ndarray
    output_gate: np.ndarray
    c: np.ndarray
    h: np.ndarray


def simple_rnn(X: ArrayLike, W: ArrayLike, U: ArrayLike, b: ArrayLike) -> RNN:
    """Return z_t = x_t·W + h_{t−1}·U + b and h_t = tanh z_t for every t, from h = 0.

    Args:
        X: Sequence (T, n) or batch (m, T, n).
        W, U, b: Weights (n, units), (units, units), (units,).
    """
    X, W, U, b = _arguments(X, W, U, b, gates=1)
    z = np.empty((*X.shape[:-1], len(U)))
    h = np.empty_like(z)
    state = np.zeros_like(z[..., 0, :])
    for t in range(X.shape[-2]):
        z[..., t, :] = X[..., t, :] @ W + state @ U + b
        state = h[..., t, :] = tanh(z[..., t, :])
    return RNN(z, h)


def simple_rnn_backward(
    X: ArrayLike, W: ArrayLike, U: ArrayLike, b: ArrayLike, dh: ArrayLike
) -> RNNGradient:
    """Return the gradient by backpropagation through time.

    Args:
        X, W, U, b: Arguments of `simple_rnn`.
        dh: Direct derivative of the cost by each h_t, (…, T, units); zeros before the last t if the
            cost depends only on the last state.
    """
    z, h = simple_rnn(X, W, U, b)
    X, W, U, b = _arguments(X, W, U, b, gates=1)
    dz = array("dh", dh, h.shape).copy()
    for t in reversed(range(h.shape[-2])):
        if t + 1 < h.shape[-2]:
            dz[..., t, :] += dz[..., t + 1, :] @ U.T  # the gradient from the next time step
        dz[..., t, :] *= tanh_derivative(z[..., t, :])
    before = np.concatenate([np.zeros_like(h[..., :1, :]), h[..., :-1, :]], axis=-2)
    return RNNGradient(
        dz @ W.T,
        rows(X).T @ rows(dz),
        rows(before).T @ rows(dz),
        rows(dz).sum(axis=0),
    )


def lstm_cell(
    x: ArrayLike, h: ArrayLike, c: ArrayLike, W: ArrayLike, U: ArrayLike, b: ArrayLike
) -> LSTMStep:
    """Return the gates and the new states of one time step.

    i, f, o = σ(x·W + h·U + b), candidate = tanh(…), c′ = f·c + i·candidate, h′ = o·tanh c′.

    Args:
        x: Features (n,) or (m, n).
        h, c: Previous states, (units,) or (m, units).
        W, U, b: Weights (n, 4·units), (units, 4·units), (4·units,), gates in the order i, f, c, o.

    References:
        Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000.
    """
    x = array("x", x, ("n",), ("m", "n"))
    sequence, W, U, b = _arguments(x[..., None, :], W, U, b, gates=4)
    state = (*x.shape[:-1], len(U))
    h, c = array("h", h, state), array("c", c, state)
    z = sequence[..., 0, :] @ W + h @ U + b
    z_i, z_f, z_c, z_o = np.split(z, 4, axis=-1)
    i, f, candidate, o = sigmoid(z_i), sigmoid(z_f), tanh(z_c), sigmoid(z_o)
    new_c = f * c + i * candidate
    return LSTMStep(i, f, candidate, o, new_c, o * tanh(new_c))


def lstm(X: ArrayLike, W: ArrayLike, U: ArrayLike, b: ArrayLike) -> list[LSTMStep]:
    """Return every time step's gates and states, from h = c = 0.

    Args:
        X: Sequence (T, n) or batch (m, T, n).
        W, U, b: Weights as for `lstm_cell`.
    """
    X, W, U, b = _arguments(X, W, U, b, gates=4)
    h = c = np.zeros((*X.shape[:-2], len(U)))
    steps = []
    for t in range(X.shape[-2]):
        steps.append(lstm_cell(X[..., t, :], h, c, W, U, b))
        h, c = steps[-1].h, steps[-1].c
    return steps


def _arguments(
    X: ArrayLike, W: ArrayLike, U: ArrayLike, b: ArrayLike, gates: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X = array("X", X, ("T", "n"), ("m", "T", "n"))
    U = array("U", U, ("units", "units" if gates == 1 else f"{gates}·units"))
    units = len(U)
    U = array("U", U, (units, gates * units))
    W = array("W", W, (X.shape[-1], gates * units))
    return X, W, U, array("b", b, (gates * units,))
