"""Exercises of notebook 12: which model to take, what pre-computing saves, where curves cross,
the corrected interval, and a network for classes with ten images each.
"""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    as_float,
    choice_check,
    close,
    number_check,
    numbers,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import share_right, trained_model

_CHOICE = (
    "Five folds give accuracy 0.962 for a network (40 CPU seconds to fit), 0.960 for an SVM "
    "(0.1 s) and 0.910 for a rule on two features (0.01 s). Fold by fold the first leads the "
    "second by 0.002 ± 0.015, and the second leads the third by 0.050 ± 0.018 (95% intervals). "
    "Which one do you take? (a) The network. (b) The SVM. (c) The rule. (d) None: they cannot be "
    "compared."
)
_CHOSEN = (
    Wrong("a", "Its lead of 0.002 may be off by 0.015: that is not yet a difference."),
    Wrong("c", "It is the cheapest, and clearly behind: by 0.050, and that may be off by 0.018."),
    Wrong("d", "They met on the same folds: does the interval of a lead hold 0?"),
)

_SECONDS = (
    Wrong(105.0, "This runs the base in every epoch: nothing is kept."),
    Wrong(5.0, "This is the head alone: the features are to be computed once before."),
    Wrong(2.1, "The head is trained for 50 epochs, not for one."),
    Wrong(2.0, "This computes the features; the head is still to be trained."),
    Wrong(7000.0, "This is in milliseconds; seconds are asked for."),
    Wrong(100.0, "This is the base's share of a training in which it runs in every epoch."),
)


def crossing(sizes, network, classic):
    found = 0
    for size, ours, theirs in zip(sizes, network, classic, strict=True):
        if ours <= theirs:
            found = 0
        elif found == 0:
            found = size
    return found


def _from_the_end(sizes: Any, network: Any, classic: Any) -> int:
    found = 0
    for k in reversed(range(len(sizes))):
        if network[k] <= classic[k]:
            break
        found = sizes[k]
    return found


def _in_one_line(sizes: Any, network: Any, classic: Any) -> int:
    ahead = np.cumprod((network > classic)[::-1])[::-1]
    return sizes[ahead.argmax()] if ahead.any() else 0


def _first_time(sizes: Any, network: Any, classic: Any) -> int:
    ahead = [size for size, a, b in zip(sizes, network, classic, strict=True) if a > b]
    return ahead[0] if ahead else 0


def _position(sizes: Any, network: Any, classic: Any) -> int:
    found = crossing(sizes, network, classic)
    return list(sizes).index(found) if found else 0


def _ties_count(sizes: Any, network: Any, classic: Any) -> int:
    return crossing(sizes, [value + 1e-9 for value in network], classic)


def _of_the_classic(sizes: Any, network: Any, classic: Any) -> int:
    return crossing(sizes, classic, network)


def _largest(sizes: Any, network: Any, classic: Any) -> int:
    return sizes[-1] if network[-1] > classic[-1] else 0


_SIZES = np.array([100, 200, 400, 800])
_CLASSIC = np.array([0.85, 0.90, 0.92, 0.93])
_NETWORKS = (
    np.array([0.80, 0.86, 0.93, 0.96]),  # passes once
    np.array([0.90, 0.92, 0.94, 0.96]),  # ahead throughout
    np.array([0.80, 0.90, 0.93, 0.96]),  # equal on the way
    np.array([0.86, 0.85, 0.93, 0.96]),  # ahead, behind, ahead for good
    np.array([0.86, 0.91, 0.93, 0.90]),  # behind in the end
)
_MISTAKES = (
    (
        _of_the_classic,
        "This is where the classic model is ahead, not the network.",
    ),
    (_position, "This is a position in the list: return the size itself."),
    (_ties_count, "Being tied is not yet being ahead."),
    (_first_time, "The network falls behind again after this size: it is not ahead for good."),
    (_largest, "There is a smaller size from which on the network is ahead."),
)


def _check_crossing(answer: Any) -> str | None:
    for network in _NETWORKS:
        got = as_float(tried(answer, _SIZES, network, _CLASSIC))
        if got == crossing(_SIZES, network, _CLASSIC):
            continue
        curves = f"sizes {_SIZES.tolist()}, network {network.tolist()}"
        text = f"({curves}, classic {_CLASSIC.tolist()}: yours gives {got:g}.)"
        for mistake, message in _MISTAKES:
            if got == mistake(_SIZES, network, _CLASSIC):
                return f"{message} {text}"
        return f"Look at each size: is the network ahead there, and at all larger ones? {text}"
    return None


def interval(first, second, n_train, n_test):
    from scipy import stats

    k = len(first)
    differences = first - second
    variance = differences.var(ddof=1)
    factor = 1 / k + n_test / n_train
    half = stats.t.ppf(0.975, k - 1) * np.sqrt(variance * factor)
    return differences.mean() - half, differences.mean() + half


def _interval(
    *,
    ddof: int = 1,
    power: float = 0.5,
    quantile: float = 0.975,
    freedom: int = -1,
    sign: int = 1,
    centre: float = 1.0,
    ratio: Any = lambda n_train, n_test: n_test / n_train,
    share: float = 1.0,
) -> Any:
    """Return `interval` with one part of the formula changed."""

    def changed(first: Any, second: Any, n_train: int, n_test: int) -> tuple[float, float]:
        from scipy import stats

        k, differences = len(first), sign * (first - second)
        t = stats.t.ppf(quantile, k + freedom) if freedom < 1 else stats.norm.ppf(quantile)
        variance = differences.var(ddof=ddof)
        half = t * (variance * (share / k + ratio(n_train, n_test))) ** power
        middle = centre * differences.mean()
        return middle - half, middle + half

    return changed


def _of_the_spread(first: Any, second: Any, n_train: int, n_test: int) -> tuple[float, float]:
    from scipy import stats

    k, differences = len(first), first - second
    half = stats.t.ppf(0.975, k - 1) * differences.std(ddof=1) * (1 / k + n_test / n_train)
    return differences.mean() - half, differences.mean() + half


def _unpaired(first: Any, second: Any, n_train: int, n_test: int) -> tuple[float, float]:
    from scipy import stats

    k, middle = len(first), first.mean() - second.mean()
    variance = first.var(ddof=1) + second.var(ddof=1)
    half = stats.t.ppf(0.975, k - 1) * np.sqrt(variance * (1 / k + n_test / n_train))
    return middle - half, middle + half


def _backwards(first: Any, second: Any, n_train: int, n_test: int) -> tuple[float, float]:
    low, high = interval(first, second, n_train, n_test)
    return high, low


_UNCORRECTED = "The folds share training examples: n_test / n_train is missing beside 1/k."
_FAULTS = (
    (_backwards, "The lower end comes first."),
    (_interval(sign=-1), "The sign is the wrong way round: the lead of the first is asked for."),
    (_interval(centre=0.0), "The interval lies around the mean difference, not around 0."),
    (_unpaired, "Compare fold by fold: the variance is that of the differences."),
    (_interval(ratio=lambda *_: 0.0), _UNCORRECTED),
    (_interval(ratio=lambda n_train, n_test: n_train / n_test), "The ratio is upside down."),
    (
        _interval(ratio=lambda n_train, n_test: n_test / (n_train + n_test)),
        "The test examples are divided by the training examples, not by all.",
    ),
    (_interval(share=0.0), "The 1/k is missing: more folds make the mean more certain."),
    (_interval(share=0.0, ratio=lambda *_: 1.0), "This is for one fold; you have the mean of k."),
    (_interval(ddof=0), "The variance divides by k − 1: NumPy's `var` takes `ddof=1`."),
    (_interval(power=1.0), "The square root is missing: a variance has squared units."),
    (_of_the_spread, "The factor stands inside the square root."),
    (_interval(quantile=0.95), "95% in the middle leave 2.5% on each side: which quantile?"),
    (_interval(quantile=0.025), "With this quantile the half width is negative."),
    (_interval(freedom=0), "Student's distribution has k − 1 degrees of freedom here."),
    (_interval(freedom=1), "This is the normal distribution: few folds need Student's."),
)
_FOLDS = (
    (np.array([0.97, 0.95, 0.99, 0.96, 0.98]), np.array([0.95, 0.96, 0.95, 0.94, 0.97]), 400, 100),
    (np.array([0.80, 0.84, 0.83]), np.array([0.81, 0.82, 0.80]), 90, 30),
)


def _check_interval(answer: Any) -> str | None:
    for folds in _FOLDS:
        given = numbers(tried(answer, *folds))
        if given.size != 2:
            return f"Return two numbers, the lower end and the upper: yours are {given.size}."
        given = given.ravel()
        if close(given, interval(*folds), 1e-3):
            continue
        for fault, message in _FAULTS:
            if close(given, fault(*folds), 1e-3):
                return message
        middle = (folds[0] - folds[1]).mean()
        if close(given.mean(), middle, 1e-3):
            return (
                "The middle is right, the half width is not: it is a quantile, times the square "
                "root of the variance times a sum of two."
            )
        return "Begin with one difference for each fold: the interval lies around their mean."
    return None


SIDE, IMAGES = 20, 10  # pixels of a picture; labelled images of each new class
BAR = 0.55


@cache
def few_shot_data(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return many images of the digits 0 to 4, few of 5 to 9 (as 0 to 4), and their judges."""
    from dlcourse.datasets import load_dataset

    scenes = load_dataset("planted", seed=seed + 12, n=4000, canvas=SIDE, digit_size=8, clutter=1)
    x, y = scenes.x_train, scenes.y_train
    old = np.flatnonzero(y < 5)
    few = np.concatenate([np.flatnonzero(y == label)[:IMAGES] for label in range(5, 10)])
    held = scenes.y_val >= 5
    return x[old], y[old], x[few], y[few] - 5, scenes.x_val[held], scenes.y_val[held] - 5
