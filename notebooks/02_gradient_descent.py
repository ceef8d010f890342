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
# **Question.** How do you walk to the lowest point of a landscape that you cannot see?
#
# **Slides.** S0, S2, S3, S4. **Time.** A few seconds to run, 40 minutes to read.
# **Prerequisites.** Notebook 01.

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
# Training a network means: find the weights for which the loss is lowest. There are too many
# weights to try. But at the point where we stand we can compute the slope, and a step downhill is
# always possible. At the end of this notebook you can say what the *learning rate* does, see where
# descent gets stuck, and watch a neuron learn on its loss surface.
#
# ## The simplest landscape
#
# S3 takes $y = x^2$. Its slope at $x$ is $2x$. A step goes *against* the slope:
#
# $$x \leftarrow x - h \cdot \frac{dy}{dx}$$
#
# $h$ is the learning rate. Ten steps with $h = 0.1$ from $x = 6$:

# %%
import numpy as np
from matplotlib import pyplot as plt

from dlcourse.lessons import plots as lesson_plots

x, h = 6.0, 0.1
for step in range(10):
    print(f"step {step}: x = {x:.4g}, y = {x**2:.4g}, slope = {2 * x:.4g}")
    x = x - h * 2 * x

# %% [markdown]
# Each step multiplies $x$ by $1 - 2h = 0.8$, so that $x_k = 6 \cdot 0.8^k$. The steps become
# shorter by themselves, because the slope becomes smaller.
#
# `maths.gradient_descent` does the same and returns every point on the way.

# %%
# Picture: The parabola y = x² with the points of ten steps. They start at x = 6 and come down the
# right side towards 0, each step shorter than the one before.
from dlcourse.lessons import maths


def square(x):
    return x**2


def slope(x):
    return 2 * x


_ = lesson_plots.descent_on_curve(square, maths.gradient_descent(slope, 6.0, 0.1, 10))

# %% [markdown]
# ## The learning rate
#
# It is the most important number that you choose. Four values of $h$, from the same start. Guess
# first: what will $h = 0.9$ do, and $h = 1$?

# %%
# Picture: Four parabolas. With h = 0.1 the steps come down one side. With 0.9 they jump from side
# to side and still come nearer. With 1 they jump between 6 and −6 for ever. With 1.1 they climb
# out.
figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
for ax, (case, h) in zip(axes.flat, maths.DESCENT_CASES.items(), strict=True):
    lesson_plots.descent_on_curve(square, maths.gradient_descent(slope, 6.0, h, 8), ax)
    ax.set_title(f"h = {h:g}: {case}")
    ax.get_legend().remove()
plt.show()

# %% [markdown]
# **What to notice.** With $x_k = 6(1 - 2h)^k$ all four are clear: the factor is 0.8, −0.8, −1 and
# −1.2. With a learning rate too large descent does not become slower, it breaks.
#
# How fast is each? The distance from the minimum, step by step:

# %%
# Picture: The distance from the minimum over the steps, on a logarithmic axis, for five learning
# rates: straight lines. That of 0.4 falls steepest, that of 0.01 hardly falls, that of 1.1 rises.
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
styles = ("-", "--", "-.", ":", (0, (5, 1)))
for h, style in zip((0.01, 0.1, 0.4, 0.9, 1.1), styles, strict=True):
    trace = maths.gradient_descent(slope, 6.0, h, 20)
    ax.semilogy(np.abs(trace), linestyle=style, label=f"h = {h:g}")
ax.set(xlabel="step", ylabel="|x|, distance from 0", ylim=(1e-6, 1e3))
ax.legend()
plt.show()

# %% [markdown]
# **What to notice.** 0.1 and 0.9 are equally fast here, from different sides. Very small is safe
# and slow. For a real network nobody knows the best value in advance; notebook 08 shows how to look
# for it.
#
# Move the slider over the edge at 1:

# %%
# Picture: the parabola with the steps of a descent from 6, at the sliders' learning rate.
from dlcourse.lessons import interact


def descend(learning_rate=0.3, steps=10):
    lesson_plots.descent_on_curve(square, maths.gradient_descent(slope, 6.0, learning_rate, steps))
    plt.show()


interact(descend, learning_rate=(0.01, 1.1, 0.01), steps=(1, 20))

# %% [markdown]
# The same as a film, with buttons to step through it. Its learning rate is 0.85.

# %%
# Picture: A film of ten steps on the parabola, from side to side, ever nearer to the bottom.
from IPython.display import HTML

film = lesson_plots.animate_descent(square, maths.gradient_descent(slope, 6.0, 0.85, 10))
plt.close()
HTML(lesson_plots.html(film))

# %% [markdown]
# ## Local minima
#
# Descent sees only the slope under its feet. In a landscape with two valleys the start decides
# where it ends. We take
#
# $$f(x) = \frac{x^4}{4} - 2x^2 + \frac{x}{2}$$


# %%
def valleys(x):
    return x**4 / 4 - 2 * x**2 + x / 2


def valleys_slope(x):
    return x**3 - 4 * x + 0.5


# %%
# Picture: A curve with two valleys, the left one deeper. From the start at −0.5 the steps go into
# the left valley, from the start at 3 into the right one and no further.
ends = {}
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
x = np.linspace(-3.1, 3.1, 200)
ax.plot(x, valleys(x), color="0.6", linewidth=2)
for start, colour in ((-0.5, "#0072B2"), (3.0, "#D55E00")):
    trace = maths.gradient_descent(valleys_slope, start, 0.05, 40)
    ends[start] = trace[-1]
    ax.plot(trace, valleys(trace), "o-", color=colour, markersize=4, label=f"from {start:g}")
ax.set(xlabel="x", ylabel="f(x)")
ax.legend()
plt.show()
for start, end in ends.items():
    print(f"from {start:g} to x = {end:.3f}, where f = {valleys(end):.3f}")

# %% [markdown]
# Two starts are two examples. From 61 starts between −3 and 3, which valley do the steps reach?

# %%
starts = np.linspace(-3, 3, 61)
reached = np.array(
    [maths.gradient_descent(valleys_slope, s, 0.05, 40)[-1] for s in starts.tolist()]
)
for name, here in (("left", reached < 0), ("right", reached > 0)):
    first, last = starts[here][[0, -1]]
    print(f"{name} valley: {here.sum()} starts, from {first:.1f} to {last:.1f}")

# %% [markdown]
# **What to notice.** Each ends where the slope is 0: in the valley on its own side of the hilltop.
# Only one is the *global* minimum; the other is a *local* one. A slope of 0 says neither that it is
# the lowest point nor that it is a minimum at all: the hilltop has slope 0 as well.
#
# A ball would have rolled on. *Momentum* keeps part of the last step:
#
# $$v \leftarrow \mu v - h f'(x) \qquad x \leftarrow x + v$$

# %%
rolled = maths.gradient_descent(valleys_slope, 3.0, 0.05, 150, momentum=0.9)[-1]
print(f"from 3 to x = {rolled:.3f}, where f = {valleys(rolled):.3f}")
right_side = np.linspace(0.5, 3, 26).tolist()
for mu in (0.0, 0.8, 0.9, 0.95):
    ways = [maths.gradient_descent(valleys_slope, s, 0.05, 300, momentum=mu) for s in right_side]
    print(f"momentum {mu:4}: {sum(way[-1] < 0 for way in ways)} of 26 starts roll over the hill")

# %% [markdown]
# **What to notice.** From the same start, 3, it rolled over the hill into the deeper valley. But
# momentum is no cure for local minima: of 26 starts on the right side only 2 roll over with $\mu =
# 0.9$, and none with 0.8. Its real use comes in the next section. *Adam*, the default of our
# recipes, is momentum with a step size of its own for each parameter.
#
# ## Two weights: a valley that is narrow
#
# With two weights the landscape is a surface, and we look at its contour lines from above. In the
# bowl $f(x_1, x_2) = x_1^2 + 10 x_2^2$ one direction is much steeper than the other.


# %%
# Picture: Contour lines of a narrow bowl, twice. Without momentum the way zigzags across the
# valley; with momentum it swings round and gets nearer to the middle.
def narrow(x):
    return x[0] ** 2 + 10 * x[1] ** 2


def narrow_gradient(x):
    return np.array([2 * x[0], 20 * x[1]])


figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
traces = {
    momentum: maths.gradient_descent(narrow_gradient, [4.0, 1.5], 0.09, 15, momentum=momentum)
    for momentum in (0.0, 0.6)
}
for ax, (momentum, trace) in zip(axes, traces.items(), strict=True):
    lesson_plots.descent_on_contour(narrow, trace, ax, within=np.concatenate(list(traces.values())))
    ax.set_title(f"momentum {momentum:g}: f = {narrow(trace[-1]):.2g}", fontsize=11)
plt.show()

# %% [markdown]
# **What to notice.** The first step does not go towards the minimum in the middle. It goes at a
# right angle to the contour line, and that is the steepest way down *here*. The steep direction
# limits the learning rate, the flat one needs many steps. That is why features are brought to one
# scale before training.
#
# ## The loss surface of a neuron
#
# Now a real loss. One neuron with a sigmoid shall tell malignant from benign tumours by one
# feature, their mean radius. It has two parameters: a weight $w$ and a bias $b$. The feature $x$ is
# the radius, *standardised*: mean 0, standard deviation 1.

# %%
tumours = dl.load_dataset("breast_cancer")
column = tumours.feature_names.index("mean radius")
radius = tumours.x_train[:, column].astype(float)
x, y = (radius - radius.mean()) / radius.std(), tumours.y_train
tumours.class_names, tumours.x_train.shape


# %% [markdown]
# $a = \sigma(wx + b)$, with $\sigma(z) = 1/(1 + e^{-z})$, is the probability of benign (class 1),
# and $J$ is the mean loss over the $m$ examples. Its gradient is short; notebook 03 derives it:
#
# $$\frac{\partial J}{\partial w} = \frac{1}{m}\sum (a - y)\,x \qquad
# \frac{\partial J}{\partial b} = \frac{1}{m}\sum (a - y)$$


# %%
def neuron_gradient(weights, rows=slice(None)):
    error = maths.sigmoid(weights[0] * x[rows] + weights[1]) - y[rows]
    return np.array([np.mean(error * x[rows]), np.mean(error)])


# %%
# Picture: The loss over the weight w and the bias b as contour lines: one long valley. From five
# starts, four of them the corners, the steps lead to its bottom, long ones first.
trace = maths.gradient_descent(neuron_gradient, [5.0, 5.0], 3.0, 60)
surface = lesson_plots.loss_surface(x, y, trace=trace, reach=6.8)
for start in ([-5.0, 5.0], [5.0, -5.0], [-5.0, -5.0], [0.0, 0.0]):
    way = maths.gradient_descent(neuron_gradient, start, 3.0, 60)
    surface.plot(*way.T, ".-", color="white", linewidth=1)
many = np.random.default_rng(1).uniform(-5, 5, (100, 2))
ends = np.array([maths.gradient_descent(neuron_gradient, start, 3.0, 300)[-1] for start in many])
for name, end in zip(("w", "b"), ends.T, strict=True):
    print(f"{name} after 300 steps from 100 random starts: {end.min():.3f} to {end.max():.3f}")

# %% [markdown]
# **What to notice.** This surface has one valley: all hundred starts end at the same weights. That
# is no luck: the loss of one sigmoid neuron is *convex*, it has no second valley. (Where a line
# separates the classes perfectly there is no lowest point.) The surface of a network with hidden
# layers has many valleys.
#
# ## Batches: a guess of the gradient
#
# The true gradient needs all examples for one step. *Stochastic* gradient descent takes a few,
# drawn at random, and steps at once. Its gradient is only right on average.

# %%
# Picture: The same loss surface. The steps with batches of eight examples stagger to the same
# valley and then wander about its bottom.
rng = np.random.default_rng(0)


def batch_gradient(weights):
    return neuron_gradient(weights, rng.integers(0, len(y), 8))


trace = maths.gradient_descent(batch_gradient, [5.0, 5.0], 3.0, 60)
_ = lesson_plots.loss_surface(x, y, trace=trace)

# %% [markdown]
# **What to notice.** The way is crooked, and it does not come to rest. A smaller learning rate
# towards the end calms it. We start five more at the bottom, and measure how much the weight still
# wobbles in steps 201 to 300. And a step costs 8 examples in the place of all of them:

# %%
for rate in (3.0, 0.3):
    traces = [maths.gradient_descent(batch_gradient, ends[0], rate, 300) for _ in range(5)]
    wobble = [np.std(trace[-100:, 0]) for trace in traces]
    print(f"learning rate {rate}: w wobbles by {min(wobble):.2f} to {max(wobble):.2f}")
print(f"examples for one step: all {len(y)}, or 8, 1/{len(y) // 8} of the work")

# %% [markdown]
# ## What the slides got wrong here
#
# The path over the narrow bowl shows one of these; the heights of the first parabola show another.

# %%
from dlcourse.lessons import show

print(show("S3.gd", "S2.gradient", "S0.minima"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("02.1")` helps, `solution("02.1")`
# tells.
#
# **02.1** Descent on $y = x^2$ starts at $x = 6$ with learning rate 0.25. Where is $x$ after two
# steps?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("02.1", answer)

# %% [markdown]
# **02.2** Write a function `answer(gradient, x, learning_rate, steps)` that returns where gradient
# descent is after so many steps from `x`. `gradient` is a function of a point.

# %%
answer = ...
check("02.2", answer)

# %% [markdown]
# **02.3** Choose a learning rate with which descent on $y = 5x^2$ comes from $x = 1$ to a distance
# of at most 0.001 from the minimum in ten steps.

# %%
answer = ...
check("02.3", answer)
