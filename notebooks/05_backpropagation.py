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
# # Back-propagation from scratch
#
# **Question.** A network has thousands of weights and one loss. How does it learn, in one sweep,
# which way each weight must go?
#
# **Slides.** S0 (back-propagation, the three avenues), S1 (the 3-2-1 network), S4 (the 3-4-1
# network).
#
# **Time.** 10 seconds to run, 45 minutes to read.
#
# **Prerequisites.** Notebooks 02 (gradient descent) and 03 (one step of logistic regression).

# %%
# On Colab, install the course from its folder (cloned or uploaded there); elsewhere do nothing.
import sys

if "google.colab" in sys.modules:
    # %pip install -q /content/dlcourse
    pass

import dlcourse as dl

dl.lessons.quiet_start()

# %% [markdown]
# ## The goal
#
# Gradient descent needs $\partial L/\partial w$ for *every* weight. Back-propagation finds them all
# by walking once through the calculation, backwards. We build it three times: on single numbers,
# on a small network number by number, and with matrices. Then we check it against something that
# knows no calculus.
#
# ## A number that remembers
#
# The whole idea fits into twenty lines. A number remembers from which numbers it was made, and
# beside each of them the derivative by it: for a sum that is 1, for a product the other factor.
# Going back, the **chain rule** multiplies the derivatives along a path, and adds up over all
# paths:
#
# $$\frac{\partial L}{\partial x} = \sum_{\text{paths}} \;\; \prod_{\text{steps of the path}}
# \frac{\partial\,\text{next}}{\partial\,\text{this}}$$


# %%
class Number:
    """A number, with its parents and the derivative by each."""

    def __init__(self, data, parents=()):
        self.data, self.parents, self.grad = data, parents, 0.0

    def __add__(self, other):
        return Number(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.data * other.data, [(self, other.data), (other, self.data)])

    def backward(self, grad=1.0):
        self.grad += grad
        for parent, derivative in self.parents:
            parent.backward(grad * derivative)


x, y = Number(2.0), Number(-3.0)
f = x * y + x * x
f.backward()
print(f"f = {f.data}   ∂f/∂x = {x.grad}   ∂f/∂y = {y.grad}")

# %% [markdown]
# **What to notice.** $f = xy + x^2$, so $\partial f/\partial x = y + 2x = 1$ and $\partial
# f/\partial y = x = 2$: the class knew only sums and products. `x` is reached on three paths, and
# `self.grad += grad` adds them up. Forgetting that `+` is the most common mistake of all.
#
# ## One neuron
#
# `maths.Value` is the same class with a few operations more, and it visits each number only once,
# however many paths there are. Here is the slides' neuron: $x = (5, 3)$, $w = (0.5, 0.5)$, $b = 1$,
# the sigmoid $\sigma$, and the loss $L = -\log a$ of an example with $y = 1$.

# %%
# Picture: the graph of one neuron's calculation from left to right, a box for each number with its
# value and its gradient; arrows lead from x, w and b through products, sum and sigmoid to the loss.
from dlcourse.lessons import maths
from dlcourse.lessons import plots as lesson_plots

x1, x2, b = maths.Value(5, "x1"), maths.Value(3, "x2"), maths.Value(1, "b")
w1, w2 = maths.Value(0.5, "w1"), maths.Value(0.5, "w2")
z = w1 * x1 + w2 * x2 + b
a = z.sigmoid()
loss = -a.log()
z.name, a.name, loss.name = "z", "a", "L"
loss.backward()
lesson_plots.autograd_graph(loss).figure.set_size_inches(9.5, 5)

# %% [markdown]
# **What to notice.** Read it from the right. $L$ has the gradient $\partial L/\partial L = 1$: it
# is what we differentiate. At `z` stands $\partial L/\partial z = a - y = -0.00669$. A sum hands
# this on unchanged, to `b` among others; a product hands it on times the other factor, so `w1` gets
# $5$ times as much.
#
# A gradient is a promise: *if this number grows a little, the loss grows by so much times as
# little*. So the gradients say which way each number must go.
#
# ## The 3-2-1 network of the slides
#
# $h = \tanh(Wx)$, and the output $\hat y = \sigma(v \cdot h)$: eight weights as the slide prints
# it, without biases. The numbers are ours.

# %%
import math

W = [[maths.Value(0.5, "W11"), maths.Value(-0.2, "W12"), maths.Value(0.1, "W13")]]
W += [[maths.Value(-0.3, "W21"), maths.Value(0.4, "W22"), maths.Value(0.2, "W23")]]
v = [maths.Value(0.7, "v1"), maths.Value(-0.6, "v2")]
weights = {weight.name: weight for weight in [*W[0], *W[1], *v]}


def forward(x):
    h = [sum(w * one for w, one in zip(row, x, strict=True)).tanh() for row in W]
    return sum(w * one for w, one in zip(v, h, strict=True)).sigmoid()


example = [1.0, 2.0, 3.0]  # and its label is 1, so that the loss is −log ŷ
loss = -forward(example).log()
loss.backward()
for name, weight in weights.items():
    print(f"{name} = {weight.data:4.1f}   ∂L/∂{name} = {weight.grad:8.5f}")
print(f"L = {loss.data:.5f}, made of {len(loss.graph())} numbers")

# %% [markdown]
# Eight derivatives from one sweep. Row 1 of $W$ belongs to $h_1$. Its three gradients are in the
# proportion of 1, 2 and 3, for these are the inputs $x$. They are negative: these weights must
# *grow*, because $v_1$ is positive. In row 2 the signs are turned, because $v_2$ is negative.
#
# ## What a gradient promises
#
# Turn one weight alone and watch the loss: a curve. Its tangent at the weight's present value has
# the slope that back-propagation found. The arrow is one step of gradient descent,
# $w \leftarrow w - \alpha\,\partial L/\partial w$.

# %%
# Picture: two curves of the loss over one weight each, W13 and v2, with the tangent whose slope is
# the gradient and an arrow for one step of gradient descent, which leads downhill in both.
import numpy as np
from matplotlib import pyplot as plt


def loss_at(name, value):
    kept, weights[name].data = weights[name].data, value
    result = -math.log(forward(example).data)
    weights[name].data = kept
    return result


def draw_tangent(weight, rate=1.0):
    loss = -forward(example).log()
    loss.backward()
    here, slope, ax = weights[weight].data, weights[weight].grad, plt.gca()
    values = np.linspace(here - 2, here + 2, 81)
    ax.plot(values, [loss_at(weight, value) for value in values], label="loss")
    ax.plot(values, loss.data + slope * (values - here), "--", label=f"slope {slope:.3f}")
    new, arrow = here - rate * slope, {"arrowstyle": "->"}
    ax.annotate("", (new, loss_at(weight, new)), (here, loss.data), arrowprops=arrow)
    ax.plot(here, loss.data, "o", color="black", label="now")
    ax.set(xlabel=weight, ylabel="loss", ylim=(0, 2))
    ax.legend(fontsize=9)


figure = plt.figure(figsize=(9, 3.4), layout="constrained")
for place, name in enumerate(("W13", "v2"), 1):
    figure.add_subplot(1, 2, place)
    draw_tangent(name)

# %% [markdown]
# **What to notice.** The tangent lies on the curve at the black point, and leaves it farther away:
# the promise holds for small changes only. Choose other weights and rates below; with a large rate
# the arrow no longer follows the curve.

# %%
# Picture: the same curve, tangent and step, for a weight and a learning rate of your choice.
from dlcourse.lessons import interact

interact(draw_tangent, weight=list(weights), rate=(0.0, 10.0, 0.5))

# %% [markdown]
# Now all eight weights take their step at once:

# %%
for weight in weights.values():
    weight.data -= 0.5 * weight.grad
print(f"L before {loss.data:.5f}, after {-math.log(forward(example).data):.5f}")

# %% [markdown]
# ## The three avenues
#
# S0 asks: a neuron should be more active; what can be done? Three things can: change its
# **weights** $w_i$, its **bias** $b$, or the **activations** $a_i$ of the layer before. The
# derivatives of $z = \sum_i w_i a_i + b$ say how much each helps:
#
# $$\frac{\partial L}{\partial w_i} = a_i\,\frac{\partial L}{\partial z} \qquad
# \frac{\partial L}{\partial b} = \frac{\partial L}{\partial z} \qquad
# \frac{\partial L}{\partial a_i} = w_i\,\frac{\partial L}{\partial z}$$
#
# We look at the output neuron of the slides' 3-4-1 network, with columns as on the slides:
# $W^{[1]}$ is $4 \times 3$.

# %%
# Picture: four bar charts of the output neuron: the four activations that enter it, the gradients
# by its four weights, whose lengths follow the activations, then its weights, and the gradients by
# the activations, whose lengths follow the weights.
net = maths.Network((3, 4, 1), ("tanh", "sigmoid"), layout="slides", seed=3)
X, Y = np.array([[1.0], [0.5], [-1.0]]), np.array([[1.0]])
found, activations = net.backward(X, Y), net.forward(X).a[1][:, 0]
bars = {
    "activation aᵢ": activations,
    "avenue 1: ∂L/∂wᵢ": found.dW[1][0],
    "weight wᵢ": net.W[1][0],
    "avenue 3: ∂L/∂aᵢ": found.da[1][:, 0],
}
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.8), layout="constrained")
for ax, (title, values) in zip(axes, bars.items(), strict=True):
    ax.barh(["4", "3", "2", "1"], values[::-1], color="#D55E00" if "∂" in title else "#0072B2")
    ax.axvline(0, color="black", lw=0.8)
    ax.set(title=title, xlabel="value", ylabel="hidden neuron i")
_ = figure.suptitle(f"avenue 2: ∂L/∂b = ∂L/∂z = {found.db[1][0, 0]:.3f}", fontsize=10)

# %% [markdown]
# **What to notice.** The first two charts are one shape, mirrored: the connection with the largest
# activation (in size) has the largest effect. So are the last two: the neuron behind the *strongest
# weight* matters most. No one can set an activation directly. But it was made by a layer of its
# own, which again has three avenues: this is how the demand travels **back**, layer by layer.
#
# ## With matrices
#
# For a whole layer, and $m$ examples in columns, the same is four lines, from the last layer $l$ to
# the first:
#
# $$dz^{[l]} = da^{[l]} \odot g'(z^{[l]}) \qquad dW^{[l]} = dz^{[l]}\,a^{[l-1]\,T} \qquad
# db^{[l]} = \sum dz^{[l]} \qquad da^{[l-1]} = W^{[l]\,T}\,dz^{[l]}$$
#
# At the end, sigmoid and cross-entropy together give the simple $dz = (a - y)/m$.

# %%
random = np.random.default_rng(0)
X = random.normal(size=(3, 5))  # five examples of three features
Y = (X[:1] > 0).astype(float)
W1, W2 = net.W
b1, b2 = net.b

a1 = np.tanh(W1 @ X + b1)  # forward: keep what is needed on the way back
a2 = 1 / (1 + np.exp(-(W2 @ a1 + b2)))

dz2 = (a2 - Y) / X.shape[1]  # backward
dW2, db2 = dz2 @ a1.T, dz2.sum(axis=1, keepdims=True)
dz1 = (W2.T @ dz2) * (1 - a1**2)  # tanh′ = 1 − tanh²
dW1, db1 = dz1 @ X.T, dz1.sum(axis=1, keepdims=True)

found = net.backward(X, Y)
for mine, theirs in zip((dW1, dW2, db1, db2), found.dW + found.db, strict=True):
    print(f"{mine.shape!s:7} differs from dlcourse's by at most {abs(mine - theirs).max():.0e}")

# %% [markdown]
# **What to notice.** Each gradient has the shape of what it belongs to. If a shape does not fit, a
# transpose is missing: shapes find more errors than anything else.
#
# ## The gradient check
#
# How does one know that a backward pass is right? Ask the loss itself, without any calculus: turn
# one weight up and down by a small $h$, and take the slope,
# $\big(L(w + h) - L(w - h)\big)/2h$. How small should $h$ be?

# %%
# Picture: on logarithmic axes, the error of the forward and of the central difference over the
# step h. Both fall as h shrinks, the central one twice as steeply, and then rise again.


def loss_of_W1(W):
    a2 = 1 / (1 + np.exp(-(W2 @ np.tanh(W @ X + b1) + b2)))
    return -np.mean(Y * np.log(a2) + (1 - Y) * np.log(1 - a2))


def loss_of_w11(value):
    W = W1.copy()
    W[0, 0] = value
    return loss_of_W1(W)


steps = np.logspace(-12, 0, 49)
ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")[1]
for method, marker in (("forward", "s"), ("central", "o")):
    slopes = [maths.numeric_derivative(loss_of_w11, W1[0, 0], step=h, method=method) for h in steps]
    errors = np.abs(np.array(slopes) - dW1[0, 0])
    ax.loglog(steps, errors, marker=marker, markersize=4, label=f"{method} difference")
ax.set(xlabel="step h", ylabel="error of the slope")
_ = ax.legend()

# %% [markdown]
# **What to notice.** For large $h$ the loss is not straight: the error is $\sim h$ for the forward
# and $\sim h^2$ for the central difference. On the left float64 has no digits left to subtract, and
# the error grows as $1/h$. Central differences with $h$ of about $10^{-5}$ are the best of both.
#
# `gradient_check` compares all weights and biases and gives the largest relative difference. Below
# $10^{-6}$ the formulas are right. Would it notice a mistake? We forget one factor, $\tanh'$:

# %%
differences = maths.gradient(loss_of_W1, W1)
forgetful = (W2.T @ dz2) @ X.T
for name, formula in (("right", dW1), ("without tanh′", forgetful)):
    size = np.linalg.norm(formula) + np.linalg.norm(differences)
    print(f"{name:14} relative difference {np.linalg.norm(formula - differences) / size:.0e}")
print(f"{'dlcourse':14} relative difference {net.gradient_check(X, Y):.0e}")

# %% [markdown]
# **Why not use differences for the training?** They need two forward passes for *each* weight:
# 26,004 for the 13,002 parameters of the next notebook's network. Back-propagation needs one pass
# forward and one back.
#
# ## It learns
#
# Forward, backward, step, again. The task: *exactly one of the first two inputs is 1*; the third is
# noise. No straight line can do it (notebook 04).

# %%
# Picture: left the loss over 600 steps, falling to nearly 0; right the trained 3-4-1 network with
# the input 1, 0, 1: neurons bright where active, weights red where positive and blue where
# negative.
X = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).astype(float)
Y = (X[:1] != X[1:2]).astype(float)
net = maths.Network((3, 4, 1), ("tanh", "sigmoid"), layout="slides", seed=1)
losses = [net.step(X, Y, learning_rate=1.0) for _ in range(600)]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
left.plot(losses)
left.set(xlabel="step", ylabel="loss", ylim=(0, None))
lesson_plots.network_diagram(net, [1, 0, 1], right)
print("wanted ", Y[0].astype(int), "\noutput ", net.predict(X)[0].round(2))

# %% [markdown]
# Is that one lucky start? We train from 20 random starts, and measure how strongly each input is
# connected to the output: the length of its weights $W_{ij}$, each times the output weight $v_i$.

# %%
starts = [maths.Network((3, 4, 1), ("tanh", "sigmoid"), seed=k, layout="slides") for k in range(20)]
for one in starts * 600:
    one.step(X, Y, learning_rate=1.0)
print("all right:", sum(np.all((one.predict(X) > 0.5) == Y) for one in starts), "of 20 networks")
strengths = np.array([np.linalg.norm(one.W[0] * one.W[1].T, axis=0) for one in starts])
for k, strength in enumerate(strengths.T, 1):
    print(f"input {k}: strength {strength.min():.1f} to {strength.max():.1f}")

# %% [markdown]
# **What to notice.** All 20 networks get the eight examples right, and in all of them the third
# input is connected far more weakly than the other two: over the eight examples it is noise. Nobody
# told the network so.
#
# ## What the slides got wrong here
#
# S4 works through one step of logistic regression, the neuron of our first picture, and slips in
# most of its numbers. S1's 3-2-1 network has no biases; with them it has 11 parameters.

# %%
from dlcourse.lessons import show

print(show("S4.logistic", "S1.net", "S1.neuron"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("05.1")` helps, `solution("05.1")`
# tells.
#
# **05.1** Let $f = x \cdot y + x$ with $x = 2$ and $y = 3$. What is $\partial f/\partial x$?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("05.1", answer)

# %% [markdown]
# **05.2** Write a function `answer(dz, a, W)` that returns `(dW, db, da)` of one layer, with
# examples in columns: `dz` is (neurons, m), `a`, the activations of the layer before, is (inputs,
# m), `W` is (neurons, inputs). `dz` already holds the factor $1/m$, so sum over the examples; `db`
# is (neurons, 1).

# %%
answer = ...
check("05.2", answer)

# %% [markdown]
# **05.3** A neuron $z = w_1 a_1 + w_2 a_2 + b$ has $w = (0.5, -2)$, $b = 1$ and gets
# $a = (0.9, 0.1)$. A small change of which one moves $z$ the most? (a) $w_1$ (b) $w_2$ (c) $b$
# (d) $a_1$ (e) $a_2$

# %%
answer = ...
check("05.3", answer)
