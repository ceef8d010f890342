"""Processes that see no network and no files but the installed packages, and end when they must."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dlcourse
from dlcourse.errors import UserError

PACKAGE = Path(dlcourse.__file__).parent
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("null", "zero", "random", "urandom")
SPACE = 2**30  # bytes of files that a process may write; they lie in memory
LEAST = 2**24  # bytes that each process counts for: thousands of small ones are too many
NAMESPACES = "--user --map-root-user --mount --net --pid --ipc --uts --fork --kill-child"
NO_RIGHTS = "setpriv --bounding-set=-all --inh-caps=-all --no-new-privs"
KEPT = ("KERAS_BACKEND", "TFDS_DATA_DIR")  # variables that the processes inherit
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Limits(NamedTuple):
    """What a submission may take: wall-clock seconds, and memory of all its processes."""

    seconds: int = 600
    gib: int = 4


def visible() -> list[str]:
    """Return the files and folders that an isolated process may read."""
    packages = [place for place in sys.path if place.endswith("-packages")]
    places = [*SYSTEM, sys.base_prefix, sys.prefix, *packages, PACKAGE, PACKAGE.parent / "configs"]
    places.append(os.environ.get("TFDS_DATA_DIR", PACKAGE))
    return list(dict.fromkeys(str(place) for place in places if Path(place).exists()))


def answers() -> list[str]:
    """Return what a submission must not read: the exercises' checkers and solutions."""
    folder = PACKAGE / "lessons" / "exercises"
    kept = ("__init__.py", "answers.py", "exercise.py", "networks.py")
    return [str(path) for path in folder.iterdir() if path.name not in kept]


def bubblewrap(root: Path, hidden: list[str]) -> list[str]:
    """Return the command that runs another one within bubblewrap."""
    del root
    read = [word for place in visible() for word in ("--ro-bind", place, place)]
    for place in hidden:
        read += ["--tmpfs", place] if Path(place).is_dir() else ["--ro-bind", "/dev/null", place]
    rooms = ["--size", str(SPACE), "--tmpfs", "/dev/shm", "--size", str(SPACE), "--tmpfs", "/tmp"]
    start = "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --proc /proc"
    return [*start.split(), "--dev", "/dev", *rooms, *read, "--chdir", "/tmp", "--"]


def unshare(root: Path, hidden: list[str]) -> list[str]:
    """Return the command that runs another one in namespaces of its own, below an empty folder."""
    new, steps = shlex.quote(str(root)), [f"mount -t tmpfs -o size={SPACE} none {root}"]
    for place in [*visible(), *(f"/dev/{name}" for name in DEVICES)]:
        old, parent = shlex.quote(place), shlex.quote(str(Path(place).parent))
        start = f"mkdir -p {new}{old}" if Path(place).is_dir() else f"touch {new}{old}"
        steps.append(f"mkdir -p {new}{parent}; {start}; mount --rbind {old} {new}{old}")
        steps.append(f"mount -o remount,bind,ro {new}{old}" if "/dev/" not in place else "true")
    for place in map(shlex.quote, hidden):
        empty = f"if [ -d {place} ]; then mount -t tmpfs none {new}{place}"
        steps.append(f"{empty}; else mount --bind /dev/null {new}{place}; fi")
    steps.append(f"mkdir -p {new}/proc {new}/tmp {new}/dev/shm; mount -t proc -o ro proc {new}/proc")
    steps.append(f'exec chroot {new} {NO_RIGHTS} env -C /tmp "$@"')
    return ["unshare", *NAMESPACES.split(), "sh", "-ec", "\n".join(steps), "sh"]


@cache
def isolation() -> Any:
    """Return the first of `bubblewrap` and `unshare` that works on this machine, or None."""
    from tempfile import TemporaryDirectory

    probe = [sys.executable, "-c", "import socket, numpy, dlcourse"]
    for way in (bubblewrap, unshare):
        with contextlib.suppress(OSError), TemporaryDirectory() as root:
            command = [*way(Path(root), []), *probe]
            quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            if not subprocess.run(command, env=environment(), timeout=60, check=False, **quiet).returncode:
                return way
    return None


def environment(number: str = "") -> dict[str, str]:
    """Return the variables of an isolated process; none of the teacher's own is among them."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    given = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    given |= {"PYTHONPATH": str(PACKAGE.parent), "MPLBACKEND": "Agg", "PIP_NO_INDEX": "1"}
    return {**kept, **given, **dict.fromkeys(THREADS, "1"), "DLCOURSE_CLASS": number}


def memory(pid: int) -> int:
    """Return the bytes in use by a process and its descendants, at least LEAST for each."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        total = max(LEAST, pages * os.sysconf("SC_PAGE_SIZE"))
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(memory(int(child)) for child in children.read_text().split())
    return total


def watched(marking: Any, submission: Any, limits: Limits) -> str:
    """Wait until a submission is marked; return why it was stopped, if it was. Both then end."""
    end, why = time.monotonic() + limits.seconds, ""
    try:
        while marking.poll() is None and not why:
            time.sleep(0.1)
            if time.monotonic() > end:
                why = f"it took more than {limits.seconds} s"
            elif max(memory(marking.pid), memory(submission.pid)) > limits.gib * 2**30:
                why = f"it took more than {limits.gib} GiB"
    finally:
        for process in (submission, marking):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return why
