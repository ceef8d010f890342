"""Make the course's site: `python -m notebooks.website [FOLDER]` runs the notebooks, writes pages.

The pages need no network: the search's words and the MathJax beside this file lie in the folder,
too. What a notebook put out is kept in `build/notebooks`, and the notebook is run again only when
it, the package or one of VERSIONS has changed.
"""

import json
import re
import shutil
import sys
from argparse import ArgumentParser
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from html import escape
from importlib.metadata import version
from pathlib import Path
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from notebooks import build
from notebooks.build import FOLDER, INSTALL, SOURCES, badge, colab, executed, heading, number

COURSE = "Deep learning with Keras"
ROOT = FOLDER.parent
TEMPLATES = FOLDER / "website"
KEPT = ROOT / "build" / "notebooks"
VERSIONS = ("dlcourse", "keras", "tensorflow", "numpy", "matplotlib", "scikit-learn")
BESIDE = (TEMPLATES / "site.css", TEMPLATES / "site.js", FOLDER / "mathjax" / "tex-svg.js")
FILES = {source.stem: f"{source.stem}.html" for source in SOURCES}
NUMBERED = {number(source): FILES[source.stem] for source in SOURCES}
MENTION = re.compile(r"\b[Nn]otebooks? \d\d\b(?:(?: \([^)]*\))?(?:,| and| to|, and) \d\d\b)*")
# In README's tables a notebook is its number, `07 Over-fitting`, `04 the rest` or `09, cell 21`.
PLACE = re.compile(r"(?:^|(?<=; ))(\d\d|A(?=,|$))(?:, cell (\d+))?(?=$|;| the | [A-Z])")
ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row"}
ROLES |= {"th": "columnheader", "td": "cell"}
CALLOUTS = ("Predict, then run.", "What to notice.")


@dataclass
class Page:
    """A page: `body` is HTML, `headings` are (anchor, words), `found` is what the search reads."""

    file: str
    title: str
    about: str
    body: str
    headings: list[tuple[str, str]]
    found: list[list[str]]
    source: Path | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{number(self.source)} {self.title}" if self.source else self.title


def made_with() -> list[str]:
    """Return VERSIONS with the installed version of each."""
    return [f"{name} {version(name)}" for name in VERSIONS]


@cache
def packages() -> bytes:
    """Return a digest of the package, its recipes and VERSIONS."""
    files = sorted([*ROOT.glob("dlcourse/**/*.py"), *ROOT.glob("configs/*.yaml")])
    parts = ["\n".join(made_with()).encode(), *(file.read_bytes() for file in files)]
    return sha256(b"\0".join(parts)).digest()


def digest(source: Path) -> str:
    """Return what tells an executed notebook from one of another source or package."""
    return sha256(source.read_bytes() + packages()).hexdigest()[:16]


def ran(source: Path) -> NotebookNode:
    """Return an executed notebook: the kept one, if nothing that it is made of has changed."""
    kept = KEPT / f"{source.stem}-{digest(source)}.ipynb"
    if not kept.exists():
        with TemporaryDirectory() as folder:
            notebook, seconds = executed(source, folder)
        KEPT.mkdir(parents=True, exist_ok=True)
        for earlier in KEPT.glob(f"{source.stem}-*.ipynb"):
            earlier.unlink()
        nbformat.write(notebook, kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)
        sys.stdout.write(f"{source.name}: run in {seconds:.0f} CPU-s\n")
    return nbformat.read(kept, as_version=4)


def controls(widgets: dict[str, NotebookNode], name: str) -> str:
    """Return a widget's sliders and choices as HTML, as they stood when the notebook ended."""
    model = widgets[name.removeprefix("IPY_MODEL_")].state
    words = escape(model.get("description") or "")
    if "max" in model:
        limits = f'min="{model.min}" max="{model.max}" step="{model.step}" value="{model.value}"'
        shown = format(model.value, model.readout_format)
        return f'<label>{words} <input type="range" disabled {limits}> {shown}</label>'
    if "_options_labels" in model:
        chosen = escape(model["_options_labels"][model["index"]])
        return f"<label>{words} <select disabled><option>{chosen}</option></select></label>"
    return "".join(controls(widgets, child) for child in model.get("children", []))


def prepared(notebook: NotebookNode, source: Path) -> NotebookNode:
    """Return a notebook without its badge, its cells numbered, its outputs fit for a page.

    Widgets are shown as they stood; a picture within HTML gets its cell's alt text, as nbconvert
    gives it to the others.
    """
    notebook = deepcopy(notebook)
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json")
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
        cell["source"] = cell.source.replace(badge(source), "")
        cell.metadata["setup"] = cell.source == INSTALL
        alt = escape(cell.metadata.get("alt", ""))
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if view := data.pop("application/vnd.jupyter.widget-view+json", None):
                inside = controls(widgets["state"], view["model_id"])
                note = "<p>Open the notebook to move them.</p>"
                data["text/html"] = f'<div class="controls">{inside}{note}</div>'
            if html := data.get("text/html"):
                data["text/html"] = re.sub(r"<img (?![^>]*\balt=)", f'<img alt="{alt}" ', html)
    return notebook


def tree_of(notebook: NotebookNode) -> Any:
    """Return the cells of a notebook as a tree of HTML."""
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter

    template = (TEMPLATES / "cells.html").read_text("utf-8")
    exporter = HTMLExporter(raw_template=template, exclude_output_prompt=True)
    return BeautifulSoup(exporter.from_notebook_node(notebook)[0], "html.parser")


def address(link: str) -> str | None:
    """Return where a link of a notebook leads on the site; None where it leads nowhere."""
    place, _, anchor = link.partition("#")
    if re.match(r"\w+:|#", link):
        return link
    if place.removesuffix(".ipynb") in FILES:
        return FILES[place.removesuffix(".ipynb")] + (f"#{anchor}" if anchor else "")
    if place == "README.md":
        return "guide.html" + (f"#{anchor}" if anchor else "")
    path = normpath(f"notebooks/{link}")
    return f"https://github.com/{build.REPOSITORY}/blob/main/{path}" if build.REPOSITORY else None


def link(tree: Any, pattern: re.Pattern[str], linked: Any, within: Any = bool) -> None:
    """Replace what matches in the texts of a tree that are not code, headings or links."""
    from bs4 import BeautifulSoup

    for text in tree.find_all(string=pattern):
        if not text.find_parent(["a", "code", "pre", "h1", "h2", "h3"]) and within(text):
            html = pattern.sub(linked, escape(text, quote=False))
            text.replace_with(BeautifulSoup(html, "html.parser"))


def mentioned(found: re.Match[str]) -> str:
    """Return `notebooks 05 and 06` with a link from each number."""
    return re.sub(
        r"\b\d\d\b",
        lambda n: f'<a href="{NUMBERED[n[0]]}">{n[0]}</a>' if n[0] in NUMBERED else n[0],
        found[0],
    )


def placed(found: re.Match[str]) -> str:
    """Return `09, cell 21` as a link to the cell."""
    if found[1] not in NUMBERED:
        return found[0]
    anchor = f"#cell-{found[2]}" if found[2] else ""
    return f'<a href="{NUMBERED[found[1]]}{anchor}">{found[0]}</a>'


def readme(tree: Any, file: str) -> None:
    """Give a page of README its anchors as on GitHub, links to notebooks, and to the other page."""
    for title in tree(["h2", "h3"]):
        title["id"] = re.sub(r"[^\w -]", "", title.text).strip().lower().replace(" ", "-")
    for a in tree.select("a[href^='#']"):
        if not tree.find(id=a["href"][1:]):
            a["href"] = ("index.html" if file == "guide.html" else "guide.html") + a["href"]
    if file == "guide.html":
        link(tree, PLACE, placed, lambda text: text.parent.name == "td")
        for row in tree.select("table:has(th:-soup-contains('meaning')) tbody tr"):  # the glossary
            row["id"] = f"word-{'-'.join(re.findall('[a-z0-9]+', row.td.text.lower()))}"
    else:  # a row of the notebooks' table is a card on a phone, and still a row to a screen reader
        for tag in [tree.table, *tree.table.find_all(list(ROLES))]:
            tag["role"] = ROLES[tag.name]


def finished(tree: Any, file: str) -> Any:
    """Return a tree with its links turned to the site's, tables that scroll, and callouts."""
    for mark in tree.select("a.anchor-link"):  # a pilcrow at each heading; the contents link there
        mark.decompose()
    for a in tree.find_all("a", href=True):
        leads = address(a["href"])
        if leads is None:
            a.unwrap()
        else:
            a["href"] = leads
    link(tree, MENTION, mentioned)
    if file not in FILES.values():
        readme(tree, file)
    for table in tree.find_all("table"):
        table.wrap(tree.new_tag("div", attrs={"class": "wide"}))
    for tag in tree.select(".outputs [style]"):  # colours for one ground are not legible on another
        tag["style"] = re.sub(r"[\w-]*color:[^;]*;?", "", tag["style"])
    for strong in tree.select(".text > p > strong:first-child"):
        if strong.text in CALLOUTS:
            strong.parent["class"] = "callout"
    return tree


def plain(text: str) -> str:
    """Return a text for the search: without its long formulas, short ones as they are read."""
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$([^$\\]+)\$", r"\1", text)
    return " ".join(re.sub(r"\$[^$]+\$", "…", text).split())


def sections(tree: Any, file: str) -> list[list[str]]:
    """Return what the search looks through: per heading its place, its words, the text below."""
    found = [[file, "", ""]]
    for block in tree.select(".text > *, .code .highlight, tr[id]"):
        if block.name in ("h2", "h3"):
            found.append([f"{file}#{block['id']}", block.text, ""])
        elif block.name == "tr":
            word, *meaning = (cell.text for cell in block("td"))
            found.append([f"{file}#{block['id']}", word, f"{meaning[0]} (notebook {meaning[1]})"])
        elif block.select_one("tr[id]"):
            continue
        elif block.name != "h1":
            found[-1][2] += f"{plain(block.text)} "
    return [entry for entry in found if entry[1] or entry[2]]


def made(notebook: NotebookNode, file: str, about: str, source: Path | None = None) -> Page:
    """Return a page of a notebook, its first heading taken out as the title."""
    tree = finished(tree_of(notebook), file)
    headings = [(h2["id"], h2.text) for h2 in tree.find_all("h2")]
    title = tree.h1.extract().text
    return Page(file, title, about, str(tree), headings, sections(tree, file), source)


def lesson(source: Path, notebook: NotebookNode) -> Page:
    """Return the page of an executed notebook."""
    about = heading(source)["Question"]
    return made(prepared(notebook, source), FILES[source.stem], about, source)


def texts() -> list[Page]:
    """Return README as the first page, with the table of the notebooks, and a page of the rest."""
    readme = (FOLDER / "README.md").read_text("utf-8")
    first, *rest = re.split(r"^(?=## )", readme, flags=re.MULTILINE)
    about = first.partition("\n")[2]
    opening, table, _ = re.split(r"<!-- /?notebooks -->\n", rest[0])
    rest = [part for part in rest[1:] if not part.startswith("## To change a notebook")]
    home = f"# {COURSE}\n{about}\n## The notebooks\n\n{table}\n{opening}"
    guide = "# How the course works\n\n" + re.sub(r"<!--.*?-->\n", "", "".join(rest))
    pages = (("index.html", home, "A course in executable notebooks with Keras 3"),)
    pages += (("guide.html", guide, "Slides, weeks, data and a glossary of the course"),)
    return [
        made(new_notebook(cells=[new_markdown_cell(text, id="text")]), file, about)
        for file, text, about in pages
    ]


def framed(pages: list[Page]) -> dict[str, str]:
    """Return the files of the site that are written here: its pages and the search's words."""
    from jinja2 import Environment, FileSystemLoader

    template = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    frame = template.get_template("page.html")
    around = [None, *pages, None]
    about: dict[str, Any] = {"course": COURSE, "pages": pages, "versions": ", ".join(made_with())}
    about |= {"digest": digest, "colab": colab if build.REPOSITORY else None}
    files = {
        page.file: frame.render(page=page, before=before, after=after, **about)
        for before, page, after in zip(around, pages, around[2:], strict=False)
    }
    words = [[page.name, *entry] for page in pages for entry in page.found]
    files["search.js"] = f"window.courseWords = {json.dumps(words, ensure_ascii=False)};\n"
    return files


def write(pages: list[Page], folder: Path) -> None:
    """Write the pages, what lies beside them, and the notebooks to be downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in framed(pages).items():
        (folder / name).write_text(text, encoding="utf-8")
    for file in (*BESIDE, *(page.source.with_suffix(".ipynb") for page in pages if page.source)):
        shutil.copy(file, folder)


def main(arguments: list[str]) -> None:
    """Run what is not kept, one notebook after another, then write the site."""
    parser = ArgumentParser(prog="python -m notebooks.website", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "site", help="of the pages")
    folder = parser.parse_args(arguments).folder
    if folder.exists() and not folder.is_dir():
        parser.error(f"{folder} is a file: name a folder for the pages")
    lessons = [lesson(source, ran(source)) for source in SOURCES]
    home, guide = texts()
    write([home, *lessons, guide], folder)
    sys.stdout.write(f"{folder / 'index.html'}: open it in a browser\n")


if __name__ == "__main__":
    main(sys.argv[1:])
