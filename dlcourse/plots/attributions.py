"""Maps of evidence and pictures of layers: overlays, grids, templates, active neurons."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from dlcourse.errors import UserError
from dlcourse.plots.axes import BLUE, GREY, ORANGE, new_axes, shown_figure
from dlcourse.plots.images import frame, label, show_image

POSITIVE, SIGNED = "inferno", "RdBu_r"
MOST_NEURONS = 400  # drawn as dots, per layer


def signed_colours(values: np.ndarray) -> np.ndarray:
    """Return the colours `(…, 3)` of values: red above 0, blue below, white at 0."""
    top = float(np.abs(values).max()) or 1.0
    return colormaps[SIGNED](0.5 + values / (2 * top))[..., :3]


def show_map(
    ax: Axes, values: np.ndarray, *, limit: float | None = None, colorbar: bool = True
) -> Axes:
    """Draw one map `(height, width)`: dark to bright from 0 up, or blue and red if signed.

    Args:
        ax: Axes to draw on.
        values: The raw map, in units of the score.
        limit: Value of the strongest colour. None for the map's own largest.
        colorbar: Whether to draw a colour bar.
    """
    values = _told(ax, values)
    signed = bool(values.min() < 0)
    top = (float(np.abs(values).max()) if limit is None else limit) or 1.0
    cmap = SIGNED if signed else POSITIVE
    picture = ax.imshow(values, cmap=cmap, vmin=-top if signed else 0, vmax=top)
    frame(ax)
    if colorbar:
        bar = ax.figure.colorbar(picture, ax=ax, fraction=0.046, pad=0.03, ticks=MaxNLocator(4))
        bar.ax.tick_params(labelsize=8)
    return ax


def overlay(
    image: np.ndarray,
    values: np.ndarray,
    ax: Axes | None = None,
    *,
    alpha: float = 0.7,
    box: Sequence[int] | None = None,
    title: str = "",
) -> Axes:
    """Return axes with the image in grey, and the map over it, opaque where it is strong.

    Args:
        image: Image `(height, width, 1 or 3)` in any range.
        values: Map `(height, width)`; negative values count as 0.
        ax: Axes to draw on. None for a new pyplot figure.
        alpha: Opacity of the strongest value.
        box: Box (top, left, bottom, right) to frame, the last two excluded.
        title: Title above the picture.
    """
    ax = new_axes(ax, figsize=(3.2, 3.2))
    grey = image.mean(axis=-1).astype("float32")
    ax.imshow(grey, cmap="gray")
    values = _told(ax, values)
    strength = np.clip(values, 0, None) / (float(values.max()) if values.max() > 0 else 1.0)
    size = (-0.5, grey.shape[1] - 0.5, grey.shape[0] - 0.5, -0.5)  # a coarse map is stretched
    colours = colormaps[POSITIVE](0.25 + 0.75 * strength)
    ax.imshow(colours, alpha=alpha * strength**0.5, extent=size)
    _mark(ax, box)
    frame(ax)
    ax.set_title(title, fontsize=10)
    return ax


def _told(ax: Axes, values: np.ndarray) -> np.ndarray:
    """Return the map with 0 for NaN and infinity; say so on the picture, or that it is constant."""
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0)
    note = f"{filled.flat[0]:.2g} everywhere" if np.ptp(filled) == 0 else ""
    note = note if finite.all() else f"{np.mean(~finite):.0%} NaN or infinite"
    if note:
        ax.text(0.5, 0.04, note, transform=ax.transAxes, ha="center", fontsize=7, color=ORANGE)
    return filled


def _mark(ax: Axes, box: Sequence[int] | np.ndarray | None) -> None:
    """Draw the box (top, left, bottom, right), the last two excluded."""
    if box is not None:
        top, left, bottom, right = box
        place, width, height = (left - 0.5, top - 0.5), right - left, bottom - top
        ax.add_patch(Rectangle(place, width, height, fill=False, edgecolor="#56B4E9", lw=2))


def attributions(
    images: np.ndarray,
    maps: Mapping[str, np.ndarray],
    titles: Sequence[str] = (),
    *,
    overlaid: bool = False,
    boxes: np.ndarray | None = None,
    figure: Figure | None = None,
) -> list[Axes]:
    """Return axes with one row per image: the image, then the map of each method.

    Every map has its own scale; the number above it is the value of its strongest colour.

    Args:
        images: Images `(n, height, width, 1 or 3)`.
        maps: Maps `(n, height, width)` by the name of their method.
        titles: One title per image, such as its class and probability, or none.
        overlaid: Whether to draw the maps over the image, without their values.
        boxes: True boxes `(n, 4)` to frame.
        figure: Figure to draw on. None for a new pyplot figure.
    """
    if not isinstance(maps, Mapping):
        raise UserError('attributions: expected a mapping of methods to maps: {"Grad-CAM": …}')
    n, columns = len(images), len(maps) + 1
    for name, values in maps.items():
        if len(values) != n:
            raise UserError(f"attributions: got {len(values)} maps of {name} for {n} images")
    figure = shown_figure(figure, 1.1 * columns + 0.9, 1.25 * n + 0.4)
    panels = figure.subplots(n, columns, squeeze=False)
    for k, row in enumerate(panels):
        show_image(row[0], images[k])
        label(row[0], titles[k] if titles else "")
        for ax, values in zip(row[1:], maps.values(), strict=True):
            if overlaid:
                overlay(images[k], values[k], ax)
            else:
                show_map(ax, values[k], colorbar=False)
                ax.set_title(f"{np.abs(values[k]).max():.2g}", fontsize=7, pad=2)
        for ax in row:
            _mark(ax, None if boxes is None else boxes[k])
    for ax, name in zip(panels[0, 1:], maps, strict=True):
        heading = fill(name.replace("_plus_plus", "++").replace("_", " "), 16)
        ax.set_title(f"{heading}\n{ax.get_title()}".strip(), fontsize=8)
    return list(panels.ravel())


def feature_attributions(
    values: np.ndarray,
    names: Sequence[str],
    ax: Axes | None = None,
    *,
    most: int = 12,
    title: str = "",
    unit: str = "change of the logit",
) -> Axes:
    """Return axes with one bar per feature of a table row, the strongest first.

    Args:
        values: Signed values `(features,)`.
        names: One name per feature.
        ax: Axes to draw on. None for a new pyplot figure.
        most: Largest number of features shown.
        title: Title above the bars.
        unit: Unit of the values.
    """
    ax = new_axes(ax, figsize=(6.4, 0.3 * min(most, len(values)) + 1.2))
    order = np.argsort(-np.abs(values), kind="stable")[:most][::-1]
    colours = [ORANGE if values[k] >= 0 else BLUE for k in order]
    ax.barh(range(len(order)), values[order], color=colours)
    ax.set_yticks(range(len(order)), [str(names[k]) for k in order])
    ax.axvline(0, color=GREY, lw=1)
    ax.set_xlabel(f"{unit} (orange: raises it, blue: lowers it)", fontsize=9)
    ax.tick_params(labelsize=8)
    ax.set_title(title, fontsize=10)
    return ax


def neuron_activity(
    activity: Mapping[str, np.ndarray], ax: Axes | None = None, *, title: str = ""
) -> Axes:
    """Return axes with one column per layer and one dot per neuron: bright if active.

    Args:
        activity: Values `(neurons,)` by layer name, as `visualizers.neuron_activity` returns them
            for one image. The brightest dot of a layer is its largest value (1 for a single
            neuron). Of more than 400 neurons, the first 400 are shown.
        ax: Axes to draw on. None for a new pyplot figure.
        title: Title above the layers.
    """
    if any(np.ndim(values) != 1 for values in activity.values()):
        raise ValueError("neuron_activity: expected one example: {name: values[0], …}")
    ax = new_axes(ax, figsize=(1.3 * len(activity) + 0.8, 4.6))
    for column, (name, values) in enumerate(activity.items()):
        shown = values[:MOST_NEURONS]
        wide = 1 if len(shown) <= 12 else int(np.ceil(np.sqrt(len(shown) / 3)))
        rows = -(-len(shown) // wide)
        top = float(np.max(shown)) if np.max(shown) > 0 else 1.0
        light = np.clip(shown, 0, None) / (max(top, 1.0) if len(shown) == 1 else top)
        x = column + (np.arange(len(shown)) % wide - (wide - 1) / 2) * 0.7 / max(wide, 3)
        y = 0.5 - (np.arange(len(shown)) // wide - (rows - 1) / 2) * 0.9 / max(rows, 8)
        size = 60 if len(shown) <= 16 else 26 if len(shown) <= 64 else 9
        ax.scatter(x, y, c=light, cmap="gray", vmin=0, vmax=1, s=size, edgecolors="0.4", lw=0.6)
        ax.text(
            column, 0.03, f"{name.split('/')[-1]}\n{len(values)}", ha="center", va="top", fontsize=8
        )
        for k in range(len(shown)) if len(shown) <= 12 else ():
            ax.text(x[k] + 0.16, y[k], f"{k}: {shown[k]:.2g}", va="center", fontsize=7)
    ax.set(xlim=(-0.5, len(activity) - 0.3), ylim=(-0.06, 0.97))
    ax.set_axis_off()
    ax.set_title(title or "bright: active", fontsize=10)
    return ax
