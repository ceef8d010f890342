import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.lessons.maths import (
    arguments,
    attention,
    convolution,
    losses,
    network,
    recurrent,
    regression,
)

PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)
SIZES = st.integers(1, 5)


def test_a_fitting_array_becomes_float64_and_is_not_copied_needlessly():
    given_ = np.ones((2, 3))
    assert arguments.array("X", given_, ("m", 3)) is given_
    assert arguments.array("X", [[1, 2]], ("n",), (1, "n")).dtype == np.float64


@PROPERTY
@given(st.lists(SIZES, max_size=3).map(tuple), st.lists(SIZES, max_size=3).map(tuple))
def test_a_wrong_shape_is_named_with_the_expected_one(came, expected):
    if came == expected:
        assert arguments.array("W", np.ones(came), expected).shape == came
        return
    text = re.escape(f"W: expected shape {expected}, got {came}")
    with pytest.raises(ValueError, match=f"^{text}$"):
        arguments.array("W", np.ones(came), expected)


WRONG = {  # every function that takes arrays that must fit: a call with sizes that do not
    "logistic_step": lambda n: regression.logistic_step(np.ones(n), np.ones(n + 1), 0, 0, 0.1),
    "loop": lambda n: regression.logistic_gradient_loop(
        np.ones((2, n)), np.ones((1, n)), np.ones((n + 2, 1)), 0
    ),
    "linear_regression": lambda n: regression.linear_regression(np.ones((n, 2)), np.ones(n + 1)),
    "mse": lambda n: losses.mse(np.ones(n), np.ones(n + 1)),
    "forward": lambda n: network.Network((n, 2), ("tanh",)).forward(np.ones((3, n + 1))),
    "backward": lambda n: network.Network((2, n), ("tanh",)).backward(
        np.ones((3, 2)), np.ones((3, n + 1))
    ),
    "convolve2d": lambda n: convolution.convolve2d(
        np.ones((1, 5, 5, n)), np.ones((2, 2, n + 1, 1))
    ),
    "simple_rnn": lambda n: recurrent.simple_rnn(
        np.ones((3, n)), np.ones((n + 1, 2)), np.ones((2, 2)), np.ones(2)
    ),
    "self_attention": lambda n: attention.self_attention(
        np.ones((3, n)), (np.ones((n + 1, 2)), np.ones(2)) * 4
    ),
}


@PROPERTY
@given(st.sampled_from(sorted(WRONG)), SIZES)
def test_every_error_of_shape_has_name_expectation_and_shape(name, n):
    with pytest.raises(ValueError, match=r"^[XYWwy]|kernel") as error:
        WRONG[name](n)
    assert re.fullmatch(r"\w+: expected shape \(.*\), got \(.*\)", str(error.value))


def test_numbers_and_integers_have_bounds():
    assert arguments.scalar("rate", 0.5, 0, 1) == 0.5
    with pytest.raises(ValueError, match=r"rate: expected a number from 0 to 1, got 1\.5"):
        arguments.scalar("rate", 1.5, 0, 1)
    with pytest.raises(ValueError, match="steps: expected an integer of at least 1, got True"):
        arguments.integer("steps", True, 1)
    with pytest.raises(ValueError, match="b: expected real numbers, got None"):
        arguments.scalar("b", None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="z: expected finite numbers, got inf"):
        arguments.array("z", np.inf)
