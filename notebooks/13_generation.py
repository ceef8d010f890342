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
# # Generation
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** Can a network draw digits that nobody wrote, and how do you know that they are good?
#
# **Slides.** S0 (the GAN beside the CNN and the LSTM), S2 (unsupervised learning, anomaly
# detection), S4 (generation among the applications).
#
# **Time.** A minute to run, 60 minutes to read.
#
# **Prerequisites.** Notebooks 05 (back-propagation) and 06 (the first deep network).

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

# %% [markdown] slides="S0 GAN; S4 generation among the applications"
# ## The goal
#
# Every network so far turned an image into an answer. S0 draws one more kind beside the CNN and the
# LSTM, the *generative adversarial network* (GAN), and S4 lists what such networks make: art,
# music, text, design. In this notebook you write a GAN in plain Keras, two networks that learn
# against each other, and then the harder part: four numbers that say how good its pictures are, and
# what each of them cannot see. At the end an *autoencoder* squeezes each digit into two numbers,
# and finds pictures that do not belong.

# %% name="data" alt="A row of ten coarse grey handwritten digits, 0 to 9, of 8 by 8 pixels each, with the class above."
# Load the digits, and look at one of each class; the classes as rows with a single one
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from matplotlib import pyplot as plt
from sklearn import metrics, svm

digits = dl.load_dataset("digits", validation_fraction=0.3)
x, x_new = digits.x_train.astype("float32"), digits.x_val.astype("float32")
x_test, names = digits.x_test.astype("float32"), digits.class_names
one_hot = np.eye(10, dtype="float32")
y = one_hot[digits.y_train]
_ = dl.plots.image_grid(x[[list(digits.y_train).index(k) for k in range(10)]], names, columns=10)

# %% [markdown]
# ## Two networks
#
# The *generator* $G$ takes a class $c$ and *noise* $z$, some random numbers, and draws an image.
# The noise makes one seven differ from the next. The *discriminator* $D$ takes an image and its
# class, and gives one logit: above zero for what it takes for real. Nobody tells the generator what
# a digit looks like. All it learns comes through the discriminator.
#
# The discriminator sees its images with a little noise and loses a part of its neurons to dropout:
# a discriminator that is always certain would have no gradient left for the generator. The bend is
# a *leaky* ReLU, which lets a little of the negative side through, for the same reason.


# %% name="networks"
# Both networks in Keras: images of 8 by 8 pixels from 0 to 16
keras.utils.set_random_seed(0)
NOISE = 16
z, c, image = keras.Input((NOISE,)), keras.Input((10,)), keras.Input((8, 8, 1))

hidden = layers.Concatenate()([z, c])
for _ in range(2):
    hidden = layers.LeakyReLU(0.2)(layers.Dense(128)(hidden))
pixels = layers.Dense(64, activation="sigmoid")(hidden)
generator = keras.Model([z, c], layers.Rescaling(16)(layers.Reshape((8, 8, 1))(pixels)))

noisy = layers.GaussianNoise(0.1)(layers.Rescaling(1 / 8, offset=-1)(image))
hidden = layers.Concatenate()([layers.Flatten()(noisy), c])
for neurons in (128, 64):
    hidden = layers.Dropout(0.3)(layers.LeakyReLU(0.2)(layers.Dense(neurons)(hidden)))
discriminator = keras.Model([image, c], layers.Dense(1)(hidden))

# %% [markdown] proof="discriminator-step"
# ## The discriminator's step
#
# The discriminator does a logistic regression (notebook 03) with the labels "real" and "generated".
# Its loss is the mean of two cross-entropies:
#
# $$L_D = -\frac{1}{2} \overline{\log \sigma(D(x, c))}
# - \frac{1}{2} \overline{\log\left(1 - \sigma(D(G(z, c), c))\right)}$$
#
# The label of real images is 0.9 instead of 1 (*label smoothing*), which again keeps it from being
# certain. The images are generated before the tape starts: for this step they are fixed data.
#
# **Predict, then run.** What is the loss of a discriminator that knows nothing yet? And whose
# weights will have changed after the step?


# %% name="discriminator-step"
# One step of the discriminator; the generator's weights stay
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
adam_d, adam_g = (keras.optimizers.Adam(0.001, beta_1=0.5) for _ in range(2))


def drawn(classes):
    noise = tf.random.normal((tf.shape(classes)[0], NOISE))
    return generator([noise, classes])


@tf.function  # compiled: about ten times as fast
def discriminator_step(images, classes):
    generated = drawn(classes)
    with tf.GradientTape() as tape:
        real = discriminator([images, classes], training=True)
        false = discriminator([generated, classes], training=True)
        loss = cross_entropy(0.9 * tf.ones_like(real), real) / 2
        loss += cross_entropy(tf.zeros_like(false), false) / 2
    weights = discriminator.trainable_variables
    adam_d.apply(tape.gradient(loss, weights), weights)
    return loss


def moved(step, *batch):
    before = [model.get_weights() for model in (generator, discriminator)]
    loss, after = step(*batch), [model.get_weights() for model in (generator, discriminator)]
    pairs = zip(before, after, strict=True)
    return float(loss), [any(map(np.any, map(np.subtract, a, b))) for a, b in pairs]


loss, changed = moved(discriminator_step, x[:64], y[:64])
assert changed == [False, True]
print(f"loss {loss:.2f}; that of even odds is log 2 = {np.log(2):.2f}")

# %% [markdown]
# ## The generator's step
#
# The generator wants the discriminator to say "real":
#
# $$L_G = -\overline{\log \sigma(D(G(z, c), c))}$$
#
# The gradient goes *through* the discriminator to the image, and on to the generator's weights: the
# discriminator says of each pixel which way it should change. The same gradient was a saliency map
# in notebook 11. The discriminator's own weights are left alone, since the optimizer is given the
# generator's only.


# %% name="generator-step"
# One step of the generator, through a discriminator that stays
@tf.function
def generator_step(classes):
    with tf.GradientTape() as tape:
        false = discriminator([drawn(classes), classes], training=True)
        loss = cross_entropy(tf.ones_like(false), false)
    weights = generator.trainable_variables
    adam_g.apply(tape.gradient(loss, weights), weights)
    return loss


assert moved(generator_step, y[:64])[1] == [True, False]

# %% [markdown]
# ## Three hundred epochs
#
# The two steps alternate. From time to time the generator draws the same images, with the same
# noise, which are kept.
#
# **Predict, then run.** Both networks get better. Which way do the two losses go?

# %% name="loop"
# The training; `kept` holds generated images of all classes after some epochs
asked = np.repeat(np.arange(10), 36)
noise = np.random.default_rng(0).normal(size=(len(asked), NOISE)).astype("float32")
kept, losses = {0: generator([noise, one_hot[asked]]).numpy()}, []
for epoch in range(1, 301):
    order, sums = np.random.default_rng(epoch).permutation(len(x)), np.zeros(2)
    for rows in order[: len(x) // 64 * 64].reshape(-1, 64):
        sums += discriminator_step(x[rows], y[rows]), generator_step(y[rows])
    losses.append(sums / (len(x) // 64))
    if epoch in (10, 20, 50, 100, 300):
        kept[epoch] = generator([noise, one_hot[asked]]).numpy()

# %% name="losses" alt="The two losses over 300 epochs. The generator's rises at first to between 1 and 2, then falls and stays a little below 1; the discriminator's stays near 0.6. A dotted line at log 2 lies between the two in the end, near both."
# Both losses over the epochs
_, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
curves = ax.plot(range(1, 301), losses, label=["loss of D", "loss of G"])
_ = [curve.set_color(colour) for curve, colour in zip(curves, dl.plots.COLOURS, strict=False)]
ax.axhline(np.log(2), color="black", ls=":", label="log 2: even odds")
ax.legend(ncols=3, loc="upper right")
_ = ax.set(xlabel="epoch", ylabel="mean loss", ylim=(0, None))

# %% name="pictures" alt="Six rows of ten images, for 0, 10, 20, 50, 100 and 300 epochs, one column per class. At first grey speckles, then blots that are no digits; from 50 epochs on digits can be read, and in the last row most are clear."
# What the same noise gave after more and more epochs
grid = np.concatenate([images[::36] for images in kept.values()])
_ = dl.plots.image_grid(grid, names * 6, columns=10, rows=[f"epoch {epoch}" for epoch in kept])

# %% [markdown]
# **What to notice.** The pictures become digits, and the losses do not show it. In the end both are
# not far from where two networks begin that know nothing. Each loss is measured against an
# opponent that learns as well: as in a game between two players, the score says who is ahead, not
# how well they play. So here a falling loss is not progress, and quality must be measured in
# another way.

# %% [markdown]
# ## A walk from noise to noise
#
# Take the two most different of the generated sevens, and go from the noise of one to that of the
# other in a straight line. For comparison, mix the pixels of the two images in the same shares.
#
# **Predict, then run.** What is half-way: a seven, or a blur of two?

# %% name="walk" alt="Two rows of nine sevens. Upper row: the seven at the left changes its slant and place step by step into the one at the right, with mostly firm strokes. Lower row: the two are laid over each other, with grey pixels of both in the middle."
# Nine steps between the noise of two sevens, and the same two mixed pixel by pixel
sevens, shares = kept[300][asked == 7], np.linspace(0, 1, 9, dtype="float32")[:, None]
apart = metrics.pairwise_distances(sevens.reshape(len(sevens), -1))
first, last = noise[asked == 7][list(np.unravel_index(apart.argmax(), apart.shape))]
way = generator([first + shares * (last - first), one_hot[[7] * 9]]).numpy()
mixed = way[0] + shares[..., None, None] * (way[-1] - way[0])
both, rows = np.concatenate([way, mixed]), ["in noise", "in pixels"]
_ = dl.plots.image_grid(both, columns=9, rows=rows, value_range=(0, 16))

# %% [markdown]
# **What to notice.** Between two noise vectors lie other sevens, with firmer strokes. That is what
# the generator has learned: which images between two digits are digits as well. A mixture of pixels
# shows both sevens at half their strength, in grey.

# %% [markdown]
# ## How good are they? Four numbers
#
# Each number asks another question:
#
# - *The judge*: does a classifier that was trained on real digits see the class that was asked for?
# - *Train on generated*: an SVM (notebook 12) learns from generated images alone. What share of the
#   real ones does it read?
# - *Two samples*: mix as many generated as real images, and find the nearest other image of each.
#   How often is it of the same kind $k$? If both kinds are alike, half the time:
#
# $$\frac{1}{2n} \sum_{i=1}^{2n} \left[\, k_i = k_{nearest(i)} \right] \approx \frac{1}{2}$$
#
# - *The nearest*: how far is an image from the nearest training image? A copy is at distance zero.
#
# A number alone says little: you need to know what is good and what is bad. So beside the
# generator stand new real digits, pure noise, and two cheats: one draws the *mean* image of the
# class each time, the other *copies* training images.
#
# **Predict, then run.** Which of the four numbers catches the means, and which the copies?


# %% name="numbers"
# A judge in Keras, and the four numbers of a set of images
convs = [layers.Conv2D(filters, 3, activation="relu") for filters in (16, 32)]
end = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(10, activation="softmax")]
judge = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), *convs, *end])
judge.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
judge.fit(x, digits.y_train, epochs=15, verbose=0)


def flat(images):
    return images.reshape(len(images), -1)


def two_samples(first, second):
    n = min(len(first), len(second))
    rows, kind = np.concatenate([flat(first)[:n], flat(second)[:n]]), np.repeat([0, 1], n)
    distances = metrics.pairwise_distances(rows)
    np.fill_diagonal(distances, np.inf)  # an image is not its own neighbour
    return np.mean(kind[distances.argmin(axis=1)] == kind)


def nearest(images):
    return metrics.pairwise_distances(flat(images), flat(x)).min(axis=1)


def quality(images, classes):
    agrees = np.mean(judge(images).numpy().argmax(axis=1) == classes)
    reads = svm.SVC().fit(flat(images), classes).score(flat(x_test), digits.y_test)
    return agrees, reads, two_samples(images, x_test), np.median(nearest(images))


# %% name="table"
# The four numbers: the generator over the epochs, noise, two cheats, and new real digits
means = np.stack([x[digits.y_train == k].mean(axis=0) for k in range(10)])
copied = np.random.default_rng(0).permutation(len(x))[: len(asked)]
table = {f"epoch {epoch}": quality(images, asked) for epoch, images in kept.items()}
pure = np.random.default_rng(0).uniform(0, 16, (len(asked), 8, 8, 1)).astype("float32")
table |= {"noise": quality(pure, asked), "means": quality(means[asked], asked)}
table["copies"] = quality(x[copied], digits.y_train[copied])
table["new real digits"] = quality(x_new[: len(asked)], digits.y_val[: len(asked)])
numbers = ["the judge", "train on generated", "two samples", "the nearest"]
print(pd.DataFrame(table, numbers).T.round(2))

# %% [markdown] proof="table"
# **What to notice.** By all four numbers the generator gets better with the epochs, while its loss
# stood still. In the end the judge sees the right class in nearly every image, and an SVM that has
# never seen a real digit reads nine of ten of them. But the neighbours still tell generated from
# real in about four of five cases: the images are readable, and not yet alike.
#
# Each cheat deceives all numbers but one. The judge finds the means perfect, and an SVM trained on
# ten different images reads 91 % of the real digits, so neither number asks for *variety*. The two
# samples catch the means; a generator that draws only a few different images is said to have
# *collapsed*. The copies are caught by the distance alone, which is zero. So take several numbers,
# and compare them with those of new real digits, which are not perfect either.

# %% name="neighbours" alt="Two rows of ten images. Above a generated digit of each class, below the training image nearest to it: mostly the same digit, alike in its strokes, different in many pixels."
# A generated image of each class, and the nearest training image
some = kept[300][::36]
twins = x[metrics.pairwise_distances(flat(some), flat(x)).argmin(axis=1)]
_ = dl.plots.image_grid([*some, *twins], columns=10, rows=["generated", "nearest in training"])

# %% [markdown]
# **What to notice.** The nearest training images are often of the same class, and none is the same
# image: the generator has not learned its examples by heart. That would be the cheapest way to
# deceive a discriminator, and it matters most where the training images are private.

# %% [markdown] slides="S2 unsupervised learning"
# ## An autoencoder: a digit in two numbers
#
# Another way to learn without labels: a network that has to give back its own input, through a
# *code* that is too narrow to copy it. The *encoder* makes the code of an image, the *decoder* an
# image of the code, and the loss is the *reconstruction error*, the mean squared difference:
#
# $$L = \overline{(x - \hat x)^2}, \qquad \hat x = dec(enc(x))$$
#
# With two numbers in the code, all digits lie on a map.
#
# **Predict, then run.** The autoencoder never sees a label. Will the classes lie apart on its map?

# %% name="autoencoder"
# An autoencoder in Keras, and the same from the course's builder, with equal weights
keras.utils.set_random_seed(0)
into, out = ([layers.Dense(n, "relu") for n in sizes] for sizes in ((128, 64), (64, 128)))
encoder = keras.Sequential([*into, layers.Dense(2)])
decoder = keras.Sequential([*out, layers.Dense(64, "sigmoid")])
begin = [keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), layers.Flatten()]
end = [layers.Reshape((8, 8, 1)), layers.Rescaling(16)]
model = keras.Sequential([*begin, encoder, decoder, *end])
model.compile(keras.optimizers.Adam(0.002), "mse")
model.fit(x, x, epochs=40, verbose=0)
ours = dl.generation.autoencoder((8, 8, 1), value_range=(0, 16))
ours.set_weights(model.get_weights())
assert np.allclose(ours(x_test), model(x_test), atol=1e-3)

# %% name="map" alt="A map of two axes, the first and the second number of the code, with each test digit drawn as a small coloured figure of its class at the place of its code. Several classes, such as the zeros and the twos, lie in regions of their own at the edge; others overlap in the middle."
# The test digits on the map of their codes
codes = encoder(flat(x_test) / 16).numpy()
_, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for label, name in enumerate(names):
    colour = dl.plots.COLOURS[label % len(dl.plots.COLOURS)]
    ax.scatter(*codes[digits.y_test == label].T, marker=f"${name}$", s=50, color=colour)
_ = ax.set(xlabel="first number of the code", ylabel="second number of the code")

# %% name="sheet" alt="Six rows of six decoded images, for codes on a grid over the map: neighbours are alike, one digit turns into another from place to place, and many between them are blurred."
# What the decoder draws from codes on a grid over the map, laid out as the map is
across, up = (np.linspace(*np.percentile(side, [3, 97]), 6) for side in codes.T)
places = np.stack(np.meshgrid(across, up[::-1]), axis=-1).reshape(-1, 2)
_ = dl.plots.image_grid(decoder(places).numpy().reshape(-1, 8, 8), columns=6)

# %% [markdown]
# **What to notice.** Nobody told the network that there are ten classes, and most lie apart: to
# give an image back, it helps to know what kind of image it is. Classes that overlap on the map are
# those that it cannot give back well with two numbers. The decoder is a generator as well: it draws
# from any code. But nobody has asked that a code *between* two digits gives a digit, and many give
# a blur, the mean of what could be meant.

# %% [markdown] slides="S2 anomaly detection"
# ## What does not belong?
#
# An autoencoder gives back well what is like its training images. What it gives back badly is an
# *anomaly*: S2 names their detection. To see how well this works, plant anomalies: in a copy of
# each test image a square of three by three pixels is inverted. The *area under the curve* (AUC) is
# the probability that a planted image has the larger error $e$ of two:
#
# $$AUC = P(e_{planted} > e_{usual})$$
#
# An error that knows nothing has one half. And as always, something cheap stands beside the
# network: the distance to the mean of all training images, and to the nearest of them.
#
# **Predict, then run.** Which of the three finds the planted images best?

# %% name="anomalies"
# Plant an anomaly in each test image; three scores, and the area under the curve of each
planted = dl.generation.with_patch(x_test)


def error(images):
    return (flat(model(images).numpy() - images) ** 2).mean(axis=1)


def from_mean(images):
    return (flat(images - x.mean(axis=0)) ** 2).mean(axis=1)


truth = np.repeat([0, 1], len(x_test))
for score in (error, from_mean, nearest):
    both = np.concatenate([score(x_test), score(planted)])
    print(f"{score.__name__:10} area under the curve {metrics.roc_auc_score(truth, both):.3f}")

# %% name="errors" alt="Three rows of eight images. Above test digits with an inverted square of three by three pixels; in the middle their reconstructions, blurred digits without a square; below the squared error, brightest mostly in the square."
# Eight planted images, what the autoencoder makes of them, and where the two differ
some, again = planted[:8], model(planted[:8]).numpy()
rows = [*some, *again, *(some - again) ** 2]
_ = dl.plots.image_grid(rows, columns=8, rows=["planted", "reconstructed", "error"])

# %% [markdown]
# **What to notice.** The code has no room for the square, so it is missing in the reconstruction,
# and the error shows where it is. With two numbers the autoencoder beats the mean by far. But the
# nearest training image is better still, and needs no training: on small images that stand still
# you would take it. It keeps every training image and compares with each of them, pixel by pixel,
# which does not work where things move about (notebook 12). So measure the cheap one first.

# %% [markdown]
# ## The same with the course's recipes
#
# `dlcourse` has both as recipes, `digits_gan` and `digits_autoencoder`. A run is measured with the
# numbers of this notebook and some more, and it is kept, so that an interrupted training goes on
# where it was (`dl.generation.resume`). `dl.generation.fit("digits_gan")` trains the GAN, in a few
# minutes. `dl.generation.gan` builds its two networks alone, for a loop of your own. The
# autoencoder is quicker:

# %% name="recipe"
# The autoencoder as a recipe, and its numbers on the test images
run = dl.generation.fit("digits_autoencoder", epochs=10, verbose=False)
print({name: round(value, 2) for name, value in run.metrics["test"].items()})

# %% [markdown]
# ## In five lines
#
# - A GAN is two networks: one draws from noise, the other tells drawn from real, and each learns
#   from the other's mistakes.
# - In each step only one of them changes; the generator's gradient comes through the discriminator.
# - The losses say who is ahead, not how good the images are.
# - Measure quality with several numbers, beside those of real images, of noise and of cheats: a
#   collapse and a copy are each seen by one of them only.
# - An autoencoder learns a code without labels, and its error finds what does not belong; the
#   distance to the nearest training image is the cheap rival.

# %% [markdown]
# ## Further reading
#
# - [Goodfellow and others, Generative adversarial nets](https://arxiv.org/abs/1406.2661): the two
#   losses, and what the game leads to; with classes: [Mirza and
#   Osindero](https://arxiv.org/abs/1411.1784).
# - [Salimans and others, Improved techniques for training GANs](https://arxiv.org/abs/1606.03498):
#   label smoothing, and a judge that counts.
# - [Lopez-Paz and Oquab, Revisiting classifier two-sample tests](https://arxiv.org/abs/1610.06545):
#   when a classifier can tell two sets of images, they differ.
# - [Conditional GAN](https://keras.io/examples/generative/conditional_gan/), a Keras example: the
#   same with convolutions, on MNIST.
# - [Hinton and Salakhutdinov, Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647): the autoencoder and its map.
# - [Ho and others, Denoising diffusion probabilistic models](https://arxiv.org/abs/2006.11239): an
#   autoencoder that removes noise, again and again, draws the images of today.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("13.1")` helps, `solution("13.1")`
# tells.
#
# ### Quick checks
#
# **13.1** The discriminator gives a generated image the logit 2. What is the generator's loss for
# this image, to three digits?

# %%
# 13.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("13.1", answer)

# %% [markdown]
# **13.2** New real digits have these numbers: the judge 0.96, two samples 0.52, the nearest 17.
# Which generator has learned to draw new digits? (a) The judge 0.99, two samples 0.51, the nearest
# 0. (b) The judge 1.00, two samples 0.95, the nearest 16. (c) The judge 0.95, two samples 0.60, the
# nearest 18. (d) The judge 0.10, two samples 1.00, the nearest 57.

# %%
# 13.2: your answer, a letter
answer = ...
check("13.2", answer)

# %% [markdown]
# **13.3** Write a function `answer(images, training)` that takes two NumPy arrays (n, height,
# width) and (m, height, width) and returns n numbers: how far each image is from the training image
# nearest to it. The distance of two images is the square root of the sum of their squared
# differences.

# %%
# 13.3: your function
answer = ...
check("13.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **13.4** Complete one round of a tiny GAN. The generator gives the rows `z + theta`: noise `z` (m,
# features), moved by a vector `theta` that is learned. The discriminator's logit is `rows @ w + b`.
# First the discriminator takes one step down the mean cross-entropy of all rows, with the label 0.9
# for the rows of `real` (n, features) and 0 for the generator's. Then the generator takes one step
# down the mean of −log σ(logit) over its rows, against the new discriminator. Return the new w, b
# and theta. It must work for any n and m.


# %%
# 13.4: one round; put your code in the places of `...`
def answer(real, z, w, b, theta, rate):
    def sigmoid(logit):
        return 1 / (1 + np.exp(-logit))

    rows = np.concatenate([real, z + theta])
    logits = rows @ w + b
    labels = ...  # one per row
    error = ...  # the derivative of the cross-entropy by the logit, one per row
    new_w = ...
    new_b = ...
    slopes = ...  # the derivative of −log σ by the logit, one per generated row
    return new_w, new_b, theta - rate * ...


check("13.4", answer)

# %% [markdown]
# ### Build a network
#
# **13.5** Write `answer(x)`: it returns a trained Keras model that gives back what it gets, images
# (n, 8, 8, 1) from 0 to 16. `x` holds 1,005 digits. `check` looks at the model's squared error on
# 432 other digits, and on as many *joined* ones: the upper half of one digit over the lower half of
# another class. The bar is an area under the curve of 0.90. It may take 8 CPU seconds. The mean
# image reaches 0.52, a linear code 0.84 at best, a code of two numbers 0.87.


# %%
# 13.5: your autoencoder
def answer(x):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 16), ...])
    model.compile(keras.optimizers.Adam(...), "mse")
    model.fit(x, x, epochs=..., verbose=0)
    return model


check("13.5", answer)
