"""Exercises of notebook 13: a generator's loss, what its numbers say, the nearest training image,
one round of a tiny GAN, and an autoencoder that finds digits joined from two.
"""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    as_float,
    choice_check,
    close,
    number_check,
    numbers,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import trained_model

_LOSSES = (
    Wrong(2.1269, "This is −log(1 − σ): the discriminator's loss, which was wrong here."),
    Wrong(0.8808, "This is σ, the probability of “real”: the loss is minus its logarithm."),
    Wrong(0.1192, "This is 1 − σ, the probability of “generated”: the loss is −log σ."),
    Wrong(-0.1269, "The loss has a minus: the logarithm of a probability is below 0."),
    Wrong(0.0551, "This is the logarithm to base 10: the loss takes the natural one."),
    Wrong(0.1831, "This is the logarithm to base 2: the loss takes the natural one."),
    Wrong(0.0635, "This is half of it: the ½ stands in the discriminator's loss."),
    Wrong(-0.6931, "This is −log 2: take the probability σ of the logit first."),
    Wrong(2.0, "This is the logit: take its sigmoid, then minus the logarithm."),
)

_CHOICE = (
    "New real digits have these numbers: the judge 0.96, two samples 0.52, the nearest 17. Which "
    "generator has learned to draw new digits? (a) The judge 0.99, two samples 0.51, the nearest "
    "0. (b) The judge 1.00, two samples 0.95, the nearest 16. (c) The judge 0.95, two samples "
    "0.60, the nearest 18. (d) The judge 0.10, two samples 1.00, the nearest 57."
)
_CHOSEN = (
    Wrong("a", "Its images lie at distance 0 from training images: it copies them."),
    Wrong("b", "The judge reads them, but the neighbours tell nearly all from real: all alike?"),
    Wrong("d", "The judge agrees as often as a guess does: these are not digits."),
)


def nearest(images, training):
    rows = images.reshape(len(images), 1, -1)
    others = training.reshape(1, len(training), -1)
    return np.sqrt(((rows - others) ** 2).sum(axis=2)).min(axis=1)


def _in_a_loop(images: Any, training: Any) -> list[float]:
    return [min(np.linalg.norm(image - other) for other in training) for image in images]


def _by_scipy(images: Any, training: Any) -> Any:
    from scipy.spatial.distance import cdist

    return cdist(images.reshape(len(images), -1), training.reshape(len(training), -1)).min(axis=1)


def _all_distances(images: Any, training: Any) -> Any:
    return np.linalg.norm(images[:, None] - training[None], axis=(2, 3))


_RANDOM = np.random.default_rng(13)
_IMAGES = _RANDOM.integers(0, 17, (3, 4, 4)).astype("float64")
_TRAINING = _RANDOM.integers(0, 17, (5, 4, 4)).astype("float64")
_TRAINING[4] = _IMAGES[1]  # a copy
_DISTANCES = (
    (
        lambda a, b: (_all_distances(a, b) ** 2).min(axis=1),
        "These are squared distances: the square root is missing.",
    ),
    (
        lambda a, b: (_all_distances(a, b) ** 2).min(axis=1) / a[0].size,
        "This is the mean squared difference: the distance is the root of the sum.",
    ),
    (
        lambda a, b: _all_distances(a, b).min(axis=1) / np.sqrt(a[0].size),
        "This is the root of the mean square: the distance is the root of the sum.",
    ),
    (lambda a, b: _all_distances(a, b).mean(axis=1), "This is the mean over all training images."),
    (lambda a, b: _all_distances(a, b).max(axis=1), "This is the farthest training image."),
    (
        lambda a, b: _all_distances(a, b).argmin(axis=1),
        "This says which image is the nearest: its distance is asked for.",
    ),
    (
        lambda a, b: np.abs(a[:, None] - b[None]).sum(axis=(2, 3)).min(axis=1),
        "This is the sum of the absolute differences: take squares, and the root of their sum.",
    ),
    (
        lambda a, b: np.abs(a[:, None] - b[None]).max(axis=(2, 3)).min(axis=1),
        "This is the largest difference of a pixel: take squares, and the root of their sum.",
    ),
    (
        lambda a, b: np.linalg.norm(a - b.mean(axis=0), axis=(1, 2)),
        "This is the distance to the mean training image.",
    ),
)


def _check_nearest(answer: Any) -> str | None:
    given = numbers(tried(answer, _IMAGES, _TRAINING))
    if given.size == 1:
        return "One distance per image is asked for: yours is one number for all."
    if given.shape == _all_distances(_IMAGES, _TRAINING).shape:
        return "These are all distances: keep the smallest of each image."
    if given.size == len(_TRAINING):
        return "This is one number per training image: keep the smallest along the other axis."
    given = numbers(given, len(_IMAGES))
    if close(given, nearest(_IMAGES, _TRAINING), 1e-5):
        return None
    for fault, message in _DISTANCES:
        if close(given, fault(_IMAGES, _TRAINING), 1e-5):
            return message
    return "Differences of all pixels, squared, summed, the root; then the smallest of each image."


def one_round(real, z, w, b, theta, rate):
    def sigmoid(logit):
        return 1 / (1 + np.exp(-logit))

    rows = np.concatenate([real, z + theta])
    labels = np.repeat([0.9, 0.0], [len(real), len(z)])
    error = sigmoid(rows @ w + b) - labels
    w, b = w - rate * error @ rows / len(rows), b - rate * error.mean()
    slopes = sigmoid((z + theta) @ w + b) - 1
    return w, b, theta - rate * slopes.mean() * w


def _round(
    *,
    labels: Any = (0.9, 0.0),
    sigmoid: bool = True,
    scale: Any = len,
    direction: int = 1,
    bias: bool = True,
    seen: str = "both",
    old: bool = False,
    slope: Any = lambda p: p - 1,
    pull: Any = lambda slopes, w: slopes.mean() * w,
    generated: Any = lambda _real, z, theta: z + theta,
) -> Any:
    """Return `one_round` with one part changed."""

    def changed(real: Any, z: Any, w: Any, b: Any, theta: Any, rate: float) -> tuple[Any, ...]:
        def probability(logit: Any) -> Any:
            return 1 / (1 + np.exp(-logit))

        rows = np.concatenate([real, z + theta])
        target = np.repeat(labels, [len(real), len(z)])
        error = (probability(rows @ w + b) if sigmoid else rows @ w + b) - target
        part = {"both": slice(None), "real": slice(len(real)), "generated": slice(len(real), None)}
        rows, error = rows[part[seen]], error[part[seen]]
        step = direction * rate / scale(rows)
        before = w, b
        w, b = w - step * error @ rows, b - step * error.sum() * bias
        opponent, at = before if old else (w, b)
        logit = generated(real, z, theta) @ opponent + at
        return w, b, theta - rate * pull(slope(probability(logit)), opponent)

    return changed


_DISCRIMINATOR = (
    (_round(direction=-1), "w and b go up their loss: the gradient is subtracted."),
    (_round(labels=(0.0, 0.9)), "The labels are the wrong way round: real rows have 0.9."),
    (_round(labels=(1.0, 0.0)), "Real rows have the label 0.9, not 1."),
    (
        _round(sigmoid=False),
        "The error compares the label with σ of the logit, not with the logit.",
    ),
    (_round(scale=lambda _: 1), "The gradient of w and b is a mean over all rows, not a sum."),
    (_round(scale=lambda rows: len(rows) / 2), "The mean is over all rows, real and generated."),
    (_round(bias=False), "w has moved, b has not: its gradient is the mean error."),
    (_round(seen="real"), "The discriminator learns from the generated rows, too: label 0."),
    (_round(seen="generated"), "The discriminator learns from the real rows, too: label 0.9."),
)
_GENERATOR = (
    (_round(old=True), "theta is to move against the new discriminator: yours used the old w, b."),
    (_round(slope=lambda p: -p), "This theta goes down log(1 − σ), which is flat where D is sure."),
    (
        _round(slope=lambda p: p),
        "This theta helps the discriminator: the derivative of −log σ by the logit is σ − 1.",
    ),
    (_round(slope=lambda p: 1 - p), "theta goes up its loss: −log σ has the derivative σ − 1."),
    (_round(slope=lambda p: p - 0.9), "The generator's label is 1: 0.9 is for real rows alone."),
    (_round(pull=lambda s, w: s.sum() * w), "theta takes the mean over its rows, not the sum."),
    (
        _round(pull=lambda s, w: s.mean() * np.ones_like(w)),
        "The chain rule goes on from the logit to the rows: a factor w is missing.",
    ),
    (_round(pull=lambda *_: 0.0), "theta has not moved: it takes a step, too."),
    (
        _round(generated=lambda _real, z, _theta: z),
        "The generator's rows are z + theta: yours are the noise alone.",
    ),
    (
        _round(generated=lambda real, *_: real),
        "The generator's loss is that of its own rows, not of the real ones.",
    ),
)
_ROUNDS = (
    (
        np.array([[2.0, 1.0], [3.0, 0.5], [2.5, 1.5]]),
        np.array([[0.1, -0.4], [-0.3, 0.2], [0.5, 0.9]]),
        np.array([0.4, -0.2]),
        0.1,
        np.array([0.5, -1.0]),
        0.5,
    ),
    (
        np.array([[1.0, 0.0, 2.0], [0.5, -1.0, 1.5], [1.5, 0.5, 1.0], [0.0, 1.0, 0.5]]),
        np.array([[0.2, 0.1, -0.6], [1.1, -0.7, 0.3]]),
        np.array([-0.5, 0.3, 0.8]),
        -0.2,
        np.array([0.1, 0.4, -0.3]),
        0.2,
    ),
)


def _parts(given: Any, features: int) -> tuple[np.ndarray, ...]:
    if not isinstance(given, tuple | list) or len(given) != 3:
        raise Mistake("Return three things: w, b and theta, in this order.")
    return numbers(given[0], features), as_float(given[1]), numbers(given[2], features)


def _alike(given: Any, right: Any) -> list[bool]:
    return [close(a, b, 1e-4) for a, b in zip(given, right, strict=True)]


def _check_round(answer: Any) -> str | None:
    for case, data in enumerate(_ROUNDS):
        given = _parts(tried(answer, *data), len(data[2]))
        if all(right := _alike(given, one_round(*data))):
            continue
        for fault, message in (*_DISCRIMINATOR, *_GENERATOR):
            if all(_alike(given, fault(*data))):
                return message
        if case:
            return "It is right for as many real as generated rows, not for others: use `len`."
        for fault, message in _DISCRIMINATOR:
            if all(_alike(given[:2], fault(*data)[:2])):
                return message
        if right[0] and right[1]:
            return "w and b are right, theta is not: look at σ − 1, its mean, and the factor w."
        if right[0] or right[1]:
            return "Of w and b one is right: both take the same error, w times the rows, b alone."
        return "Begin with the error, σ of each logit minus its label: one number per row."
    return None


BAR = 0.90  # area under the curve to reach
_COPIES, _FAR = 1.0, 40.0  # errors of a model that copies, and of a black image or a wrong range
_LEARNED, _LINEAR, _NARROW = 0.60, 0.845, 0.88  # areas of the mean image, PCA, a code of two


@cache
def joined_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return digits to learn from, others to judge by, and these with the lower half of another."""
    from dlcourse.datasets import load_dataset

    digits = load_dataset("digits", seed=13, validation_fraction=0.3)
    x, usual, y = digits.x_train, digits.x_val.astype("float32"), digits.y_val
    random, joined = np.random.default_rng(13), usual.copy()
    for image, label in zip(joined, y, strict=True):
        image[4:] = usual[random.choice(np.flatnonzero(y != label)), 4:]
    return x.astype("float32"), usual, joined


def joined_finder(x):
    import keras
    from keras import layers

    narrow = [layers.Dense(neurons, "relu") for neurons in (128, 64)]
    wide = [layers.Dense(neurons, "relu") for neurons in (64, 128)]
    begin = [keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), layers.Flatten()]
    end = [layers.Dense(64, "sigmoid"), layers.Reshape((8, 8, 1)), layers.Rescaling(16)]
    model = keras.Sequential([*begin, *narrow, layers.Dense(8), *wide, *end])
    model.compile(keras.optimizers.Adam(0.003), "mse")
    model.fit(x, x, epochs=30, verbose=0)
    return model


def _errors(model: Any, images: np.ndarray) -> np.ndarray:
    quiet = {"verbose": 0} if hasattr(model, "count_params") else {}
    try:
        given = model.predict(images, **quiet)
    except Exception:  # noqa: BLE001 - a student's model may do anything
        raise Mistake(f"Your model does not take an array of shape {images.shape}.") from None
    given = numbers(given)
    if given.shape not in (images.shape, images.shape[:3]):
        raise Mistake(f"The model must give back {images.shape}, yours gives {given.shape}.")
    return ((given.reshape(images.shape) - images) ** 2).mean(axis=(1, 2, 3))


def area(model: Any) -> float:
    """Return the area under the curve of a model's error: joined against usual digits."""
    _, usual, joined = joined_data()
    low, high = _errors(model, usual), _errors(model, joined)
    return float(np.mean(np.sign(high[:, None] - low[None]) / 2 + 0.5))


def _check_joined(answer: Any) -> str | None:
    x, usual, _ = joined_data()
    model = trained_model(answer, x)
    error = float(np.median(_errors(model, usual)))
    found = area(model)
    if found >= BAR:
        return None
    reached = f"The area under the curve of your model's error is {found:.2f}"
    if error < _COPIES:
        return f"{reached}: it gives back whatever it gets. Is there a narrow code?"
    if error > _FAR:
        return f"{reached}, and it gives back no digits: is it trained, and its range 0 to 16?"
    if found < _LEARNED:
        return f"{reached}; that of the mean image is 0.52. Train it longer, on `x` as both."
    if found < _LINEAR:
        return f"{reached}, as of a linear autoencoder: does every hidden layer have an activation?"
    if found < _NARROW:
        return f"{reached}, as with a code of two numbers: give it some more."
    return f"{reached}: the bar is {BAR:.2f}. Train it for some epochs more."


class _Rebuilt:
    """A model whose error is `usual` for usual digits, and whose area under the curve is `share`.

    The roots of the errors are exact, so that equal errors are ties.
    """

    def __init__(self, share: float, usual: float = 4.0) -> None:
        self.share, self.usual = share, usual

    def predict(self, x: np.ndarray) -> np.ndarray:
        plain = np.full(len(x), self.usual)
        if not np.array_equal(x, joined_data()[1]):
            found = np.arange(len(x)) < abs(2 * self.share - 1) * len(x)
            plain = plain + found * (1.0 if self.share > 0.5 else -0.1)
        return x + np.sqrt(plain)[:, None, None, None]


class _Flat(_Rebuilt):
    def predict(self, x: np.ndarray) -> np.ndarray:
        return super().predict(x)[..., 0]


class _Rows(_Rebuilt):
    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1)


EXERCISES = (
    Exercise(
        question=(
            "The discriminator gives a generated image the logit 2. What is the generator's loss "
            "for this image, to three digits?"
        ),
        check=number_check(0.1269, _LOSSES, "It is −log σ of the logit, with the sigmoid σ."),
        hint="First the probability of “real”, σ(2) = 1 / (1 + e⁻²), then minus its logarithm.",
        solution=0.127,
        explanation=(
            "σ(2) = 0.881 and −log 0.881 = 0.127: the generator has nearly deceived the "
            "discriminator, whose loss for this image is 2.127."
        ),
        equivalents=(0.1269, "0.127", "L = 0.127", [0.127], np.log1p(np.exp(-2.0))),
        wrong=_LOSSES,
    ),
    Exercise(
        question=_CHOICE,
        check=choice_check("c", _CHOSEN, _CHOICE),
        hint="For each number ask: is it as that of new real digits? A copy is at distance 0.",
        solution="c",
        explanation=(
            "All its numbers are near those of new real digits. (a) copies training images, (b) "
            "draws nearly the same image of a class each time, (d) draws noise."
        ),
        equivalents=("C", " c ", "(c)", "c.", {"c"}, ["c"], "Option (c)", np.array("c")),
        wrong=_CHOSEN,
    ),
    Exercise(
        question=(
            "Write a function `answer(images, training)` that takes two NumPy arrays (n, height, "
            "width) and (m, height, width) and returns n numbers: how far each image is from the "
            "training image nearest to it. The distance of two images is the square root of the "
            "sum of their squared differences."
        ),
        check=_check_nearest,
        hint="Take one image: its m distances first, then the smallest; then go on to the next.",
        solution=nearest,
        explanation=(
            "A length of 1 in an axis lets NumPy compare each image with each training image. The "
            "sum goes over the pixels, the minimum over the training images."
        ),
        equivalents=(
            _in_a_loop,
            _by_scipy,
            lambda a, b: _all_distances(a, b).min(axis=1),
            lambda a, b: _all_distances(a, b).min(axis=1, keepdims=True),
        ),
        wrong=(
            *(Wrong(fault, message) for fault, message in _DISTANCES),
            Wrong(lambda a, b: np.median(nearest(a, b)), "One distance per image is asked for"),
            Wrong(_all_distances, "These are all distances"),
            Wrong(lambda a, b: _all_distances(a, b).min(axis=0), "This is one number per training"),
            Wrong(lambda a, b: nearest(a, b) + 1, "Differences of all pixels, squared"),
        ),
    ),
    Exercise(
        question=(
            "Complete one round of a tiny GAN. The generator gives the rows `z + theta`: noise `z` "
            "(m, features), moved by a vector `theta` that is learned. The discriminator's logit "
            "is `rows @ w + b`. First the discriminator takes one step down the mean cross-entropy "
            "of all rows, with the label 0.9 for the rows of `real` (n, features) and 0 for the "
            "generator's. Then the generator takes one step down the mean of −log σ(logit) over "
            "its rows, against the new discriminator. Return the new w, b and theta. It must work "
            "for any n and m."
        ),
        check=_check_round,
        hint=(
            "The error is σ(logit) − label, as in notebook 03. For w it is multiplied with the "
            "rows, for b with 1, and the mean is taken. The slope is σ(logit) − 1."
        ),
        solution=one_round,
        explanation=(
            "Both steps are gradients of a cross-entropy, with other labels: 0.9 and 0 for the "
            "discriminator, 1 for the generator. The generator's passes through w: theta moves in "
            "the direction in which the discriminator finds rows more real."
        ),
        equivalents=(
            lambda *data: list(one_round(*data)),
            lambda *data: (
                one_round(*data)[0][:, None],
                [one_round(*data)[1]],
                one_round(*data)[2],
            ),
            _round(),
        ),
        wrong=(
            *(Wrong(fault, message) for fault, message in (*_DISCRIMINATOR, *_GENERATOR)),
            Wrong(lambda *data: one_round(*data)[:2], "Return three things"),
            Wrong(
                lambda real, z, w, b, theta, rate: (
                    *one_round(real, z, w, b, theta, rate)[:2],
                    theta + 9,
                ),
                "w and b are right, theta is not",
            ),
            Wrong(lambda *data: (one_round(*data)[0], 9.0, data[4]), "Of w and b one is right"),
            Wrong(lambda *data: (data[2] + 9, 9.0, data[4]), "Begin with the error"),
            Wrong(
                lambda *data: one_round(*data[:5], data[5] * len(data[0]) / len(data[1])),
                "It is right for as many real as generated rows",
            ),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write `answer(x)`: it returns a trained Keras model that gives back what it gets, "
            "images (n, 8, 8, 1) from 0 to 16. `x` holds 1,005 digits. `check` looks at the "
            "model's squared error on 432 other digits, and on as many *joined* ones: the upper "
            "half of one digit over the lower half of another class. The bar is an area under the "
            "curve of 0.90. It may take 8 CPU seconds. The mean image reaches 0.52, a linear code "
            "0.84 at best, a code of two numbers 0.87."
        ),
        check=_check_joined,
        hint=(
            "Scale the images to 0 … 1, flatten them, and go through two hidden layers of ReLU to "
            "a code of some numbers, then back; `mse` between `x` and `x` is the loss."
        ),
        solution=joined_finder,
        explanation=(
            "The code must be wide enough to give back digits, and narrow enough to give back "
            "nothing else: from 4 to 32 numbers reach the bar here, 64 do not. The nearest "
            "training image reaches 0.95, with no training at all: on such small images it wins."
        ),
        equivalents=(lambda *_: _Rebuilt(0.95), lambda *_: _Flat(0.92)),
        wrong=(
            Wrong(
                lambda *_: _Rebuilt(0.7, 0.25),
                "The area under the curve of your model's error is 0.70: it gives back",
            ),
            Wrong(
                lambda *_: _Rebuilt(0.4, 64.0),
                "The area under the curve of your model's error is 0.40, and it gives back no",
            ),
            Wrong(
                lambda *_: _Rebuilt(0.5),
                "The area under the curve of your model's error is 0.50; that of the mean",
            ),
            Wrong(
                lambda *_: _Rebuilt(0.8),
                "The area under the curve of your model's error is 0.80, as of a linear",
            ),
            Wrong(
                lambda *_: _Rebuilt(0.87),
                "The area under the curve of your model's error is 0.87, as with a code",
            ),
            Wrong(
                lambda *_: _Rebuilt(0.89),
                "The area under the curve of your model's error is 0.89: the bar",
            ),
            Wrong(lambda *_: _Rows(0.9), "The model must give back (432, 8, 8, 1), yours gives"),
            Wrong(lambda *_: "a model", "The trained model is to be returned"),
        ),
        level="build",
    ),
)
