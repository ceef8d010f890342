"""Every setting of a recipe as text: its type, its default and what it means.

The text is read from the settings' classes and their JSON Schema.
"""

import json
from collections.abc import Iterator
from textwrap import fill
from typing import Any

from dlcourse.configuration.recipe import Recipe, groups
from dlcourse.errors import RecipeError
from dlcourse.generation.recipe import GenerationRecipe
from dlcourse.schema import Settings, did_you_mean, first_line

SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NOUNS = {"integer": "whole number", "string": "text", "boolean": "true or false", "object": "map"}


def all_groups() -> dict[str, type[Settings]]:
    """Return the groups of settings by dotted name, as `model.cnn`; `recipe` is the outermost.

    Those of recipes of generation, which have the same data sets, follow.
    """
    drawn = {f"generation.{name}": group for name, group in groups(GenerationRecipe).items()}
    return {"recipe": Recipe, **groups()} | {k: v for k, v in drawn.items() if ".dataset" not in k}


def settings_text(name: str = "") -> str:
    """Return a group's settings as text; for a part such as `model`, or no name, its groups.

    Raises:
        RecipeError: No group and no setting has this name.
    """
    groups = all_groups()
    if name in groups:
        return "\n\n".join([f"{name}: {first_line(groups[name])}", *_entries(groups[name])])
    inside = [group for group in groups if group.startswith(f"{name}.") or not name]
    group, _, setting = name.rpartition(".")
    owners = [key for key in groups if setting in groups[key].model_fields and key.endswith(group)]
    if owners and not inside:  # a setting alone, in every group that has it
        return "\n\n".join(
            f"{key}.{text}" for key in owners for text in _entries(groups[key], setting)
        )
    if not inside:
        parts = {group.rpartition(".")[0] for group in groups} - {""}
        wanted = next((group for group in groups if group.endswith(f".{name}")), name)
        hint = did_you_mean(wanted, [*sorted(parts), *groups])
        raise RecipeError(f"--settings: unknown group of settings '{name}'{hint}")
    return "\n".join(_wrapped(f"{group:<30} {first_line(groups[group])}", 31) for group in inside)


def _entries(group: type[Settings], only: str = "") -> list[str]:
    """Return the text of each setting, or of the setting `only`."""
    return [
        _wrapped(f"{setting}: {kind}; {default}", 8) + "\n" + _wrapped(f"    {meaning}", 4)
        for setting, kind, default, meaning in _rows(group)
        if only in ("", setting)
    ]


def _wrapped(text: str, indent: int) -> str:
    return fill(text, 98, subsequent_indent=" " * indent)


def settings_markdown() -> str:
    """Return every group as Markdown, the text of docs/settings.md."""
    command = "python -m dlcourse.train --settings all > docs/settings.md"
    lines = ["# The settings of a recipe", "", f"Written from the docstrings by `{command}`."]
    for name, group in all_groups().items():
        lines += ["", f"## {name}", "", first_line(group), ""]
        lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
        for setting, kind, default, meaning in _rows(group):
            default = default.removeprefix("default ")
            lines.append(f"| `{setting}` | {kind} | `{default}` | {meaning} |".replace("*", r"\*"))
    return "\n".join(lines)


def _rows(group: type[Settings]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each setting's name, type, default and meaning."""
    schemas = group.model_json_schema()["properties"]
    for name, field in group.model_fields.items():
        if name != "name":
            value: Any = field.get_default(call_default_factory=True)
            text = json.dumps(value, default=lambda part: getattr(part, "name", {})).strip('"')
            text = "required" if field.is_required() else f"default {text}"
            yield name, type_in_words(schemas[name]), text, schemas[name].get("description", "")


def type_in_words(schema: dict[str, Any], many: str = "") -> str:
    """Return the type that a JSON Schema allows, such as `list of whole numbers ≥ 1 or null`."""
    if "discriminator" in schema:
        names = ", ".join(schema["discriminator"]["mapping"])
        return f"one of {names} (the name alone, or a mapping with its settings)"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        if any("discriminator" in option for option in options):  # the names alone are in it
            options = [option for option in options if "enum" not in option]
        return " or ".join(map(type_in_words, options))
    if "enum" in schema:
        return f"{'any' if many else 'one'} of {', '.join(schema['enum'])}"
    kind: str = schema.get("type", "group of settings")
    if kind == "array":
        items = schema.get("prefixItems", [schema.get("items")])
        return f"list of {'two ' if items[1:] else ''}{type_in_words(items[0], 's')}"
    # an upper bound of 1e7 or more only catches slips, so it is not shown
    bounds = [
        f"{sign} {schema[key]:,}" for key, sign in SIGNS.items() if schema.get(key, 1e7) < 1e7
    ]
    return f"{schema.get('const') or NOUNS.get(kind, kind) + many} {' and '.join(bounds)}".strip()
