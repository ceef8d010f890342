"""Types of settings, and schemas made from the signatures of functions.

The keyword-only parameters of a builder, a loader or any other function of a table are its
settings. `settings_model` turns them into a pydantic model, so the type, bounds and default of a
setting are written in one place.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union

import numpy as np
import pydantic
from pydantic import BaseModel, BeforeValidator, Discriminator, Field, SkipValidation, Tag

from dlcourse.errors import RecipeError


def _refuse_bool(value: Any) -> Any:
    if type(value).__name__ in ("bool", "bool_"):  # Python's or NumPy's
        raise ValueError("expected a number")
    return value


# Last in an annotation: in the JSON Schema, editors do not understand bounds that follow it.
is_number = BeforeValidator(_refuse_bool)

Integer = Annotated[int, is_number]
Natural = Annotated[int, Field(ge=0), is_number]
Positive = Annotated[int, Field(ge=1, le=10_000_000), is_number]
Number = Annotated[float, is_number]
NonNegative = Annotated[float, Field(ge=0), is_number]
PositiveNumber = Annotated[float, Field(gt=0), is_number]
Rate = Annotated[float, Field(ge=0, lt=1), is_number]
Degrees = Annotated[float, Field(ge=0, le=180), is_number]
Word = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v)]
"""Text; a whole number, such as a class `7` in YAML, becomes its digits."""
Fraction = Annotated[float, Field(gt=0, lt=1), is_number]
Output = SkipValidation[int | str]
"""Position or name of a model's output; only the model can check it."""
Positives = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[tuple[Positive, ...], Field(min_length=1), Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "number"),
]
"""One number, or a list of them."""
Size = Annotated[
    Annotated[tuple[Positive, Positive], Tag("list")] | Annotated[Literal["auto"], Tag("word")],
    Discriminator(lambda value: "word" if value == "auto" else "list"),
]
"""Height and width, or `auto`."""
Range = Annotated[
    Annotated[Literal["auto"], Tag("word")] | Annotated[tuple[Number, Number], Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "word"),
]
"""`auto`, or the lowest and the highest value."""


OTHER_NAMES = {"lr": "learning_rate", "epoch": "epochs", "decay": "l2", "hidden_layers": "hidden"}
OTHER_NAMES |= {"images": "image_folder", "arrays": "npz", "numpy": "npz", "table": "csv"}
OTHER_NAMES |= {"random_state": "seed", "random_seed": "seed"}
MOST_SHOWN = 12


def _describe(schema: dict[str, Any], settings: type[BaseModel]) -> None:
    """Put the descriptions of the settings in the docstring into their JSON Schema."""
    texts = {"name": first_line(settings), **descriptions(settings)}
    schema["description"] = texts["name"]
    for name in texts.keys() & schema.get("properties", {}).keys():
        schema["properties"][name]["description"] = texts[name]


class Settings(BaseModel, json_schema_extra=_describe):
    """Base of all settings: unknown keys are errors, values are frozen, numbers are finite.

    The description of a setting in the JSON Schema is its entry under `Args` in the docstring.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


@cache
def settings_model(
    name: str, function: Callable[..., Any], *, tagged: bool = True
) -> type[Settings]:
    """Return a pydantic model of `function`'s keyword-only parameters, with its docstring.

    `tagged` adds the key `name` with the fixed value `name`, to distinguish members of a union. The
    parameters that a `functools.partial` fixes are not settings.
    """
    fields: dict[str, Any] = {}
    fixed = getattr(function, "keywords", {})
    if tagged:
        fields["name"] = (Literal[name], ...)  # pyright: ignore[reportInvalidTypeForm]
    for parameter in inspect.signature(inspect.unwrap(function)).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in fixed:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (parameter.annotation, default)
    title = "".join(part.title() for part in name.split("_")) + "Settings"
    return pydantic.create_model(
        title, __base__=Settings, __doc__=inspect.getdoc(function), **fields
    )


def settings_union(functions: Mapping[str, Callable[..., Any]]) -> Any:
    """Return the union of the functions' settings models, distinguished by the key `name`."""
    models = tuple(settings_model(name, function) for name, function in functions.items())
    union = Union[models]  # noqa: UP007
    return Annotated[union, Field(discriminator="name"), _NameAlone(tuple(functions))]


@dataclass(frozen=True)
class _NameAlone:
    """Allows a name alone in the JSON Schema of a union; a recipe expands it to a mapping."""

    names: tuple[str, ...]

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(self.names)}, handler(core)]}


def checked_settings(
    name: str, function: Callable[..., Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of a function, checked and with defaults.

    Raises:
        RecipeError: A setting is unknown, missing, of a wrong type or out of bounds: one line each.
    """
    model = settings_model(name, function, tagged=False)
    try:
        checked = model.model_validate(dict(settings))
    except pydantic.ValidationError as error:
        known = list(model.model_fields)
        lines = [f"{name}: {_setting_fault(fault, known)}" for fault in error.errors()]
        raise RecipeError("\n".join(lines)) from None
    return {key: getattr(checked, key) for key in model.model_fields}


P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with a check of its keyword-only settings; see `checked_settings`.

    They are checked before the function runs; missing ones get their defaults.
    """
    parameters = inspect.signature(function).parameters.values()
    positional = {item.name for item in parameters if item.kind is not item.KEYWORD_ONLY}

    @wraps(function)
    def call(*arguments: Any, **given: Any) -> Any:
        own = {key: given.pop(key) for key in positional & given.keys()}
        settings = checked_settings(function.__name__, function, given)
        return function(*arguments, **own, **settings)  # pyright: ignore[reportCallIssue]

    plain_settings = [
        item if item.name in positional else item.replace(annotation=item.empty)
        for item in parameters
    ]  # the types are for pydantic, not for a reader
    call.__signature__ = inspect.Signature(plain_settings)  # pyright: ignore
    return call


def _setting_fault(fault: Any, known: list[str]) -> str:
    tags = ("word", "mapping", "number", "list")
    key = ".".join(str(part) for part in fault["loc"] if part not in tags)
    if fault["type"] == "extra_forbidden":
        return f"unknown setting '{key}'{did_you_mean(key, known)}"
    return f"'{key}' is missing" if fault["type"] == "missing" else f"'{key}': {expectation(fault)}"


def expectation(fault: Any) -> str:
    """Return as text what a pydantic error expected and what it got."""
    text, given = fault["msg"].removeprefix("Value error, "), fault["input"]
    text = text.partition(", got ")[0].partition(", unable to")[0]
    text = text.replace("Input should be", "expected")
    if "valid dictionary" in text:
        text = "expected a mapping of settings"
    if "valid tuple" in text:
        items = [given] * (2 if "size" in fault["loc"] else 1)  # height and width
        text = f"expected a list, such as [{', '.join(map(str, items))}]"
        text += ", or auto" if "size" in fault["loc"] else ""
    if isinstance(given, dict | list):
        return f"{text}, got a {'mapping' if isinstance(given, dict) else 'list'}"
    if given is None:
        return f"{text}, got nothing"
    return f"{text}, got {str(given).lower() if isinstance(given, bool) else shown(given)}"


def shown(value: Any) -> str:
    """Return the first line of the value's `repr`, shortened."""
    line = repr(value).split("\n")[0]
    return line if len(line) < 60 else f"{line[:57]}…"


def first_line(documented: Any) -> str:
    """Return the first line of a docstring, without a leading `Return`."""
    line = (inspect.getdoc(documented) or "").partition("\n")[0].removeprefix("Return ")
    return line[:1].upper() + line[1:]


ENTRY = re.compile(r"^ {4}(\w[\w, ]*): (.+(?:\n {5,}.+)*)", re.MULTILINE)


def descriptions(documented: Any) -> dict[str, str]:
    """Return the entry of each name under `Args` in a docstring; names may share an entry."""
    entries = (inspect.getdoc(documented) or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
    pairs = ENTRY.findall(entries)
    return {name: " ".join(text.split()) for names, text in pairs for name in names.split(", ")}


def did_you_mean(word: object, known: list[str]) -> str:
    """Return ` (did you mean 'x'?)`, or the known words if none is similar."""
    if near := nearest(word, known):
        return f" (did you mean '{near}'?)"
    shown = ", ".join(known[:MOST_SHOWN]) + (", …" if len(known) > MOST_SHOWN else "")
    return f" (known: {shown})"


def nearest(word: object, known: list[str]) -> str | None:
    """Return the known word for a synonym, or the most similar known word, or None."""
    lower = {name.lower(): name for name in known}
    asked = OTHER_NAMES.get(str(word).lower(), str(word).lower())
    near = [asked] if asked in lower else get_close_matches(asked, lower, 1)
    return lower[near[0]] if near else None


def plain(value: Any, of: str) -> Any:
    """Return a setting as types that YAML can hold: Python mappings, lists, text and numbers.

    Args:
        value: Value of the setting; NumPy arrays and numbers, tuples and paths are converted.
        of: Name of the setting in the error.

    Raises:
        RecipeError: The value has another type, such as a set (it has no order) or a Keras object.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner, of) for key, inner in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(inner, of) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    reason = "text, numbers, lists or mappings are expected (Keras' objects are for its own fit)"
    raise RecipeError(f"{reason}, got {shown(value)}", of=of)


def flat(settings: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Return the settings and groups by dotted key, such as `training.optimizer.name`."""
    by_key: dict[str, Any] = {}
    for key, value in settings.items():
        by_key[start + key] = value
        if isinstance(value, Mapping):
            by_key |= flat(value, f"{start}{key}.")
    return by_key
