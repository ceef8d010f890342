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
    convolution_gallery,
    pooling_cell,
)
from dlcourse.lessons.plots.functions import (
    activation,
    activation_gallery,
    descent_on_contour,
    descent_on_curve,
    loss_surface,
    matrix_map,
)
from dlcourse.lessons.plots.networks import (
    autograd_graph,
    network_diagram,
)

__all__ = [
    "activation",
    "activation_gallery",
    "animate_descent",
    "autograd_graph",
    "convolution_cell",
    "convolution_gallery",
    "decision_boundary",
    "descent_on_contour",
    "descent_on_curve",
    "html",
    "loss_surface",
    "matrix_map",
    "network_diagram",
    "pooling_cell",
]
