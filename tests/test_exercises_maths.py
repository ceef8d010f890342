"""The bars of exercises 01.5 and 02.5 lie between a plain answer and the solution."""

from functools import partial

import numpy as np
import pytest

from dlcourse.lessons.exercises import check, gradient_descent, maths


def share(answer, seed):
    x_train, y_train, x_val, y_val = maths.digit_rows(seed)
    weights, biases = answer(x_train, y_train)
    return np.mean((x_val @ weights + biases).argmax(axis=1) == y_val)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_means_of_length_one_pass_the_bar_and_plain_means_do_not(seed):
    plain = maths._with(maths._columns, maths._no_biases)
    nearest = maths._with(maths._columns, maths._half_squares)
    assert share(maths.digit_layer, seed) > maths.BAR + 0.02  # measured: 0.90 to 0.93
    assert share(nearest, seed) > maths.BAR + 0.02
    assert share(plain, seed) < maths.BAR - 0.02  # measured: 0.79 to 0.84
    assert np.bincount(maths.digit_rows(seed)[3]).max() / 216 < 0.12


def reached(answer):
    points = gradient_descent._lowest_points(answer)
    return sum(
        gradient_descent.height(waves, x) - lowest <= gradient_descent.NEAR_LOWEST
        for (waves, lowest), x in zip(gradient_descent.landscapes(), points, strict=True)
    )


def test_many_starts_find_the_lowest_valley_and_few_do_not():
    starts = partial(gradient_descent._from_starts, rate=0.1, steps=100)
    assert reached(gradient_descent.deepest) == 20
    assert reached(partial(starts, count=10)) >= gradient_descent.ENOUGH
    assert reached(gradient_descent._one_start) == 4
    assert reached(gradient_descent._grid) < gradient_descent.ENOUGH - 2  # measured: 16
    assert reached(partial(starts, count=5)) < gradient_descent.ENOUGH - 2  # measured: 13


@pytest.mark.parametrize(
    "answer",
    [
        lambda gradient, x, h, n: [gradient_descent.descend(gradient, x, h, n)],
        lambda gradient, x, h, n: np.reshape(gradient_descent.descend(gradient, x, h, n), -1),
    ],
)
def test_a_place_may_have_an_axis_of_length_one(answer):
    assert check("02.2", answer)


def test_a_hard_coded_slope_is_told_so():
    assert check("01.2", lambda _, x: 2 * x).message.startswith("Yours gives 2x")

    def of_x_squared(_, x, learning_rate, steps):
        for _ in range(steps):
            x = x - learning_rate * 2 * x
        return x

    assert "whatever `gradient` is" in check("02.2", of_x_squared).message
