"""python -m benchmarks.diagnosis: short trainings with a known fault, and what is found in them.

Each training runs as `dlcourse train` runs it, and is examined as `dlcourse diagnose` does.
A scenario names the findings that its fault must show (recall), and those that follow from it or
stand beside it and are true too: these count neither for nor against. Every other finding is a
false alarm (precision). The thresholds were chosen on the seeds DEVELOPMENT; REPORTED alone are
in benchmarks/diagnosis.json and the table of benchmarks/README.md.
"""

import argparse
import contextlib
import json
import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "diagnosis.json"
TABLE = re.compile(r"(<!-- diagnosis -->\n).*?(<!-- /diagnosis -->)", re.DOTALL)
DEVELOPMENT, REPORTED = (0, 1, 100, 101), (2, 3)

Arrays = dict[str, np.ndarray]
Change = Callable[[Arrays, np.random.Generator], Arrays]


@dataclass(frozen=True)
class Scenario:
    """A training with a known fault.

    Attributes:
        expected: Findings that must be reported.
        allowed: Further findings that are true.
        dataset, model, training: Settings of the recipe.
        change: Function that alters the data set's arrays before the training.
        damage: Function that alters the untrained model.
    """

    expected: tuple[str, ...]
    dataset: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    change: Change | None = None
    damage: Callable[[Any], None] | None = None


def shuffled_labels(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    """Every label of training and validation drawn from another example."""
    y = {part: rng.permutation(arrays[f"y_{part}"]) for part in ("train", "val")}
    return {**arrays, "y_train": y["train"], "y_val": y["val"]}


def noisy_labels(share: float, parts: tuple[str, ...] = ("train", "val")) -> Change:
    """A share of the labels drawn at random from the other classes."""

    def change(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        classes, changed = int(arrays["y_train"].max()) + 1, dict(arrays)
        for part in parts:
            y = arrays[f"y_{part}"].copy()
            wrong = rng.random(len(y)) < share
            y[wrong] = (y[wrong] + rng.integers(1, classes, wrong.sum())) % classes
            changed[f"y_{part}"] = y
        return changed

    return change


def fewer(n: int) -> Change:
    """A training split of n examples, as many of each class; the rest goes to validation."""

    def change(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        y = arrays["y_train"]
        classes = np.unique(y)
        each = max(1, n // len(classes))
        kept = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:each] for c in classes])
        rest = np.setdiff1d(np.arange(len(y)), kept)
        return {
            **arrays,
            "x_train": arrays["x_train"][kept],
            "y_train": y[kept],
            "x_val": np.concatenate([arrays["x_val"], arrays["x_train"][rest]]),
            "y_val": np.concatenate([arrays["y_val"], y[rest]]),
        }

    return change


def rare(ratio: float) -> Change:
    """Class 0 keeps one example of `ratio` in every split."""

    def change(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        changed = dict(arrays)
        for part in ("train", "val", "test"):
            y = arrays[f"y_{part}"]
            of_class = rng.permutation(np.flatnonzero(y == 0))
            dropped = of_class[max(1, round(len(of_class) / ratio)) :]
            kept = np.setdiff1d(np.arange(len(y)), dropped)
            changed |= {f"{axis}_{part}": arrays[f"{axis}_{part}"][kept] for axis in "xy"}
        return changed

    return change


def duplicated(share: float) -> Change:
    """A share of the validation and test examples replaced by training examples."""

    def change(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        changed = {key: value.copy() for key, value in arrays.items()}
        for part in ("val", "test"):
            n = len(arrays[f"y_{part}"])
            places = rng.permutation(n)[: round(share * n)]
            labels = arrays[f"y_{part}"][places]
            rows = [rng.choice(np.flatnonzero(arrays["y_train"] == label)) for label in labels]
            for axis in "xy":
                changed[f"{axis}_{part}"][places] = arrays[f"{axis}_train"][rows]
        return changed

    return change


def numbered(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    """A further column: the number of the row in a file that was sorted by the label."""
    y = np.concatenate([arrays[f"y_{part}"] for part in PARTS])
    place = np.empty(len(y))
    place[np.argsort(y + rng.random(len(y)) / 2)] = np.arange(len(y))
    return _with_column(arrays, place)


def copied(arrays: Arrays, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """A further column: the label under another name, 7 and 3 for 0 and 1."""
    return _with_column(arrays, np.concatenate([7 - 4 * arrays[f"y_{part}"] for part in PARTS]))


def _with_column(arrays: Arrays, column: np.ndarray) -> Arrays:
    ends = np.cumsum([len(arrays[f"y_{part}"]) for part in PARTS])[:-1]
    wider = {
        f"x_{part}": np.c_[arrays[f"x_{part}"], own].astype("float32")
        for part, own in zip(PARTS, np.split(column, ends), strict=True)
    }
    return {**arrays, **wider}


def coarse(arrays: Arrays, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """The first four columns, each only above or below its median: 16 different rows."""
    middle = np.median(arrays["x_train"][:, :4], axis=0)
    rows = {f"x_{part}": arrays[f"x_{part}"][:, :4] > middle for part in PARTS}
    return {**arrays, **{name: row.astype("float32") for name, row in rows.items()}}


PARTS = ("train", "val", "test")


def dead_biases(model: Any) -> None:
    """The biases of the second hidden layer far below 0, as one step too large leaves them."""
    model.get_layer("hidden_2").bias.assign(np.full(model.get_layer("hidden_2").units, -50.0))


def _scenarios() -> dict[str, Scenario]:
    digits, iris, wine, cancer = ({"name": n} for n in ("digits", "iris", "wine", "breast_cancer"))
    points = {name: {"name": "points", "shape": name, "n": 600} for name in ("xor", "circles")}
    moons = {"name": "points", "shape": "moons", "n": 600, "noise": 0.6}
    spirals = {"name": "points", "shape": "spirals", "n": 600}

    def dnn(*hidden: int, **more: Any) -> dict[str, Any]:
        return {"name": "dnn", "hidden": list(hidden), **more}

    def fit(epochs: int, rate: float, **more: Any) -> dict[str, Any]:
        return {"epochs": epochs, "learning_rate": rate, **more}

    small = fit(40, 0.01)
    healthy = ("good_fit",)
    found: dict[str, Scenario] = {
        "healthy: digits, dense": Scenario(healthy, digits, dnn(32), fit(15, 0.003)),
        "healthy: digits, convolutional": Scenario(
            healthy, digits, {"name": "cnn", "filters": [8, 16], "hidden": [32]}, fit(10, 0.003)
        ),
        "healthy: digits, dropout": Scenario(
            healthy, digits, dnn(64, 64, dropout=0.3), fit(20, 0.003)
        ),
        "healthy: digits, softmax from zeros": Scenario(
            healthy, digits, {"name": "softmax_regression", "initializer": "zeros"}, fit(20, 0.01)
        ),
        "healthy: digits, early stop": Scenario(
            healthy, digits, dnn(32), fit(60, 0.003, early_stopping={"patience": 8})
        ),
        "healthy: digits, recurrent": Scenario(
            healthy, digits, {"name": "rnn", "units": 24}, fit(15, 0.01)
        ),
        "healthy: points in circles": Scenario(healthy, points["circles"], dnn(16, 16), small),
        "healthy: points, xor, tanh": Scenario(
            healthy, points["xor"], dnn(16, 16, activation="tanh"), fit(40, 0.01)
        ),
        "healthy: iris": Scenario(healthy, iris, dnn(8), fit(40, 0.02, batch_size=16)),
        "healthy: iris, sgd": Scenario(
            healthy, iris, dnn(16), fit(50, 0.03, optimizer={"name": "sgd", "momentum": 0.9})
        ),
        "healthy: wine": Scenario(healthy, wine, dnn(8), fit(30, 0.01)),
        "healthy: wine, tanh": Scenario(healthy, wine, dnn(8, activation="tanh"), fit(30, 0.01)),
        "healthy: breast cancer, logistic": Scenario(
            healthy, cancer, {"name": "logistic_regression"}, fit(30, 0.01)
        ),
        "healthy: breast cancer, dense": Scenario(healthy, cancer, dnn(8), fit(15, 0.003)),
    }
    over = ("over_fitting",)
    found |= {
        "data size: 60 digits": Scenario(
            over, digits, dnn(128, 128), fit(40, 0.005), change=fewer(60)
        ),
        "data size: 20 noisy points": Scenario(
            over, {**moons, "noise": 1.5}, dnn(64, 64), fit(60, 0.01), change=fewer(20)
        ),
        "label noise 0.3: digits": Scenario(
            over, digits, dnn(128, 128), fit(40, 0.003), change=noisy_labels(0.3)
        ),
        "label noise 0.25: breast cancer": Scenario(
            over, cancer, dnn(128, 128), fit(60, 0.002), change=noisy_labels(0.25)
        ),
        "label noise 0.25: points": Scenario(  # two coordinates are too few to learn it by heart
            ("under_fitting",),
            points["circles"],
            dnn(128, 128),
            fit(60, 0.01),
            over,
            noisy_labels(0.25),
        ),
        "capacity: large, noisy moons": Scenario(
            over,
            {**moons, "noise": 1.5, "n": 300},
            dnn(256, 256, 256),
            fit(80, 0.01),
        ),
    }
    under = ("under_fitting",)
    found |= {
        "capacity: 2 tanh neurons, digits": Scenario(
            under, digits, dnn(2, activation="tanh"), fit(40, 0.01)
        ),
        "capacity: 3 neurons, spirals": Scenario(under, spirals, dnn(3), fit(50, 0.03)),
        "capacity: a line, moons": Scenario(
            under, {**moons, "noise": 1.0}, {"name": "logistic_regression"}, fit(40, 0.03)
        ),
        "capacity: a line, xor": Scenario(
            ("not_learning",), points["xor"], {"name": "logistic_regression"}, fit(30, 0.01)
        ),
        "l2 of 0.1: digits": Scenario(under, digits, dnn(32, l2=0.1), fit(30, 0.003)),
        "dropout 0.9: 64 neurons, digits": Scenario(
            under, digits, dnn(64, 64, dropout=0.9), fit(25, 0.003)
        ),
        "dropout 0.9: 32 neurons, wine": Scenario(
            under, wine, dnn(32, 32, dropout=0.9), fit(40, 0.003)
        ),
    }
    large, small_rate = ("learning_rate_too_large",), ("learning_rate_too_small",)
    broken = ("not_learning", "under_fitting", "dead_layers", "saturated_layers")
    sgd = {"optimizer": {"name": "sgd"}}
    for name, data, model, training in (
        ("digits", digits, dnn(32, 32), fit(15, 0.003)),
        ("points", points["circles"], dnn(16, 16), fit(30, 0.01)),
        ("wine", wine, dnn(8), fit(30, 0.01)),
        ("breast cancer", cancer, dnn(16), fit(20, 0.003)),
        ("digits, sgd", digits, dnn(32, 32), fit(15, 0.1, **sgd)),
    ):
        for power in (-3, -2, 2, 3):
            rate = training["learning_rate"] * 10.0**power
            fault = Scenario(
                large if power > 0 else small_rate,
                data,
                model,
                {**training, "learning_rate": rate},
                (*broken, "over_fitting", "vanishing_gradients") if power > 0 else (),
            )
            if not (power == -2 and name == "points") and not (power == 2 and name == "wine"):
                found[f"learning rate × 1e{power}: {name}"] = fault
    flat = ("not_learning",)
    found |= {
        "zero initialisation: digits": Scenario(
            ("symmetric_layers", *flat), digits, dnn(32, 32, initializer="zeros"), fit(10, 0.003)
        ),
        "zero initialisation: wine, tanh": Scenario(
            ("symmetric_layers", *flat),
            wine,
            dnn(8, 8, initializer="zeros", activation="tanh"),
            fit(20, 0.01),
        ),
        "constant initialisation: digits": Scenario(
            ("symmetric_layers",),
            digits,
            dnn(32, 32, initializer="constant"),
            fit(15, 0.003),
            ("under_fitting", "not_learning"),
        ),
        "constant initialisation: points": Scenario(
            ("symmetric_layers",),
            points["circles"],
            dnn(16, initializer="constant"),
            fit(30, 0.01),
            ("under_fitting", "not_learning"),
        ),
        "shuffled labels: digits": Scenario(
            flat, digits, dnn(32), fit(20, 0.003), ("over_fitting",), shuffled_labels
        ),
        "shuffled labels: wine": Scenario(
            flat, wine, dnn(8), fit(30, 0.01), ("over_fitting",), shuffled_labels
        ),
        "shuffled labels: points": Scenario(
            flat, points["xor"], dnn(16), fit(30, 0.01), ("over_fitting",), shuffled_labels
        ),
        "sigmoid, depth 10: digits": Scenario(
            ("vanishing_gradients",),
            digits,
            dnn(*[32] * 10, activation="sigmoid"),
            fit(15, 0.003),
            ("not_learning", "under_fitting", "saturated_layers"),
        ),
        "sigmoid, depth 10: wine": Scenario(
            ("vanishing_gradients",),
            wine,
            dnn(*[16] * 10, activation="sigmoid"),
            fit(30, 0.01),
            ("not_learning", "under_fitting", "saturated_layers"),
        ),
        "sigmoid, depth 10: points": Scenario(
            ("vanishing_gradients",),
            points["xor"],
            dnn(*[16] * 10, activation="sigmoid"),
            fit(20, 0.01),
            ("not_learning", "under_fitting", "saturated_layers"),
        ),
        "small weights, depth 8: digits": Scenario(
            ("vanishing_gradients",),
            digits,
            dnn(*[32] * 8, initializer="random_normal"),
            fit(15, 0.003),
            ("not_learning", "under_fitting", "good_fit", "dead_layers"),
        ),
        "large initialisation: digits, relu": Scenario(
            ("exploding_gradients",),
            digits,
            dnn(*[64] * 4, initializer="large_normal"),
            fit(15, 0.003),
            ("good_fit", "under_fitting", "over_fitting", "learning_rate_too_large"),
        ),
        "large initialisation: wine, relu": Scenario(
            ("exploding_gradients",),
            wine,
            dnn(*[64] * 4, initializer="large_normal"),
            fit(20, 0.003),
            ("good_fit", "under_fitting", "over_fitting", "learning_rate_too_large"),
        ),
        "large initialisation: breast cancer, relu": Scenario(
            ("exploding_gradients",),
            cancer,
            dnn(*[64] * 4, initializer="large_normal"),
            fit(15, 0.003),
            ("good_fit", "under_fitting", "over_fitting", "learning_rate_too_large"),
        ),
        "large initialisation: digits, tanh": Scenario(
            ("saturated_layers",),
            digits,
            dnn(64, 64, initializer="large_normal", activation="tanh"),
            fit(15, 0.003),
            ("good_fit", "under_fitting", "over_fitting"),
        ),
        "large initialisation: digits, sigmoid": Scenario(
            ("saturated_layers",),
            digits,
            dnn(64, 64, initializer="large_normal", activation="sigmoid"),
            fit(15, 0.003),
            ("good_fit", "under_fitting", "over_fitting"),
        ),
        "large initialisation: wine, tanh": Scenario(
            ("saturated_layers",),
            wine,
            dnn(64, 64, initializer="large_normal", activation="tanh"),
            fit(20, 0.003),
            ("good_fit", "under_fitting", "over_fitting"),
        ),
        "dead layer: digits": Scenario(
            ("dead_layers", *flat), digits, dnn(32, 32), fit(10, 0.003), damage=dead_biases
        ),
        "dead layer: wine": Scenario(
            ("dead_layers", *flat), wine, dnn(8, 8), fit(20, 0.003), damage=dead_biases
        ),
        "dead layer: points": Scenario(
            ("dead_layers", *flat),
            points["circles"],
            dnn(16, 16),
            fit(20, 0.003),
            damage=dead_biases,
        ),
    }
    rarely = ("class_imbalance",)
    noisy = ("noisy_validation",)
    few = ("good_fit",)
    found |= {
        "imbalance 1:20: digits": Scenario(rarely, digits, dnn(32), fit(15, 0.003), few, rare(20)),
        "imbalance 1:40: breast cancer": Scenario(
            rarely,
            cancer,
            dnn(8),
            fit(30, 0.003),
            (*few, "under_fitting", "not_learning"),
            rare(25),
        ),
        "imbalance 1:20: points": Scenario(
            rarely, points["circles"], dnn(16, 16), small, few, rare(20)
        ),
        "validation of 10 digits": Scenario(
            noisy, {**digits, "validation_fraction": 0.007}, dnn(32), fit(15, 0.003), few
        ),
        "validation of 5 wines": Scenario(
            noisy, {**wine, "validation_fraction": 0.03}, dnn(8), fit(30, 0.01), few
        ),
        "validation of 7 tumours": Scenario(
            noisy, {**cancer, "validation_fraction": 0.015}, dnn(8), fit(15, 0.003), few
        ),
        "duplicated test rows: digits": Scenario(
            ("leakage",), digits, dnn(32), fit(15, 0.003), few, duplicated(0.3)
        ),
        "duplicated test rows: wine": Scenario(
            ("leakage",), wine, dnn(8), fit(30, 0.01), few, duplicated(0.5)
        ),
        "duplicated test rows: noisy moons": Scenario(
            ("leakage",),
            {**moons, "noise": 1.5},
            dnn(32),
            fit(40, 0.01),
            ("good_fit", "under_fitting"),
            duplicated(0.5),
        ),
        "training labels wrong, validation right: digits": Scenario(
            ("leakage",),
            digits,
            dnn(32),
            fit(15, 0.003),
            ("under_fitting",),
            noisy_labels(0.3, ("train",)),
        ),
        "training labels wrong, validation right: breast cancer": Scenario(
            ("leakage",),
            cancer,
            {"name": "logistic_regression"},
            fit(30, 0.01),
            ("under_fitting",),
            noisy_labels(0.3, ("train",)),
        ),
        "eager early stop: digits": Scenario(
            ("early_stop_too_eager",),
            digits,
            dnn(32),
            fit(60, 0.001, early_stopping={"patience": 1, "min_delta": 0.15}),
        ),
        "eager early stop: breast cancer": Scenario(
            ("early_stop_too_eager",),
            cancer,
            dnn(8),
            fit(60, 0.002, early_stopping={"patience": 1, "min_delta": 0.04}),
        ),
        "eager early stop: wine": Scenario(
            ("early_stop_too_eager",),
            wine,
            dnn(8),
            fit(60, 0.01, early_stopping={"patience": 1, "min_delta": 0.08}),
        ),
        "eager early stop: points": Scenario(
            ("early_stop_too_eager",),
            points["circles"],
            dnn(16, 16),
            fit(60, 0.003, early_stopping={"patience": 1, "min_delta": 0.03}),
        ),
    }
    norm = {"batch_norm": True, "batch_norm_momentum": 0.99}
    net = {"name": "cnn", "filters": [8, 16], "hidden": []}
    found |= {
        "healthy: digits, batch norm": Scenario(
            healthy, digits, {**net, "batch_norm": True}, fit(8, 0.005)
        ),
        "momentum 0.99: digits, convolutional": Scenario(
            ("batch_norm_behind",), digits, {**net, **norm}, fit(3, 0.005)
        ),
        "momentum 0.99: digits, large batches": Scenario(
            ("batch_norm_behind",), digits, {**net, **norm}, fit(6, 0.01, batch_size=128)
        ),
        "momentum 0.99: digits, two convolutions": Scenario(
            ("batch_norm_behind",), digits, {**net, **norm, "convolutions": 2}, fit(3, 0.005)
        ),
        "row number: wine": Scenario(
            ("leakage",), wine, dnn(8), fit(30, 0.01), (*few, "under_fitting"), numbered
        ),
        "row number: breast cancer": Scenario(
            ("leakage",), cancer, dnn(8), fit(15, 0.003), (*few, "under_fitting"), numbered
        ),
        "label among the columns: breast cancer": Scenario(
            ("leakage",), cancer, dnn(8), fit(15, 0.003), few, copied
        ),
        "rows repeat by nature: breast cancer": Scenario(
            (), cancer, dnn(8), fit(15, 0.003), (*few, "under_fitting"), coarse
        ),
        "dropout hides the gap: 30 digits": Scenario(
            over, digits, dnn(128, 128, dropout=0.5), fit(40, 0.003), change=fewer(30)
        ),
    }
    return found


SCENARIOS = _scenarios()


def trained(name: str, seed: int) -> dict[str, Any]:
    """Return what is known of one training of a scenario, in plain types."""
    from dlcourse import training
    from dlcourse.configuration.recipe import Recipe
    from dlcourse.datasets import load_dataset
    from dlcourse.errors import DivergedError
    from dlcourse.lab import callbacks
    from dlcourse.lab.diagnosis.examination import examine
    from dlcourse.runs import read_run

    scenario = SCENARIOS[name]
    dataset = scenario.dataset
    prepare, began = training.prepare, time.perf_counter()

    def prepare_damaged(recipe: Recipe) -> Any:
        prepared = prepare(recipe)
        if scenario.damage:
            scenario.damage(prepared.model)
        return prepared

    with tempfile.TemporaryDirectory() as folder:
        if scenario.change:
            given = dict(dataset)
            loaded = load_dataset(given.pop("name"), seed=seed, **given)
            arrays = {
                f"{axis}_{part}": pair[axis == "y"]
                for part, pair in loaded.splits.items()
                for axis in "xy"
            }
            for part in loaded.splits:  # as numbers: bytes would be taken for pixels up to 255
                arrays[f"x_{part}"] = arrays[f"x_{part}"].astype("float32")
            changed: Any = scenario.change(arrays, np.random.default_rng(seed))
            np.savez(f"{folder}/data.npz", **changed)
            dataset = {"name": "npz", "path": f"{folder}/data.npz"}
        parts = {"dataset": dataset, "model": scenario.model, "training": scenario.training}
        recipe = Recipe.model_validate({"seed": seed, **parts})
        with (
            mock.patch.object(training, "save_figures"),
            mock.patch.object(training, "prepare", prepare_damaged),
            contextlib.suppress(DivergedError),
        ):
            training.train(recipe, folder, name="run", bar=False, callbacks=[callbacks.xray()])
        read = examine(read_run(f"{folder}/run")).evidence
    return {
        "scenario": name,
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 1),
        "history": {key: values.tolist() for key, values in read.history.items()},
        "xray": {epoch: [list(layer) for layer in layers] for epoch, layers in read.xray.items()},
        "task": read.task,
        "class_counts": read.class_counts,
        "val_examples": read.val_examples,
        "disturbed": read.noisy_training,
        "stopped_early": read.stopped_early,
        "duplicates": read.duplicates,
        "leak": read.leak,
        "norm_start": read.norm_start,
        "evaluated": read.evaluated,
        "settings": dict(read.settings),
    }


def found_in(record: dict[str, Any], *, history_alone: bool = False) -> list[str]:
    """Return the names of the findings in a record; of its history and classes alone if asked."""
    from dlcourse.lab.diagnosis import LayerStatistics, diagnose

    known = {key: record[key] for key in ("task", "class_counts")}
    if not history_alone:
        names = ("val_examples", "stopped_early", "duplicates", "evaluated", "leak", "norm_start")
        known |= {key: record[key] for key in (*names, "settings")}
        known["xray"] = {
            int(epoch): [LayerStatistics(*layer) for layer in layers]
            for epoch, layers in record["xray"].items()
        }
    known["noisy_training"] = record["disturbed"]
    return [finding.name for finding in diagnose(record["history"], **known)]


def judged(records: list[dict[str, Any]], *, history_alone: bool = False) -> dict[str, Any]:
    """Return precision and recall of each finding, the share of healthy runs without an alarm."""
    from dlcourse.lab.diagnosis import LINKS

    counts: dict[str, dict[str, Any]] = {
        name: {"right": 0, "missed": 0, "false": 0} for name in LINKS
    }
    errors, quiet, healthy = [], 0, 0
    for record in records:
        scenario = SCENARIOS[record["scenario"]]
        found = found_in(record, history_alone=history_alone)
        false = [n for n in found if n not in (*scenario.expected, *scenario.allowed)]
        missed = [name for name in scenario.expected if name not in found]
        for name in scenario.expected:
            counts[name]["missed" if name in missed else "right"] += 1
        for name in false:
            counts[name]["false"] += 1
        if "good_fit" in scenario.expected:
            healthy += 1
            quiet += not false
        if false or missed:
            run = f"{record['scenario']}, seed {record['seed']}"
            errors.append({"run": run, "missed": missed, "false": false})
    for row in counts.values():
        right = row["right"]
        row["precision"] = _ratio(right, right + row["false"])
        row["recall"] = _ratio(right, right + row["missed"])
    return {
        "findings": counts,
        "healthy": healthy,
        "quiet": quiet,
        "errors": errors,
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def table(whole: dict[str, Any], alone: dict[str, Any]) -> str:
    """Return the README's table: one row per finding."""
    rows = [
        "| finding | runs that show it | precision | recall | false alarms | "
        "history alone: precision | recall |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in whole["findings"].items():
        other = alone["findings"][name]
        seen = other["right"] + other["false"]
        cells = [name.replace("_", " "), str(row["right"] + row["missed"])]
        cells += [_shown(row["precision"]), _shown(row["recall"]), str(row["false"])]
        cells += [_shown(other["precision"]), _shown(other["recall"])] if seen else ["–", "–"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def collected(seeds: list[int], only: str, workers: int, path: Path) -> list[dict[str, Any]]:
    """Return the records of every scenario and seed; those in the file are not trained again."""
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    records = [one for one in kept if one["seed"] in seeds and only in one["scenario"]]
    done = {(one["scenario"], one["seed"]) for one in records}
    names = [name for name in SCENARIOS if only in name]
    tasks = [(name, seed) for seed in seeds for name in names if (name, seed) not in done]
    with ProcessPoolExecutor(workers) as pool, path.open("a") as file:
        for record in pool.map(trained, *zip(*tasks, strict=True)) if tasks else ():
            run = f"{record['scenario']}, seed {record['seed']}"
            print(f"{record['seconds']:>5} s  {run}", flush=True)
            file.write(json.dumps(record) + "\n")
            file.flush()
            records.append(record)
    return [one for one in records if one["scenario"] in SCENARIOS]


def main() -> int:
    """Train, examine and judge."""
    parser = argparse.ArgumentParser(description="Precision and recall of each finding.")
    parser.add_argument("--development", action="store_true", help="the other seeds; write nothing")
    parser.add_argument("--seeds", type=int, nargs="+", help="only these; write nothing")
    parser.add_argument("--only", default="", help="scenarios by a part of their name")
    parser.add_argument("--records", help="keep the records in this file, a line of JSON each")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seeds = arguments.seeds or list(DEVELOPMENT if arguments.development else REPORTED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(arguments.records or f"{folder}/records.jsonl")
        records = collected(seeds, arguments.only, arguments.workers, path)
    whole, alone = judged(records), judged(records, history_alone=True)
    text = table(whole, alone)
    note = (
        f"{len(records)} trainings, {len({r['scenario'] for r in records})} scenarios, seeds "
        f"{', '.join(map(str, seeds))}; healthy runs without a false alarm: {whole['quiet']} of "
        f"{whole['healthy']} (from the history alone {alone['quiet']})."
    )
    print(text, note, *map(str, whole["errors"]), sep="\n")
    if seeds == list(REPORTED) and not arguments.only:
        result = {"date": date.today().isoformat(), "seeds": seeds, "from a run": whole}
        result |= {"from the history alone": alone, "trainings": len(records)}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
        readme = ROOT / "benchmarks" / "README.md"
        block = f"{text}\n\n{note}\n"
        readme.write_text(TABLE.sub(lambda m: m[1] + block + m[2], readme.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
