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
# **Question.** How does a straight line learn, and how does it become a yes or no?
#
# **Slides.** S4. **Time.** A few seconds to run, 45 minutes to read.
# **Prerequisites.** Notebooks 01 and 02.

# %%
# On Colab, install the course from its folder (cloned or uploaded there); elsewhere do nothing.
import sys

if "google.colab" in sys.modules:
    # %pip install -q /content/dlcourse
    pass

import dlcourse as dl

dl.lessons.quiet_start()

# %% [markdown]
# ## Goal
#
# A *regression* predicts a number, a *classification* a class. Both are one neuron. At the end you
# have trained both, seen one step with all its numbers, know why nobody writes loops over examples,
# and can say what a probability is good for.
#
# ## A number to predict
#
# 442 patients with diabetes, ten measurements each, and how far the disease went on in a year. We
# start with one measurement, the body-mass index.

# %%
import numpy as np
from matplotlib import pyplot as plt

diabetes = dl.load_dataset("diabetes")
bmi = diabetes.x_train[:, diabetes.feature_names.index("bmi")].astype(float)
progress = diabetes.y_train.astype(float)
diabetes, diabetes.feature_names

# %% [markdown]
# The prediction is a line, $\hat y = w x + b$. How wrong it is, is measured by the *mean squared
# error* over the $m$ examples:
#
# $$\text{MSE} = \frac{1}{m} \sum_{i=1}^m (\hat y_i - y_i)^2$$
#
# Squares make large errors count most. Two guesses of $w$ and $b$, and the best line. For a line
# the minimum has a formula, *least squares*:

# %%
from dlcourse.lessons import maths

best = maths.linear_regression(bmi[:, None], progress)
lines = {"flat": (0.0, 150.0), "steep": (20.0, -380.0), "best": (best.W[0], float(best.b))}
for name, (w, b) in lines.items():
    print(f"{name:>5}: w = {w:.0f}, b = {b:.1f}, MSE = {maths.mse(w * bmi + b, progress):.0f}")

# %%
# Picture: The disease's progression over the body-mass index, a wide cloud that rises to the right,
# with three lines. The best line goes through its middle.
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.scatter(bmi, progress, s=14, color="#767676", alpha=0.6)
reach = np.array([bmi.min(), bmi.max()])
for (name, (w, b)), style in zip(lines.items(), (":", "--", "-"), strict=True):
    ax.plot(reach, w * reach + b, style, linewidth=2, label=name)
ax.set(xlabel="body-mass index (kg/m²)", ylabel="progression (score)", ylim=(0, 360))
ax.legend()
plt.show()

# %% [markdown]
# **What to notice.** The cloud is wide: one measurement cannot tell much. The best line does not go
# through the points, it is least wrong on average.
#
# Most models have no such formula, so we also take the way that needs no formula, gradient
# descent:
#
# $$\frac{\partial\,\text{MSE}}{\partial w} = \frac{2}{m}\sum (\hat y - y)\,x \qquad
# \frac{\partial\,\text{MSE}}{\partial b} = \frac{2}{m}\sum (\hat y - y)$$
#
# The feature is standardised first: mean 0, standard deviation 1.

# %%
# Picture: The mean squared error over fifty steps of descent. It falls fast and then follows the
# broken line of the least-squares solution.
scaled = (bmi - bmi.mean()) / bmi.std()
learned = maths.linear_regression_descent(scaled[:, None], progress, learning_rate=0.1, steps=50)
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(learned.costs, label="gradient descent")
lowest = maths.mse(best.predict(bmi[:, None]), progress)
ax.axhline(lowest, color="#D55E00", ls="--", label="formula")
ax.set(xlabel="step", ylabel="MSE (score²)")
ax.legend()
plt.show()
w = learned.W[0] / bmi.std()  # in the units of the body-mass index again
b = learned.b - w * bmi.mean()
print(f"descent, 50 steps: w = {w:.2f}, b = {float(b):.1f}")
print(f"formula:           w = {best.W[0]:.2f}, b = {float(best.b):.1f}")

# %% [markdown]
# **What to notice.** Both arrive at the same line. The MSE of a line is a bowl with one lowest
# point, so that the start does not matter (notebook 02).
#
# ## Many measurements at once
#
# With $n$ features the line becomes $\hat y = w \cdot x + b$, with a weight for each. We compare on
# the *test* patients, whom neither line has seen. The *mean absolute error* is in points of the
# score.

# %%
all_ten = maths.linear_regression(diabetes.x_train, progress)
one = maths.linear_regression(bmi[:, None], progress)
column = diabetes.feature_names.index("bmi")
for name, guess in {
    "mean of all": np.full(len(diabetes.y_test), progress.mean()),
    "bmi alone": one.predict(diabetes.x_test[:, [column]]),
    "all ten": all_ten.predict(diabetes.x_test),
}.items():
    print(f"{name:>11}: mean absolute error {np.abs(guess - diabetes.y_test).mean():.1f}")

# %% [markdown]
# **What to notice.** A model is only as good as its lead over the simplest guess, the mean.
#
# ## A yes or no: logistic regression
#
# Now a class: is a tumour malignant? The line's value $z$ may be any number. The *sigmoid* makes a
# probability of it:
#
# $$a = \sigma(z) = \frac{1}{1 + e^{-z}}, \qquad z = w \cdot x + b$$
#
# In scikit-learn's data set malignant is class 0. We turn that round, so that $a$ is the
# probability of malignancy.

# %%
tumours = dl.load_dataset("breast_cancer")
mean, deviation = tumours.x_train.mean(axis=0), tumours.x_train.std(axis=0)
X, X_val, X_test = ((x - mean) / deviation for x, _ in tumours.splits.values())
y, y_val, y_test = (1.0 - labels for _, labels in tumours.splits.values())
print(f"{len(y)} tumours, {int(y.sum())} of them malignant; {X.shape[1]} measurements each")

# %%
# Picture: Benign (0) and malignant (1) over the mean radius, with an S-shaped curve that rises from
# 0 to 1: the probability that logistic regression gives.
single = maths.logistic_regression(X[:, :1], y, learning_rate=1.0, steps=300)
radius = tumours.x_train[:, 0]
grid = np.linspace(radius.min(), radius.max(), 200)
curve = single.predict(((grid - mean[0]) / deviation[0])[:, None])
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(radius, y, "|", color="#767676", markersize=12, label="tumours")
ax.plot(grid, curve, color="#0072B2", linewidth=2, label="probability")
ax.set(xlabel="mean radius of the cell nuclei", ylabel="malignant", yticks=[0, 0.5, 1])
ax.legend(loc="center left")
plt.show()

# %% [markdown]
# ## The loss of a probability
#
# The *binary cross-entropy* punishes a confident mistake most:
#
# $$L = -\big(y \log \hat y + (1 - y) \log (1 - \hat y)\big)$$

# %%
# Picture: Two curves over the predicted probability. For a malignant tumour the loss falls from far
# above 4 at 0 to 0 at 1; for a benign one it is the mirror image.
p = np.linspace(0.005, 0.995, 200)
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(p, -np.log(p), label="malignant, y = 1: −log ŷ")
ax.plot(p, -np.log(1 - p), "--", label="benign, y = 0: −log(1 − ŷ)")
ax.set(xlabel="predicted probability ŷ", ylabel="loss")
ax.legend()
plt.show()

# %% [markdown]
# ## One step, fully shown
#
# The slides' example: $x = (5, 3)$, $w = (0.5, 0.5)$, $b = 1$, $y = 1$, learning rate 0.01. With
# the chain rule the gradient is short, $dz = a - y$. Every number:

# %%
print(maths.render(maths.EXAMPLES["S4.logistic"].steps()))

# %% [markdown]
# ## Loop or no loop
#
# S4 first writes loops over the examples and the features, then the same with matrices:
#
# $$Z = w^T X + b, \quad dZ = A - Y, \quad
# dw = \tfrac{1}{m} X\,dZ^T, \quad db = \tfrac{1}{m}\sum dZ$$
#
# There the examples stand in *columns*, X is $(n, m)$. Keras and scikit-learn have them in rows,
# $(m, n)$; so we turn ours.

# %%
from time import perf_counter

arguments = (X.T, y[None], np.full((X.shape[1], 1), 0.1), 0.0)
found, seconds = {}, {}
loop, no_loop = maths.logistic_gradient_loop, maths.logistic_gradient_vectorised
for function in (loop, no_loop):
    begin = perf_counter()
    found[function] = function(*arguments)
    seconds[function] = perf_counter() - begin
difference = np.abs(found[loop].dw - found[no_loop].dw)
print(f"largest difference {difference.max():.1e}")
for function, time in seconds.items():
    print(f"{function.__name__}: {1000 * time:.2f} ms")

# %% [markdown]
# **What to notice.** The same numbers, up to rounding. The loop runs in Python, the matrices in
# compiled code.
#
# ## All measurements, and the test
#
# Now all thirty measurements, 500 steps. The threshold below is a setting, so it is chosen with the
# *validation* tumours. The test tumours wait.

# %%
model = maths.logistic_regression(X, y, learning_rate=0.5, steps=500)
probability = model.predict(X_val)
print(f"cost: {model.costs[0]:.3f} before, {model.costs[-1]:.3f} after {len(model.costs)} steps")
print(f"validation accuracy {np.mean((probability > 0.5) == y_val):.3f}")

# %%
# Picture: How often each probability of malignancy is given to benign and to malignant validation
# tumours. The benign ones lie near 0, the malignant ones near 1, few in between.
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
parts = [probability[y_val == k] for k in (0, 1)]
ax.hist(parts, bins=20, range=(0, 1), label=["benign", "malignant"], color=["#0072B2", "#D55E00"])
ax.set(xlabel="predicted probability of malignancy", ylabel="validation tumours")
ax.legend()
plt.show()

# %% [markdown]
# **What to notice.** Most are clear. For those in between someone must decide from which
# probability on a tumour counts as malignant. 0.5 is not a law: to miss a tumour is worse than a
# false alarm. Move the threshold.

# %%
from dlcourse.lessons import interact


def decide(threshold=0.5):
    called = probability > threshold
    missed, alarms = np.sum(~called & (y_val == 1)), np.sum(called & (y_val == 0))
    print(f"threshold {threshold:.2f}: {missed} malignant missed, {alarms} false alarms")


for threshold in (0.05, 0.2, 0.5, 0.65, 0.7, 0.95):
    decide(threshold)

# %%
# A slider for your own threshold; what it prints stays below it.
interact(decide, threshold=(0.01, 0.99, 0.01))

# %% [markdown]
# Every threshold up to 0.65 misses none of the 26 malignant validation tumours: 26 are too few to
# choose between them. We stay on the careful side and take 0.2. Now the test tumours, for the first
# and only time:

# %%
called = model.predict(X_test) > 0.2
missed, alarms = np.sum(~called & (y_test == 1)), np.sum(called & (y_test == 0))
print(f"of {len(y_test)} test tumours, {int(y_test.sum())} of them malignant:")
print(f"{missed} malignant missed, {alarms} false alarms")

# %% [markdown]
# **What to notice.** That none was missed in validation is no promise. The test tells what to
# expect, and the threshold stays as it is: to move it now would be to choose with the test tumours.
#
# ## What the slides got wrong here
#
# The step that you have just seen has several slips on the slide, and one is large: the new weights
# moved ten times too far.

# %%
from dlcourse.lessons import show

print(show("S4.logistic", "S4.loop", "S4.variables", "S4.squaring"))

# %% [markdown]
# ## Exercises
#
# Write your answer in the place of `...` and run the cell. `hint("03.1")` helps, `solution("03.1")`
# tells.
#
# **03.1** A tumour is malignant, y = 1, and the model says ŷ = 0.8. How large is the binary
# cross-entropy of this example (three digits)?

# %%
from dlcourse.lessons import check, hint, solution

answer = ...
check("03.1", answer)

# %% [markdown]
# **03.2** Write a function `answer(x, w, b, y, learning_rate)` that takes one step of logistic
# regression on one example and returns the new `w` and the new `b`.

# %%
answer = ...
check("03.2", answer)

# %% [markdown]
# **03.3** To send a malignant tumour home costs 20, to examine a benign one for nothing costs 1,
# and a right decision costs nothing. From which probability of malignancy on should a patient be
# examined (three digits)?

# %%
answer = ...
check("03.3", answer)
