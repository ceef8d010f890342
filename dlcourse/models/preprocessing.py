"""Layers in front of a model: augmentation (training only) and scaling."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlcourse.models.layers import rescaling
from dlcourse.models.warp import Flip, random_warp
from dlcourse.schema import Degrees, Rate

if TYPE_CHECKING:
    import keras


def scaling_layer(dataset: Any) -> "keras.Layer":
    """Return Rescaling to 0…1 for images, Normalization by the training rows for a table.

    Both hold constants, no weights: they add no parameters. Both compute in float32, under mixed
    precision too: half precision does not tell the years 2016 and 2018 apart. A column that is
    constant in the training rows is only shifted.
    """
    from keras import layers

    if dataset.x_train.ndim > 2:
        low, high = dataset.value_range
        return rescaling((low, high if high > low else low + 1))[0]  # images may be of one grey
    rows = dataset.x_train.astype("float64")
    variance = np.where(np.ptp(rows, axis=0) > 0, rows.var(axis=0), 1.0)
    return layers.Normalization(
        mean=rows.mean(axis=0), variance=variance, dtype="float32", name="normalization"
    )


def target_scale(dataset: Any) -> tuple[float, float]:
    """Return the training targets' mean and standard deviation (1 where all are equal)."""
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
    """Return the random layer in front of a model, active in training only; none if all is off.

    Args:
        shift: Largest shift in each direction, as a fraction of the height and width; 0 for none.
        rotate: Largest rotation to either side, in degrees; 0 for none.
        zoom: Largest zoom in or out, as a fraction; 0 for none.
        shear: Largest slant to either side: the shift of a row over its distance from the middle; 0
            for none.
        flip: Mirrorings drawn at random, such as leave a picture's class as it is.
        fill: Filling of what comes in at the borders: the `nearest` pixel, or `black` (0).
    """
    how = {"shift": shift, "rotate": rotate, "zoom": zoom, "shear": shear}
    if not any(how.values()) and flip == "none":
        return []
    return [random_warp()(**how, flip=flip, fill=fill, name="warp")]
