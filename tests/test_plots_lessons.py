"""The lesson pictures: what is drawn where; they were looked at when they were made."""

import matplotlib as mpl

mpl.use("Agg")

import re
import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from PIL import Image

from dlcourse.lessons import plots as lesson_plots
from dlcourse.lessons.maths.autograd import Value
from dlcourse.lessons.maths.calculus import gradient_descent
from dlcourse.lessons.maths.regression import softmax_regression
from dlcourse.lessons.maths.steps import show
from dlcourse.lessons.maths.worked_examples import IMAGE, KERNEL, POOLED

rng = np.random.default_rng(0)
POINTS = rng.normal(size=(40, 2))
LABELS = (POINTS[:, 0] > 0).astype(int)
TRACE = gradient_descent(lambda x: 2 * x, 6, 0.1, 3)
TRACE_2D = gradient_descent(lambda x: 2 * x, [3, 4], 0.25, 3)


def squared(x):
    return x**2


def bowl(x):
    return float(x @ x)


def logistic_graph() -> Value:
    w, b = Value(0.5, "w"), Value(1.0, "b")
    loss = -(w * Value(5, "x") + b).sigmoid().log()
    loss.backward()
    return loss


def left(x):
    return (x[:, 0] > 0).astype(float)


PICTURES = {
    "activation": lambda ax: lesson_plots.activation("tanh", ax),
    "descent_on_curve": lambda ax: lesson_plots.descent_on_curve(squared, TRACE, ax),
    "descent_on_contour": lambda ax: lesson_plots.descent_on_contour(bowl, TRACE_2D, ax),
    "autograd_graph": lambda ax: lesson_plots.autograd_graph(logistic_graph(), ax),
    "convolution_cell": lambda ax: lesson_plots.convolution_cell(IMAGE, KERNEL, (1, 2), ax),
    "pooling_cell": lambda ax: lesson_plots.pooling_cell(POOLED, (0, 1), ax),
    "decision_boundary": lambda ax: lesson_plots.decision_boundary(left, POINTS, LABELS, ax),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_the_activation_and_its_derivative_are_drawn():
    function, derivative = lesson_plots.activation("sigmoid").lines[2:]
    x, y = function.get_data()
    assert np.allclose(y, 1 / (1 + np.exp(-np.asarray(x))))
    assert np.nanmax(np.asarray(derivative.get_ydata())) == pytest.approx(0.25)


def test_no_line_is_drawn_through_a_jump():
    step = lesson_plots.activation("unit_step").lines[2]
    assert np.isnan(np.asarray(step.get_ydata())).any()


@pytest.mark.parametrize("reach", [0.01, 4, 61, 1e6])
def test_only_jumps_are_gaps_however_far_the_picture_reaches(reach):
    for name in lesson_plots.functions.ELEMENTWISE:
        values, slopes = lesson_plots.activation(name, reach=reach).lines[2:]
        gaps = np.isnan(np.asarray(values.get_ydata())).sum()
        assert gaps == (2 if name in ("unit_step", "sign") else 0), name  # into 0 and out of it
        assert np.isnan(np.asarray(slopes.get_ydata())).sum() <= 2
        plt.close("all")


def test_the_steps_lie_on_the_curve():
    curve, steps, start = lesson_plots.descent_on_curve(squared, TRACE).lines
    assert steps.get_xdata() == pytest.approx([6, 4.8, 3.84, 3.072])
    assert steps.get_ydata() == pytest.approx([36, 23.04, 14.7456, 9.437184])
    assert np.asarray(start.get_xdata()).tolist() == [6]
    assert np.min(curve.get_xdata()) < 0 < np.max(curve.get_xdata())


def test_the_valley_is_in_the_picture_wherever_it_lies():
    trace = gradient_descent(lambda x: 2 * (x - 100), 106, 0.1, 3)
    curve = lesson_plots.descent_on_curve(lambda x: (x - 100) ** 2, trace).lines[0]
    low, high = np.min(curve.get_xdata()), np.max(curve.get_xdata())
    assert 95 < low < 100 < 106 < high < 108


def test_both_axes_of_a_contour_have_one_scale():
    long = gradient_descent(lambda p: p * [2, 16], [3, 1], 0.1, 4)
    ax = lesson_plots.descent_on_contour(bowl, long)
    assert ax.get_aspect() == 1
    assert np.ptp(ax.get_xlim()) == pytest.approx(np.ptp(ax.get_ylim()))
    assert ax.get_xlim()[1] > np.max(ax.lines[0].get_xdata())


def test_the_way_over_the_contour_is_the_trace():
    ax = lesson_plots.descent_on_contour(bowl, TRACE_2D)
    assert np.array_equal(ax.lines[1].get_xydata(), TRACE_2D)
    assert ax.figure.axes[1].get_ylabel() == "f(x₁, x₂)"


def test_two_ways_drawn_within_the_same_points_have_the_same_picture():
    other = 0.5 * TRACE_2D
    both = np.concatenate([TRACE_2D, other])
    one, two = (
        lesson_plots.descent_on_contour(bowl, trace, within=both) for trace in (TRACE_2D, other)
    )
    assert (one.get_xlim(), one.get_ylim()) == (two.get_xlim(), two.get_ylim())
    assert one.collections[0].get_clim() == two.collections[0].get_clim()


def test_the_graph_shows_every_value_with_its_gradient():
    loss = logistic_graph()
    loss.name = "L"
    ax = lesson_plots.autograd_graph(loss)
    boxes = [text for text in texts(ax) if text]
    assert len(boxes) == len(loss.graph())
    assert any(text.startswith("L (×)\n") for text in boxes)
    assert f"w\n0.5\ngrad {show(loss.graph()[0].grad, 4)}" in boxes
    arrows = sum(len(node.parents) for node in loss.graph())
    assert texts(ax).count("") == arrows


def test_no_arrow_of_the_graph_runs_through_another_value():
    x = Value(1.5, "x")
    y = x * x
    z = y * x + y
    z.backward()
    ax = lesson_plots.autograd_graph(z)
    ax.figure.canvas.draw()
    boxes = [t.get_bbox_patch().get_window_extent() for t in ax.texts if t.get_text()]
    arrows = [t.arrow_patch for t in ax.texts if not t.get_text()]
    assert len(arrows) == 6
    ways = [arrow.get_transform().transform(arrow.get_path().vertices[:3]) for arrow in arrows]
    for way in ways:  # a curve of start, control point and end; the head comes after it
        path = Path(way, [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        assert not any(path.intersects_bbox(box.padded(-2), filled=False) for box in boxes)
    assert len({tuple(np.round(way.ravel())) for way in ways}) == 6  # none on another


def test_a_cell_of_the_convolution_is_spelled_out():
    ax = lesson_plots.convolution_cell(IMAGE, KERNEL, (1, 2))
    assert "1·1 + 1·0 + 0·1 + 1·0 + 1·1 + 1·0 + 1·1 + 1·0 + 0·1 = 3" in texts(ax)
    frame = next(patch for patch in ax.patches if not patch.get_fill())
    assert isinstance(frame, Rectangle)
    assert frame.get_bbox().bounds == (2, 1, 3, 3)


def test_any_numbers_stay_in_their_cells():
    random = np.random.default_rng(1)
    for image, kernel in (
        (random.normal(size=(5, 5)), random.normal(size=(3, 3))),
        (1000 * random.normal(size=(4, 4)), 0.001 * random.normal(size=(2, 2))),
        (random.normal(size=(20, 20)), random.normal(size=(3, 3))),
    ):
        ax = lesson_plots.convolution_cell(image, kernel, (1, 0))
        ax.figure.canvas.draw()
        cell = ax.patches[0].get_window_extent().width
        sum_ = next(text for text in ax.texts if "·" in text.get_text())
        assert ax.figure.bbox.contains(sum_.get_window_extent().x0, sum_.get_window_extent().y0)
        assert ax.figure.bbox.contains(sum_.get_window_extent().x1, sum_.get_window_extent().y1)
        numbers = [text for text in ax.texts if re.fullmatch(r"[−\d.e+]+", text.get_text())]
        assert all(text.get_window_extent().width < cell for text in numbers)
        assert bool(numbers) == (len(image) < 20)  # a large one is shown in shades


def test_negative_factors_stand_in_brackets_and_signs_at_half_height():
    ax = lesson_plots.convolution_cell([[0, 1], [2, 3]], [[1, -1]], (1, 0))
    assert "2·1 + 3·(−1) = −1" in texts(ax)
    sign = next(text for text in ax.texts if text.get_text() == "=")
    frames = [patch.get_bbox() for patch in ax.patches[5:7]]  # the kernel's two cells
    assert all((box.y0 + box.y1) / 2 == sign.get_position()[1] for box in frames)


def test_pooling_is_spelled_out():
    assert "max(2, 9, 1, 5) = 9" in texts(lesson_plots.pooling_cell(POOLED, (0, 1)))
    assert "average(2, 9, 1, 5) = 4.25" in texts(
        lesson_plots.pooling_cell(POOLED, (0, 1), kind="average")
    )


@pytest.mark.parametrize(
    "predict",
    [
        left,
        lambda x: left(x)[:, None],
        lambda x: np.column_stack([1 - left(x), left(x)]),
        lambda x: left(x).astype(int),
    ],
    ids=["(n,)", "(n, 1)", "(n, 2)", "classes"],
)
def test_the_boundary_is_where_any_predict_changes_its_mind(predict):
    ax = lesson_plots.decision_boundary(predict, POINTS, LABELS)
    boundary = ax.collections[1].get_paths()[0].vertices
    assert np.abs(np.asarray(boundary)[:, 0]).max() < 0.05  # a grid cell


def test_two_boundaries_within_the_same_points_have_the_same_axes():
    parts = POINTS[::2], POINTS[: len(POINTS) // 4]
    labels = LABELS[::2], LABELS[: len(POINTS) // 4]
    some = [
        lesson_plots.decision_boundary(left, x, y, within=POINTS)
        for x, y in zip(parts, labels, strict=True)
    ]
    whole = lesson_plots.decision_boundary(left, POINTS, LABELS)
    for ax in some:
        assert (ax.get_xlim(), ax.get_ylim()) == (whole.get_xlim(), whole.get_ylim())


def test_three_classes_are_three_areas():
    labels = LABELS + (POINTS[:, 1] > 0)
    model = softmax_regression(POINTS, labels, classes=3)
    ax = lesson_plots.decision_boundary(model.predict, POINTS, labels, class_names=("a", "b", "c"))
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]


def test_classes_that_are_never_predicted_keep_the_others_colours():
    labels = LABELS + (POINTS[:, 1] > 0)
    some = lesson_plots.decision_boundary(lambda x: left(x).astype(int), POINTS, labels)
    every = lesson_plots.decision_boundary(lambda x: left(x) + (x[:, 1] > 0), POINTS, labels)
    assert np.array_equal(some.collections[0].get_facecolor(), every.collections[0].get_facecolor())
    lesson_plots.decision_boundary(
        lambda x: np.zeros(len(x)), POINTS, labels
    )  # one class: no boundary


def test_a_score_beyond_1_is_one_of_two_classes():
    ax = lesson_plots.decision_boundary(lambda x: 0.5 + 3 * x[:, 0], POINTS, LABELS)
    boundary = ax.collections[1].get_paths()[0].vertices
    assert np.abs(np.asarray(boundary)[:, 0]).max() < 0.05


def test_ten_classes_have_ten_colours_the_same_in_area_and_examples():
    rows = np.column_stack([np.arange(10.0), np.tile([0, 1], 5)])
    ax = lesson_plots.decision_boundary(
        lambda x: np.clip(np.round(x[:, 0]), 0, 9), rows, np.arange(10)
    )
    areas = np.asarray(ax.collections[0].get_facecolor())[:, :3]
    examples = [np.asarray(part.get_facecolor())[0, :3] for part in ax.collections[2:]]
    assert len(np.unique(np.round(areas, 3), axis=0)) == 10
    assert np.allclose(areas, examples)


def test_a_flat_function_has_a_contour_plot_too():
    assert lesson_plots.descent_on_contour(lambda _: 1.0, TRACE_2D).has_data()


def test_the_descent_is_animated_with_one_frame_per_point(tmp_path):
    animation = lesson_plots.animate_descent(squared, TRACE)
    page = lesson_plots.html(animation)
    assert "fa fa-" not in page
    assert "https:" not in page
    assert page.count("data:image/png;base64") == 4
    path = tmp_path / "descent.gif"
    lesson_plots.animate_descent(bowl, TRACE_2D).save(path)
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 4)  # pyright: ignore


@pytest.mark.parametrize("name", PICTURES)
def test_it_draws_on_given_axes_and_returns_them(name):
    _, (first, second) = plt.subplots(1, 2)
    assert PICTURES[name](second) is second
    assert not first.has_data()
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_cut_off_or_too_small_to_read(name):
    figure = PICTURES[name](None).figure
    figure.canvas.draw()
    frame = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text.axes is not None:
            assert float(text.get_fontsize()) >= 9
            if text in text.axes.texts or text in (text.axes.title, text.axes.xaxis.label):
                box = text.get_window_extent()
                assert frame.contains(box.x0, box.y0), text
                assert frame.contains(box.x1, box.y1), text


def test_errors_say_which_argument_and_what_came():
    for labels, word in (([-1, 1], "-1"), ([0.5, 1], "0.5")):
        with pytest.raises(ValueError, match=f"y: expected class numbers 0, 1, 2 …, got {word}"):
            lesson_plots.decision_boundary(left, [[0, 0], [1, 1]], labels)
    with pytest.raises(ValueError, match="predict's result: expected finite numbers, got nan"):
        lesson_plots.decision_boundary(lambda x: x[:, 0] * np.nan, POINTS, LABELS)
    with pytest.raises(ValueError, match=r"predict's result: expected class numbers .* got 0\.5"):
        lesson_plots.decision_boundary(lambda x: left(x) + 0.5, POINTS, LABELS + 1)
    with pytest.raises(ValueError, match="class_names: expected 2 or more, got 1"):
        lesson_plots.decision_boundary(left, POINTS, LABELS, class_names=["a"])
    for name in ("softmax", "foo"):
        with pytest.raises(ValueError, match=f"name: expected one of unit_step, .* got '{name}'"):
            lesson_plots.activation(name)
    for picture in (lambda p: lesson_plots.convolution_cell(IMAGE, KERNEL, p),
                    lambda p: lesson_plots.pooling_cell(POOLED, p)):  # fmt: skip
        with pytest.raises(
            ValueError, match=r"place: expected row and column within \(., .\), got"
        ):
            picture((3, 0))
        with pytest.raises(ValueError, match="place: expected an integer of at least 0, got -1"):
            picture((-1, 0))
    assert not plt.get_fignums()  # nothing is left open
    with pytest.raises(ValueError, match=r"predict: expected a result of shape \(40000,\), .* got"):
        lesson_plots.decision_boundary(lambda _: np.zeros(3), POINTS, LABELS)
    with pytest.raises(ValueError, match=r"X: expected shape \(m, 2\), got \(40, 3\)"):
        lesson_plots.decision_boundary(left, np.ones((40, 3)), LABELS)
    with pytest.raises(ValueError, match=r"trace: expected shape \(steps \+ 1, 2\), got"):
        lesson_plots.descent_on_contour(bowl, TRACE)
    with pytest.raises(ValueError, match="trace: expected finite numbers, got nan"):
        lesson_plots.animate_descent(squared, [1, np.nan])


def test_pyplot_is_loaded_only_for_a_new_figure():
    code = "import sys, dlcourse.plots; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_the_package_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for picture in PICTURES.values():
            picture(None).figure.canvas.draw()
