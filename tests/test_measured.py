"""What a run is measured on: its own examples, grown files, and other data, encoded as its own."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics import accuracy_score

import dlcourse as dl
from dlcourse.commands import main
from dlcourse.datasets import load_dataset
from dlcourse.datasets.dataset import digests
from dlcourse.errors import DatasetError, RunError

COIN = "abcdefgh"


def wine() -> pd.DataFrame:
    """Three cultivars, 13 numbers and a word."""
    source = load_wine(as_frame=True)
    frame = source.frame
    frame["wine"] = np.array(source.target_names)[frame.pop("target")]
    frame["colour"] = np.where(frame["hue"] > 1, "red", "blue")
    return frame


def coins(rows: int, seed: int) -> pd.DataFrame:
    """Numbers that tell nothing about a coin."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, len(COIN))), columns=list(COIN))
    return frame.assign(coin=rng.choice(["heads", "tails"], rows))


def train(folder, frame, target, **training):
    frame.to_csv(folder / "data.csv", index=False)
    data = {"name": "csv", "path": str(folder / "data.csv"), "target": target}
    return dl.fit(
        {"dataset": data, "model": {"name": "dnn", "hidden": [16]}, "training": training},
        runs=folder,
        verbose=0,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wine")
    return train(folder, wine(), "wine", epochs=15, learning_rate=0.01)


@pytest.fixture(scope="module")
def coin_run(tmp_path_factory):
    """A run of coin tosses, learned by heart."""
    how = {"epochs": 60, "learning_rate": 0.02, "restore_best_weights": False}
    return train(tmp_path_factory.mktemp("coins"), coins(60, 0), "coin", **how)


@pytest.fixture
def tossed(coin_run):
    """The run of coin tosses, whose files may be changed."""
    files = [coin_run.path.parent / "data.csv", coin_run.path / "examples.npz"]
    kept = [file.read_bytes() for file in files]
    yield coin_run
    for file, content in zip(files, kept, strict=True):
        file.write_bytes(content)
    (files[0].parent / "other.csv").unlink(missing_ok=True)


def answers(run, frame) -> list[str]:
    return [row["class"] for row in dl.predict(run, frame.drop(columns="wine"))]


def test_columns_in_another_order_change_no_metric(run, tmp_path):
    frame = wine()
    frame[frame.columns[::-1]].to_csv(tmp_path / "other.csv", sep=";", decimal=",", index=False)
    measured, own = dl.evaluate(run, tmp_path / "other.csv"), dl.evaluate(run)
    assert {part: measured[part] for part in own} == own
    right = accuracy_score(frame["wine"], answers(run, frame))
    assert measured["all"]["accuracy"] == pytest.approx(right, abs=1e-12)
    assert dl.evaluate(run, frame) == measured


def test_a_file_without_one_class_and_one_category_is_measured_whole(run, tmp_path, capfd):
    frame = wine()
    few = frame[(frame["wine"] != "class_1") & (frame["colour"] == "red")].copy()
    few["alcohol"] += 0.001  # rows that the run has not seen
    few.to_csv(tmp_path / "few.csv", index=False)
    assert main(["evaluate", str(tmp_path / "few.csv"), "--run", str(run.path), "--json"]) == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed.keys() == {"new", "classes"}
    assert {name: row["examples"] for name, row in printed["classes"].items()} == dict(
        few["wine"].value_counts()
    )
    right = accuracy_score(few["wine"], answers(run, few))
    assert printed["new"]["accuracy"] == pytest.approx(right, abs=1e-12)
    assert main(["evaluate", f"dataset.path={tmp_path / 'few.csv'}", "--run", str(run.path)]) == 0
    assert f"new          {len(few)}" in capfd.readouterr().out


def test_rows_that_cannot_be_measured_are_named_and_the_others_measured(run, tmp_path):
    frame = wine().head(20).copy()
    frame.loc[3, "colour"] = "green"
    frame.loc[5, "wine"] = "class_9"
    frame.loc[7, "wine"] = None
    frame.to_csv(tmp_path / "odd.csv", index=False)
    told = (
        "odd.csv:5: column 'colour' is 'green': .*odd.csv:7: .*an unknown class.*odd.csv:9: .*empty"
    )
    with pytest.warns(UserWarning, match=told):
        measured = dl.evaluate(run, tmp_path / "odd.csv")
    kept = frame.drop(index=[3, 5, 7])
    right = accuracy_score(kept["wine"], answers(run, kept))
    assert measured["all"]["accuracy"] == pytest.approx(right, abs=1e-12)


def test_a_data_set_with_other_columns_is_refused_with_the_cure(run, tmp_path):
    frame = wine()
    frame[frame.columns[::-1]].to_csv(tmp_path / "other.csv", index=False)
    other = load_dataset("csv", tmp_path / "other.csv", "wine")
    with pytest.raises(RunError, match="other has other columns: give its file"):
        dl.evaluate(run, other)
    with pytest.raises(DatasetError, match="no column 'wine'"):
        dl.evaluate(run, frame.drop(columns="wine"))
    with pytest.raises(DatasetError, match="no column 'hue'"):
        dl.evaluate(run, frame.drop(columns="hue"))


def test_rows_that_were_added_to_the_file_are_measured_apart(tossed, capfd):
    before = dl.evaluate(tossed)
    grown = pd.concat([coins(60, 0), coins(30, 1)]).sample(frac=1, random_state=0)
    grown.to_csv(tossed.path.parent / "data.csv", index=False)
    after = dl.evaluate(tossed.path)
    for part, metrics in before.items():
        assert after[part] == pytest.approx(metrics, abs=1e-6)
    assert before["train"]["accuracy"] > 0.9 > 0.75 > after["new"]["accuracy"]
    assert main(["evaluate", "--run", str(tossed.path)]) == 0
    printed = capfd.readouterr().out
    sizes = {"train": 40, "val": 8, "test": 12, "new": 30, "all": 90}
    rows = [line.split() for line in printed.splitlines()]
    assert {row[0]: int(row[1]) for row in rows if row and row[0] in sizes} == sizes


def test_the_splits_of_a_grown_file_are_those_of_the_training(tossed):
    before = tossed.load_dataset()
    pd.concat([coins(60, 0), coins(30, 1)]).to_csv(tossed.path.parent / "data.csv", index=False)
    after = dl.read_run(tossed.path).load_dataset()
    for part, (x, y) in before.splits.items():
        np.testing.assert_array_equal(after.splits[part][0], x)
        np.testing.assert_array_equal(after.splits[part][1], y)
    assert dl.diagnose(dl.read_run(tossed.path)), "it is about the examples of the training"


def test_a_changed_cell_makes_a_row_new(tossed):
    frame = coins(60, 0)
    frame.loc[0, "a"] += 1
    frame.to_csv(tossed.path.parent / "data.csv", index=False)
    measured = dl.evaluate(tossed.path)
    assert measured.keys() > {"train", "test", "new"}


def test_changed_data_of_a_run_without_digests_is_refused(tossed):
    (tossed.path / "examples.npz").unlink()
    assert dl.evaluate(tossed)["train"]
    coins(90, 0).to_csv(tossed.path.parent / "data.csv", index=False)
    with pytest.raises(DatasetError, match="the data has changed since this run was trained"):
        dl.evaluate(tossed.path)
    (tossed.path.parent / "other.csv").write_text((tossed.path.parent / "data.csv").read_text())
    assert dl.evaluate(tossed.path, tossed.path.parent / "other.csv").keys() == {"all"}


def test_a_file_whose_examples_are_all_gone_is_refused_where_splits_are_needed(tossed):
    coins(60, 7).to_csv(tossed.path.parent / "data.csv", index=False)
    assert dl.evaluate(tossed.path).keys() == {"new"}
    with pytest.raises(DatasetError, match="has changed: no example of the train split is left"):
        dl.read_run(tossed.path).load_dataset()


def test_copies_of_a_row_are_assigned_to_the_splits_that_have_them(tmp_path):
    """Rows of few values: each split keeps as many copies as it had, more are seen in training."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 2, 80), "b": rng.integers(0, 2, 80)})
    frame["y"] = np.where(frame["a"] > 0, "up", "down")
    run = train(tmp_path, frame, "y", epochs=1)
    pd.concat([frame, frame.head(4)]).to_csv(tmp_path / "data.csv", index=False)
    rows = {part: len(y) for part, (y, _) in own_answers(run).items()}
    examples = run.facts.examples
    assert rows == {**examples, "train": examples["train"] + 4, "all": 84}


def own_answers(run):
    from dlcourse.runs.measured import own_answers

    return own_answers(dl.read_run(run.path))


def test_examples_are_equal_only_with_their_labels_and_in_any_type():
    x = np.arange(12).reshape(2, 2, 3)
    first = digests(x.astype("uint8"), np.array([0, 1]))
    assert len({*first}) == 2
    np.testing.assert_array_equal(digests(x.astype("float32"), np.array([0, 1])), first)
    assert not (digests(x, np.array([1, 0])) == first).any()


def test_damaged_digests_are_told(tossed):
    (tossed.path / "examples.npz").write_bytes(b"no archive")
    coins(90, 0).to_csv(tossed.path.parent / "data.csv", index=False)
    with pytest.raises(RunError, match=r"examples\.npz: is damaged"):
        dl.evaluate(tossed.path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A run of a folder of pictures, one class bright and one dark."""
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder / "data", 12, seed=0)
    data = {"name": "image_folder", "path": str(folder / "data"), "size": [8, 8]}
    model = {"name": "dnn", "hidden": [8]}
    return dl.fit(
        {"dataset": data, "model": model, "training": {"epochs": 3}}, runs=folder, verbose=0
    )


def write_pictures(folder, count, seed, names=("bright", "dark")):
    from PIL import Image

    rng = np.random.default_rng(seed)
    for name, level in zip(names, (160, 0), strict=False):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = level + rng.integers(0, 90, (8, 8, 3))
            Image.fromarray(pixels.astype("uint8")).save(folder / name / f"{number}.png")


def test_a_folder_of_two_pictures_of_one_class_is_measured_whole(pictures, tmp_path):
    write_pictures(tmp_path / "new", 2, seed=1, names=("bright",))
    (tmp_path / "new" / "dusk").mkdir()
    (tmp_path / "new" / "bright" / "0.png").rename(tmp_path / "new" / "dusk" / "0.png")
    with pytest.warns(UserWarning, match="folders that are not of a class are left out: dusk"):
        measured = dl.evaluate(pictures, tmp_path / "new")
    (row,) = dl.predict(pictures, tmp_path / "new" / "bright")
    assert measured == {
        "new": {
            "accuracy": float(row["class"] == "bright"),
            "majority": 1.0,
            "loss": pytest.approx(-np.log(row["probabilities"]["bright"]), rel=1e-4),
        }
    }
    with pytest.raises(
        DatasetError, match=r"no folder in it is named after a class \(bright, dark"
    ):
        dl.evaluate(pictures, tmp_path / "new" / "dusk")


def test_a_folder_that_has_grown_tells_its_new_pictures(pictures):
    folder = pictures.path.parent
    before = dl.evaluate(pictures)
    write_pictures(folder / "more", 3, seed=2)
    for file in sorted((folder / "more").rglob("*.png")):
        file.rename(folder / "data" / file.parent.name / f"more{file.name}")
    after = dl.evaluate(pictures.path)
    assert {part: after[part] for part in before} == {
        part: pytest.approx(metrics, abs=1e-6) for part, metrics in before.items()
    }
    assert "new" in after


def test_an_npz_file_is_measured_by_the_names_of_its_classes_or_their_positions(
    digits_run, tmp_path
):
    data = load_dataset("digits", seed=3)
    three = data.y_test == 3
    np.savez(tmp_path / "threes.npz", x_train=data.x_test[three], y_train=data.y_test[three])
    measured = dl.evaluate(digits_run, tmp_path / "threes.npz")
    every = dl.evaluate(digits_run, (data.x_test[three], data.y_test[three]))
    assert measured["test"] == pytest.approx(every, abs=1e-6)


def test_the_training_files_own_separator_and_encoding_are_tried_on_new_files(tmp_path):
    rows = [f"{k % 7}^{k % 5}^{'ja' if k % 2 else 'nein €'}" for k in range(60)]
    text = "\n".join(["a^b^y", *rows])
    (tmp_path / "data.csv").write_bytes(text.encode("iso-8859-15"))
    data = {"name": "csv", "path": str(tmp_path / "data.csv"), "target": "y"}
    data |= {"separator": "^", "encoding": "iso-8859-15"}
    recipe = {"dataset": data, "model": {"name": "dnn"}, "training": {"epochs": 1}}
    run = dl.fit(recipe, runs=tmp_path, verbose=0)
    (tmp_path / "data.csv").write_bytes("\n".join([text, *rows[:4]]).encode("iso-8859-15"))
    measured = dl.evaluate(run.path)
    assert measured.keys() == {"train", "val", "test", "all"}
    with pytest.warns(UserWarning, match="an unknown class"):
        dl.evaluate(run.path, frame_file(tmp_path / "plain.csv"))


def frame_file(path):
    path.write_text("b,a,y\n1,2,ja\n3,4,vielleicht\n", encoding="utf-8")
    return path


def test_one_thing_is_measured_at_a_time(run, capsys):
    for more in (["b.csv"], ["--config", "iris_dnn"], ["seed=1"]):
        with pytest.raises(SystemExit, match="2"):
            main(["evaluate", "a.csv", *more, "--run", str(run.path)])
        assert "expected one FILE, or --config and settings" in capsys.readouterr().err


def test_a_new_file_of_arrays_is_read_in_the_range_and_with_the_labels_of_the_run(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (rng.integers(0, 500, (90, 4, 4)) + 1500 * y[:, None, None]).astype("uint16")
    data = {"name": "npz", "path": str(tmp_path / "own.npz"), "value_range": [0, 4095]}
    data["class_names"] = ["dark", "grey", "light"]
    np.savez(data["path"], x_train=x, y_train=y)
    run = dl.fit(dataset=data, model={"name": "dnn", "hidden": []}, epochs=1, runs=tmp_path)
    few = np.flatnonzero(y != 1)[:20]  # labels 0 and 2: class 1 is absent
    np.savez(tmp_path / "new.npz", x_train=x[few] + 1, y_train=y[few])
    expected = dl.evaluate(run, (x[few] + 1, y[few]))
    assert dl.evaluate(run, str(tmp_path / "new.npz")) == {"new": expected}
    np.savez(tmp_path / "new.npz", x_train=x * 4, y_train=y)
    with pytest.raises(RunError, match=r"values from 0 to 1.*, the run's images from 0 to 4095"):
        dl.evaluate(run, str(tmp_path / "new.npz"))
    np.savez(tmp_path / "new.npz", x_train=x / 4095, y_train=y)
    with pytest.warns(UserWarning, match="images from 0 to 4095: are they scaled"):
        dl.evaluate(run, str(tmp_path / "new.npz"))


def test_rows_keep_their_split_by_content_when_the_file_grows(tmp_path):
    """Also in another order, and with a column written in another way."""
    frame = wine()
    grown = pd.concat([frame, frame.assign(hue=frame["hue"] + 0.001)]).sample(
        frac=1, random_state=0
    )
    frame.to_csv(tmp_path / "first.csv", index=False)
    grown.to_csv(tmp_path / "grown.csv", index=False, sep=";", decimal=",")
    for seed in (0, 1):
        given = {"target": "wine", "split": "content", "seed": seed}
        first = load_dataset("csv", tmp_path / "first.csv", **given)
        later = load_dataset("csv", tmp_path / "grown.csv", **given)
        for part, (x, y) in first.splits.items():
            assert set(digests(x, y)) <= set(digests(*later.splits[part]))
        shares = [len(y) / 356 for _, y in later.splits.values()]
        assert shares == pytest.approx([0.68, 0.12, 0.2], abs=0.06)
    one, two = (load_dataset("csv", tmp_path / "first.csv", **given | {"seed": s}) for s in (0, 1))
    np.testing.assert_array_equal(one.x_test, two.x_test)
    assert not np.array_equal(one.x_val, two.x_val)


def test_rows_in_another_order_are_the_same_examples(tossed):
    before = tossed.load_dataset()
    coins(60, 0).sort_values("a").to_csv(tossed.path.parent / "data.csv", index=False)
    after = dl.read_run(tossed.path).load_dataset()
    for part, (x, y) in before.splits.items():
        np.testing.assert_array_equal(after.splits[part][0], x)
        np.testing.assert_array_equal(after.splits[part][1], y)


def test_an_interrupted_training_goes_on_with_a_file_that_has_grown(tmp_path):
    whole = train(tmp_path, coins(60, 0), "coin", epochs=4)
    data = {"name": "csv", "path": str(tmp_path / "data.csv"), "target": "coin"}
    recipe = {"dataset": data, "model": {"name": "dnn", "hidden": [16]}, "training": {"epochs": 2}}
    part = dl.fit(recipe, runs=tmp_path, verbose=0)
    pd.concat([coins(9, 1), coins(60, 0)]).to_csv(tmp_path / "data.csv", index=False)
    resumed = dl.resume(part, epochs=4, verbose=0)
    assert resumed.history == whole.history


def test_repeated_rows_are_not_part_of_the_training(tossed):
    sizes = dict(tossed.facts.examples)
    pd.concat([coins(60, 0), coins(60, 0).head(9)]).to_csv(
        tossed.path.parent / "data.csv", index=False
    )
    data = dl.read_run(tossed.path).load_dataset()
    assert data.facts.examples == sizes


def test_whole_numbers_that_may_be_classes_or_positions_are_refused(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = np.arange(60) % 3 + 1
    run = dl.fit((x, y), model="dnn", epochs=1, runs=tmp_path, verbose=0)
    few = y < 3
    by_name = dl.evaluate(run, (x[few], y[few].astype(str)))
    with pytest.raises(RunError, match="labels 1, 2 may be classes or their positions"):
        dl.evaluate(run, (x[few], y[few]))
    assert dl.evaluate(run, (x[few], y[few] - 1)) == by_name
    every = dl.evaluate(run, (x, y.astype(str)))
    assert dl.evaluate(run, (x, y)) == every == dl.evaluate(run, (x, y - 1))
    np.savez(tmp_path / "new.npz", x=x, y=y.astype(str))
    assert dl.evaluate(run, tmp_path / "new.npz")["all"] == pytest.approx(every, abs=1e-6)
    np.savez(tmp_path / "half.npz", x_test=x)
    with pytest.raises(DatasetError, match="no array 'y_test' with the answers for 'x_test'"):
        dl.evaluate(run, tmp_path / "half.npz")


def test_a_target_is_read_as_the_training_read_it(tmp_path):
    frame = coins(60, 0)
    weight = [f"{50 + 9 * value:.1f} kg" for value in frame["a"]]
    run = train(tmp_path, frame.drop(columns="coin").assign(weight=weight), "weight", epochs=1)
    new = coins(20, 1).drop(columns="coin")
    measured = dl.evaluate(run, new.assign(weight=50 + 9 * new["a"]))
    assert measured.keys() == {"new"}
    with pytest.raises(DatasetError, match=r"'weight' is '\d+ lb': a number is expected"):
        dl.evaluate(run, new.assign(weight=[f"{k} lb" for k in range(20)]))
    assert dl.evaluate(run, new.head(1).assign(weight=50))["new"]["r2"] is None


@pytest.mark.parametrize(
    ("classes", "new"),
    [
        (["1 star", "2 stars", "3 stars"], ["2 stars", "3 stars"]),
        (["False", "True"], ["TRUE", "false"]),
        (["1", "2", "3"], ["01", "2.0"]),
    ],
)
def test_the_classes_of_a_new_file_are_those_of_the_run(classes, new, tmp_path):
    frame = coins(60, 0).drop(columns="coin")
    run = train(tmp_path, frame.assign(y=(classes * 60)[:60]), "y", epochs=1)
    few = coins(20, 1).drop(columns="coin").assign(y=new * 10)
    few.to_csv(tmp_path / "new.csv", index=False)
    assert dl.evaluate(run, tmp_path / "new.csv").keys() == {"new"}
    few.assign(y=[*new * 9, new[0], "4 moons"]).to_csv(tmp_path / "odd.csv", index=False)
    with pytest.warns(UserWarning, match="odd.csv:21: column 'y' is '4 moons': an unknown class"):
        dl.evaluate(run, tmp_path / "odd.csv")


def test_lines_above_and_below_the_table_are_left_out_as_in_the_training(tmp_path):
    coins(60, 0).to_csv(tmp_path / "plain.csv", index=False)
    text = f"My coins\n{(tmp_path / 'plain.csv').read_text()}Source: me\n"
    (tmp_path / "data.csv").write_text(text)
    data = {"name": "csv", "path": str(tmp_path / "data.csv"), "target": "coin"}
    recipe = {"dataset": data, "model": {"name": "dnn"}, "training": {"epochs": 1}}
    run = dl.fit(recipe, runs=tmp_path, verbose=0)
    with pytest.warns(UserWarning, match="left out") as told:
        assert dl.evaluate(run, tmp_path / "data.csv").keys() == {"train", "val", "test", "all"}
    said = " ".join(str(each.message) for each in told)
    assert "'My coins' left out as a title" in said
    assert "'Source: me' left out" in said


def test_a_folder_that_is_named_like_a_class_is_not_one(pictures, tmp_path):
    write_pictures(tmp_path / "dark", 2, seed=5)
    write_pictures(tmp_path / "other", 2, seed=5)
    assert dl.evaluate(pictures, tmp_path / "dark") == dl.evaluate(pictures, tmp_path / "other")
