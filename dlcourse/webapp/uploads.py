"""Pictures from visitors: how large they may be, and how they are read."""

from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.image_folder import PILLOW_FORMATS, read_image
from dlcourse.errors import DatasetError, UserError
from dlcourse.heavy import Image

LARGEST_PIXELS = 40_000_000
LONGEST_SIDE = 1024  # pixels; a larger picture is reduced
ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height are swapped


def or_error(read: Callable[..., Any]) -> Callable[..., Any]:
    """Return `read` with its UserErrors returned, not raised; it gives None for an empty input."""

    def result(*arguments: Any) -> Any:
        try:
            return read(*arguments) if arguments[0] else None
        except UserError as error:
            return error

    return result


def read_picture(path: str | Path) -> np.ndarray:
    """Return an uploaded picture, upright, its longer side 1,024 pixels at most.

    Args:
        path: Path of a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF file.

    Returns:
        uint8, shape `(height, width, 3)`; transparent pixels are white.

    Raises:
        UserError: The file has too many pixels, or is not a picture.
    """
    file = Path(path)
    try:
        return read_image(file, _size(file))
    except DatasetError as error:
        raise UserError(str(error).replace(str(file), file.name)) from None


def read_drawing(url: str) -> np.ndarray:
    """Return the drawing of the page's canvas, uint8 `(height, width, 3)`.

    Args:
        url: The canvas' `toDataURL()`: a PNG as text.

    Raises:
        UserError: It is not a PNG, or is larger than a canvas.
    """
    try:
        with Image.open(BytesIO(b64decode(url.split(",")[-1])), formats=["PNG"]) as image:
            if max(image.size) > LONGEST_SIDE:
                raise ValueError
            return np.asarray(image.convert("RGB"))
    except (ValueError, OSError, SyntaxError):
        raise UserError("the drawing did not arrive whole: draw it again") from None


def _size(file: Path) -> tuple[int, int]:
    """Return the height and width to read a picture with: its proportions, upright."""
    try:
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            sides, turned = np.array(image.size), image.getexif().get(ORIENTATION, 1) >= 5
    except Exception:  # noqa: BLE001 - Pillow raises many kinds; `read_image` names them
        return 1, 1
    if sides.prod() > LARGEST_PIXELS:
        raise UserError(f"{file.name}: too many pixels: at most 40 million are read")
    width, height = np.rint(sides * min(1, LONGEST_SIDE / sides.max())).astype(int).clip(1).tolist()
    return (width, height) if turned else (height, width)
