"""The calculations of the course that accept your own numbers, and how these are parsed."""

import argparse
from collections.abc import Callable
from typing import Any


def explain(topic: str, **numbers: Any) -> str:
    """Return a calculation step by step.

    Args:
        topic: Key of `TOPICS`.
        numbers: Arguments of the topic's function in `maths.walkthroughs`.

    Raises:
        ValueError: The numbers do not fit together.
    """
    from dlcourse.lessons.maths import walkthroughs
    from dlcourse.lessons.maths.steps import render

    return render(getattr(walkthroughs, TOPICS[topic][0])(**numbers))


def number(text: str) -> float:
    """Return the number, written with "-" or "−".

    argparse's error contains this function's name: "invalid number value".
    """
    return float(text.replace("−", "-"))


def integer(text: str) -> int:
    """Return the integer, written with "-" or "−"."""
    return int(text.replace("−", "-"))


def matrix(text: str) -> list[list[float]]:
    """Return the rows of numbers in `"1 2; 3 4"`."""
    try:
        rows = [[number(word) for word in row.split()] for row in text.replace(",", " ").split(";")]
    except ValueError:
        rows = [[]]
    if not all(len(row) == len(rows[0]) > 0 for row in rows):
        raise argparse.ArgumentTypeError(
            f"expected rows of equal length such as '1 2; 3 4', got {text!r}"
        )
    return rows


def _option(kind: Callable[[str], Any], default: Any, help_text: str) -> dict[str, Any]:
    several = {"nargs": "+"} if isinstance(default, list) else {}
    return {"type": kind, "default": default, "help": help_text, **several}


IMAGE = "1 1 1 0 0; 0 1 1 1 0; 0 0 1 1 1; 0 0 1 1 0; 0 1 1 0 0"
# topic: function of `maths.walkthroughs`, help, options
TOPICS: dict[str, tuple[str, str, dict[str, dict[str, Any]]]] = {
    "logistic": ("logistic", "one gradient step of logistic regression", {
        "x": _option(number, [5.0, 3.0], "features"),
        "w": _option(number, [0.5, 0.5], "weights"),
        "b": _option(number, 1.0, "bias"),
        "y": _option(number, 1.0, "label, 0 or 1"),
        "learning-rate": _option(number, 0.01, "α, at least 0"),
    }),
    "softmax": ("softmax_steps", "probabilities from logits", {
        "z": _option(number, [5.0, 2.0, -1.0, 3.0], "logits"),
        "temperature": _option(number, 1.0, "above 0"),
    }),
    "gradient-descent": ("descent", "descent on a polynomial, point by point", {
        "coefficients": _option(number, [1.0, 0.0, 0.0], "highest power first: 1 0 0 is x²"),
        "start": _option(number, 6.0, "x0"),
        "learning-rate": _option(number, 0.1, "α, at least 0"),
        "steps": _option(integer, 3, "at least 0"),
        "momentum": _option(number, 0.0, "from 0 to 1"),
    }),
    "convolution": ("convolution", "a feature map cell by cell", {
        "image": _option(matrix, IMAGE, 'rows: "1 2; 3 4"'),
        "kernel": _option(matrix, "1 0 1; 0 1 0; 1 0 1", 'rows: "1 0; 0 -1"'),
        "stride": _option(integer, 1, "at least 1"),
        "padding": {"choices": ("valid", "same"), "default": "valid"},
    }),
    "attention": ("attention", "self-attention token by token", {
        "X": _option(matrix, "1 0; 0 1; 1 1", 'tokens in rows: "1 2; 3 4"'),
        "W_q": _option(matrix, "2 0; 1 1", "kernel of the queries"),
        "W_k": _option(matrix, "0 1; 1 1", "kernel of the keys"),
        "W_v": _option(matrix, "1 2; 3 0", "kernel of the values"),
        "causal": {"action": "store_true", "help": "no token looks ahead"},
    }),
    "network": ("network", "forward and back through a dense network", {
        "sizes": _option(integer, [3, 2, 1], "input first"),
        "activations": _option(str, ["tanh", "sigmoid"], "one per layer after the input"),
        "x": _option(number, [1.0, 2.0, 3.0], "input"),
        "y": _option(number, [1.0], "target"),
        "learning-rate": _option(number, 0.1, "α, at least 0"),
        "seed": _option(integer, 0, "seed of the weights"),
    }),
}  # fmt: skip
