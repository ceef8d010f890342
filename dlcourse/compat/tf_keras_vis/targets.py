"""Score functions on a model's outputs: any Python function, or known scores as tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tf_keras_vis.utils.scores import BinaryScore, CategoricalScore, InactiveScore

from dlcourse.errors import UserError


class Targets:
    """The score functions of one call, one per model output.

    Attributes:
        functions: Score functions.
        known: Score classes if all are known: their targets can then be tensors of a
            compiled function, which serves every class. None if one is the caller's own function.
    """

    def __init__(self, functions: list, calculate: Callable[..., list]):
        self.functions = functions
        self.calculate = calculate
        kinds = tuple(map(type, functions))
        self.known = kinds if set(kinds) <= set(_TABLE) else None

    def called(self, outputs: list, _: Any = None) -> list:
        """Return each function's scores for its output, `(n,)` or a scalar."""
        count = int(outputs[0].shape[0])
        self.check(count)
        check_outputs(len(outputs), self.functions)
        values = self.calculate(outputs, self.functions)
        if count == 1:  # several values of one image are added up, as upstream
            return [tf.reshape(tf.reduce_sum(value), (1,)) for value in values]
        for number, value in enumerate(values):
            if value.shape.rank and value.shape[0] != count:
                raise UserError(
                    f"score[{number}]: returned {value.shape[0]} scores for {count} inputs; "
                    "expected one score per input"
                )
        return values

    def check(self, count: int) -> None:
        """Raise unless there is one target for all inputs, or one per input."""
        for function in self.functions:
            if isinstance(function, CategoricalScore | BinaryScore):
                given = len(_values(function))
                if given not in (1, count):
                    raise UserError(
                        f"{function.name}: {given} targets for {count} inputs; expected one for "
                        "all, or one per input"
                    )

    def check_range(self, widths: list) -> None:
        """Raise if an output does not have the requested class."""
        for function, width in zip(self.functions, widths, strict=True):
            if isinstance(function, CategoricalScore) and not all(
                -width <= index < width for index in function.indices
            ):
                raise UserError(
                    f"CategoricalScore: expected classes 0 to {width - 1}, got {function.indices}"
                )

    def tensors(self, count: int) -> list:
        """Return the targets of the known kinds as tensors `(n,)`."""
        return [
            tf.broadcast_to(tf.constant(_values(score), "int32"), (count,))
            for score in self.functions
        ]


def check_outputs(outputs: int, functions: Sequence) -> None:
    """Raise unless there are as many outputs as score functions."""
    if len(functions) != outputs:
        reason = f"but {len(functions)} score functions were passed"
        raise UserError(f"The model has {outputs} outputs, {reason}")


def _values(function: Any) -> list:
    if isinstance(function, CategoricalScore):
        return [int(index) for index in function.indices]
    return [int(value) for value in getattr(function, "target_values", [0])]


def known_scores(known: tuple, outputs: list, targets: list) -> list:
    """Return the scores of the known functions, for targets that are tensors `(n,)`."""
    check_outputs(len(outputs), known)
    return [
        _TABLE[kind](output, target)
        for kind, output, target in zip(known, outputs, targets, strict=True)
    ]


def _categorical(output: Any, target: Any) -> Any:
    if output.shape.rank < 2:
        raise UserError(f"CategoricalScore: the output is {output.shape}, expected (n, …, classes)")
    means = tf.reduce_mean(output, axis=tuple(range(1, output.shape.rank - 1)))
    width = output.shape[-1]
    target = tf.clip_by_value(tf.where(target < 0, target + width, target), 0, width - 1)
    return tf.gather(means, target, axis=1, batch_dims=1)


def _binary(output: Any, target: Any) -> Any:
    if output.shape.rank != 2 or output.shape[1] != 1:
        raise UserError(f"BinaryScore: the output is {output.shape}, expected (n, 1)")
    return (2 * tf.cast(target, output.dtype) - 1) * output[:, 0]


def _inactive(output: Any, _: Any) -> Any:
    return 0.0 * tf.reduce_mean(output, axis=tuple(range(1, output.shape.rank)))


_TABLE = {CategoricalScore: _categorical, BinaryScore: _binary, InactiveScore: _inactive}
