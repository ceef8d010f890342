"""One HTML page with its pictures inside: it needs no other file and no network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple


class Picture(NamedTuple):
    """A figure with the name of its file, what it shows in a sentence, and a table in words."""

    name: str
    caption: str
    figure: Any
    text: str = ""

    @property
    def heading(self) -> str:
        """The name in words."""
        return self.name.replace("-", " ").replace("_", " ").capitalize()


def page(
    title: str,
    facts: str,
    pictures: Sequence[tuple[Picture, bytes]],
    appendix: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page, readable on a screen, a phone and paper.

    Args:
        title: The heading.
        facts: Plain text under it.
        pictures: Each with its PNG.
        appendix: (heading, plain text) of what follows them.
    """
    parts = [_figure(one, png) for one, png in pictures]
    parts += [f"<h2>{escape(heading)}</h2><pre>{escape(text)}</pre>" for heading, text in appendix]
    return PAGE.format(title=escape(title), facts=escape(facts), parts="\n".join(parts))


def _figure(one: Picture, png: bytes) -> str:
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    name, caption = escape(one.name), escape(one.caption)
    text = f"<pre>{escape(one.text)}</pre>" if one.text else ""
    return (
        f'<figure id="{name}"><h2>{escape(one.heading)}</h2><img alt="{caption}" src="{source}">'
        f"<figcaption>{caption}</figcaption></figure>{text}"
    )


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto }}
body {{ padding: 0 1rem }}
h1 {{ overflow-wrap: anywhere }}
pre {{ overflow-x: auto; font-size: .9rem }}
figure {{ margin: 2rem 0; break-inside: avoid }}
img {{ max-width: 100%; background: white; border-radius: 4px }}
figcaption {{ margin-top: .4rem }}
@media print {{ body {{ max-width: none; margin: 0 }} pre {{ white-space: pre-wrap }} }}
</style></head><body>
<h1>{title}</h1>
<pre>{facts}</pre>
{parts}
</body></html>
"""
