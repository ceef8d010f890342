"""Softmax, sigmoid and ReLU, wherever a model computes them: by a layer, an operation, a lambda.

The backend's own functions are replaced during one call of the model, and for its thread only.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import count
from threading import get_ident
from typing import Any

Operation = Callable[..., Any]
"""`operation(name, function, x, …)`: its result replaces that of `function(x, …)`."""
SQUASHING = ("softmax", "log_softmax", "sigmoid", "log_sigmoid", "hard_sigmoid")
RELUS = ("relu", "relu6", "maximum")
GENERATED = "tensorflow.python.ops.gen_"
MODULES = {
    "tensorflow": ("tensorflow", "tensorflow.nn", f"{GENERATED}nn_ops", f"{GENERATED}math_ops"),
    "jax": ("jax.nn", "jax.numpy"),
    "torch": ("torch.nn.functional", "torch"),
}


@contextmanager
def attribute(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Within the block, `thing.name` is `value`; Keras' attribute tracking is bypassed."""
    missing = object()
    before = thing.__dict__.get(name, missing)
    thing.__dict__[name] = value
    try:
        yield
    finally:
        if before is missing:
            del thing.__dict__[name]
        else:
            thing.__dict__[name] = before


def functions() -> list[tuple[Any, str, Any]]:
    """Return `(module, name, function)` for each function of the backend that is replaced."""
    import keras

    backend = import_module("keras.src.backend")
    modules = [backend.nn, backend.numpy, *map(import_module, MODULES[keras.backend.backend()])]
    named = [(module, name) for module in modules for name in (*SQUASHING, *RELUS)]
    return [(*pair, getattr(*pair)) for pair in named if hasattr(*pair)]


@contextmanager
def replaced(operation: Operation, layers: list, loops: list) -> Iterator[None]:
    """Within the block, each function is `operation`; none that is part of another one.

    Args:
        operation: Function called in place of each.
        layers: Layers; an attribute that is such a function is replaced as well.
        loops: One entry while a loop over time steps runs: there, only ReLUs are replaced, as the
            number of calls depends on how the loop is compiled.
    """
    here, inside = get_ident(), []

    def instead(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != here or inside or (loops and name in SQUASHING):
                return function(*args, **kwargs)
            inside.append(name)
            try:
                return operation(name, function, *args, **kwargs)
            finally:
                inside.pop()

        return call

    with ExitStack() as stack:
        by_function: dict[Any, Any] = {}
        for module, name, function in functions():
            by_function[function] = instead(name, function)
            stack.enter_context(attribute(module, name, by_function[function]))
        for layer in layers:
            for name, own in list(layer.__dict__.items()):
                if callable(own) and own.__hash__ and own in by_function:
                    stack.enter_context(attribute(layer, name, by_function[own]))
        yield


def is_relu(name: str, arguments: tuple) -> bool:
    """Whether a function is a ReLU: by its name, or as the maximum of a tensor and 0."""
    zero = any(isinstance(x, int | float) and x == 0 for x in arguments)
    return name in RELUS and (name != "maximum" or zero)


def nth_squashed(
    number: int,
    result: Callable[[Any], Any] = lambda x: x,
    operation: Operation | None = None,
) -> Operation:
    """Return the operation that gives `result(x)` in place of the softmax or sigmoid `number`.

    Other functions are left to another `operation`, if there is one.
    """
    calls = count()

    def chosen(name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if name in SQUASHING and next(calls) == number:
            from keras import ops

            return result(ops.convert_to_tensor((*args, *kwargs.values())[0]))
        if operation is not None:
            return operation(name, function, *args, **kwargs)
        return function(*args, **kwargs)

    return chosen
