"""Arrays as HTML: small pictures whose pixels stay sharp, bars, and the layers of a network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np

from dlcourse.heavy import Image

HEAT = np.array([230, 159, 0])  # an orange that colour-blind people see
MOST_UNITS = 128  # of a layer, shown
MOST_BARS = 10
LINE = (40, 60, 110)  # between maps
LEAST_SIDE = 8  # pixels of a map


def img(pixels: np.ndarray, text: str) -> str:
    """Return an image element.

    Args:
        pixels: Pixels `(height, width)` or `(height, width, 3)`, uint8.
        text: Description for those who cannot see it.
    """
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    source = b64encode(stream.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{source}">'


def figure(pixels: np.ndarray, caption: str) -> str:
    """Return a picture, uint8, with its caption."""
    return f"<figure>{img(pixels, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def sentences(lines: Sequence[str], kind: str = "dl-note") -> str:
    """Return one paragraph per line."""
    return "".join(
        f'<p class="{kind}">{escape(line[:1].upper() + line[1:])}.</p>' for line in lines
    )


def grey_levels(image: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Return an image `(height, width, channels)` as uint8, with its colours if it has three."""
    low, high = value_range
    levels = np.rint(((image - low) / ((high - low) or 1)).clip(0, 1) * 255).astype("uint8")
    return levels if image.shape[-1] == 3 else levels.mean(axis=-1).astype("uint8")


def overlaid(levels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return an image, made grey, with a map `(height, width)` over it in orange."""
    grey = levels.mean(axis=-1) if levels.ndim == 3 else levels
    strength = (np.maximum(heat, 0) / (heat.max() if heat.max() > 0 else 1))[..., None]
    return ((1 - strength) * (0.7 * grey[..., None]) + strength * HEAT).astype("uint8")


def bars(names: Sequence[str], values: np.ndarray, after: np.ndarray | None = None) -> str:
    """Return probabilities as a table with bars: the 10 largest, in the order of the classes.

    Args:
        names: One name per class.
        values: Probabilities `(classes,)`.
        after: Probabilities after units were switched off, shown below, or None.
    """
    both = np.stack([values] if after is None else [values, after])
    rows = ""
    for k in np.sort(np.argsort(-both.max(axis=0))[:MOST_BARS]):
        lines = "".join(f'<i style="width:{100 * p:.1f}%"></i>' for p in both[:, k])
        numbers = " → ".join(f"{p:.2f}" for p in both[:, k])
        best = ' class="best"' if k == values.argmax() else ""
        rows += f"<tr{best}><th scope=row>{escape(names[int(k)])}<td>{lines}<td>{numbers}"
    return f'<table class="dl-bars">{rows}</table>'


def maps_of(values: np.ndarray) -> np.ndarray:
    """Return a layer's output as grey pictures `(units, height, width)`, bright where active."""
    maps = np.moveaxis(values, -1, 0) if values.ndim == 3 else values[:, None, None]
    top = maps.max() if maps.max() > 0 else 1
    pixels = np.rint((maps[:MOST_UNITS] / top).clip(0, 1) * 255).astype("uint8")
    times = -(-LEAST_SIDE // maps.shape[1])  # wider than the lines between them
    return pixels.repeat(times, axis=1).repeat(times, axis=2)


def sprite(maps: np.ndarray) -> np.ndarray:
    """Return all maps in one picture, row by row, with a dark blue line between them."""
    units, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(2 * units)))
    rows = -(-units // columns)
    grid = np.full((rows * columns, height + 1, width + 1, 3), LINE, "uint8")
    grid[:units, :height, :width] = maps[..., None]
    whole = grid.reshape(rows, columns, height + 1, width + 1, 3).swapaxes(1, 2)
    return whole.reshape(rows * (height + 1), columns * (width + 1), 3)[:-1, :-1]


def layer_buttons(layers: dict[str, np.ndarray], chosen: str) -> str:
    """Return a button for each layer, with all its units, that lights up after the one before."""
    cards = ""
    for k, (name, values) in enumerate(layers.items()):
        size, units = "×".join(map(str, values.shape[:-1])), values.shape[-1]
        text = f"{units} maps of {size}" if size else f"{units} neurons"
        text += f", {MOST_UNITS} shown" if units > MOST_UNITS else ""
        inner = f"<b>{escape(name)}</b><span>{text}</span>"
        inner += img(sprite(maps_of(values)), f"activations of {name}")
        cards += _button("layer", name, name == chosen, inner, f'style="animation-delay:{k / 6}s"')
    return f'<div class="dl-layers">{cards}</div>'


def unit_buttons(name: str, values: np.ndarray, off: Sequence[int]) -> str:
    """Return a button for each filter or neuron of a layer; pressed ones are switched off."""
    kind, cells = "filter" if values.ndim == 3 else "neuron", ""
    for k, pixels in enumerate(maps_of(values)):
        label = f'aria-label="switch off {kind} {k} of {escape(name)}"'
        cells += _button("unit", k, k in off, f"{img(pixels, '')}<span>{k}</span>", label)
    return f'<div class="dl-units">{cells}</div>'


def _button(kind: str, value: object, pressed: bool, inner: str, more: str) -> str:
    state = f'aria-pressed="{str(pressed).lower()}"'
    return (
        f'<button type="button" data-{kind}="{escape(str(value))}" {state} {more}>{inner}</button>'
    )
