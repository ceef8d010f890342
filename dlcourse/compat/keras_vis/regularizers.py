"""Regularizers: losses of the input itself."""

from typing import Any

import numpy as np
from keras import ops

from dlcourse.compat.keras_vis.losses import Loss


def normalize(input_tensor: Any, output_tensor: Any) -> Any:
    """Return the loss divided by the number of values per example."""
    return output_tensor / float(np.prod([int(size) for size in input_tensor.shape[1:]]))


class TotalVariation(Loss):
    """Σ (Σ squared differences of neighbours)^(beta/2), per value: smaller is smoother."""

    def __init__(self, img_input: Any, beta: float = 2.0):
        super().__init__(f"TV({beta}) Loss")
        self.img, self.beta = img_input, beta

    def value(self, x: Any, activation: Any = None) -> Any:
        """Return the loss of an input."""
        del activation
        axes = range(1, len(x.shape) - 1)
        inner = tuple(slice(None, -1) for _ in axes)
        total: Any = 0.0
        for axis in axes:
            ahead = tuple(slice(1, None) if other == axis else slice(None, -1) for other in axes)
            total += ops.square(x[(slice(None), *ahead)] - x[(slice(None), *inner)])
        return normalize(x, ops.sum(ops.power(total, self.beta / 2.0)))

    def build_loss(self) -> Any:
        """Return the symbolic loss."""
        return self.value(self.img)


class LPNorm(Loss):
    """(Σ |x|^p)^(1/p), per value: it bounds the input.

    Args:
        img_input: Symbolic input of the model.
        p: Order of the norm, 1 or more; `np.inf` for the largest value.
    """

    def __init__(self, img_input: Any, p: float = 6.0):
        if p < 1:
            raise ValueError(f"p value should range between [1, inf), got {p}")
        super().__init__(f"L-{p} Norm Loss")
        self.img, self.p = img_input, p

    def value(self, x: Any, activation: Any = None) -> Any:
        """Return the loss of an input."""
        del activation
        if np.isinf(self.p):
            return normalize(x, ops.max(x))
        return normalize(x, ops.power(ops.sum(ops.power(ops.abs(x), self.p)), 1.0 / self.p))

    def build_loss(self) -> Any:
        """Return the symbolic loss."""
        return self.value(self.img)
