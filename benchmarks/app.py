"""python -m benchmarks.app: twenty people draw at once in the app, on this computer.

The app is a process of its own that shows `digits_cnn`. Each visitor has a session, sends
a drawing, waits for the whole answer, and after a pause sends the next one. An answer is lost if it
does not come or is another visitor's.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import numpy as np

from tests.webapp_server import drawn, served

STROKES = {
    "7": [[(80, 60), (200, 60), (120, 235)], [(110, 150), (190, 150)]],
    "1": [[(100, 90), (145, 50), (145, 230)]],
    "2": [[(80, 100), (140, 50), (195, 100), (80, 230), (205, 230)]],
    "4": [[(150, 50), (70, 170), (210, 170)], [(165, 110), (165, 235)]],
}
"""A drawing of each of some digits, as points of lines on a canvas 280 pixels wide."""


def visit(address: str, digit: str, seconds: float, pause: float) -> tuple[list[float], int]:
    """Return the seconds until each answer of a visit, and the number of answers that were lost."""
    from gradio_client import Client

    visitor = Client(address, verbose=False, analytics_enabled=False)
    taken, lost, end = [], 0, monotonic() + seconds
    while (start := monotonic()) < end:
        sent = drawn(*STROKES[digit]), "digits_cnn"
        answer, *_ = visitor.predict(*sent, api_name="/draw")
        taken.append(monotonic() - start)
        lost += f"The network answers {digit}" not in answer
        sleep(pause)
    return taken, lost


def main() -> int:
    """Print the answers per second, the median and the 95th percentile, and how many were lost."""
    parser = argparse.ArgumentParser(prog="benchmarks.app", description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pause", type=float, default=3, help="seconds between two drawings (3)")
    given = parser.parse_args()
    digits = [*STROKES] * given.visitors
    with TemporaryDirectory() as folder, served(folder=Path(folder)) as address:
        visit(address, "7", 3, 0)  # the first answers are slower
        with ThreadPoolExecutor(given.visitors) as pool:
            visits = [
                pool.submit(visit, address, digit, given.seconds, given.pause)
                for digit in digits[: given.visitors]
            ]
            results = [each.result() for each in visits]
    taken = np.concatenate([times for times, _ in results])
    lost = sum(lost for _, lost in results)
    print(
        f"{given.visitors} visitors, a pause of {given.pause:g} s: {len(taken)} answers, "
        f"{len(taken) / given.seconds:.1f} per second, median {np.median(taken):.2f} s, "
        f"95th percentile {np.quantile(taken, 0.95):.2f} s, lost {lost}"
    )
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
