"""One trial: a model is fitted in one round; its score and its costs."""

import pickle
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset
from dlcourse.errors import DivergedError
from dlcourse.files import make_folder, write_file
from dlcourse.lab.comparison.classic import classics, pipeline, rows
from dlcourse.lab.comparison.rounds import repeated
from dlcourse.runs import Run
from dlcourse.runs.evaluation import outputs
from dlcourse.training import fit_stages, kept_model, prepare
from dlcourse.training.divergence import NotFinite

Pair = tuple[float, float]


@dataclass(frozen=True)
class Trial:
    """Score and costs of one model in one round.

    Attributes:
        model: Name of the classic model or recipe.
        round: Number of the round, from 1.
        examples: Number of training examples.
        per_example: Score of each test example `(n_test,)`; the score is their mean. Accuracy: 1 if
            right, else 0; R²: 1 - error²/variance.
        mae: Mean absolute error, in the target's unit; NaN for classes.
        fit_cpu: CPU seconds to fit, all threads together; for a recipe with validation.
        fit_seconds: Wall-clock seconds to fit.
        latency_seconds: Seconds to predict one example, the median of five, after a warm-up.
        predict_seconds: Seconds to predict 1,000 examples at once, after a warm-up.
        parameters: Number of values that the model stores.
        bytes: Size of the saved model: `.keras`, or a pickle.
        note: Warning, for example that a solver did not converge.
    """

    model: str
    round: int
    examples: int
    per_example: np.ndarray
    mae: float
    fit_cpu: float
    fit_seconds: float
    latency_seconds: float
    predict_seconds: float
    parameters: int
    bytes: int
    note: str = ""

    @property
    def score(self) -> float:
        """Accuracy, or R²."""
        return float(self.per_example.mean())

    @property
    def row(self) -> dict[str, Any]:
        """The trial as a row of the CSV file."""
        values = {key: value for key, value in vars(self).items() if key != "per_example"}
        return {**values, "test_examples": len(self.per_example), "score": self.score}


def classic_trial(name: str, dataset: Dataset, number: int) -> Trial:
    """Return the trial of a classic model, on one thread."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    model = pipeline(name, dataset, seed=number)
    x_train, x_test = rows(dataset, dataset.x_train), rows(dataset, dataset.x_test)
    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        _, costs = _timed(lambda: model.fit(x_train, dataset.y_train))
        predicted, speed = _predicted(model.predict, x_test)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    note = "" if converged else "did not converge"
    last = getattr(model, "steps", [(name, model)])[-1][1]
    parameters = int(classics(dataset)[name].parameters(last))
    sizes = (parameters, len(pickle.dumps(model)))
    examples, measured = len(dataset.y_train), scores(dataset, predicted)
    return Trial(name, number, examples, *measured, *costs, *speed, *sizes, note)


def recipe_trial(
    name: str, recipe: Recipe, dataset: Dataset, number: int, *, full: int = 0
) -> Trial:
    """Return the trial of a recipe: trained as `dlcourse train` trains it, on this data.

    Args:
        name: Name of the recipe.
        recipe: Recipe; its seed increases with the rounds.
        dataset: Data set of the round.
        number: Number of the round, from 1.
        full: Number of training examples per epoch: fewer are `repeated`.

    Raises:
        RecipeError: The recipe does not fit the data.
        DivergedError: The loss, a weight or a statistic became NaN or infinite.
    """
    recipe = recipe.model_copy(update={"seed": recipe.seed + number - 1})
    learned = len(dataset.y_train)
    dataset = repeated(dataset, full)
    prepared = prepare(recipe, dataset)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(make_folder(Path(folder) / "run"))
        try:
            fit, costs = _timed(lambda: fit_stages(recipe, prepared, run))
        except NotFinite as fault:
            raise DivergedError(f"{name}: diverged in round {number}: {fault.what}") from None
        model, _ = kept_model(fit, prepared)
        path = run.path / "model.keras"
        write_file(path, model.save)
        sizes = (model.count_params(), path.stat().st_size)
    predicted, speed = _predicted(partial(outputs, model), dataset.x_test)
    predicted = predicted if dataset.task == "regression" else predicted.argmax(axis=1)
    return Trial(name, number, learned, *scores(dataset, predicted), *costs, *speed, *sizes)


def scores(dataset: Dataset, predicted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the score of each test example `(n_test,)`, and the mean absolute error (or NaN)."""
    y = dataset.y_test
    if dataset.task != "regression":
        return (predicted == y).astype("float64"), float("nan")
    error = predicted.astype("float64") - y
    variance = float(np.var(y.astype("float64")))
    return 1 - error**2 / (variance or 1.0), float(np.abs(error).mean())


def _predicted(predict: Callable[[Any], np.ndarray], x: Any) -> tuple[np.ndarray, Pair]:
    """Return the predictions, and the seconds for one example and for 1,000 at once."""
    one, many = partial(predict, x[:1]), partial(predict, x[np.arange(1000) % len(x)])
    one()  # compiles
    many()
    latency = float(np.median([_timed(one)[1][1] for _ in range(5)]))
    return predict(x), (latency, _timed(many)[1][1])


def _timed(work: Callable[[], Any]) -> tuple[Any, Pair]:
    """Return the result of `work`, and its CPU seconds of all threads and wall-clock seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.process_time() - cpu, time.perf_counter() - wall)
