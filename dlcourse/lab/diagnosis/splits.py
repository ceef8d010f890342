"""Rules on the splits: leakage, imbalance, a validation split that is too small."""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS, Finding
from dlcourse.lab.diagnosis.measures import standard_error, too_short
from dlcourse.lab.diagnosis.overrides import possible


def leakage(evidence: Evidence) -> Finding | None:
    """A column gives the label away, the splits share examples, or validation is much better."""
    if evidence.leak:
        column, how = evidence.leak
        ignored = ",".join([*(evidence.setting("dataset.ignore") or ()), column])
        return Finding(
            "leakage",
            f"the column {column} {how}: what is learned from it is of no use for new rows",
            f"{column} alone gives the validation examples' labels",
            possible(evidence, f"dataset.ignore=[{ignored}]"),
        )
    if (evidence.duplicates or 0) >= THRESHOLDS["duplicates"]:
        return Finding(
            "leakage",
            "validation or test examples are in the training split too: their metrics measure "
            "memorisation; remove the duplicates before splitting",
            f"{evidence.duplicates:.0%} of the validation or test examples are training examples",
            "dataset.split=content" if "dataset.split" in evidence.settings else "",
        )
    better = _validation_better(evidence)
    if better is None or evidence.noisy_training is not False or too_short(evidence):
        return None
    return Finding(
        "leakage",
        "validation is much better than training, without dropout or augmentation to explain it: "
        "a leak, an easier validation split, or wrong labels in the training split",
        better,
        f"seed={evidence.setting('seed', 0) + 1}",
        evidence.epochs,
    )


def _validation_better(evidence: Evidence) -> str | None:
    """Return the evidence that validation is better in loss and accuracy, beyond chance."""
    if evidence.val_loss is None or not evidence.finite:
        return None
    last = slice(-max(1, evidence.epochs // 4), None)
    train_loss, val_loss = np.median(evidence.loss[last]), np.median(evidence.val_loss[last])
    accuracy, val_accuracy = evidence.history.get("accuracy"), evidence.history.get("val_accuracy")
    if (train_loss - val_loss) / evidence.unit < THRESHOLDS["better"]:
        return None
    if accuracy is None or val_accuracy is None:
        return f"loss {train_loss:.3g} on training, {val_loss:.3g} on validation"
    train, val = float(np.median(accuracy[last])), float(np.median(val_accuracy[last]))
    if val - train < THRESHOLDS["better"] / 2 + 2 * standard_error(val, evidence.val_examples):
        return None
    return f"accuracy {train:.2f} on training, {val:.2f} on validation"


def class_imbalance(evidence: Evidence) -> Finding | None:
    """The largest class has several times as many examples as the smallest."""
    counts = evidence.class_counts
    even = not counts or min(counts) * THRESHOLDS["imbalance"] > max(counts)
    if even or evidence.task == "next_token":
        return None
    share = max(counts) / sum(counts)
    return Finding(
        "class_imbalance",
        "the classes are of very different size: accuracy hides the errors on rare classes, so "
        "look at the recall of each class",
        f"{max(counts)} examples of the largest class, {min(counts)} of the "
        f"smallest; majority-class prediction has accuracy {share:.0%}",
        possible(evidence, "training.class_weights=balanced"),
    )


def noisy_validation(evidence: Evidence) -> Finding | None:
    """There are so few validation examples that one moves the metrics, or the curves jump."""
    jitter, count = _jitter(evidence), evidence.val_examples
    if count is None and jitter is not None and jitter >= THRESHOLDS["jitter"]:
        size = "validation split of unknown size"
    elif count is not None and count <= THRESHOLDS["few"]:
        size = f"{count} validation examples, each worth {1 / (count or 1):.0%} of the accuracy"
    else:
        return None
    shown = f"; from epoch to epoch it moves by {jitter:.0%} of its range" if jitter else ""
    return Finding(
        "noisy_validation",
        "the validation split is too small: its curve is dominated by chance, and so are the "
        "early stop and the kept epoch that depend on it",
        size + shown,
        _larger(evidence),
    )


def _larger(evidence: Evidence) -> str:
    """Return the override for a larger validation split, unless the data brings its own along."""
    share, val = evidence.setting("dataset.validation_fraction", 0.0), evidence.val_examples or 0
    train = sum(evidence.class_counts)
    if share and train and abs(share * (train + val) - val) > 2:
        return ""
    return possible(evidence, f"dataset.validation_fraction={min(0.5, max(0.25, 2 * share)):g}")


def _jitter(evidence: Evidence) -> float | None:
    """Return the mean change of validation relative to training, in accuracy or units of loss."""
    for part, unit in (("accuracy", 1.0), ("loss", evidence.unit)):
        train, val = evidence.history.get(part), evidence.history.get(f"val_{part}")
        if train is not None and val is not None and evidence.epochs >= 5 and evidence.finite:
            return float(np.mean(np.abs(np.diff(val) - np.diff(train))) / unit)
    return None
