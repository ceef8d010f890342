"""Pictures of a run by the lab: curves with findings, layers, faithfulness of maps."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcourse import visualizers
from dlcourse.errors import UserError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.diagnosis import diagnose_evidence
from dlcourse.lab.diagnosis.examination import Examination
from dlcourse.lab.diagnosis.xray import read_layers
from dlcourse.lab.faithfulness.attention import attention_report
from dlcourse.lab.faithfulness.randomization import INSENSITIVE
from dlcourse.pictures.figures import save
from dlcourse.pictures.view import Picture, View, drawn_by
from dlcourse.runs import Run

CHECKED_METHODS = (
    "saliency", "gradient_times_input", "integrated_gradients", "guided_backpropagation",
    "class_activation_map", "grad_cam", "layer_cam", "eigen_cam",
)  # fmt: skip
CHECKED_IMAGES = 100


def learning_curves(view: View) -> Iterator[Picture]:
    """Loss and metric by epoch, with the findings."""
    evidence = view.examined.evidence
    history = {key: list(values) for key, values in evidence.history.items()}
    marked = [(finding.title, finding.epoch) for finding in diagnose_evidence(evidence)]
    figure = drawn_by(lab_plots.diagnosed_curves, history, marked)
    caption = "Loss and metrics by epoch, each finding marked where it shows first."
    yield Picture("learning-curves", "Learning curves", caption, figure)


def layers(view: View) -> Iterator[Picture]:
    """Activations and gradients of each layer of the kept model on real examples."""
    if view.model is None or view.dataset is None or not view.examined.evidence.xray:
        return
    readings = read_layers(view.model, view.dataset.x_train, view.dataset.y_train)
    figure = drawn_by(lab_plots.layer_histograms, readings)
    caption = "Each layer's activations (left) and its weights' gradients (right)."
    yield Picture("layers", "Activations and gradients", caption, figure)


def check(view: View) -> Iterator[Picture]:
    """Whether the maps are faithful: deletion and insertion, random weights, known boxes."""
    methods = [name for name in CHECKED_METHODS if _suits(name, view)]
    report = attention_report(view.model, view.dataset, methods, images=CHECKED_IMAGES)
    rows = report.rows
    if report.names:
        hits, size = {row.method: row.hits for row in rows}, (6.4, 0.42 * len(rows) + 1.4)
        figure = drawn_by(lab_plots.pointing_table, hits, report.names, size=size)
        caption = f"Where each map has its largest value: {report.verdict.splitlines()[0]}."
        yield Picture("check-pointing", "Where the maps point", caption, figure)
    curves = {row.method: (row.deletion, row.insertion) for row in rows}
    figure = drawn_by(lab_plots.deletion_and_insertion, curves)
    caption = (
        "The class probability as pixels are removed, and inserted, in the order of each map: for "
        "a faithful map it falls fast and rises fast."
    )
    yield Picture("check-curves", "Are the maps faithful?", caption, figure, str(report))
    correlations, random = report.randomization.correlations, report.randomization.layers
    size = (7.2, 0.5 * len(correlations) + 1.6)
    figure = drawn_by(lab_plots.randomization_bars, correlations, random, INSENSITIVE, size=size)
    caption = (
        "How similar each map stays when the layers get random weights, from the output backwards: "
        "a map that does not change does not show what the network has learned."
    )
    yield Picture("check-randomisation", "Do the maps depend on the weights?", caption, figure)


def _suits(method: str, view: View) -> bool:
    image = np.asarray(view.dataset.x_test[:1])
    try:
        visualizers.VISUALIZERS[method](view.model, image, [0])
    except UserError:
        return False
    return True


PICTURES = {"learning-curves": learning_curves, "layers": layers, "check": check}
"""Further kinds of pictures, for views with an examination."""


def save_diagnosis(run: Run, examined: Examination) -> list[Path]:
    """Write the curves with their findings and, if model and data are available, the layers."""
    model = run.model if run.finished and examined.dataset and examined.evidence.xray else None
    view = View(run.facts, run.name, model, dataset=examined.dataset, examined=examined)
    return [
        save(run.path / "figures" / f"{name}.png", picture.figure)
        for name, draw in (("diagnosis", learning_curves), ("xray", layers))
        for picture in draw(view)
    ]
