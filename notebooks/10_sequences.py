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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
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

# %% [markdown] slides="S3 sequence prediction"
# ## The goal
#
# Text, speech and prices are *sequences*: one thing comes after another. In this notebook you turn
# sentences into numbers and read them with a recurrent network, an LSTM, a convolution and
# self-attention, each in a few lines of Keras. You compute the inside of the first two by hand, and
# that of attention in an exercise. Then you ask two questions about the same sentences: for one the
# order of the words decides, for the other it does not.
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
    # A sentence ends at . : ? or !, or at an empty line; a word is a row of letters.
    for sentence in re.split(r"(?<=[.:?!])\s+|\n\s*\n", text):
        words = re.findall("[a-z]+", sentence.lower())
        if 6 <= len(words) <= 25:
            chapters.setdefault(" ".join(words), chapter)
sentences = np.random.default_rng(0).permutation(list(chapters))
train = len(sentences) * 4 // 5
print(train, "sentences to train on,", len(sentences) - train, "to validate with:", sentences[0])

# %% [markdown]
# A network reads numbers. The layer `TextVectorization` numbers the words it has seen, the most
# frequent first. It uses `max_tokens` numbers: `0` fills a row up (*padding*), and `1` stands for
# every word that was not kept.

# %%
# Number the words; the vocabulary comes from the training sentences alone.
import keras
from keras import layers

vectorize = layers.TextVectorization(max_tokens=1000, output_sequence_length=25)
vectorize.adapt(sentences[:train])
numbers = np.array(vectorize(sentences))
example = numbers[train + 7 : train + 8]
print(" ".join(vectorize.get_vocabulary()[1:6]), sentences[train + 7], example, sep="\n")

# %% [markdown]
# ## Embedding: a vector for every word
#
# The numbers are names, not sizes: word `6` is not twice word `3`. An *embedding* is a table with
# one row of weights per word. The layer looks the rows up, and training changes them like any
# weight. With `mask_zero=True` it also tells the layers after it which words are padding.

# %%
# An embedding is a look-up in a table.
embedding = layers.Embedding(1000, 8, mask_zero=True)
vectors = embedding(example)
print(vectors.shape, np.array_equal(vectors, embedding.get_weights()[0][example]))

# %% [markdown] proof="below"
# The layer `LSTM`, whose inside follows below, reads such vectors one after another, and what it
# has read so far is kept in a vector, its state.
#
# **Predict, then run.** A sentence of a few words is padded with 30 more zeros. Does the last state
# of an LSTM change with `mask_zero=True`? And without it?

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

# %% [markdown] proof="above" slides="S4 recurrent networks"
# **What to notice.** With a *mask* the padding changes nothing: the layer skips the masked steps.
# Without a mask it reads the vector of word `0` 30 times. For sequences of numbers a layer
# `Masking` does what `mask_zero` does for words. Recurrent layers, attention and the mean over the
# steps know the mask; `Conv1D` does not.
#
# ## A recurrent network by hand
#
# At each step $t$ the new *state* $h_t$ comes from the input $x_t$ and from the state before:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0$$
#
# The weights $W$, $U$, $b$ are the same at every step. Below, a layer of two neurons (also called
# *units*) reads one number per step: first a `1`, then zeros.
#
# **Predict, then run.** Which states do you expect while the network reads the zeros?


# %% name="rnn"
# A recurrent network step by step, and Keras' layer with the same weights.
def states_of(X, W, U, b=0):
    states = [np.zeros(len(U))]
    for x in X:
        states.append(np.tanh(x @ W + states[-1] @ U + b))
    return states


X = np.array([[1.0], [0], [0], [0]])  # 4 steps of 1 feature
weights = np.array([[1.0, 0.5]]), np.array([[0.5, 0.3], [-0.3, 0.8]]), np.zeros(2)
layer = layers.SimpleRNN(2, return_sequences=True)
layer.build((None, 4, 1))
layer.set_weights(weights)
states = states_of(X, *weights)
print(np.round(states, 3), np.allclose(states[1:], layer(X[None])[0], atol=1e-6), sep="\n")

# %% [markdown] slides="S2 vanishing and exploding gradients"
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
# In the next cell $U$ is a factor times an *orthogonal matrix*: a rotation, perhaps with a mirror,
# which keeps the length of every vector.

# %% [markdown] proof="below"
# **Predict, then run.** How long is the gradient by the input 40 steps before the last, compared
# with that by the last input, if the factor is 0.5?

# %% name="fading" alt="The length of the gradient by the input over 40 steps back in time, on a logarithmic axis, for four factors: 0.5 falls in a steep straight line, 0.9 in a flat one, 1 stays nearly level, 1.2 rises."
# Back-propagation through time for four sizes of U: dh is the derivative by the state.
import matplotlib.pyplot as plt

rng = np.random.default_rng(0)
orthogonal = np.linalg.qr(rng.normal(size=(16, 16)))[0]
inputs, W = 0.02 * rng.normal(size=(41, 4)), rng.normal(size=(4, 16)) / 4
plt.figure(figsize=(7, 3.2))
for factor, colour in ((0.5, "#0072B2"), (0.9, "#D55E00"), (1, "#009E73"), (1.2, "#CC79A7")):
    dh, lengths = np.full(16, 1 / 4), []  # the loss depends on the last state alone
    for h in states_of(inputs, W, factor * orthogonal)[:0:-1]:  # from the last state back
        dz = dh * (1 - h**2)
        lengths.append(np.linalg.norm(dz @ W.T))
        dh = dz @ (factor * orthogonal).T
    plt.semilogy(lengths, color=colour, label=f"factor {factor}")
    back = [f"{steps} steps back {lengths[steps] / lengths[0]:.2g} times" for steps in (10, 40)]
    print(f"factor {factor}:", *back)
plt.gca().set(xlabel="steps before the last", ylabel="length of the gradient by the input")
plt.legend(frameon=False)
plt.show()

# %% [markdown] proof="above" slides="S0 LSTM"
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
# The LSTM by hand gives Keras' last state (expit is the sigmoid); its forget gate at the start.
from scipy.special import expit

W, U, b = lstm.get_weights()
h = c = np.zeros(4)
for x in np.array(vectors[0][example[0] > 0]):
    i, f, g, o = np.split(x @ W + h @ U + b, 4)
    c = expit(f) * c + expit(i) * np.tanh(g)
    h = expit(o) * np.tanh(c)
print("NumPy = Keras:", np.allclose(h, lstm(vectors)[0], atol=1e-6))
# The biases are in the same order as the gates: b[4] is that of the first unit's forget gate.
print(f"forget gate for z = b: {expit(b[4]):.2f}; ten times: {expit(b[4]) ** 10:.1%}")

# %% [markdown] proof="above"
# **What to notice.** Keras starts with a forget gate near 0.73, which leaves 4 % of the memory
# after ten steps: an LSTM *can* keep what it has read, but whether it does is learned. A *GRU*
# (gated recurrent unit, `layers.GRU`) does with two gates and one state.
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
# The bag of words, untrained: its answers to the validation sentences and to their shuffled copies.
def bag_of_words():
    words, mean = layers.Embedding(1000, 32, mask_zero=True), layers.GlobalAveragePooling1D()
    return keras.Sequential([words, mean, layers.Dense(1, activation="sigmoid")])


def difference(model):
    return np.abs(np.subtract(*np.split(model(ORDER[1][0]), 2))).max()


print(f"largest difference of the probabilities: {difference(bag_of_words()):.1e}")

# %% [markdown]
# **What to notice.** Whatever its weights are, it gives both copies the same answer but for
# rounding, and one of the two is always wrong: one half is all that training can reach.
#
# A *convolution* over time looks at three neighbouring words with each of its filters; the maximum
# over the steps says how well a filter fits where it fits best.


# %% name="convolution"
# A convolution over three words.
def convolution():
    words = layers.Embedding(1000, 32)
    filters = layers.Conv1D(32, 3, padding="same", activation="relu")
    anywhere = layers.GlobalMaxPooling1D()
    return keras.Sequential([words, filters, anywhere, layers.Dense(1, activation="sigmoid")])


_ = trained("convolution", convolution, rate=0.003)

# %% [markdown]
# The simple RNN and the LSTM read word by word; their last state goes to the output.
#
# **Predict, then run.** Which of the two is better?


# %% name="recurrent"
# The recurrent networks.
def reader(recurrent):
    words = layers.Embedding(1000, 32, mask_zero=True)
    return keras.Sequential([words, recurrent, layers.Dense(1, activation="sigmoid")])


_ = trained("simple RNN", lambda: reader(layers.SimpleRNN(32)))
_ = trained("LSTM", lambda: reader(layers.LSTM(32)))

# %% [markdown]
# Is an LSTM always better, then? The next cell looks at *untrained* layers. They read the rows of
# two digits of `8 × 8` pixels, one after another, and then empty rows. How long do their states
# remember which of the two digits it was?
#
# **Predict, then run.** Which of the two layers remembers longer?

# %% name="memory"
# The difference between the states after two digits, while 0 to 24 empty rows follow.
digits = dl.load_dataset("digits").x_train[:2, :, :, 0]
rows = np.pad(digits / 16, ((0, 0), (0, 24), (0, 0)))
for kind in (layers.SimpleRNN, layers.LSTM):
    keras.utils.set_random_seed(0)
    one, other = kind(32, return_sequences=True)(rows)
    distance = np.linalg.norm(one - other, axis=1)[7:]
    print(kind.__name__, *(f"{n} rows: {distance[n] / distance[0]:.2g}" for n in (0, 8, 16, 24)))

# %% [markdown] proof="above test_notebook_10::test_after_empty_rows_a_simple_rnn_beats_an_lstm"
# **What to notice.** After 24 empty rows more than a quarter of the difference is left in the
# simple RNN, and 1 % in the LSTM: an orthogonal $U$ keeps what a gate of 0.73 loses. Training does
# not always make up for this: on the digits with 24 empty rows, a simple RNN reaches 0.79 to 0.90
# and an LSTM 0.10 to 0.36 after the same ten epochs (three seeds). On the sentences the LSTM is the
# better one. Neither is better as such: measure before you choose.
#
# ## Self-attention
#
# *Self-attention* reads all words at once. Each word has a *query* (what it looks for), a *key*
# (what it offers) and a *value* (what it passes on), each by a matrix of weights. How well key $j$
# fits query $i$ is their product; a softmax turns the scores of a query into weights whose sum is
# one; and the word takes the weighted mean of all values:
#
# $$\mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt d}\right) V, \qquad
# Q = X W_q + b_q, \quad K = X W_k + b_k, \quad V = X W_v + b_v$$
#
# Several of these side by side, with matrices of their own, are the *heads* of a layer; here there
# is one. A *transformer* block is self-attention, then two dense layers for each word; both add
# their outputs to their inputs. Before each, and at the end, a *layer normalization* brings the
# vector of each word to mean zero and spread one.
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
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(num_heads=1, key_dim=32)(y, y)])
    y = layers.LayerNormalization()(x)
    y = layers.Dense(32)(layers.Dense(128, activation="gelu")(y))  # gelu: a smooth ReLU
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(x))


print(f"largest difference of the probabilities: {difference(attention(with_positions=False)):.1e}")

# %% [markdown]
# It cannot: the formula does not contain the words' places, so that shuffled words give shuffled
# outputs, and their mean stays the same. The cure is a second embedding: a vector for each
# position, added to the vector of the word there.

# %% name="map" alt="A square map of attention weights of one validation sentence, one row per word that asks and one column per word that it takes from; brighter cells are larger weights."
# Train with positions, and draw how much each word of a sentence takes from each.
attention_model = trained("attention with positions", attention, rate=0.003)
words = sentences[train + 7].split()
(maps,) = dl.attention_maps(attention_model, example).values()
dl.plots.attention(maps[0, :, : len(words), : len(words)], words)
plt.show()

# %% [markdown]
# **What to notice.** Here neighbours decide, and the convolution, which looks at nothing else, is
# the best of the four. Attention assumes the least about a sequence: it must learn that neighbours
# belong together, and for this the sentences are too few.
#
# ## The same as recipes
#
# These networks are in the course's recipes, too (`dlcourse recipes`): a recipe's `model` names the
# builder, its settings are the builder's arguments. With the weights copied, the answers are the
# same.

# %% name="recipes"
# Three of them as the recipes' builders: as many parameters, equal answers with equal weights.
TEXT = {"input_shape": (25,), "num_outputs": 1, "vocabulary": 1000}
PAIRS = [
    (reader(layers.LSTM(32)), dl.models.rnn(**TEXT, cell="lstm", units=32)),
    (convolution(), dl.models.cnn1d(**TEXT, filters=[32], kernel_size=3, pooling="max")),
    (attention(), dl.models.attention(**TEXT, units=32, heads=1)),
]
full = numbers[(numbers > 0).all(axis=1)]  # sentences of 25 words: the recipe's Conv1D masks, too
for own, built in PAIRS:
    own(full)
    built.set_weights(own.get_weights())
    assert np.allclose(own(full), built(full), atol=1e-6)
    print(own.count_params(), "parameters in both; the answers are equal")

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
_ = trained("bag of words", bag_of_words, TOPIC)
_ = trained("convolution", convolution, TOPIC, rate=0.003)

# %% [markdown] proof="data"
# **What to notice.** For the topic the bag of words is as good as the network that was best for the
# order: with 460 validation sentences, a difference of a few hundredths may be chance. Ask first
# whether the order matters. If it does not, the mean of the words is smaller, faster and enough.
# The recipes `movie_reviews_mean_embedding`, `_cnn1d`, `_lstm` and `_attention` ask the same of
# film reviews; `dlcourse train movie_reviews_lstm` trains one, and the head of each file in
# `configs` says what it reached.

# %% [markdown]
# ## Another kind of sequence
#
# `mnist1d` holds digits drawn as short signals, shifted, stretched and noisy. The last exercise
# asks for a network that reads them. A series of measurements, such as the sunspots of each year,
# is a sequence too. There, compare with a *naive* forecast first: the last value, or the one of a
# season ago.

# %% alt="Six noisy signals over 40 steps: three of the digit 0 in solid lines, three of the digit 1 dashed. Signals of one digit share a shape, which stands at different steps."
# Draw three signals of each of two digits.
signals = dl.load_dataset("mnist1d")
for digit, style, colour in ((0, "-", "#0072B2"), (1, "--", "#D55E00")):
    plt.plot(signals.x_train[signals.y_train == digit][:3, :, 0].T, style, color=colour)
plt.gca().set(xlabel="step", ylabel="signal, standardised", title="Three 0s, and three 1s (dashed)")
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
# - Vaswani et al. 2017, [Attention is all you need](https://arxiv.org/abs/1706.03762): equation 1
#   is the formula above; the transformer around it.
# - Kim 2014, [Convolutional neural networks for sentence
#   classification](https://arxiv.org/abs/1408.5882): filters over words.
# - Joulin et al. 2016, [Bag of tricks for efficient text
#   classification](https://arxiv.org/abs/1607.01759): how far the mean of the words goes.
# - Zhang et al., [Dive into deep learning](https://d2l.ai), the chapters on recurrent networks and
#   on attention: both from scratch and in a library.
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
# **10.2** How many weights, biases included, has the layer `LSTM(32)` if each step of its input is
# a vector of 16 numbers?

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
    scores = Q @ K.T / ...  # how well each key fits each query: (queries, keys)
    powers = np.where(mask, np.exp(scores), ...)  # nothing is taken from padding
    weights = powers / ...
    return weights, weights @ V


check("10.4", answer)

# %% [markdown]
# ### Build a network
#
# **10.5** Write a function `answer(x_train, y_train)` that builds a network in Keras, trains it on
# the 3,400 training signals of `mnist1d`, and returns it, in about ten seconds. `check` hands it
# the signals. The bar: it reads at least 90 % of 1,000 new signals correctly. Two dense layers
# reach 60 %.


# %%
# 10.5: your network
def answer(x_train, y_train):
    model = keras.Sequential([keras.Input((40, 1)), ...])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, epochs=..., verbose=0)
    return model


check("10.5", answer)
