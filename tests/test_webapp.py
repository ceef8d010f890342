"""The app without a browser: what its tabs compute, what they refuse, and the HTML they give."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from webapp_server import needs_gradio

import dlcourse as dl
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import RunError, UserError
from dlcourse.training import train
from dlcourse.webapp import draw, markup, network, run_pages, server, uploads
from dlcourse.webapp.server import App

SEVEN = ([(80, 60), (200, 60), (120, 235)], [(110, 150), (190, 150)])
"""A 7 as the embedded digits' writers draw it: with a bar."""


def drawing(*strokes, side=280):
    """Return strokes of a thick pen on white paper, uint8 `(side, side, 3)`."""
    image = Image.new("RGB", (side, side), "white")
    for points in strokes:
        ImageDraw.Draw(image).line(points, fill="black", width=20, joint="curve")
    return np.asarray(image)


def trained(folder, name, text):
    return train(recipe_from_text(text), folder, name=name, bar=False)


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    """A small convolutional network that reads digits."""
    return trained(
        tmp_path_factory.mktemp("runs"),
        "small_cnn",
        "dataset: digits\nmodel: {name: cnn, filters: [8, 16], hidden: [16]}\n"
        "training: {epochs: 6, batch_size: 32, learning_rate: 0.01}",
    )


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """Softmax regression: its logits are linear in the pixels."""
    return trained(
        tmp_path_factory.mktemp("runs"),
        "linear",
        "dataset: digits\nmodel: softmax_regression\ntraining: {epochs: 5, learning_rate: 0.01}",
    )


@pytest.fixture
def app(cnn, tmp_path):
    return App((cnn.path,), cnn.path.parent, tmp_path)


@pytest.fixture
def x(cnn):
    return np.asarray(cnn.load_dataset().x_test[:1], "float32")


# ------------------------------------------------------------------ pictures from visitors


def test_a_picture_is_read_upright_and_reduced(tmp_path):
    pixels = np.zeros((1500, 3000, 3), "uint8")
    pixels[:, :1500] = 255  # white on the left
    exif = Image.Exif()
    exif[uploads.ORIENTATION] = 6  # to be turned to the right: the left goes to the top
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    picture = uploads.read_picture(tmp_path / "a.png")
    assert picture.shape == (1024, 512, 3)
    assert (picture[:500].min(), picture[-500:].max()) == (255, 0)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    Image.new("1", (7000, 7000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 10_000
    with pytest.raises(UserError, match=r"bomb\.png: too many pixels: at most 40 million") as told:
        uploads.read_picture(tmp_path / "bomb.png")
    assert str(tmp_path) not in str(told.value)


def test_a_decompression_bomb_is_refused_in_a_sentence(tmp_path):
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")
    with pytest.raises(UserError, match=r"^bomb\.png: too many pixels"):
        uploads.read_picture(tmp_path / "bomb.png")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(UserError, match=r"^a\.png: not a PNG"):
        uploads.read_picture(tmp_path / "a.png")


def test_a_drawing_arrives_as_it_was_drawn_or_is_refused():
    given = drawing(*SEVEN)
    url = re.search('src="(.+)"', markup.img(given, ""))[1]
    assert np.array_equal(uploads.read_drawing(url), given)
    with pytest.raises(UserError, match="draw it again"):
        uploads.read_drawing(url[:200])
    assert isinstance(uploads.or_error(uploads.read_drawing)("data:,x"), UserError)
    assert uploads.or_error(uploads.read_drawing)("") is None


# ------------------------------------------------------------------ what a network shows


def test_a_drawn_7_is_prepared_as_the_data_and_read_as_a_7(cnn):
    picture, advice = network.prepared(cnn, drawing(*SEVEN))
    assert picture.shape == (1, 8, 8, 1)
    assert (picture.min(), picture.max()) == (0, 16)
    assert not advice
    outputs, _ = network.answer(network.network(cnn.path), picture)
    assert outputs.argmax() == 7


def test_advice_tells_of_several_digits_of_mere_lines_and_of_white_paper(cnn):
    _, advice = network.prepared(cnn, drawing([(60, 60), (60, 220)], [(200, 60), (200, 220)]))
    assert "2 digits were found: the first one is shown" in advice
    _, advice = network.prepared(cnn, drawing([(140, 50), (140, 230)]))
    assert advice[-1].startswith("unlike the training data (distance ")
    with pytest.raises(UserError, match=r"^no digit was found: draw each large") as told:
        network.prepared(cnn, drawing())
    assert "as-is" not in str(told.value)


def test_the_answer_is_the_models_and_its_layers_come_in_order(cnn, x):
    net = network.network(cnn.path)
    outputs, layers = network.answer(net, x)
    assert outputs == pytest.approx(cnn.model.predict(x, verbose=0)[0], abs=1e-5)
    assert [*layers][:2] == ["conv_1", "pool_1"]
    assert [*layers][-1] == "probabilities"
    assert layers["conv_1"].shape == (8, 8, 8)


def test_of_a_deep_network_eight_layers_are_shown():
    model = dl.models.cnn((32, 32, 1), 3, filters=(2,) * 5, hidden=(4,) * 6)
    shown = network.shown_layers(model, (32, 32, 1))
    assert len(shown) == 8
    assert (shown[0], shown[-1]) == ("conv_1", "probabilities")


def test_the_smallest_change_of_a_linear_model_is_the_distance_to_the_boundary(linear):
    """Logits w·x + b: the nearest input with equal logits is (difference of logits) / |w| away."""
    net = network.network(linear.path)
    x = np.full((1, 8, 8, 1), 8, "float32")  # in the middle: nothing is clipped
    outputs, layers = network.answer(net, x)
    winner, other = np.argsort(-outputs)[:2]
    changed = network.smallest_change(net, x, int(winner), int(other))
    layer = net.model.get_layer("logits")
    slope = np.asarray(layer.kernel)[:, other] - np.asarray(layer.kernel)[:, winner]
    logits = layers["logits"]
    ahead = network.BEYOND + logits[winner] - logits[other]
    assert np.linalg.norm((changed - x) / 16) == pytest.approx(ahead / np.linalg.norm(slope), 1e-3)
    assert network.answer(net, changed)[0].argmax() == other


def test_the_smallest_change_makes_the_runner_up_win_within_the_value_range(cnn, x):
    net = network.network(cnn.path)
    winner, other = np.argsort(-network.answer(net, x)[0])[:2]
    changed = network.smallest_change(net, x, int(winner), int(other))
    assert network.answer(net, changed)[0].argmax() == other
    assert 0 <= changed.min() <= changed.max() <= 16
    assert np.abs(changed - x).mean() < 2


def test_a_filter_switched_off_is_one_with_weights_0_and_the_model_stays(cnn, x):
    net = network.network(cnn.path)
    before = [weight.copy() for weight in net.model.get_weights()]
    off = network.switched_off(net, x, "conv_1", (2, 5))
    again = network.switched_off(net, x, "conv_1", (0,))  # compiled by now
    assert all(map(np.array_equal, before, net.model.get_weights()))
    assert not np.allclose(off, again)
    other = network.network(cnn.path, trained=False).model
    other.set_weights(before)
    kernel, bias = other.get_layer("conv_1").get_weights()
    kernel[..., [2, 5]], bias[[2, 5]] = 0, 0
    other.get_layer("conv_1").set_weights([kernel, bias])
    assert off == pytest.approx(other.predict(x, verbose=0)[0], abs=1e-5)
    assert network.switched_off(net, x, "conv_1", ()) == pytest.approx(
        network.answer(net, x)[0], abs=1e-5
    )


def test_a_single_sigmoid_gives_both_classes():
    assert network.as_probabilities(np.array([0.25])) == pytest.approx([0.75, 0.25])


# ------------------------------------------------------------------ the tabs' HTML


def test_the_pages_of_a_drawing_show_the_answer_the_maps_and_every_layer(app, cnn):
    answer, looks, layers = draw.pages(app, drawing(*SEVEN), "small_cnn", ("conv_2", (3,)))
    assert "The network answers 7 (probability " in answer
    assert "What the network gets: 8×8 pixels" in answer
    assert "Orange: with units switched off; it then answers" in answer
    for text in ("Saliency", "Grad-CAM", "Template of 7", "The smallest change found that makes"):
        assert text in looks
    assert re.findall('data-layer="([^"]+)"', layers) == [*network.network(cnn.path).layers]
    assert layers.count('data-unit="') == 16
    assert re.findall('aria-pressed="true"[^>]*>|data-unit="3"', layers)
    assert len(re.findall(r'<img alt="[^"]+', answer + looks)) == 6


def test_an_error_takes_the_place_of_the_answer(app):
    said = draw.pages(app, UserError("a.png: too many pixels"), "small_cnn")
    assert said == ('<p class="dl-note">A.png: too many pixels.</p>', "", "")
    answer, _, _ = draw.pages(app, drawing(), "small_cnn")
    assert "No digit was found" in answer
    assert draw.START in draw.pages(app, None, "small_cnn")[0]


def test_a_test_example_is_read_as_it_is(app, cnn):
    read, _ = network.prepared(cnn, draw.test_example(app, "small_cnn"))
    assert (read == cnn.load_dataset().x_test).all(axis=(1, 2, 3)).any()


def click(chosen, **clicked):
    return draw.choose(chosen, SimpleNamespace(_data=clicked))


def test_clicks_choose_layers_and_switch_units_off_and_on():
    chosen = click(("", ()), layer="conv_2")
    assert chosen == ("conv_2", ())
    chosen = click(click(chosen, unit="5"), unit="2")
    assert chosen == ("conv_2", (2, 5))
    assert click(chosen, unit="5") == ("conv_2", (2,))
    assert click(chosen, layer="conv_1") == ("conv_1", ())


def test_runs_that_name_no_class_of_an_image_are_left_out_and_one_that_does_is_trained(
    tmp_path, monkeypatch, cnn
):
    from dlcourse import generation

    table = trained(tmp_path, "points", "dataset: points\nmodel: dnn\ntraining: {epochs: 1}")
    code = generation.fit("digits_autoencoder", "training.epochs=1", runs=tmp_path, name="code")
    given = App((table.path, code.path), tmp_path, tmp_path)
    assert [*network.all_runs(given)] == ["points", "code"]
    assert not network.image_runs(given)
    monkeypatch.setattr(draw, "train", lambda *_, **__: cnn)
    assert [*network.image_runs(draw.ready(given))] == ["small_cnn"]


def test_a_run_that_was_removed_is_told(app):
    answer, _, _ = draw.pages(app, drawing(*SEVEN), "gone")
    assert "Gone: this run is not there any more" in answer
    assert "../../etc: this run is not there" in run_pages.run_page(app, "../../etc")


def test_names_of_classes_are_text_not_html():
    names = ["<b>x</b>", "y"]
    html = markup.bars(names, np.array([0.9, 0.1]), np.array([0.2, 0.8]))
    assert "<b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "0.90 → 0.20" in html


def test_of_many_classes_the_ten_most_probable_have_bars():
    values = np.arange(100) / 4950
    html = markup.bars([f"class {k}" for k in range(100)], values)
    assert re.findall(r"class (\d+)", html) == [str(k) for k in range(90, 100)]


def test_a_sprite_has_each_map_in_its_place():
    maps = markup.maps_of(np.array([0.0, 1.0, 0.5, -1.0]))
    assert maps[:, 0, 0].tolist() == [0, 255, 128, 0]
    whole = markup.sprite(maps)
    assert whole.shape == (2 * 9 - 1, 3 * 9 - 1, 3)
    assert whole[4, 13].tolist() == [255, 255, 255]
    assert whole[8, 0].tolist() == list(markup.LINE)


def test_a_map_over_an_image_is_orange_where_it_is_strongest():
    pixels = markup.overlaid(np.full((2, 2, 3), 100, "uint8"), np.array([[0, 1.0], [-1, 0.5]]))
    assert pixels[0, 1].tolist() == markup.HEAT.tolist()
    assert pixels[0, 0].tolist() == pixels[1, 0].tolist() == [70, 70, 70]


def test_an_untrained_network_stands_beside_the_trained_one(app, cnn):
    untrained, _, _ = draw.pages(app, drawing(*SEVEN), f"small_cnn{network.UNTRAINED}")
    assert "The network answers" in untrained
    trained, _, _ = draw.pages(app, drawing(*SEVEN), "small_cnn")
    assert "The network answers 7" in trained
    assert untrained != trained
    assert network.network(cnn.path).model.predict(np.zeros((1, 8, 8, 1)), verbose=0).shape


def test_the_page_of_a_run_is_in_a_frame_without_scripts_and_no_other_file_is_read(app, cnn):
    folder = cnn.path / "visualize"
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text('<h1>a "page"</h1>')
    html = run_pages.run_page(app, "small_cnn")
    assert html.startswith('<iframe class="dl-page" sandbox ')
    assert "&lt;h1&gt;a &quot;page&quot;" in html


# ------------------------------------------------------------------ serving


@needs_gradio
def test_other_computers_need_a_password(cnn):
    with pytest.raises(UserError, match=r"host 0\.0\.0\.0: .* a password is needed"):
        dl.app(cnn, host="0.0.0.0")
    with pytest.warns(UserWarning, match="sent without encryption"):
        server._check_address("0.0.0.0", 0, "secret")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ({"port": 99999}, "a port is a number from 1 to 65535"),
        ({"port": "7861"}, "a port is a number from 1 to 65535"),
        ({"host": "no.such.host.invalid", "password": "secret"}, "not known|No address|resolution"),
    ],
)
@pytest.mark.filterwarnings("ignore:host no.such")
def test_an_address_that_cannot_be_served_is_told_before_anything_is_trained(address, reason):
    with pytest.raises(UserError, match=f"cannot be served: .*({reason})"):
        dl.app(**address)


def test_without_gradio_a_hint_tells_how_to_get_it(cnn):
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        "from dlcourse.__main__ import main\n"
        f"sys.exit(main(['app', '--run', {str(cnn.path)!r}, '--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("the app needs Gradio 6 (")
    assert done.stderr.endswith("pip install 'gradio>=6' (or this package's extra: -e '.[app]')\n")


def test_a_missing_or_unfinished_run_is_refused_before_anything_is_served(tmp_path):
    with pytest.raises(RunError, match="no such run"):
        dl.app(tmp_path / "none")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "recipe.yaml").write_text("dataset: digits\nmodel: dnn\n")
    with pytest.raises(RunError, match="did not finish"):
        dl.app(tmp_path / "half")
