"""The space of a search: settings of a recipe, each with a range or with choices."""

import json
import warnings
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dlcourse.configuration.recipe import Recipe, validate, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, read_source, set_value
from dlcourse.errors import RecipeError, UserError, one_line
from dlcourse.schema import Number, PositiveNumber, Settings, plain, shown

POINTS = 200  # random ones that must be valid recipes
FORM = "expected {low: …, high: …} or {choices: […]}"
SEARCHED = ["model", "training"]
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
        from optuna.storages import RetryHeartbeatStaleTrialCallback  # noqa: F401 - of version 4.9
    except ImportError as error:
        cure = "pip install 'optuna>=5,<6' (or this package's extra: -e '.[tune]')"
        raise UserError(f"a search needs Optuna 5 ({error}): {cure}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
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
        source = read_source(recipe_path(given, "configs/spaces"))
    else:
        source = Source("space", plain(given, "space"))
    space, recipes, faults = {}, list[Recipe](), [str(fault) for fault in source.faults]
    for name in source.data:
        try:
            space[name], ends = _entry(source, name, recipe)
            recipes += ends
        except RecipeError as error:
            faults.append(str(error))
    if faults or not space:
        none = f"{source.path}: names no setting, such as training.learning_rate"
        raise RecipeError("\n".join(faults or [none]))
    study = optuna().create_study(sampler=optuna().samplers.RandomSampler(seed=0))
    for _ in range(POINTS):
        point = values(space, study.ask(distributions(space)).params)
        try:
            recipes.append(at_point(recipe, point, source))
        except RecipeError as error:
            raise RecipeError(f"{error.reason} (with {told(point)})") from None
    return space, recipes


def _entry(source: Source, name: str, recipe: Recipe) -> tuple[dict[str, Any], list[Recipe]]:
    """Return the checked range or choices of a setting, and the recipes at its ends."""
    entry, place = source.data[name], source.where((name,), key=True)
    if name.partition(".")[0] not in SEARCHED:
        reason = "a search changes settings of model and training, with the same data and seed"
        hint = where_it_belongs(name, SEARCHED) * (name not in Recipe.model_fields)
        raise RecipeError(f"{place}: '{name}': {reason}{hint}")
    if not isinstance(entry, dict) or entry.get("choices", 1) in ([], None):
        raise RecipeError(f"{place}: '{name}': {FORM}, got {shown(entry)}")
    try:
        kind = Choices if "choices" in entry else Range
        checked = kind.model_validate(entry).model_dump(exclude_none=True)
        at = [(name, "choices", k) for k in range(len(entry.get("choices", ())))]
        recipes = [
            at_point(
                recipe, {name: reduce(lambda data, key: data[key], end, source.data)}, source, end
            )
            for end in at or [(name, "low"), (name, "high")]
        ]
        if not at:  # as the schema reads them: whole numbers for a setting that takes no others
            low, high = (reduce(getattr, name.split("."), end) for end in recipes)
            checked |= {"low": low, "high": high}
        distributions({name: checked})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        reason = f"{FORM}: '{key}': {fault['msg']}, got {shown(entry)}"
        raise RecipeError(f"{source.where((name, *fault['loc']))}: '{name}': {reason}") from None
    except (ValueError, UserWarning) as error:
        if isinstance(error, RecipeError):
            _, _, unknown = error.reason.partition(": unknown key")
            raise (RecipeError(f"{place}: unknown key{unknown}") if unknown else error) from None
        raise RecipeError(f"{place}: '{name}': {one_line(error)}") from None
    return checked, recipes


def at_point(
    recipe: Recipe, point: Mapping[str, Any], of: Source | None = None, end: Any = None
) -> Recipe:
    """Return the recipe with the settings of a point, by dotted name.

    Args:
        recipe: Recipe to change.
        point: Values of settings.
        of: Source of the space, for the places in errors.
        end: Location of the value in the source; None for that of its setting.

    Raises:
        RecipeError: The recipe is not valid.
    """
    source = Source(
        recipe._source.path if recipe._source else "recipe", json.loads(recipe.model_dump_json())
    )
    for name in sorted(point, key=lambda name: name.count(".")):
        place = of.where(end or (name,)) if of else name
        set_value(source, tuple(name.split(".")), json.loads(json.dumps(point[name])), place)
    return validate(source)


def distributions(space: Space) -> dict[str, Any]:
    """Return Optuna's distribution of each setting.

    Raises:
        ValueError, UserWarning: A range is empty, or not a multiple of its step.
    """
    kinds, made = optuna().distributions, {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, entry in space.items():
            if "choices" in entry:
                made[name] = kinds.CategoricalDistribution([*_labels(entry)])
            elif isinstance(entry["low"], int):
                step = {"step": int(entry.get("step", 1))}
                made[name] = kinds.IntDistribution(**entry | step)
            else:
                made[name] = kinds.FloatDistribution(**entry)
    return made


def _labels(entry: dict[str, Any]) -> dict[Any, Any]:
    """Return the choices by what Optuna stores of each: lists and mappings as text."""
    choices = entry["choices"]
    return {json.dumps(v) if isinstance(v, list | tuple | dict) else v: v for v in choices}


def values(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of settings for Optuna's parameters."""
    return {
        name: _labels(space[name])[param] if "choices" in space[name] else param
        for name, param in params.items()
    }


def grid(space: Space) -> list[dict[str, Any]]:
    """Return Optuna's parameters at every point of a grid.

    Raises:
        RecipeError: A range has no step.
    """
    from sklearn.model_selection import ParameterGrid

    axes: dict[str, Any] = {}
    for name, axis in distributions(space).items():
        if getattr(axis, "step", 1) is None:
            raise RecipeError(f"'{name}': a grid needs the step of the range, or choices")
        whole = hasattr(axis, "choices")
        axes[name] = (
            axis.choices
            if whole
            else np.arange(axis.low, axis.high + axis.step / 2, axis.step).tolist()
        )
    return [*ParameterGrid(axes)]


def told(point: Mapping[str, Any]) -> str:
    """Return settings in one line: `dropout 0.31, hidden [64], optimizer sgd(momentum=0.9)`."""
    return ", ".join(f"{name.partition('.')[2] or name} {short(v)}" for name, v in point.items())


def short(value: Any) -> str:
    """Return the value of a setting, a number with three significant digits."""
    if isinstance(value, dict):
        rest = ", ".join(f"{key}={short(v)}" for key, v in value.items() if key != "name")
        return value.get("name", "") + f"({rest})" * bool(rest)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
