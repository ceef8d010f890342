"""Fill the disk, take the folder away or make it read-only while a training saves.

    python -m tests.faults.disk --levels 24 --instants 6

Every fault must be one line and exit 1, without a traceback; what was saved before stays whole,
nothing half-written stays, and once there is room again the run ends bit-equal to the one that was
left alone. A full or read-only disk is a tmpfs of 1 MB, which needs root on Linux.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlcourse.quiet import import_keras
from tests.faults.corrupt import Answer, call
from tests.faults.kinds import recipe_of
from tests.faults.whole import check_files, leftovers, outcome

SIZE = 1 << 20


def why_not() -> str:
    """Return why no small file system can be mounted here; nothing if it can."""
    if not sys.platform.startswith("linux"):
        return "a tmpfs is mounted on Linux only"
    if os.geteuid() != 0:
        return "only root may mount a tmpfs"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
            return ""
        return f"a tmpfs cannot be mounted: {done.stderr.decode().strip()}"


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a folder on a file system of 1 MB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


class Bench:
    """A recipe in a file, and what it learns when it is left alone."""

    def __init__(self, folder: Path):
        from dlcourse.training import train

        self.folder = folder
        recipe = recipe_of("points", folder)
        self.config = folder / "x.yaml"
        self.config.write_text(recipe.to_yaml())
        whole = train(recipe, folder / "whole", name="run", bar=False)
        self.learned = outcome(whole.path)
        self.need = sum(path.stat().st_size for path in whole.path.rglob("*") if path.is_file())

    def train(self, runs: Path) -> Answer:
        """Train into a folder."""
        return call(
            "dlcourse.commands.train",
            "--config",
            str(self.config),
            "--runs",
            str(runs),
            "--name",
            "run",
        )

    def check_mended(self, runs: Path) -> None:
        """Go on with the run, or begin it: it ends as the one left alone."""
        run = runs / "run"
        if (run / "recipe.yaml").exists():
            answer = call("dlcourse.commands.train", "--resume", str(run))
        else:
            shutil.rmtree(run, ignore_errors=True)
            answer = self.train(runs)
        assert answer.code == 0, answer.err
        assert outcome(run) == self.learned


def check_told(answer: Answer, runs: Path) -> None:
    """The command failed with one line that names a file of the run."""
    assert answer.code == 1, (answer.code, answer.err)
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.startswith(str(runs)), answer.err
    assert "cannot be written" in answer.err, answer.err


def full_disk(bench: Bench, free: int) -> bool:
    """Train with so many bytes free; return whether they were too few."""
    with small_disk(bench.folder / "small") as disk:
        (disk / "filler").write_bytes(bytes(SIZE - free) if free else b"")
        if not free:
            with contextlib.suppress(OSError), (disk / "filler").open("wb") as stream:
                stream.write(bytes(2 * SIZE))
        answer = bench.train(disk)
        if answer.code == 0:
            return False
        check_told(answer, disk)
        run = disk / "run"
        if run.exists():
            check_files(run)
            assert not leftovers(run), leftovers(run)
        (disk / "filler").unlink()
        bench.check_mended(disk)
        return True


@contextlib.contextmanager
def at_save(number: int, action: Callable[[], Any]) -> Iterator[list[bool]]:
    """Do something just before the n-th file is written; the list tells whether it came to it."""
    import dlcourse.pictures.figures
    import dlcourse.runs
    import dlcourse.runs.state
    import dlcourse.training

    places = [dlcourse.runs, dlcourse.training, dlcourse.runs.state, dlcourse.pictures.figures]
    original = dlcourse.runs.write_file
    came: list[bool] = []
    count = [0]

    def write_file(path: Path, write: Callable[[Path], Any]) -> None:
        count[0] += 1
        if count[0] == number:
            came.append(True)
            action()
        original(path, write)

    for place in places:
        place.write_file = write_file
    try:
        yield came
    finally:
        for place in places:
            place.write_file = original


def vanished(bench: Bench, number: int) -> bool:
    """Remove the run's folder before its n-th save; return whether there was one."""
    runs = bench.folder / "vanishing"
    shutil.rmtree(runs, ignore_errors=True)
    with at_save(number, lambda: shutil.rmtree(runs / "run")) as came:
        answer = bench.train(runs)
    if came:
        check_told(answer, runs)
        assert not (runs / "run").exists()
        bench.check_mended(runs)
    return bool(came)


def read_only(bench: Bench, number: int) -> bool:
    """Make the file system read-only before the n-th save; return whether there was one."""
    with small_disk(bench.folder / "small") as disk:

        def freeze() -> None:
            # The lock is open for writing, so that only a second mount can be read-only.
            subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)

        with at_save(number, freeze) as came:
            answer = bench.train(disk)
        if came:
            subprocess.run(["umount", str(disk)], check=True)
            check_told(answer, disk)
            check_files(disk / "run")
            assert not leftovers(disk / "run"), leftovers(disk / "run")
            bench.check_mended(disk)
        return bool(came)


def main(argv: list[str] | None = None) -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.disk", description=__doc__)
    parser.add_argument("--levels", type=int, default=6, help="amounts of free space to try")
    parser.add_argument("--instants", type=int, default=4, help="saves to take the folder away at")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_keras()
    begin = time.monotonic()
    reason = why_not()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        gone = sum(vanished(bench, 1 + 3 * n) for n in range(arguments.instants))
        print(f"{gone} folders vanished: told in a line, exit 1, trained again")
        if reason:
            print(f"skipped the small disk: {reason}")
        else:
            step = bench.need // arguments.levels
            full = sum(full_disk(bench, step * n) for n in range(arguments.levels))
            frozen = sum(read_only(bench, 1 + 3 * n) for n in range(arguments.instants))
            print(f"{full} full and {frozen} read-only disks: told in a line, exit 1, resumed")
    print(f"{time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
