"""Arrays → matplotlib Axes. The only place that imports matplotlib."""

from dlcourse.plots.axes import new_axes, new_figure
from dlcourse.plots.training import (
    confused_pairs,
    confusion_matrix,
    learning_curves,
    most_confused,
    predicted_and_true,
    show_image,
)

__all__ = [
    "confused_pairs",
    "confusion_matrix",
    "learning_curves",
    "most_confused",
    "new_axes",
    "new_figure",
    "predicted_and_true",
    "show_image",
]
