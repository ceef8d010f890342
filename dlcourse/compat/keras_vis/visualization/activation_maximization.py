"""keras-vis' module of activation maximization."""

from dlcourse.compat.keras_vis.visualization import (  # noqa: F401
    visualize_activation,
    visualize_activation_with_losses,
)
