"""Findings of a diagnosis: the record, all thresholds, and links to the course."""

from dataclasses import asdict, dataclass, replace
from typing import Any

THRESHOLDS = {
    # skill: 0 for the constant baseline, 1 for perfect predictions
    "learned": 0.12,  # below: no better than the constant baseline
    "fitted": 0.80,  # the training examples count as learned
    # over-fitting
    "accuracy_gap": 0.08,  # training minus validation accuracy, beyond its sampling error
    "loss_rise": 0.12,  # validation loss minus its minimum, in units of the baseline's loss
    "loss_gap": 0.30,  # validation minus training loss, in the same units
    # learning rate
    "peak": 2.0,  # loss of an epoch, in units of the baseline's loss
    "peak_stuck": 1.5,  # the same, if the loss then stays at the baseline's
    "peak_alone": 4.0,  # the same without an X-ray: wide initial weights may be the cause
    "wide": 1.5,  # spread of the untrained logits that by itself explains such a loss
    "scattered": 100.0,  # spread of the trained logits: probabilities are only 0 and 1
    "rise": 1.3,  # ratio of the last loss to the first
    "swing": 0.019,  # mean rise of the loss from epoch to epoch, in the same units as loss_rise
    "swings": 0.35,  # rises over falls: 0 for a loss that only falls, 1 for no progress
    "norm_start": 0.05,  # share of batch normalization's initial statistics that is left
    "late_fall": 0.25,  # share of the whole fall that occurs in the last half of the epochs
    "unfinished": 0.30,  # remaining loss, in units of the baseline's loss
    # validation
    "few": 14,  # validation examples: one of them is more than 7 points of accuracy
    "jitter": 0.10,  # mean change of validation relative to training from epoch to epoch
    "better": 0.10,  # validation over training, without dropout and augmentation
    "gives_away": 0.50,  # skill of the number of the row alone
    "duplicates": 0.10,  # share of validation or test examples that are in the training split too
    "imbalance": 6.0,  # examples of the largest class over those of the smallest
    "stopping_fall": 0.02,  # fall of the training loss per epoch before an early stop, as a share
    "trend": 3,  # epochs: fewer show no trend
    "short": 5,  # epochs: fewer, if the loss falls in each, show only that it falls
    # layers
    "vanishing": 1e-3,  # ratio of a layer's gradient norm to the largest of all layers
    "none_left": 1e-6,  # the largest gradient norm of a converged training: nothing to vanish
    "exploding": 100.0,  # a layer's gradient norm
    "dead": 0.80,  # share of a layer's ReLU units that are 0 for every example
    "saturated": 0.50,  # share of a layer's values that are saturated, before training
    "saturated_trained": 0.90,  # after training, when confident neurons are saturated too
    "symmetric": 0.90,  # share of a layer's neurons whose weights equal another's
}

LINKS = {
    "learning_rate_too_large": ("S0, S2, S3: learning rate", "notebooks/02_gradient_descent"),
    "symmetric_layers": ("S1, S4: random initialisation", "notebooks/08_when_training_goes_wrong"),
    "exploding_gradients": ("S1, S2: exploding", "notebooks/08_when_training_goes_wrong"),
    "vanishing_gradients": ("S1, S2: vanishing", "notebooks/08_when_training_goes_wrong"),
    "dead_layers": ("S4: ReLU", "notebooks/08_when_training_goes_wrong"),
    "saturated_layers": ("S2, S4: sigmoid and tanh", "notebooks/04_activations_and_softmax"),
    "batch_norm_behind": ("S1: training and test data", "notebooks/08_when_training_goes_wrong"),
    "not_learning": ("S1: the training process", "notebooks/08_when_training_goes_wrong"),
    "leakage": ("S1: training, validation and test data", "notebooks/07_overfitting"),
    "over_fitting": ("S1, S2: over-fitting", "notebooks/07_overfitting"),
    "early_stop_too_eager": ("S1: early stopping", "notebooks/07_overfitting"),
    "learning_rate_too_small": ("S0, S2, S3: learning rate", "notebooks/02_gradient_descent"),
    "under_fitting": ("S1, S2: under-fitting", "notebooks/07_overfitting"),
    "no_better_than_naive": ("S1: the training process", "notebooks/10_sequences"),
    "class_imbalance": ("S4: features and labels", "notebooks/08_when_training_goes_wrong"),
    "noisy_validation": ("S1: training, validation and test data", "notebooks/07_overfitting"),
    "good_fit": ("S1, S2: a good fit", "notebooks/07_overfitting"),
}
"""Every finding, most serious first, with its slide and notebook."""


@dataclass(frozen=True)
class Finding:
    """One observation on a training.

    Attributes:
        name: Key of `LINKS`.
        sentence: Description of the problem and its meaning.
        evidence: Numbers that support it.
        override: One change to try, as a recipe override (the setting alone, if no recipe is
            known); empty for a good fit, or if no setting helps.
        epoch: Epoch (from 1) where it shows first; 0 for before the training, None for all epochs.
        layers: Names of the affected layers; empty for a finding on the curves.
    """

    name: str
    sentence: str
    evidence: str
    override: str = ""
    epoch: int | None = None
    layers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as text."""
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
        when = f" (epoch {self.epoch})" if self.epoch else " (before the first epoch)"
        when = "" if self.epoch is None else when
        lines = [f"{self.title}{when}", f"  {self.sentence}", f"  evidence  {self.evidence}"]
        if self.override:
            lines.append(f"  try       {self.override}")
        return "\n".join([*lines, f"  read      slides {self.slide}; {self.notebook}"])

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain types, for JSON."""
        links = {"slide": self.slide, "notebook": self.notebook}
        return {**asdict(self), "layers": list(self.layers), **links}


class Findings(list[Finding]):
    """Findings, most serious first; printed, they are numbered and explained.

    Attributes:
        why_none: Reason for an empty list.
    """

    why_none = "too little is known, or nothing stands out"

    def __str__(self) -> str:
        texts = [f"{number}. {finding}" for number, finding in enumerate(self, 1)]
        return "\n\n".join(texts) or f"no finding: {self.why_none}"

    __repr__ = __str__
