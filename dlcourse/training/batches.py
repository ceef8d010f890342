"""Mini-batches whose order depends only on (seed, epoch), the same on every backend.

`fit(x, y, shuffle=True)` on TensorFlow repeats one order in every epoch after
`keras.utils.set_random_seed` (Keras 3.15), and cannot be started in the middle of a training.
"""

from functools import partial
from typing import Any

import numpy as np

from dlcourse.heavy import keras
from dlcourse.training.distributed import in_whole_shares, own, sharers


def epoch_order(n: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order of `n` examples in an epoch (from 0): int64 `(n,)`, a permutation."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def seed_step(*key: int) -> None:
    """Seed a step on PyTorch, whose dropout uses a generator that no variable stores."""
    if keras.backend.backend() == "torch":
        import torch  # pyright: ignore[reportMissingImports]

        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def training_batches(
    x: np.ndarray, y: np.ndarray, *, batch_size: int, seed: int, first_step: int = 0
) -> tuple[Any, Any]:
    """Return `(batches, callback)` for `model.fit(batches, callbacks=[callback, …])`.

    The callback sets the epoch of the batches. On TensorFlow the batches are a `tf.data` pipeline
    that gathers examples in parallel to the training. On other backends and for streamed images
    they are a `keras.utils.PyDataset`, which reads each batch when it is needed. If several devices
    share a batch, at most as many examples as devices, less one, are left out of an epoch, and a
    process reads only the rows of its devices.

    Args:
        x: Inputs `(n, …)`, an array or `Streamed`.
        y: Labels or targets, `(n, …)`.
        batch_size: Number of examples per batch; the last batch of an epoch may be smaller.
        seed: Seed of the order, together with the epoch.
        first_step: First batch to return from every epoch.
    """
    rows = slice(first_step * batch_size, in_whole_shares(len(x)))
    order = epoch_order(len(x), seed=seed, epoch=0)[rows]

    def begin(epoch: int, logs: Any = None) -> None:  # noqa: ARG001 - Keras' signature
        order[:] = epoch_order(len(x), seed=seed, epoch=epoch)[rows]

    in_memory = keras.backend.backend() == "tensorflow" and isinstance(x, np.ndarray)
    make = _tensorflow_batches if in_memory else partial(_python_batches, part=own)
    batches = make(x, y, batch_size, order)
    return batches, keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def validation_batches(x: Any, y: np.ndarray, *, batch_size: int) -> Any:
    """Return `validation_data` for `fit`: `(x, y)`, or batches of streamed images.

    Several devices of a process get every example once each: the metrics are exact.
    """
    devices, _, processes = sharers()
    if isinstance(x, np.ndarray) and devices == processes:
        return x, y
    times = devices // processes
    return _python_batches(x, y, batch_size * times, np.repeat(np.arange(len(x)), times))


def _steps(order: np.ndarray, batch_size: int) -> int:
    return -(-len(order) // batch_size)


def _tensorflow_batches(x: np.ndarray, y: np.ndarray, batch_size: int, order: np.ndarray) -> Any:
    import tensorflow as tf

    inputs, targets = tf.constant(x), tf.constant(y)

    def indices():  # Keras makes a new iterator for every epoch, after on_epoch_begin
        whole = len(order) // batch_size * batch_size
        yield order[:whole].reshape(-1, batch_size)
        if whole < len(order):
            yield order[None, whole:]

    def gather(rows: Any) -> tuple[Any, Any]:
        return tf.gather(inputs, rows), tf.gather(targets, rows)

    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1  # gathering must leave the cores to training
    signature = tf.TensorSpec((None, None), tf.int64)  # pyright: ignore[reportCallIssue]
    return (
        tf.data.Dataset.from_generator(indices, output_signature=signature)
        .unbatch()
        .map(gather)
        .prefetch(8)
        .apply(tf.data.experimental.assert_cardinality(_steps(order, batch_size)))
        .with_options(options)
    )


def _python_batches(
    x: np.ndarray, y: np.ndarray, batch_size: int, order: np.ndarray, part: Any = np.asarray
) -> Any:
    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return _steps(order, batch_size)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            rows = part(order[index * batch_size : (index + 1) * batch_size])
            return x[rows], y[rows]

    return Batches()
