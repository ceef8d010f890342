"""The lesson pictures: what is drawn where; they were looked at when they were made."""

import matplotlib as mpl

mpl.use("Agg")

import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text
from PIL import Image

from dlcourse import plots
from dlcourse.maths.autograd import Value
from dlcourse.maths.calculus import gradient_descent
from dlcourse.maths.network import Network
from dlcourse.maths.regression import softmax_regression
from dlcourse.maths.worked_examples import IMAGE, KERNEL, POOLED

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
    "activation": lambda ax: plots.activation("tanh", ax),
    "descent_on_curve": lambda ax: plots.descent_on_curve(squared, TRACE, ax),
    "descent_on_contour": lambda ax: plots.descent_on_contour(bowl, TRACE_2D, ax),
    "loss_surface": lambda ax: plots.loss_surface([-1, 1, 2], [0, 1, 1], ax, trace=TRACE_2D),
    "matrix_map": lambda ax: plots.matrix_map([[1, 2], [3, 0]], ax),
    "network_diagram": lambda ax: plots.network_diagram(
        Network((3, 4, 1), ("tanh", "sigmoid")), [1, 2, 3], ax
    ),
    "autograd_graph": lambda ax: plots.autograd_graph(logistic_graph(), ax),
    "convolution_cell": lambda ax: plots.convolution_cell(IMAGE, KERNEL, (1, 2), ax),
    "pooling_cell": lambda ax: plots.pooling_cell(POOLED, (0, 1), ax),
    "decision_boundary": lambda ax: plots.decision_boundary(left, POINTS, LABELS, ax),
}
GALLERIES = {
    "activation_gallery": plots.activation_gallery,
    "convolution_gallery": lambda: plots.convolution_gallery(IMAGE, KERNEL),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_the_activation_and_its_derivative_are_drawn():
    function, derivative = plots.activation("sigmoid").lines[2:]
    x, y = function.get_data()
    assert np.allclose(y, 1 / (1 + np.exp(-np.asarray(x))))
    assert np.nanmax(np.asarray(derivative.get_ydata())) == pytest.approx(0.25)


def test_no_line_is_drawn_through_a_jump():
    step = plots.activation("unit_step").lines[2]
    assert np.isnan(np.asarray(step.get_ydata())).any()


def test_the_gallery_has_the_slides_functions_and_relu():
    titles = [ax.get_title() for ax in plots.activation_gallery()]
    assert titles == ["unit step", "sign", "linear", "piecewise linear", "sigmoid", "tanh", "relu",
                      "leaky relu"]  # fmt: skip


def test_the_steps_lie_on_the_curve():
    curve, steps, start = plots.descent_on_curve(squared, TRACE).lines
    assert steps.get_xdata() == pytest.approx([6, 4.8, 3.84, 3.072])
    assert steps.get_ydata() == pytest.approx([36, 23.04, 14.7456, 9.437184])
    assert np.asarray(start.get_xdata()).tolist() == [6]
    assert np.min(curve.get_xdata()) < 0 < np.max(curve.get_xdata())


def test_the_way_over_the_contour_is_the_trace():
    ax = plots.descent_on_contour(bowl, TRACE_2D)
    assert np.array_equal(ax.lines[1].get_xydata(), TRACE_2D)
    assert ax.figure.axes[1].get_ylabel() == "f(x₁, x₂)"


def test_the_loss_surface_is_lowest_where_the_neuron_fits():
    ax = plots.loss_surface([0.0, 1.0], [1.0, 3.0], activation="linear", reach=4)  # w = 2, b = 1
    lowest = ax.collections[0].get_paths()[0].vertices
    assert np.asarray(lowest).mean(axis=0) == pytest.approx([2, 1], abs=0.2)


def test_the_matrix_takes_the_unit_square_along():
    ax = plots.matrix_map([[1, 2], [3, 0]])
    image = ax.patches[1]
    assert isinstance(image, Polygon)
    assert image.get_xy()[:4].tolist() == [[0, 0], [1, 3], [3, 3], [2, 0]]
    assert ax.get_title() == "area × -6, turned over"
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["eigenvector, λ = 3", "eigenvector, λ = -2"]
    assert not plots.matrix_map([[0, -1], [1, 0]]).lines


def test_the_diagram_shows_activations_as_brightness_and_weights_as_colour():
    network = Network((2, 1), ("linear",))
    network.set_weights([[[1], [-1]]], [[0]])
    ax = plots.network_diagram(network, [1, 0.25])
    assert [to_rgb(line.get_markerfacecolor())[0] for line in ax.lines] == [1, 0.25, 0.75]
    assert texts(ax)[:2] == ["1", "0.25"]
    lines = next(part for part in ax.collections if isinstance(part, LineCollection))
    red, blue = np.asarray(lines.get_colors())
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_the_diagram_of_the_slides_layout_is_the_same():
    ours = Network((3, 2, 1), ("tanh", "sigmoid"), seed=3)
    theirs = Network((3, 2, 1), ("tanh", "sigmoid"), seed=3, layout="slides")
    assert texts(plots.network_diagram(ours, [1, 2, 3])) == texts(
        plots.network_diagram(theirs, [1, 2, 3])
    )


def test_large_layers_are_shown_by_their_first_and_last_neurons():
    network = Network((784, 16, 16, 10), ("relu", "relu", "softmax"))
    ax = plots.network_diagram(network, rng.random(784), most=6)
    assert len(ax.lines) == 4 * 6
    assert texts(ax).count("⋮") == 4
    assert {"input\n784", "softmax\n10"} <= set(texts(ax))


def test_the_graph_shows_every_value_with_its_gradient():
    loss = logistic_graph()
    ax = plots.autograd_graph(loss)
    boxes = [text for text in texts(ax) if text]
    assert len(boxes) == len(loss.graph())
    assert f"w\n0.5\ngrad {loss.graph()[0].grad:.4g}" in boxes
    arrows = sum(len(node.parents) for node in loss.graph())
    assert texts(ax).count("") == arrows


def test_a_cell_of_the_convolution_is_spelled_out():
    ax = plots.convolution_cell(IMAGE, KERNEL, (1, 2))
    assert "1·1 + 1·0 + 0·1 + 1·0 + 1·1 + 1·0 + 1·1 + 1·0 + 0·1 = 3" in texts(ax)
    frame = next(patch for patch in ax.patches if not patch.get_fill())
    assert isinstance(frame, Rectangle)
    assert frame.get_bbox().bounds == (2, 1, 3, 3)


def test_the_gallery_has_a_picture_for_each_cell():
    axes = plots.convolution_gallery(IMAGE, KERNEL)
    assert [ax.get_title() for ax in axes[:3]] == ["[1, 1] = 4", "[1, 2] = 3", "[1, 3] = 4"]
    assert len(axes) == 9


def test_pooling_is_spelled_out():
    assert "max(2, 9, 1, 5) = 9" in texts(plots.pooling_cell(POOLED, (0, 1)))
    assert "average(2, 9, 1, 5) = 4.25" in texts(plots.pooling_cell(POOLED, (0, 1), kind="average"))


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
    ax = plots.decision_boundary(predict, POINTS, LABELS)
    boundary = ax.collections[1].get_paths()[0].vertices
    assert np.abs(np.asarray(boundary)[:, 0]).max() < 0.05  # a grid cell


def test_three_classes_are_three_areas():
    labels = LABELS + (POINTS[:, 1] > 0)
    model = softmax_regression(POINTS, labels, classes=3)
    ax = plots.decision_boundary(model.predict, POINTS, labels, class_names=("a", "b", "c"))
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]


def test_classes_that_are_never_predicted_keep_the_others_colours():
    labels = LABELS + (POINTS[:, 1] > 0)
    some = plots.decision_boundary(lambda x: left(x).astype(int), POINTS, labels)
    every = plots.decision_boundary(lambda x: left(x) + (x[:, 1] > 0), POINTS, labels)
    assert np.array_equal(some.collections[0].get_facecolor(), every.collections[0].get_facecolor())
    plots.decision_boundary(lambda x: np.zeros(len(x)), POINTS, labels)  # one class: no boundary


def test_a_flat_function_has_a_contour_plot_too():
    assert plots.descent_on_contour(lambda _: 1.0, TRACE_2D).has_data()


def test_the_descent_is_animated_a_frame_a_point(tmp_path):
    animation = plots.animate_descent(squared, TRACE)
    page = plots.html(animation)
    assert page.count("data:image/png;base64") == 4
    path = plots.save_gif(plots.animate_descent(bowl, TRACE_2D), tmp_path / "descent.gif")
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 4)  # pyright: ignore


def test_the_boundary_is_animated_while_it_is_learned(tmp_path):
    network = Network((2, 1), ("sigmoid",))
    losses = []

    def train():
        losses.extend(network.fit(POINTS, LABELS[:, None], epochs=2))

    animation = plots.animate_boundary(train, network.predict, POINTS, LABELS, frames=3)
    assert len(losses) == 4
    with Image.open(plots.save_gif(animation, tmp_path / "boundary.gif")) as image:
        assert image.n_frames == 3  # pyright: ignore
    assert len(losses) == 4  # drawing does not train


@pytest.mark.parametrize("name", PICTURES)
def test_it_draws_on_given_axes_and_returns_them(name):
    _, (first, second) = plt.subplots(1, 2)
    assert PICTURES[name](second) is second
    assert not first.has_data()
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", [*PICTURES, *GALLERIES])
def test_nothing_is_cut_off_or_too_small_to_read(name):
    made = PICTURES[name](None) if name in PICTURES else GALLERIES[name]()
    figure = (made if isinstance(made, Axes) else made[0]).figure
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
    with pytest.raises(ValueError, match=r"predict: expected a result of shape \(40000,\), .* got"):
        plots.decision_boundary(lambda _: np.zeros(3), POINTS, LABELS)
    with pytest.raises(ValueError, match=r"X: expected shape \(m, 2\), got \(40, 3\)"):
        plots.decision_boundary(left, np.ones((40, 3)), LABELS)
    with pytest.raises(ValueError, match=r"trace: expected shape \(steps \+ 1, 2\), got"):
        plots.descent_on_contour(bowl, TRACE)
    with pytest.raises(ValueError, match=r"M: expected shape \(2, 2\), got \(3, 3\)"):
        plots.matrix_map(np.eye(3))
    with pytest.raises(ValueError, match="trace: expected finite numbers, got nan"):
        plots.animate_descent(squared, [1, np.nan])


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
