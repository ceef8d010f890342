"""Divergence: detected within the epoch, also if ReLU hides it.

In TensorFlow's CPU graphs ReLU turns NaN into 0, so the loss stays finite with NaN weights (Keras
3.15). Therefore the weights are also checked at the end of every epoch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe


@dataclass
class NotFinite(Exception):  # noqa: N818 - becomes a DivergedError with an explanation
    """A loss, weight or statistic became NaN or infinite.

    Attributes:
        what: Name of the quantity and its value.
        epoch: Epoch (from 0) in which it was detected.
        step: Number of steps done in this epoch.
        fit: `Fit` that was training, if it is known.
    """

    what: str
    epoch: int
    step: int
    fit: Any = None


def refuse_infinite(model: Any, logs: dict[str, float], epoch: int, step: int) -> None:
    """Raise NotFinite if a metric or a variable of the model is NaN or infinite."""
    for key, value in logs.items():
        if not np.isfinite(value):
            raise NotFinite(f"{key} became {value}", epoch, step)
    for variable in model.variables:
        values = np.asarray(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = values[~np.isfinite(values)].flat[0]
            name = "/".join(variable.path.split("/")[-2:])
            raise NotFinite(f"{name} became {bad}", epoch, step)


def explanation(
    recipe: Recipe, fault: NotFinite, rate: float, *, kept_epoch: int, fine_tuning: bool = False
) -> str:
    """Return when and how the training diverged, which weights are kept and what to try."""
    training = recipe.training
    tries = [f"training.learning_rate={training.learning_rate / 10:g}"]
    if fine_tuning:  # its learning rate is a multiple of the recipe's
        tries = [f"model.fine_tuning_rate={recipe.model.fine_tuning_rate / 10:g}"]
    if training.clip_norm is None and training.clip_value is None:
        tries.append("training.clip_norm=1")
    kept = f"the weights of epoch {kept_epoch}" if kept_epoch else "the first weights"
    return (
        f"{fault.what} in epoch {fault.epoch + 1}, by step {fault.step}, at learning rate "
        f"{rate:.3g}; {kept} are kept; try {' or '.join(tries)}"
    )
