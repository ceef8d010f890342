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
# Text, speech and prices are *sequences*: one thing comes after another. In this notebook you turn
# sentences into numbers and read them with a recurrent network, an LSTM, a convolution and
# self-attention, each in a few lines of Keras. You compute the inside of three of them by hand.
# Then you ask two questions about the same sentences: for one the order of the words decides, for
# the other it does not.
#
# ## Look at the data
#
# Python comes with the text of its `help()`. Its sentences are the data; each belongs to a chapter.

# %% name="data"
# Collect the sentences of Python's help and the chapter of each; the last fifth is for validation.
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
train = len(sentences) * 4 // 5
print(f"{len(sentences)} sentences, {train} of them to train on, such as", *sentences[:3], sep="\n")

# %% [markdown]
# A network reads numbers. The layer `TextVectorization` numbers the words it has seen, the most
# frequent first. It keeps `max_tokens` of them: `0` fills a row up (*padding*), and `1` stands for
# every word that was not kept.

# %%
# Number the words; the vocabulary comes from the training sentences alone.
import keras
from keras import layers

vectorize = layers.TextVectorization(max_tokens=1000, output_sequence_length=25)
vectorize.adapt(sentences[:train])
numbers = np.array(vectorize(sentences))
example = numbers[train + 7 : train + 8]
print(*vectorize.get_vocabulary()[1:6], sentences[train + 7], example, sep="\n")

# %% [markdown]
# ## Embedding: a vector for every word
#
# The numbers are names, not sizes: word `6` is not twice word `3`. An *embedding* is a table with one
# row of weights per word. The layer looks the rows up, and training changes them like any weight.

# %%
# An embedding is a look-up in a table.
embedding = layers.Embedding(1000, 8, mask_zero=True)
vectors = embedding(example)
table = embedding.get_weights()[0]
print(table.shape, vectors.shape, np.array_equal(vectors, table[example]))

# %% [markdown] proof="below"
# **Predict, then run.** A sentence of a few words is padded with 30 more zeros. Does the last state
# of an LSTM change? With `mask_zero=True`, and without it?

# %% name="mask"
# Read a sentence and a padded copy of it, with a mask and without; the same with measured numbers.
keras.utils.set_random_seed(0)
lstm = layers.LSTM(4)
longer = np.pad(example, ((0, 0), (0, 30)))
for mask_zero in (True, False):
    table = layers.Embedding(1000, 8, mask_zero=mask_zero)
    change = lstm(table(longer)) / lstm(table(example)) - 1
    print(f"mask_zero={mask_zero}: the state changes by up to {np.abs(change).max():.0%}")
measured = np.ones((1, 5, 8))
filled = layers.Masking(0.0)(np.pad(measured, ((0, 0), (0, 30), (0, 0))))
print("measured numbers and a Masking layer:", np.allclose(lstm(filled), lstm(measured)))

# %% [markdown] proof="above"
# **What to notice.** With a *mask* the padding changes nothing: the layer skips the masked steps.
# Without a mask it reads the vector of word `0` 30 times. For sequences of numbers a layer `Masking`
# does what `mask_zero` does for words. Recurrent layers, attention and the mean over the steps know
# the mask; `Conv1D` does not.
#
# ## A recurrent network by hand
#
# At each step $t$ the new *state* $h_t$ comes from the input $x_t$ and from the state before:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0$$
#
# The weights $W$, $U$, $b$ are the same at every step. Below, two units read one number per step:
# first a `1`, then zeros.
#
# **Predict, then run.** Which states do you expect while the network reads the zeros?

# %% name="rnn"
# A recurrent network step by step, and Keras' layer with the same weights.
X = np.array([[1.0], [0], [0], [0]])  # 4 steps of 1 feature
W, U, b = np.array([[1.0, 0.5]]), np.array([[0.5, 0.3], [-0.3, 0.8]]), np.zeros(2)
h, states = np.zeros(2), []
for x in X:
    h = np.tanh(x @ W + h @ U + b)
    states.append(h)
layer = layers.SimpleRNN(2, return_sequences=True)
layer.build((None, 4, 1))
layer.set_weights([W, U, b])
print(np.round(states, 3), np.allclose(states, layer(X[None])[0], atol=1e-6), sep="\n")

# %% [markdown]
# The input was there at the first step only, and yet the later states are not zero: that is the
# network's memory. Keras computes the same; its layers take arrays (examples, steps, features).
#
# ## The gradient fades
#
# To learn that the first word decides, the gradient must flow from the last state back to the first
# input. Each step multiplies it by $U$ and by the slope of tanh:
#
# $$\frac{\partial h_T}{\partial h_t} = \prod_{s=t+1}^{T} \mathrm{diag}(1 - h_s^2)\, U^\top$$
#
# In the next cell $U$ is an orthogonal matrix (a rotation, perhaps with a mirror) times a factor.

# %% [markdown] proof="below"
# **Predict, then run.** How long is the gradient by the input 40 steps before the last, compared
# with that by the last input, if the factor is 0.5?

# %% name="fading" alt="The length of the gradient by the input over 40 steps back in time, on a logarithmic axis, for four factors: 0.5 falls in a steep straight line, 0.9 in a flat one, 1 stays nearly level, 1.2 rises."
# Back-propagation through time for four sizes of U: dh is the derivative by the state.
import matplotlib.pyplot as plt

rng = np.random.default_rng(0)
orthogonal = np.linalg.qr(rng.normal(size=(16, 16)))[0]
inputs, W = 0.02 * rng.normal(size=(41, 4)), rng.normal(size=(4, 16)) / 4
fig, ax = plt.subplots(figsize=(7, 3.2))
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
for factor, colour in zip((0.5, 0.9, 1, 1.2), COLOURS, strict=True):
    U, states, lengths = factor * orthogonal, [np.zeros(16)], []
    for x in inputs:
        states.append(np.tanh(x @ W + states[-1] @ U))
    dh = np.full(16, 1 / 4)  # the loss depends on the last state alone
    for h in states[:0:-1]:
        dz = dh * (1 - h**2)
        lengths.append(np.linalg.norm(dz @ W.T))
        dh = dz @ U.T
    ax.semilogy(lengths, color=colour, label=f"factor {factor}")
    far, ten = lengths[40] / lengths[0], lengths[10] / lengths[0]
    print(f"factor {factor}: 10 steps back {ten:.2g} times as long, 40 steps back {far:.2g} times")
ax.set(xlabel="steps before the last", ylabel="length of the gradient by the input")
ax.legend(frameon=False)
plt.show()

# %% [markdown] proof="above"
# **What to notice.** The axis is logarithmic: a straight line is a constant factor per step. At 0.5
# the gradient *vanishes*: ten steps back it is a thousandth as long as at the last step, so that
# training hardly sees what stood there. Above 1 it *explodes*, until tanh saturates. Keras starts
# `SimpleRNN` with an orthogonal $U$, a factor of 1; training may move it away.
#
# ## The LSTM's gates
#
# A *long short-term memory* (LSTM) keeps a second state, the memory $c$. Three *gates*, each a
# sigmoid between `0` (shut) and `1` (open), say what is written, what is kept, and what is shown:
#
# $$i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad g = \tanh(\ldots), \quad
# c_t = f c_{t-1} + i\,g, \quad h_t = o \tanh c_t$$
#
# Each gate, and the candidate $g$, has $W$, $U$ and $b$ of its own. Keras keeps the four side by
# side, in the order $i$, $f$, $g$, $o$. From $c_{t-1}$ to $c_t$ there is only the *forget gate*
# $f$: no matrix, no tanh.


# %% name="lstm"
# The LSTM by hand gives Keras' last state; its forget gate at the start; parameters of three layers.
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


W, U, b = lstm.get_weights()
h = c = np.zeros(4)
for x in np.array(vectors[0][example[0] > 0]):
    i, f, g, o = np.split(x @ W + h @ U + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
print("NumPy = Keras:", np.allclose(h, lstm(vectors)[0], atol=1e-6))
forget = sigmoid(b[4:8])
print(
    f"forget gate at the start, for z = b: {forget[0]:.2f}; after ten steps {forget[0] ** 10:.1%}"
)
for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
    print(kind.__name__, keras.Sequential([keras.Input((25, 32)), kind(32)]).count_params())

# %% [markdown] proof="above"
# **What to notice.** Keras starts with a forget gate near 0.73, which leaves 4 % of the memory after
# ten steps: an LSTM *can* keep what it has read, but whether it does is learned. A *GRU* (gated
# recurrent unit) has two gates, one state, and three quarters of the weights.
#
# ## Does the order matter?
#
# The first question: does a sentence stand in its own order, or are its words shuffled? Each
# sentence is in the data twice, once as it is (class `1`) and once shuffled (class `0`).


# %% name="order"
# The first question's data, and one training for every network; it prints the accuracy.
def shuffled(rows):
    rng = np.random.default_rng(1)
    return np.array([[*rng.permutation(row[row > 0]), *row[row == 0]] for row in rows])


halves = numbers[:train], numbers[train:]
ORDER = [(np.concatenate([x, shuffled(x)]), np.repeat([1, 0], len(x))) for x in halves]


def trained(name, build, data=ORDER, rate=0.01):
    (x, y), (x_val, y_val) = data
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    model.fit(x, y, batch_size=128, epochs=6, verbose=0)
    correct = (np.array(model(x_val))[:, 0] > 0.5) == y_val
    print(f"{name}: validation accuracy {correct.mean():.3f}")
    return model


# %% [markdown]
# The simplest network takes the mean of the words' vectors, a *bag of words*. Its output is the
# probability that the sentence stands in its order.
#
# **Predict, then run.** Which accuracy can training give this network?


# %% name="bag"
# The bag of words, untrained: its answers to 400 sentences and to their shuffled copies.
def bag_of_words():
    return keras.Sequential(
        [
            layers.Embedding(1000, 32, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


(x, _), _ = ORDER
model = bag_of_words()
difference = np.abs(model(x[:400]) - model(x[train : train + 400])).max()
print(f"largest difference of the probabilities: {difference:.1e}")

# %% [markdown]
# **What to notice.** Whatever its weights are, it gives both copies the same answer but for
# rounding, and one of the two is always wrong: one half is all that training can reach.
#
# A *convolution* over time looks at three neighbouring words with each of its filters; the maximum
# over the steps says how well a filter fits where it fits best.


# %% name="convolution"
# A convolution over three words.
def convolution():
    return keras.Sequential(
        [
            layers.Embedding(1000, 32),
            layers.Conv1D(32, 3, padding="same", activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


_ = trained("convolution", convolution, rate=0.003)

# %% [markdown]
# The simple RNN and the LSTM read word by word; their last state goes to the output.
#
# **Predict, then run.** Which of the two is better?


# %% name="recurrent"
# The recurrent networks.
def reader(recurrent):
    return keras.Sequential(
        [
            layers.Embedding(1000, 32, mask_zero=True),
            recurrent,
            layers.Dense(1, activation="sigmoid"),
        ]
    )


_ = trained("simple RNN", lambda: reader(layers.SimpleRNN(32)))
_ = trained("LSTM", lambda: reader(layers.LSTM(32)))

# %% [markdown]
# Is an LSTM always better, then? The next cell looks at *untrained* layers. They read the rows of two
# digits of `8 × 8` pixels, one after another, and then empty rows. How long do their states remember
# which of the two digits it was?
#
# **Predict, then run.** Which of the two layers remembers longer?

# %% name="memory" alt="The difference of the states after two digits against the number of empty rows that follow, on a logarithmic axis. That of the simple RNN stays near its start, that of the LSTM falls steadily to less than a hundredth."
# The difference between the states after two digits, while 0 to 24 empty rows follow.
from sklearn.datasets import load_digits

rows = np.pad(load_digits().images[:2] / 16, ((0, 0), (0, 24), (0, 0)))
fig, ax = plt.subplots(figsize=(7, 3))
for kind, colour in zip((layers.SimpleRNN, layers.LSTM), COLOURS, strict=False):
    keras.utils.set_random_seed(0)
    one, other = kind(32, return_sequences=True)(rows)
    distance = np.linalg.norm(one - other, axis=1)[7:]
    ax.semilogy(distance, color=colour, label=kind.__name__)
    print(f"{kind.__name__}: {distance[24] / distance[0]:.2g} of the difference is left")
ax.set(xlabel="empty rows after the digits", ylabel="difference of the states", ylim=(1e-4, 10))
ax.legend(frameon=False)
plt.show()

# %% [markdown] proof="above test_notebook_10::test_after_empty_rows_a_simple_rnn_beats_an_lstm"
# **What to notice.** The orthogonal $U$ of the simple RNN keeps what a gate of 0.73 loses. Training
# does not always make up for this: on the digits with 24 empty rows, a simple RNN reaches 0.79 to
# 0.90 and an LSTM 0.10 to 0.36 after the same ten epochs (three seeds). On the sentences the LSTM is
# the better one. Neither is better as such: measure before you choose.
#
# ## Self-attention
#
# *Self-attention* reads all words at once. Each word has a *query* (what it looks for), a *key*
# (what it offers) and a *value* (what it passes on), each by a matrix of weights. How well key $j$
# fits query $i$ is their product; a softmax turns the scores of a query into weights whose sum is one;
# and the word takes the weighted mean of all values:
#
# $$\mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt d}\right) V, \qquad
# Q = X W_q + b_q, \quad K = X W_k + b_k, \quad V = X W_v + b_v$$

# %% name="by-hand"
# One head of self-attention by hand, and Keras' layer with the same weights.
words = np.array(vectors[0][example[0] > 0])  # one row per word
attend = layers.MultiHeadAttention(num_heads=1, key_dim=8)
output = attend(words[None], words[None])
*projections, W_out, b_out = attend.get_weights()
kernels, biases = projections[::2], projections[1::2]
Q, K, V = (words @ W[:, 0] + b[0] for W, b in zip(kernels, biases, strict=True))
weights = np.exp(Q @ K.T / np.sqrt(8))
weights = weights / weights.sum(axis=1, keepdims=True)
print("NumPy = Keras:", np.allclose(weights @ V @ W_out[0] + b_out, output[0], atol=1e-6))

# %% [markdown]
# A *transformer* block is self-attention, then two dense layers for each word; both add their
# outputs to their inputs.
#
# **Predict, then run.** Can this block tell a sentence from its shuffled copy?


# %% name="attention"
# A transformer block, first without the words' positions: are the answers to both copies equal?
def attention(with_positions=True):
    words = keras.Input((25,), dtype="int32")
    x = layers.Embedding(1000, 32, mask_zero=True)(words)
    if with_positions:  # 1, 2, 3, …, and 0 at the padding
        present = keras.ops.sign(words)
        positions = keras.ops.cumsum(present, axis=1) * present
        x = layers.Add()([x, layers.Embedding(26, 32, mask_zero=True)(positions)])
    y = layers.LayerNormalization(name="tokens")(x)
    y = layers.MultiHeadAttention(num_heads=1, key_dim=32, name="attention")(y, y)
    x = layers.Add()([x, y])
    y = layers.LayerNormalization()(x)
    y = layers.Dense(32)(layers.Dense(128, activation="gelu")(y))
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


model, (x, _) = attention(with_positions=False), ORDER[0]
difference = np.abs(model(x[:400]) - model(x[train : train + 400])).max()
print(f"largest difference of the probabilities: {difference:.1e}")

# %% [markdown]
# It cannot: the formula does not contain the words' places, so that shuffled words give shuffled
# outputs, and their mean stays the same. The cure is a second embedding: a vector for each
# position, added to the vector of the word there.

# %% name="map" alt="A square map of attention weights of one validation sentence, one row per word that asks and one column per word that it takes from; a few columns are darker than the rest in most rows."
# Train with positions, and draw how much each word of a sentence takes from each.
attention_model = trained("attention with positions", attention, rate=0.003)
tokens = keras.Model(attention_model.input, attention_model.get_layer("tokens").output)
words = sentences[train + 7].split()
x, layer = tokens(example)[:, : len(words)], attention_model.get_layer("attention")
weights = layer(x, x, return_attention_scores=True)[1][0, 0]
fig, ax = plt.subplots(figsize=(6, 5))
fig.colorbar(ax.imshow(weights, cmap="Blues", vmin=0, vmax=1), label="weight")
ax.set(xlabel="… takes from this word", ylabel="this word …")
ax.set_xticks(range(len(words)), words, rotation=60, ha="right")
ax.set_yticks(range(len(words)), words)
plt.show()

# %% [markdown]
# Is the first word perhaps enough? Classic models answer: logistic regression on the first word
# alone, and on all pairs of neighbouring words.

# %% name="classic"
# Two classic models for the same question.
from itertools import pairwise

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

(x, y), (x_val, y_val) = ORDER
FEATURES = {"first word": lambda row: [row[0]], "pairs": lambda row: [*pairwise(row[row > 0])]}
for name, features in FEATURES.items():
    counts = CountVectorizer(analyzer=features, binary=True)
    classic = LogisticRegression(max_iter=500).fit(counts.fit_transform(x), y)
    print(f"{name}: validation accuracy {classic.score(counts.transform(x_val), y_val):.3f}")

# %% [markdown]
# **What to notice.** Neighbours decide: the convolution is the best, and pairs of words, simply
# counted, are second. The first word alone tells much. Attention assumes the least about a
# sequence: it must learn that neighbours belong together, and for this the sentences are too few.
#
# ## The same as recipes
#
# The four networks are in the course's recipes, too (`dlcourse recipes`): a recipe's `model` names
# the builder, its settings are the builder's. With the weights copied they give the same answers.

# %% name="recipes"
# The networks as the recipes' builders: as many parameters, and equal answers with equal weights.
TEXT = {"input_shape": (25,), "num_outputs": 1, "vocabulary": 1000}
PAIRS = {
    "mean_embedding": (bag_of_words(), dl.models.mean_embedding(**TEXT, units=32)),
    "rnn": (reader(layers.LSTM(32)), dl.models.rnn(**TEXT, cell="lstm", units=32)),
    "cnn1d": (
        convolution(),
        dl.models.cnn1d(**TEXT, filters=[32], kernel_size=3, pooling="max"),
    ),
    "attention": (attention(), dl.models.attention(**TEXT, units=32, heads=1)),
}
full = numbers[(numbers > 0).all(axis=1)]  # sentences of 25 words: the recipe's Conv1D masks, too
for name, (own, built) in PAIRS.items():
    answers = own(full)
    built.set_weights(own.get_weights())
    assert np.allclose(answers, built(full), atol=1e-6)
    print(f"{name}: {own.count_params()} parameters, as the recipe's; the answers are equal")

# %% [markdown]
# ## When the words decide
#
# The second question about the same sentences: are they from a chapter on objects and types, or
# from one on statements and the debugger?
#
# **Predict, then run.** Which network is the best, and by how much?

# %% name="topic"
# The second question: which topic?
OBJECTS = ("type", "string", "format", "special", "attribute", "custom", "sequence", "object")
about = np.array([chapters[sentence].startswith(OBJECTS) for sentence in sentences], dtype=int)
TOPIC = (numbers[:train], about[:train]), (numbers[train:], about[train:])
print(f"{len(about) - train} validation sentences, {about[train:].mean():.2f} of class 1")
_ = trained("bag of words", bag_of_words, TOPIC)
_ = trained("convolution", convolution, TOPIC, rate=0.003)

# %% [markdown] proof="above"
# **What to notice.** For the topic the bag of words is as good as the network that was best for the
# order: with 460 validation sentences, a difference of 0.03 may be chance. Ask first whether the
# order matters. If it does not, the mean of the words is smaller, faster and enough. The recipes
# `movie_reviews_mean_embedding`, `_cnn1d`, `_lstm` and `_attention` ask the same of film reviews;
# `dlcourse train movie_reviews_lstm` trains one, and the head of each file in `configs` says what it
# reached.

# %% [markdown] proof="below"
# ## Another kind of sequence
#
# `mnist1d` holds digits drawn as signals of 40 steps, shifted, stretched and noisy. The last
# exercise asks for a network that reads them.

# %% alt="Six noisy signals over 40 steps: three of the digit 0 in solid lines, three of the digit 1 dashed. Signals of one digit share a shape, which stands at different steps."
# Draw three signals of each of two digits.
signals = dl.load_dataset("mnist1d")
fig, ax = plt.subplots(figsize=(7, 3.2))
for digit, style, colour in ((0, "-", "#0072B2"), (1, "--", "#D55E00")):
    of_digit = signals.x_train[signals.y_train == digit, :, 0]
    ax.plot(of_digit[:3].T, style, color=colour)
ax.set(xlabel="step", ylabel="signal, standardised")
ax.set_title("Three signals of the digit 0, three of the digit 1 (dashed)")
plt.show()

# %% [markdown]
# ## In five lines
#
# - An embedding turns each word into a vector that is learned; a mask keeps padding out.
# - A recurrent network carries a state from word to word; over many steps its gradient fades.
# - An LSTM has gates that learn what to keep. A convolution finds short patterns anywhere.
# - Self-attention compares all words with all words; without positions it does not see their order.
# - Where the words alone decide, a bag of words is as good: measure it first.
#
# ## Further reading
#
# - Olah 2015, [Understanding LSTM
#   networks](https://colah.github.io/posts/2015-08-Understanding-LSTMs/): the gates in pictures.
# - Keras, [Masking and padding](https://keras.io/guides/understanding_masking_and_padding/): which
#   layers know a mask, and how to write one that does.
# - Vaswani et al. 2017, [Attention is all you need](https://arxiv.org/abs/1706.03762): equation 1 is
#   the formula above; the transformer around it.
# - Kim 2014, [Convolutional neural networks for sentence
#   classification](https://arxiv.org/abs/1408.5882): filters over words.
# - Joulin et al. 2016, [Bag of tricks for efficient text
#   classification](https://arxiv.org/abs/1607.01759): how far the mean of the words goes.
# - Zhang et al., [Dive into deep learning](https://d2l.ai), the chapters on recurrent networks and on
#   attention: both from scratch and in a library.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("10.1")` helps, `solution("10.1")`
# tells.
#
# ### Quick checks
#
# **10.1** A recurrent unit has w = 1, u = 0.5 and b = 0. It reads x₁ = 1 and x₂ = 0, and starts
# from h₀ = 0. What is h₂ (three digits)?

# %%
# 10.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("10.1", answer)

# %% [markdown]
# **10.2** How many weights, biases included, has the layer `LSTM(32)` if each step of its input is a
# vector of 16 numbers?

# %%
# 10.2: your answer
answer = ...
check("10.2", answer)

# %% [markdown]
# **10.3** Which of these networks always give a sentence and the same words in another order the
# same answer? Each begins with `Embedding` and ends with `Dense(1)`; between them are:
# (a) `GlobalAveragePooling1D`.
# (b) `Conv1D(32, 3)` and `GlobalMaxPooling1D`.
# (c) `SimpleRNN(32)`.
# (d) `Conv1D(32, 1)` and `GlobalMaxPooling1D`.
# (e) `MultiHeadAttention(2, 16)`, without positions, and `GlobalAveragePooling1D`.
# Answer with all their letters, such as {"a", "b"}.

# %%
# 10.3: your answer
answer = ...
check("10.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **10.4** Complete scaled dot-product attention. `Q` (queries, d), `K` (keys, d) and `V` (keys, n)
# are arrays; `mask` (keys,) is True for a word and False for padding. `weights` is the softmax of
# each query's scores over the words alone, and exactly 0 for padding.


# %%
# 10.4: complete the function
def answer(Q, K, V, mask):
    scores = ...  # how well each key fits each query: (queries, keys)
    weights = ...  # each row sums to 1
    output = ...
    return weights, output


check("10.4", answer)

# %% [markdown]
# ### Build a network
#
# **10.5** Write a function `answer(x_train, y_train)` that builds a network in Keras, trains it on
# the 3,400 training signals of `mnist1d`, and returns it, in about ten seconds. `check` hands it the
# signals. The bar: it reads at least 90 % of 1,000 new signals correctly. Two dense layers reach
# 60 %.


# %%
# 10.5: your network
def answer(x_train, y_train):
    return ...


check("10.5", answer)
