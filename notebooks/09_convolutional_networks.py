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
# # Convolutional networks
#
# **Question.** How does a network find a pattern wherever it stands in a picture?
#
# **Slides.** S0, S2, S4 (convolution, max pooling, flattening).
#
# **Time.** Half a minute to run, 45 minutes to read.
#
# **Prerequisites.** Notebook 06 (the first deep network).

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
# A dense layer has a weight for every pixel. It must learn a stroke anew at every place. A
# convolution learns the stroke once and looks for it everywhere. In this notebook you compute the
# slides' convolution and pooling by hand, count the weights, train a convolutional network beside a
# dense one, move the pictures, and look at what the layers see.

# %% [markdown]
# ## Convolution by hand
#
# A *kernel* (a *filter*) is a small matrix of weights $k$. Lay it on the image $x$, multiply number
# by number, add up. Then move it one pixel on:
#
# $$y_{ij} = \sum_a \sum_b x_{i+a,\,j+b}\; k_{ab}$$
#
# The result is a *feature map*: large where the image looks like the kernel. These are the slides'
# image and kernel; the slides show the first number, 4.

# %%
import numpy as np

image = np.array(
    [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
)
kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])


def convolve(image, kernel):
    rows, columns = kernel.shape
    result = np.zeros((image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for i, j in np.ndindex(result.shape):
        result[i, j] = (image[i : i + rows, j : j + columns] * kernel).sum()
    return result


convolve(image, kernel)

# %%
# Picture: the 5 by 5 image with the upper left 3 by 3 pixels framed, the kernel, and the feature
# map with its first cell framed; below, the nine products whose sum is 4.
from dlcourse.lessons import plots as lesson_plots

_ = lesson_plots.convolution_cell(image, kernel, place=(0, 0))

# %%
# Picture: the image nine times, each with one window framed and the number that it gives: the
# feature map 4 3 4, 2 4 3, 2 3 4.
_ = lesson_plots.convolution_gallery(image, kernel)

# %% [markdown]
# **What to notice.** A 3×3 kernel fits into a 5×5 image at 3×3 places. Each pixel is used by up to
# nine of them, and all nine places share the same nine weights.
#
# `dlcourse.lessons.maths` and Keras do the same without loops. Keras wants images
# (m, height, width, channels) and kernels (rows, columns, channels, filters).

# %%
import keras

from dlcourse.lessons import maths

by_keras = keras.ops.conv(
    image[None, :, :, None].astype("float32"), kernel[:, :, None, None].astype("float32")
)
by_maths = maths.convolve2d(image, kernel)
np.array_equal(by_maths, convolve(image, kernel)), np.array(by_keras)[0, :, :, 0]

# %% [markdown]
# ## It is a cross-correlation
#
# What mathematics calls convolution first turns the kernel by 180°. Deep learning does not: its
# "convolution" is mathematics' *cross-correlation*. The slides' kernel looks the same after a turn,
# so nobody notices. This one does not: it is bright where dark lies to the left of bright.

# %%
from scipy.signal import convolve2d

edge = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
{"deep learning": convolve(image, edge), "mathematics": convolve2d(image, edge, "valid")}

# %% [markdown]
# Every sign is turned round. A network would not mind: it *learns* its kernels, and learns them
# turned. It matters when you carry a kernel from a book of image processing into a network.

# %% [markdown]
# ## What kernels find
#
# Here are four kernels that people have drawn by hand, on a picture of a digit among pieces of
# others. Red: the picture looks like the kernel. Blue: like its opposite. (A blur has nothing
# negative: there, bright is much.)

# %%
# Picture: a digit among strokes, and beside it four feature maps: blurred; its left and right edges
# in red and blue; its upper and lower edges; its outline.
from matplotlib import pyplot as plt

kernels = {
    "the slides'": kernel,
    "blur": np.ones((3, 3)) / 9,
    "left and right edges": edge,
    "upper and lower edges": edge.T,
    "outline": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
}
planted = dl.load_dataset("planted", n=200, canvas=40, digit_size=16, clutter=4, noise=0.0)
picture = planted.x_test[5, :, :, 0]
figure, axes = plt.subplots(1, 5, figsize=(9, 2.1), layout="constrained")
dl.plots.show_image(axes[0], picture[..., None])
axes[0].set_title("image", fontsize=9)
for ax, name in zip(axes[1:], list(kernels)[1:], strict=True):
    dl.plots.show_map(ax, maths.convolve2d(picture, kernels[name]), colorbar=False)
    ax.set_title(name, fontsize=9)

# %% [markdown]
# **What to notice.** An edge kernel answers nothing on an even area: its weights add up to 0. Try
# the kernels on the slides' image. Move the window with the sliders.

# %%
# Picture: the image with the window that the sliders move, the chosen kernel, and the result.
from dlcourse.lessons import interact


def draw(kernel, row, column):
    lesson_plots.convolution_cell(image, kernels[kernel], (row, column))


interact(draw, kernel=list(kernels), row=(0, 2), column=(0, 2))

# %% [markdown]
# ## Pooling
#
# Pooling makes a map smaller: of each region of 2×2 pixels it keeps the largest value, or the mean.
# What is lost is where exactly in the region it was. There is nothing to learn in it.

# %%
# Picture: the slides' 4 by 4 image twice, the first 2 by 2 region framed; max pooling gives
# 7 9, 8 4; average pooling gives 3.75 4.25, 4.75 2.5.
pooled = np.array([[1, 3, 2, 9], [7, 4, 1, 5], [8, 5, 2, 3], [4, 2, 1, 4]])
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")
for ax, kind in zip(axes, ("max", "average"), strict=True):
    lesson_plots.pooling_cell(pooled, (0, 0), ax, kind=kind)

# %% [markdown]
# ## How large is the result?
#
# With $n$ pixels on a side, a kernel of $k$, a *stride* of $s$ pixels from place to place, and $p$
# zeros around (*padding*), there are
#
# $$\left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# places on a side. `valid` means $p = 0$; `same` means as many zeros as keep the size at stride 1.
# Count them for an 8×8 digit:

# %%
digits = dl.load_dataset("digits")
digit = digits.x_train[0, :, :, 0]
{
    (k, s, padding): maths.convolve2d(digit, np.ones((k, k)), stride=s, padding=padding).shape
    for k, s, padding in [(3, 1, "valid"), (3, 1, "same"), (5, 1, "valid"), (3, 2, "valid")]
}

# %% [markdown]
# *Flattening* then writes the numbers one row after the other, so that a dense layer can take them.
# The slides' matrix becomes 1 1 0 4 2 1 0 2 1:

# %%
maths.flatten([[1, 1, 0], [4, 2, 1], [0, 2, 1]])

# %% [markdown]
# ## Two networks, and one more
#
# Now three networks for the same digits, on a black margin of two pixels, so that there is room to
# move. The first is dense. The second has two convolutions, each followed by max pooling, and
# flattens. The third takes in flattening's place the *mean* of each last feature map: it can no
# longer tell where something was, only whether.
#
# A convolution of $f$ filters over $c$ maps has $(k \cdot k \cdot c + 1) \cdot f$ parameters,
# whatever the size of the picture. Check it in the summary: $(3 \cdot 3 \cdot 1 + 1) \cdot 16 =
# 160$ and $(3 \cdot 3 \cdot 16 + 1) \cdot 32 = 4640$.

# %%
from dataclasses import replace

MARGIN = ((0, 0), (2, 2), (2, 2), (0, 0))
parts = {part: np.pad(x, MARGIN) for part, (x, _) in digits.splits.items()}
framed = replace(digits, **{f"x_{part}": x for part, x in parts.items()})
SETTINGS = {
    "dense": {"name": "dnn", "hidden": [64, 32]},
    "convolutions, flattened": {"name": "cnn", "filters": [16, 32], "hidden": [32]},
    "convolutions, mean": {"name": "cnn", "filters": [16, 32], "pooling": "average", "hidden": []},
}
models = {}
for name, settings in SETTINGS.items():
    keras.utils.set_random_seed(0)
    models[name] = dl.build_model(dataset=framed, **settings)
models["convolutions, flattened"].summary()

# %% [markdown]
# They are plain Keras models, so `compile` and `fit` train them. We give them *Adam*, momentum with
# a step size of its own for each weight, and a schedule: within the training the learning rate
# rises, and then falls to nearly 0. (In a recipe this schedule is called `one_cycle`.)

# %%
# Picture: validation accuracy by epoch of three networks. The dense one and the one that flattens
# rise at once; the one that takes the mean rises more slowly.
import os

epochs = 2 if os.environ.get("DLCOURSE_SMOKE") else 20
steps = epochs * int(np.ceil(len(framed.x_train) / 32))  # in batches of 32
rise = steps // 4
COLOURS = dl.plots.COLOURS
ax = dl.plots.new_axes(figsize=(7, 3.4))
for (name, model), style, colour in zip(models.items(), ("-", "--", "-."), COLOURS, strict=False):
    keras.utils.set_random_seed(0)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0004, steps - rise, warmup_target=0.01, warmup_steps=rise
    )
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        framed.x_train,
        framed.y_train,
        validation_data=(framed.x_val, framed.y_val),
        epochs=epochs,
        verbose=0,
    ).history
    label = f"{name}: {model.count_params():,} parameters"
    ax.plot(range(1, epochs + 1), history["val_accuracy"], style, color=colour, label=label)
ax.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1), xticks=range(0, epochs + 1, 2))
ax.grid(alpha=0.3)
_ = ax.legend(frameon=False)

# %% [markdown]
# ## Move the pictures
#
# None of the three has ever seen a digit out of the middle. Move the test digits by one pixel and
# by two, to the left, right, up and down, and measure again.

# %%
# Picture: test accuracy in place, moved by one pixel and by two. In place all three are high.
# Moved, the dense network falls lowest; the one that takes the mean keeps the most.
ways = {0: [(0, 0)], 1: [(0, 1), (0, -1), (1, 0), (-1, 0)], 2: [(0, 2), (0, -2), (2, 0), (-2, 0)]}
ax = dl.plots.new_axes(figsize=(7, 3.4))
for k, (name, model) in enumerate(models.items()):
    moved = [[np.roll(framed.x_test, way, (1, 2)) for way in some] for some in ways.values()]
    found = [np.mean([model.evaluate(x, framed.y_test, verbose=0)[1] for x in xs]) for xs in moved]
    bars = ax.bar(np.arange(3) + 0.27 * (k - 1), found, 0.25, color=COLOURS[k], label=name)
    ax.bar_label(bars, fmt="%.2f", fontsize=9)
ax.set_xticks(range(3), ["in place", "moved by 1 pixel", "moved by 2 pixels"])
ax.set(ylabel="test accuracy", ylim=(0, 1))
ax.spines["top"].set_visible(False)
_ = ax.legend(frameon=False, ncols=3, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.04))

# %% [markdown]
# **What to notice.** In place, all three know the digits. Moved by two pixels, the dense network
# guesses. The convolutions find the strokes again, wherever they are; but flattening hands them to
# a dense layer that expects each at its place. The mean does not ask where, and keeps most of what
# it knew, with the fewest parameters. (By two pixels it is even better than by one: two are a whole
# step of its pooling.) Pooling alone forgives a small shift. Most networks get the rest from
# pictures that are moved in training: `augmentation={"shift": 0.1}` in `dl.fit`.

# %% [markdown]
# ## What the layers see
#
# First the filters that were learned in the first layer, then a digit's way through the network:
# eight feature maps of each layer.

# %%
# Picture: the 16 learned kernels of the first convolution, 3 by 3 squares each, red for positive
# weights and blue for negative ones. Some look like edges, others like dots.
cnn = models["convolutions, flattened"]
learned = dl.filters(cnn)[:, :, 0]
figure, axes = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for ax, weights in zip(axes.flat, np.moveaxis(learned, -1, 0), strict=True):
    dl.plots.show_map(ax, weights, limit=float(abs(learned).max()), colorbar=False)

# %%
# Picture: a digit, and below it eight feature maps of each layer, from 12 by 12 pixels after the
# first convolution to 3 by 3 after the last pooling: ever smaller and coarser.
maps = dl.feature_maps(cnn, framed.x_test[:1])
figure, axes = plt.subplots(len(maps), 9, figsize=(9, 4.6), layout="constrained")
for row, (name, values) in zip(axes, maps.items(), strict=True):
    dl.plots.show_image(row[0], framed.x_test[0])
    row[0].set_title(f"{name}: {values.shape[1]} × {values.shape[2]}", fontsize=9, loc="left")
    for ax, channel in zip(row[1:], np.moveaxis(values[0], -1, 0), strict=False):
        dl.plots.show_image(ax, channel[..., None])

# %% [markdown]
# **What to notice.** The first maps still look like the digit, its edges or its strokes. After each
# pooling a map has a quarter of the numbers, and each number answers for a larger part of the
# picture. A map that is all black is 0 everywhere: it has not found its pattern here. (Each map has
# its own grey scale.)

# %% [markdown]
# ## What the slides got wrong here
#
# S2 calls the operation a convolution; it is a cross-correlation, and the symmetric kernel hides
# it. S2 also says that pooling helps to detect objects in unusual places: by a pixel or so, as
# measured above. Further away it takes the mean of each map, or moved training pictures. The
# slides' numbers are right; where they stop, the rest stands here:

# %%
from dlcourse.lessons import show

print(show("S2.conv", "S2.maxpool", "S2.flatten"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("09.1")` helps, `solution("09.1")`
# tells.
#
# **09.1** What is the feature map of the image [[1, 2, 0], [0, 3, 1], [2, 1, 4]] and the kernel
# [[1, 0], [0, −1]], as a network computes it, without padding and with stride 1?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("09.1", answer)

# %% [markdown]
# **09.2** A convolution has 24 filters of 5 × 5 and takes 8 maps of 12 × 12. How many parameters
# does it have?

# %%
answer = ...
check("09.2", answer)

# %% [markdown]
# **09.3** Write a function `answer(image, size)` that takes an array (height, width) and returns
# the largest value of each region of size × size, side by side without overlap. What is left over
# at the right and at the bottom is dropped.

# %%
answer = ...
check("09.3", answer)
