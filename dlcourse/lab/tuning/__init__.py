"""A search for the settings of a recipe: trials on train and validation, the best on test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import RecipeError, UserError
from dlcourse.files import make_folder
from dlcourse.lab import plots
from dlcourse.lab.tuning.search import Search, Trial
from dlcourse.lab.tuning.space import at_point, read_space, told
from dlcourse.lab.tuning.storage import Storage
from dlcourse.pictures.figures import save
from dlcourse.runs import NAME, Run, check_name, write_rows, write_text
from dlcourse.runs.evaluation import metric_text
from dlcourse.schema import Natural, Positive, checked
from dlcourse.text_table import text_table
from dlcourse.training import prepare, read_test, with_its_data

__all__ = ["Trial", "Tuning", "tune"]

SHOWN = 20


@dataclass(frozen=True)
class Tuning:
    """The result of a search; it prints as a table, best first.

    Attributes:
        search: Search that was run.
        trials: All trials: the complete ones, best first, then those that were ended early.
        recipe: Recipe of the best trial.
        run: Run of the best trial, measured on test; None if it is on another machine.
        random: Trials of a random search of the same size, in the same order, if there was one.
        seeds: Validation values with further seeds, of the `recipe` and of the `best`.
    """

    search: Search
    trials: list[Trial]
    recipe: Recipe
    run: Run | None
    random: list[Trial] = field(default_factory=list)
    seeds: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __str__(self) -> str:
        """The table, the best trial, what pruning saved, and how much was luck."""
        search, best = self.search, self.trials[0]
        head = ["trial", "state", search.monitor, "epochs", "s", "settings"]
        table = text_table(head, [cells(trial) for trial in self.trials[:SHOWN]])
        lines = {"best": f"trial {best.number}, {search.monitor} {metric_text(best.value)}"}
        lines |= {"test": _test(self.run), "pruning": saved(self.trials)}
        if self.random:
            value = metric_text(self.random[0].value)
            lines["random"] = f"{search.monitor} {value} is the best of as many random trials"
        for kind, values in self.seeds.items():
            spread = f" ± {metric_text(stdev(values))}" if len(values) > 1 else ""
            value = f"{metric_text(mean(values))}{spread}" if values else "diverged"
            text = f"{value} with {len(values)} further seeds"
            lines[kind] = "; ".join(filter(None, [lines.get(kind), text]))
        lines["folder"] = f"{search.folder}: best.yaml, trials.csv (all trials), figures"
        return "\n".join([table, "", *(f"{key:<9}{text}" for key, text in lines.items())])

    __repr__ = __str__

    def save(self) -> "Tuning":
        """Write `best.yaml`, `trials.csv` and the figures; return the result.

        Raises:
            WriteError: They cannot be written.
        """
        search, folder, best = self.search, self.search.folder, self.trials[0]
        value = f"{search.monitor} {metric_text(best.value)}"
        header = (
            f"# The best of {len(self.trials)} trials ({search.sampler}) of the study "
            f"{search.name}: {value} in trial {best.number}.\n"
            f"# Measured on test, which chose nothing: {_test(self.run)}.\n"
            f"# Searched: {told(best.settings)}.\n"
            f"# Command: python -m dlcourse.train --config {folder / 'best.yaml'}\n"
        )
        write_text(folder / "best.yaml", header + self.recipe.to_yaml())
        rows = [trial._asdict() | trial.settings for trial in self.trials]
        write_rows(folder / "trials.csv", [row for row in rows if row.pop("settings")])
        values = {trial.value for trial in self.trials if trial.state == "complete"}
        settings = sorted(search.space) * (len(values) > 3)
        for name, figure in plots.search_figures(search.study, search.monitor, settings).items():
            save(folder / f"{name}.png", figure)
        return self


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
        found, best = search.trials, search.trials[0]
        if best.state != "complete":
            raise UserError(f"study '{name}': no trial was completed: {best.why}")
        run = Run(Path(best.run))
        with database.lock():
            if run.finished and not run.test_read:
                read_test(run, dataset)
        chosen = at_point(recipe, best.settings)
        tuning = Tuning(search, found, chosen, run if run.finished else None)
        if against_random:
            other = _part(search, "random", sampler="random")
            other.run(trials, workers, report)
            tuning = replace(tuning, random=other.trials)
        further = {"seed": {"choices": [recipe.seed + k + 1 for k in range(seeds)]}}
        both, values = {"recipe": (recipe, ""), "best": (tuning.recipe, f"-{best.number}")}, {}
        for kind, (each, mark) in both.items() if seeds else ():
            part = {"recipe": each, "space": further, "sampler": "grid", "pruner": "none"}
            other = _part(search, f"seeds-{kind}{mark}", **part)  # with more trials, another best
            other.run(seeds, workers, report)
            values[kind] = [trial.value for trial in other.trials if trial.state == "complete"]
        return replace(tuning, seeds=values).save()


def _part(search: Search, part: str, **changed: Any) -> Search:
    """Return a further search beside a search, with a study and a folder of its own."""
    place = {"name": f"{search.name}-{part}", "folder": search.folder / part}
    return replace(search, **place, **changed)


def cells(trial: Trial) -> list[str]:
    """Return a trial as the cells of the table."""
    value = metric_text(trial.value) if trial.state in ("complete", "pruned") else ""
    epochs, seconds = f"{trial.epochs}/{trial.planned}", f"{trial.seconds:.1f}"
    return [str(trial.number), trial.state, value, epochs, seconds, told(trial.settings)]


def saved(trials: Sequence[Trial]) -> str:
    """Return what pruning saved, in words: at most what the trials had left to train."""
    pruned = [trial for trial in trials if trial.state == "pruned"]
    done, planned = sum(t.epochs for t in pruned), sum(t.planned for t in pruned)
    left = sum(t.seconds / t.epochs * (t.planned - t.epochs) for t in pruned)
    whole = left + sum(trial.seconds for trial in trials)
    epochs = f" after {done} of their {planned} epochs" * bool(pruned)
    ended = f"stopped {len(pruned)} of {len(trials)} trials{epochs}"
    return f"{ended}: at most {left:.1f} s of {whole:.1f} s of training saved"


def _test(run: Run | None) -> str:
    if run is None:
        return "not measured, because the run of the best trial is on another machine"
    return ", ".join(f"{key} {metric_text(v)}" for key, v in run.metrics["test"].items())
