"""The user's own images. The pictures are made here."""

import json
import shutil
import struct
import warnings
import zlib
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from dlcourse.datasets import load_dataset
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.image_folder import read_example, read_image
from dlcourse.errors import DatasetError

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "colours", 10)


def fill(root, n):
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (8 + i, 6), colour).save(root / name / f"{i}.png")
    return root


def load(folder, **settings):
    return load_dataset("image_folder", path=str(folder), size=[4, 5], **settings)


def huge_png(path):
    """Write a PNG of 20,000 × 20,000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(b"")]
    body = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))


def test_each_image_has_the_colour_of_its_class(folder):
    data = load(folder)
    assert data.class_names == ("blue", "green", "red")
    assert (data.input_shape, data.x_train.dtype, data.value_range) == (
        (4, 5, 3),
        "uint8",
        (0, 255),
    )
    for x, y in data.splits.values():
        np.testing.assert_array_equal(x[:, 0, 0], [list(COLOURS.values())[label] for label in y])
    assert sum(len(y) for _, y in data.splits.values()) == 30


@pytest.mark.parametrize(
    ("sides", "side"),
    [([(20, 30), (40, 40), (50, 36)], 38), ([(300, 200), (90, 100), (70, 64)], 64)],
)
def test_images_of_their_own_size_are_a_square_of_the_median_side_up_to_64(sides, side, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(12):
            Image.new("L", sides[i % 3]).save(tmp_path / name / f"{i}.png")
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="skipped 1 unreadable"):
        data = load_dataset("image_folder", path=tmp_path, size="auto")
    assert data.input_shape == (side, side, 3)  # the median of 20, 30, 36, 40, 40, 50 is 38


def test_an_image_of_the_asked_size_is_read_pixel_by_pixel(tmp_path):
    pixels = np.arange(4 * 5 * 3, dtype="uint8").reshape(4, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    np.testing.assert_array_equal(read_image(tmp_path / "own.png", (4, 5)), pixels)


def test_resizing_agrees_with_keras(tmp_path):
    from keras.utils import img_to_array, load_img

    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "own.png")
    keras_pixels = img_to_array(
        load_img(tmp_path / "own.png", target_size=(10, 20), interpolation="bilinear")
    )
    np.testing.assert_array_equal(read_image(tmp_path / "own.png", (10, 20)), keras_pixels)


SUFFIXES = ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff", "avif", "PNG", "JPG"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_format_and_colour(tmp_path, suffix, mode):
    Image.new(mode, (9, 7), "white").save(tmp_path / f"own.{suffix}")
    rgb = read_image(tmp_path / f"own.{suffix}", (2, 3), "rgb")
    grey = read_image(tmp_path / f"own.{suffix}", (2, 3), "grayscale")
    assert (rgb.shape, grey.shape) == ((2, 3, 3), (2, 3, 1))
    assert min(rgb.min(), grey.min()) >= 254  # JPEG may lose a step


def test_of_several_pages_the_first_is_read(tmp_path):
    pages = [Image.new("L", (4, 4), value) for value in (80, 160)]
    pages[0].save(tmp_path / "own.tif", save_all=True, append_images=pages[1:])
    assert np.unique(read_image(tmp_path / "own.tif", (4, 4))).tolist() == [80]


def test_exif_orientation_is_respected(tmp_path):
    lying = Image.new("L", (4, 2), 0)
    lying.paste(255, (0, 0, 2, 2))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: left becomes top
    lying.save(tmp_path / "own.png", exif=exif)
    pixels = read_image(tmp_path / "own.png", (4, 2), "grayscale")[..., 0]
    np.testing.assert_array_equal(pixels, [[255, 255], [255, 255], [0, 0], [0, 0]])


def test_sixteen_bits_are_scaled_and_transparency_is_white(tmp_path):
    Image.fromarray(np.full((3, 3), 0x8080, "uint16")).save(tmp_path / "deep.png")
    assert np.unique(read_image(tmp_path / "deep.png", (3, 3), "grayscale")).tolist() == [0x80]
    Image.new("L", (3, 3)).convert("I;16").save(tmp_path / "black.png")
    assert read_image(tmp_path / "black.png", (3, 3)).max() == 0
    Image.new("RGBA", (3, 3), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png", (3, 3)).min() == 255
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "press.jpg")
    assert read_image(tmp_path / "press.jpg", (3, 3)).min() == 255


def deep(path, pixels):
    Image.fromarray(np.array([pixels] * 3)).save(path)
    return path


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.array([0, 1000, 4000], "uint16"), "0 to 4000"),
        (np.array([0, 2, 100000], "int32"), "0 to 100000"),
        (np.array([-5, 2, 60000], "int32"), "-5 to 60000"),
        (np.array([0, 0.5, 1], "float32"), "0 to 1"),
        (np.array([0, 5.5, 60000], "float32"), "0 to 60000"),
        (np.array([0, np.nan, 1], "float32"), "nan to nan"),
    ],
)
def test_more_than_8_bits_without_a_known_range_are_refused_until_it_is_given(
    tmp_path, pixels, told
):
    file = deep(tmp_path / "own.tif", pixels)
    with pytest.raises(DatasetError, match=rf"own\.tif: more than 8 bits, .* from {told}: set"):
        read_image(file, (3, 3))
    if np.isfinite(pixels).all():
        low, high = float(pixels.min()), float(pixels.max())
        row = read_image(file, (3, 3), "grayscale", (low, high))[0, :, 0]
        np.testing.assert_array_equal(row, (pixels - low) * 255 // (high - low))


def test_colours_of_12_bits_are_refused(tmp_path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    def save(most):
        row = b"\0" + np.full((3, 3), most, ">u2").tobytes()
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 3, 16, 2, 0, 0, 0))
        body = chunk(b"IDAT", zlib.compress(row * 3)) + chunk(b"IEND", b"")
        (tmp_path / "own.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
        return tmp_path / "own.png"

    with pytest.raises(DatasetError, match="more than 8 bits, with values from 3855 to 3855"):
        read_image(save(4095), (3, 3))
    assert read_image(save(0x8080), (3, 3)).min() == read_image(save(0x8080), (3, 3)).max() == 0x80


def test_a_folder_of_12_bits_is_read_and_predicted_in_the_range_that_is_given(tmp_path):
    for k in range(40):
        (tmp_path / "cells" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        file = tmp_path / "cells" / "ab"[k % 2] / f"{k:02}.tif"
        deep(file, np.array([100 * k, 4095, 0], "uint16"))
    with pytest.raises(DatasetError, match=r"40 unreadable files: 20 of 20 in a, 20 of 20 in b \("):
        load_dataset("image_folder", tmp_path / "cells", size=[3, 3])
    given = {"size": [3, 3], "color": "grayscale", "value_range": [0, 4095]}
    data = load_dataset("image_folder", tmp_path / "cells", **given)
    assert sorted(np.concatenate([x[:, 0, 0, 0] for x, _ in data.splits.values()])) == [
        100 * k * 255 // 4095 for k in range(40)
    ]
    again = read_example(file, DataFacts.from_json(json.loads(json.dumps(asdict(data.facts)))))
    assert again[0, :, 0].tolist() == [3900 * 255 // 4095, 255, 0]


def test_a_png_of_12_bits_is_what_the_array_was(tmp_path):
    x = np.resize(np.arange(4096, dtype="uint16"), (60, 5, 5))
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(60) % 2)
    facts = load_dataset("npz", tmp_path / "own.npz", value_range=[0, 4095]).facts
    Image.fromarray(x[7]).save(tmp_path / "own.png")
    got = read_example(tmp_path / "own.png", facts)[..., 0]
    np.testing.assert_allclose(got, x[7], atol=4095 / 255)  # the picture is read in 8 bits
    Image.fromarray((x[7] // 16).astype("uint8")).save(tmp_path / "eight.png")
    np.testing.assert_allclose(read_example(tmp_path / "eight.png", facts)[..., 0], x[7], atol=17)


def test_a_large_photograph_is_reduced_as_without_the_shortcut(tmp_path):
    x = np.linspace(0, 255, 1600)
    pixels = np.broadcast_to((x[:1200, None] + x) / 2, (1200, 1600)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "own.jpg", quality=95)
    got = read_image(tmp_path / "own.jpg", (6, 8), "grayscale")[..., 0]
    means = pixels.reshape(6, 200, 8, 200).mean(axis=(1, 3))
    # Bilinear resizing weighs a wider window than the mean: borders differ by some steps.
    np.testing.assert_allclose(got, means, atol=8)


def test_train_validation_and_test_folders_are_kept(tmp_path):
    for part, n in (("train", 5), ("validation", 2), ("test", 3)):
        fill(tmp_path / part, n)
    data = load(tmp_path)
    assert [len(y) for _, y in data.splits.values()] == [15, 6, 9]
    assert data.class_names == ("blue", "green", "red")


def test_a_train_folder_alone_is_split(tmp_path):
    fill(tmp_path / "train", 10)
    assert [len(y) for _, y in load(tmp_path).splits.values()] == [20, 4, 6]


def test_a_class_may_be_named_train(tmp_path):
    fill(tmp_path, 10)
    (tmp_path / "red").rename(tmp_path / "train")
    assert load(tmp_path).class_names == ("blue", "green", "train")


def test_hidden_files_are_ignored_and_sub_folders_read(folder):
    (folder / ".git").mkdir()
    (folder / "__MACOSX").mkdir()
    (folder / "red" / ".DS_Store").write_text("x")
    (folder / "red" / "more").mkdir()
    (folder / "red" / "0.png").rename(folder / "red" / "more" / "0.png")
    assert sum(len(y) for _, y in load(folder).splits.values()) == 30


def test_broken_files_are_skipped_with_one_warning_that_names_them(folder):
    for k in range(30):
        Image.new("RGB", (8, 8), COLOURS["red"]).save(folder / "red" / f"more-{k}.png")
    Image.effect_noise((64, 64), 50).save(folder / "red" / "cut.png")
    whole = (folder / "red" / "cut.png").read_bytes()
    (folder / "red" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "red" / "notes.txt").write_text("hello")
    (folder / "red" / "empty.jpg").touch()
    huge_png(folder / "red" / "bomb.png")
    with pytest.warns(
        UserWarning, match=r"skipped 4 unreadable files: 4 of 44 in red \("
    ) as caught:
        data = load(folder)
    (warning,) = caught
    text = str(warning.message)
    assert "bomb.png: too many pixels" in text
    assert "cut.png: a broken image" in text
    assert "empty.jpg: not a PNG, JPEG, BMP, GIF, WebP, TIFF or AVIF image" in text
    assert "notes.txt" not in text  # three are named
    assert sum(len(y) for _, y in data.splits.values()) == 60


def test_more_than_a_tenth_of_unreadable_files_in_one_class_is_refused(folder):
    """A class in a format of its own would be learned from what is left of it."""
    (folder / "blue" / "a.heic").write_text("hello")
    with pytest.warns(UserWarning, match=r"skipped 1 unread.*: 1 of 11 in blue \(.*a\.heic"):
        load(folder)
    (folder / "blue" / "b.heic").write_text("hello")
    with pytest.raises(DatasetError) as error:
        load(folder)
    assert "skipped 2 unreadable files: 2 of 12 in blue (" in str(error.value)
    assert str(error.value).endswith("): more than 10% of a class: mend or remove them")


def test_no_damage_makes_more_than_one_line(tmp_path):
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.png")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.jpg")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.gif")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.bmp")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.webp")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.tif", compression="tiff_lzw")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.avif")
    rng, said = np.random.default_rng(0), []
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        for _ in range(60):
            damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
            damaged[rng.integers(len(damaged))] = rng.integers(256)
            file.write_bytes(damaged)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read_image(file, (4, 4))
            except DatasetError as error:
                said.append((file.name, str(error)))
    assert len(said) > 200  # of 420: most damage is noticed
    assert all(name in text and "\n" not in text for name, text in said)


def test_a_class_without_a_readable_image_is_an_error(folder):
    (folder / "yellow").mkdir()
    with pytest.raises(DatasetError, match=r"no example of class yellow: give more examples"):
        load(folder)
    (folder / "yellow" / "a.png").write_text("hello")
    with pytest.raises(DatasetError, match=r"1 of 1 in yellow \(.*a\.png: not a PNG, .*\): more"):
        load(folder)


def test_folders_that_cannot_be_used_are_named(tmp_path, folder):
    with pytest.raises(
        DatasetError, match=r"colour: no such folder \(did you mean '.*colours'\?\)"
    ):
        load(tmp_path / "colour")
    with pytest.raises(DatasetError, match=r"0\.png is a file: a folder is expected"):
        load(folder / "red" / "0.png")
    with pytest.raises(DatasetError, match=r"red: no class folders: CLASS/FILE is") as error:
        load(folder / "red")
    assert str(error.value).endswith(f"(did you mean '{folder}', with blue, green, red?)")
    (tmp_path / "one" / "red").mkdir(parents=True)
    (folder / "red" / "0.png").rename(tmp_path / "one" / "red" / "0.png")
    with pytest.raises(DatasetError, match="class 'red' has 1 example left to train on"):
        load(tmp_path / "one")


def test_a_single_class_is_not_a_classification(folder, tmp_path):
    (tmp_path / "one").mkdir()
    (folder / "red").rename(tmp_path / "one" / "red")
    with pytest.raises(DatasetError, match="one: has 1 class: a classifier needs two or more"):
        load(tmp_path / "one")


def test_a_class_of_the_test_folder_alone_is_an_error(tmp_path):
    fill(tmp_path / "train", 5)
    fill(tmp_path / "test", 5)
    (tmp_path / "test" / "yellow").mkdir()
    with pytest.raises(DatasetError, match="test: class 'yellow' is missing from the train folder"):
        load(tmp_path)
    fill(tmp_path / "val", 1)
    fill(tmp_path / "validation", 1)
    with pytest.raises(DatasetError, match="both 'val' and 'validation': keep one of them"):
        load(tmp_path)


def test_valid_is_the_validation_folder_and_names_may_be_capital(tmp_path):
    for part, n in (("Train", 6), ("valid", 2), ("Test", 3)):
        fill(tmp_path / part, n)
    data = load(tmp_path)
    assert data.class_names == tuple(sorted(COLOURS))
    sizes = {part: len(y) // len(COLOURS) for part, (_, y) in data.splits.items()}
    assert sizes == {"train": 6, "val": 2, "test": 3}


@pytest.mark.parametrize(
    "names",
    [
        ("training", "testing", None),
        ("seg_train", "seg_test", None),
        ("Train_data", "Test_data", "Valid_data"),
        ("TRAINING", "EVAL", "Dev"),
        ("pets-train", "pets-test", "pets-val"),
        ("trainset", "testset", "validationset"),
        ("01 training images", "03 evaluation", "02 validation images"),
        ("train.2024", "test.2024", "dev.2024"),
    ],
)
def test_a_word_in_the_name_of_a_folder_makes_it_a_split(tmp_path, names):
    for name, n in zip(names, (6, 3, 2), strict=True):
        if name:
            fill(tmp_path / name, n)
    data = load(tmp_path)
    assert data.class_names == tuple(sorted(COLOURS))
    assert len(data.y_test) == 9
    if names[2]:
        assert (len(data.y_train), len(data.y_val)) == (18, 6)


def test_a_class_may_have_the_word_of_a_split_in_its_name(tmp_path):
    fill(tmp_path, 9)
    (tmp_path / "red").rename(tmp_path / "trained")
    (tmp_path / "blue").rename(tmp_path / "untrained")
    assert load(tmp_path).class_names == ("green", "trained", "untrained")
    shutil.rmtree(tmp_path / "green")
    assert load(tmp_path).class_names == ("trained", "untrained")


def test_classes_that_hold_the_same_folders_are_refused(tmp_path):
    for name in ("first", "second"):
        fill(tmp_path / "a" / name, 5)
    with pytest.raises(DatasetError) as error:
        load(tmp_path / "a")
    assert str(error.value) == (
        f"{tmp_path / 'a'}: its folders hold the same folders (blue, green, red): splits are named "
        "train, val and test, with a folder per class in each"
    )
    for name in ("cat", "dog"):
        fill(tmp_path / "b" / name / "train", 5)
        fill(tmp_path / "b" / name / "test", 5)
    with pytest.raises(DatasetError, match=r"the same folders \(test, train\): splits are named"):
        load(tmp_path / "b")


def test_one_folder_of_the_same_name_in_each_class_is_read(tmp_path):
    """As in Tiny ImageNet: `n01443537/images/`."""
    fill(tmp_path, 9)
    for name in COLOURS:
        (tmp_path / name).rename(tmp_path / "images")
        (tmp_path / name).mkdir()
        (tmp_path / "images").rename(tmp_path / name / "images")
    assert sum(len(y) for _, y in load(tmp_path).splits.values()) == 27


def test_a_folder_of_a_zip_file_that_is_one_too_high_names_the_right_one(tmp_path):
    fill(tmp_path / "pets" / "pets", 5)
    with pytest.raises(DatasetError) as error:
        load(tmp_path / "pets")
    right = tmp_path / "pets" / "pets"
    assert str(error.value) == (
        f"{tmp_path / 'pets'}: holds one folder (did you mean '{right}', with blue, green, red?)"
    )
    for name, n in (("seg_train", 6), ("seg_test", 3)):
        fill(tmp_path / "whole" / name / name, n)
    data = load(tmp_path / "whole")
    assert [len(y) for _, y in data.splits.values()] == [15, 3, 9]


def test_images_without_labels_beside_the_training_folder_are_refused(tmp_path):
    fill(tmp_path / "train", 5)
    (tmp_path / "test").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "test" / "1.png")
    with pytest.raises(DatasetError) as error:
        load(tmp_path)
    assert f"no labels: give '{tmp_path / 'train'}' as the path, which is" in str(error.value)
    for name in ("train", "test"):
        (tmp_path / "flat" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "flat" / name / "cat.1.png")
    with pytest.raises(DatasetError, match="train: no class folders: CLASS/FILE is expected"):
        load(tmp_path / "flat")


def test_another_folder_beside_train_is_refused_unless_train_is_a_class(tmp_path):
    fill(tmp_path / "a" / "train", 5)
    fill(tmp_path / "a" / "unlabelled", 5)
    with pytest.raises(DatasetError, match="a: 'unlabelled' lies beside 'train' and its classes"):
        load(tmp_path / "a")
    fill(tmp_path / "b", 9)
    (tmp_path / "b" / next(iter(COLOURS))).rename(tmp_path / "b" / "train")
    assert "train" in load(tmp_path / "b").class_names
