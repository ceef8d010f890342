"""Rules on the learning rate: too large, too small.

Losses are measured in units of the constant baseline's loss (ln k for k equal classes, the variance
of the target for a regression), so that one threshold serves every data set.
"""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS, Finding
from dlcourse.lab.diagnosis.layers import dead_layers, symmetric_layers, vanished
from dlcourse.lab.diagnosis.measures import undisturbed_loss
from dlcourse.lab.diagnosis.overrides import another_rate

Reason = tuple[str, str, int]
"""The problem, the evidence, and the epoch."""


def learning_rate_too_large(evidence: Evidence) -> Finding | None:
    """The loss became NaN, climbs, leapt or oscillates; or the steps killed whole ReLU layers."""
    rate = another_rate(evidence, 0.1, "0.0001")
    for rule in (_not_finite, _climbing, _leap, _killed, _swinging, _scattered):
        if reason := rule(evidence):
            sentence, numbers, epoch = reason
            return Finding("learning_rate_too_large", sentence, numbers, rate, epoch)
    return None


def _not_finite(evidence: Evidence) -> Reason | None:
    if evidence.finite:
        return None
    bad = ~np.isfinite(np.stack(evidence.losses)).all(axis=0)
    epoch = int(bad.argmax()) + 1
    last = evidence.loss[epoch - 2]
    before = f"{last:.3g} the epoch before" if epoch > 1 else "from the first epoch on"
    return "the training diverges: the loss is no longer finite", f"NaN or ∞; {before}", epoch


def _climbing(evidence: Evidence) -> Reason | None:
    loss, epochs = evidence.loss, evidence.epochs
    if epochs < 3 or loss[-3:].min() < THRESHOLDS["rise"] * max(loss[0], evidence.unit):
        return None
    epoch = int(loss.argmin()) + 1
    numbers = f"loss {loss[0]:.3g} in epoch 1, {loss[-1]:.3g} in epoch {epochs}"
    return "the training diverges: its loss climbs, each step overshoots", numbers, epoch


def _leap(evidence: Evidence) -> Reason | None:
    """A loss far above the baseline's that wide initial weights or l2 do not explain."""
    loss = undisturbed_loss(evidence)
    top = int(loss.argmax())
    half = evidence.epochs // 2
    gliding = np.mean(np.diff(loss[half:]) < 0) >= 0.8 if evidence.epochs > 2 else False
    stuck = float(np.median(loss[-5:])) > 0.95 * evidence.unit and not gliding
    start = evidence.xray.get(0, ())
    wide = any(layer.gradient_norm >= THRESHOLDS["exploding"] for layer in start) or (
        start and start[-1].spread >= THRESHOLDS["wide"]
    )
    kind = "peak_stuck" if stuck and evidence.epochs > 1 else "peak"
    limit = THRESHOLDS[kind if start else "peak_alone"] * evidence.unit
    if loss[top] < limit or evidence.baseline is None or wide or evidence.setting("model.l2"):
        return None
    numbers = f"loss {loss[top]:.3g} in epoch {top + 1}, {evidence.baseline:.3g} for the baseline"
    return "the first steps moved the weights far away from their start", numbers, top + 1


def _killed(evidence: Evidence) -> Reason | None:
    """ReLU layers that were active before the training and died in it, without heavy dropout."""
    if len(evidence.xray) < 2 or evidence.setting("model.dropout", 0) >= 0.5:
        return None
    start, end = evidence.xray[min(evidence.xray)], evidence.xray[max(evidence.xray)]
    if vanished(start):
        return None
    least, dead = THRESHOLDS["dead"], dead_layers(evidence)
    alive = {layer.name for layer in start if layer.dead < least / 2}
    names = [layer.name for layer in end if layer.name in alive and layer.dead >= least]
    if not names:
        return None
    numbers = f"{', '.join(names)}: ReLU units active before the training are dead after it"
    epoch = (dead.epoch if dead else None) or max(evidence.xray)
    return "the steps moved the ReLU units to where their gradient is 0", numbers, epoch


def _scattered(evidence: Evidence) -> Reason | None:
    """Logits that began near 0 and now spread by hundreds: probabilities are only 0 and 1."""
    if len(evidence.xray) < 2 or evidence.task == "regression":
        return None
    before, after = evidence.xray[min(evidence.xray)][-1], evidence.xray[max(evidence.xray)][-1]
    if before.spread >= THRESHOLDS["wide"] or after.spread < THRESHOLDS["scattered"]:
        return None
    numbers = f"the logits spread {before.spread:.2g} before the training, {after.spread:.3g} now"
    return "the steps moved the weights much too far", numbers, max(evidence.xray)


def _swinging(evidence: Evidence) -> Reason | None:
    if evidence.epochs < 6:
        return None
    steps = np.diff(undisturbed_loss(evidence)[1:])
    rises, falls = steps[steps > 0].sum(), -steps[steps < 0].sum()
    swing = rises / len(steps) / evidence.unit
    if swing < THRESHOLDS["swing"] or rises < THRESHOLDS["swings"] * falls:
        return None
    epoch = int(np.argmax(steps > 0)) + 3
    up = int((steps > 0).sum())
    numbers = f"the loss rises in {up} of {len(steps)} epochs, by {rises / up:.3g} on average"
    return "the loss oscillates: the steps overshoot the minimum", numbers, epoch


def learning_rate_too_small(evidence: Evidence) -> Finding | None:
    """At the end the loss still falls steadily, on training and validation, and is still high."""
    loss, val_loss, half = evidence.loss, evidence.val_loss, evidence.epochs // 2
    if evidence.epochs < 5 or not evidence.finite or evidence.stopped_early:
        return None
    fall, late = loss[0] - loss[-1], loss[half] - loss[-1]
    share = late / fall if fall > 0 else 0.0
    if np.mean(np.diff(loss[half:]) < 0) < 0.8 or share < THRESHOLDS["late_fall"]:
        return None
    if val_loss is not None and val_loss[half] - val_loss[-1] <= 0.3 * late:
        return None
    low = loss[-1] / evidence.unit < THRESHOLDS["unfinished"]
    if low or dead_layers(evidence) or symmetric_layers(evidence):
        return None
    return Finding(
        "learning_rate_too_small",
        "the loss was still falling when the training ended: steps too small or too few",
        f"{share:.0%} of the fall is in the last half of the epochs; the loss went from "
        f"{loss[0]:.4g} to {loss[-1]:.4g}",
        another_rate(evidence, 10, "0.01"),
        evidence.epochs,
    )
