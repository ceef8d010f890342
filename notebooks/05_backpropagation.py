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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** A network has thousands of weights and one loss. How does it learn, in one sweep,
# which way each weight must go?
#
# **Slides.** S0 (back-propagation, the three avenues), S1 (the 3-2-1 network), S4 (the 3-4-1
# network).
#
# **Time.** Half a minute to run, 60 minutes to read.
#
# **Prerequisites.** Notebooks 02 (gradient descent) and 03 (one step of logistic regression).

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

# %% [markdown] slides="S0 back-propagation"
# ## The goal
#
# Gradient descent needs $\partial L/\partial w$ for *every* weight. *Back-propagation* finds them
# all by walking once through the calculation, backwards. In this lesson you build it twice, on
# single numbers and with matrices, compare it with the gradients of Keras, and check it against
# something that knows no calculus.
#
# ## A number that remembers
#
# A number remembers from which numbers it was made, and beside each of them the derivative by it:
# for a sum that is $1$, for a product the other factor. On the way back the *chain rule* multiplies
# the derivatives along a path, and adds up over all paths:
#
# $$\frac{\partial L}{\partial x} = \sum_{\text{paths}} \;\; \prod_{\text{steps of the path}}
# \frac{\partial\,\text{next}}{\partial\,\text{this}}$$
#
# So that each number is visited only once, however many paths lead through it, `graph` lists them
# in order, every number after those that it is made of, and `backward` goes through this list from
# its end.


# %%
# Numbers that differentiate themselves: each operation beside its derivatives
import math


class Number:
    def __init__(self, data, name="", made="", parents=()):
        self.data, self.grad, self.name = data, 0.0, name
        self.made, self.parents = made, parents  # the operation; pairs (parent, derivative)

    def __add__(self, other):
        return Number(self.data + other.data, "", "+", [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.data * other.data, "", "×", [(self, other.data), (other, self.data)])

    def tanh(self):
        t = math.tanh(self.data)
        return Number(t, "", "tanh", [(self, 1 - t**2)])

    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.data))
        return Number(s, "", "sigmoid", [(self, s * (1 - s))])

    def minus_log(self):
        return Number(-math.log(self.data), "", "−log", [(self, -1 / self.data)])

    def graph(self, seen=None):
        seen = {} if seen is None else seen
        for parent, _ in self.parents:
            if parent not in seen:
                parent.graph(seen)
        seen[self] = True
        return list(seen)

    def backward(self):
        for number in self.graph():
            number.grad = 0.0
        self.grad = 1.0
        for number in reversed(self.graph()):
            for parent, derivative in number.parents:
                parent.grad += derivative * number.grad


# %% [markdown]
# **Predict, then run.** Let $f = xy + x^2$ with $x = 2$ and $y = -3$. What are the two derivatives,
# by hand? The class has no rule for squares: on how many paths will it reach $x$?

# %%
# The derivatives of f = xy + xx
x, y = Number(2.0, "x"), Number(-3.0, "y")
f = x * y + x * x
f.backward()
print(f"f = {f.data}   ∂f/∂x = {x.grad}   ∂f/∂y = {y.grad}")

# %% [markdown] slides="S1 a single neuron"
# **What to notice.** $\partial f/\partial x = y + 2x = 1$ and $\partial f/\partial y = x = 2$: the
# class knew only sums and products. `x` is reached on three paths, and `+=` adds them up. To forget
# that `+` is a common mistake.
#
# ## One neuron
#
# This is the slides' neuron: $x = (5, 3)$, $w = (0.5, 0.5)$, $b = 1$, the sigmoid $\sigma$, and the
# loss $L = -\log a$ of an example with $y = 1$.

# %% alt="The graph of one neuron's calculation from left to right, a box for each number with its value and its gradient; arrows lead from x, w and b through products, sums and the sigmoid to the loss."
# The neuron as numbers that remember, and its graph
x1, x2, b = Number(5.0, "x1"), Number(3.0, "x2"), Number(1.0, "b")
w1, w2 = Number(0.5, "w1"), Number(0.5, "w2")
z = w1 * x1 + w2 * x2 + b
a = z.sigmoid()
loss = a.minus_log()
z.name, a.name, loss.name = "z", "a", "L"
loss.backward()
print(f"∂L/∂z = {z.grad:.5f}, a − y = {a.data - 1:.5f}, ∂L/∂w1 = {w1.grad:.5f}")
dl.lessons.plots.autograd_graph(loss).figure.set_size_inches(9.5, 5)

# %% [markdown] proof="above" slides="S1 the network 3-2-1"
# **What to notice.** Read it from the right. $L$ has the gradient $\partial L/\partial L = 1$: it
# is what you differentiate. At `z` stands $\partial L/\partial z = a - y$, −0.00669. A sum hands
# this on unchanged, to `b` among others; a product hands it on times the other factor, so `w1` gets
# five times as much. (On the slide most numbers of this step are a little off.)
#
# A gradient is a promise: *if this number grows by a small amount, the loss grows by about the
# gradient times that amount*. So the gradients say which way each number must go.
#
# ## The 3-2-1 network of the slides
#
# $h = \tanh(Wx)$, and the output $\hat y = \sigma(v \cdot h)$: eight weights, as the slide prints
# it, without biases. The numbers are ours.
#
# **Predict, then run.** The example is $x = (1, 2, 3)$ with the label $1$, and $v = (0.7, -0.6)$.
# Which signs will the gradients of the two rows of $W$ have? In which proportion do the three
# gradients of a row stand?

# %%
# Forward and backward through the 3-2-1 network, number by number
W = [[0.5, -0.2, 0.1], [-0.3, 0.4, 0.2]]
W = [[Number(w, f"W{i}{j}") for j, w in enumerate(row, 1)] for i, row in enumerate(W, 1)]
v = [Number(0.7, "v1"), Number(-0.6, "v2")]
weights = {weight.name: weight for weight in [*W[0], *W[1], *v]}
x = [Number(1.0), Number(2.0), Number(3.0)]


def loss_of_network():
    h = [(row[0] * x[0] + row[1] * x[1] + row[2] * x[2]).tanh() for row in W]
    return (v[0] * h[0] + v[1] * h[1]).sigmoid().minus_log()


loss = loss_of_network()
loss.backward()
for name, weight in weights.items():
    print(f"{name} = {weight.data:4.1f}   ∂L/∂{name} = {weight.grad:8.5f}")
print(f"L = {loss.data:.5f}, made of {len(loss.graph())} numbers")

# %% [markdown]
# **What to notice.** One sweep gives eight derivatives. The three of a row are in the proportion of
# the inputs, $1 : 2 : 3$. Those of row one are negative: these weights must *grow*, because $v_1$
# is positive. In row two the signs are turned, because $v_2$ is negative.
#
# ## The same in Keras
#
# Keras and TensorFlow do just this with arrays in the place of numbers: a `GradientTape` remembers
# each operation, and `gradient` walks back.

# %%
# The same network in Keras, with the same weights, and the gradients of its tape
import keras
import numpy as np
import tensorflow as tf

model = keras.Sequential([keras.Input((3,))])
model.add(keras.layers.Dense(2, activation="tanh", use_bias=False))
model.add(keras.layers.Dense(1, activation="sigmoid", use_bias=False))
columns = np.array([[w.data for w in row] for row in W]).T  # Keras: (inputs, neurons)
model.set_weights([columns, np.array([[w.data] for w in v])])
with tf.GradientTape() as tape:
    tape_loss = -tf.math.log(model(np.array([[1.0, 2.0, 3.0]])))[0, 0]
dW, dv = tape.gradient(tape_loss, model.trainable_weights)
print(f"L = {tape_loss:.5f}, ∂L/∂W11 = {dW[0, 0]:.5f}, ∂L/∂v1 = {dv[0, 0]:.5f}")
assert np.allclose(dW.numpy().T, [[w.grad for w in row] for row in W], atol=1e-6)
assert np.allclose(dv.numpy()[:, 0], [w.grad for w in v], atol=1e-6)

# %% [markdown]
# ## What a gradient promises
#
# Change one weight alone and watch the loss: it follows a curve. Its tangent at the weight's
# present value has the slope that back-propagation found. The black line is one step of gradient
# descent, $w \leftarrow w - \alpha\,\partial L/\partial w$. Choose a weight and a rate $\alpha$.


# %% alt="The loss over one weight, a falling curve, with a black point at the weight's present value, a broken tangent through it and a short black line that leads downhill from it."
# The loss over one weight, its tangent and one step, with a menu and a slider
import ipywidgets
from matplotlib import pyplot as plt


def loss_at(name, value):
    kept, weights[name].data = weights[name].data, value
    result, weights[name].data = loss_of_network().data, kept
    return result


def draw_tangent(weight="W13", rate=1.0):
    here, slope = weights[weight].data, weights[weight].grad
    values, (_, ax) = np.linspace(-2.5, 2.5, 81), plt.subplots(figsize=(6, 3.4))
    ax.plot(values, [loss_at(weight, value) for value in values], color="#0072B2", label="loss")
    ax.plot(values, loss.data + slope * (values - here), "--", color="#D55E00", label="tangent")
    new = here - rate * slope
    ax.plot([here, new], [loss.data, loss_at(weight, new)], "o-k", markevery=[0], label="one step")
    ax.set(xlabel=weight, ylabel="loss", xlim=(-2.5, 2.5), ylim=(0, 2), title=f"slope {slope:.3f}")
    ax.legend()
    plt.show()


_ = ipywidgets.interact(draw_tangent, weight=list(weights), rate=(0.0, 10.0, 0.5))

# %% [markdown] slides="S0 the three avenues of back-propagation; S4 the network 3-4-1"
# **What to notice.** The tangent lies on the curve at the black point and leaves it farther away:
# the promise holds for small changes only. With a large rate the black line no longer follows the
# curve.
#
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
# The connection with the largest activation has the largest effect, and the neuron behind the
# *strongest weight* matters most. No one can set an activation directly. But it was made by a layer
# of its own, which again has three avenues: this is how the demand travels **back**, layer by
# layer.
#
# ## With matrices
#
# For a whole layer, and $m$ examples in columns as on the slides, the same is four lines, from the
# last layer $l$ to the first:
#
# $$dz^{[l]} = da^{[l]} \odot g'(z^{[l]}) \qquad dW^{[l]} = dz^{[l]}\,a^{[l-1]\,T} \qquad
# db^{[l]} = \sum dz^{[l]} \qquad da^{[l-1]} = W^{[l]\,T}\,dz^{[l]}$$
#
# ($\odot$ multiplies number by number.) At the end, sigmoid and cross-entropy together give the
# simple $dz = (a - y)/m$. This is the 3-4-1 network of S4, where $W^{[1]}$ is $4 \times 3$.


# %%
# Forward and backward through a network with one hidden layer, for all examples at once
def start_of(seed):
    draw = np.random.default_rng(seed).normal
    return [draw(size=(4, 3)), np.zeros((4, 1)), draw(size=(1, 4)), np.zeros((1, 1))]


def forward(X, W1, b1, W2, b2):
    a1 = np.tanh(W1 @ X + b1)
    return a1, 1 / (1 + np.exp(-(W2 @ a1 + b2)))


def backward(X, Y, W1, b1, W2, b2):
    a1, a2 = forward(X, W1, b1, W2, b2)
    dz2 = (a2 - Y) / X.shape[1]
    dz1 = (W2.T @ dz2) * (1 - a1**2)  # tanh′ = 1 − tanh²
    dW1, db1 = dz1 @ X.T, dz1.sum(axis=1, keepdims=True)
    return dW1, db1, dz2 @ a1.T, dz2.sum(axis=1, keepdims=True)


X = np.random.default_rng(0).normal(size=(3, 5))  # five examples of three features
Y = (X[:1] > 0).astype(float)
parameters = start_of(seed=3)
gradients = backward(X, Y, *parameters)
print("shapes of dW1, db1, dW2, db2:", *(gradient.shape for gradient in gradients))

# %% [markdown]
# **What to notice.** Each gradient has the shape of what it belongs to. If a shape does not fit, a
# transpose is missing: look at the shapes first.
#
# ## Is it right?
#
# Keras gives one answer. Its layers have examples in rows, so everything is transposed.

# %%
# The same network in Keras: the tape finds the same gradients
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh")])
model.add(keras.layers.Dense(1, activation="sigmoid"))
model.set_weights([part.T if k % 2 == 0 else part[:, 0] for k, part in enumerate(parameters)])
with tf.GradientTape() as tape:
    mean_loss = tf.reduce_mean(keras.losses.binary_crossentropy(Y.T, model(X.T)))
for mine, theirs in zip(gradients, tape.gradient(mean_loss, model.trainable_weights), strict=True):
    assert np.allclose(mine.T.squeeze(), theirs.numpy().squeeze(), atol=1e-6)

# %% [markdown]
# The loss itself gives another, without any calculus: turn one weight up and down by a small $h$
# and take the slope, $\big(L(w + h) - L(w - h)\big)/2h$.
#
# **Predict, then run.** How small should $h$ be: the smaller the better?


# %% alt="On logarithmic axes, the error of the forward and of the central difference over the step h. From the right both fall as h shrinks, the central one twice as steeply, and then both rise again."
# The error of difference quotients of one weight, over the step h
def loss_with(k, place, change):
    turned = [part.copy() for part in parameters]
    turned[k][place] += change
    a2 = forward(X, *turned)[1]
    return -np.mean(Y * np.log(a2) + (1 - Y) * np.log(1 - a2))


def central(k, place, h=1e-5):
    return (loss_with(k, place, h) - loss_with(k, place, -h)) / (2 * h)


steps, first = np.logspace(-12, 0, 49), (0, 0)
ahead = [(loss_with(0, first, h) - loss_with(0, first, 0)) / h for h in steps]
plt.loglog(steps, np.abs(ahead - gradients[0][first]), "s-", color="#D55E00", label="forward")
middle = [central(0, first, h) for h in steps]
plt.loglog(steps, np.abs(middle - gradients[0][first]), "o-", color="#0072B2", label="central")
_ = plt.gca().set(xlabel="step h", ylabel="error of the slope")
_ = plt.legend()

# %% [markdown]
# **What to notice.** For large $h$ the loss is not straight: the error grows as $h$ for the forward
# and as $h^2$ for the central difference. On the left float64 has no digits left to subtract, and
# the error grows as $1/h$. Central differences with $h$ of about $10^{-5}$ are the best of both.
#
# The *gradient check* compares all gradients with such differences. Would it notice a mistake? In
# the second line one factor, $\tanh'$, is forgotten.

# %%
# The gradient check of the first layer, right and with a mistake
differences = np.array([[central(0, (i, j)) for j in range(3)] for i in range(4)])
forgetful = parameters[2].T @ (forward(X, *parameters)[1] - Y) / X.shape[1] @ X.T
for name, formula in (("right", gradients[0]), ("without tanh′", forgetful)):
    size = np.linalg.norm(formula) + np.linalg.norm(differences)
    print(f"{name:14} relative difference {np.linalg.norm(formula - differences) / size:.0e}")
print(f"forward passes for the 13,002 parameters of S0's network: {2 * 13002:,}")

# %% [markdown] proof="above"
# **What to notice.** Below $10^{-6}$ a formula is right; a mistake stands out by far. Why not use
# differences for the training? They need two forward passes for *each* parameter, 26,004 for the
# network of the next notebook. Back-propagation needs one pass forward and one back.
#
# ## It learns
#
# Forward, backward, step, again. The task: *exactly one of the first two inputs is $1$*; the third
# is noise. No straight line can do it (notebook 04).
#
# **Predict, then run.** The network is started twenty times, each time with other random weights.
# How often will it learn all eight examples? How will you see that the third input does not matter?

# %% alt="The loss of twenty trainings over 1,000 steps on a logarithmic axis. Nearly all curves start near 1, fall steeply within the first 200 steps and then slowly to a few thousandths; one stays at about a third."
# Twenty trainings from scratch
X = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).astype(float)
Y = (X[:1] != X[1:2]).astype(float)
right, strengths = 0, []
for seed in range(20):
    parameters, losses = start_of(seed), []
    for _ in range(1000):
        a2 = forward(X, *parameters)[1]
        losses.append(-np.mean(Y * np.log(a2) + (1 - Y) * np.log(1 - a2)))
        changes = backward(X, Y, *parameters)
        parameters = [p - 1.0 * change for p, change in zip(parameters, changes, strict=True)]
    right += np.all((a2 > 0.5) == Y)
    strengths.append(np.linalg.norm(parameters[0] * parameters[2].T, axis=0))
    plt.semilogy(losses, color="#0072B2", linewidth=0.8)
_ = plt.gca().set(xlabel="step", ylabel="loss")
plt.show()
print(f"all eight examples right: {right} of {len(strengths)} networks")
for k, strength in enumerate(np.transpose(strengths), 1):
    print(f"input {k}: strength {np.median(strength):.1f} in the median network")

# %% [markdown]
# **What to notice.** Nearly every start succeeds; a network can also get stuck, and then another
# start is the cure. The strength of an input is the length of the vector of its four weights, each
# times the output weight of its neuron. The third input ends far weaker than the other two: over
# the eight examples it is noise. Nobody told the network so.

# %% [markdown]
# ## In five lines
#
# - Each operation knows its own derivatives; the chain rule multiplies along paths and adds over
#   them.
# - One sweep from the loss back gives the gradient of every weight.
# - Keras' tape does the same with arrays.
# - A gradient has the shape of its weight, and promises something for small steps only.
# - Central differences tell whether a backward pass is right; for training they are too slow.

# %% [markdown]
# ## Further reading
#
# - [micrograd](https://github.com/karpathy/micrograd): the class of this lesson, grown to a small
#   library.
# - [Neural Networks and Deep Learning, chapter
#   2](http://neuralnetworksanddeeplearning.com/chap2.html): the four equations, with proofs.
# - [3Blue1Brown, neural networks](https://www.3blue1brown.com/topics/neural-networks): the three
#   avenues as a film.
# - [Rumelhart, Hinton and Williams, 1986](https://doi.org/10.1038/323533a0): the paper that made it
#   known.
# - [Baydin and others, 2018](https://arxiv.org/abs/1502.05767): automatic differentiation, all of
#   it.
# - [CS231n, back-propagation](https://cs231n.github.io/optimization-2/): the same with circuits and
#   exercises.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("05.1")` helps, `solution("05.1")`
# tells.
#
# ### Quick checks
#
# **05.1** Let $f = x \cdot y + x$ with $x = 2$ and $y = 3$. What is $\partial f/\partial x$?

# %%
# 05.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("05.1", answer)

# %% [markdown]
# **05.2** Write a function `answer(dz, a, W)` that returns `(dW, db, da)` of one layer, with
# examples in columns: `dz` is (neurons, m), `a`, the activations of the layer before, is (inputs,
# m), `W` is (neurons, inputs). `dz` already holds the factor $1/m$, so sum over the examples; `db`
# is (neurons, 1).

# %%
# 05.2: your answer
answer = ...
check("05.2", answer)

# %% [markdown]
# **05.3** A neuron $z = w_1 a_1 + w_2 a_2 + b$ has $w = (0.5, -2)$, $b = 1$ and gets $a = (0.9,
# 0.1)$. A small change of which one moves $z$ the most? (a) $w_1$ (b) $w_2$ (c) $b$ (d) $a_1$ (e)
# $a_2$

# %%
# 05.3: your answer
answer = ...
check("05.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **05.4** Complete the backward pass of a network with a hidden layer of tanh and a sigmoid at its
# end, trained on the mean cross-entropy, with the $m$ examples in *rows* as in Keras: `X` is (m,
# n), `y` is (m, 1), `a1` and `a2` are the activations of the two layers, (m, k) and (m, 1), and
# `W2` is (k, 1). Return the four gradients.


# %%
# 05.4: your answer
def answer(X, y, a1, a2, W2):
    m = len(X)
    dz2 = (a2 - y) / ...
    dW2 = a1.T @ ...
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * ...
    dW1 = ...
    db1 = dz1.sum(axis=0)
    return dW1, db1, dW2, db2


check("05.4", answer)

# %% [markdown]
# ### Build a network
#
# **05.5** Write a function `answer(X, Y)` that trains a network from scratch, in NumPy alone, and
# returns its parameters `(W1, b1, W2, b2)`: a hidden layer of tanh with as many neurons as you
# like, a sigmoid at the end, examples in columns as in this notebook, `X` of shape (2, 200) and `Y`
# of shape (1, 200). A point's class is 1 if its two coordinates, from −1 to 1, have unequal signs.
# The checker measures your network on 400 other points: at least 93 % of them must be right, after
# at most 10 seconds.


# %%
# 05.5: your answer
def answer(X, Y):
    parameters = ...
    for _ in range(1000):
        changes = backward(X, Y, *parameters)
        parameters = ...
    return parameters


check("05.5", answer)
