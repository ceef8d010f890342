"""How far an image is from a run's training images, and when a warning is due.

The distance is that to the nearest training image, by pixels and by brightness, contrast, edges and
colour, divided by its 99.5% quantile over the training images (each without itself) and the
validation images: an image at more than 1 is unlike them. The test split is not used.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import RunError
from dlcourse.files import DAMAGED, read_arrays, write_file
from dlcourse.runs import evaluation

FILE = "likeness.npz"
UNLIKE = "unlike the training data (distance {:.2f}, at most 1 is usual)"
MOST, LEAST = 2000, 20  # training images that are compared with; with fewer there is no limit
PIXELS = 1000  # at most; larger images are reduced
WEIGHT = 0.5  # of brightness, contrast, edges and colour beside the pixels
QUANTILE = 0.995


def write_likeness(folder: Path, dataset: Any) -> None:
    """Write what the distance to a data set's training images needs, unless these are few."""
    if dataset.x_train.ndim != 4 or len(dataset.x_train) < LEAST:
        return
    new, old = (_measures(x, dataset.value_range, MOST) for x in (dataset.x_val, dataset.x_train))
    scale = old.std(axis=0).clip(0.02) / WEIGHT
    scale[:-TRAITS] = np.linalg.norm(old[:, :-TRAITS].std(axis=0)).clip(0.02)
    known = {"scale": scale, "images": (old / scale).astype("float16")}
    known["range"] = np.array(dataset.value_range)
    both = [_nearest(known, new / scale), _nearest(known, old / scale, itself=False)]
    known["limit"] = np.quantile(np.concatenate(both), QUANTILE).clip(1e-6)
    write_file(folder / FILE, lambda path: np.savez_compressed(path, **known))


def noted(run: Any, x: np.ndarray) -> list[dict[str, Any]]:
    """Return the `distance` of each image, and a `warning` if it is unlike the training images.

    Both are None for a run that has no limit. A run of tables has neither.

    Raises:
        RunError: The run's file is damaged.
    """
    path, images = run.path / FILE, run.facts.inputs == "images"
    if not images or not path.is_file():
        return [{"distance": None, "warning": None} if images else {} for _ in x]
    try:
        known = read_arrays(path)
        measures = _measures(x, known["range"], len(x))
        far = _nearest(known, measures / known["scale"]) / known["limit"]
    except DAMAGED as error:
        raise RunError(f"{path}: is damaged ({error}): without it there are no warnings") from None
    told = [UNLIKE.format(distance) if distance > 1 else None for distance in far]
    return [{"distance": d, "warning": w} for d, w in zip(far.tolist(), told, strict=True)]


def _measures(x: Any, value_range: Any, most: int) -> np.ndarray:
    """Return the reduced pixels and the traits of `most` images or fewer, chosen at random."""
    low, high = value_range
    rows = np.sort(np.random.default_rng(0).permutation(len(x))[:most])
    step = max(1, evaluation.READ_BYTES // (4 * int(np.prod(x.shape[1:]))))
    batches = (x[rows[start : start + step]] for start in range(0, len(rows), step))
    scaled = ((batch.astype("float32") - low) / ((high - low) or 1) for batch in batches)
    return np.concatenate([np.hstack([_pixels(batch), _traits(batch)]) for batch in scaled])


def _pixels(x: np.ndarray) -> np.ndarray:
    n, height, width, channels = x.shape
    side = min(int(np.ceil(np.sqrt(x[0].size / PIXELS))), height, width)
    rows, columns = height // side, width // side
    whole = x[:, : rows * side, : columns * side].reshape(n, rows, side, columns, side, channels)
    return whole.mean(axis=(2, 4)).reshape(n, -1)


TRAITS = 12


def _traits(x: np.ndarray) -> np.ndarray:
    grey = x.mean(axis=3)
    edges = [np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis))) for axis in (1, 2)]
    maps = [grey, *edges, np.abs(grey * (1 - grey)), np.abs(x - grey[..., None]).mean(axis=3)]
    sizes = [np.abs(f(values, axis=(1, 2))) for values in maps for f in (np.mean, np.std)]
    ends = [grey.min(axis=(1, 2)), grey.max(axis=(1, 2))]
    return np.stack([*np.log(np.stack(sizes) + 0.01), *ends], axis=1)


def _nearest(known: dict[str, Any], new: np.ndarray, *, itself: bool = True) -> np.ndarray:
    """Return the distance to the nearest training image, or to the nearest other one, `(n,)`."""
    old = known["images"].astype("float32")
    squared = (new**2).sum(axis=1)[:, None] - 2 * new @ old.T + (old**2).sum(axis=1)
    squared[np.diag_indices(0 if itself else len(old))] = np.inf
    return np.sqrt(squared.min(axis=1).clip(0))
