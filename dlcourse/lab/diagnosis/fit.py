"""Rules on the fit: not learning, over-fitting, stopped too early, under-fitting, good fit."""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS as T
from dlcourse.lab.diagnosis.findings import Finding
from dlcourse.lab.diagnosis.learning_rate import learning_rate_too_large, learning_rate_too_small
from dlcourse.lab.diagnosis.measures import (
    accuracy_gap,
    running_median,
    standard_error,
    too_short,
    training_skill,
    undisturbed_skill,
)
from dlcourse.lab.diagnosis.overrides import for_learning, for_less_gap, for_more_capacity
from dlcourse.lab.diagnosis.splits import leakage


def not_learning(e: Evidence) -> Finding | None:
    """Training, or at least validation, never gets better than the constant baseline."""
    train = undisturbed_skill(e)
    if train is None or not e.finite or too_short(e):
        return None
    if learning_rate_too_small(e) or early_stop_too_eager(e):
        return None
    if float(np.median(train[-5:])) < T["learned"]:
        part = "training"
    elif _validation_stuck(e):
        part = "validation"
    else:
        return None
    loss = e.loss if part == "training" else e.val_loss
    known = f" ({e.baseline:.3g})" if e.baseline else ""
    if part == "training":
        why = "wrong labels, a dead network, equal initial weights, or an unsuitable model"
    else:
        why = "nothing learned generalises; do the labels belong to the inputs?"
    low = f"lowest loss {np.min(loss):.3g}" if loss is not None else ""
    score = e.history.get("accuracy" if part == "training" else "val_accuracy")
    if score is not None:
        low += f", best accuracy {score.max():.2f}"
    return Finding(
        "not_learning",
        f"nothing is learned: {part} stays at the constant baseline's loss{known}: {why}",
        low,
        for_learning(e, too_fast=bool(learning_rate_too_large(e))),
        1,
    )


def _validation_stuck(e: Evidence) -> bool:
    """Whether validation never beats the constant baseline, beyond its sampling error."""
    skill = e.skill("val_")
    if skill is None or e.val_loss is None:
        return False
    error = standard_error(e.chance, e.val_examples) / (1 - e.chance) if e.chance else 0.0
    best, lowest = float(running_median(skill).max()), float(running_median(e.val_loss).min())
    return best < T["learned"] + error and lowest > (1 - (T["learned"] + error) / 2) * e.unit


def over_fitting(e: Evidence) -> Finding | None:
    """Validation gets worse while training improves, or stays far behind it."""
    if e.val_loss is None or not e.finite or e.epochs < 3 or not _learned(e):
        return None
    lowest = int(running_median(e.val_loss).argmin())
    train, val = (float(np.median(loss[-3:])) for loss in (e.loss, e.val_loss))
    rise, gap = (val - float(e.val_loss.min())) / e.unit, (val - train) / e.unit
    scores = accuracy_gap(e)
    far = scores is not None and scores[0] - scores[1] >= T["accuracy_gap"] + scores[2]
    if e.history.get("accuracy") is None:
        far = gap >= T["loss_gap"]
    worse = rise >= T["loss_rise"] and gap >= T["loss_gap"]
    if train - e.loss.min() >= T["loss_rise"] * e.unit:  # training gets worse, too: it diverges
        return None
    if not (worse or (far and gap >= T["loss_gap"] / 2)):
        return None
    evidence = f"loss {train:.3g} on training, {val:.3g} on validation"
    if scores is not None:
        evidence += f"; accuracy {scores[0]:.2f} and {scores[1]:.2f}"
    if worse:
        evidence += f"; validation was at its best, {e.val_loss.min():.3g}, in epoch {lowest + 1}"
    return Finding(
        "over_fitting",
        "the training examples are memorised: training goes on improving, validation does "
        + ("not follow" if not worse else "not follow but gets worse"),
        evidence,
        for_less_gap(e),
        lowest + 1 if worse else _opened(e),
    )


def _learned(e: Evidence) -> bool:
    skill = e.skill()
    return skill is None or bool(skill.max() >= T["learned"])


def _opened(e: Evidence) -> int:
    """Return the epoch (from 1) from which the gap stays above half of its last size."""
    gap = running_median(np.asarray(e.val_loss) - e.loss)
    below = np.flatnonzero(gap < gap[-1] / 2)
    return int(below[-1]) + 2 if len(below) else 1


def early_stop_too_eager(e: Evidence) -> Finding | None:
    """The training was stopped while its loss fell and validation had not yet got worse."""
    if not e.stopped_early or e.val_loss is None or not e.finite or over_fitting(e):
        return None
    third = max(1, e.epochs // 3)
    fall = 1 - (e.loss[-1] / e.loss[-1 - third]) ** (1 / third) if e.epochs > 1 else 1.0
    rise = float(e.val_loss[-1] - e.val_loss.min()) / e.unit
    left = e.loss[-1] / e.unit
    if fall < T["stopping_fall"] or rise > T["loss_rise"] / 2 or left < T["unfinished"] / 3:
        return None
    patience = e.setting("training.early_stopping.patience", 1)
    return Finding(
        "early_stop_too_eager",
        "the training was stopped while it was still learning: one bad epoch is not a trend",
        f"at the end the training loss still fell by {fall:.1%} per epoch, and validation was "
        f"{rise:.2f} of the baseline's loss above its best; patience {patience}",
        f"training.early_stopping.patience={max(5, 4 * patience)}",
        e.epochs,
    )


def under_fitting(e: Evidence) -> Finding | None:
    """Training has stalled far from learned, and validation is no better."""
    reached = training_skill(e)
    if reached is None or not e.finite or too_short(e):
        return None
    others = (not_learning, learning_rate_too_small, early_stop_too_eager, over_fitting, leakage)
    if reached >= T["fitted"] or any(rule(e) for rule in others):
        return None
    return Finding(
        "under_fitting",
        "not even the training examples are learned: the model is too small or too strongly "
        "regularised, or the inputs do not determine the labels",
        f"training reached {reached:.0%} of the way from the constant baseline to perfect; "
        f"last loss {e.loss[-1]:.3g}",
        for_more_capacity(e),
        e.epochs,
    )


def good_fit(e: Evidence) -> Finding | None:
    """The training examples are learned, and validation follows."""
    reached, val = training_skill(e), e.reached("val")
    if reached is None or val is None or reached < T["fitted"] or val < T["learned"]:
        return None
    if learning_rate_too_large(e) or learning_rate_too_small(e) or leakage(e):
        return None
    if over_fitting(e) or early_stop_too_eager(e):
        return None
    return Finding(
        "good_fit",
        "a good fit: the training examples are learned and validation follows",
        f"{reached:.0%} of the way from the constant baseline to perfect on training, {val:.0%} "
        "on validation",
    )
