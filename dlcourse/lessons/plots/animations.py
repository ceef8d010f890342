"""Animations: a descent step by step, and a decision boundary as it is learned.

Each function returns matplotlib's own `FuncAnimation`. In a notebook show it with
`IPython.display.HTML(html(animation))`; for a GIF call `save_gif(animation, "descent.gif")`.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.checks import array, integer
from dlcourse.lessons.maths.steps import show
from dlcourse.lessons.plots.boundaries import (
    class_numbers,
    count_classes,
    draw_examples,
    draw_regions,
    grid,
    values_on,
)
from dlcourse.lessons.plots.functions import descent_on_contour, descent_on_curve
from dlcourse.plots.axes import new_axes
from dlcourse.plots.images import show_image


def animate_descent(
    f: Callable[[np.ndarray], Any], trace: ArrayLike, ax: Axes | None = None
) -> FuncAnimation:
    """Return an animation of a descent: a frame a point, on a curve or on contour lines.

    Args:
        f: As for `descent_on_curve`, or for `descent_on_contour` where the points have two numbers.
        trace: Points of `calculus.gradient_descent`, (steps + 1,) or (steps + 1, 2).
        ax: Where to draw; a new figure by default.
    """
    points = array("trace", trace, ("steps + 1",), ("steps + 1", 2))
    ax = (descent_on_curve if points.ndim == 1 else descent_on_contour)(f, points, ax)
    ways = [line for line in ax.lines if line.get_marker() == "o"]
    full = [(np.asarray(way.get_xdata()), np.asarray(way.get_ydata())) for way in ways]

    def draw(frame: int) -> list:
        for way, (x, y) in zip(ways, full, strict=True):
            way.set_data(x[: frame + 1], y[: frame + 1])
        ax.set_title(f"step {frame}: {show(points[frame], 4)}")
        return [*ways, ax.title]

    return FuncAnimation(cast(Figure, ax.get_figure()), draw, frames=len(points), interval=400)


def animate_boundary(
    train: Callable[[], Any],
    predict: Callable[[np.ndarray], Any],
    X: ArrayLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    frames: int = 20,
    resolution: int = 80,
) -> FuncAnimation:
    """Return an animation of a decision boundary during training.

    The training happens here, at once: `train` is called before every frame but the first.

    Args:
        train: Trains a little further, such as `lambda: model.fit(X, y, epochs=5, verbose=0)`.
        predict, X, y, resolution: As for `decision_boundary`.
        ax: Where to draw; a new figure by default.
        frames: At least 1.
    """
    points = array("X", X, ("m", 2))
    labels = class_numbers("y", y, len(points))
    x1, x2, rows = grid(points, resolution)
    history = [values_on(predict, rows)]
    for _ in range(integer("frames", frames, 1) - 1):
        train()
        history.append(values_on(predict, rows))
    ax = new_axes(ax, figsize=(6.2, 4.4))
    classes = max(count_classes(labels, values) for values in history)

    def draw(frame: int) -> list:
        ax.clear()
        draw_regions(ax, x1, x2, history[frame], classes)
        draw_examples(ax, points, labels, None, classes)
        ax.set(xlabel="x₁", ylabel="x₂", title=f"training, frame {frame} of {frames - 1}")
        return []

    return FuncAnimation(cast(Figure, ax.get_figure()), draw, frames=frames, interval=250)


def animate_images(
    frames: Sequence[np.ndarray],
    ax: Axes | None = None,
    *,
    value_range: tuple[float, float] | None = None,
    title: str = "step",
) -> FuncAnimation:
    """Return an animation of an image that changes, as an ascent's callback has seen it.

    Args:
        frames: Images `(height, width, 1 or 3)`, in their order.
        ax: Where to draw; a new figure by default.
        value_range: (black, white); None: each frame its own.
        title: Before the frame's number.
    """
    if not len(frames):
        raise ValueError("frames: one or more are needed")
    ax = new_axes(ax, figsize=(3.2, 3.4))

    def draw(frame: int) -> list:
        ax.clear()
        show_image(ax, frames[frame], value_range)
        ax.set_title(f"{title} {frame + 1} of {len(frames)}", fontsize=10)
        return []

    return FuncAnimation(cast(Figure, ax.get_figure()), draw, frames=len(frames), interval=250)


SIGNS = {
    "minus": "−", "fast-backward": "|◁", "step-backward": "◁", "play fa-flip-horizontal": "◀",
    "pause": "‖", "play": "▶", "step-forward": "▷", "fast-forward": "▷|", "plus": "+",
}  # fmt: skip


def html(animation: FuncAnimation) -> str:
    """Return the animation as HTML with buttons, for `IPython.display.HTML`.

    The buttons' signs are letters: matplotlib's own are a font that is fetched from the network.
    """
    page = animation.to_jshtml(default_mode="once")
    page = re.sub(r"<link[^>]*font-awesome[^>]*>", "", page)
    return re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda icon: SIGNS[icon[1]], page)


def save_gif(animation: FuncAnimation, path: str | Path, *, fps: int = 4) -> Path:
    """Write the animation as a GIF of so many frames a second; return its path."""
    animation.save(str(path), writer=PillowWriter(fps=fps))
    return Path(path)
