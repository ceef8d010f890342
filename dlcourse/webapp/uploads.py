"""Pictures from visitors: how large and how many they may be, and how they are read."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from dlcourse.datasets.image_folder import PILLOW_FORMATS, read_image
from dlcourse.errors import DatasetError, UserError
from dlcourse.heavy import Image

LARGEST_BYTES = 10_000_000
LARGEST_PIXELS = 40_000_000
MOST_PICTURES = 200  # at a time
LONGEST_SIDE = 1024  # pixels; a larger picture is reduced
ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height are swapped
PNG_URL = "data:image/png;base64,"


def read_pictures(paths: Sequence[str | Path]) -> list[np.ndarray]:
    """Return the pictures of several files; see `read_picture`.

    Raises:
        UserError: There are too many, or one of them cannot be read.
    """
    if len(paths) > MOST_PICTURES:
        raise UserError(f"{len(paths)} pictures: at most {MOST_PICTURES} at a time")
    return [read_picture(path) for path in paths]


def read_picture(path: str | Path) -> np.ndarray:
    """Return an uploaded picture, upright, its longer side 1,024 pixels at most.

    Args:
        path: Path of a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF file.

    Returns:
        uint8, shape `(height, width, 3)`; transparent pixels are white.

    Raises:
        UserError: The file is too large, has too many pixels, or is not a picture.
    """
    file = Path(path)
    if (size := file.stat().st_size) > LARGEST_BYTES:
        reason = f"{size / 1e6:.1f} MB: at most {LARGEST_BYTES / 1e6:.0f} MB are read"
        raise UserError(f"{file.name}: {reason}")
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
        if not url.startswith(PNG_URL) or len(url) > 1_000_000:
            raise ValueError
        with Image.open(BytesIO(b64decode(url[len(PNG_URL) :])), formats=["PNG"]) as image:
            if max(image.size) > LONGEST_SIDE:
                raise ValueError
            return np.asarray(image.convert("RGB"))
    except (ValueError, OSError, SyntaxError, binascii.Error):
        raise UserError("the drawing did not arrive whole: draw it again") from None


def _size(file: Path) -> tuple[int, int]:
    """Return the height and width to read a picture with: its proportions, upright."""
    try:
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) >= 5
    except Image.DecompressionBombError:
        width = height = LARGEST_PIXELS
        turned = False
    except Exception:  # noqa: BLE001 - Pillow raises many kinds; `read_image` names them
        return 1, 1
    if width * height > LARGEST_PIXELS:
        reason = f"too many pixels: at most {LARGEST_PIXELS // 10**6} million are read"
        raise UserError(f"{file.name}: {reason}")
    scale = min(1, LONGEST_SIDE / max(width, height))
    sides = [max(1, round(side * scale)) for side in (height, width)]
    return (sides[1], sides[0]) if turned else (sides[0], sides[1])
