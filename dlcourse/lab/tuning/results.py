"""The result of a search: the best trial, the table, files and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import UserError
from dlcourse.lab import plots
from dlcourse.lab.tuning.search import Search, Trial
from dlcourse.lab.tuning.space import at_point, optuna, told
from dlcourse.pictures.figures import save
from dlcourse.pictures.view import drawn_by
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
        trials: All trials, best first; those that were ended early follow.
        best: Best trial.
        recipe: Recipe of the best trial.
        run: Run of the best trial, measured on test; None if it is on another machine.
        importances: Share of each setting in the differences between the complete trials (Watanabe
            et al. 2023, PED-ANOVA); empty if they are too few.
        random: Trials of a random search of the same size, if there was one.
        seeds: Validation values with further seeds, of the `recipe` and of the `best`.
    """

    search: Search
    trials: tuple[Trial, ...]
    best: Trial
    recipe: Recipe
    run: Run | None
    importances: Mapping[str, float]
    random: tuple[Trial, ...] = ()
    seeds: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __str__(self) -> str:
        """The table, the best trial, and what pruning saved."""
        search, head = self.search, ["trial", "state", self.search.monitor, "epochs", "s"]
        rows = [_row(trial) for trial in self.trials[:SHOWN]]
        more = len(self.trials) - SHOWN
        lines = [text_table([*head, "settings"], rows)]
        lines += [f"… {more} more in {search.folder / 'trials.csv'}"] * (more > 0)
        value = f"{search.monitor} {metric_text(self.best.value)}"
        told = {"study": f"{search.name}: {len(self.trials)} trials by {search.sampler}"}
        told |= {"pruning": saved(self.trials)} if search.pruner != "none" else {}
        told |= {"best": f"trial {self.best.number}, {value}: {search.folder / 'best.yaml'}"}
        told |= {"test": _test(self.run)}
        if self.random:
            other = metric_text(best_first(search, self.random)[0].value)
            told |= {"random": f"{search.monitor} {other} is the best of as many random trials"}
        if self.seeds:
            told |= {"seeds": _luck(self)}
        return "\n".join([*lines, "", *(f"{key:<9} {text}" for key, text in told.items())])

    __repr__ = __str__

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        told = {"study": self.search.name, "monitor": self.search.monitor, "best": self.best}
        told |= {"trials": self.trials, "random": self.random}
        plain = {key: _plain(value) for key, value in told.items()}
        more = {"importances": dict(self.importances), "seeds": dict(self.seeds)}
        return {**plain, **more, "test": self.run.metrics["test"] if self.run else None}

    def save(self) -> "Tuning":
        """Write `best.yaml`, `trials.csv` and the figures; return the result.

        Raises:
            WriteError: They cannot be written.
        """
        search, folder = self.search, self.search.folder
        value = f"{search.monitor} {metric_text(self.best.value)}"
        header = f"# The best of {len(self.trials)} trials of the study {search.name}, by "
        header += f"{search.sampler}: {value} in trial {self.best.number}.\n"
        header += f"# On test, which did not choose it: {_test(self.run)}.\n"
        header += f"# Searched: {told(self.best.settings)}.\n"
        header += f"# Command: python -m dlcourse.train --config {folder / 'best.yaml'}\n"
        write_text(folder / "best.yaml", header + self.recipe.to_yaml())
        keys = [key for key in Trial._fields if key != "settings"]
        rows = [{key: getattr(t, key) for key in keys} | t.settings for t in self.trials]
        write_rows(folder / "trials.csv", rows)
        for name, figure in _figures(self).items():
            save(folder / f"{name}.png", figure)
        return self


def _plain(value: Any) -> Any:
    return value._asdict() if isinstance(value, Trial) else (
        [trial._asdict() for trial in value] if isinstance(value, tuple) else value
    )


def result(search: Search, trials: Sequence[Trial], workers: int) -> Tuning:
    """Return the result of a search whose trials have ended; the best is measured on test, once.

    Raises:
        UserError: No trial was completed.
    """
    ranked = best_first(search, trials)
    best = ranked[0]
    if best.state != "complete":
        raise UserError(f"study '{search.name}': no trial was completed: {best.why}")
    run = Run(Path(best.run)) if Path(best.run).is_dir() else None
    with search.storage.lock():
        if run and not run.test_read:
            read_test(run, search.dataset or search.recipe.load_dataset())
    importances = {}
    if len({t.value for t in ranked if t.state == "complete"}) > 3 and len(search.space) > 1:
        importances = optuna().importance.get_param_importances(search.study)
    recipe = at_point(search.recipe, best.settings)
    return Tuning(search, tuple(ranked), best, recipe, run, importances)


def best_first(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """Return the complete trials, best first, then those that were ended early."""
    def order(trial: Trial) -> tuple[bool, float]:
        value = float("inf") if trial.value is None else search.sign * trial.value
        return trial.state != "complete", value

    return sorted(trials, key=order)


def _row(trial: Trial) -> list[str]:
    value = metric_text(trial.value) if trial.state in ("complete", "pruned") else ""
    epochs, seconds = f"{trial.epochs}/{trial.planned}", f"{trial.seconds:.1f}"
    return [str(trial.number), trial.state, value, epochs, seconds, told(trial.settings)]


def line(trial: Trial) -> str:
    """Return a trial as one line."""
    number, state, value, epochs, seconds, settings = _row(trial)
    start = f"trial {number:>3}  {state:<10} {value:>8}  epochs {epochs:>7}  {seconds:>6} s"
    why = trial.why if trial.state in ("diverged", "impossible") else ""
    return f"{start}  {settings}{why and f': {why}'}"


def saved(trials: Sequence[Trial]) -> str:
    """Return what pruning saved, in a sentence: at most what the trials had left to train."""
    pruned = [trial for trial in trials if trial.state == "pruned"]
    if not pruned:
        return "stopped no trial"
    done, planned = sum(t.epochs for t in pruned), sum(t.planned for t in pruned)
    left = sum(t.seconds / t.epochs * (t.planned - t.epochs) for t in pruned)
    spent = sum(trial.seconds for trial in trials)
    return f"stopped {len(pruned)} trials after {done} of {planned} epochs: at most {left:.1f} s of {left + spent:.1f} s of training saved"


def _test(run: Run | None) -> str:
    if run is None:
        return "not measured: the run of the best trial is on another machine"
    scores = run.metrics["test"].items()
    return ", ".join(f"{key} {metric_text(value)}" for key, value in scores) + ", read once"


def _luck(tuning: Tuning) -> str:
    """Return the values with new seeds in a sentence, and how much of the best value was luck."""
    parts = []
    for kind, values in tuning.seeds.items():
        spread = f" ± {metric_text(stdev(values))}" if len(values) > 1 else ""
        parts.append(f"{kind} {metric_text(mean(values)) if values else 'diverged'}{spread}")
    count = max(map(len, tuning.seeds.values()))
    return f"{tuning.search.monitor} with {count} new seeds: {', '.join(parts)}"


def _figures(tuning: Tuning) -> dict[str, Any]:
    search, monitor = tuning.search, tuning.search.monitor
    ordered, kinds = sorted(tuning.trials), {}
    for state in ("complete", "pruned"):
        of = [t for t in ordered if t.state == state and t.value is not None]
        kinds[state] = ([t.number for t in of], [t.value for t in of])
    course, best = [], float("nan")
    for trial in ordered:
        if trial.state == "complete":
            best = trial.value if best != best else search.sign * min(search.sign * best, search.sign * trial.value)
        course.append(best)
    figures = {"history": drawn_by(plots.search_history, kinds, course, monitor, size=(8, 4))}
    if tuning.importances:
        size = (6.4, 1.2 + 0.35 * len(tuning.importances))
        figures["importance"] = drawn_by(plots.importances, tuning.importances, monitor, size=size)
    whole = [t for t in tuning.trials if t.state == "complete"]
    columns = {name: [_entry(t.settings[name]) for t in whole] for name in search.space}
    columns[monitor] = [t.value for t in whole]
    logs = [name for name, entry in search.space.items() if entry.get("log")]
    size = (max(6.4, 1.5 * len(columns)), 4.6)
    drawn = drawn_by(plots.parallel_coordinates, columns, logs, columns[monitor], 0, size=size)
    return {**figures, "parallel": drawn}


def _entry(value: Any) -> Any:
    return value if type(value) in (int, float) else str(value)
