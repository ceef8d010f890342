"""Every number of the slides, checked: `dlcourse errata [--id S4.logistic] [--json]`."""

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, run_command, write

if TYPE_CHECKING:
    from dlcourse.lessons.maths.quantities import Example, Quantity
    from dlcourse.lessons.maths.statements import Statement

WIDTHS = (15, 18, 28, 28)  # id, quantity, slide, computed; then `agrees` or `slip`: 99 in all


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(prog="dlcourse errata", description="Check every number of the slides.")
    parser.add_argument("--id", help="show one example step by step, such as S4.logistic")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments.id, arguments.json, parser))


def _run(id_: str | None, as_json: bool, parser: Parser) -> int:
    from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS

    known = [*EXAMPLES, *STATEMENTS]
    if id_ is not None and id_ not in known:
        parser.error(f"unknown id '{id_}'{_suggestion(id_, known)}")
    examples = [example for example in EXAMPLES.values() if id_ in (None, example.id)]
    statements = [statement for statement in STATEMENTS.values() if id_ in (None, statement.id)]
    if as_json:
        write(json.dumps(as_data(examples, statements), ensure_ascii=False, indent=1))
    elif id_ and examples:
        write(worked(examples[0]))
    else:
        write(table(examples, statements))
    return 0


def table(examples: "list[Example]", statements: "list[Statement]") -> str:
    """Return the examples as a table, a line or more a number, and the statements under it."""
    lines = []
    if examples:
        lines += _cells("id", "quantity", "the slide says", "computed", "")
        lines += ["─" * 99]
    for example in examples:
        for quantity in example.quantities:
            lines += _row(example, quantity)
        lines += _remark(example.note)
    if statements:
        lines += ["", "Statements that are not right", "─" * 99]
    for statement in statements:
        lines += wrap(f'{statement.id}: "{statement.says}"', 99, subsequent_indent="    ")
        lines += _remark(statement.correction)
    return "\n".join(line.rstrip() for line in lines)


def worked(example: "Example") -> str:
    """Return one example: its calculation step by step, then its part of the table."""
    from dlcourse.lessons.maths.steps import render

    title = f"{example.id}: {example.title}"
    return "\n\n".join([title, render(example.steps()), table([example], [])])


def as_data(examples: "list[Example]", statements: "list[Statement]") -> dict[str, Any]:
    """Return the same as what JSON can hold."""
    return {
        "examples": [
            {
                "id": example.id,
                "deck": example.deck,
                "title": example.title,
                "slip": example.slip,
                "note": example.note,
                "quantities": [_quantity(quantity) for quantity in example.quantities],
            }
            for example in examples
        ],
        "statements": [{**s._asdict(), "deck": s.deck} for s in statements],
    }


def _quantity(quantity: "Quantity") -> dict[str, Any]:
    import numpy as np

    computed = quantity.computed()
    return {
        "name": quantity.name,
        "slide": quantity.says,
        "right": quantity.right,
        "computed": computed if isinstance(computed, str) else np.asarray(computed).tolist(),
        "call": str(quantity.call),
        "slide_numbers": quantity.numbers,
        "verdict": quantity.verdict,
    }


def _row(example: "Example", quantity: "Quantity") -> list[str]:
    return _cells(example.id, quantity.name, quantity.says, quantity.shown(), quantity.verdict)


def _remark(text: str) -> list[str]:
    return wrap(text, 99, initial_indent="  → ", subsequent_indent="    ")


def _cells(*cells: str) -> list[str]:
    """One row of the table, on as many lines as its fullest cell needs."""
    columns = [wrap(cell, width) or [""] for cell, width in zip(cells, (*WIDTHS, 6), strict=True)]
    height = max(map(len, columns))
    filled = [column + [""] * (height - len(column)) for column in columns]
    widths = (*WIDTHS, 0)
    return [
        " ".join(part.ljust(width) for part, width in zip(line, widths, strict=True))
        for line in zip(*filled, strict=True)
    ]


def _suggestion(word: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1, cutoff=0.5)
    guess = f" (did you mean '{near[0]}'?)" if near else ""
    return f"{guess}; known: {', '.join(known)}"
