"""Exercises of notebook 09: a feature map, parameters, pooling, convolution, a small network."""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.heavy import keras
from dlcourse.lessons.exercises.answers import close, number_check, numbers, shaped, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import parameters, share_right, trained_model
from dlcourse.lessons.maths.convolution import convolve2d, pool2d

_IMAGE = np.array([[1, 2, 0], [0, 3, 1], [2, 1, 4]])
_KERNEL = np.array([[1, 0], [0, -1]])
_MAP = convolve2d(_IMAGE, _KERNEL)
_MAP_MISTAKES = (
    (-_MAP, "Every sign is the wrong way round: lay the kernel on as it is, without a turn."),
    (convolve2d(_IMAGE, _KERNEL[:, ::-1]), "You have mirrored the kernel: its 1 is upper left."),
    (_IMAGE[:2, :2] * _KERNEL, "These are the products at one place: their sum is one number."),
    (_MAP.T, "Rows and columns are exchanged: one step to the right gives the next in a row."),
)


def _check_map(answer: Any) -> str | None:
    given = shaped(numbers(answer), (2, 2))
    if given.shape != (2, 2):
        return (
            "There are two rows of places for the kernel and two columns: the feature map is "
            f"2 × 2, yours has the shape {given.shape}."
        )
    if close(given, _MAP):
        return None
    for mistake, message in _MAP_MISTAKES:
        if close(given, mistake):
            return message
    right = int(np.isclose(given, _MAP).sum())
    return f"{right} of the 4 numbers are right. Here each is upper left minus lower right."


def _parameters(filters: int = 24, size: int = 5, maps: int = 8, side: int = 12) -> Exercise:
    """Return exercise 09.2 for a layer's filters and the maps that it takes."""
    window, weights = size * size, size * size * maps * filters
    count = weights + filters
    wrong = (
        Wrong(weights, "The biases are missing: each filter has one."),
        Wrong(
            (window + 1) * filters,
            f"A filter reaches through all {maps} maps below it, not through one.",
        ),
        Wrong(
            weights * side * side + filters,
            f"The weights are the same at every place: do not count the {side} × {side} places.",
        ),
        Wrong(
            weights + maps * filters,
            "Each filter has one bias, whatever the number of maps below it.",
        ),
        Wrong(window * maps, f"These are the weights of a single filter; there are {filters}."),
        Wrong(window * maps + 1, f"This is a single filter with its bias; there are {filters}."),
    )
    return Exercise(
        question=(
            f"A convolution has {filters} filters of {size} × {size} and takes {maps} maps of "
            f"{side} × {side}. How many parameters does it have?"
        ),
        check=number_check(
            count,
            wrong,
            "Count the weights of one filter first: its height, its width, and the maps below it.",
            rtol=1e-6,  # a count is exact
        ),
        hint=(
            f"One filter weighs a window of {size} × {size} pixels in each of the {maps} maps, and "
            "adds a bias."
        ),
        solution=count,
        explanation=(
            f"({size} · {size} · {maps} + 1) · {filters} = {count:,}. Height and width of the maps "
            "do not count: the same filter is used everywhere."
        ),
        equivalents=(f"{count:,}", float(count), np.int32(count), [count], np.float32(count)),
        wrong=wrong,
        variant=lambda random: _parameters(
            int(random.integers(10, 33)), int(random.choice([3, 5, 7])), int(random.integers(4, 10))
        ),
    )


def max_pool(image, size):
    height, width = image.shape[0] // size, image.shape[1] // size
    whole = image[: height * size, : width * size]
    return whole.reshape(height, size, width, size).max(axis=(1, 3))


def _loop(image: np.ndarray, size: int) -> list[list[float]]:
    rows, columns = (side // size for side in image.shape)
    return [
        [image[i * size : (i + 1) * size, j * size : (j + 1) * size].max() for j in range(columns)]
        for i in range(rows)
    ]


def _average(image: np.ndarray, size: int) -> np.ndarray:
    return pool2d(image, size, kind="average")


def _overlapping(image: np.ndarray, size: int) -> np.ndarray:
    return pool2d(image, size, stride=1)


def _whole_only(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape
    return image.reshape(height // size, size, width // size, size).max(axis=(1, 3))


def _from_zero(image: np.ndarray, size: int) -> np.ndarray:
    return np.maximum(max_pool(image, size), 0)


def _ragged(image: np.ndarray, size: int) -> np.ndarray:
    margins = [(0, -side % size) for side in image.shape]
    return max_pool(np.pad(image, margins, constant_values=-100), size)


def _two_always(image: np.ndarray, size: int) -> np.ndarray:  # noqa: ARG001
    return max_pool(image, 2)


def _sampled(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[0] // size, image.shape[1] // size
    return image[: height * size : size, : width * size : size]


# The slides' image; an image that is not square, with negative numbers; an image of odd size;
# and an image for regions of 3.
_SLIDE = np.array([[1, 3, 2, 9], [7, 4, 1, 5], [8, 5, 2, 3], [4, 2, 1, 4]])
_POOLED = (
    (_SLIDE, 2),
    (np.array([[-5, -2, 3, 0], [-1, -9, 4, 4]]), 2),
    (np.arange(15.0).reshape(3, 5), 2),
    (np.arange(36.0).reshape(6, 6)[::-1], 3),
)


def _check_pool(answer: Any) -> str | None:
    for image, size in _POOLED:
        right = pool2d(image, size)
        asked = f"an image of {image.shape[0]} × {image.shape[1]} and regions of {size} × {size}"
        try:
            got = shaped(numbers(tried(answer, image.copy(), size)), right.shape)
        except Mistake as mistake:
            if "do not fit into the shape" in str(mistake):
                return f"Before `reshape`, drop what is left over for {asked}."
            raise
        if got.shape == right.shape and close(got, right):
            continue
        if got.shape == _overlapping(image, size).shape != right.shape:
            return f"Your regions overlap for {asked}: the next one begins {size} pixels on."
        if got.shape == tuple(-(-side // size) for side in image.shape) != right.shape:
            return f"Drop what is left over for {asked}: it fills no region."
        if got.shape != right.shape:
            return f"For {asked} the result has the shape {right.shape}, yours has {got.shape}."
        if close(got, _average(image, size)):
            return "This is average pooling: of each region the largest value is asked for."
        if close(got, np.maximum(right, 0)):
            return "Negative numbers become 0: start from the region's values, not from 0."
        if close(got, _sampled(image, size)):
            return "You take one pixel of each region: look at all of them, and keep the largest."
        return f"For {asked} some numbers are not the largest of their region."
    return None


def convolution(image, kernel, stride):
    rows, columns = kernel.shape
    height = (image.shape[0] - rows) // stride + 1
    width = (image.shape[1] - columns) // stride + 1
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            window = image[top : top + rows, left : left + columns]
            result[i, j] = (window * kernel).sum()
    return result


def _strided(
    turn: bool = False,
    one: bool = False,
    short: bool = False,
    narrow: bool = False,
    product: bool = False,
    square: bool = False,
) -> Any:
    """Return a convolution with one or more typical faults."""

    def answer(image: Any, kernel: Any, stride: int) -> Any:
        kernel = kernel[::-1, ::-1] if turn else kernel
        rows, columns = (kernel.shape[0],) * 2 if square else kernel.shape
        places = [
            (side - k) // stride + (0 if short else 1)
            for side, k in zip(image.shape, (rows, columns), strict=True)
        ]
        result = np.zeros(places)
        for i, j in np.ndindex(result.shape):
            top, left = (i, j) if one else (i * stride, j * stride)
            window = image[top : top + rows, left : left + columns]
            if product:
                result[i, j] = window[0, 0] * kernel[0, 0]
            elif narrow:
                result[i, j] = (window[:-1, :-1] * kernel[:-1, :-1]).sum()
            else:
                result[i, j] = (window * kernel).sum()
        return result

    return answer


def _every_place(image: Any, kernel: Any, stride: int) -> Any:  # noqa: ARG001
    return convolve2d(image, kernel)


def _largest(image: Any, kernel: Any, stride: int) -> Any:
    return convolution(image, kernel, stride) * 0 + [
        [
            image[i : i + kernel.shape[0], j : j + kernel.shape[1]].max()
            for j in range(0, image.shape[1] - kernel.shape[1] + 1, stride)
        ]
        for i in range(0, image.shape[0] - kernel.shape[0] + 1, stride)
    ]


def _mean(image: Any, kernel: Any, stride: int) -> Any:
    return convolution(image, kernel, stride) / kernel.size


_CONVOLUTION_FAULTS = (
    (_strided(turn=True), "You have turned the kernel by 180°: lay it on as it is."),
    (
        _strided(one=True),
        "The map has the right size, but your window moves on by one pixel: it is to move by "
        "`stride` pixels.",
    ),
    (
        _strided(narrow=True),
        "Your window ends one pixel early: in Python `a : b` leaves out b.",
    ),
    (_strided(product=True), "This is one product for each place: add up those of the window."),
    (lambda *a: convolution(*a).T, "Rows and columns are exchanged in your map."),
    (_largest, "This is pooling: it leaves out the kernel."),
    (_mean, "This is the mean of the products: their sum is asked for."),
)
_KINK = np.array([[1, 2, 0], [0, -1, 3], [2, 0, 1]])
_TALL = np.arange(42.0).reshape(6, 7) ** 2 % 11
_CONVOLVED = (
    (np.pad(_IMAGE, 1), _KINK, 1),
    (_TALL, np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]]), 2),
    (_TALL[:, :6], _KINK[:2, :2], 2),
    (_TALL, _KINK, 3),
)


def _check_convolution(answer: Any) -> str | None:
    for image, kernel, stride in _CONVOLVED:
        right = convolution(image, kernel, stride)
        try:
            got = shaped(numbers(tried(answer, image, kernel, stride)), right.shape)
        except Mistake as mistake:
            if "number by number" in str(mistake):
                return (
                    "Your window does not have the kernel's size: where does it end? And is there "
                    "room for so many places?"
                )
            raise
        if close(got, right):
            continue
        asked = (
            f"an image of {image.shape[0]} × {image.shape[1]}, a kernel of {kernel.shape[0]} × "
            f"{kernel.shape[1]} and stride {stride}"
        )
        if got.shape != right.shape:
            return _wrong_places(got, image, kernel, stride, asked)
        for fault, message in _CONVOLUTION_FAULTS:
            if close(got, fault(image, kernel, stride)):
                return message
        return f"For {asked} the size is right, but {int((~np.isclose(got, right)).sum())} of " + (
            f"the {right.size} numbers are not."
        )
    return None


def _wrong_places(got: np.ndarray, image: Any, kernel: Any, stride: int, asked: str) -> str:
    if got.ndim != 2:
        return f"A feature map has two axes, (height, width); yours has the shape {got.shape}."
    fit = [side - k for side, k in zip(image.shape, kernel.shape, strict=True)]
    if got.shape == tuple(gap + 1 for gap in fit):
        return f"The stride is missing: your map has a number for every place. ({asked})"
    if got.shape == tuple(gap // stride for gap in fit):
        return "There is one place more in each direction: the first, before the first step."
    if got.shape == image.shape or got.shape == tuple(-(-side // stride) for side in image.shape):
        return "The kernel must lie inside the image: there are fewer places than pixels."
    if got.shape == convolution(image, kernel, stride).T.shape:
        return "Rows and columns are exchanged in your map."
    return (
        f"Your map has the shape {got.shape} for {asked}: at how many places does the kernel fit?"
    )


MOST_PARAMETERS = 6000
BAR = 0.85


def small_network(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.RandomTranslation(1 / 6, 1 / 6, fill_mode="constant"),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=15, verbose=0)
    return model


@cache
def moved_digits() -> Any:
    """Return the training digits on a margin of two pixels, and the moved ones of the checker."""
    data = load_dataset("digits")
    margin = ((0, 0), (2, 2), (2, 2), (0, 0))
    x_train, x_val = (np.pad(x, margin) for x in (data.x_train, data.x_val))
    ways = [(down, right) for down in (-2, 0, 2) for right in (-2, 0, 2)]
    moved = np.concatenate([np.roll(x_val, way, axis=(1, 2)) for way in ways])
    return x_train, data.y_train, moved, np.tile(data.y_val, len(ways))


def _check_small(answer: Any) -> str | None:
    x_train, y_train, moved, labels = moved_digits()
    model = trained_model(answer, x_train, y_train)
    share = share_right(model, moved, labels, 10)
    count = parameters(model)
    if count > MOST_PARAMETERS:
        return (
            f"Your network has {count:,} parameters: at most {MOST_PARAMETERS:,} are allowed. "
            "`summary()` shows which layer has the most."
        )
    if share >= BAR:
        return None
    found = f"Yours reads {share:.2f} of the moved digits correctly; the bar is {BAR}."
    in_place = share_right(model, moved[4 * len(labels) // 9 : 5 * len(labels) // 9], *_middle())
    if in_place < 0.3:
        return (
            f"Your network does not know the digits in their place either ({in_place:.2f} right): "
            f"is it trained, and at a suitable rate? {found}"
        )
    if share < 0.55:
        return (
            f"In their place it reads {in_place:.2f} of them: what it learns depends on the place. "
            f"{found} What did the bars of the moved pictures say?"
        )
    return f"Nearly: the moved digits are known in part. {found} More epochs, or more filters?"


def _middle() -> tuple[np.ndarray, int]:
    return load_dataset("digits").y_val, 10


def _trained(layers: Any, epochs: int = 15) -> Any:
    """Return a function that trains a network with these layers, a function that makes them."""

    def answer(x_train: Any, y_train: Any) -> Any:
        keras.utils.set_random_seed(0)
        model: Any = keras.Sequential([keras.Input((12, 12, 1)), *layers()])
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        if epochs:
            model.fit(x_train, y_train, batch_size=64, epochs=epochs, verbose=0)
        return model

    return answer


def _still() -> list[Any]:
    """Return the layers of a network that flattens and sees no moved pictures."""
    layers = keras.layers
    return [
        layers.Rescaling(1 / 16),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]


def _dense() -> list[Any]:
    """Return the layers of a network without convolutions, trained on moved pictures."""
    layers = keras.layers
    translation = layers.RandomTranslation(1 / 6, 1 / 6, fill_mode="constant")
    scaled = [translation, layers.Rescaling(1 / 16), layers.Flatten()]
    return [*scaled, layers.Dense(32, "relu"), layers.Dense(10, "softmax")]


def _large() -> list[Any]:
    layers = keras.layers
    return [layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(64), layers.Dense(10)]


EXERCISES = (
    Exercise(
        question=(
            "What is the feature map of the image [[1, 2, 0], [0, 3, 1], [2, 1, 4]] and the kernel "
            "[[1, 0], [0, −1]], as a network computes it, without padding and with stride 1?"
        ),
        check=_check_map,
        hint=(
            "Lay the kernel on the upper left corner. Multiply number by number, add up, write it "
            "down; then go one pixel to the right."
        ),
        solution=_MAP.astype(int).tolist(),
        explanation=(
            "Each number is upper left minus lower right: 1 − 3 = −2, 2 − 1 = 1, 0 − 1 = −1, "
            "3 − 4 = −1. Mathematics' convolution would turn the kernel, and so every sign."
        ),
        equivalents=(
            _MAP,
            ((-2, 1), (-1, -1)),
            _MAP.astype("float32"),
            [[-2.0, 1.0], [-1.0, -1.0]],
        ),
        wrong=(
            *(Wrong(mistake.tolist(), message) for mistake, message in _MAP_MISTAKES),
            Wrong(np.pad(_MAP, (0, 1)).tolist(), "There are two rows of places"),
            Wrong([[-2, 1], [-1, 1]], "3 of the 4 numbers are right."),
        ),
    ),
    _parameters(),
    Exercise(
        question=(
            "Write a function `answer(image, size)` that takes an array (height, width) and "
            "returns the largest value of each region of size × size, side by side without "
            "overlap. What is left over at the right and at the bottom is dropped."
        ),
        check=_check_pool,
        hint="How many regions fit into a row? Region (i, j) begins at pixel (i·size, j·size).",
        solution=max_pool,
        explanation=(
            "Cut to whole regions, give each region axes of its own, and take the maximum over "
            "these two axes. Two loops with `np.max` are as right."
        ),
        equivalents=(_loop, lambda image, size: pool2d(image, size).astype("float32")),
        wrong=(
            Wrong(_average, "This is average pooling"),
            Wrong(_overlapping, "Your regions overlap"),
            Wrong(_whole_only, "Before `reshape`, drop what"),
            Wrong(_from_zero, "Negative numbers become 0"),
            Wrong(_ragged, "Drop what is left over for"),
            Wrong(_two_always, "For an image of 6 × 6"),
            Wrong(_sampled, "You take one pixel"),
        ),
    ),
    Exercise(
        level="complete",
        question=(
            "Complete the convolution: `answer(image, kernel, stride)` lays the kernel on the "
            "image (height, width) as it is, moves it on by `stride` pixels, and returns the "
            "feature map. There is no padding, and the kernel need not be square."
        ),
        check=_check_convolution,
        hint=(
            "The formula of the section on sizes gives `height` and `width`, with p = 0. Place "
            "(i, j) begins at pixel (i · stride, j · stride)."
        ),
        solution=convolution,
        explanation=(
            "Four loops in all: two over the places, and two over the kernel, which NumPy runs in "
            "`(window * kernel).sum()`. A layer adds one more for its filters and one for the maps."
        ),
        equivalents=(
            lambda image, kernel, stride: convolve2d(image, kernel, stride=stride)[..., None],
            lambda image, kernel, stride: convolve2d(image, kernel)[::stride, ::stride].tolist(),
        ),
        wrong=(
            *(Wrong(fault, message) for fault, message in _CONVOLUTION_FAULTS),
            Wrong(_every_place, "The stride is missing"),
            Wrong(lambda image, kernel, _: image * kernel, "Your window does not have"),
            Wrong(_strided(short=True), "There is one place more"),
            Wrong(lambda image, *_: image, "The kernel must lie inside the image"),
            Wrong(lambda *a: convolution(*a) + 1, "For an image of 5 × 5"),
            Wrong(lambda *a: convolution(*a).sum(), "A feature map has two axes"),
        ),
    ),
    Exercise(
        level="build",
        question=(
            "Write a function `answer(x_train, y_train)` that builds, trains and returns a network "
            "with at most 6,000 parameters. It gets the 1,221 training digits as above, (12, 12, "
            "1) with values from 0 to 16, all in the middle. The checker has digits that the "
            "network has never seen, in place and moved by two pixels in eight directions: the "
            "network must read at least 85 % of them, with a training of ten seconds or less."
        ),
        check=_check_small,
        hint=(
            "The bars of the moved pictures show two ways: a global pooling, or a layer that moves "
            "the pictures in training. Where are most of the parameters of the flattened network?"
        ),
        solution=small_network,
        explanation=(
            "Most parameters of the flattened network lie in its dense layer. The global maximum "
            "needs none and does not ask where; random translations show the convolutions digits "
            "at the edge, too. A smaller flattened network just passes with them."
        ),
        equivalents=(),
        wrong=(
            Wrong(_trained(_still), "In their place it reads"),
            Wrong(_trained(_dense), "Nearly: the moved digits"),
            Wrong(_trained(_still, 0), "Your network does not know the digits"),
            Wrong(_trained(_large, 0), "Your network has"),
            Wrong(lambda *_: 3, "The trained model is to be returned"),
        ),
    ),
)
