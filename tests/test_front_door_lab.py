"""The lab at the front door: one reading of labels and inputs, and each mistake in one line."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

import dlcourse as dl
from dlcourse.commands.run_page import view_of
from dlcourse.errors import DatasetError, RecipeError, RunError, UserError
from dlcourse.plots import new_figure

EPOCHS = np.arange(4)
DISTURBED = {
    "loss": [2.0, 1.5, 1.4, 1.3, 1.2, 1.1],
    "val_loss": [1.5, 0.8, 0.5, 0.4, 0.3, 0.2],
    "accuracy": [0.2, 0.4, 0.5, 0.5, 0.55, 0.6],
    "val_accuracy": [0.5, 0.8, 0.9, 0.93, 0.95, 0.97],
}


@pytest.fixture(scope="module")
def two_digits(tmp_path_factory):
    """A run on the images of two classes, which are named 1 and 7; and its folder of images."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, low in (("1", 0), ("7", 128)):
        (root / name).mkdir()
        for number in range(20):
            pixels = rng.integers(low, low + 120, (8, 8)).astype("uint8")
            Image.fromarray(pixels).save(root / name / f"{number:02}.png")
    dataset = {"name": "image_folder", "path": str(root), "size": [8, 8], "color": "grayscale"}
    model = {"name": "dnn", "hidden": [8]}
    runs = tmp_path_factory.mktemp("runs")
    return dl.fit(dataset=dataset, model=model, epochs=3, runs=runs, verbose=0), root


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    model = {"name": "cnn", "filters": [4], "pooling": "average", "hidden": []}
    runs = tmp_path_factory.mktemp("runs")
    return dl.fit(dataset="digits", model=model, epochs=1, runs=runs, verbose=0)


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return dl.fit(dataset="diabetes", model="linear_regression", epochs=1, runs=runs, verbose=0)


# ------------------------------------------------------------------ labels


def test_whole_numbers_are_positions_or_classes_but_never_guessed(two_digits):
    run, _ = two_digits
    data = run.load_dataset()
    assert data.class_names == ("1", "7")
    rows = data.y_test == 1
    x, y = data.x_test[rows], data.y_test[rows]
    expected = dl.evaluate(run, (x, ["7"] * len(y)))
    assert dl.evaluate(run, (x, y * 7)) == expected
    assert dl.evaluate(run, (x, y == 1)) == expected
    every = dl.evaluate(run, (data.x_test, data.y_test))
    assert dl.evaluate(run, (data.x_test, np.where(data.y_test == 1, 7, 1))) == every
    for same in (y, y.astype(float), y.astype(object)):  # the class 1, or position 1, the class 7?
        with pytest.raises(RunError, match="labels 1 may be classes or their positions"):
            dl.evaluate(run, (x, same))
    assert dl.evaluate(run, (x, np.array(["7"] * len(y), object))) == expected


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (
            [0, 7],
            "no class '7': numbers are the positions of the classes, 0 to 1; class names are ",
        ),
        ([0, -1], "no class '-1': numbers are the positions"),
        ([0, 0.5], "no class '0.5': numbers are the positions"),
        ([0, np.nan], "no class 'nan': numbers are the positions"),
        (["1", "8"], "no class '8' (known: 1, 7)"),
        (np.array(["1", None], object), "no class None (known: 1, 7)"),
        (
            [[0, 1], [1, 0]],
            "expected labels of shape (n,), got (2, 2): y.argmax(axis=1) gives them",
        ),
        ([[0], [0, 1]], "expected one array (n, …), got values of different shape or type"),
    ],
)
def test_labels_that_the_run_does_not_know_are_told_with_the_cure(two_digits, y, told):
    with pytest.raises(RunError) as caught:
        dl.evaluate(two_digits[0], (np.zeros((2, 8, 8, 1)), y))
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_true_and_false_are_labels_of_two_classes_alone(digits_run):
    with pytest.raises(RunError, match="no class 'True'"):
        dl.evaluate(digits_run, (np.zeros((2, 8, 8, 1)), [True, False]))


@pytest.mark.parametrize("y", [["a", "b"], ["1", "2"], [1.0, np.nan], [1.0, None], [1.0, np.inf]])
def test_targets_are_finite_numbers(regression, y):
    with pytest.raises(RunError, match="expected finite numbers as targets, no gaps or text"):
        dl.evaluate(regression, (np.zeros((2, 10)), y))


def test_inputs_alone_are_told_that_labels_are_needed(digits_run):
    with pytest.raises(
        RunError, match=r"a DataFrame, \(x, y\) or a file, got ndarray: the labels y"
    ):
        dl.evaluate(digits_run, np.zeros((2, 8, 8, 1)))


# ------------------------------------------------------------------ inputs


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([np.zeros((8, 8, 1)), "x.png"], "expected one array"),
        ([np.zeros((8, 8, 1)), np.zeros((9, 9, 1))], "expected one array"),
        (np.zeros((0, 8, 8, 1)), "expected one input or more, got the shape (0, 8, 8, 1)"),
    ],
)
def test_inputs_that_are_not_an_array_are_reported_in_one_line(digits_run, inputs, told):
    with pytest.raises(RunError) as caught:
        dl.predict(digits_run, inputs)
    assert told in str(caught.value)


@pytest.mark.parametrize(("scale", "told"), [(1 / 16, "from 0 to 1"), (15, "from 0 to 240")])
def test_images_in_another_range_than_the_runs_are_reported(digits_run, scale, told):
    digits = digits_run.load_dataset()
    parts = {f"x_{part}": x * np.float32(scale) for part, (x, _) in digits.splits.items()}
    scaled = replace(digits, **parts)
    for read in (
        lambda: dl.evaluate(digits_run, scaled),
        lambda: dl.evaluate(digits_run, (scaled.x_test, scaled.y_test)),
        lambda: dl.predict(digits_run, scaled.x_test),
        lambda: view_of(digits_run, (), inputs=scaled.x_test),
    ):
        kept = rf"{told}, the run's images from 0 to 16"
        if scale > 1:
            with pytest.raises(RunError, match=f"{kept}: scale them"):
                read()
        else:
            with pytest.warns(UserWarning, match=rf"{kept}: are they scaled\?"):
                read()


def test_images_of_true_and_false_are_numbers_and_warned_of_like_others(digits_run):
    black_and_white = np.eye(8, dtype=bool)[None, ..., None]
    with pytest.warns(UserWarning, match="are they scaled"):
        rows = dl.predict(digits_run, black_and_white)
    with pytest.warns(UserWarning, match="are they scaled"):
        assert rows == dl.predict(digits_run, black_and_white.astype("float32"))


def test_a_folder_is_read_with_its_folders_and_files_that_are_not_images_are_skip(
    two_digits, tmp_path
):
    run, root = two_digits
    for name in ("1", "7"):
        (tmp_path / name).mkdir()
        shutil.copy(root / name / "00.png", tmp_path / name)
    expected = [str(tmp_path / name / "00.png") for name in ("1", "7")]
    (tmp_path / ".hidden").mkdir()
    shutil.copy(root / "1" / "00.png", tmp_path / ".hidden")
    (tmp_path / "1" / ".DS_Store").write_text("")
    assert [row["input"] for row in dl.predict(run, tmp_path)] == expected
    (tmp_path / "notes.txt").write_text("of mine")
    with pytest.warns(UserWarning, match=r"skipped 1 unreadable files: .*notes\.txt: not a PNG"):
        rows = dl.predict(run, str(tmp_path))
    assert [row["input"] for row in rows] == expected
    with pytest.raises(DatasetError, match=r"notes\.txt: not a PNG"):
        dl.predict(run, [tmp_path / "1", tmp_path / "notes.txt"])


def test_a_folder_without_an_image_is_an_error(two_digits, tmp_path):
    (tmp_path / "notes.txt").write_text("of mine")
    with pytest.raises(DatasetError, match=r"notes\.txt: not a PNG"):
        dl.predict(two_digits[0], tmp_path)


# ------------------------------------------------------------------ diagnose


def test_where_dropout_is_not_known_of_no_leak_is_told():
    found = {one.name for one in dl.diagnose(DISTURBED, classes=10)}
    assert "leakage" not in found
    assert "under_fitting" not in found
    known = {one.name for one in dl.diagnose(DISTURBED, classes=10, noisy_training=False)}
    assert "leakage" in known


def test_a_run_tells_whether_there_is_dropout_and_its_history_does_not(digits_run):
    from dlcourse.lab.diagnosis import evidence

    assert evidence(digits_run.history).noisy_training is None
    settings = dl.recipe(digits_run).model_dump()
    assert evidence(digits_run.history, settings=settings).noisy_training is False
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5)])
    assert evidence(digits_run.history, model=model).noisy_training is True


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"modle": 3}, "diagnose: unknown setting 'modle' (did you mean 'model'?)"),
        ({"classes": "ten"}, "diagnose: 'classes': expected a valid integer, got 'ten'"),
        ({"settings": 5}, "diagnose: 'settings': expected a mapping of settings, got 5"),
        ({"baseline": "x"}, "diagnose: 'baseline': expected a valid number, got 'x'"),
        ({"class_counts": 5}, "class_counts: expected one number per class, got 5"),
        ({"class_counts": "ab"}, "class_counts: expected one number per class, got 'ab'"),
        ({"model": "cnn"}, "model: expected the trained Keras model, got 'cnn'"),
        ({"xray": 5}, "xray: expected LayerStatistics, or lists by epoch, got 5"),
        ({"xray": [1]}, "xray: expected LayerStatistics, or lists by epoch, got [1]"),
    ],
)
def test_a_wrong_argument_of_diagnose_is_told_by_its_name(known, told):
    with pytest.raises(UserError) as caught:
        dl.diagnose({"loss": [2.0, 1.0, 0.5]}, **known)
    assert str(caught.value) == told


def test_class_counts_may_be_an_array():
    counts = np.bincount([0] * 90 + [1] * 10)
    assert [one.name for one in dl.diagnose({"loss": [0.1]}, class_counts=counts)] == [
        "class_imbalance"
    ]


def test_the_xray_callback_itself_is_taken():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int64")
    layers = [keras.Input((2,)), keras.layers.Dense(4), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    xray = dl.callbacks.xray(x, y)
    history = model.fit(x, y, epochs=3, callbacks=[xray], verbose=0)
    assert dl.diagnose(history, xray=xray) == dl.diagnose(history, xray=xray.by_epoch)


def test_a_short_training_whose_loss_falls_blames_nothing_and_says_to_train_longer():
    slowly = {"loss": 2.31 - 0.005 * EPOCHS, "accuracy": [0.1, 0.1, 0.11, 0.12]}
    quickly = {"loss": 2.3 * 0.8**EPOCHS, "accuracy": [0.2, 0.4, 0.5, 0.6]}
    for history in (slowly, quickly):
        assert str(dl.diagnose(history, classes=10)) == (
            "no finding: 4 epochs are too few to judge while the loss still falls: train longer"
        )
    flat = {"loss": [2.31, 2.3, 2.31, 2.3], "accuracy": [0.1] * 4}
    assert [one.name for one in dl.diagnose(flat, classes=10)] == ["not_learning"]


@pytest.mark.parametrize(
    ("epochs", "told"),
    [
        (1, "no finding: 1 epoch is too few to judge: train longer"),
        (2, "no finding: 2 epochs are too few to judge: train longer"),
        (9, "no finding: too little is known, or nothing stands out"),
    ],
)
def test_no_finding_says_why(epochs, told):
    history = {"loss": 2.3 * 0.5 ** np.arange(epochs)}
    assert str(dl.diagnose(history)) == told


def test_without_a_recipe_what_to_try_is_told_without_its_groups():
    history = {"loss": [2.3] * 10}
    (plain,) = dl.diagnose(history, classes=10)
    assert "  try       learning_rate=0.01" in str(plain)
    (of_recipe,) = dl.diagnose(history, classes=10, settings={"training": {"epochs": 10}})
    assert "  try       training.learning_rate=0.01" in str(of_recipe)


# ------------------------------------------------------------------ pictures, callbacks, compare


def test_learning_curves_take_whatever_has_a_history(digits_run):
    history = SimpleNamespace(history=digits_run.history)
    lines = [
        [
            line.get_ydata().tolist()
            for line in dl.plots.learning_curves(given, figure=new_figure())[0].lines
        ]
        for given in (digits_run.history, digits_run, history)
    ]
    assert lines[0] == lines[1] == lines[2]


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        ({"saliency": np.zeros((2, 8, 8))}, "got 3 images, 2 saliency, 3 titles, 3 boxes"),
        (np.zeros((3, 8, 8)), r'expected a mapping of methods to maps: {"Grad-CAM": …}'),
    ],
)
def test_maps_that_do_not_belong_to_the_images_are_told(maps, told):
    with pytest.raises(UserError, match=told):
        dl.plots.attributions(np.zeros((3, 8, 8, 1)), maps, figure=new_figure())


def test_epoch_lines_tell_the_loss_first_and_what_they_do_not_know_last():
    lines = []
    callback = dl.callbacks.epoch_lines(lines.append)
    callback.on_epoch_end(0, {"accuracy": 0.5, "auc": 0.7, "loss": 1.0, "val_loss": 2.0})
    assert lines[0].split()[2::2] == ["loss", "accuracy", "val_loss", "auc"]


@pytest.mark.parametrize("name", ["epoch_lines", "stop_on_nan"])
def test_a_report_that_cannot_be_called_is_told(name):
    with pytest.raises(UserError, match="report: expected a function of one line, got 5"):
        getattr(dl.callbacks, name)(5)


@pytest.mark.parametrize(
    ("recipe", "settings", "told"),
    [
        (
            {"datset": "digits", "model": "cnn"},
            {},
            "unknown key 'datset' (did you mean 'dataset'?)",
        ),
        ("digits_softmax", {"folds": "x"}, "compare: 'folds': expected a valid integer, got 'x'"),
        ("digits_softmax", {"seeds": 0}, "compare: 'seeds': expected greater than or equal to 1"),
        ("digits_softmax", {"examples": -1}, "compare: 'examples': expected greater than or equal"),
        ("digits_softmax", {"models": "svm"}, "compare: 'models': "),
        ("digits_softmax", {"fold": 3}, "unknown setting 'fold' (did you mean 'folds'?)"),
    ],
)
def test_a_wrong_argument_of_compare_is_told_in_one_line(recipe, settings, told):
    with pytest.raises(RecipeError) as caught:
        dl.compare(recipe, **settings)
    assert told in str(caught.value)


def test_a_wrong_argument_of_the_range_test_is_told_in_one_line():
    with pytest.raises(RecipeError, match="'steps': expected a valid integer, got 'x'"):
        dl.find_learning_rate("digits_softmax", steps="x")
