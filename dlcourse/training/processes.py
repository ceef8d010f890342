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
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import load_recipe, run_recipe
from dlcourse.errors import DivergedError, InterruptedTraining, RunError, UserError, one_line
from dlcourse.quiet import import_keras, write
from dlcourse.runs import Run, read_run
from dlcourse.training import resume, train
from dlcourse.training.watch import SIGNALS, StopRequest

LIMITS = {"heartbeat_timeout_seconds": 30, "shutdown_timeout_seconds": 86_400}  # of an evaluation


def train_together(place: tuple[str, int, int, int], path: Path, *recipe: Any) -> tuple[int, str]:
    """Train with other processes; return the exit code, and what went wrong or an empty text.

    Args:
        place: `HOST:PORT` of process 0, the number of processes, the number of this process
            (from 0), and the seconds to wait for the others.
        path: Folder of the run; process 0 alone writes to it.
        *recipe: Recipe and overrides as `load_recipe` takes them; None for the recipe of the run,
            whose training goes on.
    """
    coordinator, count, number, wait = place
    text = f"the {count} processes did not meet within {wait} s: is process 0 at {coordinator}, a "
    text += "free port there, has each its own --process, and all the same --processes?"
    end = alone = 2, text
    ours, its = (context := get_context("spawn")).Pipe()
    with TemporaryDirectory() as scratch, StopRequest(lambda *_: worker.kill()) as stop:
        own = Path(scratch, "run") if number else path
        worker = context.Process(target=_work, args=(its, place, path, own, *recipe))
        resource_tracker.ensure_running()  # started by `start`, it would unblock the signals
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        worker.start()  # it never gets these signals: it is told through the pipe
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        while worker.is_alive():
            worker.join(0.1)
            with suppress(EOFError, OSError):
                while ours.poll():
                    end = ours.recv()  # the last word counts
                asked, stop.signal = stop.signal, None
                if asked and end == alone:
                    end = 128 + asked, "stopped before the processes met"
                    worker.kill()
                elif asked:
                    ours.send(asked)
    return end[0], end[1].replace(f"{own}", f"{path}")


def _listen(pipe: Any, stop: StopRequest) -> None:
    """Note the request to stop that comes through a pipe; the end of its other side is one, too."""
    try:
        stop.signal = pipe.recv()
    except (EOFError, OSError):
        stop.signal = signal.SIGTERM


def _work(pipe: Any, place: Any, path: Path, own: Path, config: str | None, over: list) -> None:
    """Train as one of the processes; say through the pipe how it ended."""
    for handle, stream in ((1, "stdout"), (2, "stderr")):  # what C++ prints to them is dropped
        setattr(sys, stream, os.fdopen(os.dup(handle), "w", buffering=1))
        os.dup2(os.open(os.devnull, os.O_WRONLY), handle)
    (_, count, number, wait), stop, end = place, StopRequest(), (0, "")
    Thread(target=_listen, args=(pipe, stop), daemon=True).start()
    lost, again = "it or another process was lost", f"start all {count} again with --resume {path}"
    new = f" (or as before, if there is no {path})" if config else ""
    try:
        if number and config is None:
            shutil.copytree(read_run(path).path, own)
        import_keras()
        import jax.experimental.multihost_utils  # pyright: ignore[reportMissingImports]

        jax.distributed.initialize(*place[:3], initialization_timeout=wait, **LIMITS)
        pipe.send((1, f"{lost}: {again}{new}"))
        counts = jax.experimental.multihost_utils.process_allgather(np.array(count)).tolist()
        if counts != [len(counts)] * len(counts):
            raise RunError(f"{len(counts)} joined, but their --processes are {counts}: give one")
        how: Any = {"stop": stop, "report": None if number else write, "bar": False}
        try:
            if config is None:
                run = resume(Run(own), run_recipe(Run(own), over), **how)
            else:
                run = train(load_recipe(config, over), own.parent, name=own.name, **how)
            write(f"process {number}: done; process 0 saves the run" if number else f"\n{run}")
        except InterruptedTraining as error:
            end = error.exit_code, f"interrupted in {error.at}: {again}"
        except DivergedError as error:
            end = error.exit_code, str(error)
        jax.distributed.shutdown()  # all have come to the same end
    except (UserError, OSError) as error:
        end = getattr(error, "exit_code", 2), str(error)
        time.sleep(3)  # the others may find the same, before this one is lost to them
    except Exception as error:  # noqa: BLE001 - what XLA and Gloo raise when a process is lost
        end = 1, f"{lost} ({one_line(error)}): {again}{new}"
    with suppress(OSError):  # whoever started it may be lost, too
        pipe.send(end)
    os._exit(0)  # JAX would wait for processes that are gone
