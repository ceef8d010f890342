"""Rules on the fit: not learning, over-fitting, stopped too early, under-fitting, good fit."""

import numpy as np

from dlcourse.lab.diagnosis import measures
from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS, Finding
from dlcourse.lab.diagnosis.learning_rate import learning_rate_too_large, learning_rate_too_small
from dlcourse.lab.diagnosis.overrides import for_learning, for_less_gap, for_more_capacity, possible
from dlcourse.lab.diagnosis.splits import leakage


def not_learning(evidence: Evidence) -> Finding | None:
    """Training, or at least validation, never gets better than the constant baseline."""
    train = measures.undisturbed_skill(evidence)
    if train is None or not evidence.finite or measures.too_short(evidence):
        return None
    others = (learning_rate_too_small, early_stop_too_eager, batch_norm_behind)
    if any(rule(evidence) for rule in others):
        return None
    if float(np.median(train[-5:])) < THRESHOLDS["learned"]:
        part, prefix = "training", ""
        why = "wrong labels, a dead network, equal initial weights, or an unsuitable model"
    elif _validation_stuck(evidence):
        part, prefix = "validation", "val_"
        why = "nothing learned generalises; do the labels belong to the inputs?"
    else:
        return None
    baseline = f" ({evidence.baseline:.3g})" if evidence.baseline else ""
    numbers = f"lowest loss {evidence.history[f'{prefix}loss'].min():.3g}"
    if (accuracy := evidence.history.get(f"{prefix}accuracy")) is not None:
        numbers += f", best accuracy {accuracy.max():.2f}"
    return Finding(
        "not_learning",
        f"nothing is learned: {part} stays at the constant baseline's loss{baseline}: {why}",
        numbers,
        for_learning(evidence, too_fast=bool(learning_rate_too_large(evidence))),
        1,
    )


def _validation_stuck(evidence: Evidence) -> bool:
    """Whether validation never beats the constant baseline, beyond its sampling error."""
    skill = evidence.skill("val_")
    if skill is None or evidence.val_loss is None:
        return False
    least, chance = THRESHOLDS["learned"], evidence.chance
    if chance:
        least += measures.standard_error(chance, evidence.val_examples) / (1 - chance)
    lowest = float(measures.running_median(evidence.val_loss).min()) / evidence.unit
    return float(measures.running_median(skill).max()) < least and lowest > 1 - least / 2


def batch_norm_behind(evidence: Evidence) -> Finding | None:
    """The running statistics of batch normalization are not those that it trained with."""
    start, loss, scores = evidence.norm_start, evidence.loss, evidence.evaluated.get("train", {})
    if start is None or not evidence.finite:
        return None
    before, where = loss[[np.argmin(evidence.losses[-1]), -1]].max(), "on the same examples later"
    after = (1 - scores["r2"]) * evidence.unit if "r2" in scores else scores.get("loss")
    if after is None and evidence.val_loss is not None and start >= THRESHOLDS["norm_start"]:
        before, after = (float(np.median(curve[-3:])) for curve in evidence.losses)
        where = "on validation"
    if after is None or after - before < THRESHOLDS["loss_gap"] * evidence.unit:
        return None
    momentum = "model.batch_norm_momentum"
    return Finding(
        "batch_norm_behind",
        "batch normalization predicts with a running mean and variance that have not arrived at "
        "those of the batches it trained with: this is not over-fitting",
        f"loss {before:.3g} in training, {after:.3g} {where}; {start:.0%} of the initial "
        "statistics are left",
        possible(evidence, f"{momentum}=0.9", f"{momentum}=0.5"),
        evidence.epochs,
    )


def over_fitting(evidence: Evidence) -> Finding | None:
    """Validation gets worse while training improves, or stays far behind it."""
    loss, val_loss, unit = evidence.loss, evidence.val_loss, evidence.unit
    if val_loss is None or not evidence.finite or evidence.epochs < 3 or not _learned(evidence):
        return None
    lowest = int(val_loss.argmin())
    train, val = float(np.median(loss[-3:])), float(np.median(val_loss[-3:]))
    rise, gap = (val - val_loss[lowest]) / unit, (val - train) / unit
    scores, least = measures.accuracy_gap(evidence), THRESHOLDS["accuracy_gap"]
    beyond = scores[2] if scores else least if gap >= THRESHOLDS["loss_gap"] else 0.0
    worse = rise >= THRESHOLDS["loss_rise"] and gap >= THRESHOLDS["loss_gap"]
    far = beyond >= (least if gap >= THRESHOLDS["loss_gap"] / 2 else 1.5 * least)
    if train - loss.min() >= THRESHOLDS["loss_rise"] * unit:  # training gets worse, too
        return None
    if not (worse or far) or batch_norm_behind(evidence):
        return None
    numbers = f"loss {train:.3g} on training, {val:.3g} on validation"
    if scores is not None:
        numbers += f"; accuracy {scores[0]:.2f} and {scores[1]:.2f}"
    if worse:
        numbers += f"; validation was at its best, {val_loss[lowest]:.3g}, in epoch {lowest + 1}"
    return Finding(
        "over_fitting",
        "the training examples are memorised: training goes on improving, validation does "
        + ("not follow" if not worse else "not follow but gets worse"),
        numbers,
        for_less_gap(evidence),
        lowest + 1 if worse else _opened(evidence),
    )


def _learned(evidence: Evidence) -> bool:
    skill = evidence.skill()
    return skill is None or bool(skill.max() >= THRESHOLDS["learned"])


def _opened(evidence: Evidence) -> int:
    """Return the epoch (from 1) from which the gap stays above half of its last size."""
    gap = measures.running_median(np.asarray(evidence.val_loss) - evidence.loss)
    below = np.flatnonzero(gap < gap[-1] / 2)
    return int(below[-1]) + 2 if len(below) else 1


def early_stop_too_eager(evidence: Evidence) -> Finding | None:
    """The training was stopped while its loss fell and validation had not yet got worse."""
    loss, val_loss, epochs = evidence.loss, evidence.val_loss, evidence.epochs
    if not evidence.stopped_early or val_loss is None or not evidence.finite:
        return None
    third = max(1, epochs // 3)
    fall = 1 - (loss[-1] / loss[-1 - third]) ** (1 / third) if epochs > 1 else 1.0
    rise = float(val_loss[-1] - val_loss.min()) / evidence.unit
    if fall < THRESHOLDS["stopping_fall"] or rise > THRESHOLDS["loss_rise"] / 2:
        return None
    if loss[-1] / evidence.unit < THRESHOLDS["unfinished"] / 3 or over_fitting(evidence):
        return None
    setting = "training.early_stopping"
    patience = evidence.setting(f"{setting}.patience", 1)
    longer = max(patience, min(max(5, 4 * patience), evidence.setting("training.epochs", 99) - 1))
    return Finding(
        "early_stop_too_eager",
        "the training was stopped while it was still learning: one bad epoch is not a trend",
        f"at the end the training loss still fell by {fall:.1%} per epoch, and validation was "
        f"{rise:.2f} of the baseline's loss above its best; patience {patience}",
        possible(evidence, f"{setting}.patience={longer}", f"{setting}=null"),
        evidence.epochs,
    )


def under_fitting(evidence: Evidence) -> Finding | None:
    """Training has stalled far from learned, and validation is no better."""
    reached = measures.training_skill(evidence)
    if reached is None or reached >= THRESHOLDS["fitted"] or not evidence.finite:
        return None
    if evidence.task == "next_token":  # the text before a token does not determine it
        return None
    others = (not_learning, learning_rate_too_small, early_stop_too_eager, over_fitting, leakage)
    if measures.too_short(evidence) or any(rule(evidence) for rule in (*others, batch_norm_behind)):
        return None
    if (scores := measures.accuracy_gap(evidence)) and scores[2] >= THRESHOLDS["accuracy_gap"]:
        return None
    return Finding(
        "under_fitting",
        "not even the training examples are learned: the model is too small or too strongly "
        "regularised, or the inputs do not determine the labels",
        f"training reached {reached:.0%} of the way from the constant baseline to perfect; "
        f"last loss {evidence.loss[-1]:.3g}",
        for_more_capacity(evidence),
        evidence.epochs,
    )


def no_better_than_naive(evidence: Evidence) -> Finding | None:
    """The network's error on validation is not below that of a forecast without a model."""
    error = evidence.evaluated.get("val", {}).get("mae")
    if error is None or not evidence.naive or error < min(evidence.naive.values()):
        return None
    told = ", ".join(f"'{name}' {naive:.4g}" for name, naive in evidence.naive.items())
    return Finding(
        "no_better_than_naive",
        "the network forecasts no better than a value that was seen already",
        f"mean absolute error on validation: network {error:.4g}, {told}",
        for_less_gap(evidence) if over_fitting(evidence) else for_more_capacity(evidence),
    )


def good_fit(evidence: Evidence) -> Finding | None:
    """The training examples are learned, and validation follows."""
    reached, val = measures.training_skill(evidence) or 0.0, evidence.reached("val") or 0.0
    faults = (learning_rate_too_large, learning_rate_too_small, leakage, over_fitting)
    faults = (*faults, no_better_than_naive)
    if reached < THRESHOLDS["fitted"] or val < THRESHOLDS["learned"]:
        return None
    if any(rule(evidence) for rule in (*faults, early_stop_too_eager, batch_norm_behind)):
        return None
    return Finding(
        "good_fit",
        "a good fit: the training examples are learned and validation follows",
        f"{reached:.0%} of the way from the constant baseline to perfect on training, {val:.0%} "
        "on validation",
    )
