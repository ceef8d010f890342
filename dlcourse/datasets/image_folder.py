"""The user's own images: a folder per class, or `train/`, `test/` (and `val/`) with one each."""

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets.columns import some
from dlcourse.datasets.dataset import Dataset, Examples, dataset_of, task_of
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.paths import existing_file, existing_folder
from dlcourse.datasets.streamed import exceeds, in_memory, on_disk, state_of
from dlcourse.errors import DatasetError
from dlcourse.heavy import Image
from dlcourse.schema import Fraction, Range, Size

Color = Literal["grayscale", "rgb"]
Deep = tuple[float, float] | None

CHANNELS = {"grayscale": 1, "rgb": 3}
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "AVIF")
# words in the name of a split's folder; the first that it contains decides
SPLITS = {"train": "train", "test": "test", "eval": "test", "val": "val", "dev": "val"}
LARGEST = 64  # side, in pixels, of images of their own size
NAMED = 3  # broken files that a warning names
MOST_BROKEN = 0.1  # share of the files of a class


def image_folder(
    seed: int = 0,
    *,
    path: str,
    size: Size = (64, 64),
    color: Color = "rgb",
    value_range: Range = "auto",
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
    memory_share: Fraction = 0.25,
) -> Dataset:
    """Return the resized images of a folder with one sub-folder per class.

    `path` holds one folder per class, named after it; or one folder per split, with one folder per
    class in each: of training and, each optional, test and validation, whose names contain `train`,
    `test` or `eval`, and `val` or `dev`, such as `seg_train` or `Testing`. Missing splits are taken
    from the training images. Hidden files are ignored; unreadable images are skipped with one
    warning, if they are at most 10% of each class.

    Args:
        seed: Seed of the validation split.
        path: Path of the folder, relative to the current folder; `~` expands.
        size: Height and width, in pixels, to resize to; other proportions are stretched. `auto` is
            a square of the median side of the images, at most 64.
        color: Channels of the images as they are read: `rgb` (3) or `grayscale` (1).
        value_range: Values of black and white in images of more than 8 bits, such as [0, 4095],
            which are scaled to 8 bits; `auto` takes 0 and 65535 for 16 bits.
        validation_fraction: Share of the training images set aside for validation, where there is
            no `val` folder.
        test_fraction: Share of the training images set aside for the test, where there is no `test`
            folder.
        memory_share: Share of the memory that the images may take. Larger data is decoded once,
            into the cache folder, and streamed from there: the same images in the same order.

    Raises:
        DatasetError: The folder is missing or has no class, a class has no readable image or too
            many unreadable ones, other folders lie beside those of the splits, a class seems to be
            a split, the test or validation folder has a class that the training folder lacks, or
            the disk has no room for streamed images.
    """
    root = existing_folder(path)
    folders = folders_of_parts(root)
    classes = classes_of(folders["train"])
    parts: dict[str, Examples] = {}
    broken: list[DatasetError] = []
    files = {part: listed(folder, classes, folders) for part, folder in folders.items()}
    every = Counter(label for each in files.values() for label in each.values())
    if size == "auto":
        size = own_size([file for each in files.values() for file in each])
    stream = exceeds(memory_share, every.total(), (*size, CHANNELS[color]), "uint8")
    deep = None if value_range == "auto" else value_range
    for part, labels in files.items():
        x, kept = _read(folders[part], list(labels), (size, color, deep), broken, stream)
        parts[part] = x, np.array(list(labels.values()))[kept]
    lost = every - Counter(np.concatenate([y for _, y in parts.values()]).tolist())
    _report(root, {classes[label]: (n, every[label]) for label, n in lost.items()}, broken)
    facts = {"task": task_of(classes), "value_range": (0.0, 255.0), "class_names": classes}
    facts["encoding"] = {"deep": deep} if deep else {}
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
    deep = facts.encoding.get("deep") or (facts.value_range if high > 255 else None)
    image = read_image(file, (height, width), "grayscale" if channels == 1 else "rgb", deep)
    own = has_size(file, facts)
    if own and low <= image.min() and image.max() <= high <= 255:  # saved with its own values
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
    path: str | Path, size: tuple[int, int], color: Color = "rgb", deep: Deep = None
) -> np.ndarray:
    """Return the pixels of an image file, resized and upright as its EXIF orientation says.

    The first of several frames or pages is read. Transparent pixels turn white; 16-bit pixels are
    scaled to 8 bits.

    Args:
        path: Path of a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF file.
        size: Height and width, in pixels.
        color: Channels, `rgb` or `grayscale`.
        deep: Values of black and white if the file has more than 8 bits; None for 0 and 65535.

    Returns:
        uint8, shape `(height, width, 3 or 1)`.

    Raises:
        DatasetError: The file is missing, is not an image, is broken, has too many pixels (a
            decompression bomb), or has more than 8 bits of which 16 are not used.
    """
    return _decoded(path, lambda image: _pixels(image, size, color, deep))


def _decoded(path: str | Path, read: Callable[[Any], Any]) -> Any:
    """Return what `read` makes of the opened image."""
    from PIL import UnidentifiedImageError

    file = existing_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, on doubtful metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=PILLOW_FORMATS) as image:
                return read(image)
    except UnidentifiedImageError:
        known = "PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF"
        raise DatasetError(f"{file}: not a {known} image") from None
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DatasetError(f"{file}: too many pixels (a decompression bomb?)") from None
    except Exception as error:  # Pillow's decoders raise many kinds on broken files
        raise DatasetError(f"{file}: a broken image ({error})") from error


def _pixels(image: Any, size: tuple[int, int], color: str, deep: Deep) -> np.ndarray:
    # JPEG only: decode at the smallest scale that is still larger than the wanted size.
    image.draft(None, (2 * max(size), 2 * max(size)))
    upright = _upright(image, deep)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    resized = upright.convert("L" if color == "grayscale" else "RGB").resize(
        (size[1], size[0]), Image.Resampling.BILINEAR
    )
    return np.asarray(resized, "uint8").reshape(*size, CHANNELS[color])


def _page(image: Any, longest: int) -> np.ndarray:
    image.draft("L", (longest, longest))
    small = _upright(image).convert("LA")
    small.thumbnail((longest, longest), Image.Resampling.BOX)
    grey, alpha = np.moveaxis(np.asarray(small, "float32"), -1, 0)
    light = alpha.mean() < 128 and (grey * alpha).sum() > 128 * alpha.sum()
    ground = 0 if light else 255
    return np.rint(ground + (grey - ground) * alpha / 255).astype("uint8")


def _upright(image: Any, deep: Deep = None) -> Any:
    """Return an image as its EXIF orientation says, with 8 bits; Pillow would clip more bits."""
    from PIL import ImageOps

    kind, halved = image.mode[0], ";16" in str(image.tile)
    upright: Any = ImageOps.exif_transpose(image)
    if kind not in "IF" and not halved:
        return upright
    # of several channels of 16 bits, Pillow keeps the high byte
    pixels = np.asarray(upright).astype("float64") * (1 if kind in "IF" else 257)
    least, most = float(pixels.min()), float(pixels.max())
    whole = kind != "F" and least >= 0 and (most == 0 or 4096 <= most < 65536)
    if not (whole if deep is None else np.isfinite([least, most]).all()):
        reason = "set value_range to those of black and white, or save it with 8 bits"
        raise DatasetError(f"more than 8 bits, with values from {least:g} to {most:g}: {reason}")
    low, high = deep or (0, 65535)
    levels = (pixels - low) * 255 / ((high - low) or 1)
    return Image.fromarray(levels.clip(0, 255).astype("uint8"))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _hidden(entry.name))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


def folders_of_parts(root: Path) -> dict[str, Path]:
    """Return the folder of each split; `root` is the training folder if it holds the classes."""
    parts = {folder: _split_of(folder) for folder in _subfolders(root)}
    nested = [folder for folder, part in parts.items() if part == "train" and _subfolders(folder)]
    others = [folder.name for folder, part in parts.items() if not part]
    found = {*parts.values()}
    if "train" not in found or (not nested and (others or len(found) == 1)):
        return {"train": root}  # no split, or a class named train
    if others:
        reason = f"{root}: '{others[0]}' lies beside '{nested[0].name}' and its classes: move it "
        reason += "elsewhere (train, val and test are expected, with a folder per class in each; "
        reason += "or a folder per class, without folders inside)"
        raise DatasetError(reason)
    alike = [[folder.name for folder in parts if parts[folder] == part] for part in found]
    if twice := next((names for names in alike if len(names) > 1), None):
        raise DatasetError(f"{root}: both '{twice[0]}' and '{twice[1]}': keep one of them")
    return {part: _only_folder(folder) or folder for folder, part in parts.items()}


def _split_of(folder: Path) -> str:
    name = folder.name.lower()
    return next((part for word, part in SPLITS.items() if word in name), "")


def _only_folder(folder: Path) -> Path | None:
    """Return the folder that alone lies in a folder, if it holds folders, as in a zip file."""
    inside = _subfolders(folder)
    return inside[0] if len(inside) == 1 and _subfolders(inside[0]) else None


def classes_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes; refuse folders that are too high, too low, or splits."""
    names = [entry.name for entry in _subfolders(folder)]
    parent = folder.resolve().parent
    if not names:
        beside = [entry.name for entry in _subfolders(parent)]
        near = f" (did you mean '{parent}', with {some(beside)}?)" if beside[1:] else ""
        raise DatasetError(f"{folder}: no class folders: CLASS/FILE is expected in it{near}")
    if only := _only_folder(folder):
        within = some([entry.name for entry in _subfolders(only)])
        raise DatasetError(f"{folder}: holds one folder (did you mean '{only}', with {within}?)")
    inside = Counter(entry.name for name in names for entry in _subfolders(folder / name))
    same = sorted(name for name, n in inside.items() if n > 1)
    if len(same) > 1:
        cure = "splits are named train, val and test, with a folder per class in each"
        raise DatasetError(f"{folder}: its folders hold the same folders ({some(same)}): {cure}")
    return tuple(names)


def listed(folder: Path, classes: tuple[str, ...], folders: dict[str, Path]) -> dict[Path, int]:
    """Return every file of a split with its label."""
    inside = {entry.name for entry in _subfolders(folder)}
    if not inside:
        raise DatasetError(
            f"{folder}: no class folders, so its files have no labels: give '{folders['train']}' "
            "as the path, which is then split, or sort them into a folder per class"
        )
    if unknown := inside - set(classes):
        raise DatasetError(f"{folder}: class '{min(unknown)}' is missing from the train folder")
    return {file: label for label, name in enumerate(classes) for file in _files(folder / name)}


def _read(
    folder: Path, files: list[Path], how: Any, broken: list[DatasetError], stream: bool
) -> Examples:
    """Return the readable images and their indices in `files`; add the others to `broken`."""

    def images(indices: Any) -> Iterator[tuple[np.ndarray, list[int]]]:
        for index in indices:
            try:
                yield read_image(files[index], *how)[None], [index]
            except DatasetError as error:
                broken.append(error)

    (size, color, deep), every = how, images(range(len(files)))
    layout = (len(files), (*size, CHANNELS[color]), "uint8")
    if not stream:
        return in_memory(every, *layout)
    where, failures = str(folder.resolve()), len(broken)
    state = (PILLOW_FORMATS, deep, state_of(files, folder))
    x, kept = on_disk(every, *layout, source=f"{color} {size} {where}", state=state)
    if len(broken) == failures:  # read from the cache: also find the files that it left out
        list(images(np.setdiff1d(np.arange(len(files)), kept)))
    return x, kept


def _files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(map(_hidden, file.relative_to(folder).parts))
    )


def _report(root: Path, lost: dict[str, tuple[int, int]], broken: list[DatasetError]) -> None:
    """Warn of unreadable files; refuse many. `lost` has their number, and that of all, by class."""
    counts = ", ".join(f"{n} of {every} in {name}" for name, (n, every) in lost.items())
    named = "; ".join(map(str, broken[:NAMED])) + ("; …" if len(broken) > NAMED else "")
    told = f"{root}: skipped {len(broken)} unreadable files: {counts} ({named})"
    if any(n > MOST_BROKEN * every for n, every in lost.values()):
        raise DatasetError(f"{told}: more than {MOST_BROKEN:.0%} of a class: mend or remove them")
    if broken:
        warnings.warn(told, stacklevel=3)
