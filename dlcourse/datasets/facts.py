"""The facts of a data set without its examples: what a model takes and what it predicts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Task = Literal["regression", "binary", "multiclass"]
FIELDS = ("name", "task", "input_shape", "class_names", "fingerprint")  # in every dataset.json
DRAWN = (("mnist", (28, 28, 1)), ("digits", (8, 8, 1)))  # in runs that did not record it


@dataclass(frozen=True)
class DataFacts:
    """The facts of a data set; `Dataset.facts` and `Run.facts` both return them.

    Attributes:
        name: The data set's name, used in titles and errors.
        task: `regression`, `binary` or `multiclass`.
        input_shape: Shape of one example: `(height, width, channels)` or `(features,)`.
        value_range: Black and white of images; lowest and highest value of a table's rows.
        class_names: One name per class; empty for regression.
        feature_names: One name per column of a table; empty for images.
        target_name: Name of what is predicted, with its unit if it has one.
        encoding: Record of how a file's columns were encoded (see `csv`); empty otherwise.
        drawn: Manner in which drawings became the images, a key of `drawings.MANNERS`; empty for
            other data.
        examples: Number of examples in each split.
        fingerprint: SHA-256 of the data; empty if it was not computed.
    """

    name: str
    task: Task
    input_shape: tuple[int, ...]
    value_range: tuple[float, float] = (0.0, 1.0)
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    target_name: str = "class"
    encoding: Mapping[str, Any] = field(default_factory=dict)
    drawn: str = ""
    examples: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def inputs(self) -> Literal["images", "rows"]:
        """`images`, or `rows` of a table."""
        return "images" if len(self.input_shape) > 1 else "rows"

    @property
    def summary(self) -> str:
        """One line: `digits: multiclass, inputs (8, 8, 1) from 0 to 16, 1,221 train, …`."""
        sizes = ", ".join(f"{size:,} {part}" for part, size in self.examples.items())
        low, high = self.value_range
        scale = f" from {low:g} to {high:g}" if self.inputs == "images" else ""
        return f"{self.name}: {self.task}, inputs {self.input_shape}{scale}, {sizes}"

    def as_json(self) -> dict[str, Any]:
        """Return the facts as values that JSON can hold."""
        return asdict(self)

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
