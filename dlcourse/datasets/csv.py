"""The user's own table: a CSV file of numbers and categories with a target column.

Numbers stay as they are; the model standardises them. A category is one-hot encoded: one column per
value, named `colour=red`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcourse.datasets.dataset import (
    Dataset,
    dataset_of,
    task_of,
    value_range,
)
from dlcourse.datasets.table import Table, is_numeric, parsed_number, read_table, refuse_empty
from dlcourse.errors import DatasetError, RecipeError
from dlcourse.schema import Fraction, did_you_mean

MOST_CATEGORIES = 100
MOST_INTEGER_CLASSES = 20


def csv(
    seed: int = 0,
    *,
    path: str,
    target: str,
    task: Literal["classification", "regression"] | None = None,
    ignore: tuple[str, ...] = (),
    separator: str = ",",
    validation_fraction: Fraction = 0.15,
    test_fraction: Fraction = 0.2,
) -> Dataset:
    """Return the rows of a CSV file, with `target` to predict from the other columns.

    Args:
        seed: Seed of the validation split.
        path: Path of a UTF-8 file with a header line, relative to the current folder; `~` expands.
        target: Name of the column to predict.
        task: Kind of target; null takes `classification` for text or at most 20 different integers,
            otherwise `regression`.
        ignore: Names of the columns to leave out, such as an identifier.
        separator: Character between the values.
        validation_fraction: Share of the training rows set aside for validation.
        test_fraction: Share of all rows set aside for the test, the same rows for every seed.

    Raises:
        DatasetError: The file is missing, or a column, row or value cannot be used (with its line).
        RecipeError: The separator is not one character, or the target is ignored.
    """
    table = read_table(path, separator)
    features = _feature_columns(table, target, ignore)
    y, class_names = _target(table, target, task)
    encoding = {
        "columns": [_column(table, column) for column in features],
        "target": target,
        "separator": separator,
    }
    x = _encode(table, encoding)
    return dataset_of(
        table.file.stem,
        {"train": (x, y)},
        seed,
        (validation_fraction, test_fraction),
        task=task_of(class_names) if class_names else "regression",
        value_range=value_range(x),
        class_names=class_names,
        feature_names=_names(encoding),
        target_name=target,
        encoding=encoding,
    )


def encode_rows(path: str | Path, encoding: Mapping[str, Any]) -> np.ndarray:
    """Return the rows of a CSV file, encoded like the data set that `encoding` comes from.

    The columns may come in any order. The target and unknown columns are ignored.

    Args:
        path: Path of a UTF-8 file with a header line.
        encoding: `Dataset.encoding`, also when it was read from JSON.

    Returns:
        float32, shape `(n, features)`.

    Raises:
        DatasetError: A column is missing, a value is empty or is not a number, or a category is
            unknown.
    """
    table = read_table(path, encoding["separator"])
    for column in encoding["columns"]:
        if column["name"] not in table.columns:
            raise DatasetError(
                f"{table.file}:1: no column '{column['name']}'"
                f"{did_you_mean(column['name'], table.columns)}"
            )
    return _encode(table, encoding)


def _feature_columns(table: Table, target: str, ignore: tuple[str, ...]) -> list[str]:
    for setting, column in (("target", target), *(("ignore", column) for column in ignore)):
        if column not in table.columns:
            hint = did_you_mean(column, table.columns)
            reason = f"no column '{column}'{hint}"
            raise DatasetError(reason, setting=setting, of=f"{table.file}:1")
    if target in ignore:
        raise RecipeError(f"'{target}' is the target", setting="ignore", of="csv")
    features = [name for name in table.columns if name != target and name not in ignore]
    if not features:
        raise DatasetError(f"{table.file}:1: no column is left to predict '{target}' from")
    return features


def _column(table: Table, column: str) -> dict[str, Any]:
    cells = table.cells(column)
    refuse_empty(table, column, cells)
    if is_numeric(table, column, cells):
        return {"name": column, "kind": "number"}
    categories = sorted(set(cells))
    if len(categories) > MOST_CATEGORIES:
        raise DatasetError(
            f"{table.file}: column '{column}' has {len(categories)} categories, more than "
            f"{MOST_CATEGORIES}: put it under 'ignore' if it is an identifier or free text"
        )
    return {"name": column, "kind": "category", "categories": categories}


def _target(table: Table, target: str, task: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels and class names, or float32 targets and no names."""
    cells = table.cells(target)
    refuse_empty(table, target, cells)
    if len(set(cells)) == 1:
        raise DatasetError(
            f"{table.file}: the target '{target}' is '{cells[0]}' in every row: nothing to learn"
        )
    numbers = [value for cell in cells if (value := parsed_number(cell)) is not None]
    if (task or _task(table, target, cells)) == "regression":
        if len(numbers) < len(cells):
            row = next(row for row, cell in enumerate(cells) if parsed_number(cell) is None)
            raise DatasetError(
                f"{table.place(row, target)} is '{cells[row]}': regression needs numbers"
            )
        return _float32(numbers), ()
    if len(numbers) == len(cells) and all(map(float.is_integer, numbers)):
        cells = [str(int(value)) for value in numbers]  # '1', '1.0' and '01' are one class
    return _labels(table, target, cells)


def _task(table: Table, target: str, cells: list[str]) -> str:
    if not is_numeric(table, target, cells):
        return "classification"
    values = set(map(float, cells))
    few = len(values) <= MOST_INTEGER_CLASSES and all(map(float.is_integer, values))
    return "classification" if few else "regression"


def _labels(table: Table, target: str, cells: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    names = sorted(set(cells), key=lambda cell: (parsed_number(cell) or 0.0, cell))
    if len(names) > MOST_CATEGORIES:
        raise DatasetError(
            f"{table.file}: the target '{target}' has {len(names)} classes, more than "
            f"{MOST_CATEGORIES}: is the task 'regression', or another column the target?"
        )
    label = {name: index for index, name in enumerate(names)}
    return np.array([label[cell] for cell in cells], dtype="int64"), tuple(names)


def _names(encoding: Mapping[str, Any]) -> tuple[str, ...]:
    names = []
    for column in encoding["columns"]:
        name = column["name"]
        names += [f"{name}={value}" for value in column.get("categories", ())] or [name]
    return tuple(names)


def _encode(table: Table, encoding: Mapping[str, Any]) -> np.ndarray:
    x = np.zeros((len(table.rows), len(_names(encoding))), dtype="float32")
    start = 0
    for column in encoding["columns"]:
        name = column["name"]
        cells = table.cells(name)
        refuse_empty(table, name, cells)
        if column["kind"] == "number":
            x[:, start] = _float32([_require_number(table, row, name) for row in range(len(cells))])
            start += 1
        else:
            x[np.arange(len(cells)), start + _codes(table, column)] = 1
            start += len(column["categories"])
    return x


def _float32(numbers: list[float]) -> np.ndarray:
    with np.errstate(over="ignore"):  # overflow gives inf, which `check` reports with its example
        return np.array(numbers).astype("float32")


def _require_number(table: Table, row: int, column: str) -> float:
    cell = table.rows[row][table.columns.index(column)]
    value = parsed_number(cell)
    if value is None:
        raise DatasetError(f"{table.place(row, column)} is '{cell}': a number is expected")
    return value


def _codes(table: Table, column: Mapping[str, Any]) -> np.ndarray:
    code = {category: index for index, category in enumerate(column["categories"])}
    cells = table.cells(column["name"])
    for row, cell in enumerate(cells):
        if cell not in code:
            raise DatasetError(
                f"{table.place(row, column['name'])}: unknown category '{cell}'"
                f"{did_you_mean(cell, list(code))}"
            )
    return np.array([code[cell] for cell in cells], dtype="int64")
