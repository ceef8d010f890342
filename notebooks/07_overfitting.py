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
# # Over-fitting
#
# **Question.** A network is nearly perfect on its training examples. Why may it do worse on new
# ones, how does one see it, and what helps?
#
# **Slides.** S1 and S2 (over-fitting, weight decay, dropout, early stopping).
#
# **Time.** Three quarters of a minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebook 06 (the first deep network).

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
# *Under-fitting*: the model is too simple even for the examples it has seen. *Over-fitting*: it
# learned them by heart, the accidents included, and does worse on new ones. Between the two lies
# what we want. You will see both, learn to tell them from two curves, and try the four cures.
#
# ## Capacity
#
# First without any network. Twelve measurements of a smooth curve, each with an error. We fit
# polynomials of degree 1, 4 and 11. The *capacity* of a model is how many different shapes it can
# take; here it is the degree. With 12 coefficients, degree 11 can pass through all 12 points.

# %%
# Picture: twelve points near a sine curve in three panels: a straight line misses them, degree 4
# follows the true curve, degree 11 hits every point and swings wildly between them.
import numpy as np
from matplotlib import pyplot as plt
from numpy.polynomial.legendre import legvander

random = np.random.default_rng(1)
x = np.linspace(-1, 1, 12)
y = np.sin(3 * x) + random.normal(0, 0.25, 12)
dense = np.linspace(-1, 1, 300)


def draw_polynomial(degree=11, decay=0.0):
    V, ax = legvander(x, degree), plt.gca()
    w = np.linalg.lstsq(V.T @ V + decay * np.eye(degree + 1), V.T @ y, rcond=None)[0]
    ax.plot(dense, np.sin(3 * dense), ":", color="0.4", label="the truth")
    ax.plot(dense, legvander(dense, degree) @ w, color="#0072B2", label=f"degree {degree}")
    ax.plot(x, y, "o", color="#D55E00", label="examples")
    error = np.mean((V @ w - y) ** 2)
    ax.set(xlabel="x", ylabel="y", ylim=(-2.2, 2.2), title=f"training error {error:.3f}")
    ax.legend(fontsize=8, loc="upper left")


figure = plt.figure(figsize=(9.5, 3.2), layout="constrained")
for place, degree in enumerate((1, 4, 11), 1):
    figure.add_subplot(1, 3, place)
    draw_polynomial(degree)

# %% [markdown]
# **What to notice.** The training error falls from left to right, to nothing. The best *curve* is
# the one in the middle. So the training error alone says nothing about the worth of a model: one
# needs examples that it has not seen.
#
# Below, move the degree. Then go back to 11 and let `decay` grow: it punishes large coefficients,
# and the same degree becomes tame. We meet it again as weight decay.

# %%
# Picture: the same for a degree and a decay of your choice.
from dlcourse.lessons import interact

interact(draw_polynomial, degree=(0, 11, 1), decay=(0.0, 1.0, 0.01))

# %% [markdown]
# ## Data for a network
#
# Two half-moons whose points are scattered, so that they touch. There are 80 for the training and
# 80 for the *validation*: they show what over-fitting is, and serve to choose. The test examples
# stay aside until the very end.

# %%
# Picture: the 80 training points, violet circles and brown triangles, in two half-moons that touch.
import os

import keras

from dlcourse.lessons import plots as lesson_plots

epochs = 5 if os.environ.get("DLCOURSE_SMOKE") else 60


def moons(n=200):
    return dl.load_dataset("points", shape="moons", noise=0.9, n=n, validation_fraction=0.5)


def fit(data, epochs=epochs, callbacks=(), **settings):
    """Return the trained model, its history and its data."""
    keras.utils.set_random_seed(0)
    model = dl.build_model("dnn", data, **settings)
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(
        data.x_train,
        data.y_train,
        batch_size=8,
        epochs=epochs,
        validation_data=(data.x_val, data.y_val),
        validation_batch_size=1024,
        callbacks=callbacks,
        verbose=0,
    ).history
    return model, history, data


def findings(history, data):
    return dl.diagnose(history, task="binary", val_examples=len(data.y_val))


def draw_boundary(model, data, title):
    ax = plt.gca()
    X, y = (data.x_train, data.y_train) if "seen" in title else (data.x_val, data.y_val)
    every = np.concatenate([data.x_train, data.x_val])  # the same axes for both parts
    lesson_plots.decision_boundary(
        lambda rows: np.asarray(model(rows)), X, y, ax, resolution=120, within=every
    )
    ax.set_title(title, fontsize=10)


data = moons()
ax = dl.plots.new_axes(figsize=(5.5, 4))
for label, marker, colour in ((0, "o", "#542788"), (1, "^", "#B35806")):
    points = data.x_train[data.y_train == label]
    ax.scatter(*points.T, marker=marker, color=colour, label=f"class {label}")
ax.set(xlabel="x₁", ylabel="x₂")
_ = ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.02, 1))

# %% [markdown]
# ## Too little, and too much
#
# A model without hidden layer can draw a straight line. One with two hidden layers of 128 neurons
# has 17,025 parameters, for 80 examples.

# %%
# Picture: the decision boundaries of both models, on the examples seen and on those not seen. The
# line of the first has soft shades on both sides; the second bends with the moons, and its shades
# are full almost everywhere.
small, small_history, _ = fit(data, hidden=[])
large, large_history, _ = fit(data, hidden=[128, 128])
for model, history in ((small, small_history), (large, large_history)):
    loss, right = history["val_loss"][-1], history["val_accuracy"][-1]
    print(f"{model.count_params():6,} parameters: validation loss {loss:.2f}, accuracy {right:.2f}")
figure = plt.figure(figsize=(9, 7), layout="constrained")
for row, (name, model) in enumerate({"no hidden layer": small, "128, 128": large}.items()):
    for column, part in enumerate(("seen in training", "validation")):
        figure.add_subplot(2, 2, 2 * row + column + 1)
        draw_boundary(model, data, f"{name}: {part}")

# %% [markdown]
# **What to notice.** The line bends with the moons, and that is right. Look at the shades: the
# large network is certain almost everywhere, even where the classes mix, and where it is wrong it
# is wrong with certainty. That costs loss more than accuracy: it has more points right than the
# straight line, and yet the higher loss.
#
# ## How one sees it: two curves
#
# In two dimensions one can look at the boundary. Otherwise one looks at the curves. `diagnose`
# reads them and says in words what they show.


# %%
# Picture: loss and accuracy of the large network: the training loss falls on towards 0, the
# validation loss turns and rises; the finding is marked where it shows first.
def draw_curves(history):
    found = findings(history, data)
    axes = dl.lab.plots.diagnosed_curves(history, [(one.title, one.epoch) for one in found])
    axes[0].set(yscale="linear", ylim=(0, 0.8))  # the same for every model
    axes[1].set(ylim=(0.4, 1))
    print(*found, sep="\n")


draw_curves(large_history)

# %%
# Picture: loss and accuracy of the model without a hidden layer: the two losses lie side by side,
# far above 0, and hardly fall at the end; so do the accuracies, a few examples apart.
draw_curves(small_history)

# %% [markdown]
# **What to notice.** *Over-fitting* is a gap that opens: training goes on improving, validation
# turns. *Under-fitting* has no such gap: the two losses lie side by side, too high, and hardly fall
# at the end. (Accuracy on 80 examples jumps by 1.25 % an example.) The cures are opposite, so look
# before you change anything.
#
# ## Cure 1: more data
#
# The same large network, with 800 examples instead of 80. Where it can be had, nothing is better.
#
# ## Cure 2: weight decay
#
# Large weights make sharp bends. So one adds their squares to the loss, with a strength $\lambda$:
#
# $$L = \frac{1}{m} \sum_i L_i + \lambda \sum w^2 \qquad\Rightarrow\qquad
# w \leftarrow w - \alpha \Big(\frac{\partial L_{\text{data}}}{\partial w} + 2 \lambda w\Big)$$
#
# In each step a weight loses a small part of itself: it decays, unless the data holds against it.
# In `dl.build_model` $\lambda$ is called `l2`, with Keras' meaning as above. The formula is that of
# plain gradient descent. We train with Adam, where a penalty in the loss and a decay in the step
# are two things (the second is called AdamW); `l2` is the penalty, and it tames large weights all
# the same.
#
# ## Cure 3: dropout
#
# In each training step a random part of the neurons is switched off, so that none can rely on
# another. What is left is made larger by $1/(1 - \text{rate})$, so that the sum stays as it was on
# average. In use, nothing is dropped.

# %%
from dlcourse.lessons import maths

for seed in range(3):
    print("step", seed + 1, maths.dropout(np.ones(12), 0.5, seed=seed))

# %% [markdown]
# ## Cure 4: early stopping
#
# Train the large network, but stop when the validation loss has not improved for `patience` epochs,
# and go back to the best weights. It costs nothing, and saves time.
#
# Now all four, and one dose that is too strong:

# %%
stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
runs = {
    "no hidden layer": (small, small_history, data),
    "128, 128": (large, large_history, data),
    "800 examples": fit(moons(2000), hidden=[128, 128], epochs=max(5, epochs // 3)),
    "l2 = 0.003": fit(data, hidden=[128, 128], l2=0.003),
    "l2 = 0.02": fit(data, hidden=[128, 128], l2=0.02),
    "dropout 0.5": fit(data, hidden=[128, 128], dropout=0.5),
    "early stopping": fit(data, hidden=[128, 128], callbacks=[stop]),
}


# %%
# The losses of the data alone, without penalty and dropout: each model's own training examples, and
# the same 80 validation examples for all.
def loss_on(model, x, y):
    return float(np.mean(keras.losses.binary_crossentropy(y[:, None], model(x))))


val_losses = {name: loss_on(run[0], data.x_val, data.y_val) for name, run in runs.items()}


print(f"{'':16} epochs  training  validation  size of the weights  finding")
for name, (model, history, own) in runs.items():
    train_loss = loss_on(model, own.x_train, own.y_train)
    size = np.sqrt(sum(np.sum(W**2) for W in model.get_weights()[0::2]))
    words = ", ".join(one.title for one in findings(history, own))
    number = f"{len(history['loss']):6}  {train_loss:8.3f}  {val_losses[name]:10.3f}  {size:19.1f}"
    print(f"{name:16} {number}  {words}")

# %%
# Picture: the decision boundaries of the four cures over the validation examples: they bend with
# the two half-moons, and the shades are softer near the boundary, where the classes mix.
figure = plt.figure(figsize=(9, 7), layout="constrained")
for place, name in enumerate(("800 examples", "l2 = 0.003", "dropout 0.5", "early stopping"), 1):
    figure.add_subplot(2, 2, place)
    draw_boundary(runs[name][0], data, f"{name}: validation")

# %% [markdown]
# **What to notice.** Every cure gives a lower validation loss than the large network alone, and
# softer shades, for a higher training loss: that is the price. Weight decay shows in the size
# of the weights, and too much of it makes the large network as dull as a small one. The finding for
# early stopping reads the whole curve, the bad epochs at its end included; the weights that are
# kept are those of its best epoch.
#
# ## Three findings about the split
#
# The diagnosis knows three more findings that no curve above shows. You will meet them:
#
# - **Leakage.** The validation is clearly *better* than the training, though no dropout or
#   augmentation makes the training harder. Then the validation examples were seen in training
#   (copies, frames of one film, several pictures of one patient), or a feature carries the answer.
#   Split by patient or film first, and compute everything else after.
# - **Noisy validation.** An accuracy $p$ of $n$ examples has a standard error of
#   $\sqrt{p(1-p)/n}$: with 40 examples and $p = 0.9$ that is 0.05. Curves that jump by as much say
#   nothing, nor does an early stop that rests on them. A larger split helps.
# - **Early stop too eager.** The patience was shorter than the curve's own wobble: the loss was
#   still falling. More patience helps.
#
# ## The test, once
#
# We choose by the validation loss, and only now look at the test examples: once, for the model that
# was chosen.

# %%
chosen = min(val_losses, key=val_losses.get)
answers = np.asarray(runs[chosen][0](data.x_test))[:, 0] > 0.5
print(
    f"chosen: {chosen}; {np.mean(answers == data.y_test):.0%} of {len(answers)} test points right"
)

# %% [markdown]
# **What to notice.** 40 test points can say little more than "about": one point is 2.5 %.
#
# ## What the slides got wrong here
#
# S1's formula squares the losses and divides the whole by $m$. Two conventions are in use, and the
# strength of one is not the strength of the other:

# %%
from dlcourse.lessons import show

print(show("S1.weight_decay", "S2.dropout"))

# %% [markdown]
# S2 says that over-fitting "is caused by making a model more complex than necessary". That is half
# of it: the same complex network did well with 800 examples. Too complex *for its data* is meant.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("07.1")` helps, `solution("07.1")`
# tells.
#
# **07.1** The validation loss of epochs 1, 2, 3, … is 0.90, 0.70, 0.62, 0.55, 0.58, 0.56, 0.60,
# 0.54, 0.61. Early stopping has a patience of 3 epochs and keeps the best weights. Answer with two
# numbers: the last epoch that is trained, and the epoch whose weights are kept.

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("07.1", answer)

# %% [markdown]
# **07.2** Write a function `answer(w, dw, learning_rate, l2)` that returns the weights after one
# step of gradient descent with weight decay, in Keras' convention: the loss is the data's loss plus
# `l2` times the sum of the squared weights, and `dw` is the gradient of the data's loss alone.

# %%
answer = ...
check("07.2", answer)

# %% [markdown]
# **07.3** Four trainings ended with these accuracies on training and validation: A 0.99 and 0.78, B
# 0.71 and 0.70, C 0.95 and 0.94, D 0.50 and 0.50 with two classes of equal size. Answer with a
# dictionary from "A", "B", "C" and "D" to one each of "good fit", "not learning", "over-fitting"
# and "under-fitting".

# %%
answer = ...
check("07.3", answer)
