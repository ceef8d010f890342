"""dlcourse runs: the runs as a table, grouped by data set and classes, best first."""

import argparse
from collections import Counter
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.quiet import write
from dlcourse.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse runs",
        description="Print a folder's runs as a table, by data set, best validation score first.",
    )
    parser.option("--runs", "folder of all runs (default: runs)", "DIR", default="runs")
    parser.option("--json", "print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import check_name, list_runs

    check_name(arguments.runs, None)
    runs = list_runs(arguments.runs)
    if arguments.json:
        write_json(_rows(runs))
    elif not runs:
        write(f"no runs in {arguments.runs}: python -m dlcourse.train makes one")
    else:
        write(text_table(*table(runs)))
    return 0


def _rows(runs: "Iterable[Run]") -> list[dict[str, Any]]:
    return sorted(map(_row, runs), key=_order)


def _row(run: "Run") -> dict[str, Any]:
    """Return a run's row of the table; `state` says why a metric is missing."""
    from dlcourse.errors import RunError

    state = "broken" if run.finished else "unfinished"
    row: dict[str, Any] = {"run": run.name, "data": "", "classes": [], "state": state}
    try:
        row |= {"data": run.facts.name, "classes": run.facts.class_names}
        metrics = run.metrics
    except RunError:
        return row
    scores = ("accuracy", "mae", "judge_agrees", "reconstruction")
    score = next(name for name in scores if name in metrics["val"])
    score = "loss" if run.facts.task == "next_token" else score
    ends = [state for state in ("diverged", "interrupted") if state in metrics]
    return {
        **row,
        "state": next(iter(ends), "finished"),
        "metric": score,
        "val": metrics["val"][score],
        "test": metrics["test"].get(score),
        "majority": metrics["test"].get("majority"),
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs_run"],
        "seconds": metrics["seconds"],
    }


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    task = (row["data"] or "~", row["classes"])
    if row["state"] not in ("finished", "interrupted"):
        return (*task, 1, 0.0, row["run"])
    worse = -row["val"] if row["metric"] in ("accuracy", "judge_agrees") else row["val"]
    return (*task, 0, worse, row["run"])


def _tasks(rows: list[dict[str, Any]]) -> list[str]:
    """Return each row's data set, with its classes if other runs use others of the same data."""
    sets = {(row["data"], tuple(row["classes"])) for row in rows if row["classes"]}
    several = Counter(data for data, _ in sets)
    return [
        f"{row['data']} {shorten(', '.join(row['classes']), 16, placeholder=' …')}"
        if several[row["data"]] > 1
        else row["data"]
        for row in rows
    ]


def table(runs: "Iterable[Run]") -> tuple[list[str], list[list[str]]]:
    """Return the titles of the columns and the runs' rows, each data set's best run first."""
    from dlcourse.runs.evaluation import metric_text

    lines, rows = [], _rows(runs)
    for row, data in zip(rows, _tasks(rows), strict=True):
        if "test" not in row:
            lines.append([row["run"], data, row["state"], *[""] * 6])
            continue
        metric = row["metric"] if row["state"] == "finished" else row["state"]
        scores = [metric_text(row[key]) for key in ("val", "test", "majority")]
        scores[1] = scores[1] or "not read"
        size = [f"{row['parameters']:,}", str(row["epochs"]), f"{row['seconds']:.1f}"]
        lines.append([row["run"], data, metric, *scores, *size])
    head = ["run", "data", "metric", "val", "test", "majority", "parameters", "epochs", "s"]
    return head, lines
