"""A number that records its operations, to compute its derivative by each of its inputs.

Each operation is written beside its derivatives: the new value stores its parents together with
∂new/∂parent, and `backward` multiplies and sums them (the chain rule). After micrograd.
"""

import math
from typing import Union

from dlcourse.lessons.maths.steps import show

Number = Union["Value", float]


class Value:
    """A scalar with reverse-mode differentiation; `grad` is filled by `backward` of a result."""

    def __init__(self, data: float, name: str = "", *, made: str = "", parents: tuple = ()):
        self.data, self.grad, self.name = float(data), 0.0, name
        self.made, self.parents = made, parents  # the operation; pairs (parent, ∂self/∂parent)
        if not math.isfinite(self.data):
            raise ValueError(f"{made or name or 'data'}: expected a finite number, got {data}")

    def __add__(self, other: Number) -> "Value":
        other = _value(other)
        return Value(self.data + other.data, made="+", parents=((self, 1), (other, 1)))

    def __mul__(self, other: Number) -> "Value":
        other = _value(other)
        parents = ((self, other.data), (other, self.data))
        return Value(self.data * other.data, made="×", parents=parents)

    def __pow__(self, n: float) -> "Value":
        x = self.data
        try:
            power, slope = x**n, n * x ** (n - 1) if n else 0.0
        except ArithmeticError:  # 0 to a negative power, or above 1.8e308
            power, slope = math.inf, math.inf
        if isinstance(power, complex) or not math.isfinite(power + slope):
            raise ValueError(f"pow: {x:g} to the power {n:g} has no finite value and derivative")
        return Value(power, made=f"^{n:g}", parents=((self, slope),))

    def exp(self) -> "Value":
        if self.data > 709:
            raise ValueError(f"exp: expected at most 709, the float64 limit, got {self.data:g}")
        e = math.exp(self.data)
        return Value(e, made="exp", parents=((self, e),))

    def log(self) -> "Value":
        if self.data <= 0:
            raise ValueError(f"log: expected a number above 0, got {self.data:g}")
        return Value(math.log(self.data), made="log", parents=((self, 1 / self.data),))

    def tanh(self) -> "Value":
        e = math.exp(-2 * abs(self.data))  # 1 − tanh² x = 4σ(2x)·σ(−2x), without cancellation
        return Value(math.tanh(self.data), made="tanh", parents=((self, 4 * e / (1 + e) ** 2),))

    def relu(self) -> "Value":
        return Value(max(self.data, 0.0), made="relu", parents=((self, float(self.data > 0)),))

    def sigmoid(self) -> "Value":
        e = math.exp(-abs(self.data))
        a = (1 if self.data >= 0 else e) / (1 + e)
        return Value(a, made="sigmoid", parents=((self, e / (1 + e) ** 2),))

    __radd__, __rmul__ = __add__, __mul__
    __neg__ = lambda self: self * -1  # noqa: E731
    __sub__ = lambda self, other: self + -other  # noqa: E731
    __rsub__ = lambda self, other: -self + other  # noqa: E731
    __truediv__ = lambda self, other: self * _value(other) ** -1  # noqa: E731
    __rtruediv__ = lambda self, other: _value(other) / self  # noqa: E731

    def graph(self) -> list["Value"]:
        """Return this value and all that it is computed from, each after its parents."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:  # a loop, not recursion: chains may be longer than Python's limit
            value, parents_done = stack.pop()
            if parents_done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack += [(value, True), *((parent, False) for parent, _ in value.parents[::-1])]
        return order

    def backward(self) -> None:
        """Set `grad` of every value in the graph to ∂self/∂value, without accumulating."""
        order = self.graph()
        for value in order:
            value.grad = 1.0 if value is self else 0.0
        for value in reversed(order):
            for parent, derivative in value.parents:
                parent.grad += derivative * value.grad

    def draw(self) -> str:
        """Return the graph as text, one line per value: name, operation, value and gradient."""
        names = {value: value.name or f"v{i}" for i, value in enumerate(self.graph(), 1)}
        return "\n".join(
            f"{name:<8} {value.made:<8} {' '.join(names[p] for p, _ in value.parents):<16}"
            f" = {show(value.data, 6):<12} grad {show(value.grad, 6)}"
            for value, name in names.items()
        )

    def __repr__(self) -> str:
        return f"Value({self.data:g}{f', {self.name!r}' if self.name else ''}, grad={self.grad:g})"


def _value(number: Number) -> Value:
    return number if isinstance(number, Value) else Value(number)
