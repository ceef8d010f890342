"""Tables as plain text."""

import re
from collections.abc import Sequence

NUMBER = re.compile(r"[-+−]?[\d,/]*\.?\d*(e[-+]?\d+)?(\W{0,2}| [KM]iB)|nan|[-+]?inf")


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows under a head, in columns two spaces apart; columns of numbers end at the right.

    Args:
        head: One name per column.
        rows: One cell per column, formatted as it is to be read; an empty one fits either side,
            and a number may bear a mark or a unit: `3.2×`, `40 %`, `12 KiB`.
    """
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(map(NUMBER.fullmatch, column[1:])) and any(column[1:]) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(cells, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join(map(line, lines))
