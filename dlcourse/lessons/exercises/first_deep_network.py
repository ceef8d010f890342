"""Exercises of notebook 06: parameters, a layer, a training step in NumPy, a network of digits."""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    close,
    number_check,
    numbers,
    shaped,
    tried,
    unordered,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import parameters, share_right, trained_model
from dlcourse.lessons.maths.network import count_parameters, parameters_per_layer


def _counts(hidden: int = 32) -> Exercise:
    """Return exercise 06.1 for the number of hidden neurons."""
    first, second = (784 + 1) * hidden, (hidden + 1) * 10
    count, weights = first + second, 784 * hidden + hidden * 10
    wrong = (
        Wrong(
            weights,
            f"These are the weights alone. Each of the {hidden} + 10 neurons has a bias too.",
        ),
        Wrong(
            first,
            "This is the first layer. The 10 neurons behind it have weights and biases too.",
        ),
        Wrong(
            784 * hidden * 10,
            f"784 · {hidden} · 10 counts paths from pixel to answer. Add up layer by layer.",
        ),
        Wrong(
            784 + hidden + 10,
            "These are the neurons. Parameters sit on the connections between them.",
        ),
        Wrong(count + 784, "You gave the 784 inputs biases too; they are only pixels."),
    )
    return Exercise(
        question=f"How many parameters, weights and biases, has the network 784-{hidden}-10?",
        check=number_check(
            count, wrong, "Count layer by layer: (inputs + 1) · neurons.", rtol=1e-6
        ),
        hint=f"Two layers have parameters: the one of {hidden} neurons and the one of 10.",
        solution=count,
        explanation=(
            f"(784 + 1) · {hidden} + ({hidden} + 1) · 10 = {first:,} + {second:,} = {count:,}."
        ),
        equivalents=(f"{count:,}", float(count), [count], np.int64(count)),
        wrong=wrong,
        variant=lambda random: _counts(int(random.integers(12, 65))),
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
        value = shaped(numbers(tried(answer, X, W, b)), (m, neurons))
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
    if isinstance(answer, str | set):
        answer = _in_words(answer)
    value = numbers(answer).ravel()
    if value.shape == (4,) and (value[0], value[3]) == (784, 10):
        value = value[1:3]
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


def _in_words(answer: Any) -> list[float]:
    """Return two sizes that are written as "8, 8", "8-8" or "784-8-8-10"; of a set, {8}, both."""
    if isinstance(answer, set):
        return unordered(answer) * (3 - len(answer))
    words = [word for word in answer.replace("-", ",").strip(" ()[]").split(",") if word.strip()]
    if not all(word.strip().isdecimal() for word in words):
        raise Mistake(f"Two hidden sizes are expected, such as (16, 16), not {answer[:40]!r}.")
    return [float(word) for word in words]


def training_step(X, Y, W1, b1, W2, b2, learning_rate):
    a1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    powers = np.exp(a1 @ W2 + b2)
    a2 = powers / powers.sum(axis=1, keepdims=True)
    dz2 = (a2 - Y) / len(X)
    db2, dW2 = dz2.sum(axis=0), a1.T @ dz2
    dz1 = dz2 @ W2.T * a1 * (1 - a1)
    db1, dW1 = dz1.sum(axis=0), X.T @ dz1
    W1, b1 = W1 - learning_rate * dW1, b1 - learning_rate * db1
    W2, b2 = W2 - learning_rate * dW2, b2 - learning_rate * db2
    return W1, b1, W2, b2


def _softmax(z: Any, axis: int | None = 1) -> Any:
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _step(
    a2: Any = _softmax,
    dz2: Any = lambda a2, Y: (a2 - Y) / len(Y),
    dz1: Any = lambda dz2, W2, a1: dz2 @ W2.T * a1 * (1 - a1),
    grads: Any = lambda dz1, X: (dz1.sum(axis=0), X.T @ dz1),
) -> Any:
    """Return an answer to 06.4 with other lines in it."""

    def answer(X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any, learning_rate: float) -> Any:
        a1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
        d2 = dz2(a2(a1 @ W2 + b2), Y)
        d1 = dz1(d2, W2, a1)
        db1, dW1 = grads(d1, X)
        return (
            W1 - learning_rate * dW1,
            b1 - learning_rate * db1,
            W2 - learning_rate * a1.T @ d2,
            b2 - learning_rate * d2.sum(axis=0),
        )

    return answer


_STEPS = (
    (
        _step(lambda z: _softmax(z, 0)),
        "Your softmax divides by the sum of each column: the outputs of one example are a row",
    ),
    (
        _step(lambda z: _softmax(z, None)),
        "Your softmax divides by the sum of the whole batch: each row must sum to 1",
    ),
    (_step(np.exp), "The exponentials in a2 are not yet divided by the sum of their row"),
    (_step(lambda z: z), "These are the sums of the output layer: a2 is their softmax"),
    (
        _step(lambda z: 1 / (1 + np.exp(-z))),
        "The outputs here are sigmoids; the classes exclude each other, so a2 is a softmax",
    ),
    (
        _step(dz2=lambda a2, Y: a2 - Y),
        "The loss is the mean over the batch: the number of examples is missing in dz2",
    ),
    (
        _step(dz2=lambda a2, Y: (Y - a2) / len(Y)),
        "This step goes uphill: look at the sign of dz2",
    ),
    (
        _step(dz2=lambda a2, Y: (a2 - Y) / Y.size),
        "dz2 is divided by examples times classes: the mean is over the examples alone",
    ),
    (
        _step(dz2=lambda a2, Y: (a2 - Y) * a2 * (1 - a2) / len(Y)),
        "dz2 has a factor too much: with softmax and cross-entropy no derivative is left over",
    ),
    (
        _step(dz1=lambda dz2, W2, _: dz2 @ W2.T),
        "The derivative of the sigmoid is missing in dz1",
    ),
    (
        _step(dz1=lambda dz2, W2, a1: dz2 @ W2.T * a1),
        "dz1 has half of the sigmoid's derivative only",
    ),
    (
        _step(dz1=lambda dz2, W2, a1: dz2 @ W2.T * (1 - a1**2)),
        "dz1 has the derivative of tanh: the hidden layer is a sigmoid",
    ),
    (
        _step(grads=lambda dz1, X: (dz1.mean(axis=0), X.T @ dz1 / len(X))),
        "W1 and b1: the mean over the batch is in dz2 already, here it is taken twice",
    ),
    (
        _step(grads=lambda dz1, X: (dz1.mean(axis=0), X.T @ dz1)),
        "b1: take the sum over the examples, the mean is in dz2 already",
    ),
    (
        _step(grads=lambda dz1, X: (0 * dz1[0], X.T @ dz1)),
        "b1 has not moved",
    ),
)
_PARTS = ("W1", "b1", "W2", "b2")


def _check_training_step(answer: Any) -> str | None:
    random = np.random.default_rng(64)
    for m, inputs, hidden, classes in ((5, 4, 3, 2), (7, 2, 4, 5)):
        X, Y = random.normal(size=(m, inputs)), np.eye(classes)[random.integers(0, classes, m)]
        W1, W2 = random.normal(size=(inputs, hidden)), random.normal(size=(hidden, classes))
        b1, b2 = random.normal(size=hidden), random.normal(size=classes)
        arguments = (X, Y, W1, b1, W2, b2, 0.7)
        found = tried(answer, *arguments)
        if not isinstance(found, list | tuple) or len(found) != 4:
            raise Mistake("Four arrays are to be returned: W1, b1, W2 and b2.")
        right = training_step(*arguments)
        values = [
            shaped(numbers(part), good.shape) for part, good in zip(found, right, strict=True)
        ]
        for name, value, good in zip(_PARTS, values, right, strict=True):
            if value.shape != good.shape:
                raise Mistake(f"{name} has the shape {value.shape}, {good.shape} is expected.")
        if all(map(_near, values, right)):
            continue
        for fault, message in _STEPS:
            if all(map(_near, values, fault(*arguments))):
                return f"{message}."
        wrong = [
            name for name, *pair in zip(_PARTS, values, right, strict=True) if not _near(*pair)
        ]
        return f"Not right: {', '.join(wrong)}. {_WHERE['W2' in wrong or 'b2' in wrong]}"
    return None


def _near(value: Any, right: Any) -> bool:
    return close(value, right, COMPUTED, 1e-6)


_WHERE = {
    True: "Begin with a2 and dz2: every later line uses them.",
    False: "The output layer is right: look at dz1 and at the line below it.",
}


BAR, MOST = 0.975, 13_002


def small_cnn(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=12, verbose=0)
    return model


@cache
def digit_parts() -> Any:
    """Return 1,200 digits for the answer and 597 for the checker: x, x of the checker, y, y."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    images = x.reshape(-1, 8, 8, 1).astype("float32")
    return train_test_split(images, y, train_size=1200, random_state=6, stratify=y)


_LEVELS = (
    (0.25, "Guessing reaches 10 %. Has `fit` been called, and are there ten outputs with softmax?"),
    (0.94, "It has not learned enough yet: train for more epochs, or with another learning rate."),
    (BAR, "That is what two layers of 16 neurons reach as well. The budget allows much more: which "
          "layers use that neighbouring pixels belong together, and what helps against learning "
          "the training pictures by heart?"),
)  # fmt: skip


def _check_digits(answer: Any) -> str | None:
    x, held, y, labels = digit_parts()
    model = trained_model(answer, x, y)
    count = parameters(model)
    if count > MOST:
        largest = max(model.layers, key=lambda layer: layer.count_params())
        return (
            f"{count:,} parameters are more than {MOST:,}; most of them, "
            f"{largest.count_params():,}, are in the layer {largest.name}."
        )
    share = share_right(model, held, labels, 10)
    for level, message in _LEVELS:
        if share < level:
            return f"{message} Yours reads {share:.1%} of the other digits."
    return None


def _dense(*units: int, activation: str = "relu", epochs: int = 0) -> Any:
    """Return an answer to 06.5: hidden dense layers, trained for some epochs."""

    def answer(x_train: Any, y_train: Any) -> Any:
        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(size, activation) for size in units]
        front = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 16), keras.layers.Flatten()]
        model: Any = keras.Sequential([*front, *hidden, keras.layers.Dense(10, "softmax")])
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        if epochs:
            model.fit(x_train, y_train, batch_size=64, epochs=epochs, verbose=0)
        return model

    return answer


def _nine(*_: Any) -> Any:
    """Return a network with nine outputs."""
    end = keras.layers.Dense(9, "softmax")
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), end])


EXERCISES = (
    _counts(),
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
    Exercise(
        level="complete",
        question=(
            "Complete one training step of a network with a hidden layer (sigmoid) and an output "
            "layer (softmax) for the mean cross-entropy of a batch. `X` is (m, inputs), `Y` the "
            "one-hot labels (m, classes); the four arrays that are returned are the new W1, b1, W2 "
            "and b2."
        ),
        check=_check_training_step,
        hint=(
            "The formulas stand in the section on one training step: softmax, then "
            "$dz^{[L]}$, then $dz^{[l-1]}$, then $dW$ and $db$ with the inputs X as $a^{[0]}$."
        ),
        solution=training_step,
        explanation=(
            "Softmax and cross-entropy leave the difference (a2 − Y)/m. Backwards it passes W2 and "
            "is multiplied by the sigmoid's derivative a1·(1 − a1)."
        ),
        equivalents=(_step(), lambda *arguments: list(training_step(*arguments))),
        wrong=(
            *(Wrong(function, text) for function, text in _STEPS),
            Wrong(lambda *a: training_step(*a)[:2], "Four arrays are to be returned"),
            Wrong(lambda *a: training_step(*a)[::-1], "W1 has the shape"),
            Wrong(_step(dz1=lambda dz2, W2, _: dz2 @ W2), "Your function raised ValueError for"),
            Wrong(_step(dz1=lambda dz2, W2, _: 2 * dz2 @ W2.T), "Not right: W1, b1. The output"),
        ),
    ),
    Exercise(
        level="build",
        question=(
            "Build the best network with at most 13,002 parameters for the small digits. Write a "
            "function `answer(x_train, y_train)` that returns a trained Keras model; it gets 1,200 "
            "pictures (8, 8, 1) with values from 0 to 16 and their labels. The bar: 97.5 % of 597 "
            "other digits right. The network 64-16-16-10 reaches about 96 %, a good network 98 % "
            "to 99 %, in a few seconds. Any layers are allowed."
        ),
        check=_check_digits,
        hint=(
            '`layers.Conv2D(16, 3, padding="same", activation="relu")` before `Flatten` looks for '
            "16 small patterns everywhere in the picture (notebook 09). `layers.Dropout(0.4)` "
            "before the last layer helps against over-fitting (notebook 07)."
        ),
        solution=small_cnn,
        explanation=(
            "Two convolutions find patterns of strokes wherever they are, with 7,490 parameters in "
            "all. Dense layers learn each place for itself, and read about 96 % to 97 %."
        ),
        equivalents=(),
        wrong=(
            Wrong(_dense(), "Guessing reaches 10 %"),
            Wrong(_dense(8, epochs=1), "It has not learned enough yet"),
            Wrong(_dense(16, 16, activation="sigmoid", epochs=40), "That is what two layers of 16"),
            Wrong(_dense(200), "15,010 parameters are more than 13,002"),
            Wrong(_nine, "The model must give outputs of shape (597, 10)"),
        ),
    ),
)
