"""Pictures of maps and layers: what is drawn where, and each error."""

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from dlcourse import plots
from dlcourse.errors import UserError

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
    for activity in ({"a": np.ones((2, 3))}, {"a": np.ones(0)}, {}):
        with pytest.raises(UserError, match="expected one example"):
            plots.neuron_activity(activity)
    with pytest.raises(UserError, match="got 3 values for 1 names"):
        plots.feature_attributions(np.ones(3), ["a"])
    for images, titles in ((IMAGE[None], ["a", "b"]), (IMAGE[None][:0], [])):
        with pytest.raises(UserError, match="one image or more, and as many of each, got"):
            plots.attributions(images, {"CAM": np.ones((len(images), 8, 8))}, titles)


def test_long_names_lose_their_middle():
    assert plots.short_name("Siamese_cat_with_long_name") == "Siamese…g_name"
    assert plots.short_name("cat") == "cat"


def remarks(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.zeros((4, 4)), "0 everywhere"),
        (np.full((4, 4), 0.25), "0.25 everywhere"),
        (np.full((4, 4), -2), "-2 everywhere"),
        (np.ones((4, 4), bool), "1 everywhere"),
        (np.full((4, 4), np.nan), "100% NaN or infinite"),
        (np.where(np.eye(4) > 0, np.inf, 1.0), "25% NaN or infinite"),
        (np.where(np.arange(400).reshape(20, 20), 1, -np.inf), "0.25% NaN or infinite"),
        (np.eye(4), ""),
        (np.eye(4) * 1e300, ""),
    ],
)
def test_a_map_that_shows_no_place_says_so(values, text):
    for draw in (lambda *given: plots.overlay(np.ones((4, 4, 1)), *given[::-1]), plots.show_map):
        assert remarks(draw(plots.new_figure().subplots(), values)) == ([text] if text else [])


def test_an_overlay_of_negative_values_says_that_it_shows_none():
    ax = plots.overlay(np.ones((4, 4, 1)), -np.eye(4), plots.new_figure().subplots())
    assert remarks(ax) == ["0 or less everywhere"]
    assert remarks(plots.show_map(plots.new_figure().subplots(), -np.eye(4))) == []


def test_the_number_above_a_map_is_its_largest_finite_value():
    maps = {"a": np.array([[[0.5, np.nan], [np.inf, -3]]]), "b": np.full((1, 2, 2), np.nan)}
    axes = plots.attributions(IMAGE[None], maps, figure=plots.new_figure())
    assert [ax.get_title() for ax in axes[1:]] == ["a\n3", "b\n0"]
    assert remarks(axes[1]) == ["50% NaN or infinite"]


def test_an_image_is_drawn_with_and_without_a_channel_and_by_the_mean_of_many():
    colours = np.concatenate([IMAGE, IMAGE + 2], axis=-1)
    for image in (IMAGE, IMAGE[..., 0], IMAGE.tolist(), IMAGE.astype("uint8"), colours):
        ax = plots.new_figure().subplots()
        plots.show_image(ax, image)
        assert np.allclose(ax.images[0].get_array(), IMAGE[..., 0] / 63)
        grey = plots.overlay(image, np.eye(8), plots.new_figure().subplots()).images[0]
        assert grey.get_array().shape == (8, 8)
    ax = plots.new_figure().subplots()
    plots.show_image(ax, np.where(IMAGE < 16, np.nan, IMAGE))
    assert remarks(ax) == ["25% NaN or infinite"]


@pytest.mark.parametrize(
    "image", [IMAGE[0, :, 0], IMAGE[None], np.zeros((5, 8, 8)), np.zeros((3, 8, 9)), "cat.png"]
)
def test_what_is_not_one_image_is_named_by_its_shape(image):
    shape = str(np.shape(image)).replace("(", r"\(").replace(")", r"\)")
    for draw in (plots.overlay, lambda image, _: plots.attributions([image], {})):
        with pytest.raises(UserError, match=f"image: expected one image .* the shape {shape}"):
            draw(image, np.eye(8))


@pytest.mark.parametrize(
    "values", [np.ones(10), np.ones((8, 8, 1)), np.ones((0, 8)), [["a"]], None]
)
def test_what_is_not_one_map_is_named_by_its_shape(values):
    before, shape = plt.get_fignums(), re.escape(str(np.shape(values)))
    told = f"expected one map .height, width. of numbers, got the shape {shape}"
    with pytest.raises(UserError, match=rf"values for the image \(8, 8, 1\): {told}"):
        plots.overlay(IMAGE, values)
    with pytest.raises(UserError, match=f"values: {told}"):
        plots.show_map(plots.new_figure().subplots(), values)
    with pytest.raises(UserError, match=f"values of CAM: {told}"):
        plots.attributions(IMAGE[None], {"CAM": [values]})
    assert plt.get_fignums() == before, "a notebook would show an empty figure"


def test_features_and_neurons_that_are_nan_are_told():
    ax = plots.new_figure().subplots()
    plots.feature_attributions([1, np.nan, -2, np.inf], list("abcd"), ax)
    assert [bar.get_width() for bar in ax.patches] == [0, 0, 1, -2]
    assert remarks(ax) == ["50% NaN or infinite"]
    ax = plots.neuron_activity({"a": np.array([1, np.nan])}, plots.new_figure().subplots())
    assert remarks(ax) == ["a\n2\n1 NaN\nor infinite", "0: 1", "1: nan"]


def test_weights_that_are_nan_leave_the_others_their_colours():
    red, _, blue = plots.signed_colours(np.array([2, np.nan, -2]))
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]
