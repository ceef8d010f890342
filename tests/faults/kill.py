"""Kill trainings with SIGKILL at random instants, resume them, compare with the one left alone.

    python -m tests.faults.kill --kills 200 --seed 0

A parent imports Keras and TensorFlow, runs no operation and starts no thread of theirs; each
attempt is a fork of it, so that it costs little more than its training. Half of the kills come at
any instant of the process, a third within milliseconds of the begin of a save, the others while
the training is finishing. After each, every file must be whole, the state must not have gone back,
and no more than an epoch (or `checkpoint_every` steps) may be lost. POSIX only.
"""

import argparse
import mmap
import os
import random
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.configuration.recipe import Recipe
from dlcourse.files import HALF_WRITTEN
from dlcourse.quiet import import_keras
from dlcourse.runs import Run, list_runs
from tests.faults.kinds import KINDS, KINDS_OF_TFDS, recipe_of
from tests.faults.whole import NotWhole, check_files, leftovers, outcome, steps_saved

RECORD = struct.Struct("qqq")  # epoch, step, steps an epoch
AIMS = (("any instant", 5), ("a save", 3), ("the finishing", 2))


@dataclass
class Tally:
    """What was seen."""

    kills: Counter[str] = field(default_factory=Counter)
    trainings: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    again: int = 0
    left: int = 0
    steps_lost: int = 0
    epochs_lost: float = 0.0
    worst: float = 0.0


def main(argv: list[str] | None = None) -> int:
    """Run the driver; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="kill no longer")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {[*KINDS, *KINDS_OF_TFDS]}")
    arguments = parser.parse_args(argv)
    if "OMP_NUM_THREADS" not in os.environ:  # NumPy has started threads by now: begin without
        module = [sys.executable, "-m", "tests.faults.kill"]
        os.execve(sys.executable, [*module, *sys.argv[1:]], {**os.environ, "OMP_NUM_THREADS": "1"})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Keras imports pandas, pandas pyarrow, and its allocator would start a thread.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    import_keras()
    import_all()
    folder = Path(tempfile.mkdtemp(prefix="dlcourse-kill-"))
    begin = time.monotonic()
    try:
        tally = kill_many(
            arguments.kinds.split(","),
            arguments.kills,
            seed=arguments.seed,
            folder=folder,
            deadline=begin + arguments.seconds,
        )
    except NotWhole as fault:
        print(f"LOST: {fault}\nthe run is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    print(summary(tally, time.monotonic() - begin))
    return 0


def import_all() -> None:
    """Import what a training needs; refuse to go on if that made a fork unsound."""
    import keras  # noqa: F401
    from tensorflow.python.eager import context

    import dlcourse.training  # noqa: F401

    if context.context()._context_handle is not None:
        raise RuntimeError("TensorFlow's runtime has started in the parent: a fork is unsound")
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and len(list(tasks.iterdir())) > 1:
        raise RuntimeError("the parent has threads: a fork is unsound (set OMP_NUM_THREADS=1)")


def kill_many(kinds: list[str], kills: int, *, seed: int, folder: Path, deadline: float) -> Tally:
    """Kill trainings of each kind in turn until `kills` kills are done; the last ends too."""
    chance, tally = random.Random(seed), Tally()
    wholes = {}
    for kind in kinds:
        recipe = recipe_of(kind, folder)
        wholes[kind] = Whole(recipe, folder / f"{kind}-whole")
        print(f"{kind}: left alone, {wholes[kind].seconds:.1f} s", flush=True)
    while sum(tally.kills.values()) < kills and time.monotonic() < deadline:
        kind = kinds[sum(tally.trainings.values()) % len(kinds)]
        left = kills - sum(tally.kills.values())
        number = kill_one(wholes[kind], folder / "killed", left, chance, tally)
        tally.trainings[kind] += 1
        print(f"{kind}: {number} kills, ended bit-equal", flush=True)
    return tally


class Whole:
    """The uninterrupted training: what it learned and how long it took."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe = recipe
        attempt = Attempt(recipe, folder)
        begin = time.monotonic()
        attempt.wait()
        self.seconds = time.monotonic() - begin
        self.saves = attempt.saves
        self.outcome = outcome(attempt.run)


def kill_one(whole: Whole, folder: Path, most: int, chance: random.Random, tally: Tally) -> int:
    """Kill and resume one training until it ends; return how often it was killed."""
    shutil.rmtree(folder, ignore_errors=True)
    saved, kills = (0, 0), 0
    while True:
        begun = bool(list_runs(folder))
        tally.resumes += begun
        tally.again += not begun and kills > 0
        attempt = Attempt(whole.recipe, folder)
        aim = chance.choices(*zip(*AIMS, strict=True))[0] if kills < most else None
        if not aim:
            attempt.wait()
            break
        if not attempt.kill(aim, chance, whole):
            break
        kills += 1
        tally.kills[aim] += 1
        if list_runs(folder):
            saved = check_kill(attempt, saved, tally)
    check_end(attempt.run, whole)
    return kills


def check_kill(attempt: "Attempt", before: tuple[int, int], tally: Tally) -> tuple[int, int]:
    """Raise NotWhole if the kill cost more than it may; return the steps that are saved."""
    check_files(attempt.run)
    tally.left += len(leftovers(attempt.run))
    saved = steps_saved(attempt.run)
    if saved < before:
        raise NotWhole(f"{attempt.run}: the state went back from {before} to {saved}")
    epoch, step, steps = attempt.reached
    lost = max(0, (epoch - saved[0]) * steps + step - saved[1]) if steps else 0
    training = attempt.recipe.training
    every = training.checkpoint_every
    allowed = min(steps, every + (training.steps_per_execution or 1) - 1) if every else steps
    # The step that ends an epoch saves after the validation: until then its steps may be lost.
    if every and step == steps:
        allowed = steps
    if lost > allowed:
        raise NotWhole(f"{attempt.run}: {lost} steps lost, {allowed} allowed")
    tally.steps_lost += lost
    tally.epochs_lost += lost / steps if steps else 0
    tally.worst = max(tally.worst, lost / steps if steps else 0)
    return saved


def check_end(run: Path, whole: Whole) -> None:
    """Raise NotWhole unless the run is bit-equal to the whole one, and clean."""
    check_files(run)
    if found := leftovers(run):
        raise NotWhole(f"{found[0]}: left behind")
    for name, value in outcome(run).items():
        if value != whole.outcome[name]:
            raise NotWhole(f"{run}: {name} differ from the uninterrupted training's")


class Attempt:
    """A process that trains the recipe, or goes on with the folder's run."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe, self.folder = recipe, folder
        folder.mkdir(exist_ok=True)
        self.shared = mmap.mmap(-1, RECORD.size)
        self.saves = 0
        self.begin = time.monotonic()
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.pipe)
            self._train(end)
        os.close(end)

    @property
    def run(self) -> Path:
        """The run's folder."""
        return list_runs(self.folder)[0].path

    @property
    def reached(self) -> tuple[int, int, int]:
        """The epoch and step that were done when the process ended, and the steps an epoch."""
        return RECORD.unpack(self.shared[:])

    def _train(self, end: int) -> None:
        """Train in the child; it tells the parent of saves and of its finishing."""
        code = 1
        with (self.folder.parent / "errors.txt").open("w") as errors:
            os.dup2(errors.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            try:
                self._listen(end)
                _go_on(self.recipe, self.folder)
                code = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the parent tells
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)

    def _listen(self, end: int) -> None:
        from dlcourse import training

        def saves(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and HALF_WRITTEN in str(arguments[0]) and arguments[2] & os.O_EXCL:
                os.write(end, b"s")

        sys.addaudithook(saves)
        finish, end_step = training._finish, training.Fit._end_step

        def finishing(*arguments: Any, **options: Any) -> None:
            os.write(end, b"f")
            finish(*arguments, **options)

        def step(fit: Any, batch: int, logs: Any = None) -> None:
            done = min(fit.first_step + batch + 1, fit.steps)
            self.shared[:] = RECORD.pack(fit.progress.epoch, done, fit.steps)
            end_step(fit, batch, logs)

        training._finish = finishing
        training.Fit._end_step = step

    def kill(self, aim: str, chance: random.Random, whole: Whole) -> bool:
        """Kill the process at a random instant; return False if it ended before."""
        if aim == "any instant":
            self._read(until=lambda _: False, seconds=chance.uniform(0, 0.7 * whole.seconds))
        elif aim == "a save":
            number = chance.randint(1, min(8, whole.saves))  # the early ones: the training goes on
            self._read(until=lambda _: self.saves == number)
            time.sleep(chance.uniform(0, 0.004))
        else:
            self._read(until=lambda sign: sign == b"f")
            time.sleep(chance.uniform(0, min(1.0, whole.seconds / 3)))
        os.kill(self.pid, signal.SIGKILL)
        status = self._end()
        return os.WIFSIGNALED(status)

    def wait(self) -> None:
        """Wait for the end of the training, which must be a good one."""
        self._read(until=lambda _: False)
        if status := self._end():
            errors = (self.folder.parent / "errors.txt").read_text()
            raise NotWhole(f"a training ended with {os.waitstatus_to_exitcode(status)}: {errors}")

    def _read(self, until: Callable[[bytes], bool], seconds: float | None = None) -> None:
        """Read what the child tells until a sign, its end or a time."""
        deadline = None if seconds is None else self.begin + seconds
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.pipe], [], [], left)[0]:
                return
            if not (sign := os.read(self.pipe, 1)):
                return
            self.saves += sign == b"s"
            if until(sign):
                return

    def _end(self) -> int:
        os.close(self.pipe)
        status = os.waitpid(self.pid, 0)[1]
        if os.WIFEXITED(status) and status:
            errors = (self.folder.parent / "errors.txt").read_text()
            raise NotWhole(f"a training failed: {errors}")
        return status


def _go_on(recipe: Recipe, folder: Path) -> Run:
    from dlcourse.training import resume, train

    found = list_runs(folder)
    for half in folder.iterdir():  # killed before its recipe was written: nothing to go on with
        if not found:
            shutil.rmtree(half)
    run = resume(found[0], bar=False) if found else train(recipe, folder, name="run", bar=False)
    _ = Run(run.path).model  # it can be loaded, and its SHA-256 is right
    return run


def summary(tally: Tally, seconds: float) -> str:
    """Return the figures in words."""
    kills = sum(tally.kills.values())
    where = ", ".join(f"{number} in {aim}" for aim, number in sorted(tally.kills.items()))
    kinds = ", ".join(f"{number} {kind}" for kind, number in tally.trainings.items())
    return (
        f"{kills} kills ({where}) of {sum(tally.trainings.values())} trainings ({kinds}) in "
        f"{seconds:.0f} s\n"
        f"{tally.resumes} resumes; {tally.again} were killed before their recipe was written and "
        f"began again; {tally.left} half-written files, all removed at the resume\n"
        f"steps trained again: {tally.steps_lost} ({tally.epochs_lost:.1f} epochs; at most "
        f"{tally.worst:.2f} of an epoch per kill)\n"
        "lost: nothing; every training ended bit-equal to the uninterrupted one"
    )


if __name__ == "__main__":
    raise SystemExit(main())
