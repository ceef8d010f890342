"""Notebook 12's last exercise: its bar is reached from the old classes, and not without them."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from dlcourse.lessons.exercises import check
from dlcourse.lessons.exercises.when_not_to_use_deep_learning import (
    BAR,
    few_shot_data,
    transferred,
)


class OnRows:
    """A model of scikit-learn that takes signals (n, 40, 1)."""

    def __init__(self, model):
        self.model = model

    def predict(self, x):
        return self.model.predict(x[..., 0])


def test_the_data_have_ten_signals_of_each_new_class_and_600_to_judge_by():
    x_old, y_old, x_new, y_new, x, y = few_shot_data()
    assert (len(x_old), x_new.shape, x.shape) == (1400, (50, 40, 1), (600, 40, 1))
    assert [set(labels) for labels in (y_old, y_new, y)] == [{0, 1, 2, 3, 4}] * 3
    assert np.bincount(y_new).tolist() == [10] * 5


@pytest.mark.parametrize(
    "model", [DummyClassifier(), LogisticRegression(), KNeighborsClassifier(1), SVC(), SVC(C=10)]
)
def test_classic_models_on_the_new_signals_alone_stay_below_the_bar(model):
    def answer(_x_old, _y_old, x, y):
        return OnRows(model.fit(x[..., 0], y))

    verdict = check("12.5", answer)
    assert verdict.status == "wrong"
    assert OnRows(model).predict(few_shot_data()[4]).shape == (600,)
    assert "guessing" in verdict.message or "as a" in verdict.message


@pytest.mark.seeds
def test_a_network_from_scratch_that_keeps_the_places_stays_below_the_bar():
    def answer(_x_old, _y_old, x, y):
        convs = [layers.Conv1D(32, 5, k, padding="same", activation="relu") for k in (1, 2, 2)]
        model = keras.Sequential(
            [keras.Input((40, 1)), *convs, layers.Flatten(), layers.Dense(5, "softmax")]
        )
        model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        model.fit(np.tile(x, (20, 1, 1)), np.tile(y, 20), epochs=5, verbose=0)
        return model

    keras.utils.set_random_seed(0)
    assert "Your model is right for 0." in check("12.5", answer).message


@pytest.mark.seeds
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_reaches_the_bar_with_every_seed(seed):
    *given, x, y = few_shot_data()
    keras.utils.set_random_seed(seed)
    model = transferred(*given)
    assert np.mean(model.predict(x, verbose=0).argmax(axis=1) == y) >= BAR
