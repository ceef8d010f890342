"""The evidence of a diagnosis: a training's history, and further facts if they are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, get_args

import numpy as np

from dlcourse.datasets.facts import Task
from dlcourse.errors import UserError
from dlcourse.schema import Natural, Number, Positive, flat, shown

DISTURBING = ("Dropout", "SpatialDropout", "AlphaDropout", "GaussianNoise", "Random")
DISTURBING_SETTINGS = (
    "model.dropout",
    "model.noise",
    "training.augmentation",
    "training.class_weights",  # they weight only the training loss
)


class LayerStatistics(NamedTuple):
    """Statistics of one layer on a sample of real examples.

    Attributes:
        name: Name of the layer with the weights.
        activation: Name of its activation, `linear` if it has none.
        units: Number of neurons or filters.
        mean, spread: Mean and standard deviation of its activations.
        saturated: Share of its activations in the saturated ranges of sigmoid or tanh.
        dead: Share of its ReLU units that are 0 for every example.
        gradient_norm: Euclidean norm of the gradient of the loss with respect to its weights.
        gradient_to_weight: Ratio of that norm to the norm of the weights.
        equal: Share of its units whose weights equal another unit's.
        output: Whether it is the model's last layer with weights.
    """

    name: str
    activation: str
    units: int
    mean: float
    spread: float
    saturated: float
    dead: float
    gradient_norm: float
    gradient_to_weight: float
    equal: float
    output: bool


@dataclass(frozen=True)
class Evidence:
    """A history and what is known of its training; None or empty means not known.

    Attributes:
        history: One array `(epochs,)` per column: `loss`, and `val_loss`, `accuracy` … if measured.
        task: Task of the data set: `multiclass`, `binary`, `regression` or `next_token`.
        class_counts: Number of training examples of each class.
        baseline: Loss of the constant baseline.
        chance: Accuracy of the constant baseline (majority-class prediction).
        val_examples: Size of the validation split.
        noisy_training: Whether training is measured under dropout, noise or augmentation.
        stopped_early: Whether early stopping ended the training.
        duplicates: Share of validation or test examples that are training examples too.
        leak: Name of a column that gives the label away, and how.
        norm_start: Share of batch normalization's initial statistics that is left in its running
            ones; None without such layers.
        evaluated: Metrics of the kept weights by split, without penalty or dropout.
        naive: Mean absolute error on validation of each naive forecast of a series, by its name.
        settings: Settings of the recipe, flat: `training.learning_rate` …
        xray: Layer statistics by epoch (0 is before the training).
    """

    history: dict[str, np.ndarray]
    task: str | None = None
    class_counts: tuple[int, ...] = ()
    baseline: float | None = None
    chance: float | None = None
    val_examples: int | None = None
    noisy_training: bool | None = None
    stopped_early: bool = False
    duplicates: float | None = None
    leak: tuple[str, str] | None = None
    norm_start: float | None = None
    evaluated: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    naive: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    xray: Mapping[int, Sequence[LayerStatistics]] = field(default_factory=dict)

    @property
    def loss(self) -> np.ndarray:
        """The training loss by epoch."""
        return self.history["loss"]

    @property
    def val_loss(self) -> np.ndarray | None:
        """The validation loss by epoch, or None."""
        return self.history.get("val_loss")

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.loss)

    @property
    def losses(self) -> list[np.ndarray]:
        """The training loss and, if measured, the validation loss."""
        return [self.history[name] for name in ("loss", "val_loss") if name in self.history]

    @property
    def finite(self) -> bool:
        """Whether no loss is NaN or infinite."""
        return bool(np.isfinite(self.losses).all())

    @cached_property
    def unit(self) -> float:
        """Unit of losses: the constant baseline's loss, at least ln k for k classes.

        If neither is known, it is the loss of the first epoch.
        """
        losses = [self.baseline or 0.0, np.log(len(self.class_counts) or 1)]
        finite = self.loss[np.isfinite(self.loss)]
        return float(max(losses)) or (float(finite[0]) if len(finite) else 0.0) or 1.0

    def skill(self, part: str = "") -> np.ndarray | None:
        """Return the skill by epoch: 0 for the constant baseline, 1 for perfect predictions.

        It is computed from the accuracy if its chance level is known, otherwise from the loss.
        """
        accuracy, loss = self.history.get(f"{part}accuracy"), self.history.get(f"{part}loss")
        if accuracy is not None and self.chance is not None:
            return (accuracy - self.chance) / (1 - self.chance)
        return None if loss is None or not self.baseline else 1 - loss / self.baseline

    def reached(self, part: str) -> float | None:
        """Return the skill on `train` or `val` at the end or, if better, of the kept weights."""
        curve = self.skill("val_" if part == "val" else "")
        values = [] if curve is None else [float(np.median(curve[-3:]))]
        scores = self.evaluated.get(part, {})
        if "accuracy" in scores and self.chance is not None:
            values.append((scores["accuracy"] - self.chance) / (1 - self.chance))
        elif "r2" in scores:
            values.append(scores["r2"])
        return max(values) if values else None

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a recipe setting, or the default if it is unknown or null."""
        value = self.settings.get(name)
        return default if value is None else value


def evidence(
    history: Any,
    *,
    model: Any = None,
    task: str | None = None,
    classes: Positive | None = None,
    class_counts: Any = None,
    baseline: Number | None = None,
    settings: Mapping[str, Any] | None = None,
    xray: Any = None,
    val_examples: Natural | None = None,
    noisy_training: bool | None = None,
    stopped_early: bool | None = None,
    duplicates: Number | None = None,
    leak: tuple[str, str] | None = None,
    norm_start: Number | None = None,
    evaluated: Mapping[str, Any] | None = None,
    naive: Mapping[str, Any] | None = None,
    chance: Number | None = None,
) -> Evidence:
    """Return the evidence; see `diagnose` for the arguments.

    Raises:
        UserError: The history is not a history, is empty, or has columns of different lengths.
    """
    columns = _columns(history)
    read = _of_keras(history, model)
    classes = classes or read.pop("classes", None)
    settings = {**read.pop("settings", {}), **flat(settings or {})}
    counts = _counts(class_counts)
    task = task or _task(columns, classes, counts)
    if task not in (None, *get_args(Task)):
        raise UserError(f"task: expected {', '.join(get_args(Task))}, got {task!r}")
    shares = np.array(counts or [1] * (classes or (2 if task == "binary" else 0)), "float64")
    if task != "regression" and len(shares) > 1:
        shares = shares / shares.sum()
        weighted = settings.get("training.class_weights") == "balanced"
        even = np.full(len(shares), 1 / len(shares))
        baseline = baseline or entropy(even if weighted else shares)
        if task != "next_token":  # a token is not determined: only the loss tells what is learned
            chance = float(shares.max()) if chance is None else chance
    epochs = len(columns["loss"])
    if noisy_training is None:
        noise = [bool(settings[key]) for key in DISTURBING_SETTINGS if key in settings]
        noise += [read["disturbed"]] if "disturbed" in read else []
        noisy_training = any(noise) if noise else None
    if stopped_early is None:
        stopped_early = bool(epochs < (settings.get("training.epochs") or 0))
    layers = _by_epoch(xray, epochs)
    norm_start = read.get("norm_start") if norm_start is None else norm_start
    facts = (val_examples, noisy_training, stopped_early, duplicates, leak, norm_start)
    facts = (*facts, evaluated or {}, naive or {})
    return Evidence(columns, task, counts, baseline, chance, *facts, settings, layers)


def entropy(shares: np.ndarray) -> float:
    """Return −Σ p ln p: the cross-entropy of the constant baseline."""
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def _columns(history: Any) -> dict[str, np.ndarray]:
    """Return the columns of the history as float64 arrays, under the names of this package."""
    table = getattr(history, "history", history)
    if not isinstance(table, Mapping):
        kind = type(history).__name__
        raise UserError(f"history: expected a dict, a Keras History or a Run, got {kind}")
    from dlcourse.plots.training import renamed

    columns: dict[str, np.ndarray] = {}
    for key, values in renamed(table).items():
        try:
            columns[key] = np.asarray(values, "float64").reshape(-1)
        except (TypeError, ValueError):
            raise UserError(f"history: {key!r} is not a list of numbers") from None
    if "loss" not in columns:
        names = ", ".join(columns) or "no columns"
        raise UserError(f"history: has no 'loss' (it has {names})")
    if not len(columns["loss"]):
        raise UserError("history: has no epoch: nothing was trained")
    for key, values in columns.items():
        if len(values) != len(columns["loss"]):
            reason = f"history: {key!r} has {len(values)} epochs, 'loss' has {len(columns['loss'])}"
            raise UserError(reason)
    return columns


def _of_keras(history: Any, model: Any = None) -> dict[str, Any]:
    """Return what a Keras `History` and its model contain: classes, learning rate, epochs."""
    if model is not None and not isinstance(getattr(model, "layers", None), list):
        raise UserError(f"model: expected the trained Keras model, got {shown(model)}")
    model = model or getattr(history, "model", None)
    layers = getattr(model, "layers", None)
    if not isinstance(layers, list):
        return {}
    kinds = {type(layer).__name__ for layer in layers}
    settings = {"training.epochs": (getattr(history, "params", None) or {}).get("epochs")}
    optimizer = getattr(model, "optimizer", None)
    if (rate := getattr(optimizer, "learning_rate", None)) is not None:
        settings["training.learning_rate"] = float(rate)
    shape = getattr(layers[-1], "output", None) if layers else None
    units = getattr(shape, "shape", (None,))[-1]
    activation = getattr(getattr(layers[-1], "activation", None), "__name__", "") if layers else ""
    classes = {"softmax": units, "sigmoid": 2 if units == 1 else None}.get(activation)
    return {
        "settings": {key: value for key, value in settings.items() if value is not None},
        "disturbed": any(kind.startswith(DISTURBING) for kind in kinds),
        "classes": classes,
        "norm_start": norm_start(model, int(getattr(optimizer, "iterations", 1_000_000))),
    }


def norm_start(model: Any, steps: int) -> float | None:
    """Return the share of batch normalization's initial statistics that is left after the steps."""
    flat = [layer for layer in model._flatten_layers() if layer.trainable]
    norms = [layer for layer in flat if type(layer).__name__ == "BatchNormalization"]
    return max((layer.momentum**steps for layer in norms), default=None)


def _counts(values: Any) -> tuple[int, ...]:
    counts = np.asarray(() if values is None else values)
    good = counts.ndim == 1 and counts.dtype.kind in "iuf" and (counts >= 0).all()
    if not good or (len(counts) and not counts.sum()):
        raise UserError(f"class_counts: expected one number per class, got {shown(values)}")
    return tuple(map(int, counts))


def _task(columns: Mapping[str, Any], classes: int | None, counts: Sequence[int]) -> str | None:
    classes = classes or len(counts)
    if classes:
        return "binary" if classes == 2 else "multiclass"
    return "regression" if "mae" in columns and "accuracy" not in columns else None


def _by_epoch(xray: Any, epochs: int) -> dict[int, list[LayerStatistics]]:
    if xray is None:
        return {}
    layers = getattr(xray, "by_epoch", xray)
    by_epoch = dict(layers) if isinstance(layers, Mapping) else {epochs: layers}
    for read in by_epoch.values():
        if not isinstance(read, Sequence) or not all(isinstance(x, LayerStatistics) for x in read):
            raise UserError(f"xray: expected LayerStatistics, or lists by epoch, got {shown(xray)}")
    return {epoch: read for epoch, read in by_epoch.items() if read}
