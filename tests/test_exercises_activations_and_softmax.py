"""Notebook 04's exercises: the bar of the spirals, and answers in many forms."""

import numpy as np
import pytest

from dlcourse.lessons.exercises import activations_and_softmax as lesson
from dlcourse.lessons.exercises import check


@pytest.mark.seeds
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_hidden_layer_reaches_the_bar_of_the_spirals_from_any_start(monkeypatch, seed):
    import keras

    real = keras.utils.set_random_seed
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda given: real(given + seed))
    assert check("04.5", lesson.spiral_network)


@pytest.mark.seeds
def test_a_line_and_a_short_training_miss_the_bar_of_the_spirals():
    for answer in (lesson._network(epochs=20), lesson._network(8, epochs=15)):
        assert check("04.5", answer).status == "wrong"


def test_the_spirals_have_as_many_points_as_the_question_says_and_equal_classes():
    x_train, _, x, y = lesson.spirals()
    assert (len(x_train), len(x)) == (680, 120)
    assert y.mean() == 0.5


@pytest.mark.parametrize(
    "answer",
    [
        ["x1^2", "x2^2"],
        ("x2²", "x1²"),
        {"x1**2", "x2**2"},
        ["x1*x1", "x2*x2"],
        ["x1·x1", "x2 × x2"],
        ["X1^2", "X2^2"],
        ["x₁²", "x₂²"],
        ["x_1 ** 2", "x_2 ** 2"],
        "x1^2, x2^2",
        "x1² and x2²",
        "[x1^2; x2^2]",
        frozenset({"x1^2", "x2^2"}),
        "x1² + x2²",
        "['x1^2', 'x2^2']",
        "x1^2 & x2^2",
        np.array(["x1^2", "x2^2"]),
    ],
)
def test_the_two_squares_are_read_in_any_notation(answer):
    assert check("04.3", answer), check("04.3", answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (["x1^2"], "Two features are asked for"),
        (["x1^2", "x1*x1"], "These are one feature, twice"),
        (["x2*x1", "x1"], "With x1 and x1*x2 it gets"),
        (["radius", "x1"], "Choose among"),
        ("x1", "Two features are asked for"),
        (["x1", "x2", "x1*x2"], "Give two names in a list"),
        (3, "Give two names in a list"),
        ([1, 2], "Choose among"),
        (["sin(x1)", "x2"], "With sin(x1) and x2 it gets"),
        ("sin(x1), sin(x2)", "With sin(x1) and sin(x2) it gets"),
        ("(sin(x1), sin(x2))", "With sin(x1) and sin(x2) it gets"),
        (["np.sin(x1)", "x2"], "With sin(x1) and x2 it gets"),
        ({"x1": 1}, "Give two names in a list"),
    ],
)
def test_other_features_are_told_why_they_fail(answer, message):
    assert check("04.3", answer).message.startswith(message), check("04.3", answer)


@pytest.mark.parametrize(
    "answer",
    [
        lambda z: z > 0,
        lambda z: np.where(z > 0, True, False),
        lambda z: (np.sign(z) + 1) / 2,
        lambda z: (np.sign(z) + 1) // 2,
        lambda z: np.clip(np.sign(z), 0, None),
        lambda z: (z > 0).astype(int)[..., None],
        lambda z: np.vectorize(lambda v: 1 if v > 0 else 0)(z),
        lambda z: (z >= 0).tolist(),
        lambda z: 1.0 * (z > 0),
        lambda z: np.array(z > 0, dtype="float32"),
    ],
)
def test_the_slope_of_relu_is_read_in_any_form(answer):
    assert check("04.2", answer), check("04.2", answer)


def test_softmax_of_rows_may_work_in_its_argument_and_in_float32():
    def in_place(z):
        z -= z.max(axis=1)[:, None]
        np.exp(z, out=z)
        z /= z.sum(axis=1)[:, None]
        return z

    assert check("04.4", in_place)
    assert check("04.4", lambda z: lesson.stable_softmax(np.float32(z)))
    assert check("04.4", lambda z: np.array([lesson.stable_softmax(row[None])[0] for row in z]))
    assert check("04.4", lambda z: z - ...).status == "unattempted"


def test_softmax_of_rows_must_subtract_the_largest_and_not_the_mean():
    verdict = check("04.4", lambda z: lesson._plain(z - z.mean(axis=1, keepdims=True)))
    assert verdict.message.startswith("Right for small logits; z = [5000., 4999., 0.] overflows")
