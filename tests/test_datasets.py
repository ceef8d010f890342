"""The record of a data set, its checks, and the contract that every entry of DATASETS keeps."""

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from dlcourse.datasets import DATASETS, Dataset, fingerprint, load_dataset
from dlcourse.datasets.dataset import Task, check, set_aside, split
from dlcourse.errors import DatasetError, RecipeError
from dlcourse.schema import settings_model

ROOT = Path(__file__).parents[1]
# Not among the available real data. They are mnist's code with another name, and test_tfds.py asks
# for each by its name.
NOT_CACHED = {"fashion_mnist", "kmnist", "cifar10"}
REPEATED = {"iris": 1, "movie_reviews": 1}  # flowers in Fisher's table, sentences of rare words


def make_images(folder):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(15):
            pixels = rng.integers(0, 256, (9, 8, 3)).astype("uint8")
            Image.fromarray(pixels).save(folder / "pets" / name / f"{i}.png")
    return {"path": str(folder / "pets"), "size": (8, 8)}


def make_npz(folder):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (90, 5, 5)).astype("uint8"), np.arange(90) % 3
    np.savez(folder / "own.npz", x_train=x, y_train=y)
    return {"path": str(folder / "own.npz")}


def make_csv(folder):
    rows = "".join(f"{i * 7 % 80},{'ab'[i % 2]},{i * 1.5}\n" for i in range(80))
    (folder / "own.csv").write_text("number,letter,price\n" + rows)
    return {"path": str(folder / "own.csv"), "target": "price"}


def make_texts(folder):
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(15):
            (folder / "pets" / name / f"{i}.txt").write_text(f"my {name} has {i} toys")
    return {"path": str(folder / "pets")}


def make_lines(folder):
    (folder / "words.txt").write_text("\n".join(f"{a}{b}" for a in "abcdefgh" for b in "klmnop"))
    return {"path": str(folder / "words.txt")}


def make_tfds(folder):
    tiny_tfds = pytest.importorskip("tiny_tfds")
    return {"dataset": tiny_tfds.prepare(tiny_tfds.Tiny, folder), "data_dir": str(folder)}


def make_series(folder):
    rows = "".join(f"{np.sin(step) + step / 50:.4f}\n" for step in range(200))
    (folder / "steps.csv").write_text("height\n" + rows)
    return {"path": str(folder / "steps.csv"), "window": 6}


MAKE = {"image_folder": make_images, "npz": make_npz, "csv": make_csv, "tfds": make_tfds}
MAKE |= {"series": make_series, "text_folder": make_texts, "lines": make_lines}
INPUTS = {2: "rows", 3: "sequences", 4: "images"}  # by the number of axes


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            name, marks=pytest.mark.slow if name == "mnist" else []
        )  # as `tfds`, but large
        for name in DATASETS
        if name not in NOT_CACHED
    ],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def settings(name, tmp_path_factory):
    from conftest import SHARED

    if name == "mnist" and not (SHARED / "tfds").is_dir():
        pytest.skip(f"no real data: {SHARED / 'tfds'} is absent")
    if name == "mnist":
        return {"data_dir": str(SHARED / "tfds")}
    return MAKE[name](tmp_path_factory.mktemp(name)) if name in MAKE else {}


@pytest.fixture(scope="module")
def data(name, settings):
    return load_dataset(name, seed=0, **settings)


@pytest.fixture(scope="module")
def other_seed(name, settings):
    return load_dataset(name, seed=1, **settings)


def small(**changes):
    x, y = np.zeros((6, 2), "float32"), np.arange(6) % 2
    data = Dataset(
        "own", "binary", x, y, x, y, x, y, value_range=(0.0, 1.0), class_names=("no", "yes")
    )
    return replace(data, **changes)


def as_rows(x):
    return {bytes(np.ascontiguousarray(example)) for example in x}


# Facts worked by hand


def test_a_split_takes_its_share_of_every_class_and_keeps_the_order():
    x, y = np.arange(100), np.repeat([0, 1], [80, 20])
    x_rest, y_rest, x_part, y_part = split(x, y, 0.1, seed=0, stratify=True)
    assert np.bincount(y_part).tolist() == [8, 2]
    assert np.bincount(y_rest).tolist() == [72, 18]
    assert sorted([*x_rest, *x_part]) == list(range(100))
    assert (np.diff(x_rest) > 0).all()


def test_a_fingerprint_changes_with_anything_that_training_sees():
    one = small()
    assert fingerprint(one) == fingerprint(small())
    assert len(fingerprint(one)) == 64
    changed = one.x_test.copy()
    changed[5, 1] = 1
    for change in (
        {"x_test": changed},
        {"x_train": one.x_train.astype("float64")},
        {"x_train": one.x_train.reshape(6, 2, 1)},
        {"y_val": one.y_val[::-1]},
        {"class_names": ("yes", "no")},
    ):
        assert fingerprint(small(**change)) != fingerprint(one)


def test_a_fingerprint_does_not_depend_on_the_memory_layout(monkeypatch):
    one = small(x_train=np.arange(12, dtype="float32").reshape(6, 2))
    expected = fingerprint(one)
    monkeypatch.setattr("dlcourse.datasets.dataset.CHUNK_BYTES", 9)
    assert fingerprint(replace(one, x_train=np.asfortranarray(one.x_train))) == expected


# Agreement with an oracle


def test_breast_cancer_holds_scikit_learns_rows():
    data = load_dataset("breast_cancer")
    source, _ = load_breast_cancer(return_X_y=True)
    rows = np.concatenate([x for x, _ in data.splits.values()])
    assert as_rows(rows) == as_rows(np.asarray(source, "float32"))
    assert data.class_names == ("malignant", "benign")


def test_the_test_split_of_digits_is_scikit_learns_stratified_fifth_of_seed_0():
    source, y = load_digits(return_X_y=True)
    _, expected = train_test_split(np.asarray(source), test_size=0.2, random_state=0, stratify=y)
    got = load_dataset("digits", seed=5).x_test.reshape(-1, 64)
    assert as_rows(got) == as_rows(np.asarray(expected, "uint8"))


# The contract over the whole table


def kind(data):
    """What a data set's inputs are, by the number of axes and the vocabulary."""
    return "text" if data.facts.vocabulary else INPUTS[data.x_train.ndim]


def readable(data, x):
    """Texts as their tokens, up to those that a vocabulary lacks; other inputs as they are."""
    known = np.array(data.facts.vocabulary)
    return known[x] if len(known) else x


def test_shapes_and_types_are_those_of_a_dataset(data):
    types = {"images": "uint8", "text": "int32"}
    for x, y in data.splits.values():
        assert x.dtype == types.get(kind(data), "float32")
        assert y.dtype == ("float32" if data.task == "regression" else "int64")
        assert len(x) == len(y) > 0


def test_values_lie_in_the_declared_range(data):
    low, high = data.value_range
    assert low <= data.x_train.min()
    assert data.x_train.max() <= high


def test_each_class_is_named_and_in_every_split(data):
    if data.task == "regression":
        assert data.class_names == ()
    elif data.task == "next_token":
        assert len(data.class_names) == len(data.facts.vocabulary)
    else:
        for _, y in data.splits.values():
            assert np.unique(y).tolist() == list(range(len(data.class_names)))
        assert (data.task == "binary") == (len(data.class_names) == 2)


def test_each_column_is_named(data):
    columns = data.input_shape[-1] if kind(data) in ("rows", "sequences") else 0
    assert len(data.feature_names) == columns
    assert data.target_name


def test_no_example_is_in_two_splits(name, data):
    train, val, test = (as_rows(x) for x, _ in data.splits.values())
    assert len(train & val) + len(train & test) + len(val & test) <= REPEATED.get(name, 0)


def test_what_is_declared_is_what_is_loaded(name, data):
    loader = DATASETS[name]
    assert loader.inputs in (None, kind(data))
    assert data.facts.inputs == kind(data)
    if loader.task == "classification":
        assert data.task in ("binary", "multiclass")
    else:
        assert loader.task in (None, data.task)
    assert data.task in get_args(Task)


def test_the_seed_moves_the_validation_split_and_never_the_test_split(name, data, other_seed):
    if kind(data) == "text":  # the vocabulary is that of the training split
        both = zip(*(readable(each, each.x_test) for each in (data, other_seed)), strict=True)
        unknown = "\N{REPLACEMENT CHARACTER}"
        for one, other in both:
            shared = slice(None, min(len(one), len(other)))
            told = (one[shared] != unknown) & (other[shared] != unknown)
            assert (one[shared][told] == other[shared][told]).all()
    else:
        np.testing.assert_array_equal(data.x_test, other_seed.x_test)
        np.testing.assert_array_equal(data.y_test, other_seed.y_test)
    # The stretches of a series follow each other in time, whatever the seed.
    assert (as_rows(data.x_val) != as_rows(other_seed.x_val)) == (name != "series")


def test_the_same_seed_gives_the_same_data(name, settings, data):
    assert fingerprint(load_dataset(name, seed=0, **settings)) == fingerprint(data)


def test_the_validation_split_keeps_every_classs_share(data):
    if data.task in ("binary", "multiclass"):
        n = len(data.class_names)
        train, val = (np.bincount(y, minlength=n) / len(y) for y in (data.y_train, data.y_val))
        # Rounding moves each class by less than one example.
        np.testing.assert_allclose(val, train, atol=1 / len(data.y_val) + 1 / len(data.y_train))


@pytest.mark.parametrize("name", DATASETS)
def test_settings_build_a_model_and_are_described(name):
    function = DATASETS[name].function
    model = settings_model(name, function)
    assert model.model_json_schema()["additionalProperties"] is False
    assert "validation_fraction" in model.model_fields
    assert inspect.getdoc(function).startswith("Return ")


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_setting_is_a_recipe_error_of_any_data_set(name):
    with pytest.raises(RecipeError) as error:
        load_dataset(name, validation_fractoin=0.1)
    assert (
        f"{name}: unknown setting 'validation_fractoin' (did you mean 'validation_fraction'?)"
        in str(error.value)
    )
    with pytest.raises(RecipeError, match="'validation_fraction': expected less than 1, got"):
        load_dataset(name, validation_fraction=1.5)


def test_importing_the_data_sets_loads_nothing_heavy():
    code = "import sys, dlcourse.datasets; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"sklearn", "tensorflow", "keras", "PIL", "scipy", "requests"} & {
        *done.stdout.split()
    }


def test_embedded_sets_points_and_own_files_need_no_tensorflow(tmp_path):
    code = (
        "import sys; sys.modules.update(tensorflow=None, tensorflow_datasets=None, keras=None)\n"
        "from dlcourse.datasets import load_dataset\n"
        "for name in 'digits breast_cancer iris wine diabetes planted points mnist1d'.split():\n"
        "    load_dataset(name)\n"
    )
    for name in ("image_folder", "npz", "csv", "series"):
        code += f"load_dataset({name!r}, **{MAKE[name](tmp_path)!r})\n"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# Each error by its text


def test_an_unknown_name_has_a_neighbour():
    with pytest.raises(RecipeError, match=r"unknown data set 'digit' \(did you mean 'digits'\?\)"):
        load_dataset("digit")


ZEROS = np.zeros((6, 2), "float32")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x_val": ZEROS[:3]}, "own: the val split has 3 inputs but 6 labels"),
        ({"x_val": ZEROS[:0], "y_val": np.arange(0)}, "own: the val split is empty: give more"),
        (
            {"x_test": ZEROS[:, :1]},
            "own: the test split has inputs of shape (1,), the train split",
        ),
        ({"x_test": ZEROS.astype("int8")}, "own: the test split has inputs of type int8, the"),
        ({"x_train": ZEROS.astype("str")}, "own: the train split has inputs of type <U32: numbers"),
        ({"y_val": np.arange(6) % 3}, "has labels from 0 to 2: 0 to 1 are expected for 2 classes"),
        ({"y_val": np.arange(6) % 2 - 1}, "own: the val split has labels from -1 to 0"),
        ({"y_val": np.zeros(6)}, "has labels of type float64 and shape (6,): integers"),
        ({"y_val": np.zeros((6, 1), int)}, "has labels of type int64 and shape (6, 1): integers"),
        ({"y_test": np.zeros(6, int)}, "own: the test split has no example of class yes: give"),
        (
            {part: np.zeros(6, int) for part in ("y_train", "y_val", "y_test")}
            | {"class_names": ("no",)},
            "own: has 1 class: a classifier needs two or more",
        ),
    ],
)
def test_data_that_cannot_be_trained_on_is_named(changes, text):
    with pytest.raises(DatasetError) as error:
        check(small(**changes))
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_example_that_is_not_finite_is_named(value):
    x = ZEROS.copy()
    x[4, 1] = value
    with pytest.raises(
        DatasetError, match=r"val split has NaN or infinite inputs \(first at exa.* 4"
    ):
        check(small(x_val=x))
    targets = {f"y_{part}": np.arange(6, dtype="float32") for part in ("train", "val", "test")}
    data = small(task="regression", class_names=(), **targets)
    check(data)
    data.y_test[2] = value
    with pytest.raises(
        DatasetError, match=r"test split has NaN or infinite labels \(first at .* 2"
    ):
        check(data)


def test_too_few_examples_for_a_validation_split_name_the_setting():
    with pytest.raises(DatasetError, match=r"own: validation_fraction: cannot set 0\.1 of 6 ex"):
        set_aside(small(), "val", 0.1, seed=0)
    with pytest.raises(DatasetError, match="own: class 'yes' has 1 example left to train on: each"):
        set_aside(small(y_train=np.array([0, 0, 0, 0, 0, 1])), "val", 0.5, seed=0)
    with pytest.raises(DatasetError, match="own: the train split is empty"):
        set_aside(small(x_train=ZEROS[:0], y_train=np.arange(0)), "val", 0.5, seed=0)


def test_a_data_set_keeps_the_classes_that_are_named_in_that_order():
    whole, some = load_dataset("digits"), load_dataset("digits", classes=(7, "3"))
    assert some.class_names == ("7", "3")
    assert some.task == "binary"
    for part, (x, y) in some.splits.items():
        images, labels = whole.splits[part]
        np.testing.assert_array_equal(x, images[np.isin(labels, (3, 7))])
        np.testing.assert_array_equal(y, labels[np.isin(labels, (3, 7))] == 3)


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (("7", "11"), r"digits: classes: no class '11' \(did you mean '1'\?\)"),
        (("7",), "digits: classes: two or more different classes are expected"),
        (("7", "7"), "digits: classes: two or more different classes are expected"),
    ],
)
def test_classes_that_cannot_be_kept_are_told(classes, text):
    with pytest.raises(DatasetError, match=text):
        load_dataset("digits", classes=classes)
