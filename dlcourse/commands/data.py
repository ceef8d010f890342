"""dlcourse data: what the columns of a table are taken as, before any training."""

import argparse

from dlcourse.commands.command_line import Parser, run_command
from dlcourse.errors import RecipeError
from dlcourse.quiet import write

EXAMPLE = """\
examples:
  dlcourse data houses.csv
  dlcourse data houses.csv --target price missing=drop "ignore=[id, address]"
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse data",
        description="Show the columns of a table: what each is taken as, its gaps and its range.",
        epilog=EXAMPLE,
    )
    parser.option("file", "CSV file, also .gz, or an Excel workbook", "FILE")
    parser.option("--target", "the column to predict: splits, too", "COLUMN")
    parser.option("settings", "a setting of csv", "key=value", nargs="*")
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.configuration.yaml_source import Source, apply
    from dlcourse.datasets import load_dataset
    from dlcourse.datasets.csv import overview

    source = Source("csv", {})
    for override in arguments.settings:
        apply(source, override)
    if "path" in source.data:
        raise RecipeError("the file is given before the settings", setting="path", of="csv")
    target = source.data.pop("target", arguments.target)
    if target is None:
        write(str(overview(arguments.file, **source.data)))
    else:
        data = load_dataset("csv", arguments.file, target, **source.data)
        write(f"{data.columns}\n\n{data.summary}")
    return 0
