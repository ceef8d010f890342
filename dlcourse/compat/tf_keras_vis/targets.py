"""Score functions on a model's outputs: any Python function, or the known ones as tensors."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tf_keras_vis.utils.scores import BinaryScore, CategoricalScore, InactiveScore

from dlcourse.errors import UserError


class Targets:
    """The score functions of one call, one a model output.

    Attributes:
        functions: The score functions.
        known: The known kinds' names, when all are of these: their targets can then be tensors of
            a compiled function, which serves every class. None when a function is the caller's.
    """

    def __init__(self, functions: list, calculate: Callable[..., list]):
        self.functions = functions
        self.calculate = calculate
        kinds = {BinaryScore, CategoricalScore, InactiveScore}
        known = all(type(one) in kinds for one in functions)
        self.known = tuple(type(one).__name__ for one in functions) if known else None

    def eager(self) -> "Targets":
        """Return the same, to be called as Python functions."""
        other = Targets(self.functions, self.calculate)
        other.known = None
        return other

    def called(self, outputs: list, _: Any = None) -> list:
        """Return each function's scores `(n,)` of its output, or a scalar."""
        count = int(outputs[0].shape[0])
        self.check(count)
        if len(outputs) != len(self.functions):
            raise UserError(
                f"The model has {len(outputs)} outputs, but {len(self.functions)} score functions "
                "were passed"
            )
        values = self.calculate(outputs, self.functions)
        for number, value in enumerate(values):
            if value.shape.rank and value.shape[0] != count:
                raise UserError(
                    f"score[{number}]: gave {value.shape[0]} scores for {count} inputs; expected "
                    "one an input"
                )
        return values

    def check(self, count: int) -> None:
        """Raise unless there is one target, or one for each input."""
        for function in self.functions:
            if isinstance(function, CategoricalScore | BinaryScore):
                given = len(_values(function))
                if given not in (1, count):
                    raise UserError(
                        f"{function.name}: {given} targets for {count} inputs; expected one for "
                        "all, or one for each"
                    )

    def check_range(self, widths: list) -> None:
        """Raise where a class is asked that an output does not have."""
        for function, width in zip(self.functions, widths, strict=True):
            if isinstance(function, CategoricalScore) and not all(
                -width <= index < width for index in function.indices
            ):
                raise UserError(f"CategoricalScore: {function.indices} of {width} classes")

    def tensors(self, count: int) -> list:
        """Return the targets of the known kinds as tensors `(n,)`."""
        return [
            tf.broadcast_to(tf.constant(_values(one), "int32"), (count,)) for one in self.functions
        ]


def _values(function: Any) -> list:
    if isinstance(function, CategoricalScore):
        return [int(index) for index in function.indices]
    return [int(one) for one in getattr(function, "target_values", [0])]


def known_scores(known: tuple, outputs: list, targets: list) -> list:
    """Return what the known score functions give, from targets that are tensors `(n,)`."""
    if len(outputs) != len(known):
        raise UserError(
            f"The model has {len(outputs)} outputs, but {len(known)} score functions were passed"
        )
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


_TABLE = {
    "CategoricalScore": _categorical,
    "BinaryScore": _binary,
    "InactiveScore": _inactive,
}
