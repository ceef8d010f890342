"""Is the map right: curves, random weights, boxes, and the report in words."""

import matplotlib as mpl

mpl.use("Agg")

import re

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr

from dlcourse import plots
from dlcourse.datasets import load_dataset
from dlcourse.errors import UserError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.faithfulness import (
    area,
    attention_report,
    chance_inside,
    deletion_curve,
    insertion_curve,
    model_randomization,
    pointing_hits,
    share_inside,
)
from dlcourse.lab.faithfulness.attention import ALL, ELSEWHERE, Cover, _elsewhere, _verdict, covered
from dlcourse.lab.faithfulness.randomization import Randomization, rank_correlation
from dlcourse.visualizers import saliency

RNG = np.random.default_rng(0)
MAP = np.array([[[3.0, 1.0], [0.0, -4.0]]])
BOX = np.array([[0, 0, 1, 2]])


@pytest.fixture(scope="module")
def additive():
    """Two classes of images 2 × 2: the logit of class 1 is 2a + b − d, of class 0 it is 0."""
    model = keras.Sequential(
        [layers.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    kernel = np.zeros((4, 2))
    kernel[:, 1] = [2, 1, 0, -1]
    model.set_weights([kernel, np.zeros(2)])
    return model


ONES = np.ones((1, 2, 2, 1), "float32")


def sigmoid(*logits):
    return 1 / (1 + np.exp(-np.array(logits)))


# Curves


def test_deletion_takes_the_largest_values_away_first(additive):
    order = np.array([[[4.0, 3.0], [2.0, 1.0]]])
    curve = deletion_curve(additive, ONES, order, 1, steps=4)
    np.testing.assert_allclose(curve, [sigmoid(2, 0, -1, -1, 0)], rtol=1e-6)  # float32


def test_insertion_shows_the_largest_values_first(additive):
    order = np.array([[[4.0, 3.0], [2.0, 1.0]]])
    curve = insertion_curve(additive, ONES, order, 1, steps=4)
    np.testing.assert_allclose(curve, [sigmoid(0, 2, 3, 3, 2)], rtol=1e-6)  # float32


def test_a_removed_pixel_shows_the_value_and_steps_take_equal_parts(additive):
    order = np.array([[[4.0, 3.0], [2.0, 1.0]]])
    curve = deletion_curve(additive, ONES, order, 1, steps=2, value=10)
    np.testing.assert_allclose(curve, [sigmoid(2, 29, 20)], rtol=1e-6)  # float32


def test_insertion_of_a_map_is_deletion_of_its_negative_read_backwards(additive):
    images = RNG.random((5, 2, 2, 1))
    maps = RNG.random((5, 2, 2))
    shown = insertion_curve(additive, images, maps, steps=4)
    gone = deletion_curve(additive, images, -maps, steps=4)
    np.testing.assert_allclose(shown, gone[:, ::-1], rtol=1e-6)  # float32


def test_equal_values_go_in_an_order_of_the_seed(additive):
    found = [deletion_curve(additive, ONES, np.zeros((1, 2, 2)), 1, steps=4, seed=k)
             for k in range(8)]  # fmt: skip
    assert len({tuple(curve[0]) for curve in found}) > 1
    again = deletion_curve(additive, ONES, np.zeros((1, 2, 2)), 1, steps=4, seed=3)
    np.testing.assert_array_equal(found[3], again)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_the_batch_bounds_the_memory_and_changes_nothing(additive, batch_size):
    images, maps = RNG.random((5, 2, 2, 1)), RNG.random((5, 2, 2))
    expected = deletion_curve(additive, images, maps, steps=3)
    found = deletion_curve(additive, images, maps, steps=3, batch_size=batch_size)
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32


def test_the_area_is_that_of_trapezoids():
    assert area([1, 0, 0]) == pytest.approx(0.25)
    np.testing.assert_allclose(area([[1, 1], [0, 1]]), [1, 0.5])


# Boxes


def test_a_hit_is_the_largest_value_within_the_box():
    assert pointing_hits(MAP, BOX).tolist() == [1]
    assert pointing_hits(-MAP, BOX).tolist() == [0]


def test_equal_maxima_count_by_their_share_so_an_empty_map_gets_what_chance_gives():
    tie = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    assert pointing_hits(tie, BOX).tolist() == [0.5]
    empty, corner = np.zeros((1, 4, 4)), [[0, 0, 2, 2]]
    assert pointing_hits(empty, corner).tolist() == chance_inside(corner, (4, 4)).tolist() == [0.25]


def test_the_share_inside_counts_positive_values():
    assert share_inside(MAP, BOX).tolist() == [1]
    assert share_inside(MAP, [[0, 0, 2, 1]]).tolist() == [0.75]
    assert share_inside(-np.ones((1, 2, 2)), BOX).tolist() == [0.5]  # no positive value: chance


def test_random_maps_hit_as_often_as_the_box_is_large():
    boxes = np.tile([[2, 1, 6, 6]], (4000, 1))
    maps = RNG.random((4000, 10, 10))
    assert chance_inside(boxes[0], (10, 10)).tolist() == [0.2]
    # a share of 0.2 among 4,000: its standard deviation is 0.0063
    assert pointing_hits(maps, boxes).mean() == pytest.approx(0.2, abs=0.02)
    assert share_inside(maps, boxes).mean() == pytest.approx(0.2, abs=0.002)


# Random weights


def test_rank_correlation_is_spearman_s():
    first, second = RNG.random((2, 4, 5, 5)).round(1)
    expected = [
        spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    assert rank_correlation(first, first**3 + 1) == pytest.approx(1)
    assert rank_correlation(first, np.zeros_like(first)).tolist() == [0, 0, 0, 0]


def small(ending="softmax"):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(4, 3, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation=ending, name="last"),
        ]
    )


IMAGES = RNG.random((3, 8, 8, 2)).astype("float32")


def brightness(_model, images, _class_indices):
    """A map of the image alone, whatever the model."""
    return images.sum(axis=-1)


def test_a_map_that_ignores_the_network_is_called_insensitive():
    methods = {"saliency": saliency, "brightness": brightness}
    found = model_randomization(small(), IMAGES, methods)
    assert found.layers == ("last", "second", "norm", "first")
    np.testing.assert_allclose(found.correlations["brightness"], 1)
    assert "brightness" in found.insensitive
    assert found.correlations["saliency"][-1] < 0.9
    text = str(found)
    assert re.search(r"^brightness( +1\.00){4}$", text, re.MULTILINE)
    assert text.splitlines()[-1].startswith("insensitive to the weights: ")


def test_random_weights_are_a_cascade_from_the_output_decided_by_the_seed():
    seen = []

    def record(model, images, class_indices):
        seen.append([weight.numpy() for weight in model.weights])
        return brightness(model, images, class_indices)

    model = small()
    for seed in (0, 0, 1):
        model_randomization(model, IMAGES, {"record": record}, stages=2, seed=seed)
    one, again, other = (seen[k : k + 3] for k in (0, 3, 6))
    changed = [
        [not np.array_equal(a, b) for a, b in zip(one[0], stage, strict=True)] for stage in one[1:]
    ]
    # kernel and bias; gamma, beta, mean, variance; kernel, bias; kernel, bias. A new network's
    # biases and statistics are all alike in every order.
    assert changed[0] == [False] * 6 + [True, False, True, False]
    assert changed[1] == [True] + [False] * 5 + [True, False, True, False]
    for a, b, c in zip(one[2], again[2], other[2], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim < 2 or not np.array_equal(a, c)


def test_at_most_so_many_stages_and_the_last_has_every_layer_random():
    found = model_randomization(small(), IMAGES, ["saliency"], stages=2)
    assert found.layers == ("second", "first")
    assert found.correlations["saliency"].shape == (2,)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(4, 3, activation="relu")
        self.last = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.last(keras.ops.mean(self.first(x), axis=(1, 2)))


def lstm():
    keras.utils.set_random_seed(1)
    return keras.Sequential([layers.Input((5, 2)), layers.LSTM(4), layers.Dense(3)])


def nested():
    return keras.Sequential([layers.Input((8, 8, 2)), small(None), layers.Softmax()])


@pytest.mark.parametrize("build", [small, nested, Subclassed, lstm])
def test_the_model_is_the_same_afterwards_bit_by_bit(build):
    model = build()
    x = IMAGES if build is not lstm else RNG.random((3, 5, 2)).astype("float32")
    before, weights = model(x), None
    weights = [weight.numpy() for weight in model.weights]
    found = model_randomization(model, x, ["saliency"])
    assert len(found.layers) == {small: 4, nested: 4, Subclassed: 2, lstm: 2}[build]
    for old, new in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    np.testing.assert_array_equal(before, model(x))


def test_a_method_that_fails_leaves_a_subclassed_model_as_it_was():
    model = Subclassed()
    model(IMAGES)
    weights = model.get_weights()
    calls = []

    def failing(model, images, class_indices):
        calls.append(1)
        if len(calls) > 1:
            raise KeyError("half way")
        return brightness(model, images, class_indices)

    with pytest.raises(KeyError):
        model_randomization(model, IMAGES, {"failing": failing})
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# The report


def test_covering_fills_each_image_s_own_box_in_a_copy():
    images = np.ones((2, 3, 3, 1), "uint8")
    found = covered(images, np.array([[0, 0, 1, 2], [1, 1, 3, 3]]), 7)
    assert found[0, ..., 0].tolist() == [[7, 7, 1], [1, 1, 1], [1, 1, 1]]
    assert found[1, ..., 0].tolist() == [[1, 1, 1], [1, 7, 7], [1, 7, 7]]
    assert (images == 1).all()


def test_a_box_elsewhere_is_as_large_and_off_every_region_where_there_is_room():
    regions = [np.array([[0, 0, 3, 2]] * 50), np.array([[3, 3, 4, 5]] * 50)]
    found = _elsewhere(regions, (8, 8), np.random.default_rng(0))
    assert (found[:, 2:] - found[:, :2] == [3, 2]).all()
    assert (found >= 0).all()
    assert (found <= 8).all()
    taken = np.zeros((8, 8), int)
    taken[:3, :2] = taken[3, 3:5] = 1
    assert all(not taken[a:c, b:d].any() for a, b, c, d in found)
    assert len(np.unique(found, axis=0)) > 5


NAMES = {"object": "digit", "mark": "mark"}
NONE_RANDOM = Randomization((), {})


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ((0.8, 0.0, 0.8), "the network looks at the digit"),
        ((0.0, 0.6, 0.7), "the network looks at the mark: a shortcut"),
        ((0.5, 0.2, 0.8), "the network looks at the digit and the mark"),
        ((0.2, 0.5, 0.8), "the network looks at the mark and the digit: a shortcut"),
        ((0.02, 0.0, 0.8), "looks at the digit or the mark: either is enough"),
        ((0.09, 0.05, 0.1), "it is not shown that the network looks at the digit or the mark"),
    ],
)
def test_the_verdict_is_what_changes_the_answers(changed, text):
    values = dict(zip(("object", "mark", ALL), changed, strict=True)) | {ELSEWHERE: 0.01}
    covers = {name: Cover(value, 1 - value) for name, value in values.items()}
    first, *others = _verdict([], covers, 1.0, NAMES, NONE_RANDOM).splitlines()
    assert first.endswith(text)
    assert others[0] == (
        f"with the digit covered, {changed[0]:.0%} of the predictions change and accuracy goes "
        f"from 1.00 to {1 - changed[0]:.2f}"
    )


METHODS = ["saliency", "gradient_times_input", "class_activation_map", "grad_cam"]
SCENE = {"canvas": 40, "clutter": 2}


def trained(n, epochs, mark):
    """A small network on planted digits, for a few seconds; 0.9: its statistics settle soon."""
    keras.utils.set_random_seed(0)
    data = load_dataset("planted", n=n, mark=mark, **SCENE)
    model = keras.Sequential([layers.Input(data.input_shape), layers.Rescaling(1 / 255)])
    for filters in (12, 24, 32):
        if filters > 12:
            model.add(layers.MaxPooling2D())
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    rate = keras.optimizers.schedules.CosineDecay(0.01, epochs * len(data.x_train) // 32)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(data.x_train, data.y_train, batch_size=32, epochs=epochs, verbose=0)
    return model, data


@pytest.fixture(scope="module")
def honest():
    model, data = trained(1500, 7, "none")
    return attention_report(model, data, METHODS, images=100, steps=8)


@pytest.fixture(scope="module")
def shortcut():
    return trained(1000, 6, "honest")


@pytest.fixture(scope="module")
def marked(shortcut):
    model, data = shortcut
    return attention_report(model, data, METHODS, images=100, steps=8)


def test_an_honest_network_is_seen_to_look_at_the_digit(honest):
    rows = {row.method: row for row in honest.rows}
    for method in ("gradient_times_input", "class_activation_map"):
        assert rows[method].hits["object"] >= 0.9, method
        assert rows[method].inside["object"] > 2 * rows["random map"].inside["object"]
    assert rows["class_activation_map"].faithful > rows["random map"].faithful + 0.2
    first, covered_digit, *_ = honest.verdict.splitlines()
    assert first == "the network looks at the digit"
    assert re.match(r"with the digit covered, \d\d% of the predictions change and accuracy goes "
                    r"from 0\.\d\d to 0\.\d\d", covered_digit)  # fmt: skip
    assert honest.covers["object"].accuracy < 0.4 < 0.8 < honest.accuracy


def test_a_shortcut_is_named(marked):
    assert marked.accuracy > 0.95
    assert marked.verdict.startswith("the network looks at the mark: a shortcut\n")
    assert marked.covers["mark"].changed > 0.3 > 0.1 > marked.covers["object"].changed
    row = next(row for row in marked.rows if row.method == "class_activation_map")
    assert row.hits["mark"] > 0.7 > 0.1 > row.hits["object"]


def test_a_lying_mark_convicts_the_network_on_its_answers_not_its_accuracy(shortcut):
    model, _ = shortcut
    lying = load_dataset("planted", n=1000, mark="lying", **SCENE)
    report = attention_report(model, lying, ["grad_cam"], images=60, steps=4)
    assert report.accuracy < 0.2
    first = report.verdict.splitlines()[0]
    # Mark and digit disagree here, so that the digit's cover may matter too.
    assert first.startswith("the network looks at the mark")
    assert first.endswith(": a shortcut")


def test_the_report_prints_one_row_per_method_and_what_chance_gives(marked):
    text = str(marked)
    assert text.startswith("planted: 100 test images, accuracy ")
    table = marked.table().splitlines()
    for head in ("hits digit", "hits mark", "inside digit", "deletion", "insertion", "all random"):
        assert head in table[0]
    assert [line.split("  ")[0] for line in table[1:]] == [*METHODS, "random map"]
    assert marked.table() in text
    assert text.endswith(marked.verdict)
    chance = marked.rows[-1]
    assert chance.hits == chance.inside
    assert chance.hits["mark"] == pytest.approx(8 * 8 / 40**2)


def test_images_without_regions_get_the_rest():
    data = load_dataset("digits")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()]
    )
    model.add(layers.Dense(10, activation="softmax"))
    report = attention_report(model, data, ["saliency", "grad_cam"], images=20, steps=4)
    assert report.verdict.startswith("where the evidence lies is not known for this data set")
    assert report.table().splitlines()[0].split() == ["deletion", "insertion", "all", "random"]
    assert not report.covers
    assert (
        report.randomization.layers == ("dense", "conv2d") or len(report.randomization.layers) == 2
    )


# Pictures


def test_the_curves_are_drawn_with_names_and_the_mean_of_the_images():
    curves = {"saliency": ([1, 0.5, 0], [0, 0.5, 1]), "two": (np.eye(2), np.ones((2, 2)))}
    left, right = lab_plots.deletion_and_insertion(curves, figure=plots.new_figure())
    assert left.lines[0].get_xydata().tolist() == [[0, 1], [0.5, 0.5], [1, 0]]
    assert left.lines[1].get_ydata().tolist() == [0.5, 0.5]
    assert right.lines[0].get_ydata().tolist() == [0, 0.5, 1]
    assert left.get_xlabel() == "share of the pixels removed, largest values first"
    assert left.get_ylabel() == "mean probability of the class"
    assert [text.get_text() for text in left.figure.legends[0].texts] == ["saliency", "two"]


def test_the_bars_of_the_randomization_are_its_correlations():
    found = {"saliency": [0.5, -0.1], "rise": [0.9, 0.8]}
    ax = lab_plots.randomization_bars(
        found, ("logits", "conv"), 0.3, ax=plots.new_figure().subplots()
    )
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.9, -0.1, 0.8]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["saliency", "rise"]
    assert [text.get_text() for text in ax.get_legend().texts] == ["logits", "conv"]


def test_the_pointing_table_shows_each_share():
    hits = {"saliency": {"object": 0.2, "mark": 0.7}, "random map": {"object": 0.1, "mark": 0.0}}
    ax = lab_plots.pointing_table(hits, {"object": "digit"}, ax=plots.new_figure().subplots())
    assert [text.get_text() for text in ax.texts] == ["20%", "70%", "10%", "0%"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["on the digit", "on the mark"]


# Each error by its text


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m: deletion_curve(m, ONES, MAP[0]), "maps: expected (1, 2, 2) for these images"),
        (lambda m: insertion_curve(m, ONES, MAP * np.nan), "maps: hold values that are NaN"),
        (lambda m: deletion_curve(m, ONES, MAP, steps=5), "steps: expected 1 to the image's 4 pix"),
        (
            lambda m: deletion_curve(m, ONES, MAP, steps=0),
            "deletion_curve: 'steps': expected greater than or equal to 1, got 0",
        ),
        (
            lambda m: deletion_curve(m, ONES, MAP, steps=2, batch_size=0),
            "deletion_curve: 'batch_size': expected greater than or equal to 1, got 0",
        ),
        (lambda _: area([1]), "area: expected a curve of two points or more, got (1,)"),
        (lambda _: pointing_hits(MAP[0], BOX), "maps: expected (n, height, width), got (2, 2)"),
        (lambda _: pointing_hits(MAP, BOX[:, :3]), "boxes: expected integers (top, left, bottom,"),
        (lambda _: share_inside(MAP, BOX * 1.0), "for each of 1 maps, got float64 of the shape (1"),
        (lambda _: share_inside(MAP, [[0, 0, 1, 3]]), "extends beyond the map of 2 × 2"),
        (lambda _: share_inside(MAP, [[1, 0, 1, 2]]), "boxes: one is empty or extends"),
        (lambda m: model_randomization(m, ONES, ["salience"]), "did you mean 'saliency'?"),
        (lambda m: model_randomization(m, ONES, "saliency"), "methods: expected names of VISUAL"),
        (lambda m: model_randomization(m, ONES, ["grad_cam"]), "no convolutional layer"),
        (lambda m: model_randomization(m, ONES, stages=0), "'stages': expected greater than or"),
        (lambda m: attention_report(m, load_dataset("iris")), "iris is not a data set of images"),
        (
            lambda m: attention_report(m, load_dataset("digits"), images=0),
            "attention_report: 'images': expected greater than or equal to 1, got 0",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(additive, call, text):
    with pytest.raises(UserError) as error:
        call(additive)
    assert text in str(error.value)
    assert "\n" not in str(error.value)
