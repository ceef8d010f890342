"""Sequences, texts and next characters in the rooms of the lab: each is measured, or refused."""

import json
import re
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from keras import losses

import dlcourse as dl
from dlcourse.commands import export
from dlcourse.commands import runs as runs_command
from dlcourse.datasets.dataset import PADDING
from dlcourse.errors import RecipeError
from dlcourse.lab import exporting
from dlcourse.lab.comparison.classic import classics, ngrams, pipeline, rows
from dlcourse.lab.comparison.rounds import default_folds, rounds
from dlcourse.lab.comparison.trials import classic_trial
from dlcourse.lab.diagnosis import diagnose_evidence, evidence
from dlcourse.lab.diagnosis.examination import duplicates, examine, leaking_column
from dlcourse.lab.diagnosis.xray import xray
from dlcourse.lab.faithfulness import model_randomization
from dlcourse.lab.faithfulness.randomization import attributions, rank_correlation
from dlcourse.runs.evaluation import by_token

GOOD, BAD = ("good", "great", "fine"), ("bad", "poor", "dull")
NEUTRAL = ("the", "film", "plot", "is", "a", "story", "and", "music")


def text_of(rng, label):
    words = [*rng.choice(NEUTRAL, rng.integers(2, 7)), rng.choice(GOOD if label else BAD)]
    return " ".join(rng.permutation(words))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of 120 texts, 90 sequences of different lengths, and 80 names as lines."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("kinds")
    rows = [f'"{text_of(rng, k % 2)}",{("no", "yes")[k % 2]}' for k in range(120)]
    (folder / "texts.csv").write_text("\n".join(["review,liked", *rows]))
    y, t = np.arange(90) % 3, np.arange(8)
    x = np.sin(t * (y[:, None] + 1) + rng.uniform(0, 6, (90, 1)))[..., None] + np.zeros((1, 1, 2))
    for row in x:
        row[rng.integers(4, 9) :] = np.nan
    np.savez(folder / "waves.npz", x_train=x.astype("float32"), y_train=y)
    parts = ["an", "be", "lo", "mi", "ra"]
    lines = {"".join(rng.choice(parts, rng.integers(1, 4))) for _ in range(300)}
    (folder / "lines.txt").write_text("\n".join(sorted(lines)))
    return folder


def trained(folder, name, dataset, model):
    training = {"epochs": 3, "learning_rate": 0.02, "batch_size": 16}
    recipe = {"dataset": dataset, "model": model, "training": training}
    return dl.fit(recipe, runs=folder / "runs", name=name, verbose=0)


@pytest.fixture(scope="module")
def texts(folder):
    return {"name": "csv", "path": str(folder / "texts.csv"), "target": "liked", "text": "review"}


@pytest.fixture(scope="module")
def text_run(folder, texts):
    return trained(folder, "texts", texts, {"name": "attention", "units": 8})


@pytest.fixture(scope="module")
def sequence_run(folder):
    waves = {"name": "npz", "path": str(folder / "waves.npz")}
    return trained(folder, "waves", waves, {"name": "rnn", "units": 8, "cell": "gru"})


@pytest.fixture(scope="module")
def line_run(folder):
    model = {"name": "next_character", "units": 8, "heads": 2, "blocks": 1}
    return trained(folder, "names", {"name": "lines", "path": str(folder / "lines.txt")}, model)


# export


@pytest.fixture
def exported(monkeypatch, capsys, tmp_path):
    """Export a run as LiteRT, without long timing; return the text, the model and its names."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "1")
    timed = exporting.microseconds
    monkeypatch.setattr(exporting, "microseconds", lambda *given: timed(*given, seconds=0.0))

    def run(run):
        assert export.main(["--run", str(run.path), "--to", "litert", "--out", str(tmp_path)]) == 0
        path = tmp_path / "model.tflite"
        known = json.loads(ZipFile(path).read("names.json"))
        return capsys.readouterr().out, exporting.FORMATS["litert"].load(path), known

    return run


def test_another_program_can_encode_a_text_with_the_names_of_an_export(exported, text_run):
    out, predict, known = exported(text_run)
    assert (
        "int32 (n, 7), any n: positions of words in the vocabulary, 1 for others, 0 after the end"
        in out
    )
    assert "names     of the inputs and classes, and the vocabulary: names.json in the" in out
    text, (known_text,) = "A GREAT film, and unheard-of!", known["inputs"]
    number = {token: position for position, token in enumerate(known_text["vocabulary"])}
    numbers = [number.get(token, 1) for token in re.findall(known_text["pattern"], text.lower())]
    x = np.zeros((1, known_text["length"]), "int32")
    x[0, : len(numbers)] = numbers[: x.shape[1]]
    assert (x == 1).sum() == 3  # the comma, "unheard" and "-"
    (row,) = dl.predict(text_run, text)
    assert predict(x)[0, 0] == pytest.approx(row["probabilities"]["yes"], abs=1e-5)  # float32


def test_an_exported_sequence_ends_where_its_padding_begins(exported, sequence_run):
    out, predict, known = exported(sequence_run)
    assert "input     float32 (n, 8, 2), any n: raw values -0.9" in out
    assert "; -1e+09 after the end\n" in out
    (sequence,) = known["inputs"]
    assert sequence == {
        "name": "sequence",
        "shape": [8, 2],
        "features": ["x1", "x2"],
        "padding": PADDING,
    }
    x = sequence_run.load_dataset().x_test[:3]
    expected = sequence_run.model.predict(x, verbose=0)
    np.testing.assert_allclose(predict(x), expected, atol=1e-5)  # float32 in another order


def test_the_probabilities_of_every_next_character_are_exported(exported, line_run):
    out, predict, known = exported(line_run)
    assert " test texts of lines\n" in out
    assert known["inputs"][0]["tokens"] == "characters"
    assert known["classes"][0] == "end"
    assert predict(line_run.load_dataset().x_test[:2]).shape == (2, 6, len(known["classes"]))


def test_random_texts_are_of_known_tokens(text_run):
    x = exporting.random_inputs(text_run.model, (0.0, 0.0), 50)
    assert (x.dtype, x.shape) == ("int32", (50, 7))
    assert (x.min(), x.max()) == (0, len(text_run.facts.vocabulary) - 1)


# the plain Keras script


def script_names(script):
    """Run a script up to its call of fit; return its names."""
    assert "dlcourse." not in script
    names: dict = {}
    exec(compile(script[: script.index("# Keras orders")], "script", "exec"), names)
    if "arrays" in names:
        names["arrays"].close()
    return names


@pytest.fixture(scope="module")
def text_folder(folder):
    rng = np.random.default_rng(1)
    for k in range(40):
        place = folder / "reviews" / ("bad", "good")[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{k}.txt").write_text(text_of(rng, k % 2), encoding="utf-8")
    return {"name": "text_folder", "path": str(folder / "reviews")}


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_a_script_numbers_the_tokens_of_texts_as_the_recipe_does(texts, text_folder, tokens):
    for data, model in ((texts, "mean_embedding"), (text_folder, "rnn")):
        recipe = {"dataset": {**data, "tokens": tokens, "vocabulary": 12}, "model": model}
        names = script_names(dl.as_keras(recipe))
        for part, (x, y) in dl.load_dataset(**recipe["dataset"]).splits.items():
            found = np.c_[names[f"x_{part}"], names[f"y_{part}"]].tolist()
            assert sorted(found) == sorted(np.c_[x, y].tolist())
        layers = [layer.name.split("_")[0] for layer in names["model"].layers]
        assert layers[0] == "embedding"
        assert names["model"].inputs[0].dtype == "int32"


def test_a_script_masks_the_steps_after_the_end(folder, sequence_run):
    recipe = {"dataset": {"name": "npz", "path": str(folder / "waves.npz")}, "model": "rnn"}
    names = script_names(dl.as_keras(recipe))
    dataset = sequence_run.load_dataset()
    assert sorted(names["x_test"].tolist()) == sorted(dataset.x_test.tolist())
    masking, scaling, *_ = names["model"].layers
    assert masking.mask_value == PADDING
    np.testing.assert_allclose(
        scaling(dataset.x_test[:2])[0, 0],
        sequence_run.model.get_layer("normalization")(dataset.x_test[:2])[0, 0],
        rtol=1e-6,  # float32
    )


def test_sequences_of_one_length_keep_their_three_axes(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 6, 2)).astype("float32")
    np.savez(tmp_path / "x.npz", x_train=x, y_train=np.arange(40) % 2)
    data = {"name": "npz", "path": str(tmp_path / "x.npz")}
    names = script_names(dl.as_keras({"dataset": data, "model": "cnn1d"}))
    assert names["x_train"].shape[1:] == (6, 2)


@pytest.mark.parametrize(
    ("dataset", "model", "reason"),
    [
        (
            "waves",
            "cnn1d",
            "'model.name': cannot be written in plain Keras: its layers are not in a row, as",
        ),
        ("texts", "attention", "'model.name': cannot be written in plain Keras: its layers are"),
        ("lines", "next_character", "'dataset.name': cannot be written in plain Keras: dlcourse"),
        ("mnist1d", "rnn", "'dataset.name': cannot be written in plain Keras: dlcourse makes its"),
    ],
)
def test_what_has_no_plain_script_says_so(folder, texts, dataset, model, reason):
    data = {
        "waves": {"name": "npz", "path": str(folder / "waves.npz")},
        "texts": texts,
        "lines": {"name": "lines", "path": str(folder / "lines.txt")},
        "mnist1d": {"name": "mnist1d"},
    }[dataset]
    with pytest.raises(RecipeError, match=reason) as raised:
        dl.as_keras({"dataset": data, "model": model})
    assert "\n" not in str(raised.value)


# comparison


def test_the_ngrams_of_a_text_are_its_tokens_and_the_pairs_of_neighbours():
    assert ngrams(np.array([5, 1, 7, 0, 0])) == [(5,), (1,), (7,), (5, 1), (1, 7)]  # 1: unknown
    assert ngrams(np.array([4, 0])) == [(4,)]


def test_texts_are_compared_with_counts_of_ngrams(texts):
    recipe = {"dataset": texts, "model": "mean_embedding", "training": {"epochs": 1}}
    comparison = dl.compare({"network": recipe}, folds=2)
    assert {row.model for row in comparison.rows} == {"majority", "ngrams_logistic", "network"}
    assert comparison.rows[0].model == "ngrams_logistic"
    assert comparison.rows[0].score > 0.95  # one word decides
    assert comparison.verdict[-2] == (
        "Counts of tokens and of pairs of neighbours do as well here as any network: the order of "
        "the tokens in the whole text added nothing."
    )
    assert "default settings, but for the penalty on n-grams, chosen by cross-" in " ".join(
        str(comparison).split()
    )
    assert comparison.explains["network"].startswith("effect of each step or token")


def test_a_text_of_a_number_is_compared_with_a_ridge_regression(folder, texts):
    lines = (folder / "texts.csv").read_text().replace(",no", ",1.5").replace(",yes", ",4.25")
    (folder / "stars.csv").write_text(lines)
    stars = {**texts, "path": str(folder / "stars.csv"), "task": "regression"}
    dataset = dl.load_dataset(**stars)
    assert [*classics(dataset)] == ["mean", "ngrams_ridge"]
    trial = classic_trial("ngrams_ridge", dataset, 1)
    assert trial.score > 0.8
    assert trial.parameters > len(dataset.facts.vocabulary)


def test_the_mean_stands_for_the_steps_after_the_end(sequence_run):
    dataset = sequence_run.load_dataset()
    x = dataset.x_train.reshape(len(dataset.x_train), -1).astype("float64")
    held = np.ma.masked_equal(x, PADDING)
    expected = ((held - held.mean(axis=0)) / held.std(axis=0)).filled(0)
    front = pipeline("svm", dataset, 0)[:-1].fit(rows(dataset, dataset.x_train))
    np.testing.assert_allclose(front.transform(rows(dataset, dataset.x_train)), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["logistic_regression", "k_nn", "random_forest"])
def test_the_classic_models_take_sequences_of_different_lengths(sequence_run, name):
    assert 0 <= classic_trial(name, sequence_run.load_dataset(), 1).score <= 1


def test_a_comparison_of_next_characters_is_refused(folder):
    lines = {"name": "lines", "path": str(folder / "lines.txt")}
    with pytest.raises(RecipeError, match="of classes or numbers, not of the next token: dlcourse"):
        dl.compare({"dataset": lines, "model": "next_character"})


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "series.csv"
    values = np.sin(np.arange(150) * 2 * np.pi / 12) + np.arange(150) / 100
    path.write_text("\n".join(["value", *map(str, values)]))
    return {"name": "series", "path": str(path), "window": 12, "season": 12}


def test_the_naive_forecasts_of_a_series_are_among_its_classic_models(windows):
    dataset = dl.load_dataset(**windows)
    assert [*classics(dataset)][:3] == ["as_now", "as_one_season_ago", "mean"]
    trial = classic_trial("as_one_season_ago", dataset, 1)
    assert trial.mae == pytest.approx(0.12, rel=1e-4)  # it rises by 0.01 per step
    assert trial.parameters == 0


def test_the_stretches_of_a_series_stay_as_they_are(windows):
    dataset = dl.load_dataset(**windows)
    assert default_folds(dataset) == 0
    first, second = rounds(dataset, folds=0, seeds=2, seed=0)
    np.testing.assert_array_equal(first.x_val, second.x_val)
    with pytest.raises(RecipeError, match="series overlap, so folds would share them: use --seeds"):
        rounds(dataset, folds=3, seeds=1, seed=0)


# diagnosis


@pytest.mark.parametrize("kind", ["text_run", "sequence_run", "line_run"])
def test_a_run_of_every_kind_is_diagnosed(kind, request):
    run = request.getfixturevalue(kind)
    examined = examine(run)
    assert not examined.note
    known = examined.evidence
    assert [*known.xray] == [0, run.metrics["best_epoch"]]
    assert known.leak is None
    found = {finding.name for finding in diagnose_evidence(known)}
    assert not found & {"class_imbalance", "leakage", "vanishing_gradients", "dead_layers"}


def test_the_gradients_of_a_language_model_are_those_of_its_mean_loss_per_character(line_run):
    import tensorflow as tf

    dataset, model = line_run.load_dataset(), line_run.model
    x, y = dataset.x_train[:20], dataset.y_train[:20]
    logits = model.get_layer("logits")
    with tf.GradientTape() as tape:
        probabilities = model(x)
        tokens = tf.convert_to_tensor(by_token(y, np.ones((*y.shape, 1)))[0])
        kept = np.arange(y.shape[1]) <= (y > 0).sum(axis=1, keepdims=True)
        errors = losses.sparse_categorical_crossentropy(tokens, probabilities[kept])
        loss = tf.reduce_mean(errors)
    gradients = tape.gradient(loss, [weight.value for weight in logits.weights])
    expected = np.sqrt(sum(np.square(gradient.numpy()).sum() for gradient in gradients))
    (*_, found) = xray(model, x, y)
    assert found.gradient_norm == pytest.approx(expected, rel=1e-4)  # float32, from the logits


def test_a_language_model_is_measured_by_its_loss_and_not_called_under_fitting():
    """Half of what the constant baseline, ln 27 = 3.3, leaves open cannot be predicted."""
    loss = [2.6, 2.3, 2.2, 2.15, 2.12, 2.1, 2.1, 2.1]
    history = {"loss": loss, "val_loss": loss, "accuracy": [0.2] * 8, "val_accuracy": [0.2] * 8}
    counts = [100, *[2] * 26]
    known = evidence(history, task="next_token", class_counts=counts, baseline=2.8)
    assert known.chance is None
    assert known.reached("train") == pytest.approx(1 - 2.1 / 2.8)
    assert not diagnose_evidence(known)
    others = {finding.name for finding in diagnose_evidence(replace(known, task="multiclass"))}
    assert others == {"class_imbalance", "under_fitting"}


def test_short_texts_repeat_by_nature_and_long_ones_are_leaks(text_run):
    x, y = np.random.default_rng(0).integers(2, 17, (110, 7), "int32"), np.zeros(60, int)
    other = np.concatenate([x[:12], x[60:108]])  # 12 of 60 are training texts
    arrays = {"x_train": x[:60], "x_val": other, "x_test": other, "y_train": y}
    dataset = replace(text_run.load_dataset(), **arrays)
    assert duplicates(dataset) == pytest.approx(0.2)
    cut = {name: np.where(np.arange(7) < 3, x, 0) for name, x in arrays.items() if name[0] == "x"}
    assert duplicates(replace(dataset, **cut)) == 0


def test_the_columns_of_a_sequence_are_not_those_of_a_table(sequence_run):
    assert leaking_column(sequence_run.load_dataset()) is None


def test_runs_of_language_models_are_ordered_by_their_loss(folder, line_run, capsys):
    assert runs_command.main(["--runs", str(folder / "runs"), "--json"]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["run"] == "names"]
    assert (row["metric"], row["val"]) == ("loss", line_run.metrics["val"]["loss"])


# faithfulness


def test_places_that_are_nan_do_not_count_in_a_rank_correlation():
    first = np.array([[1.0, 2, 3, np.nan, np.nan]])
    assert rank_correlation(first, np.array([[3.0, 2, 1, np.nan, np.nan]])) == pytest.approx(-1)


def test_padding_does_not_make_maps_alike(text_run):
    x = text_run.load_dataset().x_test
    maps = attributions(dl.saliency, text_run.model, x, np.zeros(len(x), int))
    np.testing.assert_array_equal(np.isnan(maps), x == 0)
    found = model_randomization(text_run.model, x, ["saliency"])
    assert np.isfinite(found.correlations["saliency"]).all()
