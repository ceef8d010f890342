"""dlcourse export: a run's model for other runtimes, compared with Keras and timed."""

import argparse
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, write_json
from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.quiet import held_back_stderr, import_keras, write
from dlcourse.text_table import text_table

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.lab.exporting import Exported
    from dlcourse.runs import Run

FORMATS = ("onnx", "litert", "saved_model")
DESCRIPTION = """\
Write a run's model for ONNX Runtime (model.onnx), for LiteRT, once called TensorFlow Lite
(model.tflite), or as TensorFlow's saved_model; load each again in its own runtime, compare it
with Keras on the test split, and time both. A model that differs by more than 1e-4 (in a
regression: relative to the largest prediction) is not written."""
EXAMPLE = """\
examples:
  dlcourse export --run runs/pets --to onnx
  dlcourse export --run runs/pets --to onnx litert saved_model --out app/models
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse export", description=DESCRIPTION, epilog=EXAMPLE)
    parser.option("--run", "the run's folder", "DIR", required=True)
    how = {"nargs": "+", "action": "extend", "choices": FORMATS}
    parser.add_argument("--to", required=True, help="formats to write", **how)
    parser.option("--out", "folder to write to (default: export in the run's folder)", "DIR")
    parser.option("--json", "print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.refuse_generator()
    run.file("model.keras")
    formats = list(dict.fromkeys(arguments.to))
    folder = Path(arguments.out).expanduser() if arguments.out else run.path / "export"
    from dlcourse.lab import exporting
    from dlcourse.lab.exporting.columns import names, with_columns
    from dlcourse.models.layers import masks

    exporting.check_installed(formats)
    exporting.one_thread()
    import_keras()
    _check_backend()
    with held_back_stderr():
        model = exporting.in_float32(run.model)
        x, source = exporting.inputs_of(run)
        padded, columns = masks(model.layers), run.facts.encoding.get("columns")
        if run.facts.inputs == "rows" and columns:
            model, x = with_columns(model, x, columns)
    known = names(run.facts, padded=padded)
    if not arguments.json:
        write(_head(run, model, source, known))
    if exported := _exported(model, formats, folder, x, known):
        with held_back_stderr():
            rows = exporting.measured(run, model, exported, x)
        if arguments.json:
            write_json({"compared_on": source, "formats": rows})
        else:
            write(_table(rows, exported))
    return 0 if len(exported) == len(formats) else 1


def _check_backend() -> None:
    if (backend := keras.backend.backend()) != "tensorflow":
        raise UserError(f"export needs the tensorflow backend, not {backend}: unset KERAS_BACKEND")


def _exported(
    model: Any, formats: list[str], folder: Path, x: "np.ndarray", names: dict[str, Any]
) -> dict[str, "Exported"]:
    """Return the exported formats; print an error for each that failed."""
    from dlcourse.lab.exporting import export

    exported = {}
    for name in formats:
        try:
            with held_back_stderr():
                exported[name] = export(model, name, folder, x, names)
        except UserError as error:
            print_error(str(error))
    return exported


def _head(run: "Run", model: Any, source: str, names: dict[str, Any]) -> str:
    shape = ", ".join(["n", *map(str, model.inputs[0].shape[1:])])
    (low, high), (first, *_) = run.facts.value_range, names["inputs"]
    values, kind = f"raw values {low:g} to {high:g}", run.facts.inputs
    if kind == "text":
        values = f"positions of {first['tokens']} in the vocabulary, 1 for others, 0 after the end"
    if kind == "sequences":
        values += f"; {first['padding']:g} after the end" if "padding" in first else ""
    if kind == "rows":
        values = shorten(", ".join(one["name"] for one in names["inputs"]), 60, placeholder=", …")
        if any("categories" in one for one in names["inputs"]):
            values += "; a word is the position of its category"
    vocabulary = ", and the vocabulary" * (kind == "text")
    return (
        f"run       {run.path}\n"
        f"input     {model.inputs[0].dtype} ({shape}), any n: {values}\n"
        f"names     of the inputs and classes{vocabulary}: names.json in the model\n"
        f"compared  on {source}\n"
        "timed     on the CPU, one thread: median microseconds per input, batches of 1 and 256"
    )


def _table(rows: list[dict[str, Any]], exported: dict[str, "Exported"]) -> str:
    head = ["format", "runtime", "size", "difference", "CPU 1", "wall 1", "CPU 256", "wall 256"]
    lines = [
        [
            row["format"],
            row["runtime"],
            _size(row["bytes"]),
            f"{row['difference']:.1e}" if row["format"] in exported else "",
            *(f"{time:.4g}" for taken in row["microseconds"].values() for time in taken.values()),
        ]
        for row in rows
    ]
    allowed = next(iter(exported.values())).allowed
    wrote = [f"wrote     {model.path}" for model in exported.values()]
    allowed = f"allowed   a largest difference of {allowed:.1e}"
    return "\n".join(["", text_table(head, lines), "", allowed, *wrote])


def _size(count: int) -> str:
    kib = count / 1024
    return f"{kib:,.1f} KiB" if kib < 1024 else f"{kib / 1024:,.1f} MiB"
