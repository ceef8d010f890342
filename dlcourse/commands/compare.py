"""dlcourse compare: recipes and classic machine learning on the same splits."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands.command_line import Parser, run_command, write_json
from dlcourse.errors import RecipeError
from dlcourse.quiet import import_keras, write

if TYPE_CHECKING:
    from dlcourse.configuration.recipe import Recipe
    from dlcourse.lab.comparison import Trial

EXAMPLE = """\
examples:
  dlcourse compare --config digits_cnn
  dlcourse compare --config digits_cnn --config digits_dnn
  dlcourse compare --config digits_cnn --curve --models svm k_nn
  dlcourse compare --config mnist_dnn --examples 5000 --seeds 2
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse compare",
        description="Train recipes and scikit-learn's classic models on the same splits of the\n"
        "recipes' data set, and report the score and the cost of each.",
        epilog=EXAMPLE,
    )
    text = "name of a shipped recipe, or a file; may be repeated"
    parser.option("--config", text, "RECIPE", required=True, action="append")
    parser.option("overrides", "change a setting of every recipe", "key=value", nargs="*")
    parser.option("--models", "classic models (default: all)", "NAME", nargs="+")
    splits = parser.add_mutually_exclusive_group()
    text = "number of folds (default: 5 for up to 5,000 examples)"
    splits.add_argument("--folds", type=int, metavar="K", help=text)
    text = "keep the test split and train with N seeds (default: 3)"
    splits.add_argument("--seeds", type=int, metavar="N", help=text)
    parser.option("--examples", "largest number of training examples (default: all)", "N", type=int)
    parser.option("--curve", "also score smaller training sets: a learning curve")
    text = "folder for the table and figures (default: %(default)s)"
    parser.option("--out", text, "DIR", default="runs/compare")
    parser.option("--json", "print JSON")
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
    from dlcourse.lab.comparison.results import as_data, save

    names = ("folds", "seeds", "models", "examples", "curve")
    options = {name: getattr(arguments, name) for name in names}
    comparison = compare(recipes, **options, report=None if arguments.json else _report)
    files = save(comparison, arguments.out, "-".join(recipes))
    if arguments.json:
        write_json({**as_data(comparison), "files": [str(file) for file in files]})
    else:
        write("\n".join([f"\n{comparison}\n", *(f"saved   {file}" for file in files)]))
    return 0


def _report(trial: "Trial") -> None:
    write(
        f"round {trial.round}  {trial.examples:>7,} examples  {trial.model:<24} "
        f"{trial.score:>8.4f}  {trial.fit_cpu:>9.3f} CPU-s"
    )
