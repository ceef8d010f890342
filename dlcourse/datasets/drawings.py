"""Drawn digits, found on a picture of any size and prepared as a data set's images were made.

MNIST's digits were scaled, with their proportions, to fit into 20×20 pixels, and placed with their
centre of mass in the middle of 28×28. The embedded digits were scaled to bitmaps 32 pixels high,
freed of their slant, and counted in blocks of 4×4.

References:
    LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
    http://yann.lecun.com/exdb/mnist/
    Alpaydin and Kaynak, "Optical recognition of handwritten digits", 1998,
    https://doi.org/10.24432/C50P49, with the preprocessing of Garris et al., "NIST form-based
    handprint recognition system", 1994, https://doi.org/10.6028/NIST.IR.5469
"""

import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import numpy as np
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.image_folder import has_size, read_example, read_page
from dlcourse.errors import DatasetError, WriteError
from dlcourse.files import make_folder, write_file
from dlcourse.heavy import Image

LEAST_CONTRAST = 16  # grey levels between ink and ground
FAINTEST, STRONG = 0.35, 0.6  # ink of a stroke's pixels, and of at least one of them
SMALLEST = 1 / 5  # size of a digit over the largest on the picture: less is a speck
WIDEST = 1.4  # width of a digit over its height: of MNIST on paper 98 % are below
CHIP = 1 / 16  # the same for a part of a digit
MOST = 500  # pieces: a picture with more is not a drawing
LONGEST_OUTLINE = 4  # outline of a digit over its height and width: drawn ones measured up to 3.4
SHORTEST_FRAME = 3.5  # the same for a frame, whose lines have two sides
WORKING = 80  # pixels of a digit's longer side while its strokes are thickened


def read_pictures(
    file: str | Path, facts: DataFacts, folder: Path, *, as_is: bool = False, invert: bool = False
) -> tuple[list[str], np.ndarray, list[dict[str, Any]]]:
    """Return names, inputs `(n, height, width, channels)`, and of each the `prepared` PNG file.

    For a data set of drawings each drawing becomes an input, prepared as the data set's own. A
    picture that is prepared already, and any picture for other data, is read by `read_example`.

    Args:
        file: Path of the picture.
        facts: Facts of the run's data.
        folder: Folder for the PNG files; none are written if it is read-only.
        as_is: Whether to read the whole picture as it is.
        invert: Whether to swap dark and light; the picture is then read as it is.

    Raises:
        DatasetError: The picture cannot be read, or no drawing was found on it.
    """
    (low, high), as_is = facts.value_range, as_is or invert or not facts.drawn
    if as_is or has_size(file, facts):
        image = read_example(file, facts, invert=invert)
        if as_is or _is_prepared((image[..., 0] - low) / (high - low), facts.drawn):
            return [str(file)], image[None], [{"prepared": None}]
    images = prepared(read_page(file), facts.drawn, file)
    if not len(images):
        reason = f"{file}: no digit was found: draw each large and dark, not touching another, on "
        reason += "plain paper (--as-is, in Python as_is=True, reads the picture as it is)"
        raise DatasetError(reason)
    images = np.array([_resized(image, *facts.input_shape[:2]) for image in images])
    ends = [f":{number}" for number in range(1, len(images) + 1)] if len(images) > 1 else [""]
    stem = re.sub(r"[^\w-]", "-", "-".join(Path(file).parts[-2:])).strip("-")
    stem += f"-{crc32(str(Path(file).absolute()).encode('utf-8', 'surrogateescape')):08x}"
    paths = (folder / f"{stem}{end.replace(':', '-')}.png" for end in ends)
    made = [{"prepared": _saved(*picture)} for picture in zip(images, paths, strict=True)]
    x = (low + images * (high - low)).astype("float32")[..., None]
    return [f"{file}{end}" for end in ends], x, made


def _saved(image: np.ndarray, path: Path) -> str | None:
    """Return the path of the PNG file, or None if it cannot be written."""
    with suppress(WriteError):
        make_folder(path.parent)
        write_file(path, Image.fromarray(np.rint(image * 255).astype("uint8")).save)
        return str(path)


def prepared(picture: np.ndarray, manner: str, name: object = None) -> np.ndarray:
    """Return the digits on a picture, in reading order: `(n, height, width)`, 0 to 1.

    Args:
        picture: Grey levels `(height, width)`, 0 to 255, dark on light or light on dark.
        manner: Manner of the data set, a key of `MANNERS`.
        name: Name of the picture in the warnings; without it there are none.
    """
    return np.array([MANNERS[manner](ink) for ink in digits_of(picture, name)])


def digits_of(picture: np.ndarray, name: object = None) -> list[np.ndarray]:
    """Return the ink of each digit, cut out, in reading order; values from 0 to 1.

    Specks, ruled lines and what is not made of strokes are left out; the parts of a digit stay
    together. A warning tells of marks that are small beside the largest digit, which are left out,
    and of digits that seem to touch.

    Args:
        picture: Grey levels `(height, width)`, 0 to 255, dark on light or light on dark.
        name: Name of the picture in the warnings; without it there are none.
    """
    ink = _ink(picture)
    pieces, _ = cast("Any", ndimage.label)(_without_lines(ink > FAINTEST), np.ones((3, 3)))
    strong = np.setdiff1d(pieces[ink > STRONG], 0)[: MOST + 1]
    corners = [[(y.start, x.start), (y.stop, x.stop)] for y, x in ndimage.find_objects(pieces)]
    boxes = np.array(corners, int).reshape(-1, 4)[strong - 1]
    kept = _sizes(boxes) >= max(4, _sizes(boxes).max(initial=0) * CHIP)
    if not kept.any() or len(strong) > MOST:
        return []
    kept[kept] = ~_around_digits(pieces, strong[kept], boxes[kept])
    boxes, groups = _joined(boxes[kept])
    digits = []
    for number in _reading_order(boxes):
        top, left, bottom, right = boxes[number]
        box = slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)
        solid = np.isin(pieces[box], strong[kept][groups == number])
        large = _sizes(boxes)[number] >= SMALLEST * _sizes(boxes).max()
        if large and _outline(solid) < LONGEST_OUTLINE * sum(solid.shape):
            soft = ink[box] * ndimage.binary_dilation(solid, np.ones((3, 3)))
            digits.append(((soft / np.quantile(ink[box][solid], 0.75) - 0.25) / 0.65).clip(0, 1))
    if name and (small := np.sum(_sizes(boxes) < SMALLEST * _sizes(boxes).max(initial=0))):
        warnings.warn(f"{name}: {small} small marks left out: draw all of one size", stacklevel=4)
    if name and any(digit.shape[1] > WIDEST * digit.shape[0] for digit in digits):
        warnings.warn(f"{name}: a digit is wider than high: do two touch?", stacklevel=4)
    return digits


def _ink(picture: np.ndarray) -> np.ndarray:
    """Return the ink of each pixel: 0 on the ground, 1 on the strongest strokes; without ink, 0."""
    grey = picture.astype("float32")
    around = ndimage.uniform_filter(grey, min(grey.shape) // 2 + 1)
    if np.mean((grey - around) ** 3) > 0:  # light ink
        grey = 255 - grey
    ground = _ground(grey)
    depth = ground - grey
    if min(depth.shape) > 100:  # strokes are wider than the grain of the paper
        depth = ndimage.gaussian_filter(depth, 0.8)
    ink = depth / ground.clip(16)
    ink -= np.median(ink)
    peak = np.sort(ink, axis=None)[-min(ink.size, max(5, ink.size // 5000))]
    contrast, noise = np.median(depth[ink >= peak]), 1.5 * np.median(np.abs(ink))
    return (ink / peak).clip(0, 1) if contrast > LEAST_CONTRAST and peak > 6 * noise else 0 * ink


def _ground(grey: np.ndarray) -> np.ndarray:
    """Return the light ground of dark strokes: the picture, with what is narrow and dark filled."""
    coarse = max(1, min(grey.shape) // 100)
    small = np.asarray(Image.fromarray(grey).reduce(coarse))
    side = max(3, min(small.shape) // 3)
    # Extrapolated, because a closing fills the dark end of a shadow if it is only mirrored.
    smooth = ndimage.gaussian_filter(small, 1.0 if coarse > 1 else 0.0)
    wide = np.pad(smooth, side, "reflect", reflect_type="odd")
    ground = Image.fromarray(ndimage.grey_closing(wide, (side, side))[side:-side, side:-side])
    height, width = grey.shape
    box = 0, 0, width / coarse, height / coarse
    return np.asarray(ground.resize((width, height), Image.Resampling.BILINEAR, box))


def _without_lines(mask: np.ndarray) -> np.ndarray:
    """Return the mask without thin lines across the whole picture; strokes that cross them stay."""
    clean, label = mask.astype("uint8"), cast("Any", ndimage.label)
    for turned in (clean, clean.T):  # the transposed view changes the same array
        width = turned.shape[1]
        piece = max(7, width // 12) | 1
        flat = np.pad(ndimage.grey_opening(turned, (1, piece)), piece)
        joined = ndimage.grey_closing(flat, (5, piece))[piece:-piece, piece:-piece]
        labels, _ = label(joined)
        for number, box in enumerate(ndimage.find_objects(labels), 1):
            line = turned[box] * (labels[box] == number)
            thick = int(np.median(line.sum(axis=0))) + 2
            if line.shape[1] > 0.8 * width and thick < width / 20:
                turned[box] -= line * (1 - ndimage.grey_opening(turned, (2 * thick + 1, 1))[box])
    return clean > 0


def _around_digits(pieces: np.ndarray, labels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return which pieces are a line under or over two others side by side, or a frame of one."""
    size, across = boxes[:, 2:] - boxes[:, :2], _gaps(boxes)[1]
    high, wide = size.T
    along = (-across >= wide / 2) & (high > 2 * high[:, None])
    around = (wide >= 6 * high) & ((along @ (across >= 0)) & along).any(axis=1)
    inside = (boxes[:, None, :2] < boxes[:, :2]) & (boxes[:, None, 2:] > boxes[:, 2:])
    holds = inside.all(axis=2) & (size.max(axis=1) >= size.min(axis=1)[:, None] / 4)
    for number in np.flatnonzero(holds.any(axis=1)):
        top, left, bottom, right = boxes[number]
        solid = pieces[top:bottom, left:right] == labels[number]
        around[number] = _outline(solid) > SHORTEST_FRAME * sum(solid.shape)
    return around


def _joined(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one box (top, left, bottom, right) per digit, and the digit of each piece's box."""
    digits = np.arange(len(boxes))
    while True:
        down, across = _gaps(boxes)
        small, large = (f.outer(_sizes(boxes), _sizes(boxes)) for f in (np.minimum, np.maximum))
        widths = boxes[:, 3] - boxes[:, 1]
        above = (-across >= np.minimum.outer(widths, widths) / 2) & (down <= large / 4)
        chips = (np.maximum(down, across) <= large / 10) & (small < 0.6 * large)
        count, groups = connected_components(above | chips)
        if count == len(boxes):
            return boxes, digits
        parts = [boxes[groups == number] for number in range(count)]
        boxes = np.array([[*part[:, :2].min(0), *part[:, 2:].max(0)] for part in parts])
        digits = groups[digits]


def _reading_order(boxes: np.ndarray) -> np.ndarray:
    """Return the indices of the boxes line by line, each line from left to right."""
    heights = boxes[:, 2] - boxes[:, 0]
    _, lines = connected_components(-_gaps(boxes)[0] > np.minimum.outer(heights, heights) / 2)
    tops = np.array([boxes[lines == line, 0].min() for line in lines])
    return np.lexsort((boxes[:, 1], lines, tops))


def _gaps(boxes: np.ndarray) -> np.ndarray:
    """Return the gaps between boxes, down and across `(2, n, n)`; negative where they overlap."""
    start, stop = boxes.T[:2, :, None], boxes.T[2:, :, None]
    return np.maximum(start, start.swapaxes(1, 2)) - np.minimum(stop, stop.swapaxes(1, 2))


def _sizes(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)


def _outline(solid: np.ndarray) -> int:
    return int(solid.sum() - np.sum(ndimage.binary_erosion(solid)))


def _resized(image: np.ndarray, height: float, width: float) -> np.ndarray:
    """Return the image in another size; a smaller one is the mean of areas."""
    size = max(1, round(width)), max(1, round(height))
    how = Image.Resampling.BOX if size[0] < image.shape[1] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image.astype("float32")).resize(size, how)).clip(0, 1)


def _box(ink: np.ndarray, least: float = 0.5) -> np.ndarray:
    """Return the part of the image within the box of its ink."""
    rows, columns = np.flatnonzero((ink > least).any(1)), np.flatnonzero((ink > least).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thickened(ink: np.ndarray, thinnest: float) -> np.ndarray:
    """Return the ink at working size; strokes are `thinnest` of the longer side wide, or more."""
    large = np.pad(_resized(ink, *np.array(ink.shape) * WORKING / max(ink.shape)), 10)
    large = (large / np.quantile(large[large > large.max() / 10], 0.8)).clip(0, 1)
    missing = thinnest * WORKING - 2 * (large > 0.5).sum() / _outline(large > 0.5)
    if missing >= 1:
        disk = np.hypot(*np.mgrid[-9:10, -9:10]) <= missing / 2 + 0.25
        large = ndimage.maximum_filter(large, footprint=disk)
    return _box(large)


def _like_mnist(ink: np.ndarray) -> np.ndarray:
    ink = _thickened(ink, 0.1)
    small = _resized(ink, *np.array(ink.shape) * 20 / max(ink.shape))
    room = 28 - np.array(small.shape)
    start = np.rint(14 - np.array(ndimage.center_of_mass(small))).astype(int).clip(0, room)
    return np.rint(np.pad(small, np.stack([start, room - start], axis=1)) * 255) / 255


def _like_digits(ink: np.ndarray) -> np.ndarray:
    ink = _upright(_thickened(ink, 0.2))
    # Measured: between the digit's own proportions and one width for all.
    width = min(32, round(26.5 * (ink.shape[1] / ink.shape[0]) ** 0.5))
    bitmap, left = _resized(ink, 32, width) > 0.5, (32 - width) // 2
    blocks = np.pad(bitmap, ((0, 0), (left, 32 - width - left))).reshape(8, 4, 8, 4)
    return blocks.sum(axis=(1, 3)) / 16


def _upright(ink: np.ndarray) -> np.ndarray:
    """Return the ink sheared so that it leans neither way."""
    y, x = np.indices(ink.shape) - np.reshape(ndimage.center_of_mass(ink), (2, 1, 1))
    slant = float((ink * x * y).sum() / (ink * y * y).sum())
    wide = np.pad(ink, ((0, 0), (len(ink), len(ink))))
    offset: Any = [0, slant * y[0, 0]]
    return _box(ndimage.affine_transform(wide, [[1, 0], [slant, 1]], offset, order=1))


MANNERS = {"mnist": _like_mnist, "digits": _like_digits}
"""How the images of a data set of drawings were made; `Dataset.drawn` names one of them."""


def _is_prepared(image: np.ndarray, manner: str) -> bool:
    """Return whether an image of the data's size, 0 to 1, looks as all images of the data do."""
    if manner == "digits":  # as high as the image, on dark ground
        return bool(np.median(image[:, [0, -1]]) < 0.1 and image[0].any() and image[-1].any())
    unit = len(image) / 28
    if not image.any() or not 18 <= max(_box(image, 0).shape) / unit <= 21:
        return False
    return np.abs(np.array(ndimage.center_of_mass(image)) / unit - 14).max() <= 1
