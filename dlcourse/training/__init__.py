"""Train a recipe: prepare, fit, evaluate, save. `train(recipe) -> Run`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcourse.datasets import Dataset, fingerprint
from dlcourse.environment import environment
from dlcourse.evaluation import evaluate
from dlcourse.figures import save_figures
from dlcourse.recipe import Recipe
from dlcourse.runs import Run, create_run, write_file, write_json, write_text
from dlcourse.training.fitting import Fitted, fit
from dlcourse.training.preparation import Prepared, build, compile_model, describe, prepare

__all__ = ["Fitted", "Prepared", "compile_model", "describe", "fit", "prepare", "train"]


def train(
    recipe: Recipe,
    runs: str | Path = "runs",
    *,
    name: str | None = None,
    recipe_name: str = "run",
    report: Callable[[str], None] | None = None,
    bar: bool = True,
) -> Run:
    """Return the run of a recipe: trained, evaluated and saved.

    Args:
        recipe: what to train.
        runs: the folder of all runs; nothing is written before the recipe and data are good.
        name: the run directory's name; None makes `<recipe_name>-<time>`.
        recipe_name: the start of that name.
        report: called with a line an epoch, and with the device and layers before.
        bar: show Keras' progress bar.

    Raises:
        RecipeError, DatasetError: see `prepare`.
        RunError: the run's name is taken, or its folder cannot be written.
        DivergedError: the loss became NaN or infinite.
    """
    prepared = prepare(recipe)
    if report:
        report(describe(prepared))
    run = create_run(runs, recipe_name, name)
    write_text(run.path / "recipe.yaml", recipe.to_yaml())
    write_json(run.path / "environment.json", {**environment(), "seed": recipe.seed})
    write_json(run.path / "dataset.json", _dataset_facts(prepared.dataset))
    fitted = fit(recipe, prepared, run, report, bar)
    _save(recipe, prepared, run, fitted)
    return Run(run.path)


def _dataset_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "task": dataset.task,
        "input_shape": dataset.input_shape,
        "examples": {part: len(y) for part, (_, y) in dataset.splits.items()},
        "value_range": dataset.value_range,
        "class_names": dataset.class_names,
        "feature_names": dataset.feature_names,
        "target_name": dataset.target_name,
        "encoding": dict(dataset.encoding),
        "fingerprint": fingerprint(dataset),
    }


def _save(recipe: Recipe, prepared: Prepared, run: Run, fitted: Fitted) -> None:
    dataset = prepared.dataset
    model = build(recipe, dataset, augmented=False)
    model.set_weights(prepared.model.get_weights())
    metrics, predicted = evaluate(model, dataset)
    write_file(run.path / "model.keras", model.save)
    save_figures(run.path / "figures", dataset, fitted.history, fitted.best_epoch, predicted)
    write_json(
        run.path / "metrics.json",
        {
            **metrics,
            "parameters": model.count_params(),
            "epochs_run": len(fitted.history["loss"]),
            "best_epoch": fitted.best_epoch,
            "seconds": round(fitted.seconds, 3),
            "cpu_seconds": round(fitted.cpu_seconds, 3),
        },
    )
