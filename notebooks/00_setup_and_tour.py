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
# **Slides.** S0. **Time.** Under a minute on two CPU cores.

# %%
# On Colab, install the course from its folder (cloned or uploaded there); elsewhere do nothing.
import sys

if "google.colab" in sys.modules:
    # %pip install -q /content/dlcourse
    pass

# %% [markdown]
# ## The data
#
# 1,797 handwritten digits come with scikit-learn. A *feature* is one pixel, a *label* the digit, an
# *example* a picture with its label. The test examples are set aside and never used to choose
# anything.

# %%
import os

from matplotlib import pyplot as plt

from dlcourse import plots
from dlcourse.datasets import load_dataset

digits = load_dataset("digits")
digits

# %%
figure, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for ax, image, label in zip(axes.flat, digits.x_train, digits.y_train, strict=False):
    plots.show_image(ax, image)
    ax.set_title(digits.class_names[label], fontsize=10)

# %% [markdown]
# ## The model
#
# A recipe says what is trained, on what, and how. Its model is a plain Keras model: convolutions
# look for patterns, the last layers weigh them, and softmax turns ten scores $z$ into probabilities
# $e^{z_i} / \sum_j e^{z_j}$.

# %%
from dlcourse.recipe import recipe_from_text
from dlcourse.training import prepare, train

epochs = 2 if os.environ.get("DLCOURSE_SMOKE") else 20
recipe = recipe_from_text(f"""
dataset:
  name: digits
model:
  name: cnn
  filters: [16, 32]
  hidden: [32]
  dropout: 0.2
training:
  epochs: {epochs}
  learning_rate: 0.003
  schedule:
    name: one_cycle
""")
prepare(recipe).model.summary()

# %% [markdown]
# ## The training
#
# In each *epoch* the network sees every training example once, in *batches* of 32, and moves each
# weight a little down the gradient of the loss.

# %%
run = train(recipe, bar=False)
run.metrics["test"]

# %%
_ = plots.learning_curves(run.history, run.metrics["best_epoch"])
# %% [markdown]
# **What to notice.** The training loss falls on; the validation loss is what tells when to stop.
# Where the two part, the network begins to learn the examples by heart.

# %% [markdown]
# ## What it sees
#
# The model ends in `logits` (scores) and `probabilities`.

# %%
probabilities = run.model.predict(digits.x_test, verbose=0)
ax = plots.confusion_matrix(digits.y_test, probabilities.argmax(axis=1), digits.class_names)
ax.figure.set_size_inches(5.4, 4.6)

# %% [markdown]
# The first convolution's feature maps: each shows where one 3×3 pattern was found in the picture.

# %%
import keras

first = keras.Model(run.model.inputs, run.model.get_layer("conv_1").output)
maps = first.predict(digits.x_test[:1], verbose=0)[0]
figure, axes = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for ax, channel in zip(axes.flat, maps.transpose(2, 0, 1), strict=True):
    plots.show_image(ax, channel[..., None])
_ = figure.suptitle(f"16 feature maps of a {digits.class_names[digits.y_test[0]]}", fontsize=11)

# %% [markdown]
# ## Next
#
# Change one number in the recipe and run again: `dropout`, `learning_rate`, `filters`. The same
# recipe in a file is `python -m dlcourse.train --config my.yaml` at a terminal; `configs/` has one
# for each lecture, and the README tells how to train on your own pictures.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("00.1")` helps, `solution("00.1")`
# tells.
#
# **00.1** A digit of this data set is a grey picture of 8 × 8 pixels. How many features does one
# example have?

# %%
from dlcourse.exercises import check, hint, solution

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
