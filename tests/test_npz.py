"""The user's own arrays."""

import numpy as np
import pytest

from dlcourse.datasets import load_dataset
from dlcourse.errors import DatasetError, RecipeError

IMAGES = np.arange(60 * 4 * 3, dtype="int64").reshape(60, 4, 3) % 256
LABELS = np.arange(60) % 3


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "own.npz", **arrays)
        return str(tmp_path / "own.npz")

    return save


def every_input(data):
    return np.concatenate([x for x, _ in data.splits.values()])


def test_bytes_stay_bytes_and_get_a_channel_axis(save):
    data = load_dataset("npz", path=save(x_train=IMAGES.astype("uint8"), y_train=LABELS))
    assert (data.x_train.dtype, data.input_shape, data.value_range) == (
        "uint8",
        (4, 3, 1),
        (0, 255),
    )
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (43, 5, 12)
    everything = every_input(data)[..., 0]
    assert sorted(map(bytes, everything)) == sorted(map(bytes, IMAGES.astype("uint8")))


def test_integers_of_a_byte_become_bytes_and_floats_stay_floats(save):
    assert load_dataset("npz", path=save(x_train=IMAGES, y_train=LABELS)).x_train.dtype == "uint8"
    data = load_dataset("npz", path=save(x_train=IMAGES / 255, y_train=LABELS))
    assert data.x_train.dtype == "float32"
    assert data.value_range == (0.0, 1.0)


def test_integers_of_one_type_stay_of_one_type_though_some_splits_would_fit_a_byte(save):
    data = load_dataset("npz", path=save(
        x_train=IMAGES + 44, y_train=LABELS, x_test=IMAGES, y_test=LABELS
    ), value_range=[0, 299])  # fmt: skip
    assert {x.dtype for x, _ in data.splits.values()} == {np.dtype("float32")}
    assert data.value_range == (0.0, 299.0)


@pytest.mark.parametrize(
    ("least", "most", "dtype", "expected"),
    [
        (20, 120, "uint8", (0, 255)),  # dark pictures: a PNG of one is fed the same numbers
        (0, 17, "uint8", (0, 255)),
        (0, 16, "uint8", (0, 16)),
        (0, 1, "uint8", (0, 1)),
        (0, 1, "bool", (0, 1)),
        (0, 0, "uint8", (0, 1)),
        (0, 1, "float32", (0, 1)),
        (0.2, 0.6, "float64", (0, 1)),
        (-1e-8, 1 + 1e-7, "float32", (0, 1)),  # rounded
        (3, 200, "float64", (0, 255)),
        (-1, 1, "float32", (-1, 1)),
        (-2.1, 2.6, "float32", (-16, 16)),
        (-128, 127, "int8", (-255, 255)),
    ],
)
def test_the_range_of_images_is_that_of_their_kind_not_of_their_values(
    save, least, most, dtype, expected
):
    x = np.resize(np.array([least, most], dtype), (60, 4, 4))
    data = load_dataset("npz", path=save(x_train=x, y_train=LABELS))
    assert data.value_range == expected
    low, high = expected
    assert f"inputs (4, 4, 1) from {low} to {high}, 43 train" in data.summary


def test_images_of_12_bits_are_refused_until_their_range_is_given(save):
    path = save(x_train=IMAGES.astype("uint16") * 16, y_train=LABELS)
    with pytest.raises(DatasetError) as error:
        load_dataset("npz", path=path)
    assert str(error.value) == (
        f"{path}: value_range: the images have values from 0 to 4080: give those of black and "
        "white, such as [0, 4095] for 12 bits"
    )
    assert load_dataset("npz", path=path, value_range=[0, 4095]).value_range == (0, 4095)
    with pytest.raises(DatasetError, match="value_range: the images have values from 0 to 4080"):
        load_dataset("npz", path=path, value_range=[0, 1000])
    with pytest.raises(DatasetError, match="value_range: the images have"):
        load_dataset("npz", path=path, value_range=[4095, 0])
    with pytest.raises(RecipeError, match="'value_range': expected 'auto', got 4095"):
        load_dataset("npz", path=path, value_range=4095)


@pytest.mark.parametrize(("scale", "told"), [(1, "from 0 to 1"), (510, "from 0 to 510")])
def test_a_test_split_on_another_scale_is_warned_of(save, scale, told):
    tested = {"x_test": IMAGES / 255 * scale, "y_test": LABELS}
    path = save(x_train=IMAGES.astype("float32"), y_train=LABELS, **tested)
    with pytest.warns(UserWarning, match=f"test has values {told}, train 0 to 255: are they"):
        load_dataset("npz", path=path)


@pytest.mark.parametrize(
    ("values", "names"),
    [([1, 3, 7], ("1", "3", "7")), ([-6, 0, 6], ("-6", "0", "6")), ([1, 2, 3], ("1", "2", "3"))],
)
def test_labels_with_gaps_are_numbered_and_name_their_classes(save, values, names):
    given = np.array(values)[LABELS]
    data = load_dataset("npz", path=save(x_train=IMAGES, y_train=given))
    assert data.class_names == names
    known = {bytes(x): str(y) for x, y in zip(IMAGES.astype("uint8"), given, strict=True)}
    for x, y in data.splits.values():
        assert [names[label] for label in y] == [known[bytes(image[..., 0])] for image in x]
    own = load_dataset("npz", path=save(x_train=IMAGES, y_train=given), class_names=["a", "b", "c"])
    assert own.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(own.y_train, data.y_train)


def test_the_labels_of_all_splits_are_numbered_together(save):
    apart = {"x_val": IMAGES[:6], "y_val": [9, 5, 2] * 2, "x_test": IMAGES[:3], "y_test": [2, 9, 5]}
    data = load_dataset("npz", path=save(x_train=IMAGES, y_train=[5, 9, 2] * 20, **apart))
    assert data.class_names == ("2", "5", "9")
    assert data.y_train[:3].tolist() == [1, 2, 0]
    assert (data.y_val[:3].tolist(), data.y_test.tolist()) == ([2, 1, 0], [0, 2, 1])


def test_labels_as_a_column_or_one_hot_are_the_same_labels(save):
    forms = LABELS, LABELS[:, None], np.eye(3)[LABELS], LABELS.astype("float64")
    loaded = [load_dataset("npz", path=save(x_train=IMAGES, y_train=form)) for form in forms]
    for data in loaded:
        np.testing.assert_array_equal(data.y_train, loaded[0].y_train)
        assert data.y_train.dtype == "int64"


def test_the_files_own_splits_are_kept(save):
    data = load_dataset(
        "npz",
        path=save(
            x_train=IMAGES[:30],
            y_train=LABELS[:30],
            x_val=IMAGES[30:39],
            y_val=LABELS[30:39],
            x_test=IMAGES[39:],
            y_test=LABELS[39:],
        ),
        class_names=["a", "b", "c"],
    )
    np.testing.assert_array_equal(data.x_val[..., 0], IMAGES[30:39])
    np.testing.assert_array_equal(data.y_test, LABELS[39:])
    assert data.class_names == ("a", "b", "c")


def test_rows_are_float32_and_a_single_column_may_be_flat(save):
    x = np.linspace(0, 1, 50)
    path = save(x_train=x, y_train=2 * x + 1)
    data = load_dataset("npz", path=path, task="regression")
    assert (data.x_train.dtype, data.input_shape, data.feature_names) == ("float32", (1,), ("x1",))
    np.testing.assert_allclose(data.y_train, 2 * data.x_train[:, 0] + 1, rtol=1e-6)  # float32


def test_mnist_as_one_file(shared):
    data = load_dataset("npz", path=str(shared / "data" / "mnist.npz"))
    assert data.input_shape == (28, 28, 1)
    assert [len(y) for _, y in data.splits.values()] == [54000, 6000, 10000]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]  # the well-known first test digits


ROWS = np.ones((30, 2))


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x_train": IMAGES}, "no array 'y_train' (it has x_train)"),
        ({"images": IMAGES}, "no array 'x_train' (it has images)"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES},
            "no array 'y_test' (it has x_train, y_train, x_test)",
        ),
        ({"x_train": np.array([{}]), "y_train": LABELS[:1]}, "pickled objects are not loaded"),
        ({"x_train": IMAGES, "y_train": LABELS[:9]}, "x_train has 60 examples but y_train 9"),
        ({"x_train": IMAGES.astype("str"), "y_train": LABELS}, "numbers are expected; texts c"),
        ({"x_train": np.ones((9, 2, 2, 2, 2)), "y_train": LABELS[:9]}, "(9, 2, 2, 2, 2): images"),
        ({"x_train": np.ones((9, 3, 8, 8)), "y_train": LABELS[:9]}, "channels first: store"),
        ({"x_train": ROWS, "y_train": np.full(30, "cat")}, "give integer labels, and"),
        ({"x_train": ROWS, "y_train": np.linspace(0, 1, 30)}, "is the task 'regression'?"),
        ({"x_train": ROWS, "y_train": np.full(30, np.inf)}, "such as inf"),
        ({"x_train": ROWS, "y_train": np.full((30, 3), 0.3)}, "its rows are not one-hot"),
        ({"x_train": ROWS, "y_train": np.arange(30) + 10**6}, "class '1000000' has 1 example left"),
        ({"x_train": ROWS, "y_train": np.full(30, 1e300)}, "not integers, such as 1e+300"),
        ({"x_train": ROWS, "y_train": np.arange(30)}, "class '0' has 1 example left"),
        ({"x_train": ROWS * np.nan, "y_train": LABELS[:30]}, "has NaN or infinite inputs"),
        ({"x_train": ROWS * 1e300, "y_train": LABELS[:30]}, "has NaN or infinite inputs"),
        ({"x_train": ROWS[:0], "y_train": LABELS[:0]}, "is empty"),
        (
            {"x_train": ROWS, "y_train": LABELS[:30], "x_test": ROWS[:, :1], "y_test": LABELS[:30]},
            "the test split has inputs of shape (1,), the train split has (2,)",
        ),
        (
            {
                "x_train": IMAGES,
                "y_train": LABELS,
                "x_test": IMAGES / 255,
                "y_test": LABELS,
            },
            "the test split has inputs of type float32, the train split has uint8",
        ),
    ],
)
def test_arrays_that_cannot_be_used_are_named(save, arrays, text):
    with pytest.raises(DatasetError) as error:
        load_dataset("npz", path=save(**arrays))
    assert text in str(error.value)
    assert "own" in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_that_the_names_do_not_fit_are_named(save):
    path = save(x_train=ROWS, y_train=np.arange(30) % 2 - 1)
    with pytest.raises(DatasetError, match="has labels from -1 to 0: 0 to 2 are expected for 3"):
        load_dataset("npz", path=path, class_names=["a", "b", "c"])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_empty_file_of_any_task_is_one_line(save, task):
    with pytest.raises(DatasetError, match="is empty"):
        load_dataset("npz", path=save(x_train=ROWS[:0], y_train=LABELS[:0]), task=task)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "cannot be read as a .npz file"),
        (b"PK\x03\x04broken", "cannot be read as a .npz file"),
        (b"hello, world", "pickled objects are not loaded"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, text):
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(DatasetError) as error:
        load_dataset("npz", path=str(tmp_path / "own.npz"))
    assert text in str(error.value)


def test_a_single_array_or_a_damaged_member_is_refused(tmp_path, save):
    np.save(tmp_path / "one.npy", ROWS)
    with pytest.raises(DatasetError, match=r"holds one array: save x_train and y_train"):
        load_dataset("npz", path=str(tmp_path / "one.npy"))
    path = save(x_train=IMAGES, y_train=LABELS)
    data = bytearray((tmp_path / "own.npz").read_bytes())
    data[400] ^= 255
    (tmp_path / "own.npz").write_bytes(data)
    with pytest.raises(DatasetError, match=r"cannot be read as a \.npz file"):
        load_dataset("npz", path=path)
    save(x_train=IMAGES, y_train=LABELS)
    data = bytearray((tmp_path / "own.npz").read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 99  # a compression that zipfile does not have
    (tmp_path / "own.npz").write_bytes(data)
    with pytest.raises(DatasetError, match=r"cannot be read as a \.npz file"):
        load_dataset("npz", path=path)


def test_a_missing_file_names_its_neighbour(save, tmp_path, monkeypatch):
    save(x_train=IMAGES, y_train=LABELS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=r"owm\.npz: no such file \(did you mean 'own\.npz'\?\)"):
        load_dataset("npz", path="owm.npz")
    with pytest.raises(DatasetError, match="is a folder: a file is expected"):
        load_dataset("npz", path=".")


def test_a_tilde_is_the_home_folder(save, tmp_path, monkeypatch):
    save(x_train=IMAGES, y_train=LABELS)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_dataset("npz", path="~/own.npz").input_shape == (4, 3, 1)
