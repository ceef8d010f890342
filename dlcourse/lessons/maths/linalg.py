"""Determinants, eigenvalues and the shapes of matrix products, with their steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array
from dlcourse.lessons.maths.steps import show, term


def determinant(M: ArrayLike) -> float:
    """Return the determinant: ad − bc for 2×2; the factor by which M scales an area, with sign.

    Args:
        M: Square matrix (n, n). The bars in |M| do not mean an absolute value: it may be negative.
    """
    M = _square(M)
    whole, product = not np.any(M - np.round(M)), 1.0
    M = M.copy()
    for k in range(len(M)):  # elimination; NumPy's det goes through a logarithm: 6.999… for [[7]]
        pivot = k + int(np.abs(M[k:, k]).argmax())
        if M[pivot, k] == 0:
            return 0.0
        if pivot != k:
            M[[k, pivot]], product = M[[pivot, k]], -product
        product *= M[k, k]
        M[k + 1 :] -= np.outer(M[k + 1 :, k] / M[k, k], M[k])
    return float(np.round(product) if whole else product)


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues, largest first, and their eigenvectors.

    Attributes:
        values: Eigenvalues (n,), complex if they are not real.
        vectors: Eigenvectors (n, n), one column per value; 2×2: smallest integers if possible.
        polynomial: Coefficients of det(λI − M), highest power first, (n + 1,).
        steps: Steps of the calculation as text, for 2×2; empty for larger matrices.
    """

    values: np.ndarray
    vectors: np.ndarray
    polynomial: np.ndarray
    steps: tuple[str, ...]


def eigenpairs(M: ArrayLike) -> Eigenpairs:
    """Return the λ and v with Mv = λv: by the characteristic polynomial for 2×2, else by NumPy.

    Args:
        M: Square matrix (n, n).
    """
    M = _square(M)
    if M.shape == (2, 2):
        return _eigenpairs_2x2(M)
    values, vectors = np.linalg.eig(M)
    order = np.argsort(-np.real(values), kind="stable")
    return Eigenpairs(values[order], vectors[:, order], np.poly(M), ())


def explain_matmul(a: ArrayLike, b: ArrayLike) -> str:
    """Return as text whether a·b exists, its shape, and what to transpose if it does not exist.

    Args:
        a, b: Vectors or matrices; only their shapes matter.
    """
    first, second = (_matrix_or_vector(name, x) for name, x in (("a", a), ("b", b)))
    product = f"{first.shape}·{second.shape}"
    columns, rows = first.shape[-1], second.shape[0]
    if columns == rows:
        result = (first @ second).shape
        return f"{product} works: {columns} columns meet {rows} rows, the result has shape {result}"
    text = (
        f"{product} is impossible: the first has {_count(columns, 'column')}, "
        f"the second {_count(rows, 'row')}, and the two must be equal"
    )
    if first.shape[0] == rows:
        turned = first.T
        text += f"; turned, {turned.shape}·{second.shape} works: {(turned @ second).shape}"
    return text


def polynomial(coefficients: ArrayLike, letter: str = "x") -> str:
    """Return a polynomial as text, from its coefficients, highest power first: `x² − 2x + 3`."""
    values = array("coefficients", coefficients, ("n",))
    text = ""
    for power, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
        if value:
            number = "" if abs(value) == 1 and power else f"{abs(value):g}"
            raised = ("", letter, f"{letter}²", f"{letter}³")
            symbol = raised[power] if power < 4 else f"{letter}^{power}"
            sign = (" − " if value < 0 else " + ") if text else ("−" if value < 0 else "")
            text += sign + number + symbol
    return text or "0"


def _eigenpairs_2x2(M: np.ndarray) -> Eigenpairs:
    (a, b), (c, d) = M
    trace, det = a + d, determinant(M)
    exponent = int(np.frexp(np.abs(M).max())[1])  # squares of 1e-200 would vanish
    (p, q), (r, s) = np.ldexp(M, -exponent)
    square = (p - s) ** 2 + 4 * q * r  # trace² − 4 det, without the cancellation
    root = np.sqrt(square if square >= 0 else complex(square)) * 2.0**exponent
    discriminant = np.ldexp(square, 2 * exponent)
    values = np.array([(trace + root) / 2, (trace - root) / 2])
    vectors = np.stack([_eigenvector(M, value) for value in values], axis=1)
    if np.count_nonzero(M - a * np.eye(2)) == 0:
        vectors = np.eye(2)  # a multiple of the identity: every vector is an eigenvector
    steps = (
        f"det(M − λI) = ({show(a)} − λ)·({show(d)} − λ) − {term(b)}·{term(c)} = 0",
        f"{polynomial((1.0, -trace, det), 'λ')} = 0",
        f"λ = ({show(trace)} ± √{term(discriminant)})/2 = {show(values[0])} or {show(values[1])}",
        *(
            f"(M − λI)·v = 0 for λ = {show(value)}: v = {show(vector)}"
            for value, vector in zip(values, vectors.T, strict=True)
        ),
    )
    return Eigenpairs(values, vectors, np.array([1.0, -trace, det]), steps)


def _eigenvector(M: np.ndarray, value: complex) -> np.ndarray:
    """Return a vector that the larger row of M − λI maps to 0, in smallest integers if possible."""
    (a, b), (c, d) = M
    upper, lower = np.array([b, value - a]), np.array([value - d, c])
    vector = upper if np.abs(upper).sum() >= np.abs(lower).sum() else lower
    vector = vector / (np.abs(vector).max() or 1.0)
    if np.iscomplexobj(vector):
        return vector / np.linalg.norm(vector)
    leading = vector[np.flatnonzero(vector)[:1]].sum()
    multiples = np.outer(np.arange(1, 101), vector * (np.sign(leading) or 1.0))
    whole = np.abs(multiples - np.round(multiples)).max(axis=1) < 1e-12
    if not whole.any():
        return vector / np.linalg.norm(vector)
    return np.round(multiples[whole.argmax()]) + 0.0  # no −0


def _square(M: ArrayLike) -> np.ndarray:
    M = array("M", M, ("n", "n"))
    if M.shape[0] != M.shape[1]:
        raise ValueError(f"M: expected a square matrix (n, n), got {M.shape}")
    return M


def _matrix_or_vector(name: str, value: ArrayLike) -> np.ndarray:
    return array(name, value, ("n",), ("rows", "columns"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
