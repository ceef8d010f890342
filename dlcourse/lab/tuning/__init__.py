"""A search for the settings of a recipe: trials on train and validation, the best on test."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import UserError
from dlcourse.files import make_folder
from dlcourse.lab.tuning.results import Tuning, result
from dlcourse.lab.tuning.search import Search, Trial
from dlcourse.lab.tuning.space import read_space
from dlcourse.lab.tuning.storage import Storage
from dlcourse.runs import Run, check_name
from dlcourse.schema import Natural, Positive, checked
from dlcourse.training import prepare, with_its_data

__all__ = ["Trial", "Tuning", "tune"]


@checked
def tune(
    recipe: Any,
    space: Any,
    *,
    trials: Positive,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    workers: Positive = 1,
    storage: str | None = None,
    study: str | None = None,
    runs: str | Path = "runs",
    against_random: bool = False,
    seeds: Natural = 0,
    report: Callable[[Trial], None] | None = None,
) -> Tuning:
    """Return the result of a search for the settings that give the best validation value.

    Each trial is a run that does not read the test split; the best one alone is measured on it. The
    validation value is `val_loss`, without weight penalty and label smoothing, or the one that
    `training.early_stopping.monitor` names. The same call goes on with a search that was stopped.

    Args:
        recipe: Recipe as `dlcourse.recipe` takes it.
        space: Name of a shipped space, a YAML file, or a mapping: dotted names of settings to
            `{"low": …, "high": …, "log": True}` or `{"choices": […]}`.
        trials: Number of trials that end, complete or pruned.
        sampler: Way to choose the settings of a trial: `tpe` (from the trials so far), `random` or
            `grid`.
        pruner: Rule that ends a bad trial early: `median`, `hyperband` or `none`.
        workers: Number of processes that run trials.
        storage: URL of the database, see `Storage`. None for SQLite in the folder of the study.
        study: Name of the study. None for `tune-<recipe>`.
        runs: Folder of all runs; the study gets a folder of its own in it.
        against_random: Whether to repeat the search with random settings.
        seeds: Number of further seeds with which the recipe and the best are trained; 0 for none.
        report: Function called after each trial.

    Raises:
        RecipeError, DatasetError: The recipe, the space or the data is not valid.
        UserError: Optuna is not installed, the study is that of another search, a worker failed, or
            no trial was completed.

    Example:
        >>> tuning = dl.tune("digits_dnn", {"model.dropout": {"low": 0.0, "high": 0.6}}, trials=20)
        >>> run = dl.fit(tuning.recipe)
    """
    recipe = recipe_of(recipe)
    name = study or f"tune-{recipe.name}"
    check_name(runs, None)
    check_name("", name)
    folder = Path(runs).expanduser() / name
    database = Storage(storage or f"sqlite:///{folder / 'study.db'}")
    searched, recipes = read_space(space, recipe)
    if pruner != "none" and "training.label_smoothing" in searched:
        if getattr(recipe.training.early_stopping, "monitor", "val_loss") == "val_loss":
            reason = "the val_loss of an epoch contains it: give --pruner none, or decide by "
            reason += "training.early_stopping.monitor=val_accuracy"
            raise UserError(f"training.label_smoothing: {reason}")
    dataset = prepare(recipe).dataset
    for each in recipes:
        each.refuse_conflicts(dataset.facts)
    recipe = with_its_data(recipe, Run(make_folder(folder)))
    search = Search(name, recipe, searched, sampler, pruner, database, folder, dataset)
    ended = _run(search, trials, workers, report)
    tuning = result(search, ended, workers)
    if against_random:
        part = {"name": f"{name}-random", "sampler": "random", "folder": folder / "random"}
        other = _run(replace(search, **part), trials, workers, report)
        tuning = replace(tuning, random=tuple(other))
    if seeds:
        tuning = replace(tuning, seeds=_seeds(search, tuning.recipe, seeds, workers, report))
    return tuning.save()


def _run(search: Search, trials: int, workers: int, report: Any) -> list[Trial]:
    """Return the trials of a search, once all have ended."""
    told = set()

    def tell() -> None:
        for trial in search.trials if report else ():
            if trial.number not in told:
                told.add(trial.number)
                report(trial)

    search.create(trials)
    tell()
    search.run(workers, tell)
    return search.trials


def _seeds(
    search: Search, best: Recipe, seeds: int, workers: int, report: Any
) -> dict[str, list[float]]:
    """Return the validation values with further seeds, of the recipe and of the best."""
    space = {"seed": {"choices": [search.recipe.seed + k + 1 for k in range(seeds)]}}
    values = {}
    for kind, recipe in (("recipe", search.recipe), ("best", best)):
        part = {"name": f"{search.name}-seeds-{kind}", "folder": search.folder / f"seeds-{kind}"}
        part |= {"recipe": recipe, "space": space, "sampler": "grid", "pruner": "none"}
        ended = _run(replace(search, **part), seeds, workers, report)
        values[kind] = [trial.value for trial in ended if trial.state == "complete"]
    return values
