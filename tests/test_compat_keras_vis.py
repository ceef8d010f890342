"""keras-vis' names: the formulas by hand, and the calls of its MNIST notebooks."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlcourse.compat.keras_vis import backprop_modifiers, grad_modifiers
from dlcourse.compat.keras_vis.callbacks import GifGenerator, OptimizerCallback
from dlcourse.compat.keras_vis.input_modifiers import Jitter
from dlcourse.compat.keras_vis.losses import ActivationMaximization, Loss
from dlcourse.compat.keras_vis.optimizer import Optimizer
from dlcourse.compat.keras_vis.regularizers import LPNorm, TotalVariation
from dlcourse.compat.keras_vis.utils import utils
from dlcourse.compat.keras_vis.visualization import (
    get_num_filters,
    overlay,
    visualize_activation,
    visualize_cam,
    visualize_cam_with_losses,
    visualize_saliency,
    visualize_saliency_with_losses,
)

IMAGE = np.random.default_rng(0).random((14, 14, 1)).astype("float32")


def mnist_like():
    """The notebooks' network, smaller, its softmax swapped as they do it."""
    stack = [
        layers.Conv2D(6, 3, activation="relu"),
        layers.Conv2D(6, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dense(10, activation="softmax", name="preds"),
    ]
    keras.utils.set_random_seed(0)  # some weights leave every unit of the last layers silent
    model = keras.Sequential([keras.Input((14, 14, 1)), *stack])
    model.layers[utils.find_layer_idx(model, "preds")].activation = keras.activations.linear
    return utils.apply_modifications(model)


MODEL = mnist_like()
PREDS = utils.find_layer_idx(MODEL, "preds")


def test_a_linear_model_s_saliency_is_its_weight():
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2)])
    model.set_weights([np.array([[1.0, 0], [-4, 0], [2, 0], [0, 0]]), np.zeros(2)])
    seed = np.ones((2, 2, 1))
    found = visualize_saliency(model, -1, 0, seed)
    np.testing.assert_allclose(found, [[0.25, 1.0], [0.5, 0.0]], atol=1e-6)
    found = visualize_saliency(model, -1, 0, seed, grad_modifier="negate")
    np.testing.assert_allclose(found, [[1 / 6, 1.0], [0.0, 1 / 3]], atol=1e-6)


def test_guided_and_rectified_gradients_by_hand():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, "relu", kernel_initializer="Identity")]
    )
    x = np.array([[1.0, -1.0, 1.0]], "float32")
    import tensorflow as tf

    for modifier, expected in (("guided", [2, 0, 0]), ("relu", [2, 3, 0])):
        copy = backprop_modifiers.get(modifier)(model)
        with tf.GradientTape() as tape:
            point = tf.constant(x)
            tape.watch(point)
            score = tf.reduce_sum(copy(point) * [2.0, 3.0, -1.0])
        np.testing.assert_allclose(np.asarray(tape.gradient(score, point)), [expected])
    assert model.layers[0].activation is keras.activations.relu


def test_losses_by_hand():
    x = ops.reshape(ops.arange(4, dtype="float32"), (1, 2, 2, 1))
    assert float(TotalVariation(None).value(x)) == pytest.approx((1 + 4) / 4)
    assert float(LPNorm(None, p=2).value(x)) == pytest.approx(14**0.5 / 4)
    assert float(LPNorm(None, p=np.inf).value(x)) == pytest.approx(3 / 4)
    maximization = ActivationMaximization(None, [0, 1])
    assert float(maximization.value(None, ops.array([[1.0, 2.0, 9.0]]))) == pytest.approx(-3)


class Losses(OptimizerCallback):
    def __init__(self):
        self.seen, self.ended = [], False

    def callback(self, i, named_losses, overall_loss, *others):
        wrt_value = others[1]
        self.seen.append((i, dict(named_losses), float(overall_loss), wrt_value.shape))

    def on_end(self):
        self.ended = True


def test_an_ascent_raises_the_filter_s_output():
    losses = Losses()
    visualize_activation(MODEL, PREDS, 3, tv_weight=0.0, lp_norm_weight=0.0, callbacks=[losses])
    assert losses.ended
    assert len(losses.seen) == 200
    assert losses.seen[-1][2] < losses.seen[0][2]
    assert set(losses.seen[0][1]) == {"ActivationMax Loss"}


@pytest.mark.parametrize("tv_weight", [1e-3, 1e-1, 10])
def test_the_notebooks_sweep_of_smoothness(tv_weight):
    image = visualize_activation(
        MODEL,
        PREDS,
        filter_indices=0,
        input_range=(0.0, 1.0),
        tv_weight=tv_weight,
        lp_norm_weight=0.0,
        max_iter=5,
    )
    assert image.shape == (14, 14, 1)
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() <= 1


def test_the_notebooks_jitter_animation_and_printing(tmp_path, capsys):
    path = tmp_path / "progress"
    image = visualize_activation(
        MODEL,
        PREDS,
        filter_indices=[1, 2],
        max_iter=3,
        input_modifiers=[Jitter(4)],
        callbacks=[GifGenerator(str(path))],
        verbose=True,
    )
    assert image.dtype == np.uint8
    assert capsys.readouterr().out.count("ActivationMax Loss") == 3
    assert path.with_suffix(".gif").stat().st_size > 0


@pytest.mark.parametrize("backprop", [None, "guided", "relu"])
def test_the_notebooks_attention(backprop):
    weights = MODEL.get_weights()
    for grad in (None, "absolute", "negate", "relu", "small_values"):
        found = visualize_saliency(
            MODEL, PREDS, 0, IMAGE, backprop_modifier=backprop, grad_modifier=grad
        )
        assert found.shape == (14, 14)
        assert 0 <= found.min() < found.max() <= 1
    found = visualize_cam(MODEL, PREDS, 0, IMAGE, backprop_modifier=backprop)
    assert found.shape == (14, 14)
    for old, new in zip(weights, MODEL.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert MODEL.layers[0].activation is keras.activations.relu


def test_a_class_activation_map_by_hand():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(2, 1, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([np.array([[[[1.0, 2.0]]]]), np.array([[1.0], [-0.25]])])
    image = np.eye(4)[..., None]
    np.testing.assert_allclose(visualize_cam(model, -1, 0, image), np.eye(4), atol=1e-5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution = layers.Conv2D(3, 3, activation="relu")
        self.head = layers.Dense(4)

    def call(self, x):
        return self.head(ops.mean(self.convolution(x), axis=(1, 2)))


def nested():
    base = keras.Sequential([keras.Input((14, 14, 1)), layers.Conv2D(3, 3, activation="relu")])
    return keras.Sequential([keras.Input((14, 14, 1)), base, layers.Flatten(), layers.Dense(4)])


@pytest.mark.parametrize("build", [Subclassed, nested])
def test_other_kinds_of_models(build):
    model, seed = build(), IMAGE[None]  # a subclassed model does not say whether n is missing
    assert visualize_saliency(model, -1, 0, seed).shape == (14, 14)
    assert visualize_cam(model, -1, 0, seed).shape == (14, 14)
    seeded = {"seed_input": seed, "max_iter": 3, "input_range": (0.0, 1.0)}
    assert visualize_activation(model, -1, 0, **seeded).shape == (14, 14, 1)


class MeanSquare(Loss):
    def __init__(self, image):
        super().__init__("mean square")
        self.image = image

    def build_loss(self):
        return ops.mean(ops.square(self.image))


def test_losses_of_one_s_own_on_the_model_s_tensors():
    image = MODEL.inputs[0]
    losses = [
        (ActivationMaximization(MODEL.layers[PREDS], 1), 1),
        (LPNorm(image), 10),
        (MeanSquare(image), 2),
    ]
    found, gradient, value = Optimizer(image, losses, (0.0, 1.0)).minimize(
        max_iter=3, verbose=False
    )
    assert found.shape == (14, 14, 1)
    assert gradient.shape == value.shape == (1, 14, 14, 1)
    assert visualize_saliency_with_losses(image, losses[:1], IMAGE).shape == (14, 14)
    cam = visualize_cam_with_losses(image, losses[:1], IMAGE, MODEL.layers[1])
    assert cam.shape == (14, 14)


def test_small_functions():
    sheet = utils.stitch_images([IMAGE] * 7, margin=2, cols=3)
    assert sheet is not None
    assert sheet.shape == (3 * 14 + 2 * 2, 3 * 14 + 2 * 2, 1)
    assert utils.stitch_images([]) is None
    np.testing.assert_array_equal(overlay(np.full(3, 8), np.zeros(3), 0.25), [2, 2, 2])
    np.testing.assert_allclose(utils.normalize([1.0, 3.0], -1, 1), [-1, 1], atol=1e-6)
    noise = utils.random_array((50,), mean=3, std=2)
    assert (noise.mean(), noise.std()) == (pytest.approx(3, abs=1e-4), pytest.approx(2, abs=1e-4))
    assert utils.get_img_shape(np.zeros((1, 2, 3, 4))) == (1, 4, 2, 3)
    text = utils.draw_text(np.zeros((40, 80), "uint8"), "seven", color=255)
    assert text.max() == 255
    assert get_num_filters(MODEL.layers[0]) == 6
    assert list(utils.reverse_enumerate("ab")) == [(1, "b"), (0, "a")]
    assert grad_modifiers.get("invert")(np.array([4.0])) == pytest.approx(0.25)
    rolled = Jitter(0.5).pre(IMAGE[None])
    np.testing.assert_allclose(np.sort(rolled.ravel()), np.sort(IMAGE.ravel()))


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"no layer 'pred' \(did you mean 'preds'"):
        utils.find_layer_idx(MODEL, "pred")
    with pytest.raises(ValueError, match="could not interpret the identifier 'negat'"):
        visualize_saliency(MODEL, PREDS, 0, IMAGE, grad_modifier="negat")
    with pytest.raises(ValueError, match="same shapes"):
        overlay(IMAGE, IMAGE[:3])
    with pytest.raises(ValueError, match=r"between \[0, 1\]"):
        overlay(IMAGE, IMAGE, 2)
    with pytest.raises(ValueError, match="expected one input of shape"):
        visualize_saliency(MODEL, PREDS, 0, np.zeros((2, 14, 14, 1)))
    with pytest.raises(ValueError, match="Unable to determine penultimate"):
        visualize_cam(MODEL, 0, 0, IMAGE)
    with pytest.raises(ValueError, match="needs to be before"):
        visualize_cam(MODEL, 2, 0, IMAGE, penultimate_layer_idx=4)
    with pytest.raises(ValueError, match="cannot clone"):
        visualize_saliency(Subclassed(), -1, 0, IMAGE, backprop_modifier="guided")
    with pytest.raises(ValueError, match="pass a seed_input"):
        visualize_activation(Subclassed(), -1, 0)


def test_the_gradient_is_divided_by_its_l2_norm():
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(1)])
    model.set_weights([np.array([[3.0], [0], [-4], [0]]), np.zeros(1)])
    losses = [(ActivationMaximization(model.layers[-1], 0), 1)]
    _, gradient, _ = Optimizer(model, losses).minimize(np.ones((2, 2, 1)), 1, verbose=False)
    np.testing.assert_allclose(gradient.ravel(), [-0.6, 0, 0.8, 0], atol=1e-6)


def test_the_modules_of_the_pictures_have_their_names():
    from dlcourse.compat.keras_vis.visualization import activation_maximization, saliency

    assert saliency.visualize_saliency is visualize_saliency
    assert saliency.visualize_cam is visualize_cam
    assert activation_maximization.visualize_activation is visualize_activation


@pytest.mark.parametrize("draw", [visualize_saliency, visualize_cam, visualize_activation])
def test_a_missing_filter_is_told_in_one_line(draw):
    images = {} if draw is visualize_activation else {"seed_input": IMAGE}
    with pytest.raises(ValueError, match=r"^filter_indices: layer preds has filters 0 to 9, got "):
        draw(MODEL, PREDS, 10, **images)
