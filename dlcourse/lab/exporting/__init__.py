"""A trained model in other runtimes' formats: written, loaded again there, compared with Keras."""

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from dlcourse.configuration.recipe import run_recipe
from dlcourse.errors import DatasetError, RunError, UserError, WriteError, one_line
from dlcourse.files import HALF_WRITTEN, make_folder, write_file
from dlcourse.lab.exporting.formats import FORMATS, THREADS, Predict, float32_copy
from dlcourse.runs import Run
from dlcourse.runs.evaluation import PREDICT_BATCH, check_fit

TOLERANCE = 1e-4
BATCHES = (1, 256)
COMPARED = 1000  # inputs


class Exported(NamedTuple):
    """A model in another format.

    Attributes:
        path: the file or folder.
        difference: the largest absolute difference of an output from Keras'.
        allowed: the largest that passes.
        predict: float32 inputs `(n, …)` → outputs, by the format's own runtime.
    """

    path: Path
    difference: float
    allowed: float
    predict: Predict


def check_installed(formats: Sequence[str]) -> None:
    """Raise a UserError that names the packages which these formats need and are not there."""
    needed = [package for name in formats for package in FORMATS[name].packages]
    if missing := [package for package in needed if find_spec(package.replace("-", "_")) is None]:
        raise UserError(
            f"export to {' and '.join(formats)} needs {', '.join(missing)}: "
            f"pip install {' '.join(missing)} (or this package's extra: -e '.[export]')"
        )


def one_thread() -> None:
    """Let TensorFlow compute as the other runtimes do, if it is not loaded yet: on one thread of
    the CPU."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(THREADS)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def in_float32(model: Any) -> Any:
    """Return the model; one trained in mixed precision as a copy that computes in float32."""
    types = {layer.dtype_policy.compute_dtype for layer in model._flatten_layers()}
    return model if types == {"float32"} else float32_copy(model)


def inputs_of(run: Run) -> tuple[np.ndarray, str]:
    """Return inputs to compare on, and what they are: of the test split, where it can be had."""
    recipe = run_recipe(run)
    try:
        dataset = recipe.load_dataset()
        check_fit(run, dataset)
    except (DatasetError, RunError) as error:
        inputs = random_inputs(run.model, run.facts.value_range, COMPARED)
        return inputs, f"{COMPARED:,} random inputs, for the run's own are not at hand: {error}"
    n = len(dataset.x_test)
    chosen = np.linspace(0, n - 1, min(n, COMPARED)).astype(int)
    kind = dataset.facts.inputs
    return dataset.x_test[chosen], f"{len(chosen):,} of {n:,} test {kind} of {dataset.name}"


def export(model: Any, name: str, folder: Path, x: np.ndarray) -> Exported:
    """Return the model in another format, in `folder`, if it answers there as it does in Keras.

    The artifact takes float32 inputs `(n, …)` of any n, raw as the data set gives them.

    Args:
        model: a Keras model of one input that computes in float32, on TensorFlow.
        name: a key of `FORMATS`.
        folder: made if it is not there; an earlier export in it is replaced.
        x: inputs to compare on, `(n, …)`.

    Raises:
        UserError: the model cannot be exported, or its outputs differ by more than `TOLERANCE` (of
            the largest prediction in a regression); nothing is written then.
        RunError: the folder cannot be written, or holds something else by that name.
    """
    form = FORMATS[name]
    path = folder / form.file
    _refuse_other(path)
    with tempfile.TemporaryDirectory() as aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Path(aside) / form.file
        try:
            form.write(model, made)
            predict = form.load(made)
            difference, allowed = _difference(model, predict, x)
        except Exception as error:  # noqa: BLE001 - whatever exporters and runtimes raise
            raise UserError(f"{name}: the model cannot be exported: {one_line(error)}") from None
        if not difference <= allowed:  # NaN is refused too
            raise UserError(
                f"{name}: its outputs differ from Keras' by up to {difference:.1e}, and "
                f"{allowed:.1e} is allowed: nothing was written"
            )
        make_folder(folder)
        _place(made, path)
    return Exported(path, difference, allowed, predict)


def _difference(model: Any, predict: Predict, x: np.ndarray) -> tuple[float, float]:
    """Return the largest difference from Keras, and the largest that is allowed.

    The runtime is asked in batches of 256 and, for the first ten, one by one.
    """
    expected = model.predict(x, batch_size=PREDICT_BATCH, verbose=0)
    batches = [slice(start, start + BATCHES[1]) for start in range(0, len(x), BATCHES[1])]
    parts = [*batches, *(slice(one, one + 1) for one in range(min(10, len(x))))]
    found = [np.abs(predict(x[part].astype("float32")) - expected[part]).max() for part in parts]
    scale = np.abs(expected).max() if model.layers[-1].name == "prediction" else 1
    return float(np.max(found)), float(TOLERANCE * scale)


def random_inputs(model: Any, value_range: tuple[float, float], n: int) -> np.ndarray:
    """Return inputs `(n, …)`, float32, as the model's own scaling expects them.

    Args:
        model: rows are drawn around the means that its Normalization holds.
        value_range: (low, high) of an image's values.
        n: how many.
    """
    import keras

    rng, shape = np.random.default_rng(0), (n, *model.inputs[0].shape[1:])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = np.array(layer.mean), np.array(layer.variance)
            return rng.normal(mean, np.sqrt(variance), shape).astype("float32")
    return rng.uniform(*value_range, shape).astype("float32")


def measured(
    run: Run, model: Any, done: Mapping[str, Exported], x: np.ndarray
) -> list[dict[str, Any]]:
    """Return size, difference and speed of each format, Keras first.

    Args:
        run: The run that the model is of.
        model: The model that was exported.
        done: What `export` gave, by the format's name.
        x: Inputs `(n, …)` to time on.
    """
    ways = {"keras": model.predict_on_batch, **{name: one.predict for name, one in done.items()}}
    paths = {"keras": run.file("model.keras"), **{name: one.path for name, one in done.items()}}
    runtimes = {"keras": "keras", **{name: FORMATS[name].packages[-1] for name in done}}
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
    """Return each way's median (CPU, wall) microseconds an input; the ways take turns.

    Args:
        ways: functions of a batch, by name.
        x: inputs `(n, …)`, repeated where they do not fill a batch.
        batch: inputs a call.
        seconds: in which to take turns: three to 50, of one call that is not counted and five.
    """
    inputs = np.resize(x[:batch], (batch, *x.shape[1:])).astype("float32")
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    end = time.perf_counter() + seconds
    for turn in range(50):
        if turn >= 3 and time.perf_counter() > end:
            break
        for way, predict in ways.items():
            predict(inputs)
            taken[way] += [_timed(predict, inputs) for _ in range(5)]
    return {way: _median(times, batch) for way, times in taken.items()}


def _timed(predict: Predict, inputs: np.ndarray) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    predict(inputs)
    return time.process_time() - cpu, time.perf_counter() - wall


def _median(times: list[tuple[float, float]], batch: int) -> tuple[float, float]:
    cpu, wall = (median(column) / batch * 1e6 for column in zip(*times, strict=True))
    return cpu, wall


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _refuse_other(path: Path) -> None:
    """Raise a RunError where an export would replace something that is none."""
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise RunError(f"{path}: is there already and is no export: choose another --out")


def _place(made: Path, path: Path) -> None:
    """Put a file or folder at `path`, whole; an earlier folder is moved aside and removed."""
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
