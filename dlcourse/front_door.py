"""`fit` and `resume`, also as `dl.fit` and `dl.resume` after `import dlcourse as dl`."""

import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe, run_recipe
from dlcourse.heavy import keras
from dlcourse.quiet import write
from dlcourse.runs import Run, check_name, read_run
from dlcourse.training import StopRequest, train
from dlcourse.training import resume as go_on


def fit(
    recipe: "str | Path | Mapping[str, Any] | Recipe | Run | Any | None" = None,
    *overrides: str,
    callbacks: "keras.callbacks.Callback | Sequence[keras.callbacks.Callback]" = (),
    runs: str | Path | None = "runs",
    name: str | None = None,
    verbose: bool | int = True,
    **settings: Any,
) -> Run:
    """Return the run of a recipe: trained, evaluated and saved.

    Ctrl-C (in a notebook: stop) saves the training and ends it; `resume` continues it.

    Args:
        recipe: Name of a shipped recipe, a YAML file, a mapping or a `Recipe`; arrays `(x, y)` or a
            DataFrame; None for keywords alone. See `recipe`.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        callbacks: Keras callbacks. They see a single training, even with several stages, and
            `self.model` is the model that is saved. The recipe decides which weights are kept
            (`restore_best_weights`).
        runs: Folder of all runs; None keeps the run in a temporary folder until Python ends.
        name: Name of the run; None gives `<recipe>-<time>`.
        verbose: Whether to print the device, the layers, one line per epoch and the metrics.
        **settings: Settings: `dataset`, `model`, `seed`, and every setting of `training`:
            `epochs=5`, `early_stopping={"patience": 3}`.

    Raises:
        RecipeError: The recipe is not valid: one line per error, with its place and the cure.
        DatasetError: The data is missing, broken or cannot be trained on.
        RunError: The name of the run exists already, or its folder cannot be written.
        DivergedError: The loss or a weight became NaN or infinite.
        InterruptedTraining: Ctrl-C; the text says how to go on.

    Example:
        >>> run = dl.fit("digits_cnn", epochs=5)
        >>> run = dl.fit(dataset="digits", model={"name": "dnn", "dropout": 0.2}, epochs=15)
        >>> run = dl.fit(penguins, target="species", model="dnn")
    """
    wanted = recipe_of(recipe, *overrides, **settings)
    wanted.refuse_missing()
    folder = _temporary().name if runs is None else runs
    check_name(folder, name)
    return _run(partial(train, wanted, folder, name=name, callbacks=callbacks), verbose)


def resume(
    run: Run | str | Path,
    *,
    epochs: int | None = None,
    finish: bool = False,
    callbacks: "keras.callbacks.Callback | Sequence[keras.callbacks.Callback]" = (),
    verbose: bool | int = True,
) -> Run:
    """Return the run, trained to the end exactly as if it had never been interrupted.

    Args:
        run: Interrupted run, or its folder; a finished run is returned unchanged.
        epochs: Total number of epochs, to train a finished run further; None keeps the recipe's.
        finish: Whether to evaluate and save the run as it is, without training.
        callbacks: Keras callbacks, as given to `fit`; they get back their saved state.
        verbose: Whether to print the progress, see `fit`.

    Raises:
        RecipeError: `epochs` is less than the recipe's, or its schedule is planned for fewer.
        RunError: The run is damaged, in use, or its data has changed.
        DatasetError, DivergedError, InterruptedTraining: See `fit`.
    """
    run = read_run(run)
    recipe = run_recipe(run, [] if epochs is None else [f"training.epochs={epochs}"])
    return _run(partial(go_on, run, recipe, finish=finish, callbacks=callbacks), verbose)


def _run(training: Callable[..., Run], verbose: bool | int) -> Run:
    """Return the run of a training; a Ctrl-C during its last moments is raised afterwards."""
    with StopRequest(signal.default_int_handler) as stop:
        run = training(report=write if verbose else None, bar=False, stop=stop)
    if stop.signal:
        raise KeyboardInterrupt
    if verbose:
        write(f"\n{run}")
    return run


@cache
def _temporary() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="dlcourse-")  # removed when Python ends
