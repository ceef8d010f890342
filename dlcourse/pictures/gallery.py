"""The table of all pictures of a run, and which of them apply to it."""

from collections.abc import Callable, Iterator

from dlcourse.pictures import inside, results
from dlcourse.pictures.view import Picture, View

Drawing = Callable[[View], Iterator[Picture]]
_DRAWINGS = (
    results.learning_curves, results.predictions, results.most_confused, results.highest_loss,
    results.calibration, inside.class_templates, inside.templates, inside.filters, inside.dream,
    inside.saliency, inside.attention, inside.cam, inside.overlays, inside.feature_maps,
    inside.neurons,
)  # fmt: skip
PICTURES: dict[str, Drawing] = {each.__name__.replace("_", "-"): each for each in _DRAWINGS}
"""Every kind of picture; each function yields its figures one by one."""

TEST = ("predictions", "calibration", "most-confused", "highest-loss")
LEARNED = ("class-templates", "templates", "filters", "dream")
NEEDS = {
    "images": {*LEARNED, "highest-loss", "cam", "overlays", "check", "feature-maps"},
    "classes": {*TEST[1:], "class-templates", "check"},
    "test examples": {*TEST, "check"},
    "attention over steps": {"attention"},
    "one score per example": {"saliency"},
    "examples": {"dream", "saliency", "cam", "overlays", "feature-maps", "neurons"},
}
"""The pictures that need something which not every run has."""


def _attends(view: View) -> bool:
    layers = view.model._flatten_layers() if view.model else ()
    return any(type(layer).__name__ == "MultiHeadAttention" for layer in layers)


def unsuited(name: str, view: View) -> str:
    """Return why a kind of picture does not apply to the run; an empty text if it does."""
    has = {
        "images": view.facts.inputs == "images",
        "classes": view.facts.class_names,
        "attention over steps": view.facts.inputs in ("sequences", "text") and _attends(view),
        "one score per example": view.facts.task != "next_token",
        "test examples": view.dataset is not None,
        "examples": len(view.inputs),
    }
    lacking = [what for what, names in NEEDS.items() if name in names and not has[what]]
    return f"{name}: needs {lacking[0]}, and this run has none" if lacking else ""
