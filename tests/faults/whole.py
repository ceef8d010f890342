"""Is every file of a run whole, and what did the run learn? Read without Keras or TensorFlow."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from dlcourse.files import HALF_WRITTEN
from dlcourse.runs import sha256

STEPS = tuple[int, int]


class NotWhole(AssertionError):  # noqa: N818 - what it says
    """A file of a run is broken, or not the one that was expected."""


def check_files(run: Path) -> None:
    """Raise NotWhole unless every file under its final name can be read to its last byte."""
    for path in sorted(run.rglob("*")):
        if path.is_dir() or path.name == ".lock" or path.name.startswith(HALF_WRITTEN):
            continue
        try:
            READERS[path.suffix](path)
        except Exception as error:
            raise NotWhole(f"{path}: {type(error).__name__}: {error}") from error
    metrics, model = run / "metrics.json", run / "model.keras"
    if metrics.exists() and json.loads(metrics.read_text())["model_sha256"] != sha256(model):
        raise NotWhole(f"{model}: another SHA-256 than metrics.json records")


def leftovers(run: Path) -> list[Path]:
    """Return the files that a killed process left half-written."""
    return sorted(run.rglob(f"{HALF_WRITTEN}*"))


def steps_saved(run: Path) -> STEPS:
    """Return the (epoch, step) that the state holds; (0, 0) before the first state."""
    found = [(0, 0)]
    for name in ("state.npz", "inside_state.npz"):
        if (run / name).exists():
            progress = _state(run / name)[1]["progress"]
            found.append((progress["epoch"], progress["step"]))
    return max(found)


def outcome(run: Path) -> dict[str, Any]:
    """Return all that must be bit-equal, by name."""
    arrays, meta = _state(run / "state.npz")
    metrics = json.loads((run / "metrics.json").read_text())
    metrics = {key: value for key, value in metrics.items() if "seconds" not in key}
    del metrics["model_sha256"], metrics["sha256"]  # a .keras file holds the time of its writing
    return {
        "variables and optimizer": arrays,
        "the callbacks' memory": meta["callbacks"],
        "progress": {k: v for k, v in meta["progress"].items() if "seconds" not in k},
        "history.csv": (run / "history.csv").read_text(),
        "the model's weights": weights(run / "model.keras"),
        "metrics": metrics,
    }


def weights(path: Path) -> dict[str, bytes]:
    """Return the weights in a `.keras` file, as bytes by their place in it."""
    import h5py

    found: dict[str, bytes] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(path) as archive:
        json.loads(archive.read("config.json"))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(note)
    return found


def _state(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays.pop("meta")))
    return {name: array.tobytes() for name, array in arrays.items()}, meta


def _table(path: Path) -> None:
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))
    if [row[0] for row in rows[1:]] != [str(n + 1) for n in range(len(rows) - 1)]:
        raise ValueError("an epoch is missing")
    if len({len(row) for row in rows}) != 1 or not path.read_text().endswith("\n"):
        raise ValueError("a row is cut")


def _picture(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
    if not path.read_bytes().endswith(b"IEND\xaeB\x60\x82"):
        raise ValueError("its end is cut")


def _arrays(path: Path) -> None:
    if path.name in ("likeness.npz", "examples.npz", "base.npz"):
        with np.load(path) as file:
            dict(file)
    else:
        _state(path)


def _recipe(path: Path) -> None:
    parts = {"seed", "dataset", "model", "training"}
    if set(yaml.safe_load(path.read_text())) != parts:
        raise ValueError("a part is missing")


READERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".npz": _arrays,
    ".keras": weights,
    ".csv": _table,
    ".png": _picture,
    ".yaml": _recipe,
}
