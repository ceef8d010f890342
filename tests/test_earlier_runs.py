"""Runs of version 0.1.0, whose recipes hold settings that are gone, still open and go on.

`tests/data/runs_0_1_0`: a finished network, one interrupted after 3 of 40 epochs that recorded its
X-ray, and an ensemble of two.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcourse.__main__ import main
from dlcourse.configuration.recipe import recipe_from_text, run_recipe
from dlcourse.datasets import load_dataset
from dlcourse.errors import RecipeError
from dlcourse.lab.diagnosis.xray import read_xray
from dlcourse.runs import read_run
from dlcourse.training import train

EARLIER = Path(__file__).parent / "data" / "runs_0_1_0"


@pytest.fixture
def earlier(tmp_path):
    shutil.copytree(EARLIER, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def call(capfd):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("name", ["finished_cnn", "ensemble"])
def test_a_finished_run_evaluates_to_the_metrics_that_it_saved(name, earlier, call):
    code, out, err = call("evaluate", "--run", earlier / name)
    assert (code, err) == (0, "")
    accuracy = read_run(earlier / name).metrics["test"]["accuracy"]
    assert f"{accuracy:.4f}" in out


@pytest.mark.parametrize("command", ["diagnose", "visualize", "export", "runs", "predict"])
def test_a_finished_run_opens_in_every_command(command, earlier, call, tmp_path):
    from PIL import Image

    run = ["--run", earlier / "finished_cnn"]
    if command == "visualize":
        run += ["--what", "saliency"]
    if command == "export":
        run += ["--to", "litert", "--out", tmp_path]
    if command == "predict":
        three = load_dataset("digits").x_test[0, ..., 0] * 15
        Image.fromarray(three).resize((80, 80)).save(tmp_path / "a.png")
        run += [tmp_path / "a.png"]
    if command == "runs":
        run = ["--runs", earlier]
    code, _, err = call(command, *run)
    assert (code, err) == (0, "")


def test_an_interrupted_run_goes_on_as_a_training_that_was_never_interrupted(earlier, call):
    """With its X-ray, which version 0.1.0 kept as a setting and in the state."""
    code, _, err = call("train", "--resume", earlier / "interrupted_dnn")
    assert (code, err) == (0, "")
    run = read_run(earlier / "interrupted_dnn")
    assert run_recipe(run).model.batch_norm_momentum == 0.99  # which was Keras' own
    whole = train(run_recipe(run), earlier, name="whole", bar=False)
    begun = (EARLIER / "interrupted_dnn" / "history.csv").read_text()
    assert (run.path / "history.csv").read_text().startswith(begun)
    # equal to the bit on the processor that began it; another one sums float32 in another order
    for key, values in whole.history.items():
        np.testing.assert_allclose(run.history[key], values, atol=0.02)
    for resumed, expected in zip(run.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(resumed, expected, atol=0.02)
    assert list(read_xray(run)) == list(range(run.metrics["epochs_run"] + 1))


def test_an_ensemble_does_not_go_on_and_says_so_in_one_line(earlier, call):
    code, _, err = call("train", "--resume", earlier / "ensemble")
    assert code == 2
    assert err == f"{earlier / 'ensemble'}: cannot be resumed: ensembles were removed in 0.2\n"


def test_settings_that_are_gone_are_passed_over_where_they_changed_nothing():
    given = "dataset: {name: iris}\nmodel: {name: dnn}\n"
    old = recipe_from_text(given + "training: {xray: false}\nensemble: null\n")
    assert old == recipe_from_text(given)


def test_settings_that_are_gone_are_refused_where_they_changed_something():
    given = "dataset: {name: iris}\nmodel: {name: dnn}\n"
    with pytest.raises(RecipeError) as caught:
        recipe_from_text(given + "training: {xray: true}\nensemble: {members: 2}\n", "x.yaml")
    assert str(caught.value).splitlines() == [
        "x.yaml:4:1: 'ensemble' was removed: train one recipe per network, each with its own seed",
        "x.yaml:3:12: 'training.xray' was removed: give --xray to the train command instead",
    ]
