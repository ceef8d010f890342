"""What the trials say in words: differences beside their uncertainty and their cost.

Models are compared in the same rounds, so that what makes a round hard for all cancels. The
interval of a difference holds it in about 95 of 100 such comparisons:

- over folds, whose training sets overlap, the corrected resampled t-test of Nadeau and Bengio:
  d ± t · sqrt(var(d) · (1/folds + test/train));
- over seeds on one test split, d ± 1.96 · sqrt(var(d)/seeds + var(c)/n), where c is a test
  example's difference, averaged over the seeds.

Two models whose interval holds 0 are not told apart. Few rounds tell little, so that is not yet
the same: level are two models that are not told apart and whose difference is within one round's
spread (the larger of theirs).

References:
    Nadeau and Bengio, "Inference for the generalization error", 2003,
    https://doi.org/10.1023/A:1024068626366
    Bouckaert and Frank, "Evaluating the replicability of significance tests for comparing learning
    algorithms", 2004 (the same correction for cross-validation)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.lab.comparison.trials import Trial

GUESSES = ("majority", "mean")
CHEAP = 1.0  # CPU seconds to fit, below which nobody looks at the cost
Trials = Mapping[str, Sequence[Trial]]


@dataclass(frozen=True)
class Summary:
    """One model's row of the table.

    Attributes:
        model: its name.
        score, spread: mean and standard deviation of accuracy or R² over the rounds.
        mae: mean over the rounds, NaN for classes.
        behind, interval: how far its score is behind the best model's, and half the width of the
            95 % interval of that; 0 for the best.
        fit_cpu, fit_seconds, predict_seconds: medians over the rounds; predict for 1,000 examples.
        parameters, bytes: medians over the rounds.
        rounds: how many.
        note: a warning of one of its trials.
    """

    model: str
    score: float
    spread: float
    mae: float
    behind: float
    interval: float
    fit_cpu: float
    fit_seconds: float
    predict_seconds: float
    parameters: int
    bytes: int
    rounds: int
    note: str

    @property
    def significant(self) -> bool:
        """Whether the interval of the difference to the best leaves 0 out."""
        return abs(self.behind) > self.interval

    def tied_with(self, best: "Summary") -> bool:
        """Whether it is as good as the best: not told apart, and within one round's spread."""
        return not self.significant and self.behind <= max(self.spread, best.spread)


def summaries(trials: Trials, *, folds: bool) -> list[Summary]:
    """Return a row a model, best first.

    Args:
        trials: each model's, in the order of the rounds.
        folds: the rounds are folds; otherwise seeds on one test split.
    """
    means = {name: float(np.mean([t.score for t in own])) for name, own in trials.items()}
    best = max(means, key=lambda name: means[name])
    order = sorted(trials, key=lambda name: -means[name])
    return [_summary(name, trials, best, folds) for name in order]


def _summary(name: str, trials: Trials, best: str, folds: bool) -> Summary:
    own = trials[name]
    behind, interval = difference(trials[best], own, folds=folds)
    return Summary(
        name,
        float(np.mean([t.score for t in own])),
        spread([t.score for t in own]),
        float(np.mean([t.mae for t in own])),
        behind,
        interval,
        fit_cpu=float(np.median([t.fit_cpu for t in own])),
        fit_seconds=float(np.median([t.fit_seconds for t in own])),
        predict_seconds=float(np.median([t.predict_seconds for t in own])),
        parameters=int(np.median([t.parameters for t in own])),
        bytes=int(np.median([t.bytes for t in own])),
        rounds=len(own),
        note=next((t.note for t in own if t.note), ""),
    )


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation (n - 1); 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def difference(a: Sequence[Trial], b: Sequence[Trial], *, folds: bool) -> tuple[float, float]:
    """Return the mean of a's score less b's, and half the width of its 95 % interval."""
    gaps = [one.score - other.score for one, other in zip(a, b, strict=True)]
    variance = spread(gaps) ** 2
    if folds:
        from scipy.stats import t

        ratio = float(np.mean([len(one.per_example) / one.examples for one in a]))
        width = t.ppf(0.975, len(gaps) - 1) * np.sqrt(variance * (1 / len(gaps) + ratio))
    else:
        both = zip(a, b, strict=True)
        each = np.mean([one.per_example - other.per_example for one, other in both], axis=0)
        width = 1.96 * np.sqrt(variance / len(gaps) + np.var(each) / len(each))
    return float(np.mean(gaps)), float(width)


def verdict(rows: Sequence[Summary], recipes: Sequence[str], score: str) -> list[str]:
    """Return sentences: the best, who is not told apart from it, who is behind, which to take.

    Of the best and those level with it, the one to take costs least to fit; costs below a CPU
    second count as one, and the better score decides.

    Args:
        rows: best first, as `summaries` gives them.
        recipes: the names of the networks among them.
        score: `accuracy` or `R²`.
    """
    best, others = rows[0], rows[1:]
    level = [row for row in others if row.tied_with(best)]
    undecided = [row for row in others if not row.significant and row not in level]
    apart = [row for row in others if row.significant]
    lines = [f"{best.model} is best: {score} {best.score:.4f} ± {best.spread:.4f}."]
    lines += [_level(row, best) for row in level]
    rounds = f"{best.rounds} round{'s do' if best.rounds > 1 else ' does'} not tell"
    lines += [f"Perhaps behind, but {rounds}: {_gaps(undecided)}."] if undecided else []
    lines += [f"Behind it, beyond the uncertainty: {_gaps(apart)}."] if apart else []
    for row in apart:
        if row.model in recipes and row.fit_cpu > best.fit_cpu:
            lines.append(f"{row.model} is behind {best.model} and costs {_cost(row, best)}.")
    if guesses := [row.model for row in (best, *level, *undecided) if row.model in GUESSES]:
        return [*lines, f"Nothing was learned: {guesses[0]} is a guess, and none is clear of it."]
    chosen = min([best, *level], key=lambda row: max(row.fit_cpu, CHEAP))
    if chosen is not best:
        take = f"Take {chosen.model}, at {_cost(chosen, best)}"
        more = f", unless more data or what {best.model} can show is what counts"
        return [*lines, f"{take}{more if best.model in recipes else ''}."]
    why = "no cheaper one is as good" if level or undecided else "no other comes near"
    if best.fit_cpu <= CHEAP:
        why = "it costs less than a CPU second"
    return [*lines, f"Take {best.model}: {why}."]


def _level(row: Summary, best: Summary) -> str:
    low, high = row.behind - row.interval, row.behind + row.interval
    return (
        f"{row.model} is {row.behind:.4f} behind, within one round's spread "
        f"({max(best.spread, row.spread):.4f}), at {_cost(row, best)}: not told apart (95 % "
        f"interval {low:.4f} to {high:.4f})."
    )


def _gaps(rows: Sequence[Summary]) -> str:
    return ", ".join(f"{row.model} ({row.behind:.4f} ± {row.interval:.4f})" for row in rows)


def _cost(row: Summary, best: Summary) -> str:
    """Return `1/210 of its CPU`, or `3.2 times its CPU`: to fit, beside the best's."""
    less = row.fit_cpu <= best.fit_cpu
    part = share(row.fit_cpu, best.fit_cpu)
    return f"{part} of its CPU" if less else f"{times(row.fit_cpu / best.fit_cpu)} its CPU"


def share(part: float, whole: float) -> str:
    """Return `1/210`, or `0.71` where it is more than a half."""
    ratio = whole / max(part, 1e-9)
    return f"1/{_two_figures(ratio)}" if ratio >= 2 else f"{1 / ratio:.2f}"


def times(ratio: float) -> str:
    """Return `3.2 times` or `210 times`."""
    return f"{_two_figures(ratio)} times" if ratio >= 10 else f"{ratio:.1f} times"


def _two_figures(value: float) -> str:
    digits = len(str(int(value))) - 2
    return f"{round(value, -digits):,.0f}" if digits > 0 else f"{value:.0f}"


def crossing(
    sizes: Sequence[int], network: Sequence[float], classic: Sequence[float]
) -> tuple[float, int, int] | None:
    """Return where the network's score passes the classic learner's for good.

    Args:
        sizes: training-set sizes, rising.
        network, classic: their scores at these sizes.

    Returns:
        `(at, below, above)`: the size interpolated on the logarithm of the sizes, and the measured
        sizes around it; None if the network is not ahead at the largest size, or is ahead at all.
    """
    ahead = np.asarray(network) - np.asarray(classic)
    behind = np.flatnonzero(ahead <= 0)
    if not len(behind) or behind[-1] == len(sizes) - 1:
        return None
    last = int(behind[-1])
    share = -ahead[last] / (ahead[last + 1] - ahead[last])
    low, high = np.log(sizes[last]), np.log(sizes[last + 1])
    return float(np.exp(low + share * (high - low))), sizes[last], sizes[last + 1]


def mean_scores(trials: Sequence[Trials], model: str) -> list[float]:
    """Return a model's mean score at each size."""
    return [float(np.mean([trial.score for trial in at[model]])) for at in trials]


def curve_verdict(curve: Mapping[int, Trials], recipes: Sequence[str], *, folds: bool) -> list[str]:
    """Return a sentence a recipe: from which training-set size on it is ahead of classic ML.

    Args:
        curve: training-set size, rising → each model's trials.
        recipes: the names of the networks.
        folds: see `summaries`.
    """
    sizes, trials = list(curve), list(curve.values())
    classics = [name for name in trials[-1] if name not in recipes]
    if not classics:
        return []
    rival = max(classics, key=lambda name: np.mean([t.score for t in trials[-1][name]]))
    lines = []
    for name in recipes:
        gaps = [difference(at[name], at[rival], folds=folds) for at in trials]
        clear = abs(gaps[-1][0]) > gaps[-1][1]
        last = f"{gaps[-1][0]:+.4f} ± {gaps[-1][1]:.4f} at {sizes[-1]:,}"
        if not clear:
            last += ", not told apart"
        cross = crossing(sizes, mean_scores(trials, name), mean_scores(trials, rival))
        if cross:
            at, below, above = cross
            text = f"passes {rival} at about {_two_figures(at)} training examples"
            text += f" (measured at {below:,} and {above:,})"
        elif gaps[-1][0] > 0:
            text = f"is ahead of {rival} at every size measured"
        else:
            text = f"does not pass {rival} up to {sizes[-1]:,} training examples"
        lines.append(f"{name} {text}; {last}.")
    return lines
