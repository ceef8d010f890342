"""Arrays as HTML: small pictures whose pixels stay sharp, bars, and the layers of a network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np

from dlcourse.heavy import Image
from dlcourse.plots.images import in_range, pixels

HEAT = np.array([230, 159, 0])  # an orange that colour-blind people see
MOST_UNITS = 128  # of a layer, shown
MOST_BARS = 10
LINE = (40, 60, 110)  # between maps
LEAST_SIDE = 8  # pixels of a map, wider than the lines between them


def img(levels: np.ndarray, text: str) -> str:
    """Return an image element.

    Args:
        levels: Pixels `(height, width)` or `(height, width, 3)`, uint8.
        text: Description for those who cannot see it.
    """
    stream = BytesIO()
    Image.fromarray(levels).save(stream, "PNG", compress_level=1)
    source = b64encode(stream.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{source}">'


def figure(levels: np.ndarray, caption: str) -> str:
    """Return a picture, uint8, with its caption."""
    return f"<figure>{img(levels, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def sentences(lines: Sequence[str], kind: str = "dl-note") -> str:
    """Return one paragraph per line."""
    capital = [escape(line[:1].upper() + line[1:]) for line in lines]
    return "".join(f'<p class="{kind}">{line}.</p>' for line in capital)


def grey_levels(image: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Return an image `(height, width, channels)` as `(height, width, 3)`, uint8."""
    levels = np.rint(255 * in_range(pixels(np.asarray(image)), value_range)).astype("uint8")
    return levels if levels.ndim == 3 else levels[..., None].repeat(3, axis=-1)


def overlaid(levels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return an image `(height, width, 3)` in grey, a map `(height, width)` over it in orange."""
    grey = 0.7 * levels.mean(axis=-1, keepdims=True)
    strength = (np.maximum(heat, 0) / (heat.max() if heat.max() > 0 else 1))[..., None]
    return ((1 - strength) * grey + strength * HEAT).astype("uint8")


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
    maps = np.moveaxis(values if values.ndim == 3 else values[None, None], -1, 0)[:MOST_UNITS]
    levels = np.rint((maps / max(values.max(), 1e-9)).clip(0, 1) * 255).astype("uint8")
    return np.kron(levels, np.ones((1, *[-(-LEAST_SIDE // len(maps[0]))] * 2), "uint8"))


def sprite(maps: np.ndarray) -> np.ndarray:
    """Return all maps in one picture, row by row, with a dark blue line between them."""
    columns = int(np.ceil(np.sqrt(2 * len(maps))))
    missing = ((0, -len(maps) % columns), (0, 1), (0, 1))
    grid = np.pad(maps.astype(int), missing, constant_values=-1)
    _, height, width = grid.shape
    rows = grid.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)
    return np.where(rows[..., None] < 0, LINE, rows[..., None]).astype("uint8")[:-1, :-1]


def layer_buttons(layers: dict[str, np.ndarray], chosen: str) -> str:
    """Return a button for each layer, with all its units, that lights up after the one before."""
    cards = ""
    for name, values in layers.items():
        *size, units = values.shape
        text = f"{units} maps of {size[0]}×{size[1]}" if size else f"{units} neurons"
        text += f", {MOST_UNITS} shown" if units > MOST_UNITS else ""
        inner = f"<b>{escape(name)}</b><span>{text}</span>"
        inner += img(sprite(maps_of(values)), f"activations of {name}")
        cards += _button("layer", name, name == chosen, inner)
    return f'<div class="dl-layers">{cards}</div>'


def unit_buttons(name: str, values: np.ndarray, off: Sequence[int]) -> str:
    """Return a button for each filter or neuron of a layer; pressed ones are switched off."""
    cells = ""
    for k, levels in enumerate(maps_of(values)):
        inner = img(levels, f"switch off unit {k} of {name}")
        cells += _button("unit", k, k in off, f"{inner}<span aria-hidden=true>{k}</span>")
    return f'<div class="dl-units">{cells}</div>'


def _button(kind: str, value: object, pressed: bool, inner: str) -> str:
    data = f'data-{kind}="{escape(str(value))}" aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" {data}>{inner}</button>'
