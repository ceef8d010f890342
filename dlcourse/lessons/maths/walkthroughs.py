"""Calculations step by step, first with symbols and then with numbers, for any numbers.

Each function checks and computes with `lessons.maths` and returns a list of `Step`, which
`steps.render` turns into text. `dlcourse explain` and `dlcourse errata --id` print them.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.activations import hardmax, sigmoid, softmax
from dlcourse.lessons.maths.arguments import array
from dlcourse.lessons.maths.attention import self_attention
from dlcourse.lessons.maths.calculus import descent_case, gradient_descent, numeric_derivative
from dlcourse.lessons.maths.convolution import convolve2d, padded, pool2d
from dlcourse.lessons.maths.linalg import determinant, eigenpairs, polynomial
from dlcourse.lessons.maths.losses import binary_cross_entropy, l2_penalty, mse
from dlcourse.lessons.maths.network_steps import network as network
from dlcourse.lessons.maths.network_steps import parameters as parameters
from dlcourse.lessons.maths.regression import (
    LogisticStep,
    logistic_gradient_loop,
    logistic_gradient_vectorised,
    logistic_regression,
    logistic_step,
)
from dlcourse.lessons.maths.steps import Step, cross_entropy_text, products, show, term


def logistic(x: ArrayLike, w: ArrayLike, b: float, y: float, learning_rate: float) -> list[Step]:
    """Return one gradient step of logistic regression, and the loss after it."""
    step = logistic_step(x, w, b, y, learning_rate)
    after = logistic_step(x, step.new_w, step.new_b, y, learning_rate)
    h = show(learning_rate)
    news = enumerate(zip(array("w", w), step.dw, step.new_w, strict=True), 1)
    return [
        *_example(step, array("x", x), array("w", w), b, y),
        *(
            Step(f"new w{i}", f"w{i} − α·dw{i}", f"{show(old)} − {h}·{term(dw)}", new)
            for i, (old, dw, new) in news
        ),
        Step("new b", "b − α·db", f"{show(b)} − {h}·{term(step.db)}", step.new_b),
        Step("after the step:"),
        *(Step(symbol, value=v) for symbol, v in zip("zaL", (after.z, after.a, after.loss))),  # noqa: B905
    ]


def _example(step: LogisticStep, x: np.ndarray, w: np.ndarray, b: float, y: float) -> list[Step]:
    """Return the steps from z to db; if a rounds to 0 or 1, L is computed from z, without da."""
    a, Y = show(step.a), show(y)
    numbers = f"{show(max(step.z, 0.0))} − {term(step.z)}·{Y} + log(1 + e^−{show(abs(step.z))})"
    loss = [
        Step(f"a is {int(step.z > 0)} to many digits: L from z, where nothing is rounded away"),
        Step("L", "max(z, 0) − z·y + log(1 + e^−|z|)", numbers, step.loss),
    ]
    if abs(step.z) <= 10:
        slope = f"−{Y}/{a} + (1 − {Y})/(1 − {a})"
        loss = [
            Step("L", cross_entropy_text("a", "y"), cross_entropy_text(a, Y), step.loss),
            Step("da", "∂L/∂a = −y/a + (1 − y)/(1 − a)", slope, step.da),
        ]
    return [
        Step("z", "w·x + b", f"{products(w, x)} + {term(b)}", step.z),
        Step("a", "σ(z) = 1/(1 + e^−z)", f"1/(1 + e^−{term(step.z)})", step.a),
        *loss,
        Step("dz", "∂L/∂z = da·a(1 − a) = a − y", f"{a} − {Y}", step.dz),
        *(
            Step(f"dw{i}", f"∂L/∂w{i} = x{i}·dz", f"{show(value)}·{term(step.dz)}", dw)
            for i, (value, dw) in enumerate(zip(x, step.dw, strict=True), 1)
        ),
        Step("db", "∂L/∂b = dz", "", step.db),
    ]


def logistic_loop(X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float) -> list[Step]:
    """Return the slides' loop: every example's loss and derivatives, and their means."""
    gradient = logistic_gradient_loop(X, Y, w, b)
    weights, lines, rows = np.ravel(w), [], np.transpose(X)
    for i, (x, y) in enumerate(zip(rows, np.ravel(Y), strict=True), 1):
        lines.append(Step(f"example {i}, x = {show(x)}, y = {show(y)}; J += L, dw += …, db += dz:"))
        lines += _example(logistic_step(x, weights, b, y, 0), x, weights, b, y)
    lines.append(Step(f"then J /= m, dw /= m, db /= m, with m = {len(rows)}:"))
    results = {"J": gradient.J, "dw": gradient.dw[:, 0], "db": gradient.db}
    return lines + [Step(symbol, value=value) for symbol, value in results.items()]


def logistic_vectorised(X: ArrayLike, Y: ArrayLike, w: ArrayLike, b: float) -> list[Step]:
    """Return the same without loops: Z, A and dZ hold all examples."""
    gradient = logistic_gradient_vectorised(X, Y, w, b)
    rows = array("X", X).T
    Z = rows @ np.ravel(w) + b
    dZ = sigmoid(Z) - np.ravel(Y)
    m = len(rows)
    return [
        Step("Z", "wᵀX + b", f"{show(np.transpose(w))}·{show(X)} + {term(b)}", Z),
        Step("A", "σ(Z)", "", sigmoid(Z)),
        Step("J", "(1/m)·Σ −(Y·log A + (1 − Y)·log(1 − A))", "", gradient.J),
        Step("dZ", "A − Y", f"{show(sigmoid(Z))} − {show(np.ravel(Y))}", dZ),
        Step("dw", "(1/m)·X·dZᵀ", f"(1/{m})·{show(X)}·{show(dZ)}ᵀ", gradient.dw[:, 0]),
        Step("db", "(1/m)·Σ dZ", f"(1/{m})·{term(dZ.sum())}", gradient.db),
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
    pairs = np.column_stack([array("y_hat", y_hat, ("m",)), y])
    losses = [binary_cross_entropy(*pair) for pair in pairs]
    lines = [
        Step(f"L{i}", cross_entropy_text("ŷ", "y"), cross_entropy_text(*map(show, pair)), loss)
        for i, (pair, loss) in enumerate(zip(pairs, losses, strict=True), 1)
    ]
    numbers = f"(1/{len(losses)})·({' + '.join(map(show, losses))})"
    return [*lines, Step("J", "(1/m)·ΣL", numbers, binary_cross_entropy(y_hat, y))]


def weight_decay(W: ArrayLike, strength: float, examples: int) -> list[Step]:
    """Return the weight-decay penalty in both conventions."""
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
        numbers = f"{term(np.round(model.b, 12), 4)} + {products(model.W, row, digits=4)}"
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


def attention(
    X: ArrayLike, W_q: ArrayLike, W_k: ArrayLike, W_v: ArrayLike, causal: bool = False
) -> list[Step]:
    """Return self-attention token by token: scores, softmax weights and the weighted values.

    Args:
        X: Tokens (T, n).
        W_q, W_k, W_v: Kernels of queries, keys and values, (n, d), (n, d), (n, v); no biases.
        causal: Whether a token attends only to itself and to those before it.
    """
    d, v = (np.zeros(np.shape(W)[-1:]) for W in (W_q, W_v))
    a = self_attention(X, (W_q, d, W_k, d, W_v, v, np.eye(v.size), v), causal=causal)
    parts = zip("QKV", (a.Q, a.K, a.V), (W_q, W_k, W_v), strict=True)
    lines = [Step(s, f"X·W_{s.lower()}", f"{show(X)}·{show(W)}", value) for s, value, W in parts]
    lines += [Step("s[i,j] = q[i]·k[j]: how well token j fits what token i asks for")]
    if causal:
        lines += [Step("causal: j ≤ i, no token looks ahead")]
    for i, query in enumerate(a.Q):
        seen = i + 1 if causal else len(a.Q)
        s, weights = a.K[:seen] @ query, a.weights[i, :seen]
        values = [f"{show(w)}·{show(value)}" for w, value in zip(weights, a.V, strict=False)]
        scores = enumerate(zip(s, a.K, strict=False), 1)
        lines += [Step(f"token {i + 1}, q = {show(query)}:")]
        lines += [Step(f"s[{i + 1},{j}]", "", products(query, k), sij) for j, (sij, k) in scores]
        lines += [Step("z", "s/√d", f"{show(s)}/√{d.size}", a.scores[i, :seen])]
        lines += softmax_steps(a.scores[i, :seen])[:-1]
        lines += [Step("Σa", " + ".join(map(show, weights)), "", weights.sum())]
        formula = " + ".join(f"a{j}·v[{j}]" for j in range(1, seen + 1))
        lines += [Step(f"output {i + 1}", formula, " + ".join(values), a.output[i])]
    return lines


def descent(
    coefficients: ArrayLike, start: float, learning_rate: float, steps: int, momentum: float = 0.0
) -> list[Step]:
    """Return gradient descent on a polynomial, point by point.

    Args:
        coefficients: Coefficients, highest power first: (1, 0, 0) is x².
        start, learning_rate, steps, momentum: Arguments of `calculus.gradient_descent`.
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
    """Return the feature map cell by cell, without flipping the kernel (cross-correlation)."""
    image = array("image", image, ("height", "width"))
    kernel = array("kernel", kernel, ("rows", "columns"))
    result = convolve2d(image, kernel, stride=stride, padding=padding)
    image = padded(image, kernel.shape, stride, padding)
    cells = [Step("cell", "Σ image·kernel under the kernel, row by row")]
    for i, j in np.ndindex(*result.shape):
        top, left = i * stride, j * stride
        under = image[top : top + kernel.shape[0], left : left + kernel.shape[1]]
        numbers = products(under.ravel(), kernel.ravel(), limit=25)
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


def determinant_2x2(M: ArrayLike) -> list[Step]:
    """Return ad − bc with numbers."""
    (a, b), (c, d) = array("M", M, (2, 2))
    numbers = f"{term(a)}·{term(d)} − {term(b)}·{term(c)}"
    return [Step("|M|", "ad − bc", numbers, determinant(M))]


def eigenvalues(M: ArrayLike) -> list[Step]:
    """Return the characteristic polynomial, its roots and the eigenvectors."""
    return [Step(text) for text in eigenpairs(M).steps]


def difference_quotient(coefficients: ArrayLike, x: float, step: float = 1e-4) -> list[Step]:
    """Return the forward and central difference quotients of a polynomial, and its derivative."""
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
