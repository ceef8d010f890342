"""Exercises of notebook 02: steps by hand, the loop, a learning rate, an epoch, many valleys."""

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shaped,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.maths.calculus import gradient_descent


def _two_steps(x: int = 6, rate: float = 0.25) -> Exercise:
    """Return exercise 02.1 for a start and a learning rate."""
    one, two, three = (round(x * (1 - 2 * rate) ** steps, 6) for steps in (1, 2, 3))
    wrong = (
        Wrong(one, "This is after one step; the slope is another one now."),
        Wrong(three, "This is after three steps."),
        Wrong(
            x - 4 * rate * x,
            f"Both steps took the slope at {x}; after the first step it is another one.",
        ),
        Wrong(x - rate * x, "This is after one step with the slope x; that of x² is 2x."),
        Wrong(
            x - 2 * rate,
            f"Two steps of {rate:g}: but a step is the learning rate times the slope.",
        ),
        Wrong(x * (1 + 2 * rate) ** 2, "The step went uphill: the slope is subtracted."),
        Wrong(two**2, "This is the height y; where is x?"),
        Wrong(x * (1 - rate) ** 2, "The slope of x² is 2x, not x."),
    )
    return Exercise(
        question=(
            f"Descent on $y = x^2$ starts at $x = {x}$ with learning rate {rate:g}. Where is $x$ "
            "after two steps?"
        ),
        check=number_check(two, wrong, f"Compute the slope 2x, then x − {rate:g} · slope; twice."),
        hint=f"The slope at {x} is {2 * x}. Where does the first step lead?",
        solution=two,
        explanation=(
            f"{x} − {rate:g} · {2 * x} = {one:g}, then {one:g} − {rate:g} · {2 * one:g} = {two:g}: "
            f"each step multiplies x by {1 - 2 * rate:g}."
        ),
        equivalents=(str(two), f"x = {two}", [two], np.float32(two)),
        wrong=wrong,
        variant=lambda random: _two_steps(
            int(random.integers(3, 10)), float(random.choice([0.1, 0.2, 0.3]))
        ),
    )


Gradient = Callable[[Any], Any]


def descend(gradient, x, learning_rate, steps):
    for _ in range(steps):
        x = x - learning_rate * gradient(x)
    return x


def _recursive(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    if steps == 0:
        return x
    return _recursive(gradient, x - learning_rate * gradient(x), learning_rate, steps - 1)


def _uphill(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, -learning_rate, steps)


def _one_step(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    del steps
    return descend(gradient, x, learning_rate, 1)


def _full_steps(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    del learning_rate
    return descend(gradient, x, 1.0, steps)


def _old_slope(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return x - steps * learning_rate * gradient(x)


def _of_x_squared(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    del gradient
    return descend(lambda x: 2 * x, x, learning_rate, steps)


def _unmoved(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, learning_rate, 0 * steps)


def _replaced(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    for _ in range(steps):
        x = learning_rate * gradient(x)
    return x


def _divided(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, 1 / learning_rate, steps)


def _one_less(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, learning_rate, steps - 1)


def _one_more(gradient: Gradient, x: Any, learning_rate: float, steps: int) -> Any:
    return descend(gradient, x, learning_rate, steps + 1)


_TYPICAL = (
    (_unmoved, "x has not moved: is the result of a step given back to x?"),
    (_replaced, "x is replaced by the step; it must be *reduced* by it."),
    (_divided, "The gradient is divided by the learning rate; multiply."),
    (_one_less, "One step is missing: how often does the loop run?"),
    (_one_more, "This is one step too many: how often does the loop run?"),
    (_of_x_squared, "This uses the slope 2x of x², whatever `gradient` is: call `gradient(x)`."),
    (_uphill, "This went uphill: subtract the gradient."),
    (_one_step, "This is after one step: repeat it."),
    (_full_steps, "The gradient is multiplied by the learning rate."),
    (_old_slope, "The gradient changes with x: compute it anew in each step."),
)

# Gradient, start, learning rate and number of steps; the last start is a point of two numbers.
_DESCENTS: tuple[tuple[str, Gradient, Any, float, int], ...] = (
    ("2x from 6", lambda x: 2 * x, 6.0, 0.1, 3),
    ("(2x₁, 8x₂) from (1, 2)", lambda x: np.array([2.0, 8.0]) * x, np.array([1.0, 2.0]), 0.05, 4),
)


def _check_descent(answer: Any) -> str | None:
    for name, gradient, start, rate, steps in _DESCENTS:
        got = numbers(tried(answer, gradient, start, rate, steps))
        got = shaped(got, np.shape(start))
        if close(got, descend(gradient, start, rate, steps), rtol=COMPUTED):
            continue
        if got.shape in [(n, *np.shape(start)) for n in (steps, steps + 1)]:
            return "These are all the points; only the last is asked for."
        for function, message in _TYPICAL:
            if close(got, function(gradient, start, rate, steps), rtol=COMPUTED):
                return f"{message} {_told(name, rate, steps, got)}"
        return f"Not yet where descent is. {_told(name, rate, steps, got)}"
    return None


def _told(name: str, rate: float, steps: int, got: np.ndarray) -> str:
    return f"For gradient {name}, learning rate {rate:g}, {steps} steps yours gives {shown(got)}."


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def one_epoch(x, y, w, b, learning_rate, batch_size, order):
    for first in range(0, len(order), batch_size):
        last = first + batch_size
        rows = order[first:last]
        error = 1 / (1 + np.exp(-(w * x[rows] + b))) - y[rows]
        w = w - learning_rate * np.mean(error * x[rows])
        b = b - learning_rate * np.mean(error)
    return w, b


Part = Callable[[np.ndarray, np.ndarray], Any]


def _epoch(
    x: np.ndarray, y: np.ndarray, w: float, b: float, rate: float, size: int, order: np.ndarray,
    *, for_w: Part = lambda error, x: np.mean(error * x),
    for_b: Part = lambda error, _: np.mean(error),
    last: Callable[[int, int], int | None] = int.__add__,
    skip_last: bool = False, ordered: bool = False, first_only: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Return the weight and the bias as `one_epoch` does, with one of its steps changed."""
    order = np.arange(len(order)) if ordered else order
    for first in range(0, len(order), size):
        rows = order[first : last(first, size)]
        if skip_last and len(rows) < size:
            break
        error = _sigmoid(w * x[rows] + b) - y[rows]
        w, b = w - rate * for_w(error, x[rows]), b - rate * for_b(error, x[rows])
        if first_only:
            break
    return w, b


_EPOCH_FAULTS: tuple[tuple[Callable[..., Any], str], ...] = (
    (
        partial(_epoch, for_w=lambda e, _: np.mean(e)),
        "The gradient for w is that for b: there, each error is multiplied by its x.",
    ),
    (
        partial(_epoch, for_b=lambda e, x: np.mean(e * x)),
        "The gradient for b is that for w: the bias is not multiplied by x.",
    ),
    (
        partial(_epoch, for_w=lambda e, x: np.sum(e * x), for_b=lambda e, _: np.sum(e)),
        "The sums over the batch are too large a step: J is a *mean*.",
    ),
    (
        partial(_epoch, for_b=lambda e, _: np.sum(e)),
        "w is right; for b the errors are summed, where their mean is meant.",
    ),
    (
        partial(_epoch, for_w=lambda e, x: np.sum(e * x)),
        "b is right; for w the products are summed, where their mean is meant.",
    ),
    (
        partial(_epoch, for_w=lambda e, x: -np.mean(e * x), for_b=lambda e, _: -np.mean(e)),
        "This goes uphill: the minus is there already, the gradient follows it.",
    ),
    (
        partial(_epoch, last=lambda first, _: first + 1),
        "Each batch holds one example only: where does the next batch begin?",
    ),
    (
        partial(_epoch, last=lambda *_: None),
        "Each batch holds all the examples that are left, not `batch_size` of them.",
    ),
    (partial(_epoch, last=lambda first, size: first + size - 1), "Each batch lacks its last one."),
    (partial(_epoch, last=lambda first, size: first + size + 1), "Each batch holds one too many."),
    (
        partial(_epoch, for_w=lambda e, x: np.sum(e * x) / 50, for_b=lambda e, _: np.sum(e) / 50),
        "The mean is that of the batch: divide by its size, not by the number of all examples.",
    ),
    (
        partial(_epoch, for_w=lambda e, x: np.sum(e * x) / 8, for_b=lambda e, _: np.sum(e) / 8),
        "The last batch is smaller: divide by its own size, not by `batch_size`.",
    ),
    (
        partial(_epoch, first_only=True),
        "Only the first batch was used: does the `return` stand in the loop?",
    ),
    (
        partial(_epoch, last=lambda *_: None, first_only=True),
        "This is one step with all examples: a batch holds `batch_size` of them.",
    ),
    (partial(_epoch, skip_last=True), "The last, smaller batch is left out."),
    (partial(_epoch, ordered=True), "The examples are taken in their own order, not in `order`."),
)


@cache
def _epoch_data() -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=50)
    y = (x + rng.normal(scale=0.7, size=50) < 0.2).astype(int)
    return x, y, 0.5, -0.3, 0.4, 8, rng.permutation(50)


def _check_epoch(answer: Any) -> str | None:
    data = _epoch_data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of an empty batch
        result = tried(answer, *data)
    if not isinstance(result, tuple | list | np.ndarray) or len(result) != 2:
        raise Mistake("Two results are expected: the weight and the bias.")
    if any(isinstance(part, float) and np.isnan(part) for part in result):
        return "The result is NaN: a batch is empty. `last` lies `batch_size` after `first`."
    got = np.array([as_float(part) for part in result])
    right = np.array(one_epoch(*data))
    if close(got, right, rtol=1e-4):
        return None
    text = f"For 50 examples in batches of 8 yours gives w = {got[0]:.4g}, b = {got[1]:.4g}."
    if close(got, right[::-1], rtol=1e-4):
        return f"The two results are exchanged: first the weight, then the bias. {text}"
    if close(got, data[2:4], rtol=1e-4):
        return f"Neither w nor b has moved. {text}"
    for faulty, message in _EPOCH_FAULTS:
        if close(got, np.array(faulty(*data)), rtol=1e-4):
            return f"{message} {text}"
    for k, name in enumerate(("w", "b")):
        if close(got[k], right[k], rtol=1e-4):
            return f"{name} is right, the other is not. {text}"
    return f"Not yet where an epoch leads: print the rows of each batch first. {text}"


LOW, HIGH, LANDSCAPES, ENOUGH = -10.0, 10.0, 20, 19
MOST_GRADIENTS, MOST_HEIGHTS, NEAR_LOWEST = 20_000, 100, 0.01


@cache
def landscapes() -> tuple[tuple[np.ndarray, float], ...]:
    """Return the waves (amplitude, frequency, phase) of each landscape, and its lowest height."""
    rng, kept = np.random.default_rng(0), []
    grid = np.linspace(LOW, HIGH, 20_001)
    while len(kept) < LANDSCAPES:
        sizes, speeds = rng.uniform(0.3, 1.0, 4), rng.uniform(0.4, 2.2, 4)
        waves = np.stack([sizes, speeds, rng.uniform(0, 2 * np.pi, 4)])
        if wave_slope(waves, LOW) < -0.5 and wave_slope(waves, HIGH) > 0.5:
            kept.append((waves, float(height(waves, grid).min())))
    return tuple(kept)


def height(waves: np.ndarray, x: Any) -> Any:
    size, speed, phase = waves
    return 0.01 * np.square(x) + np.sin(np.multiply.outer(x, speed) + phase) @ size


def wave_slope(waves: np.ndarray, x: Any) -> Any:
    size, speed, phase = waves
    return 0.02 * np.asarray(x) + np.cos(np.multiply.outer(x, speed) + phase) @ (size * speed)


class Counted:
    """A function of numbers that counts for how many it was asked."""

    def __init__(self, function: Callable[[Any], Any], most: int, name: str):
        self.function, self.most, self.name, self.count = function, most, name, 0

    def __call__(self, x: Any) -> Any:
        x = np.asarray(x, dtype=float)
        self.count += x.size
        if self.count > self.most:
            raise TooOften(self.name, self.most)
        return self.function(x)

    def __deepcopy__(self, _: Any) -> "Counted":
        return self


class TooOften(BaseException):
    """The answer has asked for more values than it may; not caught by its own `except`."""

    def __init__(self, name: str, most: int):
        super().__init__(f"`{name}` was asked for more than {most:,} numbers in one landscape.")


def deepest(f, gradient, low, high):
    starts = np.linspace(low, high, 100)
    ends = starts
    for _ in range(100):
        ends = ends - 0.1 * gradient(ends)
    return min(ends, key=f)


def _lowest_points(answer: Any) -> list[float]:
    points = []
    for waves, _ in landscapes():
        f = Counted(partial(height, waves), MOST_HEIGHTS, "f")
        gradient = Counted(partial(wave_slope, waves), MOST_GRADIENTS, "gradient")
        try:
            points.append(as_float(tried(answer, f, gradient, LOW, HIGH)))
        except TooOften as error:
            raise Mistake(str(error)) from None
    return points


def _check_valleys(answer: Any) -> str | None:
    points = _lowest_points(answer)
    if any(not LOW <= x <= HIGH for x in points):
        wild = max(points, key=abs)
        return f"x = {wild:.4g} is not between low = {LOW:g} and high = {HIGH:g}: does it diverge?"
    gaps = np.array([height(waves, x) - lowest for (waves, lowest), x in zip(
        landscapes(), points, strict=True)])  # fmt: skip
    slopes = np.array([abs(wave_slope(waves, x)) for (waves, _), x in zip(
        landscapes(), points, strict=True)])  # fmt: skip
    reached = int(np.sum(gaps <= NEAR_LOWEST))
    if reached >= ENOUGH:
        return None
    text = f"Yours reaches the lowest point in {reached} of {LANDSCAPES}; the bar is {ENOUGH}."
    missed = gaps > NEAR_LOWEST
    if np.ptp(points) < 1e-6:
        return f"The same x for every landscape: does it depend on `gradient`? {text}"
    bends = [wave_slope(waves, x + 1e-3) - wave_slope(waves, x - 1e-3) for (waves, _), x in zip(
        landscapes(), points, strict=True)]  # fmt: skip
    if np.median(np.array(bends)[missed]) < 0 and np.median(slopes[missed]) < 0.05:
        return f"Where it fails it lies on a hilltop: a step goes against the gradient. {text}"
    if np.median(slopes[missed]) > 0.05:
        return (
            "Where it fails the slope is not 0: too few steps, or a learning rate that is too "
            f"small or too large. {text}"
        )
    return f"Where it fails it lies in a valley, but another is deeper. {text}"


def _one_start(f: Any, gradient: Any, low: float, high: float) -> Any:
    del f
    return descend(gradient, (low + high) / 2, 0.1, 150)


def _grid(f: Any, gradient: Any, low: float, high: float) -> Any:
    del gradient
    return min(np.linspace(low, high, 100), key=f)


def _from_starts(f: Any, gradient: Any, low: float, high: float, *, count: int, rate: float,
                 steps: int) -> Any:  # fmt: skip
    ends = descend(gradient, np.linspace(low, high, count), rate, steps)
    return min(ends, key=f)


def _one_by_one(f: Any, gradient: Any, low: float, high: float) -> Any:
    best = None
    for start in np.linspace(low, high, 40).tolist():
        x = descend(gradient, start, 0.1, 120)
        if best is None or f(x) < f(best):
            best = x
    return best


def _check_rate(answer: Any) -> str | None:
    rate = as_float(answer)
    if abs(rate) > 1e6:
        return "So large a learning rate throws x out of sight at the first step."
    trace = gradient_descent(lambda x: 10 * x, 1.0, abs(rate), 10)
    last, turns = float(trace[-1]), trace[1] < 0
    if rate <= 0:
        return "A learning rate is above 0: with 0 nothing moves, below 0 it climbs."
    if abs(last) <= 1e-3:
        return None
    text = f"after ten steps x = {last:.7g}."
    if abs(last) > 1.000001:
        return f"It diverges: {text}"
    if abs(last) > 0.999999 and turns:
        return f"It bounces from side to side for ever: {text}"
    return f"It jumps over the minimum and back: {text}" if turns else f"It is too slow: {text}"


EXERCISES = (
    _two_steps(),
    Exercise(
        question=(
            "Write a function `answer(gradient, x, learning_rate, steps)` that returns where "
            "gradient descent is after so many steps from `x`. `gradient` is a function of a point."
        ),
        check=_check_descent,
        hint="A loop over the steps, and in it the one line of the formula.",
        solution=descend,
        explanation="x ← x − learning_rate · gradient(x), with the gradient at the new x.",
        equivalents=(
            _recursive,
            lambda gradient, x, h, n: gradient_descent(gradient, x, h, n)[-1],
            lambda gradient, x, h, n: np.float32(descend(gradient, x, h, n)),
        ),
        wrong=(
            *(Wrong(function, message) for function, message in _TYPICAL),
            Wrong(lambda gradient, x, h, n: gradient_descent(gradient, x, h, n), "These are all"),
            Wrong(lambda gradient, x, h, n: gradient(x) * h * n, "Not yet where descent is."),
        ),
    ),
    Exercise(
        question=(
            "Choose a learning rate with which descent on $y = 5x^2$ comes from $x = 1$ to a "
            "distance of at most 0.001 from the minimum in ten steps."
        ),
        check=_check_rate,
        hint="The slope is 10x: each step multiplies x by 1 − 10h. How small must that factor be?",
        solution=0.1,
        explanation=(
            "|1 − 10h| ≤ 0.5 is enough, because 0.5¹⁰ is a little below 0.001: from 0.05 to 0.15. "
            "With h = 0.1 the first step ends at the minimum."
        ),
        equivalents=(0.05, 0.15, 0.07, "0.1", "1/10", [0.12], np.float32(0.1)),
        wrong=(
            Wrong(0.01, "It is too slow"),
            Wrong(0.19, "It jumps over the minimum and back"),
            Wrong(0.2, "It bounces from side to side for ever"),
            Wrong(0.5, "It diverges"),
            Wrong(-0.1, "A learning rate is above 0"),
            Wrong(1e300, "So large a learning rate"),
        ),
    ),
    Exercise(
        question=(
            "One *epoch* for the neuron of this notebook: each example is used once, batch by "
            "batch. `order` holds the indices of all examples, shuffled; each batch takes the next "
            "`batch_size` of them, the last one what is left. Fill the three places of `...`; "
            "return the weight and the bias after the epoch."
        ),
        check=_check_epoch,
        hint="The two gradients stand in `neuron_gradient`; a slice may end behind the last entry.",
        solution=one_epoch,
        explanation=(
            "Each batch gives the mean of (a − y)·x and of a − y over its own examples. 50 "
            "examples in batches of 8 make seven steps, the last with two examples."
        ),
        equivalents=(
            lambda *data: list(one_epoch(*data)),
            lambda *data: np.array(one_epoch(*data)),
            _epoch,
        ),
        wrong=(
            *(Wrong(faulty, message) for faulty, message in _EPOCH_FAULTS),
            Wrong(partial(_epoch, last=lambda _, size: size), "The result is NaN"),
            Wrong(lambda *data: one_epoch(*data)[::-1], "The two results are exchanged"),
            Wrong(lambda *data: data[2:4], "Neither w nor b has moved"),
            Wrong(lambda *data: one_epoch(*data)[0], "Two results are expected"),
            Wrong(lambda *data: (one_epoch(*data)[0], 0.7), "w is right, the other is not"),
            Wrong(lambda *_: (0.1, 0.2), "Not yet where an epoch leads"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write `answer(f, gradient, low, high)` that returns the `x` between `low` and `high` "
            "with the lowest `f(x)`. `f` and `gradient` take a number or an array. The check holds "
            "20 landscapes with several valleys each. The bar: in at least 19 of them your `f(x)` "
            "lies at most 0.01 above the lowest. (One descent from the middle reaches that in a "
            "fifth.) You may use `gradient` at most 20,000 times per landscape, counted "
            "per number, and `f` at most 100 times."
        ),
        check=_check_valleys,
        hint="Each valley catches the starts near it. How many starts meet every valley?",
        solution=deepest,
        explanation=(
            "Many starts, one descent from each, and the lowest end wins. With thousands of "
            "weights there are too many valleys to try; there a good one is enough."
        ),
        equivalents=(
            _one_by_one,
            lambda *task: [deepest(*task)],
            partial(_from_starts, count=40, rate=0.2, steps=100),
        ),
        wrong=(
            Wrong(_one_start, "Where it fails it lies in a valley, but another is deeper."),
            Wrong(_grid, "Where it fails the slope is not 0"),
            Wrong(partial(_from_starts, count=100, rate=0.1, steps=400), "`gradient` was asked"),
            Wrong(partial(_from_starts, count=300, rate=0.1, steps=10), "`f` was asked for more"),
            Wrong(
                partial(_from_starts, count=60, rate=-0.1, steps=100),
                "Where it fails it lies on a hilltop",
            ),
            Wrong(lambda *_: 0.5, "The same x for every landscape"),
            Wrong(lambda *_: 11, "x = 11 is not between"),
        ),
        level="build",
    ),
)
