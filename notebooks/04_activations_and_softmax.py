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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** Why does a network need a bend?
#
# **Slides.** S1, S2, S4. **Time.** Half a minute to run, 60 minutes to read and play.
# **Prerequisites.** Notebook 03.

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

# %% [markdown] slides="S1 activation functions; S2 activation functions; S4 activation functions"
# ## The goal
#
# A neuron computes $z = w \cdot x + b$ and then $a = g(z)$. The *activation* $g$ looks like a
# detail. In this lesson you see that without it a deep network is only a line, what softmax does
# with scores, and two ways to separate what no line can separate: a feature of your own, or a
# hidden layer.
#
# ## The gallery
#
# These are the activations of the slides, each with its derivative. Learning needs the derivative:
# where it is $0$, no weight moves.
#
# **Predict, then run.** Draw the derivative of each of them on paper: of a jump, of a line, of an
# S-shaped curve, of a corner.

# %% alt="Eight small charts of an activation and, as a dashed line, its derivative. Step and sign jump at 0 and have derivative 0; linear has slope 1; clipped linear, ReLU and leaky ReLU have corners and derivatives that jump; sigmoid and tanh are S-shaped with a bell-shaped derivative."
# Eight activations and their derivatives, in NumPy
import numpy as np
from matplotlib import pyplot as plt


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


gallery = {
    "step": (lambda z: np.heaviside(z, 0.5), lambda z: 0 * z),
    "sign": (np.sign, lambda z: 0 * z),
    "linear": (lambda z: z, lambda z: 1 + 0 * z),
    "clipped linear": (lambda z: np.clip(z + 0.5, 0, 1), lambda z: 1.0 * (abs(z) < 0.5)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "ReLU": (lambda z: np.maximum(0, z), lambda z: 1.0 * (z > 0)),
    "leaky ReLU": (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2)),
}
z = np.linspace(-4, 4, 400)
figure, axes = plt.subplots(
    2, 4, figsize=(9.5, 4.4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, (g, derivative)) in zip(axes.flat, gallery.items(), strict=True):
    ax.plot(z, g(z), color="#0072B2", label="g(z)")
    ax.plot(z, derivative(z), "--", color="#D55E00", label="g′(z)")
    ax.set(title=name, xlabel="z", ylim=(-1.3, 2))
axes[0, 0].legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# **What to notice.** Step and sign are flat but for a jump: nothing can be learned through them.
# The sigmoid and tanh have a slope only near $z = 0$; far from it they are *saturated*. ReLU keeps
# its slope on the whole right half. It has no derivative at the corner, and that does no harm:
# libraries take $0$ there.
#
# $$\text{sigmoid}(z) = \frac{1}{1 + e^{-z}} \qquad \tanh z = 2\,\text{sigmoid}(2z) - 1 \qquad
# \text{ReLU}(z) = \max(0, z)$$
#
# Keras has those of them that networks use. A difference quotient checks the derivatives.

# %%
# The same activations in Keras, and the derivatives against differences
import keras

for name in ("linear", "sigmoid", "tanh", "ReLU", "leaky ReLU"):
    g, derivative = gallery[name]
    theirs = getattr(keras.activations, name.lower().replace(" ", "_"))
    assert np.allclose(keras.ops.convert_to_numpy(theirs(z)), g(z), atol=1e-6)
    assert np.allclose((g(z + 1e-6) - g(z - 1e-6)) / 2e-6, derivative(z), atol=1e-6)
assert np.allclose(np.tanh(z), 2 * sigmoid(2 * z) - 1)

# %% [markdown]
# **Predict, then run.** In a deep network the slopes of the layers are multiplied. How large is the
# slope of the sigmoid at its steepest place? And the product of ten such slopes?

# %%
# The slope of the sigmoid, and of ten of them in a row
for place in (0.0, 2.0, 5.0, 10.0):
    print(f"z = {place:4}: slope {gallery['sigmoid'][1](place):.6f}")
print(f"ten layers at best: {gallery['sigmoid'][1](0.0) ** 10:.1e}")

# %% [markdown] proof="above" slides="S2 hidden layers without activation; S4 why a network needs activations"
# **What to notice.** The slope is at most 0.25. Ten sigmoids in a row leave a millionth of the
# gradient at best: this is why deep networks use ReLU in their hidden layers.
#
# ## Without a bend, depth is nothing
#
# Two layers without activation:
#
# $$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$
#
# That is one layer with the weights $W_2 W_1$.

# %%
# Two linear layers and the one layer that they are; with ReLU between them the result is another
rng = np.random.default_rng(0)
W1, b1, W2, b2 = (rng.normal(size=shape) for shape in ((5, 2), 5, (1, 5), 1))
x = rng.normal(size=2)
deep, collapsed = W2 @ (W1 @ x + b1) + b2, (W2 @ W1) @ x + (W2 @ b1 + b2)
with_bend = W2 @ np.maximum(0, W1 @ x + b1) + b2
print(f"two layers {deep[0]:.4f}, one layer {collapsed[0]:.4f}, with ReLU {with_bend[0]:.4f}")

# %% [markdown]
# Does training change that? Take points that lie in a disc and in a ring around it. This is a
# network with two *hidden layers* of eight neurons in Keras:

# %%
# A network with hidden layers in Keras, trained on a disc in a ring
rings = dl.load_dataset("points", shape="circles", n=500)


def network(inputs, hidden, activation, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((inputs,))])
    for units in hidden:
        model.add(keras.layers.Dense(units, activation=activation))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.03), loss="binary_crossentropy", metrics=["accuracy"])
    return model


bent = network(2, (8, 8), "tanh")
start = bent.get_weights()
_ = bent.fit(rings.x_train, rings.y_train, epochs=20, verbose=0)

# %%
# The same as a recipe, which scales the inputs too: equal weights at the start
keras.utils.set_random_seed(0)
built = dl.build_model("dnn", rings, hidden=[8, 8], activation="tanh")
print([layer.name for layer in built.layers], built.count_params(), "parameters")
given = [weight.numpy() for weight in built.trainable_weights]
assert all(np.array_equal(*pair) for pair in zip(start, given, strict=True))

# %% [markdown]
# **Predict, then run.** A second network has the same layers and the same number of parameters, but
# no activation in its hidden layers. Which boundary will it draw around the disc?


# %% alt="A disc of points inside a ring, twice, with shades for the predicted probability. With linear layers there is a straight boundary or none at all; with tanh a closed curve surrounds the disc."
# The boundaries of two networks that differ in their activation alone
def draw(model, data, ax, columns=lambda plane: plane, name=""):
    side = np.linspace(-6.5, 6.5, 100)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    surface = model.predict(columns(plane), batch_size=10000, verbose=0).reshape(100, 100)
    ax.contourf(side, side, surface, np.linspace(0, 1, 11), cmap="PuOr_r", alpha=0.55)
    ax.contour(side, side, surface, [0.5], colors="black")
    for label, (colour, marker) in enumerate((("#542788", "o"), ("#B35806", "^"))):
        points = data.x_train[data.y_train == label]
        ax.scatter(*points.T, s=14, color=colour, marker=marker, edgecolors="white", linewidths=0.4)
    right = (model.predict(columns(data.x_val), verbose=0)[:, 0] > 0.5) == data.y_val
    ax.set(title=f"{name}\nvalidation accuracy {right.mean():.2f}", xlabel="x₁", ylabel="x₂")
    ax.set_aspect("equal")
    print(f"{name}: validation accuracy {right.mean():.2f}")


straight = network(2, (8, 8), "linear")
straight.fit(rings.x_train, rings.y_train, epochs=20, verbose=0)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
draw(straight, rings, axes[0], name="linear")
draw(bent, rings, axes[1], name="tanh")
plt.show()

# %% [markdown] proof="above below" slides="S4 softmax"
# **What to notice.** The shades are the predicted probability, and the black line is where it is
# one half. The linear network has 105 parameters and can do no more than the three of a single
# neuron. Guessing gets one half right; a line can do a little better by cutting off one side of the
# ring, and no more.
#
# ## Softmax: from scores to probabilities
#
# For more than two classes the last layer gives a score $z_i$ for each, a *logit*, and *softmax*
# makes probabilities of them:
#
# $$a_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# **Predict, then run.** The slides' example has the logits $5, 2, -1, 3$. Which share does the
# largest one get? What changes if 100 is added to each of them, and what if each is multiplied by
# 200?

# %%
# Softmax as in the formula, step by step
logits = np.array([5.0, 2.0, -1.0, 3.0])
powers = np.exp(logits)
print("powers of e: ", powers.round(3), "sum", powers.sum().round(3))
print("softmax:     ", (powers / powers.sum()).round(3))
with np.errstate(over="ignore", invalid="ignore"):
    print("plus 100:    ", (np.exp(logits + 100) / np.exp(logits + 100).sum()).round(3))
    print("times 200:   ", (np.exp(logits * 200) / np.exp(logits * 200).sum()).round(3))


# %% [markdown] proof="above"
# **What to notice.** The largest logit gets 0.842, but the others keep something. Only differences
# matter: to add 100 changes nothing. For large logits the formula fails: $e^{1000}$ is more than a
# float64 can hold, and infinity divided by infinity is not a number. So the largest logit is
# subtracted first, which by the same token changes nothing.


# %%
# Softmax that cannot overflow, beside that of Keras
def softmax(z, temperature=1.0):
    powers = np.exp((z - z.max()) / temperature)
    return powers / powers.sum()


for scores in (logits, logits + 100, logits * 200):
    print(softmax(scores).round(3))
    theirs = keras.ops.convert_to_numpy(keras.ops.softmax(scores[None]))[0]
    assert np.allclose(softmax(scores), theirs, atol=1e-6)
pair = np.array([1.0, 3.0])
print(f"two classes: softmax {softmax(pair)[1]:.4f}, sigmoid {sigmoid(pair[1] - pair[0]):.4f}")

# %% [markdown]
# **What to notice.** With two classes softmax is the sigmoid of the difference,
# $a_1 = \sigma(z_1 - z_0)$. That is why a yes or no needs only one output.
#
# ### Temperature
#
# If the logits are divided by a *temperature* $T$ before softmax, the probabilities become bolder
# or more even. Language models use it when they choose their next word.


# %% alt="Four bars, the probabilities of four logits, at the slider's temperature. At temperature 1 the first bar reaches above 0.8, the fourth about 0.1, and the other two are hardly to be seen."
# The four probabilities at a temperature of your choice
import ipywidgets

for temperature in (0.5, 1.0, 5.0):
    print(f"T = {temperature}:", softmax(logits, temperature).round(2))


def heat(temperature=1.0):
    plt.figure(figsize=(5, 2.8), layout="constrained")
    plt.bar(["z = 5", "z = 2", "z = −1", "z = 3"], softmax(logits, temperature), color="#0072B2")
    plt.gca().set(title=f"T = {temperature:g}", ylabel="probability", ylim=(0, 1))
    plt.show()


_ = ipywidgets.interact(heat, temperature=(0.1, 10.0, 0.1))

# %% [markdown] slides="S2 points, a feature cross, a hidden layer"
# **What to notice.** A low temperature gives nearly everything to the largest logit, a high one
# makes all alike. The order never changes.
#
# ## Points that a line cannot separate
#
# S2 asks: how do you classify these points? One class has $x_1$ and $x_2$ of equal sign, the other
# of unequal sign. A line, $b + w_1 x_1 + w_2 x_2$, must fail. There are two ways out:
#
# - a *feature cross*: give the same neuron a third input, $x_3 = x_1 x_2$;
# - a *hidden layer*: let the network find features by itself.
#
# **Predict, then run.** How many parameters does each of the two need, if the hidden layer has
# eight neurons?


# %% alt="Points in four quadrants, two classes crosswise, three times. A single line fails; with the feature cross the boundary follows the axes; with a hidden layer it bends between the quadrants."
# A line, a feature cross and a hidden layer on the same points
def crossed(plane):
    return np.column_stack([plane, plane[:, 0] * plane[:, 1]])


quadrants = dl.load_dataset("points", shape="xor", n=500)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.6), layout="constrained")
ways = ((2, (), "a line"), (3, (), "with x₁·x₂"), (2, (8,), "hidden layer"))
for ax, (inputs, hidden, name) in zip(axes, ways, strict=True):
    columns = crossed if inputs == 3 else np.asarray
    model = network(inputs, hidden, "tanh")
    model.fit(columns(quadrants.x_train), quadrants.y_train, epochs=20, verbose=0)
    draw(model, quadrants, ax, columns, f"{name}, {model.count_params()} parameters")
plt.show()

# %% [markdown] proof="above below" slides="S2 the playground"
# **What to notice.** The line is no better than a guess. With the right feature one neuron of 4
# parameters is enough, but you must know the feature. The hidden layer finds features by itself;
# its price is 33 parameters.
#
# ## Your own playground
#
# At the end of this section a cell trains a network on the points that you choose. A first
# question: two spirals, and one hidden layer of eight neurons.
#
# **Predict, then run.** The network is trained for 20 epochs, and then for 40 more, from where it
# is. Will more training help?

# %% alt="Two spirals of points with the shades of a network, twice. After 20 epochs the boundary cuts across the arms; after 40 more it follows them."
# Two spirals: 20 epochs, and 40 more of the same network
spirals = dl.load_dataset("points", shape="spirals", n=500)
model = network(2, (8,), "tanh")
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for ax, epochs, name in ((axes[0], 20, "20 epochs"), (axes[1], 40, "40 more")):
    model.fit(spirals.x_train, spirals.y_train, epochs=epochs, verbose=0)
    draw(model, spirals, ax, name=name)
plt.show()

# %% [markdown]
# **What to notice.** More of the same training is enough here: the network was not too small, it
# was not done. Stop by the validation accuracy, not by a number of epochs that looked right
# elsewhere.
#
# Now choose for yourself. Every change trains a new network, which takes a few seconds. Some things
# to try:
#
# 1. `circles`: which is the smallest hidden layer that closes the curve?
# 2. `spirals`: does a second hidden layer save epochs?
# 3. A hidden layer with `linear`: does it ever help?

# %% alt="Two half-moons of points, and the shades of a network with one hidden layer of four neurons, whose boundary winds between them."
# A playground: the points, the hidden layers and the activation are yours
LAYERS = {"none": (), "2": (2,), "4": (4,), "8": (8,), "4 + 4": (4, 4), "8 + 8": (8, 8)}


def play(shape, hidden, activation, epochs):
    data = dl.load_dataset("points", shape=shape, n=500)
    model = network(2, LAYERS[hidden], activation)
    model.fit(data.x_train, data.y_train, epochs=epochs, verbose=0)
    draw(model, data, plt.subplots(figsize=(4.6, 4))[1], name=f"{model.count_params()} parameters")
    plt.show()


shapes, epochs = ["moons", "blobs", "xor", "circles", "spirals"], [20, 40, 80]
_ = ipywidgets.interact(
    play, shape=shapes, hidden=["4", *LAYERS], activation=["tanh", "relu", "linear"], epochs=epochs
)

# %% [markdown]
# ## In five lines
#
# - Without a bend between them, many layers are one: a line.
# - A saturated activation has no slope, and without a slope nothing is learned; ReLU keeps it.
# - Softmax makes probabilities of scores, looks only at their differences, and needs the largest
#   one subtracted.
# - For two classes it is a sigmoid; a temperature makes it bolder or more even.
# - What no line can separate, a feature of your own or a hidden layer can.

# %% [markdown]
# ## Further reading
#
# - [Keras: layer activations](https://keras.io/api/layers/activations/): all that Keras has, with
#   their formulas.
# - [TensorFlow Playground](https://playground.tensorflow.org): the same play in a browser, with
#   each neuron's picture.
# - [Neural Networks and Deep Learning, chapter
#   4](http://neuralnetworksanddeeplearning.com/chap4.html): a proof in pictures that one hidden
#   layer can draw any curve.
# - [Glorot, Bordes and Bengio, 2011](https://proceedings.mlr.press/v15/glorot11a.html): the paper
#   that made ReLU usual.
# - [CS231n, linear classification](https://cs231n.github.io/linear-classify/): softmax beside
#   another loss, with its numerical trap.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("04.1")` helps, `solution("04.1")`
# tells.
#
# ### Quick checks
#
# **04.1** Softmax makes the probabilities (0.2, 0.8) of two logits. How much larger is the second
# logit than the first (three digits)?

# %%
# 04.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("04.1", answer)

# %% [markdown]
# **04.2** Write a function `answer(z)` that returns the derivative of ReLU for each number of an
# array `z`, in an array of the same shape.

# %%
# 04.2: your answer
answer = ...
check("04.2", answer)

# %% [markdown]
# **04.3** One class lies in a disc, the other in a ring around it. Which two features let logistic
# regression without a hidden layer separate them? Choose two of `x1`, `x2`, `x1*x2`, `x1^2`,
# `x2^2`, `sin(x1)`, `sin(x2)`, as a list of two names.

# %%
# 04.3: your answer
answer = ...
check("04.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **04.4** Complete softmax for many examples at once: `z` is (m, C), one row of logits per example,
# and so is the result. No logit may be too large for it. Fill in the three places.


# %%
# 04.4: your answer
def answer(z):
    shifted = z - ...
    powers = ...
    return powers / ...


check("04.4", answer)

# %% [markdown]
# ### Build a network
#
# **04.5** Write a function `answer(x_train, y_train)` that builds and trains a Keras model for the
# two spirals and returns it: two columns in, the probability of class 1 out. The checker calls it
# with 680 points and measures it on 120 others: an accuracy of at least 0.95 is asked for, with at
# most 40 parameters, after at most 15 seconds of training.


# %%
# 04.5: your answer
def answer(x_train, y_train):
    model = ...
    model.fit(x_train, y_train)
    return model


check("04.5", answer)
