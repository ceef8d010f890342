"""A recipe as a plain Keras script: the same data, layers, loss, optimizer and schedule."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import dlcourse as dl
from dlcourse.commands import train
from dlcourse.configuration.recipe import groups
from dlcourse.datasets.dataset import digests
from dlcourse.errors import RecipeError
from dlcourse.lab.keras_script import TEMPLATE
from dlcourse.lab.keras_script.text import Code, formatted, literal, written

ROOT = Path(__file__).parent.parent
REFUSED = {
    "digits_5_to_9_transfer": "'model.name'",
    "mnist_5_to_9_transfer": "'model.name'",
    "photos_transfer": "'model.name'",
}
MADE = ("planted", "mnist1d", "movie_reviews", "names", "sunspots")  # by dlcourse's own code
REFUSED |= {
    recipe["name"]: "'dataset.name'" for recipe in dl.recipes() if recipe["name"].startswith(MADE)
}
SHIPPED = [recipe["name"] for recipe in dl.recipes() if recipe["name"] not in REFUSED]
OF_TFDS = [name for name in SHIPPED if "mnist" in name]
GROUPS = [
    pytest.param(sorted({*SHIPPED} - {*OF_TFDS}), id="embedded"),
    pytest.param(OF_TFDS, id="tfds", marks=pytest.mark.slow),
]
SMALL = {"dataset": "points", "model": "logistic_regression", "training": {"epochs": 2}}
PLAIN = ["training.jit_compile=false"]  # XLA takes longer to compile than these trainings


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with ten small images of each of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name, level in (("cat", 60), ("dog", 180)):
        (folder / name).mkdir()
        for number in range(10):
            pixels = rng.integers(level, level + 60, (12, 12, 3), "uint8")
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def script_of(name: str, photos: Path, **settings) -> str:
    own = {"dataset": {"path": str(photos)}} if name == "photos" else {}
    return dl.as_keras(name, **own, **settings)


@pytest.fixture(scope="module")
def scripts(photos):
    class Scripts(dict):
        def __missing__(self, name):
            self[name] = script_of(name, photos)
            return self[name]

    return Scripts()


def ran(script: str, until: str = "# Keras orders") -> dict:
    """Run a script up to its call of fit; return its names."""
    names: dict = {}
    exec(compile(script[: script.index(until)], "script", "exec"), names)
    return names


def code_of(script: str) -> list[str]:
    lines = (line for line in script.splitlines() if line.strip())
    return [line for line in lines if not line.strip().startswith("#")]


# ------------------------------------------------------------------ the text


def test_a_line_that_is_too_long_is_wrapped_at_its_last_bracket():
    call = f"x = f(1)(a, b={'1' * 90}, c=[1, 2])"
    assert formatted(call) == f"x = f(1)(\n    a,\n    b={'1' * 90},\n    c=[1, 2],\n)"
    assert formatted(f"f({'1' * 99})") == f"f(\n    {'1' * 99}\n)"
    assert formatted("f(1)") == "f(1)"
    quoted = f"{'x' * 90}('a, )', 1)"
    assert formatted(quoted) == f"{'x' * 90}(\n    'a, )', 1\n)"


def test_text_is_quoted_and_code_is_not():
    assert literal({"a": ("x", None), 1: Code("y")}) == '{"a": ("x", None), 1: y}'
    assert literal('say "a"') == "'say \"a\"'"
    assert literal('it\'s "a"\n') == '"it\'s \\"a\\"\\n"'
    assert literal(("a",)) == '("a",)'


def test_a_line_of_a_template_stays_if_its_conditions_hold():
    template = "{?a}x = 1\n{!a}x = 2\n{?b=one|two}y = {b}\nz = {none}\n# {a}"
    assert written(template, {"a": 3, "b": "two"}, {}) == 'x = 1\ny = "two"\n# 3\n'
    assert written(template, {"a": 0, "b": "three"}, {}) == "x = 2\n# 0\n"


def test_a_value_cannot_be_taken_for_a_placeholder():
    assert written("x = {a}", {"a": "{?b}{c}"}, {}) == 'x = "{?b}{c}"\n'


def test_every_name_of_the_template_is_a_setting_or_computed():
    names = re.findall(r"\{[?!]?([\w.]+)(?:=[\w|]+)?\}", TEMPLATE.read_text())
    source = "".join(file.read_text() for file in TEMPLATE.parent.glob("*.py"))
    settings = {"seed", *(key for cls in groups().values() for key in cls.model_fields)}
    for name in names:
        part, _, key = name.rpartition(".")
        is_setting = part.split(".")[0] in ("", "dataset", "model", "training") and key in settings
        assert is_setting or f'"{name}"' in source or part == "given", name


# ------------------------------------------------------------------ every shipped recipe


@pytest.mark.parametrize(("name", "setting"), REFUSED.items())
def test_what_plain_keras_cannot_express_says_so_in_one_line(name, setting):
    with pytest.raises(
        RecipeError, match=f"{setting}: cannot be written in plain Keras: "
    ) as raised:
        dl.as_keras(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("names", GROUPS)
def test_a_script_is_short_plain_and_without_dlcourse(names, scripts):
    for name, script in [(name, scripts[name]) for name in names]:
        modules = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(ast.parse(script))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert modules <= {"math", "keras", "numpy", "sklearn", "tensorflow_datasets"}, name
        assert 30 <= len(code_of(script)) <= 80, name


@pytest.mark.parametrize("names", GROUPS)
def test_ruff_changes_nothing_in_a_script(names, scripts, tmp_path):
    for name, script in [(name, scripts[name]) for name in names]:
        (tmp_path / f"{name}.py").write_text(script)
    config = ["--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, *config]
        done = subprocess.run(ruff, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("names", GROUPS)
def test_each_block_stands_beside_its_key(names, scripts):
    for name, script in [(name, scripts[name]) for name in names]:
        recipe = dl.recipe(name)
        keys = ["seed", "dataset", "model", "training"]
        keys += ["training.schedule"] if recipe.training.schedule else []
        keys += ["training.augmentation"] if recipe.training.augmentation else []
        for key in keys:
            assert re.search(rf"^ *# {re.escape(key)}: ", script, re.MULTILINE), (name, key)


def loss_and_gradients(model, x, y):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=False))
    return loss, tape.gradient(loss, model.trainable_variables)


def agrees(name: str, script: str, same_rows: bool = True, **settings) -> None:
    """Compare the script's data, layers, loss, gradients and optimizer with the recipe's."""
    from dlcourse.training.preparation import prepare, targets

    recipe = dl.recipe(name, **settings)
    made, prepared = ran(script), prepare(recipe)
    dataset, ours, theirs = prepared.dataset, prepared.model, made["model"]
    for part, (x, y) in dataset.splits.items():
        again, labels = made[f"x_{part}"], made[f"y_{part}"]
        labels = labels.argmax(axis=1) if labels.ndim > 1 else labels
        assert len(again) == len(x)
        if same_rows:
            known = digests(x, y), digests(again, labels.astype(y.dtype))
            assert np.array_equal(*map(np.sort, known)), part
    kinds = [type(layer).__name__ for layer in theirs.layers]
    assert [kind for kind in kinds if not kind.startswith("Random")] == [
        type(layer).__name__ for layer in ours.layers
    ]
    assert theirs.count_params() == ours.count_params()
    theirs.set_weights(ours.get_weights())
    x, y = dataset.x_train[:64].astype("float32"), targets(ours, recipe, dataset, "train")[:64]
    (loss, gradients), (again, others) = (loss_and_gradients(m, x, y) for m in (ours, theirs))
    # float32; the means of a table are computed over its rows in another order
    assert float(again) == pytest.approx(float(loss), rel=1e-5, abs=1e-6)
    largest = max(float(np.abs(gradient).max()) for gradient in gradients)
    for one, other in zip(gradients, others, strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-5 * max(1.0, largest))
    known, own = (model.optimizer.get_config() for model in (ours, theirs))
    rates = [(config.pop("name"), config.pop("learning_rate"))[1] for config in (known, own)]
    assert known == own
    if recipe.training.schedule:
        every = range(recipe.training.epochs)
        steps = sum(recipe.training.steps_in(epoch, len(dataset.x_train)) for epoch in every)
        for step in (0, 1, steps // 5, steps // 3, steps // 2, steps - 1):
            one, other = (float(m.optimizer._learning_rate(step)) for m in (ours, theirs))
            assert other == pytest.approx(one, rel=1e-5, abs=1e-12)
    else:
        assert rates[0] == pytest.approx(rates[1])


@pytest.mark.parametrize("name", sorted({*SHIPPED} - {*OF_TFDS} - {"photos"}))
def test_a_script_has_the_loss_and_the_gradients_of_its_recipe(name, scripts):
    agrees(name, scripts[name])


def test_a_script_on_a_folder_has_the_layers_and_the_labels_of_its_recipe(scripts, photos):
    # Keras resizes otherwise
    agrees("photos", scripts["photos"], same_rows=False, dataset={"path": str(photos)})


@pytest.fixture(scope="module")
def mnist():
    """MNIST is read once for all recipes, and once for all scripts."""
    import tensorflow_datasets

    tfds = import_module("dlcourse.datasets.tfds")  # the name in the package is its function

    def once(function):
        kept = {}

        def read(first, *args, **settings):
            key = str((args, settings))
            kept[key] = kept.get(key) or function(first, *args, **settings)
            return kept[key]

        return read

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensorflow_datasets, "load", once(tensorflow_datasets.load))
        patch.setattr(tfds, "_arrays", once(tfds._arrays))
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("shared", "mnist")
@pytest.mark.parametrize("name", [name for name in OF_TFDS if "fashion" not in name])
def test_a_script_on_mnist_has_the_loss_and_the_gradients_of_its_recipe(name, scripts):
    """Row by row for two recipes, with all classes and with five: the others read as these."""
    agrees(name, scripts[name], same_rows=name in ("mnist_fast", "mnist_0_to_4"))


# ------------------------------------------------------------------ the settings


@pytest.mark.parametrize("shape", ["blobs", "xor", "circles", "moons", "spirals"])
def test_points_are_those_of_the_recipe(shape):
    features = ["x1", "x2", "x1*x2", "x1^2", "sin(x2)"]
    data = {"name": "points", "shape": shape, "n": 200, "noise": 0.3, "features": features}
    data["classes"] = 2 if shape in ("xor", "moons") else 3
    made = ran(dl.as_keras(dataset=data, model="dnn", seed=3), "# model")
    dataset = dl.recipe(dataset=data, model="dnn", seed=3).load_dataset()
    for part, (x, y) in dataset.splits.items():
        pair = digests(x, y), digests(made[f"x_{part}"], made[f"y_{part}"])
        assert np.array_equal(*map(np.sort, pair))


WRITTEN = {
    "optimizer=sgd": "keras.optimizers.SGD(0.001)",
    "optimizer={name: sgd, nesterov: true}": "SGD(0.001, nesterov=True)",
    "optimizer={name: adamw, weight_decay: 0.1}": "AdamW(0.001, weight_decay=0.1)",
    "optimizer={name: nadam, beta_1: 0.8}": "Nadam(0.001, beta_1=0.8)",
    "optimizer={name: rmsprop, rho: 0.8, centered: true}": "RMSprop(0.001, rho=0.8, centered=True)",
    "optimizer={name: adagrad, epsilon: 0.1}": "Adagrad(0.001, epsilon=0.1)",
    "optimizer={name: adadelta, rho: 0.5}": "Adadelta(0.001, rho=0.5)",
    "optimizer={name: adam, amsgrad: true}": "Adam(0.001, amsgrad=True)",
    "learning_rate=0.5": "Adam(0.5)",
    "clip_norm=2": "global_clipnorm=2.0",
    "clip_value=2": "clipvalue=2.0",
    "ema=0.9": "keras.callbacks.SwapEMAWeights(swap_on_epoch=True)",
    "label_smoothing=0.1": "keras.losses.BinaryCrossentropy(label_smoothing=0.1)",
    "class_weights=balanced": "class_weight=class_weight",
    "class_weights={1: 3}": "class_weight = {0: 1.0, 1: 3.0}",
    "early_stopping={patience: 1, min_delta: 0.1}": "min_delta=0.1",
    "reduce_on_plateau={factor: 0.7}": "factor=0.7",
    "restore_best_weights=true": "restore_best_weights=True",
    "device=cpu": 'tf.config.set_visible_devices([], "GPU")',
    "device=gpu": 'raise SystemExit("there is no GPU")',
    "mixed_precision=true": 'layers.Activation("sigmoid", dtype="float32")',
    "jit_compile=false": "jit_compile=False",
    "steps_per_execution=3": "steps_per_execution=3",
    "checkpoint_every=5": 'keras.callbacks.BackupAndRestore("backup", save_freq=5)',
    "deterministic=true": "tf.config.experimental.enable_op_determinism()",
    "tensorboard=true": 'keras.callbacks.TensorBoard("tensorboard")',
    "batch_size=[16,32]": "stages = [(16, 0, 1), (32, 1, 2)]",
    "schedule=exponential": "schedules.ExponentialDecay(0.001, steps, 0.01)",
    "schedule=linear": "schedules.PolynomialDecay(0.001, steps, 0.0 * 0.001)",
    "schedule=cosine": "schedules.CosineDecay(0.001, steps, alpha=0.0)",
    "schedule=step": "parts = sorted((0.5, 0.75))",
    "schedule=one_cycle": "warmup_steps = max(1, round(0.25 * steps))",
}


@pytest.mark.parametrize(("setting", "text"), WRITTEN.items())
def test_a_setting_of_the_training_is_written(setting, text):
    script = dl.as_keras(SMALL, f"training.{setting}")
    assert text in script
    compile(script, "script", "exec")


def test_every_setting_of_the_training_is_in_the_table_or_in_a_shipped_recipe():
    tried = {setting.partition("=")[0] for setting in WRITTEN}
    others = {"epochs", "augmentation", "clean_epochs"}  # in shipped recipes
    others.add("distribute")  # refused, see below
    assert tried | others == set(groups()["training"].model_fields)


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ("early_stopping={patience: 1}", "early_stopping"),
        ("reduce_on_plateau={}", "reduce_on_plateau"),
        ("ema=0.9", "ema"),
        ("checkpoint_every=3", "checkpoint_every"),
    ],
)
def test_a_setting_that_needs_a_single_fit_is_refused_by_name(change, setting):
    with pytest.raises(RecipeError) as raised:
        dl.as_keras(SMALL, "training.batch_size=[16,32]", f"training.{change}")
    assert f"'training.{setting}': cannot be written in plain Keras" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_several_devices_are_refused():
    with pytest.raises(RecipeError, match=r"'training\.distribute': .*set it to null"):
        dl.as_keras("digits_cnn", distribute="data_parallel")


def test_the_best_weights_of_two_models_are_refused():
    images = {"augmentation": {"shift": 0.1}, "clean_epochs": 1, "epochs": 2}
    with pytest.raises(RecipeError, match=r"'training\.restore_best_weights': cannot be written"):
        dl.as_keras(dataset="digits", model="dnn", **images)


MODELS = [
    {"name": "dnn", "hidden": [5, 4], "activation": "leaky_relu", "batch_norm": True, "noise": 0.1},
    {"name": "dnn", "initializer": "large_normal", "l2": 0.01, "dropout": 0.2, "hidden": [3]},
    {"name": "dnn", "initializer": "constant", "activation": "linear", "hidden": [3]},
    {"name": "dnn", "activation": "linear", "batch_norm": True, "batch_norm_momentum": 0.5},
    {"name": "cnn", "filters": [3, 4], "convolutions": 2, "strides": [2, 1], "pool": "average"},
    {"name": "cnn", "filters": [3], "pooling": "max", "padding": "valid", "kernel_size": 2},
    {"name": "cnn", "filters": [3], "pooling": "average", "hidden": [], "pool": "none", "l2": 1e-5},
    {"name": "rnn", "cell": "gru", "layers": 2, "bidirectional": True, "units": 3, "dropout": 0.1},
    {"name": "rnn", "cell": "simple", "units": 3, "initializer": "orthogonal", "l2": 0.02},
]


def plain(value) -> str:
    return str(value).replace("-0.0", "0.0")


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_script_makes_the_layers_of_any_model(model):
    recipe = dl.recipe(dataset="digits", model=model)
    names = ran(dl.as_keras(recipe), "model.summary()")
    ours = recipe.build_model(recipe.load_dataset())
    left_out = {"name", "build_config", "layer", "backward_layer"}
    for one, other in zip(ours.layers, names["model"].layers, strict=True):
        known, made = one.get_config(), other.get_config()
        for key in known.keys() - left_out:
            assert plain(made[key]) == plain(known[key]), key


# ------------------------------------------------------------------ the user's own data


def table(folder: Path, rows: int = 60) -> Path:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            'size "m²"': rng.normal(size=rows).round(3),
            "colour's": rng.choice(["red", "blue, dark", "NA"], rows),
            "age": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(1, 90, rows)),
            "built": pd.date_range("2001-01-01", periods=rows, freq="17D").strftime("%d.%m.%Y"),
            "id": [f"row {number}" for number in range(rows)],
            "price": rng.normal(size=rows).round(3),
            "kind": rng.choice(["a {x}", "b"], rows),
        }
    )
    file = folder / "own table.csv"
    frame.to_csv(file, index=False, sep=";", decimal=",")
    return file


@pytest.mark.parametrize("target", ["price", "kind"])
def test_a_table_is_encoded_by_pandas_as_in_the_recipe(tmp_path, target):
    file = table(tmp_path)
    data = {"name": "csv", "path": str(file), "target": target, "ignore": ["id"]}
    recipe = dl.recipe(dataset=data, model="dnn", seed=2)
    script = dl.as_keras(recipe)
    made, dataset = ran(script, "# model"), recipe.load_dataset()
    assert np.allclose(made["x"][np.sort(made["train"])], dataset.x_train)
    assert np.allclose(made["x_test"].sum(axis=0), dataset.x_test.sum(axis=0), atol=1e-4)
    assert "id" not in [*re.findall(r'frame\["(\w+)"\]', script)]
    recipe_of_run = dl.recipe(recipe, epochs=3)  # complete, as that of a run
    compile(dl.as_keras(recipe_of_run), "script", "exec")


def test_a_table_that_pandas_alone_reads_otherwise_is_refused(tmp_path):
    file = tmp_path / "units.csv"
    rows = "".join(f"{number * 7 % 50} kg,{number % 2}\n" for number in range(60))
    file.write_text(f"weight,y\n{rows}")
    data = {"name": "csv", "path": str(file), "target": "y"}
    with pytest.raises(RecipeError, match=r"'dataset\.path': cannot be written in plain Keras"):
        dl.as_keras(dataset=data, model="dnn")
    for split in ("content", {"group": "weight"}):
        with pytest.raises(RecipeError, match=r"'dataset\.split': cannot be written"):
            dl.as_keras(dataset={**data, "split": split}, model="dnn")


@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "val", "test")])
def test_arrays_are_those_of_the_recipe(tmp_path, parts):
    rng = np.random.default_rng(0)
    arrays = {}
    for part in parts:
        arrays[f"x_{part}"] = rng.integers(0, 256, (60, 6, 5), "uint8")
        arrays[f"y_{part}"] = np.eye(3, dtype=int)[np.arange(60) % 3]
    np.savez(tmp_path / "own.npz", **arrays)
    recipe = dl.recipe(dataset={"name": "npz", "path": str(tmp_path / "own.npz")}, model="dnn")
    made, dataset = ran(dl.as_keras(recipe), "model.summary"), recipe.load_dataset()
    for part, (x, _) in dataset.splits.items():
        assert made[f"x_{part}"].sum() == x.sum()


def test_data_given_in_python_is_refused():
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    with pytest.raises(RecipeError, match=r"'dataset\.path': .* the data is in Python"):
        dl.as_keras((x, y), model="dnn")


def test_a_name_with_a_line_break_is_not_run(tmp_path):
    file = tmp_path / "a\rraise SystemExit(9)\r.yaml"
    file.write_text("dataset: points\nmodel: logistic_regression\n")
    assert "\rraise" not in dl.as_keras(file)


# ------------------------------------------------------------------ trained


@pytest.mark.slow
def test_a_script_runs_to_the_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = {"name": "cnn", "filters": [4], "hidden": [], "batch_norm": True}
    fits = {"augmentation": {"shift": 0.1}, "clean_epochs": 1, "restore_best_weights": False}
    fits |= {"schedule": {"name": "linear", "warmup": 0.3}, "jit_compile": False}
    script = dl.as_keras(dataset="digits", model=small, epochs=3, batch_size=[64, 128], **fits)
    names: dict = {}
    exec(compile(script, "script", "exec"), names)
    assert names["model"].optimizer.iterations == 20 + 20 + 10  # 1,221 images: 20 or 10 batches
    assert "accuracy" in capsys.readouterr().out


def test_the_best_weights_of_several_fits_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(
        compile(dl.as_keras(SMALL, "training.batch_size=[64,128]", *PLAIN), "script", "exec"), names
    )
    assert (tmp_path / "best.weights.h5").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_fast", "diabetes_linear"])
def test_a_script_reaches_the_score_of_its_recipe(name, tmp_path):
    """The range of three seeds, by its own width wider: the script's seed is a fourth sample."""
    few = {"epochs": 8}
    runs = [dl.fit(name, seed=seed, runs=tmp_path, verbose=0, **few) for seed in range(3)]
    metric = "mae" if name == "diabetes_linear" else "accuracy"
    scores = [run.metrics["test"][metric] for run in runs]
    script = dl.as_keras(name, **few).replace("model.evaluate(", "score = model.evaluate(")
    names: dict = {}
    exec(compile(script, "script", "exec"), names)
    width = max(max(scores) - min(scores), 0.01 * max(scores))
    assert min(scores) - width <= names["score"][1] <= max(scores) + width


# ------------------------------------------------------------------ the command, the playground


def test_the_command_prints_the_script(capsys):
    assert train.main(["--config", "points_line", "--as-keras", "training.epochs=3"]) == 0
    printed = capsys.readouterr().out
    assert printed == dl.as_keras("points_line", "training.epochs=3")
    assert train.main(["--config", "planted_cnn", "--as-keras"]) == 2
    assert "'dataset.name': cannot be written in plain Keras" in capsys.readouterr().err


def test_the_playground_has_its_script():
    play = dl.lessons.Playground("circles", features=("x1^2", "sin(x2)"), hidden=(2,), l2=0.001)
    script = play.as_keras()
    assert "np.stack([x1**2, np.sin(x2)], axis=1)" in script
    assert "keras.regularizers.L2(l2=0.001)" in script
