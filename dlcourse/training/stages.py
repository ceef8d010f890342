"""A recipe's fits, one after the other: one for most, for `transfer` the head and the fine-tuning.

Each keeps its own state, so that an interrupted training goes on in the stage that it was in.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcourse.configuration.recipe import Recipe
from dlcourse.models.transfer import FEATURES, base_weights, head_alone, unfreeze
from dlcourse.runs import Run
from dlcourse.training.features import features
from dlcourse.training.fitting import Fit
from dlcourse.training.interruption import StopRequest
from dlcourse.training.preparation import Prepared, compile_model

FINE_TUNING = "fine_tuning.npz"


def stages(
    recipe: Recipe,
    prepared: Prepared,
    run: Run,
    report: Callable[[str], None] | None = None,
    bar: bool = False,
    stop: StopRequest | None = None,
) -> Iterator[Fit]:
    """Yield a recipe's fits; each is to be trained before the next is asked for.

    The last one's `best_weights` are those of `prepared.model`.
    """
    if recipe.model.name != "transfer":
        yield Fit(recipe, prepared, run, report, bar, stop)
        return
    first = prepared
    if recipe.model.cache_features:
        first = on_features(recipe, prepared, run.path.parent / "cache", report)
    fit = Fit(recipe, first, run, report, bar, stop)
    yield fit
    if recipe.model.trainable_layers:
        yield _fine_tuning(fit, prepared)


def on_features(
    recipe: Recipe,
    prepared: Prepared,
    cache: Path,
    report: Callable[[str], None] | None = None,
) -> Prepared:
    """Return the head alone, compiled, and what the frozen base makes of the data.

    Args:
        recipe, prepared: of a transfer.
        cache: the folder that keeps the features.
        report: told what they cost.
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
    if report:
        values, seconds = rows["x_train"].shape[1], time.process_time() - start
        report(f"features: {values:,} an example, in {seconds:.1f} CPU-s, kept in {cache}")
    head = head_alone(model)
    compile_model(head, recipe, dataset)
    known = base_weights(model)
    return replace(prepared, model=head, dataset=replace(dataset, **rows), front=known)


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
    compile_model(prepared.model, recipe, prepared.dataset)
    if head.report:
        rate = f"{changed['learning_rate']:g}"
        head.report(f"fine-tuning: {', '.join(names)} and the head, learning rate {rate}")
    options: dict[str, Any] = {"report": head.report, "bar": head.bar, "stop": head.stop}
    return Fit(recipe, prepared, head.run, **options, file=FINE_TUNING, before=head)


def base_fingerprint(model: Any) -> str:
    """Return the SHA-256 of the weights that a transfer begins with, in hexadecimal."""
    digest = hashlib.sha256()
    for array in base_weights(model):
        digest.update(array.tobytes())
    return digest.hexdigest()
