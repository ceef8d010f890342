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
# # When not to use deep learning
#
# **Question.** Does this problem need a deep network, and if not, what then?
#
# **Slides.** S0, S1, S2 (do not overkill it; data size, time, interpretability; transfer learning,
# pre-computation, classic learners on deep features).
#
# **Time.** A minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebooks 03 (logistic regression) and 09 (convolutional networks).

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
# S0 says: "Don't overkill it with deep learning!" That is an opinion until it is measured. In this
# notebook you set networks beside classic learners, on the same splits: accuracy, its uncertainty,
# and the cost. You let the data grow and see who gains. Then you use what a network has learned for
# something else: transfer, and classic learning on deep features.

# %% [markdown]
# ## A table of measurements
#
# The tumours of notebook 03: 569 patients, 30 measurements each. A network of one hidden layer
# stands beside four others: the guess of the majority's class; logistic regression; a *support
# vector machine* (SVM), which draws the boundary with the widest margin, here a curved one; and a
# *random forest*, many trees of yes-or-no questions that vote. The data are cut into three *folds*;
# each is the test once, for all models alike. The network stops early (notebook 07).

# %%
import os

import numpy as np

smoke = bool(os.environ.get("DLCOURSE_SMOKE"))
network = dl.recipe(
    dataset="breast_cancer",
    model={"name": "dnn", "hidden": [16], "dropout": 0.2},
    epochs=2 if smoke else 30,
    learning_rate=0.005,
    early_stopping=None if smoke else {"patience": 8},
)
classics = ["majority", "logistic_regression", "svm", "random_forest"]
tumours = dl.compare({"network": network}, folds=3, models=classics)
print(f"{'model':20} accuracy  spread  parameters  CPU s to fit  ms for 1,000")
for row in tumours.rows:
    print(
        f"{row.model:20} {row.score:8.3f} {row.spread:7.3f} {row.parameters:11,} "
        f"{row.fit_cpu:13.3f} {1000 * row.predict_seconds:13.1f}"
    )

# %%
# Picture: left, the accuracy of each model: a dot for the mean, a stroke for each fold. The four
# that learn lie within about 0.03 of each other, the guess far to the left. Right, the CPU seconds
# to fit, on a logarithmic axis: the network needs 20 to 1,000 times as many as the
# others that learn.
scores = {row.model: [t.score for t in tumours.at(tumours.full)[row.model]] for row in tumours.rows}
costs = {row.model: row.fit_cpu for row in tumours.rows}
_ = dl.lab.plots.score_and_cost(
    scores, costs, "accuracy", highlighted=["network"], baseline="majority"
)

# %% [markdown]
# ## Is a difference a difference?
#
# One fold is luck. Compare two models fold by fold, so that what makes a fold hard for both
# cancels, and ask how far the mean difference $\bar d$ may be off. The folds share training
# examples, so their results are not independent. Nadeau and Bengio (2003) corrected the interval
# for repeated random splits; for $k$ folds it is customary, not exact:
#
# $$\bar d \pm t_{k-1} \sqrt{s_d^2 \left(\frac{1}{k} + \frac{n_{test}}{n_{train}}\right)}$$
#
# with $t_{k-1}$ the 97.5 % quantile of Student's distribution. If it holds 0, the two are not told
# apart, and the cheaper one is the better choice. In words (after an accuracy ± is the spread of
# the folds; in brackets it is the interval of the difference; a round is a fold):

# %%
for sentence in tumours.verdict:
    print(sentence)

# %% [markdown]
# **What to notice.** For a table of 569 rows nothing is gained with a network here, and the cost is
# large: time, more to set, less to explain. Every model should be compared with the guess as well:
# 63% right is what "benign" for everyone gives.

# %% [markdown]
# ## What can it explain?
#
# A logistic regression on standardised inputs is a list of weights. A doctor can read it. (Careful:
# where inputs move together, as radius and area do, one weight alone says little, not even its
# sign.) For a network you need notebook 11.

# %%
# Picture: a bar for each of the twelve strongest inputs of a logistic regression; orange ones raise
# the logit of a benign tumour, blue ones lower it.
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = dl.load_dataset("breast_cancer")
readable = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.x_train, data.y_train)
weights = readable[-1].coef_[0]
title = f"logit of {data.class_names[1]}"
_ = dl.plots.feature_attributions(
    weights, data.feature_names, title=title, unit="weight of the standardised input"
)

# %% [markdown]
# ## More data
#
# S2 says that deep learning wins where the data are large. Let the digits grow from 76 images to
# 1,221, each time twice as many, and give each size to a convolutional network and to three classic
# learners.

# %%
digits_cnn = dl.recipe(
    dataset="digits",
    model={"name": "cnn", "filters": [16, 32], "hidden": [32]},
    epochs=1 if smoke else 12,
    learning_rate=0.005,
    schedule="one_cycle",
)
classics = ["logistic_regression", "svm", "random_forest"]
grown = dl.compare({"cnn": digits_cnn}, seeds=1, models=classics, curve=True)
for sentence in grown.verdict[-1:]:
    print(sentence)
for row in grown.rows:
    print(f"{row.model:20} {row.score:.3f} with all images, {row.fit_cpu:8.3f} CPU seconds to fit")

# %%
# Picture: test accuracy over the number of training images, on a logarithmic axis. All four rise;
# the support vector machine and the convolutional network lie close together at the top.
trials = [grown.at(size) for size in grown.sizes]
curves = {name: [trial[name][0].score for trial in trials] for name in trials[0]}
none = {name: [0] * len(trials) for name in curves}  # one seed: no spread to show
ax = dl.lab.plots.score_by_size(grown.sizes, curves, none, "accuracy", highlighted=["cnn"])
ax.set_ylabel("test accuracy, one seed")
_ = ax.figure.set_size_inches(8, 3.6)

# %% [markdown]
# **What to notice.** All of them gain from data. On 1,221 small, tidy pictures an SVM is as good as
# the network, at a hundredth of the time or less, as the list says. The network's day comes where
# one input number alone means little, where things move about, and where there are very many
# examples.
#
# ## The same digits, moved
#
# MNIST-1D (Greydanus 2020, arXiv:2011.14439) writes each digit as a line of 40 numbers and then
# stretches, tilts and shifts it, and adds noise. So the same number stands for another piece of the
# digit in every example. Guess first: who is ahead now, the SVM or the convolutions?

# %%
lines_cnn = {"name": "cnn1d", "filters": [25, 25, 25], "pooling": "flatten"}
how = {"epochs": 1 if smoke else 20, "batch_size": 64, "learning_rate": 0.005}
signals_cnn = dl.recipe(dataset="mnist1d", model=lines_cnn, schedule="cosine", **how)
signals = dl.load_dataset("mnist1d")
moved = dl.compare({"cnn1d": signals_cnn}, seeds=1, models=classics)
for row in moved.rows:
    print(f"{row.model:20} {row.score:.3f} on signals, {row.fit_cpu:8.3f} CPU seconds to fit")

# %%
# Picture: two signals each of the digits 0, 1 and 2: the same shape stands elsewhere in each, and
# is tilted.
from matplotlib import pyplot as plt

_, axes = plt.subplots(2, 3, sharex=True, sharey=True, figsize=(8, 2.6), layout="constrained")
chosen = [k for label in range(3) for k in np.flatnonzero(signals.y_train == label)[:2]]
for ax, k in zip(axes.T.flat, chosen, strict=True):
    ax.plot(signals.x_train[k, :, 0])
    ax.set_title(f"digit {signals.y_train[k]}", fontsize=9)
plt.show()

# %% [markdown]
# **What to notice.** A filter of a convolution looks for its piece of the digit at every step, and
# the SVM compares step 7 with step 7. Depth pays here, in seconds, on 4,000 examples: what decides
# is what the examples are like, not only how many there are.

# %% [markdown]
# ## Where pixels tell nothing
#
# Now five classes, 5 to 9, each digit somewhere among pieces of others (notebook 11), and only 20
# labelled images a class. For the classes 0 to 4 there are many. A network learns those first. (Its
# layers with `batch_norm` bring each feature map to mean 0 and spread 1 over a batch, which makes
# the training steadier.)

# %%
# Picture: eight scenes with one whole digit each, 5 to 9, among pieces of others.
from dataclasses import replace

scenes = dl.load_dataset("planted", n=5000, canvas=32, digit_size=12, clutter=4)


def only(low, high):
    kept = {}
    for part, (x, y) in scenes.splits.items():
        mine = (y >= low) & (y < high)
        kept |= {f"x_{part}": x[mine], f"y_{part}": y[mine] - low}
    return replace(scenes, class_names=scenes.class_names[low:high], regions={}, **kept)


old, new = only(0, 5), only(5, 10)
few = np.concatenate([np.flatnonzero(new.y_train == label)[:20] for label in range(5)])
x_few, y_few = new.x_train[few], new.y_train[few]
names = [new.class_names[label] for label in y_few[::13]]
_ = dl.plots.image_grid(x_few[::13], names)

# %%
import keras

CNN = {"filters": [16, 32, 32], "pooling": "average", "hidden": [], "batch_norm": True}
epochs = 1 if smoke else 6


def scene_cnn(data):
    """Return an untrained network whose learning rate will rise and then fall."""
    keras.utils.set_random_seed(0)
    model = dl.build_model("cnn", data, **CNN)
    steps = epochs * int(np.ceil(len(data.x_train) / 16))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0002, steps - steps // 4, warmup_target=0.005, warmup_steps=steps // 4
    )
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


base = scene_cnn(old)
base.fit(old.x_train, old.y_train, epochs=epochs, batch_size=16, verbose=0)
base.evaluate(old.x_test, old.y_test, verbose=0)[1]

# %% [markdown]
# ## Transfer, and pre-computation
#
# What it has learned about strokes and places is of use for other digits. *Transfer learning* keeps
# its layers, *frozen*, and gives them a new head. Since frozen layers answer the same in every
# epoch, their outputs, the *deep features*, are computed once: 32 numbers an image here. S1 asks
# for pre-computation to cut training time, and for a combination of classic learning with deep
# learning. Here is both: an SVM on deep features. (For `dl.fit` this is
# `model={"name": "transfer", "base": "runs/…"}`.)

# %%
from sklearn.svm import SVC

deep = keras.Model(base.inputs, base.get_layer("logits").input)  # the old layers but for the head
deep.trainable = False
head = keras.Sequential([keras.layers.Dense(5, activation="softmax")])
rows, rows_test = (deep.predict(x, verbose=0) for x in (x_few, new.x_test))
head.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
head.fit(rows, y_few, epochs=2 if smoke else 60, verbose=0)

scratch = scene_cnn(new)
scratch.fit(x_few, y_few, epochs=2 if smoke else 40, batch_size=16, verbose=0)
pixels, pixels_test = (x.reshape(len(x), -1) / 255 for x in (x_few, new.x_test))
found = {
    "SVM on pixels": SVC().fit(pixels, y_few).score(pixels_test, new.y_test),
    "network from scratch": scratch.evaluate(new.x_test, new.y_test, verbose=0)[1],
    "new head on the old network": head.evaluate(rows_test, new.y_test, verbose=0)[1],
    "SVM on deep features": SVC().fit(rows, y_few).score(rows_test, new.y_test),
}

# %%
# Picture: test accuracy of four ways to learn five classes from 100 images. On pixels it is
# at chance, 0.2; from scratch, with a new head and with an SVM on deep features 0.5 to 0.7.
ax = dl.plots.new_axes(figsize=(7, 2.4))
bars = ax.barh(list(found), list(found.values()), color=dl.plots.COLOURS[0])
ax.bar_label(bars, fmt=" %.2f")
ax.axvline(0.2, color="0.4", ls=":")
ax.set(xlabel="test accuracy from 20 images a class (dotted: chance)", xlim=(0, 1))
ax.invert_yaxis()

# %% [markdown]
# **What to notice.** Pixels are of no use to an SVM here. The old network has never seen a 5, and
# its features carry to the new digits all the same: an SVM on them is about level with a network
# that is trained from scratch, and is fitted in milliseconds. What is the pre-computation worth?
# CPU seconds for an epoch over all images of the new classes:

# %%
import time


def cpu_seconds(work):
    work()  # the first call compiles
    start = time.process_time()
    work()
    return time.process_time() - start


all_rows = deep.predict(new.x_train, verbose=0)
whole = keras.Sequential([deep, head])
whole.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
works = {
    "the base once, for the features": lambda: deep.predict(new.x_train, verbose=0),
    "an epoch of the head on features": lambda: head.fit(all_rows, new.y_train, verbose=0),
    "an epoch with the base in front": lambda: whole.fit(new.x_train, new.y_train, verbose=0),
}
for name, work in works.items():
    print(f"{name:34} {cpu_seconds(work):.2f}")

# %% [markdown]
# **What to notice.** The head alone is cheaper in every epoch, and the base is run once. This base
# is tiny. With one of millions of weights the head costs almost nothing beside it, and a hundred
# epochs cost little more than one.
#
# ## A verdict
#
# | take classic learning when … | take a deep network when … |
# |---|---|
# | the data are a table | they are images, sound, text |
# | there are hundreds of examples | there are many, or a network that has seen many |
# | someone must read the reasons | a map and a check suffice |
# | it must be there today | it may train for a while |
#
# And in any case: measure the cheap one first. Without it nobody knows what the network is worth.

# %% [markdown]
# ## What the slides got wrong here
#
# - S2: "Model testing time: DL takes much lesser time as compare to ML". See the last column of the
#   first table: here it is the other way round.
# - S2: "a Deep Learning algorithm may take weeks or months". The largest do. The networks
#   of this course take seconds to minutes.
# - S2: "No more Feature Engineering!!" It moves: to the choice of the data, the layers and the
#   augmentation.
# - S1 has it right: transfer learning answers "high computational power", and small data as well.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("12.1")` helps, `solution("12.1")`
# tells.
#
# **12.1** Five folds give (a) a network: accuracy 0.962, 40 CPU seconds to fit; (b) an SVM: 0.960,
# 0.1 s; (c) a rule on two features: 0.910, 0.01 s. Fold by fold the network leads the SVM by 0.002
# ± 0.015, and the SVM leads the rule by 0.050 ± 0.018 (95% intervals). Which one do you take, or
# (d) none, since they cannot be compared?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("12.1", answer)

# %% [markdown]
# **12.2** A frozen base takes 2 ms for an image, the head's training 0.1 ms. With 1,000 images
# and 50 epochs, how many seconds does it take if the base's features are computed once and kept?

# %%
answer = ...
check("12.2", answer)

# %% [markdown]
# **12.3** Write a function `answer(sizes, network, classic)` that takes rising training-set sizes
# and the two accuracies at each, and returns the smallest size from which on the network is ahead
# at every size, or 0 if it is not ahead at the largest.

# %%
answer = ...
check("12.3", answer)
