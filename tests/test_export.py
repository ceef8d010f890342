"""A run in other runtimes' formats: it answers there as in Keras, or it is not written."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import keras
import numpy as np
import pytest

import dlcourse as dl
from dlcourse.commands import export
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.lab import exporting
from dlcourse.lab.exporting import columns
from dlcourse.models import build_model
from dlcourse.training import train

FORMATS = list(exporting.FORMATS)
DATA = {
    "cnn": ("digits", {"filters": [4, 8], "hidden": [8], "batch_norm": True}),
    "rnn": ("digits", {"cell": "lstm", "units": 8, "bidirectional": True}),
    "logistic_regression": ("breast_cancer", {}),
    "linear_regression": ("diabetes", {}),
}
QUICK = ("cnn", "linear_regression")  # images and a table, classes and numbers


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """What the command sets for TensorFlow is taken back, and timing is short."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "1")
    timed = exporting.microseconds
    monkeypatch.setattr(
        exporting, "microseconds", lambda *arguments: timed(*arguments, seconds=0.0)
    )


@pytest.fixture
def call(capfd):
    """Run the command; return its exit code and what it printed to both streams."""

    def run(*arguments):
        try:
            code = export.main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
        return code, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def built():
    """A model of each kind, untrained, with examples of its data."""
    keras.utils.set_random_seed(0)
    found = {}
    for name, (data, model) in DATA.items():
        dataset = load_dataset(data)
        found[name] = build_model(name, dataset, **model), dataset.x_test[:30]
    return found


@pytest.fixture(scope="module")
def regression_run(tmp_path_factory):
    """A linear regression on the diabetes data, one epoch long."""
    text = "dataset: {name: diabetes}\nmodel: {name: linear_regression}\ntraining: {epochs: 1}\n"
    folder = tmp_path_factory.mktemp("regression")
    return train(recipe_from_text(text), folder, name="diabetes", bar=False)


def runtime(name: str, path: Path, x: np.ndarray) -> np.ndarray:
    """What a user's own few lines with the format's runtime answer to a batch."""
    if name == "onnx":
        import onnxruntime

        session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert [one.name for one in session.get_inputs()] == ["inputs"]
        return session.run(None, {"inputs": x})[0]
    if name == "litert":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path))
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, x)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    import tensorflow as tf

    loaded = tf.saved_model.load(path)  # a name keeps its variables alive
    return loaded.serve(x).numpy()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in DATA]
)
def test_the_artifact_answers_as_keras_does_at_any_batch_size(built, kind, name, tmp_path):
    model, x = built[kind]
    expected = model.predict(x, verbose=0)
    done = exporting.export(model, name, tmp_path, x)
    assert done.path == tmp_path / exporting.FORMATS[name].file
    # float32 arithmetic in another order; predictions of `diabetes` are a hundred times larger
    tolerance = 1e-6 * max(1, np.abs(expected).max())
    for rows in (slice(0, 1), slice(0, 30)):
        found = runtime(name, done.path, x[rows].astype("float32"))
        np.testing.assert_allclose(found, expected[rows], rtol=0, atol=tolerance)
    assert done.difference <= tolerance
    assert done.allowed == pytest.approx(
        1e-4 * (np.abs(expected).max() if kind == "linear_regression" else 1)
    )


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_leaves_the_model_as_it_was(built, name, tmp_path):
    model, x = built["rnn"]
    before, config = model.get_weights(), model.to_json()
    exporting.export(model, name, tmp_path, x)
    assert model.to_json() == config
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cell", ["simple", "gru"])
def test_the_other_recurrent_cells_run_on_litert_without_tensorflow(cell, tmp_path):
    model = build_model("rnn", load_dataset("digits"), cell=cell, units=4)
    x = load_dataset("digits").x_test[:5]
    path = exporting.export(model, "litert", tmp_path, x).path
    assert b"FlexTensorList" not in path.read_bytes()


def test_gelu_runs_on_onnx_runtime(tmp_path):
    model = build_model("dnn", load_dataset("digits"), hidden=[8], activation="gelu")
    exporting.export(model, "onnx", tmp_path, load_dataset("digits").x_test[:5])


def test_a_model_of_mixed_precision_is_exported_in_float32(tmp_path):
    dataset = load_dataset("digits")
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        mixed = build_model("dnn", dataset, hidden=[8])
    finally:
        keras.config.set_dtype_policy("float32")
    x = dataset.x_test[:50]
    model = exporting.in_float32(mixed)
    exact, rough = model.predict(x, verbose=0), mixed.predict(x, verbose=0)
    np.testing.assert_allclose(exact, rough, atol=0.05)  # bfloat16 has 8 bits
    assert not np.array_equal(exact, rough)
    for name in FORMATS:
        assert exporting.export(model, name, tmp_path, x).difference < 1e-6  # float32


@pytest.mark.parametrize("name", FORMATS)
def test_the_layers_of_nested_models_are_made_portable_too(name, tmp_path):
    """The tables' scaling, GELU and precision are inside the models that this one is made of."""
    dataset = load_dataset("iris")
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        members = [build_model("dnn", dataset, hidden=[8], activation="gelu") for _ in range(2)]
        inputs = keras.Input((4,))
        average = keras.layers.Average(dtype="float32")([member(inputs) for member in members])
        mixed = keras.Model(inputs, average)
    finally:
        keras.config.set_dtype_policy("float32")
    model = exporting.in_float32(mixed)
    assert exporting.export(model, name, tmp_path, dataset.x_test).difference < 1e-6
    inputs = exporting.random_inputs(mixed, (0.0, 1.0), 1000)
    np.testing.assert_allclose(inputs.mean(axis=0), dataset.x_train.mean(axis=0), rtol=0.2)


def test_the_command_tells_size_difference_and_speed(call, digits_run, tmp_path):
    out = tmp_path / "new" / "folder"
    arguments = ["--run", digits_run.path, "--to", "litert", "onnx", "--to", "saved_model"]
    code, text, err = call(*arguments, "--out", out)
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert "input     float32 (n, 8, 8, 1), any n: raw values 0 to 16" in lines
    assert "compared  on 360 of 360 test images of digits" in lines
    rows = {line.split()[0]: line.split() for line in lines[7:11]}
    assert list(rows) == ["keras", "litert", "onnx", "saved_model"]
    size = (out / "model.onnx").stat().st_size / 1024
    assert rows["onnx"][3:5] == [f"{size:.1f}", "KiB"]
    assert float(rows["onnx"][5]) < 1e-5
    assert all(float(value) > 0 for row in rows.values() for value in row[-4:])
    assert lines[-3:] == [
        f"wrote     {out / file}" for file in ("model.tflite", "model.onnx", "saved_model")
    ]
    assert max(map(len, lines[6:12])) < 92
    assert sorted(path.name for path in out.iterdir()) == [
        "model.onnx",
        "model.tflite",
        "saved_model",
    ]


def test_an_export_stands_in_the_run_and_is_replaced_by_the_next(call, regression_run):
    run = regression_run.path
    for _ in range(2):
        code, out, err = call("--run", run, "--to", "saved_model", "onnx", "--json")
        assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["compared_on"] == "89 of 89 test rows of diabetes"
    assert [row["format"] for row in found["formats"]] == ["keras", "saved_model", "onnx"]
    assert set(found["formats"][2]["microseconds"]) == {"1", "256"}
    assert sorted(path.name for path in (run / "export").iterdir()) == ["model.onnx", "saved_model"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_that_answers_otherwise_is_not_written(
    call, digits_run, tmp_path, monkeypatch, name
):
    form = exporting.FORMATS[name]

    def broken(path):
        predict = form.load(path)
        return lambda x: predict(x) + np.float32(2e-4)

    monkeypatch.setitem(exporting.FORMATS, name, form._replace(load=broken))
    out = tmp_path / "out"
    code, text, err = call("--run", digits_run.path, "--to", name, "--out", out)
    assert code == 1
    assert err == (
        f"{name}: its outputs differ from Keras' by up to 2.0e-04, but only 1.0e-04 is allowed: "
        "nothing was written\n"
    )
    assert "wrote" not in text
    assert not out.exists()


def test_nan_is_not_agreement(built, tmp_path, monkeypatch):
    form = exporting.FORMATS["onnx"]
    broken = form._replace(load=lambda _: lambda x: np.full((len(x), 10), np.nan, "float32"))
    monkeypatch.setitem(exporting.FORMATS, "onnx", broken)
    with pytest.raises(exporting.UserError, match="by up to nan"):
        exporting.export(built["cnn"][0], "onnx", tmp_path, built["cnn"][1])


def test_a_format_that_fails_does_not_keep_the_others_from_being_written(
    call, digits_run, tmp_path, monkeypatch
):
    def fail(*_):
        raise RuntimeError("no such\noperation")

    form = exporting.FORMATS["onnx"]._replace(write=fail)
    monkeypatch.setitem(exporting.FORMATS, "onnx", form)
    code, text, err = call("--run", digits_run.path, "--to", "onnx", "litert", "--out", tmp_path)
    assert code == 1
    assert err == "onnx: the model cannot be exported: no such operation\n"
    assert text.splitlines()[-1] == f"wrote     {tmp_path / 'model.tflite'}"
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_a_failed_export_leaves_the_earlier_one(built, tmp_path, monkeypatch):
    model, x = built["cnn"]
    first = exporting.export(model, "saved_model", tmp_path, x)
    before = exporting.size(first.path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting.shutil, "copytree", full)
    with pytest.raises(exporting.WriteError, match="saved_model: cannot be written: No space left"):
        exporting.export(model, "saved_model", tmp_path, x)
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]
    assert exporting.size(first.path) == before


def test_a_folder_that_is_not_an_export_is_not_replaced(call, digits_run, tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "mine.txt").write_text("dear")
    code, _, err = call("--run", digits_run.path, "--to", "saved_model", "--out", tmp_path)
    assert code == 1
    assert err == (
        f"{tmp_path / 'saved_model'}: exists already and is not an export: choose another --out\n"
    )
    assert (tmp_path / "saved_model" / "mine.txt").read_text() == "dear"


def test_a_missing_package_is_told_with_its_cure_before_anything_is_done(
    call, digits_run, monkeypatch
):
    hidden = {"onnxruntime", "ai_edge_litert"}
    monkeypatch.setattr(
        exporting, "find_spec", lambda name: None if name in hidden else find_spec(name)
    )
    code, out, err = call("--run", digits_run.path, "--to", "onnx", "litert")
    assert (code, out) == (1, "")
    assert err == (
        "export to onnx and litert needs onnxruntime, ai-edge-litert: pip install onnxruntime "
        "ai-edge-litert (or this package's extra: -e '.[export]')\n"
    )


def test_without_the_data_random_inputs_are_compared_and_that_is_said(call, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{a},{b},{a + b > 1e6}" for a, b in rng.normal(5e5, 1e5, (60, 2)))
    path.write_text(f"a,b,y\n{rows}")
    recipe = recipe_from_text(
        f"dataset: {{name: csv, path: '{path}', target: y}}\n"
        "model: {name: logistic_regression}\ntraining: {epochs: 1}\n"
    )
    run = train(recipe, tmp_path, name="table", bar=False)
    path.unlink()
    code, out, err = call("--run", run.path, "--to", "saved_model")
    assert (code, err) == (0, "")
    assert "compared  on 1,000 random inputs, as the run's data is not available: " in out
    inputs = exporting.random_inputs(run.model, run.facts.value_range, 1000)
    assert inputs.mean() == pytest.approx(5e5, rel=0.1)  # as the training rows were
    pixels = exporting.random_inputs(build_model("cnn", load_dataset("digits")), (0.0, 16.0), 9)
    assert pixels.shape == (9, 8, 8, 1)
    assert 0 <= pixels.min() < 1 < 15 < pixels.max() <= 16


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--to", "onxx"], "argument --to: invalid choice: 'onxx' (choose from"),
        ([], "the following arguments are required: --to"),
        (["--to", "onnx"], "no/such/run: no such run"),
    ],
)
def test_a_mistake_is_one_line(call, arguments, text):
    code, out, err = call("--run", "no/such/run", *arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1


def test_the_command_names_every_format():
    assert list(export.FORMATS) == FORMATS


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    """A run of a table with numbers, gaps, words and dates."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("table")
    days = np.datetime64("2024-01-01") + rng.integers(0, 700, 90)
    widths = ["" if k % 7 == 0 else f"{rng.normal():.4f}" for k in range(90)]
    rows = [
        f"{width},{('red', 'blue', 'green', '')[k % 4]},{day},{k % 2}"
        for k, (width, day) in enumerate(zip(widths, days, strict=True))
    ]
    path = folder / "table.csv"
    path.write_text("\n".join(["width,colour,day,good", *rows]))
    text = (
        f"dataset: {{name: csv, path: {path}, target: good}}\nmodel: {{name: dnn, hidden: [8]}}\n"
    )
    return train(recipe_from_text(text + "training: {epochs: 2}"), folder, name="table", bar=False)


def names_in(name: str, path: Path) -> dict[str, Any]:
    """The names that a user reads from the artifact."""
    if name == "onnx":
        import onnxruntime

        session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return json.loads(session.get_modelmeta().custom_metadata_map["names.json"])
    if name == "litert":
        return json.loads(ZipFile(path).read("names.json"))
    return json.loads((path / "assets.extra" / "names.json").read_text())


@pytest.mark.parametrize("name", FORMATS)
def test_a_tables_own_columns_are_answered_as_predict_answers_the_table(
    call, table_run, name, tmp_path
):
    code, out, _ = call("--run", table_run.path, "--to", name, "--out", tmp_path / "out")
    assert code == 0
    assert "input     float32 (n, 5), any n: width, colour, day year, day month" in out
    path = tmp_path / "out" / exporting.FORMATS[name].file
    known = names_in(name, path)
    assert known["classes"] == ["0", "1"]
    assert known["target"] == "good"
    colours = known["inputs"][1]["categories"]
    days = [(2024, 2, 29), (2025, 12, 31), (2025, 12, 30)]
    cells = list(zip(["", "0.5", "1.5"], ["green", "red", ""], days, strict=True))
    table = ["width,colour,day", *(f"{w},{c},{y}-{m:02}-{d}" for w, c, (y, m, d) in cells)]
    (tmp_path / "new.csv").write_text("\n".join(table))
    weekdays = (3, 2, 1)  # Thursday, Wednesday and Tuesday; Monday is 0
    x = np.array(
        [
            [float(w or "nan"), colours.index(c) if c else np.nan, y, m, weekday]
            for (w, c, (y, m, _)), weekday in zip(cells, weekdays, strict=True)
        ],
        "float32",
    )
    answers = [
        [*row["probabilities"].values()] for row in dl.predict(table_run, tmp_path / "new.csv")
    ]
    found = runtime(name, path, x)
    np.testing.assert_allclose(np.c_[1 - found, found], answers, atol=1e-6)


def test_the_encoding_of_deep_images_is_not_that_of_a_table(digits_run):
    facts = replace(digits_run.facts, encoding={"deep": [0, 4095]})
    assert columns.names(facts) == columns.names(digits_run.facts)


def test_an_export_of_images_carries_its_class_names(call, digits_run, tmp_path):
    code, _, _ = call("--run", digits_run.path, "--to", "onnx", "--out", tmp_path)
    assert code == 0
    known = names_in("onnx", tmp_path / "model.onnx")
    assert known["classes"] == list("0123456789")
    assert known["inputs"] == [{"name": "image", "shape": [8, 8, 1], "range": [0.0, 16.0]}]
