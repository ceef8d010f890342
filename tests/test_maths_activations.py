import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.lessons.maths import activations
from dlcourse.lessons.maths.activations import ACTIVATIONS
from dlcourse.lessons.maths.calculus import gradient

VECTORS = st.lists(st.floats(-1000, 1000), min_size=1, max_size=6)
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)


def test_the_slides_table_of_activations():
    z = [-2, -0.5, 0, 0.25, 0.5, 3]
    assert activations.unit_step(z).tolist() == [0, 0, 0.5, 1, 1, 1]
    assert activations.sign(z).tolist() == [-1, -1, 0, 1, 1, 1]
    assert activations.linear(z).tolist() == z
    assert activations.piecewise_linear(z).tolist() == [0, 0, 0.5, 0.75, 1, 1]
    assert activations.relu(z).tolist() == [0, 0, 0, 0.25, 0.5, 3]
    assert activations.leaky_relu(z, slope=0.1).tolist() == [-0.2, -0.05, 0, 0.25, 0.5, 3]
    assert activations.hardmax(z).tolist() == [0, 0, 0, 0, 0, 1]


def test_sigmoid_of_5_is_0_9933071491():
    assert activations.sigmoid(5) == pytest.approx(0.9933071491, abs=5e-11)
    assert activations.tanh(1) == pytest.approx(0.7615941560, abs=5e-11)


def test_softmax_of_the_slides_logits():
    expected = [0.84203357, 0.04192238, 0.00208719, 0.11395685]
    assert activations.softmax([5, 2, -1, 3]) == pytest.approx(expected, abs=5e-9)


def test_temperature_goes_from_hardmax_to_equal_probabilities():
    z = [1.0, 2.0, 3.0]
    assert activations.softmax(z, temperature=0.01) == pytest.approx(activations.hardmax(z))
    assert activations.softmax(z, temperature=1e6) == pytest.approx([1 / 3] * 3, rel=1e-5)
    assert activations.softmax(z, 2) == pytest.approx(activations.softmax([0.5, 1, 1.5]))


def test_hardmax_takes_the_first_of_equals():
    assert activations.hardmax([[1, 1], [0, 2]]).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivative_is_that_of_the_function(name):
    function, derivative = ACTIVATIONS[name]
    z = np.array([-1.7, -0.3, 0.2, 1.1])  # away from steps and corners
    if derivative(z).ndim == 1:
        differences = [float(gradient(function, point)) for point in z]
        assert derivative(z) == pytest.approx(differences, rel=1e-6, abs=1e-10)
    else:
        differences = [gradient(lambda v, i=i: function(v)[i], z) for i in range(len(z))]
        assert np.allclose(derivative(z), differences, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_overflows_at_a_thousand(name):
    z = np.array([-1000.0, 0.0, 1000.0])
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(ACTIVATIONS[name].function(z)).all()
        assert np.isfinite(ACTIVATIONS[name].derivative(z)).all()


def test_saturated_derivatives_do_not_round_to_zero():
    assert activations.sigmoid_derivative(40.0) == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert activations.tanh_derivative(30.0) == pytest.approx(4 * np.exp(-60.0), rel=1e-12)
    with np.errstate(all="raise", under="ignore"):
        assert activations.tanh_derivative(1e308) == activations.sigmoid_derivative(1e308) == 0


def test_softmax_stays_finite_for_any_temperature_and_any_logits():
    with np.errstate(all="raise", under="ignore"):
        assert activations.softmax([1, 2], 1e-310).tolist() == [0, 1]
        assert activations.softmax([1e300, 2], 1e-10).tolist() == [1, 0]
        assert activations.softmax([1e308, -1e308, 1e308]).tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_batches_keep_their_shape_and_each_row_its_values(name):
    function, derivative = ACTIVATIONS[name]
    Z = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert function(Z).shape == Z.shape
    assert np.array_equal(function(Z)[1, 2], function(Z[1, 2]))
    assert np.array_equal(derivative(Z)[1, 2], derivative(Z[1, 2]))


@PROPERTY
@given(VECTORS, st.floats(-100, 100))
def test_softmax_sums_to_1_and_does_not_feel_a_shift(z, shift):
    a = activations.softmax(z)
    assert a.sum() == pytest.approx(1, abs=1e-12)
    # the shift itself is rounded, by up to 1e-13 for numbers near 1,000
    assert np.allclose(activations.softmax(np.add(z, shift)), a, rtol=1e-9, atol=1e-12)


@PROPERTY
@given(st.floats(-1000, 1000))
def test_sigmoid_is_symmetric(z):
    assert activations.sigmoid(-z) == pytest.approx(1 - activations.sigmoid(z), abs=1e-15)
    assert activations.tanh(z) == pytest.approx(2 * activations.sigmoid(2 * z) - 1, abs=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("part", ["function", "derivative"])
def test_nan_is_refused_with_its_place(name, part):
    with pytest.raises(
        ValueError, match=r"^z: expected finite numbers, got nan at position \(1,\)"
    ):
        getattr(ACTIVATIONS[name], part)([0.0, np.nan])


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match="temperature: expected a number above 0, got 0"):
        activations.softmax([1, 2], temperature=0)
    with pytest.raises(ValueError, match=r"z: expected shape \(n,\) or .* got a single number"):
        activations.softmax(3.0)
    with pytest.raises(ValueError, match="z: expected real numbers, got 'one'"):
        activations.relu("one")
    with pytest.raises(ValueError, match="z: expected rows of equal length"):
        activations.relu([[1], [1, 2]])
    with pytest.raises(ValueError, match="z: expected at least one number"):
        activations.relu([])
