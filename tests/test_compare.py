"""Classic models and networks on the same splits: rounds, differences, verdicts, the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dlcourse import plots
from dlcourse.commands import compare as command
from dlcourse.configuration.recipe import load_recipe, recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.errors import DatasetError, DivergedError, RecipeError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.comparison import Trial, compare, results
from dlcourse.lab.comparison.classic import baselines, pipeline, rows
from dlcourse.lab.comparison.rounds import curve_sizes, default_folds, repeated, rounds, subset
from dlcourse.lab.comparison.trials import _predicted, classic_trial, recipe_trial, scores
from dlcourse.lab.comparison.verdict import (
    crossing,
    curve_verdict,
    difference,
    share,
    summaries,
    times,
    verdict,
)

ROOT = Path(__file__).parent.parent
IRIS = "dataset: {name: iris}\nmodel: {name: dnn, hidden: [8]}\ntraining: {epochs: 2}\n"


def trial(model="a", score=0.5, fit_cpu=1.0, number=1, examples=80, test=20, per_example=None):
    if per_example is None:
        per_example = np.repeat([1.0, 0.0], [round(score * test), test - round(score * test)])
    costs = {"fit_cpu": fit_cpu, "fit_seconds": fit_cpu, "predict_seconds": 0.1}
    costs |= {"latency_seconds": 0.002}
    return Trial(
        model, number, examples, np.asarray(per_example), np.nan, **costs, parameters=1, bytes=1
    )


def trials(model, values, fit_cpu=1.0):
    return [trial(model, value, fit_cpu, number) for number, value in enumerate(values, 1)]


def test_one_example_and_a_thousand_are_predicted_for_the_times_that_are_told():
    sizes = []

    def predict(x):
        sizes.append(len(x))
        return x[:, 0]

    predicted, (latency, seconds) = _predicted(predict, np.arange(30.0).reshape(15, 2))
    assert predicted.tolist() == np.arange(0.0, 30, 2).tolist()
    assert sizes == [1, 1000, *[1] * 5, 15, 1000]
    assert min(latency, seconds) > 0


# differences and verdicts, by hand


def test_the_difference_over_folds_is_the_corrected_t_test():
    """d = 0.10, 0.05, 0.15: mean 0.10, variance 0.0025; (1/3 + 20/80)·0.0025; t(2) = 4.302653."""
    mean, width = difference(
        trials("a", [0.9, 0.9, 0.9]), trials("b", [0.8, 0.85, 0.75]), folds=True
    )
    assert mean == pytest.approx(0.10)
    assert width == pytest.approx(4.302653 * np.sqrt(0.0025 * (1 / 3 + 1 / 4)), rel=1e-6)


def test_the_difference_over_seeds_counts_the_seeds_and_the_test_examples():
    """Examples differ by 1, 0, 0, 0 and 0, 0, 1, 0: their means ½, 0, ½, 0 have variance 1/16."""
    a = [trial(per_example=[1, 1, 0, 1]), trial(per_example=[0, 1, 1, 1])]
    b = [trial(per_example=[0, 1, 0, 1]), trial(per_example=[0, 1, 0, 1])]
    mean, width = difference(a, b, folds=False)
    assert mean == pytest.approx(0.25)
    assert width == pytest.approx(1.96 * np.sqrt(1 / 16 / 4))  # both seeds differ by ¼: variance 0


def test_the_mean_of_the_credits_is_accuracy_or_r2():
    iris, diabetes = load_dataset("iris"), load_dataset("diabetes")
    per_example, mae = scores(iris, np.zeros_like(iris.y_test))
    assert per_example.mean() == pytest.approx(np.mean(iris.y_test == 0))
    assert np.isnan(mae)
    from sklearn.metrics import mean_absolute_error, r2_score

    predicted = diabetes.y_test[::-1]
    per_example, mae = scores(diabetes, predicted)
    assert per_example.mean() == pytest.approx(r2_score(diabetes.y_test, predicted))
    assert mae == pytest.approx(mean_absolute_error(diabetes.y_test, predicted))


def test_the_cheap_model_within_the_uncertainty_is_the_one_to_take():
    table = {
        "svm": trials("svm", [0.95, 0.95, 1.0], fit_cpu=0.05),
        "cnn": trials("cnn", [1.0, 0.95, 1.0], fit_cpu=10.0),
        "majority": trials("majority", [0.1, 0.1, 0.1], fit_cpu=0.001),
    }
    best, svm, guess = found = summaries(table, folds=True)
    assert [row.model for row in found] == ["cnn", "svm", "majority"]
    assert (best.behind, best.interval, svm.significant, guess.significant) == (0, 0, False, True)
    first, level, behind, take = verdict(found, ("cnn",), "accuracy")
    assert first == "cnn is best: accuracy 0.9833 ± 0.0289."
    assert level.startswith(
        "svm is 0.0167 behind, within one round's spread (0.0289), at 1/200 of its CPU: tied ("
    )
    assert behind.startswith("Significantly behind: majority (0.8833 ± ")
    assert take == (
        "Take svm, at 1/200 of its CPU, unless more data or the explanations of cnn matter."
    )


def test_a_network_that_is_worse_and_dearer_is_told_so():
    table = {
        "svm": trials("svm", [0.95, 0.95, 0.95], fit_cpu=0.1),
        "dnn": trials("dnn", [0.5, 0.55, 0.5], fit_cpu=32.0),
    }
    lines = verdict(summaries(table, folds=True), ("dnn",), "accuracy")
    assert "dnn is behind svm and costs 320 times its CPU." in lines
    assert lines[-1] == "Take svm: it costs less than a CPU second."


def test_a_best_network_that_nothing_comes_near_is_taken_at_its_cost():
    table = {
        "svm": trials("svm", [0.5, 0.55, 0.5], fit_cpu=0.1),
        "dnn": trials("dnn", [0.95, 0.95, 0.95], fit_cpu=32.0),
    }
    lines = verdict(summaries(table, folds=True), ("dnn",), "accuracy")
    assert lines[-1] == "Take dnn: no other comes close."


def test_a_gap_beyond_a_rounds_spread_that_the_interval_does_not_confirm_is_left_open():
    table = {
        "svm": trials("svm", [0.85, 0.9, 0.85], fit_cpu=0.1),
        "cnn": trials("cnn", [0.9, 0.95, 0.85], fit_cpu=10.0),
    }  # 0.0333 ahead, spread 0.05: tied
    assert "Take svm" in verdict(summaries(table, folds=True), ("cnn",), "accuracy")[-1]
    table["svm"] = trials("svm", [0.8, 0.85, 0.85], fit_cpu=0.1)  # 0.0667 ahead
    found = summaries(table, folds=True)
    assert (found[1].significant, found[1].tied_with(found[0])) == (False, False)
    lines = verdict(found, ("cnn",), "accuracy")
    assert lines[1].startswith("Behind, not significantly in 3 rounds: svm (0.0667 ± 0.1")
    assert lines[-1] == "Take cnn: no cheaper model is as good."


def test_where_nothing_is_clear_of_a_guess_nothing_was_learned():
    table = {
        "majority": trials("majority", [0.5, 0.4, 0.6], fit_cpu=0.1),
        "dnn": trials("dnn", [0.6, 0.4, 0.55], fit_cpu=32.0),
    }
    nothing = "Nothing was learned: no model is significantly better than majority."
    assert verdict(summaries(table, folds=True), ("dnn",), "accuracy")[-1] == nothing
    table["dnn"] = trials("dnn", [0.4, 0.4, 0.55], fit_cpu=32.0)  # the guess is the best
    assert verdict(summaries(table, folds=True), ("dnn",), "accuracy")[-1] == nothing


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 214, "1/210"), (1, 1234, "1/1,200"), (1, 7, "1/7"), (3, 4, "0.75")],
)
def test_shares_have_two_figures(part, whole, text):
    assert share(part, whole) == text


def test_times_have_two_figures():
    assert [times(ratio) for ratio in (3.21, 43.7, 8651.0)] == [
        "3.2 times",
        "44 times",
        "8,700 times",
    ]


# the curve


def test_the_crossing_is_interpolated_on_the_logarithm():
    """-0.1 at 100 and +0.1 at 400: half-way on the logarithm is 200."""
    found = crossing([100, 400, 800], [0.7, 0.9, 0.95], [0.8, 0.8, 0.9])
    assert found == (pytest.approx(200), 100, 400)
    assert crossing([1, 2], [0.9, 0.9], [0.8, 0.8]) is None  # ahead from the start
    assert crossing([1, 2], [0.9, 0.7], [0.8, 0.8]) is None  # not ahead at the end
    last = crossing([1, 2, 3, 4], [0.9, 0.7, 0.9, 0.9], [0.8] * 4)
    assert last is not None
    assert last[1:] == (2, 3)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ([0.5, 0.95], "cnn passes svm at about 200 training examples (measured at 100 and 400)"),
        ([0.9, 0.95], "cnn is ahead of svm at every size measured"),
        ([0.5, 0.6], "cnn does not pass svm up to 400 training examples"),
    ],
)
def test_the_curve_is_told_in_words(network, text):
    classic, curve = [0.75, 0.7], {}
    for size, ours, theirs in zip((100, 400), network, classic, strict=True):
        curve[size] = {"svm": trials("svm", [theirs] * 2), "cnn": trials("cnn", [ours] * 2)}
    (line,) = curve_verdict(curve, ("cnn",), folds=True)
    assert line.startswith(text)


def test_curve_sizes_double_up_to_all_examples():
    assert curve_sizes(load_dataset("digits")) == [76, 152, 305, 610, 1221]
    assert curve_sizes(load_dataset("iris")) == [12, 25, 51, 102]


# rounds


def test_folds_test_every_example_once_and_never_train_on_it():
    digits = load_dataset("digits")
    parts = rounds(digits, folds=5, seeds=0, seed=0)
    tested = np.concatenate([part.x_test for part in parts])
    assert len(tested) == 1797
    whole = np.concatenate([x for x, _ in digits.splits.values()])
    assert sorted(image.tobytes() for image in tested) == sorted(i.tobytes() for i in whole)
    for part in parts:
        assert len(part.y_train) + len(part.y_val) + len(part.y_test) == 1797
        assert np.bincount(part.y_test).min() >= 34  # every class keeps its share


def test_seeds_keep_the_test_split_and_draw_the_validation_split_anew():
    iris = load_dataset("iris")
    first, second = rounds(iris, folds=0, seeds=2, seed=3)
    for part in (first, second):
        np.testing.assert_array_equal(part.x_test, iris.x_test)
        assert [len(y) for _, y in part.splits.values()] == [102, 18, 30]
    assert not np.array_equal(first.x_val, second.x_val)


def test_few_examples_are_folded_and_a_test_split_that_differs_on_purpose_is_kept():
    assert default_folds(load_dataset("digits")) == 5
    assert default_folds(load_dataset("planted", n=200, mark="lying")) == 0
    assert default_folds(load_dataset("points", n=5100)) == 0


def test_a_subset_keeps_every_class_in_its_share():
    part = load_dataset("breast_cancer")
    small = subset(part, 60, seed=1)
    assert len(small.y_train) == 60
    assert np.mean(small.y_train) == pytest.approx(np.mean(part.y_train), abs=1 / 60)
    assert len(small.y_val) == round(len(part.y_val) * 60 / len(part.y_train))
    np.testing.assert_array_equal(small.x_test, part.x_test)
    assert np.bincount(subset(load_dataset("digits"), 20, seed=0).y_train).min() >= 1
    assert len(subset(load_dataset("diabetes"), 30, seed=0).y_train) == 30


def test_a_repeated_training_set_has_the_same_examples_more_often():
    small = subset(load_dataset("iris"), 12, seed=0)
    again = repeated(small, 30)
    np.testing.assert_array_equal(again.x_train[:24], np.concatenate([small.x_train] * 2))
    assert len(again.y_train) == 30
    assert len(repeated(small, 5).y_train) == 12


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda d: rounds(d, folds=60, seeds=0, seed=0), "iris: 60 folds need 60 examples or more"),
        (lambda d: subset(d, 4, 0), "iris: 4 training examples are too few: 10 or more"),
    ],
)
def test_too_few_examples_are_told(call, text):
    with pytest.raises(DatasetError, match=text):
        call(load_dataset("iris"))


@pytest.mark.parametrize("folds", [1, -1])
def test_one_fold_is_refused(folds):
    with pytest.raises(RecipeError, match=r"expected 2 folds or more, or 1 seed or more"):
        rounds(load_dataset("iris"), folds=folds, seeds=0, seed=0)


# the classic models


@pytest.mark.parametrize("name", baselines("multiclass"))
def test_every_classifier_beats_or_is_the_guess_and_counts_its_numbers(name):
    part = load_dataset("iris")
    found = classic_trial(name, part, 1)
    assert found.score == pytest.approx(1 / 3) if name == "majority" else found.score > 0.85
    assert found.parameters > 0
    assert found.bytes > 100
    assert found.fit_cpu >= 0
    if name == "logistic_regression":
        assert found.parameters == 4 * 3 + 3
    if name == "k_nn":
        assert found.parameters == 102 * 4


@pytest.mark.parametrize("name", baselines("regression"))
def test_every_regressor_works_and_the_mean_explains_nothing(name):
    found = classic_trial(name, load_dataset("diabetes"), 1)
    assert found.score <= 0 if name == "mean" else found.score > 0.05
    assert found.mae > 10
    if name == "linear_regression":
        assert found.parameters == 11


def test_images_go_in_as_rows_from_0_to_1_and_tables_are_standardised():
    digits, wine = load_dataset("digits"), load_dataset("wine")
    x = rows(digits, digits.x_train)
    assert (x.shape, x.min(), x.max()) == ((1221, 64), 0, 1)
    assert len(pipeline("svm", digits, 0)) == 1
    model = pipeline("svm", wine, 0).fit(wine.x_train, wine.y_train)
    # float32 sums
    np.testing.assert_allclose(model[0].transform(wine.x_train).mean(axis=0), 0, atol=1e-5)


def test_a_solver_that_does_not_converge_is_noted(monkeypatch):
    from dlcourse.lab.comparison import classic

    monkeypatch.setattr(classic, "STEPS", 1)
    assert classic_trial("logistic_regression", load_dataset("wine"), 1).note == "did not converge"


def test_a_recipes_trial_is_what_training_it_gives(tmp_path):
    from dlcourse.training import train

    recipe = recipe_from_text(IRIS)
    run = train(recipe, tmp_path, bar=False)
    found = recipe_trial("iris", recipe, load_dataset("iris"), 1)
    assert found.score == pytest.approx(run.metrics["test"]["accuracy"])
    assert found.parameters == run.metrics["parameters"]
    assert found.bytes == pytest.approx((run.path / "model.keras").stat().st_size, rel=0.02)


def test_a_recipe_that_diverges_is_named():
    text = IRIS.replace("{epochs: 2}", "{epochs: 2, learning_rate: 1.0e30, optimizer: {name: sgd}}")
    with pytest.raises(DivergedError, match="mine: diverged in round 2: "):
        recipe_trial("mine", recipe_from_text(text), load_dataset("iris"), 2)


# the whole


def test_recipes_of_different_data_are_refused():
    recipes = {"a": recipe_from_text(IRIS), "b": recipe_from_text(IRIS.replace("iris", "wine"))}
    with pytest.raises(RecipeError, match=r"b has wine \(validation_fraction 0.15\), a has iris"):
        compare(recipes)


def test_a_recipe_that_does_not_fit_the_data_is_refused_before_the_first_fit():
    recipes = {"a": recipe_from_text(IRIS), "b": recipe_from_text(IRIS)}
    wrong = recipes["b"].training.model_copy(update={"class_weights": {"tulip": 2.0}})
    recipes["b"] = recipes["b"].model_copy(update={"training": wrong})
    seen = []
    with pytest.raises(RecipeError, match="no class tulip in iris"):
        compare(recipes, report=seen.append)
    assert seen == []


def test_an_unknown_classic_model_is_refused():
    with pytest.raises(RecipeError, match=r"unknown classic model 'swm' \(did you mean 'svm'\?\)"):
        compare({"a": recipe_from_text(IRIS)}, models=["swm"])


def test_a_regression_is_compared_by_r2_with_its_mae():
    recipe = load_recipe(ROOT / "configs" / "diabetes_linear.yaml", ["training.epochs=1"])
    found = compare({"net": recipe}, folds=2, models=["mean", "linear_regression"])
    assert found.score == "R²"
    assert "MAE" in results.table(found).splitlines()[0]
    assert max(map(len, results.table(found).splitlines())) <= 100
    assert next(row for row in found.rows if row.model == "linear_regression").score > 0.4


@pytest.mark.slow
def test_the_command_prints_the_table_the_curve_and_the_verdict(tmp_path, capfd):
    arguments = ["--config", str(ROOT / "configs" / "digits_softmax.yaml"), "training.epochs=1"]
    options = ["--folds", "2", "--models", "svm", "majority", "--out", str(tmp_path), "--curve"]
    assert command.main([*arguments, *options]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 100 or str(tmp_path) in max(out.splitlines(), key=len)
    assert "2 folds of all examples: 763 to train" in out
    assert "one thread (n_jobs=1, BLAS and OpenMP" in " ".join(out.split())
    assert "svm is best: accuracy 0.9" in out
    assert "digits_softmax does not pass svm up to 763 training examples" in " ".join(out.split())
    text = (tmp_path / "digits_softmax.csv").read_text()
    table = list(csv.DictReader(text.splitlines()))
    assert len(table) == 2 * 5 * 3  # folds, sizes, models
    full = [float(r["score"]) for r in table if r["model"] == "svm" and r["examples"] == "763"]
    assert f"{np.mean(full):.4f}" in out
    for name in ("digits_softmax.png", "digits_softmax-curve.png"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_the_command_prints_json_for_ones_own_table(tmp_path, capfd):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    lines = [f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}" for a, b in x]
    (tmp_path / "own.csv").write_text("a,b,rich\n" + "\n".join(lines))
    config = tmp_path / "own.yaml"
    config.write_text(
        f"dataset: {{name: csv, path: '{tmp_path / 'own.csv'}', target: rich}}\n"
        "model: {name: logistic_regression}\ntraining: {epochs: 1}\n"
    )
    options = ["--seeds", "1", "--models", "k_nn", "--out", str(tmp_path / "out")]
    assert command.main(["--config", str(config), *options]) == 0
    told = capfd.readouterr().out
    assert command.main(["--config", str(config), *options, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    for row in found["models"]:
        assert f"{row['model']} " in told
        assert f" {row['score']:.4f}" in told
    assert {row["model"] for row in found["models"]} == {"k_nn", "own"}
    assert found["models"][0]["mae"] is None
    assert (
        found["explains"]["own"]
        == "effect of each input (saliency); for a cnn where it looks (Grad-CAM), its filters"
    )


def test_the_command_ends_with_2_for_a_mistake(tmp_path, capfd):
    config = str(ROOT / "configs" / "digits_softmax.yaml")
    assert command.main(["--config", config, "--config", config]) == 2
    assert "a recipe named digits_softmax is given already" in capfd.readouterr().err
    assert command.main(["--config", config, "--folds", "1", "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()
    with pytest.raises(SystemExit) as end:
        command.main(["--config", config, "--folds", "2", "--seeds", "2"])
    assert end.value.code == 2


# pictures


def test_the_picture_of_scores_and_costs_leaves_the_guess_outside():
    values = {"cnn": [0.95, 0.97], "svm": [0.96, 0.95], "majority": [0.1, 0.1]}
    cost = {"cnn": 9.0, "svm": 0.04, "majority": 0.001}
    figure = plots.new_figure()
    left, right = lab_plots.score_and_cost(
        values, cost, "accuracy", highlighted=["cnn"], baseline="majority", figure=figure
    )
    assert left.get_xlim()[0] > 0.9
    assert [text.get_text() for text in left.texts] == [" ◂ 0.100"]
    assert right.get_xlabel() == "CPU seconds to fit (median)"
    assert [label.get_text() for label in left.get_yticklabels()] == list(values)


def test_the_picture_of_the_curve_tells_networks_by_a_solid_line():
    lines = {"cnn": [0.8, 0.9], "svm": [0.85, 0.88], "majority": [0.1, 0.1]}
    flat = {name: [0.01, 0.01] for name in lines}
    ax = lab_plots.score_by_size(
        [100, 200],
        lines,
        flat,
        "accuracy",
        highlighted=["cnn"],
        baseline="majority",
        ax=plots.new_figure().subplots(),
    )
    styles = {bar.get_label(): bar.lines[0].get_linestyle() for bar in ax.containers}
    assert styles == {"cnn": "-", "svm": "--", "majority: 0.100": ":"}
    assert ax.get_xlabel() == "training examples"
