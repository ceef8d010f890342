"""Exercises of notebook 08: slopes, He's weights, a level start, the range test, six faults."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shaped,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import probabilities, trained_model
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


def _all(noise: np.ndarray) -> np.ndarray:
    return noise * np.sqrt(2 / noise.size)


def _unrooted(noise: np.ndarray) -> np.ndarray:
    return noise * np.sqrt(2) / noise.shape[0]


def _other(noise: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(0, np.sqrt(2 / len(noise)), noise.shape)


def _unchanged(noise: np.ndarray) -> np.ndarray:
    return noise * 1


_FAULTS = (
    (_variance, "2/inputs is He's variance; a standard deviation is the root of it"),
    (_lecun, "This keeps a linear layer level; ReLU switches half of the neurons off"),
    (_glorot, "This is Glorot's rule, with inputs and neurons; it suits tanh"),
    (_neurons, "It is the number of inputs that counts: each neuron adds up so many terms"),
    (_all, "The number of all weights does not count: a neuron adds up its inputs"),
    (_unrooted, "The root of 2 is there, that of the inputs is not"),
    (_unchanged, "These are large weights, of deviation 1: their sums grow with the inputs"),
)


def _check_he(answer: Any) -> str | None:
    random = np.random.default_rng(8)
    for shape in ((50, 20), (8, 128)):
        noise = random.normal(size=shape)
        value = shaped(numbers(tried(answer, noise)), shape)
        if value.shape != shape:
            raise Mistake(f"Weights of shape {shape} are expected, not of {value.shape}.")
        if not close(value, he_weights(noise), COMPUTED):
            hits = [text for fault, text in _FAULTS if close(value, fault(noise), COMPUTED)]
            if not hits and abs(value.std() / np.sqrt(2 / shape[0]) - 1) < 0.15:
                return "The deviation is right, but these are other numbers: scale `noise` itself."
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
    if isinstance(answer, dict) and len(answer) == 1:
        answer = list(*answer.items())
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if isinstance(answer, str):
        answer = [part.strip(" ()'\"") for part in answer.split(",")]
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Mistake(f"An activation and a number are expected, not {shown(answer)}.")
    if not isinstance(answer[0], str):
        answer = answer[::-1]
    if not isinstance(answer[0], str):
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
            f"{f'{ratio:,.0f}' if ratio < 1e6 else f'{ratio:.0e}'} times the last one's. "
            "Smaller weights?"
        )
    return None


def _vanished(activation: str, spread: float, ratio: float) -> str:
    text = f"{activation} with s = {spread:g} leaves {ratio:.2g} of the last layer's gradient."
    if activation == "sigmoid":
        return (
            f"It vanishes: {text} Its slope is at most 0.25. Larger weights, or another activation?"
        )
    return f"Too little arrives: {text} Larger weights?"


def find_rate(step, lowest, highest, steps):
    factor = (highest / lowest) ** (1 / (steps - 1))
    rate, smooth, best = lowest, None, np.inf
    for _ in range(steps):
        loss = step(rate)
        smooth = loss if smooth is None else 0.8 * smooth + 0.2 * loss
        if not smooth <= 4 * best:
            return rate / 10
        best = min(best, smooth)
        rate = rate * factor
    return highest / 10


def _finder(
    old: float = 0.8,
    new: float = 0.2,
    times: float = 4,
    tenth: float = 10,
    power: int = 1,
    linear: bool = False,
    nan: bool = True,
    keep: Callable[..., float] = lambda best, smooth, _: min(best, smooth),
) -> Any:
    """Return a range test with one or more typical faults."""

    def answer(step: Any, lowest: float, highest: float, steps: int) -> float:
        factor = (highest / lowest) ** (1 / (steps - power))
        rate, smooth, best = lowest, None, math.inf
        for _ in range(steps):
            loss = step(rate)
            smooth = loss if smooth is None else old * smooth + new * loss
            if smooth > times * best or (nan and math.isnan(smooth)):
                return rate / tenth
            best = keep(best, smooth, loss)
            rate = rate + (highest - lowest) / (steps - 1) if linear else rate * factor
        return highest / 10

    return answer


def _same_rate(step: Any, *_: Any) -> float:
    return sum(step(1e-6) for _ in range(13))


# Losses of 13 steps, from the rate 1e-6 to 1: one never diverges; one goes up slightly before it
# does; one has an outlier; one rises slowly; one becomes NaN.
_FALLING = (2.3, 2.3, 2.3, 2.3, 2.3, 2.2, 2.0, 1.7, 1.3, 0.9, 0.7, 0.6, 0.5)
_GENTLE = (2.0, 1.0, 1.0, 1.0, 3.0, 1.0, 0.9, 0.8, 0.7, 30.0, 90.0, 200.0, 400.0)
_ROUGH = (2.0, 2.0, 9.0, 2.0, 1.5, 1.0, 0.8, 0.7, 0.6, 30.0, 90.0, 200.0, 400.0)
_SLOWLY = (2.0, 0.4, 0.2, 0.1, 0.1, 0.1, 1.0, 2.0, 4.0, 9.0, 20.0, 40.0, 80.0)
_BROKEN = (2.0, 2.0, 2.0, 1.0, 0.9, 0.8, 0.8, 0.8, *(math.nan,) * 5)
_RANGE = (1e-6, 1.0, 13)
_FINDER_FAULTS = (
    (_finder(old=0.2, new=0.8), "Old and new are exchanged in the smoothed loss: 0.8 of the old."),
    (
        _finder(old=0, new=1),
        "A single outlier has stopped the test: compare the smoothed loss, not the last one.",
    ),
    (_finder(tenth=1), "This is the rate at which the loss diverges: a tenth of it is asked for."),
    (
        _finder(times=1),
        "The test stops as soon as the loss rises at all; four times the best is the limit.",
    ),
    (
        _finder(keep=lambda best, _, loss: min(best, loss)),
        "`best` is the lowest loss of a single batch: it must be the lowest smoothed one.",
    ),
    (
        _finder(keep=lambda _, smooth, __: smooth),
        "`best` follows the loss upwards: it must keep the lowest smoothed loss so far.",
    ),
)


def _recorded(answer: Any, losses: Any) -> tuple[float, list[float]]:
    """Return what the answer suggests for these losses, and the rates that it has tried."""
    rates: list[float] = []

    def step(rate: Any) -> float:
        rates.append(as_float(rate))
        if len(rates) > len(losses):
            raise Mistake(f"`step` is called more than {len(losses)} times for steps = 13.")
        return losses[len(rates) - 1]

    result = tried(_Once(answer, step), *_RANGE)
    return as_float(result), rates


class _Once:
    """The answer with its first argument, which must not be copied: it counts its calls."""

    def __init__(self, answer: Any, step: Any) -> None:
        self.answer, self.step = answer, step
        self.__code__ = getattr(answer, "__code__", None)

    def __call__(self, *rest: Any) -> Any:
        return self.answer(self.step, *rest)


def _check_finder(answer: Any) -> str | None:
    if not callable(answer):
        raise Mistake(f"A function is expected, not {shown(answer)}.")
    _, rates = _recorded(answer, _FALLING)
    if len(rates) < 13:
        return (
            f"The loss falls at every step, but your test stops after {len(rates)} of 13. "
            "When has it diverged?"
        )
    if message := _wrong_rates(np.array(rates)):
        return message
    for losses in (_GENTLE, _ROUGH, _SLOWLY, _BROKEN):
        right = find_rate(_player(losses), *_RANGE)
        value, _ = _recorded(answer, losses)
        if close(value, right, COMPUTED):
            continue
        for fault, message in _FINDER_FAULTS:
            if close(value, fault(_player(losses), *_RANGE), COMPUTED):
                return message
        if losses is _BROKEN:
            return "The loss becomes NaN, and the test goes on: NaN > 1 is False in Python."
        if close(value, _RANGE[1] / 10, COMPUTED):
            return "Your test goes on to the highest rate, though the loss has diverged before."
        return (
            f"For the losses {', '.join(map(str, losses))} another rate than {value:.2g} is to be "
            "suggested. Print the smoothed loss and `best` at each step."
        )
    return None


def _player(losses: Any) -> Any:
    """Return a `step` that gives these losses one after the other."""
    rest = iter(losses)
    return lambda _: next(rest)


def _wrong_rates(rates: np.ndarray) -> str | None:
    right = np.geomspace(_RANGE[0], _RANGE[1], _RANGE[2])
    if close(rates, right, 1e-3):
        return None
    if np.ptp(rates) == 0:
        return "The rate never changes: it is to grow after every step."
    if close(rates, np.linspace(*_RANGE), 1e-3):
        return "Your rate grows by equal steps: it is to grow by an equal factor."
    if close(rates, _RANGE[0] * (_RANGE[1] / _RANGE[0]) ** (np.arange(13) / 13), 1e-3):
        return (
            f"The last rate is {rates[-1]:.2g} instead of 1: from the first of 13 rates to the "
            "last there are not 13 steps."
        )
    if rates[-1] < rates[0]:
        return "Your rate falls: it is to grow from `lowest` to `highest`."
    return (
        f"From lowest = 1e-06 to highest = 1 your rates are {rates[0]:.2g}, {rates[1]:.2g}, … "
        f"{rates[-1]:.2g}. Which factor, used 12 times, leads from the first to the last?"
    )


# The clinic. Each script stands in the notebook with its fault; `scripts` names them by exercise.


def scaled_outside(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit((x_train - mean) / deviation, y_train, epochs=10, verbose=0)
    return model


def scaled_inside(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def large_rate(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = layers.Dense(64, "relu")
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.5), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


def suitable_rate(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = layers.Dense(64, "relu")
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


def half_loss(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers

    def loss(y, p):
        return -y * keras.ops.log(p)

    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03), loss)
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def whole_loss(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def two_softmax(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def equal_start(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = layers.Dense(64, "relu", kernel_initializer="zeros")
    last = layers.Dense(10, "softmax", kernel_initializer="zeros")
    model = keras.Sequential([layers.Rescaling(1 / 16), layers.Flatten(), hidden, last])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


def random_start(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = layers.Dense(64, "relu", kernel_initializer="he_normal")
    last = layers.Dense(10, "softmax", kernel_initializer="glorot_uniform")
    model = keras.Sequential([layers.Rescaling(1 / 16), layers.Flatten(), hidden, last])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


def shuffled_apart(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    x_train = np.random.default_rng(0).permutation(x_train)
    y_train = np.random.default_rng(1).permutation(y_train)
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def shuffled_together(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    order = np.random.default_rng(0).permutation(len(x_train))
    x_train, y_train = x_train[order], y_train[order]
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


def deep_sigmoid(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = [layers.Dense(32, "sigmoid") for _ in range(8)]
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), *hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


def deep_relu(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    hidden = [layers.Dense(32, "relu", kernel_initializer="he_normal") for _ in range(8)]
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), *hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


BARS = {"08.5": 0.9, "08.6": 0.85, "08.7": 0.9, "08.8": 0.85, "08.9": 0.9, "08.10": 0.8}
_NEARLY = "Nearly: it learns, but not enough."


def _cure(dataset: str, bar: float, same: str, low: str, causes: Any = None) -> Any:
    """Return the checker of a mended training, with a message for what is still wrong.

    Args:
        dataset: Name of the data set; the validation examples decide.
        bar: Least share of them that must be right.
        same: Message if the model gives every example the same class.
        low: Message if it is not much better than a guess.
        causes: Function of the model, of its outputs for the validation examples and of its share
            that returns a message, or None.
    """

    def check(answer: Any) -> str | None:
        data = load_dataset(dataset)
        model = trained_model(answer, data.x_train, data.y_train)
        labels, outputs = _classes(model, data.x_val, len(data.class_names))
        share = float(np.mean(labels == data.y_val))
        if share >= bar:
            return None
        found = f" {share:.2f} of the new examples are right; the bar is {bar:.2f}."
        if causes and (message := causes(model, outputs)):
            return message + found
        if len(np.unique(labels)) == 1:
            return same + found
        most = np.bincount(data.y_val).max() / len(data.y_val)
        return (low if share < (1 + 2 * most) / 3 else _NEARLY) + found

    return check


def _classes(model: Any, x: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that a model gives, and its outputs: one per class, or one for two."""
    shape = getattr(model, "output_shape", None)
    single = classes == 2 and not (isinstance(shape, tuple) and shape[-1] == 2)
    outputs = probabilities(model, x, 1 if single else classes)
    return (outputs[:, 0] > 0.5).astype(int) if single else outputs.argmax(axis=1), outputs


def _rate(model: Any, _: Any) -> str | None:
    """Return a message if the model was trained at a rate that is far too small or too large."""
    try:
        rate = float(model.optimizer.learning_rate)
    except Exception:  # noqa: BLE001 - a model that was never compiled, or not of Keras
        return None
    if rate < 3e-4:
        return f"At a rate of {rate:.1g} ten epochs are not enough: it is too small now."
    if rate > 0.05:
        return f"Steps of {rate:.2g} throw the weights far away: use the finder."
    return None


def _one_sided(_: Any, outputs: np.ndarray) -> str | None:
    """Return a message if malignant tumours are called benign, and hardly any the other way."""
    labels, said = load_dataset("breast_cancer").y_val, outputs[:, -1] > 0.5
    if said[labels == 1].mean() > 0.9 and said[labels == 0].mean() > 0.3:
        return "Malignant tumours are called benign, never the other way: what does that cost here?"
    return None


def _equal_neurons(model: Any, _: Any) -> str | None:
    """Return a message if the neurons of a dense layer are all equal, or all zero."""
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, keras.layers.Dense) and layer.units > 10 and layer.built:
            weights = np.asarray(layer.get_weights()[0])
            if not weights.any():
                return "The weights of the hidden layer are still 0: nothing has moved them."
            if np.allclose(weights, weights[:, :1], atol=1e-4):
                return "All hidden neurons are equal: not being 0 is not enough."
    return None


def _no_training(x_train: Any, y_train: Any) -> Any:  # noqa: ARG001
    """Return a network for the digits that has never been trained."""
    keras.utils.set_random_seed(0)
    layers: Any = keras.layers
    return keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, "softmax")]
    )


def _wide(x_train: Any, y_train: Any) -> Any:  # noqa: ARG001
    """Return a network with three outputs."""
    return keras.Sequential([keras.Input(x_train.shape[1:]), keras.layers.Dense(3)])


def _untrained(x_train: Any, y_train: Any) -> Any:  # noqa: ARG001
    """Return a network for the tumours that scales its inputs, and is not trained."""
    keras.utils.set_random_seed(3)
    layers: Any = keras.layers
    scale = layers.Normalization()
    scale.adapt(x_train)
    return keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])


def _changed(function: Any, *changes: tuple[str, str]) -> Any:
    """Return a script of the clinic with other text in some places."""
    import inspect

    code = inspect.getsource(function)
    for old, new in changes:
        code = code.replace(old, new)
    names: dict[str, Any] = {"np": np}
    exec(code, names)  # the course's own text
    return names[function.__name__]


def _constant(x_train: Any, y_train: Any) -> Any:  # noqa: ARG001
    """Return a network that gives every tumour the class 1."""
    ones: Any = keras.layers.Dense(
        1, "sigmoid", kernel_initializer="zeros", bias_initializer="ones"
    )
    return keras.Sequential([keras.Input(x_train.shape[1:]), ones])


def _depth(model: Any, _: Any) -> str | None:
    """Return a message if there are fewer than eight hidden layers, or only sigmoids."""
    layers = getattr(model, "layers", ())
    hidden = [layer for layer in layers if isinstance(layer, keras.layers.Dense)][:-1]
    if len(hidden) < 8:
        return f"Your network has {len(hidden)} hidden layers: keep all eight."
    names = {getattr(layer.activation, "__name__", "") for layer in hidden}
    if names == {"sigmoid"} and not any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in layers
    ):
        return "Eight sigmoids lie on the way to the first layer: how much gradient do they leave?"
    return None


_NO_MODEL = Wrong(lambda *_: 3, "The trained model is to be returned")
_SHAPE = Wrong(_wide, "The model must give outputs of shape")

EXERCISES = (
    Exercise(
        question=(
            "A chain of 10 sigmoid neurons, one per layer, has weights of 2. By what factor, at "
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
            "distributed numbers with standard deviation 1, and returns these numbers scaled to "
            "He's initial weights for a layer with ReLU."
        ),
        check=_check_he,
        hint="He's variance is 2/n for n inputs. What deviation is that, and by which factor?",
        solution=he_weights,
        explanation=(
            "A sum of n terms has n times the variance of one; ReLU keeps half of it. With the "
            "variance 2/n a weight, activations and gradients keep their size."
        ),
        equivalents=(_divided, _float32, _lists),
        wrong=(
            *(Wrong(function, text) for function, text in _FAULTS),
            Wrong(_other, "The deviation is right"),
            Wrong(lambda noise: noise * 3, "These are not the noise times"),
        ),
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
        hint="Move the slider of the section on the layers until the line is level.",
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
    Exercise(
        level="complete",
        question=(
            "Complete the learning-rate finder. `step(rate)` trains on one batch at this rate and "
            "returns its loss. The first of the `steps` rates is `lowest`, the last is `highest`, "
            "and each is the one before times the same factor. The smoothed loss is 0.8 of its old "
            "value and 0.2 of the new loss. When it is not finite, or more than four times the "
            "best one so far, the loss has diverged: a tenth of this rate is returned."
        ),
        check=_check_finder,
        hint=(
            "Twelve factors lead from the first of 13 rates to the last. `best` is the lowest "
            "smoothed loss so far. A comparison with NaN is always False: `not smooth <= limit` is "
            "True for a NaN."
        ),
        solution=find_rate,
        explanation=(
            "Equal factors give every power of ten the same number of steps; the smoothing keeps a "
            "single unlucky batch from ending the test; the tenth leaves a margin."
        ),
        equivalents=(
            _finder(),
            lambda *a: np.array([find_rate(*a)]),
        ),
        wrong=(
            *(Wrong(fault, message) for fault, message in _FINDER_FAULTS),
            Wrong(_finder(nan=False), "The loss becomes NaN"),
            Wrong(_finder(times=1e9), "Your test goes on to the highest rate"),
            Wrong(_finder(linear=True), "Your rate grows by equal steps"),
            Wrong(_finder(power=0), "The last rate is"),
            Wrong(_same_rate, "The rate never"),
            Wrong(lambda step, *_: step(1e-6), "The loss falls at every step"),
            Wrong(_finder(times=1.5, tenth=3), "For the losses"),
        ),
    ),
    Exercise(
        level="build",
        question=(
            "In training this network is right for 99 % of the tumours, and for a new patient it "
            "always says the same. Mend it: 90 % of new, unscaled rows must be right."
        ),
        check=_cure(
            "breast_cancer",
            BARS["08.5"],
            "Every tumour gets the same class. New rows come as they are, up to 2,500 and more: "
            "what does your model do with them first?",
            "The new tumours are hardly better than a guess: is the model trained on what it gets "
            "later?",
        ),
        hint="What happens to `x_train` here, and to a new row? Where does a model keep its scale?",
        solution=scaled_inside,
        explanation=(
            "The scale was a part of the script and not of the model. A `Normalization` layer in "
            "the model keeps mean and deviation with the weights, in training, use and on disk."
        ),
        equivalents=(),
        wrong=(
            Wrong(scaled_outside, "Every tumour gets the same class"),
            Wrong(_untrained, "The new tumours are hardly better"),
            _NO_MODEL,
            _SHAPE,
        ),
    ),
    Exercise(
        level="build",
        question=(
            "The loss of this network is above 10 in the first epoch, and after ten epochs most "
            "digits are still wrong. Mend it: 85 % of new digits must be right."
        ),
        check=_cure(
            "digits",
            BARS["08.6"],
            "Every digit gets the same class: draw the loss over the epochs.",
            "The new digits are hardly better than a guess: does the loss fall?",
            _rate,
        ),
        hint="The learning-rate finder takes a hundred steps.",
        solution=suitable_rate,
        explanation=(
            "Adam's steps are about as large as the rate, for every weight. The initial weights of "
            "this network are about 0.1: steps of 0.5 throw them far away each time."
        ),
        equivalents=(_changed(suitable_rate, ("0.005", "0.02")),),
        wrong=(
            Wrong(large_rate, "Steps of 0.5 throw"),
            Wrong(_changed(large_rate, ("0.5", "1e-5")), "At a rate of 1e-05"),
            Wrong(_no_training, "The new digits are hardly"),
            _NO_MODEL,
        ),
    ),
    Exercise(
        level="build",
        question=(
            "The loss of this network falls to nearly 0, and yet it calls malignant tumours "
            "benign. Mend it: 90 % of new tumours must be right."
        ),
        check=_cure(
            "breast_cancer",
            BARS["08.7"],
            "Every tumour gets the same class: print the outputs for a few of them.",
            "The new tumours are hardly better than a guess: does the loss fall?",
            _one_sided,
        ),
        hint="Compute the loss by hand for y = 0 and p = 0.99. What should it be?",
        solution=whole_loss,
        explanation=(
            "Half of the cross-entropy was missing, −(1 − y) ln(1 − p): where y is 0, every answer "
            'cost nothing. `"binary_crossentropy"` has both halves, and is safe at p = 0.'
        ),
        equivalents=(scaled_inside, two_softmax),
        wrong=(
            Wrong(half_loss, "Malignant tumours are called benign"),
            Wrong(_untrained, "The new tumours are hardly"),
            _NO_MODEL,
            _SHAPE,
        ),
    ),
    Exercise(
        level="build",
        question=(
            "The loss of this network stays at 2.30 from the first batch on, at any rate. Mend "
            "it: 85 % of new digits must be right."
        ),
        check=_cure(
            "digits",
            BARS["08.8"],
            "Every digit gets the same class: look at the weights of the hidden layer.",
            "The new digits are hardly better than a guess: is the network trained?",
            _equal_neurons,
        ),
        hint="Print `model.layers[2].get_weights()` after the training.",
        solution=random_start,
        explanation=(
            "With zeros, the hidden outputs are 0 and so are the gradients of both kernels. With "
            "equal weights other than 0, all neurons stay equal. They must start different."
        ),
        equivalents=(_changed(random_start, ("he_normal", "random_normal")),),
        wrong=(
            Wrong(equal_start, "The weights of the hidden layer are still 0"),
            Wrong(_changed(equal_start, ("zeros", "ones")), "All hidden neurons are equal"),
            Wrong(_no_training, "The new digits are hardly"),
            _NO_MODEL,
        ),
    ),
    Exercise(
        level="build",
        question=(
            "Nothing is wrong with this network, its rate or its loss, and yet new tumours come "
            "out little better than a guess. Mend the training: 90 % of new tumours must be right."
        ),
        check=_cure(
            "breast_cancer",
            BARS["08.9"],
            "Every tumour gets the same class: is the model trained on rows with their labels?",
            "The new tumours are hardly better than a guess. Take five rows as they go into `fit`: "
            "are these their labels?",
        ),
        hint="Compare a row and its label before and after the two lines of the shuffling.",
        solution=shuffled_together,
        explanation=(
            "Rows and labels were shuffled in different orders, so that no label belonged to its "
            "row. `fit` shuffles by itself; where you do it, use one order for both."
        ),
        equivalents=(scaled_inside,),
        wrong=(
            Wrong(shuffled_apart, "The new tumours are hardly better"),
            Wrong(_constant, "Every tumour gets the same class"),
            _NO_MODEL,
            _SHAPE,
        ),
    ),
    Exercise(
        level="build",
        question=(
            "The loss of this network of eight hidden layers rests near 2.3, though its weights "
            "are random and different. Keep the eight layers and mend it: 80 % of new digits must "
            "be right."
        ),
        check=_cure(
            "digits",
            BARS["08.10"],
            "Every digit gets the same class: how large is the first layer's gradient?",
            "The new digits are hardly better than a guess: does a gradient reach the first layer?",
            _depth,
        ),
        hint="Look at this network with the function of the section on the layers.",
        solution=deep_relu,
        explanation=(
            "Each sigmoid multiplies the gradient by at most 0.25; after eight of them the first "
            "layers stand still. ReLU with He's weights, tanh with Glorot's, or batch "
            "normalization before each activation let it through."
        ),
        equivalents=(_changed(deep_sigmoid, ('"sigmoid"', '"tanh"')),),
        wrong=(
            Wrong(deep_sigmoid, "Eight sigmoids lie on the way"),
            Wrong(_no_training, "Your network has 0 hidden layers"),
            Wrong(_changed(deep_relu, ("10, verbose", "0, verbose")), "Every digit gets the same"),
            _NO_MODEL,
        ),
    ),
)
