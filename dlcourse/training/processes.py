"""Several processes train one model on JAX: `dlcourse train --coordinator HOST:PORT`.

Each starts a worker that trains. JAX aborts a worker whose peers are lost, so the process that
started it remains to say what happened and how to go on.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import load_recipe, run_recipe
from dlcourse.errors import InterruptedTraining, RunError, UserError, one_line
from dlcourse.quiet import write
from dlcourse.runs import Run, read_run
from dlcourse.training import resume, train
from dlcourse.training.watch import SIGNALS, StopRequest

HEARTBEAT, TOGETHER, EVALUATION = 30, 3, 86_400  # seconds
OF_ONE = shutil.ignore_patterns("figures", "prepared", "tensorboard", "model.keras", ".lock")
Place = tuple[str, int, int, float]  # coordinator, number, count, wait: see `train_together`


def train_together(place: Place, path: Path, *recipe: Any) -> tuple[int, str]:
    """Train with other processes; return the exit code, and what went wrong or an empty text.

    Args:
        place: `HOST:PORT` of process 0, the number of this process (from 0), the number of
            processes, and the seconds to wait for the others.
        path: Folder of the run; process 0 alone writes to it.
        *recipe: Recipe and overrides as `load_recipe` takes them; None for the recipe of the run,
            whose training goes on.
    """
    coordinator, number, count, wait = place
    code, text = 2, f"the {count} processes did not meet within {wait:g} s: is process 0 at "
    text += f"{coordinator}, has each its own --process, and all the same --processes?"
    context = get_context("spawn")
    ours, its = context.Pipe()
    with TemporaryDirectory(prefix="dlcourse-") as scratch, StopRequest() as stop:
        own = Path(scratch, "run") if number else path
        worker = context.Process(target=_work, args=(its, place, path, own, *recipe))
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        worker.start()  # it never gets these signals: it is told through the pipe
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        its.close()
        while worker.exitcode is None:
            worker.join(0.1)
            with suppress(EOFError, OSError):
                if stop.signal:
                    ours.send(stop.signal)
                while ours.poll():
                    code, text = ours.recv()  # the last word counts
    text = text.replace(f"{own}", f"{path}")
    return code, text and f"process {number} of {count}: {text}"


class _Told:
    """A request to stop that comes through a pipe; the end of its other side is one, too."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe

    @property
    def signal(self) -> int | None:
        """The signal; None while the training may continue."""
        try:
            return self.pipe.recv() if self.pipe.poll() else None
        except EOFError:
            return signal.SIGTERM


def _work(pipe: Any, place: Place, path: Path, own: Path, config: str | None, over: list) -> None:
    """Train as one of the processes; say through the pipe how it ended."""
    for handle, stream in ((1, "stdout"), (2, "stderr")):  # what C++ prints to them is dropped
        setattr(sys, stream, os.fdopen(os.dup(handle), "w", buffering=1))
        os.dup2(os.open(os.devnull, os.O_WRONLY), handle)
    (coordinator, number, count, wait), stop = place, _Told(pipe)
    again = f"start all {count} again with --resume {path}"
    try:
        if number and config is None:
            shutil.copytree(read_run(path).path, own, ignore=OF_ONE)
        import jax  # pyright: ignore[reportMissingImports]
        from jax.experimental.multihost_utils import process_allgather  # pyright: ignore

        limits = {"heartbeat_timeout_seconds": HEARTBEAT, "shutdown_timeout_seconds": EVALUATION}
        limits["initialization_timeout"] = int(wait)
        jax.distributed.initialize(coordinator, count, number, **limits)
        pipe.send((1, f"it or another process was lost: {again}"))
        counts = process_allgather(np.array(count)).tolist()
        if counts != [len(counts)] * len(counts):
            raise RunError(f"{len(counts)} joined, but their --processes are {counts}: give one")
        how: Any = {"stop": stop, "report": None if number else write, "bar": False}
        if config is None:
            run = resume(Run(own), run_recipe(Run(own), over), **how)
        else:
            run = train(load_recipe(config, over), own.parent, name=own.name, **how)
        write(f"process {number}: done; process 0 saves the run" if number else f"\n{run}")
        jax.distributed.shutdown()
        end = 0, ""
    except InterruptedTraining as error:
        end = error.exit_code, f"interrupted in {error.at}: {again}"
    except (UserError, OSError) as error:
        end = getattr(error, "exit_code", 2), str(error)
        time.sleep(TOGETHER)  # the others may find the same, before this one is lost to them
    except Exception as error:  # noqa: BLE001 - what XLA and Gloo raise when a process is lost
        end = 1, f"it or another process was lost ({one_line(error)}): {again}"
    with suppress(OSError):  # whoever started it may be lost, too
        pipe.send(end)
    os._exit(0)  # JAX would wait for processes that are gone
