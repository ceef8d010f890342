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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** What happens between a picture of a digit and the answer "3"?
#
# **Slides.** S0, S2. **Time.** Half a minute to run, 45 minutes to read. **Prerequisites.** Python;
# no deep learning.

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

# %% [markdown]
# ## The goal
#
# At the end you have trained a network in Keras, know how good it is and what it gets wrong, and
# know the words that the rest of the course uses. Each word that is *set so* means the same in all
# notebooks.
#
# The course, in order, with what you write yourself in each notebook:
#
# | notebook | you write |
# |---|---|
# | [The mathematics of one neuron](01_maths.ipynb) | dot products, eigenvectors and gradients |
# | [Gradient descent](02_gradient_descent.ipynb) | the loop behind every training |
# | [Linear and logistic regression](03_regression.ipynb) | one neuron, `Dense(1)`, on tumours |
# | [Activations and softmax](04_activations_and_softmax.ipynb) | a network that bends a line |
# | [Back-propagation from scratch](05_backpropagation.ipynb) | the gradient of a network |
# | [The first deep network](06_first_deep_network.ipynb) | `Dense` layers that read digits |
# | [Over-fitting](07_overfitting.ipynb) | `Dropout`, `L2`, `EarlyStopping` |
# | [When training goes wrong](08_when_training_goes_wrong.ipynb) | the search for a fault |
# | [Convolutional networks](09_convolutional_networks.ipynb) | `Conv2D`, `MaxPooling2D` |
# | [Sequences](10_sequences.ipynb) | `SimpleRNN`, `LSTM` and their rivals |
# | [Peering inside](11_peering_inside.ipynb) | maps of what a network looks at |
# | [When not to use deep learning](12_when_not_to_use_deep_learning.ipynb) | simpler models |
# | [Generation](13_generation.ipynb) | networks that draw digits |
#
# ## Where to run this
#
# | place | install | open |
# |---|---|---|
# | your computer | `pip install -e ".[notebooks]"` in the repository | `jupyter lab notebooks` |
# | Colab | upload the folder `dlcourse`, or its wheel, to `/content` | this file |
# | a terminal | `pip install -e .` | `python -m dlcourse` lists the commands |
#
# Run the cells from top to bottom, with Shift+Enter. No cell needs a GPU; one that TensorFlow sees
# is used.

# %%
# See what you run on.
import sys

import keras
import tensorflow as tf

gpus = len(tf.config.list_physical_devices("GPU"))
print(f"Python {sys.version.split()[0]}, Keras {keras.version()}, GPUs: {gpus}")

# %% [markdown] proof="below" slides="S0 examples, features and labels; S1 training, validation and test data"
# ## The data
#
# 1,797 handwritten digits come with scikit-learn. An *example* is one picture with its *label*, the
# digit that it shows. The picture is described by *features*: here the brightness of each pixel,
# from 0 to 16. The ten possible labels are the *classes*.
#
# The examples are *split* in three. The network learns from the *training* examples. The
# *validation* examples help you to choose between settings. The *test* examples are looked at once,
# at the very end: they stand for the digits that the network will meet in the world.

# %%
# Load the digits and count the examples of each part.
import numpy as np

digits = dl.load_dataset("digits")
for part, (pictures, labels) in digits.splits.items():
    print(f"{part:5} {len(labels):5,} examples, brightness {pictures.min()} to {pictures.max()}")
print(f"all   {sum(len(labels) for _, labels in digits.splits.values()):5,} examples")

# %% alt="The first sixteen training examples: small grey digits in two rows, each with its label above."
# Look at the first training examples.
names = [digits.class_names[label] for label in digits.y_train[:16]]
_ = dl.plots.image_grid(digits.x_train[:16], names)

# %% [markdown]
# For the computer a picture is a table of numbers, one for each pixel. Here is the twenty-first:

# %%
# Print one picture as the computer gets it.
print(digits.x_train[20, :, :, 0])

# %% [markdown]
# **Predict, then run.** Large numbers are bright pixels. Which digit does the table show?

# %% alt="The picture of the table above, small and grey, with its label as the title."
# Draw the same table, with its label.
_ = dl.plots.image_grid(digits.x_train[20:21], [f"label {digits.y_train[20]}"])

# %% [markdown] proof="below" slides="S1 a network as a function with parameters"
# **What to notice.** You have just classified an example. You did not compare it with a rule that
# somebody wrote down: you have seen many digits. The network will learn from examples, too.
#
# ## The model
#
# A *model* is a function with numbers in it that can be changed, its *parameters*: weights and
# biases. This one takes a picture and gives ten scores $z_0, \dots, z_9$, the *logits*. *Softmax*
# turns them into probabilities that sum to 1:
#
# $$a_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# In Keras a model is a list of *layers*, and a picture goes through them from top to bottom:
#
# - `Rescaling` brings the brightness from 0…16 to 0…1.
# - `Conv2D`, a *convolution*, looks for small patterns, 3 × 3 pixels, everywhere in the picture;
#   `MaxPooling2D` halves the height and the width of what was found (notebook 09).
# - `Flatten` writes all the numbers into one row; `Dense` weighs and adds them (notebook 06).
#
# You need not understand each layer yet. The last column of the summary counts the parameters.

# %% name="network"
# Write the network in Keras, layer by layer.
from keras import layers

keras.utils.set_random_seed(0)  # the same random weights in every run
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Rescaling(1 / 16),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10),
        layers.Softmax(),
    ]
)
model.summary()

# %% [markdown]
# **Predict, then run.** Nothing is trained yet: all the weights are random. What will the ten
# probabilities of one digit look like, and which share of the validation digits will it read
# correctly?

# %%
# Ask the untrained network, and keep a copy of it for later.
untrained = keras.models.clone_model(model)
untrained.set_weights(model.get_weights())
probabilities = model.predict(digits.x_val, verbose=0)
print("one digit:", probabilities[0].round(2), "sum", probabilities[0].sum().round(2))
right = np.mean(probabilities.argmax(axis=1) == digits.y_val)
print(f"correct: {right:.2f} of the {len(digits.y_val)} validation digits")

# %% [markdown] proof="above" slides="S1 epochs, batches, hyper-parameters"
# **What to notice.** The probabilities are nearly equal, and the answers are worth no more than a
# guess, which would be right about once in ten times: 0.1.
#
# ## The training
#
# The *loss* measures how wrong the probabilities are; for the true class $y$ of an example it is
#
# $$L = -\log a_y$$
#
# and the training makes its mean over the examples small. The examples are taken in *batches*.
# After each batch every parameter moves a little in the direction that lowers the loss; the
# *learning rate* sets how far. When all training examples have been seen once, an *epoch* is over.
# *Accuracy* is the share of the examples whose class is right.
#
# `compile` says how the model learns: by which loss, and by which *optimizer*, the rule for the
# moves, here Adam (notebook 02). `fit` lets it learn. The number of epochs, the batch size and the
# learning rate are *hyper-parameters*: you choose them, the training does not.
#
# **Predict, then run.** The loss is measured on the training examples and on the validation
# examples. Which of the two will be lower at the end?

# %% name="training"
# Train the network with ten passes over the training examples.
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss="sparse_categorical_crossentropy",  # the loss for labels 0, 1, …, 9
    metrics=["accuracy"],
)
history = model.fit(
    digits.x_train,
    digits.y_train,
    batch_size=64,
    epochs=10,
    validation_data=(digits.x_val, digits.y_val),
    verbose=2,
)

# %% alt="Two charts over ten epochs, training and validation in each: both losses fall steeply at first, then slowly, and the validation loss ends higher; both accuracies rise towards 1."
# Draw how the loss fell and the accuracy rose.
_, axis = dl.plots.learning_curves(history)
axis.set_ylim(0, 1)
loss, accuracy = model.evaluate(digits.x_val, digits.y_val, verbose=0)
print(f"after training: validation loss {loss:.2f}, validation accuracy {accuracy:.2f}")

# %% [markdown] proof="training above"
# **What to notice.** Most is learned in the first five epochs. At the end the training loss is the
# lower one: the network has begun to learn its examples by heart. It *over-fits* (notebook 07). So
# the validation examples tell you more about new digits: about 0.96 of them are read correctly.
#
# ## The way of one picture
#
# Now the question can be answered. A validation digit, a 3, goes through the trained network, layer
# by layer. The convolutions make *maps* of it, where patterns were found; `Flatten` writes the maps
# into one row; the dense layers weigh that row; softmax makes probabilities of the ten logits. The
# answer is the class with the largest.


# %%
# Follow one picture: the output of every layer.
def outputs(network, x):
    every_layer = keras.Model(network.inputs, [layer.output for layer in network.layers])
    return every_layer.predict(x, verbose=0)


three = digits.x_val[digits.y_val == 3][:1]
steps = outputs(model, three)
for layer, numbers in zip(model.layers, steps, strict=True):
    print(f"{type(layer).__name__:12} gives {numbers[0].size:4} numbers, {numbers.shape[1:]}")

# %% alt="A picture of a 3, then its ten logits and its ten probabilities as bars. The logit of class 3 is the largest; after softmax nearly the whole probability is at 3."
# Draw the first and the last two steps.
from matplotlib import pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), width_ratios=[1, 2, 2], layout="constrained")
axes[0].imshow(three[0, :, :, 0], cmap="gray")
axes[0].set_axis_off()
for ax, numbers, name in zip(axes[1:], steps[-2:], ("logit", "probability"), strict=True):
    ax.bar(digits.class_names, numbers[0], color="#0072B2")
    ax.set(xlabel="class", ylabel=name)
axes[2].set_ylim(0, 1)
_ = axes[0].set_title(f'the answer: "{steps[-1][0].argmax()}"')

# %% [markdown] proof="below" slides="S1 which neurons light up"
# **What to notice.** A picture becomes maps, the maps become ten scores, the scores become
# probabilities, and the largest is the answer. Each step is arithmetic with the parameters; the
# training has set them so that the answer is right.
#
# ## A look inside
#
# Every number in a network can be read. These are the outputs of the first convolution for the 3,
# once untrained and once trained. Each small picture shows where one 3 × 3 pattern was found. What
# has the training changed here?


# %% alt="Two rows of sixteen small grey maps of one digit, before and after the training. Many pairs look nearly the same: each map is bright at certain strokes or edges."
# Draw what the first convolution finds, before and after the training.
networks = {"untrained": untrained, "trained": model}
maps = [outputs(network, three)[1][0].transpose(2, 0, 1) for network in networks.values()]
_ = dl.plots.image_grid(np.concatenate(maps)[..., None], columns=16, rows=list(networks))

# %% [markdown] proof="below"
# Many pairs are alike, some are not. Two measurements say more. How similar is each 3 × 3 pattern
# after the training to the random one that it was before (their *correlation*, 1 for the same)? And
# for how many validation digits is a layer's output nearer to its mean for their own class than to
# its means for the other classes?

# %%
# Measure both: the likeness of the patterns, and how well the layers separate the classes.
before, after = (
    network.layers[1].get_weights()[0].reshape(9, 16).T for network in (untrained, model)
)
alike = [np.corrcoef(old, new)[0, 1] for old, new in zip(before, after, strict=True)]
print(f"correlation above 0.7: {np.mean(np.array(alike) > 0.7):.2f} of the 16 patterns of 3 × 3")
for label, network in networks.items():
    on_val, on_train = outputs(network, digits.x_val), outputs(network, digits.x_train)
    for name, index in {"first convolution": 1, "second convolution": 3, "dense layer": 6}.items():
        x, seen = (part[index].reshape(len(part[index]), -1) for part in (on_val, on_train))
        means = np.stack([seen[digits.y_train == k].mean(axis=0) for k in range(10)])
        nearest = np.linalg.norm(x[:, None] - means, axis=2).argmin(axis=1)
        print(f"{label:9} {name:18}: {np.mean(nearest == digits.y_val):.2f} nearest to their class")

# %% [markdown] proof="above test_notebook_00::test_the_training_changes_the_dense_layer_most" slides="S2 Teachable Machine and Quick Draw"
# **What to notice.** Random patterns already answer to edges, and the training changed most of them
# little: most correlations are above 0.7. In the first convolution the share of digits nearest to
# their own class hardly changes, in the dense layer it rises from 0.78 to 0.96. The training has
# learned, above all, what to *make* of the edges.
#
# ## Your own pictures
#
# Draw a digit: `#` is ink. Change the drawing, run the cell again, and find out what the network
# can read and what it cannot.


# %% alt="A drawn 2 of white blocks on black, and ten bars with the probability of each class: the bar of class 2 is by far the highest."
# Draw your own digit and let the network read it.
drawing = """
..####..
.##..##.
.....##.
....##..
...##...
..##....
.######.
.######.
"""


def read(picture):
    """Draw a picture of 8 × 8 numbers from 0 to 16 beside its ten probabilities."""
    guess = model.predict(picture[None, :, :, None], verbose=0)[0]
    left, right = plt.subplots(1, 2, figsize=(6, 2.6), layout="constrained")[1]
    left.imshow(picture, cmap="gray", vmin=0, vmax=16)
    left.set_axis_off()
    right.bar(digits.class_names, guess, color="#0072B2")
    right.set(xlabel="class", ylabel="probability", ylim=(0, 1))
    print(f"the answer: {guess.argmax()}, with probability {guess.max():.2f}")


read(np.array([[16 * (mark == "#") for mark in row] for row in drawing.split()]))

# %% [markdown]
# The network needs nothing but numbers in the right form. So any photograph will do, once it is
# grey and has shrunk to the size of a digit.
#
# **Predict, then run.** What will the network say to a photograph of a flower?

# %% alt="A photograph of a flower, shrunk to a few grey blocks, and ten bars with the probability of each class: one class of the ten has more than a third of the probability."
# Shrink one of scikit-learn's photographs to the size of a digit, and let the network read it.
from sklearn.datasets import load_sample_image

photograph = load_sample_image("flower.jpg")  # height, width and three colours, from 0 to 255
grey = photograph.mean(axis=2)[:424, 108:532]
read(grey.reshape(8, 53, 8, 53).mean(axis=(1, 3)) / 16)

# %% [markdown]
# **What to notice.** It names a digit, and may be quite sure of it. It has no other answer: softmax
# spreads the whole probability over the ten classes, and "none of these" is not among them. A
# network knows nothing outside its training examples. Notebook 11 asks what a network looks at.
#
# To train on photographs of your own, put them into a folder `pets` with one folder per class. The
# first line reads them for Keras, the other two train a network of this course and use it:
#
# ```python
# photographs = keras.utils.image_dataset_from_directory("pets")
# run = dl.fit("photos", "dataset.path=pets")
# dl.predict(run, "photo.jpg")
# ```
#
# ## The test, once
#
# The network is finished and nothing will be changed, so the test examples may be used. One number
# hides much. The *confusion matrix* counts, for each true class, what was predicted.

# %% alt="A table of ten by ten digits, true class by predicted class. Nearly all test examples lie on the diagonal, where both agree."
# Measure the network on the test examples: this cell is run once.
predicted = model.predict(digits.x_test, verbose=0).argmax(axis=1)
print(f"test accuracy: {np.mean(predicted == digits.y_test):.2f}")
ax = dl.plots.confusion_matrix(digits.y_test, predicted, digits.class_names)
ax.figure.set_size_inches(5.4, 4.6)

# %% alt="Up to eight test digits that the network takes for another digit, each with its true and its predicted class above."
# Look at some of its mistakes.
wrong = np.flatnonzero(predicted != digits.y_test)[:8]
titles = [f"{digits.y_test[k]}, read as {predicted[k]}" for k in wrong]
panels = dl.plots.image_grid(digits.x_test[wrong], titles, columns=4)
panels[0].figure.set_size_inches(7, 3.6)

# %% [markdown] proof="above"
# **What to notice.** It has never met these digits, and reads about 0.95 of them correctly. Look at
# the mistakes: would you have known? (S0 promises "about 99.79%" for a small dense network on
# larger pictures; notebook 06 measures what it reaches.)
#
# ## The same as a recipe
#
# What you wrote can be said in one *recipe*: the data, the model, the training. `dl.recipe` checks
# it, and builds a plain Keras model. With the same seed it starts from the same weights:

# %%
# The same network as a recipe: the weights before training are equal.
recipe = dl.recipe(
    dataset="digits",
    model={"name": "cnn", "filters": [16, 32], "hidden": [32]},
    epochs=10,
    batch_size=64,
    learning_rate=0.01,
)
keras.utils.set_random_seed(0)
for mine, other in zip(
    untrained.get_weights(), recipe.build_model(digits).get_weights(), strict=True
):
    assert np.array_equal(mine, other)

# %% [markdown]
# `dl.fit` trains it and writes all that belongs to the training into a folder of its own: the
# recipe, the history, the model, pictures. It checks the data before and the weights in every
# epoch, and keeps those of the epoch with the lowest validation loss. Its accuracies differ a
# little from yours, because it takes the examples in another order.

# %%
# Train the recipe.
run = dl.fit(recipe)

# %% [markdown]
# A recipe can always be read as the Keras script that it stands for:

# %%
# Print the recipe as a script in plain Keras.
print(dl.as_keras(recipe))

# %% [markdown]
# The *validation* accuracy decides which setting is better. A run also prints the test accuracy: do
# not choose by it (exercise 00.3 asks why).
#
# ## In five lines
#
# - An example is a picture, a table of numbers, with a label; a model turns the table into one
#   probability per class.
# - Training moves the parameters, batch by batch, so that the loss falls.
# - Training examples teach, validation examples choose, test examples judge once.
# - In Keras: `Sequential`, `compile`, `fit`, `evaluate`, `predict`.
# - A network answers whatever it is shown, also where no answer is right.
#
# ## Further reading
#
# - [The Sequential model](https://keras.io/guides/sequential_model/): Keras' own guide to the list
#   of layers that you wrote.
# - [Training and evaluation](https://keras.io/guides/training_with_built_in_methods/): everything
#   that `compile`, `fit`, `evaluate` and `predict` can do.
# - [Neural Networks and Deep Learning](http://neuralnetworksanddeeplearning.com/): a free book that
#   begins with handwritten digits.
# - [Deep learning](https://doi.org/10.1038/nature14539): LeCun, Bengio and Hinton's short review of
#   the field.
# - [Optical recognition of handwritten digits](https://doi.org/10.24432/C50P49): where this data
#   comes from.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("00.1")` helps, `solution("00.1")`
# tells.
#
# ### Quick checks
#
# **00.1** A digit of this data set is a grey picture of 8 × 8 pixels. How many features does one
# example have?

# %%
# 00.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("00.1", answer)

# %% [markdown]
# **00.2** Write a function `answer(labels, predicted)` that takes two arrays of class numbers and
# returns the accuracy, as a fraction from 0 to 1.

# %%
# 00.2: your answer
answer = ...
check("00.2", answer)

# %% [markdown]
# **00.3** You train with 20 learning rates, look at the test accuracy of each, keep the best, and
# report that test accuracy. It promises too much. Why? (a) The test examples changed. (b) There are
# too few test examples. (c) The test examples helped to choose. (d) The training was too short.

# %%
# 00.3: your answer
answer = ...
check("00.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **00.4** A classifier without a network: give each new picture the class whose mean training
# picture is nearest. `x_train` is an array of pictures `(n, 8, 8, 1)`, `y_train` their labels from
# 0 to 9, `x` the new pictures. Fill the two places of `...`; return the array of predicted classes.


# %%
# 00.4: complete the algorithm
def answer(x_train, y_train, x):
    rows, new = x_train.reshape(len(x_train), -1), x.reshape(len(x), -1)
    means = np.zeros((10, rows.shape[1]))
    for k in range(10):
        of_class = rows[y_train == k]
        means[k] = ...  # the mean row of class k
    distances = np.linalg.norm(new[:, None] - means, axis=2)  # one row per picture of x
    return ...  # of each new picture, the class of the nearest mean


check("00.4", answer)

# %% [markdown]
# ### Build a network
#
# **00.5** Now the digits lie anywhere in a larger picture, 12 × 12 pixels, brightness 0 to 16.
# Write `answer(x_train, y_train)`: it builds a Keras model with ten outputs for such pictures,
# trains it, and returns it. The bar: it must read 85 % of new scattered digits. (A single layer
# `Dense(10)` reads about a third.) Your function has 1,221 training pictures and should take less
# than ten seconds; the check runs it.


# %% alt="Eight small pictures, larger than a digit: in each the digit lies in another place."
# 00.5: build a network
def scattered(x, seed=0):
    """Return each digit at a random place in a picture of 12 × 12 pixels."""
    large = np.zeros((len(x), 12, 12, 1), dtype=x.dtype)
    places = np.random.default_rng(seed).integers(0, 5, (len(x), 2))
    for picture, digit, (top, left) in zip(large, x, places, strict=True):
        picture[top : top + 8, left : left + 8] = digit
    return large


_ = dl.plots.image_grid(scattered(digits.x_train[:8]))


def answer(x_train, y_train):
    model = keras.Sequential(...)  # the list of layers
    model.compile(...)
    model.fit(x_train, y_train, verbose=0)
    return model


check("00.5", answer)
