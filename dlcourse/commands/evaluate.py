"""dlcourse evaluate: the metrics of a saved run, by split and by class."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands import generation
from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.errors import DatasetError
from dlcourse.quiet import import_keras, write
from dlcourse.text_table import text_table

if TYPE_CHECKING:
    from dlcourse.runs import Run
    from dlcourse.runs.measured import Answers


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse evaluate",
        description="Print the metrics of a saved run, by split and by class: on its own data, or "
        "on new data with the answers.",
    )
    text = "new data: a table with the target, an npz file, or a folder with a folder of images "
    text += "per class; or new settings of the run's data set, such as dataset.path=new"
    parser.option("data", text, "FILE | key=value", nargs="*")
    parser.option("--run", "the run's folder", "DIR", required=True)
    parser.option("--config", "evaluate on the data set of another recipe", "RECIPE")
    parser.option("--json", "print JSON")
    arguments = parser.parse_intermixed_args(argv)
    files = [text for text in arguments.data if "=" not in text or Path(text).exists()]
    arguments.overrides = [text for text in arguments.data if text not in files]
    if len(files) > 1 or (files and (arguments.overrides or arguments.config)):
        parser.error("expected one FILE, or --config and settings")
    arguments.file = next(iter(files), None)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    run = read_run(arguments.run)
    if run.generates and not (arguments.file or arguments.config or arguments.overrides):
        return generation.evaluate(run, arguments.json)
    run.refuse_untrained()
    answers = _answers(run, arguments)
    from dlcourse.runs.evaluation import loss_unit, measures, per_class, split_table

    facts = run.facts
    unit = loss_unit(run.model)
    metrics = {part: measures(facts.task, *pair, unit) for part, pair in answers.items()}
    last = [*answers][-1]
    classes = per_class(*answers[last], facts.class_names) if facts.class_names else {}
    if arguments.json:
        write_json({**metrics, **({"classes": classes} if classes else {})})
    else:
        write(f"run     {run.path}\ndata    {arguments.file or facts.name}: {facts.task}\n")
        write(split_table(metrics, {part: len(y) for part, (y, _) in answers.items()}))
        if classes:
            write("\n" + _class_table(classes, last))
    return 0


def _answers(run: "Run", arguments: argparse.Namespace) -> "Answers":
    """Return the labels or targets and the outputs by part, of the data that is asked for."""
    from dlcourse.configuration.recipe import load_recipe, run_recipe
    from dlcourse.runs.measured import answers, examples, own_answers

    import_keras()
    if arguments.file:
        from dlcourse.lab.prediction import answers_for

        return answers_for(run, arguments.file)
    if not arguments.config and not arguments.overrides:
        return own_answers(run)
    if arguments.config:
        recipe = load_recipe(arguments.config, arguments.overrides)
    else:
        recipe = run_recipe(run, arguments.overrides)
    settings = recipe.settings("dataset")
    try:
        return answers(
            run, examples(run, recipe.dataset.name, recipe.seed, settings, arguments.overrides)
        )
    except DatasetError as error:
        raise DatasetError(recipe.located("dataset", error)) from None


def _class_table(classes: dict[str, dict[str, float]], part: str) -> str:
    keys = ("precision", "recall", "f1")
    rows = [
        [name, *(f"{row[key]:.4f}" for key in keys), f"{row['examples']:,.0f}"]
        for name, row in classes.items()
    ]
    return text_table([f"on {part}", "precision", "recall", "F1", "examples"], rows)
