"""Activation maximization under tf-keras-vis' names."""

import copy
from collections.abc import Callable
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tf_keras_vis.activation_maximization import ActivationMaximization as _Upstream

from dlcourse.compat.tf_keras_vis import ModelVisualization
from dlcourse.compat.tf_keras_vis.activation_maximization import (
    callbacks,
    input_modifiers,
    regularizers,
)
from dlcourse.compat.tf_keras_vis.activation_maximization.callbacks import managed_callbacks
from dlcourse.compat.tf_keras_vis.activation_maximization.input_modifiers import Jitter, Rotate2D
from dlcourse.compat.tf_keras_vis.activation_maximization.regularizers import Norm, TotalVariation2D
from dlcourse.compat.tf_keras_vis.reading import scored, statistics_kept
from dlcourse.compat.tf_keras_vis.utils import get_input_names, get_num_of_steps_allowed, listify
from dlcourse.errors import UserError

INPUT_MODIFIERS = [Jitter(jitter=4), Rotate2D(degree=1)]
REGULARIZERS = [TotalVariation2D(weight=1.0), Norm(weight=0.3, p=1)]


class ActivationMaximization(ModelVisualization, _Upstream):
    """Inputs that maximize the scores, by gradient ascent.

    References:
        Erhan et al., "Visualizing Higher-Layer Features of a Deep Network", 2009.
    """

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - upstream's takes nothing
        self,
        score: Any,
        seed_input: Any = None,
        input_range: Any = (0, 255),
        input_modifiers: Any = INPUT_MODIFIERS,
        regularizers: Any = REGULARIZERS,
        steps: int = 200,
        optimizer: Any = None,
        gradient_modifier: Callable[..., Any] | None = None,
        callbacks: Any = None,
        training: bool = False,
        unconnected_gradients: tf.UnconnectedGradients = tf.UnconnectedGradients.NONE,
        activation_modifiers: Any = None,
    ) -> Any:
        """Return the inputs that maximize the scores, `(n, …)`, a list for several inputs.

        Args:
            score: Score function, or a list of them, one per model output.
            seed_input: First input, or a list, one per model input; None for random inputs, if the
                model has symbolic inputs.
            input_range: Range `(low, high)`, or a list of ranges; None for no bounds.
            input_modifiers: Functions applied to the inputs before each step: a list; for several
                inputs a list of lists, or a dictionary by the inputs' names.
            regularizers: Penalties subtracted from the scores, in the same form.
            steps: Number of steps of the ascent.
            optimizer: Keras optimizer, a new one for each call; None for RMSprop(1.0, 0.999).
            gradient_modifier: Function that changes the gradients.
            callbacks: Callback of tf-keras-vis, or a list of them.
            training: Whether to run the model in training mode.
            unconnected_gradients: Result for an input that the score does not depend on.
            activation_modifiers: Functions by input name, applied to the returned inputs.

        Raises:
            UserError: The arguments do not fit together. It is a ValueError.
        """
        arguments = {k: v for k, v in locals().items() if k != "self" and not k.startswith("_")}
        targets = self._targets(score)
        checks = self._checks(seed_input)
        ranges = checks._get_input_ranges(input_range)
        inputs = checks._get_seed_inputs(seed_input, ranges)
        self._prepare(inputs)
        targets.check(len(inputs[0]))
        modifiers = checks._get_input_modifiers(input_modifiers)
        names = get_input_names(checks.model)
        penalties = checks._get_regularizers(regularizers)
        ends = checks._get_activation_modifiers(activation_modifiers)
        optimizer = optimizer or keras.optimizers.RMSprop(learning_rate=1.0, rho=0.999)
        ascend = self._ascent(targets, checks, penalties, training, unconnected_gradients)
        with managed_callbacks(**arguments) as active:
            variables = [tf.Variable(x) for x in inputs]
            result = checks._clip_and_modify(inputs, ranges, ends)
            steps = get_num_of_steps_allowed(steps)
            for step in range(steps):
                for name, variable, x in zip(names, variables, inputs, strict=True):
                    for modifier in modifiers[name]:
                        x = modifier(x)
                    variable.assign(x)
                gradients, *values, told = ascend([variable.value() for variable in variables])
                if gradient_modifier is not None:
                    gradients = [gradient_modifier(gradient) for gradient in gradients]
                optimizer.apply_gradients(zip(gradients, variables, strict=True))
                inputs = [variable.value() for variable in variables]
                if active or step == steps - 1:
                    result = checks._clip_and_modify(inputs, ranges, ends)
                for callback in active:
                    callback(step, result, gradients, *values, **told)
        return self._given_back(result, seed_input)

    def _checks(self, seed_input: Any) -> Any:
        """Return a copy of self whose model has symbolic inputs, from the seeds if necessary."""
        checks, specs = copy.copy(self), self.reading.inputs
        if not specs:
            if seed_input is None:
                raise UserError("the model has no symbolic inputs: pass seed_input")
            shapes = [(None, *np.shape(seed)[1:]) for seed in listify(seed_input)]
            specs = [
                SimpleNamespace(name=f"input_{k}", shape=shape, dtype="float32")
                for k, shape in enumerate(shapes, 1)
            ]
        checks.model = SimpleNamespace(inputs=specs)
        return checks

    def _ascent(
        self, targets: Any, checks: Any, regularizers: Any, training: bool, unconnected: Any
    ) -> Callable[[list], tuple]:
        """Return `f(inputs) → (gradients, scores, outputs, what else the callbacks are told)`."""
        reading = self.reading
        read = reading.reader(training)
        named = _named(regularizers, get_input_names(checks.model))

        def step(calculate: Any, model: Any, inputs: list, tensors: list) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                outputs, _ = read(model, inputs)
                values = calculate(outputs, tensors)
                penalties = [regularizer(pick(inputs)) for _, regularizer, pick in named]
                overall = [-1.0 * value for value in values] + penalties
            gradients = tape.gradient(overall, inputs, unconnected_gradients=unconnected)
            widths = [tf.shape(output)[-1] for output in outputs]
            return gradients, values, outputs, penalties, overall, widths

        known = _known(regularizers)
        key = None if known is None else ("ascent", training, unconnected.value, known)

        def ascend(inputs: list) -> tuple:
            with statistics_kept(reading.model, training):
                result = scored(reading, targets, step, inputs, key)
            gradients, values, outputs, penalties, overall = result
            pairs = [(name, one) for (name, _, _), one in zip(named, penalties, strict=True)]
            return gradients, values, outputs, {"regularizations": pairs, "overall_score": overall}

        return ascend


def _named(regularizers: Any, names: list[str]) -> list[tuple[str, Any, Callable]]:
    """Return (name, regularizer, getter of its input); older regularizers take all inputs."""
    if isinstance(regularizers, list):
        return [(one.name, one, list) for one in regularizers]
    return [
        (label, one, itemgetter(number))
        for number, name in enumerate(names)
        for label, one in regularizers[name].items()
    ]


def _known(regularizers: Any) -> tuple | None:
    """Return the settings that a trace depends on, or None if a regularizer is unknown."""
    if isinstance(regularizers, list):
        return None
    every = [(name, *pair) for name, named in regularizers.items() for pair in named.items()]
    if any(type(one) not in (Norm, TotalVariation2D) for *_, one in every):
        return None
    return tuple((*names, type(one), one.weight, getattr(one, "p", None)) for *names, one in every)


__all__ = ["ActivationMaximization", "callbacks", "input_modifiers", "regularizers"]
