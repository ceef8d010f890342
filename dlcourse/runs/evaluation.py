"""Metrics of a model on each split: the same for a training and for its saved run."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import PARTS, Examples, before_end, outside, value_range, white
from dlcourse.errors import RunError
from dlcourse.text_table import text_table

PREDICT_BATCH = 1024  # examples, or fewer if they are large
PREDICT_BYTES = 1 << 24  # largest size of a batch
READ_BYTES = 1 << 24  # read at a time from streamed images


def outputs(model: Any, x: np.ndarray) -> np.ndarray:
    """Return the outputs of a model for `x`: probabilities `(n, classes)` or predictions `(n,)`.

    A single sigmoid output p becomes the two columns (1 - p, p).
    """
    values = predict(model, x)
    if values.shape[1:] != (1,):
        return values
    if model.layers[-1].name == "prediction":
        return values[:, 0]
    return np.concatenate([1 - values, values], axis=1)


def predict(model: Any, x: Any) -> np.ndarray:
    """Return `model.predict(x)`; streamed images are read a few megabytes at a time."""
    size = max(1, x[:1].nbytes)
    batch = min(PREDICT_BATCH, max(1, PREDICT_BYTES // size))
    step = len(x) if isinstance(x, np.ndarray) else batch * max(1, READ_BYTES // (batch * size))
    starts = range(0, len(x), max(1, step))
    predictions = [model.predict(x[i : i + step], batch_size=batch, verbose=0) for i in starts]
    return np.concatenate(predictions)


def evaluate(
    model: Any, dataset: Any, parts: Sequence[str] = PARTS
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Return the metrics of each split in `parts`, and the outputs on the last of them.

    See `measures`. The loss is that of the data alone: no weight penalty, label smoothing, dropout
    or augmentation.
    """
    metrics: dict[str, dict[str, float]] = {}
    predicted = np.empty(0)
    for part in parts:
        x, y = dataset.splits[part]
        predicted = outputs(model, x)
        metrics[part] = measures(dataset.task, y, predicted, loss_unit(model))
    return metrics, predicted


def loss_unit(model: Any) -> float:
    """Return the unit of a regression's loss: the variance of the targets in training.

    The training measures its loss in it, too: 1 is the loss of predicting their mean. A model that
    does not scale its prediction has the unit 1.
    """
    return float(getattr(model.layers[-1], "scale", 1.0)) ** 2


def measures(task: str, y: np.ndarray, outputs: np.ndarray, unit: float = 1.0) -> dict[str, Any]:
    """Return the metrics of the outputs (see `outputs`) for the targets `y` `(n,)`.

    Classification, and each token of a text: `loss` (cross-entropy), `accuracy`, and `majority`,
    the share of the largest class: the accuracy of always naming it. Regression: `loss` (mean
    squared error / `unit`, see `loss_unit`), `mae` (in the target's unit) and `r2`.
    """
    from sklearn import metrics

    y, outputs = by_token(y, outputs)
    if task == "regression":
        return {
            "loss": float(metrics.mean_squared_error(y, outputs)) / unit,
            "mae": float(metrics.mean_absolute_error(y, outputs)),
            "r2": float(metrics.r2_score(y, outputs)) if len(y) > 1 else None,
        }
    chosen = outputs.astype("float64")
    chosen /= chosen.sum(axis=1, keepdims=True)  # float32 sums to 1 only within 1e-6
    return {
        "loss": float(metrics.log_loss(y, chosen, labels=np.arange(chosen.shape[1]))),
        "accuracy": float(metrics.accuracy_score(y, chosen.argmax(axis=1))),
        "majority": float(np.bincount(y).max() / len(y)),
    }


def by_token(y: np.ndarray, outputs: np.ndarray) -> Examples:
    """Return the tokens of texts `(n, steps)` and their outputs, each text up to its first end."""
    if y.ndim == 1:
        return y, outputs
    kept = np.arange(y.shape[1]) <= before_end(y).sum(axis=1, keepdims=True)
    return y[kept], outputs[kept]


def check_fit(run: Any, dataset: Any) -> None:
    """Raise a RunError unless the data set has the input shape, task and classes of the run."""
    facts = run.facts
    check_inputs(run, dataset)
    if (facts.class_names, facts.task) != (dataset.class_names, dataset.task):
        raise RunError(
            f"{run.path}: the model was trained for {facts.task} of {_few(facts.class_names)}, "
            f"but {dataset.name} is {dataset.task} of {_few(dataset.class_names)}"
        )


def check_range(run: Any, images: Any) -> None:
    """Raise a RunError if images have values outside those of the run's; warn if all are small."""
    if run.facts.inputs != "images":
        return
    (low, high), (least, most) = run.facts.value_range, value_range(images)
    ranges = f"values from {least:g} to {most:g}, the run's images from {low:g} to {high:g}"
    if outside(least, most, (low, high)):
        raise RunError(f"{run.path}: the images have {ranges}: scale them")
    if least < most and white(least, most) < white(low, high):
        warnings.warn(f"the images have {ranges}: are they scaled?", stacklevel=4)


def check_inputs(run: Any, dataset: Any) -> None:
    """Raise a RunError unless the data set has the input shape of the run; see `check_range`."""
    facts = run.facts
    if facts.input_shape != dataset.input_shape:
        reason = f"{run.path}: the model takes inputs of shape {facts.input_shape}, but "
        reason += f"{dataset.name} has {dataset.input_shape}"
        raise RunError(reason)
    for x, _ in getattr(dataset, "splits", {}).values():
        check_range(run, x)


def _few(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:6]) + (", …" if len(classes) > 6 else "") or "a number"


def per_class(
    y: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 and the number of examples of each class that has some."""
    from sklearn.metrics import precision_recall_fscore_support

    y, probabilities = by_token(y, probabilities)
    score: Any = precision_recall_fscore_support  # zero_division is annotated as a str
    columns = score(
        y, probabilities.argmax(axis=1), labels=np.arange(len(class_names)), zero_division=0
    )
    keys = ("precision", "recall", "f1", "examples")
    return {
        name: dict(zip(keys, map(float, row), strict=True))
        for name, row in zip(class_names, zip(*columns, strict=True), strict=True)
        if row[-1]
    }


def split_table(metrics: dict[str, Any], sizes: Mapping[str, int]) -> str:
    """Return a table as text, one row per split: number of examples and metrics."""
    names = list(metrics[[*sizes][-1]])
    rows = [
        [part, f"{n:,}", *(metric_text(metrics[part][key]) for key in names)]
        for part, n in sizes.items()
    ]
    return text_table(["split", "examples", *names], rows)


def metric_text(value: float | None) -> str:
    """Return a metric with four decimals, or four significant digits if it is large.

    None, for what an earlier version did not measure, gives an empty text.
    """
    return "" if value is None else f"{value:.4f}" if abs(value) < 10_000 else f"{value:.4g}"
