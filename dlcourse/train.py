"""python -m dlcourse.train: train a recipe, print its metrics, save its run."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.command_line import import_keras, run_command, split_table, write

if TYPE_CHECKING:
    from dlcourse.recipe import Recipe
    from dlcourse.runs import Run

EXAMPLE = """\
examples:
  python -m dlcourse.train --config configs/digits_cnn.yaml
  python -m dlcourse.train --config configs/digits_cnn.yaml model.dropout=0.5 training.epochs=5
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dlcourse.train",
        description="Train the recipe in a YAML file and save the run.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the recipe")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="change a setting, as model.dropout=0.3"
    )
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of all runs (runs)")
    parser.add_argument("--name", metavar="N", help="the run's name (recipe and time)")
    parser.add_argument("--dry-run", action="store_true", help="check the recipe, train nothing")
    parser.add_argument("--print-config", action="store_true", help="print the resolved recipe")
    parser.add_argument("--schema", action="store_true", help="print the recipes' JSON Schema")
    arguments = parser.parse_intermixed_args(argv)
    if not (arguments.config or arguments.schema):
        parser.error("--config FILE is needed (the shipped recipes are in configs/)")
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.recipe import Recipe, load_recipe

    if arguments.schema:
        import json

        write(json.dumps(Recipe.model_json_schema(), indent=2))
        return 0
    recipe = load_recipe(arguments.config, arguments.overrides)
    if arguments.print_config:
        write(recipe.to_yaml().rstrip())
    elif arguments.dry_run:
        write(f"{arguments.config} is good; nothing was trained or written\n{_plan(recipe)}")
    else:
        _train(recipe, arguments)
    return 0


def _plan(recipe: "Recipe") -> str:
    training = recipe.training
    early = training.early_stopping
    return (
        f"  data      {recipe.dataset.name}\n"
        f"  model     {recipe.model.name}\n"
        f"  training  {'up to ' if early else ''}{training.epochs} epochs, "
        f"batches of {training.batch_size}, {training.optimizer.name}, "
        f"learning rate {training.learning_rate:g}"
    )


def _train(recipe: "Recipe", arguments: argparse.Namespace) -> None:
    import_keras()
    from dlcourse.training import train

    bar = sys.stdout.isatty()
    write(f"recipe  {arguments.config}, seed {recipe.seed}")
    run = train(
        recipe,
        arguments.runs,
        name=arguments.name,
        recipe_name=Path(arguments.config).stem,
        report=write,
        bar=bar,
    )
    write(result_table(run))


def result_table(run: "Run") -> str:
    """Return the run's metrics by split, its size, time and folder as text."""
    metrics: dict[str, Any] = run.metrics
    lines = [
        "",
        split_table(metrics, run.dataset["examples"]),
        "",
        f"parameters  {metrics['parameters']:,}",
        f"epochs      {metrics['epochs_run']} (kept: {metrics['best_epoch']})",
        f"seconds     {metrics['seconds']:.1f}",
        f"run         {run.path}",
        f"figures     {run.path / 'figures'}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
