"""The order of examples: a permutation of (seed, epoch), seen by `fit` exactly so."""

from typing import Any

import numpy as np
import pytest

from dlcourse.training.batches import epoch_order, training_batches


def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch():
    first = epoch_order(50, seed=1, epoch=0)
    assert sorted(first) == list(range(50))
    np.testing.assert_array_equal(first, epoch_order(50, seed=1, epoch=0))
    assert (first != epoch_order(50, seed=1, epoch=1)).any()
    assert (first != epoch_order(50, seed=2, epoch=0)).any()


class Indexed:
    """Rows that are read when they are indexed, as streamed images are."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def seen_by_fit(initial_epoch, epochs, python):
    """The examples that `fit` is given, one array per epoch."""
    import keras

    x = np.arange(10, dtype="float32")[:, None]
    seen: list[list[float]] = []

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    class Spy(keras.losses.Loss):
        def call(self, y_true, y_pred):
            seen[-1].extend(np.asarray(y_true)[:, 0].tolist())
            return y_pred[:, 0] * 0

    model.compile("sgd", Spy(), run_eagerly=True)
    inputs: Any = Indexed(x) if python else x
    batches, callback = training_batches(inputs, x, batch_size=4, seed=5)
    start = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append([]))
    model.fit(
        batches,
        shuffle=False,
        initial_epoch=initial_epoch,
        epochs=epochs,
        callbacks=[callback, start],
        verbose=0,
    )
    return seen


@pytest.mark.parametrize("python", [False, True], ids=["tf.data", "PyDataset"])
def test_fit_sees_each_epoch_in_its_own_order_also_when_it_starts_later(python):
    expected = [epoch_order(10, seed=5, epoch=epoch).tolist() for epoch in range(4)]
    assert seen_by_fit(0, 4, python) == expected
    assert seen_by_fit(2, 4, python) == expected[2:]


def test_steps_per_execution_keeps_the_order_and_the_last_small_batch():
    import keras

    x = np.arange(103, dtype="float32")[:, None]
    totals = []
    for steps in (1, 32):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1e-6), "mse", steps_per_execution=steps)
        batches, callback = training_batches(x, x, batch_size=10, seed=1)
        history = model.fit(batches, shuffle=False, epochs=3, callbacks=[callback], verbose=0)
        totals.append((history.history["loss"], model.get_weights()))
        assert int(model.optimizer.iterations) == 33
    assert totals[0][0] == pytest.approx(totals[1][0], rel=1e-6)
    np.testing.assert_allclose(totals[0][1][0], totals[1][1][0], rtol=1e-6)
