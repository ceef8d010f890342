"""What `evaluate`, `diagnose` and `visualize` do with a run of generation."""

from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands.command_line import write_json
from dlcourse.files import write_file
from dlcourse.quiet import import_keras, write

if TYPE_CHECKING:
    from dlcourse.runs import Run


def evaluate(run: "Run", as_json: bool) -> int:
    """Measure the run's model anew and print its numbers beside those of real images."""
    run.file("model.keras")
    import_keras()
    from dlcourse.generation.training import quality_of

    quality = quality_of(run)
    numbers = quality.measure(run.model, "test")
    if as_json:
        write_json({"test": numbers, "reference": quality.reference})
    else:
        write(f"run     {run.path}\n\n{quality.text(numbers)}")
    return 0


def diagnose(run: "Run", as_json: bool) -> int:
    """Print the findings."""
    from dlcourse.generation.findings import diagnose

    found = diagnose(run)
    if as_json:
        write_json({"run": str(run.path), "findings": [each._asdict() for each in found]})
    else:
        write("\n".join([f"run     {run.path}\n", *map(str, found or ["Nothing stands out."])]))
    return 0


def visualize(run: "Run", out: Path) -> int:
    """Write the pictures, the animation of the epochs and a page with all of them."""
    run.file("model.keras")
    import_keras()
    from dlcourse.commands.pages import Section, page
    from dlcourse.generation.pictures import pictures
    from dlcourse.generation.plots import animation
    from dlcourse.generation.training import samples
    from dlcourse.pictures.figures import save
    from dlcourse.runs import write_text

    drawn = []
    for picture in pictures(run):
        path = save(out / f"{picture.name}.png", picture.figure)
        drawn.append((picture, path.read_bytes()))
        write(f"{path}\n    {picture.caption}")
    film = animation(*samples(run, run.history), run.facts.class_names)
    write_file(out / "epochs.gif", lambda path: film.save(path, writer="pillow"))
    write(f"{out / 'epochs.gif'}\n    The same samples over the epochs, as an animation.")
    write_text(out / "index.html", page(run.name, [Section("Generation", pictures=drawn)]))
    write(f"\nall on one page: {out / 'index.html'}")
    return 0
