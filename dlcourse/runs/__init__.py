"""The run directory: all files of one training, each complete or absent.

runs/digits_cnn-20260131-101500/
    recipe.yaml       every setting written out: it alone reproduces the run
    environment.json  versions, machine, device, git state, data fingerprint
    dataset.json      facts that new inputs need: class names, value range, columns
    examples.npz      a digest of each example, which tells them from new ones
    state.npz         the state that a resumed training starts from; after an interrupted epoch
                      or with `training.checkpoint_every`, also inside_state.npz
    fine_tuning.npz   the same for the fine-tuning of a transfer
    model.json        the layers of the model, to use it before the training has finished;
                      until then base.npz has the weights of a frozen base
    history.csv       the metrics of every epoch
    xray.csv          the statistics of every layer per epoch, with the command's --xray
    model.keras       the trained model (preprocessing inside)
    arrays.npz        the data, if it was given in Python; a DataFrame's is table.csv
    metrics.json      train, val and test metrics, parameters, epochs, the model's SHA-256; for a
                      trial of a search, whose test split was not read, `test_read` is false
    likeness.npz      what the distance of new images to the training images is measured with
    figures/          PNG pictures
    prepared/         the digits found on your own pictures, as the model takes them
"""

import contextlib
import csv
import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dlcourse.datasets import DATASETS, Dataset
from dlcourse.datasets.facts import FIELDS, DataFacts
from dlcourse.errors import RunError, one_line
from dlcourse.files import HALF_WRITTEN, make_folder, write_file, writing
from dlcourse.heavy import keras
from dlcourse.runs.evaluation import metric_text, split_table
from dlcourse.runs.naive import naive_text
from dlcourse.runs.state import ARCHITECTURE, model_so_far
from dlcourse.schema import checked_settings, shown

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Run:
    """The directory of a training; its files are read when they are needed."""

    path: Path

    def __repr__(self) -> str:
        metrics = self.metrics if self.finished else {"test": {}}
        part = "test" if self.test_read else "val"
        text = ", ".join(f"{part} {key} {metric_text(v)}" for key, v in metrics[part].items())
        text += ", test not read" * (not self.test_read)
        text += ", not finished" * bool(self.finished and self.metrics.get("interrupted"))
        return f"<Run {self.path}: {text or 'not finished'}>"

    def __str__(self) -> str:
        """The metrics by split, the size, the time and the folder as text."""
        if not self.finished or self.generates:
            return repr(self)
        metrics, sizes = self.metrics, dict(self.facts.examples)
        unread = "test        not read: a search chooses by validation\n" * (not self.test_read)
        sizes.pop("test" if unread else "", 0)
        return (
            f"{split_table(metrics, sizes)}\n{naive_text(metrics)}{unread}\n"
            f"parameters  {metrics['parameters']:,}\n"
            f"epochs      {metrics['epochs_run']} (kept: {metrics['best_epoch']})\n"
            f"seconds     {metrics['seconds']:.1f}\n"
            f"run         {self.path}"
        ) + f"\nfigures     {self.path / 'figures'}" * self.test_read

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.path.name

    def forget(self) -> None:
        """Clear the cached contents after the files have changed."""
        for name in self.__dict__.keys() - {"path"}:
            del self.__dict__[name]

    def load_dataset(self) -> Dataset:
        """Return the data set of the training, split as it was then.

        Examples that were added to its file since are left out.

        Raises:
            RunError: The recipe or the record of the examples is missing or damaged.
            DatasetError: The data is missing or broken, or has changed beyond recognition.
        """
        from dlcourse.runs.measured import training_data

        return training_data(self)

    def data_settings(self) -> tuple[str, int, dict[str, Any]]:
        """Return the name of the data set, its seed and its settings, checked and complete.

        Raises:
            RunError: The recipe is missing or damaged.
            RecipeError: A setting is unknown or out of bounds.
        """
        path = self.file("recipe.yaml")
        try:
            recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
            seed, settings = int(recipe["seed"]), dict(recipe["dataset"])
            name = settings["name"]
            function = DATASETS[name].function
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: is broken: {one_line(error)}") from None
        settings = self.with_its_data(settings)
        settings.pop("name")
        return name, seed, checked_settings(name, function, settings)

    def with_its_data(self, dataset: dict[str, Any]) -> dict[str, Any]:
        """Return the recorded settings of the data set, with the places of its files today.

        Runs of earlier versions, without a `value_range`, took the data's own.
        """
        dataset, file = dict(dataset), Path(dataset.get("path") or "none")
        if dataset.get("name") in ("npz", "tfds") and (self.path / "dataset.json").is_file():
            own = list(self.facts.value_range) if self.facts.inputs == "images" else "auto"
            dataset.setdefault("value_range", own)
            if dataset.get("inputs") == "auto" and self.facts.inputs in ("images", "sequences"):
                dataset["inputs"] = self.facts.inputs
        if (kept := self.path / file.name).exists() and not file.exists():
            dataset["path"] = str(kept)
        return self.with_its_places(dataset, "path", "data_dir")

    def with_its_places(self, settings: dict[str, Any], *keys: str) -> dict[str, Any]:
        """Return settings with paths that are relative to where the training ran made absolute."""
        recorded = (self.path / "environment.json").is_file()
        folder = self.environment.get("folder") if recorded else None
        if folder in (None, str(Path.cwd())):
            return settings
        places = {key: Path(folder, settings[key]) for key in keys if settings.get(key)}
        return settings | {key: str(place) for key, place in places.items() if place.exists()}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        return self._json("metrics.json", "train", "val", "test", "parameters", "epochs_run")

    @cached_property
    def facts(self) -> DataFacts:
        """The facts of the training data, from `dataset.json`."""
        try:
            return DataFacts.from_json(self._data)
        except TypeError:  # a value is not a list or a mapping
            raise RunError(f"{self.path / 'dataset.json'}: is broken") from None

    @cached_property
    def _data(self) -> dict[str, Any]:
        return self._json("dataset.json", *FIELDS)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The content of `environment.json`."""
        return self._json("environment.json")

    @cached_property
    def history(self) -> dict[str, list[float]]:
        """One list per column of `history.csv`, with one value per epoch."""
        path = self.file("history.csv")
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.DictReader(stream))
            return {key: [float(row[key]) for row in rows] for key in (rows[0] if rows else {})}
        except (ValueError, TypeError, csv.Error):
            raise RunError(f"{path}: is broken: it is not a table of numbers") from None

    @property
    def test_read(self) -> bool:
        """Whether the test split was read; the trials of a search leave it out."""
        return not self.finished or self.metrics.get("test_read", True)

    @property
    def finished(self) -> bool:
        """Whether the training has ended and all files are written."""
        return (self.path / "metrics.json").is_file()

    @cached_property
    def model(self) -> Any:
        """The trained Keras model, if its file is the one that this run saved.

        A warning tells if the training has not finished: these are its best weights so far.

        Raises:
            RunError: The file is missing, has changed, or contains code; or nothing was trained.
        """
        if not self.finished and (self.path / ARCHITECTURE).is_file():
            model, progress = model_so_far(self.path, self._json(ARCHITECTURE))
            said = f"{progress.epoch} epochs" + f" and {progress.step} steps" * bool(progress.step)
            warnings.warn(
                f"{self.path}: the training has not finished ({said} are done): these are the best "
                "weights so far",
                stacklevel=3,
            )
            return model
        path = self.file("model.keras")
        if sha256(path) != self.metrics.get("model_sha256"):
            reason = f"{path}: is not the model that this run saved (its SHA-256 differs from that "
            reason += "in metrics.json): it is damaged or was replaced"
            raise RunError(reason)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # noqa: BLE001 - Keras raises many types on broken files
            raise RunError(f"{path}: the model cannot be loaded: {one_line(error)}") from None

    def file(self, name: str) -> Path:
        """Return the path of one of the run's files.

        Raises:
            RunError: The run has no such file.
        """
        path = self.path / name
        if not path.is_file():
            reason = "the training did not finish" if self.path.is_dir() else "no such run"
            if (self.path / "recipe.yaml").is_file() and not self.finished:
                reason += f": python -m dlcourse.train --resume {self.path} goes on"
                reason += ", with --finish it is saved as it is" * (not self.generates)
            raise RunError(f"{self.path}: has no {name} ({reason})")
        if name == "recipe.yaml" and (self.path / "dataset.json").is_file():
            _refuse_change(path, self._data.get("recipe_sha256"), sha256(path))
        return path

    def refuse_untrained(self) -> None:
        """Raise a RunError if there is no model yet, not even of an unfinished training."""
        self.refuse_generator()
        if self.finished or not (self.path / ARCHITECTURE).is_file():
            self.file("model.keras")

    @property
    def generates(self) -> bool:
        """Whether it is a run of `dlcourse.generation`."""
        return (self.path / "dataset.json").is_file() and self.facts.task == "generation"

    def refuse_generator(self) -> None:
        """Raise a RunError if it is a run of `dlcourse.generation`."""
        if self.generates:
            reason = "draws or rebuilds images and predicts no class: `dlcourse evaluate`, "
            reason += "`visualize`, `diagnose` and dl.generation take it, and Keras its model.keras"
            raise RunError(f"{self.path}: {reason}")

    def _json(self, name: str, *keys: str) -> dict[str, Any]:
        path = self.file(name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{path}: is broken: {error}") from None
        missing = [key for key in keys if key not in content] if isinstance(content, dict) else keys
        if missing:
            raise RunError(f"{path}: was not written by this package: it has no '{missing[0]}'")
        _refuse_change(path, content.pop("sha256", None), _seal(content))
        return content


def _refuse_change(path: Path, recorded: str | None, actual: str) -> None:
    if recorded not in (None, actual):
        reason = f"{path}: was damaged or changed since this run wrote it (its SHA-256 differs)"
        raise RunError(reason)


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_name(folder: str | Path, name: str | None) -> None:
    """Raise a RunError if a new run cannot have this name; a cheap check before the training."""
    if not isinstance(folder, str | Path):
        raise RunError(f"runs: a folder is expected, got {shown(folder)}")
    if name is not None and not (isinstance(name, str) and NAME.fullmatch(name)):
        raise RunError(f"run name '{name}': letters, digits, '.', '_' and '-' are expected")
    path = Path(folder).expanduser()
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file: a folder of runs is expected")
    if name is not None and (path / name).exists():
        raise RunError(f"{path / name}: exists already: choose another name")


def create_run(folder: str | Path, recipe_name: str, name: str | None = None) -> Run:
    """Return a new, empty run directory: `<recipe>-<time>`, or `name` if given.

    Raises:
        RunError: The name is not a plain word or exists already, or the folder cannot be written.
    """
    check_name(folder, name)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", recipe_name).lstrip(".-") or "run"
    base = name or f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with writing(folder := make_folder(folder)):
        for attempt in range(1, 1000):
            path = folder / (base if attempt == 1 else f"{base}-{attempt}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return Run(path)
            check_name(folder, name)
    raise RunError(f"{folder}: too many runs named {base}")


def read_run(path: "str | Path | Run") -> Run:
    """Return the run in a directory; a `Run` is returned unchanged.

    Raises:
        RunError: The path is not a run directory.
    """
    if isinstance(path, Run):
        return path
    if not isinstance(path, str | Path):
        raise RunError(f"a run, or the path of its folder, is expected, got {shown(path)}")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        near = sorted(run.name for run in list_runs(folder.parent))[-3:]
        hint = f" (there are {', '.join(near)})" if near else ""
        raise RunError(f"{path}: no such run{hint}")
    if not (folder / "recipe.yaml").is_file():
        inside = sorted(run.name for run in list_runs(folder))[-3:]
        hint = f": did you mean {folder / inside[-1]}?" if inside else ": it has no recipe.yaml"
        raise RunError(f"{path}: is not a run{hint}")
    return Run(folder)


def list_runs(folder: str | Path = "runs") -> list[Run]:
    """Return the runs in a folder, sorted by name; an empty list if the folder does not exist."""
    recipes = Path(folder).expanduser().glob("*/recipe.yaml")
    return [Run(path.parent) for path in sorted(recipes)]


@contextlib.contextmanager
def locked(run: Run) -> Iterator[None]:
    """Lock the run for this process; the operating system unlocks it when the process ends.

    The half-written files of a killed process are removed.

    Raises:
        RunError: Another process is training the run.
    """
    from filelock import FileLock, Timeout

    with writing(run.path):
        try:
            with FileLock(run.path / ".lock", timeout=0):
                for folder in (run.path, run.path / "figures"):
                    for path in folder.glob(f"{HALF_WRITTEN}*"):
                        path.unlink(missing_ok=True)
                yield
        except Timeout:
            raise RunError(f"{run.path}: another process is training this run") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with `write_file`."""
    write_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with the SHA-256 of its content, so that reading detects a changed value."""
    content = json.loads(json.dumps(content))  # with keys as they are read back
    sealed = {**content, "sha256": _seal(content)}
    write_text(path, json.dumps(sealed, indent=2, ensure_ascii=False) + "\n")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file with the keys of the first row as header and numbers at full precision."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)

    write_file(path, write)


def write_history(path: Path, history: dict[str, list[float]]) -> None:
    """Write one row per epoch, with `epoch` (from 1) as the first column, at full precision."""
    epochs = enumerate(zip(*history.values(), strict=True), 1)
    write_rows(path, [{"epoch": n, **dict(zip(history, row, strict=True))} for n, row in epochs])
