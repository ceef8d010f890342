"""The slides' worked examples as data: what the slide says, the correct value, and its call.

`EXAMPLES` holds the calculations by id, `STATEMENTS` the incorrect sentences; S0 … S4 are the slide
decks. If a slide has a formula without numbers, the numbers are our own, and the example says so.
"""

from typing import Any

import numpy as np

from dlcourse.lessons.maths import (
    activations,
    calculus,
    convolution,
    linalg,
    losses,
    network,
    regression,
)
from dlcourse.lessons.maths import walkthroughs as walk
from dlcourse.lessons.maths.quantities import Call, Example, Measured, Quantity, call, of
from dlcourse.lessons.maths.statements import STATEMENTS

__all__ = ["EXAMPLES", "STATEMENTS"]


def twice(x: Any) -> Any:
    """Return 2x: the slides' f in "f(x) = 2x", and the derivative of x²."""
    return 2 * x


def square_plus_2(x: Any) -> Any:
    """Return x² + 2."""
    return x**2 + 2


def step_length(gradient: float, learning_rate: float) -> float:
    """Return the length of one step of gradient descent on a slope of `gradient`."""
    trace = calculus.gradient_descent(lambda x: np.full_like(x, gradient), 0, learning_rate, 1)
    return float(np.abs(trace[1] - trace[0]))


def count_biases(sizes: tuple[int, ...]) -> int:
    """Return the number of a network's biases."""
    return sum(sizes[1:])


def squared_length(x: Any) -> float:
    """Return x·x."""
    return float(np.dot(x, x))


def exponentials(z: Any) -> tuple[np.ndarray, float]:
    """Return e^z of each number, and their sum."""
    return np.exp(z), float(np.exp(z).sum())


def heights(learning_rate: float, steps: int) -> np.ndarray:
    """Return y = x² along the slides' descent from x = 6."""
    return calculus.gradient_descent(twice, 6, learning_rate, steps) ** 2


def second_step(
    x: Any, w: Any, b: float, y: float, learning_rate: float
) -> regression.LogisticStep:
    """Return the second logistic step, whose z, a and loss are those after the first step."""
    first = regression.logistic_step(x, w, b, y, learning_rate)
    return regression.logistic_step(x, first.new_w, first.new_b, y, learning_rate)


def accuracy(points: str, features: str) -> float:
    """Return the accuracy of a linear model or a hidden layer on points like those of the slides.

    Args:
        points: Kind of points: `line`, `cross` or `ring`.
        features: Features `x1`, `x1 x2` or `x1 x2 x1·x2`; or the activation, such as `tanh`, of a
            hidden layer of 4 neurons on x1 and x2.
    """
    angles = np.arange(8) * np.pi / 4
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    X, y = {
        "line": (np.array([[-2, 0], [-1, 1], [1, 0], [2, 1]]), np.array([0, 0, 1, 1])),
        "cross": (np.array(CROSS), np.array([1, 1, 0, 0])),
        "ring": (np.vstack([circle[::2] / 2, circle * 2]), np.repeat([1, 0], (4, 8))),
    }[points]
    if features in activations.ACTIVATIONS:
        net = network.Network((2, 4, 1), (features, "sigmoid"), seed=1)
        net.fit(X, y[:, None], epochs=60, batch_size=16, learning_rate=1.0)
        return float(np.mean((net.predict(X)[:, 0] > 0.5) == y))
    columns = {"x1": X[:, 0], "x2": X[:, 1], "x1·x2": X[:, 0] * X[:, 1]}
    chosen = np.column_stack([columns[name] for name in features.split()])
    model = regression.logistic_regression(chosen, y, learning_rate=1.0, steps=50)
    return float(np.mean((model.predict(chosen) > 0.5) == y))


MNIST_NET = (784, 16, 16, 10)
IMAGE = ((1, 1, 1, 0, 0), (0, 1, 1, 1, 0), (0, 0, 1, 1, 1), (0, 0, 1, 1, 0), (0, 1, 1, 0, 0))
KERNEL = ((1, 0, 1), (0, 1, 0), (1, 0, 1))
POOLED = ((1, 3, 2, 9), (7, 4, 1, 5), (8, 5, 2, 3), (4, 2, 1, 4))
LOGITS = (5, 2, -1, 3)
LOGISTIC = {"x": (5, 3), "w": (0.5, 0.5), "b": 1, "y": 1, "learning_rate": 0.01}
TWO_EXAMPLES = {"X": ((5, 1), (3, 2)), "Y": ((1, 0),), "w": ((0.5,), (0.5,)), "b": 1}
SLIDES_NET = {"activations": ("tanh", "sigmoid"), "x": (1, 2, 3), "y": (1,)}
PENALTY = {"W": (1, 2, 3, 4), "strength": 0.1}
CROSS = ((-1, -1), (1, 1), (-1, 1), (1, -1))
COLUMN, ROW = np.zeros((5, 1)), np.zeros((1, 5))


def _measured(percent: float, range_: str) -> Measured:
    recipes = "mnist_784_16_16_10_sigmoid mnist_784_16_16_10_relu mnist_softmax"
    return Measured(percent, range_, f"python -m benchmarks.recipes {recipes}")


def _count(*sizes: int, biases: bool = True) -> Call:
    return call(network.count_parameters, sizes=sizes, biases=biases)


def _descent(learning_rate: float) -> Call:
    return call(
        calculus.gradient_descent, gradient=twice, start=6, learning_rate=learning_rate, steps=3
    )


def _slope(x: float, method: str) -> Call:
    return call(calculus.numeric_derivative, f=square_plus_2, x=x, step=1e-4, method=method)


def _activation(
    name: str, says: str, right: tuple[float, ...], slopes: tuple[float, ...], slide: str = ""
) -> tuple[Quantity, ...]:
    function, derivative = activations.ACTIVATIONS[name]
    z = (-1, 0, 0.25, 1)
    return (
        *of(call(function, z=z), (name, says, right, "", slide)),
        *of(call(derivative, z=z), (f"{name}′", "", slopes)),
    )


# fmt: off keeps each row of the table on one line.
# fmt: off
_EXAMPLES = (
    Example("S0.params", "Parameters of the 784-16-16-10 network", (
        *of(_count(*MNIST_NET, biases=False), ("weights", "12960", 12960)),
        *of(call(count_biases, sizes=MNIST_NET), ("biases", "16 + 16 + 10 = 42", 42, "", "42")),
        *of(_count(*MNIST_NET), ("parameters", "13002", 13002)),
        *of(call(network.parameters_per_layer, sizes=MNIST_NET),
            ("per layer", "", (12560, 272, 170))),
     ),
     "The Keras model counts the same.",
     call(walk.parameters, sizes=MNIST_NET)),
    Example("S0.accuracy", "What the 13,002 parameters reach on MNIST's test images", (
        *of(_measured(95.29, "95.06–95.41"), ("sigmoid", "about 99.79%", 95.29, "", "99.79")),
        *of(_measured(96.18, "96.13–96.27"), ("ReLU", "about 99.79%", 96.18, "", "99.79")),
        *of(_measured(92.77, "92.71–92.82"), ("softmax regression", "", 92.77)),
     ),
     "Mean and range of 3 seeds, one-cycle learning rate; softmax regression has 7,850 parameters. "
     "At a constant rate, 20 Adam epochs: 94.6–95.0 %, 95.6–95.7 % and 92.7–92.8 %. 99.79 % is the "
     "figure of a convolutional ensemble."),
    Example("S1.net", "A 3-2-1 network: h = f(Wx), output g(v·h)", (
        *of(_count(3, 2, 1, biases=False), ("weights as printed", "W11 … W23, v1, v2", 8)),
        *of(_count(3, 2, 1), ("with biases", "", 11)),
     ),
     "The slide leaves the biases out, and has no numbers: x = (1, 2, 3) and y = 1 are ours.",
     call(walk.network, sizes=(3, 2, 1), **SLIDES_NET)),
    Example("S1.weight_decay",
            "The loss with weight decay; here W = (1, 2, 3, 4), λ = 0.1, m = 10", (
        *of(call(losses.l2_penalty, **PENALTY, convention="lecture", examples=10),
            ("(λ/2m)·ΣW²", "(Σ Lᵢ² + λ·Σ‖w‖²_F)/m", 0.15, "", "", True)),
        *of(call(losses.l2_penalty, **PENALTY), ("Keras: λ·ΣW²", "", 3.0)),
     ),
     "Usual: (1/m)·Σ Lᵢ + (λ/2m)·Σ‖W‖²_F, the losses not squared. Keras adds l2·Σw², without "
     "½ and m; so does every model of this course.",
     call(walk.weight_decay, W=(1, 2, 3, 4), strength=0.1, examples=10)),
    Example("S2.lr", "How far one step goes: gradient 2.5 × learning rate 0.01", (
        *of(call(step_length, gradient=2.5, learning_rate=0.01), ("step", "0.025", 0.025)),
     ),
     "Against the gradient's direction.",
     call(walk.descent, coefficients=(2.5, 0), start=0, learning_rate=0.01, steps=1)),
    Example("S2.flatten", "An image as a vector", (
        *of(call(convolution.flatten, image=((1, 1, 0), (4, 2, 1), (0, 2, 1))),
            ("flattened", "1 1 0 4 2 1 0 2 1", (1, 1, 0, 4, 2, 1, 0, 2, 1))),
     ),
     "Row by row."),
    Example("S2.conv", "Convolution of a 5×5 image with a 3×3 kernel", (
        *of(call(convolution.convolve2d, image=IMAGE, kernel=KERNEL),
            ("first value", "4", 4, "0.0"),
            ("feature map", "4 …", ((4, 3, 4), (2, 4, 3), (2, 3, 4)))),
     ),
     "It is a cross-correlation: the kernel is not turned round. This one is symmetric, so "
     "that a convolution in the mathematical sense gives the same.",
     call(walk.convolution, image=IMAGE, kernel=KERNEL)),
    Example("S2.maxpool", "Pooling of a 4×4 image, regions of 2×2", (
        *of(call(convolution.pool2d, image=POOLED, kind="max"),
            ("max", "7 9 8 …", ((7, 9), (8, 4)))),
        *of(call(convolution.pool2d, image=POOLED, kind="average"),
            ("average", "", ((3.75, 4.25), (4.75, 2.5)))),
     ),
     "",
     call(walk.pooling, image=POOLED)),
    Example("S2.activations", "Activation functions and their derivatives at z = −1, 0, 0.25, 1", (
        *_activation("unit_step", "0, 0.5 at 0, 1", (0, 0.5, 1, 1), (0, 0, 0, 0), "0 0.5 1 1"),
        *_activation("sign", "−1, 0 at 0, 1", (-1, 0, 1, 1), (0, 0, 0, 0), "−1 0 1 1"),
        *_activation("linear", "z", (-1, 0, 0.25, 1), (1, 1, 1, 1)),
        *_activation("piecewise_linear", "z + ½, from 0 to 1", (0, 0.5, 0.75, 1), (0, 1, 1, 0)),
        *_activation("sigmoid", "1/(1 + e^−z)",
            (0.2689414214, 0.5, 0.5621765009, 0.7310585786),
            (0.1966119332, 0.25, 0.2461340827, 0.1966119332)),
        *_activation("tanh", "(e^z − e^−z)/(e^z + e^−z)",
            (-0.7615941560, 0, 0.2449186624, 0.7615941560),
            (0.4199743416, 1, 0.9400148488, 0.4199743416)),
        *_activation("relu", "x if x > 0, 0 otherwise (S0)", (0, 0, 0.25, 1), (0, 0, 1, 1)),
        *_activation("leaky_relu", "", (-0.01, 0, 0.25, 1), (0.01, 0.01, 1, 1)),
     ),
     "At a step or a corner no derivative exists; 0, or the left one, is given, as TensorFlow does "
     "for ReLU. S1 and S4 name leaky ReLU without a formula. Softmax: S4.softmax."),
    Example("S2.dropout", "What the dropout rate means, for activations of 1", (
        *of(call(network.dropout, a=(1, 1, 1, 1), rate=0.0),
            ("rate 0.0", "No dropout regularization", (1, 1, 1, 1))),
        *of(call(network.dropout, a=(1, 1, 1, 1), rate=1.0),
            ("rate 1.0", "Drop out everything", (0, 0, 0, 0))),
     ),
     "The rate is the part that is dropped; what is kept is divided by 1 − rate."),
    Example("S2.points",
            "How do you classify these points? Accuracy of a line, and more", (
        *of(call(accuracy, points="line", features="x1"), ("line", "b + w1 x1", 1.0)),
        *of(call(accuracy, points="cross", features="x1 x2"), ("cross", "", 0.5)),
        *of(call(accuracy, points="cross", features="x1 x2 x1·x2"),
            ("cross, with x3", "x3 = x1 x2", 1.0)),
        *of(call(accuracy, points="ring", features="x1 x2 x1·x2"),
            ("ring, with x3", "Okay okay, but now?", 2 / 3)),
        *of(call(accuracy, points="ring", features="linear"),
            ("ring, linear layer", "We added a hidden layer", 2 / 3)),
        *of(call(accuracy, points="ring", features="tanh"),
            ("ring, tanh layer", "complex (non-linear) representations", 1.0)),
     ),
     "The slide's pictures are lost: the points are ours, alike. A hidden layer of weighted sums "
     "alone changes nothing; its activation does.",
     call(walk.feature_cross, X=CROSS, y=(1, 1, 0, 0))),
    Example("S3.det", "A determinant", (
        *of(call(linalg.determinant, M=((2, 3), (4, 5))),
            ("|M|", "|2×5 − 4×3| = |10 − 12| = −2", -2, "", "−2", True)),
     ),
     "The value is right. The bars are not an absolute value, which would be 2: a determinant "
     "may be negative.",
     call(walk.determinant_2x2, M=((2, 3), (4, 5)))),
    Example("S3.eig", "Eigenvalues and eigenvectors", (
        *of(call(linalg.eigenpairs, M=((1, 2), (3, 0))),
            ("polynomial", "λ² − λ − 6 = 0", (1, -1, -6), "polynomial", "1 −1 −6"),
            ("λ", "λ = 3 or λ = −2", (3, -2), "values", "3 −2"),
            ("v for λ = 3", "x1 − 2x2 = 3x1; or (−2, −2)", (1, 1), "vectors.T.0", "", True),
            ("v for λ = −2", "(missing)", (2, -3), "vectors.T.1", "", True)),
     ),
     "It must be x1 + 2x2 = 3x1. (−2, −2) is a multiple of (1, 1): it belongs to λ = 3.",
     call(walk.eigenvalues, M=((1, 2), (3, 0)))),
    Example("S3.derivative", "The derivative of f(x) = 2x", (
        *of(call(calculus.numeric_derivative, f=twice, x=1), ("f′", "f′(x) = 2", 2, "", "2")),
        *of(call(calculus.gradient, f=squared_length, x=(1, 2)),
            ("gradient of x·x", "Derivative of tensor", (2, 4), "", "", True)),
     ),
     "A gradient is the vector of the partial derivatives of a scalar: that of x·x at (1, 2).",
     call(walk.difference_quotient, coefficients=(2, 0), x=1)),
    Example("S3.gd", "Gradient descent on y = x² from x = 6, h = 0.1", (
        *of(_descent(0.1),
            ("x1", "4.8", 4.8, "1"),
            ("x2", "3.84", 3.84, "2"),
            ("x3", "", 3.072, "3")),
        *of(call(heights, learning_rate=0.1, steps=3),
            ("y1", "23.04", 23.04, "1"),
            ("y2", "14.74", 14.7456, "2"),
            ("y3", "", 9.437184, "3")),
        *of(_descent(0.9), ("h = 0.9 oscillates", "", (6, -4.8, 3.84, -3.072))),
        *of(_descent(1.0), ("h = 1 bounces", "", (6, -6, 6, -6))),
        *of(_descent(1.1), ("h = 1.1 diverges", "", (6, -7.2, 8.64, -10.368))),
     ),
     "x_k = 6·0.8^k. 14.7456 was cut off, not rounded. With other h, x_k = 6·(1 − 2h)^k.",
     call(walk.descent, coefficients=(1, 0, 0), start=6, learning_rate=0.1, steps=3)),
    Example("S4.derivative", "Slopes of y = x² + 2", (
        *of(call(square_plus_2, x=2), ("f(2)", "6", 6)),
        *of(call(square_plus_2, x=2.0001), ("f(2.0001)", "6.00040001", 6.00040001)),
        *of(_slope(2, "central"), ("slope at 2", ".0004/.0001 = 4", 4, "", "4")),
        *of(_slope(2, "forward"), ("forward at 2", "", 4.0001)),
        *of(call(square_plus_2, x=5), ("f(5)", "27", 27)),
        *of(call(square_plus_2, x=5.0001), ("f(5.0001)", "27.00100001", 27.00100001)),
        *of(_slope(5, "central"),
            ("slope at 5", "Slope at a=5 is .0010/.0001 = 10", 10, "", "10", True)),
        *of(_slope(5, "forward"), ("forward at 5", "", 10.0001)),
     ),
     "The numbers are right; a = 5 should be x = 5. The forward quotients are 4.0001 and "
     "10.0001, the central ones exact.",
     call(walk.difference_quotient, coefficients=(1, 0, 2), x=2)),
    Example("S4.logistic",
            "One step of logistic regression: x = (5, 3), w = (0.5, 0.5), b = 1, y = 1, α = 0.01", (
        *of(call(regression.logistic_step, **LOGISTIC),
            ("z", "5", 5, "z"),
            ("a", "0.99307 ≈ 0.0023", 0.9933071491, "a", "0.99307"),
            ("loss", "", 0.0067153485, "loss"),
            ("dz", "−0.00693, later −0.00695", -0.0066928509, "dz", "−0.00693"),
            ("da", "−1.006978", -1.0067379470, "da"),
            ("dw1", "−0.03475", -0.0334642546, "dw.0"),
            ("dw2", "−0.02085", -0.0200785528, "dw.1"),
            ("db", "−0.00693", -0.0066928509, "db"),
            ("new w1", "0.503475", 0.5003346425, "new_w.0"),
            ("new w2", "0.502085", 0.5002007855, "new_w.1"),
            ("new b", "1.000693", 1.0000669285, "new_b")),
        *of(call(second_step, **LOGISTIC),
            ("z after", "", 5.002342, "z"),
            ("a after", "", 0.993323, "a"),
            ("loss after", "", 0.006700, "loss")),
     ),
     "σ(5) is miscalculated, dz is rounded in two ways, and the new weights lose a factor 10: "
     "0.01·0.03475 is 0.0003475.",
     call(walk.logistic, **LOGISTIC)),
    Example("S4.softmax", "Softmax of (5, 2, −1, 3)", (
        *of(call(exponentials, z=LOGITS),
            ("t = e^z", "e^5, e^2, e^−1, e^3", (148.413, 7.389, 0.368, 20.086), "0"),
            ("Σt", "e^5 + e^2 + e^−1 + e^3", 176.256, "1")),
        *of(call(activations.softmax, z=LOGITS),
            ("a", "0.842, 0.042, 0.002, 0.114", (0.84203357, 0.04192238, 0.00208719, 0.11395685))),
        *of(call(activations.hardmax, z=LOGITS), ("hard max", "1, 0, 0, 0", (1, 0, 0, 0))),
        *of(call(activations.softmax, z=(1, 3)),
            ("a of (1, 3)", "c = 2: logistic regression", 0.8807970780, "1")),
     ),
     "With C = 2, a₁ = σ(z₁ − z₀): σ(3 − 1) = 0.8807970780.",
     call(walk.softmax_steps, z=LOGITS)),
    Example("S4.mse", "Mean squared error; here Ŷ = (2.5, 0, 2, 8), Y = (3, −0.5, 2, 7)", (
        *of(call(losses.mse, y_hat=(2.5, 0, 2, 8), y=(3, -0.5, 2, 7)),
            ("MSE", "(1/m)·Σ(Ŷ − Y)²", 0.375)),
     ),
     "",
     call(walk.mean_squared_error, y_hat=(2.5, 0, 2, 8), y=(3, -0.5, 2, 7))),
    Example("S4.bce", "Binary cross-entropy; here ŷ = (0.9, 0.2), y = (1, 0)", (
        *of(call(losses.binary_cross_entropy, y_hat=0.9, y=1),
            ("L for y = 1", "−log ŷ", 0.1053605157)),
        *of(call(losses.binary_cross_entropy, y_hat=0.2, y=0),
            ("L for y = 0", "−log(1 − ŷ)", 0.2231435513)),
        *of(call(losses.binary_cross_entropy, y_hat=(0.9, 0.2), y=(1, 0)),
            ("J", "(1/m)·ΣL", 0.1642520335)),
     ),
     "",
     call(walk.cross_entropy, y_hat=(0.9, 0.2), y=(1, 0))),
    Example("S4.loop",
            "Logistic regression as loops; here x⁽¹⁾ = (5, 3), x⁽²⁾ = (1, 2), y = (1, 0)", (
        *of(call(regression.logistic_gradient_loop, **TWO_EXAMPLES),
            ("J", "J/m", 1.2928025414, "J", "", True),
            ("dw", "dw_i/m", (0.4453387827, 0.9141025436), "dw.T.0", "", True),
            ("db", "db/m", 0.4587244845, "db", "", True)),
     ),
     "J/m alone changes nothing: J /= m, dw_i /= m and db /= m are meant. The slides' X is "
     "(n, m), Keras' (m, n).",
     call(walk.logistic_loop, **TWO_EXAMPLES)),
    Example("S4.vectorised", "The same without loops: Z = wᵀX + b, dZ = A − Y", (
        *of(call(regression.logistic_gradient_vectorised, **TWO_EXAMPLES),
            ("J", "", 1.2928025414, "J"),
            ("dw", "1/m X dZᵀ", (0.4453387827, 0.9141025436), "dw.T.0"),
            ("db", "1/m np.sum(dz)", 0.4587244845, "db")),
     ),
     "Equal to the loops to 1e-12. How much faster: python -m benchmarks.vectorised",
     call(walk.logistic_vectorised, **TWO_EXAMPLES)),
    Example("S4.image", "An 8×8×3 image into 5 neurons", (
        *of(call(convolution.flatten, image=np.zeros((8, 8, 3))),
            ("inputs", "192 Value Input Vector", 192, "size", "192")),
        *of(_count(192, 5, biases=False), ("weights", "192 * 5 Connections", 960)),
        *of(_count(192, 5), ("with biases", "", 965)),
     ),
     "",
     call(walk.parameters, sizes=(192, 5))),
    Example("S4.matmul", "Why WᵀX: (5, 1)·(5, 1)", (
        *of(call(linalg.explain_matmul, a=COLUMN, b=COLUMN),
            ("W·X", "Multiplication of these two matrices is not possible",
             "(5, 1)·(5, 1) is impossible: the first has 1 column, the second 5 rows, and the two "
             "must be equal; turned, (1, 5)·(5, 1) works: (1, 1)")),
        *of(call(linalg.explain_matmul, a=ROW, b=COLUMN),
            ("Wᵀ·X", "(1X5), (5X1)",
             "(1, 5)·(5, 1) works: 5 columns meet 5 rows, the result has shape (1, 1)")),
    )),
    Example("S4.net", "A 3-4-1 network", (
        *of(call(network.Network, sizes=(3, 4, 1), activations=("tanh", "sigmoid"),
            layout="slides"),
            ("shape of W[1]", "w11, w12 … w43", (4, 3), "W.0.shape", "4 3")),
        *of(_count(3, 4, 1), ("parameters", "", 21)),
     ),
     "Each layer: w[l] = w[l] − α·dw[l], b[l] = b[l] − α·db[l]. Keras keeps W turned, 3×4. "
     "x = (1, 2, 3) and y = 1 are ours.",
     call(walk.network, sizes=(3, 4, 1), **SLIDES_NET)),
)
# fmt: on

EXAMPLES: dict[str, Example] = {example.id: example for example in _EXAMPLES}
"""The worked examples by id, in the decks' order."""
