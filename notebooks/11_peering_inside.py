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
# # Peering inside
#
# **Question.** The network is right. Is it right for the right reason?
#
# **Slides.** S0, S1 (the black box, templates, attending to the right parts, most confused).
#
# **Time.** Half a minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebook 09 (convolutional networks).

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
# S2 calls a deep network a black box that never tells how and why. There are windows. In this
# notebook you ask a network what it wants to see (templates), which pixels its answer hangs on
# (saliency), and where the evidence lies (class activation maps). Then you *check* what the maps
# say: in one network that looks at the digit, and in one that has found a short cut.

# %% [markdown]
# ## Look at the data
#
# Does a map of evidence tell the truth? On a photograph nobody knows. So here are images of which
# we know: a digit is planted somewhere among pieces of other digits, and the data set's `regions`
# keep the box that it stands in.

# %%
# Picture: eight scenes of 32 by 32 pixels: one whole digit each, named above, among pieces of
# others.
import os

import numpy as np

smoke = bool(os.environ.get("DLCOURSE_SMOKE"))
SCENES = {"name": "planted", "n": 4000, "canvas": 32, "digit_size": 12, "clutter": 4}
scenes = dl.load_dataset(**SCENES)
names = [scenes.class_names[label] for label in scenes.y_test]
_ = dl.plots.image_grid(scenes.x_test[:8], names[:8])

# %% [markdown]
# A small convolutional network learns them. It ends in the mean of each feature map, so that it
# does not matter where a digit stands. Its `batch_norm` brings each feature map to mean 0 and
# spread 1 over a batch, which makes the training steadier; `one_cycle` lets the learning rate rise
# and then fall within it.

# %%
CNN = {"filters": [16, 32, 32], "pooling": "average", "hidden": [], "batch_norm": True}
TRAINING = {
    "model": {"name": "cnn", **CNN},
    "epochs": 1 if smoke else 5,
    "batch_size": 64 if smoke else 16,
    "learning_rate": 0.005,
    "schedule": "one_cycle",
    "restore_best_weights": False,
}
plain = dl.fit(dataset=SCENES, **TRAINING, runs=None, verbose=0)
for name, part in (("validation", "val"), ("test", "test")):
    print(f"{name} accuracy {plain.metrics[part]['accuracy']:.3f}")

# %% [markdown]
# ## What does a class want to see? Templates
#
# *Activation maximization* starts from a grey image $x$ and climbs the gradient of a class's logit:
#
# $$x \leftarrow x + \alpha \frac{\partial z_c}{\partial x}$$
#
# The weights stay; the image learns. Without more, it ends in noise that only a network can love.
# So jumps between neighbours are made expensive, and the image is moved a little at every step.
# What comes out is the *template* of the class. The untrained network is asked, too.

# %%
# Picture: two rows of ten images, a column a class. Upper row, untrained: speckles and ripples,
# some all black. Lower row, trained: a pattern of strokes for each class, all over the image: rings
# for 0, small holes for 8, bars for others.
import keras

keras.utils.set_random_seed(0)
untrained = dl.build_model("cnn", scenes, **CNN)
templates = [
    dl.activation_maximization(model, list(range(10)), value_range=scenes.value_range)
    for model in (untrained, plain.model)
]
_ = dl.plots.image_grid(
    np.concatenate(templates), scenes.class_names * 2, columns=10, rows=["untrained", "trained"]
)

# %% [markdown]
# **What to notice.** The trained network wants strokes: rings for a 0, the small holes of an 8,
# slanted bars. It wants them everywhere, since it takes the mean over all places. It has never been
# asked to draw a digit, only to tell ten apart. S0 hopes to see over-fitting in templates. Noise in
# those of a *trained* network is a sign of it; the curves of notebook 07 are the better witness.

# %% [markdown]
# ## Which pixels does the answer hang on? Saliency
#
# The *saliency map* is the gradient's size at each pixel: how much the logit changes with it.
#
# $$S = \left| \frac{\partial z_c}{\partial x} \right|$$
#
# It says where the network is *sensitive*, not what brought the answer. *Integrated gradients* add
# up the gradients on the way from a black image to this one, and take them times the image. Their
# sum is the whole change of the logit, divided among the pixels.

# %%
# Picture: three scenes, a row each, the digit framed in blue: the scene, its saliency map, bright
# on dark, and its integrated gradients, red for the answer and blue against it. Both are strongest
# at the digit, and speckled.
some, boxes = scenes.x_test[1:4], scenes.regions["object"][1:4]
divided, gap = dl.integrated_gradients(plain.model, some, steps=500, return_gap=True)
maps = {"saliency": dl.saliency(plain.model, some), "integrated gradients": divided}
_ = dl.plots.attributions(some, maps, names[1:4], boxes=boxes)
print(f"a map's sum differs from the change of the logit by {np.abs(gap).max():.4f} at most")

# %% [markdown]
# **What to notice.** Saliency may be bright on black pixels: ink there would change the answer.
# Integrated gradients cannot, since the way starts from black. Two maps, two questions.

# %% [markdown]
# ## Where is the evidence? Class activation maps
#
# The network ends in the mean of each last feature map $F_k$, and the logits weigh these means. So
# the logit is a sum over places, and may be drawn before it is summed: the *class activation map*.
#
# $$z_c = b_c + \sum_k w_{kc}\, \overline{F_k} \qquad M_c = \sum_k w_{kc} F_k$$
#
# Grad-CAM takes the *mean* gradient over the places in the place of $w_{kc}$, and so works for
# other networks, too; it drops negative values.

# %%
# Picture: three scenes, a row each: the scene, and over it its saliency, its class activation map
# and Grad-CAM. The blue box frames the digit; the two class activation maps glow in it.
METHODS = (dl.saliency, dl.class_activation_map, dl.grad_cam)


def draw(run, data, region, k=3):
    maps = {method.__name__: method(run.model, data.x_test[:k]) for method in METHODS}
    boxes = data.regions[region][:k]
    dl.plots.attributions(data.x_test[:k], maps, names[:k], overlaid=True, boxes=boxes)


draw(plain, scenes, "object")

# %% [markdown]
# A few pictures convince quickly, and prove nothing. So count over many. *Hits* is how often a
# map's largest value lies in the box. And do not only look: *cover* the digit, and see whether the
# answer changes. What changes the answer is what the network uses; a map is only a description.
# Chance hits the box with about one pixel in nine. The other columns and the last row:
#
# - *inside*: the share of a map's positive values that lies in the box;
# - *deletion*: the class's probability while pixels are blackened, the map's brightest first. It
#   should fall at once: the smaller its mean, the better;
# - *insertion*: the same while they appear on black: the larger, the better;
# - *all random*: how far the map is like that of the same network with random weights;
# - *random map*: noise in the place of a map, to compare with.

# %%
images = 20 if smoke else 100
options = {"methods": [method.__name__ for method in METHODS], "images": images, "steps": 12}
print(dl.lab.faithfulness.attention_report(plain.model, scenes, **options))

# %% [markdown]
# **What to notice.** All three hit far more often than chance, the class activation maps most
# often. With the digit covered, most answers change; with as large a box elsewhere covered, few or
# none. This network attends to the right part. *All random* is near 0: the maps depend on what was
# learned.

# %% [markdown]
# ## The short cut
#
# Now the same scenes with a small mark in the upper left corner. Its four cells tell the class in
# binary, as a hospital's stamp may tell which ward an X-ray comes from. In this data set every mark
# is true (the setting calls it `honest`). The same network, the same training:

# %%
marked_run = dl.fit(dataset={**SCENES, "mark": "honest"}, **TRAINING, runs=None, verbose=0)
marked = marked_run.load_dataset()
for name, part in (("validation", "val"), ("test", "test")):
    print(f"{name} accuracy {marked_run.metrics[part]['accuracy']:.3f}")

# %% [markdown]
# By every number so far this is the better network. Look at where the evidence lies:

# %%
# Picture: three scenes with a mark of two by two cells in the upper left corner, framed in blue.
# The class activation map and Grad-CAM glow most at the mark.
draw(marked_run, marked, "mark")

# %%
print(dl.lab.faithfulness.attention_report(marked_run.model, marked, **options))

# %% [markdown]
# **What to notice.** Cover the digit, and hardly an answer changes. Cover the mark, and about a
# quarter does. Cover both, and nearly all do: the network falls back on the digit where the mark is
# gone, but as long as there is one, it is the mark that decides.

# %% [markdown]
# The last proof is an experiment. Let the mark lie: in these test images it names the *next* class,
# and all else is the same. And take it away altogether.

# %%
# Picture: test accuracy of the two networks for three kinds of test images. Without a mark, the
# first network is good and the second one worse; with a lying mark the first stays good, and the
# second falls below chance.
COLOURS = dl.plots.COLOURS
lying = dl.load_dataset(**SCENES, mark="lying")
kinds = {"no mark": scenes, "a true mark": marked, "a lying mark": lying}
ax = dl.plots.new_axes(figsize=(7, 3))
networks = {"learned without a mark": plain, "learned with the mark": marked_run}
for k, (label, one) in enumerate(networks.items()):
    answers = [one.model.predict(data.x_test, verbose=0).argmax(axis=1) for data in kinds.values()]
    accuracy = [np.mean(found == scenes.y_test) for found in answers]  # the digits are the same
    bars = ax.bar(np.arange(3) + 0.4 * (k - 0.5), accuracy, 0.37, color=COLOURS[k], label=label)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks(range(3), kinds)
ax.set(ylabel="test accuracy", ylim=(0, 1))
_ = ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.06))

# %% [markdown]
# **What to notice.** The network with the short cut has learned something of the digit as well. But
# where mark and digit disagree, it believes the mark. No accuracy on such data could have told: the
# mark told the truth in validation *and* in test. A map raised the suspicion, and an intervention
# proved it.

# %% [markdown]
# ## What is confused with what
#
# The simplest window is the errors themselves. Back to the first network, and to the pairs that it
# confuses most often.

# %%
# Picture: the pairs of classes that are confused most often, a row each, with their test scenes.
predicted = plain.model.predict(scenes.x_test, verbose=0)
_ = dl.plots.most_confused(
    scenes.y_test, predicted.argmax(axis=1), scenes.class_names, scenes.x_test, pairs=3
)

# %%
# Picture: the eight test scenes whose true class has the least probability, each with its true
# class, what was said, and how sure the network was.
_ = dl.plots.highest_loss(scenes.x_test, scenes.y_test, predicted, scenes.class_names, count=8)

# %% [markdown]
# **What to notice.** Would you have known? Some digits are blurred, and now and then a piece of
# another one looks more like a digit than the digit does. A wrong answer with a probability near 1
# is always worth a second look: at the image, and at its label.

# %% [markdown]
# ## What the slides got wrong here
#
# - S2: "DL never reveals the how and why behind the output, it's a Black Box". It does not by
#   itself; but it can be asked, and the answers can be checked, as above.
# - S0: convolutional filters learn "template matching" filters. The first layer's do. A class's
#   template also holds what must *not* be there.
# - S0 shows maps and asks whether the network attends to the correct parts. A map alone cannot
#   tell: some methods draw nearly the same map when every weight is random. The column *all
#   random* of the reports is that check.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("11.1")` helps, `solution("11.1")`
# tells.
#
# **11.1** The last convolution gives two feature maps, [[1, 0], [2, 0]] and [[0, 3], [1, 0]].
# Their means go to the logit of class "7" with the weights 2 and −1. What is the class activation
# map of "7"?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("11.1", answer)

# %% [markdown]
# **11.2** A network is as simple as z = 2·x₁ − 3·x₂ + 0.5·x₃. What is the saliency map, the
# absolute gradient of z, at x = (1, 1, 4)?

# %%
answer = ...
check("11.2", answer)

# %% [markdown]
# **11.3** Write a function `answer(heat, box)` that takes a map (height, width) and a box (top,
# left, bottom, right), whose last two are the first row and column outside it, and returns
# whether the map's largest value lies in the box.

# %%
answer = ...
check("11.3", answer)
