"""Plots of the lab: arrays → matplotlib Axes."""

from dlcourse.lab.plots.comparisons import score_and_cost, score_by_size
from dlcourse.lab.plots.diagnosis import depth_scan, diagnosed_curves, layer_histograms
from dlcourse.lab.plots.faithfulness import (
    deletion_and_insertion,
    pointing_table,
    randomization_bars,
)
from dlcourse.lab.plots.range_test import range_test
from dlcourse.lab.plots.tuning import search_figures

__all__ = [
    "deletion_and_insertion", "depth_scan", "diagnosed_curves", "layer_histograms",
    "pointing_table", "randomization_bars", "range_test", "score_and_cost", "score_by_size",
    "search_figures",
]  # fmt: skip
