"""python -m benchmarks.streaming: peak memory of training on image folders that grow.

Each size is a folder of generated PNG images. One epoch of a small network is trained, evaluated
and saved by `dlcourse train` in a process of its own, streamed from the disk and held in memory;
its peak is the operating system's maximum resident set size. With `--cap` the process may not have
more anonymous memory than that (RLIMIT_DATA); what does not fit ends it. The first rows are the
same training on 200 images: what Python, TensorFlow and the network take by themselves.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = """\
dataset: {{name: image_folder, path: {path}, size: [{side}, {side}], memory_share: {share}}}
model: {{name: cnn, filters: [8, 16], strides: 2, hidden: [], dropout: 0}}
training: {{epochs: 1, batch_size: 64}}
"""
SHARES = {"streamed": 1e-9, "in memory": 0.999999}
BASE = 200


def folder_of(images: int, side: int, root: Path) -> Path:
    """Return a folder of so many images in two classes: a bright half on coarse noise."""
    folder = root / f"{images}"
    rng = np.random.default_rng(images)
    for label, name in enumerate(("left", "right")):
        (folder / name).mkdir(parents=True)
        for number in range(images // 2):
            coarse = rng.integers(0, 128, (side // 8, side // 8, 3), "uint8")
            pixels = coarse.repeat(8, 0).repeat(8, 1)
            pixels[:, label * side // 2 : (label + 1) * side // 2] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png", compress_level=1)
    return folder


def train(recipe: Path, runs: Path, cache: Path, cap: int) -> tuple[float, float, str]:
    """Return peak MiB, CPU seconds and how the training ended."""
    environment = {**os.environ, "DLCOURSE_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "dlcourse.train", "--config", str(recipe)]
    limit = (lambda: resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))) if cap else None
    process = subprocess.Popen(
        [*command, "--runs", str(runs)],
        env=environment,
        preexec_fn=limit,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    error = process.stderr.read().strip() if process.stderr else ""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # Linux: KiB, macOS: bytes
    end = "" if not code else f"exit {code}: {(error.splitlines() or ['no word'])[-1][:70]}"
    return used.ru_maxrss / unit, used.ru_utime + used.ru_stime, end


def main() -> int:
    """Print one row per size: what the images take, and each way's peak and CPU seconds."""
    parser = argparse.ArgumentParser(description="Peak memory of training on image folders.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 50_000])
    parser.add_argument("--side", type=int, default=64, help="pixels; a multiple of 8")
    parser.add_argument("--cap", type=int, default=0, metavar="MIB", help="limit; 0 for none")
    parser.add_argument("--ways", nargs="+", choices=SHARES, default=list(SHARES))
    arguments = parser.parse_args()
    cap = f", under {arguments.cap:,} MiB" if arguments.cap else ""
    print(f"{arguments.side}×{arguments.side}×3 pixels, one epoch, batches of 64{cap}")
    print(f"{'images':>8}{'MiB':>8}  {'':<18}{'peak MiB':>9}{'above base':>12}{'CPU-s':>8}")
    base: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for images in (BASE, *arguments.sizes):
            folder = folder_of(images, arguments.side, root)
            size = images * arguments.side**2 * 3 / 2**20
            for way in arguments.ways:
                recipe = root / "recipe.yaml"
                recipe.write_text(
                    RECIPE.format(path=folder, side=arguments.side, share=SHARES[way])
                )
                again = ("first time", "again") if way == "streamed" else ("",)
                for which in again:
                    peak, cpu, end = train(recipe, root, root / "cache", arguments.cap << 20)
                    base.setdefault(way, peak)
                    row = f"{images:>8,}{size:>8,.0f}  {f'{way} {which}':<18}{peak:>9,.0f}"
                    print(f"{row}{peak - base[way]:>12,.0f}{cpu:>8.1f}  {end}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
