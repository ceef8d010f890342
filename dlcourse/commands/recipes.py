"""dlcourse recipes: the shipped recipes as a table."""

import argparse
import re
from itertools import zip_longest
from textwrap import wrap

from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.quiet import write
from dlcourse.text_table import text_table

SHOWS_WIDTH = 58  # a line with the longest name and score is then 118 columns wide


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse recipes",
        description="Print the shipped recipes: what each one shows and the score it reached.",
    )
    parser.option("--json", "print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.configuration.shipped import GENERATION, recipes

    shipped = [*recipes(), *recipes(GENERATION)]
    if arguments.json:
        write_json(shipped)
        return 0
    rows = [row for recipe in shipped for row in _rows(recipe)]
    write(text_table(["recipe", "shows", "test, mean"], rows))
    write("\nTrain one: python -m dlcourse.train --config NAME")
    return 0


def _rows(recipe: dict[str, str]) -> list[list[str]]:
    """Return a recipe's row, and further rows if its description does not fit on one."""
    mean = re.sub(r" \(.*?\)", "", recipe["measured"])  # without the range over the seeds
    mean = re.sub(", (train_on|anomaly).*", "", mean)  # the first number of generation
    shows = wrap(recipe["shows"], SHOWS_WIDTH)
    return [list(row) for row in zip_longest([recipe["name"]], shows, [mean], fillvalue="")]
