"""Modifiers of the input before and after each step."""

from typing import Any

import numpy as np


class InputModifier:
    """A modifier that changes the input before a step (`pre`) and after it (`post`)."""

    def pre(self, inp: Any) -> Any:
        """Return the input for the step."""
        return inp

    def post(self, inp: Any) -> Any:
        """Return the input after the step."""
        return inp


class Jitter(InputModifier):
    """Roll the image by a random number of pixels before each step.

    Args:
        jitter: Largest roll, in pixels or, below 1, as a fraction of the side; or a list of one
            per side.
    """

    def __init__(self, jitter: Any = 0.05):
        self.jitter = np.atleast_1d(jitter).astype(float)
        if np.any(self.jitter < 0):
            raise ValueError("Jitter value should be positive")

    def pre(self, inp: Any) -> Any:
        """Roll the image."""
        sides = inp.shape[1:-1]
        limits = np.broadcast_to(self.jitter, len(sides))
        pixels = [
            int(part * side if part < 1 else part) for part, side in zip(limits, sides, strict=True)
        ]
        shift = tuple(int(np.random.randint(-limit, limit + 1)) for limit in pixels)
        return np.roll(inp, shift, axis=tuple(range(1, 1 + len(shift))))
