"""Exercises of notebook 05: paths, a layer and a network backwards, a network from scratch."""

from typing import Any

import numpy as np

from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    choice_check,
    close,
    number_check,
    numbers,
    shaped,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong


def _paths(x: int = 2, y: int = 3) -> Exercise:
    """Return exercise 05.1 for two numbers, x not 1, y or y + 1."""
    f = x * y + x
    wrong = (
        Wrong(y, f"{y} is what comes back through the product. Does x reach f on one path only?"),
        Wrong(1, "1 is what comes back through the sum. Does x reach f on one path only?"),
        Wrong(x, f"{x} is the derivative by y, which is x. Here x is the one that changes."),
        Wrong(f, f"{f} is f itself. How much does it grow when x grows by a little?"),
        Wrong(x + y, f"{x + y} = {y} + {x}. The product hands y to x, not x to itself."),
    )
    return Exercise(
        question=(
            rf"Let $f = x \cdot y + x$ with $x = {x}$ and $y = {y}$. What is "
            r"$\partial f/\partial x$?"
        ),
        check=number_check(
            y + 1, wrong, "Multiply along each path from f back to x, then add.", rtol=COMPUTED
        ),
        hint="x goes into f twice: through the product, and directly into the sum.",
        solution=y + 1,
        explanation=(
            f"Through the product comes y = {y}, through the sum 1; paths add up: y + 1 = {y + 1}."
        ),
        equivalents=(str(y + 1), float(y + 1), [y + 1], np.float32(y + 1)),
        wrong=wrong,
        variant=lambda random: _paths(int(random.integers(2, 5)), int(random.integers(5, 10))),
    )


def backward(dz, a, W):
    return dz @ a.T, dz.sum(axis=1, keepdims=True), W.T @ dz


def _loops(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> list[np.ndarray]:
    dW, db = np.zeros(W.shape), np.zeros((len(W), 1))
    for column, before in zip(dz.T, a.T, strict=True):
        dW += np.outer(column, before)
        db += column[:, None]
    return [dW, db, np.dot(W.T, dz)]


def _float32(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return tuple(part.astype("float32") for part in backward(dz, a, W))


def _lists(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return tuple(part.tolist() for part in backward(dz, a, W))


def _mean(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    m = dz.shape[1]
    return dz @ a.T / m, dz.sum(axis=1, keepdims=True) / m, W.T @ dz


def _mean_bias(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.mean(axis=1, keepdims=True), W.T @ dz


def _flat_bias(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.sum(axis=1), W.T @ dz


def _turned(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return a @ dz.T, dz.sum(axis=1, keepdims=True), W.T @ dz


def _no_transpose(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return dz @ a.T, dz.sum(axis=1, keepdims=True), W @ dz


def _uphill(dz: np.ndarray, a: np.ndarray, W: np.ndarray) -> tuple[Any, ...]:
    return -dz @ a.T, -dz.sum(axis=1, keepdims=True), -W.T @ dz


def _check_backward(answer: Any) -> str | None:
    random = np.random.default_rng(5)
    for neurons, inputs, m in ((4, 3, 5), (1, 4, 2)):
        dz, a = random.normal(size=(neurons, m)), random.normal(size=(inputs, m))
        W = random.normal(size=(neurons, inputs))
        got, right = tried(answer, dz, a, W), backward(dz, a, W)
        if not isinstance(got, tuple | list) or len(got) != 3:
            raise Mistake(f"Three arrays are expected, (dW, db, da), not {shown(got)}.")
        for name, mine, theirs in zip(("dW", "db", "da"), got, right, strict=True):
            if fault := _fault(name, mine, theirs, m):
                return fault
    return None


def _fault(name: str, got: Any, right: np.ndarray, m: int) -> str | None:
    """Return what is wrong with one of the three arrays."""
    if np.shape(got) != right.shape:
        return (
            f"{name} must have the shape of what it belongs to, {right.shape} here; "
            f"yours has {np.shape(got)}."
        )
    value = numbers(got)
    if close(value, right, COMPUTED):
        return None
    if close(value * m, right, COMPUTED):
        return f"Your {name} is divided by m; dz holds the factor 1/m already."
    if close(-value, right, COMPUTED):
        return f"Your {name} has the wrong sign: the minus belongs to the step, w − α·dw."
    return f"{name} has the right shape but not the right numbers: compare it with the four lines."


_AVENUES = (
    Wrong("a", "a₁ = 0.9 makes w₁ the stronger of the two weights. Look at the other avenues too."),
    Wrong("b", "∂z/∂w₂ = a₂ = 0.1 is the weakest of all: that input is nearly dark."),
    Wrong("c", "∂z/∂b = 1 is strong, and there is one whose derivative is larger in size."),
    Wrong("d", "∂z/∂a₁ = w₁ = 0.5. Is there a stronger weight? A minus sign is not a weakness."),
)


_SYMBOLS = {"w1": "a", "w2": "b", "a1": "d", "a2": "e"}  # "b" is the letter, not the bias


def _check_avenue(answer: Any) -> str | None:
    if isinstance(answer, str):
        plain = answer.strip(" $.").lower().translate(str.maketrans("₁₂", "12", "_{}"))
        answer = _SYMBOLS.get(plain, answer)
    return choice_check("e", _AVENUES)(answer)


def backward_in_rows(X, y, a1, a2, W2):
    m = len(X)
    dz2 = (a2 - y) / m
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * (1 - a1**2)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0)
    return dW1, db1, dW2, db2


def _with(tanh: Any = lambda a: 1 - a**2, m: Any = len, turned: str = "") -> Any:
    """Return the backward pass with another tanh′ or m, or with one gradient transposed."""

    def answer(X: Any, y: Any, a1: Any, a2: Any, W2: Any) -> Any:
        dz2 = (a2 - y) / m(X)
        dz1 = (dz2 @ W2.T) * tanh(a1)
        found = {"dW1": X.T @ dz1, "db1": dz1.sum(axis=0)}
        found |= {"dW2": a1.T @ dz2, "db2": dz2.sum(axis=0)}
        return tuple(part.T if name == turned else part for name, part in found.items())

    return answer


_SLOPES = (
    (np.ones_like, "the slope of tanh is missing, which a1 tells"),
    (lambda a: a * (1 - a), "a·(1 − a) is the slope of the sigmoid; the hidden layer has tanh"),
    (lambda a: 1 - a, "the slope of tanh is not 1 − a: a square is missing"),
    (lambda a: 1 - np.tanh(a) ** 2, "a1 is tanh(z) already: no second tanh is needed"),
    (lambda a: a, "the factor is the slope of tanh, not tanh itself"),
)


def _network_case() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(7)
    X, W1, W2 = (random.normal(size=shape) for shape in ((5, 3), (3, 4), (4, 1)))
    y = np.array([[1.0], [0.0], [0.0], [1.0], [0.0]])
    a1 = np.tanh(X @ W1 + 0.1)
    return X, y, a1, 1 / (1 + np.exp(-(a1 @ W2 - 0.2))), W2


def _check_network(answer: Any) -> str | None:
    case = _network_case()
    got, right = tried(answer, *case), backward_in_rows(*case)
    if not isinstance(got, tuple | list) or len(got) != 4:
        raise Mistake(f"Four arrays are expected, (dW1, db1, dW2, db2), not {shown(got)}.")
    names = ("dW1", "db1", "dW2", "db2")
    for k in (2, 3, 0, 1):  # from the end of the network, as the gradients are computed
        if fault := _network_fault(names[k], got[k], right[k], k, case):
            return fault
    return None


def _network_fault(name: str, got: Any, right: np.ndarray, k: int, case: Any) -> str | None:
    """Return what is wrong with one of the four gradients."""
    m = len(case[0])
    shape = np.shape(got)
    if right.ndim == 2 and shape == right.T.shape:
        return f"Your {name} is transposed: it is {shape}, its weights are {right.shape}."
    fits = np.size(got) == right.size
    if right.ndim == 2:
        fits = fits and shaped(np.asarray(got), right.shape).shape == right.shape
    if not fits:
        return f"{name} must have the shape {right.shape}, yours has {shape}."
    value = numbers(got, *right.shape) if right.ndim == 2 else numbers(got).reshape(right.shape)
    if close(value, right, COMPUTED):
        return None
    if close(value, m * right, COMPUTED):
        return f"Your {name} is m times too large: the loss is a mean over the m examples."
    if close(m * value, right, COMPUTED) or close(m / len(right) * value, right, COMPUTED):
        return f"Your {name} is divided once too often: only dz2 needs the mean."
    if close(-value, right, COMPUTED):
        return f"Your {name} has the wrong sign: the error is a − y."
    for slope, message in _SLOPES:
        if k < 2 and close(value, _with(slope)(*case)[k], COMPUTED):
            return f"Your {name} is wrong, because dz1 is: {message}."
    after = "begin with dz2" if k == 2 else "dW2 and db2 are right" if k < 2 else "dW2 is right"
    return f"{name} has the right shape but not the right numbers: {after}."


BAR = 0.93


def from_scratch(X, Y):
    random = np.random.default_rng(0)
    W1, b1 = random.normal(size=(8, 2)), np.zeros((8, 1))
    W2, b2 = random.normal(size=(1, 8)), np.zeros((1, 1))
    for _ in range(4000):
        a1 = np.tanh(W1 @ X + b1)
        a2 = 1 / (1 + np.exp(-(W2 @ a1 + b2)))
        dz2 = (a2 - Y) / X.shape[1]
        dz1 = (W2.T @ dz2) * (1 - a1**2)
        W2, b2 = W2 - dz2 @ a1.T, b2 - dz2.sum(axis=1, keepdims=True)
        W1, b1 = W1 - dz1 @ X.T, b1 - dz1.sum(axis=1, keepdims=True)
    return W1, b1, W2, b2


def quadrants(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n points in columns, (2, n), and 1 for those of unequal signs, (1, n)."""
    X = np.random.default_rng(seed).uniform(-1, 1, (2, n))
    return X, (X[:1] * X[1:] < 0).astype(float)


def share(parameters: Any, X: np.ndarray, Y: np.ndarray) -> float:
    """Return the share of points that a network of tanh and a sigmoid gets right."""
    W1, b1, W2, b2 = parameters
    z2 = W2 @ np.tanh(W1 @ X + b1) + b2
    return float(np.mean((z2 > 0) == Y))


def _parameters(result: Any) -> tuple[np.ndarray, ...]:
    if not isinstance(result, tuple | list) or len(result) != 4:
        raise Mistake("Return the four parameters: `return W1, b1, W2, b2`.")
    W1 = numbers(result[0])
    if W1.ndim != 2 or W1.shape[1] != 2:
        raise Mistake(f"W1 must have the shape (neurons, 2), yours has {W1.shape}.")
    k = len(W1)
    shapes = {"b1": (k, 1), "W2": (1, k), "b2": (1, 1)}
    parts = [W1]
    for (name, shape), given in zip(shapes.items(), result[1:], strict=True):
        part = numbers(given)
        if part.size != np.prod(shape) or (name == "W2" and part.shape == (k, 1) and k > 1):
            raise Mistake(f"{name} must have the shape {shape}, yours has {part.shape}.")
        parts.append(part.reshape(shape))
    return tuple(parts)


def _check_from_scratch(answer: Any) -> str | None:
    X_train, Y_train = quadrants(200, 1)
    with np.errstate(all="ignore"):
        parameters = _parameters(tried(answer, X_train, Y_train))
    X, Y = quadrants(400, 2)
    right = share(parameters, X, Y)
    if right >= BAR:
        return None
    text = f"{right:.0%} of 400 other points are right, {BAR:.0%} are asked for."
    W1 = parameters[0]
    if len(W1) > 1 and np.ptp(np.column_stack(parameters[:2]), axis=0).max() < 1e-9:
        return f"All your hidden neurons are equal, so they are one: start random. {text}"
    if 1 - right >= BAR:
        return f"Your network gives the opposite class: does it go uphill? {text}"
    if len(W1) < 4:
        return f"Too few hidden neurons for four quadrants. {text}"
    if share(parameters, X_train, Y_train) < 0.8:
        return f"The training points are not learned either: more steps, a larger rate? {text}"
    return f"On the way: more steps, or more neurons? {text}"


def _scratch(k: int = 8, steps: int = 4000, scale: float = 1.0, sign: float = 1.0) -> Any:
    """Return a training with k hidden neurons, steps, a scale of the start, a sign of the step."""

    def answer(X: Any, Y: Any) -> Any:
        random = np.random.default_rng(1)
        W1, W2 = scale * random.normal(size=(k, 2)), scale * random.normal(size=(1, k))
        b1, b2 = np.zeros((k, 1)), np.zeros((1, 1))
        for _ in range(steps):
            a1 = np.tanh(W1 @ X + b1)
            dz2 = sign * (1 / (1 + np.exp(-(W2 @ a1 + b2))) - Y) / X.shape[1]
            dz1 = (W2.T @ dz2) * (1 - a1**2)
            W2, b2 = W2 - dz2 @ a1.T, b2 - dz2.sum(axis=1, keepdims=True)
            W1, b1 = W1 - dz1 @ X.T, b1 - dz1.sum(axis=1, keepdims=True)
        return W1, b1, W2, b2

    return answer


def _in_rows(X: Any, Y: Any) -> Any:
    return [part.T for part in _scratch(steps=10)(X, Y)]


def _biases_flat(X: Any, Y: Any) -> Any:
    W1, b1, W2, b2 = from_scratch(X, Y)
    return W1.tolist(), b1[:, 0], W2, float(b2[0, 0])


EXERCISES = (
    _paths(),
    Exercise(
        question=(
            "Write a function `answer(dz, a, W)` that returns `(dW, db, da)` of one layer, with "
            "examples in columns: `dz` is (neurons, m), `a`, the activations of the layer before, "
            "is (inputs, m), `W` is (neurons, inputs). `dz` already holds the factor $1/m$, so sum "
            "over the examples; `db` is (neurons, 1)."
        ),
        check=_check_backward,
        hint=(
            "The shapes decide: (neurons, inputs) can only come from (neurons, m)·(m, inputs). "
            "`dz.sum(axis=1, keepdims=True)` keeps a column."
        ),
        solution=backward,
        explanation=(
            "Each weight's gradient is what its neuron is asked for, times what came in, summed "
            "over the examples; each input is asked by every neuron through its weight."
        ),
        equivalents=(_loops, _float32, _lists),
        wrong=(
            Wrong(_mean, "Your dW is divided by m"),
            Wrong(_mean_bias, "Your db is divided by m"),
            Wrong(_flat_bias, "db must have the shape of what it belongs to, (4, 1)"),
            Wrong(_turned, "dW must have the shape of what it belongs to, (4, 3)"),
            Wrong(_no_transpose, "Your function raised ValueError for"),
            Wrong(_uphill, "Your dW has the wrong sign"),
            Wrong(lambda dz, a, W: dz @ a.T, "Three arrays are expected"),  # noqa: ARG005
        ),
    ),
    Exercise(
        question=(
            "A neuron $z = w_1 a_1 + w_2 a_2 + b$ has $w = (0.5, -2)$, $b = 1$ and gets "
            "$a = (0.9, 0.1)$. A small change of which one moves $z$ the most? "
            "(a) $w_1$ (b) $w_2$ (c) $b$ (d) $a_1$ (e) $a_2$"
        ),
        check=_check_avenue,
        hint="Write down the five derivatives of z; only their size counts here.",
        solution="e",
        explanation=(
            "∂z/∂w = a = (0.9, 0.1), ∂z/∂b = 1, ∂z/∂a = w = (0.5, −2): a₂ moves z twice as far as "
            "it moves itself, the other way. So the layer before is told to make a₂ smaller."
        ),
        equivalents=("E", "(e)", " e."),
        wrong=_AVENUES,
    ),
    Exercise(
        question=(
            "Complete the backward pass of a network with a hidden layer of tanh and a sigmoid at "
            "its end, trained on the mean cross-entropy, with the $m$ examples in *rows* as in "
            "Keras: `X` is (m, n), `y` is (m, 1), `a1` and `a2` are the activations of the two "
            "layers, (m, k) and (m, 1), and `W2` is (k, 1). Return the four gradients."
        ),
        check=_check_network,
        hint="It is the notebook's backward pass, transposed. The shapes decide each product.",
        solution=backward_in_rows,
        explanation=(
            "dz2 = (a2 − y)/m, and the slope of tanh is 1 − a1². A weight's gradient is what came "
            "in, transposed, times what is asked for: X.T @ dz1."
        ),
        equivalents=(
            _with(),
            lambda *case: [part.tolist() for part in backward_in_rows(*case)],
            lambda *case: tuple(np.atleast_2d(part) for part in backward_in_rows(*case)),
        ),
        wrong=(
            Wrong(_with(m=lambda X: 1), "Your dW2 is m times too large"),  # noqa: ARG005
            Wrong(_with(m=lambda X: len(X) ** 2), "Your dW2 is divided once too often"),
            Wrong(_with(m=lambda X: -len(X)), "Your dW2 has the wrong sign"),
            Wrong(_with(turned="dW2"), "Your dW2 is transposed"),
            Wrong(_with(turned="dW1"), "Your dW1 is transposed"),
            *(
                Wrong(_with(slope), f"Your dW1 is wrong, because dz1 is: {message}")
                for slope, message in _SLOPES
            ),
            Wrong(_with(lambda a: a**2), "dW1 has the right shape but not the right numbers"),
            Wrong(lambda *case: backward_in_rows(*case)[::-1], "dW2 must have the shape (4, 1)"),
            Wrong(lambda *case: backward_in_rows(*case)[0], "Four arrays are expected"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write a function `answer(X, Y)` that trains a network from scratch, in NumPy alone, "
            "and returns its parameters `(W1, b1, W2, b2)`: a hidden layer of tanh with as many "
            "neurons as you like, a sigmoid at the end, examples in columns as in this notebook, "
            "`X` of shape (2, 200) and `Y` of shape (1, 200). A point's class is 1 if its two "
            "coordinates, from −1 to 1, have unequal signs. The checker measures your network on "
            "400 other points: at least 93 % of them must be right, after at most 10 seconds."
        ),
        check=_check_from_scratch,
        hint="Start with random weights and zero biases; 8 neurons and a few thousand steps do it.",
        solution=from_scratch,
        explanation=(
            "Forward, backward, step: the loop of this notebook with two inputs. With eight "
            "neurons about 97 % are right; the others lie close to an axis."
        ),
        equivalents=(_biases_flat, _scratch(k=16)),
        wrong=(
            Wrong(_scratch(scale=0.0), "All your hidden neurons are equal"),
            Wrong(_scratch(k=1, steps=500), "Too few hidden neurons"),
            Wrong(_scratch(steps=3), "The training points are not learned either"),
            Wrong(_in_rows, "W1 must have the shape (neurons, 2)"),
            Wrong(lambda *data: _scratch(steps=1)(*data)[:2], "Return the four parameters"),
        ),
        level="build",
    ),
)
