"""Exercises of notebook 09: a feature map by hand, a layer's parameters, max pooling."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import close, number_check, numbers, tried
from dlcourse.lessons.exercises.exercise import Exercise, Wrong
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
    given = numbers(answer)
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


_PARAMETERS = (
    Wrong(4800, "The biases are missing: each filter has one."),
    Wrong(624, "A filter reaches through all 8 maps below it, not through one."),
    Wrong(691_224, "The weights are the same at every place: do not count the 12 × 12 places."),
    Wrong(4992, "Each filter has one bias, whatever the number of maps below it."),
    Wrong(200, "These are the weights of a single filter; there are 24."),
    Wrong(201, "This is a single filter with its bias; there are 24."),
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
        got = numbers(tried(answer, image.copy(), size))
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
    Exercise(
        question=(
            "A convolution has 24 filters of 5 × 5 and takes 8 maps of 12 × 12. How many "
            "parameters does it have?"
        ),
        check=number_check(
            4824,
            _PARAMETERS,
            "Count the weights of one filter first: its height, its width, and the maps below it.",
            rtol=1e-6,  # a count is exact
        ),
        hint="One filter weighs a window of 5 × 5 pixels in each of the 8 maps, and adds a bias.",
        solution=4824,
        explanation=(
            "(5 · 5 · 8 + 1) · 24 = 4,824. Height and width of the maps do not count: the same "
            "filter is used everywhere."
        ),
        equivalents=("4,824", 4824.0, np.int32(4824), [4824], np.float32(4824)),
        wrong=_PARAMETERS,
    ),
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
            Wrong(_whole_only, "Your function raised ValueError"),
            Wrong(_from_zero, "Negative numbers become 0"),
            Wrong(_ragged, "Drop what is left over for"),
            Wrong(_two_always, "For an image of 6 × 6"),
            Wrong(_sampled, "You take one pixel"),
        ),
    ),
)
