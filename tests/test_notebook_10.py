"""What notebook 10 says that no cell of it measures."""

from typing import Any

import numpy as np
import pytest

from dlcourse.datasets import load_dataset


@pytest.mark.slow
def test_after_empty_rows_a_simple_rnn_beats_an_lstm():
    import keras

    digits, empty = load_dataset("digits"), ((0, 0), (0, 24), (0, 0))
    x, x_val = (np.pad(x[..., 0] / 16, empty) for x in (digits.x_train, digits.x_val))

    def accuracy(recurrent, seed):
        keras.utils.set_random_seed(seed)
        model: Any = keras.Sequential([recurrent(32), keras.layers.Dense(10, "softmax")])
        adam = keras.optimizers.Adam(0.01)
        model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, digits.y_train, batch_size=64, epochs=10, verbose=0)
        return model.evaluate(x_val, digits.y_val, verbose=0)[1]

    # measured: 0.88, 0.90 and 0.79 with the seeds 0 to 2; 0.36, 0.27 and 0.10
    simple, lstm = (accuracy(kind, 0) for kind in (keras.layers.SimpleRNN, keras.layers.LSTM))
    assert 0.7 < simple < 0.95
    assert lstm < 0.5
