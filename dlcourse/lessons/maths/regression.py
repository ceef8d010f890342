"""Linear, logistic and softmax regression: a single step, loops, vectorised form, and training."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import ACTIVATIONS, sigmoid
from dlcourse.lessons.maths.arguments import array, integer, probabilities, scalar
from dlcourse.lessons.maths.losses import (
    binary_cross_entropy_derivative,
    mse,
    one_hot,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)


@dataclass(frozen=True)
class LogisticStep:
    """Every number of one step of logistic regression on one example, in the slides' names."""

    z: float
    a: float
    loss: float
    da: float
    dz: float
    dw: np.ndarray
    db: float
    new_w: np.ndarray
    new_b: float


def logistic_step(
    x: ArrayLike, w: ArrayLike, b: float, y: float, learning_rate: float
) -> LogisticStep:
    """Return every intermediate of one gradient step on one example.

    Args:
        x: Features (n,).
        w: Weights (n,).
        b: Bias.
        y: Label, 0 or 1.
        learning_rate: Learning rate α, at least 0.
    """
    x = array("x", x, ("n",))
    w = array("w", w, x.shape)
    b, y = scalar("b", b), scalar("y", y, 0, 1)
    learning_rate = scalar("learning_rate", learning_rate, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        z = scalar("z = w·x + b", float(w @ x) + b)
        a = float(sigmoid(z))
        dz = a - y
        new_w = array("new w = w − α·x·dz", w - learning_rate * x * dz)
        new_b = scalar("new b = b − α·dz", b - learning_rate * dz)
    return LogisticStep(
        z=z,
        a=a,
        loss=sigmoid_cross_entropy(z, y),
        da=float(binary_cross_entropy_derivative(a, y)),
        dz=dz,
        dw=x * dz,
        db=dz,
        new_w=new_w,
        new_b=new_b,
    )


@dataclass(frozen=True)
class LogisticGradient:
    """The cost J over all examples and its gradient: dw (n, 1), db."""

    J: float
    dw: np.ndarray
    db: float


def logistic_gradient_loop(X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float) -> LogisticGradient:
    """Return the gradient as the slides' loops over the examples i and the features k.

    Args:
        X: Examples in columns as on the slides, (n, m). Keras has examples in rows, (m, n).
        Y: Labels 0 or 1, (1, m).
        w: Weights (n, 1).
        b: Bias.
    """
    X, Y, w, b = _slides_arguments(X, Y, w, b)
    n, m = X.shape
    J, dw, db = 0.0, np.zeros((n, 1)), 0.0
    for i in range(m):
        z = b
        for k in range(n):
            z += w[k, 0] * X[k, i]
        dz = float(sigmoid(z)) - Y[0, i]
        J += max(z, 0.0) - z * Y[0, i] + np.log1p(np.exp(-abs(z)))
        for k in range(n):
            dw[k, 0] += X[k, i] * dz
        db += dz
    return LogisticGradient(float(J / m), dw / m, float(db / m))  # the slides' "J/m" is J /= m


def logistic_gradient_vectorised(
    X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float
) -> LogisticGradient:
    """Return the same without loops: Z = wᵀX + b, dZ = A − Y, dw = (1/m)·X·dZᵀ, db = (1/m)·Σ dZ.

    The arguments are those of `logistic_gradient_loop`.
    """
    X, Y, w, b = _slides_arguments(X, Y, w, b)
    m = X.shape[1]
    Z = w.T @ X + b
    dZ = sigmoid(Z) - Y
    return LogisticGradient(sigmoid_cross_entropy(Z, Y), X @ dZ.T / m, float(dZ.sum() / m))


@dataclass(frozen=True)
class Regression:
    """A trained regression: prediction = activation(X·W + b), and the cost before each step.

    Attributes:
        W: Weights, (n,) for linear and logistic regression, (n, classes) for softmax regression.
        b: Bias, () or (classes,).
        activation: Activation: `linear`, `sigmoid` or `softmax`.
        costs: Cost J before each step, (steps,); empty for the closed form.
    """

    W: np.ndarray
    b: np.ndarray
    activation: str
    costs: np.ndarray

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return values or probabilities, (m,) or (m, classes), for the rows of X (m, n)."""
        X = array("X", X, ("m", self.W.shape[0]))
        return ACTIVATIONS[self.activation].function(X @ self.W + self.b)


def linear_regression(X: ArrayLike, y: ArrayLike) -> Regression:
    """Return the least-squares solution in closed form; of several, that of smallest norm.

    Args:
        X: Rows (m, n).
        y: Targets (m,).
    """
    X = array("X", X, ("m", "n"))
    y = array("y", y, (len(X),))
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
    return Regression(solution[:-1], solution[-1], "linear", np.empty(0))


def linear_regression_descent(
    X: ArrayLike, y: ArrayLike, *, learning_rate: float = 0.1, steps: int = 1000
) -> Regression:
    """Return the same by gradient descent on the mean squared error, from zero weights.

    Args:
        X: Rows (m, n); bring the columns to the same scale first.
        y: Targets (m,).
        learning_rate: Learning rate, at least 0.
        steps: Number of steps over all rows, at least 0.
    """
    X = array("X", X, ("m", "n"))
    y = array("y", y, (len(X),))
    return _descend(X, y, "linear", lambda z: mse(z, y), 2.0, learning_rate, steps)


def logistic_regression(
    X: ArrayLike, y: ArrayLike, *, learning_rate: float = 0.1, steps: int = 1000
) -> Regression:
    """Return weights by gradient descent on the binary cross-entropy, from zero weights.

    Args:
        X: Rows (m, n).
        y: Labels 0 or 1, (m,).
        learning_rate, steps: Arguments of `linear_regression_descent`.
    """
    X = array("X", X, ("m", "n"))
    y = array("y", y, (len(X),))
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y: expected labels 0 and 1, got {np.unique(y)}")
    cost = lambda z: sigmoid_cross_entropy(z, y)  # noqa: E731
    return _descend(X, y, "sigmoid", cost, 1.0, learning_rate, steps)


def softmax_regression(
    X: ArrayLike, y: ArrayLike, *, classes: int, learning_rate: float = 0.1, steps: int = 1000
) -> Regression:
    """Return weights by gradient descent on the categorical cross-entropy, from zero weights.

    Args:
        X: Rows (m, n).
        y: Integer labels 0 … classes − 1, (m,).
        classes: Number of classes, at least 2.
        learning_rate, steps: Arguments of `linear_regression_descent`.
    """
    X = array("X", X, ("m", "n"))
    Y = one_hot(array("y", y, (len(X),)), integer("classes", classes, 2))
    cost = lambda z: softmax_cross_entropy(z, Y)  # noqa: E731
    return _descend(X, Y, "softmax", cost, 1.0, learning_rate, steps)


def _descend(
    X: np.ndarray,
    Y: np.ndarray,
    activation: str,
    cost: Callable[[np.ndarray], float],
    factor: float,
    learning_rate: float,
    steps: int,
) -> Regression:
    """Run gradient descent with dZ = factor·(A − Y)/m, which all three regressions share."""
    learning_rate = scalar("learning_rate", learning_rate, 0)
    W, b = np.zeros((X.shape[1], *Y.shape[1:])), np.zeros(Y.shape[1:])
    costs = []
    for k in range(integer("steps", steps, 0)):
        Z = X @ W + b
        costs.append(cost(Z))
        dZ = factor * (ACTIVATIONS[activation].function(Z) - Y) / len(X)
        W, b = W - learning_rate * X.T @ dZ, b - learning_rate * dZ.sum(axis=0)
        if np.abs(W).max() > 1e100:
            raise ValueError(
                f"learning_rate: expected less than {learning_rate:g}: the weights "
                f"diverged in step {k + 1}; bring the columns of X to the same scale"
            )
    return Regression(W, b, activation, np.array(costs))


def _slides_arguments(
    X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    X = array("X", X, ("n", "m"))
    n, m = X.shape
    return X, probabilities("Y", Y, (1, m)), array("w", w, (n, 1)), scalar("b", b)
