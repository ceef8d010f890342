"""The history and layer statistics of a training → findings as text. `diagnose(history, …)`.

A rule is a small function `Evidence → Finding or None`; its thresholds are in
`findings.THRESHOLDS`. `benchmarks/diagnosis.py` tests the rules on real trainings with known
faults.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcourse.lab.diagnosis import fit, layers, learning_rate, splits
from dlcourse.lab.diagnosis.evidence import Evidence, LayerStatistics, evidence
from dlcourse.lab.diagnosis.findings import LINKS, THRESHOLDS, Finding, Findings
from dlcourse.lab.diagnosis.measures import too_short
from dlcourse.runs import Run, read_run
from dlcourse.schema import checked_settings

__all__ = [
    "LINKS",
    "RULES",
    "THRESHOLDS",
    "Evidence",
    "Finding",
    "Findings",
    "LayerStatistics",
    "diagnose",
    "diagnose_evidence",
    "evidence",
]

RULES = {
    rule.__name__: rule
    for rule in (
        layers.symmetric_layers,
        layers.exploding_gradients,
        layers.vanishing_gradients,
        layers.dead_layers,
        layers.saturated_layers,
        learning_rate.learning_rate_too_large,
        learning_rate.learning_rate_too_small,
        splits.leakage,
        splits.class_imbalance,
        splits.noisy_validation,
        fit.batch_norm_behind,
        fit.not_learning,
        fit.over_fitting,
        fit.early_stop_too_eager,
        fit.under_fitting,
        fit.no_better_than_naive,
        fit.good_fit,
    )
}
"""Every rule by its finding's name."""


def diagnose(
    history: Any,
    *,
    model: Any = None,
    task: str | None = None,
    classes: int | None = None,
    class_counts: Sequence[int] | None = None,
    baseline: float | None = None,
    settings: Mapping[str, Any] | None = None,
    xray: Any = None,
    **known: Any,
) -> Findings:
    """Return the findings, most serious first.

    Without `settings`, overrides are given without the groups of a recipe: `learning_rate=0.01`.

    Args:
        history: A run or its folder, whose data and layers are examined too; or the history of any
            training as a Keras `History` or its dict, one column per metric with one value per
            epoch, at least `loss`. Without validation, rules that need it are skipped.
        model: Trained Keras model, if the history is a dict; its output gives the classes.
        task: Task, `multiclass`, `binary`, `regression` or `next_token`. None infers it from the
            rest.
        classes: Number of classes; for a Keras `History` it is read from the model.
        class_counts: Number of training examples of each class.
        baseline: Loss of the constant baseline; by default that of the classes (ln k for k equally
            large ones). A regression needs it: the target's variance for the squared error.
        settings: Settings of the training, as a recipe's mapping (`{"training":
            {"learning_rate": …}}` or flat): overrides are then based on its numbers.
        xray: Layer statistics from `xray(model, x, y)`; a mapping of epochs to such statistics,
            with 0 for before the training; or the callback `dlcourse.callbacks.xray`.
        **known: Further attributes of `Evidence`: `val_examples`, `noisy_training`,
            `stopped_early`, `duplicates`, `leak`, `norm_start`, `evaluated` (of the kept weights:
            `{"train": {"accuracy": 0.9}}`), `naive` (`{"as now": 3.1}`), `chance`.

    Raises:
        UserError: The history is not a history, is empty, or has columns of different lengths; or
            an argument is unknown or wrong.
    """
    given = {"model": model, "task": task, "classes": classes, "class_counts": class_counts}
    given |= {"baseline": baseline, "settings": settings, "xray": xray, **known}
    given = checked_settings("diagnose", evidence, given)
    if isinstance(history, Run | str | Path):
        from dlcourse.lab.diagnosis.examination import examine

        examined = examine(read_run(history))
        if examined.note:
            warnings.warn(examined.note, stacklevel=2)
        return diagnose_evidence(examined.evidence)
    findings = diagnose_evidence(evidence(history, **given))
    if not settings:
        findings[:] = [finding.without_group() for finding in findings]
    return findings


def diagnose_evidence(evidence: Evidence) -> Findings:
    """Return the findings from the evidence, most serious first."""
    unsorted = [finding for rule in RULES.values() if (finding := rule(evidence))]
    findings = Findings(sorted(unsorted, key=lambda finding: list(LINKS).index(finding.name)))
    if too_short(evidence):
        why = f"{evidence.epochs} epoch{'s are' if evidence.epochs > 1 else ' is'} too few to judge"
        falls = " while the loss still falls" if evidence.epochs >= THRESHOLDS["trend"] else ""
        findings.why_none = f"{why}{falls}: train longer"
    return findings
