"""Gradient descent, step by step, as an animation.

The result is a matplotlib `FuncAnimation`: in a notebook show it with
`IPython.display.HTML(html(animation))`; `animation.save("descent.gif")` makes a GIF.
"""

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array
from dlcourse.lessons.maths.steps import show
from dlcourse.lessons.plots.functions import descent_on_contour, descent_on_curve


def animate_descent(
    f: Callable[[np.ndarray], Any], trace: ArrayLike, ax: Axes | None = None
) -> FuncAnimation:
    """Return an animation of a descent with one frame per point, on a curve or contour lines.

    Args:
        f: Function of `descent_on_curve`, or of `descent_on_contour` for points (2,).
        trace: Points of `calculus.gradient_descent`, (steps + 1,) or (steps + 1, 2).
        ax: Axes to draw on; a new figure by default.
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


SIGNS = {
    "minus": "−", "fast-backward": "|◁", "step-backward": "◁", "play fa-flip-horizontal": "◀",
    "pause": "‖", "play": "▶", "step-forward": "▷", "fast-forward": "▷|", "plus": "+",
}  # fmt: skip


def html(animation: FuncAnimation) -> str:
    """Return the animation as HTML with buttons, for `IPython.display.HTML`.

    The buttons show text: matplotlib's own icons are a font that is fetched from the network.
    """
    page = animation.to_jshtml(default_mode="once")
    page = re.sub(r"<link[^>]*font-awesome[^>]*>", "", page)
    return re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda icon: SIGNS[icon[1]], page)
