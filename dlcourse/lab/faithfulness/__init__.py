"""Faithfulness of maps: deletion, pointing, randomization, a report."""

from dlcourse.lab.faithfulness.attention import AttentionReport, attention_report
from dlcourse.lab.faithfulness.curves_and_boxes import (
    area,
    chance_inside,
    deletion_curve,
    insertion_curve,
    pointing_hits,
    share_inside,
)
from dlcourse.lab.faithfulness.randomization import Randomization, model_randomization

__all__ = [
    "AttentionReport", "Randomization", "area", "attention_report", "chance_inside",
    "deletion_curve", "insertion_curve", "model_randomization", "pointing_hits", "share_inside",
]  # fmt: skip
