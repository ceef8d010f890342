"""A copy of a model: its own layers, with the same weights and state."""

from collections.abc import Callable
from typing import Any

from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.visualizers import hooks


def clone(model: Any, change: Callable[[Any], Any] = lambda _: None, **settings: Any) -> Any:
    """Return a copy of a model with the same weights; the model itself is not changed.

    Sequential and Functional models inside it are copied layer by layer too.

    Args:
        model: A Sequential or Functional model, or one that Keras can rebuild from its config.
        change: Function that returns a layer's replacement, or None to copy the layer.
        settings: Other arguments of `keras.models.clone_model`.

    Raises:
        UserError: Keras cannot clone the model: its layers are known only when it is called, or
            a layer has no config.
    """

    def copied(layer: Any) -> Any:
        changed = change(layer)
        return type(layer).from_config(layer.get_config()) if changed is None else changed

    layerwise = copied if hooks.has_graph(model) else None
    try:
        copy: Any = keras.models.clone_model(
            model, clone_function=layerwise, recursive=True, **settings
        )
        copy.set_weights(model.get_weights())
        if len(hooks.all_layers(copy)) != len(hooks.all_layers(model)):
            raise ValueError("the copy has other layers")
    except Exception as error:
        cause = f"{type(model).__name__} (is it subclassed, or has it a layer without a config?)"
        raise UserError(f"model: Keras cannot clone this {cause}") from error
    for layer in hooks.all_layers(copy):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # computes its mean and variance from its weights
    return copy
