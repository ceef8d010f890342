"""Train a recipe: compile, fit, evaluate, save. `train(recipe) -> Run`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.batches import training_batches
from dlcourse.datasets import Dataset, fingerprint, load_dataset
from dlcourse.environment import device, environment
from dlcourse.errors import Diverged, RecipeError
from dlcourse.evaluation import evaluate
from dlcourse.figures import save_figures
from dlcourse.models import build_model
from dlcourse.optimizers import OPTIMIZERS, SCHEDULES
from dlcourse.recipe import Recipe, conflicts
from dlcourse.runs import Run, create_run, write_file, write_history, write_json, write_text


@dataclass(frozen=True)
class Prepared:
    """A data set and the compiled, untrained model for it."""

    dataset: Dataset
    model: Any


def prepare(recipe: Recipe) -> Prepared:
    """Return the recipe's data set and compiled model; the global random seeds are set.

    Raises:
        RecipeError: settings that do not go together or do not fit the data.
        DatasetError: the data is missing, broken or cannot be trained on.
    """
    import keras

    if faults := conflicts(recipe):
        raise RecipeError("; ".join(f"{'.'.join(map(str, at))}: {text}" for at, text in faults))
    if recipe.training.tensorboard and find_spec("tensorboard") is None:
        raise RecipeError(
            "training.tensorboard: TensorBoard is not installed: pip install 'dlcourse[tensorboard]'"
        )
    dataset = load_dataset(recipe.dataset.name, recipe.seed, **recipe.settings("dataset"))
    _set_determinism(recipe)
    keras.utils.set_random_seed(recipe.seed)
    model = _build(recipe, dataset)
    compile_model(model, recipe, dataset)
    return Prepared(dataset, model)


def _set_determinism(recipe: Recipe) -> None:
    import keras

    if recipe.training.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _build(recipe: Recipe, dataset: Dataset) -> Any:
    """Return the model, under mixed precision if the recipe says so."""
    import keras

    augmentation = recipe.training.augmentation
    before = keras.config.dtype_policy()
    if recipe.training.mixed_precision:
        half = "mixed_float16" if device().startswith("GPU") else "mixed_bfloat16"
        keras.config.set_dtype_policy(half)
    try:
        return build_model(
            recipe.model.name,
            dataset,
            augmentation.model_dump() if augmentation else None,
            **recipe.settings("model"),
        )
    finally:
        keras.config.set_dtype_policy(before)


def compile_model(model: Any, recipe: Recipe, dataset: Dataset) -> None:
    """Compile with the recipe's optimizer and the loss that fits the model's last layer."""
    import keras

    training = recipe.training
    steps = -(-len(dataset.x_train) // training.batch_size)
    rate: Any = training.learning_rate
    if training.schedule is not None:
        course = training.schedule.model_dump()
        rate = SCHEDULES[course.pop("name")](rate, steps * training.epochs, **course)
    options = training.optimizer.model_dump()
    smoothing = training.label_smoothing
    loss = {
        "prediction": lambda: keras.losses.MeanSquaredError(),
        "sigmoid": lambda: keras.losses.BinaryCrossentropy(label_smoothing=smoothing),
        "softmax": lambda: (
            keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
            if smoothing
            else keras.losses.SparseCategoricalCrossentropy()
        ),
    }[_head(model)]()
    model.compile(
        optimizer=OPTIMIZERS[options.pop("name")](rate, **options),
        loss=loss,
        metrics=["mae" if dataset.task == "regression" else "accuracy"],
        steps_per_execution=training.steps_per_execution or _steps_per_execution(model, steps),
    )


def _head(model: Any) -> str:
    last = model.layers[-1]
    return "prediction" if last.name == "prediction" else last.activation.__name__


def _steps_per_execution(model: Any, steps: int) -> int:
    """Return how many steps one call runs: many for small dense models, whose calls cost most."""
    small = all(len(layer.output.shape) == 2 for layer in model.layers if layer.weights)
    return min(128 if small else 16, steps)


def targets(model: Any, recipe: Recipe, dataset: Dataset, part: str) -> np.ndarray:
    """Return a split's labels in the form that the model's loss takes."""
    y = dataset.splits[part][1]
    if recipe.training.label_smoothing and _head(model) == "softmax":
        return np.eye(len(dataset.class_names), dtype="float32")[y]
    return y if _head(model) == "softmax" else y[:, None].astype("float32")


def train(
    recipe: Recipe,
    runs: str | Path = "runs",
    *,
    name: str | None = None,
    recipe_name: str = "run",
    report: Callable[[str], None] | None = None,
    bar: bool = True,
) -> Run:
    """Return the run of a recipe: trained, evaluated and saved.

    Args:
        recipe: what to train.
        runs: the folder of all runs; nothing is written before the recipe and data are good.
        name: the run directory's name; None makes `<recipe_name>-<time>`.
        recipe_name: the start of that name.
        report: called with a line an epoch, and with the device and layers before.
        bar: show Keras' progress bar.

    Raises:
        RecipeError, DatasetError: see `prepare`.
        RunError: the run's name is taken, or its folder cannot be written.
        Diverged: the loss became NaN or infinite.
    """
    prepared = prepare(recipe)
    if report:
        report(describe(prepared))
    run = create_run(runs, recipe_name, name)
    write_text(run.path / "recipe.yaml", recipe.to_yaml())
    write_json(run.path / "environment.json", {**environment(), "seed": recipe.seed})
    write_json(run.path / "dataset.json", _dataset_facts(prepared.dataset))
    fitted = _fit(recipe, prepared, run, report, bar)
    _save(recipe, prepared, run, fitted)
    return Run(run.path)


def describe(prepared: Prepared) -> str:
    """Return the data, the device and the layer table in words."""
    import keras

    dataset, model = prepared.dataset, prepared.model
    backend = f"{keras.backend.backend()} backend, Keras {keras.version()}"
    lines = [f"data    {dataset!r}"[:-1].replace("<Dataset ", ""), f"device  {device()}, {backend}"]
    lines.append(f"\n{'layer':<24}{'type':<22}{'output shape':<18}{'parameters':>11}")
    for layer in model.layers:
        shape = " × ".join(map(str, layer.output.shape[1:]))
        kind = type(layer).__name__
        lines.append(f"{layer.name:<24}{kind:<22}{shape:<18}{layer.count_params():>11,}")
    return "\n".join([*lines, f"{'total':<64}{model.count_params():>11,}\n"])


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "task": dataset.task,
        "input_shape": dataset.input_shape,
        "examples": {part: len(y) for part, (_, y) in dataset.splits.items()},
        "value_range": dataset.value_range,
        "class_names": dataset.class_names,
        "feature_names": dataset.feature_names,
        "target_name": dataset.target_name,
        "encoding": dict(dataset.encoding),
        "fingerprint": fingerprint(dataset),
    }


@dataclass(frozen=True)
class Fitted:
    """What `fit` left beside the weights: the history, the kept epoch (from 1) and the time."""

    history: dict[str, list[float]]
    best_epoch: int
    seconds: float
    cpu_seconds: float


def _fit(
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
        class_weight=class_weights(recipe, dataset),
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
    return keras.callbacks.EarlyStopping(
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
        result.append(keras.callbacks.TensorBoard(run.path / "tensorboard"))
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
            raise Diverged(
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


def class_weights(recipe: Recipe, dataset: Dataset) -> dict[int, float] | None:
    """Return each class's weight in the loss, by label; None where all weigh the same.

    `balanced` is n / (classes · n of the class) (King and Zeng 2001).

    Raises:
        RecipeError: a weight for a class that the data does not have.
    """
    given = recipe.training.class_weights
    if given is None:
        return None
    names = dataset.class_names
    if given == "balanced":
        counts = np.bincount(dataset.y_train, minlength=len(names))
        return dict(enumerate((counts.sum() / (len(names) * counts)).tolist()))
    if unknown := set(given) - set(names):
        raise RecipeError(
            f"training.class_weights: no class {', '.join(sorted(unknown))} in {dataset.name} "
            f"(known: {', '.join(names)})"
        )
    return {label: given.get(name, 1.0) for label, name in enumerate(names)}


def _save(recipe: Recipe, prepared: Prepared, run: Run, fitted: Fitted) -> None:
    import keras

    dataset, model = prepared.dataset, prepared.model
    metrics, predicted = evaluate(model, dataset)
    bare = keras.models.clone_model(model)  # without the optimizer's state
    bare.set_weights(model.get_weights())
    write_file(run.path / "model.keras", bare.save)
    save_figures(run.path / "figures", dataset, fitted.history, fitted.best_epoch, predicted)
    write_json(
        run.path / "metrics.json",
        {
            **metrics,
            "parameters": model.count_params(),
            "epochs_run": len(fitted.history["loss"]),
            "best_epoch": fitted.best_epoch,
            "seconds": round(fitted.seconds, 3),
            "cpu_seconds": round(fitted.cpu_seconds, 3),
        },
    )
