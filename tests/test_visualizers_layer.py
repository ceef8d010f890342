"""The layer that counts: which maps a CAM method reads, of which call, and where they lie."""

# pyright: reportOperatorIssue=false, reportCallIssue=false, reportAttributeAccessIssue=false
# pyright: reportOptionalSubscript=false, reportOptionalOperand=false

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcourse.errors import UserError
from dlcourse.visualizers import (
    VISUALIZERS,
    activation_maximization,
    attention_maps,
    attention_rollout,
    class_activation_map,
    eigen_cam,
    feature_maps,
    grad_cam,
    occlusion,
    rise,
    score_cam,
)
from dlcourse.visualizers.cam_layer import default_call, pixels_of
from dlcourse.visualizers.resizing import interpolation_matrix
from dlcourse.visualizers.targets import target_of

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 12, 12, 1)).astype("float32")
CAMS = ["grad_cam", "grad_cam_plus_plus", "layer_cam", "eigen_cam", "score_cam"]


def conv(filters=3, name=None, size=3, **settings):
    settings = {"padding": "same", "activation": "relu", **settings}
    return layers.Conv2D(filters, size, name=name, **settings)


def dense(units=2):
    return layers.Dense(units, "softmax")


pool = layers.GlobalAveragePooling2D


def mobile(x):
    """The last convolutions see one place."""
    y = pool(keepdims=True)(conv(4, "wanted")(x))
    return layers.Flatten()(conv(5, size=1)(y))


def joined(x):
    """Branches meet; the last convolution called is one of them."""
    branches = [conv(2)(x), conv(3)(x)]
    return pool()(layers.Concatenate(name="wanted")(branches))


def added(x):
    return pool()(layers.Activation("relu", name="wanted")(x + conv(1)(x)))


def gated(x):
    y = conv(4)(x)
    gate = layers.Dense(4, "sigmoid")(pool()(y))
    return pool()(layers.Multiply(name="wanted")([y, layers.Reshape((1, 1, 4))(gate)]))


def pooled_then_flat(x):
    return layers.Dense(4)(layers.Flatten()(layers.MaxPooling2D()(conv(3, "wanted")(x))))


def dropped(x):
    y = layers.MaxPooling2D()(conv(3, "wanted")(x))
    return layers.Flatten()(layers.Dropout(0.5)(y))


def reduced_by_an_operation(x):
    return ops.mean(layers.LayerNormalization(name="wanted")(conv(3)(x)), axis=(1, 2))


def reshaped(x):
    return layers.Reshape((12 * 12 * 3,))(conv(3, "wanted")(x))


def attended(x):
    tokens = layers.Reshape((144, 3))(conv(3, "maps")(x))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(tokens))
    return ops.sum(layers.Multiply(name="wanted")([tokens, weights]), axis=1)


def columns(x):
    """Maps whose columns are steps of an LSTM."""
    y = layers.MaxPooling2D((2, 1))(conv(3, "wanted")(x))
    return layers.LSTM(2)(layers.Reshape((12, 18))(layers.Permute((2, 1, 3))(y)))


HEADS = [
    mobile,
    joined,
    added,
    gated,
    pooled_then_flat,
    dropped,
    reduced_by_an_operation,
    reshaped,
    attended,
]


def net(head, units=2):
    x = layers.Input((12, 12, 1))
    return keras.Model(x, dense(units)(head(conv(2, "first")(x))))


def chosen(model, images=IMAGES, output=0, source=0):
    target = target_of(model, images, 0, output=output)
    return default_call(model, target.probe, target.output, source)


@pytest.mark.parametrize("head", HEADS)
def test_the_default_is_the_last_maps_before_the_last_reduction_of_places(head):
    model = net(head)
    call = chosen(model)
    assert (call.name, call.entering) == ("wanted", False)
    for method in ("grad_cam", "eigen_cam"):
        found = VISUALIZERS[method](model, IMAGES, 1)
        named = VISUALIZERS[method](model, IMAGES, 1, layer="wanted")
        np.testing.assert_allclose(found, named, rtol=1e-4, atol=1e-7)


class Block(layers.Layer):
    """A layer of one's own that holds layers, and adds what they give."""

    def __init__(self):
        super().__init__()
        self.one, self.two = conv(3), conv(3)

    def call(self, x):
        return self.one(x) + self.two(x)


class Written(keras.Model):
    """Joins and reductions are functions in its `call`, not layers."""

    def __init__(self, reduce):
        super().__init__()
        self.block, self.other, self.reduce = Block(), conv(3), reduce
        self.last, self.head = conv(3), dense()

    def call(self, x):
        y = self.block(x) + self.other(x)
        return self.head(self.reduce(self.last(y)))


@pytest.mark.parametrize(
    "reduce", [lambda x: ops.mean(x, axis=(1, 2)), lambda x: ops.reshape(x, (-1, 432)), pool()]
)
def test_the_maps_before_a_reduction_in_a_call_are_the_last_layers(reduce):
    model = Written(reduce)
    model(IMAGES)
    assert chosen(model).name == model.last.name


class Added(keras.Model):
    """The sum of two layers is pooled: no layer gives it, but the pooling takes it."""

    def __init__(self):
        super().__init__()
        self.other, self.last, self.pool, self.head = conv(3), conv(3), pool(), dense()

    def call(self, x):
        return self.head(self.pool(self.other(x) + self.last(x)))


def test_a_join_in_a_call_is_read_where_the_pooling_takes_it():
    model = Added()
    model(IMAGES)
    assert chosen(model).entering
    summed = np.asarray(model.other(IMAGES)) + np.asarray(model.last(IMAGES))
    kernel = np.asarray(model.head.kernel)[:, 1]
    found = grad_cam(model, IMAGES, 1, enlarge=False)
    np.testing.assert_allclose(found, np.maximum(summed @ kernel, 0) / 144, rtol=1e-4, atol=1e-7)


def test_the_maps_of_an_inner_model_are_found():
    x = layers.Input((12, 12, 1))
    base = keras.Model(x, joined(conv(2)(x)), name="base")
    y = layers.Input((12, 12, 1))
    assert chosen(keras.Model(y, dense()(base(y)))).name == "base/wanted"


def test_the_second_of_two_heads_has_its_own_maps():
    x = layers.Input((12, 12, 1))
    heads = [dense()(pool()(conv(3, name)(x))) for name in ("one", "two")]
    model = keras.Model(x, heads)
    assert [chosen(model, output=k).name for k in (0, 1)] == ["one", "two"]
    with pytest.raises(UserError, match="layer: output 1 does not depend on one: name a layer on"):
        grad_cam(model, IMAGES, 0, output=1, layer="one")


def test_the_maps_of_an_output_with_places_are_those_its_last_layer_reads():
    x = layers.Input((12, 12, 1))
    small = conv(4)(layers.MaxPooling2D()(conv(2)(x)))
    wide = layers.Concatenate(name="wanted")([layers.UpSampling2D()(small), x])
    assert chosen(keras.Model(x, layers.Conv2D(2, 1, activation="softmax")(wide))).name == "wanted"


def test_columns_before_a_recurrent_layer_are_maps_still():
    assert chosen(net(columns)).shape == (12, 12, 3)


def test_an_expert_is_not_a_place():
    """Two experts' logits, mixed by a gate: the maps are those of the convolution."""
    x = layers.Input((12, 12, 1))
    gate = layers.Softmax()(layers.Dense(2)(layers.Flatten()(x)))
    experts = layers.Reshape((2, 3))(layers.Dense(6)(layers.Flatten()(conv(2, "wanted")(x))))
    assert chosen(keras.Model(x, ops.einsum("ne,nec->nc", gate, experts))).name == "wanted"


# Calls, towers


def towers(shared=True):
    """Two images, one convolution for both or one for each; the score is their sum by weights."""
    x = [layers.Input((12, 12, 1)), layers.Input((9, 9, 1))]
    one = conv(2, "conv")
    each = [one, one] if shared else [one, conv(2, "other")]
    pooled = [pool()(layer(image)) for layer, image in zip(each, x, strict=True)]
    model = keras.Model(x, layers.Dense(1)(layers.Concatenate()(pooled)))
    rng = np.random.default_rng(1)
    model.set_weights([rng.random(w.shape) for w in model.get_weights()])
    return model


PAIR = [IMAGES, RNG.random((2, 9, 9, 1)).astype("float32")]


@pytest.mark.parametrize("shared", [True, False])
def test_two_towers_have_one_map_per_image_at_its_own_size(shared):
    model = towers(shared)
    weights = np.asarray(model.layers[-1].kernel)[:, 0]
    kinds = [layer for layer in model.layers if "conv" in layer.name or layer.name == "other"]
    for image, conv, w, found in zip(
        PAIR, kinds * (3 - len(kinds)), (weights[:2], weights[2:]), grad_cam(model, PAIR, 0),
        strict=True,
    ):  # fmt: skip
        expected = (np.asarray(conv(image)) @ w) / image[0].size
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("method", [*CAMS, "occlusion", "rise"])
def test_every_method_gives_one_map_per_image(method):
    few = {"rise": {"masks": 20, "cells": 3}}.get(method, {})
    found = VISUALIZERS[method](towers(), PAIR, 0, **few)
    assert [one.shape for one in found] == [(2, 12, 12), (2, 9, 9)]


def test_a_call_of_a_shared_layer_is_chosen_by_its_number():
    x = layers.Input((12, 12, 1))
    twice = conv(1, "twice", padding="valid")
    model = keras.Model(x, dense()(pool()(twice(twice(x)))))
    for k, size in ((0, 10), (1, 8)):
        assert (
            grad_cam(model, IMAGES, 0, layer=("twice", k), enlarge=False).shape[1:] == (size,) * 2
        )
    with pytest.raises(UserError, match=r"no call 2 \(known: \('twice', 0\), \('twice', 1\)\)"):
        grad_cam(model, IMAGES, 0, layer=("twice", 2))


def test_one_input_is_covered_while_the_other_is_held():
    a, b = layers.Input((4, 4, 1)), layers.Input((3,))
    score = layers.Dense(1, use_bias=False)
    pooled = layers.Flatten()(a)
    model = keras.Model([a, b], score(layers.Multiply()([layers.Dense(1)(pooled), b[:, :1]])))
    model.set_weights([np.arange(16.0)[:, None], np.zeros(1), np.ones((1, 1))])
    rows = np.array([[2.0, 0, 0], [-1, 0, 0]])
    found = occlusion(model, [np.ones((2, 4, 4, 1)), rows], 0, patch=1)
    np.testing.assert_allclose(found.reshape(2, 16), rows[:, :1] * np.arange(16), atol=1e-3)
    assert rise(model, [np.ones((2, 4, 4, 1)), rows], 0, masks=20, cells=2).shape == (2, 4, 4)


# Where the places lie


def spot(row, column, size=21):
    image = np.zeros((1, size, size, 1), "float32")
    image[0, row, column] = 1
    return image


def same(x, stride=1, size=3, kind=layers.Conv2D, **settings):
    """A convolution that adds up its kernel's places."""
    return kind(2, size, strides=stride, kernel_initializer="ones", **settings)(x)


FRONTS = {
    "valid": lambda x: same(same(same(x, size=5)), size=3),
    "valid, dilated": lambda x: same(x, dilation_rate=2),
    "same, strided": lambda x: same(same(x, 2, padding="same"), 2, padding="same"),
    "valid, pooled": lambda x: same(layers.MaxPooling2D()(same(x))),
    "even kernel": lambda x: same(x, size=4, padding="same"),
    "cropped": lambda x: same(layers.Cropping2D(((4, 1), (0, 3)))(x)),
    "padded": lambda x: same(layers.ZeroPadding2D(((5, 0), (1, 2)))(x), padding="same"),
    "resized": lambda x: same(layers.Resizing(32, 40)(x), 2, padding="same"),
    "resized, cropped": lambda x: same(
        layers.Resizing(20, 10, crop_to_aspect_ratio=True)(x), padding="same"
    ),
    "resized, padded": lambda x: same(
        layers.Resizing(30, 20, pad_to_aspect_ratio=True)(x), padding="same"
    ),
    "centre": lambda x: same(layers.CenterCrop(16, 14)(x), padding="same"),
    "up and down": lambda x: same(
        layers.UpSampling2D()(layers.AveragePooling2D(3)(x)), padding="same"
    ),
    "transposed": lambda x: same(x, 2, kind=layers.Conv2DTranspose),
    "transposed, same": lambda x: same(x, 2, kind=layers.Conv2DTranspose, padding="same"),
    "branches": lambda x: layers.Add()([same(x, size=1), same(x, padding="same")]),
}


def front_net(front):
    x = layers.Input((21, 21, 1))
    y = layers.Conv2D(2, 1, kernel_initializer="ones", name="maps")(front(x))
    return keras.Model(x, layers.Dense(1, kernel_initializer="ones")(pool()(y)))


@pytest.mark.parametrize("front", FRONTS)
def test_the_centre_of_a_map_lies_on_the_object_wherever_it_stands(front):
    model = front_net(FRONTS[front])
    target = target_of(model, spot(9, 9), 0)
    call = default_call(model, target.probe, 0, 0)
    grid = pixels_of(model, target.probe, call, 0)
    seen = 0
    for row, column in ((6, 7), (9, 13), (14, 6), (10, 10), (13, 12)):
        maps = feature_maps(model, spot(row, column), "maps")["maps"][0, ..., 0]
        if not maps.any():
            continue  # cropped
        seen += 1
        for axis, wanted in enumerate((row, column)):
            weight = maps.sum(axis=1 - axis)
            centre = (weight * np.arange(len(weight))).sum() / weight.sum()
            scale, offset = grid[axis]
            # a pooling and a stride round the object's place
            assert abs(scale * centre + offset - wanted) <= max(1.01, scale / 2)
    assert seen >= 3


@pytest.mark.parametrize("method", CAMS)
@pytest.mark.parametrize("front", ["valid", "cropped", "same, strided"])
def test_the_peak_of_every_map_lies_within_a_pixel_of_the_object(method, front):
    x = layers.Input((21, 21, 1))
    y = {
        "valid": lambda: same(same(x)),
        "cropped": lambda: layers.Cropping2D(((4, 1), (0, 3)))(x),
        "same, strided": lambda: same(x, 2, padding="same"),
    }[front]()
    model = keras.Model(x, layers.Dense(1, kernel_initializer="ones")(pool()(same(y, size=1))))
    for row, column in ((5, 5), (6, 15), (14, 9), (18, 16), (10, 2)):
        found = VISUALIZERS[method](model, spot(row, column), 0)[0]
        at = np.argwhere(found >= found.max() * (1 - 1e-5)).mean(axis=0)
        assert np.abs(at - (row, column)).max() <= 1


# Tokens, frames


def vision_transformer(class_token=True, attention=True, size=12):
    """Patches of 3×3 pixels → tokens → (attention) → the class token, or the mean."""
    x = layers.Input((size, size, 1))
    y = layers.Conv2D(6, 3, strides=3, name="patches")(x)
    y = layers.Reshape(((size // 3) ** 2, 6), name="tokens")(y)
    if class_token:
        first = ops.mean(y, axis=1, keepdims=True) * 0 + 1
        y = layers.Concatenate(axis=1)([first, y])
    for name in ("one", "two"):
        z = layers.LayerNormalization(name=f"normal_{name}")(y)
        if attention:
            y = y + layers.MultiHeadAttention(2, 3, name=f"attention_{name}")(z, z)
        y = y + layers.Dense(6, "relu", name=f"dense_{name}")(y)
    z = layers.LayerNormalization(name="last")(y)
    return keras.Model(x, dense()(z[:, 0] if class_token else layers.GlobalAveragePooling1D()(z)))


def test_tokens_are_laid_out_as_the_image_s_patches_without_the_class_token():
    keras.utils.set_random_seed(1)
    model = vision_transformer()
    assert chosen(model).name == "normal_two"  # the last that other tokens reach the class from
    maps = eigen_cam(model, IMAGES, 1, enlarge=False)
    assert maps.shape == (2, 4, 4)
    assert eigen_cam(model, IMAGES, 1).shape == (2, 12, 12)
    assert maps.any()
    assert feature_maps(model, IMAGES, "normal_two")["normal_two"].shape == (2, 17, 6)
    tall = eigen_cam(model, IMAGES, 1, grid=(8, 2), enlarge=False)
    assert tall.shape == (2, 8, 2)
    np.testing.assert_allclose(tall.reshape(2, 16), maps.reshape(2, 16), rtol=1e-5)
    with pytest.raises(UserError, match=r"^grid: expected rows .* has \(17,\) places, got \(5"):
        grad_cam(model, IMAGES, 1, grid=(5, 5))


@pytest.mark.parametrize("grid", [(2, 2), (-1, 2), "a", 3, (2.0, 2.0)])
def test_a_grid_of_maps_that_are_not_tokens_is_refused(grid):
    with pytest.raises(UserError, match=r"^grid: expected rows .* wanted has \(12, 12\) places"):
        grad_cam(net(mobile), IMAGES, 1, grid=grid)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the oracle is TensorFlow's")
def test_the_map_of_tokens_is_its_formula_without_the_class_token():
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    model = vision_transformer()
    both = keras.Model(model.inputs, [model.get_layer("normal_two").output, model.output])
    with tf.GradientTape() as tape:
        tokens, output = both(tf.constant(IMAGES))
        logit = tf.math.log(output[:, 1] / output[:, 0])  # of class 1 less that of class 0
    slope = tape.gradient(logit, tokens).numpy()[:, 1:]
    maps = tokens.numpy()[:, 1:]
    expected = [np.einsum("npc,nc->np", maps, g.mean(axis=1)) for g in (slope, -slope)]
    weights = np.asarray(model.layers[-1].kernel)
    model.layers[-1].set_weights([weights - weights[:, :1], np.zeros(2)])  # class 0 has the logit 0
    found = grad_cam(model, IMAGES, 1, enlarge=False).reshape(2, 16)
    np.testing.assert_allclose(found, np.maximum(expected[0], 0), rtol=1e-3, atol=1e-6)
    model.layers[-1].set_weights([weights[:, ::-1] - weights[:, 1:], np.zeros(2)])
    found = grad_cam(model, IMAGES, 1, enlarge=False).reshape(2, 16)
    np.testing.assert_allclose(found, np.maximum(expected[1], 0), rtol=1e-3, atol=1e-6)
    assert any(one.max() > 0 for one in expected)


@pytest.mark.parametrize("method", CAMS)
def test_tokens_without_attention_equal_a_network_of_1_by_1_convolutions(method):
    tokens = vision_transformer(class_token=False, attention=False)
    x = layers.Input((12, 12, 1))
    y = layers.Conv2D(6, 3, strides=3)(x)
    for _ in range(2):
        layers.LayerNormalization()(y)
        y = y + layers.Conv2D(6, 1, activation="relu")(y)
    maps = keras.Model(x, dense()(pool()(layers.LayerNormalization()(y))))
    weights = [w.reshape(1, 1, 6, 6) if w.shape == (6, 6) else w for w in tokens.get_weights()]
    maps.set_weights(weights)
    found, wanted = (VISUALIZERS[method](model, IMAGES, 1) for model in (tokens, maps))
    assert found.shape == (2, 12, 12)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


def test_an_object_in_a_patch_is_found_there():
    x = layers.Input((12, 12, 1))
    y = layers.Reshape((16, 2))(layers.Conv2D(2, 3, strides=3, kernel_initializer="ones")(x))
    model = keras.Model(
        x, layers.Dense(1, kernel_initializer="ones")(layers.GlobalAveragePooling1D()(y))
    )
    found = grad_cam(model, spot(7, 4, 12), 0)[0]
    assert np.unravel_index(found.argmax(), found.shape) == (7, 4)


def frames():
    """Three frames of 8×8 pixels, each through one CNN, then an LSTM."""
    x = layers.Input((8, 8, 1))
    cnn = keras.Model(x, conv(3, "inner")(x))
    clip = layers.Input((3, 8, 8, 1))
    maps = layers.TimeDistributed(cnn, name="maps")(clip)
    return keras.Model(clip, dense()(layers.LSTM(4)(layers.TimeDistributed(pool())(maps))))


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "eigen_cam", "score_cam"])
def test_frames_have_a_map_each(method):
    model, clips = frames(), RNG.random((2, 3, 8, 8, 1)).astype("float32")
    assert chosen(model, clips).name == "maps"
    assert VISUALIZERS[method](model, clips, 1).shape == (2, 3, 8, 8)


def test_a_map_of_tokens_of_a_text_lies_on_the_words():
    embedding = layers.Embedding(5, 2)
    body = [layers.Conv1D(2, 3, kernel_initializer="ones"), layers.GlobalAveragePooling1D()]
    head = layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([layers.Input((9,), dtype="int32"), embedding, *body, head])
    embedding.set_weights([np.eye(5, 2, k=-4)])
    words = np.zeros((1, 9), int)
    words[0, 6] = 4
    found = grad_cam(model, words, 0)
    assert found.shape == (1, 9)
    assert found[0].argmax() in (5, 6, 7)
    np.testing.assert_allclose(found[0, 5:8], found[0, 6])


def test_a_map_fades_beyond_its_outermost_places():
    matrix = interpolation_matrix(3, 9, 2.0, 2.0, fading=True)
    expected = [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]]
    np.testing.assert_array_equal(matrix[:5], expected)
    kept = interpolation_matrix(3, 9, 2.0, 2.0)
    np.testing.assert_array_equal(kept[:3, 0], 1)


def test_score_cam_and_eigen_cam_read_the_same_default():
    model = net(joined)
    for method in (score_cam, eigen_cam):
        np.testing.assert_array_equal(
            method(model, IMAGES, 1), method(model, IMAGES, 1, layer="wanted")
        )


@pytest.mark.slow
def test_a_network_with_convolutions_of_one_place_points_at_the_digit_by_default():
    """The last convolution called gave one flat value: chance, about 0.1."""
    from dlcourse.datasets.planted import planted
    from dlcourse.lab.faithfulness import pointing_hits

    keras.utils.set_random_seed(0)
    data = planted(n=4000, canvas=32, digit_size=12, clutter=3, noise=4.0)
    x = layers.Input((32, 32, 1))
    y = layers.MaxPooling2D()(conv(16)(layers.Rescaling(1 / 255)(x)))
    y = conv(48)(layers.BatchNormalization(momentum=0.9)(conv(32)(y)))
    y = layers.Flatten()(conv(64, size=1)(pool(keepdims=True)(y)))
    model = keras.Model(x, layers.Dense(10, "softmax")(y))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(data.x_train, data.y_train, batch_size=64, epochs=9, verbose=0)
    right = np.flatnonzero(np.asarray(model(data.x_test)).argmax(axis=1) == data.y_test)[:100]
    images, boxes = data.x_test[right], data.regions["object"][right]
    for method in CAMS:
        maps = VISUALIZERS[method](model, images, data.y_test[right])
        assert pointing_hits(maps, boxes).mean() >= 0.95


# Attention


def test_attention_maps_are_the_layers_own_weights():
    model = vision_transformer()
    parts = ["normal_one", "attention_one"]
    inner = keras.Model(model.inputs[0], model.get_layer(parts[0]).output)(IMAGES)
    wanted = model.get_layer(parts[1])(inner, inner, return_attention_scores=True)[1]
    found = attention_maps(model, IMAGES)
    assert list(found) == ["attention_one", "attention_two"]
    np.testing.assert_allclose(found["attention_one"], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["attention_two"].sum(axis=-1), 1, rtol=1e-5)


def test_the_rollout_multiplies_the_mixings_of_all_layers():
    model = vision_transformer()
    one, two = attention_maps(model, IMAGES).values()
    for k in range(2):
        first, second = (np.eye(17) / 2 + layer[k].mean(axis=0) / 2 for layer in (one, two))
        wanted = (second @ first)[0, 1:].reshape(4, 4)
        found = attention_rollout(model, IMAGES, enlarge=False)[k]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert attention_rollout(model, IMAGES).shape == (2, 12, 12)
    mean = attention_rollout(vision_transformer(class_token=False), IMAGES, enlarge=False)
    np.testing.assert_allclose(mean.sum(axis=(1, 2)), 1, rtol=1e-5)  # rows of weights add up to 1


def test_models_without_attention_have_no_rollout():
    with pytest.raises(UserError, match="attention: the model has no MultiHeadAttention layer"):
        attention_rollout(net(joined), IMAGES)


def test_the_members_of_an_ensemble_are_not_places():
    def averaged(*, convolutions):
        image, members = keras.Input((8, 8, 1)), []
        for _ in range(2):
            inner = [layers.Conv2D(4, 3) for _ in range(convolutions)]
            inner += [layers.Flatten(), layers.Dense(3)]
            members.append(keras.Sequential([keras.Input((8, 8, 1)), *inner])(image))
        return keras.Model(image, ops.logsumexp(ops.stack(members, axis=-1), axis=-1))

    with pytest.raises(UserError, match="no convolutional layer"):
        grad_cam(averaged(convolutions=0), IMAGES[:, :8, :8], 0)
    assert grad_cam(averaged(convolutions=1), IMAGES[:, :8, :8], 0).shape == (2, 8, 8)


def test_a_named_layer_of_one_of_two_images_gives_that_image_s_map():
    first, second = keras.Input((8, 8, 1)), keras.Input((6, 6, 1))
    parts = [conv(2, f"tower_{k}")(x) for k, x in enumerate((first, second))]
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(x) for x in parts])
    model = keras.Model([first, second], layers.Dense(2)(joined))
    images = [RNG.random((2, 8, 8, 1)), RNG.random((2, 6, 6, 1))]
    for method in CAMS:
        both = VISUALIZERS[method](model, images, 1)
        for k in (0, 1):
            alone = VISUALIZERS[method](model, images, 1, layer=f"tower_{k}")
            np.testing.assert_allclose(alone, both[k], rtol=1e-4, atol=1e-6)


def test_each_call_of_a_shared_layer_has_its_feature_maps_and_its_map():
    first, second, shared = keras.Input((8, 8, 1)), keras.Input((8, 8, 1)), conv(2, "shared")
    parts = [layers.GlobalAveragePooling2D()(shared(x)) for x in (first, second)]
    model = keras.Model([first, second], layers.Dense(2)(layers.Concatenate()(parts)))
    images = [np.zeros((1, 8, 8, 1)), RNG.random((1, 8, 8, 1))]
    calls = feature_maps(model, images, [("shared", 0), ("shared", 1)])
    assert list(calls) == ["shared:0", "shared:1"]
    assert sorted(bool(x.any()) for x in calls.values()) == [False, True]
    assert list(feature_maps(model, images, ("shared", 0))) == ["shared"]
    for k in (0, 1):
        assert grad_cam(model, images, 0, layer=("shared", k)).shape == (1, 8, 8)


def test_the_class_activation_map_of_tokens_has_their_grid():
    x = keras.Input((8, 8, 1))
    h = layers.Reshape((4, 6))(layers.Conv2D(6, 4, strides=4)(x))
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))
    images = RNG.random((2, 8, 8, 1))
    maps = class_activation_map(model, images, 1, enlarge=False)
    assert maps.shape == (2, 2, 2)
    np.testing.assert_allclose(np.maximum(maps, 0) / 4, grad_cam(model, images, 1, enlarge=False))
    assert class_activation_map(model, images, 1).shape == (2, 8, 8)


def test_volumes_are_pooled_alike_in_the_first_call_and_later():
    x = keras.Input((8, 8, 8, 1))
    h = layers.MaxPooling3D(2)(layers.Conv3D(4, 3, padding="same", name="conv")(x))
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(h)))
    volumes = 1e-4 * RNG.random((2, 8, 8, 8, 1))
    first, *later = [grad_cam(model, volumes, 0, layer="conv", enlarge=False) for _ in range(3)]
    for one in later:
        np.testing.assert_allclose(one, first, atol=1e-3 * first.max())


def test_images_of_whole_numbers_cannot_be_optimised():
    tokens = keras.Input((5,), dtype="int32")
    h = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3)(tokens))
    model = keras.Model(tokens, layers.Dense(2)(h))
    with pytest.raises(UserError, match="input 0: the model takes whole numbers, which have no"):
        activation_maximization(model, [1], value_range=(0, 8), start=np.array([[1, 2, 3, 4, 5]]))
