"""The user's own table: any dialect, gaps, dates, units; what each column was taken as."""

import csv
import gzip
import json
import string
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from dlcourse.datasets import load_dataset
from dlcourse.datasets.amounts import amount, value
from dlcourse.datasets.csv import encode_rows, overview
from dlcourse.datasets.table import Reading, read_table
from dlcourse.errors import DatasetError, RecipeError

COLOURS = ["red", "green", "blue"]
ROWS = [(i * 7 % 60, COLOURS[i % 3], i * 0.5, "yes" if i % 2 else "no") for i in range(60)]
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
    np.testing.assert_array_equal(rows[rows[:, 0] == 4], [[4, 0, 1, 0, 26.0, 0]])
    np.testing.assert_array_equal(rows[rows[:, 0] == 5], [[5, 1, 0, 0, 17.5, 1]])
    assert [len(y) for _, y in data.splits.values()] == [40, 8, 12]


def test_one_hot_columns_agree_with_scikit_learn(write):
    data = load_dataset("csv", path=write(TABLE), target="buys")
    _, x = encode_rows(write(TABLE), data.encoding)
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
    text = "a,b\n" + "".join(f"{i * 7 % 60},{(i % 3) * 5}\n" for i in range(60))
    assert load_dataset("csv", path=write(text), target="b").class_names == ("0", "5", "10")
    assert load_dataset("csv", path=write(text), target="b", task="regression").class_names == ()


def test_byte_order_mark_quotes_spaces_separator_and_line_ends(write):
    text = "a; b ;c\r\n" + "".join(f'{i * 7 % 30}; "x;\ny";{"pq"[i % 2]} \r\n' for i in range(30))
    data = load_dataset("csv", path=write(text, "utf-8-sig"), target="c")
    assert data.feature_names == ("a", "b=x;\ny")


def test_ignored_columns_are_left_out(write):
    data = load_dataset("csv", path=write(TABLE), target="buys", ignore=["colour", "age"])
    assert data.feature_names == ("width",)


def test_new_rows_are_encoded_as_the_training_rows_after_a_journey_through_json(write):
    data = load_dataset("csv", path=write(TABLE), target="buys")
    encoding = json.loads(json.dumps(data.encoding))
    rows = "extra,width,colour,age\n?,1.5,red,7\n,2,blue,8\n"
    places, x = encode_rows(write(rows), encoding)
    assert places == ["own.csv:2", "own.csv:3"]
    np.testing.assert_array_equal(x, [[7, 0, 0, 1, 1.5], [8, 1, 0, 0, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width,colour\n1,red\n", "own.csv:1: columns: no column 'age' (known: width, colour)"),
        ("age,width,color\n1,1,red\n", "no column 'colour' (did you mean 'color'?)"),
        (
            "age,width,colour\n\n1,1,rad\n",
            "own.csv:3: column 'colour' is 'rad': an unknown category (did you mean 'red'?)",
        ),
        ("age,width,colour\nten,1,red\n", "own.csv:2: column 'age' is 'ten': a number is expected"),
        ("age,width,colour\n1,1,\n", "own.csv:2: column 'colour' is empty"),
    ],
)
def test_a_file_of_new_rows_that_do_not_fit_is_refused(write, text, message):
    encoding = load_dataset("csv", path=write(TABLE), target="buys").encoding
    with pytest.raises(DatasetError) as error:
        encode_rows(write(text), encoding)
    assert message in str(error.value)


def test_a_row_with_an_unknown_category_is_named_and_the_others_are_answered(write):
    encoding = load_dataset("csv", path=write(TABLE), target="buys").encoding
    rows = "age,width,colour\n1,1,red\n1,1,rad\n\n2,2,blue\n"
    with pytest.warns(UserWarning, match=r"rows without an answer: own\.csv:3: .* is 'rad'"):
        places, x = encode_rows(write(rows), encoding)
    assert places == ["own.csv:2", "own.csv:5"]
    np.testing.assert_array_equal(x, [[1, 0, 0, 1, 1], [2, 1, 0, 0, 2]])


def test_an_encoding_of_an_earlier_version_still_reads_rows(write):
    columns = [
        {"name": "age", "kind": "number"},
        {"name": "colour", "kind": "category", "categories": ["blue", "red"]},
    ]
    encoding = {"columns": columns, "target": "buys", "separator": ","}
    _, x = encode_rows(write("colour;age\nred;3,5\n"), encoding)
    np.testing.assert_array_equal(x, [[3.5, 0, 1]])
    with pytest.raises(DatasetError, match=r"own\.csv:2: column 'age' is empty: fill it"):
        encode_rows(write("age,colour\n,red\n"), encoding)


# ------------------------------------------------------------------ numbers as people write them


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("1 000", ".", 1000),
        ("1\u202f000,5", ",", 1000.5),
        ("1'000'000", ".", 1e6),
        ("3,5", ",", 3.5),
        ("-.5e-3", ".", -0.0005),
        ("−7", ".", -7),
        ("$522,109", ".", 522109),
        ("12%", ".", 12),
        ("40 kg", ".", 40),
        ("0,123", ",", 0.123),
    ],
)
def test_a_written_number_worked_by_hand(text, mark, expected):
    written = amount(text)
    assert written is not None
    assert value(written[1], mark) == expected


@pytest.mark.parametrize("text", ["A1", "12:30", "2024-01-01", "1_000", "nan", "", "-", "5 6"])
def test_other_text_is_not_a_number(text):
    assert amount(text) is None


@given(st.text(string.printable, max_size=8))
def test_whatever_python_reads_as_a_number_has_the_same_value_here(cell):
    try:
        expected = float(cell)
    except ValueError:
        return
    written = amount(cell.strip())
    if written and np.isfinite(expected):
        assert value(written[1], ".") == expected


@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["12%", "7%", "100%"], [12, 7, 100], "number (%)"),
        (["40 kg", "7.5 kg"], [40, 7.5], "number (kg)"),
        (["$522,109", "$1,000"], [522109, 1000], "number ($, 522,109 is 522109)"),
        (["1 000", "20"], [1000, 20], "number (1 000 is 1000)"),
        (["3,5", "4"], [3.5, 4], "number (decimal comma)"),
        (["1.234,5", "1.234"], [1234.5, 1234], "number (1.234,5 is 1234.5)"),
        (["1,234,567", "1,234"], [1234567, 1234], "number (1,234,567 is 1234567)"),
        (["1.5", "2", "3", "NA", "?", ""], [1.5, 2, 3], "number"),
        (["01", "1e3"], [1, 1000], "number"),
    ],
)
def test_a_column_is_read_as_the_numbers_that_it_shows(write, cells, expected, said):
    text = "c;a\n" + "".join(f"{letter};{cell}\n" for cell in cells for letter in "xyz")
    table = overview(write(text))
    assert table[1]["taken as"] == said
    assert table[1]["range"] == f"{min(expected):.7g} to {max(expected):.7g}"


def test_a_number_that_can_be_read_in_two_ways_is_refused_unless_another_cell_decides(write):
    text = "a;b\n" + "1,234;x\n2,345;y\n" * 5
    with pytest.raises(DatasetError) as error:
        overview(write(text))
    assert str(error.value) == (
        "own.csv:2: column 'a' is '1,234': 1234 or 1.234? Set 'decimal' to '.' or ','"
    )
    assert overview(write(text), thousands=",")[0]["range"] == "1234 to 2345"
    assert overview(write(text), decimal=",")[0]["range"] == "1.234 to 2.345"
    assert overview(write(text + "0,5;x\n"))[0]["range"] == "0.5 to 2.345"
    other = "a;b;c\n" + "1,234;x;1.5\n" * 5
    assert overview(write(other))[0]["range"] == "1234 to 1234"


def test_a_point_between_thousands_does_not_turn_another_columns_decimals_into_whole_numbers(write):
    text = "a;b;c\n" + "1.234;3,5;1.5\n2.345;0,5;2.5\n"
    with pytest.raises(DatasetError, match=r"column 'a' is '1\.234': 1\.234 or 1234\?"):
        overview(write(text))
    columns = overview(write(text.replace("1.234", "1.2345")))
    assert [row["range"] for row in columns] == ["1.2345 to 2.345", "0.5 to 3.5", "1.5 to 2.5"]
    german = "a;b\n" + "1.234;3,5\n2.345;0,5\n"
    assert [row["range"] for row in overview(write(german))] == ["1234 to 2345", "0.5 to 3.5"]


# ------------------------------------------------------------------ dialects

PLAIN = "a,b,c\n" + "".join(f"{i * 7 % 30 + 0.5},{'pq'[i % 2]},{i}\n" for i in (3, 1, 2) * 10)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_separator_and_the_encoding_are_found(write, separator, encoding):
    text = PLAIN.replace("p", "größe").replace(",", separator)
    data = load_dataset("csv", write(text, encoding), "c")
    assert data.feature_names == ("a", "b=größe", "b=q")
    assert ("cp1252" in str(data.columns)) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sep=;\n" + PLAIN.replace(",", ";"), ["a", "b", "c"]),
        ("# measured in 2024\n# by hand, twice\n" + PLAIN + "# the end\n", ["a", "b", "c"]),
        ("#" + PLAIN, ["a", "b", "c"]),
        (PLAIN.replace("\n", ",\n"), ["a", "b", "c", "column 4"]),
        (PLAIN.replace("\n", ",\n").replace("c,", "c"), ["a", "b", "c", "column 4"]),
        (PLAIN.replace("a,b,c", ",b,c"), ["column 1", "b", "c"]),
        (
            "b,c\n" + "".join(f"row {i},{'pq'[i % 2]},{i % 4}\n" for i in range(30)),
            ["column 1", "b", "c"],
        ),
        (PLAIN.partition("\n")[2], ["1", "2", "3"]),
        (PLAIN + ",,\n,,\n", ["a", "b", "c"]),
        (PLAIN + "Total,,60\n", ["a", "b", "c"]),
        (PLAIN.replace("\n", "\r\n"), ["a", "b", "c"]),
        (PLAIN.replace("\n", "\r"), ["a", "b", "c"]),
        ("year,2019,2020\n" + "x,1,2\n" * 9, ["year", "2019", "2020"]),
        ('"a, or b","c ""d"""\n"x\n, y",1\n' * 1 + "z,2\n", ["a, or b", 'c "d"']),
        ("one\nnone\ntone\nstone\n", ["one"]),
        ("name; title,place\n" + "x; Dr,Rome\n" * 9, ["name; title", "place"]),
    ],
)
def test_real_files_are_read_as_they_are(write, text, names):
    columns = overview(write(text))
    assert [row["column"] for row in columns] == names
    assert len(read_table(write(text)).frame) == {"one": 3, "year": 9, "name; title": 9}.get(
        names[0], 2 if "or" in names[0] else 30
    )


def test_what_was_found_is_told(write):
    assert overview(write(PLAIN.partition("\n")[2])).notes == [
        "no header line: the columns are named 1 to 3"
    ]
    total = overview(write(PLAIN + "Total,,60\n"))
    assert total.notes == ["own.csv:32: 'Total' in the last row: left out as a total"]
    unnamed = overview(write(PLAIN.replace("a,b,c", ",b,c")))
    assert unnamed[0]["taken as"] == "left out: no name in the header"


def test_a_tab_may_be_written_in_any_quoting(write):
    text = PLAIN.replace(",", "\t")
    for written in ("\t", "\\t", "tab", None):
        assert len(read_table(write(text), Reading(separator=written)).frame.columns) == 3


def test_gzip_zip_and_an_excel_workbook_give_the_same_as_the_csv_file(write, tmp_path):
    expected = load_dataset("csv", write(PLAIN), "c")
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/table.csv", PLAIN)
        archive.writestr("__MACOSX/._table.csv", b"\0\1")
    pd.read_csv(write(PLAIN)).to_excel(tmp_path / "own.xlsx", index=False)
    for file in ("own.csv.gz", "own.zip", "own.xlsx"):
        data = load_dataset("csv", file, "c")
        assert data.name == "own"
        np.testing.assert_array_equal(data.x_test, expected.x_test)


def test_without_openpyxl_a_workbook_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(DatasetError, match=r"own\.xlsx: cannot be read \(File is not a zip file\)"):
        load_dataset("csv", "own.xlsx", "c")
    with zipfile.ZipFile(tmp_path / "own.xlsx", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    with pytest.raises(DatasetError, match=r"nor a ZIP archive of one file .*: save"):
        load_dataset("csv", "own.xlsx", "c")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DatasetError, match=r"install .*openpyxl.*: save"):
        load_dataset("csv", "own.xlsx", "c")


@pytest.mark.parametrize("content", [b"\x00\x01\x02\xff,1\n", b"a,b\n\x81,1\n", b"a\x00b,1\n"])
def test_a_file_that_is_not_text_is_named(tmp_path, content):
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"own\.csv: not text.*: save it as CSV in UTF-8"):
        load_dataset("csv", str(tmp_path / "own.csv"), "b")


def test_lines_in_errors_are_those_of_an_editor(write):
    text = '\n"a","b"\n\n1,"x\ny"\n   \n2,z\n' + "".join(f"{i},z\n" for i in range(20)) + "oops,z\n"
    with pytest.raises(DatasetError, match=r"own\.csv:28: column 'a' is 'oops', but 22 of 23"):
        overview(write(text))


# ------------------------------------------------------------------ gaps

GAPS = "n,w,y\n" + "".join(
    f"{'' if i % 5 == 0 else i * 7 % 60},{'' if i % 6 == 0 else 'uvw'[i % 3]},{'pq'[i % 2]}\n"
    for i in range(60)
)


def test_auto_gives_numbers_the_median_of_the_training_rows_and_words_a_category(write):
    data = load_dataset("csv", write(GAPS), "y")
    assert data.feature_names == ("n", "n was missing", "w=missing", "w=u", "w=v", "w=w")
    gone = data.x_train[:, 1] == 1
    median = np.median(data.x_train[~gone, 0])
    assert set(data.x_train[gone, 0]) == set(data.x_test[data.x_test[:, 1] == 1, 0]) == {median}
    assert 0 < gone.sum() < len(gone)
    _, x = encode_rows(write("n,w\nNA,\n3,u\n"), data.encoding)
    np.testing.assert_array_equal(x, [[median, 1, 1, 0, 0, 0], [3, 0, 0, 1, 0, 0]])


def test_a_number_that_means_missing_is_missing_in_new_rows_too(write):
    data = load_dataset(
        "csv", write(TABLE.replace("\n0,", "\n-999,")), "buys", missing_values=["-999"]
    )
    for cell in ("-999", "-999.0", "-9.99e2"):
        _, x = encode_rows(write(f"age,width,colour\n{cell},1,red\n"), data.encoding)
        assert x[0, 0] == data.encoding["columns"][0]["medians"][0] > 0


def test_drop_leaves_the_rows_out_and_error_names_the_first(write):
    data = load_dataset("csv", write(GAPS), "y", missing="drop")
    assert data.feature_names == ("n", "w=u", "w=v", "w=w")
    assert len(every_row(data)) == 40
    assert data.columns.notes == ["20 rows with a gap: left out"]
    with pytest.raises(DatasetError, match=r"own\.csv:2: column 'n' is empty"):
        load_dataset("csv", write(GAPS), "y", missing="error")


def test_a_missing_target_is_dropped_and_counted_and_is_never_a_class(write):
    text = TABLE + "1,red,1,NA\n2,red,1,\n3,red,1,None\n"
    data = load_dataset("csv", write(text), "buys")
    assert data.class_names == ("no", "yes")
    assert data.columns.notes == ["3 rows without the target 'buys': left out"]
    none = load_dataset("csv", write(text + "1,red,1,None\n" * 3), "buys", missing_values=["NA"])
    assert none.class_names == ("None", "no", "yes")


def test_a_word_among_words_stays_a_value_and_the_table_asks(write):
    text = TABLE.replace("green", "NA")
    data = load_dataset("csv", write(text), "buys")
    assert data.feature_names[1:4] == ("colour=NA", "colour=blue", "colour=red")
    assert "'NA' is one: missing? See missing_values" in data.columns[1]["taken as"]
    decided = load_dataset("csv", write(text), "buys", missing_values=["NA"])
    assert decided.feature_names[1:4] == ("colour=blue", "colour=missing", "colour=red")
    with pytest.raises(DatasetError, match=r"column 'age' is 'NA', but 60 of 61 values are"):
        load_dataset("csv", write(TABLE + "NA,red,1,no\n"), "buys", missing_values=["?"])


def test_a_column_that_is_mostly_empty_is_left_out_and_told(write):
    text = "m," + TABLE.replace("\n", "\n,")[:-1].replace("\n,", "\n5,", 20)
    data = load_dataset("csv", write(text), "buys")
    assert "m" not in data.feature_names
    assert data.columns[0] == {
        "column": "m",
        "taken as": "left out: 67% missing",
        "missing": "",
        "range": "",
    }


# ------------------------------------------------------------------ categories, classes, dates, IDs


def test_rare_values_and_unknown_ones_are_other(write):
    text = TABLE + "7,pink,1,yes\n8,teal,1,no\n"
    data = load_dataset("csv", write(text), "buys", rare=2)
    assert data.feature_names[1:5] == ("colour=blue", "colour=green", "colour=other", "colour=red")
    _, x = encode_rows(write("age,width,colour\n1,1,mauve\n"), data.encoding)
    np.testing.assert_array_equal(x, [[1, 0, 0, 1, 0, 1]])


def test_many_different_texts_are_left_out_and_told(write):
    text = "k," + TABLE.rstrip().replace("\n", "\nk0,")
    many = "".join(f"k{i},{i % 7},red,1,{'yes no'.split()[i % 2]}\n" for i in range(101))
    columns = load_dataset("csv", write(f"{text}\n{many}"), "buys").columns
    assert columns[0]["taken as"] == "left out: 101 different texts"


def test_classes_of_fewer_than_three_rows_are_left_out_and_counted(write):
    data = load_dataset("csv", write(TABLE + "60,red,1,maybe\n60,red,1,maybe\n"), "buys")
    assert data.class_names == ("no", "yes")
    assert data.columns.notes == ["classes of fewer than 3 rows: 1 left out: maybe"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_split_has_one_of_each_class_however_small(write, seed):
    text = "a,b\n" + "".join(f"{i * 7 % 40},{'p' if i > 8 else 'qrs'[i % 3]}\n" for i in range(40))
    data = load_dataset("csv", write(text), "b", seed=seed)
    assert [set(y) for _, y in data.splits.values()] == [{0, 1, 2, 3}] * 3
    assert len(every_row(data)) == 40
    again = load_dataset("csv", write(text), "b", seed=5)
    np.testing.assert_array_equal(data.x_test, again.x_test)


def test_whole_numbers_as_classes_are_told(write):
    text = "a,b\n" + "".join(f"{i * 7 % 60},{i % 3}\n" for i in range(60))
    told = load_dataset("csv", write(text), "b").columns[1]["taken as"]
    assert told == "target: 3 classes of whole numbers ('task: regression' predicts a number)"


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("%Y-%m-%d", "date (%Y-%m-%d: year, month, weekday)"),
        ("%Y/%m/%d %H:%M", "date (%Y/%m/%d: year, month, weekday)"),
        ("%d.%m.%Y", "date (%d.%m.%Y: year, month, weekday)"),
        ("%m/%d/%Y", "date (%m/%d/%Y: year, month, weekday)"),
        ("%b %d %Y", "date (%b %d %Y: year, month, weekday)"),
    ],
)
def test_dates_become_year_month_and_weekday(write, form, kind):
    days = pd.date_range("2024-02-27", periods=30, freq="9D")
    text = "d;y\n" + "".join(f"{day.strftime(form)};{i % 2}\n" for i, day in enumerate(days))
    data = load_dataset("csv", write(text), "y", task="classification")
    assert data.columns[0]["taken as"] == kind
    assert data.columns[0]["range"] == "2024-02-27 to 2024-11-14"
    assert data.feature_names == ("d year", "d month", "d weekday")
    _, x = encode_rows(write(text), data.encoding)
    np.testing.assert_array_equal(x, np.c_[days.year, days.month, days.day_of_week])


def test_a_date_that_can_be_read_in_two_ways_is_left_out_and_told(write):
    text = "d,a\n01/02/2024,1\n03/04/2024,2\n"
    assert overview(write(text))[0]["taken as"] == (
        "left out: is 01/02/2024 day or month first? Set day_first"
    )
    day = overview(write(text), day_first=True)[0]
    assert day["taken as"] == "date (%d/%m/%Y: year, month, weekday)"
    assert day["range"] == "2024-02-01 to 2024-04-03"
    assert overview(write(text), day_first=False)[0]["range"] == "2024-01-02 to 2024-03-04"
    named = "d,a\n3 Apr 2024,1\n4 Apr 2024,2\n"
    assert overview(write(named), day_first=False)[0]["range"] == "2024-04-03 to 2024-04-04"
    table = "d,x,a\n" + "01/02/2024,1,2.5\n03/04/2024,2,1.5\n" * 9
    with pytest.raises(DatasetError, match="it is left out: is 01/02/2024 day or month first"):
        load_dataset("csv", write(table), "a", split={"time": "d"})


@pytest.mark.parametrize("start", [0, 1, 7, 1001, 20_240_001])
@pytest.mark.parametrize("gap", [1, 2, 3, 10])
def test_a_planted_row_number_is_warned_of(write, start, gap):
    lines = TABLE.splitlines()
    rows = [f"{start + gap * i + (i > 30)},{line}" for i, line in enumerate(lines[1:])]
    with pytest.warns(UserWarning, match=r"own\.csv: 'id' rises with the row, .*'ignore'"):
        load_dataset("csv", write("\n".join(["id," + lines[0], *rows])), "buys")


# ------------------------------------------------------------------ splits


def test_no_group_is_in_two_splits_and_the_group_is_not_learned(write):
    text = "who,a,y\n" + "".join(f"p{i // 4},{i // 4 + i % 4 / 8},{i % 2}\n" for i in range(80))
    data = load_dataset("csv", write(text), "y", split={"group": "who"})
    assert data.feature_names == ("a",)
    groups = [set(np.floor(x[:, 0])) for x, _ in data.splits.values()]
    assert len(groups[0] | groups[1] | groups[2]) == 20 == sum(map(len, groups))
    other = load_dataset("csv", write(text), "y", split={"group": "who"}, seed=3)
    np.testing.assert_array_equal(other.x_test, data.x_test)
    assert {*other.x_val[:, 0]} != {*data.x_val[:, 0]}


def test_too_few_groups_are_told(write):
    text = "who,a,y\n" + "".join(f"p{i // 40},{i % 7},{i % 2}\n" for i in range(80))
    with pytest.raises(DatasetError, match="own: split: 2 groups do not give three splits"):
        load_dataset("csv", write(text), "y", split={"group": "who"})


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y %H:%M"])
def test_the_end_of_time_is_the_test(write, form):
    days = pd.date_range("2024-01-01", periods=40, freq="31h")
    order = np.random.default_rng(0).permutation(40)
    text = "when,a,y\n" + "".join(f"{days[i].strftime(form)},{i},{i / 2}\n" for i in order)
    data = load_dataset("csv", write(text), "y", split={"time": "when"})
    row = data.feature_names.index("a")
    assert {*data.x_test[:, row]} == {*range(32, 40)}
    assert {*data.x_val[:, row]} == {*range(27, 32)}


def test_a_split_by_a_column_that_is_not_time_is_told(write):
    with pytest.raises(DatasetError, match="own: split: 'colour' must be a date or a number"):
        load_dataset("csv", write(TABLE), "buys", split={"time": "colour"})


# ------------------------------------------------------------------ errors


def replaced(old, new):
    return TABLE.replace(old, new, 1)


ROW = "21,red,1.5,yes"  # in line 5
LONG = "id,b\n" + "".join(f"k{i},{i % 2}\n" for i in range(101))


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "own.csv: the file is empty"),
        ("\n\n", {}, "own.csv: the file is empty"),
        ("age,buys\n", {}, "own.csv: no rows below the header"),
        ("age,buys\n,\n", {}, "own.csv: no rows below the header"),
        (TABLE, {"target": "buy"}, "own.csv:1: target: no column 'buy' (did you mean 'buys'?)"),
        (TABLE, {"ignore": ["colur"]}, "ignore: no column 'colur' (did you mean 'colour'?)"),
        (TABLE, {"split": {"group": "who"}}, "own.csv:1: split: no column 'who'"),
        (
            TABLE,
            {"ignore": ["age", "colour", "width"]},
            "own.csv: no column is left to predict 'buys' from",
        ),
        (replaced(ROW, "21,red,yes"), {}, "own.csv:5: 3 values, but the header names 4 columns"),
        (replaced(ROW, f"{ROW},1"), {}, "own.csv:5: 5 values, but the header names 4 columns"),
        (
            replaced(ROW, "n.a.,red,1.5,yes"),
            {},
            "own.csv:5: column 'age' is 'n.a.', but 59 of 60 values are numbers: correct it, or "
            "list it under 'missing_values'",
        ),
        (replaced(ROW, '21,"red"x,1.5,yes'), {}, "own.csv:5: not a row of a CSV file"),
        (replaced(ROW, '21,"red,1.5,yes'), {}, "own.csv:5: not a row of a CSV file"),
        (replaced("width", "age"), {}, "own.csv:1: two columns are named 'age': rename one"),
        (TABLE.replace("yes", "no"), {}, "the target 'buys' has 1 classes, 1 of them with 3 rows"),
        (
            TABLE.replace("yes", "").replace("no", ""),
            {},
            "own.csv:2: column 'buys' is '': numbers",
        ),
        (TABLE, {"task": "regression"}, "own.csv:2: column 'buys' is 'no': numbers are"),
        (LONG, {"target": "id"}, "the target 'id' has 101 classes, 0 of them with 3 rows or more"),
        ("age,buys\n3,yes\n2,no\n3,yes\n4,no\n", {}, "'buys' has 2 classes, 0 of them with 3"),
        (
            "who,a,buys\n" + "p,1,2.5\nq,2,3.5\n,3,4.5\n" * 9,
            {"split": {"group": "who"}},
            "own: split: own.csv:4: column 'who' is empty: each row needs its group",
        ),
        (
            "World data\n\na,b\n1,2\n1,3\n",
            {},
            "own.csv:3: target: no column 'buys'",
        ),
        (
            "World data, 2024\n\na,b,c\n1,2,3\n1,3,4\n",
            {},
            "own.csv:3: 3 values, but the header names 2 columns: quote values that hold the "
            "separator; delete what is not of the table",
        ),
        (
            "c,c=p,buys\n" + "p,1.5,2.5\nq,2,3.5\n" * 9,
            {},
            "own.csv: two features are named 'c=p': rename a column",
        ),
        ("Scores\nann,1\nbob,2\n", {}, "own.csv:2: 2 values, but the header names 1 columns"),
        ("age,buys\n3,1.5\n2,2.5\n", {}, "own: validation_fraction: cannot set 0.15 of 1"),
        (replaced(ROW, "1e39,red,1.5,yes"), {}, "is 1e+39: numbers up to 3e38"),
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
        ({"encoding": "latin-99"}, "csv: encoding: no encoding 'latin-99'"),
        ({"decimal": ",", "thousands": ","}, "csv: thousands: ',' is also 'decimal'"),
        ({"ignore": ["buys"]}, "csv: ignore: 'buys' is the target"),
        ({"targets": "buys"}, "csv: unknown setting 'targets' (did you mean 'target'?)"),
        ({"task": "ranking"}, "csv: 'task': expected 'classification' or 'regression'"),
        ({"split": "time"}, "csv: 'split'"),
        ({"split": {"person": "age"}}, "csv: 'split"),
    ],
)
def test_a_wrong_setting_says_which_and_why(write, settings, message):
    with pytest.raises(RecipeError) as error:
        load_dataset("csv", **{"path": write(TABLE), "target": "buys", **settings})
    assert message in str(error.value)


def test_a_notebook_shows_the_columns_of_a_data_set(write):
    data = load_dataset("csv", write(TABLE), "buys")
    assert repr(data).count("\n") == 0
    assert '<th scope="row">colour</th><td>3 categories</td>' in data._repr_html_()


# What an attack found


def test_new_rows_are_all_answered_also_one_that_looks_like_a_total(write):
    rows = "".join(f"{i % 9}.5,{('red', 'sum')[i % 2]},{'ab'[i % 2]}\n" for i in range(40))
    encoding = load_dataset("csv", write("a,colour,y\n" + rows), "y").encoding
    lines, x = encode_rows(write("a,colour\n1.5,red\n2.5,sum\n"), encoding)
    assert lines == ["own.csv:2", "own.csv:3"]
    assert x.tolist() == [[1.5, 1, 0], [2.5, 0, 1]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # 1.234 in a file with semicolons, below the rows that the dialect is found in
        (
            "x;y\n" + "".join(f"{100 + i};{'ab'[i % 2]}\n" for i in range(900)) + "1.234;a\n" * 3,
            r":902: column 'x' is '1.234': 1.234 or 1234\? Set 'decimal'",
        ),
        # a decimal comma without quotes is another column
        ("x,v,y\n" + "57,0,5,a\n12,1,5,b\n" * 9, ":2: 4 values, but the header names 3 columns"),
        (
            "d,y\n" + "".join(f"2024-01-{i % 28 + 1:02},{'ab'[i % 2]}\n" for i in range(60))
            + "2024-02-31,a\n",
            ":62: column 'd' is '2024-02-31', but 9.% of the values are dates",
        ),
        ("x,y\n" + "1.5,a\n2,b\n" * 9 + "1e999,a\n", ":20: column 'x' is inf"),
    ],
)  # fmt: skip
def test_a_value_of_two_meanings_is_refused_by_its_line(write, text, said):
    with pytest.raises(DatasetError, match=said):
        load_dataset("csv", write(text), "y")


def test_negative_numbers_of_accounts_keep_their_sign(write):
    cells = ("5.5", "(7.5)", "3-", "$-1", "-2")
    rows = "".join(f"{cells[i % 5]},{'ab'[i % 2]}\n" for i in range(40))
    table = write("x,y\n" + rows.replace("$-1", "-1"))
    data = load_dataset("csv", table, "y")
    read = np.concatenate([x[:, 0] for x, _ in data.splits.values()])
    assert sorted(set(read.tolist())) == [-7.5, -3, -2, -1, 5.5]


def test_rows_that_begin_with_a_hash_are_rows_also_with_quotes(write):
    rows = "".join(f'#{i % 2},"0,{i % 3}",{"ab"[i % 2]}\n' for i in range(30))
    assert len(read_table(write("# a comment, of two\nno,x,y\n" + rows)).frame) == 30


def test_digits_of_one_length_with_leading_zeros_are_codes(write):
    rows = "".join(f"{('01234', '98765', '04711')[i % 3]},{'ab'[i % 2]}\n" for i in range(30))
    data = load_dataset("csv", write("zip,y\n" + rows), "y")
    assert data.feature_names == ("zip=01234", "zip=04711", "zip=98765")


def test_numbers_that_single_precision_merges_are_warned_of(write):
    rows = "".join(f"{20240100 + i * 7 % 31},{'ab'[i % 2]}\n" for i in range(60))
    with pytest.warns(UserWarning, match="'day' has different numbers that are equal in single"):
        load_dataset("csv", write("day,y\n" + rows), "y")


def test_a_number_that_is_too_large_has_no_answer(write):
    encoding = load_dataset("csv", write("x,y\n" + "1.5,a\n2,b\n" * 9), "y").encoding
    with pytest.warns(UserWarning, match=":3: column 'x' is '1e300': a number is expected"):
        lines, _ = encode_rows(write("x\n1\n1e300\n"), encoding)
    assert lines == ["own.csv:2"]


def test_a_group_with_blanks_is_the_same_group(write):
    rows = "".join(f"p{i % 8}{' ' * (i % 3)},{i * 0.5},{'ab'[i // 8 % 2]}\n" for i in range(80))
    text = "who,x,y\n" + rows
    data = load_dataset("csv", write(text), "y", split={"group": "who"})
    who = {i * 0.5: i % 8 for i in range(80)}
    groups = [{who[x] for x in part[:, 0].tolist()} for part, _ in data.splits.values()]
    assert sum(map(len, groups)) == 8


def test_a_time_that_is_not_one_is_named(write):
    rows = "".join(f"2024-01-{i % 28 + 1:02} 10:00,{'ab'[i % 2]}\n" for i in range(56))
    with pytest.raises(DatasetError, match=r":58: column 't' is '2024-01-30 25:61': a time is"):
        load_dataset(
            "csv", write("t,y\n" + rows + "2024-01-30 25:61,a\n"), "y", split={"time": "t"}
        )


def test_a_long_cell_is_read(write):
    table = read_table(write("x,y\n" + "1,a\n" * 5 + f"2,{'b' * 200_000}\n"))
    assert len(table.frame["y"].iloc[-1]) == 200_000
    limit = csv.field_size_limit()
    read_table(write("x,y\n1,a\n2,b\n"))
    assert csv.field_size_limit() == limit


# What a student's files showed


def test_a_row_of_numbers_that_was_read_as_names_is_told(write):
    rows = "".join(f"{i * 7 % 60},{i * 11 % 59 + 100},{i % 3}\n" for i in range(40))
    told = overview(write("61,99,7\n" + rows))
    assert told.notes == ["own.csv:1 was read as names: set header: false if it is data"]
    assert len(read_table(write("61,99,7\n" + rows), Reading(header=False)).frame) == 41
    assert overview(write("a,b,c\n" + rows)).notes == []


def test_a_first_row_whose_cells_come_again_below_is_data(write):
    rows = "red,yes,5\n" + "".join(f"{COLOURS[i % 3]},{'yn'[i % 2]}es,{i % 9}\n" for i in range(40))
    assert overview(write(rows)).notes == ["no header line: the columns are named 1 to 3"]
    files = "".join(f"{i * 7 % 40},x\n" for i in range(40))
    again = "a,b\n1,x\n2,y\na,b\n" + files  # two files, one below the other
    with pytest.raises(DatasetError, match=r"own\.csv:4: column 'a' is 'a'"):
        overview(write(again))


def test_cells_without_the_unit_of_the_column_are_counted(write):
    rows = "".join(f"{40 + i * 7 % 30}{' kg' if i % 25 else ''},x\n" for i in range(60))
    assert overview(write("w,y\n" + rows))[0]["taken as"] == "number (kg, 3 without it)"


@pytest.mark.parametrize(("decimal", "cell"), [(",", "40.5"), (".", "40,5")])
@pytest.mark.parametrize("values", [60, 3])
def test_a_decimal_mark_that_the_cells_do_not_show_is_named(write, decimal, cell, values):
    rows = "".join(f"{cell}{i % values};x\n" for i in range(60))
    with pytest.raises(DatasetError) as error:
        overview(write("w;y\n" + rows), decimal=decimal)
    assert str(error.value) == (
        f"own.csv:2: column 'w' is '{cell}0', but the decimal mark is '{decimal}': set 'decimal'"
    )
    thousands = overview(write("w;y\n" + "40.512;x\n50;x\n"), decimal=",")
    assert thousands[0]["taken as"] == "number (40.512 is 40512)"


def test_a_column_of_words_for_missing_is_not_called_empty(write):
    rows = "".join(f"{'None' if i % 2 else ''},,{('-', 'NA', 'x')[i % 3]},{i}\n" for i in range(30))
    told = [row["taken as"] for row in overview(write("a,b,c,d\n" + rows), ignore=["d"])]
    assert told == [
        "left out: only 'None'",
        "left out: empty",
        "3 categories ('-', 'NA' is one: missing? See missing_values)",
        "left out: ignored",
    ]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["True", "TRUE", "1", "False"], "1, TRUE, True"),
        (["yes", "Yes", "no"], "Yes, yes"),
        (["4", "4.0", "rotary"], "4, 4.0"),
    ],
)
def test_values_that_may_be_the_same_are_named_also_as_classes(write, cells, said):
    rows = "".join(f"{cells[i % len(cells)]},{i * 7 % 60}\n" for i in range(60))
    column = overview(write("a,b\n" + rows))[0]["taken as"]
    assert column == f"{len(cells)} categories (the same in two spellings? {said})"
    data = load_dataset("csv", write("a,b\n" + rows), "a")
    assert data.columns[0]["taken as"].endswith(f"the same in two spellings? {said}")


@pytest.mark.parametrize("end", ["", ",,"])
def test_titles_above_a_table_are_left_out_and_told(write, end):
    text = f"Houses of Rome{end}\n{',,' if end else ''}\nin 2024{end}\n" + PLAIN
    told = overview(write(text))
    assert [row["column"] for row in told] == ["a", "b", "c"]
    assert told.notes == [
        "own.csv:1: 'Houses of Rome' left out as a title",
        "own.csv:3: 'in 2024' left out as a title",
    ]
    data = load_dataset("csv", write(text), "b", ignore=["c"])
    lines, x = encode_rows(write(text), data.encoding)
    assert lines[0] == "own.csv:5"
    assert x[:3, 0].tolist() == [21.5, 7.5, 14.5]
    with pytest.raises(DatasetError, match=r"own\.csv:5: column 'a' is 'oops'"):
        overview(write(text.replace("21.5", "oops", 1)))
    data = "red,yes\nblue,no\nred,no\nblue,yes\n" * 9
    with pytest.raises(DatasetError, match=r"own\.csv:2: 2 values, but the header names 1 columns"):
        overview(write("Colours\n" + data))


def test_lines_below_a_table_are_left_out_and_told(write):
    told = overview(write(PLAIN + '\nSource: ministry\n"see https://x.org, page 2"\n'))
    assert told[0]["taken as"] == "number"
    assert told.notes == [
        "own.csv: below line 31: 'Source: ministry \"see https://x.org, page 2\"' left out, for it "
        "is not a row"
    ]
    for cut in ("21", "a,b\nfoo\nbar\n"):  # a row that was cut off, and no table at all
        with pytest.raises(DatasetError, match=r"own\.csv:.* 1 values, but the header names"):
            overview(write(cut if "\n" in cut else PLAIN + cut))
    encoding = load_dataset("csv", write(PLAIN), "b", ignore=["c"]).encoding
    with pytest.raises(DatasetError, match=r"own\.csv:32: 1 values, .* delete what is not of the"):
        encode_rows(write(PLAIN + "Source: ministry\n"), encoding)


@pytest.mark.parametrize(
    ("content", "reader"),
    [
        (b"PAR1\x15\x04\xff", "parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
        (b'[{"a": 1},\n {"a": 2}]', "json"),
        (b'{"a": [1, 2]}\n', "json"),
        (b"\n<!DOCTYPE html>\n<html>", "html"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, content, reader):
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(DatasetError) as error:
        overview(str(tmp_path / "own.csv"))
    cure = f"save it as CSV, or give the DataFrame of pandas.read_{reader}"
    assert str(error.value) == f"{tmp_path}/own.csv: not CSV: {cure}"


def test_an_address_is_not_a_file():
    with pytest.raises(DatasetError, match=r"houses\.csv: no such file \(an address: download the"):
        overview("https://example.org/houses.csv")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_found_without_its_mark(write, encoding):
    assert overview(write(PLAIN.replace("b", "größe", 1), encoding))[1]["column"] == "größe"


def test_excels_line_of_the_separator_may_be_quoted(write):
    told = overview(write('"sep=;"\n' + PLAIN.replace(",", ";")))
    assert [row["column"] for row in told] == ["a", "b", "c"]
    assert told.notes == []


def test_an_escaped_quote_is_told_wherever_it_stands(write):
    rows = "x,1\n" * 600 + '"ends \\"",2\n' * 6
    with pytest.raises(DatasetError, match=r":602: not a row .* a quote inside .* written twice"):
        read_table(write("a,b\n" + rows))


def test_rows_that_may_be_comments_are_told(write):
    text = "a,b\n" + "x,1\n" * 9 + "# x,2\n"
    assert overview(write(text)).notes == [
        "values of 'a' begin with '#': comments? Delete those lines"
    ]


def test_the_first_of_new_rows_may_be_the_short_one(write):
    encoding = load_dataset("csv", write(TABLE), "buys").encoding
    with pytest.raises(DatasetError, match=r"own\.csv:2: 1 values, but the header names 3 columns"):
        encode_rows(write("age,width,colour\n1\n1,2,red\n"), encoding)
