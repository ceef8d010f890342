"""Data given in Python, as a file that a recipe can name: arrays (x, y), or a pandas DataFrame."""

import atexit
import csv
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.columns import are_classes
from dlcourse.datasets.table import records
from dlcourse.errors import GIVEN, DatasetError, RecipeError
from dlcourse.heavy import pd

MOST_BYTES = 200 << 20  # that a run keeps


def is_given(data: Any) -> bool:
    """Return whether `data` are arrays or of pandas, not a recipe."""
    return isinstance(data, list | tuple | np.ndarray) or hasattr(data, "to_csv")


def stored(data: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings `dataset` of a recipe for data, which is written to a temporary file.

    An index of a DataFrame is a column if it has a name.

    Args:
        data: Arrays `(x, y)`, or a DataFrame.
        settings: Further settings of the data set, such as a DataFrame's `target`.

    Raises:
        RecipeError: The data is neither, takes more than `MOST_BYTES`, or lacks a label.
    """
    if hasattr(data, "columns"):
        if any(name is not None for name in data.index.names):
            data = data.reset_index(allow_duplicates=True)
        _refuse_large(int(data.memory_usage(index=False).sum()))
        file = _file("table.csv", "the DataFrame as CSV")
        data.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC)  # also a lone \r
        _refuse_large(file.stat().st_size)
        plain = {"separator": ",", "encoding": "utf-8", "header": True}
        return {"name": "csv", "path": str(file), **plain, **settings}
    if isinstance(data, list | tuple) and len(data) == 2 and isinstance(data[0], list | tuple):
        data = one_array(data[0]), data[1]
    pair = data if isinstance(data, list | tuple) and len(data) == 2 else (0, 0)
    if any(map(np.ma.is_masked, pair)):
        raise RecipeError("(x, y): values are masked: fill them, or drop their rows")
    try:
        x, y = map(np.asarray, pair)
        x = x.astype(float) if x.ndim and x.dtype.kind == "O" else x
    except (TypeError, ValueError):
        reason = "each must be one array (x also a list of arrays (steps, features)), without gaps"
        raise RecipeError(f"(x, y): {reason} or text in x") from None
    if not x.ndim or not y.ndim or len(x) != len(y):
        reason = "arrays (x, y) of the same length, or a DataFrame and its target, are expected"
        cure = ", x.toarray() for a sparse x" * hasattr(pair[0], "toarray")
        raise RecipeError(f"{reason}: dl.fit((x, y), model='dnn'){cure}")
    y = _known(y)
    _refuse_large(x.nbytes + y.nbytes)
    y, facts = _labels(y, settings.get("task"))
    file = _file("arrays.npz", "the arrays (x, y)")
    np.savez(file, x_train=x, y_train=y)
    return {"name": "npz", "path": str(file), **facts, **settings}


def read_frame(frame: Any, read: Callable[[Path], tuple[list[str], Any, Any]]) -> Any:
    """Return what `read` returns of a DataFrame's CSV file, with labels of the index as names.

    Args:
        frame: DataFrame.
        read: Function that returns `file:line` of each row of a file, its inputs and more.

    Raises:
        DatasetError: The frame is a Series.
    """
    if not hasattr(frame, "columns"):
        raise DatasetError("a Series is not a table: give a row as frame.iloc[[0]]")
    # One more column, so that a row without any value stays a row; without a name it is left out.
    file = Path(stored(frame.assign(**{"": 1}), {})["path"])
    names, *others = read(file)
    lines = [line for line, _ in records(file, file.read_bytes(), ",")]
    labels = dict(zip(lines[1:], map(str, frame.index), strict=True))
    return [labels[int(name.rpartition(":")[2])] for name in names], *others


def one_array(x: Any) -> Any:
    """Return sequences of different lengths as one array, with NaN after their ends."""
    arrays = [each for each in x if getattr(each, "ndim", 0) == 2]
    shapes = {np.shape(each) for each in arrays}
    if len(arrays) < len(x) or len(shapes) < 2 or len({features for _, features in shapes}) > 1:
        return x
    longest = max(steps for steps, _ in shapes)
    ends = [((0, longest - len(each)), (0, 0)) for each in arrays]
    both = zip(arrays, ends, strict=True)
    return np.array([np.pad(np.asarray(a, float), end, constant_values=np.nan) for a, end in both])


def _known(y: np.ndarray) -> np.ndarray:
    """Return labels or targets, with bytes as text; refuse missing ones, as empty text is."""
    y = np.vectorize(_text, otypes="O")(y) if y.dtype.kind in "SUO" else y
    for place in np.argwhere(pd.isna(y))[:1].tolist():
        raise RecipeError(f"(x, y): y{place} is missing: fill it, or drop such rows from x and y")
    return np.array(y.tolist()) if y.dtype.kind == "O" else y


def _text(cell: Any) -> Any:
    cell = cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else cell
    return cell or None if isinstance(cell, str) else cell


def _labels(y: np.ndarray, task: str | None) -> tuple[np.ndarray, dict[str, Any]]:
    """Return labels from 0 and the names of their classes, or targets; and the task."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if task == "regression" or y.ndim != 1:
        return y, {}
    names, labels = np.unique(y.astype(str) if y.dtype.kind == "O" else y, return_inverse=True)
    if names.dtype.kind in "iuf" and task is None and not are_classes(names):
        return y, {"task": "regression"}
    texts = [f"{name:.15g}" if names.dtype.kind == "f" else str(name) for name in names.tolist()]
    return labels, {"task": "classification", "class_names": texts}


def _refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        sizes = f"{size >> 20} MiB, more than the {MOST_BYTES >> 20} MiB that a run keeps"
        cure = "save it with numpy.savez or to_csv: dataset={'name': 'npz', 'path': …}"
        raise RecipeError(f"the data takes {sizes}: {cure}")


def keep(path: str, folder: Path) -> str | None:
    """Return the path in a run's folder of a copy of a file that `stored` wrote, or None."""
    from dlcourse.files import write_file

    if path not in GIVEN:
        return None
    kept = folder / Path(path).name
    write_file(kept, lambda temporary: shutil.copyfile(path, temporary))
    return str(kept)


def _file(name: str, called: str) -> Path:
    """Return a new temporary file, and let errors call it what it was given as."""
    folder = Path(tempfile.mkdtemp(prefix="dlcourse-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    GIVEN[str(folder / name)] = called
    return folder / name
