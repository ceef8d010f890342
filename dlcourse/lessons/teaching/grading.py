"""Grades for a folder of submissions: each is run in one isolated process and marked in another."""

import csv
import io
import json
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NamedTuple

from dlcourse.errors import UserError
from dlcourse.lessons.exercises import NOTEBOOKS, exercises
from dlcourse.lessons.teaching import isolation
from dlcourse.lessons.teaching.isolation import Limits

POINTS = {"quick": 1, "complete": 2, "build": 3}
STUDENT = re.compile(r"\w[\w.@+-]*")
CHECKED = re.compile(r"""\bcheck\(\s*["'](\d\d\.\d{1,2})["']""")
ASKED = re.compile(r"\A\s*# (\d\d\.\d{1,2}):")
NO_ISOLATION = (
    "grade: neither bubblewrap nor unshare can isolate a process here. Install bubblewrap, or grade "
    "in a virtual machine; --unsafe runs submissions with all your rights"
)


class Mark(NamedTuple):
    """The verdict on one exercise of one submission."""

    student: str
    exercise: str
    points: int
    most: int
    verdict: str
    message: str


def roster(path: str | Path | None) -> list[str]:
    """Return the students of a roster: one per line, what follows a comma is ignored.

    Raises:
        UserError: The file cannot be read, or a line is not a name that a folder can have.
    """
    if path is None:
        return []
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a roster: {error}") from None
    students = {}
    for place, line in enumerate(lines, 1):
        student = line.partition(",")[0].strip()
        if student and not student.startswith("#"):
            if not STUDENT.fullmatch(student) or student in students:
                what = "twice" if student in students else "not of letters, digits and ._@+-"
                raise UserError(f"{path}:{place}: '{student}' is {what}; one student per line")
            students[student] = place
    if not students:
        raise UserError(f"{path}: there is no student in it; write one per line")
    return list(students)


def numbers_of(student: str) -> str:
    """Return the value of DLCOURSE_CLASS that gives a student the numbers of their own."""
    return f"class:{sha256(student.encode()).hexdigest()[:8]}" if student else "class"


def code_cells(path: Path) -> list[str]:
    """Return the code cells of a notebook, as Jupyter or Colab writes it.

    Raises:
        UserError: The file is not a notebook.
    """
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path}: cannot be read as a notebook; save it as .ipynb again") from None


def marked_cells(codes: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return each cell with the exercise whose answer is taken after it, and all exercises.

    An exercise is found by its call of `check`, or by the first line of its cell, `# 07.1: …`:
    editors and Colab may drop a cell's metadata.
    """
    places: dict[str, int] = {}
    for pattern in (ASKED, CHECKED):
        places |= {name: k for k, code in enumerate(codes) for name in pattern.findall(code)}
    known = Counter(name[:2] for name in places if name[:2] in NOTEBOOKS)
    names = list(exercises(max(known, key=lambda name: known[name]))) if known else []
    taken = {places[name]: name for name in names if name in places}
    return [(code, taken.get(k, "")) for k, code in enumerate(codes)], names


def submissions(folder: str | Path, students: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the student and the path of each notebook in a folder.

    A student is the first part of the path below the folder, or with a roster the one whose name
    this part begins with.

    Raises:
        UserError: There is no notebook, or one is of nobody on the roster.
    """
    found = sorted(path for path in Path(folder).rglob("*.ipynb") if "/." not in str(path))
    if not found:
        raise UserError(f"{folder}: there is no notebook (.ipynb) in it")
    for path in found:
        top = path.relative_to(folder).parts[0].removesuffix(".ipynb")
        own = [name for name in students if re.match(rf"{re.escape(name)}(?![^\W_])", top)]
        if students and not own:
            raise UserError(f"{path}: '{top}' begins with nobody on the roster; rename it")
        yield (max(own, key=len) if own else top), path


def verdicts(cells: Any, student: str, limits: Limits, unsafe: bool) -> tuple[dict[str, Any], str]:
    """Return the verdict by exercise on a notebook's cells, and why it was stopped, if it was."""
    way = isolation.isolation()
    if way is None and not unsafe:
        raise UserError(NO_ISOLATION)
    ends = socket.socketpair()
    python, room = [sys.executable, "-m"], "dlcourse.lessons.teaching."
    share = [str(max(1, limits.seconds // 5)), str(limits.gib)]
    with TemporaryDirectory() as one, TemporaryDirectory() as other, TemporaryFile("w+") as out, TemporaryFile("w+") as given:
        json.dump(cells, given)
        given.seek(0)
        started = []
        for place, end, module, hidden, streams in (
            (one, ends[0], "submission", isolation.answers(), (subprocess.DEVNULL,) * 2),
            (other, ends[1], "marking", [], (given, out)),
        ):
            command = [*python, room + module, str(end.fileno()), *share]
            started.append(subprocess.Popen(
                [*way(Path(place), hidden), *command] if way else command,
                stdin=streams[0], stdout=streams[1], stderr=subprocess.DEVNULL, cwd=place,
                env=isolation.environment(numbers_of(student)), pass_fds=[end.fileno()], start_new_session=True,
            ))
            end.close()
        why = isolation.watched(started[1], started[0], limits)
        out.seek(0)
        lines = [json.loads(line) for line in out if line.startswith("{")]
    return {line["name"]: line for line in lines}, why
