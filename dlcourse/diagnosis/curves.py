"""The curves read: each rule looks at a history for one thing, and tells where it shows.

Losses are measured in units of the best constant answer's loss (ln k for k equal classes, the
variance of the target for a regression), so that one threshold serves every data set.
"""

import numpy as np

from dlcourse.diagnosis.evidence import Evidence
from dlcourse.diagnosis.findings import THRESHOLDS as T
from dlcourse.diagnosis.findings import Finding
from dlcourse.diagnosis.layers import dead_layers, symmetric_layers, vanished


def learning_rate_too_large(e: Evidence) -> Finding | None:
    """The loss became NaN, climbed, leapt or swings; or the steps killed whole ReLU layers."""
    reason = _not_finite(e) or _climbing(e) or _leap(e) or _killed(e) or _swinging(e)
    if reason is None:
        return None
    what, evidence, epoch = reason
    return Finding(
        "learning_rate_too_large", what, evidence, _rate_override(e, 0.1, "0.0001"), epoch
    )


Reason = tuple[str, str, int]


def _not_finite(e: Evidence) -> Reason | None:
    if e.finite:
        return None
    losses = [e.loss, *([] if e.val_loss is None else [e.val_loss])]
    bad = ~np.isfinite(np.stack(losses)).all(axis=0)
    epoch = int(bad.argmax()) + 1
    before = f"{e.loss[epoch - 2]:.3g} the epoch before" if epoch > 1 else "from the first epoch on"
    return "the training diverges: the loss is no number any more", f"NaN or ∞; {before}", epoch


def _climbing(e: Evidence) -> Reason | None:
    lowest = int(e.loss.argmin())
    if e.epochs < 3 or e.loss[-3:].min() < T["rise"] * max(e.loss[0], e.unit):
        return None
    evidence = f"loss {e.loss[0]:.3g} in epoch 1, {e.loss[-1]:.3g} in epoch {e.epochs}"
    return "the training diverges: its loss climbs, each step overshoots", evidence, lowest + 1


def _leap(e: Evidence) -> Reason | None:
    """A loss far above the constant answer's that wide initial weights or l2 do not explain."""
    loss = _undisturbed(e)
    top = int(loss.argmax())
    stuck = float(np.median(loss[-5:])) > 0.95 * e.unit
    start = e.xray.get(0, ())
    wide = any(one.gradient_norm >= T["exploding"] for one in start) or (
        start and start[-1].spread >= T["wide"]
    )
    kind = "peak_stuck" if stuck and e.epochs > 1 else "peak"
    limit = T[kind if start else "peak_alone"] * e.unit
    if loss[top] < limit or e.baseline is None or wide or e.setting("model.l2"):
        return None
    evidence = f"loss {loss[top]:.3g} in epoch {top + 1}, {e.baseline:.3g} for a constant answer"
    return "the first steps threw the weights far from where they began", evidence, top + 1


def _killed(e: Evidence) -> Reason | None:
    """ReLU layers that lived before the training and died in it, without heavy dropout."""
    if len(e.xray) < 2 or e.setting("model.dropout", 0) >= 0.5:
        return None
    start, end = e.xray[min(e.xray)], e.xray[max(e.xray)]
    if vanished(start):
        return None
    names = [
        after.name
        for before, after in zip(start, end, strict=True)
        if before.dead < T["dead"] / 2 and after.dead >= T["dead"]
    ]
    if not names:
        return None
    evidence = f"{', '.join(names)}: ReLU units that lived before the training are dead after it"
    dead = dead_layers(e)
    epoch = (dead.epoch if dead else None) or max(e.xray)
    return "the steps threw the ReLU units where no gradient comes back", evidence, epoch


def _swinging(e: Evidence) -> Reason | None:
    if e.epochs < 6:
        return None
    steps = np.diff(_undisturbed(e)[1:])
    rises, falls = steps[steps > 0].sum(), -steps[steps < 0].sum()
    swing = rises / len(steps) / e.unit
    if swing < T["swing"] or rises < T["swings"] * falls:
        return None
    epoch = int(np.argmax(steps > 0)) + 3
    up = int((steps > 0).sum())
    evidence = f"the loss rises in {up} of {len(steps)} epochs, by {rises / up:.3g} on average"
    return "the loss swings up and down: the steps jump over the minimum", evidence, epoch


def _undisturbed(e: Evidence) -> np.ndarray:
    """Return the training loss, or the lower of both where dropout or noise is in it."""
    return np.minimum(e.loss, e.val_loss) if e.disturbed and e.val_loss is not None else e.loss


def learning_rate_too_small(e: Evidence) -> Finding | None:
    """At the end the loss still falls as it did, on training and validation, and much is left."""
    if e.epochs < 5 or not e.finite or e.stopped_early or dead_layers(e) or symmetric_layers(e):
        return None
    half = e.epochs // 2
    fall, late = e.loss[0] - e.loss[-1], e.loss[half] - e.loss[-1]
    steady = np.mean(np.diff(e.loss[half:]) < 0) >= 0.8
    val_falls = e.val_loss is None or e.val_loss[half] - e.val_loss[-1] > 0.3 * late
    left = e.loss[-1] / e.unit
    share = late / fall if fall > 0 else 0.0
    if not (steady and val_falls and share >= T["late_fall"] and left >= T["unfinished"]):
        return None
    return Finding(
        "learning_rate_too_small",
        "the loss was still falling when the training ended: the steps are too small, or too few",
        f"{share:.0%} of the fall lies in the last half of the epochs; the loss went from "
        f"{e.loss[0]:.4g} to {e.loss[-1]:.4g}",
        _rate_override(e, 10, "0.01"),
        e.epochs,
    )


def not_learning(e: Evidence) -> Finding | None:
    """Training, or at least validation, never gets better than the constant answer."""
    train = _undisturbed_skill(e)
    if train is None or not e.finite or learning_rate_too_small(e) or early_stop_too_eager(e):
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
        why = "wrong labels, a dead network, equal initial weights, or a model that cannot tell"
    else:
        why = "what is learned is of no use elsewhere; do the labels belong to the inputs?"
    low = f"lowest loss {np.min(loss):.3g}" if loss is not None else ""
    score = e.history.get("accuracy" if part == "training" else "val_accuracy")
    if score is not None:
        low += f", best accuracy {score.max():.2f}"
    return Finding(
        "not_learning",
        f"nothing is learned: {part} stays at the constant answer's loss{known}: {why}",
        low,
        _learning_override(e),
        1,
    )


def _undisturbed_skill(e: Evidence) -> np.ndarray | None:
    """Return the training skill, or the better of both where dropout or noise is in it."""
    train, val = e.skill(), e.skill("val_")
    return (
        np.maximum(train, val) if e.disturbed and train is not None and val is not None else train
    )


def _validation_stuck(e: Evidence) -> bool:
    """Whether validation was never better than a constant answer, beyond its sampling error."""
    skill = e.skill("val_")
    if skill is None or e.val_loss is None:
        return False
    error = _standard_error(e.chance, e.val_examples) / (1 - e.chance) if e.chance else 0.0
    best, lowest = float(_smooth(skill).max()), float(_smooth(e.val_loss).min())
    return best < T["learned"] + error and lowest > (1 - T["learned"] / 2) * e.unit


def leakage(e: Evidence) -> Finding | None:
    """Validation much better than an undisturbed training, or examples that stand in both."""
    override = f"seed={e.setting('seed', 0) + 1}"
    if (e.duplicates or 0) >= T["duplicates"]:
        return Finding(
            "leakage",
            "validation or test examples stand in the training split too: their metrics tell what "
            "was learned by heart; remove the duplicates before splitting",
            f"{e.duplicates:.0%} of the validation or test examples are training examples",
            override,
        )
    better = _validation_better(e)
    if better is None or e.disturbed:
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
    """Return the evidence that validation is better on loss and accuracy, beyond chance."""
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
    if val - train < T["better"] + 2 * _standard_error(val, e.val_examples):
        return None
    return f"accuracy {train:.2f} on training, {val:.2f} on validation"


def over_fitting(e: Evidence) -> Finding | None:
    """Validation gets worse while training goes on, or stays far behind it."""
    if e.val_loss is None or not e.finite or e.epochs < 3 or not _learned(e):
        return None
    lowest = int(_smooth(e.val_loss).argmin())
    train, val = (float(np.median(one[-3:])) for one in (e.loss, e.val_loss))
    rise, gap = (val - float(e.val_loss.min())) / e.unit, (val - train) / e.unit
    scores = _accuracy_gap(e)
    far = scores is not None and scores[0] - scores[1] >= T["accuracy_gap"] + scores[2]
    if e.history.get("accuracy") is None:
        far = gap >= T["loss_gap"]
    worse = rise >= T["loss_rise"] and gap >= T["loss_gap"]
    if not (worse or (far and gap >= T["loss_gap"] / 2)):
        return None
    evidence = f"loss {train:.3g} on training, {val:.3g} on validation"
    if scores is not None:
        evidence += f"; accuracy {scores[0]:.2f} and {scores[1]:.2f}"
    if worse:
        evidence += f"; validation was at its best, {e.val_loss.min():.3g}, in epoch {lowest + 1}"
    return Finding(
        "over_fitting",
        "the training examples are learned by heart: training goes on improving, validation does "
        + ("not follow" if not worse else "not follow but gets worse"),
        evidence,
        _regularising_override(e),
        lowest + 1 if worse else _opened(e),
    )


def _accuracy_gap(e: Evidence) -> tuple[float, float, float] | None:
    """Return training accuracy, validation accuracy and twice the latter's standard error."""
    accuracy, val_accuracy = e.history.get("accuracy"), e.history.get("val_accuracy")
    if accuracy is None or val_accuracy is None:
        return None
    train, val = float(np.median(accuracy[-3:])), float(np.median(val_accuracy[-3:]))
    return train, val, 2 * _standard_error(val, e.val_examples)


def _opened(e: Evidence) -> int:
    """Return the epoch (from 1) from which the gap stays above half of its last size."""
    gap = _smooth(np.asarray(e.val_loss) - e.loss)
    below = np.flatnonzero(gap < gap[-1] / 2)
    return int(below[-1]) + 2 if len(below) else 1


def early_stop_too_eager(e: Evidence) -> Finding | None:
    """The training was stopped while its loss fell and validation was not yet worse."""
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
        "the training was stopped while it was still learning: one bad epoch is no trend",
        f"at the end the training loss still fell by {fall:.1%} an epoch, and validation stood "
        f"{rise:.2f} constant answers' loss above its best; patience {patience}",
        f"training.early_stopping.patience={max(5, 4 * patience)}",
        e.epochs,
    )


def under_fitting(e: Evidence) -> Finding | None:
    """Training has come to rest far from learned, and validation no better."""
    reached = _reached(e)
    if reached is None or not e.finite or e.epochs < 3:
        return None
    others = (not_learning, learning_rate_too_small, early_stop_too_eager, over_fitting, leakage)
    if reached >= T["fitted"] or any(rule(e) for rule in others):
        return None
    return Finding(
        "under_fitting",
        "not even the training examples are learned: the model is too small or held back too much, "
        "or inputs and labels do not tell more",
        f"training has come {reached:.0%} of the way from a constant answer to a perfect one; "
        f"last loss {e.loss[-1]:.3g}",
        _enlarging_override(e),
        e.epochs,
    )


def class_imbalance(e: Evidence) -> Finding | None:
    """The largest class has several times the examples of the smallest."""
    if not e.class_counts or min(e.class_counts) * T["imbalance"] > max(e.class_counts):
        return None
    share = max(e.class_counts) / sum(e.class_counts)
    return Finding(
        "class_imbalance",
        "the classes are of very different size: accuracy hides what happens to the rare ones, so "
        "look at the recall of each class",
        f"{max(e.class_counts)} examples of the largest class, {min(e.class_counts)} of the "
        f"smallest; always answering the largest is right in {share:.0%}",
        "training.class_weights=balanced",
    )


def noisy_validation(e: Evidence) -> Finding | None:
    """So few validation examples that one of them moves the metrics, or curves that jump."""
    few = e.val_examples is not None and e.val_examples <= T["few"]
    jitter = _jitter(e)
    jumps = e.val_examples is None and jitter is not None and jitter >= T["jitter"]
    if not (few or jumps):
        return None
    size = f"{e.val_examples} validation examples" if few else "validation split of unknown size"
    shown = f"; from epoch to epoch it moves by {jitter:.0%} of its range" if jitter else ""
    return Finding(
        "noisy_validation",
        "the validation split is too small: what its curve does is chance, and so are the early "
        "stop and the kept epoch that rest on it",
        f"{size}, each worth {1 / (e.val_examples or 1):.0%} of the accuracy{shown}"
        if few
        else f"{size}{shown}",
        "dataset.validation_fraction=0.25",
    )


def _jitter(e: Evidence) -> float | None:
    """Return the mean change of validation against training, accuracy or loss in its unit."""
    for part, unit in (("accuracy", 1.0), ("loss", e.unit)):
        train, val = e.history.get(part), e.history.get(f"val_{part}")
        if train is not None and val is not None and e.epochs >= 5 and e.finite:
            return float(np.mean(np.abs(np.diff(val) - np.diff(train))) / unit)
    return None


def good_fit(e: Evidence) -> Finding | None:
    """Training is learned and validation follows."""
    reached, val = _reached(e), e.reached("val")
    if reached is None or val is None or reached < T["fitted"] or val < T["learned"]:
        return None
    faults = (
        learning_rate_too_large,
        learning_rate_too_small,
        leakage,
        over_fitting,
        early_stop_too_eager,
    )
    if any(rule(e) for rule in faults):
        return None
    return Finding(
        "good_fit",
        "a good fit: the training examples are learned and validation follows",
        f"{reached:.0%} of the way from a constant answer to a perfect one on training, {val:.0%} "
        "on validation",
    )


CURVE_RULES = (
    learning_rate_too_large,
    not_learning,
    leakage,
    over_fitting,
    early_stop_too_eager,
    learning_rate_too_small,
    under_fitting,
    class_imbalance,
    noisy_validation,
    good_fit,
)


def _reached(e: Evidence) -> float | None:
    """Return how far training has come; where it is disturbed, validation may show more."""
    values = [e.reached("train"), e.reached("val") if e.disturbed else None]
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _learned(e: Evidence) -> bool:
    skill = e.skill()
    return skill is None or bool(skill.max() >= T["learned"])


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return the running median of three epochs."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _standard_error(accuracy: float, n: int | None) -> float:
    """Return √(p(1−p)/n) with p drawn off 0 and 1 by half an example; 0 where n is not known."""
    if not n:
        return 0.0
    p = min(max(accuracy, 0.5 / n), 1 - 0.5 / n)
    return float(np.sqrt(p * (1 - p) / n))


def _rate_override(e: Evidence, factor: float, unknown: str) -> str:
    rate = e.setting("training.learning_rate")
    return f"training.learning_rate={unknown if rate is None else format(rate * factor, '.3g')}"


def _learning_override(e: Evidence) -> str:
    if e.setting("model.dropout", 0) >= 0.5:
        return f"model.dropout={e.setting('model.dropout') / 3:.2g}"
    if e.setting("model.initializer") in ("zeros", "ones", "constant"):
        return "model.initializer=glorot_uniform"
    if str(e.setting("model.name", "")).endswith("regression"):
        return "model.name=dnn"
    return _rate_override(e, 0.1 if learning_rate_too_large(e) else 10, "0.01")


def _regularising_override(e: Evidence) -> str:
    """Return dropout, then early stopping, then weight decay: the first that is not yet used."""
    known = bool(e.settings) and "model.name" in e.settings
    if (not known or "model.dropout" in e.settings) and not e.setting("model.dropout"):
        return "model.dropout=0.3"
    if not e.setting("training.early_stopping"):
        return "training.early_stopping.patience=5"
    return f"model.l2={max(10 * e.setting('model.l2', 0), 0.001):g}"


def _enlarging_override(e: Evidence) -> str:
    """Return less of what holds back, or a larger model."""
    if e.setting("model.dropout", 0) >= 0.3:
        return f"model.dropout={e.setting('model.dropout') / 3:.2g}"
    if e.setting("model.l2", 0) > 1e-4:
        return f"model.l2={e.setting('model.l2') / 10:g}"
    name = str(e.setting("model.name", "dnn"))
    if name.endswith("regression"):
        return "model.name=dnn"
    for key in ("model.hidden", "model.filters"):
        if sizes := e.setting(key):
            return f"{key}=[{','.join(str(max(16, 2 * size)) for size in sizes)}]"
    return (
        f"model.units={2 * e.setting('model.units', 64)}"
        if name == "rnn"
        else ("model.hidden=[128,128]")
    )
