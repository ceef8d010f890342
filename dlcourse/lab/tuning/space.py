"""The space of a search: settings of a recipe, each with a range or with choices."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlcourse.configuration.recipe import Recipe, validate, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, read_source, set_value
from dlcourse.errors import RecipeError, UserError, one_line
from dlcourse.schema import Number, PositiveNumber, Settings, expectation, plain, shown

FOLDER = "configs/spaces"
POINTS = 200  # random ones that must be valid recipes
PARTS = ["model", "training"]
FORM = "expected {low: …, high: …} or {choices: […]}"
Space = dict[str, dict[str, Any]]


class Range(Settings):
    """A range of numbers.

    Args:
        low, high: Lowest and highest value.
        log: Whether the logarithm is uniform: 0.001 to 0.01 is then as likely as 0.01 to 0.1.
        step: Distance of the values from `low`; null for any value between.
    """

    low: Number
    high: Number
    log: bool = False
    step: PositiveNumber | None = None


class Choices(Settings):
    """A list of values: numbers, words, lists or mappings."""

    choices: tuple[Any, ...]


def optuna() -> Any:
    """Return the module `optuna`, silent but for errors.

    Raises:
        UserError: It is not installed, or is too old.
    """
    try:
        import optuna

        if int(optuna.__version__.split(".")[0]) < 5:
            raise ImportError(f"it is version {optuna.__version__}")
    except ImportError as error:
        cure = "pip install 'optuna>=5,<6' (or this package's extra: -e '.[tune]')"
        raise UserError(f"a search needs Optuna 5 ({error}): {cure}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def read_space(given: str | Path | Mapping[str, Any], recipe: Recipe) -> tuple[Space, list[Recipe]]:
    """Return a space, and the recipes at its bounds, choices and `POINTS` random points.

    Args:
        given: Name of a shipped space, a YAML file, or a mapping like such a file's.
        recipe: Recipe whose settings are searched.

    Raises:
        RecipeError: A setting is unknown, a bound or choice is not valid in the recipe, or a random
            point is not a valid recipe: one line each, with its place.
    """
    if isinstance(given, str | Path):
        source = read_source(recipe_path(given, FOLDER))
    else:
        source = Source("space", plain(given, "space"))
    space, recipes, faults = {}, list[Recipe](), [str(fault) for fault in source.faults]
    for name, entry in source.data.items():
        try:
            space[name], valid = _entry(source, name, entry, recipe)
            recipes += valid
        except RecipeError as error:
            faults.append(str(error))
    if not source.data:
        faults.append(f"{source.path}: names no setting, such as training.learning_rate")
    if faults:
        raise RecipeError("\n".join(faults))
    places = {name: source.where((name,)) for name in space}
    drawn = optuna().create_study(sampler=optuna().samplers.RandomSampler(seed=0))
    for _ in range(POINTS):
        point = settings(space, drawn.ask(distributions(space)).params)
        try:
            recipes.append(at_point(recipe, point, places))
        except RecipeError as error:
            raise RecipeError(f"{error.reason} (with {told(point)})") from None
    return space, recipes


def _entry(
    source: Source, name: str, entry: Any, recipe: Recipe
) -> tuple[dict[str, Any], list[Recipe]]:
    """Return the checked range or choices of a setting, and the recipes at its ends."""
    key = source.where((name,), key=True)
    if name.split(".")[0] not in PARTS:
        reason = "a search changes settings of model and training, with the same data and seed"
        hint = where_it_belongs(name, PARTS) * (name not in Recipe.model_fields)
        raise RecipeError(f"{key}: '{name}': {reason}{hint}")
    if not isinstance(entry, dict) or entry.get("choices", 1) in ([], None):
        raise RecipeError(f"{key}: '{name}': {FORM}, got {shown(entry)}")
    kind = Choices if "choices" in entry else Range
    try:
        checked = kind.model_validate(entry).model_dump(exclude_none=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RecipeError("\n".join(_fault(source, name, fault) for fault in faults)) from None
    ends = {(end,): checked[end] for end in ("low", "high") if end in checked}
    ends |= {("choices", k): value for k, value in enumerate(checked.get("choices", ()))}
    at_point(recipe, {name: next(iter(ends.values()))}, {name: key}, key_only=True)
    places = {end: {name: source.where((name, *end))} for end in ends}
    recipes = [at_point(recipe, {name: value}, places[end]) for end, value in ends.items()]
    if kind is Range:
        checked |= _whole(checked, name, recipe)
    else:
        checked["choices"] = plain(list(entry["choices"]), name)
    try:
        distributions({name: checked})
    except (ValueError, UserWarning) as error:
        raise RecipeError(f"{source.where((name,))}: '{name}': {one_line(error)}") from None
    return checked, recipes


def _fault(source: Source, name: str, fault: Any) -> str:
    inner = ".".join(map(str, fault["loc"]))
    place = source.where((name, *fault["loc"]), key=fault["type"] == "extra_forbidden")
    if fault["type"] in ("missing", "extra_forbidden"):
        what = {"missing": "is missing"}.get(fault["type"], "is unknown")
        what += f": write {name}.{inner}: …" * isinstance(fault["input"], dict) * (what[3] == "u")
        return f"{place}: '{name}': {FORM}: '{inner}' {what}"
    return f"{place}: '{name}.{inner}': {expectation(fault)}"


def _whole(checked: dict[str, Any], name: str, recipe: Recipe) -> dict[str, Any]:
    """Return the numbers of a range as whole ones, if the setting takes only these."""
    numbers = {key: checked[key] for key in ("low", "high", "step") if key in checked}
    if any(value % 1 for value in numbers.values()):
        return {}
    try:
        at_point(recipe, {name: checked["low"] + 0.5}, {name: ""})
    except RecipeError:
        return {key: int(value) for key, value in numbers.items()}
    return {}


def at_point(
    recipe: Recipe,
    point: Mapping[str, Any],
    places: Mapping[str, str] | None = None,
    *,
    key_only: bool = False,
) -> Recipe:
    """Return the recipe with the settings of a point.

    Args:
        recipe: Recipe to change.
        point: Values by dotted name.
        places: Place of each setting in errors; None for its name.
        key_only: Whether only an unknown key is an error.

    Raises:
        RecipeError: The recipe is not valid.
    """
    path = recipe._source.path if recipe._source else "recipe"
    source = Source(path, recipe.model_dump(mode="json"))
    for name in sorted(point, key=lambda name: name.count(".")):
        label = (places or {}).get(name, name)
        set_value(source, tuple(name.split(".")), json.loads(json.dumps(point[name])), label)
    try:
        return validate(source)
    except RecipeError as error:
        if key_only and "unknown key" not in error.reason:
            return recipe
        raise


def distributions(space: Space) -> dict[str, Any]:
    """Return Optuna's distribution of each setting.

    Raises:
        ValueError, UserWarning: The range is empty, or not a multiple of its step.
    """
    kinds, made = optuna().distributions, {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, entry in space.items():
            if "choices" in entry:
                made[name] = kinds.CategoricalDistribution([*_values(entry)])
            else:
                whole = isinstance(entry["low"], int)
                kind = kinds.IntDistribution if whole else kinds.FloatDistribution
                made[name] = kind(**{"step": 1 if whole else None, **entry})
    return made


def _values(entry: dict[str, Any]) -> dict[Any, Any]:
    """Return the choices by what Optuna stores of each: lists and mappings as text."""
    return {
        json.dumps(value) if isinstance(value, list | dict) else value: value
        for value in entry["choices"]
    }


def settings(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of settings for Optuna's parameters."""
    return {
        name: _values(space[name])[value] if "choices" in space[name] else value
        for name, value in params.items()
    }


def grid(space: Space) -> list[dict[str, Any]]:
    """Return Optuna's parameters at every point of a grid, in order.

    Raises:
        RecipeError: A range has no step.
    """
    from sklearn.model_selection import ParameterGrid

    axes = {}
    for name, entry in space.items():
        if "choices" in entry:
            axes[name] = [*_values(entry)]
        elif "step" in entry or isinstance(entry["low"], int):
            step = entry.get("step", 1)
            count = round((entry["high"] - entry["low"]) / step) + 1
            axes[name] = [entry["low"] + k * step for k in range(count)]
        else:
            raise RecipeError(f"'{name}': a grid needs its step, or choices")
    return list(ParameterGrid(axes))


def told(point: Mapping[str, Any]) -> str:
    """Return settings in one line: `dropout 0.31, learning_rate 0.0042`."""
    rounded = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in point.items()}
    return ", ".join(f"{name.partition('.')[2] or name} {v}" for name, v in rounded.items())
