import numpy as np
import pytest

from dlcourse.lessons.maths.attention import self_attention, self_attention_backward
from dlcourse.lessons.maths.calculus import gradient

rng = np.random.default_rng(0)
EYE, ZEROS = np.eye(2), np.zeros(2)
PLAIN = (EYE, ZEROS, EYE, ZEROS, EYE, ZEROS, EYE, ZEROS)
SHAPES = ((3, 4), (4,), (3, 4), (4,), (3, 5), (5,), (5, 2), (2,))  # d = 4, v = 5, k = 2
RANDOM = [rng.normal(size=shape) for shape in SHAPES]


def test_attention_by_hand():
    # queries, keys and values are the tokens: the scores are 0 and 1/√2 · 2² on the diagonal
    a = self_attention([[2.0, 0.0], [0.0, 2.0]], PLAIN)
    high = np.exp(4 / np.sqrt(2)) / (np.exp(4 / np.sqrt(2)) + 1)
    assert a.scores == pytest.approx(np.array([[4, 0], [0, 4]]) / np.sqrt(2), rel=1e-12)
    assert a.weights == pytest.approx(np.array([[high, 1 - high], [1 - high, high]]), rel=1e-12)
    assert a.output == pytest.approx(2 * a.weights, rel=1e-12)


def test_equal_keys_give_the_mean_of_the_values():
    parameters = list(PLAIN)
    parameters[2] = np.zeros((2, 2))
    a = self_attention([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]], parameters)
    assert a.weights == pytest.approx(np.full((3, 3), 1 / 3), rel=1e-12)
    assert a.output == pytest.approx(np.full((3, 2), [3, 2]), rel=1e-12)


def test_a_causal_mask_hides_what_comes_later_and_a_padding_mask_the_padding():
    X, longer = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    longer[:4] = X
    causal = self_attention(longer, RANDOM, causal=True)
    assert not np.triu(causal.weights, 1).any()
    assert causal.output[:4] == pytest.approx(self_attention(X, RANDOM, causal=True).output)
    masked = self_attention(longer, RANDOM, mask=[True] * 4 + [False] * 2)
    assert not masked.weights[:, 4:].any()
    assert masked.output[:4] == pytest.approx(self_attention(X, RANDOM).output)


def test_attention_has_no_sense_of_order():
    X, order = rng.normal(size=(5, 3)), [3, 0, 4, 1, 2]
    turned = self_attention(X[order], RANDOM).output
    assert turned == pytest.approx(self_attention(X, RANDOM).output[order], rel=1e-12)


def test_a_batch_is_its_sequences_one_by_one():
    X, mask = rng.normal(size=(2, 4, 3)), np.array([[1, 1, 1, 0], [1, 0, 1, 1]], bool)
    whole = self_attention(X, RANDOM, mask=mask).output
    for i in range(2):
        assert whole[i] == pytest.approx(self_attention(X[i], RANDOM, mask=mask[i]).output)


MASKS = {"none": {}, "causal": {"causal": True}, "padding": {"mask": [True, False, True, True]}}
MASKS["all hidden"] = {"mask": [False] * 4}
MASKS["both"] = MASKS["causal"] | MASKS["padding"]


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_the_gradient_is_that_of_differences(name, batch):
    settings = dict(MASKS[name])
    if "mask" in settings:
        settings["mask"] = np.tile(settings["mask"], (*batch, 1))
    X, doutput = rng.normal(size=(*batch, 4, 3)), rng.normal(size=(*batch, 4, 2))
    found = self_attention_backward(X, RANDOM, doutput, **settings)

    def cost(k, value):
        parameters = [value if i == k else old for i, old in enumerate(RANDOM)]
        x = value if k is None else X
        return (self_attention(x, parameters, **settings).output * doutput).sum()

    differences = [gradient(lambda v, k=k: cost(k, v), RANDOM[k]) for k in range(8)]
    for mine, theirs in zip(found.dparameters, differences, strict=True):
        assert np.allclose(mine, theirs, rtol=1e-6, atol=1e-9)
    assert np.allclose(found.dX, gradient(lambda v: cost(None, v), X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (0, np.ones((2, 4)), r"W_q: expected shape \(3, d\) or \(3, 1, d\), got \(2, 4\)"),
        (0, np.ones((3, 2, 4)), r"W_q: expected shape .*, got \(3, 2, 4\)"),  # two heads
        (1, np.ones(3), r"b_q: expected shape \(4,\) or \(1, 4\), got \(3,\)"),
        (2, np.ones((3, 5)), r"W_k: expected shape \(3, 4\) or \(3, 1, 4\), got \(3, 5\)"),
        (6, np.ones((4, 2)), r"W_o: expected shape \(5, k\) or \(1, 5, k\), got \(4, 2\)"),
        (7, np.ones(5), r"b_o: expected shape \(2,\), got \(5,\)"),
    ],
)
def test_an_error_says_which_parameter_and_what_came(place, wrong, message):
    parameters = [wrong if k == place else old for k, old in enumerate(RANDOM)]
    with pytest.raises(ValueError, match=f"^{message}"):
        self_attention(np.ones((4, 3)), parameters)


def test_the_other_errors_say_what_was_expected():
    X = np.ones((4, 3))
    with pytest.raises(ValueError, match=r"^X: expected shape \(T, n\) or \(m, T, n\), got \(3,\)"):
        self_attention([1, 2, 3], RANDOM)
    with pytest.raises(ValueError, match=r"^parameters: expected 8 arrays, W_q, b_q, …, got 3"):
        self_attention(X, RANDOM[:3])
    with pytest.raises(ValueError, match=r"^mask: expected shape \(4,\), got \(3,\)"):
        self_attention(X, RANDOM, mask=[1, 1, 0])
    with pytest.raises(ValueError, match=r"^doutput: expected shape \(4, 2\), got \(4, 3\)"):
        self_attention_backward(X, RANDOM, X)
