"""python -m benchmarks.recipes: train every recipe with three seeds and record what it reaches.

Each training is the command that a user types, in a process of its own. The figures go into
benchmarks/recipes.json, the `# Measured` line of each recipe and the README's table. A recipe
whose data is not at hand is left out.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import mean, median
from typing import Any

from dlcourse.configuration.recipe import load_recipe

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "recipes.json"
TABLE = re.compile(r"(<!-- recipes -->\n).*?(<!-- /recipes -->)", re.DOTALL)
MEASURED = re.compile(r"^# Measured: .*\n(#   .*\n)*", re.MULTILINE)


def main() -> int:
    """Measure the named recipes, or all."""
    parser = argparse.ArgumentParser(description="Train every recipe and record what it reaches.")
    parser.add_argument("recipes", nargs="*", help="names such as digits_cnn; all if none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for config in sorted((ROOT / "configs").glob("*.yaml")):
        if arguments.recipes and config.stem not in arguments.recipes:
            continue
        runs = [measure(config, seed) for seed in arguments.seeds]
        good = [run for run in runs if run is not None]
        results.pop(config.stem, None)
        if good:
            results[config.stem] = summary(good)
        print(config.stem, line(results[config.stem]) if good else "data not at hand", flush=True)
        config.write_text(with_header(config.read_text(), results.get(config.stem)))
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")
    readme = ROOT / "README.md"
    readme.write_text(TABLE.sub(lambda m: m[1] + table(results) + m[2], readme.read_text()))
    return 0


def measure(config: Path, seed: int) -> dict[str, Any] | None:
    """Return the metrics of one training; None where the data is not at hand."""
    with tempfile.TemporaryDirectory() as runs:
        overrides = [f"seed={seed}"]
        if base := getattr(load_recipe(config).model, "base", None):  # a run of another recipe
            before = config.with_name(f"{Path(base).name}.yaml")
            if trained(before, overrides, Path(runs, "base")) is None:
                return None
            overrides = [*overrides, f"model.base={Path(runs, 'base')}"]
        return trained(config, overrides, Path(runs, "run"))


def trained(config: Path, overrides: list[str], run: Path) -> dict[str, Any] | None:
    """Return the metrics of one training; None where the data is not at hand."""
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
    names = [name for name in runs[0]["test"] if name != "loss"]
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


def table(results: dict[str, Any]) -> str:
    """Return the README's table: a row a recipe, measured or not."""
    rows = [
        "| recipe | shows | parameters | test, mean (range) | seconds |",
        "|---|---|--:|---|--:|",
    ]
    for config in sorted((ROOT / "configs").glob("*.yaml")):
        shows = config.read_text().partition("\n")[0].removeprefix("# ").rstrip(".")
        cells = [f"[`{config.stem}`](configs/{config.name})", shows]
        result = results.get(config.stem)
        if result:
            cells += [f"{result['parameters']:,}", scores(result), f"{result['seconds']:.0f}"]
        else:
            cells += ["", "", ""]
        rows.append("| " + " | ".join(cells) + " |")
    places = dict.fromkeys(f"{one['machine']}, {one['date']}" for one in results.values())
    note = (
        f"\nSeconds are of `fit`. Measured on {'; '.join(places)}: each recipe's file says which.\n"
    )
    return "\n".join(rows) + "\n" + (note if places else "")


if __name__ == "__main__":
    raise SystemExit(main())
