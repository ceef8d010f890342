"""Transfer learning: a trained network's layers, frozen, with a new head (slides S1).

While the base is frozen, its outputs for an example never change. They can be computed once
(`dlcourse.training.features`) to train the head alone. The last layers of the base can then be
fine-tuned.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlcourse.errors import RecipeError, UserError
from dlcourse.heavy import keras
from dlcourse.models import layers as parts
from dlcourse.models.bases import PUBLISHED, load_base, replay
from dlcourse.schema import Natural, NonNegative, Positive, PositiveNumber, Rate, checked
from dlcourse.visualizers import hooks

if TYPE_CHECKING:
    import numpy as np

FEATURES = "features"
"""Name of the last layer of the base; the head learns from its output."""


@checked
def transfer(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: parts.Regression = False,
    rescale: parts.Rescale = None,
    *,
    base: str,
    weights: str | None = "imagenet",
    layer: str | None = None,
    head: tuple[Positive, ...] = (),
    activation: parts.Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: parts.Initializer = "glorot_uniform",
    cache_features: bool = True,  # noqa: ARG001 - training.stages reads this and the next
    trainable_layers: Natural = 0,
    fine_tuning_epochs: Positive = 5,  # noqa: ARG001
    fine_tuning_rate: PositiveNumber = 0.1,  # noqa: ARG001
) -> "keras.Model":
    """Return a trained network's layers, frozen, with a new head.

    Args:
        input_shape: Shape of one example, as the base takes it.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends with `prediction` instead of `probabilities`;
            or the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the images, or a layer that maps it to 0…1. It replaces the
            scaling in the base, so the new images may have another range. None keeps the scaling of
            the base, and so does any base that is a `.keras` file or takes rows.
        base: Trained network to start from: the folder of a run, a `.keras` file,
            `efficientnet_lite0`, or a name in `keras.applications`.
        weights: Weights of a named network: `imagenet` (of `efficientnet_lite0` in the extra
            `imagenet`, of others downloaded once), a file, or null for random ones.
        layer: Name of the last layer of the base to keep; null keeps all layers before its last
            layer with weights.
        head: Units of each hidden layer of the head, before its logits; an empty list for none.
        activation: Activation of the head's hidden layers.
        dropout: Fraction of the outputs of each hidden layer of the head dropped in training; 0 for
            none.
        l2: Factor of the penalty l2·Σw² over the head's kernels, added to the loss; 0 for none.
        initializer: Initializer of the head's kernels.
        cache_features: Computation of the frozen base's outputs once, before the head is trained;
            false runs the base in every step, with the same result.
        trainable_layers: Number of last layers of the base, counting layers with weights, that are
            fine-tuned after the head is trained; 0 for no fine-tuning.
        fine_tuning_epochs: Number of epochs of fine-tuning.
        fine_tuning_rate: Constant learning rate of fine-tuning, as a multiple of
            `training.learning_rate`.

    Raises:
        RecipeError: An argument or a setting is not as described, the base or the layer does not
            exist, or the base takes other inputs or has fewer layers to train.
    """
    _, *scaling = parts.input_layers(input_shape, rescale)
    model, scales = load_base(base, tuple(input_shape), weights)
    how: Any = {"layer": layer, "hidden": head, "activation": activation, "dropout": dropout}
    how["kernel"] = parts.weights(initializer, l2)
    how["scaling"] = scaling[0] if scaling and scales and len(input_shape) > 1 else None
    try:
        made = new_head(model, num_outputs, regression=regression, shape=input_shape, **how)
    except UserError as error:
        raise RecipeError(f"{base}: {error.reason}", setting=error.setting or "layer") from None
    try:
        _trainable(made, trainable_layers)
    except UserError as error:
        raise RecipeError(f"{base}: {error}", setting="trainable_layers") from None
    return made


def new_head(
    base: "keras.Model",
    num_outputs: int,
    *,
    regression: parts.Regression = False,
    shape: tuple[int, ...] | None = None,
    scaling: "keras.Layer | None" = None,
    layer: str | None = None,
    hidden: Sequence[int] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    kernel: dict[str, Any] | None = None,
) -> "keras.Model":
    """Return frozen copies of the layers of a base, with a new head after the layer `features`.

    The base itself is unchanged. The copy has no dropout, noise or augmentation, and its batch
    normalization runs in inference mode, so its outputs for an example are always the same.

    Args:
        base: Trained Sequential or Functional model with one input.
        num_outputs, regression: Outputs and task, see `transfer`.
        shape: Shape of one example; None takes the shape of the base, if all its sizes are known.
        scaling: Layer that replaces the layer `rescaling` of the base; None keeps it.
        layer, hidden, activation, dropout: Settings of `transfer`; `hidden` is its `head`.
        kernel: Arguments of the head's kernels, as `layers.weights` returns them.

    Raises:
        UserError: The base does not have this layer, or has no layer at which to cut off the head.
    """
    inputs = keras.Input(shape or base.inputs[0].shape[1:], dtype=base.inputs[0].dtype)
    tensor = replay(
        base, _cut(base, layer), keras.Model(inputs, inputs), lambda old: _still(old, scaling)
    )
    for base_layer in keras.Model(inputs, tensor).layers:
        base_layer.trainable = False
    end = keras.layers.Flatten if len(tensor.shape) > 2 else keras.layers.Identity
    kernel = kernel or {}
    how: Any = {"activation": activation, "dropout": dropout, "weights": kernel}
    dense = parts.hidden_layers(hidden, **how, momentum=None, name="head")
    layers = [end(name=FEATURES), *dense, *parts.head(num_outputs, regression, kernel)]
    return keras.Model(inputs, parts.applied(layers, tensor))


def _cut(base: Any, layer: str | None) -> Any:
    """Return the tensor of the base that the new head takes."""
    if layer is not None:
        return hooks.part(base, layer).outputs[0]
    if base.name == PUBLISHED:
        return base.outputs[0]
    trainable = [each for each in base.layers if each.weights]
    if len(trainable) < 2 or isinstance(trainable[-1], keras.Model):
        names = ", ".join(each.name for each in base.layers)
        raise UserError(f"name the layer to keep: one of {names}")
    return trainable[-1].input


def _still(layer: Any, scaling: "keras.Layer | None") -> "keras.Layer | None":
    """Return the replacement of a layer: the new scaling, or identity for a random layer."""
    from keras import layers

    if scaling is not None and layer.name == "rescaling":
        return scaling
    if re.match("Random|.*(Dropout|GaussianNoise)", type(layer).__name__):
        return layers.Identity(name=f"{layer.name}_off")
    return None


def base_layers(model: "keras.Model") -> list["keras.Layer"]:
    """Return the layers before the head, including `features`."""
    names = [layer.name for layer in model.layers]
    return model.layers[: names.index(FEATURES) + 1]


def base_weights(model: "keras.Model") -> list["np.ndarray"]:
    """Return the weights of the layers before the head, in order."""
    return [array for layer in base_layers(model) for array in layer.get_weights()]


def head_alone(model: "keras.Model") -> "keras.Model":
    """Return the head as a separate model of the features `(n, values)`.

    It shares its layers with the whole model, so training one trains the other.
    """
    before, rows = base_layers(model), model.get_layer(FEATURES).output
    inputs = keras.Input(rows.shape[1:])  # pyright: ignore[reportAttributeAccessIssue]
    return keras.Model(inputs, parts.applied(model.layers[len(before) :], inputs))


def unfreeze(model: "keras.Model", layers: int) -> list[str]:
    """Make the last `layers` layers of the base that have weights trainable; return their names.

    Batch normalization stays frozen, also in a nested model, because its statistics come from the
    data of the base. Compile the model again, with a tenth of the learning rate or less.

    Raises:
        UserError: The base has fewer layers with weights.
    """
    chosen = _trainable(model, layers)
    for layer in base_layers(model):
        layer.trainable = layer in chosen
        for part in filter(_never_trained, layer._flatten_layers()):
            part.trainable = False
    return [layer.name for layer in chosen]


def _never_trained(layer: Any) -> bool:
    from keras import layers

    return isinstance(layer, layers.BatchNormalization | layers.Normalization)


def _trainable(model: "keras.Model", layers: int) -> list["keras.Layer"]:
    able = [layer for layer in base_layers(model) if layer.weights and not _never_trained(layer)]
    if not 0 <= layers <= len(able):
        raise UserError(f"cannot train {layers} layers: only {len(able)} of the base have weights")
    return able[len(able) - layers :]
