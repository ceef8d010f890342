"""A model that is not the one the run saved is refused in one line and never executed."""

import shutil

import numpy as np
import pytest

from dlcourse.commands import evaluate, predict
from dlcourse.errors import RunError
from dlcourse.runs import read_run, sha256, write_sealed


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of a finished run that may be damaged."""
    shutil.copytree(digits_run.path, tmp_path / "run")
    return read_run(tmp_path / "run")


def lambda_model(path):
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(path)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign", "lambda", "text"])
def test_a_changed_model_is_one_line_for_every_command(damage, run, tmp_path, capfd):
    path = run.path / "model.keras"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-100])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("hello")
    elif damage == "lambda":
        lambda_model(path)
    else:
        import keras

        keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]).save(path)
    with pytest.raises(RunError, match="is not the model that this run saved"):
        _ = read_run(run.path).model
    np.save(tmp_path / "a.npy", np.zeros(1))
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for command, arguments in [(evaluate, []), (predict, [str(tmp_path / "a.png")])]:
        assert command.main(["--run", str(run.path), *arguments]) == 2
        err = capfd.readouterr().err
        assert err.count("\n") == 1
        assert "File not found" not in err


def test_a_model_with_code_is_not_executed_even_if_its_sum_is_right(run):
    lambda_model(run.path / "model.keras")
    record = {**run.metrics, "model_sha256": sha256(run.path / "model.keras")}
    write_sealed(run.path / "metrics.json", record)
    with pytest.raises(RunError, match="the model cannot be loaded") as caught:
        _ = read_run(run.path).model
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("metrics.json", lambda run: run.metrics),
        ("dataset.json", lambda run: run.facts),
        ("environment.json", lambda run: run.environment),
        ("recipe.yaml", lambda run: run.file("recipe.yaml")),
    ],
)
def test_a_changed_digit_is_told(name, read, run):
    text = (run.path / name).read_text()
    (run.path / name).write_text(text[::-1].replace("1", "2", 1)[::-1])
    with pytest.raises(RunError, match=f"{name}: was damaged or changed since this run wrote it"):
        read(read_run(run.path))


def test_a_damaged_history_is_told(run):
    (run.path / "history.csv").write_text("epoch,loss\n1,x\n")
    with pytest.raises(RunError, match=r"history\.csv: is broken"):
        _ = read_run(run.path).history


def test_the_recorded_sum_is_that_of_the_file(digits_run):
    import hashlib

    content = (digits_run.path / "model.keras").read_bytes()
    assert digits_run.metrics["model_sha256"] == hashlib.sha256(content).hexdigest()
