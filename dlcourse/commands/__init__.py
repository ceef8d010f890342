"""The commands: arguments and printing. `main` runs the one that is named."""

import sys
from importlib import import_module

from dlcourse import __version__
from dlcourse.commands.command_line import print_error
from dlcourse.quiet import write

COMMANDS = {
    "train": "train a recipe, print its metrics and save its run",
    "recipes": "list the shipped recipes: what each shows and the score it reached",
    "data": "list the columns of your table: what each is taken as, gaps, ranges",
    "evaluate": "print the metrics of a saved run, by split and by class",
    "diagnose": "report what a run's curves and layers show, and one thing to try",
    "predict": "predict the class and probability of your own images or rows",
    "visualize": "draw a run on one page: metrics, findings, curves, what its network sees",
    "find_lr": "find the learning rate that suits a recipe, by a range test",
    "tune": "search for the settings of a recipe that give the best validation value",
    "compare": "compare recipes and classic models on the same splits: score and cost",
    "export": "export a run's model to ONNX, LiteRT or TensorFlow, and test it there",
    "errata": "check every number of the slides",
    "explain": "explain one calculation of the course step by step, with your own numbers",
    "runs": "list the runs as a table, best first",
    "teach": "run a class: homework, the teacher's edition, grades",
    "app": "draw, see, play and teach in a browser",
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
    return "\n".join([usage, "", *rows, "", "dlcourse COMMAND --help explains a command."])
