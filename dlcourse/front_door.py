"""Train, go on, measure and predict in one line each; `import dlcourse as dl` offers them."""

import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe, run_recipe
from dlcourse.datasets import Dataset
from dlcourse.errors import RunError
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, check_name, evaluation, read_run
from dlcourse.runs.prediction import as_inputs, as_labels, files_of, predictions, read_file
from dlcourse.text_table import Table
from dlcourse.training import StopRequest, train
from dlcourse.training import resume as go_on

if TYPE_CHECKING:
    import keras


def fit(
    recipe: "str | Path | Mapping[str, Any] | Recipe | Run | None" = None,
    *overrides: str,
    callbacks: "keras.callbacks.Callback | Sequence[keras.callbacks.Callback]" = (),
    runs: str | Path | None = "runs",
    name: str | None = None,
    verbose: bool | int = True,
    **settings: Any,
) -> Run:
    """Return the run of a recipe: trained, evaluated and saved.

    Ctrl-C (a notebook's stop) saves the training and leaves it; `resume` goes on from there.

    Args:
        recipe: A shipped recipe's name, a YAML file, a mapping, a `Recipe`; None for keywords
            alone. See `recipe`.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        callbacks: Keras callbacks. They see one training, whatever its stages, and `self.model` is
            the model that is saved. Which weights are kept is the recipe's to say
            (`restore_best_weights`).
        runs: The folder of all runs; None keeps the run in a temporary folder until Python ends.
        name: The run's name; None makes `<recipe>-<time>`.
        verbose: Whether the device, the layers, one line per epoch and the metrics are printed.
        **settings: `dataset`, `model`, `seed`, and every setting of `training`: `epochs=5`,
            `early_stopping={"patience": 3}`.

    Raises:
        RecipeError: One line per fault of the recipe, with its place and the cure.
        DatasetError: The data is missing, broken or cannot be trained on.
        RunError: The run's name is taken, or its folder cannot be written.
        DivergedError: The loss or a weight became NaN or infinite.
        InterruptedTraining: Ctrl-C; the text says how to go on.

    Example:
        >>> run = dl.fit("digits_cnn", epochs=5)
        >>> run = dl.fit(dataset="digits", model={"name": "dnn", "dropout": 0.2}, epochs=15)
    """
    wanted = recipe_of(recipe, *overrides, **settings)
    wanted.refuse_missing()
    folder = _temporary().name if runs is None else runs
    check_name(folder, name)
    import_keras()
    with StopRequest(signal.default_int_handler) as stop:
        run = train(wanted, folder, name=name, callbacks=callbacks, **_told(verbose), stop=stop)
    return _finished(run, verbose)


def resume(
    run: Run | str | Path,
    *,
    epochs: int | None = None,
    callbacks: "keras.callbacks.Callback | Sequence[keras.callbacks.Callback]" = (),
    verbose: bool | int = True,
) -> Run:
    """Return the run, trained to its end exactly as if it had never been interrupted.

    Args:
        run: A run that was interrupted, or its folder; a finished one is returned as it is.
        epochs: Train a finished run further, to so many epochs in all; None keeps the recipe's.
        callbacks: As given to `fit`; they go on with what they saved.
        verbose: See `fit`.

    Raises:
        RecipeError: `epochs` is less than the recipe's, or its schedule is laid out over those.
        RunError: The run is damaged, in use, or its data has changed.
        DatasetError, DivergedError, InterruptedTraining: See `fit`.
    """
    run = read_run(run)
    recipe = run_recipe(run, [] if epochs is None else [f"training.epochs={epochs}"])
    import_keras()
    with StopRequest(signal.default_int_handler) as stop:
        run = go_on(run, recipe, callbacks=callbacks, **_told(verbose), stop=stop)
    return _finished(run, verbose)


def evaluate(
    run: Run | str | Path, data: "Dataset | tuple[Any, Any] | None" = None
) -> dict[str, Any]:
    """Return the metrics of a run's model, by split; of `(x, y)` those alone.

    Classification: `loss` (cross-entropy) and `accuracy`; regression: `loss` (mean squared error),
    `mae` (in the target's unit) and `r2`.

    Args:
        run: A finished run, or its folder.
        data: None for the data that it was trained on; another `Dataset` of the same classes; or
            inputs `(n, …)` as the data set gives them with labels or class names `(n,)`.

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
            raise RunError(f"{run.path}: {len(x)} inputs are given, but {len(y)} labels")
        return evaluation.measures(run.facts.task, y, evaluation.outputs(run.model, x))
    dataset = run.load_dataset() if data is None else data
    if not isinstance(dataset, Dataset):
        raise RunError(f"data: expected a Dataset or (x, y), got {type(data).__name__}")
    evaluation.check_fit(run, dataset)
    return evaluation.evaluate(run.model, dataset)[0]


def predict(run: Run | str | Path, inputs: Any) -> Table:
    """Return one row per input: its class with the probability, or for regression its prediction.

    The rows are dictionaries (`class`, `probability`, `probabilities`; or `prediction`); printed
    they are a table.

    Args:
        run: A finished run, or its folder.
        inputs: An array `(n, …)` of examples as the data set gives them, or one example; or a
            file, a folder, or a list of them: images, or CSV files for a table.

    Raises:
        RunError: The run is not finished, or the inputs do not fit it.
        DatasetError: A file is missing, broken, or does not fit the run.
    """
    run = read_run(run)
    run.file("model.keras")
    files = [inputs] if isinstance(inputs, str | Path) else inputs
    if isinstance(files, list | tuple) and all(isinstance(file, str | Path) for file in files):
        read = [read_file(run, each) for file in files for each in files_of(file, run.facts)]
        if not read:
            raise RunError("inputs: no file is named")
        names = [name for some, _ in read for name in some]
        x = np.concatenate([values for _, values in read])
    else:
        x = as_inputs(run, inputs)
        names = [str(number) for number in range(len(x))]
    import_keras()
    return predictions(names, evaluation.outputs(run.model, x), run.facts)


def _told(verbose: bool | int) -> dict[str, Any]:
    return {"report": _say if verbose else None, "bar": False}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _finished(run: Run, verbose: bool | int) -> Run:
    if verbose:
        _say(f"\n{run}")
    return run


@cache
def _temporary() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="dlcourse-")  # removed when Python ends
