"""Pictures of a training and of what the network says of the test split."""

from collections.abc import Iterator
from typing import Any

from dlcourse import plots
from dlcourse.pictures.view import Picture, View, drawn_by


def learning_curves(view: View) -> Iterator[Picture]:
    """Loss and metric by epoch."""
    figure = drawn_by(plots.learning_curves, dict(view.history or {}), view.best_epoch)
    yield Picture("learning-curves", "Learning curves", "Loss and metric by epoch.", figure)


def predictions(view: View) -> Iterator[Picture]:
    """How often each class is taken for each other; of a number, predicted over true."""
    if view.facts.class_names:
        caption = "How often each true class of the test examples was taken for each other."
        figure = drawn_by(plots.confusion_matrix, *_labels(view), size=(5.4, 4.6))
        yield Picture("confusion-matrix", "Confusion matrix", caption, figure)
    else:
        caption, target = (
            "Each test example's prediction over its true value.",
            view.facts.target_name,
        )
        figure = drawn_by(plots.predicted_and_true, *view.test, target, size=(5, 4.4))
        yield Picture("predicted-and-true", "Predicted and true", caption, figure)


def most_confused(view: View) -> Iterator[Picture]:
    """The pairs of classes that are confused most often."""
    caption = "The pairs of classes that are confused most often in the test examples."
    images = view.dataset.x_test if view.facts.inputs == "images" else None
    figure = drawn_by(plots.most_confused, *_labels(view), images)
    yield Picture("most-confused", "Most confused classes", caption, figure)


def _labels(view: View) -> tuple[Any, ...]:
    """Return the true labels, the predicted ones and the classes' names."""
    y, found = view.test
    return y, found.argmax(axis=1), view.facts.class_names


def highest_loss(view: View) -> Iterator[Picture]:
    """The images whose true class got the least probability."""
    caption = "The test images whose true class got the least probability, and what was said."
    names = view.facts.class_names
    figure = drawn_by(plots.highest_loss, view.dataset.x_test, *view.test, names)
    yield Picture("highest-loss", "Highest loss", caption, figure)


def calibration(view: View) -> Iterator[Picture]:
    """How often the network is right over how sure it was."""
    caption = "How often the predicted class is right over how sure the network was of it."
    figure = drawn_by(plots.calibration, *view.test, size=(4.8, 4.4))
    yield Picture("calibration", "Calibration", caption, figure)
