"""Plots: arrays → matplotlib Axes. The only package that imports matplotlib."""

from dlcourse.plots.attributions import (
    attributions,
    feature_attributions,
    neuron_activity,
    overlay,
    show_map,
    signed_colours,
)
from dlcourse.plots.axes import COLOURS, new_axes, new_figure
from dlcourse.plots.classification import calibration, highest_loss
from dlcourse.plots.images import image_grid, short_name, show_image
from dlcourse.plots.sequences import attention, over_time, token_attributions
from dlcourse.plots.training import (
    confusion_matrix,
    learning_curves,
    most_confused,
    predicted_and_true,
)

__all__ = [
    "COLOURS", "attention", "attributions", "calibration", "confusion_matrix",
    "feature_attributions", "highest_loss", "image_grid", "learning_curves", "most_confused",
    "neuron_activity", "new_axes", "new_figure", "over_time", "overlay", "predicted_and_true",
    "short_name", "show_image", "show_map", "signed_colours", "token_attributions",
]  # fmt: skip
