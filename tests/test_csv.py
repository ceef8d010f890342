"""The user's own table."""

import json
import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from dlcourse.datasets import load_dataset
from dlcourse.datasets.csv import encode_rows
from dlcourse.datasets.table import parsed_number
from dlcourse.errors import DatasetError, RecipeError

COLOURS = ["red", "green", "blue"]
ROWS = [(i, COLOURS[i % 3], i * 0.5, "yes" if i % 2 else "no") for i in range(60)]
TABLE = "age,colour,width,buys\n" + "".join(f"{a},{c},{w},{b}\n" for a, c, w, b in ROWS)


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, encoding="utf-8"):
        (tmp_path / "own.csv").write_bytes(text.encode(encoding))
        return "own.csv"

    return write


def every_row(data):
    return np.concatenate([np.c_[x, y] for x, y in data.splits.values()])


def test_numbers_and_categories_worked_by_hand(write):
    data = load_dataset("csv", path=write(TABLE), target="buys")
    assert data.feature_names == ("age", "colour=blue", "colour=green", "colour=red", "width")
    assert (data.task, data.class_names, data.target_name) == ("binary", ("no", "yes"), "buys")
    rows = every_row(data)
    assert data.x_train.dtype == "float32"
    np.testing.assert_array_equal(rows[rows[:, 0] == 4], [[4, 0, 1, 0, 2.0, 0]])
    np.testing.assert_array_equal(rows[rows[:, 0] == 5], [[5, 1, 0, 0, 2.5, 1]])
    assert [len(y) for _, y in data.splits.values()] == [40, 8, 12]


def test_one_hot_columns_agree_with_scikit_learn(write):
    x = encode_rows(write(TABLE), load_dataset("csv", path=write(TABLE), target="buys").encoding)
    expected = OneHotEncoder().fit_transform([[row[1]] for row in ROWS])
    np.testing.assert_array_equal(x[:, 1:4], np.asarray(expected.todense()))


@pytest.mark.parametrize(
    ("target", "task"), [("buys", "binary"), ("colour", "multiclass"), ("age", "regression")]
)
def test_the_column_decides_the_task(write, target, task):
    data = load_dataset("csv", path=write(TABLE), target=target)
    assert data.task == task
    assert data.y_train.dtype == ("float32" if task == "regression" else "int64")


def test_few_integers_are_classes_in_the_order_of_their_value(write):
    text = "a,b\n" + "".join(f"{i},{(i % 3) * 5}\n" for i in range(60))
    assert load_dataset("csv", path=write(text), target="b").class_names == ("0", "5", "10")
    assert load_dataset("csv", path=write(text), target="b", task="regression").class_names == ()


def test_byte_order_mark_quotes_spaces_separator_and_line_ends(write):
    text = "a; b ;c\r\n" + "".join(f'{i}; "x;\ny";{"pq"[i % 2]} \r\n' for i in range(30))
    data = load_dataset("csv", path=write(text, "utf-8-sig"), target="c", separator=";")
    assert data.feature_names == ("a", "b=x;\ny")


def test_ignored_columns_are_left_out(write):
    data = load_dataset("csv", path=write(TABLE), target="buys", ignore=["colour", "age"])
    assert data.feature_names == ("width",)


def test_new_rows_are_encoded_as_the_training_rows_after_a_journey_through_json(write):
    data = load_dataset("csv", path=write(TABLE), target="buys")
    encoding = json.loads(json.dumps(data.encoding))
    x = encode_rows(write("extra,width,colour,age\n?,1.5,red,7\n,2,blue,8\n"), encoding)
    np.testing.assert_array_equal(x, [[7, 0, 0, 1, 1.5], [8, 1, 0, 0, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width,colour\n1,red\n", "own.csv:1: no column 'age' (known: width, colour)"),
        ("age,width,color\n1,1,red\n", "no column 'colour' (did you mean 'color'?)"),
        (
            "age,width,colour\n1,1,red\n1,1,rad\n",
            "own.csv:3: column 'colour': unknown category 'rad' (did you mean 'red'?)",
        ),
        ("age,width,colour\nten,1,red\n", "own.csv:2: column 'age' is 'ten': a number is expected"),
        ("age,width,colour\n,1,red\n", "own.csv:2: column 'age' is empty"),
    ],
)
def test_new_rows_that_do_not_fit_are_named(write, text, message):
    encoding = load_dataset("csv", path=write(TABLE), target="buys").encoding
    with pytest.raises(DatasetError) as error:
        encode_rows(write(text), encoding)
    assert message in str(error.value)


@given(st.text(string.printable, max_size=8))
def test_number_is_float_without_its_surprises(cell):
    try:
        expected = float(cell)
    except ValueError:
        expected = None
    if expected is None or "_" in cell or not math.isfinite(expected):
        assert parsed_number(cell) is None
    else:
        assert parsed_number(cell) == expected


def replaced(old, new):
    return TABLE.replace(old, new, 1)


LONG = "id,b\n" + "".join(f"k{i},{i % 2}\n" for i in range(101))


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "own.csv: the file is empty"),
        ("age,buys\n", {}, "own.csv: no rows below the header"),
        (TABLE, {"target": "buy"}, "own.csv:1: target: no column 'buy' (did you mean 'buys'?)"),
        (TABLE, {"ignore": ["colur"]}, "ignore: no column 'colur' (did you mean 'colour'?)"),
        (
            TABLE,
            {"ignore": ["age", "colour", "width"]},
            "own.csv:1: no column is left to predict 'buys' from",
        ),
        (
            replaced("3,red,1.5,yes", "3,red,yes"),
            {},
            "own.csv:5: 3 values, but the header names 4 columns",
        ),
        (replaced("3,red,1.5,yes", ",red,1.5,yes"), {}, "own.csv:5: column 'age' is empty: fill"),
        (replaced("3,red,1.5,yes", "3,red,1.5,"), {}, "own.csv:5: column 'buys' is empty: fill"),
        (
            replaced("3,red,1.5,yes", "n/a,red,1.5,yes"),
            {},
            "own.csv:5: column 'age' is 'n/a', but 59 of 60 values are numbers",
        ),
        (replaced("3,red,1.5,yes", "nan,red,1.5,yes"), {}, "own.csv:5: column 'age' is 'nan'"),
        (replaced("3,red,1.5,yes", '3,"red"x,1.5,yes'), {}, "own.csv:5: not a row of a CSV file"),
        (replaced("3,red,1.5,yes", '3,"red,1.5,yes'), {}, "own.csv:5: not a row of a CSV file"),
        (replaced("width", "age"), {}, "own.csv:1: two columns are named 'age': rename one"),
        (replaced("width", ""), {}, "own.csv:1: column 3 has no name"),
        (TABLE.replace("yes", "no"), {}, "the target 'buys' is 'no' in every row"),
        (TABLE, {"task": "regression"}, "own.csv:2: column 'buys' is 'no': regression needs"),
        (TABLE.replace(",", ";"), {}, "is the separator ';'? Then set 'separator'"),
        (
            LONG,
            {"target": "b"},
            "column 'id' has 101 categories, more than 100: put it under 'ignore'",
        ),
        (LONG, {"target": "id"}, "the target 'id' has 101 classes, more than 100"),
        ("a;b\n" + "1,5;x\n2,5;y\n" * 9, {"target": "b", "separator": ";"}, "write decimals with"),
        (TABLE + "60,red,1,maybe\n", {}, "own: class 'maybe' has 1 example left to train on"),
        ("age,buys\n1,yes\n2,no\n3,yes\n4,no\n", {}, "own: test_fraction: cannot set 0.2 of 4"),
        (replaced("3,red,1.5", "3,red,1e39"), {}, "has NaN or infinite inputs"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_by_line_and_column(write, text, settings, message):
    with pytest.raises(DatasetError) as error:
        load_dataset("csv", **{"path": write(text), "target": "buys", **settings})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"separator": "::"}, "csv: separator: one character is expected, got '::'"),
        ({"ignore": ["buys"]}, "csv: ignore: 'buys' is the target"),
        ({"targets": "buys"}, "csv: unknown setting 'targets' (did you mean 'target'?)"),
        ({"task": "ranking"}, "csv: 'task': expected 'classification' or 'regression'"),
    ],
)
def test_a_wrong_setting_says_which_and_why(write, settings, message):
    with pytest.raises(RecipeError) as error:
        load_dataset("csv", **{"path": write(TABLE), "target": "buys", **settings})
    assert message in str(error.value)


@pytest.mark.parametrize("content", [b"a,b\n\xe9,1\n", b"PK\x03\x04\xff\xfe"])
def test_a_file_that_is_not_utf_8_text_is_named(tmp_path, content):
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"own\.csv: not UTF-8 text .*: save it as CSV in UTF-8"):
        load_dataset("csv", path=str(tmp_path / "own.csv"), target="b")
