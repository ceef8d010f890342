"""Make every .ipynb, README's tables and docs/errata.md: `python notebooks/build.py`.

`website.py` runs the notebooks and makes pages of them.
"""

import ast
import os
import re
from pathlib import Path
from types import ModuleType

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import dlcourse
from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS

REPOSITORY = ""  # on GitHub, such as "owner/dlcourse": what badges open and first cells install
FOLDER = Path(__file__).parent
LESSONS = sorted(FOLDER.glob("[0-9]*.py"))
SOURCES = [*LESSONS, FOLDER / "appendix_errata.py"]
COLUMNS = ("Question", "Slides", "Time", "Prerequisites")
INSTALL = """\
# The course: where it is missing, installed from SOURCE, or a folder or wheel beside this notebook.
from importlib.util import find_spec
from pathlib import Path

SOURCE = "ADDRESS"  # the repository's address, a folder or a wheel
if find_spec("dlcourse") is None:
    near = [*Path().glob("dlcourse-*.whl"), *Path().glob("dlcourse/pyproject.toml")]
    near += Path().glob("../pyproject.toml")
    if not (SOURCE or near):
        raise SystemExit("dlcourse is missing: put its folder or wheel here, or set SOURCE above.")
    place = SOURCE or str(near[0].resolve()).removesuffix("pyproject.toml")
    %pip install -q "{place}"

import dlcourse as dl

dl.lessons.quiet_start()""".replace(
    "ADDRESS", f"git+https://github.com/{REPOSITORY}" if REPOSITORY else ""
)
BADGE = "![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)"
ERRATA = """# The slides' numbers and statements, checked

Every number of the five slide decks (S0 to S4) beside what the course computes, and the sentences
that are not right. `dlcourse errata` prints the same, `dlcourse errata --id S4.logistic` one of
them step by step. `notebooks/build.py` writes this page.
"""


def executed(source: Path, folder: str) -> tuple[NotebookNode, float]:
    """Return a notebook with its outputs, run in `folder`, and its kernel's CPU seconds."""
    from nbclient import NotebookClient

    notebook = jupytext.read(source)
    notebook.cells.append(new_code_cell("import time\n\ntime.process_time()"))
    place = {"metadata": {"path": folder}}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place)
    # nbclient answers an Output widget on the socket that it waits on, and may then sleep through
    # the kernel's reply. Without its answer what a slider draws is an output of the cell.
    client.comm_open_handlers["jupyter.widget"] = lambda _: None
    # As a student's kernel: in a test it would not show what C++ writes to stderr.
    dropped = ("PYTEST_CURRENT_TEST", "TF_CPP_MIN_LOG_LEVEL")
    client.execute(env={key: v for key, v in os.environ.items() if key not in dropped})
    seconds = notebook.cells.pop().outputs[-1].data["text/plain"]
    return notebook, float(seconds)


def heading(source: Path) -> dict[str, str]:
    """Return `title`, and what stands after each of COLUMNS, in a notebook's first cell."""
    title, _, rest = jupytext.read(source).cells[0].source.partition("\n")
    words = re.split(rf"\*\*({'|'.join(COLUMNS)})\.\*\*", " ".join(rest.split()))
    parts = dict(zip(words[1::2], map(str.strip, words[2::2]), strict=True))
    return {"title": title.removeprefix("# "), **parts}


def colab(source: Path) -> str:
    """Return the address that opens a notebook on Colab, or without a repository Colab alone."""
    place = f"github/{REPOSITORY}/blob/main/notebooks/{source.stem}.ipynb" if REPOSITORY else ""
    return f"https://colab.research.google.com/{place}"


def badge(source: Path) -> str:
    """Return the line at the top of a notebook that opens it on Colab."""
    return f"[{BADGE}]({colab(source)})"


def addressed(source: Path) -> str:
    """Return a notebook's source with its badge below the title, and INSTALL as its first code."""
    text = source.read_text("utf-8")
    text = re.sub(r"^# \[!\[Open in Colab\].*\n#\n", "", text, count=1, flags=re.MULTILINE)
    text = re.sub(
        r"^# # .*\n#\n", rf"\g<0># {badge(source)}\n#\n", text, count=1, flags=re.MULTILINE
    )
    before, _, after = text.partition("\n# %%\n")
    rest = after[after.index("\n# %%") :]
    return f"{before}\n# %%\n{INSTALL.replace('%pip', '# %pip')}\n{rest}"


def code_cells(source: Path) -> list[NotebookNode]:
    """Return a notebook's code cells but the first, which is the same in all."""
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"][1:]


def chains(source: Path, root: str) -> set[str]:
    """Return what a notebook's code reaches through a name such as `keras`: `layers.Dense`, …"""
    code = "\n".join(cell.source for cell in code_cells(source))
    tree = ast.parse(re.sub(r"^( *)[%!].*", r"\1pass", code, flags=re.MULTILINE))
    names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {name.removeprefix(f"{root}.") for name in names if re.match(rf"{root}\.[\w.]+\Z", name)}


def name_in(module: ModuleType, chain: str, *default: None) -> str:
    """Return the first name in a chain that is not a module; nothing if there is none.

    An unknown name is an AttributeError, or with the default None also nothing.
    """
    found, name = module, ""
    for name in chain.split("."):
        found = getattr(found, name, *default)
        if not isinstance(found, ModuleType):
            return name if found is not None else ""
    return ""


def our_names(source: Path) -> tuple[set[str], set[str]]:
    """Return the names of `dl` that a notebook uses, and beside them those of `dl.plots`.

    Modules on the way do not count: `dl.lessons.maths.sigmoid` is `sigmoid`.
    """
    ours, plots = set(), set()
    for chain in chains(source, "dl"):
        if name := name_in(dlcourse, chain):
            (plots if chain.startswith("plots.") else ours).add(name)
    return ours, plots


def keras_names(source: Path) -> set[str]:
    """Return the classes and functions of Keras that a notebook uses: `Dense`, `Adam`, …"""
    import keras

    used = chains(source, "keras") | {f"layers.{name}" for name in chains(source, "layers")}
    return {name for chain in used if (name := name_in(keras, chain, None))}


def row(cells: list[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |\n"


def link(source: Path) -> str:
    """Return a notebook's title as a link."""
    return f"[{heading(source)['title']}]({source.stem}.ipynb)"


def number(source: Path) -> str:
    """Return a lesson's number, such as `06`; `A` for the appendix."""
    return source.stem[:2] if source in LESSONS else "A"


def table() -> str:
    """Return the notebooks as a table, one row per notebook."""
    rows = [["", "notebook", *(column.lower() for column in COLUMNS)], ["---"] * 6]
    for source in SOURCES:
        about = heading(source)
        rows.append([number(source), link(source), *(about[column] for column in COLUMNS)])
    return "".join(map(row, rows))


def names_table() -> str:
    """Return what of Keras each notebook brings anew, and which names of `dlcourse` it uses."""
    rows, known = [["", "new in Keras", "of `dlcourse`"], ["---"] * 3], set()
    for source in SOURCES:
        new = sorted(keras_names(source) - known)
        known.update(new)
        ours, plots = our_names(source)
        used = [*sorted(ours), *(f"plots.{name}" for name in sorted(plots))]
        cells = [", ".join(f"`{name}`" for name in names) for names in (new, used)]
        rows.append([number(source), *cells])
    return "".join(map(row, rows))


def slides_table() -> str:
    """Return what of each slide deck stands in which notebook and cell: the cells' `slides`."""
    places = {}
    for source in SOURCES:
        for place, cell in enumerate(jupytext.read(source).cells):
            for topic in cell.metadata.get("slides", "").split(";"):
                if topic.strip():
                    deck, _, words = topic.strip().partition(" ")
                    places.setdefault((deck, words), []).append(f"{number(source)}, cell {place}")
    rows = [["deck", "on the slide", "notebook and cell"], ["---"] * 3]
    rows += [[deck, words, "; ".join(found)] for (deck, words), found in sorted(places.items())]
    return "".join(map(row, rows))


def errata_page() -> str:
    """Return docs/errata.md: every number of the slides beside the computed one, and statements."""
    rows = [["id", "quantity", "the slide says", "computed", ""], ["---"] * 5]
    for example in EXAMPLES.values():
        for quantity in example.quantities:
            verdict = quantity.verdict.replace("slip", "**slip**")
            cells = [example.id, quantity.name, quantity.says, quantity.shown(), verdict]
            rows.append(
                [cell.replace("|", "\\|").replace("*", "\\*") for cell in cells[:4]] + [verdict]
            )
    notes = [
        f"- **{example.id}** {example.note}\n" for example in EXAMPLES.values() if example.note
    ]
    wrong = [f"- **{s.id}** “{s.says}” → {s.correction}\n" for s in STATEMENTS.values()]
    numbers = ["## Numbers\n\n", *map(row, rows), "\n### Notes\n\n", *notes]
    return "".join([ERRATA, "\n", *numbers, "\n## Statements that are not right\n\n", *wrong])


def filled(text: str) -> str:
    """Return README's text with its generated tables renewed."""
    for name, made in (("notebooks", table), ("names", names_table), ("slides", slides_table)):
        between = re.compile(rf"(<!-- {name} -->\n).*(<!-- /{name} -->)", re.DOTALL)
        text = between.sub(lambda found, made=made: f"{found[1]}{made()}{found[2]}", text)
    return text


def main() -> None:
    """Write every .ipynb, the tables and the errata."""
    for source in SOURCES:
        source.write_text(addressed(source), encoding="utf-8")
        notebook = jupytext.read(source)
        for place, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{place}"  # jupytext's own are random: a change in each build
        jupytext.write(notebook, source.with_suffix(".ipynb"))
    readme = FOLDER / "README.md"
    readme.write_text(filled(readme.read_text("utf-8")), encoding="utf-8")
    (FOLDER.parent / "docs" / "errata.md").write_text(errata_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
