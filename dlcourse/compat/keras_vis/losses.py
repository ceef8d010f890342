"""Losses of a layer's output, which the optimizer minimizes."""

from typing import Any, cast

import keras
from keras import ops

from dlcourse.compat.keras_vis.utils.utils import listify
from dlcourse.errors import UserError


class Loss:
    """A loss; a subclass defines `build_loss`, a symbolic scalar of the model's tensors.

    Args:
        name: Name for the callbacks.
    """

    layer: Any = None

    def __init__(self, name: str = "Unnamed Loss"):
        self.name = name

    def __str__(self) -> str:
        return self.name

    def build_loss(self) -> Any:
        """Return the symbolic loss."""
        raise NotImplementedError

    def value(self, x: Any, activation: Any) -> Any:
        """Return the loss of an input, given the layer's output for it."""
        del activation
        return self._model(x)

    def bind(self, inputs: Any) -> None:
        """Build a model from the symbolic loss of `build_loss`."""
        if type(self).value is Loss.value:
            self._model = keras.Model(inputs, self.build_loss())


class ActivationMaximization(Loss):
    """Minus the mean output of the layer's filters or units.

    Args:
        layer: Layer of the model.
        filter_indices: Index of a filter or unit, or a list of them; None for all.
    """

    def __init__(self, layer: Any, filter_indices: Any):
        super().__init__("ActivationMax Loss")
        self.layer, self.filter_indices = layer, listify(filter_indices)

    def value(self, x: Any, activation: Any) -> Any:
        """Return the loss of the layer's output."""
        del x
        if self.filter_indices == [None]:
            return -1.0 * cast(Any, ops.mean(activation))
        width = activation.shape[-1]
        if not all(-width <= k < width for k in self.filter_indices):
            raise UserError(
                f"filter_indices: layer {self.layer.name} has filters 0 to {width - 1}, got "
                f"{self.filter_indices}"
            )
        return -sum(cast(Any, ops.mean(activation[..., k])) for k in self.filter_indices)

    def build_loss(self) -> Any:
        """Return the symbolic loss."""
        return self.value(None, self.layer.output)
