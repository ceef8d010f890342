"""`state.npz`: all that a training needs to go on exactly where it was.

One file holds every variable of the model (weights, batch-norm statistics and the seeds of dropout
and augmentation), the optimizer's, the callbacks' memory and the history. The order of the examples
needs no place in it: it is a function of (seed, epoch).
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
    """How far a training is.

    Attributes:
        epoch: Epochs completed.
        step: Steps done in the epoch that runs.
        stopped: Early stopping has ended the training.
        seconds, cpu_seconds: Spent in `fit` so far.
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
    """Write the state, whole or not at all.

    Args:
        path: The file.
        model: Its variables and its optimizer's are kept.
        metrics: The half-summed metrics' variables; none at the end of an epoch.
        callbacks: Keras' own, whose memory is kept.
        progress: How far the training is.
        users: What the user's callbacks want to be kept, by their names.

    Raises:
        UserError: A callback's state is not made of values that JSON holds.
        WriteError: It cannot be written; the earlier state stays.
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
        raise UserError(f"a callback's get_state: numbers, words and lists only: {error}") from None
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
        xray = arrays["meta"]["progress"].pop("xray", None)  # 0.1.0 kept the X-ray there
        arrays["meta"].setdefault("users", {"XRay": xray} if xray else {})
        return Progress(**arrays["meta"]["progress"]), arrays
    except DAMAGED:
        raise RunError(f"{path}: is damaged: the training cannot be resumed from it") from None


def restore_model(arrays: dict[str, Any], path: Path, model: Any) -> None:
    """Set the model's and the optimizer's variables.

    Raises:
        RunError: The state is of another model.
    """
    for kind, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        count = sum(name.startswith(f"{kind}_") for name in arrays)
        if count != len(variables):
            raise RunError(f"{path}: holds {count} {kind} variables, {len(variables)} are expected")
        for i, variable in enumerate(variables):
            if arrays[f"{kind}_{i}"].shape != tuple(variable.shape):
                raise RunError(f"{path}: {variable.path} has another shape in it")
            variable.assign(arrays[f"{kind}_{i}"])


def restore_callbacks(arrays: dict[str, Any], callbacks: list[Any]) -> None:
    """Give the callbacks back what they remembered; after their own `on_train_begin`."""
    for number, (callback, memory) in enumerate(
        zip(callbacks, arrays["meta"]["callbacks"], strict=True)
    ):
        for key, value in memory.items():
            if hasattr(callback, key):
                setattr(callback, key, value)
        best = [name for name in arrays if name.startswith(f"best_{number}_")]
        if best:
            callback.best_weights = [arrays[f"best_{number}_{i}"] for i in range(len(best))]


def restore_metrics(arrays: dict[str, Any], model: Any) -> None:
    """Set the half-summed metrics of an epoch that was interrupted."""
    for i, variable in enumerate(model.metrics_variables):
        if f"metric_{i}" in arrays:
            variable.assign(arrays[f"metric_{i}"])
