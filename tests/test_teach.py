"""A class: homework without solutions, numbers per student, and grades that cannot be forged.

Submissions are run as `dlcourse teach grade` runs them: without network, files or endless time.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcourse.commands.teach import main
from dlcourse.errors import UserError
from dlcourse.lessons.exercises import NOTEBOOKS, SLIPS, check, exercises, hint, solution, source
from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS
from dlcourse.lessons.teaching import grading, isolation, notebook, numbers_of, roster
from dlcourse.lessons.teaching.editions import edition
from dlcourse.lessons.teaching.processes import Peer

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
VARIED = ["01.1", "02.1", "03.1", "04.1", "05.1", "06.1", "07.1", "09.2", "10.2"]
isolated = pytest.mark.skipif(
    isolation.isolation() is None, reason="neither bubblewrap nor unshare works on this machine"
)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def texts(book, kind="code"):
    return [cell["source"] for cell in book["cells"] if cell["cell_type"] == kind]


def flags(book):
    made = [cell["metadata"].get("nbgrader", {}) for cell in book["cells"]]
    return [own for own in made if re.match("answer|check", own.get("grade_id", ""))]


def asked_of(student, name):
    """Return an exercise as a student is asked it, by the rule that is written down for it."""
    variant = exercises(name[:2])[name].variant
    assert variant
    seed = hashlib.sha256(student.encode()).hexdigest()[:8]
    return variant(np.random.default_rng([*f"{seed} {name}".encode()]))


# Homework and the teacher's edition


@every_lesson
def test_homework_shows_no_solution_and_says_nothing_of_hints(path):
    book = edition(path)
    text = "\n".join(texts(book) + texts(book, "markdown"))
    assert "solution(" not in text
    assert "hint(" not in text
    for exercise in exercises(path.name[:2]).values():
        assert exercise.explanation not in text
        assert source(exercise.solution) not in text


@every_lesson
def test_each_exercise_is_a_cell_for_the_answer_and_a_locked_one_with_its_points(path):
    names = [name.replace(".", "-") for name in exercises(path.name[:2])]
    made = flags(edition(path))
    asked, checked = made[::2], made[1::2]
    assert [cell["grade_id"] for cell in asked] == [f"answer-{name}" for name in names]
    assert [cell["grade_id"] for cell in checked] == [f"check-{name}" for name in names]
    for cell in asked:
        assert (cell["solution"], cell["grade"], cell["locked"]) == (True, False, False)
    for cell, exercise in zip(checked, exercises(path.name[:2]).values(), strict=True):
        assert (cell["solution"], cell["grade"], cell["locked"]) == (False, True, True)
        assert cell["points"] == {"quick": 1, "complete": 2, "build": 3}[exercise.level]
    ids = [cell["id"] for cell in edition(path)["cells"]]
    assert len(ids) == len(set(ids))


@every_lesson
def test_the_cells_of_homework_are_found_again_by_their_text_alone(path):
    book = edition(path)
    places = grading.marked_cells(texts(book))
    assert list(places) == list(exercises(path.name[:2]))
    assert all(f'check("{name}"' in texts(book)[k] for name, k in places.items())


@every_lesson
def test_the_teachers_edition_has_answers_mistakes_minutes_and_the_slides_errors(path):
    book = edition(path, teacher=True)
    about = texts(book, "markdown")[1]
    minutes = [int(number) for number in re.findall(r"\| (\d+) \|", about)]
    assert min(minutes) >= 0
    assert 45 <= sum(minutes) <= 240
    assert all(id_ in about for id_ in SLIPS.get(path.name[:2], "").split())
    for name, exercise in exercises(path.name[:2]).items():
        text = next(t for t in texts(book) if t.startswith(f"# {name}:") and "SOLUTION" in t)
        assert source(exercise.solution) in text
        assert text.count("\n# - ") == len(exercise.wrong)


def test_every_error_of_the_slides_is_told_to_the_teacher_of_one_notebook():
    told = " ".join(SLIPS.values()).split()
    wrong = [example.id for example in EXAMPLES.values() if example.slip] + [*STATEMENTS]
    assert sorted(told) == sorted(wrong)


def test_what_a_teacher_reads_is_between_nbgraders_marks():
    book = edition(LESSONS[7], teacher=True)
    marks = r"### BEGIN (SOLUTION|HIDDEN TESTS)\n.*?### END \1\n?"
    left = [re.sub(marks, "", text, flags=re.DOTALL).rstrip() for text in texts(book)]
    assert left == [text.rstrip() for text in texts(edition(LESSONS[7]))]


# Numbers of their own


def test_a_students_numbers_follow_from_the_name_alone():
    assert numbers_of("ada") == "class:fdee430d"
    assert numbers_of("") == "class"


@pytest.mark.parametrize("name", VARIED)
def test_an_exercise_with_other_numbers_is_checked_with_them(name, monkeypatch):
    asked = set()
    for k in range(40):
        monkeypatch.setenv("DLCOURSE_CLASS", numbers_of(f"student{k}"))
        own = asked_of(f"student{k}", name)
        asked.add(own.question)
        for answer in (own.solution, *own.equivalents):
            assert check(name, answer), (own.question, answer)
        for wrong in own.wrong:
            verdict = check(name, wrong.answer)
            assert verdict.status == "wrong", (own.question, wrong)
            assert verdict.message.startswith(wrong.message), (own.question, wrong)
    assert len(asked) >= 3


def test_the_exercises_that_have_other_numbers_are_these():
    every = {name: task for number in NOTEBOOKS for name, task in exercises(number).items()}
    assert [name for name, task in every.items() if task.variant] == VARIED
    page = " ".join((ROOT / "notebooks" / "README.md").read_text(encoding="utf-8").split())
    assert f"{', '.join(VARIED[:-1])} and {VARIED[-1]} are asked with numbers" in page


def test_homework_asks_a_student_with_their_own_numbers():
    ada, bob, none = (edition(LESSONS[2], numbers_of(who)) for who in ("ada", "bob", ""))
    asked = [next(t for t in texts(b, "markdown") if "**02.1**" in t) for b in (ada, bob, none)]
    assert len(set(asked)) == 3
    assert 'os.environ["DLCOURSE_CLASS"] = "class:fdee430d"' in texts(ada)[1]


def test_the_teachers_edition_of_a_student_has_the_answers_to_their_numbers():
    own = asked_of("ada", "02.1")
    book = edition(LESSONS[2], numbers_of("ada"), teacher=True)
    text = next(t for t in texts(book) if t.startswith("# 02.1:"))
    assert f"\nanswer = {own.solution}\n" in text
    assert f"# - {own.wrong[0].answer}: {own.wrong[0].message}" in text


def test_hints_and_solutions_decline_in_a_class_and_checks_do_not(monkeypatch):
    monkeypatch.setenv("DLCOURSE_CLASS", "class")
    for tool in (hint, solution):
        with pytest.raises(UserError, match=rf'{tool.__name__}\("07.1"\): this exercise is home'):
            tool("07.1")
    assert check("07.1", (7, 4))


# Errors, each in one line


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ada\nada\n", "'ada' cannot be taken: one student per line, each once"),
        ("ada\n../bob\n", "'../bob' cannot be taken"),
        ("", "'' cannot be taken"),
        ("=1+1\n", "'=1+1' cannot be taken"),
    ],
)
def test_a_roster_that_cannot_be_used_is_refused(text, error, tmp_path):
    (tmp_path / "class.txt").write_text(text)
    with pytest.raises(UserError, match=re.escape(error)):
        roster(tmp_path / "class.txt")
    with pytest.raises(UserError, match="cannot be read as a roster"):
        roster(tmp_path)


def test_a_roster_is_read_up_to_the_comma(tmp_path):
    (tmp_path / "class.csv").write_text("ada, Ada Lovelace\n\nbob.b@x.org,Bob\n")
    assert roster(tmp_path / "class.csv") == ["ada", "bob.b@x.org"]
    assert roster(None) == [""]


def test_a_wrong_path_is_refused_in_one_line_and_nothing_is_written(tmp_path, capsys):
    (tmp_path / "x.ipynb").write_text("{")
    (tmp_path / "y.ipynb").write_text('{"cells": []}')
    shutil.copy(LESSONS[7], tmp_path)
    for paths, out, error in (
        (["x.ipynb", LESSONS[7].name], "out", "x.ipynb: not a notebook"),
        (["y.ipynb"], "out", "y.ipynb: there is no exercise of the course in it"),
        (["z.ipynb"], "out", "z.ipynb: No such file"),
        ([LESSONS[7].name], ".", "lies there; name another folder"),
    ):
        places = [str(tmp_path / name) for name in paths]
        assert main(["release", *places, "--out", str(tmp_path / out)]) == 1
        assert error in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_submissions_are_found_by_student(tmp_path):
    for name in ("ada/ex/07.ipynb", "bo b_07 (1).ipynb", "ada-lee.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "ada" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "ada" / ".ipynb_checkpoints" / "07.ipynb").write_text("{}")
    (tmp_path / "__MACOSX" / "ada").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "ada" / "._07.ipynb").write_bytes(b"\0\5\26\7")
    (tmp_path / "bo_2.ipynb").symlink_to(tmp_path / "ada-lee.ipynb")  # to what is another's
    found = grading.submissions([tmp_path], ["ada", "ada-lee", "bo"])
    assert [student for student, _ in found] == ["ada", "ada-lee", "bo"]
    with pytest.raises(UserError, match="'bo b_07 \\(1\\)' does not begin with a student's name"):
        grading.submissions([tmp_path], ["ada"])
    with pytest.raises(UserError, match="'ada', 'ada-lee', 'bo b_07 \\(1\\)' does not begin"):
        grading.submissions([tmp_path], ["zoe"])
    with pytest.raises(UserError, match="not a folder with notebooks"):
        grading.submissions([tmp_path / "nothing"], [""])


def test_where_nothing_isolates_grading_is_refused_unless_unsafe(tmp_path, monkeypatch, capsys):
    write(tmp_path / "ada.ipynb", {"02.1": "answer = 1.5"})
    monkeypatch.setattr(isolation, "isolation", lambda: None)
    command = ["grade", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert "--unsafe gives submissions your rights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*command, "--unsafe"]) == 0
    assert "ada  ada.ipynb  1 of 8" in capsys.readouterr().out


def test_a_tool_that_does_not_work_is_not_taken(monkeypatch):
    monkeypatch.setattr(isolation, "environment", lambda *_: {"PATH": ""})
    isolation.isolation.cache_clear()
    assert isolation.isolation() is None
    isolation.isolation.cache_clear()


# Grading


def write(path, cells):
    """Write a notebook as Colab does, without ids and metadata: an answer per exercise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = [f'# {name}: mine\n{code}\ncheck("{name}", answer)' for name, code in cells.items()]
    start = "import numpy as np\nfrom dlcourse.lessons import check, hint, solution"
    every = [
        {
            "cell_type": "code",
            "metadata": {"id": "x"},
            "outputs": [],
            "source": code.splitlines(True),
        }
        for code in (start, *codes)
    ]
    path.write_text(json.dumps({"cells": every, "metadata": {"colab": {}}, "nbformat": 4}))


RIGHT = {
    name: source(task.solution) if name < "02.4" else "answer = ..."
    for name, task in exercises("02").items()
}


def points(rows):
    return [row["points"] for row in rows]


@isolated
def test_a_colab_notebook_is_graded_exercise_by_exercise(tmp_path):
    write(tmp_path / "ada.ipynb", {**RIGHT, "02.3": "answer = 0.2\nraise ValueError"})
    rows = grading.marks("", tmp_path / "ada.ipynb")
    assert points(rows) == [1, 1, 0, 0, 0]
    assert [row["status"] for row in rows][-2:] == ["unattempted"] * 2
    assert rows[2]["message"] == check("02.3", 0.2).message


@isolated
def test_a_function_is_called_where_it_was_written_and_its_faults_are_told(tmp_path):
    answers = {
        "02.1": "answer = 2 * 0.75",
        "02.2": "def answer(g, x, h, n):\n    return x - h * g(x) * unknown",
        "02.4": source(exercises("02")["02.4"].solution),
        "02.5": "def answer(f, gradient, low, high):\n    for x in range(1000):\n        f(x)",
    }
    write(tmp_path / "ada.ipynb", answers)
    rows = grading.marks("", tmp_path / "ada.ipynb")
    assert points(rows) == [1, 0, 0, 2, 0]
    told = [row["message"] for row in rows]
    assert "NameError" in told[1]
    assert "name 'unknown' is not defined" in told[1]
    assert told[2] == "The exercise is not in the notebook."
    assert told[4] == "`f` was asked for more than 100 numbers in one landscape."


HOSTILE = {
    # Each takes the right answer only if it has broken out.
    "02.1": """
class Yes(float):
    __eq__ = __le__ = __lt__ = __gt__ = lambda *_: True
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = __float__ = __array__ = lambda *_: 1.5
answer = Yes(7)
answer = [answer]""",
    "02.2": """
class Any:
    __class__ = property(lambda self: float)
    def __eq__(self, other): return True
    def __call__(self, *arguments): return self
    def __deepcopy__(self, memo): return self
answer = Any()""",
    "02.3": """
import dlcourse.lessons.exercises as e, sys, os, json
try: answer = e.exercises("02")["02.3"].solution
except Exception: answer = 9
right = e.Verdict("02.3", "right", "")
e.check = check = lambda *_: right
e.Exercise.check = property(lambda self: lambda answer: None)
for handle in range(256):
    try: os.write(handle, (json.dumps(vars(right)) + "\\n").encode() if handle < 3 else b"")
    except OSError: pass""",
    "02.4": """
import pathlib
def readable(path):
    try: return bool(path.read_bytes())
    except OSError: return False
found = [p for p in pathlib.Path(e.__file__).parent.rglob("*descent.py") if readable(p)]
found += [p for p in ("SECRET", "PLACE") if p in os.environ or os.path.exists(p)]
code = "def answer(x, y, w, b, learning_rate, batch_size, order):\\n    return 0"
if found:
    code = found[0].read_text().split("def one_epoch")[1]
    code = "import numpy as np\\ndef answer" + code.split("\\n\\n\\n")[0]
exec(code)""",
    "02.5": """
import socket
try:
    socket.create_connection(("127.0.0.1", PORT), 2)
    answer = lambda f, gradient, low, high: 0
except OSError:
    answer = "no network" """,
}


@isolated
def test_lies_stolen_solutions_and_a_replaced_checker_bring_no_points(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "token")
    (tmp_path / "other.txt").write_text("another's")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        cells = {
            name: code.replace("PORT", port).replace("PLACE", str(tmp_path / "other.txt"))
            for name, code in HOSTILE.items()
        }
        write(tmp_path / "eve.ipynb", cells)
        rows = grading.marks("", tmp_path / "eve.ipynb")
    assert points(rows) == [0] * 5, rows
    assert "Two results are expected" in rows[3]["message"], "a secret was found"
    assert "not a function" in rows[4]["message"] or "A function is expected" in rows[4]["message"]


@isolated
def test_noise_on_every_line_to_the_outside_brings_no_points(tmp_path):
    noise = """
import os
for handle in range(256):
    try: os.write(handle, b'{"name": "02.1", "status": "right", "message": ""}\\n' * 100)
    except OSError: pass
answer = 9"""
    write(tmp_path / "eve.ipynb", dict.fromkeys(RIGHT, noise))
    assert points(grading.marks("", tmp_path / "eve.ipynb", seconds=20)) == [0] * 5


@isolated
def test_whoever_deletes_what_they_can_reach_deletes_nothing_of_others(tmp_path):
    write(tmp_path / "ada" / "02.ipynb", RIGHT)
    package = Path(isolation.PACKAGE)
    before = sorted(path.name for path in package.rglob("*.py"))
    code = f"""
import os, shutil
shutil.rmtree({str(tmp_path)!r}, ignore_errors=True)
for place in ({str(tmp_path)!r}, {str(package)!r}, "/usr", "/etc"):
    try: open(os.path.join(place, "mine.txt"), "w").write("x")
    except OSError: pass
answer = 1.5"""
    write(tmp_path / "eve" / "02.ipynb", {**RIGHT, "02.3": code})
    eve = grading.marks("", tmp_path / "eve" / "02.ipynb")
    assert points(eve)[:2] == [1, 1]
    assert points(grading.marks("", tmp_path / "ada" / "02.ipynb"))[:3] == [1, 1, 1]
    assert sorted(path.name for path in package.rglob("*.py")) == before
    assert not (package / "mine.txt").exists()
    assert not (tmp_path / "mine.txt").exists()


@isolated
def test_an_endless_loop_costs_its_own_exercise(tmp_path):
    loop = "def answer(*_):\n    while True: pass"
    write(tmp_path / "eve.ipynb", {**RIGHT, "02.1": "while True: pass", "02.2": loop})
    rows = grading.marks("", tmp_path / "eve.ipynb", seconds=10)
    assert points(rows) == [0, 0, 1, 0, 0]
    assert "OutOfTime" in rows[1]["message"]


@isolated
@pytest.mark.slow
def test_a_loop_that_hears_no_signal_is_killed_and_what_came_before_counts(tmp_path):
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\nwhile True: pass"
    write(tmp_path / "eve.ipynb", {**RIGHT, "02.2": deaf})
    rows = grading.marks("", tmp_path / "eve.ipynb", seconds=6)
    assert points(rows) == [1, 0, 0, 0, 0]
    assert rows[2]["message"] == "The notebook was stopped before: it took more than 6 s."


@isolated
@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "rest"),
    [
        ("x = bytearray(10**12)", [1, 1]),
        ("x = []\nwhile True: x.append(bytearray(10**8))", [1, 1]),
        (
            "import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n"
            "        x = bytearray(2 * 10**8)\n        for k in range(0, len(x), 4096): x[k] = 1\n"
            "        time.sleep(60)\ntime.sleep(60)",
            [0, 0],
        ),
        ("import os\nwhile True: os.fork()", [0, 0]),
        ("import os\nfor k in range(40): os.write(os.memfd_create('x'), bytes(2**27))", [0, 0]),
    ],
    ids=["at once", "bit by bit", "in many processes", "fork bomb", "in files of memory"],
)
def test_a_memory_bomb_goes_off_in_its_own_room(code, rest, tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "MEMORY", 2 * 2**30)
    write(tmp_path / "eve.ipynb", {**RIGHT, "02.1": code})
    rows = grading.marks("", tmp_path / "eve.ipynb", seconds=30)
    assert points(rows)[:3] == [0, *rest]
    if not any(rest):
        assert rows[2]["message"] == "The notebook was stopped before: it took more than 2 GiB."


@isolated
def test_the_command_grades_every_submission_and_lists_what_was_wrong(tmp_path, capsys):
    (tmp_path / "class.txt").write_text("ada\nbob\neve\n")
    right = {who: asked_of(who, "02.1").solution for who in ("ada", "bob")}
    write(tmp_path / "in" / "ada.ipynb", {"02.1": f"answer = {right['ada']}", "02.3": "answer = 2"})
    write(
        tmp_path / "in" / "bob_02.ipynb", {"02.1": f"answer = {right['ada']}", "02.3": "answer = 2"}
    )
    assert right["ada"] != right["bob"]
    roster_, out = str(tmp_path / "class.txt"), tmp_path / "out"
    command = ["grade", str(tmp_path / "in"), "--roster", roster_, "--out", str(out)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "ada  ada.ipynb  1 of 8" in told
    assert "bob  bob_02.ipynb  0 of 8" in told
    assert "eve  no submission" in told
    assert f"2      02.3  {check('02.3', 2).message}" in told
    rows = table(out / "grades.csv")
    assert [row["02.1"] for row in rows] == ["1", "0"]
    assert [(row["student"], row["points"], row["most"]) for row in rows] == [
        ("ada", "1", "8"), ("bob", "0", "8")]  # fmt: skip
    assert len(table(out / "answers.csv")) == 10


@isolated
def test_a_device_and_what_hides_the_answers_cannot_be_changed(tmp_path):
    code = """
import os, dlcourse.lessons.exercises as e
hidden = e.__file__.replace("__init__", "gradient_descent")
answer = 1.5
for place in ("/dev/null", "/dev/zero", "/dev/urandom", hidden):
    try: os.chmod(place, 0o666); answer = "changed"
    except OSError: pass
open("/dev/null", "w").write("x")"""
    write(tmp_path / "eve.ipynb", {"02.1": code})
    assert points(grading.marks("", tmp_path / "eve.ipynb"))[0] == 1


@isolated
def test_an_answer_that_is_too_large_costs_its_own_exercise(tmp_path):
    write(tmp_path / "eve.ipynb", {**RIGHT, "02.1": "answer = 'x' * 2**27"})
    rows = grading.marks("", tmp_path / "eve.ipynb")
    assert points(rows)[:3] == [0, 1, 1]
    assert rows[0]["message"] == "This answer cannot be read."


@isolated
def test_no_words_of_a_submission_end_the_grading_or_move_the_cursor(tmp_path, capsys):
    wild = "def answer(*_): raise ValueError('\\x1b[2J\\r\\nada 8 of 8 \\ud800\\u202e')"
    write(tmp_path / "in" / os.fsdecode(b"eve_\xf6.ipynb"), {"02.2": wild})  # Latin-1
    write(tmp_path / "in" / "zoe.ipynb", {"02.1": "answer = 1.5"})
    assert main(["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "zoe  zoe.ipynb  1 of 8" in told
    assert "\x1b" not in told
    rows = table(tmp_path / "out" / "answers.csv")
    assert rows[0]["notebook"].endswith("eve_�.ipynb")
    assert "�[2J ada 8 of 8 ��" in rows[1]["message"]


@isolated
@pytest.mark.parametrize(
    "code",
    [
        'check("02.1", 1.5)\ncheck("02.3", 0.1)',
        'answer = 1.5\ncheck("02.1", answer)\nanswer = 0.1\ncheck("02.3", answer)',
        'answer = 1.5\ncheck("02.1", answer)\ncheck("02.3", 0.1)  # check("02.1", 9) is wrong',
    ],
)
def test_what_check_is_given_is_the_answer_wherever_it_stands(code, tmp_path):
    cells = ["from dlcourse.lessons import check", code, '# check("02.1", x) was easy\nanswer = 7']
    every = [{"cell_type": "code", "source": text} for text in cells]
    (tmp_path / "ada.ipynb").write_text(json.dumps({"cells": every}))
    assert points(grading.marks("", tmp_path / "ada.ipynb"))[:3] == [1, 0, 1]


@isolated
def test_what_cannot_be_graded_is_a_row_with_the_reason(tmp_path, capsys):
    (tmp_path / "class.txt").write_text("ada\nbob\nju\u0308rgen\nkim\n")  # a decomposed ü
    roster_ = ["--roster", str(tmp_path / "class.txt")]
    out = tmp_path / "out"
    assert main(["release", str(LESSONS[2]), "--out", str(tmp_path / "to"), *roster_]) == 0
    (given := tmp_path / "in").mkdir()
    shutil.copy(tmp_path / "to" / "ada" / LESSONS[2].name, given / "bob.ipynb")
    (given / "ada.ipynb").write_text("{")
    write(
        given / "j\u00fcrgen_02.ipynb", {"02.1": f"answer = {asked_of('jürgen', '02.1').solution}"}
    )
    assert main(["grade", str(given), "--out", str(out), *roster_]) == 0
    told = capsys.readouterr().out
    assert "ada  ada.ipynb  not graded: not a notebook" in told
    assert "bob  bob.ipynb  not graded: its numbers are not this student's" in told
    assert "jürgen  jürgen_02.ipynb  1 of 8" in told
    assert re.findall(".*  no submission", told) == ["kim  no submission"]
    rows = table(out / "grades.csv")
    assert [(r["student"], r["02.1"], r["points"], r["most"]) for r in rows] == [
        ("ada", "", "0", "0"), ("bob", "", "0", "0"), ("jürgen", "1", "1", "8")]  # fmt: skip
    assert main(["grade", str(given), "--out", str(out)]) == 0
    assert "give grade the roster that release had" in capsys.readouterr().out


@isolated
def test_a_notebook_that_is_handed_in_twice_does_not_count_twice(tmp_path):
    for place in ("ada/02.ipynb", "ada/again/02.ipynb"):
        write(tmp_path / "in" / place, {"02.1": "answer = 1.5"})
    assert main(["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert [row["points"] for row in table(tmp_path / "out" / "grades.csv")] == ["1", "1"]


def table(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_mistakes_that_differ_in_numbers_alone_are_one():
    told = ["yours gives 3.5.", "yours gives −4e-3.", "mind the sign."]
    rows = [{"exercise": "02.1", "message": text, "status": "wrong"} for text in told]
    assert [row[:2] for row in grading.mistakes(rows)] == [(2, "02.1"), (1, "02.1")]


# What passes between the processes


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield Peer(os.dup(one.fileno()), 0), Peer(os.dup(other.fileno()), 0)


def passed(value, sender, receiver):
    text = json.dumps(value, default=sender.sign)
    return json.loads(text, object_hook=receiver._read)


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, "x", [1, "a"], {"A": "b"}, {1, 2}, np.arange(3), np.float32([[1, 2]]),
     np.array(["a", "bc"]), np.array([True]), np.zeros(0)],
)  # fmt: skip
def test_data_passes_as_it_is(value, ends):
    received = passed(value, *ends)
    assert type(received) is type(value)
    assert np.array_equal(received, value) if isinstance(value, np.ndarray) else received == value
    if isinstance(value, np.ndarray) and value.dtype.kind != "U":
        assert received.dtype == value.dtype


def test_an_object_passes_as_its_name_alone(ends):
    class Secret:
        __eq__ = __ge__ = lambda *_: True

    received = passed(Secret(), *ends)
    assert type(received).__name__ == "Secret"
    assert received != 3
    assert passed(..., *ends) is ...


def test_a_model_counts_its_own_parameters_whatever_it_says_of_itself(ends):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    model.count_params = lambda: 1
    received = passed(model, *ends)
    assert received is not model
    assert received.count_params() == 20
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(received.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_model_that_a_file_cannot_hold_predicts_where_it_was_written(ends):
    class Mean:
        def predict(self, x):
            return x.mean(axis=1)

    received = passed(Mean(), *ends)
    assert not hasattr(received, "count_params")
    assert callable(received.predict)


# nbgrader


def short(path):
    """Write notebook 02 without its lesson, which takes nbgrader a minute, and return its path."""
    book = notebook(LESSONS[2])
    start = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "id": "a"}
    kept = [c for c in book["cells"] if "**02." in c["source"] or 'check("02.' in c["source"]]
    code = "import numpy as np\n\ndef descend(gradient, x, rate, steps): return [x]"
    book["cells"] = [book["cells"][0], start | {"source": code}, *kept]
    path.write_text(json.dumps(book))
    return path


@pytest.mark.slow
def test_nbgrader_takes_what_is_released_and_gives_the_same_points(tmp_path, monkeypatch):
    pytest.importorskip("nbgrader", reason="pip install dlcourse[teach]")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    def nbgrader(*arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    (tmp_path / "class.txt").write_text("ada\nbob\neve\n")
    path, roster_ = str(short(tmp_path / LESSONS[2].name)), str(tmp_path / "class.txt")
    assert main(["solutions", path, "--out", "source/ex"]) == 0
    assert main(["release", path, "--out", "out", "--roster", roster_]) == 0
    assert "Success" in nbgrader("validate", f"out/ada/{LESSONS[2].name}")
    nbgrader("generate_assignment", "ex", "--create")
    released = (tmp_path / "release" / "ex" / LESSONS[2].name).read_text()
    assert "What students get wrong" not in released
    own = {who: asked_of(who, "02.1").solution for who in ("ada", "eve")}
    every = {name: source(task.solution) for name, task in exercises("02").items()}
    answers = {
        "ada": {**every, "02.1": f"answer = {own['ada']}"},
        "bob": {"02.1": "answer = 99", "02.2": "answer = lambda *_: 0", "02.3": "answer = 0.1"},
        "eve": {"02.1": f"answer = {own['eve']}", "02.2": "def answer(:", "02.5": "answer = 3"},
    }
    for who, given in answers.items():
        book = notebook(tmp_path / "out" / who / LESSONS[2].name)
        for cell in book["cells"]:
            id_ = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            name = id_.removeprefix("answer-").replace("-", ".")
            cell["source"] = given.get(name, cell["source"])
        target = tmp_path / "submitted" / who / "ex" / LESSONS[2].name
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(book))
    nbgrader("autograde", "ex", "--create")
    nbgrader("export", "--to", "theirs.csv")
    theirs = {row["student_id"]: float(row["score"]) for row in table(Path("theirs.csv"))}
    assert main(["grade", "submitted", "--out", "ours", "--roster", roster_, "--unsafe"]) == 0
    ours = {row["student"]: float(row["points"]) for row in table(Path("ours/grades.csv"))}
    assert ours == theirs == {"ada": 8, "bob": 1, "eve": 1}
