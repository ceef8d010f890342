"""The evidence of a run for a diagnosis: its curves, data and layers."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlcourse.datasets.dataset import digests
from dlcourse.lab.diagnosis.evidence import norm_start
from dlcourse.lab.diagnosis.findings import THRESHOLDS

if TYPE_CHECKING:
    from dlcourse.datasets import Dataset
    from dlcourse.lab.diagnosis import Evidence
    from dlcourse.runs import Run

FEW_TOKENS = 3


class Examination(NamedTuple):
    """The evidence of a run, a note on what is missing, and the data if available."""

    evidence: "Evidence"
    note: str
    dataset: "Dataset | None"


def examine(run: "Run") -> Examination:
    """Return the evidence of a run; its data and model are examined.

    Raises:
        RunError: The run's files are missing or broken, or its data has changed since.
    """
    from dlcourse.configuration.recipe import run_recipe
    from dlcourse.errors import DatasetError
    from dlcourse.lab.diagnosis import evidence

    recipe = run_recipe(run)
    task = run.facts.task
    metrics = run.metrics if run.finished else {}
    epochs, planned = int(metrics.get("epochs_run", 0)), recipe.training.epochs
    known: dict[str, Any] = {
        "val_examples": run.facts.examples.get("val"),
        "stopped_early": bool(metrics) and "diverged" not in metrics and epochs < planned,
        "naive": metrics.get("naive", {}).get("val"),
        "evaluated": {part: metrics[part] for part in ("train", "val") if part in metrics},
    }
    note = "" if metrics else "the training is not finished: its curves so far are used"
    dataset = None
    try:
        dataset, probed = _probed(run, recipe)
        known |= probed
    except DatasetError as error:
        known["classes"] = len(run.facts.class_names) or None
        note = f"without the data there is no X-ray: {error}"
    known |= {"task": task, "settings": recipe.model_dump()}
    known["baseline"] = 1.0 if task == "regression" else None
    return Examination(evidence(_history(run, "diverged" in metrics), **known), note, dataset)


def _history(run: "Run", diverged: bool) -> dict[str, list[float]]:
    """Return the history of the run; a diverged training gets a further epoch of NaN."""
    from dlcourse.errors import RunError

    if not diverged:
        return run.history
    try:
        return {key: [*values, float("nan")] for key, values in run.history.items()}
    except RunError:  # it diverged in the first epoch
        return {"loss": [float("nan")]}


def _probed(run: "Run", recipe: Any) -> tuple["Dataset", dict[str, Any]]:
    """Return the data, and its class counts, duplicates and layer statistics."""
    from dlcourse.datasets import fingerprint
    from dlcourse.errors import DatasetError
    from dlcourse.lab.diagnosis.xray import XRAY, read_xray, xray
    from dlcourse.runs.evaluation import by_token
    from dlcourse.training import prepare

    untrained, dataset = None, run.load_dataset()
    if not recipe.base:  # the model before its first step, also without a GPU
        anywhere = recipe.training.model_copy(update={"device": "auto"})
        untrained = prepare(recipe.model_copy(update={"training": anywhere}), dataset).model
    if fingerprint(dataset) != run.facts.fingerprint:
        raise DatasetError(f"{run.path}: the data has changed since this run was trained")
    if (run.path / XRAY).exists():
        layers = read_xray(run)
    else:
        layers = {}
        if untrained is not None:
            layers[0] = xray(untrained, dataset.x_train, dataset.y_train)
        if run.finished and (kept := run.metrics["best_epoch"]):
            layers[kept] = xray(run.model, dataset.x_train, dataset.y_train)
    known: dict[str, Any] = {"xray": layers, "duplicates": duplicates(dataset)}
    known["leak"] = leaking_column(dataset)
    if run.finished:
        n, epochs = len(dataset.x_train), range(run.metrics["epochs_run"])
        steps = sum(recipe.training.steps_in(epoch, n) for epoch in epochs)
        known["norm_start"] = norm_start(untrained or run.model, steps)
    if dataset.task != "regression":
        labels, _ = by_token(dataset.y_train, dataset.y_train)
        counts = np.bincount(labels, minlength=len(dataset.class_names))
        known["class_counts"] = tuple(counts.tolist())
    return dataset, known


def duplicates(dataset: "Dataset") -> float:
    """Return the share of validation or of test examples seen in training, the larger one.

    It is 0 for a table whose rows repeat by nature: equal rows have different targets, or the
    columns have fewer combinations of values than there are rows. It is 0 for a series, too. Texts
    of few known tokens repeat by nature and do not count.
    """
    if "series" in dataset.encoding:  # its stretches are apart
        return 0.0
    splits = (dataset.x_train, dataset.x_val, dataset.x_test)
    train, *others = (digests(x, np.zeros(len(x))) for x in splits)
    seen: dict[int, set] = {}
    for digest, y in zip(train.tolist(), dataset.y_train, strict=True):
        seen.setdefault(digest, set()).add(y.tobytes())
    if dataset.x_train.ndim == 2:
        repeated = len(dataset.y_train) - len(seen)
        contrary = sum(len(targets) - 1 for targets in seen.values())
        values = [len(np.unique(column)) for column in dataset.x_train.T]
        if contrary > 0.05 * repeated or np.prod(values, dtype="float64") < len(dataset.y_train):
            return 0.0
    counted = [np.ones(len(x), bool) for x in splits[1:]]
    if dataset.x_train.dtype == "int32":  # tokens
        counted = [(x > 1).sum(axis=1) > FEW_TOKENS for x in splits[1:]]
    pairs = zip(others, counted, strict=True)
    return max(float((np.isin(part, train) & long).mean()) for part, long in pairs)


def leaking_column(dataset: "Dataset") -> tuple[str, str] | None:
    """Return a table's column that gives the target away alone, and how; None if there is none.

    It counts the rows of a sorted file (different whole numbers in equal steps), or has no more
    values than the target has classes. Its nearest neighbour in the training split is asked.
    """
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kind = KNeighborsRegressor if dataset.task == "regression" else KNeighborsClassifier
    if dataset.x_train.ndim != 2 or not dataset.feature_names:  # not a table
        return None
    columns = [name.partition("=")[0] for name in dataset.feature_names]
    x = np.concatenate([x for x, _ in dataset.splits.values()])
    for name in dict.fromkeys(columns) if len(set(columns)) > 1 else ():
        at = [place for place, column in enumerate(columns) if column == name]
        values, counts = np.unique(x[:, at], axis=0, return_counts=True)
        steps, few = np.diff(values[:, 0]), len(values) <= max(2, len(dataset.class_names))
        unlike = counts.max() > 1 or (values % 1).any() or (steps == steps.min()).mean() < 0.5
        if few or not unlike:
            nearest = kind(1).fit(dataset.x_train[:, at], dataset.y_train)
            score, chance = nearest.score(dataset.x_val[:, at], dataset.y_val), 0.0
            if dataset.class_names:
                chance = np.bincount(dataset.y_val).max() / len(dataset.y_val)
            least = 1.0 if few else THRESHOLDS["gives_away"]
            if score - chance >= least * (1 - chance):
                return name, "is the target under another name" if few else "counts the rows"
    return None
