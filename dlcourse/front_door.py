"""Train and go on in one line each; `import dlcourse as dl` offers them."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe, run_recipe
from dlcourse.quiet import import_keras, write
from dlcourse.runs import Run, check_name, read_run
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
    with _interruptible() as stop:
        run = train(wanted, folder, name=name, callbacks=callbacks, **_told(verbose), stop=stop)
    if verbose:
        write(f"\n{run}")
    return run


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
    with _interruptible() as stop:
        run = go_on(run, recipe, callbacks=callbacks, **_told(verbose), stop=stop)
    if verbose:
        write(f"\n{run}")
    return run


@contextmanager
def _interruptible() -> Iterator[StopRequest]:
    """Let the first Ctrl-C save the training; one that comes as it ends is raised after that."""
    with StopRequest(signal.default_int_handler) as stop:
        yield stop
    if stop.signal:
        raise KeyboardInterrupt


def _told(verbose: bool | int) -> dict[str, Any]:
    return {"report": write if verbose else None, "bar": False}


@cache
def _temporary() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="dlcourse-")  # removed when Python ends
