"""The course on JAX or PyTorch without TensorFlow: `KERAS_BACKEND=jax`, in a venv of its own."""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse.configuration.recipe import load_recipe, recipe_from_text
from dlcourse.errors import InterruptedTraining
from dlcourse.runs import read_run

BACKEND = os.environ.get("KERAS_BACKEND")
pytestmark = pytest.mark.skipif(
    BACKEND not in ("jax", "torch") or find_spec("tensorflow") is not None,
    reason="needs KERAS_BACKEND=jax or torch and an environment without TensorFlow: see .ci/run",
)
CONFIGS = Path(__file__).parent.parent / "configs"
SHORT = """
dataset: {name: digits}
model: {name: cnn, filters: [8], hidden: [], dropout: 0.2, batch_norm: true}
training:
  epochs: 3
  learning_rate: 0.01
  batch_size: 64
  augmentation: {shift: 0.1}
  reduce_on_plateau: {patience: 1}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(runs):
    from dlcourse.training import train

    return train(recipe_from_text(SHORT), runs, name="whole", bar=False)


def weights_are_equal(one, other):
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "overrides", "level"),
    [
        ("softmax", ["training.epochs=40"], 0.94),
        ("dnn", ["training.epochs=40"], 0.95),
        ("cnn", ["training.epochs=10"], 0.95),
        ("lstm", ["training.epochs=25"], 0.94),
    ],
)
def test_the_digits_recipes_reach_their_level(name, overrides, level, runs):
    """On TensorFlow whole trainings reach 0.964 to 0.997; some epochs fewer are trained here."""
    from dlcourse.training import train

    recipe = load_recipe(CONFIGS / f"digits_{name}.yaml", overrides)
    found = train(recipe, runs, name=name, bar=False)
    assert found.environment["backend"] == BACKEND
    assert "tensorflow" not in found.environment["packages"]
    assert found.metrics["test"]["accuracy"] > level


LINES = "\n".join(f"{a}{b}{c}" for a in "abc" for b in "abc" for c in "abc")
ROWS = "\n".join(["kind,text", *["good,a fine film", "bad,an awful bore"] * 20])


@pytest.mark.parametrize("model", ["rnn", "attention"])
def test_texts_are_learned_and_taken_raw(model, runs, tmp_path):
    import dlcourse as dl

    (tmp_path / "own.csv").write_text(ROWS)
    data = {"name": "csv", "path": str(tmp_path / "own.csv"), "target": "kind", "text": "text"}
    how = {"epochs": 6, "learning_rate": 0.02, "verbose": False, "runs": runs}
    found = dl.fit(dataset=data, model=model, **how)
    assert [row["class"] for row in dl.predict(found, ["fine film", "awful bore"])] == [
        "good",
        "bad",
    ]
    assert found.metrics["test"]["accuracy"] == 1
    assert dl.saliency(found.model, found.load_dataset().x_test[:2]).shape == (2, 3)


def test_a_language_model_is_trained_and_sampled_from(runs, tmp_path):
    import dlcourse as dl

    (tmp_path / "words.txt").write_text(LINES)
    data = {"name": "lines", "path": str(tmp_path / "words.txt")}
    model = {"name": "next_character", "units": 8, "heads": 2, "blocks": 1}
    found = dl.fit(dataset=data, model=model, epochs=2, verbose=False, runs=runs)
    val = found.history["val_loss"][found.metrics["best_epoch"] - 1]
    assert found.metrics["val"]["loss"] == pytest.approx(val, abs=1e-5)  # the mask is Keras' own
    assert len(dl.sample(found, 3)) == 3


def test_sequences_of_different_lengths_train(runs):
    import dlcourse as dl

    x, y = np.random.default_rng(0).normal(size=(120, 9, 2)), np.arange(120) % 2
    short = [each[: 4 + k % 6] + y[k] for k, each in enumerate(x)]
    found = dl.fit((short, y), model="rnn", epochs=3, verbose=False, runs=runs)
    assert found.metrics["test"]["accuracy"] > 0.7


def test_the_same_recipe_gives_the_same_weights(run, runs):
    from dlcourse.training import train

    assert weights_are_equal(run, train(recipe_from_text(SHORT), runs, name="again", bar=False))


@pytest.mark.parametrize("step", [9, 19])
def test_an_interrupted_training_goes_on_exactly(run, runs, step):
    """In the middle of an epoch, and at its last step: an epoch has 20 steps."""
    import keras

    from dlcourse.errors import InterruptedTraining
    from dlcourse.training import Fit, StopRequest, resume, train

    stop, done = StopRequest(), []
    before = Fit._end_step

    def count(fit, batch, logs=None):
        done.append(batch)
        if len(done) == 20 + step:
            stop.signal = 15
        before(fit, batch, logs)

    Fit._end_step = count
    try:
        with pytest.raises(InterruptedTraining):
            train(recipe_from_text(SHORT), runs, name=f"part-{step}", stop=stop, bar=False)
    finally:
        Fit._end_step = before
    keras.utils.set_random_seed(99)
    part = resume(read_run(runs / f"part-{step}"), bar=False)
    assert part.history == run.history
    assert weights_are_equal(run, part)


def test_a_diverging_training_is_explained(runs):
    from dlcourse.errors import DivergedError
    from dlcourse.training import train

    recipe = recipe_from_text(
        "dataset: {name: digits}\nmodel: {name: dnn, hidden: [8]}\n"
        "training: {epochs: 2, learning_rate: 1.0e+30, batch_size: 64}\n"
    )
    with pytest.raises(DivergedError, match=r"in epoch 1.*kept.*training\.lear"):
        train(recipe, runs, name="diverged", bar=False)


def test_mixed_precision_trains_and_so_do_steps_without_jit(runs):
    """Without XLA each operation of JAX runs by itself: a few steps, of a dense network."""
    from dlcourse.training import describe, prepare, train

    recipe = recipe_from_text(SHORT + "  mixed_precision: true\n")
    assert f"mixed_bfloat16, {BACKEND} backend" in describe(prepare(recipe))
    assert train(recipe, runs, name="mixed", bar=False).metrics["test"]["accuracy"] > 0.5
    plain = "  jit_compile: false\n  epochs: 2\n  batch_size: 128\n  learning_rate: 0.05\n"
    recipe = recipe_from_text(
        "dataset: {name: digits}\nmodel: {name: softmax_regression}\ntraining:\n" + plain
    )
    assert train(recipe, runs, name="no-jit", bar=False).metrics["test"]["accuracy"] > 0.5


def test_evaluate_gives_the_runs_own_metrics(run, capsys):
    from dlcourse.commands import evaluate

    assert evaluate.main(["--run", str(run.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for part in ("train", "val", "test"):
        assert told[part] == pytest.approx(run.metrics[part], rel=1e-6)


def test_the_saliency_of_a_linear_model_is_its_weights():
    import keras

    from dlcourse.visualizers import saliency

    layers = [keras.Input((3, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(5, "softmax")]
    model = keras.Sequential(layers)
    images = np.random.default_rng(0).random((2, 3, 4, 1), "float32")
    weights = np.asarray(model.layers[-1].kernel)
    found = saliency(model, images, [1, 4])
    np.testing.assert_allclose(found, np.abs(weights[:, [1, 4]]).T.reshape(2, 3, 4), rtol=1e-5)


def test_predict_reads_an_image(run, tmp_path, capsys):
    from dlcourse.commands import predict
    from dlcourse.datasets import load_dataset

    data = load_dataset("digits")
    image = (data.x_test[0, ..., 0] * (255 / data.value_range[1])).astype("uint8")
    Image.fromarray(image).save(tmp_path / "digit.png")
    assert predict.main(["--run", str(run.path), str(tmp_path / "digit.png"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["class"] == data.class_names[data.y_test[0]]


@pytest.mark.parametrize("command", ["diagnose", "visualize", "find_lr", "compare"])
def test_the_other_commands_run(command, run, tmp_path, capsys):
    from importlib import import_module

    (tmp_path / "recipe.yaml").write_text(SHORT.replace("epochs: 3", "epochs: 1"))
    config = ["--config", str(tmp_path / "recipe.yaml")]
    arguments = {
        "visualize": ["--run", str(run.path), "--images", "2"],
        "find_lr": [*config, "--out", str(tmp_path / "lr.png")],
        "compare": [*config, "--models", "k_nn", "--folds", "2", "--out", str(tmp_path)],
    }.get(command, ["--run", str(run.path)])
    assert import_module(f"dlcourse.commands.{command}").main(arguments) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "more",
    [
        "  ema: 0.9\n",
        "  clean_epochs: 1\n",
        "  class_weights: balanced\n  label_smoothing: 0.1\n  clip_norm: 1\n",
        "model: {name: transfer, base: RUN, trainable_layers: 1}\n",
        "model: {name: transfer, base: RUN, cache_features: false}\n",
    ],
)
def test_the_other_settings_train(more, run, tmp_path):
    from dlcourse.training import train

    text = SHORT.replace("epochs: 3", "epochs: 2")
    if more.startswith("model"):
        text = re.sub(r"model: .*\n", "", text).replace("  reduce_on_plateau: {patience: 1}\n", "")
        text = text.replace("  augmentation: {shift: 0.1}\n", "")
    recipe = recipe_from_text(text + more.replace("RUN", str(run.path)))
    assert train(recipe, tmp_path, name="run", bar=False).metrics["test"]["accuracy"] > 0.3


def test_npz_files_and_streamed_folders_train(runs, tmp_path, monkeypatch):
    from dlcourse.datasets.streamed import Streamed
    from dlcourse.training import prepare, train

    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = (rng.integers(0, 100, (60, 8, 8, 1)) + 120 * y[:, None, None, None]).astype("uint8")
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y)
    for label in (0, 1):
        (tmp_path / "images" / str(label)).mkdir(parents=True)
    for k, image in enumerate(x):
        Image.fromarray(image[..., 0]).save(tmp_path / "images" / str(y[k]) / f"{k}.png")
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    sets = {
        "npz": f"{{name: npz, path: {tmp_path}/own.npz}}",
        "images": f"{{name: image_folder, path: {tmp_path}/images, color: grayscale, "
        "size: [8, 8], memory_share: 1.0e-9}",
    }
    text = SHORT.replace("size: 64", "size: 8").replace("norm: true", "norm: false")
    text = text.replace("epochs: 3", "epochs: 12")
    for name, given in sets.items():
        recipe = recipe_from_text(text.replace("{name: digits}", given))
        assert isinstance(prepare(recipe).dataset.x_train, Streamed) == (name == "images")
        found = train(recipe, runs, name=name, bar=False)
        assert found.metrics["test"]["accuracy"] > 0.8


def test_a_set_of_tensorflow_datasets_says_what_is_missing():
    from dlcourse.datasets import load_dataset
    from dlcourse.errors import DatasetError

    with pytest.raises(DatasetError, match="mnist: TensorFlow Datasets cannot be imported"):
        load_dataset("mnist")


def test_the_device_is_told_and_a_gpu_that_is_not_there_refused():
    from dlcourse.errors import UserError
    from dlcourse.runs.environment import device, use_device

    use_device("cpu")
    assert device().startswith("CPU (")
    with pytest.raises(UserError, match=rf"the {BACKEND} backend has only CPU \(\d+ cores\): "):
        use_device("gpu")


def test_a_gan_is_interrupted_and_ends_bit_equal(runs, monkeypatch):
    from dlcourse.generation import fit, resume
    from dlcourse.generation.training import Trainer

    recipe = {"dataset": "digits", "model": {"name": "gan", "hidden": [16], "discriminator": [16]}}
    short = {"epochs": 2, "batch_size": 256, "measure_every": 1, "ema": 0.9}
    settings = {"runs": runs, "verbose": False, **short}
    whole = fit(recipe, name="gan", **settings)
    steps = iter([None] * 5 + [2, 2])
    train = Trainer.train
    stop = type("Stop", (), {"signal": property(lambda _: next(steps))})()
    monkeypatch.setattr(Trainer, "train", lambda self, report, _: train(self, report, stop))
    with pytest.raises(InterruptedTraining):
        fit(recipe, name="stopped", **settings)
    monkeypatch.undo()
    resumed = resume(runs / "stopped", verbose=False)
    assert weights_are_equal(resumed, whole)
    assert resumed.metrics["test"] == whole.metrics["test"]
    assert resumed.metrics["train"] == whole.metrics["train"]


def test_an_autoencoder_rebuilds_and_finds_what_was_planted(runs):
    from dlcourse.generation import fit

    run = fit("digits_autoencoder", epochs=15, runs=runs, name="autoencoder", verbose=False)
    assert run.metrics["test"]["reconstruction"] < 0.8
    assert run.metrics["test"]["anomaly_auc"] > 0.85
