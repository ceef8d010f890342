"""python -m benchmarks.pointing: where do maps point, for an honest network and a shortcut?

Trains `planted_cnn` and `planted_shortcut` (about a minute and a half), or takes their runs, and
writes every method's figures to benchmarks/pointing.json.
"""

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.recipes import ROOT, machine
from dlcourse.configuration.recipe import load_recipe
from dlcourse.datasets import load_dataset
from dlcourse.lab.faithfulness import AttentionReport, area, attention_report
from dlcourse.runs import Run
from dlcourse.training import train

RECIPES = ("planted_cnn", "planted_shortcut")
RESULTS = ROOT / "benchmarks" / "pointing.json"


def main() -> int:
    """Report on both networks."""
    parser = argparse.ArgumentParser(description="Where do maps point? On planted digits.")
    parser.add_argument("--run", type=Path, nargs=2, metavar=RECIPES, help="trained already")
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as runs:
        for k, name in enumerate(RECIPES):
            recipe = load_recipe(ROOT / "configs" / f"{name}.yaml")
            if arguments.run:
                run = Run(arguments.run[k])
            else:
                run = train(recipe, Path(runs), name=name, bar=False)
            dataset = load_dataset("planted", seed=recipe.seed, **recipe.settings("dataset"))
            start = perf_counter()
            report = attention_report(run.model, dataset, images=arguments.images)
            seconds = perf_counter() - start
            results[name] = record(report) | {"seconds": round(seconds, 1)}
            print(f"{name}, {seconds:.0f} s\n{report}\n\n{report.randomization}\n", flush=True)
    results |= {"date": date.today().isoformat(), "machine": machine()}
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    return 0


def record(report: AttentionReport) -> dict[str, Any]:
    """Return the report's figures, four digits of each."""
    random = report.randomization
    rows = {
        row.method: {
            "hits": rounded(row.hits),
            "inside": rounded(row.inside),
            "deletion": round(float(area(row.deletion)), 4),
            "insertion": round(float(area(row.insertion)), 4),
        }
        for row in report.rows
    }
    for name, found in random.correlations.items():
        rows[name]["randomization"] = rounded(dict(zip(random.layers, found, strict=True)))
    covers = {name: rounded(vars(cover)) for name, cover in report.covers.items()}
    return {
        "images": report.images,
        "accuracy": round(report.accuracy, 4),
        "methods": rows,
        "covers": covers,
        "insensitive": list(random.insensitive),
        "verdict": report.verdict.splitlines(),
    }


def rounded(values: Any) -> dict[str, float]:
    """Return four digits of each value."""
    return {name: round(float(value), 4) for name, value in values.items()}


if __name__ == "__main__":
    raise SystemExit(main())
