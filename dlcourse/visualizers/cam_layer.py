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
Pixels = list[tuple[float, float]]
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
    wanted, back = {probe.outputs[output]}, []
    open_to = 0 if wanted <= made else len(probe.steps)
    for number, step in reversed(list(enumerate(probe.steps))):
        if step is not without and (number < open_to or wanted & {*step.outputs}):
            back.append(step)
            wanted |= {*step.inputs}
            open_to = open_to if made.issuperset(step.inputs) else max(open_to, step.begun)
    reached, steps = {probe.inputs[source]}, []
    for step in reversed(back):
        if reached & {*step.inputs} or not made.issuperset(step.inputs):
            reached |= {*step.outputs}
            steps.append(step)
    last = probe.outputs[output]
    return steps if last in reached or last not in made else []


def default_call(model: Any, probe: Probe, output: int, source: int) -> LayerCall | None:
    """Return the call that gives the last maps before the network's last reduction of places.

    The reduction is a pooling, a flattening or an attention to one token, on the way from the input
    to the output. A local pooling before it is passed over. None if there are no such maps.
    """
    steps, parts = way(probe, output, source), hooks.parts(model)
    places = {t: shape[:-1] for t, shape in probe.shapes.items()}
    made = {t: step for step in probe.steps for t in step.outputs if t not in step.inputs}
    learned: set[int] = set()  # tensors behind a layer with weights
    rank = len(places[probe.inputs[source]])
    apart: set[int] = set()  # rows of vectors without a place, as of the members of an ensemble
    cuts, reads, last = [], [], None
    for step in steps:
        unknown = [t for t in step.inputs if t not in made and t not in probe.inputs]
        maps = [t for t in step.inputs if t in learned or (learned and t in unknown)]
        maps = [t for t in maps if prod(places[t]) > 1 and t not in apart]
        after = max((places[t] for t in step.outputs), key=prod, default=())
        fewer = [t for t in maps if len(after) < len(places[t]) and prod(after) < prod(places[t])]
        if last is not None and any(prod(places[t]) == 1 for t in unknown):
            cuts.append((last, step))  # by a function called in a `call`
        if lost := maps if prod(after) == 1 else fewer:
            cuts.append((max(lost, key=lambda t: prod(probe.shapes[t])), step))
        learns = hooks.learns(parts[step.call.position])
        reads += [(maps[0], step)] if maps and learns else []
        if all(prod(places[t]) == 1 or t in apart for t in step.inputs):
            apart.update(t for t in step.outputs if len(places[t]) < rank)
        if learns or learned.intersection(step.inputs) or (learned and unknown):
            learned.update(step.outputs)
            last = next((t for t in step.outputs if prod(places[t]) > 1), last)
    if cuts and len(places[cuts[-1][0]]) < rank:  # as of frames, after each was pooled
        whole = [cut for cut in cuts if len(places[cut[0]]) == rank]
        only = [cut for cut in whole if not way(probe, output, source, cut[1])]
        row = replace(cuts[-1][1].call, shape=probe.shapes[cuts[-1][0]])
        patches = with_grid(probe, row, source, None).grid
        cuts = only or (cuts if patches else whole or cuts)
    if not (cuts or reads):
        return None
    tensor, step = (cuts or reads)[-1]  # an output with places: what its last layer reads
    attentions = [s for s in steps[: steps.index(step)] if "Attention" in s.call.kind]
    if cuts and step.chooses and attentions:  # other tokens matter to the last attention only
        tensor, step = attentions[-1].inputs[:2][-1], attentions[-1]
    while (maker := made.get(tensor)) and (
        "Pooling" in maker.call.kind or maker.call.kind in TURNS
    ):
        tensor, step = maker.inputs[0], maker
    call = replace(step.call, entering=True) if maker is None else maker.call
    return replace(call, shape=probe.shapes[tensor])


def called(model: Any, probe: Probe, output: int, source: int, layer: Any) -> LayerCall:
    """Return the last call of a layer on the way to the output; see `hooks.find_calls`.

    Raises:
        UserError: There is no such layer or call, or the output does not depend on it.
    """
    calls = hooks.find_calls(probe.calls, layer, model)
    steps, on = ({step.call.key for step in x} for x in (probe.steps, way(probe, output, source)))
    used = [call for call in calls if call.key not in steps - on]
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
    if grid is not None:
        sizes = np.asarray(grid)
        fits = len(tokens) == 1 and sizes.shape == (axes,) and sizes.dtype.kind in "iu"
        if not fits or sizes.min() < 1 or sizes.prod() > tokens[0]:
            reason = f"expected rows and columns of tokens; layer {call.name} has {tokens} places"
            raise UserError(f"{reason}, got {grid}", setting="grid")
    for step in probe.steps if grid is None and len(tokens) == 1 < axes else ():
        for patches, row in product(step.inputs, step.outputs):  # maps of patches, put in a row
            before, after = (probe.shapes[t][:-1] for t in (patches, row))
            grid = before if after == (prod(before),) <= tokens and len(before) == axes else grid
    return replace(call, grid=grid and tuple(map(int, grid)))


def pixels_of(model: Any, probe: Probe, call: LayerCall, source: int) -> Pixels | None:
    """Return where the places of a call's tensor lie in the input; None if they have other axes."""
    parts, places = hooks.parts(model), {t: shape[:-1] for t, shape in probe.shapes.items()}
    start = probe.inputs[source]
    if call.grid:
        scales = [n / m for n, m in zip(places[start], call.grid, strict=False)]
        return [(scale, (scale - 1) / 2) for scale in scales]
    pixels: dict[int, Pixels] = {start: [(1.0, 0.0)] * len(places[start])}
    for step in probe.steps:
        # Of what a function in a `call` has given, an earlier tensor of the same places is known.
        like = [t for t in reversed(pixels) if places[t] in [places[x] for x in step.inputs]]
        known = next((t for t in (*step.inputs, *like) if t in pixels), None)
        here = step.call.key == call.key
        for made in () if known is None or (here and call.entering) else step.outputs:
            local = _local(parts[step.call.position], places[known], places[made])
            if local is not None:
                base = pixels[known] if len(pixels[known]) == len(local) else [(1.0, 0.0)]
                pixels[made] = [
                    (a * scale, a * offset + b)
                    for (a, b), (scale, offset) in zip(base, local, strict=True)
                ]
        if here:
            return pixels.get(known if call.entering else step.outputs[0])  # pyright: ignore
    return None


def _local(layer: Any, before: tuple[int, ...], after: tuple[int, ...]) -> Pixels | None:
    """Return where the places of a layer's output lie in its input; None if their axes differ."""
    kind, axes = type(layer).__name__, len(after)
    if kind == "Embedding":  # one place for each token
        return [(1.0, 0.0)] * axes
    if len(before) != axes or kind in TURNS:
        return None
    if kind == "TimeDistributed":
        return [(1.0, 0.0), *(_local(layer.layer, before[1:], after[1:]) or ())]
    if kind.startswith(("Cropping", "ZeroPadding")):
        cut, sign = (layer.cropping, 1) if "Cropping" in kind else (layer.padding, -1)
        return [(1.0, float(sign * first)) for first in np.ravel(cut)[::2]]

    def each(name: str) -> tuple:
        value = getattr(layer, name, None)
        return tuple(value) if isinstance(value, tuple | list) else (value,) * axes

    kernels = each("kernel_size" if hasattr(layer, "kernel_size") else "pool_size")
    dilations, strides, pixels = each("dilation_rate"), each("strides"), []
    for k, (n, m) in enumerate(zip(before, after, strict=True)):
        if kernels[k] and strides[k] and "Transpose" not in kind:
            reach = (kernels[k] - 1) * (dilations[k] or 1)
            padded = max((m - 1) * strides[k] + reach + 1 - n, 0)
            first = {"valid": 0, "causal": reach}.get(layer.padding, padded // 2)
            pixels.append((float(strides[k]), reach / 2 - first))
        else:  # resized around the centre, or as before
            seen = m if kind == "CenterCrop" and all(map(int.__le__, after, before)) else n
            for name, keep in (("crop_to_aspect_ratio", min), ("pad_to_aspect_ratio", max)):
                if getattr(layer, name, False):
                    seen = keep(n, int(before[1 - k] * m / after[1 - k]))
            scale = 1 / strides[k] if "Transpose" in kind else seen / m
            pixels.append((scale, int((n - seen) / 2) + (seen - 1) / 2 - scale * (m - 1) / 2))
    return pixels
