"""Exercises of notebook 03: a loss, a step, a threshold, the gradient in a loop, a network."""

from typing import Any

import numpy as np

from dlcourse.datasets import load_dataset
from dlcourse.lessons.exercises.answers import (
    COMPUTED,
    as_float,
    close,
    number_check,
    numbers,
    shown,
    tried,
)
from dlcourse.lessons.exercises.exercise import Exercise, Mistake, Wrong
from dlcourse.lessons.exercises.networks import probabilities, trained_model
from dlcourse.lessons.maths.regression import logistic_step


def _loss(said: float = 0.8) -> Exercise:
    """Return exercise 03.1 for the probability that the model says."""
    loss = -np.log(said)
    wrong = (
        Wrong(-loss, "A loss is not below 0: mind the minus sign in front."),
        Wrong(-np.log10(said), "The logarithm is the natural one, to the base e."),
        Wrong(-np.log(1 - said), "This is the loss for y = 0; here y is 1."),
        Wrong((1 - said) ** 2, "This is the squared error (ŷ − y)²."),
        Wrong(1 - said, "This is the distance y − ŷ; take the logarithm of ŷ."),
    )
    return Exercise(
        question=(
            f"A tumour is malignant, y = 1, and the model says ŷ = {said:g}. How large is the "
            "binary cross-entropy of this example (three digits)?"
        ),
        check=number_check(loss, wrong, "Put y = 1 into the formula: one term is left."),
        hint="With y = 1 the second term is multiplied by 1 − y = 0.",
        solution=round(float(loss), 4),
        explanation=(
            f"−log {said:g} = {loss:.4f}. Had the model said {1 - said:g}, it would have been "
            f"{-np.log(1 - said):.3f}."
        ),
        equivalents=(f"{loss:.4f}", round(loss, 3), loss, np.float32(loss), [round(loss, 3)]),
        wrong=wrong,
        variant=lambda random: _loss(float(random.choice([0.6, 0.65, 0.7, 0.75, 0.85, 0.9]))),
    )


def step(x, w, b, y, learning_rate):
    a = 1 / (1 + np.exp(-(np.dot(w, x) + b)))
    dz = a - y
    return w - learning_rate * dz * x, b - learning_rate * dz


def _library(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    done = logistic_step(x, w, b, y, learning_rate)
    return [done.new_w.tolist(), done.new_b]


def _uphill(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    return step(x, w, b, y, -learning_rate)


def _full(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    del learning_rate
    return step(x, w, b, y, 1.0)


def _no_sigmoid(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    dz = np.dot(w, x) + b - y
    return w - learning_rate * dz * x, b - learning_rate * dz


def _without_x(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    change = step(x, w, b, y, learning_rate)[1] - b
    return w + change, b + change


def _same_bias(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    return step(x, w, b, y, learning_rate)[0], b


def _fixed_rate(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    del learning_rate
    return step(x, w, b, y, 0.01)


def _fixed_label(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    del y
    return step(x, w, b, 1, learning_rate)


def _no_bias(x: Any, w: Any, b: Any, y: Any, learning_rate: float) -> Any:
    new_w, change = step(x, w, 0.0, y, learning_rate)
    return new_w, b + change


_TYPICAL = (
    (_uphill, "The step went uphill: subtract the gradient."),
    (_full, "The gradient is multiplied by the learning rate."),
    (_no_sigmoid, "The error is a − y, and a is the sigmoid of z."),
    (_without_x, "The gradient of w is the error times x: each weight its own input."),
    (_same_bias, "The weights are right; the bias learns as well."),
    (_no_bias, "The bias belongs to z as well."),
    (_fixed_rate, "The learning rate is an argument; yours is always 0.01."),
    (_fixed_label, "The label y is an argument; yours is always 1."),
)

# x, w, b, y, learning rate: the slides' example, and another label.
_STEPS = (
    (np.array([5.0, 3.0]), np.array([0.5, 0.5]), 1.0, 1, 0.01),
    (np.array([1.0, -2.0]), np.array([0.3, 0.1]), -0.2, 0, 0.5),
)


def _pair(result: Any, case: tuple[Any, ...]) -> tuple[np.ndarray, float]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two things, the new w and the new b: `return w, b`.")
    _in_order(result, case[1].size)
    return numbers(result[0], *case[1].shape), as_float(result[1])


def _in_order(result: Any, n: int) -> None:
    """Raise `Mistake` if the results are not w, n numbers, and b, one number."""
    sizes = tuple(numbers(part).size for part in result)
    if sizes == (1, n):
        raise Mistake("The two results are exchanged: first w, then b.")
    for name, size, right in zip("wb", sizes, (n, 1), strict=True):
        if size != right:
            raise Mistake(f"{name} has {right} number{'s' * (right > 1)} here, yours has {size}.")


def _equal(got: tuple[Any, Any], right: Any) -> bool:
    return all(close(g, r, rtol=COMPUTED) for g, r in zip(got, right, strict=True))


def _check_step(answer: Any) -> str | None:
    for case in _STEPS:
        got = _pair(tried(answer, *case), case)
        if _equal(got, step(*case)):
            continue
        x, w, b, y, rate = case
        text = f"For x = {shown(x)}, w = {shown(w)}, b = {b:g}, y = {y}, learning rate {rate:g} "
        text += f"yours gives w = {shown(got[0])}, b = {got[1]:.6g}."
        for function, message in _TYPICAL:
            if _equal(got, function(*case)):
                return f"{message} {text}"
        return f"Not yet: first z, then a, then the error a − y. {text}"
    return None


_THRESHOLDS = (
    Wrong(0.5, "With 0.5 both mistakes would count the same."),
    Wrong(1 / 20, "Close; but examining costs something only where the tumour is benign."),
    Wrong(20 / 21, "This is turned round: it would let nearly all tumours go home."),
    Wrong(20, "A probability lies from 0 to 1"),
)


def _check_threshold(answer: Any) -> str | None:
    if not 0 <= as_float(answer) <= 1:
        return 'A probability lies from 0 to 1; a percentage has its sign, "30 %".'
    return number_check(1 / 21, _THRESHOLDS, "Compare the expected costs of both decisions.")(
        answer
    )


def descend(X, y, learning_rate, steps):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        a = 1 / (1 + np.exp(-(X @ w + b)))
        dw = X.T @ (a - y) / len(y)
        db = np.mean(a - y)
        w = w - learning_rate * dw
        b = b - learning_rate * db
    return w, b


_X = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5], [-2.0, 1.0, 1.0], [0.0, 3.0, -1.5]])
_Y = np.array([1.0, 0.0, 0.0, 0.0])
_M = len(_Y)


def _gradients(dz: Any) -> tuple[np.ndarray, float]:
    return _X.T @ dz / _M, float(np.mean(dz))


# From w = 0 and b = 0 every probability is one half.
_DZ = 0.5 - _Y
_FIRST_STEP = (
    (_gradients(-_DZ), "has the wrong sign: the error is a − y, and the step subtracts."),
    (_gradients(_M * _DZ), "is a sum over the examples; the cost is their mean."),
    (_gradients(-_Y), "comes from z − y: the sigmoid is missing in a."),
    (_gradients(_DZ / 4), "has a factor a·(1 − a) too many: in a − y it has cancelled."),
    (_gradients(2 * _DZ), "has a factor 2 too many: it belongs to the squared error."),
    (_gradients(_DZ / _M), "is divided by m twice."),
)


def _loop(dz_of: Any, gradients: Any = None) -> Any:
    """Return a descent with a fault: `dz_of(X, w, b, y)` or `gradients(X, dz)` is wrong."""

    def answer(X: Any, y: Any, learning_rate: float, steps: int) -> Any:
        w, b = np.zeros(X.shape[1]), 0.0
        for _ in range(steps):
            dz = dz_of(X, w, b, y)
            dw, db = gradients(X, dz) if gradients else (X.T @ dz / len(y), np.mean(dz))
            w, b = w - learning_rate * dw, b - learning_rate * db
        return w, b

    return answer


def _dz(X: Any, w: Any, b: Any, y: Any) -> Any:
    return 1 / (1 + np.exp(-(X @ w + b))) - y


_without_bias = _loop(lambda X, w, b, y: _dz(X, w, 0.0, y))  # noqa: ARG005
_half = _loop(lambda X, w, b, y: 0.5 - y)  # noqa: ARG005


def _check_descent(answer: Any) -> str | None:
    w, b = _weights(tried(answer, _X, _Y, 1.0, 1))
    for name, got, k in (("dw", -w, 0), ("db", -b, 1)):
        if close(got, _gradients(_DZ)[k], COMPUTED):
            continue
        for typical, message in _FIRST_STEP:
            if close(got, typical[k], COMPUTED):
                return f"After one step: your {name} {message}"
        if k == 0 and close(w, 0 * w):
            return "After one step w is still 0: is it assigned in the loop?"
        return (
            f"After one step from w = 0, b = 0 with learning rate 1 your {name} would be "
            f"{shown(got)}: that is not the mean of {'(a − y)·x' if k == 0 else 'a − y'}."
        )
    got = _weights(tried(answer, _X, _Y, 0.5, 20))
    if _equal(got, descend(_X, _Y, 0.5, 20)):
        return None
    if _equal(got, descend(_X, _Y, 1.0, 20)) or _equal(got, descend(_X, _Y, 1.0, 1)):
        return "The first step is right; with another learning rate or more steps it is not."
    if _equal(got, descend(_X, _Y, 0.5, 1)):
        return "Your loop takes one step, however many are asked for."
    if _equal(got, _without_bias(_X, _Y, 0.5, 20)):
        return "The first step is right, later ones are not: b is missing in z."
    if _equal(got, _half(_X, _Y, 0.5, 20)):
        return "The first step is right, later ones are not: a must follow w and b in each step."
    return "The first step is right, later ones are not: what changes from step to step?"


def _weights(result: Any) -> tuple[np.ndarray, float]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two things, the last w and the last b: `return w, b`.")
    _in_order(result, _X.shape[1])
    return numbers(result[0], _X.shape[1]), as_float(result[1])


BAR = 0.09


def tumour_network(x_train, y_train):
    import keras

    keras.utils.set_random_seed(0)
    scale = keras.layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential(
        [keras.Input((30,)), scale, keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.03), loss="binary_crossentropy")
    model.fit(x_train, y_train, epochs=20, verbose=0)
    return model


def tumours() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x_train, y_train and the x and y that the checker keeps; y = 1 is malignant."""
    data = load_dataset("breast_cancer", seed=7, validation_fraction=0.3)
    return data.x_train, 1.0 - data.y_train, data.x_val, 1.0 - data.y_val


def cross_entropy(y: np.ndarray, p: np.ndarray) -> float:
    """Return the mean binary cross-entropy; a probability is kept 1e-7 away from 0 and 1."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def _check_network(answer: Any) -> str | None:
    x_train, y_train, x, y = tumours()
    p = probabilities(trained_model(answer, x_train, y_train), x, 1)[:, 0]
    if p.min() < 0 or p.max() > 1:
        return (
            f"Your outputs go from {p.min():.3g} to {p.max():.3g}; a probability lies from 0 to 1. "
            "Which activation has the last layer?"
        )
    loss = cross_entropy(y, p)
    if loss <= BAR:
        return None
    text = f"Binary cross-entropy {loss:.2f} on {len(y)} tumours, {BAR} is asked for."
    if np.ptp(p) < 1e-3 and abs(p[0] - 0.5) < 0.1:
        return f"Your model gives every tumour an even chance: is `fit` called? {text}"
    if np.ptp(p) < 1e-3:
        return f"Your neuron is saturated, the same for every tumour: scale the inputs. {text}"
    if cross_entropy(1 - y, p) < min(loss, 0.4):
        return f"Your model gives the probability of a benign tumour; y = 1 is malignant. {text}"
    if cross_entropy(y, np.full(len(y), y_train.mean())) < loss:
        return f"To say the same of every tumour would be better: are the inputs scaled? {text}"
    if loss < 0.2:
        return f"On the way: does the training loss still fall when you stop? {text}"
    return f"Not yet: are the inputs scaled, and all thirty of them used? {text}"


def _scaled(train: bool = True, epochs: int = 1, activation: str = "sigmoid") -> Any:
    """Return a function that builds a network, with a typical fault."""

    def answer(x_train: Any, y_train: Any) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        scale = keras.layers.Normalization(mean=x_train.mean(axis=0), variance=x_train.var(axis=0))
        zeros = {} if train else {"kernel_initializer": "zeros"}
        head = keras.layers.Dense(1, activation=activation, **zeros)
        model = keras.Sequential([keras.Input((30,)), scale, head])
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy")
        if train:
            model.fit(x_train, y_train, epochs=epochs, verbose=0)
        return model

    return answer


def unscaled(x_train, y_train):
    """Return the model of someone who forgot to scale the inputs."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="binary_crossentropy")
    model.fit(x_train, y_train, epochs=2, verbose=0)
    return model


def _benign(x_train: Any, y_train: Any) -> Any:
    return _scaled(epochs=3)(x_train, 1 - y_train)


def _one_column(x_train: Any, y_train: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    only = np.zeros((30, 1))
    only[0] = 1 / x_train[:, 0].std()
    inputs = keras.Input((30,))
    radius = keras.layers.Dense(1, trainable=False)
    scaled = radius(inputs)
    radius.set_weights([only, np.array([-x_train[:, 0].mean() / x_train[:, 0].std()])])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(scaled))
    model.compile(optimizer=keras.optimizers.Adam(0.3), loss="binary_crossentropy")
    model.fit(x_train, y_train, epochs=3, verbose=0)
    return model


def _history(x_train: Any, y_train: Any) -> Any:
    import keras

    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model.fit(x_train[:32], y_train[:32], verbose=0)


EXERCISES = (
    _loss(),
    Exercise(
        question=(
            "Write a function `answer(x, w, b, y, learning_rate)` that takes one step of logistic "
            "regression on one example and returns the new `w` and the new `b`."
        ),
        check=_check_step,
        hint="Four lines: z, a, the error a − y, and both new values in the `return`.",
        solution=step,
        explanation="dw = (a − y)·x and db = a − y; both are multiplied by α and subtracted.",
        equivalents=(_library, lambda *case: list(step(*case))),
        wrong=(
            *(Wrong(function, message) for function, message in _TYPICAL),
            Wrong(lambda *case: step(*case)[0], "Return two things"),
            Wrong(lambda *case: step(*case)[::-1], "The two results are exchanged"),
            Wrong(lambda x, w, b, y, rate: (w + rate * x * y, b + rate), "Not yet: first z"),
        ),
    ),
    Exercise(
        question=(
            "To send a malignant tumour home costs 20, to examine a benign one for nothing costs "
            "1, and a right decision costs nothing. From which probability of malignancy on should "
            "a patient be examined (three digits)?"
        ),
        check=_check_threshold,
        hint="With probability p, sending home costs 20·p on average. What does examining cost?",
        solution=0.0476,
        explanation=(
            "Home costs 20·p on average, examining 1·(1 − p). They are equal at p = 1/21 = 0.0476: "
            "the threshold follows from the costs, not from the model."
        ),
        equivalents=("1/21", 1 / 21, 0.0476, "4.76 %", np.float32(1 / 21), [0.04762]),
        wrong=_THRESHOLDS,
    ),
    Exercise(
        question=(
            "Complete gradient descent for logistic regression: `X` is (m, n), `y` is (m,), and "
            "the cost is the mean binary cross-entropy. Fill in the three places; `answer` returns "
            "the last `w` and `b`."
        ),
        check=_check_descent,
        hint="The three lines stand in this notebook, with dz = a − y in between.",
        solution=descend,
        explanation=(
            "a is the sigmoid of X·w + b, dw the mean of (a − y)·x and db the mean of a − y. All "
            "three are computed anew in each step."
        ),
        equivalents=(_loop(_dz), lambda *case: [part.tolist() for part in descend(*case)]),
        wrong=(
            Wrong(_loop(lambda *case: -_dz(*case)), "After one step: your dw has the wrong sign"),
            Wrong(_loop(_dz, lambda X, dz: (X.T @ dz, dz.sum())), "After one step: your dw is a s"),
            Wrong(
                _loop(_dz, lambda X, dz: (X.T @ dz / len(dz), dz.sum())),
                "After one step: your db is a sum",
            ),
            Wrong(
                _loop(lambda X, w, b, y: X @ w + b - y),
                "After one step: your dw comes from z − y",
            ),
            Wrong(_without_bias, "The first step is right, later ones are not: b is missing"),
            Wrong(_half, "The first step is right, later ones are not: a must follow"),
            Wrong(lambda X, y, rate, steps: descend(X, y, rate, 1), "Your loop takes one step"),  # noqa: ARG005
            Wrong(
                _loop(_dz, lambda X, dz: (X @ dz / len(dz), dz.mean())),
                "Your function raised ValueError",
            ),
            Wrong(
                _loop(_dz, lambda X, dz: (X[0] * dz[0], dz.mean())),
                "After one step from w = 0, b = 0",
            ),
            Wrong(_loop(_dz, lambda X, dz: (X.T @ dz / len(dz), dz)), "b has 1 number here"),
            Wrong(lambda *case: descend(*case)[0], "Return two things"),
        ),
        level="complete",
    ),
    Exercise(
        question=(
            "Write a function `answer(x_train, y_train)` that builds and trains a Keras model for "
            "the tumours and returns it: thirty raw measurements in, the probability of malignancy "
            "out ($y = 1$ is malignant). The checker calls it with 318 tumours and measures it on "
            "137 others: a binary cross-entropy of at most 0.09 is asked for, after at most 10 "
            "seconds of training."
        ),
        check=_check_network,
        hint=(
            "The usual way stands in this notebook: Normalization, a neuron with a sigmoid, Adam. "
            "Measure on the validation tumours whether more epochs or a larger rate still help."
        ),
        solution=tumour_network,
        explanation=(
            "One neuron on standardised inputs is enough: about 0.07. Without Normalization the "
            "large columns drown the others. With too few steps the weights are still too small."
        ),
        equivalents=(),
        wrong=(
            Wrong(_scaled(epochs=3), "On the way"),
            Wrong(_scaled(train=False), "Your model gives every tumour an even chance"),
            Wrong(_scaled(activation="linear"), "Your outputs go from"),
            Wrong(unscaled, "Your neuron is saturated"),
            Wrong(_one_column, "Not yet: are the inputs scaled, and all thirty"),
            Wrong(_benign, "Your model gives the probability of a benign tumour"),
            Wrong(_history, "The trained model is to be returned"),
        ),
        level="build",
    ),
)
