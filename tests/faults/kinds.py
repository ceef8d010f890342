"""The trainings that are killed: small, but with everything that a resume must remember."""

from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe

POINTS = {
    "dataset": {"name": "points", "n": 300},
    "model": {"name": "dnn", "hidden": [8], "dropout": 0.3},
    "training": {
        "epochs": 12,
        "steps_per_execution": 2,
        "learning_rate": 0.05,
        "early_stopping": {"patience": 3},
        "reduce_on_plateau": {"patience": 1},
    },
}
CNN = {
    "dataset": {"name": "digits"},
    "model": {
        "name": "cnn",
        "filters": [4],
        "hidden": [8],
        "batch_norm": True,
        "noise": 0.1,
        "dropout": 0.2,
    },
    "training": {
        "epochs": 5,
        "batch_size": 128,
        "steps_per_execution": 2,
        "augmentation": {"shift": 0.1, "rotate": 5},
        "schedule": {"name": "one_cycle"},
        "checkpoint_every": 4,
    },
}
LSTM = {
    "dataset": {"name": "digits"},
    "model": {"name": "rnn", "units": 6, "dropout": 0.2},
    "training": {"epochs": 4, "batch_size": 128, "steps_per_execution": 3},
}
NPZ = {
    "dataset": {"name": "npz"},
    "model": {"name": "cnn", "filters": [3], "hidden": [6], "dropout": 0.2},
    "training": {
        "epochs": 5,
        "batch_size": 50,
        "steps_per_execution": 1,
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "checkpoint_every": 2,
    },
}
MNIST = {
    "dataset": {"name": "mnist"},
    "model": {"name": "dnn", "hidden": [16], "dropout": 0.2},
    "training": {"epochs": 3, "batch_size": 512, "steps_per_execution": 8, "checkpoint_every": 40},
}
KINDS: dict[str, dict[str, Any]] = {
    "points": POINTS,
    "cnn": CNN,
    "lstm": LSTM,
    "npz": NPZ,
}
KINDS_OF_TFDS = {"mnist": MNIST}


def recipe_of(kind: str, folder: Path) -> Recipe:
    """Return a kind's recipe; `folder` takes the file of images that `npz` reads."""
    settings = (KINDS | KINDS_OF_TFDS)[kind]
    dataset = dict(settings["dataset"])
    if dataset["name"] == "npz":
        dataset["path"] = str(images_file(folder))
    training = {"deterministic": True, **settings["training"]}
    return Recipe.model_validate({**settings, "dataset": dataset, "training": training, "seed": 3})


def images_file(folder: Path) -> Path:
    """Return a file of 600 images `(n, 6, 6)` of three classes, written if it is not there."""
    path = folder / "images.npz"
    if not path.exists():
        random = np.random.default_rng(0)
        y = random.integers(0, 3, 600)
        x = random.integers(0, 200, (600, 6, 6))
        x[np.arange(600), y * 2] += 55  # a brighter line tells the class
        np.savez(path, allow_pickle=False, x_train=x.astype("uint8"), y_train=y)
    return path
