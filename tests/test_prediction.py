"""Files that a run answers for, and the file that holds its answers."""

import csv

import numpy as np
import pytest

import dlcourse as dl
from dlcourse.commands import main
from dlcourse.errors import DatasetError, RunError


@pytest.fixture
def images(digits_run):
    return digits_run.load_dataset().x_test[:4]


def test_arrays_in_a_file_are_answered_as_arrays_in_python_are(digits_run, images, tmp_path):
    direct = [row["probabilities"] for row in dl.predict(digits_run, images)]
    np.savez(tmp_path / "a.npz", x_test=images[:3], x_val=images[3:], y_test=[1, 2, 3])
    np.savez(tmp_path / "b.npz", images[..., 0])
    np.save(tmp_path / "c.npy", images)
    for name in ("a.npz", "b.npz", "c.npy"):
        rows = dl.predict(digits_run, tmp_path / name)
        assert [row["probabilities"] for row in rows] == direct
    rows = dl.predict(digits_run, [tmp_path / "a.npz", tmp_path / "c.npy"])
    assert [row["input"] for row in rows][2:5] == [
        f"{tmp_path / 'a.npz'}: x_test[2]",
        f"{tmp_path / 'a.npz'}: x_val[0]",
        f"{tmp_path / 'c.npy'}: [0]",
    ]


def test_arrays_that_do_not_hold_inputs_are_told(digits_run, tmp_path):
    np.savez(tmp_path / "y.npz", y=[1], labels=[2])
    with pytest.raises(DatasetError, match=r"no array of inputs, .* \(it has y, labels\)"):
        dl.predict(digits_run, tmp_path / "y.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK not an archive")
    with pytest.raises(DatasetError, match=r"bad\.npz: cannot be read as arrays"):
        dl.predict(digits_run, tmp_path / "bad.npz")
    np.save(tmp_path / "wide.npy", np.zeros((2, 9, 9)))
    with pytest.raises(RunError, match=r"expected inputs of shape \(n, 8, 8, 1\), got \(2, 9, 9\)"):
        dl.predict(digits_run, tmp_path / "wide.npy")
    with pytest.raises(DatasetError, match=r"none\.npz: no such file"):
        dl.predict(digits_run, tmp_path / "none.npz")


def test_the_answers_are_written_as_csv(digits_run, images, tmp_path, capfd):
    np.save(tmp_path / "x.npy", images)
    command = ["predict", str(tmp_path / "x.npy"), "--run", str(digits_run.path)]
    assert main([*command, "--out", str(tmp_path / "answers.csv")]) == 0
    with (tmp_path / "answers.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    for row, answer in zip(written, dl.predict(digits_run, images), strict=True):
        assert row["class"] == answer["class"]
        for name, probability in answer["probabilities"].items():
            assert float(row[f"probability of {name}"]) == pytest.approx(probability, abs=1e-6)
    assert "probabilities" not in written[0]
    capfd.readouterr()
    assert main([*command, "--out", str(tmp_path / "no" / "answers.csv")]) == 1
    assert "answers.csv: cannot be written" in capfd.readouterr().err
