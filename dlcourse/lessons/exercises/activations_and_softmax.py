"""Exercises of notebook 04: softmax backwards and for rows, ReLU's slope, features, spirals."""

import re
from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.datasets.points import FEATURES
from dlcourse.lessons.exercises.answers import COMPUTED, close, number_check, numbers, shown, tried
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import parameters, share_right, trained_model
from dlcourse.lessons.maths.regression import logistic_regression


def _difference(first: float = 0.2) -> Exercise:
    """Return exercise 04.1 for the probability of the first logit."""
    second = round(1 - first, 2)
    ratio, logits = second / first, np.log(second / first)
    wrong = (
        Wrong(second - first, "This is the difference of the probabilities, not of the logits."),
        Wrong(ratio, "This is the ratio of the probabilities, e^(z₁ − z₀): undo the e."),
        Wrong(-logits, "Turned round: the second is more probable, so z₁ is larger."),
        Wrong(np.log10(ratio), "The logarithm is the natural one, to the base e."),
        Wrong(np.log(second), "This takes one probability alone; both are needed."),
    )
    return Exercise(
        question=(
            f"Softmax makes the probabilities ({first:g}, {second:g}) of two logits. How much "
            "larger is the second logit than the first (three digits)?"
        ),
        check=number_check(logits, wrong, "Divide the two probabilities by each other."),
        hint="In a₁/a₀ the sum cancels: e^z₁ / e^z₀ = e^(z₁ − z₀).",
        solution=round(float(logits), 4),
        explanation=(
            f"a₁/a₀ = {ratio:.3g} = e^(z₁ − z₀), so z₁ − z₀ = log {ratio:.3g} = {logits:.4g}. Only "
            "this difference counts: softmax of two is the sigmoid of it."
        ),
        equivalents=(f"{logits:.4g}", round(logits, 3), logits, np.float32(logits), [logits]),
        wrong=wrong,
        variant=lambda random: _difference(float(random.choice([0.1, 0.15, 0.25, 0.3, 0.35]))),
    )


def relu_derivative(z):
    return (z > 0) * 1.0


def _leaky(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, 1.0, 0.01)


@np.errstate(invalid="ignore")
def _divided(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) / z


_RELU = (
    (lambda z: np.maximum(z, 0), "This is ReLU itself; its slope is asked for."),
    (lambda z: (z < 0) * 1.0, "This is turned round: the slope is 1 above 0."),
    (_leaky, "This is the slope of leaky ReLU: below 0 ReLU is flat."),
    (np.ones_like, "This is the slope of the identity: what of z below 0?"),
    (np.sign, "ReLU never falls, so its slope is never negative."),
)
_Z = (np.array([-2.0, -0.5, 0.5, 2.0, 7.0]), np.array([[3.0, -1.0], [-4.0, 0.25]]))


def _check_relu(answer: Any) -> str | None:
    for z in _Z:
        got = numbers(tried(answer, z), *z.shape)
        if close(got, relu_derivative(z)):
            continue
        for function, message in _RELU:
            if close(got, function(z)):
                return f"{message} For z = {shown(z)} yours gives {shown(got)}."
        text = f"For z = {shown(z)} yours gives {shown(got)}."
        return f"Not yet: what is the slope of the flat part, and of the rising one? {text}"
    corner = np.asarray(tried(answer, np.zeros(2)), dtype=float)
    if ((corner >= 0) & (corner <= 1)).all():
        return None
    return f"At z = 0 yours gives {shown(corner)}; any value from 0 to 1 will do."


def _accuracy(features: tuple[str, ...]) -> float:
    """Return the accuracy on the rings of a line in these features."""
    rings = load_dataset("points", shape="circles", features=features, n=400)
    rows = (rings.x_train - rings.x_train.mean(axis=0)) / rings.x_train.std(axis=0)
    model = logistic_regression(rows, rings.y_train, learning_rate=1.0, steps=200)
    return float(np.mean((model.predict(rows) > 0.5) == rings.y_train))


def _feature(name: Any) -> str:
    """Return a feature's name in `FEATURES` from `x1**2`, `x₁²`, `X1 · X1`, …; else the text."""
    text = "".join(name.split()).lower().strip("'\"`") if isinstance(name, str) else ""
    text = text.translate(str.maketrans("₁₂·×−", "12**-")).replace("_", "").replace("np.", "")
    text = text.replace("**2", "^2").replace("²", "^2").replace("x2*x1", "x1*x2")
    return re.sub(r"\b(x[12])\*\1\b", r"\1^2", text)


def _check_features(answer: Any) -> str | None:
    if isinstance(answer, str):
        listed = answer.strip(" []")
        listed = listed[1:-1] if listed.startswith("(") else listed  # not the bracket of sin(x2)
        answer = re.split(r",|;| and |\+|&", listed)
    if isinstance(answer, np.ndarray):
        answer = answer.ravel().tolist()
    if not isinstance(answer, list | tuple | set | frozenset) or not 1 <= len(answer) <= 2:
        raise Mistake("Give two names in a list.")
    names = tuple(sorted(map(_feature, answer)))
    if not set(names) <= set(FEATURES):
        raise Mistake(f"Choose among {', '.join(FEATURES)}.")
    if len(names) == 1:
        raise Mistake("Two features are asked for.")
    if names[0] == names[1]:
        raise Mistake("These are one feature, twice.")
    right = _accuracy(names)
    text = f"With {names[0]} and {names[1]} it gets {right:.0%} right"
    if right >= 0.95:
        return None
    if set(names) == {"x1", "x2"}:
        return f"{text}: these two alone are a straight line in the plane."
    if "x1*x2" in names:
        return f"{text}: the cross tells equal from unequal signs; a ring has both."
    if any(name.startswith("sin") for name in names):
        return f"{text}: a sine repeats itself; the distance from the middle does not."
    return f"{text}: better, but one direction is missing."


def stable_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)


def _sum_of_all(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum()


def _columns(z: np.ndarray) -> np.ndarray:
    return stable_softmax(z.T).T


def _plain(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def _one_largest(z: np.ndarray) -> np.ndarray:
    return _plain(z - z.max())


def _no_exp(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted / shifted.sum(axis=1, keepdims=True)


_LOGITS = np.array([[1.0, 2.0, 3.0], [0.0, 4.0, -1.0]])
_LARGE = np.array([[5000.0, 4999.0, 0.0], [-1000.0, -1001.0, -1003.0]])
_SOFTMAX = (
    (_sum_of_all, "All numbers together add up to 1; each row is to do so: mind the axis."),
    (_columns, "Your columns add up to 1; the examples stand in rows."),
    (_no_exp, "The exponential is missing."),
    (lambda z: np.exp(z - z.max(axis=1, keepdims=True)), "Divide by the sum of the row."),
    (lambda z: z - z.max(axis=1, keepdims=True), "This is the shifted row; its powers are needed."),
)


def _check_softmax(answer: Any) -> str | None:
    with np.errstate(all="ignore"):
        got, large = (tried(answer, z) for z in (_LOGITS, _LARGE))
        value = numbers(got, *_LOGITS.shape)
        text = f"For z = {shown(_LOGITS)} yours gives {shown(value)}."
        for function, message in _SOFTMAX:
            if close(value, function(_LOGITS), COMPUTED):
                return f"{message} {text}"
        if not close(value, stable_softmax(_LOGITS), COMPUTED):
            return f"Not yet: subtract the row's largest, take powers of e, divide. {text}"
        large = np.asarray(large, dtype="float64").reshape(_LARGE.shape)
    if np.isnan(large[0]).any():
        return f"Right for small logits; z = {shown(_LARGE[0])} overflows: what is subtracted?"
    if np.isnan(large).any():
        return "Right for small logits. Is the largest of all subtracted, or each row's largest?"
    if not close(large, stable_softmax(_LARGE), COMPUTED, atol=1e-12):
        return f"Right for small logits; for z = {shown(_LARGE)} yours gives {shown(large)}."
    return None


BAR, MOST_PARAMETERS = 0.95, 40


def spiral_network(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(8, activation="tanh")
    end = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((2,)), hidden, end])
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="binary_crossentropy")
    model.fit(x_train, y_train, epochs=40, verbose=0)
    return model


def spirals() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x_train, y_train and the x and y that the checker keeps."""
    data = load_dataset("points", shape="spirals", n=1000, seed=7)
    return data.x_train, data.y_train, data.x_val, data.y_val


def _check_spirals(answer: Any) -> str | None:
    x_train, y_train, x, y = spirals()
    model = trained_model(answer, x_train, y_train)
    right = share_right(model, x, y, 1)
    if (count := parameters(model)) > MOST_PARAMETERS:
        return f"Your model has {count} parameters; at most {MOST_PARAMETERS} are allowed."
    if right >= BAR:
        return None
    text = f"Accuracy {right:.2f} on {len(y)} points, {BAR} is asked for."
    if share_right(model, x_train, y_train, 1) < 0.7:
        return f"Not the training points either: is there a hidden layer with a bend? {text}"
    return f"On the way: does the training loss still fall when you stop? {text}"


def _network(*units: int, activation: str = "tanh", epochs: int = 1) -> Any:
    """Return a function that builds a network of these hidden layers."""

    def answer(x_train: Any, y_train: Any) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(size, activation=activation) for size in units]
        end = keras.layers.Dense(1, activation="sigmoid")
        model = keras.Sequential([keras.Input((2,)), *hidden, end])
        model.compile(optimizer=keras.optimizers.Adam(0.03), loss="binary_crossentropy")
        model.fit(x_train, y_train, epochs=epochs, verbose=0)
        return model

    return answer


EXERCISES = (
    _difference(),
    Exercise(
        question=(
            "Write a function `answer(z)` that returns the derivative of ReLU for each number of "
            "an array `z`, in an array of the same shape."
        ),
        check=_check_relu,
        hint="`z > 0` is an array of True and False. Which numbers do you need?",
        solution=relu_derivative,
        explanation="1 above 0 and 0 below. At 0 there is no derivative; libraries take 0.",
        equivalents=(
            lambda z: np.where(z > 0, 1, 0),
            lambda z: (z >= 0).astype("float32"),
            lambda z: np.heaviside(z, 0.5),
            lambda z: [[float(v > 0) for v in row] for row in z] if z.ndim > 1 else (z > 0) * 1,
        ),
        wrong=(
            *(Wrong(function, message) for function, message in _RELU),
            Wrong(lambda z: z, "Not yet: what is the slope"),
            Wrong(_divided, "At z = 0 yours gives [nan, nan]"),
            Wrong(lambda z: (z > 0) * 1.0 - (z == 0), "At z = 0 yours gives [-1., -1.]"),
            Wrong(lambda z: 1.0 if z > 0 else 0.0, "Your function raised ValueError"),
            Wrong(lambda _: 1.0, "The shape must be"),
        ),
    ),
    Exercise(
        question=(
            "One class lies in a disc, the other in a ring around it. Which two features let "
            "logistic regression without a hidden layer separate them? Choose two of `x1`, `x2`, "
            "`x1*x2`, `x1^2`, `x2^2`, `sin(x1)`, `sin(x2)`, as a list of two names."
        ),
        check=_check_features,
        hint="The distance from the middle tells the disc from the ring. How is it computed?",
        solution=["x1^2", "x2^2"],
        explanation=(
            "The squared distance is x1² + x2²: a weighted sum of these two, so a line in them is "
            "a circle in the plane."
        ),
        equivalents=(
            ("x2^2", "x1^2"),
            [" x1^2", "x2^2 "],
            {"x1**2", "x2**2"},
            ["x1²", "x2²"],
            ["x1*x1", "x2*x2"],
            ["X1 ** 2", "x₂²"],
            ["x_1^2", "x_2^2"],
            "x1^2 and x2^2",
            "x1², x2²",
            "x1^2 + x2^2",
            "['x1^2', 'x2^2']",
            np.array(["x1^2", "x2^2"]),
        ),
        wrong=(
            Wrong(["x1", "x2"], "With x1 and x2 it gets"),
            Wrong(["x1", "x1*x2"], "With x1 and x1*x2 it gets"),
            Wrong(["x1^2", "x2"], "With x1^2 and x2 it gets"),
            Wrong(["sin(x1)", "sin(x2)"], "With sin(x1) and sin(x2) it gets"),
            Wrong(["x1^2", "x1^2"], "These are one feature, twice."),
            Wrong(["x1^2", "x3"], "Choose among x1, x2"),
            Wrong("x1^2", "Two features are asked for."),
            Wrong(["x1", "x2", "x1^2"], "Give two names in a list."),
        ),
    ),
    Exercise(
        question=(
            "Complete softmax for many examples at once: `z` is (m, C), one row of logits per "
            "example, and so is the result. No logit may be too large for it. Fill in the three "
            "places."
        ),
        check=_check_softmax,
        hint="`z.max(axis=1, keepdims=True)` is a column: one number per row.",
        solution=stable_softmax,
        explanation=(
            "Each row's largest logit becomes 0 and no power is above 1, so nothing overflows; the "
            "factor e^max cancels in the division."
        ),
        equivalents=(
            lambda z: [stable_softmax(row[None])[0].tolist() for row in z],
            lambda z: stable_softmax(z.astype("float64")).astype("float32"),
            lambda z: stable_softmax(z - z.max(axis=1)[:, None]),
        ),
        wrong=(
            *(Wrong(function, message) for function, message in _SOFTMAX),
            Wrong(_plain, "Right for small logits; z = [5000., 4999., 0.] overflows"),
            Wrong(_one_largest, "Right for small logits. Is the largest of all"),
            Wrong(lambda z: 1 / (1 + np.exp(-z)), "Not yet: subtract the row's largest"),
            Wrong(lambda z: z - z.max(axis=1), "Your function raised ValueError"),
            Wrong(lambda z: stable_softmax(z)[0], "The shape must be (2, 3)"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write a function `answer(x_train, y_train)` that builds and trains a Keras model for "
            "the two spirals and returns it: two columns in, the probability of class 1 out. The "
            "checker calls it with 680 points and measures it on 120 others: an accuracy of at "
            "least 0.95 is asked for, with at most 40 parameters, after at most 15 seconds of "
            "training."
        ),
        check=_check_spirals,
        hint="A layer of k neurons after n inputs has n·k + k parameters. How long must it train?",
        solution=spiral_network,
        explanation=(
            "One hidden layer of 8 neurons with tanh has 33 parameters. Fewer layers need more "
            "epochs: after 15 it gets less than nine in ten right, after 40 all."
        ),
        equivalents=(),
        wrong=(
            Wrong(_network(epochs=3), "Not the training points either"),
            Wrong(_network(32, 32), "Your model has 1185 parameters"),
            Wrong(_network(8, epochs=15), "On the way"),
            Wrong(lambda x, y: x, "The trained model is to be returned"),  # noqa: ARG005
        ),
        level="build",
    ),
)
