"""Softmax, sigmoid and ReLU, wherever a model computes them: by a layer, an operation, a lambda.

The backend's own functions are replaced during one call of the model, and for its thread only.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import count, product
from threading import get_ident
from typing import Any

from dlcourse.heavy import keras, ops

Operation = Callable[..., Any]
"""`operation(name, function, x, …)`: its result replaces that of `function(x, …)`."""
ENDINGS = ("softmax", "log_softmax", "sigmoid", "log_sigmoid", "hard_sigmoid")
RELUS = ("relu", "relu6", "maximum")
STEPS = ("where", "multiply", "add", "clip", "clip_by_value", "mul", "add_v2")
"""Functions that a ReLU can be written with: of Keras, and the generated ones of TensorFlow."""
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


@contextmanager
def replaced(operation: Operation, layers: list, loops: list) -> Iterator[None]:
    """Within the block, each function is `operation`; none that is part of another one.

    Args:
        operation: Function called in place of each.
        layers: Layers; an attribute that is such a function is replaced as well.
        loops: Not empty while a loop over time steps runs: there, only ReLUs are replaced, as the
            number of calls depends on how the loop is compiled.
    """
    here, inside, table = get_ident(), [], {}

    def instead(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != here or inside or (loops and name in ENDINGS):
                return function(*args, **kwargs)
            return within(inside)(operation, name, function, *args, **kwargs)

        return call

    backend = import_module("keras.src.backend")
    modules = [backend.nn, backend.numpy, *map(import_module, MODULES[keras.backend.backend()])]
    with ExitStack() as stack:
        for module, name in product(modules, (*ENDINGS, *RELUS, *STEPS)):
            if function := getattr(module, name, None):
                table[function] = instead(name, function)
                stack.enter_context(attribute(module, name, table[function]))
        for layer in layers:
            for name, own in list(vars(layer).items()):
                if callable(own) and own.__hash__ and own in table:
                    stack.enter_context(attribute(layer, name, table[own]))
        yield


def within(marks: list) -> Callable[..., Any]:
    """Return the hook with which `marks` is not empty during a call."""

    def hook(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        marks.append(call)
        try:
            return call(*args, **kwargs)
        finally:
            marks.pop()

    return hook


def is_relu(name: str, arguments: tuple) -> bool:
    """Whether a function is a ReLU: by its name, or as the maximum of a tensor and 0."""
    zero = any(isinstance(x, int | float) and x == 0 for x in arguments)
    return name in RELUS and (name != "maximum" or zero)


def nth_ending(
    number: int,
    several: int = 1,
    result: Callable[[Any], Any] = lambda x: x,
    otherwise: Operation | None = None,
) -> Operation:
    """Return the operation that gives `result(x)` in place of `several` softmaxes or sigmoids.

    `number` is that of the first of these calls.

    Other functions are left to the operation `otherwise`, if there is one.
    """
    calls = count()

    def operation(name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if name in ENDINGS and number <= next(calls) < number + several:
            return result(ops.convert_to_tensor((*args, *kwargs.values())[0]))
        first = (name, function) if otherwise else ()
        return (otherwise or function)(*first, *args, **kwargs)

    return operation
