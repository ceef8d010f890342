"""The pictures of a run of generation, with their captions."""

from collections.abc import Iterator
from typing import Any

from dlcourse.generation import plots
from dlcourse.generation.recipe import recipe_of
from dlcourse.generation.training import samples
from dlcourse.pictures.view import Picture
from dlcourse.plots import new_figure
from dlcourse.runs import Run


def pictures(run: Run) -> Iterator[Picture]:
    """Yield the pictures of a finished run: its training, its samples, what its model can do.

    Raises:
        RunError: The run is not finished or damaged.
        DatasetError: Its images, which an autoencoder's pictures show, are missing.
    """
    names, model, recipe = run.facts.class_names, run.model, recipe_of(run)

    def picture(name: str, caption: str, draw: Any, *shown: Any) -> Picture:
        figure = new_figure()
        draw(*shown, figure=figure)
        return Picture(name.replace(" ", "-"), name.capitalize(), caption, figure)

    text = "The losses of each epoch, and how good the images were where that was measured."
    yield picture("the training", text, plots.quality, run.history)
    text = "One image per class, of the same noise or the same test image in each row."
    yield picture("over the epochs", text, plots.epochs, *samples(run, run.history), names)
    if recipe.model.name == "gan":
        text = "Each row is a class that was asked for, each column has its own noise."
        yield picture("what it draws", text, plots.classes, model, names)
        text = "From left to right, the noise moves from one vector to another in equal steps."
        yield picture("between two vectors of noise", text, plots.walk, model, names)
        return
    data, text = recipe.load_dataset(), "Test images, and what the autoencoder makes of them."
    yield picture("test images rebuilt", text, plots.rebuilt, model, data.x_test[:10])
    if recipe.model.code > 1:
        text = "Each point is a test image at the first two numbers of its code."
        shown = (model, data.x_test, data.y_test, names)
        yield picture("the map of the codes", text, plots.code_map, *shown)
