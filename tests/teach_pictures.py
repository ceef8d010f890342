"""Pictures to teach with, generated: a dark disc or a triangle on a light ground."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def picture(kind: str, seed: int) -> Image.Image:
    """Return a picture of one `disc` or `triangle`, somewhere, in some size and colours."""
    rng = np.random.default_rng([seed, len(kind)])
    image = Image.new("RGB", (320, 240), tuple(rng.integers(150, 255, 3).tolist()))
    side, x, y = rng.integers(90, 130), rng.integers(10, 180), rng.integers(10, 100)
    x, y, right, low = map(int, (x, y, x + side, y + side))
    colour, draw = tuple(rng.integers(0, 100, 3).tolist()), ImageDraw.Draw(image)
    if kind == "disc":
        draw.ellipse((x, y, right, low), fill=colour)
    else:
        draw.polygon([(x, low), (right, low), ((x + right) // 2, y)], fill=colour)
    return image


def files(folder: Path, kind: str, number: int, first: int = 0) -> list[Path]:
    """Return the files of some pictures of a kind, written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{kind} {seed}.png" for seed in range(first, first + number)]
    for seed, path in enumerate(paths, first):
        picture(kind, seed).save(path)
    return paths
