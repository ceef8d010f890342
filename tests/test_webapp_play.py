"""The tab Play: its address, its controls and what it draws, without a browser."""

import json
from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl

import numpy as np
import pytest

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets.points import FEATURES
from dlcourse.lessons.playground import Playground, StepwiseTraining
from dlcourse.webapp.play import (
    DEFAULT,
    MENUS,
    PARTS,
    SLICE,
    STEPS,
    VALUES,
    advanced,
    changed,
    control_values,
    frame,
    playground,
    read_address,
    texts,
    write_address,
)

SMALL = replace(DEFAULT, n=100)
PLAYGROUNDS = [
    DEFAULT,
    Playground(),
    Playground("spirals", 0.3, tuple(FEATURES), (8, 1, 2, 3), "relu", 0.01, 0.3, n=1000),
    Playground(features=("x1*x2", "x1^2", "sin(x2)"), hidden=(4,), batch_size=1),
]


def query(address):
    """The parameters of an address, as a server reads them."""
    return dict(parse_qsl(address.removeprefix("?"), keep_blank_values=True))


def test_an_address_names_only_what_is_not_a_default():
    assert write_address(DEFAULT, []) == "?tab=play"
    play = replace(DEFAULT, shape="circles", features=("x1^2", "x2^2"), hidden=())
    address = "?tab=play&shape=circles&features=x1^2,x2^2&hidden=none&hide=noise,link"
    assert write_address(play, ["noise", "link"]) == address


@pytest.mark.parametrize("play", PLAYGROUNDS)
def test_an_address_gives_back_its_settings(play):
    address = query(write_address(play, ["noise", "activation"]))
    assert read_address(address) == (play, ["noise", "activation"], [])


@pytest.mark.parametrize("play", PLAYGROUNDS)
def test_the_controls_give_back_their_settings(play):
    assert playground(*control_values(play)) == play


def test_features_are_ordered_however_they_were_ticked():
    values = control_values(DEFAULT)
    values[len(MENUS)] = ["sin(x2)", "x1"]
    assert playground(*values).features == ("x1", "sin(x2)")


@pytest.mark.parametrize("name", MENUS)
def test_every_choice_of_a_menu_can_be_written_in_an_address(name):
    for value in VALUES[name]:
        play = replace(DEFAULT, **{name: value})
        assert read_address(query(write_address(play, []))) == (play, [], [])
        assert read_address({name: str(value)})[0] == play


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"noise": "9"}, "noise: expected one of 0.0, 0.1, 0.3, 0.5, 1.0, got '9': 0.1 is used."),
        ({"shape": "<b>"}, "shape: expected one of blobs, xor, circles, moons, spirals, got '<b>'"),
        ({"features": "x3"}, "features: expected some of x1, x2, x1*x2"),
        ({"features": ""}, "got '': x1,x2 is used."),
        ({"hidden": "9"}, "hidden: expected none, or up to 4 layers of 1 to 8 neurons, such as"),
        ({"hidden": "1,1,1,1,1"}, "got '1,1,1,1,1': 4 is used."),
        ({"hidden": "٣"}, "such as 4,2, got '٣'"),
        ({"n": "1e9"}, "n: expected one of 100, 200, 500, 1000, got '1e9': 500 is used."),
        ({"hide": "nois"}, "hide: there is no 'nois'."),
    ],
)
def test_a_wrong_value_in_an_address_gives_one_sentence_and_the_default(address, sentence):
    play, hidden, faults = read_address(address)
    assert (play, hidden) == (DEFAULT, [])
    assert len(faults) == 1
    assert sentence in faults[0]


def test_what_belongs_to_other_tabs_is_left_to_them():
    assert read_address({"tab": "play", "__theme": "dark", "run": "a"}) == (DEFAULT, [], [])


def test_every_part_can_be_hidden():
    assert read_address({"hide": ",".join(PARTS)})[1] == list(PARTS)


def test_a_frame_holds_what_is_drawn():
    training = StepwiseTraining(replace(SMALL, features=("x1", "x2", "x1*x2"), hidden=(4, 3)))
    shown = json.loads(frame(training, "text"))
    assert [np.shape(weights) for weights in shown["weights"]] == [(3, 4), (4, 3), (3, 1)]
    assert [len(maps) for maps in shown["layers"]] == [3, 4, 3]
    points, labels = shown["points"]["train"]
    assert (len(points), len(labels)) == (68, 68)  # 80 of 100 points, and 15 % of them validate
    assert shown["message"] == "text"
    boundary = np.frombuffer(b64decode(shown["boundary"]), "uint8").reshape(48, 48)
    probabilities = training.outputs()[-1][..., 0]
    assert boundary == pytest.approx(255 * probabilities, abs=0.501)


def test_the_map_of_a_feature_is_white_in_the_middle_and_orange_where_it_is_large():
    shown = json.loads(frame(StepwiseTraining(SMALL)))
    maps = (np.frombuffer(b64decode(text), "uint8") for text in shown["layers"][0])
    x1, x2 = (values.astype(int).reshape(24, 24) for values in maps)
    assert x1[0, -1] > 240 > 15 > x1[0, 0]
    assert x2[0, 0] > 240 > 15 > x2[-1, 0]  # the largest x2 is at the top
    assert x1[0, 12] == pytest.approx(128, abs=6)


def test_a_long_curve_is_thinned():
    training = StepwiseTraining(SMALL)
    training.history["loss"] *= 1999
    shown = json.loads(frame(training))
    assert 100 < len(shown["history"]["loss"]) <= 200
    assert shown["every"] == 10


def test_xor_is_separated_by_one_hidden_layer_of_four_in_twenty_slices():
    training = StepwiseTraining(DEFAULT)
    shown = {}
    for _ in range(20):  # at five per second: four seconds
        picture, goes_on = advanced(training, SLICE)
        shown = json.loads(picture)
        assert goes_on
    assert shown["epoch"] <= 40
    assert shown["now"]["val_accuracy"] > 0.95


def test_a_slice_is_short_whatever_the_settings_are(monkeypatch):
    training = StepwiseTraining(replace(DEFAULT, n=1000, batch_size=1))
    moments = iter(np.arange(0, 1, 0.03))  # a clock on which each batch takes 0.03 s
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("dlcourse.lessons.playground.time", clock)
    advanced(training, SLICE)
    assert training.batch == 3


def test_the_buttons_pause_step_and_reset():
    training = StepwiseTraining(SMALL)
    for name, place in (("epoch", (1, 0)), ("batch", (1, 1)), ("pause", (1, 1)), ("reset", (0, 0))):
        shown = json.loads(advanced(training, STEPS[name])[0])
        assert (shown["epoch"], shown["batch"]) == place


def test_a_training_ends_by_itself():
    training = StepwiseTraining(SMALL)
    training.epoch = 1999
    picture, goes_on = advanced(training, STEPS["epoch"])
    assert not goes_on
    assert json.loads(picture)["message"] == "The training ends after 2000 epochs."


def test_a_divergence_is_told_and_the_picture_stays():
    training = StepwiseTraining(replace(SMALL, activation="relu", learning_rate=1e200))
    picture, goes_on = advanced(training, SLICE)
    assert not goes_on
    assert json.loads(picture).keys() == {"number", "message"}
    assert "lower the learning rate" in picture


def test_the_recipe_and_the_script_have_the_epochs_trained_so_far():
    training = StepwiseTraining(SMALL)
    assert "epochs: 20\n" in texts(training)[0]
    training.run(3)
    recipe, script = texts(training)
    assert recipe_from_text(recipe).training.epochs == 3
    assert "epochs = 3\n" in script
    compile(script, "script", "exec")


def test_a_changed_control_starts_a_new_training():
    old = StepwiseTraining(SMALL, running=True)
    old.run(1)
    values = control_values(replace(SMALL, hidden=(2, 2)))
    training, picture, recipe, _, address = changed(old, ["n"], *values)
    assert training is not old
    assert training.running
    assert training.number > old.number  # so the page drops a late picture of the old one
    assert json.loads(picture)["epoch"] == 0
    assert "hidden: [2, 2]" in recipe
    assert address == "?tab=play&hidden=2,2&n=100&hide=n"


def test_without_a_feature_the_old_training_stays_and_a_sentence_says_why():
    old = StepwiseTraining(SMALL)
    training, picture, *_ = changed(old, [], *control_values(replace(SMALL, features=())))
    assert training is old
    assert json.loads(picture)["message"] == "Tick one feature or more."
