"""The learning-rate range test: a learning rate for a recipe, found in a hundred steps.

The rate grows by a constant factor per step while the model trains. The loss is constant while the
rate is too low, falls while it is suitable, and rises when it is too high.

References:
    Smith, "Cyclical learning rates for training neural networks", 2017,
    https://arxiv.org/abs/1506.01186
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import RecipeError
from dlcourse.files import make_folder
from dlcourse.heavy import keras
from dlcourse.lab.plots import range_test
from dlcourse.pictures.figures import save
from dlcourse.pictures.view import drawn_by
from dlcourse.runs import write_rows
from dlcourse.schema import Integer, Number, checked
from dlcourse.training.batches import epoch_order
from dlcourse.training.divergence import NotFinite, refuse_infinite
from dlcourse.training.preparation import Prepared, prepare, targets

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
WINDOW = 0.5  # half-width of the smoothing, in decades of the rate
MARGIN = 10  # ratio of the rate of the lowest loss to the suggestion
CLEAR = 1.5  # fall of the loss over the batches' standard deviation; below, it is noise
EXPLODED = 4.0  # times the lowest loss: the test ends


@dataclass(frozen=True)
class RangeTest:
    """The result of a range test.

    Attributes:
        rates: Learning rate of each step `(n,)`, growing by a constant factor.
        losses: Training loss of the step's batch, before the step `(n,)`.
        smoothed: Losses, smoothed over the rates `(n,)`.
        steepest: Rate at which the smoothed loss falls fastest.
        lowest: Rate at which the smoothed loss is lowest.
        suggestion: Learning rate to train with: a tenth of `lowest`, to one significant figure.
        end: Reason why the test ended.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    steepest: float
    lowest: float
    suggestion: float
    end: str

    def __str__(self) -> str:
        return (
            f"steps   {len(self.rates)}, learning rate {self.rates[0]:.2g} to {self.rates[-1]:.2g}"
            f": {self.end}\n"
            f"loss    falls fastest at {self.steepest:.2g}, is lowest at {self.lowest:.2g}\n"
            f"\nA tenth of the rate at the lowest loss:\n\n"
            f"training.learning_rate={self.suggestion:g}"
        )

    __repr__ = __str__

    def as_data(self) -> dict[str, Any]:
        """Return the suggestion and its evidence as plain values for JSON."""
        keys = ("suggestion", "lowest", "steepest", "end")
        return {"steps": len(self.rates), **{key: getattr(self, key) for key in keys}}

    def save(self, folder: str | Path, name: str) -> Path:
        """Write the steps as CSV and draw them; return the figure's path.

        Raises:
            WriteError: They cannot be written.
        """
        folder = make_folder(folder)
        columns = {"learning_rate": self.rates, "loss": self.losses, "smoothed": self.smoothed}
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        write_rows(folder / f"{name}.csv", [dict(zip(columns, row, strict=True)) for row in rows])

        values = (self.rates, self.losses, self.smoothed, self.suggestion)
        return save(folder / f"{name}.png", drawn_by(range_test, *values, size=(6.4, 4.0)))


@checked
def find_learning_rate(
    recipe: Any,
    prepared: Prepared | None = None,
    *,
    lowest: Number = LOWEST,
    highest: Number = HIGHEST,
    steps: Integer = STEPS,
) -> RangeTest:
    """Return the range test of a recipe and the learning rate that it suggests.

    The variables of the model and the optimizer are restored afterwards, bit for bit. The test
    split is not used. For a recipe with a schedule, the suggestion is the schedule's highest rate.

    Args:
        recipe: Recipe as `dlcourse.recipe` takes it: a name, a file, a mapping or a `Recipe`; its
            `learning_rate` is not used.
        prepared: Result of `prepare(recipe)`, to test your own model. None to prepare the recipe.
        lowest, highest: Rates of the first and the last step.
        steps: Largest number of batches to train on.

    Raises:
        RecipeError: The rates or steps do not form a range, or a prepared model has a schedule.
        RecipeError: The loss is not finite from the start, or at no rate falls beyond its noise.
        DatasetError: As for `prepare`.
    """
    if not 0 < lowest < highest or steps < 10:
        reason = "a range test needs 0 < lowest rate < highest rate and 10 steps or more, got "
        reason += f"{lowest:g}, {highest:g} and {steps}"
        raise RecipeError(reason)
    recipe = recipe_of(recipe)
    if prepared is None:
        plain = recipe.training.model_copy(update={"schedule": None})
        prepared = prepare(recipe.model_copy(update={"training": plain}))
    rates = np.geomspace(lowest, highest, steps)
    losses, end = _losses(recipe, prepared, rates)
    return _read(recipe, rates[: len(losses)], losses, end)


def _losses(recipe: Recipe, prepared: Prepared, rates: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the loss of each step and why the test ended; every variable is restored."""
    model = prepared.whole
    _refuse_schedule(recipe, model)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.asarray(variable).copy() for variable in variables]
    losses: list[float] = []
    try:
        with np.errstate(all="ignore"):
            for rate, (x, y) in zip(rates, _batches(recipe, prepared), strict=False):
                model.optimizer.learning_rate = float(rate)
                logs: Any = model.train_on_batch(
                    x, y, class_weight=prepared.class_weights, return_dict=True
                )
                losses.append(float(logs["loss"]))
                # ReLU hides NaN weights from the loss: the weights are checked as well
                refuse_infinite(model, {"loss": losses[-1]}, 0, len(losses))
                means = np.convolve(losses, np.ones(3) / 3, mode="valid")
                if len(losses) > 10 and means[-1] > EXPLODED * means.min():
                    return np.array(losses), f"the loss rose to {EXPLODED:g} times its lowest"
    except NotFinite as fault:
        return np.array(losses)[np.isfinite(losses)], str(fault.what)
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        model.reset_metrics()
    return np.array(losses), "the highest rate was reached"


def _refuse_schedule(recipe: Recipe, model: Any) -> None:
    schedule: Any = keras.optimizers.schedules.LearningRateSchedule
    if isinstance(getattr(model.optimizer, "_learning_rate", None), schedule):
        reason = f"{recipe.where('training', 'schedule')}: the range test sets the learning rate "
        reason += "itself: prepare the recipe without its schedule, or give no prepared model"
        raise RecipeError(reason)


def _batches(recipe: Recipe, prepared: Prepared) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield full batches in the order of a training, epoch after epoch without end."""
    x = prepared.dataset.x_train
    y = targets(prepared.model, recipe, prepared.dataset, "train")
    size, epoch = min(recipe.training.batch_size_in(0), len(x)), 0
    while True:
        order = epoch_order(len(x), seed=recipe.seed, epoch=epoch)
        for start in range(0, len(x) - size + 1, size):
            rows = order[start : start + size]
            yield x[rows], y[rows]
        epoch += 1


def _read(recipe: Recipe, rates: np.ndarray, losses: np.ndarray, end: str) -> RangeTest:
    where = recipe.where("training", "learning_rate")
    if len(losses) < 10:
        reason = f"{where}: the range test ended after {len(losses)} steps ({end}): begin at a "
        reason += "lower rate"
        raise RecipeError(reason)
    smoothed, slope = smooth(np.log10(rates), losses)
    bottom = int(smoothed.argmin())
    noise = float(np.std(losses[: bottom + 1] - smoothed[: bottom + 1]))
    fall = float(smoothed[: len(rates) // 10].mean() - smoothed[bottom])
    if fall <= CLEAR * noise:
        raise RecipeError(
            f"{where}: from {rates[0]:.2g} to {rates[-1]:.2g} the loss never fell beyond the noise "
            f"of the batches (it fell by {fall:.2g}, noise {noise:.2g}): give a wider range, more "
            "steps or a larger training.batch_size, or look at the data and the model"
        )
    steep = int(slope[: bottom + 1].argmin())
    steepest, lowest = float(rates[steep]), float(rates[bottom])
    return RangeTest(rates, losses, smoothed, steepest, lowest, one_figure(lowest / MARGIN), end)


def smooth(position: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the value and the slope of the straight line fitted around each position.

    Near points have larger weights (a tricube over `WINDOW`, or two points if that is more, on
    either side: Cleveland 1979). A running mean of the past, which is common here, would shift the
    curve to higher rates.

    Args:
        position: Positions `(n,)`, equally spaced and increasing.
        values: Values `(n,)` at these positions.
    """
    window = max(WINDOW, 3 * (position[1] - position[0]))
    distance = np.abs(position[:, None] - position) / window
    weight = np.clip(1 - distance**3, 0, None) ** 3
    weight /= weight.sum(axis=1, keepdims=True)
    center, height = weight @ position, weight @ values
    away = position - center[:, None]
    slope = (weight * away) @ values / (weight * away**2).sum(axis=1)
    return height + slope * (position - center), slope


def one_figure(rate: float) -> float:
    """Return the rate rounded to one significant figure: 0.00317 → 0.003."""
    return float(f"{rate:.0e}")
