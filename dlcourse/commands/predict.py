"""dlcourse predict: class and probability of your own images, rows or texts."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, write_json
from dlcourse.errors import UserError
from dlcourse.quiet import write

if TYPE_CHECKING:
    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse predict",
        description="Predict image files, the rows of CSV files, or texts with a saved run.",
    )
    text = "images, texts, or folders of them; CSV files for a table; npz files of arrays x, …"
    parser.option("files", text, "FILE", nargs="*")
    parser.option("--text", "a text, for a run on text; may be repeated", "TEXT", action="append")
    parser.option("--run", "the run's folder", "DIR", required=True)
    text = "texts to draw from a language model, N per temperature"
    parser.option("--sample", text, "N", type=int)
    text, usual = "temperatures of the draws (default: 0.5 1 1.5)", [0.5, 1.0, 1.5]
    parser.option("--temperature", text, "T", type=float, nargs="+", default=usual)
    parser.option("--as-is", "read pictures whole, without looking for drawn digits")
    parser.option("--invert", "swap dark and light, and read pictures as they are")
    parser.option("--out", "also write the answers to a CSV file", "FILE")
    parser.option("--json", "print JSON")
    arguments = parser.parse_intermixed_args(argv)
    if not arguments.files and arguments.text is None and arguments.sample is None:
        parser.error("give a FILE, or --text for a run on text")
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.lab.prediction import files_of, predictions, read_file, read_texts
    from dlcourse.runs import read_run, write_rows

    if arguments.out and Path(arguments.out).expanduser().exists():
        raise UserError(f"--out: {arguments.out} exists already: choose another name")
    run = read_run(arguments.run)
    run.refuse_untrained()
    if arguments.sample is not None:
        return _sample(run, arguments)
    read, bad = [], 0
    if arguments.text is not None:
        read.append(read_texts(run, arguments.text))
    for file in (file for path in arguments.files for file in files_of(path, run.facts)):
        try:
            read.append(read_file(run, file, as_is=arguments.as_is, invert=arguments.invert))
        except UserError as error:
            print_error(str(error))
            bad += 1
    if not read:
        return 2
    rows = predictions(run, read)
    if arguments.out:
        write_rows(Path(arguments.out).expanduser(), [_flat(row) for row in rows])
    if arguments.json:
        write_json(rows)
    else:
        write(str(rows))
        if any(row.get("prepared") for row in rows):
            write(f"\nas the network sees them: {run.path / 'prepared'}")
    return 1 if bad else 0


def _sample(run: "Run", arguments: argparse.Namespace) -> int:
    """Write texts by temperature, and the share of them that is not among the run's own."""
    from dlcourse.lab.sampling import invented, sample

    start, rows = " ".join(arguments.text or ()), []
    for temperature in arguments.temperature:
        texts = sample(run, arguments.sample, temperature=temperature, start=start)
        row = {"temperature": temperature, "texts": texts, "invented": invented(run, texts)}
        rows.append(row)
        if not arguments.json:
            share = f"temperature {temperature:g}, {row['invented']:.0%} invented: "
            write(share + ", ".join(texts))
    if arguments.json:
        write_json(rows)
    return 0


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with one column per class for its probabilities."""
    return {key: value for key, value in row.items() if key != "probabilities"} | {
        f"probability of {name}": value for name, value in row.get("probabilities", {}).items()
    }
