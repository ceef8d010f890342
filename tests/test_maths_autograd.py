import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.lessons.maths.autograd import Value
from dlcourse.lessons.maths.calculus import numeric_derivative
from dlcourse.lessons.maths.regression import logistic_step

PROPERTY = settings(deadline=None, derandomize=True, max_examples=30)


def test_the_chain_rule_by_hand():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    f = x * y + x**2  # 6 + 4; df/dx = y + 2x, df/dy = x
    f.backward()
    assert (f.data, x.grad, y.grad, f.grad) == (10, 7, 2, 1)


def test_a_value_used_twice_adds_up_both_ways():
    x = Value(3.0)
    y = x * x * x
    y.backward()
    assert x.grad == 27


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + 3,
        lambda x: 3 + x * 2,
        lambda x: 1 - x,
        lambda x: x - 1,
        lambda x: -x,
        lambda x: 2 / x,
        lambda x: x / 2,
        lambda x: x**3,
        lambda x: x**-1.5,
        lambda x: x.exp(),
        lambda x: x.log(),
        lambda x: x.tanh(),
        lambda x: x.relu(),
        lambda x: (-x).relu(),
        lambda x: x.sigmoid(),
        lambda x: ((x * x).sigmoid() + (x**2 + 1).log() * x.tanh()).exp(),
    ],
)
@pytest.mark.parametrize("point", [0.3, 1.7])
def test_every_operation_agrees_with_a_central_difference(f, point):
    x = Value(point)
    f(x).backward()
    difference = numeric_derivative(lambda v: f(Value(v)).data, point)
    assert x.grad == pytest.approx(difference, rel=1e-6, abs=1e-10)


def test_it_finds_the_slides_logistic_step():
    w1, w2, b = Value(0.5), Value(0.5), Value(1.0)
    loss = -(w1 * 5 + w2 * 3 + b).sigmoid().log()
    loss.backward()
    step = logistic_step((5, 3), (0.5, 0.5), 1, 1, 0.01)
    assert loss.data == pytest.approx(step.loss, rel=1e-12)
    assert [w1.grad, w2.grad, b.grad] == pytest.approx([*step.dw, step.db], rel=1e-12)


def test_gradients_start_fresh_at_each_backward():
    x = Value(2.0)
    y, z = x * 3, x * 5
    for _ in range(2):
        y.backward()
        assert x.grad == 3
    z.backward()
    assert x.grad == 5


def test_a_chain_longer_than_the_recursion_limit():
    x = y = Value(1.0)
    for _ in range(5000):
        y = y + 1
    y.backward()
    assert (y.data, x.grad) == (5001, 1)


def test_the_graph_draws_itself():
    x, w = Value(2.0, "x"), Value(3.0, "w")
    loss = (w * x).tanh()
    loss.backward()
    lines = loss.draw().splitlines()
    assert [line.split()[0] for line in lines] == ["w", "x", "v3", "v4"]
    assert lines[2].split() == [
        "v3",
        "×",
        "w",
        "x",
        "=",
        "6",
        "grad",
        f"{1 - math.tanh(6) ** 2:.6g}".replace("-", "−"),
    ]
    assert [value.data for value in loss.graph()] == [3, 2, 6, math.tanh(6)]


@PROPERTY
@given(st.floats(-1000, 1000))
def test_sigmoid_tanh_and_relu_do_not_overflow(x):
    value = Value(x)
    for result in (value.sigmoid(), value.tanh(), value.relu()):
        result.backward()
        assert np.isfinite([result.data, value.grad]).all()


def test_the_slope_of_a_saturated_tanh_keeps_its_digits():
    for point in (7.0, 15.0, 30.0):
        x = Value(point)
        x.tanh().backward()
        assert x.grad == pytest.approx(4 * math.exp(-2 * point) / (1 + math.exp(-2 * point)) ** 2)


def test_powers_at_zero():
    x = Value(0.0)
    (x**2 + x**1 + x**0).backward()
    assert x.grad == 1


def test_errors_say_what_was_expected_and_what_came():
    with pytest.raises(ValueError, match="x: expected a finite number, got nan"):
        Value(math.nan, "x")
    with pytest.raises(ValueError, match="log: expected a number above 0, got -1"):
        Value(-1).log()
    with pytest.raises(ValueError, match="exp: expected at most 709, the float64 limit, got 1000"):
        Value(1000).exp()
    with pytest.raises(ValueError, match=r"pow: -2 to the power 0.5 has no finite value and deriv"):
        _ = Value(-2) ** 0.5
    with pytest.raises(ValueError, match=r"pow: 1e\+200 to the power 2 has no finite value"):
        _ = Value(1e200) ** 2
    with pytest.raises(ValueError, match=r"pow: 0 to the power 0\.5 has no finite"):
        _ = Value(0) ** 0.5
    with pytest.raises(ValueError, match="pow: 0 to the power -1"):
        _ = 1 / Value(0)
