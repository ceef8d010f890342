"""The result of a comparison as text tables, as data for JSON and as files."""

from pathlib import Path
from textwrap import fill
from typing import Any

from dlcourse.files import make_folder
from dlcourse.lab import plots
from dlcourse.lab.comparison import Comparison, Summary
from dlcourse.lab.comparison.verdict import GUESSES, mean_scores, share, spread, times
from dlcourse.pictures.figures import save as save_figure
from dlcourse.pictures.view import drawn_by
from dlcourse.runs import write_rows
from dlcourse.runs.environment import device
from dlcourse.text_table import text_table


def text(comparison: Comparison) -> str:
    """Return the table, what can be explained, the verdict and the protocol."""
    data = fill(f"data    {comparison.data}", 98, subsequent_indent=" " * 8)
    parts = [f"{data}\nrounds  {comparison.protocol}", table(comparison)]
    if len(comparison.sizes) > 1:
        parts.append(curve_table(comparison))
    names = {name: short(name) for name in comparison.explains}
    width = max(map(len, names.values())) + 2
    explained = (f"  {names[name]:<{width}}{text}" for name, text in comparison.explains.items())
    parts.append("What can be explained\n" + "\n".join(explained))
    parts.append("Verdict\n" + "\n".join(_wrapped(line) for line in comparison.verdict))
    parts.append(_wrapped(notes(comparison), ""))
    return "\n\n".join(parts)


def _wrapped(text: str, start: str = "  ") -> str:
    return fill(text, 98, initial_indent=start, subsequent_indent=start)


def table(comparison: Comparison) -> str:
    """Return one row per model, best first: score, difference to the best, and costs."""
    mae = ["MAE"] if comparison.score == "R²" else []
    head = ["model", comparison.score, "±", "behind", "± 95 %", *mae, "CPU-s"]
    rows = [_row(row, comparison.rows[0], 3 if mae else 4, bool(mae)) for row in comparison.rows]
    return text_table([*head, "of best", "ms", "k/s", "values", "KiB"], rows)


def _row(row: Summary, best: Summary, digits: int, mae: bool) -> list[str]:
    mark = " " if row.significant else "≈" if row.tied_with(best) else "?"
    behind = [f"{row.behind:.{digits}f}{mark}", f"{row.interval:.{digits}f}"]
    cost = share(row.fit_cpu, best.fit_cpu)
    if row.fit_cpu > best.fit_cpu:
        cost = times(row.fit_cpu / best.fit_cpu).replace(" times", "×")
    return [
        short(row.model) + ("*" if row.note else ""),
        f"{row.score:.{digits}f}",
        f"{row.spread:.{digits}f}",
        *(["", ""] if row is best else behind),
        *([f"{row.mae:.3g}"] if mae else []),
        f"{row.fit_cpu:.3g}" if row.fit_cpu < 1000 else f"{row.fit_cpu:.0f}",
        cost,
        *(f"{float(f'{v:.2g}'):g}" for v in (1000 * row.latency_seconds, 1 / row.predict_seconds)),
        f"{row.parameters:,}",
        f"{row.bytes / 1024:,.0f}",
    ]


def curve_table(comparison: Comparison) -> str:
    """Return each model's mean score by the number of training examples."""
    trials = [comparison.at(size) for size in comparison.sizes]
    head = [f"{comparison.score} with examples", *(f"{size:,}" for size in comparison.sizes)]
    scores = {row.model: mean_scores(trials, row.model) for row in comparison.rows}
    rows = [[short(name), *(f"{score:.4f}" for score in own)] for name, own in scores.items()]
    return text_table(head, rows)


def short(name: str) -> str:
    """Return a model's name in at most 20 characters."""
    return name if len(name) <= 20 else f"{name[:12]}…{name[-7:]}"


def notes(comparison: Comparison) -> str:
    """Return the meaning of the table's signs and columns, and how they were measured."""
    sources = ("of seeds and of the test examples", "Nadeau and Bengio's corrected t-test")
    source = sources[comparison.folds]
    fewer = "Fewer examples are repeated, so that a recipe takes the same number of steps. "
    ngrams = any(row.model.startswith("ngrams") for row in comparison.rows)
    tuned = ", but for the penalty on n-grams, chosen by cross-validation," * ngrams
    warnings = [f"* {row.model} {row.note}." for row in comparison.rows if row.note]
    return (
        "± is the standard deviation over the rounds; ± 95 % half the interval of the difference "
        f"to the best over the same rounds ({source}). Behind: ≈ tied, within one round's spread; "
        "? not significant (interval contains 0). CPU-s: median CPU seconds to fit, all threads; "
        f"classic models have scikit-learn's default settings{tuned} and one thread (n_jobs=1, "
        f"BLAS and OpenMP set to 1), recipes run on {device()}, with validation. ms: milliseconds "
        "to predict one example; k/s: thousands of examples per second, predicted 1,000 at once; "
        "values: numbers that the model stores. "
        f"{fewer if comparison.sizes[0] < comparison.full else ''}{' '.join(warnings)}"
    ).rstrip()


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return the result as plain values for JSON; NaN becomes None."""
    best = comparison.rows[0]
    extra = ({"significant": r.significant, "tied": r.tied_with(best)} for r in comparison.rows)
    models = [{**vars(row), **more} for row, more in zip(comparison.rows, extra, strict=True)]
    return {
        "data": comparison.data,
        "protocol": comparison.protocol,
        "score": comparison.score,
        "models": [{k: v if v == v else None for k, v in row.items()} for row in models],
        "explains": dict(comparison.explains),
        "verdict": list(comparison.verdict),
        "sizes": list(comparison.sizes),
    }


def save(comparison: Comparison, folder: str | Path, name: str) -> list[Path]:
    """Write every trial as CSV, and the figures; return their paths.

    Raises:
        WriteError: They cannot be written.
    """
    folder = make_folder(folder)
    path = folder / f"{name}.csv"
    write_rows(path, [trial.row for trial in comparison.trials])
    figures = {name: _scores_and_costs(comparison)}
    if len(comparison.sizes) > 1:
        figures[f"{name}-curve"] = _curve(comparison)
    return [path, *(save_figure(folder / f"{key}.png", figure) for key, figure in figures.items())]


def _scores_and_costs(comparison: Comparison) -> Any:
    full = comparison.at(comparison.sizes[-1])
    scores = {row.model: [trial.score for trial in full[row.model]] for row in comparison.rows}
    costs = {row.model: row.fit_cpu for row in comparison.rows}
    return drawn_by(plots.score_and_cost, scores, costs, comparison.score, **_marked(comparison))


def _curve(comparison: Comparison) -> Any:
    trials = [comparison.at(size) for size in comparison.sizes]
    names = [row.model for row in comparison.rows]
    means = {name: mean_scores(trials, name) for name in names}
    spreads = {name: [spread([t.score for t in at[name]]) for at in trials] for name in names}
    values = (comparison.sizes, means, spreads, comparison.score)
    return drawn_by(plots.score_by_size, *values, size=(8.4, 4.6), **_marked(comparison))


def _marked(comparison: Comparison) -> dict[str, Any]:
    """Return the models that a figure highlights, and the constant baseline."""
    guess = next((row.model for row in comparison.rows if row.model in GUESSES), None)
    return {"highlighted": comparison.recipes, "baseline": guess}
