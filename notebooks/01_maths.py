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
# # The mathematics of one neuron
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** Which few pieces of mathematics does the whole course stand on?
#
# **Slides.** S3, S4. **Time.** 15 seconds to run, 60 minutes to read. **Prerequisites.** School
# mathematics; notebook 00.

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

# %% [markdown] proof="similarity" slides="S1 the weighted sum of a neuron; S3 vectors"
# ## The goal
#
# Four ideas: a *vector* holds an example, a *matrix* turns vectors into others, the *derivative*
# tells how fast something changes, and the *gradient* does so in every direction at once. Each is
# first a picture, then a formula, then a line of code.
#
# ## Vectors: one example, many numbers
#
# A digit of the course's data set is a list of 64 numbers, one per pixel: a vector. The mean of
# vectors is a vector again, so it can be looked at as a picture. Here are the means of all the
# training digits of each class.

# %% alt="The ten mean digits, 0 to 9, each blurred but easy to read."
# Draw the mean picture of each class.
import numpy as np

digits = dl.load_dataset("digits")
means = np.stack([digits.x_train[digits.y_train == k].mean(axis=0) for k in range(10)])
_ = dl.plots.image_grid(means, digits.class_names, columns=10)

# %% [markdown] proof="similarity"
# The *dot product* multiplies two vectors number by number and adds up:
#
# $$w \cdot x = \sum_i w_i x_i = |w|\,|x| \cos\theta$$
#
# It is large where both are large in the same places. Divided by both lengths it is $\cos\theta$,
# which is the same for a faint digit and a strong one: 1 for vectors of one direction, 0 for
# vectors at a right angle.
#
# **Predict, then run.** The next cell compares a validation digit, a 5, with each of the ten means
# above. To which three means will it be most similar?

# %% name="similarity" alt="A validation digit, and ten bars with its similarity to each class's mean. The bars are all longer than one half; the longest is that of class 9, while the digit is a 5."
# Compare one digit with the ten means by ten dot products.
from matplotlib import pyplot as plt

# / 1.0 makes floats of the whole numbers.
digit, label = digits.x_val[0].ravel() / 1.0, digits.class_names[digits.y_val[0]]
templates = means.reshape(10, 64)  # one mean per row
lengths = np.linalg.norm(templates, axis=1) * np.linalg.norm(digit)
similarity = templates @ digit / lengths

axes = plt.subplots(1, 2, figsize=(8, 2.8), width_ratios=[1, 3], layout="constrained")[1]
axes[0].imshow(digits.x_val[0, :, :, 0], cmap="gray")
axes[0].set_axis_off()
axes[0].set_title(f"a digit: {label}")
axes[1].bar(digits.class_names, similarity, color="#0072B2")
axes[1].set(xlabel="mean of class", ylabel="cos θ", ylim=(0, 1))
plt.show()
print("similarity:", similarity.round(2))
print(f"most similar: the mean of class {similarity.argmax()}; the label is {label}")

# %% [markdown] proof="similarity"
# This 5 is more like the mean 9 than like the mean 5. One digit proves nothing. How often is the
# mean of a digit's own class the most similar one?

# %% name="templates"
# Read every validation digit by the most similar mean.
unit = templates / np.linalg.norm(templates, axis=1, keepdims=True)  # rows of length 1
many = digits.x_val.reshape(-1, 64) / 1.0
by_cosine = (many @ unit.T).argmax(axis=1)
by_product = (many @ templates.T).argmax(axis=1)
print(f"by cos θ:       {np.mean(by_cosine == digits.y_val):.2f} of {len(many)} correct")
print(f"by dot product: {np.mean(by_product == digits.y_val):.2f} of {len(many)} correct")

# %% [markdown] proof="templates"
# **What to notice.** Ten dot products read about 0.91 of the digits; a guess is right one time in
# ten. The lengths of the *means* are divided out; the plain dot product reads slightly fewer,
# because a mean with much ink has an advantage. A digit's own length is the same for all ten.
#
# A *neuron* does just this. It compares its input $x$ with its *weights* $w$ and adds a *bias* $b$:
#
# $$z = w \cdot x + b$$
#
# The difference is that a neuron learns its weights. In Keras ten such neurons are one layer, and
# nothing forbids you to set its weights by hand:

# %%
# The ten dot products as one layer of Keras, its weights set by hand.
import keras

model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
weights, biases = unit.T, np.zeros(10)  # Keras keeps one column per neuron
model.set_weights([weights, biases])
z = model.predict(many, verbose=0)
print("shapes of the layer's weights and biases:", [w.shape for w in model.get_weights()])
assert np.allclose(z, many @ weights + biases, rtol=1e-4)
assert np.mean(z.argmax(axis=1) == by_cosine) > 0.99

# %% [markdown] proof="below" slides="S3 matrices and the determinant; S4 which matrices can be multiplied"
# ## Matrices: many dot products at once
#
# `templates @ digit` is a matrix times a vector: each row of the matrix gives one dot product. The
# number of columns of the first must equal the number of rows of the second. S4 tries to multiply
# two columns, (5, 1) by (5, 1), and that fails.
#
# **Predict, then run.** Turned over (*transposed*), one of them has the shape (1, 5). Which shapes
# do the two products of a turned column and a column have?

# %%
# Multiply shapes that fit and shapes that do not.
column = np.arange(1.0, 6.0).reshape(5, 1)
try:
    column @ column
except ValueError:
    print(column.shape, "@", column.shape, "is impossible: 1 column, 5 rows")
print(column.T.shape, "@", column.shape, "gives", (column.T @ column).shape, column.T @ column)
print(column.shape, "@", column.T.shape, "gives", (column @ column.T).shape)
print(templates.shape, "@", digit.shape, "gives", (templates @ digit).shape)

# %% [markdown] proof="below"
# A 2 × 2 matrix moves every point of the plane, and its columns are where the two unit vectors go.
# The *determinant* is the factor by which areas grow:
#
# $$\det\begin{pmatrix} a & b \\ c & d \end{pmatrix} = ad - bc$$
#
# For the matrix of S3, by hand and by NumPy:

# %%
# Compute a determinant by hand and by NumPy.
a, b, c, d = 2, 3, 4, 5
print(f"by hand {a * d - b * c}, by NumPy {np.linalg.det([[a, b], [c, d]]):.4f}")

# %% [markdown]
# **Predict, then run.** The next cell draws what `[[2, 1], [0, 1]]` and `[[1, 2], [2, 1]]` make of
# the unit square. By which factor does each change its area? Sketch both images on squared paper.


# %% name="areas" alt="The unit square, and what two matrices make of it. The first makes a parallelogram twice as large. The second makes a longer one, in which the two sides have changed places."
# Draw the image of the unit square under two matrices.
def draw(matrix, ax):
    """Draw the unit square and its image under a 2 × 2 matrix."""
    corners = np.array([[0, 1, 1, 0], [0, 0, 1, 1]])
    ax.fill(*corners, color="0.75", label="unit square")
    ax.fill(*(matrix @ corners), color="#0072B2", alpha=0.35, label="its image")
    for side, colour, name in zip(
        matrix.T, ("#D55E00", "#009E73"), ("first", "second"), strict=True
    ):
        ax.plot(*np.outer(side, [0, 1]), color=colour, linewidth=3, label=f"{name} column")
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="x₁", ylabel="x₂", aspect="equal")
    ax.set_title(f"{matrix.tolist()}: area × {np.linalg.det(matrix):.3g}", fontsize=11)
    ax.grid(alpha=0.4)


axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")[1]
for matrix, ax in zip(([[2, 1], [0, 1]], [[1, 2], [2, 1]]), axes, strict=True):
    draw(np.array(matrix), ax)
    print(f"{matrix}: area times {np.linalg.det(matrix):.0f}")
axes[0].legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown] proof="below above"
# **What to notice.** 2: the area is doubled. −3: it is three times as large, and the square is
# turned over like a page, so that its two sides have changed places. The −2 of S3's matrix says the
# same of a doubled area: the bars that S3 writes are not an absolute value. A determinant of 0
# squeezes the square onto a line, and nothing can undo that.
#
# Try your own matrix. When is the image thinnest? When is it turned over?

# %% alt="The unit square beside its image under the matrix that the four sliders set."
# Move the sliders: the entries of the matrix.
from ipywidgets import FloatSlider, interact


def move(a, b, c, d):
    draw(np.array([[a, b], [c, d]]), plt.figure(figsize=(4.4, 4.4)).gca())
    plt.show()


start = {"a": 1.0, "b": 1.0, "c": 0.5, "d": 1.5}
sliders = {
    name: FloatSlider(value, min=-2, max=2, step=0.25, continuous_update=False)
    for name, value in start.items()
}
_ = interact(move, **sliders)

# %% [markdown] proof="below" slides="S3 eigenvalues and eigenvectors"
# ## Eigenvectors: the directions that are not turned
#
# Most vectors are turned by a matrix. An *eigenvector* $v$ is only stretched, by its *eigenvalue*
# $\lambda$, or reversed where $\lambda < 0$:
#
# $$M v = \lambda v \qquad \text{so} \qquad \det(M - \lambda I) = 0$$
#
# $I$ is the matrix that changes nothing, with ones on the diagonal and zeros elsewhere. The second
# equation follows from the first: $M - \lambda I$ makes zero of $v$, so it squeezes the plane onto
# a line.
#
# For S3's matrix with the rows (1, 2) and (3, 0) the determinant is a parabola in $\lambda$:
#
# $$(1 - \lambda)(0 - \lambda) - 2 \cdot 3 = \lambda^2 - \lambda - 6 = 0$$
#
# Its roots are the eigenvalues. For each, the first row of $M v = \lambda v$ says which direction
# $v$ has: $v_1 + 2 v_2 = \lambda v_1$, so with $v_1 = 1$ it is $v_2 = (\lambda - 1) / 2$. (S3
# writes a minus in this row, and has lost the second vector.)

# %%
# Find the eigenvalues and eigenvectors by hand, then by NumPy.
M = np.array([[1, 2], [3, 0]])
for root in np.roots([1, -1, -6]):
    v = np.array([1, (root - 1) / 2])
    print(f"λ = {root:.0f}: v = (1, {v[1]:.1f}), M v = {(M @ v).round(1)}")
    assert np.allclose(M @ v, root * v)
values, vectors = np.linalg.eig(M)  # one eigenvector per column, of length 1
for value, v in zip(values, vectors.T, strict=True):
    print(f"NumPy: λ = {value:.0f}, v = (1, {v[1] / v[0]:.1f})")

# %% [markdown]
# Why does that matter for networks? A signal that comes back to the same layer at every step, as in
# a recurrent network (notebook 10), is multiplied by the same matrix again and again. In a deep
# network each layer has its own matrix; the idea is the same.
#
# **Predict, then run.** Start anywhere and multiply by $M$ twelve times. How long is the vector
# then, and which way does it point?

# %% name="powers"
# Multiply five random vectors by the matrix, twelve times.
for v in np.random.default_rng(0).normal(size=(5, 2)):
    far = v
    for _ in range(12):
        far = M @ far
    growth = np.linalg.norm(far) / np.linalg.norm(v)
    print(
        f"({v[0]:5.2f}, {v[1]:5.2f}) grew {growth:9,.0f}-fold, direction (1, {far[1] / far[0]:.2f})"
    )

# %% [markdown] proof="powers" slides="S3 derivative; S4 derivative of x² + 2"
# **What to notice.** All five have grown at least 92,000-fold, and all point nearly along (1, 1),
# the eigenvector of the eigenvalue with the largest size, $\lambda = 3$. Only a start along the
# other eigenvector exactly would stay there. Where the largest $|\lambda|$ is above 1, signals
# explode; below 1, they vanish. Notebook 08 meets both in deep networks.
#
# ## The derivative: how fast it changes
#
# The slope of a curve at $x$ is the limit of a difference quotient, the *derivative*:
#
# $$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h}$$
#
# S4 takes $f(x) = x^2 + 2$, at $x = 2$ and $x = 5$, and $h = 0.0001$. The rule for powers says
# $f'(x) = 2x$.


# %%
# Compute slopes as difference quotients.
def f(x):
    return x**2 + 2


h = 0.0001
for x in (2, 5):
    print(f"slope at {x}: {(f(x + h) - f(x)) / h:.4f}, by the rule {2 * x}")

# %% alt="The curve x² + 2 with straight lines through the point at x = 2 and a second point. As the second point comes nearer, the lines turn into the tangent of slope 4."
# Draw the lines through two points, ever nearer to each other.
x = np.linspace(0, 4.2, 100)
ax = plt.figure(figsize=(7, 3.6), layout="constrained").gca()
ax.plot(x, f(x), color="black", linewidth=2, label="f(x) = x² + 2")
for step, colour in ((2.0, "#D55E00"), (1.0, "#009E73"), (0.01, "#0072B2")):
    slope = (f(2 + step) - f(2)) / step
    ax.plot(x, f(2) + slope * (x - 2), color=colour, label=f"h = {step:g}: slope {slope:.3g}")
ax.plot(2, f(2), "ko")
ax.set(xlabel="x", ylabel="f(x)", ylim=(0, 20))
ax.legend()
plt.show()

# %% [markdown]
# On a computer $h$ cannot go to zero: numbers have about sixteen digits, and the difference of two
# nearly equal ones loses most of them. The *central* quotient goes to both sides:
#
# $$f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}$$
#
# **Predict, then run.** The error of both quotients is measured for $\sin$, whose derivative is
# known, with steps from $10^{-1}$ down to $10^{-12}$. Does a smaller step always mean a smaller
# error?

# %% name="errors" alt="The error of both difference quotients over the step h, on logarithmic axes. Each falls as h shrinks, then rises again from rounding; the central one falls twice as steeply."
# Measure the error of both quotients for many steps.
steps = np.logspace(-12, -1, 45)
quotients = {
    "forward": (np.sin(1 + steps) - np.sin(1)) / steps,
    "central": (np.sin(1 + steps) - np.sin(1 - steps)) / (2 * steps),
}
ax = plt.figure(figsize=(7, 3.4), layout="constrained").gca()
for (name, slopes), colour, style in zip(
    quotients.items(), ("#D55E00", "#0072B2"), ("-", "--"), strict=True
):
    errors = np.abs(slopes - np.cos(1))
    ax.loglog(steps, errors, style, color=colour, label=name)
    print(f"{name}: a thousandth as step gives {errors[steps >= 0.99e-3][0]:.0e}", end=", ")
    print(f"the best steps lie near {np.median(steps[errors < 30 * errors.min()]):.0e}")
ax.set(xlabel="step h", ylabel="error of the slope of sin at 1")
ax.legend()
plt.show()

# %% [markdown] slides="S3 gradient"
# **What to notice.** A smaller step is not always better: below the best step rounding takes over.
# The central quotient is far better, and its best step is near $10^{-5}$, larger than that of the
# other. A gradient check (notebook 05) takes such a step.
#
# ## The gradient: the slope in every direction
#
# A loss depends on many weights. Its *gradient* is the vector of its partial derivatives, one for
# each weight:
#
# $$\nabla f = \left(\frac{\partial f}{\partial x_1}, \frac{\partial f}{\partial x_2}, …\right)$$
#
# A partial derivative moves one number and keeps the others. For $f(x) = x_1^2 + 2 x_2^2$ the rule
# for powers gives $\nabla f = (2 x_1, 4 x_2)$:


# %%
# Compute a gradient, one central difference per number.
def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def gradient(f, x, h=1e-5):
    slopes = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = h
        slopes.append((f(x + step) - f(x - step)) / (2 * h))
    return np.array(slopes)


print("at (1, 1):", gradient(bowl, np.array([1.0, 1.0])).round(4))
assert np.allclose(gradient(bowl, np.array([3.0, -2.0])), [6, -8])

# %% alt="Contour lines of a bowl, closed ellipses, with arrows: the gradient at points of a grid. Every arrow points outwards, uphill, at a right angle to its contour line."
# Draw the gradient at many points, over the contour lines.
x1, x2 = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-1.5, 1.5, 60))
grid = np.meshgrid(np.linspace(-1.8, 1.8, 7), np.linspace(-1.2, 1.2, 5))
arrows = np.array(
    [gradient(bowl, np.array(point)) for point in zip(*map(np.ravel, grid), strict=True)]
)
ax = plt.figure(figsize=(7, 4.6), layout="constrained").gca()
lines = ax.contour(x1, x2, bowl([x1, x2]), levels=12, cmap="cividis")
ax.quiver(*grid, *arrows.T, color="#D55E00", width=0.004)
ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")
ax.figure.colorbar(lines, label="f(x₁, x₂)")
plt.show()

# %% [markdown]
# **What to notice.** The gradient points uphill, to where the function grows fastest, and it is
# longer where the bowl is steeper. Learning goes the other way: notebook 02 follows it.
#
# ## In five lines
#
# - A vector holds an example; the dot product measures how alike two vectors are.
# - A matrix is many dot products at once; in Keras that is a layer `Dense`.
# - The determinant tells how areas grow, an eigenvector which direction is not turned.
# - The derivative is the slope; a computer finds it best from both sides, with a step that is small
#   but not too small.
# - The gradient holds one slope per weight and points uphill.
#
# ## Further reading
#
# - [Essence of linear algebra](https://www.3blue1brown.com/topics/linear-algebra): matrices,
#   determinants and eigenvectors as moving pictures.
# - [Deep Learning, chapter 2](https://www.deeplearningbook.org/contents/linear_algebra.html): the
#   linear algebra of the field on a few pages.
# - [Dive into Deep Learning, preliminaries](https://d2l.ai/chapter_preliminaries/index.html): the
#   same mathematics with code to run.
# - [The layer Dense](https://keras.io/api/layers/core_layers/dense/): what Keras adds to
#   the matrix product.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("01.1")` helps, `solution("01.1")`
# tells.
#
# ### Quick checks
#
# **01.1** By which factor, with its sign, does the matrix [[3, 1], [2, 4]] change areas? Work it
# out by hand.

# %%
# 01.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("01.1", answer)

# %% [markdown]
# **01.2** Write a function `answer(f, x)` that returns the slope of `f` at `x`, right to three
# digits, from two values of `f`.

# %%
# 01.2: your answer
answer = ...
check("01.2", answer)

# %% [markdown]
# **01.3** Which vector does the matrix [[2, 1], [1, 2]] make three times as long without turning
# it? Give any such vector, as a list of two numbers.

# %%
# 01.3: your answer
answer = ...
check("01.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **01.4** *Power iteration* finds the eigenvalue of the largest size and its eigenvector: multiply
# by the matrix, bring the vector back to length 1, and repeat. Fill the two places of `...`.
# Return the eigenvalue, with its sign, and the vector of length 1.


# %%
# 01.4: complete the algorithm
def answer(M, v, steps=200):
    for _ in range(steps):
        v = M @ v
        v = v / ...  # back to length 1
    eigenvalue = ...  # by which factor, with its sign, does M stretch v?
    return eigenvalue, v


check("01.4", answer)

# %% [markdown]
# ### Build a network
#
# **01.5** Build a layer that reads digits, without any training: write `answer(x_train, y_train)`
# that returns its weights, of shape (64, 10), and its biases, of shape (10,). `x_train` holds 1,221
# digits in dark ink on white paper, as rows of 64 numbers from 0, ink, to 16, paper. The class with
# the largest of the ten numbers `x @ weights + biases` is the answer. The bar: 87 % of the
# validation digits are read correctly.


# %%
# 01.5: build a network
def answer(x_train, y_train):
    means = np.stack([x_train[y_train == k].mean(axis=0) for k in range(10)])
    weights = ...  # one column per class
    biases = ...
    return weights, biases


check("01.5", answer)
