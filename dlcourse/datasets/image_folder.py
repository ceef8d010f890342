"""The user's own images: a folder per class, or `train/`, `test/` (and `val/`) with one each."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets.dataset import Dataset, dataset_of, task_of
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.paths import existing_file, existing_folder
from dlcourse.datasets.streamed import exceeds, in_memory, on_disk, state_of
from dlcourse.errors import DatasetError
from dlcourse.schema import Fraction, Size

Color = Literal["grayscale", "rgb"]

CHANNELS = {"grayscale": 1, "rgb": 3}
# what keras.utils.image_dataset_from_directory reads
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF")
PARTS_OF_FOLDERS = {"train": "train", "test": "test"} | dict.fromkeys(
    ("val", "valid", "validation"), "val"
)
LARGEST = 64  # side, in pixels, of images of their own size
NAMED = 3  # broken files that a warning names


def image_folder(
    seed: int = 0,
    *,
    path: str,
    size: Size = (64, 64),
    color: Color = "rgb",
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
    memory_share: Fraction = 0.25,
) -> Dataset:
    """Return the resized images of a folder with one sub-folder per class.

    `path` holds one folder per class, named after it; or `train` and, each optional, `test` and
    `val` (or `valid`, `validation`), with one folder per class in each. Missing splits are taken
    from the training images. Hidden files are ignored; unreadable images are skipped with one
    warning.

    Args:
        seed: Seed of the validation split.
        path: Path of the folder, relative to the current folder; `~` expands.
        size: Height and width, in pixels, to resize to; other proportions are stretched. `auto` is
            a square of the median side of the images, at most 64.
        color: Channels of the images as they are read: `rgb` (3) or `grayscale` (1).
        validation_fraction: Share of the training images set aside for validation, where there is
            no `val` folder.
        test_fraction: Share of the training images set aside for the test, where there is no `test`
            folder.
        memory_share: Share of the memory that the images may take. Larger data is decoded once,
            into the cache folder, and streamed from there: the same images in the same order.

    Raises:
        DatasetError: The folder is missing or has no class, a class has no readable image, other
            folders lie beside `train`, the test or validation folder has a class that the
            training folder lacks, or the disk has no room for streamed images.
    """
    root = existing_folder(path)
    folders = _folders_of_parts(root)
    classes = tuple(folder.name for folder in _subfolders(folders["train"]))
    if not classes:
        raise DatasetError(f"{folders['train']}: no class folders: CLASS/IMAGE is expected in it")
    parts: dict[str, tuple[Any, np.ndarray]] = {}
    broken: list[DatasetError] = []
    listed = {part: _listed(folder, classes) for part, folder in folders.items()}
    total = sum(map(len, listed.values()))
    if size == "auto":
        size = own_size([file for files in listed.values() for file in files])
    stream = exceeds(memory_share, total, (*size, CHANNELS[color]), "uint8")
    for part, files in listed.items():
        x, kept = _read(folders[part], list(files), size, color, broken, stream)
        parts[part] = x, np.array(list(files.values()))[kept]
        _refuse_empty(folders[part], classes, parts[part][1], broken)
    _warn(root, broken)
    facts = {"task": task_of(classes), "value_range": (0.0, 255.0), "class_names": classes}
    fractions = (validation_fraction, test_fraction)
    return dataset_of(root.resolve().name, parts, seed, fractions, **facts)


def own_size(files: list[Path]) -> tuple[int, int]:
    """Return the median side of up to 1,000 of the images, at most `LARGEST`, twice."""
    sides: list[int] = []
    for file in files[:: -(-len(files) // 1000) or 1]:
        with contextlib.suppress(DatasetError):  # it is named when it is read
            sides += _decoded(file, lambda image: image.size)
    side = min(LARGEST, int(np.median(sides))) if sides else LARGEST
    return side, side


def read_example(file: str | Path, facts: DataFacts, *, invert: bool = False) -> np.ndarray:
    """Return an image file as the input of a run's model: `(height, width, channels)`, float32.

    Args:
        file: Path of the image, as for `read_image`.
        facts: Facts of the run's data.
        invert: Whether to swap dark and light.

    Raises:
        DatasetError: The image cannot be read, or the model takes neither 1 nor 3 channels.
    """
    height, width, channels = facts.input_shape
    if channels not in (1, 3):
        raise DatasetError(f"{file}: the model takes {channels} channels, an image file has 1 or 3")
    low, high = facts.value_range
    image = read_image(file, (height, width), "grayscale" if channels == 1 else "rgb")
    own = has_size(file, facts)
    if own and low <= image.min() and image.max() <= high:  # saved with the data's own values
        values = image.astype("float32")
    else:
        values = low + image.astype("float32") * ((high - low) / 255)
        values = values.round() if own and facts.drawn == "digits" else values
    return low + high - values if invert else values


def has_size(file: str | Path, facts: DataFacts) -> bool:
    """Return whether an image file has the height and width of the data's images."""
    height, width = facts.input_shape[:2]
    return _decoded(file, lambda image: image.size == (width, height))


def read_page(path: str | Path, longest: int = 1000) -> np.ndarray:
    """Return the grey levels `(height, width)` of an image file, uint8, upright.

    A larger image is reduced to `longest` pixels by the mean of areas. What is transparent becomes
    white, or black under light strokes.
    """
    return _decoded(path, lambda image: _page(image, longest))


def read_image(
    path: str | Path, size: tuple[int, int], color: Literal["grayscale", "rgb"] = "rgb"
) -> np.ndarray:
    """Return the pixels of an image file, resized and upright as its EXIF orientation says.

    For an animated GIF the first frame is read. Transparent pixels turn white; 16-bit pixels are
    scaled to 8 bits.

    Args:
        path: Path of a PNG, JPEG, BMP or GIF file.
        size: Height and width, in pixels.
        color: Channels, `rgb` or `grayscale`.

    Returns:
        uint8, shape `(height, width, 3 or 1)`.

    Raises:
        DatasetError: The file is missing, is not an image, is broken, or has too many pixels (a
            decompression bomb).
    """
    return _decoded(path, lambda image: _pixels(image, size, color))


def _decoded(path: str | Path, read: Callable[[Any], Any]) -> Any:
    """Return what `read` makes of the opened image."""
    from PIL import Image, UnidentifiedImageError

    file = existing_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=PILLOW_FORMATS) as image:
                return read(image)
    except UnidentifiedImageError:
        raise DatasetError(f"{file}: not a PNG, JPEG, BMP or GIF image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DatasetError(f"{file}: too many pixels (a decompression bomb?)") from None
    except Exception as error:  # Pillow's decoders raise many kinds on broken files
        raise DatasetError(f"{file}: a broken image ({error})") from error


def _pixels(image: Any, size: tuple[int, int], color: str) -> np.ndarray:
    from PIL import Image, ImageOps

    # JPEG only: decode at the smallest scale that is still larger than the wanted size.
    image.draft(None, (2 * max(size), 2 * max(size)))
    upright = _eight_bits(ImageOps.exif_transpose(image))
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    resized = upright.convert("L" if color == "grayscale" else "RGB").resize(
        (size[1], size[0]), Image.Resampling.BILINEAR
    )
    return np.asarray(resized, "uint8").reshape(*size, CHANNELS[color])


def _page(image: Any, longest: int) -> np.ndarray:
    from PIL import Image, ImageOps

    image.draft("L", (longest, longest))
    small = _eight_bits(image).convert("LA")
    small.thumbnail((longest, longest), Image.Resampling.BOX)
    grey, alpha = np.moveaxis(np.asarray(ImageOps.exif_transpose(small), "float32"), -1, 0)
    light = alpha.mean() < 128 and (grey * alpha).sum() > 128 * alpha.sum()
    ground = 0 if light else 255
    return np.rint(ground + (grey - ground) * alpha / 255).astype("uint8")


def _eight_bits(image: Any) -> Any:
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    # 16-bit grey levels; Pillow's own conversion clips them at 255.
    return Image.fromarray((np.asarray(image).astype("int64") // 257).clip(0, 255).astype("uint8"))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _hidden(entry.name))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _folders_of_parts(root: Path) -> dict[str, Path]:
    """Return the folder of each split; `root` is the training folder if it holds the classes."""
    folders = {folder.name.lower(): folder for folder in _subfolders(root)}
    if "train" not in folders:
        return {"train": root}
    if others := sorted(set(folders) - set(PARTS_OF_FOLDERS)):
        if not _subfolders(folders["train"]):  # a class named train
            return {"train": root}
        raise DatasetError(
            f"{root}: '{folders[others[0]].name}' lies beside '{folders['train'].name}' and its "
            "classes: move it elsewhere (train, val and test are expected, with a folder per class "
            "in each; or a folder per class, without folders inside)"
        )
    twice = [name for name in folders if PARTS_OF_FOLDERS[name] == "val"]
    if len(twice) > 1:
        raise DatasetError(f"{root}: both '{twice[0]}' and '{twice[1]}': keep one of them")
    return {PARTS_OF_FOLDERS[name]: folder for name, folder in folders.items()}


def _listed(folder: Path, classes: tuple[str, ...]) -> dict[Path, int]:
    """Return every file of a split with its label."""
    unknown = {entry.name for entry in _subfolders(folder)} - set(classes)
    if unknown:
        raise DatasetError(f"{folder}: class '{min(unknown)}' is missing from the train folder")
    return {file: label for label, name in enumerate(classes) for file in _files(folder / name)}


def _read(
    folder: Path,
    files: list[Path],
    size: tuple[int, int],
    color: Color,
    broken: list[DatasetError],
    stream: bool,
) -> tuple[Any, np.ndarray]:
    """Return the readable images and their indices in `files`; add the others to `broken`."""

    def images(indices: Any) -> Iterator[tuple[np.ndarray, list[int]]]:
        for index in indices:
            try:
                yield read_image(files[index], size, color)[None], [index]
            except DatasetError as error:
                broken.append(error)

    every = images(range(len(files)))
    layout = (len(files), (*size, CHANNELS[color]), "uint8")
    if not stream:
        return in_memory(every, *layout)
    where, failures = str(folder.resolve()), len(broken)
    state = (PILLOW_FORMATS, state_of(files, folder))
    x, kept = on_disk(every, *layout, source=f"{color} {size} {where}", state=state)
    if len(broken) == failures:  # read from the cache: also find the files that it left out
        list(images(np.setdiff1d(np.arange(len(files)), kept)))
    return x, kept


def _refuse_empty(
    folder: Path, classes: tuple[str, ...], y: np.ndarray, broken: list[DatasetError]
) -> None:
    for label in np.setdiff1d(np.arange(len(classes)), y):
        name = classes[label]
        raise DatasetError(
            f"{folder / name}: class '{name}' has no readable image"
            + next((f" ({error})" for error in broken if name in str(error)), "")
        )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(map(_hidden, file.relative_to(folder).parts))
    )


def _warn(root: Path, broken: list[DatasetError]) -> None:
    if broken:
        named = "; ".join(map(str, broken[:NAMED])) + ("; …" if len(broken) > NAMED else "")
        warnings.warn(f"{root}: skipped {len(broken)} unreadable files: {named}", stacklevel=3)
