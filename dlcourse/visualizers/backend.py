"""What depends on the Keras backend: the gradient with respect to an input, and compiling.

On TensorFlow a compiled function is about ten times faster than eager execution, but tracing it
costs more than one eager call: it pays when the function is used again. So compiled functions are
cached per model, for as long as the model lives.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, ref

from dlcourse.heavy import keras

_COMPILED: WeakKeyDictionary[Any, dict[Any, Callable[..., Any] | None]] = WeakKeyDictionary()


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `g(x, *rest) → (scores, gradient, extra)` of `function(x, *rest) → (scores, extra)`.

    Args:
        function: Function of a tensor, or of a list of tensors. It returns scores `(n,)` to be
            summed, and anything else wanted from the same pass.

    Returns:
        A function whose `gradient` has the structure of `x`: d(sum of scores)/dx.
    """

    def on_tensorflow(x: Any, *rest: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            scores, extra = function(x, *rest)
            total = tf.reduce_sum(scores)
        zero = tf.UnconnectedGradients.ZERO
        return scores, tape.gradient(total, x, unconnected_gradients=zero), extra

    def on_jax(x: Any, *rest: Any) -> Any:
        import jax  # pyright: ignore[reportMissingImports]

        def total(x: Any) -> Any:
            scores, extra = function(x, *rest)
            return scores.sum(), (scores, extra)

        gradient, (scores, extra) = jax.grad(total, has_aux=True)(x)
        return scores, gradient, extra

    def on_torch(x: Any, *rest: Any) -> Any:
        import torch  # pyright: ignore[reportMissingImports]

        with torch.enable_grad():
            x = keras.tree.map_structure(lambda tensor: tensor.detach().requires_grad_(), x)
            scores, extra = function(x, *rest)
            inputs = keras.tree.flatten(x)
            gradient = torch.autograd.grad(scores.sum(), inputs, materialize_grads=True)
        return scores, keras.tree.pack_sequence_as(x, gradient), extra

    table = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}
    return table[keras.backend.backend()]


def compiled(
    model: Any, key: Any, function: Callable[..., Any], *, any_batch: bool = False
) -> Callable[..., Any]:
    """Return `function(model, *arguments)` as a compiled `f(*arguments)`.

    Args:
        model: Model that is read at each call: its weights may change, its layers may not (put
            into `key` what the trace depends on).
        key: Key of this function among those of the model; its last part is the structure that the
            trace depends on.
        function: Function to compile. It must not hold `model`, so that a dropped model is freed.
        any_batch: On TensorFlow, whether one trace serves any size of the arguments' first axes.
            The first call then runs eagerly: a single short pass costs less than its tracing.

    Returns:
        A function of arrays or tensors; it returns the backend's tensors, or NumPy arrays.
    """
    kept = _COMPILED.setdefault(model, {})
    backend = keras.backend.backend()
    if key not in kept:
        for earlier in [k for k in kept if k[-1] != key[-1]]:  # traces of another structure
            kept.pop(earlier, None)
        if any_batch and backend == "tensorflow" and not crashes_eagerly(model):
            kept[key] = None  # called once
            return lambda *arguments: _call(ref(model), function, *_tensors(arguments))
    run = kept.get(key)
    if run is None:
        builders = {"jax": _with_jax, "torch": _with_torch}
        build: Any = builders.get(backend, partial(_with_tensorflow, any_batch))
        kept[key] = run = build(ref(model), function)
    return run


def crashes_eagerly(model: Any) -> bool:
    """Whether TensorFlow's eager tape fails on a layer.

    It corrupts memory at a stride with a kernel of one step, and the gradient of its eager
    MaxPooling3D is wrong where values nearly tie.
    """
    return any(
        (getattr(layer, "kernel_size", None) == (1,) and getattr(layer, "strides", (1,)) != (1,))
        or type(layer).__name__ == "MaxPooling3D"
        for layer in model._flatten_layers()
    )


def _with_tensorflow(
    any_batch: bool, model: Callable[[], Any], function: Callable[..., Any]
) -> Callable[..., Any]:
    """Use a `partial`, not a lambda: TensorFlow would count all lambdas of this line as one
    function, and warn that it is retraced too often."""
    import tensorflow as tf

    whole, made = partial(_call, model, function), []

    def spec(x: Any) -> Any:
        return tf.TensorSpec((None, *x.shape[1:]) if len(x.shape) else (), x.dtype)

    def run(*arguments: Any) -> Any:
        if not made:
            made.append(tf.function(whole, autograph=False))
            if any_batch:
                with suppress(Exception):  # of a `call` that needs the batch's size
                    signature = keras.tree.map_structure(spec, arguments)
                    general = tf.function(whole, input_signature=signature, autograph=False)
                    general.get_concrete_function()
                    made[0] = general
        return made[0](*arguments)

    return run


def _call(model: Callable[[], Any], function: Callable[..., Any], *arguments: Any) -> Any:
    """Call without writing any variable: a stateful layer's new state is dropped."""
    with keras.StatelessScope():
        return function(model(), *arguments)


def _tensors(arguments: tuple) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, arguments)


def _with_jax(model: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the weights as arguments, or they would be constants of the compiled function."""
    import jax  # pyright: ignore[reportMissingImports]

    def stateless(values: list, arguments: tuple) -> Any:
        mapping = list(zip(model().variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(model(), *arguments)

    run = jax.jit(stateless)
    return lambda *arguments: run([v.value for v in model().variables], arguments)


def _with_torch(model: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Run eagerly, without compiling, and return NumPy arrays."""
    import torch  # pyright: ignore[reportMissingImports]

    def run(*arguments: Any) -> Any:
        with torch.no_grad():
            result = _call(model, function, *_tensors(arguments))
        return keras.tree.map_structure(keras.ops.convert_to_numpy, result)

    return run
