"""dlcourse visualize: a run on one page, alone and beside another; its pictures as files."""

import re
import shutil
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse import plots
from dlcourse.commands import pages, visualize
from dlcourse.commands.run_page import in_turn
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets.facts import DataFacts
from dlcourse.errors import UserError
from dlcourse.lab import pictures as lab
from dlcourse.pictures import gallery, inside
from dlcourse.pictures.view import Picture, View
from dlcourse.text_table import html_table
from dlcourse.training import train

OLD_RUNS = Path(__file__).parent / "data" / "runs_0_1_0"
IMAGES = """
dataset: {name: digits}
model: {name: cnn, filters: [8, 8], hidden: [16]}
training: {epochs: 4, batch_size: 32, learning_rate: 0.005}
"""
ROWS = """
dataset: {name: breast_cancer}
model: {name: logistic_regression}
training: {epochs: 2, batch_size: 32, learning_rate: 0.01}
"""
NUMBERS = """
dataset: {name: diabetes}
model: {name: linear_regression}
training: {epochs: 3, batch_size: 32, learning_rate: 0.01}
"""


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    return train(recipe_from_text(IMAGES), tmp_path_factory.mktemp("runs"), name="images")


@pytest.fixture(scope="module")
def longer_run(tmp_path_factory):
    text = IMAGES.replace("epochs: 4", "epochs: 6")
    return train(recipe_from_text(text), tmp_path_factory.mktemp("runs"), name="longer")


@pytest.fixture(scope="module")
def row_run(tmp_path_factory):
    return train(recipe_from_text(ROWS), tmp_path_factory.mktemp("runs"), name="rows")


def run(run, *arguments):
    return visualize.main(["--run", str(run.path), *arguments])


def pictures(folder):
    return {file.stem for file in folder.glob("*.png")}


def read_page(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)|<script|<link|@import|url\(|http", page), (
        "a page needs no other file and no network"
    )
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) == set(ids), "each part is in the contents"
    assert all(re.findall(r'<img [^>]*alt="([^"]*)"', page))
    return page


def headings(page, level):
    return re.findall(rf"<h{level}>(.*?)</h{level}>", page)


def test_a_run_is_told_on_one_page(image_run, capsys):
    assert run(image_run) == 0
    folder = image_run.path / "visualize"
    assert pictures(folder) == {
        "learning-curves", "confusion-matrix", "templates-classes", "saliency", "cam",
    }  # fmt: skip
    page = read_page(folder)
    assert headings(page, 1) == ["images"]
    assert headings(page, 2) == [
        "Metrics", "Findings", "The training", "The test examples", "What the network has learned",
        "What the network looks at", "Recipe", "Environment",
    ]  # fmt: skip
    assert {"Learning curves", "Confusion matrix", "Templates of the classes"} < set(
        headings(page, 3)
    )
    test = image_run.metrics["test"]
    assert f'<th scope="row">test</th><td>360</td><td>{test["loss"]:.4f}</td>' in page
    assert "1. " in page or "Nothing stands out" in page
    assert "batch_size: " in page
    assert "&quot;backend&quot;" in page
    out, err = capsys.readouterr()
    assert f"{folder / 'cam.png'}\n    By class activation maps: bright where" in out
    assert f"all on one page: {folder / 'index.html'}" in out
    assert err == ""


@pytest.mark.slow
def test_all_draws_every_kind_of_picture(image_run, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "CHECKED_IMAGES", 8)
    assert run(image_run, "--what", "all", "--images", "3", "--out", str(tmp_path / "all")) == 0
    names = pictures(tmp_path / "all")
    assert {"filters", "templates-conv_1", "templates-conv_2", "dream", "layers"} <= names
    assert {"feature-maps-3", "neurons-3", "overlay-3", "check-curves"} <= names
    assert {"most-confused", "highest-loss", "calibration", "check-randomisation"} <= names
    for file in (tmp_path / "all").glob("*.png"):
        pixels = np.asarray(Image.open(file).convert("L"))
        assert min(pixels.shape) > 100, file.name
        assert pixels.std() > 5, f"{file.name} is blank"
    page = read_page(tmp_path / "all")
    assert page.count("<img ") == len(names)
    assert '<th scope="row">grad_cam</th><td>' in page  # the check's figures are a table
    out, err = capsys.readouterr()
    assert "digits: 8 test images, accuracy" in out
    assert err == ""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [(UserError("dream: does not come"), 1, "dream: does not come"),
     (KeyboardInterrupt, 130, "interrupted")],
)  # fmt: skip
def test_a_picture_is_written_and_on_the_page_as_soon_as_it_is_drawn(
    error, code, told, image_run, tmp_path, monkeypatch, capsys
):
    def broken(_view):
        assert read_page(tmp_path).count("<img ") == 1
        raise error
        yield

    monkeypatch.setitem(gallery.PICTURES, "dream", broken)
    assert run(image_run, "--what", "filters,dream,neurons", "--out", str(tmp_path)) == code
    out, err = capsys.readouterr()
    assert err == f"{told}\n"
    assert str(tmp_path / "filters.png") in out
    assert {file.name for file in tmp_path.iterdir()} == {"filters.png", "index.html"}
    assert headings(read_page(tmp_path), 3)[-1] == "Filters"


def test_a_bar_on_a_terminal_tells_what_is_drawn_and_the_time_left(
    image_run, tmp_path, monkeypatch, capsys
):
    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert run(image_run, "--what", "filters,predictions", "--out", str(tmp_path)) == 0
    shown = sys.stderr.getvalue()
    assert shown.index("examination") < shown.index("filters") < shown.index("predictions")
    assert re.search(r"50%.*\d:\d\d:\d\d", shown)
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'filters.png'}\n    The weights of")


def test_of_many_convolutions_the_last_are_drawn_and_any_that_is_named(monkeypatch):
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1))
    x = inputs
    for k in range(6):
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"conv_{k}")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)])
    x = layers.Flatten()(x)
    for k in range(6):
        x = layers.Dense(5, name=f"dense_{k}")(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="end")(x))
    monkeypatch.setattr(inside, "_templates", lambda *_: np.ones((4, 8, 8, 1)))
    facts = DataFacts("deep", "binary", (8, 8, 1), class_names=("a", "b"))
    view = View(facts, model=model, inputs=np.ones((1, 8, 8, 1), "float32"))
    drawn = list(inside.templates(view))
    assert [picture.name for picture in drawn] == [f"templates-conv_{k}" for k in (2, 3, 4, 5)]
    remark = "The last 4 of 6 convolutions are shown (--layer NAME shows another)."
    assert drawn[0].caption.endswith(remark)
    (maps,) = inside.feature_maps(view)
    rows = [text.get_text() for ax in maps.figure.axes for text in ax.texts]
    assert rows == [f"conv_{k}\n8×8×4" for k in (2, 3, 4, 5)]
    assert maps.caption.endswith(remark)
    (neurons,) = inside.neurons(view)
    columns = [text.get_text() for text in neurons.figure.axes[0].texts if "\n" in text.get_text()]
    assert [text.split("\n")[0] for text in columns] == [
        "conv_4", "conv_5", "gate", *(f"dense_{k}" for k in range(6)), "end",
    ]  # fmt: skip
    assert neurons.caption.endswith("Of 14 layers, the last 10 are shown.")
    named = replace(view, layer="conv_0")
    assert [picture.name for picture in inside.templates(named)] == ["templates-conv_0"]
    for (picture,) in (inside.feature_maps(named), inside.neurons(named)):
        assert any("conv_0" in text.get_text() for text in picture.figure.axes[0].texts)
        assert "last" not in picture.caption


def test_a_network_without_convolutions_has_no_templates_of_layers():
    import keras

    flat = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    view = View(DataFacts("flat", "regression", (8, 8, 1)), model=keras.Sequential(flat))
    with pytest.raises(UserError, match="templates: the network has no convolution"):
        list(inside.templates(view))


@pytest.mark.slow
def test_two_runs_are_drawn_side_by_side(image_run, longer_run, tmp_path, capsys):
    out = ["--images", "2", "--out", str(tmp_path)]
    assert run(image_run, "--beside", str(longer_run.path), *out) == 0
    kinds = {"learning-curves", "confusion-matrix", "saliency", "cam"}
    assert pictures(tmp_path) == {
        *kinds,
        *(f"{name}-beside" for name in kinds),
        "templates-classes",
    }
    page = read_page(tmp_path)
    assert headings(page, 2)[:3] == ["Metrics", "Findings: images", "Findings: longer"]
    assert "Confusion matrix: images" in page
    assert "Confusion matrix: longer" in page
    assert '<th scope="row">longer: test</th>' in page
    assert "<td>4 (kept: 4)</td><td>6 (kept: " in page
    text = "The image that activates each class most, by network: untrained, images, longer."
    assert text in capsys.readouterr().out


def test_runs_of_one_name_are_distinguished_by_their_paths(image_run, tmp_path):
    shutil.copytree(image_run.path, tmp_path / "images")
    out = ["--what", "predictions", "--out", str(tmp_path)]
    assert run(image_run, "--beside", str(tmp_path / "images"), *out) == 0
    page = read_page(tmp_path)
    assert f"Confusion matrix: {image_run.path}" in page
    assert f"Confusion matrix: {tmp_path / 'images'}" in page
    assert {"confusion-matrix", "confusion-matrix-beside"} <= pictures(tmp_path)


def test_runs_of_other_inputs_or_classes_are_not_drawn_beside(image_run, row_run, tmp_path, capsys):
    assert run(image_run, "--beside", str(row_run.path)) == 2
    assert capsys.readouterr().err == (
        f"{row_run.path}: the model takes inputs of shape (30,), but {image_run.path} has "
        "(8, 8, 1)\n"
    )
    text = IMAGES.replace("name: digits", "name: digits, classes: [0, 1]")
    two = train(recipe_from_text(text), tmp_path, name="two")
    capsys.readouterr()
    assert run(image_run, "--beside", str(two.path)) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"{two.path}: the model was trained for binary of 0, 1, but {image_run.path}"
    )
    assert error.count("\n") == 1


def test_rows_get_the_pictures_that_suit_them(row_run, capsys, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert run(row_run, "--images", "2", "--out", str(folder)) == 0
    overview = {"learning-curves", "confusion-matrix", "saliency-1", "saliency-2"}
    assert pictures(folder) == overview
    assert capsys.readouterr().err == ""
    assert run(row_run, "--what", "all", "--images", "2", "--out", str(folder)) == 0
    more = {"neurons-1", "neurons-2", "layers", "calibration", "most-confused"}
    assert pictures(folder) == {*overview, *more}
    assert "left out: feature-maps: needs images" in capsys.readouterr().err


def test_predicted_numbers_are_drawn_over_the_true_ones(tmp_path, capsys):
    numbers = train(recipe_from_text(NUMBERS), tmp_path, name="numbers")
    capsys.readouterr()
    assert run(numbers, "--images", "1") == 0
    folder = numbers.path / "visualize"
    assert pictures(folder) == {"learning-curves", "predicted-and-true", "saliency-1"}
    assert '<th scope="col">r2</th>' in read_page(folder)
    assert run(numbers, "--what", "calibration") == 1
    assert capsys.readouterr().err == "calibration: needs classes, and this run has none\n"


def test_without_its_data_a_run_shows_what_it_is_itself(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (90, 6, 6, 1)).astype("uint8"), rng.integers(0, 3, 90)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
    text = IMAGES.replace("name: digits", f"name: npz, path: '{tmp_path / 'data.npz'}'")
    moved = train(recipe_from_text(text), tmp_path, name="moved")
    (tmp_path / "data.npz").unlink()
    capsys.readouterr()
    assert run(moved) == 0
    assert pictures(moved.path / "visualize") == {"learning-curves", "templates-classes"}
    assert "Note: without the data there is no X-ray" in read_page(moved.path / "visualize")
    assert run(moved, "--what", "cam") == 2
    assert "data.npz: no such file" in capsys.readouterr().err


def test_one_picture_of_one_class_and_layer_of_the_user_s_own_image(image_run, tmp_path, capsys):
    file = tmp_path / "mine.png"
    Image.fromarray(np.full((20, 20), 200, "uint8")).save(file)
    out = tmp_path / "out"
    settings = [
        "--image",
        str(file),
        "--as-is",
        "--class",
        "3",
        "--layer",
        "conv_1",
        "--out",
        str(out),
    ]
    assert run(image_run, "--what", "cam,overlays,templates", *settings) == 0
    assert pictures(out) == {"cam", "overlay-1", "templates-conv_1"}
    assert "target: 3" in read_page(out)
    assert "bright where layer conv_1 finds evidence" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--what", "cams"], "--what: unknown 'cams' (did you mean 'cam'?)"),
        (["--what", ","], "--what: expected all, or some of"),
        (["--images", "0"], "--images: expected 1 or more, got 0"),
        (["--class", "ten"], "--class: no class 'ten'"),
        (["--image", "no.png", "--what", "cam"], "no.png: no such file"),
        (["--invert"], "--invert: works only with --image"),
        (["--beside", "nowhere"], "nowhere: no such run"),
        (
            ["--layer", "hidden_1", "--what", "feature-maps"],
            "feature-maps: the layer has no feature maps",
        ),
        (
            ["--layer", "hidden_1", "--what", "filters"],
            "filters: the layer's weights are not small",
        ),
        (["--layer", "conv_9", "--what", "cam"], "layer: no layer 'conv_9'"),
    ],
)
def test_each_mistake_is_one_line(image_run, arguments, text, capsys, tmp_path):
    code = run(image_run, *arguments, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert error.startswith(text), error
    assert error.count("\n") == 1


def test_a_run_that_is_not_there_is_one_line(capsys, tmp_path):
    assert visualize.main(["--run", str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["finished_cnn", pytest.param("ensemble", marks=pytest.mark.slow)])
def test_runs_of_0_1_0_are_drawn(name, tmp_path):
    shutil.copytree(OLD_RUNS / name, tmp_path / name)
    assert visualize.main(["--run", str(tmp_path / name), "--images", "2"]) == 0
    assert {"learning-curves", "confusion-matrix", "saliency"} <= pictures(
        tmp_path / name / "visualize"
    )
    read_page(tmp_path / name / "visualize")


def test_an_interrupted_run_is_one_line(tmp_path, capsys):
    shutil.copytree(OLD_RUNS / "interrupted_dnn", tmp_path / "part")
    assert visualize.main(["--run", str(tmp_path / "part")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path / 'part'}: has no model.keras (the training did not finish: python -m dlcourse"
        f".train --resume {tmp_path / 'part'} goes on, with --finish it is saved as it is)\n"
    )


def test_the_filters_of_a_recurrent_network_are_not_pictures(tmp_path, capsys):
    text = "dataset: {name: digits}\nmodel: {name: rnn, units: 64}\ntraining: {epochs: 1}"
    lstm = train(recipe_from_text(text), tmp_path)
    assert run(lstm, "--what", "filters") == 1
    assert capsys.readouterr().err == "filters: the layer's weights are not small images\n"


def test_every_kind_of_picture_is_offered_and_has_a_place_on_the_page():
    kinds = {*gallery.PICTURES, *lab.PICTURES}
    assert {*visualize.OVERVIEW, *visualize.MORE} == kinds
    placed = [name for names in pages.SECTIONS.values() for name in names]
    assert sorted(placed) == sorted(kinds)
    assert set().union(*gallery.NEEDS.values()) <= kinds


def test_the_examples_are_taken_class_by_class_and_at_random():
    """A file is often sorted: its first examples would be of one place, day or size."""

    class Data:
        class_names = ("a", "b", "c")
        y_test = np.repeat([2, 0, 1], 100)

    chosen = in_turn(Data, 7)
    assert Data.y_test[chosen].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert len(set(chosen)) == 7
    assert max(np.array(chosen) % 100) > 50
    Data.class_names = ()
    sorted_prices = in_turn(Data, 5)
    assert len(set(sorted_prices)) == 5
    assert max(sorted_prices) > 200


def test_a_title_tells_the_true_class_only_where_it_is_another():
    facts = DataFacts("pets", "binary", (2,), class_names=("a", "b"))
    view = View(facts, inputs=np.zeros((2, 2)), true=["b", "b"])
    vars(view)["outputs"] = np.array([[0.1, 0.9], [0.75, 0.25]])
    assert view.titles == ["b (0.900)", "a (0.750)\ntrue: b"]
    asked = replace(view, class_index=1)
    vars(asked)["outputs"] = view.outputs
    assert asked.titles == ["b (0.900)\ntarget: b", "a (0.750)\ntrue: b\ntarget: b"]
    number = View(DataFacts("age", "regression", (2,)), inputs=np.zeros((1, 2)), true=["3"])
    vars(number)["outputs"] = np.array([2.0])
    assert number.titles == ["predicted 2 (true 3)"]


def test_what_a_page_is_given_stands_on_it_as_text():
    figure = plots.new_figure(2, 1)
    figure.subplots().plot([0, 1])
    from dlcourse.pictures.figures import png

    shown = Picture("a<b", "A & B", "x < y", figure, "a line\n\n     n  share\na    1  50 %\n\nend")
    sections = [
        pages.Section("One", html_table(("", "a&b"), [("x", "1")]), [(shown, png(figure))]),
        pages.Section("Two", pages.text("small", ["1 < 2"]), folded=True),
    ]
    page = pages.page("<run>", sections)
    assert "<h1>&lt;run&gt;</h1>" in page
    assert '<figure id="a&lt;b"><h3>A &amp; B</h3>' in page
    assert 'width="168" height="84" alt="A &amp; B: x &lt; y"' in page
    assert '<th scope="col">a&amp;b</th>' in page
    assert '<th scope="row">a</th><td>1</td><td>50 %</td>' in page
    assert "<details><summary><h2>Two</h2></summary>" in page


def test_the_calibration_error_is_the_mean_gap_between_sure_and_right():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.35, 0.65]])
    # two of 0.95, both right: gap 0.05; two of 0.65, one right: gap 0.15
    assert plots.classification.calibration_bins(y, p) == [
        (pytest.approx(0.65), 0.5, 2),
        (pytest.approx(0.95), 1.0, 2),
    ]
    assert plots.classification.calibration_error(y, p) == pytest.approx(0.1)
    ax = plots.calibration(y, p, ax=plots.new_figure().subplots())
    assert "0.100" in ax.get_title()


def test_the_worst_images_come_first_with_what_was_said():
    images = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((3, 4, 4, 1))
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    axes = plots.highest_loss(
        images, np.array([1, 1, 0]), p, ["cat", "dog"], count=3, figure=plots.new_figure()
    )
    assert [ax.get_title() for ax in axes] == ["dog, said cat\n0.90", "cat\n0.60", "dog\n0.80"]
