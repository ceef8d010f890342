"""keras-vis' module of activation maximization."""

from dlcourse.compat.keras_vis.visualization import (
    visualize_activation,
    visualize_activation_with_losses,
)

__all__ = ["visualize_activation", "visualize_activation_with_losses"]
