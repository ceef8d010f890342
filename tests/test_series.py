"""The user's time series: windows and targets by hand, stretches that do not mix, times, gaps."""

import importlib.util
import json
import sys
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dlcourse as dl
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.datasets.dataset import Dataset
from dlcourse.datasets.series import every_window, naive_forecasts, series, series_file
from dlcourse.errors import DatasetError, RecipeError
from dlcourse.lab.diagnosis.examination import examine, leaking_column
from dlcourse.lab.diagnosis.fit import no_better_than_naive

DAYS = [date(2024, 1, 1) + timedelta(days) for days in range(60)]


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(rows, encoding="utf-8"):
        text = rows if isinstance(rows, str) else "".join(f"{row}\n" for row in rows)
        (tmp_path / "own.csv").write_bytes(text.encode(encoding))
        return "own.csv"

    return write


def counted(count=60, head="value"):
    """Lines of a series 0.5, 1.5, … that is its own step and a half."""
    return [head, *(f"{step}.5" for step in range(count))]


def dated(times, head="day,value"):
    return [head, *(f"{time},{row}.5" for row, time in enumerate(times))]


def changed(lines, line, text):
    """The lines with another text in a line, counted from 1 as in a file."""
    return [*lines[: line - 1], text, *lines[line:]]


def load(path, **settings) -> Dataset:
    return load_dataset("series", path=path, **{"window": 4, **settings})


# Facts worked by hand


def test_windows_and_targets_worked_by_hand(write):
    data = load(write(counted(40)), window=3, horizon=2, step=2, validation_fraction=0.3)
    # 40 steps: 32 before the test, 22 of them before the validation.
    assert data.x_train.shape == (9, 3, 1)
    np.testing.assert_array_equal(data.x_train[0, :, 0], [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(data.x_train[1, :, 0], [2.5, 3.5, 4.5])
    np.testing.assert_array_equal(data.y_train, np.arange(4.5, 21, 2))
    np.testing.assert_array_equal(data.y_val, [26.5, 28.5, 30.5])
    np.testing.assert_array_equal(data.y_test, [36.5, 38.5])


def test_splits_are_stretches_in_the_order_of_time(write):
    data = load(write(counted(60)))
    ends = [(x.min(), y.max()) for x, y in data.splits.values()]
    assert ends == [(0.5, 40.5), (41.5, 47.5), (48.5, 59.5)]
    assert [len(y) for _, y in data.splits.values()] == [37, 3, 8]


def test_the_first_column_is_the_target_and_all_are_features(write):
    rows = ["a,b,c", *(f"{row}.5,{row * 2}.25,{-row}.5" for row in range(90))]
    data = load(write(rows), columns=["b", "a"], horizon=3)
    first = [[0.25, 0.5], [2.25, 1.5], [4.25, 2.5], [6.25, 3.5]]
    np.testing.assert_array_equal(data.x_train[0], first)
    assert data.y_train[0] == 12.25
    assert data.feature_names == ("b", "a")
    assert data.target_name == "b, 3 steps ahead"
    assert load(write(rows)).feature_names == ("a", "b", "c")
    assert load(write(rows)).target_name == "a, 1 step ahead"


def test_naive_forecasts_worked_by_hand(write):
    season = [f"{(10, 20, 30, 40, 50)[step % 5] + step / 100}" for step in range(90)]
    data = load(write(["value", *season]), window=6, horizon=2, season=5)
    encoding = json.loads(json.dumps(data.encoding))
    # The window holds the steps 0 to 5, and the target is step 7: as step 2 one season ago.
    now, ago = naive_forecasts(data.x_train, encoding).values()
    np.testing.assert_allclose([now[0], ago[0], data.y_train[0]], [10.05, 30.02, 30.07], rtol=1e-6)
    np.testing.assert_allclose(ago, data.y_train - 0.05, rtol=1e-5)  # float32
    assert [*naive_forecasts(data.x_test, encoding)] == ["as now", "as one season ago"]
    no_season = load(write(["value", *season]))
    assert [*naive_forecasts(no_season.x_test, no_season.encoding)] == ["as now"]


@pytest.mark.parametrize(("season", "fits"), [(1, False), (2, True), (5, True), (6, False)])
def test_a_season_lies_in_the_window_from_its_last_step_to_its_first(write, season, fits):
    # Window 4, horizon 2: the target minus 2 is the last step, minus 5 the first.
    if fits:
        data = load(write(counted()), horizon=2, season=season)
        ago = naive_forecasts(data.x_val, data.encoding)["as one season ago"]
        np.testing.assert_array_equal(ago, data.y_val - season)
    else:
        text = f"series: season: 2 to 5 steps lie in the window, got {season}"
        with pytest.raises(RecipeError) as error:
            load(write(counted()), horizon=2, season=season)
        cure = ": set a window of 5 or more" if season == 6 else ""
        assert str(error.value) == text + cure


# No split knows another one


@pytest.mark.parametrize(
    ("line", "own"), [(61, 2), (55, 2), (50, 2), (49, 1), (43, 1), (42, 0), (2, 0)]
)
def test_a_value_of_the_future_changes_no_example_of_an_earlier_split(write, line, own):
    # The lines 2 to 42 are the training, 43 to 49 the validation, and 50 to 61 the test.
    before = load(write(counted()))
    after = load(write(changed(counted(), line, "-1000")))
    same = [
        all(map(np.array_equal, before.splits[part], after.splits[part]))
        for part in ("train", "val", "test")
    ]
    assert same == [split != own for split in range(3)]


def test_no_value_of_a_later_split_occurs_in_an_earlier_one(write):
    data = load(write(counted(200)), window=7, horizon=3, step=2)
    values = [{*x.ravel(), *y} for x, y in data.splits.values()]
    for early, late in pairwise(values):
        assert max(early) < min(late)


def test_a_held_gap_never_shows_the_future(write):
    lines = dated(DAYS)
    # The test begins in line 50: its first values are missing, and so are those before.
    for line in (48, 49, 50, 51):
        lines = changed(lines, line, f"{DAYS[line - 2]},")
    data = load(write(lines), time="day", gaps="hold")
    np.testing.assert_array_equal(data.x_test[0, :, 0], [45.5, 45.5, 50.5, 51.5])
    assert data.columns.notes == ["4 missing values: the last known value is held"]


def test_all_windows_stay_together_where_a_model_is_measured_on_a_file(write):
    whole = series(None, path=write(counted(30)), window=4)
    assert [len(y) for _, y in whole.splits.values()] == [26, 0, 0]


# Times


@pytest.mark.parametrize(
    "times",
    [
        [f"{1990 + month // 12}-{month % 12 + 1:02}" for month in range(60)],
        [f"{1990 + month // 12}-{month % 12 + 1:02}-01" for month in range(60)],
        [f"{month % 12 + 1:02}/01/{1990 + month // 12}" for month in range(60)],
        [f"{date(1990 + month // 12, month % 12 + 1, 1):%b %Y}" for month in range(60)],
        [f"{1950 + year}-12-31" for year in range(60)],
        [f"{day:%Y%m%d}" for day in DAYS],
        [f"{day:%b %d %Y} 06:00" for day in DAYS],
        [f"2024-03-31T{hour % 24:02}:00+00:00" for hour in range(24)],
        [*range(1700, 1760)],
        [f"{step / 10:.1f}" for step in range(60)],
        [f"{1958 + month / 12:.4f}" for month in range(60)],
    ],
    ids=[
        "month",
        "first of month",
        "US",
        "word",
        "year",
        "compact",
        "clock",
        "hours",
        "number",
        "0.1",
        "1/12",
    ],
)
def test_times_of_many_kinds_rise_evenly(write, times):
    fractions = {"test_fraction": 0.3, "validation_fraction": 0.4}
    data = load(write(dated(times)), time="day", day_first=False, **fractions)
    assert data.feature_names == ("value",)
    assert data.x_train[0, 0, 0] == 0.5
    assert data.encoding["series"]["time"] == "day"


def test_missing_times_hold_the_last_value(write):
    lines = dated(DAYS)
    del lines[5:7]  # the days 4 and 5
    data = load(write(lines), time="day", gaps="hold", columns=["value"])
    np.testing.assert_array_equal(data.x_train[2, :, 0], [2.5, 3.5, 3.5, 3.5])
    np.testing.assert_array_equal(data.y_train[:4], [3.5, 3.5, 6.5, 7.5])
    assert data.columns.notes == ["2 missing times: the last known value is held"]
    lines[2] = f"{DAYS[1]},?"
    notes = load(write(lines), time="day", gaps="hold").columns.notes
    assert notes == ["1 missing values and 2 missing times: the last known value is held"]


def test_five_years_without_a_month_are_sixty_months(write):
    months = [f"{1990 + month // 12}-{month % 12 + 1:02}" for month in range(200)]
    data = load(write(dated(months[:100] + months[160:])), time="day", gaps="hold")
    assert data.columns.notes == ["60 missing times: the last known value is held"]
    assert sum(len(y) for _, y in data.splits.values()) == 200 - 3 * 4


GAP = "add the rows, set gaps: hold, or leave out 'time' to take the rows as even steps"
SORT = "times rise: sort the rows, or delete the repeated one"
EVEN = "the usual step is another: correct the time, or leave out 'time' to take the rows as even"


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (
            DAYS[:5] + DAYS[6:],
            f"own.csv:7: column 'day' is '2024-01-07', after '2024-01-05': the times between are "
            f"missing: {GAP}",
        ),
        (
            [*DAYS[:5], DAYS[6], DAYS[5], *DAYS[7:]],
            f"own.csv:8: column 'day' is '2024-01-06', after '2024-01-07': {SORT}",
        ),
        (
            [*DAYS[:5], *DAYS[4:]],
            f"own.csv:7: column 'day' is '2024-01-05', after '2024-01-05': {SORT}",
        ),
        (
            [0, 1, 2, 3, 4.4, *range(6, 50)],
            f"own.csv:6: column 'day' is '4.4', after '3': {EVEN}",
        ),
        (
            [*range(30), 10**9, *range(10**9 + 1, 10**9 + 20)],
            f"own.csv:32: column 'day' is '1000000000', after '29': {EVEN}",
        ),
        ([*DAYS[:5], "", *DAYS[6:]], "own.csv:7: column 'day' is empty: each row needs its time"),
        (
            [*DAYS[:5], "soon", *DAYS[6:]],
            "own.csv:7: column 'day' is 'soon', but 98% of",
        ),
        (["ab", "cd"] * 30, "own.csv: 'day' must be a date or a number: it is 2 categories"),
        ([f"0{day}/04/2024" for day in range(1, 8)], "left out: is 01/04/2024 day or month first"),
    ],
)
def test_times_that_do_not_rise_evenly_are_told_with_their_line(write, times, text):
    with pytest.raises(DatasetError) as error:
        load(write(dated(times)), time="day")
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_out_of_order_times_and_uneven_ones_are_not_held(write):
    for times in ([*DAYS[:5], *DAYS[4:]], [DAYS[1], DAYS[0], *DAYS[2:]]):
        with pytest.raises(DatasetError, match="times rise: sort the rows"):
            load(write(dated(times)), time="day", gaps="hold")
    with pytest.raises(DatasetError, match="the usual step is another"):
        load(write(dated([0, 1, 2, 3, 4.4, *range(6, 50)])), time="day", gaps="hold")


# Other errors, each by its text

FULL = [f"{row},{row}.5,red" for row in range(1, 60)]


@pytest.mark.parametrize(
    ("rows", "settings", "text"),
    [
        (
            changed(counted(), 9, "NA"),
            {},
            "own.csv:9: column 'value' is missing: fill it, or set gaps: hold",
        ),
        (
            changed(counted(), 2, "?"),
            {"gaps": "hold"},
            "own.csv:2: column 'value' is missing: fill it, or delete the rows above the first",
        ),
        (
            ["# a remark", *changed(counted(), 9, ""), ""],
            {"gaps": "hold"},
            "own.csv:10 is empty: delete the line, or write NA for a missing value",
        ),
        (changed(counted(), 9, "calm"), {}, "own.csv:9: column 'value' is 'calm', but 59 of 60"),
        (
            ["a,b,c", *FULL],
            {"columns": ["b", "c"]},
            "own.csv:2: column 'c' is 'red': a number is expected",
        ),
        (
            ["b,c", *(row.partition(",")[2] for row in FULL)],
            {},
            "own.csv:2: column 'c' is 'red': a number is expected; is 'c' the time? Set 'time', or",
        ),
        (
            ["a,b,c", *FULL],
            {},
            "own.csv: column 'a' rises with each row: is 'a' the time? Set 'time', or name the",
        ),
        (
            ["wind,rain", *(f"{row}.5,0" for row in range(60))],
            {"columns": ["winds"]},
            "own.csv:1: columns: no column 'winds' (did you mean 'wind'?)",
        ),
        (
            ["wind,rain", *(f"{row}.5,0" for row in range(60))],
            {"time": "tine"},
            "own.csv:1: time: no column 'tine' (known: wind, rain)",
        ),
        (
            ["value", *range(60)],
            {"time": "value"},
            "own.csv: one or more different columns are expected",
        ),
        (
            counted(),
            {"columns": ["value", "value"]},
            "own.csv: one or more different columns are expected",
        ),
        (
            counted(),
            {"window": 100},
            "own.csv: the train split has 41 of 60 steps, but two windows need 102: set a smaller",
        ),
        (
            counted(),
            {"window": 9},
            "own.csv: the val split has 7 of 60 steps, but two windows need 11: set a smaller",
        ),
        (
            counted(),
            {"test_fraction": 0.05},
            "own.csv: the test split has 3 of 60 steps, but two windows need 6: set a smaller",
        ),
    ],
)
def test_what_cannot_be_cut_into_windows_is_told_in_one_line(write, rows, settings, text):
    with pytest.raises(DatasetError) as error:
        load(write(rows), **settings)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_told_with_a_similar_name(write):
    write(counted())
    with pytest.raises(DatasetError, match=r"owm\.csv: no such file \(did you mean 'own\.csv'\?\)"):
        load("owm.csv")


# Files as they come


def test_utf_16_semicolons_decimal_commas_and_units_are_read(write):
    rows = ["Zeit;Höhe", *(f"{day:%d.%m.%Y};{row},5 cm" for row, day in enumerate(DAYS))]
    data = load(write(rows, "utf-16"), time="Zeit")
    np.testing.assert_array_equal(data.x_train[0, :, 0], [0.5, 1.5, 2.5, 3.5])
    assert data.target_name == "Höhe, 1 step ahead"


def test_a_column_without_a_header_and_own_words_for_missing(write):
    rows = [f"{row}" for row in range(60)]
    own = {"header": False, "missing_values": ["-99.99"], "columns": ["1"]}
    for cell in ("-99.99", "-99.990"):
        data = load(write(changed(rows, 5, cell)), gaps="hold", **own)
        np.testing.assert_array_equal(data.x_train[2, :, 0], [2, 3, 3, 5])


def test_what_the_columns_were_taken_as_is_told(write):
    rows = ["wind,rain", *(f"{row}.5 m/s,{row % 3}" for row in range(60))]
    told = str(load(write(rows)).columns)
    assert "wind    number (m/s)" in told
    assert "rain" in told


# New files

SHORT = ["day;value", *(f"0{day}.02.2024;{day},5" for day in (1, 2, 3, 5, 6))]


def test_every_window_of_a_new_file_worked_by_hand(write):
    own = {"time": "day", "gaps": "hold", "horizon": 2, "missing_values": ["-9"]}
    data = load(write(dated(DAYS)), **own)
    encoding = json.loads(json.dumps(data.encoding))
    places, x = every_window(write(SHORT), encoding)
    # The day 4 is missing: its window ends in the row of the day 3, the last known one.
    assert places == ["own.csv:4", "own.csv:5", "own.csv:6"]
    held = [1.5, 2.5, 3.5, 3.5, 5.5, 6.5]
    np.testing.assert_array_equal(x[..., 0], [held[:4], held[1:5], held[2:]])
    assert x.dtype == "float32"
    short = "own.csv: has 3 steps, but a window has 4"
    for rows, text in ((SHORT[:4], short), (["day;v", *SHORT[1:]], "no column 'value'")):
        with pytest.raises(DatasetError, match=text):
            every_window(write(rows), encoding)


def test_a_file_with_another_step_is_refused(write, tmp_path):
    def hours(by):
        times = pd.date_range("2024-01-01", periods=120, freq=f"{by}h")
        return ["hour,load", *(f"{time},{k % 24}" for k, time in enumerate(times))]

    data = {"name": "series", "path": write(hours(1)), "time": "hour", "window": 5}
    run = dl.fit(dataset=data, model="dnn", epochs=1, runs=tmp_path, name="hours", verbose=False)
    assert len(dl.predict(run, write(hours(1)))) == 116
    with pytest.raises(DatasetError, match="a step of 'hour' is 24 of the run's own steps"):
        dl.predict(run, write(hours(24)))


# A training beside the naive forecasts


def test_a_training_tells_the_errors_of_the_naive_forecasts(write, tmp_path):
    steps = np.random.default_rng(0).normal(size=300).cumsum()  # no forecast beats the last value
    rows = ["level,hour", *(f"{level},{hour % 24}" for hour, level in enumerate(steps))]
    data = {"name": "series", "path": write(rows), "window": 5, "season": 2}
    settings = {"dataset": data, "model": "dnn", "training": {"epochs": 2}}
    run = dl.fit(settings, runs=tmp_path, name="walk", verbose=False)
    walk = run.load_dataset()
    expected = [np.abs(walk.x_test[:, -k, 0] - walk.y_test).mean() for k in (1, 2)]
    errors = run.metrics["naive"]["test"]
    np.testing.assert_allclose([*errors.values()], expected, rtol=1e-6)  # float32
    told = f"as now {expected[0]:.4f}, as one season ago {expected[1]:.4f}; the network"
    line = f"without a network, test mae: {told} {run.metrics['test']['mae']:.4f}\n"
    assert str(run).count(line) == 1
    found = examine(run).evidence
    assert found.naive == run.metrics["naive"]["val"]
    assert no_better_than_naive(found)
    assert (found.leak, found.duplicates) == (None, 0)
    frame = pd.DataFrame({"level": steps, "hour": np.arange(len(steps)) % 24})
    assert dl.evaluate(run, frame)["all"] == dl.evaluate(run, data["path"])["all"]
    assert len(dl.predict(run, frame[:9])) == 5
    new = write([rows[0], *reversed(rows[1:21])])
    assert [row["input"] for row in dl.predict(run, new)] == [f"own.csv:{n}" for n in range(6, 22)]
    (scores,) = dl.evaluate(run, new).values()
    x, y = every_window(new, run.facts.encoding)[1][:-1], np.float32(steps[14::-1])
    assert scores["mae"] == pytest.approx(np.abs(run.model.predict(x, verbose=0)[:, 0] - y).mean())


def test_a_column_that_counts_the_steps_is_not_leakage(write):
    rows = ["level,hour", *(f"{row},{row}" for row in range(60))]
    assert leaking_column(load(write(rows), columns=["level", "hour"])) is None


# The tables of statsmodels


def test_without_statsmodels_the_command_to_install_it_is_told(write, monkeypatch):
    write(counted())
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(DatasetError) as error:
        load("sunspots", time="YEAR")
    text = "the package statsmodels, which holds the data, is not installed: pip install"
    assert str(error.value) == f"{text} statsmodels (or this package's extra: -e '.[series]')"
    recipe = recipe_from_text("dataset: {name: series, path: sunspots}\nmodel: rnn")
    with pytest.raises(DatasetError, match="is not installed"):
        recipe.refuse_missing()


def test_the_users_file_of_that_name_comes_first(write):
    write(counted())
    Path("own.csv").rename("co2")
    assert series_file("co2") == Path("co2")
    assert load("co2").x_train[0, 0, 0] == 0.5


needs_statsmodels = pytest.mark.skipif(
    importlib.util.find_spec("statsmodels") is None, reason="statsmodels is not installed"
)


@needs_statsmodels
def test_sunspots_are_309_years(write):
    write(counted())
    data = load("sunspots", time="YEAR", window=24, season=11)
    np.testing.assert_array_equal(data.x_train[0, :4, 0], [5, 11, 16, 23])  # 1700 to 1703
    assert [len(y) for _, y in data.splits.values()] == [186, 13, 38]
    assert (data.name, data.target_name) == ("sunspots", "SUNACTIVITY, 1 step ahead")


@needs_statsmodels
def test_co2_is_weekly_with_59_gaps(write):
    write(counted())
    data = load("co2", time="date", gaps="hold", window=60, season=52)
    assert data.columns.notes == ["59 missing values: the last known value is held"]
    np.testing.assert_array_equal(data.x_train[0, 5:8, 0], np.float32([316.9, 316.9, 317.5]))
    with pytest.raises(DatasetError, match=r"co2\.csv:8: column 'co2' is missing: fill it, or set"):
        load("co2", time="date")
    with pytest.raises(DatasetError, match="'date' rises with each row: is 'date' the time"):
        load("co2", gaps="hold")
    forecasts = naive_forecasts(data.x_test, data.encoding)
    now, ago = (np.abs(each - data.y_test).mean() for each in forecasts.values())
    assert now < ago  # CO2 changes less in one week than in one year
