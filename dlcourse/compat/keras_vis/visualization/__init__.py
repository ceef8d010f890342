"""keras-vis' pictures: inputs that excite a filter, saliency, class activation maps."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from dlcourse.compat.keras_vis import backprop_modifiers
from dlcourse.compat.keras_vis.losses import ActivationMaximization
from dlcourse.compat.keras_vis.optimizer import Optimizer
from dlcourse.compat.keras_vis.regularizers import LPNorm, TotalVariation
from dlcourse.compat.keras_vis.utils import utils
from dlcourse.errors import UserError
from dlcourse.visualizers import hooks

Modifier = str | Callable[..., Any] | None


def get_num_filters(layer: Any) -> int:
    """Return the number of a layer's units or filters."""
    return int(layer.output.shape[-1])


def overlay(array1: np.ndarray, array2: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Return alpha · array1 + (1 − alpha) · array2, in the first one's dtype."""
    if not 0.0 <= alpha <= 1.0:
        raise UserError(f"`alpha` needs to be between [0, 1], got {alpha}")
    if array1.shape != array2.shape:
        raise UserError(
            f"`array1` and `array2` must have the same shapes, got {array1.shape}, {array2.shape}"
        )
    return (array1 * alpha + array2 * (1.0 - alpha)).astype(array1.dtype)


def visualize_activation_with_losses(
    input_tensor: Any,
    losses: list,
    wrt_tensor: Any = None,
    seed_input: Any = None,
    input_range: tuple = (0, 255),
    **optimizer_params: Any,
) -> np.ndarray:
    """Return the input that minimizes the losses; uint8 if the range consists of integers."""
    settings = {"seed_input": seed_input, "max_iter": 200, "verbose": False, **optimizer_params}
    optimizer = Optimizer(input_tensor, losses, input_range, wrt_tensor=wrt_tensor)
    image = optimizer.minimize(**settings)[0]
    if all(isinstance(bound, int) for bound in input_range):
        image = np.clip(image, *input_range).astype("uint8")
    return image


def visualize_activation(
    model: Any,
    layer_idx: int,
    filter_indices: Any = None,
    wrt_tensor: Any = None,
    seed_input: Any = None,
    input_range: tuple = (0, 255),
    backprop_modifier: Modifier = None,
    grad_modifier: Modifier = None,
    act_max_weight: float = 1,
    lp_norm_weight: float = 10,
    tv_weight: float = 10,
    **optimizer_params: Any,
) -> np.ndarray:
    """Return the input `(…)` that excites a layer's filters most.

    Args:
        model: Any Keras model; replace a softmax by a linear activation first.
        layer_idx: Position of the layer in `model.layers`.
        filter_indices: Index of a filter or unit, or a list of them; None for all.
        wrt_tensor: Tensor as for `Optimizer`; None for the input.
        seed_input: First input; None for a random one.
        input_range: Range of the returned values.
        backprop_modifier: Function of a model, `guided`, `relu` or None.
        grad_modifier: Function, `negate`, `absolute`, `invert`, `relu`, `small_values` or None.
        act_max_weight, lp_norm_weight, tv_weight: Weights of the losses.
        optimizer_params: Further arguments: `max_iter`, `input_modifiers`, `callbacks`, `verbose`.
    """
    model = _modified(model, backprop_modifier)
    losses = [
        (ActivationMaximization(model.layers[layer_idx], filter_indices), act_max_weight),
        (LPNorm(None), lp_norm_weight),
        (TotalVariation(None), tv_weight),
    ]
    settings = {"grad_modifier": grad_modifier, **optimizer_params}
    return visualize_activation_with_losses(
        model, losses, wrt_tensor, seed_input, input_range, **settings
    )


def visualize_saliency_with_losses(
    input_tensor: Any,
    losses: list,
    seed_input: Any,
    wrt_tensor: Any = None,
    grad_modifier: Modifier = "absolute",
    keepdims: bool = False,
) -> np.ndarray:
    """Return the gradient of the losses in [0, 1]; without `keepdims` the channels' maximum."""
    optimizer = Optimizer(input_tensor, losses, wrt_tensor=wrt_tensor, norm_grads=False)
    gradient = optimizer.minimize(seed_input, 1, grad_modifier=grad_modifier, verbose=False)[1]
    return utils.normalize(gradient if keepdims else gradient.max(axis=-1))[0]


def visualize_saliency(
    model: Any,
    layer_idx: int,
    filter_indices: Any,
    seed_input: Any,
    wrt_tensor: Any = None,
    backprop_modifier: Modifier = None,
    grad_modifier: Modifier = "absolute",
    keepdims: bool = False,
) -> np.ndarray:
    """Return the influence of each pixel on a layer's filters, `(height, width)` in [0, 1].

    The arguments are those of `visualize_activation`.
    """
    model = _modified(model, backprop_modifier)
    losses = [(ActivationMaximization(model.layers[layer_idx], filter_indices), -1)]
    return visualize_saliency_with_losses(
        model, losses, seed_input, wrt_tensor, grad_modifier, keepdims
    )


def visualize_cam_with_losses(
    input_tensor: Any,
    losses: list,
    seed_input: Any,
    penultimate_layer: Any,
    grad_modifier: Modifier = None,
) -> np.ndarray:
    """Return the class activation map of a layer at the input's size, in [0, 1].

    The map is enlarged by cubic splines, as in keras-vis.
    """
    from scipy.ndimage import zoom

    optimizer = Optimizer(input_tensor, losses, wrt_tensor=penultimate_layer, norm_grads=False)
    _, gradient, maps = optimizer.minimize(
        seed_input, 1, grad_modifier=grad_modifier, verbose=False
    )
    if maps.ndim < 3:
        raise UserError(f"penultimate_layer: {penultimate_layer.name} outputs {maps.shape[1:]}")
    gradient = gradient / (np.max(gradient) + keras.config.epsilon())
    weights = gradient.mean(axis=tuple(range(1, gradient.ndim - 1)))[0]
    heatmap = np.maximum(np.sum(maps[0] * weights, axis=-1), 0)
    places = np.shape(seed_input)[-heatmap.ndim - 1 : -1]
    factors = [to / of for to, of in zip(places, heatmap.shape, strict=True)]
    return utils.normalize(zoom(heatmap, factors))


def visualize_cam(
    model: Any,
    layer_idx: int,
    filter_indices: Any,
    seed_input: Any,
    penultimate_layer_idx: int | None = None,
    backprop_modifier: Modifier = None,
    grad_modifier: Modifier = None,
) -> np.ndarray:
    """Return Grad-CAM of a layer's filters, `(height, width)` in [0, 1].

    Args:
        penultimate_layer_idx: Position of the layer whose maps are weighted; None for the nearest
            convolution or pooling before `layer_idx`.
        model, layer_idx, filter_indices, seed_input, backprop_modifier, grad_modifier: Arguments of
            `visualize_activation`.
    """
    model = _modified(model, backprop_modifier)
    penultimate = _penultimate(model, layer_idx, penultimate_layer_idx)
    losses = [(ActivationMaximization(model.layers[layer_idx], filter_indices), -1)]
    return visualize_cam_with_losses(model, losses, seed_input, penultimate, grad_modifier)


def _modified(model: Any, modifier: Modifier) -> Any:
    return model if modifier is None else backprop_modifiers.get(modifier)(model)


def _penultimate(model: Any, layer_idx: int, penultimate_layer_idx: int | None) -> Any:
    end = layer_idx % len(model.layers)
    if penultimate_layer_idx is not None:
        if penultimate_layer_idx % len(model.layers) > end:
            raise UserError("`penultimate_layer_idx` needs to be before `layer_idx`")
        return model.layers[penultimate_layer_idx]
    for layer in reversed(model.layers[:end]):
        for inner in [*reversed(hooks.all_layers(layer)), getattr(layer, "layer", None), layer]:
            if hasattr(inner, "kernel_size") or hasattr(inner, "pool_size"):
                return inner
    raise UserError(
        f"Unable to determine penultimate `Conv` or `Pooling` layer for layer_idx: {layer_idx}"
    )
