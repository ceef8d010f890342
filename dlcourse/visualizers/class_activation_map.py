"""The class activation map (CAM) of a network with global average pooling and one Dense layer."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers import hooks
from dlcourse.visualizers.cam_layer import with_grid
from dlcourse.visualizers.feature_maps import tensors_of
from dlcourse.visualizers.grad_cam import enlarged
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import ClassIndices, Images, Target, class_scores, target_of


@checked
def class_activation_map(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: Output = 0,
    enlarge: bool = True,
    grid: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray:
    """Return Σ w·A: the pooled feature maps A, weighted by the class's output weights w; signed.

    The mean of a map (before it is enlarged) plus the bias is the class's logit.

    Args:
        model, images, class_indices, output: As for `saliency`. The model must end in
            GlobalAveragePooling and one Dense layer (dropout in between does not matter).
        enlarge, grid, batch_size: As for `grad_cam`.

    Returns:
        `(n, height, width)` in units of the logit.

    Raises:
        UserError: The model does not end like this (use `grad_cam`), or the inputs do not fit.

    References:
        Zhou et al., "Learning Deep Features for Discriminative Localization", 2016,
        arXiv:1512.04150.
    """
    target = target_of(model, images, class_indices, output=output, batch_size=batch_size)
    return target.in_batches(partial(_map, enlarge=enlarge, grid=grid))


def _map(target: Target, *, enlarge: bool, grid: Any) -> np.ndarray:
    """Return the map of the first pooling and Dense layer that give the target's scores."""
    scores = class_scores(target)
    for pooling, kernel, bias in _endings(target):
        steps = [step for step in target.probe.steps if step.call.key == pooling.key]
        shape = target.probe.shapes[steps[0].inputs[0]] if steps else None
        place = replace(pooling, entering=True, shape=shape)
        place = with_grid(target.probe, place, target.sources[0], grid)
        (maps,) = tensors_of(target, [place])
        if maps.ndim < 3 or maps.shape[-1] != kernel.shape[0]:
            continue
        cam = np.einsum("n...c,nc->n...", maps, kernel.T)
        means = cam.mean(axis=tuple(range(1, cam.ndim)))
        # float16 keeps three digits; another ending differs by far more, unless its map is equal
        if np.allclose(means + bias, scores, rtol=1e-2, atol=1e-2 * np.abs(cam).mean()):
            return enlarged(target, cam, place) if enlarge else cam
    ends = "GlobalAveragePooling and one Dense layer (use grad_cam for any convolutional network)"
    raise UserError(f"class_activation_map: the model does not end in {ends}")


def _endings(target: Target) -> Iterator[tuple[LayerCall, np.ndarray, np.ndarray]]:
    """Yield each pooling call with the class weights and biases of each Dense layer.

    The weights `(channels, n)` and biases `(n,)` are those of each example's class.
    """
    layers = hooks.all_layers(target.model)
    pooled = [call for call in target.calls if call.kind.startswith("GlobalAveragePooling")]
    dense = [layers[call.position] for call in target.calls if call.kind == "Dense"]
    for place, layer in product(reversed(pooled), reversed(dense)):
        kernel = np.asarray(layer.kernel, "float32")
        bias = np.zeros(kernel.shape[1]) if layer.bias is None else np.asarray(layer.bias)
        if target.output_activation == "sigmoid" and kernel.shape[1] == 1:
            # One unit stands for two classes: class 0 has minus the weights of class 1.
            kernel, bias = np.hstack([-kernel, kernel]), np.hstack([-bias, bias])
        if target.indices.max() < kernel.shape[1]:
            yield place, kernel[:, target.indices], bias[target.indices].astype("float32")
