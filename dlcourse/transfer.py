"""Transfer learning: a trained network's layers with a new head for other classes.

The base's outputs never change while it is frozen, so they are computed once (`features`, on disk
if wanted) and the head alone is trained on them; head and whole model share their layers, so that
the whole model is trained as well. Then the base's last layers may be trained a little further.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dlcourse.errors import UserError
from dlcourse.schema import did_you_mean


class Transfer(NamedTuple):
    """A new head on an old base.

    Attributes:
        model: the whole, inputs to `probabilities`; the base is frozen.
        head: the new layers alone, from the base's features `(n, values)` on; the same objects.
        layer: the base's layer that gives the features.
    """

    model: Any
    head: Any
    layer: str


def transfer(
    base: Any, layer: str, classes: int, *, hidden: Sequence[int] = (), dropout: float = 0.0
) -> Transfer:
    """Return a model of the base's layers up to `layer`, frozen, and a new head.

    The base's dropout, noise and augmentation are left out, and its batch normalization does as it
    does when predicting, so that its outputs for an input are always the same.

    Args:
        base: a trained Keras model of one input; its layers are shared, and frozen there, too.
        layer: the name of the last layer to keep.
        classes: of the new head.
        hidden: neurons of the head's hidden layers (ReLU).
        dropout: fraction dropped after each of them.

    Raises:
        UserError: the base has no such layer, or fewer than two classes are asked for.
    """
    import keras

    names = [one.name for one in base.layers]
    if layer not in names:
        raise UserError(f"the base has no layer '{layer}'{did_you_mean(layer, names)}")
    if classes < 2:
        raise UserError(f"a head for {classes} class: two or more are expected")
    kept = keras.models.clone_model(
        keras.Model(base.inputs[0], base.get_layer(layer).output, name="base"),
        clone_function=_still,
    )
    kept.trainable = False
    inputs = keras.Input(base.inputs[0].shape[1:], dtype=base.inputs[0].dtype)
    rows = keras.layers.Flatten(name="features")(kept(inputs))
    layers = _head(classes, hidden, dropout)
    alone = keras.Input(rows.shape[1:])
    return Transfer(
        keras.Model(inputs, _applied(layers, rows)),
        keras.Model(alone, _applied(layers, alone)),
        layer,
    )


def _still(layer: Any) -> Any:
    """Return the layer itself, or one that does nothing in place of one that acts at random.

    To call the base with `training=False` is not enough: a functional model passes the `training`
    that it is called with to all its layers, whatever stood there (Keras 3.15).
    """
    from keras import layers

    noise = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout)
    spatial = (layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D)
    if isinstance(layer, (*noise, *spatial)) or type(layer).__name__.startswith("Random"):
        return layers.Identity(name=layer.name)
    return layer


def _head(classes: int, hidden: Sequence[int], dropout: float) -> list[Any]:
    from keras import layers

    found: list[Any] = []
    for number, neurons in enumerate(hidden, 1):
        found.append(layers.Dense(neurons, activation="relu", name=f"head_{number}"))
        if dropout:
            found.append(layers.Dropout(dropout, name=f"head_{number}_dropout"))
    found.append(layers.Dense(classes, name="logits"))
    return [*found, layers.Softmax(name="probabilities")]


def _applied(layers: Sequence[Any], tensor: Any) -> Any:
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def unfreeze(model: Any, layers: int) -> list[str]:
    """Let the last `layers` layers with weights of the base be trained; return their names.

    Batch normalization stays frozen: its statistics are those of the base's own data. Compile the
    model again, at a tenth of the learning rate or less.

    Raises:
        UserError: the base has fewer such layers.
    """
    import keras

    base = model.get_layer("base")
    normal = keras.layers.BatchNormalization
    able = [one for one in base.layers if one.weights and not isinstance(one, normal)]
    able = [one for one in able if not isinstance(one, keras.layers.Normalization)]
    if not 0 <= layers <= len(able):
        raise UserError(f"{layers} layers to train: the base has {len(able)} with weights")
    base.trainable = True
    chosen = able[len(able) - layers :]
    for one in base.layers:
        one.trainable = one in chosen
    return [one.name for one in chosen]


def published(name: str, input_shape: tuple[int, int, int], *, weights: str | None) -> Any:
    """Return a network of `keras.applications` without its head, its maps averaged.

    Args:
        name: as `MobileNetV2`.
        input_shape: `(height, width, channels)`.
        weights: `imagenet` (downloaded once by Keras), a file of weights, or None for random ones.

    Raises:
        UserError: an unknown name, or weights that cannot be had.
    """
    import keras

    known = [one for one in dir(keras.applications) if one[:1].isupper()]
    if name not in known:
        raise UserError(f"keras.applications has no '{name}'{did_you_mean(name, known)}")
    build = getattr(keras.applications, name)
    try:
        return build(include_top=False, weights=weights, input_shape=input_shape, pooling="avg")
    except Exception as error:  # noqa: BLE001 - Keras raises what the network or the file makes it
        reason = " ".join(str(error).split())[:200]
        if weights == "imagenet":
            raise UserError(
                f"{name}: its ImageNet weights come over the network, and could not be had: "
                f"{reason} (offline: give a file of weights, or weights=None)"
            ) from None
        raise UserError(f"{name}: cannot be built with weights {weights}: {reason}") from None
