"""Pictures of sequences and text, and what explains a sequence that ends early."""

from typing import Any

import numpy as np
import pytest

import dlcourse as dl
from dlcourse import plots
from dlcourse.commands.visualize import main as visualize
from dlcourse.datasets.dataset import PADDING
from dlcourse.errors import UserError
from dlcourse.pictures.inside import attention
from dlcourse.pictures.view import View

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Attention on sequences of several lengths."""
    folder = tmp_path_factory.mktemp("pictures")
    x = RNG.normal(size=(120, 12, 2))
    x[:, :, 1] = 100 * x[:, :, 1] + 50
    short = [each[: 5 + k % 8] for k, each in enumerate(x)]
    y = np.arange(120) % 2
    return dl.fit((short, y), model="attention", epochs=1, runs=folder, name="r", verbose=False)


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    rows = [f"{word},{words} film" for word, words in (("good", "a fine"), ("bad", "an awful"))]
    (folder / "own.csv").write_text("label,text\n" + "\n".join(rows * 20))
    data = {"name": "csv", "path": str(folder / "own.csv"), "target": "label", "text": "text"}
    model = {"name": "cnn1d", "filters": [4]}
    return dl.fit(dataset=data, model=model, epochs=1, runs=folder, name="r", verbose=False)


# Facts worked by hand


def masked(weights):
    """Σ w·x over the steps before the end."""
    import keras

    inputs = keras.Input((4, 1))
    x = keras.layers.Masking(PADDING)(inputs)
    x = keras.layers.Flatten()(x * 1.0)
    out: Any = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, out(x))
    out.set_weights([np.reshape(weights, (4, 1)).astype("float32")])
    return model


X = np.array([[[1.0], [2.0], [PADDING], [PADDING]]], "float32")


def test_what_is_masked_stays_so_on_the_path_of_integrated_gradients():
    found: Any = dl.integrated_gradients(masked([1, 2, 3, 4]), X)
    assert found[0, :, 0] == pytest.approx([1, 4, 0, 0], abs=1e-5)  # w·x, float32 sums


def test_noise_is_in_the_scale_of_the_steps_before_the_end():
    found: Any = dl.smooth_grad(masked([1, 2, 3, 4]), X)
    assert found[0, :, 0] == pytest.approx([1, 2, 0, 0], abs=1e-5)


@pytest.mark.parametrize("method", [dl.grad_cam, dl.eigen_cam, dl.attention_rollout])
def test_maps_are_zero_after_the_end(method):
    from keras.layers import Masking

    model = dl.models.attention((6, 2), 2, rescale=[Masking(PADDING)], units=4)
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")
    x[1, 4:] = x[2, 2:] = PADDING
    heat, ended = method(model, x), (x == PADDING).all(axis=2)
    assert heat.shape == (3, 6)
    assert not heat[ended].any()
    assert heat[~ended].any()


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_steps_after_the_end_are_not_covered(method):
    with pytest.raises(UserError, match=f"{method}: steps after the end of a sequence"):
        getattr(dl, method)(masked([1, 2, 3, 4]), X)
    whole = np.array([[[1.0], [2.0], [3.0], [4.0]]], "float32")
    assert np.isfinite(getattr(dl, method)(masked([1, 2, 3, 4]), whole)).all()


# The plots


def test_over_time_has_a_line_per_feature_and_a_strip_per_map():
    values, strip = np.arange(10.0).reshape(5, 2), np.array([0, -2, 1, 0, 0.0])
    lines, shown = plots.over_time(values, {"grad_cam": strip}, ["a", "b"], title="so")
    assert [line.get_label() for line in lines.lines] == ["a", "b"]
    assert lines.get_title() == "so"
    assert shown.images[0].get_array().tolist() == [[0, 2, 1, 0, 0]]
    assert (shown.get_ylabel(), shown.get_xlabel()) == ("grad cam", "step")


def test_tokens_are_orange_where_they_raise_the_score_and_blue_where_they_lower_it():
    ax = plots.token_attributions(["good", "bad", "so"], np.array([2.0, -2.0, 0.0]))
    assert [text.get_text() for text in ax.texts] == ["good", "bad", "so"]
    colours: Any = [text.get_bbox_patch().get_facecolor() for text in ax.texts]
    assert colours[0][0] > colours[0][2]  # more red than blue
    assert colours[1][2] > colours[1][0]
    assert max(colours[2][:3]) - min(colours[2][:3]) < 0.02  # grey
    assert "strongest 2" in ax.get_title()


def test_a_long_text_goes_on_in_the_next_line_and_stays_inside():
    words = ["word" * (1 + k % 3) for k in range(40)]
    ax = plots.token_attributions(words, np.ones(40))
    places = [text.get_position() for text in ax.texts]
    assert len({y for _, y in places}) > 3
    assert all(ax.get_xlim()[0] < x < ax.get_xlim()[1] for x, _ in places)


def test_attention_has_one_picture_per_head_with_the_tokens_at_its_axes():
    weights = np.full((2, 3, 3), 1 / 3)
    first, second = plots.attention(weights, ["a", "b", "c"])
    assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b", "c"]
    assert second.get_title() == "head 2"
    assert first.images[0].get_array().tolist() == weights[0].tolist()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plots.over_time(np.ones(3), {}), "over_time: expected .steps, features."),
        (lambda: plots.over_time(np.ones((3, 1)), {"a": np.ones(2)}), "expected maps of 3 steps"),
        (lambda: plots.token_attributions(["a"], np.ones(2)), "got 2 values for 1 tokens"),
        (lambda: plots.attention(np.ones((3, 3)), []), "attention: expected .heads, queries, keys"),
    ],
)
def test_values_that_do_not_fit_are_named(call, text):
    with pytest.raises(UserError, match=text):
        call()


def test_attention_over_patches_is_named_after_the_first_step_of_each():
    data = dl.load_dataset("mnist1d")
    model = dl.models.attention(data.input_shape, 10, units=4, patch=5)
    (picture,) = attention(View(data.facts, model=model, inputs=data.x_test[:1]))
    ax = picture.figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == [*map(str, range(0, 40, 5))]
    assert ax.images[0].get_array().shape == (8, 8)


# The page of a run


def test_a_run_on_sequences_has_its_steps_and_its_attention_on_a_page(run, tmp_path, capsys):
    assert visualize(["--run", str(run.path), "--images", "2", "--out", str(tmp_path)]) == 0
    names = {file.stem for file in tmp_path.glob("*.png")}
    assert {"saliency-1", "saliency-2", "attention-1", "attention-2"} <= names
    assert "left out" not in capsys.readouterr().err
    assert "Attention on" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_run_on_text_has_its_tokens_on_a_page(text_run, tmp_path, capsys):
    arguments = ["--run", str(text_run.path), "--images", "1", "--out", str(tmp_path)]
    assert visualize([*arguments, "--what", "saliency"]) == 0
    assert (tmp_path / "saliency-1.png").is_file()
    assert visualize([*arguments, "--what", "attention"]) == 1
    assert "attention: needs attention over steps, and this run has none" in capsys.readouterr().err
    assert visualize([*arguments, "--what", "cam"]) == 1
    assert "cam: needs images, and this run has none" in capsys.readouterr().err


def test_an_example_of_a_run_ends_where_its_sequence_does(run, text_run):
    from dlcourse.pictures.view import View

    x = run.load_dataset().x_test[:3]
    view = View(run.facts, model=run.model, inputs=x)
    assert [view.steps(k) for k in range(3)] == [int((each[:, 0] != PADDING).sum()) for each in x]
    text = View(text_run.facts, inputs=text_run.load_dataset().x_test[:1])
    assert text.tokens(0)[-1] == "film"
