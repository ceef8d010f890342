"""Pictures of learning without labels: what clusters hold, and which examples do not belong."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plots.axes import BLUE, ORANGE, new_axes, shown_figure
from dlcourse.plots.images import show_image


def cluster_images(
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    centres: np.ndarray,
    *,
    columns: int = 8,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return the axes of the images nearest to each cluster's centre, a row a cluster.

    Args:
        images: `(n, height, width, channels)`.
        rows: their features `(n, values)`.
        labels: their clusters `(n,)`.
        centres: `(k, values)`.
        columns: images a cluster.
        figure: drawn into; None makes a pyplot figure.
    """
    k = len(centres)
    figure = shown_figure(figure, 0.75 * columns + 1.6, 0.8 * k)
    panels = figure.subplots(k, columns, squeeze=False)
    for cluster, line in enumerate(panels):
        own = np.flatnonzero(labels == cluster)
        distance = np.linalg.norm(rows[own] - centres[cluster], axis=1)
        nearest = own[np.argsort(distance, kind="stable")]
        for ax, index in zip(line, [*nearest[:columns], *[None] * columns], strict=False):
            ax.set_axis_off()
            if index is not None:
                show_image(ax, images[index])
        title = f"{cluster}: {len(own):,}"
        line[0].text(-0.25, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
    figure.suptitle("cluster: number of examples; those nearest to its centre", fontsize=11)
    return list(panels.ravel())


def anomaly_scores(
    ordinary: Sequence[float] | np.ndarray,
    strange: Sequence[float] | np.ndarray,
    score: str,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Return axes with how the scores of ordinary and of strange examples are distributed.

    Args:
        ordinary, strange: scores; the higher, the stranger.
        score: what the score is.
        ax: drawn into; None makes a pyplot figure.
    """
    from sklearn.metrics import roc_auc_score

    ax = new_axes(ax)
    truth = np.repeat([0, 1], [len(ordinary), len(strange)])
    area = roc_auc_score(truth, np.concatenate([ordinary, strange]))
    both = np.concatenate([ordinary, strange])
    edges = np.linspace(both.min(), both.max(), 40)
    for values, colour, name in ((ordinary, BLUE, "ordinary"), (strange, ORANGE, "strange")):
        weights = np.full(len(values), 1 / len(values))
        style = {"color": colour, "alpha": 0.55, "label": f"{name} ({len(values):,})"}
        ax.hist(values, edges, weights=weights, **style)
    ax.set(xlabel=score, ylabel="share of the examples")
    title = f"a strange example scores higher in {area:.1%} of all pairs"
    ax.set_title(title, fontsize=11)
    ax.legend(frameon=False)
    return ax
