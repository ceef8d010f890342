"""dlcourse evaluate: the metrics of a saved run, by split and by class."""

import argparse

from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.quiet import import_keras, write
from dlcourse.text_table import text_table


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse evaluate",
        description="Print the metrics of a saved run: by split, and by class on the test split.",
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--config", metavar="RECIPE", help="evaluate on the data set of another recipe"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="new setting, such as dataset.path=new"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.configuration.recipe import load_recipe, run_recipe
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    run.file("model.keras")
    if arguments.config:
        recipe = load_recipe(arguments.config, arguments.overrides)
    else:
        recipe = run_recipe(run, arguments.overrides)
    import_keras()
    from dlcourse.runs.evaluation import check_fit, evaluate, per_class, split_table

    dataset = recipe.load_dataset()
    check_fit(run, dataset)
    metrics, outputs = evaluate(run.model, dataset)
    classes = (
        per_class(dataset.y_test, outputs, dataset.class_names)
        if dataset.task != "regression"
        else {}
    )
    if arguments.json:
        write_json({**metrics, **({"classes": classes} if classes else {})})
    else:
        write(f"run     {run.path}\ndata    {dataset.summary}\n")
        write(split_table(metrics, dataset.facts.examples))
        if classes:
            write("\n" + _class_table(classes))
    return 0


def _class_table(classes: dict[str, dict[str, float]]) -> str:
    keys = ("precision", "recall", "f1")
    rows = [
        [name, *(f"{row[key]:.4f}" for key in keys), f"{row['examples']:,.0f}"]
        for name, row in classes.items()
    ]
    return text_table(["on test", "precision", "recall", "F1", "examples"], rows)
