"""Calculations step by step, with symbols and then with numbers, for any numbers.

Each function checks and computes through `dlcourse.maths` and returns a list of `Step`;
`steps.render` makes text of them. `dlcourse.explain` and `dlcourse.errata --id` show the same.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.maths.activations import ACTIVATIONS, hardmax, sigmoid, softmax
from dlcourse.maths.calculus import descent_case, gradient_descent, numeric_derivative
from dlcourse.maths.checks import array
from dlcourse.maths.convolution import convolve2d, padded, pool2d
from dlcourse.maths.linalg import determinant, eigenpairs, polynomial
from dlcourse.maths.losses import OF_LOGITS, binary_cross_entropy, l2_penalty, mse
from dlcourse.maths.network import Network, count_parameters, parameters_per_layer
from dlcourse.maths.regression import (
    LogisticStep,
    logistic_gradient_loop,
    logistic_gradient_vectorised,
    logistic_regression,
    logistic_step,
)
from dlcourse.maths.steps import Step, show, term

CROSS_ENTROPY = "−(y·log a + (1 − y)·log(1 − a))"
LOSS_FORMULAS = {
    "mse": ("(1/k)·Σ(a − y)²", "2·(a − y)/k"),
    "binary_cross_entropy": (f"(1/k)·Σ {CROSS_ENTROPY}", "(−y/a + (1 − y)/(1 − a))/k"),
    "categorical_cross_entropy": ("−Σ y·log a", "−y/a"),
}
"""The loss of one example with k outputs, and its da."""


def logistic(x: ArrayLike, w: ArrayLike, b: float, y: float, learning_rate: float) -> list[Step]:
    """Return one gradient step of logistic regression, and what it changes."""
    step = logistic_step(x, w, b, y, learning_rate)
    x, w = array("x", x), array("w", w)
    after = logistic_step(x, step.new_w, step.new_b, y, learning_rate)
    a, h, Y = (show(part) for part in (step.a, learning_rate, y))
    pairs = [(i + 1, x[i], w[i], step.dw[i], step.new_w[i]) for i in range(len(x))]
    return [
        Step("z", "w·x + b", f"{_products(w, x)} + {term(b)}", step.z),
        Step("a", "σ(z) = 1/(1 + e^−z)", f"1/(1 + e^−{term(step.z)})", step.a),
        *_loss_and_slope(step, y),
        Step("dz", "∂L/∂z = da·a(1 − a) = a − y", f"{a} − {Y}", step.dz),
        *(
            Step(f"dw{i}", f"∂L/∂w{i} = x{i}·dz", f"{show(xi)}·{term(step.dz)}", dw)
            for i, xi, _, dw, _ in pairs
        ),
        Step("db", "∂L/∂b = dz", "", step.db),
        *(
            Step(f"new w{i}", f"w{i} − α·dw{i}", f"{show(wi)} − {h}·{term(dw)}", new)
            for i, _, wi, dw, new in pairs
        ),
        Step("new b", "b − α·db", f"{show(b)} − {h}·{term(step.db)}", step.new_b),
        Step("after the step:"),
        Step("z", "", "", after.z),
        Step("a", "", "", after.a),
        Step("L", "", "", after.loss),
    ]


def _loss_and_slope(step: LogisticStep, y: float) -> list[Step]:
    """L and da from a; where a is too near 0 or 1 for its ten digits, L from z and no da."""
    z, a, Y = show(abs(step.z)), show(step.a), show(y)
    if abs(step.z) <= 10:
        numbers = f"−({Y}·log {a} + (1 − {Y})·log(1 − {a}))"
        slope = f"−{Y}/{a} + (1 − {Y})/(1 − {a})"
        return [
            Step("L", CROSS_ENTROPY, numbers, step.loss),
            Step("da", "∂L/∂a = −y/a + (1 − y)/(1 − a)", slope, step.da),
        ]
    above = max(step.z, 0.0)
    return [
        Step(f"a is {int(step.z > 0)} to many digits: L from z, where nothing is rounded away"),
        Step("L", "max(z, 0) − z·y + log(1 + e^−|z|)",
             f"{show(above)} − {term(step.z)}·{Y} + log(1 + e^−{z})", step.loss),
    ]  # fmt: skip


def logistic_loop(X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float) -> list[Step]:
    """Return the slides' loop, example by example: z, a, the loss, dz and what they add up to."""
    found = logistic_gradient_loop(X, Y, w, b)
    rows, labels, weights = np.transpose(X), np.ravel(Y), np.ravel(w)
    lines = []
    for i, (x, y) in enumerate(zip(rows, labels, strict=True), 1):
        step = logistic_step(x, weights, b, y, 0)
        products = [f"dw{k} += x{k}·dz = {show(v)}" for k, v in enumerate(step.dw, 1)]
        lines += [
            Step(f"example {i}, x = {show(x)}, y = {show(y)}:"),
            Step("z", "w·x + b", f"{_products(weights, x)} + {term(b)}", step.z),
            Step("a", "σ(z)", "", step.a),
            Step("J", "J + L", "", f"J + {show(step.loss)}"),
            Step("dz", "a − y", f"{show(step.a)} − {show(y)}", step.dz),
            Step("; ".join([*products, f"db += dz = {show(step.dz)}"])),
        ]
    lines += [Step(f"then the sums are divided by m = {len(rows)}:"), Step("J", "", "", found.J)]
    return [*lines, Step("dw", "", "", found.dw[:, 0]), Step("db", "", "", found.db)]


def logistic_vectorised(X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float) -> list[Step]:
    """Return the same without loops: Z, A and dZ hold all examples."""
    found = logistic_gradient_vectorised(X, Y, w, b)
    rows = array("X", X).T
    Z = rows @ np.ravel(w) + b
    dZ = sigmoid(Z) - np.ravel(Y)
    m = len(rows)
    return [
        Step("Z", "wᵀX + b", f"{show(np.transpose(w))}·{show(X)} + {term(b)}", Z),
        Step("A", "σ(Z)", "", sigmoid(Z)),
        Step("J", "(1/m)·Σ −(Y·log A + (1 − Y)·log(1 − A))", "", found.J),
        Step("dZ", "A − Y", f"{show(sigmoid(Z))} − {show(np.ravel(Y))}", dZ),
        Step("dw", "(1/m)·X·dZᵀ", f"(1/{m})·{show(X)}·{show(dZ)}ᵀ", found.dw[:, 0]),
        Step("db", "(1/m)·Σ dZ", f"(1/{m})·{term(dZ.sum())}", found.db),
    ]


def mean_squared_error(y_hat: ArrayLike, y: ArrayLike) -> list[Step]:
    """Return the errors, their squares and the mean."""
    value = mse(y_hat, y)
    errors = np.subtract(y_hat, y)
    squares = " + ".join(show(square) for square in errors**2)
    return [
        Step("Ŷ − Y", f"{show(y_hat)} − {show(y)}", "", errors),
        Step("(Ŷ − Y)²", "", "", errors**2),
        Step("MSE", "(1/m)·Σ(Ŷ − Y)²", f"(1/{len(errors)})·({squares})", value),
    ]


def cross_entropy(y_hat: ArrayLike, y: ArrayLike) -> list[Step]:
    """Return every example's binary cross-entropy, and the mean."""
    losses = [binary_cross_entropy(a, label) for a, label in zip(y_hat, y, strict=True)]  # pyright: ignore
    lines = [
        Step(f"L{i}", CROSS_ENTROPY.replace("a", "ŷ").replace("lŷ", "la"),
             f"−({show(label)}·log {show(a)} + (1 − {show(label)})·log(1 − {show(a)}))", loss)
        for i, (a, label, loss) in enumerate(zip(y_hat, y, losses, strict=True), 1)  # pyright: ignore
    ]  # fmt: skip
    numbers = f"(1/{len(losses)})·({' + '.join(map(show, losses))})"
    return [*lines, Step("J", "(1/m)·ΣL", numbers, binary_cross_entropy(y_hat, y))]


def weight_decay(W: ArrayLike, strength: float, examples: int) -> list[Step]:
    """Return the penalty of both conventions."""
    W, m, h = array("W", W, ("n",)), examples, show(strength)
    total = float(np.sum(W**2))
    lecture = l2_penalty(W, strength, convention="lecture", examples=m)
    return [
        Step("ΣW²", " + ".join(f"{term(v)}²" for v in W), "", total),
        Step("lecture", "(λ/2m)·ΣW²", f"{h}/(2·{m})·{show(total)}", lecture),
        Step("Keras", "λ·ΣW²", f"{h}·{show(total)}", l2_penalty(W, strength)),
    ]


def feature_cross(X: ArrayLike, y: ArrayLike) -> list[Step]:
    """Return how x3 = x1·x2 lets a linear model separate points (x1, x2), one by one."""
    X = array("X", X, ("m", 2))
    rows = np.column_stack([X, X[:, 0] * X[:, 1]])
    model = logistic_regression(rows, y, learning_rate=1.0, steps=50)
    lines = [Step("b, w1, w2, w3", "what logistic regression finds", "",
                  show(np.round([model.b, *model.W], 12), 4))]  # fmt: skip
    for row, label in zip(rows, np.ravel(y), strict=True):
        z = float(row @ model.W + model.b)
        numbers = f"{term(np.round(model.b, 12), 4)} + {_products(model.W, row, digits=4)}"
        side = "above" if z > 0 else "below"
        lines += [Step(f"x1, x2 = {show(row[:2])}: x3 = x1·x2 = {show(row[2])}")]
        lines += [Step("z", "b + w1·x1 + w2·x2 + w3·x3", numbers, f"{show(z, 4)}, {side} 0: class "
                       f"{int(z > 0)}; right: class {show(label)}")]  # fmt: skip
    return lines


def softmax_steps(z: ArrayLike, temperature: float = 1.0) -> list[Step]:
    """Return softmax's exponentials, their sum and the probabilities, and the hard max."""
    a = softmax(z, temperature)
    z, exponent = array("z", z, ("n",)), "z"
    if np.abs(z).max() > 700 * temperature:  # e^710 overflows: the largest is subtracted first
        exponent = f"z − {term(z.max())}"
    with np.errstate(over="ignore"):
        t = np.exp((z - z.max() if exponent != "z" else z) / temperature)
    if temperature != 1:
        exponent = f"{exponent if exponent == 'z' else f'({exponent})'}/{show(temperature)}"
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
        formula, numbers = f"x{k - 1} − h·f′(x{k - 1})", f"{show(x)} − {h}·{term(g)}"
        if momentum:
            formula += f" + μ·(x{k - 1} − x{k - 2})" if k > 1 else ""
            numbers += f" + {show(momentum)}·{term(velocity)}" if k > 1 else ""
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
    image = padded(image, kernel.shape, stride, padding)
    cells = [Step("cell", "Σ image·kernel under the kernel, row by row")]
    for i, j in np.ndindex(*result.shape):
        top, left = i * stride, j * stride
        under = image[top : top + kernel.shape[0], left : left + kernel.shape[1]]
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
    lines = [*parameters(sizes), Step(f"forward, a[0] = x = {show(X[:, 0])}:")]
    for k, (W, b) in enumerate(zip(net.W, net.b, strict=True), 1):
        for j in range(len(W)):
            numbers = f"{_products(W[j], a[k - 1][:, 0], digits=4)} + {term(b[j, 0])}"
            formula = f"w·a[{k - 1}] + b"
            lines.append(Step(f"z{j + 1}[{k}]", formula, numbers, show(z[k - 1][j, 0], 6)))
        name = net.activations[k - 1]
        lines.append(Step(f"a[{k}]", f"{name}(z[{k}])", "", _column(a[k])))
    k = len(Y)
    formula, slope = (text if k > 1 else text.replace("(1/k)·Σ ", "").replace("(1/k)·Σ(", "(")
                      .replace("/k", "") for text in LOSS_FORMULAS[net.loss_name])  # fmt: skip
    loss, last = net.loss(X, Y), len(net.W)
    numbers = "" if k > 1 else formula.replace("y", show(Y[0, 0])).replace(
        "log a", f"log {_column(a[-1])}").replace("− a", f"− {_column(a[-1])}").replace(
        "(a −", f"({_column(a[-1])} −")  # fmt: skip
    lines += [Step("y", "", "", _column(Y)), Step(net.loss_name, formula, numbers, show(loss, 6))]
    lines += [Step("backward:")]
    fitting = (net.loss_name, net.activations[-1]) in OF_LOGITS
    for layer in range(last, 0, -1):
        g, dz, da = net.activations[layer - 1], back.dz[layer - 1], back.da[layer]
        if layer == last and fitting:
            mean = f"/{k}" * (net.loss_name == "binary_cross_entropy" and k > 1)
            formula = f"da[{layer}]·∂a/∂z = (a[{layer}] − y){mean}" if mean else f"a[{layer}] − y"
            numbers = f"{_column(a[layer])} − {_column(Y)}"
            numbers = f"({numbers}){mean}" if mean else numbers
        else:
            before = f"W[{layer + 1}]ᵀ·dz[{layer + 1}]" if layer < last else slope
            lines.append(Step(f"da[{layer}]", before, "", _column(da)))
            formula, numbers = f"da[{layer}]·{g}′(z[{layer}])", ""
            if g not in ("softmax", "hardmax"):
                numbers = f"{_column(da)}·{_column(ACTIVATIONS[g].derivative(z[layer - 1]))}"
        dW, db = f"dz[{layer}]·a[{layer - 1}]ᵀ", f"dz[{layer}]"
        lines += [
            Step(f"dz[{layer}]", formula, numbers, _column(dz)),
            Step(f"dW[{layer}]", dW, f"{_column(dz, 4)}·{_column(a[layer - 1], 4)}ᵀ",
                 show(back.dW[layer - 1], 4)),
            Step(f"db[{layer}]", db, "", _column(back.db[layer - 1])),
        ]  # fmt: skip
    lines += [Step("da[0]", "W[1]ᵀ·dz[1]", "", _column(back.da[0]))]
    net.step(X, Y, learning_rate)
    lines += [Step(f"the step, α = {show(learning_rate)}:")]
    for layer, (W, b) in enumerate(zip(net.W, net.b, strict=True), 1):
        lines += [Step(f"new W[{layer}]", f"W[{layer}] − α·dW[{layer}]", "", show(W, 4))]
        lines += [Step(f"new b[{layer}]", f"b[{layer}] − α·db[{layer}]", "", _column(b, 4))]
    return [*lines, Step("L after", "", "", show(net.loss(X, Y), 6))]


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
    numbers = f"{term(a)}·{term(d)} − {term(b)}·{term(c)}"
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


def _column(values: np.ndarray, digits: int = 6) -> str:
    """A column (n, 1) as (…, …), a single number without brackets where it is not negative."""
    return term(values[0, 0], digits) if len(values) == 1 else show(values[:, 0], digits)


def _products(first: np.ndarray, second: np.ndarray, limit: int = 9, digits: int = 10) -> str:
    terms = [
        f"{term(u, digits)}·{term(v, digits)}"
        for u, v in zip(first[:limit], second[:limit], strict=True)
    ]
    return " + ".join(terms + ["…"] * (len(first) > limit))
