"""The X-ray: what each layer does on a few real examples, and what gradient reaches it."""

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.datasets.dataset import Dataset, value_range
from dlcourse.errors import RunError, UserError
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
"""Where an activation's derivative is small: for sigmoid beyond ±2.9, for tanh beyond ±1.8."""
EQUAL_WITHIN = 1e-5  # of a neuron's largest weight: float32 sums in another order differ by less


class LayerReading(NamedTuple):
    """What one layer gave: activations `(n, …, units)`, and its weights with their gradients."""

    name: str
    activation: str
    activations: np.ndarray
    weights: list[np.ndarray]
    gradients: list[np.ndarray]


def xray(model: Any, inputs: Any, targets: np.ndarray) -> list[LayerStatistics]:
    """Return the statistics of every layer with weights, in order.

    The gradients are of the mean loss over the examples: cross-entropy from the logits, or the
    squared error over the targets' variance, without penalty, dropout or augmentation.

    Args:
        model: any Keras 3 model; it is not changed and need not be compiled.
        inputs: `(n, …)` real examples in the model's own value range; the first 256 are used.
        targets: labels or target values `(n,)`, or one-hot rows.

    Raises:
        UserError: the examples do not fit the model, or no layer has weights.
    """
    readings = read_layers(model, inputs, targets)
    return [_statistics(one, output=one is readings[-1]) for one in readings]


def read_layers(model: Any, inputs: Any, targets: np.ndarray) -> list[LayerReading]:
    """Return activations, weights and gradients of every layer with weights; see `xray`."""
    inputs = (
        [one[:PROBE_EXAMPLES] for one in inputs]
        if isinstance(inputs, list | tuple)
        else np.asarray(inputs[:PROBE_EXAMPLES])
    )
    targets = np.asarray(targets)[:PROBE_EXAMPLES]
    target = target_of(model, inputs, 0)
    if len(targets) != len(target.inputs[0]):
        raise UserError(f"xray: {len(target.inputs[0])} inputs but {len(targets)} targets")
    places = _places(model, target.calls)
    if not places:
        raise UserError("xray: the model has no layer with weights")
    loss = _loss(target, targets)
    function = _probe(target.reader, places, loss)
    marks = tuple((one.position, one.number) for pair in places for one in pair)
    outputs, gradients = target.run(
        ("xray", marks, loss), function, target.inputs, _prepared(targets, loss)
    )
    layers, rest = hooks.all_layers(model), iter(gradients)
    return [
        LayerReading(
            learner.name,
            _activation(layers[shown.position]),
            np.asarray(output, "float32"),
            [np.asarray(variable, "float64") for variable in layers[learner.position].weights],
            [np.asarray(next(rest), "float64") for _ in layers[learner.position].weights],
        )
        for (learner, shown), output in zip(places, outputs, strict=True)
    ]


Places = list[tuple[LayerCall, LayerCall]]
"""Each layer with weights, and the layer that gives its activation: itself, or one behind it."""


def _places(model: Any, calls: Sequence[LayerCall]) -> Places:
    layers = hooks.all_layers(model)
    found: Places = []
    for number, one in enumerate(calls):
        if one.shape and hooks.has_kernel(layers[one.position]):
            found.append((one, _shown(layers, one, calls[number + 1 :])))
    last: dict[int, tuple[LayerCall, LayerCall]] = {pair[0].position: pair for pair in found}
    return list(last.values())


def _shown(layers: list, learner: LayerCall, behind: Iterable[LayerCall]) -> LayerCall:
    """Return the call of the activation behind a linear layer, past its normalisation."""
    if _activation(layers[learner.position]) != "linear":
        return learner
    for one in behind:
        if _activation(layers[one.position]) != "linear":
            # of the model's softmax the logits are shown
            return learner if one.output_indices else one
        if "Normalization" not in one.kind:
            break
    return learner


def _activation(layer: Any) -> str:
    """Return the name of a layer's activation; `linear` where it has none."""
    kinds = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ELU": "elu"}
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name or kinds.get(type(layer).__name__, "linear")


def _loss(target: Target, targets: np.ndarray) -> str:
    """Return which loss fits the model's output and the targets."""
    if target.output_activation is None and (targets.dtype.kind == "f" or len(targets.shape) > 1):
        return "squared error"
    return "binary" if target.output_activation == "sigmoid" else "categorical"


def _prepared(targets: np.ndarray, loss: str) -> np.ndarray:
    """Return labels `(n,)`, or float32 targets `(n, outputs)`; a regression's in standard units."""
    if loss == "categorical":
        one_hot = targets.ndim > 1 and targets.shape[-1] > 1
        return (targets.argmax(-1) if one_hot else targets.reshape(len(targets))).astype("int32")
    return targets.reshape(len(targets), -1).astype("float32")


def _probe(reader: Any, places: Places, loss: str) -> Callable[..., Any]:
    """Return `probe(model, inputs, targets)` → activations of the places, gradients of weights."""

    def probe(model: Any, inputs: list, targets: Any) -> tuple[list, list]:
        import keras

        layers, variables = hooks.all_layers(model), model.variables
        learning = [one for learner, _ in places for one in layers[learner.position].weights]
        now = {id(one): one.value for one in variables}

        def losses(values: list, inputs: list, targets: Any) -> tuple[Any, list]:
            changed = {**now, **dict(zip(map(id, learning), values, strict=True))}
            mapping = [(one, changed[id(one)]) for one in variables]
            with keras.StatelessScope(state_mapping=mapping):
                outputs, shown = reader.read(model, inputs, [one for _, one in places])
            errors: Any = _errors(loss, outputs, targets)
            return errors / outputs.shape[0], shown

        values = [now[id(one)] for one in learning]
        _, gradients, shown = value_and_gradient(losses)(values, inputs, targets)
        return shown, gradients

    return probe


def _errors(loss: str, outputs: Any, targets: Any) -> Any:
    """Return the loss of each example."""
    import keras

    if loss == "categorical":
        return keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)
    if loss == "binary":
        return keras.losses.binary_crossentropy(targets, outputs, from_logits=True)
    variance = keras.ops.maximum(keras.ops.var(targets), 1e-12)
    squares: Any = keras.losses.mean_squared_error(targets, outputs)
    return squares / variance


def _statistics(one: LayerReading, *, output: bool) -> LayerStatistics:
    values = one.activations.reshape(-1, one.activations.shape[-1])
    flat = FLAT_ENDS.get(one.activation)
    gradient, weight = (
        float(np.sqrt(sum(np.square(part).sum() for part in parts)))
        for parts in (one.gradients, one.weights)
    )
    return LayerStatistics(
        name=one.name,
        activation=one.activation,
        units=values.shape[1],
        mean=float(values.mean()),
        spread=float(values.std()),
        saturated=float(flat(values).mean()) if flat else 0.0,
        dead=float((values == 0).all(axis=0).mean()) if one.activation == "relu" else 0.0,
        gradient_norm=gradient,
        gradient_to_weight=gradient / weight if weight else (np.inf if gradient else 0.0),
        equal=equal_share(one.weights[0]),
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
    """Write `xray.csv`: a row a layer and epoch, 0 for before the training."""
    rows = [
        {"epoch": epoch, **layer._asdict()}
        for epoch, layers in by_epoch.items()
        for layer in layers
    ]
    write_rows(run.path / XRAY, rows)


def read_xray(run: Run) -> dict[int, list[LayerStatistics]]:
    """Return the statistics that a run recorded, by epoch.

    Raises:
        RunError: it recorded none (`training.xray=true` does), or the file is broken.
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
    words = {"name": str, "activation": str, "units": int, "output": lambda text: text == "True"}
    return LayerStatistics(**{key: words.get(key, float)(value) for key, value in row.items()})


def depth_scan(
    x: np.ndarray,
    y: np.ndarray,
    *,
    depth: int = 20,
    units: int = 64,
    activations: Sequence[str] = ("sigmoid", "tanh", "relu"),
    initializers: Sequence[str] = ("random_normal", "glorot_uniform", "he_normal", "large_normal"),
) -> dict[tuple[str, str], list[LayerStatistics]]:
    """Return each (activation, initializer)'s hidden layers, untrained, on real examples.

    Args:
        x, y: examples `(n, …)` and labels `(n,)` from 0.
        depth, units: hidden layers and their width.
        activations, initializers: settings of the model `dnn`.
    """
    names = tuple(map(str, range(int(y.max()) + 1)))
    empty = (x[:0], y[:0], x[:0], y[:0])
    data = Dataset("examples", "multiclass", x, y, *empty, value_range(x), names)
    found = {}
    for activation in activations:
        for initializer in initializers:
            settings: dict[str, Any] = {"activation": activation, "initializer": initializer}
            model = build_model("dnn", data, hidden=(units,) * depth, **settings)
            found[activation, initializer] = xray(model, x, y)[:-1]
    return found
