"""The learning-rate range test: which rate a recipe can train at, found in a hundred steps.

The rate grows by the same factor from step to step while the model trains. The loss stays level
while the rate is too low, falls while it fits, and rises where it is too high.

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
from dlcourse.lab.plots import range_test
from dlcourse.pictures.figures import save
from dlcourse.pictures.view import drawn_by
from dlcourse.runs import write_rows
from dlcourse.schema import Integer, Number, checked
from dlcourse.training.batches import epoch_order
from dlcourse.training.divergence import NotFinite, refuse_infinite
from dlcourse.training.preparation import Prepared, prepare, targets

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 100
WINDOW = 0.5  # decades of the rate that the smoothing looks at, to either side
MARGIN = 10  # from the rate of the lowest loss down to the suggestion
CLEAR = 1.5  # the fall of the loss over the standard deviation of the batches: below, it is noise
EXPLODED = 4.0  # times the lowest loss: the test ends there


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: the learning rate of each step `(n,)`, growing by one factor.
        losses: the training loss of that step's batch before the step `(n,)`.
        smoothed: the losses, smoothed over the rates `(n,)`.
        steepest: the rate at which the smoothed loss falls fastest.
        lowest: the rate at which the smoothed loss is lowest.
        suggestion: a tenth of `lowest`, with one figure: the learning rate to train at.
        end: why the test ended, in words.
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
        """Return the suggestion and what it rests on as values that JSON holds."""
        keys = ("suggestion", "lowest", "steepest", "end")
        return {"steps": len(self.rates), **{key: getattr(self, key) for key in keys}}

    def save(self, folder: str | Path, name: str) -> Path:
        """Write the steps as CSV and draw them; return the figure's path.

        Raises:
            WriteError: They cannot be written.
        """
        folder = make_folder(folder)
        drawn = {"learning_rate": self.rates, "loss": self.losses, "smoothed": self.smoothed}
        rows = zip(*(values.tolist() for values in drawn.values()), strict=True)
        write_rows(folder / f"{name}.csv", [dict(zip(drawn, row, strict=True)) for row in rows])

        given = (self.rates, self.losses, self.smoothed, self.suggestion)
        return save(folder / f"{name}.png", drawn_by(range_test, *given, size=(6.4, 4.0)))


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

    The model's and the optimizer's variables are the same afterwards, bit for bit. The test split
    is not looked at. For a recipe with a schedule the suggestion is the schedule's highest rate.

    Args:
        recipe: What is to be trained, as `dlcourse.recipe` takes it: a name, a file, a mapping or
            a `Recipe`; its `learning_rate` is not used.
        prepared: what `prepare(recipe)` gave, to test a model of one's own; None prepares.
        lowest, highest: the rates of the first and the last step.
        steps: batches to train on, at most.

    Raises:
        RecipeError: rates or steps that make no range, or a prepared model with a schedule.
        RecipeError: the loss is not finite from the start, or falls at no rate beyond its noise.
        DatasetError: see `prepare`.
    """
    if not 0 < lowest < highest or steps < 10:
        raise RecipeError(
            "a range test needs 0 < lowest rate < highest rate and 10 steps or more, "
            f"got {lowest:g}, {highest:g} and {steps}"
        )
    recipe = recipe_of(recipe)
    if prepared is None:
        plain = recipe.training.model_copy(update={"schedule": None})
        prepared = prepare(recipe.model_copy(update={"training": plain}))
    rates = np.geomspace(lowest, highest, steps)
    losses, end = _losses(recipe, prepared, rates)
    return _read(recipe, rates[: len(losses)], losses, end)


def _losses(recipe: Recipe, prepared: Prepared, rates: np.ndarray) -> tuple[np.ndarray, str]:
    """Return each step's loss and why the steps ended; every variable is put back."""
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
                # ReLU hides NaN weights from the loss: the weights are looked at as well
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
    import keras

    schedule: Any = keras.optimizers.schedules.LearningRateSchedule
    if isinstance(getattr(model.optimizer, "_learning_rate", None), schedule):
        raise RecipeError(
            f"{recipe.where('training', 'schedule')}: the range test sets the learning rate "
            "itself: prepare the recipe without its schedule, or give no prepared model"
        )


def _batches(recipe: Recipe, prepared: Prepared) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give whole batches as a training begins with, epoch after epoch without end."""
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
        raise RecipeError(
            f"{where}: the range test ended after {len(losses)} steps ({end}): begin at a lower "
            "rate"
        )
    smoothed, slope = smooth(np.log10(rates), losses)
    bottom = int(smoothed.argmin())
    noise = float(np.std(losses[: bottom + 1] - smoothed[: bottom + 1]))
    fall = float(smoothed[: len(rates) // 10].mean() - smoothed[bottom])
    if fall <= CLEAR * noise:
        raise RecipeError(
            f"{where}: from {rates[0]:.2g} to {rates[-1]:.2g} the loss fell at no rate beyond what "
            f"batches differ by ({fall:.2g}, they differ by {noise:.2g}): give a wider range, more "
            "steps or a larger training.batch_size, or look at the data and the model"
        )
    steep = int(slope[: bottom + 1].argmin())
    return RangeTest(
        rates,
        losses,
        smoothed,
        float(rates[steep]),
        float(rates[bottom]),
        one_figure(rates[bottom] / MARGIN),
        end,
    )


def smooth(position: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the height and the slope of the straight line fitted around each position.

    Near points weigh more (a tricube over `WINDOW`, or two points if that is more, to either side:
    Cleveland 1979). A running mean of the past, which is common here, would shift the curve to
    higher rates.

    Args:
        position: equally spaced, increasing `(n,)`.
        values: at these positions `(n,)`.
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
    """Return the rate with one figure, as one writes a learning rate: 0.00317 → 0.003."""
    return float(f"{rate:.0e}")
