"""A new head on an old base: frozen, copied, the same with cached features as without."""

import json

import numpy as np
import pytest

from dlcourse.commands.train import main
from dlcourse.configuration.recipe import load_recipe, recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.errors import DivergedError, RecipeError, RunError, UserError
from dlcourse.models import efficientnet_lite0
from dlcourse.models.bases import published
from dlcourse.models.transfer import base_weights, head_alone, new_head, unfreeze
from dlcourse.runs import read_run
from dlcourse.training import StopRequest, fit_stages, prepare, resume, train
from dlcourse.training.features import features

LOW = """
dataset: {name: digits, classes: [0, 1, 2, 3, 4]}
model: {name: cnn, filters: [8], hidden: [16], dropout: 0.5, batch_norm: true}
training: {epochs: 3, learning_rate: 0.01}
"""
HIGH = """
dataset: {{name: digits, classes: [5, 6, 7, 8, 9]}}
model: {{name: transfer, base: {base}, layer: {layer}, head: [8], dropout: 0.2{model}}}
training: {{epochs: 3, learning_rate: 0.01{training}}}
"""


@pytest.fixture(scope="module")
def low(tmp_path_factory):
    """A run on the digits 0 to 4."""
    return train(recipe_from_text(LOW), tmp_path_factory.mktemp("runs"), name="low", bar=False)


def high(low, model="", training="", layer="flatten"):
    """The recipe that takes its layers to the digits 5 to 9."""
    text = HIGH.format(base=low.path, model=model, training=training, layer=layer)
    return recipe_from_text(text)


def equal(ours, theirs):
    """Whether two lists of arrays are equal bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def moved(low, tmp_path_factory):
    """A run that has them."""
    return train(high(low), tmp_path_factory.mktemp("moved"), name="high", bar=False)


@pytest.fixture
def base():
    """A small convolutional network with all that must stand still, for five classes."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16, name="rescaling"),
            layers.RandomFlip(),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Flatten(name="flat"),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(5, activation="softmax", name="logits"),
        ]
    )


@pytest.fixture(scope="module")
def images():
    """A few digits."""
    return load_dataset("digits").x_train[:60]


def test_the_features_are_the_outputs_of_the_bases_layer(base, images):
    model = new_head(base, 3, layer="flat")
    np.testing.assert_array_equal(
        features(model, "features", images), features(base, "flat", images)
    )


def test_the_whole_model_is_the_head_on_the_features(base, images):
    model = new_head(base, 3, layer="flat", hidden=(4,))
    rows = features(model, "features", images)
    np.testing.assert_allclose(
        head_alone(model).predict(rows, verbose=0),
        model.predict(images, verbose=0),
        rtol=1e-5,  # float32
    )


def test_without_a_layer_named_all_but_the_last_with_weights_is_kept(base):
    names = [layer.name for layer in new_head(base, 3, hidden=(4,)).layers]
    assert names[-5:] == ["hidden", "features", "head_1", "logits", "probabilities"]


def test_the_model_is_flat_so_that_each_layer_can_be_read(base):
    import keras

    model = new_head(base, 3)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    part = keras.Model(model.inputs, model.get_layer("conv").output)
    assert part.output.shape == (None, 6, 6, 8)


def test_nothing_random_acts_in_a_base_neither_in_a_model_inside_nor_in_a_recurrent_layer(images):
    import keras

    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((8, 8)), layers.Dropout(0.5), layers.LSTM(4, dropout=0.5, name="lstm")]
    )
    inputs = keras.Input((8, 8, 1))
    tensor = inner(layers.Reshape((8, 8))(inputs))
    base = keras.Model(inputs, layers.Dense(3, name="last")(layers.Dense(4, name="flat")(tensor)))
    model = new_head(base, 2, layer="flat")
    rows = keras.Model(model.inputs[0], model.get_layer("features").output)
    still = np.asarray(rows(images, training=False))
    np.testing.assert_array_equal(np.asarray(rows(images, training=True)), still)
    wanted = features(base, "flat", images)
    np.testing.assert_allclose(still, wanted, rtol=1e-5, atol=1e-6)  # float32


def test_training_leaves_the_base_and_the_copy_of_it_as_they_were(base, images):
    model = new_head(base, 3)
    before = base.get_weights()
    assert equal(base_weights(model), before[: len(base_weights(model))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images, np.arange(60) % 3, verbose=0)
    assert equal(base.get_weights(), before)  # batch normalization's statistics included
    assert equal(base_weights(model), before[: len(base_weights(model))])
    assert all(layer.trainable for layer in base.layers)


def test_fine_tuning_trains_the_last_layers_alone(base, images):
    model = new_head(base, 3, hidden=(4,))
    assert unfreeze(model, 1) == ["hidden"]
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images, np.arange(60) % 3, verbose=0)
    after = {name: model.get_layer(name).get_weights() for name in before}
    changed = [name for name in before if not equal(before[name], after[name])]
    assert changed == ["hidden", "head_1", "logits"]
    assert unfreeze(model, 2) == ["conv", "hidden"]  # batch normalization stays
    assert unfreeze(model, 0) == []


def test_fine_tuning_leaves_batch_normalization_in_a_nested_model(images):
    import keras

    inner = keras.Sequential(
        [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()], name="inner"
    )
    base = keras.Sequential([keras.Input(images.shape[1:]), inner, keras.layers.Flatten()])
    base.add(keras.layers.Dense(3))
    model = new_head(base, 3)
    assert unfreeze(model, 1) == ["inner"]
    convolution, norm = model.get_layer("inner").layers
    before = convolution.get_weights(), norm.get_weights()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images, np.arange(60) % 3, verbose=0)
    assert not equal(convolution.get_weights(), before[0])
    assert equal(norm.get_weights(), before[1])


def test_a_functional_backbone_inside_the_base_is_a_layer_like_another(images):
    import keras

    inside = keras.Input(images.shape[1:])
    maps = keras.layers.Conv2D(4, 3)(inside)
    backbone = keras.Model(inside, keras.layers.GlobalAveragePooling2D()(maps), name="backbone")
    inputs = keras.Input(images.shape[1:])
    answer = keras.layers.Dense(10)(backbone(keras.layers.Rescaling(1 / 16)(inputs)))
    base = keras.Model(inputs, answer)
    expected = backbone.predict(images / 16, verbose=0)
    np.testing.assert_allclose(features(base, "backbone", images), expected, rtol=1e-5)
    model = new_head(base, 3, layer="backbone")
    part = keras.Model(model.inputs, model.get_layer("features").output)
    np.testing.assert_allclose(part.predict(images, verbose=0), expected, rtol=1e-5)


def test_a_run_has_the_old_layers_and_a_new_head(low, moved):
    run = moved
    assert run.facts.class_names == ("5", "6", "7", "8", "9")
    assert equal(run.model.get_layer("conv_1").get_weights(), low.model.get_weights()[:1])
    assert run.metrics["test"]["accuracy"] > 0.5  # five classes: 0.2 by chance
    assert (run.path.parent / "cache").is_dir()


def test_the_head_on_cached_features_learns_the_same_bits_as_behind_the_frozen_base(
    low, moved, tmp_path
):
    behind = train(high(low, ", cache_features: false"), tmp_path, name="behind", bar=False)
    assert equal(moved.model.get_weights(), behind.model.get_weights())
    assert moved.history == behind.history


def test_features_in_the_cache_are_read_again(low, moved, monkeypatch):
    monkeypatch.setattr(
        "dlcourse.training.features.predict", lambda *_: pytest.fail("computed again")
    )
    again = train(high(low), moved.path.parent, name="again", bar=False)
    assert equal(moved.model.get_weights(), again.model.get_weights())


def test_other_weights_or_inputs_are_other_features_in_the_cache(base, images, tmp_path):
    first = features(base, "flat", images, cache=tmp_path)
    moved = features(base, "flat", images[::-1], cache=tmp_path)
    np.testing.assert_array_equal(moved, first[::-1])
    base.set_weights([2 * weight for weight in base.get_weights()])
    again = features(base, "flat", images, cache=tmp_path)
    np.testing.assert_array_equal(again, features(base, "flat", images))
    assert not np.array_equal(again, first)
    assert len(list(tmp_path.iterdir())) == 3


def test_fine_tuning_follows_the_head_and_changes_the_named_layers(low, tmp_path):
    lines = []
    settings = ", trainable_layers: 1, fine_tuning_epochs: 2"
    recipe = high(low, settings, layer="hidden_1")
    run = train(recipe, tmp_path, name="tuned", bar=False, report=lines.append)
    assert "fine-tuning: hidden_1 and the head, learning rate 0.001" in lines
    assert run.metrics["epochs_run"] == 5
    assert len(run.history["loss"]) == 5
    kept, before = run.model.get_layer("hidden_1"), low.model.get_layer("hidden_1")
    assert not equal(kept.get_weights(), before.get_weights())
    conv = run.model.get_layer("conv_1").get_weights()
    assert equal(conv, low.model.get_layer("conv_1").get_weights())


def test_fine_tuning_that_makes_it_worse_is_not_kept(low, moved, tmp_path):
    worse = ", trainable_layers: 1, fine_tuning_epochs: 1, fine_tuning_rate: 1000"
    run = train(high(low, worse), tmp_path, name="worse", bar=False)
    assert run.metrics["best_epoch"] == moved.metrics["best_epoch"] <= 3
    assert equal(run.model.get_weights(), moved.model.get_weights())


SLOW = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("true", id="cached"),
        pytest.param("false", id="behind", marks=SLOW),
    ],
)
def whole(low, tmp_path_factory, request):
    """A transfer with a fine-tuning that nothing interrupted."""
    settings = ", trainable_layers: 1, fine_tuning_epochs: 2, cache_features: "
    recipe = high(low, settings + request.param)
    return train(recipe, tmp_path_factory.mktemp("whole"), name="whole", bar=False)


# in the head's training, at its end and in the fine-tuning
@pytest.mark.parametrize("epoch", [pytest.param(2, marks=SLOW), pytest.param(3, marks=SLOW), 4])
def test_an_interrupted_transfer_goes_on_exactly(whole, tmp_path, epoch):
    recipe = load_recipe(whole.file("recipe.yaml"))
    stop = StopRequest()

    def target_of(line):
        if line.startswith(f"epoch {epoch}/"):
            stop.signal = 15

    with pytest.raises(UserError, match="interrupted in"):
        train(recipe, tmp_path, name="parts", bar=False, report=target_of, stop=stop)
    run = resume(read_run(tmp_path / "parts"), bar=False)
    assert run.history == whole.history
    assert equal(run.model.get_weights(), whole.model.get_weights())


def test_a_base_that_changed_is_not_gone_on_from(low, tmp_path):
    recipe = high(low)
    run = train(recipe, tmp_path, name="high", bar=False)
    (run.path / "metrics.json").unlink()
    facts = json.loads((run.path / "environment.json").read_text())
    (run.path / "environment.json").write_text(
        json.dumps({key: facts[key] for key in facts if key != "sha256"} | {"base": "another"})
    )
    with pytest.raises(RunError, match=r"its base .*low has changed since it began"):
        resume(read_run(run.path), bar=False)


def test_a_finished_transfer_is_read_without_its_base(low, tmp_path, capsys):
    import shutil

    from dlcourse.commands.diagnose import main as diagnose

    base = tmp_path / "gone"
    shutil.copytree(low.path, base)
    run = train(high(read_run(base)), tmp_path, name="high", bar=False)
    shutil.rmtree(base)
    assert diagnose(["--run", str(run.path)]) == 0
    assert "conv_1" in capsys.readouterr().out
    assert main(["--resume", str(run.path)]) == 0
    assert "nothing left to train" in capsys.readouterr().out


def test_a_fine_tuning_that_diverges_names_its_own_rate(low, tmp_path):
    wild = high(low, ", trainable_layers: 1, fine_tuning_rate: 1.0e+30")
    with pytest.raises(DivergedError, match=r"try model\.fine_tuning_rate=1e\+29 or"):
        train(wild, tmp_path, name="wild", bar=False)


def test_more_epochs_before_a_fine_tuning_are_refused(low, tmp_path):
    run = train(high(low, ", trainable_layers: 1"), tmp_path, name="high", bar=False)
    more = high(low, ", trainable_layers: 1")
    more = more.model_copy(update={"training": more.training.model_copy(update={"epochs": 9})})
    with pytest.raises(RecipeError, match="its fine-tuning is planned for"):
        resume(run, more, bar=False)


def test_augmentation_acts_in_front_of_the_frozen_base(low, moved, tmp_path):
    recipe = high(low, ", cache_features: false", ", augmentation: {shift: 0.1}")
    run = train(recipe, tmp_path, name="shifted", bar=False)
    names = [[layer.name for layer in one.model.layers[1:]] for one in (run, moved)]
    assert names[0] == names[1]
    assert run.history != moved.history


def test_images_of_another_range_are_scaled_as_the_bases_own(low):
    """The digits go from 0 to 16, the same as eight-bit pixels to 255."""
    digits = load_dataset("digits", classes=("5", "6"))
    scaled = digits.x_train.astype("float32") * (255 / 16)
    from dataclasses import replace

    from dlcourse.models import build_model

    pixels = replace(digits, x_train=scaled, value_range=(0.0, 255.0))
    found = [
        features(build_model("transfer", data, base=str(low.path)), "features", data.x_train)
        for data in (digits, pixels)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)  # float32 in other units


def test_a_keras_file_and_a_table_serve_as_bases(tmp_path):
    recipe = recipe_from_text(
        "dataset: {name: iris}\nmodel: {name: dnn, hidden: [8]}\ntraining: {epochs: 2}\n"
    )
    run = train(recipe, tmp_path, name="iris", bar=False)
    file = run.path / "model.keras"
    text = f"dataset: {{name: iris}}\nmodel: {{name: transfer, base: {file}, weights: null}}\n"
    prepared = prepare(recipe_from_text(text))
    names = [layer.name for layer in prepared.model.layers]
    assert names[1:] == ["normalization", "hidden_1", "features", "logits", "probabilities"]


def test_a_transferred_run_is_a_base_itself(moved):
    model = prepare(high(moved, layer="null")).model
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert {"base_head_1", "head_1"} <= set(names)


def test_a_comparison_takes_a_transfer_with_its_stages(low):
    from dlcourse.lab.comparison.trials import recipe_trial

    recipe = high(low, ", trainable_layers: 1, fine_tuning_epochs: 1")
    trial = recipe_trial("high", recipe, recipe.load_dataset(), 1)
    assert trial.score > 0.5  # five classes: 0.2 by chance


def test_the_stages_are_the_head_and_the_fine_tuning(low, tmp_path):
    from dlcourse.runs import create_run

    recipe = high(low, ", trainable_layers: 1")
    prepared = prepare(recipe)
    last = fit_stages(recipe, prepared, create_run(tmp_path, "run", "run"))
    fits = [last.previous, last]
    assert [fit.path.name for fit in fits] == ["state.npz", "fine_tuning.npz"]
    kept = [len(fit.prepared.frozen_weights) for fit in fits]
    assert kept == [len(base_weights(prepared.model)), 0]


@pytest.mark.parametrize(
    ("model", "training", "text"),
    [
        (", trainable_layers: 9", "", "cannot train 9 layers: only 1 of the base have weights"),
        (
            "",
            ", augmentation: {shift: 0.1}",
            r"'model.cache_features': augmented images have other features in each epoch",
        ),
    ],
)
def test_what_cannot_be_built_is_told(low, model, training, text):
    with pytest.raises(RecipeError, match=text):
        prepare(high(low, model, training))


def test_a_layer_that_the_base_does_not_have_is_told(low):
    with pytest.raises(RecipeError, match=r"no layer 'flat' \(did you mean 'flatt"):
        prepare(high(low, layer="flat"))


def doubled(register=False):
    """A layer of one's own, whose class a file names but does not hold."""
    import keras

    class Doubled(keras.layers.Layer):
        def __init__(self, factor=2, **others):
            super().__init__(**others)
            self.factor = factor

        def call(self, x):
            return self.factor * x

    Doubled.__module__ = "gone"
    if register:
        keras.saving.register_keras_serializable()(Doubled)
    return Doubled()


def test_a_base_with_a_registered_layer_of_ones_own_serves(tmp_path):
    import keras

    inner = [keras.layers.Flatten(), keras.layers.Dense(4), doubled(register=True)]
    ends = keras.Input((8, 8, 1)), keras.layers.Dense(2)
    keras.Sequential([ends[0], *inner, ends[1]]).save(tmp_path / "own.keras")
    given = f"model: {{name: transfer, base: {tmp_path}/own.keras}}"
    model = prepare(recipe_from_text(f"dataset: {{name: digits}}\n{given}")).model
    assert "Doubled" in [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(
    ("base", "text"),
    [
        (
            "MobilNetV2",
            r"'MobilNetV2' is not a run, a file or a network of keras.applications \(did you mean",
        ),
        ("{folder}", "is not a run: it has no recipe.yaml"),
        ("{folder}/broken.keras", "broken.keras: is not a .keras file"),
        ("{folder}/large.keras", r"inputs of shape \(9, 9, 1\), but this data has \(8, 8, 1\)"),
        ("{folder}/two.keras", "two.keras has 2 inputs: one is expected"),
        ("{folder}/one.keras", "name the layer to keep: one of only"),
        (
            "{folder}/own.keras",
            "cannot .* locate class 'Doubled': give it @keras.saving",
        ),
        ("{folder}/shapeless.keras", "shapeless.keras has 0 inputs: one is expected, of a model"),
    ],
)
def test_a_base_that_cannot_serve_is_told(tmp_path, base, text):
    import keras

    (tmp_path / "broken.keras").write_bytes(b"no model")
    for name, shape in (("large", (9, 9, 1)), ("one", (8, 8, 1))):
        layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2, name="only")]
        if name == "one":
            layers = [keras.Input(shape), keras.layers.Conv2D(2, 8, name="only")]
        keras.Sequential(layers).save(tmp_path / f"{name}.keras")
    two = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    keras.Model(two, keras.layers.Add()(two)).save(tmp_path / "two.keras")
    keras.Sequential([keras.Input((8, 8, 1)), doubled()]).save(tmp_path / "own.keras")
    shapeless = keras.saving.register_keras_serializable()(
        type("Shapeless", (keras.Model,), {"call": lambda _, x: x})
    )
    model = shapeless()
    model(np.zeros((1, 8, 8, 1), "float32"))
    model.save(tmp_path / "shapeless.keras")
    base = base.format(folder=tmp_path)
    recipe = recipe_from_text(f"dataset: {{name: digits}}\nmodel: {{name: transfer, base: {base}}}")
    with pytest.raises(RecipeError, match=text):
        prepare(recipe)


def test_a_base_that_is_not_there_is_told_before_keras_is_loaded(tmp_path, capsys):
    config = tmp_path / "high.yaml"
    config.write_text("dataset: {name: digits}\nmodel: {name: transfer, base: runs/nothing}\n")
    assert main(["--config", str(config), "--dry-run"]) == 2
    assert "high.yaml:2:31: 'model.base': runs/nothing: no such file" in capsys.readouterr().err


def test_a_published_network_works_from_a_local_file_of_weights(tmp_path):
    import keras

    random = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    file = tmp_path / "my.weights.h5"
    random.save_weights(file)
    again = published("MobileNetV2", (32, 32, 3), weights=str(file))
    assert equal(random.get_weights(), again.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
    prepared = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
    ours, theirs = again(pixels, training=False), random(prepared, training=False)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # float32 through 53 layers


@pytest.mark.parametrize("module", ["mobilenet_v2", "resnet50", "densenet", "efficientnet"])
def test_a_published_networks_preprocessing_is_a_layer(module):
    import keras

    from dlcourse.models.bases import _preprocessing

    function = getattr(keras.applications, module).preprocess_input
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("float32")
    np.testing.assert_allclose(
        _preprocessing(function)(pixels / 255),
        function(pixels.copy()),
        atol=1e-3,  # float32, of values up to 255
    )


def test_grey_images_train_a_new_head_on_a_published_network(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "STAGES", efficientnet_lite0.STAGES[:2])  # of seven
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.integers(0, 255, (40, 32, 32)), "y_train": np.arange(40) % 2}
    np.savez(tmp_path / "grey.npz", **arrays)
    recipe = recipe_from_text(
        f"dataset: {{name: npz, path: {tmp_path / 'grey.npz'}}}\n"
        "model: {name: transfer, base: efficientnet_lite0, weights: null}\n"
        "training: {epochs: 1}\n"
    )
    run = train(recipe, tmp_path, name="grey", bar=False)
    assert run.model.output_shape == (None, 1)
    assert run.model.get_layer("three_channels").output.shape == (None, 32, 32, 3)


def test_a_published_network_without_the_network_says_so(monkeypatch):
    import keras

    def offline(*_, **__):
        raise Exception("URL fetch failure on https://storage…: Temporary failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(UserError, match=r"weights: no such file: mine.h5"):
        published("MobileNetV2", (32, 32, 3), weights="mine.h5")
    with pytest.raises(UserError, match=r"could not be downloaded: .*failure \(offline: set"):
        published("MobileNetV2", (32, 32, 3), weights="imagenet")
