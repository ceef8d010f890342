"""Visualizations of a trained network: any Keras 3 model in, raw arrays out; the model is kept."""

from collections.abc import Callable
from typing import Any

from dlcourse.visualizers.activation_maximization import Regularizers, activation_maximization
from dlcourse.visualizers.attention_rollout import attention_maps, attention_rollout
from dlcourse.visualizers.class_activation_map import class_activation_map
from dlcourse.visualizers.deep_dream import deep_dream
from dlcourse.visualizers.eigen_cam import eigen_cam
from dlcourse.visualizers.feature_maps import feature_maps, filters, neuron_activity
from dlcourse.visualizers.grad_cam import grad_cam, grad_cam_plus_plus, layer_cam
from dlcourse.visualizers.guided_backpropagation import guided_backpropagation
from dlcourse.visualizers.integrated_gradients import integrated_gradients
from dlcourse.visualizers.occlusion import occlusion
from dlcourse.visualizers.rise import rise
from dlcourse.visualizers.saliency import gradient_times_input, saliency
from dlcourse.visualizers.score_cam import score_cam
from dlcourse.visualizers.smooth_grad import smooth_grad
from dlcourse.visualizers.transformations import Transformations

_MAPS = (
    saliency, smooth_grad, gradient_times_input, integrated_gradients, guided_backpropagation,
    class_activation_map, grad_cam, grad_cam_plus_plus, layer_cam, eigen_cam, score_cam, occlusion,
    rise,
)  # fmt: skip
VISUALIZERS: dict[str, Callable[..., Any]] = {function.__name__: function for function in _MAPS}
"""Every method that maps evidence for a class: `f(model, images, class_indices) → (n, h, w)`."""

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    *VISUALIZERS, "VISUALIZERS", "Regularizers", "Transformations", "activation_maximization",
    "attention_maps", "attention_rollout", "deep_dream", "feature_maps", "filters",
    "neuron_activity",
]  # fmt: skip
