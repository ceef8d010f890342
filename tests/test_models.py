"""Model builders: known sizes, the contract over the whole table, and their errors."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import dlcourse.models
from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import load_dataset
from dlcourse.errors import RecipeError
from dlcourse.models import (
    MODELS,
    augmentation_layers,
    build_model,
    cnn,
    dnn,
    linear_regression,
    logistic_regression,
    mismatch,
    rnn,
    scaling_layer,
    softmax_regression,
    transfer,
)
from dlcourse.schema import checked_settings, settings_model
from dlcourse.training import prepare


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def tumours():
    return load_dataset("breast_cancer")


@pytest.fixture(scope="module")
def diabetes():
    return load_dataset("diabetes")


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (lambda: dnn((784,), 10, hidden=(16, 16)), 13_002),  # slides S0
        (lambda: dnn((28, 28, 1), 10, hidden=(16, 16)), 13_002),
        (lambda: dnn((3,), 1, hidden=(4,)), 21),  # slides S4
        (lambda: dnn((3,), 1, hidden=(2,)), 11),  # slides S1
        (lambda: softmax_regression((28, 28, 1), 10), 7_850),
        (lambda: logistic_regression((30,)), 31),
        (lambda: linear_regression((10,)), 11),
        # conv 3·3·1·8 + 8, then 14·14·8 inputs of 10 logits
        (lambda: cnn((28, 28, 1), 10, filters=(8,), hidden=()), 80 + 15_690),
        # the mean of each of 8 maps, 10 logits
        (lambda: cnn((28, 28, 1), 10, filters=(8,), pooling="average", hidden=()), 80 + 90),
        # each LSTM gate: (28 inputs + 16 state + 1) · 16; then 16·10 + 10
        (lambda: rnn((28, 28, 1), 10, units=16), 4 * 45 * 16 + 170),
        (lambda: rnn((28, 28, 1), 10, cell="simple", units=16), 45 * 16 + 170),
    ],
)
def test_parameters_are_those_counted_by_hand(model, parameters):
    assert model().count_params() == parameters


def test_layers_of_784_16_16_10_have_the_slides_parameters():
    model = dnn((784,), 10, hidden=(16, 16))
    counts = [layer.count_params() for layer in model.layers if layer.weights]
    assert counts == [12_560, 272, 170]


def test_logistic_regression_is_the_sigmoid_of_the_weighted_sum():
    model = logistic_regression((2,))
    model.set_weights([np.array([[0.5], [0.5]]), np.array([1.0])])
    output = model.predict(np.array([[5.0, 3.0]]), verbose=0)  # slides S4: z = 5
    np.testing.assert_allclose(output, [[0.9933071491]], rtol=1e-6)  # float32


def test_hidden_layers_without_activation_collapse_to_one_matrix():
    model = dnn((3,), 2, regression=True, hidden=(5, 4), activation="linear")
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    expected = x @ (w1 @ w2 @ w3) + (b1 @ w2 + b2) @ w3 + b3
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)


def test_constant_initialisation_makes_equal_neurons():
    kernel = dnn((4,), 3, hidden=(5,), initializer="constant").get_weights()[0]
    assert np.unique(kernel).tolist() == [np.float32(0.1)]
    assert not dnn((4,), 3, hidden=(5,), initializer="zeros").get_weights()[0].any()


@pytest.mark.parametrize(("pooling", "of"), [("average", np.mean), ("max", np.max)])
def test_global_pooling_stands_in_place_of_the_last_blocks_pooling(pooling, of):
    import keras

    model = cnn((8, 8, 1), 3, filters=(4, 5), pooling=pooling, hidden=(), dropout=0.5)
    names = [layer.name for layer in model.layers]
    assert names[:4] == ["conv_1", "pool_1", "conv_2", f"global_{pooling}"]
    assert names[4:] == [f"global_{pooling}_dropout", "logits", "probabilities"]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    outputs = [model.get_layer(name).output for name in ("conv_2", "logits")]
    maps, logits = keras.Model(model.inputs, outputs).predict(x, verbose=0)
    assert maps.shape == (2, 4, 4, 5)
    kernel, bias = model.get_layer("logits").get_weights()
    # float32, sums of 16
    np.testing.assert_allclose(logits, of(maps, axis=(1, 2)) @ kernel + bias, rtol=1e-4, atol=1e-6)


def test_the_class_activation_map_of_average_pooling_adds_up_to_the_logit():
    import keras

    model = cnn((8, 8, 1), 3, filters=(4, 5), pooling="average", hidden=())
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    outputs = [model.get_layer(name).output for name in ("conv_2", "logits")]
    maps, logits = keras.Model(model.inputs, outputs).predict(x, verbose=0)
    kernel, bias = model.get_layer("logits").get_weights()
    activation_maps = maps @ kernel
    # Zhou et al. 2016, equation 2, with the bias, which has no place; float32
    np.testing.assert_allclose(
        activation_maps.mean(axis=(1, 2)) + bias, logits, rtol=1e-4, atol=1e-6
    )


def test_l2_adds_l2_times_the_sum_of_squares_to_the_loss():
    model = dnn((2,), 1, hidden=(), l2=0.5, initializer="ones")
    model.predict(np.zeros((1, 2)), verbose=0)
    assert float(sum(model.losses)) == 0.5 * 2  # l2·Σw² over two weights of 1


def test_scaling_is_inside_the_model(digits, diabetes):
    raw = digits.x_train[:3].astype("float32")
    scaled = np.asarray(scaling_layer(digits)(raw))
    np.testing.assert_allclose(scaled, raw / 16)
    rows = np.asarray(scaling_layer(diabetes)(diabetes.x_train))
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-5)


def test_a_range_is_mapped_to_0_to_1_inside_the_model():
    model = cnn((8, 8, 1), 3, rescale=(-5, 250), filters=(2,), hidden=())
    assert [layer.name for layer in model.layers[:2]] == ["rescaling", "conv_1"]
    ends = np.asarray(model.layers[0](np.array([-5.0, 250.0])))
    np.testing.assert_allclose(ends, [0, 1], atol=1e-6)  # float32
    pixels = dnn((2,), 1, hidden=(), rescale=(0, 255))
    assert float(np.asarray(pixels.layers[0](np.float32(255)))) == 1.0


@pytest.mark.parametrize("build", [dnn, rnn, cnn, softmax_regression])
def test_without_a_range_the_inputs_are_taken_as_they_are(build):
    plain, scaled = (build((8, 8, 1), 3, rescale=rescale) for rescale in (None, (0, 255)))
    assert [layer.name for layer in scaled.layers] == [
        "rescaling",
        *(layer.name for layer in plain.layers),
    ]


def test_a_layer_that_scales_stands_in_front():
    rows = np.array([[0.0, 10.0], [2.0, 30.0]], "float32")
    layer = keras.layers.Normalization()
    layer.adapt(rows)
    model = linear_regression((2,), rescale=layer, initializer="ones")
    assert model.layers[0] is layer
    np.testing.assert_allclose(model.predict(rows, verbose=0), [[-2], [2]], rtol=1e-5)  # float32


def test_a_constant_column_is_only_shifted(diabetes):
    x = diabetes.x_train.copy()
    x[:, 0] = 0.1
    scaling = scaling_layer(replace(diabetes, x_train=x))
    x[0, 0] = 1.1  # a value that the training rows did not have
    scaled = np.asarray(scaling(x))
    np.testing.assert_allclose(scaled[:2, 0], [1, 0], atol=1e-6)
    np.testing.assert_allclose(scaled[:, 1:].std(axis=0), 1, atol=1e-5)


def test_inputs_are_scaled_in_float32_under_mixed_precision_too(diabetes):
    """bfloat16 has eight bits: it does not tell the year 2016 from 2018."""
    x = diabetes.x_train.copy()
    x[:, 0] = np.arange(len(x)) % 20 + 2000
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = build_model("linear_regression", replace(diabetes, x_train=x))
    finally:
        keras.config.set_dtype_policy("float32")
    years = np.asarray(model.layers[0](x[:20]))[:, 0]
    assert len(np.unique(years)) == 20
    assert [model.get_layer(one).compute_dtype for one in ("standardised", "prediction")] == [
        "float32",
        "float32",
    ]


def test_augmentation_changes_training_only(digits):
    settings = {"shift": 0.2, "rotate": 20.0, "zoom": 0.2, "shear": 0.1, "flip": "horizontal"}
    given = Recipe.model_validate(
        {
            "dataset": {"name": "digits"},
            "model": {"name": "cnn", "filters": (4,), "hidden": ()},
            "training": {"augmentation": settings},
        }
    )
    prepared = prepare(given, digits)
    assert prepared.model.layers[0].name == "rescaling"
    model = prepared.augmented
    assert model.layers[0].name == "warp"
    x = digits.x_test[:4]
    still = np.asarray(model(x, training=False))
    np.testing.assert_array_equal(still, model(x, training=False))
    assert np.abs(np.asarray(model(x, training=True)) - still).max() > 0
    assert augmentation_layers() == []


def warped(images, **settings):
    (layer,) = augmentation_layers(**settings)
    return np.asarray(layer(images, training=True))


def test_a_warp_keeps_the_middle_and_moves_no_further_than_its_settings():
    images = np.zeros((200, 9, 9, 1), "uint8")
    images[:, 4, 4] = 200
    for how in ({"rotate": 90.0}, {"shear": 0.5}, {"zoom": 0.3}):
        # a zoom narrows the pixel or widens it: its middle stays
        np.testing.assert_allclose(warped(images, **how)[:, 4, 4], 200, rtol=1e-4)
    moved = warped(images, shift=2 / 9)[..., 0]
    rows, columns = moved.sum(axis=2), moved.sum(axis=1)
    for mass in (rows, columns):
        centre = mass @ np.arange(9) / mass.sum(axis=1)  # bilinear: the centre moves exactly
        assert np.abs(centre - 4).max() <= 2 + 1e-4
        assert np.abs(centre - 4).max() > 1.8  # of 200 uniform draws
        assert np.ptp(centre) > 3


@pytest.mark.parametrize("flip", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_a_flip_mirrors_about_half_of_the_images_and_changes_no_pixel(flip):
    images = np.random.default_rng(0).random((200, 5, 6, 3), "float32")
    found = warped(images, flip=flip)
    rows = [1, -1] if "vertical" in flip else [1]
    columns = [1, -1] if "horizontal" in flip else [1]
    counts = {}
    for image, given in zip(found, images, strict=True):
        same = [
            (y, x) for y in rows for x in columns if np.allclose(image, given[::y, ::x], atol=1e-5)
        ]
        assert len(same) == 1
        counts[same[0]] = counts.get(same[0], 0) + 1
    assert len(counts) == len(rows) * len(columns)
    assert min(counts.values()) > 0.6 * 200 / len(counts)


def test_a_shear_moves_each_row_by_its_distance_from_the_middle():
    images = np.zeros((100, 9, 9, 1), "float32")
    images[:, :, 4] = 1.0  # an upright line
    lines = warped(images, shear=0.4, fill="black")[..., 0]
    centre = lines @ np.arange(9) / lines.sum(axis=2)
    slopes = np.diff(centre, axis=1)
    np.testing.assert_allclose(slopes, slopes[:, :1].repeat(8, axis=1), atol=1e-4)  # float32
    assert 0.3 < np.abs(slopes).max() <= 0.4 + 1e-4


def test_a_rotation_turns_by_the_angle_at_most_and_every_image_by_its_own():
    images = np.zeros((200, 21, 21, 1), "float32")
    images[:, 10, 11:] = 1.0  # a hand that points right
    hands = warped(images, rotate=30.0, fill="black")[..., 0]
    y, x = np.mgrid[-10:11, -10:11]
    angles = np.degrees(np.arctan2((hands * y).sum((1, 2)), (hands * x).sum((1, 2))))
    assert len(np.unique(angles.round(3))) > 190
    assert 27 < np.abs(angles).max() < 31  # the pixels of a turned hand are uneven by a degree


def test_what_comes_in_at_the_border_is_black_or_the_nearest_pixel():
    images = np.full((50, 8, 8, 1), 100, "uint8")
    assert warped(images, shift=0.4, fill="black").min() == 0
    np.testing.assert_allclose(warped(images, shift=0.4), 100, rtol=1e-5)


def test_a_block_has_its_own_kernel_strides_and_pooling():
    """28 → 12 (5×5, step 2) → 10 → pooled 5 → 3; 61,130 parameters by hand."""
    model = cnn(
        (28, 28, 1),
        10,
        filters=(16, 32, 64),
        kernel_size=(5, 3, 3),
        strides=(2, 1, 1),
        pool_size=(1, 2, 1),
        padding="valid",
        hidden=(64,),
    )
    names = [layer.name for layer in model.layers]
    assert names[:5] == ["conv_1", "conv_2", "pool_2", "conv_3", "flatten"]
    assert [model.get_layer(f"conv_{n}").output.shape[1] for n in (1, 2, 3)] == [12, 10, 3]
    by_hand = 16 * 26 + 32 * 145 + 64 * 289 + 64 * 577 + 10 * 65
    assert model.count_params() == by_hand == 61130
    twice = cnn((8, 8, 1), 2, filters=(3, 4), convolutions=(2, 1))
    assert [x.name for x in twice.layers if "conv" in x.name] == ["conv_1_1", "conv_1_2", "conv_2"]


def test_a_list_without_one_number_per_block_is_refused(digits):
    text = r"strides: has 2 numbers for 3 blocks: give one number for all, or one per entry of"
    with pytest.raises(RecipeError, match=text):
        build_model("cnn", digits, filters=(2, 2, 2), strides=(1, 2))
    with pytest.raises(RecipeError, match=r"block 2 of 2 shrinks a side of 4 to nothing"):
        build_model("cnn", digits, filters=(2, 2), pool_size=(2, 8))


DIGIT_MODELS = ["softmax_regression", "dnn", "cnn", "rnn"]
SETTINGS = {
    "dnn": {"hidden": (6, 5), "dropout": 0.2, "l2": 0.01, "batch_norm": True},
    "cnn": {"filters": (3, 4), "convolutions": 2, "hidden": (5,), "batch_norm": True},
    "rnn": {"units": 4, "layers": 2, "bidirectional": True, "cell": "gru", "dropout": 0.1},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_follows_the_contract(name, digits, tumours, diabetes, tmp_path):
    """Flat, ends in logits and probabilities or in prediction, takes the raw data, saves whole."""
    builder = MODELS[name]
    for dataset in (digits, tumours, diabetes):
        inputs = "images" if dataset is digits else "rows"
        if inputs not in builder.inputs or dataset.task not in builder.tasks:
            with pytest.raises(RecipeError, match=f"'{name}' is for"):
                build_model(name, dataset)
            continue
        settings = SETTINGS.get(name, {})
        if name == "transfer":
            build_model("dnn", dataset).save(tmp_path / "base.keras")
            settings = {"base": str(tmp_path / "base.keras"), "head": (5,)}
        model = build_model(name, dataset, **settings)
        outputs = model.predict(dataset.x_test[:7], verbose=0)
        assert not any(hasattr(layer, "layers") for layer in model.layers)
        assert np.isfinite(outputs).all()
        assert outputs.dtype == "float32"
        if dataset.task == "regression":
            assert model.layers[-1].name == "prediction"
            assert outputs.shape == (7, 1)
        else:
            assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
            single = dataset.task == "binary" and name != "softmax_regression"
            assert outputs.shape == (7, 1 if single else len(dataset.class_names))
            assert ((outputs >= 0) & (outputs <= 1)).all()
            if not single:  # float32
                np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", DIGIT_MODELS)
def test_a_saved_model_gives_the_same_outputs(name, digits, tmp_path):
    import keras

    model = build_model(name, digits, **SETTINGS.get(name, {}))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    x = digits.x_test[:5]
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


def test_two_classes_by_softmax_are_the_sigmoid_of_the_difference(tumours):
    model = build_model("softmax_regression", tumours)
    kernel, bias = model.get_weights()
    single = build_model("logistic_regression", tumours)
    single.set_weights([kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]])
    x = tumours.x_test
    np.testing.assert_allclose(
        model.predict(x, verbose=0)[:, 1:], single.predict(x, verbose=0), atol=1e-6
    )


def test_every_activation_and_initializer_builds_and_has_a_gradient():
    from typing import get_args

    import tensorflow as tf

    from dlcourse.models.layers import Activation, Initializer

    x = tf.random.normal((8, 3), seed=1)
    for activation in get_args(Activation):
        model = dnn((3,), 2, hidden=(4,), activation=activation)
        with tf.GradientTape() as tape:
            output = tf.reduce_sum(model.layers[0](x) ** 2)
        gradient = tape.gradient(output, model.layers[0].kernel)
        assert np.abs(np.asarray(gradient)).max() > 0, activation
    for initializer in get_args(Initializer):
        assert dnn((3,), 2, hidden=(4,), initializer=initializer).count_params() == 26


def test_mixed_precision_keeps_float32_outputs(digits):
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model("cnn", digits, filters=(4,), hidden=(4,))
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("conv_1").compute_dtype == "bfloat16"
    assert model.predict(digits.x_test[:2], verbose=0).dtype == "float32"


def test_the_settings_are_the_keyword_only_parameters():
    fields = settings_model("rnn", rnn).model_fields
    assert list(fields)[:3] == ["name", "cell", "units"]
    assert "input_shape" not in fields


def test_every_builder_is_a_name_of_the_package():
    for name, builder in MODELS.items():
        assert name in dlcourse.models.__all__
        assert getattr(dlcourse.models, name) is builder.function


def test_a_builder_takes_lists_and_numpys_numbers():
    model = cnn([8, 8, 1], np.int64(3), filters=[4], hidden=[])
    assert model.count_params() == cnn((8, 8, 1), 3, filters=(4,), hidden=()).count_params()


def test_settings_of_a_recipe_are_not_checked_twice(digits, monkeypatch):
    def twice(*_):
        pytest.fail("checked again")

    settings = {"filters": (2,), "hidden": ()}
    complete = settings_model("cnn", cnn, tagged=False).model_validate(settings)
    monkeypatch.setattr("dlcourse.schema.checked_settings", twice)
    dlcourse.models.new_model("cnn", digits, dict(complete))


IMAGE = (8, 8, 1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: cnn(IMAGE, 3, **{"filter": 4}),
            "cnn: unknown setting 'filter' (did you mean 'filters'?)",
        ),
        (lambda: cnn(IMAGE, 3, filters=4), "cnn: 'filters': expected a list, such as [4], got 4"),
        (lambda: cnn(IMAGE, 3, dropout=1), "cnn: 'dropout': expected less than 1, got 1"),
        (
            lambda: rnn(IMAGE, 3, units=0),
            "rnn: 'units': expected greater than or equal to 1, got 0",
        ),
        (lambda: transfer(IMAGE, 3, **{}), "transfer: 'base' is missing"),
        (
            lambda: cnn((28, 28), 10),
            "input_shape: (height, width, channels) is expected, of whole numbers ≥ 1, "
            "got (28, 28): write (28, 28, 1)",
        ),
        (lambda: cnn((8, -8, 1), 3), "got (8, -8, 1)"),
        (lambda: cnn((60_000, 28, 28, 1), 10), "got (60000, 28, 28, 1)"),
        (lambda: dnn(784, 10), "got 784: write (784,)"),
        (lambda: dnn((784.0,), 10), "input_shape: (features,) or (steps, features) or (height, "),
        (lambda: softmax_regression(4, 3), "got 4: write (4,)"),
        (lambda: rnn((28,), 10), "input_shape: (steps, features) or (height, width, channels) is "),
        (lambda: transfer("8", 3, base="none"), "input_shape: (features,) or"),
        (lambda: cnn(IMAGE, 0), "num_outputs: a whole number ≥ 1 is expected, got 0"),
        (lambda: dnn((4,), 2.5), "num_outputs: a whole number ≥ 1 is expected, got 2.5"),
        (lambda: rnn((4, 2), True), "num_outputs: a whole number ≥ 1 is expected, got True"),
        (
            lambda: cnn(IMAGE, 3, rescale=(255, 0)),
            "rescale: (low, high) with low < high, a Keras layer or None is expected, got (255, 0)",
        ),
        (lambda: dnn((4,), 3, rescale=(0, np.inf)), "rescale: (low, high) with low < high"),
        (lambda: rnn((4, 2), 3, rescale="pixels"), "None is expected, got 'pixels'"),
        (lambda: rnn((4, 2), 3, rescale=255), "None is expected, got 255"),
    ],
)
def test_a_wrong_argument_of_a_builder_is_named_in_one_line(call, text):
    with pytest.raises(RecipeError) as error:
        call()
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda d: build_model("cmn", d), r"unknown model 'cmn' \(did you mean 'cnn'\?\)"),
        (lambda d: build_model("cnn", d, filtres=(3,)), r"cnn: unknown setting 'filtres'"),
        (lambda d: build_model("cnn", d, dropout=1.0), "cnn: 'dropout': expected less than 1"),
        (lambda d: build_model("cnn", d, filters=(4, 4, 4, 4)), "block 4 of 4 shrinks a side of 1"),
        (
            lambda d: build_model("cnn", d, padding="valid", kernel_size=9),
            "block 1 of 2 shrinks a side of 8 to nothing",
        ),
        (
            lambda d: build_model("cnn", d, filters=(4,) * 5, pooling="average"),
            "block 4 of 5 shrinks a side of 1",
        ),
        (
            lambda d: build_model("logistic_regression", d),
            r"is for binary, but this data is multiclass \(fitting: softmax_regression, dnn, cnn",
        ),
    ],
)
def test_a_model_that_cannot_be_built_says_why(call, text, digits):
    with pytest.raises(RecipeError, match=text):
        call(digits)


def test_classification_may_still_be_binary_before_the_data_is_read():
    assert mismatch("logistic_regression", "rows", "classification") is None
    assert mismatch("linear_regression", "rows", "classification") is not None
    assert mismatch("cnn", None, None) is None


def test_a_range_in_the_place_of_regression_is_told_where_it_belongs():
    with pytest.raises(RecipeError, match=r"regression: True or .* for inputs: rescale="):
        cnn((28, 28, 1), 10, (0, 255))


@pytest.mark.parametrize(
    ("examples", "batch_size", "momentum"),
    [
        (1200, 32, 0.92),  # 1 - 3/37.5
        (1200, 128, 0.8),  # of 9.4 steps: 0.68, but five batches at least are averaged
        (96, 16, 0.8),
        (60_000, 32, 0.99),  # of 1,875 steps: Keras' own
    ],
)
def test_statistics_of_batch_norm_arrive_within_an_epoch_or_a_few(examples, batch_size, momentum):
    from dataclasses import replace

    from dlcourse.models import new_model

    iris = load_dataset("iris")
    data = replace(iris, x_train=np.resize(iris.x_train, (examples, 4)))
    given = checked_settings("dnn", dnn, {"hidden": (2,), "batch_norm": True})
    norm = new_model("dnn", data, given, batch_size).get_layer("hidden_1_norm")
    assert norm.momentum == pytest.approx(momentum)


def test_the_momentum_of_batch_norm_may_be_given_and_is_moderate_without_data():
    for given, momentum in ({"batch_norm_momentum": 0.5}, 0.5), ({}, 0.9):
        model = cnn((8, 8, 1), 3, filters=(2,), hidden=(), batch_norm=True, **given)
        assert model.get_layer("conv_1_norm").momentum == momentum
