"""dlcourse report: all of a run on one page; calibration and the worst images."""

import re

import numpy as np
import pytest

from dlcourse import plots
from dlcourse.commands import report
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.training import train

TEXTS = {
    "images": """
dataset: {name: digits}
model: {name: cnn, filters: [4], hidden: [8]}
training: {epochs: 2, batch_size: 64}
""",
    "numbers": """
dataset: {name: diabetes}
model: {name: linear_regression}
training: {epochs: 3, batch_size: 32, learning_rate: 0.01}
""",
    "rows": """
dataset: {name: iris}
model: {name: softmax_regression}
training: {epochs: 3, batch_size: 32, learning_rate: 0.01}
""",
}
FIGURES = {
    "images": ["learning-curves", "confusion", "most-confused", "highest-loss", "calibration"],
    "numbers": ["learning-curves", "predictions"],
    "rows": ["learning-curves", "confusion", "most-confused", "calibration"],
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_report_holds_metrics_findings_figures_and_settings(kind, tmp_path, capsys):
    run = train(recipe_from_text(TEXTS[kind]), tmp_path)
    capsys.readouterr()
    assert report.main(["--run", str(run.path)]) == 0
    assert capsys.readouterr().out == f"report  {run.path / 'report.html'}\n"
    page = (run.path / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<figure id="([^"]*)">', page)
    assert found == [*FIGURES[kind], "layers"]
    assert page.count("<img alt=") == len(found)
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # it needs no other file
    assert "batch_size: " in page
    assert "&quot;backend&quot;" in page
    first = next(iter(run.metrics["test"]))
    assert f"{run.metrics['test'][first]:.4f}" in page
    assert "1. " in page or "no finding" in page


def test_a_report_goes_where_it_is_asked_and_a_wrong_run_is_one_line(tmp_path, capsys):
    run = train(recipe_from_text(TEXTS["rows"]), tmp_path)
    out = tmp_path / "new" / "iris.html"
    assert report.main(["--run", str(run.path), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert report.main(["--run", str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_calibration_error_is_the_mean_gap_between_sure_and_right():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    # two of 0.95, both right: gap 0.05; two of 0.65, one right: gap 0.15
    assert plots.calibration_bins(y, p) == [
        (pytest.approx(0.65), 0.5, 2),
        (pytest.approx(0.95), 1.0, 2),
    ]
    assert plots.calibration_error(y, p) == pytest.approx(0.1)
    ax = plots.calibration(y, p, ax=plots.new_figure().subplots())
    assert "0.100" in ax.get_title()


def test_the_worst_images_come_first_with_what_was_said():
    images = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((3, 4, 4, 1))
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    axes = plots.highest_loss(
        images, np.array([1, 1, 0]), p, ["cat", "dog"], count=3, figure=plots.new_figure()
    )
    assert [ax.get_title() for ax in axes] == ["dog, said cat\n0.90", "cat\n0.60", "dog\n0.80"]
