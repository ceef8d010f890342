"""Features of a layer, clusters and anomalies: known answers."""

import numpy as np
import pytest

from dlcourse import plots
from dlcourse.datasets import load_dataset
from dlcourse.errors import UserError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.unsupervised import (
    autoencoder,
    clusters,
    isolation_scores,
    purity,
    reconstruction_error,
)
from dlcourse.training.features import features, key

RNG = np.random.default_rng(0)
BLOBS = np.concatenate([RNG.normal(centre, 0.1, (20, 2)) for centre in ((0, 0), (5, 0), (0, 5))])
WHICH = np.repeat([0, 1, 2], 20)


@pytest.fixture(scope="module")
def small():
    """2 inputs, doubled, then summed."""
    import keras

    doubled = keras.layers.Dense(2, use_bias=False, name="doubled")
    model = keras.Sequential([keras.Input((2,)), doubled, keras.layers.Dense(1, name="sum")])
    doubled.set_weights([2 * np.eye(2)])
    return model


def test_features_are_the_outputs_of_the_layer(small):
    x = np.array([[1.0, 2.0], [3.0, -4.0]], "float32")
    np.testing.assert_array_equal(features(small, "doubled", x), 2 * x)


def test_maps_become_rows():
    import keras

    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 3, name="conv")])
    assert features(model, "conv", np.ones((2, 4, 4, 1))).shape == (2, 2 * 2 * 3)


def test_the_cache_gives_the_same_bits_without_running_the_model(small, tmp_path, monkeypatch):
    import keras

    x = RNG.normal(size=(5, 2)).astype("float32")
    first = features(small, "doubled", x, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1

    def refuse(*_, **__):
        raise AssertionError("the model ran")

    monkeypatch.setattr(keras.Model, "predict", refuse)
    np.testing.assert_array_equal(features(small, "doubled", x, cache=tmp_path), first)
    with pytest.raises(AssertionError, match="the model ran"):
        features(small, "doubled", x + 1, cache=tmp_path)


def test_the_key_changes_with_a_weight_a_layer_or_the_inputs(small):
    import keras

    x = np.ones((2, 2), "float32")
    part = keras.Model(small.inputs, small.get_layer("doubled").output)
    before = key(part, x)
    assert key(keras.Model(small.inputs, small.get_layer("doubled").output), x) == before
    assert key(keras.Model(small.inputs, small.get_layer("sum").output), x) != before
    assert key(part, x.astype("float64")) != before
    weights = part.get_weights()
    part.set_weights([np.nextafter(w, np.float32(9)) for w in weights])
    assert key(part, x) != before
    part.set_weights(weights)
    assert key(part, x) == before


def test_a_wrong_layer_is_told(small):
    with pytest.raises(UserError, match=r"no layer 'doublet' \(did you mean 'doubled'\?\)"):
        features(small, "doublet", np.ones((2, 2), "float32"))


@pytest.mark.parametrize("damage", ["nothing", "a byte", "the end"])
def test_a_damaged_cache_is_made_again(small, tmp_path, damage):
    x = RNG.normal(size=(50, 2)).astype("float32")
    first = features(small, "doubled", x, cache=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "nothing": b"nothing",
            "a byte": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "the end": whole[:middle],
        }[damage]
    )
    np.testing.assert_array_equal(features(small, "doubled", x, cache=tmp_path), first)
    assert file.read_bytes()[:4] == whole[:4]
    np.testing.assert_array_equal(np.load(file)["rows"], first)


def test_a_classic_learner_on_a_networks_features_reads_the_digits(digits_run, tmp_path):
    from sklearn.svm import SVC

    digits = load_dataset("digits")
    layer = digits_run.model.layers[-3].name  # before the logits
    x_train, x_test = (
        features(digits_run.model, layer, x, cache=tmp_path)
        for x in (digits.x_train, digits.x_test)
    )
    assert x_train.shape == (1221, 32)
    svm = SVC().fit(x_train, digits.y_train)
    assert svm.score(x_test, digits.y_test) > digits_run.metrics["test"]["accuracy"] - 0.02 > 0.85


def test_clusters_find_three_blobs():
    labels, centres = clusters(BLOBS, 3)
    assert purity(labels, WHICH) == 1
    found = centres[np.lexsort(centres.T)]
    # 20 draws of deviation 0.1: their mean is off by 0.022
    np.testing.assert_allclose(found, [[0, 0], [5, 0], [0, 5]], atol=0.1)


def test_purity_by_hand():
    assert purity(np.array([0, 0, 0, 1, 1]), np.array([2, 2, 0, 1, 0])) == 3 / 5


@pytest.mark.parametrize("k", [0, 61])
def test_too_many_clusters_are_refused(k):
    with pytest.raises(UserError, match=f"{k} clusters of 60 rows: 1 to 60 are expected"):
        clusters(BLOBS, k)


def test_a_far_point_is_isolated_most_easily():
    rows = np.concatenate([BLOBS[:20], [[3.0, 3.0]]])
    scores = isolation_scores(BLOBS[:20], rows)
    assert scores.argmax() == 20
    assert scores[20] > 0.6 > 0.5  # Liu et al.: clearly above 0.5 is an anomaly
    assert np.median(scores[:20]) < 0.5


def test_the_reconstruction_error_by_hand():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(1.0, offset=0.5)])
    error = reconstruction_error(model, np.zeros((3, 2), "float32"))
    np.testing.assert_allclose(error, 0.25)
    wrong = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(UserError, match=r"the model makes \(1,\) of \(2,\): an autoencoder"):
        reconstruction_error(wrong, np.zeros((3, 2)))


def test_an_autoencoder_of_low_digits_restores_high_ones_worse():
    import keras

    digits = load_dataset("digits")
    low = digits.y_train < 5
    keras.utils.set_random_seed(0)
    model = autoencoder(digits.x_train)
    assert model.output_shape == (None, 8, 8, 1)
    model.compile("adam", "mse", steps_per_execution=16)
    model.fit(digits.x_train[low], digits.x_train[low], epochs=30, verbose=0)
    error = reconstruction_error(model, digits.x_test)
    strange = digits.y_test >= 5
    from sklearn.metrics import roc_auc_score

    assert roc_auc_score(strange, error) > 0.7  # 0.5 is chance


def test_pictures_show_clusters_and_how_far_scores_lie_apart():
    images = np.zeros((60, 4, 4, 1))
    labels, centres = clusters(BLOBS, 3)
    figure = plots.new_figure()
    axes = lab_plots.cluster_images(images, BLOBS, labels, centres, columns=4, figure=figure)
    assert len(axes) == 12
    assert axes[0].texts[0].get_text() == "0: 20"
    ax = lab_plots.anomaly_scores([0, 1], [2, 0.5], "error", ax=plots.new_figure().subplots())
    assert ax.get_title() == "a strange example scores higher in 75.0% of all pairs"
