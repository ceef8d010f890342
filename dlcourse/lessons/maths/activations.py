"""Activation functions, each with its derivative beside it.

Every function takes `z`, a number or an array of finite numbers of any shape, and returns float64
of the same shape. Softmax and hardmax work along the last axis, and their derivative is a Jacobian
with one more axis. Nothing overflows, because exponentials get only arguments of at most 0. Input
that is not finite numbers raises ValueError.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array, scalar


def unit_step(z: ArrayLike) -> Any:
    """Return 0 below 0, ½ at 0 and 1 above: the perceptron's activation (Heaviside)."""
    return np.heaviside(array("z", z), 0.5)


def unit_step_derivative(z: ArrayLike) -> Any:
    """Return 0 everywhere, also at 0, where no derivative exists: nothing can be learned."""
    return 0.0 * array("z", z)


def sign(z: ArrayLike) -> Any:
    """Return −1 below 0, 0 at 0 and 1 above."""
    return np.sign(array("z", z))


sign_derivative = unit_step_derivative


def linear(z: ArrayLike) -> Any:
    """Return z itself: several layers with it are equivalent to one linear layer."""
    return 1.0 * array("z", z)


def linear_derivative(z: ArrayLike) -> Any:
    """Return 1."""
    return 0.0 * array("z", z) + 1.0


def piecewise_linear(z: ArrayLike) -> Any:
    """Return z + ½, clipped to 0 and 1."""
    return np.clip(array("z", z) + 0.5, 0.0, 1.0)


def piecewise_linear_derivative(z: ArrayLike) -> Any:
    """Return 1 for −½ < z < ½, else 0 (also at the two corners, where no derivative exists)."""
    return (np.abs(array("z", z)) < 0.5).astype(float)


def sigmoid(z: ArrayLike) -> Any:
    """Return 1 / (1 + e⁻ᶻ), the logistic function: between 0 and 1, a probability.

    Below 0 it is computed as eᶻ / (1 + eᶻ), the same number without overflow.
    """
    z = array("z", z)
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def sigmoid_derivative(z: ArrayLike) -> Any:
    """Return a(1 − a), computed as e^−|z|/(1 + e^−|z|)² so that it does not round to 0 early."""
    e = np.exp(-np.abs(array("z", z)))
    return e / (1.0 + e) ** 2


def tanh(z: ArrayLike) -> Any:
    """Return (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ), between −1 and 1: 2σ(2z) − 1, shifted and scaled."""
    return np.tanh(array("z", z))


def tanh_derivative(z: ArrayLike) -> Any:
    """Return 1 − tanh² z, computed as 4σ(2z)·σ(−2z) so that it does not round to 0 early."""
    e = np.exp(-np.abs(array("z", z))) ** 2
    return 4.0 * e / (1.0 + e) ** 2


def relu(z: ArrayLike) -> Any:
    """Return z above 0, else 0: negative values become 0, not positive."""
    return np.maximum(array("z", z), 0.0)


def relu_derivative(z: ArrayLike) -> Any:
    """Return 1 above 0, else 0 (also at 0, where no derivative exists, as in TensorFlow)."""
    return (array("z", z) > 0).astype(float)


def leaky_relu(z: ArrayLike, slope: float = 0.01) -> Any:
    """Return z above 0, else slope·z (Maas 2013: 0.01; Keras' own default is 0.2)."""
    z = array("z", z)
    return np.maximum(z, 0.0) + scalar("slope", slope) * np.minimum(z, 0.0)


def leaky_relu_derivative(z: ArrayLike, slope: float = 0.01) -> Any:
    """Return 1 above 0, else `slope`: a dead neuron still learns."""
    return np.where(array("z", z) > 0, 1.0, scalar("slope", slope))[()]


def softmax(z: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """Return e^(z/T) / Σ e^(z/T) along the last axis: probabilities that sum to 1.

    Args:
        z: Logits, (n,) or (…, n). The largest is subtracted first, which prevents overflow.
        temperature: Temperature T > 0; below 1 the result is closer to hardmax, above 1 closer to
            equal probabilities.
    """
    z, temperature = _vectors(z), _temperature(temperature)
    with np.errstate(over="ignore"):  # to −∞, where e^ is 0
        t = np.exp((z - z.max(axis=-1, keepdims=True)) / temperature)
    return t / t.sum(axis=-1, keepdims=True)


def softmax_derivative(z: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """Return the Jacobian ∂aᵢ/∂zⱼ = aᵢ(δᵢⱼ − aⱼ)/T, of shape (…, n, n)."""
    a = softmax(z, temperature)
    outer = a[..., :, None] * a[..., None, :]
    return (a[..., :, None] * np.eye(a.shape[-1]) - outer) / temperature


def hardmax(z: ArrayLike) -> np.ndarray:
    """Return 1 at the largest value of the last axis (the first of equal values), else 0."""
    z = _vectors(z)
    return (np.arange(z.shape[-1]) == z.argmax(axis=-1)[..., None]).astype(float)


def hardmax_derivative(z: ArrayLike) -> np.ndarray:
    """Return a Jacobian of zeros, (…, n, n): no gradient passes through hardmax."""
    z = _vectors(z)
    return np.zeros((*z.shape, z.shape[-1]))


class Activation(NamedTuple):
    """An activation function and its derivative."""

    function: Callable[..., Any]
    derivative: Callable[..., Any]


ACTIVATIONS: dict[str, Activation] = {
    "unit_step": Activation(unit_step, unit_step_derivative),
    "sign": Activation(sign, sign_derivative),
    "linear": Activation(linear, linear_derivative),
    "piecewise_linear": Activation(piecewise_linear, piecewise_linear_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "leaky_relu": Activation(leaky_relu, leaky_relu_derivative),
    "softmax": Activation(softmax, softmax_derivative),
    "hardmax": Activation(hardmax, hardmax_derivative),
}


def _vectors(z: ArrayLike) -> np.ndarray:
    z = array("z", z)
    if z.ndim == 0:
        raise ValueError("z: expected shape (n,) or (…, n), got a single number")
    return z


def _temperature(value: float) -> float:
    if scalar("temperature", value) <= 0:
        raise ValueError(f"temperature: expected a number above 0, got {value!r}")
    return float(value)
