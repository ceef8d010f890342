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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** The network is right. Is it right for the right reason?
#
# **Slides.** S0, S1 (the black box, templates, attending to the right parts, most confused).
#
# **Time.** A minute to run, 50 minutes to read.
#
# **Prerequisites.** Notebook 09 (convolutional networks).

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
# S2 calls a deep network a black box that never tells how and why. It does not by itself, but it
# can be asked. In this notebook you ask a network what it wants to see (templates), which pixels
# its answer depends on (saliency), and where the evidence lies (class activation maps), each with a
# few lines around a gradient. Then you *check* what the maps say: in a network that looks at the
# digit, and in one that has found a shortcut.

# %% [markdown]
# ## Look at the data
#
# Does a map of evidence tell the truth? For a photograph nobody knows where a network should look.
# For these scenes you know it: a digit is planted somewhere among pieces of other digits, and the
# data set's `regions` hold the *box* that it stands in.

# %% name="data" alt="Eight grey scenes of 32 by 32 pixels with the class above: one whole digit each, at different places, among pieces of other digits."
# Load the scenes, and look at eight of the test images.
import matplotlib.pyplot as plt
import numpy as np

SCENES = {"n": 4000, "canvas": 32, "digit_size": 12, "clutter": 4}
scenes = dl.load_dataset("planted", **SCENES)
names = [scenes.class_names[label] for label in scenes.y_test]
dl.plots.image_grid(scenes.x_test[:8], names[:8])
plt.show()

# %% [markdown]
# A small convolutional network learns them. It ends in the mean of each feature map, so that it
# does not matter where a digit stands. `BatchNormalization` brings each feature map to mean zero
# and spread one over a batch, which makes the training steadier. The last layer gives the *logits*,
# the values before the softmax: their gradients do not vanish where the network is sure.

# %% name="network"
# The network, and its training: the learning rate falls along a cosine.
import keras
import tensorflow as tf
from keras import layers


def block(filters):
    convolution = layers.Conv2D(filters, 3, padding="same", use_bias=False)
    return [convolution, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def network():
    keras.utils.set_random_seed(0)
    front = [keras.Input((32, 32, 1)), layers.Rescaling(1 / 255)]
    maps = [*block(16), layers.MaxPooling2D(2), *block(32), layers.MaxPooling2D(2), *block(32)]
    return keras.Sequential(
        [*front, *maps, layers.GlobalAveragePooling2D(), layers.Dense(10, name="logits")]
    )


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(data, epochs=5):
    model, steps = network(), epochs * len(data.x_train) // 32
    rate = keras.optimizers.schedules.CosineDecay(0.01, steps)
    model.compile(keras.optimizers.Adam(rate), LOSS)
    model.fit(data.x_train, data.y_train, batch_size=32, epochs=epochs, verbose=0)
    return model


def answers(model, x):
    return model.predict(x, verbose=0).argmax(axis=1)


def accuracy(model, x):
    return np.mean(answers(model, x) == scenes.y_test)


untrained, plain = network(), trained(scenes)
print(f"test accuracy {accuracy(plain, scenes.x_test):.3f}")

# %% [markdown] slides="S0 the black box: filters as templates; S3 deep dreaming"
# ## What does a class want to see? Templates
#
# *Activation maximization* starts from a grey image $x$ and climbs the gradient of a class's logit:
#
# $$x \leftarrow x + \alpha \frac{\partial z_c}{\partial x}$$
#
# The weights stay; the image learns. This alone ends in noise that means nothing to an eye. So the
# image is moved a little before every step, and jumps between neighbouring pixels lower the score.
# What comes out is the *template* of the class. The untrained network is asked, too.
# A `GradientTape` records the calculation and gives the gradient, as in notebook 05.
#
# **Predict, then run.** What will the template of a zero look like: one ring?


# %% name="templates" alt="Two rows of ten images, one column per class. Upper row, untrained: speckles. Lower row, trained: patterns of strokes for each class, repeated all over the image."
# Climb the logits of all ten classes at once, for both networks.
def templates(model, steps=60):
    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(tf.linalg.diag_part(model(x)))  # image c, logit c
            score -= 0.02 / 255 * tf.reduce_sum(tf.image.total_variation(x))
        return tape.gradient(score, x)

    rng = np.random.default_rng(0)
    x = 128 + rng.normal(0, 5, (10, 32, 32, 1)).astype("float32")
    for shift in rng.integers(-2, 3, (steps, 2)):
        x = np.roll(x, shift, axis=(1, 2))
        gradient = slope(tf.constant(x)).numpy()
        step = 8 * gradient / np.abs(gradient).max(axis=(1, 2, 3), keepdims=True)
        x = np.roll(np.clip(x + step, 0, 255), -shift, axis=(1, 2))
    return x


both = np.concatenate([templates(untrained), templates(plain)])
dl.plots.image_grid(both, scenes.class_names * 2, columns=10, rows=["untrained", "trained"])
plt.show()

# %% [markdown]
# **What to notice.** The untrained network asks for noise. The trained one asks for strokes:
# slanted bars for a four, level ones for a five or seven, holes for a six. It wants them
# everywhere, since it takes the mean over all places, and it has never been asked to draw a digit,
# only to tell ten apart. A class's template also holds what must *not* be there. S0 hopes to see
# over-fitting in templates: noise in those of a trained network may be a sign, but the curves of
# notebook 07 are the better witness.

# %% [markdown] slides="S0 the black box: attending to the right parts"
# ## Which pixels does the answer depend on? Saliency
#
# The *saliency map* is the gradient's size at each pixel: how much the logit changes with it.
#
# $$S = \left| \frac{\partial z_c}{\partial x} \right|$$
#
# It says where the network is *sensitive*, not what brought the answer.


# %% name="saliency"
# Saliency with a gradient tape, then with the course's function.
def gradient(model, x, classes):
    x = tf.constant(x, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = tf.reduce_sum(tf.gather(model(x), classes, batch_dims=1))
    return tape.gradient(score, x).numpy()


def saliency(model, x):
    return np.abs(gradient(model, x, answers(model, x)))[..., 0]


some, boxes = scenes.x_test[1:4], scenes.regions["object"][1:4]
assert np.allclose(saliency(plain, some), dl.saliency(plain, some), rtol=1e-3, atol=1e-6)

# %% [markdown]
# *Integrated gradients* add up the gradients on the way from a black image to this one, and take
# the mean times the image:
#
# $$x \cdot \frac{1}{n} \sum_{k=1}^{n} \frac{\partial z_c}{\partial x}(x_k), \qquad
# x_k = \frac{k - 1/2}{n}\, x$$
#
# Their sum is the whole change of the logit, divided among the pixels.


# %% name="integrated" alt="Three scenes, a row each, the digit framed in blue: the scene, its saliency map, bright on dark, and its integrated gradients, red for the answer and blue against it. Both are strongest at the digit, and speckled."
# Integrated gradients in 100 steps; their sum and the change of the logit.
def integrated_gradients(model, x, start, classes, steps=100):
    shares = (np.arange(steps) + 0.5) / steps
    way = np.concatenate([start + share * (x - start) for share in shares])  # all in one batch
    slopes = gradient(model, way, np.tile(classes, steps)).reshape(steps, *x.shape)
    return (x - start) * slopes.mean(axis=0)


classes, black = answers(plain, some), np.zeros_like(some)
divided = integrated_gradients(plain, some, black, classes)[..., 0]
change = (plain(some) - plain(black)).numpy()[range(3), classes]
print("sums of the maps:", divided.sum(axis=(1, 2)).round(2), "changes:", change.round(2))
maps = {"saliency": saliency(plain, some), "integrated gradients": divided}
dl.plots.attributions(some, maps, names[1:4], boxes=boxes)
plt.show()

# %% [markdown]
# **What to notice.** Saliency may be bright on black pixels: ink there would change the answer.
# Integrated gradients cannot, since the way starts from black. Two maps, two questions.

# %% [markdown] slides="S0 the black box: attending to the right parts"
# ## Where is the evidence? Class activation maps
#
# The network ends in the mean of each last feature map $F_k$, and the logits weigh these means. So
# the logit is a sum over places, and may be drawn before it is summed: the *class activation map*.
#
# $$z_c = b_c + \sum_k w_{kc}\, \overline{F_k} \qquad M_c = \sum_k w_{kc} F_k$$
#
# *Grad-CAM* uses the mean of the gradient $\partial z_c / \partial F_k$ over the places instead of
# $w_{kc}$, and so works for other networks, too; it drops negative values. Here this mean is
# $w_{kc}$ divided by the number of places. Keras shows Grad-CAM on a photograph:
# [Grad-CAM](https://keras.io/examples/vision/grad_cam/).


# %% name="grad-cam" alt="Three scenes, a row each: the scene, and over it its saliency, its class activation map and Grad-CAM. The blue box frames the digit; the two class activation maps glow in it."
# Both maps on the grid of the last feature maps; Grad-CAM with the course's function, too.
def cams(model, x):
    classes = answers(model, x)
    maps = keras.Model(model.inputs[0], model.layers[-3].output)(x)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = model.layers[-1](model.layers[-2](maps))
        score = tf.reduce_sum(tf.gather(logits, classes, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2))
    kernel = tf.gather(model.layers[-1].kernel, classes, axis=1)
    cam = tf.einsum("nhwk,kn->nhw", maps, kernel)
    return cam.numpy(), tf.nn.relu(tf.einsum("nhwk,nk->nhw", maps, weights)).numpy()


cam, grad_cam = cams(plain, some)
assert np.allclose(grad_cam, dl.grad_cam(plain, some, enlarge=False), rtol=1e-3, atol=1e-5)
ratio = np.median((cam / np.maximum(grad_cam, 1e-9))[grad_cam > 0])
print(f"{cam[0].size} places; where Grad-CAM is positive, CAM is {ratio:.0f} times as large")


def draw(model, x, boxes):
    cam, grad_cam = cams(model, x)
    maps = {"saliency": saliency(model, x), "class activation map": cam, "Grad-CAM": grad_cam}
    dl.plots.attributions(x, maps, names[1:4], overlaid=True, boxes=boxes)
    plt.show()


draw(plain, some, boxes)

# %% [markdown]
# A few pictures convince quickly, and prove nothing. So count over many scenes how often a map's
# largest value lies in the box (*hits*). And do not only look: *cover* the digit with black, and
# see whether the answer changes. What changes the answer is what the network uses; a map is only a
# description.
#
# **Predict, then run.** How often does a map of the *untrained* network hit the box?

# %% name="counts"
# Hits of three maps for both networks, and two interventions, over 200 test scenes.
x, box = scenes.x_test[:200], scenes.regions["object"][:200]


def hits(heat):
    size = 32 // heat.shape[1]  # pixels per place of the map
    places = [np.unravel_index(one.argmax(), one.shape) for one in heat]
    at = np.array(places) * size + size // 2
    return np.mean((box[:, :2] <= at).all(axis=1) & (at < box[:, 2:]).all(axis=1))


def covered(images, boxes):
    images = images.copy()
    for image, (top, left, bottom, right) in zip(images, boxes, strict=True):
        image[top:bottom, left:right] = 0
    return images


def changed(model, images, boxes):
    return np.mean(answers(model, images) != answers(model, covered(images, boxes)))


area = np.mean((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])) / 32**2
print(f"share of the pixels in the box: {area:.2f}")
for name, model in (("untrained", untrained), ("trained", plain)):
    cam, grad_cam = cams(model, x)
    found = hits(saliency(model, x)), hits(cam), hits(grad_cam)
    print(f"{name}: hits of saliency {found[0]:.2f}, CAM {found[1]:.2f}, Grad-CAM {found[2]:.2f}")
mirrored = 32 - box[:, [2, 3, 0, 1]]  # as large, on the other side of the centre
print(f"answers that change with the digit covered: {changed(plain, x, box):.2f}")
print(f"with as large a box elsewhere covered: {changed(plain, x, mirrored):.2f}")

# %% [markdown] proof="above"
# **What to notice.** The trained network's class activation maps hit the digit nearly always, in a
# box of 12 % of the pixels. But look at the *untrained* network: its class activation maps hit far
# more often than chance, too, because the digit is the largest piece of ink. A hit alone proves
# nothing; a map is worth something if it depends on what was learned (Adebayo et al.). The
# intervention says more: with the digit covered, most answers change; with as large a box elsewhere
# covered, few do. This network attends to the right part.

# %% [markdown] slides="S0 the black box: attending to the right parts"
# ## The shortcut
#
# Now the same scenes with a small *mark* in the upper left corner. Its four cells tell the class in
# binary, as a hospital's stamp may tell which ward an X-ray comes from. The mark is right in every
# training, validation and test image. The network and its training are the same as above.

# %% name="marked"
# Train on scenes with a mark that is always right.
marked_scenes = dl.load_dataset("planted", **SCENES, mark="honest")
marked = trained(marked_scenes)
print(f"test accuracy {accuracy(marked, marked_scenes.x_test):.3f}")

# %% [markdown]
# By every number so far this is the better network.
#
# **Predict, then run.** Where will the maps of this network glow?

# %% name="marked-maps" alt="Three scenes with a mark of two by two cells in the upper left corner, framed in blue; over each its saliency, class activation map and Grad-CAM. The two class activation maps glow most at the mark."
# Draw the same maps for the network that has learned with the mark.
draw(marked, marked_scenes.x_test[1:4], marked_scenes.regions["mark"][1:4])

# %% [markdown]
# A map raises a suspicion; an intervention proves it. Cover the digit, the mark, or both. Then let
# the mark lie: in the test images of `mark="lying"` it names the *next* class, and all else is the
# same.
#
# **Predict, then run.** How accurate is each network where the mark lies?

# %% name="lying"
# Cover parts of the marked scenes; then the accuracy of both networks on three kinds of scenes.
x, mark = marked_scenes.x_test[:200], marked_scenes.regions["mark"][:200]
covers = {"digit": covered(x, box), "mark": covered(x, mark)}
covers["both"] = covered(covers["digit"], mark)
for name, images in covers.items():
    print(f"{name} covered: {np.mean(answers(marked, x) != answers(marked, images)):.2f} change")
lying = dl.load_dataset("planted", **SCENES, mark="lying")
kinds = {"no mark": scenes, "a true mark": marked_scenes, "a lying mark": lying}
for name, model in {"without a mark": plain, "with the mark": marked}.items():
    found = [f"{accuracy(model, data.x_test):.2f} with {kind}" for kind, data in kinds.items()]
    print(f"learned {name}:", ", ".join(found))

# %% [markdown]
# **What to notice.** Cover the digit, and hardly an answer changes: as long as there is a mark, the
# mark decides. Without it the network falls back on what it has learned of the digit, which is
# less. Where mark and digit disagree, it believes the mark, and is worse than a guess. No accuracy
# on such data could have shown this: the mark was right in validation *and* in test.

# %% [markdown]
# ## A row of a table
#
# The same function works for a table. In notebook 03 a linear model's weights told which
# measurement speaks for a malignant tumour. For a network, integrated gradients tell it for *one*
# tumour, on the way from the mean tumour to this one.

# %% name="tumour" alt="A bar chart of the eight measurements of one tumour with the largest integrated gradients: bars to the right raise the logit of the class that the network answers, bars to the left lower it."
# A small network on the tumours, and the integrated gradients of one validation tumour.
tumours = dl.load_dataset("breast_cancer")
keras.utils.set_random_seed(0)
scale = layers.Normalization()
scale.adapt(tumours.x_train)
rows = keras.Sequential([scale, layers.Dense(16, activation="relu"), layers.Dense(2)])
rows.compile(keras.optimizers.Adam(0.01), LOSS)
rows.fit(tumours.x_train, tumours.y_train, epochs=15, verbose=0)
mean, tumour = tumours.x_train.mean(axis=0, keepdims=True), tumours.x_val[:1]
said = answers(rows, tumour)
parts = integrated_gradients(rows, tumour, mean, said)[0]
logits = [rows(one).numpy()[0, said[0]] for one in (tumour, mean)]
print(tumours.class_names[said[0]], "logits:", np.round(logits, 2), "sum:", parts.sum().round(2))
strongest = np.argsort(np.abs(parts))[-8:]
plt.barh(np.array(tumours.feature_names)[strongest], parts[strongest], color="#0072B2")
plt.xlabel(f"part of the change of the logit of “{tumours.class_names[said[0]]}”")
plt.show()

# %% [markdown]
# **What to notice.** The parts sum to the difference between the two logits, so that nothing is
# left unexplained. They explain the *network's* answer, not the tumour: measurements that rise and
# fall together, such as radius and area, share their part in a way that another seed may change.

# %% [markdown] slides="S0 what is most confused"
# ## What is confused with what
#
# The simplest window is the errors themselves. Back to the first network, and to the scenes whose
# true class has the least probability.

# %% name="errors" alt="Eight test scenes, each with its true class, the network's answer and its probability."
# The eight test scenes with the highest loss.
probabilities = keras.ops.softmax(plain.predict(scenes.x_test, verbose=0)).numpy()
dl.plots.highest_loss(scenes.x_test, scenes.y_test, probabilities, scenes.class_names, count=8)
plt.show()

# %% [markdown]
# **What to notice.** Would you have known? Some digits are blurred, and now and then a piece of
# another one looks more like a digit than the digit does. A wrong answer of which the network is
# sure is always worth a second look: at the image, and at its label.
#
# ## In five lines
#
# - A template is an image that raises a class's logit: it shows what the network reacts to.
# - Saliency says where the answer is sensitive; integrated gradients divide it among the inputs.
# - Class activation maps say at which places of the last feature maps the evidence lies.
# - A map is a suspicion. Compare it with that of an untrained network, and count over many images.
# - An intervention is a proof: cover or change a part, and see whether the answer changes.
#
# ## Further reading
#
# - Simonyan et al. 2013, [Deep inside convolutional networks](https://arxiv.org/abs/1312.6034):
#   templates and saliency.
# - Sundararajan et al. 2017, [Axiomatic attribution](https://arxiv.org/abs/1703.01365): integrated
#   gradients, and why they sum to the change.
# - Selvaraju et al. 2016, [Grad-CAM](https://arxiv.org/abs/1610.02391), after Zhou et al. 2015,
#   [class activation maps](https://arxiv.org/abs/1512.04150).
# - Adebayo et al. 2018, [Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292):
#   methods that draw nearly the same map when every weight is random.
# - Olah et al. 2017, [Feature visualization](https://distill.pub/2017/feature-visualization/):
#   templates of a large network, and how they are made smooth.
# - Lapuschkin et al. 2019, [Unmasking Clever Hans
#   predictors](https://doi.org/10.1038/s41467-019-08987-4): shortcuts in real data sets.
#
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("11.1")` helps, `solution("11.1")`
# tells.
#
# ### Quick checks
#
# **11.1** The last convolution gives two feature maps, [[1, 0], [2, 0]] and [[0, 3], [1, 0]].
# Their means go to the logit of class "7" with the weights 2 and −1. What is the class activation
# map of "7"?

# %%
# 11.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("11.1", answer)

# %% [markdown]
# **11.2** A network is as simple as z = 2·x₁ − 3·x₂ + 0.5·x₃. What is the saliency map, the
# absolute gradient of z, at x = (1, 1, 4)?

# %%
# 11.2: your answer
answer = ...
check("11.2", answer)

# %% [markdown]
# **11.3** Write a function `answer(heat, box)` that takes a map (height, width) and a box (top,
# left, bottom, right), whose last two are the first row and column outside it, and returns
# whether the map's largest value lies in the box.

# %%
# 11.3: your answer
answer = ...
check("11.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **11.4** Complete Grad-CAM for one image. `maps` and `gradients` (height, width, channels) are the
# last feature maps and the gradient of a class's logit by them. The map that is returned (height,
# width) is 0 or more.


# %%
# 11.4: complete the function
def answer(maps, gradients):
    weights = gradients.mean(axis=...)  # one per feature map
    heat = (maps * weights).sum(axis=...)
    return np.maximum(heat, ...)


check("11.4", answer)

# %% [markdown]
# ### Build a network
#
# **11.5** Write a function `answer(folder)` that reads a folder of pictures with one folder per
# class, trains a network that ends in a softmax, and returns it with a function `maps(images)`,
# which returns two maps (n, 48, 48) of the predicted class by two methods. `check` hands it a
# folder of 900 pictures of 48 by 48 pixels, in which a tile of a photograph of a flower, of a
# temple or nothing lies beside shuffled pixels. The bar on 90 new pictures: 80 % are read
# correctly, and with a grey square of 20 by 20 pixels around the largest value of the better map,
# the predicted class's probability falls by 0.6 on average. Around random places it falls by about
# 0.3.
#
# It may take ten seconds. Then try `answer("my_pictures")` on a folder of your own.


# %%
# 11.5: your network and two maps of it
def answer(folder):
    size = {"image_size": (48, 48), "batch_size": 32, "verbose": False}
    data = keras.utils.image_dataset_from_directory(folder, **size)
    model = keras.Sequential([keras.Input((48, 48, 3)), layers.Rescaling(1 / 255), ...])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(data, epochs=..., shuffle=False, verbose=0)  # the folder is shuffled as it is read

    def maps(images):
        """Return two maps of the predicted class, for images (n, 48, 48, 3) of float32."""

    return model, maps


check("11.5", answer)
