"""Exercises of notebook 12: which model to take, what pre-computing saves, where curves cross."""

from typing import Any

from dlcourse.lessons.exercises.answers import as_float, choice_check, number_check, tried
from dlcourse.lessons.exercises.exercise import Exercise, Wrong

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


_SIZES = [100, 200, 400, 800]
_CLASSIC = [0.85, 0.90, 0.92, 0.93]
_NETWORKS = (
    [0.80, 0.86, 0.93, 0.96],  # passes once
    [0.90, 0.92, 0.94, 0.96],  # ahead throughout
    [0.80, 0.90, 0.93, 0.96],  # equal on the way
    [0.86, 0.85, 0.93, 0.96],  # ahead, behind, ahead for good
    [0.86, 0.91, 0.93, 0.90],  # behind in the end
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
        text = f"(Sizes {_SIZES}, network {network}, classic {_CLASSIC}: yours gives {got:g}.)"
        for mistake, message in _MISTAKES:
            if got == mistake(_SIZES, network, _CLASSIC):
                return f"{message} {text}"
        return f"Look at each size: is the network ahead there, and at all larger ones? {text}"
    return None


EXERCISES = (
    Exercise(
        question=(
            "Five folds give (a) a network: accuracy 0.962, 40 CPU seconds to fit; (b) an SVM: "
            "0.960, 0.1 s; (c) a rule on two features: 0.910, 0.01 s. Fold by fold the network "
            "leads the SVM by 0.002 ± 0.015, and the SVM leads the rule by 0.050 ± 0.018 (95% "
            "intervals). Which one do you take, or (d) none, since they cannot be compared?"
        ),
        check=choice_check("b", _CHOSEN),
        hint="First find which models differ significantly, then what each of the rest costs.",
        solution="b",
        explanation=(
            "The interval of the network's lead contains 0: the difference is not significant, and "
            "the network takes 400 times as long. The interval of the SVM's lead does not contain "
            "0: (c) is cheap, and worse."
        ),
        equivalents=("B", " b ", "(b)", "b."),
        wrong=_CHOSEN,
    ),
    Exercise(
        question=(
            "A frozen base takes 2 ms for an image, the head's training 0.1 ms. With 1,000 images "
            "and 50 epochs, how many seconds does it take if the base's features are computed "
            "once and kept?"
        ),
        check=number_check(
            7.0,
            _SECONDS,
            "Add up two parts: the base sees each image once, the head sees it in each epoch.",
        ),
        hint="1,000 images once through the base, and 50 · 1,000 times through the head.",
        solution=7,
        explanation=(
            "1,000 · 2 ms + 50 · 1,000 · 0.1 ms = 2 s + 5 s = 7 s. With the base in every epoch it "
            "is 50 · 1,000 · 2.1 ms = 105 s: fifteen times as long, for the same head."
        ),
        equivalents=(7.0, "7", "7.0", [7], 2 + 5.0),
        wrong=_SECONDS,
    ),
    Exercise(
        question=(
            "Write a function `answer(sizes, network, classic)` that takes rising training-set "
            "sizes and the two accuracies at each, and returns the smallest size from which on the "
            "network is ahead at every size, or 0 if it is not ahead at the largest."
        ),
        check=_check_crossing,
        hint="Walk from the largest size down, as long as the network is ahead.",
        solution=crossing,
        explanation=(
            "One size at which the network happens to be ahead tells little: with the next one it "
            "may be behind again. What counts is from where on it stays ahead."
        ),
        equivalents=(_from_the_end, lambda *curves: float(crossing(*curves))),
        wrong=tuple(Wrong(mistake, message) for mistake, message in _MISTAKES),
    ),
)
