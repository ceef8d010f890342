"""Deep dream: an image changed, at several sizes, so that it activates a layer more strongly."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field, SkipValidation

from dlcourse.errors import UserError
from dlcourse.heavy import ops
from dlcourse.schema import Natural, NonNegative, Number, Positive, checked
from dlcourse.visualizers import hooks
from dlcourse.visualizers.activation_maximization import Range, value_ranges
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.grad_cam import spatial_layer
from dlcourse.visualizers.hooks import LayerCall, record
from dlcourse.visualizers.resizing import resize
from dlcourse.visualizers.targets import Images, Target, model_shapes, numbers, target_of

EPSILON = 1e-8


@checked
def deep_dream(
    model: Any,
    images: Images,
    *,
    layers: Any = None,
    octaves: Positive = 3,
    octave_scale: Annotated[Number, Field(gt=1)] = 1.4,
    steps: Positive = 20,
    step_size: NonNegative = 0.02,
    value_range: SkipValidation[Range] = (0.0, 255.0),
    seed: Natural = 0,
) -> np.ndarray:
    """Return the images, enlarged, with the patterns that the layers detect in them amplified.

    Gradient ascent on the mean square of the layers' outputs. Each octave enlarges the image and
    adds detail at the new size. The network sees the image in tiles of its own input size, shifted
    at random so that no seams remain.

    Args:
        model: A Keras 3 model with one input of images.
        images: Images `(n, height, width, channels)` of the model's input size, or larger.
        layers: Names, positions or layers, one or several. None for the last maps, as for
            `grad_cam`.
        octaves: Number of sizes; the last is `octave_scale ** (octaves − 1)` times as large as
            `images`.
        octave_scale: Factor from one size to the next, above 1.
        steps: Number of steps in each octave.
        step_size: Mean change of a value in a step, as a share of the value range.
        value_range: Pair (least, largest) of the model's input values.
        seed: Seed of the tiles' random shifts.

    Returns:
        `(n, larger height, larger width, channels)`, float32 in the value range.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Mordvintsev et al., "Inceptionism", 2015 (Google Research blog).
    """
    (value_range,) = value_ranges(value_range, 1)
    single = isinstance(images, list | tuple) and len(images) == 1
    images = numbers(images[0] if single else images, "images")
    window = _window(model, images)
    target = target_of(model, images[:, : window[0], : window[1]], 0)
    chosen = hooks.several(layers)
    places = tuple(spatial_layer(target, layer, "deep_dream") for layer in chosen)
    low, high = value_range
    rng = np.random.default_rng(seed)
    dream = images
    for octave in range(octaves):
        size = [round(side * octave_scale**octave) for side in images.shape[1:3]]
        dream = resize(dream, size)
        for _ in range(steps):
            slope = _slope(target, places, dream, window, rng)
            mean = np.abs(slope).mean(axis=(1, 2, 3), keepdims=True) + EPSILON
            dream = np.clip(dream + step_size * (high - low) * slope / mean, low, high)
    return dream.astype("float32")


def _window(model: Any, images: np.ndarray) -> tuple[int, int]:
    """Return the model's input size, or the images' size where the model takes any.

    Raises:
        UserError: The array is not a batch of images, or is smaller than the model's input.
    """
    shapes = model_shapes(model) or [(None, None, None)]
    if images.ndim != 4 or len(shapes) != 1 or len(shapes[0]) != 3:
        needs = "images (n, height, width, channels) and a model with one input of images"
        given = f"{images.shape} and {len(shapes)} inputs"
        raise UserError(f"deep_dream: needs {needs}, got {given}")
    (height, width), (rows, columns) = shapes[0][:2], images.shape[1:3]
    height, width = height or rows, width or columns
    if rows < height or columns < width:
        reason = f"are smaller than the model's input of {height} × {width}"
        raise UserError(f"deep_dream: images of {rows} × {columns} {reason}")
    return height, width


def _slope(
    target: Target,
    places: tuple[LayerCall, ...],
    images: np.ndarray,
    window: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the gradient at every value, computed in tiles that together cover the images."""
    shift = [int(rng.integers(side)) for side in window]
    rolled = np.roll(images, shift, axis=(1, 2))
    over = [-side % w for side, w in zip(images.shape[1:3], window, strict=True)]
    padded = np.pad(rolled, ((0, 0), (0, over[0]), (0, over[1]), (0, 0)), mode="wrap")
    n, height, width, channels = padded.shape
    rows, columns = height // window[0], width // window[1]
    tiles = padded.reshape(n, rows, window[0], columns, window[1], channels).swapaxes(2, 3)
    slopes = _gradient(target, places, tiles.reshape(-1, *window, channels))
    slopes = slopes.reshape(n, rows, columns, *window, channels).swapaxes(2, 3)
    whole = slopes.reshape(padded.shape)[:, : images.shape[1], : images.shape[2]]
    return np.roll(whole, [-s for s in shift], axis=(1, 2))


def _gradient(target: Target, places: Sequence[LayerCall], tiles: np.ndarray) -> np.ndarray:
    """Return d (mean square of the layers' outputs) / d tile."""

    def gradient(model: Any, tiles: Any) -> Any:
        def score(tiles: Any) -> Any:
            maps = [ops.cast(x, "float32") for x in record(model, [tiles], places)[1]]
            means = [ops.mean(ops.reshape(x * x, (x.shape[0], -1)), axis=1) for x in maps]
            return sum(means), None

        return value_and_gradient(score)(tiles)[1]

    return np.asarray(target.run(("dream", *places), gradient, tiles))
