"""Logistic regression's gradient as loops and vectorised, side by side.

    python -m benchmarks.vectorised

The two run by turns, so that a busy machine slows both alike; medians of the repetitions.
Measured 2026-11-20 on two shared cores of an Intel Xeon with NumPy 2.4.6, three runs: 16 times as
fast for 2 features × 100 examples, 120–148 for 30 × 500, 215–239 for 64 × 1,500.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from dlcourse.lessons.maths.regression import logistic_gradient_loop, logistic_gradient_vectorised


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.vectorised", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=11)
    repetitions = parser.parse_args(argv).repetitions
    print(f"{'features':>8} {'examples':>8} {'loop':>12} {'vectorised':>12} {'ratio':>8}")
    for n, m in ((2, 100), (30, 500), (64, 1500)):
        loop, vectorised = measure(n, m, repetitions)
        print(
            f"{n:>8} {m:>8} {loop * 1e3:>9.2f} ms {vectorised * 1e3:>9.3f} ms "
            f"{loop / vectorised:>8.0f}"
        )
    return 0


def measure(n: int, m: int, repetitions: int) -> tuple[float, float]:
    """Return the median seconds of one gradient by the loops and vectorised."""
    random = np.random.default_rng(0)
    X, Y = random.normal(size=(n, m)), random.integers(0, 2, (1, m))
    w = random.normal(size=(n, 1))
    functions: list[Callable] = [logistic_gradient_loop, logistic_gradient_vectorised]
    seconds: list[list[float]] = [[], []]
    for _ in range(repetitions + 1):  # the first warms up
        for function, times in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function(X, Y, w, 0.0)
            times.append(time.perf_counter() - start)
    loop, vectorised = (statistics.median(times[1:]) for times in seconds)
    return loop, vectorised


if __name__ == "__main__":
    raise SystemExit(main())
