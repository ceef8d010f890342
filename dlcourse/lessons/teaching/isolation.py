"""Processes that see no network and no files but the installed packages, and end when they must."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Any

import dlcourse

PACKAGE = Path(dlcourse.__file__).parent
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
SPACE = 2**30  # bytes of files that a process may write; they lie in memory
DEVICES = ("null", "zero", "urandom")
QUIET = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
MEMORY = 4 * 2**30  # most bytes of a submission's processes
LEAST = 2**24  # bytes that each process counts for: thousands of small ones are too many
NAMESPACES = "unshare --user --map-root-user --mount --net --pid --ipc --uts --fork --kill-child"
NO_RIGHTS = "setpriv --bounding-set=-all --inh-caps=-all --no-new-privs"


def visible(shared: str) -> list[str]:
    """Return the files and folders that an isolated process may read."""
    packages = [place for place in sys.path if place.endswith("-packages")]
    places = [*SYSTEM, sys.base_prefix, sys.prefix, *packages]
    places += [PACKAGE, PACKAGE.parent / "configs", shared]
    return list(dict.fromkeys(str(Path(p).absolute()) for p in places if Path(p).exists()))


def answers() -> list[str]:
    """Return what a submission must not read: the exercises' checkers and solutions."""
    kept = ("__init__.py", "answers.py", "exercise.py", "networks.py")
    return [str(p) for p in (PACKAGE / "lessons/exercises").iterdir() if p.name not in kept]


def bubblewrap(_: str, shared: str, trusted: bool) -> list[str]:
    """Return the command that runs another one within bubblewrap; see `unshare`."""
    words = "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --proc /proc"
    words += f" --dev /dev --size {SPACE} --tmpfs /dev/shm --size {SPACE} --tmpfs /tmp"
    binds = [word for place in visible(shared) for word in ("--ro-bind", place, place)]
    binds += ["--bind", shared, shared] * trusted
    for place in [] if trusted else answers():
        binds += ["--tmpfs", place] if Path(place).is_dir() else ["--ro-bind", "/dev/null", place]
    closed = ["/", "/dev", *(f"/dev/{name}" for name in (*DEVICES, "full", "random", "tty"))]
    binds += [word for place in closed for word in ("--remount-ro", place)]
    return [*words.split(), *binds, "--chdir", "/tmp", "--"]


def unshare(root: str, shared: str, trusted: bool) -> list[str]:
    """Return the command that runs another one in namespaces of its own.

    Args:
        root: Empty folder, the root of the process's files.
        shared: Folder that it may read, and write to if it is trusted.
        trusted: Whether it is the process that marks, and may read the exercises' answers.
    """
    steps = [f"mount -t tmpfs -o size={SPACE} none {root}", f"mkdir -p {root}/proc {root}/tmp"]
    for place in [*visible(shared), *(f"/dev/{name}" for name in DEVICES)]:
        old, new, parent = map(shlex.quote, (place, root + place, f"{root}{Path(place).parent}"))
        make = f"mkdir -p {new}" if Path(place).is_dir() else f"mkdir -p {parent}; touch {new}"
        steps += [make, f"mount --rbind {old} {new}"]
    for place in [] if trusted else answers():
        kind = "-t tmpfs none" if Path(place).is_dir() else "--bind /dev/null"
        steps.append(f"mount {kind} {shlex.quote(root + place)}")
    kept = root + shared if trusted else "nothing"
    # All that is mounted, and below it; a device that is read-only can still be written to.
    end = f"""
    for at in $(cut -d' ' -f2 /proc/mounts | grep '^{root}/')
    do [ $at = {kept} ] || mount -o remount,bind,ro "$(printf %b $at)"; done
    mkdir {root}/dev/shm; mount -t proc -o ro none {root}/proc
    exec chroot {root} {NO_RIGHTS} env -C /tmp "$@" """
    return [*NAMESPACES.split(), "sh", "-ec", "\n".join([*steps, end]), "sh"]


@cache
def isolation() -> Any:
    """Return the first of `unshare` and `bubblewrap` that works on this machine, or None."""
    for way in (unshare, bubblewrap):
        with contextlib.suppress(OSError, subprocess.SubprocessError), TemporaryDirectory() as root:
            command = [*way(root, "/usr", False), sys.executable, "-c", "import dlcourse, numpy"]
            how: Any = {"env": environment("", root), "timeout": 60, "check": True} | QUIET
            subprocess.run(command, **how)
            return way
    return None


def environment(numbers: str, temporary: str) -> dict[str, str]:
    """Return the variables of a process; of the teacher's own there is one."""
    own = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"), "TMPDIR": temporary}
    own |= {"PATH": "/usr/bin:/bin:/usr/sbin", "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}
    # Two arenas: one for each thread would count as memory on a machine with many cores.
    own |= {"MALLOC_ARENA_MAX": "2", "PIP_NO_INDEX": "1", "HOME": "/tmp"}
    return own | {"PYTHONPATH": str(PACKAGE.parent), "DLCOURSE_CLASS": numbers}


def start(role: str, end: socket, folder: str, numbers: str, seconds: int) -> Any:
    """Start the process that runs a submission's cells, or the one that marks them.

    Args:
        role: "run" or "mark", its folder within `folder`; both read `shared`, "mark" writes to it.
        end: Its end of the socket between the two; it is closed here.
        folder: Folder of the submission.
        numbers: Value of DLCOURSE_CLASS.
        seconds: Longest time of all; a cell or a call may take a fifth of it.
    """
    (room := Path(folder, role)).mkdir()
    trusted, way, shared = role == "mark", isolation(), str(Path(folder, "shared"))
    command = [sys.executable, "-m", "dlcourse.lessons.teaching.processes"]
    command += [role, str(end.fileno()), str(seconds // 5 or 1), shared]
    if way:
        limits = f"prlimit --as={MEMORY} --core=0 --".split()
        command = [*way(str(room), shared, trusted), *limits, *command]
    how: Any = {"env": environment(numbers, shared if trusted else "/tmp"), "cwd": room} | QUIET
    with end:
        return subprocess.Popen(command, start_new_session=True, pass_fds=[end.fileno()], **how)


def memory(pid: int) -> int:
    """Return the bytes in use by a process and its descendants, at least LEAST for each."""
    total = 0
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        total = max(LEAST, pages * os.sysconf("SC_PAGE_SIZE"))
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(memory(int(child)) for child in children.read_text().split())
    return total


def files_in_memory() -> int:
    """Return the bytes of files that lie in the machine's memory, and belong to no process."""
    with contextlib.suppress(OSError):
        return 1024 * int(re.findall(r"Shmem: +(\d+)", Path("/proc/meminfo").read_text())[0])
    return 0


def watched(processes: list[Any], seconds: int) -> str:
    """Wait for the last process; then end all. Return why it was stopped, if it was."""
    end, before = time.monotonic() + seconds, files_in_memory()
    try:
        while processes[-1].poll() is None:
            time.sleep(0.05)
            used = [files_in_memory() - before, *(memory(process.pid) for process in processes)]
            if time.monotonic() > end:
                return f"it took more than {seconds} s"
            if max(used) > MEMORY:
                return f"it took more than {MEMORY >> 30} GiB"
        return ""
    finally:
        for process in processes:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
