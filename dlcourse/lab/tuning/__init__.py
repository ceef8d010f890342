"""A search for the settings of a recipe: trials on train and validation, the best on test."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.errors import RecipeError, UserError
from dlcourse.files import make_folder
from dlcourse.lab.tuning.results import Tuning, result
from dlcourse.lab.tuning.search import Search, Trial
from dlcourse.lab.tuning.space import read_space
from dlcourse.lab.tuning.storage import Storage
from dlcourse.runs import NAME, Run, check_name
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
    pruner: Literal["median", "none"] = "median",
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
        pruner: Rule that ends a trial early: `median` (it is worse than the median of the others
            at the same epoch) or `none`.
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
    if not NAME.fullmatch(name):
        raise UserError(f"study '{name}': letters, digits, '.', '_' and '-' are expected")
    folder = Path(runs).expanduser() / name
    database = Storage(storage or f"sqlite:///{folder / 'study.db'}")
    searched, recipes = read_space(space, recipe)
    dataset = prepare(recipe).dataset
    for each in recipes:
        each.refuse_conflicts(dataset.facts)
    search = Search(name, folder, database, recipe, searched, sampler, pruner, dataset)
    by_loss = pruner == "median" and search.monitor == "val_loss"
    if by_loss and "training.label_smoothing" in searched:
        cure = "give --pruner none, or decide by training.early_stopping.monitor=val_accuracy"
        raise RecipeError(f"training.label_smoothing: an epoch's val_loss contains it: {cure}")
    search.points(trials)  # before anything is written
    with database.errors():
        recipe = with_its_data(recipe, Run(make_folder(folder)))
        search = replace(search, recipe=recipe)
        search.run(trials, workers, report)
        tuning = result(search)
        if against_random:
            other = _part(search, "random", sampler="random")
            other.run(trials, workers, report)
            tuning = replace(tuning, random=other.trials)
        further = {"seed": {"choices": [recipe.seed + k + 1 for k in range(seeds)]}}
        values = {}
        for kind, each in (("recipe", recipe), ("best", tuning.recipe)) if seeds else ():
            part = {"recipe": each, "space": further, "sampler": "grid", "pruner": "none"}
            other = _part(search, f"seeds-{kind}", **part)
            other.run(seeds, workers, report)
            values[kind] = [trial.value for trial in other.trials if trial.state == "complete"]
        return replace(tuning, seeds=values).save()


def _part(search: Search, part: str, **changed: Any) -> Search:
    """Return a further search beside a search, with a study and a folder of its own."""
    place = {"name": f"{search.name}-{part}", "folder": search.folder / part}
    return replace(search, **place, **changed)
