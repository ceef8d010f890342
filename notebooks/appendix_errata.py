# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The slides' errors
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** Which numbers and sentences of the five slide decks are not right, and how can you
# tell?
#
# **Slides.** S0 to S4. **Time.** A few seconds to run, 20 minutes to read. **Prerequisites.** None:
# look up what you need.

# %%
# The course: where it is missing, installed from SOURCE, or a folder or wheel beside this notebook.
from importlib.util import find_spec
from pathlib import Path

SOURCE = ""  # the repository's address, a folder or a wheel
if find_spec("dlcourse") is None:
    near = [*Path().glob("dlcourse-*.whl"), *Path().glob("dlcourse/pyproject.toml")]
    near += Path().glob("../pyproject.toml")
    if not (SOURCE or near):
        raise SystemExit("dlcourse is missing: put its folder or wheel here, or set SOURCE above.")
    place = SOURCE or str(near[0].resolve()).removesuffix("pyproject.toml")
    # %pip install -q "{place}"

import dlcourse as dl

dl.lessons.quiet_start()

# %% [markdown]
# ## The goal
#
# Every number of the slides is computed again here, most of them in a line or two. The numbers that
# are right are in the table at the end; before it stand the slips, deck by deck. Where a sentence
# is wrong, not a number, it stands with its correction at the very end.

# %% [markdown] slides="S0 accuracy of the network 784-16-16-10" proof="test_maths_worked_examples::test_measured_numbers_are_those_of_the_benchmark"
# ## S0: what 13,002 parameters reach
#
# The slide says that the network 784-16-16-10 gives "about 99.79%" if it is trained well. Its count
# of parameters is right:

# %%
# Count weights and biases, layer by layer.
from itertools import pairwise

layers = [(n + 1) * k for n, k in pairwise([784, 16, 16, 10])]
print(layers, "together", sum(layers))
assert sum(layers) == 13_002

# %% [markdown] proof="test_maths_worked_examples::test_measured_numbers_are_those_of_the_benchmark"
# Its accuracy is not. On MNIST's test digits this network reached 95.3 % with sigmoid and 96.2 %
# with ReLU, the mean of three trainings. 99.79 % is the figure of an ensemble of convolutional
# networks.

# %% [markdown] slides="S1 weight decay"
# ## S1: weight decay
#
# The slide's loss is $L = (\sum L_i^2 + \lambda \sum \lVert w \rVert_F^2)/m$. The losses are not
# squared: each $L_i$ already is a loss. Two conventions are in use for the penalty. Mathematical
# texts take $\frac{\lambda}{2m} \sum w^2$, Keras $\lambda \sum w^2$, so that the strength of one is
# not the strength of the other:

# %%
# The same weights and the same λ under both conventions, and Keras' own regularizer.
import keras
import numpy as np

W, strength, m = np.array([[1.0, 2.0], [-3.0, 4.0]]), 0.1, 10
texts = strength / (2 * m) * np.sum(W**2)
by_keras = float(keras.regularizers.L2(strength)(W))
print(f"texts: {texts:.2f}   Keras: {by_keras:.2f}")
assert np.isclose(by_keras, strength * np.sum(W**2))

# %% [markdown] slides="S3 determinant; S3 eigenvectors"
# ## S3: the determinant and the eigenvectors
#
# The determinant of $\begin{pmatrix} 2 & 3 \\ 4 & 5 \end{pmatrix}$ is written $|10 - 12| = -2$. The
# value is right; the bars mark a determinant and not an absolute value, which would be positive.
#
# The eigenvalues of $\begin{pmatrix} 1 & 2 \\ 3 & 0 \end{pmatrix}$ are right, too. But $x_1 - 2x_2
# = 3x_1$ must have a plus sign, the vector $(-2, -2)$ belongs to $\lambda = 3$, and the one of
# $\lambda = -2$ is missing. Every claim of that kind can be checked by one product, $Mv = \lambda
# v$:

# %%
# Multiply, and compare with λ times the vector.
M = np.array([[1, 2], [3, 0]])
for eigenvalue, v in ((3, [1, 1]), (3, [-2, -2]), (-2, [2, -3]), (-2, [-2, -2])):
    belongs = np.array_equal(M @ v, eigenvalue * np.array(v))
    print(f"M·{v} = {M @ v}: {'belongs' if belongs else 'does not belong'} to λ = {eigenvalue}")
print(f"determinant of [[2, 3], [4, 5]]: {np.linalg.det([[2, 3], [4, 5]]):.0f}")

# %% [markdown] slides="S3 gradient descent on x²" proof="below"
# ## S3: gradient descent, cut off instead of rounded
#
# From $x = 6$ with $h = 0.1$ the second height is printed as 14.74.

# %%
# Three steps of descent on y = x².
x = 6.0
for step in range(1, 4):
    x -= 0.1 * 2 * x
    print(f"step {step}: x = {x:.4g}, y = {x**2:.6g}")

# %% [markdown] slides="S4 derivative of x² + 2" proof="above below"
# It is 14.7456, and 14.75 if you round it.
#
# ## S4: a derivative at 5
#
# "Slope at a = 5" is the slope at $x = 5$. The quotients that the slide computes are those of a
# step to one side, with an error as large as the step; to both sides a parabola's error is 0.

# %%
# One-sided and two-sided quotients of x² + 2.
h = 0.0001
for x in (2, 5):
    one, two = ((x + h) ** 2 - x**2) / h, ((x + h) ** 2 - (x - h) ** 2) / (2 * h)
    print(f"x = {x}: one side {one:.4f}, both sides {two:.4f}")

# %% [markdown] slides="S4 one step of logistic regression" proof="below"
# ## S4: one step of logistic regression
#
# $x = (5, 3)$, $w = (0.5, 0.5)$, $b = 1$, $y = 1$, learning rate 0.01. The slide miscalculates
# $\sigma(5)$, rounds $dz$ in two ways, and makes the steps ten times too large in the new weights:

# %%
# The step in NumPy, and the slide's numbers beside it.
x, w, b, y, rate = np.array([5.0, 3.0]), np.array([0.5, 0.5]), 1.0, 1.0, 0.01
z = w @ x + b
a = 1 / (1 + np.exp(-z))
dz, da = a - y, -y / a
dw, new_w, new_b = dz * x, w - rate * dz * x, b - rate * dz
for name, value, slide in (
    ("a", a, "0.99307 ≈ 0.0023"),
    ("dz", dz, "−0.00693, later −0.00695"),
    ("da", da, "−1.006978"),
    ("dw", dw, "−0.03475, −0.02085"),
    ("new w", new_w, "0.503475, 0.502085"),
    ("new b", new_b, "1.000693"),
):
    print(f"{name:6} {np.array2string(np.asarray(value), precision=7):26} slide: {slide}")

# %% [markdown]
# Keras takes the same step as NumPy:

# %%
# A network of one neuron with these weights, one step of SGD.
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
model.set_weights([w[:, None], np.array([b])])
model.compile(keras.optimizers.SGD(rate), "binary_crossentropy")
model.train_on_batch(x[None], np.array([[y]]))
print("weights and bias:", *(np.round(part, 7).ravel() for part in model.get_weights()))
assert np.allclose(model.get_weights()[0].ravel(), new_w, atol=1e-6)

# %% [markdown] slides="S4 logistic regression in loops"
# ## S4: the loops
#
# In the slides' pseudocode stands `J/m`, `dw_i/m` and `db/m`. In most languages that computes a
# number and throws it away: `J /= m`, `dw_i /= m` and `db /= m` are meant.
#
# ## Everything
#
# The numbers of all decks, right and wrong, and the sentences that are not right. `dlcourse errata`
# prints the same at a terminal, and `dlcourse errata --id S4.logistic` one of them step by step.

# %%
# The whole table; "slip" marks what is not right.
print(dl.lessons.show())
