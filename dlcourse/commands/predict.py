"""dlcourse predict: class and probability of the user's own images or rows."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, write, write_json
from dlcourse.errors import UserError
from dlcourse.quiet import import_keras
from dlcourse.text_table import text_table

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.datasets.facts import DataFacts
    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse predict",
        description="Predict image files, or the rows of CSV files, with a saved run.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="images or folders of images; CSV files for a table",
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--invert", action="store_true", help="swap dark and light (digits are light on dark)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.file("model.keras")
    images = run.facts.inputs == "images"
    read = _read_image if images else _read_rows
    files = _files(arguments.files, images)
    found, bad = [], 0
    for file in files:
        try:
            found.append(read(run, file, arguments.invert))
        except UserError as error:
            print_error(str(error))
            bad += 1
    if not found:
        return 2
    import numpy as np

    import_keras()
    from dlcourse.runs.evaluation import outputs

    names = [name for some, _ in found for name in some]
    inputs = np.concatenate([values for _, values in found])
    rows = predictions(names, outputs(run.model, inputs), run.facts)
    if arguments.json:
        write_json(rows)
    else:
        write(_table(rows))
    return 1 if bad else 0


def _files(named: list[str], images: bool) -> list[str]:
    """Return the files, those of a named folder included."""
    found: list[str] = []
    for name in named:
        folder = Path(name)
        inside = sorted(folder.iterdir()) if images and name and folder.is_dir() else []
        found += [str(file) for file in inside if file.name[0] != "."] or [name]
    return found


def _read_image(run: "Run", file: str, invert: bool) -> tuple[list[str], "np.ndarray"]:
    """Return the name and the image `(1, height, width, channels)` in the run's value range."""
    from dlcourse.datasets.image_folder import read_example

    return [file], read_example(file, run.facts, invert=invert)[None]


def _read_rows(run: "Run", file: str, _: bool) -> tuple[list[str], "np.ndarray"]:
    """Return names (`file:row`) and rows `(n, features)` in the run's own columns."""
    from dlcourse.datasets.csv import encode_rows

    columns = [{"name": name, "kind": "number"} for name in run.facts.feature_names]
    encoding = run.facts.encoding or {"columns": columns, "separator": ","}
    rows = encode_rows(file, encoding)
    return [f"{file}:{row}" for row in range(1, len(rows) + 1)], rows


def predictions(
    names: list[str], outputs: "np.ndarray", facts: "DataFacts"
) -> list[dict[str, Any]]:
    """Return a record an input: its class, probability and all classes', or its prediction."""
    if facts.task == "regression":
        return [
            {"input": name, "prediction": float(value)}
            for name, value in zip(names, outputs, strict=True)
        ]
    return [
        {
            "input": name,
            "class": facts.class_names[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(facts.class_names, map(float, row), strict=True)),
        }
        for name, row in zip(names, outputs, strict=True)
    ]


def _table(rows: list[dict[str, Any]]) -> str:
    if "prediction" in rows[0]:
        lines = [[row["input"], f"{row['prediction']:.6g}"] for row in rows]
        return text_table(["input", "prediction"], lines)
    lines = []
    for row in rows:
        name, second = sorted(row["probabilities"].items(), key=lambda item: -item[1])[1]
        start = [row["input"], row["class"], f"{row['probability']:.4f}"]
        lines.append([*start, f"{name} {second:.4f}"])
    return text_table(["input", "class", "probability", "next"], lines)
