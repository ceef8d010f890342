"""The classic models, all of scikit-learn, with its default settings.

Rows of a table are standardised; pixels are scaled to values from 0 to 1.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError
from dlcourse.schema import did_you_mean

STEPS = 2000  # limit of the iterative solvers


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
NEIGHBOURS = "the 5 nearest training examples"
SUPPORTS = "the support vectors and their weights"
FOREST = "each input's importance; no single tree decides"
BOOSTED = "each input's importance, by permutation"


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


def chosen(names: Sequence[str] | None, task: str) -> list[str]:
    """Return the names of the classic models to compare; None for all.

    Raises:
        RecipeError: A name is unknown.
    """
    known = list(baselines(task))
    for name in names or ():
        if name not in known:
            raise RecipeError(f"unknown classic model '{name}'{did_you_mean(name, known)}")
    return known if names is None else [name for name in known if name in names]


def pipeline(name: str, dataset: Dataset, seed: int) -> Any:
    """Return an unfitted estimator for the `rows` of this data set; it standardises tables."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaler = [StandardScaler()] if dataset.x_train.ndim == 2 else []
    return make_pipeline(*scaler, baselines(dataset.task, seed)[name].estimator)


def rows(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """Return inputs `(n, …)` as rows `(n, values)`, pixels as float32 from 0 to 1."""
    if x.ndim == 2:
        return x
    low, high = dataset.value_range
    return ((np.asarray(x, "float32") - low) / ((high - low) or 1.0)).reshape(len(x), -1)
