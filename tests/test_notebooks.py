"""Each notebook is made from its .py, keeps to one form, teaches Keras, and runs in silence.

They run at full length, as a student runs them. Each number in their text is looked up in the
cells or tests that it names as its proof.
"""

import ast
import re
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("nbclient")

import jupytext

from dlcourse.lessons.exercises import exercises
from notebooks import build, website
from notebooks.build import COLUMNS, INSTALL, LESSONS, SOURCES, executed, heading, our_names

ROOT = Path(__file__).parent.parent
# 60 on a machine of its own; two notebooks at once on two cores have taken half as much again.
MOST_CPU_SECONDS = 110
# The answer is left open: a value, or a function in which `...` stands for what is missing.
EXERCISE = re.compile(
    r"^(?:answer = \.{3}\n+|def answer\(.*\):\n(?:(?: .*)?\n)*?)check\(\"(.*)\", answer\)\Z", re.M
)
SECTIONS = ("## In five lines", "## Further reading", "## Exercises")
QUICK = ("01", "05")  # seconds each; the others take longer

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
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


def texts(source):
    return [cell for cell in cells(source) if cell.cell_type == "markdown"]


def prose(source):
    return "\n\n".join(cell.source for cell in texts(source))


@lru_cache(maxsize=1)
def run(source):
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv("PYTHONPATH", str(ROOT))
        notebook, seconds = executed(source, folder)
        return notebook, seconds, [path.name for path in Path(folder).iterdir()]


def outputs(source):
    return [(cell, out) for cell in run(source)[0].cells for out in cell.get("outputs", [])]


def test_there_are_fourteen_lessons_numbered_from_00_and_an_appendix():
    assert [source.stem[:2] for source in LESSONS] == [f"{number:02}" for number in range(14)]
    assert [source for source in SOURCES if not source.exists()] == []


@every_notebook
def test_a_notebook_is_its_source_without_outputs(source):
    stored = jupytext.read(source.with_suffix(".ipynb")).cells
    assert [(cell.cell_type, cell.source, cell.metadata.get("alt")) for cell in stored] == [
        (cell.cell_type, cell.source, cell.metadata.get("alt")) for cell in cells(source)
    ]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in stored)


@every_notebook
def test_a_notebook_is_of_a_size_for_one_lesson(source):
    lesson = [text for text in code(source)[1:] if "check(" not in text]
    lines = [line.strip() for text in lesson for line in text.splitlines()]
    assert 15 <= len(cells(source)) <= 60
    assert sum(bool(line) and not line.startswith("#") for line in lines) <= 150


@every_notebook
def test_a_notebook_opens_with_its_question_a_badge_and_the_cell_that_installs(source):
    found = heading(source)
    assert cells(source)[0].source.startswith(f"# {found['title']}\n\n{build.badge(source)}\n")
    assert all(found.get(column) for column in COLUMNS), found
    assert cells(source)[1].source == INSTALL
    assert build.addressed(source) == source.read_text("utf-8"), "run notebooks/build.py"


@every_lesson
def test_a_lesson_has_a_formula_asks_for_guesses_and_says_what_to_notice(source):
    text = prose(source)
    assert re.search(r"\$[^$]+\$", text)
    assert "**What to notice.**" in text
    assert text.count("**Predict, then run.**") >= 3


@every_notebook
def test_no_line_of_the_text_begins_with_a_colon_which_would_make_a_definition_list(source):
    assert not re.search(r"^: ", prose(source), re.MULTILINE)


@every_lesson
def test_a_lesson_ends_with_five_lines_further_reading_and_exercises(source):
    text = prose(source)
    assert sorted(SECTIONS, key=text.index) == list(SECTIONS)
    summary, reading = (
        re.search(rf"^{section}$\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
        for section in SECTIONS[:2]
    )
    assert len(re.findall(r"^(?:- |\d\. )", summary, re.M)) == 5
    assert len(re.findall(r"https://[\w.-]+/|https://[\w.-]+\.\w+", reading)) >= 3


@every_lesson
def test_the_exercises_of_a_lesson_stand_at_its_end_and_are_open(source):
    names = list(exercises(source.stem[:2]))
    asked = [EXERCISE.search(text) for text in code(source)[-len(names) :]]
    assert all(asked), [text for text in code(source)[-len(names) :] if not EXERCISE.search(text)]
    assert [cell[1] for cell in asked] == names
    assert "from dlcourse.lessons import check, hint, solution" in code(source)[-len(names)]


@every_notebook
def test_a_notebook_uses_at_most_five_names_of_dl_and_three_of_its_plots(source):
    ours, plots = our_names(source)
    assert len(ours) <= 5, ours
    assert len(plots) <= 3, plots
    assert ways_round(source) == []


def ways_round(source):
    """Return what in a notebook would hide names of `dl` from the count."""
    tools = "from dlcourse.lessons import check, hint, solution"
    lines = "\n".join(
        re.sub(r"^( *)[%!].*", r"\1pass", text, flags=re.M) for text in code(source)[1:]
    )
    tree = ast.parse(lines)
    based = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found = []
    for node in ast.walk(tree):
        words = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
        if isinstance(node, ast.Import | ast.ImportFrom):
            if ("dlcourse" in words and words != tools) or "*" in words:
                found.append(words)
        elif isinstance(node, ast.Name) and node.id in ("dl", "__import__", "import_module"):
            if id(node) not in based:  # `d = dl`, `getattr(dl, …)`
                found.append(words)
        elif isinstance(node, ast.Attribute) and words in MODULES and id(node) not in based:
            found.append(words)  # `plots = dl.plots`
    return found


MODULES = ("dl.plots", "dl.lessons", "dl.lessons.maths", "dl.lessons.plots", "dl.models")
MODULES += ("dl.datasets", "dl.lab", "dl.lab.plots", "dl.callbacks", "dl.errors")


@pytest.mark.parametrize(
    "line",
    [
        "from dlcourse import *",
        "from dlcourse.lessons import maths",
        "from dlcourse.lessons import check as c",
        "import dlcourse.plots as p",
        "import dlcourse",
        "d = dl",
        "plots = dl.plots",
        "getattr(dl, 'fit')('digits_cnn')",
        "m = dl.lessons.maths",
        "vars(dl)['fit']",
        "from numpy import *",
    ],
)
def test_a_name_of_dl_cannot_be_hidden_from_the_count(tmp_path, line):
    source = tmp_path / "00_x.py"
    source.write_text(f"# %%\nimport dlcourse as dl\n\n# %%\ndl.fit('digits_cnn')\n{line}\n")
    assert ways_round(source)


def test_names_are_counted_by_their_last_part_and_modules_are_not(tmp_path):
    source = tmp_path / "00_x.py"
    code = "dl.lessons.maths.sigmoid(1)\ndl.plots.show_map(x)\nrun = dl.fit('x').history\n"
    source.write_text(f"# %%\nimport dlcourse as dl\n\n# %%\n{code}keras.layers.Dense(1)\n")
    assert our_names(source) == ({"sigmoid", "fit"}, {"show_map"})
    assert build.keras_names(source) == {"Dense"}
    assert not ways_round(source)


KERAS = {
    "00": "Sequential",
    "03": "Dense Normalization",
    "06": "Dense Flatten Rescaling SGD",
    "07": "Dropout L2 EarlyStopping",
    "09": "Conv2D MaxPooling2D GlobalAveragePooling2D RandomTranslation",
    "10": "SimpleRNN LSTM Conv1D Embedding MultiHeadAttention",
    "12": "load_model BatchNormalization",
    "13": "Concatenate LeakyReLU GaussianNoise BinaryCrossentropy",
}


def test_each_kind_of_network_is_written_in_keras_where_it_first_appears():
    for source in LESSONS:
        missing = set(KERAS.get(source.stem[:2], "").split()) - build.keras_names(source)
        assert not missing, (source.stem, missing)
    last = "\n".join(code(LESSONS[12]))
    assert ".save(" in last
    assert "trainable = False" in last


@every_notebook
def test_the_first_line_of_a_cell_says_what_it_is_for(source):
    first = [text.splitlines()[0] for text in code(source)]
    assert [line for line in first if not re.match(r"# \S.{8,}", line)] == []
    assert not any(line.startswith("# Picture:") for line in first)


@every_notebook
def test_a_notebook_does_not_shorten_its_trainings_for_a_test(source):
    assert not re.search(r"environ|SMOKE", "\n".join(code(source)))


@every_notebook
def test_only_a_cells_header_with_its_metadata_is_a_long_line(source):
    lines = source.read_text(encoding="utf-8").splitlines()
    assert [x for x in lines if len(x) > 100 and not x.startswith(("# %%", "# [![Open"))] == []


@every_notebook
def test_a_notebook_writes_its_recipes_in_python(source):
    yaml = re.compile(r"(^|\{)(dataset|model): *(\{|$)", re.MULTILINE)
    assert not yaml.search("\n".join(code(source)))


@every_notebook
def test_a_notebook_names_no_place_of_one_machine(source):
    text = source.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users|mnt)/", text)


# What is not a claim: formulas, code, addresses, headings, names with digits, years, ids.
NO_CLAIM = re.compile(
    r"\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|\]\([^)]*\)|https?://\S+|^#+ [^\n]*|^\d+\. |\bS[0-4]\b"
    r"|[Nn]otebooks? \d\d(?:(?:,| and| to|–) ?\d\d)*|\b\d\d\.\d{1,2}\b(?=[^%\d])"
    r"|\b(?:19|20)\d\d\b|arXiv:\S+|\b[A-Za-z_]+-?\d\w*|\b\d+(?:-\d+)+\b|Keras 3|\b\d-D\b"
    r"|^\*\*(?:Question|Slides|Time|Prerequisites)\.\*\*.*?(?:\n\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"(?<![\w.])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?")


def claims(cell):
    """Return the numbers in digits that a Markdown cell states, as they are written."""
    return NUMBER.findall(NO_CLAIM.sub(" ", cell.source))


def lesson_texts(source):
    """Return (position, cell) of the Markdown cells between the first and the exercises."""
    for place, cell in enumerate(cells(source)[1:], 1):
        if re.search(r"^## (Exercises|Further reading)$", cell.source, re.M):
            if "## Exercises" in cell.source:
                return
            continue
        if cell.cell_type == "markdown":
            yield place, cell


def proving(source, place, proof):
    """Return the positions of the cells that a proof names; a test is checked to exist."""
    every = cells(source)
    headed = [
        k for k, cell in enumerate(every) if cell.cell_type == "markdown" and "## " in cell.source
    ]
    if proof == "above":
        begin = max((k for k in headed if k < place), default=0)
        return [k for k in range(begin, place) if every[k].cell_type == "code"]
    if proof == "below":
        end = min((k for k in headed if k > place), default=len(every))
        return [k for k in range(place, end) if every[k].cell_type == "code"]
    if "::" in proof:
        file, _, test = proof.partition("::")
        text = (ROOT / "tests" / f"{file.removesuffix('.py')}.py").read_text(encoding="utf-8")
        assert f"\ndef {test}(" in text, proof
        return []
    named = [k for k, cell in enumerate(every) if cell.metadata.get("name") == proof]
    assert named, f"{source.stem}, cell {place}: no cell is named {proof!r}"
    return named


@every_notebook
def test_a_number_in_the_text_names_its_proof(source):
    bare = []
    for place, cell in lesson_texts(source):
        proofs = cell.metadata.get("proof", "").split()
        if claims(cell) and not proofs:
            bare.append((place, claims(cell), cell.source[:60]))
        assert all(proving(source, place, proof) or "::" in proof for proof in proofs), cell.source
    assert bare == []


def test_a_claim_is_a_number_in_digits_outside_names_years_formulas_and_code():
    cell = jupytext.reads(
        "# %% [markdown]\n# ## 3 steps\n# S0 and notebook 07 (2017) say `x = 4` and $y = 5$, in"
        " [a page](https://x.org/6): float32, Conv2D, the 3-4-1 network.\n"
        "# It has 1,024 rows, −2.5 and 97 %.",
        "py:percent",
    ).cells[0]
    assert claims(cell) == ["1,024", "−2.5", "97 %"]


def stated(claim):
    """Return the values that a number as written may stand for, and how far each may be off."""
    plain = claim.replace(",", "").replace("−", "-")
    percent, plain = plain.endswith("%"), plain.rstrip(" %")
    value = float(plain)
    decimals = len(plain.partition(".")[2])
    off = max(0.05 * abs(value), 1.5 * 10.0**-decimals if decimals else 0.5)
    return [(value, off), (value / 100, off / 100)] if percent else [(value, off)]


def is_in(claim, pool):
    return any(abs(value - v) <= off + 1e-12 for value, off in stated(claim) for v in pool)


def pool_of(cell):
    """Return the numbers in a code cell's source and in the text that it put out."""
    texts = [cell.source]
    for out in cell.get("outputs", []):
        texts += [out.get("text", ""), out.get("data", {}).get("text/plain", "")]
        texts.append(re.sub(r"<[^>]+>", " ", out.get("data", {}).get("text/html", ""))[:20000])
        texts.append(out.get("data", {}).get("text/markdown", ""))
    words = re.findall(
        r"(?<![A-Za-z_])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?", " ".join(texts)
    )
    values = [float(word.replace(",", "").replace("−", "-")) for word in words]
    return values + [abs(value) for value in values]


def claims_without_proof(source):
    ran = run(source)[0].cells
    for place, cell in lesson_texts(source):
        proofs = cell.metadata.get("proof", "").split()
        if not any("::" in proof for proof in proofs):
            cells_of = [k for proof in proofs for k in proving(source, place, proof)]
            pool = [v for k in cells_of for v in pool_of(ran[k])]
            yield from ((place, claim) for claim in claims(cell) if not is_in(claim, pool))


def words_on_stderr(source):
    return [out.text for _, out in outputs(source) if out.get("name") == "stderr"]


def exercises_not_open(source):
    verdicts = [text for _, out in outputs(source) if (text := str(out.get("data", "")))]
    asked = exercises(source.stem[:2]) if source in LESSONS else []
    return [verdicts] * (sum("not attempted" in text for text in verdicts) != len(asked))


def pictures_without_alt(source):
    drawn = [cell for cell, out in outputs(source) if "image/png" in out.get("data", {})]
    if not drawn and source in LESSONS:
        return ["no picture"]
    return [cell.source for cell in drawn if len(cell.metadata.get("alt", "")) < 20]


def unrounded_numbers(source):
    printed = [out.get("text", "") for _, out in outputs(source)]
    printed += [out.get("data", {}).get("text/plain", "") for _, out in outputs(source)]
    return [text for text in printed if re.search(r"\d\.\d{14,}", text)]


def faults_of_the_page(source):
    html = website.lesson(source, run(source)[0]).body
    images = re.findall(r"<img[^>]*>", html)
    faults = [image[:80] for image in images if not re.search(r'alt="[^"]{20}', image)]
    return faults + re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", html)


CHECKS = (claims_without_proof, words_on_stderr, exercises_not_open, pictures_without_alt)
CHECKS += (unrounded_numbers, faults_of_the_page)


@every_run
def test_a_notebook_runs_in_its_time_and_shows_what_its_text_says(source):
    """One test, for each run takes most of a minute: every check is reported."""
    pytest.importorskip("nbconvert")
    _, seconds, left = run(source)
    faults = {check.__name__: found for check in CHECKS if (found := list(check(source)))}
    assert faults == {}
    assert seconds <= MOST_CPU_SECONDS
    assert left in ([], ["runs"])


def test_a_claim_is_compared_in_its_own_digits():
    assert is_in("97 %", [0.968])
    assert is_in("0.64", [0.65])
    assert is_in("1,234", [1230])
    assert not is_in("97 %", [0.85])
    assert not is_in("0.64", [0.74])
    assert not is_in("3", [4])


def test_the_readme_and_the_errata_are_as_they_would_be_built():
    text = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert build.filled(text) == text
    assert (ROOT / "docs" / "errata.md").read_text(encoding="utf-8") == build.errata_page()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"dlcourse-9.9-py3-none-any.whl": ""}, "dlcourse-9.9-py3-none-any.whl"),
        ({"dlcourse/pyproject.toml": ""}, "dlcourse/"),
        ({}, None),
    ],
)
def test_the_first_cell_installs_what_lies_there_or_says_what_to_do(
    tmp_path, monkeypatch, files, expected
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    inner = tmp_path if files else tmp_path / "empty" / "inner"
    inner.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(inner)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    installed = []
    text = INSTALL.replace('%pip install -q "{place}"', "installed.append(place)")
    text = text.partition("import dlcourse as dl")[0]
    if expected is None:
        with pytest.raises(SystemExit, match="put its folder or wheel here, or set SOURCE"):
            exec(text, {"installed": installed})
    else:
        exec(text, {"installed": installed})
        assert installed == [f"{tmp_path.resolve()}/{expected}"]
