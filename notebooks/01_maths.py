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
# **Question.** Which few pieces of mathematics does the whole course stand on?
#
# **Slides.** S3, S4. **Time.** A few seconds to run, 45 minutes to read. **Prerequisites.** School
# mathematics; notebook 00.

# %%
# On Colab, install the course from its folder (cloned or uploaded there); elsewhere do nothing.
import sys

if "google.colab" in sys.modules:
    # %pip install -q /content/dlcourse
    pass

import dlcourse as dl

dl.lessons.quiet_start()

# %% [markdown]
# ## Goal
#
# Four ideas: a *vector* holds an example, a *matrix* turns vectors into others, the *derivative*
# tells how fast something changes, and the *gradient* does so in every direction at once. Each is
# first a picture, then a formula, then a line of code.
#
# ## Vectors: one example, many numbers
#
# A digit of 8 × 8 pixels is a list of 64 numbers: a vector. Here are the means of all the training
# digits of each class. A mean of vectors is a vector again, so it can be looked at as a picture.

# %%
# Picture: The ten mean digits, 0 to 9, each blurred but easy to read.
import numpy as np

from dlcourse.lessons import plots as lesson_plots

digits = dl.load_dataset("digits")
means = np.stack([digits.x_train[digits.y_train == k].mean(axis=0) for k in range(10)])
_ = dl.plots.image_grid(means, digits.class_names, columns=10)

# %% [markdown]
# The *dot product* multiplies two vectors number by number and adds up:
#
# $$w \cdot x = \sum_i w_i x_i = |w|\,|x| \cos\theta$$
#
# It is large where both are large in the same places. Divided by both lengths it is $\cos\theta$: 1
# for vectors of one direction, 0 for vectors at a right angle. Which mean does one validation digit
# resemble?

# %%
digit, label = digits.x_val[0].ravel() / 1.0, digits.class_names[digits.y_val[0]]
templates = means.reshape(10, 64)
lengths = np.linalg.norm(templates, axis=1) * np.linalg.norm(digit)
similarity = templates @ digit / lengths

# %%
# Picture: A validation digit, and ten bars with its similarity to each class's mean. The bar of its
# own class is the longest.
from matplotlib import pyplot as plt

figure, (left, right) = plt.subplots(
    1, 2, figsize=(8, 2.8), width_ratios=[1, 3], layout="constrained"
)
dl.plots.show_image(left, digits.x_val[0])
left.set_title(f"a digit: {label}")
right.bar(digits.class_names, similarity, color="#0072B2")
right.set(xlabel="mean of class", ylabel="cos θ", ylim=(0, 1))
plt.show()

# %% [markdown]
# One digit proves nothing. How often is the mean of a digit's own class the most similar one?

# %%
many = digits.x_val.reshape(-1, 64) / 1.0
cosines = many @ (templates / np.linalg.norm(templates, axis=1, keepdims=True)).T  # times |x|
right = np.mean(cosines.argmax(axis=1) == digits.y_val)
print(f"right: {right:.2f} of {len(many)} validation digits")

# %% [markdown]
# **What to notice.** Ten dot products recognise about nine digits of ten; a guess is right one time
# in ten. (A digit's own length $|x|$ is the same for all ten, so that it need not be divided by.) A
# neuron does just this: it compares its input $x$ with its weights $w$ and adds a bias, $z = w
# \cdot x + b$. The difference is that a neuron *learns* its weights.
#
# ## Matrices: many dot products at once
#
# `templates @ digit` above is a matrix times a vector: each row of the matrix gives one dot
# product. The number of columns of the first must equal the number of rows of the second. S4 tries
# to multiply two columns, (5, 1)·(5, 1); this says why that fails, and what to turn:

# %%
from dlcourse.lessons import maths

print(maths.explain_matmul(np.ones((5, 1)), np.ones((5, 1))))
print(maths.explain_matmul(templates, digit))

# %% [markdown]
# A 2 × 2 matrix moves every point of the plane, and its columns are where the two unit vectors go.
# The *determinant* is the factor by which areas grow:
#
# $$\det\begin{pmatrix} a & b \\ c & d \end{pmatrix} = ad - bc$$

# %%
print(f"{maths.determinant([[2, 3], [4, 5]]):g}")

# %%
# Picture: The unit square, and beside it what two matrices make of it. [[2, 1], [0, 1]] makes a
# parallelogram twice as large. [[1, 2], [2, 1]] makes a longer one and turns it over.
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, matrix in zip(axes, ([[2, 1], [0, 1]], [[1, 2], [2, 1]]), strict=True):
    lesson_plots.matrix_map(matrix, ax, eigenvectors=False)
    ax.set_title(f"{matrix}: {ax.get_title()}", fontsize=11)
    ax.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# **What to notice.** 2: the area is doubled. −3: it is three times as large, and the square is
# turned over like a page; the −2 above says the same of a doubled area. A determinant of 0 would
# squeeze the square onto a line; nothing could undo that.
#
# Try your own matrix. When is the image thinnest? (Where the determinant $ad - bc$ is 0: a line.)
# When is it turned over? (Where it is negative.)

# %%
# Picture: the unit square beside its image under the matrix that the sliders set.
from dlcourse.lessons import interact


def move(a=1.0, b=1.0, c=0.5, d=1.5):
    lesson_plots.matrix_map([[a, b], [c, d]], eigenvectors=False)
    plt.show()


interact(move, **dict.fromkeys("abcd", (-3.0, 3.0, 0.5)))

# %% [markdown]
# ## Eigenvectors: the directions that are not turned
#
# Most vectors are turned by a matrix. An *eigenvector* $v$ is only stretched, by its *eigenvalue*
# $\lambda$, or reversed where $\lambda < 0$:
#
# $$M v = \lambda v \qquad \text{so} \qquad \det(M - \lambda I) = 0$$
#
# For the matrix of S3, step by step:

# %%
M = np.array([[1, 2], [3, 0]])
print("\n".join(maths.eigenpairs(M).steps))

# %%
# Picture: What [[1, 2], [3, 0]] makes of the unit square, with two broken lines: the directions
# (1, 1) and (2, −3), which it does not turn.
_ = lesson_plots.matrix_map(M)

# %% [markdown]
# Why does that matter for networks? A signal that comes back to the same layer at every step, as in
# a recurrent network (notebook 10), is multiplied by the same matrix again and again. In a deep
# network each layer has its own; the idea is the same. Start anywhere, multiply often, and only the
# strongest direction is left:

# %%
v = np.array([1.0, -0.4])
for _ in range(12):
    v = M @ v
print(f"v = ({v[0]:.4g}, {v[1]:.4g}), its direction (1, {v[1] / v[0]:.4f})")
for start in np.random.default_rng(0).normal(size=(5, 2)):
    far = np.linalg.matrix_power(M, 12) @ start
    print(f"from ({start[0]:5.2f}, {start[1]:5.2f}) to the direction (1, {far[1] / far[0]:.3f})")

# %% [markdown]
# **What to notice.** The vectors have grown a lot, and point nearly along (1, 1), the eigenvector
# of $\lambda = 3$, whatever the start. (Only a start along (2, −3) exactly would stay there.) Where
# the largest $|\lambda|$ is above 1, signals explode; below 1, they vanish. Notebook 08 meets both
# in deep networks.
#
# ## The derivative: how fast it changes
#
# The slope of a curve at $x$ is the limit of a difference quotient:
#
# $$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h}$$
#
# S4 takes $f(x) = x^2 + 2$ and $h = 0.0001$:


# %%
def f(x):
    return x**2 + 2


h = 0.0001
for x in (2, 5):
    print(f"slope at {x}: {(f(x + h) - f(x)) / h:.4f}")

# %%
# Picture: The curve x² + 2 with straight lines through the point at x = 2 and a second point. As
# the second point comes nearer, the lines turn into the tangent of slope 4.
x = np.linspace(0, 4.2, 100)
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.plot(x, f(x), color="black", linewidth=2, label="f(x) = x² + 2")
for step, colour in ((2.0, "#D55E00"), (1.0, "#E69F00"), (0.01, "#0072B2")):
    slope = (f(2 + step) - f(2)) / step
    ax.plot(x, f(2) + slope * (x - 2), color=colour, label=f"h = {step:g}: slope {slope:.4g}")
ax.plot(2, f(2), "ko")
ax.set(xlabel="x", ylabel="f(x)", ylim=(0, 20))
ax.legend()
plt.show()

# %% [markdown]
# On a computer $h$ cannot go to 0: numbers have about 16 digits, and the difference of two nearly
# equal ones loses most of them. Going to both sides, $\frac{f(x+h) - f(x-h)}{2h}$, is better. We
# measure the error for $\sin$, whose derivative we know.

# %%
# Picture: The error of both difference quotients over the step h, on logarithmic axes. Each falls
# as h shrinks, then rises again from rounding; the central one falls twice as steeply.
steps = np.logspace(-12, -1, 45)
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for method, style in (("forward", "-"), ("central", "--")):
    slopes = [maths.numeric_derivative(np.sin, 1.0, step=h, method=method) for h in steps]
    ax.loglog(steps, np.abs(np.array(slopes) - np.cos(1)) + 1e-17, style, label=method)
ax.set(xlabel="step h", ylabel="error of the slope of sin at 1")
ax.legend()
plt.show()

# %% [markdown]
# **What to notice.** A smaller step is not always better. The best step of the central quotient is
# near $10^{-5}$; a gradient check (notebook 05) takes such a step.
#
# ## The gradient: the slope in every direction
#
# A loss depends on many weights. Its *gradient* is the vector of its partial derivatives, one for
# each weight:
#
# $$\nabla f = \left(\frac{\partial f}{\partial x_1}, \frac{\partial f}{\partial x_2}, …\right)$$


# %%
def bowl(x):
    return x[0] ** 2 + 2 * x[1] ** 2


maths.gradient(bowl, [1.0, 1.0]).round(4)

# %%
# Picture: Contour lines of a bowl, closed ellipses, with arrows: the gradient at points of a grid.
# Every arrow points outwards, uphill, at a right angle to its contour line.
a, b = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-1.5, 1.5, 60))
u, v = np.meshgrid(np.linspace(-1.8, 1.8, 7), np.linspace(-1.2, 1.2, 5))
arrows = np.array([maths.gradient(bowl, point) for point in zip(u.flat, v.flat, strict=True)])
figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
lines = ax.contour(a, b, bowl([a, b]), levels=12, cmap="cividis")
ax.quiver(u, v, *arrows.T, color="#D55E00", width=0.004)
ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")
figure.colorbar(lines, label="f(x₁, x₂)")
plt.show()

# %% [markdown]
# **What to notice.** The gradient points uphill, where the function grows fastest. Learning goes
# the other way, which is the subject of notebook 02.
#
# ## What the slides got wrong here
#
# The numbers that are marked *slip* below, each with the right one, as
# `dlcourse errata --id S3.eig` shows at a terminal.

# %%
from dlcourse.lessons import show

print(show("S3.det", "S3.eig", "S3.derivative", "S4.derivative"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("01.1")` helps, `solution("01.1")`
# tells.
#
# **01.1** By which factor, with its sign, does the matrix [[3, 1], [2, 4]] change areas? Work it
# out by hand.

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("01.1", answer)

# %% [markdown]
# **01.2** Write a function `answer(f, x)` that returns the slope of `f` at `x`, right to three
# digits, from two values of `f`.

# %%
answer = ...
check("01.2", answer)

# %% [markdown]
# **01.3** Which vector does the matrix [[2, 1], [1, 2]] make three times as long without turning
# it? Give any such vector, as a list of two numbers.

# %%
answer = ...
check("01.3", answer)
