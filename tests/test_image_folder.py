"""The user's own images. The pictures are made here."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from dlcourse.datasets import load_dataset
from dlcourse.datasets.image_folder import read_image
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


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "gif", "PNG", "JPG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_format_and_colour(tmp_path, suffix, mode):
    Image.new(mode, (9, 7), "white").save(tmp_path / f"own.{suffix}")
    rgb = read_image(tmp_path / f"own.{suffix}", (2, 3), "rgb")
    grey = read_image(tmp_path / f"own.{suffix}", (2, 3), "grayscale")
    assert (rgb.shape, grey.shape) == ((2, 3, 3), (2, 3, 1))
    assert min(rgb.min(), grey.min()) >= 254  # JPEG may lose a step


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
    Image.new("RGBA", (3, 3), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png", (3, 3)).min() == 255
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "press.jpg")
    assert read_image(tmp_path / "press.jpg", (3, 3)).min() == 255


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
    Image.effect_noise((64, 64), 50).save(folder / "red" / "cut.png")
    whole = (folder / "red" / "cut.png").read_bytes()
    (folder / "red" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "red" / "notes.txt").write_text("hello")
    (folder / "red" / "empty.jpg").touch()
    huge_png(folder / "red" / "bomb.png")
    with pytest.warns(UserWarning, match="skipped 4 unreadable files") as caught:
        data = load(folder)
    (warning,) = caught
    text = str(warning.message)
    assert "bomb.png: too many pixels" in text
    assert "cut.png: a broken image" in text
    assert "empty.jpg: not a PNG, JPEG, BMP or GIF image" in text
    assert "notes.txt" not in text  # three are named
    assert sum(len(y) for _, y in data.splits.values()) == 30


def test_no_damage_makes_more_than_one_line(tmp_path):
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.png")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.jpg")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.gif")
    Image.effect_noise((16, 16), 50).save(tmp_path / "a.bmp")
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
    assert len(said) > 100  # of 240: most damage is noticed
    assert all(name in text and "\n" not in text for name, text in said)


def test_a_class_without_a_readable_image_is_an_error(folder):
    (folder / "yellow").mkdir()
    with pytest.raises(DatasetError, match=r"class 'yellow' has no readable image$"):
        load(folder)
    (folder / "yellow" / "a.png").write_text("hello")
    with pytest.raises(DatasetError, match=r"no readable image \(.*a\.png: not a PNG"):
        load(folder)


def test_folders_that_cannot_be_used_are_named(tmp_path, folder):
    with pytest.raises(
        DatasetError, match=r"colour: no such folder \(did you mean '.*colours'\?\)"
    ):
        load(tmp_path / "colour")
    with pytest.raises(DatasetError, match=r"0\.png is a file: a folder is expected"):
        load(folder / "red" / "0.png")
    with pytest.raises(DatasetError, match=r"red: no class folders: CLASS/IMAGE is"):
        load(folder / "red")
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


def test_another_folder_beside_train_is_refused_unless_train_is_a_class(tmp_path):
    fill(tmp_path / "a" / "train", 5)
    fill(tmp_path / "a" / "unlabelled", 5)
    with pytest.raises(DatasetError, match="a: 'unlabelled' lies beside 'train' and its classes"):
        load(tmp_path / "a")
    fill(tmp_path / "b", 9)
    (tmp_path / "b" / next(iter(COLOURS))).rename(tmp_path / "b" / "train")
    assert "train" in load(tmp_path / "b").class_names
