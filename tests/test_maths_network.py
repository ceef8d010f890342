from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from dlcourse.lessons.maths.calculus import gradient_descent
from dlcourse.lessons.maths.convolution import flatten
from dlcourse.lessons.maths.losses import one_hot
from dlcourse.lessons.maths.network import Network, count_parameters, dropout, parameters_per_layer

MNIST = Path(__file__).parents[2] / "shared/data/mnist.npz"
PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)
HIDDEN = st.sampled_from(
    ["linear", "sigmoid", "tanh", "softmax", "relu", "leaky_relu", "piecewise_linear"]
)
KINKS = {"relu": (0,), "leaky_relu": (0,), "piecewise_linear": (-0.5, 0.5)}


def test_parameters_are_counted_as_on_the_slides():
    assert count_parameters((784, 16, 16, 10)) == 13_002
    assert count_parameters((784, 16, 16, 10), biases=False) == 12_960
    assert parameters_per_layer((784, 16, 16, 10)) == [12_560, 272, 170]
    assert count_parameters((3, 4, 1)) == 21
    assert (count_parameters((3, 2, 1), biases=False), count_parameters((3, 2, 1))) == (8, 11)


def by_hand() -> Network:
    """x = (1, 2) → h = relu(1·1 + 2·1 − 1, 1·(−1) + 2·0) = (2, 0) → y = 3·2 + 5·0 + 1 = 7."""
    network = Network((2, 2, 1), ("relu", "linear"))
    network.set_weights([[[1, -1], [1, 0]], [[3], [5]]], [[-1, 0], [1]])
    return network


def test_forward_shows_every_z_and_a():
    z, a = by_hand().forward([[1, 2]])
    assert [part.tolist() for part in z] == [[[2, -1]], [[7]]]
    assert [part.tolist() for part in a] == [[[1, 2]], [[2, 0]], [[7]]]


def test_backward_shows_the_three_avenues():
    # loss (7 − 6)²: dz2 = 2; the dead second neuron of the hidden layer passes nothing on
    found = by_hand().backward([[1, 2]], [[6]])
    assert [part.tolist() for part in found.dz] == [[[6, 0]], [[2]]]
    assert [part.tolist() for part in found.dW] == [[[6, 0], [12, 0]], [[4], [0]]]
    assert [part.tolist() for part in found.db] == [[6, 0], [2]]
    assert [part.tolist() for part in found.da] == [[[6, 6]], [[6, 10]], [[2]]]


def test_a_step_goes_against_the_gradient_and_returns_the_loss_before():
    network = by_hand()
    assert network.step([[1, 2]], [[6]], learning_rate=0.5) == 1
    assert [part.tolist() for part in network.W] == [[[-2, -1], [-5, 0]], [[1], [5]]]
    assert [part.tolist() for part in network.b] == [[-4, 0], [0]]


def test_the_slides_layout_is_the_same_network_turned():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(6, 3)), rng.integers(0, 2, (6, 1)).astype(float)
    rows = Network((3, 4, 1), ("tanh", "sigmoid"), seed=5)
    columns = Network((3, 4, 1), ("tanh", "sigmoid"), seed=5, layout="slides")
    assert [part.shape for part in columns.W + columns.b] == [(4, 3), (1, 4), (4, 1), (1, 1)]
    for ours, theirs in zip(columns.forward(X.T), rows.forward(X), strict=True):
        assert all(np.array_equal(a, b.T) for a, b in zip(ours, theirs, strict=True))
    found = columns.backward(X.T, Y.T)
    assert [part.shape for part in found.db] == [(4, 1), (1, 1)]
    assert columns.gradient_check(X.T, Y.T) < 1e-6
    assert columns.step(X.T, Y.T, 0.1) == rows.step(X, Y, 0.1)
    assert all(np.array_equal(a, b.T) for a, b in zip(columns.W, rows.W, strict=True))
    assert np.array_equal(columns.predict(X.T), rows.predict(X).T)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "categorical_cross_entropy"),
        ("relu", "mse"),
    ],
)
def test_the_loss_fits_the_last_activation(activation, loss):
    assert Network((2, 3), (activation,)).loss_name == loss


@PROPERTY
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.data(), st.integers(0, 99))
def test_backward_agrees_with_central_differences_on_random_networks(sizes, data, seed):
    activations = [data.draw(HIDDEN) for _ in sizes[1:]]
    losses = ["mse"]
    losses += ["binary_cross_entropy"] * (activations[-1] in ("sigmoid", "softmax"))
    losses += ["categorical_cross_entropy"] * (activations[-1] in ("sigmoid", "softmax"))
    rng = np.random.default_rng(seed)
    network = Network(sizes, activations, loss=data.draw(st.sampled_from(losses)), seed=seed)
    X = rng.normal(size=(3, sizes[0]))
    Y = rng.dirichlet(np.ones(sizes[-1] + 1), 3)[:, :-1]
    if network.loss_name == "binary_cross_entropy" and network.predict(X).max() == 1:
        return  # softmax over a single output is the constant 1: log(1 − 1)
    for z, name in zip(network.forward(X).z, activations, strict=True):
        if any(np.abs(z - kink).min() < 1e-3 for kink in KINKS.get(name, ())):
            return  # a difference quotient over a corner is neither slope
    assert network.gradient_check(X, Y) < 1e-6


def test_a_wrong_gradient_fails_the_check():
    class Wrong(Network):
        def _backward(self, forward, Y):
            found = super()._backward(forward, Y)
            found.dW[0][0, 0] *= 1.01
            return found

    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4, 2)), rng.normal(size=(4, 1))
    assert Network((2, 3, 1), ("tanh", "linear")).gradient_check(X, Y) < 1e-6
    assert Wrong((2, 3, 1), ("tanh", "linear")).gradient_check(X, Y) > 1e-4


def test_hidden_layers_without_activation_collapse_into_one_matrix():
    network = Network((3, 5, 4, 2), ("linear", "linear", "linear"), seed=3)
    W1, W2, W3 = network.W
    X = np.random.default_rng(0).normal(size=(7, 3))
    assert np.allclose(network.predict(X), X @ (W1 @ W2 @ W3), atol=1e-12)


def test_equal_weights_stay_equal():
    network = Network((2, 3, 1), ("tanh", "sigmoid"))
    network.set_weights([np.full((2, 3), 0.5), np.full((3, 1), 0.5)], [np.zeros(3), np.zeros(1)])
    X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    network.fit(X, [[0], [1], [1], [0]], epochs=20, batch_size=2)
    assert np.ptp(network.W[0], axis=1) == pytest.approx([0, 0], abs=1e-12)


def test_a_hidden_layer_learns_exclusive_or():
    network = Network((2, 4, 1), ("tanh", "sigmoid"), seed=0)
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    history = network.fit(X, Y, epochs=500, batch_size=4, learning_rate=1.0)
    assert len(history) == 500
    assert (network.predict(X) > 0.5).tolist() == [[False], [True], [True], [False]]


def test_fit_uses_every_example_once_per_epoch_and_repeats_with_its_seed():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(10, 2)), rng.normal(size=(10, 1))
    first, second = (Network((2, 1), ("linear",)) for _ in range(2))
    still = first.fit(X, Y, epochs=1, batch_size=3, learning_rate=0.0)
    assert still == pytest.approx([first.loss(X, Y)], rel=1e-12)
    assert first.fit(X, Y, batch_size=3, seed=4) == second.fit(X, Y, batch_size=3, seed=4)
    assert np.array_equal(first.W[0], second.W[0])


def test_dropout_drops_nothing_or_everything_or_a_part():
    ones = np.ones(10_000)
    assert dropout(ones, 0.0).tolist() == ones.tolist()
    assert not dropout(ones, 1.0).any()
    dropped = dropout(ones, 0.25)
    assert np.unique(dropped) == pytest.approx([0, 1 / 0.75])
    # 10,000 draws: the standard error of the mean is 0.006
    assert dropped.mean() == pytest.approx(1, abs=0.03)


@pytest.mark.skipif(not MNIST.exists(), reason=f"needs {MNIST}")
def test_the_13002_parameters_read_mnist_in_ten_epochs():
    with np.load(MNIST) as data:
        x_train, y_train, x_test, y_test = (
            data[name] for name in ("x_train", "y_train", "x_test", "y_test")
        )
    network = Network((784, 16, 16, 10), ("relu", "relu", "softmax"), seed=0)
    rows, targets = x_train.reshape(-1, 784) / 255, one_hot(y_train, 10)
    with threadpool_limits(1):  # for matrices this small a second thread only waits
        network.fit(rows, targets, epochs=10, batch_size=64)
    accuracy = np.mean(network.predict(x_test.reshape(-1, 784) / 255).argmax(axis=1) == y_test)
    print(f"accuracy {accuracy:.4f}")
    assert accuracy >= 0.93


def test_a_learning_rate_that_is_too_large_is_named():
    network = Network((1, 1), ("linear",))
    with pytest.raises(ValueError, match=r"learning_rate: expected less than 1000: trai"):
        network.fit([[1.0], [2.0]], [[1.0], [2.0]], epochs=500, learning_rate=1000.0)


@pytest.mark.parametrize("Y", [[[-1], [1]], [[3], [0]]])
def test_labels_that_do_not_fit_the_loss_are_named_and_not_the_learning_rate(Y):
    network = Network((2, 1), ("sigmoid",))
    for method in (network.fit, network.backward, network.loss, network.gradient_check):
        with pytest.raises(ValueError, match=r"^Y: expected probabilities from 0 to 1, got"):
            method([[0, 1], [1, 0]], Y)


def test_a_loss_that_does_not_fit_the_last_activation_is_refused_at_once():
    for last in ("linear", "relu", "tanh", "sign"):
        with pytest.raises(ValueError, match=f"^loss: binary_cross_entropy needs .* got {last}$"):
            Network((2, 1), (last,), loss="binary_cross_entropy")


@pytest.mark.parametrize(
    ("activation", "loss", "x"),
    [("sigmoid", "categorical_cross_entropy", 1e5), ("softmax", "binary_cross_entropy", 1e5),
     ("linear", "mse", 1e308), ("linear", "mse", 1e200)],
)  # fmt: skip
def test_numbers_that_are_not_finite_are_reported_and_leave_the_weights_alone(activation, loss, x):
    network = Network((1, 2), (activation,), loss=loss)
    network.set_weights([[[2.0, -2.0]]], [[0, 0]])
    for train in (network.fit, lambda X, Y: network.step(X, Y, 0.1)):
        with pytest.raises(ValueError, match="expected finite numbers, got") as error:
            train([[x]], [[0, 1]])
        assert "learning_rate" not in str(error.value)
        assert network.W[0].tolist() == [[2, -2]]


def test_a_step_into_infinity_names_the_learning_rate_and_is_not_taken():
    for train in ("step", "fit"):
        network = Network((1, 1), ("linear",))
        before = network.W[0].copy()
        with pytest.raises(
            ValueError, match=r"learning_rate 1e\+308: expected finite numbers, got"
        ):
            getattr(network, train)([[10.0]], [[100.0]], learning_rate=1e308)
        assert np.array_equal(network.W[0], before)


def test_a_saturated_fitting_pair_still_learns():
    network = Network((1, 2), ("softmax",))
    network.set_weights([[[2.0, -2.0]]], [[0, 0]])
    assert network.step([[1e5]], [[0, 1]], 1.0) == 4e5
    assert network.W[0].tolist() == [[2 - 1e5, 1e5 - 2]]


def test_weights_are_taken_over_all_or_none():
    network = Network((1, 2), ("linear",))
    before = network.W[0].copy()
    with pytest.raises(ValueError, match=r"b\[0\]: expected shape \(2,\), got \(1,\)"):
        network.set_weights([[[7, 7]]], [[1]])
    assert np.array_equal(network.W[0], before)


def test_what_comes_back_is_not_the_callers_own_array():
    X = np.ones((2, 2))
    Network((2, 1), ("linear",)).forward(X).a[0][...] = 5
    flatten(X)[...] = 5
    gradient_descent(lambda x: x.fill(5) or np.ones(2), X[0], 0.1, 2)
    assert X.tolist() == [[1, 1], [1, 1]]
    trace = gradient_descent(lambda x: x.fill(5) or np.ones(2), [1, 1], 0.5, 2)
    assert trace.tolist() == [[1, 1], [0.5, 0.5], [0, 0]]


def test_errors_say_which_argument_and_what_came():
    with pytest.raises(ValueError, match="sizes: expected at least two, input and output, got 3"):
        Network(3, ("relu",))
    for call in (
        lambda: Network((1, 1), ("relu",), seed=-1),
        lambda: Network((1, 1), ("relu",)).fit([[1]], [[1]], seed=-1),
        lambda: dropout([1], 0.5, seed=-1),
    ):
        with pytest.raises(ValueError, match="seed: expected an integer of at least 0, got -1"):
            call()
    with pytest.raises(ValueError, match="step: expected a number above 0, got 0"):
        Network((1, 1), ("relu",)).gradient_check([[1]], [[1]], step=0)
    network = Network((3, 2), ("softmax",))
    with pytest.raises(ValueError, match=r"^X: expected shape \(m, 3\), got \(1, 4\)"):
        network.forward(np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"^X: expected shape \(3, m\), got \(4, 1\)"):
        Network((3, 2), ("softmax",), layout="slides").forward(np.ones((4, 1)))
    with pytest.raises(ValueError, match=r"^Y: expected shape \(5, 2\), got \(5,\)"):
        network.backward(np.ones((5, 3)), np.zeros(5))
    with pytest.raises(
        ValueError, match=r"X: expected finite numbers, got nan at position \(0, 1\)"
    ):
        network.fit([[0, np.nan, 0]], [[0, 1]])
    with pytest.raises(ValueError, match="activations: expected 1 names, one per layer after the"):
        Network((3, 2), ("relu", "softmax"))
    with pytest.raises(ValueError, match=r"activations: expected one of unit_step, .* got 'rely'"):
        Network((3, 2), ("rely",))
    with pytest.raises(ValueError, match=r"sizes\[1\]: expected an integer of at least 1, got 0"):
        Network((3, 0), ("relu",))
    with pytest.raises(ValueError, match="sizes: expected at least two, input and output, got"):
        count_parameters((3,))
    with pytest.raises(ValueError, match=r"loss: expected one of mse, .* got 'mae'"):
        Network((3, 2), ("relu",), loss="mae")
    with pytest.raises(ValueError, match=r"W\[0\]: expected shape \(3, 2\), got \(2, 3\)"):
        network.set_weights([np.ones((2, 3))], [np.ones(2)])
    with pytest.raises(ValueError, match="b: expected 1 arrays, got 0"):
        network.set_weights([np.ones((3, 2))], [])
    with pytest.raises(ValueError, match="batch_size: expected an integer of at least 1, got 0"):
        network.fit(np.ones((1, 3)), [[0, 1]], batch_size=0)
    with pytest.raises(ValueError, match="rate: expected a number from 0 to 1, got 2"):
        dropout([1], 2)
