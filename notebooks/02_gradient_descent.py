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
# # Gradient descent
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** How do you walk to the lowest point of a landscape that you cannot see?
#
# **Slides.** S0, S2, S3, S4. **Time.** 15 seconds to run, 60 minutes to read.
# **Prerequisites.** Notebook 01.

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

# %% [markdown] slides="S0 gradient descent; S3 gradient descent on x²"
# ## The goal
#
# Training a network means: find the weights for which the loss is lowest. There are too many
# weights to try all values. But at the point where you stand you can compute the slope, and a step
# downhill is always possible. At the end of this notebook you have written this descent yourself,
# know what the *learning rate* does, have seen where descent gets stuck, and have watched a neuron
# learn on its loss surface.
#
# ## The simplest landscape
#
# S3 takes $y = x^2$. Its slope at $x$ is $2x$. A step goes *against* the slope:
#
# $$x \leftarrow x - h \cdot \frac{dy}{dx}$$
#
# $h$ is the learning rate, not the small step of a difference quotient as in notebook 01. Ten steps
# with $h = 0.1$ from $x = 6$:

# %%
# Descend on y = x², step by step.
import numpy as np
from matplotlib import pyplot as plt

x, h = 6.0, 0.1
for step in range(10):
    print(f"step {step}: x = {x:.3f}, y = {x**2:.4f}, slope = {2 * x:.2f}")
    x = x - h * 2 * x
print(f"at the end: x = {x:.3f}, and by the formula {6 * 0.8**10:.3f}")

# %% [markdown] proof="below above"
# **What to notice.** Each step multiplies $x$ by $1 - 2h = 0.8$, so that $x_k = 6 \cdot 0.8^k$. The
# steps become shorter by themselves, because the slope becomes smaller. (After two steps S3 writes
# 14.74; rounded, 14.7456 is 14.75.)
#
# In the rest of the notebook this loop is a function. It works for a number and for a vector, and
# returns every point on the way.


# %%
# The same loop as a function, which returns the whole way and ends at the same point.
def descend(gradient, start, learning_rate, steps):
    way = [start]
    for _ in range(steps):
        way.append(way[-1] - learning_rate * gradient(way[-1]))
    return np.array(way)


def slope(x):
    return 2 * x


way = descend(slope, 6.0, 0.1, 10)
assert np.isclose(way[-1], x)

# %% [markdown]
# Keras has the same loop: its *optimizers* take gradients and change variables. `SGD` with a
# learning rate and nothing else makes exactly these steps.

# %%
# Ten steps by Keras' optimizer.
import keras

point = keras.Variable(6.0)
optimizer = keras.optimizers.SGD(learning_rate=0.1)
for k in range(1, 11):
    optimizer.apply([slope(point)], [point])  # gradients, variables
    assert np.isclose(float(point), way[k], rtol=1e-5)
print(f"Keras: x = {float(point):.3f}")

# %% [markdown] slides="S0 learning rate; S2 learning rate"
# ## The learning rate
#
# It is the most important number that you choose. Four values, from the same start.
#
# **Predict, then run.** With $h = 0.1$ the steps come down one side. What will $h = 0.9$ do? And
# $h = 1$, and $h = 1.1$? Each step multiplies $x$ by $1 - 2h$.


# %% name="rates" alt="Four parabolas with the same axes and the points of a descent from 6. With h = 0.1 the steps come down one side. With 0.9 they jump from side to side and come nearer. With 1 they jump between 6 and −6 for ever. With 1.1 they climb out."
# Draw four descents that differ in their learning rate alone.
def draw_descent(ax, learning_rate, steps):
    curve = np.linspace(-11, 11, 200)
    way = descend(slope, 6.0, learning_rate, steps)
    ax.plot(curve, curve**2, color="0.6", linewidth=2)
    ax.plot(way, way**2, "o-", color="#D55E00", markersize=4, linewidth=1)
    ax.plot(6, 36, "s", color="#0072B2", markersize=8)
    ax.set(xlim=(-11, 11), ylim=(-4, 110), xlabel="x", ylabel="y")
    ax.set_title(f"h = {learning_rate:g}: x = {way[-1]:.3g} after {steps} steps", fontsize=11)


axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")[1]
for ax, h in zip(axes.flat, (0.1, 0.9, 1.0, 1.1), strict=True):
    draw_descent(ax, h, 5)
    print(f"h = {h:g}: x =", descend(slope, 6.0, h, 5).round(2), f"factor {1 - 2 * h:.1f}")
plt.show()

# %% [markdown] proof="above"
# **What to notice.** With $x_k = 6(1 - 2h)^k$ all four are clear: the factor is 0.8, −0.8, −1 and
# −1.2. With a learning rate too large, descent does not become slower, it breaks.
#
# How fast is each? The distance from the minimum, step by step:

# %% alt="The distance from the minimum over the steps, on a logarithmic axis, for five learning rates: straight lines. That of 0.4 falls steepest, that of 0.01 hardly falls, those of 0.1 and 0.9 lie on each other, that of 1.1 rises."
# Draw the distance from the minimum for five learning rates.
ax = plt.figure(figsize=(7, 3.4), layout="constrained").gca()
styles = ("-", "--", "-.", ":", (0, (5, 1)))
for h, style, colour in zip((0.01, 0.1, 0.4, 0.9, 1.1), styles, dl.plots.COLOURS, strict=False):
    distances = np.abs(descend(slope, 6.0, h, 20))
    ax.semilogy(distances, linestyle=style, color=colour, linewidth=2, label=f"h = {h:g}")
ax.set(xlabel="step", ylabel="|x|, distance from 0", ylim=(1e-6, 1e3), xticks=range(0, 21, 5))
ax.legend()
plt.show()

# %% [markdown] proof="above"
# **What to notice.** 0.1 and 0.9 are equally fast here, from different sides. Very small is safe
# and slow. For a real network nobody knows the best value in advance; notebook 08 shows how to look
# for it.
#
# Move the slider over the edge at 1:

# %% alt="The parabola with the steps of a descent from 6, at the learning rate and the number of steps that the sliders set."
# Move the sliders: learning rate and number of steps.
from ipywidgets import FloatSlider, IntSlider, interact


def move(learning_rate, steps):
    draw_descent(plt.figure(figsize=(6, 3.6)).gca(), learning_rate, steps)
    plt.show()


rate = FloatSlider(0.3, min=0.01, max=1.1, step=0.01, continuous_update=False)
_ = interact(move, learning_rate=rate, steps=IntSlider(10, 1, 20, continuous_update=False))

# %% [markdown] proof="starts" slides="S0 local minima"
# ## Local minima
#
# Descent sees only the slope under its feet. In a landscape with two valleys the start decides
# where it ends:
#
# $$f(x) = \frac{x^4}{4} - 2x^2 + \frac{x}{2} \qquad f'(x) = x^3 - 4x + \frac{1}{2}$$
#
# **Predict, then run.** The left valley is the deeper one. From 61 starts, evenly spread from −3 to
# 3, how many descents end in it?


# %% name="starts" alt="A curve with two valleys, the left one deeper. Sixty-one starts are marked on it: those left of the hilltop in one colour, those right of it in another. Two ways are drawn, one into each valley."
# Descend from many starts, and draw which valley each one reaches.
def valleys(x):
    return x**4 / 4 - 2 * x**2 + x / 2


def valleys_slope(x):
    return x**3 - 4 * x + 0.5


starts = np.linspace(-3, 3, 61)
ends = descend(valleys_slope, starts, 0.05, 100)[-1]  # all at once: x may be an array
ax = plt.figure(figsize=(7, 3.6), layout="constrained").gca()
curve = np.linspace(-3.1, 3.1, 200)
ax.plot(curve, valleys(curve), color="0.6", linewidth=2)
for name, here, colour in (("left", ends < 0, "#0072B2"), ("right", ends > 0, "#D55E00")):
    ax.plot(starts[here], valleys(starts[here]), "|", color=colour, markersize=12)
    example = descend(valleys_slope, starts[here][-1 if name == "right" else 0], 0.05, 100)
    ax.plot(example, valleys(example), "o-", color=colour, markersize=4, label=f"to the {name}")
    at = ends[here].mean()
    assert np.ptp(ends[here]) < 1e-6  # all in one place
    first, last = starts[here][[0, -1]]
    print(f"{name}: {here.sum()} starts, from {first:.1f} to {last:.1f}, ", end="")
    print(f"all to x = {at:.2f}, where f = {valleys(at):.2f}")
ax.set(xlabel="x", ylabel="f(x)")
ax.legend()
plt.show()

# %% [markdown] proof="starts"
# **What to notice.** Of the 61 starts 32 end in the left valley, 29 in the right one: each ends
# where the slope is 0, in the valley on its own side of the hilltop. Only one is the *global*
# minimum; the other is a *local* one. And a slope of 0 is not yet a minimum: the hilltop has slope
# 0 as well.
#
# A ball would have rolled on. *Momentum* keeps part of the last step, the *velocity* $v$:
#
# $$v \leftarrow \mu v - h f'(x) \qquad x \leftarrow x + v$$


# %% name="rolling"
# Descend with momentum, from twenty-six starts on the right side.
def roll(gradient, start, learning_rate, steps, momentum):
    way, velocity = [start], 0.0
    for _ in range(steps):
        velocity = momentum * velocity - learning_rate * gradient(way[-1])
        way.append(way[-1] + velocity)
    return np.array(way)


right_side = np.linspace(0.5, 3, 26)
for mu in (0.0, 0.8, 0.9, 0.95):
    ends = roll(valleys_slope, right_side, 0.05, 300, mu)[-1]
    print(f"momentum {mu:4}: {np.sum(ends < 0)} of {len(ends)} starts roll over the hill")

ball = keras.Variable(3.0)
optimizer = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
for _ in range(20):
    optimizer.apply([valleys_slope(ball)], [ball])
assert np.isclose(float(ball), roll(valleys_slope, 3.0, 0.05, 20, 0.9)[-1], rtol=1e-3)

# %% [markdown] proof="rolling" slides="S2 where the gradient points"
# **What to notice.** Some balls roll over the hill into the deeper valley. But momentum is no cure
# for local minima: of these 26 starts only 2 roll over with $\mu = 0.9$, and none with 0.8. Its
# real use comes in the next section. Keras' `SGD` has it as a setting, and makes the same steps.
# *Adam*, which most notebooks use, is momentum with a step size of its own for each parameter.
#
# ## Two weights: a valley that is narrow
#
# With two weights the landscape is a surface, and you look at its contour lines from above. In the
# bowl $f(x_1, x_2) = x_1^2 + 10 x_2^2$ one direction is much steeper than the other.
#
# **Predict, then run.** The descent starts at $(4, 1.5)$, marked by a square. Will its first step
# lead towards the minimum in the middle?


# %% name="narrow" alt="Contour lines of a narrow bowl, twice, with the same axes. Without momentum the way zigzags across the valley; with momentum it swings round and ends nearer to the middle."
# Draw descents in a narrow bowl, without and with momentum.
def narrow_gradient(x):
    return np.array([2 * x[0], 20 * x[1]])


def contours(ax, heights, x1, x2, names, levels):
    lines = ax.contourf(x1, x2, heights, levels=levels, cmap="cividis", extend="max")
    ax.contour(x1, x2, heights, levels=levels, colors="white", linewidths=0.3)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    return lines


def draw_way(ax, way):
    ax.plot(*way.T, "o-", color="white", markersize=5, linewidth=2.4)
    ax.plot(*way.T, "o-", color="#D55E00", markersize=3, linewidth=1.2)
    ax.plot(*way[0], "s", color="white", markeredgecolor="black", markersize=8)


x1, x2 = np.meshgrid(np.linspace(-4, 5, 80), np.linspace(-2, 2, 60))
axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")[1]
for ax, mu in zip(axes, (0.0, 0.6), strict=True):
    way = roll(narrow_gradient, np.array([4.0, 1.5]), 0.09, 15, mu)
    lines = contours(ax, x1**2 + 10 * x2**2, x1, x2, ("x₁", "x₂"), np.arange(0, 8, 0.7) ** 2)
    draw_way(ax, way)
    ax.set_title(f"momentum {mu:g}: f = {way[-1][0] ** 2 + 10 * way[-1][1] ** 2:.2g}", fontsize=11)
    print(f"momentum {mu:g}: f = {way[-1][0] ** 2 + 10 * way[-1][1] ** 2:.3f} after 15 steps")
plt.colorbar(lines, ax=axes, label="f(x₁, x₂)", format="%.0f", shrink=0.7)
plt.show()

# %% [markdown] proof="saddle"
# **What to notice.** The first step goes at a right angle to the contour line, and that is the
# steepest way down *here*, not the way to the minimum. (S2 says that the gradient always points to
# the minimum.) The steep direction limits the learning rate, the flat one needs many steps. That is
# why features are brought to one scale before training.
#
# A slope of 0 in both directions may also be a *saddle*: a minimum along one direction and a
# maximum along the other, as in $f(x_1, x_2) = x_1^2 - x_2^2$ at $(0, 0)$.
#
# **Predict, then run.** Two descents start beside each other, at $(1.5, 0)$ and at
# $(1.5, 0.000001)$. Where is each after 100 steps?


# %% name="saddle"
# Descend from two starts at a saddle.
def saddle_gradient(x):
    return np.array([2 * x[0], -2 * x[1]])


for start in ([1.5, 0.0], [1.5, 1e-6]):
    end = descend(saddle_gradient, np.array(start), 0.1, 100)[-1]
    print(f"from ({start[0]}, {start[1]:g}) to ({end[0]:.2f}, {end[1]:.0f})")

# %% [markdown] proof="tumours" slides="S0 the loss as a landscape"
# **What to notice.** The first stays at the saddle, the second has long left it: a millionth is
# enough. In networks with many weights a saddle rather slows a descent down than stops it.
#
# ## The loss surface of a neuron
#
# Now a real loss. One neuron with a *sigmoid* is to tell malignant from benign tumours by one
# feature, their mean radius. It has two parameters: a weight $w$ and a bias $b$. The feature $x$ is
# the radius, *standardised*: mean 0, standard deviation 1. The output is the probability of benign:
#
# $$a = \sigma(wx + b) \qquad \sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# The loss $J$ is the mean over the $m$ examples of $-\log a$ where the tumour is benign ($y = 1$),
# else of $-\log(1 - a)$. Its gradient is short; notebook 03 derives it:
#
# $$\frac{\partial J}{\partial w} = \frac{1}{m}\sum (a - y)\,x \qquad
# \frac{\partial J}{\partial b} = \frac{1}{m}\sum (a - y)$$


# %% name="tumours"
# Load the tumours, and write the loss and its gradient.
tumours = dl.load_dataset("breast_cancer")
radius = tumours.x_train[:, tumours.feature_names.index("mean radius")].astype(float)
x, y = (radius - radius.mean()) / radius.std(), tumours.y_train
print(f"{len(y)} tumours, classes {tumours.class_names}")
print(f"x: mean {abs(x.mean()):.1f}, standard deviation {x.std():.1f}")


def loss(w, b):
    z = np.multiply.outer(w, x) + np.asarray(b)[..., None]
    return np.mean(np.logaddexp(0, z) - y * z, axis=-1)  # the same, without a large exponential


def neuron_gradient(weights, rows=slice(None)):
    error = 1 / (1 + np.exp(-(weights[0] * x[rows] + weights[1]))) - y[rows]
    return np.array([np.mean(error * x[rows]), np.mean(error)])


# %% [markdown]
# **Predict, then run.** Descents start near the four corners and in the middle of the picture. Do
# they end in the same place?


# %% name="surface" alt="The loss over the weight w and the bias b as contour lines: one long valley. From five starts, four of them near the corners, the ways lead to the same place, long steps first."
# Draw the loss surface with five descents, then descend from a hundred random starts.
def draw_surface():
    ax = plt.figure(figsize=(6, 5), layout="constrained").gca()
    w, b = np.meshgrid(np.linspace(-7, 7, 80), np.linspace(-7, 7, 80))
    lines = contours(ax, loss(w, b), w, b, ("weight w", "bias b"), np.linspace(0.25, 2.6, 22) ** 2)
    ax.figure.colorbar(lines, label="loss", format="%.1f")
    return ax


ax = draw_surface()
for start in ([5.0, 5.0], [-5.0, 5.0], [5.0, -5.0], [-5.0, -5.0], [0.0, 0.0]):
    draw_way(ax, descend(neuron_gradient, np.array(start), 3.0, 150))
plt.show()
random_starts = np.random.default_rng(1).uniform(-5, 5, (100, 2))
ends = np.array([descend(neuron_gradient, start, 3.0, 300)[-1] for start in random_starts])
for name, end in zip("wb", ends.T, strict=True):
    print(f"{name} after 300 steps from 100 random starts: {end.min():.3f} to {end.max():.3f}")

# %% [markdown] slides="S1 stochastic gradient descent; S2 batches and epochs"
# **What to notice.** This surface has one valley: all hundred starts end at the same weights. That
# is no luck: the loss of one sigmoid neuron is *convex*, it has no second valley. (Where a line
# separates the classes perfectly it has no lowest point at all.) The surface of a network with
# hidden layers has many valleys.
#
# ## Batches: an estimate of the gradient
#
# The true gradient needs all examples for one step. *Stochastic* gradient descent draws a few at
# random, a *batch*, and steps at once. Its gradient is right only on average.
#
# **Predict, then run.** A descent with batches of eight examples starts near a corner. How will its
# way differ from the one above, and will it come to rest?


# %% alt="The same loss surface. The steps with batches of eight examples stagger to the same valley and then wander about its bottom."
# Descend with batches of eight examples.
rng = np.random.default_rng(0)


def batch_gradient(weights):
    return neuron_gradient(weights, rng.integers(0, len(y), 8))


draw_way(draw_surface(), descend(batch_gradient, np.array([5.0, 5.0]), 3.0, 60))
plt.show()

# %% [markdown]
# The way is crooked, and it does not come to rest. How much does a smaller learning rate calm it?
# Five more descents start at the bottom; the *wobble* is the standard deviation of $w$ over the
# last hundred steps.

# %% name="wobble"
# Measure the wobble at the bottom for two learning rates.
for rate in (3.0, 0.3):
    ways = [descend(batch_gradient, ends[0], rate, 300) for _ in range(5)]
    wobbles = [np.std(way[-100:, 0]) for way in ways]
    print(f"learning rate {rate}: w wobbles by {min(wobbles):.2f} to {max(wobbles):.2f}")
print(f"examples per step: 8 of {len(y)}, about 1/{len(y) // 8} of the work")

# %% [markdown]
# **What to notice.** With a tenth of the learning rate the wobble is several times smaller. That is
# why many trainings lower the learning rate towards the end. And each step costs a small fraction
# of the work, so that a training makes many more of them.
#
# ## In five lines
#
# - A step of gradient descent goes against the gradient, as far as the learning rate says.
# - Too small a learning rate is slow, too large a one diverges.
# - Descent ends where the slope is 0: in a local minimum, the global one, or, rarely, at a saddle.
# - Momentum keeps part of the last step, and helps in narrow valleys.
# - A batch gives an estimate of the gradient for a small part of the work.
#
# ## Further reading
#
# - [Why momentum really works](https://distill.pub/2017/momentum/): the narrow valley, with
#   pictures to play with.
# - [Gradient descent](https://www.3blue1brown.com/lessons/gradient-descent):
#   the same idea as a film.
# - [Optimization algorithms](https://d2l.ai/chapter_optimization/index.html): from here to Adam,
#   with code.
# - [Keras' optimizers](https://keras.io/api/optimizers/): which there are, and their settings.
# - [Adam](https://arxiv.org/abs/1412.6980): the paper of the optimizer that most notebooks use.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("02.1")` helps, `solution("02.1")`
# tells.
#
# ### Quick checks
#
# **02.1** Descent on $y = x^2$ starts at $x = 6$ with learning rate 0.25. Where is $x$ after two
# steps?

# %%
# 02.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("02.1", answer)

# %% [markdown]
# **02.2** Write a function `answer(gradient, x, learning_rate, steps)` that returns where gradient
# descent is after so many steps from `x`. `gradient` is a function of a point.

# %%
# 02.2: your answer
answer = ...
check("02.2", answer)

# %% [markdown]
# **02.3** Choose a learning rate with which descent on $y = 5x^2$ comes from $x = 1$ to a distance
# of at most 0.001 from the minimum in ten steps.

# %%
# 02.3: your answer
answer = ...
check("02.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **02.4** One *epoch* for the neuron of this notebook: each example is used once, batch by batch.
# `order` holds the indices of all examples, shuffled; each batch takes the next `batch_size` of
# them, the last one what is left. Fill the three places of `...`; return the weight and the bias
# after the epoch.


# %%
# 02.4: complete the algorithm
def answer(x, y, w, b, learning_rate, batch_size, order):
    for first in range(0, len(order), batch_size):
        last = first + ...
        rows = order[first:last]  # the next batch
        error = 1 / (1 + np.exp(-(w * x[rows] + b))) - y[rows]
        w = w - learning_rate * ...
        b = b - learning_rate * ...
    return w, b


check("02.4", answer)

# %% [markdown]
# ### Build a descent
#
# **02.5** Write `answer(f, gradient, low, high)` that returns the `x` between `low` and `high` with
# the lowest `f(x)`. `f` and `gradient` take a number or an array. The check holds 20 landscapes
# with several valleys each. The bar: in at least 19 of them your `f(x)` lies at most 0.01 above the
# lowest. (One descent from the middle reaches that in a fifth.) You may use `gradient` at most
# 20,000 times per landscape, counted per number, and `f` at most 100 times.


# %%
# 02.5: build a descent
def answer(f, gradient, low, high):
    starts = np.linspace(low, high, ...)
    ends = descend(gradient, starts, ..., 100)[-1]
    return min(ends, key=f)


check("02.5", answer)
