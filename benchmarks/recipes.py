"""python -m benchmarks.recipes: train every recipe with three seeds and record what it reaches.

Each training is the command that a user types, in a process of its own. The figures go into
benchmarks/recipes.json, the `# Measured` line of each recipe and the tables of configs/README.md
and README.md. A recipe whose data is not available is left out. With `--table` nothing is trained:
both tables are written from the recorded figures.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import mean, median
from typing import Any

from dlcourse.configuration.recipe import load_recipe
from dlcourse.configuration.shipped import recipes, shipped
from dlcourse.generation.recipe import GenerationRecipe, kind_of

ROOT = Path(__file__).parent.parent
GENERATION = GenerationRecipe.folder
DETAILS = ("two_sample", "nearest_train", "spread", "least_class")  # of generation
RESULTS = ROOT / "benchmarks" / "recipes.json"
TABLE = re.compile(r"(<!-- recipes -->\n).*?(<!-- /recipes -->)", re.DOTALL)
FEW = (
    "digits_cnn",
    "mnist_cnn",
    "mnist_fast",
    "breast_cancer_logistic",
    "diabetes_linear",
    "digits_5_to_9_transfer",
)
"""The recipes in README.md's own table: one of each kind."""
MEASURED = re.compile(r"^# Measured: .*\n(#   .*\n)*", re.MULTILINE)


def main() -> int:
    """Measure the named recipes, or all."""
    parser = argparse.ArgumentParser(description="Train every recipe and record what it reaches.")
    parser.add_argument("recipes", nargs="*", help="names such as digits_cnn; all if none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="train nothing, write the tables")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not arguments.table:
        for name, config in (shipped() | shipped(GENERATION)).items():
            if not arguments.recipes or name in arguments.recipes:
                record(config, arguments.seeds, results)
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")
    for file, text in tables(results).items():
        file.write_text(TABLE.sub(lambda m, text=text: m[1] + text + m[2], file.read_text()))
    return 0


def record(config: Path, seeds: list[int], results: dict[str, Any]) -> None:
    """Train a recipe with each seed; put what it reaches into the results and its file's header."""
    name = config.stem
    runs = [measure(config, seed) for seed in seeds]
    good = [run for run in runs if run is not None]
    results.pop(name, None)
    if good:
        results[name] = summary(good)
    print(name, line(results[name]) if good else "data not available", flush=True)
    config.write_text(with_header(config.read_text(), results.get(name)))


def measure(config: Path, seed: int) -> dict[str, Any] | None:
    """Return the metrics of one training; None where the data is not available."""
    with tempfile.TemporaryDirectory() as runs:
        overrides = [f"seed={seed}"]
        kind = kind_of(config)
        if base := getattr(load_recipe(config, kind=kind).model, "base", None):  # another run
            before = config.with_name(f"{Path(base).name}.yaml")
            if trained(before, overrides, Path(runs, "base")) is None:
                return None
            overrides = [*overrides, f"model.base={Path(runs, 'base')}"]
        return trained(config, overrides, Path(runs, "run"))


def trained(config: Path, overrides: list[str], run: Path) -> dict[str, Any] | None:
    """Return the metrics of one training; None where the data is not available."""
    command = [sys.executable, "-m", "dlcourse.train", "--config", str(config), *overrides]
    done = subprocess.run(
        [*command, "--runs", str(run.parent), "--name", run.name],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode == 2:
        print(done.stderr.strip(), file=sys.stderr)
        return None
    done.check_returncode()
    return json.loads((run / "metrics.json").read_text())


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and range over the seeds, with the date and the machine."""
    tokens = runs[0].get("naive", {}).get("test", {}).keys() >= {"bigram"}  # a language model
    unasked = ("majority",) if tokens else ("loss", "majority", *DETAILS)
    names = [name for name in runs[0]["test"] if name not in unasked]
    values = {name: [run["test"][name] for run in runs] for name in names}
    return {
        "test": {
            name: {"mean": mean(found), "min": min(found), "max": max(found)}
            for name, found in values.items()
        },
        "seeds": len(runs),
        "parameters": runs[0]["parameters"],
        "epochs": median(run["epochs_run"] for run in runs),
        "seconds": median(run["seconds"] for run in runs),
        "cpu_seconds": median(run["cpu_seconds"] for run in runs),
        "date": date.today().isoformat(),
        "machine": machine(),
    }


def machine() -> str:
    """Return the processor's name and number of cores, and on x86 whether AVX-512 is missing."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        facts = info.read_text()
        names = re.findall(r"model name\s*:\s*(.*)", facts) or [name]
        name = names[0].split(" @")[0].replace("(R)", "").replace("CPU", "").strip()
        if " avx2" in facts and " avx512f" not in facts:  # convolutions take two to four times
            name += " without AVX-512"
    return f"{os.cpu_count()} cores, {' '.join(name.split())}"


def scores(result: dict[str, Any]) -> str:
    """Return `accuracy 0.9917 (0.9861–0.9972)`, for regression MAE and R²."""
    return ", ".join(
        f"{name} {s['mean']:{f}} ({s['min']:{f}}–{s['max']:{f}})"
        for name, s in result["test"].items()
        for f in [".2f" if name == "mae" else ".4f"]
    )


def line(result: dict[str, Any]) -> str:
    """Return what a recipe reaches and costs, in two comment lines' worth of text."""
    return (
        f"test {scores(result)} over {result['seeds']} seeds;\n"
        f"#   {result['seconds']:.1f} s ({result['cpu_seconds']:.1f} CPU-s) to train, "
        f"{result['machine']}, {result['date']}."
    )


def with_header(text: str, result: dict[str, Any] | None) -> str:
    """Return the recipe's text with its `# Measured` comment replaced, added or removed."""
    text = MEASURED.sub("", text)
    if result is None:
        return text
    command = text.index("# Command: ")
    return f"{text[:command]}# Measured: {line(result)}\n{text[command:]}"


def tables(results: dict[str, Any]) -> dict[Path, str]:
    """Return by file what stands between its markers: all recipes, and README.md's few."""
    places = dict.fromkeys(f"{one['machine']}, {one['date']}" for one in results.values())
    note = f"Measured on {'; '.join(places)}: each recipe's file says which.\n"
    more = (
        f"[`configs/README.md`](configs/README.md) lists all {len(shipped())} recipes and tells\n"
        "where they were measured. Seconds are of `fit`.\n"
    )
    return {
        ROOT / "configs" / "README.md": (
            f"{table(results, list(shipped()))}\n"
            f"Generation:\n\n{table(results, list(shipped(GENERATION)), 'generation/')}\n{note}"
        ),
        ROOT / "README.md": f"{table(results, FEW, 'configs/')}\n{more}",
    }


def table(results: dict[str, Any], names: Sequence[str], folder: str = "") -> str:
    """Return a table with a row per recipe, measured or not; its links lead into the folder."""
    rows = [
        "| recipe | shows | parameters | test, mean (range) | seconds |",
        "|---|---|--:|---|--:|",
    ]
    shows = {row["name"]: row["shows"] for part in ("configs", GENERATION) for row in recipes(part)}
    for name in names:
        cells = [f"[`{name}`]({folder}{name}.yaml)", shows[name], "", "", ""]
        if result := results.get(name):
            size, seconds = f"{result['parameters']:,}", f"{result['seconds']:.0f}"
            cells[2:] = [size, scores(result), seconds]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
