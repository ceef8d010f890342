"""Predictions of a run's model for new inputs (arrays, images, CSV files), and its metrics."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.given import stored
from dlcourse.errors import DatasetError, RunError
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, evaluation, read_run
from dlcourse.schema import did_you_mean
from dlcourse.text_table import Table

NAMED = 3  # number of skipped files that a warning names


def evaluate(
    run: Run | str | Path, data: "Dataset | tuple[Any, Any] | None" = None
) -> dict[str, Any]:
    """Return the metrics of a run's model by split; for `(x, y)` those of this data alone.

    Classification: `loss` (cross-entropy) and `accuracy`; regression: `loss` (mean squared error),
    `mae` (in the target's unit) and `r2`.

    Args:
        run: Finished run, or its folder.
        data: None for the run's own data; another `Dataset` with the same classes; or inputs
            `(n, …)` as the data set gives them, with `y` `(n,)`. Whole numbers in `y` are the data
            set's own labels, the positions of the classes from 0; text gives names of classes.

    Raises:
        RunError: The run is not finished, or the data does not fit it.
        DatasetError: The run's data is missing or broken.
    """
    run = read_run(run)
    run.file("model.keras")
    import_keras()
    if isinstance(data, tuple | list) and len(data) == 2:
        x, y = as_inputs(run, data[0]), as_labels(run, data[1])
        if len(x) != len(y):
            raise RunError(f"{run.path}: got {len(x)} inputs, but {len(y)} labels")
        return evaluation.measures(run.facts.task, y, evaluation.outputs(run.model, x))
    dataset = run.load_dataset() if data is None else data
    if not isinstance(dataset, Dataset):
        hint = ": the labels y are needed, too" if hasattr(data, "shape") else ""
        raise RunError(f"data: expected a Dataset or (x, y), got {type(data).__name__}{hint}")
    evaluation.check_fit(run, dataset)
    return evaluation.evaluate(run.model, dataset)[0]


def predict(run: Run | str | Path, inputs: Any) -> Table:
    """Return one row per input: its class and probability or, for a regression, its prediction.

    The rows are dictionaries (`class`, `probability`, `probabilities`; or `prediction`); printed,
    they form a table.

    Args:
        run: Finished run, or its folder.
        inputs: Array `(n, …)` of examples as the data set gives them, or one example; or a file, a
            folder, or a list of these: images, or CSV files (or a DataFrame) for a table. In a
            folder and its subfolders, files that are not readable images are skipped with a
            warning; so is a row with an unknown category.

    Raises:
        RunError: The run is not finished, or the inputs do not fit it.
        DatasetError: A file is missing, broken, or does not fit the run.
    """
    run = read_run(run)
    run.file("model.keras")
    inputs = stored(inputs, {})["path"] if hasattr(inputs, "to_csv") else inputs
    files = [inputs] if isinstance(inputs, str | Path) else inputs
    if isinstance(files, list | tuple) and all(isinstance(file, str | Path) for file in files):
        return predictions(run, _read_files(run, files))
    x = as_inputs(run, inputs)
    return predictions(run, [([str(number) for number in range(len(x))], x)])


def _read_files(run: Run, files: Sequence[str | Path]) -> list[tuple[list[str], np.ndarray]]:
    """Return names and inputs `(n, …)`; unreadable files in a folder are skipped with a warning."""
    read, skipped = [], []
    for named in files:
        for file in files_of(named, run.facts):
            try:
                read.append(read_file(run, file))
            except DatasetError as error:
                if file == Path(named).expanduser():
                    raise
                skipped.append(error)
    if not read:
        raise skipped[0] if skipped else RunError("inputs: expected a file or more, got none")
    if skipped:
        reasons = "; ".join(map(str, skipped[:NAMED])) + ("; …" if len(skipped) > NAMED else "")
        warnings.warn(f"skipped {len(skipped)} unreadable files: {reasons}", stacklevel=3)
    return read


def read_file(run: Run, file: str | Path, *, invert: bool = False) -> tuple[list[str], Any]:
    """Return names and inputs `(n, …)` of an image file, or of the rows of a CSV file.

    Args:
        run: Run, whose model takes one of the two.
        file: Path of the file.
        invert: Whether to swap dark and light in an image.

    Raises:
        DatasetError: The file is missing, broken, or does not fit the run.
    """
    if run.facts.inputs == "images":
        from dlcourse.datasets.image_folder import read_example

        return [str(file)], read_example(file, run.facts, invert=invert)[None]
    from dlcourse.datasets.csv import encode_rows

    columns = [{"name": name, "kind": "number"} for name in run.facts.feature_names]
    encoding = run.facts.encoding or {"columns": columns, "separator": ","}
    return encode_rows(file, encoding)


def files_of(named: str | Path, facts: DataFacts) -> list[Path]:
    """Return the file, or all files of a folder and its subfolders if the run takes images."""
    folder = Path(named).expanduser()
    if facts.inputs != "images" or not str(named) or not folder.is_dir():
        return [folder]
    files = [file for file in folder.rglob("*") if file.is_file()]
    shown = [file for file in files if "/." not in f"/{file.relative_to(folder).as_posix()}"]
    return sorted(shown) or [folder]


def as_inputs(run: Run, x: Any) -> np.ndarray:
    """Return the inputs as an array `(n, …)` for the run's model; one example gets an axis.

    Raises:
        RunError: The shape is wrong, or values are outside the range of the run's data.
    """
    facts, array = run.facts, _array(run, x)
    if hasattr(x, "columns") or array.dtype.kind not in "biuf":
        columns = ", ".join(facts.feature_names[:6]) or "pixels"
        raise RunError(f"{run.path}: expected an array of numbers ({columns}), or a file name")
    if not array.size:
        raise RunError(f"{run.path}: expected one input or more, got the shape {array.shape}")
    if array.dtype.kind == "b":
        array = array.astype("float32")
    shape = facts.input_shape
    for grey in (array, array[..., None]) if shape[-1] == 1 else (array,):
        for batch in (grey, grey[None]):
            if batch.shape[1:] == shape:
                return _in_range(run, batch)
    expected = ", ".join(map(str, ("n", *shape)))
    raise RunError(f"{run.path}: expected inputs of shape ({expected}), got {array.shape}")


def _array(run: Run, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError):
        reason = "expected one array (n, …), got values of different shape or type"
        raise RunError(f"{run.path}: {reason}") from None


def _in_range(run: Run, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise RunError(f"{run.path}: the inputs contain NaN or infinite values")
    if run.facts.inputs == "images":
        (low, high), least, most = run.facts.value_range, float(x.min()), float(x.max())
        ranges = f"values from {least:g} to {most:g}, the run's images from {low:g} to {high:g}"
        if least < low or most > high:
            raise RunError(f"{run.path}: the images have {ranges}: scale them")
        if x.dtype.kind == "f" and 0 < most <= 1 < high:
            warnings.warn(f"the images have {ranges}: are they scaled?", stacklevel=4)
    return x


def as_labels(run: Run, y: Any) -> np.ndarray:
    """Return labels or targets `(n,)` in the run's encoding; class names become labels.

    Raises:
        RunError: A class is unknown, a target is not a finite number, or the shape is not `(n,)`.
    """
    facts, array = run.facts, _array(run, y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        one_hot = array.ndim == 2 and array.shape[1] == len(facts.class_names)
        cure = ": y.argmax(axis=1) gives them" if one_hot else ""
        raise RunError(f"{run.path}: expected labels of shape (n,), got {array.shape}{cure}")
    array = _array(run, array.tolist())  # with the type of its values
    if facts.task == "regression":
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise RunError(f"{run.path}: expected finite numbers as targets, no gaps or text")
        return array.astype("float32")
    names = {name: label for label, name in enumerate(facts.class_names)}
    if array.dtype.kind in "UO":
        if unknown := [name for name in array.tolist() if name not in names]:
            hint = did_you_mean(unknown[0], list(names))
            raise RunError(f"{run.path}: no class {unknown[0]!r}{hint}")
        return np.array([names[name] for name in array.tolist()])
    boolean = array.dtype.kind == "b" and facts.task != "binary"
    known = np.isin(array, [] if boolean else range(len(names)))
    if not known.all():
        cure = (
            ": y.astype(str) gives these" if names.keys() >= set(map(str, array.tolist())) else ""
        )
        raise RunError(
            f"{run.path}: no class '{array[~known][0]}': numbers are the positions of the classes, "
            f"0 to {len(names) - 1}; class names are text{cure}"
        )
    return array.astype("int64")


def predictions(run: Run, read: Sequence[tuple[list[str], np.ndarray]]) -> Table:
    """Return one row per input: class, probability, all probabilities; or the prediction.

    Args:
        run: Finished run.
        read: Parts of the inputs `(n, …)`, each with the names of its inputs.
    """
    import_keras()
    facts, names = run.facts, [name for part, _ in read for name in part]
    outputs = evaluation.outputs(run.model, np.concatenate([x for _, x in read]))
    if facts.task == "regression":
        rows = zip(names, map(float, outputs), strict=True)
        return Table(
            ({"input": name, "prediction": value} for name, value in rows),
            {"input": lambda row: row["input"], "prediction": lambda r: f"{r['prediction']:.6g}"},
        )
    rows = []
    for name, row in zip(names, outputs, strict=True):
        best = int(row.argmax())
        every = dict(zip(facts.class_names, map(float, row), strict=True))
        known = {"class": facts.class_names[best], "probability": float(row[best])}
        rows.append({"input": name, **known, "probabilities": every})
    return Table(
        rows,
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
