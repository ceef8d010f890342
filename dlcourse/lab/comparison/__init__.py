"""Comparison of classic machine learning and networks on the same splits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError
from dlcourse.lab.comparison.classic import chosen, classics
from dlcourse.lab.comparison.rounds import SEEDS, curve_sizes, default_folds, rounds, subset
from dlcourse.lab.comparison.trials import Trial, classic_trial, recipe_trial
from dlcourse.lab.comparison.verdict import Summary, curve_verdict, summaries, verdict
from dlcourse.schema import Natural, Positive, checked
from dlcourse.training import prepare

__all__ = ["Comparison", "Summary", "Trial", "compare"]

OF_A_NETWORK = "effect of each input (saliency); for a cnn where it looks (Grad-CAM), its filters"
IN_TIME = "effect of each step or token (saliency); of attention, its weights"


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        data: Description of the data set.
        protocol: Description of how the rounds were made.
        score: Name of the score, `accuracy` or `R²`.
        folds: Whether the rounds are folds; otherwise they are seeds on one test split.
        recipes: Names of the networks.
        trials: All trials, including those with smaller training sets.
        rows: One summary per model, at the full training set, best first.
        explains: Parts of a model that can be explained, by model.
        verdict: Conclusions, as sentences.
        sizes: Training-set sizes of the curve, increasing; a single size without a curve.
        full: Number of training examples available.
    """

    data: str
    protocol: str
    score: str
    folds: bool
    recipes: tuple[str, ...]
    trials: tuple[Trial, ...]
    rows: tuple[Summary, ...]
    explains: Mapping[str, str]
    verdict: tuple[str, ...]
    sizes: tuple[int, ...]
    full: int

    def __str__(self) -> str:
        """The table, what can be explained, the verdict and the protocol."""
        from dlcourse.lab.comparison import results

        return results.text(self)

    __repr__ = __str__

    def at(self, size: int) -> dict[str, list[Trial]]:
        """Return each model's trials at a size of `sizes`, in the order of the rounds."""
        return _by_model([trial for trial in self.trials if trial.examples == size])


@checked
def compare(
    recipes: Any,
    *,
    folds: Natural | None = None,
    seeds: Positive | None = None,
    models: Sequence[str] | None = None,
    examples: Positive | None = None,
    curve: bool = False,
    report: Callable[[Trial], None] | None = None,
) -> Comparison:
    """Return the comparison of recipes with classic models of scikit-learn on one data set.

    Args:
        recipes: A recipe as `dlcourse.recipe` takes it (a name, a file, a mapping, a `Recipe`), a
            list of recipes, or a mapping of names to recipes; all with the same data set.
        folds: Number of folds of the whole data set. None without `seeds`: 5 for up to 5,000
            examples.
        seeds: Number of seeds to train with, on the data set's own test split.
        models: Names of the classic models. None for all.
        examples: Largest number of training examples. None for all. A recipe repeats fewer
            examples, so that it takes as many steps as with all.
        curve: Whether to repeat everything with smaller training sets, each half of the next.
        report: Function called after each trial.

    Raises:
        RecipeError: There is no recipe, the data sets differ, a classic model is unknown, or the
            settings do not fit together.
        DatasetError: The examples are too few; see also `load_dataset`.
        DivergedError: The training of a recipe became NaN or infinite.
    """
    recipes = _named(recipes)
    first = _one_data_set(recipes)
    dataset = first.load_dataset()
    if dataset.task == "next_token":
        reason = "a comparison is of classes or numbers, not of the next token"
        cure = "dlcourse train tells the loss of n-gram counts beside that of the model"
        raise RecipeError(f"{first.where('dataset')}: {reason}: {cure}")
    names = chosen(models, dataset)
    if folds is None:
        folds = 0 if seeds else default_folds(dataset)
    parts = rounds(dataset, folds=folds, seeds=seeds or SEEDS, seed=first.seed)
    full = min(len(part.y_train) for part in parts)
    if examples is not None:
        parts = [subset(part, examples, first.seed) for part in parts]
    for recipe in recipes.values():  # a mistake in the last recipe is reported before the first fit
        prepare(recipe, parts[0])
    smallest = min(parts, key=lambda part: len(part.y_train))
    sizes = curve_sizes(smallest) if curve else [len(smallest.y_train)]
    trials = []
    for trial in _trials(parts, sizes, names, recipes, full):
        trials.append(trial)
        if report:
            report(trial)
    return _result(dataset, recipes, names, trials, sizes, folds, len(parts), full)


def _named(recipes: Any) -> dict[str, Recipe]:
    """Return the recipes by name."""
    if isinstance(recipes, Mapping) and not recipes.keys() & Recipe.model_fields:
        return {str(name): recipe_of(recipe) for name, recipe in recipes.items()}
    named: dict[str, Recipe] = {}
    for recipe in recipes if isinstance(recipes, list | tuple) else [recipes]:
        read = recipe_of(recipe)
        named[f"{read.name} {len(named) + 1}" if read.name in named else read.name] = read
    return named


def _one_data_set(recipes: Mapping[str, Recipe]) -> Recipe:
    """Return the first recipe; all must have its data set."""
    if not recipes:
        raise RecipeError("a comparison needs at least one recipe")
    (first_name, first), *others = recipes.items()
    for name, recipe in others:
        if recipe.dataset != first.dataset:
            reason = f"{recipe.where('dataset')}: {name} has {_settings(recipe)}, {first_name} has "
            reason += f"{_settings(first)}: a comparison needs one data set"
            raise RecipeError(reason)
    return first


def _settings(recipe: Recipe) -> str:
    settings = recipe.settings("dataset").items()
    return f"{recipe.dataset.name} ({', '.join(f'{key} {value}' for key, value in settings)})"


def _trials(
    parts: list[Dataset], sizes: list[int], names: list[str], recipes: dict[str, Recipe], full: int
) -> Iterator[Trial]:
    """Yield the trials round by round: a changing load of the machine affects all models."""
    for number, part in enumerate(parts, 1):
        for size in sizes:
            data = subset(part, size, number)
            for name in names:
                yield classic_trial(name, data, number)
            for name, recipe in recipes.items():
                yield recipe_trial(name, recipe, data, number, full=full)


def _result(
    dataset: Dataset,
    recipes: Mapping[str, Recipe],
    names: Sequence[str],
    trials: Sequence[Trial],
    sizes: Sequence[int],
    folds: int,
    count: int,
    full: int,
) -> Comparison:
    score = "R²" if dataset.task == "regression" else "accuracy"
    by_size = {size: _by_model([t for t in trials if t.examples == size]) for size in sizes}
    rows = summaries(by_size[sizes[-1]], folds=folds > 0)
    sentences = verdict(rows, tuple(recipes), score)
    if len(sizes) > 1:
        sentences += curve_verdict(by_size, tuple(recipes), folds=folds > 0)
    classic, in_time = classics(dataset), dataset.facts.inputs in ("sequences", "text")
    explains = {name: classic[name].explains for name in names}
    explains |= dict.fromkeys(recipes, IN_TIME if in_time else OF_A_NETWORK)
    data = dataset.summary
    if dataset.task != "regression":
        data += f"; majority {np.bincount(dataset.y_test).max() / len(dataset.y_test):.4f}"
    protocol = _protocol(folds, count, sizes[-1], trials)
    found = (tuple(recipes), tuple(trials), tuple(rows), explains, tuple(sentences))
    return Comparison(data, protocol, score, folds > 0, *found, tuple(sizes), full)


def _protocol(folds: int, count: int, size: int, trials: Sequence[Trial]) -> str:
    test = len(trials[0].per_example)
    if folds:
        return f"{folds} folds of all examples: {size:,} to train, about {test:,} to test in each"
    return f"the data set's own test split ({test:,}), {count} seeds, {size:,} training examples"


def _by_model(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    names = dict.fromkeys(trial.model for trial in trials)
    return {name: [trial for trial in trials if trial.model == name] for name in names}
