"""The commands: arguments and printing. `main` runs the one that is named."""

import sys
from importlib import import_module

from dlcourse import __version__
from dlcourse.commands.command_line import print_error
from dlcourse.quiet import write

COMMANDS = {
    "train": "train a recipe, print its metrics, save its run",
    "recipes": "the shipped recipes: what each shows and the score it reached",
    "data": "the columns of your table: what each is taken as, gaps, ranges",
    "evaluate": "the metrics of a saved run, by split and by class",
    "diagnose": "what a run's curves and layers show, and one thing to try",
    "predict": "class and probability of your own images or rows",
    "visualize": "a run on one page: metrics, findings, curves, what its network sees",
    "find_lr": "the learning rate that suits a recipe, by a range test",
    "compare": "recipes and classic machine learning on the same splits: score and cost",
    "export": "a run's model for ONNX Runtime, LiteRT or TensorFlow, compared",
    "errata": "every number of the slides, checked",
    "explain": "one calculation of the course step by step, with your own numbers",
    "runs": "the runs as a table, best first",
}


def main(argv: list[str] | None = None) -> int:
    """Run the named command, or list them all; return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        write(_help())
        return 0
    if arguments[0] == "--version":
        write(__version__)
        return 0
    if arguments[0] not in COMMANDS:
        print_error(f"dlcourse: unknown command '{arguments[0]}' (known: {', '.join(COMMANDS)})")
        return 2
    return import_module(f"dlcourse.commands.{arguments[0]}").main(arguments[1:])


def _help() -> str:
    rows = [f"  {name:<12}{text}" for name, text in COMMANDS.items()]
    usage = "usage: dlcourse COMMAND …   (the same as python -m dlcourse COMMAND …)"
    return "\n".join([usage, "", *rows, "", "dlcourse COMMAND --help explains it."])
