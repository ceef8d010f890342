"""The feature maps that a class activation map reads, and where their places lie in the image."""

from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.probing import Probe, Step

TURNS = ("Permute", "Transpose")  # of axes
Grid = list[tuple[float, float]]
"""For each axis (scale, offset): place i lies at scale · i + offset in pixels of the input."""


def way(probe: Probe, output: int, source: int, without: Step | None = None) -> list[Step]:
    """Return the steps from an input to an output, in order; empty if they do not connect.

    A tensor that no step gives may come from every earlier step: functions called in a `call` are
    no steps.

    Args:
        probe: The model's steps.
        output, source: Indices of the output and the input.
        without: Step through which it may not lead.
    """
    made = {t for step in probe.steps for t in step.outputs} | {*probe.inputs}
    wanted = {probe.outputs[output]}
    open_to = 0 if wanted <= made else len(probe.steps)
    back: list[Step] = []
    for number, step in reversed(list(enumerate(probe.steps))):
        if step is not without and (number < open_to or wanted & {*step.outputs}):
            back.insert(0, step)
            wanted |= {*step.inputs}
            open_to = open_to if {*step.inputs} <= made else max(open_to, step.begun)
    known, steps = {probe.inputs[source]}, []
    for step in back:
        if known & {*step.inputs} or not {*step.inputs} <= made:
            known |= {*step.outputs}
            steps.append(step)
    joined = {probe.outputs[output]} & known or not {probe.outputs[output]} <= made
    return steps if joined else []


class Places:
    """The places of a model's tensors: `(height, width)` of maps, `(steps,)` of a sequence."""

    def __init__(self, model: Any, probe: Probe) -> None:
        self.parts, self.probe = hooks.parts(model), probe
        self.made = {t: step for step in probe.steps for t in step.outputs if t not in step.inputs}
        self.learned: set[int] = set()  # behind a layer with weights
        for step in probe.steps:
            learns = hooks.learns(self.parts[step.call.position])
            unknown = any(t not in self.made and t not in probe.inputs for t in step.inputs)
            if learns or (unknown and self.learned) or self.learned & {*step.inputs}:
                self.learned |= {*step.outputs}

    def size(self, tensor: int) -> tuple[int, ...]:
        """Return the places of a tensor, without its channels."""
        return self.probe.shapes[tensor][:-1]

    def lost(self, tensor: int, step: Step) -> bool:
        """Whether a step reduces the places of its input: to one, or to fewer axes."""
        before = self.size(tensor)
        after = max(map(self.size, step.outputs), key=prod, default=())
        fewer = len(after) < len(before) and prod(after) < prod(before)
        return prod(before) > 1 and (prod(after) == 1 or fewer)

    def last(self, steps: list[Step]) -> int | None:
        """Return the last tensor behind a layer with weights that has more than one place."""
        outputs = [t for step in reversed(steps) for t in step.outputs]
        return next((t for t in outputs if t in self.learned and prod(self.size(t)) > 1), None)

    def reductions(self, steps: list[Step]) -> list[tuple[int, Step]]:
        """Return the tensors whose places a step reduces, with this step, the last ones first."""
        pairs = []
        for step in reversed(steps):
            tensors = [t for t in step.inputs if t in self.learned or t not in self.made]
            tensors = [t for t in tensors if t not in self.probe.inputs and self.lost(t, step)]
            if tensors:
                pairs.append((max(tensors, key=lambda t: prod(self.probe.shapes[t])), step))
            for t in step.inputs:  # reduced by a function called in a `call`
                before = [s for s in steps if s in self.probe.steps[: step.begun]]
                if t not in self.made and prod(self.size(t)) == 1 and t not in self.probe.inputs:
                    pairs += [(last, step)] if (last := self.last(before)) is not None else []
        return pairs


def default_call(model: Any, probe: Probe, output: int, source: int) -> LayerCall | None:
    """Return the call that gives the last maps before the network's last reduction of places.

    The reduction is a pooling, a flattening or an attention to one token, on the way from the input
    to the output. A local pooling before it is passed over. None if there are no such maps.
    """
    steps, places = way(probe, output, source), Places(model, probe)
    pairs = places.reductions(steps)
    rank = len(places.size(probe.inputs[source]))
    if pairs and len(places.size(pairs[0][0])) < rank:  # as of frames, after each was pooled
        pairs = [
            (t, step)
            for t, step in pairs
            if len(places.size(t)) == rank and not way(probe, output, source, step)
        ] or pairs
    if pairs:
        tensor, step = pairs[0]
        attentions = [s for s in steps[: steps.index(step)] if "Attention" in s.call.kind]
        if step.chooses and attentions:  # the other tokens matter to the last attention only
            tensor, step = attentions[-1].inputs[:2][-1], attentions[-1]
    else:  # an output with places: what its last layer with weights reads
        pairs = [(s.inputs[0], s) for s in steps if hooks.learns(places.parts[s.call.position])]
        pairs = [(t, s) for t, s in pairs if t in places.learned and prod(places.size(t)) > 1]
        if not pairs:
            return None
        tensor, step = pairs[-1]
    made = places.made.get(tensor, step)
    while made is not step and ("Pooling" in made.call.kind or made.call.kind in TURNS):
        tensor, step = made.inputs[0], made
        made = places.made.get(tensor, step)
    shape = probe.shapes[tensor]
    if made is not step or tensor in step.outputs:
        return replace(made.call, shape=shape)
    return replace(step.call, shape=shape, entering=True)


def called(model: Any, probe: Probe, output: int, source: int, layer: Any) -> LayerCall:
    """Return the last call of a layer on the way to the output, or the one asked as (layer, call).

    Raises:
        UserError: There is no such layer or call, or the output does not depend on it.
    """
    number = None
    if isinstance(layer, tuple) and len(layer) == 2:
        layer, number = layer
    calls = hooks.find_calls(probe.calls, layer, model)
    if number is not None:
        if number not in range(len(calls)):
            known = ", ".join(f"({call.name!r}, {k})" for k, call in enumerate(calls))
            raise UserError(f"no call {number} (known: {known})", setting="layer")
        calls = [calls[number]]
    steps = {(step.call.position, step.call.number) for step in probe.steps}
    on = {(step.call.position, step.call.number) for step in way(probe, output, source)}
    used = [call for call in calls if (call.position, call.number) not in steps - on]
    if not used:
        reason = f"output {output} does not depend on {calls[-1].name}: name a layer on its way"
        raise UserError(reason, setting="layer")
    return used[-1]


def with_grid(probe: Probe, call: LayerCall, source: int, grid: Any) -> LayerCall:
    """Return the call with the grid of its tokens: the one given, or that of the patches' layer.

    A call without tokens is returned as it is.

    Raises:
        UserError: The layer has no such number of tokens.
    """
    tokens, axes = (call.shape or (0,))[:-1], len(probe.shapes[probe.inputs[source]]) - 1
    if grid is None and (len(tokens) != 1 or axes < 2):
        return call
    if grid is None:
        for step in probe.steps:  # the maps of patches, put in a row
            for patches, row in product(step.inputs, step.outputs):
                before, after = (probe.shapes[t][:-1] for t in (patches, row))
                if len(before) == axes and after == (prod(before),) and after <= tokens:
                    grid = before
        return replace(call, grid=grid)
    sizes = np.asarray(grid)
    if sizes.shape != (axes,) or sizes.dtype.kind not in "iu" or not 0 < sizes.prod() <= tokens[0]:
        raise UserError(
            f"expected rows and columns of {tokens[0]} tokens, got {grid}", setting="grid"
        )
    return replace(call, grid=tuple(map(int, grid)))


def pixels_of(model: Any, probe: Probe, call: LayerCall, source: int) -> Grid | None:
    """Return where the places of a call's tensor lie in the input; None if they have other axes."""
    parts, start = hooks.parts(model), probe.inputs[source]
    if call.grid:
        scales = [n / m for n, m in zip(probe.shapes[start], call.grid, strict=False)]
        return [(scale, (scale - 1) / 2) for scale in scales]
    size = {t: shape[:-1] for t, shape in probe.shapes.items()}
    grids: dict[int, Grid] = {start: [(1.0, 0.0)] * len(size[start])}
    for step in probe.steps:
        known = [t for t in step.inputs if t in grids]
        # what a function in a `call` has given, of the same places as an earlier tensor
        known += [
            g for t in step.inputs for g in reversed(grids) if size[g] == size[t] and not known
        ]
        here = (step.call.position, step.call.number) == (call.position, call.number)
        if here and call.entering:
            return grids.get(known[0]) if known else None
        for made in step.outputs if known else ():
            turned = step.call.kind in TURNS or len(size[made]) != len(size[known[0]])
            if step.call.kind == "Embedding":  # one place for each token
                grids[made] = [(1.0, 0.0)] * len(size[made])
            elif made not in grids and not turned:
                local = _local(parts[step.call.position], size[known[0]], size[made])
                grids[made] = [
                    (a * scale, a * offset + b)
                    for (a, b), (scale, offset) in zip(grids[known[0]], local, strict=True)
                ]
        if here:
            return grids.get(step.outputs[0])
    return None


def _local(layer: Any, before: tuple[int, ...], after: tuple[int, ...]) -> Grid:
    """Return where the places of a layer's output lie in its input."""
    inner = getattr(layer, "layer", None)  # of TimeDistributed: the frames stay as they are
    if inner is not None and len(before) > 1:
        return [(1.0, 0.0), *_local(inner, before[1:], after[1:])]
    axes = len(before)

    def each(name: str) -> list:
        value = getattr(layer, name, None)
        return list(value) if isinstance(value, tuple | list) else [value] * axes

    kernels, strides = each("kernel_size"), each("strides")
    kernels = kernels if kernels[0] else each("pool_size")
    cuts = each("cropping") if hasattr(layer, "cropping") else None
    if cuts is None and "ZeroPadding" in type(layer).__name__:
        cuts = [(-first, 0) for first, *_ in (each("padding") if axes > 1 else [layer.padding])]
    elif cuts is not None and axes == 1:
        cuts = [layer.cropping]
    if cuts is not None:
        return [(1.0, float(cut[0])) for cut in cuts]
    if not kernels[0] or not strides[0]:
        return [_resized(layer, before, after, axis) for axis in range(axes)]
    dilations = each("dilation_rate")
    return [
        _slid(layer, *each) for each in zip(kernels, strides, dilations, before, after, strict=True)
    ]


def _slid(layer: Any, kernel: int, stride: int, dilation: int | None, n: int, m: int) -> tuple:
    """Return scale and offset along one axis of a convolution or pooling, from n to m places."""
    reach = (kernel - 1) * (dilation or 1)
    if "Transpose" in type(layer).__name__:
        cut = max((n - 1) * stride + reach + 1 - m, 0) // 2
        return 1 / stride, (cut - reach / 2) / stride
    padded = max((m - 1) * stride + reach + 1 - n, 0)
    first = {"valid": 0, "causal": reach}.get(layer.padding, padded // 2)
    return float(stride), reach / 2 - first


def _resized(layer: Any, before: tuple, after: tuple, axis: int) -> tuple[float, float]:
    """Return scale and offset along one axis where the places are resized, or stay."""
    n, m = before[axis], after[axis]
    seen, keeps = n, {"crop_to_aspect_ratio": min, "pad_to_aspect_ratio": max}
    for keep in [keep for name, keep in keeps.items() if getattr(layer, name, False)]:
        seen = keep(n, int(before[1 - axis] * m / after[1 - axis]))
    if type(layer).__name__ == "CenterCrop" and all(map(int.__le__, after, before)):
        seen = m
    scale = seen / m
    return scale, int((n - seen) / 2) + (scale - 1) / 2
