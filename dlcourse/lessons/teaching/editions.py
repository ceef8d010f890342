"""Two editions of a notebook: homework for students, and the teacher's with the answers.

Both have nbgrader's cell metadata. The teacher's edition is also a source for nbgrader: what a
student must not see stands between its marks, which `nbgrader generate_assignment` leaves out.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from dlcourse.errors import UserError
from dlcourse.files import make_folder, write_file
from dlcourse.lessons.errata import show
from dlcourse.lessons.exercises import SLIPS, exercises, numbered, source, verdict
from dlcourse.lessons.exercises.answers import shown
from dlcourse.lessons.teaching import POINTS, notebook, numbers_of

ANSWER = re.compile(r'\n*\bcheck\("(\d\d\.\d+)", answer\)\s*\Z')
IMPORT = "from dlcourse.lessons import check, hint, solution\n\n"
TOOLS = re.compile(r'run\s+the\s+cell\.\s+`hint\(".*?"\)`\s+helps,\s+`solution\(".*?"\)`\s+tells\.')
TOLD = "run the cell, then\nthe one below it, which checks it."
CLASS = """\
# Homework: `hint` and `solution` wait, and some exercises may have numbers of your own.
import os

os.environ["DLCOURSE_CLASS"] = "{}\""""
CHECK = """\
# {0}: the check, points: {1}
from dlcourse.lessons import check

verdict = check("{0}", answer)
assert verdict.status != "wrong", verdict
{2}display(verdict)"""
BEGIN = "\n\n### BEGIN SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS\nassert verdict, verdict\n### END HIDDEN TESTS\n"
READING = re.compile(r"(\d+) minutes to read")  # "an hour" is 60 as well
MINUTES = {"quick": 3, "complete": 10, "build": 20}  # an estimate, per exercise
TEACHER = """\
## For the teacher

Reading is shared by words; the exercises are estimated.

| section | minutes |
| --- | --: |
"""


def write(paths: Sequence[str], out: str, students: Sequence[str], teacher: bool) -> list[Path]:
    """Write an edition of each notebook, in a folder per student; return the files.

    Raises:
        UserError: A file is not a notebook of the course, or `out` is the folder it lies in.
    """
    editions: dict[Path, str] = {}
    for path, student in ((Path(path), student) for path in paths for student in students):
        if (target := Path(out, student, path.name)).resolve() == path.resolve():
            raise UserError(f"--out {out}: {path} lies there; name another folder")
        book = edition(path, numbers_of(student), teacher)
        editions[target] = json.dumps(book, ensure_ascii=False, indent=1) + "\n"
    for target, text in editions.items():
        make_folder(target.parent)
        write_file(target, lambda place, text=text: place.write_text(text, encoding="utf-8"))
    return list(editions)


def edition(path: Path, numbers: str = "class", teacher: bool = False) -> dict[str, Any]:
    """Return a notebook as homework with a student's numbers, or as the teacher's edition."""
    book, cells = notebook(path), []
    names = [found[1] for cell in book["cells"] if (found := ANSWER.search(cell["source"]))]
    if not names:
        raise UserError(f"{path}: there is no exercise of the course in it")
    for cell in book["cells"]:
        found = ANSWER.search(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = TOOLS.sub(TOLD, _asked(cell["source"], names, numbers))
        solved = _solved(found[1], numbers) if found and teacher else ""
        own = _exercise(found[1], cell["source"][: found.start()], solved) if found else [cell]
        cells += [*own, _cell("class", CLASS.format(numbers))] if len(cells) == 1 else own
    if teacher:
        about = {"cell_type": "markdown", "id": "teacher", "metadata": {}}
        cells.insert(1, about | {"source": _about(book["cells"], names)})
    return {**book, "cells": cells}


def _exercise(name: str, text: str, solved: str) -> list[dict[str, Any]]:
    """Return the cell for an answer, and the one that checks it."""
    points, id_ = POINTS[exercises(name[:2])[name].level], name.replace(".", "-")
    answer = _cell(f"answer-{id_}", text.replace(IMPORT, "") + solved, solution=True)
    check = CHECK.format(name, points, HIDDEN if solved else "")
    return [answer, _cell(f"check-{id_}", check, grade=True, locked=True, points=points)]


def _cell(id_: str, text: str, **flags: Any) -> dict[str, Any]:
    """Return a code cell with nbgrader's metadata, which students cannot delete."""
    plain = dict.fromkeys(("grade", "locked", "solution"), False)
    own = {"schema_version": 3, "grade_id": id_, **plain, **flags}
    metadata = {"nbgrader": own, "deletable": False, "editable": not own["locked"]}
    code = {"cell_type": "code", "id": id_, "execution_count": None, "outputs": []}
    return code | {"metadata": metadata, "source": text}


def _asked(text: str, names: Sequence[str], numbers: str) -> str:
    """Return a text whose questions have a student's numbers."""
    for name in names:
        exercise = exercises(name[:2])[name]
        words = r"\s+".join(map(re.escape, exercise.question.split()))
        asked = "\n".join(wrap(f"**{name}** {numbered(name, exercise, numbers).question}", 100))
        text = re.sub(rf"\*\*{name}\*\*\s+{words}", lambda _, asked=asked: asked, text)
    return text


def _solved(name: str, numbers: str) -> str:
    """Return a solution with its explanation, its hint and what students get wrong as comments."""
    exercise = numbered(name, exercises(name[:2])[name], numbers)
    notes = [exercise.explanation, f"Hint: {exercise.hint}", "What students get wrong:"]
    for wrong in exercise.wrong:
        start = "" if callable(wrong.answer) else f"{shown(wrong.answer)}: "
        trains = exercise.level == "build"
        told = f"{wrong.message} …" if trains else verdict(name, exercise, wrong.answer).message
        notes.append(f"- {start}{told}")
    lines = [f"# {line}" for note in notes for line in wrap(note, 96, subsequent_indent="  ")]
    return "\n".join([BEGIN, source(exercise.solution), *lines, "### END SOLUTION"])


def _about(cells: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Return minutes per section, and the slides' errors on the subject, as Markdown."""
    words, section = Counter(), "The beginning"
    for cell in cells[1:]:
        for line in cell["source"].splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("## "):
                section = line[3:]
            words[section] += len(line.split()) * (section not in ("Exercises", "Further reading"))
    said = READING.search(" ".join(cells[0]["source"].split())) or ("", 60)
    rows = [
        f"| {name} | {int(said[1]) * n / words.total():.0f} |\n" for name, n in words.items() if n
    ]
    work = sum(MINUTES[exercises(name[:2])[name].level] for name in names)
    rows.append(f"| Exercises | {work} |\n\n**The slides' errors** on the subject:\n\n```text\n")
    slips = show(*ids) if (ids := SLIPS.get(names[0][:2], "").split()) else "None is known."
    return "".join([TEACHER, *rows, slips, "\n```"])
