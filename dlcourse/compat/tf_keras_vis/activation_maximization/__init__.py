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
from dlcourse.compat.tf_keras_vis.activation_maximization.regularizers import (
    Norm,
    TotalVariation2D,
)
from dlcourse.compat.tf_keras_vis.reading import HALF_SCALE, scored, statistics_kept
from dlcourse.compat.tf_keras_vis.utils import (
    get_input_names,
    get_num_of_steps_allowed,
    listify,
)
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
        """Return the inputs found, `(n, …)`, a list for several.

        Args:
            score: A score function, or a list of them, one a model output.
            seed_input: Where to begin, an array or a list of them, one a model input; None: random,
                for models that say what inputs they take.
            input_range: `(low, high)`, or a list of such; None: without bound.
            input_modifiers: Functions applied to the inputs before each step: a list; for several
                inputs a list of lists, or a dictionary by the inputs' names.
            regularizers: What is minimized beside the scores' maximization, given likewise.
            steps: Steps of the ascent.
            optimizer: A Keras optimizer, new for each call; None: RMSprop(1.0, 0.999).
            gradient_modifier: Changes the gradients.
            callbacks: A tf-keras-vis callback, or a list of them.
            training: Run the model in training mode.
            unconnected_gradients: What to give for an input that the score does not depend on.
            activation_modifiers: Functions by input name, applied to what is returned.

        Raises:
            UserError: A ValueError; what was given does not fit together.
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
        found = checks._get_regularizers(regularizers)
        ends = checks._get_activation_modifiers(activation_modifiers)
        optimizer = optimizer or keras.optimizers.RMSprop(learning_rate=1.0, rho=0.999)
        ascend = self._ascent(targets, checks, found, training, unconnected_gradients)
        with managed_callbacks(**arguments) as active:
            variables = [tf.Variable(x) for x in inputs]
            result = checks._clip_and_modify(inputs, ranges, ends)
            steps = get_num_of_steps_allowed(steps)
            for step in range(steps):
                for name, variable, x in zip(names, variables, inputs, strict=True):
                    for modifier in modifiers[name]:
                        x = modifier(x)
                    variable.assign(x)
                gradients, values, outputs, regularizations, overall = ascend(
                    [variable.value() for variable in variables]
                )
                if gradient_modifier is not None:
                    gradients = [gradient_modifier(one) for one in gradients]
                optimizer.apply_gradients(zip(gradients, variables, strict=True))
                inputs = [variable.value() for variable in variables]
                if active or step == steps - 1:
                    result = checks._clip_and_modify(inputs, ranges, ends)
                for callback in active:
                    callback(
                        step,
                        result,
                        gradients,
                        values,
                        outputs,
                        regularizations=regularizations,
                        overall_score=overall,
                    )
        return self._given_back(result, seed_input)

    def _checks(self, seed_input: Any) -> Any:
        """Return self, with a model that has inputs also where the model has none to show."""
        checks = copy.copy(self)
        if self.reading.inputs:
            checks.model = SimpleNamespace(inputs=self.reading.inputs)
            return checks
        if seed_input is None:
            raise UserError("the model does not say what inputs it takes: pass seed_input")
        shapes = [np.shape(one) for one in listify(seed_input)]
        specs = [
            SimpleNamespace(name=f"input_{k}", shape=(None, *shape[1:]), dtype="float32")
            for k, shape in enumerate(shapes, 1)
        ]
        checks.model = SimpleNamespace(inputs=specs)
        return checks

    def _ascent(
        self, targets: Any, checks: Any, regularizers: Any, training: bool, unconnected: Any
    ) -> Callable[[list], tuple]:
        """Return `f(inputs) → (gradients, scores, outputs, regularizations, overall)`."""
        reading = self.reading
        read = reading.reader(training)
        scale = HALF_SCALE if reading.half else 1.0
        named = _named(regularizers, get_input_names(checks.model))

        def step(calculate: Any, model: Any, inputs: list, tensors: list) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                outputs, _ = read(model, inputs)
                values = calculate(outputs, tensors)
                penalties = [regularizer(pick(inputs)) for _, regularizer, pick in named]
                overall = [-1.0 * one for one in values] + penalties
                scaled = [scale * tf.cast(one, "float32") for one in overall]
            gradients = tape.gradient(scaled, inputs, unconnected_gradients=unconnected)
            if any(one is None for one in gradients):
                raise UserError(
                    "the scores do not depend on every input: pass "
                    "unconnected_gradients=tf.UnconnectedGradients.ZERO, or another score"
                )
            widths = [tf.shape(one)[-1] for one in outputs]
            return [one / scale for one in gradients], values, outputs, penalties, overall, widths

        known = _known(regularizers)
        key = ("ascent", training, unconnected.value, known)
        targets = targets if known is not None else targets.eager()

        def ascend(inputs: list) -> tuple:
            with statistics_kept(reading.model, training):
                found = scored(reading, targets, step, inputs, key)
            gradients, values, outputs, penalties, overall = found
            pairs = [(name, one) for (name, _, _), one in zip(named, penalties, strict=True)]
            return gradients, values, outputs, pairs, overall

        return ascend


def _named(regularizers: Any, names: list[str]) -> list[tuple[str, Any, Callable]]:
    """Return (name, regularizer, what it takes of the inputs); older ones take all the inputs."""
    if isinstance(regularizers, list):
        return [(one.name, one, list) for one in regularizers]
    return [
        (label, one, itemgetter(number))
        for number, name in enumerate(names)
        for label, one in regularizers[name].items()
    ]


def _known(regularizers: Any) -> tuple | None:
    """Return what a trace depends on, where all regularizers are the known ones; else None."""
    if isinstance(regularizers, list):
        return None
    found = []
    for name, named in regularizers.items():
        for label, one in named.items():
            if type(one) not in (Norm, TotalVariation2D):
                return None
            found.append((name, label, type(one).__name__, one.weight, getattr(one, "p", None)))
    return tuple(found)


__all__ = ["ActivationMaximization", "callbacks", "input_modifiers", "regularizers"]
