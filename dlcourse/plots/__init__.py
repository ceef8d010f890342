"""Pictures: arrays in, matplotlib Axes out. The only part of the course that imports matplotlib."""

from dlcourse.plots.animations import animate_boundary, animate_descent, html, save_gif
from dlcourse.plots.axes import COLOURS, new_axes
from dlcourse.plots.boundaries import decision_boundary
from dlcourse.plots.convolutions import convolution_cell, convolution_gallery, pooling_cell
from dlcourse.plots.functions import (
    activation,
    activation_gallery,
    descent_on_contour,
    descent_on_curve,
    loss_surface,
    matrix_map,
)
from dlcourse.plots.networks import autograd_graph, network_diagram

__all__ = [
    "COLOURS",
    "activation",
    "activation_gallery",
    "animate_boundary",
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
    "new_axes",
    "pooling_cell",
    "save_gif",
]
