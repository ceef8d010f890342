"""Rules on the X-ray: vanishing, exploding, dead, saturated and symmetric layers.

References:
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010: spread of activations and gradients by layer, saturation.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dlcourse.lab.diagnosis.evidence import Evidence, LayerStatistics
from dlcourse.lab.diagnosis.findings import THRESHOLDS, Finding
from dlcourse.lab.diagnosis.overrides import another_rate, possible

Layers = Sequence[LayerStatistics]


def symmetric_layers(evidence: Evidence) -> Finding | None:
    """Hidden layers whose neurons all have equal weights, and keep them equal."""

    def equal(layer: LayerStatistics) -> bool:
        return not layer.output and layer.equal >= THRESHOLDS["symmetric"]

    epoch, faulty = _lasting(evidence, equal)
    if not faulty:
        return None
    return Finding(
        "symmetric_layers",
        f"the neurons of {_named(faulty)} have equal weights: they compute the same output "
        "and get the same gradient, so the layer acts as a single neuron",
        f"{_most(faulty, 'equal'):.0%} of the neurons equal another: start from random weights",
        possible(evidence, "model.initializer=glorot_uniform"),
        epoch,
        tuple(layer.name for layer in faulty),
    )


def exploding_gradients(evidence: Evidence) -> Finding | None:
    """Layers whose gradient is very large, as a rule before the training."""
    start: Layers = evidence.xray[min(evidence.xray)] if evidence.xray else []
    faulty = [layer for layer in start if not layer.gradient_norm < THRESHOLDS["exploding"]]
    if not faulty:
        return None
    largest = max(faulty, key=lambda layer: layer.gradient_norm)
    he = str(evidence.setting("model.initializer")).startswith("he_")
    cures = [*([] if he else ["model.initializer=he_normal"]), "training.clip_norm=1"]
    return Finding(
        "exploding_gradients",
        f"the gradients of {_named(faulty)} explode: each layer multiplies them, and one step "
        "moves the weights far away",
        f"gradient norm {largest.gradient_norm:.3g} in {largest.name}, activations spread "
        f"{start[0].spread:.3g} in {start[0].name} and {start[-1].spread:.3g} in {start[-1].name}",
        possible(evidence, *cures, another_rate(evidence, 0.1, "0.0001")),
        min(evidence.xray),
        tuple(layer.name for layer in faulty),
    )


def vanishing_gradients(evidence: Evidence) -> Finding | None:
    """Layers whose gradient is below a thousandth of the largest: they hardly learn."""
    epoch, faulty = _first(evidence, vanished)
    if not faulty:
        return None
    layers = evidence.xray[epoch]
    largest = max(layers, key=lambda layer: layer.gradient_norm)
    least = min(faulty, key=lambda layer: layer.gradient_norm)
    activation = evidence.setting("model.activation", faulty[0].activation)
    cures = ["model.activation=relu"] if activation in ("sigmoid", "tanh", "softsign") else []
    return Finding(
        "vanishing_gradients",
        f"the gradient vanishes on its way back to {_named(faulty)}: they hardly learn",
        f"gradient norm {least.gradient_norm:.2g} in {least.name}, {largest.gradient_norm:.2g} in "
        f"{largest.name}",
        possible(evidence, *cures, "model.initializer=he_normal"),
        epoch,
        tuple(layer.name for layer in faulty),
    )


def vanished(layers: Layers) -> Layers:
    """Return the layers with a vanished gradient, unless symmetric or dead layers cause it."""
    if any(layer.equal >= THRESHOLDS["symmetric"] for layer in layers if not layer.output):
        return []
    if any(layer.dead >= THRESHOLDS["dead"] for layer in layers):
        return []
    largest = max(layer.gradient_norm for layer in layers)
    if largest < THRESHOLDS["none_left"]:
        return []
    limit = THRESHOLDS["vanishing"] * largest
    return [layer for layer in layers if not layer.output and layer.gradient_norm < limit]


def dead_layers(evidence: Evidence) -> Finding | None:
    """ReLU layers whose units are 0 for every example: no gradient passes through them."""

    def dead(layer: LayerStatistics) -> bool:
        return layer.dead >= THRESHOLDS["dead"] and layer.equal < THRESHOLDS["symmetric"]

    epoch, faulty = _lasting(evidence, dead)
    if not faulty:
        return None
    return Finding(
        "dead_layers",
        f"the ReLU units of {_named(faulty)} are dead: they output 0 for every example, so their "
        "gradient is 0 and they cannot recover",
        f"{_most(faulty, 'dead'):.0%} of the units are 0 for every example of the sample",
        possible(evidence, "model.activation=leaky_relu", another_rate(evidence, 0.1, "0.0001")),
        epoch,
        tuple(layer.name for layer in faulty),
    )


def saturated_layers(evidence: Evidence) -> Finding | None:
    """Sigmoid or tanh layers in the saturated range, where the derivative is almost 0."""
    start = evidence.xray.get(0)
    epoch, faulty = _first(evidence, lambda layers: _saturated(layers, before=layers is start))
    if not faulty:
        return None
    random = ("glorot_uniform", "glorot_normal", "lecun_normal")
    large = evidence.setting("model.initializer", random[0]) not in random
    cures = [] if large else ["model.activation=relu"]
    return Finding(
        "saturated_layers",
        f"{_named(faulty)} {'is' if len(faulty) == 1 else 'are'} saturated: the values are at the "
        "flat ends of the activation, where its derivative is almost 0",
        f"{_most(faulty, 'saturated'):.0%} of the values are within 0.05 of the ends",
        possible(evidence, *cures, "model.initializer=glorot_uniform"),
        epoch,
        tuple(layer.name for layer in faulty),
    )


def _saturated(layers: Layers, *, before: bool) -> Layers:
    """Return the saturated hidden layers; a confident output layer is not a fault."""
    limit = THRESHOLDS["saturated" if before else "saturated_trained"]
    return [layer for layer in layers if not layer.output and layer.saturated >= limit]


def _lasting(evidence: Evidence, chosen: Callable[[Any], bool]) -> tuple[int, Layers]:
    """Return the layers chosen in the last epoch, and the first epoch in which all of them are."""
    epochs = sorted(evidence.xray)
    last = [layer for epoch in epochs[-1:] for layer in evidence.xray[epoch] if chosen(layer)]
    names = {layer.name for layer in last}
    for epoch in epochs:
        if names <= {layer.name for layer in evidence.xray[epoch] if chosen(layer)}:
            return epoch, last
    return 0, last


def _first(evidence: Evidence, chosen: Callable[[Layers], Layers]) -> tuple[int, Layers]:
    """Return the layers chosen before the training or, if none, at its end, and that epoch."""
    epochs = sorted(evidence.xray)
    for epoch in (*epochs[:1], *epochs[-1:]):
        if faulty := chosen(evidence.xray[epoch]):
            return epoch, faulty
    return 0, []


def _most(faulty: Layers, name: str) -> float:
    return max(getattr(layer, name) for layer in faulty)


def _named(layers: Layers) -> str:
    """Return `a`, `a and b`, or `5 layers, a to e,` for more than 3."""
    names = [layer.name for layer in layers]
    if len(names) > 3:
        return f"{len(names)} layers, {names[0]} to {names[-1]},"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
