"""Pictures of networks: neurons lit by their activation, and the graph of a calculation."""

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from dlcourse.lessons.maths.autograd import Value
from dlcourse.lessons.maths.steps import show
from dlcourse.plots.axes import new_axes


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
