"""The matrix of visualizers and models finds right values, refusals and faults."""

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the formulas use TensorFlow's gradient tape", allow_module_level=True)

from benchmarks import matrix
from dlcourse import visualizers

METHODS = ["gradient_times_input", "grad_cam", "occlusion"]


def test_a_cell_is_right_or_refused_with_the_reason(capsys):
    assert matrix.main(["--models", "CNN", "rows", "--methods", *METHODS]) == 0
    printed = capsys.readouterr().out
    assert "rows and tokens have no positions to cover" in printed
    assert "right 4, refused 2, WRONG 0, share 0.6667" in printed


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda maps: 1.002 * maps, "deviates by 0.002"),
        (lambda maps: maps[:, 1:], "shapes [(2, 15, 16)], the formula gives [(2, 16, 16)]"),
        (lambda maps: np.nan * maps, "deviates by nan"),
        (lambda maps: maps["none"], "IndexError"),
    ],
)
def test_a_wrong_map_is_a_failure(change, reason, monkeypatch, capsys):
    right = visualizers.grad_cam
    monkeypatch.setattr(
        visualizers, "grad_cam", lambda *values, **settings: change(right(*values, **settings))
    )
    assert matrix.main(["--models", "CNN", "--methods", "grad_cam"]) == 1
    printed = capsys.readouterr().out
    assert reason in printed
    assert "right 0, refused 0, WRONG 1" in printed


def test_maps_of_zeros_compare_nothing():
    zeros = [np.zeros((2, 3))]
    with pytest.raises(ValueError, match="all zeros"):
        matrix.deviation(zeros, zeros)


def test_a_map_is_wrong_where_no_formula_applies(monkeypatch, capsys):
    monkeypatch.setattr(visualizers, "rise", lambda *_, **__: np.ones((2, 8)))
    assert matrix.main(["--models", "rows", "--methods", "rise"]) == 1
    assert "a map where no formula applies" in capsys.readouterr().out
