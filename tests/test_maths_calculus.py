import numpy as np
import pytest

from dlcourse.lessons.maths.calculus import (
    DESCENT_CASES,
    descent_case,
    gradient,
    gradient_descent,
    numeric_derivative,
)


def slope(x):
    return 2 * x


def test_difference_quotients_of_the_slides():
    def f(x):
        return x**2 + 2

    # f(x) is known to 1e-15, the quotient therefore to about 1e-11
    assert numeric_derivative(f, 2, step=1e-4, method="forward") == pytest.approx(4.0001, abs=1e-9)
    assert numeric_derivative(f, 5, step=1e-4, method="forward") == pytest.approx(10.0001, abs=1e-9)
    assert numeric_derivative(f, 2, step=1e-4) == pytest.approx(4, abs=1e-9)
    assert numeric_derivative(f, 5) == pytest.approx(10, abs=1e-9)


def test_gradient_is_the_vector_of_partial_derivatives():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = gradient(lambda v: v[0, 0] ** 2 + v[0, 1] * v[1, 0] + 5 * v[1, 1], x)
    assert found == pytest.approx(np.array([[2, 3], [2, 5]]), rel=1e-9)
    assert x.tolist() == [[1, 2], [3, 4]]


def test_descent_on_x_squared_as_on_the_slides():
    assert gradient_descent(slope, 6, 0.1, 3) == pytest.approx([6, 4.8, 3.84, 3.072], abs=1e-12)
    k = np.arange(31)
    assert gradient_descent(slope, 6, 0.1, 30) == pytest.approx(6 * 0.8**k, rel=1e-12)


@pytest.mark.parametrize(
    ("case", "points"),
    [
        ("converges", [6, 4.8, 3.84]),
        ("oscillates", [6, -4.8, 3.84]),
        ("bounces", [6, -6, 6]),
        ("diverges", [6, -7.2, 8.64]),
    ],
)
def test_the_slides_cases(case, points):
    trace = gradient_descent(slope, 6, DESCENT_CASES[case], 2)
    assert trace == pytest.approx(points, abs=1e-12)
    assert descent_case(trace) == case


def test_descent_in_two_dimensions_goes_straight_where_the_bowl_is_round():
    trace = gradient_descent(slope, [3, 4], 0.25, 2)
    assert trace.tolist() == [[3, 4], [1.5, 2], [0.75, 1]]


def test_momentum_takes_a_part_of_the_last_step_again():
    # velocities −1.2 and 0.5·(−1.2) − 0.1·9.6
    trace = gradient_descent(slope, 6, 0.1, 2, momentum=0.5)
    assert trace == pytest.approx([6, 4.8, 4.8 - 0.6 - 0.96])


def test_no_steps_give_the_start():
    assert gradient_descent(slope, 6, 0.1, 0).tolist() == [6]


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match="start: expected finite numbers, got nan"):
        gradient_descent(slope, np.nan, 0.1, 1)
    with pytest.raises(ValueError, match="learning_rate: expected a number of at least 0, got -1"):
        gradient_descent(slope, 1, -1, 1)
    with pytest.raises(ValueError, match=r"steps: expected an integer of at least 0, got 1\.5"):
        gradient_descent(slope, 1, 0.1, 1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="momentum: expected a number from 0 to 1, got 2"):
        gradient_descent(slope, 1, 0.1, 1, momentum=2)
    with pytest.raises(
        ValueError, match=r"gradient's result in step 1: expected shape \(2,\), got"
    ):
        gradient_descent(lambda x: 1.0, [1, 2], 0.1, 1)  # noqa: ARG005
    with pytest.raises(ValueError, match=r"gradient's result in step 2: expected finite numbers"):
        gradient_descent(lambda x: x if x == 1 else np.inf, 1, 0.1, 3)
    with pytest.raises(ValueError, match=r"f's result: expected shape \(\), got \(2,\)"):
        gradient(lambda x: x, [1, 2])
    with pytest.raises(ValueError, match="method: expected one of forward, central, got 'left'"):
        numeric_derivative(slope, 1, method="left")
    with pytest.raises(ValueError, match="step: expected a number above 0, got 0"):
        numeric_derivative(slope, 1, step=0)
    with pytest.raises(ValueError, match="trace: expected at least 3 points, got 2"):
        descent_case([1, 2])
