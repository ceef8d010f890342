"""Networks over time: what they build, and that steps after a sequence's end change nothing."""

import numpy as np
import pytest

import dlcourse as dl
from dlcourse.datasets import load_dataset
from dlcourse.datasets.dataset import PADDING
from dlcourse.errors import DatasetError, RecipeError

RNG = np.random.default_rng(0)
LENGTHS = (3, 7, 12)
PRESENT = np.arange(12) < np.array(LENGTHS)[:, None]
TOKENS = np.where(PRESENT, RNG.integers(1, 20, (3, 12)), 0)
NUMBERS = np.where(PRESENT[..., None], RNG.normal(size=(3, 12, 2)), PADDING).astype("float32")


def built(builder, text, steps, **settings):
    """A model of `steps` steps, of tokens or of numbers that are standardised; seeded."""
    import keras

    keras.utils.set_random_seed(0)
    if text:
        return builder((steps,), 3, vocabulary=20, **settings)
    front = [
        keras.layers.Masking(PADDING, dtype="float32"),
        keras.layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0], dtype="float32"),
    ]
    return builder((steps, 2), 3, False, front, **settings)


def longer(x, by):
    """The same sequences with `by` more steps after their ends."""
    after = [(0, 0), (0, by)] + [(0, 0)] * (x.ndim - 2)
    return np.pad(x, after, constant_values=PADDING if x.ndim == 3 else 0)


def weights_into(model, source):
    """Give a model the weights of one with fewer steps; further positions keep their own."""
    for own, given in zip(model.weights, source.weights, strict=True):
        values = np.array(own.numpy())
        values[tuple(map(slice, given.shape))] = given.numpy()
        own.assign(values)


# Facts worked by hand


def test_a_text_is_the_mean_of_its_own_tokens_vectors():
    import keras

    model = dl.models.mean_embedding((4,), 2, vocabulary=5, units=3)
    vectors = model.get_layer("embedding").get_weights()[0]
    part = keras.Model(model.inputs, model.get_layer("global_average").output)
    x = np.array([[2, 4, 0, 0]])
    assert part.predict(x, verbose=0)[0] == pytest.approx((vectors[2] + vectors[4]) / 2, abs=1e-6)


def test_attention_has_the_parameters_that_its_formula_says():
    units, steps = 8, 5
    model = dl.models.attention((steps, 2), 3, units=units, heads=2)
    projection, positions = 2 * units + units, (steps + 1) * units
    attention = 4 * (units * units + units)
    dense = units * 4 * units + 4 * units + 4 * units * units + units
    norms, head = 3 * 2 * units, units * 3 + 3
    assert model.count_params() == projection + positions + attention + dense + norms + head


def test_next_character_sees_only_what_stands_before():
    model = dl.models.next_character((6,), 7, units=8, heads=2)
    x = np.array([[3, 4, 5, 6, 0, 0]])
    y = x.copy()
    y[0, 3] = 2
    before, after = (model.predict(each, verbose=0)[0] for each in (x, y))
    assert before[:4] == pytest.approx(after[:4], abs=1e-6)  # float32 sums of another length
    assert abs(before[4] - after[4]).max() > 1e-4


# Agreement with an oracle: the same network of plain Keras, without padding


def test_a_recurrent_network_on_a_short_sequence_is_keras_lstm_on_its_steps_alone():
    import keras

    model = built(dl.models.rnn, False, 12, units=4)
    lstm, logits = model.get_layer("lstm_1"), model.get_layer("logits")
    for x, length, found in zip(NUMBERS, LENGTHS, model.predict(NUMBERS, verbose=0), strict=True):
        state = lstm(((x[:length] - [1, 2]) / [2, 3])[None].astype("float32"))
        expected = keras.ops.softmax(logits(state))
        assert found == pytest.approx(np.array(expected)[0], abs=1e-5)  # float32, other order


# The contract: padding changes nothing

KINDS = [
    (dl.models.rnn, {"units": 8}),
    (dl.models.rnn, {"units": 8, "cell": "gru", "layers": 2, "bidirectional": True}),
    (dl.models.cnn1d, {"filters": (8, 8, 8), "pool_size": 2}),
    (dl.models.cnn1d, {"filters": (8, 8), "pool_size": 3, "activation": "tanh", "pooling": "max"}),
    (dl.models.attention, {"units": 8, "blocks": 2}),
    (dl.models.mean_embedding, {"units": 8, "hidden": (4,)}),
]


@pytest.mark.parametrize("text", [True, False], ids=["text", "numbers"])
@pytest.mark.parametrize(("builder", "settings"), KINDS)
def test_more_steps_after_the_end_change_nothing(builder, settings, text):
    x = TOKENS if text else NUMBERS
    model, wide = built(builder, text, 12, **settings), built(builder, text, 19, **settings)
    weights_into(wide, model)
    expected = model.predict(x, verbose=0)
    assert np.ptp(expected, axis=0).max() > 1e-5  # the sequences differ
    found = wide.predict(longer(x, 7), verbose=0)
    assert found == pytest.approx(expected, abs=1e-6)  # float32 sums with more zeros


@pytest.mark.parametrize(("builder", "settings"), KINDS)
def test_a_model_is_the_same_after_saving(builder, settings, tmp_path):
    import keras

    model = built(builder, True, 12, **settings)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.predict(TOKENS, verbose=0) == pytest.approx(model.predict(TOKENS, verbose=0))


# Sequences from arrays


def waves(n=600, steps=20, features=3, seed=0):
    """Noise, with a wave in the first feature whose length is the class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.normal(size=(n, steps, features)).astype("float32")
    angle = np.arange(steps) / np.where(y == 1, 1.5, 3)[:, None] + rng.uniform(0, 6.3, (n, 1))
    x[:, :, 0] = np.sin(angle) + 0.1 * x[:, :, 0]
    return x, y


@pytest.mark.parametrize("scale", [1, 1000])
def test_an_lstm_learns_sequences_on_any_scale(scale, tmp_path):
    x, y = waves()
    x[..., 1] = scale * (x[..., 1] + 5)
    training = {"epochs": 10, "learning_rate": 0.01}
    model = {"name": "rnn", "units": 16}
    run = dl.fit((x, y), model=model, training=training, verbose=False, runs=tmp_path)
    assert run.facts.inputs == "sequences"
    assert run.metrics["test"]["accuracy"] >= 0.98


@pytest.mark.parametrize("model", ["rnn", "cnn1d", "attention"])
def test_sequences_of_different_lengths_are_learned_and_predicted(model, tmp_path):
    x, y = waves(300)
    short = [each[: 6 + k % 15] for k, each in enumerate(x)]
    run = dl.fit((short, y), model=model, training={"epochs": 1}, verbose=False, runs=tmp_path)
    assert run.model.get_layer("masking").mask_value == PADDING
    classes = [int(row["class"]) for row in dl.predict(run, short)]
    assert dl.evaluate(run, (short, y))["accuracy"] == np.mean(np.array(classes) == y)
    rows = dl.predict(run, short[0][None])
    padded = np.pad(short[0], ((0, 14), (0, 0)), constant_values=np.nan)[None]
    assert rows[0]["probability"] == pytest.approx(dl.predict(run, padded)[0]["probability"])


def test_what_is_standardised_is_each_feature_over_all_steps_before_the_end(tmp_path):
    x = np.array([[[1.0, 10], [3, 30]], [[5, 50], [np.nan, np.nan]]] * 6)
    np.savez(
        tmp_path / "own.npz",
        x_train=x,
        y_train=np.arange(12) % 2,
        x_test=x,
        y_test=np.arange(12) % 2,
    )
    data = load_dataset("npz", path=str(tmp_path / "own.npz"))
    known = data.x_train[data.x_train[..., 0] != PADDING]
    scaled = np.asarray(dl.models.scaling_layer(data)(known[None]))[0]
    assert scaled.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)  # float32
    assert scaled.std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert data.facts.value_range == (1.0, 50.0)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (np.zeros((40, 8, 8)), "images"),  # square
        (np.random.default_rng(0).normal(size=(40, 8, 8)), "images"),
        (np.random.default_rng(0).normal(size=(40, 20, 3)), "sequences"),
        (np.random.default_rng(0).normal(size=(40, 10, 8)), "sequences"),
        (np.random.default_rng(0).integers(0, 255, (40, 28, 20)), "images"),  # whole numbers
        (np.random.default_rng(0).integers(0, 255, (40, 50, 2)), "sequences"),  # long and narrow
        (np.linspace(0, 1, 40 * 28 * 20).reshape(40, 28, 20), "images"),  # from black to white
        (np.linspace(0, 0.7, 40 * 28 * 20).reshape(40, 28, 20), "sequences"),
        (np.zeros((40, 40, 1), "uint8"), "images"),  # bytes
    ],
)
def test_arrays_with_three_axes_are_images_or_sequences(x, kind, tmp_path):
    np.savez(
        tmp_path / "own.npz",
        x_train=x,
        y_train=np.arange(40) % 2,
        x_test=x,
        y_test=np.arange(40) % 2,
    )
    assert load_dataset("npz", path=str(tmp_path / "own.npz")).facts.inputs == kind
    for wanted in ("images", "sequences"):
        if wanted == "images" and x.min() < -16:
            continue
        data = load_dataset("npz", path=str(tmp_path / "own.npz"), inputs=wanted)
        assert data.facts.inputs == wanted


def test_the_model_decides_where_it_takes_only_one_of_the_two():
    recipe = dl.recipe(dataset={"name": "npz", "path": "x.npz"}, model="cnn1d")
    assert recipe.dataset.inputs == "sequences"
    recipe = dl.recipe(dataset={"name": "npz", "path": "x.npz"}, model="cnn")
    assert recipe.dataset.inputs == "images"
    recipe = dl.recipe(dataset={"name": "npz", "path": "x.npz"}, model="rnn")
    assert recipe.dataset.inputs == "auto"


# Each error by its text


@pytest.mark.parametrize(
    "gap", [np.full(2, np.nan), [np.nan, 1.0], [1.0, np.inf]], ids=["step", "number", "infinite"]
)
def test_nan_before_the_end_is_refused(tmp_path, gap):
    x = np.full((12, 9, 2), 1.5)
    x[1, 6:] = np.nan
    x[3, 2] = gap
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(12) % 2)
    with pytest.raises(DatasetError, match=r"x_train: example 3 has NaN or inf before its end: Na"):
        load_dataset("npz", path=str(tmp_path / "own.npz"))


def test_a_model_for_one_length_refuses_several():
    x, y = waves(60)
    with pytest.raises(RecipeError) as error:
        dl.fit(([each[: 5 + k % 9] for k, each in enumerate(x)], y), model="dnn", verbose=False)
    assert (
        "'dnn' is for sequences of one length, but these differ (fitting: rnn, cnn1d, atte"
        in str(error.value)
    )


@pytest.mark.parametrize(
    ("builder", "arguments", "text"),
    [
        (dl.models.attention, {"units": 9}, "units: 9 cannot be divided by 2 heads"),
        (dl.models.cnn1d, {"filters": ()}, "filters: one number or more is expected"),
    ],
)
def test_settings_that_do_not_fit_are_named(builder, arguments, text):
    with pytest.raises(RecipeError, match=text):
        builder((5, 2), 3, **arguments)


def test_a_text_needs_one_axis_and_a_vocabulary_of_two():
    with pytest.raises(RecipeError, match=r"input_shape: \(steps,\) is expected"):
        dl.models.rnn((5, 2), 3, vocabulary=9)
    with pytest.raises(RecipeError, match="vocabulary: a whole number ≥ 2 is expected, got 1"):
        dl.models.rnn((5,), 3, vocabulary=1)
    with pytest.raises(RecipeError, match="pooling: is for sequences of one length"):
        dl.models.cnn1d((5,), 3, vocabulary=9, pooling="flatten")
