"""Train a recipe: prepare, fit, evaluate, save. `train(recipe) -> Run`, `resume(run) -> Run`."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dlcourse.configuration.recipe import R, Recipe, run_recipe
from dlcourse.datasets import Dataset, fingerprint
from dlcourse.datasets.dataset import PARTS
from dlcourse.datasets.given import keep
from dlcourse.errors import DivergedError, RecipeError, RunError
from dlcourse.files import write_file
from dlcourse.heavy import keras
from dlcourse.pictures.figures import save_figures
from dlcourse.runs import Run, create_run, locked, sha256, write_history, write_sealed, write_text
from dlcourse.runs.environment import environment
from dlcourse.runs.evaluation import evaluate
from dlcourse.runs.likeness import write_likeness
from dlcourse.runs.measured import FILE as EXAMPLES
from dlcourse.runs.measured import write_digests
from dlcourse.runs.naive import naive_errors
from dlcourse.runs.state import ARCHITECTURE, BASE
from dlcourse.schema import flat
from dlcourse.training.distributed import agree, distribution, sharers
from dlcourse.training.divergence import NotFinite, explanation
from dlcourse.training.fitting import Fit
from dlcourse.training.preparation import Prepared, describe, prepare
from dlcourse.training.stages import base_fingerprint, fit_stages
from dlcourse.training.watch import Report, StopRequest, UserCallbacks, Watch


def train(
    recipe: Recipe,
    runs: str | Path = "runs",
    *,
    name: str | None = None,
    report: Report | None = None,
    bar: bool = True,
    stop: StopRequest | None = None,
    callbacks: Any = (),
    dataset: Dataset | None = None,
    test: bool = True,
) -> Run:
    """Return the run of a recipe: trained, evaluated and saved.

    Args:
        recipe: Recipe to train.
        runs: Folder of all runs; nothing is written before the recipe and the data are checked.
        name: Name of the run directory; None gives `<recipe>-<time>`.
        report: Function that is called with the device and the layers, then with one line per
            epoch.
        bar: Whether to show Keras' progress bar.
        stop: Request that makes the training save its state and stop; None for no request.
        callbacks: Keras callbacks, or a single one (see `watch.UserCallbacks`). The recipe decides
            which weights are kept (`training.restore_best_weights`).
        dataset: Data set of the recipe, if it is loaded already.
        test: Whether to measure on the test split; without it, no figures are drawn either.

    Raises:
        RecipeError, DatasetError: See `prepare`.
        RunError: The name of the run exists already, or its folder cannot be written.
        DivergedError: The loss, a weight or a statistic became NaN or infinite.
        InterruptedTraining: `stop` requested it.
    """
    watch = Watch(report, bar, stop, UserCallbacks(callbacks))
    with distribution(recipe):
        prepared = prepare(recipe, dataset)
        run = create_run(runs, recipe.name, name)
        recipe = with_its_data(recipe, run)
        with locked(run):
            watch.tell(describe(prepared, recipe.training.device))
            return _train(recipe, prepared, run, watch, test=test)


def with_its_data(recipe: R, run: Run) -> R:
    """Return the recipe with the data that was given in Python copied into the run."""
    path = keep(getattr(recipe.dataset, "path", ""), run.path)
    dataset = recipe.dataset.model_copy(update={"path": path})
    return recipe.model_copy(update={"dataset": dataset}) if path else recipe


def resume(
    run: Run,
    recipe: Recipe | None = None,
    *,
    finish: bool = False,
    report: Report | None = None,
    bar: bool = True,
    stop: StopRequest | None = None,
    callbacks: Any = (),
    test: bool = True,
) -> Run:
    """Return the run, trained to the end exactly as if it had never been interrupted.

    Args:
        run: Interrupted or killed run; a finished run is returned unchanged.
        recipe: Recipe of the run, also with more `training.epochs`; None takes it from the run.
        finish: Whether to evaluate and save the run as it is, without training; it can be resumed
            later.
        report, bar, stop, callbacks, test: Arguments of `train`; callbacks get back their saved
            state.

    Raises:
        RecipeError: The recipe differs in more than `training.epochs`.
        RunError: Another process trains this run, its data has changed, or its state is damaged.
        DatasetError, DivergedError, InterruptedTraining: See `train`.
    """
    watch = Watch(report, bar, stop, UserCallbacks(callbacks))
    run.forget()
    stored = run_recipe(run)
    wanted = recipe or stored
    with locked(run), distribution(wanted):
        if "ensemble" in stored.left_out:
            raise RunError(f"{run.path}: cannot be resumed: ensembles were removed in 0.2")
        _refuse_changes(stored, wanted, run)
        if sharers()[2] > 1:  # each process has a copy
            files = sorted(run.path.glob("*.npz"))
            agree("another copy of the run", "".join(map(sha256, files)).encode())
        early = run.finished and run.metrics.get("interrupted", False)
        if run.finished and wanted == stored and (finish or not early):
            watch.tell(f"{run.path} is finished: there is nothing left to train")
            return run
        begun = (run.path / "dataset.json").exists()
        own = begun and hasattr(wanted.dataset, "path")  # a file may have grown since
        prepared = prepare(wanted, run.load_dataset() if own else None)
        if begun and run.facts.fingerprint != fingerprint(prepared.dataset):
            raise RunError(f"{run.path}: the data has changed since this training began")
        _refuse_another_base(run, prepared, wanted)
        if wanted != stored or early:  # before the recipe changes: a finished run trained them all
            (run.path / "metrics.json").unlink(missing_ok=True)
        watch.tell(describe(prepared, wanted.training.device))
        return _train(wanted, prepared, run, watch, finish=finish, test=test)


def _refuse_another_base(run: Run, prepared: Prepared, recipe: Recipe) -> None:
    if not recipe.base or not (run.path / "environment.json").exists():
        return
    if run.environment.get("base") not in (None, base_fingerprint(prepared.model)):
        reason = f"{run.path}: its base {recipe.base} has changed since it began (start a new run)"
        raise RunError(reason)


def _refuse_changes(stored: Recipe, wanted: Recipe, run: Run) -> None:
    """Raise a RecipeError unless the recipes are equal except for more epochs."""
    before, after = (
        {key: value for key, value in flat(recipe.model_dump()).items() if type(value) is not dict}
        for recipe in (stored, wanted)
    )
    names = sorted(key for key in before | after if before.get(key) != after.get(key))
    epochs = "training.epochs"
    fewer = stored.training.epochs > wanted.training.epochs
    if set(names) - {epochs} or fewer:
        listed = ", ".join(f"{key} {before.get(key)} → {after.get(key)}" for key in names)
        reason = f"{run.path}: a resumed run may only have more training.epochs; changed: {listed}"
        raise RecipeError(reason)
    laid_out = {
        "list of batch sizes": isinstance(stored.training.batch_size, tuple),
        "schedule": stored.training.schedule is not None,
        "clean_epochs": stored.training.clean_epochs,
        "fine-tuning": getattr(stored.model, "trainable_layers", 0),
    }
    if names and (what := next((name for name, there in laid_out.items() if there), None)):
        reason = f"{run.path}: training.epochs: its {what} is planned for {stored.training.epochs} "
        reason += "epochs: start a new run for more"
        raise RecipeError(reason)


def _train(
    recipe: Recipe, prepared: Prepared, run: Run, watch: Watch, *, finish: bool = False, test: bool
) -> Run:
    """Fit from the state of the run, then finish the run; with `finish`, only the latter."""
    _record(recipe, prepared, run)
    watch.callbacks.begin(run, prepared, recipe.training.epochs)
    try:
        fit = fit_stages(recipe, prepared, run, watch, finish=finish)
    except NotFinite as fault:
        message = _explain(fault.fit, fault)
        _finish(fault.fit, prepared, test, diverged=message)
        raise DivergedError(f"{run.path}: diverged: {message}") from None
    if finish and not fit.progress.epoch + fit.progress.step:
        raise RunError(f"{run.path}: nothing was trained yet: leave --finish out")
    watch.callbacks.end({key: values[-1] for key, values in fit.progress.history.items()})
    _finish(fit, prepared, test, **({"interrupted": True} if finish and not fit.done else {}))
    run.forget()
    return Run(run.path)


def _record(recipe: Recipe, prepared: Prepared, run: Run) -> None:
    """Write what `record` does, the architecture of the model and a digest of each example."""
    base = {"base": base_fingerprint(prepared.model)} if recipe.base else {}
    devices, _, processes = sharers()
    record(run, recipe, prepared.dataset, devices=devices, processes=processes, **base)
    write_sealed(run.path / ARCHITECTURE, json.loads(prepared.model.to_json()))
    if not (run.path / EXAMPLES).exists():
        write_digests(run.path, prepared.dataset)


def record(run: Run, recipe: Any, dataset: Any, **seen: Any) -> None:
    """Write the recipe, the environment and the facts of the data, to detect later changes."""
    facts = replace(dataset.facts, fingerprint=fingerprint(dataset))
    seen = {"seed": recipe.seed, "data": facts.fingerprint, **seen}
    facts_path = run.path / "dataset.json"
    facts_path.unlink(missing_ok=True)  # it records the recipe's SHA-256
    write_text(run.path / "recipe.yaml", recipe.to_yaml())
    write_sealed(run.path / "environment.json", {**environment(), **seen})
    recorded = {"recipe_sha256": sha256(run.path / "recipe.yaml")}
    write_sealed(facts_path, {**asdict(facts), **recorded})


def _explain(fit: Fit, fault: NotFinite) -> str:
    """Return a text on the divergence; restore the fit to the end of its last, finite epoch.

    A state inside an epoch may hold weights that are finite but overflow when they are used.
    """
    rate = float(fit.model.optimizer.learning_rate)
    fit.load(epoch_end=True)
    _, kept = fit.best_weights()
    fine = fit.previous is not None
    return explanation(fit.recipe, fault, rate, kept_epoch=kept, fine_tuning=fine)


def _finish(fit: Fit, prepared: Prepared, test: bool, **marks: Any) -> None:
    """Evaluate the kept weights and save the model, the figures and, last, the metrics.

    Of several processes the first does it, on one device.
    """
    progress, run, (_, number, _) = fit.progress, fit.run, sharers()
    keras.distribution.set_distribution(None)
    if number:
        return
    model, best_epoch = kept_model(fit, prepared)
    metrics, predicted = evaluate(model, prepared.dataset, PARTS if test else PARTS[:-1])
    write_file(run.path / "model.keras", model.save)
    if history := progress.history:
        write_history(run.path / "history.csv", history)
    if test:
        draw(run, prepared.dataset, history, best_epoch, predicted)
    facts = {
        "parameters": model.count_params(),
        "epochs_run": progress.epoch,
        "best_epoch": best_epoch,
        "seconds": round(progress.seconds, 3),
        "cpu_seconds": round(progress.cpu_seconds, 3),
        **marks,
        "model_sha256": sha256(run.path / "model.keras"),
    }
    if test and (naive := naive_errors(prepared.dataset)):
        facts["naive"] = naive
    if not test:
        facts |= {"test": {}, "test_read": False}
    write_sealed(run.path / "metrics.json", {**metrics, **facts})
    (run.path / BASE).unlink(missing_ok=True)  # it is in the model


def read_test(run: Run, dataset: Dataset) -> None:
    """Measure a run that was trained without reading the test split on it, and draw its figures."""
    metrics, predicted = evaluate(run.model, dataset, PARTS[-1:])
    draw(run, dataset, run.history, run.metrics["best_epoch"], predicted)
    naive = {"naive": naive} if (naive := naive_errors(dataset)) else {}
    told = {key: value for key, value in run.metrics.items() if key != "test_read"}
    write_sealed(run.path / "metrics.json", {**told, **metrics, **naive})
    run.forget()


def draw(run: Run, dataset: Dataset, history: Any, best_epoch: int, predicted: Any) -> None:
    """Draw the figures of a run and write what the distance of new images is measured with."""
    if history:
        save_figures(run.path / "figures", dataset, history, best_epoch, predicted)
    write_likeness(run.path, dataset)


def kept_model(fit: Fit, prepared: Prepared) -> tuple[Any, int]:
    """Return the uncompiled model with the weights that a fit keeps, and their epoch (from 1).

    A compiled model would be saved with its optimizer, at two to three times the size.
    """
    weights, epoch = fit.best_weights()
    model = type(prepared.model).from_config(prepared.model.get_config())
    model.set_weights(weights)
    return model, epoch
