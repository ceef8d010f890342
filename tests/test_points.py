"""The points of the plane: their geometry, and what a linear model can do with them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlcourse.datasets import load_dataset
from dlcourse.datasets.points import FEATURES, XOR_MARGIN, plane_features, points
from dlcourse.errors import RecipeError

SHAPES = ["blobs", "xor", "circles", "moons", "spirals"]


def linear_accuracy(seed, **settings):
    data = load_dataset("points", seed=seed, **settings)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(data.x_train, data.y_train).score(data.x_test, data.y_test)


def test_plane_features_of_one_point_worked_by_hand():
    columns = plane_features(np.array([[2.0, -3.0]]), tuple(FEATURES))
    expected = [2, -3, -6, 4, 9, 0.9092974268, -0.1411200081]
    np.testing.assert_allclose(columns, [expected], rtol=1e-6)  # float32
    assert columns.dtype == "float32"


def test_xor_without_noise_is_the_sign_of_the_cross():
    data = points(shape="xor", noise=0.0, features=("x1*x2",))
    np.testing.assert_array_equal(data.y_train == 1, data.x_train[:, 0] > 0)
    # The margin squared is the least product; the slack is float32's rounding.
    assert np.abs(data.x_train).min() >= XOR_MARGIN**2 * (1 - 1e-6)


def test_circles_without_noise_are_rings_in_the_order_of_their_radius():
    data = points(shape="circles", classes=3, noise=0.0)
    radius = np.hypot(*data.x_train.T)
    for inner in (0, 1):
        assert radius[data.y_train == inner].max() < radius[data.y_train == inner + 1].min()


@pytest.mark.parametrize("seed", range(3))
def test_a_line_fails_on_xor_and_the_cross_succeeds(seed):
    assert linear_accuracy(seed) <= 0.60
    assert linear_accuracy(seed, features=["x1*x2"]) >= 0.99
    assert linear_accuracy(seed, features=["x1", "x2", "x1*x2"]) >= 0.99


def test_a_line_separates_blobs_and_the_squares_separate_circles():
    assert linear_accuracy(0, shape="blobs") >= 0.95
    assert linear_accuracy(0, shape="circles") <= 0.70
    assert linear_accuracy(0, shape="circles", features=["x1^2", "x2^2"]) >= 0.99


@pytest.mark.parametrize(("shape", "classes"), [(s, 2) for s in SHAPES] + [("spirals", 4)])
def test_near_neighbours_have_one_class(shape, classes):
    data = load_dataset("points", shape=shape, classes=classes)
    model = KNeighborsClassifier(5).fit(data.x_train, data.y_train)
    assert model.score(data.x_test, data.y_test) >= 0.95


@pytest.mark.parametrize("shape", SHAPES)
def test_points_lie_in_the_plane_and_classes_have_one_size(shape):
    data = points(shape=shape, n=1000)
    assert np.abs(data.x_train).max() < 8  # ±5 and 3 standard deviations of a unit blob
    assert np.bincount(data.y_test).tolist() == [100, 100]
    assert sum(len(y) for _, y in data.splits.values()) == 1000


@pytest.mark.parametrize("shape", ["blobs", "circles", "spirals"])
def test_any_number_of_classes(shape):
    data = load_dataset("points", shape=shape, classes=7)
    assert data.task == "multiclass"
    assert data.class_names == tuple("0123456")


def test_noise_is_the_standard_deviation_of_a_coordinate():
    quiet, loud = (points(shape="moons", n=5000, noise=noise) for noise in (0.0, 0.5))
    # One seed, one stream: the difference is the noise; its error is 0.5 / sqrt(2 · 6800).
    assert np.std(loud.x_train - quiet.x_train) == pytest.approx(0.5, abs=0.02)


def test_the_test_points_are_one_whatever_the_seed_and_the_others_are_not():
    one, two = points(1), points(2)
    np.testing.assert_array_equal(one.x_test, two.x_test)
    assert not np.array_equal(one.x_train, two.x_train)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shape": "xor", "classes": 3}, "shape 'xor' has exactly 2 classes, got 3"),
        ({"shape": "moons", "classes": 4}, "shape 'moons' has exactly 2 classes, got 4"),
        ({"shape": "blobs", "classes": 1}, "shape 'blobs' has 2 or more classes, got 1"),
        ({"features": []}, "points: features: give one or more of x1, x2"),
        ({"features": ["x1", "x2", "x1"]}, "points: features: 'x1' is listed twice"),
        ({"features": ["x3"]}, "points: 'features.0': expected 'x1', 'x2'"),
        ({"noise": -1}, "points: 'noise': expected greater than or equal to 0, got -1"),
    ],
)
def test_a_wrong_setting_says_which_and_why(settings, text):
    with pytest.raises(RecipeError) as error:
        load_dataset("points", **settings)
    assert text in str(error.value)
    assert "\n" not in str(error.value)
