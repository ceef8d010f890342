"""python -m benchmarks.time_to_accuracy: 99% on MNIST by `mnist_fast` beside keras-io's example.

The example is `mnist_convnet` as its page describes it: Conv 32, pool, Conv 64, pool, dropout 0.5,
softmax; Adam, batches of 128, a tenth held out. Its epochs and whole trainings of the recipe take
turns in one process. What counts are the CPU seconds (of all threads) and the seconds of `fit`:
compiling and each one's own validation are in them, the test evaluation is not. The example trains
until its first epoch of 99.0% on the test split, the recipe to its end.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from statistics import median
from typing import Any

import numpy as np

from benchmarks.recipes import ROOT, machine
from dlcourse.quiet import import_keras

RESULTS = ROOT / "benchmarks" / "time_to_accuracy.json"
RECIPE = ROOT / "configs" / "mnist_fast.yaml"
LEVEL, MOST_EPOCHS, VALIDATION = 0.99, 20, 6000
EPOCHS_BETWEEN = 4  # epochs of the example between two trainings of the recipe


def main() -> int:
    """Train both in turn, print each result and the ratio, write the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--example-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    import_keras()
    from dlcourse.configuration.recipe import load_recipe

    dataset = load_recipe(RECIPE).load_dataset()
    recipe_runs = fast_trainings(arguments.seeds)
    examples, fast = [], []
    for seed in arguments.example_seeds:
        for result in example_epochs(dataset, seed):
            tell("example", result)
            if result["epoch"] % EPOCHS_BETWEEN == 0:
                fast += take(recipe_runs)
        examples.append(result)
    while more := take(recipe_runs):
        fast += more
    found = summary(examples, fast)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps({key: found[key] for key in ("example", "mnist_fast", "ratio")}, indent=2))
    return 0


def example_epochs(dataset: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Train the example; give its state after every epoch, up to the first of 99.0%."""
    import keras

    x = np.concatenate([dataset.x_train, dataset.x_val]).astype("float32") / 255
    y = np.eye(10)[np.concatenate([dataset.y_train, dataset.y_val])]
    held_out = (x[-VALIDATION:], y[-VALIDATION:])
    keras.utils.set_random_seed(seed)
    model = example()
    wall = cpu = 0.0
    for epoch in range(1, MOST_EPOCHS + 1):
        start = time.perf_counter(), time.process_time()
        model.fit(
            x[:-VALIDATION], y[:-VALIDATION], batch_size=128, validation_data=held_out, verbose=0
        )
        wall, cpu = wall + time.perf_counter() - start[0], cpu + time.process_time() - start[1]
        outputs = model.predict(dataset.x_test.astype("float32") / 255, batch_size=1000, verbose=0)
        accuracy = float((outputs.argmax(axis=1) == dataset.y_test).mean())
        yield result(epoch, seed, accuracy, wall, cpu)
        if accuracy >= LEVEL:
            return


def example() -> Any:
    """Return keras-io's `mnist_convnet`, compiled."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def fast_trainings(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """Train the recipe as `dlcourse train` does, once per seed; yield what each run reached."""
    from dlcourse.configuration.recipe import load_recipe
    from dlcourse.training import train

    for seed in seeds:
        with tempfile.TemporaryDirectory() as runs:
            found = train(load_recipe(RECIPE, [f"seed={seed}"]), runs, bar=False).metrics
        accuracy = found["test"]["accuracy"]
        yield result(found["epochs_run"], seed, accuracy, found["seconds"], found["cpu_seconds"])


def take(trainings: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the next training's result, told; nothing where none is left."""
    for found in trainings:
        tell("mnist_fast", found)
        return [found]
    return []


def result(epoch: int, seed: int, accuracy: float, seconds: float, cpu: float) -> dict[str, Any]:
    """Return one row of the results."""
    spent = {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}
    return {"seed": seed, "epoch": epoch, "test_accuracy": accuracy, **spent}


def tell(name: str, row: dict[str, Any]) -> None:
    """Print one row."""
    print(
        f"{name:<11} seed {row['seed']} epoch {row['epoch']:>2}  test {row['test_accuracy']:.4f}"
        f"  {row['cpu_seconds']:7.2f} CPU-s  {row['seconds']:7.2f} s",
        flush=True,
    )


def summary(examples: list[dict[str, Any]], fast: list[dict[str, Any]]) -> dict[str, Any]:
    """Return every row, the medians and the ratios."""
    import keras

    middle = {
        name: {key: median(row[key] for row in rows) for key in ("cpu_seconds", "seconds")}
        for name, rows in (("example", examples), ("mnist_fast", fast))
    }
    reached = [row["test_accuracy"] for row in fast]
    middle["mnist_fast"] |= {
        "test_accuracy": {"min": min(reached), "median": median(reached), "max": max(reached)},
        "reached": f"{sum(value >= LEVEL for value in reached)} of {len(reached)}",
    }
    ratio = {
        key: round(middle["example"][key] / middle["mnist_fast"][key], 1)
        for key in ("cpu_seconds", "seconds")
    }
    where = {"date": date.today().isoformat(), "machine": machine(), "keras": keras.__version__}
    return {**where, **middle, "ratio": ratio, "example_runs": examples, "mnist_fast_runs": fast}


if __name__ == "__main__":
    raise SystemExit(main())
