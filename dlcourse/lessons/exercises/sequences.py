"""Exercises of notebook 10: a state, an LSTM's weights, order, masked attention, a network."""

import re
from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import COMPUTED, close, number_check, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import share_right, trained_model

_H1 = float(np.tanh(1))
_STATES = (
    Wrong(np.tanh(0.5), "You have fed back 1, the sum or the input: what comes back is tanh 1."),
    Wrong(0.5 * _H1, "This is the sum; its tanh is still to come."),
    Wrong(_H1, "This is h₁, or one that came back whole: go one step on, and weigh it by u."),
    Wrong(0.0, "The input is 0, but there is a memory: what does h₁ bring?"),
    Wrong(np.tanh(_H1), "Here h₁ comes back whole; it is weighed by u first."),
)


def _weights(units: int = 32, inputs: int = 16) -> Exercise:
    """Return exercise 10.2 for a number of units, and of inputs."""
    W, U, b = inputs * units, units * units, units
    one, count = W + U + b, 4 * (W + U + b)
    wrong = (
        Wrong(one, "So many has one gate, or a simple RNN: what else has weights?"),
        Wrong(3 * one, "Three sets of four: the candidate g has its own, too."),
        Wrong(4 * (W + U), "The biases are missing."),
        Wrong(4 * (W + b), "The matrices U are missing: the state comes back into each gate."),
        Wrong(4 * (U + b), "The matrices W are missing: each gate reads the input, too."),
        Wrong(4 * (W + b + b), "U is a matrix: every unit's state goes to every unit."),
        Wrong(4 * (W + U + 2 * b), "Each gate has one bias per unit here, not two."),
    )
    return Exercise(
        question=(
            f"How many weights, biases included, has the layer `LSTM({units})` if each step of its "
            f"input is a vector of {inputs} numbers?"
        ),
        check=number_check(
            count,
            wrong,
            "Count W, U and b of one gate, then how many such sets an LSTM has.",
            rtol=COMPUTED,
        ),
        hint=(
            f"One gate takes {inputs} inputs and {units} states to {units} units, with one bias "
            "each."
        ),
        solution=count,
        explanation=(
            f"4 · ({inputs}·{units} + {units}·{units} + {units}) = 4 · {one:,} = {count:,}: three "
            "gates and the candidate have W, U and b each. `model.summary()` says the same."
        ),
        equivalents=(float(count), f"{count:,}", f"{count} weights", np.int64(count)),
        wrong=wrong,
        variant=lambda random: _weights(
            int(random.choice([24, 40, 48, 64])), int(random.choice([8, 10, 12, 20]))
        ),
    )


_ORDERLESS = {"a", "d", "e"}
_ABOUT_ORDER = (
    ("b", "A filter over three words sees which words are neighbours; shuffled, they are others."),
    ("c", "What stands last passes fewer steps than what stands first: the last state differs."),
    ("a", "What does a mean over the steps do if two of its vectors change places?"),
    ("d", "How many words does a window of 1 see, and where is the maximum taken?"),
    ("e", "Look into the formula of self-attention: where is a word's position in it?"),
)
_ORDER_QUESTION = (
    "Which of these networks always give a sentence and the same words in another order the same "
    "answer? Each begins with `Embedding` and ends with `Dense(1)`; between them are: "
    "(a) `GlobalAveragePooling1D`. "
    "(b) `Conv1D(32, 3)` and `GlobalMaxPooling1D`. "
    "(c) `SimpleRNN(32)`. "
    "(d) `Conv1D(32, 1)` and `GlobalMaxPooling1D`. "
    "(e) `MultiHeadAttention(2, 16)`, without positions, and `GlobalAveragePooling1D`. "
    'Answer with all their letters, such as {"a", "b"}.'
)


def _check_order(answer: Any) -> str | None:
    letters = _letters(answer)
    for letter, message in _ABOUT_ORDER:
        if (letter in letters) != (letter in _ORDERLESS):
            return message
    return None


def _letters(answer: Any) -> set[str]:
    """Return the letters a to e that an answer names: {"a", "b"}, ["a", "b"], "a, b" or "ab"."""
    if isinstance(answer, dict):
        answer = [key for key, value in answer.items() if value]
    if isinstance(answer, set | frozenset | list | tuple | np.ndarray):
        answer = ",".join(map(str, list(answer)[:20]))
    answer = answer.lower() if isinstance(answer, str) else ""
    words = [] if re.search(r"[a-e]\s*[-–]", answer) else re.split(r"[\W_]+|\band\b", answer)
    said = "".join(words)
    if not said or len(set(said)) != len(said) or not set(said) <= set("abcde"):
        raise Mistake('Answer with letters from "a" to "e", such as {"a", "b"}.')
    return set(said)


def masked_attention(Q, K, V, mask):
    scores = Q @ K.T / np.sqrt(K.shape[1])
    powers = np.where(mask, np.exp(scores), 0)
    weights = powers / powers.sum(axis=1, keepdims=True)
    return weights, weights @ V


def _scores(Q: Any, K: Any) -> Any:
    return Q @ K.T / np.sqrt(K.shape[1])


def _softmax(scores: Any, mask: Any = 1, axis: int | None = 1) -> Any:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True)) * mask
    return powers / powers.sum(axis=axis, keepdims=True)


def _variant(
    weights: Any = lambda Q, K, mask: _softmax(_scores(Q, K), mask),
    output: Any = lambda w, V, _: w @ V,
) -> Any:
    """Return an answer with other weights, of Q, K and mask, or output, of weights, V and K."""

    def answer(Q: Any, K: Any, V: Any, mask: Any) -> Any:
        w = weights(Q, K, mask)
        return w, output(w, V, K)

    return answer


def _rows(powers: Any) -> Any:
    return powers / powers.sum(axis=1, keepdims=True)


def _by_infinity(Q: Any, K: Any, mask: Any) -> Any:
    return _softmax(np.where(mask, _scores(Q, K), -np.inf))


_MASK = "The rows sum to less than 1: the softmax is over the words alone, so mask before you sum."
_MISTAKES = (
    (
        _variant(lambda Q, K, mask: _softmax(Q @ K.T, mask)),
        "The scores are not divided by √d, where d is the length of a key.",
    ),
    (
        _variant(lambda Q, K, mask: _softmax(Q @ K.T / K.shape[1], mask)),
        "The scores are divided by d: it is √d.",
    ),
    (
        _variant(lambda Q, K, mask: _softmax(Q @ K.T / np.sqrt(len(K)), mask)),
        "The scores are divided by the root of the number of keys; d is the length of one key.",
    ),
    (
        _variant(lambda Q, K, _: _softmax(_scores(Q, K))),
        "The weights of padding must be 0: `mask` is not used.",
    ),
    (
        _variant(lambda Q, K, mask: _rows(np.where(mask, np.exp(_scores(Q, K)), -1e9))),
        "A large negative number masks a score; here the powers are masked: what is e^(−∞)?",
    ),
    (_variant(lambda Q, K, mask: _softmax(_scores(Q, K)) * mask), _MASK),
    (
        _variant(lambda Q, K, mask: _softmax(_scores(Q, K) * mask)),
        "A score of 0 is not a weight of 0: e⁰ is 1. What score gives the weight 0?",
    ),
    (
        _variant(lambda Q, K, mask: _softmax(_scores(Q, K), ~mask)),
        "The mask is used the wrong way round: True stands for a word, False for padding.",
    ),
    (
        _variant(lambda Q, K, _: _softmax(_scores(Q, K), axis=0)),
        "The softmax runs down the columns, and `mask` is not used: each row is one query.",
    ),
    (
        _variant(lambda Q, K, mask: _softmax(_scores(Q, K), mask, axis=None)),
        "All your weights together sum to 1; it must be each row, one per query.",
    ),
    (
        _variant(lambda Q, K, mask: np.exp(_scores(Q, K)) * mask),
        "The exponentials are right; each row must be divided by its sum.",
    ),
    (
        _variant(lambda Q, K, _: _scores(Q, K)),
        "These are the scaled scores; the softmax of each row is missing.",
    ),
    (
        _variant(output=lambda w, _, K: w @ K),
        "The weights are right; the output mixes the values V, not the keys.",
    ),
    (
        lambda *a: masked_attention(*a)[::-1],
        "Both are right, in the other order: return the weights first.",
    ),
)  # fmt: skip
_COLUMNS = (
    "There is a NaN, from 0 / 0: a column of padding sums to 0. Divide each row, one per query, by "
    "its own sum."
)
_INFINITE = (
    "There is a NaN, from −∞ / −∞: −∞ masks a score; here the powers are masked. What is e^(−∞)?"
)
_TWO = "Two arrays are to be returned: the weights and the output."


def _check_attention(answer: Any) -> str | None:
    rng = np.random.default_rng(0)
    for queries, keys, d, v in ((2, 4, 3, 3), (3, 5, 2, 2)):
        arguments = [rng.normal(size=shape) for shape in ((queries, d), (keys, d), (keys, v))]
        arguments.append(np.arange(keys) < keys - 2)
        right = masked_attention(*arguments)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = _pair(tried(answer, *arguments))
        if all(map(close, found, right)):
            continue
        for mistake, message in _MISTAKES:
            if all(map(close, found, mistake(*arguments))):
                return message
        shapes = [part.shape for part in right]
        if [part.shape for part in found] != shapes:
            got = " and ".join(str(part.shape) for part in found)
            given = f"Q {(queries, d)}, K {(keys, d)} and V {(keys, v)}"
            return f"For {given} the shapes must be {shapes[0]} and {shapes[1]}, yours are {got}."
        if close(found[0], right[0]):
            return "The weights are right, the output is not: compare its formula."
        sums = ", ".join(f"{total:.3g}" for total in found[0].sum(axis=1))
        return f"The weights are not right; their rows sum to {sums}. Print them step by step."
    return None


def _pair(result: Any) -> list[np.ndarray]:
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise Mistake(_TWO)
    if any(
        isinstance(part, np.ndarray) and part.dtype.kind == "f" and np.isnan(part).any()
        for part in result
    ):
        weights = np.asarray(result[0])
        raise Mistake(_COLUMNS if np.nansum(np.abs(weights)) else _INFINITE)
    return [numbers(part) for part in result]


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
    model.fit(x_train, y_train, batch_size=64, epochs=12, verbose=0)
    return model


BAR = 0.9
# Accuracy below which a message holds; tests/test_exercises_sequences.py measures the others.
_LEVELS = (
    (0.2, "Guessing reaches 0.10. Has `fit` been called, and long enough?"),
    (0.45, "A single dense layer reaches 0.31. Add layers, or train for more epochs."),
    (0.66, "Dense layers reach 0.60: they learn a shape anew for every step. Which layer looks "
           "for one shape at every step?"),
    (BAR, "The bar is 0.90. Try more filters, more epochs, or the maximum over all steps."),
)  # fmt: skip


def _check_network(answer: Any) -> str | None:
    data, (x, y) = _signals(), new_signals()
    accuracy = share_right(trained_model(answer, data.x_train, data.y_train), x, y, 10)
    for level, message in _LEVELS:
        if accuracy < level:
            return f"{message} Yours reads {accuracy:.2f} of the new signals correctly."
    return None


@cache
def _signals() -> Any:
    return load_dataset("mnist1d")


@cache
def new_signals() -> tuple[np.ndarray, np.ndarray]:
    """Return 1,000 signals that are neither in the notebook's data nor in the test split."""
    fresh = load_dataset("mnist1d", seed=1010)
    return fresh.x_train[:1000], fresh.y_train[:1000]


def trained(epochs: int, *layers: Any) -> Any:
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


FLAT = ("Flatten",)
DENSE = (FLAT, ("Dense", 100, "relu"), ("Dense", 100, "relu"))
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
    _weights(),
    Exercise(
        question=_ORDER_QUESTION,
        check=_check_order,
        hint="Ask of each layer: does one word's output depend on where the others stand?",
        solution={"a", "d", "e"},
        explanation=(
            "A mean or maximum over the steps forgets the order, and a window of one word, or "
            "attention without positions, brings none in. A window of three words and a state do."
        ),
        equivalents=(["e", "d", "a"], "a, d, e", "ade", "(a), (d) and (e)", ("A", "D", "E")),
        wrong=(
            Wrong({"a", "b", "d", "e"}, _ABOUT_ORDER[0][1]),
            Wrong({"a", "c", "d", "e"}, _ABOUT_ORDER[1][1]),
            Wrong({"d", "e"}, _ABOUT_ORDER[2][1]),
            Wrong("a", _ABOUT_ORDER[3][1]),
            Wrong("a and d", _ABOUT_ORDER[4][1]),
            Wrong({"x"}, 'Answer with letters from "a" to "e"'),
        ),
    ),
    Exercise(
        question=(
            "Complete scaled dot-product attention. `Q` (queries, d), `K` (keys, d) and `V` (keys, "
            "n) are arrays; `mask` (keys,) is True for a word and False for padding. `weights` is "
            "the softmax of each query's scores over the words alone, and exactly 0 for padding."
        ),
        check=_check_attention,
        hint=(
            "A power of 0 is taken for padding. After that each row is divided by its sum: "
            "`powers.sum(axis=1, keepdims=True)`."
        ),
        solution=masked_attention,
        explanation=(
            "Each row of weights = softmax(Q·Kᵀ/√d) says how much one query takes from every word; "
            "weights·V is what it takes. A score of −∞ masks as well: e^(−∞) = 0."
        ),
        equivalents=(
            _variant(),
            _variant(_by_infinity),
            _variant(lambda Q, K, mask: _softmax(_scores(Q, K) - 1e9 * ~mask)),
            lambda *a: [part.astype("float32") for part in masked_attention(*a)],
        ),
        wrong=(
            *(Wrong(mistake, message) for mistake, message in _MISTAKES),
            Wrong(
                _variant(lambda Q, K, mask: _softmax(_scores(Q, K), mask, axis=0)),
                "There is a NaN, from 0 / 0",
            ),
            Wrong(
                _variant(
                    lambda Q, K, mask: _rows(np.where(mask, np.exp(_scores(Q, K)), -np.inf)),
                ),
                "There is a NaN, from −∞ / −∞",
            ),
            Wrong(lambda *a: masked_attention(*a)[1], _TWO),
            Wrong(
                lambda Q, _, V, __: (Q, V), "For Q (2, 3), K (4, 3) and V (4, 3) the shapes must"
            ),
            Wrong(
                _variant(output=lambda w, V, _: w @ V + 1),
                "The weights are right, the output is not",
            ),
            Wrong(
                _variant(lambda Q, K, _: np.full((len(Q), len(K)), 1 / len(K))),
                "The weights are not right; their rows sum to 1, 1.",
            ),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write a function `answer(x_train, y_train)` that builds a network in Keras, trains it "
            "on the 3,400 training signals of `mnist1d`, and returns it, in about ten seconds. "
            "`check` hands it the signals. The bar: it reads at least 90 % of 1,000 new signals "
            "correctly. Two dense layers reach 60 %."
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
            Wrong(trained(0, *_CONVOLUTIONS, FLAT), _LEVELS[0][1]),
            Wrong(trained(4, FLAT), _LEVELS[1][1]),
            Wrong(trained(4, *DENSE), _LEVELS[2][1]),
            Wrong(trained(4, *_CONVOLUTIONS, FLAT), _LEVELS[3][1]),
            Wrong(_without_head, "The model must give outputs of shape (1000, 10)"),
        ),
        level="build",
    ),
)
