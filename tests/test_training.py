"""Training: what is learned, what is saved, what is told."""

import numpy as np
import pytest

import dlcourse as dl
from dlcourse.configuration.recipe import Recipe, recipe_from_text
from dlcourse.errors import DivergedError, RecipeError, RunError, UserError
from dlcourse.runs import Run, read_run
from dlcourse.runs.evaluation import evaluate, measures
from dlcourse.training import Fit, prepare, train


def recipe(dataset="digits", model="softmax_regression", **training):
    settings = {"epochs": 2, **training}
    return Recipe.model_validate(
        {
            "dataset": {"name": dataset},
            "model": model if isinstance(model, dict) else {"name": model},
            "training": settings,
        }
    )


def test_linear_regression_finds_the_least_squares_solution(tmp_path):
    given = recipe(
        "diabetes",
        "linear_regression",
        epochs=60,
        batch_size=1000,
        optimizer={"name": "sgd", "momentum": 0.9},
        learning_rate=0.2,
        restore_best_weights=False,
    )
    run = train(given, tmp_path, bar=False)
    dataset = prepare(given).dataset
    x = np.c_[dataset.x_train, np.ones(len(dataset.x_train))].astype("float64")
    solution, *_ = np.linalg.lstsq(x, dataset.y_train.astype("float64"), rcond=None)
    best = np.mean((x @ solution - dataset.y_train) ** 2)
    # the features are collinear: after 60 steps the loss, not every weight, has converged
    unit = np.var(dataset.y_train.astype("float64"))
    assert run.metrics["train"]["loss"] == pytest.approx(best / unit, rel=0.01)


def test_the_loss_of_a_regression_has_one_unit_in_the_epochs_lines_and_in_the_table(tmp_path):
    given = recipe("diabetes", "dnn", epochs=2)
    run = train(given, tmp_path, bar=False)
    kept = run.metrics["best_epoch"] - 1
    assert run.metrics["val"]["loss"] == pytest.approx(run.history["val_loss"][kept], rel=1e-4)
    train_metrics = run.metrics["train"]  # its unit is the variance of its own targets
    assert train_metrics["loss"] == pytest.approx(1 - train_metrics["r2"], rel=1e-4)
    dataset = run.load_dataset()
    alone = dl.evaluate(run, (dataset.x_test, dataset.y_test))
    assert alone == pytest.approx(run.metrics["test"], rel=1e-4)


def test_accuracy_stands_beside_the_share_of_the_largest_class():
    half = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    found = measures("binary", np.array([0, 0, 0, 1]), half)
    assert (found["accuracy"], found["majority"]) == (0.75, 0.75)


def test_a_run_holds_everything(digits_run):
    names = {path.name for path in digits_run.path.iterdir()} - {"prepared"}  # of predictions
    assert names == {
        "recipe.yaml",
        "environment.json",
        "dataset.json",
        "examples.npz",
        "history.csv",
        "metrics.json",
        "likeness.npz",
        "model.json",
        "model.keras",
        "figures",
        "state.npz",
        ".lock",
    }
    figures = {path.name for path in (digits_run.path / "figures").iterdir()}
    assert figures == {"learning_curves.png", "confusion_matrix.png", "most_confused.png"}
    metrics = digits_run.metrics
    assert set(metrics) >= {"train", "val", "test", "parameters", "epochs_run", "best_epoch"}
    assert set(metrics["test"]) == {"loss", "accuracy", "majority"}
    assert metrics["parameters"] == 64 * 32 + 32 + 330
    assert metrics["test"]["accuracy"] > 0.8
    assert list(digits_run.history) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert digits_run.history["epoch"] == [1, 2, 3]
    assert digits_run.environment["packages"]["keras"]
    assert digits_run.facts.class_names == tuple("0123456789")


def test_the_saved_model_is_the_trained_one_without_augmentation(digits_run):
    given = prepare(recipe(model="dnn"))
    model = digits_run.model
    assert model.layers[0].name == "rescaling"
    metrics, _ = evaluate(model, given.dataset)
    assert metrics == {part: digits_run.metrics[part] for part in ("train", "val", "test")}
    x = given.dataset.x_test[:3]
    np.testing.assert_array_equal(model(x), model(x))


def test_the_resolved_recipe_trains_to_the_same_metrics(tmp_path, digits_run):
    text = (digits_run.path / "recipe.yaml").read_text()
    again = train(recipe_from_text(text), tmp_path, bar=False)
    for part in ("train", "val", "test"):
        # two threads may add in another order: float32 rounding, not another training
        assert again.metrics[part] == pytest.approx(digits_run.metrics[part], rel=1e-3)


def test_the_best_epoch_is_kept_unless_the_recipe_says_otherwise(tmp_path):
    settings = {"epochs": 6, "learning_rate": 0.3, "optimizer": {"name": "adam"}}
    best = train(recipe(**settings), tmp_path, bar=False)
    losses = best.history["val_loss"]
    assert best.metrics["best_epoch"] == int(np.argmin(losses)) + 1
    last = train(recipe(**settings, restore_best_weights=False), tmp_path, bar=False)
    assert last.metrics["best_epoch"] == 6
    assert best.metrics["val"]["loss"] == pytest.approx(min(losses), rel=1e-4)
    assert last.metrics["val"]["loss"] == pytest.approx(last.history["val_loss"][-1], rel=1e-4)


def test_early_stopping_ends_before_the_last_epoch(tmp_path):
    stop = {"patience": 2, "min_delta": 10.0}
    run = train(recipe(epochs=30, early_stopping=stop), tmp_path, bar=False)
    assert run.metrics["epochs_run"] == 3
    assert run.metrics["best_epoch"] == 1


def test_reduce_on_plateau_lowers_the_learning_rate(tmp_path):
    plateau = {"patience": 1, "factor": 0.5, "monitor": "val_accuracy"}
    run = train(recipe(epochs=4, learning_rate=1e-9, reduce_on_plateau=plateau), tmp_path)
    assert run.history["learning_rate"][0] > run.history["learning_rate"][-1]


@pytest.mark.parametrize(
    ("dataset", "model", "training", "loss"),
    [
        ("digits", "softmax_regression", {}, "SparseCategoricalCrossentropy"),
        ("digits", "softmax_regression", {"label_smoothing": 0.1}, "CategoricalCrossentropy"),
        ("breast_cancer", "logistic_regression", {"label_smoothing": 0.1}, "BinaryCrossentropy"),
        ("breast_cancer", "softmax_regression", {}, "SparseCategoricalCrossentropy"),
        ("diabetes", "dnn", {}, "MeanSquaredError"),
    ],
)
def test_the_loss_fits_the_head(dataset, model, training, loss, tmp_path):
    given = recipe(dataset, model, **training)
    assert type(prepare(given).model.loss).__name__ == loss
    run = train(given, tmp_path, bar=False)
    assert np.isfinite(list(run.metrics["test"].values())).all()


@pytest.mark.parametrize(("momentum", "settled"), [(None, True), (0.99, False)])
def test_batch_norm_computes_after_few_steps_as_in_training(momentum, settled, tmp_path):
    norm = {"batch_norm": True, "batch_norm_momentum": momentum}
    model = {"name": "cnn", "filters": [8, 16], "hidden": [], **norm}
    run = train(recipe("digits", model, epochs=2, learning_rate=0.005), tmp_path, bar=False)
    kept = run.metrics["best_epoch"] - 1
    in_training, afterwards = run.history["accuracy"][kept], run.metrics["train"]["accuracy"]
    assert (afterwards > in_training - 0.05) == settled  # Keras' 0.99 falls behind by 0.2 and more


def test_class_weights_balance_or_follow_the_recipe():
    weights = prepare(recipe("breast_cancer", class_weights="balanced")).class_weights
    dataset = prepare(recipe("breast_cancer")).dataset
    counts = np.bincount(dataset.y_train)
    assert weights is not None
    assert [weights[0] * counts[0], weights[1] * counts[1]] == pytest.approx(
        [len(dataset.y_train) / 2] * 2
    )
    given = prepare(recipe("breast_cancer", class_weights={"malignant": 3}))
    assert given.class_weights == {0: 3.0, 1: 1.0}
    with pytest.raises(RecipeError, match=r"no class benine in breast_cancer \(known: malignant"):
        prepare(recipe("breast_cancer", class_weights={"benine": 3}))


def test_class_weights_and_smoothing_and_mixed_precision_train_together(tmp_path):
    given = recipe(
        "digits",
        {"name": "cnn", "filters": [4], "hidden": [], "batch_norm": True},
        epochs=1,
        class_weights="balanced",
        label_smoothing=0.1,
        mixed_precision=True,
        schedule={"name": "one_cycle"},
    )
    run = train(given, tmp_path, bar=False)
    assert run.metrics["test"]["loss"] < 3
    assert run.model.get_layer("conv_1").compute_dtype == "bfloat16"


def test_a_loss_that_is_not_a_number_is_an_error(tmp_path):
    given = recipe("diabetes", "linear_regression", optimizer={"name": "sgd"}, learning_rate=1e30)
    with pytest.raises(
        DivergedError, match=r"in epoch 1, by step 10.* try training\.learning_rate=1e\+29"
    ):
        train(given, tmp_path, name="wild", bar=False)


def test_nothing_is_written_before_the_recipe_is_known_good(tmp_path):
    for given in (
        recipe("digits", "logistic_regression"),
        recipe("breast_cancer", "softmax_regression", class_weights={"x": 1}),
        recipe("digits", {"name": "cnn", "filters": [4, 4, 4, 4]}),
    ):
        with pytest.raises(RecipeError):
            train(given, tmp_path / "runs", bar=False)
    assert not (tmp_path / "runs").exists()


def test_tensorboard_is_an_extra_with_a_hint(monkeypatch):
    monkeypatch.setattr("dlcourse.training.preparation.find_spec", lambda _: None)
    with pytest.raises(RecipeError, match="TensorBoard is not installed: pip install tensorboard"):
        prepare(recipe(tensorboard=True))


def test_the_report_names_device_layers_and_every_epoch(tmp_path):
    lines: list[str] = []
    train(recipe(), tmp_path, report=lines.append, bar=False)
    text = "\n".join(lines)
    assert "device  CPU" in text or "device  GPU" in text
    assert ["logits", "Dense", "10", "650"] in [line.split() for line in text.splitlines()]
    assert "epoch 2/2  loss" in text


def test_batch_sizes_by_stages_divide_the_epochs():
    training = recipe(epochs=6, batch_size=[32, 64, 128]).training
    assert [training.batch_size_in(e) for e in range(6)] == [32, 32, 64, 64, 128, 128]
    uneven = recipe(epochs=5, batch_size=[8, 16]).training
    assert [uneven.batch_size_in(e) for e in range(5)] == [8, 8, 8, 16, 16]
    assert uneven.steps_in(0, 17) == 3
    assert recipe(epochs=5, batch_size=8).training.batch_size_in(4) == 8


def test_every_stage_trains_with_its_batches_and_the_schedule_spans_all_steps(tmp_path):
    given = recipe(
        epochs=3,
        batch_size=[100, 300, 600],
        steps_per_execution=1,
        learning_rate=0.1,
        schedule={"name": "linear"},
        optimizer={"name": "sgd"},
    )
    prepared = prepare(given)
    fit = Fit(given, prepared, Run(tmp_path))
    sizes: list[list[int]] = []
    original = fit._end_step

    def count(batch, logs=None):
        if batch == 0:
            sizes.append([])
        sizes[-1].append(int(prepared.model.optimizer.iterations))
        original(batch, logs)

    fit._end_step = count
    fit.train()
    n = len(prepared.dataset.x_train)  # 1,221: 13, 5 and 3 steps
    assert [len(epoch) for epoch in sizes] == [-(-n // size) for size in (100, 300, 600)]
    assert float(prepared.model.optimizer.learning_rate) == pytest.approx(0, abs=1e-7)
    assert len(fit.progress.history["loss"]) == 3


@pytest.mark.parametrize(
    ("dataset", "model", "text"),
    [
        ("{name: digits}", "{name: cnn, filters: [4, 4, 4, 4]}", "2:29: 'model.filters': block 4"),
        (
            "{name: digits}",
            "{name: transfer, base: nil}",
            "2:31: 'model.base': 'nil' is not a run, a file",
        ),
        ("{name: digits, classes: [1, x]}", "{name: cnn}", "1:34: 'dataset.classes': no class 'x'"),
        (
            "{name: iris, validation_fraction: 0.999}",
            "{name: dnn}",
            r"1:44: 'dataset.validation_fraction': cannot set",
        ),
    ],
)
def test_what_is_found_only_with_the_data_has_its_place_too(dataset, model, text):
    given = recipe_from_text(f"dataset: {dataset}\nmodel: {model}\n", "x.yaml")
    with pytest.raises(UserError, match=f"^x.yaml:{text}"):
        prepare(given)


def test_clean_epochs_train_on_the_images_as_they_are(tmp_path):
    def losses(**training):
        given = recipe(
            epochs=3, learning_rate=0.03, augmentation={"rotate": 60.0, "zoom": 0.3}, **training
        )
        fit = Fit(given, prepare(given), Run(tmp_path), file=f"{len(training)}.npz")
        fit.train()
        return fit.progress.history["loss"], fit.model is fit.prepared.augmented

    (augmented, to_the_end), (clean, still) = losses(), losses(clean_epochs=1)
    assert to_the_end
    assert not still
    assert clean[:2] == augmented[:2]
    assert clean[2] < 0.8 * augmented[2]


def test_xla_is_refused_where_a_layer_has_none_of_it():
    """On TensorFlow the warp's operation does not exist in XLA: nor may Keras choose it."""
    given = recipe(augmentation={"shift": 0.1}, jit_compile=True)
    with pytest.raises(
        RecipeError, match=r"jit_compile.*: the layer 'warp' cannot be compiled on tens"
    ):
        prepare(given)
    layer = prepare(recipe(augmentation={"shift": 0.1})).augmented.get_layer("warp")
    assert not layer.supports_jit


def test_the_averaged_weights_are_measured_and_kept(tmp_path):
    """Beside a mean worked out from the weights after every step."""
    given = recipe(
        epochs=2, batch_size=300, ema=0.6, steps_per_execution=1, restore_best_weights=False
    )
    prepared = prepare(given)
    fit = Fit(given, prepared, Run(tmp_path))
    original, mean = fit._end_step, []

    def follow(batch, logs=None):
        now = prepared.model.get_weights()
        mean[:] = [0.6 * m + 0.4 * w for m, w in zip(mean, now, strict=True)] if mean else now
        original(batch, logs)

    fit._end_step = follow
    fit.train()
    kept, epoch = fit.best_weights()
    assert epoch == 2
    for found, expected in zip(kept, mean, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)  # float32, ten steps
    prepared.model.set_weights(kept)
    loss = evaluate(prepared.model, prepared.dataset)[0]["val"]["loss"]
    assert fit.progress.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    best = train(recipe(epochs=4, ema=0.9, learning_rate=0.5), tmp_path, bar=False)
    assert best.metrics["val"]["loss"] == pytest.approx(min(best.history["val_loss"]), rel=1e-4)


@pytest.mark.parametrize("rate", [1e30, 1e-3])
def test_averaged_weights_of_no_step_are_the_first_weights(rate, tmp_path):
    given = recipe("diabetes", "linear_regression", ema=0.9, learning_rate=rate)
    if rate > 1:
        given = recipe(
            "diabetes", "linear_regression", ema=0.9, optimizer={"name": "sgd"}, learning_rate=rate
        )
        with pytest.raises(DivergedError, match="first weights are kept"):
            train(given, tmp_path, name="wild", bar=False)
        weights = read_run(tmp_path / "wild").model.get_weights()
    else:
        weights, _ = Fit(given, prepare(given), Run(tmp_path)).best_weights()
    first = prepare(given).model.get_weights()
    assert any(np.abs(array).max() > 0 for array in weights)
    for found, expected in zip(weights, first, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_name_in_use_is_refused(tmp_path):
    run = train(recipe(epochs=1), tmp_path, name="mine", bar=False)
    assert isinstance(run, Run)
    with pytest.raises(RunError, match="mine: exists already: choose another name"):
        train(recipe(epochs=1), tmp_path, name="mine", bar=False)
    assert read_run(tmp_path / "mine").metrics == run.metrics
