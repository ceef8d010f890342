"""Any number of images: in batches of bounded memory, with one trace, and the same maps."""

import tracemalloc

import keras
import numpy as np
import pytest
from keras import layers

from dlcourse.visualizers import (
    VISUALIZERS,
    attention_maps,
    attention_rollout,
    feature_maps,
    neuron_activity,
    saliency,
)
from dlcourse.visualizers.backend import _COMPILED

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), dtype="uint8")
FEWER = {"rise": {"masks": 20}, "smooth_grad": {"samples": 5}, "integrated_gradients": {"steps": 4}}


def network(shape=(8, 8, 1)):
    x = keras.Input(shape)
    h = layers.Conv2D(4, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    h = layers.GlobalAveragePooling2D()(h)
    return keras.Model(x, layers.Dense(3, activation="softmax")(h))


@pytest.mark.parametrize("method", VISUALIZERS)
def test_bytes_in_batches_give_the_maps_of_floats_at_once(method):
    model, settings = network(), FEWER.get(method, {})
    whole = VISUALIZERS[method](model, IMAGES.astype("float64"), **settings)
    for size in (3, 7):
        part = VISUALIZERS[method](model, IMAGES, batch_size=size, **settings)
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-5 * np.abs(whole).max())


def test_arrays_by_name_keep_their_order_in_batches():
    model = network()
    for function in (feature_maps, neuron_activity):
        whole, part = function(model, IMAGES), function(model, IMAGES, batch_size=2)
        assert list(part) == list(whole)
        for name, values in whole.items():
            np.testing.assert_allclose(part[name], values, rtol=1e-5, atol=1e-6)


def test_attention_in_batches():
    x = keras.Input((5, 3))
    mixed = layers.MultiHeadAttention(2, 4)(x, x)
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(mixed)))
    rows = np.random.default_rng(0).random((7, 5, 3))
    whole, part = attention_maps(model, rows), attention_maps(model, rows, batch_size=3)
    assert whole.keys() == part.keys()
    for name, weights in whole.items():
        np.testing.assert_allclose(part[name], weights, rtol=1e-5)
    flow = attention_rollout(model, rows)
    np.testing.assert_allclose(attention_rollout(model, rows, batch_size=3), flow, rtol=1e-5)


def test_a_model_of_a_fixed_batch_takes_any_number_of_examples():
    fixed, free = keras.Input(batch_shape=(3, 8, 8, 1)), network()
    model = keras.Model(fixed, free(fixed))
    for method in ("saliency", "smooth_grad", "grad_cam", "score_cam", "occlusion"):
        settings = FEWER.get(method, {})
        found = VISUALIZERS[method](model, IMAGES[:5], 1, **settings)
        wanted = VISUALIZERS[method](free, IMAGES[:5], 1, **settings)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_a_call_that_needs_the_batch_s_size_is_compiled_for_each():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(keras.ops.reshape(x, (int(x.shape[0]), -1)))

    model = Own()
    for n in (2, 2, 2, 3, 1):
        maps = VISUALIZERS["saliency"](model, IMAGES[:n], 0)
        kernel = np.abs(np.asarray(model.dense.kernel)[:, 0]).reshape(8, 8)
        np.testing.assert_allclose(maps, np.tile(kernel, (n, 1, 1)), rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's functions")
@pytest.mark.parametrize("method", ["saliency", "grad_cam", "score_cam", "rise", "occlusion"])
def test_one_trace_serves_every_number_of_images(method):
    traces = 0

    class Counted(layers.Layer):
        def call(self, x):
            nonlocal traces
            traces += 1
            return x

    x = keras.Input((8, 8, 1))
    h = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(Counted()(x)))
    model, settings = keras.Model(x, layers.Dense(3)(h)), FEWER.get(method, {})
    for _ in range(3):
        VISUALIZERS[method](model, IMAGES[:2], 0, **settings)
    before, kept = traces, len(_COMPILED[model])
    for n in (1, 3, 5, 7):
        VISUALIZERS[method](model, IMAGES[:n], 0, **settings)
        VISUALIZERS[method](model, IMAGES[:n], 0, batch_size=2, **settings)
    assert (traces, len(_COMPILED[model])) == (before, kept)


@pytest.mark.parametrize("method", ["saliency", "grad_cam", "smooth_grad", "rise", "score_cam"])
def test_memory_does_not_grow_with_the_images(method):
    """NumPy's arrays above the images and the maps; benchmarks/visualizers.py has the process's."""
    model, settings, peaks = network(), FEWER.get(method, {}), []
    VISUALIZERS[method](model, IMAGES[:2], 0, **settings)
    for n in (60, 600):
        images = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), dtype="uint8")
        tracemalloc.start()
        maps = VISUALIZERS[method](model, images, 0, batch_size=20, **settings)
        peaks.append(tracemalloc.get_traced_memory()[1] - maps.nbytes)
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 30_000  # the numbers of classes and rows, per image


@pytest.mark.parametrize("dense", [False, True])
def test_images_of_every_size(dense):
    x = keras.Input((None, None, 1))
    h = layers.Conv2D(4, 3, activation="relu", padding="same", name="conv")(x)
    h = h if dense else layers.GlobalAveragePooling2D()(h)
    model, rng = keras.Model(x, layers.Dense(3)(h)), np.random.default_rng(0)
    for height, width in ((8, 9), (16, 5), (7, 7), (16, 5)):
        images = rng.random((2, height, width, 1), dtype="float32")
        if dense:
            alone = np.asarray(saliency(model, images, 1, where=(slice(0, 2), 3)))
            assert alone[:, :3, 2:5].any()
            assert not alone[:, 4:].any()
        fresh = keras.models.clone_model(model)
        fresh.set_weights(model.get_weights())
        for method in ("saliency", "smooth_grad", "grad_cam", "occlusion"):
            found = VISUALIZERS[method](model, images, 1, **FEWER.get(method, {}))
            wanted = VISUALIZERS[method](fresh, images, 1, **FEWER.get(method, {}))
            assert found.shape == (2, height, width)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
