"""Run a class: homework for students, the teacher's edition, and grades without a server."""

import json
import re
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError, one_line

POINTS = {"quick": 1, "complete": 2, "build": 3}
STUDENT = re.compile(r"\w[\w.@+-]*")


def plain(text: object) -> str:
    """Return a text in composed characters, with `�` for those that a terminal would obey."""
    composed = unicodedata.normalize("NFC", str(text))
    return "".join(letter if letter.isprintable() else "�" for letter in composed)


def roster(path: str | Path | None) -> list[str]:
    """Return the students of a roster, one per line up to a comma; [""] if there is none.

    Raises:
        UserError: The file cannot be read, or a line is not a name that a folder can have.
    """
    if path is None:
        return [""]
    try:
        text = unicodedata.normalize("NFC", Path(path).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a roster: {one_line(error)}") from None
    students = [line.partition(",")[0].strip() for line in text.splitlines() if line.strip()]
    for student in students or [""]:
        if students.count(student) > 1 or not STUDENT.fullmatch(student):
            form = "one student per line, each once, of letters, digits and ._@+-"
            raise UserError(f"{path}: '{student}' cannot be taken: {form}")
    return students


def numbers_of(student: str) -> str:
    """Return the value of DLCOURSE_CLASS that gives a student numbers of their own."""
    return f"class:{sha256(student.encode()).hexdigest()[:8]}" if student else "class"


def notebook(path: str | Path) -> dict[str, Any]:
    """Return a notebook's JSON; each cell's `source` is one text.

    Raises:
        UserError: The file is not a notebook.
    """
    try:
        book = json.loads(Path(path).read_text("utf-8"))
        for cell in book["cells"]:
            cell |= {"source": "".join(cell["source"]), "cell_type": str(cell["cell_type"])}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = getattr(error, "strerror", "") or "not a notebook (.ipynb)"
        raise UserError(f"{path}: {reason}") from None
    return book
