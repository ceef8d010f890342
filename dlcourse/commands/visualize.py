"""dlcourse visualize: one page of a run's figures and what its network has learned."""

import argparse
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands import generation
from dlcourse.commands.command_line import Parser, print_error, run_command
from dlcourse.errors import RunError, UserError
from dlcourse.quiet import import_keras, progress_bar, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from dlcourse.pictures.view import Picture, View
    from dlcourse.runs import Run

OVERVIEW = ("learning-curves", "predictions", "class-templates", "saliency", "attention", "cam")
MORE = (
    "layers", "calibration", "most-confused", "highest-loss", "templates", "filters", "dream",
    "overlays", "feature-maps", "neurons", "check",
)  # fmt: skip
# about how long a kind of pictures takes, relative to the others
SHARES = {"class-templates": 20, "templates": 80, "saliency": 10, "cam": 12, "check": 100}
FOLDER = "visualize"


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    text = "Draw a run's curves, and what its network has learned and looks at, on one page."
    parser = Parser(prog="dlcourse visualize", description=text)
    parser.option("--run", "the run's folder", "DIR", required=True)
    kinds = f"{','.join((*OVERVIEW, *MORE))} (default: {','.join(OVERVIEW)})"
    parser.option("--what", f"comma-separated pictures, or all: {kinds}", "LIST")
    parser.option("--beside", "second run, drawn beside this one", "DIR")
    parser.option("--check", "also measure if the maps are right")
    parser.option("--layer", "layer to explain", "NAME")
    parser.option("--class", "class to explain (the predicted one)", "CLASS", dest="class_name")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--images", type=int, default=5, metavar="N", help="test examples (5)")
    text = "your own image; may be repeated"
    chosen.add_argument("--image", action="append", metavar="FILE", help=text)
    parser.option("--as-is", "read your own image whole, without looking for digits")
    parser.option("--invert", "swap dark and light of your own image, read as it is")
    parser.option("--out", f"where to save (default: {FOLDER} in the run's folder)", "DIR")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from dlcourse.runs import read_run, write_text

    names, run = _kinds(arguments.what, arguments.check), read_run(arguments.run)
    out = run.path / FOLDER if arguments.out is None else Path(arguments.out).expanduser()
    if out.is_file() or arguments.out == "":
        raise UserError(f"--out: '{arguments.out}': a folder is expected")
    if run.generates and not (arguments.beside or arguments.image or arguments.what):
        return generation.visualize(run, out)
    runs = _runs(arguments)
    target = {"class_index": _class_index(runs[0], arguments.class_name), "layer": arguments.layer}
    if arguments.image:
        target["inputs"] = _own_images(runs[0], arguments)
    import_keras()
    from dlcourse.commands import run_page
    from dlcourse.commands.pages import page, picture_sections

    with progress_bar() as bar:
        bar.add_task("examination", total=None)
        view = _view(runs, names, arguments.images, target)
        front, back = run_page.sections(runs, view)
        for pictures in _draw(view, names, arguments.what, out, bar):
            sections = [*front, *picture_sections(pictures), *back]
            write_text(out / "index.html", page(view.name, sections))
    write(f"\nall on one page: {out / 'index.html'}")
    return 0


def _kinds(what: str | None, check: bool) -> tuple[str, ...]:
    """Return the requested kinds of pictures, in order."""
    from dlcourse.schema import did_you_mean

    every = (*OVERVIEW, *MORE)
    names = [name.strip().replace("_", "-") for name in (what or "").split(",") if name.strip()]
    for name in names:
        if name not in (*every, "all"):
            raise UserError(f"--what: unknown '{name}'{did_you_mean(name, list(every))}")
    if what is not None and not names:
        raise UserError(f"--what: expected all, or some of {','.join(every)}")
    chosen = every if "all" in names else names or OVERVIEW
    return tuple(dict.fromkeys([*chosen, *(["check"] if check else [])]))


def _runs(arguments: argparse.Namespace) -> list["Run"]:
    """Return the run and the second one, which must have the same inputs and classes."""
    from dataclasses import replace

    from dlcourse.runs import read_run
    from dlcourse.runs.evaluation import check_fit

    if arguments.images < 1:
        raise UserError(f"--images: expected 1 or more, got {arguments.images}")
    for name in ("as_is", "invert"):
        if getattr(arguments, name) and not arguments.image:
            raise UserError(f"--{name.replace('_', '-')}: works only with --image")
    runs = [read_run(path) for path in (arguments.run, arguments.beside) if path is not None]
    for run in runs:
        run.refuse_untrained()
    if len(runs) > 1:
        check_fit(runs[1], replace(runs[0].facts, name=str(runs[0].path)))
    return runs


def _class_index(run: "Run", name: str | None) -> int | None:
    """Return the index of a class that is given by name or index."""
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


def _own_images(run: "Run", arguments: argparse.Namespace) -> "np.ndarray":
    import numpy as np

    from dlcourse.lab.prediction import read_file
    from dlcourse.runs.likeness import noted

    if run.facts.inputs != "images":
        kind = run.facts.inputs
        raise UserError(
            f"--image: this run takes {kind}, not images: leave it out for its test split"
        )
    how = {"as_is": arguments.as_is, "invert": arguments.invert}
    read = [read_file(run, file, **how) for file in arguments.image]
    names, inputs, more = zip(*read, strict=True)
    x = np.concatenate(inputs)
    for name, row, note in zip(chain(*names), chain(*more), noted(run, x), strict=True):
        if row["prepared"]:
            write(f"{row['prepared']}\n    Your own drawing, as the network sees it.")
        if note["warning"]:
            print_error(f"{name}: {note['warning']}")
    return x


def _view(
    runs: "Sequence[Run]", names: tuple[str, ...], images: int, target: dict[str, Any]
) -> "View":
    """Return the run's view, with the second run's view of the same examples beside it."""
    from dataclasses import replace

    from dlcourse.commands.run_page import labels, view_of

    known = labels(runs)
    view = view_of(runs[0], names, images=images, name=known[0], **target)
    for other in runs[1:]:
        same = {**target, "inputs": view.inputs, "true": view.true, "boxes": view.boxes}
        view = replace(view, beside=view_of(other, names, name=known[1], **same))
    return view


def _draw(
    view: "View", names: tuple[str, ...], what: str | None, out: Path, bar: Any
) -> "Iterator[dict[str, list[tuple[Picture, bytes]]]]":
    """Write each picture as it is drawn, and yield all so far; at the end, yield them once more.

    A picture that does not suit the run is an error only if it was named.
    """
    from dlcourse.commands.pages import drawn
    from dlcourse.lab import pictures as lab
    from dlcourse.pictures.figures import save
    from dlcourse.pictures.gallery import PICTURES, unsuited

    strict, pictures, task = what not in (None, "all"), {}, bar.task_ids[0]
    shares = {name: 0 if unsuited(name, view) else SHARES.get(name, 1) for name in names}
    bar.reset(task, total=sum(shares.values()))
    bar.advance(task, 0)  # from here on, the time left is estimated
    for name in names:
        bar.update(task, description=name)
        try:
            if reason := unsuited(name, view):
                raise UserError(reason)
            for picture in drawn(name, view, PICTURES | lab.PICTURES):
                path = save(out / f"{picture.name}.png", picture.figure)
                pictures.setdefault(name, []).append((picture, path.read_bytes()))
                yield pictures
                write("\n".join([f"{path}\n    {picture.caption}", picture.text]).rstrip())
        except UserError as error:
            if strict or isinstance(error, RunError):
                raise
            if not reason or (what == "all" and name not in OVERVIEW):
                print_error(f"left out: {error}")
        bar.advance(task, shares[name])
    yield pictures
