"""What is known of a run: its curves, its data, its layers; the evidence of a diagnosis."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.datasets import Dataset
    from dlcourse.diagnosis import Evidence
    from dlcourse.runs import Run


def examine(run: "Run") -> tuple["Evidence", str]:
    """Return what is known of a run, and a note on what is not; the data and model are probed.

    Raises:
        RunError: the run's files are missing or broken, or its data has changed since.
    """
    from dlcourse.datasets import DatasetError
    from dlcourse.diagnosis import evidence
    from dlcourse.recipe import load_recipe

    recipe = load_recipe(run.file("recipe.yaml"))
    task = run.dataset["task"]
    metrics = run.metrics if run.finished else {}
    epochs, planned = int(metrics.get("epochs_run", 0)), recipe.training.epochs
    known: dict[str, Any] = {
        "val_examples": run.dataset.get("examples", {}).get("val"),
        "stopped_early": bool(metrics) and "diverged" not in metrics and epochs < planned,
        "evaluated": {part: metrics[part] for part in ("train", "val") if part in metrics},
    }
    note = "" if metrics else "the training is not finished: its curves so far are read"
    try:
        known |= _probed(run, recipe)
    except DatasetError as error:
        known["classes"] = len(run.dataset["class_names"]) or None
        note = f"without the data there is no X-ray: {error}"
    read = evidence(
        _history(run, "diverged" in metrics),
        task=task,
        baseline=1.0 if task == "regression" else None,
        settings=recipe.model_dump(),
        **known,
    )
    return read, note


def _history(run: "Run", diverged: bool) -> dict[str, list[float]]:
    """Return the run's history; a diverged training has an epoch of NaN more."""
    from dlcourse.errors import RunError

    if not diverged:
        return run.history
    try:
        return {key: [*values, float("nan")] for key, values in run.history.items()}
    except RunError:  # it broke in the first epoch
        return {"loss": [float("nan")]}


def _probed(run: "Run", recipe: Any) -> dict[str, Any]:
    """Return what the data and the model tell: class counts, duplicates, layer statistics."""
    import numpy as np

    from dlcourse.datasets import fingerprint
    from dlcourse.errors import RunError
    from dlcourse.training import prepare
    from dlcourse.xray import XRAY, read_xray, xray

    prepared = prepare(recipe)  # the untrained model, as it was before the first step
    dataset = prepared.dataset
    if fingerprint(dataset) != run.dataset["fingerprint"]:
        raise RunError(f"{run.path}: the data has changed since this run was trained")
    if (run.path / XRAY).exists():
        layers = read_xray(run)
    else:
        layers = {0: xray(prepared.model, dataset.x_train, dataset.y_train)}
        if run.finished and (kept := run.metrics["best_epoch"]):
            layers[kept] = xray(run.model, dataset.x_train, dataset.y_train)
    known: dict[str, Any] = {"xray": layers, "duplicates": duplicates(dataset)}
    if dataset.task != "regression":
        counts = np.bincount(dataset.y_train, minlength=len(dataset.class_names))
        known["class_counts"] = tuple(counts.tolist())
    return known


def duplicates(dataset: "Dataset") -> float:
    """Return the share of validation or test examples, whichever is larger, seen in training."""
    seen = {row.tobytes() for row in dataset.x_train}
    return max(_share(x, seen) for x in (dataset.x_val, dataset.x_test))


def _share(x: "np.ndarray", seen: set[bytes]) -> float:
    return sum(row.tobytes() in seen for row in x) / len(x)


def layer_readings(run: "Run", read: "Evidence") -> list[Any]:
    """Return the kept model's layers on real examples, if model and data are there."""
    if not (read.xray and run.finished):
        return []
    from dlcourse.datasets import load_dataset
    from dlcourse.recipe import load_recipe
    from dlcourse.xray import read_layers

    recipe = load_recipe(run.file("recipe.yaml"))
    dataset = load_dataset(recipe.dataset.name, recipe.seed, **recipe.settings("dataset"))
    return read_layers(run.model, dataset.x_train, dataset.y_train)
