"""Recipes of generation: a data set, a `gan` or an `autoencoder`, and how it is trained."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from dlcourse import schema
from dlcourse.configuration.from_python import recipe_of as recipe_of_kind
from dlcourse.configuration.recipe import Recipe
from dlcourse.configuration.shipped import GENERATION, recipe_path
from dlcourse.configuration.yaml_source import read_source
from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError
from dlcourse.generation.networks import BUILDERS


class Training(schema.Settings):
    """Settings of the training.

    Args:
        epochs: Number of passes over the training images.
        batch_size: Images per step.
        learning_rate: Learning rate of Adam.
        beta_1: Momentum of Adam; 0.5 keeps a GAN from oscillating (Radford et al. 2016,
            arXiv:1511.06434), an autoencoder may have 0.9.
        ema: Momentum of a moving average of the generator's or the autoencoder's weights over the
            steps (Yazıcı et al. 2019, arXiv:1806.04498). The average is measured and saved in place
            of the last weights, and the training goes on from these. Null for no average.
        real_label: Label of real images for the discriminator, less than 1 so that it is never
            certain (Salimans et al. 2016, arXiv:1606.03498).
        measure_every: Epochs from one measurement of the quality to the next; 0 measures at the end
            alone.
    """

    epochs: schema.Positive = 100
    batch_size: schema.Positive = 64
    learning_rate: schema.PositiveNumber = 0.001
    beta_1: schema.Rate = 0.5
    ema: schema.Fraction | None = None
    real_label: schema.Fraction = 0.9
    measure_every: schema.Natural = 25


ModelSettings = schema.settings_union(BUILDERS)


class GenerationRecipe(Recipe):
    """A recipe of generation; the shipped ones lie in `configs/generation`.

    Args:
        seed: Seed of all random numbers, a whole number below 2³².
        dataset: Data set of images, with its settings.
        model: `gan` or `autoencoder`, with its settings.
        training: Settings of the training.
    """

    folder: ClassVar[str] = GENERATION
    model: ModelSettings  # pyright: ignore[reportInvalidTypeForm]
    training: Training = Field(default_factory=Training)  # pyright: ignore

    def load_dataset(self) -> Dataset:
        """Return the images with their classes; their task is `generation`.

        Raises:
            DatasetError: The data is missing or broken.
            RecipeError: It holds no images with classes, or too many for the memory.
        """
        data = super().load_dataset()
        in_memory, of = isinstance(data.x_train, np.ndarray), f"{data.facts.inputs} for {data.task}"
        if data.facts.inputs != "images" or not (data.class_names and in_memory):
            needed = f"needs images with classes that fit into memory, got {of}"
            raise RecipeError(f"{self.where('dataset')}: {needed}")
        return replace(data, task="generation")


def kind_of(recipe: str | Path) -> type[Recipe]:
    """Return the class of the recipe with this name or file: `GenerationRecipe` or `Recipe`."""
    with suppress(RecipeError, AttributeError, KeyError, TypeError):
        source = read_source(recipe_path(recipe, GenerationRecipe.folder))
        return GenerationRecipe if source.data["model"].get("name") in BUILDERS else Recipe
    return Recipe


def recipe_of(recipe: Any = None, *overrides: str, **settings: Any) -> GenerationRecipe:
    """Return a checked recipe.

    Args:
        recipe: Name of a shipped recipe (`digits_gan`, …), a file, a mapping, a recipe, a run, or
            arrays `(x, y)`; None for keywords alone.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        **settings: Changes of `training` by name, and `seed`, `dataset` and `model`.

    Raises:
        RecipeError: The recipe is not valid: one line per fault, with its place.
    """
    return recipe_of_kind(GenerationRecipe, recipe, overrides, settings)
