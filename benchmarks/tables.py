"""Reading a table of a million rows and 11 columns, beside pandas alone.

    python -m benchmarks.tables

pandas.read_csv with its defaults; `read_table`, which also finds the dialect; the same with the
columns understood; and `load_dataset`, beside pandas with scikit-learn's two stratified splits and
float32 arrays, which is what it gives. The columns are eight of decimals, one of whole numbers, one
of three words, and two classes. Seconds are CPU time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from dlcourse.datasets import load_dataset
from dlcourse.datasets.csv import overview
from dlcourse.datasets.table import read_table


def write(rows: int, file: Path, *, quoted: bool) -> None:
    """Write the table; `quoted` puts words in quotes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=rows).round(6) for i in range(8)})
    frame["whole"] = rng.integers(0, 1000, rows)
    frame["word"] = rng.choice(["red", "green", "blue"], rows)
    frame["y"] = rng.choice(["yes", "no"], rows)
    frame.to_csv(file, index=False, quoting=2 if quoted else 0)


def split_by_hand(file: Path) -> None:
    """Read the table with pandas and split it as `load_dataset` does."""
    frame = pd.read_csv(file)
    y = pd.factorize(frame.pop("y"))[0]
    x = pd.get_dummies(frame, columns=["word"]).to_numpy("float32")
    rest, _, y_rest, _ = train_test_split(x, y, test_size=0.2, stratify=y)
    train_test_split(rest, y_rest, test_size=0.15, stratify=y_rest)


def main() -> None:
    """Print the medians of interleaved rounds, and their ratios."""
    parser = argparse.ArgumentParser(description="Read a table beside pandas.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for quoted in (False, True):
            file = Path(folder) / "table.csv"
            write(arguments.rows, file, quoted=quoted)
            variants: dict[str, Callable[[], object]] = {
                "pandas.read_csv": lambda file=file: pd.read_csv(file),
                "read_table": lambda file=file: read_table(file),
                "dlcourse data": lambda file=file: overview(str(file)),
                "pandas, split": lambda file=file: split_by_hand(file),
                "load_dataset": lambda file=file: load_dataset("csv", file, "y"),
            }
            seconds: dict[str, list[float]] = {name: [] for name in variants}
            for _ in range(arguments.rounds):
                for name, variant in variants.items():
                    start = time.process_time()
                    variant()
                    seconds[name].append(time.process_time() - start)
            middle = {name: statistics.median(times) for name, times in seconds.items()}
            print("words in quotes" if quoted else "no quotes")
            for name, beside in (
                ("pandas.read_csv", "pandas.read_csv"),
                ("read_table", "pandas.read_csv"),
                ("dlcourse data", "pandas.read_csv"),
                ("pandas, split", "pandas, split"),
                ("load_dataset", "pandas, split"),
            ):
                ratio = middle[name] / middle[beside]
                print(f"  {name:16} {middle[name]:5.2f} CPU-s  {ratio:.2f}× {beside}")


if __name__ == "__main__":
    main()
