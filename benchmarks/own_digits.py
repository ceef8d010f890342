"""python -m benchmarks.own_digits: real digits redrawn on simulated paper, and read.

Each test digit is drawn on a page of its own (`tests/paper.py`: a grey page of 640×420 pixels,
saved as JPEG) and read by a network that is trained first, or by `--run`.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import dlcourse as dl
from dlcourse.datasets.drawings import read_pictures
from dlcourse.errors import DatasetError
from dlcourse.text_table import text_table
from tests.paper import photograph

PAGES = {
    "pen, middle of the page": {"middle": True, "shadow": 0.0},
    "pen, anywhere": {"shadow": 0.0},
    "pencil, anywhere": {"tool": "pencil", "shadow": 0.0},
    "pen, light from one side": {"shadow": 0.5},
    "marker, light from one side": {"tool": "marker"},
    "60 pixels, pencil, shadow, ±10°": {"tool": "pencil", "size": 60, "angle": 10},
    "280 pixels, pen, shadow, ±10°": {"size": 280, "angle": 10},
}


def accuracies(run: dl.Run, images: np.ndarray, labels: np.ndarray, **page: Any) -> list[float]:
    """Return the accuracy of the pages as they are, inverted, and as they are prepared now."""
    rng, ways = np.random.default_rng(0), ({"as_is": True}, {"invert": True}, {})
    settings = dict(page)
    most = settings.pop("angle", 0)
    read, found = [[] for _ in ways], [[] for _ in ways]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "page.jpg"
        for image in images:
            angle = rng.uniform(-most, most)
            photograph(image[..., 0], rng, angle=angle, **settings).save(file, quality=80)
            for inputs, one, way in zip(read, found, ways, strict=True):
                try:
                    _, x, _ = read_pictures(file, run.facts, Path(folder), **way)
                except DatasetError:
                    x = np.empty(0)
                one.append(len(x) == 1)  # no digit, or several, counts as wrong
                inputs.append(x[0] if one[-1] else np.zeros(run.facts.input_shape))
    answers = [run.model.predict(np.stack(inputs), verbose=0).argmax(axis=1) for inputs in read]
    return [float(np.mean((y == labels) & one)) for y, one in zip(answers, found, strict=True)]


def main() -> int:
    """Print one row per kind of page."""
    parser = argparse.ArgumentParser(prog="benchmarks.own_digits", description=__doc__)
    parser.add_argument("--recipe", default="mnist_fast", help="recipe to train (or digits_cnn)")
    parser.add_argument("--run", help="finished run to use instead")
    parser.add_argument("--digits", type=int, default=200, help="test digits per kind of page")
    arguments = parser.parse_args()
    dl.lessons.quiet_start()
    run = (
        dl.read_run(arguments.run)
        if arguments.run
        else dl.fit(arguments.recipe, runs=None, verbose=0)
    )
    dataset = run.load_dataset()
    images, labels = (part[: arguments.digits] for part in (dataset.x_test, dataset.y_test))
    rows = [
        [name, *(f"{value:.3f}" for value in accuracies(run, images, labels, **page))]
        for name, page in PAGES.items()
    ]
    accuracy = run.metrics["test"]["accuracy"]
    sys.stdout.write(
        f"{run.facts.name}: test accuracy {accuracy:.4f}, {len(labels)} digits per row\n"
    )
    sys.stdout.write(text_table(["page", "as it is", "inverted", "now"], rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
