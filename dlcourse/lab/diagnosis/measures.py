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
    """Return training accuracy, validation accuracy and the gap beyond twice its standard error.

    They are those of the last epochs or, if further apart, of the kept weights: dropout and
    augmentation hide a gap in the epochs.
    """
    curves = [evidence.history.get(name) for name in ("accuracy", "val_accuracy")]
    last = [None if curve is None else float(np.median(curve[-3:])) for curve in curves]
    kept = [evidence.evaluated.get(part, {}).get("accuracy") for part in ("train", "val")]
    pairs = [(t, v) for t, v in (last, kept) if t is not None and v is not None]
    if not pairs:
        return None
    train, val = max(pairs, key=lambda pair: pair[0] - pair[1])
    return train, val, train - val - 2 * standard_error(val, evidence.val_examples)


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
