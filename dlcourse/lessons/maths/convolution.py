"""Convolution and pooling of images, cell by cell, with their gradients.

Images are (height, width), or as in Keras (m, height, width, channels); a kernel is
(rows, columns), or as in Keras (rows, columns, channels, filters). Convolution in deep learning
does not flip the kernel: in mathematics this is a cross-correlation.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array, choice, integer

PLAIN = ("height", "width")
BATCH = ("m", "height", "width", "channels")


class ConvolutionGradient(NamedTuple):
    """The derivatives by the image and by the kernel, in the shapes of image and kernel."""

    d_image: np.ndarray
    d_kernel: np.ndarray


def convolve2d(
    image: ArrayLike, kernel: ArrayLike, *, stride: int = 1, padding: str = "valid"
) -> np.ndarray:
    """Return the feature map: at each place the sum of image·kernel (cross-correlation).

    Args:
        image: Image (height, width) or batch (m, height, width, channels).
        kernel: Kernel (rows, columns), or (rows, columns, channels, filters) for a batch.
        stride: Pixels from one place to the next, at least 1.
        padding: Padding: `valid`, none, or `same`, zeros around the image as in Keras.

    Returns:
        (height′, width′) or (m, height′, width′, filters).
    """
    images, kernels = _image_and_kernel(image, kernel)
    windows = _windows(_padded(images, kernels.shape, stride, padding), kernels.shape, stride)
    return _like(image, np.einsum("nyxcij,ijcf->nyxf", windows, kernels, optimize=True))


def convolve2d_gradient(
    image: ArrayLike,
    kernel: ArrayLike,
    d_output: ArrayLike,
    *,
    stride: int = 1,
    padding: str = "valid",
) -> ConvolutionGradient:
    """Return the derivative of a cost by image and kernel, from its derivative by the feature map.

    Args:
        image, kernel, stride, padding: Arguments of `convolve2d`.
        d_output: Derivative of the cost by the result of `convolve2d`, in the result's shape.
    """
    images, kernels = _image_and_kernel(image, kernel)
    padded = _padded(images, kernels.shape, stride, padding)
    windows = _windows(padded, kernels.shape, stride)
    d = _d_output(d_output, (*windows.shape[:3], kernels.shape[3]), np.ndim(image))
    d_padded = np.zeros_like(padded)
    for i, j in np.ndindex(kernels.shape[:2]):
        _under(d_padded, i, j, stride, d.shape)[...] += d @ kernels[i, j].T
    (top, _), (left, _) = _margins(images.shape, kernels.shape, stride, padding)
    d_images = d_padded[:, top : top + images.shape[1], left : left + images.shape[2]]
    d_kernels = np.einsum("nyxcij,nyxf->ijcf", windows, d, optimize=True)
    return ConvolutionGradient(_like(image, d_images), d_kernels.reshape(np.shape(kernel)))


def pool2d(
    image: ArrayLike, size: int = 2, *, kind: str = "max", stride: int | None = None
) -> np.ndarray:
    """Return the largest (`max`) or mean (`average`) value of each size×size region.

    Args:
        image: Image (height, width) or batch (m, height, width, channels).
        size: Height and width of a region, at least 1.
        kind: Kind of pooling: `max` or `average`.
        stride: Pixels from one region to the next; `size` by default. Remaining pixels at the right
            and the bottom are dropped, as in Keras.
    """
    images, stride = _image_and_stride(image, size, stride)
    windows = _windows(images, (size, size), stride)
    pool = np.max if choice("kind", kind, ("max", "average")) == "max" else np.mean
    return _like(image, pool(windows, axis=(-2, -1)))


def pool2d_gradient(
    image: ArrayLike,
    d_output: ArrayLike,
    size: int = 2,
    *,
    kind: str = "max",
    stride: int | None = None,
) -> np.ndarray:
    """Return the derivative of a cost by the image, from its derivative by the pooled image.

    For `max` the largest value of a region (the first of equal values) gets all of it; for
    `average` every value gets an equal share.
    """
    images, stride = _image_and_stride(image, size, stride)
    windows = _windows(images, (size, size), stride)
    d = _d_output(d_output, windows.shape[:4], np.ndim(image))
    largest = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)
    d_images = np.zeros_like(images)
    is_max = choice("kind", kind, ("max", "average")) == "max"
    for i, j in np.ndindex(size, size):
        share = largest == i * size + j if is_max else 1 / size**2
        _under(d_images, i, j, stride, d.shape)[...] += share * d
    return _like(image, d_images)


def flatten(image: ArrayLike) -> np.ndarray:
    """Return the numbers row by row, (n,); a batch (m, …) keeps its examples, (m, n)."""
    values = array("image", image).copy()
    return values.reshape(len(values), -1) if values.ndim == 4 else values.reshape(-1)


def _image_and_kernel(image: ArrayLike, kernel: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    images = array("image", image, PLAIN, BATCH)
    if images.ndim == 2:
        kernels = array("kernel", kernel, ("rows", "columns"))
        return images[None, :, :, None], kernels[:, :, None, None]
    return images, array("kernel", kernel, ("rows", "columns", images.shape[3], "filters"))


def _image_and_stride(image: ArrayLike, size: int, stride: int | None) -> tuple[np.ndarray, int]:
    images = array("image", image, PLAIN, BATCH)
    integer("size", size, 1)
    stride = size if stride is None else stride
    return images[None, :, :, None] if images.ndim == 2 else images, stride


def padded(image: np.ndarray, kernel: tuple[int, ...], stride: int, padding: str) -> np.ndarray:
    """Return an image (height, width) with the zeros that `convolve2d` puts around it."""
    return _padded(image[None, :, :, None], kernel, stride, padding)[0, :, :, 0]


def _margins(
    images: tuple[int, ...], kernels: tuple[int, ...], stride: int, padding: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the zeros (before, after) rows and columns; `same` gives ⌈size/stride⌉ places."""
    if choice("padding", padding, ("valid", "same")) == "valid":
        return (0, 0), (0, 0)
    stride = integer("stride", stride, 1)
    totals = [
        max((-(-size // stride) - 1) * stride + width - size, 0)
        for size, width in zip(images[1:3], kernels[:2], strict=True)
    ]
    rows, columns = ((total // 2, total - total // 2) for total in totals)
    return rows, columns


def _padded(images: np.ndarray, kernels: tuple[int, ...], stride: int, padding: str) -> np.ndarray:
    return np.pad(images, ((0, 0), *_margins(images.shape, kernels, stride, padding), (0, 0)))


def _windows(images: np.ndarray, size: tuple[int, ...], stride: int) -> np.ndarray:
    """Return the pixels under the kernel: (m, height′, width′, channels, rows, columns)."""
    stride = integer("stride", stride, 1)
    if images.shape[1] < size[0] or images.shape[2] < size[1]:
        raise ValueError(
            f"image: expected at least {size[0]}×{size[1]} pixels, as large as the kernel or "
            f"region, got {images.shape[1]}×{images.shape[2]}"
        )
    return sliding_window_view(images, size[:2], axis=(1, 2))[:, ::stride, ::stride]  # pyright: ignore


def _under(images: np.ndarray, i: int, j: int, stride: int, places: tuple[int, ...]) -> np.ndarray:
    """Return the pixels under the kernel's cell (i, j), one per place."""
    height, width = places[1:3]
    return images[:, i : i + stride * height : stride, j : j + stride * width : stride]


def _d_output(d_output: ArrayLike, shape: tuple[int, ...], ndim: int) -> np.ndarray:
    expected = shape[1:3] if ndim == 2 else shape
    return array("d_output", d_output, expected).reshape(shape)


def _like(image: ArrayLike, result: np.ndarray) -> np.ndarray:
    return result[0, :, :, 0] if np.ndim(image) == 2 else result
