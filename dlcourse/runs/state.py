"""`state.npz`: all data that a training needs to resume exactly.

The file holds all variables of the model (weights, batch-norm statistics and the seeds of dropout
and augmentation) and of the optimizer, the memory of the callbacks and the history. The order of
the examples is not stored: it is a function of (seed, epoch).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import RunError, UserError, one_line
from dlcourse.files import DAMAGED, read_arrays, write_file
from dlcourse.heavy import keras

STATE, FINE_TUNING, BASE, ARCHITECTURE = "state.npz", "fine_tuning.npz", "base.npz", "model.json"
CALLBACK_MEMORY = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


@dataclass
class Progress:
    """The progress of a training.

    Attributes:
        epoch: Number of completed epochs.
        step: Number of steps done in the current epoch.
        stopped: Whether early stopping has ended the training.
        seconds, cpu_seconds: Wall-clock and CPU time spent in `fit` so far.
        history: One list per metric, with one value per epoch.
    """

    epoch: int = 0
    step: int = 0
    stopped: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)


def save_state(
    path: Path, model: Any, metrics: Any, callbacks: list[Any], progress: Progress, **more: Any
) -> None:
    """Write the state completely or not at all.

    Args:
        path: Path of the state file.
        model: Model whose variables are saved, with those of its optimizer.
        metrics: Variables of the metrics of an unfinished epoch; empty at the end of an epoch.
        callbacks: Keras' own callbacks, whose memory is saved.
        progress: Progress of the training.
        **more: `users`, the states of the user's callbacks by name; `kept`, the names of the arrays
            with the weights to keep, where no callback has the best ones.

    Raises:
        UserError: The state of a callback holds values that JSON cannot hold.
        WriteError: The file cannot be written; the earlier state stays.
    """
    arrays = {f"model_{i}": np.asarray(v) for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    arrays |= {f"metric_{i}": np.asarray(v) for i, v in enumerate(metrics)}
    memories = []
    for number, callback in enumerate(callbacks):
        memories.append({key: _plain(getattr(callback, key, None)) for key in CALLBACK_MEMORY})
        for i, weights in enumerate(getattr(callback, "best_weights", None) or []):
            arrays[f"best_{number}_{i}"] = weights
    try:
        meta = {"progress": asdict(progress), "callbacks": memories, **more}
        arrays["meta"] = np.array(json.dumps(meta))
    except TypeError as error:
        raise UserError(f"a callback's get_state may only return JSON values: {error}") from None
    write_file(path, lambda temporary: np.savez(temporary, allow_pickle=False, **arrays))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)


def read_state(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Return the progress and all arrays of a state file.

    Raises:
        RunError: The file is damaged.
    """
    try:
        arrays = read_arrays(path)
        arrays["meta"] = json.loads(str(arrays["meta"]))
        xray = arrays["meta"]["progress"].pop("xray", None)  # version 0.1.0 stored the X-ray here
        arrays["meta"].setdefault("users", {"XRay": xray} if xray else {})
        return Progress(**arrays["meta"]["progress"]), arrays
    except DAMAGED:
        raise RunError(f"{path}: is damaged, so it cannot be resumed: start a new run") from None


def read_latest(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Return what `read_state` does, also of a state within the epoch after that of the file."""
    progress, arrays = read_state(path)
    inside = path.with_name(f"inside_{path.name}")
    if inside.exists():
        later = read_state(inside)
        if later[0].epoch == progress.epoch:  # else it was killed at the epoch's end
            return later
    return progress, arrays


def model_so_far(folder: Path, architecture: dict[str, Any]) -> tuple[Any, Progress]:
    """Return the model of an unfinished training with its best weights, and the progress.

    Raises:
        RunError: The state is damaged, or nothing was trained yet.
    """
    path = folder / FINE_TUNING
    path = path if path.exists() else folder / STATE
    progress, arrays = read_latest(path) if path.exists() else (Progress(), {})
    if not progress.epoch + progress.step:
        raise RunError(f"{folder}: nothing was trained yet: --resume goes on")
    frozen, best = folder / BASE, sorted(name for name in arrays if name.startswith("best_"))
    names = [f"{best[0].rpartition('_')[0]}_{i}" for i in range(len(best))] if best else None
    weights = [arrays[name] for name in names or arrays["meta"]["kept"]]
    try:
        model = keras.models.model_from_json(json.dumps(architecture))
        if path.name == STATE and frozen.exists():
            weights = [*read_arrays(frozen).values(), *weights]
        model.set_weights(weights)
    except Exception as error:  # noqa: BLE001 - Keras raises many types on what does not fit
        raise RunError(f"{folder}: the weights so far cannot be read: {one_line(error)}") from None
    return model, progress


def restore_model(arrays: dict[str, Any], path: Path, model: Any) -> None:
    """Set the variables of the model and the optimizer.

    Raises:
        RunError: The state belongs to another model.
    """
    for kind, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        count = sum(name.startswith(f"{kind}_") for name in arrays)
        if count != len(variables):
            raise RunError(f"{path}: has {count} {kind} variables instead of {len(variables)}")
        for i, variable in enumerate(variables):
            if arrays[f"{kind}_{i}"].shape != tuple(variable.shape):
                raise RunError(f"{path}: is of another model: {variable.path} differs")
            variable.assign(arrays[f"{kind}_{i}"])


def restore_callbacks(arrays: dict[str, Any], callbacks: list[Any]) -> None:
    """Restore the memory of the callbacks, which their own `on_train_begin` clears."""
    memories = arrays["meta"]["callbacks"]
    for number, (callback, memory) in enumerate(zip(callbacks, memories, strict=True)):
        for key, value in memory.items():
            if value is not None:
                setattr(callback, key, value)
        best = [name for name in arrays if name.startswith(f"best_{number}_")]
        if best:
            callback.best_weights = [arrays[f"best_{number}_{i}"] for i in range(len(best))]


def restore_metrics(arrays: dict[str, Any], model: Any) -> None:
    """Restore the metrics of an interrupted epoch."""
    for i, variable in enumerate(model.metrics_variables):
        if f"metric_{i}" in arrays:
            variable.assign(arrays[f"metric_{i}"])
