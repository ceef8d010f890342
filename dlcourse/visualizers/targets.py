"""The target of an explanation: the inputs, and the class score, read before the softmax."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.heavy import keras, ops
from dlcourse.schema import shown
from dlcourse.visualizers import hooks
from dlcourse.visualizers.backend import compiled
from dlcourse.visualizers.hooks import Hook, LayerCall
from dlcourse.visualizers.operations import Operation, nth_ending
from dlcourse.visualizers.probing import Ending, Probe, probed

ClassIndices = int | np.integer | list[int] | tuple[int, ...] | np.ndarray | None
Images = Any
"""An array `(n, …)`, or a list of arrays for a model with several inputs."""
VALUES = 1 << 26  # float32 numbers in the tensors of one pass
CHECKED = 256  # examples in one check of their values
DISTANCES = ("mse", "mae", "mape", "msle", "huber", "log_cosh", "logcosh", "poisson")
UNREAD = (
    "output: its numbers add up to 1, but no softmax was found to read before: end the model in "
    "keras.layers.Softmax, or explain the part of it that gives the logits"
)


@dataclass(frozen=True)
class Target:
    """A model, its inputs as float32, and the class whose score is explained for each example.

    Attributes:
        model: The Keras model; it is never changed.
        inputs: One array `(n, …)` per input: float32, or in `target_of`'s result as given.
        was_list: Whether the caller gave a list of inputs; the result is then a list, too.
        probe: Record of a call of the model.
        output: Index of the model's output that is read.
        output_activation: Activation between logits and output, or in the loss: `softmax`,
            `sigmoid` or None.
        indices: The class of each example, `(n,)` int32.
        where: Weight of each place of the output in the score, `(n, places…)` or `(n, 1, …)`; its
            mean is 1.
        rows: Number of each example among those that the caller gave.
        batch_size: Number of examples in a pass.
        embedded: Index of each input in whose place an embedding's output stands, and its call.
        tokens: The whole numbers that these inputs had.
    """

    model: Any
    inputs: list[np.ndarray]
    was_list: bool
    probe: Probe
    output: int
    output_activation: str | None
    indices: np.ndarray
    where: np.ndarray
    rows: np.ndarray
    batch_size: int
    embedded: tuple[tuple[int, LayerCall], ...] = ()
    tokens: tuple[np.ndarray, ...] = ()

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """The model's layer calls."""
        return self.probe.calls

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output without the batch: `(places…, classes)`."""
        return self.probe.shapes[self.probe.outputs[self.output]] or (1,)

    @property
    def sources(self) -> list[int]:
        """The indices of the inputs with the most axes, if these have places: the images."""
        most = max(x.ndim for x in self.inputs)
        return [k for k, x in enumerate(self.inputs) if x.ndim == most > 2] or [0]

    def takes_whole_numbers(self, k: int) -> bool:
        """Whether an input is of whole numbers: by its type, or as the input of an embedding."""
        known = hooks.symbolic_inputs(self.model)
        takers = {x.call.kind for x in self.probe.steps if self.probe.inputs[k] in x.inputs}
        kinds = takers if known else {call.kind for call in self.calls}
        return "Embedding" in kinds or bool(known and "int" in str(known[k].dtype))

    def ended(self, k: int) -> np.ndarray:
        """Return where a `Masking` layer masks the steps of a sequence, `(n, steps, 1)`.

        For other inputs it is a single False, with as many axes.
        """
        x = self.inputs[k]
        layers = hooks.all_layers(self.model) if x.ndim == 3 else []
        values = [layer.mask_value for layer in layers if hasattr(layer, "mask_value")]
        nowhere = np.zeros((1,) * x.ndim, dtype=bool)
        return (x == values[0]).all(axis=-1, keepdims=True) if values else nowhere

    @property
    def asked(self) -> tuple[np.ndarray, ...]:
        """What a reader takes besides the inputs: each example's class, places and tokens."""
        return self.indices, self.where, *self.tokens

    @property
    def reader(self) -> "Reader":
        """The reader of the score; it holds no reference to the model."""
        loss = _loss(self.model, self.probe, self.output)
        name = str(getattr(loss, "name", getattr(loss, "__name__", loss)))
        regresses = self.shape[-1] == 1 or name in DISTANCES or "error" in name
        unread = self.output_activation is None and self.probe.sums_to_1[self.output]
        ending, plain = self.probe.endings[self.output], unread or regresses
        return Reader(self.output, ending, self.output_activation, unread, plain, self.embedded)

    def run(
        self, key: tuple, function: Callable[..., Any], *arguments: Any, any_batch: bool = False
    ) -> Any:
        """Return `function(model, *arguments)`, compiled for their shapes, cached under `key`."""
        shapes = tuple(np.shape(x)[any_batch:] for x in keras.tree.flatten(arguments))
        whole = (*key, shapes, self.reader, hooks.structure(self.model))
        return compiled(self.model, whole, function, any_batch=any_batch)(*arguments)

    def in_batches(self, function: "Callable[[Target], Any]") -> Any:
        """Return `function(part)` of all examples: arrays `(n, …)`, in any structure.

        Args:
            function: Function of the target for `batch_size` examples, with float32 inputs.
        """
        n, size = len(self.rows), self.batch_size
        fixed = hooks.fixed_batch(self.model)
        if keras.backend.backend() == "jax":  # few sizes, so few traces
            fixed = fixed or min(size, 1 << (n - 1).bit_length())
        if n <= size and not fixed:
            return function(self.at(slice(None)))
        return by_batch(lambda rows: function(self.at(rows)), n, fixed or size)

    def at(self, rows: Any, inputs: list[np.ndarray] | None = None) -> "Target":
        """Return the target for some examples, or for other inputs that belong to these."""
        indices, where, *tokens = (x[rows] for x in self.asked)
        if inputs is None:
            with np.errstate(over="ignore"):
                inputs = [np.asarray(x[rows], "float32") for x in self.inputs]
        some = {"indices": indices, "where": where, "tokens": tuple(tokens)}
        return replace(self, inputs=inputs, rows=self.rows[rows], **some)

    def repeated(self, times: int, inputs: list[np.ndarray]) -> "Target":
        """Return the target for `times` · n inputs: all examples, `times` over."""
        return self.at(np.tile(np.arange(len(self.indices)), times), inputs)

    def maps(self, values: Iterable[np.ndarray], over_channels: Callable[..., Any]) -> Any:
        """Return one array, or a list if the caller gave a list of inputs.

        Args:
            values: One array per input.
            over_channels: Function that reduces the channels of images, or an embedding's values;
                features of sequences and rows are kept.
        """
        embedded = dict(self.embedded)
        arrays = [
            np.asarray(over_channels(x, axis=-1) if x.ndim >= 4 or k in embedded else x, "float32")
            for k, x in enumerate(values)
        ]
        return arrays if self.was_list else arrays[0]


def by_batch(function: Callable[[np.ndarray], Any], n: int, size: int) -> Any:
    """Return `function(rows)` of all rows 0 … n − 1, `size` at a time.

    The last batch is padded, so that a compiled function sees one shape.

    Args:
        function: Function that returns arrays `(size, …)`, in any structure.
        n, size: Numbers of rows, of all and in a batch.
    """
    whole, part = [], None
    for start in range(0, n, size):
        part = function(np.minimum(np.arange(start, start + size), n - 1))
        if not whole:
            whole = [np.empty((n, *x.shape[1:]), x.dtype) for x in keras.tree.flatten(part)]
        for all_rows, some in zip(whole, keras.tree.flatten(part), strict=True):
            all_rows[start : start + size] = some[: n - start]
    return keras.tree.pack_sequence_as(part, whole)


@dataclass(frozen=True)
class Reader:
    """Reads the class score from a model's output, and layers on the way.

    Attributes:
        output: Index of the output.
        ending: The softmax or sigmoid in the model; None if it has none.
        output_activation: As for `Target`.
        unread: Whether the output holds probabilities whose softmax was not found.
        plain: Whether it holds other numbers than logits: probabilities, or a regression's.
        embedded: As for `Target`.
    """

    output: int
    ending: Ending | None
    output_activation: str | None
    unread: bool = False
    plain: bool = False
    embedded: tuple[tuple[int, LayerCall], ...] = ()

    def read(
        self,
        model: Any,
        inputs: list,
        places: Sequence[LayerCall] = (),
        changes: Iterable[tuple[int, Hook]] = (),
        operation: Operation | None = None,
        *,
        logits: bool = True,
        tokens: Sequence = (),
    ) -> tuple[Any, list]:
        """Return the output `(n, …, classes)` and those of the layer calls, float32, from one call.

        Args:
            model, inputs, places, changes, operation: As for `hooks.record`.
            logits: Whether to read the output without its softmax or sigmoid.
            tokens: Whole numbers of the inputs that are given as an embedding's output.
        """
        changes = list(changes)
        for (k, place), numbers in zip(self.embedded, tokens, strict=False):
            given = hooks.nth(place.number, lambda _, *__, values=inputs[k], **___: values)
            changes.append((place.position, given))
            inputs = [*inputs[:k], numbers, *inputs[k + 1 :]]

        if self.ending is not None and logits:
            operation = nth_ending(*self.ending[1:], otherwise=operation)
        outputs, seen = hooks.record(model, inputs, places, changes, operation)
        # a copy: Keras has marked the tensor that comes from a softmax
        values = ops.copy(ops.cast(outputs[self.output], "float32"))
        values = values if len(values.shape) > 1 else ops.expand_dims(values, -1)
        return values, [ops.cast(tensor, "float32") for tensor in seen]

    def scores(self, output: Any, asked: Any) -> Any:
        """Return the score `(n,)` of each example's class, averaged over the places asked.

        One sigmoid unit represents two classes: the score of class 1 is its logit, and the score of
        class 0 is minus its logit.

        Raises:
            UserError: The output holds probabilities whose softmax was not found.
        """
        if self.unread:
            raise UserError(UNREAD)
        if self.output_activation == "sigmoid" and output.shape[-1] == 1:
            output = ops.concatenate([-output, output], axis=-1)
        return _chosen(output, asked)

    def probabilities(self, output: Any, asked: Any) -> Any:
        """Return the probability `(n,)` of each example's class, averaged over the places asked.

        Numbers of a regression are returned as they are.

        Args:
            output: The model's own output, read with `logits=False`.
            asked: As for `scores`.
        """
        if self.output_activation is None:
            return _chosen(output if self.plain else ops.softmax(output), asked)
        if self.ending is None:  # the loss applies the sigmoid
            output = ops.sigmoid(output)
        elif self.ending[0].startswith("log_"):
            output = ops.exp(output)
        if self.output_activation == "sigmoid" and output.shape[-1] == 1:
            output = ops.concatenate([1 - output, output], axis=-1)
        return _chosen(output, asked)


def _chosen(output: Any, asked: Any) -> Any:
    """Return the mean over the places, weighted by `where`, of each example's class, `(n,)`."""
    indices, where, *_ = asked
    places = (1,) * (len(output.shape) - 2)
    chosen = ops.one_hot(indices, output.shape[-1], dtype="float32")
    values = ops.sum(output * ops.reshape(chosen, (-1, *places, output.shape[-1])), axis=-1)
    return ops.mean(ops.reshape(values * where, (ops.shape(values)[0], -1)), axis=1)


def target_of(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    output: int | str = 0,
    where: Any = None,
    batch_size: int | None = None,
    *,
    sizes: bool = True,
) -> Target:
    """Return the checked target of an explanation.

    Args:
        model: Any Keras 3 model: Sequential, Functional, nested or subclassed.
        images: Array `(n, …)` in the model's own value range; a list of arrays for several inputs,
            or a dict of them by name (maps are then a list in the order of `model.inputs`).
        class_indices: One class for all examples, or one class per example. None for the predicted
            class.
        output: Position of the output to read, its key where the model returns a dict, or the name
            of its layer.
        where: Place or region of an output `(n, places…, classes)` whose mean is the score: an
            index such as `(3, 5)` or `np.s_[2:4, :]`, or a boolean array `(places…)` or
            `(n, places…)`. None for all places.
        batch_size: Number of examples in a pass. None for as many as have tensors of about 256 MB,
            256 at most.
        sizes: Whether the probe must show the sizes of the layers' outputs; see `probed`.

    Raises:
        UserError: An argument does not fit the model, or images and classes do not fit together.
    """
    inputs, was_list = checked_inputs(model, images)
    if any(getattr(x, "data_format", "") == "channels_first" for x in hooks.all_layers(model)):
        raise UserError("model: its layers are channels_first; visualizers need channels_last")
    probe = probed(model, inputs, sizes=sizes)
    number = _output_number(probe, output)
    activation = _activation(model, probe, number)
    rows, share = np.arange(len(inputs[0])), prod(probe.shapes[probe.inputs[0]]) or 1
    values = sum(map(prod, probe.shapes.values())) * prod(inputs[0].shape[1:]) // share
    size = hooks.fixed_batch(model) or batch_size or min(max(VALUES // max(values, 1), 1), 256)
    target = Target(model, inputs, was_list, probe, number, activation, rows, rows, rows, size)
    target = replace(target, where=_where(target, where))
    return replace(target, indices=_class_indices(target, class_indices))


def _activation(model: Any, probe: Probe, output: int) -> str | None:
    """Return `softmax` or `sigmoid`, as the model or, for a single unit, the loss applies it."""
    if ending := probe.endings[output]:
        return ending[0].split("_")[-1]
    from_logits = getattr(_loss(model, probe, output), "from_logits", False)
    single = (probe.shapes[probe.outputs[output]] or (1,))[-1] == 1
    return "sigmoid" if from_logits and single else None


def _loss(model: Any, probe: Probe, output: int) -> Any:
    """Return the loss of an output: a `keras.losses.Loss`, a function, a name, or None."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return next((loss[name] for name in _known_as(probe, output) if name in loss), None)
    return loss[output] if isinstance(loss, list | tuple) and len(loss) > output else loss


def class_scores(
    target: Target, inputs: list[np.ndarray] | None = None, *, probabilities: bool = False
) -> np.ndarray:
    """Return the score `(n,)` of each example's class: its logit, or its probability.

    Args:
        target: The model and the classes.
        inputs: Inputs in place of the target's own, with the same number of examples.
        probabilities: Whether to read the model's output after its softmax or sigmoid.
    """
    score = scorer(target.reader, probabilities)
    key = ("scores", probabilities)
    inputs = inputs or target.inputs
    return np.asarray(target.run(key, score, inputs, target.asked, any_batch=True))


def scorer(reader: Reader, probabilities: bool) -> Callable[..., Any]:
    """Return `score(model, inputs, asked)`: each class's logit or probability, `(n,)`."""

    def score(model: Any, inputs: list, asked: Any) -> Any:
        values, _ = reader.read(model, inputs, logits=not probabilities, tokens=asked[2:])
        return (reader.probabilities if probabilities else reader.scores)(values, asked)

    return score


def checked_inputs(model: Any, images: Images) -> tuple[list[np.ndarray], bool]:
    """Return the inputs as arrays of numbers, and whether a list was given.

    Raises:
        UserError: The number of inputs or a shape is wrong, or values are not finite numbers.
    """
    hooks.check_model(model)
    hooks.FORMS.pop(model, None)
    images = _in_order(model, images) if isinstance(images, dict) else images
    was_list = isinstance(images, list | tuple)
    values = list(images) if was_list else [images]
    expected = model_shapes(model)
    if expected and len(values) != len(expected):
        cure = " (several images: np.stack(images))" if len(expected) == 1 < len(values) else ""
        raise UserError(f"images: the model has {len(expected)} inputs, got {len(values)}{cure}")
    arrays = [_array(x, f"images[{k}]" if was_list else "images") for k, x in enumerate(values)]
    for array, shape in zip(arrays, expected, strict=False):
        _check_shape(array, shape)
    if len({len(array) for array in arrays}) > 1:
        sizes = ", ".join(str(len(array)) for array in arrays)
        raise UserError(f"images: every input needs the same number of examples, got {sizes}")
    return arrays, was_list


def model_shapes(model: Any) -> list[tuple[int | None, ...]]:
    """Return the shape of each input without the batch; empty if the model's inputs are unknown."""
    return [tuple(x.shape[1:]) for x in hooks.symbolic_inputs(model)]


def _in_order(model: Any, images: dict) -> list:
    """Return a dict of inputs as a list, in the order of the model's inputs."""
    form = getattr(model, "_inputs_struct", None)
    if form is None and not hooks.has_graph(model):  # subclassed: its `call` takes the dict
        form = hooks.FORMS[model] = dict.fromkeys(images)
    names = list(form) if isinstance(form, dict) else []
    names = names or [x.name for x in hooks.symbolic_inputs(model)]
    if set(names) - images.keys():
        known, given = ", ".join(names), ", ".join(map(str, images))
        raise UserError(f"images: the model takes {known}; got {given}")
    arrays = {name: np.asarray(images[name]) for name in names}
    return keras.tree.flatten(arrays) if isinstance(form, dict) else list(arrays.values())


def numbers(values: Any, where: str, dtype: Any = "float32") -> np.ndarray:
    """Return the values as an array of a type, or as given; too large numbers become infinite.

    Raises:
        UserError: They are not numbers; `where` names the argument.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind in "OUScMm":
            raise TypeError
        with np.errstate(over="ignore"):
            return np.asarray(array, dtype)
    except (ValueError, TypeError):
        raise UserError(f"{where}: expected an array of numbers, got {shown(values)}") from None


def _array(images: Any, where: str) -> np.ndarray:
    array = numbers(images, where, dtype=None)
    if array.ndim < 2 or not array.size:
        reason = f"expected (n, …) with one example or more, got the shape {array.shape}"
        raise UserError(f"{where}: {reason} (one example: images[None])")
    for k in range(0, len(array), CHECKED):
        if not np.isfinite(numbers(array[k : k + CHECKED], where)).all():
            raise UserError(f"{where}: holds values that are NaN or infinite")
    return array


def fits(given: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    """Whether an array `(n, …)` of the shape `given` has `shape`, in which None is any size."""
    pairs = zip(shape, given[1:], strict=False)
    return len(shape) == len(given) - 1 and all(want in (None, have) for want, have in pairs)


def _check_shape(array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    if not fits(array.shape, shape):
        cures = [f" ({cure})" for cure, given in _cures(array.shape).items() if fits(given, shape)]
        want = ", ".join("any" if size is None else str(size) for size in shape)
        reason = f"images: the model takes (n, {want}), got {array.shape}{''.join(cures[:1])}"
        raise UserError(reason)


def _cures(shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return ways to give an array another shape, and the shapes that they give."""
    first, *rest, last = shape
    return {
        "one example: images[None]": (1, *shape),
        "add the channel: images[..., None]": (*shape, 1),
        "one example without its channel: images[None, ..., None]": (1, *shape, 1),
        "channels last: np.moveaxis(images, 1, -1)": (first, *rest[1:], last, *rest[:1]),
        "grey as colours: np.repeat(images, 3, -1)": (first, *rest, 3 * last),
        "grey as colours: np.repeat(images[..., None], 3, -1)": (*shape, 3),
    }


def _known_as(probe: Probe, output: int) -> list[str]:
    """Return the names of an output: its key, and those of the layers that give it."""
    return [probe.names[output], *(c.name for c in probe.calls if output in c.output_indices)]


def _output_number(probe: Probe, output: int | str) -> int:
    count = len(probe.outputs)
    if isinstance(output, str):
        for k in range(count):
            if any(f"/{name}".endswith(f"/{output}") for name in _known_as(probe, k)):
                return k
        raise UserError(f"output: no output {output!r} (known: {', '.join(probe.names)})")
    if isinstance(output, bool) or not isinstance(output, Integral):
        raise UserError(f"output: expected a number or a name, got {shown(output)}")
    if not 0 <= output < count:
        raise UserError(f"output: no output {output}: the model has {count}")
    return int(output)


def _where(target: Target, where: Any) -> np.ndarray:
    """Return the weight of each place of the output in the score; its mean is 1."""
    n, places = len(target.inputs[0]), target.shape[:-1]
    if where is None:
        return np.ones((n, *(1 for _ in places)), "float32")
    weights = np.zeros((n, *places), "float32")
    try:
        if np.asarray(where).dtype == bool:
            weights[:] = where
        else:
            weights[(slice(None), *(where if isinstance(where, tuple) else (where,)))] = 1
    except (IndexError, ValueError, TypeError):
        weights[:] = 0
    mean = weights.reshape(n, -1).mean(axis=1)
    if not places or not mean.all():
        reason = f"expected an index or a boolean array of the output's places {places}"
        raise UserError(f"where: {reason}, got {shown(where)}")
    return weights / mean.reshape(-1, *(1 for _ in places))


def _class_indices(target: Target, given: ClassIndices) -> np.ndarray:
    """Return one class per example; the predicted classes if none are given."""
    n, reader, units = len(target.inputs[0]), target.reader, target.shape[-1]
    single = target.output_activation == "sigmoid" and units == 1

    def predict(model: Any, inputs: list) -> Any:
        return reader.read(model, inputs)[0]

    if given is None:

        def scores(part: Target) -> np.ndarray:
            output = np.asarray(part.run(("predict",), predict, part.inputs, any_batch=True))
            values = output * part.where[..., None]
            return values.reshape(len(values), -1, units).mean(axis=1)

        values = target.in_batches(scores)
        return (values[:, 0] > 0 if single else values.argmax(axis=1)).astype("int32")
    try:
        indices = np.asarray(given)
    except ValueError:  # a ragged list
        indices = np.asarray(None)
    if indices.dtype.kind not in "iu":
        raise UserError(f"class_indices: expected whole numbers, got {shown(given)}")
    if indices.ndim > 1 or (indices.ndim and len(indices) != n):
        raise UserError(f"class_indices: expected one class or shape ({n},), got {indices.shape}")
    classes = 2 if single else units
    for wrong in (indices.min(), indices.max()):
        if not 0 <= wrong < classes:
            raise UserError(f"class_indices: expected classes 0 to {classes - 1}, got {wrong}")
    return np.broadcast_to(indices, (n,)).astype("int32")
