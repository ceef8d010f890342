import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.lessons.maths import linalg

PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
ENTRY = st.integers(-9, 9)


def test_the_determinant_may_be_negative():
    assert linalg.determinant([[2, 3], [4, 5]]) == -2


def test_determinants_of_whole_numbers_are_whole():
    assert linalg.determinant([[7]]) == 7
    assert linalg.determinant(np.diag([2, 3, 5])) == 30
    assert linalg.determinant([[0, 2, 1], [3, 0, 7], [1, 1, 1]]) == 11
    assert linalg.determinant([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == 0
    assert linalg.determinant(np.eye(3) * 0.1) == pytest.approx(1e-3, rel=1e-12)
    M = np.random.default_rng(0).normal(size=(6, 6))
    assert linalg.determinant(M) == pytest.approx(np.linalg.det(M), rel=1e-12)


def test_the_slides_eigenpairs_and_the_vector_they_miss():
    found = linalg.eigenpairs([[1, 2], [3, 0]])
    assert found.values.tolist() == [3, -2]
    assert found.vectors.T.tolist() == [[1, 1], [2, -3]]
    assert found.polynomial.tolist() == [1, -1, -6]
    assert found.steps == (
        "det(M − λI) = (1 − λ)·(0 − λ) − 2·3 = 0",
        "λ² − λ − 6 = 0",
        "λ = (1 ± √25)/2 = 3 or −2",
        "(M − λI)·v = 0 for λ = 3: v = (1, 1)",
        "(M − λI)·v = 0 for λ = −2: v = (2, −3)",
    )


def test_a_rotation_has_complex_eigenvalues():
    found = linalg.eigenpairs([[0, -1], [1, 0]])
    assert found.values.tolist() == [1j, -1j]


def test_a_shear_has_one_direction_and_the_identity_all():
    assert linalg.eigenpairs([[1, 1], [0, 1]]).vectors.T.tolist() == [[1, 0], [1, 0]]
    assert linalg.eigenpairs([[2, 0], [0, 2]]).vectors.tolist() == [[1, 0], [0, 1]]


@PROPERTY
@given(ENTRY, ENTRY, ENTRY, ENTRY)
def test_every_pair_fulfils_mv_is_lambda_v(a, b, c, d):
    M = np.array([[a, b], [c, d]])
    found = linalg.eigenpairs(M)
    assert np.allclose(M @ found.vectors, found.vectors * found.values, atol=1e-7)
    assert (np.linalg.norm(found.vectors, axis=0) > 0.5).all()
    ours, oracle = np.sort_complex(found.values), np.sort_complex(np.linalg.eigvals(M))
    assert np.allclose(ours, oracle, atol=1e-6)  # a double root is only known to √1e-15


@pytest.mark.parametrize("scale", [1e-200, 1e-10, 0.1, 1e10])
def test_the_eigenvectors_do_not_depend_on_the_matrixs_scale(scale):
    found = linalg.eigenpairs(scale * np.array([[1, 2], [3, 0]]))
    assert found.values == pytest.approx([3 * scale, -2 * scale], rel=1e-12)
    assert found.vectors.T.tolist() == [[1, 1], [2, -3]]


def test_an_eigenvector_is_never_zero():
    assert linalg.eigenpairs([[1, 1e-12], [0, 1]]).vectors.T.tolist() == [[1, 0], [1, 0]]
    assert linalg.eigenpairs([[0, 1e-15], [1e-15, 0]]).vectors.T.tolist() == [[1, 1], [1, -1]]
    assert linalg.eigenpairs([[0, 0], [0, 0]]).vectors.tolist() == [[1, 0], [0, 1]]
    assert linalg.eigenpairs([[2, 0], [0, -1]]).vectors.T.tolist() == [[1, 0], [0, 1]]
    irrational = linalg.eigenpairs([[1, 1], [1, 0]])  # golden ratio
    assert np.linalg.norm(irrational.vectors, axis=0) == pytest.approx([1, 1])


def test_larger_matrices_go_to_numpy():
    M = np.diag([1.0, 3.0, 2.0])
    found = linalg.eigenpairs(M)
    assert found.values.tolist() == [3, 2, 1]
    assert np.allclose(M @ found.vectors, found.vectors * found.values)
    assert found.steps == ()
    assert linalg.determinant(M) == pytest.approx(6)


def test_a_product_is_explained_right_or_wrong():
    column, row = np.zeros((5, 1)), np.zeros((1, 5))
    assert linalg.explain_matmul(column, column) == (
        "(5, 1)·(5, 1) is impossible: the first has 1 column, the second 5 rows, and the two must "
        "be equal; turned, (1, 5)·(5, 1) works: (1, 1)"
    )
    assert linalg.explain_matmul(row, column) == (
        "(1, 5)·(5, 1) works: 5 columns meet 5 rows, the result has shape (1, 1)"
    )
    assert "turned" not in linalg.explain_matmul(np.zeros((2, 3)), np.zeros((4, 2)))
    assert linalg.explain_matmul([1, 2], [3, 4]).endswith("the result has shape ()")


@PROPERTY
@given(*[st.integers(1, 4)] * 4)
def test_the_explanation_agrees_with_numpy(m, n, p, q):
    a, b = np.ones((m, n)), np.ones((p, q))
    text = linalg.explain_matmul(a, b)
    assert f"({m}, {n})·({p}, {q})" in text
    assert ("works: " + str(n) in text) == (n == p)
    if n == p:
        assert text.endswith(str((a @ b).shape))


def test_polynomials_read_as_written():
    assert linalg.polynomial([1, -2, 0, 3]) == "x³ − 2x² + 3"
    assert linalg.polynomial([-1, 0, 0, 0, 1.5]) == "−x^4 + 1.5"
    assert linalg.polynomial([0]) == "0"


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match=r"M: expected a square matrix \(n, n\), got \(1, 2\)"):
        linalg.determinant([[1, 2]])
    with pytest.raises(
        ValueError, match=r"M: expected finite numbers, got nan at position \(0, 1\)"
    ):
        linalg.eigenpairs([[1, np.nan], [0, 1]])
    with pytest.raises(
        ValueError, match=r"b: expected shape \(n,\) or \(rows, columns\), got \(1, 1, 1\)"
    ):
        linalg.explain_matmul([1], [[[1]]])
