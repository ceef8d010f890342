"""python -m benchmarks.photos: the recipes for one's own photos beside an SVM on pixels.

The folder has `train` and `test`, each with a folder per class. Without one, twenty parts of
scikit-learn's two photographs are the classes, cut into tiles of 16×16 pixels that do not overlap:
of each part 70 to train (`--per-class` for fewer) and 30 to test, at random.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean, median

import numpy as np

import dlcourse as dl

SIDE = 16
EARLIER = {
    "dataset": {"name": "image_folder", "size": [64, 64]},
    "model": {"name": "cnn", "filters": [16, 32, 64], "dropout": 0.3},
    "training": {"augmentation": {"shift": 0.1, "flip": "horizontal"}},
}
"""The recipe for a folder that README.md gave before."""


def tiles(folder: Path, per_class: int = 70) -> None:
    """Write the tiles of scikit-learn's photographs as a folder of images."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    halves = [half for photo in load_sample_images().images for half in np.array_split(photo, 2)]
    parts = [part for half in halves for part in np.array_split(half, 5, axis=1)]
    for number, part in enumerate(parts):
        rows, columns = (size // SIDE for size in part.shape[:2])
        for index, place in enumerate(rng.permutation(rows * columns)[:100]):
            if per_class <= index < 70:
                continue
            top, left = (SIDE * int(at) for at in divmod(place, columns))
            at = folder / ("train" if index < 70 else "test") / f"part{number:02d}"
            at.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part[top : top + SIDE, left : left + SIDE]).save(at / f"{index}.png")


def measured(recipe: dict | str, folder: Path, seeds: list[int]) -> str:
    """Return the test accuracies of a recipe over the seeds, and its CPU seconds."""
    path = f"dataset.path={folder}"
    runs = [
        dl.fit(recipe, path, f"seed={seed}", runs=None, verbose=False).metrics for seed in seeds
    ]
    scores = [run["test"]["accuracy"] for run in runs]
    seconds = median(run["cpu_seconds"] for run in runs)
    each = ", ".join(f"{score:.3f}" for score in scores)
    return f"{mean(scores):.3f} ({each}), {seconds:.0f} CPU-s"


def svm(folder: Path) -> str:
    """Return the test accuracy of scikit-learn's SVM on the pixels, and its CPU seconds."""
    from sklearn.svm import SVC

    data = dl.load_dataset("image_folder", folder, size="auto")
    rows = [np.reshape(x, (len(x), -1)) / 255 for x in (data.x_train, data.x_test)]
    start = time.process_time()
    score = SVC().fit(rows[0], data.y_train).score(rows[1], data.y_test)
    return f"{score:.3f}, {time.process_time() - start:.0f} CPU-s"


def main() -> int:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description="The recipes for photos beside an SVM on pixels.")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="train and test (default: tiles of photographs)"
    )
    parser.add_argument("--per-class", type=int, default=70, help="tiles of a class to train")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--earlier", action="store_true", help="also the recipe given before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not arguments.folder:
            tiles(folder, arguments.per_class)
        print(f"SVM on pixels   {svm(folder)}", flush=True)
        for recipe in ("photos", "photos_transfer"):
            print(f"{recipe:<16}{measured(recipe, folder, arguments.seeds)}", flush=True)
        if arguments.earlier:
            print(f"before          {measured(EARLIER, folder, arguments.seeds)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
