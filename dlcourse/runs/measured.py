"""What a run is measured on: its own examples, or others, told from those that it has seen.

A run stores digests of its examples. So they are recognised in a file that has grown or was sorted
in another way. New examples are encoded as those of the training were.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset, fingerprint, read_dataset, read_whole
from dlcourse.datasets.csv import labelled_rows
from dlcourse.datasets.dataset import PARTS, Examples, digests
from dlcourse.datasets.facts import SHARED
from dlcourse.datasets.text import file_dataset, folder_dataset
from dlcourse.errors import DatasetError, RunError
from dlcourse.files import DAMAGED, read_arrays, write_file
from dlcourse.heavy import pd
from dlcourse.runs import evaluation

FILE = "examples.npz"
Answers = dict[str, Examples]  # labels or targets, and the model's outputs, by part
DIALECT = ("separator", "decimal", "thousands", "encoding", "header", "missing_values")


def write_digests(folder: Path, dataset: Dataset) -> None:
    """Write the digest of each example of the splits."""
    known: dict[str, Any] = {part: digests(x, y) for part, (x, y) in dataset.splits.items()}
    write_file(folder / FILE, lambda path: np.savez_compressed(path, **known))


def own_answers(run: Any) -> Answers:
    """Return the labels or targets and the outputs of the run's splits.

    If the data has changed since, see `answers`.
    """
    dataset, parts = _own(run)
    return answers(run, parts) if dataset is None else split_answers(run, dataset)


def split_answers(run: Any, dataset: Dataset) -> Answers:
    """Return the labels or targets and the outputs of each split of the run's own data."""
    return {part: (y, evaluation.outputs(run.model, x)) for part, (x, y) in dataset.splits.items()}


def answers(run: Any, parts: Sequence[Examples]) -> Answers:
    """Return the labels or targets and the outputs of `train`, `val`, `test`, `new` and `all`.

    The first three are examples of the training's splits. Parts without examples are left out, and
    `all` if all examples are new.
    """
    outputs = np.concatenate([evaluation.outputs(run.model, x) for x, _ in parts])
    y = np.concatenate([y for _, y in parts])
    origin = _places(run, parts)["part"]
    rows = {name: np.flatnonzero(origin == name) for name in (*PARTS, "new")}
    found = {name: (y[at], outputs[at]) for name, at in rows.items() if len(at)}
    return found if found.keys() == {"new"} else {**found, "all": (y, outputs)}


def training_data(run: Any) -> Dataset:
    """Return the run's data, split as in the training; examples added since are left out.

    Raises:
        DatasetError: The data is missing or broken, or has changed beyond recognition.
    """
    dataset, parts = _own(run)
    if dataset is not None:
        return dataset
    places = _places(run, parts).assign(source=np.repeat(range(len(parts)), _sizes(parts)))
    places["row"] = np.concatenate([np.arange(size) for size in _sizes(parts)])
    known = places.dropna(subset="place").sort_values("place")  # in the order of the training
    pieces: dict[str, list[Examples]] = {part: [] for part in PARTS}
    groups: Any = known.groupby(["part", "source"])["row"]
    for (part, source), rows in groups:
        x, y = parts[source]
        pieces[part].append((x.take(rows.to_numpy(), axis=0), y[rows.to_numpy()]))
    if gone := [part for part in PARTS if not pieces[part]]:
        reason = f"the data has changed: no example of the {gone[0]} split is left"
        raise DatasetError(f"{run.path}: {reason}")
    kept: dict[str, Any] = {key: getattr(run.facts, key) for key in SHARED}
    for part, each in pieces.items():
        for axis, arrays in (("x", [x for x, _ in each]), ("y", [y for _, y in each])):
            kept[f"{axis}_{part}"] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return Dataset(**kept)


def examples(
    run: Any, name: str, seed: int, settings: Mapping[str, Any], changed: Sequence[str] = ()
) -> list[Examples]:
    """Return the examples of a data set as the run's model takes them, with the run's labels.

    Args:
        run: Run, whose encoding of a table is used.
        name, seed, settings: Data set as in a recipe.
        changed: Settings that are not the run's own, as `dataset.separator=;`; those of `csv` that
            say how a file is written are found in the file otherwise.

    Raises:
        RunError: The examples do not fit the run.
        DatasetError: The data is missing or broken.
    """
    if name in ("text_folder", "lines"):
        read = folder_dataset if name == "text_folder" else file_dataset
        known = run.facts.encoding["columns"][0]
        return examples_of(run, read(settings["path"], known, (0.0, 0.0)))
    if name == "csv" and run.facts.inputs in ("rows", "text"):
        given = {text.partition("=")[0].removeprefix("dataset.") for text in changed}
        dialect = {name: settings[name] for name in given & {*DIALECT}}
        return [labelled_rows(settings["path"], run.facts, **dialect)[1:]]
    return examples_of(run, read_whole(name, seed, dict(settings)))


def examples_of(run: Any, dataset: Dataset) -> list[Examples]:
    """Return the splits of a data set with the run's labels; unknown classes are left out.

    Raises:
        RunError: The examples do not fit the run.
    """
    facts = run.facts
    evaluation.check_inputs(run, dataset)
    arrays = tuple(f"x{number}" for number in range(1, 1 + len(dataset.feature_names)))
    columns = [data.encoding.get("columns") for data in (dataset, facts)]
    other = dataset.feature_names not in (facts.feature_names, arrays)
    if other or (all(columns) and columns[0] != columns[1]):
        raise RunError(f"{run.path}: {dataset.name} has other columns: give its file")
    labels = _labels(run, dataset)
    if not facts.class_names:
        return [(x, y) for x, y in dataset.splits.values() if len(y)]
    unknown = ", ".join(name for name, k in zip(dataset.class_names, labels, strict=True) if k < 0)
    if unknown:
        warnings.warn(f"examples of unknown classes are left out: {unknown}", stacklevel=3)
    known = ((x, labels[y]) for x, y in dataset.splits.values())
    rows = [(x, y, np.flatnonzero(y >= 0)) for x, y in known]
    return [(x.take(at, axis=0), y[at]) for x, y, at in rows if len(at)]


def _labels(run: Any, dataset: Dataset) -> np.ndarray:
    """Return the run's label of each class of a data set; -1 for an unknown class."""
    own, names = list(run.facts.class_names), dataset.class_names
    if bool(own) != bool(names) or not {*names} & {*own}:
        if not {*names} <= {*map(str, range(len(own)))}:
            evaluation.check_fit(run, dataset)  # no class is known
        return np.array([int(name) for name in names], int)  # the labels are positions
    return np.array([own.index(name) if name in own else -1 for name in names])


def _own(run: Any) -> tuple[Dataset | None, list[Examples]]:
    """Return the run's data if it is unchanged, and its examples."""
    name, seed, settings = run.data_settings()
    fault = DatasetError(f"{run.path}: the data has changed since this run was trained")
    try:
        dataset = read_dataset(name, seed, settings)
        if fingerprint(dataset) == run.facts.fingerprint:
            return dataset, [*dataset.splits.values()]
    except DatasetError as error:
        fault = error
    if not (run.path / FILE).is_file() or "path" not in settings:
        raise fault
    return None, examples(run, name, seed, settings)


def _sizes(parts: Sequence[Examples]) -> list[int]:
    return [len(y) for _, y in parts]


def _places(run: Any, parts: Sequence[Examples]) -> "pd.DataFrame":
    """Return `part`, the split of each example or `new`, and `place`, its number in the training.

    The copies of an example are assigned to the splits in order. More copies than the run had
    belong to the first split that has it, without a place.
    """
    path = run.path / FILE
    if not path.is_file():  # of an earlier version: other data is measured whole
        return pd.DataFrame({"part": ["all"] * sum(_sizes(parts)), "place": None})
    try:
        known = read_arrays(path)
        splits = [pd.DataFrame({"digest": known[part], "part": part}) for part in PARTS]
    except DAMAGED as error:
        raise RunError(f"{path}: is damaged ({error})") from None
    seen = pd.concat(splits, ignore_index=True).rename_axis("place").reset_index()
    new = pd.DataFrame({"digest": np.concatenate([digests(x, y) for x, y in parts])})
    for frame in (seen, new):
        frame["copy"] = frame.groupby("digest").cumcount()
    places: Any = new.merge(seen, how="left", on=["digest", "copy"])[["part", "place"]]
    first = new.merge(seen.drop_duplicates("digest"), how="left", on="digest")["part"]
    places["part"] = places["part"].fillna(first).fillna("new").astype(object)
    return places
