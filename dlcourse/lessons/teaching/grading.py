"""Grades for a folder of submissions: each is run in one isolated process and marked in another."""

import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcourse.errors import UserError
from dlcourse.files import make_folder, write_file
from dlcourse.lessons.exercises import NOTEBOOKS, exercises
from dlcourse.lessons.teaching import POINTS, STUDENT, isolation, notebook, numbers_of, plain

CHECKED = re.compile(r"""(?m)^[^#\n]*\bcheck\(\s*["'](\d\d\.\d{1,2})["']""")
ASKED = re.compile(r"\A\s*# (\d\d\.\d{1,2}):")
NUMBERS = re.compile(r'"DLCOURSE_CLASS"\] = "(class[:\w]*)"')
COLUMNS = ("student", "notebook", "exercise", "points", "most", "status", "message")
NUMBER = re.compile(r"[-−]?\d[\d.,/e%]*")


def require_isolation(unsafe: bool) -> None:
    """Raise a UserError if a submission cannot be run here, or only with all rights."""
    if find_spec("IPython") is None:
        raise UserError("grade: IPython runs the notebooks: pip install 'dlcourse[teach]'")
    if not ((unsafe and os.name == "posix") or isolation.isolation()):
        reason = (
            "grade: neither unshare nor bubblewrap can isolate a process on this machine: install "
        )
        reason += "bubblewrap, or grade on another one; --unsafe gives submissions your rights"
        raise UserError(reason)


def submissions(folders: Sequence[str | Path], students: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the student and the path of each notebook in the folders.

    A student is the first part of the path below the folder, or with a roster the one whose name
    this part begins with. Hidden files, which systems and editors make, and links are left out.

    Raises:
        UserError: There is no notebook, or some are of nobody on the roster.
    """
    found, strangers = [], []
    for folder, path in ((f, path) for f in folders for path in sorted(Path(f).rglob("*.ipynb"))):
        parts = path.relative_to(folder).parts
        if path.is_symlink() or any(part.startswith(".") for part in parts):
            continue
        top = plain(parts[0].removesuffix(".ipynb"))
        own = [who for who in students if who and re.match(rf"{re.escape(who)}(?![^\W_])", top)]
        if own or (not students[0] and STUDENT.match(top)):
            found.append((max(own or [top], key=len), path))
        else:
            strangers.append(f"'{top}'")
    if strangers:
        reason = "does not begin with a student's name; rename it, or complete the roster"
        raise UserError(f"{folders[0]}: {', '.join(dict.fromkeys(strangers))} {reason}")
    if not found:
        raise UserError(f"{folders[0]}: not a folder with notebooks (.ipynb)")
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
    student: str, path: Path, students: Sequence[str] = ("",), seconds: int = 600
) -> list[dict[str, Any]]:
    """Return a row for each exercise of a submission: its points, and why.

    A notebook that cannot be graded is one row, of no exercise and no points.

    Args:
        student: Name in the rows, and with a roster what their numbers follow from.
        path: The notebook.
        students: Those of the roster, [""] for none.
        seconds: Longest wall-clock time; a cell or a call may take a fifth of it.
    """

    def row(*result: Any) -> dict[str, Any]:
        return dict(zip(COLUMNS, (student, plain(path), *result), strict=True))

    numbers = numbers_of(student if students[0] else "")
    try:
        codes = [c["source"] for c in notebook(path)["cells"] if c["cell_type"] == "code"]
        if not (places := marked_cells(codes)):
            raise UserError(f"{path}: there is no exercise of the course in it")
        if {*NUMBERS.findall("\n".join(codes))} - {numbers}:
            reason = "its numbers are not this student's: give grade the roster that release had"
            raise UserError(f"{path}: {reason}, and ask whose notebook it was")
    except UserError as error:
        return [row("", 0, 0, "not graded", plain(error).removeprefix(f"{plain(path)}: "))]
    cells = [(code, [n for n in places if places[n] == k]) for k, code in enumerate(codes)]
    found, why = verdicts(cells, numbers, seconds)
    stopped = "wrong", f"The notebook was stopped before: {why or 'its process ended'}."
    rows = []
    for name, place in places.items():
        missing = stopped if place >= 0 else ("unattempted", "The exercise is not in the notebook.")
        status, message = found.get(name, missing)
        most = POINTS[exercises(name[:2])[name].level]
        rows.append(row(name, most * (status == "right"), most, status, plain(message)))
    return rows


def verdicts(
    cells: Sequence[tuple[str, Sequence[str]]], numbers: str, seconds: int
) -> tuple[dict[str, tuple[str, str]], str]:
    """Return the status and the words by exercise, and why the notebook was stopped, if it was."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (shared := Path(folder, "shared")).mkdir()
        for name, text in {"cells.json": json.dumps(cells), "verdicts.json": ""}.items():
            (shared / name).write_text(text)
        ends = zip(("run", "mark"), socket.socketpair(), strict=True)
        started = [isolation.start(*end, folder, numbers, seconds) for end in ends]
        why = isolation.watched(started, seconds)
        told = (shared / "verdicts.json").read_text().splitlines(keepends=True)
    found = (json.loads(line) for line in told if line.endswith("]\n"))
    return {name: (status, message) for name, status, message in found}, why


def write_grades(rows: Sequence[dict[str, Any]], out: str | Path) -> Iterator[Path]:
    """Write grades.csv, a column per exercise, and answers.csv with the words; yield the files.

    Raises:
        WriteError: A file cannot be written.
    """
    from dlcourse.heavy import pd

    answers, key = pd.DataFrame(rows), ["student", "notebook"]
    grades = answers.pivot_table("points", key, "exercise", "sum", sort=False).astype("Int64")
    totals: Any = answers.groupby(key, sort=False)[["points", "most"]].sum()
    grades = grades.drop(columns="", errors="ignore").join(totals).reset_index()
    for name, table in {"grades.csv": grades, "answers.csv": answers}.items():
        # The mark at the beginning (-sig) tells Excel that the text is Unicode.
        text, path = table.to_csv(index=False).encode("utf-8-sig"), make_folder(out) / name
        write_file(path, lambda place, text=text: place.write_bytes(text))
        yield path


def mistakes(rows: Sequence[dict[str, Any]], most: int = 10) -> list[tuple[int, str, str]]:
    """Return the most frequent mistakes: how often, the exercise, and what the checker says.

    Sentences that differ in their numbers alone are one mistake.
    """
    wrong = [(row["exercise"], row["message"]) for row in rows if row["status"] == "wrong"]
    alike = {(name, NUMBER.sub("", message)): message for name, message in wrong}
    count = Counter((name, NUMBER.sub("", message)) for name, message in wrong)
    return [(times, key[0], alike[key]) for key, times in count.most_common(most)]
