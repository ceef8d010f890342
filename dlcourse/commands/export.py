"""dlcourse export: a run's model for other runtimes, compared with Keras and timed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, write
from dlcourse.errors import DatasetError, RunError, UserError
from dlcourse.quiet import held_back_stderr, import_keras

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.lab.exporting import Exported
    from dlcourse.runs import Run

FORMATS = ("onnx", "litert", "saved_model")
COMPARED = 1000
DESCRIPTION = """\
Write a run's model for ONNX Runtime (model.onnx), for LiteRT, once called TensorFlow Lite
(model.tflite), or as TensorFlow's saved_model; load each again in its own runtime, compare it
with Keras on the test split, and time both. One that differs by more than 1e-4 (in a
regression: of the largest prediction) is not written."""
EXAMPLE = """\
examples:
  dlcourse export --run runs/pets --to onnx
  dlcourse export --run runs/pets --to onnx litert saved_model --out app/models
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse export",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--to", required=True, nargs="+", action="extend", choices=FORMATS, help="formats"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="where to write (default: export in the run's folder)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.file("model.keras")
    formats = list(dict.fromkeys(arguments.to))
    folder = Path(arguments.out).expanduser() if arguments.out else run.path / "export"
    from dlcourse.lab.exporting import check_installed, in_float32, one_thread

    check_installed(formats)
    one_thread()
    import_keras()
    _check_backend()
    with held_back_stderr():
        model = in_float32(run.model)
        x, words = _inputs(run)
    if not arguments.json:
        write(_head(run, model, words))
    done = _exported(model, formats, folder, x)
    if done:
        rows = _rows(run, model, done, x)
        write(_json(words, rows) if arguments.json else _table(rows, done))
    return 0 if len(done) == len(formats) else 1


def _check_backend() -> None:
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise UserError(f"export needs the tensorflow backend, not {backend}: unset KERAS_BACKEND")


def _inputs(run: "Run") -> tuple["np.ndarray", str]:
    """Return inputs to compare on, and what they are: of the test split, where it can be had."""
    import numpy as np

    from dlcourse.configuration.recipe import run_recipe
    from dlcourse.lab.exporting import random_inputs
    from dlcourse.runs.evaluation import check_fit

    recipe = run_recipe(run)
    try:
        dataset = recipe.load_dataset()
        check_fit(run, dataset)
    except (DatasetError, RunError) as error:
        inputs = random_inputs(run.model, run.facts.value_range, COMPARED)
        return inputs, f"{COMPARED:,} random inputs, for the run's own are not at hand: {error}"
    n = len(dataset.x_test)
    chosen = np.linspace(0, n - 1, min(n, COMPARED)).astype(int)
    kind = "images" if dataset.x_test.ndim > 2 else "rows"
    return dataset.x_test[chosen], f"{len(chosen):,} of {n:,} test {kind} of {dataset.name}"


def _exported(
    model: Any, formats: list[str], folder: Path, x: "np.ndarray"
) -> dict[str, "Exported"]:
    """Return what could be exported; say what could not."""
    from dlcourse.lab.exporting import export

    done = {}
    for name in formats:
        try:
            with held_back_stderr():
                done[name] = export(model, name, folder, x)
        except UserError as error:
            print_error(str(error))
    return done


def _rows(
    run: "Run", model: Any, done: dict[str, "Exported"], x: "np.ndarray"
) -> list[dict[str, Any]]:
    """Return size, difference and speed of each format, Keras first."""
    from importlib.metadata import version

    from dlcourse.lab import exporting

    ways = {"keras": model.predict_on_batch, **{name: one.predict for name, one in done.items()}}
    with held_back_stderr():
        times = {batch: exporting.microseconds(ways, x, batch) for batch in exporting.BATCHES}
    paths = {"keras": run.file("model.keras"), **{name: one.path for name, one in done.items()}}
    runtimes = {"keras": "keras", **{name: exporting.FORMATS[name].packages[-1] for name in done}}
    return [
        {
            "format": way,
            "path": str(paths[way]),
            "runtime": f"{runtimes[way]} {version(runtimes[way])}",
            "bytes": exporting.size(paths[way]),
            "difference": done[way].difference if way in done else 0.0,
            "microseconds": {
                batch: dict(zip(("cpu", "wall"), found[way], strict=True))
                for batch, found in times.items()
            },
        }
        for way in ways
    ]


def _json(words: str, rows: list[dict[str, Any]]) -> str:
    import json

    return json.dumps({"compared_on": words, "formats": rows}, indent=2)


def _head(run: "Run", model: Any, words: str) -> str:
    shape = ", ".join(["n", *map(str, model.inputs[0].shape[1:])])
    low, high = run.facts.value_range
    values = f"raw values {low:g} to {high:g}" if len(model.inputs[0].shape) > 2 else "raw rows"
    return (
        f"run       {run.path}\n"
        f"input     float32 ({shape}), any n: {values}\n"
        f"compared  on {words}\n"
        "timed     on the CPU, one thread: median microseconds an input"
    )


def _table(rows: list[dict[str, Any]], done: dict[str, "Exported"]) -> str:
    lines = [
        f"\n{'':<43}{'largest':>12}{'one a call':>17}{'256 a call':>17}",
        f"{'format':<12}{'runtime':<21}{'size':>10}{'difference':>12}"
        + f"{'CPU':>9}{'wall':>8}" * 2,
    ]
    for row in rows:
        difference = f"{row['difference']:.1e}" if row["format"] in done else ""
        times = "".join(
            f"{taken['cpu']:>9.4g}{taken['wall']:>8.4g}" for taken in row["microseconds"].values()
        )
        start = f"{row['format']:<12}{row['runtime']:<21}{_size(row['bytes']):>10}"
        lines.append(f"{start}{difference:>12}{times}")
    allowed = next(iter(done.values())).allowed
    lines.append(f"\nallowed   a difference of {allowed:.1e}")
    return "\n".join([*lines, *(f"wrote     {one.path}" for one in done.values())])


def _size(count: int) -> str:
    kib = count / 1024
    return f"{kib:,.1f} KiB" if kib < 1024 else f"{kib / 1024:,.1f} MiB"
