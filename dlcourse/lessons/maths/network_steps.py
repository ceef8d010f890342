"""A network's forward and backward pass, step by step, and its number of parameters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import ACTIVATIONS
from dlcourse.lessons.maths.arguments import array
from dlcourse.lessons.maths.losses import OF_LOGITS
from dlcourse.lessons.maths.network import Backward, Network, count_parameters, parameters_per_layer
from dlcourse.lessons.maths.steps import Step, cross_entropy_text, products, show, term


def network(
    sizes: Sequence[int],
    activations: Sequence[str],
    x: ArrayLike,
    y: ArrayLike,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> list[Step]:
    """Return the forward and backward pass of one example, in the slides' columns.

    Args:
        sizes, activations, seed: Arguments of `network.Network`.
        x, y: Input (inputs,) and target (outputs,).
        learning_rate: Learning rate, at least 0.
    """
    net = Network(sizes, activations, layout="slides", seed=seed)
    X = array("x", x, (net.sizes[0],))[:, None]
    Y = array("y", y, (net.sizes[-1],))[:, None]
    z, a = net.forward(X)
    lines = [*parameters(sizes), Step(f"forward, a[0] = x = {show(X[:, 0])}:")]
    for k, (W, b) in enumerate(zip(net.W, net.b, strict=True), 1):
        for j in range(len(W)):
            numbers = f"{products(W[j], a[k - 1][:, 0], digits=4)} + {term(b[j, 0])}"
            formula = f"w·a[{k - 1}] + b"
            lines.append(Step(f"z{j + 1}[{k}]", formula, numbers, show(z[k - 1][j, 0], 6)))
        name = net.activations[k - 1]
        lines.append(Step(f"a[{k}]", f"{name}(z[{k}])", "", _column(a[k])))
    formula, _ = _loss_formulas(net.loss_name, len(Y))
    single = net.loss_name == "binary_cross_entropy" and len(Y) == 1
    numbers = cross_entropy_text(_column(a[-1]), _column(Y)) if single else ""
    loss = Step(net.loss_name, formula, numbers, show(net.loss(X, Y), 6))
    lines += [Step("y", value=_column(Y)), loss, *_backward(net, net.backward(X, Y), z, a, Y)]
    net.step(X, Y, learning_rate)
    lines.append(Step(f"the step, α = {show(learning_rate)}:"))
    for k, (W, b) in enumerate(zip(net.W, net.b, strict=True), 1):
        lines.append(Step(f"new W[{k}]", f"W[{k}] − α·dW[{k}]", "", show(W, 4)))
        lines.append(Step(f"new b[{k}]", f"b[{k}] − α·db[{k}]", "", _column(b, 4)))
    return [*lines, Step("L after", value=show(net.loss(X, Y), 6))]


def _backward(net: Network, back: Backward, z: list, a: list, Y: np.ndarray) -> list[Step]:
    """Return dz, dW, db and da of each layer with their formulas, from the loss to the input."""
    lines, last = [Step("backward:")], len(z)
    for k in range(last, 0, -1):
        g, dz, da = net.activations[k - 1], back.dz[k - 1], back.da[k]
        if k == last and (net.loss_name, g) in OF_LOGITS:
            formula, numbers = f"a[{k}] − y", f"{_column(a[k])} − {_column(Y)}"
            if g == "sigmoid" and len(Y) > 1:
                formula, numbers = f"({formula})/k", f"({numbers})/{len(Y)}"
        else:
            slope = _loss_formulas(net.loss_name, len(Y))[1]
            before = f"W[{k + 1}]ᵀ·dz[{k + 1}]" if k < last else slope
            lines.append(Step(f"da[{k}]", before, "", _column(da)))
            formula, numbers = f"da[{k}]·{g}′(z[{k}])", ""
            if g not in ("softmax", "hardmax"):
                numbers = f"{_column(da)}·{_column(ACTIVATIONS[g].derivative(z[k - 1]))}"
        outer = f"{_column(dz, 4)}·{_column(a[k - 1], 4)}ᵀ"
        lines += [
            Step(f"dz[{k}]", formula, numbers, _column(dz)),
            Step(f"dW[{k}]", f"dz[{k}]·a[{k - 1}]ᵀ", outer, show(back.dW[k - 1], 4)),
            Step(f"db[{k}]", f"dz[{k}]", "", _column(back.db[k - 1])),
        ]
    return [*lines, Step("da[0]", "W[1]ᵀ·dz[1]", "", _column(back.da[0]))]


def _loss_formulas(loss: str, k: int) -> tuple[str, ...]:
    """Return the formulas of one example's loss over k outputs, and of its da."""
    formulas = {
        "mse": ("Σ(a − y)²/k", "2·(a − y)/k"),
        "binary_cross_entropy": (
            f"Σ{cross_entropy_text('a', 'y')}/k",
            "(−y/a + (1 − y)/(1 − a))/k",
        ),
        "categorical_cross_entropy": ("−Σ y·log a", "−y/a"),
    }[loss]
    return tuple(text.replace("Σ", "").replace("/k", "") if k == 1 else text for text in formulas)


def parameters(sizes: Sequence[int]) -> list[Step]:
    """Return the numbers of weights and biases of dense layers of these sizes, layer by layer."""
    counts = parameters_per_layer(sizes)
    lines = [
        Step(f"layer {i + 1}", "(inputs + 1 bias)·neurons", f"({n} + 1)·{k}", count)
        for i, (n, k, count) in enumerate(zip(sizes[:-1], sizes[1:], counts, strict=True))
    ]
    weights = count_parameters(sizes, biases=False)
    biases = sum(counts) - weights
    return [
        *lines,
        Step("parameters", "weights + biases", f"{weights:,} + {biases:,}", sum(counts)),
    ]


def _column(values: np.ndarray, digits: int = 6) -> str:
    """Return a column (n, 1) as (…, …); a single number has brackets only if it is negative."""
    return term(values[0, 0], digits) if len(values) == 1 else show(values[:, 0], digits)
