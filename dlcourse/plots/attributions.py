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
from dlcourse.plots.images import finite, frame, label, note, numeric, pixels, show_image

POSITIVE, SIGNED = "inferno", "RdBu_r"
MOST_NEURONS = 400  # drawn as dots, per layer


def signed_colours(values: np.ndarray) -> np.ndarray:
    """Return the colours `(…, 3)` of values: red above 0, blue below, white at 0, black for NaN."""
    top = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
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

    Raises:
        UserError: The array is not one map.
    """
    values = _drawable(ax, _checked(values))
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
        image: Image `(height, width)` or `(height, width, channels)` in any range.
        values: Map `(height, width)` of any size; negative values count as 0.
        ax: Axes to draw on. None for a new pyplot figure.
        alpha: Opacity of the strongest value.
        box: Box (top, left, bottom, right) to frame, the last two excluded.
        title: Title above the picture.

    Raises:
        UserError: The arrays are not one image and one map.
    """
    grey, values = pixels(image), _checked(values, f" for the image {np.shape(image)}")
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    ax = new_axes(ax, figsize=(3.2, 3.2))
    ax.imshow(finite(ax, grey), cmap="gray")
    values = _drawable(ax, values, signed=False)
    strength = np.clip(values, 0, None) / (float(values.max()) if values.max() > 0 else 1.0)
    size = (-0.5, grey.shape[1] - 0.5, grey.shape[0] - 0.5, -0.5)  # a coarse map is stretched
    colours = colormaps[POSITIVE](0.25 + 0.75 * strength)
    ax.imshow(colours, alpha=alpha * strength**0.5, extent=size)
    _mark(ax, box)
    frame(ax)
    ax.set_title(title, fontsize=10)
    return ax


def _checked(values: np.ndarray, of: str = "") -> np.ndarray:
    """Return a map as float64; a UserError tells the shape of what is not one map."""
    return numeric(values, f"values{of}: expected one map (height, width)", 2)


def _drawable(ax: Axes, values: np.ndarray, *, signed: bool = True) -> np.ndarray:
    """Return the map with 0 for NaN and infinity; a remark tells if it shows no place."""
    if np.isfinite(values).all():
        if values.min() == values.max():
            note(ax, f"{values.flat[0]:.2g} everywhere")
        elif values.max() <= 0 and not signed:
            note(ax, "0 or less everywhere")
    return finite(ax, values)


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
        images: Images `(n, height, width)` or `(n, height, width, channels)`.
        maps: Maps `(n, height, width)` by the name of their method.
        titles: One title per image, such as its class and probability, or none.
        overlaid: Whether to draw the maps over the image, without their values.
        boxes: True boxes `(n, 4)` to frame.
        figure: Figure to draw on. None for a new pyplot figure.

    Raises:
        UserError: There is no image, or the arrays do not fit together.
    """
    if not isinstance(maps, Mapping):
        raise UserError('attributions: expected a mapping of methods to maps: {"Grad-CAM": …}')
    n, columns = len(images), len(maps) + 1
    titles = list(titles) or [""] * n
    framed = [None] * n if boxes is None else boxes
    given = {"images": images, **maps, "titles": titles, "boxes": framed}
    if not n or {len(part) for part in given.values()} != {n}:
        got = ", ".join(f"{len(part)} {name}" for name, part in given.items())
        raise UserError(f"attributions: expected one image or more, and as many of each, got {got}")
    shown = [pixels(image) for image in images]
    checked = [[_checked(one, f" of {name}") for one in part] for name, part in maps.items()]
    figure = shown_figure(figure, 1.1 * columns + 0.9, 1.25 * n + 0.4)
    panels = figure.subplots(n, columns, squeeze=False)
    for k, row in enumerate(panels):
        show_image(row[0], shown[k])
        label(row[0], titles[k])
        for ax, values in zip(row[1:], checked, strict=True):
            if overlaid:
                overlay(shown[k], values[k], ax)
            else:
                top = np.abs(values[k][np.isfinite(values[k])]).max(initial=0)
                show_map(ax, values[k], colorbar=False)
                ax.set_title(f"{top:.2g}", fontsize=7, pad=2)
        for ax in row:
            _mark(ax, framed[k])
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
    values = numeric(values, "feature_attributions: expected (features,)", 1)
    if len(values) != len(names):
        raise UserError(f"feature_attributions: got {len(values)} values for {len(names)} names")
    ax = new_axes(ax, figsize=(6.4, 0.3 * min(most, len(values)) + 1.2))
    values = finite(ax, values)
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
    if not activity or any(np.ndim(part) != 1 or not len(part) for part in activity.values()):
        raise UserError("neuron_activity: expected one example: {name: values[0], …}")
    ax = new_axes(ax, figsize=(1.3 * len(activity) + 0.8, 4.6))
    for column, (name, values) in enumerate(activity.items()):
        kept = np.isfinite(values[:MOST_NEURONS])
        shown = np.where(kept, values[:MOST_NEURONS], 0)
        wide = 1 if len(shown) <= 12 else int(np.ceil(np.sqrt(len(shown) / 3)))
        rows = -(-len(shown) // wide)
        top = float(np.max(shown)) if np.max(shown) > 0 else 1.0
        light = np.clip(shown, 0, None) / (max(top, 1.0) if len(shown) == 1 else top)
        x = column + (np.arange(len(shown)) % wide - (wide - 1) / 2) * 0.7 / max(wide, 3)
        y = 0.5 - (np.arange(len(shown)) // wide - (rows - 1) / 2) * 0.9 / max(rows, 8)
        size = 60 if len(shown) <= 16 else 26 if len(shown) <= 64 else 9
        ax.scatter(x, y, c=light, cmap="gray", vmin=0, vmax=1, s=size, edgecolors="0.4", lw=0.6)
        text = f"{name.split('/')[-1]}\n{len(values)}"
        text += "" if kept.all() else f"\n{np.sum(~kept)} NaN\nor infinite"
        ax.text(column, 0.03, text, ha="center", va="top", fontsize=8)
        for k in range(len(shown)) if len(shown) <= 12 else ():
            ax.text(x[k] + 0.16, y[k], f"{k}: {values[k]:.2g}", va="center", fontsize=7)
    ax.set(xlim=(-0.5, len(activity) - 0.3), ylim=(-0.06, 0.97))
    ax.set_axis_off()
    ax.set_title(title or "bright: active", fontsize=10)
    return ax
