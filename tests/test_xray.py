"""The X-ray: statistics by hand, gradients beside an oracle, and the record of a training."""

import keras
import numpy as np
import pytest

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import load_dataset
from dlcourse.errors import InterruptedTraining, RunError, UserError
from dlcourse.lab import callbacks
from dlcourse.lab.diagnosis.xray import (
    depth_scan,
    equal_share,
    read_layers,
    read_xray,
    write_xray,
    xray,
)
from dlcourse.models import build_model
from dlcourse.runs import Run, read_run
from dlcourse.training import resume, train
from tests.test_resume import After

POINTS = load_dataset("points", n=200)
DIGITS = load_dataset("digits")


def by_name(layers):
    return {layer.name: layer for layer in layers}


def dense(*layers):
    return keras.Sequential([keras.Input((2,)), *layers])


def test_the_statistics_of_two_relu_neurons_worked_by_hand():
    model = dense(keras.layers.Dense(2, activation="relu", name="a"), keras.layers.Dense(1))
    # on (1, 0), (0, 1): the first neuron gives 1 and 3, the second -1 → 0 and -2 → 0
    model.layers[0].set_weights([np.array([[1.0, -1], [3, -2]]), np.zeros(2)])
    layer = by_name(xray(model, np.eye(2), np.array([0.0, 1.0])))["a"]
    assert (layer.activation, layer.units, layer.output) == ("relu", 2, False)
    assert layer.mean == 1  # of 1, 3, 0, 0
    assert layer.spread == pytest.approx(np.sqrt(1.5))  # of 0, 2, -1, -1
    assert layer.dead == 0.5
    assert layer.equal == 0


def test_the_gradient_of_linear_regression_worked_by_hand():
    model = dense(keras.layers.Dense(1, name="w"))
    model.layers[0].set_weights([np.array([[1.0], [2]]), np.array([0.0])])
    x, y = np.array([[1.0, 0], [0, 1]]), np.array([0.0, 4.0])
    (reading,) = read_layers(model, x, y)
    # predictions 1, 2; errors 1, -2; d mean(error²)/dw = 2/2 · (1, -2); variance of y is 4
    np.testing.assert_allclose(reading.gradients[0].ravel(), [0.25, -0.5])
    np.testing.assert_allclose(reading.gradients[1], [-0.25])
    (layer,) = xray(model, x, y)
    assert layer.gradient_norm == pytest.approx(np.sqrt(0.25**2 + 0.5**2 + 0.25**2))
    assert layer.gradient_to_weight == pytest.approx(layer.gradient_norm / np.sqrt(5))
    assert layer.output


def test_a_sigmoid_is_saturated_beyond_its_last_twentieth():
    model = dense(keras.layers.Dense(1, activation="sigmoid", name="a"), keras.layers.Dense(2))
    model.layers[0].set_weights([np.array([[1.0], [0]]), np.array([0.0])])
    x = np.array([[-3.0, 0], [-2.9, 0], [2.9, 0], [3, 0]])  # σ(2.94) = 0.95
    layer = xray(model, x, np.array([0, 1, 0, 1]))[0]
    assert layer.saturated == 0.5
    assert layer.dead == 0  # a sigmoid does not die


def test_equal_neurons_are_counted():
    assert equal_share(np.array([[1.0, 1, 2], [0, 0, 0]])) == pytest.approx(2 / 3)
    assert equal_share(np.zeros((3, 4))) == 1
    assert equal_share(np.ones((3, 1))) == 0  # one neuron equals no other
    assert equal_share(np.random.default_rng(0).normal(size=(3, 3, 2, 8))) == 0


@pytest.mark.parametrize("initializer", ["zeros", "constant", "ones"])
def test_equal_initial_weights_make_every_hidden_neuron_equal(initializer):
    model = build_model("dnn", DIGITS, hidden=(8, 8), initializer=initializer)
    hidden = xray(model, DIGITS.x_train, DIGITS.y_train)[:-1]
    assert [layer.equal for layer in hidden] == [1, 1]


def test_zero_weights_let_no_gradient_through_to_the_hidden_layers():
    model = build_model("dnn", DIGITS, hidden=(8, 8), initializer="zeros")
    norms = [layer.gradient_norm for layer in xray(model, DIGITS.x_train, DIGITS.y_train)]
    assert norms[:2] == [0, 0]
    assert norms[2] > 0  # the output's biases learn the classes' shares


def test_a_layer_of_dead_relus_gives_zero_and_gets_no_gradient():
    model = build_model("dnn", DIGITS, hidden=(8, 8))
    model.get_layer("hidden_2").bias.assign(np.full(8, -50.0))
    layers = by_name(xray(model, DIGITS.x_train, DIGITS.y_train))
    assert layers["hidden_2"].dead == 1
    assert layers["hidden_2"].mean == layers["hidden_2"].gradient_norm == 0
    assert layers["hidden_1"].gradient_norm == 0


def test_ten_sigmoid_layers_make_the_gradient_vanish_and_relu_does_not():
    def ratio(activation):
        keras.utils.set_random_seed(0)
        model = build_model("dnn", DIGITS, hidden=(32,) * 10, activation=activation)
        layers = xray(model, DIGITS.x_train, DIGITS.y_train)
        return layers[0].gradient_norm / layers[-1].gradient_norm

    # σ′ ≤ 1/4: nine layers back at most 4⁻⁹ = 4e-6 of it is left
    assert ratio("sigmoid") < 1e-4
    assert ratio("relu") > 1e-2


@pytest.mark.parametrize(
    ("name", "dataset", "settings"),
    [
        ("cnn", DIGITS, {"filters": (4,), "hidden": (8,), "batch_norm": True, "dropout": 0.2}),
        ("rnn", DIGITS, {"units": 6}),
        ("dnn", POINTS, {"hidden": (4,), "activation": "tanh"}),
        ("linear_regression", load_dataset("diabetes"), {}),
    ],
)
def test_the_gradients_are_those_of_keras_own_loss(name, dataset, settings):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the oracle is TensorFlow's tape")
    model = build_model(name, dataset, **settings)
    x, y = dataset.x_train[:64], dataset.y_train[:64]
    if model.output_shape[-1] > 1:
        loss, y_true = keras.losses.SparseCategoricalCrossentropy(), y
    elif dataset.task == "binary":
        loss, y_true = keras.losses.BinaryCrossentropy(), y[:, None]
    else:
        y_true = y[:, None]
        variance = np.var(y)
        loss = lambda t, p: keras.ops.mean((t - p) ** 2 / variance)  # noqa: E731
    before = [np.asarray(weight).copy() for weight in model.weights]
    readings = read_layers(model, x, y)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value)
    with tf.GradientTape() as tape:
        value = loss(y_true, model(x, training=False))
    weights = [w.value for one in readings for w in model.get_layer(one.name).weights]
    mine = [gradient for one in readings for gradient in one.gradients]
    for found, oracle in zip(mine, tape.gradient(value, weights), strict=True):
        # the oracle goes through float32 probabilities, whose logarithm has lost digits near 0
        np.testing.assert_allclose(found, oracle, rtol=1e-3, atol=1e-6)


def test_batch_normalised_layers_are_read_behind_their_activation():
    model = build_model("cnn", DIGITS, filters=(4,), hidden=(8,), batch_norm=True)
    layers = by_name(xray(model, DIGITS.x_train, DIGITS.y_train))
    assert list(layers) == ["conv_1", "hidden_1", "logits"]
    assert [layer.activation for layer in layers.values()] == ["relu", "relu", "linear"]


def test_one_hot_labels_are_read_as_their_classes():
    model = build_model("dnn", DIGITS, hidden=(8,))
    labels = DIGITS.y_train
    assert xray(model, DIGITS.x_train, np.eye(10)[labels]) == xray(model, DIGITS.x_train, labels)


def test_what_does_not_fit_is_told():
    model = build_model("dnn", POINTS, hidden=(4,))
    with pytest.raises(UserError, match="xray: got 10 inputs but 9 targets"):
        xray(model, POINTS.x_train[:10], POINTS.y_train[:9])
    with pytest.raises(UserError, match="the model has no layer with weights"):
        xray(dense(keras.layers.ReLU()), POINTS.x_train, POINTS.y_train)


def recipe(**training):
    settings = ", ".join(f"{key}: {value}" for key, value in training.items())
    return recipe_from_text(
        "dataset: {name: points, n: 200}\n"
        "model: {name: dnn, hidden: [6], dropout: 0.2, batch_norm: true}\n"
        f"training: {{epochs: 3, steps_per_execution: 2, {settings}}}\n"
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return train(
        recipe(),
        tmp_path_factory.mktemp("xray"),
        name="whole",
        bar=False,
        callbacks=[callbacks.xray()],
    )


def test_a_training_records_every_epoch_and_the_start(recorded):
    by_epoch = read_xray(recorded)
    assert list(by_epoch) == [0, 1, 2, 3]
    assert [layer.name for layer in by_epoch[0]] == ["hidden_1", "logits"]
    assert by_epoch[0] != by_epoch[3]
    assert by_epoch[0][1].output is True


def test_recording_changes_nothing_of_the_training(recorded, tmp_path):
    plain = train(recipe(), tmp_path, name="plain", bar=False)
    assert plain.history == recorded.history
    with pytest.raises(RunError, match=r"has no xray\.csv"):
        read_xray(plain)


@pytest.mark.parametrize("looks", [1, 4])
def test_an_interrupted_record_goes_on_equal(recorded, looks, tmp_path):
    with pytest.raises(InterruptedTraining):
        train(
            recipe(),
            tmp_path,
            name="part",
            bar=False,
            stop=After(looks),
            callbacks=[callbacks.xray()],
        )
    run = resume(read_run(tmp_path / "part"), bar=False, callbacks=[callbacks.xray()])
    assert (run.path / "xray.csv").read_text() == (recorded.path / "xray.csv").read_text()


def test_a_layer_whose_name_has_a_comma_is_read_as_it_was_written(tmp_path):
    name = keras.layers.Dense(1, name='a,"b"').name  # Keras accepts it
    (layer,) = xray(dense(keras.layers.Dense(3)), POINTS.x_train, POINTS.y_train)
    by_epoch = {0: [layer._replace(name=name)], 1: [layer._replace(gradient_to_weight=np.inf)]}
    write_xray(Run(tmp_path), by_epoch)
    assert read_xray(Run(tmp_path)) == by_epoch


def test_a_broken_record_is_told(tmp_path):
    (tmp_path / "xray.csv").write_text("epoch,name\n0,a\n")
    with pytest.raises(RunError, match="not a table of layer statistics"):
        read_xray(Run(tmp_path))


def test_the_depth_scan_holds_every_pair_and_shows_what_glorot_and_he_mend():
    scan = depth_scan(
        DIGITS.x_train[:64],
        DIGITS.y_train[:64],
        depth=6,
        units=32,
        activations=("relu",),
        initializers=("random_normal", "he_normal", "large_normal"),
    )
    last = {initializer: layers[-1].spread for (_, initializer), layers in scan.items()}
    assert last["random_normal"] < 0.01 < last["he_normal"] < 3 < last["large_normal"]
    assert {len(layers) for layers in scan.values()} == {6}
