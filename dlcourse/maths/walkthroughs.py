"""Calculations step by step, with symbols and then with numbers, for any numbers.

Each function checks and computes through `dlcourse.maths` and returns a list of `Step`;
`steps.render` makes text of them. `dlcourse.explain` and `dlcourse.errata --id` show the same.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.maths.activations import hardmax, softmax
from dlcourse.maths.calculus import descent_case, gradient_descent, numeric_derivative
from dlcourse.maths.checks import array
from dlcourse.maths.convolution import convolve2d, pool2d
from dlcourse.maths.linalg import determinant, eigenpairs, polynomial
from dlcourse.maths.network import Network, count_parameters, parameters_per_layer
from dlcourse.maths.regression import logistic_step
from dlcourse.maths.steps import Step, show


def logistic(x: ArrayLike, w: ArrayLike, b: float, y: float, learning_rate: float) -> list[Step]:
    """Return one gradient step of logistic regression, and what it changes."""
    step = logistic_step(x, w, b, y, learning_rate)
    x, w = array("x", x), array("w", w)
    after = logistic_step(x, step.new_w, step.new_b, y, learning_rate)
    a, h, Y = (show(part) for part in (step.a, learning_rate, y))
    formula = "−(y·log a + (1 − y)·log(1 − a))"
    pairs = [(i + 1, x[i], w[i], step.dw[i], step.new_w[i]) for i in range(len(x))]
    return [
        Step("z", "w·x + b", f"{_products(w, x)} + {_term(b)}", step.z),
        Step("a", "σ(z) = 1/(1 + e^−z)", f"1/(1 + e^−{_term(step.z)})", step.a),
        Step("L", formula, f"−({Y}·log {a} + (1 − {Y})·log(1 − {a}))", step.loss),
        Step("da", "∂L/∂a = −y/a + (1 − y)/(1 − a)", "", step.da),
        Step("dz", "∂L/∂z = da·a(1 − a) = a − y", f"{a} − {Y}", step.dz),
        *(
            Step(f"dw{i}", f"∂L/∂w{i} = x{i}·dz", f"{show(xi)}·{_term(step.dz)}", dw)
            for i, xi, _, dw, _ in pairs
        ),
        Step("db", "∂L/∂b = dz", "", step.db),
        *(
            Step(f"new w{i}", f"w{i} − α·dw{i}", f"{show(wi)} − {h}·{_term(dw)}", new)
            for i, _, wi, dw, new in pairs
        ),
        Step("new b", "b − α·db", f"{show(b)} − {h}·{_term(step.db)}", step.new_b),
        Step("after the step:"),
        Step("z", "", "", after.z),
        Step("a", "", "", after.a),
        Step("L", "", "", after.loss),
    ]


def softmax_steps(z: ArrayLike, temperature: float = 1.0) -> list[Step]:
    """Return softmax's exponentials, their sum and the probabilities, and the hard max."""
    a = softmax(z, temperature)
    z = array("z", z, ("n",))
    scaled = z / temperature
    shift = scaled.max() if np.abs(scaled).max() > 700 else 0.0  # e^710 overflows
    t = np.exp(scaled - shift)
    exponent = "z" if temperature == 1 else f"z/{show(temperature)}"
    exponent += f" − {show(shift)}" if shift else ""
    return [
        Step("t", f"e^({exponent})", "", t),
        Step("Σt", " + ".join(f"t{i + 1}" for i in range(len(t))), "", t.sum()),
        *(
            Step(f"a{i + 1}", f"t{i + 1}/Σt", f"{show(t[i])}/{show(t.sum())}", a[i])
            for i in range(len(t))
        ),
        Step("hard max", "1 at the largest z", "", hardmax(z)),
    ]


def descent(
    coefficients: ArrayLike, start: float, learning_rate: float, steps: int, momentum: float = 0.0
) -> list[Step]:
    """Return gradient descent on a polynomial, point by point.

    Args:
        coefficients: Highest power first: (1, 0, 0) is x².
        start, learning_rate, steps, momentum: As for `calculus.gradient_descent`.
    """
    f = array("coefficients", coefficients, ("n",))
    slope = np.polyder(f) if len(f) > 1 else np.zeros(1)
    with np.errstate(over="ignore", invalid="ignore"):  # a descent that diverges is reported below
        trace = gradient_descent(
            lambda x: np.polyval(slope, x), start, learning_rate, steps, momentum=momentum
        )
        heights = array("f(x)", np.polyval(f, trace))
    lines = [
        Step("f(x)", polynomial(f)),
        Step("f′(x)", polynomial(slope)),
        Step("x0", "", "", start),
    ]
    velocity = 0.0
    for k, (x, new) in enumerate(pairwise(trace), 1):
        g, h = np.polyval(slope, x), show(learning_rate)
        formula, numbers = f"x{k - 1} − h·f′(x{k - 1})", f"{show(x)} − {h}·{_term(g)}"
        if momentum:
            formula += f" + μ·(x{k - 1} − x{k - 2})" if k > 1 else ""
            numbers += f" + {show(momentum)}·{_term(velocity)}" if k > 1 else ""
        lines += [Step(f"x{k}", formula, numbers, new)]
        lines += [Step(f"f(x{k})", "", "", heights[k])]
        velocity = new - x
    if len(f) == 3 and f[0] > 0 and steps >= 2 and not momentum:
        lines.append(Step(f"so far it {descent_case(trace + f[1] / (2 * f[0]))}"))
    return lines


def convolution(
    image: ArrayLike, kernel: ArrayLike, stride: int = 1, padding: str = "valid"
) -> list[Step]:
    """Return the feature map cell by cell: image·kernel, not turned round (cross-correlation)."""
    image = array("image", image, ("height", "width"))
    kernel = array("kernel", kernel, ("rows", "columns"))
    result = convolve2d(image, kernel, stride=stride, padding=padding)
    reach = np.array([result.shape[i] * stride + kernel.shape[i] for i in (0, 1)])
    before = np.array([_before(image.shape[i], kernel.shape[i], stride, padding) for i in (0, 1)])
    padded = np.pad(image, [(int(before[i]), int(reach[i])) for i in (0, 1)])
    cells = [Step("cell", "Σ image·kernel under the kernel, row by row")]
    for i, j in np.ndindex(*result.shape):
        top, left = i * stride, j * stride
        under = padded[top : top + kernel.shape[0], left : left + kernel.shape[1]]
        numbers = _products(under.ravel(), kernel.ravel(), limit=25)
        cells.append(Step(f"[{i + 1},{j + 1}]", "", numbers, result[i, j]))
    return [*cells, Step("feature map", "", "", result)]


def pooling(image: ArrayLike, size: int = 2, kind: str = "max") -> list[Step]:
    """Return the pooled image region by region."""
    result = pool2d(image, size, kind=kind)
    image = array("image", image, ("height", "width"))
    cells = []
    for i, j in np.ndindex(*result.shape):
        region = image[i * size : (i + 1) * size, j * size : (j + 1) * size].ravel()
        cells.append(Step(f"[{i + 1},{j + 1}]", f"{kind}{show(region)}", "", result[i, j]))
    return [*cells, Step("pooled", "", "", result)]


def network(
    sizes: Sequence[int],
    activations: Sequence[str],
    x: ArrayLike,
    y: ArrayLike,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> list[Step]:
    """Return one example's way forward and back through a network, in the slides' columns.

    Args:
        sizes, activations, seed: As for `network.Network`.
        x, y: Input (inputs,) and target (outputs,).
        learning_rate: At least 0.
    """
    net = Network(sizes, activations, layout="slides", seed=seed)
    X = array("x", x, (net.sizes[0],))[:, None]
    Y = array("y", y, (net.sizes[-1],))[:, None]
    z, a = net.forward(X)
    back = net.backward(X, Y)
    lines = [*parameters(sizes), Step("forward, a[0] = x:", "", "", "")]
    for k, (W, b) in enumerate(zip(net.W, net.b, strict=True), 1):
        for j in range(len(W)):
            numbers = f"{_products(W[j], a[k - 1][:, 0], digits=4)} + {_term(b[j, 0])}"
            formula = f"w·a[{k - 1}] + b"
            lines.append(Step(f"z{j + 1}[{k}]", formula, numbers, show(z[k - 1][j, 0], 6)))
        name = net.activations[k - 1]
        lines.append(Step(f"a[{k}]", f"{name}(z[{k}])", "", show(a[k][:, 0], 6)))
    lines += [Step("loss", net.loss_name, "", show(net.loss(X, Y), 6)), Step("backward:")]
    for k in range(len(net.W), 0, -1):
        lines += [
            Step(f"dz[{k}]", "", "", show(back.dz[k - 1][:, 0], 6)),
            Step(f"dW[{k}]", f"dz[{k}]·a[{k - 1}]ᵀ", "", show(back.dW[k - 1], 4)),
            Step(f"db[{k}]", f"dz[{k}]", "", show(back.db[k - 1][:, 0], 6)),
            Step(f"da[{k - 1}]", f"W[{k}]ᵀ·dz[{k}]", "", show(back.da[k - 1][:, 0], 6)),
        ]
    net.step(X, Y, learning_rate)
    remark = f"after W −= {show(learning_rate)}·dW, b −= {show(learning_rate)}·db:"
    return [*lines, Step(remark), Step("loss", "", "", show(net.loss(X, Y), 6))]


def parameters(sizes: Sequence[int]) -> list[Step]:
    """Return how many weights and biases dense layers of these sizes have, layer by layer."""
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


def determinant_2x2(M: ArrayLike) -> list[Step]:
    """Return ad − bc with its numbers."""
    (a, b), (c, d) = array("M", M, (2, 2))
    numbers = f"{_term(a)}·{_term(d)} − {_term(b)}·{_term(c)}"
    return [Step("|M|", "ad − bc", numbers, determinant(M))]


def eigenvalues(M: ArrayLike) -> list[Step]:
    """Return the characteristic polynomial, its roots and the eigenvectors."""
    return [Step(text) for text in eigenpairs(M).steps]


def difference_quotient(coefficients: ArrayLike, x: float, step: float = 1e-4) -> list[Step]:
    """Return a polynomial's forward and central difference quotient beside its derivative."""
    p = array("coefficients", coefficients, ("n",))
    f, slope = (lambda x: np.polyval(p, x)), np.polyder(p)
    forward = numeric_derivative(f, x, step=step, method="forward")
    ahead = show(f(x + step))
    return [
        Step("f(x)", polynomial(p), "", f(x)),
        Step(f"f({show(x + step)})", "", "", ahead),
        Step("forward", "(f(x + h) − f(x))/h", f"({ahead} − {show(f(x))})/{show(step)}", forward),
        Step("central", "(f(x + h) − f(x − h))/2h", "", numeric_derivative(f, x, step=step)),
        Step(f"f′({show(x)})", polynomial(slope), "", np.polyval(slope, x)),
    ]


def _products(first: np.ndarray, second: np.ndarray, limit: int = 9, digits: int = 10) -> str:
    terms = [
        f"{_term(u, digits)}·{_term(v, digits)}"
        for u, v in zip(first[:limit], second[:limit], strict=True)
    ]
    return " + ".join(terms + ["…"] * (len(first) > limit))


def _term(value: float, digits: int = 10) -> str:
    text = show(value, digits)
    return f"({text})" if text.startswith("-") else text


def _before(size: int, width: int, stride: int, padding: str) -> int:
    """Rows or columns of zeros before the image, as in `convolution._margins`."""
    return max((-(-size // stride) - 1) * stride + width - size, 0) // 2 if padding == "same" else 0
