"""Random views of an image while it is optimised, and its parametrisation by a spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import ops


@dataclass(frozen=True)
class Transformations:
    """Random transformations at each step, drawn for each image.

    Attributes:
        jitter: Largest shift in pixels, down and across.
        rotation: Largest rotation in degrees, either way.
        scale: Largest change of the size: the factor is 1 ± `scale`.
        blur: Standard deviation of a Gaussian blur in pixels, the same at each step.
    """

    jitter: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: A value is negative, or the scale is 1 or more.
        """
        if min(self.jitter, self.rotation, self.scale, self.blur) < 0 or self.scale >= 1:
            raise UserError(f"transformations: expected values >= 0 and scale < 1, got {self}")

    def draw(
        self, steps: int, images: int, size: Sequence[int], rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return `(steps, images, 8)` for `keras.ops.image.affine_transform`; None if all are 0.

        Row y and column x of the view show the image at (a·x + b·y + c, d·x + e·y + f).
        """
        if not (self.jitter or self.rotation or self.scale):
            return None
        shape = (steps, images)
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation, shape))
        factor = 1 / (1 + rng.uniform(-self.scale, self.scale, shape))
        whole = int(self.jitter)
        shifts = rng.integers(-whole, whole + 1, (2, *shape))
        cos, sin = factor * np.cos(angle), factor * np.sin(angle)
        y, x = (size[0] - 1) / 2, (size[1] - 1) / 2
        zero = np.zeros(shape)
        c = x - cos * x + sin * y + shifts[0]
        f = y - sin * x - cos * y + shifts[1]
        rows = np.stack([cos, -sin, c, sin, cos, f, zero, zero], axis=-1)
        return rows.astype("float32")


NONE = Transformations()


def default(shape: Sequence[int]) -> Transformations:
    """Return the usual views of images `(n, height, width, channels)`."""
    return Transformations(jitter=max(1, min(shape[1:3]) // 12), rotation=5.0, scale=0.05)


def seen(x: Any, view: Any, blur: float) -> Any:
    """Return images `(n, height, width, channels)` blurred, then in their random views."""
    if blur:
        down, across = _blur_matrix(x.shape[1], blur), _blur_matrix(x.shape[2], blur)
        x = ops.einsum("ah,nhwc,bw->nabc", down, x, across)
    if view is None:
        return x
    return ops.image.affine_transform(
        x, view, interpolation="bilinear", fill_mode="reflect", data_format="channels_last"
    )


@lru_cache(maxsize=64)
def _blur_matrix(side: int, sigma: float) -> np.ndarray:
    """Return the matrix `(side, side)` of a Gaussian blur along one axis; its rows add up to 1."""
    places = np.arange(side)
    weights = np.exp(-0.5 * (np.subtract.outer(places, places) / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def _frequencies(height: int, width: int) -> np.ndarray:
    """Return the weight of each frequency, `(height, width)`: 1/f, as in natural images."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    return (1 / np.maximum(f, 1 / max(height, width)) * np.sqrt(height * width)).astype("float32")


SPREAD = 0.1
"""Logits of brightness per unit of the spectrum."""


def spectrum(x: np.ndarray) -> np.ndarray:
    """Return the parameters `(n, 2, channels, height, width)` of images in [0, 1]."""
    bounded = np.clip(x, 0.01, 0.99)
    logits = np.moveaxis(np.log(bounded / (1 - bounded)), -1, 1)
    parts = np.fft.fft2(logits) / (SPREAD * _frequencies(*x.shape[1:3]))
    return np.stack([parts.real, parts.imag], axis=1).astype("float32")


def image_of_spectrum(parameters: Any) -> Any:
    """Return the images `(n, height, width, channels)` in [0, 1] of the parameters."""
    weights = SPREAD * _frequencies(*parameters.shape[-2:])
    real, _ = ops.ifft2((parameters[:, 0] * weights, parameters[:, 1] * weights))
    return ops.moveaxis(ops.sigmoid(real), 1, -1)
