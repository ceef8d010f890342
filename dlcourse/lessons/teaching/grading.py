"""Grades for a folder of submissions: each is run in one isolated process and marked in another."""

import json
import os
import re
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from dlcourse.errors import UserError
from dlcourse.files import make_folder, write_file
from dlcourse.lessons.exercises import NOTEBOOKS, exercises
from dlcourse.lessons.teaching import POINTS, STUDENT, isolation, notebook, numbers_of

CHECKED = re.compile(r"""\bcheck\(\s*["'](\d\d\.\d{1,2})["']""")
ASKED = re.compile(r"\A\s*# (\d\d\.\d{1,2}):")
COLUMNS = ("student", "notebook", "exercise", "points", "most", "status", "message")
NUMBER = re.compile(r"[-−]?\d[\d.,/e%]*")


def require_isolation(unsafe: bool) -> None:
    """Raise a UserError if a submission cannot be run here, or only with all rights."""
    if find_spec("IPython") is None:
        raise UserError("grade: IPython runs the notebooks: pip install 'dlcourse[teach]'")
    if not ((unsafe and os.name == "posix") or isolation.isolation()):
        reason = "grade: neither bubblewrap nor unshare can isolate a process on this machine"
        cure = "install bubblewrap, or grade on another one; --unsafe gives submissions your rights"
        raise UserError(f"{reason}: {cure}")


def submissions(folders: Sequence[str | Path], students: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the student and the path of each notebook in the folders.

    A student is the first part of the path below the folder, or with a roster the one whose name
    this part begins with.

    Raises:
        UserError: There is no notebook, or one is of nobody on the roster.
    """
    found = []
    for folder, path in ((f, path) for f in folders for path in sorted(Path(f).rglob("*.ipynb"))):
        top = path.relative_to(folder).parts[0].removesuffix(".ipynb")
        own = [who for who in students if who and re.match(rf"{re.escape(who)}(?![^\W_])", top)]
        if not (own := own or [top] * (not students[0] and bool(STUDENT.match(top)))):
            raise UserError(f"{path}: '{top}' does not begin with a student's name; rename it")
        if ".ipynb_checkpoints" not in path.parts and not path.is_symlink():
            found.append((max(own, key=len), path))
    if not found:
        raise UserError(f"{folders[0]}: there is no notebook (.ipynb) in it")
    return found


def marked_cells(codes: Sequence[str]) -> dict[str, int]:
    """Return the place of the cell after which the answer to each exercise is taken.

    An exercise is found by its call of `check`, or by the first line of its cell, `# 07.1: …`:
    editors and Colab may drop a cell's metadata. Those of the notebook that has most are taken.
    """
    places: dict[str, int] = {}
    for pattern in (ASKED, CHECKED):
        places |= {name: k for k, code in enumerate(codes) for name in pattern.findall(code)}
    known = Counter(name[:2] for name in places if name[:2] in NOTEBOOKS)
    names = exercises(known.most_common(1)[0][0]) if known else {}
    return {name: places.get(name, -1) for name in names}


def marks(
    student: str, path: Path, students: Sequence[str] = ("",), seconds: int = 600, gib: int = 4
) -> list[dict[str, Any]]:
    """Return a row for each exercise of a submission's notebook: its points, and why.

    Args:
        student: Name in the rows, and with a roster what their numbers follow from.
        path: The notebook.
        students: Those of the roster, [""] for none.
        seconds: Longest wall-clock time; a cell or a call may take a fifth of it.
        gib: Most memory of the submission's processes, in GiB.

    Raises:
        UserError: The file is not a notebook with exercises.
    """
    codes = [c["source"] for c in notebook(path)["cells"] if c["cell_type"] == "code"]
    places, rows = marked_cells(codes), []
    if not places:
        raise UserError(f"{path}: there is no exercise of the course in it")
    taken = {place: name for name, place in places.items()}
    cells = [(code, taken.get(k, "")) for k, code in enumerate(codes)]
    found, why = verdicts(cells, numbers_of(student if students[0] else ""), seconds, gib)
    stopped = "wrong", f"The notebook was stopped before: {why or 'its process ended'}."
    for name, place in places.items():
        missing = stopped if place >= 0 else ("unattempted", "The exercise is not in the notebook.")
        status, message = found.get(name, missing)
        most = POINTS[exercises(name[:2])[name].level]
        row = (student, str(path), name, most * (status == "right"), most, status, message)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def verdicts(
    cells: Sequence[tuple[str, str]], numbers: str, seconds: int, gib: int
) -> tuple[dict[str, tuple[str, str]], str]:
    """Return the status and the words by exercise, and why the notebook was stopped, if it was."""
    way, started = isolation.isolation(), []
    limits = ["prlimit", f"--as={gib * 2**30}", "--core=0", "--"]
    with ExitStack() as stack:
        given, out = (stack.enter_context(TemporaryFile("w+")) for _ in range(2))
        rooms = [TemporaryDirectory(ignore_cleanup_errors=True) for _ in range(3)]
        shared, *rooms = map(stack.enter_context, rooms)
        json.dump(cells, given)
        given.seek(0)
        streams: Any = {"run": (DEVNULL, DEVNULL, "/tmp"), "mark": (given, out, shared)}
        for role, end, room in zip(streams, socket.socketpair(), rooms, strict=True):
            command = [sys.executable, "-m", "dlcourse.lessons.teaching.processes", role]
            command += [str(end.fileno()), str(seconds // 5 or 1)]
            if way:
                command = [*way(room, shared, role == "mark"), *limits, *command]
            read, written, files = streams[role]
            how: Any = {"stdin": read, "stdout": written, "stderr": DEVNULL, "cwd": room}
            how |= {"env": isolation.environment(numbers, files), "pass_fds": [end.fileno()]}
            started.append(Popen(command, start_new_session=True, **how))
            end.close()
        why = isolation.watched(started, seconds, gib)
        out.seek(0)
        found = [json.loads(line).values() for line in out if line.endswith("}\n")]
    return {name: (status, message) for name, status, message in found}, why


def write_grades(rows: Sequence[dict[str, Any]], out: str | Path) -> Iterator[Path]:
    """Write grades.csv, a column per exercise, and answers.csv with the words; yield the files.

    Raises:
        WriteError: A file cannot be written.
    """
    from dlcourse.heavy import pd

    answers, key = pd.DataFrame(rows), ["student", "notebook"]
    grades = answers.pivot_table("points", key, "exercise", "sum", sort=False)
    totals: Any = answers.groupby(key, sort=False)[["points", "most"]].sum()
    tables = {"grades.csv": grades.join(totals).reset_index(), "answers.csv": answers}
    for name, table in tables.items():
        path = make_folder(out) / name
        write_file(
            path, lambda place, table=table: table.to_csv(place, index=False, errors="replace")
        )
        yield path


def mistakes(rows: Sequence[dict[str, Any]], most: int = 10) -> list[tuple[int, str, str]]:
    """Return the most frequent mistakes: how often, the exercise, and what the checker says.

    Sentences that differ in their numbers alone are one mistake.
    """
    wrong = [(row["exercise"], row["message"]) for row in rows if row["status"] == "wrong"]
    alike = {(name, NUMBER.sub("", message)): message for name, message in wrong}
    count = Counter((name, NUMBER.sub("", message)) for name, message in wrong)
    return [(times, key[0], alike[key]) for key, times in count.most_common(most)]
