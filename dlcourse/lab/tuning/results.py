"""The result of a search: the best trial, the table, files and figures."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import UserError
from dlcourse.lab.tuning.search import Search, Trial
from dlcourse.lab.tuning.space import at_point, told
from dlcourse.pictures.figures import save
from dlcourse.runs import Run, write_rows, write_text
from dlcourse.runs.evaluation import metric_text
from dlcourse.text_table import text_table
from dlcourse.training import read_test

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
        _draw(search, {trial.value for trial in self.trials if trial.state == "complete"})
        return self


def result(search: Search) -> Tuning:
    """Return the result of a search whose trials have ended; the best is measured on test, once.

    Raises:
        UserError: No trial was completed.
    """
    trials = search.trials
    run, best = Run(Path(trials[0].run)), trials[0]
    if best.state != "complete":
        raise UserError(f"study '{search.name}': no trial was completed: {best.why}")
    with search.storage.lock():
        if run.finished and not run.test_read:
            read_test(run, search.dataset)
    recipe = at_point(search.recipe, best.settings)
    return Tuning(search, trials, recipe, run if run.finished else None)


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


def _draw(search: Search, values: set[float | None]) -> None:
    """Write Optuna's figures of the complete trials, which have these values."""
    from matplotlib import pyplot as plt
    from optuna.visualization import matplotlib as draw

    figures: dict[str, Any] = {"history": draw.plot_optimization_history}
    if len(values) > 3 and len(search.space) > 1:
        figures["importance"] = draw.plot_param_importances
    figures["parallel"] = draw.plot_parallel_coordinate
    size = (max(8, 1.8 * len(search.space)), 4.8)
    for name, plot in figures.items():
        style = {"figure.figsize": size, "figure.constrained_layout.use": True}
        with plt.rc_context(style), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an axis on which all trials have one value
            axes = plot(search.study, target_name=search.monitor)
            if name == "parallel":
                axes.set_xticklabels([search.monitor, *sorted(search.space)])  # it shortens them
            save(search.folder / f"{name}.png", axes.figure)
            plt.close(axes.figure)
