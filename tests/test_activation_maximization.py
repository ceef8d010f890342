"""Activation maximization and deep dream: facts by hand, every kind of model, errors."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from dlcourse.errors import UserError
from dlcourse.visualizers import (
    Regularizers,
    Transformations,
    activation_maximization,
    deep_dream,
    feature_maps,
)
from dlcourse.visualizers.targets import class_scores, target_of
from dlcourse.visualizers.transformations import image_of_spectrum, seen, spectrum

FREE = {"regularizers": Regularizers(0.0), "transformations": Transformations()}


@pytest.fixture(scope="module")
def linear():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])


@pytest.fixture(scope="module")
def cnn():
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="probabilities"),
        ]
    )


def scores(model, images, classes):
    return class_scores(target_of(model, images, classes))


def test_the_maximiser_of_a_linear_unit_is_the_sign_pattern_of_its_weights(linear):
    found = activation_maximization(linear, [0, 1, 2], value_range=(-1, 1), steps=150, **FREE)
    weights = np.asarray(linear.layers[-1].kernel).T.reshape(3, 4, 4, 1)
    np.testing.assert_array_equal(found, np.sign(weights))


def test_the_maximiser_of_a_row_s_unit_is_the_sign_pattern_too():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    found = activation_maximization(model, 1, value_range=(0, 10), steps=150)
    np.testing.assert_array_equal(found[0], 10.0 * (np.asarray(model.layers[0].kernel)[:, 1] > 0))


def test_the_template_of_an_edge_kernel_is_an_edge():
    edge = np.array([[-1.0, 1.0]] * 2).reshape(2, 2, 1, 1)  # dark on the left, light on the right
    conv = layers.Conv2D(1, 2, use_bias=False, name="edge", activation="relu")
    model = keras.Sequential([keras.Input((6, 6, 1)), conv, layers.Flatten(), layers.Dense(2)])
    conv.set_weights([edge])
    found = activation_maximization(model, 0, layer="edge", value_range=(0, 1), steps=150, **FREE)
    across = np.diff(found[0, ..., 0], axis=1)
    assert across.max() == pytest.approx(1.0)  # from black to white, as far as it goes
    assert np.abs(np.diff(found[0, ..., 0], axis=0)).mean() < 0.2 * np.abs(across).mean()


@pytest.mark.parametrize("fourier", [False, True])
def test_the_result_scores_higher_than_the_start(cnn, fourier):
    start = np.full((3, 8, 8, 1), 100.0, "float32")
    found = activation_maximization(cnn, [0, 1, 2], start=start, steps=40, fourier=fourier)
    assert found.shape == (3, 8, 8, 1)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 255
    assert (scores(cnn, found, [0, 1, 2]) > scores(cnn, start, [0, 1, 2])).all()


def test_a_unit_that_starts_dead_finds_its_way():
    conv = layers.Conv2D(2, 3, activation="relu", name="conv")
    model = keras.Sequential([keras.Input((8, 8, 1)), conv, layers.Flatten(), layers.Dense(2)])
    kernel = conv.get_weights()[0]
    conv.set_weights([kernel, np.array([-2.0, 0.0], "float32")])  # the first answers to little
    grey = np.full((1, 8, 8, 1), 0.5, "float32")
    assert not feature_maps(model, grey, "conv")["conv"][..., 0].any()
    found = activation_maximization(model, 0, layer="conv", start=grey, value_range=(0, 1), **FREE)
    assert np.abs(found - grey).max() > 0.4  # with ReLU's slope 0, it would have stayed grey


def test_the_same_seed_gives_the_same_images_and_another_others(cnn):
    def run(seed):
        return activation_maximization(cnn, [0, 1], steps=10, seed=seed)

    np.testing.assert_array_equal(run(3), run(3))
    assert np.abs(run(3) - run(4)).max() > 1


def test_total_variation_makes_smoother_images_and_the_norm_greyer_ones(cnn):
    def run(**costs):
        return activation_maximization(
            cnn, 1, steps=150, value_range=(0, 1), regularizers=Regularizers(**costs),
            transformations=Transformations(),
        )  # fmt: skip

    free = run(total_variation=0.0)
    smooth = run(total_variation=20.0)
    grey = run(total_variation=0.0, norm=50.0)
    assert np.abs(np.diff(smooth, axis=1)).mean() < 0.5 * np.abs(np.diff(free, axis=1)).mean()
    assert np.abs(grey - 0.5).mean() < 0.5 * np.abs(free - 0.5).mean()


def test_a_callback_sees_every_step_and_changes_nothing(cnn):
    steps, found = [], []

    def watch(step, images, score):
        assert images.shape == (2, 8, 8, 1)
        steps.append(step)
        found.append(score)

    watched = activation_maximization(cnn, [0, 1], steps=15, callback=watch, **FREE)
    assert steps == list(range(1, 16))
    assert (found[-1] > found[0]).all()
    alone = activation_maximization(cnn, [0, 1], steps=15, **FREE)
    np.testing.assert_allclose(watched, alone, atol=0.5)  # one compiled loop, another rounding


def test_the_bar_counts_the_steps_and_the_callback_sees_every_image(cnn, capsys):
    frames = []
    activation_maximization(
        cnn, 1, steps=5, callback=lambda _, images, __: frames.append(images[0]), progress=True
    )
    assert "5/5" in capsys.readouterr().out
    assert len(frames) == 5
    alone = activation_maximization(cnn, 1, steps=30, progress=False, **FREE)
    told = activation_maximization(cnn, 1, steps=30, progress=True, **FREE)
    np.testing.assert_allclose(told, alone, atol=0.5)  # blocks of steps, another rounding


def test_the_model_is_not_changed(cnn):
    before = [np.asarray(v).tobytes() for v in cnn.variables]
    activation = cnn.get_layer("conv").activation
    activation_maximization(cnn, 0, layer="conv", steps=5)
    deep_dream(cnn, np.zeros((1, 8, 8, 1)), steps=2, octaves=2)
    assert [np.asarray(v).tobytes() for v in cnn.variables] == before
    assert cnn.get_layer("conv").activation is activation
    assert "call" not in cnn.get_layer("conv").__dict__


def test_several_inputs_and_outputs_give_a_list():
    a, b = keras.Input((6, 6, 1), name="a"), keras.Input((6, 6, 1), name="b")
    both = layers.Concatenate()([layers.Flatten()(a), layers.Flatten()(b)])
    model = keras.Model([a, b], [layers.Dense(2)(both), layers.Dense(3, name="second")(both)])
    found = activation_maximization(
        model, [2, 0], output="second", value_range=[(0, 1), (-1, 1)], steps=150, **FREE
    )
    weights = np.asarray(model.get_layer("second").kernel)[:, [2, 0]].T
    assert [one.shape for one in found] == [(2, 6, 6, 1)] * 2
    np.testing.assert_array_equal(found[0].reshape(2, -1), weights[:, :36] > 0)
    np.testing.assert_array_equal(found[1].reshape(2, -1), np.sign(weights[:, 36:]))


def test_nested_subclassed_and_half_precision_models_work(cnn):
    class Wrapped(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = cnn

        def call(self, x, training=False):
            return self.inner(x, training=training)

    nested = keras.Sequential([keras.Input((8, 8, 1)), cnn])
    plain = activation_maximization(cnn, [0, 1], steps=10)
    start = None
    np.testing.assert_allclose(activation_maximization(nested, [0, 1], steps=10), plain, atol=0.5)
    start = np.full((2, 8, 8, 1), 127.5)
    found = activation_maximization(Wrapped(), [0, 1], start=start, steps=10)
    expected = activation_maximization(cnn, [0, 1], start=start, steps=10)
    np.testing.assert_allclose(found, expected, atol=0.5)
    half = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(2, dtype="mixed_float16"),
        ]
    )
    found = activation_maximization(half, 1, value_range=(-1, 1), steps=150, **FREE)
    weights = np.asarray(half.layers[-1].kernel)[:, 1].reshape(1, 8, 8, 1)
    assert (found == np.sign(weights)).mean() > 0.97  # float16 rounds the smallest away


def test_transformations_move_the_view_as_they_say():
    image = np.zeros((1, 9, 9, 1), "float32")
    image[0, 4, 4] = 1
    rng = np.random.default_rng(0)
    shifted = Transformations(jitter=2).draw(1, 1, (9, 9), rng)
    assert shifted is not None
    view = np.asarray(seen(image, shifted[0], 0.0))
    place = np.argwhere(view[0, ..., 0] == 1)
    assert len(place) == 1
    assert np.abs(place[0] - 4).max() <= 2
    turned = Transformations(rotation=30).draw(1, 1, (9, 9), rng)
    assert turned is not None
    np.testing.assert_allclose(np.asarray(seen(image, turned[0], 0.0))[0, 4, 4, 0], 1, atol=1e-5)
    blurred = np.asarray(seen(image, None, 1.0))
    assert blurred.sum() == pytest.approx(1, abs=1e-2)  # what falls off the edge is given back
    assert 0.1 < blurred.max() < 0.2  # 1 / 2π at the centre of a Gaussian


def test_an_image_and_its_spectrum_are_the_same_picture():
    image = np.random.default_rng(0).uniform(0.1, 0.9, (2, 7, 6, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(image_of_spectrum(spectrum(image))), image, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"targets": 3}, "class_indices: expected classes 0 to 2, got 3"),
        ({"targets": []}, "targets: expected whole numbers, one or more, got []"),
        ({"targets": 9, "layer": "conv"}, "targets: expected units 0 to 3 of layer conv"),
        ({"targets": 0, "layer": "con"}, "layer: no layer 'con' (did you mean 'conv'?)"),
        (
            {"targets": 0, "steps": 0},
            "activation_maximization: 'steps': expected greater than or equal to 1, got 0",
        ),
        (
            {"targets": 0, "learning_rate": float("nan")},
            "activation_maximization: 'learning_rate': expected a finite number, got nan",
        ),
        ({"targets": 0, "start": "x"}, "start: expected an array of numbers, got 'x'"),
        (
            {"targets": 0, "regularizers": {}},
            "activation_maximization: 'regularizers': expected an instance of Regularizers, got a",
        ),
        ({"targets": 0, "value_range": 1}, "value_range: expected (least, largest)"),
        ({"targets": 0, "value_range": (1, 0)}, "value_range: expected (least, largest)"),
        (
            {"targets": [0, 1], "start": np.zeros((3, 8, 8, 1))},
            "start: expected (8, 8, 1) for 2 targets, got (3,",
        ),
        ({"targets": 0, "start": np.zeros((7, 7, 1))}, "images: the model takes (n, 8, 8, 1)"),
    ],
)
def test_each_error_says_where_and_what(cnn, settings, text):
    with pytest.raises(UserError, match="^" + re.escape(text)):
        activation_maximization(cnn, **settings)


def test_rows_refuse_what_is_for_images():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    with pytest.raises(UserError, match="are for images"):
        activation_maximization(model, 0, transformations=Transformations(jitter=1))
    with pytest.raises(UserError, match="expected values >= 0 and scale < 1"):
        Transformations(jitter=-1)


def test_deep_dream_enlarges_and_makes_the_layer_answer_more(cnn):
    images = np.random.default_rng(0).uniform(100, 150, (2, 8, 8, 1)).astype("float32")
    dream = deep_dream(cnn, images, layers="conv", octaves=1, steps=10)

    def answer(x):
        return np.square(feature_maps(cnn, x, "conv")["conv"]).mean(axis=(1, 2, 3))

    assert (answer(dream) > answer(images)).all()
    large = deep_dream(cnn, images, octaves=3, octave_scale=1.5, steps=2)
    assert large.shape == (2, 18, 18, 1)
    assert large.min() >= 0
    assert large.max() <= 255
    np.testing.assert_array_equal(
        large, deep_dream(cnn, images, octaves=3, octave_scale=1.5, steps=2)
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"images": np.zeros((1, 5, 5, 1))}, "deep_dream: images of 5 × 5 are smaller"),
        ({"images": np.zeros((8, 8, 1))}, "deep_dream: needs images (n, height, width, channels)"),
        (
            {"images": np.zeros((1, 8, 8, 1)), "octaves": 0},
            "deep_dream: 'octaves': expected greater than or equal to 1, got 0",
        ),
        (
            {"images": np.zeros((1, 8, 8, 1)), "octave_scale": 1},
            "deep_dream: 'octave_scale': expected greater than 1, got 1",
        ),
        ({"images": "cat.jpg"}, "images: expected an array of numbers, got 'cat.jpg'"),
        ({"images": np.zeros((1, 8, 8, 1)), "layers": "no"}, "layer: no layer 'no'"),
    ],
)
def test_deep_dream_s_errors_say_where_and_what(cnn, settings, text):
    with pytest.raises(UserError, match="^" + re.escape(text)):
        deep_dream(cnn, **settings)
