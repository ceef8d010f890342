"""python -m benchmarks.backends: one recipe under the available backends, on a GPU or a CPU.

Each row is a training in a process of its own, with XLA (`jit_compile`) and mixed precision on and
off; the rounds go through all rows in turn. The first epoch, in which the steps are compiled, is
not counted in the speed, and one image validates. With `--targets` the time to a test accuracy is
told as well, compilation included: then the test images validate, which costs time in each epoch,
and nothing is chosen by them.

A backend in an environment of its own is named with its Python, as `jax=.venv-jax/bin/python`. JAX
without XLA runs each operation by itself and is measured on fewer images. The images are read once,
on the CPU, so that JAX needs no TensorFlow.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

CONFIG = Path(__file__).parent.parent / "configs" / "mnist_cnn.yaml"
WITHOUT_XLA = 1_000  # images for JAX, which then takes ten times as long or more for each
PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def write_images(config: str, examples: int, path: Path) -> None:
    """Write the recipe's training and test images for the processes; no GPU is taken for it."""
    from dlcourse.configuration.recipe import load_recipe
    from dlcourse.runs.environment import use_device

    use_device("cpu")
    data = load_recipe(config).load_dataset()
    rows = slice(0, examples or None)
    arrays: dict[str, Any] = {"x_train": data.x_train[rows], "y_train": data.y_train[rows]}
    np.savez(path, **arrays, x_test=data.x_test, y_test=data.y_test)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what one training reaches and takes; the backend is the environment's."""
    from benchmarks.speed import Clock
    from dlcourse.configuration.recipe import load_recipe
    from dlcourse.datasets import load_dataset
    from dlcourse.runs import create_run
    from dlcourse.runs.environment import environment
    from dlcourse.training import Fit, Watch, prepare

    settings = {
        "jit_compile": arguments.jit == ["on"],
        "mixed_precision": arguments.mixed == ["on"],
    }
    settings |= {"epochs": arguments.epochs, "device": arguments.device, "early_stopping": "null"}
    overrides = [f"training.{key}={str(value).lower()}" for key, value in settings.items()]
    recipe = load_recipe(arguments.config, overrides)
    data = load_dataset("npz", path=arguments.one)
    n = WITHOUT_XLA if arguments.backends == ["jax"] and arguments.jit == ["off"] else None
    data = replace(data, x_train=data.x_train[:n], y_train=data.y_train[:n])
    m = n if arguments.targets else 1
    data = replace(data, x_val=data.x_test[:m], y_val=data.y_test[:m])
    prepared, clock = prepare(recipe, data), Clock()
    clock.mark()
    with tempfile.TemporaryDirectory() as runs:
        fit = Fit(recipe, prepared, create_run(runs, "backends"), Watch(clock.mark))
        fit.train()
    epochs = clock.epochs()
    wall, cpu = np.median(epochs[1:], axis=0)
    where = environment()
    return {
        "device": where["device"],
        "versions": {key: where["packages"][key] for key in ("keras", arguments.backends[0])},
        "samples": len(data.x_train) / wall,
        "cpu": len(data.x_train) / cpu,
        "first": epochs[0][0],
        "accuracy": fit.progress.history["val_accuracy"],
        "seconds": np.cumsum([one for one, _ in epochs]).tolist(),
    }


def one_process(python: str, backend: str, row: tuple[str, str], given: list[str]) -> Any:
    """Return what `measure` does in a process of that backend, or why it cannot, in words."""
    command = [python, "-m", "benchmarks.backends", "--backends", backend, *given]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [*command, "--jit", row[0], "--mixed", row[1]],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no word"])[-1][:90]
    return json.loads(done.stdout.splitlines()[-1])


def time_to(found: list[dict[str, Any]], target: float) -> str:
    """Return the median seconds to the target and how many rounds reached it."""
    at = [next((i for i, a in enumerate(one["accuracy"]) if a >= target), None) for one in found]
    times = [one["seconds"][i] for one, i in zip(found, at, strict=True) if i is not None]
    return f"{median(times):.1f} s ({len(times)} of {len(at)})" if times else "not reached"


def show(rows: dict[tuple[str, str, str], list[Any]], targets: list[float]) -> None:
    """Print one line per row: medians, beside the first row of the table."""
    first = None
    for (backend, jit, mixed), found in rows.items():
        start = f"{backend:<12}{jit:<5}{mixed:<7}"
        if words := [one for one in found if isinstance(one, str)]:
            print(f"{start}{words[0]}")
            continue
        speed, by_cpu, begin = (
            median(one[key] for one in found) for key in ("samples", "cpu", "first")
        )
        first = first or by_cpu
        to = "".join(f"{time_to(found, target):>20}" for target in targets)
        print(f"{start}{speed:>10,.0f}{by_cpu:>14,.0f}{by_cpu / first:>7.2f}×{begin:>11.1f} s{to}")


def main() -> int:
    """Print device, date, versions and a row for each backend, XLA and precision."""
    parser = argparse.ArgumentParser(description="One recipe under the available backends.")
    parser.add_argument("--config", default=str(CONFIG), help="a recipe of images")
    parser.add_argument("--backends", nargs="+", choices=PACKAGES, default=["tensorflow", "jax"])
    parser.add_argument("--python", nargs="+", default=[], metavar="BACKEND=PYTHON")
    parser.add_argument("--jit", nargs="+", choices=["on", "off"], default=["off", "on"])
    parser.add_argument("--mixed", nargs="+", choices=["on", "off"], default=["off", "on"])
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--examples", type=int, default=0, help="training images; 0 takes all")
    parser.add_argument("--targets", type=float, nargs="+", default=[], metavar="ACCURACY")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # this process is one row
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs: 2 or more: the first is not counted")
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return 0
    pythons = dict(one.split("=", 1) for one in arguments.python)
    rows: dict[tuple[str, str, str], list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        write_images(arguments.config, arguments.examples, path)
        given = ["--one", str(path), "--config", arguments.config, "--device", arguments.device]
        given += ["--epochs", str(arguments.epochs)]
        given += ["--targets", *map(str, arguments.targets)] if arguments.targets else []
        table = list(product(arguments.backends, arguments.jit, arguments.mixed))
        for backend, *row in table * arguments.rounds:
            python = pythons.get(backend, sys.executable)
            found = one_process(python, backend, (row[0], row[1]), given)
            rows.setdefault((backend, row[0], row[1]), []).append(found)
    known = [one for found in rows.values() for one in found if isinstance(one, dict)]
    devices = ", ".join(sorted({one["device"] for one in known}))
    versions = {key: value for one in known for key, value in one["versions"].items()}
    print(f"{Path(arguments.config).stem}, {date.today()}, {devices}")
    print(", ".join(f"{key} {value}" for key, value in versions.items()))
    targets = "".join(f"{f'to {target:.1%} test':>20}" for target in arguments.targets)
    print(f"{'backend':<12}{'XLA':<5}{'mixed':<7}{'samples/s':>10}{'a CPU second':>14}"
          f"{'ratio':>8}{'first epoch':>13}{targets}")  # fmt: skip
    show(rows, arguments.targets)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
