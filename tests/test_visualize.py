"""dlcourse visualize: the pictures of a run, for images and for rows."""

import re

import numpy as np
import pytest
from PIL import Image

from dlcourse.commands import visualize
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.pictures import gallery
from dlcourse.training import train

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


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    return train(recipe_from_text(IMAGES), tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def row_run(tmp_path_factory):
    return train(recipe_from_text(ROWS), tmp_path_factory.mktemp("runs"))


def run(run, *arguments):
    return visualize.main(["--run", str(run.path), *arguments])


def test_every_kind_of_picture_is_saved_and_gathered_on_a_page(image_run, capsys, monkeypatch):
    monkeypatch.setattr(gallery, "OVERTRAINED_EPOCHS", 2)
    assert run(image_run, "--images", "3") == 0
    folder = image_run.path / "visualize"
    names = {file.stem for file in folder.glob("*.png")}
    assert {"filters", "templates-conv_1", "templates-conv_2", "templates-classes"} <= names
    assert {"feature-maps-3", "neurons-3", "saliency", "cam", "overlay-3", "dream"} <= names
    for file in folder.glob("*.png"):
        pixels = np.asarray(Image.open(file).convert("L"))
        assert min(pixels.shape) > 100, file.name
        assert pixels.std() > 5, f"{file.name} is blank"
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<img alt=") == len(names)
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # it needs no other file
    out = capsys.readouterr()
    assert f"all on one page: {folder / 'index.html'}" in out.out
    assert "over-trained on 200 images for 2 epochs" in out.out
    assert out.err == ""


def test_rows_get_the_pictures_that_suit_them(row_run, capsys, tmp_path):
    assert run(row_run, "--images", "2", "--out", str(tmp_path / "new" / "folder")) == 0
    names = {file.stem for file in (tmp_path / "new" / "folder").glob("*.png")}
    assert names == {"neurons-1", "neurons-2", "saliency-1", "saliency-2"}
    assert "left out: cam: is for images" in capsys.readouterr().err


def test_one_picture_of_one_class_and_layer_of_the_user_s_own_image(image_run, tmp_path, capsys):
    file = tmp_path / "mine.png"
    Image.fromarray(np.full((20, 20), 200, "uint8")).save(file)
    out = tmp_path / "out"
    settings = ["--image", str(file), "--class", "3", "--layer", "conv_1", "--out", str(out)]
    assert run(image_run, "--what", "cam,templates", *settings) == 0
    names = {one.stem for one in out.glob("*.png")}
    assert names == {"cam", "overlay-1", "templates-conv_1"}
    assert "asked: 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--what", "cams"], "--what: unknown 'cams' (did you mean 'cam'?)"),
        (["--what", ","], "--what: expected some of"),
        (["--images", "0"], "--images: expected 1 or more, got 0"),
        (["--class", "ten"], "--class: no class 'ten'"),
        (["--image", "no.png", "--what", "cam"], "no.png: no such file"),
        (["--image", "no.png", "--check"], "--check: needs the run's test images"),
        (["--invert"], "--invert: is for --image"),
        (
            ["--layer", "hidden_1", "--what", "feature-maps"],
            "feature-maps: the layer gives no maps",
        ),
        (["--layer", "hidden_1", "--what", "filters"], "filters: the layer's weights are no small"),
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


def test_the_examples_are_taken_class_by_class():
    class Data:
        task = "multiclass"
        y_test = np.array([2, 2, 0, 1, 0, 1])

    assert visualize._in_turn(Data, 4) == [2, 3, 0, 4]


def test_a_title_tells_the_true_class_only_where_it_is_another():
    outputs = np.array([[0.1, 0.9], [0.75, 0.25]])
    assert gallery.titles(outputs, ("a", "b"), ["b", "b"]) == ("b (0.900)", "a (0.750)\ntrue: b")
    assert gallery.titles(np.array([2.0]), (), ["3"]) == ("predicted 2 (true 3)",)


def test_the_filters_of_a_recurrent_network_are_no_pictures(tmp_path, capsys):
    text = "dataset: {name: digits}\nmodel: {name: rnn, units: 64}\ntraining: {epochs: 1}"
    lstm = train(recipe_from_text(text), tmp_path)
    assert run(lstm, "--what", "filters") == 1
    assert capsys.readouterr().err == "filters: the layer's weights are no small images\n"
