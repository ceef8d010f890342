"""The space of a search: settings of a recipe, each with a range or with choices."""

import json
import warnings
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, read_source
from dlcourse.errors import RecipeError, UserError
from dlcourse.schema import Number, PositiveNumber, checked_settings, plain, shown

POINTS = 200  # random ones that must be valid recipes
FORM = "expected {low: …, high: …} or {choices: […]}"
SEARCHED = ["model", "training"]
Space = dict[str, dict[str, Any]]


def span(
    *, low: Number, high: Number, log: bool = False, step: PositiveNumber | None = None
) -> None:
    """A range of numbers.

    Args:
        low, high: Lowest and highest value.
        log: Whether the logarithm is uniform: 0.001 to 0.01 is then as likely as 0.01 to 0.1.
        step: Distance of the values from `low`; null for any value between.
    """


def listed(*, choices: list[Any]) -> None:
    """Values to choose from."""


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
    warnings.filterwarnings("ignore", message="Heartbeat of storage")  # ask is used with one
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
    named = isinstance(given, str | Path)
    source = read_source(recipe_path(given, "configs/spaces")) if named else None
    source = source or Source("space", plain(given, "space"))
    space, recipes, faults = {}, list[Recipe](), [str(fault) for fault in source.faults]
    for name in source.data:
        try:
            space[name], ends = _entry(source, name, recipe)
            recipes += ends
        except (ValueError, UserWarning) as error:
            place = f"{source.where((name,), key=True)}: '{name}': "
            text = str(error).replace("\n", "; ")
            faults.append(place * (not text.startswith(source.path)) + text)
    if faults or not space:
        none = f"{source.path}: names no setting, such as training.learning_rate"
        raise RecipeError("\n".join(faults or [none]))
    study = optuna().create_study(sampler=optuna().samplers.RandomSampler(seed=0))
    for _ in range(POINTS):
        point = values(space, study.ask(distributions(space)).params)
        recipes.append(at_point(recipe, point, f"{source.path}: {told(point)}"))
    return space, recipes


def _entry(source: Source, name: str, recipe: Recipe) -> tuple[dict[str, Any], list[Recipe]]:
    """Return the checked range or choices of a setting, and the recipes at its ends."""
    entry = source.data[name]
    if name.partition(".")[0] not in SEARCHED:
        reason = "a search changes settings of model and training, with the same data and seed"
        hint = where_it_belongs(name, SEARCHED) * (name not in Recipe.model_fields)
        raise ValueError(reason + hint)
    if not isinstance(entry, dict):
        raise ValueError(f"{FORM}, got {shown(entry)}")
    kind, form = ("choices", listed) if "choices" in entry else ("range", span)
    checked = checked_settings(kind, form, entry)
    checked = {key: value for key, value in checked.items() if value is not None}
    ends: list[Any] = [("low",), ("high",)]
    if kind == "choices":
        ends = [(kind, k) for k in range(len(checked[kind]))]
    recipes = []
    for end in ends:
        value: Any = reduce(lambda data, key: data[key], end, entry)
        recipes.append(at_point(recipe, {name: value}, source.where((name, *end))))
    if kind == "range":  # as the schema reads them: whole numbers if the setting takes no others
        low, high = (reduce(getattr, name.split("."), end) for end in recipes)
        checked |= {"low": low, "high": high}
    distributions({name: checked})
    return checked, recipes


def at_point(recipe: Recipe, point: Mapping[str, Any], place: str = "") -> Recipe:
    """Return the recipe with the settings of a point, by dotted name.

    Raises:
        RecipeError: The recipe is not valid; the text begins with the place.
    """
    names = sorted(point, key=lambda name: name.count("."))  # a model before its settings
    try:
        return recipe_of(recipe, *(f"{name}={json.dumps(point[name])}" for name in names))
    except RecipeError as error:
        reason = str(error).partition("': ")[2]  # after the name of the override
        raise RecipeError(f"{place}: {reason}" if place else str(error)) from None


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
    return {json.dumps(v) if isinstance(v, list | dict) else v: v for v in entry["choices"]}


def values(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of settings for Optuna's parameters."""
    kinds = {name: _labels(entry) for name, entry in space.items() if "choices" in entry}
    return {name: kinds[name][v] if name in kinds else v for name, v in params.items()}


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
        axes[name] = getattr(axis, "choices", None) or (
            np.arange(axis.low, axis.high + axis.step / 2, axis.step).tolist()
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
