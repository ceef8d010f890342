"""One calculation of the course with your own numbers, step by step: `python -m dlcourse.explain`.

    python -m dlcourse.explain logistic --x 5 3 --w 0.5 0.5 --b 1 --y 1 --learning-rate 0.01
    python -m dlcourse.explain softmax --z 5 2 -1 3 --temperature 2
    python -m dlcourse.explain gradient-descent --coefficients 1 0 0 --start 6 --learning-rate 0.9
    python -m dlcourse.explain convolution --image "1 2 3; 4 5 6; 7 8 9" --kernel "1 0; 0 -1"
    python -m dlcourse.explain network --sizes 3 4 1 --x 1 2 3 --y 1

Without numbers the slides' own are taken.
"""

import argparse
from collections.abc import Callable
from typing import Any

from dlcourse.command_line import Parser, run_command, write


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse.explain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="topic", required=True, metavar="topic")
    for topic, (help_text, add_arguments) in TOPICS.items():
        add_arguments(commands.add_parser(topic, help=help_text))
    settings = vars(parser.parse_args(argv))
    topic = settings.pop("topic")
    return run_command(lambda: _run(topic, settings, parser))


def _run(topic: str, settings: dict[str, Any], parser: Parser) -> int:
    from dlcourse.maths import walkthroughs
    from dlcourse.maths.steps import render

    try:
        write(render(getattr(walkthroughs, FUNCTIONS[topic])(**settings)))
    except ValueError as error:
        parser.error(f"{topic}: {error}")
    return 0


def matrix(text: str) -> list[list[float]]:
    """Return the rows of numbers in `"1 2; 3 4"`."""
    try:
        rows = [[float(word) for word in row.split()] for row in text.replace(",", " ").split(";")]
    except ValueError:
        rows = [[]]
    if not all(len(row) == len(rows[0]) > 0 for row in rows):
        raise argparse.ArgumentTypeError(
            f"expected rows of equally many numbers such as '1 2; 3 4', got {text!r}"
        )
    return rows


def _logistic(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--x", type=float, nargs="+", default=[5.0, 3.0], help="features")
    parser.add_argument("--w", type=float, nargs="+", default=[0.5, 0.5], help="weights")
    parser.add_argument("--b", type=float, default=1.0, help="bias")
    parser.add_argument("--y", type=float, default=1.0, help="label, 0 or 1")
    _learning_rate(parser, 0.01)


def _softmax(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--z", type=float, nargs="+", default=[5.0, 2.0, -1.0, 3.0], help="logits")
    parser.add_argument("--temperature", type=float, default=1.0, help="above 0")


def _descent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coefficients",
        type=float,
        nargs="+",
        default=[1.0, 0.0, 0.0],
        help="of the polynomial, highest power first: 1 0 0 is x²",
    )
    parser.add_argument("--start", type=float, default=6.0, help="x0")
    _learning_rate(parser, 0.1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--momentum", type=float, default=0.0, help="from 0 to 1")


def _convolution(parser: argparse.ArgumentParser) -> None:
    image = "1 1 1 0 0; 0 1 1 1 0; 0 0 1 1 1; 0 0 1 1 0; 0 1 1 0 0"
    parser.add_argument("--image", type=matrix, default=image, help='rows: "1 2; 3 4"')
    parser.add_argument("--kernel", type=matrix, default="1 0 1; 0 1 0; 1 0 1", help="likewise")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--padding", choices=("valid", "same"), default="valid")


def _network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 2, 1], help="input first")
    parser.add_argument(
        "--activations",
        nargs="+",
        default=["tanh", "sigmoid"],
        help="one per layer after the input",
    )
    parser.add_argument("--x", type=float, nargs="+", default=[1.0, 2.0, 3.0], help="input")
    parser.add_argument("--y", type=float, nargs="+", default=[1.0], help="target")
    _learning_rate(parser, 0.1)
    parser.add_argument("--seed", type=int, default=0, help="of the weights")


def _learning_rate(parser: argparse.ArgumentParser, default: float) -> None:
    parser.add_argument("--learning-rate", type=float, default=default, help="α, at least 0")


TOPICS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], Any]]] = {
    "logistic": ("one gradient step of logistic regression", _logistic),
    "softmax": ("probabilities from logits", _softmax),
    "gradient-descent": ("descent on a polynomial, point by point", _descent),
    "convolution": ("a feature map cell by cell", _convolution),
    "network": ("forward and back through a dense network", _network),
}

FUNCTIONS = {
    "logistic": "logistic",
    "softmax": "softmax_steps",
    "gradient-descent": "descent",
    "convolution": "convolution",
    "network": "network",
}

if __name__ == "__main__":
    raise SystemExit(main())
