"""One HTML page with its pictures inside: it needs no other file, no script and no network."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import zip_longest
from string import Template
from typing import NamedTuple

from dlcourse.pictures.gallery import LEARNED, PICTURES, TEST, Drawing
from dlcourse.pictures.view import Picture, View
from dlcourse.text_table import html_table

SECTIONS = {
    "The training": ("learning-curves", "layers"),
    "The test examples": TEST,
    "What the network has learned": LEARNED,
    "What the network looks at": ("saliency", "attention", "cam", "overlays", "check"),
    "From layer to layer": ("feature-maps", "neurons"),
}
"""The headings of a page and the pictures under each; the lab draws `layers` and `check`."""

BESIDE = "-beside"
"""Suffix of the names of the second run's pictures."""

WIDE = 560  # pixels: a wider picture scrolls sideways on a phone instead of shrinking


class Section(NamedTuple):
    """A section of a page.

    Attributes:
        heading: Heading as plain text.
        html: Content below the heading, as returned by `html_table` and `text`.
        pictures: Pictures, each with its PNG.
        folded: Whether the section is collapsed until the reader opens it.
    """

    heading: str
    html: str = ""
    pictures: Sequence[tuple[Picture, bytes]] = ()
    folded: bool = False


def picture_sections(drawn: Mapping[str, Sequence[tuple[Picture, bytes]]]) -> list[Section]:
    """Return sections with the headings of `SECTIONS` and the pictures, given by kind."""
    return [
        Section(heading, pictures=[pair for name in names for pair in drawn.get(name, ())])
        for heading, names in SECTIONS.items()
        if drawn.keys() & names
    ]


def text(heading: str, lines: Iterable[str]) -> str:
    """Return one paragraph per line below a small heading."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    small = f"<h3>{escape(heading)}</h3>" if heading else ""
    return f'<div class="text">{small}{paragraphs}</div>'


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML that suits a screen, a phone and paper."""
    template = resources.files("dlcourse.commands").joinpath("page.html").read_text("utf-8")
    contents, body = ("\n".join(map(part, sections)) for part in (_entry, _section))
    return Template(template).substitute(title=escape(title), contents=contents, body=body)


def _entry(section: Section) -> str:
    """Return a section's entry in the table of contents, with its pictures' entries below it."""
    lines = [_link(picture.name, picture.heading) for picture, _ in section.pictures]
    return f"{_link(_id(section), section.heading)}<ul>{''.join(lines)}</ul>"


def _link(target: str, label: str) -> str:
    return f'<li><a href="#{escape(target)}">{escape(label)}</a>'


def _id(section: Section) -> str:
    return section.heading.lower().replace(" ", "-")


def _section(section: Section) -> str:
    heading = f"<h2>{escape(section.heading)}</h2>"
    figures = "".join(map(_figure, section.pictures))
    pairs = any(picture.name.endswith(BESIDE) for picture, _ in section.pictures)
    inside = f'{heading}{section.html}<div class="figures{" pairs" * pairs}">{figures}</div>'
    if section.folded:
        inside = f"<details><summary>{heading}</summary>{section.html}</details>"
    return f'<section id="{_id(section)}">{inside}</section>'


def _figure(shown: tuple[Picture, bytes]) -> str:
    picture, png = shown
    width, height = (int.from_bytes(png[k : k + 4]) * 7 // 10 for k in (16, 20))  # sharp
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    name, heading, caption = map(escape, picture[:3])
    wide, more = " wide" * (width > WIDE), "".join(map(_part, picture.text.split("\n\n")))
    return (
        f'<figure id="{name}"><h3>{heading}</h3><div class="picture{wide}"><img width="{width}" '
        f'height="{height}" alt="{heading}: {caption}" src="{source}"></div>'
        f"<figcaption>{caption}</figcaption>{more}</figure>"
    )


def _part(lines: str) -> str:
    """Return one paragraph per line, or a table if the lines are columns two spaces apart."""
    rows = [re.split(" {2,}", line.rstrip()) for line in lines.splitlines()]
    in_columns = rows and min(map(len, rows)) > 1
    return html_table(rows[0], rows[1:]) if in_columns else text("", lines.splitlines())


def drawn(name: str, view: View, table: Mapping[str, Drawing] = PICTURES) -> Iterator[Picture]:
    """Yield the pictures of one kind, each followed by the second run's, if there is one."""
    if view.beside is None or name == "class-templates":  # its one figure shows both runs
        yield from table[name](view)
        return
    for pair in zip_longest(table[name](view), table[name](view.beside)):
        for picture, run, end in zip(pair, (view, view.beside), ("", BESIDE), strict=True):
            if picture is not None:
                heading = f"{picture.heading}: {run.name}"
                yield picture._replace(name=picture.name + end, heading=heading)
