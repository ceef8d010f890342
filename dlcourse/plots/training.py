"""Plots of a training: learning curves, confusion matrix, confused examples."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.plots.axes import BLUE, GREY, ORANGE, new_axes, shown_figure
from dlcourse.plots.images import image_grid, short_name

METRICS = {"accuracy": "accuracy", "mae": "mean absolute error"}
# Keras' names: of the weighted metrics, of a loss' own accuracy, and numbered if used before
KERAS_NAMES = {
    "accuracy": r"(weighted_)?((binary|categorical|sparse_categorical)_)?acc(uracy)?(_\d+)?",
    "mae": r"(weighted_)?(mae|mean_absolute_error)(_\d+)?",
}


def renamed(history: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the columns of a history; Keras' names of an accuracy become `accuracy`, of MAE `mae`.

    Of several accuracies, the first has the name, and the others keep their own.
    """
    columns: dict[str, Any] = {}
    for key, values in history.items():
        part, own = ("val_", key[4:]) if str(key).startswith("val_") else ("", str(key))
        kinds = (kind for kind, names in KERAS_NAMES.items() if re.fullmatch(names, own))
        name = part + next(kinds, own)
        columns[str(key) if name in columns or name in history else name] = values
    return columns


def learning_curves(
    history: Any, best_epoch: int | None = None, *, figure: Figure | None = None
) -> list[Axes]:
    """Return the axes of loss and metric by epoch, for training and validation.

    Args:
        history: One list per metric with one value per epoch; or a run, or a Keras `History`. An
            accuracy may have any of Keras' names, such as `sparse_categorical_accuracy`.
        best_epoch: Epoch (from 1) whose weights were kept, to be marked, or None.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    history = renamed(getattr(history, "history", history))
    shown = ["loss", *(key for key in METRICS if key in history)]
    figure = shown_figure(figure, 4.2 * len(shown), 3.4)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    epochs = np.arange(1, len(history["loss"]) + 1)
    for ax, key in zip(panels, shown, strict=True):
        style = "o-" if len(epochs) < 3 else "-"
        ax.plot(epochs, history[key], style, color=BLUE, label="training")
        if f"val_{key}" in history:
            ax.plot(epochs, history[f"val_{key}"], f"{style}-", color=ORANGE, label="validation")
        if best_epoch is not None:
            ax.axvline(best_epoch, color=GREY, ls=":", label=f"kept: epoch {best_epoch}")
        ax.set(xlabel="epoch", ylabel=METRICS.get(key, key))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    if history["loss"] and min(history["loss"]) > 0 and np.ptp(np.log10(history["loss"])) > 1.5:
        panels[0].set_yscale("log")
    return list(panels)


def confusion_matrix(
    y: np.ndarray, predicted: np.ndarray, class_names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Return axes with the counts of each true class (row) predicted as each class (column).

    Args:
        y: True labels `(n,)`.
        predicted: Predicted labels `(n,)`.
        class_names: One name per class.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    from sklearn.metrics import confusion_matrix as count

    ax = new_axes(ax)
    classes = len(class_names)
    counts = count(y, predicted, labels=np.arange(classes))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts) if classes <= 20 else ():
        color = "white" if share[row, column] > 0.55 else "black"
        text = str(counts[row, column])
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
    step = max(1, classes // 25)
    labels = [short_name(name) for name in class_names][::step]
    ticks = np.arange(0, classes, step)
    ax.set_xticks(ticks, labels, rotation=90 if max(map(len, class_names)) > 3 else 0)
    ax.set_yticks(ticks, labels)
    ax.tick_params(labelsize=7 if classes > 15 else 10)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(f"{np.mean(y == predicted):.1%} of {len(y):,} right", fontsize=11)
    ax.figure.colorbar(picture, ax=ax, label="share of the true class")
    return ax


def confused_pairs(y: np.ndarray, predicted: np.ndarray) -> list[tuple[int, int, int]]:
    """Return `(true, predicted, count)` of every confused pair, most frequent first."""
    counts = Counter(zip(y.tolist(), predicted.tolist(), strict=True))
    pairs = [(a, b, n) for (a, b), n in counts.items() if a != b]
    return sorted(pairs, key=lambda pair: (-pair[2], pair))


def most_confused(
    y: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    images: np.ndarray | None = None,
    *,
    pairs: int = 5,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of the pairs of classes that are confused most often.

    With images, one row per pair with up to six of its images; without, one bar per pair.

    Args:
        y: True labels `(n,)`.
        predicted: Predicted labels `(n,)`.
        class_names: One name per class.
        images: Images `(n, height, width, channels)`, or None.
        pairs: Number of pairs to show.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    worst = confused_pairs(y, predicted)[:pairs]
    names = [short_name(name) for name in class_names]
    titles = [f"{names[a]} taken for {names[b]}: {n}×" for a, b, n in worst]
    if images is None or not worst:
        ax = shown_figure(figure, 6.4, 1.2 + 0.45 * len(worst)).subplots()
        ax.barh(titles, [n for *_, n in worst], color=BLUE)
        ax.invert_yaxis()
        ax.set_xlabel("test examples")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not worst:
            ax.set_axis_off()
            ax.text(0, 0, "no test example is confused", ha="center", fontsize=12)
        return [ax]
    columns = min(6, max(3, worst[0][2]))  # wide enough for the titles
    tiles = []
    for true, wrong, _ in worst:
        examples = np.flatnonzero((y == true) & (predicted == wrong))
        examples = np.sort(np.random.default_rng(0).permutation(examples)[:columns])
        tiles += [*images[examples], *[None] * (columns - len(examples))]
    axes = image_grid(tiles, columns=columns, figure=figure)
    for ax, title in zip(axes[::columns], titles, strict=True):
        ax.set_title(title, loc="left", fontsize=10)
    return axes


def predicted_and_true(
    y: np.ndarray, predicted: np.ndarray, target_name: str, *, ax: Axes | None = None
) -> Axes:
    """Return axes with each prediction over its true value; exact ones lie on the diagonal.

    Args:
        y: True values `(n,)`.
        predicted: Predictions `(n,)`.
        target_name: Name of the target, with its unit.
        ax: Axes to draw on. None for a new pyplot figure.
    """
    ax = new_axes(ax)
    low, high = min(y.min(), predicted.min()), max(y.max(), predicted.max())
    ax.plot([low, high], [low, high], color=GREY, ls=":", label="exact")
    ax.scatter(y, predicted, s=18, color=BLUE, alpha=0.6, label="test examples")
    ax.set(xlabel=f"true: {target_name}", ylabel="predicted")
    ax.set_title(f"mean absolute error {np.abs(y - predicted).mean():.3g}", fontsize=11)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax
