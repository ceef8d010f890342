"""Divergence: found within the epoch, also where ReLU hides it, and explained.

On TensorFlow's CPU graphs ReLU turns NaN into 0: with NaN weights the loss stays finite (Keras
3.15). So the weights are looked at too, at the end of every epoch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.batches import training_batches
from dlcourse.recipe import Recipe
from dlcourse.training.preparation import Prepared, targets

WINDOW = 20  # steps before the divergence whose gradients are shown
SHOWN = 6


@dataclass
class NotFinite(Exception):  # noqa: N818 - turned into a DivergedError where it is explained
    """Something became NaN or infinite: what, in which epoch (from 0), after how many steps."""

    what: str
    epoch: int
    step: int


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
    """Return the global norm of the gradient at each of the last steps before a divergence.

    The model must hold the state at `first_step` of `epoch`; it is trained again from there, and
    is left diverged. Only Keras' API is used: the optimizer's own `apply` is listened to.
    """
    dataset, model = prepared.dataset, prepared.model
    y = targets(model, recipe, dataset, "train")
    start = max(first_step, last_step - WINDOW)
    norms: list[float] = []
    apply = model.optimizer.apply

    def listen(grads: Any, trainable_variables: Any = None) -> Any:
        squares = [float(np.sum(np.square(np.asarray(grad, "float64")))) for grad in grads]
        norms.append(float(np.sqrt(sum(squares))))
        return apply(grads, trainable_variables)

    def replay(begin: int, end: int, *, eagerly: bool) -> None:
        batches, order = training_batches(
            dataset.x_train,
            y,
            batch_size=recipe.training.batch_size,
            seed=recipe.seed,
            first_step=begin,
            last_step=end,
        )
        model.compile(model.optimizer, model.loss, run_eagerly=eagerly)
        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            class_weight=prepared.class_weights,
            callbacks=[order],
            shuffle=False,
            verbose=0,
        )

    with np.errstate(all="ignore"):  # the numbers overflow: that is what is shown
        if start > first_step:
            replay(first_step, start, eagerly=False)
        model.optimizer.apply = listen
        try:
            replay(start, last_step, eagerly=True)
        finally:
            model.optimizer.apply = apply
    finite = next((i for i, norm in enumerate(norms) if not np.isfinite(norm)), len(norms) - 1)
    return norms[: finite + 1]


def explanation(recipe: Recipe, fault: NotFinite, rate: float, norms: list[float]) -> str:
    """Return when and how the training diverged and what to try."""
    training = recipe.training
    course = ", ".join(f"{norm:.3g}" for norm in norms[-SHOWN:])
    tries = [f"training.learning_rate={training.learning_rate / 10:g}"]
    if training.clip_norm is None and training.clip_value is None:
        tries.append("training.clip_norm=1")
    kept = f"the weights of epoch {fault.epoch}" if fault.epoch else "the first weights"
    return (
        f"{fault.what} in epoch {fault.epoch + 1}, by step {fault.step}, at learning rate "
        f"{rate:.3g}; gradient norm before: {course or 'unknown'}; {kept} are kept; "
        f"try {' or '.join(tries)}"
    )
