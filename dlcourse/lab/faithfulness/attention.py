"""Where does the network look? Maps and covered regions against boxes of the evidence, in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.lab.faithfulness.curves_and_boxes import (
    area,
    by_batch,
    chance_inside,
    deletion_curve,
    insertion_curve,
    pointing_hits,
    share_inside,
)
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
"""Of the answers: so many more must change behind a region's cover than behind another one."""
FEW = 32  # images for the randomisation: its correlations are means that differ by tenths
STEPS = 24
BATCH = 256


@dataclass(frozen=True)
class Row:
    """A method's figures, means over the images.

    Attributes:
        method: Its name, or `random map`.
        hits: Region → how often the map's largest value lies there.
        inside: Region → share of the map's positive values there.
        deletion, insertion: The class's mean probability along the curves, `(steps + 1,)`.
    """

    method: str
    hits: Mapping[str, float]
    inside: Mapping[str, float]
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def faithful(self) -> float:
        """Insertion area minus deletion area: how well the map names what the network needs."""
        return float(area(self.insertion) - area(self.deletion))


@dataclass(frozen=True)
class Cover:
    """What covering a region does: the share of answers that change, and the accuracy left."""

    changed: float
    accuracy: float


@dataclass(frozen=True)
class AttentionReport:
    """Where a network looks, by its maps and by what changes its answers.

    Attributes:
        dataset: Its name.
        images: How many test images were looked at.
        accuracy: On them.
        names: Region → its name in words.
        rows: One a method; the last is a random map's.
        covers: Region → what covering it does; `all`: all of several regions; `elsewhere`: a box
            as large as the first region's, at a random place off every region.
        randomization: How much the maps change when the network forgets.
        verdict: In words.
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
        """Return the figures of the methods: a row a method."""
        heads = [f"{what} {self.names[one]}" for what in ("hits", "inside") for one in self.names]
        heads += ["deletion", "insertion", "all random"]
        last = {name: found[-1] for name, found in self.randomization.correlations.items()}
        lines = []
        for row in self.rows:
            values = [part[one] for part in (row.hits, row.inside) for one in self.names]
            values += [float(area(row.deletion)), float(area(row.insertion))]
            random = f"{last[row.method]:.2f}" if row.method in last else ""
            lines.append([row.method, *(f"{value:.3f}" for value in values), random])
        return text_table(["", *heads], lines)

    def __str__(self) -> str:
        """Return the table, what covering does and the verdict."""
        lines = [f"{self.dataset}: {self.images} test images, accuracy {self.accuracy:.2f}", ""]
        lines += [self.table(), ""]
        if self.randomization.insensitive:
            names = ", ".join(self.randomization.insensitive)
            lines += [f"still like that when every weight is random: {names}", ""]
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
    """Return where the network looks in test images, by every method and by covering regions.

    The verdict rests on the intervention: what changes the answers is what the network uses, while
    a map is only a description. It then quotes the map that does best in deletion and insertion
    among those that depend on the weights; neither of these knows the regions.

    Args:
        model: A classifier of the data set's images.
        dataset: A `Dataset` of images; `regions` may be empty: then there is no verdict on where.
        methods: As for `model_randomization`.
        images: Taken at random from the test split.
        steps: Of the curves.
        seed: Of that choice, the random map, the covers elsewhere and the random weights.

    Raises:
        UserError: The data set has no images or classes, or a method refuses the model.
    """
    rng = np.random.default_rng(seed)
    if dataset.x_test.ndim != 4 or dataset.task == "regression":
        raise UserError(f"attention_report: {dataset.name} is no data set of images in classes")
    chosen = np.sort(rng.permutation(len(dataset.y_test))[:images])
    x, y = dataset.x_test[chosen], dataset.y_test[chosen]
    regions = {name: np.asarray(boxes)[chosen] for name, boxes in dataset.regions.items()}
    answers = _answers(model, x)
    blank = float(dataset.value_range[0])
    maps = {name: found for name, (_, found) in supported(methods, model, x, answers).items()}
    few = rng.permutation(len(x))[:FEW]
    randomization = model_randomization(model, x[few], methods, answers[few], seed=seed)
    settings = {"class_indices": answers, "steps": steps, "value": blank}
    curves = [partial(curve, model, x, **settings) for curve in (deletion_curve, insertion_curve)]
    rows = [_row(name, found, regions, curves) for name, found in maps.items()]
    rows.append(_random(_row(RANDOM, rng.random(x.shape[:3]), regions, curves), regions, x))
    covers = {}
    for name, boxes in _to_cover(regions, x.shape[1:3], rng).items():
        hidden = x
        for own in boxes:
            hidden = covered(hidden, own, blank)
        after = _answers(model, hidden)
        covers[name] = Cover(float(np.mean(after != answers)), float(np.mean(after == y)))
    accuracy = float(np.mean(answers == y))
    names = {name: _in_words(name, dataset) for name in regions}
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


def _answers(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the predicted class of each image."""
    return by_batch(lambda rows: target_of(model, images[rows]).indices, len(images), BATCH)


def _row(name: str, maps: np.ndarray, regions: Mapping[str, np.ndarray], curves: Any) -> Row:
    return Row(
        name,
        {region: float(pointing_hits(maps, boxes).mean()) for region, boxes in regions.items()},
        {region: float(share_inside(maps, boxes).mean()) for region, boxes in regions.items()},
        *(curve(maps).mean(axis=0) for curve in curves),
    )


def _random(row: Row, regions: Mapping[str, np.ndarray], x: np.ndarray) -> Row:
    """Return the random map's row with the expectation in place of what one draw gave."""
    chance = {
        name: float(chance_inside(boxes, x.shape[1:3]).mean()) for name, boxes in regions.items()
    }
    return Row(row.method, chance, chance, row.deletion, row.insertion)


def _to_cover(
    regions: Mapping[str, np.ndarray], size: tuple[int, int], rng: np.random.Generator
) -> dict[str, list[np.ndarray]]:
    """Return what is covered by its name: each region, all of them, and boxes off them."""
    if not regions:
        return {}
    several = {ALL: list(regions.values())} if len(regions) > 1 else {}
    single = {name: [boxes] for name, boxes in regions.items()}
    return {**single, **several, ELSEWHERE: [_elsewhere(list(regions.values()), size, rng)]}


def _elsewhere(
    regions: list[np.ndarray], size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return boxes as large as those of the first region, where they touch the least of any."""
    boxes = np.zeros_like(regions[0])
    for k, (top, left, bottom, right) in enumerate(regions[0]):
        height, width = bottom - top, right - left
        taken = np.zeros((size[0] + 1, size[1] + 1), int)
        for one in regions:
            taken[one[k, 0] + 1 : one[k, 2] + 1, one[k, 1] + 1 : one[k, 3] + 1] = 1
        total = taken.cumsum(axis=0).cumsum(axis=1)  # of all above and left, so of any window:
        touched = total[height:, width:] - total[:-height, width:]
        touched -= total[height:, :-width] - total[:-height, :-width]
        free = np.argwhere(touched == touched.min())
        boxes[k, :2] = free[rng.integers(len(free))]
        boxes[k, 2:] = boxes[k, :2] + (height, width)
    return boxes


def _in_words(region: str, dataset: Any) -> str:
    """Return `digit` for the object of a data set of digits, else the region's own name."""
    known = getattr(dataset, "target_name", "class")
    return known if region == "object" and known != "class" else region


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
            f"on the {names[one]} in {best.hits[one]:.0%} of the images (by chance "
            f"{rows[-1].hits[one]:.0%})"
            for one in needed or names
        )
        lines.append(f"the most faithful map here, {best.method}, has its largest value {places}")
    return "\n".join(lines)


def _needed(covers: Mapping[str, Cover]) -> list[str]:
    """Return the regions whose cover changes clearly more answers than one elsewhere."""
    least = covers[ELSEWHERE].changed + CLEAR
    found = [name for name in covers if name not in (ALL, ELSEWHERE)]
    found = [name for name in found if covers[name].changed >= least]
    return sorted(found, key=lambda name: -covers[name].changed)


def _looks_at(needed: list[str], covers: Mapping[str, Cover], names: Mapping[str, str]) -> str:
    if needed:
        text = f"the network looks at the {' and the '.join(names[one] for one in needed)}"
        short_cut = "object" in names and needed[0] != "object"
        return f"{text}: a short cut" if short_cut else text
    either = " or the ".join(names.values())
    if ALL in covers and covers[ALL].changed >= covers[ELSEWHERE].changed + CLEAR:
        return f"the network looks at the {either}: one of them is enough for it"
    return f"it is not shown that the network looks at the {either}"


def _intervention(
    covers: Mapping[str, Cover], accuracy: float, names: Mapping[str, str]
) -> list[str]:
    """Return a line for each cover: what it does to the answers and the accuracy."""
    words = {name: f"the {text}" for name, text in names.items()}
    words |= {ALL: "all of these", ELSEWHERE: "as large a box elsewhere"}
    return [
        f"with {words[name]} covered, {cover.changed:.0%} of the answers change and accuracy goes "
        f"from {accuracy:.2f} to {cover.accuracy:.2f}"
        for name, cover in covers.items()
    ]


def _most_faithful(rows: list[Row], randomization: Randomization) -> Row | None:
    """Return the method best in insertion minus deletion, of those that depend on the weights.

    None where no such method does better than the random map.
    """
    good = [row for row in rows[:-1] if row.method not in randomization.insensitive]
    best = max(good, key=lambda row: row.faithful, default=None)
    return best if best is not None and best.faithful > rows[-1].faithful else None
