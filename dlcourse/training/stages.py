"""A recipe's fits, one after the other: one for most; on a frozen base the head, then fine-tuning.

Each keeps its own state, so that an interrupted training goes on in the stage that it was in.
"""

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcourse.configuration.recipe import Recipe
from dlcourse.models.transfer import FEATURES, base_weights, head_alone, unfreeze
from dlcourse.runs import Run
from dlcourse.training.divergence import NotFinite
from dlcourse.training.features import features
from dlcourse.training.fitting import Fit
from dlcourse.training.preparation import Prepared, compile_model
from dlcourse.training.watch import Watch

FINE_TUNING = "fine_tuning.npz"


def fit_stages(recipe: Recipe, prepared: Prepared, run: Run, watch: Watch | None = None) -> Fit:
    """Return the last of a recipe's fits, trained; its `best_weights` are of `prepared.model`.

    Raises:
        InterruptedTraining: `watch.stop` asked for it; the state is saved.
        NotFinite: Something is NaN or infinite; `fit` tells in which fit.
    """
    watch, first = watch or Watch(), prepared
    if getattr(recipe.model, "cache_features", False):  # the head alone, on what its base gives
        first = _on_features(recipe, prepared, run.path.parent / "cache", watch)
    fit = Fit(recipe, first, run, watch)
    _train(fit)
    if getattr(recipe.model, "trainable_layers", 0):
        fit = _fine_tuning(fit, prepared)
        _train(fit)
    return fit


def _train(fit: Fit) -> None:
    if fit.resumed and not fit.done:
        fit.watch.tell(f"going on after epoch {fit.progress.epoch}, step {fit.progress.step}")
    if fit.resumed and fit.progress.stopped:
        fit.watch.tell(f"stopped early in epoch {fit.progress.epoch}: it is not trained further")
    try:
        fit.train()
    except NotFinite as fault:
        fault.fit = fit
        raise


def _on_features(recipe: Recipe, prepared: Prepared, cache: Path, watch: Watch) -> Prepared:
    """Return the head alone, compiled, and what the frozen base makes of the data.

    Args:
        recipe, prepared: Of a model on a frozen base.
        cache: The folder that keeps the features.
        watch: Who is told what they cost.
    """
    import keras

    model, dataset = prepared.model, prepared.dataset
    start = time.process_time()
    base = keras.Model(model.inputs, model.get_layer(FEATURES).output)
    rows = {
        f"x_{part}": features(base, FEATURES, x, cache=cache)
        for part, (x, _) in dataset.splits.items()
        if part != "test"
    }
    values, seconds = rows["x_train"].shape[1], time.process_time() - start
    watch.tell(f"features: {values:,} per example, in {seconds:.1f} CPU-s, kept in {cache}")
    head = replace(prepared, model=head_alone(model), dataset=replace(dataset, **rows))
    compile_model(head, recipe)
    return replace(head, frozen_weights=base_weights(model))


def _fine_tuning(head: Fit, prepared: Prepared) -> Fit:
    """Return the fit of the base's last layers and the head, from the head's best weights on."""
    model, training = head.recipe.model, head.recipe.training
    names = unfreeze(prepared.model, model.trainable_layers)
    changed = {
        "epochs": head.progress.epoch + model.fine_tuning_epochs,
        "learning_rate": training.learning_rate * model.fine_tuning_rate,
        "schedule": None,
        "batch_size": training.batch_size_in(training.epochs - 1),
    }
    recipe = head.recipe.model_copy(update={"training": training.model_copy(update=changed)})
    compile_model(prepared, recipe)
    rate = f"{changed['learning_rate']:g}"
    head.watch.tell(f"fine-tuning: {', '.join(names)} and the head, learning rate {rate}")
    return Fit(recipe, prepared, head.run, head.watch, file=FINE_TUNING, previous=head)


def base_fingerprint(model: Any) -> str:
    """Return the SHA-256 of the weights that a transfer begins with, in hexadecimal."""
    digest = hashlib.sha256()
    for array in base_weights(model):
        digest.update(array.tobytes())
    return digest.hexdigest()
