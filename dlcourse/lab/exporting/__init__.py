"""Export of a trained model to other formats: written, loaded by their runtime, compared."""

import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlcourse.errors import DatasetError, RunError, UserError, WriteError, one_line
from dlcourse.files import HALF_WRITTEN, make_folder, write_file
from dlcourse.heavy import keras
from dlcourse.lab.exporting.formats import FORMATS, THREADS, Predict, float32_copy
from dlcourse.runs import Run
from dlcourse.runs.evaluation import PREDICT_BATCH

TOLERANCE = 1e-4
BATCHES = (1, 256)
COMPARED = 1000  # number of inputs


class Exported(NamedTuple):
    """A model in another format.

    Attributes:
        path: File or folder of the model.
        difference: Largest absolute difference of an output from that of Keras.
        allowed: Largest difference allowed.
        predict: Function of inputs `(n, …)` for the model, which returns the runtime's outputs.
    """

    path: Path
    difference: float
    allowed: float
    predict: Predict


def check_installed(formats: Sequence[str]) -> None:
    """Raise a UserError that names the missing packages of these formats."""
    needed = [package for name in formats for package in FORMATS[name].packages]
    if missing := [package for package in needed if find_spec(package.replace("-", "_")) is None]:
        reason = f"export to {' and '.join(formats)} needs {', '.join(missing)}: pip install "
        reason += f"{' '.join(missing)} (or this package's extra: -e '.[export]')"
        raise UserError(reason)


def one_thread() -> None:
    """Let TensorFlow, if it is not loaded yet, run on one CPU thread, as the other runtimes
    do."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(THREADS)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def in_float32(model: Any) -> Any:
    """Return the model, or a float32 copy of it if it was trained in mixed precision."""
    types = {layer.dtype_policy.compute_dtype for layer in model._flatten_layers()}
    return model if types == {"float32"} else float32_copy(model)


def inputs_of(run: Run) -> tuple[np.ndarray, str]:
    """Return inputs to compare on, from the test split if available, and their description."""
    try:
        dataset = run.load_dataset()
    except (DatasetError, RunError) as error:
        inputs = random_inputs(run.model, run.facts.value_range, COMPARED)
        return inputs, f"{COMPARED:,} random inputs, as the run's data is not available: {error}"
    n = len(dataset.x_test)
    chosen = np.linspace(0, n - 1, min(n, COMPARED)).astype(int)
    kind = {"text": "texts"}.get(dataset.facts.inputs, dataset.facts.inputs)
    return dataset.x_test[chosen], f"{len(chosen):,} of {n:,} test {kind} of {dataset.name}"


def export(
    model: Any, name: str, folder: Path, x: np.ndarray, names: Mapping[str, Any] | None = None
) -> Exported:
    """Return the model in another format, in `folder`, if its outputs agree with those of Keras.

    The exported model takes inputs `(n, …)` for any n, as the data set gives them: raw in float32,
    or the numbers of a text's tokens in int32.

    Args:
        model: Keras model with one input that computes in float32, on TensorFlow.
        name: Name of the format, a key of `FORMATS`.
        folder: Folder of the export, created if needed; an earlier export in it is replaced.
        x: Inputs to compare on, `(n, …)`.
        names: Names of the inputs and classes, which the export carries as `names.json`.

    Raises:
        UserError: The model cannot be exported, or its outputs differ by more than `TOLERANCE` (in
            a regression, times the largest prediction); then nothing is written.
        RunError: The folder cannot be written, or contains something else by that name.
    """
    form, x = FORMATS[name], x.astype(model.inputs[0].dtype)
    path = folder / form.file
    _refuse_other(path)
    with tempfile.TemporaryDirectory() as aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Path(aside) / form.file
        try:
            form.write(model, made)
            form.add_names(made, json.dumps(names or {}, ensure_ascii=False))
            predict = form.load(made)
            difference, allowed = _difference(model, predict, x)
        except Exception as error:  # noqa: BLE001 - exporters and runtimes raise anything
            raise UserError(f"{name}: the model cannot be exported: {one_line(error)}") from None
        if not difference <= allowed:  # NaN is rejected, too
            reason = f"{name}: its outputs differ from Keras' by up to {difference:.1e}, but only "
            reason += f"{allowed:.1e} is allowed: nothing was written"
            raise UserError(reason)
        make_folder(folder)
        _place(made, path)
    return Exported(path, difference, allowed, predict)


def _difference(model: Any, predict: Predict, x: np.ndarray) -> tuple[float, float]:
    """Return the largest difference from Keras, and the largest difference allowed.

    The runtime predicts in batches of 256 and, for the first ten inputs, one by one.
    """
    expected = model.predict(x, batch_size=PREDICT_BATCH, verbose=0)
    batches = [slice(start, start + BATCHES[1]) for start in range(0, len(x), BATCHES[1])]
    parts = [*batches, *(slice(k, k + 1) for k in range(min(10, len(x))))]
    errors = [np.abs(predict(x[part]) - expected[part]).max() for part in parts]
    last = model.layers[-1]
    last = getattr(last, "layers", [last])[-1]  # of the model behind a table's columns
    scale = np.abs(expected).max() if last.name == "prediction" else 1
    return float(np.max(errors)), float(TOLERANCE * scale)


def random_inputs(model: Any, value_range: tuple[float, float], n: int) -> np.ndarray:
    """Return random inputs `(n, …)` in the range that the model expects.

    Args:
        model: Model; with a Normalization, inputs are drawn around its means; of text, any tokens.
        value_range: Range (low, high) of the values of an image.
        n: Number of inputs.
    """
    rng, shape = np.random.default_rng(0), (n, *model.inputs[0].shape[1:])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = np.array(layer.mean), np.array(layer.variance)
            return rng.normal(mean, np.sqrt(variance), shape).astype("float32")
        if layer.name == "embedding":
            return rng.integers(layer.input_dim, size=shape, dtype="int32")
    return rng.uniform(*value_range, shape).astype("float32")


def measured(
    run: Run, model: Any, done: Mapping[str, Exported], x: np.ndarray
) -> list[dict[str, Any]]:
    """Return size, difference and speed of each format, Keras first.

    Args:
        run: Run of the model.
        model: Model that was exported.
        done: Results of `export`, by the name of the format.
        x: Inputs `(n, …)` to time on.
    """
    ways = {"keras": model.predict_on_batch, **{name: made.predict for name, made in done.items()}}
    paths = {"keras": run.file("model.keras"), **{name: made.path for name, made in done.items()}}
    runtimes = {"keras": "keras", **{name: FORMATS[name].packages[-1] for name in done}}
    x = x.astype(model.inputs[0].dtype)
    times = {batch: microseconds(ways, x, batch) for batch in BATCHES}
    return [
        {
            "format": way,
            "path": str(path),
            "runtime": f"{runtimes[way]} {version(runtimes[way])}",
            "bytes": size(path),
            "difference": done[way].difference if way in done else 0.0,
            "microseconds": {
                batch: dict(zip(("cpu", "wall"), taken[way], strict=True))
                for batch, taken in times.items()
            },
        }
        for way, path in paths.items()
    ]


def microseconds(
    ways: Mapping[str, Predict], x: np.ndarray, batch: int, *, seconds: float = 3.0
) -> dict[str, tuple[float, float]]:
    """Return the median (CPU, wall) microseconds per input of each way, measured in turns.

    Args:
        ways: Functions of a batch, by name.
        x: Inputs `(n, …)`, repeated if they do not fill a batch.
        batch: Number of inputs per call.
        seconds: Time limit for 3 to 50 turns; each has one warm-up call and five timed calls.
    """
    inputs = np.resize(x[:batch], (batch, *x.shape[1:]))
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    end = time.perf_counter() + seconds
    for turn in range(50):
        if turn >= 3 and time.perf_counter() > end:
            break
        for way, predict in ways.items():
            predict(inputs)
            taken[way] += [_timed(predict, inputs) for _ in range(5)]
    medians = {way: np.median(times, axis=0) / batch * 1e6 for way, times in taken.items()}
    return {way: (float(cpu), float(wall)) for way, (cpu, wall) in medians.items()}


def _timed(predict: Predict, inputs: np.ndarray) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    predict(inputs)
    return time.process_time() - cpu, time.perf_counter() - wall


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _refuse_other(path: Path) -> None:
    """Raise a RunError if the export would replace something that is not an export."""
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise RunError(f"{path}: exists already and is not an export: choose another --out")


def _place(made: Path, path: Path) -> None:
    """Move a file or folder to `path` completely; an earlier folder is replaced."""
    if made.is_file():
        return write_file(path, lambda temporary: shutil.copyfile(made, temporary))
    try:
        with tempfile.TemporaryDirectory(prefix=HALF_WRITTEN, dir=path.parent) as aside:
            new = Path(shutil.copytree(made, Path(aside) / "new"))
            if path.exists():
                path.rename(Path(aside) / "old")
            new.rename(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from None
