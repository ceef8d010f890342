"""What the rules measure on a history: skill, gaps, smooth curves and sampling errors."""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence


def undisturbed_loss(e: Evidence) -> np.ndarray:
    """Return the training loss, or the lower of both where dropout or noise is in it."""
    return np.minimum(e.loss, e.val_loss) if e.disturbed and e.val_loss is not None else e.loss


def undisturbed_skill(e: Evidence) -> np.ndarray | None:
    """Return the training skill, or the better of both where dropout or noise is in it."""
    train, val = e.skill(), e.skill("val_")
    return (
        np.maximum(train, val) if e.disturbed and train is not None and val is not None else train
    )


def training_skill(e: Evidence) -> float | None:
    """Return how far training has come; where it is disturbed, validation may show more."""
    values = [e.reached("train"), e.reached("val") if e.disturbed else None]
    known = [value for value in values if value is not None]
    return max(known) if known else None


def accuracy_gap(e: Evidence) -> tuple[float, float, float] | None:
    """Return training accuracy, validation accuracy and twice the latter's standard error."""
    accuracy, val_accuracy = e.history.get("accuracy"), e.history.get("val_accuracy")
    if accuracy is None or val_accuracy is None:
        return None
    train, val = float(np.median(accuracy[-3:])), float(np.median(val_accuracy[-3:]))
    return train, val, 2 * standard_error(val, e.val_examples)


def running_median(values: np.ndarray) -> np.ndarray:
    """Return the running median of three epochs."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def standard_error(accuracy: float, n: int | None) -> float:
    """Return √(p(1−p)/n) with p drawn off 0 and 1 by half an example; 0 where n is not known."""
    if not n:
        return 0.0
    p = min(max(accuracy, 0.5 / n), 1 - 0.5 / n)
    return float(np.sqrt(p * (1 - p) / n))
