"""Python as text: a template's lines with their values, wrapped as `ruff format` wraps them."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import yaml

WIDTH = 100


class Code(str):
    """A piece of Python that stands for itself, unlike text, which is quoted."""


def literal(value: Any) -> str:
    """Return a value as Python code; text is in double quotes, unless it holds them alone."""
    if isinstance(value, Code):
        return value
    if isinstance(value, str) and ('"' not in value or "'" in value):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    return repr(value)


def written(template: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Return a script: a template with values, without the imports that it does not use.

    A line stays where each `{?name}` in it has a value that is true, each `{?name=one|other}` one
    of these values, each `{!name}` a value that is not true, and each `{name}` a value, which
    replaces it. `{#key names}` becomes a comment with these settings of the recipe, or with all.

    Args:
        template: Text of the template.
        values: Value of each name.
        given: Settings that the recipe gives itself, by their dotted keys.
    """
    lines = (each for line in template.splitlines() for each in _filled(line, values, given))
    code = "\n".join(map(formatted, lines))
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    imports = re.compile(r"^(?:import|from) .*?(\w+)\n", re.MULTILINE)
    code = imports.sub(lambda line: line[0] if line[1] in used else "", code)
    code = re.sub(r"\n+(?=\nimport)", "\n", code)
    return re.sub(r"\n{4,}", "\n\n\n", code) + "\n"


def _filled(line: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the lines for a line of the template: none, one, or those of a comment or value."""
    indent = " " * (len(line) - len(line.lstrip()))
    if told := re.match(r" *\{#([\w.]+)(.*)\}", line):
        return _comment(told[1], given.get(told[1]), told[2].split(), indent)
    for mark, name, _, wanted in re.findall(r"\{([?!]?)([\w.]+)(=([\w|]+))?\}", line):
        value = values.get(name)
        true = str(value) in wanted.split("|") if wanted else bool(value)
        if value is None if not mark else true == (mark == "!"):
            return []
    line = re.sub(r"\{[?!][^}]*\}", "", line)
    text = re.sub(r"\{([\w.]+)\}", lambda name: literal(values[name[1]]), line)
    return text.replace("\n", f"\n{indent}").split("\n")


def _comment(key: str, given: Any, names: list[str], indent: str) -> list[str]:
    if given is None:
        return []
    chosen = {name: given[name] for name in given if name in names} if names else given
    style: Any = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True}
    text = yaml.safe_dump({key: chosen}, **style, width=76 - len(indent))
    return [f"{indent}# {line}" for line in text.strip()[1:-1].splitlines()]


def formatted(line: str) -> str:
    """Return a line; if it is too long, what is in its last bracket has lines of its own.

    These are one line if it fits, otherwise one per argument, with a comma after each.
    """
    code = line.removesuffix(",")
    ends = _ends(code) if len(line) > WIDTH and line.strip()[0] != "#" else []
    if not ends:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    pieces = [line[start + 1 : end].strip() for start, end in pairwise(ends)]
    inside = [f"{indent}    {', '.join(pieces)}"]
    if len(inside[0]) > WIDTH:
        after = "," * (len(pieces) > 1)
        inside = [formatted(f"{indent}    {piece}{after}") for piece in pieces]
    return "\n".join([line[: ends[0] + 1], *inside, f"{indent}{line[ends[-1] :]}"])


def _ends(code: str) -> list[int]:
    """Return the columns of the last outer bracket: its opening, its commas and its end."""
    ends, depth, shift = [], 0, len(code) - len(code.lstrip())
    tokens = tokenize.generate_tokens(io.StringIO(code.lstrip()).readline)
    for kind, text, (_, column), *_ in tokens:
        opens, closes = (kind == tokenize.OP and text in marks for marks in ("([{", ")]}"))
        depth -= closes
        ends = [] if opens and depth == 0 else ends
        if (depth == 0 and (opens or closes)) or (depth == 1 and text == ","):
            ends.append(column + shift)
        depth += opens
    return ends
