"""keras-vis' module of saliency and class activation maps."""

from dlcourse.compat.keras_vis.visualization import (  # noqa: F401
    visualize_cam,
    visualize_cam_with_losses,
    visualize_saliency,
    visualize_saliency_with_losses,
)
