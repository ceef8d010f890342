"""Recipes from Python: a name, a file, a mapping or keywords, with the same errors as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe, groups, run_recipe, validate, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, apply, expand_names, read_source, set_value
from dlcourse.datasets.given import is_given, stored
from dlcourse.errors import RecipeError
from dlcourse.runs import Run
from dlcourse.schema import plain, shown

OF_TRAINING = tuple(groups()["training"].model_fields)
KEYWORDS = (*Recipe.model_fields, *OF_TRAINING)
OF_FIT = ("callbacks", "runs", "name", "verbose")


def recipe(
    recipe: str | Path | Mapping[str, Any] | Recipe | Run | None = None,
    *overrides: str,
    **settings: Any,
) -> Recipe:
    """Return a complete, validated recipe: the data set, the model and the training.

    A recipe prints as YAML that can be saved as a file; a notebook shows it as a table.

    Args:
        recipe: Name of a shipped recipe (`recipes()` lists them), a YAML file (with a suffix or a
            slash; a plain word is a name), a mapping like such a file's, a recipe, or a run, whose
            recipe is used; or arrays `(x, y)` or a DataFrame to train on, with the settings of its
            data set as keywords, such as `target`. None starts from nothing.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        **settings: Settings by keyword: `dataset` and `model` (a name, or a mapping of a name and
            settings), `seed`, and every setting of `training` by its own name: `epochs=5`,
            `early_stopping={"patience": 3}`. A mapping without a `name` changes only the settings
            that it names.

    Raises:
        RecipeError: The recipe is not valid: one line per error, with its place, what was expected,
            what was found, and the cure.
    """
    if recipe is None and not overrides and not settings:
        reason = "a recipe is the name of a shipped one (dl.recipes() lists them), a YAML file, a "
        reason += "mapping, or keywords: dataset='digits', model='cnn'"
        raise RecipeError(reason)
    if is_given(recipe):
        recipe = _data_alone(recipe, settings)
    if isinstance(recipe, Recipe) and not overrides and not settings:
        return recipe
    source = _source(recipe)
    apply(source, *overrides)
    ordered = sorted(settings, key=lambda key: (key not in KEYWORDS, key != "training"))
    for key in ordered:  # unknown keys last: the hint then knows the chosen parts
        _set(source, key, settings[key])
    return validate(source)


def _data_alone(data: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe of data; it takes the settings that are those of a data set."""
    name = "csv" if hasattr(data, "columns") else "npz"
    own = groups()[f"dataset.{name}"].model_fields.keys() - {"name", *KEYWORDS}
    named = {key: settings.pop(key) for key in own & settings.keys()}
    return {"dataset": stored(data, {**settings.pop("dataset", {}), **named})}


def _source(recipe: Any) -> Source:
    if recipe is None or isinstance(recipe, Mapping):
        source = Source("recipe", plain(recipe or {}, "recipe"))
        expand_names(source)
        return source
    if isinstance(recipe, Run):
        recipe = run_recipe(recipe)
    if isinstance(recipe, Recipe):
        path = recipe._source.path if recipe._source else "recipe"
        return Source(path, recipe.model_dump(mode="json"))
    if isinstance(recipe, str | Path):
        return read_source(recipe_path(recipe))
    reason = f"a recipe is a name, a file, a mapping or a Recipe, got {shown(recipe)}: train your "
    reason += "own Keras model with its fit"
    raise RecipeError(reason)


def _set(source: Source, key: str, value: Any) -> None:
    """Set the value of a keyword; an unknown keyword is an error that says where it belongs."""
    if key not in KEYWORDS:
        known = [*KEYWORDS, *OF_FIT]
        hint = " (of fit)" if key in OF_FIT else where_it_belongs(key, known, source.data)
        source.faults.append(RecipeError(f"unknown setting '{key}'{hint}"))
        return
    if key == "dataset" and isinstance(value, list | tuple | np.ndarray):
        raise RecipeError("dataset: give arrays first, as in dl.fit((x, y), model='dnn')")
    value = plain(value, key)
    location = ("training", key) if key in OF_TRAINING else (key,)
    if location in source.overrides:
        source.faults.append(RecipeError(f"'{'.'.join(location)}' is given twice"))
    set_value(source, location, value, f"{key}={shown(value)}")
