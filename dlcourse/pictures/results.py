"""Pictures of a training and of the predictions on the test split."""

from collections.abc import Iterator
from typing import Any

from dlcourse import plots
from dlcourse.pictures.view import Picture, View, drawn_by


def learning_curves(view: View) -> Iterator[Picture]:
    """Loss and metric by epoch."""
    figure = drawn_by(plots.learning_curves, dict(view.history or {}), view.best_epoch)
    yield Picture("learning-curves", "Learning curves", "Loss and metric by epoch.", figure)


def predictions(view: View) -> Iterator[Picture]:
    """The confusion matrix; for a regression, predicted over true values."""
    if view.facts.class_names:
        caption = "How often each true class of the test examples was predicted as each class."
        figure = drawn_by(plots.confusion_matrix, *_labels(view), size=(5.4, 4.6))
        yield Picture("confusion-matrix", "Confusion matrix", caption, figure)
    else:
        caption = "Each test example's prediction over its true value."
        unit = view.facts.target_name
        figure = drawn_by(plots.predicted_and_true, *view.test, unit, size=(5, 4.4))
        yield Picture("predicted-and-true", "Predicted and true", caption, figure)


def most_confused(view: View) -> Iterator[Picture]:
    """The pairs of classes that are confused most often."""
    caption = "The pairs of classes that are confused most often in the test examples."
    images = view.dataset.x_test if view.facts.inputs == "images" else None
    figure = drawn_by(plots.most_confused, *_labels(view), images)
    yield Picture("most-confused", "Most confused classes", caption, figure)


def _labels(view: View) -> tuple[Any, ...]:
    """Return the true labels, the predicted labels and the class names."""
    y, probabilities = view.test
    return y, probabilities.argmax(axis=1), view.facts.class_names


def highest_loss(view: View) -> Iterator[Picture]:
    """The images whose true class has the lowest probability."""
    caption = "The test images whose true class has the lowest probability, and what was predicted."
    names = view.facts.class_names
    figure = drawn_by(plots.highest_loss, view.dataset.x_test, *view.test, names)
    yield Picture("highest-loss", "Highest loss", caption, figure)


def calibration(view: View) -> Iterator[Picture]:
    """Accuracy over confidence."""
    caption = "How often the predicted class is right, by the network's confidence in it."
    figure = drawn_by(plots.calibration, *view.test, size=(4.8, 4.4))
    yield Picture("calibration", "Calibration", caption, figure)
