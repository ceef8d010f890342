"""The input of a run's pictures (`View`), and their result (`Picture`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets.dataset import before_end
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.text import decode_text
from dlcourse.plots import new_figure, short_name
from dlcourse.runs.evaluation import by_token, outputs


class Picture(NamedTuple):
    """A figure with its texts.

    Attributes:
        name: Stem of the file name.
        heading: Heading.
        caption: Description of the figure, in sentences.
        figure: A matplotlib figure.
        text: Plain text below the figure, such as a table.
    """

    name: str
    heading: str
    caption: str
    figure: Any
    text: str = ""


@dataclass(frozen=True)
class View:
    """What the pictures of a run are drawn from.

    Attributes:
        facts: Facts of the run's data.
        name: Name of the run.
        model: Trained Keras model. None if no picture needs it.
        history: One list per metric, one value per epoch.
        best_epoch: Epoch whose weights were kept, or None.
        dataset: `Dataset` for the pictures of the test split. None if it is not available.
        predicted: Outputs on the test split, if they are known already.
        inputs: Examples `(n, …)` to be explained.
        true: True class or value of each example as text, or nothing.
        boxes: True box in each image, `(n, 4)`, or None.
        class_index: Class explained for every example. None for the predicted class.
        layer: Name of the layer to show. None for every layer, or the last one with
            places.
        examined: Further evidence of the run, for pictures that other packages add.
        beside: Another run to compare with, or None.
    """

    facts: DataFacts
    name: str = "run"
    model: Any = None
    history: Mapping[str, list[float]] | None = None
    best_epoch: int | None = None
    dataset: Any = None
    predicted: np.ndarray | None = None
    inputs: np.ndarray = field(default_factory=lambda: np.empty(0))
    true: Sequence[str] = ()
    boxes: np.ndarray | None = None
    class_index: int | None = None
    layer: str | None = None
    examined: Any = None
    beside: "View | None" = None

    @cached_property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """The labels or values of the test split, and the model's outputs on it."""
        predicted = self.predicted
        if predicted is None:
            predicted = outputs(self.model, self.dataset.x_test)
        return by_token(self.dataset.y_test, predicted)

    @cached_property
    def outputs(self) -> np.ndarray:
        """The model's outputs on the examples: `(n, classes)` probabilities, or `(n,)` numbers."""
        return outputs(self.model, self.inputs)

    def steps(self, k: int) -> int:
        """The number of steps or tokens of an example, before its end."""
        return int(before_end(self.inputs[k : k + 1]).sum())

    def tokens(self, k: int) -> list[str]:
        """The tokens of an example's text, or the numbers of a sequence's steps."""
        if known := self.facts.vocabulary:
            return decode_text(self.inputs[k], {"vocabulary": known})
        return [*map(str, range(self.steps(k)))]

    @property
    def titles(self) -> list[str]:
        """One title per example: `7 (0.98)`, the true class if it differs, the class explained."""
        if self.facts.task == "next_token":
            return ["".join(self.tokens(k)) for k in range(len(self.inputs))]
        true, names = self.true or [None] * len(self.inputs), self.facts.class_names
        if not names:
            values = zip(self.outputs, true, strict=True)
            return [f"predicted {y:.4g}" + (f" (true {t})" if t else "") for y, t in values]
        target = None if self.class_index is None else short_name(names[self.class_index])
        titles = []
        for row, label in zip(self.outputs, true, strict=True):
            name = names[int(row.argmax())]
            lines = [f"{short_name(name)} ({row.max():.3f})"]
            lines += [f"true: {short_name(label)}"] if label not in (None, name) else []
            titles.append("\n".join([*lines, *([f"target: {target}"] if target else [])]))
        return titles


def drawn_by(draw: Callable[..., Any], *values: Any, size: Any = None, **settings: Any) -> Any:
    """Return a new figure drawn by `draw`: on axes, if a size is given, or on the whole figure."""
    figure = new_figure(*(size or ()))
    place = {"ax": figure.subplots()} if size else {"figure": figure}
    draw(*values, **place, **settings)
    return figure
