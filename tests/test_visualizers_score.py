"""The score that is explained: the logit, wherever the softmax stands; the place, key or value."""

# A method returns an array, or a list of them for a list of inputs; here it is always an array.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportOptionalOperand=false

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcourse.errors import UserError
from dlcourse.lab.faithfulness import deletion_curve, insertion_curve
from dlcourse.visualizers import (
    VISUALIZERS,
    activation_maximization,
    feature_maps,
    grad_cam,
    gradient_times_input,
    guided_backpropagation,
    integrated_gradients,
    occlusion,
    rise,
    saliency,
    score_cam,
)

RNG = np.random.default_rng(0)
WEIGHTS = np.array([[1, -2, 3], [-3, 4, 1], [0, 0.5, 2], [2, 2, -1]], "float32")
ROWS = RNG.normal(size=(3, 4)).astype("float32")
IMAGES = RNG.random((2, 6, 6, 1)).astype("float32")
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's")


def functional(behind):
    """Rows (4) → three logits by `WEIGHTS` → what stands behind them."""
    x = layers.Input((4,))
    model = keras.Model(x, behind(layers.Dense(3, use_bias=False, name="scores")(x)))
    model.set_weights([WEIGHTS])
    return model


class Own(keras.Model):
    """A subclassed model whose `call` applies a function to the logits."""

    def __init__(self, function):
        super().__init__()
        self.scores, self.function = layers.Dense(3, use_bias=False), function

    def call(self, x):
        return self.function(self.scores(x))


class Attentive(keras.Model):
    """Other softmaxes and sigmoids come before, in attention and in a loop over time."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3)
        self.loop, self.scores = layers.LSTM(4), layers.Dense(3, use_bias=False)

    def call(self, x):
        tokens = ops.expand_dims(x, 1) + ops.zeros((1, 4, 1))
        aside = self.loop(self.attention(tokens, tokens))
        return ops.softmax(self.scores(x + 0 * aside))


def own(function):
    model = Own(function)
    model(ROWS)
    model.set_weights([WEIGHTS])
    return model


def attentive():
    model = Attentive()
    model(ROWS)
    model.scores.set_weights([WEIGHTS])
    return model


def tensorflow(name):
    import tensorflow as tf

    return getattr(tf.nn, name, None) or getattr(tf, name)


def in_a_tf_function():
    import tensorflow as tf

    class Compiled(Own):
        @tf.function
        def call(self, x):
            return super().call(x)

    model = Compiled(ops.softmax)
    model(ROWS)
    model.set_weights([WEIGHTS])
    return model


WRITINGS = {
    "operation": lambda: functional(ops.softmax),
    "activation function": lambda: functional(keras.activations.softmax),
    "Lambda": lambda: functional(layers.Lambda(lambda x: ops.softmax(x))),
    "lambda as activation": lambda: functional(layers.Activation(lambda x: ops.softmax(x))),
    "log-softmax": lambda: functional(ops.log_softmax),
    "log-softmax as activation": lambda: functional(layers.Activation("log_softmax")),
    "sigmoids": lambda: functional(ops.sigmoid),
    "hard sigmoids": lambda: functional(layers.Activation("hard_sigmoid")),
    "reshaped": lambda: functional(lambda x: layers.Reshape((1, 3))(ops.softmax(x))),
    "flattened": lambda: functional(lambda x: layers.Flatten()(layers.Softmax()(x))),
    "nested": lambda: functional(functional_head()),
    "subclassed": lambda: own(ops.softmax),
    "subclassed, reshaped": lambda: own(lambda x: ops.reshape(ops.softmax(x), (-1, 1, 3))),
    "after others": attentive,
}
OF_TENSORFLOW = {
    "tf in a Lambda": lambda: functional(layers.Lambda(lambda x: tensorflow("softmax")(x))),
    "tf as activation": lambda: functional(layers.Activation(tensorflow("softmax"))),
    "tf, subclassed": lambda: own(tensorflow("softmax")),
    "tf.function": in_a_tf_function,
}


def functional_head():
    x = layers.Input((3,))
    return keras.Model(x, ops.softmax(x), name="head")


@pytest.mark.parametrize(
    "writing", [*WRITINGS, *(pytest.param(name, marks=tensorflow_only) for name in OF_TENSORFLOW)]
)
def test_the_logit_is_read_before_every_writing_of_softmax_and_sigmoid(writing):
    model = {**WRITINGS, **OF_TENSORFLOW}[writing]()
    before = np.asarray(model(ROWS))
    for x in (ROWS, 50 * ROWS):  # sure: the softmax's own gradient is 0
        found = saliency(model, x, [0, 1, 2])
        np.testing.assert_allclose(found, np.abs(WEIGHTS.T), rtol=1e-5)
    predicted = np.argmax(ROWS @ WEIGHTS, axis=1)
    np.testing.assert_allclose(saliency(model, ROWS), np.abs(WEIGHTS.T[predicted]), rtol=1e-5)
    np.testing.assert_array_equal(before, model(ROWS))


def test_two_sure_heads_are_not_confused():
    """Both give 1 and 0, 0: the values alone do not tell which softmax is whose."""
    x = layers.Input((4,))
    heads = [layers.Dense(3, use_bias=False)(x) for _ in range(2)]
    model = keras.Model(x, [layers.Reshape((3, 1))(ops.softmax(head)) for head in heads])
    model = keras.Model(x, [layers.Flatten()(output) for output in model.outputs])
    model.set_weights([1e3 * WEIGHTS, 2e3 * WEIGHTS])
    for output, factor in enumerate((1e3, 2e3)):
        found = saliency(model, ROWS, 1, output=output)
        np.testing.assert_allclose(found, factor * np.abs(WEIGHTS.T[[1, 1, 1]]), rtol=1e-5)


def test_a_softmax_per_step_is_read_before_it():
    """One softmax for each of the five steps, and others before."""
    x = layers.Input((5, 4))
    steps = layers.TimeDistributed(layers.Dense(3, "softmax", use_bias=False))
    model = keras.Model(x, steps(layers.Multiply()([x, layers.Softmax()(x) * 0 + 1])))
    model.set_weights([WEIGHTS])
    found = saliency(model, 30 * RNG.normal(size=(2, 5, 4)), 2, where=3)
    assert not found[:, [0, 1, 2, 4]].any()
    np.testing.assert_allclose(found[:, 3], np.abs(WEIGHTS.T[[2, 2]]), rtol=1e-5)


def by_hand(x):
    powers = ops.exp(x)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def test_probabilities_whose_logits_are_not_found_are_refused_with_a_cure():
    model = functional(by_hand)
    for method in (saliency, gradient_times_input, integrated_gradients):
        with pytest.raises(UserError, match=r"^output: its numbers add up to 1, but no softmax"):
            method(model, ROWS, 0)
    for method in (grad_cam, occlusion):
        with pytest.raises(UserError, match=r"^output: its numbers add up to 1, but no softmax"):
            method(image_net(by_hand), IMAGES, 0)


def image_net(behind, units=2):
    x = layers.Input((6, 6, 1))
    maps = layers.Conv2D(3, 3, activation="relu", name="conv")(x)
    logits = layers.Dense(units, name="head")(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(x, behind(logits))


def test_methods_of_probabilities_and_of_layers_take_what_adds_up_to_1():
    keras.utils.set_random_seed(0)
    found, wanted = image_net(by_hand), image_net(ops.softmax)
    found.set_weights(wanted.get_weights())
    for method in (rise, score_cam):
        settings = {"masks": 20, "cells": 3} if method is rise else {}
        one, other = (method(model, IMAGES, 1, **settings) for model in (found, wanted))
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert "conv" in feature_maps(found, IMAGES)


# One output


def single(behind, loss=None):
    x = layers.Input((4,))
    model = keras.Model(x, behind(layers.Dense(1, use_bias=False)(x)))
    model.set_weights([WEIGHTS[:, :1]])
    if loss is not None:
        model.compile(loss=loss)
    return model


FROM_LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
ONE_UNIT = {
    "operation": lambda: single(ops.sigmoid),
    "hard sigmoid": lambda: single(ops.hard_sigmoid),
    "Lambda": lambda: single(layers.Lambda(lambda x: ops.sigmoid(x))),
    "no axis": lambda: single(lambda x: layers.Reshape(())(ops.sigmoid(x))),
    "from logits": lambda: single(lambda x: x, FROM_LOGITS),
    "from logits, listed": lambda: single(lambda x: x, [FROM_LOGITS]),
    "focal": lambda: single(lambda x: x, keras.losses.BinaryFocalCrossentropy(from_logits=True)),
}


@pytest.mark.parametrize("kind", ONE_UNIT)
def test_one_unit_of_two_classes_has_the_signs_of_both(kind):
    model = ONE_UNIT[kind]()
    one = ROWS * WEIGHTS[:, 0]
    np.testing.assert_allclose(gradient_times_input(model, ROWS, 1), one, rtol=1e-5)
    np.testing.assert_allclose(gradient_times_input(model, ROWS, 0), -one, rtol=1e-5)
    sign = np.sign(ROWS @ WEIGHTS[:, :1])
    np.testing.assert_allclose(gradient_times_input(model, ROWS), sign * one, rtol=1e-5)


def test_a_loss_by_output_name_tells_which_head_has_two_classes():
    x = layers.Input((4,))
    heads = {name: layers.Dense(1, name=name)(x) for name in ("sick", "age")}
    model = keras.Model(x, heads)
    model.compile(loss={"sick": FROM_LOGITS, "age": "mse"})
    assert saliency(model, ROWS, 1, output="sick").shape == ROWS.shape
    with pytest.raises(UserError, match="class_indices: expected classes 0 to 0, got 1"):
        saliency(model, ROWS, 1, output="age")


def head_of(weights, loss=None, units=1):
    """Two channels, bright at the top and at the bottom, and a head without a sigmoid."""
    x = layers.Input((4, 4, 1))
    maps = layers.Conv2D(2, 1, name="maps")(layers.UpSampling2D(1)(x))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(maps))
    model = keras.Model(x, layers.Dense(units)(pooled))
    kernel = np.reshape(weights, (2, units))
    model.set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2), kernel, np.zeros(units)])
    if loss:
        model.compile(loss=loss)
    return model


SIGNED = np.where(np.arange(4)[:, None] < 2, 1.0, -3.0) * np.ones((1, 4, 4))
FOUR = ([1, 0], [0, 1], [-1, -1], [5, 0])


@pytest.mark.parametrize("method", ["score_cam", "rise", "deletion", "insertion"])
def test_heads_of_one_unit_have_maps_of_their_own(method):
    image = SIGNED[..., None]
    settings = {"masks": 30, "cells": 2} if method == "rise" else {}
    curves = {"deletion": deletion_curve, "insertion": insertion_curve}
    maps = [
        curves[method](head_of(weights), image, SIGNED, 0, steps=4)
        if method in curves
        else VISUALIZERS[method](head_of(weights), image, 0, layer="maps")
        if method == "score_cam"
        else rise(head_of(weights), image, 0, **settings)
        for weights in FOUR
    ]
    for k, one in enumerate(maps):
        for other in maps[k + 1 :]:
            assert np.abs(one - other).max() > 0.01
    if method in curves:  # the model's own values, from the whole image and from none
        ends = maps[3][0, [0, -1] if method == "deletion" else [-1, 0]]
        np.testing.assert_allclose(ends, [2.5, 0], atol=1e-6)


def test_several_numbers_of_a_regression_are_values_not_logits():
    model = head_of([[5, 0], [0, 5]], "mse", units=2)
    curve = deletion_curve(model, SIGNED[..., None], SIGNED, 0, steps=4)
    np.testing.assert_allclose(curve[0, 0], 2.5, atol=1e-6)


# Half precision


def half(weight, policy="mixed_float16"):
    """One convolution, then one number: the gradient is `weight` everywhere."""
    x = layers.Input((4, 4, 1))
    maps = layers.Conv2D(1, 1, dtype=policy, name="conv")(x)
    scaled = layers.Rescaling(float(weight), dtype="float32")(maps)
    model = keras.Model(x, layers.GlobalAveragePooling2D(dtype="float32")(scaled))
    model.layers[1].set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    return model


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
@pytest.mark.parametrize("weight", [1e-6, 64 * 16, 1e5, 1e9])
def test_gradients_in_half_precision_neither_overflow_nor_vanish(weight, policy):
    model = half(weight, policy)
    x = np.ones((1, 4, 4, 1))
    np.testing.assert_allclose(saliency(model, x), weight / 16, rtol=1e-4)
    np.testing.assert_allclose(grad_cam(model, x), weight / 16, rtol=1e-4)
    np.testing.assert_allclose(integrated_gradients(model, x), weight / 16, rtol=1e-3)
    assert model.get_layer("conv").compute_dtype == policy.replace("mixed_", "")


def test_images_that_activate_a_class_in_half_precision_are_finite():
    image = activation_maximization(half(1e6), 0, value_range=(0, 1), steps=3)
    assert np.isfinite(image).all()
    assert image.std() > 0


# Outputs and inputs


@pytest.fixture(scope="module")
def keyed():
    x = layers.Input((4,))
    outputs = {name: layers.Dense(3, name=f"dense_{name}")(x) for name in ("b", "a")}
    model = keras.Model(x, outputs)
    model.get_layer("dense_b").set_weights([WEIGHTS, np.zeros(3)])
    model.get_layer("dense_a").set_weights([10 * WEIGHTS, np.zeros(3)])
    return model


@pytest.mark.parametrize(
    ("output", "factor"), [("a", 10), ("b", 1), (0, 1), (1, 10), ("dense_a", 10)]
)
def test_outputs_are_asked_by_the_users_key_or_in_the_order_given(keyed, output, factor):
    found = saliency(keyed, ROWS, 2, output=output)
    np.testing.assert_allclose(found, factor * np.abs(WEIGHTS.T[[2, 2, 2]]), rtol=1e-5)


def test_an_unknown_key_is_told_with_the_known_ones(keyed):
    with pytest.raises(UserError, match=re.escape("output: no output 'c' (known: b, a)")):
        saliency(keyed, ROWS, 0, output="c")


class Both(keras.Model):
    """A subclassed model of a dict of inputs and of outputs."""

    def __init__(self):
        super().__init__()
        self.one, self.two = (layers.Dense(2, use_bias=False) for _ in range(2))

    def call(self, inputs):
        return {"z": self.two(inputs["right"]), "sum": self.one(inputs["left"])}


def test_a_subclassed_model_takes_a_dict_and_gives_one():
    model, x = Both(), {"right": ROWS, "left": 2 * ROWS}
    model(x)
    one, two = (np.asarray(layer.kernel) for layer in (model.one, model.two))
    right, left = saliency(model, x, 1, output="z")
    np.testing.assert_allclose(left if left.any() else right, np.abs(two[:, [1] * 3].T), rtol=1e-5)
    assert not (left.any() and right.any())
    for wrong in ({"right": ROWS, "lift": ROWS}, [ROWS, ROWS]):
        with pytest.raises(UserError, match=r"^model: cannot be called on images"):
            saliency(model, wrong, 1, output="z")
    maps = saliency(model, x, 1, output="sum")
    np.testing.assert_allclose(sum(maps), np.abs(one[:, [1] * 3].T), rtol=1e-5)


def test_a_dict_of_names_is_taken_where_the_model_has_a_list():
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    model = keras.Model([b, a], layers.Dense(1)(layers.Concatenate()([a, 3 * b])))
    for given in ({"a": ROWS, "b": -ROWS}, {"b": -ROWS, "a": ROWS, "other": ROWS}):
        found = gradient_times_input(model, given)
        wanted = gradient_times_input(model, [-ROWS, ROWS])
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def dense_output():
    """Images (6, 6, 1) → two classes at each place: the pixel times 1 and times −2."""
    conv = layers.Conv2D(2, 1, use_bias=False, name="conv")
    model = keras.Sequential([layers.Input((6, 6, 1)), conv, layers.Softmax()])
    conv.set_weights([np.array([[[[1.0, -2.0]]]])])
    return model


REGION = np.zeros((6, 6), bool)
REGION[1:3, 4] = True


@pytest.mark.parametrize(
    ("where", "mask"),
    [
        ((3, 5), np.pad([[1.0]], ((3, 2), (5, 0)))),
        (np.s_[1:3, 4], REGION / 2),
        (REGION, REGION / 2),
        (np.stack([REGION, REGION]), REGION / 2),
        (2, np.pad(np.full((1, 6), 1 / 6), ((2, 3), (0, 0)))),
        (None, np.full((6, 6), 1 / 36)),
    ],
    ids=["pixel", "slices", "mask", "mask per image", "row", "all"],
)
def test_the_score_is_the_mean_over_the_places_asked(where, mask):
    model = dense_output()
    wanted = np.broadcast_to(mask, (2, 6, 6))
    np.testing.assert_allclose(saliency(model, IMAGES, 1, where=where), 2 * wanted, rtol=1e-5)
    covered = occlusion(model, IMAGES, 0, where=where, patch=1)
    np.testing.assert_allclose(covered, wanted * IMAGES[..., 0], atol=1e-6)


def test_the_class_predicted_is_that_of_the_places_asked():
    image = np.ones((1, 6, 6, 1))
    image[0, 0, 0] = -9
    model = dense_output()
    np.testing.assert_allclose(saliency(model, image).sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(saliency(model, image, where=(0, 0)).sum(), 2, rtol=1e-5)


def test_places_of_an_output_without_places_are_refused():
    with pytest.raises(UserError, match=r"^where: expected an index .* places \(\), got 0"):
        saliency(functional(ops.softmax), ROWS, 0, where=0)


@pytest.mark.parametrize("where", [(9, 9), (0, 0, 0), "top", 0.5, np.zeros((6, 6), bool)])
def test_places_that_the_output_does_not_have_are_refused(where):
    with pytest.raises(UserError, match=r"^where: expected an index .* places \(6, 6\), got "):
        saliency(dense_output(), IMAGES, 0, where=where)


# Guided back-propagation


class Rectified(keras.Model):
    """A ReLU written in `call`."""

    def __init__(self, relu):
        super().__init__()
        self.one, self.two = (layers.Dense(n, use_bias=False) for n in (2, 1))
        self.relu = relu

    def call(self, x):
        return self.two(self.relu(self.one(x)))


def rectified(relu):
    x = layers.Input((2,))
    hidden = relu(layers.Dense(2, use_bias=False)(x))
    return keras.Model(x, layers.Dense(1, use_bias=False)(hidden))


RELUS = {
    "layer": lambda: rectified(layers.ReLU()),
    "name": lambda: rectified(layers.Activation("relu")),
    "operation": lambda: rectified(ops.relu),
    "relu6": lambda: rectified(lambda x: 50 * ops.relu6(x / 50)),
    "Lambda": lambda: rectified(layers.Lambda(lambda x: ops.relu(x))),
    "lambda as activation": lambda: rectified(layers.Activation(lambda x: ops.relu(x))),
    "maximum": lambda: rectified(lambda x: ops.maximum(x, 0)),
    "subclassed": lambda: Rectified(ops.relu),
    "maximum in a call": lambda: Rectified(lambda x: ops.maximum(0.0, x)),
    "tf": lambda: Rectified(tensorflow("relu")),
    "tf as activation": lambda: rectified(layers.Activation(tensorflow("relu"))),
    "tf in a Lambda": lambda: rectified(layers.Lambda(tensorflow("relu"))),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=tensorflow_only if "tf" in k else ()) for k in RELUS]
)
def test_every_writing_of_relu_is_guided(kind):
    model = RELUS[kind]()
    model(np.ones((1, 2)))
    model.set_weights([np.array([[1, -1], [2, 3]]), np.array([[2.0], [-3.0]])])
    found = guided_backpropagation(model, np.array([[1.0, 1.0]]), 0)
    np.testing.assert_allclose(found, [[2.0, 4.0]], rtol=1e-6)  # unit 1's gradient is stopped


OTHER_RELUS = {
    "where": lambda x: ops.where(x > 0, x, 0),
    "a mask": lambda x: x * ops.cast(x > 0, x.dtype),
    "the larger of tensors": lambda x: ops.maximum(x, ops.zeros_like(x)),
    "clip": lambda x: ops.clip(x, 0, float("inf")),
    "capped": lambda x: ops.clip(x, 0, 6),
    "the mean with |x|": lambda x: (x + ops.abs(x)) / 2,
    "minus the smaller": lambda x: -ops.minimum(-x, 0),
    "a threshold": lambda x: keras.activations.relu(x, threshold=0.5),
    "tf.where": lambda x: tensorflow("where")(x > 0, x, 0.0),
}


class Raw(keras.Layer):
    """A dense layer with a weight of its own."""

    def __init__(self, relu):
        super().__init__(name="raw")
        self.relu = relu

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")

    def call(self, x):
        return self.relu(ops.matmul(x, self.kernel))


def behind_relu(*others):
    """A model with a ReLU that is guided, and then the others."""
    first = [layers.Input((2,)), layers.Dense(3, "relu")]
    return keras.Sequential([*first, *others, layers.Dense(1)])


def in_call(relu):
    """A subclassed model with both ReLUs between its layers `one` and `two`."""
    model = Rectified(lambda x: relu(x + ops.relu(x - 1)))
    model.two.name = "two"
    return model


PLACES = {
    "hidden": lambda relu: behind_relu(layers.Lambda(relu, name="hidden")),
    "dense": lambda relu: behind_relu(layers.Dense(2, relu, name="dense")),
    "raw": lambda relu: behind_relu(Raw(relu)),
    "two": in_call,
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=tensorflow_only if "tf" in k else ()) for k in OTHER_RELUS]
)
def test_a_relu_that_cannot_be_guided_is_refused_by_its_place(kind):
    for place, build in PLACES.items():
        model = build(OTHER_RELUS[kind])
        model(np.ones((1, 2)))
        reason = f"guided_backpropagation: write ReLU as ops.relu in or before {place}"
        with pytest.raises(UserError, match=f"^{reason}$"):
            guided_backpropagation(model, np.array([[1.0, 1.0]]), 0)


def test_a_relu_of_operations_in_a_graph_is_refused_by_the_operation():
    x = layers.Input((2,))
    hidden = layers.Dense(3, "relu")(x) @ np.ones((3, 2), "float32")
    for relu, name in ((OTHER_RELUS["where"], "where"), (OTHER_RELUS["a mask"], "multiply")):
        model = keras.Model(x, layers.Dense(1)(1 - relu(layers.Dense(2)(hidden))))
        with pytest.raises(UserError, match=rf"ops\.relu in or before {name}"):
            guided_backpropagation(model, np.array([[1.0, 1.0]]), 0)


def test_one_image_at_a_time_shows_a_relu_that_cannot_be_guided():
    x = layers.Input((2,), batch_size=1)
    hidden = OTHER_RELUS["where"](layers.Dense(8)(layers.Dense(8, "relu")(x)))
    with pytest.raises(UserError, match=r"ops\.relu in or before where"):
        guided_backpropagation(keras.Model(x, layers.Dense(1)(hidden)), np.ones((3, 2)), 0)


LOOK_ALIKES = {
    "clipped pixels": layers.Lambda(lambda x: ops.clip(x, 0, 255)),
    "a capped ReLU": layers.ReLU(max_value=5),
    "a residual": layers.Lambda(lambda x: x + ops.relu(x)),
    "hard activations": layers.Lambda(lambda x: ops.hard_silu(x) + ops.hard_sigmoid(x)),
    "a causal mask": layers.Lambda(lambda x: ops.softmax(x) * np.tril(np.ones((2, 2), "float32"))),
    "a step": layers.Lambda(lambda x: x + ops.cast(x > 0, x.dtype)),
    "distances": layers.Lambda(lambda x: ops.exp(-100 * ops.abs(x))),
    "padding": layers.Lambda(lambda x: ops.pad(ops.abs(x), ((0, 0), (1, 1), (0, 0)))),
}


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_what_only_looks_like_a_relu_is_not_refused(kind):
    x = layers.Input((2, 2))
    first = LOOK_ALIKES[kind](x) if "pixels" in kind else LOOK_ALIKES[kind](layers.Dense(2)(x))
    model = keras.Model(x, layers.Dense(1)(layers.Flatten()(layers.Dense(3, "relu")(first))))
    kept = [w.copy() for w in model.get_weights()]
    assert guided_backpropagation(model, np.ones((2, 2, 2)), 0).shape == (2, 2, 2)
    assert all(map(np.array_equal, kept, model.get_weights()))


def test_looking_for_relus_does_not_move_the_state_of_a_loop():
    x = layers.Input((3, 2), batch_size=1)
    loop = layers.SimpleRNN(2, activation="relu", stateful=True)
    guided_backpropagation(keras.Model(x, layers.Dense(1)(loop(x))), np.ones((1, 3, 2)), 0)
    assert not np.asarray(loop.states).any()
