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
# # Linear and logistic regression
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
#
# **Question.** How does a straight line learn, and how does it become a yes or no?
#
# **Slides.** S4. **Time.** Half a minute to run, 60 minutes to read.
# **Prerequisites.** Notebooks 01 and 02.

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

# %% [markdown] slides="S4 linear regression"
# ## The goal
#
# A *regression* predicts a number, a *classification* predicts a class. One neuron can do either.
# In this lesson you train it for both, first with a loop in NumPy and then in Keras, you see one
# step with all its numbers, and you turn a probability into a decision.
#
# ## A number to predict
#
# Ten measurements were taken of each of several hundred patients with diabetes. A year later a
# score said how far the disease had progressed. You start with one measurement, the body-mass
# index.

# %%
# The diabetes data: patients to train on, and others for validation and for the test
import numpy as np
from matplotlib import pyplot as plt

diabetes = dl.load_dataset("diabetes")
column = diabetes.feature_names.index("bmi")
bmi = diabetes.x_train[:, column].astype(float)
progress = diabetes.y_train.astype(float)
print(diabetes)
print("measurements:", ", ".join(diabetes.feature_names))
print(f"score: mean {progress.mean():.0f}, deviation {progress.std():.1f}² = {progress.var():.0f}")

# %% [markdown] proof="above"
# The prediction is a line, $\hat y = w x + b$. The *mean squared error* (MSE) over the $m$ examples
# says how wrong it is:
#
# $$\text{MSE} = \frac{1}{m} \sum_{i=1}^m (\hat y_i - y_i)^2$$
#
# Because of the square, large errors count most. For a line the smallest MSE has a formula, *least
# squares*.
#
# **Predict, then run.** The next cell compares a flat line through the middle of the scores, a
# steep line, and the best line. Which share of the flat line's MSE will the best line remove:
# nearly all, or less than half?

# %%
# The MSE of two guessed lines and of the line of least squares
best_w, best_b = np.polyfit(bmi, progress, 1)
lines = {"flat": (0.0, 150.0), "steep": (20.0, -380.0), "best": (best_w, best_b)}
mse = {}
for name, (w, b) in lines.items():
    mse[name] = np.mean((w * bmi + b - progress) ** 2)
    print(f"{name:>5}: w = {w:5.1f}, b = {b:6.1f}, MSE = {mse[name]:.0f}")
print(f"the best line removes {1 - mse['best'] / mse['flat']:.0%} of the flat line's MSE")

# %% alt="The disease's progression over the body-mass index: a wide cloud of points that rises to the right, and three lines. A dotted line is flat, a dashed one is too steep, and the solid best line rises through the middle of the cloud."
# The three lines on the training examples
plt.figure(figsize=(7, 3.8), layout="constrained")
plt.scatter(bmi, progress, s=14, color="#767676", alpha=0.6)
reach = np.array([bmi.min(), bmi.max()])
for (name, (w, b)), style in zip(lines.items(), (":", "--", "-"), strict=True):
    plt.plot(reach, w * reach + b, style, color="black", label=name)
_ = plt.gca().set(xlabel="body-mass index (kg/m²)", ylabel="progression (score)", ylim=(0, 360))
plt.legend()
plt.show()

# %% [markdown] proof="above"
# **What to notice.** The MSE of a flat line near the mean is about the square of the standard
# deviation, 77² ≈ 5,900. The best line removes about 34 % of it and no more: the cloud is wide, and
# one measurement cannot tell much.
#
# ## The line learns
#
# Most models have no formula for the best weights. *Gradient descent* needs none. The derivatives
# of the MSE are
#
# $$\frac{\partial\,\text{MSE}}{\partial w} = \frac{2}{m}\sum (\hat y - y)\,x \qquad
# \frac{\partial\,\text{MSE}}{\partial b} = \frac{2}{m}\sum (\hat y - y)$$
#
# The input is *standardised* first, to mean $0$ and standard deviation $1$. Otherwise the two
# parameters would need learning rates of very different size.

# %%
# Gradient descent on the MSE of a line, from w = b = 0
scaled = (bmi - bmi.mean()) / bmi.std()
w, b, learning_rate, costs = 0.0, 0.0, 0.1, []
for _ in range(40):
    error = w * scaled + b - progress
    costs.append(np.mean(error**2))
    w -= learning_rate * 2 * np.mean(error * scaled)
    b -= learning_rate * 2 * np.mean(error)
print("MSE:", ", ".join(f"{cost:.0f}" for cost in costs[::5]))
print(f"descent, 40 steps: w = {w / bmi.std():.2f}, b = {b - w * bmi.mean() / bmi.std():.1f}")
print(f"least squares:     w = {best_w:.2f}, b = {best_b:.1f}")

# %% [markdown]
# **What to notice.** The MSE falls fast at first, then ever more slowly, and both ways arrive at
# the same line. The MSE of a line is a bowl with one lowest point, so the start does not matter
# (notebook 02).
#
# ## The same in Keras
#
# A layer `Dense(1)` is one neuron: it holds $w$ and $b$ and computes $\hat y = w x + b$.
# `Normalization` standardises the input inside the model; `adapt` measures the mean and the
# variance of the training examples. `compile` chooses the loss and the *optimizer*, the rule for a
# step: *SGD*, stochastic gradient descent, subtracts the gradient times the learning rate. `fit`
# runs the loop. An *epoch* is one pass through the training examples, which `fit` takes in batches
# of `batch_size`, one step per batch. Here all examples are one batch, so an epoch is one step, as
# in your loop.

# %%
# Linear regression in Keras: one input, one neuron
import keras

keras.utils.set_random_seed(0)
scale = keras.layers.Normalization()
scale.adapt(bmi[:, None])  # rows of one column, (m, 1)
line = keras.Sequential([keras.Input((1,)), scale, keras.layers.Dense(1)])
line.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
_ = line.fit(bmi[:, None], progress, epochs=40, batch_size=len(bmi), verbose=0)

# %%
# The neuron's weights beside those of the loop
kernel, bias = line.layers[-1].get_weights()
print(f"NumPy: w = {w:.2f}, b = {b:.2f}")
print(f"Keras: w = {kernel[0, 0]:.2f}, b = {bias[0]:.2f}")
assert np.allclose([kernel[0, 0], bias[0]], [w, b], rtol=1e-2)

# %% [markdown] slides="S4 multiple linear regression"
# **What to notice.** Keras starts with a random weight, your loop started at zero. After the same
# number of steps both have the same weights.
#
# ## Many measurements at once
#
# With $n$ features the line becomes $\hat y = w \cdot x + b$, with one weight per feature. In Keras
# only the shape of the input changes.
#
# **Predict, then run.** Three ways to predict are compared on the validation patients, whom none of
# them has seen: the mean of all training scores, the line with the body-mass index, and a neuron
# with all ten measurements. The *mean absolute error* is in points of the score. How far will each
# of the two neurons bring it down: to a tenth, to a half, or to two thirds of what the mean has?

# %%
# Linear regression in Keras with all ten measurements, compared on the validation patients
scale = keras.layers.Normalization()
scale.adapt(diabetes.x_train)
ten = keras.Sequential([keras.Input((10,)), scale, keras.layers.Dense(1)])
ten.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
_ = ten.fit(diabetes.x_train, progress, epochs=40, batch_size=len(progress), verbose=0)
guesses = {"mean of all": np.full(len(diabetes.y_val), progress.mean())}
guesses["bmi alone"] = line.predict(diabetes.x_val[:, [column]], verbose=0)[:, 0]
guesses["all ten"] = ten.predict(diabetes.x_val, verbose=0)[:, 0]
for name, guess in guesses.items():
    print(f"{name:>11}: mean absolute error {np.abs(guess - diabetes.y_val).mean():.1f}")

# %% [markdown] slides="S4 features and labels of a tumour; S4 logistic regression"
# **What to notice.** Even with all ten the error is well above half of what the mean has. A model
# is only as good as its lead over the simplest guess: without the first line of the table you could
# not say whether an error of that size is small.
#
# ## A yes or no: logistic regression
#
# Now a class: is a tumour malignant? The value $z$ of a line may be any number. The *sigmoid* makes
# a probability of it:
#
# $$a = \sigma(z) = \frac{1}{1 + e^{-z}}, \qquad z = w \cdot x + b$$
#
# In scikit-learn's data set malignant is class $0$. Notebook 02 kept that; here it is turned round:
# $y = 1$ is malignant, and $a$ is the probability of it.

# %%
# The tumour data, standardised, with y = 1 for malignant
tumours = dl.load_dataset("breast_cancer")
mean, deviation = tumours.x_train.mean(axis=0), tumours.x_train.std(axis=0)
X, X_val = ((x - mean) / deviation for x in (tumours.x_train, tumours.x_val))
y, y_val, y_test = 1.0 - tumours.y_train, 1.0 - tumours.y_val, 1.0 - tumours.y_test
print(f"{len(y)} tumours to train on, {int(y.sum())} of them malignant")

# %% [markdown]
# The *binary cross-entropy* is the loss of a probability $\hat y = a$:
#
# $$L = -\big(y \log \hat y + (1 - y) \log (1 - \hat y)\big)$$
#
# One of its two terms is always $0$. With the chain rule its derivative by $z$ becomes very simple,
# $dz = a - y$, and gradient descent is the loop above with a sigmoid in it:


# %%
# Logistic regression in NumPy, for examples in rows
def logistic_regression(X, y, w, learning_rate, steps):
    b = 0.0
    for _ in range(steps):
        a = 1 / (1 + np.exp(-(X @ w + b)))
        dz = a - y
        w = w - learning_rate * X.T @ dz / len(y)
        b = b - learning_rate * dz.mean()
    return w, b


from sklearn.linear_model import LogisticRegression

radius = tumours.x_train[:, 0]
w, b = logistic_regression(X[:, :1], y, np.zeros(1), learning_rate=1.0, steps=300)
known = LogisticRegression(C=1e6).fit(X[:, :1], y)  # C: a large one means no penalty
print(f"loop:         w = {w[0]:.3f}, b = {b:.3f}")
print(f"scikit-learn: w = {known.coef_[0, 0]:.3f}, b = {known.intercept_[0]:.3f}")

# %% alt="Tumours as short strokes over their mean radius, benign ones at 0 and malignant ones at 1. An S-shaped curve, the probability that logistic regression gives, rises from 0 to 1 where both kinds overlap."
# The probability over one measurement, the mean radius
grid = np.linspace(radius.min(), radius.max(), 200)
curve = 1 / (1 + np.exp(-(w[0] * (grid - mean[0]) / deviation[0] + b)))
_, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(radius, y, "|", color="#767676", markersize=12, label="tumours")
ax.plot(grid, curve, color="#0072B2", linewidth=2, label="probability")
ax.set(xlabel="mean radius of the cell nuclei", ylabel="malignant", yticks=[0, 0.5, 1])
ax.legend(loc="center left")
plt.show()

# %% [markdown]
# **What to notice.** Where both kinds of tumour have the same radius, the probability is neither
# near $0$ nor near $1$. The neuron does not know, and says so.
#
# **Predict, then run.** A tumour is malignant. One model gave it an even chance, another one said
# that the probability of malignancy is one in a hundred. How many times as large is the second
# model's loss?

# %%
# The binary cross-entropy of a malignant tumour, for several predicted probabilities
for p in (0.99, 0.9, 0.5, 0.1, 0.01):
    print(f"ŷ = {p:4}: loss {-np.log(p):.2f}")

# %% [markdown] slides="S4 one step of logistic regression"
# **What to notice.** A confident mistake costs most, and there is no upper limit.
#
# ## One step, with all its numbers
#
# The slides' example is $x = (5, 3)$, $w = (0.5, 0.5)$, $b = 1$, $y = 1$, with the learning rate
# $0.01$.
#
# **Predict, then run.** Which of the two weights moves farther, and how many times as far? In which
# direction?

# %%
# One step of logistic regression on one example
x1, w1, b1, y1, rate = np.array([5.0, 3.0]), np.array([0.5, 0.5]), 1.0, 1, 0.01
z = w1 @ x1 + b1
a = 1 / (1 + np.exp(-z))
dz = a - y1
print(f"forward:  z = {z:g}, a = {a:.6f}, loss = {-np.log(a):.6f}")
print(f"backward: dz = {dz:.6f}, dw = {(dz * x1).round(6)}, db = {dz:.6f}")
w1, b1 = w1 - rate * dz * x1, b1 - rate * dz
print(f"new:      w = {w1.round(6)}, b = {b1:.6f}, loss = {np.log1p(np.exp(-(w1 @ x1 + b1))):.6f}")

# %% [markdown] proof="above" slides="S4 logistic regression in loops; S4 vectorised logistic regression"
# **What to notice.** Each weight moves in proportion to its input, 5 to 3, and both grow, because
# $a$ is below $y = 1$. The step is tiny: the model was right already. (On the slide the new weights
# move ten times too far.)
#
# ## Loop or no loop
#
# S4 first writes loops over the examples and the features, then the same with matrices:
#
# $$Z = w^T X + b, \quad dZ = A - Y, \quad
# dw = \tfrac{1}{m} X\,dZ^T, \quad db = \tfrac{1}{m}\sum dZ$$
#
# On the slides the examples stand in *columns*, and $X$ is $(n, m)$. Keras and scikit-learn have
# them in rows, $(m, n)$, as your loop has: there it reads `X.T @ dz / m`.
#
# **Predict, then run.** The next cell computes one gradient in both ways. How many times as long
# will the loops take?


# %%
# One gradient with loops over examples and features, and the same with matrices
from time import perf_counter

w, dw, begin = np.full(X.shape[1], 0.1), np.zeros(X.shape[1]), perf_counter()
for row, label in zip(X, y, strict=True):
    z = sum(w[k] * row[k] for k in range(len(w)))
    for k in range(len(w)):
        dw[k] += (1 / (1 + np.exp(-z)) - label) * row[k] / len(y)
middle = perf_counter()
matrices = X.T @ (1 / (1 + np.exp(-(X @ w))) - y) / len(y)
print(f"loops {1000 * (middle - begin):.2f} ms, matrices {1000 * (perf_counter() - middle):.2f} ms")
assert np.allclose(dw, matrices, atol=1e-6)

# %% [markdown]
# **What to notice.** The result is the same. Python runs the loops, compiled code multiplies the
# matrices, and that makes the difference.
#
# ## Logistic regression in Keras
#
# Three things change compared with the line: the activation, the loss, and a *metric*, the
# *accuracy*: the share of right answers if a probability above one half means malignant. It is
# reported, but nothing is minimised by it. `validation_data` is measured after each epoch and never
# trained on.

# %%
# Logistic regression in Keras: thirty inputs, one neuron with a sigmoid
keras.utils.set_random_seed(0)
scale = keras.layers.Normalization()
scale.adapt(tumours.x_train)
neuron = keras.layers.Dense(1, activation="sigmoid")
model = keras.Sequential([keras.Input((30,)), scale, neuron])
start = neuron.get_weights()
model.compile(keras.optimizers.SGD(0.5), loss="binary_crossentropy", metrics=["accuracy"])
_ = model.fit(tumours.x_train, y, epochs=20, batch_size=len(y), verbose=0)

# %%
# The same twenty steps with the loop, from the same random weights
w, b = logistic_regression(X, y, start[0][:, 0], learning_rate=0.5, steps=20)
difference = np.abs(neuron.get_weights()[0][:, 0] - w).max()
print(f"after 20 steps Keras and the loop differ by at most {difference:.0e}")
assert difference < 1e-3

# %% [markdown]
# In practice you take small batches, so that one epoch makes many steps, and an optimizer that
# adapts its steps, such as *Adam*. The model goes on from where it is:

# %%
# The usual way: Adam, batches of 32 (Keras' default), and the validation tumours watched
model.compile(keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
validation = (tumours.x_val, y_val)
fitted = model.fit(tumours.x_train, y, epochs=25, validation_data=validation, verbose=0)
for name, values in fitted.history.items():
    print(f"{name:>12}: {values[0]:.3f} → {values[-1]:.3f}")

# %% [markdown]
# The course can also build a network from a *recipe*, a few settings that are written down. There
# is no secret in it: with the same seed it has the same layers and starts with the same weights.

# %%
# The same as a recipe: equal layers, equal weights at the start
keras.utils.set_random_seed(0)
built = dl.build_model("logistic_regression", tumours)
print([layer.name for layer in built.layers])
given = built.get_layer("logits").get_weights()
assert all(np.array_equal(*pair) for pair in zip(start, given, strict=True))

# %% [markdown] slides="S0 what a prediction is for"
# ## From a probability to a decision
#
# A doctor needs a decision: from which probability on does a tumour count as malignant? This
# *threshold* is a setting, so it is chosen with the *validation* tumours. The test tumours wait.
# One half is not a law: to miss a tumour is worse than a false alarm.
#
# **Predict, then run.** If you lower the threshold, which of the two mistakes becomes rarer, and
# which more frequent? How many malignant tumours are missed at a threshold of one half?


# %% name="counts"
# Both kinds of mistakes on the validation tumours, for several thresholds
probability = model.predict(tumours.x_val, verbose=0)[:, 0]


def mistakes(threshold, probability, y):
    called = probability > threshold
    missed, alarms = np.sum(~called & (y == 1)), np.sum(called & (y == 0))
    return f"threshold {threshold}: malignant missed {missed}, false alarms {alarms}"


print(f"{len(y_val)} validation tumours, {int(y_val.sum())} of them malignant")
for threshold in (0.02, 0.1, 0.2, 0.5, 0.8, 0.95):
    print(mistakes(threshold, probability, y_val))

# %% alt="The probabilities of the validation tumours, benign ones in the lower row and malignant ones in the upper row, with a vertical line at the slider's threshold; the title counts both kinds of mistakes."
# A slider for your own threshold
import ipywidgets


def decide(threshold=0.5):
    _, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
    for k, colour in enumerate(("#0072B2", "#D55E00")):
        given = probability[y_val == k]
        ax.plot(given, np.full(len(given), k), "|", color=colour, markersize=16)
    ax.axvline(threshold, color="black")
    ax.set(xlabel="predicted probability of malignancy", xlim=(0, 1), ylim=(-0.6, 1.6))
    ax.set_title(mistakes(threshold, probability, y_val))
    ax.set_yticks([0, 1], ["benign", "malignant"])
    plt.show()


_ = ipywidgets.interact(decide, threshold=(0.01, 0.99, 0.01))

# %% [markdown] proof="below counts"
# **What to notice.** A lower threshold misses fewer and alarms more often. On these tumours 0.5
# misses none of the 26 malignant ones, but 26 are few: a threshold that misses none of them may
# well miss others. You stay on the careful side and take 0.2. Now the test examples of both tasks,
# for the first and only time.

# %% name="test"
# The test, once: the patients' score and the decision about the tumours
error = np.abs(ten.predict(diabetes.x_test, verbose=0)[:, 0] - diabetes.y_test).mean()
print(f"diabetes: mean absolute error {error:.1f} on {len(diabetes.y_test)} patients")
test_probability = model.predict(tumours.x_test, verbose=0)[:, 0]
for threshold in (0.2, 0.5):
    print("tumours,", mistakes(threshold, test_probability, y_test))
print(f"{int(y_test.sum())} of the {len(y_test)} test tumours are malignant")

# %% [markdown]
# **What to notice.** On the validation tumours a threshold of one half missed none; that was not a
# promise for others. The test says what to expect of new tumours. The threshold stays as it is: to
# move it now would be to choose with the test examples.

# %% [markdown]
# ## In five lines
#
# - A neuron computes $w \cdot x + b$: a line; a sigmoid makes a probability of it.
# - The loss fits the task: the MSE for a number, the binary cross-entropy for a probability.
# - Gradient descent and Keras' `fit` are the same loop, and both need inputs of similar size.
# - Compare a model with the simplest guess, on examples that it was not trained on.
# - The threshold turns a probability into a decision; it follows from what each mistake costs.

# %% [markdown]
# ## Further reading
#
# - [Keras: the Sequential model](https://keras.io/guides/sequential_model/): how layers are put
#   together, and when that is not enough.
# - [Keras: training and evaluation](https://keras.io/guides/training_with_built_in_methods/): all
#   of `compile`, `fit` and `evaluate`.
# - [Dive into Deep Learning, chapter 3](https://d2l.ai/chapter_linear-regression/index.html): the
#   same lesson with the probability theory behind the squared error.
# - [Deep Learning, chapter 5](https://www.deeplearningbook.org/contents/ml.html): why a loss is a
#   likelihood.
# - [Efron and others, Least angle regression](https://doi.org/10.1214/009053604000000067): the
#   study that made the diabetes data known.

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("03.1")` helps, `solution("03.1")`
# tells.
#
# ### Quick checks
#
# **03.1** A tumour is malignant, y = 1, and the model says ŷ = 0.8. How large is the binary
# cross-entropy of this example (three digits)?

# %%
# 03.1: your answer
from dlcourse.lessons import check, hint, solution

answer = ...
check("03.1", answer)

# %% [markdown]
# **03.2** Write a function `answer(x, w, b, y, learning_rate)` that takes one step of logistic
# regression on one example and returns the new `w` and the new `b`.

# %%
# 03.2: your answer
answer = ...
check("03.2", answer)

# %% [markdown]
# **03.3** To send a malignant tumour home costs 20, to examine a benign one for nothing costs 1,
# and a right decision costs nothing. From which probability of malignancy on should a patient be
# examined (three digits)?

# %%
# 03.3: your answer
answer = ...
check("03.3", answer)

# %% [markdown]
# ### Complete the algorithm
#
# **03.4** Complete gradient descent for logistic regression: `X` is (m, n), `y` is (m,), and the
# cost is the mean binary cross-entropy. Fill in the three places; `answer` returns the last `w` and
# `b`.


# %%
# 03.4: your answer
def answer(X, y, learning_rate, steps):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(steps):
        a = ...
        dz = a - y
        dw = ...
        db = ...
        w = w - learning_rate * dw
        b = b - learning_rate * db
    return w, b


check("03.4", answer)

# %% [markdown]
# ### Build a network
#
# **03.5** Write a function `answer(x_train, y_train)` that builds and trains a Keras model for the
# tumours and returns it: thirty raw measurements in, the probability of malignancy out ($y = 1$ is
# malignant). The checker calls it with 318 tumours and measures it on 137 others: a binary
# cross-entropy of at most 0.09 is asked for, after at most 10 seconds of training.


# %%
# 03.5: your answer
def answer(x_train, y_train):
    model = ...
    model.fit(x_train, y_train)
    return model


check("03.5", answer)
