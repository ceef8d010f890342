"""Guided back-propagation: the gradient, of which only positive values pass each ReLU."""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import keras, ops
from dlcourse.schema import Output, Positive, checked
from dlcourse.visualizers import hooks
from dlcourse.visualizers.operations import is_relu
from dlcourse.visualizers.probing import Probe, tensors_in
from dlcourse.visualizers.saliency import gradients, maps_of
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def guided_backpropagation(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Return the largest channel's positive guided gradient.

    Warning: these sharp pictures say little about the class. They hardly change when the layers
    near the output are given random weights (Adebayo et al., "Sanity Checks for Saliency Maps",
    2018, arXiv:1810.03292): the method recovers edges of the image rather than the network's
    reasons. Compare it with `saliency` or `grad_cam`.

    Args and raises as for `saliency`; the model needs a ReLU. Each must be a layer, an activation,
    `relu` or `maximum(x, 0)`: one written in another way, such as `where(x > 0, x, 0)`, is refused.

    References:
        Springenberg et al., "Striving for Simplicity", 2015, arXiv:1412.6806.
    """
    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    if target.probe not in _CHECKED:
        _check_relus(target)
    return maps_of(target, lambda p: (np.maximum(g, 0) for g in gradients(p, guided)), np.max)


def guided(name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Return `function(x)`; the backward pass of a ReLU keeps only positive upstream gradients.

    The ReLU's own gradient then stops it where the input was not positive.
    """

    @ops.custom_gradient
    def pass_positive(result: Any) -> Any:
        return ops.copy(result), lambda *upstream: ops.maximum(upstream[0], 0)

    result = function(*args, **kwargs)
    return pass_positive(result) if is_relu(name, args) else result


_CHECKED: WeakSet[Probe] = WeakSet()


def _check_relus(target: Target) -> None:
    """Check that the model has a ReLU, and none that `guided` does not see.

    Layers with weights, and the ReLUs that it sees, give noise instead of their results. Then only
    another ReLU makes some values 0 and none negative: the result of a function that it may be
    written with, or a tensor that a layer or operation takes or returns.

    Raises:
        UserError: It has none, or one written in another way.
    """
    n = hooks.fixed_batch(target.model) or min(max(target.batch_size, 2), 16)
    parts, rng = hooks.parts(target.model), np.random.default_rng(0)
    relus, made, found = [], [], []

    def noise(x: Any) -> Any:
        return x if x is None else ops.cast(np.resize(rng.uniform(-2, 2, 9973), x.shape), x.dtype)

    def examined(part: Any, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        found.extend(part.name for x in tensors_in((args, kwargs, made, result)) if _rectified(x))
        made.clear()
        return keras.tree.map_structure(noise, result) if getattr(part, "weights", ()) else result

    def noisy(name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        (relus if is_relu(name, args) else made).append(result)
        return abs(noise(result)) if is_relu(name, args) else result

    inputs = [np.repeat(x[:1], n, axis=0).astype("float32") for x in target.inputs]
    inputs = [x if target.takes_whole_numbers(k) else abs(noise(x)) for k, x in enumerate(inputs)]
    places = {step.call.position for step in target.probe.steps}
    changes = [(k, partial(examined, parts[k])) for k in places]
    with hooks.hooked(target.model, changes, noisy), keras.StatelessScope():
        hooks.outputs_of(target.model, inputs)
    if found:
        raise UserError(f"guided_backpropagation: write ReLU as ops.relu in or before {found[0]}")
    if not relus:
        raise UserError("guided_backpropagation: the model has no ReLU layer (use saliency)")
    _CHECKED.add(target.probe)


def _rectified(tensor: Any) -> bool:
    """Whether some values are 0, not the same in each row, and the rest several positive ones."""
    x: Any = ops.convert_to_numpy(tensor)
    is_cut = x.dtype.kind == "f" and x.min() == 0 and len(np.unique(x)) > 2
    is_cut = is_cut and x[x > 0].min() > 1e-9  # less is left where an exponential underflows
    return is_cut and len({row.tobytes() for row in x == 0}) > (len(x) > 1)
