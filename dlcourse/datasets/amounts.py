"""Numbers as people write them: `1,234.5`, `1 000`, `3,5`, `12%`, `40 kg`, `$522,109`."""

import math
import re
from collections.abc import Iterable

FLOAT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
GAP = " '’\u00a0\u202f"  # marks between thousands that no decimal mark looks like
MONEY = "$€£¥₹"
AMOUNT = re.compile(
    rf"([-+−]?)\s?([{MONEY}]?)\s?([-+−]?)([.,]?\d(?:[\d.,{GAP}]*\d)?[.,]?(?:[eE][-+]?\d+)?)"
    rf"\s?(?![-−()])(%|[°‰µ{MONEY}]?[^\W\d_]*[^\d,;]{{0,12}})"
)
NUMBER = {
    mark: re.compile(
        rf"[-+]?(?=[.,]?\d)(?:[1-9]\d{{0,2}}(?:{re.escape(other)}\d{{3}})+"
        rf"|[1-9]\d{{0,2}}(?:[{GAP}]\d{{3}})+|\d*)(?:{re.escape(mark)}\d*)?(?:[eE][-+]?\d+)?"
    )
    for mark, other in (".,", ",.")
}


def amount(text: str) -> tuple[str, str] | None:
    """Return the unit of a number in text, and its digits with sign and marks; None for other text.

    >>> amount("$-1,234.5"), amount("40 kg"), amount("A1")
    (('$', '-1,234.5'), ('kg', '40'), None)
    """
    if text[:1] + text[-1:] == "()":  # a negative number in accounts, as 5- is
        text = f"-{text[1:-1]}"
    elif text[-1:] in ("-", "−") and text[:1] not in ("-", "−"):
        text = f"-{text[:-1].rstrip()}"
    parts = AMOUNT.fullmatch(text)
    if parts is None or (parts[1] and parts[3]):
        return None
    digits = (parts[1] + parts[3]).replace("−", "-") + parts[4]
    return (parts[2] + parts[5].strip(), digits) if marks([digits]) else None


def are_codes(cells: Iterable[str]) -> bool:
    """Return whether the cells are digits of one length, some with a leading zero: 01234, 98765."""
    cells = [*cells]
    equal = len({*map(len, cells)}) == 1 and all(map(str.isdigit, cells))
    return equal and len(cells[0]) > 1 and any(cell[0] == "0" for cell in cells)


def value(digits: str, mark: str) -> float:
    """Return the number that `digits` are with this decimal mark; NaN if they do not fit it."""
    if not NUMBER[mark].fullmatch(digits):
        return math.nan
    return float(re.sub(rf"[^-+\deE{mark}]", "", digits).replace(mark, "."))


def marks(digits: list[str]) -> set[str]:
    """Return the decimal marks, of `.` and `,`, that fit all numbers."""
    return {mark for mark in ".," if all(map(NUMBER[mark].fullmatch, digits))}


def is_ambiguous(digits: str) -> bool:
    """Return whether `digits` are another number with another decimal mark: `1,234`, `1.234`."""
    readings = {value(digits, mark) for mark in ".,"}
    return len(readings) == 2 and not any(map(math.isnan, readings))
