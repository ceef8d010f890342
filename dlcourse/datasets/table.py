"""The cells of the user's table, read by pandas: CSV of any dialect, also packed, or Excel's."""

import csv
import gzip
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from statistics import mode
from textwrap import shorten
from typing import Any, NamedTuple

from dlcourse.datasets.amounts import FLOAT, amount, are_codes, marks
from dlcourse.datasets.paths import existing_file
from dlcourse.errors import DatasetError, RecipeError, as_given, one_line
from dlcourse.heavy import pd

WORDS = (
    *("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "NULL", "null", "None"),
    *("none", "-", "--", "?", ".", "#NULL!", "#DIV/0!"),
)
"""What people and programs write for a missing number."""
TOTALS = {"total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt"}
MOST_CATEGORIES = 100
TWO_READINGS = re.compile(rb"(?<![\d.,])[1-9]\d{0,2}[.,]\d{3}(?![\d.,])")  # 1.234 and 1234
HEAD_ROWS, TAIL_BYTES = 500, 1 << 12  # that the dialect, and lines below the table, are found in
OTHER_FILES = re.compile(
    rb"(?P<parquet>PAR1)|(?P<feather>ARROW1)|(?P<excel>\xd0\xcf\x11\xe0)"
    rb"|\s*(?:(?P<json>[\[{]\s*[\[{\"])|(?P<html>(?i:<!doctype|<html|<table))|(?P<xml><\?xml))"
)
"""How files begin that are not tables as text, by the name of what reads them in pandas."""


class Reading(NamedTuple):
    """How a file is read: the settings of the data set `csv` with these names.

    `usual_…` are the decimal mark, the separator and the encoding of a file that does not show its
    own, `as_text` keeps columns of plain numbers as text, and all rows unless they are `labelled`;
    `most` is the number of values of a category.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: bool | None = None
    day_first: bool | None = None
    missing: str = "auto"
    missing_values: tuple[str, ...] | None = None
    rare: int | None = None
    usual_mark: str | None = None
    usual_separator: str | None = None
    usual_encoding: str | None = None
    as_text: bool = False
    labelled: bool = False
    most: int = MOST_CATEGORIES

    @property
    def words(self) -> set[str]:
        """The cells that are missing in a column of numbers."""
        return {"", *(WORDS if self.missing_values is None else self.missing_values)}

    @property
    def mark(self) -> str | None:
        """The decimal mark, if it is given."""
        return self.decimal or {",": ".", ".": ","}.get(self.thousands or "")


class Table(NamedTuple):
    """A file's cells: `frame` has columns of plain numbers, and of text as written; NaN is empty.

    The frame's index counts the rows of the file. `header` is the line of the names (0 without
    one), `unnamed` are columns that it does not name, `mark` is the decimal mark that the file's
    cells show (None for either), and `notes` tell what is not as in a plain CSV file.
    """

    file: Path
    data: bytes
    reading: Reading
    separator: str
    frame: "pd.DataFrame"
    header: int
    unnamed: tuple[str, ...]
    mark: str | None
    notes: list[str]

    def place(self, row: int, column: str) -> str:
        """Return `file:line: column 'name'` of a row of the frame."""
        return f"{self.lines([row])[0]}: column '{column}'"

    def lines(self, rows: list[int]) -> list[str]:
        """Return `file:line` of rows of the frame; the file is read again."""
        every = records(self.file, self.data, self.separator)
        starts = [start for start, _ in every if start > self.header]
        return [as_given(f"{self.file}:{starts[row]}") for row in self.frame.index[rows]]


def read_table(path: str | Path, reading: Reading = Reading()) -> Table:  # noqa: B008
    """Return the cells of a CSV file, also packed by gzip or ZIP, or of an Excel workbook.

    What `reading` leaves open is found in the file.
    """
    file = existing_file(path)
    data, notes = _utf8(file, reading.encoding, reading.usual_encoding)
    separator = _separator(reading.separator)
    if said := re.match(rb'"?sep=(.)"?(?=\n)', data, re.IGNORECASE):  # Excel's own line
        data, separator = data[said.end() :], separator or said[1].decode()
    csv.field_size_limit(max(csv.field_size_limit(), len(data)))
    head = b"".join(islice(io.BytesIO(data), HEAD_ROWS)).decode()
    separator = separator or _found_separator(head, _separator(reading.usual_separator))
    data = _without_comments(data, head, separator)
    first = list(islice(records(file, data, separator), HEAD_ROWS + 1))
    if not first:
        raise DatasetError(f"{file}: the file is empty: a header line and rows are expected")
    may_have = reading.header is None or (reading.header and reading.as_text)
    titles = _titles([cells for _, cells in first]) if may_have else 0
    texts = [(line, cells[0].strip()) for line, cells in first[:titles]]
    notes += [f"{file}:{line}: '{text}' left out as a title" for line, text in texts if text]
    first = first[titles:]
    rows = [cells for _, cells in first]
    has_header = _has_header(rows) if reading.header is None else reading.header
    header = first[0][0] if has_header else 0
    names, unnamed = _names(f"{file}:{header}", rows, has_header)
    if len(rows) == has_header:
        raise DatasetError(f"{file}: no rows below the header")
    if reading.header is None and not has_header:
        notes.append(f"no header line: the columns are named 1 to {len(names)}")
    elif reading.header is None and 2 * len(_numbers(rows[0])) >= len(names):
        notes.append(f"{file}:{header} was read as names: set header: false if it is data")
    columns = _columns(rows[has_header:], names, reading.words)
    if any(cell[:1] == "#" for cell in columns[names[0]]):
        notes.append(f"values of '{names[0]}' begin with '#': comments? Delete those lines")
    usual = reading.usual_mark if separator != reading.usual_mark else None
    mark = reading.mark or _mark(columns.values()) or usual
    plain = {name for name, cells in columns.items() if _is_plain(cells, mark or ".")}
    start = sum(map(len, islice(io.BytesIO(data), first[has_header][0] - 1)))
    all_rows = reading.as_text and not reading.labelled
    if len(names) > 1 and not all_rows:
        data = _without_footer(file, data, start, separator, notes)
    if reading.as_text or (mark is None and separator != "," and TWO_READINGS.search(data, start)):
        plain = set()
    frame = _frame(data, start, names, plain, reading.words, sep=separator, decimal=mark or ".")
    has_gaps = frame is None or bool(frame.iloc[:, -1].isna().any())  # as pandas fills short rows
    if has_gaps or _is_quoted_badly(data, separator):
        _refuse_uneven(file, data, separator, len(names), header)
    if frame is None:
        raise DatasetError(f"{file}: not a table: is another 'separator' meant?")
    frame = frame.dropna(how="all") if has_gaps and not all_rows else frame
    if frame.empty:
        raise DatasetError(f"{file}: no rows below the header")
    table = Table(file, data, reading, separator, frame, header, unnamed, mark, notes)
    return table if all_rows else _without_totals(table)


def _separator(given: str | None) -> str | None:
    mark = {"\\t": "\t", "tab": "\t"}.get(given or "", given)
    if mark is not None and (len(mark) != 1 or mark in '"\r\n '):
        reason = f"one character is expected, got {given!r}"
        raise RecipeError(reason, setting="separator", of="csv")
    return mark


def _utf8(file: Path, encoding: str | None, usual: str | None) -> tuple[bytes, list[str]]:
    """Return a file's text in UTF-8, and what there is to say of its encoding."""
    try:
        data = file.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        if data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = [name for name in archive.namelist() if not re.search("^__MACOSX|/$", name)]
                data = archive.read(names[0]) if len(names) == 1 else _sheet(file)
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DatasetError(f"{file}: cannot be read ({one_line(error)})") from None
    if other := OTHER_FILES.match(data):
        cure = f"save it as CSV, or give the DataFrame of pandas.read_{other.lastgroup}"
        raise DatasetError(f"{file}: not CSV: {cure}")
    ends = {"utf-16": data[:2], "utf-16-le": data[1:4:2], "utf-16-be": data[:3:2]}
    wide = [name for name, two in ends.items() if two in (b"\xff\xfe", b"\xfe\xff", b"\0\0")]
    name, notes = encoding or next(iter(wide), "utf-8-sig"), []
    try:
        text = data if name == "utf-8-sig" and data.isascii() else data.decode(name).encode()
    except UnicodeDecodeError:
        usual = usual or "cp1252"
        text = b"\0" if encoding or wide else data.decode(usual, "replace").encode()
        notes = [f"not UTF-8, so it was read as {usual}: wrong letters? Set 'encoding'"]
    except (LookupError, ValueError):
        reason = f"no encoding {encoding!r} (such as utf-8, utf-16, cp1252)"
        raise RecipeError(reason, setting="encoding", of="csv") from None
    if b"\0" in text or (notes and re.search(rb"[\0-\x08\x0e-\x1f]|\xef\xbf\xbd", text)):
        name = encoding or f"UTF-8, UTF-16 or {usual or 'cp1252'}"
        raise DatasetError(f"{file}: not text in {name}: save it as CSV in UTF-8")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text, notes


def _sheet(file: Path) -> bytes:
    """Return the first sheet of an Excel workbook as CSV."""
    try:
        cells = pd.read_excel(file, header=None, dtype=object, na_filter=False, engine="openpyxl")
    except Exception as error:  # noqa: BLE001 - openpyxl raises many types on broken files
        reason = f"not read as a workbook, nor a ZIP archive of one file ({one_line(error)})"
        raise DatasetError(f"{file}: {reason}: save the table as CSV") from None
    return cells.to_csv(index=False, header=False).encode()


def records(file: Path, data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line (a quoted cell may span several) and the cells of each row that pandas reads.

    Raises:
        DatasetError: The quotes of a row are wrong.
    """
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    start = 1
    try:
        for cells in reader:
            if len(cells) > 1 or any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        cure = 'a quote inside a quoted cell is written twice ("")'
        raise DatasetError(f"{file}:{start}: not a row of a CSV file ({error}): {cure}") from None


def _found_separator(head: str, usual: str | None) -> str:
    """Return the character that divides the header and most rows alike; the usual one if several.

    Without a usual one it is a comma.
    """
    lines = "".join(line for line in head.splitlines(keepends=True) if line[:1] != "#")

    def fitness(mark: str) -> tuple[int, float, int]:
        rows = csv.reader(io.StringIO(lines, newline=""), delimiter=mark, skipinitialspace=True)
        counts = [len(cells) for cells in rows if any(cell.strip() for cell in cells)] or [1]
        most = mode(counts[1:] or counts)
        alike = 0 if min(most, counts[0]) < 2 else 2 - min(2, abs(counts[0] - most))
        return alike, round(counts[1:].count(most) / len(counts), 1) * (most > 1), most

    return max([*filter(None, [usual]), *",;\t|"], key=fitness)


def _without_comments(data: bytes, head: str, separator: str) -> bytes:
    """Return the text with blank lines for those that start with `#` and are not rows."""
    if b"#" not in data or (b"\n#" not in data and data[:1] != b"#"):
        return data
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    fields = mode([len(cells) for cells in rows if cells and cells[0][:1] != "#"] or [1])

    def kept(line: re.Match[bytes]) -> bytes:
        (cells,) = csv.reader([line[0].decode()], delimiter=separator)
        is_row = len(cells) == fields > 1 or data.count(b'"', 0, line.start()) % 2
        return line[0] if is_row else b""

    return re.sub(rb"(?m)^#[^\r\n]*", kept, data)


def _without_footer(file: Path, data: bytes, start: int, separator: str, notes: list[str]) -> bytes:
    """Return the text without lines at its end, below the first row, of one cell with a word."""
    mark = re.escape(separator).encode()
    alone = re.compile(rb'(?:\n+(?=.*[A-Za-z])(?:[^"\n%b]+|"[^"\n]+"))+\s*\Z' % mark)
    if found := alone.search(data, max(start, len(data) - TAIL_BYTES)):
        data, text = data[: found.start()] + b"\n", shorten(found[0].decode("utf-8", "replace"), 60)
        notes.append(f"{file}: below line {data.count(10)}: '{text}' left out, for it is not a row")
    return data


def _titles(rows: list[list[str]]) -> int:
    """Return how many rows above the names hold a title: text in the first cell alone."""
    full = (number for number, cells in enumerate(rows) if any(map(str.strip, cells[1:])))
    count = next(full, 0)
    return 0 if _numbers(rows[count]) or not _has_header(rows[count:]) else count


def _numbers(cells: list[str]) -> list[str]:
    return [cell.strip() for cell in cells if FLOAT.fullmatch(cell.strip())]


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether the first row holds names.

    It does not if it has decimals, or numbers twice, or if most of its cells come again below.
    """
    numbers, first = _numbers(rows[0]), [cell for cell in rows[0] if cell.strip()]
    whole = all(map(str.isdigit, numbers)) and len({*numbers}) == len(numbers)  # such as years
    below = [{*cells} for cells in zip_longest(*(row for row in rows if row != rows[0]))]
    again = sum(cell in cells for cell, cells in zip(rows[0], below, strict=False) if cell.strip())
    return (whole or len(numbers) < len(rows[0]) / 2) and 2 * again <= len(first)


def _names(place: str, rows: list[list[str]], header: bool) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of all columns, and those that the header lacks."""
    width = mode(map(len, rows[header:] or rows))
    if not header:
        return [str(number + 1) for number in range(width)], ()
    names = [cell.strip() for cell in rows[0]]
    names[0] = names[0].lstrip("# ")
    if len(names) == width + 1 and not names[-1]:
        names.pop()  # a separator at the end of the header alone
    if 1 < len(names) == width - 1:  # a separator at the end of each row, or names of rows (from R)
        trailing = not any(cells[-1].strip() for cells in rows[1:] if len(cells) == width)
        if trailing or _are_row_names([cells[0].strip() for cells in rows[1:]]):
            names.insert(len(names) if trailing else 0, "")
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise DatasetError(f"{place}: two columns are named '{twice[0]}': rename one")
    unnamed = {number: f"column {number + 1}" for number, name in enumerate(names) if not name}
    return [unnamed.get(number, name) for number, name in enumerate(names)], (*unnamed.values(),)


def _are_row_names(cells: list[str]) -> bool:
    """Return whether the cells all differ and are words, or count the rows from 0 or 1."""
    numbers = sum(bool(FLOAT.fullmatch(cell)) for cell in cells)
    counted = [[str(number + start) for number in range(len(cells))] for start in (0, 1)]
    return len({*cells}) == len(cells) and (not numbers or (numbers > 2 and cells in counted))


def _columns(rows: list[list[str]], names: list[str], missing: set[str]) -> dict[str, set[str]]:
    """Return the different cells of each column that are not missing."""
    columns = zip(names, zip_longest(*rows, fillvalue=""), strict=False)
    return {name: {*map(str.strip, cells)} - missing for name, cells in columns}


def _mark(columns: Iterable[set[str]]) -> str | None:
    """Return the decimal mark that the cells show; None if they show none, or both."""
    shown: set[str] = set()
    for cells in columns:
        read = [one for cell in cells if (one := amount(cell))]
        fit = marks([digits for _, digits in read])
        shown |= fit if len(read) == len(cells) and len(fit) == 1 else set()
    return shown.pop() if len(shown) == 1 else None


def _is_plain(cells: set[str], mark: str) -> bool:
    """Return whether pandas reads the cells as numbers, with this decimal mark."""
    table = str.maketrans({mark: ".", ".": "." if mark == "." else "x"})
    is_plain = bool(cells) and all(FLOAT.fullmatch(cell.translate(table)) for cell in cells)
    return is_plain and not are_codes(cells)


def _frame(
    data: bytes, start: int, names: list[str], plain: set[str], words: set[str], **dialect: Any
) -> "pd.DataFrame | None":
    """Return the cells from byte `start` on; None if a row has more cells than there are names."""
    gaps = {name: [*words] if name in plain else [""] for name in names}
    types: Any = {name: float if name in plain else object for name in names}  # object: as it is
    own = {"header": None, "names": names, "index_col": False, "dtype": types, "na_values": gaps}
    own |= {"keep_default_na": False, "skipinitialspace": b" " in data}
    stream = io.BytesIO(data)
    stream.seek(start)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(stream, **own, **dialect)
        except (pd.errors.ParserError, pd.errors.ParserWarning):
            return None
        except ValueError:  # a cell below the first rows is not a plain number
            return _frame(data, start, names, set(), words, **dialect)


def _is_quoted_badly(data: bytes, separator: str) -> bool:
    """Return whether pandas may read a quote otherwise than it is meant."""
    other = rb'[^"\n%b]' % re.escape(separator).encode()
    escaped = b"\\" in data and b'\\"' in data  # one byte is found faster than two
    badly = rb'"(?<=%b")(?=%b)' % (other, other)
    return escaped or (b'"' in data and bool(re.search(badly, data)))


def _refuse_uneven(file: Path, data: bytes, separator: str, width: int, header: int) -> None:
    for line, cells in records(file, data, separator):
        if line > header and len(cells) != width:
            reason = f"{len(cells)} values, but the header names {width} columns"
            cure = "quote values that hold the separator; delete what is not of the table"
            raise DatasetError(f"{file}:{line}: {reason}: {cure}")


def _without_totals(table: Table) -> Table:
    """Return the table without a last row that holds a word for a total."""
    frame = table.frame
    for name, cell in frame.iloc[-1].items():
        is_word = isinstance(cell, str) and cell.strip(" :").lower() in TOTALS
        if is_word and len(frame) > 1 and frame[name].tolist().count(cell) == 1:
            place = table.lines([len(frame) - 1])[0]
            table.notes.append(f"{place}: '{cell}' in the last row: left out as a total")
            return table._replace(frame=frame.iloc[:-1])
    return table
