"""python docs/first_cell.py: run the README's first Python block and draw its figures as one."""

import io
import os
import re
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from PIL import Image

FOLDER = Path(__file__).parent.resolve()
HEIGHT = 420  # pixels


def main() -> None:
    """Write docs/first_cell.png."""
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        exec(block, {})
        os.chdir(FOLDER)
    drawn = [_image(plt.figure(number)) for number in plt.get_fignums()]
    whole = Image.new("RGB", (sum(image.width for image in drawn), HEIGHT), "white")
    left = 0
    for image in drawn:
        whole.paste(image, (left, 0))
        left += image.width
    whole.save(FOLDER / "first_cell.png", optimize=True)


def _image(figure: plt.Figure) -> Image.Image:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=160, bbox_inches="tight", pad_inches=0.15)
    image = Image.open(stream).convert("RGB")
    return image.resize((image.width * HEIGHT // image.height, HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
