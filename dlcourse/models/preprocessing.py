"""Layers in front of a model: augmentation (training only) and scaling."""

from typing import TYPE_CHECKING, Any, Literal

from dlcourse.schema import Degrees, Rate

if TYPE_CHECKING:
    import keras


def scaling_layer(dataset: Any) -> "keras.Layer":
    """Return Rescaling to 0…1 for images, Normalization by the training rows for a table.

    Both hold constants, no weights: they add no parameters.
    """
    from keras import layers

    if dataset.x_train.ndim > 2:
        low, high = dataset.value_range
        high = high if high > low else low + 1  # images of one grey
        return layers.Rescaling(1 / (high - low), offset=-low / (high - low), name="rescaling")
    rows = dataset.x_train.astype("float64")
    return layers.Normalization(
        mean=rows.mean(axis=0), variance=rows.var(axis=0), name="normalization"
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
    flip: Literal["none", "horizontal", "vertical", "horizontal_and_vertical"] = "none",
) -> list["keras.Layer"]:
    """Return random layers, active in training only.

    Args:
        shift: largest shift in each direction, as a fraction of the height and width.
        rotate: largest rotation to either side, in degrees.
        zoom: largest zoom in or out, as a fraction.
        flip: the mirrorings that leave a picture's class as it is.
    """
    if not (shift or rotate or zoom or flip != "none"):
        return []
    import keras
    from keras import layers

    result: list[keras.Layer] = []
    if flip != "none":
        result.append(layers.RandomFlip(flip, name="flip"))
    if shift:
        result.append(layers.RandomTranslation(shift, shift, fill_mode="nearest", name="shift"))
    if rotate:
        result.append(layers.RandomRotation(rotate / 360, fill_mode="nearest", name="rotate"))
    if zoom:
        result.append(layers.RandomZoom(zoom, fill_mode="nearest", name="zoom"))
    for layer in result:
        # Keras refuses to compile them because of TensorFlow's XLA; JAX compiles them, and would
        # otherwise run the whole model step by step, fifty times slower.
        layer.supports_jit = layer.supports_jit or keras.backend.backend() == "jax"
    return result
