"""Exercises of notebook 10: a state by hand, self-attention in NumPy, a network for signals."""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import close, number_check, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong

_H1 = float(np.tanh(1))
_STATES = (
    Wrong(np.tanh(0.5), "You have fed back 1, the sum or the input: what comes back is tanh 1."),
    Wrong(0.5 * _H1, "This is the sum; its tanh is still to come."),
    Wrong(_H1, "This is h₁, or one that came back whole: go one step on, and weigh it by u."),
    Wrong(0.0, "The input is 0, but there is a memory: what does h₁ bring?"),
    Wrong(np.tanh(_H1), "Here h₁ comes back whole; it is weighed by u first."),
)


def attention(X, W_q, W_k, W_v):
    Q, K, V = X @ W_q, X @ W_k, X @ W_v
    scores = Q @ K.T / np.sqrt(K.shape[1])
    weights = np.exp(scores)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return weights, weights @ V


def _scores(Q: Any, K: Any) -> Any:
    return Q @ K.T / np.sqrt(K.shape[1])


def _softmax(scores: Any, axis: int | None = 1) -> Any:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _variant(
    weights: Any = lambda Q, K: _softmax(_scores(Q, K)), output: Any = lambda w, V, _: w @ V
) -> Any:
    """Return an answer with other weights, a function of Q and K, or output, of weights, V, X."""

    def answer(X: Any, W_q: Any, W_k: Any, W_v: Any) -> Any:
        w = weights(X @ W_q, X @ W_k)
        return w, output(w, X @ W_v, X)

    return answer


_MISTAKES = (
    (
        _variant(lambda Q, K: _softmax(Q @ K.T)),
        "The scores are not divided by √d, where d is the length of a key.",
    ),
    (
        _variant(lambda Q, K: _softmax(Q @ K.T / K.shape[1])),
        "The scores are divided by d: it is √d.",
    ),
    (
        _variant(lambda Q, K: _softmax(_scores(Q, K), axis=0)),
        "The columns of your weights sum to 1; it must be the rows, one per query.",
    ),
    (
        _variant(lambda Q, K: _softmax(_scores(Q, K), axis=None)),
        "All your weights together sum to 1; it must be each row, one per query.",
    ),
    (
        _variant(lambda Q, K: np.exp(_scores(Q, K))),
        "The exponentials are right; each row must be divided by its sum.",
    ),
    (_variant(_scores), "These are the scaled scores; the softmax of each row is missing."),
    (
        _variant(lambda Q, K: _softmax(_scores(K, Q))),
        "Queries and keys are exchanged: row i belongs to query i, column j to key j.",
    ),
    (
        _variant(output=lambda w, _, X: w @ X),
        "The weights are right; the output mixes the values V, not the inputs X.",
    ),
    (
        _variant(output=lambda w, V, _: w.T @ V),
        "The weights are right; row i of the output takes row i of the weights.",
    ),
    (
        lambda *a: attention(*a)[::-1],
        "Both are right, in the other order: return the weights first.",
    ),
)
_TWO = "Two arrays are to be returned: the weights and the output."


def _check_attention(answer: Any) -> str | None:
    rng = np.random.default_rng(0)
    for tokens, n, d, v in ((3, 3, 4, 3), (5, 2, 3, 2)):
        arguments = [rng.normal(size=shape) for shape in ((tokens, n), (n, d), (n, d), (n, v))]
        right = attention(*arguments)
        found = _pair(tried(answer, *arguments))
        if all(map(close, found, right)):
            continue
        for mistake, message in _MISTAKES:
            if all(map(close, found, mistake(*arguments))):
                return message
        expected = f"expected shapes {right[0].shape} and {right[1].shape}"
        if [part.shape for part in found] != [part.shape for part in right]:
            return f"For X of shape {arguments[0].shape}, {expected}, got {_shapes(found)}."
        if close(found[0], right[0]):
            return "The weights are right, the output is not: compare its formula."
        sums = ", ".join(f"{total:.3g}" for total in found[0].sum(axis=1))
        return f"The weights are not right; their rows sum to {sums}. Print them step by step."
    return None


def _pair(result: Any) -> list[np.ndarray]:
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise Mistake(_TWO)
    return [numbers(part) for part in result]


def _shapes(arrays: list[np.ndarray]) -> str:
    return " and ".join(str(array.shape) for array in arrays)


def signal_network(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv1D(32, 5, padding="same", activation="relu"),
            layers.Conv1D(64, 5, strides=2, padding="same", activation="relu"),
            layers.Conv1D(64, 5, strides=2, padding="same", activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    adam = keras.optimizers.Adam(0.005)
    model.compile(adam, "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=12)
    return model


BAR = 0.9
# Accuracy below which a message holds; tests/test_exercises.py measures what the others reach.
_LEVELS = (
    (0.2, "Guessing reaches 0.10. Has `fit` been called, and are there ten outputs?"),
    (0.45, "A single dense layer reaches 0.31. Add layers, or train for more epochs."),
    (0.66, "Dense layers reach 0.60: they learn a shape anew for every step. Which layer looks "
           "for one shape at every step?"),
    (BAR, "The bar is 0.90. Try more filters, more epochs, or the maximum over all steps."),
)  # fmt: skip


def _check_network(answer: Any) -> str | None:
    data = _signals()
    model = tried(answer, data.x_train, data.y_train)
    if not hasattr(model, "predict"):
        raise Mistake("The trained model is to be returned: it has a method `predict`.")
    outputs = numbers(model.predict(data.x_test, verbose=0))
    if outputs.shape != (len(data.x_test), 10):
        return f"Ten outputs per signal are expected, one per digit, not shape {outputs.shape}."
    accuracy = float(np.mean(outputs.argmax(axis=1) == data.y_test))
    for level, message in _LEVELS:
        if accuracy < level:
            return f"{message} Yours reads {accuracy:.2f} of the new signals correctly."
    return None


@cache
def _signals() -> Any:
    return load_dataset("mnist1d")


def _trained(epochs: int, *layers: Any) -> Any:
    """Return a function that trains a network with these hidden layers, (name, arguments)."""

    def answer(x_train: Any, y_train: Any) -> Any:
        keras.utils.set_random_seed(0)
        hidden = [getattr(keras.layers, name)(*settings) for name, *settings in layers]
        model: Any = keras.Sequential([*hidden, keras.layers.Dense(10, "softmax")])
        model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
        if epochs:
            model.fit(x_train, y_train, batch_size=64, epochs=epochs, verbose=0)
        return model

    return answer


_FLAT = ("Flatten",)
_DENSE = (_FLAT, ("Dense", 100, "relu"), ("Dense", 100, "relu"))
_CONVOLUTIONS = (("Conv1D", 64, 5, 2), ("ReLU",), ("Conv1D", 64, 3, 2), ("ReLU",))


def _without_head(x_train: Any, _: Any) -> Any:
    """Return a network without the last layer of ten outputs."""
    return keras.Sequential([keras.Input(x_train.shape[1:]), keras.layers.Flatten()])


EXERCISES = (
    Exercise(
        question=(
            "A recurrent unit has w = 1, u = 0.5 and b = 0. It reads x₁ = 1 and x₂ = 0, and "
            "starts from h₀ = 0. What is h₂ (three digits)?"
        ),
        check=number_check(
            float(np.tanh(0.5 * _H1)),
            _STATES,
            "Take one step at a time: first h₁ = tanh(w·x₁ + u·h₀ + b), then h₂ in the same way.",
        ),
        hint="h₁ = tanh 1 = 0.762. In the second step it stands in the place of h₀.",
        solution=0.3634,
        explanation=(
            "h₁ = tanh(1·1 + 0.5·0) = 0.7616, h₂ = tanh(1·0 + 0.5·0.7616) = 0.3634. The input is "
            "gone, a trace of it is left."
        ),
        equivalents=(
            float(np.tanh(0.5 * np.tanh(1))),
            0.363,
            "0.3634",
            [0.3634],
            np.float32(0.36339),
        ),
        wrong=_STATES,
    ),
    Exercise(
        question=(
            "Complete the function. It takes a sequence X, one token per row, and the kernels of "
            "queries, keys and values, without biases. It returns the softmax weights, one row per "
            "query, and the output."
        ),
        check=_check_attention,
        hint="The softmax: np.exp(scores), divided by its sum over each row (keepdims=True).",
        solution=attention,
        explanation=(
            "Each row of weights = softmax(Q·Kᵀ/√d) says how much one token takes from every "
            "token; weights·V is what it takes."
        ),
        equivalents=(_variant(), lambda *a: [part.astype("float32") for part in attention(*a)]),
        wrong=(
            *(Wrong(mistake, message) for mistake, message in _MISTAKES),
            Wrong(lambda *a: attention(*a)[1], _TWO),
            Wrong(lambda X, *_: (X[:2], X), "For X of shape (3, 3), expected shapes (3, 3)"),
            Wrong(
                _variant(output=lambda w, V, _: w @ V + 1),
                "The weights are right, the output is not",
            ),
            Wrong(
                _variant(lambda Q, _: np.full((len(Q), len(Q)), 1 / len(Q))),
                "The weights are not right; their rows sum to 1, 1, 1.",
            ),
        ),
    ),
    Exercise(
        question=(
            "Write a function `answer(x_train, y_train)` that builds a network in Keras, trains it "
            "on the signals, and returns it. It must read at least 90 % of the 1,000 test signals "
            "correctly."
        ),
        check=_check_network,
        hint="Three `Conv1D` layers with ReLU, then `GlobalMaxPooling1D`, then ten outputs.",
        solution=signal_network,
        explanation=(
            "A convolution looks for a shape at every step, so that a digit that is shifted still "
            "gives the same maximum; dense layers reach 0.60, a random forest 0.74."
        ),
        equivalents=(),
        wrong=(
            Wrong(_trained(0, *_CONVOLUTIONS, _FLAT), _LEVELS[0][1]),
            Wrong(_trained(5, _FLAT), _LEVELS[1][1]),
            Wrong(_trained(5, *_DENSE), _LEVELS[2][1]),
            Wrong(_trained(6, *_CONVOLUTIONS, _FLAT), _LEVELS[3][1]),
            Wrong(_without_head, "Ten outputs per signal are expected, one per digit, not shape"),
        ),
    ),
)
