"""`import dlcourse as dl`: everything flat, lazy, and called once; recipes from Python."""

import ast
import inspect
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.sparse import csr_matrix

import dlcourse as dl
from dlcourse.errors import (
    DatasetError,
    DivergedError,
    InterruptedTraining,
    RecipeError,
    RunError,
    UserError,
)
from dlcourse.runs import Run

PACKAGE = Path(dl.__file__).parent
SMALL = {
    "dataset": "digits",
    "model": {"name": "cnn", "filters": [4], "pooling": "average", "hidden": []},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs, made by keywords alone."""
    runs = tmp_path_factory.mktemp("runs")
    return dl.fit(**SMALL, epochs=2, batch_size=64, learning_rate=0.01, runs=runs, verbose=0)


@pytest.fixture
def images(run):
    return run.load_dataset().x_test[:2]


def fault(*arguments, **settings) -> str:
    with pytest.raises(RecipeError) as caught:
        dl.recipe(*arguments, **settings)
    return str(caught.value)


# ------------------------------------------------------------------ the names


def test_importing_the_package_loads_nothing():
    code = "import sys, dlcourse; print({'numpy', 'pydantic', 'keras'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize("stub", sorted(PACKAGE.rglob("*.pyi")), ids=lambda p: p.parent.name)
def test_an_editor_knows_the_names_that_the_package_has(stub):
    tree = ast.parse(stub.read_text())
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {alias.asname for node in imported for alias in node.names if alias.asname}
    names |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} - {"lazy"}
    module = sys.modules["dlcourse"]
    for part in stub.parent.relative_to(PACKAGE).parts:
        module = getattr(module, part)
    assert names == set(dir(module))
    for name in names:
        assert getattr(module, name) is not None


def test_an_editor_completes_every_setting_of_fit():
    from dlcourse.configuration.from_python import _keywords
    from dlcourse.configuration.recipe import Recipe

    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    [settings] = [node for node in tree.body if getattr(node, "name", "") == "RecipeSettings"]
    fields = [node.target.id for node in settings.body if isinstance(node, ast.AnnAssign)]
    assert set(fields) == set(_keywords(Recipe))


def test_a_star_import_brings_the_front_door_alone():
    code = "from dlcourse import *\nprint('fit' in dir(), 'os' in dir())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "False"]


def test_the_signature_of_a_builder_is_readable():
    text = str(inspect.signature(dl.models.dnn))
    assert "hidden=(64, 64), activation='relu', dropout=0.0" in text
    assert "Annotated" not in text


def test_a_name_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(
        AttributeError, match=r"no attribute 'gradcam' \(did you mean 'grad_cam'\?\)"
    ):
        dl.gradcam  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'dlcourse\.lab' has no attribute 'pl0ts'"):
        dl.lab.pl0ts  # noqa: B018


def attends():
    return dl.models.attention((5, 3), 2, units=4)


def refused_sample(run):
    with pytest.raises(RunError, match="train next_character first") as error:
        dl.sample(run)
    return error


def refused_app(run):
    with pytest.raises(UserError, match="a password is needed") as error:
        dl.app(run, host="0.0.0.0")
    return error


def searched(run):
    """The result of a search; its package is an extra."""
    pytest.importorskip("optuna")
    space = {"training.batch_size": {"choices": [64]}}
    return dl.tune({**SMALL, "training": {"epochs": 1}}, space, trials=1, runs=run.path / "search")


CALLS = {
    "Run": lambda on: dl.Run(on.run.path),
    "Regularizers": lambda _: dl.Regularizers(),
    "Transformations": lambda _: dl.Transformations(),
    "activation_maximization": lambda on: dl.activation_maximization(on.run.model, [3], steps=2),
    "app": lambda on: refused_app(on.run),
    "as_keras": lambda on: dl.as_keras(on.run),
    "attention_maps": lambda _: dl.attention_maps(attends(), np.ones((2, 5, 3))),
    "attention_rollout": lambda _: dl.attention_rollout(attends(), np.ones((2, 5, 3))),
    "build_model": lambda on: dl.build_model("dnn", on.run.load_dataset(), hidden=[3]),
    "compare": lambda _: dl.compare(
        {**SMALL, "training": {"epochs": 1}}, seeds=1, models=["logistic_regression"], examples=200
    ),
    "deep_dream": lambda on: dl.deep_dream(on.run.model, on.x, steps=1, octaves=1),
    "diagnose": lambda on: dl.diagnose(on.run),
    "evaluate": lambda on: dl.evaluate(on.run),
    "feature_maps": lambda on: dl.feature_maps(on.run.model, on.x),
    "filters": lambda on: dl.filters(on.run.model),
    "find_learning_rate": lambda _: dl.find_learning_rate(SMALL, steps=60),
    "fit": lambda on: dl.fit(on.run, epochs=1, runs=None, verbose=0),
    "integrated_gradients": lambda on: dl.integrated_gradients(on.run.model, on.x, steps=4),
    "list_runs": lambda on: dl.list_runs(on.run.path.parent),
    "load_dataset": lambda _: dl.load_dataset("iris"),
    "neuron_activity": lambda on: dl.neuron_activity(on.run.model, on.x),
    "occlusion": lambda on: dl.occlusion(on.run.model, on.x, patch=4),
    "predict": lambda on: dl.predict(on.run, on.x),
    "read_run": lambda on: dl.read_run(on.run.path),
    "recipe": lambda _: dl.recipe("digits_cnn"),
    "recipes": lambda _: dl.recipes(),
    "resume": lambda on: dl.resume(on.run),
    "sample": lambda on: refused_sample(on.run),
    "rise": lambda on: dl.rise(on.run.model, on.x, masks=8),
    "tune": lambda on: searched(on.run),
    "smooth_grad": lambda on: dl.smooth_grad(on.run.model, on.x, samples=2),
}


CALLABLES = [name for name in dir(dl) if not inspect.ismodule(getattr(dl, name))]


@pytest.mark.parametrize("name", CALLABLES)
def test_every_name_of_the_front_door_works_on_a_run(name, run, images):
    function = getattr(dl, name)
    call = CALLS.get(name, lambda on: function(on.run.model, on.x))
    result = call(SimpleNamespace(run=run, x=images))
    assert result is not None
    if isinstance(result, np.ndarray) and name not in CALLS:
        assert result.shape == (2, 8, 8)


@pytest.mark.parametrize("name", ["cnn", "dnn", "rnn", "softmax_regression"])
def test_a_builder_gives_a_plain_keras_model(name):
    import keras

    model = getattr(dl.models, name)((28, 28, 1), 10)
    assert isinstance(model, keras.Model)
    assert model.output_shape == (None, 10)


# ------------------------------------------------------------------ recipes from Python


def test_the_four_sources_give_the_same_recipe(tmp_path):
    name = dl.recipe("digits_softmax")
    assert dl.recipe("configs/digits_softmax.yaml") == name
    assert dl.recipe(yaml.safe_load(str(name))) == name
    data = yaml.safe_load(str(name))
    keywords = {"seed": data["seed"], "dataset": data["dataset"], "model": data["model"]}
    assert dl.recipe(**keywords, **data["training"]) == name
    written = tmp_path / "mine.yaml"
    written.write_text(str(name))
    assert dl.recipe(written) == name
    assert dl.recipe(name) is name


def test_a_printed_recipe_is_yaml_and_a_notebook_shows_it_as_a_table():
    recipe = dl.recipe(dataset="digits", model="cnn", epochs=7)
    assert "epochs: 7" in str(recipe)
    assert repr(recipe) == str(recipe)
    assert '<th scope="row">training.epochs</th><td>7</td>' in recipe._repr_html_()


def test_a_name_alone_stands_for_a_mapping_wherever_a_mapping_holds_a_name(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "dataset: digits\nmodel: cnn\ntraining: {optimizer: sgd, schedule: one_cycle}\n"
    )
    long = {
        "dataset": {"name": "digits"},
        "model": {"name": "cnn"},
        "training": {"optimizer": {"name": "sgd"}, "schedule": {"name": "one_cycle"}},
    }
    assert dl.recipe(file) == dl.recipe(long)
    short = {"optimizer": "sgd", "schedule": "one_cycle"}
    assert dl.recipe(dataset="digits", model="cnn", **short) == dl.recipe(long)
    overridden = dl.recipe(
        {"dataset": "iris", "model": "dnn"},
        *("dataset=digits", "model=cnn", "training.optimizer=sgd", "training.schedule=one_cycle"),
    )
    assert overridden == dl.recipe(long)
    assert dl.recipe(file, "model.dropout=0.5").model.dropout == 0.5


def test_a_mapping_without_a_name_changes_only_what_it_names():
    before = dl.recipe("digits_cnn")
    after = dl.recipe("digits_cnn", model={"dropout": 0.5}, training={"epochs": 3})
    assert after.model == before.model.model_copy(update={"dropout": 0.5})
    assert after.training == before.training.model_copy(update={"epochs": 3})
    assert (
        dl.recipe("digits_cnn", model={"name": "cnn"}).model
        == dl.recipe(dataset="digits", model="cnn").model
    )


def test_a_mapping_takes_the_place_of_a_word():
    before = dl.recipe("digits_cnn", class_weights="balanced")
    after = dl.recipe(before, class_weights={"3": 2.0})
    assert after.training.class_weights == {"3": 2.0}
    overridden = dl.recipe(before, "training.class_weights={3: 2}")
    assert overridden == after


def test_numbers_and_lists_of_numpy_are_taken_as_pythons():
    recipe = dl.recipe(
        dataset="digits",
        model={"name": "cnn", "filters": np.array([4, 8])},
        epochs=np.int64(3),
        learning_rate=np.float32(0.5),
    )
    assert recipe.model.filters == (4, 8)
    assert (recipe.training.epochs, recipe.training.learning_rate) == (3, 0.5)


def test_the_name_of_a_run_comes_from_the_recipe():
    assert dl.recipe("digits_cnn", epochs=3).name == "digits_cnn"
    assert dl.recipe(dl.recipe("digits_cnn"), epochs=3).name == "digits_cnn"
    assert dl.recipe(dataset="digits", model="cnn").name == "digits-cnn"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"epoch": 3}, "unknown setting 'epoch' (did you mean 'epochs'?)"),
        ({"lr": 1}, "unknown setting 'lr' (did you mean 'learning_rate'?)"),
        (
            {"dropout": 0.5},
            "unknown setting 'dropout' (did you mean model={'dropout': …}?)",
        ),
        ({"drop_out": 0.5}, "did you mean model={'dropout': …}?"),
        ({"filters": [3]}, "did you mean model={'filters': …}?"),
        ({"patience": 3}, "did you mean early_stopping={'patience': …}?"),
        ({"momentum": 0.9}, "did you mean optimizer={'name': 'sgd', 'momentum': …}?"),
        ({"validation_fraction": 0.1}, "did you mean dataset={'validation_fract"),
        ({"shift": 0.1}, "did you mean augmentation={'shift': …}?"),
        ({"zzz": 1}, "unknown setting 'zzz' (known: seed, dataset, model, training, epochs,"),
        ({"epochs": 0}, "epochs=0: 'training.epochs': expected greater than or equal to 1, got 0"),
        (
            {"dataset": "digit"},
            "dataset='digit': unknown data set 'digit' (did you mean 'digits'?)",
        ),
        ({"model": {"fliters": [1]}}, "unknown key 'model.fliters' (did you mean 'filters'?)"),
        ({"optimizer": 3}, "optimizer=3: 'training.optimizer': expected a mapping of settings"),
        ({"training": {"epochs": 3}, "epochs": 4}, "'training.epochs' is given twice"),
        ({"epochs": 4, "training": {"epochs": 3}}, "'training.epochs' is given twice"),
        ({"activation": "tanh"}, "did you mean model={'activation': …}?"),
        ({"batch_norm": True}, "did you mean model={'batch_norm': …}?"),
        ({"random_state": 1}, "did you mean 'seed'?"),
        ({"callback": []}, "did you mean 'callbacks'?"),
        ({"runs": "x"}, "unknown setting 'runs' (of fit)"),
        ({"model": {"filters": {3, 4}}}, "model: text, numbers, lists or mappings are expected"),
        ({"class_weights": 3}, "class_weights=3: 'training.class_weights': expected"),
        (
            {"optimizer": {"beta": 1}},
            "optimizer={'beta': 1}: unknown key 'training.optimizer.beta'",
        ),
        ({"early_stopping": 5}, "expected a mapping of settings, got 5"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_keyword_is_told_with_the_place_where_it_belongs(settings, told):
    assert told in fault("digits_cnn", **settings)


@pytest.mark.parametrize("value", [np.zeros((2, 3)), (np.zeros((2, 3)), np.zeros(2)), [1, 2]])
def test_arrays_in_the_place_of_a_data_set_are_told_where_they_belong(value):
    assert "dataset: give arrays first, as in dl.fit((x, y), model='dnn')" in fault(
        dataset=value, model="dnn"
    )


def test_objects_of_keras_in_the_place_of_settings_are_told():
    import keras

    told = "text, numbers, lists or mappings are expected (Keras' objects are for its own fit)"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    for key, value in (("model", model), ("optimizer", keras.optimizers.SGD())):
        assert f"{key}: {told}, got <" in fault("digits_cnn", **{key: value})


def test_a_file_in_the_place_of_a_data_sets_name_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text("a,b\n")
    (tmp_path / "pets").mkdir()
    for name, kind in (("houses.csv", "csv"), ("pets", "image_folder")):
        hint = f"(did you mean {{name: {kind}, path: {name}}}?)"
        assert hint in fault(dataset=name, model="dnn")


def test_a_pair_of_one_number_is_told():
    given = {"name": "image_folder", "path": "x", "size": [64]}
    assert "'dataset.size': expected 2 numbers or more, as in [64, 64]" in fault(
        dataset=given, model="cnn"
    )


def test_an_empty_mapping_changes_nothing_or_takes_the_defaults():
    before = dl.recipe("digits_cnn")
    assert dl.recipe("digits_cnn", training={}, model={}, dataset={}) == before
    assert dl.recipe("digits_softmax", early_stopping={}).training.early_stopping.patience == 5
    changed = dl.recipe("digits_dnn", optimizer={"beta_1": 0.5}).training.optimizer
    assert (changed.name, changed.beta_1) == ("adam", 0.5)


@pytest.mark.parametrize("text", ["032", "1:30", "1:30.5"])
def test_a_number_that_yaml_reads_as_another_is_refused(text):
    assert f"YAML reads {text} as " in fault("digits_cnn", f"training.batch_size={text}")


def test_several_wrong_keywords_are_told_together():
    assert len(fault("digits_cnn", epoch=1, lr=2, batch_size=0).splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "the name of a shipped one (dl.recipes() lists them), a YAML file, a mapping, or"),
        ((3,), "is a name, a file, a mapping or a Recipe, got 3"),
        (("digit_cnn",), "unknown recipe 'digit_cnn' (did you mean 'digits_cnn'?)"),
        (("none.yaml",), "none.yaml: no such file"),
        (("digits_cnn", "epochs=3"), "unknown key 'epochs' (did you mean 'training.epochs'?)"),
        (("digits_cnn", "epochs"), "override 'epochs': expected key=value"),
        (({"dataset": "digits"},), "recipe: 'model' is missing"),
    ],
)
def test_what_is_not_a_recipe_is_reported(arguments, told):
    assert told in fault(*arguments)


def test_a_keras_model_in_the_place_of_a_recipes_is_told_what_to_do():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert "train your own Keras model with its fit" in fault(model)


def test_a_recipe_that_needs_another_run_says_which_two_lines_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError) as caught:
        dl.fit("digits_5_to_9_transfer")
    assert str(caught.value).endswith(
        'run dl.fit("digits_0_to_4", name="digits_0_to_4"), then dl.fit("digits_5_to_9_transfer")'
    )
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ data given in Python


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)).astype("float32")
    return x, (x.sum(axis=1) > 0).astype("int64")


@pytest.fixture
def flowers():
    """A DataFrame with a gap, words and a class as text."""
    import pandas as pd

    rng = np.random.default_rng(0)
    size = rng.normal(size=90)
    size[::7] = np.nan
    kind = np.where(np.arange(90) % 3 == 0, "rose", "lily")
    return pd.DataFrame({"size": size, "soil": rng.choice(["clay", "sand"], 90), "kind": kind})


def test_a_data_frame_trains_resumes_after_a_move_and_predicts(flowers, tmp_path):
    run = dl.fit(
        *(flowers,), target="kind", model="dnn", epochs=1, runs=tmp_path, name="f", verbose=0
    )
    assert run.facts.feature_names == ("size", "size was missing", "soil=clay", "soil=sand")
    assert dl.recipe(run).dataset.path == str(tmp_path / "f" / "table.csv")
    (tmp_path / "f").rename(tmp_path / "moved")
    longer = dl.resume(tmp_path / "moved", epochs=2, verbose=0)
    whole = dl.fit(flowers, target="kind", model="dnn", epochs=2, runs=tmp_path, verbose=0)
    np.testing.assert_array_equal(longer.history["loss"], whole.history["loss"])
    assert len(dl.predict(longer, flowers.drop(columns="kind"))) == 90


@pytest.mark.parametrize(
    ("y", "task", "names"),
    [
        (np.arange(60) % 2, "binary", ("0", "1")),
        (np.array(["no", "yes", "so"] * 20), "multiclass", ("no", "so", "yes")),
        (np.array([2.0, 5.0] * 30), "binary", ("2", "5")),
        (np.linspace(0, 1, 60), "regression", ()),
        (np.arange(60), "regression", ()),
        (np.eye(3)[np.arange(60) % 3], "multiclass", ("0", "1", "2")),
    ],
)
def test_arrays_are_classes_or_numbers_as_in_a_table(y, task, names):
    recipe = dl.recipe((np.arange(120.0).reshape(60, 2), y), model="dnn")
    data = recipe.load_dataset()
    assert (data.task, data.class_names, data.input_shape) == (task, names, (2,))


@pytest.mark.parametrize(
    "y",
    [
        ["a", "b", None] * 20,
        np.array([["a"], ["b"], [np.nan]] * 20, object),
        np.array(["a", "b", ""] * 20),
        np.array([b"a", b"b", b""] * 20),
        np.array([1.0, 0.0, np.nan] * 20),
    ],
    ids=["None", "column", "empty text", "bytes", "NaN"],
)
def test_a_missing_label_is_refused(y):
    said = fault((np.zeros((60, 2)), y), model="dnn")
    assert said.startswith("(x, y): y[2")
    assert "is missing: fill it, or drop such rows" in said


def test_bytes_are_text_and_masks_are_told():
    x, y = np.arange(120.0).reshape(60, 2), np.array([b"no", b"yes"] * 30)
    for labels in (y, y.astype(object)):
        assert dl.recipe((x, labels), model="dnn").load_dataset().class_names == ("no", "yes")
    told = "(x, y): values are masked: fill them, or drop their rows"
    assert fault((np.ma.masked_greater(x, 100), y), model="dnn") == told
    assert fault((x, np.ma.masked_equal(np.arange(60) % 3, 1)), model="dnn") == told


def test_errors_name_what_was_given_and_not_its_file(flowers):
    with pytest.raises(DatasetError) as error:
        dl.recipe(flowers, target="kinds", model="dnn").load_dataset()
    assert "table.csv" not in str(error.value)
    assert "no column 'kinds'" in str(error.value)
    pair = np.zeros((60, 3, 8, 8)), np.arange(60) % 2
    with pytest.raises(DatasetError, match=r"the arrays \(x, y\): x_train has shape"):
        dl.recipe(pair, model="dnn").load_dataset()


def test_warnings_name_the_data_frame_and_a_folder_of_a_similar_name_keeps_its_own(tmp_path):
    frame = pd.DataFrame({"id": range(40), "x": [0.5, 2.5] * 20, "y": ["a", "b"] * 20})
    with pytest.warns(UserWarning, match="^the DataFrame as CSV: 'id' rises with the row"):
        dl.recipe(frame, target="y", model="dnn").load_dataset()
    own = tmp_path / "dlcourse-homework" / "week" / "table.csv"
    own.parent.mkdir(parents=True)
    own.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError) as error:
        dl.load_dataset("csv", own, "c")
    assert str(error.value).startswith(f"{own}:1: target: no column 'c'")


def test_text_of_a_data_frame_may_hold_any_line_end():
    words = ["one\rtwo", "one\ntwo three", 'say "x\\"', "a, b"] * 10
    frame = pd.DataFrame({"words": words, "y": ["p", "q"] * 20})
    data = dl.recipe(frame, target="y", model="dnn").load_dataset()
    assert len(data.feature_names) == 4
    assert data.facts.examples == {"train": 27, "val": 5, "test": 8}


def test_an_index_with_a_name_is_a_column(flowers):
    data = dl.recipe(flowers.set_index("soil"), target="kind", model="dnn").load_dataset()
    assert data.feature_names == ("soil=clay", "soil=sand", "size", "size was missing")


def test_each_row_of_a_data_frame_has_an_answer_under_its_label(flowers, tmp_path):
    run = dl.fit(
        *(flowers.dropna(),), target="kind", model="dnn", epochs=1, runs=tmp_path, verbose=0
    )
    gaps = dl.fit(
        flowers[["size", "kind"]], target="kind", model="dnn", epochs=1, verbose=0, runs=tmp_path
    )
    rows = flowers.assign(note="two\nlines")[3:6].set_axis(["u", "v", "w"])
    assert [row["input"] for row in dl.predict(run, rows)] == ["u", "v", "w"]
    empty = flowers[["size"]][5:9].set_axis([10, 20, 30, 40])  # row 7 has no value
    assert [row["input"] for row in dl.predict(gaps, empty)] == ["10", "20", "30", "40"]
    marsh = rows.assign(soil=["clay", "marsh", "sand"])
    with pytest.warns(UserWarning, match=r"^rows without an answer: the DataFrame as CSV:\d: "):
        assert [row["input"] for row in dl.predict(run, marsh)] == ["u", "w"]
    with pytest.raises(DatasetError, match=r"a row as frame\.iloc\[\[0\]\]"):
        dl.predict(run, rows.iloc[0])
    with pytest.raises(DatasetError) as error:
        dl.predict(run, rows[["size"]])
    assert str(error.value) == ("the DataFrame as CSV:1: columns: no column 'soil' (known: size)")


def test_arrays_stay_in_the_run(points, tmp_path):
    run = dl.fit(points, model="dnn", task="classification", epochs=1, runs=tmp_path, verbose=0)
    assert (run.path / "arrays.npz").is_file()
    assert run.load_dataset().facts.examples == run.facts.examples


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (
            (np.zeros((3, 2)),),
            {},
            "arrays (x, y) of the same length, or a DataFrame",
        ),
        (((np.zeros((3, 2)), [0, 1]),), {}, "arrays (x, y) of the same length"),
        ((([[1.0, 2.0], [3.0]], [0, 1]),), {}, "x also a list of arrays (steps, features)"),
        (((np.zeros((3, 2)), 5),), {}, "arrays (x, y) of the same length"),
        (((5, 5),), {}, "arrays (x, y) of the same length"),
        (((csr_matrix(np.eye(3)), [0, 1, 0]),), {}, "x.toarray() for a sparse x"),
        ((pd.Series([1.0, 2.0]),), {}, "or a DataFrame and its target, are expected"),
        (((np.zeros((3, 2)), [0, 1, 0]),), {"epoch": 3}, "unknown setting 'epoch' (did you mean"),
        (((np.zeros((3, 2)), [0, 1, 0]),), {"target": "y"}, "unknown setting 'target'"),
    ],
)
def test_what_is_not_data_is_told(arguments, settings, told):
    assert told in fault(*arguments, model="dnn", **settings)


def test_a_data_frame_without_a_target_is_told(flowers):
    assert fault(flowers, model="dnn") == "recipe: 'dataset.target' is missing"


def test_more_data_than_a_run_keeps_is_refused_and_says_what_to_do(flowers, monkeypatch):
    monkeypatch.setattr("dlcourse.datasets.given.MOST_BYTES", 1000)
    assert "save it with numpy.savez or to_csv" in fault(flowers, target="kind", model="dnn")
    assert "save it with numpy.savez or to_csv" in fault((np.zeros(99), np.zeros(99)), model="dnn")


def test_the_path_and_the_target_need_no_name(tmp_path):
    rows = "".join(f"{i * 7 % 30},{'pq'[i % 2]}\n" for i in range(30))
    (tmp_path / "own.csv").write_text("a,b\n" + rows)
    assert dl.load_dataset("csv", tmp_path / "own.csv", "b").class_names == ("p", "q")
    with pytest.raises(RecipeError, match="csv: 3 values without a name: name the settings"):
        dl.load_dataset("csv", tmp_path / "own.csv", "b", "c")


# ------------------------------------------------------------------ fit, resume, evaluate, predict


def test_a_training_tells_its_layers_epochs_and_metrics_and_shows_itself(run, capfd, tmp_path):
    made = dl.fit(**SMALL, epochs=1, runs=tmp_path, name="mine")
    out, err = capfd.readouterr()
    assert err == ""
    assert "conv_1" in out
    assert "epoch 1/1  loss" in out
    assert f"run         {made.path}" in out
    assert repr(made).startswith(f"<Run {tmp_path / 'mine'}: test loss ")
    assert run.finished


def test_verbose_0_prints_nothing(capfd, tmp_path):
    dl.fit(**SMALL, epochs=1, runs=tmp_path, verbose=0)
    assert capfd.readouterr() == ("", "")


def test_runs_none_keeps_the_run_for_the_life_of_the_process():
    code = (
        "import dlcourse as dl\n"
        "run = dl.fit(dataset='iris', model='softmax_regression', epochs=1, runs=None, verbose=0)\n"
        "assert run.finished and run.model\n"
        "print(run.path)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = Path(told.stdout.strip())
    assert path.name.startswith("iris-softmax_regression-")
    assert not path.parent.exists()


def test_a_run_gives_the_very_data_that_it_was_trained_on(run):
    given, expected = run.load_dataset(), dl.recipe(run).load_dataset()
    for part in ("train", "val", "test"):
        for mine, theirs in zip(given.splits[part], expected.splits[part], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_callback_alone_is_taken_and_what_is_none_is_refused(tmp_path):
    import keras

    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, *logs)[0])
    )
    dl.fit(**SMALL, epochs=2, runs=tmp_path, callbacks=note, verbose=0)
    assert seen == [0, 1]
    with pytest.raises(ValueError, match="callbacks: Keras callbacks are expected, got 'early'"):
        dl.fit(**SMALL, runs=tmp_path, callbacks="early", verbose=0)


def test_an_interrupted_training_goes_on_by_the_line_that_it_tells(tmp_path):
    import keras

    def press(epoch, logs):  # noqa: ARG001
        if epoch == 0:
            import signal

            signal.raise_signal(signal.SIGINT)

    stop = keras.callbacks.LambdaCallback(on_epoch_end=press)
    with pytest.raises(InterruptedTraining) as caught:
        dl.fit(**SMALL, epochs=2, runs=tmp_path, name="cut", callbacks=stop, verbose=0)
    path = tmp_path / "cut"
    assert f'dl.resume("{path}")' in str(caught.value)
    assert len(dl.resume(path, verbose=0).history["loss"]) == 2
    whole = dl.fit(**SMALL, epochs=2, runs=tmp_path, name="whole", verbose=0)
    np.testing.assert_array_equal(dl.read_run(path).history["loss"], whole.history["loss"])
    assert len(dl.resume(whole, epochs=3, verbose=0).history["loss"]) == 3


def test_a_training_runs_outside_the_main_thread_too(tmp_path):
    runs = []
    work = threading.Thread(
        target=lambda: runs.append(dl.fit(**SMALL, epochs=1, runs=tmp_path, verbose=0))
    )
    work.start()
    work.join()
    assert runs[0].finished


def test_a_ctrl_c_as_the_training_ends_is_not_lost(tmp_path):
    import signal

    import keras

    press = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: signal.raise_signal(signal.SIGINT)  # noqa: ARG005
    )
    with pytest.raises(KeyboardInterrupt):
        dl.fit(**SMALL, epochs=1, runs=tmp_path, name="done", callbacks=press, verbose=0)
    assert dl.read_run(tmp_path / "done").finished


def test_a_run_that_was_read_before_it_went_on_is_read_anew(tmp_path):
    run = dl.fit(**SMALL, epochs=1, runs=tmp_path, verbose=0)
    assert run.metrics["epochs_run"] == 1
    assert run.model
    longer = dl.resume(run, epochs=2, verbose=0)
    assert run.metrics == longer.metrics
    assert dl.evaluate(run)["test"] == pytest.approx(run.metrics["test"], abs=1e-6)


def test_a_training_that_stopped_early_says_so_when_more_epochs_are_asked(tmp_path, capsys):
    import keras

    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(stop.model, "stop_training", True)  # noqa: ARG005
    )
    run = dl.fit(**SMALL, epochs=3, runs=tmp_path, callbacks=stop, verbose=0)
    dl.resume(run, epochs=4)
    assert "stopped early in epoch 1: it is not trained further" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["callback class", "name", "number as name", "runs"])
def test_a_wrong_keyword_of_fit_leaves_nothing_behind(wrong, tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    given = {
        "callback class": {"callbacks": keras.callbacks.EarlyStopping},
        "name": {"name": "a b"},
        "number as name": {"name": 5},
        "runs": {"runs": 5},
    }[wrong]
    with pytest.raises(ValueError, match=r"callbacks: Keras|run name '(a b|5)'|runs: a folder"):
        dl.fit(**SMALL, epochs=1, verbose=0, **given)
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_run_is_told(run):
    for wrong in (run.model, 5, None):
        with pytest.raises(RunError, match="a run, or the path of its folder, is expected"):
            dl.evaluate(wrong)


def test_a_notebook_shows_a_users_mistake_in_one_line():
    with pytest.raises(RecipeError) as caught:
        dl.recipe("digits_cnn", epoch=3)  # pyright: ignore[reportCallIssue]
    shown = caught.value._render_traceback_()
    assert shown == ["RecipeError: unknown setting 'epoch' (did you mean 'epochs'?)"]


def test_evaluating_gives_the_metrics_of_the_training(run):
    measured = dl.evaluate(run)
    for part in ("train", "val", "test"):
        assert measured[part] == pytest.approx(run.metrics[part], abs=1e-6)
    data = run.load_dataset()
    alone = dl.evaluate(run.path, (data.x_test, data.y_test))
    assert alone == pytest.approx(measured["test"], abs=1e-6)
    names = [data.class_names[label] for label in data.y_test]
    assert dl.evaluate(run, (data.x_test, names)) == alone
    assert dl.evaluate(run, data) == measured


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ((np.zeros((2, 9, 9, 1)), [0, 1]), r"inputs of shape \(n, 8, 8, 1\), got \(2, 9, 9, 1\)"),
        ((np.zeros((2, 8, 8, 1)), [0]), "got 2 inputs, but 1 labels"),
        ((np.zeros((2, 8, 8, 1)), [0, 11]), "no class '11'"),
        ((np.zeros((2, 8, 8, 1)), ["0", "cat"]), "no class 'cat'"),
        ((np.zeros((2, 8, 8, 1)), np.eye(10)[:2]), r"labels of shape \(n,\), got \(2, 10\)"),
        (5, "expected a Dataset, a DataFrame, .x, y. or a file, got int"),
    ],
)
def test_data_that_does_not_fit_the_run_is_refused(run, data, told):
    with pytest.raises(RunError, match=told):
        dl.evaluate(run, data)


def test_predicting_gives_a_row_per_input_and_a_table(run):
    data = run.load_dataset()
    rows = dl.predict(run, data.x_test[:3])
    expected = run.model.predict(data.x_test[:3], verbose=0)
    assert [row["class"] for row in rows] == [str(label) for label in expected.argmax(axis=1)]
    assert rows[0]["probabilities"]["3"] == pytest.approx(float(expected[0, 3]), abs=1e-6)
    assert str(rows).splitlines()[0].split() == ["input", "class", "probability", "next"]
    assert dl.predict(run, data.x_test[0])[0]["class"] == rows[0]["class"]  # one example
    assert (
        dl.predict(run, data.x_test[0, ..., 0])[0]["class"] == rows[0]["class"]
    )  # without channel


def test_predicting_files_and_folders_gives_the_same_as_the_command(run, tmp_path, capfd):
    from PIL import Image

    from dlcourse.commands import predict

    pixels = run.load_dataset().x_test[0, ..., 0]
    for name in ("a.png", "b.png"):
        Image.fromarray((pixels * 255 / 16).astype("uint8")).save(tmp_path / name)
    rows = dl.predict(run, tmp_path)
    assert [Path(row["input"]).name for row in rows] == ["a.png", "b.png"]
    alone = dl.predict(run, [tmp_path / "a.png"])[0]
    assert alone["probability"] == pytest.approx(rows[0]["probability"], abs=1e-6)
    assert predict.main(["--run", str(run.path), str(tmp_path)]) == 0
    assert capfd.readouterr().out.strip() == str(rows)


@pytest.mark.parametrize(
    ("inputs", "error", "told"),
    [
        (
            np.full((1, 8, 8, 1), 255.0),
            RunError,
            "values from 255 to 255, the run's images from 0 to 16",
        ),
        (np.full((1, 8, 8, 1), np.nan), RunError, "NaN or infinite"),
        (np.array([["a"]]), RunError, "expected an array of numbers"),
        (np.zeros((0, 8, 8, 1)), RunError, "expected one input or more"),
        ([], RunError, "expected a file or more, got none"),
        ("nothing.png", DatasetError, "nothing.png: no such file"),
    ],
)
def test_inputs_that_do_not_fit_the_run_are_refused(run, inputs, error, told):
    with pytest.raises(error, match=told):
        dl.predict(run, inputs)


def test_images_scaled_to_1_are_warned_of(run):
    with pytest.warns(UserWarning, match="values from 0 to 1, the run's images from 0 to 16"):
        dl.predict(run, np.linspace(0, 1, 64).reshape(1, 8, 8, 1))


def test_a_regression_predicts_numbers(tmp_path):
    run = dl.fit(dataset="diabetes", model="linear_regression", epochs=1, runs=tmp_path, verbose=0)
    data = run.load_dataset()
    rows = dl.predict(run, data.x_test[:2])
    assert rows[0]["prediction"] == pytest.approx(
        float(run.model.predict(data.x_test[:1], verbose=0)[0, 0]), rel=1e-6
    )
    metrics = dl.evaluate(run, (data.x_test, data.y_test))
    assert metrics == pytest.approx(run.metrics["test"], rel=1e-5)


# ------------------------------------------------------------------ those who train with plain fit


def plain_model(rate=0.1):
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def test_a_training_whose_weights_are_nan_is_stopped_and_put_back_where_relu_hides_it(points):
    import keras

    told, model = [], plain_model()

    def poison(epoch, logs):  # noqa: ARG001
        if epoch == 1:
            kernel, bias = model.layers[0].get_weights()
            model.layers[0].set_weights([kernel * np.nan, bias])

    stop = dl.callbacks.stop_on_nan(told.append)
    broken = keras.callbacks.LambdaCallback(on_epoch_begin=poison)
    history = model.fit(*points, epochs=5, callbacks=[broken, stop], verbose=0)
    assert len(history.history["loss"]) == 2
    assert "dense" in stop.reason
    assert told == [
        f"stopped in epoch 2: {stop.reason}; earlier weights are restored. Try a smaller learning "
        "rate or the optimizer's clipnorm."
    ]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_loss_that_becomes_infinite_stops_the_training_within_the_epoch(points):
    import keras

    model = plain_model()
    model.compile(keras.optimizers.SGD(1e20), "mse")
    stop = dl.callbacks.stop_on_nan(lambda _: None)
    x, y = points
    with np.errstate(all="ignore"):
        history = model.fit(x, np.eye(2)[y] * 1e30, epochs=5, callbacks=[stop], verbose=0)
    assert len(history.history["loss"]) == 1
    assert stop.reason


def test_a_good_training_is_left_alone_and_tells_a_line_per_epoch(points):
    lines = []
    stop = dl.callbacks.stop_on_nan()
    told = dl.callbacks.epoch_lines(lines.append)
    plain_model().fit(*points, epochs=2, callbacks=[stop, told], verbose=0)
    assert stop.reason is None
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_the_history_of_a_plain_fit_is_diagnosed_with_its_xray(points):
    model, xray = plain_model(), dl.callbacks.xray(*points)
    history = model.fit(*points, validation_data=points, epochs=3, callbacks=[xray], verbose=0)
    assert sorted(xray.by_epoch) == [0, 1, 2, 3]
    from_history = dl.diagnose(history, xray=xray.by_epoch)
    assert dl.diagnose(history.history, model=model, xray=xray.by_epoch) == from_history
    assert str(dl.diagnose({"loss": [1.0]})).startswith("no finding")


def test_an_xray_without_examples_says_so(points):
    with pytest.raises(ValueError, match="xray: give the examples x and labels y"):
        plain_model().fit(*points, epochs=1, callbacks=[dl.callbacks.xray()], verbose=0)


def test_a_diverged_training_ends_with_its_own_error(tmp_path):
    with pytest.raises(DivergedError, match="diverged"):
        dl.fit(
            dataset="digits",
            model="dnn",
            optimizer="sgd",
            learning_rate=1e9,
            runs=tmp_path,
            verbose=0,
        )


def test_printed_runs_comparisons_and_range_tests_are_what_the_commands_print(run):
    assert isinstance(run, Run)
    assert "test   " in str(run)
    unfinished = Run(run.path / "nowhere")
    assert str(unfinished) == f"<Run {run.path / 'nowhere'}: not finished>"
