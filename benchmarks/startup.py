"""python -m benchmarks.startup: CPU seconds until a command says something useful."""

import argparse
import os
import subprocess
import sys
from statistics import median

CONFIG = "configs/digits_cnn.yaml"
COMMANDS = {
    "python alone": ["-c", "pass"],
    "dlcourse --help": ["-m", "dlcourse", "--help"],
    "train --help": ["-m", "dlcourse.train", "--help"],
    "train, a wrong recipe": [
        "-m",
        "dlcourse.train",
        "--config",
        CONFIG,
        "training.epoch=3",
    ],
    "train --dry-run": ["-m", "dlcourse.train", "--config", CONFIG, "--dry-run"],
    "import dlcourse": ["-c", "import dlcourse"],
    "import keras": ["-c", "import keras"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """Return user and system seconds of one process."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True)
    after = os.times()
    used = (after.children_user - before.children_user, after.children_system)
    return used[0] + used[1] - before.children_system


def main() -> int:
    """Print the median of every command, interleaved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_seconds(arguments))
    for name, found in times.items():
        print(f"{name:<24}{median(found):7.3f} CPU-s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
