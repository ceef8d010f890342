"""Pictures of maps and layers: what is drawn where, and each error."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from dlcourse import plots

IMAGE = np.arange(64.0).reshape(8, 8, 1)


def test_an_image_keeps_its_place_in_the_value_range():
    white, grey = np.full((4, 4, 1), 255.0), np.full((4, 4, 1), 127.5)
    axes = plots.image_grid([white, grey], value_range=(0, 255), figure=plots.new_figure())
    shown = [ax.images[0] for ax in axes]
    assert [one.get_clim() for one in shown] == [(0, 1), (0, 1)]
    assert [float(one.get_array().max()) for one in shown] == [1.0, 0.5]


def test_a_coarse_map_is_stretched_over_the_whole_image():
    ax = plots.overlay(IMAGE, np.ones((2, 2)), plots.new_figure().subplots())
    assert ax.images[0].get_extent() == ax.images[1].get_extent() == [-0.5, 7.5, 7.5, -0.5]


@pytest.mark.parametrize("overlaid", [False, True])
def test_boxes_are_framed_on_the_image_and_on_every_map(overlaid):
    maps = {"a": np.ones((1, 8, 8)), "b": -np.ones((1, 8, 8))}
    axes = plots.attributions(
        IMAGE[None], maps, ["7"], boxes=np.array([[1, 2, 3, 5]]), overlaid=overlaid,
        figure=plots.new_figure(),
    )  # fmt: skip
    for ax in axes:
        (frame,) = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert (frame.get_x(), frame.get_y()) == (1.5, 0.5)
        assert (frame.get_width(), frame.get_height()) == (3, 2)


def test_a_signed_map_is_white_at_zero_and_an_unsigned_one_dark():
    for values, limits in ((IMAGE[..., 0] - 30, (-33, 33)), (IMAGE[..., 0], (0, 63))):
        ax = plots.show_map(plots.new_figure().subplots(), values)
        assert ax.images[0].get_clim() == limits


def test_the_strongest_features_stand_on_top_also_under_one_name():
    ax = plots.feature_attributions(
        np.array([1.0, -3.0, 2.0]), ["x", "x", "y"], plots.new_figure().subplots(), most=2
    )
    assert [bar.get_width() for bar in ax.patches] == [2, -3]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["y", "x"]


def test_a_single_neuron_is_as_bright_as_its_value():
    ax = plots.neuron_activity({"probabilities": np.array([0.25])}, plots.new_figure().subplots())
    (brightness,) = np.asarray(ax.collections[0].get_array(), float)
    assert brightness == 0.25


def test_each_error_says_what_is_taken():
    with pytest.raises(ValueError, match="expected images, 1 column or more and a title for each"):
        plots.image_grid([])
    with pytest.raises(ValueError, match="2 images, 8 columns and 1 titles"):
        plots.image_grid([IMAGE, IMAGE], ["one"])
    with pytest.raises(ValueError, match="expected one example"):
        plots.neuron_activity({"a": np.ones((2, 3))})


def test_long_names_lose_their_middle():
    assert plots.short_name("Siamese_cat_with_long_name") == "Siamese…g_name"
    assert plots.short_name("cat") == "cat"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.zeros((4, 4)), "0 everywhere"),
        (np.full((4, 4), 0.25), "0.25 everywhere"),
        (np.full((4, 4), np.nan), "100% NaN or infinite"),
        (np.where(np.eye(4) > 0, np.inf, 1.0), "25% NaN or infinite"),
        (np.eye(4), ""),
    ],
)
def test_a_map_that_shows_no_place_says_so(values, text):
    for draw in (lambda *given: plots.overlay(np.ones((4, 4, 1)), *given[::-1]), plots.show_map):
        ax = draw(plots.new_figure().subplots(), values)
        assert [note.get_text() for note in ax.texts] == ([text] if text else [])
