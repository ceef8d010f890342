"""A GAN resumes bit for bit, its measures agree with known answers, its faults are found."""

import json
import shutil
import signal

import numpy as np
import pytest

import dlcourse as dl
from dlcourse.errors import DivergedError, InterruptedTraining, RecipeError, RunError, UserError
from dlcourse.generation import (
    autoencoder,
    codes,
    diagnose,
    fit,
    frechet,
    gan,
    generate,
    recipe_of,
    reconstruction_error,
    resume,
    two_sample,
    with_patch,
)
from dlcourse.generation.pictures import pictures
from dlcourse.generation.quality import nearest
from dlcourse.generation.training import Trainer, samples

SMALL = {
    "dataset": "digits",
    "model": {"name": "gan", "noise": 4, "hidden": [16], "discriminator": [16]},
    "training": {"epochs": 3, "batch_size": 256, "measure_every": 2},
}
CODE = {"dataset": "digits", "model": {"name": "autoencoder", "hidden": [32], "code": 2}}


def state(run):
    with np.load(run.path / "state.npz") as file:
        return {name: file[name] for name in file.files}


def assert_same(run, other):
    mine, theirs = state(run), state(other)
    assert mine.keys() == theirs.keys()
    for name in mine.keys() - {"meta"}:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    metas = [json.loads(str(each["meta"])) for each in (mine, theirs)]
    for meta in metas:
        del meta["progress"]["seconds"], meta["progress"]["cpu_seconds"]
    assert str(metas[0]) == str(metas[1])  # as text: NaN is not equal to NaN
    images, epochs = samples(run, run.history)
    np.testing.assert_array_equal(images, samples(other, other.history)[0])
    assert epochs == [0, 2, 3]


class Stop:
    """A request to stop that comes after a number of steps."""

    def __init__(self, steps):
        self.left = steps

    @property
    def signal(self):
        self.left -= 1
        return signal.SIGINT if self.left < 0 else None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(SMALL, runs=tmp_path_factory.mktemp("runs"), name="whole", verbose=False)


@pytest.mark.parametrize(  # within the first, at the end, within the last epoch
    "steps",
    [
        pytest.param(1, marks=pytest.mark.seeds),
        pytest.param(4, marks=pytest.mark.slow),
        pytest.param(10, marks=pytest.mark.seeds),
    ],
)
def test_a_training_that_is_stopped_after_any_step_goes_on_bit_for_bit(
    trained, tmp_path, monkeypatch, steps
):
    asked = Stop(steps)
    whole = Trainer.train
    monkeypatch.setattr(Trainer, "train", lambda self, report, _: whole(self, report, asked))
    with pytest.raises(InterruptedTraining, match="epoch"):
        fit(SMALL, runs=tmp_path, name="whole", verbose=False)
    monkeypatch.undo()
    run = resume(tmp_path / "whole", verbose=False)
    assert_same(run, trained)
    assert run.metrics["test"] == trained.metrics["test"]


@pytest.mark.seeds
def test_more_epochs_continue_a_finished_training(trained, tmp_path):
    short = fit(SMALL, "training.epochs=1", runs=tmp_path, name="short", verbose=False)
    longer = resume(short, epochs=3, verbose=False)
    mine, theirs = state(longer), state(trained)
    for name in mine.keys() - {"meta"}:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    with pytest.raises(RecipeError, match="it was to train 3 epochs"):
        resume(longer, epochs=2)
    assert resume(longer, verbose=False) is longer


@pytest.mark.seeds
def test_each_model_learns_only_in_its_own_part_of_a_step(tmp_path):
    recipe = recipe_of(SMALL)
    run = dl.Run(tmp_path)
    trainer = Trainer(recipe, recipe.load_dataset(), run)
    generator, discriminator = trainer.models
    before = [np.asarray(v).copy() for v in (*generator.weights, *discriminator.weights)]
    trainer._gan_step(np.arange(64), (0, 0, 0))
    after = [np.asarray(v).copy() for v in (*generator.weights, *discriminator.weights)]
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(moved), "one step moves every weight of both"
    real = np.ones((8, 1), "float32")
    noise, asked = np.ones((8, 4), "float32"), np.eye(10, dtype="float32")[:8]
    kept = [np.asarray(v).copy() for v in discriminator.weights]
    trainer.compiled[0].train_on_batch([noise, asked], real)
    for a, b in zip(kept, discriminator.weights, strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))


@pytest.mark.slow
def test_the_run_holds_the_generator_its_numbers_and_those_of_real_images(trained):
    images, asked = generate(trained.model, 3)
    assert images.shape == (30, 8, 8, 1)
    assert images.min() >= 0
    assert images.max() <= 16
    assert asked.tolist() == sorted([*range(10)] * 3)
    assert set(trained.metrics["test"]) == {
        "judge_agrees", "train_on_generated", "frechet", "two_sample", "nearest_train", "spread",
        "least_class",
    }  # fmt: skip
    real, noise = trained.metrics["reference"]["real"], trained.metrics["reference"]["noise"]
    assert real["train_on_generated"] > 0.97
    assert real["judge_agrees"] > 0.95
    assert 0.4 < real["two_sample"] < 0.6
    assert real["frechet"] < 0.1 * noise["frechet"]
    assert noise["two_sample"] > 0.95
    history = trained.history
    assert history["epoch"] == [1, 2, 3]
    assert np.isnan(history["frechet"][0])
    assert np.isfinite(history["frechet"][1])


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (10, 13, 3)])
def test_a_gan_gives_images_of_any_shape_in_the_datas_own_range(shape):
    generator, discriminator = gan(shape, 3, (-5.0, 20.0), noise=4)
    noise = 9 * np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    asked = np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]]
    images = generator.predict([noise, asked], verbose=0)
    assert images.shape == (6, *shape)
    assert images.min() >= -5
    assert images.max() <= 20
    assert discriminator.predict([images, asked], verbose=0).shape == (6, 1)


def test_no_two_weights_of_a_gan_have_one_name():
    # on PyTorch, Keras clears gradients by name: of two weights with one name, only one's
    names = [weight.path for model in gan((8, 8, 1), 10) for weight in model.weights]
    assert len({*names}) == len(names)


@pytest.mark.seeds
def test_an_autoencoder_rebuilds_images_through_two_numbers(tmp_path):
    run = fit(CODE, epochs=30, runs=tmp_path, verbose=False, beta_1=0.9, learning_rate=0.003)
    digits = dl.load_dataset("digits")
    assert codes(run.model, digits.x_test[:5]).shape == (5, 2)
    assert run.metrics["test"]["reconstruction"] < 0.8
    assert run.metrics["test"]["anomaly_auc"] > 0.6
    error = reconstruction_error(run.model, digits.x_test)
    rebuilt = run.model.predict(digits.x_test.astype("float32"), verbose=0)
    by_hand = np.mean((rebuilt[0] - digits.x_test[0]) ** 2)
    np.testing.assert_allclose(error[0], by_hand, rtol=1e-5)
    assert diagnose(run) == []


def test_the_frechet_distance_is_that_of_the_two_normal_distributions():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4000, 3))
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    shifted = a + np.array([3.0, 0, 0])
    assert frechet(a, shifted) == pytest.approx(9, rel=1e-6)
    # one dimension of deviation 2 in the place of 1: (2 − 1)² more
    assert frechet(a, a * [2.0, 1, 1]) == pytest.approx(np.var(a[:, 0], ddof=1) + 4 * 0, rel=0.05)


def test_two_samples_are_verdict_loss_only_if_they_differ():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400, 5))
    assert 0.42 < two_sample(a, b) < 0.58
    assert two_sample(a, b + 8) == 1
    assert two_sample(a, a.copy()) < 0.05  # each row's twin is of the other set
    # the wide rows' neighbours are all narrow ones: right for one set, wrong for the other
    wide, narrow = 30 * rng.normal(size=(50, 300)), rng.normal(size=(50, 300))
    assert two_sample(wide, narrow) == 1


def test_images_are_drawn_in_one_range_of_values_so_that_a_dim_one_looks_dim(tmp_path):
    from matplotlib import pyplot as plt

    images = (
        np.zeros((2, 3, 4, 4, 3), "float32") + np.array([0, 100, 200])[None, :, None, None, None]
    )
    names = list("abc")
    axes = dl.generation.plots.epochs(images, [0, 5], names)
    assert [float(ax.images[0].get_array().mean()) for ax in axes] == [0, 0.5, 1] * 2
    film = dl.generation.plots.animation(images, [0, 5], names)
    film.save(tmp_path / "epochs.gif", writer="pillow")
    shown = [float(ax.images[0].get_array().mean()) for ax in film._fig.axes]
    assert shown == [0, 0.5, 1]
    two_channels = dl.generation.plots.animation(images[..., :2], [0, 5], names)
    two_channels.save(tmp_path / "two.gif", writer="pillow")
    plt.close("all")


@pytest.mark.parametrize("model", [autoencoder((8, 8, 1), 10), "a model", None])
def test_only_a_generator_generates(model):
    with pytest.raises(UserError, match="expected a generator, the model of a gan's run"):
        generate(model, 3)


def test_the_nearest_row_is_found():
    a, b = np.array([[0.0, 0], [3, 4]]), np.array([[0.0, 1], [3, 3]])
    assert nearest(a, b).tolist() == [1, 1]


def test_a_planted_patch_changes_a_third_of_the_width_and_nothing_else():
    images = np.random.default_rng(0).uniform(0, 16, (5, 9, 9, 1))
    changed = (with_patch(images) != images).reshape(5, -1).sum(axis=1)
    assert changed.tolist() == [9] * 5
    assert np.array_equal(with_patch(images), with_patch(images))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "gam"}, r"unknown model 'gam' \(did you mean 'gan'\?\)"),
        ({"dataset": "digit"}, r"unknown data set 'digit' \(did you mean 'digits'\?\)"),
        ({"model": {"name": "gan", "nois": 3}}, r"'model.nois' \(did you mean 'noise'\?\)"),
        ({"model": {"name": "autoencoder", "noise": 3}}, r"\(a setting of gan, not of autoenc"),
        ({"training": {"optimizer": "adam"}}, "unknown key 'training.optimizer'"),
        ({"model": {"name": "gan", "dropout": 1.5}}, "'model.dropout': expected"),
        ({"training": {"epochs": 0}}, "'training.epochs': expected"),
        ({"seed": -1}, "'seed': expected"),
        ({"modell": "gan"}, r"unknown key 'modell' \(did you mean 'model'\?\)"),
        ({"dataset": "breast_cancer"}, "needs images with classes that fit .* got rows for binary"),
        ({"model": "cnn"}, "the model 'cnn' predicts: dl.fit and `dlcourse train` take it"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as told:
        fit({**SMALL, **change}, runs=tmp_path)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_recipes_are_named_and_an_unknown_one_is_not_found():
    assert recipe_of("digits_gan", "training.epochs=7").training.epochs == 7
    with pytest.raises(RecipeError, match="did you mean 'digits_gan'"):
        recipe_of("digit_gan")


@pytest.mark.seeds
def test_a_damaged_state_is_refused(tmp_path):
    run = fit(SMALL, "training.epochs=1", runs=tmp_path, name="a", verbose=False)
    (run.path / "metrics.json").unlink()
    (run.path / "state.npz").write_bytes(b"nothing")
    with pytest.raises(RunError, match="is damaged, so it cannot be resumed"):
        resume(run)


@pytest.mark.slow
def test_a_finished_run_with_a_damaged_state_stays_as_it_is(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.path, copy)
    (copy / "state.npz").write_bytes(b"nothing")
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(RunError, match="is damaged, so it cannot be resumed"):
        resume(copy, epochs=9, verbose=False)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


@pytest.mark.seeds
def test_a_loss_that_is_not_finite_ends_the_training_and_nothing_is_kept_of_it(tmp_path):
    with pytest.raises(DivergedError, match="diverged in step 1 of epoch 1: a loss is not finite"):
        fit(SMALL, learning_rate=1e30, runs=tmp_path, name="a", verbose=False)
    assert not (tmp_path / "a" / "state.npz").exists()
    assert not dl.read_run(tmp_path / "a").finished


def finished(path, **numbers):
    """Return a run with these numbers and, for the others, those of a good training."""
    good = {"judge_agrees": 0.98, "train_on_generated": 0.93, "spread": 0.8, "nearest_train": 1.2}
    losses = {"discriminator_loss": 0.67, "generator_loss": 0.8}
    metrics = {
        "train": {k: numbers.get(k, v) for k, v in losses.items()},
        "val": {},
        "test": {k: numbers.get(k, v) for k, v in good.items()},
        "reference": {"real": {"nearest_train": numbers.get("real", 1.1)}},
        "parameters": 1,
        "epochs_run": 1,
    }
    path.mkdir()
    (path / "recipe.yaml").write_text("seed: 0\n")
    (path / "metrics.json").write_text(json.dumps(metrics))
    return dl.read_run(path)


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ({}, []),
        ({"discriminator_loss": 0.2, "generator_loss": 7.0}, ["discriminator_has_won"]),
        ({"spread": 0.1}, ["collapse"]),
        ({"train_on_generated": 0.2}, ["no_progress"]),
        ({"train_on_generated": 0.2, "spread": 0.1}, ["collapse"]),
        ({"nearest_train": 0.3}, ["memorised"]),
        ({"real": 0.0}, []),  # each test image is also a training image
    ],
)
def test_a_finding_names_what_the_numbers_show(tmp_path, numbers, names):
    found = diagnose(finished(tmp_path / "run", **numbers))
    assert [finding.name for finding in found] == names
    assert all("try: " in str(finding) for finding in found)


@pytest.mark.slow
def test_pictures_of_classes_a_walk_and_codes_are_drawn(trained):
    from matplotlib import pyplot as plt

    names = [str(k) for k in range(10)]
    plots = dl.generation.plots
    assert len(plots.classes(trained.model, names, per_class=2)) == 20
    assert len(plots.walk(trained.model, names, steps=3)) == 30
    left, right = plots.quality(trained.history)
    assert left.get_xlabel() == right.get_xlabel() == "epoch"
    model = autoencoder((8, 8, 1), 10, (0.0, 16.0))
    digits = dl.load_dataset("digits")
    ax = plots.code_map(model, digits.x_test[:50], digits.y_test[:50], digits.class_names)
    assert len(ax.collections) == 10
    drawn = {picture.name: picture for picture in pictures(trained)}
    assert list(drawn) == [
        "the-training", "over-the-epochs", "what-it-draws", "between-two-vectors-of-noise",
    ]  # fmt: skip
    rows = [ax.texts[0].get_text() for ax in drawn["over-the-epochs"].figure.axes if ax.texts]
    assert rows == ["epoch 0", "epoch 2", "epoch 3"]
    plt.close("all")


@pytest.mark.seeds
def test_the_gan_of_the_digits_draws_what_is_asked_for(tmp_path):
    """The full recipe with three seeds: python -m benchmarks.generation digits_gan."""
    run = fit("digits_gan", "training.epochs=100", runs=tmp_path, verbose=False)
    test = run.metrics["test"]
    assert test["judge_agrees"] > 0.92
    assert test["train_on_generated"] > 0.86
    assert test["least_class"] > 0.05
    assert diagnose(run) == []


@pytest.mark.seeds
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (["model.hidden=[4]", "model.noise=1", "model.dropout=0.0", "model.input_noise=0.0"],
         "discriminator_has_won"),
        (["training.learning_rate=0.0000001"], "no_progress"),
        (["model.noise=1"], "collapse"),  # the images of a class differ in one number
    ],
)  # fmt: skip
def test_a_training_with_a_planted_fault_is_diagnosed(tmp_path, changes, name):
    short = ["training.epochs=40", "training.measure_every=0"]
    run = fit("digits_gan", *short, *changes, runs=tmp_path, verbose=False)
    assert name in [finding.name for finding in diagnose(run)], run.metrics


@pytest.mark.slow
def test_the_commands_measure_draw_and_diagnose_a_run_or_say_why_not(trained, capsys, tmp_path):
    from dlcourse.commands import main

    run = str(trained.path)

    def said(*words, code=0):
        assert main(list(words)) == code
        output = capsys.readouterr()
        return output.out + output.err

    again = json.loads(said("evaluate", "--run", run, "--json"))
    assert again["test"] == trained.metrics["test"]
    assert again["reference"] == trained.metrics["reference"]
    assert "an SVM trained on generated images" in said("evaluate", "--run", run)
    assert "no progress" in said("diagnose", "--run", run)
    assert "judge_agrees" in said("runs", "--runs", str(trained.path.parent))
    said("visualize", "--run", run, "--out", str(tmp_path / "pictures"))
    drawn = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"index.html", "epochs.gif", "what-it-draws.png", "the-training.png"} <= drawn
    for words in (
        ["predict", "--run", run, "x.png"],
        ["export", "--run", run, "--to", "onnx"],
        ["visualize", "--run", run, "--what", "saliency"],
        ["evaluate", "--run", run, "new.csv"],
    ):
        assert "`visualize`, `diagnose` and dl.generation take it" in said(*words, code=2)
    assert "test judge_agrees" in said("train", "--resume", run)
    another = ["train", "--resume", run, "--config", "digits_gan", "training.epochs=3"]
    assert "may only have more training.epochs" in said(*another, code=1)
    for words in (["compare", "--config", "digits_gan"], ["find_lr", "--config", "digits_gan"]):
        assert "digits_gan is of generation: only `dlcourse train`" in said(*words, code=2)
    for option in ("--as-keras", "--xray"):
        assert "is for models that predict" in said(
            "train", "--config", "digits_gan", option, code=1
        )
    with pytest.raises(RunError, match="predicts no class"):
        dl.diagnose(trained)


@pytest.mark.slow
def test_a_gan_of_ones_own_arrays_is_trained_and_resumed_by_the_command(tmp_path, monkeypatch):
    from dlcourse.commands import main

    monkeypatch.chdir(tmp_path)
    digits = dl.load_dataset("digits", classes=["0", "1"])
    model = {"name": "gan", "hidden": [8], "discriminator": [8]}
    x, y = digits.x_train, digits.y_train
    run = fit((x, y), model=model, epochs=1, measure_every=0, name="own", verbose=False)
    assert main(["train", "--resume", "runs/own", "training.epochs=2"]) == 0
    assert dl.read_run("runs/own").metrics["epochs_run"] == 2
    assert generate(run.model, 2)[0].shape == (4, 8, 8, 1)
    assert main(["train", "--resume", "runs/own", "model.noise=3"]) == 1


@pytest.mark.slow
def test_an_ordinary_recipe_or_run_is_refused_in_one_line(tmp_path):
    run = dl.fit("digits_softmax", epochs=1, runs=tmp_path, verbose=False)
    for refused in (recipe_of, resume, fit, dl.generation.quality_of):
        with pytest.raises(UserError, match=r"predicts: dl\.fit") as told:
            refused(run)
        assert "\n" not in str(told.value)
    with pytest.raises(RecipeError, match="'gan' is of generation: only") as told:
        dl.recipe(recipe_of("digits_gan"))
    assert "\n" not in str(told.value)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3, 3, 1), (1, 8, 1), (2, 5, 3)])
def test_the_smallest_images_are_judged_and_drawn(tmp_path, shape):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.uniform(size=(60, *shape)) * (1 + y[:, None, None, None])
    given = {"model": {**SMALL["model"]}, "epochs": 1, "measure_every": 0, "verbose": False}
    run = fit((x, y), runs=tmp_path, name="small", **given)
    assert run.metrics["test"]["train_on_generated"] > 0
    assert len([*pictures(run)]) == 4


def test_images_that_are_all_alike_have_finite_numbers(tmp_path):
    ones = np.ones((40, 4, 4, 1), "float32")
    given = {"model": CODE["model"], "epochs": 1, "measure_every": 0, "verbose": False}
    run = fit((ones, np.arange(40) % 2), runs=tmp_path, **given)
    assert np.isfinite(run.metrics["test"]["reconstruction"])


def test_a_model_whose_name_is_a_list_is_refused(tmp_path):
    from dlcourse.generation.recipe import kind_of

    path = tmp_path / "odd.yaml"
    path.write_text("dataset: digits\nmodel: {name: [gan]}\n")
    with pytest.raises(RecipeError):
        recipe_of(path)
    assert kind_of(path).__name__ == "Recipe"


@pytest.mark.seeds
def test_an_interrupted_training_names_the_command_that_goes_on(tmp_path, monkeypatch):
    whole = Trainer.train
    monkeypatch.setattr(Trainer, "train", lambda self, report, _: whole(self, report, Stop(1)))
    with pytest.raises(InterruptedTraining, match=r"in Python dl\.generation\.resume\("):
        fit(SMALL, runs=tmp_path, name="stopped", verbose=False)
    with pytest.raises(RunError, match=r"goes on\)$"):
        diagnose(tmp_path / "stopped")
    monkeypatch.undo()
    with pytest.raises(RecipeError, match=r"epochs=0: .* expected greater than or equal to 1"):
        resume(tmp_path / "stopped", epochs=0)
