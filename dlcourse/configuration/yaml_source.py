"""A YAML file as plain data, with overrides and the line and column of every key."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from dlcourse.errors import RecipeError, one_line

Location = tuple[str | int, ...]
MAX_BYTES = 1_000_000
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class Source:
    """Plain data and the places of its keys.

    Attributes:
        path: Name of the file as the user wrote it.
        data: Dictionaries, lists and scalars.
        marks: Map of a location to ((line, column) of the key, (line, column) of the value), from
            1.
        overrides: Map of a location to the label of its override in errors: `override 'seed=1'`.
        faults: Errors, such as duplicate keys; the first value of a duplicate key is used.
    """

    path: str
    data: dict[str, Any]
    marks: dict[Location, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)
    overrides: dict[Location, str] = field(default_factory=dict)
    faults: list[RecipeError] = field(default_factory=list)

    def where(self, location: Location, *, key: bool = False) -> str:
        """Return `file:line:column` of a value (or its key), or the override that set it."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.overrides:
                return self.overrides[location[:end]]
            if location[:end] in self.marks:
                line, column = self.marks[location[:end]][0 if key else 1]
                return f"{self.path}:{line}:{column}"
        return self.path


def read_source(path: str | Path, overrides: Sequence[str] = ()) -> Source:
    """Return the data and places of a file, with `key=value` overrides applied.

    Raises:
        RecipeError: The file cannot be read, is not one YAML mapping, or uses an alias or a tag, or
            an override has no `=`.
    """
    source = parse(_read_text(path), str(path))
    apply(source, *overrides)
    return source


def parse(text: str, path: str) -> Source:
    """Return the data and places of YAML text; `path` names it in errors."""
    source = Source(path, {})
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise RecipeError("the file is empty: a recipe has dataset, model, training", of=path)
        data = _Builder(loader, source).build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        reason = f"broken YAML: {error.problem or error.context}"
        if "escape" in reason:
            reason = "a backslash in double quotes: write C:\\Users in single quotes, or C:/Users"
        raise RecipeError(reason, of=place) from None
    except RecipeError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"not a YAML text file: {one_line(error)}", of=path) from None
    except RecursionError:
        raise RecipeError("nested too deeply", of=path) from None
    if not isinstance(data, dict):
        kind = {list: "list", str: "text"}.get(type(data), type(data).__name__)
        reason = f"expected keys such as 'model:', got a {kind}"
        raise RecipeError(reason, of=f"{path}:1:1")
    source.data = data
    expand_names(source)
    return source


def _read_text(path: str | Path) -> str:
    file = Path(path).expanduser()
    if not file.exists():
        from dlcourse.configuration.shipped import shipped  # shipped imports this module

        beside = [entry.name for entry in file.parent.glob("*.yaml")]
        near = get_close_matches(file.name, beside, 1)
        meant = [f"'{file.parent / name}'" for name in near]
        if file.stem in shipped():
            meant.append(f"the shipped recipe '{file.stem}'")
        hint = f" (did you mean {' or '.join(meant)}?)" if meant else ""
        raise RecipeError(f"{path}: no such file{hint}")
    if file.is_dir():
        inside = sorted(entry.name for entry in file.glob("*.yaml"))[:3]
        hint = f" (it has {', '.join(inside)}, …)" if inside else ""
        raise RecipeError(f"{path}: is a folder: a recipe file is expected{hint}")
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RecipeError(f"{path}: larger than {MAX_BYTES:,} bytes: not a recipe")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not a YAML text file: it is not UTF-8 text") from None


@dataclass
class _Builder:
    """Builds plain data from the nodes of a source; `seen` holds the nodes that it has built."""

    loader: yaml.SafeLoader
    source: Source
    seen: set[int] = field(default_factory=set)

    def refuse(self, reason: str, mark: yaml.Mark) -> RecipeError:
        line, column = _place(mark)
        return RecipeError(reason, of=f"{self.source.path}:{line}:{column}")

    def build(self, node: yaml.Node, location: Location) -> Any:
        """Return the plain data of a node; record the place of every key and item."""
        place = _place(node.start_mark)
        if id(node) in self.seen:
            raise self.refuse("aliases (*name) are not used in recipes", node.start_mark)
        self.seen.add(id(node))
        if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
            raise self.refuse(f"tags ({node.tag}) are not used in recipes", node.start_mark)
        self.source.marks.setdefault(location, (place, place))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*location, k)) for k, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, location)
        if node.tag in NUMBERS and re.fullmatch(r"[-+]?0\d+|.*:.*", node.value):
            number = self.loader.construct_object(node)
            cure = "write a plain number, or text in quotes"
            raise self.refuse(f"YAML reads {node.value} as {number}: {cure}", node.start_mark)
        try:
            return self.loader.construct_object(node)
        except (ValueError, TypeError, AttributeError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            raise self.refuse(f"'{node.value}' is not a valid {kind}", node.start_mark) from None

    def mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.refuse(f"a key must be a word, got a {key.id}", key.start_mark)
            inner = (*location, str(key.value))
            if inner[-1] in data:
                dotted = ".".join(map(str, inner))
                fault = self.refuse(f"duplicate key '{dotted}'", key.start_mark)
                self.source.faults.append(fault)
                continue
            self.source.marks[inner] = (_place(key.start_mark), _place(value.start_mark))
            data[inner[-1]] = self.build(value, inner)
        return data


def _place(mark: yaml.Mark) -> tuple[int, int]:
    """Return the line and the column, from 1."""
    return mark.line + 1, mark.column + 1


def apply(source: Source, *overrides: str) -> None:
    """Set the value of each override, such as `training.epochs=5`.

    Raises:
        RecipeError: An override is not written as `key=value`.
    """
    for override in overrides:
        key, equals, text = str(override).partition("=")
        label = f"override '{override}'".replace("\n", "\\n")  # an error is one line
        location = tuple(part.strip() for part in key.split("."))
        if not equals or not all(location):
            raise RecipeError("expected key=value, as in training.epochs=5", of=label)
        set_value(source, location, _override_value(label, text), label)


def set_value(source: Source, location: Location, value: Any, label: str) -> None:
    """Set a value; a mapping without a `name` changes only the settings that it names.

    Args:
        source: Data to change.
        location: Location of the value; missing groups are created.
        value: Plain data.
        label: Name of the value in errors.

    Raises:
        RecipeError: A part of the location has no settings of its own.
    """
    *way, key = location
    data: dict[Any, Any] = source.data
    for part in way:
        data = _group(data, part)
        if not isinstance(data, dict):
            raise RecipeError(f"'{part}' has no settings of its own", of=label)
    merges = isinstance(value, dict) and "name" not in value
    if merges and isinstance(_group(data, key), dict):
        for inner, setting in value.items():
            set_value(source, (*location, inner), setting, label)
    else:
        data[key] = value
        for places in (source.marks, source.overrides):  # of the value that is replaced
            for place in [place for place in places if place[: len(location)] == location]:
                del places[place]
        expand_names(source)
    source.overrides[location] = label


def _group(data: dict[Any, Any], key: str | int) -> Any:
    """Return the value of a key; a missing group is created, an optimizer with its default name."""
    if data.get(key) is None:
        data[key] = {"name": "adam"} if key == "optimizer" else {}
    return data[key]


NAMED = (("dataset",), ("model",), ("training", "optimizer"), ("training", "schedule"))
"""Settings where a name alone, such as `model: cnn`, is short for a mapping with that name."""


def expand_names(source: Source) -> None:
    """Replace every name without settings by a mapping with that name."""
    for *groups, key in NAMED:
        data = source.data.get(groups[0]) if groups else source.data
        if isinstance(data, dict) and isinstance(data.get(key), str):
            data[key] = {"name": data[key]}


def _override_value(label: str, text: str) -> Any:
    if not text.strip():
        raise RecipeError("the value is missing (write null for none)", of=label)
    try:
        source = parse(f"value: {text}", "")
        if source.faults:
            raise source.faults[0]
        return source.data["value"]
    except RecipeError as error:
        reason = error.reason.replace("value.", "").replace("\n", "\\n")
        raise RecipeError(reason, of=label) from None
