"""tf-keras-vis' names: upstream's values on flat models, and every other kind of model besides."""

import inspect
import warnings
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # scipy.ndimage.interpolation, upstream
    import tf_keras_vis.activation_maximization as upstream_ascent
    import tf_keras_vis.gradcam as upstream_gradcam
    import tf_keras_vis.layercam as upstream_layercam
    import tf_keras_vis.saliency as upstream_saliency
    import tf_keras_vis.scorecam as upstream_scorecam
    import tf_keras_vis.utils.model_modifiers as upstream_modifiers

from dlcourse.compat import tf_keras_vis as ours
from dlcourse.compat.tf_keras_vis.activation_maximization import ActivationMaximization
from dlcourse.compat.tf_keras_vis.activation_maximization.callbacks import Callback
from dlcourse.compat.tf_keras_vis.gradcam import Gradcam, GradcamPlusPlus
from dlcourse.compat.tf_keras_vis.layercam import Layercam
from dlcourse.compat.tf_keras_vis.saliency import Saliency
from dlcourse.compat.tf_keras_vis.scorecam import Scorecam
from dlcourse.compat.tf_keras_vis.utils.model_modifiers import (
    ExtractIntermediateLayer,
    ExtractIntermediateLayerForGradcam,
    GuidedBackpropagation,
    ReplaceToLinear,
)
from dlcourse.compat.tf_keras_vis.utils.scores import (
    BinaryScore,
    CategoricalScore,
    InactiveScore,
)

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
CLASSES = CategoricalScore([0, 2, 1])
CLASSES_1 = CategoricalScore(1)
CAMS = [Gradcam, GradcamPlusPlus, Layercam, Scorecam]
UPSTREAM = {
    Saliency: upstream_saliency.Saliency,
    Gradcam: upstream_gradcam.Gradcam,
    GradcamPlusPlus: upstream_gradcam.GradcamPlusPlus,
    Layercam: upstream_layercam.Layercam,
    Scorecam: upstream_scorecam.Scorecam,
}


def body(end="softmax"):
    return [
        layers.Conv2D(6, 3, activation="relu", name="conv"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation=end),
    ]


def functional(end="softmax"):
    x = inputs = keras.Input((8, 8, 3))
    for layer in body(end):
        x = layer(x)
    return keras.Model(inputs, x)


def nested_twice():
    """A base within a block within a Sequential that ends in a Softmax layer."""
    inputs = keras.Input((8, 8, 3))
    conv = layers.Conv2D(5, 3, activation="relu", name="deep")
    base = keras.Model(inputs, conv(inputs), name="base")
    inputs = keras.Input((8, 8, 3))
    block = keras.Model(inputs, layers.Conv2D(4, 1, name="mid")(base(inputs)), name="block")
    head = [layers.Flatten(), layers.Dense(3), layers.Softmax()]
    return keras.Sequential([keras.Input((8, 8, 3)), block, *head])


class Subclassed(keras.Model):
    """Its head is made before its convolution: only the calls tell their order."""

    def __init__(self):
        super().__init__()
        self.head = layers.Dense(3, activation="softmax")
        self.convolution = layers.Conv2D(4, 3, activation="relu")

    def call(self, x):
        return self.head(keras.ops.mean(self.convolution(x), axis=(1, 2)))


KINDS = {
    "functional": functional,
    "sequential": lambda: keras.Sequential([keras.Input((8, 8, 3)), *body()]),
    "lazy": lambda: keras.Sequential(body()),
    "nested twice": nested_twice,
    "subclassed": Subclassed,
    "half": lambda: in_half(functional),
}


def in_half(build):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return build()
    finally:
        keras.config.set_dtype_policy("float32")


@contextmanager
def quiet():
    """Let upstream warn: Keras 3 does, of a list around a single input."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def state(model):
    """Weights, activations and outputs."""
    model(IMAGES)
    activations = [getattr(layer, "activation", None) for layer in model._flatten_layers()]
    return [*model.get_weights(), np.asarray(model(IMAGES))], activations


# --- upstream's values on flat models


@pytest.mark.parametrize("visualizer", UPSTREAM, ids=lambda one: one.__name__)
@pytest.mark.parametrize("modified", ["", "linear", "guided, linear"])
def test_maps_on_a_flat_model_are_upstream_s(visualizer, modified):
    keras.utils.set_random_seed(2)
    model = functional()
    table = {"": [], "linear": ["ReplaceToLinear"]}
    names = table.get(modified, ["GuidedBackpropagation", "ReplaceToLinear"])
    mine = visualizer(model, [globals()[name]() for name in names])
    theirs = UPSTREAM[visualizer](model, [getattr(upstream_modifiers, name)() for name in names])
    with quiet():
        expected = np.asarray(theirs(CLASSES, IMAGES))
    for _ in range(5):  # the last ones are compiled
        np.testing.assert_allclose(mine(CLASSES, IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"normalize_cam": False}, {"expand_cam": False}, {"activation_modifier": None}],
    ids=str,
)
@pytest.mark.parametrize("visualizer", CAMS, ids=lambda one: one.__name__)
def test_settings_of_class_activation_maps_mean_what_upstream_s_do(visualizer, settings):
    model = functional()
    with quiet():
        expected = UPSTREAM[visualizer](model)(CLASSES, IMAGES, **settings)
    got = visualizer(model)(CLASSES, IMAGES, **settings)
    np.testing.assert_allclose(got, np.asarray(expected), atol=1e-5)


def test_faster_score_cam_takes_the_maps_that_vary_most_as_upstream_does():
    model = functional()
    with quiet():
        expected = upstream_scorecam.Scorecam(model)(CLASSES, IMAGES, max_N=2)
    np.testing.assert_allclose(Scorecam(model)(CLASSES, IMAGES, max_N=2), expected, atol=1e-5)


@pytest.mark.parametrize("visualizer", [*UPSTREAM, ActivationMaximization])
def test_signatures_are_upstream_s(visualizer):
    theirs = UPSTREAM.get(visualizer, upstream_ascent.ActivationMaximization)
    mine, other = (inspect.signature(one.__call__).parameters for one in (visualizer, theirs))
    assert list(mine) == list(other)
    for name in mine:
        if not callable(mine[name].default) and not isinstance(mine[name].default, list):
            assert mine[name].default == other[name].default


class Steps(Callback):
    """Keeps what each step was told."""

    def on_begin(self, **_):
        self.values, self.losses = [], []

    def __call__(self, *told, **kwargs):
        values = told[1]
        self.values.append(np.asarray(values[0]))
        self.losses.append([float(np.mean(v)) for _, v in kwargs["regularizations"]])


def test_activation_maximization_takes_upstream_s_steps():
    keras.utils.set_random_seed(3)
    model = functional()
    seed = np.random.default_rng(1).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    settings = {"seed_input": seed, "steps": 12, "input_modifiers": []}
    mine, theirs = Steps(), Steps()
    ActivationMaximization(model, ReplaceToLinear())(CLASSES_1, callbacks=mine, **settings)
    linear = upstream_modifiers.ReplaceToLinear()
    with quiet():
        ascent = upstream_ascent.ActivationMaximization(model, linear)
        ascent(CLASSES_1, callbacks=theirs, **settings)
    np.testing.assert_allclose(mine.values, theirs.values, atol=1e-4)
    np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-4)


# --- every method on every kind of model


@pytest.mark.parametrize("clone", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_map_on_every_kind_of_model_leaves_the_model_as_it_was(kind, clone):
    for visualizer in UPSTREAM:
        model = KINDS[kind]()
        before = None if kind == "lazy" else state(model)
        maps = visualizer(model, [GuidedBackpropagation(), ReplaceToLinear()], clone)
        found = maps(CLASSES, IMAGES)
        assert found.shape == (3, 8, 8)
        assert np.isfinite(found).all()
        assert found.max() > 0
        if before is not None:
            for old, new in zip(before[0], state(model)[0], strict=True):
                np.testing.assert_array_equal(old, new)
            assert before[1] == state(model)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_activation_maximization_on_every_kind_of_model(kind):
    model = KINDS[kind]()
    found = ActivationMaximization(model, ReplaceToLinear())(CLASSES, IMAGES, (-3.0, 3.0), steps=4)
    assert found.shape == IMAGES.shape
    assert np.abs(np.asarray(found) - IMAGES).max() > 0.01


def test_a_nested_model_gives_the_maps_of_the_flat_one():
    keras.utils.set_random_seed(4)
    flat = functional()
    inputs = keras.Input((8, 8, 3))
    part = keras.Model(inputs, flat.layers[1](inputs))
    nested = keras.Sequential([keras.Input((8, 8, 3)), part, *flat.layers[2:]])
    for visualizer in UPSTREAM:
        expected = visualizer(flat, ReplaceToLinear())(CLASSES, IMAGES)
        got = visualizer(nested, ReplaceToLinear(), clone=False)(CLASSES, IMAGES)
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["deep", "block/base/deep", "mid"])
def test_a_nested_layer_is_found_by_name_or_path(name):
    model = nested_twice()
    assert Gradcam(model)(CLASSES, IMAGES, penultimate_layer=name).shape == (3, 8, 8)
    found = Saliency(model, ExtractIntermediateLayer(name))(CLASSES, IMAGES)
    assert found.shape == (3, 8, 8)


def test_the_caller_s_layer_is_found_in_the_clone():
    model = functional()
    found = Gradcam(model, ReplaceToLinear())(CLASSES, IMAGES, penultimate_layer=model.layers[1])
    assert found.shape == (3, 8, 8)


def test_a_saliency_through_replace_to_linear_is_the_logits_gradient():
    keras.utils.set_random_seed(5)
    model = Subclassed()
    model(IMAGES)
    with tf.GradientTape() as tape:
        x = tf.constant(IMAGES)
        tape.watch(x)
        hidden = tf.reduce_mean(model.convolution(x), (1, 2))
        kernel, bias = model.head.get_weights()
        logits = hidden @ kernel + bias
        score = logits[0, 0] + logits[1, 2] + logits[2, 1]
    expected = np.abs(np.asarray(tape.gradient(score, x))).max(axis=-1)
    found = Saliency(model, ReplaceToLinear())(CLASSES, IMAGES, normalize_map=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_sigmoid_unit_has_two_opposite_classes():
    x = inputs = keras.Input((8, 8, 3))
    for layer in body()[:2]:
        x = layer(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    signed = {"gradient_modifier": None, "keepdims": True, "normalize_map": False}
    saliency = Saliency(model, ReplaceToLinear())
    yes, no = (saliency(BinaryScore(target), IMAGES, **signed) for target in (True, False))
    np.testing.assert_allclose(yes, -no, atol=1e-7)
    for visualizer in CAMS:
        assert visualizer(model)(BinaryScore(True), IMAGES).shape == (3, 8, 8)


def two_in_two_out():
    first, second = keras.Input((8, 8, 3)), keras.Input((10, 10, 3))
    joined = layers.Concatenate()(
        [layers.Conv2D(4, 3, padding="same")(first), layers.Conv2D(4, 3)(second)]
    )
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(5, 3, activation="relu")(joined))
    outputs = [layers.Dense(3, activation="softmax")(pooled)]
    outputs.append(layers.Dense(1, activation="sigmoid")(pooled))
    return keras.Model([first, second], outputs)


def test_several_inputs_and_outputs_give_lists():
    other = np.ones((3, 10, 10, 3), "float32")
    score = [CLASSES, InactiveScore()]
    for visualizer in UPSTREAM:
        found = visualizer(two_in_two_out(), ReplaceToLinear())(score, [IMAGES, other])
        assert [one.shape for one in found] == [(3, 8, 8), (3, 10, 10)]
    found = ActivationMaximization(two_in_two_out())(
        [CLASSES_1, BinaryScore(True)], steps=2, input_modifiers=[]
    )
    assert [one.shape for one in found] == [(1, 8, 8, 3), (1, 10, 10, 3)]


def test_a_list_goes_in_and_a_list_comes_out():
    for visualizer in UPSTREAM:
        maps = visualizer(functional())
        assert isinstance(maps(CLASSES, [IMAGES]), list)
        assert maps(CLASSES_1, IMAGES[0]).shape == (1, 8, 8)
    ascent = ActivationMaximization(functional())
    assert isinstance(ascent(CLASSES_1, [IMAGES], steps=1), list)


@pytest.mark.parametrize(
    ("shape", "convolution"), [((12, 2), layers.Conv1D), ((5, 6, 7, 2), layers.Conv3D)]
)
def test_sequences_and_volumes(shape, convolution):
    stack = [convolution(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([keras.Input(shape), *stack])
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    for visualizer in UPSTREAM:
        assert visualizer(model)(CategoricalScore([0, 2]), x).shape == (2, *shape[:-1])


def test_a_text_s_map_has_the_length_of_the_text():
    stack = [layers.Embedding(20, 4), layers.Conv1D(5, 3, activation="relu")]
    head = [layers.GlobalMaxPooling1D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((12,), dtype="int32"), *stack, *head])
    assert Gradcam(model)(CLASSES_1, np.arange(24).reshape(2, 12) % 20).shape == (2, 12)


def test_rows_keep_their_features():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    found = Saliency(model)(CLASSES_1, np.ones((2, 5), "float32"), keepdims=True)
    assert found.shape == (2, 5)
    with pytest.raises(ValueError, match="keepdims=True"):
        Saliency(model)(CLASSES_1, np.ones((2, 5), "float32"))
    with pytest.raises(ValueError, match="no convolution"):
        Gradcam(model)(CLASSES_1, np.ones((2, 5), "float32"))


def test_any_function_may_be_the_score_and_any_function_the_modifier():
    def linear(model):
        model.layers[-1].activation = keras.activations.linear

    model = functional()
    expected = Saliency(model, ReplaceToLinear())(CLASSES, IMAGES)
    mine = Saliency(model, linear, clone=False)
    assert mine.model is model
    assert model.layers[-1].activation is keras.activations.linear
    np.testing.assert_allclose(mine(lambda o: (o[0, 0], o[1, 2], o[2, 1]), IMAGES), expected, 1e-5)
    assert model.layers[-1].activation is keras.activations.softmax


def test_training_mode_leaves_the_moving_statistics():
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    before = model.get_weights()
    Gradcam(model)(CLASSES, IMAGES, training=True)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_extract_for_gradcam_gives_outputs_and_maps():
    model = ExtractIntermediateLayerForGradcam()(functional())
    assert [tuple(one.shape) for one in model.outputs] == [(None, 3), (None, 6, 6, 6)]


def test_smoothed_saliency_and_ascent_keep_to_the_steps_allowed(monkeypatch):
    monkeypatch.setenv("TF_KERAS_VIS_MAX_STEPS", "2")
    steps = Steps()
    model = functional()
    ActivationMaximization(model)(CLASSES_1, steps=100, callbacks=steps)
    assert len(steps.values) == 2
    assert Saliency(model)(CLASSES, IMAGES, smooth_samples=10**6).shape == (3, 8, 8)


def test_every_upstream_module_has_its_name_here():
    names = "activation_maximization gradcam gradcam_plus_plus layercam saliency scorecam utils"
    for name in names.split():
        assert hasattr(ours, name)
    for name in "callbacks input_modifiers losses model_modifiers regularizers scores test".split():
        assert hasattr(ours.utils, name)
    assert issubclass(ReplaceToLinear, upstream_modifiers.ReplaceToLinear)
    assert issubclass(ActivationMaximization, upstream_ascent.ActivationMaximization)


# --- errors


def no_layer(x):
    return keras.Model(x, keras.ops.softmax(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("score", "images", "settings", "text"),
    [
        (CategoricalScore([0, 1]), IMAGES, {}, "2 targets for 3 inputs"),
        (CategoricalScore([0, 1]), IMAGES[:1], {}, "2 targets for 1 inputs"),
        (CategoricalScore(3), IMAGES, {}, r"expected classes 0 to 2, got \[3\]"),
        (lambda o: o[:2, 0], IMAGES, {}, "returned 2 scores for 3 inputs"),
        (BinaryScore(True), IMAGES, {}, r"expected \(n, 1\)"),
        (None, IMAGES, {}, "0 score functions"),
        ([None], IMAGES, {}, "expected a Score or a function"),
        (CLASSES, None, {}, "0 seed inputs"),
        (CLASSES, [IMAGES, IMAGES], {}, "2 seed inputs"),
        (CLASSES, IMAGES[:, :4], {}, "expected shape=.None, 8, 8, 3."),
        (CLASSES, IMAGES[0, 0], {}, "seed_input.0.: the model takes"),
        (CLASSES, IMAGES, {"penultimate_layer": 1.5}, "expected a position, name or layer"),
        (CLASSES, IMAGES, {"penultimate_layer": "cnov"}, "did you mean 'conv'"),
        (CLASSES, IMAGES, {"penultimate_layer": 0}, "no convolution at or before 0"),
    ],
)
def test_errors_say_what_is_wrong(score, images, settings, text):
    with pytest.raises(ValueError, match=text):
        Gradcam(functional())(score, images, **settings)


def test_a_softmax_that_is_not_a_layer_cannot_be_replaced():
    with pytest.raises(ValueError, match="does not come from a layer with an activation"):
        Saliency(no_layer(keras.Input((8, 8, 3))), ReplaceToLinear())(CLASSES_1, IMAGES)


def test_an_ascent_needs_to_know_the_input():
    with pytest.raises(ValueError, match="pass seed_input"):
        ActivationMaximization(Subclassed())(CLASSES_1)


# What scripts from elsewhere do


@pytest.mark.parametrize(
    "score", [lambda o: o[0], lambda o: (o[0][0], o[0][1]), lambda o: [o[0, 2], o[0, 2]]]
)
@pytest.mark.parametrize("kind", [Saliency, Gradcam])
def test_several_values_of_one_image_are_added_up_as_upstream(kind, score):
    model = keras.Sequential([layers.Input((8, 8, 3)), *body("linear")])
    model = keras.Model(model.inputs, model.outputs)
    found = kind(model)(score, IMAGES[:1])
    np.testing.assert_allclose(found, UPSTREAM[kind](model)(score, IMAGES[:1]), atol=1e-5)


def test_a_model_that_ends_in_a_pooling_has_no_activation_to_replace():
    x = layers.Input((8, 8, 3))
    model = keras.Model([x], [layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1)(x))])
    found = Saliency(model, model_modifier=ReplaceToLinear())(CLASSES, IMAGES)
    np.testing.assert_allclose(found, Saliency(model)(CLASSES, IMAGES))
    upstream = upstream_saliency.Saliency(model, upstream_modifiers.ReplaceToLinear(), clone=False)
    np.testing.assert_allclose(found, upstream(CLASSES, IMAGES), atol=1e-5)


def test_a_model_of_keras_2_is_told_the_way_over():
    old = type("Functional", (), {"__module__": "tf_keras.src.engine.functional"})()
    with pytest.raises(ValueError, match="got Functional of Keras 2: save it, and load the file"):
        Saliency(old, model_modifier=ReplaceToLinear())


def test_a_gif_of_grey_images_is_drawn(tmp_path):
    from PIL import Image

    from dlcourse.compat.tf_keras_vis.activation_maximization.callbacks import GifGenerator2D

    model = keras.Sequential([layers.Input((32, 32, 1)), *body("linear")])
    gif = GifGenerator2D(str(tmp_path / "grey"))
    ActivationMaximization(model)(CLASSES_1, steps=3, callbacks=[gif])
    with Image.open(tmp_path / "grey.gif") as image:
        assert (image.size, image.n_frames) == ((32, 32), 3)
