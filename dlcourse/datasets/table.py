"""The cells of a CSV file, and whether a column is numeric."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse.datasets.paths import existing_file
from dlcourse.errors import DatasetError, RecipeError

NUMERIC_SHARE = 0.9  # a column with this share of numbers was meant to be numeric


class Table(NamedTuple):
    """A file's cells as text: `rows` of equal length; `lines`, the first line of each row."""

    file: Path
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]

    def cells(self, column: str) -> list[str]:
        """Return the cells of a column."""
        index = self.columns.index(column)
        return [row[index] for row in self.rows]

    def place(self, row: int, column: str) -> str:
        """Return `file:line: column 'name'`."""
        return f"{self.file}:{self.lines[row]}: column '{column}'"


def read_table(path: str | Path, separator: str = ",") -> Table:
    """Return the stripped cells of a CSV file; every row is as long as the header."""
    if len(separator) != 1 or separator in '"\r\n ':
        reason = f"one character is expected, got {separator!r}"
        raise RecipeError(reason, setting="separator", of="csv")
    file = existing_file(path)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
            lines = _lines(reader, file)
            return _table(file, lines, separator)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: not UTF-8 text ({error}): save it as CSV in UTF-8") from None
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from None


def _lines(reader: Any, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line of each row (quoted cells may span lines) and its stripped cells."""
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DatasetError(f"{file}:{start}: not a row of a CSV file ({error})") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield start, [cell.strip() for cell in cells]


def _table(file: Path, lines: Iterator[tuple[int, list[str]]], separator: str) -> Table:
    _, columns = next(lines, (1, []))
    _check_header(file, columns, separator)
    table = Table(file, columns, [], [])
    for line, cells in lines:
        if len(cells) != len(columns):
            raise DatasetError(
                f"{file}:{line}: {len(cells)} values, but the header names {len(columns)} columns: "
                "quote values that hold the separator"
            )
        table.rows.append(cells)
        table.lines.append(line)
    if not table.rows:
        raise DatasetError(f"{file}: no rows below the header")
    return table


def _check_header(file: Path, columns: list[str], separator: str) -> None:
    if not columns:
        raise DatasetError(f"{file}: the file is empty: a header line and rows are expected")
    if "" in columns:
        raise DatasetError(f"{file}:1: column {columns.index('') + 1} has no name: name it")
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise DatasetError(f"{file}:1: two columns are named '{twice[0]}': rename one")
    other = next((mark for mark in ";\t,|" if mark != separator and mark in columns[0]), None)
    if len(columns) == 1 and other:
        raise DatasetError(
            f"{file}:1: one column '{columns[0]}': is the separator {other!r}? Then set 'separator'"
        )


def refuse_empty(table: Table, column: str, cells: list[str]) -> None:
    """Raise a DatasetError that names the first empty cell of a column, if it has any."""
    if "" in cells:
        raise DatasetError(
            f"{table.place(cells.index(''), column)} is empty: fill it or remove the row"
        )


def is_numeric(table: Table, column: str, cells: list[str]) -> bool:
    """Return whether all cells are numbers; it is an error if only nearly all of them are."""
    bad = [row for row, cell in enumerate(cells) if parsed_number(cell) is None]
    if bad and len(bad) <= (1 - NUMERIC_SHARE) * len(cells):
        raise DatasetError(
            f"{table.place(bad[0], column)} is '{cells[bad[0]]}', but {len(cells) - len(bad)} of "
            f"{len(cells)} values are numbers: correct it or remove the row"
        )
    if len(bad) == len(cells) and all(re.fullmatch(r"[-+]?\d+,\d+", cell) for cell in cells):
        raise DatasetError(f"{table.place(0, column)} is '{cells[0]}': write decimals with a point")
    return not bad


def parsed_number(cell: str) -> float | None:
    """Return the finite number in a cell, or None for other text."""
    try:
        value = float(cell)
    except ValueError:
        return None
    # float() also reads 'nan', 'inf' and '1_000'.
    return value if math.isfinite(value) and "_" not in cell else None
