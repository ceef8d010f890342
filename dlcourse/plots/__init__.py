"""Arrays → matplotlib Axes. The only place that imports matplotlib."""

from dlcourse.plots.animations import animate_boundary, animate_descent, html, save_gif
from dlcourse.plots.axes import new_axes, new_figure
from dlcourse.plots.boundaries import decision_boundary
from dlcourse.plots.convolutions import convolution_cell, convolution_gallery, pooling_cell
from dlcourse.plots.diagnosis import depth_scan, diagnosed_curves, layer_histograms
from dlcourse.plots.functions import (
    activation,
    activation_gallery,
    descent_on_contour,
    descent_on_curve,
    loss_surface,
    matrix_map,
)
from dlcourse.plots.networks import autograd_graph, network_diagram
from dlcourse.plots.training import (
    confused_pairs,
    confusion_matrix,
    learning_curves,
    most_confused,
    predicted_and_true,
    show_image,
)

__all__ = [
    "activation",
    "activation_gallery",
    "animate_boundary",
    "animate_descent",
    "autograd_graph",
    "confused_pairs",
    "confusion_matrix",
    "convolution_cell",
    "convolution_gallery",
    "decision_boundary",
    "depth_scan",
    "descent_on_contour",
    "descent_on_curve",
    "diagnosed_curves",
    "html",
    "layer_histograms",
    "learning_curves",
    "loss_surface",
    "matrix_map",
    "most_confused",
    "network_diagram",
    "new_axes",
    "new_figure",
    "pooling_cell",
    "predicted_and_true",
    "save_gif",
    "show_image",
]
