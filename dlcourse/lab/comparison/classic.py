"""The classic models, all of scikit-learn, with its default settings.

Rows of a table are standardised; pixels are scaled to values from 0 to 1. Sequences are rows of all
their standardised numbers, with 0 after the end. A text is its n-grams: the tokens and the pairs of
neighbours in it, weighted by TF-IDF; the strength of the penalty is chosen by cross-validation.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.datasets.dataset import PADDING
from dlcourse.datasets.series import naive_forecasts
from dlcourse.errors import RecipeError
from dlcourse.schema import did_you_mean

STEPS = 2000  # limit of the iterative solvers
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)  # to choose from for n-grams


class Classic(NamedTuple):
    """A classic model: unfitted estimator, number of stored parameters, what it can explain."""

    estimator: Any
    parameters: Callable[[Any], int]
    explains: str


def _weights(model: Any) -> int:
    return model.coef_.size + np.size(model.intercept_)


def _examples(model: Any) -> int:
    return model.n_samples_fit_ * model.n_features_in_


def _supports(model: Any) -> int:
    machine = getattr(model, "regressor_", model)
    return machine.support_vectors_.size + machine.dual_coef_.size + machine.intercept_.size


def _nodes(model: Any) -> int:
    return sum(tree.tree_.node_count for tree in model.estimators_)


def _boosted_nodes(model: Any) -> int:
    # scikit-learn has no public attribute for the size of these trees
    return sum(len(tree.nodes) for trees in model._predictors for tree in trees)


NOTHING = "nothing: it ignores the inputs"
LINES = "one weight per input (and class)"
LAST = "the value that it repeats"
NEIGHBOURS = "the 5 nearest training examples"
SUPPORTS = "the support vectors and their weights"
FOREST = "each input's importance; no single tree decides"
BOOSTED = "each input's importance, by permutation"
NGRAMS = "one weight per token and pair of neighbours (and class)"


def baselines(task: str, seed: int = 0) -> dict[str, Classic]:
    """Return the classic models for a task, unfitted."""
    from sklearn import dummy, ensemble, linear_model, neighbors, svm
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    random: dict[str, Any] = {"random_state": seed}
    if task == "regression":
        forest = ensemble.RandomForestRegressor(n_jobs=1, **random)
        boosted = ensemble.HistGradientBoostingRegressor(**random)
        # standardised targets, as its C and epsilon assume
        machine = TransformedTargetRegressor(svm.SVR(), transformer=StandardScaler())
        return {
            "mean": Classic(dummy.DummyRegressor(), lambda _: 1, NOTHING),
            "linear_regression": Classic(linear_model.LinearRegression(), _weights, LINES),
            "k_nn": Classic(neighbors.KNeighborsRegressor(), _examples, NEIGHBOURS),
            "svm": Classic(machine, _supports, SUPPORTS),
            "random_forest": Classic(forest, _nodes, FOREST),
            "gradient_boosting": Classic(boosted, _boosted_nodes, BOOSTED),
        }
    logistic = linear_model.LogisticRegression(max_iter=STEPS, **random)
    forest = ensemble.RandomForestClassifier(n_jobs=1, **random)
    boosted = ensemble.HistGradientBoostingClassifier(**random)
    return {
        "majority": Classic(dummy.DummyClassifier(), lambda _: 1, NOTHING),
        "logistic_regression": Classic(logistic, _weights, LINES),
        "k_nn": Classic(neighbors.KNeighborsClassifier(), _examples, NEIGHBOURS),
        "svm": Classic(svm.SVC(**random), _supports, SUPPORTS),
        "random_forest": Classic(forest, _nodes, FOREST),
        "gradient_boosting": Classic(boosted, _boosted_nodes, BOOSTED),
    }


def classics(dataset: Dataset, seed: int = 0) -> dict[str, Classic]:
    """Return the classic models for a data set, unfitted."""
    found = baselines(dataset.task, seed)
    if dataset.facts.inputs == "text":
        guess, *_ = found
        return {guess: found[guess], **_of_ngrams(dataset, seed)}
    naive = {}
    if "series" in dataset.encoding:
        for name in naive_forecasts(dataset.x_train[:1], dataset.encoding):
            last = Classic(Naive(name, dataset), lambda _: 0, LAST)
            naive[name.replace(" ", "_")] = last
    return naive | found


def _of_ngrams(dataset: Dataset, seed: int) -> dict[str, Classic]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV, KFold

    strengths, folds = [*STRENGTHS], KFold(3, shuffle=True, random_state=seed)
    name, model, setting = "ngrams_logistic", LogisticRegression(max_iter=STEPS), "C"
    if dataset.task == "regression":
        name, model, setting = "ngrams_ridge", Ridge(), "alpha"
    search = GridSearchCV(model, {setting: strengths}, cv=folds)
    return {name: Classic(search, lambda model: _weights(model.best_estimator_), NGRAMS)}


def ngrams(tokens: np.ndarray) -> list[tuple[int, ...]]:
    """Return the tokens of a text and the pairs of neighbours, without its padding."""
    numbers = tokens[tokens > 0].tolist()
    return [*zip(numbers, strict=True), *pairwise(numbers)]


class Naive:
    """A forecast without a model; see `naive_forecasts`."""

    def __init__(self, name: str, dataset: Dataset):
        self.name, self.shape, self.encoding = name, dataset.input_shape, dataset.encoding

    def fit(self, *_: np.ndarray) -> "Naive":
        """Return itself: there is nothing to fit."""
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the forecasts `(n,)` for flattened windows."""
        return naive_forecasts(x.reshape(-1, *self.shape), self.encoding)[self.name]


def chosen(names: Sequence[str] | None, dataset: Dataset) -> list[str]:
    """Return the names of the classic models to compare; None for all.

    Raises:
        RecipeError: A name is unknown.
    """
    known = list(classics(dataset))
    for name in names or ():
        if name not in known:
            raise RecipeError(f"unknown classic model '{name}'{did_you_mean(name, known)}")
    return known if names is None else [name for name in known if name in names]


def pipeline(name: str, dataset: Dataset, seed: int) -> Any:
    """Return an unfitted estimator for the `rows` of this data set, with their preprocessing."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    estimator, front = classics(dataset, seed)[name].estimator, []
    if dataset.facts.inputs == "text":
        front = [TfidfVectorizer(analyzer=cast("Any", ngrams))] * name.startswith("ngrams")
    elif isinstance(estimator, Naive):
        return estimator
    elif dataset.facts.inputs != "images":
        fill: Any = {"strategy": "constant", "fill_value": 0.0, "keep_empty_features": True}
        front = [StandardScaler(), SimpleImputer(**fill)]
    return make_pipeline(*front, estimator)


def rows(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """Return inputs `(n, …)` as rows `(n, values)`, pixels as float32 from 0 to 1.

    NaN stands after the end of a shorter sequence.
    """
    if x.ndim == 2:
        return x
    if x.ndim == 3:
        return np.where(x == PADDING, np.nan, x).reshape(len(x), -1)
    low, high = dataset.value_range
    return ((np.asarray(x, "float32") - low) / ((high - low) or 1.0)).reshape(len(x), -1)
