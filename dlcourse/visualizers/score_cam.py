"""Score-CAM: each feature map, weighted by the class probability of the image masked by it."""

from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.cam_layer import pixels_of
from dlcourse.visualizers.feature_maps import tensors_of
from dlcourse.visualizers.grad_cam import on_images
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.masking import masked_scores, places_of
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def score_cam(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    layer: Any = None,
    output: Output = 0,
    where: Any = None,
    enlarge: bool = True,
    grid: Any = None,
    batch_size: Positive | None = None,
) -> Any:
    """Return ReLU(Σ w·A): w is the class probability of the image masked by the feature map A.

    It needs no gradient. Each map of the layer is enlarged, scaled to [0, 1] and multiplied with
    the image; masked pixels tend to the value 0.

    Args:
        model, images, class_indices, layer, output, where, enlarge, grid: As for
            `grad_cam`.
        batch_size: Number of masked images per pass; it bounds the memory, whatever the number of
            images and filters.

    Returns:
        `(n, height, width)`, 0 or more.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Wang et al., "Score-CAM", 2020, arXiv:1910.01279.
    """
    target = target_of(model, images, class_indices, output, where, batch_size)

    def heatmap(part: Target, place: LayerCall, source: int) -> np.ndarray:
        size = places_of(part, "score_cam", source)
        if len(place.grid or (place.shape or ())[:-1]) != len(size):
            reason = "has other axes than the input: name another layer"
            raise UserError(f"score_cam: layer {place.name} {reason}")
        (maps,) = tensors_of(part, [place])
        axes = tuple(range(1, maps.ndim - 1))
        low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
        # Resizing is linear, with weights that add up to 1: a mask in [0, 1] stays in [0, 1].
        masks = np.moveaxis((maps - low) / np.where(high > low, high - low, 1), -1, 1)
        active = np.flatnonzero(np.abs(maps).max(axis=axes))  # a map of zeros adds nothing
        weights = np.zeros(maps.shape[0] * maps.shape[-1], "float32")
        flat, pairs = masks.reshape(-1, *masks.shape[2:]), (active // maps.shape[-1], active)
        how = {"source": source, "grid": pixels_of(part.model, part.probe, place, source)}
        weights[active] = masked_scores(part, flat, pairs, probabilities=True, **how)
        weights = weights.reshape(len(maps), -1)
        return np.maximum(np.einsum("n...c,nc->n...", maps, weights), 0)

    return on_images("score_cam", heatmap, target, layer, enlarge, grid)
