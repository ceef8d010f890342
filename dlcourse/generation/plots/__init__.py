"""Pictures of generated images: a grid per class, a walk, the epochs, a map of codes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlcourse.generation.quality import codes, generate
from dlcourse.plots import COLOURS, image_grid, new_axes
from dlcourse.plots.axes import shown_figure


def classes(model: Any, class_names: Any, *, per_class: int = 8, seed: int = 0) -> list[Axes]:
    """Return the axes of generated images, one row per class, each column with its own noise."""
    images, _ = generate(model, per_class, len(class_names), seed)
    return image_grid(images, columns=per_class, rows=list(class_names))


def walk(model: Any, class_names: Any, *, steps: int = 10, seed: int = 0) -> list[Axes]:
    """Return the axes of images on the straight way between two noise vectors, one row per class.

    Args:
        model: Generator.
        class_names: Names of the classes.
        steps: Images on the way, with both ends.
        seed: Seed of the two noise vectors.
    """
    size, count = model.inputs[0].shape[1], len(class_names)
    begin, end = np.random.default_rng(seed).normal(size=(2, size))
    way = begin + np.linspace(0, 1, steps)[:, None] * (end - begin)
    noise = np.tile(way, (count, 1)).astype("float32")
    asked = np.repeat(np.eye(count, dtype="float32"), steps, axis=0)
    images = model.predict([noise, asked], verbose=0)
    return image_grid(images, columns=steps, rows=list(class_names))


def quality(history: dict[str, list[float]]) -> list[Axes]:
    """Return two axes: the losses by epoch, and the shares where they were measured."""
    left, right = shown_figure(None, 9, 3.2).subplots(1, 2)
    shares = ("judge_agrees", "train_on_generated", "two_sample", "spread", "anomaly_auc")
    losses = [name for name in history if name.endswith("loss")]
    for ax, names, label in ((left, losses, "loss"), (right, shares, "share of 1")):
        for name, colour, marker in zip(names, COLOURS, "os^Dv", strict=False):
            values = np.asarray(history.get(name, []))
            at = np.flatnonzero(np.isfinite(values))
            style = "-" if ax is left else f"{marker}-"
            ax.plot(at + 1, values[at], style, color=colour, label=name.replace("_", " "))
        ax.set(xlabel="epoch", ylabel=label, ylim=(0, None))
        ax.legend(frameon=False, fontsize=8)
    return [left, right]


def code_map(model: Any, x: np.ndarray, y: np.ndarray, class_names: Any) -> Axes:
    """Return the images of an autoencoder with two numbers as points, coloured by class."""
    places = codes(model, x)
    ax = new_axes(figsize=(5.6, 4.6))
    markers = "os^Dv<>PX*"
    for k, name in enumerate(class_names):
        colour, marker = COLOURS[k % len(COLOURS)], markers[k % len(markers)]
        points = places[np.asarray(y) == k]
        ax.scatter(*points.T[:2], s=10, marker=marker, color=colour, label=name)
    ax.set(xlabel="first number of the code", ylabel="second number of the code")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax
