"""Losses, each with its derivative beside it; the mean over the examples is the slides' J.

`y_hat` and `y` have the same shape: (m,) or (m, outputs). Each cross-entropy has two versions: of
probabilities, as on the slides, and of logits `z`, where log and exp cancel and the derivative is
simply a − y. Wrong shapes, NaN and probabilities outside 0…1 raise ValueError.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import sigmoid, softmax
from dlcourse.lessons.maths.arguments import array, choice, integer, probabilities, scalar


def mse(y_hat: ArrayLike, y: ArrayLike) -> float:
    """Return the mean squared error (1/m) Σ (ŷ − y)²."""
    y_hat = array("y_hat", y_hat)
    y = array("y", y, y_hat.shape)
    return float(np.mean((y_hat - y) ** 2))


def mse_derivative(y_hat: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return ∂J/∂ŷ = 2(ŷ − y)/m, where m is the number of entries of y."""
    y_hat = array("y_hat", y_hat)
    y = array("y", y, y_hat.shape)
    return 2 * (y_hat - y) / y.size


def binary_cross_entropy(y_hat: ArrayLike, y: ArrayLike) -> float:
    """Return the mean of −(y log ŷ + (1 − y) log(1 − ŷ)); infinite when certain and wrong."""
    y_hat, y = _probabilities(y_hat, y)
    return float(-np.mean(_times_log(y, y_hat) + _times_log(1 - y, 1 - y_hat)))


def binary_cross_entropy_derivative(y_hat: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return ∂J/∂ŷ = (−y/ŷ + (1 − y)/(1 − ŷ))/m: the slides' da for m = 1."""
    y_hat, y = _probabilities(y_hat, y)
    return (_over(1 - y, 1 - y_hat) - _over(y, y_hat)) / y.size


def categorical_cross_entropy(y_hat: ArrayLike, y: ArrayLike) -> float:
    """Return −(1/m) Σ y log ŷ for one-hot rows `y`, (classes,) or (m, classes)."""
    y_hat, y = _probabilities(y_hat, y)
    return float(-_times_log(y, y_hat).sum() / _rows(y))


def categorical_cross_entropy_derivative(y_hat: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return ∂J/∂ŷ = −(y/ŷ)/m."""
    y_hat, y = _probabilities(y_hat, y)
    return -_over(y, y_hat) / _rows(y)


def sigmoid_cross_entropy(z: ArrayLike, y: ArrayLike) -> float:
    """Return the binary cross-entropy of σ(z), as max(z, 0) − zy + log(1 + e^−|z|)."""
    z, y = _logits(z, y)
    return float(np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))))


def sigmoid_cross_entropy_derivative(z: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return ∂J/∂z = (σ(z) − y)/m: the slides' dz = a − y."""
    z, y = _logits(z, y)
    return (sigmoid(z) - y) / y.size


def softmax_cross_entropy(z: ArrayLike, y: ArrayLike) -> float:
    """Return the categorical cross-entropy of softmax(z), as (1/m) Σ (log Σ eᶻ − zy)."""
    z, y = _logits(z, y)
    shifted = z - z.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return float((y * (log_sum - shifted)).sum() / _rows(y))


def softmax_cross_entropy_derivative(z: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return ∂J/∂z = (softmax(z)·Σy − y)/m, where Σy = 1 for one-hot rows."""
    z, y = _logits(z, y)
    return (softmax(z) * y.sum(axis=-1, keepdims=True) - y) / _rows(y)


def l2_penalty(
    W: ArrayLike, strength: float, *, convention: str = "keras", examples: int = 1
) -> float:
    """Return the weight-decay term of the loss.

    Args:
        W: Weights of any shape.
        strength: Strength λ (Keras: `l2`), at least 0.
        convention: Formula: `keras`, λ·ΣW², or `lecture`, (λ/2m)·ΣW².
        examples: Number of examples m in the `lecture` convention.
    """
    return _l2_factor(strength, convention, examples) * float(np.sum(array("W", W) ** 2))


def l2_penalty_derivative(
    W: ArrayLike, strength: float, *, convention: str = "keras", examples: int = 1
) -> np.ndarray:
    """Return the penalty's ∂/∂W: 2λW for `keras`, (λ/m)W for `lecture`."""
    return 2 * _l2_factor(strength, convention, examples) * array("W", W)


def one_hot(labels: ArrayLike, classes: int) -> np.ndarray:
    """Return rows (m, classes) with a 1 at each integer label 0 … classes − 1."""
    labels, classes = array("labels", labels, ("m",)), integer("classes", classes, 1)
    if np.any((labels != np.round(labels)) | (labels < 0) | (labels >= classes)):
        raise ValueError(f"labels: expected integers from 0 to {classes - 1}, got {labels}")
    return (np.arange(classes) == labels[:, None]).astype(float)


Pair = tuple[Callable[..., float], Callable[..., np.ndarray]]

# fmt: off
LOSSES: dict[str, Pair] = {
    "mse": (mse, mse_derivative),
    "binary_cross_entropy": (binary_cross_entropy, binary_cross_entropy_derivative),
    "categorical_cross_entropy": (categorical_cross_entropy, categorical_cross_entropy_derivative),
}

OF_LOGITS: dict[tuple[str, str], Pair] = {
    ("binary_cross_entropy", "sigmoid"):
        (sigmoid_cross_entropy, sigmoid_cross_entropy_derivative),
    ("categorical_cross_entropy", "softmax"):
        (softmax_cross_entropy, softmax_cross_entropy_derivative),
}
# fmt: on
"""If loss and last activation match, dz = (a − y)/m is computed from z: stable when saturated."""

LOSS_OF_ACTIVATION = {"sigmoid": "binary_cross_entropy", "softmax": "categorical_cross_entropy"}


def _l2_factor(strength: float, convention: str, examples: int) -> float:
    strength = scalar("strength", strength, 0)
    if choice("convention", convention, ("keras", "lecture")) == "keras":
        return strength
    return strength / (2 * integer("examples", examples, 1))


def _logits(z: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    z = array("z", z)
    return z, probabilities("y", y, z.shape)


def _probabilities(y_hat: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    y_hat = probabilities("y_hat", y_hat)
    return y_hat, probabilities("y", y, y_hat.shape)


def _rows(y: np.ndarray) -> int:
    return y.size // y.shape[-1] if y.ndim else 1


def _times_log(weight: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return weight·log(p), with 0·log 0 = 0, the limit."""
    log = np.log(p, where=p > 0, out=np.full_like(p, -np.inf))
    return np.multiply(weight, log, where=weight != 0, out=np.zeros_like(p))


def _over(weight: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return weight/p, with 0/0 = 0; a positive weight over 0, or nearly 0, gives infinity."""
    with np.errstate(over="ignore"):
        return np.divide(weight, p, where=p > 0, out=np.where(weight == 0, 0.0, np.inf))
