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
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse.configuration.recipe import Recipe, recipe_from_text, run_recipe
from dlcourse.datasets import Dataset, fingerprint
from dlcourse.errors import DivergedError, InterruptedTraining, RecipeError, RunError, UserError
from dlcourse.heavy import keras
from dlcourse.lab.tuning.space import Space, at_point, distributions, grid, optuna, settings
from dlcourse.lab.tuning.storage import CLAIM, COPY_OF, Storage
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, read_run, write_sealed
from dlcourse.training import StopRequest, resume, train

SAMPLERS, PRUNERS = ("tpe", "random", "grid"), ("median", "hyperband", "none")
PAUSE = 0.3  # seconds between looks for a trial
RESULT, EARLY = "result", ("pruned", "diverged", "impossible")
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Trial(NamedTuple):
    """A trial that has ended.

    Attributes:
        number: Number of the trial, from 0.
        state: `complete`, `pruned`, `diverged` or `impossible`: a recipe that cannot be built.
        value: Validation value of the kept weights, as `Search.monitor`; of a trial that was ended
            early the last one that was reported, if there is one.
        settings: Values of the settings, by dotted name.
        epochs, planned: Number of epochs trained, and of those in the recipe.
        seconds, whole_seconds: Seconds of the fit, and of the whole trial.
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
    whole_seconds: float
    run: str
    why: str


@dataclass(frozen=True)
class Search:
    """A search, the same for each of its workers.

    Attributes:
        name: Name of the study.
        recipe: Recipe that is changed.
        space: Settings that are changed.
        sampler, pruner: One of `SAMPLERS` and of `PRUNERS`.
        storage: Database of the study.
        folder: Folder of the study's runs.
        dataset: Data set of the recipe, or None to load it when it is needed.
    """

    name: str
    recipe: Recipe
    space: Space
    sampler: str
    pruner: str
    storage: Storage
    folder: Path
    dataset: Dataset | None = field(default=None, compare=False)

    @property
    def monitor(self) -> str:
        """The validation value that decides: `val_loss`, or that of early stopping."""
        return getattr(self.recipe.training.early_stopping, "monitor", "val_loss")

    @property
    def sign(self) -> int:
        """1 if a lower value is better, -1 if a higher one is."""
        return -1 if self.monitor == "val_accuracy" else 1

    @cached_property
    def study(self) -> Any:
        """Optuna's study, with the pruner."""
        study = self.storage.open(self.name)
        pruners, warm = optuna().pruners, max(1, self.recipe.training.epochs // 10)
        study.pruner = {
            "median": pruners.MedianPruner(n_warmup_steps=warm),
            "hyperband": pruners.HyperbandPruner(max_resource=self.recipe.training.epochs),
            "none": pruners.NopPruner(),
        }[self.pruner]
        return study

    def create(self, trials: int) -> None:
        """Make the study, unless it exists, and queue what it lacks of its trials.

        Raises:
            UserError: The study is that of another search, or has more trials.
        """
        plan = {
            "recipe": self.recipe.to_yaml(),
            "space": self.space,
            "sampler": self.sampler,
            "pruner": self.pruner,
            "data": fingerprint(self.dataset or self.recipe.load_dataset()),
        }
        points = grid(self.space) if self.sampler == "grid" else [{}] * trials
        random.Random(self.recipe.seed).shuffle(points)
        if trials > len(points):
            raise UserError(f"trials: the grid has {len(points)} points, got {trials}: give fewer")
        with self.storage.lock(), self.storage.errors():
            direction = "minimize" if self.sign > 0 else "maximize"
            study = self.storage.open(self.name, direction=direction)
            made = study.user_attrs.get("plan") or plan
            if changed := [key for key in plan if made[key] != plan[key]]:
                reason = f"was made with another {' and '.join(changed)}: give another --study"
                raise UserError(f"study '{self.name}' {reason}")
            study.set_user_attr("plan", plan)
            own = [t for t in study.get_trials(deepcopy=False) if COPY_OF not in t.system_attrs]
            if len(own) > trials:
                raise UserError(f"study '{self.name}' has {len(own)} trials: give as many or more")
            for point in points[len(own) : trials]:
                study.enqueue_trial(point)

    @property
    def trials(self) -> list[Trial]:
        """The trials that have ended, in order of their numbers."""
        states = optuna().trial.TrialState
        with self.storage.errors():
            ended = self.study.get_trials(False, (states.COMPLETE, states.PRUNED))
        return sorted(
            Trial(
                trial.user_attrs[CLAIM]["number"],
                value=trial.value,
                settings=settings(self.space, trial.params),
                **trial.user_attrs[RESULT],
            )
            for trial in ended
        )

    @property
    def left(self) -> int:
        """The number of trials that have not ended."""
        with self.storage.errors():
            trials = self.study.get_trials(deepcopy=False)
        return sum(COPY_OF not in trial.system_attrs for trial in trials) - len(self.trials)

    def sampler_of(self, claims: int) -> Any:
        """Return the sampler for a trial; its seed differs between the trials."""
        samplers, seed = optuna().samplers, self.recipe.seed + claims
        if self.sampler == "tpe":
            return samplers.TPESampler(seed=seed)
        return samplers.RandomSampler(seed=seed)

    def work(self, stop: StopRequest, told: Callable[[], Any] = lambda: None) -> None:
        """Run trials until none waits or runs, here or elsewhere.

        Args:
            stop: Request that makes the training save its state and stop.
            told: Function that is called after every trial.

        Raises:
            InterruptedTraining, UserError: See `train`.
        """
        import_keras()
        space, states = distributions(self.space), optuna().trial.TrialState
        while not stop.signal:
            trial = self.storage.claim(self.study, self.sampler_of, space)
            if trial is False:
                return
            if trial is True:  # the last trials run elsewhere
                time.sleep(PAUSE)
                continue
            try:
                with self.storage.beating(trial):
                    self._run(trial, stop)
            except BaseException:  # it goes on as a copy
                self.study.tell(trial, state=states.FAIL, skip_if_finished=True)
                raise
            told()

    def _run(self, trial: Any, stop: StopRequest) -> None:
        """Train the recipe of a trial, and record its value."""
        start, states = time.perf_counter(), optuna().trial.TrialState
        recipe = at_point(self.recipe, settings(self.space, trial.params))
        try:
            run = self._trained(trial, recipe, stop)
            path, metrics = str(run.path), run.metrics
        except RecipeError as error:
            path, metrics = "", {"impossible": error.reason, "epochs_run": 0, "seconds": 0.0}
        state = next((state for state in EARLY if state in metrics), "complete")
        known = {"state": state, "why": metrics.get(state, ""), "run": path}
        known |= {"epochs": metrics["epochs_run"], "planned": recipe.training.epochs}
        known |= {"seconds": metrics["seconds"], "whole_seconds": time.perf_counter() - start}
        value, ended = None, states.PRUNED
        if state == "complete":
            value, ended = metrics["val"][self.monitor.removeprefix("val_")], states.COMPLETE
        with self.storage.errors():
            trial.set_user_attr(RESULT, known)
            self.study.tell(trial, value, ended, skip_if_finished=True)

    def _trained(self, trial: Any, recipe: Recipe, stop: StopRequest) -> Run:
        """Return the run of a trial: gone on with if its folder is here, else trained anew."""
        name = f"trial-{trial.user_attrs[CLAIM]['number']:03}"  # a copy has that of the first

        def report(epoch: int, logs: Any = None) -> None:
            penalty = sum(map(float, watch.model.losses)) if self.monitor == "val_loss" else 0.0
            trial.report(logs[self.monitor] - penalty, epoch)
            if trial.should_prune():
                watch.model.stop_training = True
                trial.set_user_attr("pruned", f"worse than others after epoch {epoch + 1}")

        watch: Any = keras.callbacks.LambdaCallback(on_epoch_end=report)
        how: dict[str, Any] = {"bar": False, "stop": stop, "callbacks": [watch], "test": False}
        try:
            if run_recipe(run := read_run(self.folder / name)) != recipe:
                raise RunError("it is of another search")
            run = resume(run, **how)
        except RunError:  # it is not here, is damaged, or is still used by a worker given up
            name = f"{name}-{trial.number}" if (self.folder / name).exists() else name
            how["dataset"] = self.dataset if recipe.seed == self.recipe.seed else None
            with suppress(DivergedError):
                train(recipe, self.folder, name=name, **how)
        except DivergedError:
            pass
        run = Run(self.folder / name)
        if why := trial.user_attrs.get("pruned"):
            write_sealed(run.path / "metrics.json", {**run.metrics, "pruned": why})
            run.forget()
        return run

    def run(self, workers: int, told: Callable[[], Any]) -> None:
        """Run all trials, here or in as many processes.

        Args:
            workers: Number of workers; one works in this process.
            told: Function that is called as trials end.

        Raises:
            UserError: A worker failed, or a signal asked to stop; the study can go on.
        """
        with StopRequest() as stop:
            if workers == 1:
                with suppress(InterruptedTraining):
                    self.work(stop, told)
                fault = ""
            else:
                fault = self._processes(workers, stop, told)
        told()
        if self.left:
            reason = "interrupted" if stop.signal else fault or "a worker ended"
            error = UserError(f"{reason}: {self.left} trials are left: the same command goes on")
            error.exit_code = 128 + stop.signal if stop.signal else 1
            raise error

    def _processes(self, workers: int, stop: StopRequest, told: Callable[[], Any]) -> str:
        """Run workers until all have ended; return the last line that a failed one wrote."""
        cores = str(max(1, (os.cpu_count() or 1) // workers))
        content = {"url": self.storage.url, "heartbeat": self.storage.heartbeat}
        content |= {"grace": self.storage.grace, "name": self.name, "folder": str(self.folder)}
        command = [sys.executable, "-m", "dlcourse.lab.tuning.worker"]
        started = []
        for _ in range(workers):
            errors = tempfile.TemporaryFile("w+")
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": errors}
            environment = {**os.environ, **dict.fromkeys(THREADS, cores)}
            process = subprocess.Popen(
                command, text=True, env=environment, start_new_session=True, **pipes
            )
            process.stdin.write(json.dumps(content) + "\n")
            process.stdin.flush()
            started.append((process, errors))
        asked = False
        while any(process.poll() is None for process, _ in started):
            if stop.signal and not asked:
                asked = True
                for process, _ in started:
                    process.send_signal(signal.SIGINT)
            told()
            time.sleep(PAUSE)
        faults = []
        for process, errors in started:
            process.stdin.close()
            errors.seek(0)
            if process.returncode:
                lines = errors.read().strip().splitlines()
                faults += lines[-1:] or [f"a worker was killed (signal {-process.returncode})"]
            errors.close()
        return next(iter(faults), "")


def stored(storage: Storage, name: str, folder: Path) -> Search:
    """Return the search of a study that exists, for a worker."""
    plan = storage.open(name).user_attrs["plan"]
    parts = (plan["space"], plan["sampler"], plan["pruner"])
    return Search(name, recipe_from_text(plan["recipe"]), *parts, storage, folder)
