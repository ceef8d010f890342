"""Callbacks of the optimizer's steps."""

from typing import Any

import numpy as np

from dlcourse.compat.keras_vis.utils.utils import deprocess_input


class OptimizerCallback:
    """A callback that is called after each step's gradient, and at the end."""

    def callback(
        self, i: int, named_losses: list, overall_loss: float, grads: Any, wrt_value: Any
    ) -> None:
        """Receive (step, [(name, loss), …], their weighted sum, gradient, value)."""
        raise NotImplementedError

    def on_end(self) -> None:
        """Run after the last step."""


class Print(OptimizerCallback):
    """Print the losses of each step."""

    def callback(
        self, i: int, named_losses: list, overall_loss: float, grads: Any, wrt_value: Any
    ) -> None:
        """Print one line."""
        del grads, wrt_value
        losses = [(name, float(value)) for name, value in named_losses]
        print(f"Iteration: {i + 1}, named_losses: {losses}, overall loss: {overall_loss}")  # noqa: T201


class GifGenerator(OptimizerCallback):
    """Write the images as an animation.

    Args:
        path: Path of the file, with or without `.gif`.
    """

    def __init__(self, path: str):
        self.path = path if path.endswith(".gif") else f"{path}.gif"
        self.frames: list = []

    def callback(
        self, i: int, named_losses: list, overall_loss: float, grads: Any, wrt_value: Any
    ) -> None:
        """Store the image."""
        del i, named_losses, overall_loss, grads
        self.frames.append(deprocess_input(np.asarray(wrt_value[0])).astype("uint8"))

    def on_end(self) -> None:
        """Write the file."""
        import imageio

        frames = [image[..., 0] if image.shape[-1] == 1 else image for image in self.frames]
        imageio.mimsave(self.path, frames, loop=0)
