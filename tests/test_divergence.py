"""NaN and infinity end a training within the epoch, also where ReLU hides them."""

import numpy as np
import pytest

from dlcourse.commands import train as train_command
from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import DivergedError
from dlcourse.runs import read_run
from dlcourse.training import Fit, prepare, train
from dlcourse.training.divergence import NotFinite, refuse_infinite


def recipe(model, dataset="digits", **training):
    return Recipe.model_validate(
        {"dataset": {"name": dataset}, "model": model, "training": {"epochs": 3, **training}}
    )


WILD = recipe({"name": "dnn", "hidden": [16, 16]}, optimizer={"name": "sgd"}, learning_rate=1e30)


def test_a_divergence_tells_when_at_what_rate_and_what_to_try(tmp_path):
    with pytest.raises(DivergedError) as caught:
        train(WILD, tmp_path, name="wild", bar=False)
    text = str(caught.value)
    assert "the loss became nan in epoch 1, by step" in text
    assert "at learning rate 1e+30" in text
    assert "the first weights are kept" in text
    assert "try training.learning_rate=1e+29 or training.clip_norm=1" in text
    assert caught.value.exit_code == 3


def test_the_last_finite_weights_stay_as_the_runs_model(tmp_path):
    with pytest.raises(DivergedError):
        train(WILD, tmp_path, name="wild", bar=False)
    run = read_run(tmp_path / "wild")
    first = prepare(WILD).model.get_weights()
    for kept, weights in zip(run.model.get_weights(), first, strict=True):
        np.testing.assert_array_equal(kept, weights)
    assert "diverged" in run.metrics
    assert run.metrics["epochs_run"] == 0


def test_nan_weights_behind_relu_end_the_epoch_although_the_loss_is_finite(tmp_path, monkeypatch):
    """With NaN in a hidden layer the loss stays finite on TensorFlow's CPU graphs."""
    given = recipe({"name": "dnn", "hidden": [16]})
    original = Fit._begin_epoch

    def poison(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 1:
            kernel = self.prepared.model.get_layer("hidden_1").kernel
            kernel.assign(np.full(kernel.shape, np.nan, "float32"))

    monkeypatch.setattr(Fit, "_begin_epoch", poison)
    with pytest.raises(DivergedError, match="became nan in epoch 2"):
        train(given, tmp_path, name="relu", bar=False)
    run = read_run(tmp_path / "relu")
    assert all(np.isfinite(weight).all() for weight in run.model.get_weights())
    assert run.metrics["epochs_run"] == 1


def test_infinite_batch_norm_statistics_are_found():
    prepared = prepare(recipe({"name": "dnn", "hidden": [4], "batch_norm": True}))
    refuse_infinite(prepared.model, {"loss": 1.0}, 0, 1)
    variance = prepared.model.get_layer("hidden_1_norm").moving_variance
    variance.assign(np.full(variance.shape, np.inf, "float32"))
    with pytest.raises(NotFinite) as caught:
        refuse_infinite(prepared.model, {"loss": 1.0}, 0, 1)
    assert caught.value.what == "hidden_1_norm/moving_variance became inf"


@pytest.mark.parametrize("clip", [{"clip_norm": 0.5}, {"clip_value": 0.01}])
def test_clipping_bounds_the_step(clip):
    given = recipe(
        {"name": "linear_regression"},
        "diabetes",
        optimizer={"name": "sgd"},
        learning_rate=1.0,
        batch_size=1000,
        **clip,
    )
    prepared = prepare(given)
    before = prepared.model.get_weights()
    prepared.model.fit(
        prepared.dataset.x_train, prepared.dataset.y_train, batch_size=1000, verbose=0
    )
    steps = [
        after - weight for after, weight in zip(prepared.model.get_weights(), before, strict=True)
    ]
    norm = np.sqrt(sum(float((step**2).sum()) for step in steps))
    if "clip_norm" in clip:
        assert norm == pytest.approx(0.5, rel=1e-4)  # float32
    else:
        assert max(np.abs(step).max() for step in steps) == pytest.approx(0.01, rel=1e-4)


def test_the_command_ends_with_3(tmp_path, capfd):
    (tmp_path / "wild.yaml").write_text(WILD.to_yaml())
    code = train_command.main(["--config", str(tmp_path / "wild.yaml"), "--runs", str(tmp_path)])
    assert code == 3
    assert capfd.readouterr().err.count("\n") == 1


HOT = {"optimizer": {"name": "sgd"}, "steps_per_execution": 1}


def test_a_checkpoint_inside_the_epoch_does_not_take_the_finite_weights_place(tmp_path):
    """Its weights are finite still, and so large that the model answers with NaN."""
    given = {"learning_rate": 1e38, "checkpoint_every": 1, **HOT}
    wild = recipe({"name": "softmax_regression"}, "iris", **given)
    with pytest.raises(DivergedError, match="the first weights are kept"):
        train(wild, tmp_path, name="hot", bar=False)
    run, first = read_run(tmp_path / "hot"), prepare(wild).model.get_weights()
    for kept, weights in zip(run.model.get_weights(), first, strict=True):
        np.testing.assert_array_equal(kept, weights)
    assert not (run.path / "inside_state.npz").exists()


def test_the_message_names_the_epoch_whose_weights_are_kept(tmp_path):
    given = {"learning_rate": 0.45, "batch_size": 64, "epochs": 60, **HOT}
    with pytest.raises(DivergedError) as caught:
        train(
            recipe({"name": "linear_regression"}, "diabetes", **given),
            tmp_path,
            name="hot",
            bar=False,
        )
    best = read_run(tmp_path / "hot").metrics["best_epoch"]
    assert f"the weights of epoch {best} are kept" in str(caught.value)
    assert best < read_run(tmp_path / "hot").metrics["epochs_run"]
