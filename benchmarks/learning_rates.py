"""python -m benchmarks.learning_rates: how good the rates are that the range test suggests.

Each recipe is trained at its own learning rate, at the suggestion (a tenth of the rate of the
lowest loss) and at the rate where the loss fell fastest; the validation split judges.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dlcourse.configuration.recipe import load_recipe
from dlcourse.errors import UserError
from dlcourse.lab.range_test import find_learning_rate, one_figure
from dlcourse.training import train

ROOT = Path(__file__).parent.parent
SMALL = ["breast_cancer_logistic", "digits_cnn", "digits_dnn", "digits_lstm", "digits_softmax"]


def main() -> int:
    """Measure the named recipes."""
    parser = argparse.ArgumentParser(description="Train at the rates that a range test finds.")
    parser.add_argument("recipes", nargs="*", default=SMALL, help="names such as digits_cnn")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| recipe | own rate | suggested | steepest |\n|---|--:|--:|--:|")
    for name in arguments.recipes:
        config, seed = ROOT / "configs" / f"{name}.yaml", f"seed={arguments.seed}"
        recipe = load_recipe(config, [seed])
        try:
            test = find_learning_rate(recipe)
        except UserError as error:
            print(f"| {name} | {error} | | |")
            continue
        rates = [recipe.training.learning_rate, test.suggestion, one_figure(test.steepest)]
        cells = [f"{rate:g}: {reached(config, seed, rate)}" for rate in rates]
        print("| " + " | ".join([name, *cells]) + " |", flush=True)
    return 0


def reached(config: Path, seed: str, rate: float) -> str:
    """Return the validation accuracy (or MAE) of a training at this rate."""
    recipe = load_recipe(config, [seed, f"training.learning_rate={rate}"])
    with tempfile.TemporaryDirectory() as runs:
        try:
            metrics = train(recipe, runs, bar=False).metrics["val"]
        except UserError:
            return "diverged"
    return f"{metrics['accuracy']:.4f}" if "accuracy" in metrics else f"{metrics['mae']:.4g}"


if __name__ == "__main__":
    raise SystemExit(main())
