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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** How does a network find a pattern wherever it stands in a picture?
#
# **Slides.** S0, S2, S4 (convolution, max pooling, flattening).
#
# **Time.** A minute to run, 60 minutes to read, an hour for the exercises.
#
# **Prerequisites.** Notebook 06 (the first deep network).

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
# A dense layer has a weight for every pixel, and so it must learn a stroke anew at every place. A
# convolution learns the stroke once and looks for it everywhere. In this notebook you compute a
# convolution and a pooling by hand, find edges in a photograph, write a convolutional network in
# Keras, train it beside three others, move the pictures, and look at what the layers see.

# %% [markdown] slides="S2 convolution; S4 convolution"
# ## Convolution by hand
#
# A *kernel* (or *filter*) is a small matrix of weights $k$. Lay it on the image $x$, multiply
# number by number, and add up. Then move it one pixel on:
#
# $$y_{ij} = \sum_a \sum_b x_{i+a,\,j+b}\; k_{ab}$$
#
# The result is a *feature map*: large where the image looks like the kernel. The next cell has the
# slides' image and kernel.

# %%
# A convolution as two loops over the places; NumPy sums over the kernel.
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


print(f"{image.shape} and {kernel.shape} give {convolve(image, kernel).shape}")

# %% [markdown]
# **Predict, then run.** Which number stands in the upper left corner of the feature map, and which
# one in the lower right corner? Work out both on paper; the slider moves the window.

# %% alt="The 5 by 5 image with the window framed that the sliders choose, the 3 by 3 kernel, and the feature map with the cell of this window framed; below them the nine products and their sum."
# Move the window over the image and read off the sum.
from ipywidgets import interact
from matplotlib import pyplot as plt


def draw(row=0, column=0):
    dl.lessons.plots.convolution_cell(image, kernel, (row, column))
    plt.show()


_ = interact(draw, row=(0, 2), column=(0, 2))

# %% [markdown]
# **What to notice.** The kernel fits into the image at $3 \times 3$ places, and the map has as many
# numbers. The pixel in the middle is used by all of these windows, and all of them share the same
# nine weights.
#
# Keras' layer for this is `Conv2D`. It takes images of shape (m, height, width, channels). The
# *channels* are the numbers at each place: one for a grey picture, three for a coloured one, and
# one per filter for feature maps. The layer keeps its kernels as (rows, columns, channels,
# filters). Given the slides' kernel, it must agree with the loops.

# %%
# The same with Keras: a layer of one filter, whose weights are set by hand.
import keras
from keras import layers

x = image[None, :, :, None].astype("float32")
layer = layers.Conv2D(filters=1, kernel_size=3, use_bias=False)
layer.build(x.shape)
layer.set_weights([kernel[:, :, None, None]])
assert np.array_equal(layer(x)[0, :, :, 0], convolve(image, kernel))
print("image", x.shape, "kernels", layer.kernel.shape, "feature map", layer(x).shape)

# %% [markdown]
# ## It is a cross-correlation
#
# What mathematics calls convolution first turns the kernel by $180°$. Deep learning does not: its
# "convolution" is mathematics' *cross-correlation*. The slides' kernel looks the same after a half
# turn, so there nobody notices.
#
# **Predict, then run.** The kernel below answers to an *edge*, where a dark pixel lies to the left
# of a bright one. How does its feature map change if it is turned first?

# %%
# The same kernel as deep learning lays it on, and as mathematics does.
from scipy.signal import convolve2d

edge = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
print("deep learning:", convolve(image, edge), sep="\n")
print("mathematics:", convolve2d(image, edge, "valid"), sep="\n")

# %% [markdown]
# **What to notice.** Every sign is the other way round, because a half turn exchanges the two outer
# columns of this kernel. A network does not mind, because it *learns* its kernels, turned or not.
# It matters when you carry a kernel from a book of image processing into a network.

# %% [markdown]
# ## What kernels find
#
# Before networks learned them, people designed kernels. Here are four, as the four filters of one
# `Conv2D` layer, on a photograph of a Chinese tower.

# %% name="kernels" alt="A grey photograph of a tower with many roofs above trees, and four feature maps of it: the blurred photograph; the left and right edges of its columns in red and blue; the upper and lower edges of its roofs in red and blue; thin outlines of everything."
# Four kernels designed by hand, applied to a photograph.
from sklearn.datasets import load_sample_image

photo = load_sample_image("china.jpg")[:400:2, 80:480:2].mean(axis=2) / 255
kernels = {
    "blur": np.ones((3, 3)) / 9,
    "left and right edges": edge,
    "upper and lower edges": edge.T,
    "outline": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
}
layer = layers.Conv2D(len(kernels), 3, use_bias=False)
layer.build((None, *photo.shape, 1))
layer.set_weights([np.stack(list(kernels.values()), axis=-1)[:, :, None]])
maps = np.moveaxis(layer(photo[None, :, :, None])[0], -1, 0)
axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")[1]
for ax, title, values in zip(axes, ["photograph", *kernels], [photo, *maps], strict=True):
    low = -values.max() / 2 if values.min() < 0 else 0
    ax.imshow(values, "RdBu_r" if low else "gray", vmin=low, vmax=-low or 1)
    ax.set_title(title, fontsize=10)
    ax.axis("off")
print({name: round(float(weights.sum()), 6) for name, weights in kernels.items()})

# %% [markdown] proof="kernels" slides="S2 pooling; S4 pooling"
# **What to notice.** Red is a positive number (the picture looks like the kernel), blue a negative
# one (it looks like the opposite), white is zero. The weights of the edge kernels add up to 0, so
# on an even area, such as the sky, their answer is 0. Those of the blur add up to 1: it keeps the
# brightness.
#
# ## Pooling
#
# *Pooling* makes a map smaller: of each region of $2 \times 2$ pixels it keeps the largest value
# (*max pooling*) or the mean (*average pooling*). What is lost is where exactly in the region it
# was. There is nothing to learn in it.
#
# **Predict, then run.** The next cell prints an image of the slides. What is left of it after max
# pooling, and after average pooling?

# %%
# The image that is pooled next.
pooled = np.array([[1, 3, 2, 9], [7, 4, 1, 5], [8, 5, 2, 3], [4, 2, 1, 4]], "float32")
print(pooled)

# %% alt="The slides' 4 by 4 image twice, each with its upper left 2 by 2 region framed, and beside it the pooled image of 2 by 2 numbers: the largest of each region on the left, the means on the right."
# Each region's largest number and its mean, drawn, by hand, and by Keras.
axes = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")[1]
for ax, kind in zip(axes, ("max", "average"), strict=True):
    dl.lessons.plots.pooling_cell(pooled, (0, 0), ax, kind=kind)
x = pooled[None, :, :, None]
regions = pooled.reshape(2, 2, 2, 2)  # (row, within it, column, within it)
assert np.array_equal(layers.MaxPooling2D(2)(x)[0, :, :, 0], regions.max(axis=(1, 3)))
assert np.array_equal(layers.AveragePooling2D(2)(x)[0, :, :, 0], regions.mean(axis=(1, 3)))
for pool in (layers.GlobalMaxPooling2D(), layers.GlobalAveragePooling2D()):
    print(f"{type(pool).__name__}: {float(pool(x)[0, 0]):.2f}")

# %% [markdown] proof="sizes" slides="S2 flattening"
# **What to notice.** Pooling over the whole map, *global pooling*, leaves one number per map. The
# global maximum says whether the pattern occurs anywhere; the global average says how much of it
# there is.
#
# ## How large is the result?
#
# With $n$ pixels on a side, a kernel of $k$, a *stride* of $s$ pixels from place to place, and $p$
# zeros around the image (*padding*), there are
#
# $$\left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# places on a side. In Keras, `"valid"` means $p = 0$, and `"same"` means as many zeros as keep the
# size at stride 1.
#
# **Predict, then run.** How large is the map of an $8 \times 8$ digit for a kernel of 3 without and
# with padding, for a kernel of 5, and for a kernel of 3 with stride 2?

# %% name="sizes"
# The size of the feature map for several kernels, strides and paddings.
for size, stride, padding in [(3, 1, "valid"), (3, 1, "same"), (5, 1, "valid"), (3, 2, "valid")]:
    layer = layers.Conv2D(1, size, strides=stride, padding=padding)
    _, height, width, _ = layer.compute_output_shape((None, 8, 8, 1))
    print(f"kernel {size}, stride {stride}, {padding}: {height} × {width}")

# %% [markdown]
# *Flattening* writes the numbers one row after the other, so that a dense layer can take them.
# (Slides S2 do it with this matrix.)

# %%
# Flattening, row by row.
matrix = np.array([[1, 1, 0], [4, 2, 1], [0, 2, 1]])
print(layers.Flatten()(matrix[None]).numpy())

# %% [markdown] slides="S0 CNN; S4 CNN"
# ## A convolutional network in Keras
#
# Now the network itself: two convolutions, each followed by a pooling, then flattening and two
# dense layers. The digits get a black margin of two pixels, so that there is room to move them
# later. A convolution of $f$ filters over $c$ maps has
#
# $$(k \cdot k \cdot c + 1) \cdot f$$
#
# parameters, whatever the size of the picture.
#
# **Predict, then run.** How many parameters do the two convolutions have? Which layer has the most?

# %% name="network"
# The digits on a black margin, and a convolutional network for them.
digits = dl.load_dataset("digits")
margin = ((0, 0), (2, 2), (2, 2), (0, 0))
x_train, x_val, x_test = (np.pad(x, margin) for x in (digits.x_train, digits.x_val, digits.x_test))
keras.utils.set_random_seed(0)
flattened = keras.Sequential(
    [
        keras.Input((12, 12, 1)),
        layers.Rescaling(1 / 16),  # the pixels are 0 to 16
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
for layer in flattened.layers:
    print(f"{layer.name:16} {layer.output.shape[1:]!s:14} {layer.count_params():6,} parameters")

# %% [markdown] proof="network"
# **What to notice.** The convolutions have $(3 \cdot 3 \cdot 1 + 1) \cdot 16 = 160$ and
# $(3 \cdot 3 \cdot 16 + 1) \cdot 32 = 4640$ parameters, less than half. The first dense layer has
# most of them: a weight for each of 288 numbers in each of its 32 neurons.
#
# `dl.models.cnn` builds the same network from its settings, as a recipe does. With the same seed
# the weights are equal too.

# %%
# The same as a recipe's settings: equal layers in equal order, so equal weights from equal seeds.
keras.utils.set_random_seed(0)
same = dl.models.cnn((12, 12, 1), 10, rescale=(0, 16), filters=[16, 32], hidden=[32])
for ours, theirs in zip(flattened.get_weights(), same.get_weights(), strict=True):
    assert np.array_equal(ours, theirs)
print(f"{same.count_params():,} parameters in both, all equal")

# %% [markdown]
# Here are three more networks for comparison. The first has no convolution. The second takes the
# *largest* number of each map, by global pooling, where the one above flattens: it can no longer
# tell where a pattern was, only whether it was there. The third is a copy of the network above
# behind a layer that moves each picture at random in training, which is called *augmentation*. Such
# layers (`RandomTranslation`, `RandomRotation`, `RandomZoom`, `RandomFlip`) do nothing outside
# `fit`.

# %%
# A dense network, one with global pooling, and one that is trained on moved pictures.
dense = [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(32, "relu")]
convolutions = keras.models.clone_model(flattened).layers[:4]  # up to the second Conv2D
moved = layers.RandomTranslation(1 / 6, 1 / 6, fill_mode="constant")  # up to 2 of 12 pixels


def network(*parts):
    return keras.Sequential([keras.Input((12, 12, 1)), *parts])


models = {
    "dense": network(layers.Rescaling(1 / 16), *dense, layers.Dense(10, "softmax")),
    "convolutions, flattened": flattened,
    "convolutions, global maximum": network(
        *convolutions, layers.GlobalMaxPooling2D(), layers.Dense(10, "softmax")
    ),
    "flattened, moved in training": network(moved, *keras.models.clone_model(flattened).layers),
}
for name, model in models.items():
    print(f"{name:30} {model.count_params():6,} parameters")

# %% [markdown]
# All four are trained in the same way, on digits in the middle of the picture. The learning rate
# falls to zero along half a cosine: large steps first, small ones at the end.

# %% alt="Validation accuracy over the epochs for four networks. All rise to about 0.9 or above; the dense one rises fastest, the one that is trained on moved pictures most slowly."
# Train the four networks.
COLOURS, STYLES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), ("-", "--", "-.", ":")
unseen = (x_val, digits.y_val)
steps = 12 * np.ceil(len(x_train) / 32)  # 12 epochs in batches of 32
ax = plt.subplots(figsize=(7, 3.6), layout="constrained")[1]
for (name, model), style, colour in zip(models.items(), STYLES, COLOURS, strict=True):
    keras.utils.set_random_seed(0)
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps))
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, digits.y_train, epochs=12, validation_data=unseen, verbose=0)
    right = model.history.history["val_accuracy"]
    ax.plot(range(1, 13), right, style, color=colour, label=name)
    print(f"{name:30} validation accuracy {right[-1]:.2f}")
ax.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1), xticks=range(0, 13, 2))
_ = ax.legend(frameon=False, loc="lower right")

# %% [markdown]
# **What to notice.** In the middle of the picture all four know the digits, the dense one as well
# as the others. Nothing here speaks for convolutions yet. The one with moved pictures learns more
# slowly, because it has more to learn.
#
# ## Move the pictures
#
# Three of the four have never seen a digit out of the middle. The test digits, which were not used
# until now, are moved to the left, right, up and down by one pixel, and then by two.
#
# **Predict, then run.** Which network falls lowest when the digits are moved by two pixels? Which
# keeps the most? (A guess is right once in ten.)

# %% name="moved" alt="Three groups of four bars: test accuracy in place, moved by one pixel, moved by two. In place all four are high. Moved by two pixels, the dense network is the lowest, the flattened one is second, and the global maximum and the network trained on moved pictures stay high."
# Test accuracy of the four networks on digits in place, and moved by one and by two pixels.
ax = plt.subplots(figsize=(9, 3.8), layout="constrained")[1]
for k, (name, model) in enumerate(models.items()):
    found = []
    for n in range(3):
        ways = [(0, n), (0, -n), (n, 0), (-n, 0)]
        x = np.concatenate([np.roll(x_test, way, axis=(1, 2)) for way in ways])
        found.append(model.evaluate(x, np.tile(digits.y_test, 4), batch_size=256, verbose=0)[1])
    bars = ax.bar(np.arange(3) + 0.21 * (k - 1.5), found, 0.19, color=COLOURS[k], label=name)
    ax.bar_label(bars, fmt="%.2f", fontsize=9)
    print(f"{name:30} in place {found[0]:.2f}, moved by 1: {found[1]:.2f}, by 2: {found[2]:.2f}")
ax.set_xticks(range(3), ["in place", "moved by 1 pixel", "moved by 2 pixels"])
ax.set(ylabel="test accuracy", ylim=(0, 1))
_ = ax.legend(frameon=False, ncols=2, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.04))

# %% [markdown] proof="moved test_notebook_09::test_moved_digits_with_other_seeds"
# **What to notice.** Moved by two pixels, the dense network does hardly better than a guess. The
# convolutions find the strokes again wherever they are; but flattening hands them to a dense layer
# that expects each at its place, and less than half of the digits are read. So pooling alone
# forgives less than slides S2 promise: moved by a single pixel, about three digits in ten are lost.
# Two things read at least twice as many as the flattened network does at two pixels: the global
# maximum, which does not ask where, and moved pictures in training, which teach the dense layer
# every place. (The global maximum is better by two pixels than by one, because two are a whole step
# of its pooling.) Networks for photographs mostly do both.

# %% [markdown] slides="S1 features learned per layer"
# ## What the layers see
#
# First the kernels that the first convolution has learned. Then a digit's way through the network:
# a second `keras.Model` with the same input, whose outputs are the outputs of the layers, gives
# the feature maps.

# %% alt="The 16 learned kernels of the first convolution, squares of 3 by 3 weights, red for positive and blue for negative. Some are red on one side and blue on the other, like an edge; others are mostly of one colour."
# The kernels of the first convolution, all on the same scale.
weights = flattened.layers[1].get_weights()[0]  # (row, column, 1, filter)
figure, axes = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for k, ax in enumerate(axes.flat):
    colours = ax.imshow(weights[:, :, 0, k], "RdBu_r", vmin=-1, vmax=1)
    ax.set(xticks=[], yticks=[])
_ = figure.colorbar(colours, ax=axes, label="weight")

# %% alt="A digit, and in a row for each layer eight of its feature maps: 12 by 12 pixels after the first convolution, 6 by 6 after the pooling and the second convolution, 3 by 3 after the last pooling. The maps become smaller and coarser; a few are black."
# Eight feature maps of each convolution and pooling, for one digit.
shown = flattened.layers[1:5]
inside = keras.Model(flattened.inputs, [layer.output for layer in shown])
figure, axes = plt.subplots(4, 9, figsize=(9, 4.6), layout="constrained")
for row, layer, values in zip(axes, shown, inside.predict(x_val[:1], verbose=0), strict=True):
    for ax, picture in zip(row, [x_val[0, :, :, 0], *np.moveaxis(values[0], -1, 0)], strict=False):
        ax.imshow(picture, "gray", vmin=0, vmax=picture.max() or 1)
        ax.axis("off")
    title = f"{type(layer).__name__}: {values.shape[1]} × {values.shape[2]}"
    row[0].set_title(title, fontsize=9, loc="left")

# %% [markdown] proof="network"
# **What to notice.** The first maps still look like the digit, its edges or its strokes. After each
# pooling a map has a quarter of the numbers, and each number answers for a larger part of the
# picture. A map that is all black is zero everywhere: its filter has not found its pattern in this
# digit. (Each map has its own grey scale.)

# %% [markdown]
# ## In five lines
#
# - A convolution lays the same few weights on every place of an image, and gives a feature map.
# - What deep learning calls a convolution is a cross-correlation: the kernel is not turned.
# - Pooling makes a map smaller and has no parameters; alone it forgives only a part of a shift.
# - A `Conv2D` layer's parameters do not depend on the size of the picture; a dense layer's do.
# - A network copes with moved pictures if it does not ask where (global pooling) or has seen them
#   moved (augmentation).

# %% [markdown]
# ## Further reading
#
# - Y. LeCun et al., [Gradient-based learning applied to document
#   recognition](https://doi.org/10.1109/5.726791): the first network of this kind that read
#   cheques.
# - Stanford's [CS231n: convolutional networks](https://cs231n.github.io/convolutional-networks/):
#   sizes, strides and parameters with many worked examples.
# - I. Goodfellow et al., [Deep Learning, chapter
#   9](https://www.deeplearningbook.org/contents/convnets.html): why convolution and pooling suit
#   images.
# - V. Dumoulin and F. Visin, [A guide to convolution arithmetic for deep
#   learning](https://arxiv.org/abs/1603.07285): a drawing for each padding and stride.
# - C. Olah et al., [Feature visualization](https://distill.pub/2017/feature-visualization/): what
#   the layers of a large network look for.
# - Keras' [image augmentation
#   layers](https://keras.io/api/layers/preprocessing_layers/image_augmentation/): the full list,
#   with every setting.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("09.1")` helps, `solution("09.1")`
# tells.
#
# ### Quick checks
#
# **09.1** What is the feature map of the image [[1, 2, 0], [0, 3, 1], [2, 1, 4]] and the kernel
# [[1, 0], [0, −1]], as a network computes it, without padding and with stride 1?

# %%
# 09.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("09.1", answer)

# %% [markdown]
# **09.2** A convolution has 24 filters of 5 × 5 and takes 8 maps of 12 × 12. How many parameters
# does it have?

# %%
# 09.2: your answer
answer = ...
check("09.2", answer)

# %% [markdown]
# **09.3** Write a function `answer(image, size)` that takes an array (height, width) and returns
# the largest value of each region of size × size, side by side without overlap. What is left over
# at the right and at the bottom is dropped.

# %%
# 09.3: your answer
answer = ...
check("09.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **09.4** Complete the convolution: `answer(image, kernel, stride)` lays the kernel on the image
# (height, width) as it is, moves it on by `stride` pixels, and returns the feature map. There is no
# padding, and the kernel need not be square.


# %%
# 09.4: fill in what is missing
def answer(image, kernel, stride):
    rows = kernel.shape[0]
    columns = kernel.shape[1]
    height = ...  # the number of places for the kernel from top to bottom
    width = ...  # and from left to right
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top = i * stride
            left = ...
            window = image[...]  # the pixels under the kernel
            result[i, j] = ...
    return result


check("09.4", answer)

# %% [markdown]
# ### Build a network
#
# **09.5** Write a function `answer(x_train, y_train)` that builds, trains and returns a network
# with at most 6,000 parameters. It gets the 1,221 training digits as above, (12, 12, 1) with values
# from 0 to 16, all in the middle. The checker has digits that the network has never seen, in place
# and moved by two pixels in eight directions: the network must read at least 85 % of them, with a
# training of ten seconds or less.


# %%
# 09.5: your network
def answer(x_train, y_train):
    model = keras.Sequential([keras.Input((12, 12, 1)), ...])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, verbose=0)
    return model


check("09.5", answer)
