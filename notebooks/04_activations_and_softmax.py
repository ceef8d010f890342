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
# # Activations and softmax
#
# **Question.** Why does a network need a bend?
#
# **Slides.** S1, S2, S4. **Time.** Half a minute to run, 45 minutes to read and play.
# **Prerequisites.** Notebook 03.

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
# A neuron computes $z = w \cdot x + b$ and then $a = g(z)$. The *activation* $g$ looks like a
# detail. Here you see that without it a deep network is only a line, what softmax does with scores,
# and two ways to separate what no line can separate: features of your own, or a hidden layer.
#
# ## The gallery
#
# Each activation of the slides with its derivative. Learning needs the derivative: where it is 0,
# no weight moves.

# %%
# Picture: Eight activations, each with its derivative as a broken line. Step and sign are flat but
# for a jump, linear is a straight line, sigmoid and tanh are S-shaped, ReLU has a corner at 0.
from dlcourse.lessons import plots as lesson_plots

_ = lesson_plots.activation_gallery()

# %% [markdown]
# **What to notice.** The first two have derivative 0 nearly everywhere: nothing can be learned
# through them. The slope of the sigmoid is at most ¼, and almost 0 for large $|z|$; there it is
# *saturated*. ReLU keeps a slope of 1 on its whole right half. Leaky
# ReLU has a slope of 0.01 on its left half, too little to be seen here.
#
# $$\text{sigmoid}(z) = \frac{1}{1 + e^{-z}} \qquad \tanh z = 2\,\text{sigmoid}(2z) - 1 \qquad
# \text{ReLU}(z) = \max(0, z)$$

# %%
import numpy as np

from dlcourse.lessons import maths

np.set_printoptions(suppress=True, precision=4)
z = np.array([0.0, 2.0, 5.0, 10.0])
print("slope of the sigmoid:", maths.sigmoid_derivative(z))
print("tanh z = 2σ(2z) − 1:", np.allclose(maths.tanh(z), 2 * maths.sigmoid(2 * z) - 1))

# %% [markdown]
# ## Without a bend, depth is nothing
#
# Two layers without activation:
#
# $$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$
#
# That is one layer with the weights $W_2 W_1$. We check it with random numbers.

# %%
rng = np.random.default_rng(0)
W1, b1, W2, b2 = (rng.normal(size=shape) for shape in ((5, 2), 5, (1, 5), 1))
x = rng.normal(size=2)
deep, collapsed = W2 @ (W1 @ x + b1) + b2, (W2 @ W1) @ x + (W2 @ b1 + b2)
with_bend = W2 @ maths.relu(W1 @ x + b1) + b2
print(f"two layers {deep[0]:.4f}, one layer {collapsed[0]:.4f}, with ReLU {with_bend[0]:.4f}")

# %% [markdown]
# Now trained, on points that lie in a disc and in a ring around it. Both networks have two hidden
# layers of 8 neurons. Only the activation differs. What will the first one do?

# %%
# Picture: A disc of points inside a ring, twice. With linear layers the boundary is a straight line
# or there is none; with tanh it is a closed curve around the disc.
import os

from matplotlib import pyplot as plt

from dlcourse.lessons import Playground

epochs = 5 if os.environ.get("DLCOURSE_SMOKE") else 20
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, activation in zip(axes, ("linear", "tanh"), strict=True):
    Playground("circles", hidden=(8, 8), activation=activation, epochs=epochs).draw(ax)
    ax.get_legend().remove()
    ax.set_title(f"{activation}: {ax.get_title()}", fontsize=11)
plt.show()

# %% [markdown]
# **What to notice.** The shades are the predicted probability, the black line is where it is ½. The
# linear network has 105 parameters and can do no more than 3 could. Chance is 0.5: what a
# line gets right of points that it has not seen is luck here, be it more or less.
#
# ## Softmax: from scores to probabilities
#
# For more than two classes the last layer gives a logit $z_i$ for each, and softmax makes them
# probabilities:
#
# $$a_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# The slides' example, step by step:

# %%
print(maths.render(maths.EXAMPLES["S4.softmax"].steps()))

# %% [markdown]
# **What to notice.** The largest logit gets most, but the others keep something. *Hardmax* would
# give (1, 0, 0, 0), and its slope is 0: nothing could be learned.
#
# Softmax looks only at differences. To add 100 to each logit changes nothing, and that is how
# overflow is avoided: the largest is subtracted first.

# %%
logits = np.array([5.0, 2.0, -1.0, 3.0])
print(maths.softmax(logits), maths.softmax(logits + 100), maths.softmax(logits * 200), sep="\n")

# %% [markdown]
# ### Two classes
#
# With C = 2 softmax is the sigmoid of the difference: $a_1 = \sigma(z_1 - z_0)$. That is why a yes
# or no needs only one output.

# %%
pair = np.array([1.0, 3.0])
print(f"softmax {maths.softmax(pair)[1]:.4f}, sigmoid {maths.sigmoid(pair[1] - pair[0]):.4f}")


# %% [markdown]
# ### Temperature
#
# Divided by a *temperature* $T$ before softmax, the same logits become bolder or more even.
# Language models use that to choose their next word.


# %%
def bars(temperature, ax):
    probabilities = maths.softmax(logits, temperature)
    ax.bar(["z = 5", "z = 2", "z = −1", "z = 3"], probabilities, color="#0072B2")
    ax.set(title=f"T = {temperature:g}", ylabel="probability", ylim=(0, 1))


# %%
# Picture: Bars of the four probabilities for three temperatures. At 0.5 nearly all goes to the
# largest logit, at 1 most of it; at 5 they are much closer: 0.40, 0.22, 0.12, 0.27.
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
for ax, temperature in zip(axes, (0.5, 1.0, 5.0), strict=True):
    bars(temperature, ax)
    ax.tick_params(axis="x", labelsize=8)
plt.show()

# %%
# Picture: four bars, the probabilities of the scores at the slider's temperature.
from dlcourse.lessons import interact


def heat(temperature=1.0):
    bars(temperature, dl.plots.new_axes(figsize=(5, 2.8)))
    plt.show()


interact(heat, temperature=(0.1, 10.0, 0.1))

# %% [markdown]
# ## Points that a line cannot separate
#
# S2 asks: how do you classify these points? One class has $x_1$ and $x_2$ of equal sign, the other
# of unequal sign. A line, $b + w_1 x_1 + w_2 x_2$, must fail. Two ways out:
#
# - a *feature cross*: give the same neuron a third input, $x_3 = x_1 x_2$;
# - a *hidden layer*: let the network find features by itself.

# %%
# Picture: Points in four quadrants, two classes crosswise, three times. A line fails; with the
# feature cross the boundary follows the axes; with a hidden layer it bends between the quadrants.
ways = {
    "a line": Playground("xor", epochs=epochs),
    "with x₁·x₂": Playground("xor", features=("x1", "x2", "x1*x2"), epochs=epochs),
    "hidden layer": Playground("xor", hidden=(8,), epochs=epochs),
}
figure, axes = plt.subplots(1, 3, figsize=(8.4, 3), layout="constrained")
for ax, (name, play) in zip(axes, ways.items(), strict=True):
    play.draw(ax)
    ax.get_legend().remove()
    ax.set_title(f"{name}\n{ax.get_title()}", fontsize=10)
plt.show()

# %% [markdown]
# **What to notice.** The line gets fewer than half of the 60 validation points right: luck again.
# With the right feature one neuron, of 4 parameters, gets all of them. But you must know the
# feature. The hidden layer gets them all as well, after the same 20 epochs, and finds features by
# itself; its price is 33 parameters in the place of 4.
#
# ## The playground
#
# Choose the data, tick features, add layers. Every change trains a network anew, which takes a few
# seconds. Some things to try:
#
# 1. `circles`, no hidden layer: which two features are enough? (Exercise 04.3 asks.)
# 2. `spirals`, 80 epochs: how many layers does it take? Do more features help?
# 3. `moons` with noise 1.0 and two layers of 8, 80 epochs: what does `l2` do to the boundary?
# 4. A hidden layer with `linear`: does it ever help?
#
# It starts with this network:

# %%
# Picture: Two half-moons of points, and the shades of a network with one hidden layer of 4 neurons.
play = Playground("moons", hidden=(4,), epochs=epochs)
play.draw()
plt.show()

# %%
# The same with menus, in Jupyter; a page of this notebook has only the picture above.
play.panel()

# %% [markdown]
# What we found, in validation accuracy. (2) No layer 0.47, one layer of 8 0.78, two of 4 or of 8
# 1.00; with all seven features and no layer 0.77, with one layer 0.97: features and layers do the
# same work. (3) `l2` of 0, 0.01 and 0.1 gives 0.92, 0.85 and 0.50: the boundary first becomes
# smoother, then the weights are too small for any. (4) No: on `moons` 0.90 with it and without.

# %% [markdown]
# What you have found is a recipe. Save this text as a file, and
# `python -m dlcourse.train --config my.yaml` trains the same network:

# %%
print(play.as_recipe())

# %% [markdown]
# As Keras, it is a script of its own, without this package:

# %%
print(play.as_keras())

# %% [markdown]
# ## What the slides got wrong here
#
# Five sentences about activations, each with the correction:

# %%
from dlcourse.lessons import show

print(show("S3.relu", "S3.range", "S4.tanh", "S4.differentiable", "S4.left"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("04.1")` helps, `solution("04.1")`
# tells.
#
# **04.1** Softmax makes the probabilities (0.2, 0.8) of two logits. How much larger is the second
# logit than the first (three digits)?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("04.1", answer)

# %% [markdown]
# **04.2** Write a function `answer(z)` that returns the derivative of ReLU for each number of an
# array `z`, in an array of the same shape.

# %%
answer = ...
check("04.2", answer)

# %% [markdown]
# **04.3** One class lies in a disc, the other in a ring around it. Which two features let logistic
# regression without a hidden layer separate them? Choose two of `x1`, `x2`, `x1*x2`, `x1^2`,
# `x2^2`, `sin(x1)`, `sin(x2)`, as a list of two names.

# %%
answer = ...
check("04.3", answer)
