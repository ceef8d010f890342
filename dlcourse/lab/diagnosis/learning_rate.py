"""Rules on the learning rate: too large, too small.

Losses are measured in units of the constant baseline's loss (ln k for k equal classes, the variance
of the target for a regression), so that one threshold serves every data set.
"""

import numpy as np

from dlcourse.lab.diagnosis.evidence import Evidence
from dlcourse.lab.diagnosis.findings import THRESHOLDS as T
from dlcourse.lab.diagnosis.findings import Finding
from dlcourse.lab.diagnosis.layers import dead_layers, symmetric_layers, vanished
from dlcourse.lab.diagnosis.measures import undisturbed_loss
from dlcourse.lab.diagnosis.overrides import another_rate

Reason = tuple[str, str, int]
"""The problem, the evidence, and the epoch."""


def learning_rate_too_large(e: Evidence) -> Finding | None:
    """The loss became NaN, climbs, leapt or oscillates; or the steps killed whole ReLU layers."""
    reason = (
        _not_finite(e) or _climbing(e) or _leap(e) or _killed(e) or _swinging(e) or _scattered(e)
    )
    if reason is None:
        return None
    what, evidence, epoch = reason
    return Finding("learning_rate_too_large", what, evidence, another_rate(e, 0.1, "0.0001"), epoch)


def _not_finite(e: Evidence) -> Reason | None:
    if e.finite:
        return None
    losses = [e.loss, *([] if e.val_loss is None else [e.val_loss])]
    bad = ~np.isfinite(np.stack(losses)).all(axis=0)
    epoch = int(bad.argmax()) + 1
    before = f"{e.loss[epoch - 2]:.3g} the epoch before" if epoch > 1 else "from the first epoch on"
    return "the training diverges: the loss is not finite any more", f"NaN or ∞; {before}", epoch


def _climbing(e: Evidence) -> Reason | None:
    lowest = int(e.loss.argmin())
    if e.epochs < 3 or e.loss[-3:].min() < T["rise"] * max(e.loss[0], e.unit):
        return None
    evidence = f"loss {e.loss[0]:.3g} in epoch 1, {e.loss[-1]:.3g} in epoch {e.epochs}"
    return "the training diverges: its loss climbs, each step overshoots", evidence, lowest + 1


def _leap(e: Evidence) -> Reason | None:
    """A loss far above the baseline's that wide initial weights or l2 do not explain."""
    loss = undisturbed_loss(e)
    top = int(loss.argmax())
    half = e.epochs // 2
    gliding = np.mean(np.diff(loss[half:]) < 0) >= 0.8 if e.epochs > 2 else False
    stuck = float(np.median(loss[-5:])) > 0.95 * e.unit and not gliding
    start = e.xray.get(0, ())
    wide = any(layer.gradient_norm >= T["exploding"] for layer in start) or (
        start and start[-1].spread >= T["wide"]
    )
    kind = "peak_stuck" if stuck and e.epochs > 1 else "peak"
    limit = T[kind if start else "peak_alone"] * e.unit
    if loss[top] < limit or e.baseline is None or wide or e.setting("model.l2"):
        return None
    evidence = f"loss {loss[top]:.3g} in epoch {top + 1}, {e.baseline:.3g} for the baseline"
    return "the first steps moved the weights far away from their start", evidence, top + 1


def _killed(e: Evidence) -> Reason | None:
    """ReLU layers that were active before the training and died in it, without heavy dropout."""
    if len(e.xray) < 2 or e.setting("model.dropout", 0) >= 0.5:
        return None
    start, end = e.xray[min(e.xray)], e.xray[max(e.xray)]
    if vanished(start):
        return None
    alive = {layer.name for layer in start if layer.dead < T["dead"] / 2}
    names = [layer.name for layer in end if layer.name in alive and layer.dead >= T["dead"]]
    if not names:
        return None
    evidence = f"{', '.join(names)}: ReLU units active before the training are dead after it"
    dead = dead_layers(e)
    epoch = (dead.epoch if dead else None) or max(e.xray)
    return "the steps moved the ReLU units to where their gradient is 0", evidence, epoch


def _scattered(e: Evidence) -> Reason | None:
    """Logits that began near 0 and now spread by hundreds: probabilities are only 0 and 1."""
    if len(e.xray) < 2 or e.task == "regression":
        return None
    before, after = e.xray[min(e.xray)][-1], e.xray[max(e.xray)][-1]
    if before.spread >= T["wide"] or after.spread < T["scattered"]:
        return None
    evidence = f"the logits spread {before.spread:.2g} before the training, {after.spread:.3g} now"
    return "the steps moved the weights much too far", evidence, max(e.xray)


def _swinging(e: Evidence) -> Reason | None:
    if e.epochs < 6:
        return None
    steps = np.diff(undisturbed_loss(e)[1:])
    rises, falls = steps[steps > 0].sum(), -steps[steps < 0].sum()
    swing = rises / len(steps) / e.unit
    if swing < T["swing"] or rises < T["swings"] * falls:
        return None
    epoch = int(np.argmax(steps > 0)) + 3
    up = int((steps > 0).sum())
    evidence = f"the loss rises in {up} of {len(steps)} epochs, by {rises / up:.3g} on average"
    return "the loss oscillates: the steps overshoot the minimum", evidence, epoch


def learning_rate_too_small(e: Evidence) -> Finding | None:
    """At the end the loss still falls steadily, on training and validation, and is still high."""
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
        "the loss was still falling when the training ended: steps too small or too few",
        f"{share:.0%} of the fall is in the last half of the epochs; the loss went from "
        f"{e.loss[0]:.4g} to {e.loss[-1]:.4g}",
        another_rate(e, 10, "0.01"),
        e.epochs,
    )
