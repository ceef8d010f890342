"""Transfer learning: a trained network's layers, frozen, with a new head (slides S1).

While the base is frozen its outputs for an example never change: they can be computed once
(`dlcourse.training.features`), and the head be trained on them alone. Then the base's last layers
may be trained a little further.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlcourse.errors import RecipeError, UserError
from dlcourse.models.bases import PUBLISHED, load_base, replay
from dlcourse.models.layers import (
    Activation,
    Initializer,
    Regression,
    Rescale,
    head,
    hidden_layers,
    input_layers,
)
from dlcourse.models.layers import weights as kernel_settings
from dlcourse.schema import Natural, NonNegative, Positive, PositiveNumber, Rate, checked
from dlcourse.visualizers import hooks

if TYPE_CHECKING:
    import keras
    import numpy as np

FEATURES = "features"
"""The layer that ends the base: what it gives is what the head learns from."""


@checked
def transfer(
    input_shape: tuple[int, ...],
    num_outputs: int,
    regression: Regression = False,
    rescale: Rescale = None,
    *,
    base: str,
    weights: str | None = "imagenet",
    layer: str | None = None,
    head: tuple[Positive, ...] = (),
    activation: Activation = "relu",
    dropout: Rate = 0.0,
    l2: NonNegative = 0.0,
    initializer: Initializer = "glorot_uniform",
    cache_features: bool = True,  # noqa: ARG001 - this and the next are read by training.stages
    trainable_layers: Natural = 0,
    fine_tuning_epochs: Positive = 5,  # noqa: ARG001
    fine_tuning_rate: PositiveNumber = 0.1,  # noqa: ARG001
) -> "keras.Model":
    """Return a trained network's layers, frozen, with a new head.

    Args:
        input_shape: Shape of one example; the base's own.
        num_outputs: Number of classes, or 1 for a sigmoid output or a regression.
        regression: True for a regression, which ends in `prediction` instead of probabilities; or
            the targets' (mean, standard deviation), see `layers.head`.
        rescale: Range (low, high) of the images, or a layer that maps it to 0…1: it takes the place
            of the scaling in the base, so that the new images may have another range. None keeps
            the base's own; a base that is a `.keras` file or takes rows keeps it in any case.
        base: Trained network to begin with: a run's folder, a `.keras` file, or a name of
            `keras.applications`.
        weights: Weights of a network of `keras.applications`: `imagenet` (downloaded once), a file,
            or null for random ones.
        layer: Name of the base's last layer to keep; null keeps all but its last layer with
            weights.
        head: Units of each of the head's hidden layers, before its logits; an empty list for none.
        activation: Activation of the head's hidden layers.
        dropout: Fraction of the outputs of each of the head's hidden layers dropped in training; 0
            for none.
        l2: Factor of the penalty l2·Σw² over the head's kernels, which is added to the loss; 0 for
            none.
        initializer: Initializer of the head's kernels.
        cache_features: Computation of the frozen base's outputs once, before the head is trained on
            them; false runs the base in every step, with the same result.
        trainable_layers: Number of the base's last layers with weights that are trained in a
            fine-tuning after the head; 0 for no fine-tuning.
        fine_tuning_epochs: Number of epochs of the fine-tuning.
        fine_tuning_rate: Constant learning rate of the fine-tuning, as a multiple of
            `training.learning_rate`.

    Raises:
        RecipeError: An argument or a setting that is not as described; there is no such base or
            layer in it, it takes other inputs, or has fewer layers to train.
    """
    _, *scaling = input_layers(input_shape, rescale)
    model, scales = load_base(base, tuple(input_shape), weights)
    try:
        made = new_head(
            model,
            num_outputs,
            regression=regression,
            shape=input_shape,
            scaling=scaling[0] if scaling and scales and len(input_shape) > 1 else None,
            layer=layer,
            hidden=head,
            activation=activation,
            dropout=dropout,
            kernel=kernel_settings(initializer, l2),
        )
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
    regression: Regression = False,
    shape: tuple[int, ...] | None = None,
    scaling: "keras.Layer | None" = None,
    layer: str | None = None,
    hidden: Sequence[int] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    kernel: dict[str, Any] | None = None,
) -> "keras.Model":
    """Return copies of a base's layers, frozen, with a new head behind the layer `features`.

    The base stays as it is. Its dropout, noise and augmentation are left out, and its batch
    normalization does as it does when predicting: its outputs for an example are always the same.

    Args:
        base: A trained Sequential or Functional model of one input.
        num_outputs, regression: See `transfer`.
        shape: Of one example; None takes the base's own, where that leaves nothing open.
        scaling: Takes the place of the base's layer `rescaling`; None leaves it.
        layer, hidden, activation, dropout: See `transfer`; `hidden` is its `head`.
        kernel: Arguments of the head's kernels, as `layers.weights` makes them.

    Raises:
        UserError: The base has no such layer, or no layer to cut the head off at.
    """
    import keras

    inputs = keras.Input(shape or base.inputs[0].shape[1:], dtype=base.inputs[0].dtype)
    tensor = replay(
        base, _cut(base, layer), keras.Model(inputs, inputs), lambda one: _still(one, scaling)
    )
    for one in keras.Model(inputs, tensor).layers:
        one.trainable = False
    flat = len(tensor.shape) > 2
    end = keras.layers.Flatten(name=FEATURES) if flat else keras.layers.Identity(name=FEATURES)
    kernel = kernel or {}
    how: Any = {"activation": activation, "dropout": dropout, "weights": kernel}
    dense = hidden_layers(hidden, **how, batch_norm=False, name="head")
    layers = [end, *dense, *head(num_outputs, regression, kernel)]
    return keras.Model(inputs, _applied(layers, tensor))


def _applied(layers: Sequence[Any], tensor: Any) -> Any:
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def _cut(base: Any, layer: str | None) -> Any:
    """Return the base's tensor that the head is to read."""
    import keras

    if layer is not None:
        return hooks.part(base, layer).outputs[0]
    if base.name == PUBLISHED:
        return base.outputs[0]
    learners = [one for one in base.layers if one.weights]
    if len(learners) < 2 or isinstance(learners[-1], keras.Model):
        names = ", ".join(one.name for one in base.layers)
        raise UserError(f"name the layer to keep: one of {names}")
    return learners[-1].input


def _still(layer: Any, scaling: "keras.Layer | None") -> "keras.Layer | None":
    """Return what takes a layer's place: the new scaling, and nothing for what acts at random."""
    from keras import layers

    if scaling is not None and layer.name == "rescaling":
        return scaling
    noise = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout)
    spatial = (layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D)
    if isinstance(layer, (*noise, *spatial)) or type(layer).__name__.startswith("Random"):
        return layers.Identity(name=f"{layer.name}_off")
    return None


def base_layers(model: "keras.Model") -> list["keras.Layer"]:
    """Return the layers before the head, `features` included."""
    names = [layer.name for layer in model.layers]
    return model.layers[: names.index(FEATURES) + 1]


def base_weights(model: "keras.Model") -> list["np.ndarray"]:
    """Return the weights of the layers before the head, in order."""
    return [array for layer in base_layers(model) for array in layer.get_weights()]


def head_alone(model: "keras.Model") -> "keras.Model":
    """Return the head as a model of its own, from the features `(n, values)` on.

    It shares its layers with the whole model: what trains the one trains the other.
    """
    import keras

    known, rows = base_layers(model), model.get_layer(FEATURES).output
    inputs = keras.Input(rows.shape[1:])  # pyright: ignore[reportAttributeAccessIssue]
    return keras.Model(inputs, _applied(model.layers[len(known) :], inputs))


def unfreeze(model: "keras.Model", layers: int) -> list[str]:
    """Let the base's last `layers` layers with weights be trained; return their names.

    Batch normalization stays frozen, in a model inside the base too: its statistics are those of
    the base's own data. Compile the model again, at a tenth of the learning rate or less.

    Raises:
        UserError: The base has fewer such layers.
    """
    chosen = _trainable(model, layers)
    for one in base_layers(model):
        one.trainable = one in chosen
        for part in filter(_never_trained, one._flatten_layers()):
            part.trainable = False
    return [one.name for one in chosen]


def _never_trained(layer: Any) -> bool:
    from keras import layers

    return isinstance(layer, layers.BatchNormalization | layers.Normalization)


def _trainable(model: "keras.Model", layers: int) -> list["keras.Layer"]:
    able = [one for one in base_layers(model) if one.weights and not _never_trained(one)]
    if not 0 <= layers <= len(able):
        raise UserError(f"{layers} layers to train: the base has {len(able)} with weights")
    return able[len(able) - layers :]
