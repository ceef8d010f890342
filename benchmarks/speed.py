"""python -m benchmarks.speed: a recipe's training beside plain Keras, interleaved in one process.

Three ways train the same network on the same MNIST images with batches of 128, in turn, round
after round; the first epoch of each fit (tracing) is not counted:

- plain    a hand-written Keras model, float32 arrays, `model.fit(x, y, batch_size=128)`
- raw      the recipe's compiled model, `model.fit(x, y, batch_size=128)` with validation
- dlcourse the recipe's compiled model through `dlcourse.training.fit`: its own batches, callbacks
           and files, with validation

`plain` has no validation, so dlcourse beside plain is counted without it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import layers

from dlcourse.configuration.recipe import Recipe, load_recipe
from dlcourse.datasets import Dataset
from dlcourse.runs import create_run
from dlcourse.training import Fit, Watch, prepare

CONFIGS = Path(__file__).parent.parent / "configs"
BATCH = 128


def plain_dense() -> keras.Model:
    """Return 784-16-16-10 as a course writes it."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def plain_cnn() -> keras.Model:
    """Return the network of configs/mnist_cnn.yaml as a course writes it."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Clock(keras.callbacks.Callback):
    """Wall and CPU seconds of every epoch but the first, from begin to begin of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[tuple[float, float]] = []

    def mark(self, *_: Any) -> None:
        """Note the time."""
        self.marks.append((time.perf_counter(), time.process_time()))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Note the time, as Keras calls it."""
        self.mark()

    def epochs(self) -> list[tuple[float, float]]:
        """Return (wall, CPU) seconds between the marks."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        return [(b[0] - a[0], b[1] - a[1]) for a, b in pairs]


def fit_plain(make: Callable[[], keras.Model], dataset: Dataset, epochs: int) -> Clock:
    """Train the hand-written model on float32 arrays."""
    clock = Clock()
    x = dataset.x_train.astype("float32") / 255
    model: Any = make()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    y = dataset.y_train
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[clock])
    return clock


def fit_raw(recipe: Recipe, dataset: Dataset, epochs: int) -> Clock:
    """Train the recipe's compiled model by Keras' own `fit`."""
    clock = Clock()
    prepare(recipe, dataset).whole.fit(
        dataset.x_train,
        dataset.y_train,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(dataset.x_val, dataset.y_val),
        validation_batch_size=256,
        verbose=0,
        callbacks=[clock],
    )
    return clock


def fit_dlcourse(recipe: Recipe, dataset: Dataset, _: int) -> Clock:
    """Train as the command does: batches, callbacks, history file."""
    clock = Clock()
    prepared = prepare(recipe, dataset)
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(folder, "speed")
        Fit(recipe, prepared, run, Watch(clock.mark)).train()
    return clock


def main() -> int:
    """Print samples per second, CPU seconds and ratios of the medians."""
    parser = argparse.ArgumentParser(description="A recipe beside plain Keras.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--examples", type=int, default=54_000)
    parser.add_argument("--network", choices=["dense", "cnn"], default="dense")
    arguments = parser.parse_args()
    name = {"dense": "mnist_784_16_16_10_relu", "cnn": "mnist_cnn"}[arguments.network]
    make = {"dense": plain_dense, "cnn": plain_cnn}[arguments.network]
    recipe = load_recipe(
        CONFIGS / f"{name}.yaml", [f"training.epochs={arguments.epochs}", "training.batch_size=128"]
    )
    dataset = recipe.load_dataset()
    n = arguments.examples
    dataset = replace(dataset, x_train=dataset.x_train[:n], y_train=dataset.y_train[:n])
    without = replace(dataset, x_val=dataset.x_val[:1], y_val=dataset.y_val[:1])
    ways: dict[str, Callable[[], Clock]] = {
        "plain": lambda: fit_plain(make, dataset, arguments.epochs),
        "dlcourse": lambda: fit_dlcourse(recipe, without, arguments.epochs),
        "raw, validation": lambda: fit_raw(recipe, dataset, arguments.epochs),
        "dlcourse, validation": lambda: fit_dlcourse(recipe, dataset, arguments.epochs),
    }
    prepare(recipe)  # imports and one-time start are not measured
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way, run in ways.items():
            times[way] += run().epochs()
    middle = {way: np.median(found, axis=0) for way, found in times.items()}
    print(f"{name}, {len(dataset.x_train):,} examples, batches of {BATCH}, keras {keras.version()}")
    for way, (wall, cpu) in middle.items():
        rate = len(dataset.x_train) / wall
        print(f"{way:<22}{rate:>10,.0f} samples/s{wall:>9.3f} s{cpu:>9.3f} CPU-s an epoch")
    speed = middle["plain"] / middle["dlcourse"]
    print(f"dlcourse beside plain: {speed[0]:.2f}× samples/s, {speed[1]:.2f}× less CPU")
    per_round = [
        ours[0] / theirs[0] - 1
        for ours, theirs in zip(
            times["dlcourse, validation"], times["raw, validation"], strict=True
        )
    ]
    print(f"overhead over raw fit: {median(per_round):+.1%} of an epoch (median of pairs)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
