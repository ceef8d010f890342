"""The user's own arrays: `x_train`, `y_train` and, each optional, `x_val` … `y_test` in a .npz."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets import dataset as record
from dlcourse.datasets.dataset import PADDING, PARTS, Dataset, as_float32
from dlcourse.datasets.paths import existing_file
from dlcourse.errors import DatasetError
from dlcourse.files import DAMAGED
from dlcourse.schema import Fraction, Range


def npz(
    seed: int = 0,
    *,
    path: str,
    task: Literal["classification", "regression"] = "classification",
    class_names: tuple[str, ...] | None = None,
    inputs: Literal["auto", "images", "sequences"] = "auto",
    value_range: Range = "auto",
    drawn: Literal["mnist", "digits"] | None = None,
    validation_fraction: Fraction = 0.1,
    test_fraction: Fraction = 0.2,
) -> Dataset:
    """Return the arrays of a file that `numpy.savez` wrote.

    Images are `(n, height, width)` or `(n, height, width, channels)`, sequences `(n, steps,
    features)`, rows `(n, features)` or `(n,)`. The steps after the end of a shorter sequence are
    NaN. Labels are integers, `(n,)` or `(n, 1)`, or one-hot rows `(n, classes)`.

    Args:
        seed: Seed of the validation split, where the file has no `x_val`.
        path: Path of the file, relative to the current folder; `~` expands.
        task: Kind of target: `classification`, or `regression` with one number per example.
        class_names: Names of the classes, one per label, in order: of 0, 1, … or, if there are
            other labels, of the smallest, the next, …; null takes the labels themselves.
        inputs: Meaning of arrays with three axes: `images`, `(n, height, width)`, or `sequences`,
            `(n, steps, features)`. With `auto`, they are images if they are bytes; or if one side
            is less than four times the other and the values are whole numbers, or reach from black
            (0, or minus white) to white (1, 16 or 255), or the sides are equal; else sequences.
        value_range: Values of black and white, such as [0, 4095]; `auto` takes 0 and the smallest
            of 1, 16 and 255 that holds the training images, and -1, -16 or -255 instead of 0 if
            some values are negative. For images only.
        drawn: Manner in which drawings were made into the images, as those of `mnist` or of
            `digits`; your own drawings are then prepared in the same way. Null for other data.
        validation_fraction: Share of the training examples set aside for validation, where there is
            no `x_val`.
        test_fraction: Share of the training examples set aside for the test, where there is no
            `x_test`.

    Raises:
        DatasetError: The file is missing, is not a .npz file, lacks an array, holds pickled
            objects, or has arrays whose shapes or types are neither images nor rows.
    """
    file = existing_file(path)
    arrays = _load(file)
    targets = _labels if task == "classification" else _targets
    kind = inputs if inputs != "auto" or (value_range == "auto" and not drawn) else "images"
    sequences = _are_sequences(arrays["x_train"], kind)
    stored = _types(arrays)
    for part in PARTS:
        if f"x_{part}" in arrays:
            arrays[f"x_{part}"] = _inputs(f"{file}: x_{part}", arrays[f"x_{part}"], sequences)
            arrays[f"y_{part}"] = targets(f"{file}: y_{part}", arrays[f"y_{part}"])
    if len(stored) == 1 < len(_types(arrays)):  # the integers of only some splits fit uint8
        arrays |= {name: as_float32(x) for name, x in arrays.items() if name[0] == "x"}
    x, y = arrays["x_train"], arrays["y_train"]
    if len(x) != len(y):
        raise DatasetError(f"{file}: x_train has {len(x)} examples but y_train {len(y)}")
    names, numbered = ((), {}) if task == "regression" else _numbered(arrays, class_names)
    arrays |= numbered
    present = [part for part in PARTS if f"x_{part}" in arrays]
    parts = {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in present}
    facts: dict[str, Any] = {"task": "regression", "target_name": "target"}
    if task == "classification":
        facts = {"task": record.task_of(names), "class_names": names}
    if x.ndim < 4:
        facts["feature_names"] = tuple(f"x{i + 1}" for i in range(x.shape[-1]))
    limits = record.image_range(parts, value_range, str(file))
    facts |= {"value_range": limits, "drawn": drawn or ""}
    return record.dataset_of(file.stem, parts, seed, (validation_fraction, test_fraction), **facts)


def _types(arrays: dict[str, Any]) -> set[np.dtype]:
    return {x.dtype for name, x in arrays.items() if name[0] == "x"}


def _load(path: Path) -> dict[str, Any]:
    try:
        # Opened here: np.load leaves a broken archive open.
        with path.open("rb") as stream:
            file: Any = np.load(stream, allow_pickle=False)
            names = getattr(file, "files", None)  # a single array has no names
            wanted = [f"{axis}_{part}" for part in PARTS for axis in "xy"]
            arrays = {name: file[name] for name in wanted if name in (names or ())}
    except DAMAGED as error:
        if "pickle" in str(error):
            reason = f"{path}: not a .npz file of numbers (pickled objects are not loaded: they "
            reason += "can run code): save plain number arrays with numpy.savez"
            raise DatasetError(reason) from None
        raise DatasetError(f"{path}: cannot be read as a .npz file ({error})") from None
    if names is None:
        raise DatasetError(f"{path}: holds one array: save x_train and y_train with numpy.savez")
    needed = ("train", *dict.fromkeys(name[2:] for name in arrays))
    every = (f"{axis}_{part}" for part in needed for axis in "xy")
    if missing := [name for name in every if name not in arrays]:
        reason = f"{path}: no array '{missing[0]}' (it has {', '.join(names) or 'none'}): save it "
        reason += "with numpy.savez(file, x_train=…, y_train=…)"
        raise DatasetError(reason)
    return arrays


def _are_sequences(x: np.ndarray, inputs: str) -> bool:
    """Whether an array with three axes holds sequences; see `npz`."""
    if x.ndim != 3 or inputs != "auto" or x.dtype == "uint8" or x.dtype.kind not in "uif":
        return x.ndim == 3 and inputs == "sequences"
    short, long = sorted(x.shape[1:])
    ends = record.value_range(x)
    high, near = record.white(*ends), record.NEAR * record.white(*ends)
    reach = abs(ends[1] - high) <= near and min(abs(ends[0]), abs(ends[0] + high)) <= near
    whole = x.dtype.kind in "ui" or (x == np.floor(x)).all()
    return bool(long >= 4 * short or (short < long and not (whole or reach)) or np.isnan(x).any())


def _inputs(where: str, x: np.ndarray, sequences: bool = False) -> np.ndarray:
    if x.dtype.kind not in "buif":
        cure = "; texts come in a table (dataset.text)" * (x.dtype.kind == "U")
        raise DatasetError(f"{where} has type {x.dtype}: numbers are expected{cure}")
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim not in (2, 3, 4):
        reason = f"{where} has shape {x.shape}: images (n, height, width[, channels]), sequences "
        reason += "(n, steps, features) or rows (n, features) are expected"
        raise DatasetError(reason)
    if sequences:
        if x.ndim != 3:
            raise DatasetError(f"{where} has shape {x.shape}: (n, steps, features) is expected")
        return padded(where, as_float32(x))
    if x.ndim == 2:
        return as_float32(x)
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] > 4:
        reason = f"{where} has shape {x.shape}, channels first: store numpy.moveaxis(x, 1, -1)"
        raise DatasetError(reason)
    x = x[..., None] if x.ndim == 3 else x
    if x.dtype.kind in "bui" and x.size and x.min() >= 0 and x.max() <= 255:
        return x.astype("uint8", copy=False)
    return as_float32(x)


def padded(where: str, x: np.ndarray) -> np.ndarray:
    """Return sequences `(n, steps, features)` with `PADDING` in place of the NaN after their end.

    Raises:
        DatasetError: A sequence has no step, or NaN or infinite values before its end.
    """
    ended = np.logical_and.accumulate(np.isnan(x[:, ::-1]).all(axis=2), axis=1)[:, ::-1]
    gaps = ~(ended | np.isfinite(x).all(axis=2))
    if (faulty := (gaps | ended[:, :1]).any(axis=1)).any():
        reason = "NaN is for the steps after the end alone: fill such gaps"
        raise DatasetError(
            f"{where}: example {int(faulty.argmax())} has NaN or inf before its end: {reason}"
        )
    return np.where(ended[..., None], np.float32(PADDING), x) if ended.any() else x


def _targets(where: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "buif" or y.size != len(y):
        raise DatasetError(
            f"{where} has type {y.dtype} and shape {y.shape}: one number per example is expected"
        )
    return as_float32(y.reshape(-1))


def _labels(where: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "buif":
        raise DatasetError(
            f"{where} has type {y.dtype}: give integer labels, and their names as 'class_names'"
        )
    if y.ndim == 2 and y.shape[1] > 1:
        if not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
            raise DatasetError(f"{where} has shape {y.shape} but its rows are not one-hot")
        return y.argmax(axis=1)
    if y.ndim == 0 or y.size != len(y):
        raise DatasetError(f"{where} has shape {y.shape}: (n,) or (n, classes) is expected")
    y = y.reshape(-1)
    whole = np.isfinite(y) & (y == np.floor(y)) & (abs(y) < 2**53)
    if not whole.all():
        reason = f"{where} has labels that are not integers, such as {y[~whole][0]}: is the task "
        reason += "'regression'?"
        raise DatasetError(reason)
    return y.astype("int64")


def _numbered(
    arrays: dict[str, Any], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of the classes, and the labels from 0 by the names of their arrays."""
    keys = [f"y_{part}" for part in PARTS if f"y_{part}" in arrays]
    every = np.concatenate([arrays[key] for key in keys])
    values, labels = np.unique(every, return_inverse=True)
    if names and len(names) != len(values):
        return names, {}  # `check` names a label that is none of 0, 1, …
    parts = np.split(labels, np.cumsum([len(arrays[key]) for key in keys[:-1]]))
    return names or tuple(map(str, values.tolist())), dict(zip(keys, parts, strict=True))
