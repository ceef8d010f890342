"""Digits in clutter: what is drawn, where it stands, and what the mark tells."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from dlcourse.datasets import fingerprint, load_dataset
from dlcourse.datasets.dataset import check
from dlcourse.datasets.embedded import digits
from dlcourse.datasets.planted import (
    _choose,
    _enlarged,
    _ink_boxes,
    _paste,
    _places,
    _stamp,
    planted,
)
from dlcourse.errors import DatasetError, RecipeError

BARE = {"n": 500, "clutter": 0, "noise": 0.0}


def inside(data, name="object"):
    """True on the pixels of each test image's box: `(n, height, width)`."""
    rows, columns = np.ogrid[: data.input_shape[0], : data.input_shape[1]]
    top, left, bottom, right = (side[:, None, None] for side in data.regions[name].T)
    return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)


def label_of_mark(image):
    """The binary number that two by two cells of 4 pixels hold, 8 4 over 2 1, read by hand."""
    cells = [image[row, column, 0] == 255 for row in (0, 4) for column in (0, 4)]
    return sum(bit * value for bit, value in zip(cells, (8, 4, 2, 1), strict=True))


# Facts worked by hand


def test_enlarging_doubles_each_pixel_and_blends_at_the_seams():
    image = np.zeros((1, 8, 8), "uint8")
    image[0, 0, 0], image[0, 0, 1] = 16, 8
    # 2 pixels for 1: centres at -1/4 (held at the border), 1/4, 3/4, 5/4 … of the old pixels.
    expected = [255, 255 * 7 / 8, 255 * 5 / 8, 255 * 3 / 8, 255 / 8, 0]
    np.testing.assert_allclose(_enlarged(image, 16)[0, 0, :6], expected, atol=0.5)  # rounding


def test_the_ink_box_of_three_pixels():
    image = np.zeros((1, 6, 7), "uint8")
    image[0, [1, 2, 4], [5, 3, 4]] = 1
    assert _ink_boxes(image).tolist() == [[1, 3, 5, 6]]


def test_a_piece_is_pasted_where_it_belongs_and_the_lighter_stays():
    images = np.full((2, 4, 4), 3, "uint8")
    _paste(images, np.array([[[9, 1], [9, 1]]] * 2, "uint8"), np.array([[0, 0], [2, 1]]))
    assert images[0].tolist() == [[9, 3, 3, 3], [9, 3, 3, 3], [3] * 4, [3] * 4]
    assert images[1].tolist() == [[3] * 4, [3] * 4, [3, 9, 3, 3], [3, 9, 3, 3]]


def test_the_mark_of_6_is_grey_white_over_white_grey():
    images = np.zeros((1, 5, 5), "uint8")
    _stamp(images, np.array([6]), np.array([0, 0, 4, 4]))
    low, high = [96, 96, 255, 255, 0], [255, 255, 96, 96, 0]
    assert images[0].tolist() == [low, low, high, high, [0] * 5]


def test_each_source_of_a_class_is_chosen_before_one_comes_again():
    labels = np.array([0, 1, 0, 1, 1, 0])
    y = np.array([0] * 6 + [1] * 4)
    chosen = _choose(labels, y, np.random.default_rng(0))
    assert (labels[chosen] == y).all()
    assert np.bincount(chosen).tolist() in (
        [2, 2, 2, 1, 1, 2],
        [2, 1, 2, 2, 1, 2],
        [2, 1, 2, 1, 2, 2],
    )


def test_places_are_all_those_beside_the_box():
    box = np.tile([2, 2, 4, 4], (2000, 1))
    places = _places(2000, 2, 7, box, np.random.default_rng(0))
    found = {tuple(place) for place in places.tolist()}
    # 6·6 places; tops 0 … 4 with lefts 0 … 4 touch the box or the pixel around it.
    assert found == {(row, column) for row in range(6) for column in range(6) if 5 in (row, column)}


# What is drawn


def test_the_box_holds_all_ink_of_the_digit_and_no_row_or_column_more():
    data = planted(**BARE)
    ink, box = data.x_test[..., 0] > 0, inside(data)
    assert not (ink & ~box).any()
    np.testing.assert_array_equal(_ink_boxes(ink), data.regions["object"])
    assert check(data) is data


def test_the_digit_is_one_of_the_test_digits_enlarged():
    data, source = planted(**BARE, canvas=20, digit_size=8), digits()
    known = {}
    for image, label in zip(source.x_test, source.y_test, strict=True):
        ink = np.rint(image[..., 0] * (255 / 16)).astype("uint8")
        top, left, bottom, right = _ink_boxes(ink[None])[0]
        known[ink[top:bottom, left:right].tobytes()] = label
    for image, label, box in zip(data.x_test, data.y_test, data.regions["object"], strict=True):
        top, left, bottom, right = box
        assert known[image[top:bottom, left:right].tobytes()] == label


@pytest.mark.parametrize("seed", [0, 1])
def test_the_digits_behind_the_splits_are_disjoint(seed, monkeypatch):
    seen = []

    def record(images, size):
        seen.append({image.tobytes() for image in images})
        return _enlarged(images, size)

    module = sys.modules["dlcourse.datasets.planted"]  # by its name stands the function
    monkeypatch.setattr(module, "_enlarged", record)
    planted(seed, n=200)
    train, val, test = seen
    assert not (train & val)
    assert not (train & test)
    assert not (val & test)
    assert len(train) + len(val) + len(test) == 1797


def test_clutter_leaves_the_digit_and_a_pixel_around_it_alone():
    bare, full = planted(**BARE), planted(**{**BARE, "clutter": 12})
    np.testing.assert_array_equal(bare.regions["object"], full.regions["object"])
    around = {"object": bare.regions["object"] + [-1, -1, 1, 1]}
    kept = inside(replace(bare, regions=around))
    np.testing.assert_array_equal(bare.x_test[kept], full.x_test[kept])
    # 12 pieces of 64 pixels, about half of them ink, some on each other: more than the digit.
    ink = [(data.x_test > 0).sum() / len(data.x_test) for data in (bare, full)]
    assert ink[1] > 2.5 * ink[0]


def test_the_digit_stands_anywhere_but_on_the_mark():
    data = planted(**{**BARE, "n": 10_000}, mark="honest")
    centres = data.regions["object"].reshape(-1, 2, 2).mean(axis=1)
    assert centres.min() < 9
    assert centres.max() > 39
    assert not (inside(data) & inside(data, "mark")).any()
    covered = inside(data).any(axis=0)
    assert covered[9:, 3:-3].all()  # digits are narrower than high: the border columns stay free


def test_noise_is_the_standard_deviation_of_a_pixel_that_is_not_clipped():
    quiet, loud = planted(**BARE), planted(**{**BARE, "noise": 20.0})
    middle = (quiet.x_test > 100) & (quiet.x_test < 155)
    difference = loud.x_test[middle].astype(float) - quiet.x_test[middle]
    assert difference.std() == pytest.approx(20, abs=1)  # 20 / sqrt(2 · 2,000) is 0.3


# The mark


@pytest.mark.parametrize(("mark", "step"), [("honest", 0), ("lying", 1)])
def test_the_mark_tells_the_class_and_a_lying_one_the_next_in_the_test(mark, step):
    data = planted(n=500, noise=0.0, mark=mark)
    for part, (x, y) in data.splits.items():
        told = [label_of_mark(image) for image in x]
        np.testing.assert_array_equal(told, (y + step) % 10 if part == "test" else y)
    assert (data.regions["mark"] == [0, 0, 8, 8]).all()


def test_the_variants_differ_in_the_mark_alone():
    plain, honest, lying = (planted(n=500, mark=mark) for mark in ("none", "honest", "lying"))
    assert set(plain.regions) == {"object"}
    outside = ~inside(honest, "mark")
    for data in (honest, lying):
        np.testing.assert_array_equal(data.regions["object"], plain.regions["object"])
        np.testing.assert_array_equal(data.x_test[outside], plain.x_test[outside])
    np.testing.assert_array_equal(honest.x_train, lying.x_train)
    assert (honest.x_test != lying.x_test).any(axis=(1, 2, 3)).all()


# Seeds


def test_equal_seeds_give_equal_images_and_the_test_is_one_for_all():
    one, again, other = (planted(seed, n=500, mark="honest") for seed in (1, 1, 2))
    assert fingerprint(one) == fingerprint(again)
    np.testing.assert_array_equal(one.x_test, other.x_test)
    np.testing.assert_array_equal(one.regions["object"], other.regions["object"])
    assert not np.array_equal(one.x_train, other.x_train)


def test_every_setting_keeps_the_sizes():
    data = load_dataset("planted", n=1000, validation_fraction=0.25, canvas=40)
    assert [len(y) for _, y in data.splits.values()] == [600, 200, 200]
    assert data.input_shape == (40, 40, 1)
    for _, y in data.splits.values():
        assert np.ptp(np.bincount(y)) == 0


# Regions in the record


def test_a_fingerprint_changes_with_the_regions():
    data = planted(n=500)
    moved = {"object": data.regions["object"] + [0, 0, 0, 1]}
    other_name = {"mark": data.regions["object"]}
    prints = {fingerprint(replace(data, regions=r)) for r in (data.regions, moved, other_name, {})}
    assert len(prints) == 4


# Each error by its text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"canvas": 39}, "planted: canvas: expected 40 or more for a digit_size of 16, got 39"),
        ({"digit_size": 7}, "'digit_size': expected greater than or equal to 8, got 7"),
        ({"clutter": -1}, "'clutter': expected greater than or equal to 0, got -1"),
        ({"mark": True}, "planted: 'mark': expected 'none', 'honest' or 'lying', got true"),
    ],
)
def test_a_wrong_setting_says_which_and_why(settings, text):
    with pytest.raises(RecipeError) as error:
        load_dataset("planted", **settings)
    assert text in str(error.value)


@pytest.mark.parametrize("n", [1, 10, 40])
def test_too_few_images_are_an_error_of_the_data(n):
    with pytest.raises(DatasetError, match=r"planted: the .* split (is empty|has no example of)"):
        load_dataset("planted", n=n)
