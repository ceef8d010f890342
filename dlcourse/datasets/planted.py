"""Digits planted in clutter: images with a known location of the evidence for the class.

A digit from scikit-learn is placed at random on a canvas among pieces of other digits, as in the
cluttered MNIST of Mnih et al. A mark in the upper left corner can also encode the class. It is a
shortcut that a network may learn instead of the digit, as networks have learned the source's name
below a photograph (Lapuschkin et al.) or a hospital's token on an X-ray (Zech et al.).

References:
    Mnih, Heess, Graves and Kavukcuoglu, "Recurrent models of visual attention", 2014,
    https://arxiv.org/abs/1406.6247
    Lapuschkin et al., "Unmasking Clever Hans predictors and assessing what machines really learn",
    2019, https://doi.org/10.1038/s41467-019-08987-4
    Zech et al., "Variable generalization performance of a deep learning model to detect pneumonia
    in chest radiographs", 2018, https://doi.org/10.1371/journal.pmed.1002683
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dlcourse.datasets.dataset import Dataset
from dlcourse.datasets.embedded import digits
from dlcourse.errors import RecipeError
from dlcourse.schema import Fraction, NonNegative, is_number

Images = Annotated[int, Field(ge=1, le=100_000), is_number]
Pixels = Annotated[int, Field(ge=8, le=256), is_number]
Pieces = Annotated[int, Field(ge=0, le=1000), is_number]
Mark = Literal["none", "honest", "lying"]

TEST_FRACTION = 0.2
ROOM = 2.5  # canvas size / digit size: a piece fits beside the digit, wherever that is
GAP = 1  # empty pixels between the digit and a piece or the mark
GREY, WHITE = 96, 255  # grey levels of a mark's cell for bit 0 and bit 1


def planted(
    seed: int = 0,
    *,
    n: Images = 8000,
    canvas: Pixels = 48,
    digit_size: Pixels = 16,
    clutter: Pieces = 12,
    noise: NonNegative = 8.0,
    mark: Mark = "none",
    validation_fraction: Fraction = 0.15,
) -> Dataset:
    """Return images of digits in clutter, uint8; `regions` holds the box of each test digit.

    The three splits use disjoint digits: the splits of `digits`. A change of `mark` changes only
    the mark's pixels; a change of `clutter` or `noise` keeps the digits and their places.

    Args:
        seed: Seed of the digits, their places and the clutter in training and validation; the test
            images are always the same.
        n: Number of images in all, equally many per class; a fifth of them is the test split.
        canvas: Height and width of an image, in pixels; 2.5 times `digit_size` or more.
        digit_size: Height and width, in pixels, to which the 8×8 digit is enlarged, bilinearly.
        clutter: Number of pieces cut from other digits, `digit_size // 2` wide, at least one pixel
            away from the digit. They may overlap each other.
        noise: Standard deviation of the noise added to each pixel, in grey levels (0 … 255).
        mark: Kind of mark in the upper left corner: `none`; `honest`, two by two cells with the
            class in binary; or `lying`, honest in training and validation, but with the next class
            (0 after 9) in the test split.
        validation_fraction: Share of the remaining images set aside for validation.

    Returns:
        The data set. Its `regions` are `object`, the box of the digit's ink, and `mark` where there
        is a mark.

    Raises:
        RecipeError: The canvas is too small for the digit.
        DatasetError: There are too few images for ten classes.
    """
    if canvas < ROOM * digit_size:
        least = int(np.ceil(ROOM * digit_size))
        reason = f"expected {least} or more for a digit_size of {digit_size}, got {canvas}"
        raise RecipeError(reason, setting="canvas", of="planted")
    source = digits(seed, validation_fraction=validation_fraction)
    test = round(n * TEST_FRACTION)
    val = round((n - test) * validation_fraction)
    scene = {"canvas": canvas, "size": digit_size, "clutter": clutter, "noise": noise}
    # The keys differ in their first number, so no seed draws the test images for training.
    parts = (("train", n - test - val, (1, seed)), ("val", val, (2, seed)), ("test", test, (3,)))
    arrays, boxes = {}, np.empty((0, 4), int)
    for part, count, key in parts:
        x, y, boxes = _plant(*source.splits[part], count, np.random.SeedSequence(key), **scene)
        if mark != "none":
            _stamp(x, y + 1 if (mark, part) == ("lying", "test") else y, _mark_box(digit_size))
        arrays |= {f"x_{part}": x[..., None], f"y_{part}": y}
    regions = {"object": boxes}
    if mark != "none":
        regions["mark"] = np.tile(_mark_box(digit_size), (test, 1))
    facts = {"class_names": source.class_names, "target_name": source.target_name}
    facts |= {"value_range": (0.0, 255.0), "regions": regions}
    return Dataset("planted", "multiclass", **arrays, **facts)


def _plant(
    sources: np.ndarray,
    labels: np.ndarray,
    n: int,
    key: np.random.SeedSequence,
    *,
    canvas: int,
    size: int,
    clutter: int,
    noise: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images `(n, canvas, canvas)`, their labels and the boxes of their digits."""
    # One stream each: a change of clutter or noise keeps the digits as they are.
    digit_rng, clutter_rng, noise_rng = map(np.random.default_rng, key.spawn(3))
    large = _enlarged(sources[..., 0], size)
    y = np.arange(n) % 10
    drawn = large[_choose(labels, y, digit_rng)]
    corner = np.tile(_mark_box(size), (n, 1))
    places = _places(n, size, canvas, corner, digit_rng)
    boxes = _ink_boxes(drawn) + np.tile(places, 2)
    images = np.zeros((n, canvas, canvas), "uint8")
    _paste(images, drawn, places)
    side = size // 2
    for _ in range(clutter):
        cut = clutter_rng.integers(0, size - side + 1, (n, 2))
        others = large[clutter_rng.integers(0, len(large), n)]
        pieces = others[_window(cut, side)]
        _paste(images, pieces, _places(n, side, canvas, boxes, clutter_rng))
    if noise:
        noisy = images + noise * noise_rng.standard_normal(images.shape, "float32")
        images = np.rint(noisy).clip(0, 255).astype("uint8")
    return images, y, boxes


def _choose(labels: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one index into `labels` of the same class per label in `y`, all equally often."""
    chosen = np.empty(len(y), int)
    for label in np.unique(y):
        own = rng.permutation(np.flatnonzero(labels == label))
        chosen[y == label] = np.resize(own, np.sum(y == label))
    return chosen


def _enlarged(images: np.ndarray, size: int) -> np.ndarray:
    """Return images `(n, 8, 8)` of 0 … 16 as uint8 `(n, size, size)` of 0 … 255, bilinearly."""
    side = images.shape[1]
    at = ((np.arange(size) + 0.5) * side / size - 0.5).clip(0, side - 1)
    weights = (1 - np.abs(at[:, None] - np.arange(side))).clip(0)
    return np.rint(weights @ (images * (255 / 16)) @ weights.T).astype("uint8")


def _ink_boxes(images: np.ndarray) -> np.ndarray:
    """Return (top, left, bottom, right) of the nonzero pixels, half-open, shape `(n, 4)`."""
    rows, columns = (images > 0).max(axis=2), (images > 0).max(axis=1)
    height, width = images.shape[1:]
    bottom = height - rows[:, ::-1].argmax(axis=1)
    right = width - columns[:, ::-1].argmax(axis=1)
    return np.stack([rows.argmax(axis=1), columns.argmax(axis=1), bottom, right], axis=1)


def _places(
    n: int, side: int, canvas: int, taken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return (top, left) of squares of this side, at least `GAP` pixels away from `taken`."""
    places = rng.integers(0, canvas - side + 1, (n, 2))
    while True:
        near = (places < taken[:, 2:] + GAP) & (places + side > taken[:, :2] - GAP)
        again = np.flatnonzero(near.all(axis=1))
        if not len(again):
            return places
        places[again] = rng.integers(0, canvas - side + 1, (len(again), 2))


def _window(places: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the index of a square in each image, for arrays `(n, height, width)`."""
    rows, columns = (places.T[..., None] + np.arange(side))[:, :, None]
    return np.arange(len(places))[:, None, None], rows.swapaxes(1, 2), columns


def _paste(images: np.ndarray, pieces: np.ndarray, places: np.ndarray) -> None:
    """Draw a piece into each image; where they overlap, the lighter pixel stays."""
    window = _window(places, pieces.shape[1])
    images[window] = np.maximum(images[window], pieces)


def _mark_box(digit_size: int) -> np.ndarray:
    return np.array([0, 0, 1, 1]) * (digit_size // 4 * 2)


def _stamp(images: np.ndarray, labels: np.ndarray, box: np.ndarray) -> None:
    """Draw two by two cells with the label (0 after 9) in binary: 8 4 above 2 1."""
    bits = labels[:, None] % 10 >> np.array([3, 2, 1, 0]) & 1
    cells = np.where(bits, WHITE, GREY).reshape(-1, 2, 2)
    images[:, : box[2], : box[3]] = cells.repeat(box[2] // 2, axis=1).repeat(box[3] // 2, axis=2)
