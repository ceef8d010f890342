"""The learning-rate range test: what it suggests, and that it leaves no trace."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dlcourse import plots
from dlcourse.commands import find_lr
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import RecipeError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.range_test import find_learning_rate, one_figure, smooth
from dlcourse.training import prepare
from dlcourse.training.preparation import targets

ROOT = Path(__file__).parent.parent
DROPOUT = (
    "dataset: {name: digits}\n"
    "model: {name: dnn, hidden: [16], dropout: 0.3}\n"
    "training: {epochs: 2, batch_size: 64, augmentation: {shift: 0.05}}\n"
)
LINE = (
    "dataset: {name: diabetes}\nmodel: {name: linear_regression}\n"
    "training: {batch_size: 128, optimizer: {name: sgd}}\n"
)


def variables(model):
    return [np.asarray(v).copy() for v in (*model.variables, *model.optimizer.variables)]


def test_smoothing_keeps_a_straight_line_and_gives_its_slope():
    position = np.linspace(-6, 1, 100)
    height, slope = smooth(position, 3 * position + 2)
    np.testing.assert_allclose(height, 3 * position + 2, atol=1e-12)  # float64
    np.testing.assert_allclose(slope, 3, atol=1e-10)


def test_smoothing_does_not_move_the_lowest_point():
    position = np.linspace(-6, 1, 141)  # steps of 0.05: -2 is one of them
    height, _ = smooth(position, (position + 2) ** 2)
    assert position[height.argmin()] == pytest.approx(-2)


@pytest.mark.parametrize(("rate", "written"), [(0.00317, "0.003"), (0.0096, "0.01"), (2.4, "2")])
def test_a_rate_is_written_with_one_figure(rate, written):
    assert f"{one_figure(rate):g}" == written


def test_a_line_is_suggested_a_rate_below_the_one_that_diverges():
    """Gradient descent on a quadratic diverges above 2/λ, λ the Hessian's largest eigenvalue."""
    recipe = recipe_from_text(LINE)
    x = prepare(recipe).dataset.x_train
    inputs = (x - x.mean(axis=0)) / x.std(axis=0)
    ones = np.ones((len(x), 1))
    hessian = 2 * np.cov(np.hstack([inputs, ones]).T, bias=True)  # of the mean squared error
    limit = 2 / np.linalg.eigvalsh(hessian).max()
    test = find_learning_rate(recipe)
    assert test.suggestion < test.lowest < limit
    assert test.suggestion > limit / 100
    assert test.end == "the loss rose to 4 times its lowest"


def test_the_first_loss_is_that_of_the_untrained_model_on_the_trainings_first_batch():
    recipe = recipe_from_text("dataset: {name: digits}\nmodel: {name: softmax_regression}\n")
    test, prepared = find_learning_rate(recipe, steps=12), prepare(recipe)
    y = targets(prepared.model, recipe, prepared.dataset, "train")
    rows = np.random.default_rng([recipe.seed, 0]).permutation(len(y))[:32]
    loss = prepared.model.evaluate(prepared.dataset.x_train[rows], y[rows], verbose=0)[0]
    assert test.losses[0] == pytest.approx(loss, rel=1e-5)  # float32
    np.testing.assert_allclose(test.rates, np.geomspace(1e-6, 10, 12)[: len(test.rates)])


def test_every_variable_is_the_same_afterwards_bit_for_bit():
    """Weights, dropout's and augmentation's seeds, Adam's moments, its counter and its rate."""
    recipe = recipe_from_text(DROPOUT)
    prepared = prepare(recipe)
    model = prepared.model
    x, y = prepared.dataset.x_train[:64], prepared.dataset.y_train[:64]
    model.train_on_batch(x, y)  # Adam's moments are not zero
    before = variables(model)
    find_learning_rate(recipe, prepared, steps=20)
    after = variables(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(before) > 10


def test_a_test_that_becomes_infinite_leaves_no_trace_either():
    recipe = recipe_from_text(LINE)
    prepared = prepare(recipe)
    prepared.model.optimizer.build(prepared.model.trainable_variables)
    before = variables(prepared.model)
    test = find_learning_rate(recipe, prepared, lowest=1e-4, highest=1e30, steps=200)
    assert np.isfinite(test.losses).all()
    for a, b in zip(before, variables(prepared.model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_tests_of_one_recipe_agree():
    recipe = recipe_from_text(LINE)
    first, second = find_learning_rate(recipe), find_learning_rate(recipe)
    np.testing.assert_array_equal(first.losses, second.losses)


def test_a_schedule_is_left_out_and_a_prepared_one_refused():
    recipe = recipe_from_text(LINE + "  ")
    with_schedule = recipe_from_text(LINE.replace("{batch", "{schedule: {name: cosine}, batch"))
    expected = find_learning_rate(recipe).suggestion
    assert find_learning_rate(with_schedule).suggestion == expected
    with pytest.raises(RecipeError, match=r"'training\.schedule': the range test sets the learn"):
        find_learning_rate(with_schedule, prepare(with_schedule))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"lowest": 0.0}, "0 < lowest rate < highest rate and 10 steps or more, got 0, 10 and 100"),
        ({"highest": 1e-9}, "got 1e-06, 1e-09 and 100"),
        ({"steps": 9}, "got 1e-06, 10 and 9"),
        ({"lowest": 1e20, "highest": 1e30}, "ended after . steps .*: begin at a lower rate"),
        ({"lowest": 1e-12, "highest": 1e-11, "steps": 12}, "the loss never fell beyond the noise"),
    ],
)
def test_a_range_that_cannot_be_tested_is_refused(given, text):
    recipe = recipe_from_text("dataset: {name: iris}\nmodel: {name: dnn, hidden: [4]}\n")
    with pytest.raises(RecipeError, match=text):
        find_learning_rate(recipe, **given)


def test_the_figure_marks_the_suggestion():
    rates = np.geomspace(1e-4, 1, 30)
    losses = (np.log10(rates) + 1) ** 2
    ax = lab_plots.range_test(rates, losses, losses, 0.01, ax=plots.new_figure().subplots())
    assert "suggestion: 0.01" in [line.get_label() for line in ax.lines]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "training loss")


def test_the_command_prints_a_setting_to_paste_and_saves_figure_and_table(tmp_path, capfd):
    arguments = ["--config", str(ROOT / "configs" / "digits_softmax.yaml"), "--out", str(tmp_path)]
    assert find_lr.main(arguments) == 0
    out, err = capfd.readouterr()
    assert err == ""
    pasted = next(line for line in out.splitlines() if line.startswith("training.learning_rate="))
    table = (tmp_path / "digits_softmax.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    lowest = min(rows, key=lambda row: float(row["smoothed"]))
    assert float(pasted.partition("=")[2]) == one_figure(float(lowest["learning_rate"]) / 10)
    assert (tmp_path / "digits_softmax.png").stat().st_size > 10_000
    assert find_lr.main([*arguments, pasted, "--json"]) == 0  # it is a valid override
    assert json.loads(capfd.readouterr().out)["suggestion"] == float(pasted.partition("=")[2])


def test_the_command_ends_with_2_for_a_mistake(tmp_path, capfd):
    config = str(ROOT / "configs" / "digits_softmax.yaml")
    assert find_lr.main(["--config", config, "--steps", "3", "--out", str(tmp_path / "new")]) == 2
    assert "10 steps or more" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()
    assert find_lr.main(["--config", "absent.yaml"]) == 2
