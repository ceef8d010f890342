"""dlcourse report: all of a run on one page, to read offline, on a phone or on paper."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, run_command, split_table, write
from dlcourse.quiet import import_keras

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.datasets import Dataset
    from dlcourse.lab.diagnosis import Finding
    from dlcourse.lab.diagnosis.examination import Examination
    from dlcourse.pictures.pages import Picture
    from dlcourse.runs import Run

PAGE = "report.html"


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse report",
        description="Write one HTML file with a run's metrics, findings, figures and settings.",
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--out", metavar="FILE", help=f"where to write (default: {PAGE} in the run's folder)"
    )
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import make_folder, read_run, write_text

    run = read_run(arguments.run)
    run.file("model.keras")
    out = Path(arguments.out).expanduser() if arguments.out else run.path / PAGE
    import_keras()
    from dlcourse.lab.diagnosis import diagnose_evidence
    from dlcourse.lab.diagnosis.examination import examine
    from dlcourse.pictures.figures import png
    from dlcourse.pictures.pages import page

    found = examine(run)
    findings = diagnose_evidence(found.evidence)
    pictures = [(one, png(one.figure)) for one in _pictures(run, found, findings)]
    facts = _facts(run, findings, found.note)
    recipe = run.file("recipe.yaml").read_text(encoding="utf-8")
    content = page(run.name, facts, pictures, [("Recipe", recipe), ("Ran on", _environment(run))])
    make_folder(out.parent)
    write_text(out, content)
    write(f"report  {out}")
    return 0


def _facts(run: "Run", findings: "list[Finding]", note: str) -> str:
    """Return the metrics of every split, the cost, and the findings in words."""
    metrics = run.metrics
    parts = [part for part in ("train", "val", "test") if part in metrics]
    sizes = {part: run.facts.examples.get(part, 0) for part in parts}
    lines = [
        f"data        {run.facts.name}: {run.facts.task}",
        f"parameters  {metrics['parameters']:,}",
        f"epochs      {metrics['epochs_run']}",
        "",
        split_table(metrics, sizes),
    ]
    told = [f"{number}. {finding}" for number, finding in enumerate(findings, 1)]
    return "\n".join([*lines, "", *([note] if note else []), *(told or ["no finding"])])


def _environment(run: "Run") -> str:
    import json

    return json.dumps(run.environment, indent=2, ensure_ascii=False)


def _pictures(run: "Run", found: "Examination", findings: "list[Finding]") -> Iterator["Picture"]:
    """Give the curves with their findings, the test split's pictures, and the layers."""
    from dlcourse import plots
    from dlcourse.lab import plots as lab_plots
    from dlcourse.lab.diagnosis.examination import draw_curves, layer_readings
    from dlcourse.pictures.pages import Picture

    figure = plots.new_figure()
    draw_curves(found.evidence, findings, figure)
    caption = "Loss and metrics by epoch, each finding marked where it shows first."
    yield Picture("learning-curves", caption, figure)
    if found.dataset is None:  # the user's data is not here any more
        write(f"without the test images and rows: {found.note}")
        return
    yield from _of_the_test(run, found.dataset)
    if readings := layer_readings(run, found):
        figure = plots.new_figure()
        lab_plots.layer_histograms(readings, figure=figure)
        yield Picture(
            "layers", "Each layer's activations (left) and its weights' gradients (right).", figure
        )


def _of_the_test(run: "Run", dataset: "Dataset") -> Iterator["Picture"]:
    """Give the pictures of the test split: what is confused, what is worst, how sure it is."""
    from dlcourse import plots
    from dlcourse.pictures.pages import Picture
    from dlcourse.runs.evaluation import outputs

    found = outputs(run.model, dataset.x_test)
    if dataset.task == "regression":
        figure = plots.new_figure(5, 4.4)
        plots.predicted_and_true(dataset.y_test, found, dataset.target_name, ax=figure.subplots())
        yield Picture("predictions", "Each test example's prediction over its true value.", figure)
        return
    yield from _of_classes(dataset, found)


def _of_classes(dataset: Any, found: "np.ndarray") -> Iterator["Picture"]:
    from dlcourse import plots
    from dlcourse.pictures.pages import Picture

    y, names = dataset.y_test, dataset.class_names
    images = dataset.x_test if dataset.x_test.ndim == 4 else None
    predicted = found.argmax(axis=1)
    figure = plots.new_figure(5.4, 4.6)
    plots.confusion_matrix(y, predicted, names, ax=figure.subplots())
    yield Picture("confusion", "How often each true class was taken for each other.", figure)
    figure = plots.new_figure()
    plots.most_confused(y, predicted, names, images, figure=figure)
    yield Picture("most-confused", "The pairs of classes that are confused most often.", figure)
    if images is not None:
        figure = plots.new_figure()
        plots.highest_loss(images, y, found, names, figure=figure)
        yield Picture(
            "highest-loss",
            "The test images whose true class got the least probability: the true class, what the "
            "network said, and how sure it was.",
            figure,
        )
    figure = plots.new_figure(4.8, 4.4)
    plots.calibration(y, found, ax=figure.subplots())
    yield Picture(
        "calibration",
        "How often the predicted class is right over how sure the network was; on the line it is "
        "as sure as it is right.",
        figure,
    )
