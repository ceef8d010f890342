"""python -m benchmarks.photos: the recipe for one's own photos beside an SVM on pixels.

The folder has `train` and `test`, each with a folder per class. Without one, ten parts of
scikit-learn's two photographs are the classes: 75 crops of 32×32 pixels from the upper two thirds
of each part to train, 40 from its lower third to test.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean, median

import numpy as np

import dlcourse as dl

CROP = 32
EARLIER = {
    "dataset": {"name": "image_folder", "size": [64, 64]},
    "model": {"name": "cnn", "filters": [16, 32, 64], "dropout": 0.3},
    "training": {"augmentation": {"shift": 0.1, "flip": "horizontal"}},
}
"""The recipe for a folder that README.md gave before."""


def crops(folder: Path) -> None:
    """Write the crops of scikit-learn's photographs as a folder of images."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    parts = [
        part
        for photo in load_sample_images().images
        for half in np.array_split(photo, 2)
        for part in np.array_split(half, 5, axis=1)
    ]
    for number, part in enumerate(parts):
        third = len(part) * 2 // 3
        for split, piece, count in (("train", part[:third], 75), ("test", part[third:], 40)):
            place = folder / split / f"part{number:02d}"
            place.mkdir(parents=True)
            tops, lefts = (rng.integers(0, size - CROP + 1, count) for size in piece.shape[:2])
            for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
                crop = piece[top : top + CROP, left : left + CROP]
                Image.fromarray(crop).save(place / f"{index}.png")


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
    parser = argparse.ArgumentParser(description="The recipe for photos beside an SVM on pixels.")
    parser.add_argument("folder", nargs="?", type=Path, help="train and test (default: crops)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--earlier", action="store_true", help="also the recipe given before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not arguments.folder:
            crops(folder)
        print(f"SVM on pixels   {svm(folder)}", flush=True)
        print(f"photos          {measured('photos', folder, arguments.seeds)}", flush=True)
        if arguments.earlier:
            print(f"before          {measured(EARLIER, folder, arguments.seeds)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
