"""Rules on the splits: leakage, imbalance, a validation split that is too small."""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS as T
from dlcourse.lab.diagnosis.findings import Finding
from dlcourse.lab.diagnosis.measures import standard_error, too_short


def leakage(e: Evidence) -> Finding | None:
    """Validation is much better than noise-free training, or the splits share examples."""
    override = f"seed={e.setting('seed', 0) + 1}"
    if (e.duplicates or 0) >= T["duplicates"]:
        return Finding(
            "leakage",
            "validation or test examples are in the training split too: their metrics measure "
            "memorisation; remove the duplicates before splitting",
            f"{e.duplicates:.0%} of the validation or test examples are training examples",
            override,
        )
    better = _validation_better(e)
    if better is None or e.noisy_training is not False or too_short(e):
        return None
    return Finding(
        "leakage",
        "validation is much better than training, without dropout or augmentation to explain it: "
        "a leak, an easier validation split, or wrong labels in the training split",
        better,
        override,
        e.epochs,
    )


def _validation_better(e: Evidence) -> str | None:
    """Return the evidence that validation is better in loss and accuracy, beyond chance."""
    if e.val_loss is None or not e.finite:
        return None
    last = slice(-max(1, e.epochs // 4), None)
    train_loss, val_loss = (float(np.median(loss[last])) for loss in (e.loss, e.val_loss))
    accuracy, val_accuracy = e.history.get("accuracy"), e.history.get("val_accuracy")
    if (train_loss - val_loss) / e.unit < T["better"]:
        return None
    if accuracy is None or val_accuracy is None:
        return f"loss {train_loss:.3g} on training, {val_loss:.3g} on validation"
    train, val = float(np.median(accuracy[last])), float(np.median(val_accuracy[last]))
    if val - train < T["better"] / 2 + 2 * standard_error(val, e.val_examples):
        return None
    return f"accuracy {train:.2f} on training, {val:.2f} on validation"


def class_imbalance(e: Evidence) -> Finding | None:
    """The largest class has several times as many examples as the smallest."""
    if not e.class_counts or min(e.class_counts) * T["imbalance"] > max(e.class_counts):
        return None
    share = max(e.class_counts) / sum(e.class_counts)
    return Finding(
        "class_imbalance",
        "the classes are of very different size: accuracy hides the errors on rare classes, so "
        "look at the recall of each class",
        f"{max(e.class_counts)} examples of the largest class, {min(e.class_counts)} of the "
        f"smallest; majority-class prediction has accuracy {share:.0%}",
        "training.class_weights=balanced",
    )


def noisy_validation(e: Evidence) -> Finding | None:
    """There are so few validation examples that one moves the metrics, or the curves jump."""
    few = e.val_examples is not None and e.val_examples <= T["few"]
    jitter = _jitter(e)
    jumps = e.val_examples is None and jitter is not None and jitter >= T["jitter"]
    if not (few or jumps):
        return None
    size = "validation split of unknown size"
    if few:
        worth = 1 / (e.val_examples or 1)
        size = f"{e.val_examples} validation examples, each worth {worth:.0%} of the accuracy"
    shown = f"; from epoch to epoch it moves by {jitter:.0%} of its range" if jitter else ""
    return Finding(
        "noisy_validation",
        "the validation split is too small: its curve is dominated by chance, and so are the "
        "early stop and the kept epoch that depend on it",
        size + shown,
        "dataset.validation_fraction=0.25",
    )


def _jitter(e: Evidence) -> float | None:
    """Return the mean change of validation relative to training, in accuracy or units of loss."""
    for part, unit in (("accuracy", 1.0), ("loss", e.unit)):
        train, val = e.history.get(part), e.history.get(f"val_{part}")
        if train is not None and val is not None and e.epochs >= 5 and e.finite:
            return float(np.mean(np.abs(np.diff(val) - np.diff(train))) / unit)
    return None
