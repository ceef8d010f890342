"""What is done to the input before and after each step."""

from typing import Any

import numpy as np


class InputModifier:
    """Changes the input before a step (`pre`) and after it (`post`)."""

    def pre(self, inp: Any) -> Any:
        """Return the input for the step."""
        return inp

    def post(self, inp: Any) -> Any:
        """Return the input after the step."""
        return inp


class Jitter(InputModifier):
    """Roll the image by chance before a step, and back after it.

    Args:
        jitter: The farthest roll, in pixels or, below 1, as a part of each side; or one a side.
    """

    def __init__(self, jitter: Any = 0.05):
        self.jitter = np.atleast_1d(jitter).astype(float)
        if np.any(self.jitter < 0):
            raise ValueError("Jitter value should be positive")
        self._shift: tuple[int, ...] = ()

    def pre(self, inp: Any) -> Any:
        """Roll the image."""
        sides = inp.shape[1:-1]
        limits = np.broadcast_to(self.jitter, len(sides))
        pixels = [int(part * side if part < 1 else part) for part, side in zip(limits, sides)]
        self._shift = tuple(int(np.random.randint(-limit, limit + 1)) for limit in pixels)
        return self._rolled(inp, 1)

    def post(self, inp: Any) -> Any:
        """Roll it back."""
        return self._rolled(inp, -1)

    def _rolled(self, inp: Any, sign: int) -> Any:
        axes = tuple(range(1, 1 + len(self._shift)))
        return np.roll(inp, tuple(sign * one for one in self._shift), axes)
