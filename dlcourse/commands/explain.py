"""One calculation of the course with your own numbers, step by step: `dlcourse explain`.

    dlcourse explain logistic --x 5 3 --w 0.5 0.5 --b 1 --y 1 --learning-rate 0.01
    dlcourse explain softmax --z 5 2 -1 3 --temperature 2
    dlcourse explain gradient-descent --coefficients 1 0 0 --start 6 --learning-rate 0.9
    dlcourse explain convolution --image "1 2 3; 4 5 6; 7 8 9" --kernel "1 0; 0 -1"
    dlcourse explain attention --X "1 0; 0 1; 1 1" --causal
    dlcourse explain network --sizes 3 4 1 --x 1 2 3 --y 1

Numbers that you leave out are the slides'; those of a network and of
attention are our own, as the slides have none.
"""

import sys
from typing import Any

from dlcourse.commands.command_line import Parser, run_command
from dlcourse.lessons.explain import TOPICS, explain
from dlcourse.quiet import write


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse explain", description=__doc__)
    commands = parser.add_subparsers(dest="topic", required=True, metavar="topic")
    for topic, (_, help_text, options) in TOPICS.items():
        command = commands.add_parser(topic, help=help_text)
        for name, settings in options.items():
            command.add_argument(f"--{name}", **settings)
    words = sys.argv[1:] if argv is None else argv
    settings = vars(parser.parse_args([_with_true_minus(word) for word in words]))
    topic = settings.pop("topic")
    return run_command(lambda: _run(topic, settings, parser))


def _run(topic: str, settings: dict[str, Any], parser: Parser) -> int:
    try:
        write(explain(topic, **settings))
    except ValueError as error:
        parser.error(f"{topic}: {error}")
    return 0


def _with_true_minus(word: str) -> str:
    """Return a negative number with a true minus sign: argparse takes -1e3 for an option."""
    try:
        float(word)
    except ValueError:
        return word
    return word.replace("-", "−", 1) if word.startswith("-") else word
