"""A training that was interrupted can be used as it is, saved as it is, and resumed."""

import json

import keras
import numpy as np
import pytest

import dlcourse as dl
from dlcourse.commands import main
from dlcourse.errors import RunError
from dlcourse.runs import read_run

CNN = {"dataset": {"name": "digits"}, "model": {"name": "cnn", "filters": [4], "hidden": [8]}}
KINDS = {
    "best weights": {"dataset": "iris", "model": "dnn", "learning_rate": 0.5, "epochs": 9},
    "last weights": {"dataset": "iris", "model": "dnn", "restore_best_weights": False, "epochs": 9},
    "averaged weights, augmentation": {
        **CNN,
        "training": {
            **{"epochs": 6, "batch_size": 256, "ema": 0.9, "restore_best_weights": False},
            "augmentation": {"shift": 0.1},
        },
    },
}
LAST = 4


class Crash(keras.callbacks.Callback):
    """Ends the process, as far as the training knows, before the state of an epoch is saved."""

    def __init__(self, epoch=LAST, batch=None):
        super().__init__()
        self.epoch, self.batch, self.now = epoch, batch, 0

    def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        if self.now == self.epoch and batch == self.batch:
            raise ZeroDivisionError

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        if epoch == self.epoch:
            raise ZeroDivisionError


def crashed(folder, crash=None, **settings):
    """Return a run that the callback ended."""
    with pytest.raises(ZeroDivisionError):
        dl.fit(**settings, callbacks=crash or Crash(), runs=folder, name="part", verbose=0)
    return read_run(folder / "part")


UNFINISHED = pytest.mark.filterwarnings("ignore:.*the training has not finished")


@UNFINISHED
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_so_far_are_those_that_the_training_would_keep(kind, tmp_path):
    run = crashed(tmp_path, **KINDS[kind])
    losses = run.history["val_loss"]
    assert len(losses) == LAST
    kept = min(losses) if kind == "best weights" else losses[-1]
    assert dl.evaluate(run)["val"]["loss"] == pytest.approx(kept, rel=1e-4)
    if kind == "best weights":
        assert losses[-1] > 1.02 * kept, "the last epoch must not be the best one here"


@UNFINISHED
def test_a_state_within_an_epoch_keeps_the_best_epoch_before_it(tmp_path):
    settings = KINDS["best weights"] | {"batch_size": 16, "checkpoint_every": 1}
    settings |= {"steps_per_execution": 1, "learning_rate": 0.1}
    run = crashed(tmp_path, Crash(LAST, batch=2), **settings)
    assert (run.path / "inside_state.npz").exists()
    assert dl.evaluate(run)["val"]["loss"] == pytest.approx(min(run.history["val_loss"]), rel=1e-4)


@pytest.mark.filterwarnings("always:.*the training has not finished")
def test_every_command_opens_an_unfinished_run_and_says_so(tmp_path, capfd):
    run = crashed(tmp_path, **KINDS["best weights"])
    said = f"warning: {run.path}: the training has not finished (4 epochs are done): these are the"
    for command in (["evaluate"], ["visualize", "--what", "predictions"]):
        assert main([*command, "--run", str(run.path)]) == 0
        assert said in capfd.readouterr().err
    assert "4 (not finished)" in (run.path / "visualize" / "index.html").read_text()
    with pytest.warns(UserWarning, match=r"has not finished \(4 epochs are done\)"):
        (row,) = dl.predict(run.path, [5.1, 3.5, 1.4, 0.2])
    assert row["class"] in run.facts.class_names
    assert main(["export", "--run", str(run.path), "--to", "onnx"]) == 2
    assert "goes on, with --finish it is saved as it is" in capfd.readouterr().err
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "unfinished" in capfd.readouterr().out


@UNFINISHED
def test_a_run_that_is_saved_as_it_is_can_still_be_resumed_exactly(tmp_path, capfd):
    settings = KINDS["best weights"]
    whole = dl.fit(**settings, runs=tmp_path, name="whole", verbose=0)
    run = crashed(tmp_path, **settings)
    before = dl.evaluate(run)
    train = ["train", "--resume", str(run.path)]
    assert main([*train, "--finish"]) == 0
    assert "epochs      4 (kept: " in capfd.readouterr().out
    finished = read_run(run.path)
    assert finished.finished
    assert "not finished" in repr(finished)
    for part, metrics in before.items():
        assert finished.metrics[part] == pytest.approx(metrics, abs=1e-6)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "interrupted" in capfd.readouterr().out
    assert main([*train, "--finish"]) == 0
    assert "nothing left to train" in capfd.readouterr().out
    assert main(train) == 0
    resumed = read_run(run.path)
    assert resumed.history == whole.history
    assert repr(resumed).endswith(repr(whole).partition("whole")[2])
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@UNFINISHED
@pytest.mark.parametrize("epoch", [1, 4], ids=["in the head", "in the fine-tuning"])
def test_a_transfer_with_cached_features_is_used_with_its_base(epoch, tmp_path):
    low = dl.fit(**{**CNN, "training": {"epochs": 1}}, runs=tmp_path, name="low", verbose=0)
    model = {"name": "transfer", "base": str(low.path), "layer": "flatten", "head": [8]}
    model |= {"cache_features": True, "trainable_layers": 1, "fine_tuning_epochs": 4}
    data = {"name": "digits", "classes": [5, 6, 7]}
    run = crashed(tmp_path, Crash(epoch), dataset=data, model=model, epochs=3)
    assert dl.evaluate(run)["val"]["loss"] == pytest.approx(min(run.history["val_loss"]), rel=1e-4)
    dl.resume(run, finish=True, verbose=0)
    assert not (run.path / "base.npz").exists()
    assert dl.evaluate(run)["val"]["loss"] == pytest.approx(min(run.history["val_loss"]), rel=1e-4)


def test_nothing_to_use_yet_is_told(tmp_path):
    run = crashed(tmp_path, Crash(0), **KINDS["last weights"])
    with pytest.raises(RunError, match="nothing was trained yet: --resume goes on"):
        dl.evaluate(run)
    with pytest.raises(RunError, match="nothing was trained yet"):
        dl.resume(run, finish=True, verbose=0)
    assert not run.finished


def test_damaged_files_of_an_unfinished_run_are_told(tmp_path):
    run = crashed(tmp_path, **KINDS["last weights"])
    content = json.loads((run.path / "model.json").read_text())
    content["config"]["layers"] = content["config"]["layers"][:2]
    (run.path / "model.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"model\.json: was damaged or changed"):
        dl.evaluate(run)
    (run.path / "model.json").unlink()
    with pytest.raises(RunError, match=r"has no model\.keras .*, with --finish it is saved"):
        dl.evaluate(run)


def test_finishing_needs_a_run(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--config", "iris_dnn", "--finish"])
    assert "--resume DIR names it" in capsys.readouterr().err
