"""What a diagnosis says: the record of a finding, all thresholds, and where each is explained."""

from dataclasses import asdict, dataclass, replace
from typing import Any

THRESHOLDS = {
    # shares of the way from the constant answer (0) to a perfect one (1)
    "learned": 0.12,  # below: no better than the constant answer
    "fitted": 0.80,  # the training examples count as learned
    # over-fitting
    "accuracy_gap": 0.08,  # training over validation accuracy, beside its sampling error
    "loss_rise": 0.12,  # validation loss over its lowest, in units of the constant answer's
    "loss_gap": 0.30,  # validation over training loss, in the same units
    # learning rate
    "peak": 2.0,  # loss of an epoch, in units of the constant answer's
    "peak_stuck": 1.5,  # the same, where the loss then rests at the constant answer's
    "peak_alone": 4.0,  # the same without an X-ray: wide initial weights may be the cause
    "wide": 1.5,  # spread of the untrained logits that explains such a loss by itself
    "scattered": 100.0,  # spread of the trained logits: probabilities of 0 and 1 alone
    "rise": 1.3,  # last loss over the first
    "swing": 0.019,  # mean rise of the loss from epoch to epoch, in the same units as loss_rise
    "swings": 0.35,  # rises over falls: 0 falls always, 1 gets nowhere
    "late_fall": 0.25,  # share of the whole fall that lies in the last half of the epochs
    "unfinished": 0.30,  # loss that is left, in units of the constant answer's
    # validation
    "few": 14,  # validation examples: one of them is more than 7 points of accuracy
    "jitter": 0.10,  # mean change of validation against training from epoch to epoch
    "better": 0.10,  # validation over training, undisturbed by dropout and augmentation
    "duplicates": 0.10,  # share of validation or test examples that stand in the training too
    "imbalance": 6.0,  # examples of the largest class over those of the smallest
    "stopping_fall": 0.02,  # of the training loss an epoch, before an early stop
    "told": 3,  # epochs: fewer show no course
    "short": 5,  # epochs: fewer, if the loss falls in each, tell only that it falls
    # layers
    "vanishing": 1e-3,  # a layer's gradient norm over the largest of all layers
    "none_left": 1e-6,  # the largest gradient norm of a training that is done: nothing to vanish
    "exploding": 100.0,  # a layer's gradient norm
    "dead": 0.80,  # share of a layer's ReLU units that are 0 for every example
    "saturated": 0.50,  # share of a layer's values at the flat ends, before training
    "saturated_trained": 0.90,  # after training, when neurons that have decided are flat too
    "symmetric": 0.90,  # share of a layer's neurons whose weights equal another's
}

LINKS = {
    "learning_rate_too_large": ("S0, S2, S3: learning rate", "notebooks/02_gradient_descent"),
    "symmetric_layers": ("S1, S4: random initialisation", "notebooks/08_when_training_goes_wrong"),
    "exploding_gradients": ("S1, S2: exploding", "notebooks/08_when_training_goes_wrong"),
    "vanishing_gradients": ("S1, S2: vanishing", "notebooks/08_when_training_goes_wrong"),
    "dead_layers": ("S4: ReLU", "notebooks/08_when_training_goes_wrong"),
    "saturated_layers": ("S2, S4: sigmoid and tanh", "notebooks/04_activations_and_softmax"),
    "not_learning": ("S1: the training process", "notebooks/08_when_training_goes_wrong"),
    "leakage": ("S1: training, validation and test data", "notebooks/07_overfitting"),
    "over_fitting": ("S1, S2: over-fitting", "notebooks/07_overfitting"),
    "early_stop_too_eager": ("S1: early stopping", "notebooks/07_overfitting"),
    "learning_rate_too_small": ("S0, S2, S3: learning rate", "notebooks/02_gradient_descent"),
    "under_fitting": ("S1, S2: under-fitting", "notebooks/07_overfitting"),
    "class_imbalance": ("S4: features and labels", "notebooks/08_when_training_goes_wrong"),
    "noisy_validation": ("S1: training, validation and test data", "notebooks/07_overfitting"),
    "good_fit": ("S1, S2: a good fit", "notebooks/07_overfitting"),
}
"""Every finding, most serious first, with its slide and notebook."""


@dataclass(frozen=True)
class Finding:
    """One thing that a training shows.

    Attributes:
        name: A key of `LINKS`.
        sentence: What it is and what it means.
        evidence: The numbers that it rests on.
        override: One thing to try, as a recipe override (its setting alone, where no
            recipe is known); empty for a good fit.
        epoch: The epoch (from 1) where it shows first; 0 is before the training, None the whole.
        layers: The layers that it is about; none for a finding on the curves.
    """

    name: str
    sentence: str
    evidence: str
    override: str = ""
    epoch: int | None = None
    layers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_fitting", "-fitting").replace("_", " ")

    @property
    def slide(self) -> str:
        """The slides that explain it."""
        return LINKS[self.name][0]

    @property
    def notebook(self) -> str:
        """The notebook that explains it."""
        return LINKS[self.name][1]

    def without_group(self) -> "Finding":
        """Return the finding with the override's setting alone: `learning_rate=0.01`."""
        group, _, setting = self.override.partition(".")
        return replace(self, override=setting) if group.isidentifier() else self

    def __str__(self) -> str:
        when = "" if self.epoch is None else f" ({_when(self.epoch)})"
        lines = [f"{self.title}{when}", f"  {self.sentence}", f"  evidence  {self.evidence}"]
        if self.override:
            lines.append(f"  try       {self.override}")
        return "\n".join([*lines, f"  read      slides {self.slide}; {self.notebook}"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything in plain types, for JSON."""
        links = {"slide": self.slide, "notebook": self.notebook}
        return {**asdict(self), "layers": list(self.layers), **links}


class Findings(list[Finding]):
    """Findings, most serious first; printed, they are numbered and explained.

    Attributes:
        why_none: Why there may be none.
    """

    why_none = "too little is known, or nothing stands out"

    def __str__(self) -> str:
        told = [f"{number}. {finding}" for number, finding in enumerate(self, 1)]
        return "\n\n".join(told) or f"no finding: {self.why_none}"

    __repr__ = __str__


def _when(epoch: int) -> str:
    return f"epoch {epoch}" if epoch else "before the first epoch"
