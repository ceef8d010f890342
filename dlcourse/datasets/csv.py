"""The user's own table: a CSV file, or an Excel sheet, with a target column.

The model standardises numbers. A category is one-hot encoded: one column per value, named
`colour=red`. A date becomes year, month and weekday.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag

from dlcourse.datasets import columns as understood
from dlcourse.datasets.amounts import amount, value
from dlcourse.datasets.columns import MISSING, OTHER, Column, cells_of, some, times, understand
from dlcourse.datasets.dataset import PARTS, Dataset, as_float32, dataset_of, task_of, value_range
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.splits import Rows, content_rows, drawn_rows, time_rows
from dlcourse.datasets.table import MOST_CATEGORIES, Reading, Table, read_table
from dlcourse.datasets.text import Tokens, encode_texts, fault_of, text_encoding
from dlcourse.errors import DatasetError, RecipeError, as_given
from dlcourse.heavy import pd
from dlcourse.schema import Fraction, Positive, Word, checked_settings, did_you_mean
from dlcourse.text_table import Table as Report

FEWEST = 3  # rows of a class: one per split
NAMED = 5  # rows that a warning names
SplitColumn = Annotated[
    Annotated[Literal["random", "content"], Tag("word")]
    | Annotated[
        dict[Literal["group", "time"], Word], Field(min_length=1, max_length=1), Tag("mapping")
    ],
    Discriminator(lambda value: "mapping" if isinstance(value, dict) else "word"),
]


def csv(
    seed: int = 0,
    *,
    path: str,
    target: Word,
    text: Word | None = None,
    tokens: Tokens = "words",
    vocabulary: Positive = 5000,
    length: Positive | None = None,
    task: Literal["classification", "regression"] | None = None,
    ignore: tuple[Word, ...] = (),
    missing: Literal["auto", "drop", "error"] = "auto",
    missing_values: tuple[Word, ...] | None = None,
    rare: Positive | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: Literal[",", ".", " ", "'"] | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    day_first: bool | None = None,
    split: SplitColumn = "random",
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
) -> Dataset:
    """Return the rows of a table, with `target` to predict from the other columns.

    Args:
        seed: Seed of the validation split.
        path: Path of a CSV file (also `.tsv`, `.gz`, or alone in a `.zip`) or Excel workbook
            (`.xlsx`), relative to the current folder; `~` expands.
        target: Name of the column to predict. Rows without it are left out.
        text: Name of a column of texts, to predict the target from instead of all other columns.
        tokens, vocabulary, length: Settings of the `text`, as for `text_folder`.
        task: Kind of target; null takes `classification` for text or at most 20 different integers,
            otherwise `regression`.
        ignore: Names of the columns to leave out, such as an identifier.
        missing: Treatment of missing values: `auto` gives numbers the median of the training rows
            and, where training rows miss some, a 0/1 column `… was missing`, gives words a
            category `missing`, and leaves out a column that is more than half empty; `drop` leaves
            out the rows; `error` refuses the table.
        missing_values: Cells that mean missing in every column, besides empty ones. Null takes the
            usual words (`NA`, `nan`, `None`, `-`, `?`, …) in columns of numbers and in the target;
            in columns of words they are values.
        rare: Smallest number of rows of a category; less frequent values become `other`, as do
            unknown values in predictions. Null keeps all values.
        separator: Character between the values, such as `;` or `\\t`; null finds it.
        decimal: Decimal mark; null finds it.
        thousands: Mark between thousands; null finds it.
        encoding: Encoding of the text, such as `cp1252`; null finds it.
        header: First row as names of the columns (true), or as data of columns `1`, `2`, …
            (false); null takes it as names unless it looks like data.
        day_first: Order of dates such as 03/04/2024: day first (true) or month first (false); null
            finds it, and leaves out a column whose dates fit both.
        split: Choice of the validation and test rows: `random`; `{group: column}`, which keeps
            rows with the same value (a patient, a series of photographs) in one split;
            `{time: column}`, which takes the latest rows for the test; or `content`, which keeps
            every row's split when the file grows, because the row's own values decide.
        validation_fraction: Share of the training rows set aside for validation.
        test_fraction: Share of all rows set aside for the test, the same rows for every seed.

    Raises:
        DatasetError: The file is missing, or a column, row or value cannot be used (with its line).
        RecipeError: The separator is not one character, or the target is ignored.
    """
    if thousands is not None and thousands == decimal:
        raise RecipeError(f"{thousands!r} is also 'decimal'", setting="thousands", of="csv")
    dialect = (separator, decimal, thousands, encoding, header, day_first)
    table = read_table(path, Reading(*dialect, missing, missing_values, rare))
    by = split if isinstance(split, dict) else {}
    named = {"target": (target,), "text": () if text is None else (text,), "ignore": ignore}
    refuse_unknown(table, **named, split=(*by.values(),))
    if target in ignore:
        raise RecipeError(f"'{target}' is the target", setting="ignore", of="csv")
    absent = dict.fromkeys(ignore, "ignored") | {by.get("group"): "group of the split"}
    if text is not None:
        absent = dict.fromkeys(table.frame, f"beside the text '{text}'") | absent
        absent.pop(text)
    columns = _columns(table, {**absent, target: "target"}, text)
    used = [column for column in columns if column.kind != "left out"]
    if not used:
        told = "; ".join(f"'{one.name}': {one.said}" for one in columns if one.name != target)
        reason = f"no column is left to predict '{target}' from"
        raise DatasetError(f"{table.file}: {reason}{f' ({told})' * bool(told)}")
    goal = _target(table, target, task)
    drops = missing == "drop" or text is not None
    gaps = np.any([column.missing for column in used], axis=0) & drops
    rows, y, class_names = _usable(table, goal, gaps)
    fractions = (validation_fraction, test_fraction)
    if split == "content":
        parts = content_rows(_contents([*used, goal], rows), fractions, seed)
    else:
        parts = _parts(table, rows, y, by, fractions, seed)
    if text is None:
        encoded = [_encoded(column, rows[parts[0]], missing) for column in used]
    else:
        training = used[0].values[rows[parts[0]]]
        encoded = [text_encoding(text, training, tokens, vocabulary, length)]
    chosen = slice(None) if len(rows) == len(table.frame) else rows
    x = _encode([column.values[chosen] for column in used], encoded)
    names = tuple(name for column in encoded for name in _names(column))
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DatasetError(f"{table.file}: two features are named '{twice[0]}': rename a column")
    reading = {"header": bool(table.header), "rare": rare, "missing_values": missing_values}
    usual = {"mark": table.mark, "separator": separator, "encoding": encoding}
    reading |= {f"usual_{name}": value for name, value in usual.items() if value}
    how: dict[str, Any] = {"columns": encoded, "target": target, "reading": reading}
    if not class_names:
        is_plain = table.frame[target].dtype == "float64"
        how["unit"] = "" if is_plain else understand(table, target).detail[0]
    facts: dict[str, Any] = {"class_names": class_names, "feature_names": names}
    facts |= {"target_name": target, "encoding": how, "value_range": value_range(x)}
    facts["task"] = task_of(class_names) if class_names else "regression"
    facts["columns"] = report(table, [goal if one.name == target else one for one in columns])
    arrays = {name: (x[part], y[part]) for name, part in zip(PARTS, parts, strict=True)}
    return dataset_of(table.file.name.partition(".")[0], arrays, seed, fractions, **facts)


def overview(path: str, **settings: Any) -> Report:
    """Return one row per column of a file: what it is taken as, its gaps and its range.

    Args:
        path: Path of the file.
        **settings: Settings of `csv`, without a target.
    """
    given = checked_settings("csv", csv, {"path": path, "target": "", **settings})
    shared = given.keys() & Reading._fields
    table = read_table(path, Reading(**{name: given[name] for name in shared}))
    return report(table, _columns(table, dict.fromkeys(given["ignore"], "ignored")))


def encode_rows(path: str | Path, encoding: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """Return the rows of a table, encoded like the data set that `encoding` comes from.

    The columns may come in any order. The target and unknown columns are ignored. A warning names
    the rows that cannot be encoded, such as those with an unknown category; they are left out.

    Args:
        path: Path of a file like that of the data set.
        encoding: `Dataset.encoding`, also when it was read from JSON.

    Returns:
        `file:line` of each row, and float32, shape `(n, features)`.

    Raises:
        DatasetError: A column is missing, or no row can be encoded.
    """
    table = _new_table(path, encoding)
    lines, kept, x = _encoded_rows(table, encoding, {})
    return [lines[row] for row in kept], x


def labelled_rows(
    path: str | Path, facts: DataFacts, **dialect: Any
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return what `encode_rows` does, and the labels or targets `(n,)`.

    Rows without a target, or of an unknown class, are left out, too.

    Args:
        path: Path of a file like that of the data set.
        facts: Facts of the data set.
        **dialect: Settings of `csv` that say how the file is written.

    Raises:
        DatasetError: A column or the target is missing, or no row can be encoded.
    """
    encoding, faults = encoding_of(facts), {}
    table, name = _new_table(path, encoding, labelled=True, **dialect), encoding["target"]
    refuse_unknown(table, target=[name])
    for note in table.notes:
        if "left out" in note:
            warnings.warn(note, stacklevel=4)
    if facts.class_names:
        goal = {"name": name, "kind": "category", "categories": facts.class_names, "is": "class"}
        y = _read(_with_classes(table, name, facts.class_names), goal, faults)
    else:
        unit = encoding["unit"] if "unit" in encoding else understand(table, name).detail[0]
        y = _read(table, {"name": name, "kind": "number", "written": unit}, faults)
        y = as_float32(y.reshape(-1))
    lines, kept, x = _encoded_rows(table, encoding, faults)
    return [lines[row] for row in kept], x, y[kept]


def _with_classes(table: Table, name: str, classes: Sequence[str]) -> Table:
    """Return the table with the target written as the classes are: `1.0` as 1, TRUE as True."""
    folded, cells = {known.casefold(): known for known in classes}, cells_of(table.frame[name])

    def written(text: str) -> str:
        number = f"{value(one[1], table.mark or '.'):.15g}" if (one := amount(text)) else ""
        known = [form for form in (text, number) if form in classes]
        same = folded.get(text.casefold(), text) if len(folded) == len(classes) else text
        return [*known, same][0]

    column = np.array([*map(written, cells.texts)], dtype=object)[cells.codes]
    own = table.reading._replace(rare=None)
    return table._replace(frame=table.frame.assign(**{name: column}), reading=own)


def encoding_of(facts: DataFacts) -> Mapping[str, Any]:
    """Return how a table is encoded; without a record, as numbers with the features' names."""
    columns = [{"name": name, "kind": "number"} for name in facts.feature_names]
    return facts.encoding or {"columns": columns, "target": facts.target_name}


def _new_table(path: str | Path, encoding: Mapping[str, Any], **dialect: Any) -> Table:
    """Return the table of a file like that of the data set that `encoding` comes from."""
    reading = encoding.get("reading", {"header": True})  # without it: of an earlier version
    table = read_table(path, Reading(**{**reading, **dialect, "as_text": True}))
    refuse_unknown(table, columns=[column["name"] for column in encoding["columns"]])
    return table


def _encoded_rows(
    table: Table, encoding: Mapping[str, Any], faults: dict[int, str]
) -> tuple[list[str], list[int], np.ndarray]:
    """Return `file:line` of all rows, those without a fault, and their features; warn of others."""
    values = [_read(table, column, faults) for column in encoding["columns"]]
    rows = range(len(table.frame))
    kept, lines = [row for row in rows if row not in faults], table.lines([*rows])
    if faults:
        told = [f"{lines[row]}: {faults[row]}" for row in sorted(faults)[:NAMED]]
        if not kept:
            raise DatasetError(told[0])
        told += [f"and {len(faults) - NAMED} more"] * (len(faults) > NAMED)
        warnings.warn(f"rows without an answer: {'; '.join(told)}", stacklevel=5)
    return lines, kept, _encode([each[kept] for each in values], encoding["columns"])


def refuse_unknown(table: Table, **named: Sequence[str]) -> None:
    """Raise a DatasetError for a column that the table lacks; `named` are columns by setting."""
    for setting, columns in named.items():
        for column in columns:
            if column not in table.frame:
                known = [name for name in table.frame if name not in table.unnamed]
                reason = f"no column '{column}'{did_you_mean(column, known)}"
                raise DatasetError(reason, setting=setting, of=f"{table.file}:{table.header or 1}")


def _columns(table: Table, absent: dict[Any, str], text: str | None = None) -> list[Column]:
    """Return the columns in the file's order; those to leave out, with the reason."""
    columns, rows, missing = [], len(table.frame), table.reading.missing
    absent = dict.fromkeys(table.unnamed, "no name in the header") | absent
    for name in table.frame:
        if name in absent:
            columns.append(understood.left_out(name, rows, absent[name]))
            continue
        column = _text_column(table, name) if name == text else understand(table, name)
        if column.missing.any() and missing == "error":
            place = table.place(int(column.missing.argmax()), name)
            raise DatasetError(f"{place} is empty or a word for it: fill it, or set 'missing'")
        if column.missing.mean() > 0.5 and missing == "auto" and name != text:
            column = understood.left_out(name, rows, f"{column.missing.mean():.0%} missing")
        if understood.is_row_number(column):
            said = "rises with the row, and no value comes twice: an ID or a row number"
            _warn(table, f"'{name}' {said}? Put it under 'ignore'")
        else:
            _refuse_large(table, column)
        columns.append(column)
    return columns


def _text_column(table: Table, name: str) -> Column:
    """Return a column of texts; empty ones are missing, and texts too long are refused."""
    if table.frame[name].dtype == "float64":
        raise DatasetError(f"'{name}' holds numbers, not texts", setting="text", of=table.file.stem)
    cells = cells_of(table.frame[name])
    faults = np.array([fault_of(text) for text in cells.texts], object)[cells.codes]
    missing = faults == fault_of("")
    if (long := (faults != "") & ~missing).any():
        row = int(long.argmax())
        raise DatasetError(f"{table.place(row, name)} {faults[row]}")
    return Column(name, "text", np.array(cells.texts, object)[cells.codes], missing)


def _refuse_large(table: Table, column: Column) -> None:
    """Raise or warn where single precision cannot hold the numbers of a column."""
    values = column.values[:, 0] if column.kind == "number" else np.empty(0)
    if (endless := np.isinf(as_float32(values))).any():
        place = table.place(int(endless.argmax()), column.name)
        raise DatasetError(f"{place} is {values[endless][0]:g}: numbers up to 3e38 are expected")
    if (np.abs(values) > 1 << 24).any():  # whole numbers are exact up to here
        known = values[~np.isnan(values)]
        if len(np.unique(as_float32(known))) < 0.9 * len(np.unique(known)):
            said = "has different numbers that are equal in single precision: an ID"
            _warn(table, f"'{column.name}' {said}? Put it under 'ignore'. A date? Write 2024-01-31")


def _warn(table: Table, text: str) -> None:
    warnings.warn(as_given(f"{table.file}: {text}"), stacklevel=5)


def report(table: Table, columns: list[Column]) -> Report:
    """Return what the user sees of the columns before the training."""

    def row(one: Column) -> dict[str, str]:
        gaps = int(one.missing.sum())
        told = f"{gaps:,} ({gaps / len(one.missing):.1%})" if gaps else ""
        return {"column": one.name, "taken as": one.taken_as, "missing": told, "range": one.extent}

    return Report(map(row, columns), notes=table.notes)


def _target(table: Table, name: str, task: str | None) -> Column:
    """Return targets, or labels with the names of the classes as `detail`."""
    words = tuple(table.reading.words)
    own = {"missing": "drop", "missing_values": words, "rare": None, "most": len(table.frame)}
    column = understand(table._replace(reading=table.reading._replace(**own)), name)
    if column.kind == "number":
        known = np.unique(column.values[~column.missing])
        if task == "regression" or (task is None and not understood.are_classes(known)):
            said = f"number {column.said}".strip()
            return column._replace(kind="target", said=said, detail=())
        labels = np.searchsorted(known, column.values[:, 0])
        names = tuple(f"{number:.15g}" for number in known)
        hint = "" if task else " of whole numbers ('task: regression' predicts a number)"
    elif column.kind == "category" and task != "regression":
        labels, names, hint = column.values, column.detail, ""
    else:
        row = int(column.missing.argmin())
        needed = "numbers" if task == "regression" else "numbers or words"
        cell = table.frame[[name]].fillna("").iat[row, 0]
        raise DatasetError(f"{table.place(row, name)} is '{cell}': {needed} are expected")
    said = "; ".join(filter(None, [f"{len(names)} classes{hint}", column.said]))
    return Column(name, "target", labels, column.missing, said, some(names), names)


def _usable(
    table: Table, goal: Column, gaps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return the rows to learn from, their targets or labels, and the names of the classes.

    Rows without a target, with a gap, or of a class with fewer than three rows are counted.
    """
    names, gaps = goal.detail, gaps & ~goal.missing
    for out, why in ((goal.missing, f"without the target '{goal.name}'"), (gaps, "with a gap")):
        table.notes.extend([f"{out.sum():,} rows {why}: left out"] * bool(out.any()))
    rows = np.flatnonzero(~goal.missing & ~gaps)
    y = goal.values[rows].reshape(-1)
    if not names:
        return rows, as_float32(y), ()
    kept = np.bincount(y, minlength=len(names)) >= FEWEST
    if not 2 <= kept.sum() <= MOST_CATEGORIES:
        reason = f"{table.file}: the target '{goal.name}' has {len(names)} classes, {kept.sum()} "
        reason += f"of them with {FEWEST} rows or more; 2 to {MOST_CATEGORIES} such classes are "
        reason += "expected: set task: regression, or choose another target"
        raise DatasetError(reason)
    if few := [name for name, keep in zip(names, kept, strict=True) if not keep]:
        table.notes.append(f"classes of fewer than {FEWEST} rows: {len(few)} left out: {some(few)}")
    names = tuple(name for name in names if name not in few)
    return rows[kept[y]], (np.cumsum(kept) - 1)[y[kept[y]]], names


def _parts(
    table: Table, rows: np.ndarray, y: np.ndarray, by: Mapping[Any, str], fractions: Any, seed: int
) -> Rows:
    """Return the positions in `rows` of train, val and test."""
    try:
        if "time" in by:
            return time_rows(times(table, by["time"], rows), fractions)
        groups = table.frame[by["group"]].iloc[rows] if by else None
        if groups is not None and groups.isna().any():
            place = table.place(int(rows[groups.isna().argmax()]), by["group"])
            raise DatasetError(f"{place} is empty: each row needs its group")
        if groups is not None and groups.dtype == object:
            groups = groups.str.strip()
        return drawn_rows(y, fractions, seed, None if groups is None else groups.to_numpy())
    except DatasetError as error:
        raise DatasetError(
            error.reason, setting=error.setting or "split", of=table.file.stem
        ) from None


def _contents(columns: list[Column], rows: np.ndarray) -> "pd.DataFrame":
    """Return the values of rows: numbers as numbers, categories and classes by name."""
    frame = {}
    for column in columns:
        values = column.values[rows].reshape(len(rows), -1)
        for number, each in enumerate(values.T):
            named = column.kind in ("category", "target") and column.detail
            frame[column.name, number] = np.array(column.detail, object)[each] if named else each
    return pd.DataFrame(frame)


def _encoded(column: Column, training: np.ndarray, missing: str) -> dict[str, Any]:
    """Return how a column is encoded, as values that JSON can hold."""
    known: dict[str, Any] = {"name": column.name, "kind": column.kind}
    if column.kind == "category":
        return {**known, "categories": list(column.detail)}
    known["written"], values = column.detail[0], column.values[training]
    if missing == "auto":
        gaps = np.isnan(values[:, 0])
        medians = np.zeros(values.shape[1]) if gaps.all() else np.median(values[~gaps], axis=0)
        known |= {"medians": medians.tolist(), "flag": bool(gaps.any())}
    return known


def _names(known: Mapping[str, Any]) -> list[str]:
    """Return the names of the features of a column."""
    name, kind = known["name"], known["kind"]
    if kind == "text":
        return []
    if kind == "category":
        return [f"{name}={value}" for value in known["categories"]]
    parts = ("year", "month", "weekday") if kind == "date" else ()
    names = [f"{name} {part}" for part in parts] or [name]
    return names + [f"{name} was missing"] * known.get("flag", False)


def _encode(columns: list[np.ndarray], known: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return the features `(n, features)` of the columns' values, see `Column.values`."""
    return np.hstack([_features(*pair) for pair in zip(columns, known, strict=True)])


def _features(values: np.ndarray, known: Mapping[str, Any]) -> np.ndarray:
    if known["kind"] == "text":
        return encode_texts(values, known)
    if known["kind"] == "category":
        return np.eye(len(known["categories"]), dtype="float32")[values]
    x, gaps = as_float32(values), np.isnan(values[:, 0])
    if gaps.any():
        x[gaps] = known["medians"]
    return np.c_[x, gaps.astype("float32")] if known.get("flag") else x


def _read(table: Table, known: Mapping[str, Any], faults: dict[int, str]) -> np.ndarray:
    """Return the values of a column that is encoded already; add what is wrong with rows."""
    name, kind, words = known["name"], known["kind"], table.reading.words
    cells, expected = cells_of(table.frame[name]), f"a {kind} is expected"
    if kind == "text":
        for row, text in enumerate(texts := np.array(cells.texts, object)[cells.codes]):
            if fault := fault_of(text):
                faults.setdefault(row, f"column '{name}' {fault}")
        return texts
    if kind == "category":
        code = {category: index for index, category in enumerate(known["categories"])}
        words = words - code.keys() if table.reading.missing_values is None else words
        other = code[OTHER] if table.reading.rare else -1
        texts = cells.without(words).texts
        values = np.array([code.get(text or MISSING, other) for text in texts])
        bad = values < 0
    else:
        shown, written = cells.without(words), known.get("written", "")
        if kind == "date":
            values = understood.parts_of_dates(shown, written)
        else:
            values = understood.numbers_of(table, name, shown, written)
        finite = np.isfinite(as_float32(values[:, 0]))
        bad = ~finite & ~(shown.empty & ("medians" in known))
    for position in np.flatnonzero(bad):
        text = cells.texts[position]
        if kind == "category":
            what = known.get("is", "category")
            expected = f"an unknown {what}{did_you_mean(text, list(known['categories']))}"
        reason = f"is '{text}': {expected}" if text else "is empty: fill it"
        for row in np.flatnonzero(cells.codes == position).tolist():
            faults.setdefault(row, " ".join(f"column '{name}' {reason}".split()))
    return values[cells.codes]
