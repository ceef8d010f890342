"""A run's content on a page: the view that is drawn, its metrics, findings and settings."""

import json
import re
from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import numpy as np

from dlcourse.commands.pages import Section, text
from dlcourse.configuration.recipe import run_recipe
from dlcourse.lab.diagnosis import diagnose_evidence
from dlcourse.lab.diagnosis.examination import examine
from dlcourse.pictures.gallery import NEEDS
from dlcourse.pictures.view import View
from dlcourse.runs import Run
from dlcourse.runs.evaluation import check_range, metric_text
from dlcourse.text_table import html_table

EXAMINED = {"learning-curves", "layers"}
"""The pictures that need the run's examination, the same as that of `dlcourse diagnose`."""

ABOUT = ("data", "model", "parameters", "epochs", "training time")


def view_of(run: Run, names: Collection[str], *, images: int = 5, **given: Any) -> View:
    """Return the view that a run's pictures are drawn from; only what they need is read.

    Args:
        run: Finished run.
        names: Kinds of pictures.
        images: Number of test examples to show if no `inputs` are given.
        given: Further fields of the `View`.

    Raises:
        RunError, DatasetError: The run or its data is missing, damaged, or has changed. If the
            run is examined, data that cannot be read is left out instead.
    """
    examined, dataset = None, None
    if EXAMINED & set(names):
        examined = examine(run)
        dataset = examined.dataset
    elif "inputs" not in given or NEEDS["test examples"] & set(names):
        dataset = run.load_dataset()
    if "inputs" in given:
        check_range(run, given["inputs"])
    elif dataset is not None:
        given |= _examples(dataset, images)
    given |= {"dataset": dataset, "examined": examined}
    return View(run.facts, **{"name": run.name, "model": run.model} | given)


def _examples(dataset: Any, number: int) -> dict[str, Any]:
    """Return test examples, their true labels or values, and their boxes, if they have any."""
    chosen = in_turn(dataset, number)
    names, y = dataset.class_names, dataset.y_test[chosen]
    if y.ndim > 1:  # the next token of each
        return {"inputs": dataset.x_test[chosen]}
    return {
        "inputs": dataset.x_test[chosen],
        "true": [names[k] for k in y] if names else [f"{value:.4g}" for value in y],
        "boxes": dataset.regions["object"][chosen] if dataset.regions else None,
    }


def in_turn(dataset: Any, number: int) -> list[int]:
    """Return the indices of random test examples: one of each class, then a second, …"""
    import pandas as pd

    drawn = np.random.default_rng(0).permutation(len(dataset.y_test))
    kinds = dataset.class_names and dataset.y_test.ndim == 1
    y = dataset.y_test[drawn] if kinds else np.zeros(len(drawn))
    return drawn[np.lexsort((y, pd.Series(y).groupby(y).cumcount()))][:number].tolist()


def labels(runs: Sequence[Run]) -> list[str]:
    """Return the runs' names, or their paths where the names are the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.path) for run in runs]


def sections(runs: Sequence[Run], view: View) -> tuple[list[Section], list[Section]]:
    """Return the sections before the pictures (metrics, findings) and the folded ones after."""
    ends = [f": {label}" for label in labels(runs)] if len(runs) > 1 else [""]
    front, back = [_metrics(runs)], []
    for run, run_view, end in zip(runs, (view, view.beside), ends, strict=False):
        if run_view is not None and run_view.examined:
            front.append(Section(f"Findings{end}", _findings(run_view)))
        recipe = run.file("recipe.yaml").read_text(encoding="utf-8")
        environment = json.dumps(run.environment, indent=2, ensure_ascii=False)
        for heading, content in (("Recipe", recipe), ("Environment", environment)):
            back.append(Section(f"{heading}{end}", f"<pre>{escape(content)}</pre>", folded=True))
    return front, back


def _metrics(runs: Sequence[Run]) -> Section:
    """Return the section with every run's metrics on each split, and its facts."""
    rows, names = [], labels(runs)
    scores = next((run.metrics["val"] for run in runs if run.finished), ())
    for run, name in zip(runs, names, strict=True):
        start = f"{name}: " if len(runs) > 1 else ""
        for part in ("train", "val", "test") if run.finished else ():
            values = [metric_text(run.metrics[part].get(key)) for key in scores]
            unread = " (not read)" * (not run.metrics[part])
            rows.append([f"{start}{part}{unread}", f"{run.facts.examples.get(part, 0):,}", *values])
    html = html_table(("split", "examples", *scores), rows)
    html += html_table(("", *names), zip(ABOUT, *map(_about, runs), strict=True))
    if len({run.facts.fingerprint for run in runs}) > 1:
        html += text("", ["The runs' data or splits differ: each is measured on its own examples."])
    return Section("Metrics", html)


def _about(run: Run) -> list[str]:
    """Return a run's facts, one cell for each of `ABOUT`."""
    metrics = run.metrics if run.finished else {"parameters": run.model.count_params()}
    return [
        f"{run.facts.name}: {run.facts.task}",
        run_recipe(run).model.name,
        f"{metrics['parameters']:,}",
        f"{metrics['epochs_run']} (kept: {metrics.get('best_epoch', '?')})"
        if run.finished
        else f"{len(next(iter(run.history.values()), []))} (not finished)",
        f"{metrics['seconds']:,.1f} s" if "seconds" in metrics else "",
    ]


def _findings(view: View) -> str:
    """Return the findings of an examined run as HTML."""
    note, findings = view.examined.note, diagnose_evidence(view.examined.evidence)
    parts = [text("", [f"Note: {note}."])] if note else []
    for number, finding in enumerate(findings, 1):
        title, *lines = str(finding).splitlines()
        details = [re.sub(" {2,}", ": ", line.strip()) for line in lines]
        parts.append(text(f"{number}. {title}", details))
    return "".join(parts or [text("", ["Nothing stands out."])])
