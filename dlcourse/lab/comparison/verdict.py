"""The verdict of the trials as text: differences with their uncertainty and their cost.

Models are compared in the same rounds, so that the difficulty of a round cancels. The interval of a
difference contains it in about 95 of 100 such comparisons:

- over folds, whose training sets overlap, the corrected resampled t-test of Nadeau and Bengio:
  d ± t · sqrt(var(d) · (1/folds + test/train));
- over seeds on one test split, d ± 1.96 · sqrt(var(d)/seeds + var(c)/n), where c is the difference
  of one test example, averaged over the seeds.

Two models whose interval contains 0 are not significantly different. With few rounds this does not
yet mean that they are equally good: two models are tied if they are not significantly different and
their difference is within one round's spread (the larger of the two spreads).

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

GUESSES = ("as_now", "as_one_season_ago", "majority", "mean")
CHEAP = 1.0  # CPU seconds to fit below which the cost does not matter
Trials = Mapping[str, Sequence[Trial]]


@dataclass(frozen=True)
class Summary:
    """The row of one model in the table.

    Attributes:
        model: Name of the model.
        score, spread: Mean and standard deviation of accuracy or R² over the rounds.
        mae: Mean over the rounds, NaN for classes.
        behind, interval: Difference of the best model's score to its score, and half the width of
            the 95 % interval of the difference; 0 for the best model.
        fit_cpu, fit_seconds, latency_seconds, predict_seconds: Medians over the rounds: to fit, to
            predict one example, and to predict 1,000 at once.
        parameters, bytes: Medians over the rounds.
        rounds: Number of rounds.
        note: Warning of one of its trials.
    """

    model: str
    score: float
    spread: float
    mae: float
    behind: float
    interval: float
    fit_cpu: float
    fit_seconds: float
    latency_seconds: float
    predict_seconds: float
    parameters: int
    bytes: int
    rounds: int
    note: str

    @property
    def significant(self) -> bool:
        """Whether the interval of the difference to the best excludes 0."""
        return abs(self.behind) > self.interval

    def tied_with(self, best: "Summary") -> bool:
        """Whether it is tied with the best: not significant, and within one round's spread."""
        return not self.significant and self.behind <= max(self.spread, best.spread)


def summaries(trials: Trials, *, folds: bool) -> list[Summary]:
    """Return one row per model, best first.

    Args:
        trials: Trials of each model, in the order of the rounds.
        folds: Whether the rounds are folds; otherwise they are seeds on one test split.
    """
    order = sorted(trials, key=lambda name: -np.mean([t.score for t in trials[name]]))
    return [_summary(trials[name], trials[order[0]], folds) for name in order]


COSTS = ("fit_cpu", "fit_seconds", "latency_seconds", "predict_seconds")


def _summary(own: Sequence[Trial], best: Sequence[Trial], folds: bool) -> Summary:
    scores = [t.score for t in own]
    return Summary(
        own[0].model,
        float(np.mean(scores)),
        spread(scores),
        float(np.mean([t.mae for t in own])),
        *difference(best, own, folds=folds),
        *(float(np.median([getattr(t, cost) for t in own])) for cost in COSTS),
        parameters=int(np.median([t.parameters for t in own])),
        bytes=int(np.median([t.bytes for t in own])),
        rounds=len(own),
        note=next((t.note for t in own if t.note), ""),
    )


def spread(values: Sequence[float]) -> float:
    """Return the sample standard deviation (n - 1); 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def difference(a: Sequence[Trial], b: Sequence[Trial], *, folds: bool) -> tuple[float, float]:
    """Return the mean difference of the scores, a - b, and half the width of its 95 % interval."""
    gaps = [trial.score - other.score for trial, other in zip(a, b, strict=True)]
    variance = spread(gaps) ** 2
    if folds:
        from scipy.stats import t

        ratio = float(np.mean([len(trial.per_example) / trial.examples for trial in a]))
        width = t.ppf(0.975, len(gaps) - 1) * np.sqrt(variance * (1 / len(gaps) + ratio))
    else:
        both = zip(a, b, strict=True)
        each = np.mean([trial.per_example - other.per_example for trial, other in both], axis=0)
        width = 1.96 * np.sqrt(variance / len(gaps) + np.var(each) / len(each))
    return float(np.mean(gaps)), float(width)


def verdict(rows: Sequence[Summary], recipes: Sequence[str], score: str) -> list[str]:
    """Return sentences: the best model, the tied models, those behind, and which to take.

    Of the best model and those tied with it, the one to take is the cheapest to fit; costs below
    one CPU second count as equal, and then the better score decides.

    Args:
        rows: Summaries, best first, as `summaries` returns them.
        recipes: Names of the networks among them.
        score: Name of the score, `accuracy` or `R²`.
    """
    best, others = rows[0], rows[1:]
    tied = [row for row in others if row.tied_with(best)]
    undecided = [row for row in others if not row.significant and row not in tied]
    behind = [row for row in others if row.significant]
    lines = [f"{best.model} is best: {score} {best.score:.4f} ± {best.spread:.4f}."]
    lines += [_tied(row, best) for row in tied]
    rounds = f"{best.rounds} round{'s' if best.rounds > 1 else ''}"
    lines += [f"Behind, not significantly in {rounds}: {_gaps(undecided)}."] if undecided else []
    lines += [f"Significantly behind: {_gaps(behind)}."] if behind else []
    for row in behind:
        if row.model in recipes and row.fit_cpu > best.fit_cpu:
            lines.append(f"{row.model} is behind {best.model} and costs {_cost(row, best)}.")
    if guesses := [row.model for row in (best, *tied, *undecided) if row.model in GUESSES]:
        return [*lines, f"Nothing was learned: no model is significantly better than {guesses[0]}."]
    if any(row.model.startswith("ngrams") for row in (best, *tied)):
        counted = "Counts of tokens and of pairs of neighbours do as well here as any network"
        lines.append(f"{counted}: the order of the tokens in the whole text added nothing.")
    chosen = min([best, *tied], key=lambda row: max(row.fit_cpu, CHEAP))
    if chosen is not best:
        take = f"Take {chosen.model}, at {_cost(chosen, best)}"
        more = f", unless more data or the explanations of {best.model} matter"
        return [*lines, f"{take}{more if best.model in recipes else ''}."]
    why = "no cheaper model is as good" if tied or undecided else "no other comes close"
    if best.fit_cpu <= CHEAP:
        why = "it costs less than a CPU second"
    return [*lines, f"Take {best.model}: {why}."]


def _tied(row: Summary, best: Summary) -> str:
    low, high = row.behind - row.interval, row.behind + row.interval
    return (
        f"{row.model} is {row.behind:.4f} behind, within one round's spread "
        f"({max(best.spread, row.spread):.4f}), at {_cost(row, best)}: tied (95 % "
        f"interval {low:.4f} to {high:.4f})."
    )


def _gaps(rows: Sequence[Summary]) -> str:
    return ", ".join(f"{row.model} ({row.behind:.4f} ± {row.interval:.4f})" for row in rows)


def _cost(row: Summary, best: Summary) -> str:
    """Return the fitting cost relative to the best: `1/210 of its CPU`, `3.2 times its CPU`."""
    less = row.fit_cpu <= best.fit_cpu
    part = share(row.fit_cpu, best.fit_cpu)
    return f"{part} of its CPU" if less else f"{times(row.fit_cpu / best.fit_cpu)} its CPU"


def share(part: float, whole: float) -> str:
    """Return `1/210`, or `0.71` if it is more than a half."""
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
    """Return where the network's score passes that of the classic model for good.

    Args:
        sizes: Training-set sizes, increasing.
        network, classic: Scores at these sizes.

    Returns:
        `(at, below, above)`: the size, interpolated on the logarithm of the sizes, and the measured
        sizes around it; None if the network is behind at the largest size, or ahead at all sizes.
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
    """Return one sentence per recipe: the training-set size from which it beats classic ML.

    Args:
        curve: Training-set size, increasing → trials of each model.
        recipes: Names of the networks.
        folds: As for `summaries`.
    """
    sizes, trials = list(curve), list(curve.values())
    classics = [name for name in trials[-1] if name not in recipes]
    if not classics:
        return []
    rival = max(classics, key=lambda name: np.mean([t.score for t in trials[-1][name]]))
    lines = []
    for name in recipes:
        gaps = [difference(at[name], at[rival], folds=folds) for at in trials]
        significant = abs(gaps[-1][0]) > gaps[-1][1]
        last = f"{gaps[-1][0]:+.4f} ± {gaps[-1][1]:.4f} at {sizes[-1]:,}"
        if not significant:
            last += ", not significant"
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
