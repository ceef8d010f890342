"""dlcourse compare: recipes beside classic machine learning, on the same splits."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, run_command, write
from dlcourse.errors import RecipeError
from dlcourse.quiet import import_keras

if TYPE_CHECKING:
    from dlcourse.configuration.recipe import Recipe
    from dlcourse.lab.comparison import Comparison, Summary, Trial

EXAMPLE = """\
examples:
  dlcourse compare --config configs/digits_cnn.yaml
  dlcourse compare --config configs/digits_cnn.yaml --config configs/digits_dnn.yaml
  dlcourse compare --config configs/digits_cnn.yaml --curve --models svm k_nn
  dlcourse compare --config configs/mnist_dnn.yaml --examples 5000 --seeds 2
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse compare",
        description="Train recipes and scikit-learn's classic learners on the same splits of the "
        "recipes' data set, and tell what each reaches and costs.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", required=True, action="append", metavar="FILE", help="a recipe; may be repeated"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="change a setting of every recipe"
    )
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="classic learners to take (all)"
    )
    cut = parser.add_mutually_exclusive_group()
    cut.add_argument(
        "--folds", type=int, metavar="K", help="cut all examples into K folds (5 up to 5,000)"
    )
    cut.add_argument(
        "--seeds", type=int, metavar="N", help="keep the test split, train with N seeds (3)"
    )
    parser.add_argument("--examples", type=int, metavar="N", help="training examples, at most")
    parser.add_argument(
        "--curve", action="store_true", help="the score against the training set's size, too"
    )
    parser.add_argument(
        "--out", default="runs/compare", metavar="DIR", help="folder of table and figures"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.configuration.recipe import load_recipe
    from dlcourse.runs import check_name

    recipes: dict[str, Recipe] = {}
    for config in arguments.config:
        name = Path(config).stem
        if name in recipes:
            raise RecipeError(f"{config}: a recipe named {name} is given already")
        recipes[name] = load_recipe(config, arguments.overrides)
    check_name(arguments.out, None)
    import_keras()
    from dlcourse.lab.comparison import compare

    found = compare(
        recipes,
        folds=arguments.folds,
        seeds=arguments.seeds,
        models=arguments.models,
        examples=arguments.examples,
        curve=arguments.curve,
        report=None if arguments.json else _report,
    )
    files = _save(found, "-".join(recipes), arguments.out)
    if arguments.json:
        import json

        write(json.dumps({**_facts(found), "files": [str(file) for file in files]}, indent=2))
    else:
        write(_text(found) + "\n\n" + "\n".join(f"saved   {file}" for file in files))
    return 0


def _report(trial: "Trial") -> None:
    write(
        f"round {trial.round}  {trial.examples:>7,} examples  {trial.model:<24} "
        f"{trial.score:>8.4f}  {trial.fit_cpu:>9.3f} CPU-s"
    )


def _text(found: "Comparison") -> str:
    """Return the table, what can be explained, the verdict and how it was measured."""
    parts = [f"data    {found.data}\nrounds  {found.protocol}", table(found)]
    if len(found.sizes) > 1:
        parts.append(curve_table(found))
    width = max(map(len, found.explains)) + 2
    explained = (f"  {_name(name):<{width}}{text}" for name, text in found.explains.items())
    parts.append("What can be explained\n" + "\n".join(explained))
    parts.append("Verdict\n" + "\n".join(_wrapped(line) for line in found.verdict))
    parts.append(_wrapped(_notes(found), ""))
    return "\n" + "\n\n".join(parts)


def _wrapped(text: str, start: str = "  ") -> str:
    from textwrap import fill

    return fill(text, 98, initial_indent=start, subsequent_indent=start)


def table(found: "Comparison") -> str:
    """Return a row a model, best first: what it reaches, how far behind it is, what it costs."""
    mae = found.score == "R²"
    head = ["model", found.score, "±", "behind", "± 95 %", *(["MAE"] if mae else []), "CPU-s"]
    lines = [[*head, "of best", "predict", "parameters", "KiB"]]
    digits = 3 if mae else 4
    best = found.rows[0]
    for row in found.rows:
        lines.append(
            [
                _name(row.model) + ("*" if row.note else ""),
                f"{row.score:.{digits}f}",
                f"{row.spread:.{digits}f}",
                *_behind(row, best, digits),
                *([f"{row.mae:.3g}"] if mae else []),
                f"{row.fit_cpu:.3g}" if row.fit_cpu < 1000 else f"{row.fit_cpu:.0f}",
                _ratio(row.fit_cpu, best.fit_cpu),
                f"{row.predict_seconds:.2g}",
                f"{row.parameters:,}",
                f"{row.bytes / 1024:,.0f}",
            ]
        )
    return _aligned(lines)


def _behind(row: "Summary", best: "Summary", digits: int) -> tuple[str, str]:
    if row is best:
        return "", ""
    mark = " " if row.told_apart else "≈" if row.level_with(best) else "?"
    return f"{row.behind:.{digits}f}{mark}", f"{row.interval:.{digits}f}"


def _ratio(part: float, whole: float) -> str:
    from dlcourse.lab.comparison.verdict import share, times

    return share(part, whole) if part <= whole else times(part / whole).replace(" times", "×")


def curve_table(found: "Comparison") -> str:
    """Return each model's mean score by the number of training examples."""
    from dlcourse.lab.comparison.verdict import mean_scores

    trials = [found.at(size) for size in found.sizes]
    lines = [[f"{found.score} with examples", *(f"{size:,}" for size in found.sizes)]]
    for row in found.rows:
        scores = mean_scores(trials, row.model)
        lines.append([_name(row.model), *(f"{score:.4f}" for score in scores)])
    return _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _name(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:12]}…{name[-7:]}"


def _notes(found: "Comparison") -> str:
    from dlcourse.runs.environment import device

    source = (
        "Nadeau and Bengio's corrected t-test"
        if found.folds
        else "of seeds and of the test examples"
    )
    fewer = "Where examples are fewer they are repeated: a recipe takes as many steps as ever. "
    notes = [f"* {row.model} {row.note}." for row in found.rows if row.note]
    return (
        "± is the standard deviation over the rounds; ± 95 % half the interval of the difference "
        f"to the best over the same rounds ({source}). Behind: ≈ level, within one round's spread; "
        "? perhaps, the interval holds 0. CPU-s: seconds to fit, median, of all threads: classic "
        "learners have scikit-learn's default settings and one thread (n_jobs=1, BLAS and OpenMP "
        f"held at 1), recipes run on {device()}, validation included. predict: seconds for 1,000 "
        f"examples. {fewer if found.sizes[0] < found.full else ''}{' '.join(notes)}"
    ).rstrip()


def _facts(found: "Comparison") -> dict[str, Any]:
    rows = [
        {**vars(row), "told_apart": row.told_apart, "level": row.level_with(found.rows[0])}
        for row in found.rows
    ]
    return {
        "data": found.data,
        "protocol": found.protocol,
        "score": found.score,
        "models": [{key: _plain(value) for key, value in row.items()} for row in rows],
        "explains": dict(found.explains),
        "verdict": list(found.verdict),
        "sizes": list(found.sizes),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _save(found: "Comparison", name: str, out: str) -> list[Path]:
    """Write every trial as CSV, and the figures; return their paths."""
    from dlcourse.lab import plots as lab_plots
    from dlcourse.pictures.figures import save_figure
    from dlcourse.runs import make_folder, write_rows

    folder = make_folder(out)
    full = found.at(found.sizes[-1])
    scores = {row.model: [trial.score for trial in full[row.model]] for row in found.rows}
    costs = {row.model: row.fit_cpu for row in found.rows}
    baseline = next((model for model in ("majority", "mean") if model in scores), None)
    drawn: dict[str, Any] = {"highlighted": found.recipes, "baseline": baseline}

    def costs_too(figure: Any) -> None:
        lab_plots.score_and_cost(scores, costs, found.score, figure=figure, **drawn)

    path = folder / f"{name}.csv"
    write_rows(path, [trial.row for trial in found.trials])
    files = [path]
    files.append(save_figure(folder / f"{name}.png", costs_too))
    if len(found.sizes) > 1:
        files.append(save_figure(folder / f"{name}-curve.png", lambda f: _curve(found, f, drawn)))
    return files


def _curve(found: "Comparison", figure: Any, drawn: dict[str, Any]) -> None:
    from dlcourse.lab import plots as lab_plots
    from dlcourse.lab.comparison.verdict import mean_scores, spread

    trials = [found.at(size) for size in found.sizes]
    names = [row.model for row in found.rows]
    figure.set_size_inches(8.4, 4.6)
    lab_plots.score_by_size(
        found.sizes,
        {name: mean_scores(trials, name) for name in names},
        {name: [spread([t.score for t in at[name]]) for at in trials] for name in names},
        found.score,
        ax=figure.subplots(),
        **drawn,
    )
