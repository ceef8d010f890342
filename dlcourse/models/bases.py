"""Load the base of a transferred network: a run, a `.keras` file or a published network."""

import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import RecipeError, UserError, one_line
from dlcourse.heavy import keras
from dlcourse.models.efficientnet_lite0 import NAME, efficientnet_lite0
from dlcourse.runs import read_run
from dlcourse.schema import did_you_mean
from dlcourse.visualizers.clones import clone


def load_base(
    base: str, input_shape: tuple[int, ...], weights: str | None = "imagenet"
) -> tuple["keras.Model", bool]:
    """Return a trained network and whether its layer `rescaling` scales images to 0…1.

    Args:
        base: Folder of a run, a `.keras` file, or the name of a published network.
        input_shape: Shape of one example of the new data.
        weights: Weights of a published network; see `published`.

    Raises:
        RecipeError: The base does not exist, cannot be loaded, or takes inputs of another shape.
    """
    path = Path(base).expanduser()
    try:
        if path.is_dir():
            model = read_run(path).model
        else:
            model = _read(path) if path.is_file() else published(base, input_shape, weights)
    except UserError as error:
        raise RecipeError(str(error), setting="base") from None
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1:
        reason = f"{base} has {len(inputs)} inputs: one is expected, of a model with a graph"
        raise RecipeError(reason, setting="base")
    expected = tuple(inputs[0].shape[1:])
    fits = [size in (None, given) for size, given in zip(expected, input_shape, strict=False)]
    if len(expected) != len(input_shape) or not all(fits):
        raise RecipeError(
            f"{base} takes inputs of shape {expected}, but this data has {tuple(input_shape)} "
            "(for an image folder, set dataset.size and dataset.color)",
            setting="base",
        )
    return model, not path.is_file()


def _read(path: Path) -> "keras.Model":
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is not a .keras file")
    try:
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
        return model
    except Exception as error:  # noqa: BLE001 - Keras raises many types on broken files
        own = re.search(r"Could not locate (?:class|function) '\w+'", str(error))
        cure = ": give it @keras.saving.register_keras_serializable() and import it before"
        reason = f"{own[0]}{cure}" if own else one_line(error)
        raise UserError(f"{path}: cannot be loaded as a Keras model: {reason}") from None


def published(
    name: str, input_shape: tuple[int, ...], weights: str | None = "imagenet"
) -> "keras.Model":
    """Return a published network without its head, with global average pooling.

    It takes pixels from 0 to 255; its own preprocessing is inside. A grey image is repeated in all
    three channels.

    Args:
        name: Name of the network: `efficientnet_lite0`, or one in `keras.applications`, such as
            `MobileNetV2`.
        input_shape: Shape of an image, `(height, width, channels)`, with 1 or 3 channels.
        weights: Weights: `imagenet` (Keras downloads them once; those of `efficientnet_lite0` are
            in a package), a file, or None for random ones.

    Raises:
        UserError: The name is unknown, or the inputs or weights cannot be used.
    """
    networks = [NAME, *(entry for entry in dir(keras.applications) if entry[:1].isupper())]
    if name not in networks:
        hint = did_you_mean(name, networks)
        raise UserError(f"'{name}' is not a run, a file or a network of keras.applications{hint}")
    if len(input_shape) != 3 or input_shape[-1] not in (1, 3):
        raise UserError(f"{name} takes images of 1 or 3 channels, but this data has {input_shape}")
    if weights not in (None, "imagenet") and not Path(weights).expanduser().is_file():
        raise UserError(f"{name}: weights: no such file: {weights}")
    build = efficientnet_lite0 if name == NAME else getattr(keras.applications, name)
    try:
        shape = (*input_shape[:2], 3)
        network = build(include_top=False, weights=weights, input_shape=shape, pooling="avg")
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - Keras raises many types here
        reason = f"cannot be built for this data and weights {weights or 'null'}"
        offline = ""
        if weights == "imagenet" and any(word in str(error) for word in ("URL", "fetch", "http")):
            reason = "its ImageNet weights could not be downloaded"
            offline = " (offline: set weights to a file, or to null for random ones)"
        raise UserError(f"{name}: {reason}: {one_line(error)}{offline}") from None
    inputs = keras.Input(input_shape)
    tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(inputs)
    if input_shape[-1] == 1:
        tensor = keras.layers.Concatenate(name="three_channels")([tensor] * 3)
    tensor = _preprocessing(sys.modules[build.__module__].preprocess_input)(tensor)
    front = keras.Model(inputs, tensor)
    return keras.Model(inputs, replay(network, network.outputs[0], front), name=PUBLISHED)


def _preprocessing(function: Callable[..., Any]) -> "keras.Layer":
    """Return the layer that maps pixels from 0 to 1 as `function` maps pixels from 0 to 255.

    In `keras.applications` this is always an affine map of a pixel, so four pixels determine it.
    """
    pixels = np.zeros((4, 1, 1, 3), "float32")
    pixels[1:, 0, 0] = 255 * np.eye(3)
    offset, *columns = np.asarray(function(pixels))[:, 0, 0].astype("float64")
    matrix = np.stack(columns) - offset
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        scale, shift = np.diag(matrix).tolist(), offset.tolist()
        return keras.layers.Rescaling(scale, offset=shift, name="pixels")
    layer = keras.layers.Dense(3, name="pixels", trainable=False)  # the channels are permuted
    layer.build((None, 3))
    layer.set_weights([matrix, offset])
    return layer


PUBLISHED = "published"
"""Name of a model without a head, as `published` returns it."""
HEAD = ("features", "head", "logits", "probabilities", "standardised", "prediction")


def replay(
    model: "keras.Model",
    output: Any,
    front: "keras.Model",
    change: Callable[[Any], Any] = lambda _: None,
) -> Any:
    """Return `output` of a copy of a model that is applied to the output of `front`.

    The copied layers have the same weights, and recurrent layers have no dropout; the model itself
    is unchanged. The copies follow the layers of `front` in one flat graph without nested models.

    Args:
        model: Sequential or Functional model with one input.
        output: Symbolic tensor of the model to copy up to.
        front: Model whose output replaces the model's input.
        change: Function that returns a replacement for a layer, or None to copy it.
    """
    used = {layer.name for layer in front.layers}
    results = list(front.outputs)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        results.append(layer(*args, **kwargs))
        return results[-1]

    how = {"input_tensors": front.outputs[0], "call_function": called}
    whole = keras.Model(model.inputs[0], output)
    clone(whole, lambda layer: change(layer) or _copied(layer, used), **how)
    return results[-1]


def _copied(layer: Any, used: set[str]) -> Any:
    """Return a copy of a layer without its own dropout, with an unused name."""
    name = layer.name
    if name in used or name.partition("_")[0] in HEAD:
        name = f"base_{name}"
    settings = layer.get_config()  # of a layer of one's own, it may lack the name
    off = {key: 0.0 for key in ("dropout", "recurrent_dropout") if settings.get(key)}
    return type(layer).from_config({**settings, **off, "name": name})
