"""Exercises of notebook 07: early stopping, weight decay, diagnoses, dropout, a network to mend."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    as_word,
    close,
    numbers,
    shaped,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import probabilities, trained_model


def _stop(best: int = 4, falls: tuple[float, ...] = (0.20, 0.08, 0.07)) -> Exercise:
    """Return exercise 07.1 for the best epoch before the end, and how the loss falls to it."""
    start = np.concatenate([[0.9], 0.9 - np.cumsum(falls)])
    losses = [*start, *(start[-1] + np.array([0.03, 0.01, 0.05, -0.01, 0.06]))]
    last = best + 3
    wrong = (
        Wrong(
            (last, last + 1), f"Epoch {last + 1} is never trained: the training has ended before."
        ),
        Wrong(
            (last + 2, last + 1),
            f"Three epochs without improvement end the training before epoch {last + 2}.",
        ),
        Wrong(
            (last - 1, best),
            f"After epoch {last - 1} only two epochs have passed without improvement, {last - 2} "
            f"and {last - 1}.",
        ),
        Wrong((last + 1, best), "Stop at once when the third epoch without improvement is over."),
        Wrong((last, last), "The weights of the best epoch are kept, not those of the last."),
        Wrong((last - 1, best - 1), "Epochs count from 1 here."),
        Wrong((best, last), "First the last epoch that is trained, then the epoch that is kept."),
        Wrong((best + 1, best), "One worse epoch is not a reason to stop: the patience is 3."),
        Wrong(
            (last, last - 1),
            f"Epoch {last - 1} is better than {last - 2}; is it better than the best before?",
        ),
    )
    return Exercise(
        question=(
            "The validation loss of epochs 1, 2, 3, … is "
            f"{', '.join(f'{loss:.2f}' for loss in losses)}. Early stopping has a patience of 3 "
            "epochs and keeps the best weights. Answer with two numbers: the last epoch that is "
            "trained, and the epoch whose weights are kept."
        ),
        check=lambda answer: _check_stop(answer, (last, best), wrong),
        hint="Go epoch by epoch: is this the best so far? If not, how many in a row were not?",
        solution=(last, best),
        explanation=(
            f"Epoch {best} is the best; {best + 1}, {best + 2} and {last} are not better, and the "
            f"patience is used up. The better epoch {last + 1} is never seen: that is the price of "
            "stopping early."
        ),
        equivalents=(
            [last, best],
            np.array([last, best]),
            (float(last), float(best)),
            (str(last), str(best)),
            f"epochs {last} and {best}",
            {"last": last, "kept": best},
        ),
        wrong=wrong,
        variant=_other_stop,
    )


def _other_stop(random: np.random.Generator) -> Exercise:
    best = int(random.integers(3, 7))
    return _stop(best, tuple(random.integers(4, 11, best - 1) / 100))


def _check_stop(answer: Any, right: tuple[int, int], wrong: tuple[Wrong, ...]) -> str | None:
    if isinstance(answer, set | frozenset):
        raise Mistake("A set has no order: answer with a tuple, such as (9, 9).")
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if isinstance(answer, str):  # "7, 4", "epoch 7 and epoch 4"
        plain = re.sub(r"\bepochs?\b", " ", answer.lower()).strip(" ()[].")
        answer = re.split(r"\s*(?:[,;]|\band\b|\s)\s*", plain.strip())
    if isinstance(answer, list | tuple) and any(isinstance(part, str) for part in answer):
        answer = [as_float(part) for part in answer]
    value = numbers(answer).ravel()
    if value.shape != (2,):
        raise Mistake(f"Two numbers are expected, not {value.size}.")
    if close(value, right, 1e-6):
        return None
    known = (case.message for case in wrong if close(value, case.answer, 1e-6))
    return next(known, "Count, from the best epoch so far, the epochs that are not better.")


def decayed_step(w, dw, learning_rate, l2):
    return w - learning_rate * (dw + 2 * l2 * w)


def _shrunk(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return (1 - 2 * learning_rate * l2) * w - learning_rate * dw


def _float32(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return decayed_step(w, dw, learning_rate, l2).astype("float32")


def _list(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> list[float]:
    return decayed_step(w, dw, learning_rate, l2).tolist()


def _half(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw + l2 * w)


def _none(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:  # noqa: ARG001
    return w - learning_rate * dw


def _without_rate(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * dw - 2 * l2 * w


def _grows(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw - 2 * l2 * w)


def _penalty(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w - learning_rate * (dw + l2 * np.sum(w**2))


def _uphill(w: np.ndarray, dw: np.ndarray, learning_rate: float, l2: float) -> np.ndarray:
    return w + learning_rate * (dw + 2 * l2 * w)


_FAULTS = (
    (_half, "The derivative of l2·w² has a factor that is missing here"),
    (_none, "Nothing decays here: the penalty's gradient is missing"),
    (_without_rate, "The penalty is a part of the loss: its gradient too is scaled by the rate"),
    (_grows, "With this sign the weights grow: the penalty's gradient is added to dw"),
    (_penalty, "This adds the penalty itself; a step needs its derivative by each weight"),
    (_uphill, "This step goes uphill"),
)


def _check_step(answer: Any) -> str | None:
    random = np.random.default_rng(2)
    for size, rate, l2 in ((3, 0.1, 0.5), (5, 0.5, 0.02)):
        w, dw = random.normal(size=(2, size))
        value = shaped(numbers(tried(answer, w, dw, rate, l2)), w.shape)
        if value.shape != w.shape:
            raise Mistake(f"New weights of shape {w.shape} are expected, not of {value.shape}.")
        if not close(value, decayed_step(w, dw, rate, l2), COMPUTED):
            hits = [
                text for fault, text in _FAULTS if close(value, fault(w, dw, rate, l2), COMPUTED)
            ]
            text = hits[0] if hits else "These are not the weights after the step"
            return f"{text}. Tried with w = {shown(w)}, learning_rate = {rate}, l2 = {l2}."
    return None


_DIAGNOSES = {"A": "over-fitting", "B": "under-fitting", "C": "good fit", "D": "not learning"}
_REASONS = {
    "A": "A is nearly perfect on its training examples and far worse on new ones.",
    "B": "B does the same on both, better than a guess, and well on neither.",
    "C": "C does well on both, and the gap is small.",
    "D": "D does what the constant baseline does: 0.50 with two classes of equal size.",
}


def _check_diagnoses(answer: Any) -> str | None:
    try:
        answer = dict(answer if isinstance(answer, Mapping | list | tuple) else ())
    except (TypeError, ValueError):
        answer = {}
    said = {str(key).strip(" .()").upper(): value for key, value in answer.items()}
    if said.keys() != set("ABCD"):
        raise Mistake('A dictionary with the keys "A", "B", "C" and "D" is expected.')
    words = {key: _diagnosis(key, said[key]) for key in sorted(said)}
    wrong = [key for key, right in _DIAGNOSES.items() if words[key] != right]
    return f"Look again at {wrong[0]}: {_REASONS[wrong[0]]}" if wrong else None


def _diagnosis(key: str, word: Any) -> str:
    try:
        return as_word(word, sorted(_DIAGNOSES.values()))
    except Mistake:
        listed = ", ".join(f'"{name}"' for name in sorted(_DIAGNOSES.values()))
        raise Mistake(f"{key} needs one of {listed}.") from None


def dropout(a, rate, training, random):
    if not training:
        return a
    chances = random.random(a.shape)
    share = 1 - rate
    stays = chances < share
    return a * stays / share


def _dropping(
    mask: Any = lambda random, a: random.random(a.shape),
    scale: Any = lambda share: 1 / share,
    part: Any = lambda share: share,
    use: Any = lambda a, _: a,
) -> Any:
    """Return an answer to 07.4 with another mask, scale, part that stays, or use."""

    def answer(a: Any, rate: float, training: bool, random: Any) -> Any:
        share = 1 - rate
        if not training:
            return use(a, share)
        return a * (mask(random, a) < part(share)) * scale(share)

    return answer


def _binomial(a: Any, rate: float, training: bool, random: Any) -> Any:
    return np.where(random.binomial(1, 1 - rate, a.shape), a / (1 - rate), 0) if training else a


def _in_place(a: Any, rate: float, training: bool, random: Any) -> Any:
    if training:
        a[random.random(a.shape) < rate] = 0
        a /= 1 - rate
    return a


_RATE = 0.2
_SCALES = (
    (1.0, "What stays is not made larger: in training the sum must stay as it was on average"),
    (
        _RATE / (1 - _RATE),
        "Not the part that is dropped decides the scale, but the part that stays",
    ),
    (1 / _RATE, "What stays is divided by the part that is dropped: divide by the part that stays"),
    (1 - _RATE, "What stays is made smaller; it must become larger"),
    (1 + _RATE, "What stays is multiplied by 1 + rate: that is nearly right for small rates only"),
)


def _check_dropout(answer: Any) -> str | None:
    a = np.random.default_rng(3).uniform(0.5, 2, size=(300, 40))
    in_use = _dropped(answer, a, _RATE, False, 0)
    value, other = (_dropped(answer, a, _RATE, True, seed) for seed in (0, 1))
    zero = value == 0
    if not zero.any():
        return "In training a part of the numbers must become 0; none of yours is 0."
    if zero.all():
        return "In training everything is dropped: is `stays` true for any number?"
    if (zero == zero[0]).all():
        return "Every example loses the same neurons: each number of `a` needs its own draw."
    if (zero == zero[:, :1]).all():
        return "An example loses all its neurons or none: each number of `a` needs its own draw."
    if abs(np.mean(zero) - (1 - _RATE)) < 0.03:
        return (
            f"Of 100 neurons about {100 * np.mean(zero):.0f} are dropped: the rate is the part "
            f"that is dropped, here {_RATE}."
        )
    if abs(np.mean(zero) - _RATE) > 0.03:
        return f"At a rate of {_RATE} you drop {np.mean(zero):.2f} of the neurons."
    if (zero == (other == 0)).all():
        return "Each step must drop other neurons: take the numbers from `random`."
    ratios = value[~zero] / a[~zero]
    if np.ptp(value[~zero]) < 1e-4:
        return "All numbers that stay are equal: in your result the activations `a` are missing."
    if np.ptp(ratios) > 1e-4:
        return "What stays must be multiplied by one and the same number."
    if not close(ratios[0], 1 / (1 - _RATE), 1e-4):
        hits = [text for scale, text in _SCALES if close(ratios[0], scale, 1e-4)]
        return (
            f"{hits[0]}."
            if hits
            else f"At a rate of {_RATE} what stays is multiplied by "
            f"{ratios[0]:.3g}: look at the scale again."
        )
    if close(in_use, (1 - _RATE) * a, 1e-4):
        return "In use nothing is made smaller: the scale in training has seen to it."
    if not close(in_use, a, COMPUTED):
        return "In use nothing is dropped, and `a` comes back as it is."
    return None


def _dropped(answer: Any, a: np.ndarray, rate: float, training: bool, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    value = shaped(numbers(tried(answer, a, rate, training, random)), a.shape)
    if value.shape != a.shape:
        when = "In training" if training else "In use"
        raise Mistake(
            f"{when} an array of the shape of `a` is expected, {a.shape}; yours has {value.shape}."
        )
    return value


BAR = 0.23


def mended(x_train, y_train, x_val, y_val):
    import keras

    keras.utils.set_random_seed(0)
    layers, l2 = keras.layers, keras.regularizers.L2(0.003)
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            scale,
            layers.Dense(128, activation="relu", kernel_regularizer=l2),
            layers.Dense(128, activation="relu", kernel_regularizer=l2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy")
    val = (x_val, y_val)
    model.fit(x_train, y_train, batch_size=16, epochs=60, validation_data=val, verbose=0)
    return model


@cache
def moons() -> Any:
    """Return x and y of 80 training and 80 validation points, and of 720 for the checker."""
    data = load_dataset("points", shape="moons", noise=0.9, n=2000, validation_fraction=0.5)
    given = (data.x_train[:80], data.y_train[:80], data.x_val[:80], data.y_val[:80])
    return given, (data.x_val[80:], data.y_val[80:])


def cross_entropy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean binary cross-entropy of a model's probabilities."""
    chances = probabilities(model, x, 1)[:, 0]
    if chances.min() < 0 or chances.max() > 1:
        raise Mistake("The output must be a probability: the last layer needs a sigmoid.")
    chances = np.clip(chances, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.log(np.where(y == 1, chances, 1 - chances))))


def _check_mended(answer: Any) -> str | None:
    given, new = moons()
    model = trained_model(answer, *given)
    loss, train = cross_entropy(model, *new), cross_entropy(model, *given[:2])
    if loss <= BAR:
        return None
    found = f"Its loss is {train:.2f} on the training points and {loss:.2f} on new ones."
    if loss > 0.6 and train > 0.6:
        return f"It has hardly learned: a guess of one half gives 0.69. {found}"
    if loss - train > 0.1:
        return f"It still over-fits: the gap is what a cure must close. {found}"
    return (
        "It does not over-fit, but under-fits: both losses are high. Is the network too small, the "
        f"cure too strong, or the training too short? {found}"
    )


def _points(
    *units: int, epochs: int = 60, rate: float = 0.01, l2: float = 0, end: str = "sigmoid"
) -> Any:
    """Return an answer to 07.5: hidden layers, and a training that looks at no validation."""

    def answer(x_train: Any, y_train: Any, *_: Any) -> Any:
        keras.utils.set_random_seed(0)
        decay = keras.regularizers.L2(l2)
        hidden = [keras.layers.Dense(n, "relu", kernel_regularizer=decay) for n in units]
        ends = [*hidden, keras.layers.Dense(1, end)]
        model: Any = keras.Sequential([keras.Input((2,)), *ends])
        model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
        if epochs:
            model.fit(x_train, y_train, batch_size=16, epochs=epochs, verbose=0)
        return model

    return answer


EXERCISES = (
    _stop(),
    Exercise(
        question=(
            "Write a function `answer(w, dw, learning_rate, l2)` that returns the weights after "
            "one step of gradient descent with weight decay, in Keras' convention: the loss is the "
            "data's loss plus `l2` times the sum of the squared weights, and `dw` is the gradient "
            "of the data's loss alone."
        ),
        check=_check_step,
        hint="What is the derivative of l2·w² by w? Add it to dw, then step as ever.",
        solution=decayed_step,
        explanation=(
            "The penalty's gradient is 2·l2·w, so that each step takes the share "
            "2·learning_rate·l2 away from every weight, whatever the data says."
        ),
        equivalents=(_shrunk, _float32, _list),
        wrong=tuple(Wrong(function, text) for function, text in _FAULTS),
    ),
    Exercise(
        question=(
            "Four trainings ended with these accuracies on training and validation: A 0.99 and "
            "0.78, B 0.71 and 0.70, C 0.95 and 0.94, D 0.50 and 0.50 with two classes of equal "
            'size. Answer with a dictionary from "A", "B", "C" and "D" to one each of "good fit", '
            '"not learning", "over-fitting" and "under-fitting".'
        ),
        check=_check_diagnoses,
        hint="First the gap between the two, then how good the first is, then what a guess gives.",
        solution=_DIAGNOSES,
        explanation=(
            "A gap means over-fitting. Without a gap it is good where both are high, under-fitting "
            "where both are low, and nothing is learned where the constant baseline does as well."
        ),
        equivalents=(
            {"d": "Not learning", "c": "good_fit", "b": "underfitting", "a": "overfitting"},
            {key: value.upper() for key, value in _DIAGNOSES.items()},
        ),
        wrong=(
            Wrong({**_DIAGNOSES, "A": "good fit", "C": "over-fitting"}, "Look again at A"),
            Wrong({**_DIAGNOSES, "B": "good fit", "C": "under-fitting"}, "Look again at B"),
            Wrong({**_DIAGNOSES, "C": "over-fitting"}, "Look again at C"),
            Wrong({**_DIAGNOSES, "D": "under-fitting"}, "Look again at D"),
            Wrong({**_DIAGNOSES, "D": "guessing"}, "D needs one of"),
            Wrong(["over-fitting"], "A dictionary with the keys"),
        ),
    ),
    Exercise(
        level="complete",
        question=(
            "Complete dropout as Keras has it: `answer(a, rate, training, random)` returns what a "
            "`Dropout(rate)` layer makes of the activations `a` (m, neurons). `training` is True "
            "in training and False in use, and `random` is a NumPy generator: "
            "`random.random(shape)` gives numbers from 0 to 1."
        ),
        check=_check_dropout,
        hint=(
            "A number from 0 to 1 is below `share` with just this probability. What stays is made "
            "larger so that the sum stays as it was on average; in use nothing happens."
        ),
        solution=dropout,
        explanation=(
            "`chances < share` is true for the part that stays, and dividing by the share keeps "
            "the expected value: share · a / share + rate · 0 = a. So nothing is left to do in use."
        ),
        equivalents=(_binomial, _in_place, _dropping()),
        wrong=(
            Wrong(_dropping(scale=lambda _: 1.0), _SCALES[0][1]),
            Wrong(_dropping(scale=lambda share: (1 - share) / share), _SCALES[1][1]),
            Wrong(_dropping(scale=lambda share: 1 / (1 - share)), _SCALES[2][1]),
            Wrong(_dropping(scale=lambda share: share), _SCALES[3][1]),
            Wrong(_dropping(scale=lambda share: 2 - share), _SCALES[4][1]),
            Wrong(_dropping(part=lambda share: 1 - share), "Of 100 neurons about 8"),
            Wrong(_dropping(part=lambda _: 0.5), "At a rate of 0.2 you drop 0."),
            Wrong(_dropping(part=lambda _: 2), "In training a part of the numbers"),
            Wrong(_dropping(part=lambda _: -1), "In training everything is dropped"),
            Wrong(_dropping(lambda random, a: random.random(a.shape[1])), "Every example loses"),
            Wrong(_dropping(lambda random, a: random.random((len(a), 1))), "An example loses all"),
            Wrong(
                _dropping(lambda _, a: np.random.default_rng(0).random(a.shape)),
                "Each step must drop other neurons",
            ),
            Wrong(
                lambda a, rate, training, random: (
                    a if not training else (random.random(a.shape) >= rate) / (1 - rate)
                ),
                "All numbers that stay are equal",
            ),
            Wrong(lambda a, _, training, __: a if training else 0, "In use an array"),
            Wrong(_dropping(use=lambda a, share: a * share), "In use nothing is made smaller"),
            Wrong(_dropping(use=lambda a, _: 0 * a), "In use nothing is dropped"),
        ),
    ),
    Exercise(
        level="build",
        question=(
            "The network below over-fits: on new points of the half-moons its binary cross-entropy "
            "is about 0.3 or more. Mend it, in any way: a function `answer(x_train, y_train, "
            "x_val, y_val)` that returns a trained Keras model. It gets 80 points to train on and "
            "80 for the validation. The bar: a binary cross-entropy of at most 0.23 on 720 new "
            "points. A straight line reaches 0.33, a mended network about 0.17, in a few seconds."
        ),
        check=_check_mended,
        hint=(
            "`x_val` and `y_val` are there for `EarlyStopping`. A small L2 on the hidden layers "
            "or `layers.Dropout(0.5)` after each of them, helps as well. Look at both losses."
        ),
        solution=mended,
        explanation=(
            "L2 keeps the weights small, and with a smaller learning rate the training ends before "
            "the network is certain everywhere. Early stopping or dropout mend it as well."
        ),
        equivalents=(),
        wrong=(
            Wrong(_points(128, 128), "It still over-fits"),
            Wrong(_points(epochs=60), "It does not over-fit, but under-fits"),
            Wrong(_points(128, 128, epochs=0), "It has hardly learned"),
            Wrong(_points(16, end="linear", epochs=1), "The output must be a probability"),
        ),
    ),
)
