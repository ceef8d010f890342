"""The user's own time series: a table with one row per step of time, cut into windows.

A window predicts the first column some steps later. The series is divided into stretches before it
is cut, so that no window sees the stretch of another split.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets import dataset as record
from dlcourse.datasets.amounts import amount
from dlcourse.datasets.columns import Column, cells_of, is_row_number, numbers, times
from dlcourse.datasets.csv import refuse_unknown, report
from dlcourse.datasets.paths import shipped_file
from dlcourse.datasets.splits import time_rows
from dlcourse.datasets.table import Reading, Table, read_table
from dlcourse.errors import DatasetError, RecipeError
from dlcourse.heavy import pd
from dlcourse.schema import Fraction, Positive, Word

SHIPPED = ("sunspots", "co2")  # CSV files of the package statsmodels
EVEN = 0.1  # of a step, by which it may differ from the usual one, as months do


def series(
    seed: int | None = 0,
    *,
    path: str,
    columns: tuple[Word, ...] | None = None,
    window: Positive = 24,
    horizon: Positive = 1,
    step: Positive = 1,
    time: Word | None = None,
    gaps: Literal["error", "hold"] = "error",
    season: Positive | None = None,
    missing_values: tuple[Word, ...] | None = None,
    separator: str | None = None,
    decimal: Literal[".", ","] | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    day_first: bool | None = None,
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
) -> record.Dataset:
    """Return windows of a time series `(n, window, features)`, with a later value to predict.

    The splits are stretches of the series, in the order of time: the end is the test. A window and
    its target lie in one stretch.

    Args:
        seed: Seed of the training; it does not change the data.
        path: Path of a CSV file or Excel workbook, as for `csv`; or `sunspots` (yearly, 1700 to
            2008) or `co2` (weekly, 1958 to 2001, with gaps), which the package statsmodels holds.
        columns: Names of the columns of a window; the first one is predicted. Null takes all but
            `time`.
        window: Number of steps that the model sees.
        horizon: Number of steps from the last step of a window to its target.
        step: Number of steps between the starts of two windows.
        time: Name of the column of dates or numbers, which must rise evenly (months and years may
            differ in length); null takes the rows as even steps.
        gaps: Treatment of missing values and times: `error` refuses them, and `hold` repeats the
            last known value.
        season: Number of steps of a season, such as 12 months: the value one season before the
            target is then a naive forecast, which the model has to beat.
        missing_values: Cells that mean missing, besides empty ones, such as -99.99. Null takes the
            usual words (`NA`, `nan`, `None`, `-`, `?`, …).
        separator: Character between the values, such as `;` or `\\t`; null finds it.
        decimal: Decimal mark; null finds it.
        encoding: Encoding of the text, such as `cp1252`; null finds it.
        header: First row as names of the columns (true), or as data of columns `1`, `2`, …
            (false); null takes it as names unless it looks like data.
        day_first: Order of dates such as 03/04/2024: day first (true) or month first (false); null
            finds it.
        validation_fraction: Share of the steps before the test to set aside for validation.
        test_fraction: Share of all steps to set aside for the test.

    Raises:
        DatasetError: The file is missing, a value or time cannot be used (with its line), or a
            stretch is too short for two windows; or a column is listed twice.
        RecipeError: The season does not lie in the window.
    """
    if season is not None and not horizon <= season < window + horizon:
        reason = f"{horizon} to {window + horizon - 1} steps lie in the window, got {season}"
        cure = f": set a window of {season + 1 - horizon} or more" * (season > horizon)
        raise RecipeError(reason + cure, setting="season", of="series")
    known: dict[str, Any] = {"columns": columns, "window": window, "horizon": horizon, "step": step}
    known |= {"season": season, "time": time, "gaps": gaps}
    dialect = {"missing_values": missing_values, "separator": separator, "decimal": decimal}
    dialect |= {"encoding": encoding, "header": header, "day_first": day_first}
    known |= {setting: value for setting, value in dialect.items() if value is not None}
    table, used, _, values = _read(path, known)
    names = tuple(column.name for column in used)
    every, fractions = np.arange(len(values)), (validation_fraction, test_fraction)
    parts: dict[str, record.Examples] = {}
    stretches = (every,) if seed is None else time_rows(every, fractions)
    for part, rows in zip(record.PARTS, stretches, strict=False):
        if len(rows) < (least := window + horizon + step):
            reason = f"the {part} split has {len(rows)} of {len(values)} steps"
            reason += f", but two windows need {least}: set a smaller window or another fraction"
            raise DatasetError(f"{table.file}: {reason}")
        parts[part] = _windows(values[rows], window, horizon, step)
    facts = {"value_range": record.value_range(parts["train"][0]), "feature_names": names}
    facts["target_name"] = f"{names[0]}, {horizon} step{'s' * (horizon > 1)} ahead"
    facts["encoding"] = {"series": {**known, "columns": [*names]}}
    name, columns_seen = table.file.name.partition(".")[0], report(table, used)
    how: Any = {"task": "regression", "columns": columns_seen, **facts}
    return record.dataset_of(name, parts, seed, fractions, **how)


def every_window(path: str | Path, encoding: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """Return all windows of a file like that of the data set; the last one forecasts the future.

    Args:
        path: Path of the file.
        encoding: `Dataset.encoding`, also when it was read from JSON.

    Returns:
        `file:line` of the last row of each window, and float32, shape `(n, window, features)`.

    Raises:
        DatasetError: A column is missing, a value or time cannot be used, or the file is too short.
    """
    table, _, steps, values = _read(str(path), encoding["series"])
    if len(values) < (window := encoding["series"]["window"]):
        raise DatasetError(f"{table.file}: has {len(values)} steps, but a window has {window}")
    x, _ = _windows(values, window, 0, 1)
    rows = np.searchsorted(steps, np.arange(window - 1, len(values)), side="right") - 1
    return table.lines(rows.tolist()), x


def naive_forecasts(x: np.ndarray, encoding: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return what is forecast without a model: `as now` and, with a season, `as one season ago`.

    Args:
        x: Windows `(n, window, features)`.
        encoding: `Dataset.encoding`, also when it was read from JSON.

    Returns:
        Forecasts of the first column `(n,)`.
    """
    known = encoding["series"]
    forecasts = {"as now": x[:, -1, 0]}
    if known["season"]:
        forecasts["as one season ago"] = x[:, known["horizon"] - known["season"] - 1, 0]
    return forecasts


def series_file(path: str) -> Path:
    """Return the file of `path`; a name in `SHIPPED` without a file is one of statsmodels'."""
    file = Path(path).expanduser()
    if path not in SHIPPED or file.exists():
        return file
    return shipped_file("statsmodels", f"datasets/{path}/{path}.csv", "series")


def _read(
    path: str, known: Mapping[str, Any]
) -> tuple[Table, list[Column], np.ndarray, np.ndarray]:
    """Return a file's table, its columns, the step of each row, and the values of all steps."""
    dialect = {setting: known[setting] for setting in Reading._fields if setting in known}
    table, time = read_table(series_file(path), Reading(**dialect, as_text=True)), known["time"]
    _refuse_blank(table)
    rest = tuple(name for name in table.frame if name not in (time, *table.unnamed))
    names = known["columns"] or rest
    refuse_unknown(table, columns=names, time=() if time is None else (time,))
    if not names or len({*names}) < len(names):
        raise DatasetError(f"{table.file}: one or more different columns are expected")
    used = [_numbers(table, name, guessed=not known["columns"]) for name in names]
    steps = _steps(table, time, known)
    return table, used, steps, record.as_float32(_filled(table, used, steps, known["gaps"]))


def _refuse_blank(table: Table) -> None:
    """Raise a DatasetError for an empty line between the values of a file with one column."""
    head = re.match(rb"(?:.*\n){%d}\s*" % table.header, table.data)
    blank = re.compile(rb"\n[ \t]*(?=\n\s*\S)").search(table.data, head.end() if head else 0)
    if blank and len(table.frame.columns) == 1:
        place = f"{table.file}:{table.data.count(10, 0, blank.start()) + 2}"
        raise DatasetError(f"{place} is empty: delete the line, or write NA for a missing value")


def _numbers(table: Table, name: str, *, guessed: bool) -> Column:
    """Return a column of numbers; one that the user did not name must not look like the time."""
    cells = cells_of(table.frame[name]).without(table.reading.words)
    column = numbers(table, name, cells)
    cure = f"is '{name}' the time? Set 'time', or name the columns to use under 'columns'"
    if column is None:
        bad = np.array([bool(text) and amount(text) is None for text in cells.texts])[cells.codes]
        cell = cells.texts[cells.codes[row := int(bad.argmax())]]
        reason = f"{table.place(row, name)} is '{cell}': a number is expected"
        raise DatasetError(f"{reason}; {cure}" if guessed else reason)
    if guessed and is_row_number(column):
        raise DatasetError(f"{table.file}: column '{name}' rises with each row: {cure}")
    return column


def _times(table: Table, name: str) -> np.ndarray:
    """Return the times of all rows as numbers, also of dates like 20240131, 2024-01, Jan 2024."""
    texts = table.frame[name].fillna("").str.strip()
    iso = bool(texts.str.fullmatch(r"\d{8}|\d{4}-\d\d").all())
    for form in ("ISO8601", "%b %Y", "%B %Y")[not iso :]:
        days = pd.to_datetime(texts, format=form, errors="coerce")
        if days.notna().all():
            return days.astype("int64").to_numpy()
    return times(table, name, np.arange(len(texts)))


def _steps(table: Table, name: str | None, known: Any) -> np.ndarray:
    """Return the step of each row, from 0; without `time`, or without gaps, they count the rows.

    The length of a step is noted in `known`, or is that which is known.
    """
    if name is None or len(table.frame) < 2:
        return np.arange(len(table.frame))
    rises = np.diff(_times(table, name).astype("float64"))
    _refuse(table, name, rises <= 0, "times rise: sort the rows, or delete the repeated one")
    near = np.abs(rises / np.median(rises) - 1) <= EVEN
    shares = rises / (usual := rises[near].mean())
    if abs(usual / known.setdefault("length", usual) - 1) > EVEN:
        times = usual / known["length"]
        raise DatasetError(
            f"{table.file}: a step of '{name}' is {times:.3g} of the run's own steps"
        )
    steps = np.rint(shares)
    uneven = (np.abs(shares - steps) > EVEN * steps) | (np.cumsum(steps) > 2 * len(steps))
    alone = "or leave out 'time' to take the rows as even steps"
    _refuse(table, name, uneven, f"the usual step is another: correct the time, {alone}")
    if known["gaps"] == "error":
        cure = "add the rows, set gaps: hold,"
        _refuse(table, name, steps > 1, f"the times between are missing: {cure} {alone}")
    return np.cumsum([0, *steps]).astype(int)


def _refuse(table: Table, name: str, bad: np.ndarray, reason: str) -> None:
    """Raise a DatasetError with the first place where `bad[row]` holds of a row and the next."""
    if bad.any():
        row = int(bad.argmax())
        before, text = (str(cell).strip() for cell in table.frame[name].iloc[row : row + 2])
        where = f"{table.place(row + 1, name)} is '{text}', after '{before}'"
        raise DatasetError(f"{where}: {reason}")


def _filled(table: Table, used: list[Column], steps: np.ndarray, gaps: str) -> np.ndarray:
    """Return the values `(steps, columns)`; a gap holds the last known value."""
    rows = np.hstack([column.values for column in used])
    empty, holds = np.isnan(rows), gaps == "hold"
    for row, number in np.argwhere(empty[:1] if holds else empty).tolist():
        cure = "delete the rows above the first value" if holds else "set gaps: hold"
        place = table.place(row, used[number].name)
        raise DatasetError(f"{place} is missing: fill it, or {cure}")
    values = pd.DataFrame(rows, index=steps).reindex(range(steps[-1] + 1)).ffill().to_numpy()
    counts = {"values": int(empty.sum()), "times": len(values) - len(rows)}
    said = [f"{count:,} missing {what}" for what, count in counts.items() if count]
    table.notes.extend([f"{' and '.join(said)}: the last known value is held"] * bool(said))
    return values


def _windows(values: np.ndarray, window: int, horizon: int, step: int) -> record.Examples:
    """Return the windows of a stretch and, for each, the first column `horizon` steps later."""
    cut = np.lib.stride_tricks.sliding_window_view(values, window + horizon, axis=0)[::step]
    return np.ascontiguousarray(np.moveaxis(cut[..., :window], 1, 2)), cut[:, 0, -1].copy()
