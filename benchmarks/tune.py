"""python -m benchmarks.tune: trials per minute of a search, beside Optuna calling plain Keras."""

import argparse
import resource
import tempfile
import time
from statistics import median
from typing import Any

import dlcourse as dl
from dlcourse.lab.tuning import Tuning

SPACE = {
    "model.dropout": {"low": 0.0, "high": 0.6},
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
}


def search(epochs: int, trials: int, workers: int) -> tuple[float, float, Tuning]:
    """Return the seconds of a search without pruning, those of its trials alone, and its result."""
    recipe = dl.recipe("digits_dnn", epochs=epochs, schedule=None)
    with tempfile.TemporaryDirectory() as runs:
        started = time.perf_counter()
        how: dict[str, Any] = {"sampler": "random", "pruner": "none", "runs": runs}
        found = dl.tune(recipe, SPACE, trials=trials, workers=workers, **how)
        seconds, ended = time.perf_counter() - started, found.search.study.get_trials()
        first = min(trial.datetime_start for trial in ended)
        last = max(trial.datetime_complete for trial in ended)
        return seconds, (last - first).total_seconds(), found


def plain(epochs: int, found: Tuning) -> float:
    """Return the seconds of the same trials by Optuna, in memory, and plain Keras."""
    import keras
    import optuna

    data = found.search.dataset

    def objective(trial: Any) -> float:
        dropout = trial.suggest_float("model.dropout", 0.0, 0.6)
        rate = trial.suggest_float("training.learning_rate", 1e-4, 1e-1, log=True)
        layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 16), keras.layers.Flatten()]
        for units in (64, 32):
            layers += [keras.layers.Dense(units, "relu"), keras.layers.Dropout(dropout)]
        model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        val = (data.x_val, data.y_val)
        how = {"epochs": epochs, "batch_size": 32, "validation_data": val, "verbose": 0}
        return min(model.fit(data.x_train, data.y_train, **how).history["val_loss"])

    study = optuna.create_study()
    for trial in found.trials:
        study.enqueue_trial(trial.settings)
    started = time.perf_counter()
    study.optimize(objective, n_trials=len(found.trials))
    return time.perf_counter() - started


def main() -> int:
    """Print the trials per minute with one and two workers, and the overhead of a trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    search(1, 1, 1)  # imports
    rows: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        one, alone, found = search(given.epochs, given.trials, 1)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        two, both, _ = search(given.epochs, given.trials, 2)
        ended = found.search.study.get_trials(deepcopy=False)
        trials = sum(trial.duration.total_seconds() for trial in ended) / given.trials
        fits = sum(trial.seconds for trial in found.trials) / given.trials
        measured = {
            "one worker, trials per minute": 60 * given.trials / one,
            "two workers, trials per minute": 60 * given.trials / two,
            "two workers against one": one / two,
            "  without the start of the workers": alone / both,
            "seconds per trial, whole search": one / given.trials,
            "  of it the search itself": one / given.trials - trials,
            "  model, evaluation and files": trials - fits,
            "  fit": fits,
            "peak memory, MiB more per trial": grown / 1024 / given.trials,
            "plain Keras by Optuna, seconds per trial": plain(given.epochs, found) / given.trials,
        }
        for name, value in measured.items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        print(f"{name:<42}{median(values):8.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
