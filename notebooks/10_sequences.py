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
# # Sequences
#
# **Question.** How does a network read one thing after another, and what does it still know of the
# first when it comes to the last?
#
# **Slides.** S0, S3, S4 (recurrent networks, LSTM).
#
# **Time.** Half a minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebooks 05 (back-propagation) and 06 (the first deep network).

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
# Text, speech, prices, steps of a dance: one comes after another, and the order counts. A
# *recurrent* network reads step by step and keeps a state, its memory. In this notebook you unroll
# one by hand, see how its memory fades, look into the gates of an LSTM, and let one read digits row
# by row.

# %% [markdown]
# ## Look at the data
#
# A digit of 8×8 pixels is a sequence: eight steps, each a row of eight numbers. This is what a
# reader has seen after the first row, after the second, and so on.

# %%
# Picture: one digit eight times. In the first only its top row is uncovered, in the last all of it.
import numpy as np

digits = dl.load_dataset("digits")
example = digits.x_test[7]
seen = [np.where(np.arange(8)[:, None, None] <= t, example, 0) for t in range(8)]
_ = dl.plots.image_grid(seen, [f"{t + 1} of 8 rows" for t in range(8)], value_range=(0, 16))

# %% [markdown]
# ## A recurrent network by hand
#
# At each step $t$ the new state comes from the input $x_t$ and from the state before:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0$$
#
# The weights $W$, $U$, $b$ are the same at every step. *Unrolled*, the network is as deep as the
# sequence is long, and all its layers share their weights. Here two units read one number a step:
# first a 1, then zeros.

# %%
X = np.array([[1.0], [0], [0], [0]])  # 4 steps of 1 feature
W = np.array([[1.0, 0.5]])
U = np.array([[0.5, 0.3], [-0.3, 0.8]])
b = np.zeros(2)

h = np.zeros(2)
states = []
for t, x in enumerate(X, 1):
    h = np.tanh(x @ W + h @ U + b)
    states.append(h)
    print(f"h{t} = {h.round(4)}")

# %% [markdown]
# The input was there at the first step only, and yet $h_2$, $h_3$, $h_4$ are not zero: that is the
# memory. `dlcourse.lessons.maths` and Keras agree. Keras wants (m, steps, features).

# %%
import keras

from dlcourse.lessons import maths

layer = keras.layers.SimpleRNN(2, return_sequences=True)
layer.build((None, 4, 1))
layer.set_weights([W, U, b])
by_keras = np.array(layer(X[None].astype("float32")))[0]
np.allclose(states, maths.simple_rnn(X, W, U, b).h), np.allclose(states, by_keras, atol=1e-6)

# %% [markdown]
# ## Memory fades
#
# To learn that the first word decides, the gradient must flow from the last state back to the first
# input. Each step multiplies it by $U$ and by the slope of tanh:
#
# $$\frac{\partial h_T}{\partial h_t} = \prod_{s=t+1}^{T} U\, \mathrm{diag}(1 - h_s^2)$$
#
# If $U$ makes vectors shorter, to half, say, then forty steps leave $0.5^{40} \approx 10^{-12}$:
# the gradient *vanishes*. If it makes them longer, the gradient *explodes*, or tanh saturates and
# its slope takes over. Below, $U$ is an orthogonal matrix (a rotation, perhaps with a mirror) times
# a factor, so that the factor is all that counts.

# %%
# Picture: the length of the gradient by the input, over 40 steps back in time, on a logarithmic
# axis. Factor 0.5 falls in a straight line to about 1e-12, 0.9 to about 1e-2; 1 stays as it is; 1.2
# rises.
COLOURS = dl.plots.COLOURS
steps, units = 40, 16
rng = np.random.default_rng(0)
orthogonal = np.linalg.qr(rng.normal(size=(units, units)))[0]
inputs, kernel = 0.02 * rng.normal(size=(steps, 4)), rng.normal(size=(4, units)) / 4


def gradient_lengths(factor):
    dh = np.zeros((steps, units))
    dh[-1] = 1 / np.sqrt(units)  # the loss sees the last state alone
    U = factor * orthogonal
    gradient = maths.simple_rnn_backward(inputs, kernel, U, np.zeros(units), dh)
    return np.linalg.norm(gradient.dX, axis=1)[::-1]


def draw(factors):
    ax = dl.plots.new_axes(figsize=(7, 3.4))
    for factor, style, colour in zip(factors, ("-", "--", "-.", ":"), COLOURS, strict=False):
        ax.semilogy(gradient_lengths(factor), style, color=colour, label=f"factor {factor:g}")
    ax.set(xlabel="steps before the last", ylabel="length of the gradient by the input")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)


draw([0.5, 0.9, 1.0, 1.2])

# %% [markdown]
# **What to notice.** The axis is logarithmic: a straight line is a constant factor a step. At 0.5 a
# sequence of ten steps has forgotten its beginning, for the gradient as for the state. Keras starts
# `SimpleRNN` with an orthogonal $U$, a factor of 1, for this reason. Training may move it away. Try
# the factors in between:

# %%
# Picture: the gradient by the input over the steps before the last, on a logarithmic axis: it falls
# for the slider's factor and stays for 1.
from dlcourse.lessons import interact


def draw_one(factor=0.8):
    draw([factor, 1.0])


interact(draw_one, factor=(0.3, 1.5, 0.05))

# %% [markdown]
# ## The LSTM's gates
#
# A *long short-term memory* keeps a second state, the memory $c$. Three gates, each a sigmoid
# between 0 (shut) and 1 (open), say what is written, what is kept, and what is shown:
#
# $$i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad g = \tanh(\ldots), \quad
# c_t = f c_{t-1} + i\,g, \quad h_t = o \tanh c_t$$
#
# each gate, and the candidate $g$, with $W$, $U$ and $b$ of its own. From $c_{t-1}$ to $c_t$ there
# is only the forget gate $f$: no matrix, no tanh. Over $T$ steps the memory is multiplied by $f_1
# f_2 \cdots f_T$. One step, with one unit:

# %%
W, U = [[2.0, 0.0, 1.0, 1.0]], [[0.0] * 4]  # input, forget, candidate, output
b = [0.0, 1.0, 0.0, 0.0]
step = maths.lstm_cell([1.0], [0.0], [0.5], W, U, b)  # x, h and c
for name, value in step._asdict().items():
    print(f"{name:12} {value[0]:.4f}")

# %%
# Picture: what is left of a memory after 40 steps, for three forget gates: 0.5 loses it at once,
# 0.731, Keras' start, within about 15 steps; 0.993 keeps three quarters of it.
ax = dl.plots.new_axes(figsize=(7, 3.2))
for bias, style, colour in zip((0, 1, 5), (":", "--", "-"), COLOURS, strict=False):
    gate = 1 / (1 + np.exp(-bias))
    label = f"forget gate {gate:.3f} (bias {bias})"
    ax.plot(gate ** np.arange(steps + 1), style, color=colour, label=label)
ax.set(xlabel="steps", ylabel="share of the memory that is left", ylim=(0, 1.02))
ax.grid(alpha=0.3)
_ = ax.legend(frameon=False)

# %% [markdown]
# **What to notice.** An LSTM *can* keep what it has read. Whether it does depends on its forget
# gate, and that is learned. Keras starts it with bias 1, a gate of 0.73: that is already a short
# memory.

# %% [markdown]
# ## Read digits, row by row
#
# The model `rnn` turns an image into rows by itself. `dl.fit` is called as ever.

# %%
import os

run = dl.fit(
    dataset="digits",
    model={"name": "rnn", "cell": "lstm", "units": 32},
    epochs=2 if os.environ.get("DLCOURSE_SMOKE") else 25,
    learning_rate=0.01,
    schedule="one_cycle",
)
run.model.count_params(), run.metrics["test"]

# %% [markdown]
# With its weights, the LSTM by hand gives the same last state as Keras, and every gate on the way.

# %%
layer = run.model.get_layer("lstm_1")
rows = digits.x_test[:, :, :, 0] / 16.0
steps_of_all = maths.lstm(rows, *layer.get_weights())
by_keras = keras.Model(run.model.inputs, layer.output).predict(digits.x_test, verbose=0)
np.allclose(steps_of_all[-1].h, by_keras, atol=1e-5)

# %%
# Picture: four maps of eight rows by 32 units: input gate, forget gate and output gate between 0,
# black, and 1, white, and the memory c in red and blue, pale at the first row and strong at the
# last.
from matplotlib import pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, gate in zip(axes, ("input_gate", "forget_gate", "output_gate", "c"), strict=True):
    values = np.array([getattr(step, gate)[7] for step in steps_of_all])
    low, high, colours = (-2, 2, "RdBu_r") if gate == "c" else (0, 1, "gray")
    picture = ax.imshow(values, colours, aspect="auto", vmin=low, vmax=high)
    figure.colorbar(picture, ax=ax, location="bottom", ticks=[low, high])
    ax.set(title="memory c" if gate == "c" else gate.replace("_", " "), xlabel="unit")
_ = axes[0].set(yticks=range(8), yticklabels=range(1, 9), ylabel="row read")

# %% [markdown]
# **What to notice.** Every unit has gates of its own, and they move from row to row. Units whose
# forget gate stays white keep what they have; the memory builds up from the upper to the lower
# rows.

# %% [markdown]
# ## When does it know?
#
# Put the head of the network on the state after *each* row: the guess, as it reads.

# %%
# Picture: four digits, named above, and under each a map of ten classes by eight rows: how probable
# each class is after each row. The first rows leave it open; towards the last, one class is left.
head_weights, head_bias = run.model.get_layer("logits").get_weights()
states = np.array([step.h for step in steps_of_all])
guesses = np.array(keras.ops.softmax(states @ head_weights + head_bias))
figure, axes = plt.subplots(2, 4, figsize=(8, 4.6), layout="constrained", height_ratios=[1, 2])
for (top, below), k in zip(axes.T, (0, 3, 7, 9), strict=True):
    dl.plots.show_image(top, digits.x_test[k])
    top.set_title(f"a {digits.y_test[k]}")
    below.imshow(guesses[:, k].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    below.set(xlabel="after row", xticks=range(8), xticklabels=range(1, 9), yticks=range(10))
axes[1, 0].set_ylabel("class (dark: probable)")
right = [float(np.mean(one.argmax(axis=1) == digits.y_test)) for one in guesses]
print("right after each row:", *[f"{share:.2f}" for share in right])

# %% [markdown]
# **What to notice.** Nobody asked the network to be right before the last row, and it was never
# trained to. Its early guesses jump, and then one class is left.

# %% [markdown]
# ## Keep it in mind
#
# Now a test of memory. After the digit come 24 empty rows, and then the network has to answer. Four
# networks, two by two: a simple RNN that starts with an orthogonal $U$, or half of one; an LSTM
# that starts with Keras' forget gate (0.73), or with an open one (0.99).

# %%
# Picture: test accuracy of four networks. The simple RNN reaches about 0.9 with an orthogonal U and
# far less with half of one; the LSTM far more with an open forget gate than with Keras' start.
from dataclasses import replace

EMPTY = ((0, 0), (0, 24), (0, 0), (0, 0))
longer = {f"x_{part}": np.pad(x, EMPTY) for part, (x, _) in digits.splits.items()}
later = replace(digits, **longer)
epochs = 1 if os.environ.get("DLCOURSE_SMOKE") else 15
found = {}
for cell, start in [("simple", 0.5), ("simple", 1), ("lstm", 1), ("lstm", 5)]:
    keras.utils.set_random_seed(0)
    model = dl.build_model("rnn", later, cell=cell, units=32)
    adam = keras.optimizers.Adam(0.005)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    W, U, b = model.get_layer(f"{cell}_1").get_weights()
    if cell == "simple":
        U, name = start * U, f"simple RNN, {start} × orthogonal U"
    else:
        b[32:64], name = start, f"LSTM, forget bias {start}"  # the second of the four gates
    model.get_layer(f"{cell}_1").set_weights([W, U, b])
    model.fit(later.x_train, later.y_train, epochs=epochs, verbose=0)
    found[name] = model.evaluate(later.x_test, later.y_test, verbose=0)[1]
ax = dl.plots.new_axes(figsize=(7, 2.4))
bars = ax.barh(list(found), list(found.values()), color=[COLOURS[k] for k in (0, 0, 1, 1)])
ax.bar_label(bars, fmt=" %.2f")
ax.axvline(0.1, color="0.4", ls=":")
ax.set(xlabel="test accuracy after 24 empty rows (dotted: chance)", xlim=(0, 1.1))
ax.invert_yaxis()

# %% [markdown]
# **What to notice.** The name of the cell alone does not decide. What decides is the factor a step.
# A simple RNN at factor 1 beats an LSTM whose gate starts by forgetting a quarter a step; the same
# LSTM with its gate open at the start remembers. In practice one takes an LSTM, since it can
# *learn* when to keep and when to forget, which an orthogonal matrix cannot; with long gaps, open
# its forget gate at the start.

# %% [markdown]
# ## What the slides got wrong here
#
# S3 says that conventional machine learning is probabilistic and so fails in sequence prediction.

# %%
from dlcourse.lessons import show

print(show("S3.sequence"))

# %% [markdown]
# Sequences of numbers over time, such as sunspots by year, are forecast too. A network is worth its
# training if it does better than the naive forecasts: the last value, or that of one season ago.
# The data set `series` measures both, and `dl.diagnose` says so where a network is no better.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("10.1")` helps, `solution("10.1")`
# tells.
#
# **10.1** A recurrent unit has w = 1, u = 0.5 and b = 0. It reads x₁ = 1 and x₂ = 0, and starts
# from h₀ = 0. What is h₂ (three digits)?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("10.1", answer)

# %% [markdown]
# **10.2** An LSTM of 32 units reads a digit of 8 × 8 pixels row by row. How many parameters does
# the layer have?

# %%
answer = ...
check("10.2", answer)

# %% [markdown]
# **10.3** Write a function `answer(c, i, f, g, o)` that takes an LSTM's memory, its input and
# forget gates, the candidate and the output gate, and returns the new memory and the new state,
# `(c, h)`.

# %%
answer = ...
check("10.3", answer)
