"""The fits of a recipe in order: usually one; on a frozen base the head, then fine-tuning.

Each fit has its own state, so an interrupted training resumes in the stage where it stopped.
"""

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.files import write_file
from dlcourse.heavy import keras
from dlcourse.models.transfer import FEATURES, base_weights, head_alone, unfreeze
from dlcourse.runs import Run
from dlcourse.runs.state import BASE, FINE_TUNING
from dlcourse.training.divergence import NotFinite
from dlcourse.training.features import features
from dlcourse.training.fitting import Fit
from dlcourse.training.preparation import Prepared, compile_model
from dlcourse.training.watch import Watch


def fit_stages(
    recipe: Recipe,
    prepared: Prepared,
    run: Run,
    watch: Watch | None = None,
    *,
    finish: bool = False,
) -> Fit:
    """Return the last fit of a recipe, trained; its `best_weights` belong to `prepared.model`.

    With `finish`, it is as the last process left it.

    Raises:
        InterruptedTraining: `watch.stop` requested it; the state is saved.
        NotFinite: A value is NaN or infinite; the error's `fit` is the fit in which it happened.
    """
    watch, first = watch or Watch(), prepared
    if getattr(recipe.model, "cache_features", False):  # the head alone, on the outputs of its base
        first = _on_features(recipe, prepared, run.path.parent / "cache", watch)
        if not (run.path / BASE).exists():
            write_file(run.path / BASE, lambda path: np.savez(path, *first.frozen_weights))
    fit = Fit(recipe, first, run, watch)
    if not finish:
        _train(fit)
    further = (run.path / FINE_TUNING).exists() or not finish
    if getattr(recipe.model, "trainable_layers", 0) and further:
        fit = _fine_tuning(fit, prepared)
        if not finish:
            _train(fit)
    return fit


def _train(fit: Fit) -> None:
    if fit.resumed and not fit.done:
        fit.watch.tell(f"resuming after epoch {fit.progress.epoch}, step {fit.progress.step}")
    if fit.resumed and fit.progress.stopped:
        fit.watch.tell(f"stopped early in epoch {fit.progress.epoch}: it is not trained further")
    try:
        fit.train()
    except NotFinite as fault:
        fault.fit = fit
        raise


def _on_features(recipe: Recipe, prepared: Prepared, cache: Path, watch: Watch) -> Prepared:
    """Return the compiled head alone, with the outputs of the frozen base as its data.

    Args:
        recipe, prepared: Recipe and data of a model on a frozen base.
        cache: Folder of the cached features.
        watch: Receiver of the report on the features' cost.
    """
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
    """Return the fit of the last base layers and the head, starting from the best head."""
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
    """Return the SHA-256 of the initial weights of a transfer's base, in hexadecimal."""
    return hashlib.sha256(b"".join(array.tobytes() for array in base_weights(model))).hexdigest()
