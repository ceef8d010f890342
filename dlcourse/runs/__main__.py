"""python -m dlcourse.runs: the runs as a table, best first."""

import argparse
from typing import TYPE_CHECKING, Any

from dlcourse.command_line import run_command, write

if TYPE_CHECKING:
    from dlcourse.runs import Run


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dlcourse.runs",
        description="Print the runs in a folder as a table, best validation first, by data set.",
    )
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of all runs (runs)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import list_runs

    rows = sorted((_row(run) for run in list_runs(arguments.runs)), key=_order)
    if arguments.json:
        import json

        write(json.dumps(rows, indent=2))
    elif not rows:
        write(f"no runs in {arguments.runs}: python -m dlcourse.train makes one")
    else:
        write(_table(rows))
    return 0


def _row(run: "Run") -> dict[str, Any]:
    """Return what the table shows of a run; `state` says why a metric is missing."""
    from dlcourse.errors import RunError

    row: dict[str, Any] = {"run": run.name, "data": "", "state": "unfinished"}
    try:
        row["data"] = run.dataset["name"]
        metrics = run.metrics
    except RunError as error:
        return row if "has no" in str(error) else {**row, "state": "broken"}
    score = "accuracy" if "accuracy" in metrics["test"] else "mae"
    return {
        **row,
        "state": "diverged" if "diverged" in metrics else "finished",
        "metric": score,
        "val": metrics["val"][score],
        "test": metrics["test"][score],
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs_run"],
        "seconds": metrics["seconds"],
    }


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    if row["state"] != "finished":
        return (row["data"] or "~", 1, 0.0, row["run"])
    worse = row["val"] if row["metric"] == "mae" else -row["val"]
    return (row["data"], 0, worse, row["run"])


def _table(rows: list[dict[str, Any]]) -> str:
    width = max(len(row["run"]) for row in rows) + 2
    head = f"{'run':<{width}}{'data':<16}{'metric':<10}{'val':>9}{'test':>9}"
    lines = [head + f"{'parameters':>12}{'epochs':>8}{'seconds':>9}"]
    for row in rows:
        start = f"{row['run']:<{width}}{row['data']:<16}"
        if row["state"] != "finished":
            lines.append(start + row["state"])
            continue
        values = f"{row['metric']:<10}{row['val']:>9.4f}{row['test']:>9.4f}"
        size = f"{row['parameters']:>12,}{row['epochs']:>8}{row['seconds']:>9.1f}"
        lines.append(start + values + size)
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
