"""Every number of the slides, checked, as text and as data."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.lessons.maths.quantities import Example, Quantity
from dlcourse.lessons.maths.steps import render
from dlcourse.lessons.maths.worked_examples import EXAMPLES, STATEMENTS
from dlcourse.text_table import text_table

HEAD = ("id", "quantity", "the slide says", "computed", "")
WIDTHS = (15, 18, 24, 28, 6)  # longer cells are wrapped; 99 columns in total
RULE = "─" * 99


def show(*ids: str) -> str:
    """Return the numbers and statements of these ids as a table: `print(show("S0.accuracy"))`.

    Args:
        ids: Keys of `EXAMPLES` and `STATEMENTS`; without ids, all of them.

    Raises:
        UserError: An id is unknown.
    """
    lines = _numbers([EXAMPLES[id_] for id_ in _known(ids) if id_ in EXAMPLES])
    if statements := [STATEMENTS[id_] for id_ in _known(ids) if id_ in STATEMENTS]:
        lines += ["", "Statements that are not right", RULE]
    for statement in statements:
        lines += wrap(f'{statement.id}: "{statement.says}"', 99, subsequent_indent="    ")
        lines += _remark(statement.correction)
    return "\n".join(lines)


def worked(id_: str) -> str:
    """Return an example's calculation step by step, then its numbers; or a statement's text."""
    if id_ not in EXAMPLES:
        return show(id_)
    example = EXAMPLES[id_]
    title = f"{id_}: {example.title}"
    return "\n\n".join([title, render(example.steps()), show(id_)])


def as_data(*ids: str) -> dict[str, Any]:
    """Return the content of `show` as values that JSON can hold."""
    examples = [EXAMPLES[id_] for id_ in _known(ids) if id_ in EXAMPLES]
    statements = [STATEMENTS[id_] for id_ in _known(ids) if id_ in STATEMENTS]
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


def _known(ids: Sequence[str]) -> Sequence[str]:
    known = [*EXAMPLES, *STATEMENTS]
    if unknown := [id_ for id_ in ids if id_ not in known]:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], known, 1, cutoff=0.5)
        guess = f" (did you mean '{near[0]}'?)" if near else ""
        raise UserError(f"unknown id '{unknown[0]}'{guess}; known: {', '.join(known)}")
    return ids or known


def _numbers(examples: Sequence[Example]) -> list[str]:
    """Return the lines of the table, with each example's note below its numbers."""
    rows = [[row for quantity in e.quantities for row in _rows(e.id, quantity)] for e in examples]
    head, *table = text_table(HEAD, [row for own in rows for row in own]).splitlines()
    lines = [head, RULE] if examples else []
    for example, own in zip(examples, rows, strict=True):
        lines += [*table[: len(own)], *_remark(example.note)]
        del table[: len(own)]
    return lines


def _rows(id_: str, quantity: Quantity) -> list[tuple[str, ...]]:
    """Return the row of a number, on as many lines as its longest cell needs."""
    cells = (id_, quantity.name, quantity.says, quantity.shown(), quantity.verdict)
    columns = (wrap(cell, width) for cell, width in zip(cells, WIDTHS, strict=True))
    return list(zip_longest(*columns, fillvalue=""))


def _quantity(quantity: Quantity) -> dict[str, Any]:
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


def _remark(text: str) -> list[str]:
    return wrap(text, 99, initial_indent="  → ", subsequent_indent="    ")
