"""The lessons' pictures: arrays → matplotlib Axes."""

from dlcourse.lessons.plots.animations import (
    animate_descent,
    html,
)
from dlcourse.lessons.plots.boundaries import (
    decision_boundary,
)
from dlcourse.lessons.plots.convolutions import (
    convolution_cell,
    pooling_cell,
)
from dlcourse.lessons.plots.functions import (
    activation,
    descent_on_contour,
    descent_on_curve,
)
from dlcourse.lessons.plots.networks import (
    autograd_graph,
)

__all__ = [
    "activation",
    "animate_descent",
    "autograd_graph",
    "convolution_cell",
    "decision_boundary",
    "descent_on_contour",
    "descent_on_curve",
    "html",
    "pooling_cell",
]
