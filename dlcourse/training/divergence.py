"""Divergence: detected within the epoch, also if ReLU hides it, and explained.

In TensorFlow's CPU graphs ReLU turns NaN into 0, so the loss stays finite with NaN weights (Keras
3.15). Therefore the weights are also checked at the end of every epoch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.heavy import keras
from dlcourse.training.preparation import Prepared, fit_epochs, loss_weights

CHUNK = 32  # steps that are repeated at a time
SHOWN = 6  # gradient norms in the message


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


def gradient_norms(
    recipe: Recipe, prepared: Prepared, *, epoch: int, first_step: int, last_step: int
) -> list[float]:
    """Return the global norm of the gradient at each step, up to the first that is not finite.

    The epoch is repeated from `first_step`; the model must hold the state of that step. Compiled
    code runs a few steps at a time until a weight is not finite or no step is left. These steps run
    once more, eagerly, with the optimizer's `apply` recorded. Only Keras' API is used. The model
    stays diverged.
    """
    model: Any = prepared.model_in(recipe, epoch)
    norms: list[float] = []
    apply = model.optimizer.apply
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    averaging, inner.use_ema = inner.use_ema, False  # else fit ends with the averaged weights

    def record(grads: Any, trainable_variables: Any = None) -> Any:
        squares = [float(np.sum(np.square(np.asarray(grad, "float64")))) for grad in grads]
        norms.append(float(np.sqrt(sum(squares))))
        return apply(grads, trainable_variables)

    with np.errstate(all="ignore"):  # the overflow is expected
        at_once = CHUNK if keras.backend.backend() == "tensorflow" else 1
        options = {"loss": model.loss, "loss_weights": loss_weights(prepared.dataset)}
        model.compile(model.optimizer, **options, steps_per_execution=at_once)
        for begin in range(first_step, last_step, CHUNK):
            end = min(begin + CHUNK, last_step)
            variables = [*model.variables, *model.optimizer.variables]
            before = [np.asarray(variable).copy() for variable in variables]
            fit_epochs(recipe, prepared, epoch, (begin, end))
            finite = all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
            if finite and end < last_step:
                continue
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            model.compile(model.optimizer, **options, run_eagerly=True)
            model.optimizer.apply = record
            try:
                fit_epochs(recipe, prepared, epoch, (begin, end))
            finally:
                model.optimizer.apply = apply
            break
    inner.use_ema = averaging
    finite = next((i for i, norm in enumerate(norms) if not np.isfinite(norm)), len(norms) - 1)
    return norms[: finite + 1]


def explanation(
    recipe: Recipe,
    fault: NotFinite,
    rate: float,
    norms: list[float],
    *,
    kept_epoch: int,
    fine_tuning: bool = False,
) -> str:
    """Return when and how the training diverged, which weights are kept and what to try."""
    training = recipe.training
    course = ", ".join(f"{norm:.3g}" for norm in norms[-SHOWN:])
    tries = [f"training.learning_rate={training.learning_rate / 10:g}"]
    if fine_tuning:  # its learning rate is a multiple of the recipe's
        tries = [f"model.fine_tuning_rate={recipe.model.fine_tuning_rate / 10:g}"]
    if training.clip_norm is None and training.clip_value is None:
        tries.append("training.clip_norm=1")
    kept = f"the weights of epoch {kept_epoch}" if kept_epoch else "the first weights"
    return (
        f"{fault.what} in epoch {fault.epoch + 1}, by step {fault.step}, at learning rate "
        f"{rate:.3g}; gradient norm before: {course or 'unknown'}; {kept} are kept; "
        f"try {' or '.join(tries)}"
    )
