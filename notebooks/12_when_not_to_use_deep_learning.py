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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** Does this problem need a deep network, and if not, what then?
#
# **Slides.** S0, S1, S2 (do not overkill it; data size, time, interpretability; transfer learning,
# pre-computation, classic learners on deep features).
#
# **Time.** A minute to run, 60 minutes to read.
#
# **Prerequisites.** Notebooks 03 (logistic regression) and 09 (convolutional networks).

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
# S0 says: "Don't overkill it with deep learning!" That is an opinion until it is measured. In this
# notebook you compare networks with classic models, on the same examples: accuracy, its
# uncertainty, and the cost. You let the data grow and see which gains. Then you use what a network
# has learned for other classes: you save it, load it, freeze it and give it a new head.

# %% [markdown] proof="classics" slides="S0 do not overkill it with deep learning"
# ## The tumours, for the last time
#
# You have met the tumours since notebook 03: a row of 30 measurements for each patient, two
# classes. A network with one hidden layer stands beside three *classic models*: logistic
# regression; a *support vector machine* (SVM), which draws the boundary with the widest margin,
# here a curved one; and a *random forest*, many trees of yes-or-no questions that vote.
#
# In a *cross-validation* the examples are cut into *folds*. Each fold is held back once, while the
# models learn from the others. `StratifiedKFold` keeps the share of each class in every fold. The
# test examples stay aside until the model is chosen.
#
# **Predict, then run.** Does the network win? And how many times as long as logistic regression
# does it take to fit?

# %% name="classics"
# Three classic models, each on the same five folds
import time

import keras
import numpy as np
import pandas as pd
from keras import layers
from matplotlib import pyplot as plt
from sklearn import ensemble, linear_model, model_selection, preprocessing, svm
from sklearn.pipeline import make_pipeline

data = dl.load_dataset("breast_cancer")  # the patients to learn from, and others for the test
x, y = np.concatenate([data.x_train, data.x_val]), np.concatenate([data.y_train, data.y_val])
logistic = make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
machine = make_pipeline(preprocessing.StandardScaler(), svm.SVC())
forest = ensemble.RandomForestClassifier(random_state=0)
classics = {"logistic regression": logistic, "SVM": machine, "random forest": forest}
folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=0)
plt.rc("axes", prop_cycle=plt.cycler(color=dl.plots.COLOURS))  # safe for the colour-blind
scores, seconds = {}, {}
for name, model in classics.items():
    start = time.process_time()
    scores[name] = model_selection.cross_val_score(model, x, y, cv=folds)
    seconds[name] = (time.process_time() - start) / 5
print(f"{len(x)} patients, {x.shape[1]} measurements; {len(data.x_test)} more for the test")

# %% name="table"
# The network on the same folds, and the table of all
scores["network"], start = [], time.process_time()
for train, held in folds.split(x, y):
    keras.utils.set_random_seed(0)
    scale = layers.Normalization()
    scale.adapt(x[train])
    net = keras.Sequential([scale, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    net.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    net.fit(x[train], y[train], epochs=12, verbose=0)
    scores["network"].append(np.mean((net(x[held]).numpy()[:, 0] > 0.5) == y[held]))
seconds["network"] = (time.process_time() - start) / 5
table = pd.DataFrame(scores).agg(["mean", "std"]).T.assign(cpu_seconds_to_fit=seconds)
print(table.round(3), f"\nthe guess of the majority's class: {max(y.mean(), 1 - y.mean()):.3f}")

# %% alt="The accuracy of four models on the folds, one row for each, as dots, with a stroke at the mean: all lie between about 0.93 and 1, the strokes within about 0.02 of each other, and the dots of one model spread wider than that."
# Accuracy on each fold; the stroke is the mean
_, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
ax.plot(np.array(list(scores.values())), list(scores), "o", color="#0072B2", alpha=0.4)
ax.plot(np.mean(list(scores.values()), axis=1), list(scores), "|", color="#D55E00", ms=22, mew=3)
_ = ax.set(xlim=(0.9, 1.003), ylim=(-0.5, 3.5), xlabel="accuracy on a fold (stroke: mean)")

# %% [markdown] proof="above"
# **What to notice.** For a table of some hundred rows the network gains nothing that could be seen
# beside the spread of the folds, and it costs many times as much as logistic regression or the SVM.
# Compare every model with the guess as well: "benign" for everyone is right for 63 % of the
# patients.

# %% [markdown] proof="below"
# ## Is a difference a difference?
#
# Compare two models fold by fold, so that what makes a fold hard for both cancels, and ask how far
# the mean difference $\bar d$ may be off. The folds share training examples, so their results are
# not independent, and the usual interval is too narrow. Nadeau and Bengio corrected it for repeated
# random splits; for $k$ folds the correction is customary, not exact:
#
# $$\bar d \pm t_{k-1} \sqrt{s_d^2 \left(\frac{1}{k} + \frac{n_{test}}{n_{train}}\right)}$$
#
# $s_d^2$ is the variance of the differences and $t_{k-1}$ the 97.5 % quantile of Student's
# distribution, a factor that is the larger the fewer folds there are. If the interval contains 0,
# the two models do not differ significantly, and the cheaper one is the better choice.
#
# **Predict, then run.** Which of the three differ significantly from the network?

# %% name="interval"
# The lead of the network over each other model, with its corrected 95 % interval
from scipy import stats

for name in classics:
    lead = np.array(scores["network"]) - scores[name]
    # One fold is the test, four are for training: n_test / n_train = 1 / 4.
    half = stats.t.ppf(0.975, 5 - 1) * np.sqrt(lead.var(ddof=1) * (1 / 5 + 1 / 4))
    print(f"network − {name:20} {lead.mean():+.3f} ± {half:.3f}")

# %% [markdown]
# **What to notice.** No model differs significantly from the network: every interval contains zero.
# It takes many more patients than these to see a lead of one patient in a hundred. So take the
# cheap model.

# %% [markdown] slides="S2 time of deep and of classic learning"
# ## What does an answer cost?
#
# S2 says that deep learning needs much less time for testing than classic learning. A time for
# "some hundred examples" mixes two things: a *fixed cost* of each call, and a cost per row. So
# measure one row and very many rows. `model.predict` is made for many rows: each call sets up a
# loop over batches. `model(x)` leaves that out.


# %% name="call"
# The cost of a call with one row, and of each further row among 50,000
import timeit


def cpu_seconds(work, *arguments):
    times = timeit.repeat(lambda: work(*arguments), timer=time.process_time, number=1, repeat=4)
    return min(times)  # the first call may compile, and others may be disturbed


answers = {name: model.fit(x, y).predict for name, model in classics.items()}
answers |= {"net.predict": lambda rows: net.predict(rows, 10_000, verbose=0), "net(rows)": net}
for name, predict in answers.items():
    one, many = (cpu_seconds(predict, rows) for rows in (x[:1], np.resize(x, (50_000, 30))))
    print(f"{name:20} one row {1e3 * one:6.1f} ms, a further {1e6 * (many - one) / 5e4:6.2f} µs")

# %% [markdown]
# **What to notice.** `predict` pays a large fixed cost, whether there is one row or a batch of
# them: divided among a few hundred rows it would make the network look slow, which it is not.
# For many rows the network is quick, and so is logistic regression; the SVM is the slowest, since
# it compares each row with its *support vectors*, the training examples that mark its boundary. So
# the slide is right about some models and many rows, not in general.

# %% [markdown] slides="S2 interpretability"
# ## What can it explain?
#
# A logistic regression on standardised inputs is a list of weights, which a doctor can read. Where
# inputs move together, as radius and area do, one weight alone says little, not even its sign. A
# network needs the methods of notebook 11. Now the choice is made, and the test examples are used,
# once:

# %% alt="A bar for each of the twelve strongest weights of the logistic regression, in order of size. Nearly all bars point to the left, below 0: a larger measurement lowers the logit of a benign tumour."
# The chosen model: its accuracy on the test examples, and its weights
print(f"accuracy on the test examples: {logistic.score(data.x_test, data.y_test):.3f}")
weights, benign = logistic[-1].coef_[0], f"logit of {data.class_names[1]}"
_ = dl.plots.feature_attributions(weights, data.feature_names, title=benign, unit="weight")

# %% [markdown] slides="S1 data size; S2 data size"
# ## More data, and data that move
#
# S2 says that deep learning wins where the data are large. MNIST-1D puts this to the test: each
# digit is written as a line of numbers, then stretched, tilted and shifted, and noise is added. So
# the same position holds another piece of the digit in every example.

# %% alt="Three panels, for the digits 0, 1 and 2, with two signals each: within a panel the same shape stands at another place, and is tilted and stretched."
# Two signals each of three digits
signals = dl.load_dataset("mnist1d")
_, axes = plt.subplots(1, 3, sharey=True, figsize=(8, 2.2), layout="constrained")
for digit, ax in enumerate(axes):
    ax.plot(signals.x_train[signals.y_train == digit][:2, :, 0].T)
    ax.set(title=f"digit {digit}", xlabel="position", ylabel="signal" if digit == 0 else "")

# %% [markdown]
# A comparison is fair if every training comes to its end. Here each network gets the same number of
# steps, however few the examples are, with a learning rate that rises, then falls to zero. A
# schedule that is laid out for more steps than are made never comes down, and the comparison would
# blame the network for it.
#
# **Predict, then run.** Which is ahead with few signals, a convolutional network or an SVM? And
# with many?


# %% name="training"
# Compile a network for a number of steps, and train it for them, from given weights
def compiled(model, steps, rate=0.01):
    decay = keras.optimizers.schedules.CosineDecay
    schedule = decay(0.0, 3 * steps // 4, warmup_target=rate, warmup_steps=steps // 4)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
    return model


def train(model, weights, x, y, steps, batch=32):
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))  # forget what an earlier training left
    order = np.random.permutation(batch * steps) % len(x)  # one epoch, each example as often
    model.fit(x[order], y[order], batch_size=batch, shuffle=False, verbose=0)


def accuracy(model, x, y):
    return np.mean(np.argmax(model(x), axis=1) == y)


# %% name="growth"
# Accuracy over the number of signals to learn from
keras.utils.set_random_seed(0)
convs = [layers.Conv1D(32, 5, 2, padding="same", activation="relu") for _ in range(3)]
end = [layers.Flatten(), layers.Dense(10, activation="softmax")]
cnn = compiled(keras.Sequential([keras.Input((40, 1)), *convs, *end]), 300)
fresh, sizes = cnn.get_weights(), [100, 600, len(signals.x_train)]
growth = {name: [] for name in [*classics, "convolutions"]}
for size in sizes:
    for name, model in classics.items():
        model.fit(signals.x_train[:size, :, 0], signals.y_train[:size])
        growth[name].append(model.score(signals.x_test[..., 0], signals.y_test))
    train(cnn, fresh, signals.x_train[:size], signals.y_train[:size], 300, 128)
    growth["convolutions"].append(accuracy(cnn, signals.x_test, signals.y_test))
print(pd.DataFrame(growth, index=sizes).round(2))


# %% alt="Test accuracy over the number of signals on a logarithmic axis, one line for each of four models. With 100 signals all lie low, between about 0.15 and 0.3. The line of the convolutions rises most steeply and ends highest, before the random forest and, well below, the SVM; logistic regression hardly rises."
# The accuracy of the four models over the number of signals
def draw(numbers, curves, label):
    _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for k, (name, values) in enumerate(curves.items()):
        values = np.reshape(values, (len(numbers), -1))  # a column for each draw
        ax.plot(numbers, values.mean(axis=1), color=f"C{k}", label=name)
        ax.plot(numbers, values, "o", color=f"C{k}")
    ax.set(xscale="log", ylim=(0, 1), xlabel=label, ylabel="test accuracy")
    ax.set_xticks(numbers, numbers)
    ax.minorticks_off()
    ax.legend(loc="upper left")


draw(sizes, growth, "signals to learn from (one seed)")

# %% [markdown]
# **What to notice.** With few signals the two are about equal, and not good. All gain from data,
# and the network most. The SVM compares position with position; a filter looks for its piece of the
# digit at every position, so each example teaches it about all places at once. What decides is not
# only how many examples there are, but also what they are like: on the tumours, where each column
# has its own meaning, nothing moves.

# %% [markdown]
# ## A network that has seen other digits
#
# Now a problem with few labels. Each picture shows one whole digit somewhere, beside a piece of
# another one. Of the digits zero to four there are many pictures; of five to nine there will be
# only a few for each class. A network learns the first five.

# %% alt="Eight small dark pictures with a light, coarse digit each, at another place every time, and beside it a fragment of another digit; the title of each is its class, 5 to 9."
# Pictures of single digits beside a piece of another, and their two halves: old classes and new
scenes = dl.load_dataset("planted", n=4000, canvas=20, digit_size=8, clutter=1)


def classes(part, low):  # five classes, numbered from 0
    x, y = scenes.splits[part]
    return x[(y >= low) & (y < low + 5)], y[(y >= low) & (y < low + 5)] - low


(x_old, y_old), (x_held, y_held) = classes("train", 0), classes("val", 0)
(x_new, y_new), (x_test, y_test) = classes("train", 5), classes("test", 5)
_ = dl.plots.image_grid(x_new[:8], [str(5 + label) for label in y_new[:8]])

# %% [markdown]
# `BatchNormalization` brings each feature map to mean zero and spread one over the batch, which
# makes the training steadier. For predictions it uses running means, and their `momentum` has to
# fit the number of steps: with Keras' default, `0.99`, they need a few hundred steps to arrive, and
# until then a network that has learned its training examples seems to know nothing. The trainings
# below have fewer steps than that, so here it is `0.9`.


# %% name="base"
# The base: a convolutional network for the digits zero to four, saved and loaded again
def scene_cnn():
    parts = [keras.Input((20, 20, 1)), layers.Rescaling(1 / 255)]
    for filters in (8, 16, 24):
        parts += [layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        parts += [layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.MaxPooling2D()]
    return keras.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(5, "softmax")])


keras.utils.set_random_seed(0)
base = compiled(scene_cnn(), 250)
train(base, base.get_weights(), x_old, y_old, 250)
Path("runs").mkdir(exist_ok=True)
base.save("runs/base.keras")
base = keras.models.load_model("runs/base.keras")
print(f"{len(x_old)} pictures of old classes; accuracy {accuracy(base, x_held, y_held):.2f}")

# %% [markdown] slides="S1 transfer learning"
# ## Transfer: freeze it, give it a new head
#
# *Transfer learning* keeps the layers of a trained network and replaces its last one, the *head*.
# `trainable = False` *freezes* the old layers: no step changes their weights, and batch
# normalization keeps its running means. `training=False` is said as well in Keras' guides. A layer
# of dropout inside a base can stay active in spite of both; this base has none.


# %% name="frozen"
# A frozen base and a new head in plain Keras, trained on 20 pictures of each new class
def few(k, seed=0):
    mixed = np.random.default_rng(seed).permutation(len(x_new))
    return np.concatenate([mixed[y_new[mixed] == label][:k] for label in range(5)])


body = keras.Model(base.inputs, base.layers[-2].output)
body.trainable = False
inputs = keras.Input((20, 20, 1))
outputs = layers.Dense(5, activation="softmax")(body(inputs, training=False))
frozen, before = compiled(keras.Model(inputs, outputs), 120, rate=0.05), body.get_weights()
train(frozen, frozen.get_weights(), x_new[few(20)], y_new[few(20)], 120)
assert all(np.array_equal(a, b) for a, b in zip(before, body.get_weights(), strict=True))
print(f"accuracy on the new classes: {accuracy(frozen, x_test, y_test):.2f} (guessing: 0.20)")

# %% name="recipe"
# The same as a recipe: `{"name": "transfer", "base": "runs/base.keras"}`
transfer = dl.models.transfer((20, 20, 1), 5, base="runs/base.keras")
transfer.get_layer("logits").set_weights(frozen.layers[-1].get_weights())
assert np.allclose(transfer(x_test), frozen(x_test), atol=1e-4)

# %% [markdown]
# With the extra `imagenet` of this course, the base may be `efficientnet_lite0`, a network that has
# learned from a million photographs, for a folder of your own pictures.

# %% [markdown] slides="S1 pre-computation; S1 classic learning on deep features"
# ## Pre-computation
#
# Frozen layers answer the same in every epoch. Their outputs, the *deep features*, are computed
# once and kept. S1 asks for pre-computation to cut training time, and for a combination of classic
# learning with deep learning. Here is both: an SVM on deep features.
#
# **Predict, then run.** Is an epoch of the head alone cheaper by far, or by a little? And is the
# SVM better than the head on the same few pictures?

# %% name="features"
# Deep features, an SVM on them, and what an epoch over all new pictures costs
features, features_test = (body.predict(part, verbose=0) for part in (x_new, x_test))
deep_svm = svm.SVC().fit(features[few(20)], y_new[few(20)])
print(f"an SVM on {features.shape[1]} deep features: {deep_svm.score(features_test, y_test):.2f}")
head = compiled(keras.Sequential([layers.Dense(5, activation="softmax")]), 120)
for name, model, rows in (("with the base", frozen, x_new), ("of the head alone", head, features)):
    epoch = cpu_seconds(model.fit, rows, y_new, None, 1, 0)  # one epoch, verbose=0
    print(f"an epoch {name}: {epoch:.2f} CPU seconds")

# %% [markdown]
# **What to notice.** The head alone is cheaper in every epoch, here by a little: the base is tiny,
# and most of the time goes into Keras' own work for each step. Beside a base with millions of
# weights the head costs almost nothing, and a hundred epochs cost little more than one. The SVM
# needs no epochs at all, and no learning rate.

# %% [markdown]
# ## How few pictures are too few?
#
# Three ways to learn the new classes: an SVM on the frozen features; *fine-tuning*, which starts
# all layers from the base's weights and trains them with a small learning rate; and a network from
# scratch. Both networks get the same number of steps. (For a single fine-tuning write
# `body.trainable = True` and compile again with a small rate; here the weights are copied, so that
# one network can be trained again and again.)
#
# **Predict, then run.** From how many pictures per class on is the network from scratch better than
# the SVM on frozen features? And than fine-tuning?

# %% name="curve"
# Accuracy over the number of pictures per class, each with two draws of the pictures
scratch, tuned = compiled(scene_cnn(), 80), compiled(scene_cnn(), 80, rate=0.005)
start = scratch.get_weights()
warm = [*base.get_weights()[:-2], *start[-2:]]  # the layers of the base, and a new head
ways, counts = {"SVM on frozen features": [], "fine-tuned": [], "from scratch": []}, [3, 10, 20, 50]
for rows in (few(count, draw) for count in counts for draw in range(2)):
    deep_svm.fit(features[rows], y_new[rows])
    ways["SVM on frozen features"].append(deep_svm.score(features_test, y_test))
    for name, model, weights in (("fine-tuned", tuned, warm), ("from scratch", scratch, start)):
        train(model, weights, x_new[rows], y_new[rows], 80)
        ways[name].append(accuracy(model, x_test, y_test))
print(pd.DataFrame(ways, index=np.repeat(counts, 2)).groupby(level=0).mean().round(2))

# %% alt="Accuracy on the new classes over the number of pictures per class, 3 to 50, on a logarithmic axis: for each of three ways a line through the means and a dot for each draw. All lines rise. Fine-tuning is highest over most of the range; the SVM on frozen features flattens, and the network from scratch, lowest with few pictures, crosses it and keeps rising."
# The three ways over the number of pictures per class
draw(counts, ways, "pictures per class (dots: two draws, lines: their mean)")

# %% [markdown] proof="curve" slides="S0 when and where to use deep learning"
# **What to notice.** With 3 pictures per class, what the base has learned helps: fine-tuning and
# even the frozen features do at least as well as a network from scratch. The frozen features
# flatten soon, since they hold what told the old digits apart and no more: by 20 pictures per class
# the network from scratch has passed them. Fine-tuning begins with what was learned and changes
# what does not fit. Its lead over the network from scratch shrinks in the end. Where the network
# from scratch overtakes depends on the network and on the number of steps; here it is at about 50
# pictures or beyond. So the answer to "transfer or not" is a curve, and it has to be measured on
# your data.
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
# ## In five lines
#
# - Measure the guess and the cheap model first, on the same folds as the network.
# - A difference counts only if its corrected interval does not contain zero.
# - A network gains where one input alone means little and things move about, not only where there
#   are many examples.
# - Transfer pays where examples are few: frozen features are the cheapest, fine-tuning is better,
#   and with enough examples a network from scratch catches up.
# - Schedules and running means must fit the number of steps, or the comparison measures them.

# %% [markdown]
# ## Further reading
#
# - [Nadeau and Bengio, Inference for the generalization
#   error](https://doi.org/10.1023/A:1024068626366): where the corrected interval comes from.
# - [Transfer learning and fine-tuning](https://keras.io/guides/transfer_learning/), a Keras guide:
#   the same steps with a large network for photographs.
# - [Yosinski and others, How transferable are features in deep neural
#   networks?](https://arxiv.org/abs/1411.1792): which layers carry over, measured.
# - [Greydanus and Kobak, Scaling down deep learning with
#   MNIST-1D](https://arxiv.org/abs/2011.14439): the signals, and what else they are good for.
# - [Grinsztajn and others, Why do tree-based models still outperform deep learning on tabular
#   data?](https://arxiv.org/abs/2207.08815): the first table of this notebook on 45 data sets.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("12.1")` helps, `solution("12.1")`
# tells.
#
# ### Quick checks
#
# **12.1** Five folds give accuracy 0.962 for a network (40 CPU seconds to fit), 0.960 for an SVM
# (0.1 s) and 0.910 for a rule on two features (0.01 s). Fold by fold the first leads the second by
# 0.002 ± 0.015, and the second leads the third by 0.050 ± 0.018 (95% intervals). Which one do you
# take? (a) The network. (b) The SVM. (c) The rule. (d) None: they cannot be compared.

# %%
# 12.1: your answer, a letter
from dlcourse.lessons import check, hint, solution

answer = ...
check("12.1", answer)

# %% [markdown]
# **12.2** A frozen base takes 2 ms per image, and training the head takes 0.1 ms per image and
# epoch. With 1,000 images and 50 epochs, how many seconds does it all take if the base's features
# are computed once and kept?

# %%
# 12.2: your answer, in seconds
answer = ...
check("12.2", answer)

# %% [markdown]
# **12.3** Write a function `answer(sizes, network, classic)` that takes three NumPy arrays, rising
# training-set sizes and the two accuracies at each, and returns the smallest size from which on the
# network is ahead at every size, or 0 if it is not ahead at the largest.

# %%
# 12.3: your function
answer = ...
check("12.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **12.4** `first` and `second` hold the accuracies of two models on the same folds, each trained
# with `n_train` examples and tested with `n_test`. Return the two ends of the corrected 95 %
# interval of the first one's lead, the lower end first. It must work for any number of folds.


# %%
# 12.4: the corrected interval; put your code in the places of `...`
def answer(first, second, n_train, n_test):
    from scipy import stats

    k, lead = len(first), first - second
    ratio = n_test / n_train
    variance = ...  # of the leads
    quantile = ...  # of Student's distribution: stats.t.ppf(share, degrees_of_freedom)
    half = ...  # half the width of the interval
    return lead.mean() - half, lead.mean() + half


check("12.4", answer)

# %% [markdown]
# ### Build a network
#
# **12.5** Write `answer(x_old, y_old, x_new, y_new)`: it returns a trained Keras model for five new
# classes. `x_old` holds 1,400 signals of MNIST-1D of shape (40, 1), the digits 0 to 4; `x_new`
# holds ten signals of each of the digits 5 to 9, with labels `y_new` from 0 to 4. The bar is an
# accuracy of 0.60 on 600 other signals of the new classes. It may take 8 CPU seconds. Guessing
# reaches 0.20, an SVM on the signals about 0.40.


# %%
# 12.5: your network for the new classes
def answer(x_old, y_old, x_new, y_new):
    base = keras.Sequential([keras.Input(x_old.shape[1:]), ..., layers.Dense(5, "softmax")])
    base.compile(keras.optimizers.Adam(...), "sparse_categorical_crossentropy")
    base.fit(x_old, y_old, epochs=..., verbose=0)
    model = ...  # the layers of the base, frozen, and a new head
    model.compile(keras.optimizers.Adam(...), "sparse_categorical_crossentropy")
    model.fit(x_new, y_new, epochs=..., verbose=0)
    return model


check("12.5", answer)
