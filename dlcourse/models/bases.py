"""Where a transferred network comes from: a run, a `.keras` file or `keras.applications`."""

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.errors import RecipeError, UserError, one_line
from dlcourse.runs import read_run
from dlcourse.schema import did_you_mean
from dlcourse.visualizers.clones import clone

if TYPE_CHECKING:
    import keras


def load_base(
    base: str, input_shape: tuple[int, ...], weights: str | None = "imagenet"
) -> tuple["keras.Model", bool]:
    """Return a trained network, and whether its layer `rescaling` scales images to 0…1.

    Args:
        base: A run's folder, a `.keras` file, or a name of `keras.applications`.
        input_shape: Of the examples that it is to take.
        weights: Of a network of `keras.applications`; see `published`.

    Raises:
        RecipeError: There is no such base, it cannot be loaded, or takes inputs of another shape.
    """
    path = Path(base).expanduser()
    try:
        if path.is_dir():
            model = read_run(path).model
        else:
            model = _read(path) if path.is_file() else published(base, input_shape, weights)
    except UserError as error:
        raise RecipeError(str(error), setting="base") from None
    if len(model.inputs) != 1:
        reason = f"{base} has {len(model.inputs)} inputs, one is expected"
        raise RecipeError(reason, setting="base")
    taken = tuple(model.inputs[0].shape[1:])
    fits = [one in (None, other) for one, other in zip(taken, input_shape, strict=False)]
    if len(taken) != len(input_shape) or not all(fits):
        raise RecipeError(
            f"{base} takes inputs of shape {taken}, this data has {tuple(input_shape)} (of an "
            "image folder, dataset.size and dataset.color decide it)",
            setting="base",
        )
    return model, not path.is_file()


def _read(path: Path) -> "keras.Model":
    import keras

    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is no .keras file")
    try:
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
        return model
    except Exception as error:  # noqa: BLE001 - whatever a strange file makes Keras raise
        raise UserError(f"{path}: cannot be loaded as a Keras model: {one_line(error)}") from None


def published(
    name: str, input_shape: tuple[int, ...], weights: str | None = "imagenet"
) -> "keras.Model":
    """Return a network of `keras.applications` without its head, its last maps averaged.

    It takes pixels from 0 to 255: its own preprocessing is inside. Grey images go to all three of
    its channels.

    Args:
        name: As `MobileNetV2`.
        input_shape: `(height, width, channels)`, of one channel or three.
        weights: `imagenet` (downloaded once by Keras), a file of weights, or None for random ones.

    Raises:
        UserError: An unknown name, inputs that it cannot take, or weights that cannot be had.
    """
    import keras

    known = [one for one in dir(keras.applications) if one[:1].isupper()]
    if name not in known:
        hint = did_you_mean(name, known)
        raise UserError(f"no run, no file and no network of keras.applications: '{name}'{hint}")
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        raise UserError(f"{name} takes images of 1 or 3 channels, this data has {input_shape}")
    if weights not in (None, "imagenet") and not Path(weights).expanduser().is_file():
        raise UserError(f"{name}: weights: no such file: {weights}")
    build = getattr(keras.applications, name)
    try:
        shape = (*input_shape[:2], 3)
        network = build(include_top=False, weights=weights, input_shape=shape, pooling="avg")
    except Exception as error:  # noqa: BLE001 - Keras raises what the network or the file makes it
        raise UserError(_not_built(name, weights, error)) from None
    inputs = keras.Input(input_shape)
    tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(inputs)
    if input_shape[-1] == 1:
        tensor = keras.layers.Concatenate(name="three_channels")([tensor] * 3)
    tensor = _preprocessing(sys.modules[build.__module__].preprocess_input)(tensor)
    front = keras.Model(inputs, tensor)
    return keras.Model(inputs, replay(network, network.outputs[0], front), name=PUBLISHED)


def _not_built(name: str, weights: str | None, error: Exception) -> str:
    if weights == "imagenet" and any(word in str(error) for word in ("URL", "fetch", "http")):
        return (
            f"{name}: its ImageNet weights come over the network, and could not be had: "
            f"{one_line(error)} (offline: weights: a file of them, or null for random ones)"
        )
    return (
        f"{name}: cannot be built for this data and weights {weights or 'null'}: {one_line(error)}"
    )


def _preprocessing(function: Callable[..., Any]) -> "keras.Layer":
    """Return the layer that does to pixels from 0 to 1 what `function` does to 0 to 255.

    All of `keras.applications` treat a pixel by an affine map: four pixels tell which.
    """
    import keras

    pixels = np.zeros((4, 1, 1, 3), "float32")
    pixels[1:, 0, 0] = 255 * np.eye(3)
    offset, *columns = np.asarray(function(pixels))[:, 0, 0].astype("float64")
    matrix = np.stack(columns) - offset
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        scale, shift = np.diag(matrix).tolist(), offset.tolist()
        return keras.layers.Rescaling(scale, offset=shift, name="pixels")
    layer = keras.layers.Dense(3, name="pixels", trainable=False)  # the channels change places
    layer.build((None, 3))
    layer.set_weights([matrix, offset])
    return layer


PUBLISHED = "published"
"""The name of a model that ends before the head, as `published` gives it."""
HEAD = ("features", "head", "logits", "probabilities", "standardised", "prediction")


def replay(
    model: "keras.Model",
    output: Any,
    front: "keras.Model",
    change: Callable[[Any], Any] = lambda _: None,
) -> Any:
    """Return what copies of a model's layers, up to `output`, make of what `front` gives.

    The copies have the same weights, and recurrent layers no dropout; the model stays as it is. It
    is a clone whose graph is taken over: the layers stand behind those of `front`, in one model
    that has no model inside.

    Args:
        model: A Sequential or Functional model of one input.
        output: The symbolic tensor in it that is wanted.
        front: Gives what takes the place of the model's input.
        change: Returns another layer for a layer's place, or None to copy it.
    """
    import keras

    taken = {layer.name for layer in front.layers}
    results = list(front.outputs)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        results.append(layer(*args, **kwargs))
        return results[-1]

    clone(
        keras.Model(model.inputs[0], output),
        lambda layer: change(layer) or _copied(layer, taken),
        input_tensors=front.outputs[0],
        call_function=called,
    )
    return results[-1]


def _copied(layer: Any, taken: set[str]) -> Any:
    """Return a layer's copy without its own dropout, under a name that is free."""
    settings = layer.get_config()
    name = settings["name"]
    if name in taken or name.partition("_")[0] in HEAD:
        name = f"base_{name}"
    off = {key: 0.0 for key in ("dropout", "recurrent_dropout") if settings.get(key)}
    return type(layer).from_config({**settings, **off, "name": name})
