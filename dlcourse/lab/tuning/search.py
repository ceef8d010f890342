"""A search: its study is made once, then workers run its trials until none is left."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from dlcourse.configuration.recipe import Recipe, recipe_from_text, run_recipe
from dlcourse.datasets import Dataset, fingerprint
from dlcourse.errors import DivergedError, InterruptedTraining, RecipeError, RunError, UserError
from dlcourse.heavy import keras
from dlcourse.lab.tuning.space import Space, at_point, distributions, grid, optuna, values
from dlcourse.lab.tuning.storage import CLAIM, COPY_OF, Storage
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, read_run, write_sealed
from dlcourse.training import StopRequest, resume, train

PAUSE = 0.3  # seconds between looks for a trial
RESULT, EARLY = "result", ("pruned", "diverged", "impossible")
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
WORKER = [sys.executable, "-c", "from dlcourse.lab.tuning import search; search.worker()"]


class Trial(NamedTuple):
    """A trial that has ended.

    Attributes:
        number: Number of the trial, from 0.
        state: `complete`, `pruned`, `diverged` or `impossible`: a recipe that cannot be built.
        value: Validation value of the kept weights, as `Search.monitor`; of a trial that was ended
            early the last one that was reported, if there is one.
        settings: Values of the settings, by dotted name.
        epochs, planned: Number of epochs trained, and of those in the recipe.
        seconds: Seconds of the fit.
        run: Folder of the trial's run.
        why: Reason of an early end.
    """

    number: int
    state: str
    value: float | None
    settings: dict[str, Any]
    epochs: int
    planned: int
    seconds: float
    run: str
    why: str


@dataclass(frozen=True)
class Search:
    """A search, the same for each of its workers.

    Attributes:
        name: Name of the study.
        folder: Folder of the study's runs.
        storage: Database of the study.
        recipe: Recipe that is changed.
        space: Settings that are changed.
        sampler: `tpe`, `random` or `grid`.
        pruner: `median` or `none`.
        dataset: Data set of the recipe.
    """

    name: str
    folder: Path
    storage: Storage
    recipe: Recipe
    space: Space
    sampler: str
    pruner: str
    dataset: Dataset

    @property
    def monitor(self) -> str:
        """The validation value that decides: `val_loss`, or that of early stopping."""
        return getattr(self.recipe.training.early_stopping, "monitor", "val_loss")

    @cached_property
    def study(self) -> Any:
        """Optuna's study, made if it does not exist; call it first under the lock."""
        how = {"study_name": self.name, "storage": self.storage.database, "load_if_exists": True}
        how["direction"] = "maximize" if self.monitor == "val_accuracy" else "minimize"
        warm = self.recipe.training.epochs // 10 or 1
        how["pruner"] = optuna().pruners.MedianPruner(n_warmup_steps=warm)
        if self.pruner == "none":
            how["pruner"] = optuna().pruners.NopPruner()
        return optuna().create_study(**how)

    def points(self, trials: int) -> list[dict[str, Any]]:
        """Return the settings to queue: those of a grid, in random order, or none.

        Raises:
            RecipeError: A range of a grid has no step.
            UserError: The grid has fewer points.
        """
        points = grid(self.space) if self.sampler == "grid" else [{}] * trials
        random.Random(self.recipe.seed).shuffle(points)
        if trials > len(points):
            raise UserError(f"trials: the grid has {len(points)} points, got {trials}: give fewer")
        return points

    def create(self, trials: int) -> None:
        """Make the study, unless it exists, and queue what it lacks of its trials.

        Raises:
            UserError: The study is that of another search, or has more trials.
        """
        plan = {"recipe": self.recipe.to_yaml(), "space": self.space, "sampler": self.sampler}
        plan |= {"pruner": self.pruner, "data": fingerprint(self.dataset)}
        plan, points = json.loads(json.dumps(plan)), self.points(trials)
        with self.storage.lock():
            made = self.study.user_attrs.get("plan", plan)
            if changed := [key for key in plan if made[key] != plan[key]]:
                reason = f"was made with another {' and '.join(changed)}: give another --study"
                raise UserError(f"study '{self.name}' {reason}")
            self.study.set_user_attr("plan", plan)
            if (queued := self._queued()) > trials:
                raise UserError(f"study '{self.name}' has {queued} trials: give as many or more")
            for point in points[queued:trials]:
                self.study.enqueue_trial(point)

    def _queued(self) -> int:
        """Return the number of trials, each counted once with its copies."""
        return sum(COPY_OF not in t.system_attrs for t in self.study.get_trials(deepcopy=False))

    @property
    def trials(self) -> list[Trial]:
        """The trials that have ended: the complete ones, best first, then the others."""
        sign = -1 if self.monitor == "val_accuracy" else 1
        ended = [optuna().trial.TrialState.COMPLETE, optuna().trial.TrialState.PRUNED]
        trials = [
            Trial(t.user_attrs[CLAIM], value=t.value, settings=values(self.space, t.params), **told)
            for t in self.study.get_trials(deepcopy=False, states=ended)
            for told in [t.user_attrs[RESULT]]
        ]
        return sorted(trials, key=lambda t: (t.state != "complete", sign * (t.value or 0)))

    def _sampler(self, claims: int) -> Any:
        """Return the sampler for a trial; its seed differs between trials, and from TPE's."""
        kinds, seed = optuna().samplers, self.recipe.seed + claims
        tpe = self.sampler == "tpe"
        return kinds.TPESampler(seed=seed) if tpe else kinds.RandomSampler(seed=seed + 100_000)

    def work(self, stop: StopRequest, told: Callable[[], Any] = lambda: None) -> None:
        """Run trials until none waits or runs, here or elsewhere; call `told` after each.

        Raises:
            InterruptedTraining: `stop` requested it; the trial goes on as a copy.
        """
        from optuna.storages._heartbeat import get_heartbeat_thread

        import_keras()
        space, taken = distributions(self.space), optuna().exceptions.UpdateFinishedTrialError
        while not stop.signal:
            trial = self.storage.claim(self.study, self._sampler, space)
            if trial is False:
                return
            if trial is True:  # the last trials run elsewhere
                time.sleep(PAUSE)
                continue
            ended: Any = None, optuna().trial.TrialState.FAIL
            try:
                beat = get_heartbeat_thread(trial._trial_id, self.storage.database)
                with suppress(taken), beat:  # by another worker, after no sign of this one
                    ended = self._run(trial, stop)
            finally:
                self.study.tell(trial, *ended, skip_if_finished=True)
            told()

    def _run(self, trial: Any, stop: StopRequest) -> tuple[float | None, Any]:
        """Train the recipe of a trial and record its result; return its value and its state."""
        states = optuna().trial.TrialState
        recipe = at_point(self.recipe, values(self.space, trial.params))
        try:
            run = self._trained(trial, recipe, stop)
            path, metrics = str(run.path), run.metrics
        except RecipeError as error:
            path, metrics = "", {"impossible": error.reason, "epochs_run": 0, "seconds": 0.0}
        state = next((state for state in EARLY if state in metrics), "complete")
        known = {"state": state, "why": metrics.get(state, ""), "run": path}
        known |= {"epochs": metrics["epochs_run"], "planned": recipe.training.epochs}
        trial.set_user_attr(RESULT, {**known, "seconds": metrics["seconds"]})
        if state != "complete":
            return None, states.PRUNED
        return metrics["val"][self.monitor.removeprefix("val_")], states.COMPLETE

    def _trained(self, trial: Any, recipe: Recipe, stop: StopRequest) -> Run:
        """Return the run of a trial: gone on with if its folder is here, else trained anew."""
        name = f"trial-{trial.user_attrs[CLAIM]:03}"  # a copy has the number of the first

        def report(epoch: int, logs: Any) -> None:
            penalty = sum(map(float, watch.model.losses)) if self.monitor == "val_loss" else 0.0
            trial.report(logs[self.monitor] - penalty, epoch)
            if trial.should_prune():
                watch.model.stop_training = True
                trial.set_user_attr("pruned", f"worse than others after epoch {epoch + 1}")

        watch: Any = keras.callbacks.LambdaCallback(on_epoch_end=report)
        how: dict[str, Any] = {"bar": False, "stop": stop, "callbacks": [watch], "test": False}
        with suppress(DivergedError):  # the run tells it
            try:
                if run_recipe(run := read_run(self.folder / name)) != recipe:
                    raise RunError("it is of another search")
                resume(run, **how)
            except RunError:  # it is not here, is damaged, or is still used by a worker given up
                name += f"-{trial.number}" * (self.folder / name).exists()
                how["dataset"] = self.dataset if recipe.seed == self.recipe.seed else None
                train(recipe, self.folder, name=name, **how)
        run = Run(self.folder / name)
        if why := trial.user_attrs.get("pruned"):
            write_sealed(run.path / "metrics.json", {**run.metrics, "pruned": why})
            run.forget()
        return run

    def run(self, trials: int, workers: int, report: Any) -> None:
        """Run all trials, here or in as many processes; report each as it ends.

        Raises:
            UserError: A worker failed, or a signal asked to stop; the study can go on.
        """
        reported, fault = set[int](), ""

        def tell() -> None:
            for trial in self.trials if report else ():
                if trial.number not in reported:
                    reported.add(trial.number)
                    report(trial)

        self.create(trials)
        with StopRequest() as stop, suppress(InterruptedTraining):
            tell()
            if workers > 1:
                fault = self._processes(workers, stop, tell)
            else:
                self.work(stop, tell)
        tell()
        if left := self._queued() - len(self.trials):
            reason = "interrupted" if stop.signal else fault
            error = UserError(f"{reason}: {left} trials are left: the same command goes on")
            error.exit_code = 128 + stop.signal if stop.signal else 1
            raise error

    def _processes(self, workers: int, stop: StopRequest, told: Callable[[], Any]) -> str:
        """Run workers until all have ended; return the last line that a failed one wrote."""
        threads = dict.fromkeys(THREADS, str(max(1, (os.cpu_count() or 1) // workers)))
        content = json.dumps([self.name, str(self.folder), *astuple(self.storage)])
        with tempfile.TemporaryFile("w+") as errors:
            how: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": errors}
            how |= {"env": os.environ | threads, "start_new_session": True, "bufsize": 1}
            started: Any = [subprocess.Popen(WORKER, text=True, **how) for _ in range(workers)]
            for process in started:
                with suppress(BrokenPipeError):  # it was killed already
                    process.stdin.write(content + "\n")
            while any(process.poll() is None for process in started):
                for process in started if stop.signal else ():
                    process.stdin.close()  # each stops, as it does when this process is killed
                told()
                time.sleep(PAUSE)
            errors.seek(0)
            lines = errors.read().splitlines() if any(p.returncode > 0 for p in started) else ()
        return lines[-1] if lines else "a worker was killed"


def worker() -> None:
    """Run trials of a study that exists; the end of the input asks to stop."""
    name, folder, *storage = json.loads(sys.stdin.readline())

    def stop_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGINT)

    with StopRequest() as stop:
        Thread(target=stop_with_parent, daemon=True).start()
        database = Storage(*storage)
        try:
            with database.errors(), suppress(InterruptedTraining):
                study = optuna().load_study(study_name=name, storage=database.database)
                plan = study.user_attrs["plan"]
                recipe = recipe_from_text(plan["recipe"])
                parts = (plan["space"], plan["sampler"], plan["pruner"], recipe.load_dataset())
                Search(name, Path(folder), database, recipe, *parts).work(stop)
        except UserError as error:
            sys.exit(str(error))
