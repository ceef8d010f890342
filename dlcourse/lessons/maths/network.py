"""A network of dense layers: forward propagation, backpropagation and mini-batch SGD in NumPy."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import ACTIVATIONS
from dlcourse.lessons.maths.arguments import array, choice, integer, probabilities, scalar
from dlcourse.lessons.maths.calculus import gradient
from dlcourse.lessons.maths.losses import LOSS_OF_ACTIVATION, LOSSES, OF_LOGITS

PROBABILITIES = ("sigmoid", "softmax", "hardmax", "piecewise_linear", "unit_step")
"""The activations with values from 0 to 1, which a cross-entropy needs as the last activation."""


class NotFiniteError(ValueError):
    """A calculation left the range of float64."""


class Forward(NamedTuple):
    """Every z and a: `a[0]` is the input; `a[l]` and `z[l - 1]` belong to layer l."""

    z: list[np.ndarray]
    a: list[np.ndarray]


class Backward(NamedTuple):
    """The derivatives of the cost: the "three avenues" dW, db and da, and dz.

    `dW[l - 1]`, `db[l - 1]` and `dz[l - 1]` belong to layer l, `da[l]` to its activation and
    `da[0]` to the input, which is not trained: it shows which inputs matter.
    """

    dW: list[np.ndarray]
    db: list[np.ndarray]
    da: list[np.ndarray]
    dz: list[np.ndarray]


class Network:
    """A network of dense layers with random (Glorot uniform) weights and zero biases.

    Args:
        sizes: Neurons per layer, the input first: `(784, 16, 16, 10)`.
        activations: Names of `ACTIVATIONS`, one per layer after the input.
        loss: Name of `LOSSES`; by default the loss that matches the last activation.
        layout: Layout of inputs and results. `keras`: examples in rows, X (m, n), W (inputs,
            neurons), b (neurons,). `slides`: examples in columns, X (n, m), W (neurons, inputs),
            b (neurons, 1). Only `_turned` translates between them.
        seed: Seed of the weights.

    Raises:
        ValueError: Sizes, names or shapes do not fit together.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        *,
        loss: str | None = None,
        layout: Literal["keras", "slides"] = "keras",
        seed: int = 0,
    ):
        self.sizes = _checked_sizes(sizes)
        if isinstance(activations, str) or len(activations) != len(self.sizes) - 1:
            raise ValueError(
                f"activations: expected {len(self.sizes) - 1} names, one per layer after the "
                f"input, got {activations!r}"
            )
        self.activations = [choice("activations", name, ACTIVATIONS) for name in activations]
        default = LOSS_OF_ACTIVATION.get(self.activations[-1], "mse")
        self.loss_name = choice("loss", loss or default, LOSSES)
        if self.loss_name != "mse" and self.activations[-1] not in PROBABILITIES:
            raise ValueError(
                f"loss: {self.loss_name} needs probabilities, expected a last activation of "
                f"{', '.join(PROBABILITIES)}, got {self.activations[-1]}"
            )
        self.layout = choice("layout", layout, ("keras", "slides"))
        random = np.random.default_rng(integer("seed", seed, 0))
        self._W = [_glorot(random, *pair) for pair in pairwise(self.sizes)]
        self._b = [np.zeros(size) for size in self.sizes[1:]]

    @property
    def W(self) -> list[np.ndarray]:
        """The weights of each layer, as views: changing them in place changes the network."""
        return self._out(self._W)

    @property
    def b(self) -> list[np.ndarray]:
        """The biases of each layer, as views."""
        return self._out(self._b)

    def set_weights(self, W: Sequence[ArrayLike], b: Sequence[ArrayLike]) -> None:
        """Copy weights and biases, in the network's layout; an error leaves all unchanged."""
        checked = []
        for name, arrays, own in (("W", W, self.W), ("b", b, self.b)):
            if len(arrays) != len(own):
                raise ValueError(f"{name}: expected {len(own)} arrays, got {len(arrays)}")
            for i, (new, old) in enumerate(zip(arrays, own, strict=True)):
                checked.append((old, array(f"{name}[{i}]", new, old.shape)))
        for old, new in checked:
            old[...] = new

    def forward(self, X: ArrayLike) -> Forward:
        """Return every z and a for the examples X, (m, n) or on the slides (n, m)."""
        z, a = self._forward(self._input(X).copy())
        return Forward(self._out(z), self._out(a))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the last layer's activation."""
        return self._turned(self._forward(self._input(X)).a[-1])

    def loss(self, X: ArrayLike, Y: ArrayLike) -> float:
        """Return the mean loss over the examples."""
        rows = self._input(X)
        return self._loss(self._forward(rows), self._target(Y, len(rows)))

    def backward(self, X: ArrayLike, Y: ArrayLike) -> Backward:
        """Return the derivative of the mean loss by every W, b, a and z."""
        rows = self._input(X)
        gradients = self._backward(self._forward(rows), self._target(Y, len(rows)))
        return Backward(*map(self._out, gradients))

    def step(self, X: ArrayLike, Y: ArrayLike, learning_rate: float) -> float:
        """Take one gradient step, w[l] −= α·dw[l] in every layer; return the loss before it."""
        rows = self._input(X)
        target = self._target(Y, len(rows))
        return self._step(rows, target, scalar("learning_rate", learning_rate, 0))

    def fit(
        self,
        X: ArrayLike,
        Y: ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.1,
        seed: int = 0,
    ) -> list[float]:
        """Train by mini-batch SGD, reshuffled in every epoch; return each epoch's mean loss.

        Args:
            X: Examples in the network's layout.
            Y: Targets in the same layout, one-hot for softmax (`losses.one_hot`).
            epochs, batch_size: Numbers of at least 1; an epoch's last batch may be smaller.
            learning_rate: Learning rate, at least 0.
            seed: Seed of the shuffling.

        Raises:
            ValueError: An argument is invalid, or training diverges to numbers that are not finite.
        """
        rows = self._input(X)
        target = self._target(Y, len(rows))
        learning_rate = scalar("learning_rate", learning_rate, 0)
        random = np.random.default_rng(integer("seed", seed, 0))
        starts = range(0, len(rows), integer("batch_size", batch_size, 1))
        history = []
        for epoch in range(1, integer("epochs", epochs, 1) + 1):
            order = random.permutation(len(rows))
            batches = [order[start : start + batch_size] for start in starts]
            losses = []
            try:
                for batch in batches:
                    losses.append(self._step(rows[batch], target[batch], learning_rate))
            except NotFiniteError as error:
                if not history and not losses:  # before any step the learning rate is not the cause
                    raise
                raise NotFiniteError(
                    f"learning_rate: expected less than {learning_rate:g}: training "
                    f"diverged in epoch {epoch} ({error})"
                ) from None
            history.append(float(np.dot(losses, [len(b) for b in batches])) / len(rows))
        return history

    def gradient_check(self, X: ArrayLike, Y: ArrayLike, *, step: float = 1e-5) -> float:
        """Return the largest relative difference between backpropagation and central differences.

        For each W and b it is ‖formula − difference‖/(‖formula‖ + ‖difference‖), or 0 if both are
        0. Below 1e-6 the formula is right, unless a kink (ReLU) lies within `step` of some z.
        """
        back = self.backward(X, Y)
        errors = []
        for parameter, formula in zip(self._W + self._b, back.dW + back.db, strict=True):
            difference = self._turned(self._difference(parameter, X, Y, step))
            size = np.linalg.norm(formula) + np.linalg.norm(difference)
            errors.append(np.linalg.norm(formula - difference) / size if size > 1e-10 else 0.0)
        return float(max(errors))

    def _turned(self, part: np.ndarray) -> np.ndarray:
        """Return a matrix or a bias in the network's layout, or a matrix of that layout in rows."""
        return np.atleast_2d(part).T if self.layout == "slides" else part

    def _out(self, parts: list[np.ndarray]) -> list[np.ndarray]:
        return [self._turned(part) for part in parts]

    def _input(self, X: ArrayLike) -> np.ndarray:
        n = self.sizes[0]
        return self._turned(array("X", X, (n, "m") if self.layout == "slides" else ("m", n)))

    def _target(self, Y: ArrayLike, m: int) -> np.ndarray:
        k = self.sizes[-1]
        checked = array if self.loss_name == "mse" else probabilities
        return self._turned(checked("Y", Y, (k, m) if self.layout == "slides" else (m, k)))

    def _forward(self, X: np.ndarray) -> Forward:
        z, a = [], [X]
        for W, b, activation in zip(self._W, self._b, self.activations, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                z.append(a[-1] @ W + b)
            _finite(f"z of layer {len(z)}, X or the weights are too large", z[-1])
            a.append(ACTIVATIONS[activation].function(z[-1]))
        return Forward(z, a)

    def _of_logits(self) -> Any:
        return OF_LOGITS.get((self.loss_name, self.activations[-1]))

    def _loss(self, forward: Forward, Y: np.ndarray) -> float:
        if stable := self._of_logits():
            return stable[0](forward.z[-1], Y)
        return LOSSES[self.loss_name][0](forward.a[-1], Y)

    def _backward(self, forward: Forward, Y: np.ndarray) -> Backward:
        z, a = forward
        da = LOSSES[self.loss_name][1](a[-1], Y)
        back = Backward([], [], [da], [])
        for layer in reversed(range(len(z))):
            if layer == len(z) - 1 and (stable := self._of_logits()):
                dz = stable[1](z[-1], Y)
            else:
                dz = _through(self.activations[layer], z[layer], back.da[0])
            why = f", {self.activations[layer]} is saturated where the loss's slope is infinite"
            _finite(f"dz of layer {layer + 1}{why * (not np.isfinite(back.da[0]).all())}", dz)
            back.dz.insert(0, dz)
            back.dW.insert(0, a[layer].T @ dz)
            back.db.insert(0, dz.sum(axis=0))
            back.da.insert(0, dz @ self._W[layer].T)
        return back

    def _step(self, X: np.ndarray, Y: np.ndarray, learning_rate: float) -> float:
        forward = self._forward(X)
        with np.errstate(over="ignore", invalid="ignore"):
            loss, back = self._loss(forward, Y), self._backward(forward, Y)
            pairs = list(zip(self._W + self._b, back.dW + back.db, strict=True))
            moved = [old - learning_rate * derivative for old, derivative in pairs]
        _finite("the loss, X or Y are too large or the output is certain and wrong", np.array(loss))
        for new in moved:
            _finite(f"the weights after a step of learning_rate {learning_rate:g}", new)
        for (old, _), new in zip(pairs, moved, strict=True):
            old[...] = new
        return loss

    def _difference(
        self, parameter: np.ndarray, X: ArrayLike, Y: ArrayLike, step: float
    ) -> np.ndarray:
        def cost(value: np.ndarray) -> float:
            parameter[...] = value
            return self.loss(X, Y)

        before = parameter.copy()
        try:
            return gradient(cost, before, step=step)
        finally:
            parameter[...] = before


def count_parameters(sizes: Sequence[int], *, biases: bool = True) -> int:
    """Return the number of weights (and biases) of dense layers of these sizes, input first."""
    return sum(parameters_per_layer(sizes, biases=biases))


def parameters_per_layer(sizes: Sequence[int], *, biases: bool = True) -> list[int]:
    """Return inputs·neurons weights plus one bias per neuron, for each layer after the input."""
    sizes = _checked_sizes(sizes)
    return [(n + biases) * k for n, k in pairwise(sizes)]


def dropout(a: ArrayLike, rate: float, *, seed: int = 0) -> np.ndarray:
    """Return `a` with a random fraction `rate` set to 0 and the rest divided by 1 − rate.

    Args:
        a: Activations of any shape.
        rate: Fraction to drop, from 0 (nothing) to 1 (everything).
        seed: Seed of the random choice.
    """
    a = array("a", a)
    rate = scalar("rate", rate, 0, 1)
    kept = np.random.default_rng(integer("seed", seed, 0)).random(a.shape) >= rate
    return np.where(kept, a, 0.0) / ((1 - rate) or 1.0)


def _through(activation: str, z: np.ndarray, da: np.ndarray) -> np.ndarray:
    """Return dz = da·g′(z), or for softmax, whose outputs depend on every z, daᵀ·Jacobian."""
    derivative = ACTIVATIONS[activation].derivative(z)
    with np.errstate(over="ignore", invalid="ignore"):  # `_finite` reports it
        if derivative.ndim > z.ndim:
            return np.einsum("...i,...ij->...j", da, derivative)
        return da * derivative


def _finite(name: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise NotFiniteError(
            f"{name}: expected finite numbers, got {values[~np.isfinite(values)][0]}"
        )


def _glorot(random: np.random.Generator, inputs: int, neurons: int) -> np.ndarray:
    limit = np.sqrt(6 / (inputs + neurons))
    return random.uniform(-limit, limit, (inputs, neurons))


def _checked_sizes(sizes: Sequence[int]) -> list[int]:
    if not isinstance(sizes, Sequence | np.ndarray) or len(sizes) < 2:
        raise ValueError(f"sizes: expected at least two, input and output, got {sizes!r}")
    return [integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)]
