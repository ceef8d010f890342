"""Pictures of generated images: a grid per class, a walk, the epochs, a map of codes."""

from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.generation.quality import codes, generate
from dlcourse.plots import COLOURS, image_grid
from dlcourse.plots.axes import shown_figure
from dlcourse.plots.images import in_range, pixels

MARKERS = "os^Dv<>PX*"


def _grid(images: Any, titles: Any = (), **how: Any) -> list[Axes]:
    """Return the axes of a grid of images in one range of values, so that they can be compared."""
    return image_grid(images, titles, value_range=(np.min(images), np.max(images)), **how)


def classes(
    model: Any, class_names: Any, *, per_class: int = 8, seed: int = 0, figure: Any = None
) -> list[Axes]:
    """Return the axes of generated images, one row per class, each column with its own noise."""
    images, _ = generate(model, per_class, seed)
    return _grid(images, columns=per_class, rows=list(class_names), figure=figure)


def walk(
    model: Any, class_names: Any, *, steps: int = 10, seed: int = 0, figure: Figure | None = None
) -> list[Axes]:
    """Return the axes of images on the straight way between two noise vectors, one row per class.

    Args:
        model: Generator.
        class_names: Names of the classes.
        steps: Images on the way, with both ends.
        seed: Seed of the two noise vectors.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    size, count = model.inputs[0].shape[1], len(class_names)
    begin, end = np.random.default_rng(seed).normal(size=(2, size))
    way = begin + np.linspace(0, 1, steps)[:, None] * (end - begin)
    noise = np.tile(way, (count, 1)).astype("float32")
    asked = np.repeat(np.eye(count, dtype="float32"), steps, axis=0)
    images = model.predict([noise, asked], verbose=0)
    return _grid(images, columns=steps, rows=list(class_names), figure=figure)


def epochs(images: Any, epochs: Any, class_names: Any, *, figure: Any = None) -> list[Axes]:
    """Return the axes of a training's samples, one row per measured epoch, one column per class.

    Args:
        images: Images `(classes, height, width, channels)` of each epoch, see `samples`.
        epochs: Their epochs; 0 is before the training.
        class_names: Names of the classes.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    count, rows = len(class_names), [f"epoch {epoch}" for epoch in epochs]
    titles = [*class_names, *[""] * (len(images) - 1) * count]
    return _grid(np.concatenate(images), titles, columns=count, rows=rows, figure=figure)


def animation(images: Any, epochs: Any, class_names: Any) -> FuncAnimation:
    """Return the same as an animation with one frame per epoch; `.save("epochs.gif")` writes it."""
    count, span = len(class_names), (np.min(images), np.max(images))
    axes = image_grid(images[-1], list(class_names), columns=count, figure=Figure())
    figure: Any = axes[0].figure
    figure.set_size_inches(0.85 * count, 1.7)

    def draw(frame: int) -> list[Any]:
        figure.suptitle(f"epoch {epochs[frame]} of {epochs[-1]}")
        for ax, image in zip(axes, images[frame], strict=True):
            ax.images[0].set_data(in_range(pixels(image), span))
        return []

    return FuncAnimation(figure, draw, frames=len(epochs), interval=500)


def quality(history: dict[str, list[float]], *, figure: Figure | None = None) -> list[Axes]:
    """Return two axes: the losses by epoch, and the shares where they were measured."""
    left, right = shown_figure(figure, 9, 3.2).subplots(1, 2)
    shares = ("judge_agrees", "train_on_generated", "two_sample", "spread", "anomaly_auc")
    shares, losses = ([n for n in history if n in shares], [n for n in history if "loss" in n])
    for ax, names, label in ((left, losses, "loss"), (right, shares, "share of 1")):
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            at = np.flatnonzero(np.isfinite(history[name]))
            style, values = "-" if ax is left else f"{marker}-", np.asarray(history[name])[at]
            ax.plot(at + 1, values, style, color=colour, label=name.replace("_", " "))
        ax.set(xlabel="epoch", ylabel=label, ylim=(0, None))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(frameon=False, fontsize=8)
    return [left, right]


def code_map(model: Any, x: Any, y: Any, class_names: Any, *, figure: Any = None) -> Axes:
    """Return axes with images as points at the first two numbers of their codes, by class."""
    places, ax = codes(model, x), shown_figure(figure, 5.6, 4.6).subplots()
    for k, name in enumerate(class_names):
        points, letters = places[np.asarray(y) == k], "".join(filter(str.isalnum, name))[:3]
        marker, colour = f"${letters or k}$", COLOURS[k % len(COLOURS)]
        ax.scatter(*points.T[:2], s=40 * len(letters or "k"), marker=marker, color=colour)
    ax.set(xlabel="first number of the code", ylabel="second number of the code")
    return ax


def rebuilt(model: Any, x: np.ndarray, *, figure: Figure | None = None) -> list[Axes]:
    """Return the axes of images `x` in one row and, below, of what an autoencoder makes of them."""
    both = np.concatenate([x, model.predict(np.asarray(x, "float32"), verbose=0)])
    return _grid(both, columns=len(x), rows=["image", "rebuilt"], figure=figure)
