"""Recipes of generation: a data set, a `gan` or an `autoencoder`, and how it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from dlcourse import schema
from dlcourse.configuration.shipped import PACKAGE
from dlcourse.configuration.yaml_source import Source, apply, expand_names, read_source
from dlcourse.datasets import DATASETS, Dataset, read_dataset
from dlcourse.errors import RecipeError
from dlcourse.generation.networks import BUILDERS
from dlcourse.runs import Run


def training(
    *,
    epochs: schema.Positive = 100,
    batch_size: schema.Positive = 64,
    learning_rate: schema.PositiveNumber = 0.001,
    discriminator_learning_rate: schema.PositiveNumber | None = None,
    beta_1: schema.NonNegative = 0.5,
    real_label: schema.Fraction = 0.9,
    measure_every: schema.Natural = 25,
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


GROUPS = ("seed", "dataset", "model", "training")
Seed = Annotated[int, Field(ge=0, lt=2**32), schema.is_number]
Group = dict[str, Any]


def _parts(*, dataset: Group, model: Group, seed: Seed = 0, training: Group = {}) -> None:  # noqa: B006
    """Return nothing: the parts of a recipe."""


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
        return yaml.safe_dump(schema.plain(parts, "recipe"), sort_keys=False, allow_unicode=True)

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
    recipe: "str | Path | Mapping[str, Any] | Run | None" = None,
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
    for key, value in settings.items():
        group = source.data if key in GROUPS else source.data.setdefault("training", {})
        group[key] = {**source.data.get(key, {}), **value} if isinstance(value, Mapping) else value
    expand_names(source)
    if source.faults:
        raise RecipeError("\n".join(map(str, source.faults)))
    parts = schema.checked_settings(name, _parts, source.data)
    loaders = {key: loader.function for key, loader in DATASETS.items()}
    dataset = _checked(name, "dataset", loaders, parts["dataset"])
    model = _checked(name, "model", BUILDERS, parts["model"])
    how = schema.checked_settings("training", training, parts["training"])
    return GenerationRecipe(name, parts["seed"], dataset, model, how)


def _checked(name: str, part: str, functions: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """Return the complete settings of the function that is named, with its name."""
    kind = given.get("name")
    if kind not in functions:
        hint = schema.did_you_mean(kind, list(functions))
        raise RecipeError(f"{name}: unknown {part} '{kind}'{hint}")
    others = {key: value for key, value in given.items() if key != "name"}
    return {"name": kind, **schema.checked_settings(f"{part}.{kind}", functions[kind], others)}


def _source(recipe: Any) -> tuple[Source, str]:
    if isinstance(recipe, Run):
        return read_source(recipe.file("recipe.yaml")), recipe.name
    if recipe is None or isinstance(recipe, Mapping):
        source = Source("recipe", schema.plain(recipe or {}, "recipe"))
        expand_names(source)
        names = [str((source.data.get(part) or {}).get("name")) for part in ("dataset", "model")]
        return source, "-".join(names)
    file = shipped().get(str(recipe), Path(recipe))
    if not file.suffix:
        raise RecipeError(
            f"unknown recipe {recipe!r}{schema.did_you_mean(recipe, list(shipped()))}"
        )
    return read_source(file), file.stem
