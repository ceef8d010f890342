"""Ensembles: keyed members, each a run of its own, and one ordinary model of them all."""

import signal

import numpy as np
import pytest

from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import load_dataset
from dlcourse.errors import DivergedError, InterruptedTraining, RecipeError
from dlcourse.models import build_model, ensemble
from dlcourse.runs import Run, read_run
from dlcourse.runs.evaluation import evaluate, outputs
from dlcourse.training import StopRequest, resume, train


def recipe(members=2, dataset="digits", shifts=0, **training):
    return Recipe.model_validate(
        {
            "seed": 5,
            "dataset": {"name": dataset},
            "model": {"name": "dnn", "hidden": [8], "dropout": 0.2},
            "training": {"epochs": 2, "deterministic": True, "steps_per_execution": 2, **training},
            "ensemble": {"members": members, "shifts": shifts},
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(recipe(), tmp_path_factory.mktemp("runs"), name="e", bar=False)


def members(run):
    return [read_run(run.path / "members" / number) for number in ("1", "2")]


class After(StopRequest):
    """Asks to stop once it has been looked at `times` times."""

    def __init__(self, times):
        self.times = times

    @property
    def signal(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        self.times -= 1
        return signal.SIGTERM if self.times < 0 else None


@pytest.mark.parametrize(
    ("dataset", "model"),
    [
        ("digits", "softmax_regression"),
        ("breast_cancer", "logistic_regression"),
        ("breast_cancer", "softmax_regression"),
        ("diabetes", "dnn"),
    ],
)
def test_an_ensemble_answers_with_the_mean_and_is_saved_whole(dataset, model, tmp_path):
    import keras

    data = load_dataset(dataset)
    parts = [build_model(model, data) for _ in range(3)]
    x = data.x_test[:20]
    mean = np.mean([part.predict(x, verbose=0) for part in parts], axis=0)
    whole = ensemble(parts)
    whole.save(tmp_path / "whole.keras")
    for found in (whole, keras.saving.load_model(tmp_path / "whole.keras")):
        # float32
        np.testing.assert_allclose(found.predict(x, verbose=0), mean, rtol=1e-4, atol=1e-6)
    assert whole.output.dtype == "float32"
    ends = ["prediction"] if data.task == "regression" else ["logits", "probabilities"]
    assert [layer.name for layer in whole.layers][-len(ends) :] == ends
    assert whole.count_params() == 3 * parts[0].count_params()


@pytest.mark.parametrize("dataset", ["digits", "planted"])
def test_shifted_views_count_alike_and_repeat_the_rim(dataset, tmp_path):
    import keras

    data = load_dataset(dataset)
    parts = [build_model("cnn", data, filters=[4], hidden=[]) for _ in range(2)]
    x = data.x_test[:20]
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "edge")
    height, width = x.shape[1:3]
    views = [padded[:, i : i + height, j : j + width] for i in range(5) for j in range(5)]
    mean = np.mean([part.predict(view, verbose=0) for part in parts for view in views], axis=0)
    whole = ensemble(parts, shifts=2)
    whole.save(tmp_path / "whole.keras")
    for found in (whole, keras.saving.load_model(tmp_path / "whole.keras")):
        # float32
        np.testing.assert_allclose(found.predict(x, verbose=0), mean, rtol=1e-4, atol=1e-6)
    assert whole.count_params() == 2 * parts[0].count_params()


def test_pictures_of_shifted_views_are_of_the_image_as_it_is(tmp_path):
    import keras

    from dlcourse.visualizers import feature_maps

    data = load_dataset("digits")
    alone = build_model("cnn", data, filters=[4], hidden=[])
    whole = ensemble([alone, build_model("cnn", data, filters=[4])], shifts=2)
    whole.save(tmp_path / "whole.keras")
    x = data.x_test[:2]
    expected = feature_maps(alone, x, "conv_1")["conv_1"]
    for found in (whole, keras.saving.load_model(tmp_path / "whole.keras")):
        maps = feature_maps(found, x, "member_1/conv_1")["member_1/conv_1"]
        np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)


def test_one_network_that_sees_shifts_is_trained_as_it_is_alone(tmp_path, capsys):
    from dlcourse.commands import diagnose, evaluate, export
    from dlcourse.commands.train import result_table

    one = recipe(1, shifts=1)
    run = train(one, tmp_path, name="views", bar=False)
    alone = train(one.model_copy(update={"ensemble": None}), tmp_path, name="alone", bar=False)
    member = read_run(run.path / "members" / "1")
    assert member.metrics["test"] == alone.metrics["test"] != run.metrics["test"]
    assert run.metrics["parameters"] == alone.metrics["parameters"]
    x = load_dataset("digits", 5).x_test
    expected = ensemble([alone.model], 1).predict(x, verbose=0)
    np.testing.assert_array_equal(run.model.predict(x, verbose=0), expected)
    assert run.metrics["members"]["standard_deviation"] is None
    accuracy = f"unshifted   test accuracy {member.metrics['test']['accuracy']:.4f}\n"
    assert accuracy in result_table(run)
    assert evaluate.main(["--run", str(run.path)]) == 0
    assert diagnose.main(["--run", str(run.path)]) == 0
    assert f"see {run.path}/members/1\n" in capsys.readouterr().out
    assert export.main(["--run", str(run.path), "--to", "onnx", "litert"]) == 0


def test_rows_of_a_table_cannot_be_shifted():
    with pytest.raises(RecipeError, match=r"^'ensemble.shifts': is for images, this data is rows"):
        train(recipe(dataset="wine", shifts=1))


def test_the_logits_are_the_logarithm_of_the_mean_probability_also_where_it_underflows():
    import keras

    data = load_dataset("digits")
    parts = [build_model("softmax_regression", data) for _ in range(2)]
    for part in parts:
        part.set_weights([weight * 1000 for weight in part.get_weights()])
    whole = ensemble(parts)
    logits, probabilities = keras.Model(
        whole.inputs, [whole.get_layer(name).output for name in ("logits", "probabilities")]
    ).predict(data.x_test[:50], verbose=0)
    assert np.isfinite(logits).all()
    seen = probabilities > 1e-6
    np.testing.assert_allclose(np.exp(logits[seen]), probabilities[seen], rtol=1e-4)  # float32


def test_members_have_keyed_seeds_and_the_same_split(run):
    seeds = [recipe().of_member(number).training_seed for number in (1, 2)]
    assert seeds == [recipe(9).of_member(number).training_seed for number in (1, 2)]
    assert len({*seeds, recipe().training_seed}) == 3
    first, second = members(run)
    assert first.dataset["fingerprint"] == second.dataset["fingerprint"]
    assert first.dataset["fingerprint"] == run.dataset["fingerprint"]
    different = zip(first.model.get_weights(), second.model.get_weights(), strict=True)
    assert any((a != b).any() for a, b in different)


def test_the_metrics_tell_each_member_and_the_whole(run):
    found = run.metrics
    values = [member.metrics["test"]["accuracy"] for member in members(run)]
    assert found["members"]["metric"] == "accuracy"
    assert found["members"]["test"] == values
    assert found["members"]["mean"] == pytest.approx(np.mean(values))
    assert found["members"]["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    data = load_dataset("digits", 5)
    assert evaluate(run.model, data)[0]["test"] == found["test"]
    mean = np.mean([outputs(member.model, data.x_test) for member in members(run)], axis=0)
    np.testing.assert_allclose(outputs(run.model, data.x_test), mean, rtol=1e-4, atol=1e-6)
    both = [member.history["val_loss"] for member in members(run)]
    assert run.history["val_loss"] == pytest.approx(np.mean(both, axis=0).tolist())


def test_a_member_trained_by_itself_is_the_member_of_the_ensemble(run, tmp_path):
    alone = train(recipe().of_member(2), tmp_path, bar=False)
    for found, expected in zip(
        alone.model.get_weights(), members(run)[1].model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("looks", [3, 40, 60])
def test_an_interrupted_ensemble_ends_bit_equal(run, looks, tmp_path):
    with pytest.raises(InterruptedTraining, match=r"in member [12], .*--resume .*/part$"):
        train(recipe(), tmp_path, name="part", bar=False, stop=After(looks))
    told = []
    part = resume(Run(tmp_path / "part"), report=told.append, bar=False)
    assert "\n".join(told).count("\nprobabilities ") == 1  # the layers, once for all members
    for found, expected in zip(part.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert part.metrics["test"] == run.metrics["test"]
    assert part.history == run.history


@pytest.mark.parametrize("instant", ["before the member's recipe", "in the ensemble's end"])
def test_an_ensemble_that_crashed_ends_bit_equal(run, instant, tmp_path, monkeypatch):
    class Crash(BaseException):
        pass

    target = {
        "before the member's recipe": "dlcourse.training.prepare",
        "in the ensemble's end": "dlcourse.training.ensemble",
    }[instant]

    from dlcourse.training import prepare

    def crash(*arguments):
        if len(arguments) == 2 or "end" in instant:
            raise Crash
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(target, crash)
        with pytest.raises(Crash):
            train(recipe(), tmp_path, name="part", bar=False)
    part = resume(Run(tmp_path / "part"), bar=False)
    for found, expected in zip(part.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_member_resumes_singly(run, tmp_path):
    with pytest.raises(InterruptedTraining):
        train(recipe(), tmp_path, name="part", bar=False, stop=After(3))
    member = resume(Run(tmp_path / "part" / "members" / "1"), bar=False)
    assert member.metrics["test"] == members(run)[0].metrics["test"]


def test_an_ensemble_goes_on_for_more_epochs_with_every_member(run, tmp_path):
    short = train(recipe(epochs=1), tmp_path, name="short", bar=False)
    longer = resume(short, recipe(epochs=2), bar=False)
    for found, expected in zip(longer.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_member_that_diverges_is_named_again_when_the_ensemble_is_resumed(tmp_path):
    wild = recipe(dataset="diabetes", learning_rate=1e30, optimizer={"name": "sgd"})
    with pytest.raises(DivergedError, match="members/1: diverged"):
        train(wild, tmp_path, name="wild", bar=False)
    with pytest.raises(DivergedError, match="members/1: diverged"):
        resume(Run(tmp_path / "wild"), bar=False)


def test_one_network_is_compared_at_a_time():
    from dlcourse.lab.comparison import compare
    from dlcourse.lab.comparison.trials import recipe_trial

    with pytest.raises(
        RecipeError, match=r"'ensemble': one network is compared: give ensemble=nul"
    ):
        recipe_trial("x", recipe(), load_dataset("digits"), 1)
    trials = []
    with pytest.raises(RecipeError, match="one network is compared"):
        compare({"x": recipe()}, models=["svm"], report=trials.append)
    assert trials == []


def test_the_commands_take_an_ensemble(run, capsys):
    from dlcourse import runs
    from dlcourse.commands import diagnose, evaluate, report, train
    from dlcourse.commands.runs import main as list_runs

    assert evaluate.main(["--run", str(run.path)]) == 0
    assert f"{run.metrics['test']['accuracy']:.4f}" in capsys.readouterr().out
    assert diagnose.main(["--run", str(run.path)]) == 0
    note = f"note    an ensemble's layers are its members': see {run.path}/members/1\n"
    assert note in capsys.readouterr().out
    assert diagnose.main(["--run", str(run.path / "members" / "1")]) == 0
    assert "after epoch 2" in capsys.readouterr().out
    assert report.main(["--run", str(run.path)]) == 0
    assert list_runs(["--runs", str(run.path.parent)]) == 0
    text = train.result_table(runs.read_run(run.path))
    assert "members     test accuracy 0." in text
