import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from dlcourse.lessons.maths.calculus import gradient
from dlcourse.lessons.maths.convolution import (
    convolve2d,
    convolve2d_gradient,
    flatten,
    pool2d,
    pool2d_gradient,
)
from dlcourse.lessons.maths.worked_examples import IMAGE, KERNEL, POOLED

PROPERTY = settings(deadline=None, derandomize=True, max_examples=30)
SIZE = st.integers(1, 7)


def test_the_slides_convolution():
    assert convolve2d(IMAGE, KERNEL).tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


def test_the_kernel_is_not_turned_round():
    image = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert convolve2d(image, [[1, 2], [3, 4]]).tolist() == [[4, 3], [2, 1]]


def test_stride_and_padding_by_hand():
    image = np.arange(16).reshape(4, 4)
    assert convolve2d(image, [[1]], stride=2).tolist() == [[0, 2], [8, 10]]
    # 4 pixels, kernel 3, stride 2: one row of zeros is needed, and it comes at the end
    assert convolve2d(np.ones((4, 4)), np.ones((3, 3)), stride=2, padding="same").tolist() == [
        [9, 6],
        [6, 4],
    ]


def test_the_slides_pooling():
    assert pool2d(POOLED).tolist() == [[7, 9], [8, 4]]
    assert pool2d(POOLED, kind="average").tolist() == [[3.75, 4.25], [4.75, 2.5]]


def test_overlapping_pooling_and_what_is_left_over():
    assert pool2d(POOLED, 2, stride=1).tolist() == [[7, 4, 9], [8, 5, 5], [8, 5, 4]]
    assert pool2d(np.arange(9).reshape(3, 3), 2).tolist() == [[4]]


def test_flatten_goes_row_by_row():
    assert flatten([[1, 1, 0], [4, 2, 1], [0, 2, 1]]).tolist() == [1, 1, 0, 4, 2, 1, 0, 2, 1]
    assert flatten(np.zeros((8, 8, 3))).shape == (192,)
    assert flatten(np.zeros((5, 2, 2, 3))).shape == (5, 12)


@PROPERTY
@given(SIZE, SIZE, SIZE, SIZE, st.integers(0, 9))
def test_it_is_scipys_correlation(height, width, rows, columns, seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(height + rows, width + columns))
    kernel = rng.normal(size=(rows, columns))
    assert np.allclose(convolve2d(image, kernel), correlate2d(image, kernel, "valid"), atol=1e-12)


@PROPERTY
@given(SIZE, SIZE, st.sampled_from([1, 3, 5]))
def test_a_delta_gives_the_image_back(height, width, size):
    image = np.random.default_rng(height).normal(size=(height, width))
    delta = np.zeros((size, size))
    delta[size // 2, size // 2] = 1
    assert np.array_equal(convolve2d(image, delta, padding="same"), image)


@PROPERTY
@given(
    st.floats(-1000, 1000),
    st.integers(2, 6),
    st.integers(1, 2),
    st.sampled_from(["max", "average"]),
)
def test_pooling_a_constant_gives_the_constant(value, height, size, kind):
    pooled = pool2d(np.full((height, height), value), size, kind=kind)
    assert pooled == pytest.approx(np.full(pooled.shape, value), rel=1e-15)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_gradient_of_a_convolution_is_that_of_differences(stride, padding):
    rng = np.random.default_rng(stride)
    image, kernel = rng.normal(size=(2, 6, 5, 2)), rng.normal(size=(3, 2, 2, 3))
    settings = {"stride": stride, "padding": padding}
    d = rng.normal(size=convolve2d(image, kernel, **settings).shape)
    found = convolve2d_gradient(image, kernel, d, **settings)
    d_image = gradient(lambda v: (convolve2d(v, kernel, **settings) * d).sum(), image)
    d_kernel = gradient(lambda v: (convolve2d(image, v, **settings) * d).sum(), kernel)
    assert np.allclose(found.d_image, d_image, rtol=1e-6, atol=1e-9)
    assert np.allclose(found.d_kernel, d_kernel, rtol=1e-6, atol=1e-9)


def test_the_gradient_of_a_plain_image_is_plain():
    found = convolve2d_gradient(IMAGE, KERNEL, np.ones((3, 3)))
    assert found.d_image.shape == (5, 5)
    sums = [[np.sum(np.array(IMAGE)[i : i + 3, j : j + 3]) for j in range(3)] for i in range(3)]
    assert found.d_kernel.tolist() == sums


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (2, 1), (3, 2)])
def test_the_gradient_of_pooling_is_that_of_differences(kind, size, stride):
    rng = np.random.default_rng(size)
    image = rng.permutation(60).reshape(1, 6, 5, 2).astype(float)  # no equals: max has a gradient
    d = rng.normal(size=pool2d(image, size, kind=kind, stride=stride).shape)
    found = pool2d_gradient(image, d, size, kind=kind, stride=stride)
    difference = gradient(lambda v: (pool2d(v, size, kind=kind, stride=stride) * d).sum(), image)
    assert np.allclose(found, difference, rtol=1e-6, atol=1e-8)


def test_max_pooling_sends_all_to_the_first_of_equals():
    assert pool2d_gradient(np.ones((2, 2)), [[5.0]]).tolist() == [[5, 0], [0, 0]]
    assert pool2d_gradient(np.ones((2, 2)), [[4.0]], kind="average").tolist() == [[1, 1], [1, 1]]


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match=r"image: expected shape \(height, width\) or \(m, height"):
        convolve2d([1, 2], [[1]])
    with pytest.raises(
        ValueError, match=r"kernel: expected shape \(rows, columns, 3, filters\), got"
    ):
        convolve2d(np.ones((1, 4, 4, 3)), np.ones((2, 2, 1, 1)))
    with pytest.raises(
        ValueError, match="image: expected at least 3×3 pixels, as large as the kern"
    ):
        convolve2d(np.ones((2, 2)), np.ones((3, 3)))
    with pytest.raises(ValueError, match="padding: expected one of valid, same, got 'full'"):
        convolve2d(np.ones((2, 2)), [[1]], padding="full")
    with pytest.raises(ValueError, match="stride: expected an integer of at least 1, got 0"):
        convolve2d(np.ones((2, 2)), [[1]], stride=0)
    with pytest.raises(ValueError, match="stride: expected an integer of at least 1, got 0"):
        pool2d(np.ones((2, 2)), stride=0)
    with pytest.raises(ValueError, match=r"d_output: expected shape \(1, 1\), got \(2, 2\)"):
        convolve2d_gradient(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="kernel: expected finite numbers, got nan"):
        convolve2d(np.ones((2, 2)), [[np.nan]])
    with pytest.raises(ValueError, match="kind: expected one of max, average, got 'min'"):
        pool2d(np.ones((2, 2)), kind="min")
