"""The facts of a data set without its examples: what a model takes and what it predicts."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal

Inputs = Literal["images", "sequences", "text", "rows"]
Task = Literal["regression", "binary", "multiclass", "next_token", "generation"]
CLASSIFICATION = ("binary", "multiclass")
FIELDS = ("name", "task", "input_shape", "class_names", "fingerprint")  # in every dataset.json
DRAWN = (("mnist", (28, 28, 1)), ("digits", (8, 8, 1)))  # in runs that did not record it


@dataclass(frozen=True)
class Facts:
    """The facts that a data set and its record in a run share.

    Attributes:
        name: The data set's name, used in titles and errors.
        task: `regression`, `binary` (labels 0 and 1), `multiclass` (labels 0 … k-1),
            `next_token` (of a text: each token, from those before it) or `generation`.
        value_range: Black and white of images (see `image_range`), or the lowest and highest value
            of a table's training rows.
        class_names: One name per class; empty for regression.
        feature_names: One name per column of a table, or per number of a sequence's step; empty for
            images and text.
        target_name: Name of what is predicted, with its unit if it has one.
        encoding: Record of how a file's columns were encoded (see `csv`); empty otherwise.
        drawn: Manner in which drawings became the images, a key of `drawings.MANNERS`; empty for
            other data.
    """

    name: str
    task: Task
    _: KW_ONLY
    value_range: tuple[float, float]
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    target_name: str = "class"
    encoding: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = ""


SHARED = tuple(each.name for each in fields(Facts))


@dataclass(frozen=True)
class DataFacts(Facts):
    """The facts of a data set; `Dataset.facts` and `Run.facts` both return them.

    Attributes:
        input_shape: Shape of one example: `(height, width, channels)`, `(steps, features)`,
            `(features,)`, or `(steps,)` of a text.
        value_range: See `Facts`; 0 to 1 for runs that did not record it.
        examples: Number of examples in each split.
        fingerprint: SHA-256 of the data; empty if it was not computed.
    """

    input_shape: tuple[int, ...]
    value_range: tuple[float, float] = field(default=(0.0, 1.0), kw_only=True)
    examples: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    fingerprint: str = field(default="", kw_only=True)

    @property
    def vocabulary(self) -> list[str]:
        """The tokens of a text, by number; empty for other data."""
        return [*self.encoding.get("columns", ()), {}][0].get("vocabulary", [])

    @property
    def inputs(self) -> Inputs:
        """`images`, `sequences` of numbers, `text`, or `rows` of a table."""
        if self.vocabulary:
            return "text"
        kinds: tuple[Inputs, ...] = ("rows", "sequences", "images")
        return kinds[len(self.input_shape) - 1]

    @property
    def summary(self) -> str:
        """One line: `digits: multiclass, inputs (8, 8, 1) from 0 to 16, 1,221 train, …`."""
        sizes = ", ".join(f"{size:,} {part}" for part, size in self.examples.items())
        low, high = self.value_range
        scale = f" from {low:g} to {high:g}" if self.inputs == "images" else ""
        return f"{self.name}: {self.task}, inputs {self.input_shape}{scale}, {sizes}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "DataFacts":
        """Return the facts from the content of a `dataset.json`; other keys are ignored."""
        facts = {key: content[key] for key in cls.__dataclass_fields__ if key in content}
        for key in ("input_shape", "value_range", "class_names", "feature_names"):
            if key in facts:
                facts[key] = tuple(facts[key])
        if "drawn" not in facts and (facts["name"], facts["input_shape"]) in DRAWN:
            facts["drawn"] = facts["name"]
        return cls(**facts)
