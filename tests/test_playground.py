"""The playground draws what its recipe trains to; its controls change both."""

import sys

import numpy as np
import pytest

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import DivergedError, RecipeError
from dlcourse.lessons.playground import Playground
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
