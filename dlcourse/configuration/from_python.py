"""Recipes from Python: a name, a file, a mapping or keywords, with the errors of a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe, Training, run_recipe, validate, where_it_belongs
from dlcourse.configuration.shipped import recipe_path
from dlcourse.configuration.yaml_source import Source, apply, expand_names, read_source, set_value
from dlcourse.errors import RecipeError
from dlcourse.runs import Run
from dlcourse.schema import plain, shown

OF_TRAINING = tuple(Training.model_fields)
KEYWORDS = (*Recipe.model_fields, *OF_TRAINING)
OF_FIT = ("callbacks", "runs", "name", "verbose")


def recipe(
    recipe: str | Path | Mapping[str, Any] | Recipe | Run | None = None,
    *overrides: str,
    **settings: Any,
) -> Recipe:
    """Return a recipe, checked and complete: what is trained, on what, and how.

    Printed, it is YAML that can be saved as a file; in a notebook it is shown as a table.

    Args:
        recipe: A shipped recipe's name (`recipes()` lists them), a YAML file (with a suffix or a
            slash: a plain word is a name), a mapping as in such a file, a recipe, or a run whose
            recipe is meant. None begins with nothing.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        **settings: `dataset` and `model` (a name, or a mapping of a name and settings), `seed`,
            and every setting of `training` by its own name: `epochs=5`,
            `early_stopping={"patience": 3}`. A mapping without a `name` changes only the settings
            that it names.

    Raises:
        RecipeError: One line per fault: where, what was expected, what came, and the cure.
    """
    if recipe is None and not overrides and not settings:
        raise RecipeError(
            "a recipe is a shipped recipe's name (dl.recipes() lists them), a YAML file, a "
            "mapping, or keywords: dataset='digits', model='cnn'"
        )
    if isinstance(recipe, Recipe) and not overrides and not settings:
        return recipe
    source = _source(recipe)
    for override in overrides:
        apply(source, override)
    first = sorted(settings, key=lambda key: (key not in KEYWORDS, key != "training"))
    for key in first:  # the unknown ones last: what they may belong to is known then
        _set(source, key, settings[key])
    return validate(source)


def _source(recipe: Any) -> Source:
    if recipe is None or isinstance(recipe, Mapping):
        return Source("recipe", plain(recipe or {}, "recipe"))
    if isinstance(recipe, Run):
        recipe = run_recipe(recipe)
    if isinstance(recipe, Recipe):
        path = recipe._source.path if recipe._source else "recipe"
        return Source(path, recipe.model_dump(mode="json"))
    if isinstance(recipe, str | Path):
        return read_source(recipe_path(recipe))
    raise RecipeError(
        f"a recipe is a name, a file, a mapping or a Recipe, got {shown(recipe)}: train a Keras "
        "model of your own with its fit"
    )


def _set(source: Source, key: str, value: Any) -> None:
    """Set what a keyword says; an unknown one is a fault that tells where it belongs."""
    if key not in KEYWORDS:
        expand_names(source)
        known = [*KEYWORDS, *OF_FIT]
        hint = " (of fit)" if key in OF_FIT else where_it_belongs(key, known, source.data)
        source.faults.append(RecipeError(f"unknown setting '{key}'{hint}"))
        return
    if key == "dataset" and isinstance(value, list | tuple | np.ndarray):
        raise RecipeError(
            "dataset: arrays are saved by numpy.savez and read by {'name': 'npz', 'path': …}, or "
            "trained on by Keras' own fit"
        )
    value = plain(value, key)
    location = ("training", key) if key in OF_TRAINING else (key,)
    if location in source.overrides:
        source.faults.append(RecipeError(f"'{'.'.join(location)}' is given twice"))
    set_value(source, location, value, f"{key}={shown(value)}")
