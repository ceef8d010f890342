"""What a run's model answers to new inputs: arrays, image files, the rows of CSV files."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.datasets.facts import DataFacts
from dlcourse.errors import RunError
from dlcourse.schema import did_you_mean
from dlcourse.text_table import Table

if TYPE_CHECKING:
    from dlcourse.runs import Run


def read_file(run: "Run", file: str | Path, *, invert: bool = False) -> tuple[list[str], Any]:
    """Return names and inputs `(n, …)` of an image file, or of the rows of a CSV file.

    Args:
        run: Says which of the two its model takes, and how.
        file: The file.
        invert: Whether dark and light are swapped in an image.

    Raises:
        DatasetError: The file is missing, broken, or does not fit the run.
    """
    if run.facts.inputs == "images":
        from dlcourse.datasets.image_folder import read_example

        return [str(file)], read_example(file, run.facts, invert=invert)[None]
    from dlcourse.datasets.csv import encode_rows

    columns = [{"name": name, "kind": "number"} for name in run.facts.feature_names]
    encoding = run.facts.encoding or {"columns": columns, "separator": ","}
    rows = encode_rows(file, encoding)
    return [f"{file}:{row}" for row in range(1, len(rows) + 1)], rows


def files_of(named: str | Path, facts: DataFacts) -> list[Path]:
    """Return the file, or where images are taken and a folder is named, the files in it."""
    folder = Path(named).expanduser()
    if facts.inputs != "images" or not str(named) or not folder.is_dir():
        return [folder]
    return sorted(file for file in folder.iterdir() if file.name[0] != ".") or [folder]


def as_inputs(run: "Run", x: Any) -> np.ndarray:
    """Return arrays as the run's model takes them, `(n, …)`; one example alone is given an axis.

    Raises:
        RunError: Another shape, or values that no example of the run's data has.
    """
    facts, array = run.facts, np.asarray(x)
    if hasattr(x, "columns") or array.dtype.kind not in "biuf":
        columns = ", ".join(facts.feature_names[:6]) or "pixels"
        raise RunError(f"{run.path}: expected numbers ({columns}), or the name of a file")
    shape = facts.input_shape
    for grey in (array, array[..., None]) if shape[-1] == 1 else (array,):
        for found in (grey, grey[None]):
            if found.shape[1:] == shape and len(found):
                return _in_range(run, found)
    expected = ", ".join(map(str, ("n", *shape)))
    raise RunError(f"{run.path}: expected inputs of shape ({expected}), got {array.shape}")


def _in_range(run: "Run", x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise RunError(f"{run.path}: the inputs hold NaN or infinite values")
    if run.facts.inputs == "images":
        (low, high), least, most = run.facts.value_range, float(x.min()), float(x.max())
        told = f"values from {least:g} to {most:g}, the run's images from {low:g} to {high:g}"
        if least < low or most > high:
            raise RunError(f"{run.path}: the images have {told}: scale them so")
        if x.dtype.kind == "f" and 0 < most <= 1 < high:
            warnings.warn(f"the images have {told}: are they scaled?", stacklevel=4)
    return x


def as_labels(run: "Run", y: Any) -> np.ndarray:
    """Return labels or targets `(n,)` as the run counts them; class names become their numbers.

    Raises:
        RunError: An unknown class, or another shape than `(n,)`.
    """
    facts, array = run.facts, np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise RunError(f"{run.path}: expected labels of shape (n,), got {array.shape}")
    if facts.task == "regression":
        return array.astype("float32")
    classes = len(facts.class_names)
    if array.dtype.kind in "iu" and ((array >= 0) & (array < classes)).all():
        return array
    names = {name: label for label, name in enumerate(facts.class_names)}
    if unknown := [name for name in array.tolist() if str(name) not in names]:
        hint = did_you_mean(unknown[0], list(names))
        raise RunError(f"{run.path}: no class '{unknown[0]}'{hint}")
    return np.array([names[str(name)] for name in array.tolist()])


def predictions(names: list[str], outputs: np.ndarray, facts: DataFacts) -> Table:
    """Return a row per input: its class, probability and all classes', or its prediction."""
    if facts.task == "regression":
        rows = zip(names, map(float, outputs), strict=True)
        return Table(
            ({"input": name, "prediction": value} for name, value in rows),
            {"input": lambda row: row["input"], "prediction": lambda r: f"{r['prediction']:.6g}"},
        )
    found = []
    for name, row in zip(names, outputs, strict=True):
        best = int(row.argmax())
        every = dict(zip(facts.class_names, map(float, row), strict=True))
        known = {"class": facts.class_names[best], "probability": float(row[best])}
        found.append({"input": name, **known, "probabilities": every})
    return Table(
        found,
        {
            "input": lambda row: row["input"],
            "class": lambda row: row["class"],
            "probability": lambda row: f"{row['probability']:.4f}",
            "next": _next,
        },
    )


def _next(row: dict[str, Any]) -> str:
    name, probability = sorted(row["probabilities"].items(), key=lambda item: -item[1])[1]
    return f"{name} {probability:.4f}"
