"""Simulated paper: a real digit drawn on a page with a pen, a pencil or a marker, and photographed.

The pen and the pencil follow the digit's centre line; the marker fills its own strokes.
"""

import io

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt, gaussian_filter

WORKING = 160  # pixels of a digit's longer side while it is drawn
WIDTHS = {"pen": 0.05, "pencil": 0.022}  # of a line over the digit's longer side
INK = {"pen": (20, 70), "pencil": (95, 135), "marker": (20, 40)}  # grey levels


def thinned(mask: np.ndarray) -> np.ndarray:
    """Return the centre line of a mask (Zhang and Suen 1984)."""
    line = np.pad(mask, 1).astype(bool)
    ways = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    while True:
        before = line.sum()
        for first in (True, False):
            around = [np.roll(line, way, (0, 1)) for way in ways]
            north, _, east, _, south, _, west, _ = around
            many = sum(part.astype(int) for part in around)
            ring = zip(around, [*around[1:], around[0]], strict=True)
            turns = sum((~a & b).astype(int) for a, b in ring)
            corner = (east & south & (north | west)) if first else (north & west & (east | south))
            line = line & ~((many >= 2) & (many <= 6) & (turns == 1) & ~corner)
        if line.sum() == before:
            return line[1:-1, 1:-1]


def strokes(digit: np.ndarray, tool: str, size: int) -> np.ndarray:
    """Return how much of each pixel is covered, 0 to 1; `size` is the digit's longer side."""
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    digit = np.pad(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / digit.max(), 2)
    scale = WORKING / (max(digit.shape) - 4)
    large = resized(digit, scale, Image.Resampling.BICUBIC)
    large = gaussian_filter(large, scale / 4)
    mask = large > 0.5 * min(1.0, large.max())
    if tool in WIDTHS:
        width = max(WIDTHS[tool] * WORKING / 2, WORKING / 2 / size)
        mask = np.asarray(distance_transform_edt(~thinned(mask))) <= width
    return resized(mask.astype(float), size / WORKING, Image.Resampling.BOX)


def resized(values: np.ndarray, scale: float, how: Image.Resampling) -> np.ndarray:
    height, width = values.shape
    image = Image.fromarray((values * 255).astype("uint8"))
    return np.asarray(image.resize((round(width * scale), round(height * scale)), how)) / 255


def photograph(
    digit: np.ndarray,
    rng: np.random.Generator,
    *,
    tool: str = "pen",
    size: int = 140,
    shadow: float = 0.5,
    angle: float = 0.0,
    shape: tuple[int, int] = (420, 640),
    middle: bool = False,
) -> Image.Image:
    """Return a JPEG photo of a page with one digit on it.

    Args:
        digit: Image `(height, width)`, light on dark.
        rng: Generator of the place, the light, the paper and its grain.
        tool: `pen`, `pencil` or `marker`.
        size: Pixels of the digit's longer side.
        shadow: Light that the darkest corner lacks, 0 to 1.
        angle: Degrees by which the digit is turned.
        shape: Height and width of the page, in pixels.
        middle: Whether to draw in the middle of the page instead of anywhere.
    """
    drawn = Image.fromarray((strokes(digit, tool, size) * 255).astype("uint8"))
    drawn = np.asarray(drawn.rotate(angle, Image.Resampling.BICUBIC, expand=True)) / 255
    drawn = drawn[drawn.any(1)][:, drawn.any(0)]
    rooms = [whole - part for whole, part in zip(shape, drawn.shape, strict=True)]
    top, left = (room // 2 if middle else int(rng.integers(2, room - 2)) for room in rooms)
    ink = np.zeros(shape)
    ink[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    if tool == "pencil":
        ink *= np.clip(1 + gaussian_filter(rng.normal(0, 1, shape), 1), 0.2, 1)
    return page(rng, ink, rng.uniform(*INK[tool]), shadow)


def page(
    rng: np.random.Generator, ink: np.ndarray, dark: float = 0.0, shadow: float = 0.5
) -> Image.Image:
    """Return a JPEG photo of grained paper, lit from one side, with this ink on it (0 to 1)."""
    height, width = ink.shape
    y, x = np.mgrid[:height, :width]
    side = rng.uniform(0, 2 * np.pi)
    away = (x / width - 0.5) * np.cos(side) + (y / height - 0.5) * np.sin(side)
    light = (rng.uniform(205, 240) * (1 - ink) + dark * ink) * (1 - shadow * (away + 0.5))
    grey = light + rng.normal(0, 4, ink.shape)
    image = Image.fromarray(grey.clip(0, 255).astype("uint8")).filter(ImageFilter.GaussianBlur(0.7))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return Image.open(file)
