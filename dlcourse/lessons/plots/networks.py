"""Pictures of networks: neurons lit by their activation, and the graph of a calculation."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from dlcourse.lessons.maths.arguments import array
from dlcourse.lessons.maths.autograd import Value
from dlcourse.lessons.maths.network import Network
from dlcourse.lessons.maths.steps import show
from dlcourse.plots.axes import new_axes


def network_diagram(
    network: Network,
    x: ArrayLike,
    ax: Axes | None = None,
    *,
    most: int = 12,
    classes: Sequence[str] = (),
) -> Axes:
    """Return axes with the network's neurons and weights as one example passes through.

    A neuron is brighter the larger its activation is: black at 0 or the layer's minimum, white at
    1 or the layer's maximum. Positive weights are red, negative ones blue, and a colour is stronger
    the larger the weight is within its layer.

    Args:
        network: Network; of a layer with more than `most` neurons the first and last are shown.
        x: One example, (inputs,).
        ax: Axes to draw on; a new figure by default.
        most: Largest number of neurons to show per layer.
        classes: Names of the outputs, shown beside them.
    """
    slides = network.layout == "slides"
    example = array("x", x, (network.sizes[0],))
    tallest = max(min(size, most + 1) for size in network.sizes)
    high = max(4.4, 0.55 * (tallest + 2)) if tallest <= 8 else 4.4
    ax = new_axes(ax, figsize=(max(6.4, 1.1 * len(network.sizes)), high))
    forward = network.forward(example[:, None] if slides else example[None])
    values = [np.ravel(a) for a in forward.a]
    shown = [_shown(len(a), most) for a in values]
    weights = [W.T if slides else W for W in network.W]
    _draw_weights(ax, weights, shown)
    for layer, (a, chosen) in enumerate(zip(values, shown, strict=True)):
        _draw_neurons(ax, layer, a, chosen, big=tallest <= 8)
        _draw_caption(ax, layer, len(a), ["input", *network.activations][layer], chosen)
    for neuron, place in _places(len(values) - 1, shown[-1]).items():
        words = [*classes[neuron : neuron + 1], *([_short(values[-1][neuron])] * (tallest > 8))]
        if words:
            ax.text(place[0] + 0.15, place[1], ": ".join(words), va="center", fontsize=9)
    ax.set(xlim=(-0.45, len(values) - 0.55), ylim=(-tallest / 2 - 1.1, tallest / 2 + 0.7))
    ax.set_title("bright: active · red: positive weight · blue: negative weight", fontsize=9)
    ax.set_axis_off()
    return ax


def autograd_graph(value: Value, ax: Axes | None = None) -> Axes:
    """Return axes with the graph of a `Value`: every number, its operation and its gradient.

    Call `value.backward()` first: it computes the gradients that are shown.
    """
    graph = value.graph()
    depth: dict[Value, int] = {}
    for node in graph:
        depth[node] = max((depth[parent] + 1 for parent, _ in node.parents), default=0)
    for leaf in (node for node in graph if not node.parents):  # just before its first use
        users = [depth[n] for n in graph if any(parent is leaf for parent, _ in n.parents)]
        depth[leaf] = min(users, default=1) - 1
    columns = [[node for node in graph if depth[node] == d] for d in range(depth[value] + 1)]
    tallest = max(map(len, columns))
    ax = new_axes(ax, figsize=(max(4.0, 1.6 * len(columns)), max(2.4, 1.1 * tallest)))
    places = {
        node: (d, (len(column) - 1) / 2 - i)
        for d, column in enumerate(columns)
        for i, node in enumerate(column)
    }
    boxes = {node: _box(ax, node, place) for node, place in places.items()}
    for node, place in places.items():
        parents = [parent for parent, _ in node.parents]
        for i, parent in enumerate(parents):
            ends = {"patchA": boxes[parent], "patchB": boxes[node], "shrinkA": 0, "shrinkB": 0}
            bend = 0.0  # bend an arrow around other boxes, and apart from a second arrow
            if parents.count(parent) > 1:
                bend = 0.35 * (-1) ** i
            elif depth[node] - depth[parent] > 1:
                bend = -0.5 if depth[parent] % 2 else 0.5
            arrow = {"arrowstyle": "-|>", "color": "0.4", "connectionstyle": f"arc3,rad={bend}"}
            ax.annotate("", place, places[parent], arrowprops=arrow | ends)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-tallest / 2 - 0.2, tallest / 2 + 0.2))
    ax.set_axis_off()
    return ax


def _box(ax: Axes, node: Value, place: tuple[float, float]) -> Patch | None:
    made = f" ({node.made})" if node.name and node.made else node.made
    name = f"{node.name}{made}" or "constant"
    text = f"{name}\n{show(node.data, 4)}\ngrad {show(node.grad, 4)}"
    colour = "white" if node.parents else "#CFE8F7"
    box = {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "0.3"}
    label = ax.text(*place, text, ha="center", va="center", fontsize=9, zorder=4, bbox=box)
    return label.get_bbox_patch()


def _shown(size: int, most: int) -> list[int | None]:
    """Return the neurons to show, top to bottom; None stands for a gap."""
    if size <= most:
        return list(range(size))
    half = most // 2
    return [*range(half), None, *range(size - (most - half), size)]


def _places(layer: int, chosen: list[int | None]) -> dict[int, tuple[float, float]]:
    middle = (len(chosen) - 1) / 2
    return {n: (layer, middle - i) for i, n in enumerate(chosen) if n is not None}


def _draw_weights(ax: Axes, weights: list[np.ndarray], shown: list[list[int | None]]) -> None:
    for layer, W in enumerate(weights):
        before, after = _places(layer, shown[layer]), _places(layer + 1, shown[layer + 1])
        pairs = [(i, j) for i in before for j in after]
        strength = np.array([W[i, j] for i, j in pairs]) / (float(np.abs(W).max()) or 1.0)
        thickest = 3.0 if len(pairs) <= 40 else 1.4
        lines = LineCollection(
            [(before[i], after[j]) for i, j in pairs],
            colors=colormaps["RdBu_r"]((strength + 1) / 2),
            linewidths=0.3 + thickest * np.abs(strength),
            zorder=1,
        )
        ax.add_collection(lines)


def _draw_neurons(ax: Axes, layer: int, a: np.ndarray, chosen: list[int | None], big: bool) -> None:
    low, high = min(0.0, float(a.min())), max(1.0, float(a.max()))
    for neuron, place in _places(layer, chosen).items():
        light = (a[neuron] - low) / (high - low)
        size = 32 if big else 15
        ax.plot(*place, "o", markersize=size, color=str(light), markeredgecolor="0.3", zorder=2)
        if big:
            ink = "black" if light > 0.5 else "white"
            ax.text(*place, _short(a[neuron]), color=ink, ha="center", va="center", fontsize=9)


def _draw_caption(ax: Axes, layer: int, size: int, name: str, chosen: list[int | None]) -> None:
    middle = (len(chosen) - 1) / 2
    words = name.replace("_", "\n")
    ax.text(layer, -middle - 0.75, f"{words}\n{size}", ha="center", va="top", fontsize=10)
    if None in chosen:
        place = (layer, middle - chosen.index(None))
        ax.text(*place, "⋮", ha="center", va="center", fontsize=14)


def _short(value: float) -> str:
    """Return the number in about five characters, so that it fits into a circle."""
    small = abs(value) < 10
    return show(round(float(value), 2 if small else 0), 3) if abs(value) < 1000 else show(value, 1)
