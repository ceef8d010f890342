"""Exercises of notebook 00: features, accuracy, the test examples, nearest means, a network."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    choice_check,
    close,
    number_check,
    numbers,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import share_right, trained_model

_FEATURES = (
    Wrong(8, "8 pixels are one row of the picture; it has eight rows."),
    Wrong(16, "16 = 8 + 8. Each of the 8 rows has 8 pixels: is that a sum?"),
    Wrong(10, "10 is the number of classes, which is the size of the output, not of the input."),
    Wrong(192, "192 = 3 · 64 would be right for three colours; this picture is grey."),
    Wrong(784, "784 = 28 · 28 are the features of MNIST's digits; these are smaller."),
    Wrong(1797, "1,797 is the number of examples. How many numbers describe one of them?"),
)


def accuracy(labels, predicted):
    return (labels == predicted).mean()


def _error_rate(labels: np.ndarray, predicted: np.ndarray) -> float:
    return np.mean(labels != predicted)


def _count(labels: np.ndarray, predicted: np.ndarray) -> int:
    return np.sum(labels == predicted)


def _percent(labels: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * np.mean(labels == predicted)


def _of_all_right(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.array_equal(labels, predicted))


def _loop(labels: np.ndarray, predicted: np.ndarray) -> float:
    right = 0
    for label, guess in zip(labels, predicted, strict=True):
        right += int(label == guess)
    return right / len(labels)


def _early(labels: np.ndarray, predicted: np.ndarray) -> float | None:
    right = 0
    for label, guess in zip(labels, predicted, strict=True):
        right += int(label == guess)
        return right / len(labels)
    return None


def _float32(labels: np.ndarray, predicted: np.ndarray) -> np.float32:
    return np.float32((labels == predicted).mean())


# Labels, predictions and the number that agree; the second case is not in the notebook's text.
_CASES = (([3, 1, 4, 1, 5], [3, 1, 4, 7, 2], 3), ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0] * 10, 1))


def _check_accuracy(answer: Any) -> str | None:
    for labels, predicted, right in _CASES:
        result = tried(answer, np.array(labels), np.array(predicted))
        m = len(labels)
        if np.size(result) == m and np.ndim(result) == 1:
            return "This is one value per example: take the share of those that are True."
        got = as_float(result)
        text = f"For labels {labels} and predictions {predicted} yours gives {got:g}."
        if close(got, right / m):
            continue
        if close(got, 1 - right / m):
            return f"This is the share that is wrong. {text}"
        if close(got, 1 / m):
            return f"This looks at one example alone: does the `return` stand in the loop? {text}"
        if close(got, right):
            return f"This counts the right ones; divide by how many there are. {text}"
        if close(got, 100 * right / m):
            return f"This is in percent; return a fraction from 0 to 1. {text}"
        return f"Compare example by example, then take the share that agrees. {text}"
    return None


_WHICH = (
    "You train with 20 learning rates, look at the test accuracy of each, keep the best, and "
    "report that test accuracy. It promises too much. Why? (a) The test examples changed. "
    "(b) There are too few test examples. (c) The test examples helped to choose. "
    "(d) The training was too short."
)
_CHOSEN = (
    Wrong("a", "20 looks do not change the examples. What did they change about your choice?"),
    Wrong("b", "More would lessen the effect. What causes it?"),
    Wrong("d", "Training longer would not make this number honest: it was used to choose."),
)


def nearest_means(x_train, y_train, x):
    rows, new = x_train.reshape(len(x_train), -1), x.reshape(len(x), -1)
    means = np.zeros((10, rows.shape[1]))
    for k in range(10):
        means[k] = rows[y_train == k].mean(axis=0)
    distances = np.linalg.norm(new[:, None] - means, axis=2)
    return distances.argmin(axis=1)


def _nearest(
    centre: Callable[..., Any], choose: Callable[..., Any], x_train: Any, y_train: Any, x: Any
) -> Any:
    """Return the classes as in `nearest_means`, with other steps in its two places."""
    rows, new = (part.reshape(len(part), -1) / 1.0 for part in (x_train, x))
    means = np.stack([centre(rows, y_train, k) for k in range(10)])
    return choose(np.linalg.norm(new[:, None] - means, axis=2))


def _class_mean(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    return rows[labels == k].mean(axis=0)


def _class_sum(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    return rows[labels == k].sum(axis=0)


def _first_of_class(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    return rows[labels == k][0]


def _mean_of_the_others(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    return rows[labels != k].mean(axis=0)


def _mean_of_all(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    del labels, k
    return rows.mean(axis=0)


def _argmin(distances: np.ndarray) -> np.ndarray:
    return distances.argmin(axis=1)


def _argmax(distances: np.ndarray) -> np.ndarray:
    return distances.argmax(axis=1)


def _variant(centre: Callable[..., Any], choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x_train, y_train, x: _nearest(centre, choose, x_train, y_train, x)


_NEAREST_FAULTS = (
    (_variant(_class_mean, _argmax), "These are the classes whose mean is farthest away."),
    (_variant(_class_sum, _argmin), "The sum of a class's rows is not their mean."),
    (_variant(_first_of_class, _argmin), "This takes one picture of each class, not the mean."),
    (_variant(_mean_of_the_others, _argmin), "The mean of class k leaves out the other classes."),
    (
        _variant(_mean_of_all, _argmin),
        "Every picture gets the same class: are the ten means different?",
    ),
)


@cache
def _digit_parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    digits = load_dataset("digits")
    return digits.x_train[:400], digits.y_train[:400], digits.x_val[:120]


def _check_nearest(answer: Any) -> str | None:
    data = _digit_parts()
    right, count = nearest_means(*data), len(data[2])
    result = tried(answer, *data)
    got = np.squeeze(numbers(result))
    if got.shape == (10,):
        return (
            "One class per new picture is expected, not ten numbers: take the least along axis 1."
        )
    if got.shape == (count, 10):
        return "These are all the distances; of each row only the place of the least is asked for."
    if got.shape != (count,):
        return f"One class per new picture is expected, an array of shape ({count},)."
    if np.array_equal(got, right):
        return None
    if np.array_equal(got, right + 1):
        return "Each class is one too large: they count from 0."
    if not np.array_equal(got, np.rint(got)) or got.max() > 9 or got.min() < 0:
        return "Classes are whole numbers from 0 to 9: these look like distances."
    for faulty, message in _NEAREST_FAULTS:
        if np.array_equal(got, faulty(*data)):
            return message
    share = np.mean(got == right)
    return f"Only {share:.0%} of your classes are those of the nearest mean: check both places."


BAR = 0.85
_MEANING = (  # up to this share, what it means without a convolution, and with one
    (
        0.16,
        "Guessing reaches 0.10: is the model trained, and are labels and pictures in order?",
        "Guessing reaches 0.10: is the model trained, and is the learning rate small enough?",
    ),
    (
        0.42,
        "That is what one layer of weights reaches, without any layer before `Dense(10)`.",
        "The convolutions have hardly learned: more epochs, or another learning rate.",
    ),
    (
        BAR,
        "Dense layers alone reach 0.70 to 0.82; a convolution looks everywhere.",
        "Nearly: more epochs, smaller batches or another learning rate.",
    ),
)


def tour_network(x_train, y_train):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size=32, epochs=12, verbose=0)
    return model


def scattered(x: np.ndarray, seed: int) -> np.ndarray:
    """Return each digit at a random place in a picture of 12 × 12 pixels."""
    large = np.zeros((len(x), 12, 12, 1), dtype=x.dtype)
    places = np.random.default_rng(seed).integers(0, 5, (len(x), 2))
    for picture, digit, (top, left) in zip(large, x, places, strict=True):
        picture[top : top + 8, left : left + 8] = digit
    return large


@cache
def scattered_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures and labels to train on, and new ones: each validation digit four times."""
    digits = load_dataset("digits")
    new = np.concatenate([scattered(digits.x_val, seed) for seed in range(2, 6)])
    return scattered(digits.x_train, 1), digits.y_train, new, np.tile(digits.y_val, 4)


def _check_network(answer: Any) -> str | None:
    x_train, y_train, x_new, y_new = scattered_digits()
    model = trained_model(answer, x_train, y_train)
    shape = getattr(model, "output_shape", (None, 10))
    if shape != (None, 10):
        raise Mistake(f"The model needs ten outputs, one per class; its output shape is {shape}.")
    share = share_right(model, x_new, y_new, 10)
    if share >= BAR:
        return None
    kinds = [type(layer).__name__ for layer in getattr(model, "layers", [])]
    convolves = any("Conv" in kind for kind in kinds)
    meaning = next(texts[convolves] for limit, *texts in _MEANING if share < limit)
    return f"{meaning} Yours reads {share:.2f} of the new digits correctly; the bar is {BAR:.2f}."


def _network(*hidden: str, epochs: int = 15) -> Callable[..., Any]:
    """Return an answer that trains dense layers with these activations, of 64 units each."""

    def answer(x_train: np.ndarray, y_train: np.ndarray) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        front = [keras.layers.Rescaling(1 / 16), keras.layers.Flatten()]
        dense = [keras.layers.Dense(64, activation) for activation in hidden]
        model = keras.Sequential([*front, *dense, keras.layers.Dense(10, "softmax")])
        model.build((None, *x_train.shape[1:]))
        adam = keras.optimizers.Adam(0.005)
        model.compile(optimizer=adam, loss="sparse_categorical_crossentropy")
        if epochs:
            model.fit(x_train, y_train, batch_size=64, epochs=epochs, verbose=0)
        return model

    return answer


def _one_output(x_train: np.ndarray, y_train: np.ndarray) -> Any:
    import keras

    del y_train
    return keras.Sequential([keras.Input(x_train.shape[1:]), keras.layers.Flatten(),
                             keras.layers.Dense(1)])  # fmt: skip


def _by_pooling(x_train: np.ndarray, y_train: np.ndarray) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    convolutions = (layers.Conv2D(n, 3, padding="same", activation="relu") for n in (16, 32))
    first, second = convolutions
    model = keras.Sequential([layers.Rescaling(1 / 16), first, layers.MaxPooling2D(2), second,
                              layers.GlobalMaxPooling2D(), layers.Dense(10)])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    model.fit(x_train, y_train, batch_size=64, epochs=12, verbose=0)
    return model


EXERCISES = (
    Exercise(
        question=(
            "A digit of this data set is a grey picture of 8 × 8 pixels. How many features does "
            "one example have?"
        ),
        check=number_check(64, _FEATURES, "Count the pixels: each is one feature.", rtol=COMPUTED),
        hint="A feature is one number that describes the example; here it is one pixel.",
        solution=64,
        explanation="8 · 8 = 64 pixels, each one feature. In colour there would be 3 · 64.",
        equivalents=("64", 64.0, [64], np.int64(64), np.float32(64)),
        wrong=_FEATURES,
    ),
    Exercise(
        question=(
            "Write a function `answer(labels, predicted)` that takes two arrays of class numbers "
            "and returns the accuracy, as a fraction from 0 to 1."
        ),
        check=_check_accuracy,
        hint="`labels == predicted` is an array of True and False, and True counts as 1.",
        solution=accuracy,
        explanation="The mean of True (1) and False (0) is the share that is True.",
        equivalents=(
            _loop,
            lambda y, p: np.float32((y == p).mean()),
            lambda y, p: [(y == p).mean()],
        ),
        wrong=(
            Wrong(_error_rate, "This is the share that is wrong."),
            Wrong(_early, "This looks at one example alone"),
            Wrong(_count, "This counts the right ones"),
            Wrong(_percent, "This is in percent"),
            Wrong(_of_all_right, "Compare example by example"),
            Wrong(lambda labels, predicted: labels == predicted, "This is one value per example"),
            Wrong(0.75, "A function is expected"),
        ),
    ),
    Exercise(
        question=_WHICH,
        check=choice_check("c", _CHOSEN, _WHICH),
        hint="Think of the best of 20 lottery tickets: is it better than the others, or luckier?",
        solution="c",
        explanation=(
            "The best of 20 is partly the luckiest on these very examples. Choose with the "
            "validation examples, and look at the test examples once, at the end."
        ),
        equivalents=("C", " c ", "(c)", "c.", "The test examples helped to choose", {"c"}),
        wrong=_CHOSEN,
    ),
    Exercise(
        question=(
            "A classifier without a network: give each new picture the class whose mean training "
            "picture is nearest. `x_train` is an array of pictures `(n, 8, 8, 1)`, `y_train` their "
            "labels from 0 to 9, `x` the new pictures. Fill the two places of `...`; return the "
            "array of predicted classes."
        ),
        check=_check_nearest,
        hint="`rows[y_train == k]` are the rows of class k; `argmin` gives the place of the least.",
        solution=nearest_means,
        explanation=(
            "A mean per class, then the least distance: nothing is trained, and yet nine of ten "
            "digits are read. Every network has to do better than that."
        ),
        equivalents=(
            lambda x_train, y_train, x: list(nearest_means(x_train, y_train, x)),
            lambda x_train, y_train, x: nearest_means(x_train, y_train, x)[:, None],
            lambda x_train, y_train, x: nearest_means(x_train, y_train, x).astype("float32"),
        ),
        wrong=(
            *(Wrong(faulty, message) for faulty, message in _NEAREST_FAULTS),
            Wrong(lambda *data: nearest_means(*data) + 1, "Each class is one too large"),
            Wrong(_variant(_class_mean, lambda d: d.argmin(axis=0)), "One class per new picture"),
            Wrong(_variant(_class_mean, lambda d: d.min(axis=1)), "Classes are whole numbers"),
            Wrong(_variant(_class_mean, lambda d: d), "These are all the distances"),
            Wrong(lambda *_: np.arange(120) % 10, "Only 1"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Now the digits lie anywhere in a larger picture, 12 × 12 pixels, brightness 0 to 16. "
            "Write `answer(x_train, y_train)`: it builds a Keras model with ten outputs for such "
            "pictures, trains it, and returns it. The bar: it must read 85 % of new scattered "
            "digits. (A single layer `Dense(10)` reads about a third.) Your function has 1,221 "
            "training pictures and should take less than ten seconds; the check runs it."
        ),
        check=_check_network,
        hint="Begin with the network of this notebook. What must its `keras.Input` say now?",
        solution=tour_network,
        explanation=(
            "The same convolutions find the same strokes wherever they lie. With "
            "`GlobalMaxPooling2D()` in the place of `Flatten()` the network forgets the place and "
            "reads about 0.95: notebook 09 explains both."
        ),
        equivalents=(_by_pooling,),
        wrong=(
            Wrong(_network(epochs=0), "Guessing reaches 0.10"),
            Wrong(_network(), "That is what one layer of weights reaches"),
            Wrong(_network("relu"), "Dense layers alone reach"),
            Wrong(_one_output, "The model needs ten outputs"),
            Wrong(lambda *_: "trained", "The trained model is to be returned"),
        ),
        level="build",
    ),
)
