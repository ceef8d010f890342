"""Predictions of a run's model for new inputs (arrays, images, CSV files), and its metrics."""

import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset, fingerprint
from dlcourse.datasets.csv import labelled_rows
from dlcourse.datasets.dataset import PADDING, as_float32, before_end
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.given import one_array, read_frame, stored
from dlcourse.datasets.npz import padded
from dlcourse.datasets.paths import existing_file, existing_folder
from dlcourse.datasets.series import every_window, series
from dlcourse.datasets.text import encode_texts, fault_of, file_dataset, read_text
from dlcourse.errors import DatasetError, RunError
from dlcourse.files import DAMAGED
from dlcourse.models.layers import masks
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, evaluation, measured, read_run
from dlcourse.runs.likeness import noted
from dlcourse.schema import did_you_mean
from dlcourse.text_table import Table

Read = tuple[list[str], np.ndarray, list[dict[str, Any]]]  # names, inputs, more of each row
INPUTS = ("x", "x_train", "x_val", "x_test")  # arrays in a file
FILE_NAME = re.compile(r"(?i)\S+\.(txt|csv|tsv|xlsx|gz|zip)|[./~]\S*/\S*")  # not a text
SHOWN = 60  # characters of a text that name it
NAMED = 3  # number of skipped files that a warning names


def evaluate(
    run: Run | str | Path, data: "Dataset | tuple[Any, Any] | str | Path | None" = None
) -> dict[str, Any]:
    """Return the metrics of a run's model by split; for `(x, y)` those of this data alone.

    Other data is measured whole, as `new`. If some of its examples are the run's own, these are
    measured as `train`, `val` and `test`, and the whole as `all`; so is the run's own file after
    it has grown.

    Classification: `loss` (cross-entropy), `accuracy` and `majority`, the share of the largest
    class; regression: `loss` (mean squared error, in units of the training targets' variance),
    `mae` (in the target's unit) and `r2`.

    Args:
        run: Finished run, or its folder.
        data: None for the run's own data; a table (file or DataFrame) with the target, in any
            order of columns; an npz file; a folder with a folder of images per class; another
            `Dataset`; or inputs `(n, …)` as the data set gives them, with `y` `(n,)`: text names
            the classes. Whole numbers are classes or their positions from 0; numbers that may be
            either are refused.

    Raises:
        RunError: The run is not finished, or the data does not fit it.
        DatasetError: The run's data is missing or broken.
    """
    run = read_run(run)
    run.refuse_untrained()
    import_keras()
    if isinstance(data, tuple | list) and len(data) == 2:
        x, y = _pair(run, *data)
        outputs, unit = evaluation.outputs(run.model, x), evaluation.loss_unit(run.model)
        return evaluation.measures(run.facts.task, y, outputs, unit)
    found = measured.own_answers(run) if data is None else answers_for(run, data)
    task, unit = run.facts.task, evaluation.loss_unit(run.model)
    return {part: evaluation.measures(task, *pair, unit) for part, pair in found.items()}


def answers_for(run: Run, data: Any) -> measured.Answers:
    """Return the labels or targets and the outputs of other data; see `measured.answers`.

    Args:
        run: Finished run.
        data: `Dataset`, DataFrame, or path of a table, of an npz file, or of a folder with a folder
            of images or texts per class.

    Raises:
        RunError, DatasetError: See `evaluate`.
    """
    facts, file = run.facts, str(data)
    if isinstance(data, Dataset):
        if fingerprint(data) == facts.fingerprint:
            return measured.split_answers(run, data)
        parts = measured.examples_of(run, data)
    elif hasattr(data, "to_csv"):
        _refuse_frame(run)
        if "series" in facts.encoding:
            return answers_for(run, stored(data, {})["path"])
        parts = [read_frame(data, lambda file: labelled_rows(file, facts))[1:]]
    elif not isinstance(data, str | Path):
        hint = ": the labels y are needed, too" if hasattr(data, "shape") else ""
        expected = "a Dataset, a DataFrame, (x, y) or a file"
        raise RunError(f"data: expected {expected}, got {type(data).__name__}{hint}")
    elif Path(file).suffix == ".npz":
        parts = _labelled_arrays(run, existing_file(file))
    elif facts.task == "next_token":
        parts = [file_dataset(file, facts.encoding["columns"][0], (0.0, 0.0)).splits["train"]]
    elif "series" in facts.encoding:
        parts = [series(None, path=file, **facts.encoding["series"]).splits["train"]]
    elif facts.inputs == "rows" or (facts.encoding.get("target") and not Path(file).is_dir()):
        parts = [labelled_rows(file, facts)[1:]]
    else:
        parts = _labelled_images(run, file)
    return measured.answers(run, parts)


def _labelled_images(run: Run, path: str) -> list[measured.Examples]:
    """Return the files in folders that are named after classes, read as for `predict`."""
    root, names, parts = existing_folder(path), run.facts.class_names, []
    named = [at for at in sorted(root.rglob("*")) if at.is_dir() and at.name in names]
    for folder in named or [root] * (root.name in names):
        if not {*folder.relative_to(root).parts[:-1]} & {*names}:
            x = np.concatenate([x for _, x, _ in _read_files(run, [folder], as_is=False)])
            parts.append((x, np.full(len(x), names.index(folder.name))))
    if not parts:
        expected = ", ".join(names[:6])
        raise DatasetError(f"{path}: no folder in it is named after a class ({expected})")
    others = {file.parent.name for file in files_of(root, run.facts)} - {*names}
    if others:
        listed = ", ".join(sorted(others)[:NAMED])
        warnings.warn(
            f"{path}: folders that are not of a class are left out: {listed}", stacklevel=4
        )
    return parts


def predict(run: Run | str | Path, inputs: Any, *, as_is: bool = False) -> Table:
    """Return one row per input: its class and probability or, for a regression, its prediction.

    The rows are dictionaries (`class`, `probability`, `probabilities`; or `prediction`); printed,
    they form a table. Images also have a `distance` to the training images, and a `warning` where
    it is above 1. Drawn digits are found on a picture, one row each, and prepared as the data set's
    own were; `prepared` names the file that shows one as the model takes it.

    Args:
        run: Finished run, or its folder.
        inputs: Texts, for a run on text: strings that are neither names of files nor end like one.
            Array `(n, …)` of examples as the data set gives them, or one example; or a file, a
            folder, or a list of these: images, CSV files (or a DataFrame) for a table, or npz files
            with arrays `x`, `x_train`, …. In a folder and its subfolders, files that are not
            readable images are skipped with a warning; so is a row with an unknown category.
        as_is: Whether to read a whole picture as it is, without looking for drawn digits.

    Raises:
        RunError: The run is not finished, or the inputs do not fit it.
        DatasetError: A file is missing, broken, or does not fit the run.
    """
    run = read_run(run)
    run.refuse_untrained()
    if texts := _given_texts(run, inputs):
        return predictions(run, [read_texts(run, texts)])
    if hasattr(inputs, "to_csv"):
        _refuse_frame(run)
        return predictions(run, [read_frame(inputs, partial(read_file, run))])
    files = [inputs] if isinstance(inputs, str | Path) else inputs
    if isinstance(files, list | tuple) and all(isinstance(file, str | Path) for file in files):
        return predictions(run, _read_files(run, files, as_is))
    x = as_inputs(run, inputs)
    return predictions(run, [([str(number) for number in range(len(x))], x, [{}] * len(x))])


def _refuse_frame(run: Run) -> None:
    """Raise a RunError if the run takes no tables."""
    if run.facts.inputs != "rows" and not {"target", "series"} & run.facts.encoding.keys():
        raise RunError(f"{run.path}: takes {run.facts.inputs}, not a DataFrame")


def _read_files(run: Run, files: Sequence[str | Path], as_is: bool) -> list[Read]:
    """Return names and inputs `(n, …)`; unreadable files in a folder are skipped with a warning."""
    read, skipped = [], []
    for named in files:
        for file in files_of(named, run.facts):
            try:
                read.append(read_file(run, file, as_is=as_is))
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


def read_file(run: Run, file: str | Path, *, as_is: bool = False, invert: bool = False) -> Read:
    """Return names, inputs `(n, …)` and more of an image, the rows of a table, or arrays.

    Args:
        run: Run, whose model takes one of the two.
        file: Path of the file.
        as_is: Whether to read a whole picture as it is.
        invert: Whether to swap dark and light in an image, which is then read as it is.

    Raises:
        DatasetError: The file is missing, broken, or does not fit the run.
    """
    if Path(file).suffix in (".npz", ".npy"):
        return _read_arrays(run, existing_file(file))
    if run.facts.inputs == "images":
        from dlcourse.datasets.drawings import read_pictures

        return read_pictures(file, run.facts, run.path / "prepared", as_is=as_is, invert=invert)
    if run.facts.inputs == "text" and not (run.facts.encoding.get("target") and _is_table(file)):
        text = read_text(existing_file(file))
        if run.facts.task == "next_token":
            return read_texts(run, text.splitlines())
        if Path(file).suffix.lower() in (".csv", ".tsv"):
            raise DatasetError(f"{file}: is a table, not one text: give its texts as a list")
        return read_texts(run, [text], str(file))
    from dlcourse.datasets.csv import encode_rows, encoding_of

    read = every_window if "series" in run.facts.encoding else encode_rows
    names, rows = read(file, encoding_of(run.facts))
    is_text = run.facts.inputs == "text"
    return names, rows, [{"warning": _unlike(row)} if is_text else {} for row in rows]


def _unlike(row: np.ndarray) -> str | None:
    return "no token of it is known" if row.max() == 1 else None


def _is_table(file: str | Path) -> bool:
    return Path(file).suffix.lower() != ".txt"


def _given_texts(run: Run, inputs: Any) -> list[str]:
    """Return the texts among what `predict` was given; none if it is files."""
    texts = [inputs] if isinstance(inputs, str) else getattr(inputs, "tolist", lambda: inputs)()
    if run.facts.inputs != "text" or not isinstance(texts, list | tuple):
        return []
    files = (not isinstance(text, str) or FILE_NAME.fullmatch(text) for text in texts)
    return [] if any(files) else [*texts]


def read_texts(run: Run, texts: Sequence[str], name: str = "") -> Read:
    """Return names, inputs `(n, steps)` and warnings of texts.

    Args:
        run: Run on text.
        texts: Texts.
        name: Name of the only text; otherwise each is named after its beginning.

    Raises:
        RunError: The run does not take texts.
        DatasetError: A text is empty or too long.
    """
    if run.facts.inputs != "text":
        raise RunError(f"{run.path}: takes {run.facts.inputs}, not text")
    known = run.facts.encoding["columns"][0]
    for text in texts:
        if fault := fault_of(text) if text or run.facts.task != "next_token" else "":
            raise DatasetError(f"the text '{text[:SHOWN]}' {fault}")
    x = encode_texts(texts, known)
    names = [name or (text if len(text) <= SHOWN else f"{text[:SHOWN]}…") for text in texts]
    unlike = [*map(_unlike, x)]
    if run.facts.task == "next_token":  # of the step after the text
        cut = f"only its first {x.shape[1] - 1} characters are read"
        unlike = [cut if row.all() else warning for row, warning in zip(x, unlike, strict=True)]
    return names, x, [{"warning": warning} for warning in unlike]


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name, with the inputs `x`, `x_train`, … or the only array."""
    try:
        with file.open("rb") as stream:
            held: Any = np.load(stream, allow_pickle=False)
            arrays = {"": held} if isinstance(held, np.ndarray) else dict(held)
    except DAMAGED as error:
        raise DatasetError(f"{file}: cannot be read as arrays ({error})") from None
    if not {*arrays} & {*INPUTS} and len(arrays) != 1:
        listed = ", ".join(arrays) or "none"
        raise DatasetError(f"{file}: no array of inputs, such as 'x' or 'x_test' (it has {listed})")
    return arrays


def _labelled_arrays(run: Run, file: Path) -> list[measured.Examples]:
    """Return the inputs in a file of arrays, each with its labels: `x_test` and `y_test`."""
    arrays, parts = _arrays(file), []
    for name in [name for name in INPUTS if name in arrays]:
        if (labels := f"y{name[1:]}") not in arrays:
            raise DatasetError(f"{file}: no array '{labels}' with the answers for '{name}'")
        parts.append(_pair(run, arrays[name], arrays[labels]))
    if not parts:
        raise DatasetError(f"{file}: no array of inputs, such as 'x' or 'x_test'")
    return parts


def _pair(run: Run, x: Any, y: Any) -> measured.Examples:
    """Return inputs and labels or targets for the run's model."""
    x, y = as_inputs(run, x), as_labels(run, y)
    if len(x) != len(y):
        raise RunError(f"{run.path}: got {len(x)} inputs, but {len(y)} labels")
    return x, y


def _read_arrays(run: Run, file: Path) -> Read:
    """Return names and inputs of the arrays of a file."""
    arrays = _arrays(file)
    chosen = {name: x for name, x in arrays.items() if name in INPUTS or len(arrays) == 1}
    inputs = {name: as_inputs(run, x) for name, x in chosen.items()}
    names = [f"{file}: {name}[{k}]" for name, x in inputs.items() for k in range(len(x))]
    return names, np.concatenate([*inputs.values()]), [{"prepared": None}] * len(names)


def files_of(named: str | Path, facts: DataFacts) -> list[Path]:
    """Return the file, or all files of a folder and its subfolders for images and text."""
    folder = Path(named).expanduser()
    if facts.inputs not in ("images", "text") or not str(named) or not folder.is_dir():
        return [folder]
    files = [file for file in folder.rglob("*") if file.is_file()]
    shown = [file for file in files if "/." not in f"/{file.relative_to(folder).as_posix()}"]
    return sorted(shown) or [folder]


def as_inputs(run: Run, x: Any) -> np.ndarray:
    """Return the inputs as an array `(n, …)` for the run's model; one example gets an axis.

    Raises:
        RunError: The shape is wrong, or values are outside the range of the run's data.
    """
    if texts := _given_texts(run, x):
        return read_texts(run, texts)[1]
    facts, array = run.facts, _array(run, one_array(x) if isinstance(x, list | tuple) else x)
    if hasattr(x, "columns") or array.dtype.kind not in "biuf":
        columns = ", ".join(facts.feature_names[:6]) or f"of {facts.inputs}"
        raise RunError(f"{run.path}: expected an array of numbers ({columns}), or a file name")
    if not array.size:
        raise RunError(f"{run.path}: expected one input or more, got the shape {array.shape}")
    array = array.astype("float32") if array.dtype.kind == "b" else array
    shape = facts.input_shape
    if facts.inputs == "sequences":
        array = _ended(run, array)
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


def _ended(run: Run, x: np.ndarray) -> np.ndarray:
    """Return sequences with `PADDING` after their end, as many steps as the run's."""
    x = padded(str(run.path), as_float32(x if x.ndim == 3 else x[None]))
    missing = run.facts.input_shape[0] - x.shape[1] if x.ndim == 3 else 0
    if missing <= 0 or not masks(run.model.layers):
        return x
    return np.pad(x, ((0, 0), (0, missing), (0, 0)), constant_values=PADDING)


def _in_range(run: Run, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise RunError(f"{run.path}: the inputs contain NaN or infinite values")
    if run.facts.inputs == "text" and not ((x >= 0) & (x <= run.facts.value_range[1])).all():
        reason = f"tokens are numbers from 0 to {run.facts.value_range[1]:g}: give the texts"
        raise RunError(f"{run.path}: {reason}")
    evaluation.check_range(run, x)
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
    boolean = array.dtype.kind == "b"
    written = [str(value) if boolean else f"{value:.15g}" for value in array.tolist()]
    if {*written} <= names.keys() != {*map(str, range(len(names)))}:  # as in `fit((x, y))`
        if boolean or not np.isin(array, range(len(names))).all():
            return np.array([names[name] for name in written])
        listed = ", ".join(sorted({*written})[:6])
        reason = f"{run.path}: labels {listed} may be classes or their positions: y.astype(str) "
        reason += "gives classes; for positions, give [run.facts.class_names[k] for k in y]"
        raise RunError(reason)
    boolean = boolean and facts.task != "binary"
    known = np.isin(array, [] if boolean else range(len(names)))
    if not known.all():
        as_text = set(map(str, array.tolist()))
        cure = ": y.astype(str) gives these" if names.keys() >= as_text else ""
        reason = f"{run.path}: no class '{array[~known][0]}': numbers are the positions of the "
        reason += f"classes, 0 to {len(names) - 1}; class names are text{cure}"
        raise RunError(reason)
    return array.astype("int64")


def predictions(run: Run, read: Sequence[Read]) -> Table:
    """Return one row per input: class, probability, all probabilities; or the prediction.

    Args:
        run: Finished run.
        read: Parts of the inputs `(n, …)`, each with names and more of their rows.
    """
    import_keras()
    x = np.concatenate([x for _, x, _ in read])
    named = (pair for names, _, more in read for pair in zip(names, more, strict=True))
    outputs = evaluation.outputs(run.model, x)
    if run.facts.task == "next_token":  # the step after the text
        outputs = outputs[np.arange(len(x)), before_end(x).sum(axis=1).clip(max=x.shape[1] - 1)]
    answers = zip(named, outputs, noted(run, x), strict=True)
    rows = [{"input": a, **_answer(run.facts, y), **b, **note} for (a, b), y, note in answers]
    return Table(rows, {key: COLUMNS[key] for key in COLUMNS if any(map(COLUMNS[key], rows))})


def _answer(facts: DataFacts, output: Any) -> dict[str, Any]:
    if facts.task == "regression":
        return {"prediction": float(output)}
    best = int(output.argmax())
    every = dict(zip(facts.class_names, map(float, output), strict=True))
    known = {"class": facts.class_names[best], "probability": float(output[best])}
    return {**known, "probabilities": every}


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "input": lambda row: row["input"],
    "class": lambda row: row.get("class", ""),
    "probability": lambda row: f"{row['probability']:.4f}" if "class" in row else "",
    "prediction": lambda row: f"{row['prediction']:.6g}" if "prediction" in row else "",
    "next": lambda row: _next(row) if "class" in row else "",
    "warning": lambda row: row.get("warning") or "",
}


def _next(row: dict[str, Any]) -> str:
    name, probability = sorted(row["probabilities"].items(), key=lambda item: -item[1])[1]
    return f"{name} {probability:.4f}"
