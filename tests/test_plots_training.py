"""Pictures of a training: what is drawn, not how it looks."""

import numpy as np
import pytest

from dlcourse import plots
from dlcourse.plots.training import confused_pairs

Y = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 1, 0, 2])


@pytest.fixture
def figure():
    return plots.new_figure()


def test_confused_pairs_are_counted_most_frequent_first():
    assert confused_pairs(Y, PREDICTED) == [(0, 1, 2), (1, 0, 1)]
    assert confused_pairs(Y, Y) == []


def test_learning_curves_show_both_splits_and_the_kept_epoch(figure):
    history = {"loss": [2.0, 1.0], "val_loss": [2.1, 1.5], "accuracy": [0.1, 0.5]}
    loss, accuracy = plots.learning_curves(history, 2, figure=figure)
    assert [line.get_label() for line in loss.lines] == ["training", "validation", "kept: epoch 2"]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [2, 1])
    assert accuracy.get_ylabel() == "accuracy"
    assert accuracy.get_xlabel() == "epoch"


def test_the_confusion_matrix_counts_true_rows_and_predicted_columns(figure):
    ax = plots.confusion_matrix(Y, PREDICTED, ["a", "b", "c"], ax=figure.subplots())
    cells = {(text.get_position(), text.get_text()) for text in ax.texts}
    assert cells == {((0, 0), "1"), ((1, 0), "2"), ((0, 1), "1"), ((1, 1), "1"), ((2, 2), "1")}
    assert ax.get_title() == "50.0% of 6 right"


def test_many_and_long_class_names_are_drawn(figure):
    names = [f"a rather long class name {index}" for index in range(60)]
    y = np.arange(60)
    ax = plots.confusion_matrix(y, y, names, ax=figure.subplots())
    assert len(ax.get_xticks()) <= 30
    figure.canvas.draw()


def test_most_confused_shows_the_images_of_each_pair(figure):
    images = np.arange(6 * 4).reshape(6, 2, 2, 1).astype("uint8")
    axes = plots.most_confused(Y, PREDICTED, ["a", "b", "c"], images, figure=figure)
    assert axes[0].get_title(loc="left") == "a taken for b: 2×"
    shown = np.asarray(axes[1].images[0].get_array())
    np.testing.assert_allclose(shown, (images[2, ..., 0] - 8) / 3, atol=1e-6)  # its own range


def test_the_images_of_a_pair_are_drawn_at_random_of_a_sorted_file(figure):
    images = np.zeros((200, 1, 3, 1))
    images[:, 0, 1:, 0] = np.stack([np.ones(200), np.arange(200) / 200], axis=1)
    plots.most_confused(np.zeros(200, int), np.ones(200, int), ["a", "b"], images, figure=figure)
    shown = [round(image.get_array()[0, 2] * 200) for ax in figure.axes for image in ax.images]
    assert shown == sorted(set(shown))
    assert len(shown) == 6
    assert shown[-1] > 100


def test_most_confused_without_images_is_bars_and_without_errors_says_so(figure):
    (bars,) = plots.most_confused(Y, PREDICTED, ["a", "b", "c"], figure=figure)
    assert [bar.get_width() for bar in bars.patches] == [2, 1]
    (nothing,) = plots.most_confused(Y, Y, ["a", "b", "c"], figure=plots.new_figure())
    assert nothing.texts[0].get_text() == "no test example is confused"
    nothing.figure.canvas.draw()  # without a warning


def test_predictions_stand_over_their_true_values(figure):
    y, predicted = np.array([1.0, 2.0]), np.array([1.5, 2.5])
    ax = plots.predicted_and_true(y, predicted, "price (€)", ax=figure.subplots())
    assert ax.get_title() == "mean absolute error 0.5"
    assert ax.get_xlabel() == "true: price (€)"
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), np.c_[y, predicted])
