"""python -m dlcourse.diagnose: what a run's curves and layers show, and one thing to try."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.command_line import Parser, import_keras, run_command, write

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.datasets import Dataset
    from dlcourse.diagnosis import Evidence, Finding, LayerStatistics
    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="python -m dlcourse.diagnose",
        description="Tell what a run's curves and layers show, most serious first, and what to "
        "try; save figures/diagnosis.png and figures/xray.png in the run.",
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.file("dataset.json")
    import_keras()
    from dlcourse.diagnosis import diagnose_evidence

    read, note = examine(run)
    findings = diagnose_evidence(read)
    paths = _save_figures(run, read, findings)
    if arguments.json:
        import json

        write(json.dumps(_as_json(run, read, findings, note), indent=2, ensure_ascii=False))
        return 0
    write(f"run     {run.path}")
    if note:
        write(f"note    {note}")
    for number, finding in enumerate(findings, 1):
        write(f"\n{number}. {finding}")
    if not findings:
        write("\nno finding: too little is known, or nothing stands out")
    if read.xray:
        write("\n" + layer_table(read))
    write("".join(f"\nfigure  {path}" for path in paths))
    return 0


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


def layer_table(read: "Evidence") -> str:
    """Return the layers at the last probe as text."""
    epoch = max(read.xray)
    when = f"after epoch {epoch}" if epoch else "before training"
    names = ("mean", "spread", "saturated", "dead", "gradient", "grad/weight", "equal")
    lines = [f"{when:<18}{'activation':<12}" + "".join(f"{name:>12}" for name in names)]
    return "\n".join([*lines, *map(_layer_line, read.xray[epoch])])


def _layer_line(layer: "LayerStatistics") -> str:
    shares = "".join(f"{share:>12.0%}" for share in (layer.saturated, layer.dead))
    gradients = f"{layer.gradient_norm:>12.2g}{layer.gradient_to_weight:>12.2g}"
    numbers = f"{layer.mean:>12.3g}{layer.spread:>12.3g}{shares}{gradients}{layer.equal:>12.0%}"
    return f"{layer.name:<18}{layer.activation:<12}{numbers}"


def _as_json(run: "Run", read: "Evidence", findings: "list[Finding]", note: str) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "note": note,
        "findings": [finding.as_dict() for finding in findings],
        "xray": {
            str(epoch): [layer._asdict() for layer in layers] for epoch, layers in read.xray.items()
        },
    }


def _save_figures(run: "Run", read: "Evidence", findings: "list[Finding]") -> list[Path]:
    """Write the curves with their findings, and the layers where the model and data are there."""
    from dlcourse import plots
    from dlcourse.figures import save_figure

    marked = [(finding.title, finding.epoch) for finding in findings]
    history = {key: list(values) for key, values in read.history.items()}
    drawings: dict[str, Callable[[Any], Any]] = {
        "diagnosis": lambda figure: plots.diagnosed_curves(history, marked, figure=figure)
    }
    if readings := _readings(run, read):
        drawings["xray"] = lambda figure: plots.layer_histograms(readings, figure=figure)
    folder = run.path / "figures"
    return [save_figure(folder / f"{name}.png", draw) for name, draw in drawings.items()]


def _readings(run: "Run", read: "Evidence") -> list[Any]:
    """Return the kept model's layers on real examples, if model and data are there."""
    if not (read.xray and run.finished):
        return []
    from dlcourse.datasets import load_dataset
    from dlcourse.recipe import load_recipe
    from dlcourse.xray import read_layers

    recipe = load_recipe(run.file("recipe.yaml"))
    dataset = load_dataset(recipe.dataset.name, recipe.seed, **recipe.settings("dataset"))
    return read_layers(run.model, dataset.x_train, dataset.y_train)


if __name__ == "__main__":
    raise SystemExit(main())
