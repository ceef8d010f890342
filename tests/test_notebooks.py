"""Each notebook is made from its .py, keeps to one form, and runs from top to bottom in silence.

With NOTEBOOKS_FULL=1 they run at full length, as a student's do, within a minute of CPU time.
"""

import os
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("nbclient")

import jupytext

from notebooks.build import COLUMNS, SOURCES, TABLE, executed, heading, page, picture, table

ROOT = Path(__file__).parent.parent
FULL = bool(os.environ.get("NOTEBOOKS_FULL"))
# A third of it was kept on faster machines; on two busy cores with AVX2 alone they took up to 60.
MOST_CPU_SECONDS = 180 if FULL else 75
INSTALL = """\
# On Colab, install the course from its folder (cloned or uploaded there); elsewhere do nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q /content/dlcourse
    pass

import dlcourse as dl

dl.lessons.quiet_start()"""
# The answer is left open: a value, or a function that is to be completed.
EXERCISE = re.compile(
    r"^(?:answer =|def answer\(.*\):\n(?:    .*\n)*    return) \.{3}.*\n+"
    r"check\(\"(.*)\", answer\)\Z",
    re.MULTILINE,
)

QUICK = ("01", "05")  # a few seconds each; the others take longer

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
every_run = pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, marks=[] if source.stem[:2] in QUICK else pytest.mark.slow)
        for source in SOURCES
    ],
    ids=lambda path: path.stem,
)


@cache
def cells(source):
    return jupytext.read(source).cells


def code(source):
    return [cell.source for cell in cells(source) if cell.cell_type == "code"]


def prose(source):
    return "\n\n".join(cell.source for cell in cells(source) if cell.cell_type == "markdown")


@cache
def run(source):
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("DLCOURSE_SMOKE", raising=False)
        if not FULL:
            patch.setenv("DLCOURSE_SMOKE", "1")
        notebook, seconds = executed(source, folder)
        return notebook, seconds, [path.name for path in Path(folder).iterdir()]


def outputs(source):
    return [(cell, out) for cell in run(source)[0].cells for out in cell.get("outputs", [])]


def test_there_are_thirteen_notebooks_numbered_from_00():
    assert [source.stem[:2] for source in SOURCES] == [f"{number:02}" for number in range(13)]


@every_notebook
def test_a_notebook_is_its_source_without_outputs(source):
    stored = jupytext.read(source.with_suffix(".ipynb")).cells
    assert [(cell.cell_type, cell.source) for cell in stored] == [
        (cell.cell_type, cell.source) for cell in cells(source)
    ]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in stored)


@every_notebook
def test_a_notebook_is_of_a_size_for_one_lesson(source):
    lines = [line.strip() for text in code(source) for line in text.splitlines()]
    assert 25 <= len(cells(source)) <= 45
    assert sum(bool(line) and not line.startswith("#") for line in lines) <= 150


@every_notebook
def test_a_notebook_opens_with_its_question_and_a_cell_that_installs_on_colab_alone(source):
    found = heading(source)
    assert cells(source)[0].source.startswith(f"# {found['title']}\n")
    assert all(found.get(column) for column in COLUMNS), found
    assert cells(source)[1].source == INSTALL


@every_notebook
def test_a_notebook_has_a_formula_says_what_to_notice_and_what_the_slides_got_wrong(source):
    text = prose(source)
    assert re.search(r"\$[^$]+\$", text)
    assert "**What to notice.**" in text
    assert re.search(r"^## What the slides got wrong here$", text, re.MULTILINE)


@every_notebook
def test_no_line_of_the_text_begins_with_a_colon_which_would_make_a_definition_list(source):
    assert not re.search(r"^: ", prose(source), re.MULTILINE)


@every_notebook
def test_a_notebook_ends_with_three_exercises_that_are_not_attempted(source):
    number = source.stem[:2]
    for k, text in enumerate(code(source)[-3:], 1):
        cell = EXERCISE.search(text)
        assert cell, text
        assert cell[1] == f"{number}.{k}"
    assert "from dlcourse.lessons import check, hint, solution" in code(source)[-3]
    assert re.search(r"^## Exercises$", prose(source), re.MULTILINE)


@every_notebook
def test_a_notebook_imports_dlcourse_as_dl_and_from_its_lessons_alone(source):
    imports = re.findall(r"^ *(?:import|from) +dlcourse.*", "\n".join(code(source)), re.MULTILINE)
    others = [line for line in imports if not line.startswith("from dlcourse.lessons import ")]
    assert others == ["import dlcourse as dl"]


@every_notebook
def test_a_notebook_writes_its_recipes_in_python(source):
    yaml = re.compile(r"(^|\{)(dataset|model): *(\{|$)", re.MULTILINE)
    assert not yaml.search("\n".join(code(source)))


@every_notebook
def test_a_notebook_names_no_place_of_one_machine(source):
    text = source.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users|mnt)/", text)


@every_run
def test_a_notebook_runs_without_a_word_on_stderr(source):
    assert [out.text for _, out in outputs(source) if out.get("name") == "stderr"] == []
    verdicts = [text for _, out in outputs(source) if (text := str(out.get("data", "")))]
    assert sum("not attempted" in text for text in verdicts) == 3


@every_run
def test_a_notebook_shows_pictures_and_describes_each(source):
    drawn = [cell for cell, out in outputs(source) if "image/png" in out.get("data", {})]
    assert drawn
    assert [cell.source for cell in drawn if not picture(cell)] == []


@every_run
def test_a_notebook_keeps_to_its_time_and_leaves_nothing_but_its_runs(source):
    _, seconds, left = run(source)
    assert seconds <= MOST_CPU_SECONDS
    assert left in ([], ["runs"])


@every_run
def test_the_page_of_a_notebook_has_its_pictures_alt_text(source):
    pytest.importorskip("nbconvert")
    html = page(run(source)[0])
    images = re.findall(r"<img[^>]*>", html)
    assert images
    assert not [image[:80] for image in images if not re.search(r'alt="[^"]{20}', image)]


def test_the_readme_lists_the_notebooks_as_they_describe_themselves():
    found = TABLE.search((ROOT / "notebooks" / "README.md").read_text(encoding="utf-8"))
    assert found
    assert found[1] == table()
