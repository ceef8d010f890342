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
# # Setup and tour
#
# **Question.** What happens between a picture of a digit and the answer "3"?
#
# **Slides.** S0, S2. **Time.** Half a minute to run, 30 minutes to read. **Prerequisites.** Python;
# no deep learning.

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
# At the end you have trained a network, know how good it is and what it gets wrong, and know the
# words that the rest of the course uses. Each word that is *set so* means the same in all thirteen
# notebooks.
#
# ## Where to run this
#
# | place | install | open |
# |---|---|---|
# | your computer | `pip install -e ".[notebooks]"` in the repository | `jupyter lab notebooks` |
# | Colab | clone or upload the repository to `/content/dlcourse` | this file |
# | a terminal | `pip install -e .` | `python -m dlcourse` lists the commands |
#
# Run the cells from top to bottom, with Shift+Enter. Here is what you run on. No cell needs a GPU;
# one that TensorFlow sees is used.

# %%
import os

import keras
import tensorflow as tf

gpus = len(tf.config.list_physical_devices("GPU"))
print(f"Python {sys.version.split()[0]}, Keras {keras.version()}, GPUs: {gpus}")

# %% [markdown]
# ## The data
#
# 1,797 handwritten digits come with scikit-learn. An *example* is one picture with its *label*, the
# digit that it shows. The picture is described by *features*: here the brightness of each pixel.
# The ten possible labels are the *classes*.

# %%
digits = dl.load_dataset("digits")
digits

# %%
# Picture: The first sixteen training examples, small grey digits, each with its label above.
names = [digits.class_names[label] for label in digits.y_train[:16]]
_ = dl.plots.image_grid(digits.x_train[:16], names)

# %% [markdown]
# For the computer this is a table of numbers, one for each pixel. This is the first picture:

# %%
digits.x_train[0, :, :, 0]

# %% [markdown]
# **What to notice.** Large numbers are bright pixels; you can nearly see the digit in the table.
#
# The examples are *split* in three. The network learns from the *training* examples. The
# *validation* examples help us to choose between settings. The *test* examples are looked at once,
# at the very end: they stand for the digits that the network will meet in the world.

# %%
{part: len(labels) for part, (_, labels) in digits.splits.items()}

# %% [markdown]
# ## The model
#
# A *model* is a function with numbers in it that can be changed, its *parameters*: weights and
# biases. Ours takes a picture and gives ten scores $z_0, \dots, z_9$, the *logits*. Softmax turns
# them into probabilities that sum to 1:
#
# $$a_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# The *recipe* below says what is trained, on what, and how. `epochs`, `batch_size` and
# `learning_rate` are *hyper-parameters*: we choose them, nothing learns them. Every other setting
# has a default; `print(recipe)` shows them all, in YAML, the language of the files in `configs/`.

# %%
epochs = 2 if os.environ.get("DLCOURSE_SMOKE") else 15
recipe = dl.recipe(
    dataset="digits",
    model={"name": "cnn", "filters": [16, 32], "hidden": [32], "dropout": 0.2},
    epochs=epochs,
    batch_size=32,
    learning_rate=0.003,
)

# %% [markdown]
# The model of the recipe is a plain Keras model. Each row of its summary is a *layer*; the last
# column counts the parameters. You meet convolutions in notebook 09.

# %%
keras.utils.set_random_seed(0)
model = recipe.build_model(digits)
model.summary()

# %% [markdown]
# Before any training the weights are random. The ten probabilities of one digit are nearly equal,
# and over the 216 validation digits the answers are worth no more than a guess, 1 in 10:

# %%
import numpy as np

probabilities = model.predict(digits.x_val, verbose=0)
print("one digit:", probabilities[0].round(3))
print(
    f"right: {np.mean(probabilities.argmax(axis=1) == digits.y_val):.3f} of the validation digits"
)

# %% [markdown]
# ## The training
#
# The *loss* measures how wrong the probabilities are; for the true class $y$ of an example it is
# $-\log a_y$. The examples are taken in *batches* of 32. After each batch every parameter moves a
# little in the direction that lowers the loss; how far is set by the *learning rate*. When all
# training examples have been seen once, an *epoch* is over.

# %%
run = dl.fit(recipe)

# %% [markdown]
# Nothing about it is special to this package: here is the same recipe as a plain Keras script. Each
# block names the part of the recipe that it comes from.

# %%
print(dl.as_keras(recipe))

# %% [markdown]
# *Accuracy* is the share of the examples whose class is right. Guessing would give about 0.1.

# %%
# Picture: Two charts by epoch, training beside validation: the loss falls, the accuracy rises.
# Both change quickly at first, then slowly.
_ = dl.plots.learning_curves(run.history, run.metrics["best_epoch"])

# %% [markdown]
# **What to notice.** Most is learned in the first few epochs. The training loss goes on falling;
# the validation loss tells when to stop. Where the two part, the network begins to learn the
# examples by heart: it *over-fits* (notebook 07).
# Here validation is even better at first: dropout hinders the network in training only, and the
# training loss is a mean over an epoch in which the network still learned.
#
# ## The way of one picture
#
# Now our question can be answered. A validation digit, a 3, goes through the trained network, layer
# by layer. The layers `conv` and `pool` make *maps* of it, where patterns were found; `flatten`
# writes the maps into one row; `hidden_1` and `logits` weigh that row; softmax makes probabilities
# of the ten logits. The answer is the class with the largest.

# %%
three = digits.x_val[digits.y_val == 3][:1]
layers = run.model.layers
steps = keras.Model(run.model.inputs, [layer.output for layer in layers]).predict(three, verbose=0)
for layer, numbers in zip(layers, steps, strict=True):
    print(f"{layer.name:18} gives {numbers[0].size:4} numbers, {numbers.shape[1:]}")

# %%
# Picture: A 3, then its ten logits and its ten probabilities as bars. The logit of class 3 is the
# largest; after softmax nearly the whole probability is at 3.
from matplotlib import pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), width_ratios=[1, 2, 2], layout="constrained")
dl.plots.show_image(axes[0], three[0])
for ax, numbers, name in zip(axes[1:], steps[-2:], ("logit", "probability"), strict=True):
    ax.bar(digits.class_names, numbers[0], color="#0072B2")
    ax.set(xlabel="class", ylabel=name)
axes[2].set_ylim(0, 1)
answer = digits.class_names[steps[-1][0].argmax()]
_ = axes[0].set_title(f'the answer: "{answer}"')

# %% [markdown]
# **What to notice.** A picture becomes maps, the maps become ten scores, the scores become
# probabilities, and the largest is the answer. Each step is arithmetic with the parameters; what
# makes the answer right is that the training has set them.
#
# ## What it gets wrong
#
# One number hides much. The *confusion matrix* counts, for each true class, what was predicted.

# %%
# Picture: A table of ten by ten digits, true class by predicted class. Nearly all test examples lie
# on the diagonal, where both agree.
predicted = run.model.predict(digits.x_test, verbose=0).argmax(axis=1)
ax = dl.plots.confusion_matrix(digits.y_test, predicted, digits.class_names)
ax.figure.set_size_inches(5.4, 4.6)

# %%
# Picture: Test examples that the network takes for another digit, with the true and the predicted
# class of each pair.
_ = dl.plots.most_confused(digits.y_test, predicted, digits.class_names, digits.x_test, pairs=3)

# %% [markdown]
# **What to notice.** Look at the pictures that it gets wrong. Would you have known?
#
# ## A look inside
#
# Every number in a network can be read. These are the outputs of the first layer for the 3, once
# untrained and once trained. Each small picture shows where one 3 × 3 pattern was found. What has
# the training changed here?


# %%
# Picture: Two rows of sixteen small grey maps of one digit, before and after the training. Most
# pairs look nearly the same: each map is bright at certain strokes or edges.
def outputs(network, name, x):
    layer = network.get_layer(name)
    return keras.Model(network.inputs, layer.output).predict(x, verbose=0)


networks = {"untrained": model, "trained": run.model}  # both started from the same random weights
maps = [outputs(one, "conv_1", three)[0].transpose(2, 0, 1) for one in networks.values()]
_ = dl.plots.image_grid(np.concatenate(maps)[..., None], columns=16, rows=list(networks))

# %% [markdown]
# Most pairs are alike, a few are not. Two numbers say more. How much is each 3 × 3 pattern after
# the training like the random one that it was before (the *correlation*, 1 for the same)? And how
# often are a validation digit's outputs of a layer nearest to the mean outputs of its own class?

# %%
before, after = (
    one.get_layer("conv_1").get_weights()[0].reshape(9, 16).T for one in (model, run.model)
)
alike = [np.corrcoef(old, new)[0, 1] for old, new in zip(before, after, strict=True)]
print(f"correlation of the 16 patterns: {min(alike):.2f} to {max(alike):.2f}")
for name in ("conv_1", "conv_2", "hidden_1"):
    for label, one in networks.items():
        x, seen = (outputs(one, name, part) for part in (digits.x_val, digits.x_train))
        x, seen = x.reshape(len(x), -1), seen.reshape(len(seen), -1)
        means = np.stack([seen[digits.y_train == k].mean(axis=0) for k in range(10)])
        nearest = np.linalg.norm(x[:, None] - means, axis=2).argmin(axis=1)
        print(f"{name:8} {label:9}: {np.mean(nearest == digits.y_val):.2f} nearest to their class")

# %% [markdown]
# **What to notice.** Random 3 × 3 patterns already answer to edges, and the training changed most
# of them little: the correlations lie between 0.64 and 0.97. In the first layer the share that is
# nearest to its class hardly grows (0.91 to 0.93); in `hidden_1` it rises from 0.64 to 0.97. The
# work was done behind: the training has learned what to *make* of the edges.
#
# ## What the slides got wrong here
#
# S0 says that the network 784-16-16-10, "if trained well", gives about 99.79%. Such a figure is
# that of an ensemble of convolutional networks. What this network reaches on MNIST was measured:

# %%
from dlcourse.lessons import show

print(show("S0.accuracy"))

# %% [markdown]
# ## Next
#
# Change a number in the recipe and run again: `dropout`, `learning_rate`, `filters`. Which setting
# is better, the *validation* accuracy decides, `run.metrics["val"]["accuracy"]`. A run also prints
# the test accuracy: do not choose by it (exercise 00.3 asks why). At a terminal, `python -m
# dlcourse.train --config configs/digits_cnn.yaml` trains a recipe from a file. Notebook 01 brings
# the little mathematics that is needed.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("00.1")` helps, `solution("00.1")`
# tells.
#
# **00.1** A digit of this data set is a grey picture of 8 × 8 pixels. How many features does one
# example have?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("00.1", answer)

# %% [markdown]
# **00.2** Write a function `answer(labels, predicted)` that takes two arrays of class numbers and
# returns the accuracy, as a fraction from 0 to 1.

# %%
answer = ...
check("00.2", answer)

# %% [markdown]
# **00.3** You train with 20 learning rates, look at the test accuracy of each, keep the best, and
# report that test accuracy. It promises too much. Why? (a) The test examples changed. (b) There are
# too few test examples. (c) The test examples helped to choose. (d) The training was too short.

# %%
answer = ...
check("00.3", answer)
