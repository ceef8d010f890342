"""What the pictures of a run are drawn from, and what they are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets.facts import DataFacts
from dlcourse.plots import new_figure, short_name
from dlcourse.runs.evaluation import outputs


class Picture(NamedTuple):
    """A figure and what a page says of it.

    Attributes:
        name: The stem of the file's name.
        heading: In words.
        caption: What is to be seen, in sentences.
        figure: A matplotlib figure.
        text: What belongs under it, such as a table in plain text.
    """

    name: str
    heading: str
    caption: str
    figure: Any
    text: str = ""


@dataclass(frozen=True)
class View:
    """A run as its pictures are drawn from it.

    Attributes:
        facts: What is known of the data.
        name: The run's name.
        model: The trained Keras model; None where no picture asks it.
        history: One list per metric, one value per epoch.
        best_epoch: The epoch whose weights were kept, or None.
        dataset: A `Dataset`, for the pictures of the test split; None where it is not there.
        predicted: The outputs on the test split, where they are known already.
        inputs: The examples `(n, …)` that the model is asked about.
        true: The true class or value of each in words, or nothing.
        boxes: Where the truth lies in each image, `(n, 4)`, or None.
        class_index: The class that is asked of every example; None: the predicted one.
        layer: The layer that is asked; None: every layer, or the last convolution.
        examined: What an annex knows of the run, for the pictures that it adds.
        beside: Another run, drawn beside this one.
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
        """The test split's labels or values, and what the model says of it."""
        known = self.predicted
        found = outputs(self.model, self.dataset.x_test) if known is None else known
        return self.dataset.y_test, found

    @cached_property
    def outputs(self) -> np.ndarray:
        """What the model says of the examples: `(n, classes)` probabilities, or `(n,)` numbers."""
        return outputs(self.model, self.inputs)

    @property
    def titles(self) -> list[str]:
        """A title per example: `7 (0.98)`, the true class if it is another, the class asked."""
        true, names = self.true or [None] * len(self.inputs), self.facts.class_names
        if not names:
            values = zip(self.outputs, true, strict=True)
            return [f"predicted {y:.4g}" + (f" (true {t})" if t else "") for y, t in values]
        asked = None if self.class_index is None else names[self.class_index]
        found = []
        for row, known in zip(self.outputs, true, strict=True):
            name = names[int(row.argmax())]
            lines = [f"{short_name(name)} ({row.max():.3f})"]
            lines += [f"true: {short_name(known)}"] if known not in (None, name) else []
            found.append("\n".join([*lines, *([f"asked: {short_name(asked)}"] if asked else [])]))
        return found


def drawn_by(draw: Callable[..., Any], *given: Any, size: Any = None, **settings: Any) -> Any:
    """Return a new figure with what `draw` of `plots` makes: on axes of a size, or all over it."""
    figure = new_figure(*(size or ()))
    place = {"ax": figure.subplots()} if size else {"figure": figure}
    draw(*given, **place, **settings)
    return figure
