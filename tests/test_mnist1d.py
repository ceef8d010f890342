"""MNIST-1D: the steps from a template to a signal, and agreement with the authors' generator."""

import sys
import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from dlcourse.datasets import load_dataset
from dlcourse.datasets.mnist1d import GRID, SHIFTS, _draw, mnist1d, templates
from dlcourse.errors import DatasetError

MODULE = sys.modules["dlcourse.datasets.mnist1d"]  # the function hides it in the package


@pytest.fixture
def without(monkeypatch):
    """Signals without chance, but for what a test asks for; they are not standardised."""

    def draw(n=10, **chance):
        still = {"NOISE": 0, "WHITE_NOISE": 0, "SHEAR": 0, "SCALE": 0, "SHIFTS": 1, "STEPS": GRID}
        still |= {"PADDING": (60, 60), "MEAN": 0, "DEVIATION": 1}
        for name, value in (still | chance).items():
            monkeypatch.setattr(MODULE, name, value)
        return _draw(n, (1, 0))[0][..., 0]

    return draw


# Facts worked by hand


def test_a_template_starts_and_ends_at_zero_with_a_deviation_of_one_sixth():
    assert templates().shape == (10, 12)
    assert not templates()[:, [0, -1]].any()
    np.testing.assert_allclose(templates().std(axis=1), 1 / 6, rtol=1e-12)  # rounding
    # 4 has the points 5, 4.4, …; 8 and 9 begin alike.
    four = np.array([5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5])
    np.testing.assert_allclose(templates()[4], (four - 5) / four.std() / 6, atol=1e-12)


def test_without_chance_a_signal_is_its_template_and_60_zeros(without):
    expected = np.pad(templates(), ((0, 0), (0, 60)))
    np.testing.assert_allclose(without(), expected, atol=1e-6)  # float32


def test_less_padding_stretches_the_template(without):
    # 48 points become 72: the last point of the template, number 11, lies at 11 · 71 / 47.
    signals = without(PADDING=(36, 36))
    ends = np.abs(signals[0]).nonzero()[0]
    assert (ends.min(), ends.max()) == (1, int(11 * 71 / 47))


def test_a_shift_moves_the_signal_round_by_up_to_47_points(without):
    still, moved = np.fft.rfft(without(2000)), np.fft.rfft(without(2000, SHIFTS=SHIFTS))
    shifts = np.fft.irfft(moved * still.conj(), GRID).argmax(axis=1)  # where they agree best
    assert np.unique(shifts).tolist() == list(range(48))  # one lacks with a probability of 2e-17


def test_scale_and_shear_are_uniform_in_their_ranges(without):
    sizes = [np.abs(without(2000, SCALE=scale)).sum(axis=1) for scale in (0.4, 0)]
    ratios = sizes[0] / sizes[1]
    slopes = np.diff(without(2000, SHEAR=0.75) - without(2000), axis=1) * (GRID - 1)
    np.testing.assert_allclose(slopes, slopes[:, :1] * np.ones(GRID - 1), atol=1e-4)  # lines
    for got, middle, half in ((ratios, 1, 0.2), (slopes[:, 0], 0, 0.375)):
        # The ends of 2,000 numbers lie within 1 % of those of the range.
        assert middle - half <= got.min() + 1e-5 < middle - 0.98 * half
        assert middle + half >= got.max() - 1e-5 > middle + 0.98 * half


def test_smooth_noise_fills_what_is_not_template_and_white_noise_is_everywhere(without):
    smooth = without(5000, NOISE=0.25)
    assert not smooth[:, :1].any()
    np.testing.assert_allclose(smooth[:, :12], without(5000)[:, :12], atol=1e-6)  # float32
    # A Gaussian of width s leaves 1 / (2 s sqrt(pi)) of the variance and, two steps apart, a
    # correlation of exp(-(2 / 2s)^2); both are measured here on 5,000 · 40 values.
    inner = smooth[:, 20:60]
    assert inner.var() == pytest.approx(0.25**2 / (4 * np.sqrt(np.pi)), rel=0.03)
    pairs = np.corrcoef(inner[:, :-2].ravel(), inner[:, 2:].ravel())[0, 1]
    assert pairs == pytest.approx(np.exp(-1 / 4), abs=0.02)
    assert (without(5000, WHITE_NOISE=0.02) - without(5000)).std() == pytest.approx(0.02, rel=0.02)


# Agreement with the authors' package mnist1d 0.0.2 (40,000 signals of the seeds 42 to 49)

DEVIATIONS = [1.193, 0.873, 0.841, 1.003, 0.885, 0.841, 1.194, 0.875, 0.999, 0.903]  # by class
SPECTRUM = [0.166, 0.254, 0.157, 0.112, 0.078, 0.056, 0.042, 0.033]  # shares of the power
SCORES = {"logistic": 0.321, "svm": 0.555, "forest": 0.766}  # means of the eight seeds


def test_signals_are_distributed_as_the_authors():
    x, y = _draw(40_000, (1, 0))
    # The authors' and these: each deviation has an error of about 0.5 %.
    got = [x[y == digit].std() for digit in range(10)]
    np.testing.assert_allclose(got, DEVIATIONS, rtol=0.02)
    power = (np.abs(np.fft.rfft(x[..., 0], axis=1)) ** 2).mean(axis=0)
    np.testing.assert_allclose(power[: len(SPECTRUM)] / power.sum(), SPECTRUM, rtol=0.03)
    assert x.mean() == pytest.approx(0, abs=0.01)
    assert x.std() == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_models_score_as_on_the_authors_data():
    data = load_dataset("mnist1d")
    x, y = np.concatenate([data.x_train, data.x_val])[..., 0], np.r_[data.y_train, data.y_val]
    models = (LogisticRegression(max_iter=1000), SVC(), RandomForestClassifier(random_state=0))
    for model, expected in zip(models, SCORES.values(), strict=True):
        got = model.fit(x, y).score(data.x_test[..., 0], data.y_test)
        assert got == pytest.approx(expected, abs=0.045)  # three deviations of a fraction of 1,000


# The contract


def test_the_usual_size_is_4000_for_training_and_1000_for_the_test():
    data = load_dataset("mnist1d")
    assert [x.shape for x, _ in data.splits.values()] == [
        (3400, 40, 1),
        (600, 40, 1),
        (1000, 40, 1),
    ]
    assert data.class_names == tuple("0123456789")
    assert np.bincount(data.y_test).tolist() == [100] * 10


def test_the_test_signals_are_one_whatever_the_seed_and_the_others_are_not():
    one, two = mnist1d(1), mnist1d(2)
    np.testing.assert_array_equal(one.x_test, two.x_test)
    assert not np.array_equal(one.x_train, two.x_train)


def test_the_signals_take_less_than_a_second():
    start = time.perf_counter()
    mnist1d()
    assert time.perf_counter() - start < 1  # 0.02 s on one core


def test_too_few_signals_are_an_error_of_one_line():
    with pytest.raises(DatasetError, match=r"mnist1d: class '[0-9]' has 1 example left") as error:
        load_dataset("mnist1d", n=20)
    assert "\n" not in str(error.value)
