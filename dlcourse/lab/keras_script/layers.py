"""Keras' layers and optimizers as Python, from the configuration that Keras keeps of each."""

import inspect
import re
from typing import Any

from dlcourse.heavy import keras
from dlcourse.lab.keras_script.text import Code, literal

FLOAT32 = ("rescaling", "normalization", "probabilities", "standardised", "prediction")
"""Names of the layers that compute in float32 also under mixed precision."""
LEFT_OUT = ("self", "seed", "data_format", "name", "dtype", "trainable")
LINEAR = ("linear", None)  # in a configuration, and the default that it stands for
SIDES = ("kernel_size", "strides", "pool_size", "axis")


def layer_line(layer: Any, known: dict[str, Any], *, mixed: bool = False) -> str:
    """Return the call that makes a layer.

    Args:
        layer: Layer of a recipe's model.
        known: Python of the arguments that depend on the training examples, by their names.
        mixed: Whether the recipe computes in mixed precision.
    """
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "Bidirectional":
        return f"layers.Bidirectional({layer_line(layer.forward_layer, known)})"
    if kind == "Rescaling":
        inverse, scale = round(1 / config["scale"]), config["scale"]
        fraction = Code(f"1 / {inverse}") if inverse and 1 / inverse == scale else scale
        config |= {"scale": fraction, "offset": config["offset"] or 0.0}
    if layer.name == "prediction" and kind == "Rescaling":
        config |= {"scale": Code("deviation"), "offset": Code("mean")}
    if config.get("strides") == config.get("pool_size"):
        config["strides"] = None
    config |= {key: Code(known[key]) for key in known if config.get(key) is not None}
    call = instance(f"layers.{kind}", type(layer), config)
    return f'{call[:-1]}, dtype="float32")' if mixed and layer.name in FLOAT32 else call


def instance(function: str, made: Any, config: dict[str, Any]) -> Code:
    """Return the call that makes an object of Keras, with the arguments that are not defaults.

    Args:
        function: Name under which the class is called.
        made: Class of the object.
        config: Its arguments by name, as `get_config` returns them.
    """
    arguments = []
    for key, parameter in inspect.signature(made.__init__).parameters.items():
        if key in LEFT_OUT or key not in config:
            continue
        value, default = _value(key, config[key]), parameter.default
        if default is inspect.Parameter.empty or key in ("pool_size", "learning_rate"):
            arguments.append(literal(value))
        elif literal(value) != literal(_value(key, default)) and (value, default) != LINEAR:
            arguments.append(f"{key}={literal(value)}")
    return Code(f"{function}({', '.join(arguments)})")


def _value(key: str, value: Any) -> Any:
    """Return a value of a configuration: 3 for (3, 3), and an initializer by its name."""
    if key in SIDES and isinstance(value, list | tuple) and len({*value}) == 1:
        return value[0]
    if not isinstance(value, dict) or "class_name" not in value:
        return tuple(value) if isinstance(value, list) else value
    module, name = value["module"], value["class_name"]
    part = getattr(getattr(keras, module.removeprefix("keras.")), name)
    text = instance(f"{module}.{name}", part, value["config"])
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() if text.endswith("()") else text
