"""Exercises of notebook 11: a map, saliency, a hit, Grad-CAM, and two maps of one's own network."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import as_truth, close, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import probabilities

_FIRST, _SECOND = np.array([[1, 0], [2, 0]]), np.array([[0, 3], [1, 0]])
_CAM = 2 * _FIRST - _SECOND
_CAM_MISTAKES = (
    (_FIRST + _SECOND, "Each map counts as much as its weight says, not once."),
    (2 * _FIRST + _SECOND, "The second weight is −1: where its map is bright, the class loses."),
    (2 * _FIRST, "The second map is missing: its weight is −1, not 0."),
    (_CAM / 2, "You have taken a mean: the maps are added up."),
    (np.maximum(_CAM, 0), "Negative values are evidence against the class: a CAM keeps them."),
    (_CAM.T, "Rows and columns are exchanged."),
)


def _check_cam(answer: Any) -> str | None:
    given = numbers(answer)
    if given.size == 1:
        return "A map is asked for, as large as the feature maps: do not sum over the places."
    given = numbers(answer, 2, 2)
    if close(given, _CAM):
        return None
    for mistake, message in _CAM_MISTAKES:
        if close(given, mistake):
            return message
    return "Some numbers are not right: at each place, 2 times the one map minus the other."


_WEIGHTS, _X = np.array([2, -3, 0.5]), np.array([1, 1, 4])
_SALIENCY = np.abs(_WEIGHTS)
_SALIENCY_MISTAKES = (
    (_WEIGHTS, "This is the gradient. A saliency map tells how much, not in which direction."),
    (
        _WEIGHTS * _X,
        "This is gradient times input: what an input brings, not how z reacts.",
    ),
    (np.abs(_WEIGHTS * _X), "The input is not a factor: how much does z change if x changes by 1?"),
    (_X, "These are the inputs: what does z do if one of them changes?"),
    (_SALIENCY / _SALIENCY.max(), "Do not scale it: the numbers have a unit, z per x."),
)


def _check_saliency(answer: Any) -> str | None:
    given = numbers(answer, 3)
    if close(given, _SALIENCY):
        return None
    for mistake, message in _SALIENCY_MISTAKES:
        if close(given, mistake):
            return message
    return "Differentiate z by x₁, by x₂ and by x₃, and take absolute values."


def hit(heat, box):
    top, left, bottom, right = box
    row, column = np.unravel_index(np.argmax(heat), heat.shape)
    return bool(top <= row < bottom and left <= column < right)


def _by_cut(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return heat[top:bottom, left:right].max() == heat.max()


def _inclusive(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return hit(heat, (top, left, bottom + 1, right + 1))


def _turned(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    return hit(heat.T, box)


def _mostly(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    return bool(heat[top:bottom, left:right].sum() > heat.sum() / 2)


def _strongest(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    return hit(np.abs(heat), box)


def _always(heat: np.ndarray, box: tuple[int, int, int, int]) -> bool:  # noqa: ARG001
    return True


def _heat(**places: float) -> np.ndarray:
    """Return a 4 × 6 map of zeros, with values at places named r<row>c<column>."""
    heat = np.zeros((4, 6))
    for name, value in places.items():
        heat[int(name[1]), int(name[3])] = value
    return heat


# Map, box and message for an answer that is wrong for them; the simplest cases come first.
_HITS = (
    (_heat(r0c0=4), (2, 3, 4, 6), "The largest value lies outside the box: that is not a hit."),
    (_heat(r1c4=3, r1c1=1), (0, 3, 2, 6), "Rows go with top and bottom, columns with the others."),
    (_heat(r2c4=3, r1c4=1), (0, 3, 2, 6), "bottom and right are the first ones outside the box."),
    (_heat(r0c0=3, r2c3=2, r2c4=2), (2, 3, 4, 6), "The largest value counts, not most of the sum."),
    (_heat(r0c0=-5, r2c3=2), (2, 3, 4, 6), "The largest value counts, not the strongest negative."),
)


def _check_hit(answer: Any) -> str | None:
    for heat, box, message in _HITS:
        got = tried(answer, heat, box)
        try:
            said = as_truth(got.item() if getattr(got, "size", 0) == 1 else got)
        except Mistake:
            reason = "True or False is to be returned: is the largest value in the box?"
            raise Mistake(reason) from None
        if said != hit(heat, box):
            row, column = np.unravel_index(heat.argmax(), heat.shape)
            return f"{message} (largest value in row {row}, column {column}; box {box}.)"
    return None


def grad_cam(maps, gradients):
    weights = gradients.mean(axis=(0, 1))
    summed = (maps * weights).sum(axis=2)
    return np.maximum(summed, 0)


def _cam_of(
    weights: Callable[[Any], Any] = lambda g: g.mean(axis=(0, 1)),
    end: Callable[[Any], Any] = lambda heat: np.maximum(heat, 0),
) -> Any:
    """Return an answer with other weights, a function of the gradients, or another end."""
    return lambda maps, gradients: end((maps * weights(gradients)).sum(axis=2))


_GRAD_CAM_MISTAKES = (
    (
        _cam_of(end=lambda heat: heat),
        "The map has negative values: Grad-CAM keeps what speaks for the class.",
    ),
    (
        _cam_of(lambda g: g.sum(axis=(0, 1))),
        "The weights are sums over the places: they are means.",
    ),
    (
        _cam_of(lambda g: g),
        "Each place has its own weight here: one weight per feature map is asked for.",
    ),
    (
        _cam_of(lambda g: np.maximum(g, 0)),
        "Each place has its own weight here (this is LayerCAM): take one per feature map.",
    ),
    (
        _cam_of(lambda g: np.maximum(g.mean(axis=(0, 1)), 0)),
        "Negative weights must stay: only the sum is cut at 0.",
    ),
    (
        _cam_of(lambda g: np.abs(g.mean(axis=(0, 1)))),
        "The sign of a weight counts: a map may speak against the class.",
    ),
    (
        _cam_of(lambda g: np.abs(g).mean(axis=(0, 1))),
        "The weight is the mean of the gradient with its sign, not of its size.",
    ),
    (_cam_of(end=np.abs), "What is negative becomes 0, it does not change its sign."),
    (
        _cam_of(lambda g: g.max(axis=(0, 1))),
        "The weights are maxima over the places: they are means.",
    ),
    (_cam_of(lambda _: 1), "The gradients are not used: each map is weighed by its mean gradient."),
    (
        lambda maps, gradients: np.maximum((maps * gradients.mean(axis=(0, 1))).mean(axis=2), 0),
        "The weighted maps are added up, not averaged.",
    ),
    (
        lambda _, gradients: np.maximum(gradients.sum(axis=2), 0),
        "The feature maps are not used: weigh them by the mean gradients.",
    ),
    (
        lambda maps, gradients: _divided(grad_cam(maps, gradients)),
        "Do not scale it: the values have the logit's unit.",
    ),
)  # fmt: skip


def _divided(heat: np.ndarray) -> np.ndarray:
    return heat / heat.max()


def _check_grad_cam(answer: Any) -> str | None:
    for shape in ((3, 4, 2), (5, 5, 3)):
        rng = np.random.default_rng(shape[2])
        given = rng.uniform(size=shape), rng.normal(size=shape)
        found, right = numbers(tried(answer, *given)), grad_cam(*given)
        if found.shape == shape:
            return "One map is asked for: the weighted feature maps are still to be added up."
        if found.shape == shape[2:]:
            return "This has one number per feature map: are these the weights, without a map?"
        found = numbers(found, *shape[:2])
        if close(found, right):
            continue
        for mistake, message in _GRAD_CAM_MISTAKES:
            if close(found, mistake(*given)):
                return message
        return "The map is not right. Print the weights: one per feature map, its mean gradient."
    return None


SIDE, TILE, PICTURES = 48, 20, 900
CLASSES = ("flower", "nothing", "temple")
LEAST_RIGHT, LEAST_DROP = 0.8, 0.6


def make_pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures `(n, 48, 48, 3)` of the photographs' tiles, their classes and tiles' boxes.

    A picture of a class but "nothing" has one tile from the middle of scikit-learn's photograph of
    a flower or a temple; the rest is noise, as the whole picture is of the class "nothing". Each
    picture has a decoy, too: a tile whose pixels are shuffled.
    """
    from sklearn.datasets import load_sample_image

    rng = np.random.default_rng(seed)
    sources = (
        load_sample_image("flower.jpg")[60:340, 140:420],
        load_sample_image("china.jpg")[170:420, 100:600],
    )
    x = rng.integers(96, 160, (n, SIDE, SIDE, 3)).astype("uint8")
    y, boxes = np.arange(n) % 3, np.zeros((n, 4), int)
    for picture, label, box in zip(x, y, boxes, strict=True):
        places = rng.permutation([(a, b) for a in (0, 1) for b in (0, 1)])[:2]
        for decoy, place in enumerate(places):
            source = sources[rng.integers(2) if decoy else label // 2]
            top, left = rng.integers(0, np.array(source.shape[:2]) - TILE)
            tile = source[top : top + TILE, left : left + TILE]
            if decoy:
                tile = rng.permutation(tile.reshape(-1, 3)).reshape(tile.shape)
            elif label == 1:
                continue
            row, column = place * (SIDE // 2) + rng.integers(0, SIDE // 2 - TILE + 1, 2)
            picture[row : row + TILE, column : column + TILE] = tile
            if not decoy:
                box[:] = row, column, row + TILE, column + TILE
    return x, y, boxes


def write_folder(folder: Path, x: np.ndarray, y: np.ndarray) -> None:
    """Write the pictures as PNG files, a folder per class."""
    from PIL import Image

    for name in CLASSES:
        (folder / name).mkdir()
    for number, (picture, label) in enumerate(zip(x, y, strict=True)):
        Image.fromarray(picture).save(folder / CLASSES[label] / f"{number:04}.png")


def two_maps(folder):
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(0)
    how = {"image_size": (48, 48), "batch_size": 32, "verbose": False}
    data = keras.utils.image_dataset_from_directory(folder, **how).cache()
    model = keras.Sequential([keras.Input((48, 48, 3)), layers.Rescaling(1 / 127.5, offset=-1)])
    for filters in (16, 32, 32):
        model.add(layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3))
    model.add(layers.Softmax())
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(data, epochs=15, shuffle=False, verbose=0)
    *_, last, pool, logits, _ = model.layers
    to_features = keras.Model(model.inputs[0], last.output)

    def maps(images):
        x = tf.Variable(images, dtype="float32")
        with tf.GradientTape() as tape:
            features = to_features(x)
            score = tf.reduce_sum(tf.reduce_max(logits(pool(features)), axis=1))
        by_features, by_pixels = tape.gradient(score, [features, x])
        weights = tf.reduce_mean(by_features, axis=(1, 2), keepdims=True)
        cam = tf.nn.relu(tf.reduce_sum(features * weights, axis=3, keepdims=True))
        grad_cam = tf.image.resize(cam, (48, 48)).numpy()[..., 0]
        saliency = tf.reduce_max(tf.abs(by_pixels), axis=3).numpy()
        return grad_cam, saliency

    return model, maps


@cache
def _folder() -> "TemporaryDirectory[str]":
    """Return a folder of pictures, which is removed when Python ends."""
    folder = TemporaryDirectory(prefix="dlcourse-")
    x, y, _ = make_pictures(PICTURES, seed=0)
    write_folder(Path(folder.name), x, y)
    return folder


@cache
def held() -> tuple[np.ndarray, np.ndarray]:
    """Return 90 new pictures as float32, and their classes."""
    x, y, _ = make_pictures(90, seed=1)
    return x.astype("float32"), y


def covered(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the pictures with a square of the tile's size grey around a place `(n, 2)` of each."""
    images, half = images.copy(), TILE // 2
    for image, centre in zip(images, centres, strict=True):
        top, left = np.clip(centre, half, SIDE - half) - half
        image[top : top + TILE, left : left + TILE] = 128
    return images


def drop(model: Any, images: np.ndarray, centres: np.ndarray) -> float:
    """Return the mean fall of the predicted class's probability when the squares are covered."""
    before = probabilities(model, images, len(CLASSES))
    after = probabilities(model, covered(images, centres), len(CLASSES))
    rows, classes = np.arange(len(images)), before.argmax(axis=1)
    return float(np.mean(before[rows, classes] - after[rows, classes]))


_PAIR = "The model and the function `maps` are to be returned, in this order."


def _check_maps(answer: Any) -> str | None:
    result = tried(answer, _folder().name)
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise Mistake(_PAIR)
    model, maps = result
    if not hasattr(model, "predict") or not callable(maps) or hasattr(maps, "predict"):
        raise Mistake(_PAIR)
    images, labels = held()
    given = probabilities(model, images, len(CLASSES))
    if given.min() < -1e-4 or not np.allclose(given.sum(axis=1), 1, atol=1e-2):
        return "The model must end in a softmax: its outputs are not probabilities."
    right = float(np.mean(given.argmax(axis=1) == labels))
    if right < LEAST_RIGHT:
        return (
            f"The network reads {right:.2f} of 90 new pictures correctly; the bar is "
            f"{LEAST_RIGHT:.2f}. Maps of a network that guesses say nothing."
        )
    shown = images[labels != 1]
    return _fault_of_maps(model, shown, tried(maps, shown))


def _fault_of_maps(model: Any, images: np.ndarray, result: Any) -> str | None:
    """Return what is wrong with two maps of the pictures, or None."""
    shape = images.shape[:3]
    if not isinstance(result, list | tuple) or len(result) != 2:
        return "`maps` must return two arrays, one per method."
    heats = [numbers(heat) for heat in result]
    wrong = [heat.shape for heat in heats if heat.shape not in (shape, (*shape, 1))]
    if wrong:
        return f"Each map must be as large as the pictures, {shape}; yours has {wrong[0]}."
    first, second = (heat.reshape(len(images), -1) for heat in heats)
    if np.allclose(first, second):
        return "The two maps are the same: take two methods."
    if any(np.mean(np.ptp(heat, axis=1) == 0) > 0.2 for heat in (first, second)):
        return "A map has the same value everywhere: then it shows no place."
    peaks = [np.stack(np.divmod(heat.argmax(axis=1), SIDE), axis=1) for heat in (first, second)]
    rng = np.random.default_rng(0)
    chance = float(np.mean([drop(model, images, rng.integers(0, SIDE, (len(images), 2)))
                            for _ in range(3)]))  # fmt: skip
    drops = [drop(model, images, peak) for peak in peaks]
    said = (
        f"With the square around the map's largest value covered, the probability falls by "
        f"{drops[0]:.2f} (first map) and {drops[1]:.2f} (second); around a random place by "
        f"{chance:.2f}."
    )
    if max(drops) < chance + 0.1:
        return f"Neither map finds what the network uses. {said}"
    if max(drops) < LEAST_DROP:
        return f"{said} The bar is {LEAST_DROP:.2f}, for the better of the two."
    return None


@cache
def trained() -> Any:
    """Return the solution's model and its function, trained once."""
    return two_maps(_folder().name)


def _with(maps: Callable[..., Any]) -> Any:
    """Return an answer with the trained model and these maps, a function of the solution's."""

    def answer(_: Any) -> Any:
        model, own = trained()
        return model, lambda images: maps(*own(images))

    return answer


def _noise(heat: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=heat.shape)


def _untrained(_: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    flat = [keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten()]
    return keras.Sequential([*flat, keras.layers.Dense(3, "softmax")]), lambda images: images


def _logits(_: Any) -> Any:
    import keras

    model, maps = trained()
    return keras.Model(model.inputs[0], model.layers[-2].output), maps


EXERCISES = (
    Exercise(
        question=(
            "The last convolution gives two feature maps, [[1, 0], [2, 0]] and [[0, 3], [1, 0]]. "
            'Their means go to the logit of class "7" with the weights 2 and −1. What is the '
            'class activation map of "7"?'
        ),
        check=_check_cam,
        hint="The sum of the maps, each times its weight, place by place.",
        solution=_CAM.tolist(),
        explanation=(
            "2 · [[1, 0], [2, 0]] − [[0, 3], [1, 0]] = [[2, −3], [3, 0]]: the lower left speaks "
            "most for a 7, the upper right against it. Its mean, 0.5, is the logit without bias."
        ),
        equivalents=(
            _CAM,
            _CAM.astype("float32"),
            ((2, -3), (3, 0)),
            [[2.0, -3.0], [3.0, 0.0]],
            _CAM[..., None],
        ),
        wrong=(
            *(Wrong(mistake.tolist(), message) for mistake, message in _CAM_MISTAKES),
            Wrong(0.5, "A map is asked for"),
        ),
    ),
    Exercise(
        question=(
            "A network is as simple as z = 2·x₁ − 3·x₂ + 0.5·x₃. What is the saliency map, the "
            "absolute gradient of z, at x = (1, 1, 4)?"
        ),
        check=_check_saliency,
        hint="How much does z change when x₁ grows by 1 and the others stay? Does x matter?",
        solution=_SALIENCY.tolist(),
        explanation=(
            "The gradient of a linear model is its weights, wherever x is: (|2|, |−3|, |0.5|). So "
            "x₃ = 4 brings as much as x₁ = 1 does, and yet is the least salient."
        ),
        equivalents=(
            _SALIENCY,
            (2, 3, 0.5),
            np.array([2, 3, 0.5], "float32"),
            [[2], [3], [0.5]],
        ),
        wrong=(
            *(Wrong(mistake.tolist(), message) for mistake, message in _SALIENCY_MISTAKES),
            Wrong([2, 3], "The shape must be (3,)"),
        ),
    ),
    Exercise(
        question=(
            "Write a function `answer(heat, box)` that takes a map (height, width) and a box "
            "(top, left, bottom, right), whose last two are the first row and column outside it, "
            "and returns whether the map's largest value lies in the box."
        ),
        check=_check_hit,
        hint="`np.unravel_index(heat.argmax(), heat.shape)` is the largest value's row and column.",
        solution=hit,
        explanation=(
            "The mean of this over many images is the pointing game (Zhang et al., 2016), the "
            "*hits* of this notebook."
        ),
        equivalents=(
            _by_cut,
            lambda heat, box: np.bool_(hit(heat, box)),
            lambda heat, box: int(hit(heat, box)),
            lambda heat, box: np.array([hit(heat, box)]),
        ),
        wrong=(
            Wrong(_inclusive, "bottom and right are the first ones outside"),
            Wrong(_turned, "Rows go with top and bottom"),
            Wrong(_mostly, "The largest value counts, not most of the sum"),
            Wrong(_strongest, "The largest value counts, not the strongest negative"),
            Wrong(_always, "The largest value lies outside the box"),
            Wrong(lambda heat, _: heat.max(), "True or False is to be returned"),
        ),
    ),
    Exercise(
        question=(
            "Complete Grad-CAM for one image. `maps` and `gradients` (height, width, channels) are "
            "the last feature maps and the gradient of a class's logit by them. The map that is "
            "returned (height, width) is 0 or more."
        ),
        check=_check_grad_cam,
        hint="`gradients.mean(axis=(0, 1))` has one number per feature map.",
        solution=grad_cam,
        explanation=(
            "Weights: the mean gradient of each map; then the weighted sum of the maps, and its "
            "negative values cut off. What speaks against the class is not drawn."
        ),
        equivalents=(
            lambda maps, gradients: np.clip(maps @ gradients.mean(axis=(0, 1)), 0, None),
            lambda maps, gradients: grad_cam(maps, gradients)[..., None],
            lambda maps, gradients: grad_cam(maps, gradients).astype("float32"),
            lambda maps, gradients: grad_cam(maps, gradients).tolist(),
        ),
        wrong=(
            *(Wrong(mistake, message) for mistake, message in _GRAD_CAM_MISTAKES),
            Wrong(lambda maps, _: maps, "One map is asked for"),
            Wrong(lambda _, gradients: gradients.mean(axis=(0, 1)), "This has one number per"),
            Wrong(lambda maps, _: np.ones(maps.shape[:2]), "The map is not right."),
            Wrong(lambda maps, _: maps.sum(axis=0), "The shape must be (3, 4)"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write a function `answer(folder)` that reads a folder of pictures with one folder per "
            "class, trains a network that ends in a softmax, and returns it with a function "
            "`maps(images)`, which returns two maps (n, 48, 48) of the predicted class by two "
            "methods. `check` hands it a folder of 900 pictures of 48 by 48 pixels, in which a "
            "tile of a photograph of a flower, of a temple or nothing lies beside shuffled pixels. "
            "The bar on 90 new pictures: 80 % are read correctly, and with a grey square of 20 by "
            "20 pixels around the largest value of the better map, the predicted class's "
            "probability falls by 0.6 on average. Around random places it falls by about 0.3."
        ),
        check=_check_maps,
        hint=(
            "`keras.utils.image_dataset_from_directory(folder, image_size=(48, 48))` gives the "
            "pictures. Take Grad-CAM (enlarged with `tf.image.resize`) and saliency."
        ),
        solution=two_maps,
        explanation=(
            "Covering what a map shows is an intervention: the answer falls only if the network "
            "used it. The same function reads a folder of your own."
        ),
        equivalents=(),
        wrong=(
            Wrong(lambda _: trained()[0], _PAIR),
            Wrong(_untrained, "The network reads 0."),
            Wrong(_logits, "The model must end in a softmax"),
            Wrong(_with(lambda first, _: first), "`maps` must return two arrays"),
            Wrong(_with(lambda first, _: (first, first)), "The two maps are the same"),
            Wrong(
                _with(lambda first, second: (first[:, ::8, ::8], second)),
                "Each map must be as large as the pictures, (60, 48, 48)",
            ),
            Wrong(
                _with(lambda first, second: (np.zeros_like(first), second)),
                "A map has the same value everywhere",
            ),
            Wrong(
                _with(lambda first, second: (_noise(first, 0), _noise(second, 1))),
                "Neither map finds what the network uses.",
            ),
        ),
        level="build",
    ),
)
