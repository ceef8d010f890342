"""The playground draws what its recipe trains to; its controls change both."""

import random
import sys

import numpy as np
import pytest

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets.points import plane_features
from dlcourse.errors import DivergedError, RecipeError
from dlcourse.lessons.playground import Playground, StepwiseTraining
from dlcourse.training import train

QUICK = {"epochs": 5, "learning_rate": 0.1}


def test_the_recipe_trains_to_the_network_that_is_drawn(tmp_path):
    play = Playground("circles", features=("x1^2", "x2^2"), hidden=(2,), l2=0.001, **QUICK)
    model, dataset = play.train()
    run = train(recipe_from_text(play.as_recipe()), tmp_path, name="same", bar=False)
    # The same code, seed and data on one machine: bit for bit.
    for ours, saved in zip(model.get_weights(), run.model.get_weights(), strict=True):
        assert np.array_equal(ours, saved)
    assert dataset.feature_names == ("x1^2", "x2^2")


def test_the_recipe_holds_every_setting_of_the_playground():
    play = Playground("spirals", 0.3, ("x1", "sin(x2)"), (8, 4), "relu", 0.01, 0.003, 40)
    recipe = recipe_from_text(play.as_recipe())
    # A model has a setting `noise` as well: the data set's is meant.
    parts = recipe.settings("model") | recipe.settings("dataset") | dict(recipe.training)
    assert {key: parts[key] for key in vars(play)} == vars(play)


def test_a_feature_cross_separates_what_a_line_cannot():
    line, cross = (
        Playground(features=features, **QUICK).draw().get_title()
        for features in (("x1", "x2"), ("x1", "x2", "x1*x2"))
    )
    assert float(line.split()[-1]) < 0.7  # a line gets at most three of four quadrants
    assert float(cross.split()[-1]) > 0.95


SPIRALS = {"shape": "spirals", "epochs": 80, "hidden": (4, 4)}
NOISY = {"shape": "moons", "noise": 1.0, "hidden": (8, 8), "epochs": 80, "l2": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "accuracy"), [(SPIRALS, 1.0), (NOISY, 0.5)])
def test_two_layers_separate_spirals_and_too_much_l2_leaves_a_constant(settings, accuracy):
    title = Playground(**settings).draw().get_title()
    # Other machines round differently, and one of the 60 validation points is 0.017.
    assert float(title.split()[-1]) == pytest.approx(accuracy, abs=0.07)


def test_the_boundary_is_drawn_over_the_plane_whatever_the_features_are():
    ax = Playground(features=("x1*x2",), **QUICK).draw()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x₁", "x₂")
    low, high = ax.get_xlim()
    assert low < -4
    assert high > 4


def test_controls_change_the_recipe_and_the_picture():
    pytest.importorskip("ipywidgets")
    play = Playground(**QUICK)
    play.panel()
    before = bytes(play.picture.value)
    assert before.startswith(b"\x89PNG")
    play.controls["x1*x2"].value = True
    assert play.features == ("x1", "x2", "x1*x2")
    assert "x1*x2" in play.as_recipe()
    assert bytes(play.picture.value) != before
    play.controls["hidden"].value = (4, 4)
    assert recipe_from_text(play.as_recipe()).settings("model")["hidden"] == (4, 4)
    assert play.message.value == ""


def test_without_a_feature_the_panel_says_what_is_missing_and_keeps_its_picture():
    pytest.importorskip("ipywidgets")
    play = Playground(features=("x1",), **QUICK)
    play.panel()
    before = play.picture.value
    play.controls["x1"].value = False
    assert "give one or more of x1, x2" in play.message.value
    assert play.picture.value == before
    with pytest.raises(RecipeError, match="give one or more"):
        play.train()


def test_a_training_that_diverges_is_told_in_a_line():
    with pytest.raises(DivergedError, match=r"diverged: .*lower the learning rate"):
        Playground(hidden=(8, 8), activation="relu", learning_rate=1e25, epochs=5).train()


def test_without_ipywidgets_the_panel_is_a_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert repr(Playground().panel()).startswith("Sliders need ipywidgets")


STEPWISE = [
    Playground(hidden=(4,), epochs=20),
    Playground("circles", features=("x1^2", "x2"), hidden=(4, 3), l2=0.003, n=300, batch_size=8),
    Playground("spirals", 0.3, hidden=(8,), activation="relu", epochs=5),
    Playground("moons", epochs=5, activation="sigmoid"),
]


@pytest.mark.parametrize("play", STEPWISE)
def test_a_training_in_steps_gives_the_weights_of_keras(play):
    model, dataset = play.train()
    training = StepwiseTraining(play)
    training.run(play.epochs)
    # Keras rounds to float32: some 100 steps at learning rate 0.03 leave the weights this close.
    for kernel, ours in zip(model.get_weights()[::2], training.network.W, strict=True):
        assert ours == pytest.approx(kernel, abs=1e-4)
    loss, _ = model.evaluate(dataset.x_val, dataset.y_val[:, None].astype("float32"), verbose=0)
    assert training.history["val_loss"][-1] == pytest.approx(loss, abs=1e-4)
    assert len(training.history["loss"]) == play.epochs + 1


def test_batches_and_epochs_are_counted():
    training = StepwiseTraining(Playground(n=200))  # 136 points train: 5 batches of 32 or fewer
    training.step()
    assert (training.epoch, training.batch, training.batches) == (0, 1, 5)
    assert len(training.history["loss"]) == 1
    training.run()
    assert (training.epoch, training.batch) == (1, 0)
    assert len(training.history["loss"]) == 2


def test_a_reset_training_begins_again_with_the_first_weights():
    training = StepwiseTraining(Playground(hidden=(2,), n=200))
    before, number = training.outputs(), training.number
    training.run(3)
    after = training.outputs()
    assert not np.array_equal(before[-1], after[-1])
    training.reset()
    assert all(map(np.array_equal, training.outputs(), before))
    assert training.number > number
    training.run(3)
    assert all(map(np.array_equal, training.outputs(), after))


def test_the_outputs_of_all_neurons_are_those_of_the_keras_model():
    play = Playground("moons", features=("x1", "x1*x2"), hidden=(3,), **QUICK)
    model, _ = play.train()
    training = StepwiseTraining(play)
    training.run(play.epochs)
    features, hidden, output = training.outputs(9)
    assert (features.shape, hidden.shape, output.shape) == ((9, 9, 2), (9, 9, 3), (9, 9, 1))
    side = np.linspace(-training.limit, training.limit, 9)
    corner = np.array([[side[0], side[-1]]])  # the first row has the largest x2
    expected = np.asarray(model(plane_features(corner, play.features)))
    assert output[0, 0] == pytest.approx(expected[0], abs=1e-4)


def test_a_training_in_steps_stops_when_its_time_is_over():
    training = StepwiseTraining(Playground(n=200))
    training.run(10**9, seconds=0.05)
    assert training.epoch > 1


def test_steps_that_diverge_are_told_in_a_line():
    play = Playground(hidden=(8, 8), activation="relu", learning_rate=1e200)
    with pytest.raises(DivergedError, match=r"diverged: .*lower the learning rate"):
        StepwiseTraining(play).run(2)


def test_the_first_weights_are_those_of_the_seed_whatever_other_threads_draw(monkeypatch):
    import keras

    wanted = StepwiseTraining(Playground(hidden=(4,))).network.W
    set_seed, drawn = keras.utils.set_random_seed, iter([5, None, 7, 8])

    def set_and_draw(seed):
        set_seed(seed)
        if number := next(drawn, None):  # as another thread does
            random.seed(number)

    monkeypatch.setattr(keras.utils, "set_random_seed", set_and_draw)
    weights = StepwiseTraining(Playground(hidden=(4,))).network.W
    assert next(drawn, "all") == "all"
    assert all(map(np.array_equal, weights, wanted))
