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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** A network is nearly perfect on its training examples. Why may it do worse on new
# ones, how does one see it, and what helps?
#
# **Slides.** S1 and S2 (over-fitting, weight decay, dropout, early stopping).
#
# **Time.** Three quarters of a minute to run, an hour to read.
#
# **Prerequisites.** Notebook 06 (the first deep network).

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

# %% [markdown] proof="below"
# ## The goal
#
# *Under-fitting*: the model is too simple even for the examples it has seen. *Over-fitting*: it
# learned them by heart, the accidents included, and does worse on new ones. Between the two lies
# what you want. You will see both, learn to tell them from two curves, and write the four cures in
# Keras: more data, weight decay, dropout and early stopping.
#
# ## Capacity
#
# The first example needs no network: polynomials of degree 1, 4 and 11 are fitted to 12
# measurements of a smooth curve, each with an error. The *capacity* of a model is how many
# different shapes it can take; here it is the degree.
#
# **Predict, then run.** Which of the three has the smallest error on the points, and which lies
# closest to the true curve?

# %% alt="Three panels with the same twelve points near a dotted wave, and a fitted polynomial in each: a straight line, a curve close to the dotted one, and a curve through every point that swings far down before the last point at both ends."
# Polynomials of degree 1, 4 and 11 through the same points
import keras
import numpy as np
from keras import layers
from matplotlib import pyplot as plt
from numpy.polynomial.legendre import legvander

random, fine = np.random.default_rng(1), np.linspace(-1, 1, 300)
x = np.linspace(-1, 1, 12)
y, truth = np.sin(3 * x) + random.normal(0, 0.25, 12), np.sin(3 * fine)


def draw_polynomial(ax, degree, decay=0.0):
    # One column per coefficient, then the coefficients with the least squared error.
    V = legvander(x, degree)
    w = np.linalg.lstsq(V.T @ V + decay * np.eye(degree + 1), V.T @ y, rcond=None)[0]
    curve, on_points = legvander(fine, degree) @ w, np.mean((V @ w - y) ** 2)
    ax.plot(fine, truth, ":", color="0.4", label="the truth")
    ax.plot(fine, curve, color="#0072B2", label=f"degree {degree}")
    ax.plot(x, y, "o", color="#D55E00", label="measured")
    errors = f"squared error: points {on_points:.3f}, truth {np.mean((curve - truth) ** 2):.3f}"
    ax.set(xlabel="x", ylabel="y", ylim=(-2.2, 2.2))
    ax.set_title(errors, fontsize=9)
    ax.legend(fontsize=8, loc="upper left")


_, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, degree in zip(axes, (1, 4, 11), strict=True):
    draw_polynomial(ax, degree)

# %% [markdown] proof="above below"
# **What to notice.** The error on the points falls from left to right, to nothing: with its 12
# coefficients, degree 11 can pass through all 12 points. The best *curve* is the one in the middle.
# So the training error alone says nothing about the worth of a model: you need examples that it has
# not seen.
#
# Below, move the degree. Then go back to 11 and let `decay` grow: it punishes large coefficients,
# and the same degree becomes tame. You meet it again as weight decay.

# %% alt="One panel with the twelve points, the dotted true curve and a polynomial of the chosen degree; sliders for the degree and the decay."
# Choose the degree and the decay
from ipywidgets import interact


def choose(degree=11, decay=0.0):
    draw_polynomial(plt.subplots(figsize=(5, 3.4), layout="constrained")[1], degree, decay)
    plt.show()


_ = interact(choose, degree=(0, 11), decay=(0.0, 1.0, 0.05))

# %% [markdown] proof="moons"
# ## Data for a network
#
# The data are two half-moons whose points are scattered, so that they touch. Of 800 training points
# the networks get the first 80. There are as many validation points as training points in all, so
# that their curves are quiet; they show over-fitting and serve to choose. The test points stay
# aside until the very end.

# %% name="moons" alt="Eighty points in two half-moons that interlock and touch, violet circles and brown triangles."
# The half-moons: 80 points for the training
moons = dl.load_dataset("points", shape="moons", noise=0.9, n=2000, validation_fraction=0.5)
many, val = (moons.x_train, moons.y_train), (moons.x_val, moons.y_val)
few = x_few, y_few = moons.x_train[:80], moons.y_train[:80]
print(
    f"training {len(x_few)} of {len(many[0])}, validation {len(val[0])}, test {len(moons.x_test)}"
)
_, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for label, marker, colour in ((0, "o", "#542788"), (1, "^", "#B35806")):
    ax.scatter(*x_few[y_few == label].T, marker=marker, color=colour, label=f"class {label}")
ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")
_ = ax.legend()

# %% [markdown] proof="two moons" slides="S1 over-fitting and under-fitting; S2 over-fitting"
# ## Too little, and too much
#
# Two networks for the same 80 points: one without a hidden layer, which can draw a straight line,
# and one with two hidden layers of 128 neurons. The second has 17,025 parameters.

# %% name="two"
# A network that is too small, and one that is too large
scale = layers.Normalization(mean=x_few.mean(axis=0), variance=x_few.var(axis=0))
keras.utils.set_random_seed(0)
small = keras.Sequential([keras.Input((2,)), scale, layers.Dense(1, activation="sigmoid")])
large = keras.Sequential(
    [
        keras.Input((2,)),
        scale,
        layers.Dense(128, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)


def fit(model, train, val, epochs=40, callbacks=()):
    """Train, and return the loss and accuracy of every epoch."""
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    options = {"batch_size": 16, "epochs": epochs, "callbacks": callbacks, "verbose": 0}
    return model.fit(*train, validation_data=val, validation_batch_size=800, **options).history


small_history, large_history = fit(small, few, val), fit(large, few, val)
for model, history in ((small, small_history), (large, large_history)):
    loss, right = history["val_loss"][-1], history["val_accuracy"][-1]
    print(f"{model.count_params():6,} parameters, validation: loss {loss:.2f}, right {right:.0%}")

# %% alt="Four panels with the plane shaded by the predicted class and a black boundary: the small network on its training points and on validation points, a straight line with broad soft shades; below the large network, a bent boundary with small pockets and hardly any soft shades."
# The boundaries of both networks, over points seen in training and over validation points
new = moons.x_val[:80], moons.y_val[:80]


def draw_boundary(ax, model, x, y, title):
    same = {"resolution": 100, "within": np.concatenate([x_few, new[0]])}  # the same axes for all
    dl.lessons.plots.decision_boundary(model.predict_on_batch, x, y, ax, **same)
    ax.set_title(title, fontsize=10)
    ax.get_legend().remove()


_, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
for row, (name, model) in zip(axes, (("small", small), ("large", large)), strict=True):
    draw_boundary(row[0], model, *few, f"{name} network, seen in training")
    draw_boundary(row[1], model, *new, f"{name} network, {len(new[0])} validation points")

# %% [markdown] proof="two moons"
# **What to notice.** Look at the shades: the large network is certain almost everywhere, even where
# the classes mix, and where it is wrong, it is wrong with certainty. That costs more loss than
# accuracy: it has clearly more points right than the straight line, and yet its loss is only a
# little lower.
#
# ## How one sees it: two curves
#
# In two dimensions you can look at the boundary. Otherwise you look at the curves. `dl.diagnose`
# reads them and says in words what they show.
#
# **Predict, then run.** The large network's training loss falls towards 0. Sketch its validation
# loss over the same 40 epochs: where is its lowest point?


# %% alt="Loss and accuracy of the large network over 40 epochs: the training loss falls towards 0; the validation loss falls for some epochs, turns, and climbs far above its lowest point; the training accuracy ends near 1, the validation accuracy below it."
# The curves of the large network, and what they show in words
def draw_curves(history):
    loss, accuracy = dl.plots.learning_curves(history)
    loss.set(yscale="linear", ylim=(0, 0.7), xlim=(0, 41))  # the same for every network
    accuracy.set(ylim=(0.5, 1), xlim=(0, 41))
    lowest = int(np.argmin(history["val_loss"]))
    print(f"lowest validation loss {history['val_loss'][lowest]:.2f} in epoch {lowest + 1}")
    print(*dl.diagnose(history, task="binary", val_examples=len(val[0])), sep="\n")


draw_curves(large_history)

# %% alt="Loss and accuracy of the network without a hidden layer, on the same axes: the training and the validation loss lie side by side, far above 0, and hardly fall at the end."
# The curves of the network without a hidden layer
draw_curves(small_history)

# %% [markdown] proof="moons" slides="S1 weight decay"
# **What to notice.** Over-fitting is a gap that opens: training goes on improving, validation
# turns. Under-fitting has no such gap: both losses lie side by side, too high, and hardly fall at
# the end. The cures are opposite, so look before you change anything.
#
# ## Cure 1: more data
#
# The same network, with all 800 training points: the accidents of single points count for less.
#
# ## Cure 2: weight decay
#
# Large weights make sharp bends. So one adds their squares to the loss, with a strength $\lambda$:
#
# $$L = \frac{1}{m} \sum_i L_i + \lambda \sum w^2 \qquad\Rightarrow\qquad
# w \leftarrow w - \alpha \Big(\frac{\partial L_{\text{data}}}{\partial w} + 2 \lambda w\Big)$$
#
# ($L_{\text{data}}$ is the first part, the loss without the penalty.) In each step a weight loses a
# small part of itself: it decays, unless the data holds against it.
# In Keras a layer gets `kernel_regularizer=keras.regularizers.L2(strength)`, with the formula
# above. The slides (S1) divide by $m$ too, and square the losses, which is a slip; other books
# write $\lambda / 2$: compare strengths only within one convention. With Adam, a penalty in the
# loss and a decay in the step are two things; `keras.optimizers.AdamW` is the second.

# %% [markdown] proof="below" slides="S2 dropout"
# ## Cure 3: dropout
#
# In each training step a random part of the neurons is switched off, so that none can rely on
# another. What is left is made larger by $1/(1 - \text{rate})$, so that the sum stays as it was on
# average. In use, nothing is dropped. S2 calls the rate the part that is dropped, as Keras does: 0
# is no dropout.
#
# **Predict, then run.** Twelve neurons have the activation 1. What comes out of `Dropout(0.5)` in
# training, and what in use?

# %%
# What a Dropout layer does: three training steps, then in use
dropout = layers.Dropout(0.5, seed=0)
for training in (True, True, True, False):
    print(f"training={training!s:5}", *np.array(dropout(np.ones((1, 12)), training=training))[0])

# %% [markdown] proof="cures"
# Now the three in Keras. A strength of 0 is no penalty, a rate of 0 no dropout.


# %% name="cures"
# Cures 1 to 3 in Keras: all points; a penalty on the weights, in two strengths; dropout
def deep_network(x, strength=0.0, rate=0.0):
    l2 = keras.regularizers.L2(strength)
    return keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Normalization(mean=x.mean(axis=0), variance=x.var(axis=0)),
            layers.Dense(128, activation="relu", kernel_regularizer=l2),
            layers.Dropout(rate),
            layers.Dense(128, activation="relu", kernel_regularizer=l2),
            layers.Dropout(rate),
            layers.Dense(1, activation="sigmoid", kernel_regularizer=l2),
        ]
    )


keras.utils.set_random_seed(0)
networks = {
    "no hidden layer": small,
    "128, 128": large,
    "800 points": deep_network(x_few),
    "L2 0.003": deep_network(x_few, strength=0.003),
    "L2 0.03": deep_network(x_few, strength=0.03),
    "dropout 0.5": deep_network(x_few, rate=0.5),
}
histories = {"800 points": fit(networks["800 points"], many, val, epochs=10)}
for name in ("L2 0.003", "L2 0.03", "dropout 0.5"):
    histories[name] = fit(networks[name], few, val)

# %% [markdown] slides="S1 early stopping; S2 early stopping"
# ## Cure 4: early stopping
#
# Train the large network, but stop when the validation loss has not improved for `patience` epochs,
# and go back to the best weights. It costs nothing, and saves time. In Keras it is a *callback*: an
# object that `fit` calls after every epoch.

# %%
# Cure 4 in Keras: a callback that stops the training
keras.utils.set_random_seed(0)
networks["early stopping"] = deep_network(x_few)
stop = keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True)
stopped = fit(networks["early stopping"], few, val, callbacks=[stop])
print(f"stopped after {len(stopped['loss'])} epochs; kept: epoch {stop.best_epoch + 1}")

# %% [markdown]
# ## The same as a recipe
#
# Weight decay and dropout are settings of the same builder as in notebook 06. `early_stopping` and
# `epochs` are settings of the training, which `dl.fit` runs.

# %%
# A network with both cures by its name: equal weights, equal penalty
keras.utils.set_random_seed(0)
own = deep_network(moons.x_train, strength=0.003, rate=0.5)
keras.utils.set_random_seed(0)
recipe = dl.build_model("dnn", moons, hidden=[128, 128], l2=0.003, dropout=0.5)
assert all(map(np.array_equal, recipe.get_weights(), own.get_weights()))
assert np.isclose(float(sum(recipe.losses)), float(sum(own.losses)))
print(*(type(layer).__name__ for layer in recipe.layers))


# %% [markdown]
# ## All of them side by side
#
# The table below shows the losses of the data alone, without penalty and dropout: on each network's
# own training points, and on the same validation points.
#
# **Predict, then run.** Which networks have the lowest validation loss? What do the cures do to the
# training loss, and what does the stronger L2 do?


# %% name="table"
# Loss on training and validation, and the size of the weights, of every network
def loss_on(model, x, y):
    return float(np.mean(keras.losses.binary_crossentropy(y[:, None], model(x))))


val_losses = {name: loss_on(model, *val) for name, model in networks.items()}
print(f"{'':16} training  validation  size of the weights")
for name, model in networks.items():
    train_loss = loss_on(model, *(many if name == "800 points" else few))
    size = np.sqrt(sum(np.sum(W**2) for W in model.get_weights()[0::2]))
    print(f"{name:16} {train_loss:8.2f}  {val_losses[name]:10.2f}  {size:19.1f}")

# %% alt="The decision boundaries of four networks over the same 80 validation points: with 800 points, L2, dropout and early stopping. All bend with the two half-moons, and their shades are softer near the boundary than the large network's."
# The boundaries of the four cures
_, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
for ax, name in zip(axes.flat, list(networks)[2:4] + list(networks)[5:], strict=True):
    draw_boundary(ax, networks[name], *new, name)

# %% [markdown]
# **What to notice.** Every cure gives a lower validation loss than the large network alone, and
# softer shades, for a higher training loss: that is the price. Weight decay shows in the size of
# the weights, and too much of it makes the large network nearly as dull as a small one. S2 says
# that over-fitting "is caused by making a model more complex than necessary": too complex *for its
# data* is meant, for the same network does well with more points.

# %% [markdown] proof="tumours"
# ## The same with the tumours
#
# Real data lead to over-fitting in the same way. The networks get 65 tumours, every sixth of those
# that notebook 06 trained with; the others serve as validation examples.
#
# **Predict, then run.** The large network gets all 65 right after a few epochs. What does its
# validation loss do then, and does its validation *accuracy* show it?

# %% name="tumours" alt="Loss and accuracy over 20 epochs for the large network on 65 tumours: the training loss falls to 0, the validation loss turns early and climbs far above it; the training accuracy reaches 1, the validation accuracy stays nearly level below it."
# 65 tumours: the large network alone, and with L2, dropout and early stopping together
tumours = dl.load_dataset("breast_cancer")
sixth = np.arange(len(tumours.x_train)) % 6 == 0
some, others = ((tumours.x_train[rows], tumours.y_train[rows]) for rows in (sixth, ~sixth))
print(f"{len(some[1])} tumours to train with, {len(others[1])} others")
stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
keras.utils.set_random_seed(0)
alone, cured = deep_network(some[0]), deep_network(some[0], strength=0.003, rate=0.5)
history = fit(alone, some, others, epochs=20)
_ = fit(cured, some, others, callbacks=[stop])
for name, model in (("alone", alone), ("all cures", cured)):
    right = np.mean((np.array(model(others[0]))[:, 0] > 0.5) == others[1])
    print(f"{name:10} others: loss {loss_on(model, *others):.2f}, right {right:.1%}")
draw_curves(history)


# %% [markdown]
# **What to notice.** The validation loss turns after a few epochs and ends far above its lowest
# value, while the validation accuracy stays nearly level and shows nothing of it. With the cures
# about as many tumours are right, and the loss is a fraction of what it was: wrong answers are no
# longer given with near certainty.
#
# ## Three findings about the split
#
# The diagnosis knows three more findings that no curve above shows. You will meet them:
#
# - **Leakage.** Validation is clearly *better* than training, though nothing makes the training
#   harder: no dropout, and no training pictures that are moved or turned (notebook 09). Then the
#   validation examples were seen in training (copies, frames of one film, several pictures of one
#   patient), or a feature carries the answer. Split by patient or film first, and compute
#   everything else after.
# - **Noisy validation.** An accuracy $p$ of $n$ examples has a standard error of $\sqrt{p(1-p)/n}$:
#   for $n = 40$ and $p = 0.9$ that is $0.05$. Curves that jump by as much say nothing, nor does an
#   early stop that rests on them. A larger split helps.
# - **Early stop too eager.** The patience was shorter than the curve's own wobble: the loss was
#   still falling. More patience helps.
#
# ## The test, once
#
# Choose by the validation loss, and only now look at the test points: once, for the network that
# was chosen.

# %%
# The test points, for the network with the lowest validation loss
chosen = min(val_losses, key=val_losses.get)
answers = np.asarray(networks[chosen](moons.x_test))[:, 0] > 0.5
right = np.mean(answers == moons.y_test)
print(f"chosen: {chosen}; {right:.1%} of {len(answers)} test points right,", end=" ")
print(f"standard error {np.sqrt(right * (1 - right) / len(answers)):.1%}")

# %% [markdown]
# ## In five lines
#
# - Over-fitting is a gap that opens between training and validation; under-fitting is two losses
#   side by side, too high.
# - The loss shows it before the accuracy does: a network becomes too certain before it has more
#   examples wrong.
# - Four cures: more data, weight decay (`regularizers.L2`), `Dropout` and `EarlyStopping`; in Keras
#   the last three cost one line each.
# - Every cure has a dose: too much of it is under-fitting.
# - Choose by the validation loss, and look at the test examples once.
#
# ## Further reading
#
# - [Srivastava et al. 2014, *Dropout*](https://jmlr.org/papers/v15/srivastava14a.html): the paper,
#   with the reasons and many measurements.
# - [Loshchilov and Hutter 2017, *Decoupled Weight Decay
#   Regularization*](https://arxiv.org/abs/1711.05101): why AdamW and Adam with L2 differ.
# - [Zhang et al. 2016, *Understanding deep learning requires rethinking
#   generalization*](https://arxiv.org/abs/1611.03530): large networks learn even random labels by
#   heart.
# - [Goodfellow, Bengio and Courville, *Deep Learning*, chapter
#   7](https://www.deeplearningbook.org/contents/regularization.html): regularization with the
#   mathematics.
# - [*Dive into Deep Learning*,
#   generalization](https://d2l.ai/chapter_linear-regression/generalization.html): the same in
#   another order, with code.
# - [Keras: `EarlyStopping`](https://keras.io/api/callbacks/early_stopping/): all its settings.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("07.1")` helps, `solution("07.1")`
# tells.
#
# ### Quick checks
#
# **07.1** The validation loss of epochs 1, 2, 3, … is 0.90, 0.70, 0.62, 0.55, 0.58, 0.56, 0.60,
# 0.54, 0.61. Early stopping has a patience of 3 epochs and keeps the best weights. Answer with two
# numbers: the last epoch that is trained, and the epoch whose weights are kept.

# %%
# 07.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("07.1", answer)

# %% [markdown]
# **07.2** Write a function `answer(w, dw, learning_rate, l2)` that returns the weights after one
# step of gradient descent with weight decay, in Keras' convention: the loss is the data's loss plus
# `l2` times the sum of the squared weights, and `dw` is the gradient of the data's loss alone.

# %%
# 07.2: your answer
answer = ...
check("07.2", answer)

# %% [markdown]
# **07.3** Four trainings ended with these accuracies on training and validation: A 0.99 and 0.78, B
# 0.71 and 0.70, C 0.95 and 0.94, D 0.50 and 0.50 with two classes of equal size. Answer with a
# dictionary from "A", "B", "C" and "D" to one each of "good fit", "not learning", "over-fitting"
# and "under-fitting".

# %%
# 07.3: your answer
answer = ...
check("07.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **07.4** Complete dropout as Keras has it: `answer(a, rate, training, random)` returns what a
# `Dropout(rate)` layer makes of the activations `a` (m, neurons). `training` is True in training
# and False in use, and `random` is a NumPy generator: `random.random(shape)` gives numbers from 0
# to 1.


# %%
# 07.4: complete the three places
def answer(a, rate, training, random):
    if not training:
        return ...
    chances = random.random(a.shape)  # a number from 0 to 1 for each of `a`
    share = 1 - rate  # the part that stays, on average
    stays = ...  # True where a number of `a` stays, False where it is dropped
    return ...


check("07.4", answer)

# %% [markdown]
# ### Build a network
#
# **07.5** The network below over-fits: on new points of the half-moons its binary cross-entropy is
# about 0.3 or more. Mend it, in any way: a function `answer(x_train, y_train, x_val, y_val)` that
# returns a trained Keras model. It gets 80 points to train on and 80 for the validation. The bar: a
# binary cross-entropy of at most 0.23 on 720 new points. A straight line reaches 0.33, a mended
# network about 0.17, in a few seconds.


# %%
# 07.5: mend this network
def answer(x_train, y_train, x_val, y_val):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
            ...,  # a layer here, or none; change above and below what you want
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    validation = (x_val, y_val)
    model.fit(x_train, y_train, batch_size=16, epochs=60, validation_data=validation, verbose=0)
    return model


check("07.5", answer)
