"""python -m benchmarks.onednn: training on the CPU with oneDNN's kernels and without them.

TensorFlow takes them by itself only on x86 processors with AVX512_VNNI or newer, and on Linux;
`dlcourse` turns them on for all x86 (see its `__init__.py`). Each training is the command that a
user types, in a process of its own; with and without take turns. A recipe whose data is not
available is left out.
"""

import argparse
import os
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

from benchmarks.recipes import ROOT, trained

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
RECIPES = {
    "digits_cnn": ["training.epochs=4"],
    "mnist_784_16_16_10_relu": ["training.epochs=2"],
    "mnist_cnn": ["training.epochs=1"],
    "mnist_fast": [],
    "mnist_best": ["training.epochs=1", "training.clean_epochs=null"],
    "mnist_lstm": ["training.epochs=1"],
}


def main() -> int:
    """Print one line per recipe: median CPU seconds without and with, and their ratio."""
    parser = argparse.ArgumentParser(description="Trainings with oneDNN and without.")
    parser.add_argument("recipes", nargs="*", help=f"of {', '.join(RECIPES)}; all if none")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(arguments.rounds):
        for name in arguments.recipes or RECIPES:
            overrides = [*RECIPES[name], "training.device=cpu"]
            for state in ("0", "1"):
                os.environ[VARIABLE] = state
                with tempfile.TemporaryDirectory() as runs:
                    config = ROOT / "configs" / f"{name}.yaml"
                    if metrics := trained(config, overrides, Path(runs, "run")):
                        times = found.setdefault(name, {"0": [], "1": []})
                        times[state].append(metrics["cpu_seconds"])
    print(f"{date.today()}, {os.cpu_count()} cores; CPU seconds of training, their median")
    print(f"{'recipe':<26}{'without':>9}{'with':>9}{'ratio':>8}")
    for name, times in found.items():
        off, on = median(times["0"]), median(times["1"])
        print(f"{name:<26}{off:>9.1f}{on:>9.1f}{off / on:>7.2f}×")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
