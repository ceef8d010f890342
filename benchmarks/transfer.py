"""python -m benchmarks.transfer: from the digits 0-4 to 5-9, the head with and without cache.

The recipe configs/mnist_0_to_4.yaml is trained, then configs/mnist_5_to_9_transfer.yaml on it
twice, on cached features and with the frozen base in every step. The CPU seconds of the two
trainings and their weights are compared, and an SVM learns from the same features.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.svm import SVC

from dlcourse.configuration.recipe import load_recipe
from dlcourse.datasets import Dataset
from dlcourse.runs import Run
from dlcourse.training import train
from dlcourse.training.features import features

CONFIGS = Path(__file__).parent.parent / "configs"


def main() -> int:
    """Train base and heads; print what they cost and reach."""
    parser = argparse.ArgumentParser(description="Transfer from 0-4 to 5-9, with and without cache")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the transfer")
    arguments = parser.parse_args()
    recipe = load_recipe(CONFIGS / "mnist_5_to_9_transfer.yaml")
    with tempfile.TemporaryDirectory() as folder:
        base = train(load_recipe(CONFIGS / "mnist_0_to_4.yaml"), folder, name="base", bar=False)
        chosen = [f"model.base={base.path}", *arguments.overrides]
        for cached in ("true", "false"):
            more = [*chosen, f"model.cache_features={cached}"]
            recipe = load_recipe(CONFIGS / "mnist_5_to_9_transfer.yaml", more)
            train(recipe, folder, name=cached, bar=False, report=told)
        show(base, Run(Path(folder, "true")), Run(Path(folder, "false")))
        svm(Run(Path(folder, "true")), recipe.load_dataset())
    return 0


def told(line: str) -> None:
    """Print what the features cost."""
    if line.startswith("features"):
        print(line.rpartition(", kept")[0])


def show(base: Run, cached: Run, behind: Run) -> None:
    """Print the costs and the differences."""
    seconds = [run.metrics["cpu_seconds"] for run in (cached, behind)]
    weights = [run.model.get_weights() for run in (cached, behind)]
    gap = max(np.abs(a - b).max() for a, b in zip(*weights, strict=True))
    print(f"base on 0-4: test accuracy {base.metrics['test']['accuracy']:.4f}")
    print(f"head on cached features {seconds[0]:.2f} CPU-s, {cached.metrics['epochs_run']} epochs")
    print(
        f"head behind the frozen base {seconds[1]:.2f} CPU-s: {seconds[1] / seconds[0]:.1f} times"
    )
    print(f"weights equal bit for bit: {gap == 0} (largest difference {gap:.2g})")
    print(f"test accuracy on 5-9: {cached.metrics['test']['accuracy']:.4f}")


def svm(run: Run, data: Dataset) -> None:
    """Print what an SVM makes of the same features."""
    rows = features(run.model, "features", data.x_train)
    start = time.process_time()
    learned = SVC().fit(rows, data.y_train)
    seconds = time.process_time() - start
    share = learned.score(features(run.model, "features", data.x_test), data.y_test)
    print(f"SVM on the same features: {share:.4f}, {seconds:.1f} CPU-s to fit")


if __name__ == "__main__":
    raise SystemExit(main())
