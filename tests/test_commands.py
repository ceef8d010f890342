"""The commands as a user runs them: what they print, what they end with."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from conftest import figures
from PIL import Image

from dlcourse import __main__, commands
from dlcourse.commands import data, evaluate, predict, train
from dlcourse.commands import runs as runs
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.datasets.facts import DataFacts
from dlcourse.training import train as train_recipe

ROOT = Path(__file__).parent.parent


@pytest.fixture
def call(capfd):
    """Run a command's `main`; return its exit code and what it printed to both streams."""

    def run(command, *arguments):
        try:
            code = command.main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def table_run(tmp_path_factory):
    """A regression on a CSV file: y = 3·a, and 10 more where colour is red."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    a, red = rng.uniform(-1, 1, 200), rng.integers(0, 2, 200)
    rows = [f"{x:.4f},{'red' if r else 'blue'},{3 * x + 10 * r:.4f}" for x, r in zip(a, red)]  # noqa: B905
    path = folder / "table.csv"
    path.write_text("a,colour,y\n" + "\n".join(rows))
    recipe = recipe_from_text(
        f"dataset: {{name: csv, path: '{path}', target: y}}\n"
        "model: {name: linear_regression}\n"
        "training: {epochs: 60, learning_rate: 0.1, optimizer: {name: sgd, momentum: 0.9}}\n"
    )
    with figures():
        return train_recipe(recipe, folder, name="table", bar=False)


def test_train_prints_the_device_the_layers_every_epoch_and_the_metrics(call, tmp_path):
    config = ROOT / "configs" / "digits_softmax.yaml"
    code, out, err = call(
        train, "--config", config, "training.epochs=2", "--runs", tmp_path, "--name", "mine"
    )
    assert (code, err) == (0, "")
    assert "device  " in out
    rows = [line.split() for line in out.splitlines()]
    assert ["logits", "Dense", "10", "650"] in rows
    assert "epoch 2/2  loss" in out
    metrics = json.loads((tmp_path / "mine" / "metrics.json").read_text())
    score = metrics["test"]
    scores = [f"{score[name]:.4f}" for name in ("loss", "accuracy", "majority")]
    assert ["test", "360", *scores] in rows
    assert f"run         {tmp_path / 'mine'}" in out


def test_a_dry_run_and_a_printed_recipe_write_nothing(call, tmp_path):
    config = ROOT / "configs" / "digits_cnn.yaml"
    code, out, _ = call(train, "--config", config, "--dry-run", "--runs", tmp_path / "runs")
    assert code == 0
    assert "is valid; nothing was trained or written" in out
    code, out, _ = call(train, "--config", config, "model.dropout=0.5", "--print-config")
    assert recipe_from_text(out).settings("model")["dropout"] == 0.5
    assert not (tmp_path / "runs").exists()


def test_train_needs_a_recipe(call):
    code, _, err = call(train)
    assert code == 2
    assert "--config RECIPE is required" in err


def test_the_schema_is_json_and_names_every_model(call):
    code, out, _ = call(train, "--schema")
    assert code == 0
    assert {"CnnSettings", "RnnSettings", "DigitsSettings"} <= set(json.loads(out)["$defs"])


def test_evaluate_gives_the_metrics_of_the_training_and_of_each_class(call, digits_run):
    code, out, err = call(evaluate, "--run", digits_run.path, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {part: found[part] for part in ("train", "val", "test")} == {
        part: digits_run.metrics[part] for part in ("train", "val", "test")
    }
    classes = found["classes"]
    assert list(classes) == list("0123456789")
    assert sum(row["examples"] for row in classes.values()) == 360
    right = sum(row["recall"] * row["examples"] for row in classes.values())
    assert right / 360 == pytest.approx(found["test"]["accuracy"])
    code, out, _ = call(evaluate, "--run", digits_run.path)
    assert f"{classes['3']['f1']:.4f}" in out


def test_evaluate_on_other_data_that_does_not_fit_says_so(call, digits_run, tmp_path):
    other = tmp_path / "wine.yaml"
    other.write_text("dataset: {name: wine}\nmodel: {name: dnn}\n")
    code, _, err = call(evaluate, "--run", digits_run.path, "--config", other)
    assert code == 2
    assert "the model takes inputs of shape (8, 8, 1), but wine has (13,)" in err


def test_predict_reads_images_of_any_size_in_the_runs_own_range(call, digits_run, tmp_path):
    dataset = load_dataset("digits")
    files = []
    for index in range(10):
        pixels = (dataset.x_test[index, ..., 0].astype("float32") * 255 / 16).round()
        image = Image.fromarray(pixels.astype("uint8"))
        files.append(tmp_path / f"{index}.png")
        image.save(files[-1])
        image.resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / f"large {index}.png")
    code, out, err = call(predict, "--run", digits_run.path, *files, "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    expected = digits_run.model.predict(dataset.x_test[:10], verbose=0)
    assert [row["class"] for row in rows] == [str(label) for label in expected.argmax(axis=1)]
    # rescaling 0…16 to 0…255 rounds to whole grey levels
    found = [row["probability"] for row in rows]
    assert found == pytest.approx(expected.max(axis=1).tolist(), abs=0.01)
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    _, out, _ = call(predict, "--run", digits_run.path, *tmp_path.glob("large*"), "--json")
    large = {row["input"][-5]: row["class"] for row in json.loads(out)}
    # shrinking blurs a little: nearly all are read the same
    assert sum(large[file.stem] == row["class"] for file, row in zip(files, rows, strict=True)) >= 9


def test_predict_can_swap_dark_and_light(call, digits_run, tmp_path):
    dataset = load_dataset("digits")
    pixels = 255 - (dataset.x_test[0, ..., 0].astype("float32") * 255 / 16).round()
    Image.fromarray(pixels.astype("uint8")).save(tmp_path / "dark.png")
    arguments = ("--run", digits_run.path, tmp_path / "dark.png", "--json")
    _, straight, _ = call(predict, *arguments)
    _, inverted, _ = call(predict, *arguments, "--invert")
    expected = digits_run.model.predict(dataset.x_test[:1], verbose=0)
    found = json.loads(inverted)[0]["probability"]
    assert found == pytest.approx(float(expected.max()), abs=0.01)
    assert json.loads(straight)[0]["probability"] != found


def test_predict_prints_a_table_with_the_next_best_class(call, digits_run, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    code, out, _ = call(predict, "--run", digits_run.path, tmp_path / "black.png", "--as-is")
    assert code == 0
    head, row = out.splitlines()
    assert head.split() == ["input", "class", "probability", "next", "warning"]
    assert re.search(r"unlike the training data \(distance \d+\.\d\d, at most 1 is usual\)$", row)
    assert row.split()[0] == str(tmp_path / "black.png")


def test_predict_names_a_file_that_is_not_an_image(call, digits_run, tmp_path):
    (tmp_path / "a.png").write_text("hello")
    code, out, err = call(predict, "--run", digits_run.path, tmp_path / "a.png")
    assert (code, out) == (2, "")
    assert err == f"{tmp_path}/a.png: not a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF image\n"


def test_predict_encodes_new_rows_as_in_training(call, table_run, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("colour,a\nred,0.5\nblue,-0.5\n")
    code, out, err = call(predict, "--run", table_run.path, new, "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [row["input"] for row in rows] == [f"{new}:2", f"{new}:3"]
    # 3·a + 10·red, as far as 60 epochs come
    assert [row["prediction"] for row in rows] == pytest.approx([11.5, -1.5], abs=0.05)
    code, out, _ = call(predict, "--run", table_run.path, new)
    assert "prediction" in out.splitlines()[0]


def test_data_shows_the_columns_and_with_a_target_the_splits(call, tmp_path):
    rows = "".join(f"{i * 7 % 30}; {'pq'[i % 2]}\n" for i in range(30))
    (tmp_path / "own.csv").write_text(f"a;b\n{rows}")
    code, out, err = call(data, tmp_path / "own.csv")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "column  taken as      missing  range",
        "a       number                 0 to 29",
        "b       2 categories           p, q",
    ]
    code, out, _ = call(data, tmp_path / "own.csv", "--target", "b", "test_fraction=0.5")
    assert out.splitlines()[-1] == "own: binary, inputs (1,), 12 train, 3 val, 15 test"
    code, _, err = call(data, tmp_path / "own.csv", "mising=drop")
    assert (code, err) == (2, "csv: unknown setting 'mising' (did you mean 'missing'?)\n")


def test_a_dry_run_reads_the_data_and_shows_its_columns(call, tmp_path):
    rows = "".join(f"{i * 7 % 30},{'pq'[i % 2]}\n" for i in range(30))
    (tmp_path / "own.csv").write_text(f"a,b\n{rows}")
    dataset = f"{{name: csv, path: '{tmp_path / 'own.csv'}', target: b}}"
    (tmp_path / "own.yaml").write_text(f"dataset: {dataset}\nmodel: dnn\n")
    code, out, err = call(train, "--config", tmp_path / "own.yaml", "--dry-run")
    assert (code, err) == (0, "")
    assert "b       target: 2 classes           p, q" in out
    code, _, err = call(
        train, "--config", tmp_path / "own.yaml", "--dry-run", "model=linear_regression"
    )
    assert code == 2
    assert "model.name" in err


def test_predict_names_an_unknown_category(call, table_run, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("colour,a\ngreen,0.5\n")
    code, _, err = call(predict, "--run", table_run.path, new)
    assert code == 2
    assert f"{new}:2: column 'colour' is 'green': an unknown category" in err


def test_a_regression_run_is_evaluated_and_pictured(call, table_run):
    code, out, _ = call(evaluate, "--run", table_run.path, "--json")
    assert code == 0
    assert json.loads(out)["test"]["r2"] > 0.99
    assert (table_run.path / "figures" / "predicted_and_true.png").stat().st_size > 5000


def test_runs_lists_the_best_first_and_tells_unfinished_and_broken_ones(call, tmp_path):
    def fake(name, accuracy, classes=()):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "recipe.yaml").write_text("seed: 0")
        facts = DataFacts("digits", "multiclass", (8, 8, 1), class_names=classes)
        (folder / "dataset.json").write_text(json.dumps(asdict(facts)))
        score = {"loss": 1.0, "accuracy": accuracy}
        metrics = {"train": score, "val": score, "test": score, "parameters": 7}
        (folder / "metrics.json").write_text(
            json.dumps({**metrics, "epochs_run": 2, "best_epoch": 1, "seconds": 1.0})
        )

    fake("worse", 0.5)
    fake("better", 0.9)
    fake("broken", 0.7)
    fake("half", 0.8)
    (tmp_path / "broken" / "metrics.json").write_text("{")
    (tmp_path / "half" / "metrics.json").unlink()
    code, out, _ = call(runs, "--runs", tmp_path)
    assert code == 0
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["better", "worse", "broken", "half"]
    assert [row[2] for row in rows] == ["accuracy", "accuracy", "broken", "unfinished"]
    assert max(map(len, out.splitlines())) < 80
    _, out, _ = call(runs, "--runs", tmp_path, "--json")
    assert json.loads(out)[0]["test"] == 0.9
    fake("easy", 0.99, ["0", "1"])
    fake("hard", 0.8, ["3", "5"])
    fake("harder", 0.7, ["3", "5"])
    _, out, _ = call(runs, "--runs", tmp_path)
    rows = [line.split("  ") for line in out.splitlines()[1:]]
    named = {row[0]: next(filter(None, map(str.strip, row[1:]))) for row in rows}
    assert [name for name in named if name in ("easy", "hard", "harder")] == list(named)[-3:]
    assert (named["easy"], named["hard"], named["better"]) == (
        "digits 0, 1",
        "digits 3, 5",
        "digits",
    )
    _, out, _ = call(runs, "--runs", tmp_path / "none")
    assert "no runs in" in out


def test_the_list_of_commands_runs_them_and_names_unknown_ones(call):
    code, out, _ = call(__main__)
    assert code == 0
    for name in commands.COMMANDS:
        assert f"  {name} " in out
    code, _, err = call(__main__, "trian")
    assert code == 2
    assert err.startswith("dlcourse: unknown command 'trian' (known: train, recipes, data, eval")
    code, out, _ = call(__main__, "runs", "--help")
    assert code == 0
    assert "best validation score first" in out


def test_a_closed_pipe_gives_no_traceback():
    command = f"{sys.executable} -m dlcourse.train --schema | head -n 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_ctrl_c_is_one_line_and_130(monkeypatch, call):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dlcourse.runs.list_runs", interrupt)
    assert call(runs) == (130, "", "interrupted\n")


def test_a_backend_that_is_not_installed_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dlcourse.train", "--config", "configs/digits_cnn.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": "", "KERAS_BACKEND": "nonsense", "HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Keras cannot start on the nonsense backend" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_device_and_progress_lines_are_the_only_output_of_tensorflow(tmp_path):
    """What TensorFlow's libraries print at their start is held back in a process of its own."""
    arguments = ["--config", "configs/digits_softmax.yaml", "training.epochs=1"]
    done = subprocess.run(
        [sys.executable, "-m", "dlcourse.train", *arguments, "--runs", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_predict_goes_on_after_a_bad_file_and_reads_folders(call, digits_run, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    Image.fromarray(load_dataset("digits").x_test[0, ..., 0]).save(folder / "a.png")
    (folder / "b.png").write_text("hello")
    code, out, err = call(predict, "--run", digits_run.path, folder, "--json")
    assert code == 1
    assert [row["input"] for row in json.loads(out)] == [str(folder / "a.png")]
    assert err == f"{folder}/b.png: not a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF image\n"


def test_a_regression_on_large_targets_learns_with_default_settings(tmp_path):
    rng = np.random.default_rng(0)
    rooms = rng.uniform(1, 8, 300)
    price = 200_000 + 90_000 * rooms + rng.normal(0, 10_000, 300)
    path = tmp_path / "houses.csv"
    rows = "\n".join(f"{a},{b}" for a, b in zip(rooms, price, strict=True))
    path.write_text(f"rooms,price\n{rows}")
    recipe = recipe_from_text(
        f"dataset: {{name: csv, path: '{path}', target: price}}\nmodel: {{name: dnn}}"
    )
    run = train_recipe(recipe, tmp_path, bar=False)
    assert run.metrics["test"]["r2"] > 0.95
    assert run.model.layers[-1].name == "prediction"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--name", "a b"], "run name 'a b': letters, digits"),
        (["--name", "taken"], "taken: exists already: choose another name"),
        (["--runs", "{file}"], "is a file: a folder of runs is expected"),
        (
            [
                "dataset={name: csv, path: nowhere.csv, target: y}",
                "model={name: dnn}",
                "training.augmentation=null",
            ],
            "no such file",
        ),
    ],
)
def test_cheap_mistakes_are_told_before_keras_is_loaded(arguments, text, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    arguments = [part.replace("{file}", str(tmp_path / "file")) for part in arguments]
    code = (
        "import sys; from dlcourse import train; code = train.main(sys.argv[1:]); "
        "sys.exit(9 if 'keras' in sys.modules else code)"
    )
    config = ["--config", "configs/digits_cnn.yaml", "--runs", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *config, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stdout == ""
