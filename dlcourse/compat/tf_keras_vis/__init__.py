"""The names of tf-keras-vis, for any Keras 3 model, which stays unchanged.

`from tf_keras_vis.saliency import Saliency` becomes
`from dlcourse.compat.tf_keras_vis.saliency import Saliency`. Scores, regularizers, input modifiers
and callbacks are tf-keras-vis' own classes; the visualizers and model modifiers are subclasses.
"""

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="`tf_keras_vis", category=DeprecationWarning)
    import tf_keras_vis.activation_maximization
    import tf_keras_vis.utils.callbacks
    import tf_keras_vis.utils.input_modifiers
    import tf_keras_vis.utils.losses
    import tf_keras_vis.utils.model_modifiers
    import tf_keras_vis.utils.regularizers  # noqa: F401 - imported here to hide the warning
import tensorflow as tf
from tf_keras_vis import ModelVisualization as _Upstream
from tf_keras_vis import __version__
from tf_keras_vis.utils import listify

from dlcourse.compat.tf_keras_vis.reading import read_through
from dlcourse.compat.tf_keras_vis.targets import Targets, check_outputs
from dlcourse.errors import UserError
from dlcourse.visualizers.hooks import check_model


class ModelVisualization(_Upstream):
    """A visualizer of any Keras 3 model; after a call the model is as before.

    Args:
        model: Keras model: Sequential (built or not), Functional, nested or subclassed.
        model_modifier: Function of the model, or a list of them; each may set attributes of the
            layers, or return another model.
        clone: Whether modifiers work on a copy with copied weights, `self.model`. If False,
            `self.model` is the model itself and, as upstream, shows the modifiers' changes until
            the first call, or until the visualizer is deleted; from then on the changes apply only
            during a call. A model that Keras cannot clone is handled in this way too.
    """

    def __init__(self, model: Any, model_modifier: Any = None, clone: bool = True) -> None:
        check_model(model)
        modifiers = listify(model_modifier)
        self.reading = read_through(model, modifiers, clone and bool(modifiers))
        self.model = self.reading.model
        self._give_back = self.reading.lend(self) if not clone else lambda: None

    def _targets(self, score: Any) -> Targets:
        return Targets(self._get_scores_for_multiple_outputs(score), self._calculate_scores)

    def _get_scores_for_multiple_outputs(self, score: Any) -> list:
        scores = listify(score)
        for function in scores:
            if not callable(function):
                raise UserError(f"score: expected a Score or a function, got {function!r}")
        check_outputs(self.reading.outputs or max(len(scores), 1), scores)
        return scores

    def _get_seed_inputs_for_multiple_inputs(self, seed_input: Any) -> list:
        seeds = listify(seed_input)
        known = self.reading.inputs
        if len(seeds) != len(known or seeds) or not seeds:
            reason = f"but {len(seeds)} seed inputs were passed"
            raise UserError(f"The model has {len(known or [0])} inputs, {reason}")
        inputs = [seed if tf.is_tensor(seed) else tf.constant(seed) for seed in seeds]
        if known:
            pairs = zip(inputs, known, strict=True)
            inputs = [_fitting(x, spec, number) for number, (x, spec) in enumerate(pairs)]
        else:
            inputs = [x if x.dtype.is_floating else tf.cast(x, "float32") for x in inputs]
        sizes = {int(x.shape[0]) for x in inputs}
        if len(sizes) > 1 or 0 in sizes:
            raise UserError(
                f"seed_input: expected equally many examples, at least 1, got {sorted(sizes)}"
            )
        self._prepare(inputs)
        return inputs

    def _prepare(self, inputs: list) -> None:
        self._give_back()
        self.reading.prepare(inputs)

    def _given_back(self, maps: list, seed_input: Any) -> Any:
        """Return an array for a single input; a list for several inputs or a list of inputs."""
        return maps[0] if len(maps) == 1 and not isinstance(seed_input, list) else maps


def _fitting(x: Any, spec: Any, number: int) -> Any:
    """Return an input with a batch axis, as floats if the model takes floats."""
    if len(x.shape) == len(spec.shape) - 1:
        x = tf.expand_dims(x, axis=0)
    if len(x.shape) != len(spec.shape):
        raise UserError(
            f"seed_input[{number}]: the model takes {tuple(spec.shape)}, got {tuple(x.shape)}"
        )
    floats = tf.as_dtype(spec.dtype).is_floating and not x.dtype.is_floating
    return tf.cast(x, spec.dtype) if floats else x


from dlcourse.compat.tf_keras_vis import (  # noqa: E402 - these modules need the class above
    activation_maximization,
    gradcam,
    gradcam_plus_plus,
    layercam,
    saliency,
    scorecam,
    utils,
)

__all__ = [
    "ModelVisualization",
    "__version__",
    "activation_maximization",
    "gradcam",
    "gradcam_plus_plus",
    "layercam",
    "saliency",
    "scorecam",
    "utils",
]
