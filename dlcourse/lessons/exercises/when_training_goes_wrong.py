"""Exercises of notebook 08: a product of slopes, He's weights, a start that keeps gradients."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.maths.network import Network

_PRODUCTS = (
    Wrong(0.25**10, "These are the slopes alone; each layer multiplies with its weight too."),
    Wrong(1024, "These are the weights alone; each layer multiplies with the sigmoid's slope too."),
    Wrong(0.5, "This is one layer's factor, 0.25 · 2. There are ten of them, one behind another."),
    Wrong(5, "Ten times 0.5 is a sum. On one path the chain rule multiplies."),
    Wrong(1, "The sigmoid's slope is largest at 0. It is 0.25 there, not 0.5: σ′ = σ · (1 − σ)."),
)


def he_weights(noise):
    return noise * np.sqrt(2 / noise.shape[0])


def _divided(noise: np.ndarray) -> np.ndarray:
    return noise / (len(noise) / 2) ** 0.5


def _float32(noise: np.ndarray) -> np.ndarray:
    return he_weights(noise).astype("float32")


def _lists(noise: np.ndarray) -> list[list[float]]:
    return he_weights(noise).tolist()


def _variance(noise: np.ndarray) -> np.ndarray:
    return noise * 2 / noise.shape[0]


def _lecun(noise: np.ndarray) -> np.ndarray:
    return noise / np.sqrt(noise.shape[0])


def _glorot(noise: np.ndarray) -> np.ndarray:
    return noise * np.sqrt(2 / sum(noise.shape))


def _neurons(noise: np.ndarray) -> np.ndarray:
    return noise * np.sqrt(2 / noise.shape[1])


def _unchanged(noise: np.ndarray) -> np.ndarray:
    return noise * 1


_FAULTS = (
    (_variance, "2/inputs is He's variance; a standard deviation is the root of it"),
    (_lecun, "This keeps a linear layer level; ReLU switches half of the neurons off"),
    (_glorot, "This is Glorot's rule, with inputs and neurons; it suits tanh"),
    (_neurons, "It is the number of inputs that counts: each neuron adds up so many terms"),
    (_unchanged, "These are large weights, of deviation 1: their sums grow with the inputs"),
)


def _check_he(answer: Any) -> str | None:
    random = np.random.default_rng(8)
    for shape in ((50, 20), (8, 128)):
        noise = random.normal(size=shape)
        value = numbers(tried(answer, noise))
        if value.shape != shape:
            raise Mistake(f"Weights of shape {shape} are expected, not of {value.shape}.")
        if not close(value, he_weights(noise), COMPUTED):
            hits = [text for fault, text in _FAULTS if close(value, fault(noise), COMPUTED)]
            text = hits[0] if hits else "These are not the noise times He's standard deviation"
            return f"{text}. You have a deviation of {value.std():.3f} at {shape[0]} inputs."
    return None


def gradient_ratio(activation: str, spread: float) -> float:
    """Return the ratio of the gradient's norms at the first and the last of 20 hidden layers."""
    random = np.random.default_rng(8)
    net = Network((64,) * 21 + (10,), (activation,) * 20 + ("softmax",))
    net.set_weights([random.normal(0, spread / 8, W.shape) for W in net.W], net.b)
    labels = np.eye(10)[random.integers(0, 10, 100)]
    da = net.backward(random.uniform(0, 1, (100, 64)), labels).da
    first, last = (float(np.linalg.norm(da[layer])) for layer in (1, 20))
    return first / last if last else 0.0


def _check_start(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not isinstance(answer[0], str):
        raise Mistake(f"An activation and a number are expected, not {shown(answer)}.")
    activation, spread = answer[0].strip().lower(), as_float(answer[1])
    if activation not in ("sigmoid", "tanh", "relu"):
        raise Mistake(
            f'The activation must be "sigmoid", "tanh" or "relu", not {shown(answer[0])}.'
        )
    if not 0 < spread <= 100:
        return f"With s = {spread:g} the weights are not useful random numbers: 0 < s ≤ 100."
    ratio = gradient_ratio(activation, spread)
    if ratio < 0.1:
        return _vanished(activation, spread, ratio)
    if ratio > 10:
        return (
            f"It explodes: {activation} with s = {spread:g} gives the first layer a gradient "
            f"{ratio:.1g} times the last one's. Smaller weights?"
        )
    return None


def _vanished(activation: str, spread: float, ratio: float) -> str:
    text = f"{activation} with s = {spread:g} leaves {ratio:.2g} of the last layer's gradient."
    if activation == "sigmoid":
        return (
            f"It vanishes: {text} Its slope is at most 0.25. Larger weights, or another activation?"
        )
    return f"Too little arrives: {text} Larger weights?"


EXERCISES = (
    Exercise(
        question=(
            "A chain of 10 sigmoid neurons, one a layer, has weights of 2. By what factor, at "
            "most, is the gradient multiplied on its way back through all ten? (three digits)"
        ),
        check=number_check(
            0.5**10, _PRODUCTS, "Multiply weight and largest slope, ten times over."
        ),
        hint="Each layer multiplies with its weight and with σ′(z). How large can σ′ be?",
        solution=0.5**10,
        explanation=(
            "(2 · 0.25)¹⁰ = 0.5¹⁰ ≈ 0.00098. Even with weights of 2, and every neuron at its "
            "steepest, a thousandth is left."
        ),
        equivalents=("1/1024", 0.000977, 9.77e-4, [0.5**10]),
        wrong=_PRODUCTS,
    ),
    Exercise(
        question=(
            "Write a function `answer(noise)` that takes an array (inputs, neurons) of normally "
            "distributed numbers with standard deviation 1, and returns He's initial weights for a "
            "layer of ReLU."
        ),
        check=_check_he,
        hint="In the notebook's words s² = 2, and the deviation is s over the root of the inputs.",
        solution=he_weights,
        explanation=(
            "A sum of n terms has n times the variance of one; ReLU keeps half of it. With the "
            "variance 2/n a weight, activations and gradients keep their size."
        ),
        equivalents=(_divided, _float32, _lists),
        wrong=tuple(Wrong(function, text) for function, text in _FAULTS),
    ),
    Exercise(
        question=(
            "A network of 20 layers of 64 neurons starts with random weights of standard deviation "
            r'$s/\sqrt{64}$. Choose the activation ("sigmoid", "tanh" or "relu") and $s$ so that '
            "the gradient by the activations of the first layer is neither 10 times smaller nor 10 "
            "times larger than by those of the last hidden one. "
            'Answer with both, such as `("sigmoid", 1.0)`.'
        ),
        check=_check_start,
        hint="Move the sliders of the first picture until the line is level.",
        solution=("relu", 1.414),
        explanation=(
            "ReLU with s = √2 (He) and tanh with s = 1 (Glorot) keep the product near 1 per layer. "
            "A sigmoid needs so large an s for it that it is saturated from the start."
        ),
        equivalents=(["tanh", 1.0], ("ReLU", "1.4"), ("tanh", 1.2)),
        wrong=(
            Wrong(("sigmoid", 1.0), "It vanishes: sigmoid"),
            Wrong(("relu", 1.0), "Too little arrives: relu with s = 1 "),
            Wrong(("tanh", 0.5), "Too little arrives: tanh with s = 0.5"),
            Wrong(("relu", 8.0), "It explodes: relu with s = 8"),
            Wrong(("tanh", 8.0), "It explodes: tanh with s = 8"),
            Wrong(("relu", 0), "With s = 0 the weights are"),
            Wrong(1.4, "An activation and a number"),
        ),
    ),
)
