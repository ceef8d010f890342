"""Data given in Python, as a file that a recipe can name: arrays (x, y), or a pandas DataFrame."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import are_classes
from dlcourse.errors import RecipeError

MOST_BYTES = 200 << 20  # that a run keeps


def is_given(data: Any) -> bool:
    """Return whether `data` are arrays or a DataFrame, not a recipe."""
    arrays = isinstance(data, list | tuple | np.ndarray)
    return arrays or (hasattr(data, "to_csv") and hasattr(data, "columns"))


def stored(data: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings `dataset` of a recipe for data, which is written to a temporary file.

    Args:
        data: Arrays `(x, y)`, or a DataFrame.
        settings: Further settings of the data set, such as a DataFrame's `target`.

    Raises:
        RecipeError: The data is neither, or takes more than `MOST_BYTES`.
    """
    if hasattr(data, "to_csv"):
        _refuse_large(int(data.memory_usage(index=False).sum()))
        file = Path(tempfile.mkdtemp(dir=_folder())) / "table.csv"
        data.to_csv(file, index=False)
        _refuse_large(file.stat().st_size)
        plain = {"separator": ",", "encoding": "utf-8", "header": True}
        return {"name": "csv", "path": str(file), **plain, **settings}
    if not isinstance(data, list | tuple) or len(data) != 2 or len(data[0]) != len(data[1]):
        reason = "arrays (x, y) of the same length, or a DataFrame and its target, are expected"
        raise RecipeError(f"{reason}: dl.fit((x, y), model='dnn')")
    try:
        x, y = map(np.asarray, data)
    except ValueError:
        raise RecipeError("(x, y): each must be one array, without gaps or text in x") from None
    _refuse_large(x.nbytes + y.nbytes)
    y, facts = _labels(y, settings.get("task"))
    file = Path(tempfile.mkdtemp(dir=_folder())) / "arrays.npz"
    np.savez(file, x_train=x, y_train=y)
    return {"name": "npz", "path": str(file), **facts, **settings}


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
        raise RecipeError(
            f"the data takes {size >> 20} MiB, more than the {MOST_BYTES >> 20} MiB that a run "
            "keeps: save it with numpy.savez or to_csv, and give its name: dataset={'name': 'npz', "
            "'path': …}"
        )


def keep(path: str, folder: Path) -> str | None:
    """Return the path in a run's folder of a copy of a file that `stored` wrote, or None."""
    from dlcourse.files import write_file

    if _folder.cache_info().currsize == 0 or not Path(path).is_relative_to(_folder()):
        return None
    kept = folder / Path(path).name
    write_file(kept, lambda temporary: shutil.copyfile(path, temporary))
    return str(kept)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dlcourse-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
