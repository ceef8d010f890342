"""A model's layers: recorded, found and copied, each in one way for everything that needs it."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from dlcourse.errors import UserError
from dlcourse.training.features import features
from dlcourse.visualizers import feature_maps, hooks
from dlcourse.visualizers.clones import clone
from dlcourse.visualizers.probing import layer_calls

IMAGES = np.random.default_rng(0).random((3, 6, 6, 2)).astype("float32")


class Doubled(layers.Layer):
    """A layer that no registry knows."""

    def call(self, x):
        return 2 * x


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = layers.Conv2D(3, 3), layers.GlobalAveragePooling2D()

    def call(self, x):
        return self.pool(self.conv(x))


@pytest.fixture(scope="module")
def nested():
    """A base with an adapted normalization and a dropout, within a model with an operation."""
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(7 * IMAGES + 3)
    base = keras.Sequential(
        [
            layers.Input((6, 6, 2)),
            normalization,
            Doubled(),
            layers.Dropout(0.5),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
        ],
        name="base",
    )
    x = layers.Input((6, 6, 2))
    pooled = keras.ops.mean(base(layers.BatchNormalization()(x)), axis=(1, 2))
    return keras.Model(x, layers.Dense(2, name="head")(keras.ops.add(pooled, 1)))


# Recorded


def test_a_record_holds_the_outputs_and_what_each_place_gave(nested):
    conv = nested.get_layer("base").get_layer("conv")
    calls = layer_calls(nested, [IMAGES])
    places = [hooks.find_layer(calls, name, nested) for name in ("head", "conv")]
    (output,), (head, maps) = hooks.record(nested, [IMAGES], places)
    assert head is output
    _, (entered,) = hooks.record(nested, [IMAGES], [replace(places[1], entering=True)])
    np.testing.assert_array_equal(maps, conv(entered))


def test_a_record_is_of_one_call_of_a_shared_layer_and_tells_whoever_watches():
    twice = layers.Conv2D(2, 3, name="twice")
    x = layers.Input((6, 6, 2))
    model = keras.Model(x, twice(twice(x)))
    places = [one for one in layer_calls(model, [IMAGES]) if one.name == "twice"]
    watched = []
    _, seen = hooks.record(model, [IMAGES], places, watch=watched.append)
    assert [one.shape for one in seen] == [(3, 4, 4, 2), (3, 2, 2, 2)]
    assert all(a is b for a, b in zip(watched, seen, strict=True))


# Found


def test_a_layer_is_found_by_name_path_position_or_as_itself(nested):
    conv = nested.get_layer("base").get_layer("conv")
    for layer in ("conv", "base/conv", conv):
        assert hooks.named_layer(nested, layer) is conv
    for layer in (-1, np.int64(len(nested.layers) - 1), "head"):
        assert hooks.named_layer(nested, layer) is nested.layers[-1]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("cnov", r"layer: no layer 'cnov' \(known: .*base/conv, "),
        ("haed", r"layer: no layer 'haed' \(did you mean 'head'\?\)"),
        (99, "layer: no position 99: the model has 4 layers"),
        (layers.Dense(1, name="head"), "layer: 'head' is another model's layer"),
        (1.5, "layer: expected a position, name or layer, got 1.5"),
        (None, "layer: expected a position, name or layer, got None"),
        (True, "layer: expected a position, name or layer, got True"),
        ([], r"layer: expected a position, name or layer, got \[\]"),
    ],
    ids=str,
)
def test_a_layer_that_is_not_there_is_told_in_one_line(nested, layer, text):
    with pytest.raises(UserError, match=f"^{text}"):
        hooks.named_layer(nested, layer)


def test_a_part_ends_in_a_layer_of_the_models_own_graph(nested):
    part = hooks.part(nested, "base")
    maps = nested.get_layer("base")(nested.layers[1](IMAGES))
    np.testing.assert_array_equal(part(IMAGES), maps)
    with pytest.raises(UserError, match="layer: base/conv has no single output in the model's"):
        hooks.part(nested, "base/conv")


def test_features_are_the_feature_maps_as_rows(nested):
    rows = features(nested, "base", IMAGES)
    maps = feature_maps(nested, IMAGES, "base")["base"]
    np.testing.assert_allclose(rows, maps.reshape(3, -1), rtol=1e-6)  # float32, compiled twice


# Copied


def test_a_clone_has_the_weights_and_the_adapted_statistics_of_a_nested_model(nested):
    copy = clone(nested)
    np.testing.assert_array_equal(copy(IMAGES), nested(IMAGES))
    own, other = hooks.all_layers(copy), hooks.all_layers(nested)
    assert [type(one) for one in own] == [type(one) for one in other]
    assert not set(map(id, own)) & set(map(id, other))
    copy.set_weights([0 * one for one in copy.get_weights()])
    assert np.asarray(nested(IMAGES)).any()


def test_a_clone_may_have_other_layers_at_any_depth(nested):
    def still(layer):
        return layers.Identity() if isinstance(layer, layers.Dropout) else None

    inputs = 100 * IMAGES
    copy = clone(nested, still)
    assert not any(isinstance(one, layers.Dropout) for one in hooks.all_layers(copy))
    base, other = (one.get_layer("base") for one in (copy, nested))
    np.testing.assert_array_equal(base(inputs, training=True), other(inputs))


def test_a_model_that_keras_cannot_clone_is_told():
    model = Subclassed()
    model(IMAGES)
    with pytest.raises(UserError, match=r"^model: Keras cannot clone this Subclassed \(is it sub"):
        clone(model)
