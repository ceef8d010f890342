"""Layers in front of a model: augmentation (only in training) and scaling."""

from typing import Any, Literal

import numpy as np

from dlcourse.datasets.dataset import PADDING, before_end
from dlcourse.heavy import keras
from dlcourse.models.layers import rescaling
from dlcourse.models.warp import Flip, random_warp
from dlcourse.schema import Degrees, Rate


def scaling_layer(dataset: Any) -> "keras.Layer":
    """Return Rescaling to 0…1 for images, otherwise Normalization with the training examples.

    A table is standardised per column, sequences per number of a step, over all steps before the
    end.

    Both hold constants, not weights, and add no parameters. Both compute in float32, also under
    mixed precision: bfloat16 would not distinguish the years 2016 and 2018. A column that is
    constant in the training rows is only shifted.
    """
    if dataset.facts.inputs == "images":
        low, high = dataset.value_range
        return rescaling((low, high if high > low else low + 1))[0]  # all pixels may be equal
    x = dataset.x_train
    rows = (x[before_end(x)] if x.ndim > 2 else x).astype("float64")
    variance = np.where(np.ptp(rows, axis=0) > 0, rows.var(axis=0), 1.0)
    return keras.layers.Normalization(
        mean=rows.mean(axis=0), variance=variance, dtype="float32", name="normalization"
    )


def masking_layers(dataset: Any) -> list["keras.Layer"]:
    """Return the layer that masks the steps after a sequence's end, if the lengths differ."""
    whole = (before_end(x[:, -1:]).all() for x, _ in dataset.splits.values())
    if dataset.facts.inputs != "sequences" or all(whole):
        return []
    return [keras.layers.Masking(PADDING, dtype="float32", name="masking")]


def target_scale(dataset: Any) -> tuple[float, float]:
    """Return the mean and standard deviation of the training targets (1 if all are equal)."""
    targets = dataset.y_train.astype("float64")
    return float(targets.mean()), float(targets.std()) or 1.0


def augmentation_layers(
    *,
    shift: Rate = 0.0,
    rotate: Degrees = 0.0,
    zoom: Rate = 0.0,
    shear: Rate = 0.0,
    flip: Flip = "none",
    fill: Literal["nearest", "black"] = "nearest",
) -> list["keras.Layer"]:
    """Return the random layer in front of a model, active only in training, or none if all are off.

    Args:
        shift: Largest shift in each direction, as a fraction of the height and width; 0 for none.
        rotate: Largest rotation to either side, in degrees; 0 for none.
        zoom: Largest zoom in or out, as a fraction; 0 for none.
        shear: Largest shear to either side: the shift of a row divided by its distance from the
            centre; 0 for none.
        flip: Random flips; choose only flips that keep the class of an image.
        fill: Fill of the empty borders: the `nearest` pixel, or `black` (0).
    """
    ranges = {"shift": shift, "rotate": rotate, "zoom": zoom, "shear": shear}
    if not any(ranges.values()) and flip == "none":
        return []
    return [random_warp()(**ranges, flip=flip, fill=fill, name="warp")]
