"""Self-attention with one head, forward and backward.

One sequence X is (T, n): T tokens of n features; batches are (m, T, n). The parameters are Keras'
`MultiHeadAttention(num_heads=1).get_weights()`, whose axis of heads may be left out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import softmax
from dlcourse.lessons.maths.arguments import array, rows


class AttentionParameters(NamedTuple):
    """Kernels and biases of query, key, value and output, in Keras' order."""

    W_q: np.ndarray
    b_q: np.ndarray
    W_k: np.ndarray
    b_k: np.ndarray
    W_v: np.ndarray
    b_v: np.ndarray
    W_o: np.ndarray
    b_o: np.ndarray


class Attention(NamedTuple):
    """Scaled scores and softmax weights (…, T, T), the weighted values and the output (…, T, k)."""

    Q: np.ndarray
    K: np.ndarray
    V: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    mixed: np.ndarray
    output: np.ndarray


class AttentionGradient(NamedTuple):
    """The derivative of the cost by the inputs, and by each parameter."""

    dX: np.ndarray
    dparameters: AttentionParameters


def self_attention(
    X: ArrayLike, parameters: Sequence[ArrayLike], *, causal: bool = False, mask: Any = None
) -> Attention:
    """Return softmax(Q·Kᵀ/√d)·V and its projection: each token takes from all what fits its query.

    Args:
        X: Sequence (T, n) or batch (m, T, n).
        parameters: W_q, b_q, W_k, b_k, W_v, b_v, W_o, b_o: kernels (n, d), (n, d), (n, v), (v, k)
            and their biases.
        causal: Whether a token attends only to itself and to those before it.
        mask: Booleans (T,) or (m, T), False at padding, to which no token attends.

    References:
        Vaswani et al. 2017, Attention Is All You Need, equation 1.
    """
    X, p = _arguments(X, parameters)
    Q, K, V = X @ p.W_q + p.b_q, X @ p.W_k + p.b_k, X @ p.W_v + p.b_v
    scores = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    # e^−1e30 is exactly 0; where nothing is allowed, the softmax is finite and uniform
    weights = softmax(np.where(_allowed(X, causal, mask), scores, -1e30))
    mixed = weights @ V
    return Attention(Q, K, V, scores, weights, mixed, mixed @ p.W_o + p.b_o)


def self_attention_backward(
    X: ArrayLike,
    parameters: Sequence[ArrayLike],
    doutput: ArrayLike,
    *,
    causal: bool = False,
    mask: Any = None,
) -> AttentionGradient:
    """Return the gradient by backpropagation.

    Args:
        X, parameters, causal, mask: Arguments of `self_attention`.
        doutput: Derivative of the cost by the output, (…, T, k).
    """
    a = self_attention(X, parameters, causal=causal, mask=mask)
    X, p = _arguments(X, parameters)
    doutput = array("doutput", doutput, a.output.shape)
    dmixed = doutput @ p.W_o.T
    dweights = dmixed @ np.swapaxes(a.V, -1, -2)
    # softmax′ by rows: ds = w·(dw − Σ w·dw)
    dscores = a.weights * (dweights - (a.weights * dweights).sum(axis=-1, keepdims=True))
    dscores *= _allowed(X, causal, mask) / np.sqrt(a.Q.shape[-1])
    dQ, dK = dscores @ a.K, np.swapaxes(dscores, -1, -2) @ a.Q
    dV = np.swapaxes(a.weights, -1, -2) @ dmixed
    gradients = []
    for inputs, dz in ((X, dQ), (X, dK), (X, dV), (a.mixed, doutput)):
        gradients += [rows(inputs).T @ rows(dz), rows(dz).sum(axis=0)]
    dX = dQ @ p.W_q.T + dK @ p.W_k.T + dV @ p.W_v.T
    return AttentionGradient(dX, AttentionParameters(*gradients))


def _arguments(
    X: ArrayLike, parameters: Sequence[ArrayLike]
) -> tuple[np.ndarray, AttentionParameters]:
    X = array("X", X, ("T", "n"), ("m", "T", "n"))
    if len(parameters) != 8:
        raise ValueError(f"parameters: expected 8 arrays, W_q, b_q, …, got {len(parameters)}")
    p = AttentionParameters(*map(np.asarray, parameters))
    n = X.shape[-1]
    W_q, b_q = _dense("q", p.W_q, p.b_q, n, "d")
    W_k, b_k = _dense("k", p.W_k, p.b_k, n, W_q.shape[1])
    W_v, b_v = _dense("v", p.W_v, p.b_v, n, "v")
    v = W_v.shape[1]
    W_o = array("W_o", p.W_o, (v, "k"), (1, v, "k")).reshape(v, -1)
    b_o = array("b_o", p.b_o, (W_o.shape[1],))
    return X, AttentionParameters(W_q, b_q, W_k, b_k, W_v, b_v, W_o, b_o)


def _dense(
    name: str, W: np.ndarray, b: np.ndarray, n: int, d: int | str
) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel (n, d) and its bias (d,) without the axis of the one head."""
    W = array(f"W_{name}", W, (n, d), (n, 1, d)).reshape(n, -1)
    units = W.shape[1]
    return W, array(f"b_{name}", b, (units,), (1, units)).reshape(units)


def _allowed(X: np.ndarray, causal: bool, mask: Any) -> np.ndarray:
    """Return (…, T, T) booleans: row i says to which tokens token i may attend."""
    T = X.shape[-2]
    allowed = np.tri(T, dtype=bool) if causal else np.ones((T, T), bool)
    if mask is None:
        return allowed
    return allowed & (array("mask", mask, X.shape[:-1])[..., None, :] > 0)
