"""The formulas against Keras and TensorFlow: values, gradients in float64, one step of SGD."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlcourse.lessons.maths import activations, attention, losses, network, recurrent, regression
from dlcourse.lessons.maths.calculus import gradient
from dlcourse.lessons.maths.convolution import (
    convolve2d,
    convolve2d_gradient,
    flatten,
    pool2d,
    pool2d_gradient,
)

rng = np.random.default_rng(0)
THREE_WAYS: Any = {
    "rtol": 1e-6,
    "atol": 1e-9,
}  # atol: what central differences leave where 0 is right
FLOAT32: Any = {"rtol": 1e-5, "atol": 1e-5}  # Keras computes in float32


def of_tensorflow(f, *arguments):
    """Return tf.GradientTape's derivative of the sum of `f` by each argument, in float64."""
    variables = [tf.Variable(value, dtype=tf.float64) for value in arguments]
    with tf.GradientTape() as tape:
        result = tf.reduce_sum(f(*variables))
    return [np.asarray(value) for value in tape.gradient(result, variables)]


ACTIVATIONS = {
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "leaky_relu": lambda z: tf.nn.leaky_relu(z, 0.01),
    "linear": tf.identity,
    "piecewise_linear": lambda z: tf.clip_by_value(z + 0.5, 0, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_three_ways(name):
    z = np.array([-8.3, -1.2, -0.3, 0.2, 0.9, 7.1])
    function, derivative = activations.ACTIVATIONS[name]
    assert np.allclose(function(z), ACTIVATIONS[name](tf.constant(z)), rtol=1e-12)
    # a difference of numbers near 1 is known to 1e-16, its quotient by 2e-3 to 1e-13; the error of
    # the cut is of step⁴ after one step of Richardson's
    fine, coarse = (np.array([gradient(function, v, step=h) for v in z]) for h in (1e-3, 2e-3))
    assert np.allclose(derivative(z), (4 * fine - coarse) / 3, rtol=1e-6, atol=1e-12)
    assert np.allclose(derivative(z), of_tensorflow(ACTIVATIONS[name], z)[0], rtol=1e-9)


def test_softmaxs_jacobian_three_ways():
    z = rng.normal(size=4)
    with tf.GradientTape() as tape:
        variable = tf.Variable(tf.constant(z / 1.5))
        probabilities = tf.nn.softmax(variable)
    oracle = tape.jacobian(probabilities, variable).numpy() / 1.5
    found = activations.softmax_derivative(z, temperature=1.5)
    rows = [gradient(lambda v, i=i: activations.softmax(v, 1.5)[i], z) for i in range(4)]
    assert np.allclose(found, rows, **THREE_WAYS)
    assert np.allclose(found, oracle, rtol=1e-9)


Z = rng.normal(size=(5, 3))
P = activations.softmax(Z)
ONE_HOT = np.eye(3)[[0, 2, 1, 1, 0]]
LOSSES = {
    "mse": (Z, lambda a: tf.reduce_mean((a - ONE_HOT) ** 2)),
    "binary_cross_entropy": (
        P,
        lambda a: -tf.reduce_mean(ONE_HOT * tf.math.log(a) + (1 - ONE_HOT) * tf.math.log(1 - a)),
    ),
    "categorical_cross_entropy": (P, lambda a: -tf.reduce_sum(ONE_HOT * tf.math.log(a)) / 5),
    "sigmoid_cross_entropy": (
        Z,
        lambda z: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ONE_HOT, z)),
    ),
    "softmax_cross_entropy": (
        Z,
        lambda z: tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(ONE_HOT, z)),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_three_ways(name):
    first, oracle = LOSSES[name]
    loss, derivative = getattr(losses, name), getattr(losses, f"{name}_derivative")
    found = derivative(first, ONE_HOT)
    assert loss(first, ONE_HOT) == pytest.approx(float(oracle(tf.constant(first))), rel=1e-9)
    difference = gradient(lambda v: loss(v, ONE_HOT), first, step=1e-6)
    assert np.allclose(found, difference, **THREE_WAYS)
    assert np.allclose(found, of_tensorflow(oracle, first)[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "keras_loss"),
    [
        ("mse", keras.losses.MeanSquaredError()),
        ("binary_cross_entropy", keras.losses.BinaryCrossentropy()),
        ("categorical_cross_entropy", keras.losses.CategoricalCrossentropy()),
    ],
)
def test_a_loss_is_what_keras_calls_so(name, keras_loss):
    assert getattr(losses, name)(P, ONE_HOT) == pytest.approx(
        float(keras_loss(ONE_HOT, P)), rel=1e-5
    )


def test_the_keras_convention_of_the_penalty_is_keras():
    oracle = float(keras.regularizers.L2(0.3)(tf.constant(Z)))
    assert losses.l2_penalty(Z, 0.3, convention="keras") == pytest.approx(oracle, rel=1e-6)
    found = losses.l2_penalty_derivative(Z, 0.3)
    assert np.allclose(found, of_tensorflow(lambda W: 0.3 * tf.reduce_sum(W**2), Z)[0], rtol=1e-9)


def test_the_logistic_step_and_gradient_three_ways():
    X, Y, w = rng.normal(size=(3, 8)), rng.integers(0, 2, (1, 8)).astype(float), np.ones((3, 1))
    found = regression.logistic_gradient_vectorised(X, Y, w, 0.5)

    def cost(w, b):
        z = tf.matmul(w, X, transpose_a=True) + b
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(Y, z))

    dw, db = of_tensorflow(cost, w, 0.5)
    assert np.allclose(found.dw, dw, rtol=1e-9)
    assert found.db == pytest.approx(db, rel=1e-9)
    step = regression.logistic_step((5, 3), (0.5, 0.5), 1, 1, 0.01)
    x = np.array([5.0, 3.0])
    dw, db = of_tensorflow(
        lambda w, b: tf.nn.sigmoid_cross_entropy_with_logits(
            tf.ones((), tf.float64), tf.reduce_sum(w * x) + b
        ),
        [0.5, 0.5],
        1.0,
    )
    assert np.allclose(step.dw, dw, rtol=1e-9)
    assert step.db == pytest.approx(db, rel=1e-9)


@pytest.mark.parametrize(
    ("hidden", "last", "loss"),
    [
        ("tanh", "softmax", "categorical_crossentropy"),
        ("sigmoid", "sigmoid", "binary_crossentropy"),
        ("relu", "linear", "mse"),
    ],
)
def test_a_dense_network_is_keras_and_so_is_its_step(hidden, last, loss):
    X, Y = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation=hidden),
            keras.layers.Dense(3, activation=last),
        ]
    )
    ours = network.Network((4, 5, 3), (hidden, last))
    ours.set_weights(*of_keras(model))
    assert ours.layout == "keras"
    assert network.count_parameters((4, 5, 3)) == model.count_params()
    assert np.allclose(ours.predict(X), model(X), **FLOAT32)
    model.compile(keras.optimizers.SGD(0.5), loss)
    keras_loss = model.train_on_batch(X, Y)
    assert ours.step(X, Y, 0.5) == pytest.approx(float(keras_loss), rel=1e-5)
    for mine, theirs in zip(
        ours.W + ours.b, [*of_keras(model)[0], *of_keras(model)[1]], strict=True
    ):
        assert np.allclose(mine, theirs, **FLOAT32)


def of_keras(model):
    """Return the kernels and the biases of the layers that have them."""
    pairs = [layer.get_weights() for layer in model.layers if layer.weights]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def test_the_slides_network_has_keras_number_of_parameters():
    layers = [keras.layers.Dense(size) for size in (16, 16, 10)]
    model = keras.Sequential([keras.Input((784,)), *layers])
    assert model.count_params() == network.count_parameters((784, 16, 16, 10)) == 13_002


def test_the_dense_networks_gradient_three_ways():
    X, Y = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    ours = network.Network((4, 5, 3), ("tanh", "softmax"))
    found = ours.backward(X, Y)

    def cost(X, W1, b1, W2, b2):
        z = tf.matmul(tf.tanh(tf.matmul(X, W1) + b1), W2) + b2
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(Y, z))

    oracle = of_tensorflow(cost, X, ours.W[0], ours.b[0], ours.W[1], ours.b[1])
    mine = [found.da[0], found.dW[0], found.db[0], found.dW[1], found.db[1]]
    for a, b in zip(mine, oracle, strict=True):
        assert np.allclose(a, b, rtol=1e-6, atol=1e-12)
    assert ours.gradient_check(X, Y) < 1e-6


@pytest.mark.parametrize(
    ("stride", "padding"), [(1, "valid"), (1, "same"), (2, "same"), (2, "valid")]
)
def test_convolution_and_its_gradient_are_tensorflows(stride, padding):
    images, kernel = rng.normal(size=(2, 6, 5, 2)), rng.normal(size=(3, 3, 2, 4))
    settings = {"stride": stride, "padding": padding}

    def oracle(images, kernel):
        return tf.nn.conv2d(images, kernel, stride, padding.upper())

    ours = convolve2d(images, kernel, **settings)
    assert np.allclose(ours, oracle(images, kernel), rtol=1e-9, atol=1e-12)
    d = rng.normal(size=ours.shape)
    found = convolve2d_gradient(images, kernel, d, **settings)
    d_images, d_kernel = of_tensorflow(lambda x, k: oracle(x, k) * d, images, kernel)
    assert np.allclose(found.d_image, d_images, rtol=1e-9, atol=1e-12)
    assert np.allclose(found.d_kernel, d_kernel, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (3, 2)])
def test_pooling_and_its_gradient_are_tensorflows(kind, size, stride):
    images = rng.normal(size=(2, 7, 6, 3))
    pool = {"max": tf.nn.max_pool2d, "average": tf.nn.avg_pool2d}[kind]
    ours = pool2d(images, size, kind=kind, stride=stride)
    assert np.allclose(ours, pool(tf.constant(images), size, stride, "VALID"), rtol=1e-9)
    d = rng.normal(size=ours.shape)
    oracle = of_tensorflow(lambda x: pool(x, size, stride, "VALID") * d, images)[0]
    assert np.allclose(
        pool2d_gradient(images, d, size, kind=kind, stride=stride), oracle, rtol=1e-9
    )


def test_a_convolutional_network_is_keras_and_so_is_its_step():
    """Convolution, bias, ReLU, max pooling, flatten, then a `Network` of one dense layer."""
    images, Y, rate = rng.normal(size=(4, 8, 8, 1)), np.eye(3)[[0, 1, 2, 1]], 0.5
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    (kernel, W), (bias, b) = of_keras(model)
    head = network.Network((18, 3), ("softmax",))
    head.set_weights([W], [b])

    z = convolve2d(images, kernel) + bias
    a = activations.relu(z)
    pooled = pool2d(a, 2)
    features = flatten(pooled)
    assert np.allclose(head.predict(features), model(images), **FLOAT32)

    d_pooled = head.backward(features, Y).da[0].reshape(pooled.shape)
    dz = pool2d_gradient(a, d_pooled, 2) * activations.relu_derivative(z)
    d_kernel = convolve2d_gradient(images, kernel, dz).d_kernel
    head.step(features, Y, rate)
    model.compile(keras.optimizers.SGD(rate), "categorical_crossentropy")
    model.train_on_batch(images, Y)
    (new_kernel, new_W), (new_bias, new_b) = of_keras(model)
    assert np.allclose(kernel - rate * d_kernel, new_kernel, **FLOAT32)
    assert np.allclose(bias - rate * dz.sum(axis=(0, 1, 2)), new_bias, **FLOAT32)
    assert np.allclose(head.W[0], new_W, **FLOAT32)
    assert np.allclose(head.b[0], new_b, **FLOAT32)


def test_a_simple_rnn_is_keras():
    X = rng.normal(size=(2, 5, 3))
    layer = keras.layers.SimpleRNN(4, return_sequences=True)
    layer.build(X.shape)
    layer.cell.bias.assign(rng.normal(size=4))
    ours = recurrent.simple_rnn(X, *layer.get_weights())
    assert np.allclose(ours.h, layer(X), **FLOAT32)


def test_back_propagation_through_time_is_tensorflows():
    X, W, U, b = (rng.normal(size=shape) for shape in ((2, 5, 3), (3, 4), (4, 4), (4,)))
    dh = rng.normal(size=(2, 5, 4))

    def cost(X, W, U, b):
        h, total = tf.zeros((2, 4), tf.float64), 0.0
        for t in range(5):
            h = tf.tanh(tf.matmul(X[:, t], W) + tf.matmul(h, U) + b)
            total += tf.reduce_sum(h * dh[:, t])
        return total

    found = recurrent.simple_rnn_backward(X, W, U, b, dh)
    for mine, theirs in zip(found, of_tensorflow(cost, X, W, U, b), strict=True):
        assert np.allclose(mine, theirs, rtol=1e-6, atol=1e-12)


def test_an_lstm_is_keras_with_the_gates_in_the_order_i_f_c_o():
    X = rng.normal(size=(2, 5, 3))
    layer = keras.layers.LSTM(4, return_sequences=True, return_state=True)
    layer.build(X.shape)
    layer.cell.bias.assign(rng.normal(size=16))
    h, last_h, last_c = layer(X)
    steps = recurrent.lstm(X, *layer.get_weights())
    assert np.allclose(np.stack([step.h for step in steps], axis=1), h, **FLOAT32)
    assert np.allclose(steps[-1].h, last_h, **FLOAT32)
    assert np.allclose(steps[-1].c, last_c, **FLOAT32)


ATTENTION_MASKS = {
    "none": {},
    "causal": {"use_causal_mask": True},
    "padding": {"attention_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], bool)[:, None]},
}
ATTENTION_MASKS["both"] = ATTENTION_MASKS["causal"] | ATTENTION_MASKS["padding"]


@pytest.mark.parametrize("name", ATTENTION_MASKS)
def test_one_head_of_self_attention_is_keras_forward_and_backward(name):
    X, doutput = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2))
    layer = keras.layers.MultiHeadAttention(1, 4, value_dim=6, output_shape=2)
    layer.build(X.shape, X.shape)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    inputs, settings = tf.Variable(X, dtype=tf.float32), ATTENTION_MASKS[name]
    variables = [inputs, *(weight.value for weight in layer.weights)]
    with tf.GradientTape() as tape:
        output, weights = layer(inputs, inputs, return_attention_scores=True, **settings)
        cost = tf.reduce_sum(output * doutput.astype("float32"))
    gradients = [np.asarray(part) for part in tape.gradient(cost, variables)]
    mask = settings["attention_mask"][:, 0] if "attention_mask" in settings else None
    ours_too = {"causal": "use_causal_mask" in settings, "mask": mask}
    found = attention.self_attention(X, layer.get_weights(), **ours_too)
    back = attention.self_attention_backward(X, layer.get_weights(), doutput, **ours_too)
    assert np.allclose(found.weights, weights[:, 0], **FLOAT32)
    assert np.allclose(found.output, output, **FLOAT32)
    for mine, theirs in zip((back.dX, *back.dparameters), gradients, strict=True):
        assert np.allclose(mine.reshape(theirs.shape), theirs, **FLOAT32)
