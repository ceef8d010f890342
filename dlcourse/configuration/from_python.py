"""Recipes from Python: a name, a file, a mapping or keywords, with the same errors as a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import R, Recipe, groups, run_recipe, validate, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, apply, expand_names, read_source, set_value
from dlcourse.datasets.given import is_given, stored
from dlcourse.errors import RecipeError
from dlcourse.runs import Run
from dlcourse.schema import plain, shown

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
    return recipe_of(Recipe, recipe, overrides, settings)


def recipe_of(kind: type[R], recipe: Any, overrides: Sequence[str], settings: dict[str, Any]) -> R:
    """Return what `recipe` does, as a recipe of a kind; see `load_recipe`."""
    if recipe is None and not overrides and not settings:
        reason = "a recipe is the name of a shipped one (dl.recipes() lists them), a YAML file, a "
        reason += "mapping, or keywords: dataset='digits', model='cnn'"
        raise RecipeError(reason)
    if is_given(recipe):
        recipe = _data_alone(kind, recipe, settings)
    if type(recipe) is kind and not overrides and not settings:
        return recipe
    source = _source(kind, recipe)
    apply(source, *overrides)
    known = _keywords(kind)
    ordered = sorted(settings, key=lambda key: (key not in known, key != "training"))
    for key in ordered:  # unknown keys last: the hint then knows the chosen parts
        _set(kind, source, key, settings[key])
    return validate(source, kind=kind)


def _keywords(kind: type[Recipe]) -> list[str]:
    """Return the keywords: the parts of a recipe, then the settings of its training."""
    return [*kind.model_fields, *groups(kind)["training"].model_fields]


def _data_alone(kind: type[Recipe], data: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe of data; it takes the settings that are those of a data set."""
    name = "csv" if hasattr(data, "columns") else "npz"
    own = groups()[f"dataset.{name}"].model_fields.keys() - {"name", *_keywords(kind)}
    named = {key: settings.pop(key) for key in own & settings.keys()}
    return {"dataset": stored(data, {**settings.pop("dataset", {}), **named})}


def _source(kind: type[Recipe], recipe: Any) -> Source:
    if recipe is None or isinstance(recipe, Mapping):
        source = Source("recipe", plain(recipe or {}, "recipe"))
        expand_names(source)
        return source
    if isinstance(recipe, Run):
        recipe = run_recipe(recipe, kind=kind)
    if isinstance(recipe, Recipe):
        path = recipe._source.path if recipe._source else "recipe"
        return Source(path, recipe.model_dump(mode="json"))
    if isinstance(recipe, str | Path):
        return read_source(recipe_path(recipe, kind.folder))
    reason = f"a recipe is a name, a file, a mapping or a Recipe, got {shown(recipe)}: train your "
    reason += "own Keras model with its fit"
    raise RecipeError(reason)


def _set(kind: type[Recipe], source: Source, key: str, value: Any) -> None:
    """Set the value of a keyword; an unknown keyword is an error that says where it belongs."""
    keywords = _keywords(kind)
    if key not in keywords:
        known = [*keywords, *OF_FIT]
        hint = " (of fit)" if key in OF_FIT else where_it_belongs(key, known, source.data, kind)
        source.faults.append(RecipeError(f"unknown setting '{key}'{hint}"))
        return
    if key == "dataset" and isinstance(value, list | tuple | np.ndarray):
        raise RecipeError("dataset: give arrays first, as in dl.fit((x, y), model='dnn')")
    value = plain(value, key)
    location = (key,) if key in kind.model_fields else ("training", key)
    if location in source.overrides:
        source.faults.append(RecipeError(f"'{'.'.join(location)}' is given twice"))
    set_value(source, location, value, f"{key}={shown(value)}")
