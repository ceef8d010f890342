"""How far an image is from a run's training images, and when a warning is due.

The distance is that to the nearest training image, by pixels and by brightness, contrast, edges and
colour, divided by its 99.5% quantile over the training images (each without itself) and the
validation images: above 1 an image is unlike them. The test split is not used.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import RunError
from dlcourse.files import DAMAGED, write_file

FILE = "likeness.npz"
UNLIKE = "unlike the training data"
MOST, LEAST = 2000, 20  # training images that are compared with; with fewer there is no limit
PIXELS = 1000  # at most; larger images are reduced
QUANTILE = 0.995
TRAITS = 0.2  # weight of the traits beside the pixels
BATCH_VALUES = 1 << 20  # of streamed images, read at a time


def write_likeness(folder: Path, dataset: Any) -> None:
    """Write what the distance to a data set's training images needs, unless these are few."""
    if dataset.x_train.ndim != 4 or len(dataset.x_train) < LEAST:
        return
    low, high = dataset.value_range
    known: dict[str, Any] = {"low": low, "scale": 1 / ((high - low) or 1)}
    pixels, traits = _measures(known, dataset.x_train)
    deviation = traits.std(axis=0).clip(0.05)
    covariance = np.cov((traits / deviation).T) + 0.01 * np.eye(len(deviation))
    known["spread"], known["mean"] = (
        np.sqrt(pixels.var(axis=0).sum()).clip(1e-6),
        traits.mean(axis=0),
    )
    known["whitening"] = TRAITS * np.linalg.inv(np.linalg.cholesky(covariance)) / deviation
    known["pixels"], known["traits"] = pixels.astype("float16"), traits.astype("float32")
    own = _nearest(known, pixels, traits, itself=False)
    new = _nearest(known, *_measures(known, dataset.x_val))
    known["limit"] = np.quantile(np.concatenate([own, new]), QUANTILE).clip(1e-6)
    write_file(folder / FILE, lambda path: np.savez_compressed(path, **known))


def noted(run: Any, x: np.ndarray) -> list[dict[str, Any]]:
    """Return the `distance` of each image, and a `warning` if it is unlike the training images.

    Both are None for a run that has no limit. A run of tables has neither.

    Raises:
        RunError: The run's file is damaged.
    """
    if run.facts.inputs != "images":
        return [{} for _ in x]
    path = run.path / FILE
    if not path.is_file():
        return [{"distance": None, "warning": None} for _ in x]
    try:
        with np.load(path, allow_pickle=False) as file:
            known = dict(file)
        far = _nearest(known, *_measures(known, x, len(x))) / known["limit"]
    except DAMAGED as error:
        raise RunError(f"{path}: is damaged ({error}): without it there are no warnings") from None
    return [{"distance": float(d), "warning": UNLIKE if d > 1 else None} for d in far.round(4)]


def _measures(known: dict[str, Any], x: Any, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels and the traits of `most` images or fewer, chosen at random."""
    rows = np.sort(np.random.default_rng(0).permutation(len(x))[:most])
    step = max(1, BATCH_VALUES // int(np.prod(x.shape[1:])))
    batches = (x[rows[start : start + step]] for start in range(0, len(rows), step))
    scaled = ((batch.astype("float32") - known["low"]) * known["scale"] for batch in batches)
    pixels, traits = zip(*((_reduced(batch), _traits(batch)) for batch in scaled), strict=True)
    return np.concatenate(pixels), np.concatenate(traits)


def _reduced(x: np.ndarray) -> np.ndarray:
    n, height, width, channels = x.shape
    side = int(np.ceil(np.sqrt(x[0].size / PIXELS)))
    rows, columns = max(1, height // side), max(1, width // side)
    tall, wide = min(side, height), min(side, width)
    x = x[:, : rows * tall, : columns * wide].reshape(n, rows, tall, columns, wide, channels)
    return x.mean(axis=(2, 4)).reshape(n, -1)


def _traits(x: np.ndarray) -> np.ndarray:
    grey = x.mean(axis=3)
    edges = [np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis))) for axis in (1, 2)]
    maps = [grey, *edges, np.abs(grey * (1 - grey)), np.abs(x - grey[..., None]).mean(axis=3)]
    sizes = [f(values, axis=(1, 2)) for values in maps for f in (np.mean, np.std)]
    ends = [grey.min(axis=(1, 2)), grey.max(axis=(1, 2))]
    return np.stack([*(np.log(np.abs(size) + 0.01) for size in sizes), *ends], axis=1)


def _nearest(
    known: dict[str, Any], pixels: np.ndarray, traits: np.ndarray, *, itself: bool = True
) -> np.ndarray:
    """Return the distance to the nearest training image, `(n,)`; or to the nearest other one."""
    new, old = (
        np.hstack([a / known["spread"], (b - known["mean"]) @ known["whitening"].T])
        for a, b in ((pixels, traits), (known["pixels"].astype("float32"), known["traits"]))
    )
    squared = (new**2).sum(axis=1)[:, None] - 2 * new @ old.T + (old**2).sum(axis=1)
    if not itself:
        np.fill_diagonal(squared, np.inf)
    return np.sqrt(squared.min(axis=1).clip(0))
