"""keras-vis' utilities for models, images and arguments."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.clones import clone


def set_random_seed(seed_value: int = 1337) -> None:
    """Seed Python's, NumPy's and Keras' generators."""
    keras.utils.set_random_seed(seed_value)


def reverse_enumerate(iterable: Any) -> Iterator[tuple[int, Any]]:
    """Return (position, item) pairs from the end."""
    return zip(reversed(range(len(iterable))), reversed(iterable), strict=True)


def listify(value: Any) -> list:
    """Return a list unchanged, any other value in a list."""
    return value if isinstance(value, list) else [value]


def add_defaults_to_kwargs(defaults: dict, **kwargs: Any) -> dict:
    """Return the defaults, updated by the keywords."""
    return {**defaults, **kwargs}


def get_identifier(identifier: Any, module_globals: dict, module_name: str) -> Callable[..., Any]:
    """Return the module's function with this name, or the function itself."""
    function = module_globals.get(identifier) if isinstance(identifier, str) else identifier
    if not callable(function):
        raise UserError(f"{module_name}: could not interpret the identifier {identifier!r}")
    return function


def find_layer_idx(model: Any, layer_name: str) -> int:
    """Return the position of the layer with this name in `model.layers`."""
    layer = hooks.named_layer(model, layer_name)
    if layer not in model.layers:
        raise UserError(f"layer: {layer_name!r} has no position: it is inside another layer")
    return model.layers.index(layer)


def apply_modifications(model: Any, custom_objects: dict | None = None) -> Any:
    """Return a copy of the model that uses changed activations, also in compiled functions."""
    with keras.utils.custom_object_scope(custom_objects or {}):
        return clone(model)


def random_array(shape: tuple[int, ...], mean: float = 128.0, std: float = 20.0) -> np.ndarray:
    """Return a random array with exactly this mean and standard deviation."""
    x = np.random.random(shape)
    return ((x - x.mean()) / (x.std() + keras.config.epsilon()) * std + mean).astype("float32")


def deprocess_input(input_array: Any, input_range: tuple = (0, 255)) -> np.ndarray:
    """Return the array with mean ½ and deviation 0.1 of the range, clipped to the range."""
    x = np.array(input_array, "float32")
    x = np.clip((x - x.mean()) / (x.std() + keras.config.epsilon()) * 0.1 + 0.5, 0, 1)
    return (input_range[1] - input_range[0]) * x + input_range[0]


def normalize(array: Any, min_value: float = 0.0, max_value: float = 1.0) -> np.ndarray:
    """Return the array scaled to the range from `min_value` to `max_value`."""
    low, high = np.min(array), np.max(array)
    part = (array - low) / (high - low + keras.config.epsilon())
    return (max_value - min_value) * part + min_value


def stitch_images(images: list, margin: int = 5, cols: int = 5) -> np.ndarray | None:
    """Return images `(height, width, channels)` in rows of `cols`; None if there are no images."""
    if len(images) == 0:
        return None
    height, width, channels = images[0].shape
    rows, cols = math.ceil(len(images) / cols), min(len(images), cols)
    down, across = height + margin, width + margin
    sheet = np.zeros((rows * down - margin, cols * across - margin, channels), images[0].dtype)
    for number, image in enumerate(images):
        y, x = number // cols * down, number % cols * across
        sheet[y : y + height, x : x + width] = image
    return sheet


def get_img_shape(img: Any) -> tuple:
    """Return (samples, channels, places…) of images that have their channels last."""
    samples, *places, channels = img.shape
    return (samples, channels, *places)


def load_img(path: str, grayscale: bool = False, target_size: Any = None) -> np.ndarray:
    """Return an image file as uint8, resized to the first two numbers of `target_size`."""
    mode = "grayscale" if grayscale else "rgb"
    size = None if target_size is None else tuple(target_size)[:2]
    image = keras.utils.load_img(path, color_mode=mode, target_size=size)
    return keras.utils.img_to_array(image).astype("uint8")


def draw_text(
    img: np.ndarray,
    text: str,
    position: tuple[int, int] = (10, 10),
    font: str = "FreeSans.ttf",
    font_size: int = 14,
    color: Any = (0, 0, 0),
) -> np.ndarray:
    """Return the image with a text on it, in Pillow's own font if `font` is not found."""
    from PIL import Image, ImageDraw, ImageFont

    try:
        face: Any = ImageFont.truetype(font, font_size)
    except OSError:
        face = ImageFont.load_default(font_size)
    image = Image.fromarray(img)
    ImageDraw.Draw(image).text(position, text, fill=color, font=face)
    return np.asarray(image)


def bgr2rgb(img: np.ndarray) -> np.ndarray:
    """Return the image with its channels reversed."""
    return img[..., ::-1]


def lookup_imagenet_labels(indices: int | Sequence[int]) -> list[str]:
    """Return the names of ImageNet's classes (Keras downloads the list once)."""
    chances = np.eye(1000)[np.atleast_1d(indices)]
    decoded = keras.applications.imagenet_utils.decode_predictions(chances, top=1)
    return [name for ((_, name, _),) in decoded]
