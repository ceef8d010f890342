"""The classic learners, all scikit-learn's, with its default settings.

Rows of a table are standardised; pixels go in as values from 0 to 1.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError
from dlcourse.schema import did_you_mean

STEPS = 2000  # at most, for the solvers that iterate


class Classic(NamedTuple):
    """A learner: its function (a seed → an unfitted estimator), what it holds, what it explains.

    `parameters` counts the numbers that a fitted estimator keeps.
    """

    estimator: Callable[[int], Any]
    parameters: Callable[[Any], int]
    explains: str


def guess_class(seed: int) -> Any:  # noqa: ARG001 - nothing is random
    """Return the guess of the most frequent class."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier()


def guess_mean(seed: int) -> Any:  # noqa: ARG001
    """Return the guess of the mean."""
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


def logistic(seed: int) -> Any:
    """Return multinomial logistic regression with scikit-learn's L2 penalty (C = 1)."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=STEPS, random_state=seed)


def least_squares(seed: int) -> Any:  # noqa: ARG001
    """Return linear regression by least squares."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def nearest_class(seed: int) -> Any:  # noqa: ARG001
    """Return the vote of the 5 nearest training examples."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier()


def nearest_mean(seed: int) -> Any:  # noqa: ARG001
    """Return the mean of the 5 nearest training examples."""
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor()


def support_vectors(seed: int) -> Any:
    """Return a support vector machine with a Gaussian kernel (C = 1, gamma = 1/(d·var))."""
    from sklearn.svm import SVC

    return SVC(random_state=seed)


def support_vector_regression(seed: int) -> Any:  # noqa: ARG001
    """Return the same for a number; its target is standardised, as C and epsilon suppose."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    return TransformedTargetRegressor(SVR(), transformer=StandardScaler())


def forest_of_classes(seed: int) -> Any:
    """Return a random forest of 100 trees."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_jobs=1, random_state=seed)


def forest_of_numbers(seed: int) -> Any:
    """Return a random forest of 100 trees."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(n_jobs=1, random_state=seed)


def boosted_classes(seed: int) -> Any:
    """Return gradient boosting on histograms: 100 trees (a class)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)


def boosted_numbers(seed: int) -> Any:
    """Return gradient boosting on histograms: 100 trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=seed)


def _one(model: Any) -> int:  # noqa: ARG001
    return 1


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
    # scikit-learn has no public way to these trees' sizes
    return sum(len(tree.nodes) for trees in model._predictors for tree in trees)


NOTHING = "nothing: it looks at no input"
LINES = "a weight for each input (and class)"
NEIGHBOURS = "the 5 training examples that decided"
SUPPORTS = "the support vectors and their weights"
FOREST = "each input's importance; no single tree decides"
BOOSTED = "each input's importance, by permutation"

CLASSIFIERS = {
    "majority": Classic(guess_class, _one, NOTHING),
    "logistic_regression": Classic(logistic, _weights, LINES),
    "k_nn": Classic(nearest_class, _examples, NEIGHBOURS),
    "svm": Classic(support_vectors, _supports, SUPPORTS),
    "random_forest": Classic(forest_of_classes, _nodes, FOREST),
    "gradient_boosting": Classic(boosted_classes, _boosted_nodes, BOOSTED),
}
REGRESSORS = {
    "mean": Classic(guess_mean, _one, NOTHING),
    "linear_regression": Classic(least_squares, _weights, LINES),
    "k_nn": Classic(nearest_mean, _examples, NEIGHBOURS),
    "svm": Classic(support_vector_regression, _supports, SUPPORTS),
    "random_forest": Classic(forest_of_numbers, _nodes, FOREST),
    "gradient_boosting": Classic(boosted_numbers, _boosted_nodes, BOOSTED),
}


def learners(task: str) -> dict[str, Classic]:
    """Return the classic learners for a task."""
    return REGRESSORS if task == "regression" else CLASSIFIERS


def chosen(names: Sequence[str] | None, task: str) -> list[str]:
    """Return the names of the classic learners to take; None takes all.

    Raises:
        RecipeError: an unknown name.
    """
    known = list(learners(task))
    for name in names or ():
        if name not in known:
            raise RecipeError(f"unknown classic model '{name}'{did_you_mean(name, known)}")
    return known if names is None else [name for name in known if name in names]


def pipeline(name: str, dataset: Dataset, seed: int) -> Any:
    """Return an unfitted estimator for this data set's `rows`: a table's are standardised."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaler = [StandardScaler()] if dataset.x_train.ndim == 2 else []
    return make_pipeline(*scaler, learners(dataset.task)[name].estimator(seed))


def rows(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """Return inputs `(n, …)` as float32 rows `(n, values)`, pixels from 0 to 1."""
    if x.ndim == 2:
        return x
    low, high = dataset.value_range
    return ((np.asarray(x, "float32") - low) / ((high - low) or 1.0)).reshape(len(x), -1)
