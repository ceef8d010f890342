"""dlcourse tune: search for the settings of a recipe that give the best validation value."""

from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, run_command
from dlcourse.quiet import write

if TYPE_CHECKING:
    from dlcourse.lab.tuning import Trial

EXAMPLE = """\
example:
  dlcourse tune --config digits_dnn --space digits_dnn --trials 20 --workers 2 training.epochs=20
The same command goes on with a search that was stopped, or on another machine with its --storage.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse tune",
        description="Search for the settings of a recipe with the best validation value. The best\n"
        "trial alone is measured on test.",
        epilog=EXAMPLE,
    )
    parser.option("--config", "name of a shipped recipe, or a file", "RECIPE", required=True)
    parser.option("overrides", "change a setting of the recipe", "key=value", nargs="*")
    parser.option("--space", "name of a shipped space, or a file", "SPACE", required=True)
    parser.option("--trials", "number of trials", "N", required=True, type=int)
    parser.option("--sampler", "tpe (default), random or grid", "NAME", default="tpe")
    parser.option("--pruner", "median (default) or none", "NAME", default="median")
    parser.option("--workers", "processes that run trials (default: 1)", "W", type=int, default=1)
    parser.option("--storage", "database, as postgresql+psycopg://USER@HOST/NAME", "URL")
    parser.option("--study", "name of the study (default: tune- and the recipe's)", "NAME")
    parser.option("--runs", "folder of all runs (default: runs)", "DIR", default="runs")
    parser.option("--against-random", "also run as many random trials")
    parser.option("--seeds", "also train both with N further seeds", "N", type=int, default=0)
    arguments = parser.parse_intermixed_args(argv)
    return run_command(lambda: _run(**vars(arguments)))


def _run(*, config: str, overrides: list[str], space: str, **given: Any) -> int:
    from dlcourse.configuration.recipe import load_recipe
    from dlcourse.lab.tuning import tune

    write(f"\n{tune(load_recipe(config, overrides), space, **given, report=_report)}")
    return 0


def _report(trial: "Trial") -> None:
    from dlcourse.lab.tuning import cells

    number, state, value, epochs, seconds, settings = cells(trial)
    start = f"trial {number:>3}  {state:<10} {value:>8}  epochs {epochs:>7}  {seconds:>6} s"
    why = f": {trial.why}" if trial.state in ("diverged", "impossible") else ""
    write(f"{start}  {settings}{why}")
