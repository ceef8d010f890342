"""Measures of a history for the rules: skill, gaps, smoothed curves, sampling errors."""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS


def undisturbed_loss(evidence: Evidence) -> np.ndarray:
    """Return the training loss; if dropout or noise may affect it, the lower of both losses."""
    if evidence.val_loss is None or evidence.noisy_training is False:
        return evidence.loss
    return np.minimum(evidence.loss, evidence.val_loss)


def undisturbed_skill(evidence: Evidence) -> np.ndarray | None:
    """Return the training skill; if dropout or noise may affect it, the better of both skills."""
    train, val = evidence.skill(), evidence.skill("val_")
    if train is None or val is None or evidence.noisy_training is False:
        return train
    return np.maximum(train, val)


def training_skill(evidence: Evidence) -> float | None:
    """Return the skill reached on training; if that may be noisy, at least validation's."""
    parts = ("train",) if evidence.noisy_training is False else ("train", "val")
    skills = [skill for part in parts if (skill := evidence.reached(part)) is not None]
    return max(skills, default=None)


def too_short(evidence: Evidence) -> bool:
    """Whether the epochs are too few for a trend, or show only that the loss still falls."""
    falls = bool((np.diff(evidence.loss) < 0).all())
    return evidence.epochs < THRESHOLDS["short" if falls else "trend"]


def accuracy_gap(evidence: Evidence) -> tuple[float, float, float] | None:
    """Return training accuracy, validation accuracy and twice the latter's standard error.

    They are those of the last epochs or, if further apart, of the kept weights: dropout and
    augmentation hide a gap in the epochs.
    """
    pairs = []
    for name in ("accuracy", "val_accuracy"):
        part = "val" if name.startswith("val") else "train"
        curve, kept = evidence.history.get(name), evidence.evaluated.get(part, {}).get("accuracy")
        last = None if curve is None else float(np.median(curve[-3:]))
        pairs.append((last, kept))
    gaps = [(t - v, t, v) for t, v in zip(*pairs, strict=True) if t is not None and v is not None]
    if not gaps:
        return None
    _, train, val = max(gaps)
    return train, val, 2 * standard_error(val, evidence.val_examples)


def loss_gap(evidence: Evidence) -> float:
    """Return validation minus training loss in the last epochs or of the kept weights, in units."""
    last = [float(np.median(curve[-3:])) for curve in evidence.losses]
    gaps = [last[-1] - last[0]]
    train, val = (evidence.evaluated.get(part, {}) for part in ("train", "val"))
    if "r2" in train and "r2" in val:  # its loss has another unit in runs of earlier versions
        gaps.append((train["r2"] - val["r2"]) * evidence.unit)
    elif "loss" in train and "loss" in val:
        gaps.append(val["loss"] - train["loss"])
    return max(gaps) / evidence.unit


def far_behind(evidence: Evidence) -> bool:
    """Whether validation is far behind training in accuracy; without accuracies, in loss."""
    if scores := accuracy_gap(evidence):
        return scores[0] - scores[1] >= THRESHOLDS["accuracy_gap"] + scores[2]
    return loss_gap(evidence) >= THRESHOLDS["loss_gap"]


def running_median(values: np.ndarray) -> np.ndarray:
    """Return the running median over three epochs."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def standard_error(accuracy: float, n: int | None) -> float:
    """Return √(p(1−p)/n), with p at least half an example from 0 and 1; 0 if n is unknown."""
    if not n:
        return 0.0
    p = min(max(accuracy, 0.5 / n), 1 - 0.5 / n)
    return float(np.sqrt(p * (1 - p) / n))
