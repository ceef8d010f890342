"""A new head on an old base: frozen, shared, the same with cached features as without."""

import numpy as np
import pytest

from dlcourse.batches import training_batches
from dlcourse.datasets import load_dataset
from dlcourse.errors import UserError
from dlcourse.features import features
from dlcourse.transfer import published, transfer, unfreeze


@pytest.fixture
def base():
    """A small convolutional network with all that must stand still, for five classes."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Flatten(name="flat"),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(5, activation="softmax", name="logits"),
        ]
    )


@pytest.fixture(scope="module")
def high():
    """The digits 5 to 9, as labels 0 to 4."""
    digits = load_dataset("digits")
    chosen = digits.y_train >= 5
    return digits.x_train[chosen][:200], digits.y_train[chosen][:200] - 5


def fit(model, x, y, epochs=3):
    import keras

    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    batches, order = training_batches(x, y, batch_size=32, seed=0)
    model.fit(batches, epochs=epochs, callbacks=[order], shuffle=False, verbose=0)


def test_the_whole_model_is_the_head_on_the_features(base, high):
    found = transfer(base, "flat", 5, hidden=(4,))
    rows = features(base, "flat", high[0])
    whole = found.model.predict(high[0], verbose=0)
    np.testing.assert_allclose(found.head.predict(rows, verbose=0), whole, rtol=1e-5)  # float32
    assert [layer.name for layer in found.head.layers[1:]] == ["head_1", "logits", "probabilities"]


def test_the_head_on_cached_features_learns_the_same_bits_as_behind_the_frozen_base(
    base, high, tmp_path
):
    x, y = high
    found = transfer(base, "flat", 5, hidden=(4,))
    start = found.head.get_weights()
    fit(found.head, features(base, "flat", x, cache=tmp_path), y)
    cached = found.head.get_weights()
    assert not np.array_equal(cached[0], start[0])
    found.head.set_weights(start)
    fit(found.model, x, y)
    for a, b in zip(cached, found.head.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_leaves_the_base_as_it_was(base, high):
    before = base.get_weights()
    fit(transfer(base, "hidden", 5).model, *high)
    for a, b in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # batch normalization's statistics included


def test_fine_tuning_trains_the_last_layers_alone(base, high):
    found = transfer(base, "hidden", 5)
    assert unfreeze(found.model, 1) == ["hidden"]
    before = {layer.name: layer.get_weights() for layer in base.layers if layer.weights}
    fit(found.model, *high)
    changed = [
        name
        for name, weights in before.items()
        if any(
            not np.array_equal(a, b)
            for a, b in zip(weights, base.get_layer(name).get_weights(), strict=True)
        )
    ]
    assert changed == ["hidden"]
    assert unfreeze(found.model, 2) == ["conv", "hidden"]  # batch normalization stays
    assert unfreeze(found.model, 0) == []


def test_a_model_with_a_new_head_is_saved_and_loaded(base, high, tmp_path):
    import keras

    found = transfer(base, "flat", 3)
    found.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(high[0], verbose=0), found.model.predict(high[0], verbose=0)
    )


@pytest.mark.parametrize(
    ("layer", "classes", "text"),
    [
        ("flatt", 5, r"the base has no layer 'flatt' \(did you mean 'flat'\?\)"),
        ("flat", 1, "a head for 1 class: two or more are expected"),
    ],
)
def test_what_cannot_be_built_is_told(base, layer, classes, text):
    with pytest.raises(UserError, match=text):
        transfer(base, layer, classes)


def test_too_many_layers_to_fine_tune_are_refused(base):
    with pytest.raises(UserError, match="4 layers to train: the base has 2 with weights"):
        unfreeze(transfer(base, "hidden", 5).model, 4)


def test_a_published_network_works_from_a_local_file_of_weights(tmp_path):
    shape = (32, 32, 3)
    random = published("MobileNetV2", shape, weights=None)
    random.save_weights(tmp_path / "my.weights.h5")
    again = published("MobileNetV2", shape, weights=str(tmp_path / "my.weights.h5"))
    for a, b in zip(random.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_published_network_without_the_network_says_so(monkeypatch):
    import keras

    def offline(*_, **__):
        raise Exception("URL fetch failure on https://storage…: Temporary failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(UserError, match=r"come over the network, .*Temporary failure \(offline: "):
        published("MobileNetV2", (32, 32, 3), weights="imagenet")
    with pytest.raises(UserError, match=r"no 'MobileNetV5' \(did you mean 'MobileNetV"):
        published("MobileNetV5", (32, 32, 3), weights=None)
