"""The user's Keras callbacks in a training that is made of several fits."""

import keras
import numpy as np
import pytest

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import InterruptedTraining, UserError
from dlcourse.runs import read_run
from dlcourse.training import resume, train
from tests.test_resume import After


class Diary(keras.callbacks.Callback):
    """Notes what it is told, and keeps it over an interruption."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def on_train_begin(self, logs=None):  # noqa: ARG002
        self.notes.append("begin")

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        self.notes.append(epoch)

    def on_train_end(self, logs=None):  # noqa: ARG002
        self.notes.append("end")

    def get_state(self):
        return self.notes

    def set_state(self, state):
        self.notes = list(state)


def recipe(**training):
    training = {"epochs": 4, "batch_size": 300, "steps_per_execution": 1, **training}
    settings = ", ".join(f"{key}: {value}" for key, value in training.items())
    return recipe_from_text(
        f"dataset: {{name: digits}}\nmodel: {{name: cnn, filters: [4]}}\ntraining: {{{settings}}}\n"
    )


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"batch_size": "[300, 600]"},
        {"augmentation": "{shift: 0.1}", "clean_epochs": 2},
    ],
)
def test_a_training_begins_and_ends_once_whatever_its_stages(training, tmp_path):
    diary = Diary()
    run = train(recipe(**training), tmp_path, bar=False, callbacks=[diary])
    assert diary.notes == ["begin", 0, 1, 2, 3, "end"]
    assert [layer.name for layer in diary.model.layers] == [
        layer.name for layer in run.model.layers
    ]


def test_head_and_fine_tuning_are_one_training_of_the_whole_model(tmp_path):
    base = train(recipe(), tmp_path, name="base", bar=False)
    text = (
        "dataset: {name: digits}\n"
        "model: {name: transfer, trainable_layers: 1, fine_tuning_epochs: 2, "
        f"base: {base.path}}}\n"
        "training: {epochs: 2, batch_size: 300}\n"
    )
    diary = Diary()
    run = train(recipe_from_text(text), tmp_path, name="new", bar=False, callbacks=[diary])
    assert diary.notes == ["begin", 0, 1, 2, 3, "end"]
    assert diary.model.count_params() == run.model.count_params()


def test_a_callback_that_stops_the_saved_model_stops_the_augmented_training(tmp_path):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _: setattr(stop.model, "stop_training", epoch == 1)
    )
    given = recipe(augmentation="{shift: 0.1}")
    assert train(given, tmp_path, bar=False, callbacks=[stop]).metrics["epochs_run"] == 2


def test_early_stopping_and_checkpoints_of_keras_do_as_in_keras(tmp_path):
    early = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=10.0, patience=1)
    path = tmp_path / "kept.keras"
    given = recipe(epochs=6, batch_size="[300, 600]")
    run = train(
        given, tmp_path, bar=False, callbacks=[early, keras.callbacks.ModelCheckpoint(path)]
    )
    assert run.metrics["epochs_run"] == 2
    kept = keras.saving.load_model(path)
    assert kept.get_weights()[0].shape == run.model.get_weights()[0].shape


def test_what_a_callback_remembers_goes_on_with_the_run(tmp_path):
    with pytest.raises(InterruptedTraining):
        train(recipe(), tmp_path, name="a", bar=False, stop=After(12), callbacks=[Diary()])
    diary, told = Diary(), []
    run = resume(read_run(tmp_path / "a"), bar=False, report=told.append, callbacks=[diary])
    assert diary.notes == ["begin", 0, 1, 2, 3, "end"]
    assert run.finished
    assert not any("without the callbacks" in line for line in told)


def test_a_resume_says_which_callbacks_are_missing(tmp_path):
    with pytest.raises(InterruptedTraining):
        train(recipe(), tmp_path, name="a", bar=False, stop=After(12), callbacks=[Diary()])
    told = []
    resume(read_run(tmp_path / "a"), bar=False, report=told.append)
    assert "resuming without the callbacks Diary" in told


def test_a_state_that_json_cannot_hold_is_refused(tmp_path):
    diary = Diary()
    diary.get_state = lambda: np.zeros(3)
    with pytest.raises(UserError, match="get_state may only return JSON values"):
        train(recipe(), tmp_path, bar=False, callbacks=[diary])


def test_callbacks_change_nothing_of_the_training(tmp_path):
    plain = train(recipe(), tmp_path, name="a", bar=False)
    watched = train(recipe(), tmp_path, name="b", bar=False, callbacks=[Diary()])
    assert watched.history == plain.history
