"""What a prediction without a network reaches: naive forecasts, and the counts of n-grams."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcourse.datasets.series import naive_forecasts
from dlcourse.heavy import pd
from dlcourse.runs.evaluation import by_token, metric_text

ORDERS = {"bigram": 2, "trigram": 3, "4-gram": 4}
SMOOTHING = (0.01, 0.03, 0.1, 0.3, 1.0)


def naive_errors(dataset: Any) -> dict[str, dict[str, float]]:
    """Return the error of predictions without a network by split and name; {} for most data.

    It is the mean absolute error of a series' naive forecasts, or the loss of n-grams of a text.
    """
    if dataset.task == "next_token":
        return {"test": ngram_losses(dataset)}
    errors: dict[str, dict[str, float]] = {}
    for part, (x, y) in dataset.splits.items() if "series" in dataset.encoding else ():
        forecasts = naive_forecasts(x, dataset.encoding)
        errors[part] = {name: float(np.abs(each - y).mean()) for name, each in forecasts.items()}
    return errors


def naive_text(metrics: Mapping[str, Any]) -> str:
    """Return one line: the errors of naive predictions and of the network on the test split."""
    if not (naive := metrics.get("naive")):
        return ""
    kind = "mae" if "mae" in metrics["test"] else "loss"
    told = ", ".join(f"{name} {metric_text(error)}" for name, error in naive["test"].items())
    network = metric_text(metrics["test"][kind])
    return f"without a network, test {kind}: {told}; the network {network}\n"


def ngram_losses(dataset: Any) -> dict[str, float]:
    """Return the mean of -ln p of each test token, for p from the counts of n-grams before it.

    The counts are of training and validation together, so the network has fewer texts than they.
    p is (count of the n-gram + α) / (count of its first n - 1 tokens + α · tokens), with the α that
    is best on the validation split. The end of a text is a token.

    Args:
        dataset: Data set with the task `next_token`.
    """
    size, losses = len(dataset.class_names), {}
    for name, order in ORDERS.items():
        train, val, test = (_grams(y, order, size) for _, y in dataset.splits.values())
        best = min(SMOOTHING, key=lambda alpha: _loss(train, val, size, alpha))
        losses[name] = _loss(np.concatenate([train, val]), test, size, best)
    return losses


def _grams(y: np.ndarray, order: int, size: int) -> np.ndarray:
    """Return the n-gram that ends at each token, as one number, up to each text's first end."""
    before = np.pad(y, ((0, 0), (order - 1, 0)))  # the end stands before the start, too
    windows = np.lib.stride_tricks.sliding_window_view(before, order, axis=1)
    number = windows @ size ** np.arange(order)[::-1]
    return by_token(y, number)[1]


def _loss(train: np.ndarray, test: np.ndarray, size: int, alpha: float) -> float:
    whole, start = (
        pd.Series(known).value_counts().reindex(wanted, fill_value=0).to_numpy()
        for known, wanted in ((train, test), (train // size, test // size))
    )
    return float(-np.log((whole + alpha) / (start + alpha * size)).mean())
