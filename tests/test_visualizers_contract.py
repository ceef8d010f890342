"""Visualizers: what every method keeps to, on every kind of model, and errors by their text."""

import gc
import json
import re
import threading
import weakref
from functools import lru_cache

import keras
import numpy as np
import pytest
from keras import layers

from dlcourse.errors import UserError
from dlcourse.visualizers import VISUALIZERS, feature_maps, filters, neuron_activity
from dlcourse.visualizers.backend import _COMPILED

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 8, 8, 2)).astype("float32")
SEQUENCES = RNG.random((3, 9, 2)).astype("float32")
VOLUMES = RNG.random((3, 5, 6, 5, 2)).astype("float32")
ROWS = RNG.random((3, 5)).astype("float32")

SLOW = pytest.mark.slow
CAMS = ["grad_cam", "grad_cam_plus_plus", "layer_cam", "eigen_cam", "score_cam"]
MASKING = ["score_cam", "occlusion", "rise"]
GRADIENTS = [
    "saliency",
    "smooth_grad",
    "gradient_times_input",
    "integrated_gradients",
    "guided_backpropagation",
]
FEW = {
    "rise": {"masks": 30, "cells": 3},
    "smooth_grad": {"samples": 3},
    "integrated_gradients": {"steps": 4},
}
# Positive weights: every class has positive evidence, and no map is empty.
POSITIVE = keras.initializers.RandomUniform(0.1, 1, seed=1)


def conv(filters=4, kind=layers.Conv2D, **settings):
    initializer = keras.initializers.RandomUniform(-0.1, 0.5, seed=filters)
    return kind(filters, 3, activation="relu", kernel_initializer=initializer, **settings)


def dense(units=3, activation="softmax", **settings):
    return layers.Dense(units, activation, kernel_initializer=POSITIVE, **settings)


def sequential(*ending, shape=(8, 8, 2), kind=layers.Conv2D):
    pool = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D}
    pool = pool.get(len(shape) - 1, layers.GlobalAveragePooling3D)
    return keras.Sequential([layers.Input(shape), conv(3, kind), conv(4, kind), pool(), *ending])


def lazy():
    return keras.Sequential([conv(3), conv(4), layers.GlobalAveragePooling2D(), dense()])


def functional():
    x = layers.Input((8, 8, 2))
    left, right = conv(4)(x), conv(4)(x)
    pooled = layers.GlobalAveragePooling2D()(conv(5)(layers.Add()([left, right])))
    return keras.Model(x, dense()(layers.Dropout(0.5)(pooled)))


def nested():
    base = keras.Sequential([layers.Input((8, 8, 2)), conv(3), conv(4)], name="base")
    return keras.Sequential(
        [layers.Input((8, 8, 2)), base, layers.GlobalAveragePooling2D(), dense()]
    )


def nested_twice():
    """A pre-trained base, frozen, with a scaling before it, within two models."""
    x = layers.Input((8, 8, 2))
    base = keras.Model(x, conv(4)(conv(3)(x)), name="base")
    base.trainable = False
    y = layers.Input((8, 8, 2))
    middle = keras.Model(y, base(layers.Rescaling(2.0)(y), training=False), name="middle")
    z = layers.Input((8, 8, 2))
    pooled = layers.GlobalAveragePooling2D()(middle(z))
    return keras.Model(z, dense()(pooled))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = [conv(3), layers.BatchNormalization(), conv(4)]
        self.pool = layers.GlobalAveragePooling2D()
        self.head = dense()

    def call(self, x):
        for layer in self.body:
            x = layer(x)
        return self.head(self.pool(x))


def two_outputs():
    x = layers.Input((8, 8, 2))
    pooled = layers.GlobalAveragePooling2D()(conv(4)(conv(3)(x)))
    return keras.Model(x, [dense(2, name="kind")(pooled), dense(3, name="colour")(pooled)])


def two_inputs():
    x, row = layers.Input((8, 8, 2), name="image"), layers.Input((5,), name="row")
    pooled = layers.GlobalAveragePooling2D()(conv(4)(x))
    return keras.Model([x, row], dense()(layers.Concatenate()([pooled, row])))


def shared():
    """One convolution called twice, the second time on its own output."""
    x = layers.Input((8, 8, 2))
    twice = conv(2, name="twice")
    return keras.Model(x, dense()(layers.GlobalAveragePooling2D()(twice(twice(x)))))


def mixed_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return sequential(dense(activation=None), layers.Activation("softmax", dtype="float32"))
    finally:
        keras.config.set_dtype_policy(before)


KINDS = {
    "sequential": lambda: sequential(dense()),
    "lazy": lazy,
    "functional": functional,
    "nested": nested,
    "nested twice": nested_twice,
    "subclassed": Subclassed,
    "logits": lambda: sequential(dense(activation=None)),
    "softmax activation": lambda: sequential(dense(activation=None), layers.Activation("softmax")),
    "softmax layer": lambda: sequential(dense(activation=None), layers.Softmax()),
    "softmax then cast": lambda: sequential(dense(), layers.Activation("linear")),
    "sigmoid": lambda: sequential(dense(1, "sigmoid")),
    "two outputs": two_outputs,
    "mixed_float16": mixed_float16,
    "shared": shared,
    "sequences": lambda: sequential(dense(), shape=(9, 2), kind=layers.Conv1D),
    "volumes": lambda: sequential(dense(), shape=(5, 6, 5, 2), kind=layers.Conv3D),
}
INPUTS = {"sequences": SEQUENCES, "volumes": VOLUMES}


@lru_cache
def built(kind):
    return KINDS[kind]()


def state(model, x):
    """Everything of a model that a visualizer could leave changed."""
    found = [model, *model._flatten_layers(include_self=False)]
    try:
        config = json.dumps(model.get_config(), default=str)
    except NotImplementedError:  # a subclassed model
        config = ""
    return {
        "weights": [np.asarray(w).tobytes() for w in model.variables],
        "config": config,
        "activations": [getattr(one, "activation", None) for one in found],
        "attributes": [sorted(one.__dict__) for one in found],
        "trainable": [one.trainable for one in found],
        "outputs": [np.asarray(one).tobytes() for one in keras.tree.flatten(model(x))],
    }


def explain(method, model, x, index=1, **settings):
    return VISUALIZERS[method](model, x, index, **{**FEW.get(method, {}), **settings})


# Fast: every method on two kinds, and a gradient, a CAM and a mask on every kind.
EVERYWHERE = ["saliency", "grad_cam", "occlusion"]
PAIRS = [
    pytest.param(
        method,
        kind,
        marks=[] if method in EVERYWHERE or kind in ("functional", "nested twice") else SLOW,
    )
    for kind in KINDS
    for method in VISUALIZERS
]


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_every_method_explains_every_kind_of_model_and_leaves_it_alone(method, kind):
    x = INPUTS.get(kind, IMAGES)
    fresh = kind == "lazy"
    model = lazy() if fresh else built(kind)
    if not fresh:
        model(x)
    before = None if fresh else state(model, x)
    found = explain(method, model, x)
    rows_keep_features = kind == "sequences" and method in GRADIENTS
    assert found.shape == (x.shape if rows_keep_features else x.shape[:-1])
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.any()
    if not fresh:
        assert state(model, x) == before
    else:
        assert model.inputs[0].shape == (None, 8, 8, 2)  # built for any number of images


@pytest.mark.parametrize("method", VISUALIZERS)
def test_a_lazy_model_built_by_its_first_call_is_explained_for_any_number(method):
    model = lazy()
    model(IMAGES[:2])
    assert explain(method, model, IMAGES).shape == (3, 8, 8)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_a_subclassed_model_that_was_never_called_is_explained(method):
    found = explain(method, Subclassed(), IMAGES)
    np.testing.assert_allclose(found, explain(method, built("subclassed"), IMAGES), rtol=1e-5)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_softmax_or_logits_at_the_end_give_the_same_map(method):
    wanted = explain(method, built("logits"), IMAGES)
    for kind in ("sequential", "softmax activation", "softmax layer", "softmax then cast"):
        built(kind).set_weights(built("logits").get_weights())
        found = explain(method, built(kind), IMAGES)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7, err_msg=kind)  # float32


@pytest.mark.parametrize("method", ["saliency", "gradient_times_input", "grad_cam", "layer_cam"])
def test_half_precision_gives_the_map_of_full_precision(method):
    built("mixed_float16").set_weights(built("logits").get_weights())
    found = explain(method, built("mixed_float16"), IMAGES)
    wanted = explain(method, built("logits"), IMAGES)
    np.testing.assert_allclose(found, wanted, rtol=0.02, atol=1e-2 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "activation",
    [keras.ops.softmax, keras.activations.softmax, "softmax"],
    ids=["operation", "activation", "name"],
)
def test_every_writing_of_softmax_is_read_before_it(activation):
    model = sequential(dense(activation=activation))
    model.set_weights(built("logits").get_weights())
    found = explain("saliency", model, IMAGES)
    np.testing.assert_allclose(found, explain("saliency", built("logits"), IMAGES), rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own functions")
def test_tensorflow_s_own_softmax_is_read_before_it():
    import tensorflow as tf

    model = sequential(dense(activation=tf.nn.softmax))
    model.set_weights(built("logits").get_weights())
    found = explain("saliency", model, IMAGES)
    np.testing.assert_allclose(found, explain("saliency", built("logits"), IMAGES), rtol=1e-5)


@pytest.mark.parametrize("method", ["gradient_times_input", "integrated_gradients", "occlusion"])
def test_class_0_of_one_sigmoid_unit_is_minus_class_1(method):
    zero, one = (explain(method, built("sigmoid"), IMAGES, k) for k in (0, 1))
    np.testing.assert_allclose(zero, -one, rtol=1e-5, atol=1e-7)


def test_the_probabilities_of_one_sigmoid_unit_add_up_to_1():
    zero, one = (explain("rise", built("sigmoid"), IMAGES, k) for k in (0, 1))
    visible = explain("rise", always_sure(), IMAGES)
    np.testing.assert_allclose(zero + one, visible, rtol=1e-5)


def always_sure():
    model = sequential(dense(1, "sigmoid"))
    model.set_weights([*(np.zeros_like(w) for w in model.get_weights()[:-1]), np.full(1, 90)])
    return model


@pytest.mark.parametrize("method", VISUALIZERS)
def test_outputs_are_asked_by_number_or_name(method):
    model = built("two outputs")
    found = explain(method, model, IMAGES, output=1)
    np.testing.assert_array_equal(found, explain(method, model, IMAGES, output="colour"))
    if method != "eigen_cam":  # it asks no class
        assert np.abs(found - explain(method, model, IMAGES, output="kind")).max() > 0
    single = keras.Model(model.inputs, model.outputs[1])
    np.testing.assert_allclose(found, explain(method, single, IMAGES), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", GRADIENTS)
def test_a_list_of_inputs_gives_a_list_of_gradients(method):
    image, row = explain(method, two_inputs(), [IMAGES, ROWS])
    assert (image.shape, row.shape) == ((3, 8, 8), (3, 5))
    assert image.any()
    assert row.any()


def test_a_dict_of_inputs_is_put_in_the_model_s_order():
    model = two_inputs()
    form = {"row": model.inputs[1], "image": model.inputs[0]}
    named = keras.Model(form, {"answer": model.output})
    image, row = explain("saliency", named, {"row": ROWS, "image": IMAGES})
    wanted = explain("saliency", model, [IMAGES, ROWS])
    np.testing.assert_allclose(image, wanted[0], rtol=1e-5)
    np.testing.assert_allclose(row, wanted[1], rtol=1e-5)
    refused("images: the model takes row, image; got row", "saliency", named, {"row": ROWS})


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus", "layer_cam", "eigen_cam"])
def test_a_list_of_inputs_gives_one_map_on_the_image(method):
    found = explain(method, two_inputs(), [IMAGES, ROWS])
    assert found.shape == (3, 8, 8)
    assert found.any()


@pytest.mark.parametrize("method", GRADIENTS[:-1])
@pytest.mark.parametrize("cell", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_gradients_reach_through_recurrent_layers(method, cell):
    model = keras.Sequential([layers.Input((9, 2)), cell(4), layers.Dense(3, "softmax")])
    found = explain(method, model, SEQUENCES)
    assert found.shape == SEQUENCES.shape
    assert found.any()


@pytest.mark.parametrize("method", GRADIENTS)
def test_rows_keep_their_shape(method):
    model = keras.Sequential([layers.Input((5,)), dense(6, "relu"), dense()])
    found = explain(method, model, ROWS)
    assert found.shape == ROWS.shape
    assert found.any()


def test_the_places_of_a_shared_layer_are_those_of_its_last_call():
    model = built("shared")
    last = feature_maps(model, IMAGES)["twice"]
    assert last.shape == (3, 4, 4, 2)
    layer = model.get_layer("twice")
    np.testing.assert_allclose(last, layer(layer(IMAGES)), rtol=1e-5)
    assert explain("grad_cam", model, IMAGES, layer="twice", enlarge=False).shape == (3, 4, 4)


def test_layers_of_nested_models_are_named_by_their_path():
    model = built("nested twice")
    names = list(feature_maps(model, IMAGES))
    inner = [one.name for one in model.get_layer("middle").get_layer("base").layers[1:]]
    assert names[:2] == [f"middle/base/{name}" for name in inner]
    for name in (names[1], inner[1], model.get_layer("middle").get_layer("base").layers[2]):
        np.testing.assert_array_equal(
            explain("grad_cam", model, IMAGES, layer=name), explain("grad_cam", model, IMAGES)
        )
    assert list(neuron_activity(model, IMAGES))[-1] == model.layers[-1].name


@pytest.mark.parametrize("method", VISUALIZERS)
def test_class_indices_are_a_number_or_list_or_array_or_none(method):
    model = built("logits")
    wanted = explain(method, model, IMAGES, 2)
    for same in ([2, 2, 2], (2, 2, 2), np.array([2, 2, 2]), np.int64(2), np.full(3, 2, "uint8")):
        np.testing.assert_array_equal(explain(method, model, IMAGES, same), wanted)
    predicted = np.argmax(model(IMAGES), axis=1)
    by_number = explain(method, model, IMAGES, predicted)
    np.testing.assert_array_equal(explain(method, model, IMAGES, None), by_number)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_integers_and_lists_are_images_too(method):
    model = built("logits")
    pixels = (255 * IMAGES).astype("uint8")
    wanted = explain(method, model, pixels.astype("float32"))
    np.testing.assert_array_equal(explain(method, model, pixels), wanted)
    wide = pixels.astype("float64")
    np.testing.assert_array_equal(explain(method, model, wide), wanted)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_batches_give_the_whole(method):
    model = built("sequential")
    whole = explain(method, model, IMAGES, [0, 1, 2])
    for size in (1, 7):
        part = explain(method, model, IMAGES, [0, 1, 2], batch_size=size)
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-4)  # differences of logits of 30


@pytest.mark.parametrize("method", VISUALIZERS)
def test_an_image_s_map_does_not_depend_on_its_neighbours(method):
    model = built("sequential")
    whole = explain(method, model, IMAGES, [0, 1, 2])
    alone = explain(method, model, IMAGES[1:2], 1)
    # occlusion's maps are differences of logits of 30, whose last float32 digit is 2e-6
    np.testing.assert_allclose(alone[0], whole[1], rtol=1e-4, atol=1e-5)


# What was compiled is not stale


@pytest.mark.parametrize("method", VISUALIZERS)
def test_changed_weights_are_seen_by_the_next_call(method):
    model = sequential(dense())
    explain(method, model, IMAGES)
    model.set_weights([0.5 * w for w in model.get_weights()])
    again = sequential(dense())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(
        explain(method, model, IMAGES), explain(method, again, IMAGES), rtol=1e-5, atol=1e-7
    )


def test_training_is_seen_by_the_next_call():
    model = sequential(dense())
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = explain("saliency", model, IMAGES)
    model.fit(IMAGES, np.array([0, 1, 2]), epochs=2, verbose=0)
    after = explain("saliency", model, IMAGES)
    assert np.abs(after - before).max() > 0
    again = sequential(dense())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(after, explain("saliency", again, IMAGES), rtol=1e-5)
    model.fit(IMAGES, np.array([0, 1, 2]), verbose=0)  # and it still trains


@pytest.mark.parametrize("method", ["saliency", "grad_cam", "rise", "eigen_cam"])
def test_a_changed_activation_is_seen_by_the_next_call(method):
    model = sequential(dense())
    first = explain(method, model, IMAGES)
    model.layers[1].activation = keras.activations.tanh
    second = explain(method, model, IMAGES)
    assert np.abs(first - second).max() > 0
    model.layers[1].activation = keras.activations.relu
    np.testing.assert_array_equal(explain(method, model, IMAGES), first)


def test_an_activation_at_the_address_of_a_dropped_one_is_seen():
    model = sequential(dense())
    for factor in range(1, 6):
        model.layers[1].activation = keras.activations.relu  # the earlier one is freed first
        model.layers[1].activation = lambda x, factor=factor: factor * x
        found = explain("saliency", model, IMAGES, 1)
        if factor == 1:
            first = found
        np.testing.assert_allclose(found, factor * first, rtol=1e-4)


def test_a_layer_at_the_address_of_a_dropped_one_is_seen():
    model = keras.Sequential([layers.Input((5,)), layers.Dense(1, use_bias=False)])
    for factor in range(1, 4):
        model.pop()
        gc.collect()
        model.add(layers.Dense(1, use_bias=False))
        model.set_weights([np.full((5, 1), factor)])
        np.testing.assert_array_equal(explain("saliency", model, ROWS, 0), np.full((3, 5), factor))


def test_a_dropped_model_is_freed():
    dropped = {}
    for method in VISUALIZERS:
        model = sequential(dense())
        explain(method, model, IMAGES)
        dropped[method] = weakref.ref(model)
    del model
    gc.collect()
    assert [method for method, model in dropped.items() if model() is not None] == []


# Failures leave nothing behind


class Failing(layers.Layer):
    """Fails at every call after the first `good` ones."""

    good = 1 << 30

    def call(self, x):
        self.good -= 1
        if self.good < 0:
            raise RuntimeError("the layer failed")
        return x


@pytest.mark.parametrize("good", [0, 1])
@pytest.mark.parametrize("method", VISUALIZERS)
def test_a_model_that_fails_in_its_call_is_left_alone(method, good):
    model = sequential(dense(activation=None), Failing(), layers.Softmax())
    before = state(model, IMAGES)
    failing = model.layers[-2]
    failing.good = good
    with pytest.raises((UserError, RuntimeError), match="the layer failed"):
        explain(method, model, IMAGES)
    failing.good = 1 << 30
    after = state(model, IMAGES)
    before["attributes"], after["attributes"] = (
        [[name for name in names if name != "good"] for names in one["attributes"]]
        for one in (before, after)
    )
    assert after == before
    assert explain(method, model, IMAGES).any()


def test_threads_ask_one_model_at_a_time():
    model = sequential(dense())
    wanted = {n: explain("grad_cam", sequential(dense()), IMAGES[:n]) for n in (1, 2, 3)}
    output = np.asarray(model(IMAGES))
    found, wrong = [], []

    def target_of(n):
        for method in ("saliency", "grad_cam", "occlusion"):
            explain(method, model, IMAGES[:n])
        found.append(np.abs(explain("grad_cam", model, IMAGES[:n]) - wanted[n]).max())

    def predict():
        for _ in range(20):
            wrong.append(np.abs(np.asarray(model(IMAGES)) - output).max())

    several = [threading.Thread(target=target_of, args=(n,)) for n in (1, 2, 3, 3)]
    several.append(threading.Thread(target=predict))
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert len(found) == 4
    assert max(found) < 1e-5
    assert max(wrong) < 1e-5


def test_a_stateful_recurrent_layer_keeps_its_state():
    x = keras.Input(batch_shape=(3, 9, 2))
    model = keras.Model(x, layers.Dense(2)(layers.LSTM(4, stateful=True)(x)))
    model(SEQUENCES)
    before = [np.asarray(v).tobytes() for v in model.variables]
    explain("saliency", model, SEQUENCES)
    assert [np.asarray(v).tobytes() for v in model.variables] == before


# Errors


def refused(text, method, model, x, index=1, **settings):
    """The call ends in one line that begins with `text`."""
    with pytest.raises(UserError, match="^" + re.escape(text)) as caught:
        VISUALIZERS[method](model, x, index, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_every_method_checks_its_images_classes_and_output(method):
    refused("images: holds values that are NaN", method, built("sequential"), IMAGES * np.nan)
    refused("class_indices: expected classes 0 to 2, got 3", method, built("sequential"), IMAGES, 3)
    refused("output: no output 2: the model has 2", method, built("two outputs"), IMAGES, output=2)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (IMAGES[0], "images: the model takes (n, 8, 8, 2), got (8, 8, 2) (one example: images["),
        (IMAGES[:, :7], "images: the model takes (n, 8, 8, 2), got (3, 7, 8, 2)"),
        (
            IMAGES[:0],
            "images: expected (n, …) with one example or more, got the shape (0, 8, 8, 2)",
        ),
        (np.where(IMAGES > 0.9, np.nan, IMAGES), "images: holds values that are NaN or infinite"),
        (np.full_like(IMAGES, np.inf), "images: holds values that are NaN or infinite"),
        (1e300 * IMAGES.astype("float64"), "images: holds values that are NaN or infinite"),
        ([IMAGES, IMAGES], "images: the model has 1 inputs, got 2 (several images: np.stack("),
        ([], "images: the model has 1 inputs, got 0"),
        ("cat.jpg", "images: expected an array of numbers"),
        (None, "images: expected an array of numbers"),
        ({"a": 1}, "images: the model takes "),
        (IMAGES + 1j, "images: expected an array of numbers"),
        ([[[1, 2], [3]]], "images[0]: expected an array of numbers"),
    ],
    ids=lambda v: v[:40] if isinstance(v, str) else "",
)
def test_wrong_images_are_refused_in_one_line(images, text):
    refused(text, "saliency", built("sequential"), images)


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (3, "class_indices: expected classes 0 to 2, got 3"),
        (-1, "class_indices: expected classes 0 to 2, got -1"),
        (2**40, f"class_indices: expected classes 0 to 2, got {2**40}"),
        ([0, 1], "class_indices: expected one class or shape (3,), got (2,)"),
        ([], "class_indices: expected whole numbers"),
        ([[0, 1, 2]], "class_indices: expected one class or shape (3,), got (1, 3)"),
        ([[0], [1, 2]], "class_indices: expected whole numbers"),
        (0.5, "class_indices: expected whole numbers, got 0.5"),
        ("cat", "class_indices: expected whole numbers, got 'cat'"),
        (True, "class_indices: expected whole numbers, got True"),
    ],
)
def test_wrong_classes_are_refused_in_one_line(index, text):
    refused(text, "saliency", built("sequential"), IMAGES, index)


CURES = [
    (1, (3, 8, 8), "add the channel: images[..., None]"),
    (1, (8, 8, 1), "one example: images[None]"),
    (1, (8, 8), "one example without its channel: images[None, ..., None]"),
    (1, (3, 1, 8, 8), "channels last: np.moveaxis(images, 1, -1)"),
    (3, (2, 8, 8, 1), "grey as colours: np.repeat(images, 3, -1)"),
    (3, (2, 8, 8), "grey as colours: np.repeat(images[..., None], 3, -1)"),
    (3, (2, 3, 8, 8), "channels last: np.moveaxis(images, 1, -1)"),
    (1, (8, 9), None),
]


@pytest.mark.parametrize(("channels", "shape", "cure"), CURES)
def test_images_of_another_shape_are_told_the_cure_that_fits(channels, shape, cure):
    model = keras.Sequential([layers.Input((8, 8, channels)), layers.Flatten(), dense()])
    images, text = np.zeros(shape), f"images: the model takes (n, 8, 8, {channels}), got {shape}"
    refused(f"{text} ({cure})" if cure else text, "saliency", model, images)
    if cure:
        cured = eval(cure.partition(": ")[2], {"np": np, "images": images})
        assert explain("saliency", model, cured, 1).shape[1:] == (8, 8)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's eager tape")
def test_a_stride_with_a_kernel_of_one_step_is_compiled_at_once():
    """TensorFlow's eager tape can corrupt memory there."""
    for stride, compiled in ((2, True), (1, False)):
        body = [layers.Conv1D(3, 1, strides=stride), layers.GlobalAveragePooling1D(), dense()]
        model = keras.Sequential([layers.Input((9, 2)), *body])
        explain("grad_cam", model, SEQUENCES)
        (function,) = [
            run for key, run in _COMPILED[model].items() if key[0] == "maps and gradient"
        ]
        assert (function is not None) == compiled


def test_one_sigmoid_unit_has_two_classes():
    refused(
        "class_indices: expected classes 0 to 1, got 2", "saliency", built("sigmoid"), IMAGES, 2
    )


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (2, "output: no output 2: the model has 2"),
        (-1, "output: no output -1: the model has 2"),
        ("color", "output: no output 'color' (known: kind, colour)"),
        (0.5, "output: expected a number or a name, got 0.5"),
        (None, "output: expected a number or a name, got None"),
        (True, "output: expected a number or a name, got True"),
    ],
)
def test_wrong_outputs_are_refused_in_one_line(output, text):
    refused(text, "saliency", built("two outputs"), IMAGES, output=output)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("frist", "layer: no layer 'frist' (did you mean 'first'?)"),
        (9, "layer: no position 9: the model has 3 layers"),
        (1.5, "layer: expected a position, name or layer, got 1.5"),
        (True, "layer: expected a position, name or layer, got True"),
        (layers.Dense(2, name="other"), "layer: 'other' is another model's layer"),
    ],
    ids=str,
)
def test_unknown_layers_are_refused_in_one_line(layer, text):
    refused(text, "grad_cam", pooled_net(), IMAGES, layer=layer)


@lru_cache
def pooled_net():
    pool = layers.GlobalAveragePooling2D(name="pool")
    return keras.Sequential([layers.Input((8, 8, 2)), conv(3, name="first"), pool, dense()])


@pytest.mark.parametrize("method", CAMS)
def test_layers_without_places_are_refused(method):
    net = pooled_net()
    refused(f"{method}: layer pool gives (3,), not positions", method, net, IMAGES, layer=1)
    refused("layer: no position 9: the model has 3 layers", method, net, IMAGES, layer=9)


@pytest.mark.parametrize("method", CAMS)
def test_models_without_convolution_are_refused(method):
    model = keras.Sequential([layers.Input((8, 8, 2)), layers.Flatten(), dense()])
    refused(f"{method}: the model has no convolutional layer", method, model, IMAGES)


def flat_net():
    return keras.Sequential([layers.Input((8, 8, 2)), conv(3), layers.Flatten(), dense()])


def two_dense_net():
    return sequential(dense(4, "relu"), dense())


def rectified_net():
    """Between pooling and output stands a ReLU that cuts: no map adds up to the logit."""
    negative = keras.initializers.RandomUniform(-1, -0.5, seed=1)
    body = layers.Conv2D(3, 3, kernel_initializer=negative)
    pool = layers.GlobalAveragePooling2D()
    return keras.Sequential([layers.Input((8, 8, 2)), body, pool, layers.ReLU(), dense()])


def two_pools_net():
    x = layers.Input((8, 8, 2))
    pooled = [layers.GlobalAveragePooling2D()(conv(n)(x)) for n in (3, 3)]
    return keras.Model(x, dense()(layers.Concatenate()(pooled)))


@pytest.mark.parametrize("model", [flat_net, two_dense_net, rectified_net, two_pools_net])
def test_the_class_activation_map_needs_pooling_and_one_dense_layer(model):
    text = (
        "class_activation_map: the model does not end in GlobalAveragePooling and one Dense layer"
    )
    refused(text, "class_activation_map", model(), IMAGES)


def test_the_class_activation_map_finds_what_is_pooled_among_branches():
    x = layers.Input((8, 8, 2))
    seen = conv(3, name="seen")(x)
    pool = layers.GlobalAveragePooling2D()
    side = layers.Flatten()(conv(5, name="side")(conv(6)(x)))
    head = dense(activation=None)
    model = keras.Model(x, [head(pool(seen)), side])
    found = explain("class_activation_map", model, IMAGES, enlarge=False)
    maps = feature_maps(model, IMAGES, "seen")["seen"]
    np.testing.assert_allclose(found, maps @ head.get_weights()[0][:, 1], rtol=1e-4)


def test_the_class_activation_map_reads_a_base_that_pools_itself():
    x = layers.Input((8, 8, 2))
    base = keras.Model(x, layers.GlobalAveragePooling2D()(conv(3)(x)), name="base")
    y = layers.Input((8, 8, 2))
    model = keras.Model(y, dense()(base(y)))
    assert explain("class_activation_map", model, IMAGES).shape == (3, 8, 8)


@pytest.mark.parametrize("method", MASKING)
def test_methods_that_mask_cover_the_image_and_hold_the_row(method):
    assert explain(method, two_inputs(), [IMAGES, ROWS]).shape == (3, 8, 8)


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_rows_have_no_places_to_cover(method):
    rows = keras.Sequential([layers.Input((5,)), dense()])
    refused(f"{method}: rows and tokens have no positions to cover", method, rows, ROWS)


@pytest.mark.parametrize("method", VISUALIZERS)
def test_inputs_that_do_not_fit_each_other_are_refused(method):
    refused("images: the model has 2 inputs, got 1", method, two_inputs(), IMAGES)
    text = "images: every input needs the same number of examples, got 3, 2"
    refused(text, method, two_inputs(), [IMAGES, ROWS[:2]])


WORDS = np.array([[1, 2, 3], [3, 2, 1]])


@pytest.mark.parametrize("method", GRADIENTS[:-1])
def test_the_gradient_of_tokens_is_that_of_their_embedding_one_value_per_token(method):
    """A model of the embedding's output gives the same, vectors reduced to their sum or maximum."""
    head = [layers.Conv1D(4, 2, activation="relu"), layers.GlobalAveragePooling1D(), dense()]
    embedding = layers.Embedding(10, 4)
    inner = keras.Sequential([layers.Input((3, 4)), *head])
    model = keras.Sequential([layers.Input((3,), dtype="int32"), embedding, *head])
    vectors = np.asarray(embedding(WORDS))
    found, wanted = explain(method, model, WORDS), explain(method, inner, vectors)
    one = np.sum if method in ("gradient_times_input", "integrated_gradients") else np.max
    np.testing.assert_allclose(found, one(wanted, axis=-1), rtol=1e-4, atol=1e-7)
    assert explain(method, keras.Sequential([embedding, *head]), WORDS).shape == (2, 3)


def test_masked_tokens_have_no_gradient_and_the_others_keep_theirs():
    x = layers.Input((4,), dtype="int32")
    vectors = layers.Embedding(10, 3, mask_zero=True)(x)
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(vectors)))
    kernel = np.abs(np.asarray(model.layers[-1].kernel)[:, 1]).max()
    found = explain("saliency", model, np.array([[5, 1, 0, 0]]))
    np.testing.assert_allclose(found, [[kernel / 2, kernel / 2, 0, 0]], rtol=1e-5)


@pytest.mark.parametrize("method", GRADIENTS[:-1])
def test_an_input_whose_gradient_is_cut_off_is_named(method):
    pixels = [layers.Input((8, 8, 2), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten()]
    text = "images: the model takes whole numbers, which have no gradient: use a method that covers"
    refused(text, method, keras.Sequential([*pixels, dense()]), 255 * IMAGES)
    x, row = layers.Input((8, 8, 2), dtype="uint8"), layers.Input((5,))
    both = layers.Concatenate()([layers.Flatten()(layers.Rescaling(1 / 255)(x)), row])
    text = "images[0]: the model takes whole numbers, which have no gradient: use a method that"
    refused(text, method, keras.Model([x, row], dense()(both)), [255 * IMAGES, ROWS])
    words = layers.Input((3,), dtype="int32")
    model = keras.Model(words, dense()(layers.Flatten()(keras.ops.one_hot(words, 10))))
    text = "images: the model takes whole numbers, which have no gradient: explain the part of the"
    refused(text, method, model, WORDS)


@pytest.mark.parametrize("method", [*CAMS, "class_activation_map", "occlusion", "rise"])
def test_whole_number_inputs_have_layers_and_masks(method):
    x = layers.Input((8, 8, 2), dtype="uint8")
    pooled = layers.GlobalAveragePooling2D()(conv(3)(layers.Rescaling(1 / 255)(x)))
    assert explain(method, keras.Model(x, dense()(pooled)), 255 * IMAGES).any()


@pytest.mark.parametrize("method", VISUALIZERS)
def test_channels_first_is_refused(method):
    body = [layers.Input((2, 8, 8)), layers.Flatten(data_format="channels_first"), dense()]
    text = "model: its layers are channels_first; visualizers need channels_last"
    refused(text, method, keras.Sequential(body), IMAGES.transpose(0, 3, 1, 2))


def test_score_cam_needs_a_layer_with_the_input_s_places():
    body = [layers.Reshape((8, 16)), layers.Conv1D(3, 3), layers.GlobalAveragePooling1D(), dense()]
    model = keras.Sequential([layers.Input((8, 8, 2)), *body])
    text = f"score_cam: layer {model.layers[1].name} has other axes than the input"
    refused(text, "score_cam", model, IMAGES)


def test_what_is_not_a_model_is_refused():
    for thing in (None, "model.keras", layers.Dense(2), np.zeros(3)):
        text = f"model: expected a Keras model, got {type(thing).__name__}"
        for method in VISUALIZERS:
            refused(text, method, thing, IMAGES)
        for function in (feature_maps, neuron_activity):
            with pytest.raises(UserError, match=text):
                function(thing, IMAGES)
        with pytest.raises(UserError, match=text):
            filters(thing)


def test_a_model_that_cannot_take_the_images_says_so_in_one_line():
    model = Subclassed()
    model(IMAGES)
    refused(
        "model: cannot be called on images (n, 8, 8, 3): ",
        "saliency",
        model,
        IMAGES[..., [0, 0, 1]],
    )


# As in a recipe, a number may be written as text ("2"), and a whole one with a point (2.0).
NONSENSE = ["a", None, [], {}, 2.5, float("nan"), float("inf"), -1, True, b"x", 1j, object()]
WHOLE = {
    "integrated_gradients": ["steps"],
    "smooth_grad": ["samples", "seed"],
    "rise": ["masks", "cells", "seed"],
    "occlusion": ["patch", "stride"],
}
WHOLE = {method: [*WHOLE.get(method, []), "batch_size"] for method in VISUALIZERS}


@pytest.mark.parametrize(("method", "name"), [(m, n) for m, names in WHOLE.items() for n in names])
def test_settings_that_are_not_whole_numbers_are_refused(method, name):
    may_be_none = {"steps", "patch", "stride", "batch_size"}
    for value in NONSENSE + ([] if name == "seed" else [0]):
        if value is None and name in may_be_none:
            continue
        text = f"{method}: '{name}': expected "
        refused(text, method, built("sequential"), IMAGES, **{name: value})


def test_a_wrong_setting_is_told_with_what_was_expected_and_what_came():
    for settings, text in (
        ({"samples": 0}, "smooth_grad: 'samples': expected greater than or equal to 1, got 0"),
        ({"samples": 2.5}, "smooth_grad: 'samples': expected a valid integer, got 2.5"),
        ({"noise": "much"}, "smooth_grad: 'noise': expected a valid number, got 'much'"),
        ({"kind": "median"}, "smooth_grad: 'kind': expected 'mean', 'squared' or 'variance', got "),
        ({"sample": 3}, "smooth_grad: unknown setting 'sample' (did you mean 'samples'?)"),
    ):
        refused(text, "smooth_grad", built("sequential"), IMAGES, **settings)


@pytest.mark.parametrize("three", [np.int64(3), np.float32(3), "3", 3.0])
def test_numbers_of_other_kinds_are_settings_too(three):
    found = explain("smooth_grad", built("sequential"), IMAGES, samples=three)
    wanted = explain("smooth_grad", built("sequential"), IMAGES, samples=3)
    np.testing.assert_array_equal(found, wanted)


REAL = {"smooth_grad": ["noise"], "rise": ["keep"], "occlusion": ["value"]}


@pytest.mark.parametrize(("method", "name"), [(m, n) for m, names in REAL.items() for n in names])
def test_settings_that_are_not_numbers_are_refused(method, name):
    for value in NONSENSE:
        if (name == "value" and value in (2.5, -1)) or (name == "noise" and value == 2.5):
            continue
        text = f"{method}: '{name}': expected "
        refused(text, method, built("sequential"), IMAGES, **{name: value})


@pytest.mark.parametrize("baseline", ["a", None, {}, float("nan"), object(), np.zeros((8, 7, 2))])
def test_baselines_that_do_not_fit_are_refused(baseline):
    text = "baseline: expected a number or an array of (8, 8, 2)"
    refused(text, "integrated_gradients", built("sequential"), IMAGES, baseline=baseline)
    text = "baseline: got 2, expected one per input"
    refused(text, "integrated_gradients", built("sequential"), IMAGES, baseline=[0, 1])


def test_patches_that_do_not_fit_the_image_are_refused():
    for patch, stride in ((9, None), (2, 3)):
        refused(
            "occlusion: needs 1 <= stride <= patch <= 8",
            "occlusion",
            built("sequential"),
            IMAGES,
            patch=patch,
            stride=stride,
        )


def test_guided_backpropagation_needs_a_relu():
    model = keras.Sequential([layers.Input((5,)), dense()])
    refused("guided_backpropagation: the model has no ReLU", "guided_backpropagation", model, ROWS)


def test_layers_without_a_kernel_have_no_filters():
    with pytest.raises(UserError, match="filters: layer pool has no kernel"):
        filters(pooled_net(), "pool")
    with pytest.raises(UserError, match="filters: the model has no convolutional layer"):
        filters(keras.Sequential([layers.Input((5,)), dense()]))
    with pytest.raises(UserError, match="feature_maps: the model has no convolutional layer"):
        feature_maps(keras.Sequential([layers.Input((5,)), dense()]), ROWS)
