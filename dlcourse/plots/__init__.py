"""Arrays → matplotlib Axes. The only place that imports matplotlib."""

from dlcourse.plots.animations import (
    animate_boundary,
    animate_descent,
    animate_images,
    html,
    save_gif,
)
from dlcourse.plots.attributions import (
    attributions,
    feature_attributions,
    image_grid,
    neuron_activity,
    overlay,
    show_map,
)
from dlcourse.plots.axes import (
    new_axes,
    new_figure,
)
from dlcourse.plots.boundaries import (
    decision_boundary,
)
from dlcourse.plots.checks import (
    deletion_and_insertion,
    pointing_table,
    randomization_bars,
)
from dlcourse.plots.comparisons import (
    score_and_cost,
    score_by_size,
)
from dlcourse.plots.convolutions import (
    convolution_cell,
    convolution_gallery,
    pooling_cell,
)
from dlcourse.plots.diagnosis import (
    depth_scan,
    diagnosed_curves,
    layer_histograms,
)
from dlcourse.plots.functions import (
    activation,
    activation_gallery,
    descent_on_contour,
    descent_on_curve,
    loss_surface,
    matrix_map,
)
from dlcourse.plots.images import (
    short_name,
    show_image,
)
from dlcourse.plots.networks import (
    autograd_graph,
    network_diagram,
)
from dlcourse.plots.training import (
    confused_pairs,
    confusion_matrix,
    learning_curves,
    most_confused,
    predicted_and_true,
    range_test,
)
from dlcourse.plots.unsupervised import (
    anomaly_scores,
    cluster_images,
)

__all__ = [
    "activation",
    "activation_gallery",
    "animate_boundary",
    "animate_descent",
    "animate_images",
    "anomaly_scores",
    "attributions",
    "autograd_graph",
    "cluster_images",
    "confused_pairs",
    "confusion_matrix",
    "convolution_cell",
    "convolution_gallery",
    "decision_boundary",
    "deletion_and_insertion",
    "depth_scan",
    "descent_on_contour",
    "descent_on_curve",
    "diagnosed_curves",
    "feature_attributions",
    "html",
    "image_grid",
    "layer_histograms",
    "learning_curves",
    "loss_surface",
    "matrix_map",
    "most_confused",
    "network_diagram",
    "neuron_activity",
    "new_axes",
    "new_figure",
    "overlay",
    "pointing_table",
    "pooling_cell",
    "predicted_and_true",
    "randomization_bars",
    "range_test",
    "save_gif",
    "score_and_cost",
    "score_by_size",
    "short_name",
    "show_image",
    "show_map",
]
