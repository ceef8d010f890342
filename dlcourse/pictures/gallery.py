"""The table of all pictures of a run, and which of them suit it."""

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest

from dlcourse.pictures import inside, results
from dlcourse.pictures.view import Picture, View

Drawing = Callable[[View], Iterator[Picture]]
PICTURES: dict[str, Drawing] = {
    "learning-curves": results.learning_curves,
    "predictions": results.predictions,
    "most-confused": results.most_confused,
    "highest-loss": results.highest_loss,
    "calibration": results.calibration,
    "class-templates": inside.class_templates,
    "templates": inside.templates,
    "filters": inside.filters,
    "dream": inside.dream,
    "saliency": inside.saliency,
    "cam": inside.cam,
    "overlays": inside.overlays,
    "feature-maps": inside.feature_maps,
    "neurons": inside.neurons,
}
"""Every kind of picture; each function gives its figures one after another."""

TEST = ("predictions", "calibration", "most-confused", "highest-loss")
LEARNED = ("class-templates", "templates", "filters", "dream")
SECTIONS = {
    "The training": ("learning-curves", "layers"),
    "The test examples": TEST,
    "What the network has learned": LEARNED,
    "What the network looks at": ("saliency", "cam", "overlays", "check"),
    "From layer to layer": ("feature-maps", "neurons"),
}
"""The headings of a page and the pictures under each; `layers` and `check` are the lab's."""

NEEDS = {
    "images": {*LEARNED, "highest-loss", "cam", "overlays", "check", "feature-maps"},
    "classes": {*TEST[1:], "class-templates", "check"},
    "test examples": {*TEST, "check"},
    "examples": {"dream", "saliency", "cam", "overlays", "feature-maps", "neurons"},
}
"""What a run must have for some pictures."""

BESIDE = "-beside"
"""What the names of another run's pictures end in."""


def unsuited(name: str, view: View) -> str:
    """Return why a kind of picture does not suit the run; empty if it does."""
    given = {
        "images": view.facts.inputs == "images",
        "classes": view.facts.class_names,
        "test examples": view.dataset is not None,
        "examples": len(view.inputs),
    }
    lacking = [what for what, names in NEEDS.items() if name in names and not given[what]]
    return f"{name}: is for {lacking[0]}, and this run has none" if lacking else ""


def drawn(name: str, view: View, table: Mapping[str, Drawing] = PICTURES) -> Iterator[Picture]:
    """Give a kind's pictures, each followed by that of the run beside, if there is one."""
    if view.beside is None or name == "class-templates":  # which shows both in one figure
        yield from table[name](view)
        return
    for pair in zip_longest(table[name](view), table[name](view.beside)):
        for picture, run, end in zip(pair, (view, view.beside), ("", BESIDE), strict=True):
            if picture is not None:
                heading = f"{picture.heading}: {run.name}"
                yield picture._replace(name=picture.name + end, heading=heading)
