"""Exercises of notebook 12: which model to take, what pre-computing saves, where curves cross,
the corrected interval, and a network for classes with ten images each.
"""

from functools import cache
from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
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
    Wrong("d", "They met on the same folds: does the interval of a lead contain 0?"),
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
    np.array([0.86, 0.91, 0.93, 0.90]),  # behind in the end
    np.array([0.80, 0.86, 0.93, 0.96]),  # passes once
    np.array([0.90, 0.92, 0.94, 0.96]),  # ahead throughout
    np.array([0.80, 0.90, 0.93, 0.96]),  # equal on the way
    np.array([0.86, 0.85, 0.93, 0.96]),  # ahead, behind, ahead for good
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
        try:
            got = as_float(tried(answer, _SIZES, network, _CLASSIC))
        except Mistake as mistake:
            if "one number: for an array" in str(mistake):
                return "`if` takes one comparison, not an array of them: go from size to size."
            raise
        if got == crossing(_SIZES, network, _CLASSIC):
            continue
        curves = f"sizes {_SIZES.tolist()}, network {network.tolist()}"
        text = f"({curves}, classic {_CLASSIC.tolist()}: yours gives {got:g}.)"
        if got == 0:
            return f"0 is for a network that is not ahead at the largest size; this one is. {text}"
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


def _with(half: Any) -> Any:
    """Return an interval whose half width is `half(differences, factor, quantile)`."""

    def changed(first: Any, second: Any, n_train: int, n_test: int) -> tuple[float, float]:
        from scipy import stats

        differences, factor = first - second, 1 / len(first) + n_test / n_train
        width = half(differences, factor, stats.t.ppf(0.975, len(first) - 1))
        return differences.mean() - width, differences.mean() + width

    return changed


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
    (_backwards, "The lower end comes first: the half width is positive."),
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
    (_with(lambda d, f, t: t * d.std(ddof=1) * f), "The sum stands inside the square root."),
    (
        _with(lambda d, f, t: t * d.var(ddof=1) * np.sqrt(f)),
        "The variance stands inside the square root, too.",
    ),
    (
        _with(lambda d, f, t: t * np.sqrt(d.std(ddof=1) * f)),
        "Inside the root stands the variance, the square of the standard deviation.",
    ),
    (_with(lambda d, f, _: d.std(ddof=1) * np.sqrt(f)), "The quantile is missing."),
    (_interval(quantile=0.95), "95% in the middle leave 2.5% on each side: which quantile?"),
    (_interval(freedom=-2), "There is one degree of freedom less than folds, not two less."),
    (_interval(freedom=0), "Student's distribution has k − 1 degrees of freedom here."),
    (_interval(freedom=1), "This is the normal distribution: few folds need Student's."),
)
_FOLDS = (
    (np.array([0.97, 0.95, 0.99, 0.96, 0.98]), np.array([0.95, 0.96, 0.95, 0.94, 0.97]), 400, 100),
    (np.array([0.80, 0.84, 0.83]), np.array([0.81, 0.82, 0.80]), 90, 30),
)


def _check_interval(answer: Any) -> str | None:
    for case, folds in enumerate(_FOLDS):
        given = numbers(tried(answer, *folds))
        if given.size != 2:
            return f"Return two numbers, the lower end and the upper: yours are {given.size}."
        given = given.ravel()
        if close(given, interval(*folds), 1e-3):
            continue
        for fault, message in _FAULTS:
            if close(given, fault(*folds), 1e-3):
                return message
        if case:
            return (
                "It is right for five folds of 400 and 100 examples, not for others: use `k`, "
                "`n_train` and `n_test`."
            )
        middle = (folds[0] - folds[1]).mean()
        if close(given.mean(), middle, 1e-3):
            return (
                "The middle is right, the half width is not: it is a quantile, times the square "
                "root of the variance times a sum of two."
            )
        return "Begin with one difference for each fold: the interval lies around their mean."
    return None


SIGNALS, BAR = 10, 0.6  # labelled signals of each new class; accuracy to reach
_SCRATCH, _CLASSIC_RIGHT = 0.39, 0.46  # what a network from scratch and an SVM do not pass


@cache
def few_shot_data() -> tuple[np.ndarray, ...]:
    """Return many signals of the digits 0 to 4, few of 5 to 9 (as 0 to 4), and 600 to judge by."""
    from dlcourse.datasets import load_dataset

    signals = load_dataset("mnist1d", seed=12, validation_fraction=0.3)
    x, y, x_held, y_held = signals.x_train, signals.y_train, signals.x_val, signals.y_val
    old, held = y < 5, y_held >= 5
    few = np.concatenate([np.flatnonzero(y == label)[:SIGNALS] for label in range(5, 10)])
    return x[old], y[old], x[few], y[few] - 5, x_held[held], y_held[held] - 5


def transferred(x_old, y_old, x_new, y_new):
    import keras
    from keras import layers

    sizes, same = ((32, 2), (64, 1), (64, 2)), {"padding": "same", "activation": "relu"}
    convs = [layers.Conv1D(filters, 5, strides, **same) for filters, strides in sizes]
    end = [layers.GlobalMaxPooling1D(), layers.Dense(5, "softmax")]
    base = keras.Sequential([keras.Input((40, 1)), *convs, *end])
    rate = keras.optimizers.schedules.CosineDecay(0.005, 12 * len(x_old) // 32)
    base.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    base.fit(x_old, y_old, epochs=12, verbose=0)
    body = keras.Model(base.inputs, base.layers[-2].output)
    body.trainable = False
    model = keras.Sequential([body, layers.Dense(5, "softmax")])
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(x_new, y_new, batch_size=len(x_new), epochs=50, verbose=0)
    return model


def _check_transfer(answer: Any) -> str | None:
    *given, x, y = few_shot_data()
    model = trained_model(answer, *given)
    share = _right(model, x, y)
    if share >= BAR:
        return None
    reached = f"Your model is right for {share:.2f} of the signals"
    if share < 0.26:
        return f"{reached}; guessing is for 0.20. Has it learned the new classes, numbered 0 to 4?"
    if share < _SCRATCH:
        return f"{reached}, as a network with `Flatten` from scratch: use the old classes."
    if share < _CLASSIC_RIGHT:
        return f"{reached}, as an SVM on the signals alone: give it deep features instead."
    return (
        f"{reached}: the bar is {BAR:.2f}. Should a feature know where it was found? Pool over all "
        "positions before the head, and train the base for some epochs more."
    )


def _right(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of a Keras model, or of one that predicts labels, as scikit-learn's."""
    if not hasattr(model, "count_params"):
        try:
            labels = np.asarray(model.predict(x))
        except Exception:  # noqa: BLE001 - a student's model may do anything
            raise Mistake(f"Your model does not take an array of shape {x.shape}.") from None
        if labels.shape == y.shape:
            return float(np.mean(labels == y))
    return share_right(model, x, y, 5)


class _Share:
    """A model that is right for a share of the signals."""

    def __init__(self, share: float) -> None:
        self.share = share

    def predict(self, x: np.ndarray) -> np.ndarray:
        y = few_shot_data()[-1]
        wrong = np.arange(len(x)) >= self.share * len(x)
        return np.eye(5)[(y + wrong) % 5]


def _labels(*_: Any) -> Any:
    class Labels(_Share):
        def predict(self, x: np.ndarray) -> np.ndarray:
            return super().predict(x).argmax(axis=1)

    return Labels(0.9)


class _Ten(_Share):
    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.ones((len(x), 10))


EXERCISES = (
    Exercise(
        question=_CHOICE,
        check=choice_check("b", _CHOSEN, _CHOICE),
        hint="First find which models differ significantly, then what each of the rest costs.",
        solution="b",
        explanation=(
            "The interval of the network's lead contains 0: the difference is not significant, and "
            "the network takes 400 times as long. The interval of the SVM's lead does not contain "
            "0: the rule is cheap, and worse."
        ),
        equivalents=(
            *("B", " b ", "(b)", "b.", "The SVM", "svm", "(b) The SVM.", {"b"}),
            *("Option (b)", "answer b", np.array("b"), np.array(["b"])),
        ),
        wrong=_CHOSEN,
    ),
    Exercise(
        question=(
            "A frozen base takes 2 ms per image, and training the head takes 0.1 ms per image and "
            "epoch. With 1,000 images and 50 epochs, how many seconds does it all take if the "
            "base's features are computed once and kept?"
        ),
        check=number_check(
            7.0,
            _SECONDS,
            "Add up two parts: the base sees each image once, the head sees it in each epoch.",
            rtol=COMPUTED,
        ),
        hint="1,000 images once through the base, and 50 · 1,000 times through the head.",
        solution=7,
        explanation=(
            "1,000 · 2 ms + 50 · 1,000 · 0.1 ms = 2 s + 5 s = 7 s. With the base in every epoch it "
            "is 50 · 1,000 · 2.1 ms = 105 s: fifteen times as long, for the same head."
        ),
        equivalents=(7.0, "7", "7.0", [7], 2 + 5.0, "7 s", "7 seconds", np.array([[7]])),
        wrong=_SECONDS,
    ),
    Exercise(
        question=(
            "Write a function `answer(sizes, network, classic)` that takes three NumPy arrays, "
            "rising training-set sizes and the two accuracies at each, and returns the smallest "
            "size from which on the network is ahead at every size, or 0 if it is not ahead at the "
            "largest."
        ),
        check=_check_crossing,
        hint="Walk from the largest size down, as long as the network is ahead.",
        solution=crossing,
        explanation=(
            "One size at which the network happens to be ahead tells little: with the next one it "
            "may be behind again. What counts is from where on it stays ahead."
        ),
        equivalents=(_from_the_end, _in_one_line, lambda *curves: float(crossing(*curves))),
        wrong=(
            *(Wrong(mistake, message) for mistake, message in _MISTAKES),
            Wrong(lambda *_: 0, "0 is for a network that is not ahead"),
        ),
    ),
    Exercise(
        question=(
            "`first` and `second` hold the accuracies of two models on the same folds, each "
            "trained with `n_train` examples and tested with `n_test`. Return the two ends of the "
            "corrected 95 % interval of the first one's lead, the lower end first. It must work "
            "for any number of folds."
        ),
        check=_check_interval,
        hint=(
            "Compute, in this order: one difference for each fold, their variance with `ddof=1`, "
            "the sum in the brackets of the formula, the quantile, and the half width."
        ),
        solution=interval,
        explanation=(
            "The correction adds n_test / n_train to 1/k. With five folds of 400 and 100 examples "
            "the interval is one and a half times as wide as the naive one."
        ),
        equivalents=(
            lambda *folds: np.array(interval(*folds)),
            lambda *folds: np.array([interval(*folds)]).T,
            lambda *folds: list(map(float, interval(*folds))),
        ),
        wrong=(
            *(Wrong(fault, message) for fault, message in _FAULTS),
            Wrong(
                lambda a, b, *_: interval(a, b, 4, 1) if len(a) == 5 else interval(a, b, 1, 1),
                "It is right for five folds",
            ),
            Wrong(lambda *folds: interval(*folds)[1], "Return two numbers, the lower end"),
            Wrong(lambda a, b, *_: ((a - b).min(), (a - b).max()), "Begin with one difference"),
            Wrong(lambda a, b, *_: ((a - b).mean() - 1, (a - b).mean() + 1), "The middle is right"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write `answer(x_old, y_old, x_new, y_new)`: it returns a trained Keras model for five "
            "new classes. `x_old` holds 1,400 signals of MNIST-1D of shape (40, 1), the digits 0 "
            "to 4; `x_new` holds ten signals of each of the digits 5 to 9, with labels `y_new` "
            "from 0 to 4. The bar is an accuracy of 0.60 on 600 other signals of the new classes. "
            "It may take 8 CPU seconds. Guessing reaches 0.20, an SVM on the signals about 0.40."
        ),
        check=_check_transfer,
        hint=(
            "Train convolutions on the old classes, keep all layers before the last one, freeze "
            "them, and train a new `Dense(5)` on the new signals. A piece of a digit may be "
            "anywhere: `GlobalMaxPooling1D` keeps how strongly it was found, not where."
        ),
        solution=transferred,
        explanation=(
            "Two things help. The pooling forgets the place, so a shape counts wherever it is: "
            "with it even a network from scratch reaches about 0.70, with `Flatten` about 0.35. "
            "And the old classes teach the shapes: what is left to learn is which of them belong "
            "to which class."
        ),
        equivalents=(_labels, lambda *_: _Share(0.62)),
        wrong=(
            Wrong(lambda *_: _Share(0.2), "Your model is right for 0.20 of the signals; gu"),
            Wrong(lambda *_: _Share(0.35), "Your model is right for 0.35 of the signals, as a net"),
            Wrong(lambda *_: _Share(0.42), "Your model is right for 0.42 of the signals, as an"),
            Wrong(lambda *_: _Share(0.5), "Your model is right for 0.50 of the signals: the"),
            Wrong(lambda *_: _Ten(0.2), "The model must give outputs of shape (600, 5)"),
            Wrong(lambda *_: "a model", "The trained model is to be returned"),
        ),
        level="build",
    ),
)
