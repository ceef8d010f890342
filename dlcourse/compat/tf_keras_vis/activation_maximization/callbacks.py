"""tf-keras-vis' callbacks; GIFs also of images with one channel."""

from typing import Any

import numpy as np
from tf_keras_vis.activation_maximization import callbacks as upstream
from tf_keras_vis.activation_maximization.callbacks import *  # noqa: F403  # pyright: ignore[reportAssignmentType]


class GifGenerator2D(upstream.GifGenerator2D):  # pyright: ignore[reportAssignmentType]
    """Draw a GIF of the image at each step, of 1 or 3 channels."""

    def __call__(self, i: int, values: list, *args: Any, **kwargs: Any) -> None:
        """Add a step's first image."""
        images = [np.asarray(value) for value in values]
        images = [x.squeeze(-1) if x.shape[-1] == 1 else x for x in images]
        super().__call__(i, images, *args, **kwargs)
