"""`dlcourse diagnose` as a user runs it, on trainings with a known fault."""

import json
import shutil

import numpy as np
import pytest

from dlcourse.commands import diagnose
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import DivergedError, InterruptedTraining
from dlcourse.lab import callbacks, diagnosis
from dlcourse.lab.diagnosis.examination import duplicates, examine
from dlcourse.runs import read_run
from dlcourse.training import train
from tests.test_commands import call  # noqa: F401 - a fixture
from tests.test_resume import After


def recipe(model, training, dataset="{name: points, n: 300}"):
    text = f"dataset: {dataset}\nmodel: {{name: dnn, {model}}}\ntraining: {{{training}}}\n"
    return recipe_from_text(text)


def test_a_network_of_equal_weights_is_found_and_the_cure_given(call, tmp_path):  # noqa: F811
    given = recipe("hidden: [8, 8], initializer: zeros", "epochs: 5")
    run = train(given, tmp_path, name="zeros", bar=False)
    code, out, _ = call(diagnose, "--run", run.path)
    assert code == 0
    assert "1. symmetric layers (before the first epoch)" in out
    assert "hidden_1 and hidden_2 have equal weights" in out
    assert "try       model.initializer=glorot_uniform" in out
    assert "read      slides S1, S4" in out
    assert "not learning" in out
    assert ["hidden_2", "relu"] in [line.split()[:2] for line in out.splitlines()]
    for name in ("diagnosis", "xray"):
        path = run.path / "figures" / f"{name}.png"
        assert f"figure  {path}" in out
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_findings_as_json(call, digits_run, tmp_path):  # noqa: F811
    digits_run = read_run(shutil.copytree(digits_run.path, tmp_path / "copy"))
    code, out, _ = call(diagnose, "--run", digits_run.path, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["run"] == str(digits_run.path)
    assert {finding["name"] for finding in found["findings"]} <= {
        "good_fit",
        "under_fitting",
        "learning_rate_too_small",
    }
    assert [layer["name"] for layer in found["xray"]["0"]] == ["hidden_1", "logits"]
    assert "3" in found["xray"]
    assert diagnosis.diagnose(digits_run, classes=10)  # a Run is read as its history is


def test_a_recorded_xray_is_read_instead_of_a_new_probe(tmp_path):
    given = recipe("hidden: [8]", "epochs: 2")
    read, note, _ = examine(
        train(given, tmp_path, name="recorded", bar=False, callbacks=[callbacks.xray()])
    )
    assert list(read.xray) == [0, 1, 2]
    assert note == ""


def test_a_diverged_run_is_told_to_lower_its_learning_rate(call, tmp_path):  # noqa: F811
    given = recipe("hidden: [16, 16]", "epochs: 3, learning_rate: 1.0e+30, optimizer: {name: sgd}")
    with pytest.raises(DivergedError):
        train(given, tmp_path, name="diverged", bar=False)
    code, out, _ = call(diagnose, "--run", tmp_path / "diverged")
    assert code == 0
    assert "1. learning rate too large" in out
    assert "try       training.learning_rate=1e+29" in out


def test_an_interrupted_run_is_read_as_far_as_it_is(call, tmp_path):  # noqa: F811
    with pytest.raises(InterruptedTraining):
        train(recipe("hidden: [8]", "epochs: 9"), tmp_path, name="part", bar=False, stop=After(6))
    code, out, _ = call(diagnose, "--run", tmp_path / "part")
    assert code == 0
    assert "note    the training is not finished: its curves so far are used" in out
    assert "early stop" not in out


def test_without_its_data_a_run_is_read_from_its_curves(call, tmp_path):  # noqa: F811
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2)).astype("float32"), rng.integers(0, 2, 200)
    path = tmp_path / "data.npz"
    np.savez(path, x_train=x, y_train=y)
    given = recipe("hidden: [4]", "epochs: 6", f"{{name: npz, path: '{path}'}}")
    run = train(given, tmp_path, name="npz", bar=False)
    path.rename(tmp_path / "elsewhere.npz")
    code, out, _ = call(diagnose, "--run", run.path)
    assert code == 0
    assert "note    without the data there is no X-ray" in out
    assert "xray.png" not in out
    np.savez(path, x_train=x + 1, y_train=y)
    code, out, _ = call(diagnose, "--run", run.path)
    assert code == 0
    assert "no X-ray" in out
    assert "the data has changed: no example of the train split is left" in out


def test_duplicates_are_the_larger_share_of_the_two_splits():
    class Splits:
        x_train, x_val, x_test = (np.array(rows) for rows in ([[1], [2]], [[1], [3]], [[3], [4]]))
        y_train, encoding = np.array([0, 1]), {}

    assert duplicates(Splits()) == 0.5


def test_a_wrong_run_is_one_line_and_2(call, tmp_path):  # noqa: F811
    code, out, err = call(diagnose, "--run", tmp_path / "none")
    assert (code, out) == (2, "")
    assert err.startswith(f"{tmp_path / 'none'}: no such run")
    code, _, err = call(diagnose, "--run", tmp_path)
    assert (code, err) == (2, f"{tmp_path}: is not a run: it has no recipe.yaml\n")


def test_a_run_must_be_named(call):  # noqa: F811
    code, _, err = call(diagnose)
    assert code == 2
    assert "--run" in err
