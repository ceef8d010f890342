"""Kill a process at every system call of a save: the earlier file or the new one is whole.

    python -m tests.faults.system_calls

A forked process saves over an earlier file under `ptrace`, stops at the begin and at the end of
each of its system calls, and is killed at one of them: the first, the second … until the save
outlives it. Linux only.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlcourse.files import HALF_WRITTEN, write_file
from dlcourse.quiet import import_keras
from dlcourse.runs import write_history, write_sealed, write_text
from tests.faults.whole import NotWhole, weights

TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200
EXITKILL = 0x100000
SECONDS = 60  # a traced save that takes longer hangs

Save = Callable[[Path, int], None]


def why_not() -> str:
    """Return why a process cannot be traced here; nothing if it can."""
    if not sys.platform.startswith("linux"):
        return "ptrace is used on Linux only"
    pid = os.fork()
    if not pid:
        os._exit(1 if _ptrace(TRACEME, 0) else 0)
    return "ptrace is not allowed here" if os.waitpid(pid, 0)[1] else ""


def _ptrace(request: int, pid: int, data: int = 0) -> int:
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function(request, pid, None, data)


def killed_at(stop: int, save: Callable[[], None]) -> bool:
    """Save in a process that is killed at its n-th stop; return False if it ended before."""
    pid = os.fork()
    if not pid:
        code = 1
        with contextlib.suppress(BaseException):
            signal.alarm(SECONDS)
            _ptrace(TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            save()
            code = 0
        os._exit(code)
    os.waitpid(pid, 0)
    _ptrace(SETOPTIONS, pid, EXITKILL)
    for _ in range(stop):
        _ptrace(SYSCALL, pid)
        status = os.waitpid(pid, 0)[1]
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if status:
                raise NotWhole(f"a save ended with status {status}")
            return False
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def kill_everywhere(
    path: Path, save: Save, read: Callable[[Path], Any], *, step: int = 1
) -> tuple[int, int]:
    """Kill a save at each of its stops; return the number of kills, and how many left the new file.

    Args:
        path: Path of the file.
        save: Function that writes version 0 (the earlier one) or 1 to it.
        read: Function that returns the file's content, and raises if it is broken.
        step: Distance between the stops at which the save is killed.
    """
    folder = path.parent
    contents = []
    for version in (1, 0):
        save(path, version)
        contents.insert(0, read(path))
    kills = new = 0
    while killed_at(1 + kills * step, lambda: save(path, 1)):
        kills += 1
        try:
            found = read(path)
        except Exception as error:
            raise NotWhole(f"{path}: {error} after a kill at stop {1 + kills * step}") from error
        if found not in contents:
            raise NotWhole(f"{path}: neither the earlier nor the new one")
        others = [other.name for other in folder.iterdir() if other != path]
        if not all(name.startswith(HALF_WRITTEN) for name in others):
            raise NotWhole(f"{folder}: {others} are left")
        if found == contents[1]:
            new += 1
            save(path, 0)
        for other in others:
            (folder / other).unlink()
    return kills, new


def saves() -> dict[str, tuple[Save, Callable[[Path], Any]]]:
    """Return how each file of a run is written and read."""
    import keras
    from PIL import Image

    from dlcourse.runs.state import Progress, read_state, save_state

    models = []
    pictures = [Image.new("RGB", (300, 200), color) for color in ("red", "blue")]
    for version in (0, 1):
        keras.utils.set_random_seed(version)
        layers = [keras.layers.Dense(6, activation="relu"), keras.layers.Dense(3)]
        models.append(keras.Sequential([keras.Input((4,)), *layers]))

    def state(path: Path, version: int) -> None:
        variables = [np.full((20, 10), version + i, "float32") for i in range(4)]
        model: Any = SimpleNamespace(
            variables=variables,
            optimizer=SimpleNamespace(variables=variables),
        )
        save_state(path, model, [], [], Progress(epoch=version), users={}, kept=[])

    def figure(path: Path, version: int) -> None:
        write_file(path, pictures[version].save)

    def content(path: Path) -> bytes:
        return path.read_bytes()

    def arrays(path: Path) -> Any:
        progress, found = read_state(path)
        return progress, {k: v.tobytes() for k, v in found.items() if k != "meta"}

    numbers = {f"key {i}": i / 7 for i in range(200)}
    return {
        "state.npz": (state, arrays),
        "model.keras": (lambda path, v: write_file(path, models[v].save), weights),
        "metrics.json": (lambda path, v: write_sealed(path, {**numbers, "version": v}), content),
        "history.csv": (lambda path, v: write_history(path, {"loss": [1.0, 0.5 + v]}), content),
        "recipe.yaml": (lambda path, v: write_text(path, f"seed: {v}\n"), content),
        "learning_curves.png": (figure, content),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the driver; return 1 if a file was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.system_calls")
    parser.add_argument("--step", type=int, default=1, help="kill at each step-th stop only")
    parser.add_argument("--files", default="", help="only these, with commas between")
    arguments = parser.parse_args(argv)
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_keras()
    begin, total = time.monotonic(), 0
    folder = Path(tempfile.mkdtemp(prefix="dlcourse-calls-"))
    for name, (save, read) in saves().items():
        if arguments.files and name not in arguments.files.split(","):
            continue
        place = folder / name.partition(".")[0]
        place.mkdir()
        try:
            kills, new = kill_everywhere(place / name, save, read, step=arguments.step)
        except NotWhole as fault:
            print(f"LOST: {fault}")
            return 1
        total += kills
        print(f"{name}: {kills} kills, the earlier file {kills - new} times, the new {new}")
    shutil.rmtree(folder)
    print(f"{total} kills, every file whole; {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
