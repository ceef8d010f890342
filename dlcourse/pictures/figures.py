"""Figures as files: those that a training saves, and functions to write any figure."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.files import make_folder, write_file
from dlcourse.pictures.gallery import PICTURES, unsuited
from dlcourse.pictures.view import View


def save_figures(
    folder: Path,
    dataset: Any,
    history: dict[str, list[float]],
    best_epoch: int,
    predicted: np.ndarray,
) -> list[Path]:
    """Write the learning curves and the test split's pictures as PNG; return their paths.

    Args:
        folder: Folder of the files; it is created if needed.
        dataset: `Dataset` whose test split is shown.
        history: One list per metric, as Keras' `History.history`.
        best_epoch: Epoch (from 1) whose weights were kept.
        predicted: Outputs on the test split, `(n, classes)` probabilities or `(n,)` predictions.
    """
    view = View(dataset.facts, "run", None, history, best_epoch, dataset, predicted)
    return [
        save(folder / f"{picture.name.replace('-', '_')}.png", picture.figure)
        for name in ("learning-curves", "predictions", "most-confused")
        if not unsuited(name, view)
        for picture in PICTURES[name](view)
    ]


def save(path: Path, figure: Any) -> Path:
    """Write a figure as PNG, completely or not at all; create its folder; return the path."""
    make_folder(path.parent)
    write_file(path, lambda temporary: temporary.write_bytes(png(figure)))
    return path


def png(figure: Any) -> bytes:
    """Return a figure as the bytes of a PNG."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
