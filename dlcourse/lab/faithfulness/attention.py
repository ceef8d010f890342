"""A report on where the network looks: maps and covered regions against boxes of the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.lab.faithfulness import curves_and_boxes as measures
from dlcourse.lab.faithfulness.randomization import (
    Methods,
    Randomization,
    model_randomization,
    supported,
)
from dlcourse.schema import Natural, Positive, checked
from dlcourse.text_table import text_table
from dlcourse.visualizers.targets import target_of

RANDOM = "random map"
ALL, ELSEWHERE = "all", "elsewhere"
CLEAR = 0.1
"""Share of the predictions by which covering a region must change more than covering elsewhere."""
FEW = 32  # images for the randomisation: its mean correlations differ by tenths
STEPS = 24
BATCH = 256


@dataclass(frozen=True)
class Row:
    """Measures of one method, means over the images.

    Attributes:
        method: Name of the method, or `random map`.
        hits: Region → share of the images whose map has its largest value there.
        inside: Region → share of the map's positive values there.
        deletion, insertion: Mean class probability along the curves, `(steps + 1,)`.
    """

    method: str
    hits: Mapping[str, float]
    inside: Mapping[str, float]
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def faithful(self) -> float:
        """Insertion area minus deletion area: how well the map finds what the network needs."""
        return float(measures.area(self.insertion) - measures.area(self.deletion))


@dataclass(frozen=True)
class Cover:
    """The effect of covering a region: the share of changed predictions, and the accuracy."""

    changed: float
    accuracy: float


@dataclass(frozen=True)
class AttentionReport:
    """Where a network looks, by its maps and by what changes its predictions.

    Attributes:
        dataset: Name of the data set.
        images: Number of test images examined.
        accuracy: Accuracy on these images.
        names: Region → its name as text.
        rows: One row per method; the last is that of a random map.
        covers: Region → effect of covering it; `all`: all of several regions; `elsewhere`: a box
            as large as the first region's, at a random place outside the regions.
        randomization: Changes of the maps when the weights are randomised.
        verdict: Conclusions as text.
    """

    dataset: str
    images: int
    accuracy: float
    names: Mapping[str, str]
    rows: tuple[Row, ...]
    covers: Mapping[str, Cover]
    randomization: Randomization
    verdict: str = field(default="")

    def table(self) -> str:
        """Return the measures as a table: one row per method."""
        heads = [f"{what} {self.names[name]}" for what in ("hits", "inside") for name in self.names]
        heads += ["deletion", "insertion", "all random"]
        last = {name: values[-1] for name, values in self.randomization.correlations.items()}
        lines = []
        for row in self.rows:
            values = [part[name] for part in (row.hits, row.inside) for name in self.names]
            values += [float(measures.area(row.deletion)), float(measures.area(row.insertion))]
            random = f"{last[row.method]:.2f}" if row.method in last else ""
            lines.append([row.method, *(f"{value:.3f}" for value in values), random])
        return text_table(["", *heads], lines)

    def __str__(self) -> str:
        """Return the table, the methods insensitive to the weights, and the verdict."""
        lines = [f"{self.dataset}: {self.images} test images, accuracy {self.accuracy:.2f}", ""]
        lines += [self.table(), ""]
        if self.randomization.insensitive:
            names = ", ".join(self.randomization.insensitive)
            lines += [f"almost unchanged when every weight is random: {names}", ""]
        return "\n".join([*lines, self.verdict])


@checked
def attention_report(
    model: Any,
    dataset: Any,
    methods: Methods = None,
    *,
    images: Positive = 200,
    steps: Positive = STEPS,
    seed: Natural = 0,
) -> AttentionReport:
    """Return a report on where the network looks, by every method and by covering regions.

    The verdict is based on the intervention: what changes the predictions is what the network uses,
    while a map is only a description. It then cites the map that is best in deletion and insertion
    among those that depend on the weights; neither of these criteria uses the regions.

    Args:
        model: Classifier of the data set's images.
        dataset: `Dataset` of images. If its `regions` are empty, there is no verdict on where.
        methods: Methods, as for `model_randomization`.
        images: Number of random images from the test split.
        steps: Number of steps of the curves.
        seed: Seed of that choice, the random map, the boxes elsewhere and the random weights.

    Raises:
        UserError: The data set has no images or classes, or a method refuses the model.
    """
    rng = np.random.default_rng(seed)
    if dataset.x_test.ndim != 4 or dataset.task == "regression":
        raise UserError(f"attention_report: {dataset.name} is not a data set of images in classes")
    chosen = np.sort(rng.permutation(len(dataset.y_test))[:images])
    x, y = dataset.x_test[chosen], dataset.y_test[chosen]
    regions = {name: np.asarray(boxes)[chosen] for name, boxes in dataset.regions.items()}
    predicted, size = _predicted(model, x), x.shape[1:3]
    blank = float(dataset.value_range[0])
    maps = {name: values for name, (_, values) in supported(methods, model, x, predicted).items()}
    few = rng.permutation(len(x))[:FEW]
    randomization = model_randomization(model, x[few], methods, predicted[few], seed=seed)
    settings = {"class_indices": predicted, "steps": steps, "value": blank}
    both = (measures.deletion_curve, measures.insertion_curve)
    curves = [partial(curve, model, x, **settings) for curve in both]
    rows = [_row(name, values, regions, curves) for name, values in maps.items()]
    rows.append(_random(_row(RANDOM, rng.random((len(x), *size)), regions, curves), regions, size))
    covers = {}
    for name, boxes in _to_cover(regions, size, rng).items():
        hidden = x
        for own in boxes:
            hidden = covered(hidden, own, blank)
        after = _predicted(model, hidden)
        covers[name] = Cover(float(np.mean(after != predicted)), float(np.mean(after == y)))
    accuracy = float(np.mean(predicted == y))
    names = {name: _as_text(name, dataset) for name in regions}
    verdict = _verdict(rows, covers, accuracy, names, randomization)
    return AttentionReport(
        dataset.name, len(x), accuracy, names, tuple(rows), covers, randomization, verdict
    )


def covered(images: np.ndarray, boxes: np.ndarray, value: float = 0.0) -> np.ndarray:
    """Return a copy of the images `(n, height, width, channels)`, each with its box filled."""
    result = np.array(images)
    for image, (top, left, bottom, right) in zip(result, boxes, strict=True):
        image[top:bottom, left:right] = value
    return result


def _predicted(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the predicted class of each image."""
    return target_of(model, images).indices


def _row(name: str, maps: np.ndarray, regions: Mapping[str, np.ndarray], curves: Any) -> Row:
    hits, inside = (
        {region: float(measure(maps, boxes).mean()) for region, boxes in regions.items()}
        for measure in (measures.pointing_hits, measures.share_inside)
    )
    return Row(name, hits, inside, *(curve(maps).mean(axis=0) for curve in curves))


def _random(row: Row, regions: Mapping[str, np.ndarray], size: tuple[int, int]) -> Row:
    """Return the random map's row with expected values in place of those of one draw."""
    inside = {name: measures.chance_inside(boxes, size) for name, boxes in regions.items()}
    chance = {name: float(shares.mean()) for name, shares in inside.items()}
    return replace(row, hits=chance, inside=chance)


def _to_cover(
    regions: Mapping[str, np.ndarray], size: tuple[int, int], rng: np.random.Generator
) -> dict[str, list[np.ndarray]]:
    """Return what is covered, by name: each region, all regions, and boxes outside them."""
    if not regions:
        return {}
    several = {ALL: list(regions.values())} if len(regions) > 1 else {}
    single = {name: [boxes] for name, boxes in regions.items()}
    return {**single, **several, ELSEWHERE: [_elsewhere(list(regions.values()), size, rng)]}


def _elsewhere(
    regions: list[np.ndarray], size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return boxes as large as the first region's, where they overlap the regions least."""
    boxes = np.zeros_like(regions[0])
    for k, (top, left, bottom, right) in enumerate(regions[0]):
        height, width = bottom - top, right - left
        taken = np.zeros((size[0] + 1, size[1] + 1), int)
        for box in (region[k] for region in regions):
            taken[box[0] + 1 : box[2] + 1, box[1] + 1 : box[3] + 1] = 1
        total = taken.cumsum(axis=0).cumsum(axis=1)  # sums above and left, so of any window:
        touched = total[height:, width:] - total[:-height, width:]
        touched -= total[height:, :-width] - total[:-height, :-width]
        free = np.argwhere(touched == touched.min())
        boxes[k, :2] = free[rng.integers(len(free))]
        boxes[k, 2:] = boxes[k, :2] + (height, width)
    return boxes


def _as_text(region: str, dataset: Any) -> str:
    """Return `digit` for the object of a data set of digits, else the name of the region."""
    target = getattr(dataset, "target_name", "class")
    return target if region == "object" and target != "class" else region


def _verdict(
    rows: list[Row],
    covers: Mapping[str, Cover],
    accuracy: float,
    names: Mapping[str, str],
    randomization: Randomization,
) -> str:
    best = _most_faithful(rows, randomization)
    if not covers:
        where = "" if best is None else f" (the most faithful map here: {best.method})"
        return f"where the evidence lies is not known for this data set{where}"
    needed = _needed(covers)
    lines = [_looks_at(needed, covers, names), *_intervention(covers, accuracy, names)]
    if best is not None:
        places = " and ".join(
            f"on the {names[name]} in {best.hits[name]:.0%} of the images (by chance "
            f"{rows[-1].hits[name]:.0%})"
            for name in needed or names
        )
        lines.append(f"the most faithful map here, {best.method}, has its largest value {places}")
    return "\n".join(lines)


def _needed(covers: Mapping[str, Cover]) -> list[str]:
    """Return the regions whose covering changes clearly more predictions than elsewhere."""
    least = covers[ELSEWHERE].changed + CLEAR
    needed = [name for name in covers if name not in (ALL, ELSEWHERE)]
    needed = [name for name in needed if covers[name].changed >= least]
    return sorted(needed, key=lambda name: -covers[name].changed)


def _looks_at(needed: list[str], covers: Mapping[str, Cover], names: Mapping[str, str]) -> str:
    if needed:
        text = f"the network looks at the {' and the '.join(names[name] for name in needed)}"
        shortcut = "object" in names and needed[0] != "object"
        return f"{text}: a shortcut" if shortcut else text
    either = " or the ".join(names.values())
    if ALL in covers and covers[ALL].changed >= covers[ELSEWHERE].changed + CLEAR:
        return f"the network looks at the {either}: either is enough"
    return f"it is not shown that the network looks at the {either}"


def _intervention(
    covers: Mapping[str, Cover], accuracy: float, names: Mapping[str, str]
) -> list[str]:
    """Return one line per cover: its effect on the predictions and the accuracy."""
    texts = {name: f"the {text}" for name, text in names.items()}
    texts |= {ALL: "all of these", ELSEWHERE: "a box of the same size elsewhere"}
    return [
        f"with {texts[name]} covered, {cover.changed:.0%} of the predictions change and accuracy "
        f"goes from {accuracy:.2f} to {cover.accuracy:.2f}"
        for name, cover in covers.items()
    ]


def _most_faithful(rows: list[Row], randomization: Randomization) -> Row | None:
    """Return the best method in insertion minus deletion, of those that depend on the weights.

    Return None if no such method beats the random map.
    """
    good = [row for row in rows[:-1] if row.method not in randomization.insensitive]
    best = max(good, key=lambda row: row.faithful, default=None)
    return best if best is not None and best.faithful > rows[-1].faithful else None
