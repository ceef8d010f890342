"""Random views of an image while it is optimised."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    """

    jitter: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: A value is negative, or the scale is 1 or more.
        """
        if min(self.jitter, self.rotation, self.scale) < 0 or self.scale >= 1:
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


def seen(x: Any, view: Any) -> Any:
    """Return images `(n, height, width, channels)` in their random views."""
    if view is None:
        return x
    return ops.image.affine_transform(
        x, view, interpolation="bilinear", fill_mode="reflect", data_format="channels_last"
    )
