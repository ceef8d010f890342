"""Eigen-CAM: the direction in which a layer's feature maps vary most, whatever the class."""

from typing import Any

import numpy as np

from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers.feature_maps import tensors_of
from dlcourse.visualizers.grad_cam import on_images
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def eigen_cam(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    layer: Any = None,
    output: Output = 0,
    enlarge: bool = True,
    grid: Any = None,
    batch_size: Positive | None = None,
) -> Any:
    """Return ReLU(A·v): a layer's feature maps projected on their first principal direction v.

    It does not depend on a class: it shows what activates the layer, and `class_indices` has no
    effect. The sign of the direction is chosen so that the map is positive on average.

    Args, returns and raises as for `grad_cam`.

    References:
        Muhammad and Yeasin, "Eigen-CAM", 2020, arXiv:2008.00299.
    """
    target = target_of(model, images, class_indices, output=output, batch_size=batch_size)

    def heatmap(part: Target, place: LayerCall, _: int) -> np.ndarray:
        (maps,) = tensors_of(part, [place])
        rows = maps.reshape(len(maps), -1, maps.shape[-1])
        direction = np.linalg.svd(rows, full_matrices=False)[2][:, 0]
        cam = np.einsum("npc,nc->np", rows, direction)
        cam *= np.where(cam.sum(axis=1, keepdims=True) < 0, -1, 1)
        return np.maximum(cam, 0).reshape(maps.shape[:-1])

    return on_images("eigen_cam", heatmap, target, layer, enlarge, grid)
