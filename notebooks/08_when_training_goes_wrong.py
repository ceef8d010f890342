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
# # When training goes wrong
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** The loss does not move, or jumps, or becomes NaN. How does one find out why?
#
# **Slides.** S1 (initialisation), S2 (vanishing and exploding gradients), S4 (saturation, ReLU).
#
# **Time.** A minute to run, 75 minutes to read, two hours for the exercises.
#
# **Prerequisites.** Notebook 05 (back-propagation) and 06 (the first deep network).

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

# %% [markdown] slides="S1 data before the training"
# ## The goal
#
# A training fails without an error message, and so you need a procedure. You will break trainings
# in the usual ways, and each time use the instrument that shows the fault, the cheapest first:
#
# 1. **The input.** Is each value finite and in the range that the network expects? Are the labels
#    in theirs?
# 2. **The first loss.** Is it that of a guess?
# 3. **One batch.** Can the network learn a few examples by heart?
# 4. **The learning rate.** Do not guess it: measure it.
# 5. **The layers.** Do activations and gradients keep their size from layer to layer?
# 6. **Training and use.** Do the layers that behave differently in `fit` and in `predict` agree?
#
# At the end stands a clinic: six short scripts with one fault each, for you to mend.
#
# ## 1. The input
#
# Look at the numbers before you train: their range, values that are not finite, and how often each
# label occurs. (Where one class is far more frequent than the others, an *imbalance*, a network may
# learn nothing but to answer it.) The data are the tumours of the earlier notebooks and the digits.

# %% name="look"
# What to look at first: the range, values that are not finite, and the labels.
import keras
import numpy as np
from keras import layers


def look(x, y):
    rows = np.unique(np.argwhere(~np.isfinite(x))[:, 0]).tolist()
    print(f"{x.shape}: {np.nanmin(x):.4g} to {np.nanmax(x):.4g}; not finite in rows {rows}")
    print("labels and their numbers:", *np.unique(y, return_counts=True))


tumours, digits = dl.load_dataset("breast_cancer"), dl.load_dataset("digits")
look(tumours.x_train, tumours.y_train)
look(digits.x_train, digits.y_train)

# %% [markdown] proof="look raw"
# The tumours' numbers range from 0 to 4,254. A network's initial weights expect inputs of about 1.
#
# **Predict, then run.** The same network is trained on these columns as they are, and behind a
# `Normalization` layer. 63 % of the training examples are benign. How often is each network right?

# %% name="raw"
# The same network on raw columns and on standardised ones.
scale = layers.Normalization()
scale.adapt(tumours.x_train)
for name, front in {"raw": [], "standardised": [scale]}.items():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([*front, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.05), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(tumours.x_train, tumours.y_train, epochs=6, verbose=0).history
    print(f"{name:13} loss {history['loss'][-1]:.2f}, right {history['accuracy'][-1]:.2f}")

# %% [markdown] proof="raw"
# **What to notice.** On the raw columns the network has learned one thing, the share of the benign
# tumours: it is right for 63 %, as if it always answered "benign".
#
# ### NaN
#
# NaN, "not a number", arises from $0/0$, $\infty - \infty$ or $0 \cdot \infty$, and stands for a
# missing value in many tables. Whatever it is added to or multiplied with becomes NaN as well. So
# one is enough for the whole network, and the place where it shows is seldom the one where it
# arose. In the next cell one pixel of one picture is missing.
#
# **Predict, then run.** What does the loss read after two epochs, with tanh and with ReLU?

# %% name="nan"
# A dense network for the digits that ends in logits, its training, and one missing pixel.
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(hidden=(64, 64), activation="relu", initializer=keras.initializers.HeNormal):
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(n, activation, kernel_initializer=initializer()) for n in hidden]
    front = [keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), layers.Flatten()]
    return keras.Sequential([*front, *hidden, layers.Dense(10)])


def train(model, x=digits.x_train, y=digits.y_train, rate=0.003, epochs=10, loss=LOSS, calls=()):
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model.fit(x, y, batch_size=64, epochs=epochs, verbose=0, callbacks=list(calls)).history


torn = digits.x_train.astype("float32")
torn[7, 3, 3] = np.nan
for activation in ("tanh", "relu"):
    model = network(activation=activation)
    loss = train(model, torn, epochs=2)["loss"][-1]
    broken = sum(bool(np.isnan(w).any()) for w in model.get_weights())
    print(f"{activation}: loss {loss:.2f}, NaN in {broken} of 6 arrays of weights")
look(torn, digits.y_train)

# %% [markdown] proof="nan labels"
# **What to notice.** With tanh the loss is NaN. With ReLU it may rest at 2.30, that of a guess: on
# a CPU, TensorFlow's ReLU makes 0 of a NaN and hides it, while weights are NaN already. The last
# lines are the test that finds it on every machine: `np.isfinite` of the input.
#
# ### Labels out of range
#
# A cross-entropy is never negative, if the labels are those that it expects. For a sigmoid these
# are 0 and 1.
#
# **Predict, then run.** What does the loss become if the labels are 1 and 2, and the network
# answers ever more firmly?

# %% name="labels"
# The binary cross-entropy of the label 2 for three outputs of a sigmoid.
for p in (0.5, 0.9, 0.99):
    loss = keras.losses.binary_crossentropy(np.array([[2.0]]), np.array([[p]]))
    print(f"output {p}: loss {float(loss[0]):.2f}")

# %% [markdown] proof="labels log"
# **What to notice.** The loss falls below 0, and without end. Nothing stops such a training, and
# its curve looks splendid. With a softmax, a label that is too large is an error on a CPU and may
# be NaN on a GPU.
#
# ## 2. The first loss, and the logarithm of 0
#
# An untrained network should know nothing. With $k$ classes of equal size its loss is that of a
# guess,
#
# $$-\ln \frac{1}{k} = \ln k$$
#
# If it is far above, look at the scale of the input and at the initial weights. Below, the pictures
# are once as they should be and once a hundred times too bright. On the bright ones the network is
# then trained twice: with the cross-entropy as it is in the books, and with Keras' own.
# `TerminateOnNaN` ends a training at the first loss that is not finite.
#
# **Predict, then run.** What becomes of the book's formula, where softmax rounds a probability to
# 0?


# %% name="log"
# The first losses, and a cross-entropy of one's own beside Keras' from logits.
def naive(y, logits):
    logarithms = keras.ops.log(keras.ops.softmax(logits))
    return -keras.ops.sum(keras.ops.one_hot(y, 10) * logarithms, axis=-1)


bright = digits.x_train * 100.0
print(f"ln 10 = {np.log(10):.2f}")
for name, x in {"as they are": digits.x_train, "too bright": bright}.items():
    print(f"first loss, pictures {name}: {float(LOSS(digits.y_train, network()(x))):.1f}")
for name, loss in {"our own": naive, "Keras'": LOSS}.items():
    stop = keras.callbacks.TerminateOnNaN()
    losses = train(network(), bright, epochs=3, loss=loss, calls=[stop])["loss"]
    print(f"{name} cross-entropy: loss by epoch {[round(value, 1) for value in losses]}")

# %% [markdown] proof="log batch"
# **What to notice.** $\ln 0$ is $-\infty$, and $0 \cdot \infty$ is NaN, in the first batch already.
# Keras computes the loss from the logits, without a rounded probability in between, and stays
# finite: let the last layer give logits and set `from_logits=True`, or let Keras' own names
# (`"softmax"`, `"sparse_categorical_crossentropy"`) do it. But a first loss far above 2.30 says
# that the scale is wrong all the same. (A loss of 2.7 is near enough: random logits are not all
# equal.)
#
# ## 3. One batch first
#
# Train on 32 examples alone, without dropout and weight decay. A network can learn so few by heart:
# the loss must go to nearly 0. If it does not, then network, loss or rate are wrong, and more data
# or more epochs will not help. The next cell does it with a sound training and with three that are
# broken: a rate of 1, pictures that are all black, and labels of other pictures.
#
# **Predict, then run.** Which of the three does this test find?

# %% name="batch"
# Over-fit 32 examples, each twenty times in an epoch: a sound training, and three broken ones.
few, labels = np.tile(digits.x_train[:32], (20, 1, 1, 1)), np.tile(digits.y_train[:32], 20)
for name, x, y, rate in (
    ("sound", few, labels, 0.003),
    ("rate 1", few, labels, 1.0),
    ("pictures all black", 0 * few, labels, 0.003),
    ("labels of other pictures", few, np.roll(labels, 1), 0.003),
):
    history = train(network(), x, y, rate=rate, epochs=10)
    print(f"{name:24} loss {history['loss'][-1]:.3f}, right {history['accuracy'][-1]:.2f}")

# %% [markdown] proof="batch finder" slides="S2 learning rate"
# **What to notice.** A few seconds tell the sound training from two of the broken ones. The third
# passes: a network learns wrong labels by heart as well as right ones. Only a look at some examples
# beside their labels shows those.
#
# ## 4. The learning rate
#
# A *learning-rate finder* (a range test) trains for a hundred batches, while the rate grows by the
# same factor after each. At first the loss hardly moves; then it falls; then the rate is too large
# and the loss diverges. A tenth of that rate leaves a margin. The loss of a single batch is noisy,
# so it is smoothed: 0.8 of the old value and 0.2 of the new one.
#
# **Predict, then run.** Adam's steps are about as large as the rate, for every weight, and the
# weights here are about 0.2. At what rate will the loss diverge?

# %% name="finder" alt="The smoothed loss over the learning rate on a logarithmic axis: level on the left, then falling to below 1, then rising steeply. Two vertical lines mark the rate where it diverges and a tenth of it."
# A learning-rate finder.
from matplotlib import pyplot as plt

plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#009E73", "#D55E00", "#CC79A7"])
model = network()
model.compile(keras.optimizers.Adam(), LOSS)
rates, smooth = np.geomspace(1e-5, 10, 100), []
random = np.random.default_rng(0)
for rate in rates:
    batch = random.integers(0, len(digits.x_train), 64)
    model.optimizer.learning_rate = rate
    model.reset_metrics()  # without it, Keras returns the mean loss of all batches so far
    loss = float(model.train_on_batch(digits.x_train[batch], digits.y_train[batch]))
    smooth.append(0.8 * smooth[-1] + 0.2 * loss if smooth else loss)
    if not smooth[-1] <= 4 * min(smooth):  # also true for NaN
        break
best = rate / 10
print(f"diverged at {rate:.2g} after {len(smooth)} batches; a tenth is {best:.2g}")
ax = plt.subplots(figsize=(7, 3.4), layout="constrained")[1]
ax.semilogx(rates[: len(smooth)], smooth, label="smoothed loss")
ax.axvline(best, color="#009E73", ls="--", label="a tenth of the rate where it diverged")
ax.axvline(rate, color="#D55E00", ls=":", label="diverged")
ax.set(xlabel="learning rate", ylabel="loss", xlim=(1e-5, 10), ylim=(0, 5))
_ = ax.legend()

# %% [markdown]
# (`dl.find_learning_rate` does the same for a recipe.) The network is now trained at this rate, at
# a hundredth of it, and at twenty times it; and at the last one also with *leaky ReLU*, which keeps
# a small slope where ReLU is flat. (Slides S4 call ReLU's left part almost zero: that is the leaky
# one. ReLU is exactly zero there.)
#
# **Predict, then run.** Which of the four curves falls fastest? Does leaky ReLU mend the largest
# rate?

# %% name="rates" alt="Training loss over six epochs on a logarithmic axis for four trainings: at the suggested rate it falls fastest and lowest; at a hundredth of it it falls slowly; at twenty times it, it stays high, with ReLU and with leaky ReLU."
# Four trainings: three rates with ReLU, and the largest with leaky ReLU.
ax = plt.subplots(figsize=(9, 3.4), layout="constrained")[1]
trained = {}
runs = [("relu", 0.01, "o-"), ("relu", 1, "s--"), ("relu", 20, "^-."), ("leaky_relu", 20, "D:")]
for activation, times, style in runs:
    name = f"{activation}, rate {best * times:.2g}"
    trained[name] = network(activation=activation)
    losses = train(trained[name], rate=best * times, epochs=6)["loss"]
    ax.semilogy(range(1, 7), losses, style, label=name)
    print(f"{name:24} loss {losses[-1]:.3f}")
ax.set(xlabel="epoch", ylabel="training loss", xticks=range(1, 7))
_ = ax.legend(loc="upper left", bbox_to_anchor=(1, 1))

# %% [markdown] proof="clip"
# **What to notice.** A rate that is too small wastes time. One that is too large destroys what the
# network had at its start, and another activation does not mend that: only a smaller rate does.
# (The section on the layers shows what was destroyed.)
#
# ### A rate that is too large for the targets
#
# A squared error has slopes without limit. The diabetes scores of notebook 03 reach several
# hundred, so the first errors are large, the steps too, and each is larger than the last. There are
# two remedies. With `clipnorm=1` the gradient of each array of weights is shortened to length 1 if
# it is longer (*gradient clipping*). With standardised targets it is not long in the first place.
#
# **Predict, then run.** Which of the two leads to the smaller error after five epochs?

# %% name="clip"
# A regression that diverges, with clipped gradients, and with standardised targets.
patients = dl.load_dataset("diabetes")
mean, deviation = patients.y_train.mean(), patients.y_train.std()
scale = layers.Normalization()
scale.adapt(patients.x_train)
for name, clipnorm, unit in (("plain", None, 1), ("clipped", 1, 1), ("scaled", None, deviation)):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, clipnorm=clipnorm), "mse")
    y = patients.y_train if unit == 1 else (patients.y_train - mean) / unit
    loss = model.fit(patients.x_train, y, epochs=5, verbose=0).history["loss"]
    print(f"{name:8} root mean squared error {unit * loss[-1] ** 0.5:.0f}")
print(f"always answering the mean: {deviation:.0f}")

# %% [markdown] proof="clip scan" slides="S1 vanishing and exploding gradients; S2 vanishing and exploding gradients"
# **What to notice.** Clipping keeps the training finite. That is what it is for: for a recurrent
# network, say, whose gradient is very long once in a while. Here *every* gradient is too long, and
# steps of a fixed length are slow: the error is still larger than that of always answering the
# mean. The cure is the scale of the targets.
#
# ## 5. The layers
#
# Back-propagation (notebook 05) multiplies once for every layer: with its weights, and with the
# slope of its activation, $g'(z)$. For the gradient at the first of $L$ layers that makes
#
# $$\frac{\partial \text{loss}}{\partial a^{[1]}} = W^{[2]T} g'(z^{[2]}) \cdot W^{[3]T} g'(z^{[3]})
# \cdots W^{[L]T} g'(z^{[L]}) \cdot \frac{\partial \text{loss}}{\partial a^{[L]}}$$
#
# If a typical factor is below 1, the product *vanishes*; above 1, it *explodes*. The slope of a
# sigmoid is at most $1/4$. Going forward, a sum of $n$ terms has $n$ times the variance of one. So
# the textbooks choose the variance of the initial weights by the number of inputs $n$:
#
# $$\text{Glorot (tanh): } \operatorname{Var} w = \frac{1}{n} \text{ where layers are equally wide,}
# \qquad \text{He (ReLU): } \operatorname{Var} w = \frac{2}{n}$$
#
# ReLU switches off half of the neurons, and He's factor of $2$ makes up for it. The size of the
# activations and gradients can be looked up: a second `keras.Model` gives the outputs of all
# layers, and a `tf.GradientTape` the gradient of the loss by each.
#
# **Predict, then run.** Ten layers of 64 neurons, untrained. For which pairs of activation and
# initialisation does the gradient keep its size?

# %% name="scan" alt="The norm of the gradient over the 10 hidden layers on a logarithmic axis, in three panels for sigmoid, tanh and ReLU. For sigmoid the lines of Glorot and He fall by many powers of ten towards the input; tanh with Glorot or He and ReLU with He are nearly level; with weights of deviation 1 the lines of tanh and ReLU rise towards the input."
# Activations and gradients of every hidden layer, for one batch.
from functools import partial

import tensorflow as tf


def inside(model, x, y):
    """Return the activations of the hidden layers, and the gradients of the loss by them."""
    dense = [layer.output for layer in model.layers if isinstance(layer, layers.Dense)]
    with tf.GradientTape() as tape:
        *activations, logits = keras.Model(model.inputs, dense)([x])
        loss = LOSS(y, logits)
    gradients = tape.gradient(loss, activations)
    return [a.numpy() for a in activations], [np.linalg.norm(g) for g in gradients]


x, y = digits.x_train[:200], digits.y_train[:200]
normal = keras.initializers.RandomNormal  # mean and deviation
glorot, he = keras.initializers.GlorotNormal, keras.initializers.HeNormal
axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")[1]
for ax, activation in zip(axes, ("sigmoid", "tanh", "relu"), strict=True):
    for name, start, style in (
        ("Glorot", glorot, "o-"), ("He", he, "s--"), ("deviation 1", partial(normal, 0, 1.0), "^-.")
    ):  # fmt: skip
        a, norms = inside(network([64] * 10, activation, start), x, y)
        ax.semilogy(range(1, 11), norms, style, label=name)
        print(f"{activation:8} {name:12} gradient, first layer / last: {norms[0] / norms[-1]:.1g};"
              f" deviation of the last activations: {a[-1].std():.2g}")  # fmt: skip
    ax.set(title=activation, xlabel="hidden layer, from the input", xticks=range(1, 11))
axes[0].set(ylabel="norm of ∂loss/∂a")
_ = axes[2].legend(fontsize=9)

# %% [markdown] proof="scan"
# **What to notice.** Read the lines from right to left, as the gradient travels. With sigmoid,
# Glorot and He lose several powers of ten: the first layers hardly learn. Tanh with Glorot and ReLU
# with He are nearly level. With weights of deviation 1 the gradient explodes with tanh and ReLU,
# and ReLU's activations have exploded on the way forward. The sigmoid seems to gain, but it is
# *saturated*: numbers from 0 to 1 have a deviation of at most 0.5, and that of its outputs is near
# it, so that most of them lie at the ends, where the slope is almost 0. A saturated neuron is sure
# of itself without a reason, and hard to move.
#
# Choose an activation and the deviation of the weights yourself. At which one is the line level?
# (Deviations are given as $s/\sqrt{64}$, so that $s = 1$ is Glorot and $s = \sqrt 2$ He.)

# %% alt="The norm of the gradient over the 10 hidden layers for the activation and the spread of the weights that are chosen, on a logarithmic axis that stays as it is."
# The gradient of each layer for an activation and a spread of your choice, on fixed axes.
from ipywidgets import interact


def draw(activation="tanh", s=1.0):
    norms = inside(network([64] * 10, activation, partial(normal, 0, s / 8)), x, y)[1]
    plt.figure(figsize=(6.4, 3.2), layout="constrained")
    plt.semilogy(range(1, 11), norms, "o-")
    plt.gca().set(xlabel="hidden layer", ylabel="norm of ∂loss/∂a", ylim=(1e-15, 1e12))
    plt.show()


_ = interact(draw, activation=["tanh", "relu", "sigmoid"], s=(0.25, 12.0, 0.05))

# %% [markdown] slides="S1 initialisation; S4 initialisation; S4 ReLU"
# ### Dead and equal neurons
#
# One giant step can throw a ReLU neuron so far that its sum is negative for *every* example. Then
# its output is zero, its slope is zero, no gradient reaches it: it is *dead*, and stays so.
#
# **Predict, then run.** Which of the four trainings with different rates have left dead neurons?

# %% name="dead"
# The share of dead neurons in the two hidden layers after the four trainings.
for name, model in trained.items():
    activations, _ = inside(model, digits.x_train, digits.y_train)
    print(f"{name:24} dead:", *(f"{np.mean((a == 0).all(axis=0)):.0%}" for a in activations))

# %% [markdown] proof="dead momentum"
# **What to notice.** At the largest rate nothing is left alive, and the network answers every
# picture alike. Some neurons die at smaller rates too; the others do the work without them. Leaky
# ReLU has no dead neurons, but at this rate its loss was no better.
#
# Two neurons that start with equal weights are *symmetric*: they get equal gradients, stay equal,
# and many neurons do the work of one. So it is not enough that the weights are not zero, as slides
# S1 ask; they must be different, and start at random. (A patient of the clinic has this illness.)
#
# ## 6. Training and use: batch normalization
#
# *Batch normalization* standardises each neuron's sums over the batch, and then scales and shifts
# them with two learned numbers. For use it needs a mean and a variance that do not depend on a
# batch: running means, of which each batch replaces a hundredth by default (`momentum=0.99`). So
# after $t$ batches $0.99^t$ of their initial values is still in them, after forty $0.99^{40} =
# 0.67$.
#
# **Predict, then run.** A network trains for two epochs, forty batches in all. How far apart are
# the accuracy in training and that of `evaluate`, on the same examples?


# %% name="momentum"
# Batch normalization with two momenta: accuracy in the last epoch, and from evaluate.
for momentum in (0.99, 0.8):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), layers.Flatten()])
    for _ in range(3):
        model.add(layers.Dense(64, use_bias=False))  # batch normalization has its own shift
        model.add(layers.BatchNormalization(momentum=momentum))
        model.add(layers.Activation("relu"))
    model.add(layers.Dense(10))
    right = train(model, epochs=2)["accuracy"][-1]
    used = model.evaluate(digits.x_train, digits.y_train, verbose=0)[1]
    print(f"momentum {momentum}: {right:.2f} in training, {used:.2f} in use")

# %% [markdown]
# **What to notice.** The weights are good; the running means have not arrived. On small data choose
# a smaller momentum or train longer. A scale that is computed outside of the model makes the same
# gap.

# %% [markdown] proof="batch"
# ## In five lines
#
# - Look at the input first: range, values that are not finite, labels. NaN can hide behind ReLU.
# - The first loss should be that of a guess, and 32 examples should be learned by heart.
# - Measure the learning rate: let it grow until the loss diverges, and take a tenth.
# - Gradients keep their size with random weights of the right variance: He for ReLU, Glorot for
#   tanh.
# - Layers that differ between training and use, such as batch normalization, must be checked in
#   use.

# %% [markdown]
# ## Further reading
#
# - A. Karpathy, [A recipe for training neural
#   networks](https://karpathy.github.io/2019/04/25/recipe/): this notebook's procedure by someone
#   who has used it for years.
# - L. Smith, [Cyclical learning rates for training neural
#   networks](https://arxiv.org/abs/1506.01186): where the learning-rate finder comes from.
# - K. He et al., [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852): the variance for
#   ReLU, derived on one page.
# - S. Ioffe and C. Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167): the original
#   paper.
# - M. Nielsen, [Why are deep neural networks hard to
#   train?](http://neuralnetworksanddeeplearning.com/chap5.html): vanishing gradients, slowly and
#   with pictures.
# - Stanford's [CS231n: learning and
#   evaluation](https://cs231n.github.io/neural-networks-3/): first losses, one batch, and ratios of
#   updates to weights.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("08.1")` helps, `solution("08.1")`
# tells.
#
# ### Quick checks
#
# **08.1** A chain of 10 sigmoid neurons, one per layer, has weights of 2. By what factor, at most,
# is the gradient multiplied on its way back through all ten? (three digits)

# %%
# 08.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("08.1", answer)

# %% [markdown]
# **08.2** Write a function `answer(noise)` that takes an array (inputs, neurons) of normally
# distributed numbers with standard deviation 1, and returns these numbers scaled to He's initial
# weights for a layer with ReLU.

# %%
# 08.2: your answer
answer = ...
check("08.2", answer)

# %% [markdown]
# **08.3** A network of 20 layers of 64 neurons starts with random weights of standard deviation
# $s/\sqrt{64}$. Choose the activation ("sigmoid", "tanh" or "relu") and $s$ so that the gradient by
# the activations of the first layer is neither 10 times smaller nor 10 times larger than by those
# of the last hidden one. Answer with both, such as `("sigmoid", 1.0)`.

# %%
# 08.3: your answer
answer = ...
check("08.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **08.4** Complete the learning-rate finder. `step(rate)` trains on one batch at this rate and
# returns its loss. The first of the `steps` rates is `lowest`, the last is `highest`, and each is
# the one before times the same factor. The smoothed loss is 0.8 of its old value and 0.2 of the new
# loss. When it is not finite, or more than four times the best one so far, the loss has diverged: a
# tenth of this rate is returned.


# %%
# 08.4: fill in what is missing
def answer(step, lowest, highest, steps):
    factor = ...  # from one rate to the next
    rate, smooth, best = lowest, None, np.inf
    for _ in range(steps):
        loss = step(rate)
        smooth = loss if smooth is None else ...
        if ...:  # diverged
            return ...
        best = ...
        rate = factor * ...
    return highest / 10


check("08.4", answer)

# %% [markdown]
# ### Build a network
#
# **The clinic.** Each of the next six scripts has one fault. Find it with the instruments of this
# notebook, delete the first line of the function, and mend the rest. The checker trains what you
# return on the training examples (a few seconds) and counts how many of the validation examples it
# gets right.
#
# **08.5** In training this network is right for 99 % of the tumours, and for a new patient it
# always says the same. Mend it: 90 % of new, unscaled rows must be right.


# %%
# 08.5: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit((x_train - mean) / deviation, y_train, epochs=10, verbose=0)
    return model


check("08.5", answer)

# %% [markdown]
# **08.6** The loss of this network is above 10 in the first epoch, and after ten epochs most digits
# are still wrong. Mend it: 85 % of new digits must be right.


# %%
# 08.6: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(64, "relu")
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.5), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


check("08.6", answer)

# %% [markdown]
# **08.7** The loss of this network falls to nearly 0, and yet it calls malignant tumours benign.
# Mend it: 90 % of new tumours must be right.


# %%
# 08.7: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)

    def loss(y, p):
        return -y * keras.ops.log(p)

    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03), loss)
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


check("08.7", answer)

# %% [markdown]
# **08.8** The loss of this network stays at 2.30 from the first batch on, at any rate. Mend it: 85
# % of new digits must be right.


# %%
# 08.8: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(64, "relu", kernel_initializer="zeros")
    last = layers.Dense(10, "softmax", kernel_initializer="zeros")
    model = keras.Sequential([layers.Rescaling(1 / 16), layers.Flatten(), hidden, last])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


check("08.8", answer)

# %% [markdown]
# **08.9** Nothing is wrong with this network, its rate or its loss, and yet new tumours come out
# little better than a guess. Mend the training: 90 % of new tumours must be right.


# %%
# 08.9: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)
    x_train = np.random.default_rng(0).permutation(x_train)
    y_train = np.random.default_rng(1).permutation(y_train)
    scale = layers.Normalization()
    scale.adapt(x_train)
    model = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x_train, y_train, epochs=10, verbose=0)
    return model


check("08.9", answer)

# %% [markdown]
# **08.10** The loss of this network of eight hidden layers rests near 2.3, though its weights are
# random and different. Keep the eight layers and mend it: 80 % of new digits must be right.


# %%
# 08.10: mend this training
def answer(x_train, y_train):
    return ...  # delete this line
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(32, "sigmoid") for _ in range(8)]
    model = keras.Sequential(
        [layers.Rescaling(1 / 16), layers.Flatten(), *hidden, layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
    return model


check("08.10", answer)
