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

from dlcourse.errors import RunError, UserError
from dlcourse.files import DAMAGED, write_file

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
    path: Path,
    model: Any,
    metrics: list[Any],
    callbacks: list[Any],
    progress: Progress,
    users: dict[str, Any],
) -> None:
    """Write the state completely or not at all.

    Args:
        path: Path of the state file.
        model: Model whose variables are saved, with those of its optimizer.
        metrics: Variables of the metrics of an unfinished epoch; empty at the end of an epoch.
        callbacks: Keras' own callbacks, whose memory is saved.
        progress: Progress of the training.
        users: States of the user's callbacks, by name.

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
        meta = {"progress": asdict(progress), "callbacks": memories, "users": users}
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
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
        arrays["meta"] = json.loads(str(arrays["meta"]))
        xray = arrays["meta"]["progress"].pop("xray", None)  # version 0.1.0 stored the X-ray here
        arrays["meta"].setdefault("users", {"XRay": xray} if xray else {})
        return Progress(**arrays["meta"]["progress"]), arrays
    except DAMAGED:
        raise RunError(f"{path}: is damaged, so it cannot be resumed: start a new run") from None


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
    for number, (callback, memory) in enumerate(
        zip(callbacks, arrays["meta"]["callbacks"], strict=True)
    ):
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
