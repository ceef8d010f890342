"""Recipes of generation: a data set, a `gan` or an `autoencoder`, and how it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dlcourse.configuration.shipped import PACKAGE
from dlcourse.configuration.yaml_source import Source, apply, expand_names, read_source
from dlcourse.datasets import DATASETS, Dataset, read_dataset
from dlcourse.errors import RecipeError
from dlcourse.generation.networks import BUILDERS
from dlcourse.runs import Run
from dlcourse.schema import (
    Fraction,
    Natural,
    NonNegative,
    Positive,
    PositiveNumber,
    checked_settings,
    did_you_mean,
    plain,
)


def training(
    *,
    epochs: Positive = 100,
    batch_size: Positive = 64,
    learning_rate: PositiveNumber = 0.001,
    discriminator_learning_rate: PositiveNumber | None = None,
    beta_1: NonNegative = 0.5,
    real_label: Fraction = 0.9,
    measure_every: Natural = 25,
) -> None:
    """Return nothing: the settings of a training.

    Args:
        epochs: Number of passes over the training images.
        batch_size: Images per step.
        learning_rate: Learning rate of Adam.
        discriminator_learning_rate: Learning rate of the discriminator; null for the same.
        beta_1: Momentum of Adam; 0.5 keeps a GAN from oscillating (Radford et al. 2016,
            arXiv:1511.06434), an autoencoder may have 0.9.
        real_label: Label of real images for the discriminator, less than 1 so that it is never
            certain (Salimans et al. 2016, arXiv:1606.03498).
        measure_every: Epochs from one measurement of the quality to the next; 0 measures at the end
            alone.
    """


GROUPS = ["seed", "dataset", "model", "training"]


@dataclass(frozen=True)
class GenerationRecipe:
    """A checked recipe; every setting is written out.

    Attributes:
        name: Name of its file, or of its data set and model.
        seed: Seed of all random numbers.
        dataset, model: Settings of the data set and of the model, with their `name`.
        training: Settings of the training, see `training`.
    """

    name: str
    seed: int
    dataset: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]

    def to_yaml(self) -> str:
        """Return the recipe as the text of a file."""
        parts = {key: getattr(self, key) for key in GROUPS}
        return yaml.safe_dump(plain(parts, "recipe"), sort_keys=False, allow_unicode=True)

    def load_dataset(self) -> Dataset:
        """Return the images with their classes.

        Raises:
            DatasetError: The data is missing or broken.
            RecipeError: It holds no images with classes, or a setting is wrong.
        """
        settings = {key: value for key, value in self.dataset.items() if key != "name"}
        data = read_dataset(self.dataset["name"], self.seed, settings)
        if data.facts.inputs != "images" or not data.class_names:
            raise RecipeError(f"{self.name}: a {self.model['name']} needs images with classes")
        return data


def shipped() -> dict[str, Path]:
    """Return the files of the shipped recipes by name; they lie in `configs/generation`."""
    inside = PACKAGE / "configs"
    folder = (inside if inside.is_dir() else PACKAGE.parent / "configs") / "generation"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def recipe_of(
    recipe: "str | Path | Mapping[str, Any] | GenerationRecipe | Run | None" = None,
    *overrides: str,
    **settings: Any,
) -> GenerationRecipe:
    """Return a checked recipe.

    Args:
        recipe: Name of a shipped recipe (`digits_gan`, …), a file, a mapping, or a run.
        *overrides: Changes as on the command line: `"training.epochs=5"`.
        **settings: Changes of `training` by name, and `seed`, `dataset` and `model`.

    Raises:
        RecipeError: The recipe or a setting is unknown or wrong, one line per fault.
    """
    source, name = _source(recipe)
    apply(source, *overrides)
    data = source.data
    for key, value in settings.items():
        group = data if key in GROUPS else data.setdefault("training", {})
        group[key] = {**data.get(key, {}), **value} if isinstance(value, Mapping) else value
    expand_names(source)
    faults = list(map(str, source.faults))
    faults += [
        f"{name}: unknown key '{key}'{did_you_mean(key, GROUPS)}"
        for key in data
        if key not in GROUPS
    ]
    seed = data.get("seed", 0)
    if type(seed) is not int or not 0 <= seed < 2**32:
        faults.append(f"{name}: 'seed': a whole number below 2³² is expected, got {seed!r}")
    if faults:
        raise RecipeError("\n".join(faults))
    functions = {key: loader.function for key, loader in DATASETS.items()}
    return GenerationRecipe(
        name,
        seed,
        _checked(name, "dataset", functions, data.get("dataset")),
        _checked(name, "model", BUILDERS, data.get("model")),
        checked_settings("training", training, data.get("training") or {}),
    )


def _checked(recipe: str, part: str, functions: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """Return the complete settings of the function that is named, with its name."""
    settings = dict(given or {})
    name = settings.pop("name", None)
    if name not in functions:
        known = did_you_mean(name, list(functions))
        raise RecipeError(f"{recipe}: unknown {part} '{name}'{known}")
    return {"name": name, **checked_settings(f"{part}.{name}", functions[name], settings)}


def _source(recipe: Any) -> tuple[Source, str]:
    if isinstance(recipe, Run):
        return read_source(recipe.file("recipe.yaml")), recipe.name
    if isinstance(recipe, GenerationRecipe):
        return Source(recipe.name, yaml.safe_load(recipe.to_yaml())), recipe.name
    if recipe is None or isinstance(recipe, Mapping):
        source = Source("recipe", plain(recipe or {}, "recipe"))
        expand_names(source)
        names = [str((source.data.get(part) or {}).get("name")) for part in ("dataset", "model")]
        return source, "-".join(names)
    file = shipped().get(str(recipe), Path(recipe))
    if not file.suffix:
        raise RecipeError(f"unknown recipe {recipe!r}{did_you_mean(recipe, list(shipped()))}")
    return read_source(file), file.stem
