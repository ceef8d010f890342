"""Classic machine learning and networks side by side, on the same splits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError
from dlcourse.lab.comparison.classic import chosen, learners
from dlcourse.lab.comparison.rounds import SEEDS, curve_sizes, default_folds, rounds, subset
from dlcourse.lab.comparison.trials import Trial, classic_trial, recipe_trial
from dlcourse.lab.comparison.verdict import Summary, curve_verdict, summaries, verdict
from dlcourse.schema import Natural, Positive, checked
from dlcourse.training import prepare

__all__ = ["Comparison", "Summary", "Trial", "compare"]

OF_A_NETWORK = "what each input counts (saliency); of a cnn where it looks (Grad-CAM), its filters"


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        data: the data set in words.
        protocol: how the rounds were made, in words.
        score: `accuracy` or `R²`.
        folds: the rounds are folds; otherwise seeds on one test split.
        recipes: the names of the networks.
        trials: all of them, those of smaller training sets included.
        rows: a summary a model, at the full training set, best first.
        explains: what can be explained, by model.
        verdict: sentences.
        sizes: training-set sizes of the curve, rising; one without a curve.
        full: training examples that there were to take.
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
        """The table, what can be explained, the verdict and how it was measured."""
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
    """Return recipes and scikit-learn's classic learners, compared on the recipes' data set.

    Args:
        recipes: A recipe as `dlcourse.recipe` takes it (a name, a file, a mapping, a `Recipe`), a
            list of them, or a mapping of names to them; all of one data set.
        folds: cut the whole data set into so many; None and no `seeds`: 5 for up to 5,000 examples.
        seeds: keep the data set's test split, and train with so many seeds.
        models: the classic learners to take; None takes all.
        examples: training examples to use, at most; None uses all. A recipe sees fewer of them the
            more often, so that it takes as many steps as with all.
        curve: repeat everything with smaller training sets, each half the next.
        report: called after each trial.

    Raises:
        RecipeError: no recipe, data sets that differ, an unknown classic learner, odd settings.
        DatasetError: see `load_dataset`; too few examples.
        DivergedError: a recipe's training became NaN or infinite.
    """
    recipes = _named(recipes)
    first = _one_data_set(recipes)
    dataset = first.load_dataset()
    names = chosen(models, dataset.task)
    if folds is None:
        folds = 0 if seeds else default_folds(dataset)
    parts = rounds(dataset, folds=folds, seeds=seeds or SEEDS, seed=first.seed)
    full = min(len(part.y_train) for part in parts)
    if examples is not None:
        parts = [subset(part, examples, first.seed) for part in parts]
    for recipe in recipes.values():  # a mistake in the last recipe is told before the first fit
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
        return {str(name): recipe_of(given) for name, given in recipes.items()}
    named: dict[str, Recipe] = {}
    for given in recipes if isinstance(recipes, list | tuple) else [recipes]:
        read = recipe_of(given)
        named[f"{read.name} {len(named) + 1}" if read.name in named else read.name] = read
    return named


def _one_data_set(recipes: Mapping[str, Recipe]) -> Recipe:
    """Return the first recipe; all must be of its data set."""
    if not recipes:
        raise RecipeError("a comparison needs a recipe or more")
    (name, first), *others = recipes.items()
    for other, recipe in others:
        if recipe.dataset != first.dataset:
            raise RecipeError(
                f"{recipe.where('dataset')}: {other} is of {_settings(recipe)}, {name} of "
                f"{_settings(first)}: recipes of one data set are compared"
            )
    return first


def _settings(recipe: Recipe) -> str:
    given = recipe.settings("dataset").items()
    return f"{recipe.dataset.name} ({', '.join(f'{key} {value}' for key, value in given)})"


def _trials(
    parts: list[Dataset], sizes: list[int], names: list[str], recipes: dict[str, Recipe], full: int
) -> Iterator[Trial]:
    """Give the trials, a round after the other: a machine's changing load meets all models."""
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
    words = verdict(rows, tuple(recipes), score)
    if len(sizes) > 1:
        words += curve_verdict(by_size, tuple(recipes), folds=folds > 0)
    known = learners(dataset.task)
    explains = {name: known[name].explains for name in names}
    explains |= dict.fromkeys(recipes, OF_A_NETWORK)
    return Comparison(
        dataset.summary,
        _protocol(folds, count, sizes[-1], trials),
        score,
        folds > 0,
        tuple(recipes),
        tuple(trials),
        tuple(rows),
        explains,
        tuple(words),
        tuple(sizes),
        full,
    )


def _protocol(folds: int, count: int, size: int, trials: Sequence[Trial]) -> str:
    test = len(trials[0].per_example)
    if folds:
        return f"{folds} folds of all examples: {size:,} to learn, about {test:,} to test in each"
    return f"the data set's own test split ({test:,}), {count} seeds, {size:,} examples to learn"


def _by_model(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.model, []).append(trial)
    return found
