"""What the columns of a table are: numbers, dates, categories, or nothing to learn from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Literal, NamedTuple

import numpy as np

from dlcourse.datasets.amounts import FLOAT, amount, are_codes, is_ambiguous, marks, value
from dlcourse.datasets.table import WORDS, Table
from dlcourse.errors import DatasetError
from dlcourse.heavy import pd

NUMERIC_SHARE = 0.9  # a column with this share of numbers was meant to be numeric
UNIT_SHARE = 0.95  # a unit of this share of the cells is that of the numbers without one, too
FEW = 20
MOST_WHOLE_CLASSES = 20  # of different whole numbers in a target; more are a regression
OTHER, MISSING = "other", "missing"  # categories of rare values and of empty cells
CURE = "correct it, or list it under 'missing_values'"
SAME = {"true": "1", "false": "0"}  # in another spelling
FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y"),
)
CLOCK = re.compile(r"[T ]\d{1,2}:\d{2}[\d:.,]*( ?[AaPp][Mm])?( ?Z| ?UTC| ?[-+]\d\d:?\d\d)?$")


class Column(NamedTuple):
    """A column as it was understood.

    Attributes:
        name: Name in the header.
        kind: Kind of its values.
        values: Numbers float64 `(n, 1)`; year, month and weekday of dates float64 `(n, 3)`; codes
            into `categories` `(n,)`; texts `(n,)`.
        missing: Whether each value is missing; its number is then NaN.
        said: Remark for the user: a unit, a format, a word that may mean missing.
        extent: Lowest and highest value, or some values, as text.
        detail: Different values of a category, sorted; the unit of a number; the format of a date.
    """

    name: str
    kind: Literal["number", "date", "category", "text", "left out", "target"]
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
    """The different cells of a column, stripped; `codes[row]` is the position of a row's."""

    codes: np.ndarray
    texts: list[str]

    @property
    def counts(self) -> np.ndarray:
        """The number of rows of each text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    @property
    def empty(self) -> np.ndarray:
        """Whether each text is empty."""
        return np.array([not text for text in self.texts], dtype=bool)

    def without(self, words: Iterable[str]) -> "Cells":
        """Return the cells with empty text for the words; -9 is -9.0, as pandas has it."""
        gone = {*words, *(float(word) for word in words if FLOAT.fullmatch(word))}
        gone |= {text for text in self.texts if FLOAT.fullmatch(text) and float(text) in gone}
        return self._replace(texts=["" if text in gone else text for text in self.texts])


def cells_of(column: "pd.Series | pd.DataFrame") -> Cells:
    """Return the different cells of a text column."""
    codes, texts = pd.factorize(column.fillna(""))
    codes_of_stripped, stripped = pd.factorize(np.array([*map(str.strip, texts)], dtype=object))
    return Cells(codes_of_stripped[codes], list(stripped))


def understand(table: Table, name: str) -> Column:
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
    known = cells.without(table.reading.words)
    if not any(known.texts):
        words = [f"'{text}'" for text in cells.texts if text]
        return left_out(name, len(cells.codes), f"only {some(words)}" if words else "empty")
    column = None if are_codes(filter(None, known.texts)) else numbers(table, name, known)
    return column or _dates(table, name, known) or _categories(table, name, cells)


def times(table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Return the times of rows as numbers: those of the column, or the dates' distances.

    Raises:
        DatasetError: The column is neither of numbers nor of dates, or a row has no time.
    """
    column = understand(table, name)
    if column.kind not in ("number", "date"):
        said = f"'{name}' must be a date or a number: it is {column.taken_as}"
        raise DatasetError(said, of=str(table.file))
    if (gaps := column.missing[rows]).any():
        place = table.place(int(rows[gaps.argmax()]), name)
        raise DatasetError(f"{place} is empty: each row needs its time")
    if column.kind == "number":
        return column.values[rows, 0]
    first, texts = column.detail[0].startswith("%d"), table.frame[name].iloc[rows]
    days = pd.to_datetime(texts, format="mixed", dayfirst=first, utc=True, errors="coerce")
    if (bad := days.isna().to_numpy()).any():
        place = table.place(int(rows[bad.argmax()]), name)
        raise DatasetError(f"{place} is '{texts[bad].iloc[0]}': a time is expected")
    return days.astype("int64").to_numpy()


def left_out(name: str, rows: int, reason: str) -> Column:
    """Return a column that is not learned from."""
    return Column(name, "left out", np.empty(0), np.zeros(rows, dtype=bool), reason)


def number_column(name: str, values: np.ndarray, said: str = "", unit: str = "") -> Column:
    """Return a column of numbers `(n,)`; NaN is missing."""
    missing = np.isnan(values)
    ends = [] if missing.all() else [np.nanmin(values), np.nanmax(values)]
    extent = " to ".join(
        f"{end + 0.0:{'.15g' if float(end).is_integer() else '.6g'}}" for end in ends
    )
    return Column(name, "number", values[:, None], missing, said, extent, (unit,))


def numbers(table: Table, name: str, cells: Cells) -> Column | None:
    """Return a column of numbers, with their unit; None if fewer than `NUMERIC_SHARE` are."""
    counts = cells.counts * ~cells.empty
    read = [amount(text) for text in cells.texts]
    units = Counter[str]()
    for one, count in zip(read, counts.tolist(), strict=True):
        units[one[0] if one else ""] += count
    unit = max((unit for unit in units if unit), key=units.__getitem__, default="")
    unit = unit if units[unit] >= UNIT_SHARE * counts.sum() else ""
    fits = np.array([one is not None and one[0] in ("", unit) for one in read])
    if counts[fits].sum() < NUMERIC_SHARE * counts.sum():
        return None
    values = numbers_of(table, name, cells, unit)[:, 0]
    bad = np.isnan(values) & ~cells.empty
    if (bad & fits).any():
        cell = _cell(table, name, cells, int((bad & fits).argmax()))
        raise DatasetError(f"{cell}, but the decimal mark is '{table.mark or '.'}': set 'decimal'")
    if bad.any() and len(cells.texts) <= FEW and (values[~np.isnan(values)] % 1 == 0).all():
        return None  # codes such as 4, 6, 8 and rotary
    if bad.any():
        numbers = f"{counts[~bad].sum()} of {counts.sum()} values are numbers"
        raise DatasetError(f"{_cell(table, name, cells, int(bad.argmax()))}, but {numbers}: {CURE}")
    odd = [
        f"{one[1]} is {number:.12g}"
        for one, number in zip(read, values, strict=True)
        if one and not (FLOAT.fullmatch(one[1]) and float(one[1]) == number)
    ]
    bare = [f"{units['']} without it"] * bool(unit and units[""])
    said = ", ".join(filter(None, [unit, *bare, *odd[:1]]))
    return number_column(name, values[cells.codes], said, unit)


def numbers_of(table: Table, name: str, cells: Cells, unit: str) -> np.ndarray:
    """Return the number `(n, 1)` in each text, with this unit or without one; NaN for other text.

    Raises:
        DatasetError: The numbers can be read in two ways.
    """
    read = [amount(text) for text in cells.texts]
    digits = [one[1] if one and one[0] in ("", unit) else "" for one in read]
    mark = _decimal_mark(table, name, cells, digits, unit)
    return np.array([[value(text, mark)] for text in digits])


def _cell(table: Table, name: str, cells: Cells, position: int) -> str:
    row = int((cells.codes == position).argmax())
    return f"{table.place(row, name)} is '{shorten(cells.texts[position], 60, placeholder=' …')}'"


def _decimal_mark(table: Table, name: str, cells: Cells, digits: list[str], unit: str) -> str:
    """Return the decimal mark of a column: as given, of its own cells, or of the table's others."""
    fit = {table.reading.mark} if table.reading.mark else marks([text for text in digits if text])
    point = table.separator == ","  # then a point never marks thousands
    doubtful = [text for text in digits if is_ambiguous(text) and not (point and "." in text)]
    if len(fit) == 1:
        return fit.pop()
    thousands = unit[:1] in ("$", "£") and all("," in text for text in doubtful)
    if fit and doubtful and not table.mark and not thousands:
        where = _cell(table, name, cells, digits.index(doubtful[0]))
        two = " or ".join(f"{value(doubtful[0], mark):g}" for mark in ".,")
        raise DatasetError(f"{where}: {two}? Set 'decimal' to '.' or ','")
    return table.mark or "."


def _dates(table: Table, name: str, cells: Cells) -> Column | None:
    """Return a column of dates with one format; None if fewer than `NUMERIC_SHARE` are."""
    written = [text for text in cells.texts if text]
    other = {True: "%m.%d", False: "%d.%m", None: "none"}[table.reading.day_first]
    meant = [form for form in FORMATS if not re.match(other, form)]
    likely = [form for form in meant if days_of(written[:20], form).notna().mean() > 0.5]
    days = {form: days_of(written, form) for form in likely}
    best = max((each.notna().mean() for each in days.values()), default=0)
    if best < NUMERIC_SHARE:
        return None
    days = {form: each for form, each in days.items() if each.notna().mean() == best}
    form, first = next(iter(days.items()))
    if best < 1:
        cell = _cell(table, name, cells, cells.texts.index(written[int(first.isna().argmax())]))
        raise DatasetError(f"{cell}, but {best:.0%} of the values are dates: {CURE}")
    if len({tuple(each) for each in days.values()}) > 1:
        day = CLOCK.sub("", written[0])
        return left_out(name, len(cells.codes), f"is {day} day or month first? Set day_first")
    values = parts_of_dates(cells, form)[cells.codes]
    extent = f"{first.min():%Y-%m-%d} to {first.max():%Y-%m-%d}"
    said = f"{form}: year, month, weekday"
    return Column(name, "date", values, np.isnan(values[:, 0]), said, extent, (form,))


def days_of(texts: list[str], form: str) -> "pd.DatetimeIndex":
    """Return dates, which a time of the day may follow; NaT for text without the format."""
    days = pd.Index([CLOCK.sub("", text) for text in texts], dtype=object)
    return pd.to_datetime(days, format=form, errors="coerce")


def parts_of_dates(cells: Cells, form: str) -> np.ndarray:
    """Return year, month and weekday (0 is Monday) of each text `(n, 3)`; NaN for other text."""
    days = days_of(cells.texts, form)
    return np.c_[days.year, days.month, days.day_of_week].astype("float64")


def _categories(table: Table, name: str, cells: Cells) -> Column:
    """Return categories; values of fewer than `rare` rows become `other`, empty cells `missing`."""
    reading, given = table.reading, table.reading.missing_values
    cells = cells.without(given or ())
    labels = [
        OTHER if text and count < (reading.rare or 0) else text or MISSING
        for text, count in zip(cells.texts, cells.counts, strict=True)
    ]
    kept = [label for label, text in zip(labels, cells.texts, strict=True) if text]
    kept += [OTHER] * (reading.rare is not None)
    kept += [MISSING] * (reading.missing == "auto" and "" in cells.texts)
    names = tuple(sorted({*kept}))
    if len(names) > reading.most:
        sentences = sum(text.count(" ") for text in names) > 3 * len(names)
        cure = f" (set text: '{name}' to learn from them)" * sentences
        return left_out(name, len(cells.codes), f"{len(names):,} different texts{cure}")
    code = {category: index for index, category in enumerate(names)}
    codes = np.array([code.get(label, -1) for label in labels])[cells.codes]
    words = [f"'{text}'" for text in cells.texts if text in WORDS and given is None]
    said = [f"{some(words)} is one: missing? See missing_values"] if words else []
    keys = {name: SAME.get(name.casefold(), name.casefold().removesuffix(".0")) for name in names}
    times = Counter(keys.values())
    alike = [name for name, key in keys.items() if times[key] > 1]
    said += [f"the same in two spellings? {some(alike)}"] if alike else []
    missing, said = cells.empty[cells.codes], "; ".join(said)
    return Column(name, "category", codes, missing, said, some(names), names)


def some(names: Sequence[str]) -> str:
    """Return the first names as text."""
    first = ", ".join([*names[:4], *("…" for _ in names[4:5])])
    return shorten(first, 60, placeholder=" …")


def are_classes(numbers: np.ndarray) -> bool:
    """Return whether the different values of a target are at most 20 whole numbers."""
    return len(numbers) <= MOST_WHOLE_CLASSES and bool((numbers == np.floor(numbers)).all())


def is_row_number(column: Column) -> bool:
    """Return whether whole numbers all differ and rise with the row: an ID, or a row number."""
    values = column.values[~column.missing, 0] if column.kind == "number" else np.empty(0)
    rises = len(values) > 9 and (np.diff(values) > 0).all()
    return bool(rises and (values == np.floor(values)).all())
