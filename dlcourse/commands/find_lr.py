"""dlcourse find_lr: the learning rate that suits a recipe, by a range test."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.quiet import import_keras, write

if TYPE_CHECKING:
    from dlcourse.configuration.recipe import Recipe
    from dlcourse.lab.range_test import RangeTest

EXAMPLE = """\
examples:
  dlcourse find_lr --config digits_cnn
  dlcourse find_lr --config digits_dnn training.optimizer.name=sgd
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse find_lr",
        description="Run a learning-rate range test: train a recipe with a rate that grows at\n"
        "every step, and print the rate to train it with. No run is saved.",
        epilog=EXAMPLE,
    )
    parser.option("--config", "name of a shipped recipe, or a file", "RECIPE", required=True)
    parser.option("overrides", "new setting, such as model.dropout=0.3", "key=value", nargs="*")
    parser.option("--lowest", "rate of the first step (default: 1e-06)", "RATE", type=float)
    parser.option("--highest", "rate of the last step (default: 10)", "RATE", type=float)
    parser.option("--steps", "largest number of steps (default: 100)", "N", type=int)
    text = "folder for the figure and table (default: %(default)s)"
    parser.option("--out", text, "DIR", default="runs/find_lr")
    parser.option("--json", "print JSON")
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.configuration.recipe import load_recipe

    recipe = load_recipe(arguments.config, arguments.overrides)
    options = {key: getattr(arguments, key) for key in ("lowest", "highest", "steps")}
    options = {key: value for key, value in options.items() if value is not None}
    import_keras()
    from dlcourse.lab.range_test import find_learning_rate

    test = find_learning_rate(recipe, **options)
    figure = test.save(arguments.out, Path(arguments.config).stem)
    if arguments.json:
        write_json({**test.as_data(), "figure": str(figure)})
    else:
        write(f"recipe  {arguments.config}, seed {recipe.seed}\n{_result(test, recipe)}")
        write(f"\nfigure  {figure}\ntable   {figure.with_suffix('.csv')}")
    return 0


def _result(test: "RangeTest", recipe: "Recipe") -> str:
    schedule = recipe.training.schedule
    where = f", the highest of the schedule {schedule.name}" if schedule else ""
    return f"now     {recipe.training.learning_rate:g}{where}\n{test}"
