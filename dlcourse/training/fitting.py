"""The fit itself: batches, callbacks, the history that is kept current."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.batches import training_batches
from dlcourse.errors import DivergedError
from dlcourse.recipe import Recipe
from dlcourse.runs import Run, write_history
from dlcourse.training.preparation import Prepared, targets


@dataclass(frozen=True)
class Fitted:
    """What `fit` left beside the weights: the history, the kept epoch (from 1) and the time."""

    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    cpu_seconds: float


def fit(
    recipe: Recipe,
    prepared: Prepared,
    run: Run,
    report: Callable[[str], None] | None,
    bar: bool,
) -> Fitted:
    dataset, model, training = prepared.dataset, prepared.model, recipe.training
    batches, order = training_batches(
        dataset.x_train,
        targets(model, recipe, dataset, "train"),
        batch_size=training.batch_size,
        seed=recipe.seed,
    )
    keep = _keep_best(recipe)
    callbacks = [order, *_callbacks(recipe, run), *([keep] if keep else [])]
    wall, cpu = time.perf_counter(), time.process_time()
    history: dict[str, list[float]] = {}
    record = _recorder(history, run, training.epochs, report)
    model.fit(
        batches,
        validation_data=(dataset.x_val, targets(model, recipe, dataset, "val")),
        validation_batch_size=max(training.batch_size, 256),
        epochs=training.epochs,
        class_weight=prepared.class_weights,
        callbacks=[*callbacks, record],
        shuffle=False,
        verbose=1 if bar else 0,
    )
    epochs_run = len(history["loss"])
    best = keep.best_epoch + 1 if keep else epochs_run
    return Fitted(history, best, time.perf_counter() - wall, time.process_time() - cpu)


def _keep_best(recipe: Recipe) -> Any:
    """Return the callback that stops early and restores the best weights, or None for neither."""
    import keras

    stopping, training = recipe.training.early_stopping, recipe.training
    if stopping is None and not training.restore_best_weights:
        return None
    stop: Any = keras.callbacks.EarlyStopping  # its min_delta is annotated as an int
    return stop(
        monitor=stopping.monitor if stopping else "val_loss",
        patience=stopping.patience if stopping else training.epochs,
        min_delta=stopping.min_delta if stopping else 0.0,
        restore_best_weights=training.restore_best_weights,
    )


def _callbacks(recipe: Recipe, run: Run) -> list[Any]:
    import keras

    result: list[Any] = []
    if plateau := recipe.training.reduce_on_plateau:
        result.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                factor=plateau.factor,
                patience=plateau.patience,
                min_lr=plateau.min_learning_rate,
            )
        )
    if recipe.training.tensorboard:
        result.append(keras.callbacks.TensorBoard(str(run.path / "tensorboard")))
    return result


def _recorder(
    history: dict[str, list[float]],
    run: Run,
    epochs: int,
    report: Callable[[str], None] | None,
) -> Any:
    """Return the callback that keeps `history.csv` current and reports a line an epoch."""
    import keras

    def end_of_epoch(epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {key: float(value) for key, value in (logs or {}).items()}
        logs = dict(sorted(logs.items(), key=lambda item: _COLUMNS.index(item[0])))
        for key, value in logs.items():
            history.setdefault(key, []).append(value)
        if not np.isfinite(logs["loss"]):
            raise DivergedError(
                f"{run.path}: the loss became {logs['loss']} in epoch {epoch + 1}: try a smaller "
                "training.learning_rate"
            )
        write_history(run.path / "history.csv", history)
        if report:
            report(epoch_line(epoch + 1, epochs, logs))

    return keras.callbacks.LambdaCallback(on_epoch_end=end_of_epoch)


_COLUMNS = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae", "learning_rate")


def epoch_line(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """Return `epoch  3/20  loss 0.1234  accuracy 0.9612  val_loss …` for one epoch."""
    width = len(str(epochs))
    values = "  ".join(f"{key} {value:<7.4g}" for key, value in logs.items()).rstrip()
    return f"epoch {epoch:>{width}}/{epochs}  {values}"
