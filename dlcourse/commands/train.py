"""python -m dlcourse.train: train a recipe, print its metrics, save its run."""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, write_json
from dlcourse.errors import UserError
from dlcourse.quiet import import_keras, write

if TYPE_CHECKING:
    from dlcourse.configuration.recipe import Recipe

EXAMPLE = """\
examples:
  python -m dlcourse.train --config digits_cnn
  python -m dlcourse.train --config digits_cnn model.dropout=0.5 training.epochs=5
  python -m dlcourse.train --resume runs/digits_cnn-20260131-101500
  python -m dlcourse.train --settings model.cnn
  python -m dlcourse.train --config digits_cnn --as-keras > digits_cnn.py
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="python -m dlcourse.train",
        description="Train a shipped recipe, or one from a YAML file, and save the run.",
        epilog=EXAMPLE,
    )
    parser.option("--config", "name of a shipped recipe, or a file", "RECIPE")
    parser.option("overrides", "new setting, such as model.dropout=0.3", "key=value", nargs="*")
    parser.option("--resume", "continue an interrupted run", "DIR")
    parser.option("--finish", "with --resume: evaluate and save the run as it is, without training")
    parser.option("--runs", "folder of all runs (default: runs)", "DIR", default="runs")
    parser.option("--name", "name of the run (default: recipe and time)", "N")
    text = "address of process 0: train with other processes on JAX (docs/scale.md)"
    parser.option("--coordinator", text, "HOST:PORT")
    numbers = {"type": int, "default": os.environ.get("SLURM_NTASKS")}
    parser.option("--processes", "number of processes (default: Slurm's)", "N", **numbers)
    given = os.environ.get("SLURM_PROCID", os.environ.get("JOB_COMPLETION_INDEX"))
    text = "number of this process, from 0 (default: Slurm's or Kubernetes')"
    parser.option("--process", text, "K", type=int, default=given)
    text = "seconds to wait for the other processes (default: %(default)s)"
    parser.option("--wait", text, "S", type=float, default=120.0)
    parser.option("--xray", "record every layer in each epoch, for `dlcourse diagnose`")
    parser.option("--dry-run", "check the recipe and its data, and train nothing")
    parser.option("--print-config", "print the resolved recipe")
    parser.option("--as-keras", "print the recipe as one plain Keras script")
    parser.option("--schema", "print the recipes' JSON Schema")
    text = "explain a group such as model.cnn; without GROUP, list the groups; with 'all', print "
    text += "every setting as Markdown"
    parser.option("--settings", text, "GROUP", nargs="?", const="")
    arguments = parser.parse_intermixed_args(argv)
    explains = arguments.schema or arguments.settings is not None
    if not (arguments.config or explains or arguments.resume):
        names = [word for word in arguments.overrides if "=" not in word]
        hint = f"did you mean --config {names[0]}?" if names else "dlcourse recipes lists them"
        parser.error(f"--config RECIPE is required ({hint})")
    if arguments.resume and arguments.name:
        parser.error("--resume continues in the run's own folder: --name is for new runs")
    if arguments.finish and not arguments.resume:
        parser.error("--finish saves an interrupted run as it is: --resume DIR names it")
    if arguments.coordinator and (reason := _misplaced(arguments)):
        parser.error(f"--coordinator: {reason}")
    return run_command(lambda: _run(arguments))


def _misplaced(arguments: argparse.Namespace) -> str:
    """Return why this cannot be one of several processes; nothing if it can."""
    number, count = arguments.process, arguments.processes
    if os.environ.get("KERAS_BACKEND") != "jax":
        return "several processes train on JAX alone: set KERAS_BACKEND=jax"
    if not re.fullmatch(r".+:\d{1,5}", arguments.coordinator):
        return f"HOST:PORT is expected, as in node1:29400, got {arguments.coordinator}"
    if None in (number, count) or not 0 <= number < count or count < 2:
        return "--processes N, 2 or more, and --process K, from 0 to N - 1, are needed"
    if bool(arguments.resume) == bool(arguments.name and arguments.config):
        return "--config with --name, the same for all processes, or --resume alone is needed"
    unsuited = [name for name in ("xray", "finish", "as_keras") if getattr(arguments, name)]
    return f"--{unsuited[0]} is for one process" if unsuited else ""


def _run(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        from dlcourse.configuration.recipe import Recipe

        write_json(Recipe.model_json_schema())
        return 0
    if arguments.settings is not None:
        from dlcourse.commands.settings_text import settings_markdown, settings_text

        group = arguments.settings
        write(settings_markdown() if group == "all" else settings_text(group))
        return 0
    recipe = _recipe(arguments)
    if not arguments.resume:
        command = "python -m dlcourse.train --config {0}"
        recipe.refuse_missing(f"{command} --name {{0}}", command)
    if arguments.print_config:
        write(recipe.to_yaml().rstrip())
    elif arguments.coordinator and not arguments.dry_run:
        return _train_together(arguments)
    elif "generation" in recipe.folder and not arguments.dry_run:
        _generate(recipe, arguments)
    elif arguments.as_keras:
        from dlcourse.lab.keras_script import as_keras

        write(as_keras(recipe).rstrip())
    elif arguments.dry_run:
        source = arguments.config or arguments.resume
        plan = _plan(recipe)
        write(f"{source} is valid; nothing was trained or written\n{plan}")
    else:
        _train(recipe, arguments)
    return 0


def _train_together(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import check_name
    from dlcourse.training.processes import train_together

    check_name(arguments.runs, None if arguments.process else arguments.name)
    place = arguments.coordinator, arguments.process, arguments.processes, arguments.wait
    path = Path(arguments.resume or Path(arguments.runs, arguments.name))
    overrides = [*arguments.overrides, "training.distribute=data_parallel"]
    code, text = train_together(place, path, arguments.config, overrides)
    if text:
        print_error(text)
    return code


def _recipe(arguments: argparse.Namespace) -> "Recipe":
    """Return the recipe that is named, or that of the run to resume."""
    from dlcourse.configuration.recipe import load_recipe, run_recipe
    from dlcourse.generation.recipe import kind_of
    from dlcourse.runs import read_run

    if arguments.resume:
        run = read_run(arguments.resume)
        if not arguments.config:
            return run_recipe(run, arguments.overrides, kind_of(run.file("recipe.yaml")))
    return load_recipe(arguments.config, arguments.overrides, kind_of(arguments.config))


def _generate(recipe: Any, arguments: argparse.Namespace) -> None:
    """Train a recipe of generation."""
    if unsuited := [name for name in ("as_keras", "xray", "finish") if getattr(arguments, name)]:
        name = unsuited[0].replace("_", "-")
        raise UserError(f"--{name}: is for models that predict, not for '{recipe.model.name}'")
    from dlcourse.generation.training import fit, recipe_of, resume
    from dlcourse.runs import read_run

    if not arguments.resume:
        fit(recipe, runs=arguments.runs, name=arguments.name)
    elif recipe_of(run := read_run(arguments.resume), epochs=recipe.training.epochs) == recipe:
        resume(run, epochs=recipe.training.epochs)
    else:
        raise UserError(f"{arguments.resume}: a resumed run may only have more training.epochs")


def _plan(recipe: "Recipe") -> str:
    training, data = recipe.training, recipe.dataset.name
    if hasattr(recipe.dataset, "path"):  # the user's own: it may have faults
        dataset = recipe.load_dataset()
        recipe.refuse_conflicts(dataset.facts)
        data = f"{dataset.summary}\n\n{dataset.columns}\n" if dataset.columns else dataset.summary
    early, stages = getattr(training, "early_stopping", None), training.batch_size
    batches = ", then ".join(map(str, stages)) if isinstance(stages, tuple) else stages
    return (
        f"  data      {data}\n"
        f"  model     {recipe.model.name}\n"
        f"  training  {'up to ' if early else ''}{training.epochs} epochs, "
        f"batches of {batches}, {getattr(getattr(training, 'optimizer', 0), 'name', 'adam')}, "
        f"learning rate {training.learning_rate:g}"
    )


def _train(recipe: "Recipe", arguments: argparse.Namespace) -> None:
    from dlcourse.runs import check_name, read_run

    check_name(arguments.runs, arguments.name)
    if not hasattr(recipe.dataset, "path"):  # a fault in the user's own data needs no Keras
        import_keras()
    from dlcourse.lab.diagnosis.xray import XRAY
    from dlcourse.training import StopRequest, resume, train

    # Keras' bar with its metrics needs about 115 columns; one line per epoch fits everywhere.
    bar = sys.stdout.isatty() and shutil.get_terminal_size().columns >= 120
    options: dict[str, Any] = {"report": write, "bar": bar}
    recorded = arguments.resume and (Path(arguments.resume) / XRAY).exists()
    if arguments.xray or recorded:
        import_keras()
        from dlcourse.lab import callbacks

        options["callbacks"] = [callbacks.xray()]
    with StopRequest() as stop:
        if arguments.resume:
            write(f"run     {arguments.resume}, seed {recipe.seed}")
            options["finish"] = arguments.finish
            run = resume(read_run(arguments.resume), recipe, stop=stop, **options)
        else:
            write(f"recipe  {arguments.config}, seed {recipe.seed}")
            run = train(recipe, arguments.runs, name=arguments.name, stop=stop, **options)
    write(f"\n{run}")
