"""The X-ray: activations and gradients of each layer on a few real examples."""

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets.dataset import Dataset, value_range
from dlcourse.errors import RunError, UserError
from dlcourse.heavy import keras, ops
from dlcourse.lab.diagnosis import LayerStatistics
from dlcourse.models import build_model
from dlcourse.runs import Run, write_rows
from dlcourse.visualizers import hooks
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import Target, target_of

PROBE_EXAMPLES = 256
XRAY = "xray.csv"

FLAT_ENDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda a: (a < 0.05) | (a > 0.95),
    "hard_sigmoid": lambda a: (a < 0.05) | (a > 0.95),
    "tanh": lambda a: np.abs(a) > 0.95,
    "softsign": lambda a: np.abs(a) > 0.95,
}
"""Saturated values, of small derivative: inputs beyond ±2.9 for sigmoid, ±1.8 for tanh."""
EQUAL_WITHIN = 1e-5  # relative to a neuron's largest weight: float32 rounding is smaller


class LayerReading(NamedTuple):
    """One layer's activations `(n, …, units)`, and its weights with their gradients."""

    name: str
    activation: str
    activations: np.ndarray
    weights: list[np.ndarray]
    gradients: list[np.ndarray]


def xray(model: Any, inputs: Any, targets: np.ndarray) -> list[LayerStatistics]:
    """Return the statistics of every layer with weights, in order.

    The gradients are those of the mean loss over the examples: cross-entropy from the logits, or
    squared error divided by the targets' variance, without penalty, dropout or augmentation.

    Args:
        model: Any Keras 3 model; it is not changed and need not be compiled.
        inputs: Real examples `(n, …)` in the model's own value range; the first 256 are used.
        targets: Labels or target values `(n,)`, one-hot rows, or the tokens of texts `(n, steps)`.

    Raises:
        UserError: The examples do not fit the model, or no layer has weights.
    """
    readings = read_layers(model, inputs, targets)
    return [_statistics(reading, output=reading is readings[-1]) for reading in readings]


def read_layers(model: Any, inputs: Any, targets: np.ndarray) -> list[LayerReading]:
    """Return activations, weights and gradients of every layer with weights; see `xray`."""
    first, several = slice(PROBE_EXAMPLES), isinstance(inputs, list | tuple)
    inputs = [x[first] for x in inputs] if several else np.asarray(inputs[first])
    targets = np.asarray(targets)[first]
    target = target_of(model, inputs, 0).at(slice(None))
    if len(targets) != len(target.inputs[0]):
        raise UserError(f"xray: got {len(target.inputs[0])} inputs but {len(targets)} targets")
    places = _places(model, target.calls)
    if not places:
        raise UserError("xray: the model has no layer with weights")
    loss = _loss(target, targets)
    function = _probe(target.reader, places, loss)
    marks = tuple((call.position, call.number) for pair in places for call in pair)
    outputs, gradients = target.run(
        ("xray", marks, loss), function, target.inputs, _prepared(targets, loss)
    )
    layers, rest = hooks.all_layers(model), iter(gradients)
    return [
        LayerReading(
            layer.name,
            _activation(layers[shown.position]),
            np.asarray(output, "float32"),
            [np.asarray(variable, "float64") for variable in layers[layer.position].weights],
            [np.asarray(next(rest), "float64") for _ in layers[layer.position].weights],
        )
        for (layer, shown), output in zip(places, outputs, strict=True)
    ]


Places = list[tuple[LayerCall, LayerCall]]
"""Each layer with weights, and the layer of its activation: itself, or one after it."""


def _places(model: Any, calls: Sequence[LayerCall]) -> Places:
    layers = hooks.all_layers(model)
    pairs: Places = []
    for number, call in enumerate(calls):
        if call.shape and hooks.has_kernel(layers[call.position]):
            pairs.append((call, _shown(layers, call, calls[number + 1 :])))
    last: dict[int, tuple[LayerCall, LayerCall]] = {pair[0].position: pair for pair in pairs}
    return list(last.values())


def _shown(layers: list, layer: LayerCall, behind: Iterable[LayerCall]) -> LayerCall:
    """Return the call of the activation after a linear layer, past its normalisation."""
    if _activation(layers[layer.position]) != "linear":
        return layer
    for call in behind:
        if _activation(layers[call.position]) != "linear":
            # for the model's softmax, the logits are shown
            return layer if call.output_indices else call
        if "Normalization" not in call.kind:
            break
    return layer


def _activation(layer: Any) -> str:
    """Return the name of a layer's activation; `linear` if it has none."""
    kinds = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu"}
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name or kinds.get(type(layer).__name__, "linear")


def _loss(target: Target, targets: np.ndarray) -> str:
    """Return the loss that fits the model's output and the targets."""
    if target.output_activation is None and (targets.dtype.kind == "f" or len(targets.shape) > 1):
        return "squared error"
    return "binary" if target.output_activation == "sigmoid" else "categorical"


def _prepared(targets: np.ndarray, loss: str) -> np.ndarray:
    """Return labels `(n,)`, tokens `(n, steps)`, or float32 targets `(n, outputs)`."""
    if loss == "categorical":
        several = targets.ndim > 1 and targets.shape[-1] > 1
        if several and (targets.sum(axis=-1) == 1).all():
            targets = targets.argmax(-1)
        return (targets if several else targets.reshape(len(targets))).astype("int32")
    return targets.reshape(len(targets), -1).astype("float32")


def _probe(reader: Any, places: Places, loss: str) -> Callable[..., Any]:
    """Return `probe(model, inputs, targets)` → activations of the places, gradients of weights."""

    def probe(model: Any, inputs: list, targets: Any) -> tuple[list, list]:
        layers, variables = hooks.all_layers(model), model.variables
        learning = [w for layer, _ in places for w in layers[layer.position].weights]
        now = {id(variable): variable.value for variable in variables}

        def losses(values: list, inputs: list, targets: Any) -> tuple[Any, list]:
            changed = {**now, **dict(zip(map(id, learning), values, strict=True))}
            mapping = [(variable, changed[id(variable)]) for variable in variables]
            with keras.StatelessScope(state_mapping=mapping):
                outputs, shown = reader.read(model, inputs, [call for _, call in places])
            errors: Any = _errors(loss, outputs, targets)
            return errors / outputs.shape[0], shown

        values = [now[id(variable)] for variable in learning]
        _, gradients, shown = value_and_gradient(losses)(values, inputs, targets)
        return shown, gradients

    return probe


def _errors(loss: str, outputs: Any, targets: Any) -> Any:
    """Return the loss of each example."""
    if loss == "categorical":
        loss_of: Any = keras.losses.sparse_categorical_crossentropy
        errors = loss_of(targets, outputs, from_logits=True)
        if len(errors.shape) == 1:
            return errors
        steps: Any = ops.arange(targets.shape[1])  # up to each text's first end
        kept = ops.cast(steps <= ops.sum(targets > 0, axis=1, keepdims=True), errors.dtype)
        return errors * kept * targets.shape[0] / ops.sum(kept)
    if loss == "binary":
        return keras.losses.binary_crossentropy(targets, outputs, from_logits=True)
    variance = keras.ops.maximum(keras.ops.var(targets), 1e-12)
    squares: Any = keras.losses.mean_squared_error(targets, outputs)
    return squares / variance


def _statistics(reading: LayerReading, *, output: bool) -> LayerStatistics:
    values = reading.activations.reshape(-1, reading.activations.shape[-1])
    flat = FLAT_ENDS.get(reading.activation)
    gradient, weight = (
        float(np.sqrt(sum(np.square(part).sum() for part in parts)))
        for parts in (reading.gradients, reading.weights)
    )
    return LayerStatistics(
        name=reading.name,
        activation=reading.activation,
        units=values.shape[1],
        mean=float(values.mean()),
        spread=float(values.std()),
        saturated=float(flat(values).mean()) if flat else 0.0,
        dead=float((values == 0).all(axis=0).mean()) if reading.activation == "relu" else 0.0,
        gradient_norm=gradient,
        gradient_to_weight=gradient / weight if weight else (np.inf if gradient else 0.0),
        equal=equal_share(reading.weights[0]),
        output=output,
    )


def equal_share(kernel: np.ndarray) -> float:
    """Return the share of a kernel's columns `(…, units)` that equal another column."""
    columns = kernel.reshape(-1, kernel.shape[-1]).T
    if len(columns) < 2:
        return 0.0
    # sorted along a random direction, equal columns are neighbours
    direction = np.random.default_rng(0).standard_normal(columns.shape[1])
    columns = columns[np.argsort(columns @ direction)]
    size = np.abs(columns).max(axis=1)
    same = np.abs(np.diff(columns, axis=0)).max(axis=1) <= EQUAL_WITHIN * size[1:]
    return float((np.append(same, False) | np.append(False, same)).mean())


def write_xray(run: Run, by_epoch: dict[int, list[LayerStatistics]]) -> None:
    """Write `xray.csv`: one row per layer and epoch, 0 for before the training."""
    rows = [
        {"epoch": epoch, **layer._asdict()}
        for epoch, layers in by_epoch.items()
        for layer in layers
    ]
    write_rows(run.path / XRAY, rows)


def read_xray(run: Run) -> dict[int, list[LayerStatistics]]:
    """Return the statistics that a run recorded, by epoch.

    Raises:
        RunError: It recorded none (train with --xray), or the file is broken.
    """
    path = run.file(XRAY)
    by_epoch: dict[int, list[LayerStatistics]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                by_epoch.setdefault(int(row.pop("epoch")), []).append(_row(row))
    except (KeyError, ValueError, TypeError, csv.Error):
        raise RunError(f"{path}: is broken: it is not a table of layer statistics") from None
    return by_epoch


def _row(row: dict[str, str]) -> LayerStatistics:
    types = {"name": str, "activation": str, "units": int, "output": lambda text: text == "True"}
    return LayerStatistics(**{key: types.get(key, float)(value) for key, value in row.items()})


def depth_scan(
    x: np.ndarray,
    y: np.ndarray,
    *,
    depth: int = 20,
    units: int = 64,
    activations: Sequence[str] = ("sigmoid", "tanh", "relu"),
    initializers: Sequence[str] = ("random_normal", "glorot_uniform", "he_normal", "large_normal"),
) -> dict[tuple[str, str], list[LayerStatistics]]:
    """Return the statistics of untrained hidden layers for each (activation, initializer).

    Args:
        x, y: Real examples `(n, …)` and labels `(n,)` from 0.
        depth, units: Number of hidden layers, and their width.
        activations, initializers: Settings of the model `dnn`.
    """
    facts = {"value_range": value_range(x), "class_names": tuple(map(str, range(int(y.max()) + 1)))}
    data = Dataset("examples", "multiclass", x, y, x[:0], y[:0], x[:0], y[:0], **facts)
    scan = {}
    for activation in activations:
        for initializer in initializers:
            settings: dict[str, Any] = {"activation": activation, "initializer": initializer}
            model = build_model("dnn", data, hidden=(units,) * depth, **settings)
            scan[activation, initializer] = xray(model, x, y)[:-1]
    return scan
