"""dlcourse visualize: see inside a trained network."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.command_line import Parser, print_error, run_command, shown, write
from dlcourse.errors import UserError
from dlcourse.quiet import import_keras

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.pictures.gallery import Exhibit
    from dlcourse.pictures.pages import Picture
    from dlcourse.runs import Run

WHAT = ("filters", "templates", "feature-maps", "neurons", "saliency", "cam", "dream", "check")
FOLDER = "visualize"


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        prog="dlcourse visualize",
        description="Save pictures of what a trained network has learned and what it looks at.",
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--what",
        metavar="LIST",
        help=f"which pictures, with commas: {','.join(WHAT)} (default: all but check that suit)",
    )
    parser.add_argument("--check", action="store_true", help="also measure the maps themselves")
    parser.add_argument("--layer", metavar="NAME", help="ask this layer")
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="CLASS",
        help="ask this class, not the predicted",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--images", type=int, default=5, metavar="N", help="so many test examples (default: 5)"
    )
    chosen.add_argument(
        "--image", action="append", metavar="FILE", help="your own image; more than once for more"
    )
    parser.add_argument(
        "--invert", action="store_true", help="swap dark and light of your own image"
    )
    parser.add_argument(
        "--out", metavar="DIR", help=f"where to save (default: the run's own {FOLDER}/)"
    )
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run

    asked = _asked(arguments.what, arguments.check)
    _check_options(arguments, asked)
    run = read_run(arguments.run)
    run.file("model.keras")
    class_index = _class_index(run, arguments.class_name)
    out = run.path / FOLDER if arguments.out is None else Path(arguments.out).expanduser()
    if out.is_file():
        raise UserError(f"--out: {out} is a file: a folder is expected")
    import_keras()
    show = _exhibit(run, arguments, class_index)
    found = list(_pictures(show, asked, explicit=bool(arguments.what)))
    if not found:
        raise UserError(f"{run.path}: no picture suits this run")
    _save(found, out, run)
    return 0


def _check_options(arguments: argparse.Namespace, asked: tuple[str, ...]) -> None:
    if arguments.images < 1:
        raise UserError(f"--images: expected 1 or more, got {arguments.images}")
    if arguments.out == "":
        raise UserError("--out: expected a folder")
    if arguments.invert and not arguments.image:
        raise UserError("--invert: is for --image")
    if "check" in asked and arguments.image:
        raise UserError("--check: needs the run's test images: leave --image out")


def _pictures(show: "Exhibit", asked: tuple[str, ...], *, explicit: bool) -> Iterator["Picture"]:
    """Give the asked pictures; one that does not suit is an error only where it was asked for."""
    from dlcourse.pictures.gallery import PICTURES

    for name in asked:
        try:
            yield from PICTURES[name](show)
        except UserError as error:
            if explicit:
                raise
            print_error(f"left out: {error}")


def _save(pictures: list["Picture"], out: Path, run: "Run") -> None:
    """Write the pictures and the page of them all, and print what each shows."""
    from dlcourse.pictures.figures import save
    from dlcourse.pictures.pages import page
    from dlcourse.runs import make_folder, write_file

    make_folder(out)
    paths = [save(out / f"{picture.name}.png", picture.figure) for picture in pictures]
    facts = "\n".join(f"test {name}  {shown(value)}" for name, value in run.metrics["test"].items())
    content = page(
        run.name,
        facts,
        [(one, path.read_bytes()) for one, path in zip(pictures, paths, strict=True)],
    )
    write_file(out / "index.html", lambda file: file.write_text(content, encoding="utf-8"))
    for picture, path in zip(pictures, paths, strict=True):
        write(f"{path}\n    {picture.caption}")
        if picture.text:
            write(f"\n{picture.text}\n")
    write(f"\nall on one page: {out / 'index.html'}")


def _asked(what: str | None, check: bool) -> tuple[str, ...]:
    from dlcourse.schema import did_you_mean

    if what is None:
        return WHAT if check else tuple(name for name in WHAT if name != "check")
    names = [name.strip() for name in what.split(",") if name.strip()]
    for name in names:
        if name not in WHAT:
            raise UserError(f"--what: unknown '{name}'{did_you_mean(name, list(WHAT))}")
    if not names:
        raise UserError(f"--what: expected some of {','.join(WHAT)}")
    return tuple(dict.fromkeys([*names, *(["check"] if check else [])]))


def _class_index(run: "Run", name: str | None) -> int | None:
    """Return the index of a class given by name or number."""
    from dlcourse.schema import did_you_mean

    if name is None:
        return None
    names = list(run.facts.class_names)
    if not names:
        raise UserError("--class: this run predicts a number and has no classes")
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    raise UserError(f"--class: no class '{name}'{did_you_mean(name, names)}")


def _exhibit(run: "Run", arguments: argparse.Namespace, class_index: int | None) -> "Exhibit":
    """Return the run's model with the user's images, or with examples of its test split."""

    from dlcourse.pictures.gallery import Exhibit, titles
    from dlcourse.runs.evaluation import outputs

    facts = run.facts
    names = facts.class_names
    if arguments.image:
        inputs = _own_images(run, arguments.image, arguments.invert)
        dataset, boxes, true = None, None, [None] * len(inputs)
    else:
        dataset = _test_data(run)
        chosen = _in_turn(dataset, arguments.images)
        inputs = dataset.x_test[chosen]
        boxes = dataset.regions["object"][chosen] if dataset.regions else None
        y = dataset.y_test[chosen]
        true = [names[k] for k in y] if names else [f"{value:.4g}" for value in y]
    found = outputs(run.model, inputs)
    return Exhibit(
        model=run.model,
        inputs=inputs,
        outputs=found,
        titles=titles(found, names, true),
        class_index=class_index,
        class_names=names,
        feature_names=facts.feature_names,
        value_range=facts.value_range,
        layer=arguments.layer,
        dataset=dataset,
        boxes=boxes,
    )


def _test_data(run: "Run") -> Any:
    from dlcourse.configuration.recipe import run_recipe
    from dlcourse.runs.evaluation import check_fit

    recipe = run_recipe(run)
    dataset = recipe.load_dataset()
    check_fit(run, dataset)
    return dataset


def _own_images(run: "Run", files: list[str], invert: bool) -> "np.ndarray":
    import numpy as np

    from dlcourse.datasets.image_folder import read_example

    if run.facts.inputs != "images":
        raise UserError("--image: this run takes rows, not images: leave it out for test rows")
    return np.stack([read_example(file, run.facts, invert=invert) for file in files])


def _in_turn(dataset: Any, number: int) -> list[int]:
    """Return so many test examples, the first of each class, then the second of each, …"""
    import numpy as np

    if dataset.task == "regression":
        return list(range(min(number, len(dataset.y_test))))
    order = np.argsort(dataset.y_test, kind="stable")
    _, starts = np.unique(dataset.y_test[order], return_index=True)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return [int(k) for k in order[np.lexsort((dataset.y_test[order], rank))][:number]]
