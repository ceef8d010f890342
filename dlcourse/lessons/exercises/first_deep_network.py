"""Exercises of notebook 06: count parameters, one dense layer, sizes for a budget."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import COMPUTED, close, number_check, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.maths.network import count_parameters, parameters_per_layer

_COUNTS = (
    Wrong(25408, "These are the weights alone. Each of the 32 + 10 neurons has a bias too."),
    Wrong(25120, "This is the first layer. The 10 neurons behind it have weights and biases too."),
    Wrong(250_880, "784 · 32 · 10 counts paths from pixel to answer. Add up layer by layer."),
    Wrong(826, "These are the neurons. Parameters sit on the connections between them."),
    Wrong(26234, "You gave the 784 inputs biases too; they are only pixels."),
)


def dense(X, W, b):
    return np.maximum(X @ W + b, 0)


def _loops(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> list[list[float]]:
    return [[max(0.0, float(x @ w) + c) for w, c in zip(W.T, b, strict=True)] for x in X]


def _float32(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    z = X.astype("float32") @ W.astype("float32") + b.astype("float32")
    return z * (z > 0)


def _no_bias(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return np.maximum(X @ W, 0)


def _no_activation(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return X @ W + b


def _bias_last(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(X @ W, 0) + b


def _absolute(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(X @ W + b)


def _columns(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(W @ X + b, 0)


def _turned(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    return dense(X, W, b).T


_FAULTS = (
    (_no_bias, "The bias is missing"),
    (_no_activation, "This is the weighted sum: the activation, ReLU, is missing"),
    (_bias_last, "The bias belongs inside: ReLU of (sum + bias)"),
    (_absolute, "ReLU turns negative sums into 0, not into positive ones"),
)


def _check_dense(answer: Any) -> str | None:
    random = np.random.default_rng(6)
    for m, inputs, neurons in ((4, 3, 2), (1, 5, 6)):
        X, W = random.normal(size=(m, inputs)), random.normal(size=(inputs, neurons))
        b = random.normal(size=neurons)
        value = numbers(tried(answer, X, W, b))
        if value.shape != (m, neurons):
            raise Mistake(
                f"One row per example and one column per neuron are expected, {(m, neurons)}; "
                f"yours has the shape {value.shape}."
            )
        if not close(value, dense(X, W, b), COMPUTED, 1e-6):  # float32 sums of a few numbers near 1
            hits = [text for fault, text in _FAULTS if close(value, fault(X, W, b), COMPUTED, 1e-6)]
            return f"{hits[0] if hits else 'The shape is right, the numbers are not'}."
    return None


def _check_sizes(answer: Any) -> str | None:
    value = numbers(answer)
    if value.shape != (2,):
        raise Mistake(f"Two hidden sizes are expected, such as (16, 16), not {value.size}.")
    if (value != np.round(value)).any() or value.max() > 10_000:
        raise Mistake("Sizes are whole numbers of neurons, and small ones here.")
    if value.min() < 4:
        return f"Each layer needs at least 4 neurons; one of yours has {value.min():g}."
    sizes = (784, *map(int, value), 10)
    total, layers = count_parameters(sizes), parameters_per_layer(sizes)
    if total <= 6501:
        return None
    if total > 13_002:
        return f"That is {total:,} parameters, more than the 13,002 to begin with."
    where = "the first alone is too large" if layers[0] > 6501 else "the last two bring it over"
    return f"{total:,} parameters are more than 6,501. The three layers have {layers}: {where}."


EXERCISES = (
    Exercise(
        question="How many parameters, weights and biases, has the network 784-32-10?",
        check=number_check(
            25450, _COUNTS, "Count layer by layer: (inputs + 1) · neurons.", rtol=1e-6
        ),
        hint="Two layers have parameters: the one of 32 neurons and the one of 10.",
        solution=25450,
        explanation="(784 + 1) · 32 + (32 + 1) · 10 = 25,120 + 330 = 25,450.",
        equivalents=("25,450", 25450.0, [25450], np.int64(25450)),
        wrong=_COUNTS,
    ),
    Exercise(
        question=(
            "Write a function `answer(X, W, b)` that returns the activations of one dense layer "
            "with ReLU. Examples are rows as in Keras: `X` is (m, inputs), `W` is "
            "(inputs, neurons), `b` is (neurons,)."
        ),
        check=_check_dense,
        hint="`X @ W` is (m, neurons). What is added, and what is done to negative numbers?",
        solution=dense,
        explanation=(
            "The weighted sums of all examples and neurons are one product of matrices; the biases "
            "are added to every row; ReLU sets what is negative to 0."
        ),
        equivalents=(_loops, _float32),
        wrong=(
            *(Wrong(function, text) for function, text in _FAULTS),
            Wrong(_columns, "Your function raised ValueError for"),
            Wrong(_turned, "One row per example and one column per neuron are expected"),
        ),
    ),
    Exercise(
        question=(
            "Choose the sizes of two hidden layers, each of at least 4 neurons, so that the "
            "network for MNIST (784 inputs, 10 outputs) has at most half of the 13,002 parameters. "
            "Answer with the two sizes, such as `(16, 16)`."
        ),
        check=_check_sizes,
        hint="The first hidden layer costs 785 parameters per neuron, the second one very few.",
        solution=(8, 8),
        explanation=(
            "(784 + 1) · 8 + (8 + 1) · 8 + (8 + 1) · 10 = 6,442. Halving the second layer alone "
            "saves next to nothing: the parameters are where the pixels come in."
        ),
        equivalents=([8, 8], np.array([4, 4]), (8.0, 11.0), (4, 64)),
        wrong=(
            Wrong((16, 8), "12,786 parameters are more than 6,501. The three layers have"),
            Wrong((8, 16), "6,594 parameters are more than 6,501. The three layers have"),
            Wrong((32, 16), "That is 25,818 parameters, more than the 13,002"),
            Wrong((8, 2), "Each layer needs at least 4 neurons; one of yours has 2"),
            Wrong(8, "Two hidden sizes are expected"),
        ),
    ),
)
