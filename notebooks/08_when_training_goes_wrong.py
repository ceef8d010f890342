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
# **Question.** The loss does not move, or jumps, or becomes NaN. How does one find out why?
#
# **Slides.** S1 (initialisation), S2 (vanishing and exploding gradients), S4 (saturation, ReLU).
#
# **Time.** A minute to run, 60 minutes to read.
#
# **Prerequisites.** Notebook 05 (back-propagation) and 06 (the first deep network).

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
# You will break trainings in the usual ways, and see each fault with the instrument that shows it:
# gradients that vanish or explode, neurons that are equal, saturated or dead, a learning rate that
# is too small or too large, a batch size that does not suit it, and three ways to NaN, "not a
# number". At the end stands a procedure: what to look at first, and what next.
#
# ## A product of many terms
#
# Back-propagation (notebook 05) multiplies once a layer: with the weights, and with the
# activation's slope $g'(z)$. For the gradient at the first of $L$ layers that makes
#
# $$\frac{\partial \text{loss}}{\partial a^{[1]}} = W^{[2]T} g'(z^{[2]}) \cdot W^{[3]T} g'(z^{[3]})
# \cdots W^{[L]T} g'(z^{[L]}) \cdot \frac{\partial \text{loss}}{\partial a^{[L]}}$$
#
# If a typical factor is below 1, the product *vanishes*; above 1, it *explodes*. The sigmoid's
# slope is never more than 0.25:

# %%
for layers in (1, 5, 10, 20):
    print(f"{layers:2} layers: 0.25^{layers} = {0.25**layers:.2g}, 2^{layers} = {2**layers:,}")

# %% [markdown]
# We build 20 layers of 64 neurons in NumPy, with random weights of standard deviation $s /
# \sqrt{64}$, and look at the gradient by each layer's activations. The digits go in, nothing is
# trained. The best *spread* $s$ is the one that keeps the line level.

# %%
# Picture: the norm of the gradient at each of 20 layers on a logarithmic axis, for three spreads of
# the initial weights: one line falls steeply towards the input, one is level, one rises.
import numpy as np
from matplotlib import pyplot as plt

from dlcourse.lessons import maths

COLOURS = dl.plots.COLOURS
STYLES = ("o-", "s--", "^-.", "D:")  # to be told apart without colours as well
digits = dl.load_dataset("digits")
X, Y = digits.x_train.reshape(-1, 64) / 16, maths.one_hot(digits.y_train, 10)


def draw_gradients(activation="tanh", spread=1.0):
    net = maths.Network((64,) * 21 + (10,), (activation,) * 20 + ("softmax",))
    random = np.random.default_rng(0)
    net.set_weights([random.normal(0, spread / 8, W.shape) for W in net.W], net.b)
    norms = [np.linalg.norm(da) for da in net.backward(X[:200], Y[:200]).da[1:-1]]
    label = f"{activation}, spread {spread:g}"
    ax = plt.gca()
    k = len(ax.lines)
    ax.semilogy(range(1, 21), norms, STYLES[k], color=COLOURS[k], markersize=4, label=label)
    ax.set(xlabel="hidden layer, from the input", ylabel="norm of ∂loss/∂a", xticks=range(1, 21, 2))
    ax.legend(fontsize=9)


plt.figure(figsize=(7, 3.8), layout="constrained")
for spread in (0.5, 1.0, 2.0):
    draw_gradients("tanh", spread)

# %% [markdown]
# **What to notice.** The loss travels from right to left. With small weights almost nothing arrives
# at the first layers: they do not learn. With large ones the first layers get the largest
# gradients. Try ReLU below: which spread keeps it level? ($\sqrt 2 \approx 1.4$; half of the
# neurons are off, so the others must be louder.) And the sigmoid? It needs a large one: about 10.

# %%
# Picture: the same for an activation and a spread of your choice, on axes that stay as they are.
from dlcourse.lessons import interact


def move(activation="tanh", spread=1.0):
    draw_gradients(activation, spread)
    plt.ylim(1e-26, 1e20)


interact(move, activation=["tanh", "relu", "sigmoid"], spread=(0.25, 12.0, 0.05))

# %% [markdown]
# ## Depth × activation × initialisation
#
# The rules of the textbooks are just this spread: **Glorot** (for tanh), $s^2 = 1$ where layers are
# equally wide, and **He** (for ReLU), $s^2 = 2$. `depth_scan` builds Keras networks, untrained, and
# X-rays each layer.

# %%
# Picture: three columns, sigmoid, tanh and ReLU; above the spread of the activations, below the
# norm of the gradient, over the layers, with a line for each initializer. For sigmoid Glorot and He
# fall steeply; for tanh Glorot and He are level; for ReLU Glorot falls, He is level, and so are
# large weights, but some fifteen powers of ten above.
import os

import keras

keras.utils.set_random_seed(0)
smoke = bool(os.environ.get("DLCOURSE_SMOKE"))
scan = dl.lab.depth_scan(
    digits.x_train,
    digits.y_train,
    depth=5 if smoke else 20,
    initializers=("glorot_uniform", "he_normal", "large_normal"),
)
_ = dl.lab.plots.depth_scan(scan)

# %% [markdown]
# **What to notice.** Read the lower row from right to left. Under sigmoid, Glorot and He lose many
# powers of ten on the way to the input. Tanh with Glorot and ReLU with He stay level. Large weights
# (standard deviation 1) explode under ReLU and tanh (with ReLU the line is level, but at
# $10^{15}$); under sigmoid they saturate it instead, as we see next. ReLU with Glorot loses two
# powers of ten on the way to the input, and its activations lose as many on the way to the output
# (above): half of the neurons are off, and Glorot does not make up for it.
#
# ## Saturated
#
# Where a sigmoid is flat, its slope is nearly 0, and no gradient passes: it is *saturated*. The
# histograms show one batch in each layer: the activations left, the gradients right, in powers of
# ten.

# %%
# Picture: a row for each of three sigmoid layers and the output. Left, the hidden activations pile
# up at 0 and 1; right, the sizes of the gradients.
settings = {"hidden": (64, 64, 64), "activation": "sigmoid"}
models = {
    name: dl.build_model("dnn", digits, initializer=name, **settings)
    for name in ("glorot_uniform", "large_normal")
}
layers = dl.lab.read_layers(models["large_normal"], digits.x_train, digits.y_train)
_ = dl.lab.plots.layer_histograms(layers)

# %%
for name, model in models.items():
    layers = dl.lab.xray(model, digits.x_train, digits.y_train)[:-1]
    print(f"{name:15} saturated:", ", ".join(f"{one.name} {one.saturated:.0%}" for one in layers))

# %% [markdown]
# **What to notice.** With large initial weights about half of all answers are 0 or 1 before
# anything is learned. Such neurons are sure of themselves without a reason, and hard to move from
# there.
#
# ## Equal neurons
#
# Why at random at all? If two neurons start with equal weights, they give equal outputs, get equal
# gradients, and stay equal for ever: 32 neurons do the work of one. We train four starts and X-ray
# what has become of them.


# %%
# Picture: the training loss over the epochs for four initialisations. Zeros stay at 2.3, the loss
# of a guess; constant weights stay high; Glorot and He fall quickly.
epochs = 2 if smoke else 12


LOSS = "sparse_categorical_crossentropy"


def fit(rate=0.003, x=digits.x_train, y=digits.y_train, loss=LOSS, epochs=epochs, **settings):
    """Return the trained model and its history."""
    keras.utils.set_random_seed(0)
    model = dl.build_model("dnn", digits, **settings)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    unseen = (digits.x_val, digits.y_val) if len(x) > 32 else None
    return model, model.fit(x, y, epochs=epochs, validation_data=unseen, verbose=0).history


plt.figure(figsize=(7, 3.8), layout="constrained")
starts = ("zeros", "constant", "glorot_uniform", "he_normal")
for name, style, colour in zip(starts, STYLES, COLOURS, strict=False):
    model, history = fit(hidden=[32], initializer=name)
    plt.plot(range(1, epochs + 1), history["loss"], style, color=colour, label=name)
    first = dl.lab.xray(model, digits.x_train, digits.y_train)[0]
    print(f"{name:15} {first.equal:4.0%} of the hidden neurons equal another after the training")
plt.gca().set(xlabel="epoch", ylabel="training loss")
_ = plt.legend()

# %% [markdown]
# **What to notice.** With zeros nothing moves but the last bias: $W^T dz$ is 0, and the loss stays
# at $\ln 10 = 2.3$, that of a guess. With equal weights of 0.1 the network learns what *one* neuron
# can: the diagnosis says *symmetric layers*. Not being zero is not enough: being *different* is.
#
# ## The learning rate, and dead neurons
#
# Do not guess the learning rate: measure it. The range test trains for a hundred steps while the
# rate grows, and watches the loss.

# %%
# Picture: the loss over the learning rate, from 0.000001 to about 0.5, where the test is stopped:
# level, then falling, then rising steeply; the lowest point and the suggested rate, a tenth of it,
# are marked.
network = {"name": "dnn", "hidden": [64, 64], "initializer": "he_normal"}
test = dl.find_learning_rate({"dataset": "digits", "model": network})
_ = dl.lab.plots.range_test(test.rates, test.losses, test.smoothed, test.suggestion)

# %% [markdown]
# We train at the suggestion, at a hundredth, and at fifty times of it; at that last rate once more
# with leaky ReLU. The diagnosis reads the curves and the X-ray of the trained layers.

# %%
# Picture: the training loss of the four runs on a logarithmic axis: the suggested rate falls fast,
# the small one slowly, the large ones jump or rest high.
best = test.suggestion
plt.figure(figsize=(7, 3.8), layout="constrained")
cases = (("relu", best / 100), ("relu", best), ("relu", best * 50), ("leaky_relu", best * 50))
for (activation, rate), style, colour in zip(cases, STYLES, COLOURS, strict=False):
    settings = {"hidden": [64, 64], "initializer": "he_normal", "activation": activation}
    model, history = fit(rate, **settings)
    layers = dl.lab.xray(model, digits.x_train, digits.y_train)
    label = f"{activation}, rate {rate:.2g}"
    plt.semilogy(range(1, epochs + 1), history["loss"], style, color=colour, label=label)
    found = dl.diagnose(history, classes=10, xray={epochs: layers})
    dead = ", ".join(f"{one.dead:.0%}" for one in layers[:-1])
    print(f"{label:22} dead: {dead:10} {', '.join(one.title for one in found)}")
plt.gca().set(xlabel="epoch", ylabel="training loss")
_ = plt.legend()

# %% [markdown]
# **What to notice.** One giant step can throw a ReLU neuron so far that its sum is negative for
# *every* example. Then its output is 0, its slope is 0, no gradient ever reaches it: it is *dead*,
# and stays so. Leaky ReLU keeps a small slope on the left, so that nothing dies; but the rate is
# still too large. A smaller rate is the cure, leaky ReLU the plaster. A few neurons are dead at
# any rate, from an unlucky start or from a step on the way; the others do the work without them.
#
# ## The batch size
#
# A batch's gradient is an estimate of the whole data's. How good is it? We compare many batches
# with the gradient of all 1,221 examples, for the network of notebook 06.

# %%
# Picture: the relative error of a batch's gradient over the batch size on logarithmic axes: a
# straight line that falls by half where the batch is four times as large.
net = maths.Network((64, 16, 16, 10), ("relu", "relu", "softmax"))
whole = net.backward(X, Y).dW[0]
random = np.random.default_rng(0)
sizes = [1, 4, 16, 64, 256]
errors = []
for size in sizes:
    batches = [random.integers(0, len(X), size) for _ in range(100)]
    parts = [net.backward(X[batch], Y[batch]).dW[0] - whole for batch in batches]
    errors.append(np.mean([np.linalg.norm(part) for part in parts]) / np.linalg.norm(whole))
ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")[1]
ax.loglog(sizes, errors, "o-", color=COLOURS[0], label="measured")
ax.loglog(sizes, errors[0] / np.sqrt(sizes), "--", color=COLOURS[1], label="∝ 1/√size")
ax.set(xlabel="batch size (examples)", ylabel="error / size of the gradient", xticks=sizes)
ax.set_xticks(sizes, sizes)
ax.set_yticks(ticks := (0.5, 1, 2, 4, 8), ticks)
ax.minorticks_off()
_ = ax.legend()

# %% [markdown]
# Four times the work for half the error. What does that mean for the training? The same number of
# epochs, the same learning rate, batches of 1 to 1,221:

# %%
X_val, y_val = digits.x_val.reshape(-1, 64) / 16, digits.y_val
for size in (1, 8, 64, 1221):
    nets = [maths.Network((64, 16, 16, 10), ("relu", "relu", "softmax"), seed=k) for k in range(3)]
    options = {"epochs": epochs, "batch_size": size, "learning_rate": 0.05}
    loss = sorted(net.fit(X, Y, **options)[-1] for net in nets)
    right = np.mean([net.predict(X_val).argmax(axis=1) == y_val for net in nets])
    steps = f"batch {size:4}: {epochs * -(-len(X) // size):6,} steps"
    print(f"{steps}, loss {loss[0]:.2f} to {loss[-1]:.2f}, {right:.0%} of the validation right")

# %% [markdown]
# **What to notice.** The whole data in one batch takes the most exact steps, and far too few of
# them. Many rough steps beat a few exact ones: that is why the gradient descent of practice is
# *stochastic*. But batch 1 ends with a higher loss than batch 8 from each of three starts: its
# steps are too rough for this rate. (On the validation digits the two are alike.) A larger batch
# wants a larger learning rate, and gives it back on hardware that works in parallel.
#
# ## NaN
#
# Whatever a NaN is added to or multiplied with becomes NaN as well. So one is enough for the whole
# network, and the place where it shows is seldom the place where it arose. There are three usual
# ways.
#
# **Bad input.** In one of the 1,221 pictures one pixel is missing:

# %%
torn = digits.x_train.astype("float32")
torn[7, 3, 3] = np.nan
for activation in ("tanh", "relu"):
    model, history = fit(x=torn, epochs=2, hidden=[64, 64], activation=activation)
    broken = sum(np.isnan(W).any() for W in model.get_weights())
    print(f"{activation}: loss {history['loss'][-1]:.2f}, NaN in {broken} of 6 weights and biases")
print("pictures with values that are not finite:", np.unique(np.argwhere(~np.isfinite(torn))[:, 0]))

# %% [markdown]
# **What to notice.** With tanh the loss is NaN. With ReLU it is not: on the way through, the zeros
# of ReLU hide the NaN, and the loss rests at 2.30, that of a guess, while the first layer's weights
# are NaN. The last line is the test that finds it: `np.isfinite` of the input.
#
# **The logarithm of 0.** Here the pictures were not scaled (100 times too bright). The logits
# become large, a probability becomes 0 in float32, and $-\log 0$ is infinite:


# %%
def naive(y, p):
    return -keras.ops.sum(keras.ops.one_hot(y, 10) * keras.ops.log(p), axis=-1)


for name, loss in (("our own", naive), ("Keras'", LOSS)):
    history = fit(x=digits.x_train * 100.0, loss=loss, epochs=3, hidden=[64, 64])[1]
    print(f"{name} cross-entropy: loss {history['loss'][0]:.3g}, then {history['loss'][-1]:.3g}")

# %% [markdown]
# **What to notice.** Keras' loss does not take the logarithm of a rounded probability, so that it
# stays finite; but its first loss is far above $\ln 10 = 2.3$, which says the same: look at the
# input's scale.
#
# **Too large a rate.** A squared error has slopes without limit. The diabetes scores of notebook 03
# reach 346, and so the first errors are large, the steps too, and each is larger than the last:

# %%
patients = dl.load_dataset("diabetes")
for rate in (0.01, 0.001):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(16, "relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    x = (patients.x_train - patients.x_train.mean(axis=0)) / patients.x_train.std(axis=0)
    loss = model.fit(x, patients.y_train, epochs=5, verbose=0).history["loss"]
    print(f"rate {rate}: loss {loss[0]:.4g} after one epoch, {loss[-1]:.4g} after five")

# %% [markdown]
# ## A procedure
#
# Change nothing before you have looked. In this order, the cheapest first:
#
# 1. **The input.** Is each value finite? Is its range the one that the network expects? Look at
#    some examples with their labels: do they belong together?
# 2. **The first loss.** With $k$ classes an untrained network should have a loss near $\ln k$. If
#    it is far above, look at the scale of the input and at the initial weights; if it is NaN, look
#    for a logarithm of 0 or a division by 0 in your own loss.
# 3. **One batch.** Train on 32 examples alone, without dropout and decay. The network can learn so
#    few by heart: the loss must go to nearly 0. If it does not, then data, loss, rate or network
#    are wrong, and more data or more epochs will not help.
# 4. **The rate.** Divide it by ten; better, use the range test.
# 5. **The layers.** X-ray them: gradients that vanish or explode, neurons equal, saturated or dead.
#
# The third is the strongest test for its price. Here it is with a sound training, and with two that
# are broken:

# %%
few = digits.x_train[:32]
tests = {"sound": (few, 0.003), "rate 1": (few, 1.0), "pictures all black": (0 * few, 0.003)}
for name, (x, rate) in tests.items():
    history = fit(rate, x, digits.y_train[:32], epochs=epochs * 5, hidden=[64, 64])[1]
    print(f"{name:18}: loss {history['loss'][-1]:.3f}, accuracy {history['accuracy'][-1]:.2f}")

# %% [markdown]
# **What to notice.** A few seconds tell the sound training from the broken ones. A network that
# cannot learn 32 examples will not learn 1,221.
#
# ## Two more findings
#
# - **Not learning.** With $k$ classes of equal size a loss that stays at $\ln k$ is that of a
#   guess: the network answers with each class's share, whatever it sees. You have met three causes
#   (equal weights, vanished gradients, dead neurons); wrong or shuffled labels are the fourth.
# - **Class imbalance.** Where 95 of 100 tumours are benign, always answering "benign" is right in
#   95 %, and finds no cancer. Look at the recall of each class; `training.class_weights=balanced`
#   lets the rare class weigh as much as the frequent one.
#
# ## What the slides got wrong here

# %%
from dlcourse.lessons import show

print(show("S1.initialise", "S4.left", "S4.differentiable"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("08.1")` helps, `solution("08.1")`
# tells.
#
# **08.1** A chain of 10 sigmoid neurons, one a layer, has weights of 2. By what factor, at most, is
# the gradient multiplied on its way back through all ten? (three digits)

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("08.1", answer)

# %% [markdown]
# **08.2** Write a function `answer(noise)` that takes an array (inputs, neurons) of normally
# distributed numbers with standard deviation 1, and returns He's initial weights for a layer of
# ReLU.

# %%
answer = ...
check("08.2", answer)

# %% [markdown]
# **08.3** A network of 20 layers of 64 neurons starts with random weights of standard deviation
# $s/\sqrt{64}$. Choose the activation ("sigmoid", "tanh" or "relu") and $s$ so that the gradient by
# the activations of the first layer is neither 10 times smaller nor 10 times larger than by those
# of the last hidden one. Answer with both, such as `("sigmoid", 1.0)`.

# %%
answer = ...
check("08.3", answer)
