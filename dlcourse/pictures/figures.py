"""The figures that trainings and comparisons save."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse import plots
from dlcourse.runs import write_file


def save_figures(
    folder: Path,
    dataset: Any,
    history: dict[str, list[float]],
    best_epoch: int,
    predicted: np.ndarray,
) -> list[Path]:
    """Write the learning curves and the test split's pictures as PNG; return their paths.

    Args:
        folder: made if it is not there.
        dataset: a `Dataset`; its test split is shown.
        history: one list a metric, as Keras' `History.history`.
        best_epoch: the epoch (from 1) whose weights were kept.
        predicted: outputs on the test split, `(n, classes)` probabilities or `(n,)` predictions.
    """
    folder.mkdir(exist_ok=True)
    y = dataset.y_test

    def curves(figure: Any) -> None:
        plots.learning_curves(history, best_epoch, figure=figure)

    def regression(figure: Any) -> None:
        figure.set_size_inches(5, 4.4)
        plots.predicted_and_true(y, predicted, dataset.target_name, ax=figure.subplots())

    def confusion(figure: Any) -> None:
        figure.set_size_inches(5.4, 4.6)
        labels = predicted.argmax(axis=1)
        plots.confusion_matrix(y, labels, dataset.class_names, ax=figure.subplots())

    def confused(figure: Any) -> None:
        images = dataset.x_test if dataset.x_test.ndim == 4 else None
        labels = predicted.argmax(axis=1)
        plots.most_confused(y, labels, dataset.class_names, images, figure=figure)

    drawings = {"learning_curves": curves}
    if dataset.task == "regression":
        drawings["predicted_and_true"] = regression
    else:
        drawings |= {"confusion_matrix": confusion, "most_confused": confused}
    return [save_figure(folder / f"{name}.png", draw) for name, draw in drawings.items()]


def save_figure(path: Path, draw: Callable[[Any], Any]) -> Path:
    """Write what `draw(figure)` draws as PNG; return the path. Its folder is made if need be."""
    figure = plots.new_figure()
    draw(figure)
    return save(path, figure)


def save(path: Path, figure: Any) -> Path:
    """Write a figure as PNG, whole or not at all, in a folder made if need be; return the path."""
    path.parent.mkdir(exist_ok=True)
    write_file(path, lambda temporary: temporary.write_bytes(png(figure)))
    return path


def png(figure: Any) -> bytes:
    """Return a figure as the bytes of a PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
