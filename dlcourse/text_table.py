"""Tables as plain text and as HTML."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

NUMBER = re.compile(r"[-+−]?[\d,/]*\.?\d*(e[-+]?\d+)?(\W{0,2}| [KM]iB)|nan|[-+]?inf")


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows under a header, two spaces between columns; columns of numbers are right-aligned.

    Args:
        head: Names of the columns.
        rows: Rows with one formatted cell per column. An empty cell fits text and numbers, and a
            number may have a sign or a unit: `3.2×`, `40 %`, `12 KiB`.
    """
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    padded = []
    for column in zip(*lines, strict=True):
        numbers = all(map(NUMBER.fullmatch, column[1:])) and any(column[1:])
        pad, width = str.rjust if numbers else str.ljust, max(map(len, column))
        padded.append([pad(cell, width) for cell in column])
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table; the first cell of each row is its header."""
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        for first, *rest in rows
    )
    return f'<div class="table"><table><thead><tr>{cells}<tbody>{body}</table></div>'


SHOWN_ROWS = 50


class Table(list[dict[str, Any]]):
    """A list of rows as dictionaries that prints, and displays in a notebook, as a table.

    Args:
        rows: Dictionaries with the same keys.
        columns: Map of a title to a function that returns the cell of a row; None shows all keys.
        notes: Lines below the table.
    """

    def __init__(
        self,
        rows: Iterable[dict[str, Any]],
        columns: Mapping[str, Callable[[dict[str, Any]], object]] | None = None,
        notes: Sequence[str] = (),
    ):
        super().__init__(rows)
        self.notes = notes
        keys = self[0] if self else ()
        self.columns = columns or {key: lambda row, key=key: row[key] for key in keys}

    def _cells(self, most: int | None = None) -> list[list[object]]:
        return [[cell(row) for cell in self.columns.values()] for row in self[:most]]

    @property
    def _more(self) -> str:
        return f"and {len(self) - SHOWN_ROWS:,} more rows" if len(self) > SHOWN_ROWS else ""

    def __str__(self) -> str:
        return "\n".join([text_table(list(self.columns), self._cells()), *self.notes])

    def __repr__(self) -> str:
        shown = text_table(list(self.columns), self._cells(SHOWN_ROWS))
        return "\n".join(filter(None, [shown, self._more, *self.notes]))

    def _repr_html_(self) -> str:
        shown = html_table(list(self.columns), self._cells(SHOWN_ROWS)) + self._more
        return shown + "".join(f"<p>{escape(note)}</p>" for note in self.notes)
