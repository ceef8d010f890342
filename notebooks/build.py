"""Make every .ipynb and README's table from the .py files: `python notebooks/build.py [--html]`.

With `--html` each notebook is run at full length and written to `notebooks/html`, its pictures
with alt text: the comment `# Picture: …` at the top of the cell that draws them.
"""

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parent
SOURCES = sorted(FOLDER.glob("[0-9]*.py"))
COLUMNS = ("Question", "Slides", "Time", "Prerequisites")
PICTURE = re.compile(r"\A# Picture: (.+(?:\n# .+)*)")
TABLE = re.compile(r"<!-- notebooks -->\n(.*)<!-- /notebooks -->", re.DOTALL)
# nbconvert's own template writes no alt text.
TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% macro described(html, cell) -%}
{{ html | replace('<img ', '<img alt="' ~ cell.metadata.get('alt', '') | e ~ '" ') }}
{%- endmacro %}
{% block data_png scoped %}{{ described(super(), cell) }}{% endblock %}
{% block data_html scoped %}{{ described(super(), cell) }}{% endblock %}
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


def picture(cell: NotebookNode) -> str:
    """Return what the comment at a cell's top says of its picture; nothing without one."""
    found = PICTURE.match(cell.source)
    return " ".join(found[1].replace("\n#", "").split()) if found else ""


def page(notebook: NotebookNode, theme: str = "light") -> str:
    """Return an executed notebook as HTML, its pictures described."""
    from nbconvert import HTMLExporter

    for cell in notebook.cells:
        cell.metadata["alt"] = picture(cell)
    html, _ = HTMLExporter(raw_template=TEMPLATE, theme=theme).from_notebook_node(notebook)
    return html


def heading(source: Path) -> dict[str, str]:
    """Return `title`, and what stands after each of COLUMNS, in a notebook's first cell."""
    title, _, rest = jupytext.read(source).cells[0].source.partition("\n")
    words = re.split(rf"\*\*({'|'.join(COLUMNS)})\.\*\*", " ".join(rest.split()))
    parts = dict(zip(words[1::2], map(str.strip, words[2::2]), strict=True))
    return {"title": title.removeprefix("# "), **parts}


def table() -> str:
    """Return the notebooks as a table in Markdown, one row per notebook."""
    rows = [["", "notebook", *(column.lower() for column in COLUMNS)], ["---"] * 6]
    for source in SOURCES:
        found = heading(source)
        link = f"[{found['title']}]({source.stem}.ipynb)"
        rows.append([source.stem[:2], link, *(found[column] for column in COLUMNS)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: list[str]) -> None:
    """Write every .ipynb and the table, and with `--html` every page."""
    readme = FOLDER / "README.md"
    text = f"<!-- notebooks -->\n{table()}<!-- /notebooks -->"
    readme.write_text(TABLE.sub(lambda _: text, readme.read_text("utf-8")), encoding="utf-8")
    for source in SOURCES:
        notebook = jupytext.read(source)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"  # jupytext's own are random: a change in each build
        jupytext.write(notebook, source.with_suffix(".ipynb"))
        if "--html" in arguments:
            with TemporaryDirectory() as folder:
                notebook, seconds = executed(source, folder)
            target = FOLDER / "html" / f"{source.stem}.html"
            target.parent.mkdir(exist_ok=True)
            target.write_text(page(notebook), encoding="utf-8")
            sys.stdout.write(f"{target.relative_to(FOLDER.parent)}: {seconds:.0f} CPU-s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
