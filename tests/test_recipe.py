"""Recipes: what a good one resolves to, and what every mistake is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dlcourse.configuration.recipe import Recipe, load_recipe, recipe_from_text, run_recipe
from dlcourse.errors import RecipeError
from dlcourse.runs import Run
from dlcourse.schema import flat

GOOD = """\
seed: 3
dataset:
  name: digits
model:
  name: cnn
  filters: [8]
  dropout: 0.25
training:
  epochs: 4
  learning_rate: 1e-3
"""


@pytest.fixture
def recipe_file(tmp_path):
    def write(content):
        path = tmp_path / "x.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def fault(path, *overrides):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return str(caught.value).replace(str(path), "x.yaml")


def test_a_recipe_fills_in_the_defaults_of_the_functions_it_names():
    recipe = recipe_from_text(GOOD)
    assert recipe.seed == 3
    assert recipe.settings("model")["filters"] == (8,)
    assert recipe.settings("model")["kernel_size"] == 3
    assert recipe.settings("dataset") == {"classes": None, "validation_fraction": 0.15}
    assert recipe.training.learning_rate == 0.001  # YAML 1.1 reads 1e-3 as text
    assert recipe.training.optimizer.name == "adam"


def test_the_resolved_recipe_reads_back_as_itself():
    recipe = recipe_from_text(GOOD)
    assert recipe_from_text(recipe.to_yaml()) == recipe


def test_overrides_change_single_settings(recipe_file):
    recipe = load_recipe(
        recipe_file(GOOD),
        ["model.filters=[4, 4]", "training.optimizer={name: sgd, momentum: 0.9}", "seed=7"],
    )
    assert recipe.settings("model")["filters"] == (4, 4)
    assert recipe.training.optimizer.momentum == 0.9
    assert recipe.seed == 7


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        recipe_from_text(GOOD).training.epochs = 5  # pyright: ignore[reportAttributeAccessIssue]


def test_settings_are_listed_by_dotted_key_and_groups_with_them():
    optimizer = {"name": "sgd"}
    assert flat({"seed": 1, "training": {"optimizer": optimizer, "class_weights": {}}}) == {
        "seed": 1,
        "training": {"optimizer": optimizer, "class_weights": {}},
        "training.optimizer": optimizer,
        "training.optimizer.name": "sgd",
        "training.class_weights": {},
    }


def test_the_schema_accepts_the_good_recipe_and_refuses_an_unknown_key():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(json.dumps(Recipe.model_json_schema()))
    data = {**yaml.safe_load(GOOD), "training": {"epochs": 4}}
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "colour": "blue"}, schema)


MISTAKES = {
    "unknown key": (
        GOOD.replace("epochs", "epoch"),
        "x.yaml:9:3: unknown key 'training.epoch' (did you mean 'epochs'?)",
    ),
    "wrong type": (
        GOOD.replace("[8]", "many"),
        "x.yaml:6:12: 'model.filters': expected a list, such as [many], got 'many'",
    ),
    "unknown model": (
        GOOD.replace("name: cnn", "name: cmn"),
        "x.yaml:5:9: unknown model 'cmn' (did you mean 'cnn'?)",
    ),
    "unknown data set": (
        GOOD.replace("name: digits", "name: digit"),
        "x.yaml:3:9: unknown data set 'digit' (did you mean 'digits'?)",
    ),
    "out of range": (
        GOOD.replace("0.25", "1.25"),
        "x.yaml:7:12: 'model.dropout': expected less than 1, got 1.25",
    ),
    "a setting of another model": (
        GOOD.replace("dropout: 0.25", "cell: lstm"),
        "x.yaml:7:3: unknown key 'model.cell' (a setting of rnn, not of cnn)",
    ),
    "duplicate key": (GOOD + "  epochs: 5\n", "x.yaml:11:3: duplicate key 'training.epochs'"),
    "broken YAML": (
        "model: [1",
        "x.yaml:1:10: broken YAML: expected ',' or ']', but got '<stream end>'",
    ),
    "tabs": (
        "model:\n\tname: cnn",
        "x.yaml:2:1: broken YAML: found character '\\t' that cannot start any token",
    ),
    "empty file": ("", "x.yaml: the file is empty: a recipe has dataset, model, training"),
    "a list": ("- a", "x.yaml:1:1: expected keys such as 'model:', got a list"),
    "binary file": (
        b"\x89PNG\r\n\x1a\n\x00\xff",
        "x.yaml: not a YAML text file: it is not UTF-8 text",
    ),
    "fractional epoch": (
        GOOD.replace("epochs: 4", "epochs: 2.5"),
        "x.yaml:9:11: 'training.epochs': expected a valid integer, got 2.5",
    ),
    "true for a number": (
        GOOD.replace("epochs: 4", "epochs: yes"),
        "x.yaml:9:11: 'training.epochs': expected a number, got true",
    ),
    "negative learning rate": (
        GOOD.replace("1e-3", "-0.1"),
        "x.yaml:10:18: 'training.learning_rate': expected greater than 0, got -0.1",
    ),
    "infinite learning rate": (
        GOOD.replace("1e-3", ".inf"),
        "x.yaml:10:18: 'training.learning_rate': expected a finite number, got inf",
    ),
    "no model": (GOOD.replace("model:", "modle:"), "x.yaml: 'model' is missing"),
    "no name": (
        GOOD.replace("  name: cnn\n", ""),
        "x.yaml:5:3: 'model.name' is missing (known: linear_regression, logistic_regression, "
        "softmax_regression, dnn, cnn, rnn, cnn1d, attention, mean_embedding, next_character, "
        "transfer)",
    ),
    "an alias": ("a: &b 1\nc: *b", "x.yaml:1:4: aliases (*name) are not used in recipes"),
    "code": (
        "a: !!python/object/apply:os.system ['ls']",
        "x.yaml:1:4: tags (tag:yaml.org,2002:python/object/apply:os.system) are not used in "
        "recipes",
    ),
    "code in a scalar": (
        "seed: !!python/name:os.system x",
        "x.yaml:1:7: broken YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/name:os.system'",
    ),
    "softmax on regression": (
        "model: {name: softmax_regression}\ndataset: {name: diabetes}",
        "x.yaml:1:15: 'model.name': 'softmax_regression' is for binary or multiclass, but this "
        "data is regression (fitting: linear_regression, dnn, transfer)",
    ),
    "cnn on a table": (
        "dataset: {name: wine}\nmodel: {name: cnn}",
        "x.yaml:2:15: 'model.name': 'cnn' is for images, but this data is rows of a table "
        "(fitting: softmax_regression, dnn, transfer)",
    ),
    "texts without their column": (
        "dataset: {name: csv, path: x.csv, target: y}\nmodel: {name: mean_embedding}",
        "x.yaml:2:15: 'model.name': 'mean_embedding' is for text, but this data is rows of a table "
        "(fitting: linear_regression, logistic_regression, softmax_regression, dnn, transfer): "
        "name its column of texts in dataset.text",
    ),
    "schedule and plateau": (
        GOOD + "  schedule: {name: cosine}\n  reduce_on_plateau: {patience: 2}\n",
        "x.yaml:12:22: 'training.reduce_on_plateau': a schedule sets the learning rate already: "
        "keep one of the two",
    ),
    "patience that the epochs do not reach": (
        GOOD + "  early_stopping: {patience: 4}\n",
        "x.yaml:11:30: 'training.early_stopping.patience': 4 epochs without improvement do not fit "
        "into 4 epochs: give fewer, or set early_stopping to null",
    ),
    "monitor of another task": (
        GOOD + "  early_stopping: {monitor: val_mae}\n",
        "x.yaml:11:29: 'training.early_stopping.monitor': 'val_mae' is not measured on multiclass",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place(name, recipe_file):
    content, text = MISTAKES[name]
    assert text in fault(recipe_file(content)).splitlines()


def test_a_patience_fits_into_the_epochs_of_fine_tuning_too(recipe_file):
    text = "dataset: {name: digits}\nmodel: {name: transfer, base: MobileNet, trainable_layers: 1,"
    text += " fine_tuning_epochs: 9}\ntraining: {epochs: 5, early_stopping: {patience: 8}}\n"
    assert load_recipe(recipe_file(text)).training.early_stopping.patience == 8


def test_a_patience_that_an_earlier_version_allowed_stays_in_its_run(tmp_path):
    text = "dataset: {name: iris}\nmodel: {name: dnn}\ntraining: {epochs: 3}\n"
    (tmp_path / "recipe.yaml").write_text(text.replace("3", "3, early_stopping: {patience: 7}"))
    assert run_recipe(Run(tmp_path)).training.early_stopping.patience == 7


def test_every_fault_is_told_at_once(recipe_file):
    text = GOOD.replace("epochs: 4", "epochs: 0").replace("0.25", "2").replace("seed: 3", "seed: x")
    assert len(fault(recipe_file(text)).splitlines()) == 3


OVERRIDES = {
    "model.dropot=3": "override 'model.dropot=3': unknown key 'model.dropot' "
    "(did you mean 'dropout'?)",
    "training.epochs": "override 'training.epochs': expected key=value, as in training.epochs=5",
    "training.epochs=": "override 'training.epochs=': the value is missing (write null for none)",
    "seed.x=1": "override 'seed.x=1': 'seed' has no settings of its own",
    "training.epochs=[": "override 'training.epochs=[': broken YAML: while parsing a flow node",
    "training.schedule.name=cosin": "override 'training.schedule.name=cosin': unknown schedule "
    "'cosin' (did you mean 'cosine'?)",
    "training.class_weights={a: -1}": "override 'training.class_weights={a: -1}': "
    "'training.class_weights.a': expected greater than or equal to 0, got -1",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_mistake_in_an_override_quotes_it(override, recipe_file):
    told = fault(recipe_file(GOOD), override)
    assert told.startswith(OVERRIDES[override].split("while")[0])


def test_missing_files_and_folders_and_huge_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    huge = tmp_path / "huge.bin"
    huge.write_bytes(b"a" * 1_000_001)
    for path, text in [
        (tmp_path / "nothing.yaml", "no such file"),
        (tmp_path, "is a folder: a recipe file is expected (it has a.yaml, …)"),
        (huge, "larger than 1,000,000 bytes: not a recipe"),
    ]:
        with pytest.raises(RecipeError, match="^" + str(path)) as caught:
            load_recipe(path)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_deep_nesting_does_not_crash(recipe_file):
    assert fault(recipe_file("[" * 5000)) == "x.yaml: nested too deeply"


def test_a_wrong_recipe_exits_2_and_writes_nothing(recipe_file, tmp_path):
    config = recipe_file(GOOD.replace("epochs", "epoch"))
    command = [sys.executable, "-m", "dlcourse.train", "--config", str(config)]
    done = subprocess.run(
        [*command, "--runs", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"{config}:9:3: unknown key 'training.epoch' (did you mean 'epochs'?)\n"
    assert not (tmp_path / "runs").exists()


def test_conflicts_are_told_beside_other_faults(recipe_file):
    text = """\
dataset: {name: diabetes}
model: {name: softmax_regression, dropuot: 1}
training:
  label_smoothing: 0.1
  epochs: 3
  epochs: 4
  schedule: {name: cosine}
  reduce_on_plateau: {patience: 2}
"""
    told = fault(recipe_file(text)).splitlines()
    assert [line.split(":")[1] for line in told] == ["6", "2", "2", "8", "4"]


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("training.schedule={name: step, at: []}", "at least 1 item"),
        ("training.augmentation={rotate: 400}", "expected less than or equal to 180"),
        ("model.filters=[99999999999999999999]", "expected less than or equal to 10000000"),
        ("model.filters=16", "expected a list, such as [16], got 16"),
        ("training.batch_size=0", "expected greater than or equal to 1, got 0"),
        ("training.batch_size=[32, 0]", "expected greater than or equal to 1, got 0"),
        ("training.batch_size=[]", "at least 1 item"),
        ("training.batch_size=many", "expected a valid integer, got 'many'"),
        ("training.batch_size=[1, 2, 3, 4, 5]", "5 stages need 5 epochs or more, got 4"),
        ("training.clean_epochs=2", "there is no augmentation: set augmentation too"),
        ("training.ema=1", "expected less than 1, got 1"),
        ("training.augmentation={fill: white}", "expected 'nearest' or 'black', got 'white'"),
        ("training.optimizer=sdg", "unknown optimizer 'sdg' (did you mean 'sgd'?)"),
        ("training.optimizer=3", "expected a mapping of settings, got 3"),
        ("training.lr=1", "unknown key 'training.lr' (did you mean 'learning_rate'?)"),
        ("training.Epochs=1", "unknown key 'training.Epochs' (did you mean 'epochs'?)"),
        ("training.clip_norm=1", "clip_norm is set already"),
    ],
)
def test_a_value_out_of_bounds_is_told_before_keras_would(override, text, recipe_file):
    good = GOOD + "  clip_value: 1\n" if "clip" in override else GOOD
    assert text in fault(recipe_file(good), override)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed: !!timestamp x", "x.yaml:1:7: 'x' is not a valid timestamp"),
        ("model: |\n  two\n  lines\n", "x.yaml:1:8: unknown model 'two\\nlines\\n'"),
    ],
)
def test_each_fault_is_one_line_with_its_place(text, told, recipe_file):
    lines = fault(recipe_file(text)).splitlines()
    assert all(line.startswith("x.yaml") for line in lines)
    assert any(line.startswith(told) for line in lines)


def test_an_override_of_two_lines_or_with_a_key_twice_is_one_line(recipe_file):
    path = recipe_file(GOOD)
    assert "\n" not in fault(path, '0=\n*0=null"')
    assert "duplicate key 'a'" in fault(path, "training.class_weights={a: 1, a: 2}")
