"""What an exported model takes and answers, by name, and a table's own columns as its inputs."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from dlcourse.datasets.columns import MISSING
from dlcourse.datasets.dataset import PADDING
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.text import WORD
from dlcourse.heavy import keras, ops

DATE = ("year", "month", "weekday")
NUMBER, FLAG = -1, -2  # features that are not a category's


def names(facts: DataFacts, *, padded: bool = False) -> dict[str, Any]:
    """Return the names of the inputs and of the classes, as values that JSON can hold.

    A category is given by its position in `categories`, a missing value is NaN. A token of a text
    is a match of `pattern` (as in Python) in lower case, given by its position in `vocabulary`: 0
    after the end, 1 if it is not there.

    Args:
        facts: Facts of the data.
        padded: Whether the model masks the steps after a sequence's end, which hold `padding`.
    """
    inputs: list[Any] = [{"name": name} for name in facts.feature_names]
    if columns := facts.encoding.get("columns"):
        inputs = [one for column in columns for one in _inputs(column)]
    if facts.inputs == "images":
        inputs = [{"name": "image", "shape": facts.input_shape, "range": facts.value_range}]
    if facts.inputs == "sequences":
        sequence = {"name": "sequence", "shape": facts.input_shape, "features": facts.feature_names}
        inputs = [sequence | ({"padding": PADDING} if padded else {})]
    return {"inputs": inputs, "target": facts.target_name, "classes": facts.class_names}


def _inputs(column: Mapping[str, Any]) -> list[dict[str, Any]]:
    if column["kind"] == "category":
        return [{"name": column["name"], "categories": column["categories"]}]
    if column["kind"] == "text":
        pattern = WORD.pattern if column["tokens"] == "words" else r"[\s\S]"
        return [{**column, "pattern": pattern}]
    parts = [f" {part}" for part in DATE] if column["kind"] == "date" else [""]
    return [{"name": column["name"] + part} for part in parts]


def with_columns(
    model: Any, x: np.ndarray, columns: Sequence[Mapping[str, Any]]
) -> tuple[Any, np.ndarray]:
    """Return a model of the table's columns, encoded as `csv` does, and these columns of `x`.

    Args:
        model: Model of encoded rows.
        x: Encoded rows, `(n, features)`.
        columns: Columns of `Dataset.encoding`.
    """
    source: list[int] = []  # the input of each feature
    code: list[int] = []
    fill: list[float] = []
    start = 0
    for column in columns:
        width, known = len(_inputs(column)), len(column.get("categories", ()))
        own = [start + k for k in range(width)] if not known else [start] * known
        flag = bool(column.get("flag"))
        source += own + [start] * flag
        code += [*range(known)] if known else [NUMBER] * width
        code += [FLAG] * flag
        categories = [*column.get("categories", ())]
        gap = categories.index(MISSING) if MISSING in categories else -1.0 if known else np.nan
        fill += [*column.get("medians", [gap] * len(own))] + [0.0] * flag
        start += width
    raw = np.zeros((len(x), start), "float32")
    for feature, (place, kind) in enumerate(zip(source, code, strict=True)):
        if kind == NUMBER:
            raw[:, place] = x[:, feature]
        else:
            raw[x[:, feature] > 0, place] = np.nan if kind == FLAG else kind
    inputs = keras.Input((start,))
    return keras.Model(inputs, model(raw_columns()(source, code, fill)(inputs))), raw


@cache
def raw_columns() -> Any:
    """Return the layer class `RawColumns(source, code, fill)`."""

    @keras.saving.register_keras_serializable("dlcourse")
    class RawColumns(keras.Layer):
        """Encodes columns `(n, columns)` as features `(n, features)`: numbers, flags, categories.

        Args:
            source: Column of each feature.
            code: Category that the feature is 1 for; `NUMBER`; or `FLAG`, 1 for a missing value.
            fill: Value of the feature where a number is missing, or the category of a missing word.
        """

        def __init__(self, source: Any, code: Any, fill: Any, **options: Any):
            super().__init__(**options)
            self.settings = {"source": source, "code": code, "fill": fill}

        def call(self, columns: Any) -> Any:
            # One more feature, filled with NaN: only then does tf2onnx choose. Otherwise it adds
            # products with 0, and 0 · NaN is NaN.
            code, source = np.array(self.settings["code"], "float32"), self.settings["source"]
            fill = np.array([*self.settings["fill"], np.nan], "float32")
            values: Any = ops.take(columns, np.array([*source, 0], "int32"), axis=1)
            missing: Any = ops.cast(ops.isnan(values), "float32")
            filled: Any = ops.where(missing > 0, fill, values)
            numbers = filled[:, :-1]
            values, missing, fill = values[:, :-1], missing[:, :-1], fill[:-1]
            numbers = ops.where(code == FLAG, missing, numbers)
            named = ops.cast(ops.equal(values, code), "float32")
            return ops.where(code >= 0, named + missing * (fill == code), numbers)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **self.settings}

    return RawColumns
