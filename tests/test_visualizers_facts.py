"""Visualizers: what each method gives where the answer is known, by hand or by another way."""

# A method returns an array, or a list of them for a list of inputs; here it is always an array.
# pyright: reportOperatorIssue=false, reportCallIssue=false

import sys

import keras
import numpy as np
import pytest
from keras import layers
from scipy import ndimage

from dlcourse.visualizers import (
    class_activation_map,
    eigen_cam,
    feature_maps,
    filters,
    grad_cam,
    grad_cam_plus_plus,
    gradient_times_input,
    guided_backpropagation,
    integrated_gradients,
    layer_cam,
    neuron_activity,
    occlusion,
    rise,
    saliency,
    score_cam,
    smooth_grad,
)
from dlcourse.visualizers.backend import _COMPILED
from dlcourse.visualizers.resizing import resize

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(3, 4)).astype("float32")
IMAGES = RNG.random((3, 9, 9, 2)).astype("float32")
WEIGHTS = np.array([[1, -2], [-3, 4], [0, 0.5], [2, 2]], "float32")


@pytest.fixture(scope="module")
def linear():
    """Rows (4) → two logits and their softmax."""
    model = keras.Sequential([layers.Input((4,)), layers.Dense(2, activation="softmax")])
    model.set_weights([WEIGHTS, np.array([0.5, -1], "float32")])
    return model


@pytest.fixture(scope="module")
def cnn():
    """Two convolutions, two dense layers, three classes."""
    model = keras.Sequential(
        [
            layers.Input((9, 9, 2)),
            layers.Conv2D(3, 3, activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 2, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(5, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(2)  # the same weights on every backend
    model.set_weights([rng.normal(0.1, 0.5, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def squares():
    """Finds bright squares 2 × 2 by hand-set weights: channel 0 speaks for class 0, 1 for class 1.

    The kernel's four weights are 1 and its bias −3: it answers 1 to a square of ones, else 0.
    """
    model = keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.DepthwiseConv2D(2, activation="relu", name="squares"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    kernel = np.array([[5, -2], [-3, 4]], "float32")
    model.set_weights([np.ones((2, 2, 2, 1)), np.full(2, -3), kernel, np.array([0.25, -0.5])])
    return model


@pytest.fixture(scope="module")
def two_squares():
    """One image: a square of channel 0 at the top left, one of channel 1 at the bottom right."""
    image = np.zeros((1, 8, 8, 2), "float32")
    image[0, 1:3, 1:3, 0] = 1
    image[0, 5:7, 5:7, 1] = 1
    return image


def logit_of(model, x, index):
    """The logit of a class, less that of class 0: what the softmax takes of both drops out."""
    p = np.asarray(model(x), "float64")
    return np.log(p[:, index]) - np.log(p[:, 0])


# Gradients


def test_saliency_of_a_linear_model_is_the_absolute_weight(linear):
    np.testing.assert_array_equal(saliency(linear, ROWS, 1), np.abs(WEIGHTS.T[[1, 1, 1]]))
    mixed = saliency(linear, ROWS, [0, 1, 0])
    np.testing.assert_array_equal(mixed, np.abs(WEIGHTS.T[[0, 1, 0]]))


def test_without_a_class_the_predicted_one_is_asked(linear):
    predicted = np.argmax(ROWS @ WEIGHTS + [0.5, -1], axis=1)
    assert set(predicted) == {0, 1}
    np.testing.assert_array_equal(saliency(linear, ROWS), np.abs(WEIGHTS.T[predicted]))


def test_saliency_does_not_vanish_where_the_softmax_is_saturated(linear):
    far = ROWS + 100
    assert np.asarray(linear(far)).max() == 1  # the softmax's own gradient is 0 here
    np.testing.assert_array_equal(saliency(linear, far, 0), np.abs(WEIGHTS.T[[0, 0, 0]]))


def test_saliency_of_an_image_is_its_largest_channel():
    model = keras.Sequential([layers.Input((2, 2, 3)), layers.Flatten(), layers.Dense(1)])
    weights = np.arange(-6, 6, dtype="float32").reshape(12, 1)
    model.set_weights([weights, np.zeros(1)])
    found = saliency(model, np.ones((1, 2, 2, 3)))
    np.testing.assert_array_equal(found[0], np.abs(weights).reshape(2, 2, 3).max(axis=-1))


def test_gradient_times_input_keeps_the_sign(linear):
    np.testing.assert_allclose(gradient_times_input(linear, ROWS, 0), ROWS * WEIGHTS[:, 0])


def test_gradient_times_input_of_an_image_adds_its_channels():
    model = keras.Sequential([layers.Input((2, 2, 3)), layers.Flatten(), layers.Dense(1)])
    weights = np.arange(-6, 6, dtype="float32").reshape(12, 1)
    model.set_weights([weights, np.zeros(1)])
    image = RNG.random((1, 2, 2, 3)).astype("float32")
    expected = (image * weights.reshape(2, 2, 3)).sum(axis=-1)
    # atol: the sum of six terms up to 6, in float32
    np.testing.assert_allclose(gradient_times_input(model, image), expected, atol=2e-6)


def test_saliency_agrees_with_central_differences(cnn):
    step = np.float32(1e-2)
    image = IMAGES[:1]
    moved = []
    for sign in (1, -1):
        copies = np.repeat(image, image.size, axis=0).reshape(image.size, -1)
        copies[np.arange(image.size), np.arange(image.size)] += sign * step
        moved.append(logit_of(cnn, copies.reshape(-1, *image.shape[1:]), 2))
    slope = ((moved[0] - moved[1]) / (2 * step)).reshape(image.shape[1:])
    asked = [keras.ops.convert_to_numpy(g) for g in _gradient_difference(cnn, image, 2)]
    # float32 logits of about 1 differenced over 0.02 leave 1e-5; a ReLU's corner may lie between
    close = np.isclose(slope, asked, atol=1e-3)
    assert close.mean() > 0.9


def _gradient_difference(model, image, index):
    """The signed gradient of logit `index` minus logit 0, channels apart."""
    from dlcourse.visualizers.saliency import gradients
    from dlcourse.visualizers.targets import target_of

    found = [gradients(target_of(model, image, one))[0][0] for one in (index, 0)]
    return found[0] - found[1]


# Integrated gradients


def nets():
    """Models and inputs whose attributions must add up."""
    dense = [layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax")]
    rows = keras.Sequential([layers.Input((4,)), layers.Dense(8, activation="relu"), *dense])
    lstm = keras.Sequential([layers.Input((5, 3)), layers.LSTM(4), layers.Dense(3)])
    return {"rows": (rows, ROWS), "lstm": (lstm, RNG.normal(size=(3, 5, 3)).astype("float32"))}


@pytest.mark.parametrize("name", ["rows", "lstm", "images"])
@pytest.mark.parametrize("baseline", [0.0, 0.5, "array"])
def test_integrated_gradients_add_up_to_the_change_of_the_score(name, baseline, cnn):
    keras.utils.set_random_seed(2)
    model, x = {**nets(), "images": (cnn, IMAGES)}[name]
    start = RNG.random(x.shape[1:]).astype("float32") if baseline == "array" else baseline
    maps, gap = integrated_gradients(model, x, 1, baseline=start, return_gap=True)
    from dlcourse.visualizers.targets import class_scores, target_of

    blank = np.broadcast_to(np.asarray(start, "float32"), x.shape)
    change = class_scores(target_of(model, x, 1)) - class_scores(target_of(model, blank, 1))
    allowed = 1e-4 * np.maximum(1, np.abs(change))  # the promise of the docstring
    total = maps.reshape(3, -1).sum(axis=1)
    assert (np.abs(total - change) <= allowed + 1e-6).all()  # 1e-6: the sum in float32
    assert (np.abs(gap) <= allowed).all()
    np.testing.assert_allclose(gap, total - change, atol=2e-6)
    assert maps.shape == x.shape[: 3 if x.ndim == 4 else None]


def test_integrated_gradients_of_a_linear_model_are_exact_in_one_step(linear):
    maps, gap = integrated_gradients(linear, ROWS, 0, baseline=2, steps=1, return_gap=True)
    np.testing.assert_allclose(maps, (ROWS - 2) * WEIGHTS[:, 0], rtol=1e-6)  # float32
    np.testing.assert_allclose(gap, 0, atol=1e-5)  # scores of about 10 in float32


def test_too_few_steps_leave_a_gap_that_is_told(cnn):
    _, gap = integrated_gradients(cnn, 9 * IMAGES, 1, baseline=-3, steps=1, return_gap=True)
    assert np.abs(gap).max() > 1e-3


def test_the_path_is_divided_where_the_score_bends():
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, activation="relu")])
    model.set_weights([np.full((1, 1), 1e3), np.array([-300.1])])  # a corner at 0.3001
    maps, gap = integrated_gradients(model, np.ones((1, 1)), return_gap=True)
    np.testing.assert_allclose(maps, [[699.9]], rtol=1e-4)
    assert abs(gap[0]) <= 0.07


def test_a_score_that_jumps_is_warned_of():
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, activation=keras.ops.sign)])
    model.set_weights([np.ones((1, 1)), np.array([-0.3])])
    with pytest.warns(UserWarning, match="sum misses the score's change by 2 with 1344 steps"):
        integrated_gradients(model, np.ones((1, 1)))


# SmoothGrad


def test_smooth_grad_without_noise_is_saliency(cnn):
    # 20 equal gradients are added in float64 and divided: float32's last digit
    smooth = smooth_grad(cnn, IMAGES, 1, noise=0, samples=3)
    np.testing.assert_allclose(smooth, saliency(cnn, IMAGES, 1), rtol=1e-5, atol=1e-8)


def test_the_gradient_of_a_linear_model_has_no_variance(linear):
    np.testing.assert_allclose(smooth_grad(linear, ROWS, 0, kind="variance"), 0, atol=1e-12)
    square = smooth_grad(linear, ROWS, 0, kind="squared")
    np.testing.assert_allclose(square, WEIGHTS.T[[0, 0, 0]] ** 2)


def test_squared_is_the_variance_and_the_mean_squared(cnn):
    rows = {
        kind: smooth_grad(cnn, IMAGES[..., :], 1, kind=kind, samples=8)
        for kind in ("mean", "squared", "variance")
    }
    assert rows["variance"].max() > 0
    assert (rows["squared"] >= rows["variance"]).all()
    assert (rows["squared"] >= rows["mean"] ** 2 * (1 - 1e-5)).all()  # largest channels, rounded


def test_smooth_grad_is_decided_by_its_seed(cnn):
    first, again, other = (smooth_grad(cnn, IMAGES, 1, seed=seed, samples=4) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_noise_is_a_share_of_the_image_s_own_range():
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1, use_bias=False)])
    model.layers[0].activation = keras.ops.square
    model.set_weights([np.ones((2, 1))])
    # score (a + b)², gradient 2(a + b): its variance is 4 · 2 · (noise · (max − min))²
    found = smooth_grad(model, np.array([[0.0, 3.0]]), 0, kind="variance", samples=4000, noise=0.5)
    np.testing.assert_allclose(found, 8 * 1.5**2, rtol=0.1)  # 4,000 samples: 2.2% standard error


# Guided back-propagation


def guided_net(second):
    """Two rows of two ReLU units between one row of two values and one logit, without bias."""
    model = keras.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(2, activation="relu", use_bias=False),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([np.array([[1, -1], [2, 3]], "float32"), np.array(second, "float32")])
    return model


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([[2.0], [3.0]], [0.0, 13.0]),  # both units lit and positive: W1 @ W2 = (-1, 13), clipped
        ([[2.0], [-3.0]], [2.0, 4.0]),  # unit 1's gradient is negative: it is stopped
        ([[-2.0], [-3.0]], [0.0, 0.0]),
    ],
)
def test_guided_backpropagation_by_hand(second, expected):
    found = guided_backpropagation(guided_net(second), np.array([[1.0, 1.0]]), 0)
    np.testing.assert_array_equal(found, [expected])


def test_guided_backpropagation_stops_at_dark_units():
    # x = (1, −1): z = (1 − 2, −1 − 3) < 0
    found = guided_backpropagation(guided_net([[2.0], [3.0]]), np.array([[1.0, -1.0]]), 0)
    np.testing.assert_array_equal(found, [[0.0, 0.0]])


def test_guided_backpropagation_leaves_the_forward_pass_of_a_capped_relu_as_it_is():
    """ReLU(max_value=6) gives 6 for 8 and 10; the next layer sees 6 + 6 − 13 < 0 and stays dark."""
    model = keras.Sequential(
        [
            layers.Input((2,)),
            layers.ReLU(max_value=6),
            layers.Dense(1, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.set_weights([np.ones((2, 1)), np.array([-13]), np.ones((1, 1)), np.zeros(1)])
    np.testing.assert_array_equal(
        guided_backpropagation(model, np.array([[8.0, 10.0]]), 0), [[0.0, 0.0]]
    )


# Class activation maps


def test_the_class_activation_map_lies_on_the_class_s_own_square(squares, two_squares):
    for index, place in ((0, (1, 1)), (1, (5, 5))):
        cam = class_activation_map(squares, two_squares, index, enlarge=False)[0]
        assert cam.shape == (7, 7)
        assert np.unravel_index(cam.argmax(), cam.shape) == place
    cam = class_activation_map(squares, two_squares, 0, enlarge=False)[0]
    expected = np.zeros((7, 7))
    expected[1, 1], expected[5, 5] = 5, -3  # the class's own weights
    np.testing.assert_array_equal(cam, expected)


def test_the_mean_of_the_class_activation_map_and_the_bias_are_the_logit(squares):
    images = 2 * RNG.random((4, 8, 8, 2)).astype("float32")
    cams = [class_activation_map(squares, images, one, enlarge=False) for one in (0, 1)]
    logits = [cam.mean(axis=(1, 2)) + bias for cam, bias in zip(cams, (0.25, -0.5), strict=True)]
    expected = logit_of(squares, images, 1)
    np.testing.assert_allclose(logits[1] - logits[0], expected, atol=1e-5)  # float32 softmax


def test_one_logit_without_sigmoid_keeps_its_own_weights():
    model = keras.Sequential(
        [layers.Input((2, 2, 1)), layers.Conv2D(1, 1), layers.GlobalAveragePooling2D()]
    )
    model.add(layers.Dense(1))
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1), np.array([[3.0]]), np.zeros(1)])
    np.testing.assert_array_equal(class_activation_map(model, np.ones((1, 2, 2, 1)), 0), 3)


def test_grad_cam_is_the_class_activation_map_by_the_number_of_places(squares, two_squares):
    for index in (0, 1):
        cam = class_activation_map(squares, two_squares, index)
        found = grad_cam(squares, two_squares, index)
        # The pooling's mean gives each place a gradient of w / 49.
        coarse = class_activation_map(squares, two_squares, index, enlarge=False)
        # A place of the 2×2 kernel lies in the middle of its four pixels, a quarter on each.
        places = np.pad(np.maximum(coarse[0], 0) / 4, 1)
        expected = places[1:, 1:] + places[:-1, 1:] + places[1:, :-1] + places[:-1, :-1]
        np.testing.assert_allclose(found[0], expected / 49, atol=1e-6)  # float32
        assert (cam < 0).any()


def test_grad_cam_shows_no_evidence_against_the_class(squares, two_squares):
    only_other = two_squares.copy()
    only_other[..., 0] = 0
    assert not grad_cam(squares, only_other, 0).any()
    assert grad_cam(squares, only_other, 1).max() > 0


def test_grad_cam_asks_the_last_convolution(cnn):
    found = grad_cam(cnn, IMAGES, 1)
    np.testing.assert_array_equal(found, grad_cam(cnn, IMAGES, 1, layer="second"))
    assert grad_cam(cnn, IMAGES, 1, enlarge=False).shape == (3, 2, 2)
    assert grad_cam(cnn, IMAGES, 1, layer=0, enlarge=False).shape == (3, 7, 7)
    np.testing.assert_array_equal(
        grad_cam(cnn, IMAGES, 1, layer=cnn.layers[0]), grad_cam(cnn, IMAGES, 1, layer="first")
    )


@pytest.fixture(scope="module")
def maps_and_gradient(cnn):
    """The second convolution's maps, and the score's gradient by hand through two dense layers."""
    maps = feature_maps(cnn, IMAGES, "second")["second"]
    w1, b1, w2, _ = cnn.get_weights()[4:]
    lit = maps.reshape(3, -1) @ w1 + b1 > 0
    gradient = (lit * w2[:, 1]) @ w1.T
    return maps, gradient.reshape(maps.shape)


def test_grad_cam_is_its_formula(cnn, maps_and_gradient):
    maps, gradient = maps_and_gradient
    weights = gradient.mean(axis=(1, 2))
    expected = np.maximum((maps * weights[:, None, None]).sum(axis=-1), 0)
    found = grad_cam(cnn, IMAGES, 1, enlarge=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)  # float32
    assert found.max() > 0


def test_layer_cam_is_its_formula(cnn, maps_and_gradient):
    maps, gradient = maps_and_gradient
    expected = (np.maximum(gradient, 0) * maps).sum(axis=-1)
    np.testing.assert_allclose(layer_cam(cnn, IMAGES, 1, enlarge=False), expected, atol=1e-6)


def test_grad_cam_plus_plus_is_its_formula(cnn, maps_and_gradient):
    maps, gradient = maps_and_gradient
    expected = np.zeros(maps.shape[:3])
    for n, channel in np.ndindex(3, maps.shape[-1]):
        a, g = maps[n, :, :, channel], gradient[n, :, :, channel]
        with np.errstate(invalid="ignore"):
            alpha = np.nan_to_num(g**2 / (2 * g**2 + a.sum() * g**3))
        expected[n] += (alpha * np.maximum(g, 0)).sum() * a
    found = grad_cam_plus_plus(cnn, IMAGES, 1, enlarge=False)
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-4, atol=1e-6)


def test_eigen_cam_is_the_first_principal_direction(cnn):
    maps = feature_maps(cnn, IMAGES, "second")["second"].astype("float64")
    found = eigen_cam(cnn, IMAGES, enlarge=False)
    for a, cam in zip(maps.reshape(3, -1, 4), found, strict=True):
        values, directions = np.linalg.eigh(a.T @ a)
        expected = a @ directions[:, values.argmax()]
        expected *= np.sign(expected.sum())
        np.testing.assert_allclose(cam.ravel(), np.maximum(expected, 0), atol=1e-5)
    np.testing.assert_array_equal(found, eigen_cam(cnn, IMAGES, 2, enlarge=False))


def test_score_cam_is_its_loop(cnn):
    maps = feature_maps(cnn, IMAGES, "second")["second"]
    expected = np.zeros(maps.shape[:3])
    for n, channel in np.ndindex(3, maps.shape[-1]):
        a = maps[n, :, :, channel]
        if a.max() == a.min():
            mask = np.zeros((9, 9))
        else:
            mask = ndimage.zoom((a - a.min()) / (a.max() - a.min()), 4.5, order=1)
        image = (IMAGES[n] * mask[..., None]).astype("float32")
        expected[n] += np.asarray(cnn(image[None]))[0, 1] * a
    found = score_cam(cnn, IMAGES, 1, enlarge=False)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)
    assert found.max() > 0


# Covering the image


def test_occlusion_of_a_linear_model_by_hand():
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    weights = np.arange(16, dtype="float32")
    model.set_weights([weights[:, None], np.ones(1)])
    found = occlusion(model, np.ones((1, 4, 4, 1)), 0, patch=2, stride=2)
    sums = weights.reshape(2, 2, 2, 2).sum(axis=(1, 3))  # a patch's weights: what its cover takes
    np.testing.assert_allclose(found[0], np.kron(sums, np.ones((2, 2))), rtol=1e-6)  # float32
    assert not occlusion(model, np.ones((1, 4, 4, 1)), 0, patch=2, value=1).any()
    single = occlusion(model, np.ones((1, 4, 4, 1)), 0, patch=1)
    np.testing.assert_allclose(single[0].ravel(), weights, atol=1e-4)  # differences of 121 − w


def test_overlapping_patches_are_averaged():
    model = keras.Sequential([layers.Input((3, 1)), layers.Flatten(), layers.Dense(1)])
    model.set_weights([np.array([[1.0], [2.0], [4.0]]), np.zeros(1)])
    # patches (0, 1) and (1, 2) take 3 and 6
    found = occlusion(model, np.ones((1, 3, 1)), 0, patch=2, stride=1)
    np.testing.assert_allclose(found, [[3, 4.5, 6]], rtol=1e-6)


def test_the_last_patch_ends_at_the_edge():
    model = keras.Sequential([layers.Input((5, 1)), layers.Flatten(), layers.Dense(1)])
    model.set_weights([np.ones((5, 1)), np.zeros(1)])
    found = occlusion(model, np.ones((1, 5, 1)), 0, patch=2, stride=2)
    np.testing.assert_allclose(found, [[2, 2, 2, 2, 2]], rtol=1e-6)


def test_score_cam_of_a_layer_that_answers_to_nothing_is_zero():
    conv = layers.Conv2D(2, 3, activation="relu")
    model = keras.Sequential([layers.Input((6, 6, 1)), conv, layers.Flatten(), layers.Dense(2)])
    conv.set_weights([np.zeros((3, 3, 1, 2)), -np.ones(2)])
    assert not score_cam(model, np.ones((2, 6, 6, 1)), 0).any()


def test_score_cam_is_traced_once_however_many_maps_answer():
    conv = layers.Conv2D(3, 1, activation="relu")
    model = keras.Sequential([layers.Input((4, 4, 1)), conv, layers.Flatten(), layers.Dense(2)])
    conv.set_weights([np.array([[[[1.0, 1.0, -1.0]]]]), np.zeros(3)])
    score_cam(model, np.ones((1, 4, 4, 1)), 0)  # two maps answer
    before = set(_COMPILED[model])
    score_cam(model, -np.ones((1, 4, 4, 1)), 0)  # one does
    assert set(_COMPILED[model]) == before


def test_rise_is_the_mean_mask_weighted_by_the_class_s_probability(squares, monkeypatch):
    masks = RNG.random((5, 8, 8)).astype("float32")
    module = sys.modules["dlcourse.visualizers.rise"]  # the function shadows it
    monkeypatch.setattr(module, "_random_masks", lambda *_: masks)
    images = 2 * RNG.random((2, 8, 8, 2)).astype("float32")
    found = rise(squares, images, 1, masks=5)
    for image, one in zip(images, found, strict=True):
        chances = np.asarray(squares(image * masks[..., None]))[:, 1]
        expected = np.einsum("m,mhw->hw", chances, masks) / masks.sum(axis=0)
        np.testing.assert_allclose(one, expected, rtol=1e-5)  # float32


def test_rise_of_a_model_that_is_always_sure_is_flat():
    model = keras.Sequential([layers.Input((6, 6, 1)), layers.Flatten(), layers.Dense(1)])
    model.add(layers.Activation("sigmoid"))
    model.set_weights([np.zeros((36, 1)), np.full(1, 50)])
    found = rise(model, np.ones((1, 6, 6, 1)), 1, masks=400, cells=3)
    np.testing.assert_allclose(found, 1, rtol=1e-5)  # float32
    assert not rise(model, np.ones((1, 6, 6, 1)), 0, masks=30).round(5).any()


def test_rise_is_decided_by_its_seed_and_finds_the_square(squares, two_squares):
    found = [rise(squares, two_squares, 1, masks=300, cells=4, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0
    assert found[0][0, 5:7, 5:7].mean() > found[0][0, 1:3, 1:3].mean()


# Sizes


@pytest.mark.parametrize("before", [(1, 1), (1, 4), (2, 3), (7, 7), (9, 5)])
@pytest.mark.parametrize("after", [(7, 7), (28, 30), (1, 3), (4, 2)])
def test_resize_is_scipy_s_zoom_of_order_1(before, after):
    maps = RNG.normal(size=(2, *before)).astype("float32")
    zoom = [1, *(b / a for a, b in zip(before, after, strict=True))]
    expected = ndimage.zoom(maps, zoom, order=1)
    np.testing.assert_allclose(resize(maps, after), expected, atol=1e-6)  # float32


def test_resize_keeps_corners_range_and_sequences():
    maps = RNG.random((2, 5)).astype("float32")
    large = resize(maps, (13,))
    np.testing.assert_allclose(large[:, ::3], maps, atol=1e-6)  # every third value is an old one
    assert large.min() >= maps.min() - 1e-6
    assert large.max() <= maps.max() + 1e-6
    assert resize(maps, (5,)) == pytest.approx(maps)


# Layers


def test_feature_maps_are_the_layers_outputs(squares, two_squares):
    maps = feature_maps(squares, two_squares)
    assert list(maps) == ["squares"]
    expected = np.zeros((1, 7, 7, 2))
    expected[0, 1, 1, 0] = expected[0, 5, 5, 1] = 1
    np.testing.assert_array_equal(maps["squares"], expected)
    assert maps["squares"].dtype == "float32"


def test_feature_maps_follow_the_order_of_the_layers(cnn):
    maps = feature_maps(cnn, IMAGES)
    assert [one.shape for one in maps.values()] == [(3, 7, 7, 3), (3, 3, 3, 3), (3, 2, 2, 4)]
    asked = feature_maps(cnn, IMAGES, ["second", -1])
    assert list(asked) == ["second", cnn.layers[-1].name]
    np.testing.assert_allclose(asked[cnn.layers[-1].name], cnn(IMAGES), rtol=1e-5)  # compiled


def test_filters_are_the_kernel(cnn):
    np.testing.assert_array_equal(filters(cnn), cnn.layers[0].get_weights()[0])
    assert filters(cnn, "second").shape == (2, 2, 3, 4)
    assert filters(cnn, cnn.layers[-1]).shape == (5, 3)
    found = filters(cnn)
    found[:] = 0
    assert cnn.get_weights()[0].any()


def test_neuron_activity_is_an_output_or_a_map_s_mean(squares, two_squares):
    activity = neuron_activity(squares, two_squares)
    found = list(activity.values())
    np.testing.assert_allclose(found[0], [[1 / 49, 1 / 49]], rtol=1e-6)
    np.testing.assert_allclose(found[1], squares(two_squares), rtol=1e-5)
