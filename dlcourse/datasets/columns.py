"""What the columns of a table are: numbers, dates, categories, or nothing to learn from."""

import re
from collections import Counter
from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dlcourse.datasets.amounts import FLOAT, amount, is_ambiguous, marks, value
from dlcourse.datasets.table import WORDS, Table
from dlcourse.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

NUMERIC_SHARE = 0.9  # a column with this share of numbers was meant to be numeric
UNIT_SHARE = 0.95  # a unit of this share of the cells is that of the numbers without one, too
MOST_CATEGORIES, FEW = 100, 20
OTHER, MISSING = "other", "missing"  # categories of rare values and of empty cells
FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y"),
)
CLOCK = re.compile(r"[T ]\d{1,2}:\d{2}.*")


class Reading(NamedTuple):
    """How cells are understood: the settings of the data set `csv` with these names."""

    missing: Literal["auto", "drop", "error"] = "auto"
    missing_values: tuple[str, ...] | None = None
    rare: int | None = None
    mark: str | None = None
    most: int = MOST_CATEGORIES

    @property
    def words(self) -> set[str]:
        """The cells that are missing in a column of numbers."""
        return {"", *(WORDS if self.missing_values is None else self.missing_values)}


class Column(NamedTuple):
    """A column as it was understood.

    Attributes:
        name: Name in the header.
        kind: Kind of its values.
        values: Numbers float64 `(n, 1)`; year, month and weekday of dates float64 `(n, 3)`; codes
            into `categories` `(n,)`.
        missing: Whether each value is missing; its number is then NaN.
        said: What a user should know: a unit, a format, a word that may mean missing.
        extent: Lowest and highest value, or some values, as text.
        detail: Different values of a category, sorted; the unit of a number; the format of a date.
    """

    name: str
    kind: Literal["number", "date", "category", "left out", "target"]
    values: np.ndarray
    missing: np.ndarray
    said: str = ""
    extent: str = ""
    detail: tuple[str, ...] = ()

    @property
    def taken_as(self) -> str:
        """One phrase: `number (kg)`, `3 categories`, `left out: no name`."""
        if self.kind in ("left out", "target"):
            return f"{self.kind}: {self.said}"
        kind = self.kind
        if kind == "category":
            kind = "1 category" if len(self.detail) == 1 else f"{len(self.detail)} categories"
        return f"{kind} ({self.said})" if self.said else kind


class Cells(NamedTuple):
    """The different cells of a text column, stripped; `codes[row]` is the position of a row's."""

    codes: np.ndarray
    texts: list[str]

    @property
    def counts(self) -> np.ndarray:
        """The number of rows of each text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    def at(self, row: int) -> str:
        """Return the text of a row."""
        return self.texts[self.codes[row]]

    def are(self, words: set[str]) -> np.ndarray:
        """Whether each text is one of the words."""
        return np.array([text in words for text in self.texts], dtype=bool)


def cells_of(column: "pd.Series | pd.DataFrame") -> Cells:
    """Return the different cells of a text column."""
    import pandas as pd

    codes, texts = pd.factorize(column)
    codes_of_stripped, stripped = pd.factorize(np.array([*map(str.strip, texts)], dtype=object))
    return Cells(codes_of_stripped[codes], list(stripped))


def understand(table: Table, name: str, reading: Reading) -> Column:
    """Return a column as numbers, dates or categories, or why it is left out.

    Raises:
        DatasetError: Most cells are numbers, but one is not; or numbers can be read in two ways.
    """
    column = table.frame[name]
    if column.dtype == "float64":
        values = column.to_numpy()
        comma = table.mark == "," and bool((values % 1 > 0).any())
        return number_column(name, values, "decimal comma" * comma)
    cells = cells_of(column)
    gone = cells.are(reading.words)
    if gone.all():
        return left_out(name, len(cells.codes), "empty")
    return (
        numbers(table, name, cells, gone, reading.mark)
        or _dates(name, cells, gone)
        or _categories(name, cells, reading)
    )


def left_out(name: str, rows: int, reason: str) -> Column:
    """Return a column that is not learned from."""
    return Column(name, "left out", np.empty(0), np.zeros(rows, dtype=bool), reason)


def number_column(name: str, values: np.ndarray, said: str = "", unit: str = "") -> Column:
    """Return a column of numbers `(n,)`; NaN is missing."""
    missing = np.isnan(values)
    ends = [] if missing.all() else [np.nanmin(values), np.nanmax(values)]
    extent = " to ".join(f"{end:.6g}" for end in ends)
    return Column(name, "number", values[:, None], missing, said, extent, (unit,))


def numbers(
    table: Table, name: str, cells: Cells, gone: np.ndarray, given: str | None
) -> Column | None:
    """Return a column of numbers, with their unit; None if fewer than `NUMERIC_SHARE` are."""
    counts = cells.counts * ~gone
    read = [None if skip else amount(text) for text, skip in zip(cells.texts, gone, strict=True)]
    units = Counter[str]()
    for one, count in zip(read, counts.tolist(), strict=True):
        units[one[0] if one else "no number"] += count
    unit = next((unit for unit, _ in units.most_common() if unit not in ("no number", "")), "")
    unit = unit if units[unit] >= UNIT_SHARE * counts.sum() else ""
    fits = np.array([one is not None and one[0] in ("", unit) for one in read])
    if counts[fits].sum() < NUMERIC_SHARE * counts.sum():
        return None
    digits = [one[1] if fit and one else "" for one, fit in zip(read, fits, strict=True)]
    mark = decimal_mark(table, name, cells, digits, unit, given)
    values = np.array([value(text, mark) for text in digits])
    bad = np.isnan(values) & ~gone
    whole = bool((values[~np.isnan(values)] % 1 == 0).all())
    if bad.any() and whole and len(cells.texts) <= FEW:
        return None  # codes such as 4, 6, 8 and rotary
    if bad.any():
        row = int(bad[cells.codes].argmax())
        numbers = f"{counts[~bad].sum()} of {counts.sum()} values are numbers"
        raise DatasetError(
            f"{table.place(row, name)} is '{cells.at(row)}', but {numbers}: "
            "correct it, or list it under 'missing_values'"
        )
    said = [unit] if unit else []
    odd = next((text for text in digits if text and not FLOAT.fullmatch(text)), None)
    said += [f"{odd} is {value(odd, mark):.12g}"] if odd else []
    return number_column(name, values[cells.codes], ", ".join(said), unit)


def decimal_mark(
    table: Table, name: str, cells: Cells, digits: list[str], unit: str, given: str | None = None
) -> str:
    """Return the decimal mark of a column: as given, of its own cells, or of the table's others."""
    fit = {given} if given else marks(filter(None, digits))
    point = table.separator == ","  # then a point is no mark of thousands
    doubtful = [text for text in digits if is_ambiguous(text) and not (point and "." in text)]
    if len(fit) == 1:
        return fit.pop()
    thousands = unit[:1] in ("$", "£") and all("," in text for text in doubtful)
    if len(fit) == 2 and doubtful and not table.mark and not thousands:
        row = int((cells.codes == digits.index(doubtful[0])).argmax())
        two = " or ".join(f"{value(doubtful[0], mark):g}" for mark in ".,")
        raise DatasetError(
            f"{table.place(row, name)} is '{doubtful[0]}': {two}? Set 'decimal' to '.' or ','"
        )
    return table.mark or "."


def _dates(name: str, cells: Cells, gone: np.ndarray) -> Column | None:
    """Return year, month and weekday (0 is Monday) of a column in which all cells are dates."""
    texts = [CLOCK.sub("", text) for text in cells.texts]
    written = [text for text, skip in zip(texts, gone, strict=True) if not skip]
    fits = [form for form in FORMATS if not days_of(written[:20], form).isna().any()]
    fits = [form for form in fits if not days_of(written, form).isna().any()]
    if not fits:
        return None
    if len({tuple(days_of(written, form)) for form in fits}) > 1:
        return left_out(name, len(cells.codes), f"is {written[0]} day or month first?")
    return date_column(name, cells, fits[0])


def days_of(texts: list[str], form: str) -> "pd.DatetimeIndex":
    """Return dates; NaT for text that does not have the format."""
    import pandas as pd

    return pd.to_datetime(pd.Index(texts, dtype=object), format=form, errors="coerce")


def date_column(name: str, cells: Cells, form: str) -> Column:
    """Return year, month and weekday of the cells with a format; others are missing."""
    days = days_of([CLOCK.sub("", text) for text in cells.texts], form)
    values = np.c_[days.year, days.month, days.day_of_week].astype("float64")[cells.codes]
    ends = f"{days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}" if days.notna().any() else ""
    said = f"{form}: year, month, weekday"
    return Column(name, "date", values, np.isnan(values[:, 0]), said, ends, (form,))


def _categories(name: str, cells: Cells, reading: Reading) -> Column:
    """Return categories; values of fewer than `rare` rows become `other`, empty cells `missing`."""
    gone = cells.are({"", *(reading.missing_values or ())})
    labels = [MISSING if skip else text for text, skip in zip(cells.texts, gone, strict=True)]
    if reading.rare:
        seldom = (cells.counts < reading.rare) & ~gone
        labels = [OTHER if few else label for label, few in zip(labels, seldom, strict=True)]
    kept = [label for label, skip in zip(labels, gone, strict=True) if not skip]
    auto = reading.missing == "auto" and gone.any()
    kept += [OTHER] * bool(reading.rare) + [MISSING] * bool(auto)
    names = tuple(sorted({*kept}))
    if len(names) > reading.most:
        numeric = ", most are numbers" * (sum(map(bool, map(amount, names))) > len(names) / 2)
        return left_out(name, len(cells.codes), f"{len(names):,} different texts{numeric}")
    code = {category: index for index, category in enumerate(names)}
    codes = np.array([code.get(label, -1) for label in labels])[cells.codes]
    words = WORDS if reading.missing_values is None else ()
    word = next((text for text in cells.texts if text in words), "")
    said = f"'{word}' is one: missing? See missing_values" if word else ""
    return Column(name, "category", codes, gone[cells.codes], said, some(names), names)


def some(names: Sequence[str]) -> str:
    """Return the first names as text."""
    first = ", ".join([*names[:4], *("…" for _ in names[4:5])])
    return shorten(first, 60, placeholder=" …")


def numbers_of(table: Table, name: str, cells: Cells, unit: str) -> np.ndarray:
    """Return the number in each text, with this unit or without one; NaN for other text."""
    read = [amount(text) for text in cells.texts]
    digits = [one[1] if one and one[0] in ("", unit) else "" for one in read]
    mark = decimal_mark(table, name, cells, digits, unit)
    return np.array([value(text, mark) for text in digits])


def is_row_number(column: Column) -> bool:
    """Return whether whole numbers all differ and rise with the row: an ID, or a row number."""
    values = column.values[~column.missing, 0] if column.kind == "number" else np.empty(0)
    rises = len(values) > 9 and (np.diff(values) > 0).all()
    return bool(rises and (values == np.floor(values)).all())
